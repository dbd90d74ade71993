// SPDX-License-Identifier: GPL-2.0-only
/*
 * The description of a virtio device as a PCI function: identity, BARs, capabilities.
 *
 *	BAR 0	ports: doorbells, 4 bytes a queue, on boards with ports
 *	BAR 1	MSI-X table and pending bits
 *	BAR 2	shared memory, if the device has some (64 bits)
 *	BAR 4	0000 common configuration, 1000 interrupt status, 2000 the device's
 *		configuration, 3000 doorbells on boards without ports
 *
 * Doorbells are ports on boards with ports, because KVM handles such a doorbell without
 * decoding the guest's instruction, on Intel and on AMD.
 *
 * Source: VIRTIO 1.2, 4.1.2 PCI Device Discovery, 4.1.4 Virtio Structure PCI
 * Capabilities, 4.1.4.7 Shared memory capability, 4.1.4.9 PCI configuration access.
 */
#include <stddef.h>
#include <endian.h>
#include <linux/pci_regs.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_pci.h>

#include "virtio/pci.h"

#define VENDOR_VIRTIO		0x1af4
#define DEVICE_MODERN		0x1040	/* plus the virtio device ID */
#define SUBSYSTEM		0x1100	/* as the reference's */
#define REVISION_MODERN		1

#define CLASS_OTHER		0x00ff00

#define CAP_HEADER		2	/* bytes of ID and link */

#define PORTS_SIZE		(VMM_VIRTIO_QUEUES * VMM_VIRTIO_PCI_STEP)

/* The PCI class, by which a guest without a driver names the device. */
static u32 class_of(u32 id)
{
	switch (id) {
	case VIRTIO_ID_NET:
		return 0x020000;
	case VIRTIO_ID_BLOCK:
	case VIRTIO_ID_SCSI:
	case VIRTIO_ID_FS:
		return 0x010000;
	case VIRTIO_ID_CONSOLE:
	case VIRTIO_ID_VSOCK:
		return 0x078000;
	case VIRTIO_ID_INPUT:
		return 0x098000;
	case VIRTIO_ID_SOUND:
		return 0x040100;
	}
	return CLASS_OTHER;
}

static struct virtio_pci_cap cap_make(u8 len, u8 type, u8 bar, u32 offset, u32 size)
{
	return (struct virtio_pci_cap){
		.cap_len = len,
		.cfg_type = type,
		.bar = bar,
		.offset = htole32(offset),
		.length = htole32(size),
	};
}

static unsigned int cap_add(struct vmm_virtio_pci *p, const void *cap, unsigned int len)
{
	return vmm_pci_add_cap(&p->fn, PCI_CAP_ID_VNDR, (const u8 *)cap + CAP_HEADER,
			       len - CAP_HEADER);
}

static void add_structure(struct vmm_virtio_pci *p, u8 type, u32 offset, u32 size)
{
	struct virtio_pci_cap cap = cap_make(sizeof(cap), type, VMM_VIRTIO_PCI_REGS, offset, size);

	cap_add(p, &cap, sizeof(cap));
}

static void add_notify(struct vmm_virtio_pci *p)
{
	struct virtio_pci_notify_cap cap = {
		.cap = cap_make(sizeof(cap), VIRTIO_PCI_CAP_NOTIFY_CFG, p->notify_bar,
				p->notify_at, PORTS_SIZE),
		.notify_off_multiplier = htole32(VMM_VIRTIO_PCI_STEP),
	};

	cap_add(p, &cap, sizeof(cap));
}

/* This capability has upper halves of offset and length, and an ID in place of padding. */
static void add_shared_memory(struct vmm_virtio_pci *p)
{
	const struct vmm_virtio_shm *shm = &p->v.shm;
	struct virtio_pci_cap64 cap = {
		.cap = cap_make(sizeof(cap), VIRTIO_PCI_CAP_SHARED_MEMORY_CFG,
				VMM_VIRTIO_PCI_SHM, 0, shm->size),
		.length_hi = htole32(shm->size >> 32),
	};

	cap.cap.id = shm->id;
	vmm_pci_set_bar(&p->fn, VMM_VIRTIO_PCI_SHM, VMM_PCI_MEMORY64, shm->size);
	cap_add(p, &cap, sizeof(cap));
}

/* The driver writes BAR, offset and length; the last 4 bytes access that place. */
static void add_access(struct vmm_virtio_pci *p)
{
	struct virtio_pci_cfg_cap cap = {
		.cap = cap_make(sizeof(cap), VIRTIO_PCI_CAP_PCI_CFG, 0, 0, 0),
	};
	unsigned int at = cap_add(p, &cap, sizeof(cap));

	vmm_pci_allow(&p->fn, at + offsetof(struct virtio_pci_cap, bar), 0xff);
	vmm_pci_allow(&p->fn, at + offsetof(struct virtio_pci_cap, offset), 0xffffffff);
	vmm_pci_allow(&p->fn, at + offsetof(struct virtio_pci_cap, length), 0xffffffff);
	vmm_pci_allow(&p->fn, at + sizeof(struct virtio_pci_cap), 0xffffffff);
	p->access_cap = at;
	p->fn.window = at + sizeof(struct virtio_pci_cap);
}

/**
 * vmm_virtio_pci_describe - describe a device as a PCI function
 * @p: @v was created by its model; @fn and the place of doorbells are filled
 * @ops: handles accesses
 * @has_ports: the board has ports for BARs
 */
void vmm_virtio_pci_describe(struct vmm_virtio_pci *p, const struct vmm_pci_ops *ops,
			     bool has_ports)
{
	const struct vmm_pci_identity identity = {
		.vendor = VENDOR_VIRTIO,
		.device = DEVICE_MODERN + p->v.id,
		.class = class_of(p->v.id),
		.revision = REVISION_MODERN,
		.subsystem_vendor = VENDOR_VIRTIO,
		.subsystem = SUBSYSTEM,
	};

	vmm_pci_init(&p->fn, ops, &identity);
	vmm_pci_set_bar(&p->fn, VMM_VIRTIO_PCI_REGS, VMM_PCI_MEMORY, VMM_VIRTIO_PCI_SIZE);
	p->notify_bar = VMM_VIRTIO_PCI_REGS;
	p->notify_at = VMM_VIRTIO_PCI_NOTIFY;
	if (has_ports) {
		vmm_pci_set_bar(&p->fn, VMM_VIRTIO_PCI_PORTS, VMM_PCI_PORTS, PORTS_SIZE);
		p->notify_bar = VMM_VIRTIO_PCI_PORTS;
		p->notify_at = 0;
	}
	/* One for the configuration, and one for each queue. */
	vmm_pci_add_msix(&p->fn, VMM_VIRTIO_PCI_MSIX, p->v.queues + 1);
	add_structure(p, VIRTIO_PCI_CAP_COMMON_CFG, VMM_VIRTIO_PCI_COMMON, 0x40);
	add_notify(p);
	add_structure(p, VIRTIO_PCI_CAP_ISR_CFG, VMM_VIRTIO_PCI_ISR, 1);
	add_structure(p, VIRTIO_PCI_CAP_DEVICE_CFG, VMM_VIRTIO_PCI_DEVICE, VMM_VIRTIO_CONFIG);
	if (p->v.shm.size)
		add_shared_memory(p);
	add_access(p);
}
