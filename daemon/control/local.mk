noinst_LTLIBRARIES += libcontrol.la
libcontrol_la_SOURCES = \
	daemon/control/answers.c \
	daemon/control/call.c \
	daemon/control/change.c \
	daemon/control/client.h \
	daemon/control/context.h \
	daemon/control/control.c \
	daemon/control/control.h \
	daemon/control/filter.c \
	daemon/control/filter.h \
	daemon/control/listing.c \
	daemon/control/message.c \
	daemon/control/message.h \
	daemon/control/method.c \
	daemon/control/method.h \
	daemon/control/methods.c \
	daemon/control/plugins.c \
	daemon/control/questions.c \
	daemon/control/tables.c \
	daemon/control/rights.c \
	daemon/control/rights.h \
	daemon/control/server.c \
	daemon/control/server.h \
	daemon/control/socket.c \
	daemon/control/socket.h \
	daemon/control/value.c \
	daemon/control/value.h
libcontrol_la_CFLAGS = $(AM_CFLAGS) $(LIBEVENT_CFLAGS) $(JANSSON_CFLAGS)
pkginclude_HEADERS += include/tapstack/control.h
