#pragma once
/* The eleven states of RFC 9293 section 3.3.2 and the causes for which a connection passes from one to another.
 * Pure tables: also used, through stack.h, by the audit, the control plane and the plugins' host. */
#include <stdbool.h>
#include <stdint.h>

enum tcp_state {
	TCPS_CLOSED,
	TCPS_LISTEN,
	TCPS_SYN_SENT,
	TCPS_SYN_RECEIVED,
	TCPS_ESTABLISHED,
	TCPS_FIN_WAIT_1,
	TCPS_FIN_WAIT_2,
	TCPS_CLOSE_WAIT,
	TCPS_CLOSING,
	TCPS_LAST_ACK,
	TCPS_TIME_WAIT,
	TCPS_STATE_COUNT
};

/* name, what happened (one line), where it is specified. Values are stored in databases: append only. */
#define TCP_CAUSES(X)                                                                                                \
	X(NONE, "no cause recorded", "-")                                                                            \
	X(LOCAL_CONNECT, "a local program opened the connection", "RFC 9293 3.9.1.1")                                \
	X(RECEIVED_SYN, "the peer's SYN arrived", "RFC 9293 3.10.7.2")                                               \
	X(RECEIVED_SYN_ACK, "the peer answered our SYN with SYN and ACK", "RFC 9293 3.10.7.3")                       \
	X(RECEIVED_SYN_SIMULTANEOUS, "the peer's SYN crossed ours (simultaneous open)", "RFC 9293 3.5")              \
	X(RECEIVED_ACK_OF_SYN, "the peer acknowledged our SYN", "RFC 9293 3.10.7.4")                                 \
	X(RECEIVED_COOKIE, "an ACK brought back a valid SYN cookie", "RFC 4987 3.6")                                 \
	X(RECEIVED_FIN, "the peer closed its direction", "RFC 9293 3.10.7.4")                                        \
	X(RECEIVED_ACK_OF_FIN, "the peer acknowledged our FIN", "RFC 9293 3.10.7.4")                                 \
	X(RECEIVED_RST, "the peer reset the connection", "RFC 9293 3.10.7.4")                                        \
	X(RECEIVED_RST_REFUSED, "the peer refused the connection with a reset", "RFC 9293 3.10.7.3")                 \
	X(RECEIVED_SYN_IN_TIME_WAIT, "a new SYN took over the port pair", "RFC 6191")                                \
	X(LOCAL_CLOSE, "the local program closed its direction", "RFC 9293 3.9.1.4")                                 \
	X(LOCAL_CLOSE_UNREAD, "the local program closed with data unread", "RFC 9293 3.6.1")                         \
	X(LOCAL_ABORT, "the local program aborted the connection", "RFC 9293 3.9.1.5")                               \
	X(LATE_DATA, "data arrived after the local program had closed", "RFC 9293 3.6.1")                            \
	X(TIMEOUT_SYN, "the handshake was not completed in time", "RFC 9293 3.8.3")                                  \
	X(TIMEOUT_RETRANSMIT, "data stayed unacknowledged through all retransmissions", "RFC 9293 3.8.3")            \
	X(TIMEOUT_ZERO_WINDOW, "window probes were not answered", "RFC 9293 3.8.6.1")                                \
	X(TIMEOUT_USER, "the user timeout passed", "RFC 5482")                                                       \
	X(TIMEOUT_KEEPALIVE, "keepalive probes were not answered", "RFC 9293 3.8.4")                                 \
	X(TIMEOUT_FIN_WAIT_2, "the peer did not close its direction in time", "RFC 9293 3.6")                        \
	X(TIMEOUT_2MSL, "TIME-WAIT ended after two segment lifetimes", "RFC 9293 3.6.1")                             \
	X(EVICTED_TIME_WAIT, "TIME-WAIT was cut short by its limit", "RFC 9293 3.6.1")                               \
	X(EVICTED_HALF_OPEN, "the half-open record was replaced under load", "RFC 4987 3.3")                         \
	X(ADMIN_CLOSE, "an administrator closed the connection", "-")                                                \
	X(ADMIN_ABORT, "an administrator aborted the connection", "-")                                               \
	X(ICMP_HARD_ERROR, "ICMP said that the peer cannot be reached", "RFC 5927 5.2")                              \
	X(OUT_OF_MEMORY, "buffers ran short while the peer kept its window shut", "RFC 6429 3")                      \
	X(LISTENER_CLOSED, "the service stopped listening before the connection was accepted", "-")                  \
	X(DAEMON_STOP, "the daemon stopped", "-")                                                                    \
	X(DAEMON_CRASH, "the daemon died; found at its next start", "-")                                             \
	X(LOCAL_LINGER, "the local program closed and would not wait for what was unacknowledged", "RFC 9293 3.6.1") \
	X(TIMEOUT_LINGER, "not all was acknowledged within the linger time", "RFC 9293 3.6.1")                       \
	X(TIMEOUT_ORPHAN, "no local program was left, and the peer acknowledged nothing in time", "RFC 9293 3.6.1")  \
	X(TOO_MANY_ORPHANS, "too many connections were left by their programs", "-")                                 \
	X(ECN_CONFLICT, "the peer's SYN came again and asked for another kind of ECN", "RFC 9768 3.1.5")

enum tcp_cause {
#define TCP_CAUSE_ENUM(name, meaning, section) CAUSE_##name,
	TCP_CAUSES(TCP_CAUSE_ENUM)
#undef TCP_CAUSE_ENUM
	        TCP_CAUSE_COUNT
};

/* "ESTABLISHED", "FIN-WAIT-1": the RFC's spelling; "?" for a value out of range. */
const char *tcp_state_name(unsigned state);
/* "RECEIVED_FIN"; "?" out of range. And its one-line meaning, and its section. */
const char *tcp_cause_name(unsigned cause);
const char *tcp_cause_meaning(unsigned cause);
const char *tcp_cause_section(unsigned cause);

/* May a connection pass from one state to the other? The diagram of RFC 9293 section 3.3.2 with the edges the text
 * adds (abort and time-out from anywhere). */
bool tcp_state_edge_allowed(unsigned from, unsigned to);

/* The most transitions that a connection in this state can still make until it is gone: none from CLOSED, which is
 * where it is gone. One that is about to be opened can make 1 + that of its first state. */
unsigned tcp_state_transitions_left(unsigned state);
