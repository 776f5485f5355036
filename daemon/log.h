#pragma once
/* The daemon's own log, for the operator: one line a message on stderr. Under systemd ($JOURNAL_STREAM names stderr)
 * each line starts with its priority ("<4>text"), else with a word ("warning: text"). Any thread may call; lines are
 * written whole. Only daemon code that talks to the operator logs; library layers return errors instead.
 *
 * This is the one piece of state with file scope in the daemon: a log that has to be passed around is not used. */
#include <syslog.h>

/* Looks at where stderr goes and sets the level: messages less urgent than `level` (LOG_EMERG to LOG_DEBUG, as in
 * syslog(3)) are dropped. Before the first call the level is LOG_INFO. May be called again. */
void log_open(int level);

/* May be called while other threads log. */
void log_set_level(int level);
int log_get_level(void);

/* "emergency" .. "debug", the words of `log.level`, to LOG_*; -EINVAL for another word. */
int log_level_from_name(const char *name, int *ret_level);
const char *log_level_name(int level);

/* One line, without the newline. Line breaks inside become spaces; more than about 2 KiB is cut. */
void log_write(int priority, const char *format, ...) __attribute__((format(printf, 2, 3)));
