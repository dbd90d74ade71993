// SPDX-License-Identifier: GPL-2.0-only
/*
 * The main thread's loop: waits for something to happen to files and calls their
 * handlers. Only the main thread touches a loop.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "machine/machine.h"

/**
 * struct vmm_loop - files and what to do when something happens to them
 * @count: elements used
 * @fds: for poll()
 * @fn: handler of the file at the same index
 * @arg: its argument
 */
struct vmm_loop {
	unsigned int count;
	struct pollfd fds[VMM_LOOP_MAX];
	vmm_loop_fn fn[VMM_LOOP_MAX];
	void *arg[VMM_LOOP_MAX];
};

/**
 * vmm_loop_create - make an empty loop
 *
 * Return: the loop, or NULL
 */
struct vmm_loop *vmm_loop_create(void)
{
	struct vmm_loop *loop = calloc(1, sizeof(*loop));

	if (!loop)
		vmm_error(ENOMEM, "cannot set up the main loop");
	return loop;
}

/**
 * vmm_loop_destroy - free a loop; the files stay open
 * @loop: may be NULL
 */
void vmm_loop_destroy(struct vmm_loop *loop)
{
	free(loop);
}

/**
 * vmm_loop_watch - call a function whenever something happens to a file
 * @loop: the loop
 * @fd: the file
 * @events: what, as poll() wants it; hanging up and errors are always reported
 * @fn: returns 0 to go on, anything else ends the loop with that value
 * @arg: argument of @fn
 *
 * Return: 0, or -ENOSPC
 */
int vmm_loop_watch(struct vmm_loop *loop, int fd, short events, vmm_loop_fn fn, void *arg)
{
	unsigned int i = loop->count;

	if (i == VMM_LOOP_MAX)
		return vmm_error(-ENOSPC, "the main loop waits for too many files");
	loop->fds[i] = (struct pollfd){ .fd = fd, .events = events };
	loop->fn[i] = fn;
	loop->arg[i] = arg;
	loop->count++;
	return 0;
}

/**
 * vmm_loop_add - call a function whenever a file is readable or hung up
 * @loop: the loop
 * @fd: the file
 * @fn: as for vmm_loop_watch()
 * @arg: argument of @fn
 *
 * Return: 0, or -ENOSPC
 */
int vmm_loop_add(struct vmm_loop *loop, int fd, vmm_loop_fn fn, void *arg)
{
	return vmm_loop_watch(loop, fd, POLLIN, fn, arg);
}

/**
 * vmm_loop_del - forget a file
 * @loop: the loop
 * @fd: the file; nothing happens if it was never added
 */
void vmm_loop_del(struct vmm_loop *loop, int fd)
{
	unsigned int i;

	for (i = 0; i < loop->count; i++) {
		if (loop->fds[i].fd != fd)
			continue;
		loop->count--;
		loop->fds[i] = loop->fds[loop->count];
		loop->fn[i] = loop->fn[loop->count];
		loop->arg[i] = loop->arg[loop->count];
		return;
	}
}

/**
 * vmm_loop_run - serve files until a handler ends it
 * @loop: the loop
 *
 * Return: what the handler returned, or -errno
 */
int vmm_loop_run(struct vmm_loop *loop)
{
	unsigned int i;
	int ret;

	for (;;) {
		if (poll(loop->fds, loop->count, -1) < 0) {
			if (errno == EINTR)
				continue;
			return vmm_error(errno, "poll");
		}
		for (i = 0; i < loop->count; i++) {
			if (!loop->fds[i].revents)
				continue;
			/* A handler may delete files: what moved into a hole waits. */
			loop->fds[i].revents = 0;
			ret = loop->fn[i](loop->arg[i]);
			if (ret)
				return ret;
		}
	}
}

/**
 * vmm_event_create - make an eventfd that never blocks
 *
 * Return: the file, or -errno
 */
int vmm_event_create(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		return vmm_error(errno, "cannot create an eventfd");
	return fd;
}

/**
 * vmm_event_signal - signal an eventfd; any thread
 * @fd: the eventfd
 */
void vmm_event_signal(int fd)
{
	eventfd_write(fd, 1);
}

/**
 * vmm_event_clear - take back what was signalled so far
 * @fd: the eventfd
 */
void vmm_event_clear(int fd)
{
	eventfd_t value;

	eventfd_read(fd, &value);
}
