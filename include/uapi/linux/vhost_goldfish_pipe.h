/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * /dev/vhost-goldfish-pipe: one open file serves the goldfish pipe of one
 * guest, in protocol v2 or v1 as its driver wants (linux/goldfish_pipe.h).
 *
 * Order of life: VHOST_SET_OWNER, VHOST_SET_MEM_TABLE (again whenever guest
 * memory changes), then any of the ioctls below. Of linux/vhost.h the file
 * also answers VHOST_RESET_OWNER, VHOST_GET_FEATURES and VHOST_SET_FEATURES
 * (no feature bit exists), and VHOST_GET_BACKEND_FEATURES.
 *
 * Services that are not built in are other processes'. The owner asks for a
 * file of services (SERVICES) and hands it on, or keeps it; whoever has it
 * registers names, is told of each open of them, and answers with a socket, a
 * pair of rings in shared memory, or a refusal:
 *
 *	guest		writes `pipe:<name>[:<args>]`; its pipe is open now, but
 *			takes and gives nothing
 *	service		read()s the event OPEN, and ANSWERs
 *	guest		is woken: its bytes go to and come from the socket or the
 *			rings; or the pipe is hung up
 *
 * The last close of a file of services takes its names and all their pipes with
 * it: the guest sees them hung up. So a process that hands the file on closes
 * its own. The end of the device or of its owner, or another owner, ends the
 * file: read() and poll() tell, all else answers ENODEV.
 *
 * What each errno means, everywhere:
 *	EPERM		no owner yet, or the caller is not the owner's process
 *	EINTR		the caller was killed while it waited for another ioctl
 *	EBUSY		there is an owner already; that doorbell is taken; the device
 *			does not run, or must not (SET_RUNNING)
 *	EINVAL		an argument is out of range, or a field that must be
 *			zero is not; a name is none
 *	EFAULT		the argument, or memory that it names, cannot be accessed
 *	EBADF		not an open file; EINVAL if it is not an eventfd
 *	ENOENT		no such pipe, no such doorbell, no such open, no region
 *	EEXIST		there is a service of that name
 *	ENOSPC		as many services, or files of a region, as there may be; no room
 *			for the state
 *	ENODEV		the device or its owner is no more, or it has another
 *	EALREADY	the pipe has been answered
 *	ENOTSOCK	not a socket
 *	EPROTONOSUPPORT	not a stream socket of TCP or AF_UNIX, or TCP with something on
 *			top, like TLS
 *	ENOTCONN	the socket is not connected
 *	EAGAIN		no event, and the file is non-blocking
 *	EMFILE		the process has as many files as it may have; too many
 *			sockets of closed pipes are still held by others
 *	EPIPE		the guest has closed the pipe that the rings were of
 *	EOPNOTSUPP	this kernel cannot do it (no synchronous doorbell; no KVM; no
 *			sockets; the state of a driver of protocol v1, or of a newer
 *			version)
 *	ENOMEM		out of memory; open: 1024 kernel threads wait for those who keep
 *			sockets of this user's devices
 *	ENOIOCTLCMD	seen as ENOTTY: not an ioctl of this file
 */
#ifndef _UAPI_LINUX_VHOST_GOLDFISH_PIPE_H
#define _UAPI_LINUX_VHOST_GOLDFISH_PIPE_H

#include <linux/types.h>
#include <linux/ioctl.h>
#include <linux/vhost.h>

/* Pipe ids are below this. OPEN of any other id is refused with NOMEM. */
#define VHOST_GOLDFISH_PIPE_MAX_ID	4096

/* VHOST_GET_BACKEND_FEATURES: VHOST_GOLDFISH_PIPE_SET_DOORBELL works. */
#define VHOST_GOLDFISH_PIPE_F_DOORBELL	63
/* The same: VHOST_GOLDFISH_PIPE_SET_LINE_VM does. */
#define VHOST_GOLDFISH_PIPE_F_LINE_VM	62
/* The same: VHOST_GOLDFISH_PIPE_RUN does. */
#define VHOST_GOLDFISH_PIPE_F_RUN	61

