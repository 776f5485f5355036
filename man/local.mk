# man: the manual pages, each printed by a small program from the tables of the program it describes
noinst_PROGRAMS += man/page_tapstackctl man/page_tapstackd man/page_config man/page_plugin
man_page_tapstackctl_SOURCES = man/page_tapstackctl.c man/roff.c man/roff.h
man_page_tapstackctl_CPPFLAGS = $(AM_CPPFLAGS) -I$(top_srcdir)/ctl
man_page_tapstackctl_LDADD = libctl.la $(JANSSON_LIBS) $(SQLITE_LIBS)
man_page_tapstackd_SOURCES = man/page_tapstackd.c man/roff.c man/roff.h daemon/main_options.c daemon/main_options.h
man_page_tapstackd_LDADD =
man_page_config_SOURCES = man/page_config.c man/roff.c man/roff.h
man_page_config_LDADD = libtapconfig.la libcore.la

man_page_plugin_SOURCES = man/page_plugin.c man/roff.c man/roff.h
man_page_plugin_LDADD = -ldl

man1_MANS = man/tapstackctl.1
man5_MANS = man/tapstack.yaml.5
man7_MANS = man/tapstack-plugin.7
man8_MANS = man/tapstackd.8
man/tapstackctl.1: man/page_tapstackctl$(EXEEXT)
	$(AM_V_GEN)man/page_tapstackctl$(EXEEXT) > $@.new && mv $@.new $@
man/tapstack.yaml.5: man/page_config$(EXEEXT)
	$(AM_V_GEN)man/page_config$(EXEEXT) > $@.new && mv $@.new $@
man/tapstackd.8: man/page_tapstackd$(EXEEXT)
	$(AM_V_GEN)man/page_tapstackd$(EXEEXT) > $@.new && mv $@.new $@
# What the plugins say about themselves.
man/tapstack-plugin.7: man/page_plugin$(EXEEXT) $(pkglib_LTLIBRARIES)
	$(AM_V_GEN)man/page_plugin$(EXEEXT) $(foreach plugin,$(pkglib_LTLIBRARIES),$(abspath \
		$(dir $(plugin)).libs/$(basename $(notdir $(plugin))).so)) > $@.new && mv $@.new $@
CLEANFILES += $(man7_MANS) $(man1_MANS) $(man5_MANS) $(man8_MANS) man/*.new
