/* RFC 9293 section 3.8.5 and RFC 6093: urgent data. */
#include "dialogue.h"

#include <errno.h>

static enum stack_verdict urges(struct peer *p, uint32_t at, uint32_t length, uint16_t pointer)
{
	return peer_sends(p, (struct seg){ .flags = TCP_ACK | TCP_URG,
	                                   .seq = THEIRS(at),
	                                   .ack = OURS(1),
	                                   .length = length,
	                                   .urgent = pointer });
}

static bool was_told(struct peer *p)
{
	bool told = p->ready_flags & READY_URGENT;

	p->ready_flags = 0;
	return told;
}

/* Sends `length` octets of the pattern from our offset `at` on, urgent. */
static void sends_urgent(struct peer *p, uint32_t at, uint32_t length)
{
	uint8_t bytes[2000];

	for (uint32_t i = 0; i < length; i++)
		bytes[i] = peer_pattern(at + i);
	assert_int_equal(stack_send_urgent(p->stack, p->conn, bytes, length), length);
	peer_turn(p);
}

/* ---- RFC 9293 3.8.5 ----------------------------------------------------------------------------------------------
 */

void must_30_urgent_mechanism_exists(void **state)
{
	struct peer *p = opened(NULL, no_options);

	(void)state;
	urges(p, 1, 10, 10);
	assert_true(was_told(p));
	assert_int_equal(service_reads(p), 10);
	sends_urgent(p, 1, 10);
	hears(p, TCP_ACK | TCP_URG, 1, 10, 11);
	peer_stop(p);
}

/* Both ways, further than one segment, one window and one pointer reach. */
void must_31_urgent_data_of_any_length(void **state)
{
	struct peer *p = opened(NULL, mss_option(1000));

	(void)state;
	says(p, TCP_ACK, 1, 1000, 1);
	urges(p, 1001, 0, 65535);
	urges(p, 1001, 10, 65535);
	assert_int_equal(stack_urgent(p->stack, p->conn), 1000 + 65535);
	service_reads(p);
	urges(p, 1011, 10, 65535);
	assert_int_equal(stack_urgent(p->stack, p->conn), 65535);
	peer_ignores_rest(p);
	service_reads(p);
	peer_ignores_rest(p);
	sends_urgent(p, 1, 2000);
	sends_urgent(p, 2001, 1); /* one octet is as good */
	for (uint32_t at = 1; at < 2001; at += 1000) {
		assert_true(next_ip(p).payload[13] & TCP_URG);
		hears(p, TCP_ACK | TCP_URG, at, 1000, 1021);
	}
	hears(p, TCP_ACK | TCP_URG, 2001, 1, 1021);
	peer_stop(p);
}

void must_32_program_is_told(void **state)
{
	struct peer *p = opened(NULL, no_options);

	(void)state;
	says(p, TCP_ACK, 1, 10, 1);
	assert_false(was_told(p));
	urges(p, 11, 10, 30); /* beyond what has arrived */
	assert_true(was_told(p));
	urges(p, 21, 10, 20); /* the same end */
	assert_false(was_told(p));
	urges(p, 31, 10, 20); /* it has moved on */
	assert_true(was_told(p));
	service_reads(p);
	peer_stop_anyhow(p);
}

void must_33_program_learns_how_much_is_left(void **state)
{
	struct peer *p = opened(NULL, no_options);

	(void)state;
	assert_int_equal(stack_urgent(p->stack, p->conn), 0);
	urges(p, 1, 10, 25);
	assert_int_equal(stack_urgent(p->stack, p->conn), 25);
	assert_int_equal(stack_consume(p->stack, p->conn, 4), 0);
	assert_int_equal(stack_urgent(p->stack, p->conn), 21);
	service_reads(p);
	assert_int_equal(stack_urgent(p->stack, p->conn), 15); /* not arrived yet */
	says(p, TCP_ACK, 11, 30, 1);
	service_reads(p);
	assert_int_equal(stack_urgent(p->stack, p->conn), 0);
	peer_stop_anyhow(p);
}

/* SND.UP is the octet after the last urgent one, counted from the segment's own number. */
void must_62_pointer_names_the_octet_after(void **state)
{
	struct peer *p = opened(NULL, mss_option(1000));

	(void)state;
	sends_urgent(p, 1, 1500);
	hears(p, TCP_ACK | TCP_URG, 1, 1000, 1);
	assert_int_equal(p->last.urgent_pointer, 1500);
	hears(p, TCP_ACK | TCP_URG, 1001, 500, 1);
	assert_int_equal(p->last.urgent_pointer, 500);
	says(p, TCP_ACK, 1, 0, 1501);
	service_sends(p, 10);
	hears(p, TCP_ACK, 1501, 10, 1); /* no URG any more */
	assert_int_equal(p->last.urgent_pointer, 0);
	/* And so it is read: a pointer of 10 covers the first ten. */
	urges(p, 1, 20, 10);
	assert_int_equal(stack_urgent(p->stack, p->conn), 10);
	service_reads(p);
	peer_stop_anyhow(p);
}

/* ---- RFC 6093
 * ------------------------------------------------------------------------------------------------------ */

void rfc6093_urgent_data_stay_in_line(void **state)
{
	struct peer *p = opened(NULL, no_options);

	(void)state;
	urges(p, 1, 30, 20);
	assert_int_equal(service_reads(p), 30); /* checked octet by octet */
	peer_waits(p, DURATION_MS(100));
	hears(p, TCP_ACK, 1, 0, 31);
	peer_stop(p);
}

/* Two announcements, the second before anything was read: all of it is there. */
void rfc6093_nothing_is_overwritten(void **state)
{
	struct peer *p = opened(NULL, no_options);

	(void)state;
	urges(p, 1, 1, 1);
	urges(p, 2, 1, 1);
	urges(p, 3, 1, 1);
	assert_int_equal(stack_urgent(p->stack, p->conn), 3);
	assert_int_equal(service_reads(p), 3);
	peer_stop_anyhow(p);
}

void rfc6093_pointer_without_flag_means_nothing(void **state)
{
	struct peer *p = opened(NULL, no_options);

	(void)state;
	peer_sends(p, (struct seg){ .flags = TCP_ACK, .seq = THEIRS(1), .ack = OURS(1), .length = 9, .urgent = 9 });
	assert_false(was_told(p));
	assert_int_equal(stack_urgent(p->stack, p->conn), 0);
	assert_int_equal(service_reads(p), 9);
	peer_stop_anyhow(p);
}

void rfc6093_urgent_data_are_pushed_out(void **state)
{
	struct peer *p = opened(NULL, no_options);

	(void)state; /* a small segment that Nagle's algorithm would hold back */
	service_sends(p, 10);
	hears(p, TCP_ACK, 1, 10, 1);
	sends_urgent(p, 11, 5);
	hears(p, TCP_ACK | TCP_URG | TCP_PSH, 11, 5, 1);
	assert_int_equal(p->last.urgent_pointer, 5);
	peer_stop(p);
}
