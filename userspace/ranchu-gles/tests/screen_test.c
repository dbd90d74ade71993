// SPDX-License-Identifier: GPL-2.0-only
/*
 * Posted buffers appear on the screen. The test connects the program's end of the screen's socket
 * with vmmctl's own end, and reads the file that viewers get. vmmctl's loop runs in a thread, and
 * executes requests of the test.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backends/vhost_user_gpu.h"
#include "host/display.h"
#include "host/unix.h"
#include "machine/config.h"
#include "machine/machine.h"
#include "screen.h"
#include "tests/tap.h"

#define W	64
#define H	48

static struct vmm_config cfg;
static char path[64];
static struct vmm_loop *loop;
static struct vmm_display *display;
static struct vmm_screen_socket *listener;
static pthread_t thread;
static int ask[2];
static const u32 *shown;
static struct gles_buffers buffers;
static struct screen screen;

/* ---- vmmctl ---- */

static void board_frame(void *arg)
{
	static u8 grey[2 * W * H];

	(void)arg;
	memset(grey, 0x11, sizeof(grey));
	vmm_display_frame(display, VMM_PIXELS_RGB565, 0, grey);
}

static int asked(void *arg)
{
	char what = 0;

	(void)arg;
	if (read(ask[1], &what, 1) != 1)
		return 1;
	vmm_display_refresh(display);
	tap_check(write(ask[1], "", 1) == 1);
	return what == 'e';
}

static void *vmmctl_main(void *arg)
{
	(void)arg;
	vmm_loop_run(loop);
	return NULL;
}

static void vmmctl_do(char what)
{
	char done;

	tap_check(write(ask[0], &what, 1) == 1 && read(ask[0], &done, 1) == 1);
}

static int vmmctl_begin(void)
{
	snprintf(path, sizeof(path), "/tmp/screen_test.%d", getpid());
	cfg.screen_width = W;
	cfg.screen_height = H;
	cfg.screen_socket = path;
	loop = vmm_loop_create();
	display = vmm_display_open(W, H);
	vmm_display_attach(display, board_frame, NULL);
	shown = mmap(NULL, VMM_DISPLAY_PIXELS + 4 * W * H, PROT_READ, MAP_SHARED,
		     vmm_display_file(display), 0);
	if (shown == MAP_FAILED || vmm_screen_socket_open(&cfg, loop, display, &listener) ||
	    socketpair(AF_UNIX, SOCK_STREAM, 0, ask) || vmm_loop_add(loop, ask[1], asked, NULL) ||
	    pthread_create(&thread, NULL, vmmctl_main, NULL))
		return -1;
	shown += VMM_DISPLAY_PIXELS / 4;
	buffers.most = GLES_MEMORY;
	return 0;
}

static void vmmctl_end(void)
{
	vmmctl_do('e');
	pthread_join(thread, NULL);
	vmm_screen_socket_close(listener);
	vmm_display_close(display);
	vmm_loop_destroy(loop);
}

/* ---- the program ---- */

/* Reads answers until no update is pending. */
static void settle(void)
{
	struct pollfd file = { .fd = screen.sock, .events = POLLIN };

	while (screen.sock >= 0 && (screen.waits || screen.news) && poll(&file, 1, 10000) == 1)
		screen_ready(&screen);
	tap_check(screen.sock < 0 || (!screen.waits && !screen.news));
	vmmctl_do('r');
}

static struct gles_buffer *picture(u32 width, u32 height, u32 first)
{
	struct gles_buffer *buffer = gles_buffer_new(&buffers, width, height);
	u32 i;

	gles_buffer_hold(buffer);
	for (i = 0; i < width * height; i++)
		buffer->pixels[i] = first + i;
	return buffer;
}

/* Counts wrong pixels of the screen; pixels outside of the picture must be black. */
static unsigned int wrong_pixels(const struct gles_buffer *buffer)
{
	unsigned int wrong = 0;
	u32 x, y;

	for (y = 0; y < H; y++) {
		for (x = 0; x < W; x++) {
			u32 want = 0;

			if (x < buffer->width && y < buffer->height)
				want = buffer->pixels[y * buffer->width + x];
			wrong += shown[y * W + x] != want;
		}
	}
	return wrong;
}

