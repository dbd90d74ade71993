// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registers of a virtio-mmio transport, driven as a driver does, and as no
 * driver should, with a device that only counts. Numbers are written out
 * from the specification.
 */
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "virtio/virtio.h"
#include "tests/tap.h"

/* Registers */
#define MAGIC			0x000
#define VERSION			0x004
#define DEVICE_ID		0x008
#define VENDOR_ID		0x00c
#define DEVICE_FEATURES		0x010
#define DEVICE_FEATURES_SEL	0x014
#define DRIVER_FEATURES		0x020
#define DRIVER_FEATURES_SEL	0x024
#define QUEUE_SEL		0x030
#define QUEUE_NUM_MAX		0x034
#define QUEUE_NUM		0x038
#define GUEST_PAGE_SIZE		0x028
#define QUEUE_ALIGN		0x03c
#define QUEUE_PFN		0x040
#define QUEUE_READY		0x044
#define QUEUE_NOTIFY		0x050
#define INTERRUPT_STATUS	0x060
#define INTERRUPT_ACK		0x064
#define STATUS			0x070
#define QUEUE_DESC		0x080
#define QUEUE_DRIVER		0x090
#define QUEUE_DEVICE		0x0a0
#define SHM_LEN			0x0b0
#define CONFIG_GENERATION	0x0fc
#define CONFIG			0x100

/* Status */
#define S_ACKNOWLEDGE		1
#define S_DRIVER		2
#define S_DRIVER_OK		4
#define S_FEATURES_OK		8
#define S_NEEDS_RESET		0x40
#define S_FAILED		0x80

/* Features */
#define F_LOW			(1U << 5)
#define F_EVENT_IDX		(1U << 29)
#define F_VERSION_1		(1U << 0)	/* in the upper half */
#define F_PLATFORM		(1U << 1)	/* in the upper half */
#define F_PACKED		(1U << 2)	/* in the upper half */

/* Calls that the device got, and its answers. */
static struct {
	unsigned int starts;
	unsigned int stops;
	unsigned int queue_stops;
	int start_err;
	u32 interrupt_at_start;
} seen;

static u8 regs[RANCHU_VIRTIO_MMIO_SIZE] __attribute__((aligned(8)));

static u32 rd(u32 offset)
{
	return vmm_virtio_mmio_peek(regs, offset);
}

static int fake_start(struct vmm_virtio *v)
{
	(void)v;
	seen.starts++;
	seen.interrupt_at_start = rd(INTERRUPT_STATUS);
	return seen.start_err;
}

static void fake_stop(struct vmm_virtio *v)
{
	(void)v;
	seen.stops++;
}

static void fake_stop_queue(struct vmm_virtio *v, unsigned int queue)
{
	(void)v;
	(void)queue;
	seen.queue_stops++;
}

static const struct vmm_virtio_ops plain_ops = {
	.name = "fake", .id = 19, .queues = 3, .queue_max = 128,
	.start = fake_start, .stop = fake_stop,
};

static const struct vmm_virtio_ops queue_ops = {
	.name = "fake", .id = 19, .queues = 2, .queue_max = 256,
	.start = fake_start, .stop = fake_stop, .stop_queue = fake_stop_queue,
};

static struct vmm_config cfg;
static struct vmm_vm vm = { .cfg = &cfg };

static struct vmm_virtio *plugged(const struct vmm_virtio_ops *ops)
{
	static const u8 config[8] = { 0x2a };
	struct vmm_virtio *v = calloc(1, sizeof(*v));
	unsigned int i;

	memset(&seen, 0, sizeof(seen));
	memset(regs, 0xff, sizeof(regs));
	vmm_virtio_mmio_idle(regs);
	v->ops = ops;
	v->vm = &vm;
	v->name = ops->name;
	v->id = ops->id;
	v->queue_max = ops->queue_max;
	v->queues = ops->queues;
	v->regs = regs;
	v->offered = (u64)(F_VERSION_1 | F_PACKED) << 32 | F_EVENT_IDX | F_LOW;
	v->call_fd = eventfd(0, EFD_NONBLOCK);
	for (i = 0; i < ops->queues; i++)
		v->queue[i].kick_fd = eventfd(0, EFD_NONBLOCK);
	pthread_mutex_init(&v->lock, NULL);
	vmm_virtio_config(v, config, sizeof(config));
	vmm_virtio_mmio_plug(v);
	return v;
}

