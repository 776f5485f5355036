/* The path's MTU as connections find it: reports of routers (RFC 1191, RFC 5927 section 7), black holes (RFC 2923),
 * probes (RFC 4821), and what is remembered. */
#include "../net/net_test.h"

#define FULL 1460 /* payload of a full segment on Ethernet, without options */

static const struct tcp_options plain = { .has_mss = true, .mss = FULL };
static const struct tcp_options sacking = { .has_mss = true, .mss = FULL, .sack_permitted = true };

static void acks(struct peer *p, uint32_t ack)
{
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(ack) });
}

/* The peer holds [from, to) beyond a hole at `ack`. */
static void sacks(struct peer *p, uint32_t ack, uint32_t from, uint32_t to)
{
	struct seg seg = { .flags = TCP_ACK, .seq = 1001, .ack = OURS(ack) };

	seg.options.sack_count = 1;
	seg.options.sack[0] = (struct tcp_sack_block){ SEQ(OURS(from)), SEQ(OURS(to)) };
	peer_sends(p, seg);
}

/* A router had no room for the segment at `position`, in a packet of `size` bytes; its next hop takes `mtu`. */
static enum stack_verdict router_says(struct peer *p, uint32_t position, uint16_t mtu, uint32_t size)
{
	uint8_t quoted[28] = { 0 };
	struct ip_packet about = { .source = STACK_IP,
		                   .destination = PEER_IP,
		                   .protocol = IP_PROTOCOL_TCP,
		                   .payload_bytes = size - IPV4_HEADER_BYTES };
	struct icmp_message message = { .type = ICMP_UNREACHABLE,
		                        .code = ICMP_FRAGMENTATION_NEEDED,
		                        .next_hop_mtu = mtu,
		                        .payload = quoted,
		                        .payload_bytes = sizeof(quoted) };

	ipv4_write(quoted, &about);
	store16(quoted + 20, SERVICE_PORT);
	store16(quoted + 22, PEER_PORT);
	store32(quoted + 24, OURS(position));
	return sends_icmp(p, message, ip_addr_v4(0xc0000263)); /* some router */
}

static void expect_data(struct peer *p, uint32_t position, uint32_t length)
{
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(position), .ack = 1001, .length = length });
}

static struct stack_path_info path_info(struct peer *p)
{
	struct stack_path_info info[2];
	struct ip_addr peer = PEER_IP;

	assert_int_equal(stack_paths(p->stack, info, 2), 1);
	assert_true(ip_addr_equal(&info[0].destination, &peer));
	return info[0];
}

static const struct stack_counters *counters(struct peer *p)
{
	return stack_get_counters(p->stack);
}

/* DF of the next frame, which stays. */
static bool dont_fragment(struct peer *p)
{
	const struct peer_frame *frame = &p->frame[p->frame_first];

	assert_true(p->frame_first < p->frame_count);
	return (load16(frame->bytes + ETHERNET_HEADER_BYTES + 6) & 0x4000) != 0;
}

/* Nothing but the plain timer: dialogues with time-outs count them. */
static void by_timer(struct stack_config *config)
{
	config->tcp.tail_loss_probe = config->tcp.rack = false;
}

static void icmp_only(struct stack_config *config)
{
	by_timer(config);
	config->tcp.path_mtu = STACK_PATH_MTU_ICMP;
}

static void probing(struct stack_config *config)
{
	by_timer(config);
	config->tcp.path_mtu = STACK_PATH_MTU_PROBE;
}

static void without(struct stack_config *config)
{
	config->tcp.path_mtu = STACK_PATH_MTU_OFF;
}

/* A connection on which a full segment was acknowledged. */
static void with_proof(struct peer *p)
{
	peer_establishes(p, sacking);
	service_sends(p, FULL);
	expect_data(p, 1, FULL);
	acks(p, 1 + FULL);
}

/* ---- reports -----------------------------------------------------------------------------------------------------
 */

