// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registers of a virtio device behind PCI, on top of the device's core (device.c): common
 * configuration, doorbells, interrupt status, the device's configuration, and the window in
 * configuration space by which all of them can be accessed. There are no registers for drivers
 * older than virtio 1.0.
 *
 * A running driver's accesses do not exit: doorbells signal eventfds, and each queue's eventfd
 * sends its message.
 *
 * Source: VIRTIO 1.2, 4.1.4.3 Common configuration, 4.1.4.4 Notification, 4.1.4.5 ISR
 * status, 4.1.4.6 Device-specific configuration, 4.1.4.9 PCI configuration access;
 * 4.1.5.1.2 MSI-X vector configuration, 2.6.1 Virtqueue reset.
 */
#include <errno.h>
#include <string.h>
#include <linux/virtio_config.h>
#include <linux/virtio_pci.h>

#include "pci/pci.h"
#include "virtio/pci.h"
#include "virtio/transport.h"

/* Registers of a queue that virtio_pci.h does not name. */
#define COMMON_QUEUE_DATA	0x38
#define COMMON_QUEUE_RESET	0x3a
#define COMMON_SIZE		0x40

#define ISR_QUEUE		1
#define ISR_CONFIG		2

static struct vmm_virtio_pci *from_fn(struct vmm_pci_function *fn)
{
	return fn->state;
}

static void put(u8 *regs, unsigned int offset, u64 value, unsigned int len)
{
	for (; len--; value >>= 8)
		regs[offset++] = value;
}

static void common_fill_queue(struct vmm_virtio_pci *p, u8 *regs)
{
	const struct vmm_virtio_queue *q = vmm_virtio_queue_selected(&p->v);
	u32 i = p->v.queue_sel;

	/* A missing queue has size 0, and no vector can be assigned to it. */
	put(regs, VIRTIO_PCI_COMMON_Q_MSIX, VMM_PCI_NO_VECTOR, 2);
	if (!q)
		return;
	put(regs, VIRTIO_PCI_COMMON_Q_SIZE, q->num, 2);
	put(regs, VIRTIO_PCI_COMMON_Q_MSIX, vmm_pci_vector(p->source[i]), 2);
	put(regs, VIRTIO_PCI_COMMON_Q_ENABLE, q->ready, 2);
	put(regs, VIRTIO_PCI_COMMON_Q_NOFF, i, 2);
	put(regs, VIRTIO_PCI_COMMON_Q_DESCLO, q->desc, 8);
	put(regs, VIRTIO_PCI_COMMON_Q_AVAILLO, q->driver, 8);
	put(regs, VIRTIO_PCI_COMMON_Q_USEDLO, q->device, 8);
	put(regs, COMMON_QUEUE_DATA, i, 2);
}

static void common_fill(struct vmm_virtio_pci *p, u8 *regs)
{
	const struct vmm_virtio *v = &p->v;
	u32 accepted = v->accepted_sel < 2 ? v->accepted >> (32 * v->accepted_sel) : 0;

	put(regs, VIRTIO_PCI_COMMON_DFSELECT, v->offered_sel, 4);
	put(regs, VIRTIO_PCI_COMMON_DF, vmm_virtio_offered_half(v), 4);
	put(regs, VIRTIO_PCI_COMMON_GFSELECT, v->accepted_sel, 4);
	put(regs, VIRTIO_PCI_COMMON_GF, accepted, 4);
	put(regs, VIRTIO_PCI_COMMON_MSIX, vmm_pci_vector(p->config_source), 2);
	put(regs, VIRTIO_PCI_COMMON_NUMQ, v->queues, 2);
	put(regs, VIRTIO_PCI_COMMON_STATUS, v->status, 1);
	put(regs, VIRTIO_PCI_COMMON_CFGGENERATION, v->generation, 1);
	put(regs, VIRTIO_PCI_COMMON_Q_SELECT, v->queue_sel, 2);
	common_fill_queue(p, regs);
}

/* Reads bytes from @offset on; those beyond @size are zero. */
static u64 bytes(const u8 *from, u64 size, u64 offset, unsigned int len)
{
	u64 value = 0;
	unsigned int i;

	for (i = len; i-- > 0;)
		value = value << 8 | (offset + i < size ? from[offset + i] : 0);
	return value;
}

