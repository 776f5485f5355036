#include "support/fake_log.h"

#include <stdarg.h>
#include <stdio.h>

static char last[512];
static unsigned count;

void log_write(int priority, const char *format, ...)
{
	va_list arguments;

	(void)priority;
	va_start(arguments, format);
	vsnprintf(last, sizeof(last), format, arguments);
	va_end(arguments);
	count++;
}

const char *fake_log_last(void)
{
	return last;
}

unsigned fake_log_count(void)
{
	return count;
}

void fake_log_clear(void)
{
	last[0] = '\0';
	count = 0;
}