/**
 * struct vhost_goldfish_pipe_window - argument of SET_WINDOW
 * @uaddr: page-aligned user address of the page that the guest reads as the
 *	device's first register page (a read-only memslot); 0 for none
 *
 * With a window the module keeps VERSION and GET_SIGNALLED up to date in it and
 * fills the signal buffer before it raises the line. Without one, both registers are
 * read through ACCESS and a read of GET_SIGNALLED fills the signal buffer. It is of use
 * in protocol v2 only: see ACCESS_V1.
 *
 * The page is kept in memory until another one is set, RESET_OWNER, or the last close;
 * what is mapped at @uaddr afterwards is not written.
 *
 * EFAULT: there is no page, it cannot be written, or not be kept for long. EINVAL: SET_LINE
 * says that the VMM lowers the line, or SET_LINE_VM has given a VM: with a window the end of
 * an interrupt is taken for that of a batch, and the IOAPIC has ends that are not.
 */
struct vhost_goldfish_pipe_window {
	__u64 uaddr;
};

/**
 * struct vhost_goldfish_pipe_line - argument of SET_LINE
 * @call_fd: eventfd that raises the line (KVM_IRQFD's fd); -1 for none
 * @resample_fd: eventfd that is signalled when the guest ends the interrupt
 *	(KVM_IRQFD's resamplefd); -1 if the VMM lowers the line itself, by what
 *	ACCESS says, in which case a window must not be set
 */
struct vhost_goldfish_pipe_line {
	__s32 call_fd;
	__s32 resample_fd;
};

/* Bytes at struct vhost_goldfish_pipe_line_vm.uaddr. */
#define VHOST_GOLDFISH_PIPE_LINE_MEMORY	16

/**
 * struct vhost_goldfish_pipe_line_vm - argument of SET_LINE_VM
 * @vm_fd: KVM's file of the VM; -1 for none
 * @gsi: what SET_LINE's @call_fd raises: a pin of KVM's IOAPIC and of nothing else
 * @uaddr: VHOST_GOLDFISH_PIPE_LINE_MEMORY bytes of the owner's, aligned to 8, which the
 *	module writes at any time; not looked at without a VM
 *
 * Lets the module raise the line by KVM_IRQ_LINE in the threads of the owner's, beside the
 * eventfd. On x86 KVM hands the eventfd's signal to another thread first, which costs more
 * than all else of an interrupt. A line without a resample fd is not raised so.
 *
 * EINVAL: there is a window. It is not KVM's file of a VM. @uaddr is not aligned.
 *
 * The file is kept until another call, RESET_OWNER, the last close, or the end of the
 * owner's process; a VM that is to end has to be taken away first. A thread that is raising
 * the line at that moment uses the file and @uaddr until it is through; @uaddr has to stay
 * until no vCPU runs, or the pin may stay up.
 */
struct vhost_goldfish_pipe_line_vm {
	__s32 vm_fd;
	__u32 gsi;
	__u64 uaddr;
};

/**
 * struct vhost_goldfish_pipe_doorbell - argument of SET_DOORBELL
 * @id: pipe id, below VHOST_GOLDFISH_PIPE_MAX_ID
 * @fd: eventfd that KVM signals when the guest writes @id to CMD; -1 detaches
 *
 * The command has run when the vCPU that rang executes its next instruction.
 * A doorbell outlives the pipe: it also serves CLOSE and the next OPEN of @id.
 */
struct vhost_goldfish_pipe_doorbell {
	__u32 id;
	__s32 fd;
};

/* struct vhost_goldfish_pipe_access.flags */
#define VHOST_GOLDFISH_PIPE_ACCESS_WRITE	(1 << 0) /* in */
#define VHOST_GOLDFISH_PIPE_ACCESS_OPEN		(1 << 1) /* out: see below */
#define VHOST_GOLDFISH_PIPE_ACCESS_LINE		(1 << 2) /* out: see below */
#define VHOST_GOLDFISH_PIPE_ACCESS_V1		(1 << 3) /* out: see below */

