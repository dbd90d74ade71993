// SPDX-License-Identifier: GPL-2.0-only
/*
 * The goldfish events' registers, as a driver uses them; reports without room; and events as text.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "boards/boards.h"
#include "devices/devices.h"
#include "devices/goldfish.h"
#include "devices/input_names.h"
#include "tests/tap.h"

#define READ	0
#define LEN	4
#define DATA	8

static struct {
	bool level;
	unsigned int edges;
} host;

static void on_irq(void *arg, bool level)
{
	(void)arg;
	tap_check(level != host.level);
	host.level = level;
	host.edges++;
}

static const struct vmm_events_parts plain = { .touch = VMM_TOUCH_MULTI };
static const struct vmm_events_parts all = {
	.keyboard = true, .dpad = true, .trackball = true, .touch = VMM_TOUCH_MULTI,
};

static struct vmm_events *events_new(const struct vmm_events_parts *parts)
{
	static struct vmm_events events;

	memset(&host, 0, sizeof(host));
	memset(&events, 0, sizeof(events));
	events.irq = on_irq;
	vmm_events_init(&events, parts);
	return &events;
}

static u32 rd(struct vmm_events *events, u32 offset)
{
	return vmm_events_read(events, offset, 4);
}

static u32 page_len(struct vmm_events *events, u32 page)
{
	vmm_events_write(events, 0, page);
	return rd(events, LEN);
}

/* Reads and writes of the driver's start. */
static void listen(struct vmm_events *events)
{
	page_len(events, 0x20003);
}

static bool report(struct vmm_events *events, u16 type, u16 code, s32 value)
{
	struct virtio_input_event event = vmm_input_event(type, code, value);

	return vmm_events_report(events, &event, 1);
}

static void check_event(struct vmm_events *events, u32 type, u32 code, s32 value)
{
	tap_equal(rd(events, READ), type);
	tap_equal(rd(events, READ), code);
	tap_equal(rd(events, READ), (u32)value);
}

static void check_page(struct vmm_events *events, u32 page, const u8 *bytes, u32 len)
{
	u32 i;

	tap_context("page 0x%x", page);
	tap_equal(page_len(events, page), len);
	for (i = 0; i < len; i++)
		tap_equal(vmm_events_read(events, DATA + i, 1) & 0xff, bytes[i]);
	tap_equal(vmm_events_read(events, DATA + len, 1), 0);
	tap_equal(vmm_events_read(events, DATA + len + 100, 4), 0);
}

/* Bytes of the specification for the reference's defaults. */
static void pages_are_the_references(void)
{
	struct vmm_events *events = events_new(&plain);
	u32 word;

	check_page(events, 0, (const u8 *)"qwerty2", 7);
	check_page(events, 0x10000, (u8[]){ 0x2a }, 1);
	check_page(events, 0x10003, (u8[]){ 7, 0, 0, 0, 0, 0x80, 0xf3, 6 }, 8);
	check_page(events, 0x10005, (u8[]){ 0x14 }, 1);
	check_page(events, 0x10002, NULL, 0);
	check_page(events, 0x10020, NULL, 0);
	check_page(events, 0x20002, NULL, 0);
	check_page(events, ~0U, NULL, 0);
	tap_context("keys");
	tap_equal(page_len(events, 0x10001), 73);
	tap_equal(vmm_events_read(events, DATA + 72, 1) & 0xff, 0x10);
	tap_equal(vmm_events_read(events, DATA + 3, 1) & 0xff, 0);
	tap_equal(vmm_events_read(events, DATA + 14, 4) & 0xff, 0x1c);
	/* Words of the limits, read at any byte offset. */
	tap_context("limits");
	tap_equal(page_len(events, 0x20003), 1008);
	tap_equal(rd(events, DATA + 16 * 0x35), 0);
	tap_equal(rd(events, DATA + 16 * 0x35 + 4), 0x7fff);
	word = rd(events, DATA + 16 * 0x2f + 4);
	tap_equal(word, 9);
	tap_equal(rd(events, DATA + 16 * 0x39 + 4), word + 1);
	tap_equal(rd(events, DATA + 16 * 0x3a + 4), 0x400);
	tap_equal(vmm_events_read(events, DATA + 16 * 0x3a + 5, 1), 4);
}

