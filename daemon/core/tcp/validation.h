#pragma once
/* Is the congestion window what the path was found to carry, or only what it once was (RFC 7661)? A value type: no
 * connection inside.
 *
 * pipeACK is the most that was acknowledged in one round trip of late. While it is less than half the window, the
 * window is not validated: a loss then says that much less than the window was too much, and after five minutes half
 * of it is given up. Invariant: `since` is valid with not_validated. Zeroed it is as new, and pipeACK undefined. */
#include "core/base/time.h"

#include <stdbool.h>
#include <stdint.h>

#define VALIDATION_PERIOD_MIN DURATION_S(1)
#define VALIDATION_NVP_MAX DURATION_S(300)

struct validation {
	bool measured;        /* pipeACK is defined */
	bool not_validated;   /* the non-validated phase */
	bool repairing;       /* a loss came up in it, and is being repaired */
	uint32_t acked;       /* since the round trip began */
	uint32_t most[2];     /* per round trip, in this half of the sampling period and in the one before */
	uint32_t loss_bytes;  /* valid with repairing: the larger of pipeACK and of what was in flight */
	uint64_t resent_then; /* valid with repairing: bytes sent again till then */
	struct instant round, half, since, acked_at;
};

/* Section 4.2: half of the sampling period; what the max filter forgets by. */
static inline void validation_forget(struct validation *validation, struct instant now, struct duration srtt)
{
	struct duration half = { duration_max(VALIDATION_PERIOD_MIN, (struct duration){ 3 * srtt.ns }).ns / 2 };
	int64_t age = instant_sub(now, validation->half).ns;

	if (age < half.ns)
		return;
	validation->most[1] = age < 2 * half.ns ? validation->most[0] : 0;
	validation->most[0] = 0;
	validation->half = now;
}

/* `bytes` were acknowledged. */
static inline void validation_acked(struct validation *validation, struct instant now, struct duration srtt,
                                    uint32_t bytes)
{
	validation_forget(validation, now, srtt);
	if (instant_sub(now, validation->round).ns >= srtt.ns) {
		if (validation->acked > validation->most[0])
			validation->most[0] = validation->acked;
		validation->measured |= validation->acked > 0;
		validation->acked = 0;
		validation->round = now;
	}
	validation->acked += bytes;
	validation->acked_at = now;
}

/* UINT32_MAX: undefined, as if all of the window were in use. */
static inline uint32_t validation_pipe_ack(struct validation *validation, struct instant now, struct duration srtt)
{
	uint32_t most;

	if (!validation->measured)
		return UINT32_MAX;
	validation_forget(validation, now, srtt);
	if (instant_sub(now, validation->round).ns >= duration_max(VALIDATION_PERIOD_MIN, srtt).ns)
		validation->acked = 0; /* nothing has come for long */
	most = validation->most[0] > validation->most[1] ? validation->most[0] : validation->most[1];
	return validation->acked > most ? validation->acked : most;
}

/* Section 4.3: looks which phase it is. */
static inline void validation_look(struct validation *validation, struct instant now, struct duration srtt,
                                   uint32_t cwnd)
{
	bool validated = validation_pipe_ack(validation, now, srtt) >= cwnd / 2;

	if (!validated && !validation->not_validated)
		validation->since = validation->acked_at;
	validation->not_validated = !validated;
}

/* Section 4.4.2: five minutes are over; the next five begin. */
static inline bool validation_expires(struct validation *validation, struct instant now)
{
	if (!validation->not_validated || instant_sub(now, validation->since).ns < VALIDATION_NVP_MAX.ns)
		return false;
	validation->since = instant_add(validation->since, VALIDATION_NVP_MAX);
	return true;
}