/**
 * struct vhost_goldfish_pipe_access - argument of ACCESS
 * @offset: register, byte offset
 * @flags: in: VHOST_GOLDFISH_PIPE_ACCESS_WRITE or 0, all else zero.
 *	out: ACCESS_OPEN: a CMD write left a pipe open under the id that was
 *	written, so that this is the time to give it a doorbell;
 *	ACCESS_LINE: the level of the line now, for a VMM without a resample fd;
 *	ACCESS_V1: protocol v1 is in force, as it is until a driver writes
 *	VERSION: all of its reads must trap, so the guest must not see the
 *	window. Only writes of VERSION change it
 * @value: in for a write, out for a read
 * @padding: must be zero
 *
 * Serves an access that reached the VMM as KVM_EXIT_MMIO. A write to CMD runs
 * the command to completion before the ioctl returns.
 */
struct vhost_goldfish_pipe_access {
	__u32 offset;
	__u32 flags;
	__u32 value;
	__u32 padding;
};

/**
 * struct vhost_goldfish_pipe_run - argument of RUN
 * @run: user address of the vCPU's struct kvm_run
 * @base: guest physical address of the device's registers
 * @sync: 0, or user address of the struct vhost_goldfish_sync_run for @fd
 * @fd: KVM's file of the vCPU; if @sync is not 0, a file of /dev/vhost-goldfish-sync
 * @padding: must be zero
 *
 * Is KVM_RUN, and answers what KVM_RUN answers, but does not return for a read of a
 * register: it serves the read and lets the vCPU go on. Without a window no memory is mapped
 * where the registers are, so KVM finds the doorbell of a command without a page fault; and
 * what was announced is the guest's until it reads GET_SIGNALLED, not until it ends the
 * interrupt. Reads return as long as the line has no resample fd.
 *
 * With @sync it is VHOST_GOLDFISH_SYNC_RUN instead of KVM_RUN, so that both devices serve
 * their reads. EINVAL: the file is not that of a vCPU. A security module, or seccomp, does not
 * see the calls that are made so.
 */
struct vhost_goldfish_pipe_run {
	__u64 run;
	__u64 base;
	__u64 sync;
	__s32 fd;
	__u32 padding;
};

/**
 * struct vhost_goldfish_pipe_stats - argument of GET_STATS
 * @size: in: sizeof of the caller's struct; out: bytes filled
 * @padding: must be zero
 * @kicks: doorbell rings served in the vCPU's thread
 * @kicks_foreign: doorbell rings handed to the worker: the eventfd was written
 *	by another process or by a kernel thread
 * @kicks_lost: rings dropped because the owner was dying, or the device stopped
 * @commands: commands run, by any way
 * @commands_access: commands run by ACCESS
 * @opens: pipes opened
 * @closes: pipes closed by the guest
 * @bytes_to_host: moved by WRITE
 * @bytes_to_guest: moved by READ
 * @signals: wakes put on the list of signalled pipes
 * @batches: times the line was raised
 * @resamples: times the guest ended the interrupt
 * @bad_guest: guest mistakes: bad addresses, ids, counts, unknown commands
 * @pipes: pipes open now
 * @doorbells: doorbells attached now
 * @dma: regions that the guest has mapped now
 * @line_vm: times the line was raised by SET_LINE_VM's VM
 */
struct vhost_goldfish_pipe_stats {
	__u32 size;
	__u32 padding;
	__u64 kicks;
	__u64 kicks_foreign;
	__u64 kicks_lost;
	__u64 commands;
	__u64 commands_access;
	__u64 opens;
	__u64 closes;
	__u64 bytes_to_host;
	__u64 bytes_to_guest;
	__u64 signals;
	__u64 batches;
	__u64 resamples;
	__u64 bad_guest;
	__u64 pipes;
	__u64 doorbells;
	__u64 dma;
	__u64 line_vm;
};

/* Services of one device, not counting those that are built in. */
#define VHOST_GOLDFISH_PIPE_MAX_SERVICES	256

/* A name or arguments, NUL included. More the guest has no way to ask for. */
#define VHOST_GOLDFISH_PIPE_NAME_SIZE	128

/**
 * struct vhost_goldfish_pipe_service - argument of ADD_SERVICE
 * @flags: must be zero
 * @padding: must be zero
 * @name: what the guest writes behind `pipe:`, 1 to 122 bytes and a NUL
 *
 * A name with a colon in it stands for that text as a whole and has no
 * arguments: `unix:/tmp/x` serves `pipe:unix:/tmp/x` and nothing that is longer.
 * For `pipe:qemud:<x>[:<args>]` a service `qemud:<x>` is looked for, then
 * `qemud`, whose arguments are `<x>[:<args>]`. The names of built-in services
 * are taken.
 */
