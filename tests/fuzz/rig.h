#pragma once
/* A stack for fuzz targets: small limits, a journal, a service that reads and writes on its connections, and the
 * checks of watch.h after each turn. What either side sends is a pattern made from the sequence number, so that every
 * byte can be checked wherever it turns up. */
#include "../support/test_memory.h"
#include "../support/watch.h"
#include "core/wire/bytes.h"
#include "core/wire/checksum.h"
#include "core/wire/ethernet.h"
#include "core/wire/ipv4.h"
#include "core/wire/ipv6.h"
#include "core/wire/tcp.h"

#define RIG_HANDLES 16
#define RIG_JOURNAL 64
#define RIG_HELD 16
#define RIG_PORT 7
#define RIG_OWN ip_addr_v4(0xc0000202)
#define RIG_PEER ip_addr_v4(0xc0000201)
/* With accept_ra, the stack has IPv6 as well. */
#define RIG_OWN6 ((struct ip_addr){ { 0x20, 0x01, 0x0d, 0xb8, [15] = 2 } })
#define RIG_PEER6 ((struct ip_addr){ { 0x20, 0x01, 0x0d, 0xb8, [15] = 1 } })

struct rig_conn {
	struct conn_handle handle;
	bool used;
	uint32_t read_seq, write_seq; /* of the next byte; valid with `known` */
	bool known;                   /* both of them; */
	bool write_known;             /* the second, before the peer's SYN is there */
};

/* How far a connection has sent text. */
#define RIG_SENT 32
struct rig_sent {
	uint64_t id;
	uint32_t end;
};

struct rig;

/* Has a look at a TCP segment that goes out, before anything else does. */
typedef void (*rig_look)(struct rig *rig, const struct ip_packet *ip, const struct tcp_segment *segment);

/* The same at an IP packet. */
typedef void (*rig_look_ip)(struct rig *rig, const struct ip_packet *ip);

struct rig {
	struct test_memory memory;
	struct stack *stack;
	struct journal_ring *ring;
	struct watch watch;
	struct instant now;
	struct conn_handle listener;
	struct rig_conn conn[RIG_HANDLES];
	uint8_t *held[RIG_HELD]; /* frames of this turn */
	uint32_t held_count;
	uint32_t syn_ack_seq[8];         /* of the latest SYN-ACK to each port modulo 8: what a cookie needs */
	uint32_t tsval[8];               /* of the latest segment to each port modulo 8 */
	struct rig_sent sent[RIG_SENT];  /* by id */
	bool verify;                     /* the peer's bytes are the pattern, too */
	bool garbage;                    /* keepalive probes may have an octet of it */
	struct instant neighbours_until; /* till then none of them is forgotten */
	rig_look look;                   /* NULL: nobody does */
	rig_look_ip look_ip;
};

static inline uint8_t rig_pattern(uint32_t seq)
{
	return (uint8_t)((seq * 2654435761u) >> 13);
}

static inline void rig_begin(struct rig *rig, const struct stack_config *tweaked)
{
	struct memory memory;
	struct stack_config config = *tweaked;

	memset(rig, 0, sizeof(*rig));
	memory = test_memory(&rig->memory);
	rig->now = (struct instant){ 5000000000 };
	rig->ring = watch_ring_new(RIG_JOURNAL);
	memset(config.secret, 9, sizeof(config.secret));
	config.mac = (struct mac_addr){ { 2, 0, 0, 0, 0, 2 } };
	config.address[0] = (struct stack_address){ RIG_OWN, 120 };
	config.address_count = 1;
	if (config.accept_ra)
		config.address[config.address_count++] = (struct stack_address){ RIG_OWN6, 64 };
	config.journal = rig->ring;
	WATCH_CHECK(stack_new(&config, &memory, rig->now, &rig->stack) == 0);
	watch_begin(&rig->watch, rig->stack, rig->ring);
}

/* A configuration in which every limit is near. */
static inline void rig_config(struct stack_config *config)
{
	stack_config_init(config);
	config->connections_max = 12;
	config->half_open_max = 4;
	config->time_wait_max = 3;
	config->listeners_max = 2;
	config->neighbours_max = 3;
	config->buffers_max_bytes = 32 * 16384;
	config->fragments_max_bytes = 3 * 70000;
	config->tcp.rcvbuf_initial_bytes = 20000;
	config->tcp.rcvbuf_max_bytes = 100000;
	config->tcp.sndbuf_initial_bytes = 20000;
	config->tcp.sndbuf_max_bytes = 100000;
}

/* ---- the service -------------------------------------------------------------------------------------------------
 */

static inline void rig_learn(struct rig *rig, struct rig_conn *conn)
{
	struct stack_conn_info info;

	if (conn->known || stack_info(rig->stack, conn->handle, &info) < 0)
		return;
	if (!conn->write_known)
		conn->write_seq = info.iss + 1;
	conn->write_known = true;
	if (info.active && info.state < TCPS_SYN_RECEIVED && info.recv_q == 0) /* it may be dead already */
		return;
	conn->read_seq = info.irs + 1;
	conn->known = true;
}

