/* The mailbox: nothing lost, nothing doubled, order kept for each poster, and a wake-up for each first letter. */
#include "shard/mailbox.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#define POSTERS 4u
#define LETTERS 20000u

struct numbered {
	struct letter letter;
	unsigned poster, number;
};

struct poster {
	struct mailbox *mailbox;
	unsigned index;
	struct numbered *letters;
};

static void *post_all(void *context)
{
	struct poster *poster = context;

	for (unsigned i = 0; i < LETTERS; i++) {
		poster->letters[i].poster = poster->index;
		poster->letters[i].number = i;
		mailbox_post(poster->mailbox, &poster->letters[i].letter);
	}
	return NULL;
}

static void wait_readable(struct mailbox *mailbox)
{
	struct pollfd pollfd = { .fd = mailbox->fd, .events = POLLIN };
	uint64_t value;

	assert_int_equal(poll(&pollfd, 1, 5000), 1);
	assert_int_equal(read(mailbox->fd, &value, sizeof(value)), sizeof(value));
}

static void many_posters(void **state)
{
	struct poster poster[POSTERS];
	pthread_t thread[POSTERS];
	unsigned next[POSTERS] = { 0 }, total = 0;
	struct mailbox mailbox;

	(void)state;
	assert_int_equal(mailbox_open(&mailbox), 0);
	for (unsigned i = 0; i < POSTERS; i++) {
		poster[i] = (struct poster){ &mailbox, i, calloc(LETTERS, sizeof(struct numbered)) };
		assert_non_null(poster[i].letters);
		assert_int_equal(pthread_create(&thread[i], NULL, post_all, &poster[i]), 0);
	}
	/* Only after a wake-up is the box looked into: a lost one would end in the time-out. */
	while (total < POSTERS * LETTERS) {
		wait_readable(&mailbox);
		for (struct letter *letter = mailbox_take(&mailbox); letter; letter = letter->next) {
			struct numbered *numbered = (struct numbered *)letter;

			assert_int_equal(numbered->number, next[numbered->poster]);
			next[numbered->poster]++;
			total++;
		}
	}
	for (unsigned i = 0; i < POSTERS; i++) {
		pthread_join(thread[i], NULL);
		free(poster[i].letters);
	}
	assert_true(mailbox_is_empty(&mailbox));
	mailbox_close(&mailbox);
}

static void one_wake_up_for_many(void **state)
{
	struct letter letter[3];
	struct mailbox mailbox;
	uint64_t value;

	(void)state;
	assert_int_equal(mailbox_open(&mailbox), 0);
	assert_null(mailbox_take(&mailbox));
	for (unsigned i = 0; i < 3; i++)
		mailbox_post(&mailbox, &letter[i]);
	assert_int_equal(read(mailbox.fd, &value, sizeof(value)), sizeof(value));
	assert_int_equal(value, 1); /* one system call, not three */
	assert_ptr_equal(mailbox_take(&mailbox), &letter[0]);
	assert_ptr_equal(letter[0].next, &letter[1]);
	assert_ptr_equal(letter[1].next, &letter[2]);
	assert_null(letter[2].next);
	mailbox_close(&mailbox);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(many_posters),
		cmocka_unit_test(one_wake_up_for_many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