static u64 common_read(struct vmm_virtio_pci *p, u64 offset, unsigned int len)
{
	u8 regs[COMMON_SIZE] = { 0 };

	pthread_mutex_lock(&p->v.lock);
	common_fill(p, regs);
	pthread_mutex_unlock(&p->v.lock);
	return bytes(regs, sizeof(regs), offset, len);
}

static u64 config_read(struct vmm_virtio_pci *p, u64 offset, unsigned int len)
{
	u64 value;

	pthread_mutex_lock(&p->v.lock);
	value = bytes(p->v.config, sizeof(p->v.config), offset, len);
	pthread_mutex_unlock(&p->v.lock);
	return value;
}

/* Clears pending interrupts after a driver has reset the device. */
static void interrupts_forget(struct vmm_virtio_pci *p)
{
	unsigned int i;

	vmm_pci_set_vector(p->config_source, VMM_PCI_NO_VECTOR);
	vmm_event_clear(p->v.call_fd);
	for (i = 0; i < p->v.queues; i++) {
		vmm_pci_set_vector(p->source[i], VMM_PCI_NO_VECTOR);
		vmm_event_clear(p->v.queue[i].call_fd);
	}
	vmm_pci_take_pending(&p->fn);
}

static void write_status(struct vmm_virtio_pci *p, u32 value)
{
	vmm_virtio_set_status(&p->v, value);
	if (!p->v.status)
		interrupts_forget(p);
}

static void set_half(u64 *address, u32 value, bool high)
{
	unsigned int shift = high ? 32 : 0;

	*address &= ~(0xffffffffULL << shift);
	*address |= (u64)value << shift;
}

/* A queue that is ready does not change. */
static void write_address(struct vmm_virtio_pci *p, u64 offset, u32 value)
{
	struct vmm_virtio_queue *q = vmm_virtio_queue_selected(&p->v);

	if (!q || q->ready)
		return;
	switch (offset & ~7ULL) {
	case VIRTIO_PCI_COMMON_Q_DESCLO:
		set_half(&q->desc, value, offset & 4);
		break;
	case VIRTIO_PCI_COMMON_Q_AVAILLO:
		set_half(&q->driver, value, offset & 4);
		break;
	case VIRTIO_PCI_COMMON_Q_USEDLO:
		set_half(&q->device, value, offset & 4);
		break;
	}
}

static void write_queue(struct vmm_virtio_pci *p, u64 offset, u16 value)
{
	struct vmm_virtio_queue *q = vmm_virtio_queue_selected(&p->v);

	if (!q)
		return;
	switch (offset) {
	case VIRTIO_PCI_COMMON_Q_SIZE:
		if (!q->ready)
			q->num = value;
		break;
	case VIRTIO_PCI_COMMON_Q_MSIX:
		vmm_pci_set_vector(p->source[q - p->v.queue], value);
		break;
	case VIRTIO_PCI_COMMON_Q_ENABLE:
		/* A queue can only be disabled by a reset. */
		if (value == 1 && !q->ready)
			vmm_virtio_queue_enable(&p->v, q, true);
		break;
	case COMMON_QUEUE_RESET:
		if (value == 1)
			vmm_virtio_queue_reset(&p->v, q);
		break;
	}
}

static void common_write_2(struct vmm_virtio_pci *p, u64 offset, u16 value)
{
	switch (offset) {
	case VIRTIO_PCI_COMMON_MSIX:
		vmm_pci_set_vector(p->config_source, value);
		break;
	case VIRTIO_PCI_COMMON_Q_SELECT:
		p->v.queue_sel = value;
		break;
	default:
		write_queue(p, offset, value);
	}
}

static void common_write_4(struct vmm_virtio_pci *p, u64 offset, u32 value)
{
	switch (offset) {
	case VIRTIO_PCI_COMMON_DFSELECT:
		p->v.offered_sel = value;
		break;
	case VIRTIO_PCI_COMMON_GFSELECT:
		p->v.accepted_sel = value;
		break;
	case VIRTIO_PCI_COMMON_GF:
		vmm_virtio_accept_half(&p->v, value);
		break;
	default:
		write_address(p, offset, value);
	}
}

/* A write must have the register's width; registers of 8 bytes may be written in halves. */
static void common_write(struct vmm_virtio_pci *p, u64 offset, u64 value, unsigned int len)
{
	vmm_virtio_enter(&p->v);
	if (len == 1 && offset == VIRTIO_PCI_COMMON_STATUS) {
		write_status(p, value);
	} else if (len == 2) {
		common_write_2(p, offset, value);
	} else if (len == 4 && !(offset & 3)) {
		common_write_4(p, offset, value);
	} else if (len == 8 && !(offset & 7)) {
		write_address(p, offset, value);
		write_address(p, offset + 4, value >> 32);
	}
	vmm_virtio_leave(&p->v);
}

