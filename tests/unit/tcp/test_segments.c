/* Single segments against every state: RST, SYN, no ACK, wrong ACK; and the table of RFC 9293 section 3.4 that tells
 * which sequence numbers are acceptable. */
#include "../../support/peer.h"

static const struct tcp_options none = { 0 };

/* ---- bringing a connection to where it is wanted ------------------------------------------------------------------
 */

enum place {
	SYN_SENT,
	HALF_OPEN,    /* SYN-RECEIVED after a passive open */
	SYN_RECEIVED, /* after a simultaneous one */
	ESTABLISHED,
	FIN_WAIT_1,
	FIN_WAIT_2,
	CLOSE_WAIT,
	CLOSING,
	LAST_ACK,
	TIME_WAIT_HELD, /* the service still has the handle */
	TIME_WAIT,
	PLACES
};

static const struct {
	enum tcp_state state;
	uint32_t ours, theirs; /* SND.NXT - ISS, RCV.NXT - IRS */
} places[PLACES] = {
	[SYN_SENT] = { TCPS_SYN_SENT, 1, 1 },         [HALF_OPEN] = { TCPS_SYN_RECEIVED, 1, 1 },
	[SYN_RECEIVED] = { TCPS_SYN_RECEIVED, 1, 1 }, [ESTABLISHED] = { TCPS_ESTABLISHED, 1, 1 },
	[FIN_WAIT_1] = { TCPS_FIN_WAIT_1, 2, 1 },     [FIN_WAIT_2] = { TCPS_FIN_WAIT_2, 2, 1 },
	[CLOSE_WAIT] = { TCPS_CLOSE_WAIT, 1, 2 },     [CLOSING] = { TCPS_CLOSING, 2, 2 },
	[LAST_ACK] = { TCPS_LAST_ACK, 2, 2 },         [TIME_WAIT_HELD] = { TCPS_TIME_WAIT, 2, 2 },
	[TIME_WAIT] = { TCPS_TIME_WAIT, 2, 2 },
};

#define IRS 1000u

static void open_to(struct peer *p, enum place place)
{
	struct stack_connect_options to = { .remote = PEER_IP, .remote_port = PEER_PORT, .local_port = SERVICE_PORT };

	if (place == HALF_OPEN) {
		peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = IRS });
		expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = IRS + 1 });
	} else if (place == SYN_SENT || place == SYN_RECEIVED) {
		assert_int_equal(stack_connect(p->stack, &to, &p->conn), 0);
		peer_turn(p);
		expect(p, (struct seg){ .flags = TCP_SYN });
		if (place == SYN_RECEIVED) {
			peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = IRS });
			expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = IRS + 1 });
		}
	} else {
		peer_establishes(p, none);
	}
}

static void close_to(struct peer *p, enum place place)
{
	bool peer_first = place == CLOSE_WAIT || place == LAST_ACK;
	bool we_too = place == FIN_WAIT_1 || place == FIN_WAIT_2 || place == CLOSING || place == LAST_ACK ||
	              place >= TIME_WAIT_HELD;

	if (place < FIN_WAIT_1)
		return;
	if (peer_first)
		peer_sends(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = IRS + 1, .ack = OURS(1) });
	if (we_too) {
		stack_shutdown(p->stack, p->conn);
		peer_turn(p);
	}
	if (place == CLOSING)
		peer_sends(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = IRS + 1, .ack = OURS(1) });
	if (place == FIN_WAIT_2 || place >= TIME_WAIT_HELD)
		peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = IRS + 1, .ack = OURS(2) });
	if (place >= TIME_WAIT_HELD)
		peer_sends(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = IRS + 1, .ack = OURS(2) });
	if (place == TIME_WAIT) {
		stack_close(p->stack, p->conn);
		p->conn = CONN_HANDLE_NONE;
		peer_turn(p);
	}
	peer_ignores_rest(p);
}

static struct peer *bring_to(enum place place)
{
	struct peer *p = peer_start(NULL);

	open_to(p, place);
	close_to(p, place);
	assert_int_equal(peer_state(p), places[place].state);
	expect_nothing(p);
	return p;
}

/* ---- RST
 * ----------------------------------------------------------------------------------------------------------- */

