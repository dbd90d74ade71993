/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A file whose file system is the test: a FUSE server of one regular file. Requests
 * of a kind can be held, which makes a disk that does not answer, or delayed; and
 * what the kernel has asked for is counted.
 *
 * Source: linux/fuse.h
 */
#ifndef RANCHU_FUSE_FILE_H
#define RANCHU_FUSE_FILE_H

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>
#include <linux/fuse.h>

#define FF_OPCODES	64

/**
 * struct ff_file - a mounted file, and what its server shares with the test
 * @dev: /dev/fuse, the server's
 * @path: where the file is
 * @size: bytes
 * @data: its contents
 * @server: the process; it ends with the test, however that ends
 * @hold: opcode whose requests are not answered, 0 for none; read and written with
 *	__atomic, as are all that follow
 * @delay_ms: before each fallocate is answered
 * @calls: requests that have come, by opcode
 * @longest: bytes of the longest fallocate
 */
struct ff_file {
	int dev;
	char path[32];
	uint64_t size;
	uint8_t *data;
	pid_t server;
	int hold;
	int delay_ms;
	unsigned int calls[FF_OPCODES];
	uint64_t longest;
};

/* 0, or -errno if there is no FUSE here; what a skip is decided by. */
int __ff_create(struct ff_file **file, uint64_t size);
/* Requests that are held fail. */
void ff_destroy(struct ff_file *file);
void ff_hold(struct ff_file *file, int opcode);
unsigned int ff_calls(const struct ff_file *file, int opcode);
/* Whether @n requests of this kind have come before the time is over. */
bool ff_wait(const struct ff_file *file, int opcode, unsigned int n, int timeout_ms);

#endif /* RANCHU_FUSE_FILE_H */
