/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Output to a file whose reader may stop reading: writing never waits for it.
 */
#ifndef OUTPUT_H
#define OUTPUT_H

#include <pthread.h>
#include <sys/types.h>

#include "types.h"

#define VMM_OUTPUT_RING	(256 * 1024)	/* bytes that wait for the reader */

/**
 * struct vmm_output - a file that is written to
 * @fd: the file as it was given
 * @own_fd: the same, opened again so that writing does not block; or -1
 * @socket: it is a socket
 * @poll: poll() is needed before each write
 * @plain: it is a regular file or a block device: always writable, but writing may take long
 */
struct vmm_output {
	int fd;
	int own_fd;
	bool socket;
	bool poll;
	bool plain;
};

void vmm_output_init(struct vmm_output *out, int fd);
void vmm_output_close(struct vmm_output *out);
ssize_t vmm_output_write(const struct vmm_output *out, const void *bytes, size_t len);
int vmm_output_fd(const struct vmm_output *out);

/**
 * struct vmm_output_ring - bytes that wait for the reader
 * @bytes: a ring
 * @head: oldest byte
 * @len: bytes in it
 * @dropped: bytes that did not fit
 */
struct vmm_output_ring {
	u8 bytes[VMM_OUTPUT_RING];
	size_t head;
	size_t len;
	u64 dropped;
};

void vmm_output_put(struct vmm_output_ring *ring, const void *bytes, size_t len);
size_t vmm_output_take(struct vmm_output_ring *ring, void *bytes, size_t len);
int vmm_output_drain(struct vmm_output_ring *ring, const struct vmm_output *out);

#endif /* OUTPUT_H */
