# unit tests of daemon/plugin, with plugins that are wrong in one way each
PLUGIN_SAMPLES_LINK_FLAGS = -module -avoid-version -shared -rpath /nowhere
PLUGIN_SAMPLES = \
	tests/unit/plugin/good.la \
	tests/unit/plugin/older.la \
	tests/unit/plugin/nosymbol.la \
	tests/unit/plugin/magic.la \
	tests/unit/plugin/newer.la \
	tests/unit/plugin/short.la \
	tests/unit/plugin/shortops.la \
	tests/unit/plugin/noack.la \
	tests/unit/plugin/bigstate.la \
	tests/unit/plugin/badparam.la \
	tests/unit/plugin/twice.la \
	tests/unit/plugin/noversion.la \
	tests/unit/plugin/unresolved.la \
	tests/unit/plugin/sink.la \
	tests/unit/plugin/longops.la \
	tests/unit/plugin/longhead.la \
	tests/unit/plugin/badswitch.la \
	tests/unit/plugin/quantities.la \
	tests/unit/plugin/badkind.la \
	tests/unit/plugin/badoutput.la \
	tests/unit/plugin/nodelete.la \
	tests/unit/plugin/second.la
check_LTLIBRARIES += $(PLUGIN_SAMPLES)

tests_unit_plugin_good_la_SOURCES = tests/unit/plugin/sample.c
tests_unit_plugin_good_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -DNAME='"good"'
tests_unit_plugin_good_la_LDFLAGS = $(PLUGIN_SAMPLES_LINK_FLAGS)
tests_unit_plugin_older_la_SOURCES = tests/unit/plugin/sample.c
tests_unit_plugin_older_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -DNAME='"older"' -DVARIANT_OLDER
tests_unit_plugin_older_la_LDFLAGS = $(PLUGIN_SAMPLES_LINK_FLAGS)
tests_unit_plugin_nosymbol_la_SOURCES = tests/unit/plugin/sample.c
tests_unit_plugin_nosymbol_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -DNAME='"nosymbol"' -DVARIANT_NO_SYMBOL
tests_unit_plugin_nosymbol_la_LDFLAGS = $(PLUGIN_SAMPLES_LINK_FLAGS)
tests_unit_plugin_magic_la_SOURCES = tests/unit/plugin/sample.c
tests_unit_plugin_magic_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -DNAME='"magic"' -DVARIANT_MAGIC
tests_unit_plugin_magic_la_LDFLAGS = $(PLUGIN_SAMPLES_LINK_FLAGS)
tests_unit_plugin_newer_la_SOURCES = tests/unit/plugin/sample.c
tests_unit_plugin_newer_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -DNAME='"newer"' -DVARIANT_NEWER
tests_unit_plugin_newer_la_LDFLAGS = $(PLUGIN_SAMPLES_LINK_FLAGS)
tests_unit_plugin_short_la_SOURCES = tests/unit/plugin/sample.c
tests_unit_plugin_short_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -DNAME='"short"' -DVARIANT_SHORT
tests_unit_plugin_short_la_LDFLAGS = $(PLUGIN_SAMPLES_LINK_FLAGS)
tests_unit_plugin_shortops_la_SOURCES = tests/unit/plugin/sample.c
tests_unit_plugin_shortops_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -DNAME='"shortops"' -DVARIANT_SHORT_OPS
tests_unit_plugin_shortops_la_LDFLAGS = $(PLUGIN_SAMPLES_LINK_FLAGS)
tests_unit_plugin_noack_la_SOURCES = tests/unit/plugin/sample.c
tests_unit_plugin_noack_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -DNAME='"noack"' -DVARIANT_NO_ON_ACK
tests_unit_plugin_noack_la_LDFLAGS = $(PLUGIN_SAMPLES_LINK_FLAGS)
tests_unit_plugin_bigstate_la_SOURCES = tests/unit/plugin/sample.c
tests_unit_plugin_bigstate_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -DNAME='"bigstate"' -DVARIANT_BIG_STATE
tests_unit_plugin_bigstate_la_LDFLAGS = $(PLUGIN_SAMPLES_LINK_FLAGS)
tests_unit_plugin_badparam_la_SOURCES = tests/unit/plugin/sample.c
tests_unit_plugin_badparam_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -DNAME='"badparam"' -DVARIANT_BAD_PARAM
tests_unit_plugin_badparam_la_LDFLAGS = $(PLUGIN_SAMPLES_LINK_FLAGS)
tests_unit_plugin_twice_la_SOURCES = tests/unit/plugin/sample.c
tests_unit_plugin_twice_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -DNAME='"twice"' -DVARIANT_TWICE
tests_unit_plugin_twice_la_LDFLAGS = $(PLUGIN_SAMPLES_LINK_FLAGS)
tests_unit_plugin_noversion_la_SOURCES = tests/unit/plugin/sample.c
tests_unit_plugin_noversion_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -DNAME='"noversion"' -DVARIANT_NO_VERSION
tests_unit_plugin_noversion_la_LDFLAGS = $(PLUGIN_SAMPLES_LINK_FLAGS)
tests_unit_plugin_unresolved_la_SOURCES = tests/unit/plugin/sample.c
tests_unit_plugin_unresolved_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -DNAME='"unresolved"' -DVARIANT_UNRESOLVED
tests_unit_plugin_unresolved_la_LDFLAGS = $(PLUGIN_SAMPLES_LINK_FLAGS)
tests_unit_plugin_sink_la_SOURCES = tests/unit/plugin/sample.c
tests_unit_plugin_sink_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -DNAME='"sink"' -DVARIANT_LOGGING
tests_unit_plugin_sink_la_LDFLAGS = $(PLUGIN_SAMPLES_LINK_FLAGS)
tests_unit_plugin_longops_la_SOURCES = tests/unit/plugin/sample.c
tests_unit_plugin_longops_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -DNAME='"longops"' -DMORE_OPS=8
tests_unit_plugin_longops_la_LDFLAGS = $(PLUGIN_SAMPLES_LINK_FLAGS)
tests_unit_plugin_longhead_la_SOURCES = tests/unit/plugin/sample.c
tests_unit_plugin_longhead_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -DNAME='"longhead"' -DMORE_HEAD=8
tests_unit_plugin_longhead_la_LDFLAGS = $(PLUGIN_SAMPLES_LINK_FLAGS)
tests_unit_plugin_badswitch_la_SOURCES = tests/unit/plugin/sample.c
tests_unit_plugin_badswitch_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -DNAME='"badswitch"' -DVARIANT_QUANTITIES -DSWITCH_INITIAL=0.5
tests_unit_plugin_badswitch_la_LDFLAGS = $(PLUGIN_SAMPLES_LINK_FLAGS)
tests_unit_plugin_quantities_la_SOURCES = tests/unit/plugin/sample.c
tests_unit_plugin_quantities_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -DNAME='"quantities"' -DVARIANT_QUANTITIES
tests_unit_plugin_quantities_la_LDFLAGS = $(PLUGIN_SAMPLES_LINK_FLAGS)
tests_unit_plugin_badkind_la_SOURCES = tests/unit/plugin/sample.c
tests_unit_plugin_badkind_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -DNAME='"badkind"' -DKIND=77
tests_unit_plugin_badkind_la_LDFLAGS = $(PLUGIN_SAMPLES_LINK_FLAGS)
tests_unit_plugin_badoutput_la_SOURCES = tests/unit/plugin/sample.c
tests_unit_plugin_badoutput_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -DNAME='"badoutput"' -DVARIANT_BAD_OUTPUT
tests_unit_plugin_badoutput_la_LDFLAGS = $(PLUGIN_SAMPLES_LINK_FLAGS)
tests_unit_plugin_nodelete_la_SOURCES = tests/unit/plugin/sample.c
tests_unit_plugin_nodelete_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -DNAME='"nodelete"'
tests_unit_plugin_nodelete_la_LDFLAGS = $(PLUGIN_SAMPLES_LINK_FLAGS) -Wl,-z,nodelete
tests_unit_plugin_second_la_SOURCES = tests/unit/plugin/sample.c
tests_unit_plugin_second_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -DNAME='"good"' -DVERSION='"2"'
tests_unit_plugin_second_la_LDFLAGS = $(PLUGIN_SAMPLES_LINK_FLAGS)

