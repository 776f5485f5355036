/* tapstack/control.h: what the daemon's control socket and its clients share: names, limits, and the table of fields
 * that a connection has, from which the interface description, filters, columns and the manual page are made.
 *
 * The socket speaks varlink: one JSON object a message, ended by a NUL byte. */
#ifndef TAPSTACK_CONTROL_H
#define TAPSTACK_CONTROL_H

#define TAPSTACK_CONTROL_INTERFACE "org.tapstack.control"
#define TAPSTACK_VARLINK_INTERFACE "org.varlink.service"

/* Errors of TAPSTACK_CONTROL_INTERFACE: name, parameters as varlink writes them, meaning. */
#define TAPSTACK_CONTROL_ERRORS(X)                                                                                   \
	X(InvalidMessage, "reason: string", "not a message of this protocol; the connection is closed after it")     \
	X(TooManyClients, "limit: int", "all places for clients are taken; the connection is closed after it")       \
	X(NoSuchConnection, "id: int", "no connection with this id is live")                                         \
	X(AlreadyClosing, "id: int", "it has been closed already, by both sides, and is in TIME-WAIT")               \
	X(HandshakeIncomplete, "id: int", "it is half open: there is nothing to close yet; it can be aborted")       \
	X(InvalidConfiguration, "errors: []string", "the configuration was not accepted; nothing has changed")       \
	X(PluginRefused, "errors: []string", "it can't be done with this plugin; all stay as they are")              \
	X(Failed, "reason: string", "the daemon could not do it")

/* What a field of a connection holds, and so how it is compared and shown. */
enum tapstack_field_kind {
	TAPSTACK_FIELD_NUMBER,       /* integer */
	TAPSTACK_FIELD_MILLISECONDS, /* number with fraction */
	TAPSTACK_FIELD_TEXT,         /* compared as a shell pattern (* ? [...]) */
	TAPSTACK_FIELD_STATE,        /* "ESTABLISHED", ... */
	TAPSTACK_FIELD_ADDRESS,      /* compared with an address or a prefix */
	TAPSTACK_FIELD_BOOLEAN,
	TAPSTACK_FIELD_LIST, /* of texts; equal when one of them is */
};

/* The fields of a connection or listener, in the order in which they are shown: name (as `ss -tieom` has it where it
 * has it), kind, unit, help. A record that doesn't keep a field leaves it out. */
