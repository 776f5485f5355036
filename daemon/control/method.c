#include "control/method.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static const char *const type_names[PARAMETER_TYPE_COUNT] = {
	[PARAMETER_BOOL] = "bool",
	[PARAMETER_INT] = "int",
	[PARAMETER_FLOAT] = "float",
	[PARAMETER_STRING] = "string",
	[PARAMETER_OBJECT] = "object",
	[PARAMETER_STRINGS] = "[]string",
	[PARAMETER_OBJECTS] = "[]object",
	[PARAMETER_CONDITIONS] = "[]Condition",
	[PARAMETER_CONNECTION] = "Connection",
	[PARAMETER_CONNECTIONS] = "[]Connection",
};

const char *parameter_type_name(enum parameter_type type)
{
	return type_names[type];
}

static bool all_elements(const json_t *value, json_type type)
{
	size_t i;
	json_t *element;

	if (!json_is_array(value))
		return false;
	json_array_foreach(value, i, element)
	{
		if (json_typeof(element) != type)
			return false;
	}
	return true;
}

static bool type_fits(enum parameter_type type, const json_t *value)
{
	switch (type) {
	case PARAMETER_BOOL:
		return json_is_boolean(value);
	case PARAMETER_INT:
		return json_is_integer(value);
	case PARAMETER_FLOAT:
		return json_is_number(value);
	case PARAMETER_STRING:
		return json_is_string(value);
	case PARAMETER_STRINGS:
		return all_elements(value, JSON_STRING);
	case PARAMETER_OBJECT:
	case PARAMETER_CONNECTION:
		return json_is_object(value);
	case PARAMETER_OBJECTS:
	case PARAMETER_CONDITIONS:
	case PARAMETER_CONNECTIONS:
		return all_elements(value, JSON_OBJECT);
	case PARAMETER_TYPE_COUNT:
		break;
	}
	return false;
}

static const struct parameter *find_parameter(const struct parameter *table, const char *name)
{
	for (; table->name; table++)
		if (strcmp(table->name, name) == 0)
			return table;
	return NULL;
}

static void list_parameters(const struct parameter *table, char *text, size_t size)
{
	size_t used = 0;

	if (!table->name)
		snprintf(text, size, "none");
	for (const struct parameter *p = table; p->name && used < size; p++)
		used += (size_t)snprintf(text + used, size - used, "%s%s", p == table ? "" : ", ", p->name);
}

const char *parameters_check(const struct parameter *table, const json_t *object, char *reason, size_t reason_size)
{
	const char *key;
	json_t *value;

	json_object_foreach((json_t *)object, key, value)
	{
		const struct parameter *parameter = find_parameter(table, key);

		if (!parameter) {
			char known[256];

			list_parameters(table, known, sizeof(known));
			snprintf(reason, reason_size, "no such parameter; there are: %s", known);
			return key;
		}
		if (json_is_null(value) && parameter->optional)
			continue;
		if (!type_fits(parameter->type, value)) {
			snprintf(reason, reason_size, "must be of type %s", type_names[parameter->type]);
			return key;
		}
	}
	for (const struct parameter *p = table; p->name; p++) {
		if (!p->optional && !json_object_get(object, p->name)) {
			snprintf(reason, reason_size, "is missing; it must be of type %s", type_names[p->type]);
			return p->name;
		}
	}
	return NULL;
}

static void describe_table(FILE *out, const struct parameter *table)
{
	fputc('(', out);
	for (const struct parameter *p = table; p->name; p++)
		fprintf(out, "%s%s: %s%s", p == table ? "" : ", ", p->name, p->optional ? "?" : "",
		        type_names[p->type]);
	fputc(')', out);
}

static void describe_method(FILE *out, const struct method *method)
{
	fprintf(out, "\n# %s\n# Role: %s.%s\n", method->help, control_role_name(method->role),
	        method->changes ? " Recorded as an action." : "");
	for (const struct parameter *p = method->in; p->name; p++)
		fprintf(out, "# %s: %s\n", p->name, p->help);
	for (const struct parameter *p = method->out; p->name; p++)
		fprintf(out, "# -> %s: %s\n", p->name, p->help);
	fprintf(out, "method %s", method->name);
	describe_table(out, method->in);
	fputs(" -> ", out);
	describe_table(out, method->out);
	fputc('\n', out);
}

char *interface_describe(const char *name, const char *help, const char *head, const struct method *methods,
                         size_t method_count)
{
	char *text = NULL;
	size_t size;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fprintf(out, "# %s\ninterface %s\n%s", help, name, head);
	for (size_t i = 0; i < method_count; i++)
		describe_method(out, &methods[i]);
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
