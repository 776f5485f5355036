/* The daemon's log: levels, one line a message, and the journal's prefix when stderr is the journal's. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "log.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

/* What comes out on stderr while it is a pipe of ours. */
struct capture {
	int saved, read_end;
	char text[8192];
};

static void begin(struct capture *capture)
{
	int ends[2];

	fflush(stderr);
	assert_int_equal(pipe(ends), 0);
	capture->read_end = ends[0];
	capture->saved = dup(STDERR_FILENO);
	dup2(ends[1], STDERR_FILENO);
	close(ends[1]);
}

static const char *end(struct capture *capture)
{
	ssize_t length;

	dup2(capture->saved, STDERR_FILENO);
	close(capture->saved);
	length = read(capture->read_end, capture->text, sizeof(capture->text) - 1);
	close(capture->read_end);
	capture->text[length > 0 ? length : 0] = '\0';
	return capture->text;
}

static void levels(void **state)
{
	struct capture capture;
	int level;

	(void)state;
	unsetenv("JOURNAL_STREAM");
	begin(&capture);
	log_open(LOG_WARNING);
	errno = EINTR;
	log_write(LOG_NOTICE, "not this");
	log_write(LOG_WARNING, "this: %d", 7);
	assert_int_equal(errno, EINTR);
	log_set_level(LOG_DEBUG);
	log_write(LOG_DEBUG, "and this");
	assert_string_equal(end(&capture), "warning: this: 7\ndebug: and this\n");
	assert_int_equal(log_get_level(), LOG_DEBUG);

	for (int i = LOG_EMERG; i <= LOG_DEBUG; i++) {
		assert_int_equal(log_level_from_name(log_level_name(i), &level), 0);
		assert_int_equal(level, i);
	}
	assert_int_equal(log_level_from_name("loud", &level), -EINVAL);
	assert_string_equal(log_level_name(99), "?");
}

static void one_line_a_message(void **state)
{
	struct capture capture;
	char longest[5000];
	const char *text;

	(void)state;
	memset(longest, 'x', sizeof(longest) - 1);
	longest[sizeof(longest) - 1] = '\0';
	begin(&capture);
	log_write(LOG_ERR, "two\nlines\x1b[31m\r\n");
	assert_string_equal(end(&capture), "error: two lines [31m  \n");
	begin(&capture);
	log_write(LOG_ERR, "%s", longest);
	text = end(&capture);
	assert_in_range(strlen(text), 1000, 2100);
	assert_ptr_equal(strchr(text, '\n'), text + strlen(text) - 1);
}

static void journal_prefix(void **state)
{
	struct capture capture;
	char stream[64];
	struct stat st;

	(void)state;
	begin(&capture);
	assert_int_equal(fstat(STDERR_FILENO, &st), 0);
	snprintf(stream, sizeof(stream), "%llu:%llu", (unsigned long long)st.st_dev, (unsigned long long)st.st_ino);
	setenv("JOURNAL_STREAM", stream, 1);
	log_open(LOG_INFO);
	log_write(LOG_ERR, "trouble");
	assert_string_equal(end(&capture), "<3>trouble\n");

	/* Inherited from a parent whose stderr was another. */
	begin(&capture);
	setenv("JOURNAL_STREAM", "1:1", 1);
	log_open(LOG_INFO);
	log_write(LOG_ERR, "trouble");
	assert_string_equal(end(&capture), "error: trouble\n");
	unsetenv("JOURNAL_STREAM");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(levels),
		cmocka_unit_test(one_line_a_message),
		cmocka_unit_test(journal_prefix),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
