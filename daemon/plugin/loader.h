#pragma once
/* One load of a plugin file: an object of its own, with its own code and data, whatever happens to the file
 * afterwards, and however often the same file is loaded. Who may have written the file: see trust.h. */
#include "plugin/descriptor.h"
#include "plugin/image.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct plugin_file {
	struct image image;
	void *library;
	const struct tapstack_plugin *plugin;
	char *path; /* that was asked for */
	struct plugin_operations ops;
};

/* Loads DIRECTORY/NAME.so as a plugin of `kind` (0: any). On failure returns -errno and says in `error` what is
 * wrong, and what can be done. */
int loader_open(const char *directory, const char *name, uint32_t kind, struct plugin_file *ret_file,
                char error[static PLUGIN_ERROR_MAX]);
/* Nothing of the plugin may be in use. Does nothing for a zeroed struct. */
void loader_close(struct plugin_file *file);

/* Has its file other contents now? A file that can't be read has. */
bool loader_changed(const struct plugin_file *file);

/* Calls `found` for the NAME of each NAME.so in the directory, in the order of the alphabet. 0; -errno with a
 * sentence in `error`. */
int loader_list(const char *directory, void (*found)(void *context, const char *name), void *context,
                char error[static PLUGIN_ERROR_MAX]);
