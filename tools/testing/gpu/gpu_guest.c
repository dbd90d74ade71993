// SPDX-License-Identifier: GPL-2.0-only
/*
 * Draws by a stock DRM driver, without any library. After a name that ends in -READY it waits for a
 * line on stdin.
 *
 *	gpu_guest draw		a picture, another by page flip, a part of it changed, a cursor
 *	gpu_guest flips COUNT	waits five seconds, and flips
 *	gpu_guest endless	flips until something fails, in a process of its own
 *	gpu_guest rows PICTURE WIDTH HEIGHT	on the host: writes what the screen shows then, as
 *				a PNG file has it: rows of RGB, a byte 0 in front of each
 */
#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>
#include <drm/drm.h>
#include <drm/drm_mode.h>

#define CARD		"/dev/dri/card0"
#define MODES_MAX	64
#define PATCH_X		7	/* the part that changes */
#define PATCH_Y		9
#define PATCH_W		33
#define PATCH_H		21
#define CURSOR		64
#define CURSOR_X	40
#define CURSOR_Y	30

/* The pictures, in order. */
enum picture { FIRST, SECOND, PATCHED, POINTED };

struct buffer {
	uint32_t handle;
	uint32_t fb;
	uint32_t pitch;
	uint8_t *pixels;
};

static int card;
static uint32_t crtc;
static uint32_t connector;
static struct drm_mode_modeinfo mode;
static struct buffer buffers[2];

static void fail(const char *what)
{
	printf("gpu: %s: %s\n", what, strerror(errno));
	exit(1);
}

static void call(unsigned long request, void *arg, const char *what)
{
	int err;

	do
		err = ioctl(card, request, arg);
	while (err && (errno == EINTR || errno == EAGAIN));
	if (err)
		fail(what);
}

static void wait_for_host(const char *name)
{
	char line[64];

	printf("%s-READY\n", name);
	fflush(stdout);
	if (!fgets(line, sizeof(line), stdin))
		fail("stdin");
}

/* ---- pixels ---- */

/* Pixels use all 24 bits, and adjacent pixels differ. */
static uint32_t ground(enum picture picture, uint32_t x, uint32_t y)
{
	uint32_t value = x * 0x9e3779b1u + y * 0x85ebca6bu + (picture == FIRST ? 1 : 0x12345678);

	return (value ^ value >> 15) & 0xffffff;
}

/* Premultiplied: opaque on the left, half a blue in the middle, transparent on the right. */
static uint32_t cursor_pixel(uint32_t x, uint32_t y)
{
	if (x < 20)
		return 0xff000000 | (x * 12) << 16 | (y * 3) << 8 | 0x40;
	return x < 40 ? 0x80000080 : 0;
}

static uint32_t over(uint32_t under, uint32_t pixel)
{
	uint32_t left = 255 - (pixel >> 24);
	uint32_t out = 0;
	int shift;

	for (shift = 0; shift < 24; shift += 8) {
		uint32_t sum = (pixel >> shift & 0xff) + (under >> shift & 0xff) * left / 255;

		out |= (sum > 255 ? 255 : sum) << shift;
	}
	return out;
}

static bool in_patch(uint32_t x, uint32_t y)
{
	return x >= PATCH_X && x < PATCH_X + PATCH_W && y >= PATCH_Y && y < PATCH_Y + PATCH_H;
}

static uint32_t shown(enum picture picture, uint32_t x, uint32_t y)
{
	uint32_t pixel = ground(picture, x, y);

	if (picture >= PATCHED && in_patch(x, y))
		pixel = ~pixel & 0xffffff;
	if (picture == POINTED && x >= CURSOR_X && x < CURSOR_X + CURSOR && y >= CURSOR_Y &&
	    y < CURSOR_Y + CURSOR)
		pixel = over(pixel, cursor_pixel(x - CURSOR_X, y - CURSOR_Y));
	return pixel;
}

static void draw(struct buffer *buffer, enum picture picture)
{
	uint32_t x, y;

	for (y = 0; y < mode.vdisplay; y++) {
		uint32_t *row = (uint32_t *)(void *)(buffer->pixels + y * buffer->pitch);

		for (x = 0; x < mode.hdisplay; x++)
			row[x] = shown(picture, x, y);
	}
}

