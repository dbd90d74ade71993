/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Iterators over the program's own memory, as far as they are copied from and to.
 */
#ifndef SHIM_LINUX_UIO_H
#define SHIM_LINUX_UIO_H

#include "uaccess.h"

#define ITER_SOURCE 1
#define ITER_DEST 0

struct iov_iter {
	const struct iovec *iov;
	size_t offset;
	size_t count;
};

static inline void iov_iter_init(struct iov_iter *iter, unsigned int direction,
				 const struct iovec *iov, unsigned long n, size_t count)
{
	(void)direction;
	(void)n;
	iter->iov = iov;
	iter->offset = 0;
	iter->count = count;
}

static inline size_t iov_iter_count(const struct iov_iter *iter)
{
	return iter->count;
}

/* Up to @len bytes from or to @mem; returns how many, fewer after a fault. */
static inline size_t shim_iter_copy(void *mem, size_t len, struct iov_iter *iter, bool to)
{
	size_t left = len < iter->count ? len : iter->count;
	size_t done = 0;

	while (done < left) {
		size_t part = iter->iov->iov_len - iter->offset;
		char *base = (char *)iter->iov->iov_base + iter->offset;

		part = part < left - done ? part : left - done;
		if (to ? copy_to_user(base, (char *)mem + done, part) :
			 copy_from_user((char *)mem + done, base, part))
			break;
		done += part;
		iter->count -= part;
		iter->offset += part;
		if (iter->offset == iter->iov->iov_len) {
			iter->iov++;
			iter->offset = 0;
		}
	}
	return done;
}

static inline void iov_iter_advance(struct iov_iter *iter, size_t len)
{
	iter->count -= len;
	for (iter->offset += len; iter->count && iter->offset >= iter->iov->iov_len; iter->iov++)
		iter->offset -= iter->iov->iov_len;
}

static inline bool copy_from_iter_full(void *mem, size_t len, struct iov_iter *iter)
{
	return len <= iter->count && shim_iter_copy(mem, len, iter, false) == len;
}

static inline size_t copy_to_iter(const void *mem, size_t len, struct iov_iter *iter)
{
	return shim_iter_copy((void *)mem, len, iter, true);
}

#endif /* SHIM_LINUX_UIO_H */
