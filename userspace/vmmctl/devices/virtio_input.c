// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-input: a keyboard, and a screen for ten fingers. A program sends events by a Unix
 * socket of the host: a sequence of struct virtio_input_event, as the guest will get them.
 * Without such a socket, commands send events, by a socket pair inside vmmctl.
 *
 * Events come in reports, each of which ends with SYN_REPORT. A guest gets a report as a whole
 * or not at all: one that does not fit is dropped. When there is room again, the guest first
 * gets reports that bring its view of keys and fingers up to date: no key stays held and no
 * finger stays down for longer than it really is.
 *
 * Source: VIRTIO 1.2, 5.8; linux/input-event-codes.h; multi-touch protocol B
 */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/input.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_input.h>

#include "devices/devices.h"
#include "devices/input_state.h"
#include "devices/input_tell.h"
#include "virtio/ring.h"

enum { INPUT_EVENTS, INPUT_STATUS, INPUT_QUEUES };

#define INPUT_QUEUE	64	/* buffers of the guest, at most */
#define INPUT_REPORT	INPUT_QUEUE	/* events of a report, at most */
#define INPUT_BUFFERS	4	/* buffers of a chain, at most */

/**
 * struct input_kind - properties of a type of device
 * @builtin: the command line's type
 * @name: name that the guest reads
 * @last_key: it has the keys from 1 to this one
 * @touch: it has fingers, and BTN_TOUCH
 * @lost: counter of reports that were dropped
 */
struct input_kind {
	enum vmm_builtin_kind builtin;
	const char *name;
	unsigned int last_key;
	bool touch;
	const char *lost;
};

static const struct input_kind input_keyboard = {
	.builtin = VMM_BUILTIN_KEYBOARD, .name = "ranchu-keyboard", .last_key = KEY_MICMUTE,
	.lost = "keyboard_lost_reports",
};

static const struct input_kind input_touch = {
	.builtin = VMM_BUILTIN_MULTITOUCH, .name = "ranchu-multitouch", .touch = true,
	.lost = "multitouch_lost_reports",
};

/**
 * struct input - an input device
 * @dev: its queues
 * @kind: type of the device
 * @config: configuration space; protected by the virtio device's lock
 * @stream: the connection
 * @teller: the other end of it, if commands send events; used by the main thread
 * @end_fd: eventfd, signalled when @reader is to end
 * @room_fd: eventfd, signalled when the guest may have room again
 * @reader: thread that reads events from the connection
 * @report: events of the report that is being read; used by @reader, as the next three
 * @count: events in @report so far
 * @too_long: the report does not fit in @report, and is dropped
 * @real: keys and fingers after all reports so far, dropped ones included
 * @guest: keys and fingers in the guest's view; protected by the queue's lock, as the next
 *	one
 * @behind: @guest and @real may differ
 * @lost: counts dropped reports; written by @reader, read by any
 * @loaded: @guest of a driver that was loaded; protected by the virtio device's lock
 */
struct input {
	struct vmm_ring_device dev;
	const struct input_kind *kind;
	struct virtio_input_config config;
	struct vmm_stream stream;
	struct vmm_input_teller teller;
	int end_fd;
	int room_fd;
	struct vmm_thread reader;
	struct virtio_input_event report[INPUT_REPORT];
	unsigned int count;
	bool too_long;
	struct vmm_input_state real;
	struct vmm_input_state guest;
	bool behind;
	u64 lost;
	struct vmm_input_state loaded;
};

static void input_bit(struct virtio_input_config *config, unsigned int bit)
{
	config->u.bitmap[bit / 8] |= 1 << bit % 8;
	if (config->size < bit / 8 + 1)
		config->size = bit / 8 + 1;
}

static void input_bits(const struct input_kind *kind, struct virtio_input_config *config)
{
	unsigned int i;

	switch (config->subsel) {
	case EV_KEY:
		for (i = 1; i <= kind->last_key; i++)
			input_bit(config, i);
		if (kind->touch)
			input_bit(config, BTN_TOUCH);
		break;
	case EV_ABS:
		if (!kind->touch)
			break;
		input_bit(config, ABS_MT_SLOT);
		input_bit(config, ABS_MT_POSITION_X);
		input_bit(config, ABS_MT_POSITION_Y);
		input_bit(config, ABS_MT_TRACKING_ID);
		break;
	}
}

