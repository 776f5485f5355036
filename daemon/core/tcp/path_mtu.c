/* Path MTU discovery of connections: see path_mtu.h. */
#include "core/tcp/engine.h"

#define MSS_FLOOR 48             /* a peer can't make us send crumbs (CVE-2019-11479) */
#define REVIEW DURATION_S(10)    /* of the path's record while data flows */
#define PROBE_FOLLOWERS 4        /* full segments behind a probe: their ACKs tell whether it was lost */
#define BLACK_HOLE_TIMEOUTS 2    /* of one segment in a row, when none of its size ever arrived; */
#define BLACK_HOLE_AFTER_PROOF 3 /* when one had */
#define DF_MODES(mode) ((mode) != STACK_PATH_MTU_OFF)

/* ---- sizes -------------------------------------------------------------------------------------------------------
 */

static bool is_v4(const struct conn *conn)
{
	return ip_addr_is_v4(&conn->node.flow.remote);
}

static uint16_t headers_bytes(const struct conn *conn)
{
	return (uint16_t)(ip_headers_bytes(&conn->node.flow) - ETHERNET_HEADER_BYTES + TCP_HEADER_BYTES);
}

static uint16_t least_mtu(const struct conn *conn)
{
	return is_v4(conn) ? PATH_MTU_LEAST_V4 : PATH_MTU_LEAST_V6;
}

static uint16_t interface_mtu(const struct stack *stack, const struct conn *conn)
{
	return (uint16_t)ip_mtu(stack, &conn->node.flow.remote);
}

static uint16_t smaller(uint16_t a, uint16_t b)
{
	return a < b ? a : b;
}

static uint16_t larger(uint16_t a, uint16_t b)
{
	return a > b ? a : b;
}

/* What both ends agreed to send at most, without options. */
static uint16_t agreed_mss(const struct stack *stack, const struct conn *conn)
{
	return smaller(larger(conn->agreed.peer_mss, MSS_FLOOR), conn_mss_offer(stack, conn->tcp, &conn->node.flow));
}

/* The longest packet this connection has a use for. */
static uint16_t useful_mtu(const struct stack *stack, const struct conn *conn)
{
	return (uint16_t)(agreed_mss(stack, conn) + headers_bytes(conn));
}

/* Where a search starts, and what is tried when nothing larger gets through. */
static uint16_t floor_mtu(const struct stack *stack, const struct conn *conn)
{
	uint32_t configured = conn->tcp->path_mtu_probe_floor_bytes;
	uint16_t floor = (uint16_t)(configured > UINT16_MAX ? UINT16_MAX : configured);

	return smaller(larger(floor, least_mtu(conn)), interface_mtu(stack, conn));
}

static uint16_t mtu_by(const struct stack *stack, const struct conn *conn, const struct path *path)
{
	uint16_t mtu = interface_mtu(stack, conn);

	switch (conn->tcp->path_mtu) {
	case STACK_PATH_MTU_OFF:
		return smaller(mtu, is_v4(conn) ? PATH_MTU_PLAIN_V4 : PATH_MTU_LEAST_V6);
	case STACK_PATH_MTU_PROBE:
		mtu = larger(floor_mtu(stack, conn), path ? path->search.low : 0);
		break;
	default:
		break;
	}
	if (path && path->limit_by != PATH_UNLIMITED)
		mtu = smaller(mtu, path->limit);
	return smaller(mtu, interface_mtu(stack, conn));
}

uint16_t path_mtu(const struct stack *stack, const struct conn *conn)
{
	return mtu_by(stack, conn, path_look(&stack->paths, &conn->node.flow.remote));
}

uint16_t path_payload_max(const struct stack *stack, const struct conn *conn)
{
	return path_mtu(stack, conn) - headers_bytes(conn);
}

uint16_t path_mss(const struct stack *stack, const struct conn *conn, uint16_t mtu)
{
	uint16_t mss = agreed_mss(stack, conn);

	if (mtu < mss + headers_bytes(conn))
		mss = mtu - headers_bytes(conn);
	return mss - conn_options_bytes(conn);
}

/* ---- the record --------------------------------------------------------------------------------------------------
 */

static struct path *make_path(struct stack *stack, const struct conn *conn)
{
	struct path *path = path_get(&stack->paths, &conn->node.flow.remote);

	if (!path)
		COUNT(stack, alloc_failures);
	return path;
}

/* The connection's record by its handle, which saves the look-up while data flows; NULL: there is none. */
static struct path *path_of(struct stack *stack, struct conn *conn)
{
	struct path_sending *sending = &conn->tx->path;
	struct path *path = pool_find(&stack->paths.pool, sending->path);

