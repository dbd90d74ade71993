// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registers of one virtio-mmio transport, version 2, or version 1 for drivers older than
 * virtio 1.0, on top of the device's core (device.c). It knows nothing of KVM.
 *
 * The values of all readable registers are kept in memory, and each write updates that memory. So
 * it does not matter whether the guest reads the memory itself (the register window) or through an
 * exit.
 *
 * A running driver's writes do not exit either: QueueNotify signals an eventfd, and so does an
 * InterruptACK of 1. For that reason, InterruptStatus has "used buffer" set as long as the device
 * runs: a driver that was interrupted checks its rings anyway. An acknowledged configuration change
 * is a write of 3, which does exit.
 *
 * Source: Virtual I/O Device (VIRTIO) Version 1.2, 4.2.2 MMIO Device Register
 * Layout, 4.2.4 Legacy interface; 2.7.2 for where a legacy ring's pieces are.
 */
#include <endian.h>
#include <string.h>
#include <linux/virtio_mmio.h>

#include "virtio/transport.h"

#define VIRTIO_MMIO_MAGIC	0x74726976	/* "virt" */
#define VIRTIO_MMIO_LEGACY	1
#define VIRTIO_MMIO_MODERN	2
/* The vendor of the reference's transports, "QEMU". */
#define VIRTIO_MMIO_VENDOR	0x554d4551

/*
 * The guest may read concurrently: each register is stored as a whole, and the driver's next access
 * comes later, on the CPU whose write is handled here.
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
 * vmm_virtio_mmio_idle - show a transport without a device
 * @regs: its registers, zeroed before first use
 *
 * Drivers ignore a transport with device ID 0.
 */
void vmm_virtio_mmio_idle(u8 *regs)
{
	memset(regs, 0, RANCHU_VIRTIO_MMIO_SIZE);
	reg_set(regs, VIRTIO_MMIO_MAGIC_VALUE, VIRTIO_MMIO_MAGIC);
	reg_set(regs, VIRTIO_MMIO_VERSION, VIRTIO_MMIO_MODERN);
}

/**
 * vmm_virtio_mmio_peek - answer a read that exited
 * @regs: the transport's registers
 * @offset: byte offset, less than RANCHU_VIRTIO_MMIO_SIZE
 *
 * Context: any thread.
 * Return: up to 8 bytes from there on
 */
u64 vmm_virtio_mmio_peek(const u8 *regs, u32 offset)
{
	size_t room = RANCHU_VIRTIO_MMIO_SIZE - offset;
	u64 value = 0;

	/* Reads whole registers, as the guest does in the register window. */
	if (offset % sizeof(u32) == 0) {
		value = reg_get(regs, offset);
		if (room > sizeof(u32))
			value |= (u64)reg_get(regs, offset + sizeof(u32)) << 32;
	} else {
		memcpy(&value, regs + offset, room < sizeof(value) ? room : sizeof(value));
	}
	return value;
}

static void show_queue(struct vmm_virtio *v)
{
	const struct vmm_virtio_queue *q = vmm_virtio_queue_selected(v);

	reg_set(v->regs, VIRTIO_MMIO_QUEUE_NUM_MAX, q ? v->queue_max : 0);
	if (v->legacy)
		reg_set(v->regs, VIRTIO_MMIO_QUEUE_PFN, q ? q->pfn : 0);
	else
		reg_set(v->regs, VIRTIO_MMIO_QUEUE_READY, q && q->ready);
}

static void mmio_show(struct vmm_virtio *v)
{
	u32 interrupt = 0;

	if (v->running)
		interrupt |= VIRTIO_MMIO_INT_VRING;
	if (v->config_pending)
		interrupt |= VIRTIO_MMIO_INT_CONFIG;
	reg_set(v->regs, VIRTIO_MMIO_DEVICE_FEATURES, vmm_virtio_offered_half(v));
	show_queue(v);
	reg_set(v->regs, VIRTIO_MMIO_INTERRUPT_STATUS, interrupt);
	reg_set(v->regs, VIRTIO_MMIO_STATUS, v->status);
}

