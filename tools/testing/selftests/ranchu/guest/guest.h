/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * pipe_guest: exercises the stock goldfish_pipe driver from inside a guest.
 */
#ifndef RANCHU_GUEST_H
#define RANCHU_GUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

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

/* All tests, or those that move checked data; prints KTAP. 0 if all pass. */
int guest_test(bool data_only);
int guest_demo(void);
int guest_bench(unsigned int rounds);

#endif /* RANCHU_GUEST_H */
