/* The counters of AccECN without a connection: RFC 9768 sections 3.2.2 and 3.2.3, appendix A. */
#include "core/tcp/accecn.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#define MSS 1000u

static void ace_is_three_bits(void **state)
{
	(void)state;
	for (uint32_t cep = 0; cep < 20; cep++)
		assert_int_equal(accecn_ace(accecn_ace_flags(cep)), cep % 8);
	assert_int_equal(accecn_ace_flags(4), TCP_AE);
	assert_int_equal(accecn_ace_flags(2), TCP_CWR);
	assert_int_equal(accecn_ace_flags(1), TCP_ECE);
	assert_int_equal(accecn_ace(TCP_ACK | TCP_PSH | TCP_FIN), 0);
}

/* Section 3.2.2.5.1: arrival after arrival, is an ACK due at once? */
static void when_to_ack(void **state)
{
	static const struct {
		const char *what;
		struct {
			enum ip_ecn ecn;
			uint32_t packets, bytes;
			bool unacked, acked_before, now;
		} step[6];
	} table[] = {
		{ "the first CE, on data",
		  { { IP_ECT0, 1, 100, true, false, false },
		    { IP_CE, 1, 100, true, false, true },
		    { IP_ECT0, 1, 100, true, true, false },
		    { IP_CE, 1, 100, true, false, true } } },
		{ "the second in a row", { { IP_CE, 1, 1, true, false, true }, { IP_CE, 1, 1, true, false, true } } },
		{ "the second since the last ACK",
		  { { IP_CE, 1, 1, true, false, true },
		    { IP_CE, 1, 1, true, true, false },
		    { IP_CE, 1, 1, true, false, true } } },
		{ "the third without data",
		  { { IP_CE, 1, 0, false, false, false },
		    { IP_CE, 1, 0, false, false, false },
		    { IP_CE, 1, 0, false, false, true } } },
		{ "a mark on something without data is what a change is measured by",
		  { { IP_CE, 1, 0, true, false, false }, { IP_CE, 1, 9, true, true, false } } },
		{ "a super-frame",
		  { { IP_CE, 300, 300, true, false, true }, { IP_NOT_ECT, 1, 1, true, false, false } } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct accecn_receiver receiver;

		print_message("%s\n", table[i].what);
		accecn_receiver_init(&receiver);
		for (int s = 0; s < 6 && table[i].step[s].packets; s++) {
			if (table[i].step[s].acked_before)
				accecn_acked(&receiver);
			assert_int_equal(accecn_arrived(&receiver, table[i].step[s].ecn, table[i].step[s].packets,
			                                table[i].step[s].bytes, table[i].step[s].unacked),
			                 table[i].step[s].now);
		}
	}
}

static void counts_packets_and_bytes(void **state)
{
	struct accecn_receiver receiver;

	(void)state;
	accecn_receiver_init(&receiver);
	assert_int_equal(receiver.cep, 5);
	accecn_arrived(&receiver, IP_CE, 10, 9500, true);
	accecn_arrived(&receiver, IP_CE, 1, 0, true);
	accecn_arrived(&receiver, IP_ECT0, 3, 3000, true);
	accecn_arrived(&receiver, IP_ECT1, 2, 200, true);
	accecn_arrived(&receiver, IP_NOT_ECT, 1, 50, true);
	assert_int_equal(receiver.cep, 16);
	assert_int_equal(receiver.ceb, 9500);
	assert_int_equal(receiver.e0b, 3001);
	assert_int_equal(receiver.e1b, 201);
}

static void option_fields(void **state)
{
	static const struct tcp_sack_block block = { { 1 }, { 2 } };
	static const struct {
		const char *what;
		uint8_t arrive[3], then[3]; /* enum ip_ecn + 1, before and after the first option */
		uint8_t sacks, others;      /* in the way of the second option */
		bool wanted, shown;
		uint8_t order, count;
	} table[] = {
		{ "nothing new, nothing", { 0 }, { 0 }, 0, 0, false, false, 0, 0 },
		{ "nothing new, but wanted: all", { 0 }, { 0 }, 0, 0, true, true, 0, 3 },
		{ "only ECT(0)", { 3 }, { 3 }, 0, 0, false, true, 0, 1 },
		{ "only ECT(1)", { 2 }, { 2 }, 0, 0, false, true, 1, 1 },
		{ "ECT(0) and CE", { 3, 4 }, { 3 }, 0, 0, false, true, 0, 2 },
		{ "CE first of all", { 0 }, { 4 }, 0, 0, false, true, 0, 2 },
		{ "ECT(1) and CE", { 2 }, { 4 }, 0, 0, false, true, 1, 2 },
		{ "all of them", { 2, 3, 4 }, { 3 }, 0, 0, false, true, 0, 3 },
		{ "two SACK blocks: what is new comes first", { 2, 3, 4 }, { 2 }, 2, 0, false, true, 1, 2 },
		{ "two SACK blocks, and ECT(0) is new", { 2, 3, 4 }, { 3, 4 }, 2, 0, false, true, 0, 2 },
		{ "what is new does not fit: nothing", { 0 }, { 2, 3 }, 2, 0, false, false, 0, 0 },
		{ "not even the least fits", { 3 }, { 3 }, 2, 1, false, false, 0, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct tcp_options first = { 0 }, second = { .has_timestamps = true, .sack_count = table[i].sacks };
		struct accecn_receiver receiver;

		print_message("%s\n", table[i].what);
		second.sack[0] = second.sack[1] = block;
		second.has_wscale = table[i].others;
		accecn_receiver_init(&receiver);
		for (int a = 0; a < 3 && table[i].arrive[a]; a++)
			accecn_arrived(&receiver, table[i].arrive[a] - 1, 1, 10, true);
		if (table[i].arrive[0]) {
			assert_true(accecn_show(&receiver, false, &first));
			memset(&first, 0, sizeof(first));
			assert_false(accecn_show(&receiver, false, &first)); /* once */
		}
		for (int a = 0; a < 3 && table[i].then[a]; a++)
			accecn_arrived(&receiver, table[i].then[a] - 1, 1, 10, true);
		assert_int_equal(accecn_show(&receiver, table[i].wanted, &second), table[i].shown);
		assert_int_equal(second.has_accecn, table[i].shown);
		assert_int_equal(second.accecn_order, table[i].order);
		assert_int_equal(second.accecn_count, table[i].count);
	}
}

static void option_values_are_24_bits(void **state)
{
	struct accecn_receiver receiver;
	struct tcp_options options = { 0 };

	(void)state;
	accecn_receiver_init(&receiver);
	accecn_arrived(&receiver, IP_CE, 1, 0x1000002, true);
	accecn_arrived(&receiver, IP_ECT1, 1, 6, true);
	assert_true(accecn_show(&receiver, false, &options));
	assert_int_equal(options.accecn_order, TCP_ACCECN_ORDER_1);
	assert_int_equal(options.accecn_count, 2);
	assert_int_equal(options.accecn[0], 7);
	assert_int_equal(options.accecn[1], 2);
}

static struct accecn_news told(struct accecn_sender *sender, uint32_t ace, const struct tcp_options *options,
                               bool believe_option, uint32_t delivered_bytes, uint32_t mss)
{
	struct accecn_ack ack = { .ace = ace,
		                  .options = options,
		                  .believe_option = believe_option,
		                  .delivered_bytes = delivered_bytes,
		                  .mss = mss };

	return accecn_feedback(sender, &ack);
}

/* ---- the sender --------------------------------------------------------------------------------------------------
 */

/* Appendix A.2.1: s.cep is 5 at first. */
static void ace_without_option(void **state)
{
	static const struct {
		uint32_t ace, packets, ce_packets;
	} table[] = {
		{ 5, 1, 0 },   { 6, 1, 1 }, { 4, 7, 7 },   { 5, 7, 0 }, { 5, 8, 8 }, { 7, 9, 2 },
		{ 7, 10, 10 }, { 6, 9, 9 }, { 5, 20, 16 }, { 7, 1, 2 }, /* more marks than packets: others were
		                                                           marked, too */
	};
	static const struct tcp_options none;

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		uint32_t bytes = table[i].packets * MSS;
		struct accecn_sender sender;
		struct accecn_news news;

		print_message("ACE %u, %u packets\n", table[i].ace, table[i].packets);
		accecn_sender_init(&sender);
		sender.marking = 256;
		news = told(&sender, table[i].ace, &none, true, bytes, MSS);
		assert_int_equal(news.ce_packets, table[i].ce_packets);
		assert_int_equal(news.ce_bytes,
		                 table[i].ce_packets * MSS < bytes ? table[i].ce_packets * MSS : bytes);
		assert_int_equal(sender.cep % 8, table[i].ace);
	}
}

/* Where ACKs for many packets are the rule, they are no sign of lost ones. */
static void stretched_acks_are_no_marks(void **state)
{
	static const struct tcp_options none;
	struct accecn_sender sender;
	uint32_t marks = 0;

	(void)state;
	accecn_sender_init(&sender);
	for (int i = 0; i < 20; i++)
		told(&sender, sender.cep % 8, &none, true, 40 * MSS, MSS);
	for (int i = 0; i < 20; i++)
		marks += told(&sender, sender.cep % 8, &none, true, 40 * MSS, MSS).ce_packets;
	assert_int_equal(marks, 0);
	assert_int_equal(told(&sender, (sender.cep + 3) % 8, &none, true, 40 * MSS, MSS).ce_packets, 3);
}

/* Nor are they where hardly anything is marked; but where much is, lost ACKs may have told of more. */
static void rare_marks_do_not_wrap(void **state)
{
	static const struct tcp_options none;
	struct accecn_ack ack = { .ace = 5, .options = &none, .delivered_bytes = 20 * MSS, .mss = MSS };
	struct accecn_sender sender;

	(void)state;
	accecn_sender_init(&sender);
	assert_int_equal(accecn_feedback(&sender, &ack).ce_packets, 0);
	accecn_sender_init(&sender);
	for (int i = 0; i < 20; i++) /* every second packet */
		told(&sender, (sender.cep + 1) % 8, &none, true, 2 * MSS, MSS);
	ack.ace = sender.cep % 8;
	assert_int_equal(accecn_feedback(&sender, &ack).ce_packets, 16);
	accecn_sender_init(&sender);
	sender.marking = 256;
	ack.ace = 5;
	ack.gapless = true;
	assert_int_equal(accecn_feedback(&sender, &ack).ce_packets, 0);
}

static struct tcp_options option(uint32_t e0b, uint32_t ceb)
{
	return (struct tcp_options){ .has_accecn = true, .accecn_count = 2, .accecn = { e0b, ceb } };
}

static void option_decides_over_wraps(void **state)
{
	static const struct {
		uint32_t ace, packets, ceb, ce_packets, ce_bytes;
		bool contradiction;
	} table[] = {
		{ 5, 20, 0, 0, 0, false },        { 5, 20, 8000, 8, 8000, false },    { 7, 20, 1500, 2, 1500, false },
		{ 7, 20, 2500, 10, 2500, false }, { 6, 20, 17000, 17, 17000, false }, { 5, 3, 1000, 0, 1000, true },
		{ 5, 3, 900000, 0, 3000, true }, /* no more than what was delivered */
		{ 6, 3, 0, 1, 0, false },        /* on something without data */
	};

	(void)state;
	for (size_t i = 0; i < sizeof(table) / sizeof(table[0]); i++) {
		struct tcp_options options = option(1, table[i].ceb);
		struct accecn_sender sender;
		struct accecn_news news;

		print_message("ACE %u, %u packets, %u bytes marked\n", table[i].ace, table[i].packets, table[i].ceb);
		accecn_sender_init(&sender);
		news = told(&sender, table[i].ace, &options, true, table[i].packets * MSS, MSS);
		assert_int_equal(news.ce_packets, table[i].ce_packets);
		assert_int_equal(news.ce_bytes, table[i].ce_bytes);
		assert_int_equal(news.contradiction, table[i].contradiction);
	}
}

/* Nothing is reported twice: first by the ACE field, then by the option. */
static void estimates_are_settled(void **state)
{
	static const struct tcp_options none;
	struct tcp_options options = option(1, 1700);
	struct accecn_sender sender;
	uint32_t bytes;

	(void)state;
	accecn_sender_init(&sender);
	bytes = told(&sender, 6, &none, true, 2 * MSS, MSS).ce_bytes;
	assert_int_equal(bytes, 1000);
	bytes += told(&sender, 7, &options, true, 2 * MSS, MSS).ce_bytes;
	assert_int_equal(bytes, 1700);
	assert_int_equal(sender.cep, 7);
	/* One that is not believed changes nothing. */
	options = option(1, 9999);
	assert_int_equal(told(&sender, 7, &options, false, 2 * MSS, MSS).ce_bytes, 0);
	assert_int_equal(sender.ceb, 1700);
}

static void byte_counters_wrap(void **state)
{
	struct tcp_options options = option(1, 0xfffff0);
	struct accecn_sender sender;

	(void)state;
	accecn_sender_init(&sender);
	told(&sender, 5, &options, true, 17000 * MSS, MSS);
	options = option(1, 0x10);
	assert_int_equal(told(&sender, 6, &options, true, MSS, MSS).ce_bytes, 0x20);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(ace_is_three_bits),           cmocka_unit_test(when_to_ack),
		cmocka_unit_test(counts_packets_and_bytes),    cmocka_unit_test(option_fields),
		cmocka_unit_test(option_values_are_24_bits),   cmocka_unit_test(ace_without_option),
		cmocka_unit_test(stretched_acks_are_no_marks), cmocka_unit_test(rare_marks_do_not_wrap),
		cmocka_unit_test(option_decides_over_wraps),   cmocka_unit_test(estimates_are_settled),
		cmocka_unit_test(byte_counters_wrap),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
