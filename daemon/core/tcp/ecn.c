#include "core/tcp/ecn.h"

#include "core/tcp/engine.h"

#define TCP_ECN_FLAGS (TCP_AE | TCP_CWR | TCP_ECE)
#define MARKED_ROUNDS_MAX 4      /* RFC 9768 3.2.2.3: as many round trips with every packet marked are not believed */
#define CONTRADICTIONS_MAX 3     /* in a row; one may be a counter that wrapped unseen */
#define DUPLICATES_MAX 3         /* answered with the option, and sent again all the same */
#define UNSHOWN_BYTES_MAX 65536u /* then byte counters are worth a segment of their own */
#define OPTION_BYTES_MAX 12u

static struct ecn *ecn_of(const struct conn *conn)
{
	return conn->agreed.ecn != ECN_NONE && conn->extra ? &conn->extra->ecn : NULL;
}

/* ECN-capable sending ends for this connection. */
static void fall_back(struct stack *stack, struct ecn *ecn, uint32_t flags)
{
	ecn->flags |= flags | ECN_NO_ECT;
	if (!(ecn->flags & ECN_FALLEN_BACK))
		COUNT(stack, ecn_fallbacks);
	ecn->flags |= ECN_FALLEN_BACK;
}

static struct ecn *begin(struct stack *stack, struct conn *conn, enum agreed_ecn agreed)
{
	struct conn_extra *extra = conn_extra(stack, conn);

	if (!extra)
		return NULL;
	extra->ecn = (struct ecn){ 0 };
	if (agreed == ECN_ACCURATE) {
		extra->ecn.flags = ECN_FIRST_ACE;
		accecn_receiver_init(&extra->ecn.receiver);
		accecn_sender_init(&extra->ecn.sender);
		COUNT(stack, ecn_accurate);
	} else {
		COUNT(stack, ecn_classic);
	}
	return &extra->ecn;
}

/* ---- the handshake --------------------------------------------------------------------------------------------- */

enum agreed_ecn ecn_offer(const struct conn *conn)
{
	bool needed = conn->congestion->ops->flags & TAPSTACK_CC_NEEDS_ACCECN;

	if (conn->tcp->ecn != STACK_ECN_REQUEST && !(needed && conn->tcp->ecn == STACK_ECN_ACCEPT))
		return ECN_NONE;
	return conn->tcp->accecn ? ECN_ACCURATE : ECN_CLASSIC;
}

uint16_t ecn_syn_flags(const struct conn *conn)
{
	bool again = conn->flags & CONN_SYN_RETRANSMITTED;

	if (conn->agreed.ecn == ECN_ACCURATE && !(again && conn->retransmits > 0))
		return TCP_AE | TCP_CWR | TCP_ECE;
	return conn->agreed.ecn == ECN_CLASSIC && !again ? TCP_CWR | TCP_ECE : 0;
}

/* The best that a SYN with these flags asks for (RFC 9768 section 3.1.3: what has no meaning yet asks for AccECN). */
static enum agreed_ecn asked_for(uint16_t flags, bool accecn)
{
	flags &= TCP_ECN_FLAGS;
	if (flags == 0)
		return ECN_NONE;
	if (accecn && flags != (TCP_CWR | TCP_ECE))
		return ECN_ACCURATE;
	return (flags & TCP_CWR) && (flags & TCP_ECE) ? ECN_CLASSIC : ECN_NONE;
}

void ecn_agree(const struct stack_tcp_config *tcp, const struct arrival *syn, struct tcp_agreed *agreed)
{
	if (tcp->ecn == STACK_ECN_OFF)
		return;
	agreed->ecn = asked_for(syn->seg.flags, tcp->accecn);
	agreed->syn_ecn = syn->tos & 3;
}

bool ecn_syn_again(const struct stack_tcp_config *tcp, const struct arrival *syn, struct tcp_agreed *agreed)
{
	enum agreed_ecn asked = asked_for(syn->seg.flags, tcp->accecn);

	agreed->syn_ecn = syn->tos & 3; /* the latest counts */
	if (asked == ECN_NONE)
		agreed->no_ect = true; /* the peer has fallen back */
	return agreed->ecn == ECN_NONE || asked == ECN_NONE || asked == agreed->ecn;
}

