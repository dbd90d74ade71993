/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * libranchu-pipe: services of the goldfish pipe in a process of the host. Add
 * ranchu_pipe.c to the program; it needs the headers in include/uapi and nothing
 * else. example.c is a whole service.
 *
 *	ranchu_services_connect()	a file of services, from the guest's VMM
 *	ranchu_services_add()		take a name
 *	ranchu_services_next()		wait for an open of it
 *	ranchu_pipe_accept()		answer it with a pair of rings
 *	ranchu_pipe_refuse()		or hang it up
 *
 * Then the guest's bytes are in memory, in the order it wrote them, each
 * ranchu_pipe_peek() in one piece, and what is put there it reads:
 *
 *	n = ranchu_pipe_peek(&pipe, &bytes);	look, without a system call
 *	... use as much of it as makes sense ...
 *	ranchu_pipe_consume(&pipe, used);	make room
 *	n = ranchu_pipe_room(&pipe, &bytes);	look for room
 *	... fill some of it ...
 *	ranchu_pipe_produce(&pipe, filled);	give it to the guest
 *	ranchu_pipe_wait(&pipe, ...);		only if there was nothing
 *	ranchu_pipe_wait_more(&pipe, n);	or not enough of it
 *
 * Or, for who prefers copies, ranchu_pipe_read() and ranchu_pipe_write(), which
 * block. consume and produce call the kernel only if the guest waits.
 *
 * These files may be used under either of two licences, GPL-2.0-only or Apache-2.0,
 * whichever suits the program they become a part of. The headers in include/uapi carry
 * the kernel's note that programs which use them are not derived works.
 *
 * A pipe is one thread's. Functions return -errno if they fail. What is peeked at
 * is the guest's, who may be up to anything but cannot change it any more.
 */
#ifndef RANCHU_PIPE_H
#define RANCHU_PIPE_H

#include <stddef.h>
#include <sys/types.h>
#include <linux/vhost_goldfish_pipe.h>

/* What to wait for. */
#define RANCHU_PIPE_READ	1	/* bytes to peek at, or the end */
#define RANCHU_PIPE_WRITE	2	/* room, or the end */

/**
 * struct ranchu_pipe_ring - one of the two rings; for the library's own use
 * @ours: what we tell
 * @theirs: what the module tells
 * @bytes: the ring, mapped twice in a row
 * @size: of it
 * @position: bytes that we have moved, modulo 2^32
 */
struct ranchu_pipe_ring {
	struct vhost_goldfish_pipe_ring_end *ours;
	struct vhost_goldfish_pipe_ring_end *theirs;
	__u8 *bytes;
	__u32 size;
	__u32 position;
};

/**
 * struct ranchu_pipe - the host's end of a pipe
 * @fd: the rings' file
 * @wake_fd: the eventfd that wakes us
 * @own_wake_fd: it is ours to close
 * @control: the indices
 * @in: what the guest writes
 * @out: what the guest reads
 */
struct ranchu_pipe {
	int fd;
	int wake_fd;
	int own_wake_fd;
	struct vhost_goldfish_pipe_ring_control *control;
	struct ranchu_pipe_ring in;
	struct ranchu_pipe_ring out;
};

/* Gets a file of services from the VMM that listens at @path. */
int ranchu_services_connect(const char *path);
/* Offers `pipe:<name>` to the guest. */
int ranchu_services_add(int services, const char *name);
/* Waits for an open. 1: @event is filled; 0: the guest is no more. */
int ranchu_services_next(int services, struct vhost_goldfish_pipe_event *event);

/*
 * Answers an open. Sizes are powers of two; a ring that is smaller than a page
 * of this host's becomes one page. @wake_fd is an eventfd for this pipe or for
 * many, or -1. -ENOENT: the guest has gone.
 */
int ranchu_pipe_accept(struct ranchu_pipe *pipe, int services, __u64 open,
		       __u32 in_size, __u32 out_size, int wake_fd);
int ranchu_pipe_refuse(int services, __u64 open);
/* The guest reads what is left, then sees the end. */
void ranchu_pipe_close(struct ranchu_pipe *pipe);

/* Bytes from the guest: how many, 0 if there are none now; -EPIPE: the end. */
ssize_t ranchu_pipe_peek(struct ranchu_pipe *pipe, const void **bytes);
void ranchu_pipe_consume(struct ranchu_pipe *pipe, size_t n);
/* Room for bytes to the guest, likewise. */
ssize_t ranchu_pipe_room(struct ranchu_pipe *pipe, void **bytes);
void ranchu_pipe_produce(struct ranchu_pipe *pipe, size_t n);

/*
 * Sleeps until one of @what is so; for a pipe with an eventfd of its own. For a
 * program with a loop of its own: ranchu_pipe_listen() says 1 if one is so already,
 * else the eventfd becomes readable when one is; whoever reads that then looks at
 * all pipes that share it.
 */
int ranchu_pipe_wait(struct ranchu_pipe *pipe, int what);
int ranchu_pipe_listen(struct ranchu_pipe *pipe, int what);
/*
 * The same for a service that has peeked at @seen bytes, which are a part of a command: until
 * more than that are there. -EPIPE: the guest has closed the pipe, no more will come.
 * -EMSGSIZE: the ring is full, so the command is larger than the ring. ranchu_pipe_more()
 * does not wait: 1 if there are more, 0 if the eventfd will tell.
 */
int ranchu_pipe_wait_more(struct ranchu_pipe *pipe, size_t seen);
int ranchu_pipe_more(struct ranchu_pipe *pipe, size_t seen);

/* At least one byte, or 0 at the end; all @n bytes, or -EPIPE. */
ssize_t ranchu_pipe_read(struct ranchu_pipe *pipe, void *bytes, size_t n);
ssize_t ranchu_pipe_write(struct ranchu_pipe *pipe, const void *bytes, size_t n);

#endif /* RANCHU_PIPE_H */
