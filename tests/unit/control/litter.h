#pragma once
/* Directories of a test's own, removed when the program ends in case the test has failed before it could. */

/* Makes a directory from a mkdtemp(3) template; aborts the program when that can't be done. */
void litter_make(char *directory_template);
/* Removes it with the files in it; nonzero when something other than plain files and sockets is in it. */
int litter_remove(const char *directory);
