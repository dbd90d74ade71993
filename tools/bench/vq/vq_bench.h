/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtqueue benchmark: the interface between its parts. device_vringh.c is
 * compiled against the kernel's userspace shim, all else against ours.
 */
#ifndef VQ_BENCH_H
#define VQ_BENCH_H

#include <linux/types.h>
#include <stdbool.h>

#define BENCH_NUM 256
#define BENCH_MAX_DESCS 16

/* A chain: as many readable as writable buffers, one more writable if odd. */
struct bench_shape {
	unsigned int descs;
	bool indirect;
};

/* A ring; guest and user addresses differ by a constant in each region. */
struct bench_ring {
	u64 features;
	u64 desc;
	u64 driver;
	u64 device;
};

/* Publish and ask for each chain, or once for all that are available. */
enum bench_style {
	BENCH_BATCH,
	BENCH_EACH,
	BENCH_STYLES,
};

/**
 * struct bench_device - a device that is measured
 * @name: in the tables
 * @start: takes over a new ring
 * @run: takes and completes @chains chains, all that are available, asks
 *	whether to call, and returns how often the answer was yes
 */
struct bench_device {
	const char *name;
	void (*start)(const struct bench_ring *ring);
	unsigned int (*run)(unsigned int chains, enum bench_style style);
};

extern const struct bench_device bench_split;
extern const struct bench_device bench_packed;
extern const struct bench_device bench_vringh;
#ifdef HAVE_LIBVHOST
extern const struct bench_device bench_libvhost;
#endif

/* device_ranchu.c: guest memory for all devices */
void bench_add_region(u64 gpa, u64 len, u64 uaddr);
void bench_set_memory(void);
/* The region that holds a guest address: the look-up that the engine uses. */
bool bench_find(u64 gpa, u64 *first, u64 *last, u64 *uaddr);
/* The region number @i, in no special order; false: there are not so many. */
bool bench_region(unsigned int i, u64 *first, u64 *last, u64 *uaddr);

/* ring.c: the driver's side, not measured */
void ring_make(struct bench_ring *ring, bool packed, const struct bench_shape *shape);
unsigned int ring_fill(struct bench_ring *ring, const struct bench_shape *shape,
		       unsigned int depth);
void ring_check(const struct bench_ring *ring, unsigned int chains);

/* driver.c: the driver on the device's CPU, or on another */
void driver_start(int cpu);
unsigned int driver_fill(struct bench_ring *ring, const struct bench_shape *shape,
			 unsigned int depth, bool elsewhere);
void driver_check(struct bench_ring *ring, unsigned int chains, bool elsewhere);

void bench_pin(int cpu);
void bench_die(const char *what);

#endif /* VQ_BENCH_H */
