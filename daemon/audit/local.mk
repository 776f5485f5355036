# daemon/audit

noinst_LTLIBRARIES += libaudit.la
libaudit_la_SOURCES = daemon/audit/audit.c daemon/audit/audit.h daemon/audit/internal.h daemon/audit/recorder.c \
	daemon/audit/recover.c daemon/audit/ring.c daemon/audit/ring.h daemon/audit/rows.c daemon/audit/rows.h \
	daemon/audit/samples.c daemon/audit/samples.h \
	daemon/audit/schema.c daemon/audit/schema.h daemon/audit/store.c daemon/audit/store.h \
	daemon/audit/store_sql.h daemon/audit/views.h
libaudit_la_CFLAGS = $(AM_CFLAGS) $(SQLITE_CFLAGS)
