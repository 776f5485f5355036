#pragma once
/* What a plugin says about itself, checked before anything of it runs: magic, ABI number, sizes, kind, name, tables
 * and operations. */
#include "plugin/refuse.h"
#include "tapstack/congestion.h"
#include "tapstack/logging.h"

#include <stdbool.h>
#include <stdint.h>

#define DESCRIPTOR_TABLE_MAX 64u /* parameters, outputs */

/* By kind; what an older plugin does not know is NULL. */
struct plugin_operations {
	struct tapstack_cc_ops congestion;
	struct tapstack_log_ops logging;
};

/* `name`: what its file is called. `kind`: an enum tapstack_plugin_kind, or 0 for any. 0 or -EINVAL with a sentence
 * in `error`. */
int descriptor_check(const struct tapstack_plugin *plugin, const char *name, uint32_t kind,
                     struct plugin_operations *ret, char error[static PLUGIN_ERROR_MAX]);

/* a-z 0-9 - _, at most 63 of them: what the file of a plugin, and an instance, can be called. */
bool plugin_name_valid(const char *name);
const char *plugin_kind_name(uint32_t kind); /* "congestion", "logging", "unknown" */
