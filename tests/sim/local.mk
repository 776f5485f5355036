# tests/sim: hosts and network on virtual time
noinst_LTLIBRARIES += libsim.la
libsim_la_SOURCES = \
	tests/sim/build.c \
	tests/sim/fickle.c tests/sim/fickle.h \
	tests/sim/host.c tests/sim/host.h \
	tests/sim/inside.c tests/sim/inside.h \
	tests/sim/middlebox.c \
	tests/sim/network.c tests/sim/network.h \
	tests/sim/packet.c tests/sim/packet.h \
	tests/sim/router.c \
	tests/sim/service.c tests/sim/service.h \
	tests/sim/sim.c tests/sim/sim.h \
	tests/sim/spans.h \
	tests/sim/transfer.c tests/sim/transfer.h \
	tests/sim/wire.c tests/sim/wire.h \
	tests/sim/world.c tests/sim/world.h \
	tests/support/watch.h
check_PROGRAMS += tests/sim/test_sim
TESTS += tests/sim/test_sim
tests_sim_test_sim_SOURCES = tests/sim/test_sim.c
tests_sim_test_sim_LDADD = libsim.la libimpair.la libcore.la $(SODIUM_LIBS)

# More of it, where there is time: `make soak`; a minute or two, ten with sanitizers.
soak: soak-sim
soak-sim: tests/sim/test_sim
	tests/sim/test_sim -n 10000
.PHONY: soak soak-sim

# The table of goodput: exact, see the head of test_goodput.c.
check_PROGRAMS += tests/sim/test_goodput
TESTS += tests/sim/test_goodput
tests_sim_test_goodput_SOURCES = tests/sim/test_goodput.c plugins/congestion/cubic.c
tests_sim_test_goodput_LDADD = libsim.la libimpair.la libcore.la $(SODIUM_LIBS) -lm
EXTRA_DIST += tests/sim/goodput.txt

# Paths with an MTU that is not what the first hop suggests.
check_PROGRAMS += tests/sim/test_paths
TESTS += tests/sim/test_paths
tests_sim_test_paths_SOURCES = tests/sim/test_paths.c
tests_sim_test_paths_LDADD = libsim.la libimpair.la libcore.la $(SODIUM_LIBS)

# One kind of trouble at a time: repaired without time-outs, and at no cost where nothing was lost.
check_PROGRAMS += tests/sim/test_losses
TESTS += tests/sim/test_losses
tests_sim_test_losses_SOURCES = tests/sim/test_losses.c
tests_sim_test_losses_LDADD = libsim.la libimpair.la libcore.la $(SODIUM_LIBS)

# Congestion algorithms that are wrong.
check_PROGRAMS += tests/sim/test_offenders
TESTS += tests/sim/test_offenders
tests_sim_test_offenders_SOURCES = tests/sim/test_offenders.c
tests_sim_test_offenders_LDADD = libsim.la libimpair.la libcore.la $(SODIUM_LIBS)

# Congestion algorithms, as the plugins that they are: NAME has tests/sim/test_NAME.c, a line in contest_tests, and its
# _SOURCES and _LDADD below.
check_LTLIBRARIES += libcontest.la
libcontest_la_SOURCES = \
	tests/sim/contest.c tests/sim/contest.h tests/sim/contest_inside.h \
	tests/sim/contest_results.c \
	tests/sim/contest_tap.c
libcontest_la_LIBADD = libsim.la libimpair.la libcore.la $(SODIUM_LIBS) -ldl -lm
# They are loaded, not linked: each has the same symbol.
libcontest_la_DEPENDENCIES = libsim.la libimpair.la libcore.la $(filter plugins/congestion/%,$(pkglib_LTLIBRARIES))
contest_tests = \
	tests/sim/test_bbr \
	tests/sim/test_contest \
	tests/sim/test_cubic \
	tests/sim/test_dctcp \
	tests/sim/test_fairness \
	tests/sim/test_ledbat \
	tests/sim/test_newreno \
	tests/sim/test_prague \
	tests/sim/test_vegas
contest_ldadd = libcontest.la $(CMOCKA_LIBS)
check_PROGRAMS += $(contest_tests)
TESTS += $(contest_tests)
tests_sim_test_bbr_SOURCES = tests/sim/test_bbr.c
tests_sim_test_bbr_LDADD = $(contest_ldadd)
tests_sim_test_contest_SOURCES = tests/sim/test_contest.c
tests_sim_test_contest_LDADD = $(contest_ldadd)
tests_sim_test_cubic_SOURCES = tests/sim/test_cubic.c
tests_sim_test_cubic_LDADD = $(contest_ldadd)
EXTRA_DIST += tests/sim/curves/cubic.txt tests/sim/curves/cubic-hystart.txt
tests_sim_test_dctcp_SOURCES = tests/sim/test_dctcp.c
tests_sim_test_dctcp_LDADD = $(contest_ldadd)
tests_sim_test_ledbat_SOURCES = tests/sim/test_ledbat.c
tests_sim_test_ledbat_LDADD = $(contest_ldadd)
tests_sim_test_prague_SOURCES = tests/sim/test_prague.c
tests_sim_test_prague_LDADD = $(contest_ldadd)
EXTRA_DIST += tests/sim/curves/dctcp.txt tests/sim/curves/ledbat.txt tests/sim/curves/prague.txt
tests_sim_test_vegas_SOURCES = tests/sim/test_vegas.c
tests_sim_test_vegas_LDADD = $(contest_ldadd)
EXTRA_DIST += tests/sim/curves/vegas.txt
tests_sim_test_fairness_SOURCES = tests/sim/test_fairness.c
tests_sim_test_fairness_LDADD = $(contest_ldadd)
tests_sim_test_newreno_SOURCES = tests/sim/test_newreno.c
tests_sim_test_newreno_LDADD = $(contest_ldadd)
EXTRA_DIST += tests/sim/curves/reno.txt tests/sim/curves/newreno.txt
EXTRA_DIST += tests/sim/curves/bbr.txt

# All algorithms over a grid of paths: some minutes. BENCH_CONGESTION_FLAGS=-h says what can be chosen.
check_PROGRAMS += tests/sim/bench_congestion
tests_sim_bench_congestion_SOURCES = \
	tests/sim/bench_congestion.c tests/sim/bench_congestion.h \
	tests/sim/bench_curves.c \
	tests/sim/bench_tables.c \
	tests/sim/chart.c tests/sim/chart.h
tests_sim_bench_congestion_LDADD = libcontest.la -lm
dist_check_SCRIPTS += tests/sim/bench_smoke.sh
TESTS += tests/sim/bench_smoke.sh
bench-congestion: all tests/sim/bench_congestion
	TAPSTACK_BUILDDIR=$(abs_top_builddir) tests/sim/bench_congestion $(BENCH_CONGESTION_FLAGS)
.PHONY: bench-congestion
