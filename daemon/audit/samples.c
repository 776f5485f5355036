#include "audit/samples.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdlib.h>

/* Both only grow; the sample numbered n is at n % SAMPLE_RING_MAX. Invariant: tail <= head <= tail + SAMPLE_RING_MAX.
 */
struct sample_ring {
	_Alignas(64) _Atomic uint64_t head; /* written */
	_Atomic uint64_t lost;
	_Alignas(64) _Atomic uint64_t tail; /* taken */
	_Alignas(64) struct stack_sample sample[SAMPLE_RING_MAX];
};

int sample_ring_new(struct sample_ring **ret_ring)
{
	struct sample_ring *ring = aligned_alloc(64, sizeof(*ring));

	if (ring == NULL)
		return -ENOMEM;
	atomic_init(&ring->head, 0);
	atomic_init(&ring->tail, 0);
	atomic_init(&ring->lost, 0);
	*ret_ring = ring;
	return 0;
}

void sample_ring_free(struct sample_ring *ring)
{
	free(ring);
}

size_t sample_ring_put(struct sample_ring *ring, const struct stack_sample *samples, size_t count)
{
	uint64_t head = atomic_load_explicit(&ring->head, memory_order_relaxed);
	uint64_t room = SAMPLE_RING_MAX - (head - atomic_load_explicit(&ring->tail, memory_order_acquire));
	size_t fit = count < room ? count : (size_t)room;

	for (size_t i = 0; i < fit; i++)
		ring->sample[(head + i) % SAMPLE_RING_MAX] = samples[i];
	atomic_store_explicit(&ring->head, head + fit, memory_order_release);
	if (fit < count)
		atomic_fetch_add_explicit(&ring->lost, count - fit, memory_order_relaxed);
	return fit;
}

size_t sample_ring_take(struct sample_ring *ring, struct stack_sample *ret_samples, size_t count)
{
	uint64_t tail = atomic_load_explicit(&ring->tail, memory_order_relaxed);
	uint64_t waiting = atomic_load_explicit(&ring->head, memory_order_acquire) - tail;
	size_t take = count < waiting ? count : (size_t)waiting;

	for (size_t i = 0; i < take; i++)
		ret_samples[i] = ring->sample[(tail + i) % SAMPLE_RING_MAX];
	atomic_store_explicit(&ring->tail, tail + take, memory_order_release);
	return take;
}

uint64_t sample_ring_lost(const struct sample_ring *ring)
{
	return atomic_load_explicit(&ring->lost, memory_order_relaxed);
}
