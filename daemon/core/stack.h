#pragma once
/* The stack: everything that the rest of the daemon may know about TCP/IP. Sans-I/O: frames and time go in; frames, a
 * deadline, readiness and journal records come out. No clock, descriptor, thread, lock or global; one struct stack is
 * one shard, and two share nothing.
 *
 * One turn:   stack_input()... for each frame, stack_advance(), stack_next_ready()... with plain calls on handles in
 *             between, stack_settle(), stack_output()..., then sleep until stack_deadline() or a frame.
 *
 * The instant given to stack_input or stack_advance is latched: calls on handles happen at that instant. It must
 * never go backwards (an earlier one counts as the latched one).
 *
 * Frames given to stack_input must stay in place until stack_settle returns: services read payload where it lies.
 * Functions that return int return 0 or -errno; outputs are untouched on failure. */
#include "core/base/addr.h"
#include "core/base/journal.h"
#include "core/base/memory.h"
#include "core/base/time.h"
#include "core/tcp/state.h"
#include "tapstack/congestion.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

struct stack;

/* ---- configuration ------------------------------------------------------------------------------------------- */

#define STACK_ADDRESSES_MAX 8

struct stack_address {
	struct ip_addr ip;
	uint8_t prefix_bits; /* of the IPv6-wide address: an IPv4 /24 is 120 */
};

/* A congestion algorithm as the host offers it. Stays in place, and its name for ever, while *users is not zero or a
 * stack may be handed it. */
struct stack_congestion {
	const char *name;
	uint16_t id; /* into journal_record.congestion */
	const struct tapstack_cc_ops *ops;
	struct tapstack_params params;
	/* What refers to it, over all stacks that share it: connections (acting or in shadow), listeners, rules, and
	 * the stack's default. NULL: not counted. */
	_Atomic uint32_t *users;
	uint32_t output_count; /* of its named outputs; of more than STACK_OUTPUTS_MAX none is looked at */
};

/* Explicit Congestion Notification (RFC 3168, RFC 9768): what a SYN of ours asks for, and what a peer's SYN gets. */
enum stack_ecn {
	STACK_ECN_OFF,     /* neither asked for nor accepted */
	STACK_ECN_ACCEPT,  /* accepted when the peer asks */
	STACK_ECN_REQUEST, /* and asked for */
};

/* What an ICMP error may do. None of them kills a connection that is established (RFC 5927). */
enum stack_icmp_policy {
	STACK_ICMP_IGNORE, /* nothing but path-MTU messages is looked at */
	STACK_ICMP_SOFT,   /* told to the service; hard errors end an attempt in SYN-SENT (RFC 5927) */
	STACK_ICMP_STRICT, /* hard errors also end SYN-RECEIVED (RFC 9293 SHLD-26 as far as RFC 5927 lets it) */
};

/* How the path's MTU is found. */
enum stack_path_mtu {
	STACK_PATH_MTU_OFF,      /* no discovery: DF clear, segments for a path of 576 bytes (IPv6: 1280) */
	STACK_PATH_MTU_ICMP,     /* RFC 1191, 8201 */
	STACK_PATH_MTU_FALLBACK, /* and black holes are detected, then probed out of (RFC 4821) */
	STACK_PATH_MTU_PROBE,    /* RFC 4821 from the start: begin small, probe upwards */
};

#define STACK_WSCALE_AUTO 255u /* the shift that reaches rcvbuf_max_bytes */

/* TCP's tunables. stack_config_init gives the defaults. Those under "per stack" count for the whole stack; all others
 * can differ between listeners and connections (stack_listen_options.tcp, stack_connect_options.tcp,
 * stack_set_tcp). */
struct stack_tcp_config {
	/* per stack */
	struct duration msl;           /* 30 s */
	struct duration time_wait;     /* length of TIME-WAIT; 0: 2 MSL */
	uint32_t challenge_acks_per_s; /* of a connection, RFC 5961 section 7; 255 at most are sent */
	uint32_t orphans_max; /* connections no service holds any more; beyond it the next is reset; 0: no limit */
	uint32_t fastopen_pending_max; /* RFC 7413 section 5.1: opened by a TFO SYN and not yet acknowledged */
	bool syn_cookies;              /* when the half-open table is full */

	/* handshake and options */
	struct duration syn_timeout;       /* active open gives up; RFC 9293 MUST-23: at least 3 min */
	struct duration half_open_timeout; /* passive: SYN-RECEIVED gives up; 60 s */
	uint32_t syn_retries_max;          /* SYNs sent again before an active open gives up; 0: only by time */
	uint32_t syn_ack_retries_max;      /* the same for SYN-ACKs */
	uint32_t mss_max_bytes;            /* 0: from the MTU */
	uint8_t window_scale;              /* shift to offer, 0 to 14, or STACK_WSCALE_AUTO */
	bool timestamps, sack, window_scaling;
	uint32_t ecn;                          /* enum stack_ecn */
	bool accecn;                           /* AccECN where ECN is negotiated (RFC 9768) */
	bool dctcp_echo;                       /* without it, each mark is echoed by itself (RFC 8257 3.2); off */
	bool fastopen_client, fastopen_server; /* RFC 7413; off */

	/* retransmission and loss */
	struct duration rto_initial;        /* RFC 6298: 1 s */
	struct duration rto_min;            /* 200 ms */
	struct duration rto_max;            /* 60 s */
	uint32_t r1_retransmits;            /* RFC 9293 R1, SHLD-10: at least 3; then the service is told */
	struct duration retransmit_timeout; /* R2, RFC 9293 SHLD-11: at least 100 s; 15 min */
	bool rack;                          /* RACK loss detection (RFC 8985); else duplicate ACKs (RFC 6675) */
	bool tail_loss_probe;               /* TLP (RFC 8985) */
	bool prr;                           /* proportional rate reduction (RFC 9937) */
	bool frto;                          /* RFC 5682 */
	bool undo;                          /* of spurious recoveries (RFC 4015, D-SACK) */

	/* congestion */
	uint32_t initial_window_segments; /* RFC 6928: 10 */
	bool cwnd_validation;             /* RFC 7661 */
	bool idle_restart;                /* RFC 5681 section 4.1 */
	uint64_t pacing_max_bytes_per_s;  /* upper limit of any algorithm's pacing; 0: none */

