// SPDX-License-Identifier: GPL-2.0-only
/*
 * The board's 32 virtio-mmio transports: which device is behind which, and how
 * their registers, doorbells and interrupts are wired to KVM.
 *
 * With a register window the guest reads all of them without an exit; without
 * one the same memory answers exits. Devices get the transports from the highest
 * one down, in the order of the table below: guests know disks by the addresses
 * that result. A device for which the command line names a transport gets that one, and
 * it is left out for all others.
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
 * struct transport - a transport with a device behind it
 * @v: the device
 * @line: its interrupt
 * @ack: the doorbell of acknowledged interrupts
 * @bell: of each queue
 */
struct transport {
	struct vmm_virtio v;
	struct vmm_line line;
	struct vmm_doorbell ack;
	struct vmm_doorbell bell[VMM_VIRTIO_QUEUES];
};

/**
 * struct bank - the transports
 * @dev: the row of transports on the board
 * @window: registers of all, one after the other
 * @window_fd: memfd behind it
 * @ack_fd: eventfd that takes acknowledged interrupts; nobody reads it
 * @t: by number, NULL for one without a device
 */
struct bank {
	struct vmm_device *dev;
	struct vmm_read_window window;
	int window_fd;
	int ack_fd;
	struct transport *t[RANCHU_VIRTIO_MMIO_COUNT];
};

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

/* What the guest writes in steady state never gets to bank_write(). */
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

static void transport_free(struct transport *t)
{
	struct vmm_virtio *v = &t->v;
	unsigned int i;

	if (v->call_fd >= 0)
		close(v->call_fd);
	for (i = 0; i < VMM_VIRTIO_QUEUES; i++) {
		if (v->queue[i].kick_fd >= 0)
			close(v->queue[i].kick_fd);
	}
	pthread_cond_destroy(&v->idle);
	pthread_mutex_destroy(&v->lock);
	free(t);
}

static struct transport *transport_alloc(struct bank *b, const struct vmm_virtio_ops *ops,
					 unsigned int index, unsigned int slot)
{
	struct transport *t = calloc(1, sizeof(*t));
	struct vmm_virtio *v;
	unsigned int i;

	if (!t)
		return NULL;
	v = &t->v;
	pthread_mutex_init(&v->lock, NULL);
	pthread_cond_init(&v->idle, NULL);
	v->vm = b->dev->vm;
	v->slot = slot;
	v->regs = bank_regs(b, slot);
	v->call_fd = -1;
	for (i = 0; i < VMM_VIRTIO_QUEUES; i++)
		v->queue[i].kick_fd = -1;
	v->ops = ops;
	v->index = index;
	v->legacy = ops->transport && ops->transport(v->vm->cfg, index)->legacy;
	v->name = ops->name;
	v->id = ops->id;
	v->queue_max = ops->queue_max;
	v->queues = ops->queues;
	return t;
}

static int transport_wire(struct bank *b, struct transport *t)
{
	int err;

	vmm_line_init(&t->line, t->v.vm, b->dev->irq + t->v.slot);
	err = vmm_line_attach(&t->line, t->v.call_fd, -1);
	return err ? err : transport_doorbells(b, t);
}

static int bank_plug(struct bank *b, const struct vmm_virtio_ops *ops, unsigned int index,
		     unsigned int slot)
{
	struct transport *t = transport_alloc(b, ops, index, slot);
	int err;

	if (!t)
		return vmm_error(ENOMEM, "virtio-%s", ops->name);
	err = ops->create(&t->v);
	if (err)
		goto err_free;
	err = transport_events(&t->v);
	if (err)
		goto err_destroy;
	/* In the machine's lists from here on: it stays until the bank goes. */
	b->t[slot] = t;
	vmm_virtio_mmio_plug(&t->v);
	return transport_wire(b, t);

err_destroy:
	ops->destroy(&t->v);
err_free:
	transport_free(t);
	return err;
}

/**
 * struct assignment - what is behind a transport
 * @ops: the model, NULL for nothing
 * @index: which of the config's devices of that model
 */
struct assignment {
	const struct vmm_virtio_ops *ops;
	unsigned int index;
};

/* The transport that the config wants for a device, or -1 for any. */
static int slot_wanted(const struct vmm_config *cfg, const struct vmm_virtio_ops *ops,
		       unsigned int index)
{
	return ops->transport ? ops->transport(cfg, index)->slot : -1;
}

/* Gives transports to all devices that name one, or to all that do not. */
static int assign_some(const struct vmm_config *cfg, struct assignment *at, bool named)
{
	int next = RANCHU_VIRTIO_MMIO_COUNT - 1;
	unsigned int i;
	unsigned int j;

	for (i = 0; i < ARRAY_SIZE(virtio_models); i++) {
		for (j = 0; j < virtio_models[i]->count(cfg); j++) {
			int slot = slot_wanted(cfg, virtio_models[i], j);
			bool names = slot >= 0;

			if (names != named)
				continue;
			if (named && at[slot].ops)
				return vmm_error(-EBUSY, "two virtio devices want slot %d", slot);
			while (!named && next >= 0 && at[next].ops)
				next--;
			if (!named)
				slot = next;
			if (slot < 0)
				return vmm_error(-ENOSPC, "more virtio devices than transports");
			at[slot] = (struct assignment){ .ops = virtio_models[i], .index = j };
		}
	}
	return 0;
}

