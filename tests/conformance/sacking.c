#include "sacking.h"

struct peer *sends_over_100_ms(void (*tweak)(struct stack_config *config), uint32_t octets)
{
	struct peer *p = peer_start(tweak);

	sends_syn(p, sack_option(1000));
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK, .ack = THEIRS(1) });
	peer_waits(p, DURATION_MS(100));
	says(p, TCP_ACK, 1, 0, 1);
	assert_int_equal(peer_info(p).srtt.ns, 100000000);
	service_sends(p, octets);
	return p;
}

void sacks(struct peer *p, uint32_t acks, uint32_t start, uint32_t end)
{
	struct seg seg = { .flags = TCP_ACK, .seq = THEIRS(1), .ack = OURS(acks) };

	seg.options.sack_count = 1;
	seg.options.sack[0] = (struct tcp_sack_block){ SEQ(OURS(start)), SEQ(OURS(end)) };
	peer_sends(p, seg);
}
