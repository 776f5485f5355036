#pragma once
/* The parameters of one instance: the plugin's table filled from texts. */
#include "plugin/registry.h"

/* Memory of the values and texts is one block, *ret_params->value; params_free gives it back. Every fault is reported
 * through report(context, where, message). 0, -EINVAL or -ENOMEM. */
int params_read(const struct tapstack_plugin *plugin, const struct registry_request *request,
                void (*report)(void *context, const char *where, const char *message), void *context,
                struct tapstack_params *ret_params);
void params_free(struct tapstack_params *params);
