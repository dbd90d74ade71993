// SPDX-License-Identifier: GPL-2.0-only
/*
 * A virtio device behind PCI, driven as a driver does, and as no driver should, with a device
 * that only counts. Everything is found by capabilities, as a driver finds it;
 * numbers are written out from the specification.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "tests/pci/wires.h"
#include "tests/tap.h"
#include "virtio/pci.h"

#define SLOT		3
/* The first pin in test_map with this interrupt. */
#define PIN		(SLOT % 2)
#define QUEUES		3

/* Common configuration */
#define DEVICE_SELECT	0x00
#define DEVICE_FEATURE	0x04
#define DRIVER_SELECT	0x08
#define DRIVER_FEATURE	0x0c
#define CONFIG_VECTOR	0x10
#define NUM_QUEUES	0x12
#define STATUS		0x14
#define GENERATION	0x15
#define Q_SELECT	0x16
#define Q_SIZE		0x18
#define Q_VECTOR	0x1a
#define Q_ENABLE	0x1c
#define Q_NOTIFY	0x1e
#define Q_DESC		0x20
#define Q_DRIVER	0x28
#define Q_DEVICE	0x30
#define Q_DATA		0x38
#define Q_RESET		0x3a

#define S_ACKNOWLEDGE	1
#define S_DRIVER	2
#define S_DRIVER_OK	4
#define S_FEATURES_OK	8
#define S_NEEDS_RESET	0x40

#define F_LOW		(1U << 5)
#define F_VERSION_1	(1U << 0)	/* in the upper half */
#define F_RING_RESET	(1U << 8)	/* in the upper half */

static struct {
	unsigned int starts;
	unsigned int stops;
	unsigned int queue_starts;
	unsigned int queue_stops;
	unsigned int config_writes;
	u32 config_offset;
	u64 config_value;
	unsigned int config_len;
	int start_err;
} seen;

static int fake_start(struct vmm_virtio *v)
{
	(void)v;
	seen.starts++;
	return seen.start_err;
}

static void fake_stop(struct vmm_virtio *v)
{
	(void)v;
	seen.stops++;
}

static int fake_start_queue(struct vmm_virtio *v, unsigned int queue)
{
	tap_check(v->queue[queue].ready);
	seen.queue_starts++;
	return seen.start_err;
}

static void fake_stop_queue(struct vmm_virtio *v, unsigned int queue)
{
	tap_check(v->queue[queue].ready);
	seen.queue_stops++;
}

static void fake_write_config(struct vmm_virtio *v, u32 offset, u64 value, unsigned int len)
{
	(void)v;
	seen.config_writes++;
	seen.config_offset = offset;
	seen.config_value = value;
	seen.config_len = len;
}

static const struct vmm_virtio_ops plain_ops = {
	.name = "fake", .id = 2, .queues = QUEUES, .queue_max = 128,
	.start = fake_start, .stop = fake_stop, .write_config = fake_write_config,
};

static const struct vmm_virtio_ops queue_ops = {
	.name = "fake", .id = 2, .queues = QUEUES, .queue_max = 128,
	.start = fake_start, .stop = fake_stop,
	.start_queue = fake_start_queue, .stop_queue = fake_stop_queue,
};

/**
 * struct place - the registers that a capability points to
 * @cap: where the capability is, 0 for none
 * @bar: which BAR
 * @offset: offset in the BAR
 * @length: bytes of them
 */
struct place {
	u32 cap;
	u32 bar;
	u32 offset;
	u32 length;
};

static struct {
	struct vmm_pci_bus bus;
	struct vmm_virtio_pci *p;
	struct place place[10];		/* by type of the capability */
	u32 msix;
	u32 multiplier;
} t;

static u32 cfg(unsigned int offset, unsigned int len)
{
	u32 value = vmm_pci_config_read(&t.bus, SLOT, offset, len);

	return len < 4 ? value & ((1U << 8 * len) - 1) : value;
}

static void cfg_wr(unsigned int offset, u32 value, unsigned int len)
{
	vmm_pci_config_write(&t.bus, SLOT, offset, value, len);
}

static u64 bar_base(unsigned int bar)
{
	u32 low = cfg(0x10 + 4 * bar, 4);

	if (low & 1)
		return low & ~3U;
	return (low & ~15U) | (low & 4 ? (u64)cfg(0x14 + 4 * bar, 4) << 32 : 0);
}

