#pragma once
/* For the dialogues about ECN: the field of the IP header, and connections that agreed on it. */
#include "dialogue.h"

enum { NOT_ECT, ECT1, ECT0, CE };

/* The three flags of AccECN's ACE field. */
uint16_t ace(unsigned value);

/* A passive open: a SYN with these flags and this mark, a SYN-ACK that must have `answer`, an ACK with `ack`. */
struct peer *opened_marking(void (*tweak)(struct stack_config *config), uint16_t syn, uint8_t mark, uint16_t answer,
                            uint16_t ack);
/* The peer sends 2000 octets from offset `at` on, in two segments, so marked: acknowledged at once. */
void marks(struct peer *p, uint16_t flags, uint32_t at, uint8_t mark);
/* Expects data of ours with this code point. */
void hears_marked(struct peer *p, uint16_t flags, uint32_t at, uint32_t length, uint8_t mark);
