#include "wire.h"

#include "../support/watch.h"
#include "core/wire/ethernet.h"
#include "core/wire/tcp.h"
#include "service.h"
#include "spans.h"

/* A SYN, or SYN-ACK, that arrived. */
struct wire_syn {
	struct wire_syn *next;
	struct flow flow; /* local: the host */
	seq_t seq;
	uint16_t window;
	struct tcp_options options;
	uint32_t text_bytes;
	uint32_t first_tsval; /* when it came more than once; the latest is in `options` */
};

/* A connection of the host, from the SYN or SYN-ACK that it sent. */
struct wire_flow {
	struct wire_flow *next;
	struct flow flow;
	seq_t iss, snd_max;           /* the end of all that was sent */
	seq_t una;                    /* highest ACK that arrived */
	seq_t edge;                   /* right edge of the widest window that the peer offered; valid with has_edge */
	seq_t fin;                    /* where the FIN was; valid with has_fin */
	struct tcp_options offered;   /* by the host's SYN */
	struct tcp_options agreed_by; /* the peer's SYN; valid with met */
	bool has_edge, has_fin, met;
	struct spans arrived; /* sequence numbers of the peer; with its SYN, when met */
	seq_t ack, adv;       /* the host's latest ACK, and its widest window's edge; valid with has_ack */
	bool has_ack;
	uint32_t tsval;          /* the host's latest */
	uint32_t ts_min, ts_max; /* of the peer's; valid with has_ts */
	bool has_tsval, has_ts;
	struct wire_notes notes;
};

/* A segment and what it belongs to. */
struct sight {
	struct flow flow;
	struct tcp_segment seg;
	const struct impair_packet *packet;
};

static bool look(const struct wire *wire, const struct impair_packet *packet, bool out, struct sight *ret_sight)
{
	struct packet_view view;
	struct ip_addr source, destination;

	if (!packet_view(packet, &view) || tcp_read(view.tcp, view.tcp_bytes, &ret_sight->seg) < 0)
		return false;
	packet_addresses(packet, &source, &destination);
	if (out) {
		WATCH_CHECK(packet_segment_is_sound(packet, &view));
		ret_sight->flow = (struct flow){ .local = source, .remote = destination };
		ret_sight->flow.local_port = ret_sight->seg.source_port;
		ret_sight->flow.remote_port = ret_sight->seg.destination_port;
	} else {
		if (memcmp(packet->bytes, wire->mac.b, sizeof(wire->mac)) != 0 ||
		    !packet_segment_is_sound(packet, &view))
			return false;
		ret_sight->flow = (struct flow){ .local = destination, .remote = source };
		ret_sight->flow.local_port = ret_sight->seg.destination_port;
		ret_sight->flow.remote_port = ret_sight->seg.source_port;
	}
	ret_sight->packet = packet;
	return true;
}

/* The latest connection of this five-tuple that has sent the octet before `seq`, or is about to send `seq`. */
static struct wire_flow *find(const struct wire *wire, const struct flow *flow, seq_t seq)
{
	struct wire_flow *found = wire->flows;

	while (found && !(flow_equal(&found->flow, flow) && seq_geq(seq, found->iss) && seq_leq(seq, found->snd_max)))
		found = found->next;
	return found;
}

static struct wire_syn *find_syn(const struct wire *wire, const struct flow *flow, seq_t seq)
{
	struct wire_syn *syn = wire->syns;

	while (syn && !(flow_equal(&syn->flow, flow) && seq_eq(syn->seq, seq)))
		syn = syn->next;
	return syn;
}

/* The SYN that `ack` acknowledges; with Fast Open (RFC 7413) text as well, be it of the SYN or right behind it. */
static struct wire_syn *find_syn_acked(const struct wire *wire, const struct flow *flow, seq_t ack)
{
	struct wire_syn *syn, *nearest = find_syn(wire, flow, seq_sub(ack, 1));

	if (nearest)
		return nearest;
	for (syn = wire->syns; syn; syn = syn->next) {
		if (flow_equal(&syn->flow, flow) && seq_lt(syn->seq, ack) && seq_diff(ack, syn->seq) < 1 << 20 &&
		    (!nearest || seq_gt(syn->seq, nearest->seq)))
			nearest = syn;
	}
	return nearest;
}

