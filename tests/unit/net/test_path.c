/* The cache of paths, and the search for a path's MTU. */
#include "../../support/test_memory.h"
#include "../../support/test_random.h"
#include "core/net/path.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>

#include <cmocka.h>

#define LIMIT 4

static struct ip_addr address(uint32_t n)
{
	return ip_addr_v4(0xc6336400 + n); /* 198.51.100.0/24 */
}

static const struct instant start = { 1000000000 };

static struct instant after(struct duration time)
{
	return instant_add(start, time);
}

struct fixture {
	struct test_memory memory;
	struct path_cache cache;
};

static int setup(void **state)
{
	struct fixture *fixture = calloc(1, sizeof(*fixture));
	struct memory memory = test_memory(&fixture->memory);

	*state = fixture;
	return path_cache_init(&fixture->cache, &memory, LIMIT, (struct hash_key){ { 1 } });
}

static int teardown(void **state)
{
	struct fixture *fixture = *state;

	path_cache_done(&fixture->cache);
	assert_int_equal(fixture->memory.live_count, 0);
	free(fixture);
	return 0;
}

/* ---- the cache ---------------------------------------------------------------------------------------------------
 */

static void found_again(void **state)
{
	struct path_cache *cache = &((struct fixture *)*state)->cache;
	struct ip_addr a = address(1), b = address(2);
	struct path *path;

	assert_null(path_find(cache, &a));
	path = path_get(cache, &a);
	assert_non_null(path);
	assert_ptr_equal(path_get(cache, &a), path);
	assert_ptr_equal(path_find(cache, &a), path);
	assert_ptr_equal(path_look(cache, &a), path);
	assert_null(path_find(cache, &b));
	assert_int_equal(cache->pool.used, 1);
}

/* The one not used for longest makes room; looking is no use. */
static void least_recently_used_goes(void **state)
{
	struct path_cache *cache = &((struct fixture *)*state)->cache;
	struct ip_addr a[LIMIT + 2];
	uint64_t handle;

	for (uint32_t i = 0; i < LIMIT + 2; i++)
		a[i] = address(i);
	handle = pool_handle(path_get(cache, &a[0]));
	for (uint32_t i = 1; i < LIMIT; i++)
		path_get(cache, &a[i]);
	assert_non_null(path_look(cache, &a[0]));
	assert_non_null(path_find(cache, &a[1])); /* 0 is the oldest, then 2 */
	path_get(cache, &a[LIMIT]);
	assert_null(path_look(cache, &a[0]));
	assert_null(pool_find(&cache->pool, handle));
	path_get(cache, &a[LIMIT + 1]);
	assert_null(path_look(cache, &a[2]));
	assert_non_null(path_look(cache, &a[1]));
	assert_int_equal(cache->pool.used, LIMIT);
}

/* Against a list in order of use. */
static void like_a_list(void **state)
{
	struct path_cache *cache = &((struct fixture *)*state)->cache;
	struct test_random random = test_random_begin("like_a_list");
	uint32_t order[64], count = 0; /* the latest first */

	for (int step = 0; step < 20000; step++) {
		uint32_t n = test_random_below(&random, 12), at = 0;
		struct ip_addr a = address(n);
		bool make = test_random_below(&random, 2);
		struct path *path = make ? path_get(cache, &a) : path_find(cache, &a);

		while (at < count && order[at] != n)
			at++;
		assert_int_equal(path != NULL, at < count || make);
		if (!path)
			continue;
		assert_true(ip_addr_equal(&path->destination, &a));
		if (at == count && count < LIMIT)
			count++;
		if (at == LIMIT)
			at--; /* the last made room */
		memmove(order + 1, order, at * sizeof(order[0]));
		order[0] = n;
		at = 0;
		for (uint32_t slot = cache->newest; slot != POOL_NONE; at++) {
			const struct path *next = pool_at(&cache->pool, slot);
			struct ip_addr should = address(order[at]);

			assert_true(at < count && ip_addr_equal(&next->destination, &should));
			slot = next->older;
		}
		assert_int_equal(at, count);
	}
}

