#pragma once
/* Dialogues about Explicit Congestion Notification: how connections with it are opened. */
#include "../../support/peer.h"

#define NOT_ECT 0
#define ECT1 1
#define ECT0 2
#define CE 3
#define ACE_FLAGS (TCP_AE | TCP_CWR | TCP_ECE)
#define MSS 1460

static const struct tcp_options syn_options = { .has_mss = true, .mss = MSS, .sack_permitted = true };

static inline uint16_t ace(unsigned v)
{
	return (uint16_t)((v & 4 ? TCP_AE : 0) | (v & 2 ? TCP_CWR : 0) | (v & 1 ? TCP_ECE : 0));
}

static inline void request_accurate(struct stack_config *config)
{
	config->tcp.ecn = STACK_ECN_REQUEST;
}

static inline void super_frames(struct stack_config *config)
{
	config->gso_bytes_max = 65000;
	config->checksum_offload = true;
}

static inline struct stack_counters counters(struct peer *p)
{
	return *stack_get_counters(p->stack);
}

/* A passive open by a SYN with these flags and this mark; the SYN-ACK must have `answer`, the ACK has `ack_ace`. */
static inline struct peer *opened(void (*tweak)(struct stack_config *), uint16_t syn, uint8_t ip_ecn, uint16_t answer,
                                  uint16_t ack_ace)
{
	struct peer *p = peer_start(tweak);

	peer_sends(p, (struct seg){ .flags = TCP_SYN | syn, .seq = 1000, .ecn = ip_ecn, .options = syn_options });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK | answer, .ack = 1001 });
	peer_sends(p, (struct seg){ .flags = TCP_ACK | ack_ace, .seq = 1001, .ack = OURS(1) });
	expect_nothing(p);
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	return p;
}

static inline void finish(struct peer *p)
{
	peer_ignores_rest(p);
	peer_stop(p);
}

static inline void connects(struct peer *p)
{
	struct stack_connect_options to = { .remote = PEER_IP, .remote_port = 80, .local_port = 5000 };

	assert_int_equal(stack_connect(p->stack, &to, &p->conn), 0);
	peer_turn(p);
}

static inline void answers(struct peer *p, struct seg seg)
{
	seg.source_port = 80;
	seg.destination_port = 5000;
	peer_sends(p, seg);
}