static void parts_have_their_keys(void)
{
	struct vmm_events *events = events_new(&all);

	tap_equal(page_len(events, 0x10000), 1);
	tap_equal(vmm_events_read(events, DATA, 1), 0x2e);
	tap_equal(page_len(events, 0x10002), 1);
	tap_equal(vmm_events_read(events, DATA, 1), 3);
	tap_equal(page_len(events, 0x10001), 73);
	/* KEY_A is 30, and 0x1ff the last of a keyboard. */
	tap_check(vmm_events_read(events, DATA + 3, 1) & 1 << 6);
	tap_check(vmm_events_read(events, DATA + 63, 1) & 0x80);
	tap_check(vmm_events_read(events, DATA + 232 / 8, 1) & 1);
	events = events_new(&(struct vmm_events_parts){ .keyboard = true });
	page_len(events, 0x10001);
	tap_check(!(vmm_events_read(events, DATA + 232 / 8, 1) & 1));
	tap_equal(page_len(events, 0x20003), 0);
	events = events_new(&(struct vmm_events_parts){ .touch = VMM_TOUCH_SINGLE });
	tap_equal(page_len(events, 0x20003), 48);
	page_len(events, 0x10001);
	tap_check(vmm_events_read(events, DATA + 0x14a / 8, 1) & 1 << (0x14a % 8));
}

/* Bytes of the specification for a wheel; limits are read although it has none. */
static void a_wheel_is_another_device(void)
{
	struct vmm_events *events = events_new(&(struct vmm_events_parts){ .wheel = true });

	check_page(events, 0, (const u8 *)"goldfish_rotary", 15);
	check_page(events, 0x10000, (u8[]){ 6 }, 1);
	check_page(events, 0x10001, NULL, 0);
	check_page(events, 0x10002, (u8[]){ 0, 1 }, 2);
	check_page(events, 0x10005, NULL, 0);
	tap_check(report(events, EV_REL, REL_WHEEL, -1));
	tap_check(!host.level);
	tap_equal(page_len(events, 0x20003), 0);
	tap_check(host.level);
	check_event(events, EV_REL, REL_WHEEL, -1);
	tap_check(!vmm_events_pointer(events, 1, 1, true) && !vmm_events_roll(events, 1, 1));
}

static void events_wait_for_the_driver(void)
{
	struct vmm_events *events = events_new(&plain);

	tap_equal(rd(events, READ), 0);
	tap_check(report(events, EV_KEY, KEY_POWER, 1));
	tap_check(!host.level);
	page_len(events, 0x10001);
	tap_check(!host.level);
	listen(events);
	tap_check(host.level);
	check_event(events, EV_KEY, KEY_POWER, 1);
	tap_check(!host.level);
	tap_equal(rd(events, READ), 0);
	/* The line stays high while words wait: the driver takes one at a time. */
	tap_check(report(events, EV_KEY, KEY_POWER, 0));
	tap_check(report(events, EV_SYN, SYN_REPORT, 0));
	tap_check(host.level);
	check_event(events, EV_KEY, KEY_POWER, 0);
	tap_check(host.level);
	tap_equal(rd(events, READ), 0);
	tap_check(host.level);
	rd(events, READ);
	rd(events, READ);
	tap_check(!host.level);
}

