/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pipe_guest: exercises the stock goldfish_pipe driver from inside a guest.
 */
#ifndef RANCHU_GUEST_H
#define RANCHU_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define ARRAY_SIZE(a)		(sizeof(a) / sizeof((a)[0]))

#define GUEST_PIPE_DEV		"/dev/goldfish_pipe"

/* Largest transfer, and the size of the two buffers that all tests share. */
#define GUEST_LARGEST		(16u << 20)

/* What a ring of pipe:pingpong or pipe:throttle holds. */
#define GUEST_RING		(4u << 20)

/* Opens a pipe and connects it; the file, or -errno. @flags as for open(). */
int guest_connect(const char *service, int flags);

/* read() and write() until all is moved; -errno, or what was moved. */
ssize_t guest_write_all(int fd, const void *bytes, size_t size);
ssize_t guest_read_all(int fd, void *bytes, size_t size);

/* Both end the program if the machine has no room. */
uint8_t *guest_buffer(size_t size);
void guest_raise_file_limit(unsigned int files);

/* Bytes that differ from one @seed to another, and their FNV-1a hash. */
void guest_fill(void *bytes, size_t size, uint64_t seed);
uint64_t guest_hash(const void *bytes, size_t size);

uint64_t guest_ns(void);

/*
 * Opens @count pipes at once, sends different bytes through each and has them
 * back. Gives how many of them were right; stops at the first that is not.
 */
unsigned int guest_many_pipes(unsigned int count);

/*
 * Ends the test, from any thread: each test is a process of its own, so that
 * none leaves anything to the next.
 */
void guest_failed(const char *function, int line, const char *fmt, ...)
	__attribute__((noreturn, format(printf, 3, 4)));

#define CHECK(condition, fmt, ...) \
	do { \
		if (!(condition)) \
			guest_failed(__func__, __LINE__, #condition ": " fmt, \
				     ##__VA_ARGS__); \
	} while (0)

/*
 * Sends bytes out and has the same back: one thread writes, this one reads; they
 * block and wake each other.
 */
void guest_stream(int fd, const uint8_t *from, uint8_t *to, size_t size);

/* One test; ends with CHECK() or returns. */
struct guest_case {
	const char *name;
	void (*run)(void);
	bool data;
};

/* All tests, or those that have @data; prints KTAP. 0 if all pass. */
int guest_run(const struct guest_case *tests, size_t count, bool data_only);

/* All tests of the built-in services, or those that move checked data. */
int guest_test(bool data_only);
/* Tests of services that pipe_peer offers in the host. */
int guest_remote(void);
/* Tests of those that it, and libranchu-pipe's example, offer behind rings. */
int guest_ring(void);
/* Tests of DMA, with goldfish_dma.ko instead of the stock driver. */
int guest_dma(void);
/* Tests of protocol v1, without any driver. */
int guest_v1(void);
/* Serves adb by pipe with the adbd that listens at @port; never returns. */
int guest_adb(unsigned int port);
int guest_demo(void);
int guest_bench(unsigned int rounds);
/* Against pipe_peer's services in the host: echo, sink, parse, and ring-... */
int guest_stream_bench(unsigned int rounds);

#endif /* RANCHU_GUEST_H */
