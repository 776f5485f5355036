# unit tests of daemon/core/wire
wire_tests = \
	tests/unit/wire/test_arp \
	tests/unit/wire/test_checksum \
	tests/unit/wire/test_ethernet \
	tests/unit/wire/test_frame_filter \
	tests/unit/wire/test_icmp \
	tests/unit/wire/test_icmp6 \
	tests/unit/wire/test_ipv4 \
	tests/unit/wire/test_ipv6 \
	tests/unit/wire/test_tcp
check_PROGRAMS += $(wire_tests)
TESTS += $(wire_tests)
EXTRA_DIST += tests/unit/wire/wire_test.h