static bool board_is_shown(void)
{
	vmmctl_do('r');
	return shown[0] == 0x11111111;
}

/* ---- cases ---- */

static void screen_says_its_size(void)
{
	u32 width = 0, height = 0;

	tap_equal(screen_open(&screen, vmm_unix_dial(path), &width, &height), 0);
	tap_equal(width, W);
	tap_equal(height, H);
	tap_check(board_is_shown());
}

static void posted_picture_is_shown(void)
{
	struct gles_buffer *first = picture(W, H, 0x01020300);
	struct gles_buffer *second = picture(W, H, 0x05060700);

	screen_post(&screen, first);
	settle();
	tap_equal(wrong_pixels(first), 0);
	screen_post(&screen, second);
	settle();
	tap_equal(wrong_pixels(second), 0);
	/* The same buffer with other pixels. */
	memset(second->pixels, 0x77, 4 * W * H);
	screen_post(&screen, second);
	settle();
	tap_equal(wrong_pixels(second), 0);
	gles_buffer_drop(&buffers, first);
	screen_post(&screen, NULL);
	settle();
	gles_buffer_drop(&buffers, second);
	tap_check(board_is_shown());
}

static void other_sizes_are_cut_or_surrounded(void)
{
	struct gles_buffer *small = picture(W - 7, H - 9, 0x100);
	struct gles_buffer *large = picture(W + 5, H + 3, 0x10000);

	screen_post(&screen, small);
	settle();
	tap_equal(wrong_pixels(small), 0);
	screen_post(&screen, large);
	settle();
	tap_equal(wrong_pixels(large), 0);
	screen_post(&screen, NULL);
	settle();
	gles_buffer_drop(&buffers, small);
	gles_buffer_drop(&buffers, large);
}

/* More posts than vmmctl answers: the newest one is shown, and nothing is queued. */
static void newest_picture_is_told(void)
{
	struct gles_buffer *pictures[2] = { picture(W, H, 0x1000), picture(W, H, 0x2000) };
	unsigned int i;

	for (i = 0; i < 10001; i++)
		screen_post(&screen, pictures[i & 1]);
	settle();
	tap_equal(wrong_pixels(pictures[0]), 0);
	screen_post(&screen, NULL);
	screen_post(&screen, pictures[1]);
	screen_post(&screen, NULL);
	settle();
	tap_check(board_is_shown());
	gles_buffer_drop(&buffers, pictures[0]);
	gles_buffer_drop(&buffers, pictures[1]);
}

/* Connects, sends @len bytes, and waits for vmmctl to hang up. */
static void stranger(const void *bytes, size_t len)
{
	struct pollfd file = { .fd = vmm_unix_dial(path), .events = POLLIN };
	char byte;

	tap_check(!len || send(file.fd, bytes, len, MSG_NOSIGNAL) == (ssize_t)len);
	tap_equal(poll(&file, 1, 10000), 1);
	tap_equal(recv(file.fd, &byte, 1, 0), 0);
	close(file.fd);
}

static unsigned int times(const char *text, const char *what)
{
	unsigned int n = 0;

	for (; (text = strstr(text, what)); text += strlen(what))
		n++;
	return n;
}

static void one_program_draws_at_a_time(void)
{
	unsigned int i;
	char said[512];

	tap_listen();
	for (i = 0; i < 20; i++)
		stranger(NULL, 0);
	vmmctl_do('r');
	tap_heard(said, sizeof(said));
	tap_equal(times(said, "a program draws already"), 1);
}

/* gpu_socket_test has all kinds of wrong messages. */
static void programs_that_break_the_protocol_are_hung_up(void)
{
	static const u32 words[][3] = {
		{ 99, 0, 0 }, { GPU_SCANOUT, 0, 0xffffffff }, { GPU_UPDATE, 0, 4 },
	};
	struct gles_buffer *buffer = picture(W, H, 0x40000);
	u32 width, height;
	unsigned int i;
	char said[1024];

	screen_close(&screen);
	tap_listen();
	for (i = 0; i < 100; i++)
		vmmctl_do('r');
	for (i = 0; i < ARRAY_SIZE(words); i++)
		stranger(words[i], sizeof(words[i]));
	tap_heard(said, sizeof(said));
	tap_equal(times(said, "breaks the protocol of screens"), ARRAY_SIZE(words));
	tap_equal(screen_open(&screen, vmm_unix_dial(path), &width, &height), 0);
	screen_post(&screen, buffer);
	settle();
	tap_equal(wrong_pixels(buffer), 0);
	screen_post(&screen, NULL);
	settle();
	gles_buffer_drop(&buffers, buffer);
}

