#pragma once
/* The host's end of a TAP, set up through rtnetlink; private to this folder.
 *
 * Written out instead of libmnl: it is three messages, and one dependency less. */
#include "core/base/addr.h"
#include "core/stack.h"

#include <stddef.h>
#include <stdint.h>

struct host_interface {
	const char *name;
	uint32_t mtu_bytes;    /* 0: as it is */
	struct mac_addr mac;   /* all zero: as it is */
	uint32_t queue_length; /* at least; a wish: not being permitted is no error */
	const struct stack_address *addresses;
	size_t address_count;
};

/* Makes the interface as wanted and brings it up; changes only what differs. *ret_mtu is its MTU then. Returns 0 or
 * -errno with a line in `error`. */
int host_interface_set_up(const struct host_interface *wanted, uint32_t *ret_mtu, char *error, size_t error_size);
