// SPDX-License-Identifier: GPL-2.0-only
/*
 * Goldfish events: keys, switches, a touch screen and a trackball behind a queue of
 * words; and goldfish rotary, a wheel behind the same registers. A report of events gets
 * into the queue whole, or it is dropped and counted; then the guest is told later what
 * it has missed (input_state.h).
 *
 * The reference raises its line in pulses and keeps its queue's state over a reset of
 * the guest. Here the line is high while events wait for a guest that has asked for
 * them, and a reset is a power-on.
 *
 * Source: platform_external_qemu hw/input/goldfish_events.c (f4c508082aaa) and
 * goldfish_events_common.c (dfad4742f244) for registers, pages and what is in them;
 * goldfish_rotary.c (3be571f136f7) for the wheel's.
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "devices/devices.h"
#include "devices/goldfish.h"
#include "devices/input_names.h"

#define REG_READ	0x00	/* read: the next word; write: the page */
#define REG_LEN		0x04
#define REG_DATA	0x08

#define PAGE_NAME	0x00000
#define PAGE_BITS	0x10000
#define PAGE_LIMITS	(0x20000 | EV_ABS)

#define EVENT_WORDS	3

#define SLOT_MAX	(VMM_INPUT_FINGERS - 1)
#define TOOL_MAX	0x0f
#define ANGLE_MAX	90
#define PRESSURE_MAX	0x400
#define SIZE_MAX_BITS	0x7fffffff

/* Android's meanings of these numbers. */
#define KEY_SOFT1		229
#define KEY_SOFT2		230
#define KEY_CENTER		232	/* of a directional pad */
#define KEY_STEM_PRIMARY	264	/* the first of four */

/* Keys that every device of the family has. */
static const u16 keys_always[] = {
	KEY_HOME, KEY_BACK, KEY_SEND, KEY_END, KEY_SOFT1, KEY_SOFT2, KEY_VOLUMEUP,
	KEY_VOLUMEDOWN, KEY_POWER, KEY_SEARCH, KEY_SLEEP, KEY_APPSELECT, KEY_STEM_PRIMARY,
	KEY_STEM_PRIMARY + 1, KEY_STEM_PRIMARY + 2, KEY_STEM_PRIMARY + 3,
};

static const u16 keys_dpad[] = { KEY_DOWN, KEY_UP, KEY_LEFT, KEY_RIGHT, KEY_CENTER };

static void bit_set(struct vmm_events *events, unsigned int type, unsigned int code)
{
	events->bits[type][code / 8] |= 1 << code % 8;
	if (type)
		bit_set(events, 0, type);
}

static void bits_set(struct vmm_events *events, unsigned int type, const u16 *codes,
		     size_t count)
{
	while (count--)
		bit_set(events, type, *codes++);
}

static void axis_set(struct vmm_events *events, unsigned int axis, u32 max)
{
	bit_set(events, EV_ABS, axis);
	events->limits[axis][1] = htole32(max);
}

static void parts_keys(struct vmm_events *events)
{
	unsigned int code;

	bits_set(events, EV_KEY, keys_always, ARRAY_SIZE(keys_always));
	for (code = 1; events->parts.keyboard && code <= 0xff; code++)
		bit_set(events, EV_KEY, code);
	for (code = 0x160; events->parts.keyboard && code <= 0x1ff; code++)
		bit_set(events, EV_KEY, code);
	events->bits[EV_KEY][KEY_CENTER / 8] &= ~(1 << KEY_CENTER % 8);
	if (events->parts.dpad)
		bits_set(events, EV_KEY, keys_dpad, ARRAY_SIZE(keys_dpad));
}

