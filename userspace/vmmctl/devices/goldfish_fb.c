// SPDX-License-Identifier: GPL-2.0-only
/*
 * Goldfish framebuffer: shows pixels of guest RAM. The guest sets the base address of a frame
 * and gets an interrupt when it is in use; if enabled, it gets one 60 times a second. Pixels
 * are copied only when a client reads the screen (host/display.h).
 *
 * Source: platform_external_qemu hw/display/goldfish_fb.c (b3a016f138cc).
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "devices/devices.h"
#include "devices/goldfish.h"
#include "host/display.h"

#define REG_WIDTH	0x00
#define REG_HEIGHT	0x04
#define REG_INT_STATUS	0x08
#define REG_INT_ENABLE	0x0c
#define REG_BASE	0x10
#define REG_ROTATION	0x14
#define REG_BLANK	0x18
#define REG_WIDTH_MM	0x1c
#define REG_HEIGHT_MM	0x20
#define REG_FORMAT	0x24

#define INT_VSYNC	(1 << 0)
#define INT_BASE	(1 << 1)
#define INT_ALL		(INT_VSYNC | INT_BASE)

#define DPI		165	/* dots per inch of every screen */
#define FRAME_NS	16666667

static void fb_update_locked(struct vmm_goldfish_fb *fb)
{
	bool level = fb->status & fb->enable;
	bool paced = fb->based && fb->enable & INT_VSYNC && !fb->paused;

	if (paced != fb->paced) {
		fb->paced = paced;
		fb->pace(fb->arg, paced);
	}
	if (level == fb->level)
		return;
	fb->level = level;
	fb->irq(fb->arg, level);
}

/**
 * vmm_goldfish_fb_init - initialise a screen that shows nothing
 * @fb: its callbacks, @width, @height and @depth must be set, all else is zero
 */
void vmm_goldfish_fb_init(struct vmm_goldfish_fb *fb)
{
	pthread_mutex_init(&fb->lock, NULL);
	fb->format = VMM_FB_RGB565;
}

/**
 * vmm_goldfish_fb_reset - put a screen into its reset state
 * @fb: the screen; its rotation does not change
 */
void vmm_goldfish_fb_reset(struct vmm_goldfish_fb *fb)
{
	pthread_mutex_lock(&fb->lock);
	fb->status = 0;
	fb->enable = 0;
	fb->base = 0;
	fb->based = false;
	fb->blank = false;
	fb->format = VMM_FB_RGB565;
	fb_update_locked(fb);
	pthread_mutex_unlock(&fb->lock);
}

static u32 millimetres(u32 pixels)
{
	/* 25.4 mm are an inch; rounded to the nearest. */
	return (pixels * 254 + DPI * 5) / (DPI * 10);
}

static u32 status_read_locked(struct vmm_goldfish_fb *fb)
{
	u32 told = fb->status & fb->enable;

	fb->status &= ~told;
	fb_update_locked(fb);
	return told;
}

static u32 fb_read_locked(struct vmm_goldfish_fb *fb, u32 offset)
{
	switch (offset) {
	case REG_WIDTH:
		return fb->width;
	case REG_HEIGHT:
		return fb->height;
	case REG_INT_STATUS:
		return status_read_locked(fb);
	case REG_WIDTH_MM:
		return millimetres(fb->width);
	case REG_HEIGHT_MM:
		return millimetres(fb->height);
	case REG_FORMAT:
		/* A driver that reads the format uses it from now on. */
		fb->format = fb->depth == 16 ? VMM_FB_RGB565 : VMM_FB_RGBX8888;
		return fb->format;
	default:
		return 0;
	}
}

/**
 * vmm_goldfish_fb_read - answer a guest read
 * @fb: the screen
 * @offset: byte offset of the register
 *
 * Context: any thread.
 * Return: the register's value
 */
u32 vmm_goldfish_fb_read(struct vmm_goldfish_fb *fb, u32 offset)
{
	u32 value;

	pthread_mutex_lock(&fb->lock);
	value = fb_read_locked(fb, offset);
	pthread_mutex_unlock(&fb->lock);
	return value;
}

