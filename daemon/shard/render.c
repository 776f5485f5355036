#include "shard/render.h"

#include <arpa/inet.h>
#include <math.h>
#include <stdio.h>

/* Adds a value that was just made; remembers that something failed, so that callers check once, at the end. */
static void put(json_t *object, const char *key, json_t *value, bool *failed)
{
	if (!value || json_object_set_new(object, key, value) != 0)
		*failed = true;
}

static void put_integer(json_t *object, const char *key, uint64_t value, bool *failed)
{
	put(object, key, json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value), failed);
}

static void put_ms(json_t *object, const char *key, int64_t ns, bool *failed)
{
	/* Three digits after the point: microseconds, as ss prints round-trip times. */
	put(object, key, json_real((double)(ns / 1000) / 1000.0), failed);
}

/* A time that is null when there is none. */
static void put_ms_or_null(json_t *object, const char *key, struct duration time, bool *failed)
{
	if (time.ns == 0)
		put(object, key, json_null(), failed);
	else
		put_ms(object, key, time.ns, failed);
}

/* Time since `then`, in ms; null for "never happened". */
static void put_since(json_t *object, const char *key, struct instant then, struct instant now, bool *failed)
{
	if (then.ns == 0 || then.ns == INT64_MAX)
		put(object, key, json_null(), failed);
	else
		put_ms(object, key, then.ns < now.ns ? now.ns - then.ns : 0, failed);
}

static json_t *finish(json_t *object, bool failed)
{
	if (failed) {
		json_decref(object);
		return NULL;
	}
	return object;
}

const char *render_address(const struct ip_addr *ip, char text[RENDER_ADDRESS_MAX])
{
	if (ip_addr_is_any(ip))
		snprintf(text, RENDER_ADDRESS_MAX, "*");
	else if (ip_addr_is_v4(ip))
		inet_ntop(AF_INET, ip->b + 12, text, RENDER_ADDRESS_MAX);
	else
		inet_ntop(AF_INET6, ip->b, text, RENDER_ADDRESS_MAX);
	return text;
}

const char *render_endpoint(const struct ip_addr *ip, uint16_t port, char text[RENDER_ENDPOINT_MAX])
{
	char address[RENDER_ADDRESS_MAX], port_text[8] = "*";
	bool brackets = !ip_addr_is_any(ip) && !ip_addr_is_v4(ip);

	if (port)
		snprintf(port_text, sizeof(port_text), "%u", port);
	render_address(ip, address);
	snprintf(text, RENDER_ENDPOINT_MAX, brackets ? "[%.46s]:%s" : "%.46s:%s", address, port_text);
	return text;
}

const char *render_mac(const struct mac_addr *mac, char text[18])
{
	snprintf(text, 18, "%02x:%02x:%02x:%02x:%02x:%02x", mac->b[0], mac->b[1], mac->b[2], mac->b[3], mac->b[4],
	         mac->b[5]);
	return text;
}

static void put_identity(json_t *object, const struct stack_conn_info *info, const struct render_names *names,
                         bool *failed)
{
	const char *service = NULL;
	char text[RENDER_ADDRESS_MAX];

	if (names && info->service < names->service_count)
		service = names->service[info->service];
	if (info->state == TCPS_LISTEN)
		put(object, "id", json_null(), failed);
	else
		put_integer(object, "id", info->id, failed);
	put_integer(object, "shard", info->shard, failed);
	put(object, "state", json_string(tcp_state_name(info->state)), failed);
	put(object, "local", json_string(render_address(&info->flow.local, text)), failed);
	put_integer(object, "local_port", info->flow.local_port, failed);
	put(object, "peer", json_string(render_address(&info->flow.remote, text)), failed);
	put_integer(object, "peer_port", info->flow.remote_port, failed);
	put(object, "service", service ? json_string(service) : json_null(), failed);
	put(object, "compact", json_boolean(info->compact), failed);
}

