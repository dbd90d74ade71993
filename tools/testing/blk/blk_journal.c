// SPDX-License-Identifier: GPL-2.0-only
/*
 * A journal on a disk: numbered records. The program acknowledges a record only after
 * the disk has reported that it is on stable storage.
 *
 *	blk_journal write DISK SEED	until the disk is full: "ACK <number>", each
 *	blk_journal check IMAGE SEED N	whether records 0 to N are all there
 *
 * An incomplete record counts as missing; records after N are ignored.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define WORDS	512

struct record {
	uint64_t word[WORDS];
};

static void die(const char *what)
{
	fprintf(stderr, "blk_journal: %s: %s\n", what, strerror(errno));
	exit(2);
}

static void fill(struct record *record, uint64_t seed, uint64_t number)
{
	unsigned int i;

	for (i = 0; i < WORDS; i++)
		record->word[i] = (seed << 40 | number << 10 | i) * 0x9e3779b97f4a7c15ULL;
}

static int write_all(int fd, uint64_t seed)
{
	struct record record;
	uint64_t records = lseek(fd, 0, SEEK_END) / sizeof(record);
	uint64_t number;

	for (number = 0; number < records; number++) {
		fill(&record, seed, number);
		if (pwrite(fd, &record, sizeof(record), number * sizeof(record)) !=
		    sizeof(record))
			die("write");
		if (fdatasync(fd))
			die("fdatasync");
		printf("ACK %llu\n", (unsigned long long)number);
		fflush(stdout);
	}
	return 0;
}

static int check(int fd, uint64_t seed, uint64_t last)
{
	struct record record, wanted;
	uint64_t number;

	for (number = 0; number <= last; number++) {
		fill(&wanted, seed, number);
		if (pread(fd, &record, sizeof(record), number * sizeof(record)) !=
		    sizeof(record))
			die("read");
		if (memcmp(&record, &wanted, sizeof(record))) {
			printf("record %llu of %llu is lost\n", (unsigned long long)number,
			       (unsigned long long)last);
			return 1;
		}
	}
	return 0;
}

int main(int argc, char **argv)
{
	int writes = argc == 4 && !strcmp(argv[1], "write");
	int fd;

	if (!writes && (argc != 5 || strcmp(argv[1], "check"))) {
		fputs("usage: blk_journal write DISK SEED | check IMAGE SEED N\n", stderr);
		return 2;
	}
	fd = open(argv[2], writes ? O_RDWR : O_RDONLY);
	if (fd < 0)
		die(argv[2]);
	if (writes)
		return write_all(fd, strtoull(argv[3], NULL, 0));
	return check(fd, strtoull(argv[3], NULL, 0), strtoull(argv[4], NULL, 0));
}
