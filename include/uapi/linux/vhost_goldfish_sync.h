/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * /dev/vhost-goldfish-sync: one open file serves the goldfish sync device of one guest
 * (linux/goldfish_sync.h).
 *
 * Order of life: VHOST_SET_OWNER, VHOST_SET_MEM_TABLE (again whenever guest memory
 * changes), then any of the ioctls below. Of linux/vhost.h the file also answers
 * VHOST_RESET_OWNER, VHOST_GET_FEATURES and VHOST_SET_FEATURES (no feature bit exists),
 * and VHOST_GET_BACKEND_FEATURES. It has no rings.
 *
 * Who signals the guest's fences is another process, the renderer. The owner asks for the
 * renderer's file (RENDERER) and hands it on, or keeps it:
 *
 *	guest		asks for a wait: a fence of its is signalled when the renderer
 *			has done what was asked for
 *	renderer	read()s the event WAIT, and answers by the COMMAND INC
 *	guest		has the increment, and signals the fence
 *
 * Each wait is answered once: a second increment would have the guest's driver free a
 * timeline that is in use. So an increment names a wait, or a fence that the renderer
 * has made, never a timeline: no renderer can make the guest touch anything that the
 * guest has not named itself.
 *
 * No fence waits for a renderer that is gone. Without a renderer a wait is answered at
 * once; the last close of the renderer's file answers its waits, signals its fences and
 * destroys its timelines. The end of the device or of its owner ends the file: read() and
 * poll() tell, all else answers ENODEV.
 *
 * What each errno means, everywhere:
 *	EPERM		no owner yet, or the caller is not the owner's process
 *	EINTR		the caller was killed while it waited for another ioctl
 *	EBUSY		there is an owner already; there is a renderer already; that
 *			doorbell is taken; the device does not run, or must not
 *			(SET_RUNNING); the guest has not answered yet, or a timeline has
 *			fences
 *	EINVAL		an argument is out of range, or a field that must be zero is not;
 *			not what the command is for
 *	EFAULT		the argument, or memory that it names, cannot be accessed
 *	EBADF		not an open file; EINVAL if it is not of the right kind
 *	ENOENT		no such wait, timeline or fence (any more); no such doorbell
 *	ENOTCONN	the guest has no driver yet
 *	ENOSPC		as many waits, timelines and fences as there may be; no room for
 *			the state
 *	ENODEV		the device or its owner is no more, or it has another
 *	EAGAIN		no event, and the file is non-blocking
 *	EOPNOTSUPP	this kernel cannot do it (no synchronous doorbell; no KVM; a
 *			newer version of the state); a feature that was not offered
 *	ENOBUFS		no such ring
 *	ENOMEM		out of memory
 *	ENOIOCTLCMD	seen as ENOTTY: not an ioctl of this file
 */
#ifndef _UAPI_LINUX_VHOST_GOLDFISH_SYNC_H
#define _UAPI_LINUX_VHOST_GOLDFISH_SYNC_H

#include <linux/types.h>
#include <linux/ioctl.h>
#include <linux/vhost.h>

/* Waits, timelines and fences of one guest, and commands for it, all together. */
#define VHOST_GOLDFISH_SYNC_MAX_ITEMS	4096

/* Milliseconds without a command after GOLDFISH_SYNC_MAX_COMMANDS without a rest. */
#define VHOST_GOLDFISH_SYNC_REST_MS	10

/* VHOST_GET_BACKEND_FEATURES: VHOST_GOLDFISH_SYNC_SET_DOORBELL works. */
#define VHOST_GOLDFISH_SYNC_F_DOORBELL	63
/* The same of VHOST_GOLDFISH_SYNC_RUN. */
#define VHOST_GOLDFISH_SYNC_F_RUN	62

/**
 * struct vhost_goldfish_sync_line - argument of SET_LINE
 * @call_fd: eventfd that raises the line (KVM_IRQFD's fd); -1 for none
 * @resample_fd: eventfd that is signalled when the guest ends the interrupt
 *	(KVM_IRQFD's resamplefd); -1 if the VMM lowers the line itself, by what ACCESS
 *	says
 */
struct vhost_goldfish_sync_line {
	__s32 call_fd;
	__s32 resample_fd;
};