/* RFC 1191 section 5, 7: routers of before 1990 don't say which size they take. */
static void old_routers(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, plain);
	service_sends(p, FULL);
	expect_data(p, 1, FULL);
	assert_int_equal(router_says(p, 1, 0, 1500), VERDICT_ACCEPTED);
	expect_data(p, 1, 1452);
	expect_data(p, 1453, 8);
	router_says(p, 1, 0, 1492);
	assert_int_equal(peer_info(p).mss, 1006 - 40);
	router_says(p, 1, 0, 1492); /* an old report: these are smaller by now */
	assert_int_equal(peer_info(p).mss, 1006 - 40);
	router_says(p, 1, 0, 1026); /* with the header counted twice */
	assert_int_equal(peer_info(p).mss, 552 - 40);
	assert_int_equal(peer_info(p).pmtu, 552);
	assert_int_equal(path_info(p).too_big, 3);
	assert_int_equal(counters(p)->path_mtu_reports, 4);
	peer_stop_anyhow(p);
}

/* RFC 5927 section 7.2: segments of this size have arrived; the report counts only if the one it quotes does not. */
static void report_against_the_evidence_waits(void **state)
{
	struct peer *p = peer_start(by_timer);

	(void)state;
	with_proof(p);
	service_sends(p, FULL);
	expect_data(p, 1 + FULL, FULL);
	assert_int_equal(router_says(p, 1 + FULL, 600, 1500), VERDICT_ACCEPTED);
	expect_nothing(p);
	assert_int_equal(peer_info(p).mss, FULL);
	acks(p, 1 + 2 * FULL); /* made up */
	service_sends(p, FULL);
	expect_data(p, 1 + 2 * FULL, FULL);
	peer_waits(p, DURATION_MS(300));
	expect_data(p, 1 + 2 * FULL, FULL); /* a time-out for another reason */
	assert_int_equal(peer_info(p).mss, FULL);
	peer_stop_anyhow(p);
}

static void report_is_believed_after_a_timeout(void **state)
{
	struct peer *p = peer_start(by_timer);

	(void)state;
	with_proof(p);
	service_sends(p, FULL);
	expect_data(p, 1 + FULL, FULL);
	router_says(p, 1 + FULL, 600, 1500);
	peer_waits(p, DURATION_MS(300));
	expect_data(p, 1 + FULL, 560);
	assert_int_equal(peer_info(p).mss, 560);
	assert_int_equal(peer_info(p).pmtu, 600);
	assert_int_equal(path_info(p).pmtu, 600);
	assert_false(path_info(p).black_hole);
	peer_stop_anyhow(p);
}

/* The ACKs for others show that the quoted segment was lost: for its size, not for congestion. */
static void report_is_believed_after_a_loss(void **state)
{
	struct peer *p = peer_start(by_timer);
	struct stack_conn_info before;
	uint32_t at = 1 + FULL;

	(void)state;
	with_proof(p);
	service_sends(p, FULL);
	service_sends(p, 500);
	service_sends(p, 500);
	peer_ignores_rest(p);
	service_sends(p, 3 * FULL);
	peer_ignores_rest(p);
	before = peer_info(p);
	router_says(p, at, 1000, 1500);
	sacks(p, at, at + FULL, at + 2 * FULL + 1000);
	peer_turn(p);
	assert_int_equal(peer_info(p).mss, FULL);
	sacks(p, at, at + FULL, at + 3 * FULL + 1000);
	assert_int_equal(peer_info(p).mss, 960);
	assert_int_equal(peer_info(p).ssthresh, before.ssthresh);
	assert_int_equal(counters(p)->fast_recoveries, 0);
	expect_data(p, at, 960);
	peer_stop_anyhow(p);
}

/* Nobody is talked into crumbs; a router that does take less may cut the packets itself. */
static void below_the_least(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, plain);
	service_sends(p, FULL);
	assert_true(dont_fragment(p));
	expect_data(p, 1, FULL);
	router_says(p, 1, 296, 1500);
	assert_false(dont_fragment(p));
	expect_data(p, 1, 512);
	assert_true(path_info(p).fragments);
	assert_int_equal(path_info(p).pmtu, 552);
	peer_ignores_rest(p);
	peer_stop_anyhow(p);
}

static void larger_is_nonsense(void **state)
{
	struct peer *p = peer_start(NULL);
	struct stack_path_info info;

	(void)state;
	peer_establishes(p, plain);
	service_sends(p, FULL);
	expect_data(p, 1, FULL);
	router_says(p, 1, 1500, 1500);
	router_says(p, 1, 9000, 1500);
	expect_nothing(p);
	assert_int_equal(stack_paths(p->stack, &info, 1), 0);
	peer_stop_anyhow(p);
}

