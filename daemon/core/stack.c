/* The stack as a whole: its making, the turn of the crank, frames in and out. */
#include "core/stack.h"
#include "core/tcp/engine.h"
#include "core/wire/ipv6.h"

#include <errno.h>

#define TIMERS_PER_CALL 1024

void stack_config_init(struct stack_config *config)
{
	*config = (struct stack_config){
		.mtu_bytes = 1500,
		.dad_transmits = 1,
		.congestion_budget = DURATION_US(100),
		.connections_max = 131072,
		.half_open_max = 16384,
		.time_wait_max = 131072,
		.listeners_max = 256,
		.neighbours_max = 1024,
		.paths_max = 4096,
		.buffers_max_bytes = 256u << 20,
		.fragments_max_bytes = 4u << 20,
		.first_connection_id = 1,
		.connection_id_step = 1,
		.port_first = 32768,
		.port_last = 60999,
		.tcp = {
			.msl = DURATION_S(30),
			.challenge_acks_per_s = 10,
			.orphans_max = 65536,
			.fastopen_pending_max = 256,
			.syn_cookies = true,
			.syn_timeout = DURATION_S(190),
			.half_open_timeout = DURATION_S(60),
			.window_scale = STACK_WSCALE_AUTO,
			.timestamps = true,
			.sack = true,
			.window_scaling = true,
			.ecn = STACK_ECN_ACCEPT,
			.accecn = true,
			.rto_initial = DURATION_S(1),
			.rto_min = DURATION_MS(200),
			.rto_max = DURATION_S(60),
			.r1_retransmits = 3,
			.retransmit_timeout = DURATION_S(900),
			.rack = true,
			.tail_loss_probe = true,
			.prr = true,
			.frto = true,
			.undo = true,
			.initial_window_segments = 10,
			.cwnd_validation = true,
			.idle_restart = true,
			.rcvbuf_initial_bytes = 256u << 10,
			.rcvbuf_max_bytes = 16u << 20,
			.sndbuf_initial_bytes = 256u << 10,
			.sndbuf_max_bytes = 16u << 20,
			.rcvbuf_autotune = true,
			.sndbuf_autotune = true,
			.delayed_ack = DURATION_MS(40),
			.fin_wait_2_timeout = DURATION_S(60),
			.orphan_timeout = DURATION_S(100),
			.linger = { -1 },
			.keepalive_count = 9,
			.keepalive_idle = DURATION_S(7200),
			.keepalive_interval = DURATION_S(75),
			.ttl = 64,
			.icmp_policy = STACK_ICMP_SOFT,
			.path_mtu = STACK_PATH_MTU_FALLBACK,
			.path_mtu_probe_floor_bytes = 1024,
		},
	};
}

/* ---- making and unmaking ----------------------------------------------------------------------------------------
 */

static void *counted_alloc(void *context, size_t size)
{
	struct stack *stack = context;
	void *pointer = stack->host_memory.alloc(stack->host_memory.context, size);

	if (pointer)
		stack->memory_bytes += size;
	return pointer;
}

static void counted_free(void *context, void *pointer, size_t size)
{
	struct stack *stack = context;

	stack->memory_bytes -= size;
	stack->host_memory.free(stack->host_memory.context, pointer, size);
}

bool stack_tcp_config_valid(const struct stack_tcp_config *tcp)
{
	return tcp->msl.ns > 0 && tcp->time_wait.ns >= 0 && tcp->syn_timeout.ns > 0 &&
	       tcp->half_open_timeout.ns > 0 && tcp->rto_min.ns > 0 && tcp->rto_min.ns <= tcp->rto_max.ns &&
	       tcp->rto_initial.ns > 0 && tcp->retransmit_timeout.ns > 0 && tcp->delayed_ack.ns >= 0 &&
	       tcp->delayed_ack.ns < 500000000 && tcp->initial_window_segments > 0 &&
	       tcp->rcvbuf_initial_bytes >= 2048 && tcp->rcvbuf_initial_bytes <= tcp->rcvbuf_max_bytes &&
	       tcp->rcvbuf_max_bytes <= 1u << 30 && tcp->sndbuf_initial_bytes >= 2048 &&
	       tcp->sndbuf_initial_bytes <= tcp->sndbuf_max_bytes && tcp->sndbuf_max_bytes <= 1u << 30 &&
	       (tcp->mss_max_bytes == 0 || tcp->mss_max_bytes >= 48) &&
	       (tcp->window_scale <= TCP_WSCALE_MAX || tcp->window_scale == STACK_WSCALE_AUTO) &&
	       tcp->ecn <= STACK_ECN_REQUEST && tcp->fin_wait_2_timeout.ns > 0 && tcp->orphan_timeout.ns >= 0 &&
	       tcp->user_timeout.ns >= 0 && tcp->keepalive_count > 0 && tcp->keepalive_count <= UINT8_MAX &&
	       tcp->keepalive_idle.ns > 0 && tcp->keepalive_interval.ns > 0 && tcp->ttl > 0 && tcp->dscp < 64 &&
	       tcp->icmp_policy <= STACK_ICMP_STRICT && tcp->path_mtu <= STACK_PATH_MTU_PROBE &&
	       tcp->path_mtu_probe_floor_bytes >= 48;
}

