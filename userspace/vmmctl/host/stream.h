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
 * struct vmm_stream - a connection that is made again
 * @path: of the socket
 * @packets: the socket is one of packets
 * @fd: the connection, the same number for ever; sending to one that was lost fails
 * @lost: it was lost; of the thread that reads
 * @have: bytes of the record that is being read; of the thread that reads
 * @stalled: the other end did not read in time, and has not caught up since; of the
 *	thread that writes
 * @dropped: bytes that it did not get; written by that thread, read by any
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

/* For the thread that reads. */
int vmm_stream_timeout(const struct vmm_stream *stream);
int vmm_stream_poll_fd(const struct vmm_stream *stream);
void vmm_stream_retry(struct vmm_stream *stream);
void vmm_stream_lose(struct vmm_stream *stream);
bool vmm_stream_record(struct vmm_stream *stream, void *record, size_t size);

/* For the thread that writes. */
void vmm_stream_send(struct vmm_stream *stream, struct iovec *iov, unsigned int count);

#endif /* STREAM_H */