/* How the IP-ECN field of a SYN is told in the answer's flags, and that of a SYN-ACK in its ACK's (tables 2 and 3).
 */
static uint16_t reflection(unsigned ip_ecn)
{
	static const uint8_t ace[] = { [IP_NOT_ECT] = 2, [IP_ECT1] = 3, [IP_ECT0] = 4, [IP_CE] = 6 };

	return accecn_ace_flags(ace[ip_ecn & 3]);
}

void ecn_fill_syn_ack(struct tcp_agreed *agreed, unsigned retransmits, bool resent, struct tcp_segment *syn_ack)
{
	struct accecn_receiver receiver;

	if (agreed->ecn == ECN_CLASSIC && !agreed->no_ect)
		syn_ack->flags |= TCP_ECE;
	if (agreed->ecn != ECN_ACCURATE)
		return;
	if (retransmits >= 2) { /* section 3.2.3.2.2: the flags themselves may be what gets it lost */
		agreed->no_ect = true;
		return;
	}
	syn_ack->flags |= reflection(agreed->syn_ecn);
	if (retransmits > 0 || resent)
		return; /* perhaps it was the option */
	accecn_receiver_init(&receiver);
	accecn_show(&receiver, true, &syn_ack->options);
}

bool ecn_begin_passive(struct stack *stack, struct conn *conn)
{
	struct ecn *ecn;

	if (conn->agreed.ecn == ECN_NONE)
		return true;
	ecn = begin(stack, conn, conn->agreed.ecn);
	if (!ecn)
		return false;
	if (conn->agreed.ecn == ECN_ACCURATE)
		ecn->flags |= ECN_AWAITS_HANDSHAKE;
	if (conn->agreed.no_ect)
		fall_back(stack, ecn, 0);
	return true;
}

void ecn_opened(struct stack *stack, struct conn *conn)
{
	struct ecn *ecn = ecn_of(conn);

	if (ecn && conn->agreed.no_ect)
		fall_back(stack, ecn, 0);
}

/* Table 2, from the active side: what the answer to a SYN that asked for `offer` agrees to. */
static enum agreed_ecn answered(enum agreed_ecn offer, uint16_t flags)
{
	enum agreed_ecn theirs;

	if (!(flags & TCP_ACK)) { /* simultaneous open: what both ask for */
		theirs = asked_for(flags, offer == ECN_ACCURATE);
		return theirs < offer ? theirs : offer;
	}
	flags &= TCP_ECN_FLAGS;
	if (offer == ECN_NONE || flags == 0 || flags == TCP_ECN_FLAGS) /* a server that reflects what it got */
		return ECN_NONE;
	if (flags == TCP_ECE)
		return ECN_CLASSIC;
	if (offer == ECN_ACCURATE)
		return ECN_ACCURATE;
	return (flags & TCP_ECE) && !(flags & TCP_CWR) ? ECN_CLASSIC : ECN_NONE;
}

/* The peer's first option; its ECT counters do not begin at zero (section 3.2.3.2.4). */
static void judge_option(struct ecn *ecn, const struct tcp_options *options)
{
	bool zeroed = (options->accecn_count >= 1 && options->accecn[0] == 0) ||
	              (options->accecn_count >= 3 && options->accecn[2] == 0);

	if (!options->has_accecn || (ecn->flags & (ECN_OPTION_BELIEVED | ECN_OPTION_IGNORED)))
		return;
	ecn->flags |= zeroed ? ECN_OPTION_IGNORED : ECN_OPTION_BELIEVED;
}

