/* Goodput of long transfers in a table that is compared with a stored one: by algorithm, path, and loss. All is
 * deterministic, so any difference comes from a change, and is either meant or a bug; a small one is let pass, so
 * that the table need not follow every change of a header. Some proportions must hold besides, whatever the table
 * says.
 *
 * TAPSTACK_GOLDEN_UPDATE=1 writes tests/sim/goodput.txt anew: read the difference before it is committed. */
#include "tapstack/plugin.h"
#include "transfer.h"

#include <math.h>
#include <stdlib.h>

#define SECONDS_MAX 10
#define RUN_BYTES 30000000u /* and no longer than it takes to move so much */
#define TOLERANCE 0.05
/* A cell is the mean over as many seeds as it takes to move so much, so that those where chance counts most have
 * most; but no more than SEEDS_MAX. */
#define CELL_BYTES 10000000u
#define SEEDS_MAX 4

/* It is not the numbers that are looked at in a slow build: every so-manieth row will do. */
#define EVERY (SIM_SANITIZED ? 6 : 1)

static const uint32_t harms[] = { 0, 1000, 10000, 30000 }; /* per million */
#define HARMS 4

#define PARAMS_MAX 32
static struct tapstack_param_value cubic_values[PARAMS_MAX];
static struct stack_congestion cubic = {
	.name = "cubic",
	.id = 1,
	.params = { .struct_size = sizeof(struct tapstack_params), .value = cubic_values },
};

struct way {
	const char *name;
	struct transfer_sender sender;
};
enum { RENO, RENO_NOSACK, RENO_GSO, CUBIC, CUBIC_GSO, WAYS };
static const struct way ways[WAYS] = {
	{ "reno", { .gso_bytes = 0 } },
	{ "reno-nosack", { .no_sack = true } },
	{ "reno-gso", { .gso_bytes = 65536 } },
	{ "cubic", { .congestion = &cubic } },
	{ "cubic-gso", { .congestion = &cubic, .gso_bytes = 65536 } },
};

enum { ALL = (1 << WAYS) - 1, PLAIN = 1 << RENO | 1 << CUBIC, LOSSES = PLAIN | 1 << RENO_NOSACK };
static const struct {
	struct transfer_path path;
	unsigned ways; /* bits */
} paths[] = {
	{ { "20M/1ms", 2500000, 1, 1000, IMPAIR_DROP_TAIL, false, TRANSFER_LOSS }, ALL },
	{ { "20M/20ms", 2500000, 20, 1000, IMPAIR_DROP_TAIL, false, TRANSFER_LOSS }, ALL },
	{ { "20M/100ms", 2500000, 100, 1000, IMPAIR_DROP_TAIL, false, TRANSFER_LOSS }, ALL },
	{ { "1M/50ms", 125000, 50, 1000, IMPAIR_DROP_TAIL, false, TRANSFER_LOSS }, PLAIN },
	{ { "100M/10ms", 12500000, 10, 1000, IMPAIR_DROP_TAIL, false, TRANSFER_LOSS }, PLAIN },
	{ { "20M/20ms-burst", 2500000, 20, 1000, IMPAIR_DROP_TAIL, false, TRANSFER_BURST }, LOSSES },
	{ { "20M/100ms-burst", 2500000, 100, 1000, IMPAIR_DROP_TAIL, false, TRANSFER_BURST }, LOSSES },
	{ { "20M/20ms-reorder", 2500000, 20, 1000, IMPAIR_DROP_TAIL, false, TRANSFER_REORDER }, LOSSES },
	{ { "20M/100ms-reorder", 2500000, 100, 1000, IMPAIR_DROP_TAIL, false, TRANSFER_REORDER }, LOSSES },
	{ { "20M/20ms-acks", 2500000, 20, 1000, IMPAIR_DROP_TAIL, false, TRANSFER_ACK_LOSS }, PLAIN },
	{ { "20M/50ms-shallow", 2500000, 50, 200, IMPAIR_DROP_TAIL, false, TRANSFER_LOSS }, LOSSES },
	{ { "20M/50ms-deep", 2500000, 50, 8000, IMPAIR_DROP_TAIL, false, TRANSFER_LOSS }, LOSSES },
	{ { "20M/50ms-codel", 2500000, 50, 8000, IMPAIR_CODEL, false, TRANSFER_LOSS }, PLAIN },
	{ { "20M/50ms-codel-ecn", 2500000, 50, 8000, IMPAIR_CODEL, true, TRANSFER_LOSS }, PLAIN },
};
#define PATHS (sizeof(paths) / sizeof(paths[0]))

