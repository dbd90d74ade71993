/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/* /dev/ranchu-copy-bench: what one plain copy costs in this kernel. */
#ifndef RANCHU_COPY_BENCH_H
#define RANCHU_COPY_BENCH_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define RANCHU_COPY_BENCH_MAX	(1 << 20)

/**
 * struct ranchu_copy_bench - argument of RUN
 * @uaddr: in: where to copy from
 * @size: in: bytes, at most RANCHU_COPY_BENCH_MAX
 * @ns: out: how long copy_from_user() took
 */
struct ranchu_copy_bench {
	__u64 uaddr;
	__u64 size;
	__u64 ns;
};

#define RANCHU_COPY_BENCH_RUN \
	_IOWR('R', 0x01, struct ranchu_copy_bench)

#endif /* RANCHU_COPY_BENCH_H */