/* RFC 9293 3.10.7.4 second step with RFC 5961 section 3, and RFC 1337 for TIME-WAIT. */
static void reset_in_every_state(void **state)
{
	(void)state;
	for (enum place place = 0; place < PLACES; place++) {
		struct peer *p = bring_to(place);
		uint32_t exact = IRS + places[place].theirs;
		bool stays = place >= TIME_WAIT_HELD;

		if (place == SYN_SENT) { /* it has its own rule, below */
			peer_stop_anyhow(p);
			continue;
		}
		peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = exact - 1 });
		peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = exact + 1000000 });
		assert_int_equal(peer_state(p), places[place].state);
		expect_nothing(p); /* outside the window: not a word */
		peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = exact + 1 });
		assert_int_equal(peer_state(p), places[place].state);
		if (place != HALF_OPEN && place != TIME_WAIT)
			expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(places[place].ours), .ack = exact });
		peer_ignores_rest(p);
		peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = exact });
		assert_int_equal(peer_state(p), stays ? TCPS_TIME_WAIT : TCPS_CLOSED);
		expect_nothing(p);
		peer_stop(p);
	}
}

static void reset_in_syn_sent(void **state)
{
	static const struct {
		uint8_t flags;
		int32_t ack; /* from ISS */
		bool resets;
	} resets[] = {
		{ TCP_RST, 1, false },           /* without ACK it proves nothing */
		{ TCP_RST | TCP_ACK, 0, false }, /* acknowledges nothing of ours */
		{ TCP_RST | TCP_ACK, 2, false }, /* what was never sent */
		{ TCP_RST | TCP_ACK, 1, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(resets) / sizeof(resets[0]); i++) {
		struct peer *p = bring_to(SYN_SENT);

		peer_sends(p, (struct seg){ .flags = resets[i].flags, .seq = 0, .ack = OURS(resets[i].ack) });
		assert_int_equal(peer_state(p), resets[i].resets ? TCPS_CLOSED : TCPS_SYN_SENT);
		if (resets[i].resets)
			assert_int_equal(p->ready.cause, CAUSE_RECEIVED_RST_REFUSED);
		expect_nothing(p);
		peer_stop(p);
	}
}

/* ---- SYN, no ACK, wrong ACK
 * ----------------------------------------------------------------------------------------- */

/* RFC 5961 section 4: a SYN changes nothing; the answer lets a peer that has restarted reset us. In TIME-WAIT it may:
 * see test_reuse. */
static void syn_in_every_state(void **state)
{
	(void)state;
	for (enum place place = ESTABLISHED; place < TIME_WAIT_HELD; place++) {
		static const uint32_t seqs[] = { 1, 1000, 100000, 0x80000000 };
		struct peer *p = bring_to(place);

		for (int i = 0; i < 4; i++) {
			peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = IRS + seqs[i] });
			assert_int_equal(peer_state(p), places[place].state);
			expect(p, (struct seg){ .flags = TCP_ACK,
			                        .seq = OURS(places[place].ours),
			                        .ack = IRS + places[place].theirs });
			expect_nothing(p);
		}
		peer_stop(p);
	}
}

static void without_ack(void **state)
{
	(void)state;
	for (enum place place = HALF_OPEN; place < TIME_WAIT_HELD; place++) {
		struct peer *p = bring_to(place);

		peer_sends(p, (struct seg){ .flags = 0, .seq = IRS + places[place].theirs, .length = 10 });
		assert_int_equal(peer_state(p), places[place].state);
		assert_true(p->verdict == VERDICT_DROP_NO_ACK || p->verdict == VERDICT_DROP_OUT_OF_WINDOW);
		peer_ignores_rest(p);
		if (place == ESTABLISHED)
			assert_int_equal(service_reads(p), 0);
		peer_stop(p);
	}
}

static void wrong_acks(void **state)
{
	(void)state;
	for (enum place place = SYN_SENT; place <= LAST_ACK; place++) {
		struct peer *p = bring_to(place);
		uint32_t exact = IRS + places[place].theirs;
		uint32_t unsent = OURS(places[place].ours + 1);

		peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = exact, .ack = unsent });
		assert_int_equal(peer_state(p), places[place].state);
		if (place <= SYN_RECEIVED) /* RFC 9293 3.10.7.3, first; .4, fifth */
			expect(p, (struct seg){ .flags = TCP_RST, .seq = unsent });
		else
			expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(places[place].ours), .ack = exact });
		expect_nothing(p);
		if (place >= ESTABLISHED) { /* RFC 5961 section 5 */
			peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = exact, .ack = OURS(-70000) });
			assert_int_equal(p->verdict, VERDICT_DROP_ACK_TOO_OLD);
			expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(places[place].ours), .ack = exact });
		}
		peer_stop(p);
	}
}

/* ---- the window
 * ------------------------------------------------------------------------------------------------------ */

