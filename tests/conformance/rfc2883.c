/* RFC 2883: what came twice is reported. */
#include "dialogue.h"

static void assert_first_block(const struct peer *p, uint32_t start, uint32_t end)
{
	assert_true(p->last.options.sack_count > 0);
	assert_int_equal(p->last.options.sack[0].start.v, THEIRS(start));
	assert_int_equal(p->last.options.sack[0].end.v, THEIRS(end));
}

static struct peer *received_100(void)
{
	struct peer *p = opened(NULL, sack_option(1000));

	says(p, TCP_ACK, 1, 100, 1);
	peer_waits(p, DURATION_MS(100));
	hears(p, TCP_ACK, 1, 0, 101);
	assert_int_equal(p->last.options.sack_count, 0);
	assert_int_equal(service_reads(p), 100);
	return p;
}

void rfc2883_duplicate_is_reported(void **state)
{
	struct peer *p = received_100();

	(void)state;
	says(p, TCP_ACK, 1, 100, 1);
	hears(p, TCP_ACK, 1, 0, 101);
	assert_int_equal(p->last.options.sack_count, 1);
	assert_first_block(p, 1, 101);
	peer_stop(p);
}

void rfc2883_reported_once(void **state)
{
	struct peer *p = received_100();

	(void)state;
	says(p, TCP_ACK, 1, 100, 1);
	hears(p, TCP_ACK, 1, 0, 101);
	says(p, TCP_ACK, 201, 100, 1); /* ahead of a hole */
	hears(p, TCP_ACK, 1, 0, 101);
	assert_int_equal(p->last.options.sack_count, 1);
	assert_first_block(p, 201, 301);
	peer_stop(p);
}

void rfc2883_part_of_a_segment(void **state)
{
	struct peer *p = received_100();

	(void)state;
	says(p, TCP_ACK, 51, 100, 1);
	peer_waits(p, DURATION_MS(100));
	hears(p, TCP_ACK, 1, 0, 151);
	assert_first_block(p, 51, 101);
	assert_int_equal(service_reads(p), 50);
	peer_stop(p);
}

void rfc2883_duplicate_out_of_order(void **state)
{
	struct peer *p = received_100();

	(void)state;
	says(p, TCP_ACK, 201, 300, 1);
	hears(p, TCP_ACK, 1, 0, 101);
	says(p, TCP_ACK, 301, 100, 1);
	hears(p, TCP_ACK, 1, 0, 101);
	assert_int_equal(p->last.options.sack_count, 2);
	assert_first_block(p, 301, 401);
	assert_int_equal(p->last.options.sack[1].start.v, THEIRS(201));
	assert_int_equal(p->last.options.sack[1].end.v, THEIRS(501));
	peer_stop(p);
}

void rfc2883_not_without_permission(void **state)
{
	struct peer *p = opened(NULL, no_options);

	(void)state;
	says(p, TCP_ACK, 1, 100, 1);
	says(p, TCP_ACK, 1, 100, 1);
	hears(p, TCP_ACK, 1, 0, 101);
	assert_int_equal(p->last.options.sack_count, 0);
	service_reads(p);
	peer_stop(p);
}