/**
 * vmm_goldfish_fb_write - take a guest write
 * @fb: the screen
 * @offset: byte offset of the register
 * @value: what was written
 *
 * A new base is in use at once: frames are read from RAM when they are shown.
 *
 * Context: any thread.
 */
void vmm_goldfish_fb_write(struct vmm_goldfish_fb *fb, u32 offset, u32 value)
{
	pthread_mutex_lock(&fb->lock);
	switch (offset) {
	case REG_INT_ENABLE:
		fb->enable = value & INT_ALL;
		break;
	case REG_BASE:
		fb->base = value;
		fb->based = value;
		fb->status |= INT_BASE;
		break;
	case REG_BLANK:
		fb->blank = value & 1;
		break;
	}
	fb_update_locked(fb);
	pthread_mutex_unlock(&fb->lock);
}

/**
 * vmm_goldfish_fb_tick - handle the end of a frame
 * @fb: the screen
 *
 * Context: any thread.
 */
void vmm_goldfish_fb_tick(struct vmm_goldfish_fb *fb)
{
	pthread_mutex_lock(&fb->lock);
	if (fb->paced)
		fb->status |= INT_VSYNC;
	fb_update_locked(fb);
	pthread_mutex_unlock(&fb->lock);
}

/**
 * vmm_goldfish_fb_turn - turn the screen
 * @fb: the screen
 *
 * Turns it by a quarter, clockwise. The device does not report that to the guest; a sensor does.
 *
 * Return: the rotation in quarters, 0 to 3
 */
unsigned int vmm_goldfish_fb_turn(struct vmm_goldfish_fb *fb)
{
	unsigned int turns;

	pthread_mutex_lock(&fb->lock);
	turns = (fb->turns + 1) % 4;
	fb->turns = turns;
	pthread_mutex_unlock(&fb->lock);
	return turns;
}

/**
 * vmm_goldfish_fb_pause - stop pacing frames, or continue
 * @fb: the screen
 * @paused: true to pause, false to continue
 */
void vmm_goldfish_fb_pause(struct vmm_goldfish_fb *fb, bool paused)
{
	pthread_mutex_lock(&fb->lock);
	fb->paused = paused;
	fb_update_locked(fb);
	pthread_mutex_unlock(&fb->lock);
}

/* ---- the device on the board ---- */

/**
 * struct screen - the model and what it needs of the host
 * @fb: the model
 * @dev: the device
 * @timer_fd: expires each frame while frames are paced
 * @bad_bases: counts frames that were not completely in RAM when they were shown
 */
struct screen {
	struct vmm_goldfish_fb fb;
	struct vmm_device *dev;
	int timer_fd;
	u64 bad_bases;
};

static void screen_irq(void *arg, bool level)
{
	struct screen *screen = arg;

	vmm_line_set(&screen->dev->line, level);
}

static void screen_pace(void *arg, bool on)
{
	static const struct itimerspec frames = {
		.it_value.tv_nsec = FRAME_NS, .it_interval.tv_nsec = FRAME_NS,
	};
	static const struct itimerspec none;
	struct screen *screen = arg;

	timerfd_settime(screen->timer_fd, 0, on ? &frames : &none, NULL);
}

static int screen_tick(void *arg)
{
	struct screen *screen = arg;
	u64 expirations;

	if (read(screen->timer_fd, &expirations, sizeof(expirations)) == sizeof(expirations))
		vmm_goldfish_fb_tick(&screen->fb);
	return 0;
}

