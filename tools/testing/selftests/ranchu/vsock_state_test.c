// SPDX-License-Identifier: GPL-2.0-only
/*
 * Snapshots of the vsock device: when its state may be asked for and set, what is
 * refused, and that a guest that goes on with another device is told.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "vsock_driver.h"

#define TIMEOUT		120
#define OTHER_CID	43ull
#define GUEST_PORT	1000u

FIXTURE(state)
{
	struct vs_dev dev;
	struct vhost_vsock_adb_state state;
};

FIXTURE_SETUP(state)
{
	if (__vs_probe())
		SKIP(return, "no usable " VS_DEV_PATH);
	vs_create(&self->dev, VS_CID, VQ_SPLIT);
	self->state.size = sizeof(self->state);
}

FIXTURE_TEARDOWN(state)
{
	vs_destroy(&self->dev);
}

static int get(struct vs_dev *dev, struct vhost_vsock_adb_state *state)
{
	return __vq_ioctl(dev->fd, VHOST_VSOCK_ADB_GET_STATE, state);
}

static int set(struct vs_dev *dev, const struct vhost_vsock_adb_state *state)
{
	struct vhost_vsock_adb_state copy = *state;

	return __vq_ioctl(dev->fd, VHOST_VSOCK_ADB_SET_STATE, &copy);
}

TEST_F_TIMEOUT(state, only_while_stopped, TIMEOUT)
{
	struct vhost_vsock_adb_state *state = &self->state;
	struct vs_stream stream;

	EXPECT_EQ(-EBUSY, get(&self->dev, state));
	vs_connect(&stream, &self->dev, VS_UNIX, GUEST_PORT);
	vs_run(&self->dev, 0);
	ASSERT_EQ(0, get(&self->dev, state));
	EXPECT_EQ(VHOST_VSOCK_ADB_STATE_VERSION, state->version);
	EXPECT_EQ(VHOST_VSOCK_ADB_STATE_CID, state->field[0].tag);
	EXPECT_EQ(VS_CID, state->field[0].value);
	EXPECT_EQ(VHOST_VSOCK_ADB_STATE_STREAMS, state->field[1].tag);
	EXPECT_EQ(1, state->field[1].value);
	/* There is a stream, which is left alone and goes on. */
	EXPECT_EQ(-EBUSY, set(&self->dev, state));
	vs_run(&self->dev, 1);
	vs_echo(&stream);
	vs_stream_close(&stream);
}

/*
 * A running guest goes back to a snapshot: what the streams owed it when they were ended is
 * dropped, and so the first packet is that of the new stream.
 */
TEST_F_TIMEOUT(state, streams_that_have_ended, TIMEOUT)
{
	struct vhost_vsock_adb_stats stats;
	struct vs_stream stream;

	vs_connect(&stream, &self->dev, VS_UNIX, GUEST_PORT);
	vs_echo(&stream);
	vs_run(&self->dev, 0);
	ASSERT_EQ(0, get(&self->dev, &self->state));
	EXPECT_EQ(-EBUSY, set(&self->dev, &self->state));
	vq_ioctl(self->dev.fd, VHOST_VSOCK_ADB_RESET_TRANSPORT, NULL);
	/* Userspace has not read yet that it has ended. */
	EXPECT_EQ(0, set(&self->dev, &self->state));
	vs_stream_expect_closed(&stream, ECONNRESET);
	EXPECT_EQ(0, set(&self->dev, &self->state));
	vs_get_stats(&self->dev, &stats);
	EXPECT_EQ(0, stats.streams);
	vs_stream_close(&stream);
	vs_run(&self->dev, 1);
	vs_connect(&stream, &self->dev, VS_UNIX, GUEST_PORT);
	vs_echo(&stream);
	vs_stream_close(&stream);
}

TEST_F_TIMEOUT(state, wrong_fields, TIMEOUT)
{
	struct vhost_vsock_adb_state good, bad;

	vs_run(&self->dev, 0);
	ASSERT_EQ(0, get(&self->dev, &self->state));
	good = self->state;
	bad = good;
	bad.size = 0;
	EXPECT_EQ(-EINVAL, get(&self->dev, &bad));
	EXPECT_EQ(-EINVAL, set(&self->dev, &bad));
	bad = good;
	bad.version++;
	EXPECT_EQ(-EOPNOTSUPP, set(&self->dev, &bad));
	bad = good;
	bad.field[0].tag = VHOST_VSOCK_ADB_STATE_STREAMS;
	EXPECT_EQ(-EINVAL, set(&self->dev, &bad));
	bad = good;
	bad.field[1].length = 4;
	EXPECT_EQ(-EINVAL, set(&self->dev, &bad));
	bad = good;
	bad.field[0].value = VS_HOST_CID;
	EXPECT_EQ(-EINVAL, set(&self->dev, &bad));
	bad.field[0].value = 0xffffffff;
	EXPECT_EQ(-EINVAL, set(&self->dev, &bad));
	bad = good;
	bad.field[1].value = VHOST_VSOCK_ADB_MAX_STREAMS + 1;
	EXPECT_EQ(-EINVAL, set(&self->dev, &bad));
	EXPECT_EQ(0, set(&self->dev, &good));
	vs_run(&self->dev, 1);
}

/* The rings go on where they were, with another CID, and the event is there. */
TEST_F_TIMEOUT(state, the_guest_is_told, TIMEOUT)
{
	struct vs_dev *dev = &self->dev;
	uint64_t gpa = vq_mem_alloc(&dev->mem, 64, 8);
	struct vq_buf buf = { gpa, 8 };
	struct vq_done done;
	uint32_t bases[VS_RINGS];
	struct vs_stream stream;
	unsigned int i;

	vs_connect(&stream, dev, VS_UNIX, GUEST_PORT);
	vs_echo(&stream);
	*(uint32_t *)vq_mem_guest(&dev->mem, gpa) = ~0u;
	vq_add(&dev->rings[VS_EVENT], &buf, 0, 1, vq_mem_guest(&dev->mem, gpa));
	vq_publish_and_kick(&dev->rings[VS_EVENT]);
	vs_run(dev, 0);
	for (i = 0; i < VS_RINGS; i++)
		bases[i] = vq_get_base(dev->fd, i);
	ASSERT_EQ(0, get(dev, &self->state));
	vs_stream_close(&stream);

	/* Another device: its owner has not said anything yet. */
	vq_ioctl(dev->fd, VHOST_RESET_OWNER, NULL);
	vs_set_up(dev);
	EXPECT_EQ(-EADDRNOTAVAIL, set(dev, &self->state));
	dev->cid = OTHER_CID;
	ASSERT_EQ(0, __vs_set_cid(dev, OTHER_CID));
	for (i = 0; i < VS_RINGS; i++) {
		struct vhost_vring_state base = { .index = i, .num = bases[i] };

		vq_ioctl(dev->fd, VHOST_SET_VRING_BASE, &base);
	}
	ASSERT_EQ(0, set(dev, &self->state));
	EXPECT_FALSE(vq_has_used(&dev->rings[VS_EVENT]));
	vs_run(dev, 1);
	vq_get_one(&dev->rings[VS_EVENT], &done);
	EXPECT_EQ(4, done.len);
	EXPECT_EQ(VIRTIO_VSOCK_EVENT_TRANSPORT_RESET, *(uint32_t *)done.token);
	/* And a new stream works, once somebody listens. */
	vs_has_event(dev);
	vs_connect(&stream, dev, VS_UNIX, GUEST_PORT + 1);
	vs_echo(&stream);
	vs_stream_close(&stream);
}

TEST_HARNESS_MAIN
