// SPDX-License-Identifier: GPL-2.0-only
/*
 * Requests to /dev/vhost-ranchu-blk with an unusual layout, unsupported or invalid
 * requests, and wrong ioctls of a user.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "blk_driver.h"
#include "counts.h"

#define IMAGE_SIZE	(1u << 20)
#define SECTORS		(IMAGE_SIZE / BD_SECTOR)
#define TRIES		100

FIXTURE(request)
{
	struct bd_dev dev;
};

FIXTURE_SETUP(request)
{
	if (__bd_probe(BD_TMPFS))
		SKIP(return, "no usable " BD_PATH);
	bd_create(&self->dev, BD_TMPFS, BD_FEATURES, IMAGE_SIZE);
}

FIXTURE_TEARDOWN(request)
{
	bd_destroy(&self->dev);
}

/* Serves a chain of the test; its token is ignored. */
static void serve(struct bd_dev *dev, const struct vq_buf *bufs, unsigned int out,
		  unsigned int in)
{
	struct vq_done done;

	vq_add(&dev->rings[0], bufs, out, in, NULL);
	vq_publish_and_kick(&dev->rings[0]);
	vq_get_one(&dev->rings[0], &done);
}

static void header(struct bd_dev *dev, uint32_t type, uint64_t sector)
{
	bd_header(dev, 0)->type = htole32(type);
	bd_header(dev, 0)->sector = htole64(sector);
}

TEST_F(request, name)
{
	struct bd_dev *dev = &self->dev;

	memset(bd_data(dev, 0), 0xff, 32);
	EXPECT_EQ(VIRTIO_BLK_S_OK, bd_do(dev, VIRTIO_BLK_T_GET_ID, 0, VHOST_RANCHU_BLK_ID));
	EXPECT_EQ(0, memcmp("ranchu-disk\0\0\0\0\0\0\0\0\0\xff", bd_data(dev, 0), 21));
	memset(bd_data(dev, 0), 0xff, 32);
	EXPECT_EQ(VIRTIO_BLK_S_OK, bd_do(dev, VIRTIO_BLK_T_GET_ID, 0, 4));
	EXPECT_EQ(0, memcmp("ranc\xff", bd_data(dev, 0), 5));
}

TEST_F(request, sectors_that_are_not_there)
{
	struct bd_dev *dev = &self->dev;
	static const uint64_t sectors[] = {
		SECTORS, SECTORS - 7, UINT64_MAX, UINT64_MAX - 7, 1ull << 55, 1ull << 63,
	};
	unsigned int i;

	EXPECT_EQ(VIRTIO_BLK_S_OK, bd_do(dev, VIRTIO_BLK_T_IN, SECTORS - 8, 4096));
	for (i = 0; i < sizeof(sectors) / sizeof(*sectors); i++) {
		EXPECT_EQ(VIRTIO_BLK_S_IOERR, bd_do(dev, VIRTIO_BLK_T_IN, sectors[i], 4096));
		EXPECT_EQ(VIRTIO_BLK_S_IOERR, bd_do(dev, VIRTIO_BLK_T_OUT, sectors[i], 4096));
	}
	EXPECT_EQ(IMAGE_SIZE, lseek(dev->image, 0, SEEK_END));
}

TEST_F(request, no_whole_sectors)
{
	struct bd_dev *dev = &self->dev;

	EXPECT_EQ(VIRTIO_BLK_S_IOERR, bd_do(dev, VIRTIO_BLK_T_IN, 0, 511));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, bd_do(dev, VIRTIO_BLK_T_OUT, 0, 513));
	EXPECT_EQ(VIRTIO_BLK_S_OK, bd_do(dev, VIRTIO_BLK_T_IN, 0, 0));
}

TEST_F(request, unknown)
{
	struct bd_dev *dev = &self->dev;

	EXPECT_EQ(VIRTIO_BLK_S_UNSUPP, bd_do(dev, 0x7777, 0, 512));
	EXPECT_EQ(VIRTIO_BLK_S_UNSUPP, bd_do(dev, VIRTIO_BLK_T_SECURE_ERASE, 0, 16));
}