static void put_options(json_t *object, const struct stack_conn_info *info, bool *failed)
{
	const char *names[RENDER_OPTIONS_MAX];
	size_t count = render_options(info, names);
	json_t *list = json_array();

	for (size_t i = 0; list && i < count; i++) {
		if (json_array_append_new(list, json_string(names[i])) != 0)
			*failed = true;
	}
	put(object, "opts", list, failed);
	if (info->window_scaling) {
		put_integer(object, "snd_wscale", info->snd_wscale, failed);
		put_integer(object, "rcv_wscale", info->rcv_wscale, failed);
	}
}

static void put_sequence(json_t *object, const struct stack_conn_info *info, bool *failed)
{
	/* TIME-WAIT has forgotten where the two sequences began. */
	if (!info->compact || info->state != TCPS_TIME_WAIT) {
		put_integer(object, "iss", info->iss, failed);
		put_integer(object, "irs", info->irs, failed);
	}
	put_integer(object, "snd_una", info->snd_una, failed);
	put_integer(object, "snd_nxt", info->snd_nxt, failed);
	put_integer(object, "rcv_nxt", info->rcv_nxt, failed);
}

static json_t *window(uint64_t bytes)
{
	return bytes >= INT64_MAX ? json_null() : json_integer((json_int_t)bytes);
}

/* What an algorithm says about itself. */
static void put_outputs(json_t *object, const char *key, const struct render_names *names, uint16_t congestion,
                        const double *values, uint32_t count, bool *failed)
{
	json_t *outputs = json_object();

	for (uint32_t i = 0; names && names->output && i < count; i++) {
		const char *name = names->output(names->context, congestion, i);

		if (name)
			put(outputs, name, isfinite(values[i]) ? json_real(values[i]) : json_null(), failed);
	}
	if (json_object_size(outputs) > 0)
		put(object, key, outputs, failed);
	else
		json_decref(outputs);
}

/* The algorithm that acts, and the one in its shadow. */
static void put_algorithms(json_t *object, const struct stack_conn_info *info, const struct render_names *names,
                           bool *failed)
{
	bool shadow = info->shadow != NULL;

	put(object, "cong", info->congestion ? json_string(info->congestion) : json_null(), failed);
	put_integer(object, "cong_offences", info->congestion_offences, failed);
	put_outputs(object, "outputs", names, info->congestion_id, info->output, info->output_count, failed);
	put(object, "shadow", shadow ? json_string(info->shadow) : json_null(), failed);
	put(object, "shadow_cwnd", shadow ? window(info->shadow_cwnd) : json_null(), failed);
	put(object, "shadow_ssthresh", shadow ? window(info->shadow_ssthresh) : json_null(), failed);
	put(object, "shadow_pacing_rate", shadow ? window(info->shadow_pacing_rate) : json_null(), failed);
	if (shadow)
		put_outputs(object, "shadow_outputs", names, info->shadow_id, info->shadow_output,
		            info->shadow_output_count, failed);
}

static void put_congestion(json_t *object, const struct stack_conn_info *info, bool *failed)
{
	static const char *const ca_states[] = { "open", "recovery", "loss" };
	bool known = info->ca_state < sizeof(ca_states) / sizeof(ca_states[0]);

	put(object, "ca_state", json_string(known ? ca_states[info->ca_state] : "?"), failed);
	put_integer(object, "cwnd", info->cwnd, failed);
	put(object, "ssthresh", window(info->ssthresh), failed);
	put_integer(object, "pacing_rate", info->pacing_rate, failed);
	put_integer(object, "max_pacing_rate", info->max_pacing_rate, failed);
	put_integer(object, "delivery_rate", info->delivery_rate, failed);
	put(object, "app_limited", json_boolean(info->delivery_app_limited), failed);
	put_integer(object, "delivered", info->delivered, failed);
	put_ms(object, "busy", info->busy_time.ns, failed);
	put_ms(object, "rwnd_limited", info->rwnd_limited.ns, failed);
	put_ms(object, "sndbuf_limited", info->sndbuf_limited.ns, failed);
	put_integer(object, "unacked", info->unacked, failed);
	put_integer(object, "retrans", info->retrans, failed);
	put_integer(object, "retrans_total", info->retrans_total, failed);
	put_integer(object, "total_rto", info->total_rto, failed);
	put_integer(object, "total_rto_recoveries", info->total_rto_recoveries, failed);
	put_ms(object, "total_rto_time", info->total_rto_time.ns, failed);
	put_integer(object, "dsack_dups", info->dsack_dups, failed);
	put_integer(object, "reord_seen", info->reord_seen, failed);
	put_ms(object, "reo_wnd", info->reo_wnd.ns, failed);
	put_integer(object, "lost", info->lost, failed);
	put_integer(object, "sacked", info->sacked, failed);
	put_integer(object, "notsent", info->notsent, failed);
}

