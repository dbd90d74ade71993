/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A connection to a Unix socket of another program, which may hang up, end and come
 * again at any time.
 */
#ifndef STREAM_H
#define STREAM_H

#include <sys/uio.h>

#include "types.h"

/**
 * struct vmm_stream - a connection that is retried
 * @path: of the socket
 * @packets: it is a socket of packets
 * @fd: the connection; its descriptor never changes; sending on a lost connection fails
 * @lost: the connection was lost; used by the reading thread
 * @have: bytes of the record that were read; used by the reading thread
 * @stalled: the other end did not read in time, and has not caught up since; used by the
 *	writing thread
 * @dropped: counts dropped bytes; written by the writing thread, read by any
 */
struct vmm_stream {
	const char *path;
	bool packets;
	int fd;
	bool lost;
	size_t have;
	bool stalled;
	u64 dropped;
};

int vmm_stream_open(struct vmm_stream *stream, const char *path);
int vmm_stream_open_packets(struct vmm_stream *stream, const char *path);
void vmm_stream_close(struct vmm_stream *stream);

/* For the reading thread. */
int vmm_stream_timeout(const struct vmm_stream *stream);
int vmm_stream_poll_fd(const struct vmm_stream *stream);
void vmm_stream_retry(struct vmm_stream *stream);
void vmm_stream_lose(struct vmm_stream *stream);
bool vmm_stream_record(struct vmm_stream *stream, void *record, size_t size);

/* For the writing thread. */
void vmm_stream_send(struct vmm_stream *stream, struct iovec *iov, unsigned int count);

#endif /* STREAM_H */
