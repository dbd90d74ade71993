// SPDX-License-Identifier: GPL-2.0-only
/*
 * The small virtio devices with a driver of the test: a guest that runs out of buffers, and the
 * reports that it gets afterwards. The driver kicks only when the device asks for it.
 */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>
#include <linux/input.h>
#include <linux/sockios.h>
#include <linux/virtio_input.h>
#include <linux/virtio_ring.h>

#include "devices/devices.h"
#include "tests/tap.h"

#define BASE	0x40000000ULL
#define QUEUE	0x100000	/* bytes of RAM for a queue */
#define AVAIL	0x1000
#define USED	0x2000
#define DATA	0x8000
#define NUM	64
#define TRIES	20000		/* of a millisecond */

static struct vmm_config cfg;
static struct vmm_vm vm;
static char dir[64];
static char path[80];
static int listener;
static u8 regs[RANCHU_VIRTIO_MMIO_SIZE] __attribute__((aligned(8)));

/**
 * struct driver - a device and its driver
 * @v: the device
 * @peer: the other end of its connection
 * @event_idx: event indices were negotiated
 * @added: per queue: buffers that were made available
 * @seen: per queue: used buffers that were checked
 */
struct driver {
	struct vmm_virtio *v;
	int peer;
	bool event_idx;
	u16 added[2];
	u16 seen[2];
};

static void *at(unsigned int queue, u64 offset)
{
	return vmm_mem_ptr(&vm.mem, BASE + queue * QUEUE + offset, 1);
}

static u16 *word(unsigned int queue, u64 offset)
{
	return at(queue, offset);
}

static void host_open(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };

	snprintf(dir, sizeof(dir), "/tmp/vmmctl-small-XXXXXX");
	tap_check(mkdtemp(dir));
	snprintf(path, sizeof(path), "%s/sock", dir);
	memcpy(addr.sun_path, path, strlen(path));
	listener = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	tap_check(!bind(listener, (struct sockaddr *)&addr, sizeof(addr)) && !listen(listener, 4));
}

static void host_close(void)
{
	close(listener);
	unlink(path);
	rmdir(dir);
}

static void queue_set_up(struct vmm_virtio *v, unsigned int queue)
{
	vmm_virtio_mmio_write(v, 0x30, queue, 4);
	vmm_virtio_mmio_write(v, 0x38, NUM, 4);
	vmm_virtio_mmio_write(v, 0x80, BASE + queue * QUEUE, 4);
	vmm_virtio_mmio_write(v, 0x90, BASE + queue * QUEUE + AVAIL, 4);
	vmm_virtio_mmio_write(v, 0xa0, BASE + queue * QUEUE + USED, 4);
	vmm_virtio_mmio_write(v, 0x44, 1, 4);
}

/* The driver's part of a start. */
static void driver_begin(struct driver *d)
{
	struct vmm_virtio *v = d->v;

	vmm_virtio_mmio_write(v, 0x70, 3, 4);
	vmm_virtio_mmio_write(v, 0x24, 1, 4);
	vmm_virtio_mmio_write(v, 0x20, 1, 4);
	vmm_virtio_mmio_write(v, 0x24, 0, 4);
	vmm_virtio_mmio_write(v, 0x20, d->event_idx ? 1 << VIRTIO_RING_F_EVENT_IDX : 0, 4);
	vmm_virtio_mmio_write(v, 0x70, 11, 4);
	queue_set_up(v, 0);
	queue_set_up(v, 1);
	vmm_virtio_mmio_write(v, 0x70, 15, 4);
	tap_check(v->running);
}

static bool alone;	/* it is a clone's */

static bool driver_open_by(struct driver *d, const struct vmm_virtio_ops *ops,
			   enum vmm_builtin_kind kind, bool event_idx, bool connects)
{
	struct vmm_virtio *v = calloc(1, sizeof(*v));
	unsigned int i;

