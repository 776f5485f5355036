/* Messages: text to call. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "control/message.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void depth(void **state)
{
	static const struct {
		const char *text;
		unsigned depth;
	} cases[] = {
		{ "", 0 },
		{ "1", 0 },
		{ "{}", 1 },
		{ "[[],[]]", 2 },
		{ "{\"a\":[{\"b\":1}]}", 3 },
		{ "\"[[[[\"", 0 },
		{ "[\"\\\"[[[[\"]", 1 },  /* an escaped quote does not end the string */
		{ "[\"\\\\\",[[]]]", 3 }, /* an escaped backslash does not escape */
		{ "]]]][", 1 },
		{ "{\"unterminated: [[[", 1 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		if (message_depth(cases[i].text, strlen(cases[i].text)) != cases[i].depth)
			fail_msg("depth of %s is not %u", cases[i].text, cases[i].depth);
}

static void refused(void **state)
{
	static const struct {
		const char *text, *reason;
	} cases[] = {
		{ "", "not JSON" },
		{ "{", "not JSON" },
		{ "[]", "must be an object" },
		{ "3", "not JSON" }, /* a text must be an object or array */
		{ "{}", "\"method\" is missing" },
		{ "{\"method\":1}", "\"method\" is unknown or has the wrong type" },
		{ "{\"method\":\"a.B\",\"parameters\":[]}", "\"parameters\"" },
		{ "{\"method\":\"a.B\",\"parameters\":\"x\"}", "\"parameters\"" },
		{ "{\"method\":\"a.B\",\"more\":1}", "\"more\"" },
		{ "{\"method\":\"a.B\",\"oneway\":\"yes\"}", "\"oneway\"" },
		{ "{\"method\":\"a.B\",\"upgrade\":true}", "upgraded" },
		{ "{\"method\":\"a.B\",\"id\":1}", "\"id\" is unknown" },
		{ "{\"method\":\"a.B\",\"more\":true,\"oneway\":true}", "exclude" },
		{ "{\"method\":\"a.B\",\"method\":\"a.C\"}", "not JSON" },
		{ "{\"method\":\"a.B\"} x", "not JSON" },
		{ "{\"method\":\"\xff\xfe\"}", "not JSON" },
		{ "{\"method\":\"\\u0000\"}", "not JSON" },
		{ "{\"method\":\"\\ud800\"}", "not JSON" },
	};
	struct message_call call;
	char reason[256];

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		if (message_parse(cases[i].text, strlen(cases[i].text), &call, reason, sizeof(reason)) != -EBADMSG)
			fail_msg("taken: %s", cases[i].text);
		if (!strstr(reason, cases[i].reason))
			fail_msg("%s: reason is \"%s\", not \"%s\"", cases[i].text, reason, cases[i].reason);
		for (const char *c = reason; *c; c++)
			assert_in_range(*c, ' ', '~');
	}
}

static int parse_nested(unsigned levels)
{
	char text[4096], reason[256];
	struct message_call call;
	size_t used = (size_t)sprintf(text, "{\"method\":\"a.B\",\"parameters\":{\"x\":");
	int r;

	for (unsigned i = 0; i < levels; i++)
		text[used++] = '[';
	for (unsigned i = 0; i < levels; i++)
		text[used++] = ']';
	used += (size_t)sprintf(text + used, "}}");
	r = message_parse(text, used, &call, reason, sizeof(reason));
	if (r == 0)
		message_done(&call);
	return r;
}

static void nesting(void **state)
{
	(void)state;
	assert_int_equal(parse_nested(MESSAGE_DEPTH_MAX - 2), 0);
	assert_int_equal(parse_nested(MESSAGE_DEPTH_MAX - 1), -EBADMSG);
	assert_int_equal(parse_nested(1000), -EBADMSG);
}

static void taken(void **state)
{
	static const char full[] = "{\"method\":\"a.b.C\",\"parameters\":{\"x\":1},\"more\":true,\"oneway\":false}";
	static const char least[] = "{\"method\":\"a.b.C\",\"parameters\":null}";
	struct message_call call;
	char reason[256];

	(void)state;
	assert_int_equal(message_parse(full, strlen(full), &call, reason, sizeof(reason)), 0);
	assert_string_equal(call.method, "a.b.C");
	assert_true(call.more);
	assert_false(call.oneway);
	assert_int_equal(json_object_size(call.parameters), 1);
	message_done(&call);

	assert_int_equal(message_parse(least, strlen(least), &call, reason, sizeof(reason)), 0);
	assert_true(json_is_object(call.parameters));
	assert_false(call.more);
	message_done(&call);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(depth),
		cmocka_unit_test(refused),
		cmocka_unit_test(nesting),
		cmocka_unit_test(taken),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
