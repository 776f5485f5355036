#pragma once
/* F-RTO (RFC 5682): after a time-out only the first segment is sent again, then new data; if ACKs come for what was
 * sent once only, the time-out was spurious. Section 2 is the form without SACK, section 3 the one with it. A value
 * type: no connection inside. */
#include <stdbool.h>

enum frto_step {
	FRTO_OFF,
	FRTO_RESENT,   /* step 1 is done: the first segment went out again */
	FRTO_NEW_DATA, /* step 2b: new data goes out, nothing else is sent again */
};

/* What an ACK told. */
struct frto_ack {
	bool advances;       /* SND.UNA moves */
	bool covers_recover; /* up to all that was in flight at the time-out */
	bool fresh;          /* tells of data below that point that was sent once only and not known to be there */
	bool duplicate;      /* does not advance, or SACKs something */
	bool can_send_new;   /* there is unsent data, and the peer's window has room for it */
	bool sack;           /* the connection uses SACK */
};

/* Takes the next step. Returns whether the time-out was spurious. */
static inline bool frto_on_ack(enum frto_step *step, const struct frto_ack *ack)
{
	switch (*step) {
	case FRTO_RESENT:
		if (ack->sack && !ack->advances)
			return false; /* section 3 step 2: stay */
		*step = ack->advances && !ack->covers_recover && ack->can_send_new ? FRTO_NEW_DATA : FRTO_OFF;
		return false;
	case FRTO_NEW_DATA:
		if (ack->fresh && (ack->sack || ack->advances)) {
			*step = FRTO_OFF;
			return true; /* step 3b */
		}
		if (ack->advances || ack->duplicate)
			*step = FRTO_OFF; /* step 3a: the loss was real */
		return false;
	default:
		return false;
	}
}
