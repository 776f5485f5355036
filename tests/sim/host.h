#pragma once
/* A host: a stack as an element of the network, with its own clock, memory that may fail, a journal whose reader may
 * be slow, and the services on it. After every turn what must hold of a stack is checked (watch.h). */
#include "../support/test_memory.h"
#include "../support/watch.h"
#include "packet.h"
#include "sim.h"
#include "wire.h"

struct endpoint;
struct plan;

struct host_memory {
	struct test_memory memory;
	struct sim *sim;
	uint32_t fail_per_million; /* while the network is not healed */
};

struct host {
	struct impair_element element; /* takes frames from the network; `next` is the way out */
	struct sim *sim;
	struct stack *stack;
	struct stack_config config;
	struct host_memory memory;
	struct journal_ring *ring;
	struct watch watch;
	struct wire wire;
	int64_t clock_offset;  /* its clock minus the simulator's */
	struct duration batch; /* frames wait this long for others to share their turn */
	struct impair_packet *inbox, **inbox_end;
	bool stopped;         /* its daemon is going down */
	bool recorder_stalls; /* the journal is not read for now */
	int64_t idle_second;  /* in which there were so many turns without input or result */
	uint32_t idle_turns;

	const struct plan *accept_plan; /* of the endpoints it accepts; NULL: at random */
	uint32_t scale;                 /* bytes that are many for a random one */
	struct endpoint *endpoints;
	struct conn_handle listener; /* CONN_HANDLE_NONE: not listening now */
};

/* Starts a host's stack and joins the simulation. `config.journal` is made here, for `journal_records`. */
void host_begin(struct host *host, struct sim *sim, const struct stack_config *config, uint64_t journal_records,
                int64_t clock_offset);
/* Frees the stack and checks that it gave all memory back. */
void host_end(struct host *host);
struct instant host_now(const struct host *host);
/* Its next turn is now. */
void host_wake(struct host *host);