static u64 rd_at(unsigned int type, u64 offset, unsigned int len)
{
	bool ports = cfg(0x10 + 4 * t.place[type].bar, 4) & 1;
	u64 value = vmm_pci_read(&t.bus, ports, bar_base(t.place[type].bar) +
				 t.place[type].offset + offset, len);

	return len < 8 ? value & ((1ULL << 8 * len) - 1) : value;
}

static void wr_at(unsigned int type, u64 offset, u64 value, unsigned int len)
{
	bool ports = cfg(0x10 + 4 * t.place[type].bar, 4) & 1;

	vmm_pci_write(&t.bus, ports, bar_base(t.place[type].bar) + t.place[type].offset + offset,
		      value, len);
}

static u64 rd(u64 offset, unsigned int len)
{
	return rd_at(1, offset, len);
}

static void wr(u64 offset, u64 value, unsigned int len)
{
	wr_at(1, offset, value, len);
}

static void capabilities_find(void)
{
	u32 at;

	for (at = cfg(0x34, 1); at; at = cfg(at + 1, 1)) {
		u32 type = cfg(at + 3, 1);

		if (cfg(at, 1) == 0x11)
			t.msix = at;
		if (cfg(at, 1) != 9 || !tap_check(type < ARRAY_SIZE(t.place)))
			continue;
		tap_check(!t.place[type].cap);
		t.place[type] = (struct place){
			at, cfg(at + 4, 1), cfg(at + 8, 4), cfg(at + 12, 4),
		};
		if (type == 2)
			t.multiplier = cfg(at + 16, 4);
	}
}

static void events_open(struct vmm_virtio *v)
{
	unsigned int i;

	v->call_fd = eventfd(0, EFD_NONBLOCK);
	for (i = 0; i < QUEUES; i++) {
		v->queue[i].kick_fd = eventfd(0, EFD_NONBLOCK);
		v->queue[i].call_fd = eventfd(0, EFD_NONBLOCK);
	}
}

static struct vmm_virtio *plugged_on(const struct vmm_virtio_ops *ops,
				     const struct vmm_pci_map *map, u64 shm_size)
{
	static const u8 config[] = { 1, 2, 3, 4, 5, 6, 7, 8 };
	static const struct vmm_config cfg;
	static struct vmm_vm vm = { .cfg = &cfg };
	static u8 shared[16];
	struct vmm_virtio *v;

	memset(&seen, 0, sizeof(seen));
	memset(&wires, 0, sizeof(wires));
	memset(&t, 0, sizeof(t));
	t.p = calloc(1, sizeof(*t.p));
	v = &t.p->v;
	v->ops = ops;
	v->vm = &vm;
	v->name = ops->name;
	v->id = ops->id;
	v->queues = ops->queues;
	v->queue_max = ops->queue_max;
	v->offered = (u64)F_VERSION_1 << 32 | F_LOW;
	v->shm = (struct vmm_virtio_shm){ .id = 7, .size = shm_size, .hva = shared };
	pthread_mutex_init(&v->lock, NULL);
	pthread_cond_init(&v->idle, NULL);
	events_open(v);
	vmm_virtio_config(v, config, sizeof(config));
	tap_equal(vmm_pci_bus_open(&t.bus, map, &test_wires, &wires), 0);
	tap_equal(vmm_virtio_pci_plug(t.p, &t.bus, SLOT), 0);
	vmm_pci_power_on(&t.bus);
	capabilities_find();
	cfg_wr(4, 7, 2);
	return v;
}

static struct vmm_virtio *plugged(const struct vmm_virtio_ops *ops)
{
	return plugged_on(ops, &test_map, 0);
}

static void unplugged(struct vmm_virtio *v)
{
	unsigned int i;

	vmm_virtio_pci_unplug(t.p);
	tap_equal(wires.bells, 0);
	tap_equal(wires.fds, 0);
	tap_equal(wires.memory_size, 0);
	vmm_pci_bus_close(&t.bus);
	close(v->call_fd);
	for (i = 0; i < QUEUES; i++) {
		close(v->queue[i].kick_fd);
		close(v->queue[i].call_fd);
	}
	pthread_cond_destroy(&v->idle);
	pthread_mutex_destroy(&v->lock);
	free(t.p);
}

