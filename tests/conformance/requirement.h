#pragma once
/* The tables of requirements, one per RFC (rfc*.def), and what a row is made of. The same tables declare the tests
 * (tests.h): a row without its test does not link, a test without its row does not compile. */
#include <stddef.h>

enum level {
	MUST,
	SHOULD,
	MAY,
	RULE, /* a step or value of the RFC that carries no keyword */
	LEVEL_COUNT
};

enum answer {
	ANSWER_TEST,    /* `name` is the test */
	ANSWER_CODE,    /* `name` is the function in `file` that shows it; `reason` says how */
	ANSWER_EXCUSED, /* it does not apply: `reason` */
};

/* Over which IP a test runs: over both, but where the matter exists in one of them only. */
enum family { OVER_IPV4 = 1, OVER_IPV6 = 2, OVER_BOTH = 3 };

struct requirement {
	const char *id, *section;
	enum level level;
	const char *phrase;
	enum answer answer;
	enum family family;
	const char *name;
	void (*test)(void **state);
	const char *file, *reason;
};

struct document {
	const char *rfc, *title;
	const struct requirement *rows;
	size_t count;
};

extern const struct document documents[];
extern const size_t document_count;

enum outcome { NOT_RUN, PASSED, FAILED, BY_CODE, EXCUSED, OUTCOME_COUNT };

/* The line of `file` (under the source tree `root`) on which `function` is defined; 0: not there any more. */
unsigned find_function(const char *root, const char *file, const char *function);

/* Prints all tables with their outcomes (of all rows, documents one after the other) and the sums. Returns the number
 * of requirements that are not met: failed, not run, or answered by code that is not there. */
size_t print_report(const char *root, const enum outcome *outcomes, void *stream);
