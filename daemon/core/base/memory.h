#pragma once
/* Where the core's memory comes from: function pointers of the host's, so that a test can make any allocation fail
 * and count what was not given back. */
#include <stddef.h>

struct memory {
	/* `size` bytes aligned to 64, zeroed; NULL when there are none. */
	void *(*alloc)(void *context, size_t size);
	/* Gives back what alloc returned; `size` is the same as then. */
	void (*free)(void *context, void *pointer, size_t size);
	void *context;
};
