// SPDX-License-Identifier: GPL-2.0-only
/*
 * The log of dirty pages: a bit for each page that the device wrote, and for no
 * other; turned on and off while the device runs.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "vq_driver.h"

#define TIMEOUT		300
#define NUM		1024
#define MEM_SIZE	(8u << 20)
#define DATA_PAGES	8
#define LOG_SIZE	(2 * VQ_PAGE)
/* A guest address for the device area that it does not have, to tell them apart. */
#define RING_LOG_GPA	(VQ_MEM_GPA + MEM_SIZE + 0x40000)

FIXTURE(log)
{
	struct vq_dev dev;
	struct vq_ring *ring;
	uint8_t *bits;
	uint8_t want[LOG_SIZE];
	uint64_t data;
	int efd;
};

FIXTURE_VARIANT(log)
{
	uint64_t features;
};

FIXTURE_VARIANT_ADD(log, split) { .features = VQ_SPLIT };
FIXTURE_VARIANT_ADD(log, split_event_in_order)
{
	.features = VQ_SPLIT | VQ_EVENT | VQ_IN_ORDER
};

FIXTURE_VARIANT_ADD(log, packed) { .features = VQ_PACKED };
FIXTURE_VARIANT_ADD(log, packed_event_in_order)
{
	.features = VQ_PACKED | VQ_EVENT | VQ_IN_ORDER
};

FIXTURE_SETUP(log)
{
	uint64_t base;

	if (__vq_dev_open(&self->dev))
		SKIP(return, "no usable " VQ_DEV_PATH);
	close(self->dev.fd);
	vq_dev_create(&self->dev, variant->features, NUM, MEM_SIZE);
	self->ring = &self->dev.rings[0];
	self->data = vq_mem_alloc(&self->dev.mem, DATA_PAGES * VQ_PAGE, VQ_PAGE);
	self->bits = mmap(NULL, LOG_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->bits);
	self->efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ASSERT_LE(0, self->efd);
	base = (uintptr_t)self->bits;
	vq_ioctl(self->dev.fd, VHOST_SET_LOG_BASE, &base);
	vq_ioctl(self->dev.fd, VHOST_SET_LOG_FD, &self->efd);
}

FIXTURE_TEARDOWN(log)
{
	vq_dev_destroy(&self->dev);
	munmap(self->bits, LOG_SIZE);
	close(self->efd);
}

static void set_log_all(struct vq_dev *dev, bool on)
{
	uint64_t features = dev->features | (on ? VQ_LOG : 0);

	vq_ioctl(dev->fd, VHOST_SET_FEATURES, &features);
}

static void set_log_ring(struct vq_dev *dev, bool on)
{
	if (__vq_set_addr(dev->fd, 0, &dev->rings[0], on << VHOST_VRING_F_LOG,
			  RING_LOG_GPA))
		vq_die("SET_VRING_ADDR");
}

/* The worker is done with the first ring when another one's chain is back. */
static void settle(struct vq_dev *dev)
{
	if (vq_echo(&dev->rings[1]) || vq_echo(&dev->rings[1]))
		vq_die("no echo");
}

/* @in pieces, @n of them, of which @out bytes are written. */
static void transfer(struct vq_dev *dev, const struct vq_buf *in, unsigned int n,
		     uint32_t out)
{
	struct vq_ring *ring = &dev->rings[0];
	struct vq_buf bufs[4] = { { dev->mem.gpa, out } };
	struct vq_done done;

	memcpy(bufs + 1, in, n * sizeof(*in));
	vq_add(ring, bufs, 1, n, NULL);
	vq_publish_and_kick(ring);
	vq_get_one(ring, &done);
	if (done.len != out)
		vq_die("%u written, not %u", done.len, out);
	settle(dev);
}

static void want(uint8_t *bits, uint64_t gpa, uint64_t len)
{
	uint64_t page;

	for (page = gpa / VQ_PAGE; page <= (gpa + len - 1) / VQ_PAGE; page++)
		bits[page / 8] |= 1 << page % 8;
}

static void forget(uint8_t *bits, uint8_t *wanted)
{
	memset(bits, 0, LOG_SIZE);
	memset(wanted, 0, LOG_SIZE);
}

/* Compares the log, and prints differences; of other rings only buffers are logged. */
static bool log_is(const struct vq_dev *dev, const uint8_t *bits, uint8_t *wanted)
{
	bool right = true;
	unsigned int i;

	want(wanted, dev->rings[1].echo_gpa + VQ_CELL, 1);
	for (i = 0; i < LOG_SIZE * 8; i++) {
		if (!((bits[i / 8] ^ wanted[i / 8]) >> i % 8 & 1))
			continue;
		printf("# page 0x%x is %s\n", i,
		       bits[i / 8] >> i % 8 & 1 ? "marked" : "not marked");
		right = false;
	}
	return right;
}

