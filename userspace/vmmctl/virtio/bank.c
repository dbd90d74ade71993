// SPDX-License-Identifier: GPL-2.0-only
/*
 * The board's 32 virtio-mmio transports: which device is behind which, and how
 * their registers, doorbells and interrupts are wired to KVM.
 *
 * With a register window the guest reads all of them without an exit; without
 * one the same memory answers exits. Devices get the transports from the highest
 * one down, in the order of the table below: guests know disks by the addresses
 * that come of it. Those that the command line has put somewhere are put there, and
 * the others pass by.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/virtio_mmio.h>

#include "devices/devices.h"

/* In the order of the reference's command line: storage, network, the others. */
static const struct vmm_virtio_ops *const virtio_models[] = {
	&vmm_blk_ops,
	&vmm_net_ops,
	&vmm_vhost_user_ops,
	&vmm_vdpa_ops,
	&vmm_vsock_ops,
	&vmm_rng_ops,
	&vmm_balloon_ops,
	&vmm_hvc_ops,
	&vmm_keyboard_ops,
	&vmm_touch_ops,
};

/**
 * struct bank - the transports
 * @dev: their place on the board
 * @window: registers of all, one after the other
 * @size: bytes of it
 * @window_fd: memfd behind it
 * @ack_fd: eventfd that takes acknowledged interrupts; nobody reads it
 * @v: device by transport, NULL for none
 */
struct bank {
	struct vmm_device *dev;
	u8 *window;
	u64 size;
	int window_fd;
	int ack_fd;
	struct vmm_virtio *v[RANCHU_VIRTIO_MMIO_COUNT];
};

static u64 bank_read(struct vmm_device *dev, u32 offset)
{
	const struct bank *b = dev->state;
	u32 size = dev->row->size;

	return vmm_virtio_peek(b->window + offset / size * size, offset % size);
}

static void bank_write(struct vmm_device *dev, u32 offset, u64 value)
{
	const struct bank *b = dev->state;
	struct vmm_virtio *v = b->v[offset / dev->row->size];

	if (v)
		vmm_virtio_write(v, offset % dev->row->size, value);
}

static u64 transport_base(const struct bank *b, unsigned int slot)
{
	return b->dev->row->base + slot * b->dev->row->size;
}

/* What the guest writes in steady state never gets here. */
static int transport_doorbells(struct bank *b, struct vmm_virtio *v)
{
	u64 base = transport_base(b, v->slot);
	unsigned int i;
	int err;

	err = vmm_vm_ioeventfd(v->vm, base + VIRTIO_MMIO_INTERRUPT_ACK, VIRTIO_MMIO_INT_VRING,
			       b->ack_fd);
	for (i = 0; !err && i < v->queues; i++)
		err = vmm_vm_ioeventfd(v->vm, base + VIRTIO_MMIO_QUEUE_NOTIFY, i,
				       v->queue[i].kick_fd);
	if (err)
		return vmm_error(-err, "KVM refuses the doorbells of virtio-%s", v->name);
	return 0;
}

static int transport_events(struct vmm_virtio *v)
{
	unsigned int i;

	v->call_fd = vmm_event_create();
	if (v->call_fd < 0)
		return v->call_fd;
	for (i = 0; i < v->queues; i++) {
		v->queue[i].kick_fd = vmm_event_create();
		if (v->queue[i].kick_fd < 0)
			return v->queue[i].kick_fd;
	}
	return 0;
}

static void transport_free(struct vmm_virtio *v)
{
	unsigned int i;

	if (v->call_fd >= 0)
		close(v->call_fd);
	for (i = 0; i < VMM_VIRTIO_QUEUES; i++) {
		if (v->queue[i].kick_fd >= 0)
			close(v->queue[i].kick_fd);
	}
	pthread_mutex_destroy(&v->lock);
	free(v);
}

static struct vmm_virtio *transport_alloc(struct bank *b, unsigned int slot)
{
	struct vmm_virtio *v = calloc(1, sizeof(*v));
	unsigned int i;

	if (!v)
		return NULL;
	pthread_mutex_init(&v->lock, NULL);
	v->vm = b->dev->vm;
	v->slot = slot;
	v->regs = b->window + slot * b->dev->row->size;
	v->call_fd = -1;
	for (i = 0; i < VMM_VIRTIO_QUEUES; i++)
		v->queue[i].kick_fd = -1;
	return v;
}

static int transport_wire(struct bank *b, struct vmm_virtio *v)
{
	int err = vmm_vm_irqfd(v->vm, b->dev->row->spi + v->slot, v->call_fd, -1);

	return err ? err : transport_doorbells(b, v);
}

static int bank_plug(struct bank *b, const struct vmm_virtio_ops *ops, unsigned int index,
		     unsigned int slot)
{
	struct vmm_virtio *v = transport_alloc(b, slot);
	int err;

	if (!v)
		return vmm_error(ENOMEM, "virtio-%s", ops->name);
	v->ops = ops;
	v->index = index;
	v->legacy = ops->place && ops->place(v->vm->cfg, index)->legacy;
	v->name = ops->name;
	v->id = ops->id;
	v->queue_max = ops->queue_max;
	v->queues = ops->queues;
	err = ops->create(v);
	if (err)
		goto err_free;
	err = transport_events(v);
	if (err)
		goto err_destroy;
	err = transport_wire(b, v);
	if (err)
		goto err_destroy;
	vmm_virtio_plug(v);
	b->v[slot] = v;
	return 0;

err_destroy:
	ops->destroy(v);
err_free:
	transport_free(v);
	return err;
}

