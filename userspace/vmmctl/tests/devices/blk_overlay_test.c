// SPDX-License-Identifier: GPL-2.0-only
/*
 * A disk that vmmctl serves with an overlay, with a driver of the test: writes are read back, the
 * base file does not change, discards, flushes, and files that fail.
 */
#include <endian.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ring.h>

#include "devices/devices.h"
#include "host/image.h"
#include "host/overlay.h"
#include "tests/tap.h"
#include "virtio/models.h"

#define BASE	0x40000000ULL
#define AVAIL	0x1000
#define USED	0x2000
#define HEADER	0x3000
#define STATUS	0x3800
#define DATA	0x4000
#define NUM	64
#define SECTOR	512
#define SECTORS	256
#define TRIES	20000	/* of a millisecond */

static struct vmm_config cfg;
static struct vmm_vm vm;
static u8 file[SECTORS * SECTOR];

/**
 * struct disk - a disk and its driver
 * @v: the device
 * @regs: its registers
 * @copy: its overlay
 * @mem: address of its queue in RAM
 * @added: number of requests
 */
struct disk {
	struct vmm_virtio v;
	u8 regs[RANCHU_VIRTIO_MMIO_SIZE] __attribute__((aligned(8)));
	struct vmm_image_copy copy;
	u64 mem;
	u16 added;
};

static struct disk disks[2];
static int base_fd;

static void *at(const struct disk *disk, u64 offset)
{
	return vmm_mem_ptr(&vm.mem, disk->mem + offset, 1);
}

static void driver_begin(struct disk *disk)
{
	struct vmm_virtio *v = &disk->v;

	memset(at(disk, 0), 0, 0x4000);
	disk->added = 0;
	vmm_virtio_mmio_write(v, 0x70, 0, 4);
	vmm_virtio_mmio_write(v, 0x70, 3, 4);
	vmm_virtio_mmio_write(v, 0x24, 1, 4);
	vmm_virtio_mmio_write(v, 0x20, 1, 4);
	vmm_virtio_mmio_write(v, 0x24, 0, 4);
	vmm_virtio_mmio_write(v, 0x20, 1 << VIRTIO_BLK_F_FLUSH | 1 << VIRTIO_BLK_F_DISCARD |
			      1 << VIRTIO_BLK_F_WRITE_ZEROES, 4);
	vmm_virtio_mmio_write(v, 0x70, 11, 4);
	vmm_virtio_mmio_write(v, 0x30, 0, 4);
	vmm_virtio_mmio_write(v, 0x38, NUM, 4);
	vmm_virtio_mmio_write(v, 0x80, disk->mem, 4);
	vmm_virtio_mmio_write(v, 0x90, disk->mem + AVAIL, 4);
	vmm_virtio_mmio_write(v, 0xa0, disk->mem + USED, 4);
	vmm_virtio_mmio_write(v, 0x44, 1, 4);
	vmm_virtio_mmio_write(v, 0x70, 15, 4);
	tap_check(v->running);
}

static bool disk_open(unsigned int index)
{
	struct disk *disk = &disks[index];
	struct vmm_virtio *v = &disk->v;

	memset(disk, 0, sizeof(*disk));
	disk->mem = BASE + index * MIB;
	disk->copy.base = base_fd;
	disk->copy.fd = memfd_create("overlay", MFD_ALLOW_SEALING);
	disk->copy.overlay = vmm_overlay_create(base_fd, disk->copy.fd, sizeof(file));
	snprintf(disk->copy.path, sizeof(disk->copy.path), "/proc/self/fd/%d", disk->copy.fd);
	cfg.disk[index] = (struct vmm_disk){
		.path = "image", .block_size = SECTOR, .queues = 1, .copy = &disk->copy,
	};
	vmm_virtio_mmio_idle(disk->regs);
	v->ops = &vmm_blk_ops;
	v->vm = &vm;
	v->name = "blk";
	v->index = index;
	v->queue_max = vmm_blk_ops.queue_max;
	v->regs = disk->regs;
	v->call_fd = vmm_event_create();
	pthread_mutex_init(&v->lock, NULL);
	pthread_cond_init(&v->idle, NULL);
	if (!tap_check(disk->copy.overlay) || !tap_equal(vmm_blk_ops.create(v), 0))
		return false;
	v->queue[0].kick_fd = vmm_event_create();
	v->queue[0].call_fd = vmm_event_create();
	vmm_virtio_mmio_plug(v);
	driver_begin(disk);
	return true;
}

static void disk_close(struct disk *disk)
{
	struct vmm_virtio *v = &disk->v;

	vmm_virtio_mmio_unplug(v);
	vmm_blk_ops.destroy(v);
	close(v->queue[0].kick_fd);
	close(v->queue[0].call_fd);
	close(v->call_fd);
	pthread_cond_destroy(&v->idle);
	pthread_mutex_destroy(&v->lock);
	vmm_overlay_free(disk->copy.overlay);
	close(disk->copy.fd);
}