struct vhost_goldfish_pipe_service {
	__u32 flags;
	__u32 padding;
	char name[VHOST_GOLDFISH_PIPE_NAME_SIZE];
};

/* struct vhost_goldfish_pipe_event.type */
#define VHOST_GOLDFISH_PIPE_EVENT_OPEN	1

/* struct vhost_goldfish_pipe_event.flags: there was a colon behind the name */
#define VHOST_GOLDFISH_PIPE_EVENT_ARGS	(1 << 0)

/**
 * struct vhost_goldfish_pipe_event - what read() of a file of services returns
 * @type: VHOST_GOLDFISH_PIPE_EVENT_OPEN: the guest has opened a pipe
 * @id: the pipe's id
 * @open: names this open in ANSWER; no other open of this device has it
 * @flags: VHOST_GOLDFISH_PIPE_EVENT_ARGS or 0
 * @padding: 0
 * @name: the service, as it was registered, and a NUL
 * @args: what the guest wrote behind the name's colon, and a NUL
 *
 * read() returns whole events and waits for the first, unless the file is
 * non-blocking; it returns 0 when the device is no more. poll() tells when there
 * are events. An open that the guest has taken back is no event any more, so a
 * read() after poll() may find none.
 */
struct vhost_goldfish_pipe_event {
	__u32 type;
	__u32 id;
	__u64 open;
	__u32 flags;
	__u32 padding;
	char name[VHOST_GOLDFISH_PIPE_NAME_SIZE];
	char args[VHOST_GOLDFISH_PIPE_NAME_SIZE];
};

/**
 * struct vhost_goldfish_pipe_answer - argument of ANSWER
 * @open: the event's
 * @fd: a connected stream socket, TCP or AF_UNIX, which the caller is to close
 *	afterwards; -1: hang up the pipe, answered before or not
 * @padding: must be zero
 *
 * As long as anybody else holds the socket (a copy that was not closed, a child, a file
 * in flight), the pipe is as if it had not been answered: a holder could keep the
 * socket's lock, and the guest's CPU waits for nobody. It begins when they have closed
 * it. SO_LINGER has no effect but for a time of 0, which resets. Files that the other
 * end sends along end the stream.
 *
 * ENOENT: the guest has closed the pipe, or it is no open of this file's
 * services.
 */
struct vhost_goldfish_pipe_answer {
	__u64 open;
	__s32 fd;
	__u32 padding;
};

/* Bytes of one ring: a power of two between these. */
#define VHOST_GOLDFISH_PIPE_RING_MIN	(1 << 12)
#define VHOST_GOLDFISH_PIPE_RING_MAX	(1 << 24)

/* Where in the file of a pair of rings its parts begin; all are of whole pages. */
#define VHOST_GOLDFISH_PIPE_RING_CONTROL	0
#define VHOST_GOLDFISH_PIPE_RING_TO_HOST	(1 << 16)
#define VHOST_GOLDFISH_PIPE_RING_TO_GUEST	(1 << 28)

/**
 * struct vhost_goldfish_pipe_ring_end - what one end of a ring tells the other
 * @position: bytes that this end has moved since the beginning, modulo 2^32
 * @wake_at: tell this end when the other's position goes beyond this
 * @closed: not 0: this end moves no more bytes
 * @padding: 0
 *
 * Written by this end and read by the other. It has cache lines of its own.
 */
struct vhost_goldfish_pipe_ring_end {
	__u32 position;
	__u32 wake_at;
	__u32 closed;
	__u32 padding[29];
};

/**
 * struct vhost_goldfish_pipe_ring_way - a ring: bytes in one direction
 * @producer: who puts bytes in
 * @consumer: who takes them out
 *
 * Byte number n is at n modulo the ring's size. The bytes between the
 * consumer's position and the producer's are there, never more than the ring
 * has room for; an end that says otherwise is not believed, and the pipe fails.
 */
struct vhost_goldfish_pipe_ring_way {
	struct vhost_goldfish_pipe_ring_end producer;
	struct vhost_goldfish_pipe_ring_end consumer;
};

