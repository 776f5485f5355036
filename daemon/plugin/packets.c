#include "plugin/packets.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

/* A shard's turn takes much less: so far behind the clock the order over all shards is right. */
#define BEHIND_NS INT64_C(20000000)

struct packets {
	struct capture *capture;
	const struct logger_options *options;
	struct tapstack_log_packet packet[PACKETS_BATCH];
	char service[PACKETS_BATCH][LOGGER_SERVICE_MAX];
};

int packets_new(const struct logger_options *options, struct packets **ret)
{
	struct packets *packets = calloc(1, sizeof(*packets));
	int r;

	if (packets == NULL)
		return -ENOMEM;
	packets->options = options;
	r = capture_new(options->capture, options->run.capture.shards, &packets->capture);
	if (r < 0) {
		free(packets);
		return r;
	}
	*ret = packets;
	return 0;
}

void packets_free(struct packets *packets)
{
	if (packets == NULL)
		return;
	capture_free(packets->capture);
	free(packets);
}

struct capture *packets_capture(struct packets *packets)
{
	return packets->capture;
}

/* What is known of its connection. */
static void translate_view(const struct packets *packets, const struct stack_view *view, char *service,
                           struct tapstack_log_packet *ret)
{
	const struct logger_names *names = &packets->options->names;
	const char *congestion;
	bool gone = view->compact && view->state == TCPS_CLOSED;

	ret->state_before = tcp_state_name(view->state_before);
	ret->state = tcp_state_name(view->state);
	if (view->connection_id == 0)
		return;
	ret->flags |= TAPSTACK_LOG_PACKET_CONNECTION | (view->compact ? TAPSTACK_LOG_PACKET_COMPACT : 0u) |
	              (gone ? TAPSTACK_LOG_PACKET_GONE : 0u);
	ret->connection_id = view->connection_id;
	ret->iss = view->iss;
	ret->irs = view->irs;
	ret->snd_una = view->snd_una;
	ret->snd_nxt = view->snd_nxt;
	ret->rcv_nxt = view->rcv_nxt;
	ret->snd_wnd = view->snd_wnd;
	ret->rcv_wnd = view->rcv_wnd;
	ret->retransmits = view->retransmits;
	ret->cwnd_bytes = view->cwnd_bytes;
	ret->ssthresh_bytes = view->ssthresh_bytes;
	ret->inflight_bytes = view->inflight_bytes;
	ret->pacing_bytes_per_s = view->pacing_bytes_per_s;
	ret->srtt_ns = view->srtt_ns;
	if (gone)
		return;
	names->service(names->context, view->service, service);
	ret->service = service;
	congestion = names->congestion(names->context, view->congestion);
	ret->congestion = congestion == NULL ? "" : congestion;
}

static void translate(const struct packets *packets, const struct capture_packet *from, char *service,
                      struct tapstack_log_packet *ret)
{
	bool in = (from->flags & CAPTURE_IN) != 0;

	*ret = (struct tapstack_log_packet){
		.struct_size = sizeof(*ret),
		.flags = (in ? TAPSTACK_LOG_PACKET_IN : 0u) |
		         ((from->flags & CAPTURE_PARTIAL_CHECKSUM) != 0 ? TAPSTACK_LOG_PACKET_CHECKSUM : 0u) |
		         ((from->flags & CAPTURE_IPV6) != 0 ? TAPSTACK_LOG_PACKET_IPV6 : 0u),
		.missed = from->missed,
		.time_ns = from->time_ns + packets->options->run.wall_offset_ns,
		.bytes = from->bytes,
		.captured = from->captured,
		.length = from->length,
		.gso_bytes = from->gso_bytes,
		.header_bytes = from->header_bytes,
		.shard = from->shard,
		.verdict = in ? stack_verdict_name(from->view.verdict) : "",
		.verdict_meaning = in ? stack_verdict_meaning(from->view.verdict) : "",
		.state_before = "",
		.state = "",
		.service = "",
		.congestion = "",
	};
	if (from->view.is_segment)
		translate_view(packets, &from->view, service, ret);
}

static int64_t until_ns(const struct packets *packets, bool all)
{
	struct timespec now;

	if (all || capture_shards(packets->capture) == 1 || capture_is_pressed(packets->capture))
		return INT64_MAX;
	clock_gettime(CLOCK_MONOTONIC, &now);
	return (int64_t)now.tv_sec * 1000000000 + now.tv_nsec - BEHIND_NS;
}

size_t packets_take(struct packets *packets, bool all, const struct tapstack_log_packet **ret)
{
	const struct capture_packet *from[PACKETS_BATCH];
	size_t count = capture_take(packets->capture, until_ns(packets, all), from, PACKETS_BATCH);

	for (size_t i = 0; i < count; i++)
		translate(packets, from[i], packets->service[i], &packets->packet[i]);
	*ret = packets->packet;
	return count;
}

void packets_release(struct packets *packets)
{
	capture_release(packets->capture);
}
