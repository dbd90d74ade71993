// SPDX-License-Identifier: GPL-2.0-only
/*
 * The server's loop between a link and pipes. The kernel's file of services and the rings
 * are the test's: a socket pair for each, behind the functions of libranchu-pipe. The server
 * runs in a thread, and is woken every millisecond: more often than it has to be is allowed.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "ranchu_pipe.h"
#include "server.h"
#include "tests/tap.h"

#define OPENS		100
#define PIECE		2048	/* bytes that a socket with room takes */
#define PATIENCE_MS	20000

static struct {
	struct guest guest;
	int link;		/* vmmctl's end */
	int services;		/* the kernel's end */
	int server_link;
	int server_services;
	int result;
	pthread_t thread;
	pthread_t waker;
	bool stop;
	int wake;
	unsigned int opens;
	int answer[OPENS];	/* the guest's end; -1: none yet, -2: refused */
	struct vmm_guest_record record;
	size_t len;
} test;

/* ---- libranchu-pipe ---- */

int ranchu_services_next(int services, struct vhost_goldfish_pipe_event *event)
{
	ssize_t n = recv(services, event, sizeof(*event), MSG_DONTWAIT);

	return n < 0 ? -errno : n == sizeof(*event);
}

int ranchu_pipe_accept(struct ranchu_pipe *pipe, int services, __u64 open, __u32 in_size,
		       __u32 out_size, int wake_fd)
{
	int pair[2];

	(void)services;
	memset(pipe, 0, sizeof(*pipe));
	tap_check(in_size >= CHANNEL_MESSAGE && out_size);
	tap_check(!socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair));
	pipe->fd = pair[0];
	pipe->in.bytes = malloc(PIECE);
	pipe->out.bytes = malloc(PIECE);
	test.wake = wake_fd;
	__atomic_store_n(&test.answer[open], pair[1], __ATOMIC_RELEASE);
	return 0;
}

int ranchu_pipe_refuse(int services, __u64 open)
{
	(void)services;
	__atomic_store_n(&test.answer[open], -2, __ATOMIC_RELEASE);
	return 0;
}

void ranchu_pipe_close(struct ranchu_pipe *pipe)
{
	close(pipe->fd);
	free(pipe->in.bytes);
	free(pipe->out.bytes);
}

ssize_t ranchu_pipe_peek(struct ranchu_pipe *pipe, const void **bytes)
{
	ssize_t n = recv(pipe->fd, pipe->in.bytes, PIECE, MSG_PEEK | MSG_DONTWAIT);

	*bytes = pipe->in.bytes;
	if (n < 0)
		return errno == EAGAIN ? 0 : -EPIPE;
	return n ? n : -EPIPE;
}

void ranchu_pipe_consume(struct ranchu_pipe *pipe, size_t n)
{
	tap_check(!n || recv(pipe->fd, pipe->in.bytes, n, MSG_DONTWAIT) == (ssize_t)n);
}

ssize_t ranchu_pipe_room(struct ranchu_pipe *pipe, void **bytes)
{
	struct pollfd file = { .fd = pipe->fd, .events = POLLOUT };

	*bytes = pipe->out.bytes;
	poll(&file, 1, 0);
	if (file.revents & POLLHUP)
		return -EPIPE;
	return file.revents & POLLOUT ? PIECE : 0;
}

void ranchu_pipe_produce(struct ranchu_pipe *pipe, size_t n)
{
	tap_check(!n || send(pipe->fd, pipe->out.bytes, n, MSG_DONTWAIT | MSG_NOSIGNAL) ==
		  (ssize_t)n || errno == EPIPE);
}

int ranchu_pipe_listen(struct ranchu_pipe *pipe, int what)
{
	const void *in;
	void *out;

	return (what & RANCHU_PIPE_READ && ranchu_pipe_peek(pipe, &in)) ||
	       (what & RANCHU_PIPE_WRITE && ranchu_pipe_room(pipe, &out));
}

/* ---- the server's thread ---- */

static void *run_server(void *arg)
{
	(void)arg;
	test.result = server_run(&test.guest, test.server_link, test.server_services);
	return NULL;
}

