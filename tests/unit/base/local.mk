# unit tests of daemon/core/base
base_tests = \
	tests/unit/base/test_block \
	tests/unit/base/test_pool \
	tests/unit/base/test_random \
	tests/unit/base/test_ranges \
	tests/unit/base/test_strip \
	tests/unit/base/test_wheel
check_PROGRAMS += $(base_tests)
TESTS += $(base_tests)
tests_unit_base_test_block_SOURCES = tests/unit/base/test_block.c
tests_unit_base_test_block_LDADD = libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_base_test_pool_SOURCES = tests/unit/base/test_pool.c
tests_unit_base_test_pool_LDADD = libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_base_test_random_SOURCES = tests/unit/base/test_random.c
tests_unit_base_test_random_LDADD = libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_base_test_ranges_SOURCES = tests/unit/base/test_ranges.c
tests_unit_base_test_ranges_LDADD = libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_base_test_strip_SOURCES = tests/unit/base/test_strip.c
tests_unit_base_test_strip_LDADD = libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_base_test_wheel_SOURCES = tests/unit/base/test_wheel.c
tests_unit_base_test_wheel_LDADD = libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
