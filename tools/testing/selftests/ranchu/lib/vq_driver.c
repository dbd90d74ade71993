// SPDX-License-Identifier: GPL-2.0-only
/*
 * The driver's end of a virtqueue: what is the same for both layouts.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "vq_driver.h"

void vq_fifo_put(struct vq_fifo *fifo, uint16_t item)
{
	if (fifo->n == fifo->size)
		vq_die("a queue overflows");
	fifo->items[(fifo->head + fifo->n) % fifo->size] = item;
	fifo->n++;
}

uint16_t vq_fifo_get(struct vq_fifo *fifo)
{
	uint16_t item = fifo->items[fifo->head];

	if (!fifo->n)
		vq_die("a queue is empty");
	fifo->head = (fifo->head + 1) % fifo->size;
	fifo->n--;
	return item;
}

static void fifo_create(struct vq_fifo *fifo, unsigned int size)
{
	*fifo = (struct vq_fifo){ .size = size };
	fifo->items = calloc(size, sizeof(*fifo->items));
	if (!fifo->items)
		vq_die("no memory");
}

static void fifo_fill(struct vq_fifo *fifo, unsigned int n)
{
	unsigned int i;

	fifo->head = 0;
	fifo->n = 0;
	for (i = 0; i < n; i++)
		vq_fifo_put(fifo, i);
}

struct vring_desc *vq_descs(const struct vq_ring *ring)
{
	return vq_mem_guest(ring->mem, ring->desc);
}

struct vring_avail *vq_avail(const struct vq_ring *ring)
{
	return vq_mem_guest(ring->mem, ring->driver);
}

struct vring_used *vq_used(const struct vq_ring *ring)
{
	return vq_mem_guest(ring->mem, ring->device);
}

struct vring_packed_desc *vq_slots(const struct vq_ring *ring)
{
	return vq_mem_guest(ring->mem, ring->desc);
}

struct vring_packed_desc_event *vq_driver_event(const struct vq_ring *ring)
{
	return vq_mem_guest(ring->mem, ring->driver);
}

struct vring_packed_desc_event *vq_device_event(const struct vq_ring *ring)
{
	return vq_mem_guest(ring->mem, ring->device);
}

struct vring_desc *vq_table(const struct vq_ring *ring, int table)
{
	return (struct vring_desc *)vq_mem_guest(ring->mem, ring->table_gpa) +
	       table * VQ_TABLE_DESCS;
}

size_t vq_desc_size(const struct vq_ring *ring)
{
	return ring->num * sizeof(struct vring_desc);
}

size_t vq_driver_size(const struct vq_ring *ring)
{
	return ring->packed ? 4 : 6 + 2 * ring->num;
}

size_t vq_device_size(const struct vq_ring *ring)
{
	return ring->packed ? 4 : 6 + 8 * ring->num;
}

static int make_eventfd(void)
{
	int fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);

	if (fd < 0)
		vq_die("eventfd: %s", strerror(errno));
	return fd;
}

void vq_ring_create(struct vq_ring *ring, struct vq_mem *mem, uint64_t features,
		    unsigned int num)
{
	*ring = (struct vq_ring){ .mem = mem, .features = features, .num = num };
	ring->packed = features & VQ_BIT(VIRTIO_F_RING_PACKED);
	ring->tables = features & VQ_INDIRECT;
	/* Each part has pages of its own, so that tests can unmap it. */
	ring->desc = vq_mem_alloc(mem, vq_desc_size(ring), HOST_PAGE);
	ring->driver = vq_mem_alloc(mem, vq_driver_size(ring), HOST_PAGE);
	ring->device = vq_mem_alloc(mem, vq_device_size(ring), HOST_PAGE);
	ring->table_gpa = vq_mem_alloc(mem, VQ_TABLES * VQ_TABLE_DESCS *
				       sizeof(struct vring_desc), HOST_PAGE);
	ring->echo_gpa = vq_mem_alloc(mem, 2 * VQ_CELL, HOST_PAGE);
	ring->ids = calloc(num, sizeof(*ring->ids));
	if (!ring->ids)
		vq_die("no memory");
	fifo_create(&ring->free, num);
	fifo_create(&ring->order, num);
	fifo_create(&ring->free_tables, VQ_TABLES);
	ring->kick = make_eventfd();
	ring->call = make_eventfd();
	ring->err = make_eventfd();
	vq_ring_reset(ring, vq_ring_first_base(ring));
}

