/* Owners of flows with several shards: the same for all frames of a flow, wherever they arrive. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "fixture.h"
#include "shard/private.h"

#include <string.h>

enum { FRAME = 14 + 20 + 20 };

static void put16(uint8_t *bytes, uint32_t value)
{
	bytes[0] = (uint8_t)(value >> 8);
	bytes[1] = (uint8_t)value;
}

/* An IPv4 packet of TCP from 192.0.2.1 to 192.0.2.2. */
static void packet(uint8_t *at, uint32_t source_port, uint32_t destination_port)
{
	memset(at, 0, 40);
	at[0] = 0x45;
	at[9] = 6;
	memcpy(at + 12, "\xc0\x00\x02\x01\xc0\x00\x02\x02", 8);
	put16(at + 20, source_port);
	put16(at + 22, destination_port);
}

static struct frame_in tcp_frame(uint8_t bytes[FRAME], uint32_t source_port, uint32_t destination_port)
{
	memset(bytes, 0, FRAME);
	put16(bytes + 12, 0x0800);
	packet(bytes + 14, source_port, destination_port);
	return (struct frame_in){ .bytes = bytes, .length = FRAME };
}

static uint32_t owner(const struct fixture *f, uint32_t here, const struct frame_in *frame)
{
	bool everybody;
	uint32_t index = forward_owner(f->shards, here, frame, &everybody);

	assert_false(everybody);
	return index;
}

static void flows_have_one_owner(void **state)
{
	unsigned owned[4] = { 0 };
	uint8_t bytes[FRAME];
	struct frame_in frame;
	struct fixture f;

	(void)state;
	fixture_open(&f, 4, (struct duration){ 0 });
	for (uint32_t port = 1024; port < 5024; port++) {
		frame = tcp_frame(bytes, port, 80);
		owned[owner(&f, 0, &frame)]++;
		for (uint32_t here = 1; here < 4; here++)
			assert_int_equal(owner(&f, here, &frame), owner(&f, 0, &frame));
	}
	for (unsigned i = 0; i < 4; i++)
		assert_in_range(owned[i], 800, 1200);
	/* Connections opened from here: by the range of local ports. 49152 to 65535 in four parts of 4096. */
	for (uint32_t i = 0; i < 4; i++) {
		frame = tcp_frame(bytes, 80, 49152 + i * 4096);
		assert_int_equal(owner(&f, 0, &frame), i);
		frame = tcp_frame(bytes, 80, 49152 + i * 4096 + 4095);
		assert_int_equal(owner(&f, 0, &frame), i);
	}
	fixture_close(&f);
}

static void what_has_no_owner_stays(void **state)
{
	uint8_t bytes[FRAME], icmp[14 + 20 + 8 + 40] = { 0 };
	struct frame_in frame, quoted = { .bytes = icmp, .length = sizeof(icmp) };
	struct fixture f;
	bool everybody;

	(void)state;
	fixture_open(&f, 4, (struct duration){ 0 });
	frame = tcp_frame(bytes, 1, 2);
	put16(bytes + 20, 0x2000); /* a fragment */
	assert_int_equal(owner(&f, 3, &frame), 3);
	for (uint32_t length = 0; length < 14 + 20 + 4; length++) {
		frame = tcp_frame(bytes, 1, 2);
		frame.length = length;
		assert_int_equal(owner(&f, 3, &frame), 3);
	}
	put16(bytes + 12, 0x86dd);
	frame.length = FRAME;
	assert_int_equal(owner(&f, 2, &frame), 2);
	/* An ARP reply is for all. */
	put16(bytes + 12, 0x0806);
	put16(bytes + 20, 2);
	assert_int_equal(forward_owner(f.shards, 1, &frame, &everybody), 1);
	assert_true(everybody);
	put16(bytes + 20, 1);
	assert_int_equal(owner(&f, 1, &frame), 1);
	/* An ICMP error goes to the owner of the flow that it quotes, ours being the source there. */
	put16(icmp + 12, 0x0800);
	icmp[14] = 0x45;
	icmp[14 + 9] = 1;
	icmp[14 + 20] = 3;
	packet(icmp + 14 + 28, 49152 + 2 * 4096, 80);
	assert_int_equal(owner(&f, 0, &quoted), 2);
	icmp[14 + 20] = 8; /* an echo request that looks like it */
	assert_int_equal(owner(&f, 0, &quoted), 0);
	fixture_close(&f);
}

