#include "control/filter.h"

#include "control/value.h"
#include "tapstack/control.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* How a field's value is found in struct stack_conn_info. */
enum source {
	SOURCE_U8,
	SOURCE_BOOL,
	SOURCE_U16,
	SOURCE_U32,
	SOURCE_U64,
	SOURCE_DURATION, /* ns to ms */
	SOURCE_SINCE,    /* an instant: ms until now */
	SOURCE_ADDRESS,
	SOURCE_TEXT,    /* const char * */
	SOURCE_SERVICE, /* names by tag */
	SOURCE_ROLE,
	SOURCE_CA_STATE,
	SOURCE_ECN,
	SOURCE_ECT,
	SOURCE_ACCECN_OPTION,
	SOURCE_FASTOPEN,
	SOURCE_OPTIONS,
	SOURCE_PORTS,     /* both */
	SOURCE_ADDRESSES, /* both */
	SOURCE_RECV_Q,    /* depends on the kind of record */
	SOURCE_SEND_Q,
};

/* Which records keep a field. */
enum { IN_LISTENER = 1, IN_COMPACT = 2, IN_FULL = 4, IN_CONNECTION = IN_COMPACT | IN_FULL, IN_ALL = 7 };

struct field {
	const char *name;
	uint8_t kind;   /* enum tapstack_field_kind */
	uint8_t source; /* enum source */
	uint8_t in;
	uint16_t offset;
};

#define AT(member) offsetof(struct stack_conn_info, member)
#define FIELD(name, kind, source, in, offset)                                                                        \
	{                                                                                                            \
#name, TAPSTACK_FIELD_##kind, SOURCE_##source, in, (uint16_t)(offset)                                \
	}

