// SPDX-License-Identifier: GPL-2.0-only
/*
 * Commands that press a key or touch the screen, by sending events to a virtio input device.
 */
#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <linux/input.h>

#include "devices/input_names.h"
#include "devices/input_tell.h"
#include "host/log.h"

/* A socket takes so few bytes completely or not at all. */
static int tell(const struct vmm_input_teller *teller, const struct virtio_input_event *list,
		unsigned int count)
{
	ssize_t len = count * sizeof(*list);

	return send(teller->fd, list, len, MSG_NOSIGNAL | MSG_DONTWAIT) == len ? 0 : -ENOBUFS;
}

/**
 * vmm_input_tell_key - press or release a key
 * @teller: the sender of events
 * @arg: CODE PRESSED
 * @used: the device has a driver
 *
 * Return: 0, -ENOENT if another program sends the device's events, -ENODEV if the device has
 *	no driver and the key is pressed, or -errno
 */
int vmm_input_tell_key(struct vmm_input_teller *teller, const char *arg, bool used)
{
	struct virtio_input_event list[2];
	unsigned int code, pressed;
	char rest;

	if (teller->fd < 0)
		return -ENOENT;
	if (!arg || sscanf(arg, "%5u %1u %c", &code, &pressed, &rest) != 2 || pressed > 1 ||
	    !code || code > KEY_MAX)
		return vmm_error(-EINVAL, "key: CODE PRESSED are needed");
	if (pressed && !used)
		return -ENODEV;
	list[0] = vmm_input_event(EV_KEY, code, pressed);
	list[1] = vmm_input_event(EV_SYN, SYN_REPORT, 0);
	return tell(teller, list, ARRAY_SIZE(list));
}

/* Converts pixels of the screen to units of the axes. */
static u32 axis_scale(long at, unsigned int size)
{
	if (at < 0 || size < 2)
		return 0;
	if ((unsigned long)at >= size)
		return VMM_INPUT_AXIS_MAX;
	return (u64)at * VMM_INPUT_AXIS_MAX / (size - 1);
}

static int finger_tell(struct vmm_input_teller *teller, u32 x, u32 y, bool pressed)
{
	struct virtio_input_event list[6];
	unsigned int n = 0;
	int err;

	list[n++] = vmm_input_event(EV_ABS, ABS_MT_SLOT, 0);
	if (pressed != teller->down) {
		list[n++] = vmm_input_event(EV_ABS, ABS_MT_TRACKING_ID,
					    pressed ? teller->touches : -1);
		list[n++] = vmm_input_event(EV_KEY, BTN_TOUCH, pressed);
	}
	if (pressed) {
		list[n++] = vmm_input_event(EV_ABS, ABS_MT_POSITION_X, x);
		list[n++] = vmm_input_event(EV_ABS, ABS_MT_POSITION_Y, y);
	}
	list[n++] = vmm_input_event(EV_SYN, SYN_REPORT, 0);
	err = tell(teller, list, n);
	if (err)
		return err;
	teller->touches += teller->down && !pressed;
	teller->down = pressed;
	return 0;
}

/**
 * vmm_input_tell_touch - put a finger on the screen, move it or lift it
 * @teller: the sender of events
 * @cfg: has the screen's size
 * @arg: X Y PRESSED, pixels
 * @used: the device has a driver
 *
 * Return: as vmm_input_tell_key()
 */
int vmm_input_tell_touch(struct vmm_input_teller *teller, const struct vmm_config *cfg,
			 const char *arg, bool used)
{
	unsigned int pressed;
	char rest;
	int x, y;

	if (teller->fd < 0)
		return -ENOENT;
	if (!arg || sscanf(arg, "%9d %9d %1u %c", &x, &y, &pressed, &rest) != 3 || pressed > 1)
		return vmm_error(-EINVAL, "touch: X Y PRESSED are needed");
	if (pressed && !used)
		return -ENODEV;
	if (!pressed && !teller->down)
		return 0;
	return finger_tell(teller, axis_scale(x, cfg->screen_width),
			   axis_scale(y, cfg->screen_height), pressed);
}
