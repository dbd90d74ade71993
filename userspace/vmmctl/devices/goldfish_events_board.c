// SPDX-License-Identifier: GPL-2.0-only
/*
 * Goldfish events and goldfish rotary on a board: the models of goldfish_events.c with a
 * saved state, and with commands that press, touch and turn.
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/devices.h"
#include "devices/goldfish.h"
#include "devices/input_names.h"

static int parts_create(struct vmm_device *dev, const struct vmm_events_parts *parts)
{
	struct vmm_events *events = calloc(1, sizeof(*events));

	if (!events)
		return vmm_error(ENOMEM, "%s", dev->ops->name);
	events->irq = vmm_device_irq;
	events->arg = dev;
	vmm_events_init(events, parts);
	dev->state = events;
	return 0;
}

static int events_create(struct vmm_device *dev)
{
	const struct vmm_config *cfg = dev->vm->cfg;
	const struct vmm_events_parts parts = {
		.keyboard = cfg->hw_keyboard, .dpad = cfg->hw_dpad,
		.trackball = cfg->hw_trackball, .touch = cfg->hw_touch,
	};

	return parts_create(dev, &parts);
}

static int rotary_create(struct vmm_device *dev)
{
	return parts_create(dev, &(struct vmm_events_parts){ .wheel = true });
}

static void events_reset(struct vmm_device *dev)
{
	vmm_events_reset(dev->state);
}

static void events_destroy(struct vmm_device *dev)
{
	struct vmm_events *events = dev->state;

	pthread_mutex_destroy(&events->lock);
	free(events);
}

static u64 events_read(struct vmm_device *dev, u64 offset, unsigned int len)
{
	return vmm_events_read(dev->state, offset, len);
}

static void events_write(struct vmm_device *dev, u64 offset, u64 value, unsigned int len)
{
	(void)len;
	vmm_events_write(dev->state, offset, value);
}

/* Fields of the saved state; a number is never reused. */
enum {
	STATE_REGS = 1,	/* page, live, number of queued words */
	STATE_WORDS,	/* queued words, oldest first; version 1 pads with zeros */
	STATE_KEYS,	/* keys that the guest takes for held */
	STATE_FINGERS,	/* the guest's view: ID and position of each, and the slot */
	STATE_SWITCHES,	/* that the guest takes for on; from version 2 on */
};

#define STATE_VERSION	2
#define STATE_FINGER	(3 * VMM_INPUT_FINGERS + 1)
#define WORDS_1		3072	/* fixed number of words in version 1 */

static void fingers_put(const struct vmm_input_state *state, __le32 saved[STATE_FINGER])
{
	unsigned int i;

	for (i = 0; i < VMM_INPUT_FINGERS; i++) {
		*saved++ = htole32(state->finger[i].id);
		*saved++ = htole32(state->finger[i].x);
		*saved++ = htole32(state->finger[i].y);
	}
	*saved = htole32(state->slot);
}

static void fingers_get(struct vmm_input_state *state, const __le32 saved[STATE_FINGER])
{
	unsigned int i;

	for (i = 0; i < VMM_INPUT_FINGERS; i++) {
		state->finger[i].id = le32toh(*saved++);
		state->finger[i].x = le32toh(*saved++);
		state->finger[i].y = le32toh(*saved++);
	}
	state->slot = le32toh(*saved);
}