static void unplugged(struct vmm_virtio *v)
{
	unsigned int i;

	vmm_virtio_mmio_unplug(v);
	close(v->call_fd);
	for (i = 0; i < v->ops->queues; i++)
		close(v->queue[i].kick_fd);
	pthread_mutex_destroy(&v->lock);
	free(v);
}

static u64 signals(int fd)
{
	eventfd_t value = 0;

	eventfd_read(fd, &value);
	return value;
}

static void wr(struct vmm_virtio *v, u32 offset, u32 value)
{
	vmm_virtio_mmio_write(v, offset, value, 4);
}

static void accept_features(struct vmm_virtio *v, u32 high, u32 low)
{
	wr(v, STATUS, S_ACKNOWLEDGE);
	wr(v, STATUS, S_ACKNOWLEDGE | S_DRIVER);
	wr(v, DRIVER_FEATURES_SEL, 1);
	wr(v, DRIVER_FEATURES, high);
	wr(v, DRIVER_FEATURES_SEL, 0);
	wr(v, DRIVER_FEATURES, low);
	wr(v, STATUS, rd(STATUS) | S_FEATURES_OK);
}

static void set_queue(struct vmm_virtio *v, u32 index, u32 num)
{
	wr(v, QUEUE_SEL, index);
	wr(v, QUEUE_NUM, num);
	wr(v, QUEUE_DESC, 0x40001000);
	wr(v, QUEUE_DESC + 4, 1);
	wr(v, QUEUE_DRIVER, 0x40002000);
	wr(v, QUEUE_DRIVER + 4, 2);
	wr(v, QUEUE_DEVICE, 0x40003000);
	wr(v, QUEUE_DEVICE + 4, 3);
	wr(v, QUEUE_READY, 1);
}

static void bring_up(struct vmm_virtio *v)
{
	unsigned int i;

	accept_features(v, F_VERSION_1, F_EVENT_IDX);
	for (i = 0; i < v->ops->queues; i++)
		set_queue(v, i, 64);
	wr(v, STATUS, rd(STATUS) | S_DRIVER_OK);
}

static void device_is_shown(void)
{
	struct vmm_virtio *v = plugged(&plain_ops);
	u32 offset;

	tap_equal(rd(MAGIC), 0x74726976);
	tap_equal(rd(VERSION), 2);
	tap_equal(rd(DEVICE_ID), 19);
	tap_equal(rd(STATUS), 0);
	tap_equal(rd(INTERRUPT_STATUS), 0);
	tap_equal(rd(QUEUE_NUM_MAX), 128);
	tap_equal(rd(CONFIG), 0x2a);
	tap_equal(rd(SHM_LEN), ~0U);
	tap_equal(rd(SHM_LEN + 4), ~0U);
	/* Registers that are write-only or missing. */
	for (offset = 0x14; offset < SHM_LEN; offset += 4) {
		if (offset == QUEUE_NUM_MAX)
			continue;
		tap_context("register 0x%x", offset);
		tap_equal(rd(offset), 0);
	}
	for (offset = 0xc0; offset < CONFIG_GENERATION; offset += 4)
		tap_equal(rd(offset), 0);
	for (offset = CONFIG + 8; offset < sizeof(regs); offset += 4)
		tap_equal(rd(offset), 0);
	unplugged(v);
	tap_equal(rd(DEVICE_ID), 0);
	tap_equal(rd(VENDOR_ID), 0);
}

static void features_have_two_halves(void)
{
	struct vmm_virtio *v = plugged(&plain_ops);

	tap_equal(rd(DEVICE_FEATURES), F_EVENT_IDX | F_LOW);
	wr(v, DEVICE_FEATURES_SEL, 1);
	tap_equal(rd(DEVICE_FEATURES), F_VERSION_1 | F_PACKED);
	wr(v, DEVICE_FEATURES_SEL, 2);
	tap_equal(rd(DEVICE_FEATURES), 0);
	wr(v, DEVICE_FEATURES_SEL, ~0U);
	tap_equal(rd(DEVICE_FEATURES), 0);
	accept_features(v, F_VERSION_1, F_LOW);
	tap_check(rd(STATUS) & S_FEATURES_OK);
	tap_equal(v->accepted, (u64)F_VERSION_1 << 32 | F_LOW);
	unplugged(v);
}

