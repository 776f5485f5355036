# daemon/services
noinst_LTLIBRARIES += libservices.la
libservices_la_SOURCES = \
	daemon/services/service.h daemon/services/service.c daemon/services/kinds.h daemon/services/target.c \
	daemon/services/echo.c daemon/services/discard.c daemon/services/chargen.c \
	daemon/services/relay.h daemon/services/relay.c daemon/services/relay_connect.c \
	daemon/services/relay_flow.c daemon/services/relay_proxy.c \
	daemon/services/status_http.h daemon/services/status_http_private.h daemon/services/status_http.c \
	daemon/services/status_http_page.c daemon/services/status_http_metrics.c \
	daemon/services/status_http_services.c
libservices_la_CFLAGS = $(AM_CFLAGS) $(LIBEVENT_CFLAGS) $(JANSSON_CFLAGS)
