// SPDX-License-Identifier: GPL-2.0-only
/*
 * Kinds of images, and images that other processes use: flags of a shared open file,
 * seals, blocks of 4096 bytes, writes that must be on stable storage, a frozen file
 * system, a writer that holds the file's lock, and very large requests.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "blk_driver.h"

#define TIMEOUT		300
#define IMAGE_SIZE	(8u << 20)
#define PATIENCE_MS	20000
#define TRIES		100

/* Whether *@flag is set before the time is over. */
static bool is_set(const int *flag, int timeout_ms)
{
	for (; !__atomic_load_n(flag, __ATOMIC_SEQ_CST); timeout_ms--) {
		if (!timeout_ms)
			return false;
		usleep(1000);
	}
	return true;
}

static void set(int *flag)
{
	__atomic_store_n(flag, 1, __ATOMIC_SEQ_CST);
}

/* Whether @pid ends before the time is over. */
static bool ends(pid_t pid, int timeout_ms)
{
	for (; waitpid(pid, NULL, WNOHANG) != pid; timeout_ms--) {
		if (!timeout_ms)
			return false;
		usleep(1000);
	}
	return true;
}

/* Waits until a vCPU serves such requests itself; before, the worker may have the ring. */
static bool served_in_vcpu(struct bd_dev *dev, uint32_t type)
{
	struct vhost_ranchu_blk_stats before, after;
	unsigned int tries;

	for (tries = 0; tries < TRIES; tries++) {
		bd_get_stats(dev, &before);
		bd_do(dev, type, 0, 4096);
		bd_get_stats(dev, &after);
		if (after.in_vcpu != before.in_vcpu)
			return true;
	}
	return false;
}

static uint8_t do_range(struct bd_dev *dev, uint32_t type, uint64_t sector, uint32_t sectors)
{
	struct virtio_blk_discard_write_zeroes *range = (void *)bd_data(dev, 0);

	*range = (struct virtio_blk_discard_write_zeroes){
		.sector = htole64(sector), .num_sectors = htole32(sectors),
	};
	return bd_do(dev, type, 0, sizeof(*range));
}

FIXTURE(shared)
{
	struct bd_dev dev;
};

FIXTURE_VARIANT(shared)
{
	enum bd_kind kind;
};

FIXTURE_VARIANT_ADD(shared, tmpfs)
{
	.kind = BD_TMPFS
};

FIXTURE_VARIANT_ADD(shared, loop)
{
	.kind = BD_LOOP
};

FIXTURE_SETUP(shared)
{
	if (__bd_probe(variant->kind))
		SKIP(return, "no usable " BD_PATH ", or no loop device");
	bd_create(&self->dev, variant->kind, BD_FEATURES, IMAGE_SIZE);
}

FIXTURE_TEARDOWN(shared)
{
	bd_destroy(&self->dev);
}

/* O_APPEND on the shared open file does not change where the disk writes. */
TEST_F(shared, append)
{
	struct bd_dev *dev = &self->dev;
	uint8_t now[4096];
	int flags = fcntl(dev->backend, F_GETFL);

	ASSERT_EQ(0, fcntl(dev->backend, F_SETFL, flags | O_APPEND));
	memset(bd_data(dev, 0), 0x5a, 4096);
	EXPECT_EQ(VIRTIO_BLK_S_OK, bd_do(dev, VIRTIO_BLK_T_OUT, 8, 4096));
	EXPECT_EQ(VIRTIO_BLK_S_OK, bd_do(dev, VIRTIO_BLK_T_FLUSH, 0, 0));
	EXPECT_EQ(IMAGE_SIZE, lseek(dev->image, 0, SEEK_END));
	ASSERT_EQ(4096, pread(dev->image, now, 4096, 4096));
	EXPECT_EQ(0, memcmp(now, bd_data(dev, 0), 4096));
}

