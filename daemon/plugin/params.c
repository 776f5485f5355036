#include "plugin/params.h"

#include <errno.h>
#include <math.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

struct reading {
	const struct tapstack_plugin *plugin;
	const struct registry_request *request;
	registry_quantity_fn *read_quantity;
	const struct registry_report *report;
	struct tapstack_param_value *value;
	char *text; /* where the next text goes */
	bool bad;
};

static void complain(struct reading *reading, const char *where, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

static void complain(struct reading *reading, const char *where, const char *format, ...)
{
	char message[600];
	va_list args;

	va_start(args, format);
	vsnprintf(message, sizeof(message), format, args);
	va_end(args);
	if (reading->report != NULL)
		reading->report->error(reading->report->context, where, message);
	reading->bad = true;
}

static int spec_index(const struct tapstack_plugin *plugin, const char *name)
{
	for (uint32_t i = 0; i < plugin->param_count; i++)
		if (strcmp(plugin->params[i].name, name) == 0)
			return (int)i;
	return -1;
}

static void unknown(struct reading *reading, const struct registry_param *param)
{
	const struct tapstack_plugin *plugin = reading->plugin;
	char known[400] = "none";

	for (size_t i = 0, at = 0; i < plugin->param_count && at < sizeof(known); i++)
		at += (size_t)snprintf(known + at, sizeof(known) - at, "%s%s", i == 0 ? "" : ", ",
		                       plugin->params[i].name);
	complain(reading, param->where, "%s has no parameter %.60s: it has %s", plugin->name, param->name, known);
}

static bool read_number(const char *text, double *ret)
{
	char *end;

	if (text[0] == '\0' || text[strspn(text, "0123456789+-.eE")] != '\0')
		return false;
	*ret = strtod(text, &end);
	return *end == '\0' && isfinite(*ret);
}

static bool has_quantities(const struct reading *reading, const struct tapstack_param_spec *spec)
{
	return reading->read_quantity != NULL && (strcmp(spec->unit, "ns") == 0 || strcmp(spec->unit, "bytes") == 0);
}

/* What may stand there besides a plain number. */
static const char *forms_of(const struct reading *reading, const struct tapstack_param_spec *spec)
{
	if (!has_quantities(reading, spec))
		return "";
	return spec->unit[0] == 'n' ? " (or as 10ms, 1.5s)" : " (or as 64KiB, 1MB)";
}

static bool read_amount(const struct reading *reading, const struct tapstack_param_spec *spec, const char *text,
                        double *ret)
{
	if (read_number(text, ret))
		return true;
	return has_quantities(reading, spec) && reading->read_quantity(spec->unit, text, ret) == 0 && isfinite(*ret);
}

static bool read_switch(const char *text, double *ret)
{
	static const char *const words[][2] = { { "no", "yes" }, { "false", "true" }, { "off", "on" }, { "0", "1" } };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++)
		for (int value = 0; value < 2; value++)
			if (strcasecmp(text, words[i][value]) == 0) {
				*ret = value;
				return true;
			}
	return false;
}

static const char *keep_text(struct reading *reading, const char *text)
{
	size_t size = strlen(text) + 1;
	char *copy = memcpy(reading->text, text, size);

	reading->text += size;
	return copy;
}

static void read_param(struct reading *reading, const struct registry_param *param)
{
	int index = spec_index(reading->plugin, param->name);
	const struct tapstack_param_spec *spec;
	double number;

	if (index < 0) {
		unknown(reading, param);
		return;
	}
	spec = &reading->plugin->params[index];
	if (spec->type == TAPSTACK_PARAM_TEXT)
		reading->value[index].text = keep_text(reading, param->value);
	else if (spec->type == TAPSTACK_PARAM_SWITCH && !read_switch(param->value, &reading->value[index].number))
		complain(reading, param->where, "%s: %s: \"%.60s\" is not valid: expected yes or no",
		         reading->plugin->name, spec->name, param->value);
	else if (spec->type == TAPSTACK_PARAM_SWITCH)
		return;
	else if (!read_amount(reading, spec, param->value, &number) || number < spec->min || number > spec->max)
		complain(reading, param->where,
		         "%s: %s: \"%.60s\" is not valid: expected a number from %g to %g%s%s%s",
		         reading->plugin->name, spec->name, param->value, spec->min, spec->max,
		         spec->unit[0] == '\0' ? "" : " ", spec->unit, forms_of(reading, spec));
	else
		reading->value[index].number = number;
}

/* Defaults; a text without one must have been given. */
static void read_defaults(struct reading *reading)
{
	for (uint32_t i = 0; i < reading->plugin->param_count; i++) {
		const struct tapstack_param_spec *spec = &reading->plugin->params[i];

		if (spec->type != TAPSTACK_PARAM_TEXT)
			reading->value[i].number = spec->initial;
		else if (spec->initial_text != NULL)
			reading->value[i].text = keep_text(reading, spec->initial_text);
	}
}

static void check_given(struct reading *reading)
{
	for (uint32_t i = 0; i < reading->plugin->param_count; i++) {
		const struct tapstack_param_spec *spec = &reading->plugin->params[i];

		if (spec->type == TAPSTACK_PARAM_TEXT && reading->value[i].text == NULL)
			complain(reading, reading->request->where, "%s: parameter %s must be given: %s",
			         reading->plugin->name, spec->name, spec->help);
	}
}

int params_read(const struct tapstack_plugin *plugin, const struct registry_request *request,
                registry_quantity_fn *read_quantity, const struct registry_report *report,
                struct tapstack_params *ret_params)
{
	struct reading reading = {
		.plugin = plugin, .request = request, .read_quantity = read_quantity, .report = report
	};
	size_t values = plugin->param_count * sizeof(*reading.value), texts = 1;

	for (size_t i = 0; i < request->param_count; i++)
		texts += strlen(request->param[i].value) + 1;
	for (uint32_t i = 0; i < plugin->param_count; i++)
		if (plugin->params[i].initial_text != NULL)
			texts += strlen(plugin->params[i].initial_text) + 1;
	reading.value = calloc(1, values + texts);
	if (reading.value == NULL)
		return -ENOMEM;
	reading.text = (char *)reading.value + values;
	read_defaults(&reading);
	for (size_t i = 0; i < request->param_count; i++)
		read_param(&reading, &request->param[i]);
	check_given(&reading);
	if (reading.bad) {
		free(reading.value);
		return -EINVAL;
	}
	*ret_params = (struct tapstack_params){ sizeof(*ret_params), plugin->param_count, reading.value };
	return 0;
}

void params_free(struct tapstack_params *params)
{
	free((void *)params->value);
	*params = (struct tapstack_params){ 0 };
}
