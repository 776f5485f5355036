#pragma once
/* The protocol machine from inside: the stack, and what its files offer each other; the records are in records.h.
 * Nobody outside daemon/core includes this; stack.h is the public face. */
#include "core/base/assert.h"
#include "core/base/random.h"
#include "core/net/net.h"
#include "core/net/path.h"
#include "core/tcp/algorithm.h"
#include "core/tcp/records.h"
#include "core/wire/ethernet.h"
#include "core/wire/icmp.h"
#include "core/wire/ipv4.h"
#include "core/wire/tcp.h"

/* ---- the stack ----------------------------------------------------------------------------------------------- */

#define RAW_INLINE_BYTES 128
#define RAW_FRAMES 1024
#define RAW_BLOCKS_MAX 256 /* echo replies must not eat the connections' buffers */
#define SPANS_PER_TURN 256
#define EMITTED_BLOCKS_MAX 64
#define LISTENER_BUCKETS 256
#define NEIGHBOUR_PENDING_MAX 4

/* A small frame of its own, outside any connection: ARP, ICMP, RST, SYN-ACK, ACK from TIME-WAIT. Headers and all
 * but the Ethernet destination are ready; a larger payload lies in a block. */
struct raw_frame {
	struct ip_addr destination; /* IP_ADDR_ANY: the Ethernet header is complete */
	uint16_t length;            /* of all */
	uint16_t inline_bytes;      /* the rest is in `block` */
	uint8_t *block;
	/* For who watches, of a segment that was made while somebody did: its connection, 0 none, in this state then
	 */
	bool is_segment;
	uint8_t state;
	uint64_t connection_id;
	uint8_t bytes[RAW_INLINE_BYTES];
};

struct raw_queue {
	struct raw_frame *frame; /* ring of RAW_FRAMES */
	uint32_t head, tail;
	uint32_t blocks; /* taken for raw frames, wherever these are now */
};

/* RFC 4861 section 7.3.2, for both families. */
enum neighbour_state {
	NEIGHBOUR_INCOMPLETE, /* asked for, no answer yet */
	NEIGHBOUR_REACHABLE,  /* has answered not long ago */
	NEIGHBOUR_STALE,      /* known, and not used since */
	NEIGHBOUR_DELAY,      /* used again: TCP may soon tell that it is there */
	NEIGHBOUR_PROBE,      /* it did not; asked again */
};

#define NEIGHBOUR_BUCKETS 1024

struct neighbour {
	struct pool_head head;
	struct ip_addr ip;
	struct mac_addr mac;
	uint8_t state, tries, pending_count;
	struct instant updated; /* by an answer, or made */
	struct timer timer;
	uint32_t next_slot;        /* hash bucket */
	struct raw_frame *pending; /* NEIGHBOUR_PENDING_MAX of them, allocated with the first */
};

struct fragment_packet;

struct stack {
	struct stack_config config;
	struct memory host_memory;
	struct memory memory; /* counts into memory_bytes, and refusals */
	uint64_t memory_bytes;
	struct instant now;

	struct hash_key flow_key, isn_key, cookie_key, timestamp_key, port_key, fastopen_key;
	struct flow timestamp_flow; /* the latest that secrets_timestamp_offset was asked for; its answer */
	uint32_t timestamp_offset;
	struct random_source random;
	uint64_t next_id;

	struct pool conns, half_opens, time_waits, listeners, sents, receive_queues, send_queues, hole_sets, extras,
	        profiles;
	const struct stack_tcp_config *tcp; /* profile of config.tcp */
	struct block_pool blocks;

	uint32_t *buckets;
	uint32_t bucket_mask;
	struct conn *last_conn; /* found last: bulk traffic hits it */

	uint32_t listener_bucket[LISTENER_BUCKETS];

	struct wheel conn_wheel, half_open_wheel, neighbour_wheel;
	uint32_t time_wait_oldest, time_wait_newest;

