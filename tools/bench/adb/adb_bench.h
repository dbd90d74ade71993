/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the programs of the adb benchmark share: the language of adb_raw's two
 * ends, and the meter.
 */
#ifndef ADB_BENCH_H
#define ADB_BENCH_H

#include <stddef.h>
#include <stdint.h>

/* Bytes of one read or write. */
#define ADB_BLOCK	65536

/**
 * enum adb_op - what the guest's end is to do
 * @ADB_SINK: read @n bytes, then write one
 * @ADB_SOURCE: write @n bytes
 * @ADB_ECHO: @n times: read one byte and write it
 * @ADB_QUIT: end, with all other streams
 */
enum adb_op { ADB_SINK, ADB_SOURCE, ADB_ECHO, ADB_QUIT };

/**
 * struct adb_order - sent by the host's end, any number in a row
 * @op: enum adb_op, in the byte order of both machines
 * @n: its argument
 */
struct adb_order {
	uint32_t op;
	uint32_t n;
};

/**
 * struct meter - what has been used since some time in the past
 * @ns: of the clock; where that counts instructions, instructions
 * @idle: ns of these in which the CPU had nothing to do
 * @exits: of guests, to user space, KVM says
 * @wakeups: times that threads of the watched programs have slept; neither
 *	vCPUs nor threads of the kernel's that count as theirs
 */
struct meter {
	uint64_t ns;
	uint64_t idle;
	uint64_t exits;
	uint64_t wakeups;
};

/* adb_peer.c */
int adb_serve(unsigned int port);
int adb_write(int fd, const void *buf, size_t len);
int adb_read(int fd, void *buf, size_t len);
int adb_discard(int fd, size_t len);
int adb_fill(int fd, size_t len);

/* meter.c */
void meter_start(struct meter *m, const char *watched);
void meter_stop(struct meter *m, const char *watched);
void meter_print(const struct meter *m);

#endif /* ADB_BENCH_H */
