/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The virtqueue engine: the device's end of a split or packed virtqueue.
 *
 *	ranchu_vq_next()	take the next chain, as iovecs
 *	ranchu_vq_push()	hand it back, with the bytes that were written
 *	ranchu_vq_publish()	show the driver what was pushed
 *	ranchu_vq_must_call()	ask whether the driver wants to hear of it
 *
 * The engine takes no lock and allocates nothing: the caller serialises all
 * calls for one queue (ranchu_vhost.h's vrings have a mutex for it), is inside
 * ranchu_mem_enter() from ranchu_vq_next() until it is done with the iovecs,
 * and runs where the owner's user memory can be accessed and may fault.
 *
 * A guest that lies breaks its queue: the first lie is noted, and every later
 * call does nothing but say so until the queue is started again.
 *
 * Source: Virtual I/O Device (VIRTIO) Version 1.2, sections 2.6 to 2.9, called
 * "virtio" below.
 */
#ifndef _LINUX_RANCHU_VQ_H
#define _LINUX_RANCHU_VQ_H

#include <linux/bits.h>
#include <linux/types.h>
#include <linux/uio.h>
#include <linux/vhost_types.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

struct ranchu_mem;

/* Most descriptors in a ring. Source: virtio 2.7 and 2.8 */
#define RANCHU_VQ_MAX_NUM 32768

/*
 * What the engine itself understands; a device adds its own. ANY_LAYOUT says
 * that framing is of no matter to it, which holds for every user of iovecs.
 */
#define RANCHU_VQ_FEATURES (BIT_ULL(VIRTIO_F_NOTIFY_ON_EMPTY) |		\
			    BIT_ULL(VIRTIO_F_ANY_LAYOUT) |		\
			    BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) |	\
			    BIT_ULL(VIRTIO_RING_F_EVENT_IDX) |		\
			    BIT_ULL(VIRTIO_F_VERSION_1) |		\
			    BIT_ULL(VIRTIO_F_RING_PACKED) |		\
			    BIT_ULL(VIRTIO_F_IN_ORDER) |		\
			    BIT_ULL(VHOST_F_LOG_ALL))

/**
 * enum ranchu_vq_fault - why a queue is broken
 * @RANCHU_VQ_OK: it is not
 * @RANCHU_VQ_RING_FAULT: the ring's own memory cannot be accessed
 * @RANCHU_VQ_AVAIL_INDEX: more made available than the ring has room for
 * @RANCHU_VQ_HEAD: the head of a chain is outside the descriptor table
 * @RANCHU_VQ_NEXT: a descriptor goes on outside its table
 * @RANCHU_VQ_LOOP: a chain has more descriptors than its table
 * @RANCHU_VQ_TOO_LONG: a chain has more buffers than the device takes
 * @RANCHU_VQ_TOO_LARGE: the buffers of a chain exceed 4 GiB together
 * @RANCHU_VQ_ORDER: a readable buffer follows a writable one
 * @RANCHU_VQ_ADDRESS: a buffer, or an indirect table, is not guest memory
 * @RANCHU_VQ_INDIRECT: an indirect table where none may be: inside another,
 *	not negotiated, or with a descriptor after it
 * @RANCHU_VQ_INDIRECT_LENGTH: an indirect table's length is not that of one or
 *	more descriptors, or of more than the device takes
 */
enum ranchu_vq_fault {
	RANCHU_VQ_OK,
	RANCHU_VQ_RING_FAULT,
	RANCHU_VQ_AVAIL_INDEX,
	RANCHU_VQ_HEAD,
	RANCHU_VQ_NEXT,
	RANCHU_VQ_LOOP,
	RANCHU_VQ_TOO_LONG,
	RANCHU_VQ_TOO_LARGE,
	RANCHU_VQ_ORDER,
	RANCHU_VQ_ADDRESS,
	RANCHU_VQ_INDIRECT,
	RANCHU_VQ_INDIRECT_LENGTH,
};

/**
 * struct ranchu_vq_setup - what a queue is started with
 * @features: negotiated, of RANCHU_VQ_FEATURES; others are not looked at
 * @num: queue size, descriptors
 * @desc: user address of the descriptor table (split) or ring (packed)
 * @driver: user address of the available ring, or of the driver's event
 *	suppression
 * @device: user address of the used ring, or of the device's event suppression
 * @log: user address of the dirty-page bitmap; used if VHOST_F_LOG_ALL is in
 *	@features
 * @log_used: also log writes to @device (and, packed, to @desc) ...
 * @log_used_gpa: ... which is at this guest address
 */
struct ranchu_vq_setup {
	u64 features;
	u32 num;
	u64 desc;
	u64 driver;
	u64 device;
	u64 log;
	bool log_used;
	u64 log_used_gpa;
};

/* As many descriptors of an indirect table are read at once: more than most have. */
#define RANCHU_VQ_DESCS 8

/**
 * struct ranchu_vq_desc - a descriptor, as it was read, once
 * @addr: guest address of the buffer
 * @word: the other half, in the host's byte order
 */
struct ranchu_vq_desc {
	u64 addr;
	u64 word;
};