static void input_axis(const struct input_kind *kind, struct virtio_input_config *config)
{
	u32 max;

	switch (config->subsel) {
	case ABS_MT_SLOT:
		max = VMM_INPUT_FINGERS - 1;
		break;
	case ABS_MT_TRACKING_ID:
		max = 65535;
		break;
	case ABS_MT_POSITION_X:
	case ABS_MT_POSITION_Y:
		max = VMM_INPUT_AXIS_MAX;
		break;
	default:
		return;
	}
	if (!kind->touch)
		return;
	config->u.abs.max = htole32(max);
	config->size = sizeof(config->u.abs);
}

/* Answers a query of the driver; a size of 0 means that there is no such item. */
static void input_answer(const struct input_kind *kind, struct virtio_input_config *config)
{
	config->size = 0;
	memset(&config->u, 0, sizeof(config->u));
	switch (config->select) {
	case VIRTIO_INPUT_CFG_ID_NAME:
		config->size = strlen(kind->name);
		memcpy(config->u.string, kind->name, config->size);
		break;
	case VIRTIO_INPUT_CFG_ID_DEVIDS:
		config->u.ids.bustype = htole16(BUS_VIRTUAL);
		config->size = sizeof(config->u.ids);
		break;
	case VIRTIO_INPUT_CFG_PROP_BITS:
		if (kind->touch)
			input_bit(config, INPUT_PROP_DIRECT);
		break;
	case VIRTIO_INPUT_CFG_EV_BITS:
		input_bits(kind, config);
		break;
	case VIRTIO_INPUT_CFG_ABS_INFO:
		input_axis(kind, config);
		break;
	}
}

/* Only the bytes @select and @subsel can be written, in one access or two. */
static void input_write_config(struct vmm_virtio *v, u32 offset, u64 value, unsigned int len)
{
	struct input *input = v->state;
	struct virtio_input_config *config = &input->config;
	unsigned int i;

	if (offset > offsetof(struct virtio_input_config, subsel))
		return;
	for (i = 0; i < len; i++, value >>= 8) {
		if (offset + i == offsetof(struct virtio_input_config, select))
			config->select = value;
		else if (offset + i == offsetof(struct virtio_input_config, subsel))
			config->subsel = value;
	}
	input_answer(input->kind, config);
	vmm_virtio_answer_locked(v, config, sizeof(*config));
}

static void input_reset(struct vmm_virtio *v)
{
	struct input *input = v->state;

	pthread_mutex_lock(&v->lock);
	memset(&input->config, 0, sizeof(input->config));
	vmm_virtio_answer_locked(v, &input->config, sizeof(input->config));
	pthread_mutex_unlock(&v->lock);
}

/* LED events from the guest are read and discarded. */
static bool input_kicked(struct vmm_ring *ring)
{
	struct input *input = container_of(ring->dev, struct input, dev);
	struct iovec iov[INPUT_BUFFERS];
	struct ranchu_chain chain = { .iov = iov, .max = INPUT_BUFFERS };

	if (ring->index != INPUT_STATUS) {
		if (input->behind)
			vmm_event_signal(input->room_fd);
		return false;
	}
	while (vmm_ring_next(ring, &chain) > 0)
		vmm_ring_push(ring, &chain, 0);
	return true;
}

/**
 * struct input_room - chains of the guest that were taken
 * @chain: the first @taken are valid
 * @iov: their buffers
 * @taken: how many
 */
struct input_room {
	struct ranchu_chain chain[INPUT_QUEUE];
	struct iovec iov[INPUT_QUEUE][INPUT_BUFFERS];
	unsigned int taken;
};

/* Returns whether an event fits in a chain. */
static bool chain_fits(const struct ranchu_chain *chain)
{
	return chain->n_in &&
	       chain->iov[chain->n_out].iov_len >= sizeof(struct virtio_input_event);
}

/* Takes a chain, if there is one. Returns how many more events fit. */
static int room_add(struct vmm_ring *ring, struct input_room *room)
{
	struct ranchu_chain *chain = &room->chain[room->taken];

	*chain = (struct ranchu_chain){ .iov = room->iov[room->taken], .max = INPUT_BUFFERS };
	if (vmm_ring_stopping(ring) || room->taken == INPUT_QUEUE ||
	    ranchu_vq_next(&ring->vq, chain) <= 0)
		return -EAGAIN;
	/* A chain that is too small is returned unused, unless that would reorder chains. */
	if (chain_fits(chain) || room->taken)
		room->taken++;
	else
		vmm_ring_push(ring, chain, 0);
	return chain_fits(chain);
}