static void *run_waker(void *arg)
{
	(void)arg;
	while (!__atomic_load_n(&test.stop, __ATOMIC_ACQUIRE)) {
		if (test.wake > 0)
			eventfd_write(test.wake, 1);
		usleep(1000);
	}
	return NULL;
}

static void set_up(void)
{
	int link[2], services[2];
	unsigned int i;

	memset(&test, 0, sizeof(test));
	for (i = 0; i < OPENS; i++)
		test.answer[i] = -1;
	tap_check(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link));
	tap_check(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, services));
	test.link = link[0];
	test.server_link = link[1];
	test.services = services[0];
	test.server_services = services[1];
	guest_init(&test.guest);
	tap_check(!pthread_create(&test.thread, NULL, run_server, NULL));
	tap_check(!pthread_create(&test.waker, NULL, run_waker, NULL));
}

/* It ends by itself: the link, or the kernel's device, is gone. */
static int tear_down(void)
{
	unsigned int i;

	__atomic_store_n(&test.stop, true, __ATOMIC_RELEASE);
	pthread_join(test.waker, NULL);
	pthread_join(test.thread, NULL);
	for (i = 0; i < test.opens; i++) {
		if (test.answer[i] >= 0)
			close(test.answer[i]);
	}
	close(test.server_link);
	close(test.server_services);
	close(test.link);
	close(test.services);
	return test.result;
}

/* As the guest does it: its end, or -2 if it was refused. */
static int guest_open(const char *name, const char *args)
{
	struct vhost_goldfish_pipe_event event = {
		.type = VHOST_GOLDFISH_PIPE_EVENT_OPEN, .open = test.opens,
		.flags = args ? VHOST_GOLDFISH_PIPE_EVENT_ARGS : 0,
	};
	unsigned int ms = 0;
	int answer;

	snprintf(event.name, sizeof(event.name), "%s", name);
	snprintf(event.args, sizeof(event.args), "%s", args ? args : "");
	tap_check(send(test.services, &event, sizeof(event), MSG_NOSIGNAL) == sizeof(event));
	do {
		answer = __atomic_load_n(&test.answer[test.opens], __ATOMIC_ACQUIRE);
		usleep(1000);
	} while (answer == -1 && ++ms < PATIENCE_MS);
	test.opens++;
	return answer;
}

static void guest_close(int fd)
{
	unsigned int i;

	for (i = 0; i < test.opens; i++) {
		if (test.answer[i] == fd)
			test.answer[i] = -1;
	}
	close(fd);
}

static bool wait_for(int fd)
{
	struct pollfd file = { .fd = fd, .events = POLLIN };

	return poll(&file, 1, PATIENCE_MS) == 1;
}

/* Reads exactly this. */
static bool reads(int fd, const char *want, size_t n)
{
	char have[256];
	size_t len = 0;
	ssize_t part;

	while (len < n && wait_for(fd) && (part = recv(fd, have + len, n - len, 0)) > 0)
		len += part;
	return len == n && !memcmp(have, want, n);
}

static bool ended(int fd)
{
	char byte;

	return wait_for(fd) && recv(fd, &byte, 1, 0) <= 0;
}

static void guest_writes(int fd, const char *bytes, size_t n)
{
	tap_check(send(fd, bytes, n, MSG_NOSIGNAL) == (ssize_t)n);
}

static bool vmmctl_told(enum vmm_guest_what what, s32 number)
{
	return wait_for(test.link) && !vmm_guest_receive(test.link, &test.record, &test.len) &&
	       test.record.what == what && test.record.number == number;
}

/* ---- cases ---- */