static void without_discovery(void **state)
{
	struct peer *p = peer_start(without);

	(void)state;
	peer_establishes(p, plain);
	service_sends(p, FULL);
	assert_false(dont_fragment(p));
	expect_data(p, 1, 536);
	expect_data(p, 537, 536);
	expect_data(p, 1073, 388);
	router_says(p, 1, 552, 576);
	expect_nothing(p);
	assert_int_equal(peer_info(p).mss, 536);
	assert_int_equal(peer_info(p).pmtu, 576);
	assert_int_equal(peer_info(p).advmss, FULL); /* what we take is another thing */
	peer_stop_anyhow(p);
}

/* What one connection has learned, the next ones know; and for ten minutes. */
static void remembered_for_ten_minutes(void **state)
{
	struct peer *p = peer_start(icmp_only);
	struct conn_handle first;

	(void)state;
	peer_establishes(p, plain);
	first = p->conn;
	service_sends(p, FULL);
	expect_data(p, 1, FULL);
	router_says(p, 1, 1400, 1500);
	peer_ignores_rest(p);
	acks(p, 1 + FULL);
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000, .source_port = 41000, .options = plain });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	assert_int_equal(p->last.options.mss, FULL); /* what we can receive does not depend on it (RFC 1191 3.1) */
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .source_port = 41000 });
	assert_int_equal(peer_info(p).mss, 1360);
	peer_waits(p, DURATION_S(590));
	service_sends(p, FULL);
	expect_data(p, 1, 1360);
	expect_data(p, 1361, 100);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1 + FULL), .source_port = 41000 });
	peer_waits(p, DURATION_S(11));
	service_sends(p, FULL); /* RFC 1191 section 6.3: tried again */
	expect_data(p, 1 + FULL, FULL);
	assert_int_equal(peer_info(p).pmtu, 1500);
	stack_abort(p->stack, first);
	peer_stop_anyhow(p);
}

/* Another connection to the same host had learned it: a time-out is reason enough to look. */
static void others_learn_at_a_timeout(void **state)
{
	struct peer *p = peer_start(by_timer);
	struct conn_handle first, second;
	uint32_t iss;

	(void)state;
	peer_establishes(p, plain);
	first = p->conn;
	iss = p->iss;
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000, .source_port = 41000, .options = plain });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .source_port = 41000 });
	second = p->conn;
	service_sends(p, FULL);
	expect_data(p, 1, FULL);
	p->conn = first;
	p->iss = iss;
	service_sends(p, FULL);
	expect_data(p, 1, FULL);
	router_says(p, 1, 1000, 1500);
	expect_data(p, 1, 960);
	peer_ignores_rest(p);
	acks(p, 1 + FULL);
	peer_waits(p, DURATION_MS(300));
	assert_int_equal(p->frame_count - p->frame_first, 1);
	assert_int_equal(p->frame[p->frame_first].length, ETHERNET_HEADER_BYTES + 1000);
	stack_abort(p->stack, second);
	peer_stop_anyhow(p);
}

/* Segments of what was queued before are cut anew, super-frames as well. */
static void offload(struct stack_config *config)
{
	by_timer(config);
	config->checksum_offload = true;
	config->gso_bytes_max = 65536;
}

static void super_frames_follow(void **state)
{
	struct peer *p = peer_start(offload);

	(void)state;
	peer_establishes(p, plain);
	service_sends(p, 10 * FULL);
	assert_int_equal(p->frame[p->frame_first].gso_bytes, FULL);
	expect_data(p, 1, 10 * FULL);
	router_says(p, 1 + 3 * FULL, 1040, 1500);
	assert_int_equal(p->frame[p->frame_first].gso_bytes, 1000);
	expect_data(p, 1, 14600);
	peer_stop_anyhow(p);
}

/* Only what was too long is sent again. */
static void short_segments_got_through(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, plain);
	service_sends(p, FULL);
	service_sends(p, 300);
	expect_data(p, 1, FULL);
	expect_data(p, 1 + FULL, 300);
	router_says(p, 1, 1000, 1500);
	expect_data(p, 1, 960);
	expect_data(p, 961, 500);
	peer_stop(p);
}