static u64 signals(int fd)
{
	eventfd_t value = 0;

	eventfd_read(fd, &value);
	return value;
}

static void accept_features(u32 high, u32 low)
{
	wr(STATUS, S_ACKNOWLEDGE, 1);
	wr(STATUS, S_ACKNOWLEDGE | S_DRIVER, 1);
	wr(DRIVER_SELECT, 1, 4);
	wr(DRIVER_FEATURE, high, 4);
	wr(DRIVER_SELECT, 0, 4);
	wr(DRIVER_FEATURE, low, 4);
	wr(STATUS, rd(STATUS, 1) | S_FEATURES_OK, 1);
}

static void set_queue(u16 index, u16 num)
{
	wr(Q_SELECT, index, 2);
	wr(Q_SIZE, num, 2);
	wr(Q_DESC, 0x40001000, 4);
	wr(Q_DESC + 4, 1, 4);
	wr(Q_DRIVER, 0x240002000, 8);
	wr(Q_DEVICE, 0x40003000, 4);
	wr(Q_DEVICE + 4, 3, 4);
	wr(Q_ENABLE, 1, 2);
}

static void bring_up(u32 high)
{
	unsigned int i;

	accept_features(high, F_LOW);
	for (i = 0; i < QUEUES; i++)
		set_queue(i, 64);
	wr(STATUS, rd(STATUS, 1) | S_DRIVER_OK, 1);
}

static void a_driver_finds_everything(void)
{
	struct vmm_virtio *v = plugged(&plain_ops);
	static const unsigned int types[] = { 1, 2, 3, 4, 5 };
	unsigned int i;

	tap_equal(cfg(0, 4), 0x10421af4);
	tap_check(cfg(8, 1) >= 1);
	tap_equal(cfg(0x0a, 2), 0x0100);
	tap_check(cfg(0x2e, 2) >= 0x40);
	for (i = 0; i < ARRAY_SIZE(types); i++) {
		tap_context("capability %u", types[i]);
		tap_check(t.place[types[i]].cap);
	}
	tap_check(!t.place[8].cap);
	tap_check(t.place[1].length >= 0x38);
	tap_check(t.place[4].offset % 4 == 0 && t.place[4].length >= 8);
	tap_check(cfg(0x10 + 4 * t.place[2].bar, 4) & 1);
	tap_check(t.multiplier >= 2 && t.multiplier * QUEUES <= t.place[2].length);
	tap_equal((cfg(t.msix + 2, 2) & 0x7ff) + 1, QUEUES + 1);
	tap_equal(rd(NUM_QUEUES, 2), QUEUES);
	tap_equal(rd(STATUS, 1), 0);
	tap_equal(rd(CONFIG_VECTOR, 2), 0xffff);
	tap_equal(rd(Q_VECTOR, 2), 0xffff);
	tap_equal(rd(Q_SIZE, 2), 128);
	tap_equal(rd_at(4, 0, 8), 0x0807060504030201);
	tap_equal(rd_at(4, 3, 2), 0x0504);
	tap_equal(rd_at(4, 0xfc, 8), 0);
	unplugged(v);
}

