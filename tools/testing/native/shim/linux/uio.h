/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Iterators over user memory, over the program's own, or over none: what comes is
 * thrown away. As far as they are copied from and to.
 */
#ifndef SHIM_LINUX_UIO_H
#define SHIM_LINUX_UIO_H

#include <string.h>

#include "uaccess.h"

#define ITER_SOURCE 1
#define ITER_DEST 0

struct kvec {
	void *iov_base;
	size_t iov_len;
};

struct iov_iter {
	const struct iovec *iov;
	const struct kvec *kvec;
	size_t offset;
	size_t count;
};

static inline void iov_iter_init(struct iov_iter *iter, unsigned int direction,
				 const struct iovec *iov, unsigned long n, size_t count)
{
	(void)direction;
	(void)n;
	*iter = (struct iov_iter){ .iov = iov, .count = count };
}

static inline void iov_iter_kvec(struct iov_iter *iter, unsigned int direction,
				 const struct kvec *kvec, unsigned long n, size_t count)
{
	(void)direction;
	(void)n;
	*iter = (struct iov_iter){ .kvec = kvec, .count = count };
}

static inline void iov_iter_discard(struct iov_iter *iter, unsigned int direction,
				    size_t count)
{
	(void)direction;
	*iter = (struct iov_iter){ .count = count };
}

static inline size_t iov_iter_count(const struct iov_iter *iter)
{
	return iter->count;
}

static inline void iov_iter_truncate(struct iov_iter *iter, size_t count)
{
	iter->count = count < iter->count ? count : iter->count;
}

/* Copies @part bytes, all in a row, from or to @mem. False after a fault. */
static inline bool shim_iter_copy_part(struct iov_iter *iter, void *mem, size_t part, bool to)
{
	char *base;

	if (!mem)
		return true;
	if (iter->kvec) {
		base = (char *)iter->kvec->iov_base + iter->offset;
		memcpy(to ? base : mem, to ? mem : base, part);
	} else if (iter->iov) {
		base = (char *)iter->iov->iov_base + iter->offset;
		return !(to ? copy_to_user(base, mem, part) :
			      copy_from_user(mem, base, part));
	}
	return true;
}

/* Up to @len bytes from or to @mem, or past them; how many, fewer after a fault. */
static inline size_t shim_iter_copy(void *mem, size_t len, struct iov_iter *iter, bool to)
{
	size_t left = len < iter->count ? len : iter->count;
	size_t done = 0, part;

	for (; done < left; done += part) {
		part = left - done;
		if (iter->iov) {
			for (; iter->offset == iter->iov->iov_len; iter->iov++)
				iter->offset = 0;
			if (part > iter->iov->iov_len - iter->offset)
				part = iter->iov->iov_len - iter->offset;
		}
		if (!shim_iter_copy_part(iter, mem ? (char *)mem + done : NULL, part, to))
			break;
		iter->offset += part;
		iter->count -= part;
	}
	return done;
}

static inline void iov_iter_advance(struct iov_iter *iter, size_t len)
{
	shim_iter_copy(NULL, len, iter, false);
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
