#pragma once
/* Where the fields of the plugin interface lie, as one version of its headers has them. Everything that an old plugin
 * relies on is listed in layout.def. */
#include <stddef.h>

struct layout_field {
	const char *name;
	size_t offset, size;
};

struct layout_number {
	const char *name;
	unsigned long long value;
};

struct layout {
	const struct layout_field *field;
	size_t field_count;
	const struct layout_number *number;
	size_t number_count;
	size_t param_spec, param_value, output_spec; /* elements of tables: never grow */
};

extern const struct layout layout_0_1, layout_today;
