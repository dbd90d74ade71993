// SPDX-License-Identifier: GPL-2.0-only
/*
 * The vhost ioctls, used wrongly: bad pointer, bad index, bad number, bad file,
 * wrong order, while running, by nobody's owner; and unknown ones.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "vq_driver.h"

#define TIMEOUT		120
#define NUM		8
#define MEM_SIZE	(2u << 20)
#define BAD_POINTER	((void *)16)

/* Newer than some copies of linux/vhost.h. */
#define NEW_WORKER		_IOR(VHOST_VIRTIO, 0x8, uint32_t)
#define FREE_WORKER		_IOW(VHOST_VIRTIO, 0x9, uint32_t)
#define ATTACH_VRING_WORKER	_IOW(VHOST_VIRTIO, 0x15, struct vhost_vring_state)
#define GET_VRING_WORKER	_IOWR(VHOST_VIRTIO, 0x16, struct vhost_vring_state)

union any_arg {
	struct vhost_memory memory;
	struct vhost_vring_state state;
	struct vhost_vring_file file;
	struct vhost_vring_addr addr;
	struct vhost_ranchu_test_mode mode;
	struct vhost_ranchu_test_stats stats;
	uint64_t number;
	int32_t integer;
	uint8_t bytes[256];
};

enum kind { NO_ARG, PLAIN, RING_STATE, RING_FILE, RING_ADDR };

/* What a device answers that has an owner and nothing else; all fields 0. */
static const struct row {
	const char *name;
	unsigned long request;
	enum kind kind;
	bool anyone;
	int answer;
	int bad_pointer;
} rows[] = {
	{ "GET_FEATURES", VHOST_GET_FEATURES, PLAIN, true, 0, -EFAULT },
	{ "SET_FEATURES", VHOST_SET_FEATURES, PLAIN, false, 0, -EFAULT },
	{ "GET_BACKEND_FEATURES", VHOST_GET_BACKEND_FEATURES, PLAIN, true, 0,
	  -EFAULT },
	{ "SET_BACKEND_FEATURES", VHOST_SET_BACKEND_FEATURES, PLAIN, false, 0,
	  -EFAULT },
	{ "SET_LOG_BASE", VHOST_SET_LOG_BASE, PLAIN, false, 0, -EFAULT },
	{ "SET_LOG_FD", VHOST_SET_LOG_FD, PLAIN, false, -EINVAL, -EFAULT },
	{ "SET_VRING_NUM", VHOST_SET_VRING_NUM, RING_STATE, false, -EINVAL,
	  -EFAULT },
	{ "SET_VRING_ADDR", VHOST_SET_VRING_ADDR, RING_ADDR, false, 0, -EFAULT },
	{ "SET_VRING_BASE", VHOST_SET_VRING_BASE, RING_STATE, false, 0, -EFAULT },
	{ "GET_VRING_BASE", VHOST_GET_VRING_BASE, RING_STATE, false, 0, -EFAULT },
	{ "SET_VRING_KICK", VHOST_SET_VRING_KICK, RING_FILE, false, -EINVAL,
	  -EFAULT },
	{ "SET_VRING_CALL", VHOST_SET_VRING_CALL, RING_FILE, false, -EINVAL,
	  -EFAULT },
	{ "SET_VRING_ERR", VHOST_SET_VRING_ERR, RING_FILE, false, -EINVAL,
	  -EFAULT },
	{ "SET_VRING_BUSYLOOP_TIMEOUT", VHOST_SET_VRING_BUSYLOOP_TIMEOUT,
	  RING_STATE, false, 0, -EFAULT },
	{ "GET_VRING_BUSYLOOP_TIMEOUT", VHOST_GET_VRING_BUSYLOOP_TIMEOUT,
	  RING_STATE, false, 0, -EFAULT },
	{ "SET_RUNNING", VHOST_RANCHU_TEST_SET_RUNNING, PLAIN, false, 0, -EFAULT },
	{ "SET_MODE", VHOST_RANCHU_TEST_SET_MODE, PLAIN, false, 0, -EFAULT },
	{ "GET_STATS", VHOST_RANCHU_TEST_GET_STATS, PLAIN, true, 0, -EFAULT },
	{ "SET_MEM_TABLE", VHOST_SET_MEM_TABLE, PLAIN, false, 0, -EFAULT },
	{ "SET_OWNER", VHOST_SET_OWNER, NO_ARG, true, -EBUSY, -EBUSY },
	{ "RESET_OWNER", VHOST_RESET_OWNER, NO_ARG, false, 0, -EPERM },
};

/* Zeroed, it names file 0: FIXTURE_SETUP sees to it that this is no eventfd. */
static int call(int fd, const struct row *row)
{
	union any_arg arg;

	memset(&arg, 0, sizeof(arg));
	return __vq_ioctl(fd, row->request, &arg);
}

