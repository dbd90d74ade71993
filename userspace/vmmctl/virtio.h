/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * virtio devices, from the guest inwards: the registers of one transport
 * (virtio_mmio.c), the board's 32 transports and their wiring to KVM
 * (dev_virtio.c), rings that somebody else serves (vhost*.c), and the models.
 *
 * A model is a struct vmm_virtio_ops and a row in dev_virtio.c's table.
 */
#ifndef VIRTIO_H
#define VIRTIO_H

#include "vmm.h"

#define VMM_VIRTIO_QUEUES	8	/* of one device, at most */
#define VMM_VIRTIO_CONFIG	0x100	/* bytes of configuration space */

struct vmm_virtio;

/**
 * struct vmm_virtio_queue - a virtqueue as the driver set it up
 * @num: size, entries
 * @ready: the driver has finished setting it up
 * @desc: guest physical address of the descriptors (packed: of the ring)
 * @driver: of the available ring (packed: of the driver's event structure)
 * @device: of the used ring (packed: of the device's event structure)
 * @kick_fd: eventfd that QueueNotify signals
 * @align: legacy: what the used ring is aligned to
 * @pfn: legacy: number of the page where the ring begins, as the driver wrote it
 */
struct vmm_virtio_queue {
	u32 num;
	bool ready;
	u64 desc;
	u64 driver;
	u64 device;
	int kick_fd;
	u32 align;
	u32 pfn;
};

/**
 * struct vmm_virtio_ops - a model of a virtio device
 * @name: for messages
 * @id: virtio device id
 * @queues: how many at most, no more than VMM_VIRTIO_QUEUES
 * @queue_max: entries of each, at most
 * @count: how many such devices the command line asks for
 * @place: which transport the command line wants for device number @index, and of
 *	what kind; optional
 * @create: makes device number @v->index: sets @v->offered, and the
 *	configuration by vmm_virtio_config(); main thread
 * @destroy: undoes @create; main thread, no vCPU runs
 * @start: the driver is ready: from here on guest memory may be used. -errno
 *	after a message makes the device ask for a reset
 * @stop: undoes @start: when it returns, nobody uses the guest's queues. May be
 *	followed by another @start
 * @stop_queue: the same for one queue; without it the driver's giving up a
 *	queue stops the device
 * @write_config: the driver writes to the configuration, of which @v->regs has what
 *	it reads next; @v->lock is held; optional, without it nothing happens
 * @refresh: what is behind the device may have another size; main thread; optional
 *
 * @start, @stop and @stop_queue are called with @v->lock held, from any thread.
 */
struct vmm_virtio_ops {
	const char *name;
	u32 id;
	unsigned int queues;
	u32 queue_max;
	unsigned int (*count)(const struct vmm_config *cfg);
	const struct vmm_place *(*place)(const struct vmm_config *cfg, unsigned int index);
	int (*create)(struct vmm_virtio *v);
	void (*destroy)(struct vmm_virtio *v);
	int (*start)(struct vmm_virtio *v);
	void (*stop)(struct vmm_virtio *v);
	void (*stop_queue)(struct vmm_virtio *v, unsigned int queue);
	void (*write_config)(struct vmm_virtio *v, u32 offset, u32 value);
	void (*refresh)(struct vmm_virtio *v);
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
 * @call_fd: eventfd that raises the interrupt
 * @regs: what the guest reads, RANCHU_VIRTIO_MMIO_SIZE bytes: registers that
 *	cannot be read are 0 there
 * @lock: protects what follows, and writes to @regs
 * @accepted: features, as the driver wrote them
 * @offered_sel: which half of @offered is shown
 * @accepted_sel: which half of @accepted is written
 * @queue_sel: which queue is shown and written
 * @page_size: legacy: bytes of the driver's pages
 * @status: device status
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
	int call_fd;
	u8 *regs;
	pthread_mutex_t lock;
	u64 accepted;
	u32 offered_sel;
	u32 accepted_sel;
	u32 queue_sel;
	u32 page_size;
	u32 status;
	bool config_pending;
	bool running;
	struct vmm_virtio_queue queue[VMM_VIRTIO_QUEUES];
};

/* ---- virtio_mmio.c: the registers of a transport ---- */

void vmm_virtio_idle(u8 *regs);
void vmm_virtio_plug(struct vmm_virtio *v);
void vmm_virtio_unplug(struct vmm_virtio *v);
u64 vmm_virtio_peek(const u8 *regs, u32 offset);
void vmm_virtio_write(struct vmm_virtio *v, u32 offset, u64 value);
void vmm_virtio_config(struct vmm_virtio *v, const void *config, size_t len);
void vmm_virtio_fail(struct vmm_virtio *v);

static inline bool vmm_virtio_accepted(const struct vmm_virtio *v, unsigned int feature)
{
	return v->accepted >> feature & 1;
}

/* ---- vhost.c: rings that somebody else serves ---- */

struct vmm_vhost;

/**
 * struct vmm_vhost_area - a piece of a ring in guest memory
 * @gpa: where
 * @len: bytes
 */
struct vmm_vhost_area {
	u64 gpa;
	u64 len;
};

/**
 * struct vmm_vhost_ring - a queue as whoever serves it gets it
 * @num: entries
 * @base: where the device goes on, as VHOST_SET_VRING_BASE counts
 * @area: descriptors, available and used ring (packed: the two event structures)
 * @hva: the same as pointers
 * @kick_fd: the driver signals it
 * @call_fd: interrupts the driver
 * @err_fd: signalled when the ring is broken, or -1
 */
