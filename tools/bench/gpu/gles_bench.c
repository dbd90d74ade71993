// SPDX-License-Identifier: GPL-2.0-only
/*
 * What frames and fences cost a guest, over the stock driver of the goldfish pipe and a
 * sync driver of ours. Prints marks, which make the host count:
 *
 *	RANCHU-MARK begin bench NAME
 *	RANCHU-MARK end bench NAME ns=... ops=... bytes=...
 *
 *	gles_bench ROUNDS
 */
#include <poll.h>
#include <sys/ioctl.h>
#include <termios.h>
#include <time.h>

#include "gl_frame.h"
#include "gles_pipe.h"
#include "sync_driver.h"

#define FRAMES		40
#define SMALL		100	/* commands of a frame, each flushed */
#define FENCES		100
#define PATIENCE_MS	60000

static uint8_t frame[GL_FRAME_MAX];
static size_t frame_len;

static uint64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000ULL + t.tv_nsec;
}

static void mark_begin(const char *name)
{
	printf("RANCHU-MARK begin bench %s\n", name);
	fflush(stdout);
	tcdrain(STDOUT_FILENO);
	/* What the console has still to do. */
	usleep(100000);
}

static void mark_end(const char *name, uint64_t ns, unsigned int ops, uint64_t bytes)
{
	printf("RANCHU-MARK end bench %s ns=%llu ops=%u bytes=%llu\n", name,
	       (unsigned long long)ns, ops, (unsigned long long)bytes);
	fflush(stdout);
	/* The host counts when it has the whole line, and what comes next is not to be counted. */
	tcdrain(STDOUT_FILENO);
}

static int stream_open(const char *name)
{
	static const uint32_t flags;
	int fd = pipe_try(name);

	if (fd < 0)
		fail("pipe:%s is refused", name);
	write_all(fd, &flags, sizeof(flags));
	return fd;
}

/* Frames of OpenGL ES, each in one piece or in pieces of @piece bytes; no answer but the last. */
static void frames_measure(const char *service, const char *name, size_t piece)
{
	int fd = stream_open(service);
	unsigned int i, warm;
	uint64_t start = 0;
	size_t at, n;

	for (warm = 2; warm; warm--) {
		if (warm == 1) {
			mark_begin(name);
			start = now();
		}
		for (i = 0; i < (warm == 1 ? FRAMES : 4); i++) {
			for (at = 0; at < frame_len; at += n) {
				n = frame_len - at < piece ? frame_len - at : piece;
				write_all(fd, frame + at, n);
			}
		}
		if (ASK(fd, GLES_GET_VERSION) != 1)
			fail("another version");
	}
	mark_end(name, now() - start, FRAMES, FRAMES * frame_len);
	close(fd);
}

/* Small commands, each flushed, and a post: by ranchu-gles itself, to the screen. */
static void small_measure(void)
{
	int fd = stream_open("opengles");
	unsigned int i, j, warm;
	uint32_t buffers[2];
	uint64_t start = 0;

	for (i = 0; i < 2; i++) {
		buffers[i] = ASK(fd, GLES_CREATE_BUFFER, 64, 64, GLES_RGBA);
		if (!buffers[i])
			fail("no colour buffer");
	}
	for (warm = 2; warm; warm--) {
		if (warm == 1) {
			mark_begin("small");
			start = now();
		}
		for (i = 0; i < (warm == 1 ? FRAMES : 4); i++) {
			for (j = 0; j < SMALL; j++)
				SAY(fd, 10020, buffers[i & 1]);
			SAY(fd, GLES_POST, buffers[i & 1]);
		}
		if (ASK(fd, GLES_GET_VERSION) != 1)
			fail("another version");
	}
	mark_end("small", now() - start, FRAMES, FRAMES * (SMALL + 1) * 12);
	close(fd);
}

static void fence_wait(int sync, const uint64_t numbers[2])
{
	struct sync_queue queue = { .glsync = numbers[0], .thread = numbers[1] };
	struct pollfd wait;

	if (ioctl(sync, SYNC_QUEUE, &queue))
		fail("SYNC_QUEUE");
	wait = (struct pollfd){ .fd = queue.fence, .events = POLLIN };
	if (poll(&wait, 1, PATIENCE_MS) != 1)
		fail("a fence is not signalled");
	close(queue.fence);
}

/* A fence is asked for, the host increments, the guest is signalled. */
static void fences_measure(void)
{
	static const uint32_t make[] = { GLES_CREATE_SYNC, 32, 0x3144, 0, 0, 0, 8, 8 };
	int sync = open(SYNC_NODE, O_RDWR);
	int fd = stream_open("opengles");
	uint64_t numbers[2], start;
	unsigned int i;

	if (sync < 0)
		fail("%s", SYNC_NODE);
	write_all(fd, make, sizeof(make));
	read_all(fd, numbers, sizeof(numbers));
	for (i = 0; i < 4; i++)
		fence_wait(sync, numbers);
	mark_begin("fence");
	start = now();
	for (i = 0; i < FENCES; i++)
		fence_wait(sync, numbers);
	mark_end("fence", now() - start, FENCES, 0);
	close(fd);
	close(sync);
}

int main(int argc, char **argv)
{
	unsigned int rounds = argc > 1 ? strtoul(argv[1], NULL, 0) : 1;

	frame_len = gl_frame(frame);
	/* A host that has just booted has other things to do. */
	sleep(3);
	for (; rounds; rounds--) {
		frames_measure("gl-socket", "socket_frame", SIZE_MAX);
		frames_measure("gl-ring", "ring_frame", SIZE_MAX);
		frames_measure("gl-socket", "socket_1k", 1024);
		frames_measure("gl-ring", "ring_1k", 1024);
		frames_measure("gl-socket", "socket_256", 256);
		frames_measure("gl-ring", "ring_256", 256);
		small_measure();
		fences_measure();
	}
	return 0;
}
