# daemon/plugin
noinst_LTLIBRARIES += libplugin.la
libplugin_la_SOURCES = \
	daemon/plugin/change.c daemon/plugin/deadline.h daemon/plugin/descriptor.h daemon/plugin/descriptor.c daemon/plugin/image.h \
	daemon/plugin/image.c daemon/plugin/loader.h daemon/plugin/loader.c daemon/plugin/log.c daemon/plugin/logger.h \
	daemon/plugin/logger.c daemon/plugin/packets.h daemon/plugin/packets.c daemon/plugin/params.h \
	daemon/plugin/params.c daemon/plugin/private.h \
	daemon/plugin/refuse.h daemon/plugin/refuse.c daemon/plugin/registry.h daemon/plugin/registry.c \
	daemon/plugin/trust.h daemon/plugin/trust.c daemon/plugin/version.c
libplugin_la_CFLAGS = $(AM_CFLAGS) -pthread
libplugin_la_LIBADD = libcapture.la -ldl -lpthread
