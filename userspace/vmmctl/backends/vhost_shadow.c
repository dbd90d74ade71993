// SPDX-License-Identifier: GPL-2.0-only
/*
 * Rings between a driver and a process that keeps no record of the requests that it has taken. The
 * process gets the driver's descriptors, but an available and a used ring of vmmctl's. A
 * thread copies entries between the two pairs of rings and so knows which requests are in
 * flight, in whatever order they are completed. If the process is replaced, the new one gets
 * those entries again.
 *
 * Data is not copied, and vCPUs do not wait. The cost is waking one more thread for each batch of
 * requests, and for each batch of completions.
 *
 * Source: VIRTIO 1.2, 2.7.6 to 2.7.10: a ring's flags and index are its first words, the
 * other side's event index the last; an entry of the used ring is two words of 32 bits.
 */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/virtio_ring.h>

#include "backends/vhost_user.h"

#define AVAIL_SIZE(num)	(6 + 2 * (num))
#define USED_OFFSET	2048	/* of vmmctl's used ring, after its available ring */
#define RING_SIZE	8192	/* of vmmctl's two rings together */

/* The available ring must fit before the used ring. */
_Static_assert(AVAIL_SIZE(VMM_SHADOW_MAX) <= USED_OFFSET, "available ring");
_Static_assert(USED_OFFSET + 6 + 8 * VMM_SHADOW_MAX <= RING_SIZE, "used ring");

/**
 * struct shadow_ring - a driver's ring and its counterpart for the process
 * @num: entries
 * @avail: the driver's available ring
 * @used: the driver's used ring
 * @our_avail: vmmctl's available ring, which the process reads
 * @our_used: vmmctl's used ring, which the process writes
 * @kick_fd: eventfd, signalled by the driver
 * @call_fd: eventfd that interrupts the driver
 * @err_fd: eventfd, signalled when the driver broke the ring
 * @our_kick_fd: eventfd that signals the process
 * @our_call_fd: eventfd, signalled by the process
 * @taken: entries of @avail that were copied
 * @given: entries of @used that were written
 * @sent: entries of @our_avail that were written
 * @seen: entries of @our_used that were copied
 * @broken: the driver broke the ring; nothing is copied any more
 * @open: by chain: the process has taken it
 */
struct shadow_ring {
	u32 num;
	struct vring_avail *avail;
	struct vring_used *used;
	struct vring_avail *our_avail;
	struct vring_used *our_used;
	int kick_fd;
	int call_fd;
	int err_fd;
	int our_kick_fd;
	int our_call_fd;
	u16 taken;
	u16 given;
	u16 sent;
	u16 seen;
	bool broken;
	bool open[VMM_SHADOW_MAX];
};

/**
 * struct vmm_shadow - the rings of a device
 * @mem: memory of vmmctl's rings
 * @fd: memfd behind it
 * @event_idx: driver and process use event indices
 * @sock: connection to the process, which is shut down if the process uses an
 *	entry that it was not given
 * @stop_fd: eventfd that ends @thread
 * @thread: copies entries, if @started
 * @started: there is a thread
 * @rings: number of rings
 * @ring: the first @rings are valid
 *
 * While @thread exists, only it uses the rings.
 */
struct vmm_shadow {
	u8 *mem;
	int fd;
	bool event_idx;
	int sock;
	int stop_fd;
	pthread_t thread;
	bool started;
	unsigned int rings;
	struct shadow_ring ring[VMM_VIRTIO_QUEUES];
};

static u16 load(const __virtio16 *word)
{
	return le16toh(__atomic_load_n(word, __ATOMIC_ACQUIRE));
}

static void store(__virtio16 *word, u16 value)
{
	__atomic_store_n(word, htole16(value), __ATOMIC_RELEASE);
}

/* Requests an event for the next entry. The caller then reads the index once more. */
static void request_event(const struct vmm_shadow *s, __virtio16 *event, u16 next)
{
	if (s->event_idx)
		store(event, next);
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
}