static bool addresses_make_sense(const struct stack_config *config)
{
	bool ipv6 = config->accept_ra || !ip_addr_is_any(&config->gateway6);

	for (uint32_t i = 0; i < config->address_count && i < STACK_ADDRESSES_MAX; i++) {
		const struct stack_address *own = &config->address[i];

		if (own->prefix_bits > 128 || (ip_addr_is_v4(&own->ip) && own->prefix_bits < 96))
			return false;
		if (!ip_addr_is_v4(&own->ip) && !ipv6_is_host(&own->ip))
			return false;
		ipv6 |= !ip_addr_is_v4(&own->ip);
	}
	return !ipv6 || config->mtu_bytes >= IPV6_MTU_LEAST;
}

static bool config_makes_sense(const struct stack_config *config)
{
	if (!addresses_make_sense(config))
		return false;
	return (config->address_count > 0 || config->accept_ra) && config->address_count <= STACK_ADDRESSES_MAX &&
	       config->mtu_bytes >= 576 && config->mtu_bytes <= 65535 && config->connections_max > 0 &&
	       config->half_open_max > 0 && config->time_wait_max > 0 && config->listeners_max > 0 &&
	       config->neighbours_max > 0 && config->paths_max > 0 &&
	       config->buffers_max_bytes >= 16ull * BLOCK_BYTES && config->connection_id_step > 0 &&
	       config->port_first > 0 && config->port_first <= config->port_last &&
	       stack_tcp_config_valid(&config->tcp) && (config->gso_bytes_max == 0 || config->checksum_offload);
}

static int make_pools(struct stack *stack)
{
	const struct stack_config *config = &stack->config;
	const struct {
		struct pool *pool;
		size_t record_bytes;
		uint32_t limit;
	} pools[] = {
		{ &stack->conns, sizeof(struct conn), config->connections_max },
		{ &stack->half_opens, sizeof(struct half_open), config->half_open_max },
		{ &stack->time_waits, sizeof(struct time_wait), config->time_wait_max },
		{ &stack->listeners, sizeof(struct listener), config->listeners_max },
		{ &stack->sents, sizeof(struct sent), (uint32_t)(config->buffers_max_bytes / 512) },
		{ &stack->receive_queues, sizeof(struct receive_queue), config->connections_max },
		{ &stack->send_queues, sizeof(struct send_queue), config->connections_max },
		{ &stack->hole_sets, sizeof(struct pool_head) + sizeof(struct ranges), config->connections_max },
		{ &stack->neighbours, sizeof(struct neighbour), config->neighbours_max },
		{ &stack->extras, sizeof(struct conn_extra), config->connections_max },
		/* one a record, and one while it is exchanged */
		{ &stack->profiles, sizeof(struct profile), config->connections_max + config->listeners_max + 2 },
	};

	for (size_t i = 0; i < sizeof(pools) / sizeof(pools[0]); i++) {
		if (pool_init(pools[i].pool, &stack->memory, (uint32_t)((pools[i].record_bytes + 7) & ~7u),
		              pools[i].limit) < 0)
			return -ENOMEM;
	}
	if (block_pool_init(&stack->blocks, &stack->memory, config->buffers_max_bytes) < 0 ||
	    !pool_reserve(&stack->time_waits, 1) || demux_init(stack) < 0)
		return -ENOMEM;
	if (path_cache_init(&stack->paths, &stack->memory, config->paths_max, derive_key(config->secret, 20)) < 0)
		return -ENOMEM;
	stack->tcp = profile_get(stack, &config->tcp);
	if (!stack->tcp)
		return -ENOMEM;
	stack->raw.frame = stack->memory.alloc(stack->memory.context, RAW_FRAMES * sizeof(*stack->raw.frame));
	return stack->raw.frame ? 0 : -ENOMEM;
}

