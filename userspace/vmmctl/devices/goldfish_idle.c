// SPDX-License-Identifier: GPL-2.0-only
/*
 * Goldfish devices that have no model yet: each is there, reads as 0 and ignores
 * writes, as a guest's driver expects of a device that nothing happens to.
 */
#include "devices/devices.h"

static int idle_create(struct vmm_device *dev)
{
	(void)dev;
	return 0;
}

static u64 idle_read(struct vmm_device *dev, u64 offset, unsigned int len)
{
	(void)dev;
	(void)offset;
	(void)len;
	return 0;
}

static void idle_write(struct vmm_device *dev, u64 offset, u64 value, unsigned int len)
{
	(void)dev;
	(void)offset;
	(void)value;
	(void)len;
}

static void idle_describe(const struct vmm_device *dev, struct vmm_visitor *visitor,
			  const char *node, const char *google, const char *generic)
{
	struct vmm_description description = {
		.node = node,
		.compatible = { google, generic },
		.base = dev->base,
		.size = dev->size,
		.irq = dev->irq,
		.trigger = dev->trigger,
	};

	visitor->device(visitor, &description);
}

static void fb_describe(const struct vmm_device *dev, struct vmm_visitor *visitor)
{
	idle_describe(dev, visitor, "goldfish_fb", "google,goldfish-fb", "generic,goldfish-fb");
}

static void battery_describe(const struct vmm_device *dev, struct vmm_visitor *visitor)
{
	idle_describe(dev, visitor, "goldfish_battery", "google,goldfish-battery",
		      "generic,goldfish-battery");
}

static void audio_describe(const struct vmm_device *dev, struct vmm_visitor *visitor)
{
	idle_describe(dev, visitor, "goldfish_audio", "google,goldfish-audio",
		      "generic,goldfish-audio");
}

/* A hyphen where the others have an underscore: guest ABI. */
static void events_describe(const struct vmm_device *dev, struct vmm_visitor *visitor)
{
	idle_describe(dev, visitor, "goldfish-events", "google,goldfish-events-keypad",
		      "generic,goldfish-events-keypad");
}

static void sync_describe(const struct vmm_device *dev, struct vmm_visitor *visitor)
{
	idle_describe(dev, visitor, "goldfish_sync", "google,goldfish-sync",
		      "generic,goldfish-sync");
}

#define IDLE_OPS(device)				\
	.name = #device,				\
	.create = idle_create,				\
	.reset = vmm_device_nothing,			\
	.destroy = vmm_device_nothing,			\
	.read = idle_read,				\
	.write = idle_write,				\
	.pause = vmm_device_nothing,			\
	.resume = vmm_device_nothing,			\
	.describe = device##_describe

/** The framebuffer. */
const struct vmm_device_ops vmm_goldfish_fb_ops = { IDLE_OPS(fb) };

/** The battery. */
const struct vmm_device_ops vmm_goldfish_battery_ops = { IDLE_OPS(battery) };

/** Audio. */
const struct vmm_device_ops vmm_goldfish_audio_ops = { IDLE_OPS(audio) };

/** Keys and the touch screen. */
const struct vmm_device_ops vmm_goldfish_events_ops = { IDLE_OPS(events) };

/** Fences. */
const struct vmm_device_ops vmm_goldfish_sync_ops = { IDLE_OPS(sync) };
