#pragma once
/* What a method is: one line of a table that serves dispatch, the check of parameters and rights, and the interface
 * description. */
#include "control/control.h"

#include <stdbool.h>
#include <stddef.h>

struct call;

enum parameter_type {
	PARAMETER_BOOL,
	PARAMETER_INT,
	PARAMETER_FLOAT,
	PARAMETER_STRING,
	PARAMETER_OBJECT,
	PARAMETER_STRINGS,    /* []string */
	PARAMETER_OBJECTS,    /* []object */
	PARAMETER_CONDITIONS, /* []Condition, see filter.h */
	PARAMETER_CONNECTION, /* Connection, see TAPSTACK_CONNECTION_FIELDS */
	PARAMETER_CONNECTIONS,
	PARAMETER_TYPE_COUNT
};

/* Tables of parameters end with a NULL name. */
struct parameter {
	const char *name;
	enum parameter_type type;
	bool optional;
	const char *help;
};

struct method {
	const char *name;
	enum control_role role; /* the least that may call it */
	bool changes;           /* each call is recorded as an action */
	const struct parameter *in, *out;
	/* Parameters and role have been checked. Must lead, now or later, to exactly one call_reply or call_fail. */
	void (*run)(struct call *call);
	const char *help;
};

struct interface {
	const char *name;
	const char *description; /* varlink; owned by whoever made the interface */
	const struct method *methods;
	size_t method_count;
};

/* How varlink writes a type: "[]string". */
const char *parameter_type_name(enum parameter_type type);

/* Checks an object against a table. Returns NULL when it fits; else the name of the member that doesn't, with a
 * sentence in `reason`. */
const char *parameters_check(const struct parameter *table, const json_t *object, char *reason, size_t reason_size);

/* The interface in varlink's definition language: `head` (types and errors, ready to paste) and one definition per
 * method, each under its help. The caller frees it; NULL: no memory. */
char *interface_describe(const char *name, const char *help, const char *head, const struct method *methods,
                         size_t method_count);
