# unit tests of daemon/link

link_tests = tests/unit/link/test_unix tests/unit/link/test_tap
check_PROGRAMS += $(link_tests)
TESTS += $(link_tests)
tests_unit_link_test_unix_SOURCES = tests/unit/link/test_unix.c
tests_unit_link_test_unix_LDADD = liblink.la $(CMOCKA_LIBS)
tests_unit_link_test_tap_SOURCES = tests/unit/link/test_tap.c
tests_unit_link_test_tap_LDADD = liblink.la $(CMOCKA_LIBS)