FIXTURE(ioctls)
{
	int fd;
	int null;
};

FIXTURE_SETUP(ioctls)
{
	self->fd = open(VQ_DEV_PATH, O_RDWR | O_CLOEXEC);
	if (self->fd < 0)
		SKIP(return, "no usable " VQ_DEV_PATH);
	self->null = open("/dev/null", O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->null);
	ASSERT_EQ(0, dup2(self->null, 0));
}

FIXTURE_TEARDOWN(ioctls)
{
	close(self->fd);
	close(self->null);
}

TEST_F_TIMEOUT(ioctls, without_an_owner, TIMEOUT)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].request == VHOST_SET_OWNER)
			continue;
		EXPECT_EQ(rows[i].anyone ? rows[i].answer : -EPERM,
			  call(self->fd, &rows[i]))
			TH_LOG("%s", rows[i].name);
	}
}

TEST_F_TIMEOUT(ioctls, with_an_owner, TIMEOUT)
{
	unsigned int i;

	vq_ioctl(self->fd, VHOST_SET_OWNER, NULL);
	for (i = 0; i < ARRAY_SIZE(rows); i++)
		EXPECT_EQ(rows[i].answer, call(self->fd, &rows[i]))
			TH_LOG("%s", rows[i].name);
	/* The last row gave it up. */
	EXPECT_EQ(-EPERM, __vq_ioctl(self->fd, VHOST_RESET_OWNER, NULL));
}

TEST_F_TIMEOUT(ioctls, bad_pointer, TIMEOUT)
{
	unsigned int i;

	vq_ioctl(self->fd, VHOST_SET_OWNER, NULL);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].kind == NO_ARG)
			continue;
		EXPECT_EQ(rows[i].bad_pointer,
			  __vq_ioctl(self->fd, rows[i].request, BAD_POINTER))
			TH_LOG("%s", rows[i].name);
	}
}

TEST_F_TIMEOUT(ioctls, bad_index, TIMEOUT)
{
	static const unsigned int bad[] = { VQ_RINGS, 0x80000000, 0xffffffff };
	union any_arg arg;
	unsigned int i, j;

	vq_ioctl(self->fd, VHOST_SET_OWNER, NULL);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		if (rows[i].kind < RING_STATE)
			continue;
		for (j = 0; j < ARRAY_SIZE(bad); j++) {
			memset(&arg, 0, sizeof(arg));
			/* Each of the three has it first. */
			arg.state.index = bad[j];
			EXPECT_EQ(-ENOBUFS, __vq_ioctl(self->fd, rows[i].request,
						       &arg))
				TH_LOG("%s %u", rows[i].name, bad[j]);
		}
	}
}

TEST_F_TIMEOUT(ioctls, not_served, TIMEOUT)
{
	static const unsigned long requests[] = {
		NEW_WORKER, FREE_WORKER, ATTACH_VRING_WORKER,
		GET_VRING_WORKER, VHOST_SET_VRING_ENDIAN,
		VHOST_GET_VRING_ENDIAN, VHOST_NET_SET_BACKEND,
		_IO(VHOST_VIRTIO, 0xff), _IO(VHOST_VIRTIO, 0x00),
		_IOW(VHOST_VIRTIO, 0x10, uint32_t), _IO('q', 1), 0, 0xffffffff,
	};
	union any_arg arg;
	unsigned int i;

	memset(&arg, 0, sizeof(arg));
	for (i = 0; i < ARRAY_SIZE(requests); i++)
		EXPECT_EQ(-ENOTTY, __vq_ioctl(self->fd, requests[i], &arg));
	vq_ioctl(self->fd, VHOST_SET_OWNER, NULL);
	for (i = 0; i < ARRAY_SIZE(requests); i++)
		EXPECT_EQ(-ENOTTY, __vq_ioctl(self->fd, requests[i], &arg));
}

TEST_F_TIMEOUT(ioctls, features, TIMEOUT)
{
	const uint64_t want = VQ_PACKED | VQ_EVENT | VQ_INDIRECT | VQ_IN_ORDER |
			      VQ_LOG | VQ_BIT(VIRTIO_F_NOTIFY_ON_EMPTY) |
			      VQ_BIT(VIRTIO_F_ANY_LAYOUT);
	uint64_t offered = 0, bit, log = 0x10000;
	unsigned int i;

	vq_ioctl(self->fd, VHOST_SET_OWNER, NULL);
	vq_ioctl(self->fd, VHOST_GET_FEATURES, &offered);
	EXPECT_EQ(want, offered);
	/* Nowhere to log to yet. */
	EXPECT_EQ(-EFAULT, __vq_ioctl(self->fd, VHOST_SET_FEATURES, &offered));
	vq_ioctl(self->fd, VHOST_SET_LOG_BASE, &log);
	for (i = 0; i < 64; i++) {
		bit = VQ_BIT(i);
		EXPECT_EQ(offered & bit ? 0 : -EOPNOTSUPP,
			  __vq_ioctl(self->fd, VHOST_SET_FEATURES, &bit))
			TH_LOG("feature %u", i);
		EXPECT_EQ(-EOPNOTSUPP,
			  __vq_ioctl(self->fd, VHOST_SET_BACKEND_FEATURES, &bit))
			TH_LOG("backend feature %u", i);
	}
	EXPECT_EQ(0, __vq_ioctl(self->fd, VHOST_SET_FEATURES, &offered));
}

