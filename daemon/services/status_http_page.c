/* The readable page, and the same as JSON. */
#include "services/status_http_private.h"

#include <stdlib.h>
#include <string.h>

#define PAGE_ROWS_MAX 1000

const char *status_service_name(const struct render_names *names, uint16_t id)
{
	const char *name = names && id < names->service_count ? names->service[id] : NULL;

	return name ? name : "";
}

static void put(struct evbuffer *out, const char *html)
{
	evbuffer_add(out, html, strlen(html));
}

/* Text from outside (names) can't become markup. */
static void put_escaped(struct evbuffer *out, const char *text)
{
	static const char special[] = "&<>\"'";
	static const char *const entity[] = { "&amp;", "&lt;", "&gt;", "&quot;", "&#39;" };

	while (*text) {
		size_t plain = strcspn(text, special);

		evbuffer_add(out, text, plain);
		text += plain;
		if (*text)
			put(out, entity[strchr(special, *text++) - special]);
	}
}

static const char page_head[] =
        "<!DOCTYPE html>\n"
        "<html lang=\"en\"><head><meta charset=\"utf-8\">"
        "<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">"
        "<title>tapstack</title><style>\n"
        ":root{color-scheme:light dark;--line:#d5d9de;--soft:#5c6670;--back:#fff;--text:#1b1f23}\n"
        "@media (prefers-color-scheme:dark){:root{--line:#3a4149;--soft:#9aa4ae;--back:#15181b;--text:#e4e8eb}}\n"
        "body{margin:2rem auto;max-width:75rem;padding:0 1rem;background:var(--back);color:var(--text);"
        "font:15px/1.5 system-ui,sans-serif}\n"
        "h1{font-size:1.4rem}h2{font-size:1.1rem;margin-top:2rem}\n"
        "table{border-collapse:collapse;font-variant-numeric:tabular-nums}\n"
        "th,td{padding:.2rem .8rem .2rem 0;text-align:left;border-bottom:1px solid var(--line);white-space:nowrap}\n"
        "th{color:var(--soft);font-weight:600}.n{text-align:right}\n"
        ".wide{overflow-x:auto}p,nav{color:var(--soft)}\n"
        "</style></head><body>\n"
        "<h1>tapstack</h1>\n"
        "<nav><a href=\"/connections\">connections as JSON</a> &middot; <a href=\"/metrics\">metrics</a></nav>\n";

static void put_total(struct evbuffer *out, const char *what, uint64_t value)
{
	evbuffer_add_printf(out, "<tr><td>%s</td><td class=\"n\">%llu</td></tr>\n", what, (unsigned long long)value);
}

static void page_begin(struct evbuffer *out)
{
	put(out, page_head);
}

static void page_totals(struct evbuffer *out, const struct survey_totals *totals)
{
	const struct stack_gauges *gauges = &totals->gauges;
	const struct stack_counters *counters = &totals->counters;

	put(out, "<h2>Now</h2>\n<div class=\"wide\"><table><tr>");
	for (unsigned state = 0; state < TCPS_STATE_COUNT; state++)
		if (state != TCPS_CLOSED)
			evbuffer_add_printf(out, "<th class=\"n\">%s</th>", tcp_state_name(state));
	put(out, "</tr>\n<tr>");
	for (unsigned state = 0; state < TCPS_STATE_COUNT; state++)
		if (state != TCPS_CLOSED)
			evbuffer_add_printf(out, "<td class=\"n\">%u</td>", gauges->in_state[state]);
	evbuffer_add_printf(out,
	                    "</tr></table></div>\n<p>%u of at most %u connections, %llu KiB of at most %llu KiB in "
	                    "buffers</p>\n",
	                    gauges->connections, gauges->connections_max,
	                    (unsigned long long)gauges->buffer_bytes / 1024,
	                    (unsigned long long)gauges->buffer_bytes_max / 1024);
	put(out, "<h2>Since the start</h2>\n<table>\n");
	put_total(out, "connections accepted", counters->passive_opens);
	put_total(out, "connections opened from here", counters->active_opens);
	put_total(out, "handshakes that failed", counters->attempt_fails);
	put_total(out, "established connections that were reset", counters->established_resets);
	put_total(out, "TCP segments received", counters->segments_in);
	put_total(out, "TCP segments sent", counters->segments_out);
	put_total(out, "segments sent again", counters->retransmitted_segments);
	put(out, "</table>\n");
}