/**
 * struct vhost_goldfish_pipe_ring_control - the first part of the file
 * @to_host: what the guest writes; the service is the consumer
 * @to_guest: what the guest reads; the service is the producer
 *
 * To move bytes, an end looks at the other's position (an acquire), copies, and
 * stores its own (a release). Neither takes a system call. Then it puts a full
 * barrier and looks at the other's @wake_at: if its position went beyond that by
 * this very step, that is
 *
 *	new - wake_at - 1 < new - old	(modulo 2^32)
 *
 * the other is told: the service by its eventfd, the module by RING_KICK. To
 * sleep, an end stores @wake_at (the other's position as it saw it), puts a full
 * barrier, looks once more whether there is something to do, and only then
 * sleeps. As long as an end does not ask, nobody tells it anything.
 *
 * In the beginning everything is 0: the first byte is told.
 */
struct vhost_goldfish_pipe_ring_control {
	struct vhost_goldfish_pipe_ring_way to_host;
	struct vhost_goldfish_pipe_ring_way to_guest;
};

/**
 * struct vhost_goldfish_pipe_ring - argument of ANSWER_RING
 * @open: the event's
 * @to_host_size: bytes of the ring that the guest writes to
 * @to_guest_size: bytes of the ring that the guest reads from
 * @wake_fd: eventfd that is signalled to wake the service, which may use one for
 *	many pipes, and may close it afterwards
 * @padding: must be zero
 *
 * Returns a new file, close-on-exec: mmap(), MAP_SHARED, each part at its offset
 * above. What is mapped can be any pages of one part, so that a ring of a page or
 * more can be mapped twice in a row and is never cut in two by its end. The memory
 * is the kernel's, charged to the caller's memory cgroup.
 *
 * The last close of the file (a mapping counts) is the service's end of the
 * pipe: the guest reads what is left, then gets IO. The guest's end sets @closed
 * of the module's ends and signals the eventfd.
 *
 * Errors are those of ANSWER.
 */
struct vhost_goldfish_pipe_ring {
	__u64 open;
	__u32 to_host_size;
	__u32 to_guest_size;
	__s32 wake_fd;
	__u32 padding;
};

/* Regions that a guest may have mapped at once, all pipes together. */
#define VHOST_GOLDFISH_PIPE_MAX_DMA	1024

/* Files and mappings of one region, all processes together. */
#define VHOST_GOLDFISH_PIPE_MAX_DMA_FILES	8
#define VHOST_GOLDFISH_PIPE_MAX_DMA_MAPPINGS	16

/**
 * struct vhost_goldfish_pipe_dma - argument of GET_DMA
 * @open: in: the event's
 * @gpa: in: a guest physical address, as the guest has told it over the pipe;
 *	out: where the region that it lies in begins
 * @size: in: must be zero; out: bytes of the region
 * @fd: out: a new file, close-on-exec, for mmap() with MAP_SHARED and poll()
 * @padding: must be zero
 *
 * Gives access to a region of guest memory that the guest has mapped for this
 * very pipe (DMA_MAPHOST), and to nothing else of it; offset 0 of the file is
 * @gpa. The memory is the guest's own, which may change it at any time: read
 * what matters once.
 *
 * The region ends when the guest unmaps it, closes the pipe or starts anew, and
 * when the device or its owner is gone. poll() tells POLLHUP then. What was
 * mapped stays mapped, but shows zeroed memory that is nobody's: a guest cannot
 * kill a service by taking memory back under it.
 *
 * A region has MAX_DMA_FILES files and MAX_DMA_MAPPINGS mappings: beyond that GET_DMA
 * answers ENOSPC, and what would make another mapping (mmap(), or cutting one in two)
 * ENOMEM. A child process does not inherit mappings; it can map the file itself.
 *
 * If the owner punches a hole into the guest's memory, the guest has new memory there;
 * mappings show that after the next GET_DMA of the region, and what was there before
 * until then. Of private memory, whose pages are pinned by DMA_MAPHOST, they show what was
 * there before until the region ends.
 *
 * ENOENT: the guest has mapped no such region for that pipe.
 */
struct vhost_goldfish_pipe_dma {
	__u64 open;
	__u64 gpa;
	__u64 size;
	__s32 fd;
	__u32 padding;
};

