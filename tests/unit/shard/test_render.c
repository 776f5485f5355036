/* JSON: names of fields, units, and what is left out. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <math.h>

#include <cmocka.h>

#include "shard/render.h"
#include "tapstack/control.h"

#include <string.h>

static void addresses(void **state)
{
	static const struct {
		struct ip_addr ip;
		uint16_t port;
		const char *address, *endpoint;
	} rows[] = {
		{ { { 0 } }, 80, "*", "*:80" },
		{ { { [10] = 0xff, [11] = 0xff } }, 0, "*", "*:*" },
		{ { { [10] = 0xff, [11] = 0xff, 192, 0, 2, 1 } }, 65535, "192.0.2.1", "192.0.2.1:65535" },
		{ { { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 } }, 443, "2001:db8::1", "[2001:db8::1]:443" },
	};
	char address[RENDER_ADDRESS_MAX], endpoint[RENDER_ENDPOINT_MAX];

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		assert_string_equal(render_address(&rows[i].ip, address), rows[i].address);
		assert_string_equal(render_endpoint(&rows[i].ip, rows[i].port, endpoint), rows[i].endpoint);
	}
}

static void connections(void **state)
{
	static const char *const services[] = { NULL, "echo" };
	const struct render_names names = { .service = services, .service_count = 2 };
	struct stack_conn_info info = {
		.id = 42,
		.state = TCPS_ESTABLISHED,
		.service = 1,
		.congestion = "reno",
		.sack = true,
		.nodelay = true,
		.flow = { ip_addr_v4(0xc0000202), ip_addr_v4(0xc0000201), 7, 40000 },
		.opened = { 1000000000 },
		.last_snd = { 2999000000 },
		.rto = DURATION_MS(200),
		.srtt = DURATION_US(1500),
		.ssthresh = UINT64_MAX,
		.cwnd = 14600,
		.recv_q = 3,
		.snd_una = 0xfffffff0u,
	};
	json_t *object = render_connection(&info, &names, (struct instant){ 3000000000 });
	const char *state_name, *local, *peer, *service, *cong, *role, *opt0, *opt1;
	json_int_t id, cwnd, recv_q, snd_una;
	double age, lastsnd, rto, rtt;

	(void)state;
	assert_int_equal(json_unpack(object, "{sI ss ss ss ss ss ss sI sI sI sF sF sF sF s[ss!]}", "id", &id, "state",
	                             &state_name, "local", &local, "peer", &peer, "service", &service, "cong", &cong,
	                             "role", &role, "cwnd", &cwnd, "recv_q", &recv_q, "snd_una", &snd_una, "age",
	                             &age, "lastsnd", &lastsnd, "rto", &rto, "rtt", &rtt, "opts", &opt0, &opt1),
	                 0);
	assert_int_equal(id, 42);
	assert_string_equal(state_name, "ESTABLISHED");
	assert_string_equal(local, "192.0.2.2");
	assert_string_equal(peer, "192.0.2.1");
	assert_string_equal(service, "echo");
	assert_string_equal(cong, "reno");
	assert_string_equal(role, "passive");
	assert_string_equal(opt0, "sack");
	assert_string_equal(opt1, "nodelay");
	assert_int_equal(cwnd, 14600);
	assert_int_equal(recv_q, 3);
	assert_int_equal(snd_una, 0xfffffff0u);
	assert_true(age == 2000.0 && lastsnd == 1.0 && rto == 200.0 && rtt == 1.5);
	assert_true(json_is_null(json_object_get(object, "ssthresh")));
	assert_true(json_is_null(json_object_get(object, "lastrcv"))); /* never */
	json_decref(object);

	info.compact = true;
	info.service = 9; /* without a name */
	object = render_connection(&info, &names, (struct instant){ 0 });
	assert_null(json_object_get(object, "cwnd"));
	assert_non_null(json_object_get(object, "iss"));
	assert_true(json_is_null(json_object_get(object, "service")));
	assert_true(json_real_value(json_object_get(object, "age")) ==
	            0.0); /* a clock that went back: not negative */
	json_decref(object);

	info = (struct stack_conn_info){ .state = TCPS_LISTEN, .backlog = 128, .accept_q = 2 };
	object = render_connection(&info, NULL, (struct instant){ 0 });
	assert_int_equal(json_integer_value(json_object_get(object, "send_q")), 128);
	assert_int_equal(json_integer_value(json_object_get(object, "recv_q")), 2);
	assert_true(json_is_null(json_object_get(object, "id")));
	assert_null(json_object_get(object, "age"));
	assert_null(json_object_get(object, "rtt"));
	assert_null(json_object_get(object, "iss"));
	json_decref(object);
}

