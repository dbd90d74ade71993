// SPDX-License-Identifier: GPL-2.0-only
/*
 * In a guest: random reads of 4 KiB past the guest's cache, from each of its disks
 * by turns, some at a time:
 *
 *	blk_guest ROUNDS
 *	BLK-MARK begin SERIAL DEPTH
 *	BLK-MARK end SERIAL DEPTH ns=NANOSECONDS ops=REQUESTS
 *
 * and with an argument, the address of a register, what reading it costs:
 *
 *	blk_guest ROUNDS ADDRESS
 *	ISR ns=NANOSECONDS ops=READS
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <glob.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <linux/aio_abi.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#define BLOCK		4096
#define MAX_DEPTH	32
#define MAX_DISKS	8
#define REQUESTS	4096
#define READS		100000

static const unsigned int depths[] = { 1, 32 };

struct disk {
	int fd;
	char serial[24];
	uint64_t blocks;
};

static aio_context_t aio;
static char *buffers;
static uint32_t random_state = 1;

static void die(const char *what)
{
	printf("blk_guest: %s: %s\n", what, strerror(errno));
	exit(1);
}

static uint64_t now(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ULL + ts.tv_nsec;
}

/* The same places in every run: a linear congruence, its upper bits. */
static uint32_t next_random(void)
{
	random_state = random_state * 1664525 + 1013904223;
	return random_state >> 8;
}

static void prepare(struct iocb *cb, const struct disk *disk, unsigned int i)
{
	*cb = (struct iocb){
		.aio_data = i,
		.aio_lio_opcode = IOCB_CMD_PREAD,
		.aio_fildes = disk->fd,
		.aio_buf = (uintptr_t)(buffers + i * BLOCK),
		.aio_nbytes = BLOCK,
		.aio_offset = next_random() % disk->blocks * BLOCK,
	};
}

static void submit(struct iocb **list, long n)
{
	if (syscall(__NR_io_submit, aio, n, list) != n)
		die("io_submit");
}

/* As many requests as are answered are sent again, all at once. */
static void read_some(const struct disk *disk, unsigned int depth, unsigned int requests)
{
	struct io_event events[MAX_DEPTH];
	struct iocb cb[MAX_DEPTH];
	struct iocb *list[MAX_DEPTH];
	unsigned int sent = depth;
	unsigned int done = 0;
	unsigned int n;
	long i, got;

	for (i = 0; i < depth; i++) {
		prepare(&cb[i], disk, i);
		list[i] = &cb[i];
	}
	submit(list, depth);
	while (done < requests) {
		got = syscall(__NR_io_getevents, aio, 1, (long)depth, events, NULL);
		if (got < 1)
			die("io_getevents");
		done += got;
		for (i = 0, n = 0; i < got; i++) {
			if (events[i].res != BLOCK)
				die("a read came back short");
			if (sent == requests)
				continue;
			prepare(&cb[events[i].data], disk, events[i].data);
			list[n++] = &cb[events[i].data];
			sent++;
		}
		if (n)
			submit(list, n);
	}
}

static void measure(const struct disk *disk, unsigned int depth)
{
	uint64_t start;

	printf("BLK-MARK begin %s %u\n", disk->serial, depth);
	fflush(stdout);
	start = now();
	read_some(disk, depth, REQUESTS);
	printf("BLK-MARK end %s %u ns=%llu ops=%u\n", disk->serial, depth,
	       (unsigned long long)(now() - start), REQUESTS);
	fflush(stdout);
}

static void open_disk(struct disk *disk, const char *sys)
{
	char path[300];
	FILE *file;

	snprintf(path, sizeof(path), "%s/serial", sys);
	file = fopen(path, "re");
	if (!file || fscanf(file, "%20s", disk->serial) != 1)
		die(path);
	fclose(file);
	snprintf(path, sizeof(path), "/dev/%s", strrchr(sys, '/') + 1);
	disk->fd = open(path, O_RDONLY | O_DIRECT);
	if (disk->fd < 0)
		die(path);
	disk->blocks = lseek(disk->fd, 0, SEEK_END) / BLOCK;
	/* It is the device that is measured. */
	snprintf(path, sizeof(path), "%s/queue/scheduler", sys);
	file = fopen(path, "we");
	if (!file || fputs("none", file) < 0 || fclose(file))
		die(path);
}

static unsigned int open_disks(struct disk *disks)
{
	unsigned int n;
	glob_t found;

	if (glob("/sys/block/vd?", 0, NULL, &found))
		die("no disk");
	for (n = 0; n < found.gl_pathc && n < MAX_DISKS; n++)
		open_disk(&disks[n], found.gl_pathv[n]);
	return n;
}

/* The loop about it included. */
static void measure_register(const char *text)
{
	uint64_t address = strtoull(text, NULL, 16);
	int fd = open("/dev/mem", O_RDONLY | O_SYNC);
	volatile uint32_t *page, *reg;
	uint64_t start;
	unsigned int i;

	page = mmap(NULL, BLOCK, PROT_READ, MAP_SHARED, fd, address & -BLOCK);
	if (fd < 0 || page == MAP_FAILED)
		die("/dev/mem");
	reg = page + address % BLOCK / sizeof(*page);
	(void)*reg;
	start = now();
	for (i = 0; i < READS; i++)
		(void)*reg;
	printf("ISR ns=%llu ops=%u\n", (unsigned long long)(now() - start), READS);
}

int main(int argc, char **argv)
{
	struct disk disks[MAX_DISKS];
	int rounds = argc > 1 ? atoi(argv[1]) : 1;
	unsigned int i, j, n;

	buffers = mmap(NULL, MAX_DEPTH * BLOCK, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);
	if (buffers == MAP_FAILED || syscall(__NR_io_setup, MAX_DEPTH, &aio))
		die("io_setup");
	n = open_disks(disks);
	/* What a boot leaves to do, and first touches, are nobody's. */
	sleep(15);
	for (i = 0; i < n; i++)
		read_some(&disks[i], MAX_DEPTH, REQUESTS / 4);
	while (rounds-- > 0) {
		for (j = 0; j < sizeof(depths) / sizeof(depths[0]); j++) {
			for (i = 0; i < n; i++)
				measure(&disks[i], depths[j]);
		}
	}
	if (argc > 2)
		measure_register(argv[2]);
	return 0;
}