static int write_rows(enum picture picture, uint32_t width, uint32_t height)
{
	uint32_t x, y;

	for (y = 0; y < height; y++) {
		putchar(0);
		for (x = 0; x < width; x++) {
			uint32_t pixel = shown(picture, x, y);

			putchar(pixel >> 16);
			putchar(pixel >> 8 & 0xff);
			putchar(pixel & 0xff);
		}
	}
	return fflush(stdout) ? 1 : 0;
}

/* ---- the card ---- */

static void say_driver(void)
{
	char name[64] = "";
	struct drm_version version = { .name = name, .name_len = sizeof(name) - 1 };

	call(DRM_IOCTL_VERSION, &version, "version");
	printf("gpu: driver %s\n", name);
}

/* Finds the only connector, its only mode, and a CRTC. */
static void find_screen(void)
{
	static struct drm_mode_modeinfo modes[MODES_MAX];
	uint32_t crtcs[4], connectors[4], fbs[4], encoders[4];
	struct drm_mode_card_res res = {
		.crtc_id_ptr = (uintptr_t)crtcs, .count_crtcs = 4,
		.connector_id_ptr = (uintptr_t)connectors, .count_connectors = 4,
		.fb_id_ptr = (uintptr_t)fbs, .count_fbs = 4,
		.encoder_id_ptr = (uintptr_t)encoders, .count_encoders = 4,
	};
	/* A call without room for modes makes the driver probe and count them. */
	struct drm_mode_get_connector get = { 0 };

	call(DRM_IOCTL_MODE_GETRESOURCES, &res, "resources");
	crtc = crtcs[0];
	connector = connectors[0];
	get.connector_id = connector;
	call(DRM_IOCTL_MODE_GETCONNECTOR, &get, "connector");
	if (!get.count_modes || get.count_modes > MODES_MAX)
		fail("modes");
	get.modes_ptr = (uintptr_t)modes;
	get.count_props = 0;
	get.count_encoders = 0;
	call(DRM_IOCTL_MODE_GETCONNECTOR, &get, "modes");
	mode = modes[0];
	printf("gpu: connectors %u, connected %u, modes %u, %ux%u\n", res.count_connectors,
	       get.connection, get.count_modes, mode.hdisplay, mode.vdisplay);
}

static void buffer_make(struct buffer *buffer, uint32_t width, uint32_t height)
{
	struct drm_mode_create_dumb dumb = { .width = width, .height = height, .bpp = 32 };
	struct drm_mode_map_dumb map = { 0 };

	call(DRM_IOCTL_MODE_CREATE_DUMB, &dumb, "dumb buffer");
	map.handle = dumb.handle;
	call(DRM_IOCTL_MODE_MAP_DUMB, &map, "mapping");
	buffer->handle = dumb.handle;
	buffer->pitch = dumb.pitch;
	buffer->pixels = mmap(NULL, dumb.size, PROT_READ | PROT_WRITE, MAP_SHARED, card,
			      map.offset);
	if (buffer->pixels == MAP_FAILED)
		fail("mmap");
}

static void buffer_frame(struct buffer *buffer)
{
	struct drm_mode_fb_cmd fb = {
		.width = mode.hdisplay, .height = mode.vdisplay, .pitch = buffer->pitch,
		.bpp = 32, .depth = 24, .handle = buffer->handle,
	};

	call(DRM_IOCTL_MODE_ADDFB, &fb, "framebuffer");
	buffer->fb = fb.fb_id;
}

static void screen_open(void)
{
	struct drm_mode_crtc set = { 0 };
	unsigned int i;

	card = open(CARD, O_RDWR | O_CLOEXEC);
	if (card < 0)
		fail(CARD);
	say_driver();
	find_screen();
	for (i = 0; i < 2; i++) {
		buffer_make(&buffers[i], mode.hdisplay, mode.vdisplay);
		buffer_frame(&buffers[i]);
	}
	draw(&buffers[0], FIRST);
	set = (struct drm_mode_crtc){
		.set_connectors_ptr = (uintptr_t)&connector, .count_connectors = 1,
		.crtc_id = crtc, .fb_id = buffers[0].fb, .mode_valid = 1, .mode = mode,
	};
	call(DRM_IOCTL_MODE_SETCRTC, &set, "mode");
}

