#pragma once
/* Collecting errors: as many as there are, each with its place, none of them fatal to reading on. */
#include "config/config.h"

/* Adds one. The file name is copied. */
void errors_add(struct config_errors *errors, const struct config_place *place, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* In the order of the file; what has no place in it comes last. */
void errors_sort(struct config_errors *errors);

#define ERRORS_QUOTE_MAX 80u

/* What a user wrote, fit for a message: shortened, without control characters. Returns `buffer`. */
const char *errors_quote(const char *text, char buffer[static ERRORS_QUOTE_MAX]);