#define WINDOW 4096

static void small_buffer(struct stack_config *config)
{
	config->tcp.rcvbuf_initial_bytes = config->tcp.rcvbuf_max_bytes = WINDOW;
}

/* RFC 9293 section 3.4, the four cases, and what is cut off. */
static void acceptable(void **state)
{
	static const struct {
		int32_t seq; /* from RCV.NXT */
		uint32_t length, window;
		bool taken;
		uint32_t readable;
	} segments[] = {
		/* length 0, window 0 */
		{ -1, 0, 0, false, 0 },
		{ 0, 0, 0, true, 0 },
		{ 1, 0, 0, false, 0 },
		/* length 0, window open */
		{ -1, 0, WINDOW, false, 0 },
		{ 0, 0, WINDOW, true, 0 },
		{ WINDOW - 1, 0, WINDOW, true, 0 },
		{ WINDOW, 0, WINDOW, false, 0 },
		/* text, window open */
		{ -10, 10, WINDOW, false, 0 },
		{ -9, 10, WINDOW, true, 1 },
		{ 0, 10, WINDOW, true, 10 },
		{ 0, WINDOW, WINDOW, true, WINDOW },
		{ 0, WINDOW + 1, WINDOW, true, WINDOW },
		{ -5, WINDOW, WINDOW, true, WINDOW - 5 },
		{ WINDOW - 1, 10, WINDOW, true, 0 }, /* ahead of a hole */
		{ WINDOW, 10, WINDOW, false, 0 },
		{ -20, 10, WINDOW, false, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(segments) / sizeof(segments[0]); i++) {
		struct peer *p = peer_start(small_buffer);
		uint32_t next = 1001, filled = 0;
		bool taken;

		peer_establishes(p, none);
		if (segments[i].window == 0) {
			peer_sends(p,
			           (struct seg){ .flags = TCP_ACK, .seq = next, .ack = OURS(1), .length = WINDOW });
			next += WINDOW;
			filled = WINDOW;
			peer_waits(p, DURATION_MS(50));
			peer_ignores_rest(p);
		}
		peer_sends(p, (struct seg){ .flags = TCP_ACK,
		                            .seq = next + (uint32_t)segments[i].seq,
		                            .ack = OURS(1),
		                            .length = segments[i].length });
		taken = p->verdict == VERDICT_ACCEPTED ||
		        (p->verdict == VERDICT_DUPLICATE && segments[i].readable > 0); /* in part */
		if (taken != segments[i].taken)
			print_error("segment %zu: verdict %s\n", i, stack_verdict_name(p->verdict));
		assert_int_equal(taken, segments[i].taken);
		peer_waits(p, DURATION_MS(50));
		if (!segments[i].taken || segments[i].length > 0) /* answered in any case */
			expect(p,
			       (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = next + segments[i].readable });
		peer_ignores_rest(p);
		assert_int_equal(service_reads(p), filled + segments[i].readable);
		peer_stop_anyhow(p);
	}
}

/* A closed window takes no text, but its ACK, and a RST (MUST-66). */
static void closed_window_still_listens(void **state)
{
	struct peer *p = peer_start(small_buffer);

	(void)state;
	peer_establishes(p, none);
	service_sends(p, 100);
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .length = WINDOW });
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001 + WINDOW, .ack = OURS(101), .length = 10 });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(101), .ack = 1001 + WINDOW, .window = WINDOW_ZERO });
	peer_waits(p, DURATION_S(5));
	expect_nothing(p); /* nothing to retransmit: the ACK was taken */
	peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = 1001 + WINDOW });
	assert_int_equal(peer_state(p), TCPS_CLOSED);
	assert_int_equal(service_reads(p), WINDOW); /* what had come before stays readable */
	peer_stop(p);
	p = peer_start(small_buffer);
	peer_establishes(p, none);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .length = WINDOW });
	peer_ignores_rest(p);
	/* RFC 1122 4.2.2.12: a RST may bring a message */
	peer_sends(p, (struct seg){ .flags = TCP_RST, .seq = 1001 + WINDOW, .length = 5 });
	assert_int_equal(peer_state(p), TCPS_CLOSED);
	peer_stop(p);
}