static int events_save(struct vmm_device *dev, struct vmm_state *state)
{
	struct vmm_events *events = dev->state;
	__le32 *words = malloc(sizeof(events->words));
	__le32 fingers[STATE_FINGER];
	struct vmm_input_state guest;
	__le32 regs[3];
	__le32 switches;
	unsigned int i;
	int err = words ? vmm_state_begin(state, dev->ops->name, STATE_VERSION) : -ENOMEM;

	if (err) {
		free(words);
		return err;
	}
	pthread_mutex_lock(&events->lock);
	regs[0] = htole32(events->page);
	regs[1] = htole32(events->live);
	regs[2] = htole32(events->count);
	for (i = 0; i < events->count; i++)
		words[i] = htole32(events->words[(events->head + i) % VMM_EVENTS_WORDS]);
	guest = events->guest;
	pthread_mutex_unlock(&events->lock);
	fingers_put(&guest, fingers);
	switches = htole32(guest.switches);
	vmm_state_put(state, STATE_REGS, regs, sizeof(regs));
	vmm_state_put(state, STATE_WORDS, words, i * sizeof(*words));
	vmm_state_put(state, STATE_KEYS, guest.keys, sizeof(guest.keys));
	vmm_state_put(state, STATE_FINGERS, fingers, sizeof(fingers));
	vmm_state_put(state, STATE_SWITCHES, &switches, sizeof(switches));
	free(words);
	return vmm_state_end(state);
}

/**
 * struct saved_events - a saved state that was read
 * @version: of its fields
 * @regs: page, live, number of queued words
 * @words: the queued words, in the blob, not aligned
 * @len: bytes of @words
 * @guest: the guest's view of keys, switches and fingers
 */
struct saved_events {
	int version;
	__le32 regs[3];
	const u8 *words;
	u32 len;
	struct vmm_input_state guest;
};

static int saved_read(struct saved_events *saved, struct vmm_state *state)
{
	__le32 fingers[STATE_FINGER];
	__le32 switches = 0;

	vmm_state_get(state, STATE_REGS, saved->regs, sizeof(saved->regs));
	saved->words = vmm_state_get_any(state, STATE_WORDS, &saved->len);
	vmm_state_get(state, STATE_KEYS, saved->guest.keys, sizeof(saved->guest.keys));
	vmm_state_get(state, STATE_FINGERS, fingers, sizeof(fingers));
	if (saved->version > 1)
		vmm_state_get(state, STATE_SWITCHES, &switches, sizeof(switches));
	fingers_get(&saved->guest, fingers);
	saved->guest.switches = le32toh(switches);
	return vmm_state_close(state);
}

static bool saved_is_possible(const struct saved_events *saved)
{
	u32 count = le32toh(saved->regs[2]);

	if (!vmm_input_state_is_possible(&saved->guest) || le32toh(saved->regs[1]) > 1)
		return false;
	if (saved->version == 1)
		return count <= WORDS_1 && saved->len == WORDS_1 * sizeof(__le32);
	return count <= VMM_EVENTS_WORDS && saved->len == count * sizeof(__le32);
}

static int events_load(struct vmm_device *dev, struct vmm_state *state)
{
	struct vmm_events *events = dev->state;
	struct saved_events saved = {
		.version = vmm_state_open(state, dev->ops->name, STATE_VERSION),
	};
	__le32 word;
	unsigned int i;
	int err;

	if (saved.version < 0)
		return saved.version;
	err = saved_read(&saved, state);
	if (err)
		return err;
	if (!saved_is_possible(&saved))
		return -EINVAL;
	pthread_mutex_lock(&events->lock);
	events->page = le32toh(saved.regs[0]);
	events->live = le32toh(saved.regs[1]);
	events->count = le32toh(saved.regs[2]);
	events->head = 0;
	for (i = 0; i < events->count; i++) {
		memcpy(&word, saved.words + i * sizeof(word), sizeof(word));
		events->words[i] = le32toh(word);
	}
	events->guest = saved.guest;
	events->behind = true;
	vmm_events_update_locked(events);
	pthread_mutex_unlock(&events->lock);
	return 0;
}

static void events_describe(const struct vmm_device *dev, struct vmm_visitor *visitor)
{
	/* The name has a hyphen, unlike other goldfish devices: guest ABI. */
	vmm_goldfish_describe(dev, visitor, (struct vmm_description){
		.node = "goldfish-events",
		.compatible = {
			"google,goldfish-events-keypad", "generic,goldfish-events-keypad",
		},
		.hid = "GFSH0002", .name = "GFEV", .text = "goldfish events",
	});
}