/* O_DIRECT on the shared open file does not make the disk direct. */
TEST_F(shared, direct)
{
	struct vhost_ranchu_blk_stats stats;
	struct bd_dev *dev = &self->dev;
	int flags = fcntl(dev->backend, F_GETFL);

	if (variant->kind == BD_TMPFS)
		SKIP(return, "a file in memory is never direct");
	ASSERT_EQ(0, fcntl(dev->backend, F_SETFL, flags | O_DIRECT));
	EXPECT_EQ(VIRTIO_BLK_S_OK, bd_do(dev, VIRTIO_BLK_T_IN, 0, 4096));
	EXPECT_EQ(VIRTIO_BLK_S_OK, bd_do(dev, VIRTIO_BLK_T_OUT, 0, 4096));
	bd_get_stats(dev, &stats);
	EXPECT_EQ(0, stats.asynchronous);
}

FIXTURE(memory)
{
	struct bd_dev dev;
};

FIXTURE_SETUP(memory)
{
	if (__bd_probe(BD_TMPFS))
		SKIP(return, "no usable " BD_PATH);
	bd_create(&self->dev, BD_TMPFS, BD_FEATURES, IMAGE_SIZE);
}

FIXTURE_TEARDOWN(memory)
{
	bd_destroy(&self->dev);
}

/* F_SEAL_WRITE is refused while the disk may write, as with a mapping. */
TEST_F(memory, sealed_while_it_is_used)
{
	struct bd_dev *dev = &self->dev;
	uint8_t before[4096], now[4096];

	memset(bd_data(dev, 0), 0x11, 4096);
	ASSERT_EQ(VIRTIO_BLK_S_OK, bd_do(dev, VIRTIO_BLK_T_OUT, 0, 4096));
	EXPECT_EQ(-1, fcntl(dev->image, F_ADD_SEALS, F_SEAL_WRITE));
	EXPECT_EQ(EBUSY, errno);
	memset(bd_data(dev, 0), 0x22, 4096);
	ASSERT_EQ(VIRTIO_BLK_S_OK, bd_do(dev, VIRTIO_BLK_T_OUT, 0, 4096));
	memcpy(before, bd_data(dev, 0), 4096);
	ASSERT_EQ(0, fcntl(dev->image, F_ADD_SEALS, F_SEAL_FUTURE_WRITE));
	memset(bd_data(dev, 0), 0x33, 4096);
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, bd_do(dev, VIRTIO_BLK_T_OUT, 0, 4096));
	ASSERT_EQ(4096, pread(dev->image, now, 4096, 0));
	EXPECT_EQ(0, memcmp(before, now, 4096));
	EXPECT_EQ(VIRTIO_BLK_S_OK, bd_do(dev, VIRTIO_BLK_T_IN, 0, 4096));
	/* Without the disk it can be sealed. */
	bd_run(dev, 0);
	ASSERT_EQ(0, __bd_set_backend(dev->fd, -1, 0, BD_SECTOR));
	EXPECT_EQ(0, fcntl(dev->image, F_ADD_SEALS, F_SEAL_WRITE));
}

TEST_F(memory, sealed_before)
{
	struct bd_dev *dev = &self->dev;

	bd_run(dev, 0);
	ASSERT_EQ(0, __bd_set_backend(dev->fd, -1, 0, BD_SECTOR));
	ASSERT_EQ(0, fcntl(dev->image, F_ADD_SEALS, F_SEAL_WRITE));
	ASSERT_EQ(0, __bd_set_backend(dev->fd, dev->image, 0, BD_SECTOR));
	bd_run(dev, 1);
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, bd_do(dev, VIRTIO_BLK_T_OUT, 0, 4096));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, do_range(dev, VIRTIO_BLK_T_WRITE_ZEROES, 0, 8));
	EXPECT_EQ(VIRTIO_BLK_S_OK, bd_do(dev, VIRTIO_BLK_T_IN, 0, 4096));
}

/* Reads and writes of memory are done where they are kicked; a watcher sees the time. */
TEST_F(memory, written_where_it_was_kicked)
{
	struct bd_dev *dev = &self->dev;
	struct stat before, after;

	EXPECT_TRUE(served_in_vcpu(dev, VIRTIO_BLK_T_IN));
	EXPECT_TRUE(served_in_vcpu(dev, VIRTIO_BLK_T_OUT));
	ASSERT_EQ(0, fstat(dev->image, &before));
	usleep(50000);
	EXPECT_TRUE(served_in_vcpu(dev, VIRTIO_BLK_T_OUT));
	ASSERT_EQ(0, fstat(dev->image, &after));
	EXPECT_NE(before.st_mtim.tv_nsec, after.st_mtim.tv_nsec);
}

