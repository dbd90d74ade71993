// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random traffic: the device's end, which is our engine and, on a split queue,
 * vringh beside it. It reads the same ring and writes a used ring of its own.
 */
#include <string.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "traffic.h"

/* vringh's used ring. */
static u8 shadow[6 + 8 * VQ_MAX_NUM] __attribute__((aligned(8)));

/* The device's work: sums up what it reads and changes what it writes. */
static void transform(const struct chain *chain)
{
	const struct vq_range *range = chain->user.range;
	u32 sum = 0, at = 0;
	unsigned int n;
	u64 i;

	for (n = 0; n < chain->user.n_out; n++, range++) {
		const u8 *bytes = guest(range->addr);

		for (i = 0; i < range->len; i++)
			sum = sum * 31 + bytes[i];
	}
	for (; at < chain->written; range++) {
		u8 *bytes = guest(range->addr);

		for (i = 0; i < range->len && at < chain->written; i++, at++)
			bytes[i] = transformed(bytes[i], sum, at);
	}
}

static void locate(struct vq_ring *ring)
{
	*ring = s.guest;
	ring->desc = arena_user(s.guest.desc, 1);
	ring->driver = arena_user(s.guest.driver, 1);
	ring->device = arena_user(s.guest.device, 1);
}

u32 packed_pos(u64 slots)
{
	u64 at = s.base + slots;

	return at % s.guest.num | (at / s.guest.num % 2 ? 0 : 1 << 15);
}

static u32 base_now(void)
{
	if (s.kind->packed)
		return packed_pos(s.taken_slots) |
		       packed_pos(s.published_slots) << 16;
	return (u16)(s.base + s.taken);
}

void device_starts(void)
{
	struct vq_ring ring;

	ranchu_dev_memory(&arena_memory);
	locate(&ring);
	ranchu_dev_start(&ring, base_now(), true);
	s.started = true;
	s.kicks_off = false;
	s.device_sleeps = false;
	if (s.kind->packed)
		return;
	ring.device = (uintptr_t)shadow;
	vringh_dev_start(&ring, base_now(), (u16)(s.base + s.published));
	vringh_dev_enable_kicks();
}

void copy_used(void)
{
	memcpy(shadow, guest(s.guest.device), 6 + 8 * s.guest.num);
}

static void compare_used(void)
{
	const u8 *used = guest(s.guest.device);
	unsigned int i, len = 6 + 8 * s.guest.num;

	/* In order, a batch is one element of ours and many of vringh's. */
	if (s.kind->packed || s.kind->in_order)
		return;
	/* Ours may lie in the ring already, behind the index. */
	if (s.pushed != s.published)
		return;
	if (!has(VIRTIO_RING_F_EVENT_IDX))
		len -= 2;
	if (!memcmp(used, shadow, len))
		return;
	for (i = 0; used[i] == shadow[i]; i++)
		;
	vq_fail("used ring, byte %u: ours is %#x, vringh's %#x", i, used[i],
		shadow[i]);
}

/* Finds the current user ranges of a chain. */
static void find_user(struct chain *chain)
{
	unsigned int i, n = 0;

	chain->user.n_out = 0;
	for (i = 0; i < chain->bufs.n_out + chain->bufs.n_in; i++) {
		arena_translate(chain->bufs.range[i].addr,
				chain->bufs.range[i].len, chain->user.range, &n);
		if (i + 1 == chain->bufs.n_out)
			chain->user.n_out = n;
	}
	chain->user.n_in = n - chain->user.n_out;
	vq_normalise(&chain->user);
}

static void compare_with_driver(struct chain *chain, struct ranchu_taken *taken)
{
	find_user(chain);
	vq_normalise(&taken->ranges);
	if (!vq_same(&chain->user, &taken->ranges)) {
		vq_print("driver", &chain->user);
		vq_print("ours", &taken->ranges);
		vq_fail("chain %llu has other buffers",
			(unsigned long long)chain->number);
	}
	if (taken->slots != (s.kind->packed ? chain->slots : 1))
		vq_fail("chain %llu takes up %u slots instead of %u",
			(unsigned long long)chain->number, taken->slots,
			chain->slots);
}