static inline void rig_adopt(struct rig *rig, struct conn_handle handle)
{
	for (int i = 0; i < RIG_HANDLES; i++) {
		if (!rig->conn[i].used) {
			rig->conn[i] = (struct rig_conn){ .handle = handle, .used = true };
			WATCH_CHECK(stack_set_user(rig->stack, handle, (uint64_t)i + 1) == 0);
			rig_learn(rig, &rig->conn[i]);
			return;
		}
	}
	WATCH_CHECK(stack_abort(rig->stack, handle) == 0);
}

static inline void rig_release(struct rig *rig, struct rig_conn *conn, bool reset)
{
	if (!conn->used)
		return;
	conn->used = false;
	WATCH_CHECK((reset ? stack_abort(rig->stack, conn->handle) : stack_close(rig->stack, conn->handle)) == 0);
	WATCH_CHECK(stack_set_user(rig->stack, conn->handle, 0) < 0);
}

static inline void rig_read(struct rig *rig, struct rig_conn *conn, size_t most)
{
	struct iovec iov[3];
	ssize_t bytes;
	size_t left;
	int count;

	if (!conn->used)
		return;
	rig_learn(rig, conn);
	bytes = stack_peek(rig->stack, conn->handle, iov, 3, &count);
	WATCH_CHECK(bytes >= 0);
	left = (size_t)bytes < most ? (size_t)bytes : most;
	WATCH_CHECK(stack_consume(rig->stack, conn->handle, left) == 0 || left == 0);
	conn->read_seq += (uint32_t)left;
}

/* The same, with a look at the bytes first. */
static inline void rig_read_checked(struct rig *rig, struct rig_conn *conn, size_t most)
{
	struct iovec iov[3];
	uint32_t seq;
	int count;

	if (!conn->used)
		return;
	rig_learn(rig, conn);
	seq = conn->read_seq;
	if (rig->verify && stack_peek(rig->stack, conn->handle, iov, 3, &count) > 0) {
		WATCH_CHECK(conn->known);
		for (int i = 0; i < count; i++) {
			for (size_t j = 0; j < iov[i].iov_len; j++)
				WATCH_CHECK(((const uint8_t *)iov[i].iov_base)[j] == rig_pattern(seq++));
		}
	}
	rig_read(rig, conn, most);
}

static inline void rig_write(struct rig *rig, struct rig_conn *conn, size_t wanted, bool commit)
{
	struct iovec iov[3];
	ssize_t room;
	int count;

	if (!conn->used)
		return;
	rig_learn(rig, conn);
	if (!conn->write_known)
		return;
	room = stack_space(rig->stack, conn->handle, wanted, iov, 3, &count);
	if (room <= 0 || !commit)
		return;
	for (int i = 0; i < count; i++) {
		for (size_t j = 0; j < iov[i].iov_len; j++)
			((uint8_t *)iov[i].iov_base)[j] = rig_pattern(conn->write_seq++);
	}
	WATCH_CHECK(stack_commit(rig->stack, conn->handle, (size_t)room) == 0);
}

/* ---- frames ------------------------------------------------------------------------------------------------------
 */

/* In memory of exactly that size, kept until the end of the turn. */
static inline enum stack_verdict rig_input(struct rig *rig, const uint8_t *bytes, size_t length, uint16_t gso_bytes,
                                           uint8_t checksum)
{
	struct frame_in frame = { .length = (uint32_t)length, .gso_bytes = gso_bytes, .checksum = checksum };
	uint8_t *copy = malloc(length ? length : 1);
	enum stack_verdict verdict;

	if (!copy)
		abort();
	memcpy(copy, bytes, length);
	WATCH_CHECK(rig->held_count < RIG_HELD);
	rig->held[rig->held_count++] = copy;
	frame.bytes = copy;
	verdict = stack_input(rig->stack, rig->now, &frame);
	WATCH_CHECK(verdict < STACK_VERDICT_COUNT);
	return verdict;
}