/* Makes two disks over one file, whose sectors contain their number. */
static bool begin(void)
{
	unsigned int i;

	cfg = (struct vmm_config){ .disks = 2 };
	vm = (struct vmm_vm){ .cfg = &cfg, .fd = -1 };
	vm.loop = vmm_loop_create();
	if (!tap_check(vm.loop) || !tap_equal(vmm_mem_add(&vm.mem, BASE, 4 * MIB), 0))
		return false;
	for (i = 0; i < SECTORS; i++)
		memset(file + i * SECTOR, i, SECTOR);
	base_fd = memfd_create("base", 0);
	tap_equal(pwrite(base_fd, file, sizeof(file), 0), sizeof(file));
	return disk_open(0) && disk_open(1);
}

/* Frees the disks, and checks that the base file has not changed. */
static void end(void)
{
	static u8 now[sizeof(file)];

	disk_close(&disks[0]);
	disk_close(&disks[1]);
	if (lseek(base_fd, 0, SEEK_END) == sizeof(file)) {
		tap_equal(pread(base_fd, now, sizeof(now), 0), sizeof(now));
		tap_check(!memcmp(now, file, sizeof(file)));
	}
	close(base_fd);
	vmm_mem_destroy(&vm.mem);
	vmm_loop_destroy(vm.loop);
}

/* Makes a request with @len bytes of data, in two odd pieces; returns its status. */
static u8 request(struct disk *disk, u32 type, u64 sector, u32 len)
{
	bool in = type == VIRTIO_BLK_T_IN;
	const struct virtio_blk_outhdr header = {
		.type = htole32(type), .sector = htole64(sector),
	};
	struct vring_desc *desc = at(disk, 0);
	u16 *used = at(disk, USED + 2);
	u16 *avail = at(disk, AVAIL + 2);
	u32 first = len / 3;
	unsigned int tries;
	unsigned int n = 0;

	memcpy(at(disk, HEADER), &header, sizeof(header));
	*(u8 *)at(disk, STATUS) = 0xee;
	desc[n++] = (struct vring_desc){ disk->mem + HEADER, sizeof(header), VRING_DESC_F_NEXT, 1 };
	if (first) {
		desc[n] = (struct vring_desc){
			disk->mem + DATA, first,
			VRING_DESC_F_NEXT | (in ? VRING_DESC_F_WRITE : 0), n + 1,
		};
		n++;
	}
	if (len) {
		desc[n] = (struct vring_desc){
			disk->mem + DATA + first, len - first,
			VRING_DESC_F_NEXT | (in ? VRING_DESC_F_WRITE : 0), n + 1,
		};
		n++;
	}
	desc[n] = (struct vring_desc){ disk->mem + STATUS, 1, VRING_DESC_F_WRITE, 0 };
	*(u16 *)at(disk, AVAIL + 4 + 2 * (disk->added % NUM)) = 0;
	__atomic_store_n(avail, ++disk->added, __ATOMIC_SEQ_CST);
	vmm_event_signal(disk->v.queue[0].kick_fd);
	for (tries = 0; tries < TRIES && __atomic_load_n(used, __ATOMIC_ACQUIRE) != disk->added;
	     tries++)
		usleep(1000);
	return *(u8 *)at(disk, STATUS);
}

static u8 write_sectors(struct disk *disk, u64 sector, u32 sectors, u8 byte)
{
	memset(at(disk, DATA), byte, sectors * SECTOR);
	return request(disk, VIRTIO_BLK_T_OUT, sector, sectors * SECTOR);
}

/* Returns the byte that fills sector @index of the data, or -1 if bytes differ. */
static int sector_of(const struct disk *disk, unsigned int index)
{
	const u8 *bytes = at(disk, DATA + index * SECTOR);

	return memcmp(bytes, bytes + 1, SECTOR - 1) ? -1 : bytes[0];
}

static int read_sector(struct disk *disk, u64 sector)
{
	memset(at(disk, DATA), 0x55, SECTOR);
	if (request(disk, VIRTIO_BLK_T_IN, sector, SECTOR))
		return -2;
	return sector_of(disk, 0);
}

static u8 range(struct disk *disk, u32 type, u64 sector, u32 sectors)
{
	const struct virtio_blk_discard_write_zeroes what = {
		.sector = htole64(sector), .num_sectors = htole32(sectors),
	};

	memcpy(at(disk, DATA), &what, sizeof(what));
	return request(disk, type, 0, sizeof(what));
}

static u64 counter(struct vmm_virtio *v, const char *name)
{
	struct vmm_report report;
	unsigned int i;

	vmm_virtio_report(v, &report);
	for (i = 0; i < report.count; i++) {
		if (!strcmp(report.names[i], name))
			return report.values[i];
	}
	return ~0ULL;
}