PLUGIN_TESTS = \
	tests/unit/plugin/test_change \
	tests/unit/plugin/test_packets \
	tests/unit/plugin/test_registry
check_PROGRAMS += $(PLUGIN_TESTS)
TESTS += $(PLUGIN_TESTS)
PLUGIN_TEST_CPPFLAGS = $(AM_CPPFLAGS) -DSAMPLES='"$(abs_top_builddir)/tests/unit/plugin/.libs"'
PLUGIN_TEST_LIBS = libplugin.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
tests_unit_plugin_test_change_SOURCES = \
	tests/unit/plugin/test_change.c tests/unit/plugin/fixture.c tests/unit/plugin/fixture.h
tests_unit_plugin_test_change_CPPFLAGS = $(PLUGIN_TEST_CPPFLAGS)
tests_unit_plugin_test_change_CFLAGS = $(AM_CFLAGS) -pthread
tests_unit_plugin_test_change_LDADD = $(PLUGIN_TEST_LIBS)
EXTRA_tests_unit_plugin_test_change_DEPENDENCIES = $(PLUGIN_SAMPLES)
tests_unit_plugin_test_packets_SOURCES = \
	tests/unit/plugin/test_packets.c tests/unit/plugin/fixture.c tests/unit/plugin/fixture.h
tests_unit_plugin_test_packets_CPPFLAGS = $(PLUGIN_TEST_CPPFLAGS)
tests_unit_plugin_test_packets_CFLAGS = $(AM_CFLAGS) -pthread
tests_unit_plugin_test_packets_LDADD = $(PLUGIN_TEST_LIBS)
EXTRA_tests_unit_plugin_test_packets_DEPENDENCIES = $(PLUGIN_SAMPLES)
tests_unit_plugin_test_registry_SOURCES = \
	tests/unit/plugin/test_registry.c tests/unit/plugin/fixture.c tests/unit/plugin/fixture.h
tests_unit_plugin_test_registry_CPPFLAGS = $(PLUGIN_TEST_CPPFLAGS)
tests_unit_plugin_test_registry_CFLAGS = $(AM_CFLAGS) -pthread
tests_unit_plugin_test_registry_LDADD = $(PLUGIN_TEST_LIBS)
EXTRA_tests_unit_plugin_test_registry_DEPENDENCIES = $(PLUGIN_SAMPLES)