/**
 * struct vhost_goldfish_sync_doorbell - argument of SET_DOORBELL
 * @offset: GOLDFISH_SYNC_REG_BATCH_COMMAND or GOLDFISH_SYNC_REG_BATCH_GUESTCOMMAND
 * @fd: eventfd that KVM signals when the guest writes anything there; -1 detaches
 *
 * The guest's buffer has been read when the vCPU that rang executes its next
 * instruction.
 */
struct vhost_goldfish_sync_doorbell {
	__u32 offset;
	__s32 fd;
};

/* struct vhost_goldfish_sync_access.flags */
#define VHOST_GOLDFISH_SYNC_ACCESS_WRITE	(1 << 0) /* in */
#define VHOST_GOLDFISH_SYNC_ACCESS_LINE		(1 << 1) /* out: see below */

/**
 * struct vhost_goldfish_sync_access - argument of ACCESS
 * @offset: register, byte offset
 * @flags: in: VHOST_GOLDFISH_SYNC_ACCESS_WRITE or 0, all else zero. out: ACCESS_LINE:
 *	the level of the line now, for a VMM without a resample fd
 * @value: in for a write, out for a read
 * @padding: must be zero
 *
 * Serves an access that reached the VMM as KVM_EXIT_MMIO, to completion.
 */
struct vhost_goldfish_sync_access {
	__u32 offset;
	__u32 flags;
	__u32 value;
	__u32 padding;
};

/**
 * struct vhost_goldfish_sync_run - argument of RUN
 * @run: user address of the vCPU's struct kvm_run
 * @base: guest physical address of the device's registers
 * @vcpu_fd: KVM's file of the vCPU
 * @padding: must be zero
 *
 * Is KVM_RUN, and answers what KVM_RUN answers, but does not return for a read of
 * BATCH_COMMAND: it serves the read and lets the vCPU go on. Such a read has an effect,
 * so no memory can stand in for the register, and KVM has no other way than
 * KVM_EXIT_MMIO to tell of it. EINVAL: the file is not that of a vCPU.
 */
struct vhost_goldfish_sync_run {
	__u64 run;
	__u64 base;
	__s32 vcpu_fd;
	__u32 padding;
};

/**
 * struct vhost_goldfish_sync_stats - argument of GET_STATS
 * @size: in: size of this struct as the caller knows it, out: bytes filled
 * @padding: must be zero
 * @kicks: commands and answers of the guest by doorbell, in the vCPU's thread
 * @kicks_foreign: the same when somebody else rang: in the worker
 * @kicks_lost: rings that nobody served, because the owner was dying or the device
 *	stopped
 * @commands: waits that the guest asked for
 * @replies: answers of the guest that named a command of ours
 * @commands_access: commands and answers through ACCESS
 * @reads: reads of BATCH_COMMAND
 * @reads_access: of these, through ACCESS; all others are RUN's
 * @sent: commands that the guest has read
 * @batches: times the line was raised
 * @resamples: times the guest ended the interrupt
 * @rests: times that commands had to wait for the guest to work off what it had
 * @bad_guest: guest mistakes: bad addresses, unknown commands, answers to nothing, more
 *	waits than there may be
 * @waits: waits, answered or not, that the guest has not heard of yet, now
 * @timelines: the same of timelines that the renderer made
 * @fences: the same of fences
 * @queued: commands for the guest, now
 * @doorbells: doorbells attached now
 */
struct vhost_goldfish_sync_stats {
	__u32 size;
	__u32 padding;
	__u64 kicks;
	__u64 kicks_foreign;
	__u64 kicks_lost;
	__u64 commands;
	__u64 replies;
	__u64 commands_access;
	__u64 reads;
	__u64 reads_access;
	__u64 sent;
	__u64 batches;
	__u64 resamples;
	__u64 rests;
	__u64 bad_guest;
	__u64 waits;
	__u64 timelines;
	__u64 fences;
	__u64 queued;
	__u64 doorbells;
};

