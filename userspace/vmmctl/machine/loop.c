// SPDX-License-Identifier: GPL-2.0-only
/*
 * The main thread's loop: waits for something to happen to files and calls their
 * handlers. Only the main thread touches a loop, and no handler waits for anybody.
 *
 * A file has to be taken out of the loop before it is closed: the kernel goes on
 * reporting one that another process has open as well.
 *
 * The files of devices are in a loop of their own, inside the main one. While that one is
 * held, none of its handlers is called, and what happens to its files waits in the kernel:
 * so a job has the devices to itself, and the main loop serves all else.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include "machine/machine.h"

#define LOOP_EVENTS	32	/* taken from the kernel at once */
#define LOOP_FDS	65536	/* numbers of files, more than anyone has */

/**
 * struct watch - a file, and what to do when something happens to it
 * @fn: its handler, NULL if the file is not in the loop
 * @arg: the handler's argument
 * @generation: tells apart files that have the same number one after the other
 * @always: the kernel cannot wait for it, because it is always ready
 */
struct watch {
	vmm_loop_fn fn;
	void *arg;
	u32 generation;
	bool always;
};

/**
 * struct vmm_loop - files and their handlers
 * @epoll_fd: the kernel's side
 * @outer: the loop that serves this one, or NULL
 * @held: no handler is called
 * @watch: by number of the file
 * @size: elements of @watch
 * @always: how many files are always ready
 * @generation: the last that was given
 */
struct vmm_loop {
	int epoll_fd;
	struct vmm_loop *outer;
	bool held;
	struct watch *watch;
	unsigned int size;
	unsigned int always;
	u32 generation;
};

/**
 * vmm_loop_create - make an empty loop
 *
 * Return: the loop, or NULL
 */
struct vmm_loop *vmm_loop_create(void)
{
	struct vmm_loop *loop = calloc(1, sizeof(*loop));

	if (loop)
		loop->epoll_fd = epoll_create1(EPOLL_CLOEXEC);
	if (loop && loop->epoll_fd >= 0)
		return loop;
	vmm_error(loop ? errno : ENOMEM, "cannot set up the main loop");
	free(loop);
	return NULL;
}

/**
 * vmm_loop_destroy - free a loop; the files stay open
 * @loop: may be NULL
 */
void vmm_loop_destroy(struct vmm_loop *loop)
{
	if (!loop)
		return;
	if (loop->outer)
		vmm_loop_del(loop->outer, loop->epoll_fd);
	close(loop->epoll_fd);
	free(loop->watch);
	free(loop);
}

static int loop_grow(struct vmm_loop *loop, int fd)
{
	unsigned int size = loop->size ? loop->size : 64;
	struct watch *watch;

	if (fd < 0 || fd >= LOOP_FDS)
		return -EBADF;
	while (size <= (unsigned int)fd)
		size *= 2;
	if (size == loop->size)
		return 0;
	watch = realloc(loop->watch, size * sizeof(*watch));
	if (!watch)
		return -ENOMEM;
	for (loop->watch = watch; loop->size < size; loop->size++)
		loop->watch[loop->size] = (struct watch){ 0 };
	return 0;
}

/* What the kernel says of a file that is ready. */
static u64 watch_key(const struct vmm_loop *loop, int fd)
{
	return (u64)loop->watch[fd].generation << 32 | fd;
}

/**
 * vmm_loop_watch - call a function whenever something happens to a file
 * @loop: the loop
 * @fd: the file, which is not in the loop yet
 * @events: what, as poll() wants it; hanging up and errors are always reported
 * @fn: returns 0 to go on, anything else ends the loop with that value
 * @arg: argument of @fn
 *
 * Return: 0, or -errno after a message
 */
int vmm_loop_watch(struct vmm_loop *loop, int fd, short events, vmm_loop_fn fn, void *arg)
{
	struct epoll_event event = { .events = (unsigned short)events };
	struct watch *watch;
	int err = loop_grow(loop, fd);

	if (err)
		return vmm_error(-err, "the main loop cannot wait for a file");
	watch = &loop->watch[fd];
	*watch = (struct watch){ .fn = fn, .arg = arg, .generation = ++loop->generation };
	event.data.u64 = watch_key(loop, fd);
	if (!epoll_ctl(loop->epoll_fd, EPOLL_CTL_ADD, fd, &event))
		return 0;
	/* Plain files and /dev/null never make anybody wait. No device has one. */
	if (errno == EPERM && !loop->outer) {
		watch->always = true;
		loop->always++;
		return 0;
	}
	watch->fn = NULL;
	return vmm_error(errno, "the main loop cannot wait for a file");
}

/**
 * vmm_loop_add - call a function whenever a file is readable or hung up
 * @loop: the loop
 * @fd: the file
 * @fn: as for vmm_loop_watch()
 * @arg: argument of @fn
 *
 * Return: 0, or -errno after a message
 */
int vmm_loop_add(struct vmm_loop *loop, int fd, vmm_loop_fn fn, void *arg)
{
	return vmm_loop_watch(loop, fd, EPOLLIN, fn, arg);
}

