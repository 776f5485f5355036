#include "filter.h"

#include "value.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* Where a field is found among recorded connections. */
static const struct {
	const char *name, *sql;
} recorded_fields[] = {
	{ "id", "connection" },
	{ "state", "state" },
	{ "local", "local" },
	{ "local_port", "endpoint_port(local)" },
	{ "peer", "remote" },
	{ "peer_port", "endpoint_port(remote)" },
	{ "service", "service" },
	{ "role", "role" },
	{ "cong", "congestion" },
	{ "bytes_received", "bytes_received" },
	{ "bytes_acked", "bytes_acked" },
	{ "bytes_retrans", "bytes_retransmitted" },
	{ "segs_in", "segs_in" },
	{ "segs_out", "segs_out" },
	{ "retrans_total", "retransmits" },
	{ "rtt", "srtt_ms" },
	{ "port", "port" },
	{ "address", "address" },
	{ "duration", "duration_s * 1000" },
	{ "cause", "closing_cause" },
	{ "last_cause", "last_cause" },
	{ "run", "run" },
};

enum { RECORDED_ONLY = 4 }; /* the last of them are no fields of a live connection */

static const struct filter_field fields[] = {
#define FIELD(name, kind, unit, help) { #name, TAPSTACK_FIELD_##kind, unit, help },
	TAPSTACK_CONNECTION_FIELDS(FIELD)
#undef FIELD
	        { "port", TAPSTACK_FIELD_NUMBER, "", "port of either side" },
	{ "address", TAPSTACK_FIELD_ADDRESS, "", "address of either side" },
	{ "duration", TAPSTACK_FIELD_MILLISECONDS, "ms", "history: from its opening to its end" },
	{ "cause", TAPSTACK_FIELD_TEXT, "", "history: why it began to close, as RECEIVED_FIN" },
	{ "last_cause", TAPSTACK_FIELD_TEXT, "", "history: cause of its last transition, as TIMEOUT_2MSL" },
	{ "run", TAPSTACK_FIELD_NUMBER, "", "history: number of the daemon's start" },
	{ 0 },
};

static const struct filter_alias aliases[] = {
	{ "sport", "local_port" },
	{ "dport", "peer_port" },
	{ "src", "local" },
	{ "dst", "peer" },
	{ "remote", "peer" },
	{ "remote_port", "peer_port" },
	{ "addr", "address" },
	{ "congestion", "cong" },
	{ "srtt", "rtt" },
	{ "connection", "id" },
	{ "retransmits", "retrans_total" },
	{ 0 },
};

const struct filter_field *filter_fields(void)
{
	return fields;
}

const struct filter_alias *filter_aliases(void)
{
	return aliases;
}

static const char *sql_of(const char *name)
{
	for (size_t i = 0; i < sizeof(recorded_fields) / sizeof(recorded_fields[0]); i++)
		if (strcmp(recorded_fields[i].name, name) == 0)
			return recorded_fields[i].sql;
	return NULL;
}

static bool usable(const char *name, bool recorded)
{
	size_t count = sizeof(recorded_fields) / sizeof(recorded_fields[0]);

	if (recorded)
		return sql_of(name) != NULL;
	for (size_t i = count - RECORDED_ONLY; i < count; i++)
		if (strcmp(recorded_fields[i].name, name) == 0)
			return false;
	return true;
}

static const struct filter_field *find_field(const char *name, bool recorded)
{
	for (const struct filter_alias *alias = aliases; alias->name; alias++)
		if (strcmp(alias->name, name) == 0)
			name = alias->field;
	for (const struct filter_field *field = fields; field->name; field++)
		if (strcmp(field->name, name) == 0)
			return usable(name, recorded) ? field : NULL;
	return NULL;
}

static void list_fields(bool recorded, char *text, size_t size)
{
	size_t used = strlen(text);

	for (const struct filter_field *field = fields; field->name && used < size; field++)
		if (usable(field->name, recorded))
			used += (size_t)snprintf(text + used, size - used, " %s", field->name);
	for (const struct filter_alias *alias = aliases; alias->name && used < size; alias++)
		used += (size_t)snprintf(text + used, size - used, " %s", alias->name);
}

static bool is_ordered(const struct filter_field *field)
{
	return (field->kind == TAPSTACK_FIELD_NUMBER || field->kind == TAPSTACK_FIELD_MILLISECONDS) &&
	       strcmp(field->name, "port") != 0;
}

/* The operator at `at`, NULL: none. */
static const char *operator_at(const char *at)
{
	static const char *const operators[] = { "!=", "<=", ">=", "==", "=", "<", ">" };

	for (size_t i = 0; i < sizeof(operators) / sizeof(operators[0]); i++)
		if (strncmp(at, operators[i], strlen(operators[i])) == 0)
			return operators[i];
	return NULL;
}

static bool parse_values(char *text, struct filter_condition *condition, char *error, size_t error_size)
{
	char *save, *value;
	char reason[512];

	for (value = strtok_r(text, ",", &save); value; value = strtok_r(NULL, ",", &save)) {
		char *normal[VALUE_EXPANSION_MAX];
		size_t count = value_normalize(value, condition->field->kind, normal, reason, sizeof(reason));

		if (count == 0) {
			snprintf(error, error_size, "%s: %s", condition->field->name, reason);
			return false;
		}
		for (size_t i = 0; i < count; i++) {
			if (condition->count < FILTER_VALUES_MAX)
				condition->value[condition->count++] = normal[i];
			else
				free(normal[i]);
		}
		if (condition->count == FILTER_VALUES_MAX) {
			snprintf(error, error_size, "%s: more than %d values", condition->field->name,
			         FILTER_VALUES_MAX - 1);
			return false;
		}
	}
	if (condition->count == 0 || (condition->count > 1 && strchr("<>", *condition->op))) {
		snprintf(error, error_size, "%s%s needs %s value", condition->field->name, condition->op,
		         strchr("<>", *condition->op) ? "exactly one" : "at least one");
		return false;
	}
	return true;
}

