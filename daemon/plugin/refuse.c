#include "plugin/refuse.h"

#include <stdarg.h>
#include <stdio.h>

int refuse(char *error, int r, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(error, PLUGIN_ERROR_MAX, format, args);
	va_end(args);
	return r;
}
