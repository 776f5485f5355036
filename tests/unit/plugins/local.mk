# unit tests of plugins: each is linked with the plugin it tests
check_PROGRAMS += tests/unit/plugins/test_cubic
TESTS += tests/unit/plugins/test_cubic
tests_unit_plugins_test_cubic_SOURCES = tests/unit/plugins/test_cubic.c plugins/congestion/cubic.c
tests_unit_plugins_test_cubic_LDADD = $(CMOCKA_LIBS) -lm

check_PROGRAMS += tests/unit/plugins/test_newreno
TESTS += tests/unit/plugins/test_newreno
tests_unit_plugins_test_newreno_SOURCES = tests/unit/plugins/test_newreno.c tests/unit/plugins/flow.h plugins/congestion/newreno.c
tests_unit_plugins_test_newreno_LDADD = $(CMOCKA_LIBS)