struct locker {
	int image;
	void *page;
	int *served;
	struct bd_dev *dev;
};

/* Writes from a page that is not present, and so sleeps with the file's lock held. */
static void *lock_inode(void *data)
{
	struct locker *locker = data;

	if (pwrite(locker->image, locker->page, 4096, IMAGE_SIZE / 2) != 4096)
		vq_die("pwrite: %s", strerror(errno));
	return NULL;
}

static void *write_disk(void *data)
{
	struct locker *locker = data;

	if (bd_do(locker->dev, VIRTIO_BLK_T_OUT, 0, 4096) == VIRTIO_BLK_S_OK)
		set(locker->served);
	return NULL;
}

static int faults_held(void *page, size_t size)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = {
		.range = { .start = (uintptr_t)page, .len = size },
		.mode = UFFDIO_REGISTER_MODE_MISSING,
	};
	int fd = syscall(SYS_userfaultfd, O_CLOEXEC);

	if (fd < 0)
		return -errno;
	if (!ioctl(fd, UFFDIO_API, &api) && !ioctl(fd, UFFDIO_REGISTER, &reg))
		return fd;
	close(fd);
	return -EOPNOTSUPP;
}

/* Another writer of the image sleeps with its lock: the disk goes on. */
TEST_F_TIMEOUT(memory, another_writer_holds_the_lock, TIMEOUT)
{
	struct bd_dev *dev = &self->dev;
	struct uffdio_zeropage zero = { .range = { .len = HOST_PAGE } };
	int served = 0, fd;
	struct locker locker = { .image = dev->image, .served = &served, .dev = dev };
	pthread_t threads[2];

	locker.page = mmap(NULL, HOST_PAGE, PROT_READ | PROT_WRITE,
			   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	fd = faults_held(locker.page, HOST_PAGE);
	if (fd < 0)
		SKIP(return, "no userfaultfd");
	ASSERT_TRUE(served_in_vcpu(dev, VIRTIO_BLK_T_OUT));
	pthread_create(&threads[0], NULL, lock_inode, &locker);
	usleep(200000);
	pthread_create(&threads[1], NULL, write_disk, &locker);
	EXPECT_TRUE(is_set(&served, PATIENCE_MS));
	zero.range.start = (uintptr_t)locker.page;
	EXPECT_EQ(0, ioctl(fd, UFFDIO_ZEROPAGE, &zero));
	pthread_join(threads[0], NULL);
	pthread_join(threads[1], NULL);
	close(fd);
}

FIXTURE(blocks_4k)
{
	struct bd_dev dev;
};

FIXTURE_SETUP(blocks_4k)
{
	if (__bd_probe(BD_LOOP_4K))
		SKIP(return, "no usable " BD_PATH ", or no loop device");
	bd_create(&self->dev, BD_LOOP_4K, BD_FEATURES, IMAGE_SIZE);
}

FIXTURE_TEARDOWN(blocks_4k)
{
	bd_destroy(&self->dev);
}

/* Sectors of 512 on blocks of 4096: part of one is no error. */
TEST_F(blocks_4k, part_of_a_block)
{
	struct bd_dev *dev = &self->dev;
	uint8_t expected[8192], now[8192];

	memset(expected, 0x44, sizeof(expected));
	memcpy(bd_data(dev, 0), expected, sizeof(expected));
	ASSERT_EQ(VIRTIO_BLK_S_OK, bd_do(dev, VIRTIO_BLK_T_OUT, 0, sizeof(expected)));
	memset(bd_data(dev, 0), 0x55, 512);
	memset(expected + 512, 0x55, 512);
	ASSERT_EQ(VIRTIO_BLK_S_OK, bd_do(dev, VIRTIO_BLK_T_OUT, 1, 512));
	EXPECT_EQ(VIRTIO_BLK_S_OK, do_range(dev, VIRTIO_BLK_T_DISCARD, 3, 1));
	EXPECT_EQ(VIRTIO_BLK_S_OK, do_range(dev, VIRTIO_BLK_T_DISCARD, 4, 8));
	EXPECT_EQ(VIRTIO_BLK_S_UNSUPP, do_range(dev, VIRTIO_BLK_T_WRITE_ZEROES, 3, 1));
	EXPECT_EQ(VIRTIO_BLK_S_UNSUPP, do_range(dev, VIRTIO_BLK_T_WRITE_ZEROES, 4, 8));
	ASSERT_EQ(VIRTIO_BLK_S_OK, bd_do(dev, VIRTIO_BLK_T_FLUSH, 0, 0));
	ASSERT_EQ((ssize_t)sizeof(now), pread(dev->image, now, sizeof(now), 0));
	EXPECT_EQ(0, memcmp(now, expected, sizeof(now)));
	/* Whole ones inside are discarded, and zeroed. */
	EXPECT_EQ(VIRTIO_BLK_S_OK, do_range(dev, VIRTIO_BLK_T_DISCARD, 1, 30));
	EXPECT_EQ(VIRTIO_BLK_S_OK, do_range(dev, VIRTIO_BLK_T_WRITE_ZEROES, 8, 8));
	memset(expected + 4096, 0, 4096);
	ASSERT_EQ((ssize_t)sizeof(now), pread(dev->image, now, sizeof(now), 0));
	EXPECT_EQ(0, memcmp(now, expected, sizeof(now)));
}

/* A counter of this thread's: "read_bytes" or "write_bytes", from or to block devices. */
static long io_here(const char *counter)
{
	char line[80];
	long bytes = -1;
	FILE *f = fopen("/proc/thread-self/io", "r");

	while (f && fgets(line, sizeof(line), f))
		if (!strncmp(line, counter, strlen(counter)))
			bytes = atol(line + strlen(counter) + 1);
	if (f)
		fclose(f);
	return bytes;
}

/* Which thread has written: the one that has kicked, at least once? */
static bool written_where_kicked(struct bd_dev *dev)
{
	long before = io_here("write_bytes");
	unsigned int i;

	for (i = 0; i < TRIES; i++)
		if (bd_do(dev, VIRTIO_BLK_T_OUT, 8, 4096) != VIRTIO_BLK_S_OK)
			vq_die("write");
	return io_here("write_bytes") != before;
}

/* A vCPU does not serve writes that need stable storage: the file system would wait. */
TEST(writes_that_must_last)
{
	struct bd_dev dev;

	if (__bd_probe(BD_LOOP_DIRECT))
		SKIP(return, "no usable " BD_PATH ", or no loop device");
	if (io_here("write_bytes") < 0)
		SKIP(return, "this kernel does not count a thread's writes");
	bd_create(&dev, BD_LOOP_DIRECT, BD_FEATURES, IMAGE_SIZE);
	EXPECT_TRUE(written_where_kicked(&dev));
	bd_destroy(&dev);
	bd_create(&dev, BD_LOOP_DIRECT, BD_FEATURES & ~VQ_BIT(VIRTIO_BLK_F_FLUSH), IMAGE_SIZE);
	EXPECT_FALSE(written_where_kicked(&dev));
	bd_destroy(&dev);
}

/* The same for an image that was opened with O_SYNC or O_DSYNC. */
TEST(an_image_that_is_synchronous)
{
	static const int flags[] = { 0, O_DSYNC, O_SYNC };
	struct bd_dev loop, dev;
	unsigned int i;
	char path[32];
	int image;

	if (__bd_probe(BD_LOOP_DIRECT))
		SKIP(return, "no usable " BD_PATH ", or no loop device");
	if (io_here("write_bytes") < 0)
		SKIP(return, "this kernel does not count a thread's writes");
	/* Only for its loop device. */
	bd_create(&loop, BD_LOOP_DIRECT, BD_FEATURES, IMAGE_SIZE);
	snprintf(path, sizeof(path), "/dev/loop%d", loop.loop);
	for (i = 0; i < ARRAY_SIZE(flags); i++) {
		image = open(path, O_RDWR | O_CLOEXEC | O_DIRECT | flags[i]);
		ASSERT_GE(image, 0);
		bd_create_on(&dev, image, BD_FEATURES);
		EXPECT_EQ(!flags[i], written_where_kicked(&dev));
		bd_destroy(&dev);
		close(image);
	}
	bd_destroy(&loop);
}

/* Data that is not in the page cache is read, and read ahead, by the worker. */
TEST(reads_ahead_are_the_workers)
{
	struct bd_dev dev;
	unsigned int i;
	long before;

	if (__bd_probe(BD_LOOP))
		SKIP(return, "no usable " BD_PATH ", or no loop device");
	before = io_here("read_bytes");
	if (before < 0)
		SKIP(return, "this kernel does not count a thread's reads");
	bd_create(&dev, BD_LOOP, BD_FEATURES, IMAGE_SIZE);
	for (i = 0; i < IMAGE_SIZE; i += 4096)
		ASSERT_EQ(VIRTIO_BLK_S_OK, bd_do(&dev, VIRTIO_BLK_T_IN, i / BD_SECTOR, 4096));
	EXPECT_EQ(before, io_here("read_bytes"));
	EXPECT_TRUE(served_in_vcpu(&dev, VIRTIO_BLK_T_IN));
	bd_destroy(&dev);
}

/* ---- requests of many pieces of the same memory ---- */

#define BIG_PIECES	60u
/* The memory of nearly all slots is one buffer. */
#define BIG_PIECE	((BD_SLOTS - 1) * BD_DATA)
#define BIG_BYTES	(BIG_PIECES * (uint64_t)BIG_PIECE)
#define BIG_FEATURES	(BD_FEATURES | VQ_INDIRECT)

/* Slot 0 has the header and a status for all. */
static void add_big(struct bd_dev *dev, uint32_t type)
{
	uint64_t slot = bd_data_gpa(dev, 0) - HOST_PAGE;
	struct vq_buf chain[BIG_PIECES + 2];
	unsigned int i;

	bd_header(dev, 0)->type = htole32(type);
	bd_header(dev, 0)->sector = 0;
	*bd_status(dev, 0) = BD_NO_STATUS;
	chain[0] = (struct vq_buf){ slot, sizeof(struct virtio_blk_outhdr) };
	for (i = 1; i <= BIG_PIECES; i++)
		chain[i] = (struct vq_buf){ bd_data_gpa(dev, 1), BIG_PIECE };
	chain[i] = (struct vq_buf){ slot + 64, 1 };
	vq_add(&dev->rings[0], chain, type == VIRTIO_BLK_T_IN ? 1 : BIG_PIECES + 1,
	       type == VIRTIO_BLK_T_IN ? BIG_PIECES + 1 : 1, NULL);
}

/* A vCPU does not copy a request of hundreds of MiB, even with an image in memory. */
TEST_F_TIMEOUT(memory, a_large_request_is_not_the_vcpus, TIMEOUT)
{
	struct vhost_ranchu_blk_stats before, after;
	struct vq_done done;
	struct bd_dev dev;
	int i;

	bd_create(&dev, BD_TMPFS, BIG_FEATURES, BIG_BYTES);
	for (i = 0; i < 5; i++) {
		ASSERT_TRUE(served_in_vcpu(&dev, VIRTIO_BLK_T_IN));
		bd_get_stats(&dev, &before);
		add_big(&dev, VIRTIO_BLK_T_IN);
		vq_publish_and_kick(&dev.rings[0]);
		vq_get_one(&dev.rings[0], &done);
		EXPECT_EQ(VIRTIO_BLK_S_OK, *bd_status(&dev, 0));
		bd_get_stats(&dev, &after);
		EXPECT_EQ(before.in_vcpu, after.in_vcpu);
		EXPECT_EQ(before.read_bytes + BIG_BYTES, after.read_bytes);
	}
	bd_destroy(&dev);
}

static void killed_in(struct __test_metadata *_metadata, uint32_t type)
{
	struct bd_dev dev;
	unsigned int i;
	pid_t pid;

	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		bd_create(&dev, BD_TMPFS, BIG_FEATURES, BIG_BYTES);
		for (i = 0; i < 60; i++)
			add_big(&dev, type);
		vq_publish_and_kick(&dev.rings[0]);
		pause();
		_exit(0);
	}
	usleep(300000);
	kill(pid, SIGKILL);
	EXPECT_TRUE(ends(pid, PATIENCE_MS));
}