	if (!path) {
		path = path_find(&stack->paths, &conn->node.flow.remote);
		sending->path = path ? pool_handle(path) : 0;
	}
	return path;
}

/* ---- using a size -------------------------------------------------------------------------------------------------
 */

static void follow_fragment(struct conn *conn, const struct path *path)
{
	bool fragment = path && path->fragment && path->limit_by != PATH_UNLIMITED && is_v4(conn);

	conn->flags = (conn->flags & ~(uint32_t)CONN_MAY_FRAGMENT) | (fragment ? CONN_MAY_FRAGMENT : 0);
}

/* Segments are for packets of `mtu` bytes from now on. What is in flight in larger ones is sent again, and that tells
 * nothing about congestion: algorithms hear of the new size, not of losses. */
static void use_mtu(struct stack *stack, struct conn *conn, uint16_t mtu)
{
	uint16_t mss = path_mss(stack, conn, mtu);
	struct sent_news ignored = { 0 };
	bool smaller_now = mss < conn->mss;

	if (mss == conn->mss)
		return;
	conn->mss = mss;
	if (conn->mss_proven > mss) /* by another path, it seems */
		conn->mss_proven = mss;
	if (conn->cwnd < mss)
		conn->cwnd = mss;
	if (conn->tx && smaller_now) {
		conn->tx->path.probe_bytes = 0;
		sent_mark_longer_lost(&conn->tx->sent, mss, &ignored);
	}
	congestion_event(stack, conn, TAPSTACK_CC_MTU_CHANGED);
	if (!conn->tx)
		return;
	conn->tx->path.has_full = false;
	conn_want_output(stack, conn);
}

void path_begin(struct stack *stack, struct conn *conn)
{
	struct path *path = path_find(&stack->paths, &conn->node.flow.remote);

	if (path && DF_MODES(conn->tcp->path_mtu))
		path_age(path, stack->now);
	conn->mss = path_mss(stack, conn, mtu_by(stack, conn, path));
	follow_fragment(conn, path);
}

static bool in_trial(const struct conn *conn)
{
	return conn->extra && conn->extra->path.black_hole != 0;
}

/* ---- probes ------------------------------------------------------------------------------------------------------
 */

/* Is this a good time (RFC 4821 section 7.4)? Nothing is missing, and enough follows the probe for its loss to be
 * seen by the ACKs for the others. */
static bool probe_makes_sense(const struct conn *conn, uint32_t payload, uint32_t queued)
{
	uint32_t all = payload + PROBE_FOLLOWERS * conn->mss;

	return conn->ca_state == CA_OPEN && conn->tx->sent.lost_bytes == 0 && conn->tx->sent.sacked_bytes == 0 &&
	       conn->backoff == 0 && queued >= all && all <= conn->snd_wnd && all <= conn->cwnd;
}

static bool windows_have_room(const struct conn *conn, uint32_t payload)
{
	uint32_t outstanding = (uint32_t)seq_diff(conn->snd_nxt, conn->snd_una);

	return outstanding + payload <= conn->snd_wnd && congestion_pipe(conn) + payload <= conn->cwnd;
}

static bool wants_search(const struct conn *conn, const struct path *path)
{
	if (conn->tcp->path_mtu == STACK_PATH_MTU_PROBE)
		return true;
	return conn->tcp->path_mtu == STACK_PATH_MTU_FALLBACK && path && path->limit_by != PATH_UNLIMITED;
}

/* The size of the probe to send now; 0: none. Sets when to look again. */
static uint16_t probe_size(struct stack *stack, struct conn *conn, struct path *path)
{
	struct path_sending *sending = &conn->tx->path;
	uint16_t most = useful_mtu(stack, conn), size;

	if (path->search.high == 0)
		pmtu_search_begin(&path->search, mtu_by(stack, conn, path), most, stack->now);
	size = pmtu_search_next(&path->search, most, stack->now);
	if (size == 0) {
		if (instant_before(stack->now, path->search.next_at))
			sending->check_at = instant_min(sending->check_at, path->search.next_at);
		return 0;
	}
	if (path_mss(stack, conn, size) <= conn->mss)
		return 0;
	sending->check_at = stack->now; /* as soon as it fits */
	return size;
}

/* The path's record, with the connection's segments as it says. */
static struct path *review(struct stack *stack, struct conn *conn)
{
	struct path *path = path_of(stack, conn);

