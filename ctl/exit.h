#pragma once
/* Exit codes of tapstackctl: name, number, meaning. Help, the manual page and the tests are made from this table. */
#define EXIT_CODES(X)                                                                                                \
	X(OK, 0, "done")                                                                                             \
	X(REFUSED, 1, "the daemon, or the database, refused or failed")                                              \
	X(USAGE, 2, "wrong command, option or filter")                                                               \
	X(UNREACHABLE, 3, "no daemon answers on the socket, or there is no database")                                \
	X(NOT_PERMITTED, 4, "you may not do that")                                                                   \
	X(NO_MATCH, 5, "nothing matched: no such connection, or none that fits the filter")                          \
	X(TIMED_OUT, 6, "no answer within --timeout")

enum exit_code {
#define EXIT_ENUM(name, number, meaning) EXIT_##name = number,
	EXIT_CODES(EXIT_ENUM)
#undef EXIT_ENUM
};