	/* buffers and acknowledgements */
	uint32_t rcvbuf_initial_bytes,
	        rcvbuf_max_bytes; /* receive window: first offer, and the limit of auto-tuning */
	uint32_t sndbuf_initial_bytes, sndbuf_max_bytes;
	bool rcvbuf_autotune, sndbuf_autotune;
	struct duration delayed_ack; /* 40 ms, below 500 ms */

	/* ends */
	struct duration fin_wait_2_timeout; /* after the service has let go; 60 s */
	struct duration orphan_timeout;     /* data of a connection no service holds any more; 0: as R2 */
	struct duration linger;       /* stack_close: < 0 off; 0: RST at once; else RST when not all is acknowledged
	                                 by then */
	struct duration user_timeout; /* RFC 9293 3.9.1.1, RFC 5482: unacknowledged for so long: aborted, as by R2 if
	                                 that is sooner; 0: only R2 */
	bool user_timeout_option;     /* tells the peer, and follows what it tells, within R2 and 100 s */
	bool keepalive;               /* RFC 9293 3.8.4; off */
	bool keepalive_garbage;       /* with one octet of garbage (MAY-6) */
	uint32_t keepalive_count;     /* unanswered probes before the connection is given up; 9 */
	struct duration keepalive_idle;     /* 2 h */
	struct duration keepalive_interval; /* 75 s */

	/* IP */
	uint8_t ttl;                         /* and hop limit; 64 */
	uint8_t dscp;                        /* 0 to 63 */
	uint32_t icmp_policy;                /* enum stack_icmp_policy */
	uint32_t path_mtu;                   /* enum stack_path_mtu */
	uint32_t path_mtu_probe_floor_bytes; /* RFC 4821 section 7.2: where the search begins; 1024 */
};

/* Do the values make sense together? */
bool stack_tcp_config_valid(const struct stack_tcp_config *tcp);

struct stack_config {
	uint8_t secret[32]; /* ISNs, flow hash, cookies, ports, ...: new at each start; fixed in tests */
	struct mac_addr mac;
	struct stack_address address[STACK_ADDRESSES_MAX];
	uint32_t address_count;
	struct ip_addr gateway; /* of IPv4; IP_ADDR_ANY: none */
	/* IPv6 is on when there is an IPv6 address or accept_ra. Then the stack has a link-local address as well, of
	 * its own making unless one is configured. */
	struct ip_addr gateway6; /* of IPv6, may be link-local; IP_ADDR_ANY: none, or what routers advertise */
	bool accept_ra;        /* addresses, prefixes, routers and MTU from router advertisements (RFC 4861, 4862) */
	uint8_t dad_transmits; /* questions before an IPv6 address is used (RFC 4862 section 5.4); 1; 0: none */
	uint8_t stable_secret[16]; /* of the addresses that the stack makes up (RFC 7217): the same for all shards and
	                              at each start; all zero: they are made from the MAC */
	uint32_t mtu_bytes;        /* of an IP packet on the wire; IPv6 needs 1280 */
	uint32_t gso_bytes_max;    /* largest TCP payload of one frame out; 0: no super-frames */
	bool checksum_offload;     /* frames out may carry a partial checksum (see frame_out) */

	uint32_t connections_max, half_open_max, time_wait_max, listeners_max, neighbours_max;
	uint32_t paths_max;           /* destinations whose MTU and Fast Open cookies are remembered */
	uint64_t buffers_max_bytes;   /* payload in send and receive buffers of all connections */
	uint32_t fragments_max_bytes; /* of IP fragments waiting to be whole */

	uint8_t shard;
	uint64_t first_connection_id;   /* this stack uses first, first + step, ... */
	uint32_t connection_id_step;    /* number of shards */
	uint16_t port_first, port_last; /* ephemeral ports this stack may use */

	struct journal_ring *journal; /* NULL: nothing is recorded (benchmarks of the core, fuzzing) */
	const struct stack_congestion *congestion_default; /* NULL: built-in Reno */
	/* Measures how long callbacks of congestion plugins take, and serves nothing else: a monotonic clock in ns
	 * that costs little to read. Not each is timed, but some, and all after one that was too slow. NULL: none
	 * is. */
	int64_t (*stopwatch)(void);
	struct duration congestion_budget; /* of one callback; 100 us */
	struct stack_tcp_config tcp;
};

/* All defaults; secret, mac and addresses are zero and must be set. */
void stack_config_init(struct stack_config *config);

/* Returns 0; -EINVAL a value that makes no sense; -ENOMEM. `config` is copied. */
int stack_new(const struct stack_config *config, const struct memory *memory, struct instant now,
              struct stack **ret_stack);
/* Frees everything at once, without sending or recording; see stack_stop. NULL is allowed. */
void stack_free(struct stack *stack);

/* The built-in algorithm, RFC 5681 and 6582. */
const struct stack_congestion *stack_builtin_reno(void);

/* ---- packets ------------------------------------------------------------------------------------------------- */

enum frame_checksum {
	FRAME_CHECKSUM_UNKNOWN, /* check it */
	FRAME_CHECKSUM_PARTIAL, /* only the pseudo-header is summed: comes from this machine, nothing to check */
	FRAME_CHECKSUM_VALID,   /* somebody has checked it */
};

struct frame_in {
	const uint8_t *bytes; /* Ethernet header first */
	uint32_t length;
	uint16_t gso_bytes; /* segment size when this is a super-frame, else 0 */
	uint8_t checksum;   /* enum frame_checksum, of the transport header */
};