static const struct field fields[] = {
	FIELD(id, NUMBER, U64, IN_CONNECTION, AT(id)),
	FIELD(shard, NUMBER, U8, IN_ALL, AT(shard)),
	FIELD(state, STATE, U8, IN_ALL, AT(state)),
	FIELD(recv_q, NUMBER, RECV_Q, IN_LISTENER | IN_FULL, 0),
	FIELD(send_q, NUMBER, SEND_Q, IN_LISTENER | IN_FULL, 0),
	FIELD(local, ADDRESS, ADDRESS, IN_ALL, AT(flow.local)),
	FIELD(local_port, NUMBER, U16, IN_ALL, AT(flow.local_port)),
	FIELD(peer, ADDRESS, ADDRESS, IN_ALL, AT(flow.remote)),
	FIELD(peer_port, NUMBER, U16, IN_ALL, AT(flow.remote_port)),
	FIELD(port, NUMBER, PORTS, IN_ALL, 0),
	FIELD(address, ADDRESS, ADDRESSES, IN_ALL, 0),
	FIELD(service, TEXT, SERVICE, IN_ALL, AT(service)),
	FIELD(role, TEXT, ROLE, IN_CONNECTION, 0),
	FIELD(orphan, BOOLEAN, BOOL, IN_FULL, AT(orphan)),
	FIELD(compact, BOOLEAN, BOOL, IN_ALL, AT(compact)),
	FIELD(age, MILLISECONDS, SINCE, IN_CONNECTION, AT(opened)),
	FIELD(cong, TEXT, TEXT, IN_LISTENER | IN_FULL, AT(congestion)),
	FIELD(cong_offences, NUMBER, U16, IN_FULL, AT(congestion_offences)),
	FIELD(shadow, TEXT, TEXT, IN_FULL, AT(shadow)),
	FIELD(shadow_cwnd, NUMBER, U64, IN_FULL, AT(shadow_cwnd)),
	FIELD(shadow_ssthresh, NUMBER, U64, IN_FULL, AT(shadow_ssthresh)),
	FIELD(shadow_pacing_rate, NUMBER, U64, IN_FULL, AT(shadow_pacing_rate)),
	FIELD(ca_state, TEXT, CA_STATE, IN_FULL, 0),
	FIELD(opts, LIST, OPTIONS, IN_CONNECTION, 0),
	FIELD(snd_wscale, NUMBER, U8, IN_CONNECTION, AT(snd_wscale)),
	FIELD(rcv_wscale, NUMBER, U8, IN_CONNECTION, AT(rcv_wscale)),
	FIELD(fastopen, TEXT, FASTOPEN, IN_FULL, 0),
	FIELD(ecn, TEXT, ECN, IN_FULL, 0),
	FIELD(ect, TEXT, ECT, IN_FULL, 0),
	FIELD(ecn_fallback, BOOLEAN, BOOL, IN_FULL, AT(ecn_fallback)),
	FIELD(accecn_option, TEXT, ACCECN_OPTION, IN_FULL, 0),
	FIELD(rto, MILLISECONDS, DURATION, IN_FULL, AT(rto)),
	FIELD(rtt, MILLISECONDS, DURATION, IN_FULL, AT(srtt)),
	FIELD(rttvar, MILLISECONDS, DURATION, IN_FULL, AT(rttvar)),
	FIELD(minrtt, MILLISECONDS, DURATION, IN_FULL, AT(min_rtt)),
	FIELD(timer, MILLISECONDS, DURATION, IN_FULL, AT(timer_left)),
	FIELD(ato, MILLISECONDS, DURATION, IN_FULL, AT(ato)),
	FIELD(keepalive, MILLISECONDS, DURATION, IN_FULL, AT(keepalive_left)),
	FIELD(user_timeout, MILLISECONDS, DURATION, IN_FULL, AT(user_timeout)),
	FIELD(backoff, NUMBER, U32, IN_FULL, AT(backoff)),
	FIELD(probes, NUMBER, U32, IN_FULL, AT(probes)),
	FIELD(mss, NUMBER, U32, IN_FULL, AT(mss)),
	FIELD(rcvmss, NUMBER, U32, IN_FULL, AT(rcv_mss)),
	FIELD(advmss, NUMBER, U32, IN_FULL, AT(advmss)),
	FIELD(pmtu, NUMBER, U32, IN_FULL, AT(pmtu)),
	FIELD(cwnd, NUMBER, U64, IN_FULL, AT(cwnd)),
	FIELD(ssthresh, NUMBER, U64, IN_FULL, AT(ssthresh)),
	FIELD(pacing_rate, NUMBER, U64, IN_FULL, AT(pacing_rate)),
	FIELD(max_pacing_rate, NUMBER, U64, IN_FULL, AT(max_pacing_rate)),
	FIELD(delivery_rate, NUMBER, U64, IN_FULL, AT(delivery_rate)),
	FIELD(app_limited, BOOLEAN, BOOL, IN_FULL, AT(delivery_app_limited)),
	FIELD(busy, MILLISECONDS, DURATION, IN_FULL, AT(busy_time)),
	FIELD(rwnd_limited, MILLISECONDS, DURATION, IN_FULL, AT(rwnd_limited)),
	FIELD(sndbuf_limited, MILLISECONDS, DURATION, IN_FULL, AT(sndbuf_limited)),
	FIELD(bytes_sent, NUMBER, U64, IN_FULL, AT(bytes_sent)),
	FIELD(bytes_retrans, NUMBER, U64, IN_FULL, AT(bytes_retrans)),
	FIELD(bytes_acked, NUMBER, U64, IN_FULL, AT(bytes_acked)),
	FIELD(bytes_received, NUMBER, U64, IN_FULL, AT(bytes_received)),
	FIELD(segs_out, NUMBER, U32, IN_FULL, AT(segs_out)),
	FIELD(segs_in, NUMBER, U32, IN_FULL, AT(segs_in)),
	FIELD(data_segs_out, NUMBER, U32, IN_FULL, AT(data_segs_out)),
	FIELD(data_segs_in, NUMBER, U32, IN_FULL, AT(data_segs_in)),
	FIELD(lastsnd, MILLISECONDS, SINCE, IN_FULL, AT(last_snd)),
	FIELD(lastrcv, MILLISECONDS, SINCE, IN_FULL, AT(last_data_rcv)),
	FIELD(lastack, MILLISECONDS, SINCE, IN_FULL, AT(last_rcv)),
	FIELD(unacked, NUMBER, U32, IN_FULL, AT(unacked)),
	FIELD(retrans, NUMBER, U32, IN_FULL, AT(retrans)),
	FIELD(retrans_total, NUMBER, U32, IN_FULL, AT(retrans_total)),
	FIELD(total_rto, NUMBER, U32, IN_FULL, AT(total_rto)),
	FIELD(total_rto_recoveries, NUMBER, U32, IN_FULL, AT(total_rto_recoveries)),
	FIELD(total_rto_time, MILLISECONDS, DURATION, IN_FULL, AT(total_rto_time)),
	FIELD(dsack_dups, NUMBER, U32, IN_FULL, AT(dsack_dups)),
	FIELD(reord_seen, NUMBER, U32, IN_FULL, AT(reord_seen)),
	FIELD(reo_wnd, MILLISECONDS, DURATION, IN_FULL, AT(reo_wnd)),
	FIELD(delivered, NUMBER, U32, IN_FULL, AT(delivered)),
	FIELD(delivered_ce, NUMBER, U32, IN_FULL, AT(delivered_ce)),
	FIELD(delivered_e0_bytes, NUMBER, U32, IN_FULL, AT(delivered_e0_bytes)),
	FIELD(delivered_e1_bytes, NUMBER, U32, IN_FULL, AT(delivered_e1_bytes)),
	FIELD(delivered_ce_bytes, NUMBER, U32, IN_FULL, AT(delivered_ce_bytes)),
	FIELD(received_ce, NUMBER, U32, IN_FULL, AT(received_ce)),
	FIELD(received_e0_bytes, NUMBER, U32, IN_FULL, AT(received_e0_bytes)),
	FIELD(received_e1_bytes, NUMBER, U32, IN_FULL, AT(received_e1_bytes)),
	FIELD(received_ce_bytes, NUMBER, U32, IN_FULL, AT(received_ce_bytes)),
	FIELD(lost, NUMBER, U32, IN_FULL, AT(lost)),
	FIELD(sacked, NUMBER, U32, IN_FULL, AT(sacked)),
	FIELD(notsent, NUMBER, U32, IN_FULL, AT(notsent)),
	FIELD(rcv_ooopack, NUMBER, U32, IN_FULL, AT(rcv_ooopack)),
	FIELD(rcv_holes, NUMBER, U32, IN_FULL, AT(rcv_holes)),
	FIELD(rcv_rtt, MILLISECONDS, DURATION, IN_FULL, AT(rcv_rtt)),
	FIELD(rcv_space, NUMBER, U32, IN_FULL, AT(rcv_space)),
	FIELD(snd_wnd, NUMBER, U32, IN_FULL, AT(snd_wnd)),
	FIELD(rcv_wnd, NUMBER, U32, IN_FULL, AT(rcv_wnd)),
	FIELD(rcvbuf, NUMBER, U32, IN_FULL, AT(rcvbuf)),
	FIELD(sndbuf, NUMBER, U32, IN_FULL, AT(sndbuf)),
	FIELD(urg, NUMBER, U32, IN_FULL, AT(urgent_left)),
	FIELD(dscp, NUMBER, U8, IN_FULL, AT(dscp)),
	FIELD(rcv_dscp, NUMBER, U8, IN_FULL, AT(rcv_dscp)),
	FIELD(icmp_errors, NUMBER, U32, IN_FULL, AT(icmp_errors)),
	FIELD(icmp_type, NUMBER, U8, IN_FULL, AT(icmp_type)),
	FIELD(icmp_code, NUMBER, U8, IN_FULL, AT(icmp_code)),
	FIELD(iss, NUMBER, U32, IN_CONNECTION, AT(iss)),
	FIELD(irs, NUMBER, U32, IN_CONNECTION, AT(irs)),
	FIELD(snd_una, NUMBER, U32, IN_CONNECTION, AT(snd_una)),
	FIELD(snd_nxt, NUMBER, U32, IN_CONNECTION, AT(snd_nxt)),
	FIELD(rcv_nxt, NUMBER, U32, IN_CONNECTION, AT(rcv_nxt)),
};

