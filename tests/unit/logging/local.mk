# unit tests of logging plugins: each is linked with the plugin it tests
# What they share.
LOG_TEST_SOURCES = tests/unit/logging/log_event.h tests/unit/logging/log_event.c $(EVENT_SOURCES)

check_PROGRAMS += tests/unit/logging/test_jsonl
TESTS += tests/unit/logging/test_jsonl
tests_unit_logging_test_jsonl_SOURCES = tests/unit/logging/test_jsonl.c plugins/logging/jsonl.c $(LOG_TEST_SOURCES)
tests_unit_logging_test_jsonl_CPPFLAGS = $(INCLUDE_CPPFLAGS) $(JANSSON_CFLAGS)
tests_unit_logging_test_jsonl_LDADD = $(CMOCKA_LIBS) $(JANSSON_LIBS)

if SYSTEMD
check_PROGRAMS += tests/unit/logging/test_journal
TESTS += tests/unit/logging/test_journal
endif
tests_unit_logging_test_journal_SOURCES = tests/unit/logging/test_journal.c plugins/logging/journal.c $(LOG_TEST_SOURCES)
tests_unit_logging_test_journal_CPPFLAGS = $(INCLUDE_CPPFLAGS) $(SYSTEMD_CFLAGS)
tests_unit_logging_test_journal_LDADD = $(CMOCKA_LIBS) $(SYSTEMD_LIBS)

check_PROGRAMS += tests/unit/logging/test_syslog
TESTS += tests/unit/logging/test_syslog
tests_unit_logging_test_syslog_SOURCES = tests/unit/logging/test_syslog.c tests/unit/logging/rfc5424.h \
	tests/unit/logging/rfc5424.c tests/unit/logging/log_event.h tests/unit/logging/log_event.c \
	tests/support/namespace.h tests/support/namespace.c $(SYSLOG_SOURCES)
tests_unit_logging_test_syslog_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
tests_unit_logging_test_syslog_LDADD = $(CMOCKA_LIBS)

# Run by tests/live/test_postgresql.py.
if POSTGRESQL
check_PROGRAMS += tests/unit/logging/feed_days
endif
tests_unit_logging_feed_days_SOURCES = tests/unit/logging/feed_days.c tests/unit/logging/log_event.h \
	tests/unit/logging/log_event.c $(POSTGRESQL_SOURCES)
tests_unit_logging_feed_days_CPPFLAGS = $(INCLUDE_CPPFLAGS) -I$(top_srcdir)/plugins/logging $(LIBPQ_CFLAGS)
tests_unit_logging_feed_days_LDADD = $(CMOCKA_LIBS) $(LIBPQ_LIBS)
