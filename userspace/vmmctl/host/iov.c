// SPDX-License-Identifier: GPL-2.0-only
/*
 * Scattered memory (iovec): copies from it and to it, and a part of it.
 */
#include <string.h>

#include "host/iov.h"

/* Finds the piece that contains @offset, which becomes an offset in that piece. */
static unsigned int iov_seek(const struct iovec *iov, unsigned int count, u64 *offset)
{
	unsigned int i;

	for (i = 0; i < count && *offset >= iov[i].iov_len; i++)
		*offset -= iov[i].iov_len;
	return i;
}

/**
 * vmm_iov_part - describe a part of scattered memory
 * @iov: the pieces
 * @count: how many
 * @offset: bytes before the part
 * @len: bytes of the part; it is shorter if the memory ends
 * @part: filled; has room for @count
 *
 * Return: pieces of the part
 */
unsigned int vmm_iov_part(const struct iovec *iov, unsigned int count, u64 offset, u64 len,
			  struct iovec *part)
{
	unsigned int i = iov_seek(iov, count, &offset);
	unsigned int n = 0;

	for (; i < count && len; i++) {
		size_t more = iov[i].iov_len - offset;

		if (more > len)
			more = len;
		if (more)
			part[n++] = (struct iovec){ (u8 *)iov[i].iov_base + offset, more };
		len -= more;
		offset = 0;
	}
	return n;
}

/**
 * vmm_iov_read - copy from pieces of memory
 * @iov: the pieces
 * @count: how many
 * @offset: bytes to skip
 * @to: filled
 * @len: bytes
 *
 * Return: bytes copied; fewer if the memory ends
 */
size_t vmm_iov_read(const struct iovec *iov, unsigned int count, u64 offset, void *to,
		    size_t len)
{
	unsigned int i = iov_seek(iov, count, &offset);
	size_t done = 0;

	for (; i < count && done < len; i++, offset = 0) {
		size_t more = iov[i].iov_len - offset;

		if (more > len - done)
			more = len - done;
		memcpy((u8 *)to + done, (const u8 *)iov[i].iov_base + offset, more);
		done += more;
	}
	return done;
}

/**
 * vmm_iov_write - copy to pieces of memory
 * @iov: the pieces
 * @count: how many
 * @offset: bytes to skip
 * @from: the bytes
 * @len: bytes
 *
 * Return: bytes copied; fewer if the memory ends
 */
size_t vmm_iov_write(const struct iovec *iov, unsigned int count, u64 offset, const void *from,
		     size_t len)
{
	unsigned int i = iov_seek(iov, count, &offset);
	size_t done = 0;

	for (; i < count && done < len; i++, offset = 0) {
		size_t more = iov[i].iov_len - offset;

		if (more > len - done)
			more = len - done;
		memcpy((u8 *)iov[i].iov_base + offset, (const u8 *)from + done, more);
		done += more;
	}
	return done;
}

/**
 * vmm_iov_fill - fill pieces of memory with one byte
 * @iov: the pieces
 * @count: how many
 * @offset: bytes to skip
 * @byte: value for the other bytes
 */
void vmm_iov_fill(const struct iovec *iov, unsigned int count, u64 offset, int byte)
{
	unsigned int i = iov_seek(iov, count, &offset);

	for (; i < count; i++, offset = 0)
		memset((u8 *)iov[i].iov_base + offset, byte, iov[i].iov_len - offset);
}
