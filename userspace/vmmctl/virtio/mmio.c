// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registers of one virtio-mmio transport, version 2, or version 1 for drivers
 * from before virtio 1.0: the state machine that a driver walks through, and nothing
 * of KVM.
 *
 * Everything that can be read is kept in memory as the driver is to read it, and
 * each write brings that memory up to date. So it does not matter whether the
 * guest reads the memory itself (the register window) or through an exit.
 *
 * In steady state no write gets here either: QueueNotify signals an eventfd, and
 * so does an InterruptACK of 1. That is why InterruptStatus says "used buffer"
 * all the time that the device runs: a driver that was interrupted looks into its
 * rings anyway. An acknowledged change of configuration is a 3 and does get here.
 *
 * Source: Virtual I/O Device (VIRTIO) Version 1.2, 4.2.2 MMIO Device Register
 * Layout, 4.2.4 Legacy interface; 2.1 Device Status Field; 3.1.1 Driver Requirements:
 * Device Initialization; 2.7.2 for where a legacy ring's pieces are.
 */
#include <endian.h>
#include <string.h>
#include <sys/eventfd.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>

#include "virtio/virtio.h"

#define VIRTIO_MMIO_MAGIC	0x74726976	/* "virt" */
#define VIRTIO_MMIO_LEGACY	1
#define VIRTIO_MMIO_MODERN	2
/* What the reference's transports say: "QEMU". */
#define VIRTIO_MMIO_VENDOR	0x554d4551

#define STATUS_BY_DRIVER	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | \
				 VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_FEATURES_OK | \
				 VIRTIO_CONFIG_S_FAILED)

/*
 * The guest may read while this writes: each register is stored whole, and the
 * driver's next access, by the CPU whose write caused it, comes after it.
 */
static void reg_set(u8 *regs, u32 offset, u32 value)
{
	__atomic_store_n((u32 *)(regs + offset), htole32(value), __ATOMIC_RELEASE);
}

static u32 reg_get(const u8 *regs, u32 offset)
{
	return le32toh(__atomic_load_n((const u32 *)(regs + offset), __ATOMIC_RELAXED));
}

/**
 * vmm_virtio_idle - show a transport without a device
 * @regs: its registers, zeroed before first use
 *
 * Device id 0 is what makes a driver leave it alone.
 */
void vmm_virtio_idle(u8 *regs)
{
	memset(regs, 0, RANCHU_VIRTIO_MMIO_SIZE);
	reg_set(regs, VIRTIO_MMIO_MAGIC_VALUE, VIRTIO_MMIO_MAGIC);
	reg_set(regs, VIRTIO_MMIO_VERSION, VIRTIO_MMIO_MODERN);
}

/**
 * vmm_virtio_peek - answer a read that exited
 * @regs: the transport's registers
 * @offset: byte offset, less than RANCHU_VIRTIO_MMIO_SIZE
 *
 * Context: any thread.
 * Return: up to 8 bytes from there on
 */
u64 vmm_virtio_peek(const u8 *regs, u32 offset)
{
	size_t room = RANCHU_VIRTIO_MMIO_SIZE - offset;
	u64 value = 0;

	/* A register is read whole, as the guest itself would read it. */
	if (offset % sizeof(u32) == 0) {
		value = reg_get(regs, offset);
		if (room > sizeof(u32))
			value |= (u64)reg_get(regs, offset + sizeof(u32)) << 32;
	} else {
		memcpy(&value, regs + offset, room < sizeof(value) ? room : sizeof(value));
	}
	return value;
}

static struct vmm_virtio_queue *queue_selected(struct vmm_virtio *v)
{
	return v->queue_sel < v->queues ? &v->queue[v->queue_sel] : NULL;
}

static void show_features(struct vmm_virtio *v)
{
	u32 half = 0;

	if (v->offered_sel < 2)
		half = v->offered >> (32 * v->offered_sel);
	reg_set(v->regs, VIRTIO_MMIO_DEVICE_FEATURES, half);
}

static void show_queue(struct vmm_virtio *v)
{
	const struct vmm_virtio_queue *q = queue_selected(v);

	reg_set(v->regs, VIRTIO_MMIO_QUEUE_NUM_MAX, q ? v->queue_max : 0);
	if (v->legacy)
		reg_set(v->regs, VIRTIO_MMIO_QUEUE_PFN, q ? q->pfn : 0);
	else
		reg_set(v->regs, VIRTIO_MMIO_QUEUE_READY, q && q->ready);
}

