#pragma once
/* What the files of `make bench-congestion` share. */
#include "contest.h"

#include <stdio.h>

#define BENCH_ALGORITHMS_MAX 32
#define BENCH_WINDOW (16u << 20)
#define BENCH_BUFFER_MIN 15000 /* bytes: ten segments */

struct bench {
	const struct tapstack_plugin *algorithm[BENCH_ALGORITHMS_MAX];
	uint32_t algorithms, cells;
	const char *folder;
	uint64_t seed;
	FILE *markdown;
};

/* A new file in the folder; ends the program when there can't be one. */
FILE *bench_open(const struct bench *bench, const char *name, const char *ending);
/* A flow that always has something to send, with ECN when the algorithm wants it. */
struct contest_flow bench_flow(const struct tapstack_plugin *plugin);
/* The buffer in bandwidth-delay products. */
struct contest_path bench_path(double mbit, double rtt_ms, double buffer_bdp, double loss);

/* bench_tables.c: goodput, queue, retransmissions and fairness over rate x RTT x loss x buffer; who gets what beside
 * whom; what a bottleneck that marks is answered with. */
void bench_grid(const struct bench *bench);
void bench_pairs(const struct bench *bench);
void bench_marks(const struct bench *bench);
/* bench_curves.c: window, bytes in flight and queue over time. */
void bench_curves(const struct bench *bench);
