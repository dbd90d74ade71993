// SPDX-License-Identifier: GPL-2.0-only
/*
 * A driver of a disk, with a machine around it, for the tests of the vhost-user front
 * end.
 */
#include <pthread.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>
#include <linux/virtio_config.h>
#include <linux/virtio_mmio.h>
#include <linux/virtio_ring.h>

#include "backends/vhost_user.h"
#include "devices/devices.h"
#include "tests/backends/vhost_user_lib.h"
#include "tests/tap.h"

#define DEPTH		24
#define CELLS		0x10000

/** The machine. */
struct machine m;
/** Its transport is legacy (before virtio 1.0). */
bool machine_legacy;
/** The loop that contains the devices' loop, or NULL. */
struct vmm_loop *machine_outer;

static u8 regs[RANCHU_VIRTIO_MMIO_SIZE] __attribute__((aligned(8)));

static void *loop_run(void *arg)
{
	(void)arg;
	vmm_loop_run(vmm_loop_main(m.vm.loop));
	return NULL;
}

static int loop_end(void *arg)
{
	(void)arg;
	return 1;
}

/* Another handler of the loop, called ten times a second. */
static int loop_tick(void *arg)
{
	u64 times;

	(void)arg;
	if (read(m.tick_fd, &times, sizeof(times)) == sizeof(times))
		__atomic_fetch_add(&m.ticks, 1, __ATOMIC_SEQ_CST);
	return 0;
}

static void loop_prepare(void)
{
	struct itimerspec often = {
		.it_value.tv_nsec = 100000000, .it_interval.tv_nsec = 100000000,
	};

	struct vmm_loop *loop;

	m.vm.loop = machine_outer ? vmm_loop_create_inner(machine_outer) : vmm_loop_create();
	loop = vmm_loop_main(m.vm.loop);
	m.end_fd = vmm_event_create();
	vmm_loop_add(loop, m.end_fd, loop_end, NULL);
	m.tick_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC);
	timerfd_settime(m.tick_fd, 0, &often, NULL);
	vmm_loop_add(loop, m.tick_fd, loop_tick, NULL);
}

/**
 * machine_start - make a device and a loop that runs
 *
 * Return: 0, or the error of the device's creation
 */
int machine_start(void)
{
	unsigned int i;
	int err;

	memset(&m, 0, sizeof(m));
	m.cfg.backends[VMM_BACKEND_VHOST_USER] = 1;
	m.cfg.backend[VMM_BACKEND_VHOST_USER][0] = (struct vmm_backend){ .path = server_path };
	m.vm.cfg = &m.cfg;
	loop_prepare();
	tap_check(!vmm_mem_add(&m.vm.mem, RANCHU_RAM_BASE, MEMORY));
	server.base = (uintptr_t)&m.vm.mem;
	memset(regs, 0, sizeof(regs));
	vmm_virtio_mmio_idle(regs);
	m.v = (struct vmm_virtio){
		.ops = &vmm_vhost_user_ops, .vm = &m.vm, .regs = regs,
		.queues = VMM_VIRTIO_QUEUES, .queue_max = vmm_vhost_user_ops.queue_max,
		.legacy = machine_legacy,
	};
	pthread_mutex_init(&m.v.lock, NULL);
	pthread_cond_init(&m.v.idle, NULL);
	m.v.call_fd = vmm_event_create();
	err = m.v.ops->create(&m.v);
	for (i = 0; i < VMM_VIRTIO_QUEUES; i++)
		m.v.queue[i].kick_fd = vmm_event_create();
	if (!err)
		vmm_virtio_mmio_plug(&m.v);
	pthread_create(&m.thread, NULL, loop_run, NULL);
	return err;
}

/**
 * machine_stop - undo machine_start()
 * @created: the device was created
 */
void machine_stop(bool created)
{
	unsigned int i;

	vmm_event_signal(m.end_fd);
	pthread_join(m.thread, NULL);
	if (created) {
		vmm_virtio_mmio_unplug(&m.v);
		m.v.ops->destroy(&m.v);
	}
	for (i = 0; i < VMM_VIRTIO_QUEUES; i++)
		close(m.v.queue[i].kick_fd);
	close(m.v.call_fd);
	vmm_loop_del(vmm_loop_main(m.vm.loop), m.end_fd);
	vmm_loop_del(vmm_loop_main(m.vm.loop), m.tick_fd);
	close(m.end_fd);
	close(m.tick_fd);
	pthread_cond_destroy(&m.v.idle);
	pthread_mutex_destroy(&m.v.lock);
	vmm_loop_destroy(m.vm.loop);
	vmm_mem_destroy(&m.vm.mem);
}

/**
 * ram - find guest memory
 * @offset: bytes from its beginning
 *
 * Return: where it is mapped here
 */
void *ram(u64 offset)
{
	return (u8 *)m.vm.mem.region[0].hva + offset;
}

/**
 * wr - write a register of the device
 * @offset: of the register
 * @value: to write
 */
void wr(u32 offset, u32 value)
{
	vmm_virtio_mmio_write(&m.v, offset, value, 4);
}

/**
 * rd - read a register of the device
 * @offset: of the register
 *
 * Return: its value
 */
u32 rd(u32 offset)
{
	return vmm_virtio_mmio_peek(regs, offset);
}

/**
 * needs_reset - check whether the device asks for a reset
 *
 * Return: true if it does
 */
bool needs_reset(void)
{
	return rd(VIRTIO_MMIO_STATUS) & VIRTIO_CONFIG_S_NEEDS_RESET;
}

static u64 gpa(u64 offset)
{
	return m.vm.mem.region[0].base + offset;
}

