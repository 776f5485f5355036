# unit tests of daemon/core/net
net_tests = \
	tests/unit/net/test_fragment \
	tests/unit/net/test_icmp \
	tests/unit/net/test_fragment6 \
	tests/unit/net/test_icmp6 \
	tests/unit/net/test_nd \
	tests/unit/net/test_neighbour \
	tests/unit/net/test_path \
	tests/unit/net/test_ra \
	tests/unit/net/test_unreachable
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
tests_unit_net_test_fragment6_SOURCES = tests/unit/net/test_fragment6.c tests/unit/net/net6_test.h
tests_unit_net_test_fragment6_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_net_test_fragment6_LDADD = libpeer.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_net_test_icmp6_SOURCES = tests/unit/net/test_icmp6.c tests/unit/net/net6_test.h
tests_unit_net_test_icmp6_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_net_test_icmp6_LDADD = libpeer.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_net_test_nd_SOURCES = tests/unit/net/test_nd.c tests/unit/net/net6_test.h
tests_unit_net_test_nd_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_net_test_nd_LDADD = libpeer.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_net_test_ra_SOURCES = tests/unit/net/test_ra.c tests/unit/net/net6_test.h
tests_unit_net_test_ra_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_net_test_ra_LDADD = libpeer.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