enum { FIELD_COUNT = sizeof(fields) / sizeof(fields[0]) };

enum comparison { OP_EQUAL, OP_NOT_EQUAL, OP_LESS, OP_LESS_EQUAL, OP_GREATER, OP_GREATER_EQUAL, OP_COUNT };

static const char *const operator_names[OP_COUNT] = { "=", "!=", "<", "<=", ">", ">=" };

struct condition {
	const struct field *field;
	enum comparison op;
	uint32_t count;
	struct value *value; /* count of them, in the filter's array */
};

struct filter {
	char **service; /* names by tag, as they were */
	size_t service_count;
	uint32_t condition_count;
	struct condition condition[FILTER_CONDITIONS_MAX];
	struct value values[];
};

/* ---- evaluation (shards' threads) ---------------------------------------------------------------------------- */

static bool kept(const struct field *field, const struct stack_conn_info *info)
{
	if (info->state == TCPS_LISTEN)
		return field->in & IN_LISTENER;
	return field->in & (info->compact ? IN_COMPACT : IN_FULL);
}

static bool fits_text(const char *text, const struct value *value)
{
	return text && fnmatch(value->text, text, 0) == 0;
}

static bool fits_options(const struct stack_conn_info *info, const struct value *value)
{
	const char *names[RENDER_OPTIONS_MAX];
	size_t count = render_options(info, names);

	for (size_t i = 0; i < count; i++) {
		if (fits_text(names[i], value))
			return true;
	}
	return false;
}