static void parts_touch(struct vmm_events *events)
{
	axis_set(events, ABS_X, VMM_EVENTS_AXIS_MAX);
	axis_set(events, ABS_Y, VMM_EVENTS_AXIS_MAX);
	axis_set(events, ABS_Z, 1);
	events->axes = 3;
	if (events->parts.touch == VMM_TOUCH_SINGLE) {
		bit_set(events, EV_KEY, BTN_TOUCH);
		return;
	}
	bit_set(events, EV_KEY, BTN_TOOL_RUBBER);
	bit_set(events, EV_KEY, BTN_STYLUS);
	axis_set(events, ABS_MT_SLOT, SLOT_MAX);
	axis_set(events, ABS_MT_TOUCH_MAJOR, SIZE_MAX_BITS);
	axis_set(events, ABS_MT_TOUCH_MINOR, SIZE_MAX_BITS);
	axis_set(events, ABS_MT_ORIENTATION, ANGLE_MAX);
	axis_set(events, ABS_MT_POSITION_X, VMM_EVENTS_AXIS_MAX);
	axis_set(events, ABS_MT_POSITION_Y, VMM_EVENTS_AXIS_MAX);
	axis_set(events, ABS_MT_TOOL_TYPE, TOOL_MAX);
	axis_set(events, ABS_MT_TRACKING_ID, SLOT_MAX + 1);
	axis_set(events, ABS_MT_PRESSURE, PRESSURE_MAX);
	events->axes = ABS_MAX;
}

/* A type without codes is told of as well: keys, of which there are none. */
static void parts_wheel(struct vmm_events *events)
{
	events->bits[0][0] = 1 << EV_KEY;
	bit_set(events, EV_REL, REL_WHEEL);
}

/* What is pressed by hand. */
static void parts_hand(struct vmm_events *events)
{
	const struct vmm_events_parts *parts = &events->parts;

	parts_keys(events);
	if (parts->trackball) {
		bit_set(events, EV_KEY, BTN_MOUSE);
		bit_set(events, EV_REL, REL_X);
		bit_set(events, EV_REL, REL_Y);
	}
	if (parts->touch != VMM_TOUCH_NONE)
		parts_touch(events);
	bit_set(events, EV_SW, SW_HEADPHONE_INSERT);
	bit_set(events, EV_SW, SW_MICROPHONE_INSERT);
}

/**
 * vmm_events_init - make keys and a screen that nobody touches
 * @events: its callbacks must be set, all else is zero
 * @parts: what there is
 */
void vmm_events_init(struct vmm_events *events, const struct vmm_events_parts *parts)
{
	pthread_mutex_init(&events->lock, NULL);
	events->parts = *parts;
	if (parts->wheel)
		parts_wheel(events);
	else
		parts_hand(events);
	vmm_input_state_init(&events->guest);
	vmm_input_state_init(&events->real);
}

static void events_update_locked(struct vmm_events *events)
{
	bool level = events->live && events->count;

	if (level == events->level)
		return;
	events->level = level;
	events->irq(events->arg, level);
}

/**
 * vmm_events_reset - put what the guest knows into its reset state
 * @events: the device; keys that are held and fingers that are down stay so
 */
void vmm_events_reset(struct vmm_events *events)
{
	pthread_mutex_lock(&events->lock);
	events->page = 0;
	events->live = false;
	events->count = 0;
	vmm_input_state_init(&events->guest);
	events->behind = true;
	events_update_locked(events);
	pthread_mutex_unlock(&events->lock);
}

static void word_add_locked(struct vmm_events *events, u32 word)
{
	events->words[(events->head + events->count++) % VMM_EVENTS_WORDS] = word;
}

/* All of a report or nothing. */
static bool queue_locked(struct vmm_events *events, const struct virtio_input_event *list,
			 unsigned int count)
{
	unsigned int i;

	if (count * EVENT_WORDS > VMM_EVENTS_WORDS - events->count)
		return false;
	for (i = 0; i < count; i++) {
		word_add_locked(events, le16toh(list[i].type));
		word_add_locked(events, le16toh(list[i].code));
		word_add_locked(events, le32toh(list[i].value));
	}
	vmm_input_state_apply(&events->guest, list, count);
	return true;
}

