/* make bench-congestion: all congestion algorithms there are, over a grid of paths, against each other, and their
 * curves. On virtual time with a fixed seed, so the numbers are exact: a difference is one of the algorithm, or of
 * the core. What is printed is written as CSV, as Markdown and as SVG as well. */
#include "bench_congestion.h"

#include <errno.h>
#include <getopt.h>
#include <stdlib.h>
#include <sys/stat.h>

static void usage(FILE *file)
{
	fputs("usage: bench_congestion [options]\n"
	      "  -a NAME,NAME...  only these algorithms (default: all that are built)\n"
	      "  -o FOLDER        where the files go (default: bench-congestion)\n"
	      "  -p PART,PART...  only these of grid, pairs, marks, curves\n"
	      "  -c NUMBER        only so many cells of the grid\n"
	      "  -s SEED          another run of chance (default: 1)\n",
	      file);
}

static bool is_listed(const char *list, const char *name)
{
	size_t length = strlen(name);

	for (const char *at = list; at; at = strchr(at, ',') ? strchr(at, ',') + 1 : NULL) {
		if (strncmp(at, name, length) == 0 && (at[length] == ',' || at[length] == '\0'))
			return true;
	}
	return false;
}

FILE *bench_open(const struct bench *bench, const char *name, const char *ending)
{
	char path[4096];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s.%s", bench->folder, name, ending);
	file = fopen(path, "w");
	if (!file) {
		perror(path);
		exit(1);
	}
	return file;
}

/* What bounds the window is the algorithm: not the buffers, nor how they are tuned. */
static void tune(struct stack_tcp_config *tcp)
{
	tcp->rcvbuf_initial_bytes = tcp->rcvbuf_max_bytes = BENCH_WINDOW;
	tcp->sndbuf_initial_bytes = tcp->sndbuf_max_bytes = BENCH_WINDOW;
	tcp->rcvbuf_autotune = tcp->sndbuf_autotune = false;
}

struct contest_flow bench_flow(const struct tapstack_plugin *plugin)
{
	const struct tapstack_cc_ops *ops = plugin->ops;
	bool ecn = (ops->flags & (TAPSTACK_CC_ECT0 | TAPSTACK_CC_ECT1)) != 0;

	return (struct contest_flow){ .plugin = plugin,
		                      .ecn = ecn ? STACK_ECN_REQUEST : STACK_ECN_OFF,
		                      .tune = tune };
}

struct contest_path bench_path(double mbit, double rtt_ms, double buffer_bdp, double loss)
{
	uint64_t bytes_per_s = (uint64_t)(mbit * 125000);
	double bdp = (double)bytes_per_s * rtt_ms / 1000, buffer = bdp * buffer_bdp;

	return (struct contest_path){ .bytes_per_s = bytes_per_s,
		                      .rtt = { (int64_t)(rtt_ms * 1e6) },
		                      .buffer_bytes =
		                              (uint32_t)(buffer < BENCH_BUFFER_MIN ? BENCH_BUFFER_MIN : buffer),
		                      .loss_per_million = (uint32_t)(loss * 1e6) };
}

static void choose(struct bench *bench, const char *names)
{
	const struct tapstack_plugin *all[BENCH_ALGORITHMS_MAX];
	uint32_t count = contest_plugins(all, BENCH_ALGORITHMS_MAX);

	for (uint32_t i = 0; i < count; i++) {
		if (!names || is_listed(names, all[i]->name))
			bench->algorithm[bench->algorithms++] = all[i];
	}
}

int main(int argc, char **argv)
{
	struct bench bench = { .folder = "bench-congestion", .cells = UINT32_MAX, .seed = 1 };
	const char *parts = "grid,pairs,marks,curves", *names = NULL;
	int option;

	while ((option = getopt(argc, argv, "a:o:p:c:s:h")) != -1) {
		switch (option) {
		case 'a':
			names = optarg;
			break;
		case 'o':
			bench.folder = optarg;
			break;
		case 'p':
			parts = optarg;
			break;
		case 'c':
			bench.cells = (uint32_t)strtoul(optarg, NULL, 10);
			break;
		case 's':
			bench.seed = strtoull(optarg, NULL, 0);
			break;
		default:
			usage(option == 'h' ? stdout : stderr);
			return option == 'h' ? 0 : 2;
		}
	}
	choose(&bench, names);
	if (bench.algorithms == 0) {
		fprintf(stderr, "no algorithm of that name in %s\n", getenv("TAPSTACK_BUILDDIR"));
		return 2;
	}
	if (mkdir(bench.folder, 0777) < 0 && errno != EEXIST) {
		perror(bench.folder);
		return 1;
	}
	bench.markdown = bench_open(&bench, "congestion", "md");
	fputs("# Congestion algorithms\n\nOn the simulator, virtual time, seed ", bench.markdown);
	fprintf(bench.markdown, "%llu: exact.\n", (unsigned long long)bench.seed);
	if (is_listed(parts, "grid"))
		bench_grid(&bench);
	if (is_listed(parts, "pairs"))
		bench_pairs(&bench);
	if (is_listed(parts, "marks"))
		bench_marks(&bench);
	if (is_listed(parts, "curves"))
		bench_curves(&bench);
	fclose(bench.markdown);
	printf("written to %s\n", bench.folder);
	return 0;
}
