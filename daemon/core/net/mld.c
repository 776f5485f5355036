/* Multicast listener discovery, version 2, the listener's side (RFC 3810): which groups we hear is told when that
 * changes, and when somebody asks. Switches pass on only what is told, so without this neighbours could not find us.
 * Where a querier of version 1 is heard of, we speak that (section 8.2). */
#include "core/tcp/engine.h"
#include "core/wire/bytes.h"
#include "core/wire/ipv6.h"

#include <string.h>

#define REPORTS 2 /* unasked ones for each change: RFC 3810 section 9.1, "Robustness Variable" */
#define REPORT_INTERVAL DURATION_S(1)
#define ANSWER_DELAY_MOST DURATION_S(10)
#define OLD_QUERIER_TIME DURATION_S(260) /* section 9.12 */

enum {
	QUERY_BYTES_1 = 16,     /* behind the ICMPv6 header: version 1, exactly (section 8.1) */
	QUERY_BYTES_LEAST = 20, /* version 2 */
	RECORD_BYTES = 20,
	RECORD_IS_EXCLUDE = 2, /* section 5.2.12: what is so, and what has become so */
	RECORD_TO_EXCLUDE = 4,
};

static const struct ip_addr all_mld2_routers = { { 0xff, 2, [15] = 0x16 } };

static bool is_listed(const uint8_t *records, uint32_t count, const struct ip_addr *group)
{
	for (uint32_t i = 0; i < count; i++) {
		if (memcmp(records + i * RECORD_BYTES + 4, group->b, 16) == 0)
			return true;
	}
	return false;
}

/* A record for each of our groups; returns their number. */
static uint32_t write_records(const struct stack *stack, uint8_t *out, uint8_t kind)
{
	uint32_t count = 0;

	for (uint32_t i = 0; i < stack->own_count; i++) {
		const struct own_address *own = &stack->own[i];
		struct ip_addr group = ipv6_solicited_node(&own->ip);
		uint8_t *record = out + count * RECORD_BYTES;

		if (ip_addr_is_v4(&own->ip) || own->state == STACK_ADDRESS_DUPLICATE || is_listed(out, count, &group))
			continue;
		memset(record, 0, 4);
		record[0] = kind;
		memcpy(record + 4, group.b, 16);
		count++;
	}
	return count;
}

/* `bytes` has the payload in place, and room for the headers before it. */
static void send_report(struct stack *stack, const struct ip_addr *destination, uint8_t *bytes, uint8_t type,
                        uint32_t word, uint32_t payload_bytes)
{
	uint8_t *icmp = bytes + IPV6_ROUTER_ALERT_BYTES;
	const struct own_address *own = address_for(stack, destination);
	struct icmp6_message message = {
		.type = type, .word = word, .payload = icmp + ICMP6_HEADER_BYTES, .payload_bytes = payload_bytes
	};
	struct ip_packet ip = {
		.destination = *destination,
		.ttl = 1,
		.protocol = IP_PROTOCOL_HOP_BY_HOP,
	};

	if (own && ipv6_is_link_local(&own->ip)) /* else from nowhere, as long as it is on trial: RFC 3590 */
		ip.source = own->ip;
	ipv6_write_router_alert(bytes, IP_PROTOCOL_ICMPV6);
	COUNT(stack, icmp_out);
	ip_send(stack, &ip, bytes,
	        IPV6_ROUTER_ALERT_BYTES + (uint32_t)icmp6_write(icmp, &ip.source, &ip.destination, &message));
}

static void report(struct stack *stack, uint8_t kind)
{
	uint8_t bytes[IPV6_ROUTER_ALERT_BYTES + ICMP6_HEADER_BYTES + OWN_ADDRESSES_MAX * RECORD_BYTES];
	uint8_t *records = bytes + IPV6_ROUTER_ALERT_BYTES + ICMP6_HEADER_BYTES;
	uint32_t count = write_records(stack, records, kind);

	if (count > 0 && !instant_before(stack->now, stack->net6.mld1_until)) {
		send_report(stack, &all_mld2_routers, bytes, ICMP6_MLD2_REPORT, count, count * RECORD_BYTES);
		return;
	}
	for (uint32_t i = 0; i < count; i++) { /* RFC 2710: each in a message to the group itself */
		struct ip_addr group;

		memcpy(group.b, records + i * RECORD_BYTES + 4, 16);
		memcpy(records, group.b, 16); /* over the first one, which has had its turn */
		send_report(stack, &group, bytes, ICMP6_MLD_REPORT, 0, 16);
	}
}

void mld_changed(struct stack *stack)
{
	if (!stack->net6.enabled)
		return;
	stack->net6.reports_left = REPORTS;
	stack->net6.report_due = stack->now;
	net6_wake_at(stack, stack->now);
}

void mld_timers(struct stack *stack)
{
	struct net6 *net = &stack->net6;

	if (instant_reached(net->report_due, stack->now)) {
		net->reports_left--;
		report(stack, RECORD_TO_EXCLUDE);
		net->report_due =
		        net->reports_left > 0
		                ? instant_add(stack->now,
		                              (struct duration){ 1 + random_below(&stack->random,
		                                                                  (uint32_t)REPORT_INTERVAL.ns) })
		                : INSTANT_NEVER;
	}
	if (instant_reached(net->answer_due, stack->now)) {
		net->answer_due = INSTANT_NEVER;
		report(stack, RECORD_IS_EXCLUDE);
	}
}

struct instant mld_due(const struct stack *stack)
{
	return instant_min(stack->net6.report_due, stack->net6.answer_due);
}

/* RFC 3810 section 5.1.3: a small floating-point number from 32768 on. */
static struct duration response_time(uint32_t code)
{
	uint32_t ms = code < 32768 ? code : ((code & 0xfff) | 0x1000) << ((code >> 12 & 7) + 3);

	return duration_min(DURATION_MS(ms), ANSWER_DELAY_MOST);
}

enum stack_verdict mld_query_arrives(struct stack *stack, const struct ip_packet *ip,
                                     const struct icmp6_message *icmp)
{
	struct net6 *net = &stack->net6;
	struct instant due;
	struct ip_addr group;

	/* RFC 3810 section 6.2. */
	if (!ipv6_is_link_local(&ip->source) || ip->ttl != 1 || !ip->router_alert || ip->from_fragments ||
	    (icmp->payload_bytes != QUERY_BYTES_1 && icmp->payload_bytes < QUERY_BYTES_LEAST))
		return VERDICT_DROP_ICMP;
	if (icmp->payload_bytes == QUERY_BYTES_1)
		net->mld1_until = instant_add(stack->now, OLD_QUERIER_TIME);
	memcpy(group.b, icmp->payload, 16);
	if (!ip_addr_is_any(&group) && !address_hears_group(stack, &group))
		return VERDICT_DROP_ICMP;
	due = instant_add(stack->now,
	                  (struct duration){ (int64_t)(response_time(icmp->word >> 16).ns *
	                                               (int64_t)(random_u64(&stack->random) >> 40) / (1 << 24)) });
	/* One answer for all questions: the whole list is short. */
	net->answer_due = instant_min(net->answer_due, due);
	net6_wake_at(stack, net->answer_due);
	return VERDICT_ACCEPTED;
}
