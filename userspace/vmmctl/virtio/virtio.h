/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virtio/ owns the guest's side of virtio devices: what a driver does to any of them
 * (device.c), the registers of an MMIO transport (mmio.c) and of a PCI function (pci.c),
 * the board's 32 MMIO transports and their wiring to KVM (bank.c), and rings that vmmctl
 * serves itself (ring.c). The models are in devices/, and rings that somebody else serves
 * in backends/.
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
 * @driver: of the available ring (packed: of the driver's event structure)
 * @device: of the used ring (packed: of the device's event structure)
 * @kick_fd: eventfd that a driver's notification signals
 * @call_fd: eventfd that interrupts the driver about this queue; the transport's
 * @align: legacy: what the used ring is aligned to
 * @pfn: legacy: number of the page where the ring begins, as the driver wrote it
 * @resumed: the ring goes on at @base, because it was used before it was saved
 * @base: where, as VHOST_SET_VRING_BASE counts
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
 * struct vmm_virtio_counts - what has happened to a device since it was created
 * @starts: its driver has started it
 * @stops: it was stopped: by its driver, or by a reset of the guest
 * @resets: it was reset, by one of these two
 * @failures: it has asked its driver for a reset
 * @broken_rings: because the driver broke a ring
 * @stalls: whoever serves it kept the queues when it was stopped
 * @config_changes: its configuration has changed
 * @kicks: notifications of the driver's that no doorbell took
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
 * @id: which of the device's regions it is
 * @size: bytes, a power of two of at least a page; 0 for none
 * @hva: where it is mapped here
 */
struct vmm_virtio_shm {
	u8 id;
	u64 size;
	void *hva;
};

/**
 * struct vmm_virtio_command - something a user can ask of a virtio device
 * @name: the command; NULL ends a list
 * @run: does it; @arg may be NULL; main thread. 0, or -errno after a message
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
 * @transport: which transport the command line wants for device number @index, and of
 *	what kind; optional
 * @create: makes device number @v->index: sets @v->offered, and the
 *	configuration by vmm_virtio_config(); main thread
 * @destroy: undoes @create; main thread, no vCPU runs
 * @start: the driver is ready: from here on guest memory may be used. -errno
 *	after a message makes the device ask for a reset
 * @stop: undoes @start: when it returns, nobody uses the guest's queues, or
 *	@v->stop_pending is set. May be followed by another @start, and is called again
 *	if @v->stop_pending is set. It may let go of the lock while it waits
 * @stop_queue: the same for one queue; without it the driver's giving up a
 *	queue stops the device
 * @start_queue: the driver has set up a queue of a running device again, after
 *	@stop_queue. With both, the device is offered VIRTIO_F_RING_RESET where the
 *	transport has it. -errno after a message makes the device ask for a reset
 * @write_config: the driver writes @len bytes, 1 to 8, at @offset of the
 *	configuration; the model answers by vmm_virtio_answer_locked(); optional,
 *	without it nothing happens
 * @reset: puts what is not the driver's business into its power-on state; opens
 *	nothing; after @stop, no vCPU exists; optional
 * @pause: when it returns, the model uses no guest memory until @resume; in a job,
 *	no vCPU runs. Without it the device goes on while the guest stands still
 * @resume: undoes @pause
 * @base: tells where a queue of a paused device goes on, as VHOST_GET_VRING_BASE counts:
 *	0, or -errno; without it the device cannot be saved
 * @save: writes what else the model has to keep, the device being paused: fields whose
 *	tags begin with @tag, VMM_VIRTIO_MODEL_TAGS at most; optional
 * @load: takes what @save wrote, before the device is started again; refuses with
 *	-errno. Without @save it is asked whether the device is like the saved one, whose
 *	configuration is @config; optional
 * @stats: adds the counters that only this model has; any thread; optional
 * @commands: what a user can ask for, a list; optional
 *
 * @start, @stop, @start_queue, @stop_queue and @write_config are called with @v->lock
 * held, from any thread. Of its transport a model uses vmm_virtio_notify_queue(),
 * vmm_virtio_config(), vmm_virtio_answer_locked() and vmm_virtio_fail().
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
 * @slot: which transport
 * @state: belongs to the model
 * @legacy: the registers are those of version 1
 * @name: for messages; this and the next three are @ops' unless the model changes
 *	them while it is created
 * @id: virtio device id
 * @queue_max: entries of each queue, at most
 * @queues: how many; no more than @ops says
 * @offered: features; set by the model, then constant
 * @shm: memory for the driver; set by the model, then constant. Only PCI shows it
 * @call_fd: eventfd that interrupts the driver about a changed configuration
 * @counts: what has happened
 * @blamed: this life's guest was blamed for what it did to the device; by __atomic
 * @regs: MMIO: what the guest reads, RANCHU_VIRTIO_MMIO_SIZE bytes: registers that
 *	cannot be read are 0 there
 * @lock: protects what follows, and writes to @regs
 * @transport: how the guest gets at the device; NULL before it can and when it no longer
 *	can
 * @config: the configuration
 * @generation: changes when the configuration does
 * @accepted: features, as the driver wrote them; they do not change while @running
 * @offered_sel: which half of @offered is shown
 * @accepted_sel: which half of @accepted is written
 * @queue_sel: which queue is shown and written
 * @page_size: legacy: bytes of the driver's pages
 * @status: device status
 * @busy: a write is being taken; @lock is let go of meanwhile if it has to wait
 * @idle: signalled when @busy ends
 * @stop_pending: somebody may still use the queues of a driver that has gone: set by a
 *	model whose @ops->stop could not wait any longer, and cleared by it later. The
 *	device asks for a reset until then
 * @config_pending: the driver has yet to acknowledge a change of configuration
 * @running: between @ops->start and @ops->stop
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
	struct vmm_virtio_queue queue[VMM_VIRTIO_QUEUES];
};

/* ---- device.c: for models; what transports need is in transport.h ---- */

void vmm_virtio_reset(struct vmm_virtio *v);
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
 * The features that a backend is told of. VIRTIO_F_ACCESS_PLATFORM is between the driver and
 * its kernel's DMA API: addresses in the rings are guest physical with it and without. A
 * vhost backend would take it as a wish for addresses that are translated one by one.
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

/* Interrupts the driver: something was used in a queue. Any thread. */
static inline void vmm_virtio_notify_queue(const struct vmm_virtio *v, unsigned int queue)
{
	vmm_event_signal(vmm_virtio_call_fd(v, queue));
}

/* Where a queue that is being started begins; the others are new and begin at @fresh. */
static inline u32 vmm_virtio_queue_base(const struct vmm_virtio *v, unsigned int queue, u32 fresh)
{
	return v->queue[queue].resumed ? v->queue[queue].base : fresh;
}

/* ---- save.c: a device's state ---- */

#define VMM_VIRTIO_TAGS		64	/* of a device's fields */
#define VMM_VIRTIO_MODEL_TAGS	16	/* of those, the model's own */

int vmm_virtio_save(struct vmm_virtio *v, struct vmm_state *state, u32 tag);
int vmm_virtio_load(struct vmm_virtio *v, struct vmm_state *state, u32 tag);

/* ---- mmio.c: the registers of an MMIO transport ---- */

void vmm_virtio_mmio_idle(u8 *regs);
void vmm_virtio_mmio_plug(struct vmm_virtio *v);
void vmm_virtio_mmio_unplug(struct vmm_virtio *v);
u64 vmm_virtio_mmio_peek(const u8 *regs, u32 offset);
void vmm_virtio_mmio_write(struct vmm_virtio *v, u32 offset, u64 value, unsigned int len);

/* ---- queue.c: where a queue is ---- */

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
