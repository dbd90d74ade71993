// SPDX-License-Identifier: GPL-2.0-only
/*
 * Valid places of a queue. Numbers are written out from the specification.
 */
#include <errno.h>

#include "tests/tap.h"
#include "virtio/virtio.h"

#define BASE	0x40000000ULL
#define SIZE	(16 * MIB)
#define END	(BASE + SIZE)

#define EVENT	(1ULL << 29)
#define V1	(1ULL << 32)
#define PACKED	(1ULL << 34)

static const struct row {
	u64 features;
	u32 num;
	u64 desc, driver, device;
	int want;
} rows[] = {
	/* Split: as large as the areas are, to the last byte of RAM */
	{ V1, 64, BASE, BASE + 0x1000, BASE + 0x2000, 0 },
	{ V1, 256, BASE, BASE + 0x1000, BASE + 0x2000, 0 },
	{ V1, 1, BASE, BASE + 0x1000, BASE + 0x2000, 0 },
	{ V1, 64, END - 1024, BASE, BASE + 0x2000, 0 },
	{ V1, 64, BASE, END - 132, BASE + 0x2000, 0 },
	{ V1, 64, BASE, END - 130, BASE + 0x2000, -EFAULT },
	{ V1 | EVENT, 64, BASE, END - 132, BASE + 0x2000, -EFAULT },
	{ V1 | EVENT, 64, BASE, END - 134, BASE + 0x2000, 0 },
	{ V1, 64, BASE, BASE + 0x1000, END - 516, 0 },
	{ V1, 64, BASE, BASE + 0x1000, END - 512, -EFAULT },
	{ V1 | EVENT, 64, BASE, BASE + 0x1000, END - 516, -EFAULT },
	{ V1 | EVENT, 64, BASE, BASE + 0x1000, END - 520, 0 },
	/* Outside */
	{ V1, 64, 0, BASE, BASE + 0x2000, -EFAULT },
	{ V1, 64, END, BASE, BASE + 0x2000, -EFAULT },
	{ V1, 64, END - 1008, BASE, BASE + 0x2000, -EFAULT },
	{ V1, 64, ~15ULL, BASE, BASE + 0x2000, -EFAULT },
	{ V1, 64, BASE, ~1ULL, BASE + 0x2000, -EFAULT },
	{ V1, 64, BASE, BASE + 0x1000, ~3ULL, -EFAULT },
	{ V1, 64, BASE - 16, BASE, BASE + 0x2000, -EFAULT },
	/* Alignment: 16, 2 and 4 bytes */
	{ V1, 64, BASE + 8, BASE + 0x1000, BASE + 0x2000, -EINVAL },
	{ V1, 64, BASE + 1, BASE + 0x1000, BASE + 0x2000, -EINVAL },
	{ V1, 64, BASE, BASE + 0x1001, BASE + 0x2000, -EINVAL },
	{ V1, 64, BASE, BASE + 0x1002, BASE + 0x2000, 0 },
	{ V1, 64, BASE, BASE + 0x1000, BASE + 0x2002, -EINVAL },
	{ V1, 64, BASE, BASE + 0x1000, BASE + 0x2004, 0 },
	/* Size */
	{ V1, 0, BASE, BASE + 0x1000, BASE + 0x2000, -EINVAL },
	{ V1, 63, BASE, BASE + 0x1000, BASE + 0x2000, -EINVAL },
	{ V1, 512, BASE, BASE + 0x1000, BASE + 0x2000, -EINVAL },
	{ V1, ~0U, BASE, BASE + 0x1000, BASE + 0x2000, -EINVAL },
	/* Packed: any size; the two event structures have 4 bytes */
	{ V1 | PACKED, 63, BASE, BASE + 0x1000, BASE + 0x2000, 0 },
	{ V1 | PACKED, 64, BASE, END - 4, BASE + 0x2000, 0 },
	{ V1 | PACKED, 64, BASE, BASE + 0x1000, END - 4, 0 },
	{ V1 | PACKED, 64, BASE, END, BASE + 0x2000, -EFAULT },
	{ V1 | PACKED, 64, BASE, BASE + 0x1002, BASE + 0x2000, -EINVAL },
	{ V1 | PACKED, 64, BASE, BASE + 0x1000, BASE + 0x2002, -EINVAL },
	{ V1 | PACKED, 64, BASE + 4, BASE + 0x1000, BASE + 0x2000, -EINVAL },
	{ V1 | PACKED, 257, BASE, BASE + 0x1000, BASE + 0x2000, -EINVAL },
	{ V1 | PACKED, 0, BASE, BASE + 0x1000, BASE + 0x2000, -EINVAL },
};

static void queues_are_checked(void)
{
	struct vmm_vm vm = { .fd = -1 };
	struct vmm_virtio v = { .vm = &vm, .queues = 2, .queue_max = 256 };
	struct vmm_queue_area area[3];
	unsigned int i;

	if (!tap_equal(vmm_mem_add(&vm.mem, BASE, SIZE), 0))
		return;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct row *r = &rows[i];

		tap_context("row %u", i);
		v.accepted = r->features;
		v.queue[1] = (struct vmm_virtio_queue){
			.num = r->num, .ready = true, .desc = r->desc, .driver = r->driver,
			.device = r->device,
		};
		if (tap_equal(vmm_virtio_queue_find(&v, 1, area), r->want) && !r->want) {
			tap_check(area[0].hva == vmm_mem_ptr(&vm.mem, r->desc, 1));
			tap_check(area[2].hva == vmm_mem_ptr(&vm.mem, r->device, 1));
		}
		v.queue[1].ready = false;
		tap_equal(vmm_virtio_queue_find(&v, 1, area), -EINVAL);
	}
	tap_equal(vmm_virtio_queue_find(&v, 2, area), -EINVAL);
	vmm_mem_destroy(&vm.mem);
}

static const struct tap_case cases[] = {
	{ "a queue's parts are checked", queues_are_checked },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