static void a_driver_brings_it_up(void)
{
	struct vmm_virtio *v = plugged(&plain_ops);

	tap_equal(rd(DEVICE_FEATURE, 4), F_LOW);
	wr(DEVICE_SELECT, 1, 4);
	tap_equal(rd(DEVICE_FEATURE, 4), F_VERSION_1);
	wr(DEVICE_SELECT, 2, 4);
	tap_equal(rd(DEVICE_FEATURE, 4), 0);
	bring_up(F_VERSION_1);
	tap_equal(seen.starts, 1);
	tap_equal(rd(STATUS, 1), 15);
	tap_equal(rd(DRIVER_FEATURE, 4), F_LOW);
	wr(DRIVER_SELECT, 1, 4);
	tap_equal(rd(DRIVER_FEATURE, 4), F_VERSION_1);
	wr(Q_SELECT, 2, 2);
	tap_equal(rd(Q_SIZE, 2), 64);
	tap_equal(rd(Q_ENABLE, 2), 1);
	tap_equal(rd(Q_NOTIFY, 2), 2);
	tap_equal(rd(Q_DESC, 8), 0x140001000);
	tap_equal(rd(Q_DRIVER, 4), 0x40002000);
	tap_equal(rd(Q_DRIVER + 4, 4), 2);
	tap_equal(rd(Q_DEVICE, 8), 0x340003000);
	tap_equal(v->queue[2].desc, 0x140001000);
	tap_equal(v->queue[2].driver, 0x240002000);
	tap_equal(v->queue[2].device, 0x340003000);
	/* Only a reset undoes it. */
	wr(Q_ENABLE, 0, 2);
	wr(Q_SIZE, 32, 2);
	wr(Q_DESC, 0, 8);
	tap_equal(rd(Q_ENABLE, 2), 1);
	tap_equal(v->queue[2].num, 64);
	tap_equal(v->queue[2].desc, 0x140001000);
	wr(STATUS, 0, 1);
	tap_equal(seen.stops, 1);
	tap_equal(rd(STATUS, 1), 0);
	tap_equal(rd(Q_ENABLE, 2), 0);
	tap_equal(rd(Q_SIZE, 2), 128);
	tap_equal(rd(Q_SELECT, 2), 0);
	unplugged(v);
}

static void drivers_mistakes_are_noticed(void)
{
	static const struct { u16 num; bool fits; } sizes[] = {
		{ 0, false }, { 1, true }, { 3, false }, { 128, true }, { 129, false },
		{ 256, false }, { 0xffff, false },
	};
	struct vmm_virtio *v = plugged(&plain_ops);
	unsigned int i;

	accept_features(F_VERSION_1, 1 << 6);
	tap_check(!(rd(STATUS, 1) & S_FEATURES_OK));
	accept_features(0, F_LOW);
	tap_check(!(rd(STATUS, 1) & S_FEATURES_OK));
	wr(STATUS, rd(STATUS, 1) | S_DRIVER_OK, 1);
	tap_check(rd(STATUS, 1) & S_NEEDS_RESET);
	tap_equal(seen.starts, 0);
	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		tap_context("%u entries", sizes[i].num);
		wr(STATUS, 0, 1);
		accept_features(F_VERSION_1, 0);
		set_queue(0, sizes[i].num);
		tap_equal(rd(Q_ENABLE, 2), sizes[i].fits);
	}
	/* Queues that are not there. */
	for (i = QUEUES; i < 0x10000; i = i * 5 + 1) {
		tap_context("queue %u", i);
		set_queue(i, 64);
		wr(Q_VECTOR, 0, 2);
		wr(Q_RESET, 1, 2);
		tap_equal(rd(Q_SELECT, 2), i);
		tap_equal(rd(Q_SIZE, 2), 0);
		tap_equal(rd(Q_ENABLE, 2), 0);
		tap_equal(rd(Q_VECTOR, 2), 0xffff);
		tap_equal(rd(Q_DESC, 8), 0);
	}
	/* Writes that are too wide, too narrow, or next to a register. */
	wr(STATUS, 0, 1);
	wr(STATUS, S_ACKNOWLEDGE, 2);
	wr(STATUS, S_ACKNOWLEDGE, 4);
	wr(STATUS - 1, 0x100, 2);
	wr(DEVICE_SELECT, 1, 1);
	wr(DRIVER_SELECT + 2, 1, 4);
	wr(Q_DESC + 2, 1, 4);
	wr(Q_DESC + 4, 1, 8);
	wr(0x40, 1, 4);
	wr(0xffc, 1, 4);
	tap_equal(rd(STATUS, 1), 0);
	tap_equal(rd(DEVICE_FEATURE, 4), F_LOW);
	tap_equal(rd(DRIVER_SELECT, 4), 0);
	tap_equal(rd(Q_DESC, 8), 0);
	tap_equal(rd(0x40, 8), 0);
	unplugged(v);
}

