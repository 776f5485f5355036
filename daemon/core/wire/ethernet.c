#include "core/wire/ethernet.h"

#include "core/wire/bytes.h"

#include <errno.h>

int ethernet_read(const uint8_t *frame, size_t length, struct ethernet_header *ret_header)
{
	if (length < ETHERNET_HEADER_BYTES)
		return -EBADMSG;
	memcpy(ret_header->destination.b, frame, 6);
	memcpy(ret_header->source.b, frame + 6, 6);
	ret_header->type = load16(frame + 12);
	return 0;
}

void ethernet_write(uint8_t *out, const struct ethernet_header *header)
{
	memcpy(out, header->destination.b, 6);
	memcpy(out + 6, header->source.b, 6);
	store16(out + 12, header->type);
}
