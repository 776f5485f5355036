#pragma once
/* Dialogues: one stack under test, and a peer that is played by the test, segment by segment, on virtual time.
 *
 *     peer_sends(p, (struct seg){ .flags = TCP_SYN, .seq = 100 });
 *     expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .seq = OURS(0), .ack = 101 });
 *     expect_nothing(p);
 *
 * expect() takes the next frame that the stack sends and compares what is given; at the end of a test peer_stop fails
 * if anything was sent that was not expected, or memory was not given back. Sequence numbers of the stack's side are
 * relative: OURS(n) is ISS + n, once the first segment has been seen. */
#include "core/stack.h"
#include "core/wire/ip.h"
#include "core/wire/tcp.h"
#include "test_memory.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#define PEER_FRAMES_MAX 4096
#define PEER_PORT 40000
#define SERVICE_PORT 7
#define STACK_IP peer_address(2)
#define PEER_IP peer_address(1)

/* A segment as a test writes it. Zero means: the ordinary value, or (expect) not looked at unless said. */
struct seg {
	uint16_t flags;
	uint32_t seq, ack;
	uint32_t length; /* payload, made of peer_pattern(seq) */
	uint32_t window; /* as on the wire; 0: 65535 (send), not compared (expect); WINDOW_ZERO: 0 */
	uint16_t urgent;
	struct tcp_options options;
	bool check_options; /* expect: options must be just these */
	bool exact_options; /* send: really no MSS, over IPv6, too */
	bool has_ack;       /* expect: compare ack although it is 0 */
	bool bad_checksum;
	uint16_t source_port, destination_port; /* 0: PEER_PORT, SERVICE_PORT */
	uint16_t gso_bytes;                     /* send: a super-frame of segments of this size */
	uint8_t ecn; /* of the IP header: 0 not-ECT, 1 ECT(1), 2 ECT(0), 3 CE; expect: always compared */
};

#define WINDOW_ZERO UINT32_MAX
#define OURS(n) (p->iss + (uint32_t)(n))

/* Dialogues run over IPv4, or over IPv6 when TAPSTACK_TEST_FAMILY is 6. Then the MTU is larger by as much as the
 * header is, and a SYN without MSS gets IPv4's default one, so that segments are as large either way. */
bool peer_is_ipv6(void);
/* Host `number` of 192.0.2.0/24, or of 2001:db8::/64. */
struct ip_addr peer_address(uint8_t number);
/* What a test is about exists in IPv4 alone. */
#define PEER_IPV4_ONLY()                                                                                             \
	do {                                                                                                         \
		if (peer_is_ipv6())                                                                                  \
			skip();                                                                                      \
	} while (0)

struct peer_frame {
	uint32_t length, header_bytes;
	uint16_t gso_bytes;
	bool partial_checksum; /* left to the link */
	uint8_t *bytes;
};

struct peer {
	struct stack *stack;
	struct test_memory memory;
	struct instant now;
	struct journal_ring *ring;
	struct conn_handle listener, conn; /* conn: the latest accepted or connected */
	struct stack_ready ready;          /* the latest report */
	unsigned ready_flags;              /* all flags reported and not yet looked at */
	uint32_t iss;                      /* of the stack, from the first segment with SYN */
	struct tcp_segment last;           /* what expect() saw last (payload not valid) */
	struct peer_frame frame[PEER_FRAMES_MAX];
	uint32_t frame_first, frame_count;
	enum stack_verdict verdict; /* of the last frame put in */
	uint32_t journal_seen;
	struct mac_addr mac;
	uint8_t *held[2048]; /* frames put in since the last turn */
	uint32_t held_count;
	bool holds_turn;  /* frames that are sent share a turn, until peer_turn */
	bool answers_arp; /* and neighbour solicitations: these and MLD are not shown to the test; it may turn that
	                     off */
};

/* A stack at 192.0.2.2 (2001:db8::2), listening on SERVICE_PORT; `tweak` may change the configuration first. The
 * peer's MAC is known. */
struct peer *peer_start(void (*tweak)(struct stack_config *config));
/* Fails if something was sent and not expected; resets what is left; checks that all memory and all journal room came
 * back. */
void peer_stop(struct peer *p);
/* As peer_stop, without looking at what was sent. */
void peer_stop_anyhow(struct peer *p);

uint8_t peer_pattern(uint32_t position);

enum stack_verdict peer_sends(struct peer *p, struct seg seg);
/* The same, but the turn goes on: more may follow before the service, timers and output have theirs. */
enum stack_verdict peer_puts(struct peer *p, struct seg seg);
/* An ICMP error of the peer's (or a router's) about a segment of the stack's with this sequence number:
 * "fragmentation needed" or "packet too big" with an MTU, or (0) "port unreachable". The MTU is one of IPv4: over
 * IPv6 it is told larger by the difference of the headers. */
enum stack_verdict peer_reports(struct peer *p, uint16_t stack_port, uint16_t peer_port, uint32_t seq,
                                uint32_t mtu_bytes);
/* Raw bytes as a frame. */
enum stack_verdict peer_puts_frame(struct peer *p, const void *bytes, size_t length);
enum stack_verdict peer_sends_frame(struct peer *p, const void *bytes, size_t length);
/* Turns the crank without input; called by all others. */
void peer_turn(struct peer *p);
/* Time passes, timers fire on the way. */
void peer_waits(struct peer *p, struct duration time);

void expect_segment(struct peer *p, struct seg seg, const char *file, int line);
void expect_silence(struct peer *p, const char *file, int line);
#define expect(p, ...) expect_segment(p, __VA_ARGS__, __FILE__, __LINE__)
#define expect_nothing(p) expect_silence(p, __FILE__, __LINE__)
/* The IP header of a frame that the stack sent; its payload lies in the frame. */
struct ip_packet peer_ip(const struct peer_frame *frame);
/* How often the stack has asked for its neighbours' MACs. */
uint64_t peer_asked(const struct peer *p);
/* Throws away what was sent. */
void peer_ignores_rest(struct peer *p);

/* What the stack tells of p->conn, whose handle must still be held. */
struct stack_conn_info peer_info(struct peer *p);
/* The state of the only connection (of any kind of record); TCPS_CLOSED when there is none. */
enum tcp_state peer_state(struct peer *p);
/* The next journal record must be this transition. */
void expect_journal(struct peer *p, enum tcp_state from, enum tcp_state to, enum tcp_cause cause);
void peer_forgets_journal(struct peer *p);

/* Passive open to ESTABLISHED: peer's ISN 1000 (its next is 1001), no options unless given. */
void peer_establishes(struct peer *p, struct tcp_options options);
/* The service sends `length` bytes of peer_pattern(position from ISS + 1). */
void service_sends(struct peer *p, uint32_t length);
/* The service reads all there is; checks the pattern; returns how much. */
uint32_t service_reads(struct peer *p);
