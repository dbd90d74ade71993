/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virtio/ owns the guest's side of virtio devices: the core of all of them (device.c), the
 * registers of an MMIO transport (mmio.c) and of a PCI function (pci.c), the board's 32 MMIO
 * transports and their connection to KVM (bank.c), and rings that vmmctl processes itself
 * (ring.c). The models are in devices/, and rings that other processes or the kernel serve in
 * backends/.
 *
 * A model is a struct vmm_virtio_ops and a row in models.c's table.
 */
#ifndef VIRTIO_H
#define VIRTIO_H

#include <linux/ranchu.h>
#include <linux/virtio_config.h>

#include "machine/machine.h"

#define VMM_VIRTIO_QUEUES	8	/* of one device, at most */
#define VMM_VIRTIO_CONFIG	0x100	/* bytes of configuration space */

struct vmm_virtio;
struct vmm_virtio_transport;

/**
 * struct vmm_virtio_queue - a virtqueue as the driver set it up
 * @num: size, entries
 * @ready: the driver has finished setting it up
 * @desc: guest physical address of the descriptors (packed: of the ring)
 * @driver: guest physical address of the available ring (packed: the driver's event structure)
 * @device: guest physical address of the used ring (packed: the device's event structure)
 * @kick_fd: eventfd that a driver's notification signals
 * @call_fd: eventfd that interrupts the driver about this queue; owned by the transport
 * @align: legacy: alignment of the used ring
 * @pfn: legacy: number of the page where the ring begins, as the driver wrote it
 * @resumed: the ring continues at @base, because it was in use when it was saved
 * @base: next index, as in VHOST_SET_VRING_BASE
 */
struct vmm_virtio_queue {
	u32 num;
	bool ready;
	u64 desc;
	u64 driver;
	u64 device;
	int kick_fd;
	int call_fd;
	u32 align;
	u32 pfn;
	bool resumed;
	u32 base;
};

/**
 * struct vmm_virtio_counts - counters of a device since it was created
 * @starts: starts by its driver
 * @stops: stops by its driver, or by a reset of the guest
 * @resets: resets by its driver, or by a reset of the guest
 * @failures: times that it has set NEEDS_RESET
 * @broken_rings: times that its driver broke a ring
 * @stalls: times that its backend still used the queues after a stop
 * @config_changes: changes of its configuration
 * @kicks: notifications that exited
 */
struct vmm_virtio_counts {
	u64 starts;
	u64 stops;
	u64 resets;
	u64 failures;
	u64 broken_rings;
	u64 stalls;
	u64 config_changes;
	u64 kicks;
};

/**
 * struct vmm_virtio_shm - memory that a device shares with its driver
 * @id: ID of the region
 * @size: bytes, a power of two of at least a page; 0 for none
 * @hva: where it is mapped here
 */
struct vmm_virtio_shm {
	u8 id;
	u64 size;
	void *hva;
};

/**
 * struct vmm_virtio_command - a command of a virtio device
 * @name: the command; NULL ends a list
 * @run: runs it; @arg may be NULL; main thread. 0, or -errno after a message
 */
struct vmm_virtio_command {
	const char *name;
	int (*run)(struct vmm_virtio *v, const char *arg);
};

/**
 * struct vmm_virtio_ops - a model of a virtio device
 * @name: for messages
 * @id: virtio device id
 * @queues: how many at most, no more than VMM_VIRTIO_QUEUES
 * @queue_max: entries of each, at most
 * @count: how many such devices the command line asks for
 * @transport: place and version that the command line names for device number @index;
 *	optional
 * @create: creates device number @v->index: sets @v->offered, and the
 *	configuration by vmm_virtio_config(); main thread
 * @destroy: undoes @create; main thread, no vCPU runs
 * @start: called when the driver is ready: from then on guest memory may be used. -errno
 *	after a message makes the device ask for a reset
 * @stop: undoes @start: when it returns, the guest's queues are not used any more, or
 *	@v->stop_pending is set. May be followed by another @start, and is called again if
 *	@v->stop_pending is set. It may release the lock while it waits
 * @stop_queue: the same for one queue; without it, a driver's reset of a queue stops the device
 * @start_queue: called when the driver has set up a queue of a running device again, after
 *	@stop_queue. With both, the device offers VIRTIO_F_RING_RESET if the
 *	transport has it. -errno after a message makes the device ask for a reset
 * @write_config: called when the driver writes @len bytes, 1 to 8, at @offset of the
 *	configuration; the model answers by vmm_virtio_answer_locked(); optional,
 *	without it writes are ignored
 * @reset: puts state that does not depend on the driver into its power-on state; opens
 *	nothing; after @stop, no vCPU exists; optional
 * @pause: when it returns, the model uses no guest memory until @resume; called in a job, no vCPU
 *	runs. Without it the device runs while the guest is paused
 * @resume: undoes @pause
 * @base: returns the next index of a queue of a paused device, as VHOST_GET_VRING_BASE:
 *	0, or -errno; without it the device cannot be saved
 * @save: writes the model's own state of a paused device: fields whose
 *	tags begin with @tag, VMM_VIRTIO_MODEL_TAGS at most; optional
 * @load: loads what @save wrote, before the device is started again; or -errno. Without
 *	@save, it checks whether the device is compatible with the saved one, whose
 *	configuration is @config; optional
 * @stats: adds the counters that only this model has; any thread; optional
 * @commands: commands that a user can give, a list; optional
 *
 * @start, @stop, @start_queue, @stop_queue and @write_config are called with @v->lock
 * held, from any thread. A model calls vmm_virtio_notify_queue(),
 * vmm_virtio_config(), vmm_virtio_answer_locked() and vmm_virtio_fail() only.
 */
