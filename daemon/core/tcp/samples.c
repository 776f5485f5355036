/* Time series of connections: points are taken when something has changed, at most one in `every`; what changes
 * sooner than that has a timer. They wait in a short queue. */
#include "core/tcp/engine.h"

#define SAMPLES_MAX 512
_Static_assert((SAMPLES_MAX & (SAMPLES_MAX - 1)) == 0, "positions in the ring wrap at 2^32");

static void push(struct stack *stack, const struct stack_sample *sample)
{
	struct sample_queue *queue = &stack->samples;

	if (!queue->sample)
		queue->sample = stack->memory.alloc(stack->memory.context, SAMPLES_MAX * sizeof(*queue->sample));
	if (!queue->sample || queue->head - queue->tail == SAMPLES_MAX) {
		COUNT(stack, samples_missed);
		return;
	}
	queue->sample[queue->head++ % SAMPLES_MAX] = *sample;
}

uint8_t samples_outputs(const struct stack_congestion *congestion, const void *state,
                        double ret_output[STACK_SAMPLE_OUTPUTS_MAX])
{
	uint32_t count = congestion->output_count;
	double all[STACK_OUTPUTS_MAX] = { 0 };

	if (!congestion->ops->outputs || count > STACK_OUTPUTS_MAX)
		return 0;
	congestion->ops->outputs(state, all);
	if (count > STACK_SAMPLE_OUTPUTS_MAX)
		count = STACK_SAMPLE_OUTPUTS_MAX;
	memcpy(ret_output, all, count * sizeof(*ret_output));
	return (uint8_t)count;
}

/* Time that outputs() of both algorithms took; 0: not measured. */
struct times {
	struct duration acting, shadow;
};

static int64_t clock_of(const struct stack *stack)
{
	return stack->config.stopwatch ? stack->config.stopwatch() : 0;
}

/* Every byte is set: it is compared as bytes. */
static struct times fill(const struct stack *stack, const struct conn *conn, struct stack_sample *sample)
{
	const struct shadow *shadow = shadow_of(conn);
	struct times times = { { 0 }, { 0 } };
	int64_t begin;

	memset(sample, 0, sizeof(*sample));
	sample->connection_id = conn->id;
	sample->congestion = conn->congestion->id;
	sample->ca_state = conn->ca_state;
	sample->cwnd = conn->cwnd;
	sample->ssthresh = conn->ssthresh;
	sample->inflight = congestion_pipe(conn);
	sample->snd_wnd = conn->snd_wnd;
	if (seq_gt(conn->rcv_adv, conn->rcv_nxt))
		sample->rcv_wnd = (uint32_t)seq_diff(conn->rcv_adv, conn->rcv_nxt);
	sample->retransmits = conn->retransmits;
	sample->pacing_bytes_per_s = congestion_pacing(conn);
	if (conn->tx)
		sample->delivery_bytes_per_s = rate_bytes_per_s(&conn->tx->rate_sample);
	sample->bytes_acked = conn->bytes_acked;
	sample->bytes_received = conn->bytes_received;
	sample->srtt_ns = conn->rtt.srtt.ns;
	sample->rttvar_ns = conn->rtt.rttvar.ns;
	sample->min_rtt_ns = conn->rtt.min.ns;
	if (conn->congestion->ops->outputs) {
		begin = clock_of(stack);
		sample->output_count = samples_outputs(conn->congestion, algorithm_state(conn), sample->output);
		times.acting.ns = clock_of(stack) - begin;
	}
	if (!shadow)
		return times;
	sample->has_shadow = true;
	sample->shadow = shadow->congestion->id;
	sample->shadow_cwnd = (uint32_t)shadow->decision.cwnd_bytes;
	sample->shadow_ssthresh = shadow->decision.ssthresh_bytes == UINT64_MAX
	                                  ? UINT32_MAX
	                                  : (uint32_t)shadow->decision.ssthresh_bytes;
	sample->shadow_pacing_bytes_per_s = shadow->decision.pacing_bytes_per_s;
	if (shadow->congestion->ops->outputs) {
		begin = clock_of(stack);
		sample->shadow_output_count =
		        samples_outputs(shadow->congestion, shadow->state, sample->shadow_output);
		times.shadow.ns = clock_of(stack) - begin;
	}
	return times;
}

/* FNV-1a, by words. It tells whether something has changed, to nobody who would want to deceive it. */
static uint64_t fingerprint(const struct stack_sample *sample)
{
	const uint8_t *bytes = (const uint8_t *)sample;
	uint64_t hash = 0xcbf29ce484222325ull, word;

	_Static_assert(sizeof(*sample) % sizeof(word) == 0, "taken word by word");
	for (size_t i = 0; i < sizeof(*sample); i += sizeof(word)) {
		memcpy(&word, bytes + i, sizeof(word));
		hash = (hash ^ word) * 0x100000001b3ull;
		hash ^= hash >> 32;
	}
	return hash;
}

void samples_look(struct stack *stack, struct conn *conn)
{
	struct sampling *sampling = &conn->extra->sampling;
	struct stack_sample sample;
	struct times times;
	uint64_t print;

	if (instant_before(stack->now, sampling->next)) {
		sampling->due = sampling->next;
		conn_arm(stack, conn);
		return;
	}
	sampling->due = INSTANT_NEVER;
	times = fill(stack, conn, &sample);
	algorithm_took(stack, conn, times.acting);
	if (conn->flags & CONN_SHADOWED)
		shadow_took(stack, conn, times.shadow);
	print = fingerprint(&sample);
	if (print == sampling->print)
		return;
	sampling->print = print;
	sampling->next = instant_add(stack->now, sampling->every);
	sample.at = stack->now;
	push(stack, &sample);
}

void samples_end(struct stack *stack, struct conn *conn)
{
	struct stack_sample sample;

	if (!(conn->flags & CONN_SAMPLED))
		return;
	conn->flags &= ~(uint32_t)CONN_SAMPLED;
	fill(stack, conn, &sample);
	sample.at = stack->now;
	sample.last = true;
	push(stack, &sample);
}

bool samples_set(struct stack *stack, struct conn *conn, struct duration every)
{
	if (every.ns == 0) {
		conn->flags &= ~(uint32_t)CONN_SAMPLED;
		return true;
	}
	if (!conn_extra(stack, conn))
		return false;
	conn->extra->sampling = (struct sampling){ .every = every, .next = stack->now, .due = INSTANT_NEVER };
	conn->flags |= CONN_SAMPLED;
	conn_want_output(stack, conn); /* the first is taken at the end of this turn */
	return true;
}

size_t stack_samples(struct stack *stack, struct stack_sample *ret_samples, size_t count)
{
	struct sample_queue *queue = &stack->samples;
	size_t n = 0;

	for (; n < count && queue->head != queue->tail; n++)
		ret_samples[n] = queue->sample[queue->tail++ % SAMPLES_MAX];
	return n;
}

void samples_done(struct stack *stack)
{
	if (stack->samples.sample)
		stack->memory.free(stack->memory.context, stack->samples.sample,
		                   SAMPLES_MAX * sizeof(*stack->samples.sample));
}