/*
 * vringh cannot handle a table that crosses the end of a region: it continues at
 * the next user address, though the next region is mapped elsewhere.
 */
static bool vringh_can(u16 head)
{
	const struct vring_desc *desc = guest(s.guest.desc);

	desc += head;
	return !(desc->flags & VRING_DESC_F_INDIRECT) ||
	       arena_user(desc->addr, desc->len);
}

static void compare_with_vringh(struct chain *chain, struct ranchu_taken *taken)
{
	struct vq_ranges theirs;
	u16 head;
	int ret;

	ret = vringh_dev_next(&head, &theirs);
	if (!vringh_can(taken->id))
		return;
	if (ret != 1)
		vq_fail("vringh does not take chain %llu",
			(unsigned long long)chain->number);
	vq_normalise(&theirs);
	if (head == taken->id && vq_same(&theirs, &taken->ranges))
		return;
	vq_print("vringh", &theirs);
	vq_print("ours", &taken->ranges);
	vq_fail("chain %llu: vringh has head %u, we %u",
		(unsigned long long)chain->number, head, taken->id);
}

static bool take_one(void)
{
	unsigned int slot = s.order[s.taken % HISTORY];
	struct chain *chain = &chains[slot];
	struct ranchu_taken taken;
	struct vq_ranges theirs;
	u16 head;
	int ret;

	if (s.taken == s.added) {
		ret = ranchu_dev_next(0, &taken);
		if (ret || (!s.kind->packed && vringh_dev_next(&head, &theirs)))
			vq_fail("a device takes a chain where there is none: %d", ret);
		return false;
	}
	ret = ranchu_dev_next(slot, &taken);
	if (ret != 1)
		vq_fail("our device does not take chain %llu: %d, fault %d",
			(unsigned long long)chain->number, ret,
			ranchu_dev_fault());
	compare_with_driver(chain, &taken);
	if (!s.kind->packed)
		compare_with_vringh(chain, &taken);
	chain->id = taken.id;
	s.inflight[s.n_inflight++] = slot;
	s.taken++;
	s.taken_slots += chain->slots;
	return true;
}

/* Puts back the chain that was taken last, if it is not pushed. */
static bool put_back_one(void)
{
	struct chain *chain;

	if (!s.n_inflight)
		return false;
	chain = &chains[s.inflight[s.n_inflight - 1]];
	if (chain->number + 1 != s.taken)
		return false;
	ranchu_dev_put_back(chain - chains);
	if (!s.kind->packed)
		vringh_dev_abandon();
	s.n_inflight--;
	s.taken--;
	s.taken_slots -= chain->slots;
	return true;
}

static void device_sleeps(void)
{
	bool more = ranchu_dev_enable_kicks();
	u64 available = s.added - s.taken;

	s.kicks_off = false;
	if (more == !available)
		vq_fail("enable_kicks() says %d, and %llu chains are available",
			more, (unsigned long long)available);
	if (!s.kind->packed && vringh_dev_enable_kicks() != more)
		vq_fail("enable_kicks() says %d, vringh's %d", more, !more);
	s.device_sleeps = !more;
	s.kicked = false;
	compare_used();
}

static void device_wakes(void)
{
	s.device_sleeps = false;
	if (one_in(2))
		return;
	ranchu_dev_disable_kicks();
	s.kicks_off = true;
	if (!s.kind->packed)
		vringh_dev_disable_kicks();
	compare_used();
}

void device_takes(void)
{
	u32 n = 1 + below(s.mood.take_batch);

	if (s.device_sleeps && !s.kicked)
		return;
	if (s.device_sleeps)
		device_wakes();
	while (n && take_one())
		n--;
	if (one_in(8))
		for (n = 1 + below(3); n && put_back_one(); n--)
			;
	if (one_in(n ? 2 : 8))
		device_sleeps();
}

static void push_one(void)
{
	unsigned int at = 0, slot;
	struct chain *chain;

	if (!s.kind->in_order && !s.mood.fifo)
		at = below(s.n_inflight);
	slot = s.inflight[at];
	chain = &chains[slot];
	memmove(&s.inflight[at], &s.inflight[at + 1],
		(s.n_inflight - at - 1) * sizeof(s.inflight[0]));
	s.n_inflight--;
	chain->written = s.mood.full || one_in(2) ? chain->in_len :
						    below(chain->in_len + 1);
	transform(chain);
	ranchu_dev_push(slot, chain->written);
	s.done[s.pushed++ % HISTORY] = (struct pushed){
		.slot = slot,
		.id = chain->id,
		.written = chain->written,
	};
	s.pushed_slots += chain->slots;
}