void vq_ring_destroy(struct vq_ring *ring)
{
	if (!ring->ids)
		return;
	free(ring->ids);
	free(ring->free.items);
	free(ring->order.items);
	free(ring->free_tables.items);
	close(ring->kick);
	close(ring->call);
	close(ring->err);
	ring->ids = NULL;
}

uint32_t vq_ring_first_base(const struct vq_ring *ring)
{
	return ring->packed ? VQ_BASE_PACKED : VQ_BASE_SPLIT;
}

/* A slot before @base was used in this lap, one after it in the last. */
static void reset_slots(struct vq_ring *ring)
{
	unsigned int i;
	bool wrap;

	for (i = 0; i < ring->num; i++) {
		wrap = ring->used_wrap == (i < ring->used);
		vq_slots(ring)[i].flags = wrap ? VQ_AVAIL_FLAG | VQ_USED_FLAG : 0;
	}
}

void vq_ring_reset(struct vq_ring *ring, uint32_t base)
{
	memset(vq_descs(ring), 0, vq_desc_size(ring));
	memset(vq_avail(ring), 0, vq_driver_size(ring));
	memset(vq_used(ring), 0, vq_device_size(ring));
	memset(ring->ids, 0, ring->num * sizeof(*ring->ids));
	fifo_fill(&ring->free, ring->num);
	fifo_fill(&ring->order, 0);
	fifo_fill(&ring->free_tables, VQ_TABLES);
	ring->added = 0;
	ring->unkicked = 0;
	ring->batch = false;
	ring->slots = ring->num;
	if (ring->packed) {
		ring->avail = base & 0x7fff;
		ring->avail_wrap = base & 0x8000;
		ring->used = ring->avail;
		ring->used_wrap = ring->avail_wrap;
		reset_slots(ring);
	} else {
		ring->avail = base;
		ring->used = base;
		vq_avail(ring)->idx = base;
		vq_used(ring)->idx = base;
	}
}

int __vq_add(struct vq_ring *ring, const struct vq_buf *bufs, unsigned int out,
	     unsigned int in, void *token)
{
	unsigned int n = out + in, i;
	bool indirect = ring->tables && ring->free_tables.n && n <= VQ_TABLE_DESCS;
	unsigned int descs = indirect ? 1 : n;
	struct vq_id *chain;
	uint16_t id;

	if (!n || (ring->packed ? ring->slots : ring->free.n) < descs)
		return -ENOSPC;
	id = vq_fifo_get(&ring->free);
	chain = &ring->ids[id];
	*chain = (struct vq_id){ .token = token, .busy = true, .descs = descs,
				 .table = -1 };
	if (indirect)
		chain->table = vq_fifo_get(&ring->free_tables);
	for (i = out; i < n; i++)
		chain->in_len += bufs[i].len;
	vq_fifo_put(&ring->order, id);
	if (ring->packed)
		vq_packed_add(ring, id, bufs, out, n);
	else
		vq_split_add(ring, id, bufs, out, n);
	return 0;
}

void vq_add(struct vq_ring *ring, const struct vq_buf *bufs, unsigned int out,
	    unsigned int in, void *token)
{
	if (__vq_add(ring, bufs, out, in, token))
		vq_die("the ring is full");
}

void vq_publish(struct vq_ring *ring)
{
	if (!ring->added)
		return;
	if (ring->packed)
		vq_packed_publish(ring);
	else
		vq_split_publish(ring);
	ring->unkicked += ring->added;
	ring->added = 0;
}