static void put_timers(json_t *object, const struct stack_conn_info *info, struct instant now, bool *failed)
{
	put_ms(object, "rto", info->rto.ns, failed);
	put_ms(object, "rtt", info->srtt.ns, failed);
	put_ms(object, "rttvar", info->rttvar.ns, failed);
	put_ms(object, "minrtt", info->min_rtt.ns, failed);
	put_ms_or_null(object, "timer", info->timer_left, failed);
	put_ms(object, "ato", info->ato.ns, failed);
	put_ms_or_null(object, "keepalive", info->keepalive_left, failed);
	put_ms_or_null(object, "user_timeout", info->user_timeout, failed);
	put_integer(object, "backoff", info->backoff, failed);
	put_integer(object, "probes", info->probes, failed);
	put_since(object, "lastsnd", info->last_snd, now, failed);
	put_since(object, "lastrcv", info->last_data_rcv, now, failed);
	put_since(object, "lastack", info->last_rcv, now, failed);
}

static void put_traffic(json_t *object, const struct stack_conn_info *info, bool *failed)
{
	put_integer(object, "recv_q", info->recv_q, failed);
	put_integer(object, "send_q", info->send_q, failed);
	put_integer(object, "mss", info->mss, failed);
	put_integer(object, "rcvmss", info->rcv_mss, failed);
	put_integer(object, "advmss", info->advmss, failed);
	put_integer(object, "pmtu", info->pmtu, failed);
	put_integer(object, "bytes_sent", info->bytes_sent, failed);
	put_integer(object, "bytes_retrans", info->bytes_retrans, failed);
	put_integer(object, "bytes_acked", info->bytes_acked, failed);
	put_integer(object, "bytes_received", info->bytes_received, failed);
	put_integer(object, "segs_out", info->segs_out, failed);
	put_integer(object, "segs_in", info->segs_in, failed);
	put_integer(object, "data_segs_out", info->data_segs_out, failed);
	put_integer(object, "data_segs_in", info->data_segs_in, failed);
	put_integer(object, "rcv_ooopack", info->rcv_ooopack, failed);
	put_integer(object, "rcv_holes", info->rcv_holes, failed);
	put_ms_or_null(object, "rcv_rtt", info->rcv_rtt, failed);
	put_integer(object, "rcv_space", info->rcv_space, failed);
	put_integer(object, "snd_wnd", info->snd_wnd, failed);
	put_integer(object, "rcv_wnd", info->rcv_wnd, failed);
	put_integer(object, "rcvbuf", info->rcvbuf, failed);
	put_integer(object, "sndbuf", info->sndbuf, failed);
}

/* What TCP was told from outside of its stream. */
static void put_advice(json_t *object, const struct stack_conn_info *info, bool *failed)
{
	bool any = info->icmp_errors > 0;

	put_integer(object, "urg", info->urgent_left, failed);
	put_integer(object, "dscp", info->dscp, failed);
	put_integer(object, "rcv_dscp", info->rcv_dscp, failed);
	put_integer(object, "icmp_errors", info->icmp_errors, failed);
	put(object, "icmp_type", any ? json_integer(info->icmp_type) : json_null(), failed);
	put(object, "icmp_code", any ? json_integer(info->icmp_code) : json_null(), failed);
}