/* The field's number, as value.h has it; false: unknown (an instant that never was). */
static bool number_of(const struct field *field, const struct stack_conn_info *info, struct instant now,
                      uint64_t *ret)
{
	const char *at = (const char *)info + field->offset;
	bool listener = info->state == TCPS_LISTEN;
	int64_t then;

	switch ((enum source)field->source) {
	case SOURCE_U8:
		*ret = *(const uint8_t *)at;
		return true;
	case SOURCE_BOOL:
		*ret = *(const bool *)at;
		return true;
	case SOURCE_U16:
		*ret = *(const uint16_t *)at;
		return true;
	case SOURCE_U32:
		*ret = *(const uint32_t *)at;
		return true;
	case SOURCE_U64:
		*ret = *(const uint64_t *)at;
		return true;
	case SOURCE_RECV_Q:
		*ret = listener ? info->accept_q : info->recv_q;
		return true;
	case SOURCE_SEND_Q:
		*ret = listener ? info->backlog : info->send_q;
		return true;
	case SOURCE_DURATION:
		*ret = (uint64_t)((const struct duration *)at)->ns / 1000;
		return true;
	case SOURCE_SINCE:
		then = ((const struct instant *)at)->ns;
		*ret = then < now.ns ? (uint64_t)(now.ns - then) / 1000 : 0;
		return then != 0 && then != INT64_MAX;
	default:
		return false;
	}
}

static bool equals(const struct filter *filter, const struct field *field, const struct stack_conn_info *info,
                   struct instant now, const struct value *value)
{
	static const char *const ca_states[] = { "open", "recovery", "loss" };
	const char *at = (const char *)info + field->offset;
	uint64_t number;

