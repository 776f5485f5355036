#pragma once
/* A network namespace of the test's own, with lo up: once per program, as the group setup of cmocka. Root is not
 * needed where the kernel lets users have namespaces. Returns 0, or -1 with a line on stderr. */
int namespace_enter(void **state);