static void each_has_its_own_writes(void)
{
	unsigned int i;

	if (!begin())
		return;
	tap_equal(read_sector(&disks[0], 7), 7);
	tap_equal(write_sectors(&disks[0], 7, 3, 0xaa), 0);
	tap_equal(write_sectors(&disks[1], 8, 1, 0xbb), 0);
	/* From the base, the overlay and the base in one request. */
	tap_equal(request(&disks[0], VIRTIO_BLK_T_IN, 0, 64 * SECTOR), 0);
	for (i = 0; i < 64; i++) {
		tap_context("%u", i);
		tap_equal(sector_of(&disks[0], i), i >= 7 && i < 10 ? 0xaa : (int)i);
	}
	tap_equal(read_sector(&disks[1], 7), 7);
	tap_equal(read_sector(&disks[1], 8), 0xbb);
	tap_equal(read_sector(&disks[1], 9), 9);
	/* The last sector, and an access after it. */
	tap_equal(write_sectors(&disks[0], SECTORS - 1, 1, 0xcc), 0);
	tap_equal(read_sector(&disks[0], SECTORS - 1), 0xcc);
	tap_equal(write_sectors(&disks[0], SECTORS - 1, 2, 0xdd), VIRTIO_BLK_S_IOERR);
	tap_equal(read_sector(&disks[0], SECTORS - 1), 0xcc);
	tap_equal(counter(&disks[0].v, "overlay_bytes"), 4 * SECTOR);
	tap_equal(counter(&disks[1].v, "overlay_bytes"), SECTOR);
	end();
}

static void a_reset_keeps_them(void)
{
	if (!begin())
		return;
	tap_equal(write_sectors(&disks[0], 3, 1, 0xaa), 0);
	driver_begin(&disks[0]);
	tap_equal(read_sector(&disks[0], 3), 0xaa);
	tap_equal(read_sector(&disks[0], 4), 4);
	end();
}

static void zeros_hide_what_is_below(void)
{
	if (!begin())
		return;
	tap_equal(write_sectors(&disks[0], 20, 2, 0xaa), 0);
	tap_equal(range(&disks[0], VIRTIO_BLK_T_WRITE_ZEROES, 21, 9), 0);
	tap_equal(read_sector(&disks[0], 20), 0xaa);
	tap_equal(read_sector(&disks[0], 21), 0);
	tap_equal(read_sector(&disks[0], 29), 0);
	tap_equal(read_sector(&disks[0], 30), 30);
	tap_equal(range(&disks[0], VIRTIO_BLK_T_DISCARD, 40, 8), 0);
	tap_equal(read_sector(&disks[0], 40), 0);
	tap_equal(read_sector(&disks[0], 48), 48);
	tap_equal(request(&disks[0], VIRTIO_BLK_T_FLUSH, 0, 0), 0);
	tap_equal(counter(&disks[0].v, "flushes"), 1);
	end();
}

/* If a write fails, the guest gets an error, and the old data stays. */
static void a_write_that_fails_changes_nothing(void)
{
	if (!begin())
		return;
	tap_equal(write_sectors(&disks[0], 5, 1, 0xaa), 0);
	/* The seal is possible because the device has no mapping: it writes by pwritev2(). */
	tap_equal(fcntl(disks[0].copy.fd, F_ADD_SEALS, F_SEAL_WRITE), 0);
	tap_equal(write_sectors(&disks[0], 5, 2, 0xbb), VIRTIO_BLK_S_IOERR);
	tap_check(range(&disks[0], VIRTIO_BLK_T_WRITE_ZEROES, 5, 2) != 0);
	tap_equal(read_sector(&disks[0], 5), 0xaa);
	tap_equal(read_sector(&disks[0], 6), 6);
	tap_equal(counter(&disks[0].v, "overlay_bytes"), SECTOR);
	end();
}

/* If the base file was truncated, reads return an error, and not zeros. */
static void a_base_that_is_cut_is_an_error(void)
{
	if (!begin())
		return;
	tap_equal(write_sectors(&disks[0], 100, 1, 0xaa), 0);
	tap_equal(ftruncate(base_fd, 50 * SECTOR + 10), 0);
	tap_equal(read_sector(&disks[0], 49), 49);
	tap_equal(read_sector(&disks[0], 50), -2);
	tap_equal(read_sector(&disks[0], 51), -2);
	tap_equal(request(&disks[0], VIRTIO_BLK_T_IN, 40, 20 * SECTOR), VIRTIO_BLK_S_IOERR);
	tap_equal(read_sector(&disks[0], 100), 0xaa);
	tap_equal(write_sectors(&disks[0], 50, 1, 0xbb), 0);
	tap_equal(read_sector(&disks[0], 50), 0xbb);
	end();
}

static const struct tap_case cases[] = {
	{ "each has its own writes", each_has_its_own_writes },
	{ "a reset keeps them", a_reset_keeps_them },
	{ "zeros hide what is below", zeros_hide_what_is_below },
	{ "a write that fails changes nothing", a_write_that_fails_changes_nothing },
	{ "a base that is cut is an error", a_base_that_is_cut_is_an_error },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
