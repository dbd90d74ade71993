/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of vhost_goldfish_pipe.ko share.
 *
 * Locks, outermost first:
 *	pipe_dev.life		SET/RESET_OWNER, GET_STATS; no vCPU takes it
 *	pipe_dev.users		SRCU: the owner's other ioctls; ends before the owner does
 *	pipe_dev.config		ioctls that change the set-up
 *	pipe_v1.lock		registers and commands of protocol v1
 *	pipe.lock		one command of one pipe at a time
 *	pipe_registry.lock	services of other processes, and their pipes
 *	pipe_dma_table.lock	regions of guest memory that services may use
 *	pipe_dma_region.lock	one of these; inside mmap_lock of its users, too
 *	pipe_dev.line.lock	announcing batches; spinlock, interrupts off
 *	pipe_dev.signal_lock	the same kind
 */
#ifndef _VHOST_GOLDFISH_PIPE_PRIVATE_H
#define _VHOST_GOLDFISH_PIPE_PRIVATE_H

#include <linux/atomic.h>
#include <linux/completion.h>
#include <linux/maple_tree.h>
#include <linux/mutex.h>
#include <linux/ranchu.h>
#include <linux/slab.h>
#include <linux/srcu.h>
#include <linux/uio.h>
#include <linux/vhost_goldfish_pipe.h>
#include <linux/xarray.h>

#include "goldfish_pipe_batch.h"
#include "goldfish_pipe_wire.h"

struct pipe;
struct pipe_dma_region;
struct pipe_registry;

/**
 * struct pipe_service - something a guest can open by name
 * @name: as in `pipe:<name>`
 * @open: make @pipe->priv; @args as in struct pipe_target. Return 0 or -errno.
 * @write: take bytes from the guest. Return bytes taken, more than 0, or
 *	-EAGAIN (full: ready(WRITE) will follow), -EIO (broken), -ENOMEM.
 *	A partial transfer is no error.
 * @read: give bytes to the guest. Return bytes given; 0 at the end of the
 *	stream; or -errno as @write.
 * @poll: GOLDFISH_PIPE_POLL_* bits now
 * @close: free what @open made; no call of @pipe's functions after it
 *
 * All are called with @pipe->lock held, vCPU or worker (@close: any process),
 * and may sleep, but a slow one holds up the guest's CPU. A guest's command is
 * one call, however many buffers it has. -EFAULT from @read or @write tells that
 * guest memory was not accessible and nothing was moved.
 *
 * A service calls pipe_ready() *after* it has become readable or writable. It
 * need not know whether anybody waits: the device remembers what was asked for
 * and, having noted it, asks @poll once more, so no wake is lost.
 */
struct pipe_service {
	const char *name;
	int (*open)(struct pipe *pipe, const char *args);
	ssize_t (*write)(struct pipe *pipe, struct iov_iter *from);
	ssize_t (*read)(struct pipe *pipe, struct iov_iter *to);
	u32 (*poll)(struct pipe *pipe);
	void (*close)(struct pipe *pipe);
};

/**
 * enum pipe_caller - who has a command run
 * @PIPE_BY_VCPU: a doorbell, in the thread that rang it
 * @PIPE_BY_WORKER: a doorbell that a stranger rang
 * @PIPE_BY_ACCESS: ACCESS, which tells the VMM the line's level when it returns (see
 *	ranchu_line_update())
 * @PIPE_CALLERS: how many there are
 */
enum pipe_caller {
	PIPE_BY_VCPU,
	PIPE_BY_WORKER,
	PIPE_BY_ACCESS,
	PIPE_CALLERS,
};

/**
 * struct pipe_counts - what the commands of a pipe come to
 * @calls: by enum pipe_caller, in whatever protocol
 * @commands: run, not those of protocol v1
 * @opens: see struct vhost_goldfish_pipe_stats
 * @closes: the same
 * @bytes_to_host: the same
 * @bytes_to_guest: the same
 *
 * Each pipe has its own, so that vCPUs that are busy with different pipes do not
 * write to the same cache lines.
 */
struct pipe_counts {
	u64 calls[PIPE_CALLERS];
	u64 commands;
	u64 opens;
	u64 closes;
	u64 bytes_to_host;
	u64 bytes_to_guest;
};