/* Any framing: pieces of a header, data behind it, the status behind the data. */
TEST_F(request, any_layout)
{
	struct bd_dev *dev = &self->dev;
	uint64_t hdr = vq_mem_alloc(&dev->mem, 8192, VQ_PAGE);
	uint8_t *bytes = vq_mem_guest(&dev->mem, hdr);
	struct vq_buf bufs[4];
	uint8_t read[512];

	memset(bd_data(dev, 0), 0x77, 512);
	header(dev, VIRTIO_BLK_T_OUT, 5);
	memcpy(bytes, bd_header(dev, 0), 16);
	memset(bytes + 16, 0xab, 1024);
	bytes[4096] = BD_NO_STATUS;
	bufs[0] = (struct vq_buf){ hdr, 3 };
	bufs[1] = (struct vq_buf){ hdr + 3, 14 };
	bufs[2] = (struct vq_buf){ hdr + 17, 1023 };
	bufs[3] = (struct vq_buf){ hdr + 4096, 1 };
	serve(dev, bufs, 3, 1);
	EXPECT_EQ(VIRTIO_BLK_S_OK, bytes[4096]);
	ASSERT_EQ(512, pread(dev->image, read, 512, 6 * BD_SECTOR));
	EXPECT_EQ(0, memcmp(read, bytes + 16, 512));

	header(dev, VIRTIO_BLK_T_IN, 6);
	memcpy(bytes, bd_header(dev, 0), 16);
	memset(bytes + 4096, BD_NO_STATUS, 600);
	bufs[0] = (struct vq_buf){ hdr, 16 };
	bufs[1] = (struct vq_buf){ hdr + 4096, 100 };
	bufs[2] = (struct vq_buf){ hdr + 4196, 413 };
	serve(dev, bufs, 1, 2);
	EXPECT_EQ(VIRTIO_BLK_S_OK, bytes[4096 + 512]);
	EXPECT_EQ(0, memcmp(bytes + 4096, read, 512));
	EXPECT_EQ(BD_NO_STATUS, bytes[4096 + 513]);
}

TEST_F(request, no_header_or_no_status)
{
	struct bd_dev *dev = &self->dev;
	uint64_t gpa = vq_mem_alloc(&dev->mem, 4096, VQ_PAGE);
	struct vq_buf bufs[2] = { { gpa, 15 }, { gpa + 64, 1 } };
	uint8_t *bytes = vq_mem_guest(&dev->mem, gpa);

	bytes[64] = BD_NO_STATUS;
	serve(dev, bufs, 1, 1);
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, bytes[64]);
	serve(dev, bufs, 0, 1);
	serve(dev, bufs, 2, 0);
	EXPECT_EQ(VIRTIO_BLK_S_OK, bd_do(dev, VIRTIO_BLK_T_IN, 0, 512));
}

/* The memory of the data was removed: an error, and the next request works. */
TEST_F(request, memory_that_is_not_there)
{
	struct bd_dev *dev = &self->dev;

	vq_mem_unmap(&dev->mem, bd_data_gpa(dev, 0), VQ_PAGE);
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, bd_do(dev, VIRTIO_BLK_T_IN, 0, 4096));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, bd_do(dev, VIRTIO_BLK_T_OUT, 0, 4096));
	vq_mem_restore(&dev->mem, bd_data_gpa(dev, 0), VQ_PAGE);
	EXPECT_EQ(VIRTIO_BLK_S_OK, bd_do(dev, VIRTIO_BLK_T_IN, 0, 4096));
}

TEST_F(request, ranges)
{
	struct bd_dev *dev = &self->dev;
	struct virtio_blk_discard_write_zeroes *range = (void *)bd_data(dev, 0);
	uint32_t type = VIRTIO_BLK_T_WRITE_ZEROES;

	memset(range, 0, 20 * sizeof(*range));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, bd_do(dev, type, 0, 0));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, bd_do(dev, type, 0, 15));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, bd_do(dev, type, 0, 17 * sizeof(*range)));
	EXPECT_EQ(VIRTIO_BLK_S_OK, bd_do(dev, type, 0, 16 * sizeof(*range)));
	range->sector = SECTORS - 1;
	range->num_sectors = 2;
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, bd_do(dev, type, 0, sizeof(*range)));
	range->sector = UINT64_MAX;
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, bd_do(dev, type, 0, sizeof(*range)));
	range->sector = 0;
	range->num_sectors = UINT32_MAX;
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, bd_do(dev, type, 0, sizeof(*range)));
	range->num_sectors = 1;
	range->flags = 2;
	EXPECT_EQ(VIRTIO_BLK_S_UNSUPP, bd_do(dev, type, 0, sizeof(*range)));
	range->flags = VIRTIO_BLK_WRITE_ZEROES_FLAG_UNMAP;
	EXPECT_EQ(VIRTIO_BLK_S_UNSUPP, bd_do(dev, VIRTIO_BLK_T_DISCARD, 0, sizeof(*range)));
	EXPECT_EQ(IMAGE_SIZE, lseek(dev->image, 0, SEEK_END));
}

