// SPDX-License-Identifier: GPL-2.0-only
/*
 * Common functions of the parts of pipe_guest, and its command line:
 *
 *	pipe_guest test			a KTAP report; exit code 1 if one failed
 *	pipe_guest remote		the same, of services that the host has
 *	pipe_guest ring			the same, of those behind shared rings
 *	pipe_guest dma			the same, of DMA, with goldfish_dma.ko
 *	pipe_guest v1			the same, of protocol v1, without any driver
 *	pipe_guest adb PORT		adb by pipe, for the adbd that listens there
 *	pipe_guest demo			moves data; marks each phase on the console
 *	pipe_guest bench [ROUNDS]	time per operation
 *	pipe_guest stream [ROUNDS]	the same, of services that the host has
 *	pipe_guest pipes COUNT		COUNT pipes at once
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "guest.h"

int guest_connect(const char *service, int flags)
{
	size_t size = strlen(service) + 1;
	int fd = open(GUEST_PIPE_DEV, O_RDWR | O_CLOEXEC | flags);
	ssize_t n;
	int err;

	if (fd < 0)
		return -errno;
	n = write(fd, service, size);
	if (n == (ssize_t)size)
		return fd;
	err = n < 0 ? -errno : -EIO;
	close(fd);
	return err;
}

ssize_t guest_write_all(int fd, const void *bytes, size_t size)
{
	size_t done = 0;
	ssize_t n;

	while (done < size) {
		n = write(fd, (const uint8_t *)bytes + done, size - done);
		if (n < 0)
			return -errno;
		done += n;
	}
	return done;
}

ssize_t guest_read_all(int fd, void *bytes, size_t size)
{
	size_t done = 0;
	ssize_t n;

	while (done < size) {
		n = read(fd, (uint8_t *)bytes + done, size - done);
		if (n < 0)
			return -errno;
		if (!n)
			break;
		done += n;
	}
	return done;
}

uint8_t *guest_buffer(size_t size)
{
	/* MAP_POPULATE: page faults must not be measured. */
	void *buffer = mmap(NULL, size, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS | MAP_POPULATE, -1, 0);

	if (buffer == MAP_FAILED) {
		fprintf(stderr, "no %zu bytes: %s\n", size, strerror(errno));
		exit(1);
	}
	return buffer;
}

void guest_raise_file_limit(unsigned int files)
{
	struct rlimit limit = { .rlim_cur = files, .rlim_max = files };

	if (setrlimit(RLIMIT_NOFILE, &limit)) {
		fprintf(stderr, "no %u files: %s\n", files, strerror(errno));
		exit(1);
	}
}

void guest_fill(void *bytes, size_t size, uint64_t seed)
{
	uint64_t state = (seed + 1) * 0x9e3779b97f4a7c15ull;
	uint8_t *to = bytes;
	size_t n;

	for (; size; to += n, size -= n) {
		state ^= state << 13;
		state ^= state >> 7;
		state ^= state << 17;
		n = size < sizeof(state) ? size : sizeof(state);
		memcpy(to, &state, n);
	}
}

uint64_t guest_hash(const void *bytes, size_t size)
{
	const uint8_t *from = bytes;
	uint64_t hash = 0xcbf29ce484222325ull;

	while (size--)
		hash = (hash ^ *from++) * 0x100000001b3ull;
	return hash;
}

uint64_t guest_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return ts.tv_sec * 1000000000ull + ts.tv_nsec;
}

/* Different for each pipe, and never a ring's first size. */
static size_t many_size(unsigned int i)
{
	return 1 + i * 37 % 1000;
}

static bool many_send(int fd, unsigned int i)
{
	uint8_t bytes[1000];
	size_t size = many_size(i);

	guest_fill(bytes, size, i);
	return guest_write_all(fd, bytes, size) == (ssize_t)size;
}

static bool many_check(int fd, unsigned int i)
{
	uint8_t sent[1000], got[1001];
	size_t size = many_size(i);

	guest_fill(sent, size, i);
	/* Room for one byte too many, so that it would be seen. */
	return read(fd, got, sizeof(got)) == (ssize_t)size &&
	       !memcmp(sent, got, size);
}

unsigned int guest_many_pipes(unsigned int count)
{
	unsigned int opened = 0, sent = 0, right = 0;
	int *fds = calloc(count, sizeof(*fds));
	unsigned int i;

	if (!fds)
		return 0;
	guest_raise_file_limit(count + 64);
	while (opened < count) {
		fds[opened] = guest_connect("pipe:pingpong", 0);
		if (fds[opened] < 0)
			break;
		opened++;
	}
	while (opened == count && sent < count && many_send(fds[sent], sent))
		sent++;
	/* Not in the order in which they were filled. */
	while (sent == count && right < count) {
		i = count - 1 - right;
		if (!many_check(fds[i], i))
			break;
		right++;
	}
	for (i = 0; i < opened; i++)
		close(fds[i]);
	free(fds);
	return right;
}

static int print_usage(void)
{
	fputs("usage: pipe_guest test | remote | ring | dma | v1 | demo | bench [ROUNDS] |\n"
	      "       stream [ROUNDS] | pipes COUNT | adb PORT\n",
	      stderr);
	return 2;
}

static int open_many(unsigned int count)
{
	unsigned int right = guest_many_pipes(count);

	printf("RANCHU-BENCH pipes open=%u\n", right);
	return right != count;
}

int main(int argc, char **argv)
{
	unsigned int number = argc > 2 ? strtoul(argv[2], NULL, 10) : 0;

	if (argc < 2)
		return print_usage();
	if (!strcmp(argv[1], "test"))
		return guest_test(false);
	if (!strcmp(argv[1], "remote"))
		return guest_remote();
	if (!strcmp(argv[1], "ring"))
		return guest_ring();
	if (!strcmp(argv[1], "dma"))
		return guest_dma();
	if (!strcmp(argv[1], "v1"))
		return guest_v1();
	if (!strcmp(argv[1], "demo"))
		return guest_demo();
	if (!strcmp(argv[1], "bench"))
		return guest_bench(number ? number : 2);
	if (!strcmp(argv[1], "stream"))
		return guest_stream_bench(number ? number : 2);
	if (!strcmp(argv[1], "adb") && number)
		return guest_adb(number);
	if (!strcmp(argv[1], "pipes") && number)
		return open_many(number);
	return print_usage();
}
