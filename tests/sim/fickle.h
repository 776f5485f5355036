#pragma once
/* Congestion algorithms that decide at random, sometimes out of bounds: whatever they want, connections must get on.
 * What they draw comes from the connection's own random number, so that a run can be replayed. */
#include "core/stack.h"

#define FICKLE_KINDS 2u
/* 0: small state, the host's recovery; 1: large state, its own recovery, all callbacks. */
const struct stack_congestion *fickle(unsigned kind);
/* Who refers to them, over all stacks. */
uint32_t fickle_users(void);
