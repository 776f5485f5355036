#include "link/impair/rules.h"

#include "core/wire/ethernet.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>

/* What is read to tell a frame's flow; enough for an IPv6 header with extensions. */
#define LOOK_AT_MAX 256u

struct impair_rule {
	atomic_uint references;
	struct impair_rule_options options;
	_Atomic int64_t line_busy_until[IMPAIR_DIRECTIONS];
};

/* A rule's one direction in one queue. */
struct chain {
	struct chain_pair *pair;
	enum impair_direction direction;
	uint64_t frames, bytes, no_memory;
	uint64_t packets_held, bytes_held; /* allocated, under way or received and not yet settled */
	struct impair_packet *received;    /* since the last settling; by `next` */
	struct impair_way way;
};

struct chain_pair {
	struct impair_rules *rules;
	struct impair_rule *rule;
	bool leaving;
	struct chain_pair *next; /* leaving ones */
	struct chain chain[IMPAIR_DIRECTIONS];
};

struct impair_rules {
	struct impair_rules_options options;
	struct chain_pair *pair[IMPAIR_RULES_MAX];
	size_t count;
	struct chain_pair *leaving;
	uint64_t bytes_held;
	bool flushing, unsettled;
	struct impair_totals gone; /* of rules that are over */
};

/* ---- rules as such -----------------------------------------------------------------------------------------------
 */

struct impair_rule *impair_rule_new(const struct impair_rule_options *options)
{
	struct impair_rule *rule = calloc(1, sizeof(*rule));

	if (!rule)
		return NULL;
	atomic_init(&rule->references, 1);
	rule->options = *options;
	return rule;
}

struct impair_rule *impair_rule_ref(struct impair_rule *rule)
{
	atomic_fetch_add(&rule->references, 1);
	return rule;
}

void impair_rule_unref(struct impair_rule *rule)
{
	if (rule && atomic_fetch_sub(&rule->references, 1) == 1)
		free(rule);
}

/* ---- memory ------------------------------------------------------------------------------------------------------
 */

static void *chain_alloc(void *context, size_t size)
{
	struct chain *chain = context;
	struct impair_rules *rules = chain->pair->rules;
	void *pointer = rules->bytes_held + size <= rules->options.bytes_max ? malloc(size) : NULL;

	if (!pointer) {
		chain->no_memory++;
		return NULL;
	}
	rules->bytes_held += size;
	chain->bytes_held += size;
	chain->packets_held++;
	return pointer;
}

static void chain_free(void *context, void *pointer, size_t size)
{
	struct chain *chain = context;

	free(pointer);
	chain->pair->rules->bytes_held -= size;
	chain->bytes_held -= size;
	chain->packets_held--;
}

/* ---- frames that have come through -------------------------------------------------------------------------------
 */

static void come_in(struct chain *chain, struct impair_packet *packet)
{
	struct impair_rules *rules = chain->pair->rules;
	struct frame_in frame = {
		.bytes = packet->bytes,
		.length = packet->length,
		.gso_bytes = packet->gso_bytes,
		.checksum = packet->checksum_offset ? FRAME_CHECKSUM_PARTIAL : FRAME_CHECKSUM_UNKNOWN,
	};

	packet->next = chain->received;
	chain->received = packet;
	rules->unsettled = true;
	if (!rules->flushing)
		rules->options.receive(rules->options.context, &frame);
}

static void go_out(struct chain *chain, struct impair_packet *packet)
{
	struct impair_rules *rules = chain->pair->rules;
	struct frame_out frame = {
		.iov[0] = { packet->bytes, packet->length },
		.iov_count = 1,
		.length = packet->length,
		.gso_bytes = packet->gso_bytes,
		.header_bytes = packet->header_bytes,
		.checksum_start = packet->checksum_start,
		.checksum_offset = packet->checksum_offset,
		.is_ipv6 = packet->is_ipv6,
	};

	if (packet->gso_bytes > 0) /* could not be cut: then the link looks into its headers */
		memcpy(frame.header, packet->bytes,
		       packet->length < sizeof(frame.header) ? packet->length : sizeof(frame.header));
	rules->options.transmit(rules->options.context, &frame);
	impair_packet_free(&chain->way.impair, packet);
}

