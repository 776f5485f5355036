# unit tests of daemon/core/tcp
noinst_LTLIBRARIES += libpeer.la
libpeer_la_SOURCES = tests/support/peer.c tests/support/peer.h
libpeer_la_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support $(CMOCKA_CFLAGS)

tcp_tests = \
	tests/unit/tcp/test_chrono \
	tests/unit/tcp/test_accecn \
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
	tests/unit/tcp/test_fastopen \
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
	tests/unit/tcp/test_secrets \
	tests/unit/tcp/test_segments \
	tests/unit/tcp/test_sent \
	tests/unit/tcp/test_state \
	tests/unit/tcp/test_trouble \
	tests/unit/tcp/test_tunables \
	tests/unit/tcp/test_undo \
	tests/unit/tcp/test_urgent \
	tests/unit/tcp/test_validation \
	tests/unit/tcp/test_windows
check_PROGRAMS += $(tcp_tests)
TESTS += $(tcp_tests) tests/unit/tcp/over_ipv6.sh
dist_check_SCRIPTS += tests/unit/tcp/over_ipv6.sh
tests_unit_tcp_test_state_SOURCES = tests/unit/tcp/test_state.c
tests_unit_tcp_test_state_LDADD = libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_tcp_test_dialogue_SOURCES = tests/unit/tcp/test_dialogue.c
tests_unit_tcp_test_dialogue_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_tcp_test_dialogue_LDADD = libpeer.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_tcp_test_trouble_SOURCES = tests/unit/tcp/test_trouble.c
tests_unit_tcp_test_trouble_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_tcp_test_trouble_LDADD = libpeer.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_tcp_test_recovery_SOURCES = tests/unit/tcp/test_recovery.c
tests_unit_tcp_test_recovery_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_tcp_test_recovery_LDADD = libpeer.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_tcp_test_handshake_SOURCES = tests/unit/tcp/test_handshake.c
tests_unit_tcp_test_handshake_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_tcp_test_handshake_LDADD = libpeer.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_tcp_test_receive_SOURCES = tests/unit/tcp/test_receive.c
tests_unit_tcp_test_receive_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_tcp_test_receive_LDADD = libpeer.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_tcp_test_closing_SOURCES = tests/unit/tcp/test_closing.c
tests_unit_tcp_test_closing_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_tcp_test_closing_LDADD = libpeer.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_tcp_test_limits_SOURCES = tests/unit/tcp/test_limits.c
tests_unit_tcp_test_limits_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_tcp_test_limits_LDADD = libpeer.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_tcp_test_compact_SOURCES = tests/unit/tcp/test_compact.c
tests_unit_tcp_test_compact_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_tcp_test_compact_LDADD = libpeer.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_tcp_test_windows_SOURCES = tests/unit/tcp/test_windows.c
tests_unit_tcp_test_windows_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_tcp_test_windows_LDADD = libpeer.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_tcp_test_rtt_SOURCES = tests/unit/tcp/test_rtt.c
tests_unit_tcp_test_rtt_LDADD = libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_tcp_test_secrets_SOURCES = tests/unit/tcp/test_secrets.c
tests_unit_tcp_test_secrets_LDADD = libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_tcp_test_sent_SOURCES = tests/unit/tcp/test_sent.c
tests_unit_tcp_test_sent_LDADD = libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_tcp_test_segments_SOURCES = tests/unit/tcp/test_segments.c
tests_unit_tcp_test_segments_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_tcp_test_segments_LDADD = libpeer.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_tcp_test_congestion_SOURCES = tests/unit/tcp/test_congestion.c
tests_unit_tcp_test_congestion_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_tcp_test_congestion_LDADD = libpeer.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_tcp_test_ends_SOURCES = tests/unit/tcp/test_ends.c
tests_unit_tcp_test_ends_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_tcp_test_ends_LDADD = libpeer.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_tcp_test_patience_SOURCES = tests/unit/tcp/test_patience.c
tests_unit_tcp_test_patience_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_tcp_test_patience_LDADD = libpeer.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_tcp_test_profile_SOURCES = tests/unit/tcp/test_profile.c
tests_unit_tcp_test_profile_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_tcp_test_profile_LDADD = libpeer.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_tcp_test_urgent_SOURCES = tests/unit/tcp/test_urgent.c
tests_unit_tcp_test_urgent_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_tcp_test_urgent_LDADD = libpeer.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_tcp_test_path_mtu_SOURCES = tests/unit/tcp/test_path_mtu.c tests/unit/net/net_test.h
tests_unit_tcp_test_path_mtu_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_tcp_test_path_mtu_LDADD = libpeer.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_tcp_test_reuse_SOURCES = tests/unit/tcp/test_reuse.c
tests_unit_tcp_test_reuse_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_tcp_test_reuse_LDADD = libpeer.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_tcp_test_mechanisms_SOURCES = tests/unit/tcp/test_mechanisms.c
tests_unit_tcp_test_mechanisms_LDADD = libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_tcp_test_repair_SOURCES = tests/unit/tcp/test_repair.c tests/unit/tcp/repair.h
tests_unit_tcp_test_repair_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_tcp_test_repair_LDADD = libpeer.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_tcp_test_undo_SOURCES = tests/unit/tcp/test_undo.c tests/unit/tcp/repair.h
tests_unit_tcp_test_undo_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_tcp_test_undo_LDADD = libpeer.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_tcp_test_chrono_SOURCES = tests/unit/tcp/test_chrono.c
tests_unit_tcp_test_chrono_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_tcp_test_chrono_LDADD = libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_tcp_test_info_SOURCES = tests/unit/tcp/test_info.c
tests_unit_tcp_test_info_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_tcp_test_info_LDADD = libpeer.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_tcp_test_accecn_SOURCES = tests/unit/tcp/test_accecn.c
tests_unit_tcp_test_accecn_LDADD = libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_tcp_test_ecn_SOURCES = tests/unit/tcp/test_ecn.c tests/unit/tcp/ecn.h
tests_unit_tcp_test_ecn_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_tcp_test_ecn_LDADD = libpeer.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_tcp_test_ecn_accurate_SOURCES = tests/unit/tcp/test_ecn_accurate.c tests/unit/tcp/ecn.h
tests_unit_tcp_test_ecn_accurate_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_tcp_test_ecn_accurate_LDADD = libpeer.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_tcp_test_ecn_negotiation_SOURCES = tests/unit/tcp/test_ecn_negotiation.c tests/unit/tcp/ecn.h
tests_unit_tcp_test_ecn_negotiation_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_tcp_test_ecn_negotiation_LDADD = libpeer.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_tcp_test_fastopen_SOURCES = tests/unit/tcp/test_fastopen.c
tests_unit_tcp_test_fastopen_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_tcp_test_fastopen_LDADD = libpeer.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_tcp_test_pressure_SOURCES = tests/unit/tcp/test_pressure.c
tests_unit_tcp_test_pressure_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_tcp_test_pressure_LDADD = libpeer.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_tcp_test_rate_SOURCES = tests/unit/tcp/test_rate.c
tests_unit_tcp_test_rate_LDADD = libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_tcp_test_pacing_SOURCES = tests/unit/tcp/test_pacing.c
tests_unit_tcp_test_pacing_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_tcp_test_pacing_LDADD = libpeer.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_tcp_test_tunables_SOURCES = tests/unit/tcp/test_tunables.c
tests_unit_tcp_test_tunables_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_tcp_test_tunables_LDADD = libpeer.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_tcp_test_validation_SOURCES = tests/unit/tcp/test_validation.c
tests_unit_tcp_test_validation_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/tests/support
tests_unit_tcp_test_validation_LDADD = libpeer.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
