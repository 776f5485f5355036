#pragma once
/* Tail loss probes (RFC 8985 section 7): when ACKs fail to come, something is sent once more or anew after about two
 * round trips, to learn by its ACK what was lost before the retransmission timer has to guess. A value type: no
 * connection inside.
 *
 * Invariant: at most one probe is out at a time. */
#include "core/base/seq.h"
#include "core/base/time.h"

#include <stdbool.h>

struct tlp {
	seq_t end_seq;   /* SND.NXT after the probe; valid while `out` */
	bool out;        /* a probe is unacknowledged, or its fate unknown */
	bool is_retrans; /* it was data sent before */
};

/* A receiver may keep the ACK of a lone segment back for so long. */
#define TLP_MAX_ACK_DELAY DURATION_MS(200)

/* Section 7.2, TLP_calc_PTO without the bound by the retransmission timer. srtt 0: not known yet. */
static inline struct duration tlp_pto(struct duration srtt, bool one_segment)
{
	if (srtt.ns == 0)
		return DURATION_S(1);
	return (struct duration){ 2 * srtt.ns + (one_segment ? TLP_MAX_ACK_DELAY.ns : DURATION_MS(2).ns) };
}

/* Section 7.3. */
static inline void tlp_sent(struct tlp *tlp, seq_t snd_nxt, bool is_retrans)
{
	*tlp = (struct tlp){ .end_seq = snd_nxt, .out = true, .is_retrans = is_retrans };
}

/* Section 7.4, TLP_process_ack. `dsack`: a D-SACK block ends at end_seq; `duplicate`: the ACK neither advances nor
 * SACKs anything. Returns whether the probe has repaired a loss that nothing else has told. */
static inline bool tlp_on_ack(struct tlp *tlp, seq_t ack, bool dsack, bool duplicate)
{
	bool repaired = false;

	if (!tlp->out || seq_lt(ack, tlp->end_seq))
		return false;
	if (!tlp->is_retrans || dsack) {
		tlp->out = false; /* new data; or the peer had both */
	} else if (seq_gt(ack, tlp->end_seq)) {
		tlp->out = false;
		repaired = true;
	} else if (duplicate) {
		tlp->out = false; /* it came to something that was there already */
	}
	return repaired;
}
