#pragma once
/* TCP's tunables, changed at random: a few at a time, since many at once hide each other. */
#include "core/stack.h"
#include "program.h"

#define CHOOSE(program, ...)                                                                                         \
	(((const int64_t[]){ __VA_ARGS__ })[take8(program) % (sizeof((int64_t[]){ __VA_ARGS__ }) / sizeof(int64_t))])
#define CHOOSE_MS(program, ...) ((struct duration){ CHOOSE(program, __VA_ARGS__) * 1000000 })

static inline void change_mechanism(struct stack_tcp_config *tcp, struct reader *program)
{
	uint8_t bits = take8(program);

	switch (bits % 8) {
	case 0:
		tcp->rack = bits & 8;
		tcp->tail_loss_probe = bits & 16;
		break;
	case 1:
		tcp->prr = bits & 8;
		tcp->frto = bits & 16;
		tcp->undo = bits & 32;
		break;
	case 2:
		tcp->ecn = CHOOSE(program, STACK_ECN_OFF, STACK_ECN_ACCEPT, STACK_ECN_REQUEST);
		tcp->accecn = bits & 8;
		break;
	case 3:
		tcp->timestamps = bits & 8;
		tcp->sack = bits & 16;
		tcp->window_scaling = bits & 32;
		tcp->window_scale = (uint8_t)CHOOSE(program, STACK_WSCALE_AUTO, 0, 3, 14);
		break;
	case 4:
		tcp->path_mtu = CHOOSE(program, STACK_PATH_MTU_OFF, STACK_PATH_MTU_ICMP, STACK_PATH_MTU_FALLBACK,
		                       STACK_PATH_MTU_PROBE);
		tcp->path_mtu_probe_floor_bytes = (uint32_t)CHOOSE(program, 1024, 512, 1280);
		break;
	case 5:
		tcp->icmp_policy = CHOOSE(program, STACK_ICMP_IGNORE, STACK_ICMP_SOFT, STACK_ICMP_STRICT);
		break;
	case 6:
		tcp->fastopen_client = bits & 8;
		tcp->fastopen_server = bits & 16;
		break;
	default:
		tcp->cwnd_validation = bits & 8;
		tcp->idle_restart = bits & 16;
		tcp->pacing_max_bytes_per_s = (uint64_t)CHOOSE(program, 0, 10000, 10000000);
		break;
	}
}

static inline void change_patience(struct stack_tcp_config *tcp, struct reader *program)
{
	uint8_t bits = take8(program);

	switch (bits % 6) {
	case 0:
		tcp->linger = CHOOSE_MS(program, -1, 0, 10, 1000);
		break;
	case 1:
		tcp->user_timeout = CHOOSE_MS(program, 0, 1000, 200000);
		tcp->user_timeout_option = bits & 8;
		break;
	case 2:
		tcp->keepalive = bits & 8;
		tcp->keepalive_garbage = bits & 16;
		tcp->keepalive_count = (uint32_t)CHOOSE(program, 1, 3, 9);
		tcp->keepalive_idle = CHOOSE_MS(program, 500, 10000, 7200000);
		tcp->keepalive_interval = CHOOSE_MS(program, 300, 75000);
		break;
	case 3:
		tcp->orphan_timeout = CHOOSE_MS(program, 0, 100, 5000);
		tcp->orphans_max = (uint32_t)CHOOSE(program, 0, 1, 3);
		tcp->fin_wait_2_timeout = CHOOSE_MS(program, 1000, 60000);
		break;
	case 4:
		tcp->retransmit_timeout = CHOOSE_MS(program, 5000, 900000);
		tcp->r1_retransmits = (uint32_t)CHOOSE(program, 1, 3);
		tcp->syn_retries_max = (uint32_t)CHOOSE(program, 0, 1, 6);
		tcp->syn_ack_retries_max = (uint32_t)CHOOSE(program, 0, 1, 5);
		break;
	default:
		tcp->time_wait = CHOOSE_MS(program, 0, 1, 1000);
		tcp->challenge_acks_per_s = (uint32_t)CHOOSE(program, 1, 10, 255);
		break;
	}
}

static inline void change_sizes(struct stack_tcp_config *tcp, struct reader *program)
{
	uint8_t bits = take8(program);

	switch (bits % 4) {
	case 0:
		tcp->rcvbuf_initial_bytes = 2048u << bits / 32;
		tcp->rcvbuf_max_bytes = tcp->rcvbuf_initial_bytes << (bits / 4 & 3);
		tcp->rcvbuf_autotune = bits & 16;
		break;
	case 1:
		tcp->sndbuf_initial_bytes = 2048u << bits / 32;
		tcp->sndbuf_max_bytes = tcp->sndbuf_initial_bytes << (bits / 4 & 3);
		tcp->sndbuf_autotune = bits & 16;
		break;
	case 2:
		tcp->mss_max_bytes = (uint32_t)CHOOSE(program, 0, 48, 536, 1460);
		tcp->initial_window_segments = (uint32_t)CHOOSE(program, 1, 4, 10);
		break;
	default:
		tcp->delayed_ack = CHOOSE_MS(program, 0, 40, 400);
		tcp->rto_min = CHOOSE_MS(program, 1, 200, 1000);
		break;
	}
}

/* The result may make no sense: then it has to be refused. */
static inline void change_tunables(struct stack_tcp_config *tcp, struct reader *program)
{
	for (uint8_t count = 1 + take8(program) % 3; count > 0; count--) {
		switch (take8(program) % 3) {
		case 0:
			change_mechanism(tcp, program);
			break;
		case 1:
			change_patience(tcp, program);
			break;
		default:
			change_sizes(tcp, program);
			break;
		}
	}
}
