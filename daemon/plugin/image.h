#pragma once
/* A shared object as it was at one moment: its bytes in sealed memory, whatever becomes of its file.
 *
 * What was looked at is what is loaded; a file that is overwritten in place does not change code that runs; and two
 * loads of one path are two objects, each with its own code and data.
 *
 * The dynamic linker gets /proc/self/fd/N to open. It takes a name that it has seen for the object that it has
 * loaded, so the descriptor stays open for as long as the object is there. */
#include "plugin/refuse.h"

#include <stdbool.h>
#include <stddef.h>

struct image {
	int fd; /* of the memory; -1: none */
	size_t size;
};

#define IMAGE_NONE ((struct image){ .fd = -1 })
#define IMAGE_NAME_MAX 32u
#define IMAGE_SIZE_MAX (UINT64_C(64) << 20)

/* Copies the file that is open as `file`; `path` is what messages call it. What the dynamic linker would stumble
 * over, or die of, is refused: no ELF file, one for another kind of machine, one that is cut short, one that is
 * being written. 0 or -errno, with a sentence in `error`. */
int image_copy(int file, const char *path, struct image *ret, char error[static PLUGIN_ERROR_MAX]);
void image_close(struct image *image);

/* The name to open it by. */
void image_name(const struct image *image, char name[static IMAGE_NAME_MAX]);
/* The same bytes? false also when that can't be found out. */
bool image_equal(const struct image *a, const struct image *b);