bool ecn_begin_active(struct stack *stack, struct conn *conn, const struct arrival *answer, struct tcp_agreed *agreed)
{
	enum agreed_ecn offer = conn->agreed.ecn;
	uint16_t flags = answer->seg.flags;
	struct ecn *ecn;

	agreed->ecn = answered(offer, flags);
	agreed->syn_ecn = answer->tos & 3;
	if (agreed->ecn == ECN_NONE) {
		if (offer != ECN_NONE && !ecn_syn_flags(conn))
			COUNT(stack, ecn_fallbacks);
		return true;
	}
	ecn = begin(stack, conn, agreed->ecn);
	if (!ecn)
		return false;
	/* RFC 3168 6.1.1: a SYN without the flags has gone out, too, and may be the one that was answered. */
	if (agreed->ecn == ECN_CLASSIC && conn->flags & CONN_SYN_RETRANSMITTED && !ecn_syn_flags(conn))
		fall_back(stack, ecn, 0);
	if (agreed->ecn != ECN_ACCURATE)
		return true;
	if (!(flags & TCP_ACK)) {
		ecn->flags |= ECN_AWAITS_HANDSHAKE;
		return true;
	}
	ecn->flags |= ECN_HANDSHAKE_ACK | ECN_SHOW_ACK | ECN_SHOW_DATA;
	ecn->syn_ack = answer->tos & 3;
	if (ecn->syn_ack == IP_CE) {
		ecn->receiver.cep++;
		ecn->flags |= ECN_SYN_ACK_CE;
	}
	judge_option(ecn, &answer->seg.options);
	/* Our SYN was not ECN-capable: told otherwise, somebody on the path has changed it (section 3.2.2.3). The
	 * combination without a meaning says nothing of it. */
	flags &= TCP_ECN_FLAGS;
	if (flags != reflection(IP_NOT_ECT) && flags != (TCP_AE | TCP_ECE))
		fall_back(stack, ecn, 0);
	return true;
}

void ecn_syn_marked(struct conn *conn, const struct arrival *answer)
{
	if (conn->agreed.ecn == ECN_ACCURATE && (answer->seg.flags & TCP_ACK) &&
	    (answer->seg.flags & TCP_ECN_FLAGS) == reflection(IP_CE))
		conn->cwnd = conn->mss;
}

/* Table 4: what the first ACK tells of our SYN-ACK, which was not ECN-capable. */
static void take_handshake_ack(struct stack *stack, struct conn *conn, struct ecn *ecn, const struct tcp_segment *seg)
{
	uint32_t ace = accecn_ace(seg->flags);

	ecn->flags &= ~(uint32_t)ECN_AWAITS_HANDSHAKE;
	judge_option(ecn, &seg->options);
	if (seg->payload_bytes > 0 || seg->options.sack_count > 0 || (seg->flags & TCP_FIN))
		return; /* a counter, as on all that follows */
	ecn->flags |= ECN_HANDSHAKE_CAME;
	if (ace == 0) {
		fall_back(stack, ecn, ECN_IGNORE);
	} else if (ace == accecn_ace(reflection(IP_CE))) {
		ecn->sender.cep++;
		conn->cwnd = conn->mss;
		fall_back(stack, ecn, 0);
	} else if (ace == accecn_ace(reflection(IP_ECT0)) || ace == accecn_ace(reflection(IP_ECT1))) {
		fall_back(stack, ecn, 0);
	}
}

/* ---- the receiver of data ----------------------------------------------------------------------------------------
 */

static void ack_now(struct stack *stack, struct conn *conn)
{
	conn->flags |= CONN_ACK_NOW;
	conn_want_output(stack, conn);
}

static uint32_t packets_in(const struct arrival *in, uint32_t bytes)
{
	uint32_t segment = in->segment_bytes;

	return segment > 0 && bytes > segment ? (bytes + segment - 1) / segment : 1;
}

/* RFC 8257 section 3.2: ECE on an ACK says that what it acknowledges was marked. So an ACK is for packets that came
 * alike: where they change, what came before is acknowledged by itself. What came in the same turn can't be; it
 * shares its ACK, which says that something of it was marked. */
static void arrived_dctcp(struct stack *stack, struct conn *conn, struct ecn *ecn, bool marked)
{
	if (marked == ecn->receiver.last_was_ce)
		return;
	if (!(conn->flags & CONN_ACK_NOW) && !(conn->rx && conn->rx->first_span)) {
		if (conn->rcv_unacked > 0)
			reply_ack(stack, conn);
		ecn->flags &= ~(uint32_t)ECN_ECHO;
	}
	ecn->receiver.last_was_ce = marked;
	if (marked)
		ecn->flags |= ECN_ECHO;
	ack_now(stack, conn);
}