static void no_memory(void **state)
{
	struct fixture *fixture = *state;
	struct memory memory = fixture->cache.pool.memory;
	struct path_cache cache;
	struct ip_addr a = address(1);

	for (uint64_t i = 0; i < 2; i++) {
		test_memory_fail_after(&fixture->memory, i);
		assert_true(path_cache_init(&cache, &memory, 8, (struct hash_key){ { 0 } }) < 0);
		test_memory_fail_never(&fixture->memory);
		path_cache_done(&cache);
	}
	test_memory_fail_after(&fixture->memory, 0);
	assert_null(path_get(&fixture->cache, &a));
	test_memory_fail_never(&fixture->memory);
	assert_non_null(path_get(&fixture->cache, &a));
}

static void told_is_forgotten_found_is_not(void **state)
{
	struct path path = { 0 };

	(void)state;
	path_limit(&path, 1400, PATH_TOLD, start);
	path.fragment = true;
	path_age(&path, after(DURATION_MS(599999)));
	assert_int_equal(path.limit_by, PATH_TOLD);
	path_age(&path, after(DURATION_S(600)));
	assert_int_equal(path.limit_by, PATH_UNLIMITED);
	assert_false(path.fragment);
	path_limit(&path, 1400, PATH_BLACK_HOLE, start);
	path_age(&path, after(DURATION_S(6000)));
	assert_int_equal(path.limit_by, PATH_BLACK_HOLE);
	path_passed(&path, 1300, start);
	assert_int_equal(path.limit, 1400);
	path_passed(&path, 1480, start);
	assert_int_equal(path.limit, 1480);
}

/* RFC 1191 section 7. */
static void plateaus(void **state)
{
	static const uint16_t steps[][2] = { { 65535, 32000 }, { 1500, 1492 }, { 1492, 1006 }, { 1493, 1492 },
		                             { 1006, 508 },    { 297, 296 },   { 296, 68 },    { 20, 68 } };

	(void)state;
	for (size_t i = 0; i < sizeof(steps) / sizeof(steps[0]); i++)
		assert_int_equal(path_plateau_below(steps[i][0]), steps[i][1]);
}

static void fastopen_pauses_grow(void **state)
{
	struct path path = { 0 };
	struct instant now = start;
	int64_t pause = DURATION_S(600).ns;

	(void)state;
	assert_false(path_fastopen_blocked(&path, now));
	for (int i = 0; i < 20; i++) {
		path_fastopen_failed(&path, now);
		assert_true(path_fastopen_blocked(&path, (struct instant){ now.ns + pause - 1 }));
		now.ns += pause;
		assert_false(path_fastopen_blocked(&path, now));
		if (i < 7)
			pause *= 2;
	}
	assert_true(pause < DURATION_S(86400).ns);
}

/* ---- the search --------------------------------------------------------------------------------------------------
 */

/* Probes until there is nothing to probe; the path carries `carries`. Returns the number of losses. */
static unsigned search_all(struct pmtu_search *search, uint16_t most, uint16_t carries, struct instant *now)
{
	unsigned lost = 0;
	uint16_t size;

	for (int i = 0; i < 100; i++) {
		*now = instant_add(*now, DURATION_S(1));
		size = pmtu_search_next(search, most, *now);
		if (size == 0)
			return lost;
		assert_in_range(size, search->low + 1, search->high < most ? search->high : most);
		if (size <= carries) {
			pmtu_search_passed(search, size, *now);
			continue;
		}
		pmtu_search_lost(search, size, DURATION_MS(200), *now);
		lost++;
	}
	fail_msg("the search has no end");
	return 0;
}

