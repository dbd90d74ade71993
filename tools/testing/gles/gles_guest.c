// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sends the packets of a guest's OpenGL ES library over the stock driver of the goldfish pipe.
 * After a name that ends in -READY it waits for a line on stdin.
 *
 *	gles_guest draw			two pictures, a part of one changed, each read back
 *	gles_guest frames COUNT SAYS	frames, each with so many small commands before it
 *	gles_guest fences COUNT		fences of sync objects, by sync_driver.ko
 *	gles_guest wrong		invalid packets
 *	gles_guest endless		frames until something fails
 *	gles_guest rows PICTURE WIDTH HEIGHT	on the host: writes what the screen shows then, as
 *				a PNG file has it: rows of RGB, a byte 0 in front of each
 */
#include <poll.h>
#include <stdbool.h>
#include <sys/ioctl.h>
#include <termios.h>

#include "gles_pipe.h"
#include "sync_driver.h"

#define PART_X		7	/* the part that changes */
#define PART_Y		9
#define PART_W		33
#define PART_H		21
#define PATIENCE_MS	60000
#define ENDLESS_MS	10
#define PIPES		70

/* The pictures, in order. */
enum picture { FIRST, SECOND, CHANGED };

static int gl;
static uint32_t width;
static uint32_t height;

static uint32_t colour(uint32_t red, uint32_t green, uint32_t blue)
{
	return (red & 0xff) << 16 | (green & 0xff) << 8 | (blue & 0xff);
}

/* Red, green, blue. */
static uint32_t pixel_of(enum picture picture, uint32_t x, uint32_t y)
{
	bool part = x - PART_X < PART_W && y - PART_Y < PART_H;

	if (picture == CHANGED && part)
		return colour(x + 100, x * y, 255 - y);
	if (picture == FIRST)
		return colour(x * 3 + y * 5, x ^ y, y * 11);
	return colour(x * x + y, x * 13, x + y * y);
}

static void rows(enum picture picture)
{
	uint32_t x, y;

	for (y = 0; y < height; y++) {
		putchar(0);
		for (x = 0; x < width; x++) {
			uint32_t p = pixel_of(picture, x, y);

			putchar(p >> 16);
			putchar(p >> 8 & 0xff);
			putchar(p & 0xff);
		}
	}
}

static void wait_for_host(const char *ready)
{
	char line[16];

	printf("%s\n", ready);
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		fail("nobody goes on");
}

/*
 * The host counts exits when it has read the whole line. The serial port sends the text long after
 * printf(), so wait until all of it is sent.
 */
static void mark(const char *what)
{
	printf("MARK %s\n", what);
	fflush(stdout);
	tcdrain(STDOUT_FILENO);
}

static void begin(void)
{
	static const char sync[] = "ANDROID_EMU_native_sync_v4 ";
	char text[256] = "";
	uint64_t id = process_begin();
	uint32_t len;

	gl = opengles_open();
	if (ASK(gl, GLES_GET_VERSION) != 1)
		fail("another version");
	SAY(gl, GLES_GET_EXTENSIONS, sizeof(text), sizeof(text));
	read_all(gl, text, sizeof(text));
	len = answer(gl);
	if (len != sizeof(sync) || strcmp(text, sync))
		fail("extensions: %s", text);
	SAY(gl, GLES_SET_PUID, (uint32_t)id, (uint32_t)(id >> 32));
	width = ASK(gl, GLES_GET_FB_PARAM, 1);
	height = ASK(gl, GLES_GET_FB_PARAM, 2);
	printf("gles: process %llu, screen %ux%u\n", (unsigned long long)id, width, height);
}

static uint32_t buffer_make(void)
{
	uint32_t handle = ASK(gl, GLES_CREATE_BUFFER, width, height, GLES_RGBA);

	if (!handle)
		fail("no colour buffer");
	return handle;
}

/* Writes header and pixels separately, as the library does. */
static void pixels_say(uint32_t handle, uint32_t x, uint32_t y, uint32_t w, uint32_t h,
		       uint32_t format, const void *pixels, uint32_t n)
{
	const uint32_t head[] = {
		GLES_UPDATE_BUFFER, 40 + n, handle, x, y, w, h, format, GLES_UBYTE,
	};

	write_all(gl, head, sizeof(head));
	write_all(gl, &n, sizeof(n));
	write_all(gl, pixels, n);
	if (answer(gl))
		fail("pixels are refused");
}

