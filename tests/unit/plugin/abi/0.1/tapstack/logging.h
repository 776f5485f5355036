/* tapstack/logging.h: logging plugins.
 *
 * A logging plugin gets every state transition of every connection, with its cause, after it has happened. It runs
 * on a thread of its own behind a bounded queue: it may block, and what it then misses is counted (`missed` of the
 * next event) and shown by tapstackctl; neither packets nor the audit ever wait for it.
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
};

struct tapstack_log_env {
	uint32_t struct_size;
	uint32_t reserved;
	const char *instance; /* its name in the YAML */
	/* One line into the daemon's own log; priority as in syslog(3), 0 to 7. */
	void (*log)(int priority, const char *text);
	/* Absolute; the daemon may write there, and paths in parameters that are relative are relative to it. The
	 * text is valid during open. */
	const char *state_directory;
};

struct tapstack_log_ops {
	uint32_t struct_size;
	uint32_t reserved;
	/* Required. Opens an instance; *ret_state is the plugin's own, given back to close. */
	int (*open)(const struct tapstack_log_env *env, const struct tapstack_params *params, void **ret_state);
	/* Required. `count` events, oldest first. An error is counted and shown; the events are not offered again. */
	int (*events)(void *state, const struct tapstack_log_event *events, size_t count);
	/* Optional. Nothing more is waiting: write out what is buffered. */
	int (*flush)(void *state);
	/* Optional. Log rotation (SIGHUP): open files again. */
	int (*reopen)(void *state);
	/* Required. */
	void (*close)(void *state);
};

#ifdef __cplusplus
}
#endif
#endif