/**
 * struct vhost_goldfish_sync_command - argument of COMMAND, of the renderer's file
 * @cmd: GOLDFISH_SYNC_CMD_..., one of those to the guest that is not READY
 * @value: CREATE_FENCE: the time at which the fence is signalled; TIMELINE_INC: by how
 *	much; else must be zero
 * @id: CREATE_TIMELINE: out: the new timeline; CREATE_FENCE: in: the timeline, out: the
 *	new fence; TIMELINE_INC: in: a wait or a fence; DESTROY_TIMELINE: in: a timeline
 *
 * Queues a command for the guest and raises the line. No id is used twice. An id that
 * was incremented or destroyed is no more.
 *
 * CREATE_TIMELINE and CREATE_FENCE are answered by the guest, which an event tells; until
 * then nothing can be done with the new id (EBUSY). EBUSY, too: a timeline with fences
 * that were not incremented cannot be destroyed.
 */
struct vhost_goldfish_sync_command {
	__u32 cmd;
	__u32 value;
	__u64 id;
};

/* struct vhost_goldfish_sync_event.type */
#define VHOST_GOLDFISH_SYNC_EVENT_WAIT		1 /* the guest asks for a wait */
#define VHOST_GOLDFISH_SYNC_EVENT_TIMELINE	2 /* the guest has made a timeline */
#define VHOST_GOLDFISH_SYNC_EVENT_FENCE		3 /* the guest has made a fence */
#define VHOST_GOLDFISH_SYNC_EVENT_RESET		4 /* a driver begins: all ids are no more */

/**
 * struct vhost_goldfish_sync_event - what read() of the renderer's file returns
 * @type: VHOST_GOLDFISH_SYNC_EVENT_...
 * @result: TIMELINE, FENCE: 0, or -1: the guest could not, and the id is no more; a
 *	fence's is the number of its file in the guest
 * @id: names the wait, timeline or fence in COMMAND
 * @glsync: WAIT: what is to be waited for, as the guest says
 * @thread: WAIT: who waits, as the guest says
 * @timeline: WAIT, TIMELINE: the guest's name of the timeline; of no use but to be shown
 *
 * read() returns whole events and waits for the first, unless the file is non-blocking;
 * it returns 0 when the device is no more. poll() tells when there are events, and so
 * does the eventfd of SET_EVENTFD: it is signalled for each. What was incremented before
 * its event was read is no event any more, so a read() after poll() may find none.
 */
struct vhost_goldfish_sync_event {
	__u32 type;
	__s32 result;
	__u64 id;
	__u64 glsync;
	__u64 thread;
	__u64 timeline;
};

/* Version of the fields below. A number is never used for anything else. */
#define VHOST_GOLDFISH_SYNC_STATE_VERSION	1

/* Bytes of a state, at most. */
#define VHOST_GOLDFISH_SYNC_STATE_MAX	(1 << 19)

/**
 * struct vhost_goldfish_sync_state_device - what a state begins with
 * @host_gpa: where the guest has the host command buffer
 * @guest_gpa: where it has the guest command buffer
 * @next_id: greater than all ids so far
 * @ready: a driver has begun
 * @raised: the guest has not ended the interrupt
 * @items: how many struct vhost_goldfish_sync_state_item follow, by their ids
 * @padding: 0
 *
 * All numbers of a state are little endian.
 */
struct vhost_goldfish_sync_state_device {
	__le64 host_gpa;
	__le64 guest_gpa;
	__le64 next_id;
	__le32 ready;
	__le32 raised;
	__le32 items;
	__le32 padding;
};

/* struct vhost_goldfish_sync_state_item.kind */
#define VHOST_GOLDFISH_SYNC_STATE_WAIT		1
#define VHOST_GOLDFISH_SYNC_STATE_TIMELINE	2
#define VHOST_GOLDFISH_SYNC_STATE_FENCE		3

/* struct vhost_goldfish_sync_state_item.state */
#define VHOST_GOLDFISH_SYNC_STATE_QUEUED	1 /* a command waits for the guest */
#define VHOST_GOLDFISH_SYNC_STATE_SENT		2 /* the guest's answer is waited for */
#define VHOST_GOLDFISH_SYNC_STATE_LIVE		3 /* it is the renderer's turn */

