#pragma once
/* For the dialogues about loss recovery: connections with SACK, segments of 1000 octets and a round trip of 100 ms.
 */
#include "dialogue.h"

/* Opened in 100 ms; `octets` are committed and as much of them sent as may be. */
struct peer *sends_over_100_ms(void (*tweak)(struct stack_config *config), uint32_t octets);
/* An ACK of our offset `acks` that reports [start, end). */
void sacks(struct peer *p, uint32_t acks, uint32_t start, uint32_t end);