static int set_num(int fd, uint32_t num)
{
	return __vq_set_state(fd, VHOST_SET_VRING_NUM, 0, num);
}

TEST_F_TIMEOUT(ioctls, ring_sizes, TIMEOUT)
{
	static const struct {
		uint32_t num;
		int split;
		int packed;
	} sizes[] = {
		{ 0, -EINVAL, -EINVAL }, { 1, 0, 0 }, { 2, 0, 0 },
		{ 3, -EINVAL, 0 }, { 7, -EINVAL, 0 }, { 256, 0, 0 },
		{ 32767, -EINVAL, 0 }, { 32768, 0, 0 },
		{ 32769, -EINVAL, -EINVAL }, { 65536, -EINVAL, -EINVAL },
		{ 0x80000000, -EINVAL, -EINVAL }, { 0xffffffff, -EINVAL, -EINVAL },
	};
	uint64_t packed = VQ_PACKED;
	unsigned int i;

	vq_ioctl(self->fd, VHOST_SET_OWNER, NULL);
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		EXPECT_EQ(sizes[i].split, set_num(self->fd, sizes[i].num))
			TH_LOG("%u", sizes[i].num);
	vq_ioctl(self->fd, VHOST_SET_FEATURES, &packed);
	for (i = 0; i < ARRAY_SIZE(sizes); i++)
		EXPECT_EQ(sizes[i].packed, set_num(self->fd, sizes[i].num))
			TH_LOG("%u", sizes[i].num);
	EXPECT_EQ(0, __vq_set_state(self->fd, VHOST_SET_VRING_BASE, 0, 0xffffffff));
}

TEST_F_TIMEOUT(ioctls, ring_addresses, TIMEOUT)
{
	static const struct {
		struct vhost_vring_addr addr;
		int answer;
	} addrs[] = {
		{ { .flags = 2 }, -EOPNOTSUPP },
		{ { .flags = 0x80000001 }, -EOPNOTSUPP },
		{ { .flags = 1 }, 0 },
		{ { .avail_user_addr = 1 }, -EINVAL },
		{ { .avail_user_addr = 2 }, 0 },
		{ { .used_user_addr = 2 }, -EINVAL },
		{ { .used_user_addr = 4 }, 0 },
		{ { .log_guest_addr = 2 }, -EINVAL },
		{ { .log_guest_addr = 4 }, 0 },
	};
	unsigned int i;

	vq_ioctl(self->fd, VHOST_SET_OWNER, NULL);
	for (i = 0; i < ARRAY_SIZE(addrs); i++)
		EXPECT_EQ(addrs[i].answer,
			  __vq_ioctl(self->fd, VHOST_SET_VRING_ADDR, &addrs[i].addr))
			TH_LOG("row %u", i);
}

TEST_F_TIMEOUT(ioctls, files, TIMEOUT)
{
	static const unsigned long requests[] = {
		VHOST_SET_VRING_KICK, VHOST_SET_VRING_CALL, VHOST_SET_VRING_ERR,
	};
	int efd = eventfd(0, EFD_CLOEXEC), bad = 1000, unbind = -1;
	unsigned int i;

	vq_ioctl(self->fd, VHOST_SET_OWNER, NULL);
	for (i = 0; i < ARRAY_SIZE(requests); i++) {
		EXPECT_EQ(-EBADF, __vq_set_file(self->fd, requests[i], 0, bad));
		EXPECT_EQ(-EBADF, __vq_set_file(self->fd, requests[i], 0, -2));
		EXPECT_EQ(-EINVAL, __vq_set_file(self->fd, requests[i], 0,
						 self->null));
		EXPECT_EQ(0, __vq_set_file(self->fd, requests[i], 0, -1));
		EXPECT_EQ(0, __vq_set_file(self->fd, requests[i], 0, efd));
		EXPECT_EQ(0, __vq_set_file(self->fd, requests[i], 0, efd));
		EXPECT_EQ(0, __vq_set_file(self->fd, requests[i], 0, -1));
	}
	EXPECT_EQ(-EBADF, __vq_ioctl(self->fd, VHOST_SET_LOG_FD, &bad));
	EXPECT_EQ(-EINVAL, __vq_ioctl(self->fd, VHOST_SET_LOG_FD, &self->null));
	EXPECT_EQ(0, __vq_ioctl(self->fd, VHOST_SET_LOG_FD, &efd));
	EXPECT_EQ(0, __vq_ioctl(self->fd, VHOST_SET_LOG_FD, &unbind));
	close(efd);
}

