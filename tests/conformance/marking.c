#include "marking.h"

uint16_t ace(unsigned value)
{
	return (uint16_t)((value & 4 ? TCP_AE : 0) | (value & 2 ? TCP_CWR : 0) | (value & 1 ? TCP_ECE : 0));
}

struct peer *opened_marking(void (*tweak)(struct stack_config *config), uint16_t syn, uint8_t mark, uint16_t answer,
                            uint16_t ack)
{
	struct peer *p = peer_start(tweak);

	peer_sends(p, (struct seg){
	                      .flags = TCP_SYN | syn, .seq = THEIR_ISN, .ecn = mark, .options = sack_option(1000) });
	expect(p, (struct seg){ .flags = TCP_SYN | TCP_ACK | answer, .ack = THEIRS(1) });
	says(p, TCP_ACK | ack, 1, 0, 1);
	expect_nothing(p);
	assert_int_equal(peer_state(p), TCPS_ESTABLISHED);
	p->ready_flags = 0;
	return p;
}

void marks(struct peer *p, uint16_t flags, uint32_t at, uint8_t mark)
{
	peer_sends(p, (struct seg){ .flags = TCP_ACK | flags,
	                            .seq = THEIRS(at),
	                            .ack = peer_info(p).snd_nxt,
	                            .length = 2000,
	                            .gso_bytes = 1000,
	                            .ecn = mark });
	service_reads(p);
}

void hears_marked(struct peer *p, uint16_t flags, uint32_t at, uint32_t length, uint8_t mark)
{
	expect(p, (struct seg){ .flags = TCP_ACK | flags, .seq = OURS(at), .length = length, .ecn = mark });
}
