// SPDX-License-Identifier: GPL-2.0-only
/*
 * Goldfish events: keys, switches, a touch screen and a trackball behind a queue of words;
 * and goldfish rotary, a wheel behind the same registers. A report of events is queued as a
 * whole, or dropped and counted; then later reports bring the guest up to date
 * (input_state.h).
 *
 * The reference raises its line in pulses and keeps its queue over a reset of the guest.
 * Here the line is high while events are queued and the guest has enabled them, and a reset
 * is a power-on.
 *
 * Source: platform_external_qemu hw/input/goldfish_events.c (f4c508082aaa) and
 * goldfish_events_common.c (dfad4742f244) for registers, pages and their content;
 * goldfish_rotary.c (3be571f136f7) for the wheel's.
 */
#include <endian.h>
#include <string.h>

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

/* Keys that every device has. */
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

/* The driver also sees the key type, which has no codes here. */
static void parts_wheel(struct vmm_events *events)
{
	events->bits[0][0] = 1 << EV_KEY;
	bit_set(events, EV_REL, REL_WHEEL);
}

/* Adds keys, the touch screen and the trackball. */
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
 * vmm_events_init - initialise a device with no key pressed and no finger down
 * @events: callbacks are set, all other members are zero
 * @parts: the input devices that the guest gets
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

/**
 * vmm_events_update_locked - update the line after the queue has changed
 * @events: the device
 *
 * Context: with the device's lock held.
 */
void vmm_events_update_locked(struct vmm_events *events)
{
	bool level = events->live && events->count;

	if (level == events->level)
		return;
	events->level = level;
	events->irq(events->arg, level);
}

/**
 * vmm_events_reset - clear the queue and the guest's view, as at power-on
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
	vmm_events_update_locked(events);
	pthread_mutex_unlock(&events->lock);
}

static void word_add_locked(struct vmm_events *events, u32 word)
{
	events->words[(events->head + events->count++) % VMM_EVENTS_WORDS] = word;
}

/* Queues all events of a report, or none. */
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

/* Queues reports that correct the guest's view, as far as there is room. */
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
 * vmm_events_report - report input events
 * @events: the device
 * @list: the events, in order
 * @count: how many
 *
 * Context: any thread.
 * Return: whether the report was queued; if not, it was counted as lost
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
	vmm_events_update_locked(events);
	pthread_mutex_unlock(&events->lock);
	return told;
}

/**
 * vmm_events_room - check whether events fit into the queue
 * @events: the device
 * @count: events, of one report or several
 *
 * Context: any thread. The result is valid until the next report.
 * Return: whether all of them fit
 */
bool vmm_events_room(struct vmm_events *events, unsigned int count)
{
	bool room;

	pthread_mutex_lock(&events->lock);
	repair_locked(events);
	room = !events->behind && count <= (VMM_EVENTS_WORDS - events->count) / EVENT_WORDS;
	vmm_events_update_locked(events);
	pthread_mutex_unlock(&events->lock);
	return room;
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
 * vmm_events_pointer - report the position of a finger
 * @events: the device
 * @x: where, 0 to VMM_EVENTS_AXIS_MAX from the left
 * @y: the same from the top
 * @pressed: it touches the screen
 *
 * Context: main thread.
 * Return: whether the report was queued, or none was needed
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
 * vmm_events_roll - report a movement of the trackball
 * @events: the device
 * @x: how far to the right
 * @y: how far down
 *
 * Return: whether the report was queued
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
	vmm_events_update_locked(events);
	return word;
}

/* Length up to the last byte that is not zero. */
static u32 bits_len(const u8 bits[KEY_CNT / 8])
{
	u32 len = KEY_CNT / 8;

	while (len && !bits[len - 1])
		len--;
	return len;
}

/* Returns the bytes of the selected page, and their number in @len. */
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
	/* A driver reads the number of limits last. */
	if (events->page == PAGE_LIMITS && !events->live) {
		events->live = true;
		repair_locked(events);
		vmm_events_update_locked(events);
	}
	return size;
}

/**
 * vmm_events_read - answer a guest read
 * @events: the device
 * @offset: byte offset
 * @len: bytes of the access; matters for pages only
 *
 * Context: any thread.
 * Return: the bytes
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