	struct conn *output_first, *output_last;
	struct conn *ready_first, *ready_last;
	struct conn *settle_first;
	struct span spans[SPANS_PER_TURN];
	uint32_t spans_used;
	struct raw_queue raw;
	uint8_t *emitted_block[EMITTED_BLOCKS_MAX]; /* of raw frames handed out; given back at the next call */
	uint32_t emitted_count;
	uint32_t blocked_on_neighbour; /* connections; an upper bound */
	uint32_t orphans;              /* connections with CONN_ORPHAN */

	struct path_cache paths;
	struct fastopen_pending fastopen;
	struct rules rules;
	uint32_t callbacks_untimed; /* so many of congestion algorithms more, until one is timed again */
	struct sample_queue samples;
	struct notice_queue notices;

	struct pool neighbours;
	uint32_t neighbour_bucket[NEIGHBOUR_BUCKETS];
	struct neighbour *hop_neighbour; /* next hop of hop_destination; NULL: to be looked up */
	struct ip_addr hop_destination;
	uint32_t neighbours_incomplete;
	uint32_t neighbours_unsure;           /* in DELAY or PROBE: news of them is welcome */
	struct instant neighbour_evict_at[2]; /* not before then can one be pushed out; [1]: one without an answer */
	struct own_address own[OWN_ADDRESSES_MAX];
	uint32_t own_count;
	struct net6 net6;
	struct fragment_packet *fragments;      /* waiting to be whole, oldest first */
	struct fragment_packet *fragments_done; /* whole, read in place until the end of the turn */
	uint32_t fragment_bytes;

	struct instant cookie_sent_at;
	uint32_t icmp_tokens;
	struct instant icmp_tokens_at;
	uint64_t journal_reserved;

	struct stack_watch *watch; /* the host's; NULL: nobody watches */
	struct stack_counters counters;
	uint32_t in_state[TCPS_STATE_COUNT];
};

/* What arrives, with what the IP layer knows about it. */
struct arrival {
	struct flow flow; /* local: its destination */
	struct tcp_segment seg;
	uint16_t segment_bytes; /* payload of one of its segments: less than all of it in a super-frame */
	uint8_t tos;            /* DSCP << 2 | ECN, of the IP header */
	bool covers_edge;       /* set by step 1: its timestamp is the one to echo, if its ACK is acceptable */
	seq_t urgent_end;       /* where the urgent pointer points */
};

/* ---- watch.c: what the stack thinks of frames ------------------------------------------------------------------ */

/* While somebody watches: a frame is about to be looked at; has been. */
void watch_begins(struct stack *stack);
void watch_judged(struct stack *stack, enum stack_verdict verdict);
/* The frame has a segment of this flow, or is an error about one. Nothing has been done about it yet. */
void watch_arrives(struct stack *stack, const struct flow *flow);
/* While somebody watches: of a segment that a connection sends, of one that was queued as a raw frame; and what is
 * known of that when it leaves. */
void watch_sent(const struct conn *conn, uint8_t state_before, struct stack_view *ret_view);
void watch_reply(struct stack *stack, const struct flow *flow, struct raw_frame *frame);
void watch_emitted(struct stack *stack, const struct raw_frame *frame, struct stack_view *ret_view);

/* ---- transition.c: the only writer of states ------------------------------------------------------------------- */

/* Passes `conn` to another state: checks the edge, writes the journal record, moves the gauges. */
void connection_set_state(struct stack *stack, struct conn *conn, enum tcp_state to, enum tcp_cause cause);
/* `conn` goes on where the compact record stands: in SYN-RECEIVED. No transition, no record. */
void connection_take_over(struct conn *conn, const struct half_open *half);
/* The same as connection_set_state for compact records, whose state is their kind. */
void half_open_born(struct stack *stack, struct half_open *half, enum tcp_cause cause);
void half_open_gone(struct stack *stack, struct half_open *half, enum tcp_cause cause);
void time_wait_gone(struct stack *stack, struct time_wait *tw, enum tcp_cause cause);
/* Is there room in the journal for every transition of a connection that starts in `state`? */
bool journal_admits(const struct stack *stack, enum tcp_state state);

