#pragma once
/* Some fields of a connection in words: for render.h, and for filters, which need nothing else of a shard. */
#include "core/stack.h"

#include <stdbool.h>
#include <stddef.h>

/* Options in use, as `opts` has them; returns how many. */
#define RENDER_OPTIONS_MAX 7
static inline size_t render_options(const struct stack_conn_info *info, const char *ret_names[RENDER_OPTIONS_MAX])
{
	const struct {
		bool on;
		const char *name;
	} options[RENDER_OPTIONS_MAX] = { { info->timestamps, "ts" },     { info->sack, "sack" },
		                          { info->ecn > 0, "ecn" },       { info->ecn_seen, "ecnseen" },
		                          { info->fastopen, "fastopen" }, { info->window_scaling, "wscale" },
		                          { info->nodelay, "nodelay" } };
	size_t count = 0;

	for (size_t i = 0; i < RENDER_OPTIONS_MAX; i++) {
		if (options[i].on)
			ret_names[count++] = options[i].name;
	}
	return count;
}

/* What the fields ecn, ect, accecn_option and fastopen say. */
static inline const char *render_ecn(const struct stack_conn_info *info)
{
	static const char *const names[] = { "none", "classic", "accurate" };

	return info->ecn < sizeof(names) / sizeof(names[0]) ? names[info->ecn] : "?";
}

static inline const char *render_ect(const struct stack_conn_info *info)
{
	static const char *const names[] = { "not-ECT", "ECT(1)", "ECT(0)" };

	return info->ecn_codepoint < sizeof(names) / sizeof(names[0]) ? names[info->ecn_codepoint] : "?";
}

static inline const char *render_accecn_option(const struct stack_conn_info *info)
{
	static const char *const names[] = { "none", "seen", "mangled" };

	return info->accecn_option < sizeof(names) / sizeof(names[0]) ? names[info->accecn_option] : "?";
}

static inline const char *render_fastopen(const struct stack_conn_info *info)
{
	return info->fastopen ? "accepted" : info->fastopen_refused ? "refused" : "no";
}