static u32 offered_high(struct vmm_virtio *v)
{
	wr(v, DEVICE_FEATURES_SEL, 1);
	return rd(DEVICE_FEATURES);
}

/* With it, a vhost backend would wait for translations for ever. */
static void platform_is_for_the_driver_only(void)
{
	struct vmm_virtio *v = plugged(&plain_ops);

	tap_equal(offered_high(v) & F_PLATFORM, 0);
	unplugged(v);
	cfg.access_platform = true;
	v = plugged(&plain_ops);
	tap_equal(offered_high(v), F_VERSION_1 | F_PLATFORM | F_PACKED);
	accept_features(v, F_VERSION_1 | F_PLATFORM, F_LOW);
	tap_check(rd(STATUS) & S_FEATURES_OK);
	tap_equal(v->accepted, (u64)(F_VERSION_1 | F_PLATFORM) << 32 | F_LOW);
	tap_equal(vmm_virtio_for_backend(v), (u64)F_VERSION_1 << 32 | F_LOW);
	unplugged(v);
	cfg.access_platform = false;
}

static void features_are_settled_once(void)
{
	struct vmm_virtio *v = plugged(&plain_ops);

	accept_features(v, F_VERSION_1, F_LOW);
	wr(v, DRIVER_FEATURES, 0);
	wr(v, DRIVER_FEATURES_SEL, 1);
	wr(v, DRIVER_FEATURES, 0);
	tap_equal(v->accepted, (u64)F_VERSION_1 << 32 | F_LOW);
	/* A third half is ignored. */
	wr(v, STATUS, 0);
	wr(v, DRIVER_FEATURES_SEL, 2);
	wr(v, DRIVER_FEATURES, ~0U);
	tap_equal(v->accepted, 0);
	unplugged(v);
}

static void bad_features_are_refused(void)
{
	struct vmm_virtio *v = plugged(&plain_ops);

	/* Not offered, in either half; and a driver of before virtio 1.0. */
	accept_features(v, F_VERSION_1, 1U << 6);
	tap_equal(rd(STATUS), S_ACKNOWLEDGE | S_DRIVER);
	accept_features(v, F_VERSION_1 | 1U << 31, 0);
	tap_equal(rd(STATUS), S_ACKNOWLEDGE | S_DRIVER);
	accept_features(v, 0, F_LOW);
	tap_equal(rd(STATUS), S_ACKNOWLEDGE | S_DRIVER);
	/* The driver may change its choice. */
	accept_features(v, F_VERSION_1, F_LOW);
	tap_equal(rd(STATUS), S_ACKNOWLEDGE | S_DRIVER | S_FEATURES_OK);
	unplugged(v);
}

/* Every offered set, with every set that a driver may accept. */
static void features_are_negotiated(void)
{
	static const u64 bits[] = {
		F_LOW, 1U << 9, F_EVENT_IDX, (u64)F_VERSION_1 << 32, (u64)F_PACKED << 32,
		1ULL << 35,
	};
	struct vmm_virtio *v = plugged(&plain_ops);
	unsigned int offer;
	unsigned int want;
	unsigned int i;

	for (offer = 0; offer < 64; offer++) {
		v->offered = 0;
		for (i = 0; i < ARRAY_SIZE(bits); i++)
			v->offered |= offer >> i & 1 ? bits[i] : 0;
		for (want = 0; want < 64; want++) {
			u64 accept = 0;

			for (i = 0; i < ARRAY_SIZE(bits); i++)
				accept |= want >> i & 1 ? bits[i] : 0;
			tap_context("%u offered, %u wanted", offer, want);
			wr(v, STATUS, 0);
			accept_features(v, accept >> 32, accept);
			tap_equal(!!(rd(STATUS) & S_FEATURES_OK), !(want & ~offer) && want & 8);
			wr(v, STATUS, rd(STATUS) | S_DRIVER_OK);
			tap_equal(!(rd(STATUS) & S_NEEDS_RESET), !(want & ~offer) && want & 8);
		}
	}
	unplugged(v);
}