/**
 * struct vhost_goldfish_sync_state_item - a wait, a timeline or a fence
 * @id: greater than that of the item before
 * @handle: the guest's name of the timeline, or 0
 * @timeline: FENCE, unless its increment is queued: the id of its timeline, which is
 *	LIVE; else 0
 * @kind: VHOST_GOLDFISH_SYNC_STATE_WAIT and so on
 * @state: VHOST_GOLDFISH_SYNC_STATE_QUEUED and so on
 * @cmd: QUEUED: the command; else 0
 * @value: QUEUED: its number; FENCE: when it is signalled
 * @now: TIMELINE: what it was incremented to
 * @turn: QUEUED: place among the queued, from 1 on; else 0
 */
struct vhost_goldfish_sync_state_item {
	__le64 id;
	__le64 handle;
	__le64 timeline;
	__le32 kind;
	__le32 state;
	__le32 cmd;
	__le32 value;
	__le32 now;
	__le32 turn;
};

/**
 * struct vhost_goldfish_sync_state - argument of GET_STATE and SET_STATE
 * @data: user address of the state
 * @size: GET_STATE: in: room there, out: bytes of the state, also when the answer is
 *	ENOSPC; SET_STATE: bytes there
 * @version: GET_STATE: out; SET_STATE: VHOST_GOLDFISH_SYNC_STATE_VERSION
 *
 * What the module keeps of a guest, for a snapshot. Both answer EBUSY unless the device
 * was stopped (SET_RUNNING 0), which is when nothing is in flight.
 *
 * GET_STATE changes nothing; the guest may go on afterwards. SET_STATE is for a device
 * that has no waits, timelines or fences (else EBUSY), and makes it what was saved. The
 * renderer does not come with the state: what it had to answer is answered as its last
 * close would. EINVAL: a field is wrong; EOPNOTSUPP: a version that this kernel does not
 * know. After an error the device is as it was.
 */
struct vhost_goldfish_sync_state {
	__u64 data;
	__u32 size;
	__u32 version;
};

#define VHOST_GOLDFISH_SYNC_SET_LINE \
	_IOW(VHOST_VIRTIO, 0xe0, struct vhost_goldfish_sync_line)
#define VHOST_GOLDFISH_SYNC_SET_DOORBELL \
	_IOW(VHOST_VIRTIO, 0xe1, struct vhost_goldfish_sync_doorbell)
#define VHOST_GOLDFISH_SYNC_ACCESS \
	_IOWR(VHOST_VIRTIO, 0xe2, struct vhost_goldfish_sync_access)
#define VHOST_GOLDFISH_SYNC_RUN \
	_IOW(VHOST_VIRTIO, 0xe3, struct vhost_goldfish_sync_run)
#define VHOST_GOLDFISH_SYNC_GET_STATS \
	_IOWR(VHOST_VIRTIO, 0xe4, struct vhost_goldfish_sync_stats)
/* Returns the renderer's file, close-on-exec and blocking. There is one at a time. */
#define VHOST_GOLDFISH_SYNC_RENDERER	_IO(VHOST_VIRTIO, 0xe5)

/* Of the renderer's file, which any process may use that has it. */
#define VHOST_GOLDFISH_SYNC_COMMAND \
	_IOWR(VHOST_VIRTIO, 0xe6, struct vhost_goldfish_sync_command)
/* An eventfd that is signalled for each event; -1 for none. */
#define VHOST_GOLDFISH_SYNC_SET_EVENTFD \
	_IOW(VHOST_VIRTIO, 0xe7, int)

/*
 * 0 stops the device, 1 lets it go on, which it does from SET_OWNER on. The VMM stops its
 * vCPUs first. SET_RUNNING 0 has what was rung for before served first. When it returns,
 * no command of the guest runs, and until SET_RUNNING 1 none begins: ACCESS answers EBUSY,
 * a ring of a doorbell is lost (and counted in @kicks_lost), RUN returns for each exit,
 * and nothing is announced to the guest. Commands of the renderer are queued.
 */
#define VHOST_GOLDFISH_SYNC_SET_RUNNING \
	_IOW(VHOST_VIRTIO, 0xe8, int)
#define VHOST_GOLDFISH_SYNC_GET_STATE \
	_IOWR(VHOST_VIRTIO, 0xe9, struct vhost_goldfish_sync_state)
#define VHOST_GOLDFISH_SYNC_SET_STATE \
	_IOW(VHOST_VIRTIO, 0xea, struct vhost_goldfish_sync_state)

#endif /* _UAPI_LINUX_VHOST_GOLDFISH_SYNC_H */
