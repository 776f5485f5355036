# unit tests of daemon/services
services_test_support = tests/support/fake_stack.h tests/support/fake_stack.c \
	tests/support/fake_log.h tests/support/fake_log.c
services_test_cppflags = $(AM_CPPFLAGS) -I$(top_srcdir)/tests
services_test_ldadd = libservices.la $(LIBEVENT_LIBS) $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/services/test_simple tests/unit/services/test_target
TESTS += tests/unit/services/test_simple tests/unit/services/test_target

tests_unit_services_test_simple_SOURCES = tests/unit/services/test_simple.c $(services_test_support)
tests_unit_services_test_simple_CPPFLAGS = $(services_test_cppflags)
tests_unit_services_test_simple_LDADD = $(services_test_ldadd)

tests_unit_services_test_target_SOURCES = tests/unit/services/test_target.c $(services_test_support)
tests_unit_services_test_target_CPPFLAGS = $(services_test_cppflags)
tests_unit_services_test_target_LDADD = $(services_test_ldadd)