/* Tells the guest what it has missed, as far as there is room. */
static void repair_locked(struct vmm_events *events)
{
	struct virtio_input_event list[VMM_INPUT_REPAIR];
	unsigned int count;

	while (events->behind) {
		count = vmm_input_repair(&events->guest, &events->real, list);
		if (count && !queue_locked(events, list, count))
			return;
		events->behind = count;
	}
}

/**
 * vmm_events_report - something was pressed, released or moved
 * @events: the device
 * @list: what, in order
 * @count: how many
 *
 * Context: any thread.
 * Return: whether the guest gets it; if not, it was counted
 */
bool vmm_events_report(struct vmm_events *events, const struct virtio_input_event *list,
		       unsigned int count)
{
	bool told;

	pthread_mutex_lock(&events->lock);
	repair_locked(events);
	told = !events->behind && queue_locked(events, list, count);
	vmm_input_state_apply(&events->real, list, count);
	events->behind = !told;
	events->lost += !told;
	events_update_locked(events);
	pthread_mutex_unlock(&events->lock);
	return told;
}

static bool finger_report(struct vmm_events *events, u32 x, u32 y, bool pressed)
{
	struct virtio_input_event list[7];
	unsigned int n = 0;
	bool down;
	s32 id;

	pthread_mutex_lock(&events->lock);
	down = events->real.finger[0].id >= 0;
	id = pressed && !down ? (s32)(events->touches++ % (SLOT_MAX + 1)) : -1;
	pthread_mutex_unlock(&events->lock);
	if (!pressed && !down)
		return true;
	list[n++] = vmm_input_event(EV_ABS, ABS_MT_SLOT, 0);
	if (pressed != down)
		list[n++] = vmm_input_event(EV_ABS, ABS_MT_TRACKING_ID, id);
	if (pressed) {
		list[n++] = vmm_input_event(EV_ABS, ABS_MT_POSITION_X, x);
		list[n++] = vmm_input_event(EV_ABS, ABS_MT_POSITION_Y, y);
		list[n++] = vmm_input_event(EV_ABS, ABS_MT_PRESSURE, PRESSURE_MAX);
	}
	list[n++] = vmm_input_event(EV_SYN, SYN_REPORT, 0);
	return vmm_events_report(events, list, n);
}

/**
 * vmm_events_pointer - a finger, or a mouse in place of one, is somewhere
 * @events: the device
 * @x: where, 0 to VMM_EVENTS_AXIS_MAX from the left
 * @y: the same from the top
 * @pressed: it touches the screen
 *
 * Context: main thread.
 * Return: whether the guest gets it, if it is to know it at all
 */
bool vmm_events_pointer(struct vmm_events *events, u32 x, u32 y, bool pressed)
{
	const struct virtio_input_event list[] = {
		vmm_input_event(EV_ABS, ABS_X, x), vmm_input_event(EV_ABS, ABS_Y, y),
		vmm_input_event(EV_ABS, ABS_Z, 0), vmm_input_event(EV_KEY, BTN_TOUCH, pressed),
		vmm_input_event(EV_SYN, SYN_REPORT, 0),
	};

	switch (events->parts.touch) {
	case VMM_TOUCH_MULTI:
		return finger_report(events, x, y, pressed);
	case VMM_TOUCH_SINGLE:
		return vmm_events_report(events, list, ARRAY_SIZE(list));
	default:
		return false;
	}
}

/**
 * vmm_events_roll - the trackball was moved
 * @events: the device
 * @x: how far to the right
 * @y: how far down
 *
 * Return: whether the guest gets it
 */
bool vmm_events_roll(struct vmm_events *events, s32 x, s32 y)
{
	const struct virtio_input_event list[] = {
		vmm_input_event(EV_REL, REL_X, x), vmm_input_event(EV_REL, REL_Y, y),
		vmm_input_event(EV_SYN, SYN_REPORT, 0),
	};

	return events->parts.trackball && vmm_events_report(events, list, ARRAY_SIZE(list));
}