/**
 * driver_start_at - reset the device and start it with a queue
 * @features: those that are accepted, if they are offered
 * @desc: where the descriptors are
 * @avail: where the available ring is
 * @used: where the used ring is
 */
void driver_start_at(u64 features, u64 desc, u64 avail, u64 used)
{
	m.avail = avail;
	m.used = used;
	memset(ram(0), 0, 0x4000);
	memset(m.open, 0, sizeof(m.open));
	m.seen = 0;
	m.under_way = 0;
	wr(VIRTIO_MMIO_STATUS, 0);
	wr(VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	features &= m.v.offered;
	wr(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 0);
	wr(VIRTIO_MMIO_DRIVER_FEATURES, features);
	wr(VIRTIO_MMIO_DRIVER_FEATURES_SEL, 1);
	wr(VIRTIO_MMIO_DRIVER_FEATURES, features >> 32);
	wr(VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_FEATURES_OK);
	wr(VIRTIO_MMIO_QUEUE_SEL, 0);
	wr(VIRTIO_MMIO_QUEUE_NUM, NUM);
	wr(VIRTIO_MMIO_QUEUE_DESC_LOW, gpa(desc));
	wr(VIRTIO_MMIO_QUEUE_AVAIL_LOW, gpa(avail));
	wr(VIRTIO_MMIO_QUEUE_USED_LOW, gpa(used));
	wr(VIRTIO_MMIO_QUEUE_READY, 1);
	wr(VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_DRIVER_OK);
}

/**
 * driver_start - reset the device and start it with a queue at its usual place
 * @features: those that are accepted, if they are offered
 */
void driver_start(u64 features)
{
	driver_start_at(features, 0, AVAIL, USED);
}

/**
 * driver_start_legacy - reset the device and start it as before virtio 1.0
 *
 * The queue is in one piece, and there is no FEATURES_OK. No feature is accepted.
 */
void driver_start_legacy(void)
{
	m.avail = sizeof(struct vring_desc) * NUM;
	m.used = AVAIL;
	memset(ram(0), 0, 0x4000);
	memset(m.open, 0, sizeof(m.open));
	m.seen = 0;
	m.under_way = 0;
	wr(VIRTIO_MMIO_STATUS, 0);
	wr(VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER);
	wr(VIRTIO_MMIO_GUEST_PAGE_SIZE, 4096);
	wr(VIRTIO_MMIO_QUEUE_SEL, 0);
	wr(VIRTIO_MMIO_QUEUE_NUM, NUM);
	wr(VIRTIO_MMIO_QUEUE_ALIGN, 4096);
	wr(VIRTIO_MMIO_QUEUE_PFN, gpa(0) / 4096);
	wr(VIRTIO_MMIO_STATUS, VIRTIO_CONFIG_S_DRIVER_OK);
}

/**
 * driver_request - make a request available
 */
void driver_request(void)
{
	struct vring_desc *desc = ram(0);
	struct vring_avail *avail = ram(m.avail);
	unsigned int head = random_below(NUM);

	while (m.open[head])
		head = (head + 1) % NUM;
	m.open[head] = true;
	m.under_way++;
	desc[head] = (struct vring_desc){
		.addr = gpa(CELLS + 64 * head), .len = 8, .flags = VRING_DESC_F_WRITE,
	};
	*(u64 *)ram(CELLS + 64 * head) = 0;
	avail->ring[avail->idx % NUM] = head;
	__atomic_store_n(&avail->idx, avail->idx + 1, __ATOMIC_RELEASE);
	wr(VIRTIO_MMIO_QUEUE_NOTIFY, 0);
}

/**
 * driver_reap - take used entries
 *
 * Return: false if an answer was wrong
 */
bool driver_reap(void)
{
	struct vring_used *used = ram(m.used);
	u16 end = __atomic_load_n(&used->idx, __ATOMIC_ACQUIRE);

	for (; m.seen != end; m.seen++) {
		u32 head = used->ring[m.seen % NUM].id;

		if (!tap_check(head < NUM && m.open[head]) ||
		    !tap_check(*(u64 *)ram(CELLS + 64 * head) >= 1))
			return false;
		m.open[head] = false;
		m.under_way--;
		m.answered++;
	}
	/* The driver wants every interrupt. */
	((struct vring_avail *)ram(m.avail))->ring[NUM] = m.seen;
	return true;
}

/**
 * driver_works - make requests and wait for all answers
 * @count: how many
 *
 * Return: true if all were answered
 */
bool driver_works(unsigned int count)
{
	unsigned int sent = 0;
	unsigned int idle = 0;

	m.answered = 0;
	while (m.answered < count) {
		unsigned int before = m.answered;

		while (sent < count && m.under_way < DEPTH && random_below(8)) {
			driver_request();
			sent++;
		}
		if (!driver_reap())
			return false;
		if (before != m.answered || sent < count) {
			idle = 0;
			continue;
		}
		usleep(1000);
		if (!tap_check(++idle < 10000))
			return false;
	}
	return tap_equal(m.under_way, 0);
}

/**
 * eventually - wait for a counter
 * @what: the counter
 * @value: that it must reach
 *
 * Return: true if it did in time
 */
bool eventually(unsigned int *what, unsigned int value)
{
	unsigned int i;

	for (i = 0; i < 20000 && __atomic_load_n(what, __ATOMIC_SEQ_CST) < value; i++)
		usleep(1000);
	return tap_check(__atomic_load_n(what, __ATOMIC_SEQ_CST) >= value);
}

/**
 * needs_reset_eventually - wait for the device to ask for a reset
 *
 * Return: true if it did in time
 */
bool needs_reset_eventually(void)
{
	unsigned int i;

	for (i = 0; i < 20000 && !needs_reset(); i++)
		usleep(1000);
	return tap_check(needs_reset());
}