/* Why a frame or segment was not taken as it stood. Names appear in tapstackctl. Append only. */
#define STACK_VERDICTS(X)                                                                                            \
	X(ACCEPTED, "processed")                                                                                     \
	X(DROP_ETHERNET, "not a frame for this host")                                                                \
	X(DROP_PROTOCOL, "not a protocol this stack speaks")                                                         \
	X(DROP_ARP, "malformed or foreign ARP")                                                                      \
	X(DROP_IP_MALFORMED, "malformed IP header or lengths that disagree")                                         \
	X(DROP_IP_CHECKSUM, "wrong IP header checksum")                                                              \
	X(DROP_IP_SOURCE_ROUTE, "source route refused")                                                              \
	X(DROP_IP_SOURCE, "source address that no host may have")                                                    \
	X(DROP_IP_DESTINATION, "not addressed to this stack")                                                        \
	X(DROP_FRAGMENT, "fragment refused: overlap, size or limit")                                                 \
	X(FRAGMENT_HELD, "fragment kept until its packet is whole")                                                  \
	X(DROP_ICMP, "malformed ICMP, or one that this stack ignores")                                               \
	X(DROP_ICMP_UNRELATED, "ICMP error about nothing that was sent")                                             \
	X(DROP_MALFORMED, "malformed TCP header")                                                                    \
	X(DROP_CHECKSUM, "wrong TCP checksum")                                                                       \
	X(DROP_BROADCAST, "TCP to a broadcast or multicast address, or in such a frame")                             \
	X(DROP_NO_CONNECTION, "no such connection; answered with RST")                                               \
	X(DROP_RST_NO_CONNECTION, "RST for a connection that does not exist")                                        \
	X(DROP_LISTEN, "not a SYN, sent to a listener")                                                              \
	X(DROP_BACKLOG, "listener's backlog or the connection limit is full")                                        \
	X(DROP_JOURNAL_FULL, "no room in the audit journal: new connection refused")                                 \
	X(DROP_NO_MEMORY, "no memory for it")                                                                        \
	X(COOKIE_SENT, "SYN answered with a cookie")                                                                 \
	X(DROP_SYN_SENT_ACK, "unacceptable ACK in SYN-SENT")                                                         \
	X(DROP_OUT_OF_WINDOW, "sequence numbers outside the window")                                                 \
	X(DROP_PAWS, "old timestamp (PAWS)")                                                                         \
	X(DROP_RST_SEQ, "RST outside the window")                                                                    \
	X(CHALLENGE_ACK, "answered with a challenge ACK (RFC 5961)")                                                 \
	X(CHALLENGE_ACK_LIMITED, "challenge ACK not sent: rate limit")                                               \
	X(DROP_NO_ACK, "segment without ACK")                                                                        \
	X(DROP_ACK_TOO_OLD, "ACK below the acceptable range (RFC 5961 section 5)")                                   \
	X(DROP_ACK_UNSENT, "ACK of something not sent")                                                              \
	X(DROP_TEXT_CLOSED, "data after the local program had closed; answered with RST")                            \
	X(DROP_TEXT_AFTER_FIN, "data beyond the peer's FIN")                                                         \
	X(DROP_REASSEMBLY, "too many holes, or no memory for out-of-order data")                                     \
	X(DUPLICATE, "nothing new in it")                                                                            \
	X(RESET, "it reset the connection")                                                                          \
	X(TIME_WAIT_ACK, "answered from TIME-WAIT")                                                                  \
	X(DROP_IP_EXTENSION, "IPv6 extension header refused: malformed, unknown option, or beyond the limits")       \
	X(DROP_ND, "neighbour discovery that is invalid, or not for this stack")

enum stack_verdict {
#define STACK_VERDICT_ENUM(name, meaning) VERDICT_##name,
	STACK_VERDICTS(STACK_VERDICT_ENUM)
#undef STACK_VERDICT_ENUM
	        STACK_VERDICT_COUNT
};

const char *stack_verdict_name(unsigned verdict);
const char *stack_verdict_meaning(unsigned verdict);

/* One frame. Any bytes are allowed. The verdict is counted. */
enum stack_verdict stack_input(struct stack *stack, struct instant now, const struct frame_in *frame);

/* Due timers; bounded work: returns true when more is due, call again after the packets. */
bool stack_advance(struct stack *stack, struct instant now);

/* Payload that services have left unread in frames is copied to the connections' own buffers. After it, the frames'
 * memory may be used again. */
void stack_settle(struct stack *stack);

#define FRAME_OUT_HEADER_MAX 128
#define FRAME_OUT_IOV_MAX 8

/* A frame to send: maps one to one onto struct virtio_net_hdr. iov[0] is `header` (all headers), the rest is payload
 * in the send buffers. Valid until the next call on the stack. */
struct frame_out {
	struct iovec iov[FRAME_OUT_IOV_MAX];
	uint32_t iov_count, length;
	uint16_t gso_bytes;    /* payload of each segment when the frame must be cut (TCPv4/TCPv6), else 0 */
	uint16_t header_bytes; /* all headers: what each segment repeats */
	uint16_t checksum_start, checksum_offset; /* offset 0: the checksum is complete */
	bool is_ipv6;
	uint8_t header[FRAME_OUT_HEADER_MAX];
};

/* Up to `count` frames that may go out now; returns their number, 0: nothing more. What the link then can't send
 * counts as lost on the way. Sending may make room that a service waits for: stack_next_ready may have news again. */
size_t stack_output(struct stack *stack, struct frame_out *frames, size_t count);

/* What the stack thinks of a frame, received or sent. */
struct stack_view {
	uint8_t verdict; /* enum stack_verdict, of a frame received */
	/* It has a TCP segment of `flow`, or (received) is an ICMP error about one: else nothing below is known. Of
	 * one with a wrong checksum the flow is what it pretends to be. */
	bool is_segment;
	/* enum tcp_state, before and after the frame; LISTEN or CLOSED where there is no connection. A frame sent
	 * changes the state when it has the FIN of CLOSE-WAIT, or a reset. */
	uint8_t state_before, state;
	struct flow flow;
	uint64_t connection_id; /* 0: none; after a frame that ended it, still its id */
	/* Only the rest up to retransmits is known, and not all of that in TIME-WAIT: of half-open connections, of
	 * TIME-WAIT, and of what was gone when the frame left. */
	bool compact;
	uint16_t service, congestion; /* tag; id of the algorithm */
	uint32_t iss, irs, snd_una, snd_nxt, rcv_nxt, snd_wnd, rcv_wnd, retransmits;
	uint64_t cwnd_bytes, ssthresh_bytes, inflight_bytes; /* ssthresh UINT64_MAX: not yet known */
	uint64_t pacing_bytes_per_s;                         /* 0: not paced */
	int64_t srtt_ns;                                     /* 0: not known */
};

