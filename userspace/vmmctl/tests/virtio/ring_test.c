// SPDX-License-Identifier: GPL-2.0-only
/*
 * Queues that vmmctl serves itself, with a model that the test controls:
 * pausing, rings that a driver breaks or that never get empty, and a bug of the model's.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "tests/tap.h"
#include "virtio/ring.h"

#define BASE	0x40000000ULL
#define NUM	8
#define AVAIL	0x1000
#define USED	0x2000
#define DATA	0x3000

static struct vmm_vm vm;
/* The model reports more bytes written than there is room for. */
static int lies;
/* The model reports a length that makes the next chain available. */
static bool feeds;

static u8 regs[2][RANCHU_VIRTIO_MMIO_SIZE] __attribute__((aligned(8)));

static u32 model_written(const struct vmm_ring *ring)
{
	if (feeds)
		return (u16)(ring->vq.next_avail + 1);
	return __atomic_load_n(&lies, __ATOMIC_ACQUIRE) ? 4096 : 1;
}

static bool kicked(struct vmm_ring *ring)
{
	struct iovec iov[4];
	struct ranchu_chain chain = { .iov = iov, .max = 4 };

	while (vmm_ring_next(ring, &chain) > 0)
		vmm_ring_push(ring, &chain, model_written(ring));
	return true;
}

static int model_create(struct vmm_virtio *v)
{
	struct vmm_ring_device *dev = calloc(1, sizeof(*dev));
	int err = vmm_ring_device_open(dev, v, 0, kicked);

	v->state = dev;
	return err;
}

static void model_destroy(struct vmm_virtio *v)
{
	vmm_ring_device_close(v->state);
	free(v->state);
}

static const struct vmm_virtio_ops model = {
	.name = "test", .id = 4, .queues = 1, .queue_max = NUM,
	.create = model_create, .destroy = model_destroy,
	.start = vmm_ring_model_start, .stop = vmm_ring_model_stop,
	.pause = vmm_ring_model_pause, .resume = vmm_ring_model_resume,
	.stats = vmm_ring_model_stats,
};

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

/* The driver's side of bringing a device up, with a ring whose parts are at these places. */
static void device_start_at(struct vmm_virtio *v, u32 num, u64 desc, u64 avail, u64 used)
{
	vmm_virtio_mmio_write(v, 0x70, 3, 4);
	vmm_virtio_mmio_write(v, 0x24, 1, 4);
	vmm_virtio_mmio_write(v, 0x20, 1, 4);
	vmm_virtio_mmio_write(v, 0x70, 8, 4);
	vmm_virtio_mmio_write(v, 0x38, num, 4);
	vmm_virtio_mmio_write(v, 0x80, desc, 4);
	vmm_virtio_mmio_write(v, 0x90, avail, 4);
	vmm_virtio_mmio_write(v, 0xa0, used, 4);
	vmm_virtio_mmio_write(v, 0x44, 1, 4);
	vmm_virtio_mmio_write(v, 0x70, 4, 4);
}

static void device_start(struct vmm_virtio *v, u64 base)
{
	device_start_at(v, NUM, base, base + AVAIL, base + USED);
}

/* Two devices, with rings at different places in RAM. */
static struct vmm_virtio *device_open(unsigned int i)
{
	struct vmm_virtio *v = calloc(1, sizeof(*v));
	u64 base = BASE + i * 0x10000;

	vmm_virtio_mmio_idle(regs[i]);
	v->ops = &model;
	v->vm = &vm;
	v->name = model.name;
	v->queue_max = NUM;
	v->queues = 1;
	v->regs = regs[i];
	v->call_fd = vmm_event_create();
	pthread_mutex_init(&v->lock, NULL);
	tap_equal(model.create(v), 0);
	v->queue[0].kick_fd = vmm_event_create();
	vmm_virtio_mmio_plug(v);
	device_start(v, base);
	tap_check(v->running);
	return v;
}

