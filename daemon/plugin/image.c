#include "plugin/image.h"

#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#ifndef MFD_EXEC
#define MFD_EXEC 0x0010U /* Linux 6.3: code may be run from it, whatever vm.memfd_noexec says short of 2 */
#endif

#define COPY_BLOCK 65536u

/* ---- what it is ---------------------------------------------------------------------------------------------- */

/* The header of the program that runs, put there by the linker: what it is made for is what can be loaded. */
extern const ElfW(Ehdr) __ehdr_start __attribute__((visibility("hidden")));

static bool within(uint64_t offset, uint64_t length, uint64_t size)
{
	return offset <= size && length <= size - offset;
}

static int check_header(const ElfW(Ehdr) * header, size_t size, const char *path, char *error)
{
	if (size < sizeof(*header) || memcmp(header->e_ident, ELFMAG, SELFMAG) != 0)
		return refuse(error, -EINVAL,
		              "%.700s: not a shared object: build it with -shared -fPIC, and install the .so file",
		              path);
	if (header->e_ident[EI_CLASS] != __ehdr_start.e_ident[EI_CLASS] ||
	    header->e_ident[EI_DATA] != __ehdr_start.e_ident[EI_DATA] || header->e_machine != __ehdr_start.e_machine)
		return refuse(error, -EINVAL,
		              "%.700s: built for another kind of machine (ELF class %u, machine %u; this tapstackd: "
		              "%u, %u)",
		              path, header->e_ident[EI_CLASS], header->e_machine, __ehdr_start.e_ident[EI_CLASS],
		              __ehdr_start.e_machine);
	if (header->e_type != ET_DYN)
		return refuse(error, -EINVAL, "%.700s: an ELF file, but not a shared object: link it with -shared",
		              path);
	return 0;
}

/* The linker maps what the program headers say, and touching what lies behind the end of the file is a SIGBUS. */
static int check_extent(const uint8_t *bytes, size_t size, const char *path, char *error)
{
	const ElfW(Ehdr) *header = (const void *)bytes;
	const ElfW(Phdr) * segment;

	if (header->e_phentsize != sizeof(*segment) || header->e_phoff % _Alignof(ElfW(Phdr)) != 0 ||
	    !within(header->e_phoff, (uint64_t)header->e_phnum * sizeof(*segment), size))
		return refuse(error, -EINVAL, "%.700s: its program headers are damaged or cut off", path);
	segment = (const void *)(bytes + header->e_phoff);
	for (unsigned i = 0; i < header->e_phnum; i++)
		if (segment[i].p_type == PT_LOAD && !within(segment[i].p_offset, segment[i].p_filesz, size))
			return refuse(error, -EINVAL, "%.700s: cut short: it has %zu bytes of at least %llu", path,
			              size, (unsigned long long)(segment[i].p_offset + segment[i].p_filesz));
	return 0;
}

static void *map(const struct image *image)
{
	void *bytes = mmap(NULL, image->size, PROT_READ, MAP_SHARED, image->fd, 0);

	return bytes == MAP_FAILED ? NULL : bytes;
}

static int check(const struct image *image, const char *path, char *error)
{
	void *bytes;
	int r;

	if (image->size == 0)
		return refuse(error, -EINVAL, "%.700s: the file is empty", path);
	bytes = map(image);
	if (bytes == NULL)
		return refuse(error, -errno, "%.700s: %s", path, strerror(errno));
	r = check_header(bytes, image->size, path, error);
	if (r == 0)
		r = check_extent(bytes, image->size, path, error);
	munmap(bytes, image->size);
	return r;
}

/* ---- copying ------------------------------------------------------------------------------------------------- */