/* Only the frame's place in RAM is checked; pixels may have any value. */
static void screen_refresh(void *arg)
{
	struct screen *screen = arg;
	struct vmm_goldfish_fb *fb = &screen->fb;
	struct vmm_vm *vm = screen->dev->vm;
	const u8 *pixels = NULL;
	enum vmm_pixels format;
	unsigned int turns;
	size_t bytes;

	pthread_mutex_lock(&fb->lock);
	format = fb->format == VMM_FB_RGB565 ? VMM_PIXELS_RGB565 : VMM_PIXELS_RGBX8888;
	bytes = (size_t)fb->width * fb->height * (fb->format == VMM_FB_RGB565 ? 2 : 4);
	turns = fb->turns;
	if (fb->based && !fb->blank) {
		pixels = vmm_mem_ptr(&vm->mem, fb->base, bytes);
		screen->bad_bases += !pixels;
	}
	pthread_mutex_unlock(&fb->lock);
	vmm_display_frame(vm->host.display, format, turns, pixels);
}

static void fb_destroy(struct vmm_device *dev)
{
	struct screen *screen = dev->state;

	if (dev->vm->host.display)
		vmm_display_attach(dev->vm->host.display, NULL, NULL);
	if (screen->timer_fd >= 0) {
		vmm_loop_del(dev->vm->loop, screen->timer_fd);
		close(screen->timer_fd);
	}
	pthread_mutex_destroy(&screen->fb.lock);
	free(screen);
}

static int fb_create(struct vmm_device *dev)
{
	struct screen *screen = calloc(1, sizeof(*screen));
	const struct vmm_config *cfg = dev->vm->cfg;
	int err;

	if (!screen)
		return vmm_error(ENOMEM, "fb");
	screen->dev = dev;
	screen->fb.irq = screen_irq;
	screen->fb.pace = screen_pace;
	screen->fb.arg = screen;
	screen->fb.width = cfg->screen_width;
	screen->fb.height = cfg->screen_height;
	screen->fb.depth = cfg->screen_depth;
	vmm_goldfish_fb_init(&screen->fb);
	dev->state = screen;
	screen->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (screen->timer_fd < 0)
		err = vmm_error(errno, "fb: cannot make a timer");
	else
		err = vmm_loop_add(dev->vm->loop, screen->timer_fd, screen_tick, screen);
	if (err)
		fb_destroy(dev);
	else if (dev->vm->host.display)
		vmm_display_attach(dev->vm->host.display, screen_refresh, screen);
	return err;
}

static void fb_reset(struct vmm_device *dev)
{
	struct screen *screen = dev->state;

	vmm_goldfish_fb_reset(&screen->fb);
}

/* Registers are 32 bits wide; a read of any length returns the whole register. */
static u64 fb_read(struct vmm_device *dev, u64 offset, unsigned int len)
{
	struct screen *screen = dev->state;

	(void)len;
	return vmm_goldfish_fb_read(&screen->fb, offset);
}

static void fb_write(struct vmm_device *dev, u64 offset, u64 value, unsigned int len)
{
	struct screen *screen = dev->state;

	(void)len;
	vmm_goldfish_fb_write(&screen->fb, offset, value);
}

static void fb_pause(struct vmm_device *dev)
{
	struct screen *screen = dev->state;

	vmm_goldfish_fb_pause(&screen->fb, true);
}

static void fb_resume(struct vmm_device *dev)
{
	struct screen *screen = dev->state;

	vmm_goldfish_fb_pause(&screen->fb, false);
}

/* Fields of the saved state; a number is never reused. */
enum {
	STATE_SIZE = 1,	/* width, height, depth: must be the same */
	STATE_REGS,	/* status, enable, base, blank, format, turns */
};

#define STATE_VERSION	1
#define STATE_N_REGS	6

static int fb_save(struct vmm_device *dev, struct vmm_state *state)
{
	struct screen *screen = dev->state;
	struct vmm_goldfish_fb *fb = &screen->fb;
	__le32 size[3] = { htole32(fb->width), htole32(fb->height), htole32(fb->depth) };
	__le32 regs[STATE_N_REGS];
	int err = vmm_state_begin(state, dev->ops->name, STATE_VERSION);

	if (err)
		return err;
	pthread_mutex_lock(&fb->lock);
	regs[0] = htole32(fb->status);
	regs[1] = htole32(fb->enable);
	regs[2] = htole32(fb->base);
	regs[3] = htole32(fb->blank);
	regs[4] = htole32(fb->format);
	regs[5] = htole32(fb->turns);
	pthread_mutex_unlock(&fb->lock);
	vmm_state_put(state, STATE_SIZE, size, sizeof(size));
	vmm_state_put(state, STATE_REGS, regs, sizeof(regs));
	return vmm_state_end(state);
}

