// SPDX-License-Identifier: GPL-2.0-only
/*
 * A disk whose image is a file in memory, and another process that holds the file's
 * lock: it writes to the file from a page that is never filled in. The disk works
 * without the lock; if it cannot, a stop and the end of the VMM do not wait for it.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/userfaultfd.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "blk_driver.h"

#define TIMEOUT		300
#define IMAGE_SIZE	(8u << 20)
/* Zeroing it a few hundred times, page by page, takes minutes. */
#define ZEROED_SIZE	(64u << 20)
#define RANGES		16u
#define LAST_SECTOR	(IMAGE_SIZE / BD_SECTOR - 8)
#define STOPPED_WRITES	50u
#define PATIENCE_MS	20000

struct stranger {
	void *page;
	int uffd;
	bool holds;
	pthread_t thread;
	int image;
};

FIXTURE(locked)
{
	struct bd_dev dev;
	struct stranger stranger;
	int image;
};

static void *write_from_nowhere(void *data)
{
	struct stranger *stranger = data;

	if (pwrite(stranger->image, stranger->page, 4096, IMAGE_SIZE / 2) != 4096)
		vq_die("pwrite: %s", strerror(errno));
	return NULL;
}

FIXTURE_SETUP(locked)
{
	struct uffdio_api api = { .api = UFFD_API };
	struct uffdio_register reg = { .mode = UFFDIO_REGISTER_MODE_MISSING };

	if (__bd_probe(BD_TMPFS))
		SKIP(return, "no usable " BD_PATH);
	self->stranger.uffd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (self->stranger.uffd < 0)
		SKIP(return, "no userfaultfd");
	self->stranger.page = mmap(NULL, HOST_PAGE, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	reg.range.start = (uintptr_t)self->stranger.page;
	reg.range.len = HOST_PAGE;
	ASSERT_EQ(0, ioctl(self->stranger.uffd, UFFDIO_API, &api));
	ASSERT_EQ(0, ioctl(self->stranger.uffd, UFFDIO_REGISTER, &reg));
	self->image = memfd_create("image", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	ASSERT_GE(self->image, 0);
	self->stranger.image = self->image;
	ASSERT_EQ(0, ftruncate(self->image, IMAGE_SIZE));
}

/* Starts a process that holds the lock of the image's inode. */
static void hold(struct stranger *stranger)
{
	stranger->holds = true;
	pthread_create(&stranger->thread, NULL, write_from_nowhere, stranger);
	usleep(300000);
}

static void let_go(struct stranger *stranger)
{
	struct uffdio_zeropage zero = { .range = { (uintptr_t)stranger->page, HOST_PAGE } };

	if (!stranger->holds)
		return;
	ioctl(stranger->uffd, UFFDIO_ZEROPAGE, &zero);
	pthread_join(stranger->thread, NULL);
	stranger->holds = false;
}

FIXTURE_TEARDOWN(locked)
{
	let_go(&self->stranger);
	close(self->image);
	close(self->stranger.uffd);
}

/* Whether a request is answered before the time is over. */
static bool is_answered(struct bd_dev *dev, unsigned int slot)
{
	unsigned int i;

	for (i = 0; i < PATIENCE_MS; i++) {
		if (__atomic_load_n(bd_status(dev, slot), __ATOMIC_SEQ_CST) != BD_NO_STATUS)
			return true;
		usleep(1000);
	}
	return false;
}

static void add_range(struct bd_dev *dev, unsigned int slot, uint32_t type, uint64_t sector,
		      uint32_t sectors)
{
	struct virtio_blk_discard_write_zeroes *range = (void *)bd_data(dev, slot);

	*range = (struct virtio_blk_discard_write_zeroes){
		.sector = htole64(sector), .num_sectors = htole32(sectors),
	};
	bd_add(dev, 0, slot, type, 0, sizeof(*range), 1);
}

/* RANGES times the same. */
static void add_ranges(struct bd_dev *dev, unsigned int slot, uint32_t sectors)
{
	struct virtio_blk_discard_write_zeroes *range = (void *)bd_data(dev, slot);
	unsigned int i;

	for (i = 0; i < RANGES; i++)
		range[i] = (struct virtio_blk_discard_write_zeroes){
			.num_sectors = htole32(sectors),
		};
	bd_add(dev, 0, slot, VIRTIO_BLK_T_WRITE_ZEROES, 0, RANGES * sizeof(*range), 1);
}

/* The guest's page is brought in, and written from, without the lock. */
TEST_F_TIMEOUT(locked, a_source_that_is_not_there, TIMEOUT)
{
	static const uint8_t zeros[4096];
	struct bd_dev *dev = &self->dev;
	uint8_t now[4096];

	bd_create_on(dev, self->image, BD_FEATURES);
	memset(bd_data(dev, 0), 0x11, 4096);
	ASSERT_EQ(VIRTIO_BLK_S_OK, bd_do(dev, VIRTIO_BLK_T_OUT, 8, 4096));
	hold(&self->stranger);
	bd_add(dev, 0, 1, VIRTIO_BLK_T_OUT, 8, 4096, 1);
	/* Gone from the page tables: zeros, or what is in the file that backs it. */
	ASSERT_EQ(0, madvise(bd_data(dev, 1), 4096, MADV_DONTNEED));
	vq_publish_and_kick(&dev->rings[0]);
	EXPECT_TRUE(is_answered(dev, 1));
	let_go(&self->stranger);
	EXPECT_EQ(1, bd_get(dev, 0));
	EXPECT_EQ(VIRTIO_BLK_S_OK, *bd_status(dev, 1));
	ASSERT_EQ(4096, pread(self->image, now, 4096, 4096));
	EXPECT_EQ(0, memcmp(now, zeros, 4096));
	bd_destroy(dev);
}

/* Zeroes are written, also to parts of pages; a discard is a hint. */
TEST_F_TIMEOUT(locked, zeroes_and_discards, TIMEOUT)
{
	struct bd_dev *dev = &self->dev;
	uint8_t expected[32768], now[32768];

	bd_create_on(dev, self->image, BD_FEATURES);
	memset(expected, 0x22, sizeof(expected));
	memcpy(bd_data(dev, 0), expected, sizeof(expected));
	ASSERT_EQ(VIRTIO_BLK_S_OK, bd_do(dev, VIRTIO_BLK_T_OUT, 0, sizeof(expected)));
	hold(&self->stranger);
	add_range(dev, 1, VIRTIO_BLK_T_WRITE_ZEROES, 3, 20);
	add_range(dev, 2, VIRTIO_BLK_T_DISCARD, 40, 8);
	add_range(dev, 3, VIRTIO_BLK_T_WRITE_ZEROES, 64, IMAGE_SIZE / BD_SECTOR - 64);
	vq_publish_and_kick(&dev->rings[0]);
	EXPECT_TRUE(is_answered(dev, 1));
	EXPECT_TRUE(is_answered(dev, 2));
	EXPECT_TRUE(is_answered(dev, 3));
	let_go(&self->stranger);
	EXPECT_EQ(VIRTIO_BLK_S_OK, *bd_status(dev, 1));
	EXPECT_EQ(VIRTIO_BLK_S_OK, *bd_status(dev, 2));
	EXPECT_EQ(VIRTIO_BLK_S_OK, *bd_status(dev, 3));
	memset(expected + 3 * BD_SECTOR, 0, 20 * BD_SECTOR);
	ASSERT_EQ((ssize_t)sizeof(now), pread(self->image, now, sizeof(now), 0));
	EXPECT_EQ(0, memcmp(now, expected, 40 * BD_SECTOR));
	bd_destroy(dev);
}

/* If the lock is free, discarded ranges become holes. */
TEST_F_TIMEOUT(locked, nobody_holds_it, TIMEOUT)
{
	struct bd_dev *dev = &self->dev;
	struct stat st;

	bd_create_on(dev, self->image, BD_FEATURES);
	ASSERT_EQ(VIRTIO_BLK_S_OK, bd_do(dev, VIRTIO_BLK_T_OUT, 0, 65536));
	ASSERT_EQ(0, fstat(self->image, &st));
	EXPECT_NE(0, st.st_blocks);
	add_range(dev, 1, VIRTIO_BLK_T_DISCARD, 0, IMAGE_SIZE / BD_SECTOR);
	vq_publish_and_kick(&dev->rings[0]);
	EXPECT_TRUE(is_answered(dev, 1));
	ASSERT_EQ(0, fstat(self->image, &st));
	EXPECT_EQ(0, st.st_blocks);
	bd_destroy(dev);
}

static void *stop(void *data)
{
	struct bd_dev *dev = data;

	bd_run(dev, 0);
	return NULL;
}

/* Reasons why a write needs the lock. */
enum reason {
	SET_USER_ID,	/* the bit must be removed first */
	SHRUNK,		/* the file must be extended */
};

/* Changes @image so that a guest's write to LAST_SECTOR needs the lock. */
static int make_it_need_the_lock(int image, enum reason reason)
{
	return reason == SHRUNK ? ftruncate(image, IMAGE_SIZE / 4) : fchmod(image, 04755);
}

static void a_stop_ends(struct __test_metadata *_metadata, struct bd_dev *dev,
			struct stranger *stranger, enum reason reason)
{
	pthread_t stopper;
	unsigned int i;

	bd_create_on(dev, stranger->image, BD_FEATURES);
	ASSERT_EQ(0, make_it_need_the_lock(stranger->image, reason));
	hold(stranger);
	/* A second for each write would exceed the time limit. */
	for (i = 0; i < STOPPED_WRITES; i++)
		bd_add(dev, 0, i, VIRTIO_BLK_T_OUT, LAST_SECTOR, 4096, 1);
	vq_publish_and_kick(&dev->rings[0]);
	usleep(300000);
	EXPECT_EQ(BD_NO_STATUS, *bd_status(dev, 0));
	pthread_create(&stopper, NULL, stop, dev);
	for (i = 0; i < STOPPED_WRITES; i++)
		EXPECT_TRUE(is_answered(dev, i));
	let_go(stranger);
	pthread_join(stopper, NULL);
	for (i = 0; i < STOPPED_WRITES; i++)
		EXPECT_EQ(VIRTIO_BLK_S_IOERR, *bd_status(dev, i));
	bd_destroy(dev);
}

/* A stop ends the wait for the lock. */
TEST_F_TIMEOUT(locked, a_stop, TIMEOUT)
{
	a_stop_ends(_metadata, &self->dev, &self->stranger, SET_USER_ID);
}

TEST_F_TIMEOUT(locked, a_stop_when_it_has_shrunk, TIMEOUT)
{
	a_stop_ends(_metadata, &self->dev, &self->stranger, SHRUNK);
}

static bool is_killed(pid_t pid)
{
	unsigned int i;

	kill(pid, SIGKILL);
	for (i = 0; i < PATIENCE_MS && waitpid(pid, NULL, WNOHANG) != pid; i++)
		usleep(1000);
	return i < PATIENCE_MS;
}

static void a_kill_ends(struct __test_metadata *_metadata, struct bd_dev *dev,
			struct stranger *stranger, enum reason reason)
{
	unsigned int i;
	int ready[2];
	pid_t pid;

	ASSERT_EQ(0, pipe(ready));
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		bd_create_on(dev, stranger->image, BD_FEATURES);
		close(ready[1]);
		/* Until it waits for the lock. */
		read(ready[0], &i, 1);
		for (i = 0; i < 4; i++)
			bd_add(dev, 0, i, VIRTIO_BLK_T_OUT, LAST_SECTOR, 4096, 1);
		vq_publish_and_kick(&dev->rings[0]);
		pause();
		_exit(0);
	}
	sleep(1);
	EXPECT_EQ(0, make_it_need_the_lock(stranger->image, reason));
	hold(stranger);
	close(ready[1]);
	sleep(1);
	EXPECT_TRUE(is_killed(pid));
	close(ready[0]);
}

/* The end of the VMM ends the wait as well. */
TEST_F_TIMEOUT(locked, an_owner_that_is_killed, TIMEOUT)
{
	a_kill_ends(_metadata, &self->dev, &self->stranger, SET_USER_ID);
}

TEST_F_TIMEOUT(locked, an_owner_that_is_killed_when_it_has_shrunk, TIMEOUT)
{
	a_kill_ends(_metadata, &self->dev, &self->stranger, SHRUNK);
}

/* If the lock is free, the file is extended exactly to the end of the write. */
TEST_F_TIMEOUT(locked, an_image_that_has_shrunk, TIMEOUT)
{
	struct bd_dev *dev = &self->dev;
	uint8_t expected[4096], now[4096];
	struct stat st;

	bd_create_on(dev, self->image, BD_FEATURES);
	ASSERT_EQ(0, ftruncate(self->image, 512));
	memset(expected, 0x33, sizeof(expected));
	memcpy(bd_data(dev, 0), expected, sizeof(expected));
	EXPECT_EQ(VIRTIO_BLK_S_OK, bd_do(dev, VIRTIO_BLK_T_OUT, 9, 4096));
	ASSERT_EQ(0, fstat(self->image, &st));
	EXPECT_EQ(9 * BD_SECTOR + 4096, st.st_size);
	ASSERT_EQ(4096, pread(self->image, now, 4096, 9 * BD_SECTOR));
	EXPECT_EQ(0, memcmp(now, expected, 4096));
	memset(expected, 0, sizeof(expected));
	ASSERT_EQ(4096, pread(self->image, now, 4096, BD_SECTOR));
	EXPECT_EQ(0, memcmp(now, expected, 4096));
	ASSERT_EQ(0, fcntl(self->image, F_ADD_SEALS, F_SEAL_GROW));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, bd_do(dev, VIRTIO_BLK_T_OUT, LAST_SECTOR, 4096));
	EXPECT_EQ(VIRTIO_BLK_S_OK, bd_do(dev, VIRTIO_BLK_T_OUT, 8, 4096));
	bd_destroy(dev);
}

/* Zeroing page by page, without the lock, would exceed the time limit. */
TEST_F_TIMEOUT(locked, an_owner_that_is_killed_while_it_zeroes, TIMEOUT)
{
	struct bd_dev *dev = &self->dev;
	unsigned int i;
	pid_t pid;

	ASSERT_EQ(0, fallocate(self->image, 0, 0, ZEROED_SIZE));
	hold(&self->stranger);
	pid = fork();
	ASSERT_GE(pid, 0);
	if (!pid) {
		bd_create_on(dev, self->image, BD_FEATURES);
		for (i = 0; i < 20; i++)
			add_ranges(dev, i, ZEROED_SIZE / BD_SECTOR);
		vq_publish_and_kick(&dev->rings[0]);
		pause();
		_exit(0);
	}
	sleep(1);
	EXPECT_TRUE(is_killed(pid));
}

TEST_HARNESS_MAIN
