#include "core/base/random.h"

#include <sodium/crypto_shorthash.h>
#include <string.h>

_Static_assert(crypto_shorthash_KEYBYTES == sizeof(struct hash_key), "SipHash keys are 128 bits");
_Static_assert(crypto_shorthash_BYTES == sizeof(uint64_t), "SipHash gives 64 bits");

/* Numbers as bytes in one order on every machine, so that a seed replays everywhere. */
static void store64(uint8_t *out, uint64_t v)
{
	for (int i = 0; i < 8; i++)
		out[i] = (uint8_t)(v >> 8 * i);
}

static uint64_t load64(const uint8_t *in)
{
	uint64_t v = 0;

	for (int i = 7; i >= 0; i--)
		v = v << 8 | in[i];
	return v;
}

uint64_t keyed_hash(const struct hash_key *key, const void *bytes, size_t length)
{
	uint8_t out[crypto_shorthash_BYTES];

	crypto_shorthash(out, bytes, length, key->b);
	return load64(out);
}

struct hash_key derive_key(const uint8_t secret[32], uint64_t purpose)
{
	struct hash_key derived;

	/* Each half of the new key: one half of the secret keys a hash over the other half and the purpose. */
	for (size_t half = 0; half < 2; half++) {
		struct hash_key key;
		uint8_t message[24];

		memcpy(key.b, secret + 16 * half, 16);
		memcpy(message, secret + 16 * (1 - half), 16);
		store64(message + 16, purpose);
		store64(derived.b + 8 * half, keyed_hash(&key, message, sizeof(message)));
	}
	return derived;
}

uint64_t random_u64(struct random_source *source)
{
	uint8_t counter[8];

	store64(counter, source->counter++);
	return keyed_hash(&source->key, counter, sizeof(counter));
}

uint32_t random_below(struct random_source *source, uint32_t bound)
{
	/* Lemire, "Fast random integer generation in an interval" (2019): the upper half of a product, refusing the
	 * few lower halves that would make some results likelier than others. */
	uint64_t product = (random_u64(source) >> 32) * bound;

	if ((uint32_t)product < bound) {
		uint32_t threshold = -bound % bound;

		while ((uint32_t)product < threshold)
			product = (random_u64(source) >> 32) * bound;
	}
	return (uint32_t)(product >> 32);
}