/* If the driver does not read, whole reports are dropped; keys and fingers are right later. */
static void reports_are_kept_whole_or_dropped(void)
{
	struct vmm_events *events = events_new(&all);
	const struct virtio_input_event press[3] = {
		vmm_input_event(EV_KEY, KEY_A, 1), vmm_input_event(EV_KEY, KEY_B, 1),
		vmm_input_event(EV_SYN, SYN_REPORT, 0),
	};
	unsigned int i;

	listen(events);
	for (i = 0; i < VMM_EVENTS_QUEUE - 2; i++)
		tap_check(report(events, EV_REL, REL_X, 1));
	tap_check(!vmm_events_report(events, press, 3));
	tap_equal(events->lost, 1);
	tap_equal(events->count, 3 * (VMM_EVENTS_QUEUE - 2));
	/* Later reports are dropped as well, until the guest has the state of keys. */
	tap_check(!report(events, EV_REL, REL_X, 7));
	tap_equal(events->lost, 2);
	for (i = 0; i < VMM_EVENTS_QUEUE - 2; i++)
		check_event(events, EV_REL, REL_X, 1);
	check_event(events, EV_KEY, KEY_A, 1);
	check_event(events, EV_SYN, 0, 0);
	check_event(events, EV_KEY, KEY_B, 1);
	check_event(events, EV_SYN, 0, 0);
	tap_equal(events->count, 0);
	tap_check(!events->behind && !host.level);
	tap_check(report(events, EV_REL, REL_X, 8));
}

/* The guest gets the current state of a switch, also after lost reports. */
static void switches_are_repaired(void)
{
	struct vmm_events *events = events_new(&plain);
	unsigned int i;

	listen(events);
	tap_check(report(events, EV_SW, SW_HEADPHONE_INSERT, 1));
	check_event(events, EV_SW, SW_HEADPHONE_INSERT, 1);
	for (i = 0; i < VMM_EVENTS_QUEUE; i++)
		tap_check(report(events, EV_SYN, SYN_REPORT, 0));
	tap_check(!report(events, EV_SW, SW_MICROPHONE_INSERT, 1));
	tap_check(!report(events, EV_SW, SW_HEADPHONE_INSERT, 0));
	tap_check(!report(events, EV_SW, 0xffff, 1));
	for (i = 0; i < VMM_EVENTS_QUEUE; i++)
		check_event(events, EV_SYN, SYN_REPORT, 0);
	check_event(events, EV_SW, SW_HEADPHONE_INSERT, 0);
	check_event(events, EV_SYN, SYN_REPORT, 0);
	check_event(events, EV_SW, SW_MICROPHONE_INSERT, 1);
	check_event(events, EV_SYN, SYN_REPORT, 0);
	tap_equal(events->count, 0);
	tap_check(!events->behind);
	/* A headphone stays plugged in over a reset of the guest. */
	vmm_events_reset(events);
	listen(events);
	check_event(events, EV_SW, SW_MICROPHONE_INSERT, 1);
	check_event(events, EV_SYN, SYN_REPORT, 0);
}

static int device_command(struct vmm_device *dev, const char *name, const char *arg,
			  struct vmm_text *text)
{
	const struct vmm_device_command *command = dev->ops->commands;

	while (strcmp(command->name, name))
		command++;
	vmm_text_clear(text);
	return command->run(dev, arg, text);
}

/* A text is typed completely, or not at all. */
static void a_text_is_typed_whole(void)
{
	struct vmm_events *events = events_new(&all);
	struct vmm_device dev = { .ops = &vmm_goldfish_events_ops, .state = events };
	static struct vmm_text text;
	char arg[2048] = "";
	unsigned int i;

	listen(events);
	tap_equal(VMM_EVENTS_QUEUE, 16384 / 3);
	memset(arg, 'a', VMM_EVENTS_QUEUE / 4);
	tap_equal(device_command(&dev, "text", arg, &text), 0);
	tap_equal(events->count, 3 * 4 * (VMM_EVENTS_QUEUE / 4));
	/* The queue has room for one event, and a character needs four. */
	tap_equal(device_command(&dev, "text", "b", &text), -ENOBUFS);
	tap_check(!strcmp(text.bytes, "the guest does not read its events"));
	for (i = 0; i < 4 * 2; i++)
		rd(events, READ), rd(events, READ), rd(events, READ);
	i = events->count;
	tap_equal(device_command(&dev, "text", "bcd", &text), -ENOBUFS);
	tap_equal(device_command(&dev, "text", "b\xe9", &text), -EINVAL);
	tap_equal(events->count, i);
	tap_equal(events->lost, 0);
	tap_equal(device_command(&dev, "text", "bc", &text), 0);
	tap_equal(events->count, i + 3 * 4 * 2);
	/* More than the queue's size. */
	memset(arg, 'a', VMM_EVENTS_QUEUE / 4 + 1);
	events->count = 0;
	tap_equal(device_command(&dev, "text", arg, &text), -EMSGSIZE);
	tap_check(strstr(text.bytes, "too long"));
	tap_equal(events->count, 0);
}