static bool state_is_possible(const struct vmm_goldfish_fb *fb, const __le32 size[3],
			      const __le32 regs[STATE_N_REGS])
{
	return le32toh(size[0]) == fb->width && le32toh(size[1]) == fb->height &&
	       le32toh(size[2]) == fb->depth && !(le32toh(regs[0]) & ~INT_ALL) &&
	       !(le32toh(regs[1]) & ~INT_ALL) && le32toh(regs[3]) <= 1 &&
	       (le32toh(regs[4]) == VMM_FB_RGB565 || le32toh(regs[4]) == VMM_FB_RGBX8888) &&
	       le32toh(regs[5]) < 4;
}

static int fb_load(struct vmm_device *dev, struct vmm_state *state)
{
	struct screen *screen = dev->state;
	struct vmm_goldfish_fb *fb = &screen->fb;
	__le32 regs[STATE_N_REGS];
	__le32 size[3];
	int err = vmm_state_open(state, dev->ops->name, STATE_VERSION);

	if (err < 0)
		return err;
	vmm_state_get(state, STATE_SIZE, size, sizeof(size));
	vmm_state_get(state, STATE_REGS, regs, sizeof(regs));
	err = vmm_state_close(state);
	if (!err && !state_is_possible(fb, size, regs))
		err = -EINVAL;
	if (err)
		return err;
	pthread_mutex_lock(&fb->lock);
	fb->status = le32toh(regs[0]);
	fb->enable = le32toh(regs[1]);
	fb->base = le32toh(regs[2]);
	fb->based = fb->base;
	fb->blank = le32toh(regs[3]);
	fb->format = le32toh(regs[4]);
	fb->turns = le32toh(regs[5]);
	fb_update_locked(fb);
	pthread_mutex_unlock(&fb->lock);
	return 0;
}

static void fb_describe(const struct vmm_device *dev, struct vmm_visitor *visitor)
{
	vmm_goldfish_describe(dev, visitor, (struct vmm_description){
		.node = "goldfish_fb",
		.compatible = { "google,goldfish-fb", "generic,goldfish-fb" },
		.hid = "GFSH0004", .name = "GFFB", .text = "goldfish framebuffer",
	});
}

static void fb_stats(struct vmm_device *dev, struct vmm_report *report)
{
	struct screen *screen = dev->state;
	u64 bad;

	pthread_mutex_lock(&screen->fb.lock);
	bad = screen->bad_bases;
	pthread_mutex_unlock(&screen->fb.lock);
	vmm_report_add(report, "bad_bases", bad);
}

static int fb_run_rotate(struct vmm_device *dev, const char *arg, struct vmm_text *text)
{
	struct screen *screen = dev->state;

	(void)arg;
	vmm_text_add(text, "turned by %u degrees\n", 90 * vmm_goldfish_fb_turn(&screen->fb));
	return 0;
}

static const struct vmm_device_command fb_commands[] = {
	{ "rotate", "turn the screen by a quarter, clockwise", fb_run_rotate },
	{ }
};

/** The goldfish framebuffer. */
const struct vmm_device_ops vmm_goldfish_fb_ops = {
	.name = "fb",
	.create = fb_create,
	.reset = fb_reset,
	.destroy = fb_destroy,
	.read = fb_read,
	.write = fb_write,
	.pause = fb_pause,
	.resume = fb_resume,
	.save = fb_save,
	.load = fb_load,
	.describe = fb_describe,
	.stats = fb_stats,
	.commands = fb_commands,
};