/* Version of the fields below. A number is never used for anything else. */
#define VHOST_GOLDFISH_PIPE_STATE_VERSION	1

/* Bytes of a state, at most: all bytes that rings may have, and all pipes. */
#define VHOST_GOLDFISH_PIPE_STATE_MAX	(80 << 20)

/* Fields of a state: one DEVICE, then the open pipes by their ids. Each pipe is one PIPE. */
#define VHOST_GOLDFISH_PIPE_STATE_DEVICE	1
#define VHOST_GOLDFISH_PIPE_STATE_PIPE		2
#define VHOST_GOLDFISH_PIPE_STATE_BYTES		3 /* behind a PIPE that says so */

/**
 * struct vhost_goldfish_pipe_field - what each field of a state begins with
 * @tag: VHOST_GOLDFISH_PIPE_STATE_...
 * @length: bytes that follow; the next field begins at a multiple of 8
 *
 * All numbers of a state are little endian.
 */
struct vhost_goldfish_pipe_field {
	__le32 tag;
	__le32 length;
};

/**
 * struct vhost_goldfish_pipe_state_device - the field DEVICE
 * @open_gpa: where the guest has its open parameters
 * @signal_gpa: where it has its signal buffer
 * @signal_count: entries of that
 * @version: what VERSION answers, 1 or 2
 * @open_set: the guest has written OPEN_BUFFER
 * @published: entries of the batch that the guest was told of
 * @raised: that batch, or what a register will tell, is not acknowledged
 * @pipes: how many fields PIPE follow
 */
struct vhost_goldfish_pipe_state_device {
	__le64 open_gpa;
	__le64 signal_gpa;
	__le32 signal_count;
	__le32 version;
	__le32 open_set;
	__le32 published;
	__le32 raised;
	__le32 pipes;
};

/* struct vhost_goldfish_pipe_state_pipe.flags: the pipe is hung up; a BYTES follows. */
#define VHOST_GOLDFISH_PIPE_STATE_HUNG_UP	(1 << 0)
#define VHOST_GOLDFISH_PIPE_STATE_HAS_BYTES	(1 << 1)

/**
 * struct vhost_goldfish_pipe_state_pipe - the field PIPE
 * @command_gpa: where the guest has the command buffer
 * @id: the pipe's id; greater than that of the PIPE before
 * @max_buffers: as the guest said when it opened the pipe
 * @armed: GOLDFISH_PIPE_WAKE_READ and _WRITE that somebody in the guest waits for
 * @fired: GOLDFISH_PIPE_WAKE_* that the guest was not told yet
 * @turn: place among those that have something to tell, from 1 on; 0 without @fired
 * @flags: VHOST_GOLDFISH_PIPE_STATE_...
 * @service: who serves it, filled up with zeros; empty for a pipe that is hung up
 *
 * A service that can be saved is built in: the connector, whose BYTES are what the guest
 * has written of the name so far, zero, and pingpong, whose BYTES are what it has to give
 * back. Any other pipe, and one with DMA regions, is saved as a pipe that is hung up and
 * whose guest has yet to be told so.
 */
struct vhost_goldfish_pipe_state_pipe {
	__le64 command_gpa;
	__le32 id;
	__le32 max_buffers;
	__le32 armed;
	__le32 fired;
	__le32 turn;
	__le32 flags;
	char service[16];
};

/**
 * struct vhost_goldfish_pipe_state - argument of GET_STATE and SET_STATE
 * @data: user address of the fields
 * @size: GET_STATE: in: room there, out: bytes of the state, also when the answer is
 *	ENOSPC; SET_STATE: bytes there
 * @version: GET_STATE: out; SET_STATE: VHOST_GOLDFISH_PIPE_STATE_VERSION
 *
 * What the module keeps of a guest, for a snapshot. Both answer EBUSY unless the device
 * was stopped (SET_RUNNING 0), which is when nothing is in flight.
 *
 * GET_STATE changes nothing; the guest may go on afterwards. EOPNOTSUPP: a driver that
 * speaks protocol v1 has pipes.
 *
 * SET_STATE is for a device without open pipes (else EBUSY) that has the guest's memory,
 * and makes it what was saved: pipes are open again, wakes are armed, and a batch that
 * the guest had not acknowledged is announced again on the line, which is to be set
 * before. EINVAL: a field is wrong; EOPNOTSUPP: a version that this kernel does not know.
 * After an error the device is as if no driver had begun.
 */