/**
 * vmm_loop_del - forget a file
 * @loop: the loop
 * @fd: the file; nothing happens if it was never added
 */
void vmm_loop_del(struct vmm_loop *loop, int fd)
{
	struct watch *watch;

	if (fd < 0 || (unsigned int)fd >= loop->size || !loop->watch[fd].fn)
		return;
	watch = &loop->watch[fd];
	watch->fn = NULL;
	if (watch->always)
		loop->always--;
	else
		epoll_ctl(loop->epoll_fd, EPOLL_CTL_DEL, fd, NULL);
}

/* A handler may have taken out the file, or put another one at its number. */
static int loop_serve(struct vmm_loop *loop, u64 data)
{
	const struct watch *watch = &loop->watch[(u32)data];

	if (!watch->fn || watch->generation != data >> 32)
		return 0;
	return watch->fn(watch->arg);
}

static int loop_serve_always(struct vmm_loop *loop)
{
	unsigned int fd;
	int ret = 0;

	for (fd = 0; !ret && fd < loop->size; fd++) {
		if (loop->watch[fd].fn && loop->watch[fd].always)
			ret = loop->watch[fd].fn(loop->watch[fd].arg);
	}
	return ret;
}

/* Waits once, and serves what is ready. */
static int loop_round(struct vmm_loop *loop, int timeout)
{
	struct epoll_event events[LOOP_EVENTS];
	int ret;
	int n;
	int i;

	n = epoll_pwait(loop->epoll_fd, events, LOOP_EVENTS, timeout, NULL);
	if (n < 0 && errno != EINTR)
		return vmm_error(errno, "epoll_pwait");
	ret = loop->always ? loop_serve_always(loop) : 0;
	/* A handler may have this loop held. */
	for (i = 0; !ret && !loop->held && i < n; i++)
		ret = loop_serve(loop, events[i].data.u64);
	return ret;
}

/**
 * vmm_loop_run - serve files until a handler ends it
 * @loop: the main loop
 *
 * Return: what the handler returned, or -errno
 */
int vmm_loop_run(struct vmm_loop *loop)
{
	int ret;

	do
		ret = loop_round(loop, loop->always ? 0 : -1);
	while (!ret);
	return ret;
}

/**
 * vmm_loop_serve - serve what is ready while somebody waits for a file
 * @loop: the main loop, which does not run
 * @fd: the file, in no loop that is not held
 * @ms: how long to wait, milliseconds
 *
 * Return: 0, or what a handler returned to end the loop
 */
int vmm_loop_serve(struct vmm_loop *loop, int fd, int ms)
{
	struct pollfd fds[] = {
		{ .fd = fd, .events = POLLIN }, { .fd = loop->epoll_fd, .events = POLLIN },
	};

	poll(fds, ARRAY_SIZE(fds), ms);
	return loop_round(loop, 0);
}

static int loop_inner(void *arg)
{
	struct vmm_loop *loop = arg;

	return loop->held ? 0 : loop_round(loop, 0);
}

/**
 * vmm_loop_create_inner - make an empty loop that another one serves
 * @outer: the main loop
 *
 * Return: the loop, or NULL
 */
struct vmm_loop *vmm_loop_create_inner(struct vmm_loop *outer)
{
	struct vmm_loop *loop = vmm_loop_create();

	if (!loop)
		return NULL;
	if (vmm_loop_add(outer, loop->epoll_fd, loop_inner, loop)) {
		vmm_loop_destroy(loop);
		return NULL;
	}
	loop->outer = outer;
	return loop;
}

/**
 * vmm_loop_main - find the main loop
 * @loop: it, or one inside
 *
 * Return: the main loop
 */
struct vmm_loop *vmm_loop_main(struct vmm_loop *loop)
{
	return loop->outer ? loop->outer : loop;
}

/**
 * vmm_loop_hold - call no handler, or go on
 * @loop: an inner loop; while it is held, one other thread may use it
 * @held: which
 */
void vmm_loop_hold(struct vmm_loop *loop, bool held)
{
	struct epoll_event event = { .events = held ? 0 : EPOLLIN };

	if (!loop->outer || loop->held == held)
		return;
	loop->held = held;
	event.data.u64 = watch_key(loop->outer, loop->epoll_fd);
	epoll_ctl(loop->outer->epoll_fd, EPOLL_CTL_MOD, loop->epoll_fd, &event);
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
 *
 * Who has it too, such as a vhost-user process, may have made it one that blocks and have
 * filled it: one without room is signalled already.
 */
void vmm_event_signal(int fd)
{
	struct pollfd room = { .fd = fd, .events = POLLOUT };

	if (poll(&room, 1, 0) > 0)
		eventfd_write(fd, 1);
}

/**
 * vmm_event_clear - take back what was signalled so far
 * @fd: the eventfd
 *
 * Never waits, whatever others have made of the file's flags.
 *
 * Return: whether it was signalled
 */
bool vmm_event_clear(int fd)
{
	eventfd_t value;
	struct iovec iov = { &value, sizeof(value) };

	return preadv2(fd, &iov, 1, -1, RWF_NOWAIT) == sizeof(value);
}