static void no_memory_for_the_record(void **state)
{
	struct peer *p = peer_start(NULL);
	struct stack_path_info info;

	(void)state;
	peer_establishes(p, plain);
	service_sends(p, FULL);
	expect_data(p, 1, FULL);
	test_memory_fail_after(&p->memory, 0);
	router_says(p, 1, 1000, 1500);
	test_memory_fail_never(&p->memory);
	assert_int_equal(stack_paths(p->stack, &info, 1), 0);
	assert_int_equal(peer_info(p).mss, 960);
	expect_data(p, 1, 960);
	expect_data(p, 961, 500);
	peer_stop_anyhow(p);
}

/* ---- black holes -------------------------------------------------------------------------------------------------
 */

/* The peer acknowledges whatever fits packets of `mtu` bytes and comes in order, until nothing more is sent. Returns
 * the length of the longest payload that did not fit; 0: all did. */
static uint32_t black_hole(struct peer *p, uint32_t *at, uint32_t mtu)
{
	uint32_t too_long = 0, next = *at;

	while (p->frame_first < p->frame_count) {
		struct peer_frame *frame = &p->frame[p->frame_first++];
		uint32_t payload = frame->length - frame->header_bytes;
		uint32_t position = load32(frame->bytes + HEADERS + 4) - p->iss;

		if (frame->length - ETHERNET_HEADER_BYTES > mtu)
			too_long = payload > too_long ? payload : too_long;
		else if (position <= next && position + payload > next)
			next = position + payload;
		else if (payload > 0 && position > next)
			sacks(p, next, position, position + payload);
		free(frame->bytes);
		frame->bytes = NULL;
		if (next != *at)
			acks(p, *at = next);
	}
	return too_long;
}

static void black_hole_is_found(void **state)
{
	struct peer *p = peer_start(by_timer);
	uint32_t at = 1;

	(void)state;
	peer_establishes(p, sacking);
	service_sends(p, FULL);
	expect_data(p, 1, FULL);
	peer_waits(p, DURATION_MS(350));
	expect_data(p, 1, FULL); /* one time-out is nothing special */
	peer_waits(p, DURATION_MS(450));
	expect_data(p, 1, 984);
	assert_int_equal(counters(p)->path_mtu_black_holes, 0); /* it may be that nothing gets through */
	acks(p, 985);
	assert_int_equal(counters(p)->path_mtu_black_holes, 1);
	assert_true(path_info(p).black_hole);
	assert_int_equal(path_info(p).pmtu, 1024);
	assert_int_equal(path_info(p).black_holes, 1);
	expect_data(p, 985, FULL - 984);
	acks(p, at = 1 + FULL);
	/* And now the search for what does get through. */
	for (int i = 0; i < 200 && path_info(p).probe_low < 1420; i++) {
		service_sends(p, 30000);
		black_hole(p, &at, 1420);
		peer_waits(p, DURATION_MS(200));
	}
	assert_int_equal(path_info(p).pmtu, 1420);
	assert_int_equal(peer_info(p).mss, path_info(p).pmtu - 40);
	assert_int_equal(counters(p)->fast_recoveries, 0); /* probes only were lost */
	assert_in_range(counters(p)->path_mtu_probes_lost, 3, 15);
	peer_stop_anyhow(p);
}

/* Once full segments have arrived it takes longer to believe. */
static void proven_path_gets_more_patience(void **state)
{
	struct peer *p = peer_start(by_timer);

	(void)state;
	with_proof(p);
	service_sends(p, FULL);
	expect_data(p, 1 + FULL, FULL);
	for (int i = 0; i < 2; i++) {
		peer_waits(p, DURATION_MS(210 << i));
		expect_data(p, 1 + FULL, FULL);
	}
	peer_waits(p, DURATION_MS(850));
	expect_data(p, 1 + FULL, 984);
	peer_stop_anyhow(p);
}

/* When 1024 bytes don't get through either, the least is tried. A path that was merely broken gives all back with the
 * first probe. */
