// SPDX-License-Identifier: GPL-2.0-only
/*
 * The state of a virtio device, independent of its transport: what its driver has set up, the next
 * index of each queue, and the model's own state. It is loaded into a device of the same type, with
 * the same features and queues.
 */
#include <endian.h>
#include <errno.h>
#include <string.h>
#include <linux/virtio_config.h>

#include "virtio/transport.h"

/* Added to the first tag of a device; a number is never reused. */
enum {
	TAG_KIND = 0,		/* struct saved_kind */
	TAG_DRIVER = 1,		/* struct saved_driver */
	TAG_CONFIG = 2,		/* the configuration */
	TAG_QUEUE = 16,		/* and the following: of each queue */
	TAG_MODEL = 32,		/* and the following: of the model */
};

_Static_assert(TAG_QUEUE + VMM_VIRTIO_QUEUES <= TAG_MODEL, "each queue has a tag");
_Static_assert(TAG_MODEL + VMM_VIRTIO_MODEL_TAGS <= VMM_VIRTIO_TAGS, "so has the model");

/**
 * struct saved_kind - type and size of a device
 * @offered: features
 * @id: virtio device id
 * @legacy: its registers are those of version 1
 * @queues: how many
 * @queue_max: entries of each, at most
 */
struct saved_kind {
	__le64 offered;
	__le32 id;
	__le32 legacy;
	__le32 queues;
	__le32 queue_max;
};

/**
 * struct saved_driver - registers that a driver has written
 * @accepted: features
 * @offered_sel: selected half of @offered
 * @accepted_sel: selected half of @accepted
 * @queue_sel: selected queue
 * @page_size: legacy: bytes of the driver's pages
 * @status: device status
 * @generation: of the configuration
 * @config_pending: a configuration change is not acknowledged
 * @running: the driver has started the device
 */
struct saved_driver {
	__le64 accepted;
	__le32 offered_sel;
	__le32 accepted_sel;
	__le32 queue_sel;
	__le32 page_size;
	__le32 status;
	__le32 generation;
	__le32 config_pending;
	__le32 running;
};

/**
 * struct saved_queue - a queue
 * @desc: guest physical address, as the next two
 * @driver: see struct vmm_virtio_queue
 * @device: the same
 * @num: entries
 * @ready: the driver has set it up
 * @align: legacy
 * @pfn: legacy
 * @resumed: it is in use, and continues at @base
 * @base: next index, as VHOST_SET_VRING_BASE counts
 */
struct saved_queue {
	__le64 desc;
	__le64 driver;
	__le64 device;
	__le32 num;
	__le32 ready;
	__le32 align;
	__le32 pfn;
	__le32 resumed;
	__le32 base;
};

static void kind_fill(const struct vmm_virtio *v, struct saved_kind *kind)
{
	*kind = (struct saved_kind){
		.offered = htole64(v->offered),
		.id = htole32(v->id),
		.legacy = htole32(v->legacy),
		.queues = htole32(v->queues),
		.queue_max = htole32(v->queue_max),
	};
}

static void driver_save(const struct vmm_virtio *v, struct vmm_state *state, u32 tag)
{
	struct saved_driver saved = {
		.accepted = htole64(v->accepted),
		.offered_sel = htole32(v->offered_sel),
		.accepted_sel = htole32(v->accepted_sel),
		.queue_sel = htole32(v->queue_sel),
		.page_size = htole32(v->page_size),
		.status = htole32(v->status),
		.generation = htole32(v->generation),
		.config_pending = htole32(v->config_pending),
		.running = htole32(v->running),
	};

	vmm_state_put(state, tag, &saved, sizeof(saved));
}

static int queue_save(struct vmm_virtio *v, unsigned int index, struct vmm_state *state, u32 tag)
{
	const struct vmm_virtio_queue *q = &v->queue[index];
	bool resumed = v->running && q->ready;
	struct saved_queue saved = {
		.desc = htole64(q->desc),
		.driver = htole64(q->driver),
		.device = htole64(q->device),
		.num = htole32(q->num),
		.ready = htole32(q->ready),
		.align = htole32(q->align),
		.pfn = htole32(q->pfn),
	};
	u32 base = 0;
	int err = resumed ? v->ops->base(v, index, &base) : 0;

	/* A queue that the model does not use is saved as unused. */
	if (err == -ENOENT)
		resumed = false;
	else if (err)
		return vmm_error(-err, "virtio-%s: queue %u cannot be saved", v->name, index);
	saved.resumed = htole32(resumed);
	saved.base = htole32(base);
	vmm_state_put(state, tag, &saved, sizeof(saved));
	return 0;
}