static void rotary_describe(const struct vmm_device *dev, struct vmm_visitor *visitor)
{
	vmm_goldfish_describe(dev, visitor, (struct vmm_description){
		.node = "goldfish_rotary", .compatible = { "google,goldfish-rotary" },
		.hid = "GFSH0008", .name = "GFRO", .text = "goldfish rotary",
	});
}

static void events_stats(struct vmm_device *dev, struct vmm_report *report)
{
	struct vmm_events *events = dev->state;
	u64 lost;

	pthread_mutex_lock(&events->lock);
	lost = events->lost;
	pthread_mutex_unlock(&events->lock);
	vmm_report_add(report, "lost_reports", lost);
}

/* ---- commands ---- */

#define SEND_MAX	64	/* events of a command */

static int sent(bool told, struct vmm_text *text)
{
	if (told)
		return 0;
	vmm_text_add(text, "the guest does not read its events");
	return -ENOBUFS;
}

/* "TYPE:CODE:VALUE ..." is one report; the user gives its end (EV_SYN) as well. */
static int events_run_send(struct vmm_device *dev, const char *arg, struct vmm_text *text)
{
	struct virtio_input_event list[SEND_MAX];
	unsigned int count = 0;
	size_t len;

	for (arg = arg ? arg : ""; *(arg += strspn(arg, " ")); arg += len) {
		len = strcspn(arg, " ");
		if (count == SEND_MAX) {
			vmm_text_add(text, "more than %u events at once", SEND_MAX);
			return -EINVAL;
		}
		if (vmm_input_event_parse(arg, len, &list[count++])) {
			vmm_text_add(text, "\"%.*s\" is not TYPE:CODE:VALUE",
				     (int)(len < 32 ? len : 32), arg);
			return -EINVAL;
		}
	}
	if (count)
		return sent(vmm_events_report(dev->state, list, count), text);
	vmm_text_add(text, "an event is TYPE:CODE:VALUE");
	return -EINVAL;
}

static int events_run_types(struct vmm_device *dev, const char *arg, struct vmm_text *text)
{
	(void)dev;
	(void)arg;
	vmm_input_types(text);
	return 0;
}

static int events_run_codes(struct vmm_device *dev, const char *arg, struct vmm_text *text)
{
	(void)dev;
	if (arg && !vmm_input_codes(arg, text))
		return 0;
	vmm_text_add(text, "a type is needed, as \"types\" lists them");
	return -EINVAL;
}

/* Counts the events that type a text; -EINVAL if no key writes a character. */
static int typed_events(const char *text)
{
	struct virtio_input_event list[VMM_INPUT_TYPED];
	int events = 0;
	int count;

	while (*text) {
		count = vmm_input_typed(&text, list);
		if (count < 0)
			return count;
		events += count;
	}
	return events;
}

/* Checks whether all of the text can be typed now; @text gets the reason if not. */
static int typed_check(struct vmm_events *events, const char *arg, struct vmm_text *text)
{
	int count;

	if (!events->parts.keyboard || !arg) {
		vmm_text_add(text, arg ? "the guest has no keyboard" : "a text is needed");
		return -EINVAL;
	}
	count = typed_events(arg);
	if (count < 0) {
		vmm_text_add(text, "the text has a character that no key writes");
		return count;
	}
	if (count > VMM_EVENTS_QUEUE) {
		vmm_text_add(text, "the text is too long: it needs %d events, and %d fit", count,
			     VMM_EVENTS_QUEUE);
		return -EMSGSIZE;
	}
	return sent(vmm_events_room(events, count), text);
}

/* Types all of the text, or nothing. */
static int events_run_text(struct vmm_device *dev, const char *arg, struct vmm_text *text)
{
	struct virtio_input_event list[VMM_INPUT_TYPED];
	struct vmm_events *events = dev->state;
	int err = typed_check(events, arg, text);

	while (!err && *arg) {
		int count = vmm_input_typed(&arg, list);

		err = sent(vmm_events_report(events, list, count), text);
	}
	return err;
}