/* Explicit Congestion Notification, and Fast Open. */
static void put_ecn(json_t *object, const struct stack_conn_info *info, bool *failed)
{
	put(object, "fastopen", json_string(render_fastopen(info)), failed);
	put(object, "ecn", json_string(render_ecn(info)), failed);
	put(object, "ect", json_string(render_ect(info)), failed);
	put(object, "ecn_fallback", json_boolean(info->ecn_fallback), failed);
	put(object, "accecn_option", json_string(render_accecn_option(info)), failed);
	put_integer(object, "delivered_ce", info->delivered_ce, failed);
	put_integer(object, "received_ce", info->received_ce, failed);
	put_integer(object, "received_e0_bytes", info->received_e0_bytes, failed);
	put_integer(object, "received_e1_bytes", info->received_e1_bytes, failed);
	put_integer(object, "received_ce_bytes", info->received_ce_bytes, failed);
	put_integer(object, "delivered_e0_bytes", info->delivered_e0_bytes, failed);
	put_integer(object, "delivered_e1_bytes", info->delivered_e1_bytes, failed);
	put_integer(object, "delivered_ce_bytes", info->delivered_ce_bytes, failed);
}

json_t *render_connection(const struct stack_conn_info *info, const struct render_names *names, struct instant now)
{
	json_t *object = json_object();
	bool failed = false;

	if (!object)
		return NULL;
	put_identity(object, info, names, &failed);
	if (info->state == TCPS_LISTEN) {
		put_integer(object, "recv_q", info->accept_q, &failed);
		put_integer(object, "send_q", info->backlog, &failed);
		if (info->congestion)
			put(object, "cong", json_string(info->congestion), &failed);
		return finish(object, failed);
	}
	put(object, "role", json_string(info->active ? "active" : "passive"), &failed);
	put_since(object, "age", info->opened, now, &failed);
	put_options(object, info, &failed);
	put_sequence(object, info, &failed);
	if (info->compact)
		return finish(object, failed);
	put_algorithms(object, info, names, &failed);
	put(object, "orphan", json_boolean(info->orphan), &failed);
	put_congestion(object, info, &failed);
	put_timers(object, info, now, &failed);
	put_traffic(object, info, &failed);
	put_ecn(object, info, &failed);
	put_advice(object, info, &failed);
	return finish(object, failed);
}

static json_t *render_transitions(const struct stack_counters *counters, bool all, bool *failed)
{
	json_t *object = json_object();
	char key[48];

	for (unsigned from = 0; object && from < TCPS_STATE_COUNT; from++) {
		for (unsigned to = 0; to < TCPS_STATE_COUNT; to++) {
			uint64_t count = counters->transitions[from][to];

			/* Of those that never happened, only what the diagram allows is worth a line. */
			if (!count && !(all && tcp_state_edge_allowed(from, to)))
				continue;
			snprintf(key, sizeof(key), "%s>%s", tcp_state_name(from), tcp_state_name(to));
			put_integer(object, key, count, failed);
		}
	}
	return object;
}

json_t *render_counters(const struct stack_counters *counters, bool all)
{
	json_t *object = json_object(), *verdicts = json_object();
	bool failed = false;

	if (!object || !verdicts) {
		json_decref(object);
		json_decref(verdicts);
		return NULL;
	}
#define RENDER_COUNTER(name, help) put_integer(object, #name, counters->name, &failed);
	STACK_COUNTERS(RENDER_COUNTER)
#undef RENDER_COUNTER
	for (unsigned i = 0; i < STACK_VERDICT_COUNT; i++) {
		if (counters->verdict[i] || all)
			put_integer(verdicts, stack_verdict_name(i), counters->verdict[i], &failed);
	}
	put(object, "verdicts", verdicts, &failed);
	put(object, "transitions", render_transitions(counters, all, &failed), &failed);
	return finish(object, failed);
}

json_t *render_gauges(const struct stack_gauges *gauges)
{
	json_t *object = json_object(), *states = json_object();
	bool failed = false;

	if (!object || !states) {
		json_decref(object);
		json_decref(states);
		return NULL;
	}
	for (unsigned i = 0; i < TCPS_STATE_COUNT; i++)
		put_integer(states, tcp_state_name(i), gauges->in_state[i], &failed);
	put(object, "states", states, &failed);
#define RENDER_GAUGE(name) put_integer(object, #name, gauges->name, &failed)
	RENDER_GAUGE(connections);
	RENDER_GAUGE(connections_max);
	RENDER_GAUGE(half_open);
	RENDER_GAUGE(half_open_max);
	RENDER_GAUGE(time_wait);
	RENDER_GAUGE(time_wait_max);
	RENDER_GAUGE(neighbours);
	RENDER_GAUGE(orphans);
	RENDER_GAUGE(buffer_bytes);
	RENDER_GAUGE(buffer_bytes_max);
	RENDER_GAUGE(memory_bytes);
	RENDER_GAUGE(journal_room);
	RENDER_GAUGE(journal_reserved);
#undef RENDER_GAUGE
	return finish(object, failed);
}

