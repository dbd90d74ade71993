// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtqueue engine: what is the same for both layouts. Runs in the kernel
 * and, from the same source, in userspace, where it is fuzzed and compared with
 * other implementations.
 */
#include <linux/align.h>
#include <linux/bug.h>
#include <linux/errno.h>
#include <linux/export.h>
#include <linux/kernel.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/sched.h>
#include <linux/sched/signal.h>

#include "vq.h"

static const char * const vq_fault_names[] = {
	[RANCHU_VQ_OK] = "none",
	[RANCHU_VQ_RING_FAULT] = "the ring's memory cannot be accessed",
	[RANCHU_VQ_AVAIL_INDEX] = "more is available than the ring has room for",
	[RANCHU_VQ_HEAD] = "a chain starts outside the descriptor table",
	[RANCHU_VQ_NEXT] = "a chain goes on outside its table",
	[RANCHU_VQ_LOOP] = "a chain has more descriptors than its table",
	[RANCHU_VQ_TOO_LONG] = "a chain has more buffers than the device takes",
	[RANCHU_VQ_TOO_LARGE] = "the buffers of a chain exceed 4 GiB",
	[RANCHU_VQ_ORDER] = "a readable buffer follows a writable one",
	[RANCHU_VQ_ADDRESS] = "a buffer is not guest memory",
	[RANCHU_VQ_INDIRECT] = "an indirect table where none may be",
	[RANCHU_VQ_INDIRECT_LENGTH] = "an indirect table of a wrong length",
};

/**
 * ranchu_vq_fault_name() - say in words why a queue is broken
 * @fault: why
 *
 * Return: a clause for a message.
 */
const char *ranchu_vq_fault_name(enum ranchu_vq_fault fault)
{
	return vq_fault_names[fault];
}
EXPORT_SYMBOL_GPL(ranchu_vq_fault_name);

/**
 * ranchu_vq_add_buffer_slow() - add a buffer to a chain
 * @vq: the queue
 * @walk: the chain so far
 * @addr: guest address; any number the guest came up with
 * @len: bytes; the same. An empty buffer adds nothing.
 * @write: the device writes it
 *
 * vq_add_buffer() without its assumptions.
 *
 * Return: 0, or -EIO if the queue is now broken.
 */
int ranchu_vq_add_buffer_slow(struct ranchu_vq *vq, struct vq_walk *walk, u64 addr,
			      u32 len, bool write)
{
	int n;

	if (walk->in && !write)
		return vq_break(vq, RANCHU_VQ_ORDER);
	if (write && !walk->in) {
		walk->in = walk->iov;
		walk->out_len = walk->bytes;
	}
	if (!len)
		return 0;
	walk->bytes += len;
	if (walk->bytes > VQ_MAX_CHAIN_BYTES)
		return vq_break(vq, RANCHU_VQ_TOO_LARGE);
	if (!walk->table)
		return vq_break(vq, RANCHU_VQ_ADDRESS);
	n = ranchu_mem_table_iov(walk->table, addr, len, walk->iov,
				 walk->end - walk->iov);
	if (n < 0)
		return vq_break(vq, n == -E2BIG ? RANCHU_VQ_TOO_LONG :
						  RANCHU_VQ_ADDRESS);
	walk->iov += n;
	walk->region = ranchu_mem_table_find(walk->table, addr);
	vq->region = walk->region - walk->table->regions;
	return 0;
}

/**
 * ranchu_vq_walk_on() - ask whether to read more descriptors of a chain
 * @vq: the queue
 * @seen: so many have been read, @limit or more
 * @most: a chain that has more than so many goes round in circles
 * @limit: ask again when so many have been read; changed
 *
 * A chain of empty buffers may be as long as the ring, and nothing else ends it.
 *
 * Context: may sleep.
 * Return:
 * * 0: yes
 * * -EIO: the queue is now broken
 * * -EINTR: the owner is being killed
 */
int ranchu_vq_walk_on(struct ranchu_vq *vq, unsigned int seen, unsigned int most,
		      unsigned int *limit)
{
	if (seen >= most)
		return vq_break(vq, RANCHU_VQ_LOOP);
	*limit = min(most, seen + VQ_STRIDE);
	cond_resched();
	return fatal_signal_pending(current) ? -EINTR : 0;
}

/**
 * ranchu_vq_log_ring() - log that a part of the ring was written
 * @vq: the queue
 * @start: of the part of the ring whose guest address is known to the log
 * @offset: of the first byte written, from @start
 * @len: bytes
 *
 * The VMM gives one guest address, that of the used ring; a packed queue's
 * descriptor ring is logged by its user address.
 *
 * Return: 0, or -EIO if the queue is now broken.
 */
