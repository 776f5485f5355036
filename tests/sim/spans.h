#pragma once
/* A set of sequence numbers, as spans without limit of their number. */
#include "core/base/seq.h"

#include <stdlib.h>
#include <string.h>

struct spans {
	struct span_of_seq {
		seq_t start, end;
	} * span; /* ascending, apart from each other */
	size_t count, room;
};

static inline void spans_add(struct spans *spans, seq_t start, seq_t end)
{
	size_t at = 0, past;

	while (at < spans->count && seq_lt(spans->span[at].end, start))
		at++;
	for (past = at; past < spans->count && seq_leq(spans->span[past].start, end); past++) {
		start = seq_min(start, spans->span[past].start);
		end = seq_max(end, spans->span[past].end);
	}
	if (spans->count == spans->room) {
		spans->room = 2 * spans->room + 4;
		spans->span = realloc(spans->span, spans->room * sizeof(*spans->span));
		if (!spans->span)
			abort();
	}
	memmove(spans->span + at + 1, spans->span + past, (spans->count - past) * sizeof(*spans->span));
	spans->count -= past - at;
	spans->count++;
	spans->span[at].start = start;
	spans->span[at].end = end;
}

/* Is all of [start, end) in it? */
static inline bool spans_have(const struct spans *spans, seq_t start, seq_t end)
{
	for (size_t i = 0; i < spans->count; i++) {
		if (seq_leq(spans->span[i].start, start) && seq_leq(end, spans->span[i].end))
			return true;
	}
	return false;
}
