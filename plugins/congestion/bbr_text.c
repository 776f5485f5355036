/* The state as text: "bbr 1", and " name=value" for each field. Times are those of the host's clock, which goes on.
 * What a reader does not know it skips; what a text does not have stays as init has left it. */
#include "bbr.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define HEAD "bbr 1"

static const struct field {
	const char *name;
	uint16_t offset, size;
} fields[] = {
#define FIELD(name)                                                                                                  \
	{                                                                                                            \
#name, offsetof(struct bbr, name), sizeof(((struct bbr *)0)->name)                                   \
	}
#define ELEMENT(name, i)                                                                                             \
	{                                                                                                            \
#name #i, offsetof(struct bbr, name[i]), sizeof(((struct bbr *)0)->name[i])                          \
	}
	FIELD(random),
	ELEMENT(max_bw_filter, 0),
	ELEMENT(max_bw_filter, 1),
	FIELD(bw),
	FIELD(bw_latest),
	FIELD(bw_shortterm),
	FIELD(full_bw),
	FIELD(inflight_latest),
	FIELD(inflight_shortterm),
	FIELD(inflight_longterm),
	FIELD(initial_cwnd),
	FIELD(prior_cwnd),
	FIELD(bw_probe_up_acked),
	FIELD(probe_up_acked_per_inc),
	FIELD(delivered),
	FIELD(next_round_delivered),
	FIELD(loss_round_delivered),
	FIELD(app_limited_from),
	FIELD(app_limited_until),
	ELEMENT(extra_acked_filter, 0),
	ELEMENT(extra_acked_filter, 1),
	FIELD(extra_acked_delivered),
	FIELD(undo_bw_shortterm),
	FIELD(undo_inflight_shortterm),
	FIELD(undo_inflight_longterm),
	FIELD(extra_acked_interval_start),
	FIELD(min_rtt),
	FIELD(min_rtt_stamp),
	FIELD(probe_rtt_min_delay),
	FIELD(probe_rtt_min_stamp),
	FIELD(probe_rtt_done_stamp),
	FIELD(cycle_stamp),
	FIELD(bw_probe_wait),
	FIELD(last_sent),
	FIELD(srtt),
	FIELD(round_count),
	FIELD(drain_start_round),
	FIELD(rounds_since_probe_up),
	FIELD(extra_acked_since),
	FIELD(mss),
	FIELD(state),
	FIELD(undo_state),
	FIELD(ack_phase),
	FIELD(full_bw_count),
	FIELD(bw_probe_up_rounds),
	FIELD(loss_events_in_round),
	FIELD(round_start),
	FIELD(loss_round_start),
	FIELD(is_loss_in_round),
	FIELD(full_bw_reached),
	FIELD(full_bw_now),
	FIELD(is_bw_probe_sample),
	FIELD(prev_probe_too_high),
	FIELD(prev_probe_precautionary),
	FIELD(probe_rtt_expired),
	FIELD(probe_rtt_round_done),
	FIELD(idle_restart),
	FIELD(in_recovery),
	FIELD(saved_for_recovery),
	FIELD(has_sack),
	FIELD(has_srtt),
#undef FIELD
#undef ELEMENT
};
#define FIELDS (sizeof(fields) / sizeof(fields[0]))

_Static_assert(sizeof(bool) == 1, "a flag is written like a uint8_t");

static int64_t get(const struct bbr *bbr, const struct field *field)
{
	const char *at = (const char *)bbr + field->offset;
	uint32_t word;
	int64_t value;

	if (field->size == 1)
		return *(const uint8_t *)at;
	if (field->size == sizeof(word)) {
		memcpy(&word, at, sizeof(word));
		return word;
	}
	memcpy(&value, at, sizeof(value));
	return value;
}

/* False: it does not fit. */
static bool set(struct bbr *bbr, const struct field *field, int64_t value)
{
	char *at = (char *)bbr + field->offset;
	uint32_t word = (uint32_t)value;

	if (field->size == 1) {
		*(uint8_t *)at = (uint8_t)value;
		return value >= 0 && value <= UINT8_MAX;
	}
	if (field->size == sizeof(word)) {
		memcpy(at, &word, sizeof(word));
		return value == word;
	}
	memcpy(at, &value, sizeof(value));
	return true;
}

int bbr_export(const void *state, char *text, size_t size)
{
	int length = snprintf(text, size, "%s", HEAD);

	for (size_t i = 0; i < FIELDS; i++) {
		size_t used = (size_t)length < size ? (size_t)length : size;

		length += snprintf(size > 0 ? text + used : NULL, size - used, " %s=%" PRId64, fields[i].name,
		                   get(state, &fields[i]));
	}
	return length;
}

static bool take(struct bbr *bbr, const char *name, size_t length, int64_t value)
{
	for (size_t i = 0; i < FIELDS; i++) {
		if (strlen(fields[i].name) == length && memcmp(fields[i].name, name, length) == 0)
			return set(bbr, &fields[i], value);
	}
	return true;
}

/* Flags are looked at as bytes: another value than 0 or 1 must not become a bool. */
static bool is_sane(const struct bbr *bbr)
{
	const unsigned char *flags = (const unsigned char *)&bbr->round_start;

	for (size_t i = 0; i <= offsetof(struct bbr, has_srtt) - offsetof(struct bbr, round_start); i++) {
		if (flags[i] > 1)
			return false;
	}
	return bbr->state < BBR_STATES && bbr->undo_state <= BBR_NO_STATE && bbr->ack_phase < BBR_ACK_PHASES &&
	       bbr->bw_probe_up_rounds < 64 && bbr->mss > 0 && bbr->min_rtt > 0 && bbr->probe_up_acked_per_inc > 0;
}

int bbr_import(void *state, const char *text, struct tapstack_cc_decision *decision)
{
	struct bbr *bbr = state, read = *bbr;
	size_t head = strlen(HEAD);

	if (strncmp(text, HEAD, head) != 0 || (text[head] != ' ' && text[head] != '\0'))
		return -EINVAL;
	for (text += head; *text == ' ';) {
		const char *name = text + 1, *equals = strchr(name, '=');
		int64_t value;
		char *end;

		if (!equals)
			return -EINVAL;
		errno = 0;
		value = strtoll(equals + 1, &end, 10);
		if (errno != 0 || end == equals + 1 || !take(&read, name, (size_t)(equals - name), value))
			return -EINVAL;
		text = end;
	}
	if (*text != '\0' || !is_sane(&read))
		return -EINVAL;
	*bbr = read;
	bbr_resume(bbr, decision);
	return 0;
}