static void mmio_show_config(struct vmm_virtio *v)
{
	memcpy(v->regs + VIRTIO_MMIO_CONFIG, v->config, sizeof(v->config));
	reg_set(v->regs, VIRTIO_MMIO_CONFIG_GENERATION, v->generation);
}

static const struct vmm_virtio_transport mmio_transport = {
	.show = mmio_show,
	.show_config = mmio_show_config,
};

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

/* A legacy ring is in one piece of memory; page number 0 resets the queue. */
static void write_queue_pfn(struct vmm_virtio *v, struct vmm_virtio_queue *q, u32 pfn)
{
	u64 align = q->align;

	if (!pfn || q->ready)
		vmm_virtio_queue_enable(v, q, false);
	q->pfn = 0;
	if (pfn && v->page_size && align && !(align & (align - 1)) &&
	    vmm_virtio_queue_size_fits(v, q->num)) {
		q->pfn = pfn;
		q->desc = (u64)pfn * v->page_size;
		q->driver = q->desc + 16ULL * q->num;
		/*
		 * After flags, index, entries and event index, which has its place also if it
		 * is not offered.
		 */
		q->device = (q->driver + 6 + 2ULL * q->num + align - 1) & ~(align - 1);
		q->ready = true;
	}
	show_queue(v);
}

static void write_legacy(struct vmm_virtio *v, u32 offset, u32 value)
{
	struct vmm_virtio_queue *q = vmm_virtio_queue_selected(v);

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
	struct vmm_virtio_queue *q = vmm_virtio_queue_selected(v);

	if (!q)
		return;
	if (offset == VIRTIO_MMIO_QUEUE_READY) {
		vmm_virtio_queue_enable(v, q, value & 1);
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

static void write_locked(struct vmm_virtio *v, u32 offset, u64 value, unsigned int len)
{
	switch (offset) {
	case VIRTIO_MMIO_DEVICE_FEATURES_SEL:
		v->offered_sel = value;
		mmio_show(v);
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES:
		vmm_virtio_accept_half(v, value);
		break;
	case VIRTIO_MMIO_DRIVER_FEATURES_SEL:
		v->accepted_sel = value;
		break;
	case VIRTIO_MMIO_QUEUE_SEL:
		v->queue_sel = value;
		mmio_show(v);
		break;
	case VIRTIO_MMIO_QUEUE_NOTIFY:
		/* The write did not match the doorbell, for example because of its width. */
		vmm_virtio_kick(v, value);
		break;
	case VIRTIO_MMIO_INTERRUPT_ACK:
		if (value & VIRTIO_MMIO_INT_CONFIG)
			vmm_virtio_ack_config(v);
		break;
	case VIRTIO_MMIO_STATUS:
		vmm_virtio_set_status(v, value);
		break;
	default:
		if (offset >= VIRTIO_MMIO_CONFIG)
			vmm_virtio_write_config(v, offset - VIRTIO_MMIO_CONFIG, value, len);
		else if (v->legacy)
			write_legacy(v, offset, value);
		else
			write_queue(v, offset, value);
	}
}

/**
 * vmm_virtio_mmio_write - take a guest's write to a register
 * @v: the device
 * @offset: byte offset in the transport
 * @value: what was written
 * @len: bytes of it, 1 to 8
 *
 * Context: any thread.
 */
void vmm_virtio_mmio_write(struct vmm_virtio *v, u32 offset, u64 value, unsigned int len)
{
	vmm_virtio_enter(v);
	write_locked(v, offset, value, len);
	vmm_virtio_leave(v);
}

/**
 * vmm_virtio_mmio_plug - show a device to the guest
 * @v: created by its model, with @regs that were idle and eventfds; all its interrupts
 *	are one
 */
void vmm_virtio_mmio_plug(struct vmm_virtio *v)
{
	unsigned int i;

	for (i = 0; i < v->queues; i++)
		v->queue[i].call_fd = v->call_fd;
	vmm_virtio_attach(v, &mmio_transport);
	show_identity(v);
}

/**
 * vmm_virtio_mmio_unplug - stop a device and show an idle transport again
 * @v: the device; no vCPU runs
 */
void vmm_virtio_mmio_unplug(struct vmm_virtio *v)
{
	vmm_virtio_detach(v);
	vmm_virtio_mmio_idle(v->regs);
}
