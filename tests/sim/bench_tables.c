/* The tables of `make bench-congestion`. */
#include "bench_congestion.h"

#include <math.h>

#define PAYLOAD (1448.0 / 1514) /* of what the line carries */

struct result {
	double goodput_mbit, share; /* share: of the line */
	double queue_mean_ms, queue_p95_ms, resent, jain;
	bool has_jain;
};

/* Long enough for a hundred round trips, short enough for a table of hundreds. Measured is the second half. */
static struct duration length_of(const struct contest_path *path)
{
	double seconds = fmin(fmax(100 * (double)path->rtt.ns * 1e-9, 8), 16);

	return (struct duration){ (int64_t)(seconds * 1e9) };
}

static double jain_of(const struct bench *bench, const struct contest_path *path, const struct contest_flow *flow,
                      struct duration end)
{
	struct contest_flow flows[] = { *flow, *flow };
	struct contest *contest = contest_begin(path, flows, 2, DURATION_MS(100), bench->seed);
	double jain;

	contest_run(contest, end);
	jain = contest_jain(contest, (struct duration){ end.ns / 2 }, end);
	contest_end(contest);
	return jain;
}

static struct result measure(const struct bench *bench, const struct contest_path *path,
                             const struct tapstack_plugin *plugin, bool fairness)
{
	struct contest_flow flow = bench_flow(plugin);
	struct duration end = length_of(path), begin = { end.ns / 2 };
	struct contest *contest = contest_begin(path, &flow, 1, DURATION_MS(100), bench->seed);
	struct contest_bottleneck line;
	struct result result;
	double goodput;

	contest_run(contest, end);
	line = contest_bottleneck(contest, begin, end);
	goodput = contest_goodput(contest, 0, begin, end);
	result = (struct result){
		.goodput_mbit = goodput / 125000,
		.share = goodput / ((double)path->bytes_per_s * PAYLOAD),
		.queue_mean_ms = line.delay_mean_ms,
		.queue_p95_ms = line.delay_p95_ms,
		.has_jain = fairness,
	};
	if (line.packets > 0)
		result.resent =
		        (double)contest_retransmitted(contest, 0, begin, end) / ((double)line.bytes * PAYLOAD);
	contest_end(contest);
	if (fairness)
		result.jain = jain_of(bench, path, &flow, end);
	return result;
}

static void print_head(const struct bench *bench, const char *title)
{
	printf("\n%s\n  %-10s %9s %7s %9s %9s %8s %6s\n", title, "algorithm", "Mbit/s", "of line", "queue ms",
	       "p95 ms", "resent", "Jain");
	fprintf(bench->markdown,
	        "\n### %s\n\n| algorithm | Mbit/s | of line | queue, mean ms | p95 ms | resent | Jain, two flows |\n"
	        "| --- | ---: | ---: | ---: | ---: | ---: | ---: |\n",
	        title);
}

static void print_result(const struct bench *bench, const char *name, const struct result *result)
{
	char jain[16] = "";

	if (result->has_jain)
		snprintf(jain, sizeof(jain), "%.3f", result->jain);
	printf("  %-10s %9.2f %6.1f%% %9.2f %9.2f %7.2f%% %6s\n", name, result->goodput_mbit, 100 * result->share,
	       result->queue_mean_ms, result->queue_p95_ms, 100 * result->resent, jain);
	fprintf(bench->markdown, "| %s | %.2f | %.1f %% | %.2f | %.2f | %.2f %% | %s |\n", name, result->goodput_mbit,
	        100 * result->share, result->queue_mean_ms, result->queue_p95_ms, 100 * result->resent, jain);
	fflush(stdout);
}

/* ---- rate x RTT x loss x buffer ----------------------------------------------------------------------------------
 */

static void grid_cell(const struct bench *bench, FILE *csv, double mbit, double rtt_ms, double loss, double buffer)
{
	struct contest_path path = bench_path(mbit, rtt_ms, buffer, loss);
	char title[128];

	snprintf(title, sizeof(title), "%g Mbit/s, %g ms, %g %% loss, a buffer of %g round trips", mbit, rtt_ms,
	         100 * loss, buffer);
	print_head(bench, title);
	for (uint32_t i = 0; i < bench->algorithms; i++) {
		const char *name = bench->algorithm[i]->name;
		struct result is = measure(bench, &path, bench->algorithm[i], loss == 0);

		print_result(bench, name, &is);
		fprintf(csv, "%s,%g,%g,%g,%g,%.3f,%.4f,%.3f,%.3f,%.5f,", name, mbit, rtt_ms, loss, buffer,
		        is.goodput_mbit, is.share, is.queue_mean_ms, is.queue_p95_ms, is.resent);
		if (is.has_jain)
			fprintf(csv, "%.4f", is.jain);
		fputc('\n', csv);
	}
}