static bool both(const struct wire_flow *flow, bool ours, bool theirs)
{
	return flow->met && ours && theirs;
}

static uint32_t scale_out(const struct wire_flow *flow)
{
	return both(flow, flow->offered.has_wscale, flow->agreed_by.has_wscale) ? flow->offered.wscale : 0;
}

/* By the highest shift that a SYN of this peer has told, for who knows which one counts yet. */
static uint32_t scale_in(const struct wire *wire, const struct wire_flow *flow)
{
	uint32_t most = 0;

	for (const struct wire_syn *syn = wire->syns; flow->offered.has_wscale && syn; syn = syn->next) {
		if (flow_equal(&syn->flow, &flow->flow) && syn->options.has_wscale && syn->options.wscale > most)
			most = syn->options.wscale;
	}
	return most > TCP_WSCALE_MAX ? TCP_WSCALE_MAX : most;
}

/* ---- what arrives ------------------------------------------------------------------------------------------------
 */

static void widen(struct wire_flow *flow, seq_t edge)
{
	if (!flow->has_edge || seq_gt(edge, flow->edge))
		flow->edge = edge;
	flow->has_edge = true;
}

static void note_syn(struct wire *wire, const struct sight *sight)
{
	struct wire_syn *syn = find_syn(wire, &sight->flow, sight->seg.seq);

	if (syn) {
		syn->options.tsval = sight->seg.options.tsval;
		return;
	}
	syn = calloc(1, sizeof(*syn));
	if (!syn)
		abort();
	syn->flow = sight->flow;
	syn->seq = sight->seg.seq;
	syn->window = sight->seg.window;
	syn->options = sight->seg.options;
	syn->text_bytes = sight->seg.payload_bytes;
	syn->first_tsval = sight->seg.options.tsval;
	syn->next = wire->syns;
	wire->syns = syn;
}

static void note_timestamp(struct wire_flow *flow, uint32_t tsval)
{
	if (!flow->has_ts)
		flow->ts_min = flow->ts_max = tsval;
	if ((int32_t)(tsval - flow->ts_max) > 0)
		flow->ts_max = tsval;
	if ((int32_t)(tsval - flow->ts_min) < 0)
		flow->ts_min = tsval;
	flow->has_ts = true;
}

void wire_in(struct wire *wire, const struct impair_packet *packet)
{
	struct wire_flow *flow;
	struct sight sight;
	const struct tcp_segment *seg = &sight.seg;
	uint32_t scale;

	if (!look(wire, packet, false, &sight))
		return;
	if (seg->flags & TCP_SYN)
		note_syn(wire, &sight);
	/* Without an ACK it could be for any of them: it counts for all. */
	for (flow = wire->flows; flow; flow = flow->next) {
		if (!flow_equal(&flow->flow, &sight.flow))
			continue;
		if (tcp_segment_length(seg) > 0)
			spans_add(&flow->arrived, seg->seq, seq_add(seg->seq, tcp_segment_length(seg)));
		if (seg->options.has_timestamps)
			note_timestamp(flow, seg->options.tsval);
		if (!(seg->flags & TCP_ACK) || seq_lt(seg->ack, flow->iss) || seq_gt(seg->ack, flow->snd_max))
			continue;
		scale = seg->flags & TCP_SYN ? 0 : scale_in(wire, flow);
		widen(flow, seq_add(seg->ack, (uint32_t)seg->window << scale));
		flow->una = seq_max(flow->una, seg->ack);
	}
}

void wire_reborn(struct wire *wire, const struct impair_packet *packet)
{
	struct wire_flow *flow = NULL;
	struct sight sight;

	if (look(wire, packet, false, &sight))
		flow = find(wire, &sight.flow, seq_sub(sight.seg.ack, 1));
	WATCH_CHECK(flow && seq_eq(flow->iss, seq_sub(sight.seg.ack, 1)));
	flow->snd_max = seq_add(flow->iss, 1);
	flow->has_fin = flow->has_ack = false;
	flow->notes = (struct wire_notes){ .owes_ack_since = INSTANT_NEVER };
}

/* ---- what leaves -------------------------------------------------------------------------------------------------
 */