/* Pieces of data pages, and what of them is written. */
TEST_F_TIMEOUT(log, buffers, TIMEOUT)
{
	static const struct row {
		struct vq_buf in[3];
		unsigned int n;
		uint32_t out;
	} rows[] = {
		{ { { 0, 1 } }, 1, 1 },
		{ { { 4095, 2 } }, 1, 2 },
		{ { { 4095, 2 } }, 1, 1 },
		{ { { 4096, 4096 } }, 1, 4096 },
		{ { { 100, 12288 } }, 1, 3996 },
		{ { { 100, 12288 } }, 1, 3997 },
		{ { { 0, 10 }, { 8192, 10 }, { 16384, 10 } }, 3, 20 },
		{ { { 0, 10 }, { 8192, 10 }, { 16384, 10 } }, 3, 21 },
		{ { { 28672, 4096 }, { 0, 0 }, { 4096, 4096 } }, 3, 8192 },
		{ { { 0, 4096 } }, 1, 0 },
	};
	struct vq_buf in[3];
	unsigned int i, j;
	uint32_t left, part;

	set_log_all(&self->dev, true);
	vq_dev_run(&self->dev, 1);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		forget(self->bits, self->want);
		left = rows[i].out;
		for (j = 0; j < rows[i].n; j++) {
			in[j] = rows[i].in[j];
			in[j].gpa += self->data;
			part = left < in[j].len ? left : in[j].len;
			if (part)
				want(self->want, in[j].gpa, part);
			left -= part;
		}
		transfer(&self->dev, in, rows[i].n, rows[i].out);
		EXPECT_TRUE(log_is(&self->dev, self->bits, self->want))
			TH_LOG("row %u", i);
		EXPECT_LT(0, vq_wait(self->efd, 0));
	}
}

TEST_F_TIMEOUT(log, nothing_when_off, TIMEOUT)
{
	static const uint8_t zero[LOG_SIZE];
	struct vq_buf in = { self->data, 100 };

	vq_dev_run(&self->dev, 1);
	transfer(&self->dev, &in, 1, 100);
	EXPECT_EQ(0, memcmp(zero, self->bits, LOG_SIZE));
	/* The ring's own flag does nothing alone. */
	set_log_ring(&self->dev, true);
	transfer(&self->dev, &in, 1, 100);
	EXPECT_EQ(0, memcmp(zero, self->bits, LOG_SIZE));
	EXPECT_EQ(0, vq_wait(self->efd, 0));
}

/* What the device writes of the ring when it serves one chain at @used. */
static void want_ring(uint8_t *bits, const struct vq_ring *ring, uint16_t used)
{
	uint64_t gpa = RING_LOG_GPA;

	if (ring->packed) {
		want(bits, gpa, 4);
		want(bits, ring->desc + used * 16, 16);
		return;
	}
	want(bits, gpa, 4);
	want(bits, gpa + 4 + used % NUM * 8, 8);
	if (ring->features & VQ_EVENT)
		want(bits, gpa + 4 + NUM * 8, 2);
}

/* Where each page of the ring has its turn. */
TEST_F_TIMEOUT(log, ring, TIMEOUT)
{
	static const uint16_t places[] = { 0, 1, 254, 255, 256, 510, 511, 512, 1022 };
	struct vq_buf in = { self->data, 100 };
	unsigned int i;
	uint32_t base;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		base = places[i];
		if (self->ring->packed)
			base |= 0x80008000 | base << 16;
		vq_ring_reset(self->ring, base);
		ASSERT_EQ(0, __vq_set_state(self->dev.fd, VHOST_SET_VRING_BASE, 0,
					    base));
		vq_dev_run(&self->dev, 1);
		set_log_all(&self->dev, true);
		set_log_ring(&self->dev, true);
		settle(&self->dev);
		forget(self->bits, self->want);
		transfer(&self->dev, &in, 1, 100);
		want(self->want, self->data, 100);
		want_ring(self->want, self->ring, places[i]);
		EXPECT_TRUE(log_is(&self->dev, self->bits, self->want))
			TH_LOG("at %u", places[i]);
		vq_dev_run(&self->dev, 0);
		set_log_all(&self->dev, false);
	}
}

/* Memory that the guest sees at two addresses is marked at both. */
TEST_F_TIMEOUT(log, aliases, TIMEOUT)
{
	struct {
		struct vhost_memory head;
		struct vhost_memory_region regions[2];
	} table = {
		.head.nregions = 2,
		.regions = {
			{ VQ_MEM_GPA, MEM_SIZE, (uintptr_t)self->dev.mem.host[0], 0 },
			{ VQ_MEM_GPA + MEM_SIZE, DATA_PAGES * VQ_PAGE,
			  vq_mem_host(&self->dev.mem, self->data), 0 },
		},
	};
	struct vq_buf in = { self->data + VQ_PAGE, 2 * VQ_PAGE };

	vq_ioctl(self->dev.fd, VHOST_SET_MEM_TABLE, &table);
	set_log_all(&self->dev, true);
	vq_dev_run(&self->dev, 1);
	transfer(&self->dev, &in, 1, 2 * VQ_PAGE);
	want(self->want, in.gpa, 2 * VQ_PAGE);
	want(self->want, VQ_MEM_GPA + MEM_SIZE + VQ_PAGE, 2 * VQ_PAGE);
	EXPECT_TRUE(log_is(&self->dev, self->bits, self->want));
}

