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
EXTRA_DIST += tests/unit/net/net6_test.h tests/unit/net/net_test.h