/* ---- demux.c: the flow table ----------------------------------------------------------------------------------- */

int demux_init(struct stack *stack);
void demux_insert(struct stack *stack, struct flow_node *node, enum record_kind kind);
void demux_remove(struct stack *stack, struct flow_node *node, enum record_kind kind);
/* The record of a flow; NULL: none. */
struct flow_node *demux_find(struct stack *stack, const struct flow *flow, enum record_kind *ret_kind);
struct listener *demux_listener(struct stack *stack, const struct ip_addr *local, uint16_t port);

/* ---- secrets.c: what nobody outside may guess -------------------------------------------------------------------
 */

/* RFC 6528: a clock of 4 us plus a keyed hash of the flow. */
seq_t secrets_isn(struct stack *stack, const struct flow *flow);
/* Added to the millisecond clock of a flow's timestamps (RFC 7323 section 7.1). */
uint32_t secrets_timestamp_offset(struct stack *stack, const struct flow *flow);
/* SYN cookies (RFC 4987): the ISN to answer with, and what an ACK of it proves. `told`: what else must come back as
 * it was told. */
seq_t secrets_cookie(struct stack *stack, const struct flow *flow, seq_t irs, uint16_t peer_mss, uint32_t told);
bool secrets_cookie_check(struct stack *stack, const struct flow *flow, seq_t irs, seq_t iss, uint32_t told,
                          uint16_t *ret_mss);
/* Could it be a cookie at all that was given out lately? True for three in 32 of all numbers. */
bool secrets_cookie_is_current(const struct stack *stack, seq_t iss);
/* RFC 7413 section 4.1.2: the cookie of a client. The key changes each day; age 0: by the key of today, 1: of
 * yesterday. */
uint64_t secrets_fastopen_cookie(const struct stack *stack, const struct ip_addr *client, unsigned age);
/* A free ephemeral port (RFC 6056 section 3.3.3); 0: none left. */
uint16_t secrets_port(struct stack *stack, struct flow *flow);

/* ---- arrive*.c: SEGMENT ARRIVES, RFC 9293 section 3.10.7 ----------------------------------------------------------
 */

enum { CONTINUE = -1 }; /* a step's result when the next one is to run; else an enum stack_verdict */

enum stack_verdict tcp_arrives(struct stack *stack, struct arrival *in);
enum stack_verdict arrive_closed(struct stack *stack, const struct arrival *in);
enum stack_verdict arrive_listen(struct stack *stack, struct listener *listener, struct arrival *in, seq_t iss_above,
                                 bool has_iss_above);
enum stack_verdict arrive_half_open(struct stack *stack, struct half_open *half, struct arrival *in);
enum stack_verdict arrive_syn_sent(struct stack *stack, struct conn *conn, struct arrival *in);
enum stack_verdict arrive_synchronized(struct stack *stack, struct conn *conn, struct arrival *in);
enum stack_verdict arrive_time_wait(struct stack *stack, struct time_wait *tw, struct arrival *in);
int step5_ack(struct stack *stack, struct conn *conn, struct arrival *in);  /* ack.c */
int step7_text(struct stack *stack, struct conn *conn, struct arrival *in); /* text.c */
int step8_fin(struct stack *stack, struct conn *conn, struct arrival *in);

/* ---- conn.c: birth, lists and death ------------------------------------------------------------------------------
 */

/* A connection with all defaults, not yet in the flow table; NULL: limit or memory. */
struct conn *conn_new(struct stack *stack, const struct flow *flow, const struct stack_congestion *congestion,
                      const struct stack_tcp_config *tcp);