/* Memory of the host's, filled by the stack. */
struct stack_watch {
	struct stack_view in;   /* of the frame that the last stack_input was given */
	struct stack_view *out; /* of the frames of the last stack_output: as many as its `count` */
};

/* From now on every frame's view is told; NULL: none any more. Costs two or three look-ups a frame while it is on. */
void stack_set_watch(struct stack *stack, struct stack_watch *watch);

/* Is there anything for stack_next_ready to report? */
bool stack_has_ready(const struct stack *stack);

/* When stack_advance must be called even if nothing arrives; never in the past after a finished turn. */
struct instant stack_deadline(const struct stack *stack);

/* ---- sockets ------------------------------------------------------------------------------------------------- */

/* generation << 32 | slot. A handle is its holder's from the moment it is returned or reported (READY_ACCEPTED) until
 * the holder calls stack_close or stack_abort, whatever the peer does meanwhile; after that it is stale, and
 * calls with it return -EBADF. */
struct conn_handle {
	uint64_t v;
};
#define CONN_HANDLE_NONE ((struct conn_handle){ 0 })

struct stack_listen_options {
	struct ip_addr address; /* IP_ADDR_ANY: every address of the stack */
	uint16_t port;
	uint16_t service;                          /* tag for the journal and for stack_ready */
	uint32_t backlog;                          /* half-open and not yet taken connections of this listener */
	const struct stack_congestion *congestion; /* NULL: the stack's default */
	const struct stack_tcp_config *tcp;        /* of its connections; copied. NULL: the stack's */
	bool nodelay;                              /* no Nagle */
};

/* Returns 0; -EINVAL; -EADDRINUSE; -EADDRNOTAVAIL not an address of the stack; -ENOSPC listeners_max; -ENOMEM. */
int stack_listen(struct stack *stack, const struct stack_listen_options *options, struct conn_handle *ret_listener);
/* Half-open connections of the listener are reset; those that were accepted live on. */
int stack_unlisten(struct stack *stack, struct conn_handle listener);

struct stack_connect_options {
	struct ip_addr local; /* IP_ADDR_ANY: the stack chooses (RFC 9293 MUST-44) */
	uint16_t local_port;  /* 0: random (RFC 6056) */
	struct ip_addr remote;
	uint16_t remote_port;
	uint16_t service;
	const struct stack_congestion *congestion;
	const struct stack_tcp_config *tcp; /* copied. NULL: the stack's */
	bool nodelay;
	uint64_t user;
};

/* Starts an active open. Returns 0; -EADDRINUSE, -EADDRNOTAVAIL, -ENETUNREACH (no route, broadcast, multicast),
 * -ENOBUFS (limits, journal full), -ENOMEM. The outcome comes as READY_CONNECTED or READY_ERROR. With
 * tcp.fastopen_client, what is sent by stack_send before the next stack_output leaves with the SYN where the peer's
 * cookie is known (RFC 7413): it must be something that may arrive twice. */
int stack_connect(struct stack *stack, const struct stack_connect_options *options, struct conn_handle *ret_conn);

enum stack_ready_flag {
	READY_ACCEPTED = 1,  /* new, from a listener; the first report of its handle */
	READY_CONNECTED = 2, /* the active open has succeeded */
	READY_READABLE = 4,  /* new data to peek at */
	READY_WRITABLE = 8,  /* stack_space gave less than wanted before; now there is room again */
	READY_EOF = 16,      /* the peer has closed its direction: after what can be read now nothing comes */
	READY_ERROR = 32,    /* the connection is dead: cause says why. Close it */
	READY_SENT = 64, /* everything committed, and the FIN if any, has been acknowledged (after stack_shutdown) */
	READY_TROUBLE = 128,    /* R1 is reached: sent again so often, and not acknowledged. It goes on until R2 */
	READY_SOFT_ERROR = 256, /* an ICMP error, which ends nothing: see stack_soft_error */
	READY_URGENT = 512, /* urgent data are announced, or reach further than announced before: see stack_urgent */
};

struct stack_ready {
	struct conn_handle conn;
	uint64_t user; /* as set by stack_set_user; 0 at first */
	uint16_t service;
	uint16_t cause; /* READY_ERROR: enum tcp_cause */
	uint32_t flags;
};

/* The next connection about which there is something new (each fact is reported once). False: none. */
bool stack_next_ready(struct stack *stack, struct stack_ready *ret_ready);

int stack_set_user(struct stack *stack, struct conn_handle conn, uint64_t user);

/* The tunables of a connection, or of a listener and the connections it will accept. What the handshake has agreed
 * on stays as it is; all else takes effect at once, timers that run keep their time. Returns 0; -EBADF; -EINVAL;
 * -ENOMEM. */
int stack_set_tcp(struct stack *stack, struct conn_handle handle, const struct stack_tcp_config *tcp);
/* The stack's own: for active opens and listeners that are given none from now on, and all that is per stack. Returns
 * 0; -EINVAL; -ENOMEM. */
int stack_set_default_tcp(struct stack *stack, const struct stack_tcp_config *tcp);
int stack_get_tcp(const struct stack *stack, struct conn_handle handle, struct stack_tcp_config *ret_tcp);

/* Unread payload, where it lies, as spans; *ret_count is how many. Returns the bytes in these spans (0: none now),
 * or -EBADF. Valid until stack_consume, stack_settle or stack_input. More may follow than iov_max spans reach. */
ssize_t stack_peek(struct stack *stack, struct conn_handle conn, struct iovec *iov, int iov_max, int *ret_count);
/* The first `length` of these bytes are done with; the window opens. More than there are is the caller's bug. */
int stack_consume(struct stack *stack, struct conn_handle conn, size_t length);
/* All that was sent has been read and the peer's FIN arrived. */
bool stack_at_eof(const struct stack *stack, struct conn_handle conn);