/* Flips to a buffer, and waits until it is shown. */
static void flip_to(const struct buffer *buffer)
{
	struct drm_mode_crtc_page_flip request = {
		.crtc_id = crtc, .fb_id = buffer->fb, .flags = DRM_MODE_PAGE_FLIP_EVENT,
	};
	struct drm_event_vblank event;

	call(DRM_IOCTL_MODE_PAGE_FLIP, &request, "flip");
	if (read(card, &event, sizeof(event)) != sizeof(event) ||
	    event.base.type != DRM_EVENT_FLIP_COMPLETE)
		fail("flip's event");
}

static void patch(const struct buffer *buffer)
{
	struct drm_clip_rect clip = {
		.x1 = PATCH_X, .y1 = PATCH_Y, .x2 = PATCH_X + PATCH_W, .y2 = PATCH_Y + PATCH_H,
	};
	struct drm_mode_fb_dirty_cmd dirty = {
		.fb_id = buffer->fb, .num_clips = 1, .clips_ptr = (uintptr_t)&clip,
	};
	uint32_t x, y;

	for (y = PATCH_Y; y < PATCH_Y + PATCH_H; y++) {
		uint32_t *row = (uint32_t *)(void *)(buffer->pixels + y * buffer->pitch);

		for (x = PATCH_X; x < PATCH_X + PATCH_W; x++)
			row[x] = ~row[x] & 0xffffff;
	}
	call(DRM_IOCTL_MODE_DIRTYFB, &dirty, "dirty");
}

static void point(void)
{
	struct drm_mode_cursor request = {
		.flags = DRM_MODE_CURSOR_BO, .crtc_id = crtc, .width = CURSOR, .height = CURSOR,
	};
	struct buffer cursor;
	uint32_t x, y;

	buffer_make(&cursor, CURSOR, CURSOR);
	for (y = 0; y < CURSOR; y++) {
		uint32_t *row = (uint32_t *)(void *)(cursor.pixels + y * cursor.pitch);

		for (x = 0; x < CURSOR; x++)
			row[x] = cursor_pixel(x, y);
	}
	request.handle = cursor.handle;
	call(DRM_IOCTL_MODE_CURSOR, &request, "cursor");
	request.flags = DRM_MODE_CURSOR_MOVE;
	request.x = CURSOR_X;
	request.y = CURSOR_Y;
	call(DRM_IOCTL_MODE_CURSOR, &request, "cursor's place");
}

static int run_draw(void)
{
	screen_open();
	wait_for_host("FIRST");
	draw(&buffers[1], SECOND);
	flip_to(&buffers[1]);
	wait_for_host("SECOND");
	patch(&buffers[1]);
	wait_for_host("PATCHED");
	point();
	wait_for_host("POINTED");
	return 0;
}

/* Prints nothing while the host counts, because output causes exits. */
static int run_flips(unsigned int count)
{
	unsigned int i;

	screen_open();
	wait_for_host("FLIPS");
	sleep(5);
	for (i = 0; i < count; i++) {
		memset(buffers[i & 1].pixels, i, buffers[i & 1].pitch);
		flip_to(&buffers[i & 1]);
	}
	sleep(15);
	printf("gpu: %u flips\n", count);
	wait_for_host("FLIPPED");
	return 0;
}

static int run_endless(void)
{
	unsigned int i;

	screen_open();
	if (fork())
		return 0;
	for (i = 0;; i++) {
		draw(&buffers[i & 1], i & 1 ? SECOND : FIRST);
		flip_to(&buffers[i & 1]);
	}
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOFBF, 0);
	if (argc == 2 && !strcmp(argv[1], "draw"))
		return run_draw();
	if (argc == 3 && !strcmp(argv[1], "flips"))
		return run_flips(atoi(argv[2]));
	if (argc == 2 && !strcmp(argv[1], "endless"))
		return run_endless();
	if (argc == 5 && !strcmp(argv[1], "rows"))
		return write_rows(atoi(argv[2]), atoi(argv[3]), atoi(argv[4]));
	fputs("usage: gpu_guest draw|flips COUNT|endless|rows PICTURE WIDTH HEIGHT\n", stderr);
	return 2;
}
