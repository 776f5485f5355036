#include "core/tcp/state.h"

#define BIT(state) (1u << TCPS_##state)

static const char *const state_names[TCPS_STATE_COUNT] = {
	[TCPS_CLOSED] = "CLOSED",           [TCPS_LISTEN] = "LISTEN",
	[TCPS_SYN_SENT] = "SYN-SENT",       [TCPS_SYN_RECEIVED] = "SYN-RECEIVED",
	[TCPS_ESTABLISHED] = "ESTABLISHED", [TCPS_FIN_WAIT_1] = "FIN-WAIT-1",
	[TCPS_FIN_WAIT_2] = "FIN-WAIT-2",   [TCPS_CLOSE_WAIT] = "CLOSE-WAIT",
	[TCPS_CLOSING] = "CLOSING",         [TCPS_LAST_ACK] = "LAST-ACK",
	[TCPS_TIME_WAIT] = "TIME-WAIT",
};

/* A listener is a record of its own and outlives the connections it gives rise to, so two edges of the RFC's text
 * don't exist here: SYN-RECEIVED back to LISTEN (the half-open record is CLOSED), and LISTEN to SYN-SENT by a SEND.
 */
static const uint16_t edges[TCPS_STATE_COUNT] = {
	[TCPS_CLOSED] = BIT(LISTEN) | BIT(SYN_SENT),
	[TCPS_LISTEN] = BIT(SYN_RECEIVED) | BIT(CLOSED),
	[TCPS_SYN_SENT] = BIT(SYN_RECEIVED) | BIT(ESTABLISHED) | BIT(CLOSED),
	/* To CLOSE-WAIT: 3.10.7.4, eighth step. */
	[TCPS_SYN_RECEIVED] = BIT(ESTABLISHED) | BIT(FIN_WAIT_1) | BIT(CLOSE_WAIT) | BIT(CLOSED),
	[TCPS_ESTABLISHED] = BIT(FIN_WAIT_1) | BIT(CLOSE_WAIT) | BIT(CLOSED),
	/* To TIME-WAIT: the peer's FIN comes with the ACK of ours. */
	[TCPS_FIN_WAIT_1] = BIT(FIN_WAIT_2) | BIT(CLOSING) | BIT(TIME_WAIT) | BIT(CLOSED),
	[TCPS_FIN_WAIT_2] = BIT(TIME_WAIT) | BIT(CLOSED),
	[TCPS_CLOSE_WAIT] = BIT(LAST_ACK) | BIT(CLOSED),
	[TCPS_CLOSING] = BIT(TIME_WAIT) | BIT(CLOSED),
	[TCPS_LAST_ACK] = BIT(CLOSED),
	[TCPS_TIME_WAIT] = BIT(CLOSED),
};

/* The longest path to CLOSED along `edges`; a test compares the two tables. */
static const uint8_t transitions_left[TCPS_STATE_COUNT] = {
	[TCPS_CLOSED] = 0,      [TCPS_LISTEN] = 6,     [TCPS_SYN_SENT] = 6,   [TCPS_SYN_RECEIVED] = 5,
	[TCPS_ESTABLISHED] = 4, [TCPS_FIN_WAIT_1] = 3, [TCPS_FIN_WAIT_2] = 2, [TCPS_CLOSE_WAIT] = 2,
	[TCPS_CLOSING] = 2,     [TCPS_LAST_ACK] = 1,   [TCPS_TIME_WAIT] = 1,
};

static const struct {
	const char *name, *meaning, *section;
} causes[TCP_CAUSE_COUNT] = {
#define CAUSE_TEXT(name, meaning, section) [CAUSE_##name] = { #name, meaning, section },
	TCP_CAUSES(CAUSE_TEXT)
#undef CAUSE_TEXT
};

const char *tcp_state_name(unsigned state)
{
	return state < TCPS_STATE_COUNT ? state_names[state] : "?";
}

const char *tcp_cause_name(unsigned cause)
{
	return cause < TCP_CAUSE_COUNT ? causes[cause].name : "?";
}

const char *tcp_cause_meaning(unsigned cause)
{
	return cause < TCP_CAUSE_COUNT ? causes[cause].meaning : "?";
}

const char *tcp_cause_section(unsigned cause)
{
	return cause < TCP_CAUSE_COUNT ? causes[cause].section : "?";
}

bool tcp_state_edge_allowed(unsigned from, unsigned to)
{
	return from < TCPS_STATE_COUNT && to < TCPS_STATE_COUNT && (edges[from] >> to & 1);
}

unsigned tcp_state_transitions_left(unsigned state)
{
	return state < TCPS_STATE_COUNT ? transitions_left[state] : 0;
}
