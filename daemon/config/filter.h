#pragma once
/* Filters of frames (core/wire/frame_filter.h) as text, in the words of tapstackctl's filters:
 *
 *     peer=192.0.2.0/24 dport=80,443
 *
 * Conditions stand apart by spaces and must all hold. A condition is a field, = or !=, and one or more values with
 * commas between them, one of which must fit (with !=: none). The fields:
 *
 *     peer, local, address    the other end's address, the stack's, either: 192.0.2.1 or 2001:db8::/32
 *     dport, sport, port      the other end's port, the stack's, either: 80 or 1024-65535
 *     protocol                tcp, udp, icmp, nd, arp, other
 *
 * tapstackctl's other names for the fields are understood, too; nothing needs quotes but what YAML would take
 * otherwise. An empty text is a filter that every frame fits. */
#include "core/wire/frame_filter.h"

#include <stddef.h>

#define CONFIG_FILTER_TEXT_MAX 2048u /* of what config_filter_write writes */
#define CONFIG_FILTER_REASON_MAX 300u

/* Returns 0, or -EINVAL with a sentence in `reason` that says at which character what is wrong, and what would be
 * valid. */
int config_filter_read(const char *text, struct frame_filter *ret_filter,
                       char reason[static CONFIG_FILTER_REASON_MAX]);

/* What reads back as the same filter. */
void config_filter_write(const struct frame_filter *filter, char text[static CONFIG_FILTER_TEXT_MAX]);