static void came_through(void *context, struct instant now, struct impair_packet *packet)
{
	struct chain *chain = context;

	(void)now;
	if (chain->direction == IMPAIR_IN)
		come_in(chain, packet);
	else
		go_out(chain, packet);
}

/* ---- chains ------------------------------------------------------------------------------------------------------
 */

static uint64_t seed_of(const struct impair_rules *rules, const struct impair_rule *rule,
                        enum impair_direction direction)
{
	struct impair_random random = { rule->options.seed };

	for (uint64_t i = rules->options.queue * (uint64_t)IMPAIR_DIRECTIONS + direction; i > 0; i--)
		impair_random_u64(&random);
	return impair_random_u64(&random);
}

static struct chain_pair *pair_new(struct impair_rules *rules, struct impair_rule *rule)
{
	struct chain_pair *pair = calloc(1, sizeof(*pair));

	if (!pair)
		return NULL;
	pair->rules = rules;
	pair->rule = impair_rule_ref(rule);
	for (unsigned i = 0; i < IMPAIR_DIRECTIONS; i++) {
		struct chain *chain = &pair->chain[i];
		struct memory memory = { chain_alloc, chain_free, chain };
		struct impair_way_options options = rule->options.way;

		chain->pair = pair;
		chain->direction = (enum impair_direction)i;
		options.line.busy_until = &rule->line_busy_until[i];
		impair_way_begin(&chain->way, &memory, seed_of(rules, rule, chain->direction), &options, came_through,
		                 chain);
	}
	return pair;
}

static void forget_received(struct chain *chain)
{
	struct impair_packet *packet;

	while ((packet = chain->received)) {
		chain->received = packet->next;
		impair_packet_free(&chain->way.impair, packet);
	}
}

static void add_chain(struct impair_totals *totals, const struct chain *chain)
{
	struct impair_way_counters way;

	impair_way_count(&chain->way, &way);
	totals->frames += chain->frames;
	totals->bytes += chain->bytes;
	totals->dropped += way.dropped_delay + way.lost + way.dropped_nth + way.dropped_outage + way.dropped_queue +
	                   chain->no_memory;
	totals->harmed += way.duplicated + way.corrupted + way.reordered + way.marked;
	totals->held_packets += chain->packets_held;
	totals->held_bytes += chain->bytes_held;
}

static void pair_free(struct chain_pair *pair)
{
	for (unsigned i = 0; i < IMPAIR_DIRECTIONS; i++) {
		forget_received(&pair->chain[i]);
		impair_end(&pair->chain[i].way.impair);
		add_chain(&pair->rules->gone, &pair->chain[i]);
	}
	impair_rule_unref(pair->rule);
	free(pair);
}

static bool pair_is_empty(const struct chain_pair *pair)
{
	return pair->chain[IMPAIR_IN].packets_held == 0 && pair->chain[IMPAIR_OUT].packets_held == 0;
}

/* ---- the set of rules --------------------------------------------------------------------------------------------
 */

int impair_rules_new(const struct impair_rules_options *options, struct impair_rules **ret_rules)
{
	struct impair_rules *rules = calloc(1, sizeof(*rules));

	if (!rules)
		return -ENOMEM;
	rules->options = *options;
	*ret_rules = rules;
	return 0;
}

void impair_rules_free(struct impair_rules *rules)
{
	struct chain_pair *next;

	if (!rules)
		return;
	for (size_t i = 0; i < rules->count; i++)
		pair_free(rules->pair[i]);
	for (struct chain_pair *pair = rules->leaving; pair; pair = next) {
		next = pair->next;
		pair_free(pair);
	}
	free(rules);
}

