# plugins/logging
# What logging plugins share; its symbols stay inside each of them.
EVENT_SOURCES = plugins/logging/event.h plugins/logging/event.c

pkglib_LTLIBRARIES += plugins/logging/jsonl.la
plugins_logging_jsonl_la_SOURCES = plugins/logging/jsonl.c $(EVENT_SOURCES)
plugins_logging_jsonl_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) $(JANSSON_CFLAGS)
plugins_logging_jsonl_la_LDFLAGS = $(PLUGIN_LINK_FLAGS)
plugins_logging_jsonl_la_LIBADD = $(JANSSON_LIBS)

if SYSTEMD
pkglib_LTLIBRARIES += plugins/logging/journal.la
plugins_logging_journal_la_SOURCES = plugins/logging/journal.c $(EVENT_SOURCES)
plugins_logging_journal_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) $(SYSTEMD_CFLAGS)
plugins_logging_journal_la_LDFLAGS = $(PLUGIN_LINK_FLAGS)
plugins_logging_journal_la_LIBADD = $(SYSTEMD_LIBS)
endif

pkglib_LTLIBRARIES += plugins/logging/syslog.la
SYSLOG_SOURCES = plugins/logging/syslog.c plugins/logging/syslog_format.h plugins/logging/syslog_format.c \
	plugins/logging/syslog_out.h plugins/logging/syslog_out.c $(EVENT_SOURCES)
plugins_logging_syslog_la_SOURCES = $(SYSLOG_SOURCES)
plugins_logging_syslog_la_CPPFLAGS = $(PLUGIN_CPPFLAGS)
plugins_logging_syslog_la_LDFLAGS = $(PLUGIN_LINK_FLAGS)

pkglib_LTLIBRARIES += plugins/logging/pcapng.la
plugins_logging_pcapng_la_SOURCES = \
	plugins/logging/pcapng.c plugins/logging/pcapng_comment.c plugins/logging/pcapng_block.h
plugins_logging_pcapng_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) -D_GNU_SOURCE
plugins_logging_pcapng_la_LDFLAGS = $(PLUGIN_LINK_FLAGS)

POSTGRESQL_SOURCES = plugins/logging/postgresql.c plugins/logging/postgresql_db.h plugins/logging/postgresql_db.c \
	plugins/logging/postgresql_seen.h plugins/logging/postgresql_seen.c plugins/logging/postgresql_sql.h $(EVENT_SOURCES)
if POSTGRESQL
pkglib_LTLIBRARIES += plugins/logging/postgresql.la
plugins_logging_postgresql_la_SOURCES = $(POSTGRESQL_SOURCES)
plugins_logging_postgresql_la_CPPFLAGS = $(PLUGIN_CPPFLAGS) $(LIBPQ_CFLAGS)
plugins_logging_postgresql_la_LDFLAGS = $(PLUGIN_LINK_FLAGS)
plugins_logging_postgresql_la_LIBADD = $(LIBPQ_LIBS)
endif