struct vhost_goldfish_pipe_state {
	__u64 data;
	__u32 size;
	__u32 version;
};

#define VHOST_GOLDFISH_PIPE_SET_WINDOW \
	_IOW(VHOST_VIRTIO, 0xc0, struct vhost_goldfish_pipe_window)
#define VHOST_GOLDFISH_PIPE_SET_LINE \
	_IOW(VHOST_VIRTIO, 0xc1, struct vhost_goldfish_pipe_line)
#define VHOST_GOLDFISH_PIPE_SET_DOORBELL \
	_IOW(VHOST_VIRTIO, 0xc2, struct vhost_goldfish_pipe_doorbell)
#define VHOST_GOLDFISH_PIPE_ACCESS \
	_IOWR(VHOST_VIRTIO, 0xc3, struct vhost_goldfish_pipe_access)
/* Closes a pipe from the host's side; the argument is its id. */
#define VHOST_GOLDFISH_PIPE_HANG_UP \
	_IOW(VHOST_VIRTIO, 0xc4, __u32)
#define VHOST_GOLDFISH_PIPE_GET_STATS \
	_IOWR(VHOST_VIRTIO, 0xc5, struct vhost_goldfish_pipe_stats)
/* Returns a new file of services, close-on-exec and blocking. */
#define VHOST_GOLDFISH_PIPE_SERVICES	_IO(VHOST_VIRTIO, 0xc6)

/* Of a file of services, which any process may use that has it. */
#define VHOST_GOLDFISH_PIPE_ADD_SERVICE \
	_IOW(VHOST_VIRTIO, 0xc7, struct vhost_goldfish_pipe_service)
#define VHOST_GOLDFISH_PIPE_ANSWER \
	_IOW(VHOST_VIRTIO, 0xc8, struct vhost_goldfish_pipe_answer)

#define VHOST_GOLDFISH_PIPE_ANSWER_RING \
	_IOW(VHOST_VIRTIO, 0xc9, struct vhost_goldfish_pipe_ring)

/* Of the file that ANSWER_RING returns: wakes the guest if it waits. */
#define VHOST_GOLDFISH_PIPE_RING_KICK	_IO(VHOST_VIRTIO, 0xca)

#define VHOST_GOLDFISH_PIPE_GET_DMA \
	_IOWR(VHOST_VIRTIO, 0xcb, struct vhost_goldfish_pipe_dma)
/*
 * Tells the guest that a service is through with its DMA memory: the wake
 * UNLOCK_DMA, asked for or not. The argument is the event's open.
 */
#define VHOST_GOLDFISH_PIPE_UNLOCK_DMA \
	_IOW(VHOST_VIRTIO, 0xcc, __u64)

/*
 * 0 stops the device, 1 lets it go on, which it does from SET_OWNER on. The VMM stops its
 * vCPUs first. SET_RUNNING 0 has what was rung for before served first. When it returns,
 * no command runs, and until SET_RUNNING 1 none begins: ACCESS answers EBUSY, a ring of a
 * doorbell is lost (and counted in @kicks_lost), and nothing is announced to the guest.
 * What services have to tell is announced when the device goes on.
 */
#define VHOST_GOLDFISH_PIPE_SET_RUNNING \
	_IOW(VHOST_VIRTIO, 0xcd, int)
#define VHOST_GOLDFISH_PIPE_GET_STATE \
	_IOWR(VHOST_VIRTIO, 0xce, struct vhost_goldfish_pipe_state)
#define VHOST_GOLDFISH_PIPE_SET_STATE \
	_IOW(VHOST_VIRTIO, 0xcf, struct vhost_goldfish_pipe_state)
#define VHOST_GOLDFISH_PIPE_RUN \
	_IOW(VHOST_VIRTIO, 0xbe, struct vhost_goldfish_pipe_run)
#define VHOST_GOLDFISH_PIPE_SET_LINE_VM \
	_IOW(VHOST_VIRTIO, 0xbf, struct vhost_goldfish_pipe_line_vm)

#endif /* _UAPI_LINUX_VHOST_GOLDFISH_PIPE_H */
