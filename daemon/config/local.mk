# daemon/config
noinst_LTLIBRARIES += libtapconfig.la
libtapconfig_la_SOURCES = \
	daemon/config/config.h daemon/config/config.c daemon/config/keys.c \
	daemon/config/arena.h daemon/config/arena.c daemon/config/errors.h daemon/config/errors.c \
	daemon/config/document.h daemon/config/document.c daemon/config/value.h daemon/config/value.c \
	daemon/config/filter.h daemon/config/filter.c \
	daemon/config/form.h daemon/config/form.c daemon/config/reader.h daemon/config/reader.c \
	daemon/config/capture.c daemon/config/impair.c \
	daemon/config/hint.c daemon/config/lists.c daemon/config/rules.c daemon/config/check.c daemon/config/write.c \
	daemon/config/diff.c daemon/config/stack.c
libtapconfig_la_CFLAGS = $(AM_CFLAGS) $(YAML_CFLAGS)
libtapconfig_la_LIBADD = $(YAML_LIBS)