/*
 * Takes room for a number of events, or nothing. If there is not enough, kicks are enabled
 * before the chains are put back, so that the next chain of the driver comes with a kick.
 */
static bool room_take(struct vmm_ring *ring, struct input_room *room, unsigned int count)
{
	unsigned int fit = 0;
	int more;

	room->taken = 0;
	do {
		do {
			more = room_add(ring, room);
			if (more > 0 && ++fit == count)
				return true;
		} while (more >= 0);
	} while (!vmm_ring_stopping(ring) && room->taken < INPUT_QUEUE &&
		 ranchu_vq_enable_kicks(&ring->vq));
	while (room->taken)
		ranchu_vq_put_back(&ring->vq, &room->chain[--room->taken]);
	return false;
}

/* Sends a complete report, or nothing. */
static bool input_send_locked(struct input *input, const struct virtio_input_event *events,
			      unsigned int count)
{
	struct vmm_ring *ring = &input->dev.ring[INPUT_EVENTS];
	const struct virtio_input_event *event = events;
	struct input_room room;
	unsigned int i;

	if (!room_take(ring, &room, count))
		return false;
	for (i = 0; i < room.taken; i++) {
		const struct ranchu_chain *chain = &room.chain[i];

		if (chain_fits(chain)) {
			memcpy(chain->iov[chain->n_out].iov_base, event++, sizeof(*event));
			vmm_ring_push(ring, chain, sizeof(*event));
		} else {
			vmm_ring_push(ring, chain, 0);
		}
	}
	vmm_input_state_apply(&input->guest, events, count);
	return true;
}

/* Sends reports that update the guest's view. Returns whether it is up to date. */
static bool input_repair_locked(struct input *input)
{
	struct virtio_input_event events[VMM_INPUT_REPAIR];
	unsigned int count;

	while ((count = vmm_input_repair(&input->guest, &input->real, events))) {
		if (!input_send_locked(input, events, count))
			return false;
	}
	return true;
}

/* Handles a report; with @count 0, only updates the guest's view. */
static void input_report(struct input *input, const struct virtio_input_event *events,
			 unsigned int count)
{
	struct vmm_ring *ring = &input->dev.ring[INPUT_EVENTS];
	bool told;

	pthread_mutex_lock(&ring->lock);
	told = ring->live && (!input->behind || input_repair_locked(input));
	if (told && count)
		told = input_send_locked(input, events, count);
	vmm_input_state_apply(&input->real, events, count);
	input->behind = !told;
	if (ring->live)
		vmm_ring_update(ring);
	pthread_mutex_unlock(&ring->lock);
	if (!told && count)
		__atomic_add_fetch(&input->lost, 1, __ATOMIC_RELAXED);
}

/* The report is longer than any guest's queue. */
static void input_report_too_long(struct input *input)
{
	struct vmm_ring *ring = &input->dev.ring[INPUT_EVENTS];

	vmm_input_state_apply(&input->real, input->report, input->count);
	input->count = 0;
	input->too_long = true;
	pthread_mutex_lock(&ring->lock);
	input->behind = true;
	pthread_mutex_unlock(&ring->lock);
}

static void input_event(struct input *input, const struct virtio_input_event *event)
{
	if (input->count == INPUT_REPORT)
		input_report_too_long(input);
	input->report[input->count++] = *event;
	if (event->type != htole16(EV_SYN) || event->code != htole16(SYN_REPORT))
		return;
	if (!input->too_long) {
		input_report(input, input->report, input->count);
	} else {
		vmm_input_state_apply(&input->real, input->report, input->count);
		__atomic_add_fetch(&input->lost, 1, __ATOMIC_RELAXED);
		input_report(input, NULL, 0);
	}
	input->count = 0;
	input->too_long = false;
}

