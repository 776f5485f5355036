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
