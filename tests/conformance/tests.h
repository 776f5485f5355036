#pragma once
/* The prototypes of all tests, from the tables. */
#define TESTED(id, section, level, phrase, test) void test(void **state);
#define TESTED_IPV4 TESTED
#define TESTED_IPV6 TESTED
#define CODE(id, section, level, phrase, file, function, reason)
#define EXCUSED_BY(id, section, level, phrase, reason)
#include "all.def"
#undef TESTED
#undef TESTED_IPV4
#undef TESTED_IPV6
#undef CODE
#undef EXCUSED_BY