/* Names the device and, if another process or device can serve it, that. */
static int refuse_type(const struct vmm_virtio *v, const char *what)
{
	bool served = strcmp(v->name, v->ops->name);

	return vmm_error(-EOPNOTSUPP, "virtio-%s%s%s: this type cannot be %s", v->name,
			 served ? ", served by " : "", served ? v->ops->name : "", what);
}

/**
 * vmm_virtio_save - save a device
 * @v: paused
 * @state: begun; fields are added
 * @tag: the first of the device's VMM_VIRTIO_TAGS tags
 *
 * Context: main thread, or a job.
 * Return: 0, or -errno after a message
 */
int vmm_virtio_save(struct vmm_virtio *v, struct vmm_state *state, u32 tag)
{
	struct saved_kind kind;
	unsigned int i;
	int err = 0;

	if (!v->ops->base)
		return refuse_type(v, "saved");
	pthread_mutex_lock(&v->lock);
	if (v->busy || v->stop_pending)
		err = vmm_error(-EBUSY, "virtio-%s cannot be saved now", v->name);
	kind_fill(v, &kind);
	vmm_state_put(state, tag + TAG_KIND, &kind, sizeof(kind));
	driver_save(v, state, tag + TAG_DRIVER);
	vmm_state_put(state, tag + TAG_CONFIG, v->config, sizeof(v->config));
	for (i = 0; i < v->queues && !err; i++)
		err = queue_save(v, i, state, tag + TAG_QUEUE + i);
	if (!err && v->ops->save)
		v->ops->save(v, state, tag + TAG_MODEL);
	pthread_mutex_unlock(&v->lock);
	return err;
}

/* Refuses a device that differs, with the difference. */
static int kind_check(const struct vmm_virtio *v, const struct saved_kind *saved)
{
	struct saved_kind here;
	const char *what = NULL;

	kind_fill(v, &here);
	if (saved->id != here.id)
		what = "kind of device";
	else if (saved->legacy != here.legacy)
		what = "version of the transport";
	else if (saved->queues != here.queues || saved->queue_max != here.queue_max)
		what = "number or size of queues";
	else if (saved->offered != here.offered)
		what = "features";
	if (!what)
		return 0;
	return vmm_error(-EINVAL, "snapshot: virtio-%s in slot %u differs: %s", v->name, v->slot,
			 what);
}

static bool driver_is_possible(const struct vmm_virtio *v, const struct saved_driver *saved)
{
	u32 running = le32toh(saved->running);
	u32 status = le32toh(saved->status);

	if (running > 1 || le32toh(saved->config_pending) > 1 ||
	    status > 0xff)
		return false;
	/* Negotiated features are not checked again later, so they are checked here. */
	if (status & (VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK) &&
	    le64toh(saved->accepted) & ~v->offered)
		return false;
	return !running || status & VIRTIO_CONFIG_S_DRIVER_OK;
}

static void driver_load(struct vmm_virtio *v, const struct saved_driver *saved)
{
	v->accepted = le64toh(saved->accepted);
	v->offered_sel = le32toh(saved->offered_sel);
	v->accepted_sel = le32toh(saved->accepted_sel);
	v->queue_sel = le32toh(saved->queue_sel);
	v->page_size = le32toh(saved->page_size);
	v->status = le32toh(saved->status);
	v->generation = le32toh(saved->generation);
	v->config_pending = le32toh(saved->config_pending);
}