/* A log that is gone breaks the ring and nothing else. */
TEST_F_TIMEOUT(log, bitmap_unmapped, TIMEOUT)
{
	struct vq_buf bufs[2] = { { self->data, 8 }, { self->data + 8, 8 } };

	set_log_all(&self->dev, true);
	vq_dev_run(&self->dev, 1);
	ASSERT_EQ(0, mprotect(self->bits, LOG_SIZE, PROT_READ));
	vq_add(self->ring, bufs, 1, 1, NULL);
	vq_publish_and_kick(self->ring);
	EXPECT_EQ(1, vq_wait(self->ring->err, VQ_PATIENCE_MS));
	EXPECT_EQ(1, vq_dev_faults(&self->dev));
	ASSERT_EQ(0, mprotect(self->bits, LOG_SIZE, PROT_READ | PROT_WRITE));
	EXPECT_EQ(0, vq_echo(&self->dev.rings[1]));
}

#define ALIASES		64
#define PIECES		32
#define PIECE		(8u << 20)
/* Time limit of a kill; it takes a second or two, and once took minutes. */
#define DEATH_MS	30000
#define STEP_MS		50
#define LARGE_LOG	((VQ_MEM_GPA + (uint64_t)ALIASES * PIECE) / VQ_PAGE / 8)

/*
 * All of guest memory is the same 8 MiB, at as many addresses as the table takes, so
 * that each page that is written has that many bits.
 */
static void __attribute__((noreturn)) log_for_long(void *bits)
{
	struct {
		struct vhost_memory head;
		struct vhost_memory_region regions[ALIASES];
	} table = { .head.nregions = ALIASES };
	uint64_t base = (uintptr_t)bits, features = VQ_SPLIT | VQ_LOG;
	struct vq_buf bufs[2 * PIECES];
	struct vq_dev dev;
	unsigned int i;

	vq_dev_create(&dev, VQ_SPLIT, NUM, PIECE);
	for (i = 0; i < ALIASES; i++)
		table.regions[i] = (struct vhost_memory_region){
			VQ_MEM_GPA + (uint64_t)i * PIECE, PIECE, (uintptr_t)dev.mem.host[0], 0
		};
	/* Everything but the rings, which must not change. */
	for (i = 0; i < 2 * PIECES; i++)
		bufs[i] = (struct vq_buf){
			VQ_MEM_GPA + i % ALIASES * PIECE + dev.mem.used, PIECE - dev.mem.used
		};
	vq_ioctl(dev.fd, VHOST_SET_MEM_TABLE, &table);
	vq_ioctl(dev.fd, VHOST_SET_LOG_BASE, &base);
	vq_ioctl(dev.fd, VHOST_SET_FEATURES, &features);
	vq_dev_run(&dev, 1);
	vq_add(&dev.rings[0], bufs, PIECES, PIECES, NULL);
	vq_publish_and_kick(&dev.rings[0]);
	for (;;)
		pause();
}

static bool any_bit(const uint8_t *bits, size_t size)
{
	size_t i;

	for (i = 0; i < size && !__atomic_load_n(&bits[i], __ATOMIC_RELAXED); i++)
		;
	return i < size;
}

FIXTURE(large_log)
{
	uint8_t *bits;
};

FIXTURE_SETUP(large_log)
{
	struct vq_dev dev;

	if (__vq_dev_open(&dev))
		SKIP(return, "no usable " VQ_DEV_PATH);
	close(dev.fd);
	self->bits = mmap(NULL, LARGE_LOG, PROT_READ | PROT_WRITE,
			  MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, self->bits);
}

FIXTURE_TEARDOWN(large_log)
{
	munmap(self->bits, LARGE_LOG);
}

TEST_F_TIMEOUT(large_log, owner_killed, TIMEOUT)
{
	unsigned int ms = 0;
	int status;
	pid_t pid;

	pid = fork();
	if (!pid)
		log_for_long(self->bits);
	while (!any_bit(self->bits, LARGE_LOG))
		usleep(1000);
	kill(pid, SIGKILL);
	while (waitpid(pid, &status, WNOHANG) != pid && ms < DEATH_MS) {
		usleep(STEP_MS * 1000);
		ms += STEP_MS;
	}
	EXPECT_GT(DEATH_MS, ms);
}

TEST_HARNESS_MAIN