/* What goes out is well-formed, and carries the pattern. */
static inline void rig_check_out(struct rig *rig, const struct frame_out *out)
{
	static uint8_t bytes[70000];
	struct tcp_segment tcp;
	struct ip_packet ip;
	uint32_t at = 0;

	for (uint32_t i = 0; i < out->iov_count; i++) {
		memcpy(bytes + at, out->iov[i].iov_base, out->iov[i].iov_len);
		at += (uint32_t)out->iov[i].iov_len;
	}
	WATCH_CHECK(at == out->length);
	if (load16(bytes + 12) == ETHERTYPE_IPV6) {
		struct ipv6_problem problem;

		WATCH_CHECK(ipv6_read(bytes + ETHERNET_HEADER_BYTES, at - ETHERNET_HEADER_BYTES, &ip) == 0);
		WATCH_CHECK(ipv6_skip_extensions(&ip, &problem) == 0);
		WATCH_CHECK(!ipv6_is_multicast(&ip.source) && !ip_addr_is_v4(&ip.source));
		WATCH_CHECK(!ip_addr_is_any(&ip.destination) && !ip_addr_is_v4(&ip.destination));
	} else if (load16(bytes + 12) == ETHERTYPE_IPV4) {
		WATCH_CHECK(ipv4_read(bytes + ETHERNET_HEADER_BYTES, at - ETHERNET_HEADER_BYTES, &ip) == 0);
	} else {
		return;
	}
	if (rig->look_ip)
		rig->look_ip(rig, &ip);
	if (ip.protocol != IP_PROTOCOL_TCP)
		return;
	WATCH_CHECK(tcp_read(ip.payload, ip.payload_bytes, &tcp) == 0);
	if (out->checksum_offset == 0)
		WATCH_CHECK(checksum_fold(checksum_add(
		                    checksum_pseudo(&ip.source, &ip.destination, IP_PROTOCOL_TCP, ip.payload_bytes),
		                    ip.payload, ip.payload_bytes, 0)) == 0xffff);
	if ((tcp.flags & (TCP_SYN | TCP_ACK)) == (TCP_SYN | TCP_ACK))
		rig->syn_ack_seq[tcp.destination_port % 8] = tcp.seq.v;
	if (tcp.options.has_timestamps)
		rig->tsval[tcp.destination_port % 8] = tcp.options.tsval;
	if (rig->look)
		rig->look(rig, &ip, &tcp);
	if (tcp.payload_bytes == 1 && tcp.payload[0] == 0 && rig->garbage)
		return;
	for (uint32_t i = 0; i < tcp.payload_bytes; i++)
		WATCH_CHECK(tcp.payload[i] == rig_pattern(tcp.seq.v + i + (tcp.flags & TCP_SYN ? 1 : 0)));
}

/* ---- turns -------------------------------------------------------------------------------------------------------
 */

static inline bool rig_holds_dead(const struct rig *rig)
{
	struct stack_conn_info info;

	for (int i = 0; i < RIG_HANDLES; i++) {
		if (rig->conn[i].used && stack_info(rig->stack, rig->conn[i].handle, &info) == 0 &&
		    info.state == TCPS_CLOSED)
			return true;
	}
	return false;
}

static inline void rig_ready(struct rig *rig)
{
	struct stack_ready ready;

	while (stack_next_ready(rig->stack, &ready)) {
		WATCH_CHECK(ready.flags != 0);
		if (ready.flags & READY_ACCEPTED) {
			WATCH_CHECK(ready.user == 0);
			rig_adopt(rig, ready.conn);
			continue;
		}
		WATCH_CHECK(ready.user > 0 && ready.user <= RIG_HANDLES && rig->conn[ready.user - 1].used &&
		            rig->conn[ready.user - 1].handle.v == ready.conn.v);
		rig_learn(rig, &rig->conn[ready.user - 1]);
	}
}

static inline void rig_turn(struct rig *rig)
{
	struct frame_out out[2];
	uint32_t frames = 0;
	size_t count;

	while (stack_advance(rig->stack, rig->now))
		WATCH_CHECK(++frames < 10000);
	do {
		rig_ready(rig);
		stack_settle(rig->stack);
		while (rig->held_count > 0)
			free(rig->held[--rig->held_count]);
		while ((count = stack_output(rig->stack, out, rig->look ? 1 : 2)) > 0) {
			for (size_t i = 0; i < count; i++)
				rig_check_out(rig, &out[i]);
			WATCH_CHECK(++frames < 100000);
		}
	} while (stack_has_ready(rig->stack));
	watch_turn(&rig->watch, rig->now, rig_holds_dead(rig));
}

static inline void rig_recorder_reads(struct rig *rig)
{
	atomic_store(&rig->ring->tail, rig->watch.seen);
}

/* Everything ends, and nothing is left. */
static inline void rig_end(struct rig *rig)
{
	test_memory_fail_never(&rig->memory);
	rig_turn(rig);
	for (int i = 0; i < RIG_HANDLES; i++)
		rig_release(rig, &rig->conn[i], i % 2);
	rig_turn(rig);
	while (stack_stop(rig->stack, true) > 0)
		rig_turn(rig);
	rig_turn(rig);
	for (int i = 0; i < RIG_HANDLES; i++)
		rig_release(rig, &rig->conn[i], false);
	rig_turn(rig);
	for (int i = 0; i < 5; i++) { /* what waits for a neighbour has waited long enough */
		rig->now = instant_add(rig->now, DURATION_S(100));
		rig_turn(rig);
	}
	watch_all_gone(&rig->watch);
	stack_free(rig->stack);
	WATCH_CHECK(rig->memory.live_count == 0);
	watch_end(&rig->watch);
	free(rig->ring);
}