/* TCP over IPv6 behind `extensions` destination-option headers, from 2001:db8::1 to 2001:db8::2. */
static size_t packet6(uint8_t *at, unsigned extensions, uint32_t source_port, uint32_t destination_port)
{
	uint8_t *p = at + 40;

	memset(at, 0, 40 + extensions * 8 + 20);
	at[0] = 0x60;
	at[6] = extensions > 0 ? 60 : 6;
	memcpy(at + 8, "\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\1\x20\x01\x0d\xb8\0\0\0\0\0\0\0\0\0\0\0\2", 32);
	for (unsigned i = 0; i < extensions; i++, p += 8)
		p[0] = i + 1 < extensions ? 60 : 6;
	put16(p, source_port);
	put16(p + 2, destination_port);
	return (size_t)(p + 20 - at);
}

static void ipv6_flows_have_one_owner(void **state)
{
	uint8_t bytes[14 + 40 + 80 + 20 + 100] = { 0 };
	struct frame_in frame = { .bytes = bytes };
	unsigned owned[4] = { 0 };
	struct fixture f;
	bool everybody;

	(void)state;
	fixture_open(&f, 4, (struct duration){ 0 });
	put16(bytes + 12, 0x86dd);
	for (uint32_t port = 1024; port < 5024; port++) {
		uint32_t plain;

		frame.length = (uint32_t)(14 + packet6(bytes + 14, 0, port, 80));
		plain = owner(&f, 0, &frame);
		owned[plain]++;
		frame.length = (uint32_t)(14 + packet6(bytes + 14, 3, port, 80));
		assert_int_equal(owner(&f, 1, &frame), plain);
	}
	for (unsigned i = 0; i < 4; i++)
		assert_in_range(owned[i], 800, 1200);
	/* cut short anywhere, or behind too many headers: it stays */
	frame.length = (uint32_t)(14 + packet6(bytes + 14, 2, 1, 49152));
	assert_int_equal(owner(&f, 3, &frame), 0);
	for (frame.length -= 17; frame.length > 0; frame.length--)
		assert_int_equal(owner(&f, 3, &frame), 3);
	frame.length = (uint32_t)(14 + packet6(bytes + 14, 9, 1, 49152));
	assert_int_equal(owner(&f, 3, &frame), 3);
	/* an error goes to the owner of the flow that it quotes, ours being the source there */
	packet6(bytes + 14, 0, 0, 0);
	bytes[14 + 6] = 58;
	bytes[14 + 40] = 2;
	frame.length = (uint32_t)(14 + 48 + packet6(bytes + 14 + 48, 0, 49152 + 2 * 4096, 80));
	assert_int_equal(owner(&f, 0, &frame), 2);
	bytes[14 + 40] = 128;
	assert_int_equal(owner(&f, 0, &frame), 0);
	/* advertisements are for all, solicitations for whoever gets them */
	for (unsigned type = 129; type <= 137; type++) {
		bytes[14 + 40] = (uint8_t)type;
		assert_int_equal(forward_owner(f.shards, 1, &frame, &everybody), 1);
		assert_int_equal(everybody, type == 130 || type == 134 || type == 136);
	}
	/* but who asks whether an address is free asks every shard */
	memset(bytes + 14 + 8, 0, 16);
	bytes[14 + 40] = 135;
	assert_int_equal(forward_owner(f.shards, 1, &frame, &everybody), 1);
	assert_true(everybody);
	fixture_close(&f);
}

static void frames_reach_their_owner(void **state)
{
	struct shard_status status;
	uint8_t bytes[FRAME];
	struct fixture f;

	(void)state;
	fixture_open(&f, 2, (struct duration){ 0 });
	for (unsigned i = 0; i < LINK_BATCH_MAX; i++) {
		/* The first half belongs to shard 0, the second to shard 1; all arrive at shard 0. */
		tcp_frame(bytes, 1000, i < LINK_BATCH_MAX / 2 ? 50000 : 60000);
		memcpy(f.link->queue[0].bytes[i], bytes, FRAME);
	}
	assert_int_equal(shards_start(f.shards), 0);
	fake_link_arrive(f.link, 0, LINK_BATCH_MAX);
	WAIT_FOR(&f, fake_stack(f.shards, 1)->inputs == LINK_BATCH_MAX / 2);
	assert_int_equal(fake_stack(f.shards, 0)->inputs, LINK_BATCH_MAX / 2);
	shards_stop(f.shards);
	shard_get_status(shards_at(f.shards, 1), &status);
	assert_int_equal(status.forwarded_in, LINK_BATCH_MAX / 2);
	assert_int_equal(status.forward_drops, 0);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(flows_have_one_owner),
		cmocka_unit_test(what_has_no_owner_stays),
		cmocka_unit_test(ipv6_flows_have_one_owner),
		cmocka_unit_test(frames_reach_their_owner),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