/**
 * struct pipe - what an id of one guest stands for
 * @dev: the device
 * @id: the id
 * @doorbell: rings for @id; protected by @dev->config
 * @lock: serialises commands; protects the fields down to @counts
 * @service: who serves it; NULL when no pipe is open under this id
 * @priv: the service's
 * @command_gpa: guest physical address of the command buffer
 * @command: where that is in the owner's memory, if @command_memory is
 *	pipe_dev.memory
 * @command_memory: see @command
 * @max_buffers: M, checked
 * @channel: its name in protocol v1
 * @counts: what its commands came to; written under @lock, read by anyone
 * @dma: regions that the guest has mapped for it; @dev->dma.lock
 * @runner: the task that runs a command of this pipe now; only ever compared
 *	with current
 * @signal: what to tell the guest; @dev->signal_lock
 * @hung_up: closed by the host; written under @dev->signal_lock
 *
 * Made when the id is first used and kept until the device stops, so that a
 * doorbell may point at it.
 */
struct pipe {
	struct pipe_dev *dev;
	u32 id;
	struct ranchu_doorbell *doorbell;

	struct mutex lock;	/* one command at a time; see above */
	const struct pipe_service *service;
	void *priv;
	u64 command_gpa;
	struct goldfish_pipe_command __user *command;
	unsigned long command_memory;
	u32 max_buffers;
	u64 channel;
	struct pipe_counts counts;

	struct list_head dma;

	struct task_struct *runner;

	struct pipe_signal signal;
	bool hung_up;
};

/**
 * struct pipe_stats - what is counted for a device and not for each pipe
 * @gone: of pipes that are no more; @life
 * @kicks_lost: struct vhost_goldfish_pipe_stats says what this and the rest count
 * @commands: those of protocol v1, and those of ids that have no struct pipe
 * @commands_access: see @kicks_lost
 * @signals: the same; written under @signal_lock, read by anyone
 * @batches: the same; written under @line.lock, read by anyone
 * @resamples: the same
 * @bad_guest: the same
 */
struct pipe_stats {
	struct pipe_counts gone;
	atomic64_t kicks_lost;
	atomic64_t commands;
	atomic64_t commands_access;
	u64 signals;
	u64 batches;
	atomic64_t resamples;
	atomic64_t bad_guest;
};

/**
 * struct pipe_dma_table - regions that a guest has mapped
 * @lock: protects what follows, and each pipe's list
 * @regions: struct pipe_dma_region by guest physical address; none overlap
 * @n: how many
 */
struct pipe_dma_table {
	struct mutex lock;	/* see above */
	struct maple_tree regions;
	unsigned int n;
};

/**
 * struct pipe_v1 - protocol v1's registers
 * @lock: one access at a time; protects what follows, and keeps the version
 * @channels: struct pipe by channel
 * @regs: what the guest has written and may read
 * @regs.request: the current channel, and the buffer
 * @regs.params: where the parameter block is
 * @regs.status: what the last command answered
 * @regs.wakes: why the channel that was read last was signalled
 * @regs.held: channel whose high half was read, 0 for none
 * @regs.held_wakes: why it was signalled
 */
struct pipe_v1 {
	struct mutex lock;	/* see above */
	struct maple_tree channels;
	struct {
		struct pipe_v1_request request;
		u64 params;
		s32 status;
		u32 wakes;
		u64 held;
		u32 held_wakes;
	} regs;
};

/**
 * struct pipe_dev - the goldfish pipe of one guest; one open file
 * @life: see above
 * @users: see above; who is inside has found @mm to be its own
 * @unused: nobody is in @users who found it so before RESET_OWNER began to wait
 * @unused_rcu: completes @unused
 * @mm: the owner's, NULL without an owner; written under @life, read by anyone
 * @process: the owner's, for ranchu_release(); as @mm
 * @config: see above
 * @mem: guest memory
 * @memory: which memory that is: another number for each; odd while it changes.
 *	Written under @config, read inside ranchu_mem_enter()
 * @worker: for what cannot be done where it arises
 * @line: the interrupt
 * @pipes: struct pipe by id; only grows until the device stops
 * @registry: services of other processes; there while @mm is
 * @version: what VERSION answers: the protocol in force; written under @config
 *	and @v1.lock, read by anyone
 * @v1: protocol v1's
 * @signal_gpa: where the guest says the signal buffer is; as @signal_count under @config
 * @signal_count: its entries, bounded
 * @signals: as much of it as there is; this, @published and @window are protected by
 *	@line.lock
 * @published: entries of the batch that the guest has been told of
 * @open_gpa: open parameters; written under @config, read by anyone
 * @open_set: the guest has written OPEN_BUFFER; the same
 * @stopped: no command runs, and nothing is announced: see SET_RUNNING. Changed with
 *	@config and then @line.lock held; commands look with @v1.lock or their pipe's lock
 *	held, all others with @config's or @line.lock
 * @window: the register window, a page; or nothing
 * @signal_lock: protects @signalled and each pipe's signal state
 * @signalled: pipes to announce, first in first out
 * @dma: guest memory that services may use
 * @ring_bytes: memory of all byte rings beyond the first of each pipe
 * @stats: counters
 * @release: of the file
 */