/* The MSS to offer (RFC 9293 3.7.1): what the MTU and the tunables allow. */
uint16_t conn_mss_offer(const struct stack *stack, const struct stack_tcp_config *tcp, const struct flow *flow);
/* The peer's when it gave none: 536, or 1220 over IPv6 (RFC 9293 MUST-15). */
uint16_t conn_mss_default(const struct flow *flow);
/* What the handshake agreed on becomes effective: MSS, windows, congestion control. */
void conn_agree(struct stack *stack, struct conn *conn, const struct tcp_agreed *agreed);
/* It is over: state CLOSED with `cause`; tells the service, or frees it when there is none. */
void conn_end(struct stack *stack, struct conn *conn, enum tcp_cause cause);
/* RST to the peer, then conn_end. */
void conn_reset(struct stack *stack, struct conn *conn, enum tcp_cause cause);
/* Passes to TIME-WAIT; to a compact record as soon as no service needs the connection. */
void conn_time_wait(struct stack *stack, struct conn *conn, enum tcp_cause cause);
void conn_compact_time_wait(struct stack *stack, struct conn *conn);
void conn_free(struct stack *stack, struct conn *conn);
void conn_want_output(struct stack *stack, struct conn *conn);
void conn_tell(struct stack *stack, struct conn *conn, unsigned ready_flags);
/* Arms the wheel for the earliest due; lazily: a timer that is set too early stays. */
void conn_arm(struct stack *stack, struct conn *conn);
struct conn *conn_find(const struct stack *stack, struct conn_handle handle);
/* Listeners and connections are in pools of their own, with slots of the same numbers; this tells their handles
 * apart.
 */
struct conn_handle listener_handle(const struct listener *listener);
struct listener *listener_find(const struct stack *stack, struct conn_handle handle);
/* Frees a dead connection once it is on no list. */
void conn_left_list(struct stack *stack, struct conn *conn, enum conn_flag list);
struct send_queue *conn_tx(struct stack *stack, struct conn *conn); /* made when missing; NULL: no memory */
struct receive_queue *conn_rx(struct stack *stack, struct conn *conn);
struct conn_extra *conn_extra(struct stack *stack, struct conn *conn); /* NULL: no memory */
void conn_release_idle_queues(struct stack *stack, struct conn *conn); /* gives empty ones back */

/* ---- recovery.c: losses and their repair ----------------------------------------------------------------------- */

/* What an ACK tells besides what it delivers. */
struct ack_facts {
	bool advances;  /* SND.UNA has moved */
	bool duplicate; /* RFC 5681 section 2 */
	bool bare;      /* it neither advances nor SACKs, and carries nothing */
	bool dsack;     /* `twice` has been received twice */
	bool has_echo;  /* the timestamp clock showed echo_ms when that was sent which the peer answers to */
	uint32_t echo_ms;
	struct tcp_sack_block twice;
	int64_t rtt_ns; /* sample; -1: none */
};

/* After SND.UNA and the scoreboard have been brought up to date. */
void recovery_on_ack(struct stack *stack, struct conn *conn, const struct ack_facts *ack, struct sent_news *news);
/* The retransmission timer went off, with something in flight. */
void recovery_timeout(struct stack *stack, struct conn *conn);
/* The timers of RACK and TLP. */
void recovery_timers(struct stack *stack, struct conn *conn);
/* [start, end) goes out now, for the first time or again. */
void recovery_sent(struct stack *stack, struct conn *conn, seq_t start, seq_t end, bool again);
/* The tail is being probed by a segment that ends at SND.NXT. False: no memory to remember it. */
bool recovery_probes_tail(struct stack *stack, struct conn *conn, bool again);
/* How many bytes congestion control lets out now. */
uint32_t recovery_room(const struct conn *conn);
/* (Re)schedules a probe of the tail, where there is to be one. */
void recovery_schedule_probe(struct stack *stack, struct conn *conn);
/* [start, end) has arrived, and had been here before: to be reported (RFC 2883). */
void recovery_note_duplicate(struct stack *stack, struct conn *conn, seq_t start, seq_t end);

