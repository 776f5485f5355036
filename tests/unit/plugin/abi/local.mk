# tests/unit/plugin/abi: plugins built with the headers of release 0.1, which are kept here, and what is compared with them
EXTRA_DIST += \
	tests/unit/plugin/abi/0.1/tapstack/congestion.h \
	tests/unit/plugin/abi/0.1/tapstack/logging.h \
	tests/unit/plugin/abi/0.1/tapstack/plugin.h
ABI_SAMPLES = tests/unit/plugin/abi/aimd-old.la tests/unit/plugin/abi/aimd-today.la tests/unit/plugin/abi/lines-old.la
check_LTLIBRARIES += $(ABI_SAMPLES) libabiold.la libabitoday.la
abi_old_cppflags = -I$(top_srcdir)/tests/unit/plugin/abi/0.1

tests_unit_plugin_abi_aimd_old_la_SOURCES = tests/unit/plugin/abi/aimd.c
tests_unit_plugin_abi_aimd_old_la_CPPFLAGS = $(abi_old_cppflags) -DNAME='"aimd-old"'
tests_unit_plugin_abi_aimd_old_la_LDFLAGS = $(PLUGIN_SAMPLES_LINK_FLAGS)
tests_unit_plugin_abi_aimd_today_la_SOURCES = tests/unit/plugin/abi/aimd.c
tests_unit_plugin_abi_aimd_today_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -DNAME='"aimd-today"'
tests_unit_plugin_abi_aimd_today_la_LDFLAGS = $(PLUGIN_SAMPLES_LINK_FLAGS)
tests_unit_plugin_abi_lines_old_la_SOURCES = tests/unit/plugin/abi/lines.c
tests_unit_plugin_abi_lines_old_la_CPPFLAGS = $(abi_old_cppflags) -DNAME='"lines-old"'
tests_unit_plugin_abi_lines_old_la_LDFLAGS = $(PLUGIN_SAMPLES_LINK_FLAGS)

libabiold_la_SOURCES = tests/unit/plugin/abi/layout.c tests/unit/plugin/abi/layout.h tests/unit/plugin/abi/layout.def
libabiold_la_CPPFLAGS = $(abi_old_cppflags) -DLAYOUT=layout_0_1
libabitoday_la_SOURCES = $(libabiold_la_SOURCES)
libabitoday_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -DLAYOUT=layout_today

check_PROGRAMS += tests/unit/plugin/abi/test_abi
TESTS += tests/unit/plugin/abi/test_abi
tests_unit_plugin_abi_test_abi_SOURCES = tests/unit/plugin/abi/test_abi.c
tests_unit_plugin_abi_test_abi_CPPFLAGS = $(AM_CPPFLAGS) -DSAMPLES='"$(abs_top_builddir)/tests/unit/plugin/abi/.libs"'
tests_unit_plugin_abi_test_abi_CFLAGS = $(AM_CFLAGS) -pthread
tests_unit_plugin_abi_test_abi_LDADD = libabiold.la libabitoday.la libsim.la libimpair.la libplugin.la libcore.la \
	$(CMOCKA_LIBS) $(SODIUM_LIBS)
EXTRA_tests_unit_plugin_abi_test_abi_DEPENDENCIES = $(ABI_SAMPLES)
