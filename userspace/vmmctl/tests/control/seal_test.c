// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sealing the files of a snapshot: a process that can still write is detected, by an open file or
 * by a mapping. On a file system without leases, the file is replaced by a copy.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "control/seal.h"
#include "machine/machine.h"
#include "tests/tap.h"

#define SIZE	(3 * MIB)
#define NFS	0x6969

static char home[64];
static int dir = -1;
static long magic;	/* pretended type of the file system, or 0 */

int fstatfs(int fd, struct statfs *st)
{
	int err = syscall(SYS_fstatfs, fd, st);

	if (!err && magic)
		st->f_type = magic;
	return err;
}

/* A file with data at both ends, and a hole between. */
static int file_make(void)
{
	int fd = openat(dir, "ram", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	tap_equal(pwrite(fd, "begin", 5, 0), 5);
	tap_equal(pwrite(fd, "end", 3, SIZE - 3), 3);
	return fd;
}

static bool has(const char *text, off_t at)
{
	char bytes[8] = "";
	int fd = openat(dir, "ram", O_RDONLY | O_CLOEXEC);
	bool ok = pread(fd, bytes, strlen(text), at) == (ssize_t)strlen(text) &&
		!strcmp(bytes, text);

	close(fd);
	return ok;
}

static void nobody_writes(void)
{
	int fd = file_make();

	tap_equal(vmm_seal(dir, "ram", &fd), 0);
	tap_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	tap_equal(write(fd, "x", 1), -1);
	tap_check(has("begin", 0) && has("end", SIZE - 3));
	close(fd);
}

static void an_open_file_is_noticed(void)
{
	int fd = file_make();
	int kept = openat(dir, "ram", O_WRONLY | O_CLOEXEC);

	tap_equal(vmm_seal(dir, "ram", &fd), -EAGAIN);
	close(fd);
	close(kept);
	fd = openat(dir, "ram", O_WRONLY | O_CLOEXEC);
	/* A file that is open for reading only is allowed. */
	kept = openat(dir, "ram", O_RDONLY | O_CLOEXEC);
	tap_equal(vmm_seal(dir, "ram", &fd), 0);
	close(kept);
	close(fd);
}

static void a_mapping_is_noticed(void)
{
	int fd = file_make();
	int kept = openat(dir, "ram", O_RDWR | O_CLOEXEC);
	void *map = mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, kept, 0);

	tap_check(map != MAP_FAILED);
	close(kept);
	tap_equal(vmm_seal(dir, "ram", &fd), -EAGAIN);
	close(fd);
	munmap(map, SIZE);
}

/* Later writes go to the old file, which has no name any more. */
static void without_leases_it_is_copied(void)
{
	int fd = file_make();
	int kept = openat(dir, "ram", O_RDWR | O_CLOEXEC);
	struct stat st;

	magic = NFS;
	tap_equal(vmm_seal(dir, "ram", &fd), 0);
	magic = 0;
	tap_equal(pwrite(kept, "other", 5, 0), 5);
	tap_equal(ftruncate(kept, 0), 0);
	tap_check(has("begin", 0) && has("end", SIZE - 3));
	tap_check(!fstat(fd, &st) && st.st_size == SIZE && st.st_blocks < 1000);
	tap_equal(fcntl(fd, F_GETFL) & O_ACCMODE, O_RDONLY);
	tap_check(faccessat(dir, VMM_SEAL_COPY, F_OK, 0) && errno == ENOENT);
	close(kept);
	close(fd);
}

static void a_hole_at_the_end_is_copied(void)
{
	struct stat st;
	int fd = file_make();

	tap_equal(ftruncate(fd, 5), 0);
	tap_equal(ftruncate(fd, SIZE), 0);
	magic = NFS;
	tap_equal(vmm_seal(dir, "ram", &fd), 0);
	magic = 0;
	tap_check(has("begin", 0));
	tap_check(!fstat(fd, &st) && st.st_size == SIZE);
	close(fd);
}

static const struct tap_case cases[] = {
	{ "a file that nobody writes to is taken", nobody_writes },
	{ "an open file is noticed", an_open_file_is_noticed },
	{ "a mapping is noticed", a_mapping_is_noticed },
	{ "without leases it is copied", without_leases_it_is_copied },
	{ "a hole at the end is copied", a_hole_at_the_end_is_copied },
};

int main(void)
{
	int code;

	snprintf(home, sizeof(home), "/tmp/ranchu-seal.XXXXXX");
	if (!mkdtemp(home))
		return 1;
	dir = open(home, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	code = tap_run(cases, ARRAY_SIZE(cases));
	unlinkat(dir, "ram", 0);
	rmdir(home);
	return code;
}
