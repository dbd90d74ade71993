// SPDX-License-Identifier: GPL-2.0-only
/*
 * The life of a device: what it needs to start, what may be changed while it
 * runs, who may do so, and every way in which it ends.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "modules.h"
#include "vq_driver.h"

#define TIMEOUT		300
#define NUM		16
#define MEM_SIZE	(4u << 20)
#define KILLS		50
#define OPENS		1000

FIXTURE(owner)
{
	struct vq_dev dev;
};

FIXTURE_SETUP(owner)
{
	if (__vq_dev_open(&self->dev))
		SKIP(return, "no usable " VQ_DEV_PATH);
	close(self->dev.fd);
	vq_dev_create(&self->dev, VQ_PACKED, NUM, MEM_SIZE);
}

FIXTURE_TEARDOWN(owner)
{
	vq_dev_destroy(&self->dev);
}

static int set_features(struct vq_dev *dev, uint64_t features)
{
	return __vq_ioctl(dev->fd, VHOST_SET_FEATURES, &features);
}

static int set_addr(struct vq_dev *dev, uint64_t desc, uint64_t driver, uint64_t device)
{
	struct vhost_vring_addr addr = {
		.desc_user_addr = desc,
		.avail_user_addr = driver,
		.used_user_addr = device,
	};

	return __vq_ioctl(dev->fd, VHOST_SET_VRING_ADDR, &addr);
}

/* Each step removes something that a start needs. */
TEST_F_TIMEOUT(owner, what_a_start_needs, TIMEOUT)
{
	struct vq_dev *dev = &self->dev;
	uint64_t good = (uintptr_t)dev->mem.host[0];

	EXPECT_EQ(0, set_features(dev, VQ_BIT(VIRTIO_F_RING_PACKED)));
	EXPECT_EQ(-EINVAL, __vq_dev_run(dev, 1));
	EXPECT_EQ(0, set_features(dev, VQ_IN_ORDER));
	EXPECT_EQ(-EINVAL, __vq_dev_run(dev, 1));
	EXPECT_EQ(0, set_features(dev, VQ_PACKED));

	EXPECT_EQ(0, __vq_set_state(dev->fd, VHOST_SET_VRING_NUM, 0, 7));
	EXPECT_EQ(0, set_features(dev, VQ_SPLIT));
	EXPECT_EQ(-EINVAL, __vq_dev_run(dev, 1));
	EXPECT_EQ(0, set_features(dev, VQ_PACKED));

	/* What SET_VRING_ADDR, which knows no layout, has let pass. */
	EXPECT_EQ(0, set_addr(dev, good + 8, good, good));
	EXPECT_EQ(-EINVAL, __vq_dev_run(dev, 1));
	EXPECT_EQ(0, set_addr(dev, good, good + 2, good));
	EXPECT_EQ(-EINVAL, __vq_dev_run(dev, 1));
	EXPECT_EQ(0, set_addr(dev, ~0ull << 8, good, good));
	EXPECT_EQ(-EFAULT, __vq_dev_run(dev, 1));
	EXPECT_EQ(0, set_addr(dev, 0, 0, 0));
	EXPECT_EQ(-EFAULT, __vq_dev_run(dev, 1));

	EXPECT_EQ(0, __vq_set_state(dev->fd, VHOST_SET_VRING_NUM, 0, NUM));
	EXPECT_EQ(0, __vq_set_addr(dev->fd, 0, &dev->rings[0], 0, 0));
	EXPECT_EQ(0, __vq_dev_run(dev, 1));
	EXPECT_EQ(0, vq_echo(&dev->rings[0]));
}

