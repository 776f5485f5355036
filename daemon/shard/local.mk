# daemon/shard
noinst_LTLIBRARIES += libshard.la
libshard_la_CPPFLAGS = $(AM_CPPFLAGS) $(LIBEVENT_CFLAGS) $(JANSSON_CFLAGS) $(SODIUM_CFLAGS)
libshard_la_LIBADD = libcapture.la
libshard_la_SOURCES = \
	daemon/log.c \
	daemon/log.h \
	daemon/shard/capture.c \
	daemon/shard/forward.c \
	daemon/shard/impair.c \
	daemon/shard/mailbox.c \
	daemon/shard/mailbox.h \
	daemon/shard/private.h \
	daemon/shard/render.c \
	daemon/shard/render.h \
	daemon/shard/shard.c \
	daemon/shard/shard.h \
	daemon/shard/survey.c \
	daemon/shard/survey.h \
	daemon/shard/tenants.c \
	daemon/shard/tenants.h \
	daemon/shard/turn.c \
	daemon/shard/words.h

# The daemon: every part, wired together.
sbin_PROGRAMS += daemon/tapstackd
daemon_tapstackd_SOURCES = \
	daemon/main.c \
	daemon/main.h \
	daemon/main_congestion.c \
	daemon/main_control.c \
	daemon/main_impair.c \
	daemon/main_notify.c \
	daemon/main_options.c \
	daemon/main_options.h \
	daemon/main_plugins.c \
	daemon/main_reload.c \
	daemon/main_rules.c \
	daemon/main_services.c \
	daemon/main_start.c \
	daemon/main_secret.c \
	daemon/main_stop.c
daemon_tapstackd_CFLAGS = $(AM_CFLAGS) $(LIBEVENT_CFLAGS) $(JANSSON_CFLAGS) $(SODIUM_CFLAGS) $(SYSTEMD_CFLAGS)
# Plugins find nothing in the daemon: all they get comes through pointers.
daemon_tapstackd_LDADD = \
	libcontrol.la libservices.la libshard.la libimpair.la liblink.la libaudit.la libplugin.la libtapconfig.la \
	libcore.la \
	$(LIBEVENT_LIBS) $(JANSSON_LIBS) $(SQLITE_LIBS) $(YAML_LIBS) $(SODIUM_LIBS) $(SYSTEMD_LIBS) -ldl -lpthread
