# tests/live: the built daemon in a network namespace, against the kernel's TCP, real clients, and a peer made by hand
# TAPSTACK_LIVE_BYTES=N sizes the bulk transfers (1 GiB), TAPSTACK_LIVE_SEED=N repeats what was random. The heads of the
# tests name what else there is.
if POSTGRESQL
POSTGRESQL_TESTS = tests/live/test_postgresql.py
endif
LIVE_TESTS = \
	tests/live/test_attack.py \
	tests/live/test_capture.py \
	tests/live/test_choice.py \
	tests/live/test_crash.py \
	tests/live/test_daemon.py \
	tests/live/test_demo.py \
	tests/live/test_differential.py \
	tests/live/test_echo.py \
	tests/live/test_example.py \
	tests/live/test_guard.py \
	tests/live/test_http.py \
	tests/live/test_impair.py \
	tests/live/test_interop.py \
	tests/live/test_link.py \
	tests/live/test_logging.py \
	tests/live/test_nmap.py \
	tests/live/test_pcapng.py \
	tests/live/test_plugins.py \
	$(POSTGRESQL_TESTS) \
	tests/live/test_relay.py \
	tests/live/test_reset.py \
	tests/live/test_shards.py \
	tests/live/test_silence.py \
	tests/live/test_usage.py \
	tests/live/over_ipv6.sh
dist_check_SCRIPTS += $(LIVE_TESTS)

check_LTLIBRARIES += tests/live/offender.la
tests_live_offender_la_SOURCES = tests/live/offender.c
tests_live_offender_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
tests_live_offender_la_LDFLAGS = $(PLUGIN_SAMPLES_LINK_FLAGS)

TESTS += $(LIVE_TESTS)
EXTRA_DIST += \
	tests/live/attacker.py \
	tests/live/capture.py \
	tests/live/differential.py \
	tests/live/frames.py \
	tests/live/harness.py \
	tests/live/path.py \
	tests/live/peer.py \
	tests/live/record.py \
	tests/live/traffic.py

# More of what is random, longer attacks, larger transfers: `make soak`.
soak: soak-live
soak-live: CHECK_SEED = $(strip $(shell od -An -N3 -tu4 /dev/urandom))
soak-live: all
	$(AM_TESTS_ENVIRONMENT) TAPSTACK_LIVE_SCRIPTS=20000 $(srcdir)/tests/live/test_differential.py
	$(AM_TESTS_ENVIRONMENT) TAPSTACK_LIVE_ATTACK=10 $(srcdir)/tests/live/test_attack.py
	$(AM_TESTS_ENVIRONMENT) TAPSTACK_LIVE_CAPTURED_BYTES=33554432 $(srcdir)/tests/live/test_capture.py
	$(AM_TESTS_ENVIRONMENT) TAPSTACK_LIVE_RUNS=20 $(srcdir)/tests/live/test_nmap.py
.PHONY: soak-live