/**
 * struct ranchu_vq_split - state of a split queue
 * @seen: the driver's available index when it was last read
 * @held_id: in order: head of the last chain of the batch that is held back
 * @held_len: in order: bytes written to that chain
 */
struct ranchu_vq_split {
	u16 seen;
	u16 held_id;
	u32 held_len;
};

/**
 * struct ranchu_vq_packed - state of a packed queue
 * @avail_wrap: ring wrap counter at ranchu_vq.next_avail
 * @used_wrap: ring wrap counter at ranchu_vq.next_used
 * @held_slot: where the used descriptor that is held back belongs
 * @held_flags: AVAIL and USED as the wrap counter wants them there
 * @held: its length, id and flags, as in memory
 */
struct ranchu_vq_packed {
	bool avail_wrap;
	bool used_wrap;
	u16 held_slot;
	u16 held_flags;
	u64 held;
};

/**
 * struct ranchu_vq - the device's end of a virtqueue
 * @mem: the guest's memory
 * @desc: see struct ranchu_vq_setup
 * @driver: the same
 * @device: the same
 * @num: the same
 * @is_packed: negotiated; so are the next four
 * @indirect: indirect descriptors
 * @event_idx: event index
 * @in_order: chains are pushed in the order they were taken
 * @call_on_empty: VIRTIO_F_NOTIFY_ON_EMPTY
 * @fault: not RANCHU_VQ_OK: the queue is broken
 * @next_avail: split: free-running index; packed: slot
 * @next_used: the same, of what was pushed last
 * @inflight: ring slots that were taken and not yet pushed
 * @pushed: ring slots pushed and not yet published
 * @uncalled: ring slots published since ranchu_vq_must_call() last looked;
 *	U32_MAX after a start: tell the driver whatever it says
 * @held_full: in order: all chains of the held batch were used completely
 * @region: of the memory table, where the last address was found: a hint
 * @descs: what the walk through an indirect table has before it; not on the stack,
 *	which a kernel may be built to clear for each call
 * @split: state of a split queue
 * @packed: state of a packed queue
 * @log_buffers: log writes to buffers
 * @log_used: log writes to the ring
 * @log: the bitmap
 * @log_used_gpa: see struct ranchu_vq_setup
 * @logged: something was logged since the user last set this to false
 *
 * Only the engine looks inside, but for @fault and @logged.
 */
struct ranchu_vq {
	struct ranchu_mem *mem;
	void __user *desc;
	void __user *driver;
	void __user *device;
	u32 num;
	bool is_packed;
	bool indirect;
	bool event_idx;
	bool in_order;
	bool call_on_empty;
	enum ranchu_vq_fault fault;
	u16 next_avail;
	u16 next_used;
	u32 inflight;
	u32 pushed;
	u32 uncalled;
	bool held_full;
	unsigned int region;
	struct ranchu_vq_desc descs[RANCHU_VQ_DESCS];
	union {
		struct ranchu_vq_split split;
		struct ranchu_vq_packed packed;
	};
	bool log_buffers;
	bool log_used;
	u8 __user *log;
	u64 log_used_gpa;
	bool logged;
};

/**
 * struct ranchu_chain - a descriptor chain that the device has taken
 * @iov: the caller's: room for @max elements; the readable ones come first.
 *	Stays as it is until the chain is pushed.
 * @max: elements in @iov, at most 1024
 * @n_out: elements that the device reads
 * @n_in: elements after them that the device writes
 * @out_len: bytes that the device reads
 * @in_len: bytes that the device may write
 * @id: what names the chain to the driver. The guest's number, and perhaps
 *	not unique: no index for the device.
 * @slots: ring slots that it takes up: split 1, packed one per descriptor
 * @pos: ranchu_vq.next_avail when it was taken
 */
struct ranchu_chain {
	struct iovec *iov;
	u16 max;
	u16 n_out;
	u16 n_in;
	u64 out_len;
	u64 in_len;
	u16 id;
	u16 slots;
	u16 pos;
};

int ranchu_vq_check(const struct ranchu_vq_setup *setup);
int ranchu_vq_start(struct ranchu_vq *vq, struct ranchu_mem *mem,
		    const struct ranchu_vq_setup *setup, u32 base);
int ranchu_vq_relocate(struct ranchu_vq *vq,
		       const struct ranchu_vq_setup *setup);
u32 ranchu_vq_base(const struct ranchu_vq *vq);
const char *ranchu_vq_fault_name(enum ranchu_vq_fault fault);

int ranchu_vq_next(struct ranchu_vq *vq, struct ranchu_chain *chain);
void ranchu_vq_put_back(struct ranchu_vq *vq, const struct ranchu_chain *chain);
int ranchu_vq_push(struct ranchu_vq *vq, const struct ranchu_chain *chain,
		   u32 written);
int ranchu_vq_publish(struct ranchu_vq *vq);
bool ranchu_vq_must_call(struct ranchu_vq *vq);
bool ranchu_vq_enable_kicks(struct ranchu_vq *vq);
void ranchu_vq_disable_kicks(struct ranchu_vq *vq);

#endif /* _LINUX_RANCHU_VQ_H */
