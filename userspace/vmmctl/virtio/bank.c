// SPDX-License-Identifier: GPL-2.0-only
/*
 * The board's 32 virtio-mmio transports: their devices, and the connection of their registers,
 * doorbells and interrupts to KVM.
 *
 * With a register window the guest reads all of them without an exit; without one, exits are
 * answered from the same memory. Devices get the transports from the highest one down (models.c
 * has their order).
 */
#include <assert.h>
#include <endian.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/virtio_mmio.h>

#include "devices/devices.h"
#include "virtio/models.h"

/**
 * struct transport - a transport with a device behind it
 * @v: the device
 * @line: its interrupt
 * @ack: doorbell of interrupt acknowledgements
 * @bell: doorbell of each queue
 */
struct transport {
	struct vmm_virtio v;
	struct vmm_line line;
	struct vmm_doorbell ack;
	struct vmm_doorbell bell[VMM_VIRTIO_QUEUES];
};

/**
 * struct bank - the transports
 * @set: the devices behind them; vmm_virtio_commands want it first
 * @dev: the row of transports on the board
 * @window: registers of all, one after the other
 * @window_fd: memfd behind it
 * @ack_fd: eventfd of interrupt acknowledgements; never read
 * @t: by number, NULL for one without a device
 */
struct bank {
	struct vmm_virtio_set set;
	struct vmm_device *dev;
	struct vmm_read_window window;
	int window_fd;
	int ack_fd;
	struct transport *t[RANCHU_VIRTIO_MMIO_COUNT];
};

static_assert(!offsetof(struct bank, set), "the state begins with the set");
static_assert(RANCHU_VIRTIO_MMIO_COUNT == VMM_VIRTIO_PLACES, "a place is a transport");

static u8 *bank_regs(const struct bank *b, unsigned int slot)
{
	return (u8 *)b->window.hva + slot * b->dev->size;
}

static u64 bank_read(struct vmm_device *dev, u64 offset, unsigned int len)
{
	const struct bank *b = dev->state;

	(void)len;
	return vmm_virtio_mmio_peek(bank_regs(b, offset / dev->size), offset % dev->size);
}

static void bank_write(struct vmm_device *dev, u64 offset, u64 value, unsigned int len)
{
	const struct bank *b = dev->state;
	struct transport *t = b->t[offset / dev->size];

	if (t)
		vmm_virtio_mmio_write(&t->v, offset % dev->size, value, len);
}

/* Writes of a running driver signal these doorbells and do not reach bank_write(). */
static int transport_doorbells(struct bank *b, struct transport *t)
{
	u64 base = b->dev->base + t->v.slot * b->dev->size;
	unsigned int i;
	int err;

	t->ack = (struct vmm_doorbell){
		.addr = base + VIRTIO_MMIO_INTERRUPT_ACK,
		.len = sizeof(u32),
		.matches = true,
		.value = VIRTIO_MMIO_INT_VRING,
		.fd = b->ack_fd,
	};
	err = vmm_doorbell_add(t->v.vm, &t->ack);
	for (i = 0; !err && i < t->v.queues; i++) {
		t->bell[i] = (struct vmm_doorbell){
			.addr = base + VIRTIO_MMIO_QUEUE_NOTIFY,
			.len = sizeof(u32),
			.matches = true,
			.value = i,
			.fd = t->v.queue[i].kick_fd,
		};
		err = vmm_doorbell_add(t->v.vm, &t->bell[i]);
	}
	return err;
}

static void transport_free(struct transport *t)
{
	vmm_virtio_fini(&t->v);
	free(t);
}

static struct transport *transport_alloc(struct bank *b, const struct vmm_virtio_ops *ops,
					 unsigned int index, unsigned int slot)
{
	struct transport *t = calloc(1, sizeof(*t));

	if (!t)
		return NULL;
	vmm_virtio_init(&t->v, b->dev->vm, ops, index, slot);
	t->v.regs = bank_regs(b, slot);
	return t;
}

static int transport_wire(struct bank *b, struct transport *t)
{
	int err;

	vmm_line_init(&t->line, t->v.vm, b->dev->irq + t->v.slot);
	err = vmm_line_attach(&t->line, t->v.call_fd, -1);
	return err ? err : transport_doorbells(b, t);
}

static int bank_plug(void *arg, const struct vmm_virtio_ops *ops, unsigned int index,
		     unsigned int slot)
{
	struct bank *b = arg;
	struct transport *t = transport_alloc(b, ops, index, slot);
	int err;

	if (!t)
		return vmm_error(ENOMEM, "virtio-%s", ops->name);
	err = vmm_virtio_need(&t->v, VMM_KVM_IRQFD);
	if (!err)
		err = ops->create(&t->v);
	if (err)
		goto err_free;
	err = vmm_virtio_open_events(&t->v);
	if (err)
		goto err_destroy;
	/* Its lines and doorbells are in the VM's lists from here on: freed with the bank only. */
	b->t[slot] = t;
	b->set.v[slot] = &t->v;
	vmm_virtio_mmio_plug(&t->v);
	return transport_wire(b, t);

err_destroy:
	ops->destroy(&t->v);
err_free:
	transport_free(t);
	return err;
}

