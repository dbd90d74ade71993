// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA from inside a guest, by a driver of ours (goldfish_dma.c) that behaves as
 * Android's drivers of version 4, against the module's own service dmatest.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "goldfish_dma.h"
#include "guest.h"

#define REGION		(1u << 20)

struct request {
	uint64_t gpa;
	uint64_t size;
};

static int dma_connect(void)
{
	int fd = guest_connect("pipe:dmatest", 0);

	CHECK(fd >= 0, "%d", fd);
	return fd;
}

static int create(int fd, uint64_t size)
{
	struct goldfish_dma_info info = { .size = size };

	return ioctl(fd, GOLDFISH_DMA_CREATE_REGION, &info) ? -errno : 0;
}

static uint32_t *map(int fd, size_t size)
{
	void *at = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);

	CHECK(at != MAP_FAILED, "errno %d", errno);
	return at;
}

static struct goldfish_dma_info offset(int fd)
{
	struct goldfish_dma_info info = { 1, 1 };

	CHECK(!ioctl(fd, GOLDFISH_DMA_GETOFF, &info), "errno %d", errno);
	return info;
}

/* Lets the host add up and invert @n words from @first on; checks both. */
static void sum(int fd, uint32_t *words, uint64_t gpa, size_t first, size_t n)
{
	struct request request = { gpa + first * 4, n * 4 };
	uint64_t expect = 0, got = 0;
	size_t i;

	for (i = 0; i < n; i++) {
		words[first + i] = (i + first) * 0x9e3779b9u;
		expect += words[first + i];
	}
	CHECK(write(fd, &request, sizeof(request)) == sizeof(request), "errno %d", errno);
	CHECK(read(fd, &got, sizeof(got)) == sizeof(got), "errno %d", errno);
	CHECK(got == expect, "%llx", (unsigned long long)got);
	for (i = 0; i < n; i++)
		CHECK(words[first + i] == ~(uint32_t)((i + first) * 0x9e3779b9u), "%zu", i);
}

/* ioctl numbers that Android's programs use. */
static void numbers(void)
{
	int fd = dma_connect();

	CHECK(GOLDFISH_DMA_LOCK == 0xc0104700 && GOLDFISH_DMA_UNLOCK == 0xc0104701 &&
	      GOLDFISH_DMA_GETOFF == 0xc0104702 && GOLDFISH_DMA_CREATE_REGION == 0xc0104703,
	      "numbers");
	CHECK(!ioctl(fd, GOLDFISH_DMA_LOCK, NULL) && !ioctl(fd, GOLDFISH_DMA_UNLOCK, NULL),
	      "errno %d", errno);
	CHECK(ioctl(fd, _IOWR('G', 4, struct goldfish_dma_info), NULL) && errno == ENOTTY,
	      "errno %d", errno);
	CHECK(!offset(fd).phys_begin && !offset(fd).size, "a region");
	CHECK(create(fd, 0) == -EINVAL && create(fd, 4095) == -EINVAL &&
	      create(fd, 4097) == -EINVAL && create(fd, (256 << 20) + 4096) == -EINVAL, "sizes");
	CHECK(!create(fd, REGION), "create");
	CHECK(create(fd, REGION) == -EBUSY, "twice");
	CHECK(!offset(fd).size, "before mmap");
	close(fd);
}

/* Two wakes before the guest looks are merged, so it waits for each. */
static void sum_unlocked(int fd, uint32_t *words, uint64_t gpa, size_t first, size_t n)
{
	struct goldfish_dma_state state = { 0 };
	uint64_t unlocks;

	CHECK(!ioctl(fd, GOLDFISH_DMA_STATE, &state), "errno %d", errno);
	unlocks = state.unlocks + 1;
	sum(fd, words, gpa, first, n);
	state.unlocks = unlocks;
	CHECK(!ioctl(fd, GOLDFISH_DMA_STATE, &state), "errno %d", errno);
	CHECK(state.unlocks == unlocks, "%llu", (unsigned long long)state.unlocks);
}

static void words_are_shared(void)
{
	struct goldfish_dma_state state = { 0 };
	int fd = dma_connect();
	uint32_t *words;
	uint64_t gpa;

	CHECK(!create(fd, REGION), "create");
	words = map(fd, REGION);
	gpa = offset(fd).phys_begin;
	CHECK(gpa && offset(fd).size == REGION, "%llx", (unsigned long long)gpa);
	CHECK(!ioctl(fd, GOLDFISH_DMA_STATE, &state), "errno %d", errno);
	CHECK(!state.map_status, "DMA_MAPHOST: %d", state.map_status);
	CHECK(!state.unlocks, "%llu", (unsigned long long)state.unlocks);
	sum_unlocked(fd, words, gpa, 0, REGION / 4);
	sum_unlocked(fd, words, gpa, 1, 1);
	sum_unlocked(fd, words, gpa, 1023, 2050);
	sum_unlocked(fd, words, gpa, REGION / 4 - 1, 1);
	close(fd);
	/* The file lives on in the mapping. */
	words[0] = 1;
	munmap(words, REGION);
}

/* Freed regions are used again by the guest, or by another pipe. */
static void regions_come_and_go(void)
{
	uint32_t *words;
	unsigned int i;
	int fd;

	for (i = 0; i < 100; i++) {
		const size_t size = REGION << (i % 3);

		fd = dma_connect();
		CHECK(!create(fd, size), "create");
		words = map(fd, size);
		sum(fd, words, offset(fd).phys_begin, i * 37, 5000);
		munmap(words, size);
		close(fd);
	}
}

static void many_regions(void)
{
	uint32_t *words[32];
	int fds[32];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		fds[i] = dma_connect();
		CHECK(!create(fds[i], 64 << 10), "create");
		words[i] = map(fds[i], 64 << 10);
	}
	for (i = 0; i < ARRAY_SIZE(fds); i++)
		sum(fds[i], words[i], offset(fds[i]).phys_begin, i, 1000);
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		/* A pipe cannot use the region of another pipe. */
		struct request request = { offset(fds[i ^ 1]).phys_begin, 4 };

		CHECK(write(fds[i], &request, sizeof(request)) < 0 && errno == EINVAL,
		      "errno %d", errno);
	}
	for (i = 0; i < ARRAY_SIZE(fds); i++) {
		munmap(words[i], 64 << 10);
		close(fds[i]);
	}
}

static const struct guest_case tests[] = {
	{ "dma_numbers", numbers, true },
	{ "dma_words_are_shared", words_are_shared, true },
	{ "dma_regions_come_and_go", regions_come_and_go, true },
	{ "dma_many_regions", many_regions, true },
};

int guest_dma(void)
{
	return guest_run(tests, ARRAY_SIZE(tests), false);
}
