/* Impairment between a shard and its queue of the link. */
#include "shard/private.h"

static void receive(void *context, const struct frame_in *frame)
{
	shard_input(context, frame);
}

static void transmit(void *context, const struct frame_out *frame)
{
	struct shard *shard = context;

	link_send(shard->set->link, shard->index, frame, 1);
}

int shard_impair(struct shard *shard, struct impair_rule *const *rule, size_t count)
{
	int error = 0;

	if (!shard->impair_rules && count > 0)
		error = impair_rules_new(&(struct impair_rules_options){ .queue = shard->index,
		                                                         .bytes_max = shard->set->impair_bytes_max,
		                                                         .receive = receive,
		                                                         .transmit = transmit,
		                                                         .context = shard },
		                         &shard->impair_rules);
	if (error == 0 && shard->impair_rules)
		error = impair_rules_set(shard->impair_rules, rule, count);
	if (error == 0)
		shard->impair = shard->impair_rules;
	return error;
}

void shard_impair_count(const struct shard *shard, size_t index, unsigned direction,
                        struct impair_rule_counters *ret_counters)
{
	*ret_counters = (struct impair_rule_counters){ 0 };
	if (shard->impair_rules)
		impair_rules_count(shard->impair_rules, index, (enum impair_direction)direction, ret_counters);
}

void impair_turn(struct shard *shard)
{
	impair_rules_run(shard->impair, shard->host.now);
}

static void show(_Atomic uint64_t *counter, uint64_t value)
{
	atomic_store_explicit(counter, value, memory_order_relaxed);
}

void impair_settle(struct shard *shard)
{
	struct impair_totals totals;

	impair_rules_settle(shard->impair);
	impair_rules_total(shard->impair, &totals);
	show(&shard->status.impair_frames, totals.frames);
	show(&shard->status.impair_bytes, totals.bytes);
	show(&shard->status.impair_dropped, totals.dropped);
	show(&shard->status.impair_harmed, totals.harmed);
	show(&shard->status.impair_held_packets, totals.held_packets);
	show(&shard->status.impair_held_bytes, totals.held_bytes);
	if (impair_rules_idle(shard->impair))
		shard->impair = NULL;
}

void impair_flush(struct shard *shard)
{
	impair_rules_flush(shard->impair);
}