/* RFC 3168 section 6.1.3. */
static void arrived_classic(struct stack *stack, struct conn *conn, struct ecn *ecn, const struct arrival *in,
                            uint32_t bytes)
{
	if (bytes == 0)
		return;
	if (conn->tcp->dctcp_echo) {
		arrived_dctcp(stack, conn, ecn, (in->tos & 3) == IP_CE);
		return;
	}
	if (in->seg.flags & TCP_CWR)
		ecn->flags &= ~(uint32_t)ECN_ECHO;
	if ((in->tos & 3) == IP_CE)
		ecn->flags |= ECN_ECHO;
}

void ecn_arrived(struct stack *stack, struct conn *conn, const struct arrival *in, uint32_t bytes, bool syn)
{
	struct ecn *ecn = ecn_of(conn);
	const struct tcp_segment *seg = &in->seg;
	bool data_unacked = conn->rcv_unacked > 0 || bytes > 0;

	if (!ecn || (seg->flags & TCP_RST) || !(seg->flags & TCP_ACK) || seq_gt(seg->ack, conn->snd_nxt) ||
	    seq_lt(seg->ack, seq_sub(conn->snd_una, conn->max_snd_wnd)))
		return; /* what step 5 refuses tells nothing (RFC 9768 section 1.3) */
	if (in->tos & 3)
		ecn->flags |= ECN_SEEN_ECT;
	if (conn->agreed.ecn == ECN_CLASSIC) {
		arrived_classic(stack, conn, ecn, in, bytes);
		return;
	}
	ecn->flags &= ~(uint32_t)ECN_HANDSHAKE_CAME;
	if (syn) /* its flags are no ACE field */
		ecn->flags |= ECN_HANDSHAKE_CAME;
	else if (ecn->flags & ECN_AWAITS_HANDSHAKE)
		take_handshake_ack(stack, conn, ecn, seg);
	if (seg->payload_bytes > 0 && (ecn->flags & ECN_SHOWN))
		ecn->duplicates = 0; /* something new: the ACK with the option has arrived */
	if (accecn_arrived(&ecn->receiver, in->tos & 3, packets_in(in, bytes), bytes, data_unacked))
		ack_now(stack, conn);
}

void ecn_duplicate(struct stack *stack, struct conn *conn)
{
	struct ecn *ecn = ecn_of(conn);

	if (!ecn || !(ecn->flags & ECN_SHOWN))
		return;
	ecn->flags &= ~(uint32_t)ECN_SHOWN;
	if ((ecn->flags & ECN_NO_OPTION) || ++ecn->duplicates < DUPLICATES_MAX)
		return;
	ecn->flags |= ECN_NO_OPTION; /* section 3.2.3.2.2 */
	COUNT(stack, ecn_fallbacks);
}

bool ecn_wants_pure_ack(const struct conn *conn)
{
	const struct ecn *ecn = ecn_of(conn);

	if (!ecn || conn->agreed.ecn != ECN_ACCURATE || !(conn->flags & CONN_ACK_NOW))
		return false;
	if (ecn->flags & ECN_HANDSHAKE_ACK)
		return true;
	return !(ecn->flags & ECN_NO_OPTION) &&
	       ((ecn->receiver.unshown & ACCECN_CEB) || ecn->receiver.unshown_bytes >= UNSHOWN_BYTES_MAX);
}

static void fill_option(const struct conn *conn, struct ecn *ecn, uint32_t length, bool new_data,
                        struct tcp_segment *segment)
{
	uint32_t wanted = ecn->flags & (length > 0 ? ECN_SHOW_DATA : ECN_SHOW_ACK);

	ecn->flags &= ~wanted;
	/* Data that fills its segment leaves no room, and what is sent again must get through. */
	if ((ecn->flags & ECN_NO_OPTION) || (length > 0 && (!new_data || length + OPTION_BYTES_MAX > conn->mss)))
		return;
	if (accecn_show(&ecn->receiver, wanted != 0, &segment->options))
		ecn->flags |= ECN_SHOWN;
}

