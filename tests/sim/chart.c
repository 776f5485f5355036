#include "chart.h"

#include <math.h>

#define TICKS 5

/* Okabe and Ito's colours, which colour-blind people can tell apart; lighter ones in the dark. */
static const struct {
	const char *light, *dark;
} colours[CHART_SERIES_MAX] = {
	{ "#0072b2", "#56b4e9" }, { "#d55e00", "#ff8c42" }, { "#009e73", "#2ec99b" }, { "#cc79a7", "#e79ac5" },
	{ "#8c6d00", "#e6c229" }, { "#5e3c99", "#b39ddb" }, { "#a6611a", "#d9a066" }, { "#666666", "#aaaaaa" },
	{ "#b2182b", "#f4777f" }, { "#1b7837", "#7fd58c" },
};

static void text(FILE *file, const char *what)
{
	for (; *what != '\0'; what++) {
		if (*what == '&')
			fputs("&amp;", file);
		else if (*what == '<')
			fputs("&lt;", file);
		else
			fputc(*what, file);
	}
}

static void label(FILE *file, double x, double y, const char *class, const char *what)
{
	fprintf(file, "<text x=\"%.1f\" y=\"%.1f\" class=\"%s\">", x, y, class);
	text(file, what);
	fputs("</text>\n", file);
}

static void style(FILE *file)
{
	fputs("<style>\n"
	      "text{font:12px system-ui,sans-serif;fill:#24292f}\n"
	      ".back{fill:#ffffff}.grid{stroke:#d8dee4;stroke-width:1}.axis{stroke:#57606a;stroke-width:1}\n"
	      ".title{font-size:16px;font-weight:600}.head{font-weight:600}.faint{fill:#57606a}\n"
	      ".middle{text-anchor:middle}.end{text-anchor:end}\n"
	      ".line{fill:none;stroke-width:1.5;stroke-linejoin:round}.dashed{stroke-dasharray:5 4}\n",
	      file);
	for (unsigned i = 0; i < CHART_SERIES_MAX; i++)
		fprintf(file, ".c%u{stroke:%s}", i, colours[i].light);
	fputs("\n@media (prefers-color-scheme:dark){\n"
	      "text{fill:#e6edf3}.back{fill:#0d1117}.grid{stroke:#30363d}.axis{stroke:#8b949e}.faint{fill:#9da7b3}\n",
	      file);
	for (unsigned i = 0; i < CHART_SERIES_MAX; i++)
		fprintf(file, ".c%u{stroke:%s}", i, colours[i].dark);
	fputs("}\n</style>\n", file);
}

void chart_begin(FILE *file, double width, double height, const char *title, const char *subtitle)
{
	fprintf(file,
	        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 %.0f %.0f\" width=\"%.0f\" "
	        "height=\"%.0f\">\n",
	        width, height, width, height);
	fputs("<title>", file);
	text(file, title);
	fputs("</title>\n", file);
	style(file);
	fprintf(file, "<rect class=\"back\" width=\"%.0f\" height=\"%.0f\"/>\n", width, height);
	label(file, 20, 28, "title", title);
	label(file, 20, 48, "faint", subtitle);
}

void chart_end(FILE *file)
{
	fputs("</svg>\n", file);
}

/* 1, 2 or 5 times a power of ten: about a `parts`-th of the whole. */
static double step_of(double whole, unsigned parts)
{
	double power = pow(10, floor(log10(whole / parts))), rest = whole / parts / power;

	return power * (rest < 1.5 ? 1 : rest < 3.5 ? 2 : rest < 7.5 ? 5 : 10);
}

double chart_round_up(double value)
{
	double step = step_of(value > 0 ? value : 1, TICKS);

	return step * ceil((value > 0 ? value : 1) / step);
}

static void axes(FILE *file, const struct chart_panel *panel)
{
	double right = panel->left + panel->width, bottom = panel->top + panel->height;
	double x_step = step_of(panel->x_max, panel->width > 400 ? 10 : TICKS), y_step = step_of(panel->y_max, TICKS);
	char number[32];

	for (double y = 0; y <= panel->y_max * 1.001; y += y_step) {
		double at = bottom - y / panel->y_max * panel->height;

		fprintf(file, "<path class=\"%s\" d=\"M%.1f %.1fH%.1f\"/>\n", y > 0 ? "grid" : "axis", panel->left,
		        at, right);
		snprintf(number, sizeof(number), "%g", y);
		label(file, panel->left - 6, at + 4, "faint end", number);
	}
	for (double x = 0; x <= panel->x_max * 1.001; x += x_step) {
		double at = panel->left + x / panel->x_max * panel->width;

		fprintf(file, "<path class=\"axis\" d=\"M%.1f %.1fv5\"/>\n", at, bottom);
		snprintf(number, sizeof(number), "%g", x);
		label(file, at, bottom + 18, "faint middle", number);
	}
	if (panel->title)
		label(file, panel->left, panel->top - 8, "head", panel->title);
	if (panel->y_label)
		label(file, right, panel->top - 8, "faint end", panel->y_label);
	if (panel->x_label)
		label(file, panel->left + panel->width / 2, bottom + 36, "faint middle", panel->x_label);
}

/* What does not fit is drawn at the edge. */
static double inside(double value, double most)
{
	return value < 0 ? 0 : value > most ? most : value;
}

void chart_panel(FILE *file, const struct chart_panel *panel)
{
	axes(file, panel);
	for (uint32_t i = 0; i < panel->count; i++) {
		const struct chart_series *series = &panel->series[i];

		fprintf(file, "<path class=\"line c%u%s\" d=\"", series->colour % CHART_SERIES_MAX,
		        series->dashed ? " dashed" : "");
		for (size_t j = 0; j < series->count; j++)
			fprintf(file, "%c%.1f %.1f", j == 0 ? 'M' : 'L',
			        panel->left + inside(series->x[j], panel->x_max) / panel->x_max * panel->width,
			        panel->top + panel->height -
			                inside(series->y[j], panel->y_max) / panel->y_max * panel->height);
		fputs("\"/>\n", file);
	}
}

void chart_legend(FILE *file, double left, double top, const struct chart_panel *panel)
{
	for (uint32_t i = 0; i < panel->count; i++) {
		const struct chart_series *series = &panel->series[i];
		size_t letters = 0;

		fprintf(file, "<path class=\"line c%u%s\" d=\"M%.1f %.1fh22\"/>\n", series->colour % CHART_SERIES_MAX,
		        series->dashed ? " dashed" : "", left, top - 4);
		label(file, left + 28, top, "", series->name);
		while (series->name[letters] != '\0')
			letters++;
		left += 46 + 7 * (double)letters;
	}
}
