#include "core/tcp/state.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

static const char *const names[] = { "CLOSED",      "LISTEN",     "SYN-SENT",   "SYN-RECEIVED",
	                             "ESTABLISHED", "FIN-WAIT-1", "FIN-WAIT-2", "CLOSE-WAIT",
	                             "CLOSING",     "LAST-ACK",   "TIME-WAIT" };

static unsigned by_name(const char *name)
{
	for (unsigned state = 0; state < TCPS_STATE_COUNT; state++)
		if (strcmp(tcp_state_name(state), name) == 0)
			return state;
	fail_msg("no state is called %s", name);
	return 0;
}

static void test_state_names(void **state)
{
	(void)state;
	for (unsigned i = 0; i < TCPS_STATE_COUNT; i++)
		assert_string_equal(tcp_state_name(i), names[i]);
	assert_string_equal(tcp_state_name(TCPS_STATE_COUNT), "?");
	assert_string_equal(tcp_state_name(UINT32_MAX), "?");
}

static void test_causes(void **state)
{
	(void)state;
	for (unsigned i = 0; i < TCP_CAUSE_COUNT; i++) {
		assert_true(strlen(tcp_cause_name(i)) > 3);
		assert_true(strlen(tcp_cause_meaning(i)) > 10);
		assert_true(strlen(tcp_cause_section(i)) > 0);
		for (unsigned j = 0; j < i; j++)
			assert_string_not_equal(tcp_cause_name(i), tcp_cause_name(j));
	}
	assert_string_equal(tcp_cause_name(CAUSE_RECEIVED_FIN), "RECEIVED_FIN");
	assert_string_equal(tcp_cause_section(CAUSE_TIMEOUT_USER), "RFC 5482");
	assert_string_equal(tcp_cause_name(TCP_CAUSE_COUNT), "?");
	assert_string_equal(tcp_cause_meaning(UINT32_MAX), "?");
	assert_string_equal(tcp_cause_section(TCP_CAUSE_COUNT), "?");
}

/* Figure 5 of RFC 9293 line by line, then what its text adds; but for the two edges that end in a listener or start
 * from one that sends (state.c says why there are none). */
static const struct {
	const char *from, *to;
} diagram[] = {
	{ "CLOSED", "LISTEN" },            /* passive OPEN */
	{ "CLOSED", "SYN-SENT" },          /* active OPEN */
	{ "LISTEN", "CLOSED" },            /* CLOSE */
	{ "SYN-SENT", "CLOSED" },          /* CLOSE */
	{ "LISTEN", "SYN-RECEIVED" },      /* rcv SYN */
	{ "SYN-SENT", "SYN-RECEIVED" },    /* rcv SYN */
	{ "SYN-SENT", "ESTABLISHED" },     /* rcv SYN,ACK */
	{ "SYN-RECEIVED", "ESTABLISHED" }, /* rcv ACK of SYN */
	{ "SYN-RECEIVED", "FIN-WAIT-1" },  /* CLOSE */
	{ "ESTABLISHED", "FIN-WAIT-1" },   /* CLOSE */
	{ "ESTABLISHED", "CLOSE-WAIT" },   /* rcv FIN */
	{ "FIN-WAIT-1", "FIN-WAIT-2" },    /* rcv ACK of FIN */
	{ "FIN-WAIT-1", "CLOSING" },       /* rcv FIN */
	{ "CLOSE-WAIT", "LAST-ACK" },      /* CLOSE */
	{ "FIN-WAIT-2", "TIME-WAIT" },     /* rcv FIN */
	{ "CLOSING", "TIME-WAIT" },        /* rcv ACK of FIN */
	{ "LAST-ACK", "CLOSED" },          /* rcv ACK of FIN */
	{ "TIME-WAIT", "CLOSED" },         /* 2MSL */
	/* note 2 of the figure: the peer's FIN acknowledges ours */
	{ "FIN-WAIT-1", "TIME-WAIT" },
	/* 3.10.7.4, eighth step */
	{ "SYN-RECEIVED", "CLOSE-WAIT" },
	/* ABORT, RST and time-outs, from anywhere */
	{ "SYN-RECEIVED", "CLOSED" },
	{ "ESTABLISHED", "CLOSED" },
	{ "FIN-WAIT-1", "CLOSED" },
	{ "FIN-WAIT-2", "CLOSED" },
	{ "CLOSE-WAIT", "CLOSED" },
	{ "CLOSING", "CLOSED" },
};

static void test_edges(void **state)
{
	bool expected[TCPS_STATE_COUNT][TCPS_STATE_COUNT] = { 0 };

	(void)state;
	for (size_t i = 0; i < sizeof(diagram) / sizeof(diagram[0]); i++)
		expected[by_name(diagram[i].from)][by_name(diagram[i].to)] = true;
	for (unsigned from = 0; from < TCPS_STATE_COUNT; from++)
		for (unsigned to = 0; to < TCPS_STATE_COUNT; to++)
			if (tcp_state_edge_allowed(from, to) != expected[from][to])
				fail_msg("%s to %s", tcp_state_name(from), tcp_state_name(to));
	assert_false(tcp_state_edge_allowed(TCPS_STATE_COUNT, TCPS_CLOSED));
	assert_false(tcp_state_edge_allowed(TCPS_CLOSED, TCPS_STATE_COUNT));
	assert_false(tcp_state_edge_allowed(TCPS_CLOSED, UINT32_MAX));
}

static unsigned longest_path(unsigned from, unsigned depth)
{
	unsigned longest = 0;

	if (from == TCPS_CLOSED)
		return 0;
	if (depth > TCPS_STATE_COUNT)
		fail_msg("the diagram has a cycle that avoids CLOSED");
	for (unsigned to = 0; to < TCPS_STATE_COUNT; to++)
		if (tcp_state_edge_allowed(from, to) && 1 + longest_path(to, depth + 1) > longest)
			longest = 1 + longest_path(to, depth + 1);
	return longest;
}

static void test_transitions_left(void **state)
{
	(void)state;
	for (unsigned i = 0; i < TCPS_STATE_COUNT; i++)
		assert_int_equal(tcp_state_transitions_left(i), longest_path(i, 0));
	assert_int_equal(tcp_state_transitions_left(TCPS_STATE_COUNT), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_state_names),
		cmocka_unit_test(test_causes),
		cmocka_unit_test(test_edges),
		cmocka_unit_test(test_transitions_left),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
