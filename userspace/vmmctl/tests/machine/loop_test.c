// SPDX-License-Identifier: GPL-2.0-only
/*
 * The main loop: files of every kind, handlers that take files out, and numbers of
 * files that are used again.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "machine/machine.h"
#include "tests/tap.h"

static struct vmm_loop *loop;
static unsigned int served;
static int pair[2];
static int other[2];

static int stop(void *arg)
{
	(void)arg;
	return 1;
}

static int count(void *arg)
{
	(void)arg;
	return ++served == 3;
}

static void plain_files_are_always_ready(void)
{
	int fd = open("/dev/null", O_RDONLY);

	loop = vmm_loop_create();
	served = 0;
	tap_equal(vmm_loop_add(loop, fd, count, NULL), 0);
	tap_equal(vmm_loop_run(loop), 1);
	tap_equal(served, 3);
	vmm_loop_del(loop, fd);
	close(fd);
	vmm_loop_destroy(loop);
}

static int remove_other(void *arg)
{
	(void)arg;
	served++;
	vmm_loop_del(loop, pair[0]);
	vmm_loop_del(loop, other[0]);
	return 0;
}

/* Both are ready, and the first handler removes both. */
static void handlers_may_take_files_out(void)
{
	int event = vmm_event_create();

	loop = vmm_loop_create();
	served = 0;
	if (!tap_check(!pipe(pair) && !pipe(other)))
		return;
	tap_equal(write(pair[1], "x", 1) + write(other[1], "x", 1), 2);
	vmm_loop_add(loop, pair[0], remove_other, NULL);
	vmm_loop_add(loop, other[0], remove_other, NULL);
	vmm_event_signal(event);
	vmm_loop_add(loop, event, stop, NULL);
	tap_equal(vmm_loop_run(loop), 1);
	tap_equal(served, 1);
	close(pair[0]);
	close(pair[1]);
	close(other[0]);
	close(other[1]);
	close(event);
	vmm_loop_destroy(loop);
}

static int wrong(void *arg)
{
	(void)arg;
	return 99;
}

static int replace(void *arg)
{
	int fd = other[0];

	(void)arg;
	vmm_loop_del(loop, pair[0]);
	vmm_loop_del(loop, fd);
	close(fd);
	/* A new file with the same number, without an event. */
	tap_equal(dup2(other[1], fd), fd);
	vmm_loop_watch(loop, fd, POLLIN, wrong, NULL);
	return 0;
}

static void numbers_may_be_used_again(void)
{
	int event = vmm_event_create();

	loop = vmm_loop_create();
	if (!tap_check(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair)) ||
	    !tap_check(!socketpair(AF_UNIX, SOCK_STREAM, 0, other)))
		return;
	tap_equal(write(pair[1], "x", 1) + write(other[1], "x", 1), 2);
	vmm_loop_add(loop, pair[0], replace, NULL);
	vmm_loop_add(loop, other[0], wrong, NULL);
	vmm_event_signal(event);
	vmm_loop_add(loop, event, stop, NULL);
	tap_equal(vmm_loop_run(loop), 1);
	close(pair[0]);
	close(pair[1]);
	close(other[0]);
	close(other[1]);
	close(event);
	vmm_loop_destroy(loop);
}

static void hanging_up_is_always_reported(void)
{
	loop = vmm_loop_create();
	if (!tap_check(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair)))
		return;
	tap_equal(vmm_loop_watch(loop, pair[0], 0, stop, NULL), 0);
	close(pair[1]);
	tap_equal(vmm_loop_run(loop), 1);
	vmm_loop_del(loop, pair[0]);
	close(pair[0]);
	tap_check(vmm_loop_add(loop, -1, stop, NULL) < 0);
	vmm_loop_del(loop, 4711);
	vmm_loop_destroy(loop);
}

static void many_files(void)
{
	int fd[300];
	unsigned int i;

	loop = vmm_loop_create();
	for (i = 0; i < ARRAY_SIZE(fd); i++) {
		fd[i] = vmm_event_create();
		tap_equal(vmm_loop_add(loop, fd[i], i == 299 ? stop : wrong, NULL), 0);
	}
	vmm_event_signal(fd[299]);
	tap_equal(vmm_loop_run(loop), 1);
	for (i = 0; i < ARRAY_SIZE(fd); i++) {
		vmm_loop_del(loop, fd[i]);
		close(fd[i]);
	}
	vmm_loop_destroy(loop);
}

/* As a vhost-user process can: it shares the open file, and so its flags. */
static void events_never_block(void)
{
	int fd = vmm_event_create();

	tap_equal(fcntl(fd, F_SETFL, 0), 0);
	alarm(5);
	tap_check(!vmm_event_clear(fd));
	vmm_event_signal(fd);
	tap_check(vmm_event_clear(fd));
	tap_equal(eventfd_write(fd, ~0ULL - 1), 0);
	vmm_event_signal(fd);
	tap_check(vmm_event_clear(fd));
	tap_check(!vmm_event_clear(fd));
	alarm(0);
	close(fd);
}

static struct vmm_loop *inner;

static int hold(void *arg)
{
	(void)arg;
	served++;
	vmm_loop_hold(inner, true);
	return 0;
}

/* Events of an inner loop's files wait while it is held. */
static void an_inner_loop_can_be_held(void)
{
	int device[2] = { vmm_event_create(), vmm_event_create() };
	int event = vmm_event_create();

	loop = vmm_loop_create();
	inner = vmm_loop_create_inner(loop);
	if (!tap_check(loop && inner))
		return;
	tap_check(vmm_loop_main(inner) == loop && vmm_loop_main(loop) == loop);
	served = 0;
	/* Both are ready, and the first handler holds the other loop. */
	vmm_loop_add(inner, device[0], hold, NULL);
	vmm_loop_add(inner, device[1], hold, NULL);
	vmm_event_signal(device[0]);
	vmm_event_signal(device[1]);
	vmm_loop_add(loop, event, stop, NULL);
	vmm_event_signal(event);
	tap_equal(vmm_loop_run(loop), 1);
	tap_equal(vmm_loop_run(loop), 1);
	tap_equal(served, 1);
	/* A file may be removed, and another be added, meanwhile. */
	vmm_loop_del(inner, device[0]);
	vmm_event_clear(event);
	vmm_loop_hold(inner, false);
	vmm_loop_del(inner, device[1]);
	vmm_loop_add(inner, device[1], stop, NULL);
	tap_equal(vmm_loop_run(loop), 1);
	tap_equal(served, 1);
	vmm_loop_destroy(inner);
	/* Its handler is not called any more. */
	vmm_event_signal(event);
	tap_equal(vmm_loop_run(loop), 1);
	vmm_loop_destroy(loop);
	close(device[0]);
	close(device[1]);
	close(event);
}

static const struct tap_case cases[] = {
	{ "events that others made block do not", events_never_block },
	{ "plain files are always ready", plain_files_are_always_ready },
	{ "a handler may take out files that are ready", handlers_may_take_files_out },
	{ "a file's number may be used again", numbers_may_be_used_again },
	{ "hanging up is always reported", hanging_up_is_always_reported },
	{ "there may be many files", many_files },
	{ "an inner loop can be held", an_inner_loop_can_be_held },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
