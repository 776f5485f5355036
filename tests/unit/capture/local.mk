# unit tests of daemon/capture
check_PROGRAMS += tests/unit/capture/test_capture
TESTS += tests/unit/capture/test_capture
tests_unit_capture_test_capture_SOURCES = tests/unit/capture/test_capture.c
tests_unit_capture_test_capture_CFLAGS = $(AM_CFLAGS) -pthread
tests_unit_capture_test_capture_LDADD = libcapture.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