TEST_F_TIMEOUT(owner, no_memory_no_start, TIMEOUT)
{
	unsigned int i;

	vq_ioctl(self->dev.fd, VHOST_RESET_OWNER, NULL);
	vq_ioctl(self->dev.fd, VHOST_SET_OWNER, NULL);
	EXPECT_EQ(-EFAULT, __vq_dev_run(&self->dev, 1));
	vq_mem_tell(self->dev.fd, &self->dev.mem, 1, 1);
	/* Rings without a size. */
	EXPECT_EQ(-EINVAL, __vq_dev_run(&self->dev, 1));
	for (i = 0; i < VQ_RINGS; i++)
		EXPECT_EQ(0, __vq_set_state(self->dev.fd, VHOST_SET_VRING_NUM, i,
					    NUM));
	/* Rings without a place. */
	EXPECT_EQ(-EFAULT, __vq_dev_run(&self->dev, 1));
}

TEST_F_TIMEOUT(owner, while_it_runs, TIMEOUT)
{
	struct vhost_ranchu_test_mode mode = { .hold = 1 };
	struct vq_dev *dev = &self->dev;
	struct vq_ring *ring = &dev->rings[0];
	uint64_t good = (uintptr_t)dev->mem.host[0], log = good, none = 0;

	vq_dev_run(dev, 1);
	EXPECT_EQ(-EBUSY, __vq_set_state(dev->fd, VHOST_SET_VRING_NUM, 0, NUM));
	EXPECT_EQ(-EBUSY, __vq_set_state(dev->fd, VHOST_SET_VRING_BASE, 0, 0));
	EXPECT_EQ(-EBUSY, set_features(dev, VQ_PACKED | VQ_EVENT));
	EXPECT_EQ(-EBUSY, set_features(dev, VQ_SPLIT));
	EXPECT_EQ(-EBUSY, __vq_ioctl(dev->fd, VHOST_RANCHU_TEST_SET_MODE, &mode));
	EXPECT_EQ(-EBUSY, __vq_ioctl(dev->fd, VHOST_SET_OWNER, NULL));
	EXPECT_EQ(-EINVAL, set_addr(dev, good + 8, good, good));
	EXPECT_EQ(-EFAULT, set_addr(dev, ~0ull << 8, good, good));

	/* None of these had an effect; this one is allowed. */
	EXPECT_EQ(0, set_features(dev, VQ_PACKED));
	EXPECT_EQ(0, __vq_ioctl(dev->fd, VHOST_SET_BACKEND_FEATURES, &none));
	EXPECT_EQ(0, __vq_ioctl(dev->fd, VHOST_SET_LOG_BASE, &log));
	EXPECT_EQ(0, set_features(dev, VQ_PACKED | VQ_LOG));
	EXPECT_EQ(0, set_features(dev, VQ_PACKED));
	EXPECT_EQ(0, __vq_set_addr(dev->fd, 0, ring, 0, 0));
	EXPECT_EQ(0, __vq_set_file(dev->fd, VHOST_SET_VRING_KICK, 0, ring->kick));
	EXPECT_EQ(0, __vq_set_file(dev->fd, VHOST_SET_VRING_CALL, 0, ring->call));
	EXPECT_EQ(0, __vq_set_file(dev->fd, VHOST_SET_VRING_ERR, 0, ring->err));
	EXPECT_EQ(0, __vq_dev_run(dev, 1));
	vq_mem_tell(dev->fd, &dev->mem, 3, 1);
	EXPECT_EQ(0, vq_echo(ring));
	EXPECT_EQ(0, vq_echo(ring));
}

TEST_F_TIMEOUT(owner, given_up_and_used_again, TIMEOUT)
{
	uint32_t busyloop = 5;
	unsigned int i;

	for (i = 0; i < 5; i++) {
		vq_dev_run(&self->dev, 1);
		ASSERT_EQ(0, vq_echo(&self->dev.rings[0]));
		ASSERT_EQ(0, __vq_set_state(self->dev.fd,
					    VHOST_SET_VRING_BUSYLOOP_TIMEOUT, 0,
					    busyloop));
		vq_ioctl(self->dev.fd, VHOST_RESET_OWNER, NULL);
		vq_ring_reset(&self->dev.rings[0], VQ_BASE_PACKED);
		vq_dev_set_up(&self->dev);
		/* The ring is as new: its base, and all that was ever set. */
		ASSERT_EQ(VQ_BASE_PACKED, vq_get_base(self->dev.fd, 0));
	}
}