/* One word, which is changed: "dport=80,443". */
static bool parse_condition(char *word, bool recorded, struct filter_condition *condition, char *error,
                            size_t error_size)
{
	size_t length = strcspn(word, "=!<>");
	const char *op = operator_at(word + length);

	if (!op || length == 0) {
		snprintf(error, error_size,
		         "\"%s\" is not a condition; conditions look like state=established, dport=80,443, "
		         "peer=192.0.2.0/24, retrans>3",
		         word);
		return false;
	}
	word[length] = '\0';
	condition->field = find_field(word, recorded);
	if (!condition->field) {
		snprintf(error, error_size, "there is no field \"%s\"%s; fields are:", word,
		         recorded ? " in the history" : "");
		list_fields(recorded, error, error_size);
		return false;
	}
	condition->op = strcmp(op, "==") == 0 ? "=" : op;
	if (strchr("<>", *op) && !is_ordered(condition->field)) {
		snprintf(error, error_size, "%s can be compared with = and != only", condition->field->name);
		return false;
	}
	return parse_values(word + length + strlen(op), condition, error, error_size);
}

static bool parse_argument(const char *argument, bool recorded, struct filter *filter, char *error, size_t error_size)
{
	char *copy = strdup(argument), *save, *word;
	bool good = copy != NULL;

	if (!copy)
		snprintf(error, error_size, "out of memory");
	for (word = good ? strtok_r(copy, " \t\n", &save) : NULL; word && good;
	     word = strtok_r(NULL, " \t\n", &save)) {
		if (filter->count == FILTER_CONDITIONS_MAX) {
			snprintf(error, error_size, "more than %d conditions", FILTER_CONDITIONS_MAX);
			good = false;
			break;
		}
		filter->count++; /* so that what it holds is freed in any case */
		good = parse_condition(word, recorded, &filter->condition[filter->count - 1], error, error_size);
	}
	free(copy);
	return good;
}

bool filter_parse(char *const *argv, int argc, bool recorded, struct filter *ret_filter, char *error,
                  size_t error_size)
{
	struct filter filter = { 0 };

	for (int i = 0; i < argc; i++) {
		if (!parse_argument(argv[i], recorded, &filter, error, error_size)) {
			filter_done(&filter);
			return false;
		}
	}
	*ret_filter = filter;
	return true;
}

void filter_done(struct filter *filter)
{
	for (size_t i = 0; i < filter->count; i++)
		for (size_t v = 0; v < filter->condition[i].count; v++)
			free(filter->condition[i].value[v]);
	*filter = (struct filter){ 0 };
}

json_t *filter_json(const struct filter *filter)
{
	json_t *array = json_array();

	for (size_t i = 0; i < filter->count; i++) {
		const struct filter_condition *condition = &filter->condition[i];
		json_t *values = json_array();

		for (size_t v = 0; v < condition->count; v++)
			json_array_append_new(values, json_string(condition->value[v]));
		json_array_append_new(array, json_pack("{s:s, s:s, s:o}", "field", condition->field->name, "operator",
		                                       condition->op, "values", values));
	}
	return array;
}

/* One value: an SQL expression that is true when the field has it; `n` numbers its parameter. */
static void put_sql_value(FILE *out, const struct filter_condition *condition, unsigned n)
{
	const char *sql = sql_of(condition->field->name);
	const char *op = *condition->op == '!' ? "=" : condition->op;

	if (strcmp(condition->field->name, "port") == 0) {
		fprintf(out, "CAST(?%u AS INTEGER) IN (endpoint_port(local), endpoint_port(remote))", n);
	} else if (strcmp(condition->field->name, "address") == 0) {
		fprintf(out, "(endpoint_in(local, ?%u) OR endpoint_in(remote, ?%u))", n, n);
	} else if (condition->field->kind == TAPSTACK_FIELD_ADDRESS) {
		fprintf(out, "endpoint_in(%s, ?%u)", sql, n);
	} else if (condition->field->kind == TAPSTACK_FIELD_TEXT) {
		fprintf(out, "%s GLOB ?%u", sql, n);
	} else if (condition->field->kind == TAPSTACK_FIELD_STATE) {
		fprintf(out, "%s = ?%u", sql, n);
	} else {
		fprintf(out, "%s %s CAST(?%u AS NUMERIC)", sql, op, n);
	}
}

char *filter_sql(const struct filter *filter)
{
	char *text = NULL;
	size_t size;
	unsigned n = 1;
	FILE *out = open_memstream(&text, &size);

	if (!out)
		return NULL;
	fputs(filter->count ? "" : "1", out);
	for (size_t i = 0; i < filter->count; i++) {
		const struct filter_condition *condition = &filter->condition[i];

		fprintf(out, "%s%s(", i ? " AND " : "", *condition->op == '!' ? "NOT " : "");
		for (size_t v = 0; v < condition->count; v++) {
			fputs(v ? " OR " : "", out);
			put_sql_value(out, condition, n++);
		}
		fputc(')', out);
	}
	if (fclose(out) != 0) {
		free(text);
		return NULL;
	}
	return text;
}
