/* The value types of loss recovery, each by itself: RACK, tail loss probes, proportional rate reduction, F-RTO, undo,
 * D-SACK; positions around the wrap of sequence numbers. */
#include "core/tcp/dsack.h"
#include "core/tcp/frto.h"
#include "core/tcp/prr.h"
#include "core/tcp/rack.h"
#include "core/tcp/rtt.h"
#include "core/tcp/tlp.h"
#include "core/tcp/undo.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define BASE (0u - 5000) /* the wrap lies among the positions used */
#define AT(n) SEQ(BASE + (uint32_t)(n))
#define MS(n) ((struct instant){ (n)*1000000ll })

/* ---- RACK --------------------------------------------------------------------------------------------------------
 */

static void rack_follows_the_newest_arrival(void **state)
{
	struct rack rack;

	(void)state;
	rack_init(&rack, AT(0));
	rack_update(&rack, MS(10), AT(3000), MS(30));
	assert_int_equal(rack.rtt.ns, 20000000);
	rack_update(&rack, MS(9), AT(9000), MS(31)); /* sent before that */
	assert_int_equal(rack.xmit_ts.ns, 10000000);
	assert_int_equal(rack.rtt.ns, 22000000);      /* so others sent then may take as long */
	rack_update(&rack, MS(10), AT(2000), MS(31)); /* at the same time, but before in sequence */
	assert_int_equal(rack.end_seq.v, AT(3000).v);
	rack_update(&rack, MS(10), AT(6000), MS(31));
	assert_int_equal(rack.end_seq.v, AT(6000).v);
	assert_int_equal(rack.rtt.ns, 21000000);
	rack_update(&rack, MS(15), AT(1000), MS(33));
	assert_int_equal(rack.end_seq.v, AT(1000).v);
	assert_int_equal(rack.rtt.ns, 18000000);
}

static void rack_sees_reordering(void **state)
{
	static const struct {
		bool has_fresh;
		uint32_t fresh_end, highest;
		bool late;
	} rows[] = {
		{ true, 1000, 1000, false }, { true, 6000, 6000, false }, { false, 0, 6000, false },
		{ true, 5000, 6000, true },  { true, 6000, 7000, false }, { true, 8000, 8000, false },
		{ true, 7000, 9000, true },
	};
	struct rack rack;

	(void)state;
	rack_init(&rack, AT(0));
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(
		        rack_detect_reordering(&rack, rows[i].has_fresh, AT(rows[i].fresh_end), AT(rows[i].highest)),
		        rows[i].late);
	assert_int_equal(rack.fack.v, AT(9000).v);
}