int ranchu_vq_log_ring(struct ranchu_vq *vq, const void __user *start,
		       unsigned int offset, unsigned int len)
{
	int err;

	if (!vq->log_used)
		return 0;
	vq->logged = true;
	/* The write comes first, its mark after it. Pairs with the VMM's. */
	smp_wmb();
	if (start == vq->device)
		err = ranchu_mem_log(vq->log, vq->log_used_gpa + offset, len);
	else
		err = ranchu_mem_log_user(vq->mem, vq->log, start + offset, len);
	return err ? vq_break(vq, RANCHU_VQ_RING_FAULT) : 0;
}

static noinline int vq_log_buffers(struct ranchu_vq *vq,
				   const struct ranchu_chain *chain, u32 written)
{
	const struct iovec *iov = chain->iov + chain->n_out;

	vq->logged = true;
	/* The writes come first, their marks after them. Pairs with the VMM's. */
	smp_wmb();
	for (; written; iov++) {
		u32 part = min_t(u64, written, iov->iov_len);

		if (ranchu_mem_log_user(vq->mem, vq->log, iov->iov_base, part))
			return vq_break(vq, RANCHU_VQ_RING_FAULT);
		written -= part;
	}
	return 0;
}

struct vq_part {
	u64 uaddr;
	size_t size;
	unsigned int align;
};

static int vq_check_part(struct vq_part part)
{
	if (!IS_ALIGNED(part.uaddr, part.align))
		return -EINVAL;
	return access_ok(u64_to_user_ptr(part.uaddr), part.size) ? 0 : -EFAULT;
}

/**
 * ranchu_vq_check() - check whether a queue could be started like this
 * @setup: what the VMM wants
 *
 * Context: the owner's process.
 * Return:
 * * 0: it could
 * * -EINVAL: a wrong queue size for the layout, a ring part that is not
 *   aligned, or packed or in-order without VIRTIO_F_VERSION_1
 * * -EFAULT: a ring part is no user memory
 * Source: virtio 2.7 and 2.8.10.1
 */
int ranchu_vq_check(const struct ranchu_vq_setup *setup)
{
	bool packed = setup->features & BIT_ULL(VIRTIO_F_RING_PACKED);
	/* With or without event index: vhost asks for the same. */
	const struct vq_part split_parts[] = {
		{ setup->desc, 16 * setup->num, VRING_DESC_ALIGN_SIZE },
		{ setup->driver, 6 + 2 * setup->num, VRING_AVAIL_ALIGN_SIZE },
		{ setup->device, 6 + 8 * setup->num, VRING_USED_ALIGN_SIZE },
	};
	const struct vq_part packed_parts[] = {
		{ setup->desc, 16 * setup->num, 16 },
		{ setup->driver, 4, 4 },
		{ setup->device, 4, 4 },
	};
	const struct vq_part *parts = packed ? packed_parts : split_parts;
	unsigned int i;
	int err;

	if (!setup->num || setup->num > RANCHU_VQ_MAX_NUM ||
	    (!packed && !is_power_of_2(setup->num)))
		return -EINVAL;
	if (setup->features & (BIT_ULL(VIRTIO_F_RING_PACKED) |
			       BIT_ULL(VIRTIO_F_IN_ORDER)) &&
	    !(setup->features & BIT_ULL(VIRTIO_F_VERSION_1)))
		return -EINVAL;
	for (i = 0; i < ARRAY_SIZE(split_parts); i++) {
		err = vq_check_part(parts[i]);
		if (err)
			return err;
	}
	return 0;
}
EXPORT_SYMBOL_GPL(ranchu_vq_check);

static void vq_locate(struct ranchu_vq *vq, const struct ranchu_vq_setup *setup)
{
	vq->desc = u64_to_user_ptr(setup->desc);
	vq->driver = u64_to_user_ptr(setup->driver);
	vq->device = u64_to_user_ptr(setup->device);
	vq->log = u64_to_user_ptr(setup->log);
	vq->log_buffers = setup->features & BIT_ULL(VHOST_F_LOG_ALL);
	vq->log_used = vq->log_buffers && setup->log_used;
	vq->log_used_gpa = setup->log_used_gpa;
}

/**
 * ranchu_vq_start() - start a queue
 * @vq: not running; whatever it was is forgotten
 * @mem: the guest's memory
 * @setup: checked by ranchu_vq_check()
 * @base: where to go on: what ranchu_vq_base() said, or 0 for a new split queue
 *	and 0x80008000 for a new packed one
 *
 * A chain that was taken and not pushed before the stop counts as lost. The
 * driver is asked for kicks.
 *
 * Context: as for all functions of the engine: see the top of this header's
 * file.
 * Return:
 * * 0: running
 * * -EINVAL: @base is outside the ring
 * * -EFAULT: the ring's memory cannot be accessed
 */
