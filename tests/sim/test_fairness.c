/* Every algorithm that is built, and the core's Reno: two flows of one share the line fairly, and how each pair
 * shares it is printed. An algorithm that is new in plugins/congestion is in the table by itself.
 *
 * Those that go by marks get a queue that marks, of both kinds: where flows of theirs are alone, and where they are
 * not, it is the same queue for both. */
#include "contest.h"

#include <math.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>

#include <cmocka.h>

#define MOST 16
#define JAIN_LEAST 0.9
#define LINE 2500000 /* bytes a second */

struct contestant {
	const struct tapstack_plugin *plugin; /* NULL: the core's Reno */
	const char *name;
	bool marks; /* wants a queue that marks early */
};

static uint32_t contestants(struct contestant *ret)
{
	const struct tapstack_plugin *plugins[MOST];
	uint32_t count = contest_plugins(plugins, MOST - 1);

	ret[0] = (struct contestant){ .name = "reno" };
	for (uint32_t i = 0; i < count; i++) {
		const struct tapstack_cc_ops *ops = plugins[i]->ops;

		ret[1 + i] = (struct contestant){ .plugin = plugins[i],
			                          .name = plugins[i]->name,
			                          .marks = strcmp(plugins[i]->name, "dctcp") == 0 ||
			                                   (ops->flags & TAPSTACK_CC_ECT1) != 0 };
	}
	return count + 1;
}

/* 20 Mbit/s, 20 ms: a queue of 1.5 times that, or one that marks what waits longer than 2 ms. */
static struct contest *run(const struct contestant *a, const struct contestant *b, struct duration later,
                           struct duration length)
{
	struct contest_path path = { .bytes_per_s = LINE, .rtt = DURATION_MS(20), .buffer_bytes = 75000 };
	struct contest_flow flows[2] = { { .plugin = a->plugin }, { .plugin = b->plugin, .start = later } };
	struct contest *contest;

	if (a->marks || b->marks) {
		path.discipline = IMPAIR_STEP;
		path.target = DURATION_MS(2);
	}
	flows[0].ecn = a->marks ? STACK_ECN_REQUEST : STACK_ECN_OFF;
	flows[1].ecn = b->marks ? STACK_ECN_REQUEST : STACK_ECN_OFF;
	contest = contest_begin(&path, flows, 2, DURATION_MS(20), 1);
	contest_run(contest, length);
	return contest;
}

static void test_two_of_one(void **state)
{
	const struct duration end = DURATION_S(14), begin = DURATION_S(4);
	struct contestant all[MOST];
	uint32_t count = contestants(all), bad = 0;

	(void)state;
	assert_true(count > 3);
	for (uint32_t i = 0; i < count; i++) {
		struct contest *contest = run(&all[i], &all[i], DURATION_MS(500), end);
		double jain = contest_jain(contest, begin, end);
		struct contest_bottleneck line = contest_bottleneck(contest, begin, end);

		contest_print(contest, all[i].name, begin, end);
		if (jain < JAIN_LEAST || line.utilisation < 0.85) {
			print_message("%s: Jain's index %.3f, at least %.2f is expected; line used %.1f %%\n",
			              all[i].name, jain, JAIN_LEAST, 100 * line.utilisation);
			bad++;
		}
		contest_end(contest);
	}
	assert_int_equal(bad, 0);
}

/* Rows: what the flow of this algorithm gets of the line beside one of that column's, in per cent. */
static void test_pairs(void **state)
{
	const struct duration end = DURATION_S(6), begin = DURATION_S(2);
	struct contestant all[MOST];
	uint32_t count = contestants(all), every = SIM_SANITIZED ? 11 : 1, n = 0;
	double share[MOST][MOST];

	(void)state;
	for (uint32_t i = 0; i < count; i++) {
		for (uint32_t j = i; j < count; j++) {
			struct contest *contest;
			double a, b;

			share[i][j] = share[j][i] = NAN;
			if (n++ % every != 0)
				continue;
			contest = run(&all[i], &all[j], DURATION_S(0), end);
			a = contest_goodput(contest, 0, begin, end);
			b = contest_goodput(contest, 1, begin, end);
			assert_true(a + b > 0.5 * LINE); /* none brings the line to a halt */
			share[i][j] = 100 * a / (a + b);
			share[j][i] = 100 - share[i][j];
			contest_end(contest);
		}
	}
	printf("share of the line, in per cent:\n%-10s", "");
	for (uint32_t i = 0; i < count; i++)
		printf(" %9s", all[i].name);
	for (uint32_t i = 0; i < count; i++) {
		printf("\n%-10s", all[i].name);
		for (uint32_t j = 0; j < count; j++)
			printf(" %9.1f", share[i][j]);
	}
	printf("\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_two_of_one),
		cmocka_unit_test(test_pairs),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
