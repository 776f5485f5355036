/* Compiled once with the headers of each version: LAYOUT names the result. */
#include "layout.h"
#include "tapstack/congestion.h"
#include "tapstack/logging.h"

static const struct layout_field fields[] = {
#define FIELD(type, member) { #type "." #member, offsetof(struct type, member), sizeof(((struct type *)0)->member) },
#define NUMBER(name)
#include "layout.def"
#undef FIELD
#undef NUMBER
};

static const struct layout_number numbers[] = {
#define FIELD(type, member)
#define NUMBER(name) { #name, (unsigned long long)name },
#include "layout.def"
#undef FIELD
#undef NUMBER
};

const struct layout LAYOUT = {
	.field = fields,
	.field_count = sizeof(fields) / sizeof(fields[0]),
	.number = numbers,
	.number_count = sizeof(numbers) / sizeof(numbers[0]),
	.param_spec = sizeof(struct tapstack_param_spec),
	.param_value = sizeof(struct tapstack_param_value),
	.output_spec = sizeof(struct tapstack_output_spec),
};
