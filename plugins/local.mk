# plugins: one shared object, one symbol each
pkglib_LTLIBRARIES += plugins/congestion/cubic.la

plugins_congestion_cubic_la_SOURCES = plugins/congestion/cubic.c plugins/congestion/hystart.h
plugins_congestion_cubic_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_congestion_cubic_la_LDFLAGS = $(PLUGIN_LINK_FLAGS)
plugins_congestion_cubic_la_LIBADD = -lm

pkglib_LTLIBRARIES += plugins/congestion/vegas.la
plugins_congestion_vegas_la_SOURCES = plugins/congestion/vegas.c
plugins_congestion_vegas_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_congestion_vegas_la_LDFLAGS = $(PLUGIN_LINK_FLAGS)

pkglib_LTLIBRARIES += plugins/congestion/newreno.la
plugins_congestion_newreno_la_SOURCES = plugins/congestion/newreno.c
plugins_congestion_newreno_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_congestion_newreno_la_LDFLAGS = $(PLUGIN_LINK_FLAGS)

pkglib_LTLIBRARIES += plugins/congestion/dctcp.la
plugins_congestion_dctcp_la_SOURCES = plugins/congestion/dctcp.c
plugins_congestion_dctcp_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_congestion_dctcp_la_LDFLAGS = $(PLUGIN_LINK_FLAGS)

pkglib_LTLIBRARIES += plugins/congestion/ledbat.la
plugins_congestion_ledbat_la_SOURCES = plugins/congestion/ledbat.c
plugins_congestion_ledbat_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_congestion_ledbat_la_LDFLAGS = $(PLUGIN_LINK_FLAGS)
plugins_congestion_ledbat_la_LIBADD = -lm

pkglib_LTLIBRARIES += plugins/congestion/prague.la
plugins_congestion_prague_la_SOURCES = plugins/congestion/prague.c
plugins_congestion_prague_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_congestion_prague_la_LDFLAGS = $(PLUGIN_LINK_FLAGS)
plugins_congestion_prague_la_LIBADD = -lm

pkglib_LTLIBRARIES += plugins/congestion/bbr.la
plugins_congestion_bbr_la_SOURCES = \
	plugins/congestion/bbr.c plugins/congestion/bbr.h \
	plugins/congestion/bbr_model.c \
	plugins/congestion/bbr_state.c \
	plugins/congestion/bbr_text.c
plugins_congestion_bbr_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_congestion_bbr_la_LDFLAGS = $(PLUGIN_LINK_FLAGS)
