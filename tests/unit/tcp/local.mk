# unit tests of daemon/core/tcp
tcp_tests = \
	tests/unit/tcp/test_state
check_PROGRAMS += $(tcp_tests)
TESTS += $(tcp_tests)
tests_unit_tcp_test_state_SOURCES = tests/unit/tcp/test_state.c
tests_unit_tcp_test_state_LDADD = libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