/* ---- what the guest reads ---- */

static u32 pop_locked(struct vmm_events *events)
{
	u32 word;

	if (!events->count)
		return 0;
	word = events->words[events->head];
	events->head = (events->head + 1) % VMM_EVENTS_WORDS;
	events->count--;
	repair_locked(events);
	events_update_locked(events);
	return word;
}

/* Up to the last byte that has a bit. */
static u32 bits_len(const u8 bits[KEY_CNT / 8])
{
	u32 len = KEY_CNT / 8;

	while (len && !bits[len - 1])
		len--;
	return len;
}

/* The bytes of the page, and how many. */
static const u8 *page_locked(const struct vmm_events *events, u32 *len)
{
	u32 type = events->page - PAGE_BITS;

	if (events->page == PAGE_NAME) {
		const char *name = events->parts.wheel ? "goldfish_rotary" : "qwerty2";

		*len = strlen(name);
		return (const u8 *)name;
	}
	if (events->page == PAGE_LIMITS) {
		*len = events->axes * sizeof(events->limits[0]);
		return (const u8 *)events->limits;
	}
	if (events->page >= PAGE_BITS && type < EV_CNT) {
		*len = bits_len(events->bits[type]);
		return events->bits[type];
	}
	*len = 0;
	return NULL;
}

static u64 data_locked(const struct vmm_events *events, u32 index, unsigned int len)
{
	u32 size;
	const u8 *bytes = page_locked(events, &size);
	u64 value = 0;
	unsigned int i;

	for (i = 0; i < len && index + i < size; i++)
		value |= (u64)bytes[index + i] << 8 * i;
	return value;
}

static u64 read_locked(struct vmm_events *events, u32 offset, unsigned int len)
{
	u32 size;

	if (offset >= REG_DATA)
		return data_locked(events, offset - REG_DATA, len);
	if (offset == REG_READ)
		return pop_locked(events);
	if (offset != REG_LEN)
		return 0;
	page_locked(events, &size);
	/* Last of all, a driver asks how many limits there are. */
	if (events->page == PAGE_LIMITS && !events->live) {
		events->live = true;
		repair_locked(events);
		events_update_locked(events);
	}
	return size;
}

/**
 * vmm_events_read - answer a guest read
 * @events: the device
 * @offset: byte offset
 * @len: bytes, which matter where the guest reads a page
 *
 * Context: any thread.
 * Return: what is there
 */
u64 vmm_events_read(struct vmm_events *events, u32 offset, unsigned int len)
{
	u64 value;

	pthread_mutex_lock(&events->lock);
	value = read_locked(events, offset, len);
	pthread_mutex_unlock(&events->lock);
	return value;
}

/**
 * vmm_events_write - take a guest write
 * @events: the device
 * @offset: byte offset
 * @value: what was written
 *
 * Context: any thread.
 */
void vmm_events_write(struct vmm_events *events, u32 offset, u32 value)
{
	if (offset != REG_READ)
		return;
	pthread_mutex_lock(&events->lock);
	events->page = value;
	pthread_mutex_unlock(&events->lock);
}

/* ---- the device on the board ---- */

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

/* Fields of the saved state; a number is never used for anything else. */
enum {
	STATE_REGS = 1,	/* page, live, words that wait */
	STATE_WORDS,	/* in the order in which they came, then zeros */
	STATE_KEYS,	/* that the guest believes to be held */
	STATE_FINGERS,	/* likewise, id and place of each, and the slot */
};