void ecn_fill(struct conn *conn, uint32_t length, bool new_data, struct tcp_segment *segment)
{
	struct ecn *ecn = ecn_of(conn);
	bool handshake;

	if (!ecn)
		return;
	if (conn->agreed.ecn == ECN_CLASSIC) {
		if (ecn->flags & ECN_ECHO)
			segment->flags |= TCP_ECE;
		if (conn->tcp->dctcp_echo && !ecn->receiver.last_was_ce)
			ecn->flags &= ~(uint32_t)ECN_ECHO;
		if (new_data && (ecn->flags & ECN_CWR)) {
			segment->flags |= TCP_CWR;
			ecn->flags &= ~(uint32_t)ECN_CWR;
		}
		return;
	}
	handshake = (ecn->flags & ECN_HANDSHAKE_ACK) && length == 0 && segment->options.sack_count == 0 &&
	            !(segment->flags & TCP_FIN);
	segment->flags |= ecn_ack_flags(conn, handshake);
	if (handshake)
		ecn->flags &= ~(uint32_t)ECN_HANDSHAKE_ACK;
	fill_option(conn, ecn, length, new_data, segment);
	accecn_acked(&ecn->receiver);
}

uint16_t ecn_ack_flags(const struct conn *conn, bool for_syn_ack)
{
	const struct ecn *ecn = ecn_of(conn);

	if (!ecn)
		return 0;
	if (conn->agreed.ecn == ECN_CLASSIC)
		return ecn->flags & ECN_ECHO ? TCP_ECE : 0;
	return for_syn_ack ? reflection(ecn->syn_ack) : accecn_ace_flags(ecn->receiver.cep);
}

void ecn_syn_ack_again(struct conn *conn, const struct arrival *in)
{
	struct ecn *ecn = ecn_of(conn);

	if (!ecn || conn->agreed.ecn != ECN_ACCURATE)
		return;
	ecn->syn_ack = in->tos & 3;
	if (ecn->syn_ack == IP_CE && !(ecn->flags & ECN_SYN_ACK_CE)) {
		ecn->receiver.cep++;
		ecn->flags |= ECN_SYN_ACK_CE;
	}
}

/* ---- the sender of data ------------------------------------------------------------------------------------------
 */

enum ip_ecn ecn_codepoint(const struct conn *conn)
{
	const struct ecn *ecn = ecn_of(conn);
	uint32_t wants = conn->congestion->ops->flags;

	if (!ecn || (ecn->flags & ECN_NO_ECT) || !(wants & (TAPSTACK_CC_ECT0 | TAPSTACK_CC_ECT1)))
		return IP_NOT_ECT;
	/* ECT(1) promises a response that needs every mark (RFC 9331 section 4.3). */
	if ((wants & TAPSTACK_CC_ECT1) &&
	    (conn->agreed.ecn == ECN_ACCURATE || !(wants & (TAPSTACK_CC_ECT0 | TAPSTACK_CC_NEEDS_ACCECN))))
		return IP_ECT1;
	return IP_ECT0;
}

bool ecn_forbids_super_frames(const struct conn *conn)
{
	const struct ecn *ecn = ecn_of(conn);

	/* Who cuts a super-frame leaves CWR on its first segment only (RFC 9768 section 3.3.4). */
	return ecn && conn->agreed.ecn == ECN_ACCURATE && (accecn_ace_flags(ecn->receiver.cep) & TCP_CWR);
}

/* Every packet of the first round trips came back as marked: something marks all, and means nothing by it. */
static void judge_round(struct stack *stack, struct conn *conn, struct ecn *ecn)
{
	bool all = ecn->round_ce_bytes >= ecn->round_bytes;

	if ((ecn->flags & ECN_ROUNDS_OVER) || ecn->round_bytes == 0)
		return;
	ecn->round_bytes = ecn->round_ce_bytes = 0;
	if (!all)
		ecn->flags |= ECN_ROUNDS_OVER;
	else if (++ecn->marked_rounds >= MARKED_ROUNDS_MAX)
		fall_back(stack, ecn,
		          conn->agreed.ecn == ECN_ACCURATE ? ECN_IGNORE | ECN_ROUNDS_OVER : ECN_ROUNDS_OVER);
}

