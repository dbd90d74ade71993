// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device of a board that gets a key or a finger: fake devices record their requests.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "machine/machine.h"
#include "tests/tap.h"

static char asked[256];
static int virtio_says, events_say;

static int note(const char *what, const char *arg)
{
	size_t len = strlen(asked);

	snprintf(asked + len, sizeof(asked) - len, "%s %s\n", what, arg);
	return 0;
}

static int virtio_key(struct vmm_device *dev, const char *arg, struct vmm_text *text)
{
	(void)dev;
	(void)text;
	note("virtio key", arg);
	return virtio_says;
}

static int virtio_touch(struct vmm_device *dev, const char *arg, struct vmm_text *text)
{
	(void)dev;
	(void)text;
	note("virtio touch", arg);
	return virtio_says;
}

static int events_send(struct vmm_device *dev, const char *arg, struct vmm_text *text)
{
	(void)dev;
	(void)text;
	note("send", arg);
	return events_say;
}

static int events_mouse(struct vmm_device *dev, const char *arg, struct vmm_text *text)
{
	(void)dev;
	(void)text;
	note("mouse", arg);
	return events_say;
}

static const struct vmm_device_command virtio_commands[] = {
	{ "key", "", virtio_key }, { "touch", "", virtio_touch }, { }
};

static const struct vmm_device_command events_commands[] = {
	{ "send", "", events_send }, { "mouse", "", events_mouse }, { }
};

static const struct vmm_device_ops bank = { .name = "virtio_mmio", .commands = virtio_commands };
static const struct vmm_device_ops events = { .name = "events", .commands = events_commands };

static struct vmm_vm vm = {
	.board = {
		.devices = 2,
		.dev = { { .ops = &bank, .created = true }, { .ops = &events, .created = true } },
	},
};

static int input(const char *command, const char *value)
{
	static struct vmm_text text;

	vmm_text_clear(&text);
	*asked = '\0';
	return vmm_board_input(&vm, "input", command, value, &text);
}

static void check(const char *command, const char *value, int err, const char *want)
{
	tap_context("%s %s", command, value);
	tap_equal(input(command, value), err);
	if (!tap_check(!strcmp(asked, want)))
		printf("# asked: %s", asked);
}

static void pressed_is_by_the_first_that_is_used(void)
{
	virtio_says = 0;
	check("key", "30 1", 0, "virtio key 30 1\n");
	check("key", "KEY_ESC 1 KEY_BACK", 0, "virtio key 1 1\n");
	check("touch", "5 6 1", 0, "virtio touch 5 6 1\n");
	/* If virtio has a driver, but no room, the key is not sent elsewhere. */
	virtio_says = -ENOBUFS;
	check("key", "30 1", -ENOBUFS, "virtio key 30 1\n");
}

static void without_a_driver_it_is_goldfish_events(void)
{
	virtio_says = -ENODEV;
	check("key", "30 1", 0, "virtio key 30 1\nsend 1:30:1 0:0:0\n");
	check("key", "KEY_ESC 1 KEY_BACK", 0, "virtio key 1 1\nsend 1:158:1 0:0:0\n");
	check("touch", "5 6 1", 0, "virtio touch 5 6 1\nmouse 5 6 0 1\n");
	events_say = -EINVAL;
	check("touch", "5 6 1", -EINVAL, "virtio touch 5 6 1\nmouse 5 6 0 1\n");
	events_say = 0;
}

/* A guest with virtio devices may not read goldfish events, and their queue would fill. */
static void released_is_where_it_was_pressed(void)
{
	virtio_says = 0;
	/* The finger of the previous case. */
	tap_equal(input("touch", "5 6 0"), 0);
	check("key", "31 1", 0, "virtio key 31 1\n");
	check("key", "31 0", 0, "virtio key 31 0\n");
	check("touch", "5 6 1", 0, "virtio touch 5 6 1\n");
	check("touch", "5 6 0", 0, "virtio touch 5 6 0\n");
	/* The driver of virtio starts while the key is held, and the finger is down. */
	virtio_says = -ENODEV;
	check("key", "32 1", 0, "virtio key 32 1\nsend 1:32:1 0:0:0\n");
	check("touch", "5 6 1", 0, "virtio touch 5 6 1\nmouse 5 6 0 1\n");
	virtio_says = 0;
	events_say = -ENOBUFS;
	check("key", "31 0", 0, "virtio key 31 0\n");
	check("key", "32 0", 0, "virtio key 32 0\nsend 1:32:0 0:0:0\n");
	check("key", "32 0", 0, "virtio key 32 0\n");
	check("touch", "5 6 0", 0, "virtio touch 5 6 0\nmouse 5 6 0 0\n");
	check("touch", "5 6 0", 0, "virtio touch 5 6 0\n");
	events_say = 0;
	/* Without a virtio device it goes to goldfish events only. */
	virtio_says = -ENOENT;
	check("key", "33 0", 0, "virtio key 33 0\nsend 1:33:0 0:0:0\n");
}

static void a_guest_may_have_none(void)
{
	vm.board.devices = 0;
	check("key", "30 1", -ENODEV, "");
	check("touch", "5 6 0", -ENODEV, "");
	vm.board.devices = 2;
}

static void what_is_no_key_reaches_nobody(void)
{
	static const char *const wrong[] = {
		"", "30", "30 2", "30 10", "KEY_NOTHING 1", "30 1 KEY_NOTHING", "0 1", "768 1",
		"30 1 30 junk", "30 1 30 0",
	};
	unsigned int i;

	virtio_says = 0;
	for (i = 0; i < ARRAY_SIZE(wrong); i++)
		check("key", wrong[i], -EINVAL, "");
	tap_equal(input("key", NULL), -EINVAL);
	tap_equal(input("touch", NULL), -EINVAL);
	check("touch", "1 2", -EINVAL, "");
	check("touch", "1 2 2", -EINVAL, "");
	check("touch", "1 2 1 x", -EINVAL, "");
	check("turn", "1", -ENOENT, "");
	tap_equal(vmm_board_input(&vm, "inputs", "key", "30 1", NULL), -ENOENT);
}

static const struct tap_case cases[] = {
	{ "what is pressed goes to the virtio device that is used",
	  pressed_is_by_the_first_that_is_used },
	{ "without a driver of that it goes to goldfish events",
	  without_a_driver_it_is_goldfish_events },
	{ "what is released goes where it was pressed", released_is_where_it_was_pressed },
	{ "a guest may have none of them", a_guest_may_have_none },
	{ "what is no key and no place reaches nobody", what_is_no_key_reaches_nobody },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
