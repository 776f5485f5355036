#pragma once
/* What answers on a port. One instance per configured service and shard, in the shard's thread: it is told what is
 * new about its connections and makes plain calls on stack.h. Listening, unlistening and finding the instance by the
 * tag `stack_ready.service` are the shard's work.
 *
 * One turn, as the shard drives it: stack_input... -> for each stack_next_ready: service_ready -> stack_settle ->
 * stack_output. A callback of a descriptor or timer of a service calls host->begin first and the stack afterwards;
 * the shard finishes the turn (ready reports, settle, output) after every iteration of its event loop. So a service
 * never has to tell the shard that it did something.
 *
 * Every accepted handle is let go of exactly once, with stack_close or stack_abort. */
#include "core/stack.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/socket.h>

struct event_base;

/* What a shard offers its services. Outlives them. */
struct service_host {
	struct stack *stack;
	struct event_base *base;
	/* The time that is latched in the stack. The shard keeps it current: also before it calls service_ready. */
	struct instant now;
	/* Latches the clock in `now` and in the stack, and makes sure that the turn is finished. May be called more
	 * than once in a turn. */
	void (*begin)(struct service_host *host);
};

/* Where a relay connects to. */
struct service_target {
	struct sockaddr_storage address;
	socklen_t length; /* 0: none */
};

#define SERVICE_NAME_MAX 64

struct service_options {
	char name[SERVICE_NAME_MAX];
	uint16_t id; /* the tag: stack_listen_options.service */
	/* The rest is for the kinds that have `wants_target` and `http`. */
	struct service_target target;
	struct duration connect_timeout; /* 0: as long as the kernel tries */
	struct duration idle_timeout;    /* nothing moved in either direction; 0: never */
	bool proxy_protocol;             /* version 2 header first */
	uint32_t connections_max;        /* of this instance; more are reset. 0: no limit */
};

/* Counters only grow; what is active now is accepted - ended. */
#define SERVICE_COUNTERS(X)                                                                                          \
	X(accepted, "connections taken")                                                                             \
	X(ended, "connections let go of")                                                                            \
	X(bytes_in, "bytes read from peers")                                                                         \
	X(bytes_out, "bytes sent to peers")                                                                          \
	X(peer_errors, "connections that TCP reported dead (reset, time-out)")                                       \
	X(refused, "connections reset because of the service's own limit or lack of memory")                         \
	X(target_failures, "connections reset because the target could not be reached")                              \
	X(target_resets, "connections reset because the target did so")                                              \
	X(idle_timeouts, "connections ended because nothing moved")                                                  \
	X(troubles, "times data had been sent so often that TCP gave notice (R1), and it went on")                   \
	X(soft_errors, "times ICMP errors were told that ended nothing")                                             \
	X(urgencies, "times urgent data were announced")

struct service_stats {
#define SERVICE_COUNTER_FIELD(name, help) uint64_t name;
	SERVICE_COUNTERS(SERVICE_COUNTER_FIELD)
#undef SERVICE_COUNTER_FIELD
};

struct service;

/* A kind of service. */
struct service_type {
	const char *name; /* as in the configuration: `kind` */
	const char *help;
	bool wants_target;    /* the configuration must give `target` */
	size_t instance_size; /* of the struct that begins with struct service */
	int (*start)(struct service *service);
	void (*ready)(struct service *service, const struct stack_ready *ready);
	void (*stop)(struct service *service);
};

/* How every instance begins. Others may read it, in the shard's thread. */
struct service {
	const struct service_type *type;
	struct service_host *host;
	struct service_options options;
	struct service_stats stats;
};

/* By name; NULL: no such kind. */
const struct service_type *service_type_find(const char *name);
/* All kinds; *ret_count is how many. */
const struct service_type *const *service_types(size_t *ret_count);

/* `unix:/path`, `tcp:host:port` or `tcp:[2001:db8::1]:port`; a port is a number. A host's name is resolved now, which
 * may take long: for the time of configuration, never in a shard. Returns 0 or -EINVAL, and then says in `error` what
 * is wrong. */
int service_target_parse(const char *text, struct service_target *ret_target, char *error, size_t error_size);

/* In the shard's thread, as all that follows. `options` is copied; `host` is kept. Returns 0, -ENOMEM, -EINVAL (a
 * kind that wants a target has none) or what the kind's start says. */
int service_start(const struct service_type *type, struct service_host *host, const struct service_options *options,
                  struct service **ret_service);

/* Something is new about one of its connections. What TCP tells for information only (trouble, ICMP errors that ended
 * nothing, urgent data ahead: RFC 9293 MUST-32, MUST-47, SHLD-25) is counted here for every kind. */
void service_ready(struct service *service, const struct stack_ready *ready);

/* A reload: connections accepted from now on get these options; name and id don't change. 0 or -EINVAL. */
int service_configure(struct service *service, const struct service_options *options);

/* Closes its descriptors, lets go of the handles it keeps and frees the instance. Kinds without memory per connection
 * (echo, discard, chargen) know no handles: what is left of them is for stack_stop, or, when only the service goes:
 * call this once stats.accepted == stats.ended, or abort what stack_walk finds with its tag. NULL is allowed. */
void service_stop(struct service *service);
