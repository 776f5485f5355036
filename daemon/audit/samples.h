#pragma once
/* Samples on their way from a shard to the recorder: a bounded queue with one writer and one reader, neither of which
 * waits. What does not fit is lost and counted. */
#include "core/stack.h"

#include <stddef.h>
#include <stdint.h>

#define SAMPLE_RING_MAX 4096u /* of each shard */
#define SAMPLE_BATCH_MAX 512u /* taken in one turn */

struct sample_ring;

/* 0 or -ENOMEM. */
int sample_ring_new(struct sample_ring **ret_ring);
void sample_ring_free(struct sample_ring *ring);

/* The writer's. Returns how many fitted. */
size_t sample_ring_put(struct sample_ring *ring, const struct stack_sample *samples, size_t count);
/* The reader's: takes up to `count` of the oldest. */
size_t sample_ring_take(struct sample_ring *ring, struct stack_sample *ret_samples, size_t count);
/* Anybody's. */
uint64_t sample_ring_lost(const struct sample_ring *ring);
