// SPDX-License-Identifier: GPL-2.0-only
/*
 * Copies between our memory and the guest's, which is in pieces and may change meanwhile.
 */
#include <string.h>

#include "gpu.h"

/**
 * gpu_iov_read - copy from pieces of memory
 * @iov: the pieces
 * @count: how many
 * @offset: bytes of them that are passed over
 * @to: filled
 * @len: bytes
 *
 * Return: bytes copied; fewer if there are no more
 */
size_t gpu_iov_read(const struct iovec *iov, unsigned int count, u64 offset, void *to, size_t len)
{
	size_t done = 0;

	for (; count && done < len; iov++, count--) {
		size_t part;

		if (offset >= iov->iov_len) {
			offset -= iov->iov_len;
			continue;
		}
		part = iov->iov_len - offset;
		if (part > len - done)
			part = len - done;
		memcpy((u8 *)to + done, (const u8 *)iov->iov_base + offset, part);
		done += part;
		offset = 0;
	}
	return done;
}

/**
 * gpu_iov_write - copy to pieces of memory, from their beginning
 * @iov: the pieces
 * @count: how many
 * @from: what is copied
 * @len: bytes
 *
 * Return: bytes copied; fewer if there is no more room
 */
size_t gpu_iov_write(const struct iovec *iov, unsigned int count, const void *from, size_t len)
{
	size_t done = 0;

	for (; count && done < len; iov++, count--) {
		size_t part = iov->iov_len < len - done ? iov->iov_len : len - done;

		memcpy(iov->iov_base, (const u8 *)from + done, part);
		done += part;
	}
	return done;
}