static void device_close(struct vmm_virtio *v)
{
	vmm_virtio_mmio_unplug(v);
	model.destroy(v);
	close(v->call_fd);
	close(v->queue[0].kick_fd);
	pthread_mutex_destroy(&v->lock);
	free(v);
}

static u16 *word(unsigned int i, u64 offset)
{
	return vmm_mem_ptr(&vm.mem, BASE + i * 0x10000 + offset, 2);
}

static void request(struct vmm_virtio *v, unsigned int i)
{
	struct vring_desc *desc = vmm_mem_ptr(&vm.mem, BASE + i * 0x10000, sizeof(*desc));

	*desc = (struct vring_desc){
		.addr = BASE + i * 0x10000 + DATA, .len = 16, .flags = VRING_DESC_F_WRITE,
	};
	__atomic_store_n(word(i, AVAIL + 2), *word(i, AVAIL + 2) + 1, __ATOMIC_RELEASE);
	vmm_event_signal(v->queue[0].kick_fd);
}

static bool answered(unsigned int i, u16 want)
{
	unsigned int tries;

	for (tries = 0; tries < 10000; tries++) {
		if (__atomic_load_n(word(i, USED + 2), __ATOMIC_ACQUIRE) == want)
			return true;
		usleep(1000);
	}
	return false;
}

static int end_loop(void *arg)
{
	vmm_event_clear(*(int *)arg);
	return 1;
}

/* Runs the main loop once: handles earlier signals. */
static void loop_once(void)
{
	int end = vmm_event_create();

	vmm_loop_add(vm.loop, end, end_loop, &end);
	vmm_event_signal(end);
	vmm_loop_run(vm.loop);
	vmm_loop_del(vm.loop, end);
	close(end);
}

static bool machine_open(void)
{
	static const struct vmm_config cfg;

	lies = 0;
	feeds = false;
	vm = (struct vmm_vm){ .cfg = &cfg, .fd = -1 };
	vm.loop = vmm_loop_create();
	return tap_check(vm.loop) && tap_equal(vmm_mem_add(&vm.mem, BASE, MIB), 0);
}

static void machine_close(void)
{
	vmm_mem_destroy(&vm.mem);
	vmm_loop_destroy(vm.loop);
}

static bool needs_reset(unsigned int i)
{
	return vmm_virtio_mmio_peek(regs[i], 0x70) & 0x40;
}

static void a_bug_breaks_one_device(void)
{
	struct vmm_virtio *v, *other;
	unsigned int tries;

	if (!machine_open())
		return;
	v = device_open(0);
	other = device_open(1);
	request(v, 0);
	tap_check(answered(0, 1));
	__atomic_store_n(&lies, 1, __ATOMIC_RELEASE);
	request(v, 0);
	for (tries = 0; tries < 10000 && !needs_reset(0); tries++) {
		loop_once();
		usleep(1000);
	}
	tap_check(needs_reset(0));
	__atomic_store_n(&lies, 0, __ATOMIC_RELEASE);
	tap_check(!needs_reset(1));
	request(other, 1);
	tap_check(answered(1, 1));
	device_close(v);
	device_close(other);
	machine_close();
}

static void a_paused_ring_stands_still(void)
{
	struct vmm_virtio *v;

	if (!machine_open())
		return;
	v = device_open(0);
	request(v, 0);
	tap_check(answered(0, 1));
	model.pause(v);
	model.pause(v);
	request(v, 0);
	usleep(100000);
	tap_equal(*word(0, USED + 2), 1);
	model.resume(v);
	model.resume(v);
	tap_check(answered(0, 2));
	request(v, 0);
	tap_check(answered(0, 3));
	/* A device may be reset and closed while it is paused. */
	model.pause(v);
	vmm_virtio_reset(v);
	tap_check(!v->running);
	model.resume(v);
	device_close(v);
	machine_close();
}