	if (!path && conn->tcp->path_mtu == STACK_PATH_MTU_PROBE)
		path = make_path(stack, conn);
	if (path && conn->tcp->path_mtu == STACK_PATH_MTU_ICMP)
		path_age(path, stack->now);
	follow_fragment(conn, path);
	if (conn->tx->path.probe_bytes == 0)
		use_mtu(stack, conn, mtu_by(stack, conn, path));
	return path;
}

bool path_probe(struct stack *stack, struct conn *conn, uint32_t queued, uint32_t *ret_payload)
{
	struct path_sending *sending = &conn->tx->path;
	struct path *path;
	uint32_t payload;
	uint16_t size;

	*ret_payload = 0;
	if (instant_before(stack->now, sending->check_at) || in_trial(conn) || conn->state < TCPS_ESTABLISHED)
		return true;
	sending->check_at = instant_add(stack->now, REVIEW);
	path = review(stack, conn);
	if (!path || sending->probe_bytes > 0 || !wants_search(conn, path))
		return true;
	size = probe_size(stack, conn, path);
	if (size == 0)
		return true;
	payload = path_mss(stack, conn, size);
	if (!probe_makes_sense(conn, payload, queued))
		return true;
	if (!windows_have_room(conn, payload)) { /* ACKs will make it; segments of ordinary size would eat it up */
		conn->flags |= CONN_CWND_LIMITED;
		return false;
	}
	sending->probe_size = size;
	*ret_payload = payload;
	return true;
}

void path_probe_sent(struct stack *stack, struct conn *conn, seq_t at, uint32_t bytes)
{
	struct path_sending *sending = &conn->tx->path;
	struct path *path = path_of(stack, conn);

	sending->probe_at = at;
	sending->probe_bytes = bytes;
	COUNT(stack, path_mtu_probes);
	if (!path)
		return;
	path->probes++;
	/* Nobody else on this path probes until the outcome is known. */
	path->search.next_at = instant_add(stack->now, conn->rtt.rto);
}

void path_full_sent(struct conn *conn, seq_t end)
{
	struct path_sending *sending = &conn->tx->path;

	if (sending->has_full || conn->mss_proven >= conn->mss)
		return;
	sending->has_full = true;
	sending->full_end = end;
}

static void probe_passed(struct stack *stack, struct conn *conn)
{
	struct path_sending *sending = &conn->tx->path;
	struct path *path = path_of(stack, conn);

	sending->probe_bytes = 0;
	sending->check_at = stack->now;
	if (!path)
		return;
	path_passed(path, sending->probe_size, stack->now);
	if (path->limit_by != PATH_UNLIMITED && path->limit >= interface_mtu(stack, conn))
		path->limit_by = PATH_UNLIMITED;
	use_mtu(stack, conn, mtu_by(stack, conn, path));
}

static void probe_lost(struct stack *stack, struct conn *conn)
{
	struct path_sending *sending = &conn->tx->path;
	struct path *path = path_of(stack, conn);

	sending->probe_bytes = 0;
	sending->check_at = stack->now;
	COUNT(stack, path_mtu_probes_lost);
	if (!path)
		return;
	path->probes_lost++;
	pmtu_search_lost(&path->search, sending->probe_size, conn->rtt.rto, stack->now);
}

void path_resent(struct stack *stack, struct conn *conn, seq_t at)
{
	const struct path_sending *sending = &conn->tx->path;

	if (sending->probe_bytes > 0 && seq_leq(sending->probe_at, at) &&
	    seq_lt(at, seq_add(sending->probe_at, sending->probe_bytes)))
		probe_lost(stack, conn);
}

/* ---- smaller, by a router's word or by suspicion -----------------------------------------------------------------
 */

static void limit_path(struct stack *stack, struct conn *conn, uint16_t mtu, enum path_limit by)
{
	struct path *path = make_path(stack, conn);

	if (path)
		path_limit(path, mtu, by, stack->now);
	follow_fragment(conn, path);
	if (conn->state >= TCPS_ESTABLISHED)
		use_mtu(stack, conn, mtu);
}

static void act_on_report(struct stack *stack, struct conn *conn)
{
	struct path_trouble *trouble = &conn->extra->path;
	uint16_t told = trouble->told;

	trouble->told = 0;
	trouble->black_hole = 0; /* so that is what it was */
	limit_path(stack, conn, told, PATH_TOLD);
}

/* RFC 5927 section 7.2: larger packets than this have arrived, so either the path has changed or the report is made
 * up. If it is true, the segment that it quotes will stay unacknowledged. */