	tap_context("%s%s", ops->name, event_idx ? ", event indices" : "");
	cfg = (struct vmm_config){
		.builtins = 1, .builtin = { { .kind = kind, .path = connects || alone ? path : NULL,
				       .alone = alone } },
		.screen_width = 100, .screen_height = 200,
	};
	vm = (struct vmm_vm){ .cfg = &cfg, .fd = -1 };
	vm.loop = vmm_loop_create();
	*d = (struct driver){ .v = v, .event_idx = event_idx };
	if (!tap_check(vm.loop) || !tap_equal(vmm_mem_add(&vm.mem, BASE, 4 * MIB), 0))
		return false;
	vmm_virtio_mmio_idle(regs);
	v->ops = ops;
	v->vm = &vm;
	v->name = ops->name;
	v->queue_max = ops->queue_max;
	v->queues = ops->queues;
	v->regs = regs;
	v->call_fd = vmm_event_create();
	pthread_mutex_init(&v->lock, NULL);
	if (!tap_equal(ops->create(v), 0))
		return false;
	for (i = 0; i < v->queues; i++)
		v->queue[i].kick_fd = vmm_event_create();
	vmm_virtio_mmio_plug(v);
	driver_begin(d);
	d->peer = connects ? accept4(listener, NULL, NULL, SOCK_CLOEXEC) : -1;
	return tap_check(!vmm_threads_start(&vm)) && tap_equal(d->peer >= 0, connects);
}

static bool driver_open(struct driver *d, const struct vmm_virtio_ops *ops,
			enum vmm_builtin_kind kind, bool event_idx)
{
	return driver_open_by(d, ops, kind, event_idx, true);
}

static void driver_close(struct driver *d)
{
	unsigned int i;

	vmm_virtio_mmio_unplug(d->v);
	d->v->ops->destroy(d->v);
	for (i = 0; i < d->v->queues; i++)
		close(d->v->queue[i].kick_fd);
	close(d->v->call_fd);
	if (d->peer >= 0)
		close(d->peer);
	pthread_mutex_destroy(&d->v->lock);
	free(d->v);
	vmm_mem_destroy(&vm.mem);
	vmm_loop_destroy(vm.loop);
}

/* Returns the address of a buffer of a queue. */
static u64 data_at(unsigned int slot)
{
	return DATA + slot * 4096;
}

/* Makes a buffer of @len bytes available, and kicks as Linux' driver does. */
static void give(struct driver *d, unsigned int queue, u32 len, u16 flags)
{
	u16 slot = d->added[queue] % NUM;
	struct vring_desc *desc = at(queue, slot * sizeof(*desc));
	u16 old = d->added[queue]++;
	bool kick;

	*desc = (struct vring_desc){
		.addr = BASE + queue * QUEUE + data_at(slot), .len = len, .flags = flags,
	};
	*word(queue, AVAIL + 4 + 2 * slot) = slot;
	__atomic_store_n(word(queue, AVAIL + 2), d->added[queue], __ATOMIC_SEQ_CST);
	if (d->event_idx)
		kick = vring_need_event(__atomic_load_n(word(queue, USED + 4 + 8 * NUM),
							__ATOMIC_SEQ_CST), d->added[queue], old);
	else
		kick = !(__atomic_load_n(word(queue, USED), __ATOMIC_SEQ_CST) & 1);
	if (kick)
		vmm_event_signal(d->v->queue[queue].kick_fd);
}

static void give_many(struct driver *d, unsigned int count)
{
	while (count--)
		give(d, 0, sizeof(struct virtio_input_event), VRING_DESC_F_WRITE);
}

static unsigned int used(unsigned int queue)
{
	return __atomic_load_n(word(queue, USED + 2), __ATOMIC_ACQUIRE);
}

static bool wait_used(unsigned int queue, unsigned int want)
{
	unsigned int tries;

	for (tries = 0; tries < TRIES && used(queue) < want; tries++)
		usleep(1000);
	return used(queue) >= want;
}

