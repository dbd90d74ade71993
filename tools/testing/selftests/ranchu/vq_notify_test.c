// SPDX-License-Identifier: GPL-2.0-only
/*
 * Notifications: calls come exactly when the driver requests them, kicks are
 * requested exactly when they are needed and none is lost, and the eventfds may be
 * replaced at any time.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "vq_driver.h"

#define TIMEOUT		300
#define NUM		64
#define MEM_SIZE	(4u << 20)
#define TURNS		16
#define ROUNDS		300
#define SPINS		5000
#define SWAPS		60

#define EVENT_WRAP	(1u << VRING_PACKED_EVENT_F_WRAP_CTR)

FIXTURE(notify)
{
	struct vq_dev dev;
	struct vq_ring *ring;
};

FIXTURE_VARIANT(notify)
{
	uint64_t features;
};

FIXTURE_VARIANT_ADD(notify, split) { .features = VQ_SPLIT };
FIXTURE_VARIANT_ADD(notify, split_event) { .features = VQ_SPLIT | VQ_EVENT };
FIXTURE_VARIANT_ADD(notify, split_event_in_order)
{
	.features = VQ_SPLIT | VQ_EVENT | VQ_IN_ORDER
};

FIXTURE_VARIANT_ADD(notify, packed) { .features = VQ_PACKED };
FIXTURE_VARIANT_ADD(notify, packed_event) { .features = VQ_PACKED | VQ_EVENT };
FIXTURE_VARIANT_ADD(notify, packed_event_in_order)
{
	.features = VQ_PACKED | VQ_EVENT | VQ_IN_ORDER
};

FIXTURE_SETUP(notify)
{
	if (__vq_dev_open(&self->dev))
		SKIP(return, "no usable " VQ_DEV_PATH);
	close(self->dev.fd);
	vq_dev_create(&self->dev, variant->features, NUM, MEM_SIZE);
	self->ring = &self->dev.rings[0];
}

FIXTURE_TEARDOWN(notify)
{
	vq_dev_destroy(&self->dev);
}

static void add(struct vq_ring *ring, unsigned int n)
{
	struct vq_buf bufs[2] = { { ring->echo_gpa, 8 },
				  { ring->echo_gpa + 8, 8 } };

	while (n--)
		vq_add(ring, bufs, 1, 1, NULL);
}

/*
 * When another ring's chain is back, the worker is done with the first one, as
 * long as nobody else rings: it takes them one after the other.
 */
static void settle(struct vq_dev *dev)
{
	if (vq_echo(&dev->rings[1]) || vq_echo(&dev->rings[1]))
		vq_die("no echo");
}

static unsigned int get_all(struct vq_ring *ring)
{
	struct vq_done done;
	unsigned int n = 0;

	while (vq_get(ring, &done) > 0)
		n++;
	return n;
}

/* Brings the ring past its first call, which comes whatever the driver says. */
static void start(struct vq_dev *dev, struct vq_ring *ring)
{
	vq_dev_run(dev, 1);
	if (vq_echo(ring))
		vq_die("no echo");
	settle(dev);
	vq_wait(ring->call, 0);
}

TEST_F_TIMEOUT(notify, no_call_when_not_wanted, TIMEOUT)
{
	unsigned int i;

	start(&self->dev, self->ring);
	vq_calls_off(self->ring);
	for (i = 0; i < TURNS; i++) {
		add(self->ring, 1);
		vq_publish(self->ring);
		vq_kick(self->ring);
		settle(&self->dev);
		ASSERT_EQ(1, get_all(self->ring));
	}
	EXPECT_EQ(0, vq_wait(self->ring->call, 0));
}

TEST_F_TIMEOUT(notify, a_call_for_each_batch, TIMEOUT)
{
	unsigned int i;

	start(&self->dev, self->ring);
	for (i = 0; i < TURNS; i++) {
		vq_calls_on(self->ring, 0);
		add(self->ring, i % 7 + 1);
		vq_publish(self->ring);
		vq_kick(self->ring);
		settle(&self->dev);
		ASSERT_EQ(i % 7 + 1, get_all(self->ring));
		ASSERT_EQ(1, vq_wait(self->ring->call, 0));
	}
}