TEST_F(request, read_only)
{
	struct bd_dev *dev = &self->dev;
	uint8_t zeros[4096] = {}, now[4096];
	int fd;

	memset(bd_data(dev, 0), 0x77, 4096);
	bd_run(dev, 0);
	fd = open("/proc/self/exe", O_RDONLY);
	ASSERT_GE(fd, 0);
	EXPECT_EQ(-EROFS, __bd_set_backend(dev->fd, fd, 0, BD_SECTOR));
	EXPECT_EQ(0, __bd_set_backend(dev->fd, fd, VHOST_RANCHU_BLK_READONLY, BD_SECTOR));
	close(fd);
	ASSERT_EQ(0, __bd_set_backend(dev->fd, dev->backend, VHOST_RANCHU_BLK_READONLY, 512));
	bd_run(dev, 1);
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, bd_do(dev, VIRTIO_BLK_T_OUT, 0, 4096));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, bd_do(dev, VIRTIO_BLK_T_WRITE_ZEROES, 0, 16));
	EXPECT_EQ(VIRTIO_BLK_S_OK, bd_do(dev, VIRTIO_BLK_T_IN, 0, 4096));
	EXPECT_EQ(VIRTIO_BLK_S_OK, bd_do(dev, VIRTIO_BLK_T_FLUSH, 0, 0));
	ASSERT_EQ(4096, pread(dev->image, now, 4096, 0));
	EXPECT_EQ(0, memcmp(zeros, now, 4096));
}

TEST_F(request, blocks_of_4096)
{
	struct bd_dev *dev = &self->dev;

	bd_run(dev, 0);
	ASSERT_EQ(0, __bd_set_backend(dev->fd, dev->backend, 0, 4096));
	bd_run(dev, 1);
	EXPECT_EQ(VIRTIO_BLK_S_OK, bd_do(dev, VIRTIO_BLK_T_IN, 8, 4096));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, bd_do(dev, VIRTIO_BLK_T_IN, 8, 512));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, bd_do(dev, VIRTIO_BLK_T_IN, 1, 4096));
}

TEST_F(request, resize)
{
	struct vhost_ranchu_blk_info info;
	struct bd_dev *dev = &self->dev;

	vq_ioctl(dev->fd, VHOST_RANCHU_BLK_GET_INFO, &info);
	EXPECT_EQ(SECTORS, info.capacity);
	ASSERT_EQ(0, ftruncate(dev->image, 2 * IMAGE_SIZE + 100));
	EXPECT_EQ(VIRTIO_BLK_S_IOERR, bd_do(dev, VIRTIO_BLK_T_IN, SECTORS, 512));
	vq_ioctl(dev->fd, VHOST_RANCHU_BLK_RESIZE, NULL);
	vq_ioctl(dev->fd, VHOST_RANCHU_BLK_GET_INFO, &info);
	EXPECT_EQ(2 * SECTORS, info.capacity);
	EXPECT_EQ(VIRTIO_BLK_S_OK, bd_do(dev, VIRTIO_BLK_T_IN, 2 * SECTORS - 1, 512));
}

TEST_F(request, counters)
{
	struct vhost_ranchu_blk_stats stats;
	struct bd_dev *dev = &self->dev;

	bd_do(dev, VIRTIO_BLK_T_OUT, 0, 4096);
	bd_do(dev, VIRTIO_BLK_T_IN, 0, 512);
	bd_do(dev, VIRTIO_BLK_T_IN, 0, 512);
	bd_do(dev, VIRTIO_BLK_T_FLUSH, 0, 0);
	bd_do(dev, 0x7777, 0, 512);
	bd_get_stats(dev, &stats);
	EXPECT_EQ(1, stats.writes);
	EXPECT_EQ(4096, stats.written_bytes);
	EXPECT_EQ(2, stats.reads);
	EXPECT_EQ(1024, stats.read_bytes);
	EXPECT_EQ(1, stats.flushes);
	EXPECT_EQ(1, stats.errors);
	EXPECT_EQ(0, stats.faults);
}

/*
 * An image in memory never blocks: the kicking thread does all the work, once the
 * worker has looked at the ring after the start.
 */
TEST_F(request, served_where_it_was_kicked)
{
	struct vhost_ranchu_blk_stats before, after = {};
	unsigned int tries = 0;

	do {
		ASSERT_GT(TRIES, tries++);
		bd_get_stats(&self->dev, &before);
		for (unsigned int i = 0; i < 10; i++)
			bd_do(&self->dev, VIRTIO_BLK_T_IN, 0, 512);
		bd_get_stats(&self->dev, &after);
	} while (after.in_vcpu - before.in_vcpu != 10);
}