static void finds_what_paths_carry(void **state)
{
	static const struct {
		uint16_t low, most, carries;
		unsigned lost; /* at most */
	} paths[] = {
		{ 1024, 1500, 1500, 0 },   { 1024, 1500, 1492, 9 },   { 1024, 1500, 1420, 12 },
		{ 1024, 1500, 1024, 24 },  { 1024, 9000, 9000, 0 },   { 1024, 9000, 1500, 33 },
		{ 1280, 65535, 9000, 27 }, { 552, 1500, 1006, 24 },   { 1500, 1500, 1500, 0 },
		{ 1280, 1500, 1280, 18 },  { 1024, 65535, 65535, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		struct pmtu_search search;
		struct instant now = start;
		unsigned lost;

		pmtu_search_begin(&search, paths[i].low, paths[i].most, now);
		lost = search_all(&search, paths[i].most, paths[i].carries, &now);
		assert_in_range(search.low, paths[i].carries - 8 - paths[i].carries / 512, paths[i].carries);
		assert_in_range(lost, 0, paths[i].lost);
		assert_true(search.done);
	}
}

/* Three of one size in a row are believed, fewer are chance. */
static void three_losses(void **state)
{
	struct pmtu_search search;

	(void)state;
	pmtu_search_begin(&search, 1024, 1500, start);
	for (int i = 0; i < 2; i++) {
		assert_int_equal(pmtu_search_next(&search, 1500, after(DURATION_S(10 * i))), 1500);
		pmtu_search_lost(&search, 1500, DURATION_S(1), after(DURATION_S(10 * i)));
		assert_int_equal(pmtu_search_next(&search, 1500, after(DURATION_MS(10000 * i + 999))),
		                 0); /* paused */
	}
	assert_int_equal(pmtu_search_next(&search, 1500, after(DURATION_S(20))), 1500);
	assert_int_equal(search.high, 1500);
	pmtu_search_lost(&search, 1500, DURATION_S(1), after(DURATION_S(20)));
	assert_int_equal(search.high, 1499);
	assert_int_equal(pmtu_search_next(&search, 1500, after(DURATION_S(30))), 1280);
}

/* When it is over, nothing for ten minutes; then the top is tried again. */
static void raises_again(void **state)
{
	struct pmtu_search search;
	struct instant now = start;

	(void)state;
	pmtu_search_begin(&search, 1024, 1500, now);
	search_all(&search, 1500, 1400, &now);
	now = search.next_at;
	assert_in_range(instant_sub(now, start).ns, DURATION_S(600).ns, DURATION_S(700).ns);
	assert_int_equal(pmtu_search_next(&search, 1500, (struct instant){ now.ns - 1 }), 0);
	assert_int_equal(pmtu_search_next(&search, 1500, now), 1500);
	pmtu_search_passed(&search, 1500, now);
	assert_true(search.done);
	assert_int_equal(search.low, 1500);
}

/* Connections with smaller segments neither end the search of the others nor go beyond their own. */
static void smaller_users(void **state)
{
	struct pmtu_search search;

	(void)state;
	pmtu_search_begin(&search, 1024, 1500, start);
	assert_int_equal(pmtu_search_next(&search, 1024, start), 0);
	assert_false(search.done);
	assert_int_equal(pmtu_search_next(&search, 1200, start), 1200);
	assert_int_equal(pmtu_search_next(&search, 1200, start), 1200); /* as long as nobody says what became of it */
	pmtu_search_passed(&search, 1200, start);
	assert_int_equal(pmtu_search_next(&search, 1200, start), 0);
	assert_in_range(pmtu_search_next(&search, 1500, start), 1201, 1500);
}

static void a_router_ends_it(void **state)
{
	struct pmtu_search search;

	(void)state;
	pmtu_search_begin(&search, 1024, 1500, start);
	assert_int_equal(pmtu_search_next(&search, 1500, start), 1500);
	pmtu_search_told(&search, 1454, start);
	assert_int_equal(search.low, 1454);
	assert_int_equal(pmtu_search_next(&search, 1500, after(DURATION_S(599))), 0);
	pmtu_search_lost(&search, 1500, DURATION_S(1), start); /* known already */
	assert_int_equal(pmtu_search_next(&search, 1500, after(DURATION_S(600))), 1500);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(found_again, setup, teardown),
		cmocka_unit_test_setup_teardown(least_recently_used_goes, setup, teardown),
		cmocka_unit_test_setup_teardown(like_a_list, setup, teardown),
		cmocka_unit_test_setup_teardown(no_memory, setup, teardown),
		cmocka_unit_test(told_is_forgotten_found_is_not),
		cmocka_unit_test(plateaus),
		cmocka_unit_test(fastopen_pauses_grow),
		cmocka_unit_test(finds_what_paths_carry),
		cmocka_unit_test(three_losses),
		cmocka_unit_test(raises_again),
		cmocka_unit_test(smaller_users),
		cmocka_unit_test(a_router_ends_it),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
