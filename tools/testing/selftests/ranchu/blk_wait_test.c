// SPDX-License-Identifier: GPL-2.0-only
/*
 * A disk whose image is slow, or does not answer: the image is a file on a FUSE
 * server of the test. While the disk waits, statistics, vCPUs, a stop and the end of
 * the VMM do not wait, except where they guarantee that requests have ended: these
 * return only when that is true.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/vhost_types.h>

#include <kselftest_harness.h>

#include "blk_driver.h"
#include "fuse_file.h"

#define TIMEOUT		300
#define IMAGE_SIZE	(1024 * 1024 * 1024)
#define PATIENCE_MS	20000
#define STEP		(16 * 1024 * 1024)
#define NO_FLUSH	(BD_FEATURES & ~VQ_BIT(VIRTIO_BLK_F_FLUSH))

FIXTURE(slow)
{
	struct ff_file *file;
	int image;
};

FIXTURE_SETUP(slow)
{
	struct stat st;
	int err;

	if (__bd_probe(BD_TMPFS))
		SKIP(return, "no usable " BD_PATH);
	err = __ff_create(&self->file, IMAGE_SIZE);
	if (err)
		SKIP(return, "no FUSE here: %s", strerror(-err));
	self->image = open(self->file->path, O_RDWR | O_CLOEXEC);
	ASSERT_GE(self->image, 0);
	/* The kernel does not know the size before. */
	ASSERT_EQ(0, fstat(self->image, &st));
}

FIXTURE_TEARDOWN(slow)
{
	if (!self->file)
		return;
	close(self->image);
	ff_destroy(self->file);
}

/* A job in a thread of its own. */
struct job {
	struct bd_dev *dev;
	uint8_t *over;
	int done;
	pthread_t thread;
};

static bool is_done(struct job *job, int timeout_ms)
{
	for (; !__atomic_load_n(&job->done, __ATOMIC_SEQ_CST); timeout_ms--) {
		if (!timeout_ms)
			return false;
		usleep(1000);
	}
	return true;
}

static void begin(struct job *job, struct bd_dev *dev, void *(*fn)(void *))
{
	job->dev = dev;
	job->done = 0;
	pthread_create(&job->thread, NULL, fn, job);
}

static void *finish(struct job *job)
{
	__atomic_store_n(&job->done, 1, __ATOMIC_SEQ_CST);
	return NULL;
}

static void *ask_stats(void *data)
{
	struct vhost_ranchu_blk_stats stats;
	struct job *job = data;

	bd_get_stats(job->dev, &stats);
	return finish(job);
}

static void *kick(void *data)
{
	struct job *job = data;

	vq_publish_and_kick(&job->dev->rings[0]);
	return finish(job);
}

static void *stop(void *data)
{
	struct job *job = data;

	bd_run(job->dev, 0);
	return finish(job);
}

/* While the image does not answer, statistics and kicks return. */
TEST_F_TIMEOUT(slow, nobody_else_waits, TIMEOUT)
{
	struct job stats = {}, kicker = {}, stopper = {};
	struct bd_dev dev;

	bd_create_on(&dev, self->image, BD_FEATURES);
	ff_hold(self->file, FUSE_READ);
	bd_add(&dev, 0, 0, VIRTIO_BLK_T_IN, 0, 4096, 1);
	begin(&kicker, &dev, kick);
	EXPECT_TRUE(is_done(&kicker, PATIENCE_MS));
	pthread_join(kicker.thread, NULL);
	EXPECT_TRUE(ff_wait(self->file, FUSE_READ, 1, PATIENCE_MS));
	begin(&stats, &dev, ask_stats);
	EXPECT_TRUE(is_done(&stats, PATIENCE_MS));
	/* A request that need not wait is answered meanwhile. */
	bd_add(&dev, 0, 1, VIRTIO_BLK_T_GET_ID, 0, VHOST_RANCHU_BLK_ID, 1);
	vq_kick(&dev.rings[0]);
	vq_publish_and_kick(&dev.rings[0]);
	/* A stop waits: all that was taken is answered. */
	begin(&stopper, &dev, stop);
	usleep(200000);
	EXPECT_FALSE(is_done(&stopper, 1));
	ff_hold(self->file, 0);
	EXPECT_TRUE(is_done(&stopper, PATIENCE_MS));
	pthread_join(stats.thread, NULL);
	pthread_join(stopper.thread, NULL);
	EXPECT_EQ(VIRTIO_BLK_S_OK, *bd_status(&dev, 0));
	bd_destroy(&dev);
}

