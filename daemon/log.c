#include "log.h"

#include <errno.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LOG_LINE_MAX 2048

static atomic_int log_level = LOG_INFO;
static atomic_bool log_to_journal;

static const char *const level_names[] = {
	[LOG_EMERG] = "emergency", [LOG_ALERT] = "alert",   [LOG_CRIT] = "critical", [LOG_ERR] = "error",
	[LOG_WARNING] = "warning", [LOG_NOTICE] = "notice", [LOG_INFO] = "info",     [LOG_DEBUG] = "debug",
};

/* $JOURNAL_STREAM is "device:inode" of the stream that systemd gave: inherited by children whose stderr is another.
 */
static bool stderr_is_journal(void)
{
	const char *stream = getenv("JOURNAL_STREAM");
	unsigned long long device, inode;
	struct stat st;

	if (!stream || sscanf(stream, "%llu:%llu", &device, &inode) != 2)
		return false;
	return fstat(STDERR_FILENO, &st) == 0 && st.st_dev == device && st.st_ino == inode;
}

void log_open(int level)
{
	atomic_store(&log_to_journal, stderr_is_journal());
	log_set_level(level);
}

void log_set_level(int level)
{
	atomic_store_explicit(&log_level, level, memory_order_relaxed);
}

int log_get_level(void)
{
	return atomic_load_explicit(&log_level, memory_order_relaxed);
}

int log_level_from_name(const char *name, int *ret_level)
{
	for (int level = LOG_EMERG; level <= LOG_DEBUG; level++) {
		if (strcmp(level_names[level], name) == 0) {
			*ret_level = level;
			return 0;
		}
	}
	return -EINVAL;
}

const char *log_level_name(int level)
{
	return level >= LOG_EMERG && level <= LOG_DEBUG ? level_names[level] : "?";
}

void log_write(int priority, const char *format, ...)
{
	char line[LOG_LINE_MAX + 1];
	int head, body, saved_errno = errno;
	va_list arguments;
	size_t length;

	if (priority > log_get_level())
		return;
	if (atomic_load_explicit(&log_to_journal, memory_order_relaxed))
		head = snprintf(line, sizeof(line), "<%d>", priority);
	else
		head = snprintf(line, sizeof(line), "%s: ", log_level_name(priority));

	va_start(arguments, format);
	body = vsnprintf(line + head, LOG_LINE_MAX - (size_t)head, format, arguments);
	va_end(arguments);
	if (body < 0)
		body = 0;
	length = strnlen(line, LOG_LINE_MAX - 1);
	for (size_t i = (size_t)head; i < length; i++) {
		if ((unsigned char)line[i] < ' ' || line[i] == 0x7f)
			line[i] = ' ';
	}
	line[length++] = '\n';
	/* One write: lines of several threads don't mix. Where the log goes wrong nobody can be told. */
	if (write(STDERR_FILENO, line, length) < 0)
		errno = 0;
	errno = saved_errno;
}
