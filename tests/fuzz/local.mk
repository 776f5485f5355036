# tests/fuzz: each target with the standalone driver, by any compiler, and with libFuzzer where clang has it
fuzz_driver = tests/fuzz/standalone.c tests/fuzz/fuzz.h tests/support/test_random.h
fuzz_targets = \
	tests/fuzz/fuzz_wire \
	tests/fuzz/fuzz_stack \
	tests/fuzz/fuzz_dialogue \
	tests/fuzz/fuzz_fragments \
	tests/fuzz/fuzz_nd \
	tests/fuzz/fuzz_options \
	tests/fuzz/fuzz_impair \
	tests/fuzz/fuzz_config \
	tests/fuzz/fuzz_control
check_PROGRAMS += $(fuzz_targets)
TESTS += $(fuzz_targets) tests/fuzz/libfuzzer.sh
dist_check_SCRIPTS += tests/fuzz/libfuzzer.sh
tests_fuzz_fuzz_wire_SOURCES = tests/fuzz/fuzz_wire.c $(fuzz_driver)
tests_fuzz_fuzz_wire_LDADD = libcore.la $(SODIUM_LIBS)
tests_fuzz_fuzz_impair_SOURCES = tests/fuzz/fuzz_impair.c $(fuzz_driver)
tests_fuzz_fuzz_impair_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_RUNS=20000
tests_fuzz_fuzz_impair_LDADD = libimpair.la libcore.la $(SODIUM_LIBS)
tests_fuzz_fuzz_config_SOURCES = tests/fuzz/fuzz_config.c $(fuzz_driver)
tests_fuzz_fuzz_config_LDADD = libtapconfig.la libcore.la
tests_fuzz_fuzz_control_SOURCES = tests/fuzz/fuzz_control.c $(fuzz_driver)
tests_fuzz_fuzz_control_LDADD = libcontrol.la $(JANSSON_LIBS)
tests_fuzz_fuzz_options_SOURCES = tests/fuzz/fuzz_options.c tests/fuzz/program.h $(fuzz_driver)
tests_fuzz_fuzz_options_LDADD = libcore.la $(SODIUM_LIBS)
fuzz_rig = tests/fuzz/rig.h tests/fuzz/program.h tests/support/test_memory.h tests/support/watch.h
tests_fuzz_fuzz_stack_SOURCES = tests/fuzz/fuzz_stack.c $(fuzz_rig) $(fuzz_driver)
tests_fuzz_fuzz_stack_LDADD = libcore.la $(SODIUM_LIBS)
# Each input is a dialogue of some hundred steps: fewer of them.
tests_fuzz_fuzz_dialogue_SOURCES = tests/fuzz/fuzz_dialogue.c tests/fuzz/judge.h tests/fuzz/tunables.h \
	tests/sim/fickle.c tests/sim/fickle.h \
	$(fuzz_rig) $(fuzz_driver)
tests_fuzz_fuzz_dialogue_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_RUNS=20000
tests_fuzz_fuzz_dialogue_LDADD = libcore.la $(SODIUM_LIBS)
tests_fuzz_fuzz_fragments_SOURCES = tests/fuzz/fuzz_fragments.c $(fuzz_rig) $(fuzz_driver)
tests_fuzz_fuzz_fragments_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_RUNS=20000
tests_fuzz_fuzz_fragments_LDADD = libcore.la $(SODIUM_LIBS)
tests_fuzz_fuzz_nd_SOURCES = tests/fuzz/fuzz_nd.c $(fuzz_rig) $(fuzz_driver)
tests_fuzz_fuzz_nd_CPPFLAGS = $(AM_CPPFLAGS) -DFUZZ_RUNS=20000
tests_fuzz_fuzz_nd_LDADD = libcore.la $(SODIUM_LIBS)

# Inputs that reach what random ones seldom do, chosen by libFuzzer (-merge=1) for their coverage.
EXTRA_DIST += tests/fuzz/corpus

# Each for so many seconds; about twenty frames to an input of fuzz_stack, some hundred steps to one of the dialogues.
# A seed that fails is on the first line of the target's output.
SOAK_SECONDS = 600
soak: soak-fuzz
soak-fuzz: export TAPSTACK_SRCDIR = $(abs_top_srcdir)
soak-fuzz: $(fuzz_targets)
	set -e; for target in $(fuzz_targets); do $$target -runs=1000000000 -max_total_time=$(SOAK_SECONDS); done
.PHONY: soak-fuzz