static void driver_brings_it_up(void)
{
	struct vmm_virtio *v = plugged(&plain_ops);

	bring_up(v);
	tap_equal(seen.starts, 1);
	/* Another CPU may get an interrupt during the start. */
	tap_equal(seen.interrupt_at_start, 1);
	tap_equal(rd(STATUS), S_ACKNOWLEDGE | S_DRIVER | S_FEATURES_OK | S_DRIVER_OK);
	tap_equal(rd(INTERRUPT_STATUS), 1);
	wr(v, INTERRUPT_ACK, 1);
	tap_equal(rd(INTERRUPT_STATUS), 1);
	tap_equal(v->queue[2].num, 64);
	tap_equal(v->queue[2].desc, 0x140001000);
	tap_equal(v->queue[2].driver, 0x240002000);
	tap_equal(v->queue[2].device, 0x340003000);
	/* DRIVER_OK twice starts once; status bits stay set. */
	wr(v, STATUS, S_DRIVER_OK);
	tap_equal(seen.starts, 1);
	tap_equal(rd(STATUS), S_ACKNOWLEDGE | S_DRIVER | S_FEATURES_OK | S_DRIVER_OK);
	tap_equal(signals(v->call_fd), 0);
	unplugged(v);
	tap_equal(seen.stops, 1);
}

static void reset_forgets(void)
{
	struct vmm_virtio *v = plugged(&plain_ops);
	int kick = v->queue[1].kick_fd;

	bring_up(v);
	wr(v, DEVICE_FEATURES_SEL, 1);
	wr(v, QUEUE_SEL, 1);
	tap_equal(rd(QUEUE_READY), 1);
	wr(v, STATUS, 0);
	tap_equal(seen.stops, 1);
	tap_equal(rd(STATUS), 0);
	tap_equal(rd(INTERRUPT_STATUS), 0);
	tap_equal(rd(QUEUE_READY), 0);
	tap_equal(rd(DEVICE_FEATURES), F_EVENT_IDX | F_LOW);
	tap_equal(v->accepted, 0);
	tap_equal(v->queue[1].desc, 0);
	tap_check(v->queue[1].kick_fd == kick);
	/* The device works again after it. */
	wr(v, STATUS, 0);
	tap_equal(seen.stops, 1);
	bring_up(v);
	tap_equal(seen.starts, 2);
	unplugged(v);
	tap_equal(seen.stops, 2);
}

static void early_driver_ok_fails(void)
{
	struct vmm_virtio *v = plugged(&plain_ops);

	wr(v, STATUS, S_ACKNOWLEDGE | S_DRIVER | S_DRIVER_OK);
	tap_equal(seen.starts, 0);
	tap_check(rd(STATUS) & S_NEEDS_RESET);
	tap_equal(rd(INTERRUPT_STATUS), 2);
	tap_equal(signals(v->call_fd), 1);
	wr(v, INTERRUPT_ACK, 2);
	tap_equal(rd(INTERRUPT_STATUS), 0);
	/* The driver cannot set that bit, and clears it only by a reset. */
	wr(v, STATUS, S_ACKNOWLEDGE);
	tap_check(rd(STATUS) & S_NEEDS_RESET);
	wr(v, STATUS, 0);
	wr(v, STATUS, 0xffffff00 | S_NEEDS_RESET | S_FAILED | S_ACKNOWLEDGE);
	tap_equal(rd(STATUS), S_FAILED | S_ACKNOWLEDGE);
	unplugged(v);
}

static void device_that_does_not_start(void)
{
	struct vmm_virtio *v = plugged(&plain_ops);

	seen.start_err = -22;
	bring_up(v);
	tap_check(rd(STATUS) & S_NEEDS_RESET);
	tap_equal(rd(INTERRUPT_STATUS), 2);
	wr(v, STATUS, 0);
	tap_equal(seen.stops, 0);
	seen.start_err = 0;
	bring_up(v);
	tap_check(!(rd(STATUS) & S_NEEDS_RESET));
	/* A device that fails later. */
	signals(v->call_fd);
	vmm_virtio_fail(v);
	tap_check(rd(STATUS) & S_NEEDS_RESET);
	tap_equal(rd(INTERRUPT_STATUS), 3);
	tap_equal(signals(v->call_fd), 1);
	unplugged(v);
	tap_equal(seen.stops, 1);
}