static void show_status(struct vmm_virtio *v)
{
	u32 interrupt = 0;

	if (v->running)
		interrupt |= VIRTIO_MMIO_INT_VRING;
	if (v->config_pending)
		interrupt |= VIRTIO_MMIO_INT_CONFIG;
	reg_set(v->regs, VIRTIO_MMIO_INTERRUPT_STATUS, interrupt);
	reg_set(v->regs, VIRTIO_MMIO_STATUS, v->status);
}

/* There are no shared memory regions: the length of each is -1. */
static void show_identity(struct vmm_virtio *v)
{
	reg_set(v->regs, VIRTIO_MMIO_VERSION, v->legacy ? VIRTIO_MMIO_LEGACY : VIRTIO_MMIO_MODERN);
	reg_set(v->regs, VIRTIO_MMIO_VENDOR_ID, VIRTIO_MMIO_VENDOR);
	reg_set(v->regs, VIRTIO_MMIO_SHM_LEN_LOW, ~0U);
	reg_set(v->regs, VIRTIO_MMIO_SHM_LEN_HIGH, ~0U);
	reg_set(v->regs, VIRTIO_MMIO_SHM_BASE_LOW, ~0U);
	reg_set(v->regs, VIRTIO_MMIO_SHM_BASE_HIGH, ~0U);
	reg_set(v->regs, VIRTIO_MMIO_DEVICE_ID, v->id);
}

static void config_interrupt_locked(struct vmm_virtio *v)
{
	v->config_pending = true;
	show_status(v);
	vmm_event_signal(v->call_fd);
}

/* A driver that has started the device is interrupted. */
static void fail_locked(struct vmm_virtio *v)
{
	v->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	if (v->status & VIRTIO_CONFIG_S_DRIVER_OK)
		config_interrupt_locked(v);
	else
		show_status(v);
}

/**
 * vmm_virtio_fail - make the device ask its driver for a reset
 * @v: the device; its model has said why
 *
 * Context: any thread, without @v->lock.
 */
void vmm_virtio_fail(struct vmm_virtio *v)
{
	pthread_mutex_lock(&v->lock);
	fail_locked(v);
	pthread_mutex_unlock(&v->lock);
}

/**
 * vmm_virtio_fail_if - make the device ask its driver for a reset if a ring is broken
 * @v: the device
 * @err_fd: eventfd that says so. Stopping the device clears it: a ring of the driver
 *	that was there before is no error of the next one
 *
 * Context: any thread, without @v->lock.
 * Return: whether a ring is broken
 */
bool vmm_virtio_fail_if(struct vmm_virtio *v, int err_fd)
{
	eventfd_t value;
	bool broken;

	pthread_mutex_lock(&v->lock);
	broken = !eventfd_read(err_fd, &value);
	if (broken)
		fail_locked(v);
	pthread_mutex_unlock(&v->lock);
	return broken;
}

static void stop_locked(struct vmm_virtio *v)
{
	if (!v->running && !v->stop_pending)
		return;
	v->ops->stop(v);
	v->running = false;
	if (v->stop_pending)
		fail_locked(v);
}

/*
 * What InterruptStatus says comes first: the device may interrupt another CPU of
 * the guest's before it has started altogether.
 */
static void start_locked(struct vmm_virtio *v)
{
	v->running = true;
	show_status(v);
	if (v->ops->start(v)) {
		v->running = false;
		fail_locked(v);
	}
}

static void reset_locked(struct vmm_virtio *v)
{
	unsigned int i;

	stop_locked(v);
	v->accepted = 0;
	v->offered_sel = 0;
	v->accepted_sel = 0;
	v->queue_sel = 0;
	/* A driver that reads no 0 here knows that the reset is not complete. */
	v->status = v->stop_pending ? VIRTIO_CONFIG_S_NEEDS_RESET : 0;
	v->config_pending = false;
	for (i = 0; i < v->queues; i++) {
		v->queue[i] = (struct vmm_virtio_queue){
			.num = v->queue_max,
			.kick_fd = v->queue[i].kick_fd,
		};
	}
	show_features(v);
	show_queue(v);
	show_status(v);
}

/* What a legacy driver never says, as there was nothing to say it with. */
static bool features_agreed(const struct vmm_virtio *v)
{
	if (v->legacy)
		return !(v->accepted & ~v->offered);
	return v->status & VIRTIO_CONFIG_S_FEATURES_OK;
}

/*
 * Bits only come; a write of 0 is how they go. FEATURES_OK stays away from a
 * driver that wants what there is not, or whose age is not the transport's.
 */
static void write_status(struct vmm_virtio *v, u32 value)
{
	u32 more = value & ~v->status & STATUS_BY_DRIVER;

	if (!value) {
		reset_locked(v);
		return;
	}
	if (v->accepted & ~v->offered || !vmm_virtio_accepted(v, VIRTIO_F_VERSION_1))
		more &= ~VIRTIO_CONFIG_S_FEATURES_OK;
	v->status |= more;
	if (more & VIRTIO_CONFIG_S_DRIVER_OK) {
		if (features_agreed(v))
			start_locked(v);
		else
			fail_locked(v);
	}
	show_status(v);
}

