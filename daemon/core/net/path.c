#include "core/net/path.h"

#include <errno.h>

/* ---- the table ---------------------------------------------------------------------------------------------------
 */

int path_cache_init(struct path_cache *cache, const struct memory *memory, uint32_t limit, struct hash_key key)
{
	uint32_t count = 16;

	*cache = (struct path_cache){ .key = key, .newest = POOL_NONE, .oldest = POOL_NONE };
	if (pool_init(&cache->pool, memory, (uint32_t)((sizeof(struct path) + 7) & ~7u), limit) < 0)
		return -ENOMEM;
	while (count < limit && count < 1u << 16)
		count *= 2;
	cache->buckets = memory->alloc(memory->context, count * sizeof(*cache->buckets));
	if (!cache->buckets)
		return -ENOMEM;
	cache->bucket_mask = count - 1;
	for (uint32_t i = 0; i < count; i++)
		cache->buckets[i] = POOL_NONE;
	return 0;
}

void path_cache_done(struct path_cache *cache)
{
	const struct memory *memory = &cache->pool.memory;

	if (cache->buckets)
		memory->free(memory->context, cache->buckets, (cache->bucket_mask + 1) * sizeof(*cache->buckets));
	if (cache->pool.chunks)
		pool_done(&cache->pool);
	*cache = (struct path_cache){ .newest = POOL_NONE, .oldest = POOL_NONE };
}

static struct path *at(const struct path_cache *cache, uint32_t slot)
{
	return pool_at(&cache->pool, slot);
}

static uint32_t *bucket_of(const struct path_cache *cache, const struct ip_addr *destination)
{
	return &cache->buckets[keyed_hash(&cache->key, destination, sizeof(*destination)) & cache->bucket_mask];
}

static void link_newest(struct path_cache *cache, struct path *path)
{
	path->newer = POOL_NONE;
	path->older = cache->newest;
	if (cache->newest != POOL_NONE)
		at(cache, cache->newest)->newer = path->head.slot;
	else
		cache->oldest = path->head.slot;
	cache->newest = path->head.slot;
}

static void unlink_order(struct path_cache *cache, struct path *path)
{
	if (path->older != POOL_NONE)
		at(cache, path->older)->newer = path->newer;
	else
		cache->oldest = path->newer;
	if (path->newer != POOL_NONE)
		at(cache, path->newer)->older = path->older;
	else
		cache->newest = path->older;
}

static struct path *find(const struct path_cache *cache, const struct ip_addr *destination)
{
	if (cache->pool.used == 0) /* the common case needs no hash */
		return NULL;
	for (uint32_t slot = *bucket_of(cache, destination); slot != POOL_NONE; slot = at(cache, slot)->next_slot) {
		if (ip_addr_equal(&at(cache, slot)->destination, destination))
			return at(cache, slot);
	}
	return NULL;
}

const struct path *path_look(const struct path_cache *cache, const struct ip_addr *destination)
{
	return find(cache, destination);
}

struct path *path_find(struct path_cache *cache, const struct ip_addr *destination)
{
	struct path *path = find(cache, destination);

	if (path && cache->newest != path->head.slot) {
		unlink_order(cache, path);
		link_newest(cache, path);
	}
	return path;
}

static void forget_oldest(struct path_cache *cache)
{
	struct path *path = at(cache, cache->oldest);
	uint32_t *slot = bucket_of(cache, &path->destination);

	while (*slot != path->head.slot)
		slot = &at(cache, *slot)->next_slot;
	*slot = path->next_slot;
	unlink_order(cache, path);
	pool_put(&cache->pool, path);
}

struct path *path_get(struct path_cache *cache, const struct ip_addr *destination)
{
	struct path *path = path_find(cache, destination);
	uint32_t *bucket;

	if (path)
		return path;
	if (cache->pool.used >= cache->pool.limit)
		forget_oldest(cache);
	path = pool_get(&cache->pool);
	if (!path)
		return NULL;
	bucket = bucket_of(cache, destination);
	path->destination = *destination;
	path->next_slot = *bucket;
	*bucket = path->head.slot;
	link_newest(cache, path);
	return path;
}

/* ---- the MTU -----------------------------------------------------------------------------------------------------
 */

void path_limit(struct path *path, uint16_t limit, enum path_limit by, struct instant now)
{
	path->limit_by = (uint8_t)by;
	path->limit = limit;
	path->limit_at = now;
	if (by == PATH_TOLD)
		pmtu_search_told(&path->search, limit, now);
}

void path_age(struct path *path, struct instant now)
{
	if (path->limit_by == PATH_TOLD && instant_sub(now, path->limit_at).ns >= PMTU_RAISE_INTERVAL.ns) {
		path->limit_by = PATH_UNLIMITED;
		path->fragment = false;
	}
}

void path_passed(struct path *path, uint16_t size, struct instant now)
{
	pmtu_search_passed(&path->search, size, now);
	if (path->limit_by != PATH_UNLIMITED && path->limit < size)
		path->limit = size;
}

uint16_t path_plateau_below(uint16_t size)
{
	static const uint16_t plateaus[] = { 32000, 17914, 8166, 4352, 2002, 1492, 1006, 508, 296 };

	for (unsigned i = 0; i < sizeof(plateaus) / sizeof(plateaus[0]); i++) {
		if (plateaus[i] < size)
			return plateaus[i];
	}
	return 68;
}

/* ---- Fast Open ---------------------------------------------------------------------------------------------------
 */

#define FASTOPEN_DOUBLINGS_MAX 7 /* 10 min << 7: 21 h */

void path_fastopen_failed(struct path *path, struct instant now)
{
	struct duration pause = { DURATION_S(600).ns << path->fastopen.failures };

	if (path->fastopen.failures < FASTOPEN_DOUBLINGS_MAX)
		path->fastopen.failures++;
	path->fastopen.blocked_until = instant_add(now, pause);
}

bool path_fastopen_blocked(const struct path *path, struct instant now)
{
	return path->fastopen.blocked_until.ns > now.ns;
}
