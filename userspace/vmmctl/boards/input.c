// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keys and touches for the device that the guest uses: a virtio device if the guest's driver has
 * started one, else goldfish events. So a key is sent once if the guest has both.
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <linux/input.h>

#include "devices/input_names.h"
#include "machine/machine.h"

#define WORD	40	/* bytes of a word of a command, with its NUL */

/*
 * A press goes to one device. A release goes to virtio, and also to goldfish events if the
 * press went there, or if no other device accepts it: a guest that does not read goldfish
 * events has room for few.
 */
static int input_route(struct vmm_vm *vm, const char *command, const char *arg, bool pressed,
		       const char *event, const char *value, bool *on_events, struct vmm_text *text)
{
	int told = vmm_board_command(vm, NULL, command, arg, NULL);
	bool unused = told == -ENOENT || told == -ENODEV;
	int err;

	if (!unused && (pressed || !*on_events))
		return told;
	*on_events = pressed;
	err = vmm_board_command(vm, "events", event, value, unused ? text : NULL);
	if (!unused)
		return told;
	if (err != -ENOENT)
		return err;
	vmm_text_add(text, "the guest uses no such device");
	return -ENODEV;
}

static unsigned int key_find(const char *name)
{
	struct virtio_input_event event;
	char words[WORD + 16];

	snprintf(words, sizeof(words), "EV_KEY:%s:1", name);
	return vmm_input_event_parse(words, strlen(words), &event) ? 0 : le16toh(event.code);
}

static int run_key(struct vmm_vm *vm, const char *value, struct vmm_text *text)
{
	static bool on_events[KEY_CNT];
	char name[WORD] = "", second[WORD] = "", state[3] = "";
	unsigned int code, other;
	char arg[WORD], send[WORD];
	int words = 0;
	bool pressed;
	char rest;

	/* A missing word stays empty, which is no valid key. */
	if (value)
		words = sscanf(value, "%39s %2s %39s %c", name, state, second, &rest);
	if (words < 3)
		memcpy(second, name, sizeof(second));
	code = key_find(name);
	other = key_find(second);
	pressed = !strcmp(state, "1");
	if (!code || !other || words > 3 || (!pressed && strcmp(state, "0"))) {
		vmm_text_add(text, "CODE PRESSED are needed; PRESSED is 0 or 1");
		return -EINVAL;
	}
	snprintf(arg, sizeof(arg), "%u %u", code, pressed);
	snprintf(send, sizeof(send), "%u:%u:%u %u:0:0", EV_KEY, other, pressed, EV_SYN);
	return input_route(vm, "key", arg, pressed, "send", send, &on_events[code], text);
}

static int run_touch(struct vmm_vm *vm, const char *value, struct vmm_text *text)
{
	static bool on_events;
	unsigned int pressed;
	char mouse[WORD];
	int x, y;
	char rest;

	if (!value || sscanf(value, "%9d %9d %1u %c", &x, &y, &pressed, &rest) != 3 ||
	    pressed > 1) {
		vmm_text_add(text, "X Y PRESSED are needed; PRESSED is 0 or 1");
		return -EINVAL;
	}
	snprintf(mouse, sizeof(mouse), "%d %d 0 %u", x, y, pressed);
	return input_route(vm, "touch", value, pressed, "mouse", mouse, &on_events, text);
}

/**
 * vmm_board_input - press a key or touch the screen, by the device that the guest uses
 * @vm: its board was created
 * @device: nothing happens if it is not "input"
 * @command: "key": CODE PRESSED [CODE of goldfish events, if that is another];
 *	"touch": X Y PRESSED, a pixel of the guest's frame
 * @value: its argument, or NULL
 * @text: filled with the reason of a failure
 *
 * Context: main thread.
 * Return: 0, -ENOENT if it is another device or command, or -errno
 */
int vmm_board_input(struct vmm_vm *vm, const char *device, const char *command,
		    const char *value, struct vmm_text *text)
{
	if (strcmp(device, "input"))
		return -ENOENT;
	if (!strcmp(command, "key"))
		return run_key(vm, value, text);
	return strcmp(command, "touch") ? -ENOENT : run_touch(vm, value, text);
}