#define TAPSTACK_CONNECTION_FIELDS(X)                                                                                \
	X(id, NUMBER, "", "number of the connection; the same in the audit database; a listener has none")           \
	X(shard, NUMBER, "", "shard that has it")                                                                    \
	X(state, STATE, "", "state, by RFC 9293")                                                                    \
	X(recv_q, NUMBER, "bytes", "arrived, not yet read by the service; listener: connections to be accepted")     \
	X(send_q, NUMBER, "bytes", "sent or to be sent, not acknowledged; listener: backlog")                        \
	X(local, ADDRESS, "", "address of this side")                                                                \
	X(local_port, NUMBER, "", "port of this side")                                                               \
	X(peer, ADDRESS, "", "address of the other side")                                                            \
	X(peer_port, NUMBER, "", "port of the other side")                                                           \
	X(service, TEXT, "", "service that has the connection")                                                      \
	X(role, TEXT, "", "passive: the peer opened it; active: this side did")                                      \
	X(orphan, BOOLEAN, "", "the service has let go of it")                                                       \
	X(compact, BOOLEAN, "", "kept in a compact record (half-open, TIME-WAIT)")                                   \
	X(age, MILLISECONDS, "ms", "since it was opened")                                                            \
	X(cong, TEXT, "", "congestion-control algorithm")                                                            \
	X(cong_offences, NUMBER, "",                                                                                 \
	  "decisions of the algorithm that had to be corrected, but for those that are forgiven")                    \
	X(shadow, TEXT, "", "algorithm whose decisions are recorded only; null: none")                               \
	X(shadow_cwnd, NUMBER, "bytes", "window that it would have; null: none")                                     \
	X(shadow_ssthresh, NUMBER, "bytes", "its slow-start threshold; null: none, or none yet")                     \
	X(shadow_pacing_rate, NUMBER, "bytes/s", "its pacing; null: none")                                           \
	X(ca_state, TEXT, "", "open, recovery or loss")                                                              \
	X(opts, LIST, "", "options in use: ts, sack, ecn, ecnseen, fastopen, wscale, nodelay")                       \
	X(snd_wscale, NUMBER, "", "window scale of the peer's windows")                                              \
	X(rcv_wscale, NUMBER, "", "window scale of our windows")                                                     \
	X(fastopen, TEXT, "", "data on the SYN (RFC 7413): no, accepted or refused")                                 \
	X(ecn, TEXT, "", "ECN agreed on: none, classic (RFC 3168) or accurate (RFC 9768)")                           \
	X(ect, TEXT, "", "how data is sent: not-ECT, ECT(0) or ECT(1)")                                              \
	X(ecn_fallback, BOOLEAN, "", "ECN was lost or mangled on the path, and is not used any more")                \
	X(accecn_option, TEXT, "", "AccECN options of the peer: none, seen or mangled")                              \
	X(rto, MILLISECONDS, "ms", "retransmission time-out")                                                        \
	X(rtt, MILLISECONDS, "ms", "smoothed round-trip time")                                                       \
	X(rttvar, MILLISECONDS, "ms", "its variation")                                                               \
	X(minrtt, MILLISECONDS, "ms", "least round-trip time")                                                       \
	X(timer, MILLISECONDS, "ms", "until the retransmission timer goes off")                                      \
	X(ato, MILLISECONDS, "ms", "longest delay of an ACK")                                                        \
	X(keepalive, MILLISECONDS, "ms", "until a keepalive probe if nothing arrives; null: none")                   \
	X(user_timeout, MILLISECONDS, "ms", "data may be unacknowledged so long; null: only as R2 says")             \
	X(backoff, NUMBER, "", "times the time-out has been doubled")                                                \
	X(probes, NUMBER, "", "probes of window or keepalive that were not answered")                                \
	X(mss, NUMBER, "bytes", "largest segment we send")                                                           \
	X(rcvmss, NUMBER, "bytes", "largest segment received")                                                       \
	X(advmss, NUMBER, "bytes", "largest segment we asked for")                                                   \
	X(pmtu, NUMBER, "bytes", "path MTU")                                                                         \
	X(cwnd, NUMBER, "bytes", "congestion window")                                                                \
	X(ssthresh, NUMBER, "bytes", "slow-start threshold")                                                         \
	X(pacing_rate, NUMBER, "bytes/s", "pacing rate; 0: not paced")                                               \
	X(max_pacing_rate, NUMBER, "bytes/s", "limit of it; 0: none")                                                \
	X(delivery_rate, NUMBER, "bytes/s", "rate at which data arrived, by the latest sample; 0: idle")             \
	X(app_limited, BOOLEAN, "", "the application, not the network, may have limited it")                         \
	X(busy, MILLISECONDS, "ms", "time with something sent or to be sent")                                        \
	X(rwnd_limited, MILLISECONDS, "ms", "of it, held up by the peer's window")                                   \
	X(sndbuf_limited, MILLISECONDS, "ms", "of it, held up by the send buffer")                                   \
	X(bytes_sent, NUMBER, "bytes", "payload sent, with retransmissions")                                         \
	X(bytes_retrans, NUMBER, "bytes", "payload sent again")                                                      \
	X(bytes_acked, NUMBER, "bytes", "payload that the peer has acknowledged")                                    \
	X(bytes_received, NUMBER, "bytes", "payload received in order")                                              \
	X(segs_out, NUMBER, "", "segments sent")                                                                     \
	X(segs_in, NUMBER, "", "segments received")                                                                  \
	X(data_segs_out, NUMBER, "", "segments with payload sent")                                                   \
	X(data_segs_in, NUMBER, "", "segments with payload received")                                                \
	X(lastsnd, MILLISECONDS, "ms", "since the last segment with payload was sent")                               \
	X(lastrcv, MILLISECONDS, "ms", "since the last segment with payload arrived")                                \
	X(lastack, MILLISECONDS, "ms", "since the last segment of any kind arrived")                                 \
	X(unacked, NUMBER, "bytes", "sent, not acknowledged")                                                        \
	X(retrans, NUMBER, "bytes", "sent again, not acknowledged")                                                  \
	X(retrans_total, NUMBER, "", "retransmissions so far")                                                       \
	X(total_rto, NUMBER, "", "retransmission time-outs so far")                                                  \
	X(total_rto_recoveries, NUMBER, "", "repairs after time-outs so far")                                        \
	X(total_rto_time, MILLISECONDS, "ms", "spent in such repairs")                                               \
	X(dsack_dups, NUMBER, "", "reports of something received twice (D-SACK)")                                    \
	X(reord_seen, NUMBER, "", "times segments were seen to arrive in another order")                             \
	X(reo_wnd, MILLISECONDS, "ms", "how late a segment may be before it is taken for lost (RACK)")               \
	X(delivered, NUMBER, "", "packets that arrived at the peer")                                                 \
	X(delivered_ce, NUMBER, "", "of these marked Congestion Experienced, as the peer says")                      \
	X(delivered_e0_bytes, NUMBER, "bytes",                                                                       \
	  "payload that arrived there as ECT(0), as its options say (modulo 2^24)")                                  \
	X(delivered_e1_bytes, NUMBER, "bytes", "the same as ECT(1)")                                                 \
	X(delivered_ce_bytes, NUMBER, "bytes", "the same as Congestion Experienced")                                 \
	X(received_ce, NUMBER, "", "packets that arrived here marked, with AccECN")                                  \
	X(received_e0_bytes, NUMBER, "bytes", "payload that arrived here as ECT(0), with AccECN")                    \
	X(received_e1_bytes, NUMBER, "bytes", "the same as ECT(1)")                                                  \
	X(received_ce_bytes, NUMBER, "bytes", "the same as Congestion Experienced")                                  \
	X(lost, NUMBER, "bytes", "taken for lost")                                                                   \
	X(sacked, NUMBER, "bytes", "selectively acknowledged")                                                       \
	X(notsent, NUMBER, "bytes", "given to TCP, not yet sent")                                                    \
	X(rcv_ooopack, NUMBER, "", "segments that arrived ahead of a hole")                                          \
	X(rcv_holes, NUMBER, "", "ranges held that lie ahead of a hole")                                             \
	X(rcv_rtt, MILLISECONDS, "ms", "round-trip time as a receiver sees it; null: not known")                     \
	X(rcv_space, NUMBER, "bytes", "read in this round of buffer tuning")                                         \
	X(snd_wnd, NUMBER, "bytes", "window that the peer offers")                                                   \
	X(rcv_wnd, NUMBER, "bytes", "window that we offer")                                                          \
	X(rcvbuf, NUMBER, "bytes", "size of the receive buffer")                                                     \
	X(sndbuf, NUMBER, "bytes", "size of the send buffer")                                                        \
	X(urg, NUMBER, "bytes", "urgent data not yet read")                                                          \
	X(dscp, NUMBER, "", "differentiated services code point of what is sent")                                    \
	X(rcv_dscp, NUMBER, "", "and of what came last")                                                             \
	X(icmp_errors, NUMBER, "", "ICMP errors about it")                                                           \
	X(icmp_type, NUMBER, "", "type of the latest; null: none")                                                   \
	X(icmp_code, NUMBER, "", "and its code")                                                                     \
	X(iss, NUMBER, "", "our initial sequence number")                                                            \
	X(irs, NUMBER, "", "the peer's initial sequence number")                                                     \
	X(snd_una, NUMBER, "", "oldest unacknowledged sequence number")                                              \
	X(snd_nxt, NUMBER, "", "next sequence number to send")                                                       \
	X(rcv_nxt, NUMBER, "", "next sequence number expected")

/* The states of RFC 9293 as they are written in answers, in the order of their numbers. */
#define TAPSTACK_STATES(X)                                                                                           \
	X("CLOSED")                                                                                                  \
	X("LISTEN")                                                                                                  \
	X("SYN-SENT")                                                                                                \
	X("SYN-RECEIVED")                                                                                            \
	X("ESTABLISHED")                                                                                             \
	X("FIN-WAIT-1")                                                                                              \
	X("FIN-WAIT-2")                                                                                              \
	X("CLOSE-WAIT")                                                                                              \
	X("CLOSING")                                                                                                 \
	X("LAST-ACK")                                                                                                \
	X("TIME-WAIT")

#endif
