/* Congestion algorithms that are wrong, each in a way of its own: none may stall or starve its connection. What a
 * megabyte takes with them is compared with what it takes with the built-in algorithm. */
#include "transfer.h"

#include <stdio.h>

#define BYTES 1000000u

static int64_t clock_ns, callback_ns;

static int64_t stopwatch(void)
{
	return clock_ns += callback_ns;
}

struct offence {
	const char *name;
	struct tapstack_cc_decision decision;
	int64_t callback_ns;
	bool garbage;
};

static const struct offence offences[] = {
	{ "garbage", { 0, 0, 0, 0, 0 }, 1000, true },
	{ "sleeps", { 200000, UINT64_MAX, 0, 0, 0 }, 10000000, false },
	{ "window of 1 byte", { 1, UINT64_MAX, 0, 0, 0 }, 1000, false },
	{ "nothing at all", { 0, 0, 0, 0, 0 }, 1000, false },
	{ "1 byte a second", { 200000, UINT64_MAX, 1, 0, 0 }, 1000, false },
	{ "both, in crumbs", { 1, 1, 1, 1, 0 }, 1000, false },
};

struct state {
	const struct offence *offence;
	uint64_t random;
};

static uint64_t draw(struct state *state)
{
	state->random = state->random * 6364136223846793005ull + 1442695040888963407ull;
	return state->random >> (state->random >> 58);
}

static void decide(struct state *state, struct tapstack_cc_decision *decision)
{
	*decision = state->offence->decision;
	if (state->offence->garbage)
		*decision = (struct tapstack_cc_decision){ draw(state), draw(state), draw(state),
			                                   (uint32_t)draw(state), (uint32_t)draw(state) };
}

static int bad_init(void *memory, const struct tapstack_cc_env *env, const struct tapstack_params *params,
                    struct tapstack_cc_decision *decision)
{
	struct state *state = memory;

	state->offence = (const struct offence *)(const void *)params->value; /* the host hands it on unseen */
	state->random = env->random;
	decide(state, decision);
	return 0;
}

static void bad_on_ack(void *memory, const struct tapstack_cc_sample *sample, struct tapstack_cc_decision *decision)
{
	(void)sample;
	decide(memory, decision);
}

static void bad_on_event(void *memory, uint32_t event, const struct tapstack_cc_sample *sample,
                         struct tapstack_cc_decision *decision)
{
	(void)event, (void)sample;
	decide(memory, decision);
}

static const struct tapstack_cc_ops bad_ops = {
	.struct_size = sizeof(bad_ops),
	.flags = TAPSTACK_CC_OWN_RECOVERY,
	.state_size = sizeof(struct state),
	.init = bad_init,
	.on_ack = bad_on_ack,
	.on_event = bad_on_event,
};

/* Rate, round trip, loss per million. */
static const struct {
	struct transfer_path path;
	uint32_t harm;
} paths[] = {
	{ { .name = "LAN", .bytes_per_s = 125000000, .rtt_ms = 1, .buffer_permille = 1000 }, 0 },
	{ { .name = "city", .bytes_per_s = 12500000, .rtt_ms = 20, .buffer_permille = 1000 }, 0 },
	{ { .name = "ocean", .bytes_per_s = 12500000, .rtt_ms = 100, .buffer_permille = 1000 }, 0 },
	{ { .name = "radio", .bytes_per_s = 1250000, .rtt_ms = 40, .buffer_permille = 1000 }, 5000 },
};

/* Until it is replaced it may have sent a segment a round trip, eight times, and each may have waited for a delayed
 * ACK. */
static struct duration allowed(const struct transfer_path *path, struct duration reno)
{
	return (struct duration){ reno.ns * 3 / 2 + 9 * (DURATION_MS(path->rtt_ms).ns + DURATION_MS(40).ns) };
}

int main(void)
{
	int status = 0;

	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		const struct transfer_path *path = &paths[i].path;
		struct transfer_sender good = { .congestion = NULL };
		struct duration reno = transfer_time(path, paths[i].harm, &good, BYTES, 60, 1);

		printf("%s: %lld ms\n", path->name, (long long)(reno.ns / 1000000));
		for (size_t n = 0; n < sizeof(offences) / sizeof(offences[0]); n++) {
			const struct stack_congestion bad = {
				.name = "bad",
				.id = 1,
				.ops = &bad_ops,
				.params = { .struct_size = sizeof(struct tapstack_params),
				            .value =
				                    (const struct tapstack_param_value *)(const void *)&offences[n] },
			};
			struct transfer_sender sender = { .congestion = &bad, .stopwatch = stopwatch };
			struct duration took;

			callback_ns = offences[n].callback_ns;
			took = transfer_time(path, paths[i].harm, &sender, BYTES, 60, 1);
			printf("  %-20s %lld ms\n", offences[n].name, (long long)(took.ns / 1000000));
			if (took.ns > allowed(path, reno).ns) {
				printf("  which is too long: %lld ms are allowed\n",
				       (long long)(allowed(path, reno).ns / 1000000));
				status = 1;
			}
		}
	}
	return status;
}