static void queues_are_checked(void)
{
	static const struct { u32 num, ready; } sizes[] = {
		{ 0, 0 }, { 1, 1 }, { 3, 0 }, { 64, 1 }, { 127, 0 }, { 128, 1 }, { 129, 0 },
		{ 256, 0 }, { 0x10040, 0 }, { ~0U, 0 },
	};
	struct vmm_virtio *v = plugged(&plain_ops);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		tap_context("%u entries", sizes[i].num);
		wr(v, STATUS, 0);
		accept_features(v, F_VERSION_1, 0);
		set_queue(v, 0, sizes[i].num);
		tap_equal(rd(QUEUE_READY), sizes[i].ready);
		/* A packed ring may have any size. */
		wr(v, STATUS, 0);
		accept_features(v, F_VERSION_1 | F_PACKED, 0);
		set_queue(v, 0, sizes[i].num);
		tap_equal(rd(QUEUE_READY), sizes[i].num >= 1 && sizes[i].num <= 128);
	}
	unplugged(v);
}

static void queue_that_is_not_there(void)
{
	static const u32 indices[] = { 3, 8, 0x80000000, ~0U };
	struct vmm_virtio *v = plugged(&plain_ops);
	unsigned int i;

	accept_features(v, F_VERSION_1, 0);
	for (i = 0; i < ARRAY_SIZE(indices); i++) {
		tap_context("queue %u", indices[i]);
		set_queue(v, indices[i], 64);
		tap_equal(rd(QUEUE_NUM_MAX), 0);
		tap_equal(rd(QUEUE_READY), 0);
		wr(v, QUEUE_NOTIFY, indices[i]);
	}
	for (i = 0; i < 3; i++) {
		tap_check(!v->queue[i].ready && !v->queue[i].desc);
		tap_equal(signals(v->queue[i].kick_fd), 0);
	}
	unplugged(v);
}

static void ready_queue_stays_as_it_is(void)
{
	struct vmm_virtio *v = plugged(&plain_ops);

	accept_features(v, F_VERSION_1, 0);
	set_queue(v, 1, 64);
	wr(v, QUEUE_NUM, 32);
	wr(v, QUEUE_DESC, 0);
	wr(v, QUEUE_DRIVER + 4, 0);
	tap_equal(v->queue[1].num, 64);
	tap_equal(v->queue[1].desc, 0x140001000);
	tap_equal(v->queue[1].driver, 0x240002000);
	wr(v, QUEUE_READY, 0);
	tap_equal(rd(QUEUE_READY), 0);
	wr(v, QUEUE_NUM, 32);
	tap_equal(v->queue[1].num, 32);
	tap_equal(seen.stops, 0);
	unplugged(v);
}

static void queue_given_up_is_stopped(void)
{
	struct vmm_virtio *v = plugged(&plain_ops);

	bring_up(v);
	wr(v, QUEUE_SEL, 1);
	wr(v, QUEUE_READY, 0);
	tap_equal(rd(QUEUE_READY), 0);
	tap_equal(seen.stops, 1);
	wr(v, QUEUE_READY, 0);
	wr(v, STATUS, 0);
	tap_equal(seen.stops, 1);
	unplugged(v);

	v = plugged(&queue_ops);
	bring_up(v);
	wr(v, QUEUE_SEL, 1);
	wr(v, QUEUE_READY, 0);
	tap_equal(seen.queue_stops, 1);
	tap_equal(seen.stops, 0);
	tap_equal(rd(INTERRUPT_STATUS), 1);
	unplugged(v);
	tap_equal(seen.stops, 1);
}

