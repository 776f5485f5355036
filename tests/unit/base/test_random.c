#include "core/base/random.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

/* SipHash-2-4 of the bytes 0, 1, 2 ... under the key 0 .. 15: the test vectors of its authors. */
static void test_hash_vectors(void **state)
{
	static const struct {
		size_t length;
		uint64_t hash;
	} vectors[] = {
		{ 0, 0x726fdb47dd0e0e31 },
		{ 1, 0x74f839c593dc67fd },
		{ 8, 0x93f5f5799a932462 },
		{ 15, 0xa129ca6149be45e5 },
	};
	struct hash_key key;
	uint8_t bytes[16];

	(void)state;
	for (size_t i = 0; i < 16; i++)
		key.b[i] = bytes[i] = (uint8_t)i;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++)
		assert_true(keyed_hash(&key, bytes, vectors[i].length) == vectors[i].hash);
}

static bool same_key(struct hash_key a, struct hash_key b)
{
	return memcmp(a.b, b.b, sizeof(a.b)) == 0;
}

static void test_derived_keys(void **state)
{
	uint8_t secret[32] = { 1, 2, 3 };
	struct hash_key first = derive_key(secret, 1);

	(void)state;
	assert_true(same_key(first, derive_key(secret, 1)));
	assert_false(same_key(first, derive_key(secret, 2)));
	assert_false(same_key(first, derive_key(secret, UINT64_C(1) << 63 | 1)));
	assert_true(memcmp(first.b, first.b + 8, 8) != 0);
	/* Both halves of the key depend on every bit of the secret. */
	for (size_t bit = 0; bit < 256; bit++) {
		struct hash_key other;

		secret[bit / 8] ^= (uint8_t)(1u << bit % 8);
		other = derive_key(secret, 1);
		assert_true(memcmp(first.b, other.b, 8) != 0);
		assert_true(memcmp(first.b + 8, other.b + 8, 8) != 0);
		secret[bit / 8] ^= (uint8_t)(1u << bit % 8);
	}
}

static void test_replay(void **state)
{
	struct random_source a = { .key = { { 7 } } }, b = a, c = { .key = { { 8 } } };
	int same = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		uint64_t x = random_u64(&a);

		assert_true(x == random_u64(&b));
		same += x == random_u64(&c);
	}
	assert_int_equal(same, 0);
	assert_true(a.counter == 1000);
}

/* Every value comes up, none more than chance allows (the key is fixed, so this can't fail by bad luck). */
static void test_below_is_uniform(void **state)
{
	struct random_source source = { .key = { { 1 } } };
	uint32_t count[10] = { 0 }, thirds[3] = { 0 };

	(void)state;
	for (int i = 0; i < 100000; i++)
		count[random_below(&source, 10)]++;
	for (int i = 0; i < 10; i++)
		assert_in_range(count[i], 9500, 10500);
	/* With a bound of 3 * 2^30 a product alone would favour every third value two to one. */
	for (int i = 0; i < 30000; i++) {
		uint32_t value = random_below(&source, 3u << 30);

		assert_true(value < 3u << 30);
		thirds[value % 3]++;
	}
	for (int i = 0; i < 3; i++)
		assert_in_range(thirds[i], 9500, 10500);
	for (int i = 0; i < 100; i++)
		assert_int_equal(random_below(&source, 1), 0);
	assert_true(random_below(&source, UINT32_MAX) < UINT32_MAX);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_hash_vectors),
		cmocka_unit_test(test_derived_keys),
		cmocka_unit_test(test_replay),
		cmocka_unit_test(test_below_is_uniform),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
