// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-input: a keyboard, and a screen for ten fingers. What happens to them
 * comes from a Unix socket of the host: struct virtio_input_event after
 * struct virtio_input_event, as the guest is to see them.
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
#include "virtio/ring.h"

enum { INPUT_EVENTS, INPUT_STATUS, INPUT_QUEUES };

#define INPUT_FINGERS	10
#define INPUT_AXIS_MAX	32767	/* Android scales it to its screen */

/**
 * struct input_kind - what a device can do
 * @extra: the command line's name of it
 * @name: the guest's
 * @last_key: keys from 1 to here
 * @touch: it has fingers, and BTN_TOUCH
 */
struct input_kind {
	enum vmm_extra_kind extra;
	const char *name;
	unsigned int last_key;
	bool touch;
};

static const struct input_kind input_keyboard = {
	.extra = VMM_EXTRA_KEYBOARD, .name = "ranchu-keyboard", .last_key = KEY_MICMUTE,
};

static const struct input_kind input_touch = {
	.extra = VMM_EXTRA_MULTITOUCH, .name = "ranchu-multitouch", .touch = true,
};

/**
 * struct input - an input device
 * @dev: its queues
 * @kind: which
 * @config: what the driver reads; protected by the virtio device's lock
 * @stream: the connection
 * @end_fd: eventfd: @reader is to end
 * @reader: takes events from the connection
 */
struct input {
	struct vmm_ring_device dev;
	const struct input_kind *kind;
	struct virtio_input_config config;
	struct vmm_stream stream;
	int end_fd;
	struct vmm_thread reader;
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
		max = INPUT_FINGERS - 1;
		break;
	case ABS_MT_TRACKING_ID:
		max = 65535;
		break;
	case ABS_MT_POSITION_X:
	case ABS_MT_POSITION_Y:
		max = INPUT_AXIS_MAX;
		break;
	default:
		return;
	}
	if (!kind->touch)
		return;
	config->u.abs.max = htole32(max);
	config->size = sizeof(config->u.abs);
}

/* What the driver has asked for; a size of 0 says that there is no such thing. */
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

/* Bytes @select and @subsel can be written, in one access or two; the rest is the answer. */
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
	struct iovec iov[4];
	struct ranchu_chain chain = { .iov = iov, .max = ARRAY_SIZE(iov) };

	if (ring->index != INPUT_STATUS)
		return false;
	while (!vmm_ring_stopping(ring) && ranchu_vq_next(&ring->vq, &chain) > 0)
		ranchu_vq_push(&ring->vq, &chain, 0);
	return true;
}

/* A guest without room for an event does not get it, as with real hardware. */
static void input_event(struct input *input, const struct virtio_input_event *event)
{
	struct vmm_ring *ring = &input->dev.ring[INPUT_EVENTS];
	struct iovec iov[4];
	struct ranchu_chain chain = { .iov = iov, .max = ARRAY_SIZE(iov) };
	u32 written = 0;

	pthread_mutex_lock(&ring->lock);
	if (ring->live && ranchu_vq_next(&ring->vq, &chain) > 0) {
		if (chain.n_in && iov[chain.n_out].iov_len >= sizeof(*event)) {
			memcpy(iov[chain.n_out].iov_base, event, sizeof(*event));
			written = sizeof(*event);
		}
		ranchu_vq_push(&ring->vq, &chain, written);
		vmm_ring_update(ring);
	}
	pthread_mutex_unlock(&ring->lock);
}

/* An event may come in pieces, and its sender may go and come again. */
static void *input_reader(void *arg)
{
	struct input *input = arg;
	struct pollfd fds[] = {
		{ .fd = input->end_fd, .events = POLLIN },
		{ .events = POLLIN },
	};
	struct virtio_input_event event;

	for (;;) {
		fds[1].fd = vmm_stream_poll_fd(&input->stream);
		fds[1].revents = 0;
		poll(fds, ARRAY_SIZE(fds), vmm_stream_timeout(&input->stream));
		if (fds[0].revents)
			return NULL;
		if (!fds[1].revents)
			vmm_stream_retry(&input->stream);
		else if (vmm_stream_record(&input->stream, &event, sizeof(event)))
			input_event(input, &event);
	}
}

static void input_free(struct input *input)
{
	if (input->end_fd >= 0)
		close(input->end_fd);
	vmm_stream_close(&input->stream);
	free(input);
}

static int input_create(struct vmm_virtio *v, const struct input_kind *kind)
{
	struct input *input = calloc(1, sizeof(*input));
	int err;

	if (!input)
		return vmm_error(ENOMEM, "input");
	input->kind = kind;
	input->end_fd = -1;
	err = vmm_extra_connect(v->vm->cfg, kind->extra, v->index, &input->stream);
	if (err)
		goto err_free;
	input->end_fd = vmm_event_create();
	err = input->end_fd;
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
	return vmm_extra_count(cfg, VMM_EXTRA_KEYBOARD);
}

static unsigned int touch_count(const struct vmm_config *cfg)
{
	return vmm_extra_count(cfg, VMM_EXTRA_MULTITOUCH);
}

/** virtio-input, a keyboard. */
const struct vmm_virtio_ops vmm_keyboard_ops = {
	.name = "keyboard",
	.id = VIRTIO_ID_INPUT,
	.queues = INPUT_QUEUES,
	.queue_max = 64,
	.count = keyboard_count,
	.create = keyboard_create,
	.destroy = input_destroy,
	.start = vmm_ring_model_start,
	.stop = vmm_ring_model_stop,
	.pause = vmm_ring_model_pause,
	.resume = vmm_ring_model_resume,
	.write_config = input_write_config,
	.reset = input_reset,
};

/** virtio-input, a screen for ten fingers. */
const struct vmm_virtio_ops vmm_touch_ops = {
	.name = "multitouch",
	.id = VIRTIO_ID_INPUT,
	.queues = INPUT_QUEUES,
	.queue_max = 64,
	.count = touch_count,
	.create = touch_create,
	.destroy = input_destroy,
	.start = vmm_ring_model_start,
	.stop = vmm_ring_model_stop,
	.pause = vmm_ring_model_pause,
	.resume = vmm_ring_model_resume,
	.write_config = input_write_config,
	.reset = input_reset,
};