/* A full record has all fields that clients are promised, and no others; the advice of ICMP only when there was any.
 */
static void every_field_is_there(void **state)
{
	static const char *const fields[] = {
#define FIELD_NAME(name, kind, unit, help) #name,
		TAPSTACK_CONNECTION_FIELDS(FIELD_NAME)
#undef FIELD_NAME
	};
	struct stack_conn_info info = { .state = TCPS_ESTABLISHED, .window_scaling = true };
	json_t *object = render_connection(&info, NULL, (struct instant){ 0 });

	(void)state;
	for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
		if (!json_object_get(object, fields[i]))
			fail_msg("no %s", fields[i]);
	}
	assert_int_equal(json_object_size(object), sizeof(fields) / sizeof(fields[0]));
	assert_true(json_is_null(json_object_get(object, "icmp_type")));
	assert_true(json_is_null(json_object_get(object, "keepalive")));
	json_decref(object);
	info.icmp_errors = 2;
	info.icmp_type = 3;
	info.icmp_code = 1;
	info.keepalive_left = DURATION_MS(1500);
	info.rwnd_limited = DURATION_MS(250);
	object = render_connection(&info, NULL, (struct instant){ 0 });
	assert_int_equal(json_integer_value(json_object_get(object, "icmp_type")), 3);
	assert_int_equal(json_integer_value(json_object_get(object, "icmp_code")), 1);
	assert_true(json_real_value(json_object_get(object, "keepalive")) == 1500.0);
	assert_true(json_real_value(json_object_get(object, "rwnd_limited")) == 250.0);
	json_decref(object);
}

static void text_is(const json_t *object, const char *field, const char *text)
{
	assert_string_equal(json_string_value(json_object_get(object, field)), text);
}

/* What ECN and Fast Open have come to. */
static void ecn_and_fastopen(void **state)
{
	static const struct {
		struct stack_conn_info info;
		const char *ecn, *ect, *option, *fastopen, *opt;
	} rows[] = {
		{ { .ecn = 0 }, "none", "not-ECT", "none", "no", NULL },
		{ { .ecn = 1, .ecn_codepoint = 2 }, "classic", "ECT(0)", "none", "no", "ecn" },
		{ { .ecn = 2, .ecn_codepoint = 1, .accecn_option = STACK_ACCECN_OPTION_SEEN },
		  "accurate",
		  "ECT(1)",
		  "seen",
		  "no",
		  "ecn" },
		{ { .ecn_seen = true, .accecn_option = STACK_ACCECN_OPTION_MANGLED, .ecn = 9 },
		  "?",
		  "not-ECT",
		  "mangled",
		  "no",
		  "ecnseen" },
		{ { .fastopen = true }, "none", "not-ECT", "none", "accepted", "fastopen" },
		{ { .fastopen_refused = true }, "none", "not-ECT", "none", "refused", NULL },
	};
	struct stack_conn_info info = { .state = TCPS_ESTABLISHED,
		                        .ecn_fallback = true,
		                        .delivery_app_limited = true,
		                        .delivery_rate = 1,
		                        .delivered = 2,
		                        .delivered_ce = 3,
		                        .delivered_e0_bytes = 4,
		                        .delivered_e1_bytes = 5,
		                        .delivered_ce_bytes = 6,
		                        .received_ce = 7,
		                        .received_e0_bytes = 8,
		                        .received_e1_bytes = 9,
		                        .received_ce_bytes = 10,
		                        .reo_wnd = DURATION_US(1250) };
	static const char *const numbers[] = { "delivery_rate",      "delivered",          "delivered_ce",
		                               "delivered_e0_bytes", "delivered_e1_bytes", "delivered_ce_bytes",
		                               "received_ce",        "received_e0_bytes",  "received_e1_bytes",
		                               "received_ce_bytes" };
	json_t *object, *opts;
	size_t last;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct stack_conn_info row = rows[i].info;

		row.state = TCPS_ESTABLISHED;
		object = render_connection(&row, NULL, (struct instant){ 0 });
		text_is(object, "ecn", rows[i].ecn);
		text_is(object, "ect", rows[i].ect);
		text_is(object, "accecn_option", rows[i].option);
		text_is(object, "fastopen", rows[i].fastopen);
		opts = json_object_get(object, "opts");
		last = json_array_size(opts);
		assert_int_equal(last > 0, rows[i].opt != NULL);
		if (last > 0)
			assert_string_equal(json_string_value(json_array_get(opts, last - 1)), rows[i].opt);
		json_decref(object);
	}
	object = render_connection(&info, NULL, (struct instant){ 0 });
	for (size_t i = 0; i < sizeof(numbers) / sizeof(numbers[0]); i++)
		assert_int_equal(json_integer_value(json_object_get(object, numbers[i])), i + 1);
	assert_true(json_is_true(json_object_get(object, "ecn_fallback")));
	assert_true(json_is_true(json_object_get(object, "app_limited")));
	assert_true(json_real_value(json_object_get(object, "reo_wnd")) == 1.25);
	json_decref(object);
}

