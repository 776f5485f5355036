# plugins: one shared object, one symbol each
pkglib_LTLIBRARIES += plugins/congestion/cubic.la

plugins_congestion_cubic_la_SOURCES = plugins/congestion/cubic.c
plugins_congestion_cubic_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_congestion_cubic_la_LDFLAGS = $(PLUGIN_LINK_FLAGS)
plugins_congestion_cubic_la_LIBADD = -lm

pkglib_LTLIBRARIES += plugins/congestion/newreno.la
plugins_congestion_newreno_la_SOURCES = plugins/congestion/newreno.c
plugins_congestion_newreno_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_congestion_newreno_la_LDFLAGS = $(PLUGIN_LINK_FLAGS)
