/* RFC 2018: what is reported, and what the sender makes of reports. */
#include "dialogue.h"

/* An ACK with blocks, given as offsets from our ISS: { start, end, start, end, ..., 0 }. */
static enum stack_verdict says_sack(struct peer *p, uint32_t acks, const uint32_t *blocks)
{
	struct seg seg = { .flags = TCP_ACK, .seq = THEIRS(1), .ack = OURS(acks) };

	for (; *blocks; blocks += 2) {
		seg.options.sack[seg.options.sack_count++] =
		        (struct tcp_sack_block){ SEQ(OURS(blocks[0])), SEQ(OURS(blocks[1])) };
	}
	return peer_sends(p, seg);
}

#define SACK(p, acks, ...) says_sack(p, acks, (const uint32_t[]){ __VA_ARGS__, 0 })

/* The last ACK heard has just these blocks, as offsets from the peer's ISN. */
static void assert_blocks(const struct peer *p, const uint32_t *blocks)
{
	uint32_t count = 0;

	for (; blocks[2 * count]; count++) {
		assert_true(count < p->last.options.sack_count);
		assert_int_equal(p->last.options.sack[count].start.v, THEIRS(blocks[2 * count]));
		assert_int_equal(p->last.options.sack[count].end.v, THEIRS(blocks[2 * count + 1]));
	}
	assert_int_equal(p->last.options.sack_count, count);
}

#define BLOCKS(p, ...) assert_blocks(p, (const uint32_t[]){ __VA_ARGS__, 0 })

/* ---- the receiver
 * -------------------------------------------------------------------------------------------------------- */

void rfc2018_permitted_on_syn_only(void **state)
{
	static const uint8_t permitted[] = { 1, 1, 4, 2 };
	struct peer *p = opened(NULL, sack_option(1000));

	(void)state;
	assert_true(p->last.options.sack_permitted); /* of the SYN-ACK */
	service_sends(p, 10);
	hears(p, TCP_ACK, 1, 10, 1);
	assert_false(p->last.options.sack_permitted);
	peer_stop(p);
	p = opened(NULL, no_options);
	says_raw(p, (struct raw){ .flags = TCP_ACK, .at = 1, .acks = 1, .options = permitted, .options_bytes = 4 });
	assert_false(peer_info(p).sack);
	says(p, TCP_ACK, 11, 10, 1);
	hears(p, TCP_ACK, 1, 0, 1);
	assert_int_equal(p->last.options.sack_count, 0);
	peer_stop(p);
	p = peer_start(NULL);
	connects(p);
	expect(p, (struct seg){ .flags = TCP_SYN });
	assert_true(p->last.options.sack_permitted);
	peer_stop_anyhow(p);
}

void rfc2018_not_without_permission(void **state)
{
	struct peer *p = opened(NULL, no_options);

	(void)state;
	says(p, TCP_ACK, 11, 10, 1);
	hears(p, TCP_ACK, 1, 0, 1);
	assert_int_equal(p->last.options.sack_count, 0);
	peer_stop(p);
}

void rfc2018_edges_of_a_block(void **state)
{
	struct peer *p = opened(NULL, sack_option(1000));

	(void)state;
	says(p, TCP_ACK, 11, 10, 1); /* its sequence numbers wrap within the block */
	hears(p, TCP_ACK, 1, 0, 1);
	BLOCKS(p, 11, 21);
	says(p, TCP_ACK, 21, 5, 1); /* what touches it makes it longer */
	hears(p, TCP_ACK, 1, 0, 1);
	BLOCKS(p, 11, 26);
	says(p, TCP_ACK, 1, 10, 1);
	hears(p, TCP_ACK, 1, 0, 26);
	assert_int_equal(p->last.options.sack_count, 0);
	service_reads(p);
	peer_stop(p);
}

void rfc2018_every_duplicate_ack_has_blocks(void **state)
{
	struct peer *p = opened(NULL, sack_option(1000));

	(void)state;
	for (uint32_t i = 0; i < 10; i++) {
		says(p, TCP_ACK, 101 + 100 * i, 100, 1);
		hears(p, TCP_ACK, 1, 0, 1);
		BLOCKS(p, 101, 201 + 100 * i);
	}
	says(p, TCP_ACK, 1, 50, 1); /* a part of the hole: the rest is still reported */
	hears(p, TCP_ACK, 1, 0, 51);
	BLOCKS(p, 101, 1101);
	service_reads(p);
	peer_stop(p);
}

void rfc2018_first_block_is_the_latest(void **state)
{
	struct peer *p = opened(NULL, sack_option(1000));

	(void)state;
	says(p, TCP_ACK, 301, 10, 1);
	hears(p, TCP_ACK, 1, 0, 1);
	BLOCKS(p, 301, 311);
	says(p, TCP_ACK, 101, 10, 1);
	hears(p, TCP_ACK, 1, 0, 1);
	BLOCKS(p, 101, 111, 301, 311);
	says(p, TCP_ACK, 311, 10, 1); /* makes an older block longer: that one comes first again */
	hears(p, TCP_ACK, 1, 0, 1);
	BLOCKS(p, 301, 321, 101, 111);
	peer_stop(p);
}

static struct tcp_options sack_and_timestamps(void)
{
	struct tcp_options options = sack_option(1000);

	options.has_timestamps = true;
	options.tsval = 100;
	return options;
}