static void broken_path_costs_one_probe(void **state)
{
	struct peer *p = peer_start(by_timer);
	uint32_t at = 1;

	(void)state;
	peer_establishes(p, sacking);
	service_sends(p, FULL);
	peer_waits(p, DURATION_MS(800));
	assert_int_equal(peer_info(p).mss, 984);
	peer_waits(p, DURATION_S(5));
	assert_int_equal(peer_info(p).mss, 512);
	peer_waits(p, DURATION_S(60));
	assert_int_equal(peer_info(p).mss, 512);
	peer_ignores_rest(p);
	acks(p, at = 1 + FULL);
	for (int i = 0; i < 5 && peer_info(p).mss < FULL; i++) {
		service_sends(p, 20000);
		black_hole(p, &at, 1500);
	}
	assert_int_equal(peer_info(p).mss, FULL);
	assert_int_equal(counters(p)->path_mtu_probes, 1);
	assert_int_equal(path_info(p).pmtu, 0);
	peer_stop_anyhow(p);
}

static void small_segments_are_above_suspicion(void **state)
{
	struct peer *p = peer_start(by_timer);

	(void)state;
	peer_establishes(p, plain);
	service_sends(p, 900);
	peer_waits(p, DURATION_S(20));
	assert_int_equal(peer_info(p).mss, FULL);
	peer_stop_anyhow(p);
}

static void icmp_mode_does_not_suspect(void **state)
{
	struct peer *p = peer_start(icmp_only);

	(void)state;
	peer_establishes(p, plain);
	service_sends(p, FULL);
	peer_waits(p, DURATION_S(20));
	assert_int_equal(peer_info(p).mss, FULL);
	peer_stop_anyhow(p);
}

/* ---- probes ------------------------------------------------------------------------------------------------------
 */

/* RFC 4821 section 7.4: the probe is real data, one segment, and the ACK for it raises the MSS. */
static void probe_raises(void **state)
{
	struct peer *p = peer_start(probing);

	(void)state;
	peer_establishes(p, sacking);
	assert_int_equal(peer_info(p).mss, 984);
	service_sends(p, 5 * 984);
	for (uint32_t i = 0; i < 5; i++)
		expect_data(p, 1 + i * 984, 984); /* not enough for a probe and what must follow it */
	acks(p, 1 + 5 * 984);
	service_sends(p, 6000);
	assert_int_equal(p->frame[p->frame_first].gso_bytes, 0);
	expect_data(p, 4921, FULL);
	expect_data(p, 4921 + FULL, 984);
	peer_ignores_rest(p);
	assert_int_equal(path_info(p).probes, 1);
	assert_int_equal(peer_info(p).mss, 984);
	acks(p, 4921 + FULL);
	assert_int_equal(peer_info(p).mss, FULL);
	assert_int_equal(peer_info(p).pmtu, 1500);
	assert_int_equal(path_info(p).probe_low, 1500);
	assert_int_equal(path_info(p).probes_lost, 0);
	peer_stop_anyhow(p);
}

/* The loss of a probe is resent at once in the ordinary size, and is no sign of congestion. */
static void lost_probe_is_no_congestion(void **state)
{
	struct peer *p = peer_start(probing);
	struct stack_conn_info before;
	uint32_t end = 1 + FULL;

	(void)state;
	peer_establishes(p, sacking);
	service_sends(p, 6000);
	expect_data(p, 1, FULL);
	peer_ignores_rest(p);
	before = peer_info(p);
	sacks(p, 1, end, end + 2 * 984);
	sacks(p, 1, end, end + 3 * 984);
	sacks(p, 1, end, end + 4 * 984);
	expect_data(p, 1, 984);
	expect_data(p, 985, FULL - 984);
	expect_nothing(p);
	assert_int_equal(peer_info(p).cwnd, before.cwnd);
	assert_int_equal(peer_info(p).ssthresh, before.ssthresh);
	assert_int_equal(peer_info(p).ca_state, 0);
	assert_int_equal(counters(p)->fast_recoveries, 0);
	assert_int_equal(counters(p)->path_mtu_probes_lost, 1);
	assert_int_equal(path_info(p).probes_lost, 1);
	acks(p, 6001);
	assert_int_equal(peer_info(p).mss, 984); /* the bytes arrived, the size did not */
	assert_int_equal(path_info(p).probe_low, 1024);
	peer_stop_anyhow(p);
}

/* A loss beside it counts as ever. */
static void other_losses_count(void **state)
{
	struct peer *p = peer_start(probing);
	uint32_t end = 1 + FULL;

	(void)state;
	peer_establishes(p, sacking);
	service_sends(p, 8000);
	peer_ignores_rest(p);
	sacks(p, 1, end + 984, end + 3 * 984);
	sacks(p, 1, end + 984, end + 4 * 984);
	sacks(p, 1, end + 984, end + 5 * 984);
	assert_int_equal(counters(p)->path_mtu_probes_lost, 1);
	assert_int_equal(counters(p)->fast_recoveries, 1);
	peer_stop_anyhow(p);
}