/* ---- socket.c, closing.c: the service's calls
 * --------------------------------------------------------------------------------
 */

/* No more from here: FIN after what is queued (RFC 9293 3.9.1.4). */
void conn_shutdown(struct stack *stack, struct conn *conn, enum tcp_cause cause);
/* No service holds it any more. */
void conn_orphan(struct stack *stack, struct conn *conn);
/* Reports READY_WRITABLE when it is waited for and there is room again. */
void send_tell_space(struct stack *stack, struct conn *conn);

/* ---- half_open.c, time_wait.c
 * -------------------------------------------------------------------------------------- */

/* May a handshake with this listener begin? VERDICT_ACCEPTED; VERDICT_COOKIE_SENT: only by a cookie; else why not. */
enum stack_verdict half_open_admits(const struct stack *stack, const struct listener *listener);
/* RFC 7323 section 2.3: the shift of the windows that we send. */
uint8_t window_scale(const struct stack_tcp_config *tcp);
void half_open_send_syn_ack(struct stack *stack, struct half_open *half);
void half_open_free(struct stack *stack, struct half_open *half);
/* The window that a SYN-ACK offers; never scaled: RFC 7323 section 2.2. */
uint16_t half_open_window(const struct stack_tcp_config *tcp);
/* A connection in SYN-RECEIVED with all that the handshake told so far, not in the flow table and without a journal
 * record of its own. NULL: limit or memory. */
struct conn *half_open_establish(struct stack *stack, struct listener *listener, const struct half_open *half);
/* `conn` is there: known to the flow table, and announced to the listener's service. */
void half_open_announce(struct stack *stack, struct listener *listener, struct conn *conn);
void half_open_timers(struct stack *stack, int *budget);
/* The handshake is complete: a connection in ESTABLISHED takes the record's place. NULL: *ret_verdict says why not,
 * and the record stays. */
struct conn *half_open_promote(struct stack *stack, struct half_open *half, enum stack_verdict *ret_verdict);
struct duration time_wait_length(const struct stack *stack);
/* The length may have changed: none waits for longer than a new one would. Linear in those that would. */
void time_wait_shorten(struct stack *stack);
void time_wait_insert(struct stack *stack, const struct conn *conn);
/* What a new incarnation of a connection in TIME-WAIT must differ from. */
struct time_wait_past {
	seq_t rcv_nxt;
	uint32_t ts_recent;
	bool timestamps;
};
/* The listener that the segment begins a new incarnation with (RFC 6191); NULL: it does not. */
struct listener *time_wait_taken_over(struct stack *stack, const struct time_wait_past *past,
                                      const struct arrival *in);
void time_wait_free(struct stack *stack, struct time_wait *tw);
void time_wait_timers(struct stack *stack, int *budget);

/* ---- urgent.c: urgent data (RFC 9293 section 3.8.5, RFC 6093), in line
 * ----------------------------------------------------------------------------------- */

/* The peer says where its urgent data end: RCV.UP, which only moves on. */
void urgent_arrives(struct stack *stack, struct conn *conn, seq_t up);
/* The service has read up to rx->read, or the peer's FIN has arrived: what was urgent may be over. */
void urgent_settle(struct conn *conn);
/* SND.UP is acknowledged: nothing is urgent any more. */
void urgent_acked(struct conn *conn);
/* Does a segment that begins at `seq` have to point at urgent data? Then its pointer. */
bool urgent_pointer(const struct conn *conn, seq_t seq, uint16_t *ret_pointer);

/* ---- unreachable.c: ICMP errors about connections (RFC 5927)
 * ----------------------------------------------------------------------------------- */

struct icmp_news;

/* An error about a segment of this record's flow, which may end it. Returns the verdict. */
enum stack_verdict unreachable_conn(struct stack *stack, struct conn *conn, const struct icmp_news *news);
enum stack_verdict unreachable_half_open(struct stack *stack, struct half_open *half, const struct icmp_news *news);