/* Makes a state of version 1: a queue of 1024 events with any content, and no switches. */
static void save_as_version_1(struct vmm_state *state, unsigned int words)
{
	static __le32 queue[3072];
	const __le32 regs[3] = { 0, htole32(1), htole32(words) };
	const u8 keys[KEY_CNT / 8] = { 0 };
	__le32 fingers[31];
	unsigned int i;

	for (i = 0; i < words && i < ARRAY_SIZE(queue); i++)
		queue[i] = htole32(i % 3 ? i : EV_REL);
	memset(fingers, 0xff, sizeof(fingers));
	fingers[30] = 0;
	tap_equal(vmm_state_begin(state, "events", 1), 0);
	vmm_state_put(state, 1, regs, sizeof(regs));
	vmm_state_put(state, 2, queue, sizeof(queue));
	vmm_state_put(state, 3, keys, sizeof(keys));
	vmm_state_put(state, 4, fingers, sizeof(fingers));
	tap_equal(vmm_state_end(state), 0);
}

static void what_waits_is_saved(void)
{
	struct vmm_events *events = events_new(&all);
	struct vmm_device dev = { .ops = &vmm_goldfish_events_ops, .state = events };
	struct vmm_state state = { 0 };
	unsigned int i;

	listen(events);
	tap_check(report(events, EV_SW, SW_HEADPHONE_INSERT, 1));
	check_event(events, EV_SW, SW_HEADPHONE_INSERT, 1);
	for (i = 0; i < VMM_EVENTS_QUEUE; i++)
		tap_check(report(events, EV_REL, REL_X, i));
	tap_equal(dev.ops->save(&dev, &state), 0);
	events_new(&all);
	tap_equal(dev.ops->load(&dev, &state), 0);
	tap_check(host.level);
	for (i = 0; i < VMM_EVENTS_QUEUE; i++)
		check_event(events, EV_REL, REL_X, i);
	/* After the load there is no headphone. */
	check_event(events, EV_SW, SW_HEADPHONE_INSERT, 0);
	check_event(events, EV_SYN, SYN_REPORT, 0);
	tap_check(!host.level);
	/* Fewer words than the count. */
	events->count = 3;
	vmm_state_free(&state);
	tap_equal(dev.ops->save(&dev, &state), 0);
	state.bytes[40 + 8 + 8] = 6;
	tap_equal(dev.ops->load(&dev, &state), -EINVAL);
	vmm_state_free(&state);
}

static void an_older_state_is_loaded(void)
{
	struct vmm_events *events = events_new(&all);
	struct vmm_device dev = { .ops = &vmm_goldfish_events_ops, .state = events };
	struct vmm_state state = { 0 };

	save_as_version_1(&state, 6);
	tap_equal(dev.ops->load(&dev, &state), 0);
	tap_check(host.level);
	check_event(events, EV_REL, 1, 2);
	check_event(events, EV_REL, 4, 5);
	tap_check(!host.level && !events->guest.switches);
	vmm_state_free(&state);
	save_as_version_1(&state, 3072);
	tap_equal(dev.ops->load(&dev, &state), 0);
	vmm_state_free(&state);
	save_as_version_1(&state, 3073);
	tap_equal(dev.ops->load(&dev, &state), -EINVAL);
	vmm_state_free(&state);
}