struct pipe_dev {
	struct mutex life;	/* whose device it is; see above */
	struct srcu_struct users;
	struct completion unused;
	struct rcu_head unused_rcu;
	struct mm_struct *mm;
	struct pid *process;
	struct mutex config;	/* the set-up; see above */
	struct ranchu_mem mem;
	unsigned long memory;
	struct ranchu_worker worker;
	struct ranchu_line line;
	struct xarray pipes;
	struct pipe_registry *registry;

	u32 version;
	struct pipe_v1 v1;
	bool open_set;
	u64 open_gpa;
	u64 signal_gpa;
	u32 signal_count;
	struct ranchu_pin signals;
	u32 published;
	bool stopped;
	struct ranchu_pin window;

	spinlock_t signal_lock;	/* who waits and who is told; see above */
	struct list_head signalled;

	struct pipe_dma_table dma;
	atomic_long_t ring_bytes;
	struct pipe_stats stats;
	struct ranchu_release release;
};

/* struct pipe.command_memory before the first command; no number of a memory. */
#define PIPE_NO_MEMORY ULONG_MAX

/* A counter that a lock protects, and that anyone may read. */
static inline void pipe_count(u64 *counter, u64 more)
{
	WRITE_ONCE(*counter, *counter + more);
}

static inline void pipe_bad_guest(struct pipe_dev *dev)
{
	atomic64_inc(&dev->stats.bad_guest);
}

/* goldfish_pipe_cmd.c */
struct pipe *pipe_get(struct pipe_dev *dev, u32 id);
void pipe_command(struct pipe *pipe, enum pipe_caller caller);
bool pipe_command_access(struct pipe_dev *dev, u32 id);
int pipe_open(struct pipe *pipe);
s32 pipe_poll(struct pipe *pipe);
void pipe_close(struct pipe *pipe);
void pipe_close_all(struct pipe_dev *dev);

/* goldfish_pipe_move.c */
ssize_t pipe_move_one(struct pipe *pipe, u64 gpa, u32 size, bool write);

/* goldfish_pipe_stats.c */
void pipe_stats_add(struct pipe_counts *sum, const struct pipe_counts *counts);
void pipe_stats_get(struct pipe_dev *dev, struct vhost_goldfish_pipe_stats *stats);

/* goldfish_pipe.c */
int pipe_config_enter(struct pipe_dev *dev);
void pipe_config_leave(struct pipe_dev *dev, int idx);

/* goldfish_pipe_regs.c */
void pipe_regs_write(struct pipe_dev *dev, u32 offset, u32 value);
u32 pipe_regs_read(struct pipe_dev *dev, u32 offset);
void pipe_window_set(struct pipe_dev *dev, struct ranchu_pin *window);
void pipe_window_put(struct pipe_dev *dev, u32 offset, u32 value);

/* goldfish_pipe_v1.c */
void pipe_v1_init(struct pipe_dev *dev);
void pipe_v1_forget(struct pipe_dev *dev);
bool pipe_v1_write(struct pipe_dev *dev, u32 offset, u32 value,
		   enum pipe_caller caller);
bool pipe_v1_read(struct pipe_dev *dev, u32 offset, u32 *value);

/* goldfish_pipe_signal.c */
void pipe_ready(struct pipe *pipe, u32 poll_bits);
void pipe_arm(struct pipe *pipe, u32 wake);
void pipe_hang_up(struct pipe *pipe);
void pipe_hang_up_again(struct pipe *pipe);
void pipe_unlock_dma(struct pipe *pipe);
void pipe_signal_forget(struct pipe *pipe);
void pipe_signal_recall(struct pipe *pipe);
void pipe_signal_place(struct pipe_dev *dev);
bool pipe_signal_waiting(struct pipe_dev *dev);
bool pipe_signal_publish(struct ranchu_line *line, bool ended);
void pipe_signal_resampled(struct ranchu_line *line);
u32 pipe_signal_fetch(struct pipe_dev *dev);
bool pipe_signal_fetch_one(struct pipe_dev *dev, struct goldfish_pipe_signal *signal);

/* goldfish_pipe_state.c */
void pipe_set_running_locked(struct pipe_dev *dev, bool run);
long pipe_get_state(struct pipe_dev *dev, void __user *argp);
long pipe_set_state(struct pipe_dev *dev, void __user *argp);