/* Bytes a second. 0: not measured. */
typedef double table[WAYS][PATHS][HARMS];

static double measure(const struct way *way, const struct transfer_path *path, uint32_t harm)
{
	uint64_t seconds = RUN_BYTES / path->bytes_per_s, total = 0, seed = 0, bytes;

	if (seconds > SECONDS_MAX)
		seconds = SECONDS_MAX;
	while (seed < SEEDS_MAX && total < CELL_BYTES) {
		transfer_run(path, harm, &way->sender, 1, (uint32_t)seconds, ++seed, &bytes);
		total += bytes;
	}
	return (double)total / (double)(seed * seconds);
}

/* ---- the table ---------------------------------------------------------------------------------------------------
 */

static void write_table(FILE *file, table *goodput)
{
	fprintf(file, "# Goodput in kB/s within %d s, at harm (loss, unless the path says otherwise) of\n",
	        SECONDS_MAX);
	fprintf(file, "# %-12s %-20s", "algorithm", "path");
	for (int h = 0; h < HARMS; h++)
		fprintf(file, " %8.1f%%", harms[h] / 10000.0);
	fprintf(file, "\n");
	for (size_t w = 0; w < WAYS; w++) {
		for (size_t p = 0; p < PATHS; p++) {
			if (!(paths[p].ways & 1u << w))
				continue;
			fprintf(file, "%-14s %-20s", ways[w].name, paths[p].path.name);
			for (int h = 0; h < HARMS; h++)
				fprintf(file, " %9.1f", (*goodput)[w][p][h] / 1000);
			fprintf(file, "\n");
		}
	}
}

static int compare_row(const char *line, const char *way, const char *path, const double *row)
{
	char stored_way[32], stored_path[32];
	double stored[HARMS];
	int bad = 0;

	if (sscanf(line, "%31s %31s %lf %lf %lf %lf", stored_way, stored_path, &stored[0], &stored[1], &stored[2],
	           &stored[3]) != 6 ||
	    strcmp(stored_way, way) != 0 || strcmp(stored_path, path) != 0) {
		printf("%s %s: not where it is expected in the stored table\n", way, path);
		return 1;
	}
	for (int h = 0; row[0] > 0 && h < HARMS; h++) {
		double is = row[h] / 1000;

		if (fabs(is - stored[h]) <= TOLERANCE * stored[h])
			continue;
		printf("%s %s at %.1f%%: %.1f kB/s, stored are %.1f (%+.0f%%)\n", way, path, harms[h] / 10000.0, is,
		       stored[h], 100 * (is / stored[h] - 1));
		bad++;
	}
	return bad;
}

static int compare(table *goodput, const char *name)
{
	FILE *file = fopen(name, "r");
	char line[256];
	int bad = 0;

	if (!file) {
		perror(name);
		return 1;
	}
	for (int head = 0; head < 2; head++) {
		if (!fgets(line, sizeof(line), file))
			line[0] = '\0';
	}
	for (size_t w = 0; w < WAYS; w++) {
		for (size_t p = 0; p < PATHS; p++) {
			if (!(paths[p].ways & 1u << w))
				continue;
			if (!fgets(line, sizeof(line), file))
				line[0] = '\0';
			bad += compare_row(line, ways[w].name, paths[p].path.name, (*goodput)[w][p]);
		}
	}
	fclose(file);
	return bad;
}

