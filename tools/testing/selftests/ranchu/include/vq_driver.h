/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Userspace as the driver of virtqueues: guest memory, a small driver of split
 * and packed rings, the vhost ioctls of /dev/vhost-ranchu-test, and traffic
 * whose data is verified. Functions named __x return -errno (or a plain
 * result), x ends the test when anything but success comes back.
 *
 * Tests write invalid data to the ring directly; struct vq_ring hides nothing.
 *
 * Source: virtio 1.2, sections 2.7 (split) and 2.8 (packed)
 */
#ifndef RANCHU_VQ_DRIVER_H
#define RANCHU_VQ_DRIVER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/vhost.h>
#include <linux/vhost_ranchu_test.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "host_page.h"

#define VQ_DEV_PATH		"/dev/vhost-ranchu-test"
#define VQ_RINGS		VHOST_RANCHU_TEST_RINGS
/* A page of the guests here. */
#define VQ_PAGE			4096u
#define VQ_BIT(n)		(1ull << (n))

/* Time limit, enough for a slow machine. */
#define VQ_PATIENCE_MS		60000

#define VQ_SPLIT		VQ_BIT(VIRTIO_F_VERSION_1)
#define VQ_PACKED		(VQ_SPLIT | VQ_BIT(VIRTIO_F_RING_PACKED))
#define VQ_EVENT		VQ_BIT(VIRTIO_RING_F_EVENT_IDX)
#define VQ_INDIRECT		VQ_BIT(VIRTIO_RING_F_INDIRECT_DESC)
#define VQ_IN_ORDER		VQ_BIT(VIRTIO_F_IN_ORDER)
#define VQ_LOG			VQ_BIT(VHOST_F_LOG_ALL)

/* Initial position of a ring without a base. */
#define VQ_BASE_SPLIT		0
#define VQ_BASE_PACKED		0x80008000u

/* struct vring_packed_desc.flags */
#define VQ_AVAIL_FLAG		(1u << VRING_PACKED_DESC_F_AVAIL)
#define VQ_USED_FLAG		(1u << VRING_PACKED_DESC_F_USED)

/* Ends the test with a message; the place is the caller's. */
void vq_die_at(const char *file, int line, const char *fmt, ...)
	__attribute__((format(printf, 3, 4), noreturn));