/* Takes the next used buffer; returns its length, or -1 if there is none. */
static int take(struct driver *d, unsigned int queue, void *data, size_t size)
{
	struct vring_used_elem *elem;

	if (d->seen[queue] == used(queue))
		return -1;
	elem = at(queue, USED + 4 + d->seen[queue]++ % NUM * sizeof(*elem));
	if (tap_check(elem->len <= size))
		memcpy(data, at(queue, data_at(elem->id)), elem->len);
	return elem->len;
}

/* ---- input ---- */

static void put(struct virtio_input_event *events, unsigned int *count, u16 type, u16 code,
		u32 value)
{
	events[(*count)++] = (struct virtio_input_event){
		htole16(type), htole16(code), htole32(value),
	};
}

/* Sends events and waits until the device has read them. */
static void say(struct driver *d, const struct virtio_input_event *events, unsigned int count)
{
	unsigned int tries;
	int waiting = 1;

	tap_equal(send(d->peer, events, count * sizeof(*events), 0), count * sizeof(*events));
	for (tries = 0; tries < TRIES && waiting; tries++) {
		usleep(1000);
		tap_check(!ioctl(d->peer, SIOCOUTQ, &waiting));
	}
	tap_equal(waiting, 0);
	/* Allows time for unwanted events; wanted ones are waited for. */
	usleep(20000);
}

static void say_key(struct driver *d, u16 key, u32 value)
{
	struct virtio_input_event events[2];
	unsigned int count = 0;

	put(events, &count, EV_KEY, key, value);
	put(events, &count, EV_SYN, SYN_REPORT, 0);
	say(d, events, count);
}

/* Checks the next event. */
static void want_event(struct driver *d, u16 type, u16 code, u32 value)
{
	struct virtio_input_event event;

	tap_context("type %u, code %u, value %d", type, code, value);
	if (!tap_check(wait_used(0, d->seen[0] + 1)))
		return;
	tap_equal(take(d, 0, &event, sizeof(event)), sizeof(event));
	tap_equal(le16toh(event.type), type);
	tap_equal(le16toh(event.code), code);
	tap_equal(le32toh(event.value), value);
}

static void want_key(struct driver *d, u16 key, u32 value)
{
	want_event(d, EV_KEY, key, value);
	want_event(d, EV_SYN, SYN_REPORT, 0);
}

static u64 counter(struct driver *d, const char *name)
{
	struct vmm_report report = { 0 };
	unsigned int i;

	d->v->ops->stats(d->v, &report);
	for (i = 0; i < report.count; i++) {
		if (!strcmp(report.names[i], name))
			return report.values[i];
	}
	return ~0ULL;
}

static bool wait_counter(struct driver *d, const char *name, u64 want)
{
	unsigned int tries;

	for (tries = 0; tries < TRIES && counter(d, name) < want; tries++)
		usleep(1000);
	return tap_equal(counter(d, name), want);
}

static void key_loss(bool event_idx)
{
	struct driver d;

	if (!driver_open(&d, &vmm_keyboard_ops, VMM_BUILTIN_KEYBOARD, event_idx))
		return;
	give_many(&d, 3);
	say_key(&d, KEY_A, 1);
	want_key(&d, KEY_A, 1);
	/* Room for half a report only: a release, a tap, and a key that stays pressed. */
	say_key(&d, KEY_A, 0);
	say_key(&d, KEY_C, 1);
	say_key(&d, KEY_C, 0);
	say_key(&d, KEY_B, 1);
	tap_check(wait_counter(&d, "keyboard_lost_reports", 4));
	tap_equal(used(0), 2);
	/* Buffers come one by one, with a kick each if the device asks for it. */
	give_many(&d, 1);
	want_key(&d, KEY_A, 0);
	give_many(&d, 1);
	give_many(&d, 1);
	want_key(&d, KEY_B, 1);
	/* Further events, in order. */
	give_many(&d, 4);
	say_key(&d, KEY_B, 0);
	say_key(&d, KEY_D, 1);
	want_key(&d, KEY_B, 0);
	want_key(&d, KEY_D, 1);
	tap_equal(used(0), 10);
	tap_equal(counter(&d, "keyboard_lost_reports"), 4);
	driver_close(&d);
}