static int queue_load(struct vmm_virtio *v, unsigned int index, struct vmm_state *state, u32 tag)
{
	struct vmm_virtio_queue *q = &v->queue[index];
	struct saved_queue saved;

	vmm_state_get(state, tag, &saved, sizeof(saved));
	if (state->err)
		return state->err;
	if (le32toh(saved.ready) > 1 || le32toh(saved.resumed) > 1)
		return -EINVAL;
	q->num = le32toh(saved.num);
	if (le32toh(saved.ready) && !vmm_virtio_queue_size_fits(v, q->num))
		return -EINVAL;
	q->desc = le64toh(saved.desc);
	q->driver = le64toh(saved.driver);
	q->device = le64toh(saved.device);
	q->align = le32toh(saved.align);
	q->pfn = le32toh(saved.pfn);
	q->ready = le32toh(saved.ready);
	q->resumed = le32toh(saved.resumed);
	q->base = le32toh(saved.base);
	return 0;
}

static int kind_fits(const struct vmm_virtio *v, const u8 *data, u32 len)
{
	struct saved_kind kind;

	if (len != sizeof(kind))
		return -EINVAL;
	memcpy(&kind, data, sizeof(kind));
	return kind_check(v, &kind);
}

static int driver_fits(const struct vmm_virtio *v, const u8 *data, u32 len)
{
	struct saved_driver driver;

	if (len != sizeof(driver))
		return -EINVAL;
	memcpy(&driver, data, sizeof(driver));
	return driver_is_possible(v, &driver) ? 0 : -EINVAL;
}

/**
 * vmm_virtio_fits - check a field of a state without loading it
 * @v: the device
 * @tag: of the field, counted from the device's first
 * @data: the field
 * @len: bytes of it
 *
 * Return: 0 unless the field is of another kind of device, or of a driver that this device cannot
 *	have; or -errno after a message
 */
int vmm_virtio_fits(const struct vmm_virtio *v, u32 tag, const u8 *data, u32 len)
{
	unsigned long said = vmm_errors();
	int err = 0;

	if (!v->ops->base)
		return vmm_error(-EOPNOTSUPP, "virtio-%s: this type cannot be loaded", v->name);
	if (tag == TAG_KIND)
		err = kind_fits(v, data, len);
	else if (tag == TAG_DRIVER)
		err = driver_fits(v, data, len);
	if (err && vmm_errors() == said)
		vmm_error(err, "snapshot: virtio-%s in slot %u is refused", v->name, v->slot);
	return err;
}

/* Addresses of queues are checked when the device is started, as always. */
static int load_locked(struct vmm_virtio *v, struct vmm_state *state, u32 tag)
{
	struct saved_driver driver;
	u8 config[VMM_VIRTIO_CONFIG];
	struct saved_kind kind;
	unsigned int i;
	int err;

	if (!v->ops->base)
		return refuse_type(v, "loaded");
	vmm_state_get(state, tag + TAG_KIND, &kind, sizeof(kind));
	err = state->err ? state->err : kind_check(v, &kind);
	if (err)
		return err;
	vmm_state_get(state, tag + TAG_DRIVER, &driver, sizeof(driver));
	vmm_state_get(state, tag + TAG_CONFIG, config, sizeof(config));
	if (state->err || !driver_is_possible(v, &driver))
		return -EINVAL;
	driver_load(v, &driver);
	for (i = 0; i < v->queues && !err; i++)
		err = queue_load(v, i, state, tag + TAG_QUEUE + i);
	if (!err && v->ops->load)
		err = v->ops->load(v, state, tag + TAG_MODEL, config);
	if (err)
		return err;
	/* The configuration has changed, for example a network's link: interrupts the driver. */
	if (memcmp(v->config, config, sizeof(config))) {
		v->generation++;
		if (v->status & VIRTIO_CONFIG_S_DRIVER_OK)
			v->config_pending = true;
	}
	vmm_virtio_start_loaded(v, le32toh(driver.running));
	return 0;
}

/**
 * vmm_virtio_load - load a device
 * @v: attached; it is reset first
 * @state: open; its next fields are the device's
 * @tag: the first of the device's tags
 *
 * Context: main thread; no vCPU runs.
 * Return: 0, or -errno; the device must be reset then
 */
int vmm_virtio_load(struct vmm_virtio *v, struct vmm_state *state, u32 tag)
{
	int err;

	/* Stops the device first, so that its queues are not in use. */
	if (v->status)
		vmm_virtio_reset(v);
	pthread_mutex_lock(&v->lock);
	err = load_locked(v, state, tag);
	pthread_mutex_unlock(&v->lock);
	return err;
}