/* Returns how the child ended. */
static int wait_for(pid_t pid)
{
	int status = -1;

	if (waitpid(pid, &status, 0) != pid)
		vq_die("no child");
	return status;
}

/* Calls of a child that has the file. Its exit code is the failed step. */
static int as_a_stranger(struct vq_dev *dev)
{
	struct vhost_ranchu_test_stats stats = { .index = 0 };
	int zero = 0;

	if (set_features(dev, VQ_PACKED) != -EPERM)
		return 1;
	if (__vq_ioctl(dev->fd, VHOST_RESET_OWNER, NULL) != -EPERM)
		return 2;
	if (__vq_ioctl(dev->fd, VHOST_SET_OWNER, NULL) != -EBUSY)
		return 3;
	if (__vq_ioctl(dev->fd, VHOST_RANCHU_TEST_SET_RUNNING, &zero) != -EPERM)
		return 4;
	if (__vq_set_file(dev->fd, VHOST_SET_VRING_KICK, 0, -1) != -EPERM)
		return 5;
	if (__vq_ioctl(dev->fd, VHOST_RANCHU_TEST_GET_STATS, &stats))
		return 6;
	/* It may kick, because it has the eventfd. */
	return vq_echo(&dev->rings[0]) ? 7 : 0;
}

TEST_F_TIMEOUT(owner, others_may_not, TIMEOUT)
{
	pid_t pid;

	vq_dev_run(&self->dev, 1);
	pid = fork();
	if (!pid)
		_exit(as_a_stranger(&self->dev));
	EXPECT_EQ(0, wait_for(pid));
}

/* The owner closes its file; the child's copy keeps the device alive. */
TEST_F_TIMEOUT(owner, closed_by_a_stranger, TIMEOUT)
{
	int go[2];
	char byte;
	pid_t pid;

	ASSERT_EQ(0, pipe(go));
	vq_dev_run(&self->dev, 1);
	pid = fork();
	if (!pid) {
		close(go[1]);
		/* Until the parent's end is closed. */
		while (read(go[0], &byte, 1) > 0)
			;
		_exit(close(self->dev.fd));
	}
	close(self->dev.fd);
	self->dev.fd = -1;
	EXPECT_EQ(0, vq_echo(&self->dev.rings[0]));
	close(go[1]);
	close(go[0]);
	EXPECT_EQ(0, wait_for(pid));
}

/* Never returns: keeps all rings of a device of its own busy. */
static void live_on(int ready)
{
	struct vq_dev dev;
	unsigned int i;

	vq_dev_create(&dev, VQ_SPLIT, NUM, MEM_SIZE);
	vq_dev_run(&dev, 1);
	if (vq_echo(&dev.rings[0]) || write(ready, "x", 1) != 1)
		_exit(1);
	for (i = 0;; i = (i + 1) % VQ_RINGS)
		if (vq_echo(&dev.rings[i]))
			_exit(1);
}

TEST_F_TIMEOUT(owner, killed_under_load, TIMEOUT)
{
	unsigned int i;
	int ready[2];
	char byte;
	pid_t pid;

	ASSERT_EQ(0, pipe(ready));
	for (i = 0; i < KILLS; i++) {
		pid = fork();
		if (!pid)
			live_on(ready[1]);
		ASSERT_EQ(1, read(ready[0], &byte, 1));
		/* At different times. */
		usleep(i * 37 % 10 * 100);
		kill(pid, SIGKILL);
		ASSERT_EQ(SIGKILL, wait_for(pid));
	}
}

