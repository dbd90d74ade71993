// SPDX-License-Identifier: GPL-2.0-only
/*
 * All virtio devices of a VM as functions of its PCI bus. The board's device for them has no
 * address of its own, because the PCI bus places BARs.
 *
 * Slots are those in the emulator's x86 guests: disks from slot 3 on, in their order, all
 * others from slot 9 on. Slot 0 has the host bridge, 1 a PC's ISA bridge, 2 the sound card, 11
 * the address space device: another device gets one of these only if its option names it.
 */
#include <assert.h>
#include <errno.h>
#include <stddef.h>
#include <stdlib.h>
#include <unistd.h>

#include "devices/devices.h"
#include "pci/host.h"
#include "virtio/models.h"
#include "virtio/pci.h"
#include "virtio/pci_bank.h"

/**
 * struct bank - the functions
 * @set: the devices; vmm_virtio_commands want it first
 * @host: the bus
 * @p: by slot, NULL for one without a device
 */
struct bank {
	struct vmm_virtio_set set;
	struct vmm_pci_host *host;
	struct vmm_virtio_pci *p[VMM_PCI_SLOTS];
};

static_assert(!offsetof(struct bank, set), "the state begins with the set");

static int first_free(const struct vmm_virtio_place *at, const u8 *order, unsigned int count)
{
	unsigned int i;

	for (i = 0; i < count; i++) {
		if (!at[order[i]].ops)
			return order[i];
	}
	return -1;
}

/**
 * vmm_virtio_pci_next - find a slot for a device whose option names none
 * @at: devices so far
 * @ops: the device's model
 *
 * Return: a slot, -1 if there is none
 */
int vmm_virtio_pci_next(const struct vmm_virtio_place *at, const struct vmm_virtio_ops *ops)
{
	static const u8 disks[] = { 3, 4, 5, 6, 7, 8 };
	static const u8 others[] = {
		9, 10, 12, 13, 14, 15, 16, 17, 18, 19, 20, 21, 22, 23, 24, 25, 26, 27, 28, 29,
		30, 31,
	};
	int slot = -1;

	if (ops == &vmm_blk_ops)
		slot = first_free(at, disks, ARRAY_SIZE(disks));
	if (slot < 0)
		slot = first_free(at, others, ARRAY_SIZE(others));
	/* If the other slots are used up, devices get slots of disks. */
	return slot < 0 ? first_free(at, disks, ARRAY_SIZE(disks)) : slot;
}

static int function_open_events(struct vmm_virtio *v)
{
	int err = vmm_virtio_open_events(v);
	unsigned int i;

	for (i = 0; !err && i < v->queues; i++) {
		v->queue[i].call_fd = vmm_event_create();
		if (v->queue[i].call_fd < 0)
			err = v->queue[i].call_fd;
	}
	return err;
}

static void function_free(struct vmm_virtio_pci *p)
{
	unsigned int i;

	for (i = 0; i < VMM_VIRTIO_QUEUES; i++) {
		if (p->v.queue[i].call_fd >= 0)
			close(p->v.queue[i].call_fd);
	}
	vmm_virtio_fini(&p->v);
	free(p);
}

static int function_plug(struct bank *b, struct vmm_virtio_pci *p, unsigned int slot)
{
	int err = function_open_events(&p->v);

	if (err)
		return err;
	if (p->v.shm.size)
		p->shm_slot = p->v.vm->slots++;
	err = vmm_virtio_pci_plug(p, &b->host->bus, slot);
	return err ? vmm_error(-err, "virtio-%s: PCI slot %u", p->v.name, slot) : 0;
}

static int bank_plug(void *arg, const struct vmm_virtio_ops *ops, unsigned int index,
		     unsigned int slot)
{
	struct bank *b = arg;
	struct vmm_virtio_pci *p = calloc(1, sizeof(*p));
	int err;

	if (!p)
		return vmm_error(ENOMEM, "virtio-%s", ops->name);
	vmm_virtio_init(&p->v, b->host->vm, ops, index, slot);
	if (p->v.legacy) {
		err = vmm_error(-EINVAL, "virtio-%s: no PCI function has legacy registers",
				ops->name);
		goto err_free;
	}
	err = vmm_virtio_need(&p->v, VMM_KVM_IRQFD | VMM_KVM_ROUTING);
	if (!err)
		err = ops->create(&p->v);
	if (err)
		goto err_free;
	err = function_plug(b, p, slot);
	if (err)
		goto err_destroy;
	b->p[slot] = p;
	b->set.v[slot] = &p->v;
	return 0;

err_destroy:
	ops->destroy(&p->v);
err_free:
	function_free(p);
	return err;
}

static void bank_destroy(struct vmm_device *dev)
{
	struct bank *b = dev->state;
	unsigned int i;

	for (i = 0; i < VMM_PCI_SLOTS; i++) {
		if (!b->p[i])
			continue;
		vmm_virtio_pci_unplug(b->p[i]);
		b->p[i]->v.ops->destroy(&b->p[i]->v);
		function_free(b->p[i]);
	}
	free(b);
}

static int bank_create(struct vmm_device *dev)
{
	struct bank *b = calloc(1, sizeof(*b));
	int err;

	if (!b)
		return vmm_error(ENOMEM, "virtio functions");
	dev->state = b;
	b->host = vmm_pci_host_find(dev->vm);
	err = b->host ? vmm_virtio_plug_all(dev->vm->cfg, vmm_virtio_pci_next, bank_plug, b) :
			vmm_error(-EINVAL, "the board has no PCI bus");
	if (err) {
		bank_destroy(dev);
		return err;
	}
	vmm_pci_power_on(&b->host->bus);
	vmm_virtio_note_exits(dev->vm, &b->set);
	return 0;
}

/* Called after the bus's reset: signals of devices that stop are discarded. */
static void bank_reset(struct vmm_device *dev)
{
	const struct bank *b = dev->state;

	vmm_virtio_set_reset(&b->set);
}

static u64 bank_read(struct vmm_device *dev, u64 offset, unsigned int len)
{
	(void)dev;
	(void)offset;
	(void)len;
	return 0;
}

static void bank_write(struct vmm_device *dev, u64 offset, u64 value, unsigned int len)
{
	(void)dev;
	(void)offset;
	(void)value;
	(void)len;
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

/* Registers of the transport are in the bus's state. */
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

/* The guest finds PCI functions itself. */
static void bank_describe(const struct vmm_device *dev, struct vmm_visitor *visitor)
{
	(void)dev;
	(void)visitor;
}

static void bank_parts(struct vmm_device *dev, struct vmm_report_visitor *visitor)
{
	const struct bank *b = dev->state;

	vmm_virtio_set_parts(&b->set, visitor);
}

/** The virtio devices, as functions of the board's PCI bus. */
const struct vmm_device_ops vmm_virtio_pci_bank_ops = {
	.name = "virtio_pci",
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
