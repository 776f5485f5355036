#include "shard/mailbox.h"

#include <errno.h>
#include <stdint.h>
#include <sys/eventfd.h>
#include <unistd.h>

int mailbox_open(struct mailbox *mailbox)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		return -errno;
	atomic_init(&mailbox->newest, NULL);
	mailbox->fd = fd;
	return 0;
}

void mailbox_close(struct mailbox *mailbox)
{
	close(mailbox->fd);
	mailbox->fd = -1;
}

void mailbox_post(struct mailbox *mailbox, struct letter *letter)
{
	struct letter *newest = atomic_load_explicit(&mailbox->newest, memory_order_relaxed);
	const uint64_t one = 1;

	do {
		letter->next = newest;
	} while (!atomic_compare_exchange_weak_explicit(&mailbox->newest, &newest, letter, memory_order_release,
	                                                memory_order_relaxed));
	/* Whoever put the first one in wakes the reader, who takes all. The write can't block: the counter would have
	 * to reach 2^64 - 2. */
	if (!newest) {
		while (write(mailbox->fd, &one, sizeof(one)) < 0 && errno == EINTR)
			continue;
	}
}

struct letter *mailbox_take(struct mailbox *mailbox)
{
	struct letter *letter, *oldest = NULL;

	if (mailbox_is_empty(mailbox))
		return NULL;
	letter = atomic_exchange_explicit(&mailbox->newest, NULL, memory_order_acquire);
	while (letter) {
		struct letter *next = letter->next;

		letter->next = oldest;
		oldest = letter;
		letter = next;
	}
	return oldest;
}