static void doorbells_follow_the_bar(void)
{
	struct vmm_virtio *v = plugged(&plain_ops);
	const struct vmm_pci_bell *bell;
	u64 base = bar_base(t.place[2].bar);
	unsigned int i;

	tap_equal(wires.bells, QUEUES);
	for (i = 0; i < QUEUES; i++) {
		bell = wires_bell(true, base + i * t.multiplier);
		if (tap_check(bell)) {
			tap_equal(bell->len, 2);
			tap_check(bell->fd == v->queue[i].kick_fd);
		}
	}
	cfg_wr(0x10, PORTS_BASE + 0x400, 4);
	tap_equal(wires.bells, QUEUES);
	tap_check(wires_bell(true, PORTS_BASE + 0x400));
	tap_check(!wires_bell(true, base));
	cfg_wr(0x10, 0xffffffff, 4);
	tap_equal(wires.bells, 0);
	cfg_wr(0x10, PORTS_BASE, 4);
	cfg_wr(4, 6, 2);
	tap_equal(wires.bells, 0);
	cfg_wr(4, 7, 2);
	tap_equal(wires.bells, QUEUES);
	unplugged(v);
}

static void notifications_that_exit_count_too(void)
{
	struct vmm_virtio *v = plugged(&plain_ops);

	wr_at(2, 2 * t.multiplier, 2, 4);
	tap_equal(signals(v->queue[2].kick_fd), 1);
	wr_at(2, t.multiplier, 0xffff, 2);
	tap_equal(signals(v->queue[1].kick_fd), 1);
	/* Writes next to a doorbell, and one for a missing queue. */
	wr_at(2, t.multiplier + 1, 0, 1);
	wr_at(2, QUEUES * t.multiplier, 0, 2);
	tap_equal(rd_at(2, 0, 2), 0);
	tap_equal(signals(v->queue[0].kick_fd), 0);
	tap_equal(signals(v->queue[1].kick_fd), 0);
	tap_equal(signals(v->queue[2].kick_fd), 0);
	unplugged(v);
}

/* Two functions at one address: KVM has one doorbell there. */
static void doorbells_may_be_refused(void)
{
	struct vmm_virtio *v = plugged(&plain_ops);
	struct vmm_pci_bell foreign = { .ports = true, .addr = PORTS_BASE + 0x104, .fd = 99 };

	wires.bell[wires.bells++] = foreign;
	cfg_wr(0x10, PORTS_BASE + 0x100, 4);
	tap_equal(wires.bells, QUEUES);
	wr_at(2, t.multiplier, 1, 2);
	tap_equal(signals(v->queue[1].kick_fd), 1);
	cfg_wr(0x10, PORTS_BASE, 4);
	tap_equal(wires.bells, QUEUES + 1);
	tap_check(wires_bell(true, foreign.addr));
	test_wires.doorbell(&wires, &foreign, false);
	unplugged(v);
}

static void vector_on(unsigned int vector)
{
	u64 table = bar_base(cfg(t.msix + 4, 4) & 7) + (cfg(t.msix + 4, 4) & ~7U);

	vmm_pci_write(&t.bus, false, table + 16 * vector, MESSAGE, 8);
	vmm_pci_write(&t.bus, false, table + 16 * vector + 8, 0x40 + vector, 4);
	vmm_pci_write(&t.bus, false, table + 16 * vector + 12, 0, 4);
}

static void queues_send_messages(void)
{
	struct vmm_virtio *v = plugged(&plain_ops);
	unsigned int i;

	cfg_wr(t.msix + 2, 0x8000, 2);
	for (i = 0; i <= QUEUES; i++)
		vector_on(i);
	wr(CONFIG_VECTOR, 0, 2);
	tap_equal(rd(CONFIG_VECTOR, 2), 0);
	for (i = 0; i < QUEUES; i++) {
		wr(Q_SELECT, i, 2);
		wr(Q_VECTOR, i + 1, 2);
		tap_equal(rd(Q_VECTOR, 2), i + 1);
		tap_equal(wires_gsi(v->queue[i].call_fd), FIRST_GSI + i + 1);
	}
	tap_equal(wires_gsi(v->call_fd), FIRST_GSI);
	/* A missing message is refused, and one may be shared. */
	wr(Q_VECTOR, QUEUES + 1, 2);
	tap_equal(rd(Q_VECTOR, 2), 0xffff);
	tap_equal(wires_gsi(v->queue[QUEUES - 1].call_fd), 0);
	wr(Q_VECTOR, 1, 2);
	tap_equal(wires_gsi(v->queue[QUEUES - 1].call_fd), FIRST_GSI + 1);
	bring_up(F_VERSION_1);
	/* A reset of the device takes them away. */
	wr(STATUS, 0, 1);
	tap_equal(rd(CONFIG_VECTOR, 2), 0xffff);
	tap_equal(rd(Q_VECTOR, 2), 0xffff);
	tap_equal(wires.fds, 0);
	unplugged(v);
}