	switch ((enum source)field->source) {
	case SOURCE_ADDRESS:
		return prefix_contains(&value->prefix, (const struct ip_addr *)at);
	case SOURCE_ADDRESSES:
		return prefix_contains(&value->prefix, &info->flow.local) ||
		       prefix_contains(&value->prefix, &info->flow.remote);
	case SOURCE_PORTS:
		return value->number == info->flow.local_port || value->number == info->flow.remote_port;
	case SOURCE_TEXT:
		return *(const char *const *)at && fits_text(*(const char *const *)at, value);
	case SOURCE_SERVICE:
		return info->service < filter->service_count && fits_text(filter->service[info->service], value);
	case SOURCE_ROLE:
		return fits_text(info->active ? "active" : "passive", value);
	case SOURCE_CA_STATE:
		return info->ca_state < 3 && fits_text(ca_states[info->ca_state], value);
	case SOURCE_ECN:
		return fits_text(render_ecn(info), value);
	case SOURCE_ECT:
		return fits_text(render_ect(info), value);
	case SOURCE_ACCECN_OPTION:
		return fits_text(render_accecn_option(info), value);
	case SOURCE_FASTOPEN:
		return fits_text(render_fastopen(info), value);
	case SOURCE_OPTIONS:
		return fits_options(info, value);
	default:
		return number_of(field, info, now, &number) && number == value->number;
	}
}

static bool holds(const struct filter *filter, const struct condition *condition, const struct stack_conn_info *info,
                  struct instant now)
{
	const struct field *field = condition->field;
	uint64_t number, bound = condition->value->number;
	bool one = false;

	if (!kept(field, info))
		return false;
	if (condition->op == OP_EQUAL || condition->op == OP_NOT_EQUAL) {
		for (uint32_t i = 0; i < condition->count && !one; i++)
			one = equals(filter, field, info, now, &condition->value[i]);
		return one == (condition->op == OP_EQUAL);
	}
	if (!number_of(field, info, now, &number))
		return false;
	switch (condition->op) {
	case OP_LESS:
		return number < bound;
	case OP_LESS_EQUAL:
		return number <= bound;
	case OP_GREATER:
		return number > bound;
	case OP_GREATER_EQUAL:
		return number >= bound;
	default:
		return false;
	}
}

bool filter_match(const void *opaque, const struct stack_conn_info *info, struct instant now)
{
	const struct filter *filter = opaque;

	for (uint32_t i = 0; i < filter->condition_count; i++)
		if (!holds(filter, &filter->condition[i], info, now))
			return false;
	return true;
}

/* ---- making one (main's thread) ------------------------------------------------------------------------------ */

static const struct field *find_field(const char *name)
{
	for (size_t i = 0; i < FIELD_COUNT; i++)
		if (strcmp(fields[i].name, name) == 0)
			return &fields[i];
	return NULL;
}

bool filter_field_exists(const char *name)
{
	return find_field(name) != NULL;
}

static int parse_operator(const char *text, const struct field *field, enum comparison *ret_op, char *reason,
                          size_t reason_size)
{
	bool ordered = (field->kind == TAPSTACK_FIELD_NUMBER || field->kind == TAPSTACK_FIELD_MILLISECONDS) &&
	               field->source != SOURCE_PORTS;

	for (unsigned op = 0; op < OP_COUNT; op++) {
		if (strcmp(text, operator_names[op]) == 0 && (op <= OP_NOT_EQUAL || ordered)) {
			*ret_op = (enum comparison)op;
			return 0;
		}
	}
	snprintf(reason, reason_size, "field %s takes the operators %s", field->name,
	         ordered ? "=, !=, <, <=, > and >=" : "= and !=");
	return -EINVAL;
}