/*
 * Settled features are not changed any more, whatever the driver writes: rings were
 * checked with them. A legacy driver settles them by starting the device.
 */
static void write_features(struct vmm_virtio *v, u32 value)
{
	u32 settled = VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK;
	unsigned int shift = 32 * v->accepted_sel;

	if (v->accepted_sel > 1 || v->status & settled)
		return;
	v->accepted &= ~(0xffffffffULL << shift);
	v->accepted |= (u64)value << shift;
}

static bool queue_size_fits(const struct vmm_virtio *v, u32 num)
{
	if (!num || num > v->queue_max)
		return false;
	return vmm_virtio_accepted(v, VIRTIO_F_RING_PACKED) || !(num & (num - 1));
}

static void write_queue_ready(struct vmm_virtio *v, struct vmm_virtio_queue *q, bool ready)
{
	if (ready) {
		q->ready = queue_size_fits(v, q->num);
	} else if (q->ready) {
		if (v->running && v->ops->stop_queue)
			v->ops->stop_queue(v, v->queue_sel);
		else
			stop_locked(v);
		q->ready = false;
	}
	show_queue(v);
	show_status(v);
}

/* All of a legacy ring is in one piece; a page number of 0 gives it up. */
static void write_queue_pfn(struct vmm_virtio *v, struct vmm_virtio_queue *q, u32 pfn)
{
	u64 align = q->align;

	if (!pfn || q->ready)
		write_queue_ready(v, q, false);
	q->pfn = 0;
	if (pfn && v->page_size && align && !(align & (align - 1)) && queue_size_fits(v, q->num)) {
		q->pfn = pfn;
		q->desc = (u64)pfn * v->page_size;
		q->driver = q->desc + 16ULL * q->num;
		/* Flags, index, entries, and the event index, offered or not. */
		q->device = (q->driver + 6 + 2ULL * q->num + align - 1) & ~(align - 1);
		q->ready = true;
	}
	show_queue(v);
}

static void write_legacy(struct vmm_virtio *v, u32 offset, u32 value)
{
	struct vmm_virtio_queue *q = queue_selected(v);

	if (offset == VIRTIO_MMIO_GUEST_PAGE_SIZE)
		v->page_size = value;
	if (!q)
		return;
	switch (offset) {
	case VIRTIO_MMIO_QUEUE_NUM:
		if (!q->ready)
			q->num = value;
		break;
	case VIRTIO_MMIO_QUEUE_ALIGN:
		if (!q->ready)
			q->align = value;
		break;
	case VIRTIO_MMIO_QUEUE_PFN:
		write_queue_pfn(v, q, value);
		break;
	}
}

static void set_low(u64 *address, u32 value)
{
	*address = (*address & ~0xffffffffULL) | value;
}

static void set_high(u64 *address, u32 value)
{
	*address = (*address & 0xffffffffULL) | (u64)value << 32;
}

/* A queue that is ready does not change. */
static void write_queue(struct vmm_virtio *v, u32 offset, u32 value)
{
	struct vmm_virtio_queue *q = queue_selected(v);

	if (!q)
		return;
	if (offset == VIRTIO_MMIO_QUEUE_READY) {
		write_queue_ready(v, q, value & 1);
		return;
	}
	if (q->ready)
		return;
	switch (offset) {
	case VIRTIO_MMIO_QUEUE_NUM:
		q->num = value;
		break;
	case VIRTIO_MMIO_QUEUE_DESC_LOW:
		set_low(&q->desc, value);
		break;
	case VIRTIO_MMIO_QUEUE_DESC_HIGH:
		set_high(&q->desc, value);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_LOW:
		set_low(&q->driver, value);
		break;
	case VIRTIO_MMIO_QUEUE_AVAIL_HIGH:
		set_high(&q->driver, value);
		break;
	case VIRTIO_MMIO_QUEUE_USED_LOW:
		set_low(&q->device, value);
		break;
	case VIRTIO_MMIO_QUEUE_USED_HIGH:
		set_high(&q->device, value);
		break;
	}
}

static void write_ack(struct vmm_virtio *v, u32 value)
{
	if (value & VIRTIO_MMIO_INT_CONFIG)
		v->config_pending = false;
	show_status(v);
}

/* What the doorbell's eventfd did not match, by an odd width, say. */
static void write_notify(struct vmm_virtio *v, u32 value)
{
	if (value < v->queues)
		vmm_event_signal(v->queue[value].kick_fd);
}

