/* Numbers that nobody outside may guess: initial sequence numbers, timestamp offsets, SYN cookies, ephemeral ports.
 */
#include "core/tcp/engine.h"

seq_t secrets_isn(struct stack *stack, const struct flow *flow)
{
	uint32_t clock = (uint32_t)(stack->now.ns / 4000);

	return SEQ(clock + (uint32_t)keyed_hash(&stack->isn_key, flow, sizeof(*flow)));
}

uint32_t secrets_timestamp_offset(struct stack *stack, const struct flow *flow)
{
	/* What a segment says and its answer are about the same flow: one hash does for both. */
	if (!flow_equal(&stack->timestamp_flow, flow)) {
		stack->timestamp_offset = (uint32_t)keyed_hash(&stack->timestamp_key, flow, sizeof(*flow));
		stack->timestamp_flow = *flow;
	}
	return stack->timestamp_offset;
}

/* A cookie is, from the top: 5 bits of a 64-second clock, 3 bits naming an MSS, 24 bits of keyed hash over flow, the
 * peer's ISN, the clock, the MSS, and what a timestamp tells besides. The least of these is the least that any peer
 * gets: never more than it told (MUST-16). */
static const uint16_t cookie_mss[8] = { MSS_FLOOR, 536, 1024, 1220, 1360, 1440, 1460, 8940 };

#define COOKIE_CLOCK_NS (64LL * 1000000000)
#define COOKIE_AGE_MAX 2 /* ticks: 64 to 128 seconds */

static uint32_t cookie_hash(const struct stack *stack, const struct flow *flow, seq_t irs, uint64_t tick,
                            uint32_t mss, uint32_t told)
{
	struct {
		struct flow flow;
		uint32_t irs;
		uint64_t tick;
		uint32_t mss, told;
	} input = { *flow, irs.v, tick, mss, told };

	_Static_assert(sizeof(input) == 56, "hashed as bytes: no padding");
	return (uint32_t)keyed_hash(&stack->cookie_key, &input, sizeof(input)) & 0xffffff;
}

seq_t secrets_cookie(struct stack *stack, const struct flow *flow, seq_t irs, uint16_t peer_mss, uint32_t told)
{
	uint64_t tick = (uint64_t)(stack->now.ns / COOKIE_CLOCK_NS);
	uint32_t mss = 7;

	while (mss > 0 && cookie_mss[mss] > peer_mss)
		mss--;
	return SEQ((uint32_t)(tick & 31) << 27 | mss << 24 | cookie_hash(stack, flow, irs, tick, mss, told));
}

/* In ticks: how long ago a cookie was given out, if it is one. */
static uint64_t cookie_age(const struct stack *stack, seq_t iss)
{
	return ((uint64_t)(stack->now.ns / COOKIE_CLOCK_NS) - (iss.v >> 27)) & 31;
}

bool secrets_cookie_is_current(const struct stack *stack, seq_t iss)
{
	return cookie_age(stack, iss) <= COOKIE_AGE_MAX;
}

bool secrets_cookie_check(struct stack *stack, const struct flow *flow, seq_t irs, seq_t iss, uint32_t told,
                          uint16_t *ret_mss)
{
	uint64_t now = (uint64_t)(stack->now.ns / COOKIE_CLOCK_NS);
	uint64_t age = cookie_age(stack, iss);
	uint32_t mss = iss.v >> 24 & 7;

	if (age > COOKIE_AGE_MAX || cookie_hash(stack, flow, irs, now - age, mss, told) != (iss.v & 0xffffff))
		return false;
	*ret_mss = cookie_mss[mss];
	return true;
}

#define FASTOPEN_KEY_NS (86400LL * 1000000000)

uint64_t secrets_fastopen_cookie(const struct stack *stack, const struct ip_addr *client, unsigned age)
{
	struct {
		struct ip_addr client;
		uint64_t day;
	} input = { *client, (uint64_t)(stack->now.ns / FASTOPEN_KEY_NS) - age };

	_Static_assert(sizeof(input) == 24, "hashed as bytes: no padding");
	return keyed_hash(&stack->fastopen_key, &input, sizeof(input));
}

/* RFC 6056 section 3.3.3: a keyed offset per destination plus a random step, so that ports toward one peer neither
 * collide soon nor show how many were used toward another. */
uint16_t secrets_port(struct stack *stack, struct flow *flow)
{
	uint32_t range = (uint32_t)stack->config.port_last - stack->config.port_first + 1;
	enum record_kind kind;
	uint32_t offset;

	flow->local_port = 0;
	offset = (uint32_t)keyed_hash(&stack->port_key, flow, sizeof(*flow)) + random_below(&stack->random, range);
	for (uint32_t i = 0; i < range; i++) {
		flow->local_port = (uint16_t)(stack->config.port_first + (offset + i) % range);
		if (!demux_listener(stack, &flow->local, flow->local_port) && !demux_find(stack, flow, &kind))
			return flow->local_port;
	}
	return 0;
}