static void fingers_come_and_go(void)
{
	struct vmm_events *events = events_new(&all);

	listen(events);
	tap_check(vmm_events_pointer(events, 100, 200, false));
	tap_equal(events->count, 0);
	tap_check(vmm_events_pointer(events, 100, 200, true));
	check_event(events, EV_ABS, ABS_MT_SLOT, 0);
	check_event(events, EV_ABS, ABS_MT_TRACKING_ID, 0);
	check_event(events, EV_ABS, ABS_MT_POSITION_X, 100);
	check_event(events, EV_ABS, ABS_MT_POSITION_Y, 200);
	check_event(events, EV_ABS, ABS_MT_PRESSURE, 0x400);
	check_event(events, EV_SYN, 0, 0);
	tap_check(vmm_events_pointer(events, 101, 200, true));
	check_event(events, EV_ABS, ABS_MT_SLOT, 0);
	check_event(events, EV_ABS, ABS_MT_POSITION_X, 101);
	while (events->count)
		rd(events, READ);
	tap_check(vmm_events_pointer(events, 0, 0, false));
	check_event(events, EV_ABS, ABS_MT_SLOT, 0);
	check_event(events, EV_ABS, ABS_MT_TRACKING_ID, -1);
	check_event(events, EV_SYN, 0, 0);
	tap_check(vmm_events_roll(events, -3, 4));
	check_event(events, EV_REL, REL_X, -3);
	check_event(events, EV_REL, REL_Y, 4);
	events = events_new(&(struct vmm_events_parts){ .touch = VMM_TOUCH_SINGLE });
	tap_check(vmm_events_pointer(events, 5, 6, true));
	check_event(events, EV_ABS, ABS_X, 5);
	check_event(events, EV_ABS, ABS_Y, 6);
	check_event(events, EV_ABS, ABS_Z, 0);
	check_event(events, EV_KEY, BTN_TOUCH, 1);
	check_event(events, EV_SYN, 0, 0);
	tap_check(!vmm_events_roll(events, 1, 1));
	tap_check(!vmm_events_pointer(events_new(&(struct vmm_events_parts){ 0 }), 1, 1, true));
}

/* A key that is held over a reset is reported to the new guest. */
static void a_reset_is_a_power_on(void)
{
	struct vmm_events *events = events_new(&all);

	listen(events);
	tap_check(report(events, EV_KEY, KEY_A, 1));
	vmm_events_reset(events);
	tap_check(!host.level);
	tap_equal(rd(events, READ), 0);
	tap_equal(rd(events, LEN), 7);
	listen(events);
	tap_check(host.level);
	check_event(events, EV_KEY, KEY_A, 1);
	check_event(events, EV_SYN, 0, 0);
	tap_check(!host.level);
}

static int parse(const char *text, struct virtio_input_event *event)
{
	return vmm_input_event_parse(text, strlen(text), event);
}

static bool is(const struct virtio_input_event *event, u16 type, u16 code, s32 value)
{
	struct virtio_input_event want = vmm_input_event(type, code, value);

	return !memcmp(event, &want, sizeof(want));
}

static void names_are_understood(void)
{
	static const char *const wrong[] = {
		"", ":", "::", "1:30", "1:30:", "EV_KEY:ABS_X:1", "EV_KEY:KEY_NONE:1", "32:1:1",
		"1:768:1", "1:-1:1", "1:30:1x", "1:30:99999999999", "KEY_A:30:1", "1:30:1:1",
		"EV_NONE:1:1", "+1:30:1",
	};
	struct virtio_input_event event;
	unsigned int i;

	tap_check(!parse("EV_KEY:KEY_A:1", &event) && is(&event, EV_KEY, KEY_A, 1));
	tap_check(!parse("1:30:0", &event) && is(&event, EV_KEY, 30, 0));
	tap_check(!parse("EV_ABS:0x35:-5", &event) && is(&event, EV_ABS, 0x35, -5));
	tap_check(!parse("EV_KEY:BTN_TOUCH:1", &event) && is(&event, EV_KEY, 0x14a, 1));
	tap_check(!parse("EV_SYN:SYN_REPORT:0", &event) && is(&event, 0, 0, 0));
	tap_check(!parse("4:0:4294967", &event));
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		tap_context("%s", wrong[i]);
		tap_equal(parse(wrong[i], &event), -EINVAL);
	}
}