static void no_key_stays_stuck(void)
{
	key_loss(false);
	key_loss(true);
}

/* Makes frame @n of ten moving fingers: down in the first, up in the last. */
static unsigned int frame(struct virtio_input_event *events, unsigned int n, unsigned int last)
{
	unsigned int count = 0;
	unsigned int i;

	for (i = 0; i < 10; i++) {
		put(events, &count, EV_ABS, ABS_MT_SLOT, i);
		if (!n || n == last)
			put(events, &count, EV_ABS, ABS_MT_TRACKING_ID, n ? -1 : (int)i + 100);
		if (n == last)
			continue;
		put(events, &count, EV_ABS, ABS_MT_POSITION_X, 1000 + 10 * n + i);
		put(events, &count, EV_ABS, ABS_MT_POSITION_Y, 2000 + 10 * n + i);
	}
	put(events, &count, EV_SYN, SYN_REPORT, 0);
	return count;
}

#define FRAMES	40

/**
 * struct screen - the guest's state of touches
 * @id: by slot, -1 for none
 * @slot: the one that events are about
 */
struct screen {
	s32 id[10];
	unsigned int slot;
};

static void screen_told(struct screen *screen, const struct virtio_input_event *event)
{
	if (event->type != htole16(EV_ABS))
		return;
	if (event->code == htole16(ABS_MT_SLOT))
		screen->slot = le32toh(event->value) % 10;
	if (event->code == htole16(ABS_MT_TRACKING_ID))
		screen->id[screen->slot] = le32toh(event->value);
}

/* Takes events, and returns their buffers, until touches are as wanted. */
static bool becomes(struct driver *d, struct screen *screen, const s32 want[10])
{
	struct virtio_input_event event;
	unsigned int tries;

	for (tries = 0; tries < TRIES; tries++) {
		while (take(d, 0, &event, sizeof(event)) >= 0) {
			give_many(d, 1);
			screen_told(screen, &event);
		}
		if (!memcmp(screen->id, want, sizeof(screen->id)))
			return true;
		usleep(1000);
	}
	return false;
}

static void touch_loss(bool event_idx)
{
	static struct virtio_input_event events[FRAMES * 41];
	s32 want[10] = { -1, -1, -1, -1, -1, -1, -1, -1, -1, -1 };
	struct virtio_input_event seen[NUM];
	struct screen screen = { 0 };
	unsigned int count = 0;
	unsigned int last;
	struct driver d;
	unsigned int i;

	if (!driver_open(&d, &vmm_touch_ops, VMM_BUILTIN_MULTITOUCH, event_idx))
		return;
	give_many(&d, NUM);
	for (i = 0; i < FRAMES; i++)
		count += frame(events + count, i, FRAMES - 1);
	say(&d, events, count);
	/* The first frame has 41 events; there is room for a few more, not for a frame. */
	tap_check(wait_counter(&d, "multitouch_lost_reports", FRAMES - 1));
	last = used(0);
	for (i = 0; i < last; i++) {
		tap_equal(take(&d, 0, &seen[i], sizeof(seen[i])), sizeof(seen[i]));
		screen_told(&screen, &seen[i]);
	}
	tap_check(last >= 41 && !memcmp(seen, events, 41 * sizeof(seen[0])));
	tap_check(!seen[last - 1].type && !seen[last - 1].code);
	give_many(&d, last);
	tap_check(becomes(&d, &screen, want));
	/* The sender has selected the last slot, and continues with it. */
	count = 0;
	put(events, &count, EV_ABS, ABS_MT_TRACKING_ID, 7);
	put(events, &count, EV_SYN, SYN_REPORT, 0);
	say(&d, events, count);
	want[9] = 7;
	tap_check(becomes(&d, &screen, want));
	tap_equal(counter(&d, "multitouch_lost_reports"), FRAMES - 1);
	driver_close(&d);
}