void rfc2018_as_many_blocks_as_fit(void **state)
{
	struct peer *p = opened(NULL, sack_option(1000));

	(void)state;
	for (uint32_t i = 0; i < 6; i++) {
		says(p, TCP_ACK, 101 + 100 * i, 10, 1);
		hears(p, TCP_ACK, 1, 0, 1);
		assert_int_equal(p->last.options.sack_count, i < 3 ? i + 1 : 4);
	}
	peer_stop(p);
	p = opened(NULL, sack_and_timestamps());
	for (uint32_t i = 0; i < 6; i++) {
		peer_sends(p, (struct seg){ .flags = TCP_ACK,
		                            .seq = THEIRS(101 + 100 * i),
		                            .ack = OURS(1),
		                            .length = 10,
		                            .options = timestamps_option(101) });
		hears(p, TCP_ACK, 1, 0, 1);
		assert_int_equal(p->last.options.sack_count, i < 2 ? i + 1 : 3);
	}
	peer_stop(p);
}

void rfc2018_recent_blocks_are_repeated(void **state)
{
	struct peer *p = opened(NULL, sack_option(1000));

	(void)state;
	for (uint32_t i = 0; i < 6; i++) {
		says(p, TCP_ACK, 101 + 100 * i, 10, 1);
		hears(p, TCP_ACK, 1, 0, 1);
	}
	BLOCKS(p, 601, 611, 501, 511, 401, 411, 301, 311);
	peer_stop(p);
}

/* No later segment, and no want of memory, makes it give up what it has reported. */
void rfc2018_receiver_does_not_renege(void **state)
{
	struct peer *p = opened(NULL, sack_option(1000));

	(void)state;
	says(p, TCP_ACK, 1001, 1000, 1);
	hears(p, TCP_ACK, 1, 0, 1);
	BLOCKS(p, 1001, 2001);
	test_memory_fail_after(&p->memory, 0);
	for (uint32_t i = 0; i < 100; i++)
		says(p, TCP_ACK, 3001 + 2000 * i, 1000, 1);
	test_memory_fail_never(&p->memory);
	peer_ignores_rest(p);
	says(p, TCP_ACK, 1, 1000, 1);
	hears(p, TCP_ACK, 1, 0, p->last.ack.v - THEIR_ISN > 2001 ? 3001 : 2001);
	assert_int_equal(service_reads(p), 2000);
	peer_ignores_rest(p);
	peer_stop(p);
}

/* ---- the sender
 * ------------------------------------------------------------------------------------------------------------ */

static struct peer *with_ten_in_flight(void)
{
	struct peer *p = opened(classic, sack_option(1000));

	service_sends(p, 10000);
	hears_run(p, 10, 1, 1000);
	return p;
}

void rfc2018_sacked_data_is_not_resent(void **state)
{
	struct peer *p = with_ten_in_flight();

	(void)state;
	SACK(p, 1, 1001, 2001);
	SACK(p, 1, 3001, 4001, 1001, 2001);
	SACK(p, 1, 5001, 8001, 3001, 4001, 1001, 2001);
	hears(p, TCP_ACK, 1, 1000, 1); /* lost: 1, 2001 and 4001 */
	SACK(p, 1001 + 1000, 5001, 10001, 3001, 4001);
	while (frames_waiting(p) > 0) {
		uint32_t at = next_offset(p);

		assert_true(at == 2001 || at == 4001);
		hears(p, TCP_ACK, at, 1000, 1);
	}
	says(p, TCP_ACK, 1, 0, 10001);
	peer_waits(p, DURATION_S(3));
	expect_nothing(p);
	peer_stop(p);
}

void rfc2018_sacked_data_is_kept(void **state)
{
	struct peer *p = with_ten_in_flight();

	(void)state;
	SACK(p, 1, 1001, 10001);
	assert_int_equal(peer_info(p).snd_una, OURS(1));
	assert_int_equal(peer_info(p).send_q, 10000); /* in the buffer, all of it */
	peer_ignores_rest(p);
	says(p, TCP_ACK, 1, 0, 10001);
	assert_int_equal(peer_info(p).send_q, 0);
	peer_stop(p);
}

/* The peer has SACKed all but the first, and then says that it holds nothing beyond it. */
void rfc2018_sender_survives_reneging(void **state)
{
	struct peer *p = with_ten_in_flight();
	uint32_t end = 1001;

	(void)state;
	SACK(p, 1, 1001, 10001);
	peer_ignores_rest(p);
	says(p, TCP_ACK, 1, 0, 1001);
	for (int i = 0; i < 40 && end < 10001; i++) {
		peer_waits(p, DURATION_MS(500));
		while (frames_waiting(p) > 0) {
			uint32_t at = next_offset(p);

			hears(p, TCP_ACK, at, 1000, 1);
			if (at == end)
				end += 1000;
		}
		says(p, TCP_ACK, 1, 0, end);
	}
	assert_int_equal(end, 10001);
	peer_ignores_rest(p);
	peer_stop(p);
}

void rfc2018_nonsense_is_ignored(void **state)
{
	static const uint8_t cut[] = { 1, 1, 5, 9, 1, 2, 3, 4, 5, 6, 7, 1 };
	struct peer *p = with_ten_in_flight();

	(void)state;
	SACK(p, 1, 5001, 5001);           /* empty */
	SACK(p, 1, 6001, 5001);           /* inverted */
	SACK(p, 1, 9001, 11001);          /* beyond what was sent */
	SACK(p, 1, 0u - 5000, 5001);      /* from below SND.UNA */
	SACK(p, 1, 0u - 5000, 0u - 1000); /* old (a D-SACK says so) */
	SACK(p, 1, 0x80000000u, 0x80000100u);
	says_raw(p,
	         (struct raw){ .flags = TCP_ACK, .at = 1, .acks = 1, .options = cut, .options_bytes = sizeof(cut) });
	expect_nothing(p);
	assert_int_equal(peer_info(p).sacked, 0);
	assert_int_equal(peer_info(p).lost, 0);
	assert_int_equal(peer_info(p).ca_state, 0);
	says(p, TCP_ACK, 1, 0, 10001);
	peer_stop(p);
}