/* ---- receive.c: buffers, windows
 * ----------------------------------------------------------------------------------- */

/* Are seven eighths of the buffers taken? Then windows stay small, and who waits for a closed one has little time. */
bool buffers_are_short(const struct stack *stack);
/* Unread in-order bytes. */
uint32_t receive_unread(const struct conn *conn);
/* Takes in-order payload at rcv_nxt, which moves on (over what was waiting beyond, too): in place, or copied.
 * False: no memory, nothing taken. */
bool receive_in_order(struct stack *stack, struct conn *conn, const uint8_t *bytes, uint32_t length);
/* Keeps payload ahead of rcv_nxt. False: no room for it. */
bool receive_out_of_order(struct stack *stack, struct conn *conn, seq_t at, const uint8_t *bytes, uint32_t length);
/* The peer's FIN has been taken: what it sent beyond that, against its own word, is thrown away. */
void receive_ends(struct stack *stack, struct conn *conn);
/* What is held beyond holes, for an ACK: RFC 2018 section 4, the block with the latest arrival first, then those
 * reported most recently. Nothing where SACK was not agreed on. */
void receive_sack_blocks(const struct conn *conn, struct tcp_options *options);
/* Copies spans to the strip. False: memory ran out; rcv_nxt was moved back to what is held. */
bool receive_settle(struct stack *stack, struct conn *conn);
/* Right edge to advertise now; never left of the one advertised before (SHLD-14). */
seq_t receive_window_edge(struct stack *stack, struct conn *conn);
/* The service has read; sends a window update when it is worth one. */
void receive_consumed(struct stack *stack, struct conn *conn, uint32_t length);
void receive_clear(struct stack *stack, struct conn *conn);

/* ---- congestion.c: what congestion algorithms are told
 * -------------------------------------------------------------------------- */

/* RFC 6928 section 2, and one segment when the handshake has lost one (RFC 5681 section 3.1). */
uint32_t congestion_initial_window(const struct conn *conn);
/* The retransmission timer went off again: down to one segment, which no algorithm is asked about. */
void congestion_timeout_again(struct conn *conn);
void congestion_init(struct stack *stack, struct conn *conn); /* algorithm.c */
void congestion_done(struct stack *stack, struct conn *conn);
/* An ACK tells of so much; what follows from it is found out now, and told by congestion_on_ack at last. */
void congestion_delivered(struct conn *conn, uint32_t bytes);
void congestion_on_ack(struct stack *stack, struct conn *conn, const struct tcp_segment *seg,
                       const struct sent_news *news, int64_t rtt_ns, uint64_t inflight_before);
void congestion_event(struct stack *stack, struct conn *conn, enum tapstack_cc_event event);
/* A loss that is known only now that this ACK of `acked_bytes` has come: the flight was so much larger. */
void congestion_lost_before(struct stack *stack, struct conn *conn, uint32_t acked_bytes);
void congestion_on_sent(struct stack *stack, struct conn *conn, uint32_t bytes);
/* sent_news.on_lost, for whatever marks losses that tell of congestion; the witness is a struct loss_witness. */
struct loss_witness {
	struct stack *stack;
	struct conn *conn;
};
void congestion_lost(void *witness, const struct sent *entry);
/* New data is about to be sent while nothing is in flight: what has been idle for long begins anew (RFC 5681 section
 * 4.1), and what was not in use for long is given up (RFC 7661). */
void congestion_resume(struct stack *stack, struct conn *conn);
/* Must data wait, because of pacing or of marks that a window of one segment can't answer (RFC 3168 6.1.2)? */
bool congestion_holds(const struct stack *stack, const struct conn *conn);
/* What may leave at once. */
uint32_t congestion_burst(const struct conn *conn);
/* The rate in force, of the algorithm or of the tunables; 0: no pacing. */
uint64_t congestion_pacing(const struct conn *conn);
/* `entry` has just been sent. */
void congestion_snapshot(struct stack *stack, struct conn *conn, struct sent *entry);
/* Nothing more goes out now. */
void congestion_nothing_to_send(struct conn *conn);
/* Known to have arrived at the peer, in all. */
uint64_t congestion_delivered_total(const struct conn *conn);
/* RFC 6675 "pipe": bytes believed to be in the network. */
uint32_t congestion_pipe(const struct conn *conn);