/* The owner is killed while a stranger has its file, and its kick. */
TEST_F_TIMEOUT(owner, killed_with_the_file_open_elsewhere, TIMEOUT)
{
	struct vhost_ranchu_test_stats stats = { .index = 0 };
	int efd = eventfd(0, EFD_CLOEXEC), ready[2];
	unsigned int i;
	char byte;
	pid_t pid;

	ASSERT_EQ(0, pipe(ready));
	close(self->dev.fd);
	self->dev.fd = open(VQ_DEV_PATH, O_RDWR | O_CLOEXEC);
	ASSERT_LE(0, self->dev.fd);
	pid = fork();
	if (!pid) {
		self->dev.rings[0].kick = efd;
		vq_dev_set_up(&self->dev);
		vq_dev_run(&self->dev, 1);
		if (vq_echo(&self->dev.rings[0]) || write(ready[1], "x", 1) != 1)
			_exit(1);
		pause();
	}
	ASSERT_EQ(1, read(ready[0], &byte, 1));
	kill(pid, SIGKILL);
	for (i = 0; i < 100; i++)
		eventfd_write(efd, 1);
	ASSERT_EQ(SIGKILL, wait_for(pid));
	for (i = 0; i < 100; i++)
		eventfd_write(efd, 1);
	EXPECT_EQ(0, __vq_ioctl(self->dev.fd, VHOST_RANCHU_TEST_GET_STATS, &stats));
	EXPECT_EQ(-EPERM, __vq_ioctl(self->dev.fd, VHOST_RESET_OWNER, NULL));
	close(efd);
}

/* ioctls from other threads, on whatever the file's number is just then. */
struct racer {
	int fd;
	bool over;
};

static void *race(void *arg)
{
	struct racer *racer = arg;
	uint32_t state = 99;
	int fd, running;

	while (!__atomic_load_n(&racer->over, __ATOMIC_RELAXED)) {
		fd = __atomic_load_n(&racer->fd, __ATOMIC_RELAXED);
		running = vq_random(&state) & 1;
		__vq_ioctl(fd, VHOST_SET_OWNER, NULL);
		__vq_ioctl(fd, VHOST_RANCHU_TEST_SET_RUNNING, &running);
		__vq_set_state(fd, VHOST_SET_VRING_NUM, 0, 4);
		if (!(vq_random(&state) & 7))
			__vq_ioctl(fd, VHOST_RESET_OWNER, NULL);
	}
	return NULL;
}

TEST_F_TIMEOUT(owner, opened_and_closed_in_a_race, TIMEOUT)
{
	struct racer racer = { .fd = -1 };
	pthread_t threads[2];
	unsigned int i;
	int fd;

	for (i = 0; i < 2; i++)
		ASSERT_EQ(0, pthread_create(&threads[i], NULL, race, &racer));
	for (i = 0; i < OPENS; i++) {
		fd = open(VQ_DEV_PATH, O_RDWR | O_CLOEXEC);
		ASSERT_LE(0, fd);
		__atomic_store_n(&racer.fd, fd, __ATOMIC_RELAXED);
		if (i & 1)
			__vq_ioctl(fd, VHOST_SET_OWNER, NULL);
		if (i % 3 == 0)
			__vq_mem_tell(fd, &self->dev.mem, 1, 1);
		ASSERT_EQ(0, close(fd));
	}
	__atomic_store_n(&racer.over, true, __ATOMIC_RELAXED);
	for (i = 0; i < 2; i++)
		pthread_join(threads[i], NULL);
}

/* Modules in use cannot be unloaded, unused ones can. */
TEST_F_TIMEOUT(owner, modules, TIMEOUT)
{
	static const char test[] = "vhost_ranchu_test";

	if (!modules_dir())
		SKIP(return, "RANCHU_MODULES is not set");
	vq_dev_run(&self->dev, 1);
	EXPECT_TRUE(module_is_busy(__module_unload(test)));
	EXPECT_TRUE(module_is_busy(__module_unload("ranchu")));
	EXPECT_EQ(0, vq_echo(&self->dev.rings[0]));
	close(self->dev.fd);
	EXPECT_EQ(0, module_unload_when_idle(test));
	EXPECT_EQ(0, __module_load(test));
	self->dev.fd = -1;
}

TEST_HARNESS_MAIN
