/* OpenMetrics 1.0 (https://prometheus.io/docs/specs/om/open_metrics_spec/). A family's unit is the end of its name;
 * the samples of a counter end in _total; what has a label is of low cardinality: connections one by one are not
 * metrics. */
#include "services/status_http_private.h"

#include <stdio.h>
#include <string.h>

/* Help as the format wants it: backslash and line feed escaped; label values also the quote. */
static void put_escaped(struct evbuffer *out, const char *text)
{
	while (*text) {
		size_t plain = strcspn(text, "\\\"\n");

		evbuffer_add(out, text, plain);
		text += plain;
		if (*text)
			evbuffer_add_printf(out, "\\%c", *text == '\n' ? 'n' : *text);
		text += *text != '\0';
	}
}

static void put_family(struct evbuffer *out, const char *name, const char *type, const char *unit, const char *help)
{
	evbuffer_add_printf(out, "# TYPE %s %s\n", name, type);
	if (unit)
		evbuffer_add_printf(out, "# UNIT %s %s\n", name, unit);
	evbuffer_add_printf(out, "# HELP %s ", name);
	put_escaped(out, help);
	evbuffer_add(out, "\n", 1);
}

static void put_sample(struct evbuffer *out, const char *name, uint64_t value)
{
	evbuffer_add_printf(out, "%s %llu\n", name, (unsigned long long)value);
}

/* "bytes_in" is a number of bytes, so as a metric it is called "in_bytes". Returns the unit, or NULL. */
static const char *metric_name(const char *prefix, const char *field, char *name, size_t size)
{
	if (strncmp(field, "bytes_", 6) != 0) {
		snprintf(name, size, "%s_%s", prefix, field);
		return NULL;
	}
	snprintf(name, size, "%s_%s_bytes", prefix, field + 6);
	return "bytes";
}

static void put_counter(struct evbuffer *out, const char *field, const char *help, uint64_t value)
{
	char name[96];
	const char *unit = metric_name("tapstack", field, name, sizeof(name));

	put_family(out, name, "counter", unit, help);
	evbuffer_add_printf(out, "%s_total %llu\n", name, (unsigned long long)value);
}

static void put_counters(struct evbuffer *out, const struct stack_counters *counters)
{
	static const char *const verdicts[] = {
#define VERDICT_NAME(name, meaning) #name,
		STACK_VERDICTS(VERDICT_NAME)
#undef VERDICT_NAME
	};

#define PUT_COUNTER(name, help) put_counter(out, #name, help, counters->name);
	STACK_COUNTERS(PUT_COUNTER)
#undef PUT_COUNTER
	put_family(out, "tapstack_verdicts", "counter", NULL, "frames and segments received, by what became of them");
	for (size_t i = 0; i < STACK_VERDICT_COUNT; i++)
		evbuffer_add_printf(out, "tapstack_verdicts_total{verdict=\"%s\"} %llu\n", verdicts[i],
		                    (unsigned long long)counters->verdict[i]);
	put_family(out, "tapstack_transitions", "counter", NULL, "passages of connections from one state to another");
	for (unsigned from = 0; from < TCPS_STATE_COUNT; from++)
		for (unsigned to = 0; to < TCPS_STATE_COUNT; to++)
			if (counters->transitions[from][to])
				evbuffer_add_printf(out, "tapstack_transitions_total{from=\"%s\",to=\"%s\"} %llu\n",
				                    tcp_state_name(from), tcp_state_name(to),
				                    (unsigned long long)counters->transitions[from][to]);
}

static void put_gauge(struct evbuffer *out, const char *name, const char *unit, const char *help, uint64_t value)
{
	put_family(out, name, "gauge", unit, help);
	put_sample(out, name, value);
}

static void put_gauges(struct evbuffer *out, const struct stack_gauges *gauges)
{
	put_family(out, "tapstack_connections", "gauge", NULL, "connections by state; LISTEN: listeners");
	for (unsigned state = 0; state < TCPS_STATE_COUNT; state++)
		if (state != TCPS_CLOSED)
			evbuffer_add_printf(out, "tapstack_connections{state=\"%s\"} %u\n", tcp_state_name(state),
			                    gauges->in_state[state]);
	put_gauge(out, "tapstack_connection_records", NULL, "full connections", gauges->connections);
	put_gauge(out, "tapstack_connection_records_max", NULL, "limit of full connections", gauges->connections_max);
	put_gauge(out, "tapstack_half_open", NULL, "half-open records", gauges->half_open);
	put_gauge(out, "tapstack_half_open_max", NULL, "limit of half-open records", gauges->half_open_max);
	put_gauge(out, "tapstack_time_wait", NULL, "TIME-WAIT records", gauges->time_wait);
	put_gauge(out, "tapstack_time_wait_max", NULL, "limit of TIME-WAIT records", gauges->time_wait_max);
	put_gauge(out, "tapstack_neighbours", NULL, "neighbours known or asked for", gauges->neighbours);
	put_gauge(out, "tapstack_orphans", NULL, "connections that no service holds any more", gauges->orphans);
	put_gauge(out, "tapstack_buffer_bytes", "bytes", "payload in send and receive buffers", gauges->buffer_bytes);
	put_gauge(out, "tapstack_buffer_max_bytes", "bytes", "limit of these buffers", gauges->buffer_bytes_max);
	put_gauge(out, "tapstack_memory_bytes", "bytes", "memory taken by the stacks", gauges->memory_bytes);
	put_gauge(out, "tapstack_journal_room", NULL, "free records in the audit rings", gauges->journal_room);
	put_gauge(out, "tapstack_journal_reserved", NULL, "records in the audit rings kept for open connections",
	          gauges->journal_reserved);
}

static void metrics_totals(struct evbuffer *out, const struct survey_totals *totals)
{
	put_counters(out, &totals->counters);
	put_gauges(out, &totals->gauges);
}

struct services_view {
	const struct status_service *services;
	size_t count;
	const struct render_names *names;
};

/* One counter of every service; `offset`: of the counter in struct service_stats. */
static void put_service_counter(struct evbuffer *out, const struct services_view *view, const char *field,
                                const char *help, size_t offset)
{
	char name[96];
	const char *unit = metric_name("tapstack_service", field, name, sizeof(name));

	put_family(out, name, "counter", unit, help);
	for (size_t id = 0; id < view->count; id++) {
		uint64_t value;

		if (!view->services[id].present)
			continue;
		memcpy(&value, (const uint8_t *)&view->services[id].stats + offset, sizeof(value));
		evbuffer_add_printf(out, "%s_total{service=\"", name);
		put_escaped(out, status_service_name(view->names, (uint16_t)id));
		evbuffer_add_printf(out, "\"} %llu\n", (unsigned long long)value);
	}
}

static void metrics_services(struct evbuffer *out, const struct status_service *services, size_t count,
                             const struct render_names *names)
{
	const struct services_view view = { services, count, names };

#define PUT_SERVICE_COUNTER(name, help)                                                                              \
	put_service_counter(out, &view, #name, help, offsetof(struct service_stats, name));
	SERVICE_COUNTERS(PUT_SERVICE_COUNTER)
#undef PUT_SERVICE_COUNTER
}

static void metrics_end(struct evbuffer *out, size_t rows, bool truncated)
{
	(void)rows, (void)truncated;
	evbuffer_add(out, "# EOF\n", 6);
}

const struct status_writer status_metrics = {
	.content_type = "application/openmetrics-text; version=1.0.0; charset=utf-8",
	.totals = metrics_totals,
	.services = metrics_services,
	.end = metrics_end,
};
