# unit tests of ctl
CTL_TESTS = \
	tests/unit/ctl/test_filter \
	tests/unit/ctl/test_history \
	tests/unit/ctl/test_output
check_PROGRAMS += $(CTL_TESTS)
dist_check_SCRIPTS += tests/unit/ctl/test_commands.py
TESTS += $(CTL_TESTS) tests/unit/ctl/test_commands.py

CTL_TEST_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir) -I$(top_srcdir)/ctl $(JANSSON_CFLAGS) $(SQLITE_CFLAGS)
CTL_TEST_LIBS = libctl.la $(JANSSON_LIBS) $(SQLITE_LIBS) $(CMOCKA_LIBS)

tests_unit_ctl_test_filter_SOURCES = tests/unit/ctl/test_filter.c
tests_unit_ctl_test_filter_CPPFLAGS = $(CTL_TEST_CPPFLAGS)
tests_unit_ctl_test_filter_LDADD = $(CTL_TEST_LIBS)
tests_unit_ctl_test_history_SOURCES = \
	tests/unit/ctl/test_history.c tests/unit/audit/support.c tests/unit/audit/support.h
tests_unit_ctl_test_history_CPPFLAGS = $(CTL_TEST_CPPFLAGS)
tests_unit_ctl_test_history_LDADD = $(CTL_TEST_LIBS) libaudit.la libcore.la $(SODIUM_LIBS) -lpthread
tests_unit_ctl_test_output_SOURCES = tests/unit/ctl/test_output.c
tests_unit_ctl_test_output_CPPFLAGS = $(CTL_TEST_CPPFLAGS)
tests_unit_ctl_test_output_LDADD = $(CTL_TEST_LIBS)
