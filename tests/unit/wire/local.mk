# unit tests of daemon/core/wire
wire_tests = \
	tests/unit/wire/test_arp \
	tests/unit/wire/test_checksum \
	tests/unit/wire/test_ethernet \
	tests/unit/wire/test_icmp \
	tests/unit/wire/test_icmp6 \
	tests/unit/wire/test_ipv4 \
	tests/unit/wire/test_ipv6 \
	tests/unit/wire/test_tcp
check_PROGRAMS += $(wire_tests)
TESTS += $(wire_tests)
tests_unit_wire_test_arp_SOURCES = tests/unit/wire/test_arp.c tests/unit/wire/wire_test.h
tests_unit_wire_test_arp_LDADD = libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_wire_test_checksum_SOURCES = tests/unit/wire/test_checksum.c tests/unit/wire/wire_test.h
tests_unit_wire_test_checksum_LDADD = libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_wire_test_ethernet_SOURCES = tests/unit/wire/test_ethernet.c tests/unit/wire/wire_test.h
tests_unit_wire_test_ethernet_LDADD = libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_wire_test_icmp_SOURCES = tests/unit/wire/test_icmp.c tests/unit/wire/wire_test.h
tests_unit_wire_test_icmp_LDADD = libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_wire_test_ipv4_SOURCES = tests/unit/wire/test_ipv4.c tests/unit/wire/wire_test.h
tests_unit_wire_test_ipv4_LDADD = libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_wire_test_tcp_SOURCES = tests/unit/wire/test_tcp.c tests/unit/wire/wire_test.h
tests_unit_wire_test_tcp_LDADD = libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_wire_test_icmp6_SOURCES = tests/unit/wire/test_icmp6.c tests/unit/wire/wire_test.h
tests_unit_wire_test_icmp6_LDADD = libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_wire_test_ipv6_SOURCES = tests/unit/wire/test_ipv6.c tests/unit/wire/wire_test.h
tests_unit_wire_test_ipv6_LDADD = libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
