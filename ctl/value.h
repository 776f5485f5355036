#pragma once
/* Values in filters: what people write, brought into the one form that the daemon and the database take. */
#include "tapstack/control.h"

#include <stdbool.h>
#include <stddef.h>

#define VALUE_EXPANSION_MAX 16 /* texts that one word can stand for */

/* Reads one value for a field of this kind. Usually one text comes out; a group of states ("connected") becomes
 * several. Returns their number, each to be freed; 0 with a sentence in `error` when the value is not valid. */
size_t value_normalize(const char *text, enum tapstack_field_kind kind, char *ret_value[VALUE_EXPANSION_MAX],
                       char *error, size_t error_size);