/* Reads an event, which may arrive in pieces, and reconnects if the sender has gone. */
static void input_read(struct input *input, struct virtio_input_event *event)
{
	if (vmm_stream_record(&input->stream, event, sizeof(*event)))
		input_event(input, event);
	if (vmm_stream_poll_fd(&input->stream) >= 0)
		return;
	/* The sender has gone: its unfinished report is dropped. */
	input->count = 0;
	if (input->too_long) {
		input->too_long = false;
		input_report(input, NULL, 0);
	}
}

static void *input_reader(void *arg)
{
	struct input *input = arg;
	struct pollfd fds[] = {
		{ .fd = input->end_fd, .events = POLLIN },
		{ .fd = input->room_fd, .events = POLLIN },
		{ .events = POLLIN },
	};
	struct virtio_input_event event;

	for (;;) {
		fds[2].fd = vmm_stream_poll_fd(&input->stream);
		fds[2].revents = 0;
		poll(fds, ARRAY_SIZE(fds), vmm_stream_timeout(&input->stream));
		if (fds[0].revents)
			return NULL;
		if (fds[1].revents) {
			vmm_event_clear(input->room_fd);
			/* The guest's view is not updated in the middle of a report. */
			if (!input->too_long)
				input_report(input, NULL, 0);
		}
		if (fds[2].revents)
			input_read(input, &event);
		vmm_stream_retry(&input->stream);
	}
}

/* For a new driver no key is held and no finger is down, unless it was loaded. */
static int input_start(struct vmm_virtio *v)
{
	struct input *input = v->state;
	struct vmm_ring *ring = &input->dev.ring[INPUT_EVENTS];

	pthread_mutex_lock(&ring->lock);
	vmm_input_state_init(&input->guest);
	if (v->loaded)
		input->guest = input->loaded;
	input->behind = true;
	pthread_mutex_unlock(&ring->lock);
	return vmm_ring_model_start(v);
}

/*
 * The guest's view, and the driver's configuration query. Keys that are held in the view only
 * are released after a load.
 */
enum { INPUT_TAG_GUEST, INPUT_TAG_SELECT };

/* Virtio input devices have no switches, so these are not saved. */
#define INPUT_SAVED	offsetof(struct vmm_input_state, switches)

_Static_assert(INPUT_SAVED == 220, "saved states have as many bytes");

static void input_save(struct vmm_virtio *v, struct vmm_state *state, u32 tag)
{
	struct input *input = v->state;
	u8 asked[2] = { input->config.select, input->config.subsel };

	vmm_state_put(state, tag + INPUT_TAG_GUEST, &input->guest, INPUT_SAVED);
	vmm_state_put(state, tag + INPUT_TAG_SELECT, asked, sizeof(asked));
}

static int input_load(struct vmm_virtio *v, struct vmm_state *state, u32 tag, const u8 *config)
{
	struct input *input = v->state;
	struct vmm_input_state guest = { .switches = 0 };
	u8 asked[2];

	(void)config;
	vmm_state_get(state, tag + INPUT_TAG_GUEST, &guest, INPUT_SAVED);
	vmm_state_get(state, tag + INPUT_TAG_SELECT, asked, sizeof(asked));
	if (state->err)
		return state->err;
	if (!vmm_input_state_is_possible(&guest))
		return -EINVAL;
	input->loaded = guest;
	input->config.select = asked[0];
	input->config.subsel = asked[1];
	input_answer(input->kind, &input->config);
	memcpy(v->config, &input->config, sizeof(input->config));
	return 0;
}

static void input_stats(struct vmm_virtio *v, struct vmm_report *report)
{
	const struct input *input = v->state;

	vmm_ring_model_stats(v, report);
	vmm_report_add(report, input->kind->lost,
		       __atomic_load_n(&input->lost, __ATOMIC_RELAXED));
}

/* Returns whether a driver gets the events. */
static bool input_is_used(struct vmm_virtio *v)
{
	bool running;

	pthread_mutex_lock(&v->lock);
	running = v->running;
	pthread_mutex_unlock(&v->lock);
	return running;
}

static int key_command(struct vmm_virtio *v, const char *arg)
{
	struct input *input = v->state;

	return vmm_input_tell_key(&input->teller, arg, input_is_used(v));
}

static int touch_command(struct vmm_virtio *v, const char *arg)
{
	struct input *input = v->state;

	return vmm_input_tell_touch(&input->teller, v->vm->cfg, arg, input_is_used(v));
}

