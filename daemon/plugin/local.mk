# daemon/plugin
noinst_LTLIBRARIES += libplugin.la
libplugin_la_SOURCES = \
	daemon/plugin/registry.h daemon/plugin/registry.c daemon/plugin/loader.h daemon/plugin/loader.c \
	daemon/plugin/params.h daemon/plugin/params.c daemon/plugin/logger.h daemon/plugin/logger.c
libplugin_la_CFLAGS = $(AM_CFLAGS) -pthread
libplugin_la_LIBADD = -ldl -lpthread