static void names_are_listed(void)
{
	static struct vmm_text text;

	vmm_text_clear(&text);
	vmm_input_types(&text);
	tap_check(strstr(text.bytes, "EV_KEY = 1\n") && strstr(text.bytes, "EV_ABS = 3\n"));
	vmm_text_clear(&text);
	tap_equal(vmm_input_codes("EV_KEY", &text), 0);
	tap_check(strstr(text.bytes, "KEY_A = 30\n") && strstr(text.bytes, "BTN_TOUCH = 330\n"));
	tap_check(!text.cut && !strstr(text.bytes, "ABS_"));
	tap_equal(vmm_input_codes("5", &text), 0);
	tap_check(strstr(text.bytes, "SW_LID = 0\n"));
	tap_equal(vmm_input_codes("EV_FF", &text), 0);
	tap_equal(vmm_input_codes("KEY_A", &text), -EINVAL);
	tap_equal(vmm_input_codes("32", &text), -EINVAL);
}

static void text_is_typed(void)
{
	static const char *const wrong[] = { "\\", "\\q", "\\x1", "\\u12", "\\u00e9", "\xc3\xa9",
					     "\\x00", "\x7f" };
	struct virtio_input_event list[VMM_INPUT_TYPED];
	const char *text = "a%\\n\\u0042";
	unsigned int i;

	tap_equal(vmm_input_typed(&text, list), 4);
	tap_check(is(&list[0], EV_KEY, KEY_A, 1) && is(&list[1], EV_SYN, 0, 0) &&
		  is(&list[2], EV_KEY, KEY_A, 0) && is(&list[3], EV_SYN, 0, 0));
	tap_equal(vmm_input_typed(&text, list), 7);
	tap_check(is(&list[0], EV_KEY, KEY_LEFTSHIFT, 1) && is(&list[2], EV_KEY, KEY_5, 1) &&
		  is(&list[5], EV_KEY, KEY_LEFTSHIFT, 0));
	tap_equal(vmm_input_typed(&text, list), 4);
	tap_check(is(&list[0], EV_KEY, KEY_ENTER, 1));
	tap_equal(vmm_input_typed(&text, list), 7);
	tap_check(is(&list[2], EV_KEY, KEY_B, 1));
	tap_equal(*text, 0);
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		tap_context("%s", wrong[i]);
		text = wrong[i];
		tap_equal(vmm_input_typed(&text, list), -EINVAL);
	}
	/* All printable characters. */
	for (i = ' '; i < 0x7f; i++) {
		char one[3] = { i, i == '\\' ? '\\' : 0, 0 };

		tap_context("%c", i);
		text = one;
		tap_check(vmm_input_typed(&text, list) > 0 && !*text);
	}
}

static const struct tap_case cases[] = {
	{ "pages are the reference's", pages_are_the_references },
	{ "keyboard, pad, trackball and screen have their codes", parts_have_their_keys },
	{ "a wheel is another device", a_wheel_is_another_device },
	{ "events wait for the driver", events_wait_for_the_driver },
	{ "reports are kept whole or dropped and counted", reports_are_kept_whole_or_dropped },
	{ "switches are repaired", switches_are_repaired },
	{ "a text is typed whole or not at all", a_text_is_typed_whole },
	{ "what waits is saved", what_waits_is_saved },
	{ "an older state is loaded", an_older_state_is_loaded },
	{ "fingers come and go", fingers_come_and_go },
	{ "a reset is a power-on", a_reset_is_a_power_on },
	{ "names of events are understood", names_are_understood },
	{ "names of events are listed", names_are_listed },
	{ "text is typed", text_is_typed },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