/* Converts pixels of the screen to units of the axes. */
static u32 axis_scale(long at, unsigned int size)
{
	if (at < 0 || size < 2)
		return 0;
	if ((unsigned long)at >= size)
		return VMM_EVENTS_AXIS_MAX;
	return (u64)at * VMM_EVENTS_AXIS_MAX / (size - 1);
}

/* "X Y DEVICE BUTTONS": 0 is the screen, 1 the trackball. */
static int events_run_mouse(struct vmm_device *dev, const char *arg, struct vmm_text *text)
{
	const struct vmm_config *cfg = dev->vm->cfg;
	struct vmm_events *events = dev->state;
	int x, y, which, buttons;
	char rest;
	bool told;

	if (!arg || sscanf(arg, "%9d %9d %9d %9d %c", &x, &y, &which, &buttons, &rest) != 4 ||
	    which < 0 || which > 1) {
		vmm_text_add(text, "X Y DEVICE BUTTONS are needed; DEVICE is 0 or 1");
		return -EINVAL;
	}
	if (which ? !events->parts.trackball : events->parts.touch == VMM_TOUCH_NONE) {
		vmm_text_add(text, "the guest has no %s", which ? "trackball" : "touch screen");
		return -EINVAL;
	}
	if (which)
		told = vmm_events_roll(events, x, y);
	else
		told = vmm_events_pointer(events, axis_scale(x, cfg->screen_width),
					  axis_scale(y, cfg->screen_height), buttons & 1);
	return sent(told, text);
}

static int rotary_run_turn(struct vmm_device *dev, const char *arg, struct vmm_text *text)
{
	struct virtio_input_event list[2] = { [1] = vmm_input_event(EV_SYN, SYN_REPORT, 0) };
	char event[64];

	snprintf(event, sizeof(event), "EV_REL:REL_WHEEL:%.32s", arg ? arg : "");
	if (!vmm_input_event_parse(event, strlen(event), &list[0]))
		return sent(vmm_events_report(dev->state, list, ARRAY_SIZE(list)), text);
	vmm_text_add(text, "a number of steps is needed");
	return -EINVAL;
}

static const struct vmm_device_command rotary_commands[] = {
	{ "turn", "STEPS: turn the wheel", rotary_run_turn },
	{ "send", "TYPE:CODE:VALUE...: send events", events_run_send },
	{ }
};

static const struct vmm_device_command events_commands[] = {
	{ "send", "TYPE:CODE:VALUE...: send events", events_run_send },
	{ "types", "list types of events", events_run_types },
	{ "codes", "TYPE: list codes of a type", events_run_codes },
	{ "text", "TEXT: type it", events_run_text },
	{ "mouse", "X Y DEVICE BUTTONS: touch the screen", events_run_mouse },
	{ }
};

/** Goldfish events: keys and the touch screen. */
const struct vmm_device_ops vmm_goldfish_events_ops = {
	.name = "events",
	.create = events_create,
	.reset = events_reset,
	.destroy = events_destroy,
	.read = events_read,
	.write = events_write,
	.pause = vmm_device_nothing,
	.resume = vmm_device_nothing,
	.save = events_save,
	.load = events_load,
	.describe = events_describe,
	.stats = events_stats,
	.commands = events_commands,
};

/** Goldfish rotary: a wheel. */
const struct vmm_device_ops vmm_goldfish_rotary_ops = {
	.name = "rotary",
	.create = rotary_create,
	.reset = events_reset,
	.destroy = events_destroy,
	.read = events_read,
	.write = events_write,
	.pause = vmm_device_nothing,
	.resume = vmm_device_nothing,
	.save = events_save,
	.load = events_load,
	.describe = rotary_describe,
	.stats = events_stats,
	.commands = rotary_commands,
};