/* No command may run: see struct pipe_dev for who may ask. */
static inline bool pipe_is_stopped(const struct pipe_dev *dev)
{
	return READ_ONCE(dev->stopped);
}

/* The driver speaks v1, or has not said anything yet. */
static inline bool pipe_speaks_v1(const struct pipe_dev *dev)
{
	return READ_ONCE(dev->version) == GOLDFISH_PIPE_DEVICE_VERSION_1;
}

/* goldfish_pipe_dma.c */
void pipe_dma_init(struct pipe_dma_table *dma);
void pipe_dma_destroy(struct pipe_dma_table *dma);
int pipe_dma_map(struct pipe *pipe, u64 gpa, u64 size);
int pipe_dma_unmap(struct pipe *pipe, u64 gpa);
void pipe_dma_unmap_all(struct pipe *pipe);
struct pipe_dma_region *pipe_dma_get(struct pipe *pipe, u64 gpa);
void pipe_dma_put(struct pipe_dma_region *region);
u64 pipe_dma_span(const struct pipe_dma_region *region, u64 *size);
struct page *pipe_dma_page(struct pipe_dma_region *region, u64 gpa);
struct file *pipe_dma_file(struct pipe_dma_region *region);

/* goldfish_pipe_connector.c */
extern const struct pipe_service pipe_connector;
const struct pipe_service *pipe_service_find(const char *name, size_t len);

#ifdef CONFIG_INET

/* goldfish_pipe_services.c */
struct pipe_registry *pipe_registry_create(struct ranchu_worker *worker);
void pipe_registry_close(struct pipe_registry *registry);
void pipe_registry_finish(struct pipe_registry *registry);
void pipe_registry_end(struct pipe_registry *registry);
int pipe_services_open(struct pipe_registry *registry);

/* goldfish_pipe_remote.c */
int pipe_remote_open(struct pipe *pipe, const char *name, size_t len,
		     const char *args);

#else /* no sockets, no services of other processes */

static inline struct pipe_registry *pipe_registry_create(struct ranchu_worker *worker)
{
	return ZERO_SIZE_PTR;
}

static inline void pipe_registry_close(struct pipe_registry *registry)
{
}

static inline void pipe_registry_finish(struct pipe_registry *registry)
{
}

static inline void pipe_registry_end(struct pipe_registry *registry)
{
}

static inline int pipe_services_open(struct pipe_registry *registry)
{
	return -EOPNOTSUPP;
}

static inline int pipe_remote_open(struct pipe *pipe, const char *name,
				   size_t len, const char *args)
{
	return -ENOENT;
}

#endif /* CONFIG_INET */

/* goldfish_pipe_bytes.c */

/* Bytes a ring starts with, and as many as it can never lose. */
#define PIPE_BYTES_MIN		1024
/* Bytes that one ring may grow to. */
#define PIPE_BYTES_MAX		(4UL << 20)
/* Bytes that the rings of one guest may grow to in all. */
#define PIPE_BYTES_BUDGET	(64UL << 20)

/**
 * struct pipe_bytes - bytes from the guest, kept until it reads them
 * @budget: counts memory beyond PIPE_BYTES_MIN
 * @data: the bytes
 * @size: of @data, a power of two
 * @read: bytes read so far, modulo nothing
 * @written: bytes written so far
 */
struct pipe_bytes {
	atomic_long_t *budget;
	u8 *data;
	size_t size;
	u64 read;
	u64 written;
};

int pipe_bytes_init(struct pipe_bytes *ring, atomic_long_t *budget);
void pipe_bytes_destroy(struct pipe_bytes *ring);
ssize_t pipe_bytes_write(struct pipe_bytes *ring, struct iov_iter *from);
ssize_t pipe_bytes_read(struct pipe_bytes *ring, struct iov_iter *to);
bool pipe_bytes_readable(const struct pipe_bytes *ring);
bool pipe_bytes_writable(const struct pipe_bytes *ring);
size_t pipe_bytes_used(const struct pipe_bytes *ring);
void pipe_bytes_copy(const struct pipe_bytes *ring, u8 *data);
bool pipe_bytes_fill(struct pipe_bytes *ring, const u8 *data, size_t len);

/* one file each */
extern const struct pipe_service pipe_zero;
extern const struct pipe_service pipe_dmatest;
extern const struct pipe_service pipe_pingpong;
extern const struct pipe_service pipe_throttle;

#endif /* _VHOST_GOLDFISH_PIPE_PRIVATE_H */
