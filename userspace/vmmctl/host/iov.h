/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Copies from and to guest memory, which is scattered and may change during a copy.
 */
#ifndef IOV_H
#define IOV_H

#include <sys/uio.h>

#include "types.h"

/* ---- iov.c ---- */

size_t vmm_iov_read(const struct iovec *iov, unsigned int count, u64 offset, void *to,
		    size_t len);
size_t vmm_iov_write(const struct iovec *iov, unsigned int count, u64 offset, const void *from,
		     size_t len);
void vmm_iov_fill(const struct iovec *iov, unsigned int count, u64 offset, int byte);
unsigned int vmm_iov_part(const struct iovec *iov, unsigned int count, u64 offset, u64 len,
			  struct iovec *part);

#endif /* IOV_H */