static int open_memory(const char *path, int *ret_fd, char *error)
{
	const char *slash = strrchr(path, '/');
	char name[200]; /* shown by /proc/PID/maps, perf and gdb */
	int fd;

	snprintf(name, sizeof(name), "%.190s", slash == NULL ? path : slash + 1);
	fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING | MFD_EXEC);
	if (fd < 0 && errno == EINVAL) /* a kernel that does not know MFD_EXEC */
		fd = memfd_create(name, MFD_CLOEXEC | MFD_ALLOW_SEALING);
	if (fd < 0 && errno == EACCES)
		return refuse(error, -EACCES,
		              "%.600s: this machine does not let code run from anonymous memory, which plugins are "
		              "copied to: sysctl vm.memfd_noexec is 2 and has to be 0 or 1",
		              path);
	if (fd < 0)
		return refuse(error, -errno, "%.600s: no memory to copy it to (memfd_create): %s", path,
		              strerror(errno));
	*ret_fd = fd;
	return 0;
}

static int copy_bytes(int from, int to, size_t *ret_size)
{
	uint8_t block[COPY_BLOCK];
	size_t size = 0;

	for (;;) {
		ssize_t got = pread(from, block, sizeof(block), (off_t)size), put;

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -errno;
		if (got == 0)
			break;
		if (size + (size_t)got > IMAGE_SIZE_MAX)
			return -EFBIG;
		put = pwrite(to, block, (size_t)got, (off_t)size);
		if (put != got)
			return put < 0 ? -errno : -ENOSPC;
		size += (size_t)got;
	}
	*ret_size = size;
	return 0;
}

static bool same_moment(const struct stat *a, const struct stat *b)
{
	return a->st_size == b->st_size && a->st_mtim.tv_sec == b->st_mtim.tv_sec &&
	       a->st_mtim.tv_nsec == b->st_mtim.tv_nsec && a->st_ctim.tv_sec == b->st_ctim.tv_sec &&
	       a->st_ctim.tv_nsec == b->st_ctim.tv_nsec;
}

static int copy(int file, const char *path, struct image *image, char *error)
{
	struct stat before, after;
	int r;

	if (fstat(file, &before) != 0)
		return refuse(error, -errno, "%.700s: %s", path, strerror(errno));
	r = copy_bytes(file, image->fd, &image->size);
	if (r == -EFBIG)
		return refuse(error, r, "%.700s: larger than %llu MiB", path,
		              (unsigned long long)(IMAGE_SIZE_MAX >> 20));
	if (r != 0)
		return refuse(error, r, "%.700s: it can't be read: %s", path, strerror(-r));
	if (fstat(file, &after) != 0 || !same_moment(&before, &after) || (uint64_t)after.st_size != image->size)
		return refuse(error, -EAGAIN,
		              "%.700s: somebody is writing it: try again (better: write a new file, and rename it)",
		              path);
	if (fcntl(image->fd, F_ADD_SEALS, F_SEAL_WRITE | F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_SEAL) != 0)
		return refuse(error, -errno, "%.700s: its copy can't be sealed: %s", path, strerror(errno));
	return 0;
}

int image_copy(int file, const char *path, struct image *ret, char error[static PLUGIN_ERROR_MAX])
{
	struct image image = IMAGE_NONE;
	int r = open_memory(path, &image.fd, error);

	if (r == 0)
		r = copy(file, path, &image, error);
	if (r == 0)
		r = check(&image, path, error);
	if (r == 0)
		*ret = image;
	else
		image_close(&image);
	return r;
}

void image_close(struct image *image)
{
	if (image->fd >= 0)
		close(image->fd);
	*image = IMAGE_NONE;
}

void image_name(const struct image *image, char name[static IMAGE_NAME_MAX])
{
	snprintf(name, IMAGE_NAME_MAX, "/proc/self/fd/%d", image->fd);
}

bool image_equal(const struct image *a, const struct image *b)
{
	void *first, *second;
	bool equal;

	if (a->size != b->size || a->fd < 0 || b->fd < 0)
		return false;
	first = map(a);
	second = map(b);
	equal = first != NULL && second != NULL && memcmp(first, second, a->size) == 0;
	if (first != NULL)
		munmap(first, a->size);
	if (second != NULL)
		munmap(second, b->size);
	return equal;
}
