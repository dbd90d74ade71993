// SPDX-License-Identifier: GPL-2.0-only
/*
 * The server's loop with fake pipes (pipes.h) and without a screen. The server runs in a thread.
 * stream_test tests the packets of a pipe. The sync device is a socket pair and an ioctl() of the
 * test.
 */
#include <pthread.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/goldfish_sync.h>
#include <linux/vhost_goldfish_sync.h>

#include "pipes.h"
#include "screen.h"
#include "tests/tap.h"

static struct gles gles;
static struct screen screen;
static int services;
static int result;
static pthread_t thread;
static u32 posts;
static int sync_pair[2];
static struct vhost_goldfish_sync_command commands[8];
static u32 commanded;

static void on_post(void *arg, const struct gles_buffer *buffer)
{
	(void)arg;
	__atomic_fetch_add(&posts, 1, __ATOMIC_RELEASE);
	(void)buffer;
}

static const struct gles_ops ops = { .post = on_post };

/* Replaces the C library's function; records commands to the sync device. */
int ioctl(int fd, unsigned long request, ...)
{
	va_list args;

	if (fd != sync_pair[1] || request != VHOST_GOLDFISH_SYNC_COMMAND ||
	    commanded == ARRAY_SIZE(commands))
		return -1;
	va_start(args, request);
	commands[commanded] = *va_arg(args, struct vhost_goldfish_sync_command *);
	va_end(args);
	__atomic_fetch_add(&commanded, 1, __ATOMIC_RELEASE);
	return 0;
}

static void *run_server(void *arg)
{
	(void)arg;
	result = server_run(&gles, &screen, services, sync_pair[1]);
	gles_close(&gles);
	return NULL;
}

static void set_up(void)
{
	memset(&gles, 0, sizeof(gles));
	gles.ops = &ops;
	gles.width = 320;
	gles.height = 240;
	gles.buffers.most = GLES_MEMORY;
	screen = (struct screen){ .sock = -1 };
	posts = 0;
	commanded = 0;
	tap_check(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_NONBLOCK, 0, sync_pair));
	services = pipes_begin();
	tap_check(!pthread_create(&thread, NULL, run_server, NULL));
}

static void tear_down(void)
{
	pipes_gone();
	pthread_join(thread, NULL);
	tap_equal(result, 0);
	tap_equal(gles.buffers.memory, 0);
	tap_equal(gles.streams, 0);
	close(sync_pair[0]);
	pipes_end();
}

static void say(int fd, const u32 *words, unsigned int count)
{
	pipes_write(fd, words, 4 * count);
}

static bool hears(int fd, u32 word)
{
	return pipes_reads(fd, &word, sizeof(word));
}

static void pipes_are_served(void)
{
	const u32 begin[] = { 0, 10000, 8 };
	const u32 width[] = { 10007, 12, 1 };
	const u32 puid[] = { 10033, 16, 1, 0 };
	const u32 hundred = 100;
	const u64 first = 1;
	int one, two, process;

	set_up();
	process = pipes_open("GLProcessPipe", NULL);
	one = pipes_open("opengles", NULL);
	two = pipes_open("opengles", NULL);
	tap_equal(pipes_open("opengl", NULL), PIPES_REFUSED);
	say(process, &hundred, 1);
	tap_check(pipes_reads(process, &first, sizeof(first)));
	say(one, begin, 3);
	tap_check(hears(one, 1));
	say(one, puid, 4);
	/* A packet in two parts, between which another pipe is served. */
	say(two, begin, 2);
	usleep(20000);
	say(one, width, 3);
	tap_check(hears(one, 320));
	say(two, begin + 2, 1);
	tap_check(hears(two, 1));
	/* A pipe with an invalid packet is hung up, and the others go on. */
	say(two, (u32[]){ 10000, 0 }, 2);
	tap_check(pipes_ended(two));
	say(one, width, 3);
	tap_check(hears(one, 320));
	tear_down();
}

/* A picture that is larger than all buffers between the guest and the server. */
static void large_pictures_go_both_ways(void)
{
	const u32 n = 4 * 512 * 512;
	u32 update[] = { 10024, 40 + n, 0, 0, 0, 512, 512, 0x80e1, 0x1401, n };
	u32 read[] = { 10023, 40, 0, 0, 0, 512, 512, 0x80e1, 0x1401, n };
	const u32 create[] = { 0, 10012, 20, 512, 512, 0x1908 };
	u8 *pixels = malloc(n), *back = malloc(n);
	u32 handle = 0, i, done, part;
	int fd;

	for (i = 0; i < n; i++)
		pixels[i] = i * 7 + (i >> 11);
	set_up();
	fd = pipes_open("opengles", NULL);
	say(fd, create, 6);
	tap_check(pipes_wait(fd) && recv(fd, &handle, 4, 0) == 4 && handle);
	update[2] = handle;
	read[2] = handle;
	say(fd, update, 10);
	for (done = 0; done < n; done += part) {
		part = n - done < 10001 ? n - done : 10001;
		pipes_write(fd, pixels + done, part);
	}
	tap_check(hears(fd, 0));
	say(fd, read, 10);
	/* The guest reads it late; no other command of the guest is executed meanwhile. */
	usleep(50000);
	for (done = 0; done < n && pipes_wait(fd); done += part)
		part = recv(fd, back + done, n - done, 0);
	tap_check(done == n && !memcmp(pixels, back, n));
	/* The guest closes the pipe in the middle of an answer. */
	say(fd, read, 10);
	pipes_close(fd);
	fd = pipes_open("opengles", NULL);
	say(fd, (u32[]){ 0, 10000, 8 }, 3);
	tap_check(hears(fd, 1));
	free(pixels);
	free(back);
	tear_down();
}