/* Copies available entries from the driver's ring to vmmctl's. */
static void forward_available(struct vmm_shadow *s, struct shadow_ring *r)
{
	u16 sent = r->sent;
	u16 head;

	for (;;) {
		u16 end = load(&r->avail->idx);

		if ((u16)(end - r->taken) > r->num)
			goto broken;
		for (; r->taken != end; r->taken++) {
			head = load(&r->avail->ring[r->taken % r->num]);
			if (head >= r->num || r->open[head])
				goto broken;
			r->open[head] = true;
			r->our_avail->ring[r->sent++ % r->num] = htole16(head);
		}
		request_event(s, (__virtio16 *)&r->used->ring[r->num], r->taken);
		if (load(&r->avail->idx) == r->taken)
			break;
	}
	store(&r->our_avail->idx, r->sent);
	if (sent != r->sent)
		vmm_event_signal(r->our_kick_fd);
	return;

broken:
	r->broken = true;
	vmm_event_signal(r->err_fd);
}

static bool driver_wants_interrupt(const struct vmm_shadow *s, const struct shadow_ring *r, u16 old)
{
	__atomic_thread_fence(__ATOMIC_SEQ_CST);
	if (s->event_idx)
		return vring_need_event(load(&r->avail->ring[r->num]), r->given, old);
	return !(load(&r->avail->flags) & VRING_AVAIL_F_NO_INTERRUPT);
}

/* Copies used entries from vmmctl's ring to the driver's. */
static void return_used(struct vmm_shadow *s, struct shadow_ring *r)
{
	u16 old = r->given;

	for (;;) {
		u16 end = load(&r->our_used->idx);

		for (; r->seen != end; r->seen++) {
			const vring_used_elem_t *from = &r->our_used->ring[r->seen % r->num];
			vring_used_elem_t *to = &r->used->ring[r->given % r->num];
			u32 id = le32toh(__atomic_load_n(&from->id, __ATOMIC_RELAXED));

			if (id >= r->num || !r->open[id]) {
				shutdown(s->sock, SHUT_WR);
				return;
			}
			r->open[id] = false;
			to->id = htole32(id);
			to->len = from->len;
			r->given++;
		}
		request_event(s, &r->our_avail->ring[r->num], r->seen);
		if (load(&r->our_used->idx) == r->seen)
			break;
	}
	if (old == r->given)
		return;
	store(&r->used->idx, r->given);
	if (driver_wants_interrupt(s, r, old))
		vmm_event_signal(r->call_fd);
}

static void *copy_thread(void *arg)
{
	struct vmm_shadow *s = arg;
	struct pollfd fds[1 + 2 * VMM_VIRTIO_QUEUES];
	unsigned int count = 0;
	unsigned int i;

	fds[count++] = (struct pollfd){ .fd = s->stop_fd, .events = POLLIN };
	for (i = 0; i < s->rings; i++) {
		fds[count++] = (struct pollfd){ .fd = s->ring[i].kick_fd, .events = POLLIN };
		fds[count++] = (struct pollfd){ .fd = s->ring[i].our_call_fd, .events = POLLIN };
	}
	for (;;) {
		for (i = 0; i < s->rings; i++) {
			if (s->ring[i].broken)
				continue;
			return_used(s, &s->ring[i]);
			forward_available(s, &s->ring[i]);
		}
		while (poll(fds, count, -1) < 0)
			;
		if (fds[0].revents)
			return NULL;
		for (i = 1; i < count; i++) {
			if (fds[i].revents)
				vmm_event_clear(fds[i].fd);
		}
	}
}

/**
 * vmm_shadow_create - allocate memory for rings
 *
 * Return: the rings, or NULL after a message
 */
struct vmm_shadow *vmm_shadow_create(void)
{
	struct vmm_shadow *s = calloc(1, sizeof(*s));

	if (!s) {
		vmm_error(ENOMEM, "rings");
		return NULL;
	}
	s->mem = vmm_mem_window(VMM_SHADOW_SIZE, &s->fd);
	s->stop_fd = vmm_event_create();
	if (s->mem && s->stop_fd >= 0)
		return s;
	vmm_error(ENOMEM, "rings");
	vmm_shadow_destroy(s);
	return NULL;
}

/**
 * vmm_shadow_destroy - free the rings
 * @s: stopped; NULL does nothing
 */
void vmm_shadow_destroy(struct vmm_shadow *s)
{
	if (!s)
		return;
	vmm_shadow_reset(s);
	if (s->mem) {
		munmap(s->mem, VMM_SHADOW_SIZE);
		close(s->fd);
	}
	if (s->stop_fd >= 0)
		close(s->stop_fd);
	free(s);
}