static const struct vmm_virtio_command keyboard_commands[] = {
	{ "key", key_command },
	{ }
};

static const struct vmm_virtio_command touch_commands[] = {
	{ "touch", touch_command },
	{ }
};

static void input_free(struct input *input)
{
	if (input->teller.fd >= 0)
		close(input->teller.fd);
	if (input->end_fd >= 0)
		close(input->end_fd);
	if (input->room_fd >= 0)
		close(input->room_fd);
	vmm_stream_close(&input->stream);
	free(input);
}

/* Connects to the source of events. */
static int input_connect(struct input *input, struct vmm_virtio *v)
{
	const struct vmm_config *cfg = v->vm->cfg;
	int pair[2];

	if (vmm_builtin_find(cfg, input->kind->builtin, v->index)->path)
		return vmm_builtin_connect(cfg, input->kind->builtin, v->index, &input->stream);
	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return vmm_error(errno, "input");
	input->stream.fd = pair[0];
	input->teller.fd = pair[1];
	return 0;
}

static int input_create(struct vmm_virtio *v, const struct input_kind *kind)
{
	struct input *input = calloc(1, sizeof(*input));
	int err;

	if (!input)
		return vmm_error(ENOMEM, "input");
	input->kind = kind;
	input->stream.fd = -1;
	input->teller.fd = -1;
	input->end_fd = -1;
	input->room_fd = -1;
	vmm_input_state_init(&input->real);
	vmm_input_state_init(&input->guest);
	err = input_connect(input, v);
	if (err)
		goto err_free;
	input->end_fd = vmm_event_create();
	err = input->end_fd;
	if (err < 0)
		goto err_free;
	input->room_fd = vmm_event_create();
	err = input->room_fd;
	if (err < 0)
		goto err_free;
	err = vmm_ring_device_open(&input->dev, v, 0, input_kicked);
	if (err)
		goto err_free;
	vmm_thread_add(v->vm, &input->reader, "input", input_reader, input);
	v->state = input;
	return 0;

err_free:
	input_free(input);
	return err;
}

static void input_destroy(struct vmm_virtio *v)
{
	struct input *input = v->state;

	vmm_event_signal(input->end_fd);
	vmm_thread_remove(v->vm, &input->reader);
	vmm_ring_device_close(&input->dev);
	input_free(input);
}

static int keyboard_create(struct vmm_virtio *v)
{
	return input_create(v, &input_keyboard);
}

static int touch_create(struct vmm_virtio *v)
{
	return input_create(v, &input_touch);
}

static unsigned int keyboard_count(const struct vmm_config *cfg)
{
	return vmm_builtin_count(cfg, VMM_BUILTIN_KEYBOARD);
}

static unsigned int touch_count(const struct vmm_config *cfg)
{
	return vmm_builtin_count(cfg, VMM_BUILTIN_MULTITOUCH);
}

/** virtio-input, a keyboard. */
const struct vmm_virtio_ops vmm_keyboard_ops = {
	.name = "keyboard",
	.id = VIRTIO_ID_INPUT,
	.queues = INPUT_QUEUES,
	.queue_max = INPUT_QUEUE,
	.count = keyboard_count,
	.create = keyboard_create,
	.destroy = input_destroy,
	.start = input_start,
	.stop = vmm_ring_model_stop,
	.pause = vmm_ring_model_pause,
	.resume = vmm_ring_model_resume,
	.base = vmm_ring_model_base,
	.save = input_save,
	.load = input_load,
	.write_config = input_write_config,
	.reset = input_reset,
	.stats = input_stats,
	.commands = keyboard_commands,
};

/** virtio-input, a screen for ten fingers. */
const struct vmm_virtio_ops vmm_touch_ops = {
	.name = "multitouch",
	.id = VIRTIO_ID_INPUT,
	.queues = INPUT_QUEUES,
	.queue_max = INPUT_QUEUE,
	.count = touch_count,
	.create = touch_create,
	.destroy = input_destroy,
	.start = input_start,
	.stop = vmm_ring_model_stop,
	.pause = vmm_ring_model_pause,
	.resume = vmm_ring_model_resume,
	.base = vmm_ring_model_base,
	.save = input_save,
	.load = input_load,
	.write_config = input_write_config,
	.reset = input_reset,
	.stats = input_stats,
	.commands = touch_commands,
};
