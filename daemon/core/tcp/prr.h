#pragma once
/* Proportional rate reduction (RFC 9937): how much may go out in fast recovery, so that what is in flight comes down
 * to the congestion algorithm's window within a round trip, neither at once nor not at all. Bytes everywhere. A value
 * type: no connection inside.
 *
 * Invariant: room is what may be sent before the next ACK; sending takes it away. */
#include <stdbool.h>
#include <stdint.h>

struct prr {
	uint32_t recover_fs; /* RecoverFS: in flight when recovery began */
	uint32_t delivered;  /* prr_delivered: arrived since */
	uint32_t out;        /* prr_out: sent since */
	uint32_t room;       /* SndCnt */
};

/* Recovery begins. `flight`: SND.NXT - SND.UNA; `sacked`: what was SACKed before the ACK that began it; `acked`: what
 * this one acknowledged. */
static inline void prr_begin(struct prr *prr, uint32_t flight, uint32_t sacked, uint32_t acked)
{
	uint32_t recover_fs = flight + acked > sacked ? flight + acked - sacked : 0;

	*prr = (struct prr){ .recover_fs = recover_fs > 0 ? recover_fs : 1 };
}

/* Section 6.2: an ACK in recovery by which `delivered` bytes have arrived; `pipe` is what is in flight after it,
 * `ssthresh` the window to arrive at. `safe`: SND.UNA has advanced and no further loss was found. */
static inline void prr_on_ack(struct prr *prr, uint32_t delivered, uint32_t pipe, uint32_t ssthresh, uint32_t mss,
                              bool safe)
{
	uint64_t limit, share;

	if (delivered == 0 && prr->out > 0)
		return;
	prr->delivered += delivered;
	if (pipe > ssthresh) {
		share = ((uint64_t)prr->delivered * ssthresh + prr->recover_fs - 1) / prr->recover_fs;
		limit = share > prr->out ? share - prr->out : 0;
	} else {
		limit = prr->delivered > prr->out ? prr->delivered - prr->out : 0; /* the conservative bound */
		if (limit < delivered)
			limit = delivered;
		if (safe)
			limit += mss; /* the slow-start bound */
		if (limit > ssthresh - pipe)
			limit = ssthresh - pipe;
	}
	if (prr->out == 0 && limit < mss)
		limit = mss; /* the fast retransmit itself */
	prr->room = (uint32_t)limit;
}

static inline void prr_on_sent(struct prr *prr, uint32_t bytes)
{
	prr->out += bytes;
	prr->room = prr->room > bytes ? prr->room - bytes : 0;
}