static void config_changes_are_told(void)
{
	static const u8 config[] = { 9, 8 };
	struct vmm_virtio *v = plugged(&plain_ops);
	u64 generation;

	bring_up(F_VERSION_1);
	generation = rd(GENERATION, 1);
	vmm_virtio_config(v, config, sizeof(config));
	tap_check(rd(GENERATION, 1) != generation);
	tap_equal(rd_at(4, 0, 4), 0x04030809);
	vmm_pci_intx_serve(&t.bus);
	tap_check(wires.level[PIN]);
	tap_equal(rd_at(3, 0, 1), 2);
	tap_check(!wires.level[PIN]);
	/* With messages, the eventfd is signalled instead. */
	cfg_wr(t.msix + 2, 0x8000, 2);
	vmm_virtio_config(v, config, sizeof(config));
	tap_equal(signals(v->call_fd), 1);
	unplugged(v);
}

static void pins_say_why(void)
{
	struct vmm_virtio *v = plugged(&plain_ops);

	bring_up(F_VERSION_1);
	vmm_virtio_notify_queue(v, 1);
	vmm_pci_intx_serve(&t.bus);
	tap_check(wires.level[PIN]);
	/* Only accesses to the register itself have an effect. */
	tap_equal(rd_at(3, 1, 1), 0);
	tap_check(wires.level[PIN]);
	tap_equal(rd_at(3, 0, 1), 1);
	tap_check(!wires.level[PIN]);
	tap_equal(rd_at(3, 0, 1), 0);
	/* Interrupts from before a reset are dropped. */
	vmm_virtio_notify_queue(v, 1);
	vmm_pci_intx_serve(&t.bus);
	vmm_virtio_notify_queue(v, 2);
	wr(STATUS, 0, 1);
	vmm_pci_intx_serve(&t.bus);
	tap_check(!wires.level[PIN]);
	tap_equal(rd_at(3, 0, 1), 0);
	unplugged(v);
}

static void config_is_written_by_the_model(void)
{
	struct vmm_virtio *v = plugged(&plain_ops);

	wr_at(4, 4, 0x1234, 2);
	tap_equal(seen.config_writes, 1);
	tap_check(seen.config_offset == 4 && seen.config_value == 0x1234 && seen.config_len == 2);
	wr_at(4, 0xfe, 0, 2);
	tap_equal(seen.config_writes, 2);
	wr_at(4, 0xfe, 0, 4);
	wr_at(4, 0x100, 0, 4);
	wr_at(4, 0xff8, 0, 8);
	tap_equal(seen.config_writes, 2);
	unplugged(v);
}

static void a_queue_is_reset_alone(void)
{
	struct vmm_virtio *v = plugged(&queue_ops);

	wr(DEVICE_SELECT, 1, 4);
	tap_equal(rd(DEVICE_FEATURE, 4), F_VERSION_1 | F_RING_RESET);
	bring_up(F_VERSION_1 | F_RING_RESET);
	wr(Q_SELECT, 1, 2);
	wr(Q_RESET, 0, 2);
	tap_equal(seen.queue_stops, 0);
	wr(Q_RESET, 1, 2);
	tap_equal(seen.queue_stops, 1);
	tap_equal(rd(Q_RESET, 2), 0);
	tap_equal(rd(Q_ENABLE, 2), 0);
	tap_equal(rd(Q_SIZE, 2), 128);
	tap_equal(rd(Q_DESC, 8), 0);
	wr(Q_RESET, 1, 2);
	tap_equal(seen.queue_stops, 1);
	set_queue(1, 32);
	tap_equal(seen.queue_starts, 1);
	tap_equal(rd(Q_ENABLE, 2), 1);
	tap_equal(v->queue[1].num, 32);
	tap_check(seen.starts == 1 && seen.stops == 0);
	/* One that does not start again makes the device ask for a reset. */
	wr(Q_RESET, 1, 2);
	seen.start_err = -EINVAL;
	set_queue(1, 32);
	tap_check(rd(STATUS, 1) & S_NEEDS_RESET);
	seen.start_err = 0;
	/* Without the feature, the register does nothing. */
	wr(STATUS, 0, 1);
	bring_up(F_VERSION_1);
	wr(Q_SELECT, 1, 2);
	seen.queue_stops = 0;
	wr(Q_RESET, 1, 2);
	tap_equal(seen.queue_stops, 0);
	tap_equal(rd(Q_ENABLE, 2), 1);
	unplugged(v);
	/* A model that does not support it does not offer it. */
	v = plugged(&plain_ops);
	wr(DEVICE_SELECT, 1, 4);
	tap_equal(rd(DEVICE_FEATURE, 4), F_VERSION_1);
	unplugged(v);
}

