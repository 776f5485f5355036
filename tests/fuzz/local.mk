# tests/fuzz: each target with the standalone driver, by any compiler, and with libFuzzer where clang has it
fuzz_driver = tests/fuzz/standalone.c tests/fuzz/fuzz.h tests/support/test_random.h
fuzz_targets = \
	tests/fuzz/fuzz_wire \
	tests/fuzz/fuzz_config \
	tests/fuzz/fuzz_control
check_PROGRAMS += $(fuzz_targets)
TESTS += $(fuzz_targets) tests/fuzz/libfuzzer.sh
dist_check_SCRIPTS += tests/fuzz/libfuzzer.sh
tests_fuzz_fuzz_wire_SOURCES = tests/fuzz/fuzz_wire.c $(fuzz_driver)
tests_fuzz_fuzz_wire_LDADD = libcore.la $(SODIUM_LIBS)
tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz_config.c $(fuzz_driver)
tests_fuzz_fuzz_config_LDADD = libtapconfig.la
tests_fuzz_fuzz_control_SOURCES = tests/fuzz/fuzz_control.c $(fuzz_driver)
tests_fuzz_fuzz_control_LDADD = libcontrol.la $(JANSSON_LIBS)
