#pragma once
/* Keyed hashing (SipHash-2-4, through libsodium's crypto_shorthash) and the pseudo-random numbers made from it. The
 * same secret gives the same numbers: runs can be replayed. */
#include <stddef.h>
#include <stdint.h>

struct hash_key {
	uint8_t b[16];
};

struct random_source {
	struct hash_key key;
	uint64_t counter;
};

uint64_t keyed_hash(const struct hash_key *key, const void *bytes, size_t length);

/* A key for one purpose, derived from the master secret: different `purpose` numbers give independent keys. */
struct hash_key derive_key(const uint8_t secret[32], uint64_t purpose);

uint64_t random_u64(struct random_source *source);
/* Uniform in [0, bound), bound > 0. */
uint32_t random_below(struct random_source *source, uint32_t bound);