static void init_values(struct stack *stack, struct instant now)
{
	const struct stack_config *config = &stack->config;

	stack->now = stack->icmp_tokens_at = now;
	stack->next_id = config->first_connection_id;
	stack->flow_key = derive_key(config->secret, 1);
	stack->isn_key = derive_key(config->secret, 2);
	stack->cookie_key = derive_key(config->secret, 3);
	stack->timestamp_key = derive_key(config->secret, 4);
	stack->port_key = derive_key(config->secret, 5);
	stack->random.key = derive_key(config->secret, 6);
	stack->fastopen_key = derive_key(config->secret, 21);
	stack->time_wait_oldest = stack->time_wait_newest = POOL_NONE;
	stack->icmp_tokens = 50;
	for (size_t i = 0; i < sizeof(stack->neighbour_bucket) / sizeof(stack->neighbour_bucket[0]); i++)
		stack->neighbour_bucket[i] = POOL_NONE;
	wheel_init(&stack->conn_wheel, now);
	wheel_init(&stack->half_open_wheel, now);
	wheel_init(&stack->neighbour_wheel, now);
	net6_init(stack);
}

int stack_new(const struct stack_config *config, const struct memory *memory, struct instant now,
              struct stack **ret_stack)
{
	struct stack *stack;

	if (!config_makes_sense(config))
		return -EINVAL;
	stack = memory->alloc(memory->context, sizeof(*stack));
	if (!stack)
		return -ENOMEM;
	stack->config = *config;
	stack->host_memory = *memory;
	stack->memory = (struct memory){ counted_alloc, counted_free, stack };
	init_values(stack, now);
	choice_init(stack);
	stack_set_offload(stack, config->gso_bytes_max, config->checksum_offload);
	if (make_pools(stack) < 0) {
		stack_free(stack);
		return -ENOMEM;
	}
	*ret_stack = stack;
	return 0;
}

/* Releases what records own outside their pools; the pools themselves take the rest with them. */
static void free_outside_pools(struct stack *stack)
{
	struct conn *conn;

	for (uint32_t from = 0; stack->conns.chunks && (conn = pool_next_live(&stack->conns, from));
	     from = conn->node.head.slot + 1) {
		if (conn->flags & CONN_DEAD)
			continue;
		congestion_done(stack, conn);
		if (conn->tx)
			strip_clear(&conn->tx->strip, &stack->blocks);
		if (conn->rx)
			strip_clear(&conn->rx->strip, &stack->blocks);
	}
	if (stack->neighbours.chunks)
		neighbour_clear(stack);
	fragment_clear(stack);
}

void stack_free(struct stack *stack)
{
	struct memory memory;
	struct pool *pools[11];

	if (!stack)
		return;
	free_outside_pools(stack);
	choice_done(stack);
	samples_done(stack);
	notices_done(stack);
	pools[0] = &stack->conns;
	pools[1] = &stack->half_opens;
	pools[2] = &stack->time_waits;
	pools[3] = &stack->listeners;
	pools[4] = &stack->sents;
	pools[5] = &stack->receive_queues;
	pools[6] = &stack->send_queues;
	pools[7] = &stack->hole_sets;
	pools[8] = &stack->neighbours;
	pools[9] = &stack->extras;
	pools[10] = &stack->profiles;
	for (int i = 0; i < 11; i++) {
		if (pools[i]->chunks)
			pool_done(pools[i]);
	}
	path_cache_done(&stack->paths);
	if (stack->blocks.chunks)
		block_pool_done(&stack->blocks);
	if (stack->buckets)
		stack->memory.free(stack->memory.context, stack->buckets,
		                   (stack->bucket_mask + 1) * sizeof(*stack->buckets));
	if (stack->raw.frame)
		stack->memory.free(stack->memory.context, stack->raw.frame, RAW_FRAMES * sizeof(*stack->raw.frame));
	memory = stack->host_memory;
	memory.free(memory.context, stack, sizeof(*stack));
}

void stack_set_offload(struct stack *stack, uint32_t gso_bytes_max, bool checksum_offload)
{
	/* All headers and the payload must fit the 16-bit total length of IPv4, and what the link takes of IPv6. */
	uint32_t most = 65535u - IPV6_HEADER_BYTES - TCP_HEADER_BYTES_MAX;

	stack->config.checksum_offload = checksum_offload;
	stack->config.gso_bytes_max = checksum_offload ? (gso_bytes_max < most ? gso_bytes_max : most) : 0;
}