static void feedback_accurate(struct stack *stack, struct conn *conn, struct ecn *ecn, const struct tcp_segment *seg,
                              uint32_t delivered, struct tapstack_cc_sample *sample)
{
	/* Without SACK much is acknowledged at once when a hole is filled; the ACKs until then came, and said how
	 * it stood. */
	struct accecn_ack ack = { .ace = accecn_ace(seg->flags),
		                  .options = &seg->options,
		                  .gapless = !conn->agreed.sack,
		                  .delivered_bytes = delivered,
		                  .mss = conn->mss };
	struct accecn_news news;

	if ((ecn->flags & ECN_HANDSHAKE_CAME) || seq_lt(seg->ack, conn->snd_una))
		return; /* no counter, or superseded by a later one */
	/* With fewer than three packets out it can't have come round to zero. */
	if ((ecn->flags & ECN_FIRST_ACE) && ack.ace == 0 && conn->delivered < 3)
		fall_back(stack, ecn, ECN_IGNORE);
	ecn->flags &= ~(uint32_t)ECN_FIRST_ACE;
	if (ecn->flags & ECN_IGNORE)
		return;
	judge_option(ecn, &seg->options);
	ack.believe_option = ecn->flags & ECN_OPTION_BELIEVED;
	news = accecn_feedback(&ecn->sender, &ack);
	ecn->contradictions = news.contradiction    ? ecn->contradictions + 1u
	                      : news.ce_packets > 0 ? 0
	                                            : ecn->contradictions;
	if (ecn->contradictions >= CONTRADICTIONS_MAX)
		fall_back(stack, ecn, 0);
	ecn->delivered_ce += news.ce_packets;
	sample->ce_bytes = news.ce_bytes;
	sample->ece = news.ce_bytes > 0;
}

/* ECE stays on until CWR arrives: how much of what is delivered meanwhile was marked is a guess. */
static void feedback_classic(const struct tcp_segment *seg, uint32_t delivered, struct tapstack_cc_sample *sample)
{
	sample->ece = (seg->flags & TCP_ECE) != 0;
	sample->ce_bytes = sample->ece ? delivered : 0;
}

bool ecn_feedback(struct stack *stack, struct conn *conn, const struct tcp_segment *seg, const struct sent_news *news,
                  struct tapstack_cc_sample *sample)
{
	struct ecn *ecn = ecn_of(conn);

	if (!ecn || news->delivered_bytes == 0)
		return false;
	if (sample->round_start)
		judge_round(stack, conn, ecn);
	if ((ecn->flags & ECN_REDUCED) && seq_gt(conn->snd_una, ecn->recover))
		ecn->flags &= ~(uint32_t)ECN_REDUCED;
	if (conn->agreed.ecn == ECN_ACCURATE)
		feedback_accurate(stack, conn, ecn, seg, news->delivered_bytes, sample);
	else
		feedback_classic(seg, news->delivered_bytes, sample);
	ecn->ce_bytes += sample->ce_bytes;
	if (!(ecn->flags & ECN_ROUNDS_OVER))
		ecn->round_bytes += news->delivered_bytes;
	if (sample->ece && !(ecn->flags & ECN_ROUNDS_OVER))
		ecn->round_ce_bytes += sample->ce_bytes > 0 ? (uint32_t)sample->ce_bytes : news->delivered_bytes;
	if (!sample->ece || conn->ca_state != CA_OPEN || (ecn->flags & ECN_REDUCED))
		return false;
	/* RFC 3168 section 6.1.2: a window that can't shrink any more is followed by silence. */
	if (conn->cwnd <= conn->mss)
		conn->pace_due = instant_max(conn->pace_due.ns == INT64_MAX ? stack->now : conn->pace_due,
		                             instant_add(stack->now, conn->rtt.rto));
	COUNT(stack, ecn_reductions);
	return true;
}

void ecn_reduced(struct conn *conn)
{
	struct ecn *ecn = ecn_of(conn);

	if (!ecn)
		return;
	ecn->recover = conn->snd_nxt;
	ecn->flags |= ECN_REDUCED | (conn->agreed.ecn == ECN_CLASSIC ? ECN_CWR : 0u);
}

void ecn_reduction_undone(struct conn *conn)
{
	struct ecn *ecn = ecn_of(conn);

	if (ecn)
		ecn->flags &= ~(uint32_t)(ECN_REDUCED | ECN_CWR);
}