/* Resets one queue, as a driver does: the ring starts again. */
static void a_queue_starts_again(void)
{
	struct vmm_virtio *v;

	if (!machine_open())
		return;
	v = device_open(0);
	request(v, 0);
	tap_check(answered(0, 1));
	vmm_ring_model_stop_queue(v, 0);
	vmm_ring_model_stop_queue(v, 0);
	vmm_ring_model_stop_queue(v, 1);
	request(v, 0);
	usleep(100000);
	tap_equal(*word(0, USED + 2), 1);
	*word(0, AVAIL + 2) = 0;
	*word(0, USED + 2) = 0;
	tap_equal(vmm_ring_model_start_queue(v, 0), 0);
	tap_equal(vmm_ring_model_start_queue(v, 0), 0);
	tap_equal(vmm_ring_model_start_queue(v, 1), 0);
	request(v, 0);
	tap_check(answered(0, 1));
	/* A whole device stops, also if one of its queues was given up. */
	vmm_ring_model_stop_queue(v, 0);
	vmm_virtio_mmio_write(v, 0x70, 0, 4);
	tap_check(!v->running);
	device_close(v);
	machine_close();
}

static char said[512];

static void hear(void *arg, const char *line, size_t len)
{
	(void)arg;
	snprintf(said, sizeof(said), "%.*s", (int)len, line);
}

static void a_queue_outside_of_ram_is_refused(void)
{
	struct vmm_virtio *v;

	if (!machine_open())
		return;
	v = device_open(0);
	vmm_log_also(hear, NULL);
	vmm_virtio_mmio_write(v, 0x70, 0, 4);
	device_start(v, 0x1000);
	tap_check(!v->running);
	tap_check(strstr(said, "a queue cannot be as the guest set it up: Bad address\n"));
	vmm_log_also(NULL, NULL);
	vmm_virtio_mmio_write(v, 0x70, 0, 4);
	device_start(v, BASE);
	tap_check(v->running);
	device_close(v);
	machine_close();
}

static void requests_are_counted(void)
{
	struct vmm_virtio *v;
	u64 calls;

	if (!machine_open())
		return;
	v = device_open(0);
	tap_equal(counter(v, "starts"), 1);
	tap_equal(counter(v, "stops"), 0);
	tap_equal(counter(v, "queue0_requests"), 0);
	request(v, 0);
	tap_check(answered(0, 1));
	request(v, 0);
	tap_check(answered(0, 2));
	model.pause(v);
	/* The start is a kick, too; kicks may be taken together. */
	tap_check(counter(v, "queue0_kicks") >= 3);
	tap_equal(counter(v, "queue0_requests"), 2);
	tap_equal(counter(v, "queue0_bytes_in"), 2);
	tap_equal(counter(v, "queue0_bytes_out"), 0);
	/* Two chains were answered; the first pass over the ring may find none. */
	calls = counter(v, "queue0_calls");
	tap_check(calls == 2 || calls == 3);
	tap_equal(counter(v, "queue1_kicks"), ~0ULL);
	model.resume(v);
	/* Counters survive a reset of the device. */
	vmm_virtio_mmio_write(v, 0x70, 0, 4);
	tap_equal(counter(v, "stops"), 1);
	tap_equal(counter(v, "resets"), 1);
	tap_equal(counter(v, "queue0_requests"), 2);
	device_close(v);
	machine_close();
}

static void broken_rings_are_counted(void)
{
	struct vmm_virtio *v;
	unsigned int tries;

	if (!machine_open())
		return;
	v = device_open(0);
	*word(0, AVAIL + 2) = NUM + 1;
	vmm_event_signal(v->queue[0].kick_fd);
	for (tries = 0; tries < 10000 && !needs_reset(0); tries++) {
		loop_once();
		usleep(1000);
	}
	tap_equal(counter(v, "broken_rings"), 1);
	tap_equal(counter(v, "failures"), 1);
	device_close(v);
	machine_close();
}

static unsigned int errors_told;

static void hear_error(void *arg, const char *device, const char *why)
{
	(void)arg;
	tap_check(!strcmp(device, "test"));
	tap_check(!strcmp(why, "a queue cannot be as the guest set it up"));
	errors_told++;
}

