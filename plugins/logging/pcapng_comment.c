/* What the stack thought of a packet, in words. */
#include "pcapng_block.h"

#include <inttypes.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>

struct line {
	char *text;
	size_t size, length;
};

static void add(struct line *line, const char *format, ...) __attribute__((format(printf, 2, 3)));

static void add(struct line *line, const char *format, ...)
{
	va_list args;
	int length;

	if (line->length >= line->size)
		return;
	va_start(args, format);
	length = vsnprintf(line->text + line->length, line->size - line->length, format, args);
	va_end(args);
	line->length += length > 0 ? (size_t)length : 0;
}

static bool is_in(const struct tapstack_log_packet *packet)
{
	return (packet->flags & TAPSTACK_LOG_PACKET_IN) != 0;
}

/* "SYN-RECEIVED -> ESTABLISHED: ACCEPTED", "ESTABLISHED: DROP_PAWS (old timestamp (PAWS))", "ESTABLISHED: sent" */
static void add_verdict(struct line *line, const struct tapstack_log_packet *packet)
{
	if (packet->state_before[0] != '\0') {
		add(line, "%s", packet->state_before);
		if (strcmp(packet->state_before, packet->state) != 0)
			add(line, " -> %s", packet->state);
		add(line, ": ");
	}
	if (!is_in(packet))
		add(line, "sent");
	else if (strcmp(packet->verdict, "ACCEPTED") == 0)
		add(line, "ACCEPTED");
	else
		add(line, "%s (%s)", packet->verdict, packet->verdict_meaning);
}

static void add_connection(struct line *line, const struct tapstack_log_packet *packet)
{
	add(line, "; connection %" PRIu64, packet->connection_id);
	if (packet->service[0] != '\0' || packet->congestion[0] != '\0')
		add(line, " (%s%s%s)", packet->service,
		    packet->service[0] != '\0' && packet->congestion[0] != '\0' ? ", " : "", packet->congestion);
}

static void add_window(struct line *line, const struct tapstack_log_packet *packet)
{
	add(line, "; cwnd %" PRIu64, packet->cwnd_bytes);
	if (packet->ssthresh_bytes == UINT64_MAX)
		add(line, " ssthresh -");
	else
		add(line, " ssthresh %" PRIu64, packet->ssthresh_bytes);
	add(line, " inflight %" PRIu64, packet->inflight_bytes);
	if (packet->srtt_ns > 0)
		add(line, " srtt %.3f ms", (double)packet->srtt_ns / 1e6);
	else
		add(line, " srtt -");
	if (packet->pacing_bytes_per_s > 0)
		add(line, " pacing %" PRIu64 " B/s", packet->pacing_bytes_per_s);
}

static void add_variables(struct line *line, const struct tapstack_log_packet *packet)
{
	/* TIME-WAIT keeps neither ISS nor IRS. */
	bool relative = packet->iss != 0 || packet->irs != 0;
	uint32_t iss = relative ? packet->iss : 0, irs = relative ? packet->irs : 0;

	add(line, "; snd_una %" PRIu32 " snd_nxt %" PRIu32 " rcv_nxt %" PRIu32, packet->snd_una - iss,
	    packet->snd_nxt - iss, packet->rcv_nxt - irs);
	if (relative)
		add(line, " iss %" PRIu32 " irs %" PRIu32 " snd_wnd %" PRIu32 " rcv_wnd %" PRIu32, iss, irs,
		    packet->snd_wnd, packet->rcv_wnd);
	else
		add(line, " (absolute)");
	if (packet->retransmits > 0)
		add(line, " retransmits %" PRIu32, packet->retransmits);
}

static void add_offload(struct line *line, const struct tapstack_log_packet *packet)
{
	if ((packet->flags & TAPSTACK_LOG_PACKET_CHECKSUM) != 0)
		add(line, is_in(packet) ? "; checksum not complete: it comes from this machine"
		                        : "; checksum left to the link: only the pseudo-header is summed");
	if (packet->gso_bytes > 0 && packet->header_bytes > 0 && packet->length > packet->header_bytes)
		add(line, "; super-frame of %" PRIu32 " segments of up to %u bytes",
		    (packet->length - packet->header_bytes + packet->gso_bytes - 1) / packet->gso_bytes,
		    (unsigned)packet->gso_bytes);
	if (packet->missed > 0)
		add(line, "; %" PRIu64 " packets missed before it", packet->missed);
}

void pcapng_comment(const struct tapstack_log_packet *packet, char *text, size_t size)
{
	struct line line = { text, size, 0 };

	text[0] = '\0';
	add_verdict(&line, packet);
	if ((packet->flags & TAPSTACK_LOG_PACKET_CONNECTION) != 0) {
		add_connection(&line, packet);
		if ((packet->flags & TAPSTACK_LOG_PACKET_COMPACT) == 0)
			add_window(&line, packet);
		if ((packet->flags & TAPSTACK_LOG_PACKET_GONE) == 0)
			add_variables(&line, packet);
	}
	add_offload(&line, packet);
}
