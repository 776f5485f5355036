#pragma once
/* One value of a filter's condition, read from text by the kind of its field. */
#include "core/base/addr.h"

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A pattern's length: its evaluation, for each connection and on a shard's thread, takes time that grows with it. */
#define VALUE_TEXT_MAX 128

struct prefix {
	struct ip_addr ip;
	uint8_t bits; /* in the IPv6-wide address */
};

struct value {
	uint64_t number;      /* NUMBER, BOOLEAN, STATE; MILLISECONDS: in microseconds */
	struct prefix prefix; /* ADDRESS */
	char *text;           /* TEXT, LIST: a shell pattern; owned */
};

/* `kind` is an enum tapstack_field_kind. Numbers: decimal digits, milliseconds also with a fraction; states by their
 * RFC name in any case; addresses with or without /BITS; booleans true and false; patterns of at most VALUE_TEXT_MAX
 * bytes. Returns 0; -ENOMEM; -EINVAL with what would be valid in `reason`. */
int value_parse(const char *text, unsigned kind, struct value *ret_value, char *reason, size_t reason_size);
void value_done(struct value *value);

bool prefix_contains(const struct prefix *prefix, const struct ip_addr *ip);