/* Six chains, one after the other; the call comes with the fourth. */
TEST_F_TIMEOUT(notify, a_call_at_the_event, TIMEOUT)
{
	unsigned int slots = self->ring->packed ? 2 : 1;
	unsigned int i, round;

	if (!(variant->features & VQ_EVENT))
		SKIP(return, "no event index");
	start(&self->dev, self->ring);
	for (round = 0; round < TURNS / 2; round++) {
		vq_calls_on(self->ring, 3 * slots + (round & (slots - 1)));
		for (i = 0; i < 6; i++) {
			add(self->ring, 1);
			vq_publish(self->ring);
			vq_kick(self->ring);
			settle(&self->dev);
			ASSERT_EQ(i == 3, vq_wait(self->ring->call, 0))
				TH_LOG("round %u chain %u", round, i);
		}
		ASSERT_EQ(6, get_all(self->ring));
	}
}

/* A batch that passes the event calls once, wherever in it the event is. */
TEST_F_TIMEOUT(notify, a_call_for_a_batch_over_the_event, TIMEOUT)
{
	unsigned int slots = self->ring->packed ? 2 : 1;
	unsigned int i;

	if (!(variant->features & VQ_EVENT))
		SKIP(return, "no event index");
	start(&self->dev, self->ring);
	for (i = 0; i < TURNS; i++) {
		vq_calls_on(self->ring, i % 8 * slots);
		add(self->ring, 5);
		vq_publish(self->ring);
		vq_kick(self->ring);
		settle(&self->dev);
		ASSERT_EQ(5, get_all(self->ring));
		ASSERT_EQ(i % 8 < 5, vq_wait(self->ring->call, 0));
	}
}

/* With NOTIFY_ON_EMPTY an idle split ring calls a driver that does not listen. */
TEST_F_TIMEOUT(notify, a_call_when_empty, TIMEOUT)
{
	if (self->ring->packed)
		SKIP(return, "split rings only");
	self->dev.features |= VQ_BIT(VIRTIO_F_NOTIFY_ON_EMPTY);
	vq_ioctl(self->dev.fd, VHOST_SET_FEATURES, &self->dev.features);
	start(&self->dev, self->ring);
	vq_calls_off(self->ring);
	add(self->ring, 1);
	vq_publish(self->ring);
	vq_kick(self->ring);
	settle(&self->dev);
	EXPECT_EQ(1, get_all(self->ring));
	EXPECT_EQ(1, vq_wait(self->ring->call, 0));
}

/* Returns whether the idle device requests kicks. */
static bool asks_for_kick(const struct vq_ring *ring)
{
	const struct vring_packed_desc_event *event = vq_device_event(ring);
	const uint16_t *avail_event;

	if (!ring->packed) {
		avail_event = (uint16_t *)&vq_used(ring)->ring[ring->num];
		return ring->features & VQ_EVENT ? *avail_event == ring->avail :
						   !vq_used(ring)->flags;
	}
	if (!(ring->features & VQ_EVENT))
		return event->flags == VRING_PACKED_EVENT_FLAG_ENABLE;
	return event->flags == VRING_PACKED_EVENT_FLAG_DESC &&
	       event->off_wrap == (ring->avail | (ring->avail_wrap ? EVENT_WRAP : 0));
}

TEST_F_TIMEOUT(notify, idle_asks_for_the_next_kick, TIMEOUT)
{
	unsigned int i;

	vq_dev_run(&self->dev, 1);
	for (i = 0; i < TURNS; i++) {
		settle(&self->dev);
		ASSERT_TRUE(asks_for_kick(self->ring));
		add(self->ring, i % 5 + 1);
		vq_publish(self->ring);
		ASSERT_TRUE(vq_must_kick(self->ring));
		vq_kick(self->ring);
		settle(&self->dev);
		ASSERT_EQ(i % 5 + 1, get_all(self->ring));
	}
}

/* Looks for a while without being called, then waits a little. */
static void look(const struct vq_ring *ring, unsigned int pause)
{
	unsigned int i;

	for (i = 0; i < SPINS && !vq_has_used(ring); i++)
		;
	for (i = 0; i < pause; i++)
		__asm__ volatile("" ::: "memory");
}

/*
 * A device that shows each chain as soon as it is done is then about to sleep:
 * that is when a driver that looks, adds the next one, now sooner and now
 * later. It kicks only when asked. A lost kick is a call that never comes.
 */
TEST_F_TIMEOUT(notify, no_kick_is_lost, TIMEOUT)
{
	struct vhost_ranchu_test_stats stats;
	unsigned int i, kicks = 0;
	uint32_t state = 3;
	struct vq_done done;

	vq_dev_set_mode(&self->dev, 0, 0, 1, 0);
	vq_dev_run(&self->dev, 1);
	for (i = 0; i < ROUNDS; i++) {
		add(self->ring, 1);
		vq_publish(self->ring);
		if (vq_must_kick(self->ring)) {
			kicks++;
			vq_kick(self->ring);
		}
		look(self->ring, vq_random(&state) % 512);
		vq_get_one(self->ring, &done);
	}
	vq_dev_get_stats(&self->dev, 0, &stats);
	EXPECT_EQ(ROUNDS, stats.chains);
	EXPECT_LT(0, kicks);
}