static void no_finger_stays_down(void)
{
	touch_loss(false);
	touch_loss(true);
}

/* Buffers that are too small for an event are returned empty; no event is lost. */
static void useless_buffers_cost_nothing(void)
{
	static const struct {
		u32 len;
		u16 flags;
	} given[] = {
		{ 4, VRING_DESC_F_WRITE }, { 8, 0 }, { 8, VRING_DESC_F_WRITE },
		{ 7, VRING_DESC_F_WRITE }, { 8, VRING_DESC_F_WRITE },
	};
	struct virtio_input_event event;
	struct driver d;
	unsigned int i;

	if (!driver_open(&d, &vmm_keyboard_ops, VMM_BUILTIN_KEYBOARD, true))
		return;
	for (i = 0; i < ARRAY_SIZE(given); i++)
		give(&d, 0, given[i].len, given[i].flags);
	say_key(&d, KEY_A, 1);
	tap_check(wait_used(0, ARRAY_SIZE(given)));
	for (i = 0; i < ARRAY_SIZE(given); i++)
		tap_equal(take(&d, 0, &event, sizeof(event)), i == 2 || i == 4 ? 8 : 0);
	driver_close(&d);
}

/* Of a report with more events than the queue has buffers, the keys' state is kept. */
static void endless_reports_are_bounded(void)
{
	static struct virtio_input_event events[1000];
	struct driver d;
	unsigned int count = 0;
	unsigned int i;

	if (!driver_open(&d, &vmm_keyboard_ops, VMM_BUILTIN_KEYBOARD, true))
		return;
	give_many(&d, NUM);
	for (i = 0; i < ARRAY_SIZE(events) - 1; i++)
		put(events, &count, EV_KEY, 1 + i % 200, i < 200);
	put(events, &count, EV_KEY, KEY_A, 1);
	say(&d, events, count);
	/* New room does not cause half a report. */
	vmm_event_signal(d.v->queue[0].kick_fd);
	usleep(20000);
	tap_equal(used(0), 0);
	count = 0;
	put(events, &count, EV_SYN, SYN_REPORT, 0);
	say(&d, events, count);
	want_key(&d, KEY_A, 1);
	tap_equal(used(0), 2);
	tap_equal(counter(&d, "keyboard_lost_reports"), 1);
	driver_close(&d);
}

/* A driver that starts again gets the keys that are held. */
static void a_new_driver_knows_no_key(void)
{
	struct driver d;

	if (!driver_open(&d, &vmm_keyboard_ops, VMM_BUILTIN_KEYBOARD, true))
		return;
	give_many(&d, 2);
	say_key(&d, KEY_A, 1);
	say_key(&d, KEY_B, 1);
	want_key(&d, KEY_A, 1);
	tap_check(wait_counter(&d, "keyboard_lost_reports", 1));
	vmm_virtio_mmio_write(d.v, 0x70, 0, 4);
	tap_check(!d.v->running);
	say_key(&d, KEY_A, 0);
	tap_check(wait_counter(&d, "keyboard_lost_reports", 2));
	memset(at(0, 0), 0, 2 * QUEUE);
	memset(d.added, 0, sizeof(d.added));
	memset(d.seen, 0, sizeof(d.seen));
	driver_begin(&d);
	give_many(&d, 4);
	want_key(&d, KEY_B, 1);
	say_key(&d, KEY_B, 0);
	want_key(&d, KEY_B, 0);
	tap_equal(used(0), 4);
	driver_close(&d);
}

static int ask(struct driver *d, const char *arg)
{
	return d->v->ops->commands[0].run(d->v, arg);
}

