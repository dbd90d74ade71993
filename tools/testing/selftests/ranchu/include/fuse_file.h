/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A FUSE server of one regular file. Requests of a kind can be held, like those of a
 * disk that does not answer, or delayed; the kernel's requests are counted.
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
 * struct ff_file - a mounted file, and memory that its server shares with the test
 * @dev: /dev/fuse of the server
 * @path: path of the file
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

/* Returns 0, or -errno without FUSE, for which a test is skipped. */
int __ff_create(struct ff_file **file, uint64_t size);
/* Ends the server; held requests fail. */
void ff_destroy(struct ff_file *file);
void ff_hold(struct ff_file *file, int opcode);
unsigned int ff_calls(const struct ff_file *file, int opcode);
/* Waits until @n requests of this kind have come; returns false on a timeout. */
bool ff_wait(const struct ff_file *file, int opcode, unsigned int n, int timeout_ms);

#endif /* RANCHU_FUSE_FILE_H */