static void last_frame_stays_and_the_next_program_begins(void)
{
	struct gles_buffer *buffer = picture(W, H, 0x30000);
	u32 width, height, i;
	char said[256];

	screen_post(&screen, buffer);
	settle();
	tap_listen();
	screen_close(&screen);
	/* Until vmmctl has seen it. */
	for (i = 0; i < 100; i++)
		vmmctl_do('r');
	tap_heard(said, sizeof(said));
	tap_check(strstr(said, "has ended: its last frame stays"));
	tap_equal(wrong_pixels(buffer), 0);
	tap_equal(screen_open(&screen, vmm_unix_dial(path), &width, &height), 0);
	tap_check(board_is_shown());
	screen_post(&screen, buffer);
	settle();
	tap_equal(wrong_pixels(buffer), 0);
	gles_buffer_drop(&buffers, buffer);
}

static void without_a_screen_nothing_happens(void)
{
	struct screen none;
	u32 width = 5, height = 6;
	struct gles_buffer *buffer = picture(1, 1, 0);

	tap_equal(screen_open(&none, -1, &width, &height), 0);
	tap_check(width == 5 && height == 6);
	screen_post(&none, buffer);
	screen_post(&none, NULL);
	gles_buffer_drop(&buffers, buffer);
}

/* A fake vmmctl that sends wrong answers. */
static void wrong_answers_end_the_connection(void)
{
	static const struct {
		u32 words[3];
		int kept;
	} answers[] = {
		{ { GPU_DMABUF_UPDATE, GPU_REPLY, 0 }, 1 },
		{ { GPU_DMABUF_UPDATE, GPU_REPLY, 1 }, 0 },
		{ { GPU_GET_EDID, GPU_REPLY, 0 }, 0 },
	};
	unsigned int i;
	char said[512];

	tap_listen();
	for (i = 0; i < ARRAY_SIZE(answers); i++) {
		struct screen s = { .sock = -1 };
		int pair[2];

		tap_check(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
		s.sock = pair[0];
		s.waits = true;
		tap_check(write(pair[1], answers[i].words, 12) == 12);
		screen_ready(&s);
		tap_equal(s.sock >= 0, answers[i].kept);
		/* An answer without a request. */
		if (s.sock >= 0) {
			tap_check(write(pair[1], answers[i].words, 12) == 12);
			screen_ready(&s);
		}
		tap_equal(s.sock, -1);
		close(pair[1]);
		/* Read the answers that were sent before the end. */
		screen_ready(&s);
	}
	tap_heard(said, sizeof(said));
	tap_check(strstr(said, "the screen"));
}

static void vmmctl_ends(void)
{
	u32 width, height;
	char said[256];

	vmmctl_end();
	screen_ready(&screen);
	tap_equal(screen.sock, -1);
	tap_listen();
	tap_check(screen_open(&screen, socket(AF_UNIX, SOCK_STREAM, 0), &width, &height));
	tap_heard(said, sizeof(said));
	screen_close(&screen);
	tap_check(access(path, F_OK));
}

static const struct tap_case cases[] = {
	{ "the screen reports its size", screen_says_its_size },
	{ "a posted picture is shown", posted_picture_is_shown },
	{ "other sizes are cropped or have a border", other_sizes_are_cut_or_surrounded },
	{ "the newest picture is sent", newest_picture_is_told },
	{ "one program draws at a time", one_program_draws_at_a_time },
	{ "programs that break the protocol are hung up",
	  programs_that_break_the_protocol_are_hung_up },
	{ "the last frame stays, and the next program begins",
	  last_frame_stays_and_the_next_program_begins },
	{ "without a screen nothing happens", without_a_screen_nothing_happens },
	{ "wrong answers end the connection", wrong_answers_end_the_connection },
	{ "vmmctl ends", vmmctl_ends },
};

int main(void)
{
	if (vmmctl_begin()) {
		perror("screen_test");
		return 1;
	}
	return tap_run(cases, ARRAY_SIZE(cases));
}