static void picture_say(uint32_t handle, enum picture picture)
{
	uint8_t *pixels = malloc(4 * width * height), *to = pixels;
	uint32_t x, y;

	for (y = 0; y < height; y++) {
		for (x = 0; x < width; x++) {
			uint32_t p = pixel_of(picture, x, y);

			*to++ = p >> 16;
			*to++ = p >> 8;
			*to++ = p;
			*to++ = 0xff;
		}
	}
	pixels_say(handle, 0, 0, width, height, GLES_RGBA, pixels, 4 * width * height);
	free(pixels);
}

/* In another format than the rest. */
static void part_say(uint32_t handle)
{
	uint8_t pixels[PART_W * PART_H * 3], *to = pixels;
	uint32_t x, y;

	for (y = PART_Y; y < PART_Y + PART_H; y++) {
		for (x = PART_X; x < PART_X + PART_W; x++) {
			uint32_t p = pixel_of(CHANGED, x, y);

			*to++ = p >> 16;
			*to++ = p >> 8;
			*to++ = p;
		}
	}
	pixels_say(handle, PART_X, PART_Y, PART_W, PART_H, GLES_RGB, pixels, sizeof(pixels));
}

static void compare(uint32_t handle, enum picture picture)
{
	uint32_t n = 4 * width * height, wrong = 0, i;
	uint8_t *pixels = malloc(n);

	SAY(gl, GLES_READ_BUFFER, handle, 0, 0, width, height, GLES_RGBA, GLES_UBYTE, n);
	read_all(gl, pixels, n);
	for (i = 0; i < width * height; i++) {
		const uint8_t *p = pixels + 4 * i;

		wrong += (uint32_t)(p[0] << 16 | p[1] << 8 | p[2]) !=
			 pixel_of(picture, i % width, i / width);
	}
	printf("gles: picture %d, %u pixels, wrong %u\n", picture, width * height, wrong);
	free(pixels);
}

static void draw(void)
{
	uint32_t first, second;

	begin();
	first = buffer_make();
	second = buffer_make();
	picture_say(first, FIRST);
	SAY(gl, GLES_POST, first);
	compare(first, FIRST);
	wait_for_host("FIRST-READY");
	picture_say(second, SECOND);
	SAY(gl, GLES_POST, second);
	SAY(gl, GLES_CLOSE_BUFFER, first);
	compare(second, SECOND);
	wait_for_host("SECOND-READY");
	part_say(second);
	SAY(gl, GLES_POST, second);
	compare(second, CHANGED);
	wait_for_host("CHANGED-READY");
}

/* Sends commands without an answer; the last frame's answer shows that all were executed. */
static void run_frames(unsigned int count, unsigned int says)
{
	uint32_t buffers[2];
	unsigned int i, j;

	begin();
	buffers[0] = buffer_make();
	buffers[1] = buffer_make();
	mark("begin frames");
	for (i = 0; i < count; i++) {
		for (j = 0; j < says; j++)
			SAY(gl, 10020, buffers[i & 1]);
		SAY(gl, GLES_POST, buffers[i & 1]);
	}
	if (ASK(gl, GLES_GET_VERSION) != 1)
		fail("another version");
	mark("end frames");
	printf("gles: %u frames\n", count);
}

static void run_fences(unsigned int count)
{
	static const uint32_t make[] = { GLES_CREATE_SYNC, 32, 0x3144, 0, 0, 0, 8, 8 };
	struct sync_counts counts;
	int sync = open(SYNC_NODE, O_RDWR);
	unsigned int i;

	if (sync < 0)
		fail("%s", SYNC_NODE);
	begin();
	mark("begin fences");
	for (i = 0; i < count; i++) {
		struct sync_queue queue = { 0 };
		struct pollfd wait;
		uint64_t numbers[2];

		write_all(gl, make, sizeof(make));
		read_all(gl, numbers, sizeof(numbers));
		queue.glsync = numbers[0];
		queue.thread = numbers[1];
		if (ioctl(sync, SYNC_QUEUE, &queue))
			fail("SYNC_QUEUE");
		wait = (struct pollfd){ .fd = queue.fence, .events = POLLIN };
		if (poll(&wait, 1, PATIENCE_MS) != 1)
			fail("a fence is not signalled");
		close(queue.fence);
		if (ASK(gl, GLES_DESTROY_SYNC, (uint32_t)numbers[0], (uint32_t)(numbers[0] >> 32)))
			fail("a sync object is not destroyed");
	}
	mark("end fences");
	if (ioctl(sync, SYNC_COUNT, &counts))
		fail("SYNC_COUNT");
	printf("gles: fences %u, waits %u, increments %u, wrong %u\n", count, counts.waits,
	       counts.increments, counts.wrong);
}