struct vmm_virtio_ops {
	const char *name;
	u32 id;
	unsigned int queues;
	u32 queue_max;
	unsigned int (*count)(const struct vmm_config *cfg);
	const struct vmm_transport *(*transport)(const struct vmm_config *cfg, unsigned int index);
	int (*create)(struct vmm_virtio *v);
	void (*destroy)(struct vmm_virtio *v);
	int (*start)(struct vmm_virtio *v);
	void (*stop)(struct vmm_virtio *v);
	void (*stop_queue)(struct vmm_virtio *v, unsigned int queue);
	int (*start_queue)(struct vmm_virtio *v, unsigned int queue);
	void (*write_config)(struct vmm_virtio *v, u32 offset, u64 value, unsigned int len);
	void (*reset)(struct vmm_virtio *v);
	void (*pause)(struct vmm_virtio *v);
	void (*resume)(struct vmm_virtio *v);
	int (*base)(struct vmm_virtio *v, unsigned int queue, u32 *base);
	void (*save)(struct vmm_virtio *v, struct vmm_state *state, u32 tag);
	int (*load)(struct vmm_virtio *v, struct vmm_state *state, u32 tag, const u8 *config);
	void (*stats)(struct vmm_virtio *v, struct vmm_report *report);
	const struct vmm_virtio_command *commands;
};

/**
 * struct vmm_virtio - a virtio device behind its transport
 * @ops: the model
 * @vm: the VM
 * @index: which of the devices of this model
 * @slot: its place
 * @state: owned by the model
 * @legacy: the registers are those of version 1
 * @name: for messages; this and the next three are @ops' unless the model changes
 *	them while it is created
 * @id: virtio device id
 * @queue_max: entries of each queue, at most
 * @queues: how many; no more than @ops says
 * @offered: features; set by the model, then constant
 * @shm: memory for the driver; set by the model, then constant. Only the PCI transport has it
 * @call_fd: eventfd that interrupts the driver about a changed configuration
 * @counts: counters
 * @blamed: an error was reported in this life of the guest; accessed with __atomic
 * @regs: MMIO: registers that the guest reads, RANCHU_VIRTIO_MMIO_SIZE bytes: those that
 *	cannot be read are 0 there
 * @lock: protects what follows, and writes to @regs
 * @transport: the transport; NULL before the device is attached and after it is detached
 * @config: the configuration
 * @generation: changes when the configuration does
 * @accepted: features that the driver has accepted; they do not change while @running
 * @offered_sel: selected half of @offered
 * @accepted_sel: selected half of @accepted
 * @queue_sel: selected queue
 * @page_size: legacy: bytes of the driver's pages
 * @status: device status
 * @busy: a write is being handled, which may release @lock while it waits
 * @idle: signalled when @busy ends
 * @stop_pending: the backend may still use the queues of a driver that has gone: set by a model
 *	whose @ops->stop has timed out, and cleared by it later. Until then the device asks for a
 *	reset
 * @config_pending: the driver has not acknowledged a change of the configuration
 * @running: between @ops->start and @ops->stop
 * @paused: the VM is paused: @ops->start, for a device that is loaded then, leaves the device as
 *	after @ops->pause
 * @loaded: during @ops->start: the driver continues with what @ops->load has loaded
 * @queue: the first @ops->queues are valid
 */
