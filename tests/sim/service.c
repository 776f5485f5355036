#include "service.h"

#include <errno.h>
#include <stdlib.h>

struct plan plan_random(struct sim *sim, uint32_t scale)
{
	struct plan plan = {
		.send_bytes = sim_chance(sim, 200000) ? 0 : sim_between(sim, 1, scale >> sim_between(sim, 0, 8)),
		.write_max = 1u << sim_between(sim, 0, 17),
		.read_max = 1u << sim_between(sim, 4, 17),
		.ending = (enum ending)sim_between(sim, 0, ENDINGS - 1),
		.spills = sim_chance(sim, 100000),
	};

	if (plan.write_max < scale / 1000)
		plan.write_max = scale / 1000;
	if (plan.read_max < scale / 500)
		plan.read_max = scale / 500;
	if (sim_chance(sim, 300000))
		plan.write_pause = sim_duration(sim, DURATION_US(1), DURATION_MS(50));
	if (sim_chance(sim, 300000))
		plan.read_pause = sim_duration(sim, DURATION_US(1), DURATION_MS(100));
	if (sim_chance(sim, 200000))
		plan.read_delay = sim_duration(sim, DURATION_MS(1), DURATION_S(20));
	if (plan.ending >= END_CLOSE_EARLY || sim_chance(sim, 300000))
		plan.end_delay = sim_duration(sim, DURATION_US(1), DURATION_S(3));
	return plan;
}

/* ---- the streams -------------------------------------------------------------------------------------------------
 */

/* ISNs and id, as soon as they are known. */
static void learn(struct endpoint *endpoint)
{
	struct stack_conn_info info;

	if (endpoint->known || stack_info(endpoint->host->stack, endpoint->handle, &info) < 0)
		return;
	endpoint->flow = info.flow;
	endpoint->id = info.id;
	endpoint->iss = info.iss;
	endpoint->irs = info.irs - endpoint->host->sim->shift[info.flow.remote.b[15]];
	endpoint->known = info.state >= TCPS_SYN_RECEIVED;
}

static struct endpoint *endpoint_new(struct host *host, struct conn_handle handle, const struct plan *plan)
{
	struct endpoint *endpoint = calloc(1, sizeof(*endpoint));
	struct sim *sim = host->sim;

	if (!endpoint)
		abort();
	endpoint->host = host;
	endpoint->handle = handle;
	endpoint->plan = *plan;
	endpoint->may_write = true;
	endpoint->read_at = instant_add(sim->now, plan->read_delay);
	endpoint->write_at = sim->now;
	endpoint->end_at = plan->ending >= END_CLOSE_EARLY ? instant_add(sim->now, plan->end_delay) : INSTANT_NEVER;
	endpoint->next = host->endpoints;
	host->endpoints = endpoint;
	WATCH_CHECK(stack_set_user(host->stack, handle, (uint64_t)(uintptr_t)endpoint) == 0);
	learn(endpoint);
	return endpoint;
}

/* Has let go of the handle, which must be stale from now on. */
static void let_go(struct endpoint *endpoint)
{
	struct stack_conn_info info;

	endpoint->done = true;
	WATCH_CHECK(stack_info(endpoint->host->stack, endpoint->handle, &info) == -EBADF);
	WATCH_CHECK(stack_close(endpoint->host->stack, endpoint->handle) == -EBADF);
}

static void finish_by(struct endpoint *endpoint, bool reset)
{
	struct stack *stack = endpoint->host->stack;

	learn(endpoint);
	WATCH_CHECK((reset ? stack_abort(stack, endpoint->handle) : stack_close(stack, endpoint->handle)) == 0);
	let_go(endpoint);
}

/* ---- reading -----------------------------------------------------------------------------------------------------
 */

static void check_bytes(struct endpoint *endpoint, const struct iovec *iov, size_t length)
{
	uint64_t key = stream_key(endpoint->irs, endpoint->flow.remote_port, endpoint->flow.local_port);

	for (; length > 0; iov++) {
		size_t part = iov->iov_len < length ? iov->iov_len : length;

		for (size_t i = 0; i < part; i++)
			WATCH_CHECK(((const uint8_t *)iov->iov_base)[i] ==
			            stream_pattern(key, endpoint->received + i));
		endpoint->received += part;
		length -= part;
	}
}