int ranchu_vq_start(struct ranchu_vq *vq, struct ranchu_mem *mem,
		    const struct ranchu_vq_setup *setup, u32 base)
{
	u64 features = setup->features;

	memset(vq, 0, sizeof(*vq));
	vq->mem = mem;
	vq->num = setup->num;
	vq->is_packed = features & BIT_ULL(VIRTIO_F_RING_PACKED);
	vq->indirect = features & BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC);
	vq->event_idx = features & BIT_ULL(VIRTIO_RING_F_EVENT_IDX);
	vq->in_order = features & BIT_ULL(VIRTIO_F_IN_ORDER);
	vq->call_on_empty = features & BIT_ULL(VIRTIO_F_NOTIFY_ON_EMPTY);
	vq->uncalled = U32_MAX;
	vq_locate(vq, setup);
	vq->next_avail = base;

	if (vq->is_packed) {
		vq->next_avail = base & 0x7fff;
		vq->packed.avail_wrap = base & BIT(15);
		vq->next_used = (base >> 16) & 0x7fff;
		vq->packed.used_wrap = base & BIT(31);
		if (vq->next_avail >= vq->num || vq->next_used >= vq->num)
			return -EINVAL;
	} else if (ranchu_vq_split_start(vq)) {
		return -EFAULT;
	}
	ranchu_vq_enable_kicks(vq);
	if (vq->fault == RANCHU_VQ_RING_FAULT)
		return -EFAULT;
	/* A lie of the guest's is for the first ranchu_vq_next() to find. */
	vq->fault = RANCHU_VQ_OK;
	return 0;
}
EXPORT_SYMBOL_GPL(ranchu_vq_start);

/**
 * ranchu_vq_relocate() - move the ring, or its logging, under a running queue
 * @vq: running
 * @setup: checked by ranchu_vq_check(); features other than VHOST_F_LOG_ALL
 *	are not looked at
 *
 * Return: 0, or -EINVAL if the size is not what the queue was started with.
 */
int ranchu_vq_relocate(struct ranchu_vq *vq, const struct ranchu_vq_setup *setup)
{
	if (setup->num != vq->num)
		return -EINVAL;
	vq_locate(vq, setup);
	return 0;
}
EXPORT_SYMBOL_GPL(ranchu_vq_relocate);

/**
 * ranchu_vq_base() - tell where the queue stands
 * @vq: started at least once
 *
 * Return: what ranchu_vq_start() takes to go on from here. Split: the
 * available index. Packed: bits 0-14 the slot of the next available descriptor,
 * bit 15 its wrap counter, bits 16-30 and 31 the same for the next used one.
 * Source: vhost-user protocol, "Vring descriptor indices for packed
 * virtqueues"; drivers/vhost/vhost.c for VHOST_SET_VRING_BASE
 */
u32 ranchu_vq_base(const struct ranchu_vq *vq)
{
	bool wrap;
	u32 used;

	if (!vq->is_packed)
		return vq->next_avail;
	/* What was pushed and not published, the driver has not seen. */
	used = vq->pushed ? vq->packed.held_slot : vq->next_used;
	wrap = vq->pushed ? vq->packed.held_flags : vq->packed.used_wrap;
	return vq->next_avail | (u32)vq->packed.avail_wrap << 15 |
	       used << 16 | (u32)wrap << 31;
}
EXPORT_SYMBOL_GPL(ranchu_vq_base);

/**
 * ranchu_vq_next() - take the next chain
 * @vq: running
 * @chain: @iov and @max are set; all else is filled
 *
 * Return:
 * * 1: @chain is the device's until it is pushed or put back
 * * 0: nothing is available, or the owner is being killed
 * * -EIO: the queue is broken: see ranchu_vq.fault
 */
int ranchu_vq_next(struct ranchu_vq *vq, struct ranchu_chain *chain)
{
	if (unlikely(vq->fault))
		return -EIO;
	return vq->is_packed ? ranchu_vq_packed_next(vq, chain) :
			       ranchu_vq_split_next(vq, chain);
}
EXPORT_SYMBOL_GPL(ranchu_vq_next);

/* Where the chain that was taken after @chain begins. */
static u16 vq_end(const struct ranchu_vq *vq, const struct ranchu_chain *chain)
{
	u32 end = chain->pos + chain->slots;

	return vq->is_packed && end >= vq->num ? end - vq->num : end;
}

/**
 * ranchu_vq_put_back() - undo the last ranchu_vq_next()
 * @vq: running or broken
 * @chain: the chain that was taken last; if that was put back, the one before,
 *	and so on: nothing that was taken after it is in flight or was pushed
 *
 * The next ranchu_vq_next() reads it afresh.
 */
