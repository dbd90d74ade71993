/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Compressed kernels: finding the compressed bytes in a file, and inflating them into a buffer of a
 * known size. The file is not trusted.
 */
#ifndef BOOT_UNPACK_H
#define BOOT_UNPACK_H

#include "types.h"

#define VMM_UNPACK_HEAD	64	/* bytes of a file from which its compression is found */

/**
 * struct vmm_packed - a file, and its compressed part
 * @fd: the file
 * @path: its name, for messages
 * @offset: of the gzip data, in bytes
 * @size: bytes of the gzip data at most; 0 if nothing is compressed
 */
struct vmm_packed {
	int fd;
	const char *path;
	u64 offset;
	u64 size;
};

/* ---- unpack.c ---- */

int vmm_unpack_find(const void *head, size_t len, u64 file_size, struct vmm_packed *packed);
int vmm_unpack_begin(const struct vmm_packed *packed, void *to, size_t size, size_t *got);
int vmm_unpack_all(const struct vmm_packed *packed, void *to, u64 size, u64 *got);

#endif /* BOOT_UNPACK_H */
