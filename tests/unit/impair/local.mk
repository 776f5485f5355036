# unit tests of daemon/link/impair
impair_tests = \
	tests/unit/impair/test_codel \
	tests/unit/impair/test_ecn \
	tests/unit/impair/test_impair \
	tests/unit/impair/test_rules
check_PROGRAMS += $(impair_tests)
TESTS += $(impair_tests)
tests_unit_impair_test_codel_SOURCES = tests/unit/impair/test_codel.c
tests_unit_impair_test_codel_LDADD = libimpair.la $(CMOCKA_LIBS) -lm
tests_unit_impair_test_ecn_SOURCES = tests/unit/impair/test_ecn.c
tests_unit_impair_test_ecn_LDADD = libimpair.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_impair_test_impair_SOURCES = tests/unit/impair/test_impair.c
tests_unit_impair_test_impair_LDADD = libimpair.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS) -lm
tests_unit_impair_test_rules_SOURCES = tests/unit/impair/test_rules.c
tests_unit_impair_test_rules_LDADD = libimpair.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