void ranchu_vq_put_back(struct ranchu_vq *vq, const struct ranchu_chain *chain)
{
	if (WARN_ON_ONCE(chain->slots > vq->inflight) ||
	    WARN_ON_ONCE(vq_end(vq, chain) != vq->next_avail))
		return;
	vq->inflight -= chain->slots;
	if (vq->is_packed)
		ranchu_vq_packed_put_back(vq, chain);
	else
		ranchu_vq_split_put_back(vq, chain);
}
EXPORT_SYMBOL_GPL(ranchu_vq_put_back);

/*
 * Where the chain stands that was taken first, of those in flight. Not where
 * the used ring does: after a restart that may be anywhere, and in a split
 * queue it is the guest's word.
 */
static u16 vq_oldest(const struct ranchu_vq *vq)
{
	u32 pos = vq->next_avail - vq->inflight;

	return vq->is_packed && vq->inflight > vq->next_avail ? pos + vq->num : pos;
}

/**
 * ranchu_vq_push() - hand a chain back to the driver
 * @vq: running or broken
 * @chain: taken from @vq and not yet pushed. If VIRTIO_F_IN_ORDER was
 *	negotiated, the one that was taken first; else any.
 * @written: bytes that were really written to its writable buffers, from the
 *	first on
 *
 * The driver sees it after ranchu_vq_publish(), or a little earlier.
 *
 * Return: 0, or -EIO if the queue is broken.
 */
int ranchu_vq_push(struct ranchu_vq *vq, const struct ranchu_chain *chain,
		   u32 written)
{
	if (unlikely(vq->fault))
		return -EIO;
	if (WARN_ON_ONCE(chain->slots > vq->inflight) ||
	    WARN_ON_ONCE(vq->in_order && chain->pos != vq_oldest(vq)))
		return -EIO;
	if (WARN_ON_ONCE(written > chain->in_len))
		written = chain->in_len;
	if (unlikely(vq->log_buffers) && vq_log_buffers(vq, chain, written))
		return -EIO;
	vq->inflight -= chain->slots;
	return vq->is_packed ? ranchu_vq_packed_push(vq, chain, written) :
			       ranchu_vq_split_push(vq, chain, written);
}
EXPORT_SYMBOL_GPL(ranchu_vq_push);

/**
 * ranchu_vq_publish() - show the driver all chains that were pushed
 * @vq: running or broken
 *
 * Return: 0, or -EIO if the queue is broken.
 */
int ranchu_vq_publish(struct ranchu_vq *vq)
{
	if (unlikely(vq->fault))
		return -EIO;
	if (!vq->pushed)
		return 0;
	return vq->is_packed ? ranchu_vq_packed_publish(vq) : ranchu_vq_split_publish(vq);
}
EXPORT_SYMBOL_GPL(ranchu_vq_publish);

/**
 * ranchu_vq_must_call() - ask whether to interrupt the driver
 * @vq: running or broken
 *
 * To be asked after each ranchu_vq_publish() or after several, and the answer
 * acted upon: it is given once.
 *
 * Return: whether the driver wants to hear of what was published since the
 * last time. True in doubt.
 */
bool ranchu_vq_must_call(struct ranchu_vq *vq)
{
	if (unlikely(vq->fault) || !vq->uncalled)
		return false;
	/*
	 * Publish, then look whether the driver listens; it says that it
	 * listens, then looks for what was published. Pairs with the barrier
	 * in the driver's enabling of calls.
	 */
	smp_mb();
	/* A negative errno is true, too: who knows what the driver wants. */
	return vq->is_packed ? ranchu_vq_packed_must_call(vq) : ranchu_vq_split_must_call(vq);
}
EXPORT_SYMBOL_GPL(ranchu_vq_must_call);

/**
 * ranchu_vq_enable_kicks() - ask the driver to kick
 * @vq: running or broken
 *
 * Return: true if something is available already, for which no kick may come:
 * the caller goes on as if kicked.
 */
bool ranchu_vq_enable_kicks(struct ranchu_vq *vq)
{
	if (unlikely(vq->fault))
		return false;
	return (vq->is_packed ? ranchu_vq_packed_enable_kicks(vq) :
				ranchu_vq_split_enable_kicks(vq)) > 0;
}
EXPORT_SYMBOL_GPL(ranchu_vq_enable_kicks);

/**
 * ranchu_vq_disable_kicks() - tell the driver that no kick is needed
 * @vq: running or broken
 *
 * It may kick all the same.
 */
void ranchu_vq_disable_kicks(struct ranchu_vq *vq)
{
	if (unlikely(vq->fault))
		return;
	if (vq->is_packed)
		ranchu_vq_packed_disable_kicks(vq);
	else
		ranchu_vq_split_disable_kicks(vq);
}
EXPORT_SYMBOL_GPL(ranchu_vq_disable_kicks);
