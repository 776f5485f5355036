#include "core/tcp/accecn.h"

#define BYTES_MASK 0xffffffu /* a counter of the option */
#define ACE_MASK 7u

/* ---- the receiver of data -------------------------------------------------------------------------------------- */

void accecn_receiver_init(struct accecn_receiver *receiver)
{
	*receiver = (struct accecn_receiver){
		.cep = ACCECN_CEP_INITIAL,
		.e0b = ACCECN_ECT_INITIAL,
		.e1b = ACCECN_ECT_INITIAL,
	};
}

static void count_bytes(struct accecn_receiver *receiver, uint32_t *counter, enum accecn_field field, uint32_t bytes)
{
	if (bytes == 0)
		return;
	*counter += bytes;
	receiver->unshown_bytes += bytes;
	receiver->ever |= (uint8_t)field;
	receiver->unshown |= (uint8_t)field;
}

bool accecn_arrived(struct accecn_receiver *receiver, enum ip_ecn ecn, uint32_t packets, uint32_t bytes,
                    bool data_unacked)
{
	bool begins = ecn == IP_CE && !receiver->last_was_ce;

	receiver->last_was_ce = ecn == IP_CE;
	switch (ecn) {
	case IP_ECT0:
		count_bytes(receiver, &receiver->e0b, ACCECN_E0B, bytes);
		return false;
	case IP_ECT1:
		count_bytes(receiver, &receiver->e1b, ACCECN_E1B, bytes);
		return false;
	case IP_CE:
		break;
	default:
		return false;
	}
	count_bytes(receiver, &receiver->ceb, ACCECN_CEB, bytes);
	receiver->cep += packets;
	receiver->ce_unsent = packets > 255u - receiver->ce_unsent ? 255 : (uint8_t)(receiver->ce_unsent + packets);
	return (begins && bytes > 0) || receiver->ce_unsent >= (data_unacked ? 2 : 3);
}

uint16_t accecn_ace_flags(uint32_t cep)
{
	return (uint16_t)((cep & 4 ? TCP_AE : 0) | (cep & 2 ? TCP_CWR : 0) | (cep & 1 ? TCP_ECE : 0));
}

uint32_t accecn_ace(uint16_t flags)
{
	return (flags & TCP_AE ? 4u : 0) | (flags & TCP_CWR ? 2u : 0) | (flags & TCP_ECE ? 1u : 0);
}

/* How many counters an option of this order needs to reach all of `fields`. */
static int reach(uint8_t order, uint8_t fields)
{
	uint8_t last = order == TCP_ACCECN_ORDER_0 ? ACCECN_E1B : ACCECN_E0B;
	uint8_t first = order == TCP_ACCECN_ORDER_0 ? ACCECN_E0B : ACCECN_E1B;

	if (fields & last)
		return 3;
	return fields & ACCECN_CEB ? 2 : fields & first ? 1 : 0;
}

static void fill_option(const struct accecn_receiver *receiver, uint8_t order, int count, struct tcp_options *options)
{
	options->has_accecn = true;
	options->accecn_order = order;
	options->accecn_count = (uint8_t)count;
	options->accecn[0] = (order == TCP_ACCECN_ORDER_0 ? receiver->e0b : receiver->e1b) & BYTES_MASK;
	options->accecn[1] = receiver->ceb & BYTES_MASK;
	options->accecn[2] = (order == TCP_ACCECN_ORDER_0 ? receiver->e1b : receiver->e0b) & BYTES_MASK;
}

bool accecn_show(struct accecn_receiver *receiver, bool wanted, struct tcp_options *options)
{
	int room = tcp_accecn_room(options), count;
	uint8_t order;

	if (room < 0 || (receiver->unshown == 0 && !wanted))
		return false;
	/* The order that shows most in least room; the first one when it does not matter. */
	order = reach(TCP_ACCECN_ORDER_1, receiver->ever) < reach(TCP_ACCECN_ORDER_0, receiver->ever)
	                ? TCP_ACCECN_ORDER_1
	                : TCP_ACCECN_ORDER_0;
	/* The handshake shows all of them, so that the peer sees whether they come through. */
	count = receiver->ever == 0 ? TCP_ACCECN_COUNTERS : reach(order, receiver->ever);
	if (count > room) {
		if (reach(order, receiver->unshown) > room)
			order = order == TCP_ACCECN_ORDER_0 ? TCP_ACCECN_ORDER_1 : TCP_ACCECN_ORDER_0;
		if (reach(order, receiver->unshown) > room)
			return false;
		count = room;
	}
	fill_option(receiver, order, count, options);
	receiver->unshown = 0;
	receiver->unshown_bytes = 0;
	return true;
}

