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
	tests/unit/plugin/sink.la
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

check_PROGRAMS += tests/unit/plugin/test_registry
TESTS += tests/unit/plugin/test_registry
tests_unit_plugin_test_registry_SOURCES = tests/unit/plugin/test_registry.c
tests_unit_plugin_test_registry_CPPFLAGS = $(AM_CPPFLAGS) -DSAMPLES='"$(abs_top_builddir)/tests/unit/plugin/.libs"'
tests_unit_plugin_test_registry_CFLAGS = $(AM_CFLAGS) -pthread
tests_unit_plugin_test_registry_LDADD = libplugin.la libcore.la $(CMOCKA_LIBS) $(SODIUM_LIBS)
EXTRA_tests_unit_plugin_test_registry_DEPENDENCIES = $(PLUGIN_SAMPLES)