json_t *render_neighbour(const struct stack_neighbour_info *info, struct instant now)
{
	char text[RENDER_ADDRESS_MAX], mac[18];
	json_t *object = json_object();
	bool failed = false;

	if (!object)
		return NULL;
	put(object, "address", json_string(render_address(&info->ip, text)), &failed);
	put(object, "mac", info->resolved ? json_string(render_mac(&info->mac, mac)) : json_null(), &failed);
	put(object, "state", json_string(stack_neighbour_state_name(info->state)), &failed);
	put_since(object, "age", info->updated, now, &failed);
	return finish(object, failed);
}

/* How long from now; null: for ever. */
static void put_until(json_t *object, const char *key, struct instant until, struct instant now, bool *failed)
{
	if (until.ns == INT64_MAX)
		put(object, key, json_null(), failed);
	else
		put_ms(object, key, until.ns > now.ns ? until.ns - now.ns : 0, failed);
}

json_t *render_own_address(const struct stack_address_info *info, struct instant now)
{
	const struct stack_address *address = &info->address;
	json_t *object = json_object();
	char text[RENDER_ADDRESS_MAX];
	bool failed = false;

	if (!object)
		return NULL;
	put(object, "address", json_string(render_address(&address->ip, text)), &failed);
	put_integer(object, "prefix", address->prefix_bits - (ip_addr_is_v4(&address->ip) ? 96u : 0), &failed);
	put(object, "state", json_string(stack_address_state_name(info->state)), &failed);
	put(object, "origin", json_string(stack_address_origin_name(info->origin)), &failed);
	put_until(object, "preferred", info->preferred_until, now, &failed);
	put_until(object, "valid", info->valid_until, now, &failed);
	return finish(object, failed);
}

json_t *render_router(const struct stack_router_info *info, struct instant now)
{
	static const char *const preferences[] = { "low", "medium", "high" };
	unsigned preference = (unsigned)(info->preference + 1);
	json_t *object = json_object();
	char text[RENDER_ADDRESS_MAX];
	bool failed = false;

	if (!object)
		return NULL;
	put(object, "address", json_string(render_address(&info->ip, text)), &failed);
	put(object, "origin", json_string(info->advertised ? "advertised" : "configured"), &failed);
	put(object, "preference", json_string(preference < 3 ? preferences[preference] : "?"), &failed);
	put(object, "failed", json_boolean(info->failed), &failed);
	put_until(object, "valid", info->until, now, &failed);
	return finish(object, failed);
}

json_t *render_path(const struct stack_path_info *info)
{
	bool searched = info->probe_high > 0, failed = false;
	json_t *object = json_object();
	char text[RENDER_ADDRESS_MAX];

	if (!object)
		return NULL;
	put(object, "destination", json_string(render_address(&info->destination, text)), &failed);
	put(object, "pmtu", info->pmtu ? json_integer(info->pmtu) : json_null(), &failed);
	put(object, "origin", info->pmtu ? json_string(info->black_hole ? "search" : "router") : json_null(),
	    &failed);
	put(object, "probe_low", searched ? json_integer(info->probe_low) : json_null(), &failed);
	put(object, "probe_high", searched ? json_integer(info->probe_high) : json_null(), &failed);
	put_integer(object, "probes", info->probes, &failed);
	put_integer(object, "probes_lost", info->probes_lost, &failed);
	put_integer(object, "too_big", info->too_big, &failed);
	put_integer(object, "black_holes", info->black_holes, &failed);
	put_ms(object, "age", info->age.ns, &failed);
	put_integer(object, "fastopen_cookie", info->fastopen_bytes, &failed);
	put_integer(object, "fastopen_failures", info->fastopen_failures, &failed);
	put_ms(object, "fastopen_blocked", info->fastopen_blocked.ns, &failed);
	return finish(object, failed);
}
