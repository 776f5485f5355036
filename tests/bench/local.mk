# tests/bench: make bench; BENCH_FLAGS="--help" says what can be chosen
bench_programs = tests/bench/null_responder tests/bench/load tests/bench/kernel_server \
	tests/bench/path
EXTRA_PROGRAMS += $(bench_programs)
CLEANFILES += $(bench_programs)
# Takes less than a second, and a record that has grown is a mistake: also a test.
check_PROGRAMS += tests/bench/memory
TESTS += tests/bench/memory
dist_noinst_SCRIPTS += tests/bench/bench.py tests/bench/path.py
tests_bench_null_responder_SOURCES = tests/bench/null_responder.c
tests_bench_null_responder_LDADD = liblink.la libcore.la $(SODIUM_LIBS)
tests_bench_path_SOURCES = tests/bench/path.c
tests_bench_path_LDADD = libimpair.la
tests_bench_load_SOURCES = tests/bench/load.c
tests_bench_load_LDADD =
tests_bench_kernel_server_SOURCES = tests/bench/kernel_server.c
tests_bench_kernel_server_LDADD =
tests_bench_memory_SOURCES = tests/bench/memory.c
tests_bench_memory_LDADD = libcore.la $(SODIUM_LIBS)

bench: all $(bench_programs) tests/bench/memory
	TAPSTACK_BUILDDIR='$(abs_top_builddir)' TAPSTACKD='$(abs_top_builddir)/daemon/tapstackd' \
		$(srcdir)/tests/bench/bench.py $(BENCH_FLAGS)
# The sender over bad paths, beside the kernel's: some minutes.
bench-path: all $(bench_programs)
	TAPSTACK_BUILDDIR='$(abs_top_builddir)' TAPSTACKD='$(abs_top_builddir)/daemon/tapstackd' \
		$(srcdir)/tests/bench/path.py $(BENCH_FLAGS)
.PHONY: bench bench-path