/**
 * vmm_shadow_memory - return the memory of vmmctl's rings
 * @s: the rings
 * @fd: filled with the memfd of VMM_SHADOW_SIZE bytes
 *
 * Return: the memory
 */
void *vmm_shadow_memory(const struct vmm_shadow *s, int *fd)
{
	*fd = s->fd;
	return s->mem;
}

/**
 * vmm_shadow_reset - remove all rings
 * @s: stopped
 */
void vmm_shadow_reset(struct vmm_shadow *s)
{
	while (s->rings) {
		struct shadow_ring *r = &s->ring[--s->rings];

		if (r->our_kick_fd >= 0)
			close(r->our_kick_fd);
		if (r->our_call_fd >= 0)
			close(r->our_call_fd);
	}
}

/* Initialises both rings, with the entries that the previous process has not answered. */
static void ring_begin(struct vmm_shadow *s, unsigned int index)
{
	struct shadow_ring *r = &s->ring[index];
	u32 i;

	memset(s->mem + index * RING_SIZE, 0, RING_SIZE);
	r->sent = 0;
	r->seen = 0;
	for (i = 0; i < r->num; i++) {
		if (r->open[i])
			r->our_avail->ring[r->sent++ % r->num] = htole16(i);
	}
	store(&r->our_avail->idx, r->sent);
}

/**
 * vmm_shadow_ring - replace a driver's ring by one of vmmctl's
 * @s: stopped
 * @index: index of the ring; a new one is created, an existing one continues
 * @ring: the driver's ring; changed to the one for the process
 *
 * Return: 0, or -errno
 */
int vmm_shadow_ring(struct vmm_shadow *s, unsigned int index, struct vmm_vhost_ring *ring)
{
	struct shadow_ring *r = &s->ring[index];

	if (ring->num > VMM_SHADOW_MAX)
		return -EINVAL;
	if (index == s->rings) {
		*r = (struct shadow_ring){
			.num = ring->num, .avail = ring->area[1].hva, .used = ring->area[2].hva,
			.kick_fd = ring->kick_fd, .call_fd = ring->call_fd, .err_fd = ring->err_fd,
		};
		r->our_avail = (void *)(s->mem + index * RING_SIZE);
		r->our_used = (void *)(s->mem + index * RING_SIZE + USED_OFFSET);
		r->our_kick_fd = vmm_event_create();
		r->our_call_fd = vmm_event_create();
		s->rings++;
		if (r->our_kick_fd < 0 || r->our_call_fd < 0)
			return -EMFILE;
	}
	ring_begin(s, index);
	ring->base = 0;
	ring->area[1].hva = r->our_avail;
	ring->area[2].hva = r->our_used;
	ring->kick_fd = r->our_kick_fd;
	ring->call_fd = r->our_call_fd;
	return 0;
}

/**
 * vmm_shadow_start - begin to copy entries
 * @s: has its rings
 * @sock: the connection to the process
 * @event_idx: the driver has accepted VIRTIO_RING_F_EVENT_IDX
 *
 * Return: 0, or -errno
 */
int vmm_shadow_start(struct vmm_shadow *s, int sock, bool event_idx)
{
	unsigned int i;
	int err;

	s->sock = sock;
	s->event_idx = event_idx;
	vmm_event_clear(s->stop_fd);
	for (i = 0; i < s->rings; i++)
		vmm_event_signal(s->ring[i].our_kick_fd);
	err = -pthread_create(&s->thread, NULL, copy_thread, s);
	s->started = !err;
	return err;
}

/**
 * vmm_shadow_stop - stop copying entries
 * @s: may be stopped already
 * @answered: copy the answers of the process, which will answer no more
 */
void vmm_shadow_stop(struct vmm_shadow *s, bool answered)
{
	unsigned int i;

	if (!s->started)
		return;
	vmm_event_signal(s->stop_fd);
	pthread_join(s->thread, NULL);
	s->started = false;
	for (i = 0; answered && i < s->rings; i++) {
		if (!s->ring[i].broken)
			return_used(s, &s->ring[i]);
	}
}
