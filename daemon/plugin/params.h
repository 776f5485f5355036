#pragma once
/* The parameters of one instance: the plugin's table filled from texts.
 *
 * A switch is yes, no, true, false, on, off, 1 or 0. A number is one in the parameter's unit, or, where that is "ns"
 * or "bytes", what read_quantity makes of it. */
#include "plugin/registry.h"

/* Memory of the values and texts is one block, *ret_params->value; params_free gives it back. Every fault is
 * reported. 0, -EINVAL or -ENOMEM. read_quantity may be NULL, see struct registry_options. */
int params_read(const struct tapstack_plugin *plugin, const struct registry_request *request,
                registry_quantity_fn *read_quantity, const struct registry_report *report,
                struct tapstack_params *ret_params);
void params_free(struct tapstack_params *params);
