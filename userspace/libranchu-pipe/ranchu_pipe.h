/* SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0 */
/*
 * libranchu-pipe: services of the goldfish pipe in a process of the host. Add
 * ranchu_pipe.c to the program; it needs the headers in include/uapi and nothing
 * else. example.c is a whole service.
 *
 *	ranchu_services_connect()	a file of services, from the guest's VMM
 *	ranchu_services_add()		register a name
 *	ranchu_services_next()		wait until the guest opens it
 *	ranchu_pipe_accept()		accept it, with a pair of rings
 *	ranchu_pipe_refuse()		or refuse it
 *
 * Then the guest's bytes are in memory, in the order of writing, and each
 * ranchu_pipe_peek() is contiguous; the guest reads what is produced:
 *
 *	n = ranchu_pipe_peek(&pipe, &bytes);	read them without a system call
 *	... process complete commands ...
 *	ranchu_pipe_consume(&pipe, used);	free their room
 *	n = ranchu_pipe_room(&pipe, &bytes);	find room
 *	... fill it ...
 *	ranchu_pipe_produce(&pipe, filled);	publish it to the guest
 *	ranchu_pipe_wait(&pipe, ...);		only if there were no bytes
 *	ranchu_pipe_wait_more(&pipe, n);	or too few
 *
 * For copies instead, use ranchu_pipe_read() and ranchu_pipe_write(), which
 * block. consume and produce call the kernel only if the guest waits.
 *
 * These files may be used under either of two licences, GPL-2.0-only or Apache-2.0,
 * whichever suits the program they become a part of. The headers in include/uapi carry
 * the kernel's note that programs which use them are not derived works.
 *
 * A pipe is used by one thread. Functions return -errno if they fail. Bytes from
 * peek are the guest's and must be checked, but the guest cannot change them any more.
 */
#ifndef RANCHU_PIPE_H
#define RANCHU_PIPE_H

#include <stddef.h>
#include <sys/types.h>
#include <linux/vhost_goldfish_pipe.h>

/* Conditions to wait for. */
#define RANCHU_PIPE_READ	1	/* bytes to peek at, or the end */
#define RANCHU_PIPE_WRITE	2	/* room, or the end */

/**
 * struct ranchu_pipe_ring - one of the two rings; for the library's own use
 * @ours: indices that we write
 * @theirs: indices that the module writes
 * @bytes: the ring, mapped twice in a row
 * @size: size in bytes
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
 * @fd: file of the rings
 * @wake_fd: the eventfd that wakes us
 * @own_wake_fd: the library made it, and closes it
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
/* Waits for an open. Returns 1 with @event filled, 0 when the guest has ended. */
int ranchu_services_next(int services, struct vhost_goldfish_pipe_event *event);

/*
 * Accepts an open. Sizes are powers of two; a ring that is smaller than a page
 * of this host's becomes one page. @wake_fd is an eventfd for this pipe or for
 * many, or -1. -ENOENT: the guest has ended.
 */
int ranchu_pipe_accept(struct ranchu_pipe *pipe, int services, __u64 open,
		       __u32 in_size, __u32 out_size, int wake_fd);
int ranchu_pipe_refuse(int services, __u64 open);
/* The guest can read the remaining bytes, then gets end of file. */
void ranchu_pipe_close(struct ranchu_pipe *pipe);

/* Returns how many bytes from the guest there are, or -EPIPE at the end. */
ssize_t ranchu_pipe_peek(struct ranchu_pipe *pipe, const void **bytes);
void ranchu_pipe_consume(struct ranchu_pipe *pipe, size_t n);
/* Returns the room for bytes to the guest, or -EPIPE at the end. */
ssize_t ranchu_pipe_room(struct ranchu_pipe *pipe, void **bytes);
void ranchu_pipe_produce(struct ranchu_pipe *pipe, size_t n);

/*
 * Sleeps until one of @what is true; for a pipe with an eventfd of its own. For a
 * program with a loop of its own: ranchu_pipe_listen() returns 1 if one is true already,
 * else the eventfd becomes readable when one is; after reading it, check
 * all pipes that share it.
 */
int ranchu_pipe_wait(struct ranchu_pipe *pipe, int what);
int ranchu_pipe_listen(struct ranchu_pipe *pipe, int what);
/*
 * Sleeps until more than @seen bytes can be read, which are an incomplete command. Errors:
 * -EPIPE: the guest has closed the pipe, and no more will come.
 * -EMSGSIZE: the ring is full, so the command is larger than the ring. ranchu_pipe_more()
 * does not wait: 1 if there are more, 0 if the eventfd will be signalled.
 */
int ranchu_pipe_wait_more(struct ranchu_pipe *pipe, size_t seen);
int ranchu_pipe_more(struct ranchu_pipe *pipe, size_t seen);

/* Read: at least one byte, or 0 at the end. Write: all @n bytes, or -EPIPE. */
ssize_t ranchu_pipe_read(struct ranchu_pipe *pipe, void *bytes, size_t n);
ssize_t ranchu_pipe_write(struct ranchu_pipe *pipe, const void *bytes, size_t n);

#endif /* RANCHU_PIPE_H */
