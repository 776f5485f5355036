# unit tests of daemon/core/tcp
tcp_tests = \
	tests/unit/tcp/test_chrono \
	tests/unit/tcp/test_accecn \
	tests/unit/tcp/test_choice \
	tests/unit/tcp/test_closing \
	tests/unit/tcp/test_compact \
	tests/unit/tcp/test_congestion \
	tests/unit/tcp/test_dialogue \
	tests/unit/tcp/test_ends \
	tests/unit/tcp/test_patience \
	tests/unit/tcp/test_pressure \
	tests/unit/tcp/test_ecn \
	tests/unit/tcp/test_ecn_accurate \
	tests/unit/tcp/test_ecn_negotiation \
	tests/unit/tcp/test_facts \
	tests/unit/tcp/test_fastopen \
	tests/unit/tcp/test_guard \
	tests/unit/tcp/test_handshake \
	tests/unit/tcp/test_info \
	tests/unit/tcp/test_limits \
	tests/unit/tcp/test_mechanisms \
	tests/unit/tcp/test_pacing \
	tests/unit/tcp/test_profile \
	tests/unit/tcp/test_path_mtu \
	tests/unit/tcp/test_rate \
	tests/unit/tcp/test_receive \
	tests/unit/tcp/test_recovery \
	tests/unit/tcp/test_repair \
	tests/unit/tcp/test_reuse \
	tests/unit/tcp/test_rtt \
	tests/unit/tcp/test_samples \
	tests/unit/tcp/test_secrets \
	tests/unit/tcp/test_segments \
	tests/unit/tcp/test_sent \
	tests/unit/tcp/test_shadow \
	tests/unit/tcp/test_state \
	tests/unit/tcp/test_trouble \
	tests/unit/tcp/test_tunables \
	tests/unit/tcp/test_undo \
	tests/unit/tcp/test_urgent \
	tests/unit/tcp/test_validation \
	tests/unit/tcp/test_watch \
	tests/unit/tcp/test_windows
check_PROGRAMS += $(tcp_tests)
TESTS += $(tcp_tests) tests/unit/tcp/over_ipv6.sh
dist_check_SCRIPTS += tests/unit/tcp/over_ipv6.sh
EXTRA_DIST += tests/unit/tcp/algorithms.h tests/unit/tcp/ecn.h tests/unit/tcp/repair.h