static void window_set(u32 bar, u32 offset, u32 len)
{
	u32 cap = t.place[5].cap;

	cfg_wr(cap + 4, bar, 1);
	cfg_wr(cap + 8, offset, 4);
	cfg_wr(cap + 12, len, 4);
}

static void configuration_space_is_a_window(void)
{
	static const struct { u32 bar, offset, len; } wrong[] = {
		{ 4, 0, 0 }, { 4, 0, 3 }, { 4, 0, 8 }, { 4, 0x4000, 4 }, { 4, 2, 4 },
		{ 4, 0xfffffffc, 4 }, { 3, 0, 4 }, { 5, 0, 4 }, { 6, 0, 4 }, { 255, 0, 4 },
		{ 4, 0, 0x80000004 },
	};
	struct vmm_virtio *v = plugged(&plain_ops);
	u32 data = t.place[5].cap + 16;
	unsigned int i;

	/* It needs no BAR to be decoded. */
	cfg_wr(4, 0, 2);
	window_set(4, t.place[1].offset + NUM_QUEUES, 2);
	tap_equal(cfg(data, 2), QUEUES);
	window_set(4, t.place[1].offset + STATUS, 1);
	cfg_wr(data, S_ACKNOWLEDGE | S_DRIVER, 4);
	tap_equal(v->status, S_ACKNOWLEDGE | S_DRIVER);
	tap_equal(cfg(data, 1), S_ACKNOWLEDGE | S_DRIVER);
	window_set(4, t.place[4].offset, 4);
	tap_equal(cfg(data, 4), 0x04030201);
	window_set(t.place[2].bar, t.place[2].offset + t.multiplier, 2);
	cfg_wr(data, 1, 2);
	tap_equal(signals(v->queue[1].kick_fd), 1);
	window_set(1, 12, 4);
	tap_equal(cfg(data, 4), 1);
	/* An invalid window: reads return what was written. */
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		tap_context("BAR %u, 0x%x, %u", wrong[i].bar, wrong[i].offset, wrong[i].len);
		window_set(wrong[i].bar, wrong[i].offset, wrong[i].len);
		cfg_wr(data, 0x5a5a5a00 + i, 4);
		tap_equal(cfg(data, 4), 0x5a5a5a00 + i);
	}
	tap_equal(v->status, S_ACKNOWLEDGE | S_DRIVER);
	unplugged(v);
}

static void memory_is_shared(void)
{
	struct vmm_virtio *v = plugged_on(&plain_ops, &test_map, 0x10000);
	u32 cap = t.place[8].cap;

	if (tap_check(cap)) {
		tap_equal(cfg(cap + 2, 1), 24);
		tap_equal(cfg(cap + 5, 1), 7);
		tap_equal(t.place[8].bar, 2);
		tap_equal(t.place[8].length, 0x10000);
		tap_equal(cfg(cap + 20, 4), 0);
	}
	tap_equal(wires.memory_gpa, HIGH_BASE);
	tap_equal(wires.memory_size, 0x10000);
	cfg_wr(0x18, 0x20000, 4);
	tap_equal(wires.memory_gpa, HIGH_BASE + 0x20000);
	cfg_wr(4, 0, 2);
	tap_equal(wires.memory_size, 0);
	cfg_wr(4, 2, 2);
	tap_equal(wires.memory_size, 0x10000);
	/* The window does not point there, and no access is answered. */
	tap_equal(rd_at(8, 0, 4), 0);
	window_set(2, 0, 4);
	cfg_wr(t.place[5].cap + 16, 77, 4);
	tap_equal(cfg(t.place[5].cap + 16, 4), 77);
	unplugged(v);
}