/* ---- frames in ----------------------------------------------------------------------------------------------------
 */

static void latch(struct stack *stack, struct instant now)
{
	if (instant_before(stack->now, now))
		stack->now = now;
}

static bool is_for_us(const struct stack *stack, const struct mac_addr *mac)
{
	static const struct mac_addr broadcast = { { 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } };

	return memcmp(mac, &stack->config.mac, sizeof(*mac)) == 0 || memcmp(mac, &broadcast, sizeof(*mac)) == 0 ||
	       address_hears_mac(stack, mac);
}

static enum stack_verdict frame_arrives(struct stack *stack, const struct frame_in *frame)
{
	struct ethernet_header ethernet;
	const uint8_t *packet = frame->bytes + ETHERNET_HEADER_BYTES;
	bool to_group;

	if (ethernet_read(frame->bytes, frame->length, &ethernet) < 0 || !is_for_us(stack, &ethernet.destination))
		return VERDICT_DROP_ETHERNET;
	to_group = mac_addr_is_group(&ethernet.destination);
	switch (ethernet.type) {
	case ETHERTYPE_IPV4:
		return ip_arrives(stack, frame, packet, frame->length - ETHERNET_HEADER_BYTES, to_group);
	case ETHERTYPE_IPV6:
		if (!stack->net6.enabled)
			return VERDICT_DROP_PROTOCOL;
		return ip6_arrives(stack, frame, packet, frame->length - ETHERNET_HEADER_BYTES, to_group);
	case ETHERTYPE_ARP:
		return arp_arrives(stack, packet, frame->length - ETHERNET_HEADER_BYTES);
	default:
		return VERDICT_DROP_PROTOCOL;
	}
}

/* Blocks of raw frames that the link has taken by now. */
static void release_emitted(struct stack *stack)
{
	while (stack->emitted_count > 0)
		raw_block_put(stack, stack->emitted_block[--stack->emitted_count]);
}

enum stack_verdict stack_input(struct stack *stack, struct instant now, const struct frame_in *frame)
{
	enum stack_verdict verdict;

	latch(stack, now);
	release_emitted(stack);
	COUNT(stack, frames_in);
	stack->counters.bytes_in += frame->length;
	if (stack->watch)
		watch_begins(stack);
	verdict = frame_arrives(stack, frame);
	if (stack->watch)
		watch_judged(stack, verdict);
	stack->counters.verdict[verdict]++;
	return verdict;
}

bool stack_advance(struct stack *stack, struct instant now)
{
	int budget = TIMERS_PER_CALL;
	struct timer *timer;

	latch(stack, now);
	release_emitted(stack);
	half_open_timers(stack, &budget);
	time_wait_timers(stack, &budget);
	neighbour_timers(stack, &budget);
	net6_timers(stack);
	fragment_timers(stack);
	while (budget > 0 && (timer = wheel_pop(&stack->conn_wheel, stack->now))) {
		timers_fire(stack, CONTAINER_OF(timer, struct conn, timer));
		budget--;
	}
	return budget == 0;
}

void stack_settle(struct stack *stack)
{
	struct conn *conn, *next;

	for (conn = stack->settle_first; conn; conn = next) {
		next = conn->rx->settle_next;
		conn->flags &= ~(uint32_t)CONN_ON_SETTLE;
		if (conn->flags & CONN_DEAD) {
			receive_clear(stack, conn);
			conn_left_list(stack, conn, CONN_ON_SETTLE);
			continue;
		}
		receive_settle(stack, conn);
		conn_release_idle_queues(stack, conn);
	}
	stack->settle_first = NULL;
	stack->spans_used = 0;
	fragment_settle(stack);
}

struct instant stack_deadline(const struct stack *stack)
{
	struct instant due = instant_min(wheel_deadline(&stack->conn_wheel), wheel_deadline(&stack->half_open_wheel));

	due = instant_min(due, wheel_deadline(&stack->neighbour_wheel));
	due = instant_min(due, fragment_deadline(stack));
	due = instant_min(due, net6_deadline(stack));
	if (stack->time_wait_oldest != POOL_NONE) {
		const struct time_wait *tw = pool_at(&stack->time_waits, stack->time_wait_oldest);

		due = instant_min(due, tw->due);
	}
	return due;
}