/* The host has answered this SYN: from now on both ends are known. */
static void meet(struct wire *wire, struct wire_flow *flow, seq_t ack)
{
	const struct wire_syn *syn = find_syn_acked(wire, &flow->flow, ack);
	seq_t irs;

	if (!syn)
		return;
	irs = syn->seq;
	flow->met = true;
	flow->agreed_by = syn->options;
	spans_add(&flow->arrived, irs, seq_add(irs, 1 + syn->text_bytes));
	widen(flow, seq_add(flow->iss, 1u + syn->window));
	if (syn->options.has_timestamps) {
		note_timestamp(flow, syn->first_tsval);
		note_timestamp(flow, syn->options.tsval);
	}
}

static struct wire_flow *open(struct wire *wire, const struct sight *sight)
{
	struct wire_flow *flow = find(wire, &sight->flow, sight->seg.seq);

	if (!flow || !seq_eq(flow->iss, sight->seg.seq)) {
		flow = calloc(1, sizeof(*flow));
		if (!flow)
			abort();
		flow->flow = sight->flow;
		flow->iss = flow->una = sight->seg.seq;
		flow->snd_max = seq_add(flow->iss, 1);
		flow->notes.owes_ack_since = INSTANT_NEVER;
		flow->next = wire->flows;
		wire->flows = flow;
	}
	flow->offered = sight->seg.options; /* a SYN-ACK may take back what a SYN of simultaneous open offered */
	if (sight->seg.flags & TCP_ACK)
		meet(wire, flow, sight->seg.ack);
	return flow;
}

static void judge_text(const struct wire_flow *flow, const struct sight *sight)
{
	const struct tcp_segment *seg = &sight->seg;
	seq_t start = seg->flags & TCP_SYN ? seq_add(seg->seq, 1) : seg->seq;
	seq_t end = seq_add(start, seg->payload_bytes);
	uint64_t position = (uint32_t)seq_diff(start, seq_add(flow->iss, 1));
	uint64_t key = stream_key(flow->iss.v, flow->flow.local_port, flow->flow.remote_port);

	if (seg->payload_bytes == 1 && seq_leq(end, flow->una))
		return; /* of a keep-alive: "garbage" (RFC 9293 section 3.8.4) */
	/* Nothing beyond the window, but the octet that probes a closed one. */
	if (!(seg->flags & TCP_SYN))
		WATCH_CHECK(flow->has_edge && seq_leq(end, seq_add(flow->edge, seg->payload_bytes == 1 ? 1 : 0)));
	/* What was promised to be the end is. */
	WATCH_CHECK(!flow->has_fin || seq_leq(end, flow->fin));
	for (uint32_t i = 0; i < seg->payload_bytes; i++)
		WATCH_CHECK(seg->payload[i] == stream_pattern(key, position + i));
}

/* RFC 9293 section 3.7.1, RFC 6691: text and options fit into the peer's MSS. */
static void judge_size(const struct wire_flow *flow, const struct sight *sight)
{
	uint32_t text = sight->packet->gso_bytes > 0 ? sight->packet->gso_bytes : sight->seg.payload_bytes;
	uint32_t options = (uint32_t)(sight->seg.payload - (sight->packet->bytes + ETHERNET_HEADER_BYTES)) -
	                   (sight->packet->is_ipv6 ? 40 : 20) - TCP_HEADER_BYTES;
	uint32_t mss = sight->packet->is_ipv6 ? 1220 : 536;

	if (flow->agreed_by.has_mss)
		mss = flow->agreed_by.mss;
	WATCH_CHECK(text + options <= mss);
}

static void judge_ack(struct wire_flow *flow, const struct sight *sight)
{
	const struct tcp_segment *seg = &sight->seg;
	uint32_t scale = seg->flags & TCP_SYN ? 0 : scale_out(flow);
	seq_t edge = seq_add(seg->ack, (uint32_t)seg->window << scale);

	/* All before it has arrived. */
	WATCH_CHECK(spans_have(&flow->arrived, seq_sub(seg->ack, 1), seg->ack));
	if (flow->has_ack) {
		WATCH_CHECK(seq_eq(seg->ack, flow->ack) || spans_have(&flow->arrived, flow->ack, seg->ack));
		WATCH_CHECK(seq_geq(seg->ack, flow->ack));
		/* SHLD-14: the window does not shrink, but for what its scale rounds off. */
		/* A SYN-ACK with a cookie knows nothing of the one before it. */
		WATCH_CHECK((seg->flags & TCP_SYN) || seq_geq(seq_add(edge, (1u << scale) - 1), flow->adv));
	}
	flow->adv = flow->has_ack && !(seg->flags & TCP_SYN) ? seq_max(flow->adv, edge) : edge;
	flow->ack = seg->ack;
	flow->has_ack = true;
}