static void notifications_that_exit_count_too(void)
{
	struct vmm_virtio *v = plugged(&plain_ops);

	wr(v, QUEUE_NOTIFY, 2);
	tap_equal(signals(v->queue[2].kick_fd), 1);
	tap_equal(signals(v->queue[0].kick_fd), 0);
	unplugged(v);
}

static void config_changes_are_told(void)
{
	static const u8 config[] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	struct vmm_virtio *v = plugged(&plain_ops);
	u32 generation = rd(CONFIG_GENERATION);

	/* Without a driver there is no interrupt. */
	vmm_virtio_config(v, config, sizeof(config));
	tap_check(rd(CONFIG_GENERATION) != generation);
	tap_equal(signals(v->call_fd), 0);
	bring_up(v);
	generation = rd(CONFIG_GENERATION);
	vmm_virtio_config(v, config, 4);
	tap_check(rd(CONFIG_GENERATION) != generation);
	tap_equal(signals(v->call_fd), 1);
	tap_equal(rd(INTERRUPT_STATUS), 3);
	/* Acknowledging only one of the reasons clears neither. */
	wr(v, INTERRUPT_ACK, 1);
	tap_equal(rd(INTERRUPT_STATUS), 3);
	wr(v, INTERRUPT_ACK, 3);
	tap_equal(rd(INTERRUPT_STATUS), 1);
	/* Any width and offset; the guest cannot write. */
	wr(v, CONFIG, ~0U);
	tap_equal(vmm_virtio_mmio_peek(regs, CONFIG), 0x0807060504030201);
	tap_equal(vmm_virtio_mmio_peek(regs, CONFIG + 3) & 0xffff, 0x0504);
	tap_equal(vmm_virtio_mmio_peek(regs, sizeof(regs) - 1), 0);
	tap_equal(vmm_virtio_mmio_peek(regs, sizeof(regs) - 4), 0);
	unplugged(v);
}

/* A driver of before virtio 1.0, as Linux' on a legacy transport. */
static void legacy_driver_brings_it_up(void)
{
	struct vmm_virtio *v = plugged(&plain_ops);
	unsigned int i;

	v->legacy = true;
	v->offered = F_EVENT_IDX | F_LOW;
	vmm_virtio_mmio_plug(v);
	tap_equal(rd(VERSION), 1);
	wr(v, GUEST_PAGE_SIZE, 4096);
	wr(v, STATUS, 0);
	wr(v, STATUS, S_ACKNOWLEDGE | S_DRIVER);
	wr(v, DRIVER_FEATURES_SEL, 0);
	wr(v, DRIVER_FEATURES, F_EVENT_IDX);
	for (i = 0; i < v->queues; i++) {
		wr(v, QUEUE_SEL, i);
		tap_equal(rd(QUEUE_PFN), 0);
		tap_equal(rd(QUEUE_NUM_MAX), 128);
		wr(v, QUEUE_NUM, 64);
		wr(v, QUEUE_ALIGN, 4096);
		wr(v, QUEUE_PFN, 0x40000 + i);
		tap_equal(rd(QUEUE_PFN), 0x40000 + i);
		tap_check(v->queue[i].ready);
		tap_equal(v->queue[i].desc, (0x40000ULL + i) << 12);
		tap_equal(v->queue[i].driver, v->queue[i].desc + 64 * 16);
		tap_equal(v->queue[i].device, v->queue[i].desc + 4096);
	}
	wr(v, STATUS, S_ACKNOWLEDGE | S_DRIVER | S_DRIVER_OK);
	tap_equal(seen.starts, 1);
	tap_equal(v->accepted, F_EVENT_IDX);
	tap_equal(rd(STATUS), S_ACKNOWLEDGE | S_DRIVER | S_DRIVER_OK);
	/* The features at the start apply: there is no FEATURES_OK. */
	wr(v, DRIVER_FEATURES, ~0U);
	wr(v, DRIVER_FEATURES_SEL, 1);
	wr(v, DRIVER_FEATURES, ~0U);
	tap_equal(v->accepted, F_EVENT_IDX);
	wr(v, QUEUE_PFN, 0);
	tap_equal(rd(QUEUE_PFN), 0);
	tap_equal(seen.stops, 1);
	unplugged(v);
}

