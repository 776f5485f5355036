#include "litter.h"

#include <dirent.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { LITTER_MAX = 64 };

/* Directories that are there now; empty texts: free places. */
static char (*places(void))[64]
{
	static char all[LITTER_MAX][64];

	return all;
}

static int empty_and_remove(const char *directory)
{
	DIR *handle = opendir(directory);
	struct dirent *entry;

	while (handle && (entry = readdir(handle)))
		if (strcmp(entry->d_name, ".") != 0 && strcmp(entry->d_name, "..") != 0)
			unlinkat(dirfd(handle), entry->d_name, 0);
	if (handle)
		closedir(handle);
	return rmdir(directory);
}

static void remove_all(void)
{
	for (int i = 0; i < LITTER_MAX; i++)
		if (*places()[i])
			empty_and_remove(places()[i]);
}

void litter_make(char *directory_template)
{
	static int registered;

	if (!registered++)
		atexit(remove_all);
	if (!mkdtemp(directory_template))
		abort();
	for (int i = 0; i < LITTER_MAX; i++) {
		if (!*places()[i]) {
			snprintf(places()[i], 64, "%s", directory_template);
			return;
		}
	}
	abort();
}

int litter_remove(const char *directory)
{
	for (int i = 0; i < LITTER_MAX; i++)
		if (strcmp(places()[i], directory) == 0)
			*places()[i] = '\0';
	return empty_and_remove(directory);
}