static void there_is_an_end_of_pipes(void)
{
	int fd[SERVER_PIPES];
	unsigned int i;
	char said[512];

	set_up();
	tap_listen();
	for (i = 0; i < SERVER_PIPES; i++) {
		fd[i] = pipes_open("opengles", NULL);
		tap_check(fd[i] >= 0);
	}
	tap_equal(pipes_open("opengles", NULL), PIPES_REFUSED);
	/* A pipe with an incomplete packet is closed as well. */
	say(fd[7], (u32[]){ 0, 10000 }, 2);
	usleep(20000);
	/* A closed pipe makes room for the next one at once. */
	for (i = 0; i < 300; i++) {
		pipes_close(fd[7]);
		pipes_wake();
		fd[7] = pipes_open("opengles", NULL);
		if (!tap_check(fd[7] >= 0))
			break;
	}
	tap_heard(said, sizeof(said));
	tap_check(strstr(said, "has 64 pipes open"));
	tear_down();
}

/* Without memory or files, the guest's pipe is refused, and not left without a service. */
static void pipe_without_rings_is_refused(void)
{
	int fd;

	set_up();
	pipes_fail();
	tap_equal(pipes_open("opengles", NULL), PIPES_REFUSED);
	fd = pipes_open("opengles", NULL);
	say(fd, (u32[]){ 0, 10000, 8 }, 3);
	tap_check(hears(fd, 1));
	tear_down();
}

static void posts_are_shown_while_pipes_are_open(void)
{
	const u32 create[] = { 0, 10012, 20, 4, 4, 0x1908 };
	u32 handle = 0;
	unsigned int i;
	int fd;

	set_up();
	fd = pipes_open("opengles", NULL);
	say(fd, create, 6);
	tap_check(pipes_wait(fd) && recv(fd, &handle, 4, 0) == 4);
	for (i = 0; i < 1000; i++)
		say(fd, (u32[]){ 10018, 12, handle }, 3);
	say(fd, (u32[]){ 10000, 8 }, 2);
	tap_check(hears(fd, 1));
	tap_equal(__atomic_load_n(&posts, __ATOMIC_ACQUIRE), 1000);
	pipes_close(fd);
	for (i = 0; i < 1000 && __atomic_load_n(&posts, __ATOMIC_ACQUIRE) == 1000; i++)
		usleep(10000);
	tap_equal(__atomic_load_n(&posts, __ATOMIC_ACQUIRE), 1001);
	tear_down();
}

/* Each wait is answered once, other events are not. The server outlives the sync device. */
static void fences_are_answered(void)
{
	const struct vhost_goldfish_sync_event events[] = {
		{ .type = VHOST_GOLDFISH_SYNC_EVENT_WAIT, .id = 7, .glsync = 1 },
		{ .type = VHOST_GOLDFISH_SYNC_EVENT_RESET },
		{ .type = VHOST_GOLDFISH_SYNC_EVENT_WAIT, .id = 9, .glsync = 77 },
	};
	unsigned int i;
	int fd;

	set_up();
	tap_check(send(sync_pair[0], events, sizeof(events), 0) == sizeof(events));
	for (i = 0; i < 1000 && __atomic_load_n(&commanded, __ATOMIC_ACQUIRE) < 2; i++)
		usleep(10000);
	shutdown(sync_pair[0], SHUT_RDWR);
	fd = pipes_open("opengles", NULL);
	say(fd, (u32[]){ 0, 10000, 8 }, 3);
	tap_check(hears(fd, 1));
	tap_equal(commanded, 2);
	for (i = 0; i < 2; i++) {
		tap_equal(commands[i].cmd, GOLDFISH_SYNC_CMD_TIMELINE_INC);
		tap_equal(commands[i].value, 1);
	}
	tap_check(commands[0].id == 7 && commands[1].id == 9);
	tear_down();
}

static const struct tap_case cases[] = {
	{ "pipes are served", pipes_are_served },
	{ "large pictures go both ways", large_pictures_go_both_ways },
	{ "the number of pipes is limited", there_is_an_end_of_pipes },
	{ "a pipe without rings is refused", pipe_without_rings_is_refused },
	{ "posts are shown while pipes are open", posts_are_shown_while_pipes_are_open },
	{ "fences are answered", fences_are_answered },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
