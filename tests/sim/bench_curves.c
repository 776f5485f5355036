/* The curves of `make bench-congestion`: what one flow does on a path with a buffer of a round trip. */
#include "bench_congestion.h"
#include "chart.h"

#include <stdlib.h>

#define SECONDS 20
#define RTT_MS 40.0
#define MBIT 20.0
#define BDP (MBIT * 125000 * RTT_MS / 1000)
#define STEP_MS 20
#define POINTS (SECONDS * 1000 / STEP_MS + 1)
#define COLUMNS 3
#define CELL_WIDTH 330.0
#define CELL_HEIGHT 190.0

static const char subtitle[] =
        "one flow, 20 Mbit/s, round trip of 40 ms, drop-tail buffer of 100 kB (one round trip)";

struct curve {
	double at[POINTS], cwnd[POINTS], inflight[POINTS], queue[POINTS]; /* s, kB, kB, ms */
	size_t count;
};

static void take_curve(const struct bench *bench, const struct tapstack_plugin *plugin, struct curve *curve)
{
	const struct contest_path path = bench_path(MBIT, RTT_MS, 1, 0);
	struct contest_flow flow = bench_flow(plugin);
	struct contest *contest = contest_begin(&path, &flow, 1, DURATION_MS(STEP_MS), bench->seed);
	const struct contest_point *points;
	struct duration before = { 0 };
	size_t count;

	contest_run(contest, DURATION_S(SECONDS));
	count = contest_points(contest, 0, &points);
	curve->count = count < POINTS ? count : POINTS;
	for (size_t i = 0; i < curve->count; i++) {
		curve->at[i] = (double)points[i].at.ns * 1e-9;
		curve->cwnd[i] = (double)points[i].cwnd / 1000;
		curve->inflight[i] = (double)points[i].pipe / 1000;
		curve->queue[i] = i == 0 ? 0 : contest_bottleneck(contest, before, points[i].at).delay_mean_ms;
		before = points[i].at;
	}
	contest_end(contest);
}

static double highest(const double *values, size_t count)
{
	double most = 0;

	for (size_t i = 0; i < count; i++)
		most = values[i] > most ? values[i] : most;
	return most;
}

/* The product of bandwidth and delay, and that with a full buffer. */
static const double bound_x[] = { 0, SECONDS }, bound_bdp[] = { BDP / 1000, BDP / 1000 },
                    bound_full[] = { 2 * BDP / 1000, 2 * BDP / 1000 };

static struct chart_panel window_panel(const struct curve *curve)
{
	return (struct chart_panel){ .x_max = SECONDS,
		                     .series = { { "congestion window", 0, 0, curve->at, curve->cwnd, curve->count },
		                                 { "in flight", 1, 0, curve->at, curve->inflight, curve->count },
		                                 { "path", 7, 1, bound_x, bound_bdp, 2 },
		                                 { "path and buffer", 8, 1, bound_x, bound_full, 2 } },
		                     .count = 4 };
}

static void draw_one(const struct bench *bench, const struct tapstack_plugin *plugin, const struct curve *curve)
{
	struct chart_panel window = window_panel(curve);
	struct chart_panel queue = { .left = 70,
		                     .top = 400,
		                     .width = 800,
		                     .height = 120,
		                     .title = "queue",
		                     .x_label = "time, s",
		                     .y_label = "ms",
		                     .x_max = SECONDS,
		                     .series = { { "queue", 2, 0, curve->at, curve->queue, curve->count } },
		                     .count = 1 };
	char name[80], title[160];
	FILE *file;

	snprintf(name, sizeof(name), "curve-%.60s", plugin->name);
	snprintf(title, sizeof(title), "%.40s: %.100s", plugin->name, plugin->description);
	file = bench_open(bench, name, "svg");
	chart_begin(file, 900, 570, title, subtitle);
	window.left = 70;
	window.top = 100;
	window.width = 800;
	window.height = 250;
	window.y_label = "kB";
	window.y_max = chart_round_up(highest(curve->cwnd, curve->count));
	if (window.y_max < 2.2 * BDP / 1000)
		window.y_max = chart_round_up(2.2 * BDP / 1000);
	queue.y_max = chart_round_up(highest(curve->queue, curve->count));
	chart_legend(file, 70, 74, &window);
	chart_panel(file, &window);
	chart_panel(file, &queue);
	chart_end(file);
	fclose(file);
}

static void draw_all(const struct bench *bench, const struct curve *curves)
{
	uint32_t rows = (bench->algorithms + COLUMNS - 1) / COLUMNS;
	uint32_t columns = bench->algorithms < COLUMNS ? 2 : COLUMNS; /* the heading needs two */
	FILE *file = bench_open(bench, "curves", "svg");

	chart_begin(file, 40 + columns * CELL_WIDTH, 100 + rows * CELL_HEIGHT + 20, "Congestion algorithms",
	            subtitle);
	for (uint32_t i = 0; i < bench->algorithms; i++) {
		struct chart_panel panel = window_panel(&curves[i]);

		panel.left = 60 + i % COLUMNS * CELL_WIDTH;
		panel.top = 115 + i / COLUMNS * CELL_HEIGHT;
		panel.width = CELL_WIDTH - 60;
		panel.height = CELL_HEIGHT - 70;
		panel.title = bench->algorithm[i]->name;
		panel.y_label = "kB";
		panel.x_label = i + COLUMNS >= bench->algorithms ? "time, s" : NULL;
		panel.y_max = chart_round_up(3 * BDP / 1000); /* the same for all: slow start may leave it */
		chart_panel(file, &panel);
		if (i == 0)
			chart_legend(file, 20, 74, &panel);
	}
	chart_end(file);
	fclose(file);
}

void bench_curves(const struct bench *bench)
{
	struct curve *curves = calloc(bench->algorithms, sizeof(*curves));
	FILE *csv = bench_open(bench, "curves", "csv");

	if (!curves)
		abort();
	fputs("algorithm,seconds,cwnd_kB,inflight_kB,queue_ms\n", csv);
	fprintf(bench->markdown, "\n## Curves\n\nOf %s.\n\n![all](curves.svg)\n", subtitle);
	for (uint32_t i = 0; i < bench->algorithms; i++) {
		const struct tapstack_plugin *plugin = bench->algorithm[i];

		take_curve(bench, plugin, &curves[i]);
		draw_one(bench, plugin, &curves[i]);
		fprintf(bench->markdown, "\n![%s](curve-%s.svg)\n", plugin->name, plugin->name);
		for (size_t j = 0; j < curves[i].count; j++)
			fprintf(csv, "%s,%.2f,%.1f,%.1f,%.2f\n", plugin->name, curves[i].at[j], curves[i].cwnd[j],
			        curves[i].inflight[j], curves[i].queue[j]);
	}
	draw_all(bench, curves);
	fclose(csv);
	free(curves);
}