/* The transport that the command line wants for a device, or -1 for any. */
static int slot_wanted(const struct bank *b, const struct vmm_virtio_ops *ops, unsigned int index)
{
	return ops->place ? ops->place(b->dev->vm->cfg, index)->slot : -1;
}

/* A transport that no device may have by itself, as one has asked for it. */
static bool slot_reserved(const struct bank *b, int slot)
{
	unsigned int i;
	unsigned int j;

	for (i = 0; i < ARRAY_SIZE(virtio_models); i++) {
		for (j = 0; j < virtio_models[i]->count(b->dev->vm->cfg); j++) {
			if (slot_wanted(b, virtio_models[i], j) == slot)
				return true;
		}
	}
	return false;
}

static int slot_find(const struct bank *b, const struct vmm_virtio_ops *ops, unsigned int index)
{
	int slot = slot_wanted(b, ops, index);

	if (slot >= 0)
		return b->v[slot] ? vmm_error(-EBUSY, "two virtio devices want slot %d", slot) :
				    slot;
	for (slot = b->dev->row->count - 1; slot >= 0; slot--) {
		if (!b->v[slot] && !slot_reserved(b, slot))
			return slot;
	}
	return vmm_error(-ENOSPC, "more virtio devices than transports");
}

static int bank_plug_all(struct bank *b)
{
	unsigned int count;
	unsigned int i;
	unsigned int j;
	int slot;
	int err;

	for (i = 0; i < ARRAY_SIZE(virtio_models); i++) {
		count = virtio_models[i]->count(b->dev->vm->cfg);
		for (j = 0; j < count; j++) {
			slot = slot_find(b, virtio_models[i], j);
			if (slot < 0)
				return slot;
			err = bank_plug(b, virtio_models[i], j, slot);
			if (err)
				return err;
		}
	}
	return 0;
}

static int bank_open(struct bank *b)
{
	const struct vmm_board_row *row = b->dev->row;
	struct vmm_vm *vm = b->dev->vm;
	unsigned int i;

	b->size = row->size * row->count;
	b->window = vmm_mem_window(b->size, &b->window_fd);
	if (!b->window)
		return vmm_error(errno, "cannot allocate the virtio registers");
	for (i = 0; i < row->count; i++)
		vmm_virtio_idle(b->window + i * row->size);
	b->ack_fd = vmm_event_create();
	if (b->ack_fd < 0)
		return b->ack_fd;
	return vm->window ? vmm_vm_slot(vm, row->base, b->size, b->window, true) : 0;
}

/*
 * KVM still has the memslot and the eventfds, but no vCPU runs any more and the
 * VM is destroyed next.
 */
static void bank_destroy(struct vmm_device *dev)
{
	struct bank *b = dev->state;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(b->v); i++) {
		if (!b->v[i])
			continue;
		vmm_virtio_unplug(b->v[i]);
		b->v[i]->ops->destroy(b->v[i]);
		transport_free(b->v[i]);
	}
	if (b->ack_fd >= 0)
		close(b->ack_fd);
	if (b->window) {
		munmap(b->window, b->size);
		close(b->window_fd);
	}
	free(b);
}

/**
 * vmm_virtio_disk_base - tell where a disk is, by which guests know it
 * @index: of the disk; disks come first
 *
 * Return: guest physical address of its transport
 */
u64 vmm_virtio_disk_base(unsigned int index)
{
	const struct vmm_board_row *row = &vmm_board[VMM_ROW_VIRTIO];

	return row->base + (row->count - 1 - index) * row->size;
}

/**
 * vmm_virtio_refresh - have all devices look again at what is behind them
 * @vm: its board was created; main thread
 */
void vmm_virtio_refresh(struct vmm_vm *vm)
{
	const struct bank *b = vm->dev[VMM_ROW_VIRTIO].state;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(b->v); i++) {
		if (b->v[i] && b->v[i]->ops->refresh)
			b->v[i]->ops->refresh(b->v[i]);
	}
}

static int bank_create(struct vmm_device *dev)
{
	struct bank *b = calloc(1, sizeof(*b));
	int err;

	if (!b)
		return vmm_error(ENOMEM, "virtio transports");
	b->dev = dev;
	b->ack_fd = -1;
	dev->state = b;
	err = bank_open(b);
	if (!err)
		err = bank_plug_all(b);
	if (err)
		bank_destroy(dev);
	return err;
}

/** The virtio-mmio transports, with and without devices. */
const struct vmm_device_ops vmm_virtio_bank_ops = {
	.name = "virtio-mmio",
	.create = bank_create,
	.destroy = bank_destroy,
	.read = bank_read,
	.write = bank_write,
};