#define vq_die(fmt, ...) \
	vq_die_at(__FILE__, __LINE__, fmt, ##__VA_ARGS__)

/* ---- guest memory: vq_driver_mem.c ---- */

#define VQ_MEM_GPA		0x100000ull
#define VQ_MEM_VIEWS		2

/**
 * struct vq_mem - guest memory, mapped for the driver and for the device
 * @gpa: first guest address
 * @size: bytes
 * @fd: the memory itself
 * @guest: the test's mapping
 * @host: mappings in the device's memory table. All map the same memory, so
 *	those of the device can be unmapped while the test still uses its own.
 * @used: bytes given away by vq_mem_alloc()
 */
struct vq_mem {
	uint64_t gpa;
	size_t size;
	int fd;
	uint8_t *guest;
	uint8_t *host[VQ_MEM_VIEWS];
	size_t used;
};

void vq_mem_create(struct vq_mem *mem, uint64_t gpa, size_t size);
void vq_mem_destroy(struct vq_mem *mem);

/* Allocates zeroed guest memory, which is never freed. @align is a power of two. */
uint64_t vq_mem_alloc(struct vq_mem *mem, size_t size, size_t align);

/* The driver's and the device's view of a guest address. */
void *vq_mem_guest(const struct vq_mem *mem, uint64_t gpa);
uint64_t vq_mem_host(const struct vq_mem *mem, uint64_t gpa);

/* Unmaps pages of the device's mappings (or sets @prot), and maps them again. */
void vq_mem_unmap(const struct vq_mem *mem, uint64_t gpa, size_t size);
void vq_mem_protect(const struct vq_mem *mem, uint64_t gpa, size_t size, int prot);
void vq_mem_restore(const struct vq_mem *mem, uint64_t gpa, size_t size);

/*
 * Sets the device's memory table with @n regions for the same memory: they begin
 * at random addresses (@seed), and use all mappings in turn.
 */
int __vq_mem_tell(int fd, const struct vq_mem *mem, unsigned int n, uint32_t seed);
void vq_mem_tell(int fd, const struct vq_mem *mem, unsigned int n, uint32_t seed);

/* A small random number generator. @state is not 0. */
uint32_t vq_random(uint32_t *state);

/* ---- a ring: vq_driver.c, vq_driver_split.c, vq_driver_packed.c ---- */

/* Descriptors in an indirect table of ours, and tables. */
#define VQ_TABLE_DESCS		64
#define VQ_TABLES		64

struct vq_buf {
	uint64_t gpa;
	uint32_t len;
};

/**
 * struct vq_id - a chain, or (split) a descriptor of a chain
 * @token: the caller's
 * @busy: the device's
 * @descs: descriptors that it takes of the ring
 * @next: split: the descriptor after this one
 * @in_len: bytes of the writable buffers
 * @table: its indirect table; -1 for none
 */
struct vq_id {
	void *token;
	bool busy;
	uint16_t descs;
	uint16_t next;
	uint32_t in_len;
	int table;
};

/* First in, first out; holds as many numbers as the ring has descriptors. */
struct vq_fifo {
	uint16_t *items;
	unsigned int size;
	unsigned int head;
	unsigned int n;
};

void vq_fifo_put(struct vq_fifo *fifo, uint16_t item);
uint16_t vq_fifo_get(struct vq_fifo *fifo);

/**
 * struct vq_ring - the driver's end of a virtqueue
 * @mem: guest memory
 * @features: negotiated
 * @num: queue size
 * @packed: layout
 * @tables: chains go into indirect tables; may be changed at any time
 * @desc: guest address of the descriptors
 * @driver: guest address of what the driver writes
 * @device: guest address of what the device writes
 * @table_gpa: VQ_TABLES indirect tables
 * @echo_gpa: vq_echo()'s buffers
 * @avail: split: free-running index; packed: slot, of what is added next
 * @avail_wrap: packed: wrap counter there
 * @used: the same, of what is got next
 * @used_wrap: packed: wrap counter there
 * @added: not yet published: split: chains; packed: slots
 * @first_slot: packed: the first of them ...
 * @first_flags: ... and its flags, not yet written
 * @unkicked: the same as @added, since vq_must_kick() last looked
 * @ids: chains by id
 * @free: split: descriptors; packed: ids
 * @slots: packed: free slots
 * @free_tables: indirect tables
 * @order: ids in the order in which they were added
 * @batch: in order: a batch has been used up to @batch_id
 * @batch_id: the last chain of the batch
 * @batch_len: bytes written to it
 * @kick: eventfd
 * @call: eventfd
 * @err: eventfd
 */
struct vq_ring {
	struct vq_mem *mem;
	uint64_t features;
	unsigned int num;
	bool packed;
	bool tables;
	uint64_t desc;
	uint64_t driver;
	uint64_t device;
	uint64_t table_gpa;
	uint64_t echo_gpa;
	uint16_t avail;
	bool avail_wrap;
	uint16_t used;
	bool used_wrap;
	unsigned int added;
	uint16_t first_slot;
	uint16_t first_flags;
	unsigned int unkicked;
	struct vq_id *ids;
	struct vq_fifo free;
	unsigned int slots;
	struct vq_fifo free_tables;
	struct vq_fifo order;
	bool batch;
	uint16_t batch_id;
	uint32_t batch_len;
	int kick;
	int call;
	int err;
};

void vq_ring_create(struct vq_ring *ring, struct vq_mem *mem, uint64_t features,
		    unsigned int num);
void vq_ring_destroy(struct vq_ring *ring);

/* Makes the ring empty, at position @base, a VHOST_SET_VRING_BASE number. */
void vq_ring_reset(struct vq_ring *ring, uint32_t base);
uint32_t vq_ring_first_base(const struct vq_ring *ring);

/* Ring memory as the driver sees it. */
struct vring_desc *vq_descs(const struct vq_ring *ring);
struct vring_avail *vq_avail(const struct vq_ring *ring);
struct vring_used *vq_used(const struct vq_ring *ring);
struct vring_packed_desc *vq_slots(const struct vq_ring *ring);
struct vring_packed_desc_event *vq_driver_event(const struct vq_ring *ring);
struct vring_packed_desc_event *vq_device_event(const struct vq_ring *ring);
struct vring_desc *vq_table(const struct vq_ring *ring, int table);

/* Bytes of the three parts. */
size_t vq_desc_size(const struct vq_ring *ring);
size_t vq_driver_size(const struct vq_ring *ring);
size_t vq_device_size(const struct vq_ring *ring);

/*
 * Adds a chain: @bufs are @out that the device reads, then @in that it writes.
 * -ENOSPC: the ring is full. The device sees it after vq_publish().
 */
int __vq_add(struct vq_ring *ring, const struct vq_buf *bufs, unsigned int out,
	     unsigned int in, void *token);
void vq_add(struct vq_ring *ring, const struct vq_buf *bufs, unsigned int out,
	    unsigned int in, void *token);
void vq_publish(struct vq_ring *ring);

/* Returns whether the device has requested a kick since the last call. */
bool vq_must_kick(struct vq_ring *ring);
void vq_kick(struct vq_ring *ring);
void vq_publish_and_kick(struct vq_ring *ring);

struct vq_done {
	void *token;
	uint16_t id;
	uint32_t len;
};

/* Returns 1 with a used chain, 0 if there is none, -EPROTO for an invalid entry. */
int vq_get(struct vq_ring *ring, struct vq_done *done);
bool vq_has_used(const struct vq_ring *ring);

/*
 * Asks for a call when @after more chains (packed: slots) have been used and
 * one more is; without event index: for each. Or for none.
 */
void vq_calls_on(struct vq_ring *ring, unsigned int after);
void vq_calls_off(struct vq_ring *ring);

/* Waits for an eventfd; returns the count, 0 on a timeout. */
uint64_t vq_wait(int efd, int timeout_ms);
/* The next chain, waiting for the call if need be; ends the test if none comes. */
void vq_get_one(struct vq_ring *ring, struct vq_done *done);

/* One layout each; vq_driver.c calls them. */
void vq_split_add(struct vq_ring *ring, uint16_t id, const struct vq_buf *bufs,
		  unsigned int out, unsigned int n);
void vq_split_publish(struct vq_ring *ring);
bool vq_split_must_kick(struct vq_ring *ring);
bool vq_split_used(const struct vq_ring *ring, struct vq_done *done);
void vq_split_calls(struct vq_ring *ring, bool on, unsigned int after);
void vq_packed_add(struct vq_ring *ring, uint16_t id, const struct vq_buf *bufs,
		   unsigned int out, unsigned int n);
void vq_packed_publish(struct vq_ring *ring);
bool vq_packed_must_kick(struct vq_ring *ring);
bool vq_packed_used(const struct vq_ring *ring, struct vq_done *done);
void vq_packed_calls(struct vq_ring *ring, bool on, unsigned int after);
void vq_packed_advance(const struct vq_ring *ring, uint16_t *slot, bool *wrap,
		       unsigned int n);

/* ---- the device: vq_driver_dev.c ---- */

/**
 * struct vq_dev - an open device
 * @fd: the node
 * @features: acknowledged
 * @mem: guest memory
 * @rings: its rings
 */
struct vq_dev {
	int fd;
	uint64_t features;
	struct vq_mem mem;
	struct vq_ring rings[VQ_RINGS];
};

int __vq_ioctl(int fd, unsigned long request, const void *arg);
void vq_ioctl_at(const char *file, int line, int fd, unsigned long request,
		 const void *arg);
#define vq_ioctl(fd, request, arg) \
	vq_ioctl_at(__FILE__, __LINE__, fd, request, arg)

/* Returns 0, or -errno without such a device, for which a test is skipped. */
int __vq_dev_open(struct vq_dev *dev);
/* Owner, features, memory, and all rings, of @num descriptors each; not started. */
void vq_dev_create(struct vq_dev *dev, uint64_t features, unsigned int num,
		   size_t mem_size);
/* The same for a device that was opened, and reset, before. */
void vq_dev_set_up(struct vq_dev *dev);
void vq_dev_destroy(struct vq_dev *dev);

int __vq_dev_run(struct vq_dev *dev, int running);
void vq_dev_run(struct vq_dev *dev, int running);
void vq_dev_set_mode(struct vq_dev *dev, unsigned int index, uint32_t flags,
		     uint32_t batch, uint32_t hold);
void vq_dev_get_stats(struct vq_dev *dev, unsigned int index,
		      struct vhost_ranchu_test_stats *stats);
uint64_t vq_dev_faults(struct vq_dev *dev);

int __vq_set_state(int fd, unsigned long request, unsigned int index, uint32_t num);
uint32_t vq_get_base(int fd, unsigned int index);
int __vq_set_file(int fd, unsigned long request, unsigned int index, int file);
/* @flags: VHOST_VRING_F_LOG's bit, then @log is where the device area is. */
int __vq_set_addr(int fd, unsigned int index, const struct vq_ring *ring,
		  unsigned int flags, uint64_t log);

/* All of a ring: size, place, eventfds. */
void vq_ring_attach(int fd, unsigned int index, const struct vq_ring *ring);

/* ---- traffic: vq_driver_traffic.c ---- */

#define VQ_CELL			2048u

/**
 * struct vq_traffic - chains of random shape, through one ring
 * @ring: the ring
 * @chains: how many
 * @depth: most of them at once
 * @max_bufs: most buffers of a chain
 * @half: the device writes half of what it could
 * @seed: not 0
 * @mix_tables: some go into indirect tables, some do not
 * @quiet: poll instead of waiting for calls
 * @cells: guest memory, 2 * VQ_CELL bytes for each chain at once; 0: allocated
 * @calls: times that we were called
 */
struct vq_traffic {
	struct vq_ring *ring;
	unsigned int chains;
	unsigned int depth;
	unsigned int max_bufs;
	bool half;
	uint32_t seed;
	bool mix_tables;
	bool quiet;
	uint64_t cells;
	unsigned int calls;
};

/*
 * Returns 0 if all chains came back with the right data. -ETIMEDOUT: no call of the
 * device; -EPROTO: a chain that is not under way; -EILSEQ: wrong length or data.
 */
int vq_traffic(struct vq_traffic *traffic);

/* One chain, there and back; a number as above. */
int vq_echo(struct vq_ring *ring);

#endif /* RANCHU_VQ_DRIVER_H */