void accecn_acked(struct accecn_receiver *receiver)
{
	receiver->ce_unsent = 0;
}

/* ---- the sender of data ---------------------------------------------------------------------------------------- */

void accecn_sender_init(struct accecn_sender *sender)
{
	*sender = (struct accecn_sender){
		.cep = ACCECN_CEP_INITIAL,
		.e0b = ACCECN_ECT_INITIAL,
		.e1b = ACCECN_ECT_INITIAL,
	};
}

static uint32_t follow(uint32_t *counter, uint32_t field)
{
	uint32_t grown = (field - *counter) & BYTES_MASK;

	*counter = field;
	return grown;
}

/* Follows the option's counters. Returns whether the CE bytes are known, and how many are new. */
static bool read_option(struct accecn_sender *sender, const struct tcp_options *options, uint32_t *ret_ce_bytes)
{
	bool order_0 = options->accecn_order == TCP_ACCECN_ORDER_0;

	*ret_ce_bytes = 0;
	sender->options_came = true;
	if (options->accecn_count >= 1)
		follow(order_0 ? &sender->e0b : &sender->e1b, options->accecn[0]);
	if (options->accecn_count >= 3)
		follow(order_0 ? &sender->e1b : &sender->e0b, options->accecn[2]);
	if (options->accecn_count >= 2)
		*ret_ce_bytes = follow(&sender->ceb, options->accecn[1]);
	/* A counter that was left out has not changed, unless for want of room; then it had changed before. */
	return options->accecn_count >= 2 || sender->ceb == 0;
}

/* Section 3.2.2.5.2 and appendix A.2: the increment of the packet counter, of which three bits are known, when this
 * many packets were acknowledged at once. Did it come round unseen? Not where ACKs for many packets are the rule and
 * no sign of lost ones, nor where so few packets were marked of late that eight of these are unlikely. */
static uint32_t packets_without_option(const struct accecn_sender *sender, uint32_t least, uint32_t packets)
{
	if (packets <= ACE_MASK || least > packets || sender->acked_packets > 4 * 8 ||
	    packets * sender->marking < 256 * (ACE_MASK + 1) / 2)
		return least;
	return packets - ((packets - least) & ACE_MASK);
}

/* An eighth of the way to `to`. */
static void approach(uint32_t *average, uint32_t to)
{
	*average = (uint32_t)((int32_t)*average + ((int32_t)to - (int32_t)*average) / 8);
}

static void follow_conditions(struct accecn_sender *sender, uint32_t ce_packets, uint32_t packets)
{
	approach(&sender->acked_packets, packets * 8);
	approach(&sender->marking, ce_packets < packets ? 256 * ce_packets / packets : 256);
}

struct accecn_news accecn_feedback(struct accecn_sender *sender, const struct accecn_ack *ack)
{
	uint32_t packets = (ack->delivered_bytes + ack->mss - 1) / ack->mss;
	uint32_t least = (ack->ace - sender->cep) & ACE_MASK, ce_bytes;
	struct accecn_news news = { .ce_packets = least };

	if (sender->unshown_bytes + ack->delivered_bytes > sender->unshown_bytes)
		sender->unshown_bytes += ack->delivered_bytes;
	if (ack->options->has_accecn && ack->believe_option && read_option(sender, ack->options, &ce_bytes)) {
		if (ce_bytes > sender->unshown_bytes)
			ce_bytes = sender->unshown_bytes; /* what was not delivered cannot have been marked */
		news.ce_bytes = ce_bytes > sender->estimated ? ce_bytes - sender->estimated : 0;
		while (news.ce_packets < (news.ce_bytes + ack->mss - 1) / ack->mss)
			news.ce_packets += ACE_MASK + 1;
		news.contradiction = news.ce_bytes > 0 && least == 0 && sender->unshown_bytes <= ACE_MASK * ack->mss;
		if (news.contradiction)
			news.ce_packets = 0;
		sender->estimated = 0;
		sender->unshown_bytes = 0;
	} else {
		if (!ack->gapless)
			news.ce_packets = packets_without_option(sender, least, packets);
		news.ce_bytes = news.ce_packets * ack->mss < ack->delivered_bytes ? news.ce_packets * ack->mss
		                                                                  : ack->delivered_bytes;
		sender->estimated += news.ce_bytes;
	}
	sender->cep += news.ce_packets;
	follow_conditions(sender, news.ce_packets, packets);
	return news;
}