#define STATE_VERSION	1
#define STATE_FINGER	(3 * VMM_INPUT_FINGERS + 1)

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
	__le32 words[VMM_EVENTS_WORDS] = { 0 };
	__le32 fingers[STATE_FINGER];
	u8 keys[KEY_CNT / 8];
	__le32 regs[3];
	unsigned int i;
	int err = vmm_state_begin(state, dev->ops->name, STATE_VERSION);

	if (err)
		return err;
	pthread_mutex_lock(&events->lock);
	regs[0] = htole32(events->page);
	regs[1] = htole32(events->live);
	regs[2] = htole32(events->count);
	for (i = 0; i < events->count; i++)
		words[i] = htole32(events->words[(events->head + i) % VMM_EVENTS_WORDS]);
	memcpy(keys, events->guest.keys, sizeof(keys));
	fingers_put(&events->guest, fingers);
	pthread_mutex_unlock(&events->lock);
	vmm_state_put(state, STATE_REGS, regs, sizeof(regs));
	vmm_state_put(state, STATE_WORDS, words, sizeof(words));
	vmm_state_put(state, STATE_KEYS, keys, sizeof(keys));
	vmm_state_put(state, STATE_FINGERS, fingers, sizeof(fingers));
	return vmm_state_end(state);
}

static bool state_is_possible(const __le32 regs[3], const struct vmm_input_state *guest)
{
	unsigned int i;

	for (i = 0; i < VMM_INPUT_FINGERS; i++) {
		if (guest->finger[i].id < -1)
			return false;
	}
	return le32toh(regs[1]) <= 1 && le32toh(regs[2]) <= VMM_EVENTS_WORDS &&
	       guest->slot < VMM_INPUT_FINGERS;
}

static int events_load(struct vmm_device *dev, struct vmm_state *state)
{
	struct vmm_events *events = dev->state;
	__le32 words[VMM_EVENTS_WORDS];
	__le32 fingers[STATE_FINGER];
	struct vmm_input_state guest;
	__le32 regs[3];
	unsigned int i;
	int err = vmm_state_open(state, dev->ops->name, STATE_VERSION);

	if (err < 0)
		return err;
	vmm_state_get(state, STATE_REGS, regs, sizeof(regs));
	vmm_state_get(state, STATE_WORDS, words, sizeof(words));
	vmm_state_get(state, STATE_KEYS, guest.keys, sizeof(guest.keys));
	vmm_state_get(state, STATE_FINGERS, fingers, sizeof(fingers));
	err = vmm_state_close(state);
	if (err)
		return err;
	fingers_get(&guest, fingers);
	if (!state_is_possible(regs, &guest))
		return -EINVAL;
	pthread_mutex_lock(&events->lock);
	events->page = le32toh(regs[0]);
	events->live = le32toh(regs[1]);
	events->count = le32toh(regs[2]);
	events->head = 0;
	for (i = 0; i < VMM_EVENTS_WORDS; i++)
		events->words[i] = le32toh(words[i]);
	events->guest = guest;
	events->behind = true;
	events_update_locked(events);
	pthread_mutex_unlock(&events->lock);
	return 0;
}

static void events_describe(const struct vmm_device *dev, struct vmm_visitor *visitor)
{
	/* A hyphen where the others have an underscore: guest ABI. */
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

/* "TYPE:CODE:VALUE ..." is one report, whose end the user has to say. */
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

/* All of the text or, if there is a character that no key writes, nothing of it. */
static int events_run_text(struct vmm_device *dev, const char *arg, struct vmm_text *text)
{
	struct virtio_input_event list[VMM_INPUT_TYPED];
	struct vmm_events *events = dev->state;
	const char *at;
	int count;

	if (!events->parts.keyboard || !arg) {
		vmm_text_add(text, arg ? "the guest has no keyboard" : "a text is needed");
		return -EINVAL;
	}
	for (at = arg; *at;) {
		if (vmm_input_typed(&at, list) < 0) {
			vmm_text_add(text, "no key writes one of these characters");
			return -EINVAL;
		}
	}
	for (at = arg; *at;) {
		count = vmm_input_typed(&at, list);
		if (!vmm_events_report(events, list, count))
			return sent(false, text);
	}
	return 0;
}

/* From pixels of the screen to the units of the axes. */
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

/** Keys and the touch screen. */
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

/** A wheel. */
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