static void keep_report(struct stack *stack, struct conn *conn, seq_t seq, uint16_t mtu)
{
	struct conn_extra *extra = conn_extra(stack, conn);

	if (!extra)
		return;
	extra->path.told = mtu;
	extra->path.told_at = seq;
}

/* RFC 1191 section 5: for a router that did not say what fits. Some of these have added the header to the length of
 * the packet that they quote. A longer one was sent before segments became smaller: the report is old. */
static uint32_t guess(const struct conn *conn, uint32_t size, uint16_t current)
{
	if (size < headers_bytes(conn) || size == current + (uint32_t)IPV4_HEADER_BYTES)
		size = current;
	return size > current ? size : path_plateau_below((uint16_t)size);
}

void path_too_big(struct stack *stack, struct conn *conn, seq_t seq, uint32_t mtu, uint32_t size)
{
	uint16_t current = (uint16_t)(conn->mss + conn_options_bytes(conn) + headers_bytes(conn));
	struct path_sending *sending = conn->tx ? &conn->tx->path : NULL;
	bool of_probe = sending && sending->probe_bytes > 0 && seq_eq(seq, sending->probe_at);
	struct path *path;
	bool fragment;

	if (!DF_MODES(conn->tcp->path_mtu) || (conn->state < TCPS_ESTABLISHED && !fastopen_in_flight(conn)))
		return;
	COUNT(stack, path_mtu_reports);
	if (of_probe)
		current = sending->probe_size;
	else if (conn->state < TCPS_ESTABLISHED)
		current = interface_mtu(stack, conn);
	if (mtu == 0 && is_v4(conn))
		mtu = guess(conn, size, current);
	if (mtu >= current)
		return;
	fragment = mtu < least_mtu(conn);
	if (fragment)
		mtu = least_mtu(conn);
	path = make_path(stack, conn);
	if (path) {
		path->too_big++;
		path->fragment = fragment;
	}
	if (of_probe && path && path_mss(stack, conn, (uint16_t)mtu) >= conn->mss)
		pmtu_search_told(&path->search, (uint16_t)mtu, stack->now); /* the ACKs will show that it was lost */
	else if (conn->mss_proven > path_mss(stack, conn, (uint16_t)mtu))
		keep_report(stack, conn, seq, (uint16_t)mtu);
	else
		limit_path(stack, conn, (uint16_t)mtu, PATH_TOLD);
}

/* Full segments go unanswered: the next ones are smaller. If that helps it was a black hole; if the path was broken,
 * it costs nothing. */
static void suspect_black_hole(struct stack *stack, struct conn *conn)
{
	const struct sent *first = conn->tx->sent.first;
	uint8_t patience = conn->mss_proven >= conn->mss ? BLACK_HOLE_AFTER_PROOF : BLACK_HOLE_TIMEOUTS;
	uint16_t floor = in_trial(conn) ? least_mtu(conn) : floor_mtu(stack, conn);
	struct conn_extra *extra;

	if (conn->tcp->path_mtu < STACK_PATH_MTU_FALLBACK || (uint32_t)seq_diff(first->end, first->start) < conn->mss)
		return;
	if (in_trial(conn))
		patience = conn->extra->path.black_hole_backoff + BLACK_HOLE_TIMEOUTS;
	if (conn->backoff < patience || path_mss(stack, conn, floor) >= conn->mss)
		return;
	extra = conn_extra(stack, conn);
	if (!extra)
		return;
	if (extra->path.black_hole == 0)
		extra->path.black_hole = (uint16_t)(conn->mss + conn_options_bytes(conn) + headers_bytes(conn));
	extra->path.black_hole_at = conn->snd_una;
	extra->path.black_hole_backoff = conn->backoff;
	use_mtu(stack, conn, floor);
}

/* The smaller segments arrive. The search begins with the size that did not, in case it was the path that had been
 * broken. */
static void confirm_black_hole(struct stack *stack, struct conn *conn)
{
	uint16_t before = conn->extra->path.black_hole;
	uint16_t now = (uint16_t)(conn->mss + conn_options_bytes(conn) + headers_bytes(conn));
	struct path *path = make_path(stack, conn);

	conn->extra->path.black_hole = 0;
	COUNT(stack, path_mtu_black_holes);
	if (!path)
		return;
	path->black_holes++;
	path_limit(path, now, PATH_BLACK_HOLE, stack->now);
	pmtu_search_begin(&path->search, now, before, stack->now);
	if (conn->tx)
		conn->tx->path.check_at = stack->now;
}