/* Room for up to `wanted` bytes to send, to be filled in place. Returns the bytes of room (0: wait for
 * READY_WRITABLE); -EBADF; -EPIPE after stack_shutdown; -ECONNRESET when the connection is dead. Valid until any
 * other call. */
ssize_t stack_space(struct stack *stack, struct conn_handle conn, size_t wanted, struct iovec *iov, int iov_max,
                    int *ret_count);
/* `length` bytes of that room have been filled and are to be sent. What is committed
 * in one turn goes out together. */
int stack_commit(struct stack *stack, struct conn_handle conn, size_t length);
/* space + copy + commit. Returns the bytes taken, perhaps fewer, or as stack_space. */
ssize_t stack_send(struct stack *stack, struct conn_handle conn, const void *bytes, size_t length);

/* Urgent data (RFC 9293 section 3.8.5, RFC 6093) stay where they are in the stream; a pointer says where they end.
 *
 * All that has been committed up to now is urgent. Goes with what is sent from now on, at once; what is in flight
 * already has it only when it is sent again. Returns 0; -EBADF; -EPIPE; -ECONNRESET; -ENODATA when everything has
 * been acknowledged. */
int stack_mark_urgent(struct stack *stack, struct conn_handle conn);
/* stack_send, and what was taken is urgent. */
ssize_t stack_send_urgent(struct stack *stack, struct conn_handle conn, const void *bytes, size_t length);
/* How many bytes from the next unread one on are urgent, those that have not arrived yet included; 0: none. -EBADF.
 */
int64_t stack_urgent(const struct stack *stack, struct conn_handle conn);

/* While corked, a segment that is not full waits for more to be committed; for no longer than a retransmission
 * time-out (MUST-60, MAY-16). Taking the cork out, or stack_shutdown, sends it at once (PUSH, MAY-15). 0 or -EBADF.
 */
int stack_cork(struct stack *stack, struct conn_handle conn, bool corked);
/* Nagle's algorithm off or on (MUST-17). 0 or -EBADF. */
int stack_set_nodelay(struct stack *stack, struct conn_handle conn, bool nodelay);
/* Throws away what has been committed and never been sent (RFC 9293 3.9.1.7, FLUSH). Returns the bytes, or -EBADF. */
ssize_t stack_flush(struct stack *stack, struct conn_handle conn);

/* An ICMP error about the connection's segments that did not end it (RFC 9293 section 3.9.2.2, RFC 5927). */
struct stack_soft_error {
	struct instant at;
	uint32_t count;     /* of such errors so far */
	uint8_t type, code; /* of ICMP, or of ICMPv6 for an IPv6 connection */
	bool hard;          /* would have ended it by RFC 1122; it gets on, or might (RFC 5927 section 4) */
};
/* The latest. Nothing is noted with the policy STACK_ICMP_IGNORE (SHLD-20). 0; -EBADF; -ENOENT there was none. */
int stack_soft_error(const struct stack *stack, struct conn_handle conn, struct stack_soft_error *ret_error);

/* Nothing more will be sent: FIN after what is queued. Reading goes on. */
int stack_shutdown(struct stack *stack, struct conn_handle conn);
/* Lets go of the handle: FIN after what is queued, unless data lies unread or arrives later: then RST (RFC 9293
 * SHLD-3). TCP finishes by itself, within the tunables linger, orphan_timeout and fin_wait_2_timeout; linger 0, or
 * more such connections than orphans_max: RST at once. */
int stack_close(struct stack *stack, struct conn_handle conn);
/* Lets go of the handle with RST. */
int stack_abort(struct stack *stack, struct conn_handle conn);

/* ---- congestion algorithms ------------------------------------------------------------------------------------- */

/* Which algorithm a connection begins with: that of the first rule that fits, else its listener's or
 * stack_connect_options.congestion, else the stack's default. Several arms are an A/B test: one of them is taken by a
 * keyed hash of the five-tuple, as often as its weight has it. */
#define STACK_OUTPUTS_MAX 64 /* named outputs of an algorithm */
#define STACK_RULE_ARMS_MAX 8
struct stack_congestion_rule {
	bool any_service;
	uint16_t service;          /* tag */
	struct stack_address peer; /* a prefix; prefix_bits 0: any peer */
	struct {
		const struct stack_congestion *congestion;
		uint32_t weight; /* 1 to 1000000 */
	} arm[STACK_RULE_ARMS_MAX];
	uint32_t arm_count; /* 0: the rule does not choose, but what follows holds */
	const struct stack_congestion
	        *shadow;              /* sees the same facts, and nobody acts on what it decides; NULL: none */
	struct duration sample_every; /* see stack_samples; 0: no samples */
};

#define STACK_RULES_MAX 256
/* For connections that begin from now on; copied. Returns 0; -EINVAL; -ENOMEM, with everything as before. */
int stack_set_congestion_rules(struct stack *stack, const struct stack_congestion_rule *rules, size_t count);
/* For connections and listeners that are given none from now on. NULL: built-in Reno. */
void stack_set_default_congestion(struct stack *stack, const struct stack_congestion *congestion);
/* Of a listener, for the connections that it will accept; NULL: the stack's default. 0 or -EBADF. */
int stack_set_listener_congestion(struct stack *stack, struct conn_handle listener,
                                  const struct stack_congestion *congestion);

/* What an administrator changes of a live connection. Window and round-trip knowledge are kept. */
struct stack_congestion_change {
	const struct stack_congestion *congestion; /* NULL: stays. The same one: begins anew */
	bool set_shadow, set_samples;              /* else the next two stay as they are */
	const struct stack_congestion *shadow;     /* NULL: none */
	struct duration sample_every;              /* 0: no samples */
};
/* By id. Returns 0; -ENOENT; -EAGAIN its handshake is not complete; -EALREADY it is in TIME-WAIT; -EINVAL the
 * algorithm refused (the connection has the built-in Reno now); -ENOMEM. Walks the tables: linear. */
int stack_admin_congestion(struct stack *stack, uint64_t id, const struct stack_congestion_change *change);

/* Moves connections, listeners, rules and the default from one algorithm to another, a newer version of itself say:
 * with the state where export_state and import_state allow it, else as stack_admin_congestion does. Looks at some
 * thousand records a call; start with *cursor 0, over when it is UINT64_MAX. Returns how many connections it moved.
 */
