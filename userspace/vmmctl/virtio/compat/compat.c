// SPDX-License-Identifier: GPL-2.0-only
/*
 * Functions that replace those of the kernel for the virtqueue engine.
 */
#include "host/log.h"
#include "virtio/compat/compat.h"

/* There was a warning in this thread since the last vmm_compat_warned(). */
static __thread bool warned;

/**
 * vmm_compat_warn - report a bug of vmmctl, and remember it for this thread
 * @told: whether this place was reported; changed
 * @condition: the condition that should not be true
 * @file: source file of the place
 * @line: line of the place
 */
void vmm_compat_warn(bool *told, const char *condition, const char *file, int line)
{
	warned = true;
	if (!__atomic_exchange_n(told, true, __ATOMIC_RELAXED))
		vmm_error(-EIO, "a bug of vmmctl in %s:%d: %s", file, line, condition);
}

/**
 * vmm_compat_warned - ask whether there was a warning in this thread since the last call
 *
 * Return: whether there was one
 */
bool vmm_compat_warned(void)
{
	bool was = warned;

	warned = false;
	return was;
}

/**
 * vmm_compat_iter - copy from or to user memory, or skip it
 * @mem: memory of the caller, NULL to skip user memory
 * @len: bytes; no more are copied than are left in @iter
 * @iter: user memory; advanced
 * @to: whether user memory is written
 *
 * Return: bytes copied
 */
size_t vmm_compat_iter(void *mem, size_t len, struct iov_iter *iter, bool to)
{
	size_t left = len < iter->count ? len : iter->count;
	size_t done = 0, part;

	for (; done < left; done += part) {
		char *base;

		for (; iter->offset == iter->iov->iov_len; iter->iov++)
			iter->offset = 0;
		part = iter->iov->iov_len - iter->offset;
		if (part > left - done)
			part = left - done;
		base = (char *)iter->iov->iov_base + iter->offset;
		if (mem && to)
			memcpy(base, (char *)mem + done, part);
		else if (mem)
			memcpy((char *)mem + done, base, part);
		iter->offset += part;
		iter->count -= part;
	}
	return done;
}
