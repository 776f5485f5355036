# daemon/services
noinst_LTLIBRARIES += libservices.la
libservices_la_SOURCES = \
	daemon/services/service.h daemon/services/service.c daemon/services/kinds.h daemon/services/target.c \
	daemon/services/echo.c daemon/services/discard.c daemon/services/chargen.c \
	daemon/services/relay.h daemon/services/relay.c daemon/services/relay_connect.c \
	daemon/services/relay_flow.c daemon/services/relay_proxy.c
libservices_la_CFLAGS = $(AM_CFLAGS) $(LIBEVENT_CFLAGS)