static void legacy_driver_that_is_wrong(void)
{
	static const struct { u32 page, num, align, pfn; } rings[] = {
		{ 0, 64, 4096, 1 }, { 4096, 63, 4096, 1 }, { 4096, 256, 4096, 1 },
		{ 4096, 64, 0, 1 }, { 4096, 64, 4095, 1 }, { 4096, 0, 4096, 1 },
	};
	struct vmm_virtio *v = plugged(&plain_ops);
	unsigned int i;

	v->legacy = true;
	v->offered = F_LOW;
	vmm_virtio_mmio_plug(v);
	for (i = 0; i < ARRAY_SIZE(rings); i++) {
		tap_context("row %u", i);
		wr(v, STATUS, 0);
		wr(v, GUEST_PAGE_SIZE, rings[i].page);
		wr(v, QUEUE_NUM, rings[i].num);
		wr(v, QUEUE_ALIGN, rings[i].align);
		wr(v, QUEUE_PFN, rings[i].pfn);
		tap_check(!v->queue[0].ready);
		tap_equal(rd(QUEUE_PFN), 0);
	}
	/* Features that were not offered are refused at the start. */
	wr(v, STATUS, 0);
	wr(v, DRIVER_FEATURES, F_EVENT_IDX);
	wr(v, STATUS, S_ACKNOWLEDGE | S_DRIVER | S_DRIVER_OK);
	tap_equal(seen.starts, 0);
	tap_check(rd(STATUS) & S_NEEDS_RESET);
	/* Registers of version 2 are missing. */
	wr(v, STATUS, 0);
	set_queue(v, 0, 64);
	tap_check(!v->queue[0].ready);
	unplugged(v);
}

/* Random writes; the sanitizers detect errors. */
static void noise(bool legacy)
{
	static const u32 values[] = {
		0, 1, 2, 3, 4, 8, 15, 0x40, 0x80, 0xff, 64, 128, 0x40000000, 0x80000000, ~0U,
	};
	struct vmm_virtio *v = plugged(&plain_ops);
	u32 random = 1;
	u32 offset;
	unsigned int i;

	v->legacy = legacy;
	for (i = 0; i < 200000; i++) {
		random = random * 1664525 + 1013904223;
		offset = random >> 16 & (sizeof(regs) - 1);
		if (random & 0x80)
			offset &= 0x7c;
		vmm_virtio_mmio_write(v, offset, values[(random >> 8) % ARRAY_SIZE(values)], 4);
		vmm_virtio_mmio_peek(regs, offset);
	}
	tap_equal(rd(MAGIC), 0x74726976);
	tap_equal(rd(DEVICE_ID), 19);
	tap_equal(rd(CONFIG), 0x2a);
	unplugged(v);
	tap_equal(seen.starts, seen.stops);
}

static void noise_is_harmless(void)
{
	noise(false);
	noise(true);
}

static const struct tap_case cases[] = {
	{ "a device is shown, an unplugged one is not", device_is_shown },
	{ "features have two halves", features_have_two_halves },
	{ "a driver by the DMA API, its backend as ever", platform_is_for_the_driver_only },
	{ "features are settled once", features_are_settled_once },
	{ "features that cannot be are refused", bad_features_are_refused },
	{ "every negotiation of features ends as it must", features_are_negotiated },
	{ "a driver brings the device up", driver_brings_it_up },
	{ "a reset stops the device and forgets its queues", reset_forgets },
	{ "DRIVER_OK before FEATURES_OK fails", early_driver_ok_fails },
	{ "a device that does not start asks for a reset", device_that_does_not_start },
	{ "sizes of queues are checked", queues_are_checked },
	{ "a queue that is not there is not shown", queue_that_is_not_there },
	{ "a queue that is ready does not change", ready_queue_stays_as_it_is },
	{ "a queue that is given up is stopped", queue_given_up_is_stopped },
	{ "a notification that exits is one", notifications_that_exit_count_too },
	{ "a changed configuration is told and acknowledged", config_changes_are_told },
	{ "a legacy driver brings the device up", legacy_driver_brings_it_up },
	{ "a legacy driver's mistakes are noticed", legacy_driver_that_is_wrong },
	{ "noise is harmless", noise_is_harmless },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
