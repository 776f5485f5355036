#include "contest_inside.h"

#include <math.h>
#include <stdio.h>
#include <stdlib.h>

size_t contest_points(const struct contest *contest, uint32_t flow, const struct contest_point **ret_points)
{
	*ret_points = contest->racer[flow].point;
	return contest->racer[flow].count;
}

const struct contest_point *contest_at(const struct contest *contest, uint32_t flow, struct duration at)
{
	const struct racer *racer = &contest->racer[flow];
	size_t i = (size_t)(at.ns / contest->sample_every.ns);

	WATCH_CHECK(racer->count > 0);
	return &racer->point[i < racer->count ? i : racer->count - 1];
}

double contest_goodput(const struct contest *contest, uint32_t flow, struct duration from, struct duration to)
{
	const struct contest_point *first = contest_at(contest, flow, from), *last = contest_at(contest, flow, to);

	if (last->at.ns <= first->at.ns)
		return 0;
	return (double)(last->received - first->received) / ((double)(last->at.ns - first->at.ns) * 1e-9);
}

uint64_t contest_retransmitted(const struct contest *contest, uint32_t flow, struct duration from, struct duration to)
{
	return contest_at(contest, flow, to)->retransmitted - contest_at(contest, flow, from)->retransmitted;
}

double contest_jain(const struct contest *contest, struct duration from, struct duration to)
{
	double sum = 0, squares = 0;

	for (uint32_t i = 0; i < contest->count; i++) {
		double goodput = contest_goodput(contest, i, from, to);

		sum += goodput;
		squares += goodput * goodput;
	}
	return squares > 0 ? sum * sum / (contest->count * squares) : 0;
}

static int by_size(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

struct contest_bottleneck contest_bottleneck(const struct contest *contest, struct duration from, struct duration to)
{
	const struct probe *probe = contest->probe;
	int64_t *delay = calloc(probe->count + 1, sizeof(*delay));
	struct contest_bottleneck is = { 0 };
	double seconds = (double)(to.ns - from.ns) * 1e-9, sum = 0;

	WATCH_CHECK(delay && seconds > 0);
	for (size_t i = 0; i < probe->count; i++) {
		const struct passage *passage = &probe->passage[i];

		if (passage->at < from.ns || passage->at >= to.ns)
			continue;
		is.bytes += passage->bytes;
		is.marked += passage->marked;
		sum += (double)passage->delay;
		delay[is.packets++] = passage->delay;
	}
	for (size_t i = 0; i < contest->drops; i++)
		is.dropped += contest->drop[i] >= from.ns && contest->drop[i] < to.ns;
	is.utilisation = (double)is.bytes / seconds / (double)contest->line->options.bytes_per_s;
	if (is.packets > 0) {
		qsort(delay, is.packets, sizeof(*delay), by_size);
		is.delay_mean_ms = sum / (double)is.packets * 1e-6;
		is.delay_p95_ms = (double)delay[is.packets * 95 / 100] * 1e-6;
		is.delay_p99_ms = (double)delay[is.packets * 99 / 100] * 1e-6;
		is.delay_max_ms = (double)delay[is.packets - 1] * 1e-6;
	}
	free(delay);
	return is;
}

void contest_print(const struct contest *contest, const char *title, struct duration from, struct duration to)
{
	struct contest_bottleneck line = contest_bottleneck(contest, from, to);

	printf("%s: %.1f to %.1f s: line %.1f %% used, queue %.2f ms (p95 %.2f, p99 %.2f), %llu dropped, %llu "
	       "marked, "
	       "Jain %.3f\n",
	       title, (double)from.ns * 1e-9, (double)to.ns * 1e-9, 100 * line.utilisation, line.delay_mean_ms,
	       line.delay_p95_ms, line.delay_p99_ms, (unsigned long long)line.dropped,
	       (unsigned long long)line.marked, contest_jain(contest, from, to));
	for (uint32_t i = 0; i < contest->count; i++) {
		const struct contest_point *point = contest_at(contest, i, to);

		printf("  %-10s %9.1f kB/s, %8.1f kB sent again, %u time-outs, cwnd %llu, srtt %.1f ms\n",
		       contest->racer[i].tap.congestion.name, contest_goodput(contest, i, from, to) / 1000,
		       (double)contest_retransmitted(contest, i, from, to) / 1000, point->timeouts,
		       (unsigned long long)point->cwnd, (double)point->srtt.ns * 1e-6);
	}
}

/* ---- stored curves ------------------------------------------------------------------------------------------------
 */

struct curve_point {
	long ms;
	double cwnd;
};

static size_t read_curve(const char *name, struct curve_point *points, size_t most)
{
	FILE *file = fopen(name, "r");
	size_t count = 0;
	char line[128];

	if (!file) {
		perror(name);
		return 0;
	}
	while (count < most && fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%ld %lf", &points[count].ms, &points[count].cwnd) == 2)
			count++;
	}
	fclose(file);
	return count;
}

static void write_curve(const char *path, const char *name, const struct curve_point *points, size_t count)
{
	FILE *file = fopen(path, "w");

	if (!file) {
		perror(path);
		abort();
	}
	fprintf(file, "# %s: ms, cwnd in bytes\n", name);
	for (size_t i = 0; i < count; i++)
		fprintf(file, "%ld %.0f\n", points[i].ms, points[i].cwnd);
	fclose(file);
}

static bool fits(const struct curve_point *stored, size_t count, size_t i, double cwnd, double tolerance)
{
	double low = stored[i].cwnd, high = stored[i].cwnd;

	for (size_t j = i > 0 ? i - 1 : 0; j <= i + 1 && j < count; j++) {
		low = fmin(low, stored[j].cwnd);
		high = fmax(high, stored[j].cwnd);
	}
	return cwnd >= low * (1 - tolerance) && cwnd <= high * (1 + tolerance);
}

static int compare_curves(const char *name, const struct curve_point *is, size_t count,
                          const struct curve_point *stored, size_t stored_count, double tolerance)
{
	int bad = 0;

	if (count != stored_count) {
		printf("%s: %zu points, %zu are stored\n", name, count, stored_count);
		return 1;
	}
	for (size_t i = 0; i < count; i++) {
		if (is[i].ms == stored[i].ms && fits(stored, count, i, is[i].cwnd, tolerance))
			continue;
		printf("%s at %ld ms: cwnd %.0f, stored is %.0f (at %ld ms)\n", name, is[i].ms, is[i].cwnd,
		       stored[i].cwnd, stored[i].ms);
		bad++;
	}
	return bad;
}

int contest_golden(const struct contest *contest, uint32_t flow, const char *name, struct duration every,
                   double tolerance)
{
	enum { MOST = 10000 };
	const char *folder = getenv("TAPSTACK_SRCDIR");
	struct curve_point *points = calloc(2 * MOST, sizeof(*points));
	size_t count = 0, stored;
	char path[4096];
	int bad;

	WATCH_CHECK(points);
	snprintf(path, sizeof(path), "%s/tests/sim/curves/%s.txt", folder ? folder : ".", name);
	for (int64_t ns = 0; ns <= contest->sim.now.ns && count < MOST; ns += every.ns) {
		const struct contest_point *point = contest_at(contest, flow, (struct duration){ ns });

		if (point->open)
			points[count++] = (struct curve_point){ (long)(ns / 1000000), (double)point->cwnd };
	}
	if (getenv("TAPSTACK_GOLDEN_UPDATE"))
		write_curve(path, name, points, count);
	stored = read_curve(path, points + MOST, MOST);
	bad = compare_curves(name, points, count, points + MOST, stored, tolerance);
	free(points);
	return bad;
}