/* Also while a stop waits for the image. */
TEST_F_TIMEOUT(slow, statistics_while_a_stop_waits, TIMEOUT)
{
	struct job stats = {}, stopper = {};
	struct bd_dev dev;

	bd_create_on(&dev, self->image, BD_FEATURES);
	ff_hold(self->file, FUSE_READ);
	bd_add(&dev, 0, 0, VIRTIO_BLK_T_IN, 0, 4096, 1);
	vq_publish_and_kick(&dev.rings[0]);
	EXPECT_TRUE(ff_wait(self->file, FUSE_READ, 1, PATIENCE_MS));
	begin(&stopper, &dev, stop);
	usleep(200000);
	begin(&stats, &dev, ask_stats);
	EXPECT_TRUE(is_done(&stats, PATIENCE_MS));
	ff_hold(self->file, 0);
	EXPECT_TRUE(is_done(&stopper, PATIENCE_MS));
	pthread_join(stats.thread, NULL);
	pthread_join(stopper.thread, NULL);
	bd_destroy(&dev);
}

/* Removes all memory from the table, and uses the addresses for other memory. */
static void *take_memory(void *data)
{
	struct vhost_memory none = {};
	struct job *job = data;
	uint64_t host = vq_mem_host(&job->dev->mem, bd_data_gpa(job->dev, 0) - HOST_PAGE);

	vq_ioctl(job->dev->fd, VHOST_SET_MEM_TABLE, &none);
	job->over = mmap((void *)(uintptr_t)host, 2 * HOST_PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	memset(job->over, 0x77, 2 * HOST_PAGE);
	return finish(job);
}

/* Memory that SET_MEM_TABLE has removed is not written afterwards. */
static void memory_is_replaced(struct __test_metadata *_metadata, struct ff_file *file, int image)
{
	struct vhost_ranchu_blk_stats stats;
	struct job taker = {};
	struct bd_dev dev;
	unsigned int i;

	bd_create_on(&dev, image, BD_FEATURES);
	memset(file->data, 0x99, 4096);
	ff_hold(file, FUSE_READ);
	bd_add(&dev, 0, 0, VIRTIO_BLK_T_IN, 0, 4096, 1);
	vq_publish_and_kick(&dev.rings[0]);
	EXPECT_TRUE(ff_wait(file, FUSE_READ, 1, PATIENCE_MS));
	begin(&taker, &dev, take_memory);
	usleep(300000);
	ff_hold(file, 0);
	EXPECT_TRUE(is_done(&taker, PATIENCE_MS));
	pthread_join(taker.thread, NULL);
	/* Until the request is answered. */
	for (i = 0; i < PATIENCE_MS; i++) {
		bd_get_stats(&dev, &stats);
		if (stats.reads + stats.errors)
			break;
		usleep(1000);
	}
	EXPECT_EQ(1, stats.reads + stats.errors);
	usleep(50000);
	for (i = 0; i < 2 * HOST_PAGE; i++)
		ASSERT_EQ(0x77, taker.over[i]);
	bd_destroy(&dev);
}

TEST_F_TIMEOUT(slow, memory_is_replaced_under_a_read, TIMEOUT)
{
	memory_is_replaced(_metadata, self->file, self->image);
}

TEST_F_TIMEOUT(slow, memory_is_replaced_under_a_direct_read, TIMEOUT)
{
	int image = open(self->file->path, O_RDWR | O_CLOEXEC | O_DIRECT);

	ASSERT_GE(image, 0);
	memory_is_replaced(_metadata, self->file, image);
	close(image);
}

static void add_zeroes(struct bd_dev *dev, unsigned int slot, uint32_t type)
{
	struct virtio_blk_discard_write_zeroes *range = (void *)bd_data(dev, slot);

	*range = (struct virtio_blk_discard_write_zeroes){
		.num_sectors = htole32(IMAGE_SIZE / BD_SECTOR),
	};
	bd_add(dev, 0, slot, type, 0, sizeof(*range), 1);
}

/* Zeroes are written to a slow image in small steps. */
TEST_F_TIMEOUT(slow, zeroes_in_steps, TIMEOUT)
{
	struct bd_dev dev;

	bd_create_on(&dev, self->image, BD_FEATURES);
	add_zeroes(&dev, 0, VIRTIO_BLK_T_WRITE_ZEROES);
	add_zeroes(&dev, 1, VIRTIO_BLK_T_DISCARD);
	vq_publish_and_kick(&dev.rings[0]);
	bd_get(&dev, 0);
	bd_get(&dev, 0);
	EXPECT_EQ(VIRTIO_BLK_S_OK, *bd_status(&dev, 0));
	EXPECT_EQ(VIRTIO_BLK_S_OK, *bd_status(&dev, 1));
	EXPECT_EQ(2 * (IMAGE_SIZE / STEP), ff_calls(self->file, FUSE_FALLOCATE));
	EXPECT_EQ(STEP, self->file->longest);
	bd_destroy(&dev);
}

/* A stop does not wait for all of it: the guest can write zeroes, and a discard is a hint. */
TEST_F_TIMEOUT(slow, a_stop_while_it_zeroes, TIMEOUT)
{
	struct job stopper = {};
	struct bd_dev dev;

	bd_create_on(&dev, self->image, BD_FEATURES);
	self->file->delay_ms = 200;
	add_zeroes(&dev, 0, VIRTIO_BLK_T_WRITE_ZEROES);
	add_zeroes(&dev, 1, VIRTIO_BLK_T_DISCARD);
	vq_publish_and_kick(&dev.rings[0]);
	EXPECT_TRUE(ff_wait(self->file, FUSE_FALLOCATE, 1, PATIENCE_MS));
	begin(&stopper, &dev, stop);
	EXPECT_TRUE(is_done(&stopper, PATIENCE_MS));
	EXPECT_GT(IMAGE_SIZE / STEP, ff_calls(self->file, FUSE_FALLOCATE));
	pthread_join(stopper.thread, NULL);
	EXPECT_EQ(VIRTIO_BLK_S_UNSUPP, *bd_status(&dev, 0));
	EXPECT_EQ(VIRTIO_BLK_S_OK, *bd_status(&dev, 1));
	bd_destroy(&dev);
}

/* Nor does the end of the VMM. */
TEST_F_TIMEOUT(slow, an_owner_that_is_killed_while_it_zeroes, TIMEOUT)
{
	struct bd_dev dev;
	unsigned int i;
	pid_t pid;

	self->file->delay_ms = 200;
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		bd_create_on(&dev, self->image, BD_FEATURES);
		for (i = 0; i < 4; i++)
			add_zeroes(&dev, i, VIRTIO_BLK_T_WRITE_ZEROES);
		vq_publish_and_kick(&dev.rings[0]);
		pause();
		_exit(0);
	}
	EXPECT_TRUE(ff_wait(self->file, FUSE_FALLOCATE, 1, PATIENCE_MS));
	kill(pid, SIGKILL);
	for (i = 0; i < PATIENCE_MS && waitpid(pid, NULL, WNOHANG) != pid; i++)
		usleep(1000);
	EXPECT_GT(PATIENCE_MS, i);
	EXPECT_GT(IMAGE_SIZE / STEP, ff_calls(self->file, FUSE_FALLOCATE));
	self->file->delay_ms = 0;
}

/* For a guest that does not flush, zeroes are on stable storage like any write. */
TEST_F_TIMEOUT(slow, zeroes_that_must_last, TIMEOUT)
{
	struct bd_dev dev;

	bd_create_on(&dev, self->image, BD_FEATURES);
	add_zeroes(&dev, 0, VIRTIO_BLK_T_WRITE_ZEROES);
	vq_publish_and_kick(&dev.rings[0]);
	bd_get(&dev, 0);
	EXPECT_EQ(0, ff_calls(self->file, FUSE_FSYNC));
	bd_destroy(&dev);
	bd_create_on(&dev, self->image, NO_FLUSH);
	add_zeroes(&dev, 0, VIRTIO_BLK_T_WRITE_ZEROES);
	vq_publish_and_kick(&dev.rings[0]);
	bd_get(&dev, 0);
	EXPECT_EQ(VIRTIO_BLK_S_OK, *bd_status(&dev, 0));
	EXPECT_EQ(1, ff_calls(self->file, FUSE_FSYNC));
	bd_destroy(&dev);
}

TEST_HARNESS_MAIN
