// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver for virtio-rng behind PCI: one queue, one request at a time.
 *
 * Source: VIRTIO 1.2, 2.7, 3.1.1, 4.1.4.
 */
#include <linux/pci_regs.h>

#include "tests/kvm/guest/guest.h"

/* Vendor-specific capabilities: their types, and their registers. */
#define CAP_COMMON	1
#define CAP_NOTIFY	2
#define CAP_ISR		3
#define CAP_BAR		4
#define CAP_OFFSET	8
#define CAP_MULTIPLIER	16

#define COMMON_DRIVER_SELECT	0x08
#define COMMON_DRIVER_FEATURES	0x0c
#define COMMON_STATUS		0x14
#define COMMON_QUEUE		0x16
#define COMMON_QUEUE_SIZE	0x18
#define COMMON_QUEUE_ENABLE	0x1c
#define COMMON_QUEUE_NOTIFY	0x1e
#define COMMON_QUEUE_DESC	0x20
#define COMMON_QUEUE_DRIVER	0x28
#define COMMON_QUEUE_DEVICE	0x30

#define STATUS_DRIVER		3	/* ACKNOWLEDGE and DRIVER */
#define STATUS_FEATURES		8
#define STATUS_RUNS		4
#define FEATURES_HIGH		1	/* virtio 1, in the upper half */

#define ENTRIES		8
#define DESC_WRITE	2
#define BYTES		16

/**
 * struct desc - a descriptor
 * @addr: of the buffer
 * @len: bytes
 * @flags: DESC_WRITE: the device writes
 * @next: not used
 */
struct desc {
	u64 addr;
	u32 len;
	u16 flags;
	u16 next;
};

/**
 * struct used - an entry of the used ring
 * @id: descriptor
 * @len: bytes that were written
 */
struct used {
	u32 id;
	u32 len;
};

/**
 * struct ring - the queue
 * @desc: descriptors; only the first one is used
 * @flags: of the available ring
 * @index: entries that were made available
 * @available: descriptor of each entry
 * @used_flags: of the used ring
 * @used_index: entries that were used
 * @used: the entries
 */
struct ring {
	struct desc desc[ENTRIES];
	u16 flags;
	volatile u16 index;
	u16 available[ENTRIES];
	u16 used_flags;
	volatile u16 used_index;
	struct used used[ENTRIES];
};

static struct ring ring __attribute__((aligned(16)));
static u8 buffer[BYTES];

static u32 bar_base(u32 i)
{
	u32 bar = config_read(RNG_SLOT, PCI_BASE_ADDRESS_0 + 4 * i);

	return bar & (bar & PCI_BASE_ADDRESS_SPACE_IO ? ~3 : ~15);
}

static void cap_vendor(struct rng *rng, u32 cap)
{
	u32 at = bar_base(config_read(RNG_SLOT, cap + CAP_BAR) & 0xff) +
		 config_read(RNG_SLOT, cap + CAP_OFFSET);

	switch (config_read(RNG_SLOT, cap) >> 24) {
	case CAP_COMMON:
		rng->common = at;
		break;
	case CAP_NOTIFY:
		rng->notify = at + read16(rng->common + COMMON_QUEUE_NOTIFY) *
			      config_read(RNG_SLOT, cap + CAP_MULTIPLIER);
		break;
	case CAP_ISR:
		rng->isr = at;
		break;
	}
}

static void cap_msix(struct rng *rng, u32 cap)
{
	u32 table = config_read(RNG_SLOT, cap + PCI_MSIX_TABLE);
	u32 pending = config_read(RNG_SLOT, cap + PCI_MSIX_PBA);

	rng->msix = cap;
	rng->table = bar_base(table & 7) + (table & ~7);
	rng->pending = bar_base(pending & 7) + (pending & ~7);
}

/* Find the device's registers by its capabilities, and enable it. */
void rng_find(struct rng *rng)
{
	u32 cap = config_read(RNG_SLOT, PCI_CAPABILITY_LIST) & 0xff;

	*rng = (struct rng){ 0 };
	config_write16(RNG_SLOT, PCI_COMMAND,
		       PCI_COMMAND_IO | PCI_COMMAND_MEMORY | PCI_COMMAND_MASTER);
	while (cap) {
		u32 head = config_read(RNG_SLOT, cap);

		if ((head & 0xff) == PCI_CAP_ID_VNDR)
			cap_vendor(rng, cap);
		else if ((head & 0xff) == PCI_CAP_ID_MSIX)
			cap_msix(rng, cap);
		cap = head >> 8 & 0xff;
	}
	check(rng->common && rng->isr && rng->notify && rng->table && rng->pending);
}

/* Reset the device, and start it with a queue that sends message @vector. */
void rng_start(struct rng *rng, u16 vector)
{
	u32 c = rng->common;

	write8(c + COMMON_STATUS, 0);
	equal(read8(c + COMMON_STATUS), 0);
	write8(c + COMMON_STATUS, STATUS_DRIVER);
	write32(c + COMMON_DRIVER_SELECT, 1);
	write32(c + COMMON_DRIVER_FEATURES, FEATURES_HIGH);
	write8(c + COMMON_STATUS, STATUS_DRIVER | STATUS_FEATURES);
	equal(read8(c + COMMON_STATUS), STATUS_DRIVER | STATUS_FEATURES);
	ring = (struct ring){ .desc = { { (u32)buffer, BYTES, DESC_WRITE, 0 } } };
	write16(c + COMMON_QUEUE, 0);
	write16(c + COMMON_QUEUE_SIZE, ENTRIES);
	write16(c + COMMON_QUEUE_VECTOR, vector);
	equal(read16(c + COMMON_QUEUE_VECTOR), vector);
	write32(c + COMMON_QUEUE_DESC, (u32)ring.desc);
	write32(c + COMMON_QUEUE_DESC + 4, 0);
	write32(c + COMMON_QUEUE_DRIVER, (u32)&ring.flags);
	write32(c + COMMON_QUEUE_DRIVER + 4, 0);
	write32(c + COMMON_QUEUE_DEVICE, (u32)&ring.used_flags);
	write32(c + COMMON_QUEUE_DEVICE + 4, 0);
	write16(c + COMMON_QUEUE_ENABLE, 1);
	write8(c + COMMON_STATUS, STATUS_DRIVER | STATUS_FEATURES | STATUS_RUNS);
	equal(read8(c + COMMON_STATUS), STATUS_DRIVER | STATUS_FEATURES | STATUS_RUNS);
}

/* Request random bytes, and wait for them; the caller handles interrupts. */
bool rng_request(const struct rng *rng)
{
	u16 slot = ring.index % ENTRIES;
	u16 before = ring.used_index;
	u32 start;

	ring.available[slot] = 0;
	asm volatile("" : : : "memory");
	ring.index = ring.index + 1;
	out16(rng->notify, 0);
	start = in32(KVM_PORT_CLOCK);
	while (ring.used_index == before && in32(KVM_PORT_CLOCK) - start < 10000000)
		;
	return ring.used_index != before && ring.used[slot].len == BYTES;
}
