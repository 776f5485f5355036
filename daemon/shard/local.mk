# daemon/shard
noinst_LTLIBRARIES += libshard.la
libshard_la_CPPFLAGS = $(AM_CPPFLAGS) $(LIBEVENT_CFLAGS) $(JANSSON_CFLAGS) $(SODIUM_CFLAGS)
libshard_la_SOURCES = \
	daemon/log.c \
	daemon/log.h \
	daemon/shard/forward.c \
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
	daemon/shard/turn.c
