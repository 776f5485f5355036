#pragma once
/* Line charts as SVG: self-contained, in colours for light and for dark surroundings, with axes, units and a legend.
 * Numbers are doubles; positions and sizes in pixels from the upper left corner. */
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

#define CHART_SERIES_MAX 10

struct chart_series {
	const char *name;    /* in the legend */
	unsigned colour;     /* 0 to 9; the same everywhere */
	int dashed;          /* not 0: a bound, say */
	const double *x, *y; /* x does not fall */
	size_t count;
};

struct chart_panel {
	double left, top, width, height;       /* of the area between the axes */
	const char *title, *x_label, *y_label; /* NULL: none */
	double x_max, y_max;                   /* both axes begin at 0 */
	struct chart_series series[CHART_SERIES_MAX];
	uint32_t count;
};

void chart_begin(FILE *file, double width, double height, const char *title, const char *subtitle);
void chart_panel(FILE *file, const struct chart_panel *panel);
/* The names of a panel's series, in one row. */
void chart_legend(FILE *file, double left, double top, const struct chart_panel *panel);
void chart_end(FILE *file);

/* A little above `value`, and round: where an axis may end. */
double chart_round_up(double value);