/* A vCPU serves 256 KiB at a kick; the worker serves the rest. */
TEST_F(request, much_is_not_served_at_one_kick)
{
	struct vhost_ranchu_blk_stats before, after = {};
	struct bd_dev *dev = &self->dev;
	unsigned int tries = 0, i;

	do {
		ASSERT_GT(TRIES, tries++);
		bd_get_stats(dev, &before);
		for (i = 0; i < IMAGE_SIZE / BD_DATA; i++)
			bd_add(dev, 0, i, VIRTIO_BLK_T_IN, 0, BD_DATA, 1);
		vq_publish_and_kick(&dev->rings[0]);
		for (i = 0; i < IMAGE_SIZE / BD_DATA; i++)
			ASSERT_EQ(VIRTIO_BLK_S_OK, *bd_status(dev, bd_get(dev, 0)));
		bd_get_stats(dev, &after);
		EXPECT_GE((256u << 10) / BD_DATA, after.in_vcpu - before.in_vcpu);
	} while (after.in_vcpu == before.in_vcpu);
	EXPECT_EQ(tries * IMAGE_SIZE / BD_DATA, after.reads);
}

TEST_F(request, wrong_user)
{
	struct bd_dev *dev = &self->dev;
	struct vhost_ranchu_blk_backend backend = { .fd = dev->image, .block_size = 512 };
	int running = 2, pipes[2], fd, append;

	EXPECT_EQ(-EBUSY, __bd_set_backend(dev->fd, dev->image, 0, 512));
	EXPECT_EQ(-EINVAL, __vq_ioctl(dev->fd, VHOST_RANCHU_BLK_SET_RUNNING, &running));
	EXPECT_EQ(-EFAULT, __vq_ioctl(dev->fd, VHOST_RANCHU_BLK_SET_BACKEND, NULL));
	bd_run(dev, 0);
	EXPECT_EQ(-EINVAL, __bd_set_backend(dev->fd, dev->image, 2, 512));
	EXPECT_EQ(-EINVAL, __bd_set_backend(dev->fd, dev->image, 0, 1024));
	EXPECT_EQ(-EINVAL, __bd_set_backend(dev->fd, -2, 0, 512));
	EXPECT_EQ(-EBADF, __bd_set_backend(dev->fd, 1000, 0, 512));
	backend.padding = 1;
	EXPECT_EQ(-EINVAL, __vq_ioctl(dev->fd, VHOST_RANCHU_BLK_SET_BACKEND, &backend));
	ASSERT_EQ(0, pipe(pipes));
	EXPECT_EQ(-ENOTBLK, __bd_set_backend(dev->fd, pipes[0], 0, 512));
	close(pipes[0]);
	close(pipes[1]);
	fd = memfd_create("empty", MFD_CLOEXEC);
	EXPECT_EQ(-ENOMEDIUM, __bd_set_backend(dev->fd, fd, 0, 512));
	close(fd);
	append = fcntl(dev->image, F_GETFL);
	ASSERT_EQ(0, fcntl(dev->image, F_SETFL, append | O_APPEND));
	EXPECT_EQ(-EINVAL, __bd_set_backend(dev->fd, dev->image, 0, 512));
	/* The old backend is still set. */
	EXPECT_EQ(0, __bd_run(dev, 1));
	EXPECT_EQ(VIRTIO_BLK_S_OK, bd_do(dev, VIRTIO_BLK_T_IN, 0, 4096));
	bd_run(dev, 0);
	EXPECT_EQ(0, __bd_set_backend(dev->fd, -1, 0, 512));
	EXPECT_EQ(-ENOMEDIUM, __bd_run(dev, 1));
	fd = open(BD_PATH, O_RDWR | O_CLOEXEC);
	EXPECT_EQ(-EPERM, __bd_set_backend(fd, dev->image, 0, 512));
	close(fd);
}

/* Without a memory table the start of a ring fails after its preparation. */
static int fail_to_start(int image)
{
	struct vhost_vring_state num = { .index = 0, .num = 8 };
	int fd = open(BD_PATH, O_RDWR | O_CLOEXEC);
	int running = 1, ret;

	ret = __vq_ioctl(fd, VHOST_SET_OWNER, NULL) ?:
	      __bd_set_backend(fd, image, 0, 512) ?:
	      __vq_ioctl(fd, VHOST_SET_VRING_NUM, &num) ?:
	      __vq_ioctl(fd, VHOST_RANCHU_BLK_SET_RUNNING, &running);
	close(fd);
	return ret;
}

/* Under KASAN, with other tests running, 400 starts take more than half a minute. */
TEST_F_TIMEOUT(request, a_failed_start_leaves_nothing, 300)
{
	struct counts before;
	int i;

	EXPECT_EQ(-EFAULT, fail_to_start(self->dev.image));
	counts_take(&before);
	for (i = 0; i < 400; i++)
		ASSERT_EQ(-EFAULT, fail_to_start(self->dev.image));
	EXPECT_TRUE(counts_return(&before));
}

TEST_HARNESS_MAIN