static struct chain_pair *find_pair(const struct impair_rules *rules, const struct impair_rule *rule)
{
	for (size_t i = 0; i < rules->count; i++)
		if (rules->pair[i]->rule == rule)
			return rules->pair[i];
	return NULL;
}

int impair_rules_set(struct impair_rules *rules, struct impair_rule *const *rule, size_t count)
{
	struct chain_pair *pair[IMPAIR_RULES_MAX];

	for (size_t i = 0; i < count; i++) {
		pair[i] = find_pair(rules, rule[i]);
		if (!pair[i])
			pair[i] = pair_new(rules, rule[i]);
		if (pair[i])
			continue;
		while (i-- > 0)
			if (!find_pair(rules, rule[i]))
				pair_free(pair[i]);
		return -ENOMEM;
	}
	for (size_t i = 0; i < rules->count; i++)
		rules->pair[i]->leaving = true;
	for (size_t i = 0; i < count; i++)
		pair[i]->leaving = false;
	for (size_t i = 0; i < rules->count; i++) {
		if (!rules->pair[i]->leaving)
			continue;
		rules->pair[i]->next = rules->leaving;
		rules->leaving = rules->pair[i];
		rules->unsettled = true;
	}
	memcpy(rules->pair, pair, count * sizeof(pair[0]));
	rules->count = count;
	return 0;
}

bool impair_rules_idle(const struct impair_rules *rules)
{
	return rules->count == 0 && !rules->leaving;
}

/* ---- frames ------------------------------------------------------------------------------------------------------
 */

/* The chain that a frame goes through; NULL: none. */
static struct chain *chain_for(struct impair_rules *rules, enum impair_direction direction, const uint8_t *bytes,
                               uint32_t length)
{
	struct frame_flow flow;

	frame_flow_read(bytes, length, direction == IMPAIR_OUT, &flow);
	for (size_t i = 0; i < rules->count; i++) {
		const struct impair_rule_options *options = &rules->pair[i]->rule->options;

		if (options->applies[direction] && frame_filter_fits(&options->filter, &flow))
			return &rules->pair[i]->chain[direction];
	}
	return NULL;
}

/* Room for a frame that has been found to fit; NULL: none, and it is counted. */
static struct impair_packet *packet_for(struct chain *chain, uint32_t length)
{
	chain->frames++;
	chain->bytes += length;
	return impair_packet_new(&chain->way.impair, length);
}

bool impair_rules_take_in(struct impair_rules *rules, struct instant now, const struct frame_in *frame)
{
	struct chain *chain = chain_for(rules, IMPAIR_IN, frame->bytes, frame->length);
	struct impair_packet *packet;

	if (!chain)
		return false;
	packet = packet_for(chain, frame->length);
	if (!packet)
		return true;
	memcpy(packet->bytes, frame->bytes, frame->length);
	packet->gso_bytes = frame->gso_bytes;
	/* Where a checksum is that need not be looked at is not said: for TCP it is found, and made right, so that
	 * damage can be told from what is sound. */
	packet->checksum_offset = frame->checksum == FRAME_CHECKSUM_UNKNOWN ? 0 : 1;
	impair_way_give(&chain->way, now, packet);
	return true;
}

static uint32_t gather(uint8_t *to, uint32_t room, const struct frame_out *frame)
{
	uint32_t used = 0;

	for (uint32_t i = 0; i < frame->iov_count && used < room; i++) {
		size_t left = room - used, length = frame->iov[i].iov_len < left ? frame->iov[i].iov_len : left;

		if (length > 0)
			memcpy(to + used, frame->iov[i].iov_base, length);
		used += (uint32_t)length;
	}
	return used;
}