static u64 isr_read(struct vmm_virtio_pci *p, u64 offset)
{
	return offset ? 0 : vmm_pci_take_pending(&p->fn);
}

static u64 regs_read(struct vmm_virtio_pci *p, u64 offset, unsigned int len)
{
	u64 at = offset & 0xfff;

	switch (offset & ~0xfffULL) {
	case VMM_VIRTIO_PCI_COMMON:
		return common_read(p, at, len);
	case VMM_VIRTIO_PCI_ISR:
		return isr_read(p, at);
	case VMM_VIRTIO_PCI_DEVICE:
		return config_read(p, at, len);
	}
	return 0;
}

static u64 virtio_pci_read(struct vmm_pci_function *fn, unsigned int bar, u64 offset,
			   unsigned int len)
{
	switch (bar) {
	case VMM_VIRTIO_PCI_MSIX:
		return vmm_pci_msix_read(fn, offset, len);
	case VMM_VIRTIO_PCI_REGS:
		return regs_read(from_fn(fn), offset, len);
	}
	return 0;
}

static bool is_notify(const struct vmm_virtio_pci *p, unsigned int bar, u64 offset)
{
	return bar == p->notify_bar && offset >= p->notify_at &&
	       offset - p->notify_at < VMM_VIRTIO_QUEUES * VMM_VIRTIO_PCI_STEP;
}

/* Handles a notification that exits: the offset is that of the queue's doorbell. */
static void notify_write(struct vmm_virtio_pci *p, u64 offset)
{
	if (offset % VMM_VIRTIO_PCI_STEP)
		return;
	vmm_virtio_enter(&p->v);
	vmm_virtio_kick(&p->v, offset / VMM_VIRTIO_PCI_STEP);
	vmm_virtio_leave(&p->v);
}

static void config_write(struct vmm_virtio_pci *p, u64 offset, u64 value, unsigned int len)
{
	if (offset >= VMM_VIRTIO_CONFIG || len > VMM_VIRTIO_CONFIG - offset)
		return;
	vmm_virtio_enter(&p->v);
	vmm_virtio_write_config(&p->v, offset, value, len);
	vmm_virtio_leave(&p->v);
}

static void virtio_pci_write(struct vmm_pci_function *fn, unsigned int bar, u64 offset, u64 value,
			     unsigned int len)
{
	struct vmm_virtio_pci *p = from_fn(fn);

	if (is_notify(p, bar, offset))
		notify_write(p, offset - p->notify_at);
	else if (bar == VMM_VIRTIO_PCI_MSIX)
		vmm_pci_msix_write(fn, offset, value, len);
	else if (bar != VMM_VIRTIO_PCI_REGS)
		return;
	else if (offset < VMM_VIRTIO_PCI_ISR)
		common_write(p, offset, value, len);
	else if (offset >= VMM_VIRTIO_PCI_DEVICE && offset < VMM_VIRTIO_PCI_NOTIFY)
		config_write(p, offset - VMM_VIRTIO_PCI_DEVICE, value, len);
}

/* If KVM refuses a doorbell, because the address has one already, the write exits. */
static void doorbells_move(struct vmm_virtio_pci *p, u64 at)
{
	struct vmm_pci_bus *bus = p->fn.bus;
	bool ports = p->notify_bar == VMM_VIRTIO_PCI_PORTS;
	unsigned int i;

	for (i = 0; i < p->v.queues; i++) {
		struct vmm_pci_bell *bell = &p->bell[i];

		if (p->connected[i])
			bus->wires->doorbell(bus->arg, bell, false);
		p->connected[i] = false;
		if (at == VMM_PCI_NOWHERE)
			continue;
		*bell = (struct vmm_pci_bell){
			.ports = ports,
			.addr = at + p->notify_at + i * VMM_VIRTIO_PCI_STEP,
			.len = ports ? sizeof(u16) : 0,
			.fd = p->v.queue[i].kick_fd,
		};
		p->connected[i] = !bus->wires->doorbell(bus->arg, bell, true);
	}
}