/* RFC 8985 section 6.2 step 4. */
static void rack_window_depends_on_what_was_seen(void **state)
{
	static const struct rack_reordering none, seen = { .reordering_seen = true },
	                                          more = { .reordering_seen = true, .reo_wnd_more = 2 },
	                                          much = { .reordering_seen = true, .reo_wnd_more = 255 };
	static const struct {
		const struct rack_reordering *reordering;
		bool losses_known;
		int64_t wnd_ms;
	} rows[] = {
		{ NULL, false, 10 }, { NULL, true, 0 },   { &none, true, 0 },  { &none, false, 10 },
		{ &seen, true, 10 }, { &more, true, 30 }, { &much, true, 50 }, /* the smoothed RTT is the limit */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		assert_int_equal(
		        rack_reo_wnd(rows[i].reordering, rows[i].losses_known, DURATION_MS(40), DURATION_MS(50)).ns,
		        rows[i].wnd_ms * 1000000);
}

static void rack_window_grows_with_dsack_once_a_round(void **state)
{
	struct rack_reordering reordering = { 0 };

	(void)state;
	rack_adapt(&reordering, AT(0), AT(8000), true, false);
	rack_adapt(&reordering, AT(1000), AT(9000), true, false); /* the same round */
	rack_adapt(&reordering, AT(7999), AT(9500), true, false);
	assert_int_equal(reordering.reo_wnd_more, 1);
	rack_adapt(&reordering, AT(8000), AT(9500), true, false);
	assert_int_equal(reordering.reo_wnd_more, 2);
	for (int i = 1; i < RACK_REO_WND_PERSIST; i++)
		rack_adapt(&reordering, AT(9500), AT(10000), false, true);
	assert_int_equal(reordering.reo_wnd_more, 2);
	rack_adapt(&reordering, AT(9500), AT(10000), false, true);
	assert_int_equal(reordering.reo_wnd_more, 0);
	for (uint32_t i = 0; i < 600; i++)
		rack_adapt(&reordering, AT(10000 + 100 * i), AT(10000 + 100 * i), true, false);
	assert_int_equal(reordering.reo_wnd_more, 255); /* no wrap to none */
}

/* ---- TLP ---------------------------------------------------------------------------------------------------------
 */

static void probe_time_out(void **state)
{
	(void)state;
	assert_int_equal(tlp_pto(DURATION_MS(0), false).ns, DURATION_S(1).ns);
	assert_int_equal(tlp_pto(DURATION_MS(20), false).ns, DURATION_MS(42).ns);
	assert_int_equal(tlp_pto(DURATION_MS(20), true).ns, DURATION_MS(240).ns);
}

/* RFC 8985 section 7.4. */
static void acks_after_a_probe(void **state)
{
	static const struct {
		bool is_retrans;
		uint32_t ack;
		bool dsack, duplicate;
		bool repaired, still_out;
	} rows[] = {
		{ false, 7999, false, false, false, true }, { false, 8000, false, false, false, false },
		{ true, 7999, true, true, false, true },    { true, 8000, true, false, false, false },
		{ true, 8000, false, true, false, false },  { true, 8000, false, false, false, true },
		{ true, 8001, true, false, false, false },  { true, 8001, false, false, true, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tlp tlp;

		tlp_sent(&tlp, AT(8000), rows[i].is_retrans);
		assert_int_equal(tlp_on_ack(&tlp, AT(rows[i].ack), rows[i].dsack, rows[i].duplicate),
		                 rows[i].repaired);
		assert_int_equal(tlp.out, rows[i].still_out);
		assert_false(tlp.out && tlp_on_ack(&tlp, AT(7000), true, true));
	}
}

/* ---- PRR ---------------------------------------------------------------------------------------------------------
 */

/* RFC 9937 section 6: twenty segments in flight, the first lost, down to seven tenths: seven are sent for ten that
 * arrive, evenly. */
static void rate_is_reduced_in_proportion(void **state)
{
	uint32_t pipe = 19000, sent = 0, gap = 0;
	struct prr prr;

	(void)state;
	prr_begin(&prr, 20000, 0, 0);
	for (int i = 1; i <= 19; i++) {
		pipe -= 1000;
		prr_on_ack(&prr, 1000, pipe, 14000, 1000, false);
		gap = prr.room >= 1000 ? 0 : gap + 1;
		assert_true(gap <= 2);
		while (prr.room >= 1000) {
			prr_on_sent(&prr, 1000);
			sent += 1000;
			pipe += 1000;
		}
	}
	assert_in_range(pipe, 13000, 14000);
	assert_in_range(sent, 13000, 14000);
}

/* After heavy loss the pipe is below the target: one for one, and one more for each ACK that shows progress. */
static void bound_after_heavy_loss(void **state)
{
	struct prr prr;

	(void)state;
	prr_begin(&prr, 20000, 1000, 1000);
	assert_int_equal(prr.recover_fs, 20000);
	prr_on_ack(&prr, 0, 2000, 10000, 1000, false);
	assert_int_equal(prr.room, 1000); /* the fast retransmit goes out in any case */
	prr_on_sent(&prr, 1000);
	prr_on_ack(&prr, 1000, 2000, 10000, 1000, false);
	assert_int_equal(prr.room, 1000);
	prr_on_sent(&prr, 1000);
	prr_on_ack(&prr, 1000, 2000, 10000, 1000, true);
	assert_int_equal(prr.room, 2000);
	prr_on_ack(&prr, 3000, 9500, 10000, 1000, true);
	assert_int_equal(prr.room, 500); /* not beyond the target */
	prr_on_ack(&prr, 0, 0, 10000, 1000, true);
	assert_int_equal(prr.room, 500); /* what delivers nothing lets nothing out */
}

/* ---- F-RTO -------------------------------------------------------------------------------------------------------
 */

static void steps_after_a_timeout(void **state)
{
	static const struct {
		enum frto_step from;
		struct frto_ack ack;
		enum frto_step to;
		bool spurious;
	} rows[] = {
		/* step 2: SACK waits through duplicates, without it they end it */
		{ FRTO_RESENT, { .duplicate = true, .sack = true }, FRTO_RESENT, false },
		{ FRTO_RESENT, { .duplicate = true }, FRTO_OFF, false },
		{ FRTO_RESENT, { .advances = true, .can_send_new = true }, FRTO_NEW_DATA, false },
		{ FRTO_RESENT, { .advances = true, .can_send_new = true, .fresh = true }, FRTO_NEW_DATA, false },
		{ FRTO_RESENT, { .advances = true }, FRTO_OFF, false },
		{ FRTO_RESENT, { .advances = true, .can_send_new = true, .covers_recover = true }, FRTO_OFF, false },
		/* step 3 */
		{ FRTO_NEW_DATA, { .advances = true, .fresh = true }, FRTO_OFF, true },
		{ FRTO_NEW_DATA, { .advances = true, .fresh = true, .sack = true }, FRTO_OFF, true },
		{ FRTO_NEW_DATA, { .duplicate = true, .fresh = true, .sack = true }, FRTO_OFF, true },
		{ FRTO_NEW_DATA, { .duplicate = true, .sack = true }, FRTO_OFF, false },
		{ FRTO_NEW_DATA, { .duplicate = true }, FRTO_OFF, false },
		{ FRTO_NEW_DATA, { .advances = true, .sack = true }, FRTO_OFF, false },
		{ FRTO_NEW_DATA, { .sack = true }, FRTO_NEW_DATA, false },
		{ FRTO_OFF, { .advances = true, .fresh = true, .sack = true }, FRTO_OFF, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		enum frto_step step = rows[i].from;

		assert_int_equal(frto_on_ack(&step, &rows[i].ack), rows[i].spurious);
		assert_int_equal(step, rows[i].to);
	}
}

/* ---- undo --------------------------------------------------------------------------------------------------------
 */

static void dsacks_must_cover_all_that_was_sent_again(void **state)
{
	struct undo undo = { 0 };

	(void)state;
	assert_false(undo_by_dsack(&undo, AT(0), AT(1000)));
	undo_begin(&undo);
	assert_false(undo_by_dsack(&undo, AT(0), AT(1000))); /* nothing was sent again */
	undo_retransmitted(&undo, AT(4000), AT(6000), 7);
	undo_retransmitted(&undo, AT(8000), AT(9000), 8);
	assert_false(undo_by_dsack(&undo, AT(3000), AT(4000))); /* doubled by the network */
	assert_false(undo_by_dsack(&undo, AT(9000), AT(10000)));
	assert_int_equal(undo.unclaimed, 3000);
	assert_false(undo_by_dsack(&undo, AT(4000), AT(6000)));
	assert_true(undo_by_dsack(&undo, AT(8000), AT(9000)));
	undo_end(&undo);
	assert_false(undo_by_dsack(&undo, AT(8000), AT(9000)));
}

static void dsacks_count_for_a_round_after_the_repair(void **state)
{
	struct undo undo;

	(void)state;
	undo_begin(&undo);
	undo_retransmitted(&undo, AT(4000), AT(6000), 7);
	undo_recovered(&undo, AT(9000));
	undo_acked(&undo, AT(9000));
	assert_true(undo.armed);
	undo_acked(&undo, AT(9001));
	assert_false(undo.armed);
	assert_false(undo_by_dsack(&undo, AT(4000), AT(6000)));
}

/* RFC 3522: the echo is older than the first retransmission; around the wrap of the clock, too. */
static void echoes_older_than_the_retransmission(void **state)
{
	static const struct {
		uint32_t stamp, echo;
		bool needless;
	} rows[] = { { 100, 99, true },
		     { 100, 100, false },
		     { 100, 101, false },
		     { 5, UINT32_MAX - 5, true },
		     { UINT32_MAX - 5, 5, false } };
	struct undo undo;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		undo_begin(&undo);
		assert_false(undo_by_timestamp(&undo, rows[i].echo)); /* nothing was sent again */
		undo_retransmitted(&undo, AT(0), AT(1000), rows[i].stamp);
		undo_retransmitted(&undo, AT(0), AT(1000), rows[i].stamp + 50);
		assert_int_equal(undo_by_timestamp(&undo, rows[i].echo), rows[i].needless);
		undo_recovered(&undo, AT(2000));
		assert_false(undo_by_timestamp(&undo, rows[i].echo));
	}
}

/* RFC 4015: the estimate takes the long round trip in at once. */
static void spurious_timeout_teaches_the_round_trip(void **state)
{
	struct rtt_estimator rtt;

	(void)state;
	rtt_init(&rtt, DURATION_S(1));
	for (int i = 0; i < 20; i++)
		rtt_sample(&rtt, DURATION_MS(20), DURATION_MS(200), DURATION_S(60));
	rtt_after_spurious_timeout(&rtt, DURATION_MS(800), DURATION_MS(200), DURATION_S(60));
	assert_int_equal(rtt.srtt.ns, DURATION_MS(800).ns);
	assert_int_equal(rtt.rttvar.ns, DURATION_MS(400).ns);
	assert_int_equal(rtt.rto.ns, DURATION_MS(2400).ns);
	rtt_after_spurious_timeout(&rtt, DURATION_MS(10), DURATION_MS(200), DURATION_MS(2000));
	assert_int_equal(rtt.srtt.ns, DURATION_MS(800).ns);
	assert_int_equal(rtt.rto.ns, DURATION_MS(2000).ns);
}

/* ---- D-SACK ------------------------------------------------------------------------------------------------------
 */

static void duplicates_wait_to_be_reported(void **state)
{
	struct dsack_queue queue = { 0 };
	struct tcp_sack_block range;

	(void)state;
	assert_false(dsack_take(&queue, &range));
	dsack_note(&queue, AT(4000), AT(5000));
	dsack_note(&queue, AT(5000), AT(6000)); /* touches */
	dsack_note(&queue, AT(1000), AT(2000));
	for (uint32_t i = 0; i < 10; i++)
		dsack_note(&queue, AT(10000 + 2000 * i), AT(11000 + 2000 * i));
	assert_int_equal(queue.count, DSACK_PENDING_MAX);
	assert_true(dsack_take(&queue, &range));
	assert_int_equal(range.start.v, AT(4000).v);
	assert_int_equal(range.end.v, AT(6000).v);
	assert_true(dsack_take(&queue, &range));
	assert_int_equal(range.start.v, AT(1000).v);
	assert_true(dsack_take(&queue, &range));
	assert_true(dsack_take(&queue, &range));
	assert_false(dsack_take(&queue, &range));
}

/* RFC 2883 section 4. */
static void first_block_tells_duplicates(void **state)
{
	static const struct {
		uint32_t count, start[2], end[2];
		bool dsack;
	} rows[] = {
		{ 0, { 0 }, { 0 }, false },
		{ 1, { 3000 }, { 4000 }, true },
		{ 1, { 5000 }, { 6000 }, false },
		{ 2, { 7000, 6000 }, { 8000, 9000 }, true },
		{ 2, { 6000, 6000 }, { 9000, 9000 }, true },
		{ 2, { 6000, 7000 }, { 9000, 8000 }, false },
		{ 2, { 7000, 9000 }, { 8000, 9500 }, false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct tcp_options options = { .sack_count = (uint8_t)rows[i].count };

		for (int n = 0; n < 2; n++)
			options.sack[n] = (struct tcp_sack_block){ AT(rows[i].start[n]), AT(rows[i].end[n]) };
		assert_int_equal(dsack_in_option(&options, AT(5000)), rows[i].dsack);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(rack_follows_the_newest_arrival),
		cmocka_unit_test(rack_sees_reordering),
		cmocka_unit_test(rack_window_depends_on_what_was_seen),
		cmocka_unit_test(rack_window_grows_with_dsack_once_a_round),
		cmocka_unit_test(probe_time_out),
		cmocka_unit_test(acks_after_a_probe),
		cmocka_unit_test(rate_is_reduced_in_proportion),
		cmocka_unit_test(bound_after_heavy_loss),
		cmocka_unit_test(steps_after_a_timeout),
		cmocka_unit_test(dsacks_must_cover_all_that_was_sent_again),
		cmocka_unit_test(dsacks_count_for_a_round_after_the_repair),
		cmocka_unit_test(echoes_older_than_the_retransmission),
		cmocka_unit_test(spurious_timeout_teaches_the_round_trip),
		cmocka_unit_test(duplicates_wait_to_be_reported),
		cmocka_unit_test(first_block_tells_duplicates),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