/* The owner is killed in the middle of a very large read, which ends then. */
TEST_F_TIMEOUT(memory, an_owner_that_is_killed_while_it_reads, TIMEOUT)
{
	killed_in(_metadata, VIRTIO_BLK_T_IN);
}

TEST_F_TIMEOUT(memory, an_owner_that_is_killed_while_it_writes, TIMEOUT)
{
	killed_in(_metadata, VIRTIO_BLK_T_OUT);
}

/* ---- a file system that is frozen ---- */

FIXTURE(frozen)
{
	struct bd_dev outer;
	char loop[32];
	int dir;
	int image;
	bool mounted;
};

FIXTURE_VARIANT(frozen)
{
	bool overlay;
};

FIXTURE_VARIANT_ADD(frozen, itself)
{
};

/* What is frozen is below the image's own file system. */
FIXTURE_VARIANT_ADD(frozen, below)
{
	.overlay = true,
};

#define FROZEN_DIR	"/tmp/blk-frozen"
#define OVERLAY_DIR	"/tmp/blk-overlay"

static int run(const char *command)
{
	int status = system(command);

	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

#define OVERLAY_LAYERS "lowerdir=" FROZEN_DIR "/low,upperdir=" FROZEN_DIR \
		       "/up,workdir=" FROZEN_DIR "/work"

static int mount_overlay(void)
{
	run("modprobe overlay 2>/dev/null");
	if (mkdir(FROZEN_DIR "/low", 0700) || mkdir(FROZEN_DIR "/up", 0700) ||
	    mkdir(FROZEN_DIR "/work", 0700))
		return -1;
	mkdir(OVERLAY_DIR, 0700);
	return mount("overlay", OVERLAY_DIR, "overlay", MS_STRICTATIME,
		     OVERLAY_LAYERS);
}

/* A small file system on a loop device, and an image in it. */
FIXTURE_SETUP(frozen)
{
	int err;

	if (__bd_probe(BD_LOOP))
		SKIP(return, "no usable " BD_PATH ", or no loop device");
	/* Only for its loop device. */
	bd_create(&self->outer, BD_LOOP, BD_FEATURES, 8 * IMAGE_SIZE);
	snprintf(self->loop, sizeof(self->loop), "/dev/loop%d", self->outer.loop);
	run("modprobe crc32c_generic 2>/dev/null; modprobe ext4 2>/dev/null");
	mkdir(FROZEN_DIR, 0700);
	{
		char command[80];

		snprintf(command, sizeof(command), "mke2fs %s >/dev/null 2>&1", self->loop);
		err = run(command) ||
		      mount(self->loop, FROZEN_DIR, "ext4", MS_STRICTATIME, "");
	}
	if (err)
		SKIP(goto out, "no ext4 here, or no mke2fs");
	if (variant->overlay && mount_overlay()) {
		umount2(FROZEN_DIR, 0);
		SKIP(goto out, "no overlayfs here");
	}
	self->mounted = true;
	self->dir = open(FROZEN_DIR, O_RDONLY | O_CLOEXEC);
	self->image = open(variant->overlay ? OVERLAY_DIR "/image" : FROZEN_DIR "/image",
			   O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	ASSERT_GE(self->image, 0);
	ASSERT_EQ(0, ftruncate(self->image, IMAGE_SIZE));
	return;
out:
	bd_destroy(&self->outer);
}

FIXTURE_TEARDOWN(frozen)
{
	if (!self->mounted)
		return;
	ioctl(self->dir, FITHAW, 0);
	close(self->dir);
	close(self->image);
	if (variant->overlay)
		umount2(OVERLAY_DIR, 0);
	umount2(FROZEN_DIR, 0);
	bd_destroy(&self->outer);
}

struct kicker {
	struct bd_dev *dev;
	int back;
};

static void *kick(void *data)
{
	struct kicker *kicker = data;

	vq_publish_and_kick(&kicker->dev->rings[0]);
	set(&kicker->back);
	return NULL;
}

/* Writes wait for the thaw; vCPUs and users do not wait. */
TEST_F_TIMEOUT(frozen, only_the_disk_waits, TIMEOUT)
{
	struct vhost_ranchu_blk_stats stats;
	struct kicker kicker = {};
	struct bd_dev dev;
	pthread_t thread;

	bd_create_on(&dev, self->image, BD_FEATURES);
	kicker.dev = &dev;
	/* Until the worker has looked at the ring after the start. */
	usleep(200000);
	ASSERT_EQ(0, ioctl(self->dir, FIFREEZE, 0));
	bd_add(&dev, 0, 0, VIRTIO_BLK_T_OUT, 8, 4096, 1);
	pthread_create(&thread, NULL, kick, &kicker);
	EXPECT_TRUE(is_set(&kicker.back, PATIENCE_MS));
	bd_get_stats(&dev, &stats);
	EXPECT_EQ(0, stats.writes);
	EXPECT_EQ(BD_NO_STATUS, *bd_status(&dev, 0));
	ASSERT_EQ(0, ioctl(self->dir, FITHAW, 0));
	EXPECT_EQ(0, bd_get(&dev, 0));
	EXPECT_EQ(VIRTIO_BLK_S_OK, *bd_status(&dev, 0));
	pthread_join(thread, NULL);
	bd_destroy(&dev);
}

/* Reads in a vCPU must not update the access time, which would be a write. */
TEST_F_TIMEOUT(frozen, reads_set_no_time_of_access, TIMEOUT)
{
	struct stat before, after;
	struct bd_dev dev;
	uint8_t byte;

	/* The file system does set it. */
	ASSERT_EQ(1, pread(self->image, &byte, 1, 0));
	ASSERT_EQ(0, fstat(self->image, &before));
	usleep(1100000);
	ASSERT_EQ(1, pread(self->image, &byte, 1, 0));
	ASSERT_EQ(0, fstat(self->image, &after));
	ASSERT_NE(before.st_atime, after.st_atime);

	bd_create_on(&dev, self->image, BD_FEATURES);
	usleep(1100000);
	bd_add(&dev, 0, 0, VIRTIO_BLK_T_IN, 8, 4096, 1);
	vq_publish_and_kick(&dev.rings[0]);
	EXPECT_EQ(0, bd_get(&dev, 0));
	EXPECT_EQ(VIRTIO_BLK_S_OK, *bd_status(&dev, 0));
	ASSERT_EQ(0, fstat(self->image, &before));
	EXPECT_EQ(after.st_atime, before.st_atime);
	bd_destroy(&dev);
}

/* Nor does the end of the VMM. */
TEST_F_TIMEOUT(frozen, an_owner_that_is_killed, TIMEOUT)
{
	struct bd_dev dev;
	pid_t pid;

	ASSERT_EQ(0, ioctl(self->dir, FIFREEZE, 0));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		bd_create_on(&dev, self->image, BD_FEATURES);
		bd_add(&dev, 0, 0, VIRTIO_BLK_T_OUT, 8, 4096, 1);
		bd_add(&dev, 0, 1, VIRTIO_BLK_T_WRITE_ZEROES, 0, 16, 1);
		memset(bd_data(&dev, 1), 0, 16);
		((struct virtio_blk_discard_write_zeroes *)bd_data(&dev, 1))->num_sectors = 8;
		vq_publish_and_kick(&dev.rings[0]);
		pause();
		_exit(0);
	}
	sleep(1);
	kill(pid, SIGKILL);
	EXPECT_TRUE(ends(pid, PATIENCE_MS));
	ASSERT_EQ(0, ioctl(self->dir, FITHAW, 0));
}

TEST_HARNESS_MAIN