static void page_services(struct evbuffer *out, const struct status_service *services, size_t count,
                          const struct render_names *names)
{
	put(out, "<h2>Services</h2>\n<div class=\"wide\"><table><tr><th>name</th><th class=\"n\">active</th>"
	         "<th class=\"n\">accepted</th><th class=\"n\">bytes in</th><th class=\"n\">bytes out</th>"
	         "<th class=\"n\">errors</th></tr>\n");
	for (size_t id = 0; id < count; id++) {
		const struct service_stats *stats = &services[id].stats;

		if (!services[id].present)
			continue;
		put(out, "<tr><td>");
		put_escaped(out, status_service_name(names, (uint16_t)id));
		evbuffer_add_printf(
		        out,
		        "</td><td class=\"n\">%llu</td><td class=\"n\">%llu</td><td class=\"n\">%llu</td>"
		        "<td class=\"n\">%llu</td><td class=\"n\">%llu</td></tr>\n",
		        (unsigned long long)(stats->accepted - stats->ended), (unsigned long long)stats->accepted,
		        (unsigned long long)stats->bytes_in, (unsigned long long)stats->bytes_out,
		        (unsigned long long)(stats->peer_errors + stats->refused + stats->target_failures +
		                             stats->target_resets + stats->idle_timeouts));
	}
	put(out, "</table></div>\n<h2>Connections</h2>\n<div class=\"wide\"><table><tr><th class=\"n\">id</th>"
	         "<th>state</th><th>local</th><th>peer</th><th>service</th><th>congestion</th>"
	         "<th class=\"n\">age s</th><th class=\"n\">rtt ms</th><th class=\"n\">cwnd</th>"
	         "<th class=\"n\">received</th><th class=\"n\">sent</th><th class=\"n\">again</th></tr>\n");
}

/* One cell; what a record doesn't keep is a dash. A double holds whole numbers up to 2^53. */
static void put_number(struct evbuffer *out, bool known, int decimals, double value)
{
	if (known)
		evbuffer_add_printf(out, "<td class=\"n\">%.*f</td>", decimals, value);
	else
		put(out, "<td class=\"n\">-</td>");
}

static void page_row(struct evbuffer *out, const struct stack_conn_info *info, const struct render_names *names,
                     struct instant now)
{
	char local[RENDER_ENDPOINT_MAX], peer[RENDER_ENDPOINT_MAX];
	bool listener = info->state == TCPS_LISTEN, full = !listener && !info->compact;

	put(out, "<tr>");
	put_number(out, !listener, 0, (double)info->id);
	evbuffer_add_printf(out, "<td>%s</td><td>%s</td><td>%s</td><td>", tcp_state_name(info->state),
	                    render_endpoint(&info->flow.local, info->flow.local_port, local),
	                    render_endpoint(&info->flow.remote, info->flow.remote_port, peer));
	put_escaped(out, status_service_name(names, info->service));
	put(out, "</td><td>");
	put_escaped(out, info->congestion ? info->congestion : "");
	put(out, "</td>");
	put_number(out, !listener && info->opened.ns, 1, (double)(now.ns - info->opened.ns) / 1e9);
	put_number(out, full && info->srtt.ns, 3, (double)info->srtt.ns / 1e6);
	put_number(out, full, 0, (double)info->cwnd);
	put_number(out, full, 0, (double)info->bytes_received);
	put_number(out, full, 0, (double)info->bytes_sent);
	put_number(out, full, 0, (double)info->retrans_total);
	put(out, "</tr>\n");
}

static void page_rows(struct evbuffer *out, const struct stack_conn_info *infos, size_t count, size_t before,
                      const struct render_names *names, struct instant now)
{
	(void)before;
	for (size_t i = 0; i < count; i++)
		page_row(out, &infos[i], names, now);
}

static void page_end(struct evbuffer *out, size_t rows, bool truncated)
{
	put(out, "</table></div>\n");
	evbuffer_add_printf(out, "<p>%zu listed%s</p>\n</body></html>\n", rows,
	                    truncated ? ", there are more: see <a href=\"/connections\">all of them</a>" : "");
}

static void connections_begin(struct evbuffer *out)
{
	put(out, "{\"connections\":[");
}

static void connections_rows(struct evbuffer *out, const struct stack_conn_info *infos, size_t count, size_t before,
                             const struct render_names *names, struct instant now)
{
	for (size_t i = 0; i < count; i++) {
		json_t *object = render_connection(&infos[i], names, now);
		char *text = object ? json_dumps(object, RENDER_JSON) : NULL;

		/* A row for which there was no memory is a null: the reader sees that something is missing. */
		evbuffer_add_printf(out, "%s\n%s", before + i ? "," : "", text ? text : "null");
		free(text);
		json_decref(object);
	}
}

static void connections_end(struct evbuffer *out, size_t rows, bool truncated)
{
	(void)rows, (void)truncated;
	put(out, "\n]}\n");
}

const struct status_writer status_page = {
	.content_type = "text/html; charset=utf-8",
	.begin = page_begin,
	.totals = page_totals,
	.services = page_services,
	.rows = page_rows,
	.rows_max = PAGE_ROWS_MAX,
	.end = page_end,
};

const struct status_writer status_connections = {
	.content_type = "application/json",
	.begin = connections_begin,
	.rows = connections_rows,
	.end = connections_end,
};
