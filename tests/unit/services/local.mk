# unit tests of daemon/services
services_test_support = tests/support/fake_stack.h tests/support/fake_stack.c tests/support/pattern.h \
	tests/support/fake_log.h tests/support/fake_log.c daemon/core/tcp/state.c
relay_test_support = tests/unit/services/relay_fixture.h tests/unit/services/relay_fixture.c \
	tests/support/namespace.h tests/support/namespace.c
services_test_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
services_test_ldadd = libservices.la $(LIBEVENT_LIBS) $(CMOCKA_LIBS)

services_tests = tests/unit/services/test_simple tests/unit/services/test_target \
	tests/unit/services/test_relay tests/unit/services/test_relay_fail \
	tests/unit/services/test_status_http tests/unit/services/test_two_stacks
check_PROGRAMS += $(services_tests)
TESTS += $(services_tests)

tests_unit_services_test_simple_SOURCES = tests/unit/services/test_simple.c $(services_test_support)
tests_unit_services_test_simple_CPPFLAGS = $(services_test_cppflags)
tests_unit_services_test_simple_LDADD = $(services_test_ldadd)

tests_unit_services_test_target_SOURCES = tests/unit/services/test_target.c $(services_test_support)
tests_unit_services_test_target_CPPFLAGS = $(services_test_cppflags)
tests_unit_services_test_target_LDADD = $(services_test_ldadd)

tests_unit_services_test_relay_SOURCES = tests/unit/services/test_relay.c \
	$(relay_test_support) $(services_test_support)
tests_unit_services_test_relay_CPPFLAGS = $(services_test_cppflags)
tests_unit_services_test_relay_LDADD = $(services_test_ldadd)

tests_unit_services_test_relay_fail_SOURCES = tests/unit/services/test_relay_fail.c \
	$(relay_test_support) $(services_test_support)
tests_unit_services_test_relay_fail_CPPFLAGS = $(services_test_cppflags)
tests_unit_services_test_relay_fail_LDADD = $(services_test_ldadd)

tests_unit_services_test_status_http_SOURCES = tests/unit/services/test_status_http.c \
	tests/support/fake_shards.h tests/support/fake_shards.c
tests_unit_services_test_status_http_CPPFLAGS = $(services_test_cppflags)
tests_unit_services_test_status_http_LDADD = libservices.la libshard.la libimpair.la libcore.la $(LIBEVENT_LIBS) \
	$(JANSSON_LIBS) $(SODIUM_LIBS) $(CMOCKA_LIBS)

tests_unit_services_test_two_stacks_SOURCES = tests/unit/services/test_two_stacks.c \
	tests/support/fake_log.h tests/support/fake_log.c tests/support/pattern.h tests/support/test_memory.h \
	tests/support/namespace.h tests/support/namespace.c
tests_unit_services_test_two_stacks_CPPFLAGS = $(services_test_cppflags)
tests_unit_services_test_two_stacks_LDADD = libservices.la libcore.la $(LIBEVENT_LIBS) $(SODIUM_LIBS) $(CMOCKA_LIBS)