static void commands_press_keys(void)
{
	struct driver d;

	if (!driver_open_by(&d, &vmm_keyboard_ops, VMM_BUILTIN_KEYBOARD, true, false))
		return;
	give_many(&d, 8);
	tap_check(!strcmp(d.v->ops->commands[0].name, "key"));
	tap_equal(ask(&d, "30 1"), 0);
	want_key(&d, KEY_A, 1);
	tap_equal(ask(&d, "30"), -EINVAL);
	tap_equal(ask(&d, "0 1"), -EINVAL);
	tap_equal(ask(&d, "768 1"), -EINVAL);
	/* Without a driver, presses are refused, and releases are accepted. */
	vmm_virtio_mmio_write(d.v, 0x70, 0, 4);
	tap_equal(ask(&d, "48 1"), -ENODEV);
	tap_equal(ask(&d, "30 0"), 0);
	tap_check(wait_counter(&d, "keyboard_lost_reports", 1));
	driver_close(&d);
}

/* The last pixel is the end of the axis. */
static void commands_touch_the_screen(void)
{
	struct driver d;

	if (!driver_open_by(&d, &vmm_touch_ops, VMM_BUILTIN_MULTITOUCH, true, false))
		return;
	give_many(&d, 32);
	tap_check(!strcmp(d.v->ops->commands[0].name, "touch"));
	tap_equal(ask(&d, "5 6 0"), 0);
	tap_equal(ask(&d, "0 199 1"), 0);
	want_event(&d, EV_ABS, ABS_MT_SLOT, 0);
	want_event(&d, EV_ABS, ABS_MT_TRACKING_ID, 0);
	want_event(&d, EV_KEY, BTN_TOUCH, 1);
	want_event(&d, EV_ABS, ABS_MT_POSITION_X, 0);
	want_event(&d, EV_ABS, ABS_MT_POSITION_Y, 32767);
	want_event(&d, EV_SYN, SYN_REPORT, 0);
	tap_equal(ask(&d, "33 500 1"), 0);
	want_event(&d, EV_ABS, ABS_MT_SLOT, 0);
	want_event(&d, EV_ABS, ABS_MT_POSITION_X, 33 * 32767 / 99);
	want_event(&d, EV_ABS, ABS_MT_POSITION_Y, 32767);
	want_event(&d, EV_SYN, SYN_REPORT, 0);
	tap_equal(ask(&d, "33 500 0"), 0);
	want_event(&d, EV_ABS, ABS_MT_SLOT, 0);
	want_event(&d, EV_ABS, ABS_MT_TRACKING_ID, -1);
	want_event(&d, EV_KEY, BTN_TOUCH, 0);
	want_event(&d, EV_SYN, SYN_REPORT, 0);
	tap_equal(used(0), 14);
	vmm_virtio_mmio_write(d.v, 0x70, 0, 4);
	tap_equal(ask(&d, "1 1 1"), -ENODEV);
	driver_close(&d);
}

/* With socket=, input comes from the program at the socket only. */
static void commands_are_not_for_those_with_a_socket(void)
{
	struct driver d;

	if (!driver_open(&d, &vmm_keyboard_ops, VMM_BUILTIN_KEYBOARD, true))
		return;
	tap_equal(ask(&d, "30 1"), -ENOENT);
	driver_close(&d);
	if (!driver_open(&d, &vmm_touch_ops, VMM_BUILTIN_MULTITOUCH, true))
		return;
	tap_equal(ask(&d, "1 1 1"), -ENOENT);
	driver_close(&d);
}

/* ---- console ---- */