void path_timeout(struct stack *stack, struct conn *conn)
{
	struct path_sending *sending = &conn->tx->path;
	const struct path *path;
	uint16_t mtu;

	sending->has_full = false;
	sending->check_at = stack->now;
	if (sending->probe_bytes > 0) { /* it is enough that the probe was lost */
		probe_lost(stack, conn);
		return;
	}
	if (conn->extra && conn->extra->path.told != 0 && seq_leq(conn->snd_una, conn->extra->path.told_at)) {
		act_on_report(stack, conn);
		return;
	}
	path = path_of(stack, conn);
	mtu = mtu_by(stack, conn, path);
	if (!in_trial(conn) && path_mss(stack, conn, mtu) < conn->mss) { /* another connection has learned it */
		follow_fragment(conn, path);
		use_mtu(stack, conn, mtu);
		return;
	}
	suspect_black_hole(stack, conn);
}

/* ---- ACKs --------------------------------------------------------------------------------------------------------
 */

/* The entry in flight that covers `seq`; NULL: none. Walks: only for probes and reports. */
static const struct sent *in_flight_at(const struct conn *conn, seq_t seq)
{
	const struct sent *entry = conn->tx->sent.first;

	while (entry && seq_leq(entry->end, seq))
		entry = entry->next;
	return entry;
}

static bool is_lost(const struct conn *conn, seq_t seq)
{
	const struct sent *entry = in_flight_at(conn, seq);

	return entry && (entry->flags & SENT_LOST);
}

static void judge_probe(struct stack *stack, struct conn *conn, struct sent_news *news)
{
	struct path_sending *sending = &conn->tx->path;
	uint32_t bytes = sending->probe_bytes;

	if (seq_geq(conn->snd_una, seq_add(sending->probe_at, bytes))) {
		probe_passed(stack, conn);
		return;
	}
	if (news->lost_bytes == 0 || !is_lost(conn, sending->probe_at))
		return;
	news->lost_bytes -= bytes < news->lost_bytes ? bytes : news->lost_bytes;
	probe_lost(stack, conn);
}

static void judge_report(struct stack *stack, struct conn *conn, struct sent_news *news)
{
	struct path_trouble *trouble = &conn->extra->path;

	if (seq_gt(conn->snd_una, trouble->told_at)) {
		trouble->told = 0; /* it arrived */
	} else if (news->lost_bytes > 0 && is_lost(conn, trouble->told_at)) {
		news->lost_bytes = 0;
		act_on_report(stack, conn);
	}
}

void path_acked(struct stack *stack, struct conn *conn, struct sent_news *news)
{
	struct path_sending *sending = &conn->tx->path;

	if (sending->has_full && seq_geq(conn->snd_una, sending->full_end)) {
		conn->mss_proven = conn->mss;
		sending->has_full = false;
	}
	if (sending->probe_bytes > 0)
		judge_probe(stack, conn, news);
	if (!conn->extra)
		return;
	if (conn->extra->path.told != 0)
		judge_report(stack, conn, news);
	if (conn->extra->path.black_hole != 0 && seq_gt(conn->snd_una, conn->extra->path.black_hole_at))
		confirm_black_hole(stack, conn);
}

/* ---- looking in --------------------------------------------------------------------------------------------------
 */

static struct duration left(struct instant until, struct instant now)
{
	return until.ns > now.ns ? instant_sub(until, now) : (struct duration){ 0 };
}

size_t stack_paths(const struct stack *stack, struct stack_path_info *ret_infos, size_t count)
{
	uint32_t slot = stack->paths.newest;
	size_t n = 0;

	for (; n < count && slot != POOL_NONE; n++) {
		const struct path *path = pool_at(&stack->paths.pool, slot);
		bool limited = path->limit_by != PATH_UNLIMITED;

		ret_infos[n] = (struct stack_path_info){
			.destination = path->destination,
			.pmtu = limited ? path->limit : 0,
			.black_hole = path->limit_by == PATH_BLACK_HOLE,
			.fragments = limited && path->fragment,
			.probe_low = path->search.low,
			.probe_high = path->search.high,
			.too_big = path->too_big,
			.black_holes = path->black_holes,
			.probes = path->probes,
			.probes_lost = path->probes_lost,
			.age = limited ? instant_sub(stack->now, path->limit_at) : (struct duration){ 0 },
			.fastopen_bytes = path->fastopen.cookie_bytes,
			.fastopen_failures = path->fastopen.failures,
			.fastopen_mss = path->fastopen.mss,
			.fastopen_blocked = left(path->fastopen.blocked_until, stack->now),
		};
		slot = path->older;
	}
	return n;
}