/* ---- output.c, reply.c, timers.c
 * -------------------------------------------------------------------------------------- */

/* The next frame of the connection. False: nothing to send now. */
bool output_next(struct stack *stack, struct conn *conn, struct frame_out *frame);
/* (Re)starts or stops the retransmission timer by what is in flight. */
void output_restart_timer(struct stack *stack, struct conn *conn);
/* Fills IP and Ethernet headers for a TCP segment; false: next hop not resolved yet. */
uint32_t tcp_clock_ms(const struct stack *stack);

/* A segment outside (or on behalf of) any connection, as a raw frame. */
void reply_segment(struct stack *stack, const struct stack_tcp_config *tcp, const struct flow *flow,
                   const struct tcp_segment *segment);
/* TTL and DSCP of an answer for which there is no connection (any more) to say: as the listener on its port has them,
 * or else the stack. */
const struct stack_tcp_config *reply_tunables(struct stack *stack, const struct flow *flow);
/* RST in answer to a segment without a connection (RFC 9293 3.10.7.1). */
void reply_reset(struct stack *stack, const struct arrival *in);
/* RST on behalf of a connection. */
void reply_reset_conn(struct stack *stack, const struct conn *conn);
/* May one more such answer go out? Counts it. */
bool reply_allowed(struct stack *stack, struct challenge_limit *limit);
/* <SEQ=SND.NXT><ACK=RCV.NXT><CTL=ACK>, at once; what is due to be acknowledged stays due. */
void reply_ack(struct stack *stack, const struct conn *conn);
/* The same, rate-limited per connection (RFC 5961 section 7). */
enum stack_verdict reply_challenge(struct stack *stack, struct conn *conn);
/* <SEQ=SND.NXT-1>, which the peer must answer (RFC 9293 3.8.4); with an octet of garbage for one that answers only
 * what it has to acknowledge. */
void reply_keepalive(struct stack *stack, struct conn *conn, bool garbage);
/* With these flags for ECN. */
enum stack_verdict reply_challenge_flags(struct stack *stack, struct conn *conn, uint16_t ecn_flags);

void timers_fire(struct stack *stack, struct conn *conn);

/* ---- patience.c: how long a connection waits for a peer that says nothing
 * ------------------------------------------------------------------------------------------------ */

/* What limits the waiting has changed (a state, a tunable, the service is gone), or a waiting begins. */
void patience_arm(struct stack *stack, struct conn *conn);
/* idle_due has come. */
void patience_fire(struct stack *stack, struct conn *conn);
/* One more retransmission has timed out: from R1 on (RFC 9293 3.8.3) the service and the way to the peer are told. */
void patience_retransmitted(struct stack *stack, struct conn *conn);
/* The user timeout in force; 0: none but R2. */
struct duration patience_user_timeout(const struct conn *conn);
/* Until the next keepalive probe if nothing arrives; 0: none is to be sent. */
struct duration patience_keepalive_left(const struct stack *stack, const struct conn *conn);
/* The user timeout option (RFC 5482): what to say, if anything, and what the peer has said. */
void patience_fill_option(const struct stack_tcp_config *tcp, struct tcp_options *options);
void patience_take_option(struct stack *stack, struct conn *conn, const struct tcp_options *options);

/* ---- profile.c: tunables
 * ---------------------------------------------------------------------------------------------- */

/* A profile with these tunables, shared where there is one already; the caller holds it until profile_put. NULL: no
 * memory.
 */