/* Finds the highest free transport. */
static int bank_next(const struct vmm_virtio_place *at, const struct vmm_virtio_ops *ops)
{
	int slot = VMM_VIRTIO_PLACES - 1;

	(void)ops;
	while (slot >= 0 && at[slot].ops)
		slot--;
	return slot;
}

static int bank_open(struct bank *b)
{
	const struct vmm_device *dev = b->dev;
	unsigned int i;

	b->window.gpa = dev->base;
	b->window.size = dev->size * dev->count;
	b->window.shown = dev->vm->read_window;
	b->window.hva = vmm_mem_window(b->window.size, &b->window_fd);
	if (!b->window.hva)
		return vmm_error(errno, "cannot allocate the virtio registers");
	for (i = 0; i < dev->count; i++)
		vmm_virtio_mmio_idle(bank_regs(b, i));
	b->ack_fd = vmm_event_create();
	if (b->ack_fd < 0)
		return b->ack_fd;
	vmm_read_window_add(dev->vm, &b->window);
	return 0;
}

static void bank_destroy(struct vmm_device *dev)
{
	struct bank *b = dev->state;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(b->t); i++) {
		if (!b->t[i])
			continue;
		vmm_virtio_mmio_unplug(&b->t[i]->v);
		b->t[i]->v.ops->destroy(&b->t[i]->v);
		transport_free(b->t[i]);
	}
	if (b->ack_fd >= 0)
		close(b->ack_fd);
	if (b->window.hva) {
		munmap(b->window.hva, b->window.size);
		close(b->window_fd);
	}
	free(b);
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
		err = vmm_virtio_plug_all(dev->vm->cfg, bank_next, bank_plug, b);
	if (err)
		bank_destroy(dev);
	else
		vmm_virtio_note_exits(dev->vm, &b->set);
	return err;
}

static void bank_reset(struct vmm_device *dev)
{
	const struct bank *b = dev->state;

	vmm_virtio_set_reset(&b->set);
	vmm_event_clear(b->ack_fd);
}

static void bank_pause(struct vmm_device *dev)
{
	const struct bank *b = dev->state;

	vmm_virtio_set_pause(&b->set);
}

static void bank_resume(struct vmm_device *dev)
{
	const struct bank *b = dev->state;

	vmm_virtio_set_resume(&b->set);
}

static int bank_save(struct vmm_device *dev, struct vmm_state *state)
{
	const struct bank *b = dev->state;

	return vmm_virtio_set_save(&b->set, dev->ops->name, state);
}

static int bank_fits(const struct vmm_device *dev, struct vmm_state *state)
{
	const struct bank *b = dev->state;

	return vmm_virtio_set_fits(&b->set, state);
}

static int bank_load(struct vmm_device *dev, struct vmm_state *state)
{
	const struct bank *b = dev->state;

	return vmm_virtio_set_load(&b->set, dev->ops->name, state);
}

static void bank_describe(const struct vmm_device *dev, struct vmm_visitor *visitor)
{
	struct vmm_description description = {
		.node = "virtio_mmio",
		.compatible = { "virtio,mmio" },
		.size = dev->size,
		.trigger = dev->trigger,
		.dma = true,
	};
	unsigned int i;

	for (i = 0; i < dev->count; i++) {
		description.base = dev->base + i * dev->size;
		description.irq = dev->irq + i;
		visitor->device(visitor, &description);
	}
}

static void bank_parts(struct vmm_device *dev, struct vmm_report_visitor *visitor)
{
	const struct bank *b = dev->state;

	vmm_virtio_set_parts(&b->set, visitor);
}

/**
 * vmm_virtio_disk_base - return the address of a disk, which device trees and command lines name
 * @board: the board
 * @cfg: has all devices
 * @index: index of the disk
 *
 * Return: guest physical address of its transport; 0 if the devices do not fit
 */
u64 vmm_virtio_disk_base(const struct vmm_board *board, const struct vmm_config *cfg,
			 unsigned int index)
{
	struct vmm_virtio_place at[VMM_VIRTIO_PLACES];
	unsigned int i;

	if (vmm_virtio_assign(cfg, bank_next, at))
		return 0;
	for (i = 0; i < board->devices; i++) {
		const struct vmm_device *dev = &board->dev[i];

		if (dev->ops == &vmm_virtio_bank_ops)
			return dev->base +
			       vmm_virtio_place_of(at, &vmm_blk_ops, index) * dev->size;
	}
	return 0;
}

/** The virtio-mmio transports, with and without devices. */
const struct vmm_device_ops vmm_virtio_bank_ops = {
	.name = "virtio_mmio",
	.create = bank_create,
	.reset = bank_reset,
	.destroy = bank_destroy,
	.read = bank_read,
	.write = bank_write,
	.pause = bank_pause,
	.resume = bank_resume,
	.save = bank_save,
	.fits = bank_fits,
	.load = bank_load,
	.describe = bank_describe,
	.parts = bank_parts,
	.commands = vmm_virtio_commands,
};