static void read_some(struct endpoint *endpoint)
{
	struct sim *sim = endpoint->host->sim;
	struct stack *stack = endpoint->host->stack;
	size_t budget = endpoint->plan.read_max;
	struct iovec iov[3];
	int count;

	while (endpoint->may_read && instant_reached(endpoint->read_at, sim->now)) {
		ssize_t bytes = stack_peek(stack, endpoint->handle, iov, (int)sim_between(sim, 1, 3), &count);
		size_t take;

		WATCH_CHECK(bytes >= 0);
		if (bytes == 0) {
			endpoint->may_read = false;
			break;
		}
		take = (size_t)bytes < budget ? (size_t)bytes : budget;
		check_bytes(endpoint, iov, take);
		WATCH_CHECK(stack_consume(stack, endpoint->handle, take) == 0);
		budget -= take;
		if (budget == 0) {
			endpoint->read_at = instant_add(sim->now, endpoint->plan.read_pause);
			budget = endpoint->plan.read_max;
		}
	}
	if (!endpoint->may_read && stack_at_eof(stack, endpoint->handle))
		endpoint->eof = true;
}

/* ---- writing -----------------------------------------------------------------------------------------------------
 */

static void fill(struct endpoint *endpoint, const struct iovec *iov, size_t length)
{
	uint64_t key = stream_key(endpoint->iss, endpoint->flow.local_port, endpoint->flow.remote_port);

	for (; length > 0; iov++) {
		size_t part = iov->iov_len < length ? iov->iov_len : length;

		for (size_t i = 0; i < part; i++)
			((uint8_t *)iov->iov_base)[i] = stream_pattern(key, endpoint->sent + i);
		endpoint->sent += part;
		length -= part;
	}
}

/* One step: false when it must wait for room. */
static bool write_step(struct endpoint *endpoint)
{
	struct sim *sim = endpoint->host->sim;
	struct stack *stack = endpoint->host->stack;
	uint64_t left = endpoint->plan.send_bytes - endpoint->sent;
	size_t wanted = left < endpoint->plan.write_max ? (size_t)left : endpoint->plan.write_max, part;
	struct iovec iov[4];
	ssize_t room;
	int count;

	room = stack_space(stack, endpoint->handle, wanted, iov, (int)sim_between(sim, 1, 4), &count);
	if (room == -EPIPE ||
	    room == -ECONNRESET) { /* an administrator has closed it; or dead, as is still to be told */
		endpoint->shut = true;
		return false;
	}
	WATCH_CHECK(room >= 0 && (size_t)room <= wanted);
	if (room == 0 || (endpoint->plan.spills && sim_chance(sim, 300000)))
		return room > 0;
	part = sim_chance(sim, 100000) ? sim_between(sim, 1, (uint32_t)room) : (size_t)room;
	fill(endpoint, iov, part);
	WATCH_CHECK(stack_commit(stack, endpoint->handle, part) == 0);
	return (size_t)room == wanted;
}

static void write_some(struct endpoint *endpoint)
{
	struct sim *sim = endpoint->host->sim;

	while (endpoint->may_write && !endpoint->shut && endpoint->sent < endpoint->plan.send_bytes &&
	       instant_reached(endpoint->write_at, sim->now)) {
		endpoint->may_write = write_step(endpoint);
		if (endpoint->plan.write_pause.ns > 0)
			endpoint->write_at = instant_add(sim->now, endpoint->plan.write_pause);
	}
}

/* ---- ending ------------------------------------------------------------------------------------------------------
 */

static void end_some(struct endpoint *endpoint)
{
	struct sim *sim = endpoint->host->sim;
	bool all_sent = endpoint->sent == endpoint->plan.send_bytes || endpoint->shut;
	bool due = instant_reached(endpoint->end_at, sim->now);

	if (endpoint->failed) {
		finish_by(endpoint, false);
		return;
	}
	if (due && endpoint->plan.ending >= END_CLOSE_EARLY) {
		finish_by(endpoint, endpoint->plan.ending == END_ABORT);
		return;
	}
	if (all_sent && endpoint->plan.ending == END_CLOSE) {
		finish_by(endpoint, false);
		return;
	}
	if (all_sent && !endpoint->shut && endpoint->plan.ending <= END_AFTER_PEER &&
	    (endpoint->plan.ending == END_SHUTDOWN || endpoint->eof)) {
		WATCH_CHECK(stack_shutdown(endpoint->host->stack, endpoint->handle) == 0);
		endpoint->shut = true;
	}
	if (endpoint->shut && endpoint->eof) {
		if (endpoint->end_at.ns == INT64_MAX)
			endpoint->end_at = instant_add(sim->now, endpoint->plan.end_delay);
		if (instant_reached(endpoint->end_at, sim->now))
			finish_by(endpoint, false);
	}
}

static void step(struct endpoint *endpoint)
{
	if (endpoint->known || endpoint->active)
		read_some(endpoint);
	if (!endpoint->failed)
		write_some(endpoint);
	end_some(endpoint);
}

/* ---- what the host asks of its services --------------------------------------------------------------------------
 */

