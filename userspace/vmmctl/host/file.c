// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>
#include <unistd.h>

#include "host/file.h"

/**
 * vmm_file_write - write to a file, a pipe or a terminal
 * @fd: the file; blocking
 * @bytes: the bytes
 * @len: how many
 *
 * Return: 0, or -errno without a message
 */
int vmm_file_write(int fd, const void *bytes, size_t len)
{
	const u8 *at = bytes;

	while (len) {
		ssize_t n = write(fd, at, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		at += n;
		len -= n;
	}
	return 0;
}

/**
 * vmm_file_write_at - write to a place in a file
 * @fd: the file
 * @bytes: the bytes
 * @len: how many
 * @offset: offset in the file
 *
 * Return: 0, or -errno without a message
 */
int vmm_file_write_at(int fd, const void *bytes, size_t len, u64 offset)
{
	const u8 *at = bytes;

	while (len) {
		ssize_t n = pwrite(fd, at, len, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		at += n;
		len -= n;
		offset += n;
	}
	return 0;
}

/**
 * vmm_file_read_at - read from a place in a file
 * @fd: the file
 * @bytes: filled
 * @len: how many
 * @offset: offset in the file
 *
 * Return: 0; -EIO if the file has fewer; or -errno; without a message
 */
int vmm_file_read_at(int fd, void *bytes, size_t len, u64 offset)
{
	u8 *at = bytes;

	while (len) {
		ssize_t n = pread(fd, at, len, offset);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		at += n;
		len -= n;
		offset += n;
	}
	return 0;
}