static void judge_sack(const struct wire_flow *flow, const struct tcp_segment *seg)
{
	WATCH_CHECK(seg->options.sack_count == 0 ||
	            both(flow, flow->offered.sack_permitted, flow->agreed_by.sack_permitted));
	for (int i = 0; i < seg->options.sack_count; i++) {
		const struct tcp_sack_block *block = &seg->options.sack[i];
		bool duplicate = i == 0 && seq_leq(block->end, seg->ack);

		WATCH_CHECK(spans_have(&flow->arrived, block->start, block->end));
		WATCH_CHECK(duplicate || seq_gt(block->start, seg->ack)); /* RFC 2018 section 4; RFC 2883 */
	}
}

/* RFC 7323 section 3.2: once agreed, on every segment; ours run on, the peer's are echoed. */
static void judge_timestamps(struct wire_flow *flow, const struct tcp_segment *seg)
{
	if (!(seg->flags & TCP_SYN))
		WATCH_CHECK(seg->options.has_timestamps ==
		            both(flow, flow->offered.has_timestamps, flow->agreed_by.has_timestamps));
	if (!seg->options.has_timestamps)
		return;
	WATCH_CHECK(!flow->has_tsval || (int32_t)(seg->options.tsval - flow->tsval) >= 0);
	flow->tsval = seg->options.tsval;
	flow->has_tsval = true;
	if (seg->flags & TCP_ACK)
		WATCH_CHECK(flow->has_ts && (int32_t)(seg->options.tsecr - flow->ts_min) >= 0 &&
		            (int32_t)(seg->options.tsecr - flow->ts_max) <= 0);
}

static void note_sent(struct wire_flow *flow, const struct tcp_segment *seg)
{
	seq_t end = seq_add(seg->seq, tcp_segment_length(seg));

	flow->snd_max = seq_max(flow->snd_max, end);
	if (seg->flags & TCP_FIN) {
		WATCH_CHECK(!flow->has_fin || seq_eq(flow->fin, seq_sub(end, 1)));
		WATCH_CHECK(seq_geq(end, flow->snd_max));
		flow->fin = seq_sub(end, 1);
		flow->has_fin = true;
	}
}

void wire_out(struct wire *wire, const struct impair_packet *packet)
{
	struct wire_flow *flow;
	struct sight sight;
	const struct tcp_segment *seg = &sight.seg;

	if (!look(wire, packet, true, &sight) || (seg->flags & TCP_RST))
		return;
	wire->segments++;
	flow = seg->flags & TCP_SYN ? open(wire, &sight) : find(wire, &sight.flow, seg->seq);
	WATCH_CHECK(flow); /* there is no gap in what is sent, and nothing without a handshake */
	WATCH_CHECK(seg->flags & (TCP_SYN | TCP_ACK));
	if (!flow->met && (seg->flags & TCP_ACK))
		meet(wire, flow, seg->ack);
	if (seg->payload_bytes > 0)
		judge_text(flow, &sight);
	if (flow->met) {
		wire->judged++;
		if (seg->payload_bytes > 0)
			judge_size(flow, &sight);
		if (seg->flags & TCP_ACK)
			judge_ack(flow, &sight);
		judge_sack(flow, seg);
		judge_timestamps(flow, seg);
	}
	note_sent(flow, seg);
}

struct wire_notes *wire_notes(const struct wire *wire, const struct flow *flow, uint32_t iss, uint32_t *ret_ack)
{
	struct wire_flow *found = find(wire, flow, SEQ(iss));

	if (!found || found->iss.v != iss || !found->has_ack)
		return NULL;
	*ret_ack = found->ack.v;
	return &found->notes;
}

void wire_end(struct wire *wire)
{
	struct wire_flow *flow;
	struct wire_syn *syn;

	while ((flow = wire->flows)) {
		wire->flows = flow->next;
		free(flow->arrived.span);
		free(flow);
	}
	while ((syn = wire->syns)) {
		wire->syns = syn->next;
		free(syn);
	}
}
