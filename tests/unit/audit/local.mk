# unit tests of daemon/audit

AUDIT_TEST_LIBS = libaudit.la libcore.la $(SQLITE_LIBS) $(SODIUM_LIBS)

# Measures; not run by `make check`.
EXTRA_PROGRAMS += tests/unit/audit/bench_recorder
CLEANFILES += tests/unit/audit/bench_recorder
tests_unit_audit_bench_recorder_SOURCES = tests/unit/audit/bench_recorder.c
tests_unit_audit_bench_recorder_LDADD = $(AUDIT_TEST_LIBS)

audit_tests = \
	tests/unit/audit/test_crash \
	tests/unit/audit/test_full_disk \
	tests/unit/audit/test_readers \
	tests/unit/audit/test_recorder \
	tests/unit/audit/test_samples \
	tests/unit/audit/test_schema
check_PROGRAMS += $(audit_tests)
TESTS += $(audit_tests)
audit_support = tests/unit/audit/support.c tests/unit/audit/support.h
tests_unit_audit_test_crash_SOURCES = tests/unit/audit/test_crash.c $(audit_support)
tests_unit_audit_test_crash_LDADD = $(AUDIT_TEST_LIBS) $(CMOCKA_LIBS)
tests_unit_audit_test_full_disk_SOURCES = tests/unit/audit/test_full_disk.c $(audit_support)
tests_unit_audit_test_full_disk_LDADD = $(AUDIT_TEST_LIBS) $(CMOCKA_LIBS)
tests_unit_audit_test_readers_SOURCES = tests/unit/audit/test_readers.c $(audit_support)
tests_unit_audit_test_readers_LDADD = $(AUDIT_TEST_LIBS) $(CMOCKA_LIBS)
tests_unit_audit_test_recorder_SOURCES = tests/unit/audit/test_recorder.c $(audit_support)
tests_unit_audit_test_recorder_LDADD = $(AUDIT_TEST_LIBS) $(CMOCKA_LIBS)
tests_unit_audit_test_samples_SOURCES = tests/unit/audit/test_samples.c $(audit_support)
tests_unit_audit_test_samples_LDADD = $(AUDIT_TEST_LIBS) $(CMOCKA_LIBS)
tests_unit_audit_test_schema_SOURCES = tests/unit/audit/test_schema.c $(audit_support)
tests_unit_audit_test_schema_LDADD = $(AUDIT_TEST_LIBS) $(CMOCKA_LIBS)