/* A time-out tells nothing good of the probe, whatever is acknowledged afterwards. */
static void timeout_ends_the_probe(void **state)
{
	struct peer *p = peer_start(probing);

	(void)state;
	peer_establishes(p, sacking);
	service_sends(p, 6000);
	peer_ignores_rest(p);
	peer_waits(p, DURATION_MS(350));
	expect_data(p, 1, 984);
	acks(p, 6001);
	assert_int_equal(peer_info(p).mss, 984);
	assert_int_equal(counters(p)->path_mtu_probes_lost, 1);
	peer_stop_anyhow(p);
}

/* A router answers the probe: that is where the search ends. */
static void router_answers_the_probe(void **state)
{
	struct peer *p = peer_start(probing);

	(void)state;
	peer_establishes(p, sacking);
	service_sends(p, 6000);
	peer_ignores_rest(p);
	router_says(p, 1, 1300, 1500);
	assert_int_equal(path_info(p).probe_high, 1300);
	acks(p, 1);
	sacks(p, 1, 1 + FULL, 1 + FULL + 2 * 984);
	sacks(p, 1, 1 + FULL, 1 + FULL + 3 * 984);
	sacks(p, 1, 1 + FULL, 1 + FULL + 4 * 984);
	peer_ignores_rest(p);
	acks(p, 6001);
	service_sends(p, 20000);
	expect_data(p, 6001, 1260);
	assert_int_equal(peer_info(p).mss, 1260);
	peer_stop_anyhow(p);
}

/* No probe where its loss could not be told soon, or the window has no room. */
static void probe_needs_room(void **state)
{
	struct peer *p = peer_start(probing);

	(void)state;
	peer_establishes(p, sacking);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .window = 5000 });
	service_sends(p, 20000);
	assert_int_equal(counters(p)->path_mtu_probes, 0);
	expect_data(p, 1, 984);
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(4921), .window = 20000 });
	assert_int_equal(counters(p)->path_mtu_probes, 1);
	peer_stop_anyhow(p);
}

/* The peer takes no larger ones anyway. */
static void probe_within_the_peers_mss(void **state)
{
	struct tcp_options options = { .has_mss = true, .mss = 1200 };
	struct peer *p = peer_start(probing);

	(void)state;
	peer_establishes(p, options);
	service_sends(p, 20000);
	expect_data(p, 1, 1200);
	expect_data(p, 1201, 984);
	peer_stop_anyhow(p);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(old_routers),
		cmocka_unit_test(report_against_the_evidence_waits),
		cmocka_unit_test(report_is_believed_after_a_timeout),
		cmocka_unit_test(report_is_believed_after_a_loss),
		cmocka_unit_test(below_the_least),
		cmocka_unit_test(larger_is_nonsense),
		cmocka_unit_test(without_discovery),
		cmocka_unit_test(remembered_for_ten_minutes),
		cmocka_unit_test(others_learn_at_a_timeout),
		cmocka_unit_test(super_frames_follow),
		cmocka_unit_test(short_segments_got_through),
		cmocka_unit_test(no_memory_for_the_record),
		cmocka_unit_test(black_hole_is_found),
		cmocka_unit_test(proven_path_gets_more_patience),
		cmocka_unit_test(broken_path_costs_one_probe),
		cmocka_unit_test(small_segments_are_above_suspicion),
		cmocka_unit_test(icmp_mode_does_not_suspect),
		cmocka_unit_test(probe_raises),
		cmocka_unit_test(lost_probe_is_no_congestion),
		cmocka_unit_test(other_losses_count),
		cmocka_unit_test(timeout_ends_the_probe),
		cmocka_unit_test(router_answers_the_probe),
		cmocka_unit_test(probe_needs_room),
		cmocka_unit_test(probe_within_the_peers_mss),
	};

	if (peer_is_ipv6()) /* the paths in here are too narrow for IPv6; see tests/unit/net/test_icmp6.c */
		return 77;
	return cmocka_run_group_tests(tests, NULL, NULL);
}