TEST_F_TIMEOUT(ioctls, busyloop, TIMEOUT)
{
	struct vhost_vring_state state = { .index = 2, .num = 1234 };

	vq_ioctl(self->fd, VHOST_SET_OWNER, NULL);
	vq_ioctl(self->fd, VHOST_SET_VRING_BUSYLOOP_TIMEOUT, &state);
	state.num = 0;
	vq_ioctl(self->fd, VHOST_GET_VRING_BUSYLOOP_TIMEOUT, &state);
	EXPECT_EQ(1234, state.num);
	state.index = 1;
	vq_ioctl(self->fd, VHOST_GET_VRING_BUSYLOOP_TIMEOUT, &state);
	EXPECT_EQ(0, state.num);
}

TEST_F_TIMEOUT(ioctls, modes_and_stats, TIMEOUT)
{
	static const struct {
		struct vhost_ranchu_test_mode mode;
		int answer;
	} modes[] = {
		{ { .index = VQ_RINGS }, -EINVAL },
		{ { .flags = VHOST_RANCHU_TEST_FLAGS + 1 }, -EINVAL },
		{ { .hold = VHOST_RANCHU_TEST_MAX_HOLD + 1 }, -EINVAL },
		{ { .hold = VHOST_RANCHU_TEST_MAX_HOLD, .batch = 0xffffffff }, 0 },
	};
	struct vhost_ranchu_test_stats stats = { .index = VQ_RINGS };
	int running = 2;
	unsigned int i;

	vq_ioctl(self->fd, VHOST_SET_OWNER, NULL);
	for (i = 0; i < ARRAY_SIZE(modes); i++)
		EXPECT_EQ(modes[i].answer,
			  __vq_ioctl(self->fd, VHOST_RANCHU_TEST_SET_MODE,
				     &modes[i].mode))
			TH_LOG("row %u", i);
	EXPECT_EQ(-EINVAL, __vq_ioctl(self->fd, VHOST_RANCHU_TEST_GET_STATS, &stats));
	stats = (struct vhost_ranchu_test_stats){ .padding = 1 };
	EXPECT_EQ(-EINVAL, __vq_ioctl(self->fd, VHOST_RANCHU_TEST_GET_STATS, &stats));
	EXPECT_EQ(-EINVAL, __vq_ioctl(self->fd, VHOST_RANCHU_TEST_SET_RUNNING,
				      &running));
}

TEST_F_TIMEOUT(ioctls, memory_tables, TIMEOUT)
{
	const uint64_t here = (uintptr_t)self & ~4095ull;
	struct {
		struct vhost_memory head;
		struct vhost_memory_region regions[2];
	} table;
	const struct {
		struct vhost_memory head;
		struct vhost_memory_region regions[2];
		int answer;
	} tables[] = {
		{ { .nregions = 0 }, {}, 0 },
		{ { .nregions = 1, .padding = 1 }, { { 0, 4096, here, 0 } },
		  -EOPNOTSUPP },
		{ { .nregions = 0xffffffff }, {}, -E2BIG },
		{ { .nregions = 1 }, { { 0, 0, here, 0 } }, -EINVAL },
		{ { .nregions = 1 }, { { ~0ull - 10, 4096, here, 0 } }, -EINVAL },
		{ { .nregions = 1 }, { { 0, 4096, ~0ull - 10, 0 } }, -EFAULT },
		{ { .nregions = 1 }, { { 0, ~0ull, here, 0 } }, -EFAULT },
		{ { .nregions = 2 }, { { 0, 4096, here, 0 },
				       { 4095, 4096, here, 0 } }, -EINVAL },
		{ { .nregions = 2 }, { { 4096, 4096, here, 0 },
				       { 0, 4096, here, 0 } }, 0 },
	};
	unsigned int i;

	vq_ioctl(self->fd, VHOST_SET_OWNER, NULL);
	for (i = 0; i < ARRAY_SIZE(tables); i++) {
		table.head = tables[i].head;
		memcpy(table.regions, tables[i].regions, sizeof(table.regions));
		EXPECT_EQ(tables[i].answer,
			  __vq_ioctl(self->fd, VHOST_SET_MEM_TABLE, &table))
			TH_LOG("row %u", i);
	}
}

TEST_HARNESS_MAIN
