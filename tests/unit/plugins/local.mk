# unit tests of plugins: each is linked with the plugin it tests
check_PROGRAMS += tests/unit/plugins/test_cubic
TESTS += tests/unit/plugins/test_cubic
tests_unit_plugins_test_cubic_SOURCES = tests/unit/plugins/test_cubic.c tests/unit/plugins/flow.h \
	plugins/congestion/cubic.c plugins/congestion/hystart.h
tests_unit_plugins_test_cubic_LDADD = $(CMOCKA_LIBS) -lm

check_PROGRAMS += tests/unit/plugins/test_newreno
TESTS += tests/unit/plugins/test_newreno
tests_unit_plugins_test_newreno_SOURCES = tests/unit/plugins/test_newreno.c tests/unit/plugins/flow.h \
	plugins/congestion/newreno.c
tests_unit_plugins_test_newreno_LDADD = $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/plugins/test_dctcp
TESTS += tests/unit/plugins/test_dctcp
tests_unit_plugins_test_dctcp_SOURCES = tests/unit/plugins/test_dctcp.c tests/unit/plugins/flow.h tests/unit/plugins/marks.h \
	plugins/congestion/dctcp.c
tests_unit_plugins_test_dctcp_LDADD = $(CMOCKA_LIBS) -lm

check_PROGRAMS += tests/unit/plugins/test_ledbat
TESTS += tests/unit/plugins/test_ledbat
tests_unit_plugins_test_ledbat_SOURCES = tests/unit/plugins/test_ledbat.c tests/unit/plugins/flow.h \
	plugins/congestion/ledbat.c
tests_unit_plugins_test_ledbat_LDADD = $(CMOCKA_LIBS) -lm

check_PROGRAMS += tests/unit/plugins/test_prague
TESTS += tests/unit/plugins/test_prague
tests_unit_plugins_test_prague_SOURCES = tests/unit/plugins/test_prague.c tests/unit/plugins/flow.h tests/unit/plugins/marks.h \
	plugins/congestion/prague.c
tests_unit_plugins_test_prague_LDADD = $(CMOCKA_LIBS) -lm

check_PROGRAMS += tests/unit/plugins/test_hystart
TESTS += tests/unit/plugins/test_hystart
tests_unit_plugins_test_hystart_SOURCES = tests/unit/plugins/test_hystart.c tests/unit/plugins/flow.h \
	plugins/congestion/cubic.c plugins/congestion/hystart.h
tests_unit_plugins_test_hystart_LDADD = $(CMOCKA_LIBS) -lm

check_PROGRAMS += tests/unit/plugins/test_bbr tests/unit/plugins/test_bbr_losses
TESTS += tests/unit/plugins/test_bbr tests/unit/plugins/test_bbr_losses
tests_unit_plugins_test_bbr_SOURCES = tests/unit/plugins/test_bbr.c tests/unit/plugins/bbr_flow.h \
	$(plugins_congestion_bbr_la_SOURCES)
tests_unit_plugins_test_bbr_LDADD = $(CMOCKA_LIBS) -lm
tests_unit_plugins_test_bbr_losses_SOURCES = tests/unit/plugins/test_bbr_losses.c tests/unit/plugins/bbr_flow.h \
	$(plugins_congestion_bbr_la_SOURCES)
tests_unit_plugins_test_bbr_losses_LDADD = $(CMOCKA_LIBS) -lm

check_PROGRAMS += tests/unit/plugins/test_vegas
TESTS += tests/unit/plugins/test_vegas
tests_unit_plugins_test_vegas_SOURCES = tests/unit/plugins/test_vegas.c tests/unit/plugins/flow.h \
	plugins/congestion/vegas.c
tests_unit_plugins_test_vegas_LDADD = $(CMOCKA_LIBS)

check_PROGRAMS += tests/unit/plugins/test_pcapng
TESTS += tests/unit/plugins/test_pcapng
tests_unit_plugins_test_pcapng_SOURCES = tests/unit/plugins/test_pcapng.c plugins/logging/pcapng.c \
	plugins/logging/pcapng_comment.c
tests_unit_plugins_test_pcapng_CPPFLAGS = $(INCLUDE_CPPFLAGS) -D_GNU_SOURCE
tests_unit_plugins_test_pcapng_LDADD = $(CMOCKA_LIBS)