/* One message per guest, however often it repeats; a reset starts a new guest. */
static void a_guest_is_blamed_once(void)
{
	struct vmm_virtio *v;

	if (!machine_open())
		return;
	v = device_open(0);
	errors_told = 0;
	vmm_device_errors(hear_error, NULL);
	vmm_virtio_mmio_write(v, 0x70, 0, 4);
	device_start(v, 0x1000);
	vmm_virtio_mmio_write(v, 0x70, 0, 4);
	device_start(v, 0x1000);
	tap_equal(errors_told, 1);
	vmm_virtio_reset(v);
	device_start(v, 0x1000);
	tap_equal(errors_told, 2);
	vmm_device_errors(NULL, NULL);
	tap_equal(counter(v, "failures"), 3);
	device_close(v);
	machine_close();
}

/*
 * A ring of one descriptor. The length in the used ring's only element lies on the
 * available ring's index: each chain that is completed makes the next one available.
 */
static void start_endless_ring(struct vmm_virtio *v)
{
	struct vring_desc *desc = vmm_mem_ptr(&vm.mem, BASE, sizeof(*desc));
	u64 used = BASE + USED;
	u64 avail = used + offsetof(struct vring_used, ring[0].len) -
		    offsetof(struct vring_avail, idx);

	vmm_virtio_mmio_write(v, 0x70, 0, 4);
	feeds = true;
	*desc = (struct vring_desc){
		.addr = BASE + DATA, .len = 0x10000, .flags = VRING_DESC_F_WRITE,
	};
	*word(0, avail - BASE + offsetof(struct vring_avail, idx)) = 1;
	device_start_at(v, 1, BASE, avail, used);
}

static bool requests_reach(struct vmm_virtio *v, u64 want)
{
	unsigned int tries;

	for (tries = 0; tries < 10000; tries++) {
		if (counter(v, "queue0_requests") >= want)
			return true;
		usleep(1000);
	}
	return false;
}

/* As the main thread does with input for the driver. */
static bool others_get_the_lock(struct vmm_virtio *v)
{
	struct vmm_ring_device *dev = v->state;
	struct timespec until;
	bool locked;

	clock_gettime(CLOCK_REALTIME, &until);
	until.tv_sec += 10;
	locked = !pthread_mutex_timedlock(&dev->ring[0].lock, &until);
	if (locked)
		pthread_mutex_unlock(&dev->ring[0].lock);
	return locked;
}

static void an_endless_ring_does_not_keep_its_lock(void)
{
	struct vmm_virtio *v;
	u64 requests;

	if (!machine_open())
		return;
	v = device_open(0);
	start_endless_ring(v);
	tap_check(v->running);
	/* Without a kick, the index of the available ring wraps round more than once. */
	tap_check(requests_reach(v, 200000));
	tap_check(others_get_the_lock(v));
	model.pause(v);
	requests = counter(v, "queue0_requests");
	usleep(100000);
	tap_equal(counter(v, "queue0_requests"), requests);
	model.resume(v);
	tap_check(requests_reach(v, requests + 1000));
	tap_check(!needs_reset(0));
	/* It also stops. */
	vmm_virtio_mmio_write(v, 0x70, 0, 4);
	tap_check(!v->running);
	device_close(v);
	machine_close();
}

static const struct tap_case cases[] = {
	{ "a bug of a model breaks its device only", a_bug_breaks_one_device },
	{ "a paused ring stands still", a_paused_ring_stands_still },
	{ "a queue is given up and starts again", a_queue_starts_again },
	{ "a queue outside of RAM is refused, with the reason", a_queue_outside_of_ram_is_refused },
	{ "kicks, requests, bytes and calls are counted", requests_are_counted },
	{ "broken rings are counted", broken_rings_are_counted },
	{ "a guest is blamed once in its life", a_guest_is_blamed_once },
	{ "a ring that makes itself available does not keep its lock",
	  an_endless_ring_does_not_keep_its_lock },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