/* vringh has no push: it completes and publishes at once, one or many. */
static void vringh_completes(void)
{
	u32 lens[VQ_MAX_NUM];
	u16 heads[VQ_MAX_NUM];
	unsigned int n = 0;
	u64 i;

	for (i = s.published; i != s.pushed; i++) {
		heads[n] = s.done[i % HISTORY].id;
		lens[n] = s.done[i % HISTORY].written;
		if (++n == VQ_MAX_NUM || i + 1 == s.pushed || one_in(8)) {
			vringh_dev_complete(heads, lens, n);
			n = 0;
		}
	}
}

static void publish(void)
{
	ranchu_dev_publish();
	if (!s.kind->packed)
		vringh_completes();
	s.published = s.pushed;
	s.published_slots = s.pushed_slots;
	compare_used();
}

/*
 * Whether the driver named one of the slots that were published since the
 * device last asked: each of them is looked at.
 */
static bool packed_wants_call(void)
{
	const struct vring_packed_desc_event *event = guest(s.guest.driver);
	u64 slot;

	if (event->flags != VRING_PACKED_EVENT_FLAG_DESC)
		return event->flags == VRING_PACKED_EVENT_FLAG_ENABLE;
	for (slot = s.asked_slots; slot != s.published_slots; slot++)
		if (packed_pos(slot) == event->off_wrap)
			return true;
	return false;
}

/* vringh does not know VIRTIO_F_NOTIFY_ON_EMPTY. */
static bool split_wants_call(void)
{
	return vringh_dev_need_notify() ||
	       (has(VIRTIO_F_NOTIFY_ON_EMPTY) && !s.n_inflight &&
		s.taken == s.added);
}

/* Returns true if an unnecessary call of the device is allowed. */
static bool call_is_fine(void)
{
	/* After a start it cannot know. */
	if (s.started)
		return true;
	/* Nor after more than a lap. */
	if (s.kind->packed)
		return s.published_slots - s.asked_slots > s.guest.num;
	/* Chains may be available that the device has not looked for. */
	return has(VIRTIO_F_NOTIFY_ON_EMPTY) && !s.n_inflight;
}

static void ask(void)
{
	bool wanted = false, ours = ranchu_dev_must_call();

	if (s.published != s.asked)
		wanted = s.kind->packed ? packed_wants_call() : split_wants_call();
	if (ours != wanted && !(ours && call_is_fine()))
		vq_fail("must_call() says %d instead of %d", ours, wanted);
	if (ours) {
		s.called = true;
		s.driver->interrupt(s.queue);
	}
	s.started = false;
	s.asked = s.published;
	s.asked_slots = s.published_slots;
	if (!s.driver_sleeps || s.called || s.reaped >= s.published)
		return;
	if (!s.late || s.published == s.added)
		vq_fail("lost call: the driver sleeps and chain %llu is used",
			(unsigned long long)chains[s.done[s.reaped % HISTORY].slot].number);
}

void device_completes(void)
{
	u32 n = 1 + below(s.mood.push_batch);

	for (; n && s.n_inflight; n--)
		push_one();
	if (s.n_inflight && one_in(4)) {
		/* In order, some of it may be published all the same. */
		if (!s.kind->in_order && one_in(2))
			ask();
		return;
	}
	publish();
	if (!s.n_inflight || !one_in(4))
		ask();
}

/* Stops the device and starts it again, with other regions perhaps. */
void device_restarts(void)
{
	u32 n = below(4), base;

	while (n && put_back_one())
		n--;
	while (s.n_inflight)
		push_one();
	publish();
	if (one_in(2))
		ask();
	base = ranchu_dev_base();
	if (base != base_now())
		vq_fail("the device stands at %#x instead of %#x", base, base_now());
	if (one_in(2))
		arena_cut(s.rng);
	device_starts();
	ask();
}
