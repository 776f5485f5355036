#pragma once
/* A second algorithm on a connection: it sees the same facts as the one that acts, and what it decides is recorded
 * and not done. */
#include "core/tcp/guard.h"

struct shadow {
	const struct stack_congestion *congestion;
	struct tapstack_cc_decision decision;
	struct guard guard;
	size_t bytes; /* of all this */
	_Alignas(8) uint8_t state[];
};