static void pipes_are_served(void)
{
	int misc, gps, sensors;

	set_up();
	misc = guest_open("QemuMiscPipe", NULL);
	gps = guest_open("qemud", "gps");
	sensors = guest_open("qemud", "sensors");
	tap_check(misc >= 0 && gps >= 0 && sensors >= 0);
	tap_equal(guest_open("qemud", "nothing"), -2);
	guest_writes(misc, "\12\0\0\0heart", 9);
	usleep(20000);
	guest_writes(misc, "beat\0", 5);
	tap_check(reads(misc, "\3\0\0\0OK\0", 7));
	tap_check(vmmctl_told(VMM_GUEST_HEARTBEATS, 1));
	guest_writes(misc, "\15\0\0\0bootcomplete\0", 17);
	tap_check(reads(misc, "\3\0\0\0OK\0", 7));
	tap_check(vmmctl_told(VMM_GUEST_BOOTED, 0));
	/* What vmmctl tells reaches who listens. */
	tap_equal(vmm_guest_send(test.link, VMM_GUEST_NMEA, 0, "$GPGGA", 6), 0);
	tap_check(reads(gps, "$GPGGA\n", 7));
	tap_equal(vmm_guest_send(test.link, VMM_GUEST_SENSOR, 6, "77", 2), 0);
	tap_check(guest_open("qemud", "hw-control") >= 0);
	guest_writes(sensors, "000clist-sensors", 16);
	tap_check(reads(sensors, "0006133119", 10));
	guest_writes(sensors, "000cset-delay:10", 16);
	tap_check(reads(sensors, "0015acceleration:0:0:9.81", 25));
	/* One that says no message is hung up, and the others go on. */
	guest_writes(misc, "\377\377\377\377", 4);
	tap_check(ended(misc));
	tap_equal(vmm_guest_send(test.link, VMM_GUEST_NMEA, 0, "$GPGSA", 6), 0);
	tap_check(reads(gps, "$GPGSA\n", 7));
	shutdown(test.link, SHUT_RDWR);
	tap_equal(tear_down(), 0);
}

static void there_is_an_end_of_pipes(void)
{
	int fd[SERVER_PIPES];
	unsigned int i;

	set_up();
	for (i = 0; i < SERVER_PIPES; i++) {
		fd[i] = guest_open("logcat", NULL);
		tap_check(fd[i] >= 0);
	}
	tap_equal(guest_open("logcat", NULL), -2);
	guest_close(fd[7]);
	for (i = 0; i < 20; i++) {
		usleep(10000);
		fd[7] = guest_open("logcat", NULL);
		if (fd[7] >= 0)
			break;
	}
	tap_check(fd[7] >= 0);
	/* The guest is no more. */
	shutdown(test.services, SHUT_RDWR);
	tap_equal(tear_down(), 0);
}

static void a_guest_that_reads_late_gets_all(void)
{
	static char frame[8 + 3 + 460800 + 1228800];
	size_t len = 0;
	ssize_t n;
	int fd;

	set_up();
	fd = guest_open("qemud", "camera:name=testpicture");
	tap_check(fd >= 0);
	guest_writes(fd, "start dim=640x480 pix=825382478", 32);
	tap_check(reads(fd, "00000003ok\0", 11));
	guest_writes(fd, "frame video=460800 preview=1228800", 35);
	guest_writes(fd, "stop", 5);
	usleep(100000);
	while (len < sizeof(frame) && wait_for(fd) &&
	       (n = recv(fd, frame + len, sizeof(frame) - len, 0)) > 0)
		len += n;
	tap_equal(len, sizeof(frame));
	tap_check(!memcmp(frame, "0019c803ok:", 11) && (unsigned char)frame[11] == 235);
	tap_check(reads(fd, "00000003ok\0", 11));
	/* It goes away in the middle of a frame. */
	guest_writes(fd, "start dim=640x480 pix=825382478", 32);
	guest_writes(fd, "frame video=460800 preview=1228800", 35);
	tap_check(reads(fd, "00000003ok\0", 11));
	guest_close(fd);
	tap_check(guest_open("clipboard", NULL) >= 0);
	close(test.link);
	test.link = -1;
	tap_equal(tear_down(), 0);
}

static void a_vmmctl_that_lies_ends_it(void)
{
	set_up();
	tap_equal(vmm_guest_send(test.link, VMM_GUEST_BOOTED, 0, NULL, 0), 0);
	tap_equal(tear_down(), -EPROTO);
}

static const struct tap_case cases[] = {
	{ "pipes are served", pipes_are_served },
	{ "there is an end of pipes", there_is_an_end_of_pipes },
	{ "a guest that reads late gets all", a_guest_that_reads_late_gets_all },
	{ "a vmmctl that lies ends it", a_vmmctl_that_lies_ends_it },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
