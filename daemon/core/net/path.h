#pragma once
/* What is remembered of the ways to other hosts, for all connections of a stack: the path's MTU (RFC 1191, 8201,
 * 4821) and Fast Open's cookies (RFC 7413 section 4.1.3). Bounded: the one not used for longest makes room.
 *
 * There is a record only where something was learned that differs from what holds without one.
 *
 * Invariant: every record is in the bucket of its destination and in the order of use. */
#include "core/base/addr.h"
#include "core/base/pool.h"
#include "core/base/random.h"
#include "core/net/pmtu_search.h"

#include <stddef.h>

#define PATH_COOKIE_MAX 16

enum {
	PATH_MTU_LEAST_V4 = 552,  /* a report of less is more likely an attack than a path */
	PATH_MTU_LEAST_V6 = 1280, /* RFC 8200 section 5 */
	PATH_MTU_PLAIN_V4 = 576,  /* what any IPv4 host takes (RFC 1122 section 3.3.3): without discovery */
};

enum path_limit { PATH_UNLIMITED, PATH_TOLD, PATH_BLACK_HOLE };

/* A peer's cookie, and when it is better not to try. */
struct path_fastopen {
	uint8_t cookie_bytes; /* 0: none */
	uint8_t cookie[PATH_COOKIE_MAX];
	uint8_t failures;             /* in a row */
	uint16_t mss;                 /* of the peer's last SYN-ACK */
	struct instant blocked_until; /* not tried before (RFC 7413 section 4.1.3.1) */
};

struct path {
	struct pool_head head;
	struct ip_addr destination;
	uint32_t next_slot;    /* in the bucket */
	uint32_t newer, older; /* in the order of use */

	uint8_t limit_by; /* enum path_limit */
	bool fragment;    /* a router wants less than the least: it may cut our packets itself */
	uint16_t limit;   /* largest IP packet; valid unless PATH_UNLIMITED */
	struct instant limit_at;
	struct pmtu_search search;
	struct path_fastopen fastopen;

	uint32_t too_big, black_holes, probes, probes_lost; /* reports of routers, ... */
};

struct path_cache {
	struct pool pool;
	struct hash_key key; /* nobody outside can aim for one bucket */
	uint32_t *buckets;
	uint32_t bucket_mask;
	uint32_t newest, oldest;
};

/* At most `limit` records (> 0). Returns 0 or -ENOMEM; after either path_cache_done is right. */
int path_cache_init(struct path_cache *cache, const struct memory *memory, uint32_t limit, struct hash_key key);
void path_cache_done(struct path_cache *cache);

/* The record of a destination, which counts as used; NULL: there is none. */
struct path *path_find(struct path_cache *cache, const struct ip_addr *destination);
/* The same without a trace. */
const struct path *path_look(const struct path_cache *cache, const struct ip_addr *destination);
/* Makes one where there is none; NULL: no memory. Any other may go for it: pool_find tells. */
struct path *path_get(struct path_cache *cache, const struct ip_addr *destination);

/* No packet over `limit` bytes gets through: told by a router, or found out. */
void path_limit(struct path *path, uint16_t limit, enum path_limit by, struct instant now);
/* What a router has told is forgotten after ten minutes (RFC 1191 section 6.3, RFC 8201 section 4). */
void path_age(struct path *path, struct instant now);
/* A packet of `size` bytes got through. */
void path_passed(struct path *path, uint16_t size, struct instant now);

/* RFC 1191 section 7: the size to try when an old router did not say which, for a packet of `size` bytes. */
uint16_t path_plateau_below(uint16_t size);

/* Fast Open did not work on this path: not again for ten minutes, and twice as long each time, up to a day. */
void path_fastopen_failed(struct path *path, struct instant now);
bool path_fastopen_blocked(const struct path *path, struct instant now);