struct vmm_virtio {
	const struct vmm_virtio_ops *ops;
	struct vmm_vm *vm;
	unsigned int index;
	unsigned int slot;
	void *state;
	bool legacy;
	const char *name;
	u32 id;
	u32 queue_max;
	unsigned int queues;
	u64 offered;
	struct vmm_virtio_shm shm;
	int call_fd;
	struct vmm_virtio_counts counts;
	bool blamed;
	u8 *regs;
	pthread_mutex_t lock;
	const struct vmm_virtio_transport *transport;
	u8 config[VMM_VIRTIO_CONFIG];
	u32 generation;
	u64 accepted;
	u32 offered_sel;
	u32 accepted_sel;
	u32 queue_sel;
	u32 page_size;
	u32 status;
	bool busy;
	pthread_cond_t idle;
	bool stop_pending;
	bool config_pending;
	bool running;
	bool paused;
	bool loaded;
	struct vmm_virtio_queue queue[VMM_VIRTIO_QUEUES];
};

/* ---- device.c, for models; transport.h has the functions for transports ---- */

void vmm_virtio_reset(struct vmm_virtio *v);
void vmm_virtio_pause(struct vmm_virtio *v);
void vmm_virtio_resume(struct vmm_virtio *v);
void vmm_virtio_answer_locked(struct vmm_virtio *v, const void *config, size_t len);
void vmm_virtio_config(struct vmm_virtio *v, const void *config, size_t len);
void vmm_virtio_fail(struct vmm_virtio *v);
bool vmm_virtio_fail_if(struct vmm_virtio *v, int err_fd);
int vmm_virtio_blame(struct vmm_virtio *v, int err, const char *text);
void vmm_virtio_report(struct vmm_virtio *v, struct vmm_report *report);

static inline bool vmm_virtio_accepted(const struct vmm_virtio *v, unsigned int feature)
{
	return v->accepted >> feature & 1;
}

/*
 * The features for a backend. VIRTIO_F_ACCESS_PLATFORM only makes the driver use its kernel's DMA
 * API: addresses in the rings are guest physical addresses in both cases. A vhost backend
 * would take it for a request to translate addresses with an IOTLB.
 */
static inline u64 vmm_virtio_for_backend(const struct vmm_virtio *v)
{
	return v->accepted & ~(1ULL << VIRTIO_F_ACCESS_PLATFORM);
}

/* The eventfd by which the backend of a queue interrupts the driver. */
static inline int vmm_virtio_call_fd(const struct vmm_virtio *v, unsigned int queue)
{
	return v->queue[queue].call_fd;
}

/* Interrupts the driver about used buffers of a queue. Any thread. */
static inline void vmm_virtio_notify_queue(const struct vmm_virtio *v, unsigned int queue)
{
	vmm_event_signal(vmm_virtio_call_fd(v, queue));
}

/* The index at which a queue starts: that of a loaded queue, or @fresh for a new one. */
static inline u32 vmm_virtio_queue_base(const struct vmm_virtio *v, unsigned int queue, u32 fresh)
{
	return v->queue[queue].resumed ? v->queue[queue].base : fresh;
}

/* ---- save.c: a device's state ---- */

#define VMM_VIRTIO_TAGS		64	/* tags of a device's fields */
#define VMM_VIRTIO_MODEL_TAGS	16	/* tags for the model's fields */

int vmm_virtio_save(struct vmm_virtio *v, struct vmm_state *state, u32 tag);
int vmm_virtio_fits(const struct vmm_virtio *v, u32 tag, const u8 *data, u32 len);
int vmm_virtio_load(struct vmm_virtio *v, struct vmm_state *state, u32 tag);

/* ---- mmio.c: the registers of an MMIO transport ---- */

void vmm_virtio_mmio_idle(u8 *regs);
void vmm_virtio_mmio_plug(struct vmm_virtio *v);
void vmm_virtio_mmio_unplug(struct vmm_virtio *v);
u64 vmm_virtio_mmio_peek(const u8 *regs, u32 offset);
void vmm_virtio_mmio_write(struct vmm_virtio *v, u32 offset, u64 value, unsigned int len);

/* ---- queue.c: addresses of queues ---- */

/**
 * struct vmm_queue_area - a part of a queue in guest RAM
 * @gpa: guest physical address
 * @len: bytes
 * @hva: where it is mapped here
 */
struct vmm_queue_area {
	u64 gpa;
	u64 len;
	void *hva;
};

bool vmm_virtio_queue_size_fits(const struct vmm_virtio *v, u32 num);
int vmm_virtio_queue_find(const struct vmm_virtio *v, unsigned int index,
			  struct vmm_queue_area area[3]);

/* ---- bank.c: the board's transports ---- */

extern const struct vmm_device_ops vmm_virtio_bank_ops;

u64 vmm_virtio_disk_base(const struct vmm_board *board, const struct vmm_config *cfg,
			 unsigned int index);

#endif /* VIRTIO_H */