size_t stack_move_congestion(struct stack *stack, uint64_t *cursor, const struct stack_congestion *from,
                             const struct stack_congestion *to);

/* A point of a connection's time series: taken when something in it has changed, and not sooner than `sample_every`
 * after the last; and once more when the connection ends. */
#define STACK_SAMPLE_OUTPUTS_MAX 8 /* the first of them are kept */
struct stack_sample {
	uint64_t connection_id;
	struct instant at;
	uint16_t congestion, shadow; /* ids; shadow: valid with has_shadow */
	bool has_shadow, last;
	uint8_t ca_state, output_count, shadow_output_count;
	uint32_t cwnd, ssthresh, inflight, snd_wnd, rcv_wnd, retransmits; /* bytes but retransmits; ssthresh
	                                                                     UINT32_MAX: not yet known */
	uint64_t pacing_bytes_per_s, delivery_bytes_per_s, bytes_acked, bytes_received;
	int64_t srtt_ns, rttvar_ns, min_rtt_ns;
	uint32_t shadow_cwnd, shadow_ssthresh;
	uint64_t shadow_pacing_bytes_per_s;
	double output[STACK_SAMPLE_OUTPUTS_MAX], shadow_output[STACK_SAMPLE_OUTPUTS_MAX];
};
/* Takes up to `count` of those that wait, oldest first; returns how many. Few are kept: what is not taken every turn
 * or so is lost and counted (samples_missed). */
size_t stack_samples(struct stack *stack, struct stack_sample *ret_samples, size_t count);

/* What an operator should know of, and no counter tells. */
enum stack_notice_kind {
	STACK_NOTICE_CONGESTION_OFFENCES, /* the algorithm `from` had to be corrected too often: `to` took over */
	STACK_NOTICE_CONGESTION_REFUSED,  /* the algorithm `from` would not begin, or there was no memory: `to` did */
};
enum stack_offence { STACK_OFFENCE_WINDOW = 1, STACK_OFFENCE_PACING = 2, STACK_OFFENCE_TIME = 4 };
struct stack_notice {
	uint32_t kind;
	uint64_t connection_id;
	struct instant at;
	uint16_t from, to; /* ids of congestion algorithms */
	bool shadow;       /* `from` was in shadow, and is gone; nothing else has changed */
	uint32_t offences; /* enum stack_offence, those that were seen */
	uint32_t count;
	uint64_t cwnd_wanted, pacing_wanted; /* the worst of each */
	struct duration longest;             /* callback */
};
/* The next one; false: none. Few are kept; the rest is counted (notices_missed). */
bool stack_next_notice(struct stack *stack, struct stack_notice *ret_notice);

/* ---- looking in ---------------------------------------------------------------------------------------------- */

/* The peer's AccECN options (RFC 9768 section 3.2.3). */
enum stack_accecn_option {
	STACK_ACCECN_OPTION_NONE,    /* none came */
	STACK_ACCECN_OPTION_SEEN,    /* believed */
	STACK_ACCECN_OPTION_MANGLED, /* the first came zeroed: ignored */
};

/* A connection (of any of the three kinds of record) or listener, for listings. Names as `ss` has them. */
struct stack_conn_info {
	uint64_t id;               /* connection_id; 0 for a listener */
	struct conn_handle handle; /* NONE for half-open and TIME_WAIT records */
	struct flow flow;
	uint8_t state; /* enum tcp_state */
	uint8_t shard;
	bool active, compact, sack, timestamps, window_scaling, nodelay, orphan;
	bool fastopen, fastopen_refused;          /* RFC 7413: the SYN's data was taken; had to be sent again */
	uint8_t snd_wscale, rcv_wscale, ca_state; /* ca_state: 0 open, 1 recovery, 2 loss (RTO) */
	uint16_t service;
	const char *congestion;
	const char *shadow; /* NULL: no algorithm in shadow */
	uint16_t congestion_id, shadow_id;
	uint16_t congestion_offences; /* of the algorithm that acts, not counting those that are forgiven */
	/* Named outputs, in the order of the plugin's table */
	uint8_t output_count, shadow_output_count;
	double output[STACK_SAMPLE_OUTPUTS_MAX], shadow_output[STACK_SAMPLE_OUTPUTS_MAX];
	uint64_t shadow_cwnd, shadow_ssthresh, shadow_pacing_rate;
	struct instant opened, last_snd, last_rcv,
	        last_data_rcv; /* 0: never. last_snd: data; last_rcv: what was acceptable */
	struct duration rto, srtt, rttvar, min_rtt, timer_left; /* timer_left: of retransmission; 0 none */
	uint32_t backoff, retrans, retrans_total;
	uint32_t mss, advmss, pmtu;
	uint64_t cwnd, ssthresh, pacing_rate;
	uint64_t bytes_sent, bytes_retrans, bytes_acked, bytes_received;
	uint32_t segs_out, segs_in, data_segs_out, data_segs_in;
	uint32_t unacked, lost, sacked, notsent, recv_q, send_q, rcv_holes; /* bytes, but rcv_holes (ranges) */
	uint32_t snd_wnd, rcv_wnd, rcvbuf, sndbuf, backlog, accept_q;
	uint32_t rcv_ooopack;                                    /* segments that arrived ahead of a hole, so far */
	uint32_t rcv_mss, rcv_space;                             /* rcv_space: read in this round of auto-tuning */
	uint32_t probes, urgent_left;                            /* of window or keepalive, unanswered; bytes */
	uint32_t icmp_errors;                                    /* and the latest, valid when there was one: */
	uint8_t icmp_type, icmp_code, dscp, rcv_dscp;            /* rcv_dscp: of the latest segment */
	struct duration ato, rcv_rtt;                            /* 0: not known */
	struct duration busy_time, rwnd_limited, sndbuf_limited; /* see chrono.h */
	struct duration user_timeout, keepalive_left;            /* 0: none; until the next probe, if it stays idle */
	uint64_t max_pacing_rate;                                /* 0: no limit */
	uint32_t iss, irs, snd_una, snd_nxt, rcv_nxt;
	uint32_t dsack_dups, reord_seen; /* D-SACKs received; times reordering was seen */
	uint32_t total_rto, total_rto_recoveries;
	struct duration total_rto_time; /* spent in repairs after time-outs */
	uint64_t delivery_rate;         /* bytes/s, by the latest sample while something is queued or in flight */
	bool delivery_app_limited;      /* the application, not the network, may have set it */
	uint8_t ecn;                    /* agreed on: 0 nothing, 1 RFC 3168, 2 AccECN (RFC 9768) */
	uint8_t ecn_codepoint;          /* of data sent: 0 not-ECT, 1 ECT(1), 2 ECT(0) */
	bool ecn_seen;                  /* the peer sends ECN-capable packets */
	bool ecn_fallback;     /* ECN was lost or mangled on the path: nothing is sent ECN-capable any more */
	uint8_t accecn_option; /* enum stack_accecn_option */
	uint32_t delivered, delivered_ce; /* packets that arrived at the peer; of these marked, as it says */
	struct duration reo_wnd; /* RACK waits so much longer than a round trip: a segment may be late (RFC 8985) */
	/* AccECN: packets and payload bytes that arrived here marked, and bytes that the peer says did there */
	uint32_t received_ce, received_e0_bytes, received_e1_bytes, received_ce_bytes;
	uint32_t delivered_e0_bytes, delivered_e1_bytes, delivered_ce_bytes; /* modulo 2^24 */
};