/* A buffer of the wrong direction is returned empty. */
static void useless_receive_buffers_cost_nothing(void)
{
	char text[16] = "";
	struct driver d;

	if (!driver_open(&d, &vmm_hvc_ops, VMM_BUILTIN_CONSOLE, true))
		return;
	give(&d, 0, 16, 0);
	give(&d, 0, 16, 0);
	give(&d, 0, 16, VRING_DESC_F_WRITE);
	tap_equal(send(d.peer, "one", 3, 0), 3);
	tap_check(wait_used(0, 3));
	tap_equal(take(&d, 0, text, sizeof(text)), 0);
	tap_equal(take(&d, 0, text, sizeof(text)), 0);
	tap_equal(take(&d, 0, text, sizeof(text)), 3);
	tap_check(!memcmp(text, "one", 3));
	/* Input continues, even if such a buffer is the only one. */
	tap_equal(send(d.peer, "two", 3, 0), 3);
	give(&d, 0, 16, 0);
	tap_check(wait_used(0, 4));
	give(&d, 0, 16, VRING_DESC_F_WRITE);
	tap_check(wait_used(0, 5));
	tap_equal(take(&d, 0, text, sizeof(text)), 0);
	tap_equal(take(&d, 0, text, sizeof(text)), 3);
	tap_check(!memcmp(text, "two", 3));
	driver_close(&d);
}

#define CHUNKS	1024	/* of 4096 bytes */

/* Linux waits for each chunk, with interrupts off. */
static void a_peer_that_does_not_read_is_not_waited_for(void)
{
	static char bytes[65536];
	struct driver d;
	unsigned int i;
	u64 got = 0;
	ssize_t n;

	if (!driver_open(&d, &vmm_hvc_ops, VMM_BUILTIN_CONSOLE, true))
		return;
	for (i = 1; i <= CHUNKS; i++) {
		give(&d, 1, 4096, 0);
		if (!tap_check(wait_used(1, i)))
			break;
	}
	tap_check(counter(&d, "console_dropped_bytes") > 0);
	while ((n = recv(d.peer, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
		got += n;
	tap_equal(got + counter(&d, "console_dropped_bytes"), CHUNKS * 4096);
	/* Once it reads, it gets new output. */
	give(&d, 1, 100, 0);
	tap_check(wait_used(1, CHUNKS + 1));
	tap_equal(recv(d.peer, bytes, sizeof(bytes), 0), 100);
	tap_equal(got + counter(&d, "console_dropped_bytes"), CHUNKS * 4096);
	driver_close(&d);
}

/* The process at the path gets nothing from a clone. */
static void a_clones_console_has_no_other_end(void)
{
	struct pollfd somebody = { .fd = listener, .events = POLLIN };
	struct driver d;
	bool open;

	alone = true;
	open = driver_open_by(&d, &vmm_hvc_ops, VMM_BUILTIN_CONSOLE, true, false);
	alone = false;
	if (!open)
		return;
	give(&d, 1, 4096, 0);
	tap_check(wait_used(1, 1));
	tap_equal(counter(&d, "console_dropped_bytes"), 4096);
	tap_equal(poll(&somebody, 1, 0), 0);
	driver_close(&d);
}

static const struct tap_case cases[] = {
	{ "a key that was let go unseen is let go later", no_key_stays_stuck },
	{ "fingers that were lifted unseen are lifted later", no_finger_stays_down },
	{ "buffers that no event fits in cost nothing", useless_buffers_cost_nothing },
	{ "a report without end is bounded", endless_reports_are_bounded },
	{ "a new driver knows no key", a_new_driver_knows_no_key },
	{ "commands press keys", commands_press_keys },
	{ "commands touch the screen", commands_touch_the_screen },
	{ "commands are not for those with a socket", commands_are_not_for_those_with_a_socket },
	{ "receive buffers that cannot be written to cost nothing",
	  useless_receive_buffers_cost_nothing },
	{ "a clone's console has no other end", a_clones_console_has_no_other_end },
	{ "a peer that does not read is not waited for",
	  a_peer_that_does_not_read_is_not_waited_for },
};

int main(void)
{
	int rc;

	host_open();
	rc = tap_run(cases, ARRAY_SIZE(cases));
	host_close();
	return rc;
}