/* Where all devices are: those that name their transport first. */
static int assign_all(const struct vmm_config *cfg, struct assignment *at)
{
	int err;

	memset(at, 0, RANCHU_VIRTIO_MMIO_COUNT * sizeof(*at));
	err = assign_some(cfg, at, true);
	return err ? err : assign_some(cfg, at, false);
}

static unsigned int assigned_slot(const struct assignment *at, const struct vmm_virtio_ops *ops,
				  unsigned int index)
{
	unsigned int slot = 0;

	while (at[slot].ops != ops || at[slot].index != index)
		slot++;
	return slot;
}

static int bank_plug_all(struct bank *b)
{
	const struct vmm_config *cfg = b->dev->vm->cfg;
	struct assignment at[RANCHU_VIRTIO_MMIO_COUNT];
	unsigned int i;
	unsigned int j;
	int err;

	err = assign_all(cfg, at);
	for (i = 0; !err && i < ARRAY_SIZE(virtio_models); i++) {
		for (j = 0; !err && j < virtio_models[i]->count(cfg); j++)
			err = bank_plug(b, virtio_models[i], j,
					assigned_slot(at, virtio_models[i], j));
	}
	return err;
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
		err = bank_plug_all(b);
	if (err)
		bank_destroy(dev);
	return err;
}

static void bank_reset(struct vmm_device *dev)
{
	const struct bank *b = dev->state;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(b->t); i++) {
		if (b->t[i])
			vmm_virtio_reset(&b->t[i]->v);
	}
	vmm_event_clear(b->ack_fd);
}

static void bank_pause(struct vmm_device *dev)
{
	const struct bank *b = dev->state;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(b->t); i++) {
		if (b->t[i] && b->t[i]->v.ops->pause)
			b->t[i]->v.ops->pause(&b->t[i]->v);
	}
}

static void bank_resume(struct vmm_device *dev)
{
	const struct bank *b = dev->state;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(b->t); i++) {
		if (b->t[i] && b->t[i]->v.ops->resume)
			b->t[i]->v.ops->resume(&b->t[i]->v);
	}
}

static void bank_describe(const struct vmm_device *dev, struct vmm_visitor *visitor)
{
	struct vmm_description description = {
		.node = "virtio_mmio",
		.compatible = { "virtio,mmio" },
		.size = dev->size,
		.trigger = dev->trigger,
	};
	unsigned int i;

	for (i = 0; i < dev->count; i++) {
		description.base = dev->base + i * dev->size;
		description.irq = dev->irq + i;
		visitor->device(visitor, &description);
	}
}

/* Asks every device that has the command. */
static int bank_command(const struct bank *b, const char *name, const char *arg)
{
	const struct vmm_virtio_command *command;
	int result = -ENOENT;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(b->t); i++) {
		command = b->t[i] ? b->t[i]->v.ops->commands : NULL;
		for (; command && command->name; command++) {
			int err;

			if (strcmp(command->name, name))
				continue;
			err = command->run(&b->t[i]->v, arg);
			if (!result || result == -ENOENT)
				result = err;
		}
	}
	return result;
}

/* Devices of a kind add up. */
static void bank_stats(struct vmm_device *dev, struct vmm_report *report)
{
	const struct bank *b = dev->state;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(b->t); i++) {
		if (b->t[i] && b->t[i]->v.ops->stats)
			b->t[i]->v.ops->stats(&b->t[i]->v, report);
	}
}

static int bank_resize(struct vmm_device *dev, const char *arg)
{
	return bank_command(dev->state, "resize", arg);
}

static const struct vmm_device_command bank_commands[] = {
	{ "resize", "look again at the sizes of disks", bank_resize },
	{ 0 },
};

/**
 * vmm_virtio_disk_base - tell where a disk is, by which guests know it
 * @board: the board
 * @cfg: has all devices
 * @index: of the disk
 *
 * Return: guest physical address of its transport; 0 if the devices do not fit
 */
u64 vmm_virtio_disk_base(const struct vmm_board *board, const struct vmm_config *cfg,
			 unsigned int index)
{
	struct assignment at[RANCHU_VIRTIO_MMIO_COUNT];
	unsigned int i;

	if (assign_all(cfg, at))
		return 0;
	for (i = 0; i < board->devices; i++) {
		const struct vmm_device *dev = &board->dev[i];

		if (dev->ops == &vmm_virtio_bank_ops)
			return dev->base + assigned_slot(at, &vmm_blk_ops, index) * dev->size;
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
	.describe = bank_describe,
	.stats = bank_stats,
	.commands = bank_commands,
};