/* 0; -EBADF for a stale handle. */
int stack_info(const struct stack *stack, struct conn_handle conn, struct stack_conn_info *ret_info);
/* By connection id, over all kinds of record; -ENOENT. Walks the tables: linear. */
int stack_find(const struct stack *stack, uint64_t id, struct stack_conn_info *ret_info);

/* Resumable walk over listeners, connections, half-open and TIME_WAIT records: fills up to `count` entries, advances
 * *cursor (start with 0), looks at no more than some thousand records a call. Returns the number filled; the walk is
 * over when *cursor is UINT64_MAX. What is born or dies meanwhile may or may not be seen. */
size_t stack_walk(const struct stack *stack, uint64_t *cursor, struct stack_conn_info *ret_infos, size_t count);

/* One connection by id, by an administrator: `abort` ends it at once, with RST where there is a peer to tell; else it
 * is closed as by its service. Returns 0; -ENOENT; without `abort`: -EALREADY for one in TIME-WAIT, which is closed
 * already, and -EAGAIN for one whose handshake is not complete. Walks the tables: linear. */
int stack_admin_close(struct stack *stack, uint64_t id, bool abort);

struct stack_neighbour_info {
	struct ip_addr ip;
	struct mac_addr mac;
	uint8_t state; /* RFC 4861 section 7.3.2: see stack_neighbour_state_name */
	bool resolved;
	struct instant updated;
};
size_t stack_neighbours(const struct stack *stack, struct stack_neighbour_info *ret_infos, size_t count);
const char *stack_neighbour_state_name(unsigned state); /* "incomplete", "reachable", "stale", "delay", "probe" */

/* Our own addresses. */
enum stack_address_state {
	STACK_ADDRESS_TENTATIVE,  /* not used yet: somebody else may have it (RFC 4862 section 5.4) */
	STACK_ADDRESS_PREFERRED,  /* in use */
	STACK_ADDRESS_DEPRECATED, /* still taken, but not chosen for new connections */
	STACK_ADDRESS_DUPLICATE,  /* somebody else has it: not used */
};
enum stack_address_origin { STACK_ADDRESS_CONFIGURED, STACK_ADDRESS_LINK_LOCAL, STACK_ADDRESS_AUTONOMOUS };

struct stack_address_info {
	struct stack_address address;
	uint8_t state, origin;
	struct instant preferred_until, valid_until; /* INSTANT_NEVER: for ever */
};

/* STACK_ADDRESSES_INFO_MAX are enough. Returns the number filled. */
#define STACK_ADDRESSES_INFO_MAX (2 * STACK_ADDRESSES_MAX + 1)
size_t stack_addresses(const struct stack *stack, struct stack_address_info *ret_infos, size_t count);
const char *stack_address_state_name(unsigned state);
const char *stack_address_origin_name(unsigned origin);

/* Default routers, configured and advertised. */
struct stack_router_info {
	struct ip_addr ip;
	bool advertised, failed; /* failed: did not answer when last asked */
	int8_t preference;       /* RFC 4191: -1 low, 0 medium, 1 high */
	struct instant until;    /* INSTANT_NEVER: configured */
};

#define STACK_ROUTERS_INFO_MAX 6
size_t stack_routers(const struct stack *stack, struct stack_router_info *ret_infos, size_t count);

/* What is remembered of the way to a destination. Only destinations about which there is something to remember. */
struct stack_path_info {
	struct ip_addr destination;
	uint32_t pmtu;   /* largest IP packet that ICMP or black-hole detection allow; 0: no limit known */
	bool black_hole; /* the limit was found out; else a router told it */
	bool fragments;  /* DF stays clear: a router wants less than 552 bytes */
	uint32_t probe_low, probe_high; /* RFC 4821: what gets through, and what may; 0: not searched */
	uint32_t too_big, black_holes;  /* reports of routers; times a black hole was found */
	uint32_t probes, probes_lost;
	struct duration age;              /* of the limit */
	uint8_t fastopen_bytes;           /* of the cookie; 0: none */
	uint8_t fastopen_failures;        /* in a row */
	uint16_t fastopen_mss;            /* of the peer's last SYN-ACK */
	struct duration fastopen_blocked; /* Fast Open is not tried for so long; 0: it is */
};
/* The latest used first; returns how many. */
size_t stack_paths(const struct stack *stack, struct stack_path_info *ret_infos, size_t count);

