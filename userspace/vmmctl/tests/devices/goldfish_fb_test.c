// SPDX-License-Identifier: GPL-2.0-only
/*
 * The goldfish framebuffer's registers, as a driver uses them.
 */
#include <string.h>

#include "devices/goldfish.h"
#include "tests/tap.h"

#define WIDTH		0x00
#define HEIGHT		0x04
#define INT_STATUS	0x08
#define INT_ENABLE	0x0c
#define BASE		0x10
#define ROTATION	0x14
#define BLANK		0x18
#define WIDTH_MM	0x1c
#define HEIGHT_MM	0x20
#define FORMAT		0x24

static struct {
	bool level;
	unsigned int edges;
	bool paced;
} host;

static void on_irq(void *arg, bool level)
{
	(void)arg;
	tap_check(level != host.level);
	host.level = level;
	host.edges++;
}

static void on_pace(void *arg, bool on)
{
	(void)arg;
	tap_check(on != host.paced);
	host.paced = on;
}

static struct vmm_goldfish_fb *fb_new(u32 depth)
{
	static struct vmm_goldfish_fb fb;

	memset(&host, 0, sizeof(host));
	fb = (struct vmm_goldfish_fb){
		.irq = on_irq, .pace = on_pace, .width = 1080, .height = 1920, .depth = depth,
	};
	vmm_goldfish_fb_init(&fb);
	return &fb;
}

static void it_tells_its_size(void)
{
	struct vmm_goldfish_fb *fb = fb_new(32);

	tap_equal(vmm_goldfish_fb_read(fb, WIDTH), 1080);
	tap_equal(vmm_goldfish_fb_read(fb, HEIGHT), 1920);
	/* 25.4 * pixels / 165, rounded. */
	tap_equal(vmm_goldfish_fb_read(fb, WIDTH_MM), 166);
	tap_equal(vmm_goldfish_fb_read(fb, HEIGHT_MM), 296);
	tap_equal(vmm_goldfish_fb_read(fb, 0x28), 0);
	tap_equal(vmm_goldfish_fb_read(fb, 0x02), 0);
}

static void asking_for_the_format_chooses_it(void)
{
	struct vmm_goldfish_fb *fb = fb_new(32);

	tap_equal(fb->format, VMM_FB_RGB565);
	tap_equal(vmm_goldfish_fb_read(fb, FORMAT), 2);
	tap_equal(fb->format, VMM_FB_RGBX8888);
	vmm_goldfish_fb_reset(fb);
	tap_equal(fb->format, VMM_FB_RGB565);
	fb = fb_new(16);
	tap_equal(vmm_goldfish_fb_read(fb, FORMAT), 4);
	tap_equal(fb->format, VMM_FB_RGB565);
}

/* Like Linux' driver: interrupts are enabled once; each base causes one. */
static void a_base_is_acknowledged(void)
{
	struct vmm_goldfish_fb *fb = fb_new(32);

	vmm_goldfish_fb_write(fb, INT_ENABLE, 2);
	tap_check(!host.level);
	vmm_goldfish_fb_write(fb, BASE, 0x41000000);
	tap_check(host.level);
	tap_equal(fb->base, 0x41000000);
	tap_equal(vmm_goldfish_fb_read(fb, INT_STATUS), 2);
	tap_check(!host.level);
	tap_equal(vmm_goldfish_fb_read(fb, INT_STATUS), 0);
	vmm_goldfish_fb_write(fb, BASE, 0x41200000);
	tap_equal(vmm_goldfish_fb_read(fb, INT_STATUS), 2);
	tap_equal(host.edges, 4);
	tap_check(!host.paced);
	/* A masked interrupt stays pending. */
	vmm_goldfish_fb_write(fb, INT_ENABLE, 0);
	vmm_goldfish_fb_write(fb, BASE, 0x41000000);
	tap_check(!host.level);
	tap_equal(vmm_goldfish_fb_read(fb, INT_STATUS), 0);
	vmm_goldfish_fb_write(fb, INT_ENABLE, ~0U);
	tap_check(host.level);
	vmm_goldfish_fb_write(fb, INT_ENABLE, 0);
	tap_check(!host.level);
}

/* Interrupts come only with a frame, and only while enabled. */
static void frames_are_paced(void)
{
	struct vmm_goldfish_fb *fb = fb_new(32);

	vmm_goldfish_fb_write(fb, INT_ENABLE, 1);
	tap_check(!host.paced);
	vmm_goldfish_fb_tick(fb);
	tap_check(!host.level);
	vmm_goldfish_fb_write(fb, BASE, 0x1000);
	tap_check(host.paced && !host.level);
	vmm_goldfish_fb_tick(fb);
	tap_check(host.level);
	vmm_goldfish_fb_tick(fb);
	tap_equal(vmm_goldfish_fb_read(fb, INT_STATUS), 1);
	tap_check(!host.level);
	vmm_goldfish_fb_tick(fb);
	tap_check(host.level);
	vmm_goldfish_fb_pause(fb, true);
	tap_check(!host.paced);
	tap_equal(vmm_goldfish_fb_read(fb, INT_STATUS), 1);
	vmm_goldfish_fb_tick(fb);
	tap_check(!host.level);
	vmm_goldfish_fb_pause(fb, false);
	tap_check(host.paced);
	vmm_goldfish_fb_write(fb, INT_ENABLE, 2);
	tap_check(!host.paced);
	vmm_goldfish_fb_write(fb, INT_ENABLE, 3);
	tap_check(host.paced);
	vmm_goldfish_fb_reset(fb);
	tap_check(!host.paced && !host.level && !fb->based);
}

static void it_turns_and_goes_blank(void)
{
	struct vmm_goldfish_fb *fb = fb_new(32);
	unsigned int i;

	vmm_goldfish_fb_write(fb, BLANK, 3);
	tap_check(fb->blank);
	vmm_goldfish_fb_write(fb, BLANK, 2);
	tap_check(!fb->blank);
	/* The guest cannot rotate the screen. */
	vmm_goldfish_fb_write(fb, ROTATION, 1);
	tap_equal(fb->turns, 0);
	for (i = 1; i <= 5; i++) {
		tap_equal(vmm_goldfish_fb_turn(fb), i % 4);
		tap_equal(fb->turns, i % 4);
	}
	tap_equal(vmm_goldfish_fb_read(fb, WIDTH), 1080);
	vmm_goldfish_fb_reset(fb);
	tap_equal(fb->turns, 1);
}

static const struct tap_case cases[] = {
	{ "it tells its size", it_tells_its_size },
	{ "asking for the format chooses it", asking_for_the_format_chooses_it },
	{ "a base is acknowledged", a_base_is_acknowledged },
	{ "frames are paced", frames_are_paced },
	{ "it turns and goes blank", it_turns_and_goes_blank },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