/* ---- frames out
 * ----------------------------------------------------------------------------------------------------- */

struct raw_frame *raw_slot(struct stack *stack)
{
	struct raw_queue *raw = &stack->raw;
	struct raw_frame *frame;

	if (raw->head - raw->tail == RAW_FRAMES)
		return NULL;
	frame = &raw->frame[raw->head % RAW_FRAMES];
	frame->is_segment = false;
	return frame;
}

void raw_push(struct stack *stack)
{
	stack->raw.head++;
}

_Static_assert((RAW_FRAMES & (RAW_FRAMES - 1)) == 0, "positions in the ring wrap at 2^32");

struct raw_frame *raw_front(struct stack *stack)
{
	struct raw_queue *raw = &stack->raw;

	return raw->head - raw->tail == RAW_FRAMES ? NULL : &raw->frame[--raw->tail % RAW_FRAMES];
}

uint8_t *raw_block_get(struct stack *stack)
{
	uint8_t *block = stack->raw.blocks < RAW_BLOCKS_MAX ? block_get(&stack->blocks) : NULL;

	if (block)
		stack->raw.blocks++;
	return block;
}

void raw_block_put(struct stack *stack, uint8_t *block)
{
	stack->raw.blocks--;
	block_put(&stack->blocks, block);
}

/* Hands the oldest raw frame out. False: it waits for its neighbour instead. */
static bool emit_raw(struct stack *stack, struct frame_out *out, struct stack_view *view)
{
	struct raw_frame *frame = &stack->raw.frame[stack->raw.tail % RAW_FRAMES];
	struct mac_addr mac;

	if (!ip_addr_is_any(&frame->destination)) {
		/* Resolving may queue an ARP request: this slot is not free yet, so it is not overwritten. */
		if (!neighbour_resolve(stack, &frame->destination, &mac)) {
			neighbour_hold(stack, frame);
			stack->raw.tail++;
			return false;
		}
		memcpy(frame->bytes, &mac, sizeof(mac));
	}
	stack->raw.tail++;
	memcpy(out->header, frame->bytes, frame->inline_bytes);
	out->iov[0] = (struct iovec){ out->header, frame->inline_bytes };
	out->iov_count = 1;
	out->length = frame->length;
	out->header_bytes = frame->inline_bytes;
	out->gso_bytes = out->checksum_start = out->checksum_offset = 0;
	out->is_ipv6 = false;
	if (view)
		watch_emitted(stack, frame, view);
	if (frame->block) {
		out->iov[1] = (struct iovec){ frame->block, (size_t)frame->length - frame->inline_bytes };
		out->iov_count = 2;
		stack->emitted_block[stack->emitted_count++] = frame->block;
	}
	return true;
}

static bool emit_conn(struct stack *stack, struct frame_out *out, struct stack_view *view)
{
	struct conn *conn = stack->output_first;
	uint8_t state = conn->state;

	stack->output_first = conn->output_next == POOL_NONE ? NULL : pool_at(&stack->conns, conn->output_next);
	if (!stack->output_first)
		stack->output_last = NULL;
	if (conn->flags & CONN_DEAD) {
		conn_left_list(stack, conn, CONN_ON_OUTPUT);
		return false;
	}
	if (!output_next(stack, conn, out)) {
		conn->flags &= ~(uint32_t)CONN_ON_OUTPUT;
		conn_release_idle_queues(stack, conn);
		return false;
	}
	if (view)
		watch_sent(conn, state, view);
	/* One frame each in turn: a bulk sender does not hold up the others. */
	conn->flags &= ~(uint32_t)CONN_ON_OUTPUT;
	conn_want_output(stack, conn);
	return true;
}

size_t stack_output(struct stack *stack, struct frame_out *frames, size_t count)
{
	size_t n = 0;

	if (stack->settle_first)
		stack_settle(stack);
	release_emitted(stack);
	while (n < count && stack->emitted_count < EMITTED_BLOCKS_MAX) {
		struct stack_view *view = stack->watch ? &stack->watch->out[n] : NULL;
		bool emitted;

		if (stack->raw.head != stack->raw.tail)
			emitted = emit_raw(stack, &frames[n], view);
		else if (stack->output_first)
			emitted = emit_conn(stack, &frames[n], view);
		else
			break;
		if (emitted) {
			COUNT(stack, frames_out);
			stack->counters.bytes_out += frames[n].length;
			n++;
		}
	}
	return n;
}
