#pragma once
/* Dialogues about losses: a connection with a round trip of 20 ms, whose sequence numbers wrap soon after it begins
 * to send. */
#include "../../support/peer.h"

#define MSS 1000
#define RTT DURATION_MS(20)
#define ISS (0u - 4500u)

static struct tcp_options answer; /* what the peer's segments carry besides SACK blocks */

static inline void no_tweak(struct stack_config *config)
{
	(void)config;
}

/* An ISN is a clock of 4 us plus a hash of the flow: so long until it is ISS. */
static inline struct duration until_iss(void (*tweak)(struct stack_config *))
{
	struct peer *p = peer_start(tweak);
	uint32_t iss;

	peer_establishes(p, (struct tcp_options){ 0 });
	iss = p->iss;
	peer_stop_anyhow(p);
	return DURATION_US((int64_t)(ISS - iss) * 4);
}

static inline void acks(struct peer *p, uint32_t ack)
{
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(ack), .options = answer });
}

/* One or two blocks; a block from 0 to 0 is none. */
static inline void sacks(struct peer *p, uint32_t ack, uint32_t start, uint32_t end, uint32_t start2, uint32_t end2)
{
	struct tcp_options options = answer;

	options.sack[options.sack_count++] = (struct tcp_sack_block){ SEQ(OURS(start)), SEQ(OURS(end)) };
	if (end2 > 0)
		options.sack[options.sack_count++] = (struct tcp_sack_block){ SEQ(OURS(start2)), SEQ(OURS(end2)) };
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = 1001, .ack = OURS(ack), .options = options });
}

static inline void sack(struct peer *p, uint32_t ack, uint32_t start, uint32_t end)
{
	sacks(p, ack, start, end, 0, 0);
}

#define expect_data(p, position)                                                                                     \
	expect(p, (struct seg){ .flags = TCP_ACK, .seq = OURS(position), .ack = 1001, .length = MSS })

/* Established, with a round trip of 20 ms measured by two segments; then `bytes` from position 2001 on. */
static inline struct peer *sending(void (*tweak)(struct stack_config *), struct tcp_options options, uint32_t bytes)
{
	struct duration wait = until_iss(tweak);
	struct peer *p = peer_start(tweak);

	peer_waits(p, wait);
	answer = (struct tcp_options){ 0 };
	options.has_mss = true;
	options.mss = MSS + (options.has_timestamps ? 12 : 0);
	peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 1000, .options = options });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = 1001 });
	assert_int_equal(p->iss, ISS);
	if (options.has_timestamps)
		answer = (struct tcp_options){ .has_timestamps = true, .tsval = 100, .tsecr = p->last.options.tsval };
	peer_waits(p, RTT);
	acks(p, 1);
	for (uint32_t i = 0; i < 2; i++) {
		service_sends(p, MSS);
		expect_data(p, 1 + i * MSS);
		if (options.has_timestamps)
			answer.tsecr = p->last.options.tsval;
		peer_waits(p, RTT);
		acks(p, 1 + (i + 1) * MSS);
	}
	expect_nothing(p);
	service_sends(p, bytes);
	return p;
}

static const struct tcp_options sacking = { .sack_permitted = true };
static const struct tcp_options stamping = { .sack_permitted = true, .has_timestamps = true, .tsval = 1 };

static inline void expect_run(struct peer *p, uint32_t position, uint32_t segments)
{
	for (uint32_t i = 0; i < segments; i++)
		expect_data(p, position + i * MSS);
}

static inline struct stack_counters counters(struct peer *p)
{
	return *stack_get_counters(p->stack);
}

static inline void without_probes(struct stack_config *config)
{
	config->tcp.tail_loss_probe = false;
}
