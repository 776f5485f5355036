#include "core/tcp/rack.h"

#include "core/tcp/sent.h"

void rack_init(struct rack *rack, seq_t snd_una)
{
	*rack = (struct rack){ .xmit_ts = { INT64_MIN }, .end_seq = snd_una, .fack = snd_una };
}

void rack_forget(struct rack *rack)
{
	seq_t fack = rack->fack;

	rack_init(rack, fack);
}

void rack_update(struct rack *rack, struct instant at, seq_t end, struct instant now)
{
	rack->rtt = instant_sub(now, at);
	if (!sent_after(at, end, rack->xmit_ts, rack->end_seq))
		return;
	rack->xmit_ts = at;
	rack->end_seq = end;
}

bool rack_detect_reordering(struct rack *rack, bool has_fresh, seq_t fresh_end, seq_t highest)
{
	bool late = has_fresh && seq_lt(fresh_end, rack->fack);

	rack->fack = seq_max(rack->fack, highest);
	return late;
}

void rack_adapt(struct rack_reordering *reordering, seq_t snd_una, seq_t snd_nxt, bool dsack, bool recovered)
{
	if (reordering->has_round && seq_geq(snd_una, reordering->dsack_round))
		reordering->has_round = false;
	if (dsack && !reordering->has_round) {
		reordering->has_round = true;
		reordering->dsack_round = snd_nxt;
		if (reordering->reo_wnd_more < UINT8_MAX)
			reordering->reo_wnd_more++;
		reordering->reo_wnd_persist = RACK_REO_WND_PERSIST;
	} else if (recovered && reordering->reo_wnd_persist > 0 && --reordering->reo_wnd_persist == 0) {
		reordering->reo_wnd_more = 0;
	}
}

struct duration rack_reo_wnd(const struct rack_reordering *reordering, bool losses_known, struct duration min_rtt,
                             struct duration srtt)
{
	int64_t mult = 1 + (reordering ? reordering->reo_wnd_more : 0);

	if (losses_known && !(reordering && reordering->reordering_seen))
		return DURATION_S(0);
	return duration_min((struct duration){ mult * (min_rtt.ns / 4) }, srtt);
}