static void counters_and_gauges(void **state)
{
	struct stack_counters counters = { .frames_in = 5, .bytes_out = UINT64_MAX };
	struct stack_gauges gauges = { .connections = 3, .journal_room = 9 };
	json_t *object;

	(void)state;
	counters.verdict[VERDICT_DROP_PAWS] = 2;
	counters.transitions[TCPS_LISTEN][TCPS_SYN_RECEIVED] = 4;
	gauges.in_state[TCPS_TIME_WAIT] = 8;

	object = render_counters(&counters, false);
	assert_int_equal(json_integer_value(json_object_get(object, "frames_in")), 5);
	assert_int_equal(json_integer_value(json_object_get(object, "bytes_out")), INT64_MAX);
	assert_int_equal(json_object_size(json_object_get(object, "verdicts")), 1);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(object, "verdicts"), "DROP_PAWS")), 2);
	assert_int_equal(json_object_size(json_object_get(object, "transitions")), 1);
	assert_int_equal(
	        json_integer_value(json_object_get(json_object_get(object, "transitions"), "LISTEN>SYN-RECEIVED")),
	        4);
	json_decref(object);
	object = render_counters(&counters, true);
	assert_int_equal(json_object_size(json_object_get(object, "verdicts")), STACK_VERDICT_COUNT);
	json_decref(object);

	object = render_gauges(&gauges);
	assert_int_equal(json_integer_value(json_object_get(object, "connections")), 3);
	assert_int_equal(json_integer_value(json_object_get(object, "journal_room")), 9);
	assert_int_equal(json_integer_value(json_object_get(json_object_get(object, "states"), "TIME-WAIT")), 8);
	json_decref(object);
}

static const int names_context[1];

static const char *output_name(const void *context, uint16_t congestion, uint32_t index)
{
	static const char *const names[] = { "w_max", "k" };

	assert_ptr_equal(context, names_context);
	return congestion == 3 && index < 2 ? names[index] : NULL;
}

/* What algorithms say about themselves, under the names of their tables; what is no number is null. */
static void algorithms(void **state)
{
	const struct render_names names = { .output = output_name, .context = names_context };
	struct stack_conn_info info = {
		.id = 1,
		.state = TCPS_ESTABLISHED,
		.congestion = "cubic",
		.congestion_id = 3,
		.output_count = 3,
		.output = { 1.5, INFINITY, 7 },
	};
	json_t *object = render_connection(&info, &names, (struct instant){ 0 });
	const json_t *outputs = json_object_get(object, "outputs");

	(void)state;
	assert_int_equal(json_object_size(outputs), 2);
	assert_true(json_real_value(json_object_get(outputs, "w_max")) == 1.5);
	assert_true(json_is_null(json_object_get(outputs, "k")));
	assert_true(json_is_null(json_object_get(object, "shadow")));
	assert_true(json_is_null(json_object_get(object, "shadow_cwnd")));
	json_decref(object);
	info.shadow = "vegas";
	info.shadow_id = 3;
	info.shadow_cwnd = 5000;
	info.shadow_ssthresh = UINT64_MAX;
	info.shadow_output_count = 1;
	object = render_connection(&info, &names, (struct instant){ 0 });
	assert_string_equal(json_string_value(json_object_get(object, "shadow")), "vegas");
	assert_int_equal(json_integer_value(json_object_get(object, "shadow_cwnd")), 5000);
	assert_true(json_is_null(json_object_get(object, "shadow_ssthresh")));
	assert_int_equal(json_object_size(json_object_get(object, "shadow_outputs")), 1);
	json_decref(object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(addresses),        cmocka_unit_test(connections),
		cmocka_unit_test(algorithms),       cmocka_unit_test(every_field_is_there),
		cmocka_unit_test(ecn_and_fastopen), cmocka_unit_test(counters_and_gauges),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