static void shm_move(struct vmm_virtio_pci *p, u64 at)
{
	struct vmm_pci_bus *bus = p->fn.bus;

	bus->wires->memory(bus->arg, p->shm_slot, 0, 0, p->v.shm.hva);
	if (at != VMM_PCI_NOWHERE)
		bus->wires->memory(bus->arg, p->shm_slot, at, p->v.shm.size, p->v.shm.hva);
}

static void virtio_pci_moved(struct vmm_pci_function *fn, unsigned int bar)
{
	struct vmm_virtio_pci *p = from_fn(fn);

	if (bar == p->notify_bar)
		doorbells_move(p, fn->bar[bar].at);
	else if (bar == VMM_VIRTIO_PCI_SHM)
		shm_move(p, fn->bar[bar].at);
}

/**
 * struct window - target of the window in configuration space
 * @bar: the BAR
 * @offset: offset in the BAR
 * @len: bytes; 0 for no target
 * @data: last value that the guest wrote
 */
struct window {
	unsigned int bar;
	u32 offset;
	u32 len;
	u32 data;
};

static struct window window_get(struct vmm_virtio_pci *p)
{
	unsigned int cap = p->access_cap;
	struct vmm_pci_function *fn = &p->fn;
	struct window w;

	pthread_mutex_lock(&fn->bus->lock);
	w.bar = vmm_pci_get(fn, cap + offsetof(struct virtio_pci_cap, bar), 1);
	w.offset = vmm_pci_get(fn, cap + offsetof(struct virtio_pci_cap, offset), 4);
	w.len = vmm_pci_get(fn, cap + offsetof(struct virtio_pci_cap, length), 4);
	w.data = vmm_pci_get(fn, fn->window, 4);
	pthread_mutex_unlock(&fn->bus->lock);
	if ((w.len != 1 && w.len != 2 && w.len != 4) || w.offset % w.len ||
	    w.bar >= VMM_PCI_BARS || w.bar == VMM_VIRTIO_PCI_SHM ||
	    fn->bar[w.bar].kind == VMM_PCI_NONE || w.offset >= fn->bar[w.bar].size)
		w.len = 0;
	return w;
}

static void virtio_pci_window_read(struct vmm_pci_function *fn)
{
	struct window w = window_get(from_fn(fn));
	u32 data;

	if (!w.len)
		return;
	data = virtio_pci_read(fn, w.bar, w.offset, w.len);
	pthread_mutex_lock(&fn->bus->lock);
	vmm_pci_put(fn, fn->window, data, w.len);
	pthread_mutex_unlock(&fn->bus->lock);
}

static void virtio_pci_window_write(struct vmm_pci_function *fn)
{
	struct window w = window_get(from_fn(fn));

	if (w.len)
		virtio_pci_write(fn, w.bar, w.offset,
				 w.data & (w.len == 4 ? ~0U : (1U << 8 * w.len) - 1), w.len);
}

static const struct vmm_pci_ops virtio_pci_ops = {
	.read = virtio_pci_read,
	.write = virtio_pci_write,
	.moved = virtio_pci_moved,
	.window_read = virtio_pci_window_read,
	.window_write = virtio_pci_window_write,
};

/* Reads are answered from the device's members: no copy needs an update. */
static const struct vmm_virtio_transport pci_transport = {
	.queue_reset = true,
};

/**
 * vmm_virtio_pci_plug - put a device into a slot
 * @p: @v was created by its model and has eventfds, also one for each queue's interrupt
 * @bus: the bus; no vCPU runs
 * @slot: the slot
 *
 * Return: 0, or -errno without a message
 */
int vmm_virtio_pci_plug(struct vmm_virtio_pci *p, struct vmm_pci_bus *bus, unsigned int slot)
{
	unsigned int i;

	vmm_virtio_pci_describe(p, &virtio_pci_ops, bus->map.window[VMM_PCI_PORTS].size);
	p->fn.state = p;
	p->config_source = vmm_pci_add_source(&p->fn, p->v.call_fd, ISR_CONFIG);
	for (i = 0; i < p->v.queues; i++)
		p->source[i] = vmm_pci_add_source(&p->fn, p->v.queue[i].call_fd, ISR_QUEUE);
	vmm_virtio_attach(&p->v, &pci_transport);
	return vmm_pci_add(bus, &p->fn, slot);
}

/**
 * vmm_virtio_pci_unplug - stop a device and remove it from its slot
 * @p: was plugged in; no vCPU runs
 */
void vmm_virtio_pci_unplug(struct vmm_virtio_pci *p)
{
	vmm_pci_remove(&p->fn);
	vmm_virtio_detach(&p->v);
}