struct endpoint *service_connect(struct host *host, const struct stack_connect_options *options,
                                 const struct plan *plan)
{
	struct endpoint *endpoint;
	struct conn_handle handle;

	if (host->stopped || stack_connect(host->stack, options, &handle) < 0)
		return NULL;
	endpoint = endpoint_new(host, handle, plan);
	endpoint->active = true;
	host_wake(host);
	return endpoint;
}

void services_wake(struct host *host)
{
	for (struct endpoint *endpoint = host->endpoints; endpoint; endpoint = endpoint->next) {
		if (!endpoint->done)
			step(endpoint);
	}
}

void services_ready(struct host *host, const struct stack_ready *ready)
{
	struct endpoint *endpoint = (struct endpoint *)(uintptr_t)ready->user;

	WATCH_CHECK(ready->flags != 0);
	if (ready->flags & READY_ACCEPTED) {
		struct plan plan = host->accept_plan ? *host->accept_plan : plan_random(host->sim, host->scale);

		WATCH_CHECK(!endpoint);
		endpoint = endpoint_new(host, ready->conn, &plan);
	}
	WATCH_CHECK(endpoint && !endpoint->done && endpoint->handle.v == ready->conn.v);
	learn(endpoint);
	if (ready->flags & (READY_READABLE | READY_EOF | READY_ERROR))
		endpoint->may_read = true;
	if (ready->flags & (READY_WRITABLE | READY_CONNECTED))
		endpoint->may_write = true;
	if (ready->flags & READY_ERROR) {
		endpoint->failed = true;
		endpoint->cause = ready->cause;
		WATCH_CHECK(ready->cause != CAUSE_NONE && ready->cause != CAUSE_RECEIVED_ACK_OF_FIN &&
		            ready->cause != CAUSE_TIMEOUT_2MSL); /* a good end is no error */
	}
	if ((ready->flags & READY_SENT) && !endpoint->failed) {
		struct stack_conn_info info;

		WATCH_CHECK(stack_info(host->stack, endpoint->handle, &info) == 0);
		WATCH_CHECK(info.bytes_acked == endpoint->sent);
	}
	step(endpoint);
}

struct instant services_due(const struct host *host)
{
	struct instant now = host->sim->now, due = INSTANT_NEVER;

	for (const struct endpoint *endpoint = host->endpoints; endpoint; endpoint = endpoint->next) {
		if (endpoint->done)
			continue;
		if (endpoint->may_read && (endpoint->known || endpoint->active))
			due = instant_min(due, endpoint->read_at);
		if (endpoint->may_write && !endpoint->shut && endpoint->sent < endpoint->plan.send_bytes)
			due = instant_min(due, endpoint->write_at);
		due = instant_min(due, endpoint->end_at);
	}
	return instant_max(due, now);
}

bool services_hold_dead(const struct host *host)
{
	struct stack_conn_info info;

	for (const struct endpoint *endpoint = host->endpoints; endpoint; endpoint = endpoint->next) {
		if (!endpoint->done && stack_info(host->stack, endpoint->handle, &info) == 0 &&
		    info.state == TCPS_CLOSED)
			return true;
	}
	return false;
}

void services_finish(struct host *host)
{
	struct sim *sim = host->sim;

	for (struct endpoint *endpoint = host->endpoints; endpoint; endpoint = endpoint->next) {
		endpoint->plan.ending = END_SHUTDOWN;
		endpoint->plan.read_pause = endpoint->plan.write_pause = endpoint->plan.end_delay = DURATION_S(0);
		endpoint->plan.spills = false;
		endpoint->read_at = endpoint->write_at = sim->now;
		endpoint->end_at = INSTANT_NEVER;
	}
	host_wake(host);
}

void services_close(struct host *host)
{
	for (struct endpoint *endpoint = host->endpoints; endpoint; endpoint = endpoint->next) {
		if (!endpoint->done)
			finish_by(endpoint, false);
	}
	host_wake(host);
}

void services_end(struct host *host)
{
	struct endpoint *endpoint;

	while ((endpoint = host->endpoints)) {
		host->endpoints = endpoint->next;
		free(endpoint);
	}
}

struct endpoint *endpoint_peer(const struct endpoint *endpoint, const struct endpoint *after, struct host *hosts,
                               uint32_t count)
{
	bool passed = after == NULL;

	for (uint32_t i = 0; endpoint->known && i < count; i++) {
		for (struct endpoint *peer = hosts[i].endpoints; peer; peer = peer->next) {
			if (passed && peer->known && peer->iss == endpoint->irs && peer->irs == endpoint->iss &&
			    ip_addr_equal(&peer->flow.local, &endpoint->flow.remote) &&
			    ip_addr_equal(&peer->flow.remote, &endpoint->flow.local) &&
			    peer->flow.local_port == endpoint->flow.remote_port &&
			    peer->flow.remote_port == endpoint->flow.local_port)
				return peer;
			passed = passed || peer == after;
		}
	}
	return NULL;
}
