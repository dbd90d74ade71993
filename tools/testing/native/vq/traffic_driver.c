// SPDX-License-Identifier: GPL-2.0-only
/*
 * Random traffic: the driver's end. It makes buffers available, with a pattern for each
 * chain, and checks that they come back with the device's changes.
 */
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "traffic.h"

static void fill(const struct chain *chain, unsigned int from, unsigned int n)
{
	const struct vq_range *range = chain->bufs.range + from;
	u32 at = 0;
	u64 i;

	for (; n; n--, range++) {
		u8 *bytes = guest(range->addr);

		for (i = 0; i < range->len; i++)
			bytes[i] = pattern(chain->key, at + i);
		at += range->len;
	}
}

static void check_data(const struct chain *chain)
{
	const struct vq_range *range = chain->bufs.range;
	u32 sum = 0, at = 0;
	unsigned int n;
	u64 i;

	for (n = 0; n < chain->bufs.n_out; n++, range++)
		for (i = 0; i < range->len; i++)
			sum = sum * 31 + pattern(chain->key, at++);
	at = 0;
	for (n = 0; n < chain->bufs.n_in; n++, range++) {
		const u8 *bytes = guest(range->addr);

		for (i = 0; i < range->len; i++, at++) {
			u8 want = pattern(chain->key, at);

			if (at < chain->written)
				want = transformed(want, sum, at);
			if (bytes[i] == want)
				continue;
			vq_print("buffers", &chain->bufs);
			vq_fail("chain %llu: byte %u of %u written is %#x, not %#x",
				(unsigned long long)chain->number, at,
				chain->written, bytes[i], want);
		}
	}
}

static u32 random_len(void)
{
	switch (below(16)) {
	case 0:
		return one_in(8) ? 0 : 1 + below(1024);
	case 1 ... 5:
		return 1 + below(128);
	default:
		return 1 + below(16);
	}
}

/* Buffers somewhere in the chain's slot, in any order, sometimes touching. */
static void make_bufs(struct chain *chain, unsigned int slot)
{
	u32 pos = below(64), n, i;
	u64 start = (uintptr_t)arena_guest + ARENA_CHAINS +
		    (u64)slot * ARENA_SLOT_SIZE;
	struct vq_ranges *bufs = &chain->bufs;

	/* A chain longer than the queue has to be in a table. */
	n = s.mood.max_bufs;
	if (n > s.guest.num && !has(VIRTIO_RING_F_INDIRECT_DESC))
		n = s.guest.num;
	n = 1 + below(n);
	for (i = 0; i < n; i++) {
		u32 room = (ARENA_SLOT_SIZE - pos) / (n - i), len = random_len();

		if (room > 8 && one_in(2)) {
			pos += below(8);
			room -= 8;
		}
		bufs->range[i].addr = start + pos;
		bufs->range[i].len = len < room ? len : room;
		pos += bufs->range[i].len;
	}
	for (i = n; i > 1 && !one_in(4); i--) {
		u32 other = below(i);
		struct vq_range range = bufs->range[other];

		bufs->range[other] = bufs->range[i - 1];
		bufs->range[i - 1] = range;
	}
	bufs->n_out = below(n + 1);
	bufs->n_in = n - bufs->n_out;
	for (chain->in_len = 0, i = bufs->n_out; i < n; i++)
		chain->in_len += bufs->range[i].len;
}

static bool add_one(void)
{
	unsigned int slot = s.free[s.free_head % VQ_MAX_NUM];
	struct chain *chain = &chains[slot];

	if (s.free_head == s.free_tail)
		return false;
	make_bufs(chain, slot);
	chain->key = vq_random(s.rng);
	chain->number = s.added;
	fill(chain, 0, chain->bufs.n_out);
	fill(chain, chain->bufs.n_out, chain->bufs.n_in);
	chain->slots = s.driver->add(s.queue, &chain->bufs, chain);
	if (!chain->slots)
		return false;
	s.free_head++;
	s.order[s.added++ % HISTORY] = slot;
	return true;
}

void driver_adds(void)
{
	u32 n = 1 + below(s.mood.add_batch);
	bool full = false, kick;

	for (; n && !full; n--)
		full = !add_one();
	kick = s.driver->kick(s.queue);
	/* Where there is no room the kernel's driver kicks unasked. */
	if (kick && s.kicks_off && !full &&
	    (s.kind->packed || !has(VIRTIO_RING_F_EVENT_IDX)))
		vq_fail("a kick though the device disabled them");
	s.kicked |= kick;
	if (s.device_sleeps && !s.kicked && s.taken != s.added)
		vq_fail("lost kick: the device sleeps and chain %llu is available",
			(unsigned long long)s.taken);
}

static bool reap_one(void)
{
	struct chain *chain, *want = &chains[s.done[s.reaped % HISTORY].slot];
	u32 len;

	chain = s.driver->get(s.queue, &len);
	if (!chain) {
		if (s.reaped < s.published)
			vq_fail("the driver does not see chain %llu, which is used",
				(unsigned long long)want->number);
		return false;
	}
	/* In order, a batch may have been published while it was pushed. */
	if (s.reaped >= (s.kind->in_order ? s.pushed : s.published))
		vq_fail("the driver gets chain %llu, which is not used",
			(unsigned long long)chain->number);
	if (chain != want)
		vq_fail("the driver gets chain %llu instead of %llu",
			(unsigned long long)chain->number,
			(unsigned long long)want->number);
	if (len != chain->written)
		vq_fail("chain %llu: the driver is told %u bytes instead of %u",
			(unsigned long long)chain->number, len, chain->written);
	check_data(chain);
	s.free[s.free_tail++ % VQ_MAX_NUM] = chain - chains;
	s.reaped++;
	s.progress = s.steps;
	return true;
}

static void driver_sleeps(void)
{
	s.late = one_in(4);
	s.called = false;
	s.driver_sleeps = s.late ? s.driver->enable_calls_late(s.queue) :
				   s.driver->enable_calls(s.queue);
	if (!s.driver_sleeps && s.reaped >= s.published &&
	    s.pushed == s.published)
		vq_fail("the driver finds something used where there is nothing");
}

void driver_reaps(void)
{
	u32 n = 1 + below(s.guest.num);

	if (s.driver_sleeps && !s.called)
		return;
	if (s.driver_sleeps && one_in(2))
		s.driver->disable_calls(s.queue);
	s.driver_sleeps = false;
	while (n && reap_one())
		n--;
	if (n && one_in(2))
		driver_sleeps();
}