bool vq_must_kick(struct vq_ring *ring)
{
	bool must;

	if (!ring->unkicked)
		return false;
	/* Publish, then check whether the device requests kicks. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	must = ring->packed ? vq_packed_must_kick(ring) : vq_split_must_kick(ring);
	ring->unkicked = 0;
	return must;
}

void vq_kick(struct vq_ring *ring)
{
	eventfd_write(ring->kick, 1);
}

void vq_publish_and_kick(struct vq_ring *ring)
{
	vq_publish(ring);
	if (vq_must_kick(ring))
		vq_kick(ring);
}

static bool used_look(const struct vq_ring *ring, struct vq_done *done)
{
	return ring->packed ? vq_packed_used(ring, done) : vq_split_used(ring, done);
}

bool vq_has_used(const struct vq_ring *ring)
{
	struct vq_done done;

	return ring->batch || used_look(ring, &done);
}

/* A batch of chains comes back as its last one; the others were used whole. */
static int get_in_order(struct vq_ring *ring, struct vq_done *done)
{
	if (!ring->batch) {
		if (!used_look(ring, done))
			return 0;
		ring->batch = true;
		ring->batch_id = done->id;
		ring->batch_len = done->len;
	}
	if (!ring->order.n)
		return -EPROTO;
	done->id = vq_fifo_get(&ring->order);
	done->len = ring->ids[done->id].in_len;
	if (done->id == ring->batch_id) {
		done->len = ring->batch_len;
		ring->batch = false;
	}
	return 1;
}

static int get_any(struct vq_ring *ring, struct vq_done *done)
{
	if (!used_look(ring, done))
		return 0;
	if (ring->order.n)
		vq_fifo_get(&ring->order);
	return 1;
}

int vq_get(struct vq_ring *ring, struct vq_done *done)
{
	struct vq_id *chain;
	uint16_t id, next;
	unsigned int i;
	int ret;

	ret = ring->features & VQ_IN_ORDER ? get_in_order(ring, done) :
					     get_any(ring, done);
	if (ret <= 0)
		return ret;
	id = done->id;
	if (id >= ring->num || !ring->ids[id].busy)
		return -EPROTO;
	chain = &ring->ids[id];
	done->token = chain->token;
	chain->busy = false;
	if (chain->table >= 0)
		vq_fifo_put(&ring->free_tables, chain->table);
	if (ring->packed) {
		vq_packed_advance(ring, &ring->used, &ring->used_wrap, chain->descs);
		ring->slots += chain->descs;
		vq_fifo_put(&ring->free, id);
		return 1;
	}
	ring->used++;
	for (i = chain->descs; i; i--) {
		next = ring->ids[id].next;
		vq_fifo_put(&ring->free, id);
		id = next;
	}
	return 1;
}

void vq_calls_on(struct vq_ring *ring, unsigned int after)
{
	if (ring->packed)
		vq_packed_calls(ring, true, after);
	else
		vq_split_calls(ring, true, after);
	/* Request calls, then check for used chains. */
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

void vq_calls_off(struct vq_ring *ring)
{
	if (ring->packed)
		vq_packed_calls(ring, false, 0);
	else
		vq_split_calls(ring, false, 0);
}

uint64_t vq_wait(int efd, int timeout_ms)
{
	struct pollfd pfd = { .fd = efd, .events = POLLIN };
	eventfd_t count = 0;

	if (poll(&pfd, 1, timeout_ms) > 0)
		eventfd_read(efd, &count);
	return count;
}

void vq_get_one(struct vq_ring *ring, struct vq_done *done)
{
	int ret;

	vq_calls_on(ring, 0);
	while (!(ret = vq_get(ring, done)))
		if (!vq_wait(ring->call, VQ_PATIENCE_MS))
			vq_die("no call");
	if (ret < 0)
		vq_die("the used ring holds nonsense");
}