static void write_locked(struct vmm_virtio *v, u32 offset, u64 value, unsigned int len)
{
	switch (offset) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		v->offered_sel = value;
		show_features(v);
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		write_features(v, value);
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		v->accepted_sel = value;
		break;
	case VIRTIO_MMIO_QUEUE_SEL:
		v->queue_sel = value;
		show_queue(v);
		break;
	case VIRTIO_MMIO_QUEUE_NOTIFY:
		write_notify(v, value);
		break;
	case VIRTIO_MMIO_INTERRUPT_ACK:
		write_ack(v, value);
		break;
	case VIRTIO_MMIO_STATUS:
		write_status(v, value);
		break;
	default:
		if (offset >= VIRTIO_MMIO_CONFIG) {
			if (v->ops->write_config)
				v->ops->write_config(v, offset - VIRTIO_MMIO_CONFIG, value, len);
		} else if (v->legacy) {
			write_legacy(v, offset, value);
		} else {
			write_queue(v, offset, value);
		}
	}
}

/**
 * vmm_virtio_write - take a guest's write to a register
 * @v: the device
 * @offset: byte offset in the transport
 * @value: what was written
 * @len: bytes of it, 1 to 8
 *
 * Context: any thread.
 */
void vmm_virtio_write(struct vmm_virtio *v, u32 offset, u64 value, unsigned int len)
{
	pthread_mutex_lock(&v->lock);
	/* One write after the other, although a model may let go of the lock. */
	while (v->busy)
		pthread_cond_wait(&v->idle, &v->lock);
	v->busy = true;
	write_locked(v, offset, value, len);
	v->busy = false;
	pthread_cond_signal(&v->idle);
	pthread_mutex_unlock(&v->lock);
}

/**
 * vmm_virtio_config - set the device's configuration
 * @v: the device
 * @config: the configuration, from its beginning
 * @len: bytes, at most VMM_VIRTIO_CONFIG
 *
 * A driver that reads meanwhile may see half of it, with the old generation. It
 * is interrupted afterwards, as the generation changes, and reads again.
 *
 * Context: any thread, without @v->lock.
 */
void vmm_virtio_config(struct vmm_virtio *v, const void *config, size_t len)
{
	u32 generation;

	pthread_mutex_lock(&v->lock);
	memcpy(v->regs + VIRTIO_MMIO_CONFIG, config, len);
	generation = reg_get(v->regs, VIRTIO_MMIO_CONFIG_GENERATION);
	reg_set(v->regs, VIRTIO_MMIO_CONFIG_GENERATION, generation + 1);
	if (v->status & VIRTIO_CONFIG_S_DRIVER_OK)
		config_interrupt_locked(v);
	pthread_mutex_unlock(&v->lock);
}

/**
 * vmm_virtio_answer_locked - answer a write to the configuration
 * @v: the device, @v->lock held
 * @config: what the driver reads next, from the beginning of the configuration
 * @len: bytes, at most VMM_VIRTIO_CONFIG
 *
 * For a configuration that the driver asks for piece by piece: it has not changed, so
 * there is no interrupt.
 */
void vmm_virtio_answer_locked(struct vmm_virtio *v, const void *config, size_t len)
{
	memcpy(v->regs + VIRTIO_MMIO_CONFIG, config, len);
}

/**
 * vmm_virtio_reset - put a device into its power-on state
 * @v: plugged in; no vCPU exists
 */
void vmm_virtio_reset(struct vmm_virtio *v)
{
	unsigned int i;

	pthread_mutex_lock(&v->lock);
	reset_locked(v);
	v->page_size = 0;
	pthread_mutex_unlock(&v->lock);
	if (v->ops->reset)
		v->ops->reset(v);
	/* Whatever was signalled last is not for the next guest. */
	vmm_event_clear(v->call_fd);
	for (i = 0; i < v->queues; i++)
		vmm_event_clear(v->queue[i].kick_fd);
}

/**
 * vmm_virtio_plug - show a device to the guest
 * @v: created by its model, with @regs that were idle and eventfds
 */
void vmm_virtio_plug(struct vmm_virtio *v)
{
	pthread_mutex_lock(&v->lock);
	reset_locked(v);
	show_identity(v);
	pthread_mutex_unlock(&v->lock);
}

/**
 * vmm_virtio_unplug - stop a device and show an idle transport again
 * @v: the device; no vCPU runs
 */
void vmm_virtio_unplug(struct vmm_virtio *v)
{
	pthread_mutex_lock(&v->lock);
	stop_locked(v);
	vmm_virtio_idle(v->regs);
	pthread_mutex_unlock(&v->lock);
}