TEST_F_TIMEOUT(notify, kicked_before_the_start, TIMEOUT)
{
	struct vq_done done;

	add(self->ring, 3);
	vq_publish(self->ring);
	vq_kick(self->ring);
	vq_dev_run(&self->dev, 1);
	vq_get_one(self->ring, &done);
}

/* What is there before the start is found without any kick. */
TEST_F_TIMEOUT(notify, available_before_the_start, TIMEOUT)
{
	struct vq_done done;

	add(self->ring, 3);
	vq_publish(self->ring);
	vq_dev_run(&self->dev, 1);
	vq_get_one(self->ring, &done);
}

/* An eventfd that was signalled before it was set as the kick. */
TEST_F_TIMEOUT(notify, kicked_before_it_is_a_kick, TIMEOUT)
{
	struct vq_done done;

	ASSERT_EQ(0, __vq_set_file(self->dev.fd, VHOST_SET_VRING_KICK, 0, -1));
	vq_dev_run(&self->dev, 1);
	settle(&self->dev);
	add(self->ring, 3);
	vq_publish(self->ring);
	vq_kick(self->ring);
	settle(&self->dev);
	ASSERT_FALSE(vq_has_used(self->ring));
	ASSERT_EQ(0, __vq_set_file(self->dev.fd, VHOST_SET_VRING_KICK, 0,
				   self->ring->kick));
	vq_get_one(self->ring, &done);
}

static void *run_traffic(void *arg)
{
	return (void *)(intptr_t)vq_traffic(arg);
}

/*
 * The driver knows one eventfd all the time, a thread in between gives the
 * device others: each new call is signalled once, as VMMs do.
 */
struct swapper {
	struct vq_dev *dev;
	int calls[2];
	bool over;
};

/* Forwards the device's signals to the driver, as a hypervisor does. */
static void *pass_calls_on(void *arg)
{
	struct swapper *swapper = arg;
	struct pollfd pfds[2] = {
		{ .fd = swapper->calls[0], .events = POLLIN },
		{ .fd = swapper->calls[1], .events = POLLIN },
	};
	eventfd_t count;
	unsigned int i;

	while (!__atomic_load_n(&swapper->over, __ATOMIC_ACQUIRE)) {
		if (poll(pfds, 2, 100) <= 0)
			continue;
		for (i = 0; i < 2; i++)
			if (!eventfd_read(pfds[i].fd, &count))
				eventfd_write(swapper->dev->rings[0].call, 1);
	}
	return NULL;
}

TEST_F_TIMEOUT(notify, eventfds_replaced_under_load, TIMEOUT)
{
	struct vq_traffic traffic = {
		.ring = self->ring, .chains = ROUNDS, .depth = 2, .max_bufs = 2,
		.seed = 5,
	};
	struct swapper swapper = { .dev = &self->dev };
	int kick = self->ring->kick;
	pthread_t threads[2];
	unsigned int i;
	void *result;

	for (i = 0; i < 2; i++) {
		swapper.calls[i] = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
		ASSERT_LE(0, swapper.calls[i]);
	}
	ASSERT_EQ(0, __vq_set_file(self->dev.fd, VHOST_SET_VRING_CALL, 0,
				   swapper.calls[0]));
	vq_dev_run(&self->dev, 1);
	ASSERT_EQ(0, pthread_create(&threads[0], NULL, pass_calls_on, &swapper));
	ASSERT_EQ(0, pthread_create(&threads[1], NULL, run_traffic, &traffic));
	for (i = 0; i < SWAPS; i++) {
		EXPECT_EQ(0, __vq_set_file(self->dev.fd, VHOST_SET_VRING_CALL, 0,
					   swapper.calls[i & 1]));
		EXPECT_EQ(0, __vq_set_file(self->dev.fd, VHOST_SET_VRING_KICK, 0,
					   i % 5 ? kick : -1));
	}
	EXPECT_EQ(0, __vq_set_file(self->dev.fd, VHOST_SET_VRING_KICK, 0, kick));
	pthread_join(threads[1], &result);
	EXPECT_EQ(0, (intptr_t)result);
	__atomic_store_n(&swapper.over, true, __ATOMIC_RELEASE);
	pthread_join(threads[0], NULL);
	close(swapper.calls[0]);
	close(swapper.calls[1]);
}

TEST_HARNESS_MAIN