void bench_grid(const struct bench *bench)
{
	static const double mbit[] = { 5, 40 }, rtt_ms[] = { 10, 40, 120 }, loss[] = { 0, 0.001, 0.01 };
	static const double buffer[] = { 0.5, 1, 4 }; /* bandwidth-delay products */
	FILE *csv = bench_open(bench, "grid", "csv");
	uint32_t cells = 0;

	fputs("algorithm,mbit_per_s,rtt_ms,loss,buffer_bdp,goodput_mbit_per_s,share,queue_mean_ms,queue_p95_ms,"
	      "resent,jain\n",
	      csv);
	fputs("\n## Rate x RTT x loss x buffer\n\nOne flow, of which the second half is measured; Jain's index is of "
	      "two "
	      "that begin together, where nothing else loses packets.\n",
	      bench->markdown);
	for (unsigned i = 0; i < 2 * 3 * 3 * 3 && cells < bench->cells; i++) {
		unsigned b = i % 3, l = i / 3 % 3, r = i / 9 % 3, m = i / 27;

		if (l > 0 && b != 1) /* with random losses the buffer says little */
			continue;
		grid_cell(bench, csv, mbit[m], rtt_ms[r], loss[l], buffer[b]);
		cells++;
	}
	fclose(csv);
}

/* ---- one beside another ------------------------------------------------------------------------------------------
 */

static double share_of(const struct bench *bench, const struct tapstack_plugin *one,
                       const struct tapstack_plugin *other)
{
	const struct contest_path path = bench_path(20, 40, 1, 0);
	const struct duration begin = DURATION_S(10), end = DURATION_S(30);
	struct contest_flow flows[] = { bench_flow(one), bench_flow(other) };
	struct contest *contest = contest_begin(&path, flows, 2, DURATION_MS(100), bench->seed);
	double of_one, of_other;

	contest_run(contest, end);
	of_one = contest_goodput(contest, 0, begin, end);
	of_other = contest_goodput(contest, 1, begin, end);
	contest_end(contest);
	return of_one / (of_one + of_other);
}

void bench_pairs(const struct bench *bench)
{
	static const char title[] =
	        "Shares: the row's part in percent, beside the column's (20 Mbit/s, 40 ms, a buffer "
	        "of a round trip)";
	double share[BENCH_ALGORITHMS_MAX][BENCH_ALGORITHMS_MAX];
	FILE *csv = bench_open(bench, "pairs", "csv");

	printf("\n%s\n  %-10s", title, "");
	fprintf(bench->markdown, "\n## %s\n\n| |", title);
	for (uint32_t i = 0; i < bench->algorithms; i++) {
		printf(" %8s", bench->algorithm[i]->name);
		fprintf(bench->markdown, " %s |", bench->algorithm[i]->name);
	}
	fputs("\n| --- |", bench->markdown);
	for (uint32_t i = 0; i < bench->algorithms; i++)
		fputs(" ---: |", bench->markdown);
	fputs("\n", bench->markdown);
	fputs("algorithm,beside,share\n", csv);
	for (uint32_t i = 0; i < bench->algorithms; i++) {
		printf("\n  %-10s", bench->algorithm[i]->name);
		fprintf(bench->markdown, "| %s |", bench->algorithm[i]->name);
		for (uint32_t j = 0; j < bench->algorithms; j++) {
			share[i][j] =
			        j < i ? 1 - share[j][i] : share_of(bench, bench->algorithm[i], bench->algorithm[j]);
			printf(" %8.1f", 100 * share[i][j]);
			fflush(stdout);
			fprintf(bench->markdown, " %.1f |", 100 * share[i][j]);
			fprintf(csv, "%s,%s,%.4f\n", bench->algorithm[i]->name, bench->algorithm[j]->name,
			        share[i][j]);
		}
		fputs("\n", bench->markdown);
	}
	printf("\n");
	fclose(csv);
}

/* ---- marks -------------------------------------------------------------------------------------------------------
 */

void bench_marks(const struct bench *bench)
{
	static const struct {
		const char *title;
		enum impair_discipline discipline;
		int64_t target_ns;
	} queues[] = {
		{ "20 Mbit/s, 40 ms, a queue that marks above 1 ms", IMPAIR_STEP, 1000000 },
		{ "20 Mbit/s, 40 ms, CoDel that marks", IMPAIR_CODEL, 0 },
	};
	FILE *csv = bench_open(bench, "marks", "csv");

	fputs("\n## Queues that mark\n\nAlgorithms that don't ask for ECN are dropped from, or left alone.\n",
	      bench->markdown);
	fputs("queue,algorithm,goodput_mbit_per_s,share,queue_mean_ms,queue_p95_ms,resent,jain\n", csv);
	for (unsigned q = 0; q < sizeof(queues) / sizeof(queues[0]); q++) {
		struct contest_path path = bench_path(20, 40, 8, 0);

		path.discipline = queues[q].discipline;
		path.target.ns = queues[q].target_ns;
		path.ecn = true;
		print_head(bench, queues[q].title);
		for (uint32_t i = 0; i < bench->algorithms; i++) {
			struct result is = measure(bench, &path, bench->algorithm[i], true);

			print_result(bench, bench->algorithm[i]->name, &is);
			fprintf(csv, "%s,%s,%.3f,%.4f,%.3f,%.3f,%.5f,%.4f\n",
			        queues[q].discipline == IMPAIR_STEP ? "step" : "codel", bench->algorithm[i]->name,
			        is.goodput_mbit, is.share, is.queue_mean_ms, is.queue_p95_ms, is.resent, is.jain);
		}
	}
	fclose(csv);
}