static int parse_values(struct filter *filter, struct condition *condition, const json_t *values, size_t *used,
                        char *reason, size_t reason_size)
{
	size_t i, count = json_array_size(values);
	json_t *text;

	if (count == 0 || (condition->op > OP_NOT_EQUAL && count != 1)) {
		snprintf(reason, reason_size, "a condition on %s needs %s value", condition->field->name,
		         count ? "exactly one" : "at least one");
		return -EINVAL;
	}
	condition->value = &filter->values[*used];
	json_array_foreach(values, i, text)
	{
		int r = json_is_string(text) ? value_parse(json_string_value(text), condition->field->kind,
		                                           &filter->values[*used], reason, reason_size)
		                             : -EINVAL;

		if (!json_is_string(text))
			snprintf(reason, reason_size, "the values of a condition must be strings");
		if (r == -EINVAL) {
			char what[256];

			snprintf(what, sizeof(what), "%s", reason);
			snprintf(reason, reason_size, "field %s: %s", condition->field->name, what);
		}
		if (r < 0)
			return r;
		(*used)++;
		condition->count++;
	}
	return 0;
}

static int parse_condition(struct filter *filter, const json_t *object, size_t *used, char *reason,
                           size_t reason_size)
{
	struct condition *condition = &filter->condition[filter->condition_count];
	const char *name, *operator_text;
	json_t *values;
	int r;

	if (json_unpack((json_t *)object, "{s:s, s:s, s:o !}", "field", &name, "operator", &operator_text, "values",
	                &values) < 0 ||
	    !json_is_array(values)) {
		snprintf(reason, reason_size, "a condition is an object with field, operator and values");
		return -EINVAL;
	}
	condition->field = find_field(name);
	if (!condition->field) {
		snprintf(reason, reason_size, "there is no field %.40s", name);
		return -EINVAL;
	}
	r = parse_operator(operator_text, condition->field, &condition->op, reason, reason_size);
	if (r < 0)
		return r;
	/* Counted before its values are there: those that were read before one that is wrong are freed with it. */
	filter->condition_count++;
	return parse_values(filter, condition, values, used, reason, reason_size);
}

static int copy_names(struct filter *filter, const struct render_names *names)
{
	if (!names || !names->service_count)
		return 0;
	filter->service = calloc(names->service_count, sizeof(*filter->service));
	if (!filter->service)
		return -ENOMEM;
	filter->service_count = names->service_count;
	for (size_t i = 0; i < names->service_count; i++) {
		if (!names->service[i])
			continue;
		filter->service[i] = strdup(names->service[i]);
		if (!filter->service[i])
			return -ENOMEM;
	}
	return 0;
}

/* Values in all conditions together; as a bound, before anything has been checked. */
static size_t count_values(const json_t *conditions)
{
	size_t i, count = 0;
	json_t *condition;

	json_array_foreach(conditions, i, condition)
	{
		count += json_array_size(json_object_get(condition, "values"));
	}
	return count;
}

int filter_new(const json_t *conditions, const struct render_names *names, struct filter **ret_filter, char *reason,
               size_t reason_size)
{
	size_t i, used = 0, room = count_values(conditions);
	struct filter *filter;
	json_t *condition;
	int r;

	if (json_array_size(conditions) > FILTER_CONDITIONS_MAX || room > FILTER_VALUES_MAX) {
		snprintf(reason, reason_size, "more than %d conditions or %d values", FILTER_CONDITIONS_MAX,
		         FILTER_VALUES_MAX);
		return -EINVAL;
	}
	filter = calloc(1, sizeof(*filter) + room * sizeof(filter->values[0]));
	if (!filter)
		return -ENOMEM;
	r = copy_names(filter, names);
	for (i = 0; r == 0 && i < json_array_size(conditions); i++) {
		condition = json_array_get(conditions, i);
		r = parse_condition(filter, condition, &used, reason, reason_size);
	}
	if (r < 0) {
		filter_free(filter);
		return r;
	}
	*ret_filter = filter;
	return 0;
}

void filter_free(struct filter *filter)
{
	if (!filter)
		return;
	for (size_t i = 0; i < filter->service_count; i++)
		free(filter->service[i]);
	free(filter->service);
	for (uint32_t i = 0; i < filter->condition_count; i++)
		for (uint32_t v = 0; v < filter->condition[i].count; v++)
			value_done(&filter->condition[i].value[v]);
	free(filter);
}