struct vmm_vhost_ring {
	u32 num;
	u32 base;
	struct vmm_vhost_area area[3];
	void *hva[3];
	int kick_fd;
	int call_fd;
	int err_fd;
};

/**
 * struct vmm_vhost_ops - a way to speak to whoever serves a device's rings
 * @set_features: tell what driver and device agreed upon
 * @set_ring: give a ring
 * @stop_ring: take it back
 * @run: rings were all given, or taken back: after the latter, and if there is no
 *	such function after @stop_ring, nobody uses them; optional
 * @close: undo what only this way of speaking needs; optional
 *
 * The first four are called with the virtio device's lock held, and return 0 or
 * -errno without a message.
 */
struct vmm_vhost_ops {
	int (*set_features)(struct vmm_vhost *vhost, u64 features);
	int (*set_ring)(struct vmm_vhost *vhost, unsigned int index,
			const struct vmm_vhost_ring *ring);
	void (*stop_ring)(struct vmm_vhost *vhost, unsigned int index);
	int (*run)(struct vmm_vhost *vhost, bool run);
	void (*close)(struct vmm_vhost *vhost);
};

/**
 * struct vmm_vhost - whoever serves the rings of a virtio device
 * @ops: how to speak to it
 * @v: whose queues it serves
 * @node: its device node, or its socket
 * @fd: the open node, or the connection
 * @err_fd: eventfd that it signals when the guest broke a ring, or -1
 * @features: what it offers
 * @rings: how many it was given, while it runs
 * @blamed: the guest was blamed
 */
struct vmm_vhost {
	const struct vmm_vhost_ops *ops;
	struct vmm_virtio *v;
	const char *node;
	int fd;
	int err_fd;
	u64 features;
	unsigned int rings;
	bool blamed;
};

int vmm_vhost_blame(struct vmm_vhost *vhost, int err, const char *fmt, ...)
	__attribute__((format(printf, 3, 4)));
int vmm_virtio_ring(const struct vmm_virtio *v, unsigned int index,
		    struct vmm_vhost_area area[3], void *hva[3]);
int vmm_vhost_watch(struct vmm_vhost *vhost);
void vmm_vhost_close(struct vmm_vhost *vhost);
int vmm_vhost_offer(struct vmm_vhost *vhost, u64 device_features);
int vmm_vhost_ring(const struct vmm_vhost *vhost, unsigned int index, struct vmm_vhost_ring *ring);
int vmm_vhost_start(struct vmm_vhost *vhost, unsigned int rings);
void vmm_vhost_stop(struct vmm_vhost *vhost);
unsigned int vmm_vhost_ready(const struct vmm_virtio *v);

/* ---- vhost_kernel.c: vhost devices of the kernel ---- */

int vmm_vhost_set_mem(int fd, const struct vmm_mem *mem);
int vmm_vhost_open(struct vmm_vhost *vhost, struct vmm_virtio *v, const char *node,
		   const char *module);
int vmm_vhost_ring_ioctls(struct vmm_vhost *vhost, unsigned int index,
			  const struct vmm_vhost_ring *ring, const u64 *address);
void vmm_vhost_ring_stop_ioctls(struct vmm_vhost *vhost, unsigned int index);

/* ---- vhost_vdpa.c: vDPA devices ---- */

/**
 * struct vmm_vhost_vdpa - a vDPA device of the kernel
 * @vhost: the device
 * @config_fd: eventfd that it signals when its configuration has changed, or -1
 * @mapped: the guest's memory is mapped for it
 */
struct vmm_vhost_vdpa {
	struct vmm_vhost vhost;
	int config_fd;
	bool mapped;
};

int vmm_vhost_vdpa_open(struct vmm_vhost_vdpa *vdpa, struct vmm_virtio *v, const char *node);
int vmm_vhost_vdpa_config(struct vmm_vhost_vdpa *vdpa);

/* ---- dev_*.c: models ---- */

void vmm_net_config(struct vmm_virtio *v, const u8 *mac, bool up);

extern const struct vmm_virtio_ops vmm_blk_ops;
extern const struct vmm_virtio_ops vmm_net_ops;
extern const struct vmm_virtio_ops vmm_vdpa_ops;
extern const struct vmm_virtio_ops vmm_vhost_user_ops;

/* user_blk.c: a disk that vmmctl serves itself */
struct vmm_user_blk;
struct vhost_ranchu_blk_backend;
struct vhost_ranchu_blk_info;

struct vmm_user_blk *vmm_user_blk_open(struct vmm_virtio *v, u64 features,
				       const struct vhost_ranchu_blk_backend *backend);
void vmm_user_blk_close(struct vmm_user_blk *blk);
int vmm_user_blk_start(struct vmm_user_blk *blk, unsigned int rings);
void vmm_user_blk_stop(struct vmm_user_blk *blk);
int vmm_user_blk_resize(struct vmm_user_blk *blk);
void vmm_user_blk_info(const struct vmm_user_blk *blk, struct vhost_ranchu_blk_info *info);

extern const struct vmm_virtio_ops vmm_vsock_ops;
extern const struct vmm_virtio_ops vmm_rng_ops;
extern const struct vmm_virtio_ops vmm_balloon_ops;
extern const struct vmm_virtio_ops vmm_hvc_ops;
extern const struct vmm_virtio_ops vmm_keyboard_ops;
extern const struct vmm_virtio_ops vmm_touch_ops;

#endif /* VIRTIO_H */
