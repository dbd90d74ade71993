// SPDX-License-Identifier: GPL-2.0-only
/*
 * A guest's program that uses the goldfish address space, by address_driver.ko. It prints its
 * results, and ends with 0 if all are right.
 *
 *	address_guest blocks	allocates and frees blocks, in any order
 *	address_guest null	a ping without a service
 *	address_guest wait	waits for a service
 *	address_guest shared	memory that address_service maps; it answers pings
 *	address_guest silent	the same program does not answer
 *	address_guest again	the memory is gone with its block
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "address_driver.h"

#define BLOCKS	200
#define MEMORY	(256 * 1024)	/* bytes that are shared */

static int node = -1;

static void check(int ok, const char *what)
{
	if (ok)
		return;
	fprintf(stderr, "address_guest: %s: %s\n", what, strerror(errno));
	exit(1);
}

static struct address_block allocate(__u64 size)
{
	struct address_block block = { .size = size };

	check(!ioctl(node, ADDRESS_ALLOCATE, &block), "allocate");
	return block;
}

static void release(__u64 offset)
{
	check(!ioctl(node, ADDRESS_DEALLOCATE, &offset), "deallocate");
}

static __u64 ping(__u64 offset, __u64 size, __u64 ask)
{
	struct address_ping p = { .offset = offset, .size = size, .metadata = ask };

	check(!ioctl(node, ADDRESS_PING, &p), "ping");
	return p.metadata;
}

/* The driver checks that blocks do not overlap. */
static void step_blocks(void)
{
	static struct address_block block[BLOCKS];
	struct address_block all = { .size = 1ULL << 63 };
	struct address_block first = allocate(1);
	unsigned int i, seed = 1;

	printf("address_guest: first at 0x%llx, %llu bytes\n", first.offset, first.size);
	for (i = 0; i < 2000; i++) {
		unsigned int n = rand_r(&seed) % BLOCKS;

		if (block[n].size)
			release(block[n].offset);
		block[n] = (struct address_block){ 0 };
		if (rand_r(&seed) % 4)
			block[n] = allocate(1 + rand_r(&seed) % (1 << 26));
	}
	check(ioctl(node, ADDRESS_ALLOCATE, &all) && errno == ENOMEM, "too much");
	all.size = 0;
	check(ioctl(node, ADDRESS_ALLOCATE, &all) && errno == EINVAL, "nothing");
	/* Handle and blocks are freed with the file. */
	close(node);
	node = open(ADDRESS_NODE, O_RDWR);
	first = allocate((16ULL << 30) - 4095);
	check(!first.offset, "all of it");
}

static void step_null(void)
{
	struct address_ping p = { .offset = 0x1000, .size = 77, .metadata = 5, .direction = 9 };
	__u64 start;

	check(!ioctl(node, ADDRESS_PING, &p), "ping");
	start = p.offset - 0x1000;
	check(p.size == 77 && p.metadata == 5 && p.direction == 9, "it is as it was");
	printf("address_guest: the area is at 0x%llx\n", start);
}

/* A request for a missing block shows whether a service answers. */
static void step_wait(void)
{
	unsigned int tries = 0;

	while (ping(0, 0, ADDRESS_ASK_SUM) == ADDRESS_ASK_SUM) {
		check(tries++ < 600, "nobody answers");
		usleep(100000);
	}
}

static __u32 sum(const volatile __u32 *word)
{
	__u32 total = 0;
	unsigned int i;

	for (i = 0; i < MEMORY / sizeof(*word); i++)
		total += word[i];
	return total;
}

static void step_shared(void)
{
	struct address_block block = allocate(MEMORY);
	volatile __u32 *word;
	unsigned int i;

	check(!ping(block.offset, MEMORY, ADDRESS_ASK_MAP), "it is mapped");
	word = mmap(NULL, MEMORY, PROT_READ | PROT_WRITE, MAP_SHARED, node, block.offset);
	check(word != MAP_FAILED, "mmap");
	for (i = 0; i < MEMORY / sizeof(*word); i++)
		check(word[i] == ADDRESS_WORD(i), "the host's words");
	for (i = 0; i < MEMORY / sizeof(*word); i++)
		word[i] = i * i + 3;
	check(ping(block.offset, MEMORY, ADDRESS_ASK_SUM) == sum(word), "the guest's words");
	/* The host sees new values, because the memory is shared. */
	word[5] = 123456;
	check(ping(block.offset, MEMORY, ADDRESS_ASK_SUM) == sum(word), "one word more");
	munmap((void *)word, MEMORY);
	release(block.offset);
}

static void step_silent(void)
{
	struct timespec begin, end;
	__u64 ms;

	check(ping(0, 0, ADDRESS_ASK_NOTHING) == ADDRESS_ASK_NOTHING, "no answer");
	clock_gettime(CLOCK_MONOTONIC, &begin);
	check(ping(0, 0, ADDRESS_ASK_NOTHING) == ADDRESS_ASK_NOTHING, "no answer");
	clock_gettime(CLOCK_MONOTONIC, &end);
	ms = (end.tv_sec - begin.tv_sec) * 1000 + (end.tv_nsec - begin.tv_nsec) / 1000000;
	printf("address_guest: not waited for, %llu ms\n", ms);
}

/* Sixteen mappings fit, and can be used again after they are freed. */
static void step_again(void)
{
	struct address_block block[17];
	unsigned int i, round;

	for (round = 0; round < 3; round++) {
		for (i = 0; i < 17; i++) {
			block[i] = allocate(MEMORY);
			check(ping(block[i].offset, MEMORY, ADDRESS_ASK_MAP) ==
			      (i < 16 ? 0 : ENOSPC), "sixteen and no more");
		}
		for (i = 0; i < 17; i++)
			release(block[i].offset);
	}
}

int main(int argc, char **argv)
{
	static const struct {
		const char *name;
		void (*fn)(void);
	} steps[] = {
		{ "blocks", step_blocks }, { "null", step_null }, { "wait", step_wait },
		{ "shared", step_shared }, { "silent", step_silent }, { "again", step_again },
	};
	unsigned int i;

	node = open(ADDRESS_NODE, O_RDWR);
	check(argc == 2 && node >= 0, ADDRESS_NODE);
	for (i = 0; i < sizeof(steps) / sizeof(steps[0]); i++) {
		if (strcmp(argv[1], steps[i].name))
			continue;
		steps[i].fn();
		printf("address_guest: %s done\n", steps[i].name);
		return 0;
	}
	return 2;
}
