# tapstackctl: sees include/tapstack and the socket, nothing of the daemon
noinst_LTLIBRARIES += libctl.la
libctl_la_SOURCES = \
	ctl/ask.c \
	ctl/ask.h \
	ctl/client.c \
	ctl/client.h \
	ctl/command.c \
	ctl/command.h \
	ctl/exit.h \
	ctl/filter.c \
	ctl/filter.h \
	ctl/help.c \
	ctl/history.c \
	ctl/live.c \
	ctl/output.c \
	ctl/output.h \
	ctl/plugins.c \
	ctl/set.c \
	ctl/text.c \
	ctl/text.h \
	ctl/value.c \
	ctl/value.h
libctl_la_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS) $(SQLITE_CFLAGS)

bin_PROGRAMS += ctl/tapstackctl
ctl_tapstackctl_SOURCES = ctl/main.c
ctl_tapstackctl_CPPFLAGS = $(AM_CPPFLAGS) $(JANSSON_CFLAGS)
ctl_tapstackctl_LDADD = libctl.la $(JANSSON_LIBS) $(SQLITE_LIBS)
