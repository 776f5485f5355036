/* tapstack/plugin.h: what every tapstack plugin is made of.
 *
 * A plugin is one shared object that exports one symbol:
 *
 *     const struct tapstack_plugin tapstack_plugin = { TAPSTACK_PLUGIN_HEAD(TAPSTACK_PLUGIN_CONGESTION), .name = ...
 * };
 *
 * The host looks at magic, abi, struct_size and kind before it looks at anything else, and refuses what it does not
 * know with a message.
 *
 * Versions. Structs of this interface only ever grow at the end, and say in struct_size how far they reach, so a
 * plugin that was built with older headers goes on working with a newer tapstackd of the same ABI number: the host
 * knows from the plugin's struct_size what it can't have, and the plugin never looks at what was added later. A
 * plugin that was built with newer headers than tapstackd's is refused: it might rely on what is not there. Never
 * growing: the elements of tables (struct tapstack_param_spec, tapstack_output_spec, tapstack_param_value). Records
 * that come several at a time have their size at the beginning; go from one to the next with the function that is
 * there for it (tapstack_log_next_event, ...), not by an index.
 *
 * This header and its sisters are C11, need nothing but the standard headers, and are all that a plugin may include
 * from tapstack. */
#ifndef TAPSTACK_PLUGIN_H
#define TAPSTACK_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define TAPSTACK_PLUGIN_MAGIC UINT64_C(0x31474c5053504154) /* "TAPSPLG1" in little-endian bytes */
#define TAPSTACK_PLUGIN_ABI 1u

enum tapstack_plugin_kind {
	TAPSTACK_PLUGIN_CONGESTION = 1, /* ops: struct tapstack_cc_ops, congestion.h */
	TAPSTACK_PLUGIN_LOGGING = 2,    /* ops: struct tapstack_log_ops, logging.h */
};

/* How far a struct must reach to have `member`: compare with its struct_size before you read what is newer than the
 * oldest host (or plugin) that you want to work with. */
#define TAPSTACK_SIZE_UP_TO(type, member) (offsetof(type, member) + sizeof(((type *)0)->member))

enum tapstack_param_type {
	TAPSTACK_PARAM_NUMBER = 1,
	TAPSTACK_PARAM_TEXT = 2,
	TAPSTACK_PARAM_SWITCH = 3, /* since 0.2: yes or no; `number` is 1 or 0, min 0, max 1 */
};

/* One parameter. The YAML check, `tapstackctl`, completion and the manual page follow from this table. */
struct tapstack_param_spec {
	const char *name; /* lower case, a-z 0-9 _ */
	const char *unit; /* "bytes", "ns", "" */
	const char *help; /* one line */
	uint32_t type;    /* enum tapstack_param_type */
	uint32_t reserved;
	double min, max, initial; /* numbers: range (inclusive) and default */
	const char *initial_text; /* texts: default; NULL: the parameter must be given */
};

/* The values, in the order of the plugin's table, checked against it. Texts stay valid as long as the instance that
 * they were given to. */
struct tapstack_param_value {
	double number;
	const char *text;
};

struct tapstack_params {
	uint32_t struct_size, count;
	const struct tapstack_param_value *value;
};

/* One named output: recorded as a time series, shown by tapstackctl. Of up to 64 the first eight: the most telling
 * ones come first. */
struct tapstack_output_spec {
	const char *name, *unit, *help;
};

struct tapstack_plugin {
	uint64_t magic;
	uint32_t abi, struct_size;
	uint32_t kind; /* enum tapstack_plugin_kind */
	uint32_t reserved;
	const char *name; /* what the YAML calls it: lower case, a-z 0-9 - */
	const char *version;
	const char *licence;     /* SPDX expression */
	const char *description; /* one line; cite the RFC or paper */
	const struct tapstack_param_spec *params;
	const struct tapstack_output_spec *outputs;
	uint32_t param_count, output_count;
	const void *ops; /* by kind */
};

#define TAPSTACK_PLUGIN_HEAD(kind_)                                                                                  \
	.magic = TAPSTACK_PLUGIN_MAGIC, .abi = TAPSTACK_PLUGIN_ABI, .struct_size = sizeof(struct tapstack_plugin),   \
	.kind = (kind_)

#if defined(__GNUC__)
#define TAPSTACK_EXPORT __attribute__((visibility("default")))
#else
#define TAPSTACK_EXPORT
#endif

/* The one symbol. */
extern TAPSTACK_EXPORT const struct tapstack_plugin tapstack_plugin;

#ifdef __cplusplus
}
#endif
#endif
