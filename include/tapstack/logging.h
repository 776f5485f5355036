/* tapstack/logging.h: logging plugins.
 *
 * A logging plugin gets every state transition of every connection, with its cause, after it has happened. It runs
 * on a thread of its own behind a bounded queue: it may block, and what it then misses is counted (`missed` of the
 * next event) and shown by tapstackctl; neither packets nor the audit ever wait for it.
 *
 * A plugin that sends in batches, or tries a lost connection again, keeps what it has taken in a bounded buffer of
 * its own, gets time from idle(), and tells by counts() what it holds and what it has dropped: then the numbers that
 * tapstackctl shows add up, events delivered + waiting + missed = transitions.
 *
 * Callbacks of one instance never run at the same time. Functions return 0 or a negative errno value. */
#ifndef TAPSTACK_LOGGING_H
#define TAPSTACK_LOGGING_H

#include "tapstack/plugin.h"

#ifdef __cplusplus
extern "C" {
#endif

enum tapstack_log_event_flag {
	TAPSTACK_LOG_FIRST = 1,   /* first transition of its connection */
	TAPSTACK_LOG_LAST = 2,    /* the connection is gone after this one */
	TAPSTACK_LOG_ACTIVE = 4,  /* opened from here */
	TAPSTACK_LOG_COMPACT = 8, /* cwnd .. retransmits are not known */
};

/* One transition. Texts are NUL-terminated and valid during the call. */
struct tapstack_log_event {
	uint32_t struct_size;
	uint32_t flags;         /* enum tapstack_log_event_flag */
	uint64_t connection_id; /* as in the audit database and in tapstackctl */
	uint64_t missed;        /* events dropped for this plugin since the one before */
	int64_t time_ns;        /* CLOCK_REALTIME, ns since 1970 */
	const char *from, *to;  /* "SYN-RECEIVED", "ESTABLISHED" */
	const char *cause, *cause_meaning, *cause_section;
	const char *local_address, *remote_address; /* "192.0.2.1", "2001:db8::1" */
	uint16_t local_port, remote_port;
	uint32_t index; /* 0, 1, 2 ... within the connection */
	const char *service, *congestion;
	const char *last_speaker; /* "local", "peer", "" */
	uint32_t iss, irs, snd_una, snd_nxt, rcv_nxt;
	uint32_t segs_in, segs_out, retransmits;
	uint64_t cwnd_bytes, ssthresh_bytes;
	int64_t srtt_ns;
	uint64_t bytes_received, bytes_acked, bytes_retransmitted;
	/* Since 0.2: */
	uint32_t shard; /* that owns the connection */
	uint32_t reserved;
};

/* Those of one call lie one behind the other, each as long as the host has it: event + 1 is not the next one when the
 * host is newer than your headers. (A plugin of before 0.2 is given one at a time.) */
static inline const struct tapstack_log_event *tapstack_log_next_event(const struct tapstack_log_event *event)
{
	return (const struct tapstack_log_event *)(const void *)((const char *)event + event->struct_size);
}

enum tapstack_log_packet_flag {
	TAPSTACK_LOG_PACKET_IN = 1,       /* received; else sent */
	TAPSTACK_LOG_PACKET_CHECKSUM = 2, /* the transport checksum is not complete (offload): only its pseudo-header
	                                     is summed */
	TAPSTACK_LOG_PACKET_IPV6 = 4,
	TAPSTACK_LOG_PACKET_CONNECTION = 8, /* connection_id and all below it are known, but for the next two */
	TAPSTACK_LOG_PACKET_COMPACT = 16,   /* cwnd_bytes .. srtt_ns are not known: half-open, or TIME-WAIT, which
	                                       has no iss, irs, windows and retransmits either; 0 then */
	TAPSTACK_LOG_PACKET_GONE = 32, /* its connection was over when it left: only its id and states are known */
};

/* One frame, received or sent, with what the stack thought of it: since 0.2. Texts and bytes are valid during the
 * call. */
struct tapstack_log_packet {
	uint32_t struct_size;
	uint32_t flags;  /* enum tapstack_log_packet_flag */
	uint64_t missed; /* packets that fitted the filter, and were dropped for this plugin since the one before */
	int64_t time_ns; /* CLOCK_REALTIME, ns since 1970 */
	const uint8_t *bytes;  /* from the Ethernet header on */
	uint32_t captured;     /* of `bytes` */
	uint32_t length;       /* of the whole frame */
	uint16_t gso_bytes;    /* payload of each segment when it is a super-frame, else 0 */
	uint16_t header_bytes; /* of a super-frame: what each segment repeats */
	uint16_t shard;
	uint16_t reserved;
	const char *verdict, *verdict_meaning; /* of a frame received: "ACCEPTED", "DROP_PAWS", ...; "" when sent */
	uint64_t connection_id;                /* as in the audit database */
	/* "ESTABLISHED"; before and after the frame. Of TCP segments and ICMP errors about them also without a
	 * connection: "LISTEN" or "CLOSED" then; "" of all else. */
	const char *state_before, *state;
	const char *service, *congestion;
	uint64_t cwnd_bytes, ssthresh_bytes, inflight_bytes, pacing_bytes_per_s; /* after it */
	int64_t srtt_ns;
	uint32_t iss, irs, snd_una, snd_nxt, rcv_nxt, snd_wnd, rcv_wnd, retransmits;
};

/* As tapstack_log_next_event. */
static inline const struct tapstack_log_packet *tapstack_log_next_packet(const struct tapstack_log_packet *packet)
{
	return (const struct tapstack_log_packet *)(const void *)((const char *)packet + packet->struct_size);
}

struct tapstack_log_env {
	uint32_t struct_size;
	uint32_t reserved;
	const char *instance; /* its name in the YAML */
	/* One line into the daemon's own log; priority as in syslog(3), 0 to 7. */
	void (*log)(int priority, const char *text);
	/* Absolute; the daemon may write there, and paths in parameters that are relative are relative to it. This
	 * and the texts below are valid during open. */
	const char *state_directory;
	/* Since 0.2: */
	const char *host_name;      /* of this machine, as gethostname(2) has it */
	const char *daemon_version; /* "0.2.0" */
	const char *link_name;      /* of the interface, e.g. "tap0" */
	uint64_t run_id;            /* of this start of the daemon, as in the audit database */
	int64_t run_started_ns;     /* CLOCK_REALTIME */
	uint32_t mtu_bytes;         /* of the link */
	uint32_t packet_bytes_max; /* of a packet's bytes that packets() will be given; 0: packets are not captured */
};

/* What has become of events that the plugin took, since open: since 0.2. */
struct tapstack_log_counts {
	uint32_t struct_size; /* as the host has it: do not write what lies behind it */
	uint32_t reserved;
	uint64_t lost; /* dropped by the plugin: no room in its buffer, refused or never confirmed by the other end */
	uint64_t waiting;      /* in the plugin's buffer: neither delivered nor dropped yet */
	uint64_t packets_lost; /* of those that packets() was given */
};

struct tapstack_log_ops {
	uint32_t struct_size;
	uint32_t reserved;
	/* Required. Opens an instance; *ret_state is the plugin's own, given back to close. */
	int (*open)(const struct tapstack_log_env *env, const struct tapstack_params *params, void **ret_state);
	/* Required. `count` events, oldest first. An error is counted and shown; the events are not offered again. */
	int (*events)(void *state, const struct tapstack_log_event *events, size_t count);
	/* Optional. Write out what is buffered, as far as a second or so is enough. Called right before close: what
	 * counts() calls waiting after that is lost; where there is no idle(), whenever no events are waiting; and
	 * after packets() when there are few more to come. */
	int (*flush)(void *state);
	/* Optional. Log rotation (SIGHUP): open files again. */
	int (*reopen)(void *state);
	/* Required. */
	void (*close)(void *state);
	/* Optional; since 0.2. Packets, oldest first; only where the configuration asks for them (`capture` of the
	 * instance). As with events. */
	int (*packets)(void *state, const struct tapstack_log_packet *packets, size_t count);
	/* Optional; since 0.2. Time for what has to happen without events: a batch that is old enough to be sent, a
	 * connection to be tried again. Called when no events are waiting, and again when *ret_wait_ns have passed,
	 * unless events came first; INT64_MAX, which is what it is set to: not before the next events. While events
	 * come without a pause it is not called: events() has to look at the time itself. */
	int (*idle)(void *state, int64_t *ret_wait_ns);
	/* Optional; since 0.2. Called after each of the other operations, before anything is shown. Without it what
	 * was taken counts as delivered, unless events() answered with an error. */
	void (*counts)(void *state, struct tapstack_log_counts *ret_counts);
};

#ifdef __cplusplus
}
#endif
#endif
