/* Random worlds: hosts, connections and troubles from a seed, with all invariants checked after every turn.
 *
 * usage: test_sim [-n COUNT] [SEED]
 * Runs COUNT seeds: half of them always the same ones, from 0 on, the rest new; `make soak` runs 10000. The seed of a
 * world that fails is printed. Given, here or as TAPSTACK_TEST_SEED, it replays just that world; TAPSTACK_SIM_TRACE=1
 * prints every packet as it leaves a host, meets harm, and arrives. A seed means the same world only as long as the
 * simulator's own code, and the order of the stack's calls for memory, stay as they are. */
#include "world.h"

#include <signal.h>
#include <string.h>
#include <unistd.h>

#define RUNS (SIM_SANITIZED ? 300 : 1000)

static char running[64];

/* A trap of the core's own assertions, an abort of a check, a loop without end: the seed is what matters. */
static void tell_seed(int signal)
{
	(void)!write(STDERR_FILENO, running, strlen(running));
	_exit(128 + signal);
}

static void run(uint64_t seed, struct world_tally *tally)
{
	static struct world world;

	snprintf(running, sizeof(running), "test_sim: failed; TAPSTACK_TEST_SEED=0x%llx\n", (unsigned long long)seed);
	alarm(120);
	world_begin(&world, seed);
	world_run(&world);
	world_tally(&world, tally);
	world_end(&world);
	alarm(0);
}

int main(int argc, char **argv)
{
	static const int signals[] = { SIGILL, SIGTRAP, SIGABRT, SIGSEGV, SIGBUS, SIGFPE, SIGALRM };
	const char *given = getenv("TAPSTACK_TEST_SEED");
	unsigned long runs = RUNS;
	static struct world_tally tally;
	struct test_random random;

	for (int i = 1; i < argc; i++) {
		if (strcmp(argv[i], "-n") == 0 && i + 1 < argc)
			runs = strtoul(argv[++i], NULL, 0);
		else
			given = argv[i];
	}
	for (size_t i = 0; i < sizeof(signals) / sizeof(signals[0]); i++)
		signal(signals[i], tell_seed);
	if (given) {
		run(strtoull(given, NULL, 0), &tally);
		world_tally_print(&tally);
		return 0;
	}
	random = test_random_begin("test_sim");
	for (unsigned long i = 0; i < runs; i++)
		run(i < runs / 2 ? i : test_random_u64(&random), &tally);
	world_tally_print(&tally);
	printf("test_sim: %lu worlds\n", runs);
	return 0;
}
