# unit tests of daemon/core/net
net_tests = \
	tests/unit/net/test_fragment \
	tests/unit/net/test_icmp \
	tests/unit/net/test_unreachable \
	tests/unit/net/test_path \
	tests/unit/net/test_neighbour
check_PROGRAMS += $(net_tests)
TESTS += $(net_tests)
tests_unit_net_test_fragment_SOURCES = tests/unit/net/test_fragment.c tests/unit/net/net_test.h
tests_unit_net_test_fragment_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_net_test_fragment_LDADD = libpeer.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_net_test_icmp_SOURCES = tests/unit/net/test_icmp.c tests/unit/net/net_test.h
tests_unit_net_test_icmp_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_net_test_icmp_LDADD = libpeer.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_net_test_neighbour_SOURCES = tests/unit/net/test_neighbour.c tests/unit/net/net_test.h
tests_unit_net_test_neighbour_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_net_test_neighbour_LDADD = libpeer.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_net_test_unreachable_SOURCES = tests/unit/net/test_unreachable.c tests/unit/net/net_test.h
tests_unit_net_test_unreachable_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_net_test_unreachable_LDADD = libpeer.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_net_test_path_SOURCES = tests/unit/net/test_path.c
tests_unit_net_test_path_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_net_test_path_LDADD = libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
