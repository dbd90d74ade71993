/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The differential test of the virtqueue engine: the interface between its parts.
 * driver_kernel.c and device_vringh.c are compiled against the kernel's own
 * userspace shim and all others against ours, so this file has only plain C.
 *
 *	arena.c			guest memory, and how the devices see it
 *	driver_kernel.c		the kernel's driver, drivers/virtio/virtio_ring.c
 *	driver_inorder.c	a driver of ours, for VIRTIO_F_IN_ORDER
 *	device_ranchu.c		our engine, each of its accesses checked
 *	device_vringh.c		the kernel's device, drivers/vhost/vringh.c
 *	traffic*.c		random traffic between them, and what must agree
 *	malformed.c		random invalid rings for the two devices
 *	main.c			options, cases, KTAP
 */
#ifndef VQ_DIFF_H
#define VQ_DIFF_H

#include <linux/types.h>
#include <stdbool.h>
#include <stddef.h>

/* Most descriptors in a chain of the traffic, and pieces that they make. */
#define VQ_MAX_BUFS 24
#define VQ_MAX_RANGES 64
#define VQ_MAX_NUM 256

/* Bytes in a row, by guest or by user address. */
struct vq_range {
	u64 addr;
	u64 len;
};

/* A chain: readable ranges first. */
struct vq_ranges {
	unsigned int n_out;
	unsigned int n_in;
	struct vq_range range[VQ_MAX_RANGES];
};

/* A ring; its addresses are guest or user addresses. */
struct vq_ring {
	u64 features;
	u32 num;
	u64 desc;
	u64 driver;
	u64 device;
};

/* ---- main.c: failures, random numbers ---- */

struct vq_rng {
	u64 state;
};

void vq_fail(const char *fmt, ...)
	__attribute__((noreturn, format(printf, 1, 2)));

/* splitmix64: any state is valid. */
static inline u64 vq_random(struct vq_rng *rng)
{
	u64 z = (rng->state += 0x9e3779b97f4a7c15ULL);

	z = (z ^ z >> 30) * 0xbf58476d1ce4e5b9ULL;
	z = (z ^ z >> 27) * 0x94d049bb133111ebULL;
	return z ^ z >> 31;
}

/* 0 to @n - 1 */
static inline u32 vq_below(struct vq_rng *rng, u32 n)
{
	return (vq_random(rng) >> 32) * n >> 32;
}

/* True once in @n times */
static inline bool vq_one_in(struct vq_rng *rng, u32 n)
{
	return !vq_below(rng, n);
}

/* ---- arena.c ---- */

/*
 * Guest memory. A guest address is the address in the driver's code, as in the
 * kernel's shim. For the devices each region is mapped at another address.
 */
#define ARENA_SIZE 0x300000
#define ARENA_HEAP 0			/* the driver's own structures */
#define ARENA_SCRATCH 0x40000		/* malformed.c's rings and tables */
#define ARENA_TABLES 0x80000		/* indirect tables */
#define ARENA_CHAINS 0x100000		/* buffers, a slot for each chain */
#define ARENA_SLOT_SIZE 0x1000
#define ARENA_MAX_REGIONS 12

struct arena_region {
	u64 gpa;
	u64 len;
	u64 uaddr;
};

struct arena_memory {
	unsigned int n;
	struct arena_region region[ARENA_MAX_REGIONS];
};

extern u8 *arena_guest;
extern struct arena_memory arena_memory;
/* One in this number of allocations of indirect tables fails; 0: none. */
extern unsigned int arena_alloc_failures;

void arena_init(void);
void arena_reset(struct vq_rng *rng);
void arena_cut(struct vq_rng *rng);
void arena_punch(struct vq_rng *rng);
const struct arena_region *arena_find(u64 gpa);
u64 arena_user(u64 gpa, u64 len);
bool arena_translate(u64 gpa, u64 len, struct vq_range *range, unsigned int *n);
void *arena_alloc(size_t size);
void arena_free(void *memory);

/* ---- ranges, also in arena.c ---- */

void vq_normalise(struct vq_ranges *ranges);
bool vq_same(const struct vq_ranges *a, const struct vq_ranges *b);
void vq_print(const char *who, const struct vq_ranges *ranges);

/* ---- drivers ---- */

/**
 * struct vq_driver - a driver's end of a virtqueue
 * @create: makes a ring of @ring's size and features in guest memory and tells
 *	where it is; @base is the index of its first chain, if it can choose
 * @destroy: frees it
 * @add: makes a chain of guest ranges available. Returns the ring slots that it
 *	takes up, or 0 if there is no room.
 * @kick: returns whether the device asks for a notification since the last call
 * @get: the next used chain's token, or NULL if there is none, and its length
 * @disable_calls: asks for no interrupts
 * @enable_calls: asks for them; false if there is something used already
 * @enable_calls_late: the same, for when most chains are used
 * @interrupt: an interrupt arrives
 */
struct vq_driver {
	void *(*create)(struct vq_ring *ring, u32 base);
	void (*destroy)(void *queue);
	unsigned int (*add)(void *queue, const struct vq_ranges *bufs, void *token);
	bool (*kick)(void *queue);
	void *(*get)(void *queue, u32 *len);
	void (*disable_calls)(void *queue);
	bool (*enable_calls)(void *queue);
	bool (*enable_calls_late)(void *queue);
	void (*interrupt)(void *queue);
};

extern const struct vq_driver driver_kernel;
extern const struct vq_driver driver_inorder;

/*
 * ---- device_ranchu.c: user addresses, chains by a handle below VQ_MAX_NUM ----
 * @once: no byte may be read twice for one chain, which holds unless it loops
 */

struct ranchu_taken {
	u16 id;
	u16 slots;
	struct vq_ranges ranges;
};

void ranchu_dev_init(void);
void ranchu_dev_exit(void);
void ranchu_dev_memory(const struct arena_memory *memory);
void ranchu_dev_start(const struct vq_ring *ring, u32 base, bool once);
u32 ranchu_dev_base(void);
int ranchu_dev_next(unsigned int handle, struct ranchu_taken *taken);
int ranchu_dev_fault(void);
void ranchu_dev_put_back(unsigned int handle);
void ranchu_dev_push(unsigned int handle, u32 written);
void ranchu_dev_publish(void);
bool ranchu_dev_must_call(void);
bool ranchu_dev_enable_kicks(void);
void ranchu_dev_disable_kicks(void);

/* ---- device_vringh.c: user addresses; @device is a used ring of its own ---- */

void vringh_dev_start(const struct vq_ring *ring, u32 avail, u32 used);
int vringh_dev_next(u16 *head, struct vq_ranges *ranges);
void vringh_dev_abandon(void);
void vringh_dev_complete(const u16 *heads, const u32 *lens, unsigned int n);
bool vringh_dev_need_notify(void);
bool vringh_dev_enable_kicks(void);
void vringh_dev_disable_kicks(void);

/* ---- traffic.c, malformed.c ---- */

struct traffic_kind {
	bool packed;
	bool in_order;
};

/* Each runs one session and returns how many chains (or rings) it saw. */
u64 traffic_run(const struct traffic_kind *kind, struct vq_rng *rng);
u64 malformed_run(struct vq_rng *rng);
void malformed_report(void);
/* Print the state of a failed session. */
void traffic_context(void);

#endif /* VQ_DIFF_H */