/* A FIN that lies beyond the window was not received, wherever the text before it had to be cut. */
static void fin_beyond_the_window(void **state)
{
	struct peer *p = peer_start(small_buffer);

	(void)state;
	peer_establishes(p, none);
	peer_sends(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = 1001, .ack = OURS(1), .length = WINDOW + 10 });
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	peer_ignores_rest(p);
	assert_int_equal(service_reads(p), WINDOW);
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = 1001 + WINDOW, .ack = OURS(1), .length = 10 });
	assert_int_equal(peer_state(p), TCPS_CLOSE_WAIT);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001 + WINDOW + 11 });
	assert_int_equal(service_reads(p), 10);
	peer_stop(p);
}

/* A FIN just at the edge needs no room. */
static void fin_at_the_edge(void **state)
{
	struct peer *p = peer_start(small_buffer);

	(void)state;
	peer_establishes(p, none);
	peer_sends(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = 1001, .ack = OURS(1), .length = WINDOW });
	assert_int_equal(peer_state(p), TCPS_CLOSE_WAIT);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001 + WINDOW + 1, .window = WINDOW_ZERO });
	assert_int_equal(service_reads(p), WINDOW);
	peer_stop(p);
}

/* RFC 7323 section 4.3: the timestamp that is echoed is that of the segment at the left edge, not of one ahead. */
static void echoed_timestamp(void **state)
{
	struct tcp_options ts = { .has_timestamps = true, .tsval = 100 };
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, ts);
	ts.tsecr = p->last.options.tsval;
	ts.tsval = 200;
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1011, .ack = OURS(1), .length = 10, .options = ts });
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1001 });
	assert_int_equal(p->last.options.tsecr, 100);
	ts.tsval = 150; /* sent before, arrived after: no older than what was seen at the edge */
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .length = 10, .options = ts });
	assert_int_equal(p->verdict, VERDICT_ACCEPTED);
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(1), .ack = 1021 });
	assert_int_equal(p->last.options.tsecr, 150);
	peer_stop(p);
}

/* RFC 9293 3.10.7.4, fifth: only a segment that is not older than the one that set it last sets the window. */
static void old_segments_set_no_window(void **state)
{
	struct peer *p = peer_start(NULL);
	struct stack_conn_info info;

	(void)state;
	peer_establishes(p, none);
	service_sends(p, 200);
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1011, .ack = OURS(101), .length = 10, .window = 5000 });
	stack_info(p->stack, p->conn, &info);
	assert_int_equal(info.snd_wnd, 5000);
	/* older by its sequence number; then by its acknowledgment */
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(101), .length = 10, .window = 300 });
	stack_info(p->stack, p->conn, &info);
	assert_int_equal(info.snd_wnd, 5000);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1021, .ack = OURS(101), .window = 4000 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1021, .ack = OURS(51), .window = 300 });
	stack_info(p->stack, p->conn, &info);
	assert_int_equal(info.snd_wnd, 4000);
	peer_stop_anyhow(p);
}

/* RFC 5681 section 2: an ACK that moves the window tells of the window, not of a segment that got there. */
static void window_updates_are_no_duplicates(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	service_sends(p, 536 * 6);
	peer_ignores_rest(p);
	for (uint32_t i = 0; i < 6; i++)
		peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .window = 30000 + i });
	expect_nothing(p);
	peer_stop_anyhow(p);
}

/* An old ACK is no reason to refuse the text that comes with it; one that is impossibly old is (RFC 5961 section 5).
 */
static void old_acks(void **state)
{
	struct peer *p = peer_start(NULL);

	(void)state;
	peer_establishes(p, none);
	service_sends(p, 1000);
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1001) });
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(1), .length = 10 });
	assert_int_equal(p->verdict, VERDICT_ACCEPTED);
	assert_int_equal(service_reads(p), 10);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1011, .ack = OURS(1001 - 65536), .length = 10 });
	assert_int_equal(p->verdict, VERDICT_DROP_ACK_TOO_OLD);
	assert_int_equal(service_reads(p), 0);
	peer_ignores_rest(p);
	peer_stop(p);
}

/* SACK blocks about what was never sent, or what is acknowledged, tell nothing. */
static void invented_sack_blocks(void **state)
{
	static const struct {
		int32_t start, end; /* from what is unacknowledged; 2000 bytes are in flight */
		uint32_t sacked;
	} blocks[] = {
		{ 1000, 2000, 1000 }, { 1000, 2001, 0 }, { -1000, 1000, 0 }, { 3000, 4000, 0 }, { -2000, -1000, 0 },
	};
	struct tcp_options sack = { .has_mss = true, .mss = 1000, .sack_permitted = true };

	(void)state;
	for (size_t i = 0; i < sizeof(blocks) / sizeof(blocks[0]); i++) {
		struct tcp_options options = { .sack_count = 1 };
		struct peer *p = peer_start(NULL);
		struct stack_conn_info info;

		peer_establishes(p, sack);
		service_sends(p, 5000);
		peer_ignores_rest(p);
		peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(3001) });
		options.sack[0].start = SEQ(OURS(3001 + blocks[i].start));
		options.sack[0].end = SEQ(OURS(3001 + blocks[i].end));
		peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(3001), .options = options });
		assert_int_equal(stack_info(p->stack, p->conn, &info), 0);
		assert_int_equal(info.sacked, blocks[i].sacked);
		peer_ignores_rest(p);
		peer_stop_anyhow(p);
	}
}

