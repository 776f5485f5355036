#pragma once
/* What the files of contest.h share. */
#include "contest.h"
#include "network.h"

#include <assert.h>

#define CONTEST_CLOCK_OFFSET 1000000000 /* of the hosts' clocks, ns */

struct tap {
	const struct tapstack_cc_ops *real;
	void (*see)(void *context, const struct contest_call *call);
	void *context;
	double outputs[CONTEST_OUTPUTS_MAX];
	uint64_t pipe;
	struct tapstack_param_value value[CONTEST_PARAMS_MAX];
	struct tapstack_cc_ops ops;
	struct stack_congestion congestion;
};
/* The flow's algorithm, with the tap, for one connection. */
const struct stack_congestion *tap_begin(struct tap *tap, uint16_t id, const struct contest_flow *flow);

/* A packet that has left the line. */
struct passage {
	int64_t at, delay; /* ns */
	uint32_t bytes;
	bool marked;
};

struct probe {
	struct impair_element element;
	struct impair_line *line;
	struct passage *passage;
	size_t count, room;
};

struct racer {
	struct contest_flow flow;
	struct tap tap;
	struct host from, at;
	struct endpoint *endpoint;
	struct stack_congestion plain; /* of the receiver */
	struct contest_point *point;
	size_t count, room;
	bool started, stopped;
};

struct contest {
	struct sim sim;
	struct contest_path path;
	struct impair_line *line;
	struct impair_delay *there, *back;
	struct probe *probe;
	int64_t *drop; /* times at which the queue dropped a packet */
	size_t drops, drops_room;
	struct duration sample_every;
	struct instant sampled; /* the next time */
	struct racer racer[CONTEST_FLOWS_MAX];
	uint32_t count;
};

/* Room for one more in an array that grows. */
#define CONTEST_GROW(array, count, room)                                                                             \
	do {                                                                                                         \
		if ((count) == (room)) {                                                                             \
			(room) = 2 * (room) + 64;                                                                    \
			(array) = realloc((array), (room) * sizeof(*(array)));                                       \
			if (!(array))                                                                                \
				abort();                                                                             \
		}                                                                                                    \
	} while (0)