bool impair_rules_take_out(struct impair_rules *rules, struct instant now, const struct frame_out *frame)
{
	uint8_t head[LOOK_AT_MAX];
	struct impair_packet *packet;
	struct chain *chain;

	if (rules->count == 0)
		return false;
	chain = chain_for(rules, IMPAIR_OUT, head, gather(head, sizeof(head), frame));
	if (!chain)
		return false;
	packet = packet_for(chain, frame->length);
	if (!packet)
		return true;
	gather(packet->bytes, frame->length, frame);
	packet->gso_bytes = frame->gso_bytes;
	packet->header_bytes = frame->header_bytes;
	packet->checksum_start = frame->checksum_start;
	packet->checksum_offset = frame->checksum_offset;
	packet->is_ipv6 = frame->is_ipv6;
	impair_way_give(&chain->way, now, packet);
	return true;
}

/* ---- time --------------------------------------------------------------------------------------------------------
 */

static struct instant pair_deadline(const struct chain_pair *pair)
{
	return instant_min(impair_deadline(&pair->chain[IMPAIR_IN].way.impair),
	                   impair_deadline(&pair->chain[IMPAIR_OUT].way.impair));
}

struct instant impair_rules_deadline(const struct impair_rules *rules)
{
	struct instant due = INSTANT_NEVER;

	for (size_t i = 0; i < rules->count; i++)
		due = instant_min(due, pair_deadline(rules->pair[i]));
	for (const struct chain_pair *pair = rules->leaving; pair; pair = pair->next)
		due = instant_min(due, pair_deadline(pair));
	return due;
}

static void pair_run(struct chain_pair *pair, struct instant now)
{
	for (unsigned i = 0; i < IMPAIR_DIRECTIONS; i++)
		impair_run(&pair->chain[i].way.impair, now);
}

void impair_rules_run(struct impair_rules *rules, struct instant now)
{
	/* What was taken first leaves first. */
	for (struct chain_pair *pair = rules->leaving; pair; pair = pair->next)
		pair_run(pair, now);
	for (size_t i = 0; i < rules->count; i++)
		pair_run(rules->pair[i], now);
}

void impair_rules_settle(struct impair_rules *rules)
{
	struct chain_pair **link = &rules->leaving, *pair;

	if (rules->unsettled) {
		for (size_t i = 0; i < rules->count; i++)
			forget_received(&rules->pair[i]->chain[IMPAIR_IN]);
	}
	while ((pair = *link)) {
		forget_received(&pair->chain[IMPAIR_IN]);
		if (pair_is_empty(pair)) {
			*link = pair->next;
			pair_free(pair);
		} else {
			link = &pair->next;
		}
	}
	rules->unsettled = false;
}

void impair_rules_flush(struct impair_rules *rules)
{
	struct instant due;

	rules->flushing = true;
	while ((due = impair_rules_deadline(rules)).ns != INSTANT_NEVER.ns)
		impair_rules_run(rules, due);
	impair_rules_settle(rules);
	rules->flushing = false;
}

/* ---- counters ----------------------------------------------------------------------------------------------------
 */

void impair_rules_count(const struct impair_rules *rules, size_t index, enum impair_direction direction,
                        struct impair_rule_counters *ret_counters)
{
	const struct chain *chain;

	*ret_counters = (struct impair_rule_counters){ 0 };
	if (index >= rules->count)
		return;
	chain = &rules->pair[index]->chain[direction];
	ret_counters->frames = chain->frames;
	ret_counters->bytes = chain->bytes;
	ret_counters->no_memory = chain->no_memory;
	impair_way_count(&chain->way, &ret_counters->way);
}

static void add_pair(struct impair_totals *totals, const struct chain_pair *pair)
{
	for (unsigned i = 0; i < IMPAIR_DIRECTIONS; i++)
		add_chain(totals, &pair->chain[i]);
}

void impair_rules_total(const struct impair_rules *rules, struct impair_totals *ret_totals)
{
	*ret_totals = rules->gone;
	for (size_t i = 0; i < rules->count; i++)
		add_pair(ret_totals, rules->pair[i]);
	for (const struct chain_pair *pair = rules->leaving; pair; pair = pair->next)
		add_pair(ret_totals, pair);
}