const struct stack_tcp_config *profile_get(struct stack *stack, const struct stack_tcp_config *tcp);
/* One holder more of the profile that `tcp` lies in. */
const struct stack_tcp_config *profile_share(const struct stack_tcp_config *tcp);
void profile_put(struct stack *stack, const struct stack_tcp_config *tcp);

/* ---- net/: below TCP
 * ---------------------------------------------------------------------------------------------------- */

/* An IPv4 packet; `to_group`: in a frame that was not for this host alone. */
enum stack_verdict ip_arrives(struct stack *stack, const struct frame_in *frame, const uint8_t *packet, size_t length,
                              bool to_group);
enum stack_verdict arp_arrives(struct stack *stack, const uint8_t *packet, size_t length);
enum stack_verdict icmp_arrives(struct stack *stack, const struct ip_packet *ip);
/* An ICMP error about a packet, where RFC 1122 section 3.2.2 allows one; it is quoted as RFC 1812 4.3.2.3 says.
 * Rate-limited. */
void icmp_error(struct stack *stack, const struct ip_packet *ip, uint8_t type, uint8_t code);
/* Sends `bytes` bytes of payload (copied) in an IP packet, in fragments where the MTU asks for it. */
void ip_send(struct stack *stack, const struct ip_packet *header, const uint8_t *payload, uint32_t bytes);
/* A fragment: verdict, and the whole packet in *ret_whole (valid until the next call) once it is complete. */
enum stack_verdict fragment_arrives(struct stack *stack, const struct ip_packet *ip, struct ip_packet *ret_whole);
void fragment_timers(struct stack *stack);
struct instant fragment_deadline(const struct stack *stack);
/* The turn is over: whole packets are not read any more. */
void fragment_settle(struct stack *stack);
void fragment_clear(struct stack *stack);

/* What the IP header of a segment says besides addresses and length. */
struct ip_service {
	uint8_t tos, ttl;
	bool dont_fragment;
};

/* Bytes of the Ethernet and IP headers before a segment of this flow. */
uint32_t ip_headers_bytes(const struct flow *flow);
/* Writes them for a TCP segment of `payload_bytes`; mac NULL: the destination is filled in later. */
void ip_write_headers(struct stack *stack, uint8_t *out, const struct mac_addr *mac, const struct flow *flow,
                      const struct ip_service *service, uint32_t payload_bytes);

bool ip_is_local(const struct stack *stack, const struct ip_addr *ip);
bool ip_is_unicast(const struct stack *stack, const struct ip_addr *ip);
/* Source address for a destination (RFC 9293 MUST-44); false: no route. */
bool ip_route(const struct stack *stack, const struct ip_addr *destination, struct ip_addr *ret_source,
              struct ip_addr *ret_next_hop);

/* The next hop's MAC. False: being resolved (or no route), try again later. */
bool neighbour_resolve(struct stack *stack, const struct ip_addr *destination, struct mac_addr *ret_mac);
/* What is sent there is not acknowledged (RFC 9293 MUST-20, RFC 1122 3.3.1.4): is the next hop still alive? */
void neighbour_doubt(struct stack *stack, const struct ip_addr *destination);
/* Keeps a raw frame until its destination is resolved; takes over its block. */
void neighbour_hold(struct stack *stack, const struct raw_frame *frame);
void neighbour_timers(struct stack *stack, int *budget);
void neighbour_clear(struct stack *stack);

/* Room for a raw frame; NULL: the queue is full. The caller fills it and calls raw_push. */
struct raw_frame *raw_slot(struct stack *stack);
void raw_push(struct stack *stack);
/* The same in front of all others, pushed already: for what has waited longer than they have. */
struct raw_frame *raw_front(struct stack *stack);
/* A block for a raw frame's payload, from the connections' pool but under a limit of its own; NULL: none. */
uint8_t *raw_block_get(struct stack *stack);
void raw_block_put(struct stack *stack, uint8_t *block);

#define COUNT(stack, name) ((stack)->counters.name++)
