// SPDX-License-Identifier: GPL-2.0-only
/*
 * A file that keeps the newest bytes. The guest controls how much is written, and must not
 * fill the disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include "host/log.h"
#include "server.h"

/**
 * logfile_open - create the file
 * @file: filled; @most is set by the caller
 * @path: its path; an existing file is emptied
 *
 * Return: 0, or -errno after a message
 */
int logfile_open(struct logfile *file, const char *path)
{
	file->len = 0;
	file->fd = open(path, O_RDWR | O_CREAT | O_TRUNC | O_NOFOLLOW | O_CLOEXEC, 0600);
	return file->fd < 0 ? vmm_error(errno, "cannot open %s", path) : 0;
}

/* Moves the newer half to the beginning. */
static void halve(struct logfile *file)
{
	u64 from = file->len - file->most / 2;
	u64 to = 0;
	u8 bytes[4096];
	ssize_t n = 1;

	while (from < file->len && n > 0) {
		n = pread(file->fd, bytes, sizeof(bytes), from);
		if (n > 0)
			n = pwrite(file->fd, bytes, n, to);
		if (n > 0) {
			from += n;
			to += n;
		}
	}
	if (ftruncate(file->fd, to))
		to = 0;
	file->len = to;
}

/**
 * logfile_add - append text
 * @arg: the file
 * @bytes: text
 * @len: bytes of it, less than half of the file's limit
 *
 * Text that cannot be written is lost.
 */
void logfile_add(void *arg, const u8 *bytes, size_t len)
{
	struct logfile *file = arg;
	ssize_t n;

	if (file->fd < 0)
		return;
	if (file->len + len > file->most)
		halve(file);
	n = pwrite(file->fd, bytes, len, file->len);
	if (n > 0)
		file->len += n;
}