/* Returns whether these bytes end the stream. */
static bool ends(const void *bytes, size_t n)
{
	char byte;
	bool over;

	gl = opengles_open();
	write_all(gl, bytes, n);
	over = read(gl, &byte, 1) <= 0;
	close(gl);
	return over;
}

/*
 * Returns whether a pipe is served. A service that refuses a pipe hangs it up after the open, so
 * only an answer shows that it is served.
 */
static bool serves(int fd)
{
	static const uint32_t words[] = { 0, GLES_GET_VERSION, 8 };
	uint32_t version;

	return write(fd, words, sizeof(words)) == sizeof(words) &&
	       read(fd, &version, sizeof(version)) == sizeof(version) && version == 1;
}

static void run_wrong(void)
{
	static const uint32_t packets[][4] = {
		{ 2114, 16, 4, 0 },		/* glDrawArrays, which has no decoder */
		{ 10000, 0, 0, 0 }, { 10000, 7, 0, 0 }, { 10012, 16, 1, 1 },
		{ 10068, 0x7fffffff, 0, 0 }, { 10023, 40, 1, 2 }, { 10999, 16, 0, 0 },
	};
	static const uint32_t word = 7;
	unsigned int i, over = 0, open = 0, made = 0;
	int pipes[PIPES];
	char byte;

	for (i = 0; i < sizeof(packets) / sizeof(packets[0]); i++) {
		/* This packet is incomplete, so the stream does not end. */
		if (packets[i][0] == 10023)
			continue;
		over += ends(packets[i], sizeof(packets[i]));
	}
	gl = pipe_try("GLProcessPipe");
	write_all(gl, &word, sizeof(word));
	over += read(gl, &byte, 1) <= 0;
	close(gl);
	for (i = 0; i < PIPES; i++) {
		pipes[i] = pipe_try("opengles");
		open += pipes[i] >= 0 && serves(pipes[i]);
	}
	for (i = 0; i < PIPES; i++)
		close(pipes[i]);
	begin();
	for (i = 0; i < 2000; i++)
		made += !!ASK(gl, GLES_CREATE_BUFFER, 1, 1, GLES_RGBA);
	printf("gles: wrong %u of 7, pipes %u of %d, buffers %u, then version %u\n", over, open,
	       PIPES, made, ASK(gl, GLES_GET_VERSION));
}

static void endless(void)
{
	uint32_t buffers[2], i;

	begin();
	buffers[0] = buffer_make();
	buffers[1] = buffer_make();
	picture_say(buffers[0], FIRST);
	picture_say(buffers[1], FIRST);
	printf("ENDLESS-READY\n");
	fflush(stdout);
	for (i = 0;; i++) {
		SAY(gl, GLES_POST, buffers[i & 1]);
		usleep(ENDLESS_MS * 1000);
	}
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "";

	if (!strcmp(what, "draw") && argc == 2) {
		draw();
	} else if (!strcmp(what, "frames") && argc == 4) {
		run_frames(strtoul(argv[2], NULL, 0), strtoul(argv[3], NULL, 0));
	} else if (!strcmp(what, "fences") && argc == 3) {
		run_fences(strtoul(argv[2], NULL, 0));
	} else if (!strcmp(what, "wrong") && argc == 2) {
		run_wrong();
	} else if (!strcmp(what, "endless") && argc == 2) {
		endless();
	} else if (!strcmp(what, "rows") && argc == 5) {
		width = strtoul(argv[3], NULL, 0);
		height = strtoul(argv[4], NULL, 0);
		rows(strtoul(argv[2], NULL, 0));
	} else {
		return 2;
	}
	return 0;
}