/* ---- what must hold of any table ---------------------------------------------------------------------------------
 */

static int at_least(const char *what, double is, double should)
{
	if (is >= should)
		return 0;
	printf("%s: %.3f, at least %.3f is expected\n", what, is, should);
	return 1;
}

static int check_row(size_t w, size_t p, const double *row)
{
	double most = (double)paths[p].path.bytes_per_s * 1448 / 1514; /* the rest is headers */
	char what[96];
	int bad = 0;

	snprintf(what, sizeof(what), "%s, %s: use of a clean line", ways[w].name, paths[p].path.name);
	/* Slow start takes its part of ten seconds; without SACK, what it lost at its end is repaired one segment a
	 * round trip. */
	bad += at_least(what, row[0] / most,
	                ways[w].sender.no_sack       ? 0.55
	                : paths[p].path.rtt_ms >= 50 ? 0.75
	                                             : 0.93);
	if (paths[p].path.harm == TRANSFER_REORDER) {
		/* More of it is learnt sooner, and may do less harm. With SACK (RFC 8985, 2883) it never does much.
		 */
		snprintf(what, sizeof(what), "%s, %s: reordering is no loss", ways[w].name, paths[p].path.name);
		for (int h = 1; h < HARMS; h++)
			bad += at_least(what, row[h] / row[0], ways[w].sender.no_sack ? 0.2 : 0.45);
		return bad;
	}
	snprintf(what, sizeof(what), "%s, %s: less with more harm", ways[w].name, paths[p].path.name);
	for (int h = 1; h < HARMS; h++)
		bad += at_least(what, row[h - 1] * 1.1, row[h]);
	return bad;
}

static int check_proportions(table *goodput)
{
	int bad = 0;

	for (size_t w = 0; w < WAYS; w++) {
		for (size_t p = 0; p < PATHS; p++) {
			if ((*goodput)[w][p][0] > 0)
				bad += check_row(w, p, (*goodput)[w][p]);
		}
	}
	if (EVERY > 1)
		return bad;
	/* RFC 9438: the curve, not the round trip, sets the pace where there is room. */
	bad += at_least("cubic over reno at 100 ms and 0.1 %", (*goodput)[CUBIC][2][1] / (*goodput)[RENO][2][1], 1.1);
	bad += at_least("SACK over none at 20 ms and 1 %", (*goodput)[RENO][1][2] / (*goodput)[RENO_NOSACK][1][2],
	                0.97);
	return bad;
}

int main(void)
{
	const char *folder = getenv("TAPSTACK_SRCDIR");
	static table goodput;
	char name[4096];
	size_t row = 0;
	FILE *file;
	int bad;

	cubic.ops = tapstack_plugin.ops;
	cubic.params.count = tapstack_plugin.param_count;
	for (uint32_t i = 0; i < tapstack_plugin.param_count && i < PARAMS_MAX; i++)
		cubic_values[i].number = tapstack_plugin.params[i].initial;
	snprintf(name, sizeof(name), "%s/tests/sim/goodput.txt", folder ? folder : ".");
	for (size_t w = 0; w < WAYS; w++) {
		for (size_t p = 0; p < PATHS; p++) {
			if (!(paths[p].ways & 1u << w) || row++ % EVERY != 0)
				continue;
			for (int h = 0; h < HARMS; h++)
				goodput[w][p][h] = measure(&ways[w], &paths[p].path, harms[h]);
		}
	}
	if (getenv("TAPSTACK_GOLDEN_UPDATE") && EVERY == 1) {
		file = fopen(name, "w");
		if (!file) {
			perror(name);
			return 1;
		}
		write_table(file, &goodput);
		fclose(file);
	}
	bad = check_proportions(&goodput) + compare(&goodput, name);
	if (bad > 0)
		write_table(stdout, &goodput);
	return bad > 0;
}