/* ---- SYN-ACK
 * ------------------------------------------------------------------------------------------------------- */

/* RFC 7323: the window of a SYN is never scaled, and no shift is larger than 14. */
static void scale_of_a_syn_ack(void **state)
{
	struct tcp_options options = { .has_wscale = true, .wscale = 15 };
	struct peer *p = bring_to(SYN_SENT);
	struct stack_conn_info info;

	(void)state;
	peer_sends(
	        p,
	        (struct seg){
	                .flags = TCP_SYN | TCP_ACK, .seq = IRS, .ack = OURS(1), .window = 1000, .options = options });
	assert_int_equal(stack_info(p->stack, p->conn, &info), 0);
	assert_int_equal(info.state, TCPS_ESTABLISHED);
	assert_int_equal(info.snd_wnd, 1000);
	assert_int_equal(info.snd_wscale, 14);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = IRS + 1, .ack = OURS(1), .window = 2 });
	assert_int_equal(stack_info(p->stack, p->conn, &info), 0);
	assert_int_equal(info.snd_wnd, 2 << 14);
	peer_ignores_rest(p);
	peer_stop(p);
}

/* Karn, for a SYN-ACK of a simultaneous open. */
static void repeated_syn_ack_gives_no_sample(void **state)
{
	struct peer *p = bring_to(SYN_RECEIVED);
	struct stack_conn_info info;

	(void)state;
	peer_waits(p, DURATION_S(10));
	peer_ignores_rest(p);
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = IRS + 1, .ack = OURS(1) });
	assert_int_equal(stack_info(p->stack, p->conn, &info), 0);
	assert_int_equal(info.state, TCPS_ESTABLISHED);
	assert_int_equal(info.srtt.ns, 0);
	peer_stop(p);
}

/* ---- TIME-WAIT
 * ----------------------------------------------------------------------------------------------------- */

static void time_wait_lasts_two_msl(void **state)
{
	(void)state;
	for (enum place place = TIME_WAIT_HELD; place <= TIME_WAIT; place++) {
		struct peer *p = bring_to(place);
		struct stack_gauges gauges;

		stack_get_gauges(p->stack, &gauges);
		assert_int_equal(gauges.time_wait, place == TIME_WAIT ? 1 : 0);
		assert_int_equal(gauges.connections, place == TIME_WAIT ? 0 : 1); /* the large record is gone */
		peer_waits(p, DURATION_MS(59900));
		assert_int_equal(peer_state(p), TCPS_TIME_WAIT);
		peer_sends(p, (struct seg){ .flags = TCP_FIN | TCP_ACK, .seq = IRS + 1, .ack = OURS(2) });
		expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(2), .ack = IRS + 2 });
		peer_waits(p, DURATION_MS(59900)); /* the FIN began it anew */
		assert_int_equal(peer_state(p), TCPS_TIME_WAIT);
		peer_waits(p, DURATION_MS(200));
		assert_int_equal(peer_state(p), TCPS_CLOSED);
		peer_ignores_rest(p);
		peer_stop(p);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(reset_in_every_state),
		cmocka_unit_test(reset_in_syn_sent),
		cmocka_unit_test(syn_in_every_state),
		cmocka_unit_test(without_ack),
		cmocka_unit_test(wrong_acks),
		cmocka_unit_test(acceptable),
		cmocka_unit_test(closed_window_still_listens),
		cmocka_unit_test(fin_beyond_the_window),
		cmocka_unit_test(fin_at_the_edge),
		cmocka_unit_test(echoed_timestamp),
		cmocka_unit_test(old_segments_set_no_window),
		cmocka_unit_test(window_updates_are_no_duplicates),
		cmocka_unit_test(old_acks),
		cmocka_unit_test(invented_sack_blocks),
		cmocka_unit_test(scale_of_a_syn_ack),
		cmocka_unit_test(repeated_syn_ack_gives_no_sample),
		cmocka_unit_test(time_wait_lasts_two_msl),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