/* As on arm64: doorbells are memory, and take writes of any width. */
static void boards_without_ports_will_do(void)
{
	struct vmm_pci_map map = test_map;
	struct vmm_virtio *v;
	const struct vmm_pci_bell *bell;

	map.window[VMM_PCI_PORTS].size = 0;
	v = plugged_on(&plain_ops, &map, 0);
	tap_equal(t.place[2].bar, 4);
	tap_equal(cfg(0x10, 4), 0);
	tap_equal(wires.bells, QUEUES);
	bell = wires_bell(false, bar_base(4) + t.place[2].offset + t.multiplier);
	if (tap_check(bell))
		tap_check(bell->len == 0 && bell->fd == v->queue[1].kick_fd);
	wr_at(2, t.multiplier, 1, 8);
	tap_equal(signals(v->queue[1].kick_fd), 1);
	unplugged(v);
}

static void power_on_forgets(void)
{
	struct vmm_virtio *v = plugged(&plain_ops);

	cfg_wr(t.msix + 2, 0x8000, 2);
	vector_on(0);
	bring_up(F_VERSION_1);
	wr(CONFIG_VECTOR, 0, 2);
	/* As between two guests: KVM's part is released. */
	memset(&wires, 0, sizeof(wires));
	memset(t.p->connected, 0, sizeof(t.p->connected));
	t.p->config_source->wire = VMM_PCI_WIRE_NONE;
	vmm_virtio_reset(v);
	vmm_pci_power_on(&t.bus);
	tap_equal(seen.stops, 1);
	cfg_wr(4, 7, 2);
	tap_equal(rd(STATUS, 1), 0);
	tap_equal(rd(CONFIG_VECTOR, 2), 0xffff);
	tap_equal(wires.bells, QUEUES);
	tap_equal(wires.fds, 0);
	unplugged(v);
}

/* Random accesses; the sanitizers detect errors. */
static void noise_is_harmless(void)
{
	static const u32 values[] = {
		0, 1, 2, 3, 4, 8, 11, 15, 64, 128, 0xff, 0x8000, MESSAGE, 0xffffffff,
	};
	struct vmm_virtio *v = plugged(&queue_ops);
	u32 random = 7;
	unsigned int i;

	for (i = 0; i < 200000; i++) {
		u32 value = values[(random >> 8) % ARRAY_SIZE(values)];
		u32 offset = random >> 14 & 0xfff;
		unsigned int len = 1 << (random >> 26 & 3);
		unsigned int type = 1 + (random >> 28) % 4;

		random = random * 1664525 + 1013904223;
		if (random & 0x100)
			offset &= 0x3f;
		if (random & 0x40)
			wr_at(type, offset, value, len);
		else if (random & 0x30)
			rd_at(type, offset, len);
		else if (offset >= 0x40)
			cfg_wr(offset & 0xff, value, len & 7);
		else
			cfg(offset, len > 4 ? 4 : len);
	}
	tap_equal(cfg(0, 4), 0x10421af4);
	unplugged(v);
	tap_equal(seen.starts, seen.stops);
}

static const struct tap_case cases[] = {
	{ "a driver finds everything by capabilities", a_driver_finds_everything },
	{ "a driver brings the device up", a_driver_brings_it_up },
	{ "a driver's mistakes are noticed", drivers_mistakes_are_noticed },
	{ "doorbells follow their BAR", doorbells_follow_the_bar },
	{ "a notification that exits is one", notifications_that_exit_count_too },
	{ "doorbells may be refused", doorbells_may_be_refused },
	{ "queues send messages", queues_send_messages },
	{ "a changed configuration is told", config_changes_are_told },
	{ "a raised pin says why", pins_say_why },
	{ "the configuration is written by the model", config_is_written_by_the_model },
	{ "a queue is reset alone", a_queue_is_reset_alone },
	{ "configuration space is a window", configuration_space_is_a_window },
	{ "memory is shared", memory_is_shared },
	{ "boards without ports will do", boards_without_ports_will_do },
	{ "power-on forgets what the guest did", power_on_forgets },
	{ "noise is harmless", noise_is_harmless },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