/* Counters that only grow. */
#define STACK_COUNTERS(X)                                                                                            \
	X(frames_in, "frames received")                                                                              \
	X(frames_out, "frames sent")                                                                                 \
	X(bytes_in, "bytes of frames received")                                                                      \
	X(bytes_out, "bytes of frames sent")                                                                         \
	X(segments_in, "TCP segments received (a super-frame counts as one)")                                        \
	X(segments_out, "TCP segments sent (a super-frame counts as one)")                                           \
	X(active_opens, "connections opened from here")                                                              \
	X(passive_opens, "connections accepted")                                                                     \
	X(attempt_fails, "handshakes that failed")                                                                   \
	X(established_resets, "established connections that were reset")                                             \
	X(retransmitted_segments, "segments sent again")                                                             \
	X(retransmission_timeouts, "times the retransmission timer went off")                                        \
	X(fast_recoveries, "times fast recovery began")                                                              \
	X(resets_sent, "RST segments sent")                                                                          \
	X(cookies_sent, "SYN cookies sent")                                                                          \
	X(cookies_received, "valid SYN cookies received")                                                            \
	X(challenge_acks, "challenge ACKs sent")                                                                     \
	X(delayed_acks, "ACKs sent by the delay timer")                                                              \
	X(window_probes, "zero-window probes sent")                                                                  \
	X(keepalive_probes, "keepalive probes sent")                                                                 \
	X(out_of_order, "segments that arrived ahead of a hole")                                                     \
	X(bytes_copied_in, "payload bytes copied because a service left them unread")                                \
	X(arp_requests_out, "ARP requests sent")                                                                     \
	X(neighbour_solicitations_out, "IPv6 neighbour solicitations sent")                                          \
	X(neighbours_refused, "neighbours not asked for or remembered: table full, or asking too often")             \
	X(duplicate_addresses, "own IPv6 addresses found to be in use by somebody else")                             \
	X(address_conflicts, "claims of others to an IPv6 address that is in use here")                              \
	X(icmp_out, "ICMP messages sent")                                                                            \
	X(fragments_in, "IP fragments received")                                                                     \
	X(reassembled, "IP packets made whole from fragments")                                                       \
	X(ecn_classic, "connections that agreed on ECN as in RFC 3168")                                              \
	X(ecn_accurate, "connections that agreed on AccECN (RFC 9768)")                                              \
	X(ecn_fallbacks, "connections that found ECN lost or mangled on their path, and did without")                \
	X(ecn_reductions, "congestion windows reduced because the peer reported marks")                              \
	X(cwnd_validations, "congestion windows halved because half of them was not used for five minutes")          \
	X(ecn_ect_in, "TCP packets received as ECN-capable")                                                         \
	X(ecn_ce_in, "TCP packets received as marked Congestion Experienced")                                        \
	X(congestion_offences,                                                                                       \
	  "decisions of congestion plugins that had to be corrected, and callbacks beyond their time")               \
	X(samples_missed, "points of time series that nobody took in time")                                          \
	X(notices_missed, "notices that nobody took in time")                                                        \
	X(alloc_failures, "times memory was refused")                                                                \
	X(path_mtu_reports, "ICMP messages about packets too big for the path")                                      \
	X(path_mtu_black_holes, "paths found to swallow large packets")                                              \
	X(path_mtu_probes, "segments sent to probe the path's MTU")                                                  \
	X(path_mtu_probes_lost, "of these, lost")                                                                    \
	X(tfo_active, "connections opened from here whose SYN brought data that was taken (RFC 7413)")               \
	X(tfo_active_fail, "the same, but the data had to be sent again")                                            \
	X(tfo_passive, "connections opened by a valid Fast Open cookie")                                             \
	X(tfo_passive_fail, "Fast Open cookies that were not valid")                                                 \
	X(tfo_cookie_requests, "SYNs that asked for a Fast Open cookie")                                             \
	X(tfo_listen_overflow, "valid Fast Open cookies met with too many connections pending")                      \
	X(time_wait_evicted, "TIME_WAIT records cut short by their limit")                                           \
	X(half_open_evicted, "half-open records replaced under load")                                                \
	X(tlp_probes, "tail loss probes sent")                                                                       \
	X(tlp_recoveries, "losses that a tail loss probe has repaired")                                              \
	X(rack_reorderings, "times segments arrived in another order than they were sent in")                        \
	X(dsack_received, "ACKs that reported something received twice")                                             \
	X(dsack_sent, "duplicates reported to peers")                                                                \
	X(spurious_rto, "retransmission time-outs that proved needless")                                             \
	X(undos, "repairs taken back: nothing had been lost")                                                        \
	X(lost_retransmissions, "segments lost again after they had been sent again")                                \
	X(sack_reneges, "times a peer threw away what it had SACKed")

struct stack_counters {
#define STACK_COUNTER_FIELD(name, help) uint64_t name;
	STACK_COUNTERS(STACK_COUNTER_FIELD)
#undef STACK_COUNTER_FIELD
	uint64_t verdict[STACK_VERDICT_COUNT];
	uint64_t transitions[TCPS_STATE_COUNT][TCPS_STATE_COUNT]; /* [from][to] */
};

/* Gauges: what is so now. */
struct stack_gauges {
	uint32_t in_state[TCPS_STATE_COUNT]; /* connections, of all kinds of record, by state; LISTEN: listeners */
	uint32_t connections, half_open, time_wait, neighbours, orphans;
	uint32_t connections_max, half_open_max, time_wait_max;
	uint64_t buffer_bytes, buffer_bytes_max; /* in use; limit */
	uint64_t memory_bytes;                   /* taken from the host in all */
	uint64_t journal_room, journal_reserved; /* in records */
};

const struct stack_counters *stack_get_counters(const struct stack *stack);
void stack_get_gauges(const struct stack *stack, struct stack_gauges *ret_gauges);

/* The daemon stops: listeners go; `abort` false: connections are closed as by their service; true: all that is left
 * is reset with cause DAEMON_STOP, recorded, and the RSTs wait in stack_output. Returns the number still alive. */
size_t stack_stop(struct stack *stack, bool abort);

/* The path or link changed. Takes effect for segments sent from now on. */
void stack_set_offload(struct stack *stack, uint32_t gso_bytes_max, bool checksum_offload);
/* Announces our addresses (gratuitous ARP, RFC 5227 section 3; unsolicited advertisements, RFC 4861 section 7.2.6),
 * and asks for routers: after the link came up. */
void stack_announce(struct stack *stack);
