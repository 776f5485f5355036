#pragma once
/* One plugin file: who may have written it, whether it is a plugin of this ABI, whether its tables make sense. */
#include "tapstack/congestion.h"
#include "tapstack/logging.h"

#include <stddef.h>
#include <stdint.h>

#define LOADER_ERROR_MAX 1024u
#define LOADER_PARAMS_MAX 64u

struct plugin_file {
	void *library;
	const struct tapstack_plugin *plugin;
	char *path;
	/* The operations by kind, copied: what an older plugin does not know is NULL. */
	struct tapstack_cc_ops congestion;
	struct tapstack_log_ops logging;
};

/* Opens DIRECTORY/NAME.so as a plugin of `kind`. On failure returns -errno and says in `error` what is wrong. */
int loader_open(const char *directory, const char *name, uint32_t kind, struct plugin_file *ret_file,
                char error[static LOADER_ERROR_MAX]);
/* Nothing of the plugin may be in use. Does nothing for a zeroed struct. */
void loader_close(struct plugin_file *file);

/* Is this descriptor one that the host understands? Also used by loader_open. */
int loader_check(const struct tapstack_plugin *plugin, const char *name, uint32_t kind, struct plugin_file *ret_file,
                 char error[static LOADER_ERROR_MAX]);
