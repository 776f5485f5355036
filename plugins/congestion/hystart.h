#pragma once
/* HyStart++ (RFC 9406): slow start ends when the round-trip time grows from one round to the next, before the queue
 * overflows; and since that may have been jitter, not at once, but by some rounds of slower growth (conservative slow
 * start, CSS), which a shorter round trip calls off.
 *
 * Invariant: `baseline` is not 0 exactly in CSS. Round-trip times are in microseconds, 0: none seen (the RFC's
 * infinity); one below a microsecond counts as one. */
#include <stdbool.h>
#include <stdint.h>

struct hystart {
	uint32_t last, current; /* least of the round before, of this one */
	uint32_t baseline;      /* of the round in which CSS began */
	uint8_t samples;        /* in this round; stays at 255 */
	uint8_t css_rounds;     /* that are over, the one in which CSS began included */
	uint8_t reserved[2];
};

/* The constants of section 4.3. */
struct hystart_tuning {
	uint32_t min_thresh, max_thresh; /* us */
	double min_rtt_divisor;
	uint8_t samples, css_rounds;
};

enum hystart_phase {
	HYSTART_SLOW_START,
	HYSTART_CSS,  /* grow slower, by the divisor */
	HYSTART_OVER, /* congestion avoidance: ssthresh is the window */
};

static inline uint32_t hystart_thresh(uint32_t last, const struct hystart_tuning *tuning)
{
	uint32_t thresh = (uint32_t)(last / tuning->min_rtt_divisor);

	thresh = thresh < tuning->max_thresh ? thresh : tuning->max_thresh;
	return thresh > tuning->min_thresh ? thresh : tuning->min_thresh;
}

static inline void hystart_sample(struct hystart *hystart, int64_t rtt_ns)
{
	int64_t us = rtt_ns / 1000;
	uint32_t rtt = us < 1 ? 1 : us > UINT32_MAX / 2 ? UINT32_MAX / 2 : (uint32_t)us;

	if (hystart->current == 0 || rtt < hystart->current)
		hystart->current = rtt;
	if (hystart->samples < UINT8_MAX)
		hystart->samples++;
}

/* An ACK in slow start. `round_start`: the round before is acknowledged with it; rtt_ns < 0: it measured none. */
static inline enum hystart_phase hystart_on_ack(struct hystart *hystart, const struct hystart_tuning *tuning,
                                                bool round_start, int64_t rtt_ns)
{
	if (round_start) {
		hystart->last = hystart->current;
		hystart->current = 0;
		hystart->samples = 0;
		if (hystart->baseline > 0 && ++hystart->css_rounds >= tuning->css_rounds)
			return HYSTART_OVER;
	}
	if (rtt_ns >= 0)
		hystart_sample(hystart, rtt_ns);
	if (hystart->samples >= tuning->samples && hystart->current > 0) {
		if (hystart->baseline > 0) {
			if (hystart->current < hystart->baseline) /* it was jitter */
				hystart->baseline = 0;
		} else if (hystart->last > 0 &&
		           hystart->current >= hystart->last + hystart_thresh(hystart->last, tuning)) {
			hystart->baseline = hystart->current;
			hystart->css_rounds = 0;
		}
	}
	return hystart->baseline > 0 ? HYSTART_CSS : HYSTART_SLOW_START;
}
