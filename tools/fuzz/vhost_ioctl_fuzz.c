// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: the vhost ioctls with any arguments in any order, from the owner
 * and from others, around a device whose rings really run. Worker, doorbells
 * and eventfds are stand-ins; locks abort when taken twice.
 */
#include <linux/eventfd.h>
#include <linux/ranchu_vhost.h>
#include <linux/sched.h>
#include <linux/uaccess.h>
#include <linux/vhost.h>

#include "fuzz.h"
#include "ranchu_private.h"

#define RINGS 2
#define FILES 3
#define MAX_IOV 8
#define MEMORY 8192
#define GPA 0x10000ULL
#define ARG_SIZE 256

struct eventfd_ctx {
	int refs;
	unsigned int signals;
};

struct ranchu_doorbell {
	ranchu_ring_fn fn;
	void *data;
};

static struct mm_struct owner_mm, other_mm;
static struct task_struct owner = { 1, &owner_mm }, other = { 2, &other_mm };
struct task_struct *shim_current = &owner;

/* The owner's memory, and an ioctl's argument in it. */
static u8 memory[MEMORY] __attribute__((aligned(4096)));
static u64 argument[ARG_SIZE / 8];
static struct eventfd_ctx files[FILES];
static struct ranchu_vhost dev;
static struct ranchu_vring vrings[RINGS];
static unsigned int doorbells;

/* What the device holds of each ring. */
static struct {
	struct ranchu_chain chain;
	struct iovec iov[MAX_IOV];
	bool taken;
} held[RINGS];

static bool inside(const void *uaddr, size_t len, const void *area, size_t size)
{
	uintptr_t offset = (uintptr_t)uaddr - (uintptr_t)area;

	return offset <= size && len <= size - offset;
}

/* Whoever touches the owner's memory must be the owner, or its worker. */
static bool accessible(const void *uaddr, size_t len)
{
	bool arg = inside(uaddr, len, argument, sizeof(argument));

	MUST(arg || shim_current->mm == &owner_mm);
	return arg || inside(uaddr, len, memory, sizeof(memory));
}

/*
 * Any user address will do, as in the kernel, where access faults later. One
 * byte is what the shim asks for before it writes to the bitmap.
 */
bool shim_access_ok(const void *uaddr, size_t len)
{
	if (len == 1)
		return inside(uaddr, len, memory, sizeof(memory));
	return (uintptr_t)uaddr < 1ULL << 47 && len < 1ULL << 47;
}

bool shim_load(void *val, const void *uaddr, size_t len)
{
	return shim_load_bytes(val, uaddr, len);
}

bool shim_store(void *uaddr, const void *val, size_t len)
{
	return shim_store_bytes(uaddr, val, len);
}

bool shim_load_bytes(void *dst, const void *uaddr, size_t len)
{
	if (!accessible(uaddr, len))
		return false;
	memcpy(dst, uaddr, len);
	return true;
}

bool shim_store_bytes(void *uaddr, const void *src, size_t len)
{
	if (!accessible(uaddr, len))
		return false;
	memcpy(uaddr, src, len);
	return true;
}

void shim_barrier(enum shim_barrier kind)
{
}

/* ---- stand-ins ---- */

struct eventfd_ctx *eventfd_ctx_fdget(int fd)
{
	if (fd < 0 || fd >= FILES)
		return ERR_PTR(-EBADF);
	files[fd].refs++;
	return &files[fd];
}

void eventfd_ctx_put(struct eventfd_ctx *ctx)
{
	MUST(ctx->refs-- > 0);
}

void ranchu_eventfd_signal(struct eventfd_ctx *ctx)
{
	MUST(ctx->refs > 0);
	ctx->signals++;
}

/* Here a kernel that exports what it takes. */
int ranchu_thread_work_test(void)
{
	return 0;
}

struct ranchu_doorbell *
ranchu_doorbell_attach(int fd, struct mm_struct *mm, struct ranchu_worker *worker,
		       enum ranchu_serve serve, ranchu_ring_fn fn, void *data)
{
	struct ranchu_doorbell *doorbell;

	MUST(mm && !worker->dead);
	if (fd < 0 || fd >= FILES)
		return ERR_PTR(-EBADF);
	doorbell = calloc(1, sizeof(*doorbell));
	doorbell->fn = fn;
	doorbell->data = data;
	doorbells++;
	return doorbell;
}

/* Waits for a ring that is being served, so no ring's lock may be held. */
void ranchu_doorbell_detach(struct ranchu_doorbell *doorbell)
{
	struct ranchu_vring *vring = doorbell->data;

	MUST(!vring->lock.held);
	doorbells--;
	free(doorbell);
}

void ranchu_worker_init(struct ranchu_worker *worker)
{
	INIT_LIST_HEAD(&worker->works);
	worker->dead = true;
}

int ranchu_worker_start(struct ranchu_worker *worker, const char *name)
{
	MUST(worker->dead && strlen(name) < TASK_COMM_LEN);
	worker->dead = false;
	return 0;
}

static void run_works(struct ranchu_worker *worker, struct task_struct *who)
{
	struct task_struct *was = shim_current;
	struct ranchu_work *work;

	shim_current = who;
	while ((work = list_first_entry_or_null(&worker->works, struct ranchu_work, node))) {
		list_del_init(&work->node);
		work->fn(work, who->mm == &owner_mm);
	}
	shim_current = was;
}

void ranchu_worker_stop(struct ranchu_worker *worker)
{
	worker->dead = true;
	/* What is left is done by whoever stops it. */
	run_works(worker, shim_current);
}

void ranchu_work_init(struct ranchu_work *work,
		      void (*fn)(struct ranchu_work *work, bool in_owner))
{
	INIT_LIST_HEAD(&work->node);
	work->fn = fn;
}

int ranchu_work_queue(struct ranchu_worker *worker, struct ranchu_work *work)
{
	if (worker->dead)
		return -ESRCH;
	if (list_empty(&work->node))
		list_add_tail(&work->node, &worker->works);
	return 0;
}

/* ---- the device: holds one chain of each ring until the next kick ---- */

static void kicked(struct ranchu_vring *vring)
{
	unsigned int i = vring - vrings;

	MUST(vring->running && vring->lock.held);
	MUST(dev.mm == &owner_mm && shim_current->mm == &owner_mm);
	ranchu_vq_disable_kicks(&vring->vq);
	if (held[i].taken)
		ranchu_vq_push(&vring->vq, &held[i].chain, held[i].chain.in_len > 0);
	held[i].chain.iov = held[i].iov;
	held[i].chain.max = MAX_IOV;
	held[i].taken = ranchu_vq_next(&vring->vq, &held[i].chain) == 1;
	ranchu_vq_enable_kicks(&vring->vq);
}

static void stopped(struct ranchu_vring *vring)
{
	MUST(vring->lock.held && !vring->running);
	held[vring - vrings].taken = false;
}

static void released(struct ranchu_vhost *vhost)
{
	MUST(!ranchu_vhost_is_running(vhost) && vhost->worker.dead);
}

static long set_running(struct ranchu_vhost *vhost, void __user *argp)
{
	int on;

	if (copy_from_user(&on, argp, sizeof(on)))
		return -EFAULT;
	if (on & 1)
		return ranchu_vhost_start(vhost);
	ranchu_vhost_stop(vhost);
	return 0;
}

#define SET_RUNNING _IOW(VHOST_VIRTIO, 0x7f, int)

static const struct ranchu_vhost_ioctl own[] = { { SET_RUNNING, set_running } };

static const struct ranchu_vhost_ops ops = {
	.name = "fuzz",
	.features = RANCHU_VQ_FEATURES,
	.backend_features = 6,
	.optional = 2,
	.kicked = kicked,
	.stopped = stopped,
	.released = released,
	.ioctls = own,
	.n_ioctls = ARRAY_SIZE(own),
};

/* ---- the VMM ---- */

/* In the owner's memory mostly, and aligned then. */
static u64 take_uaddr(struct input *in)
{
	u16 raw = take(in, 2);

	return raw < 0xff00 ? (uintptr_t)memory + (raw % MEMORY & ~15u) : (u64)raw << 40;
}

static void fill_state(struct input *in)
{
	struct vhost_vring_state *state = (void *)argument;

	state->index = take(in, 1) % (RINGS + 1);
	state->num = take(in, 1);
	if (state->num & 0x80)
		state->num = take(in, 4);
}

static void fill_file(struct input *in)
{
	struct vhost_vring_file *file = (void *)argument;

	file->index = take(in, 1) % (RINGS + 1);
	file->fd = (int)(take(in, 1) % (FILES + 2)) - 1;
}

static void fill_addr(struct input *in)
{
	struct vhost_vring_addr *addr = (void *)argument;

	addr->index = take(in, 1) % (RINGS + 1);
	addr->flags = take(in, 1) % 4 ? 0 : take(in, 1);
	addr->desc_user_addr = take_uaddr(in);
	addr->avail_user_addr = take_uaddr(in);
	addr->used_user_addr = take_uaddr(in);
	addr->log_guest_addr = take(in, 2) * 4;
}

static void fill_memory(struct input *in)
{
	struct vhost_memory *table = (void *)argument;
	unsigned int i;

	table->nregions = take(in, 1) % 4;
	table->padding = take(in, 1) == 0xff;
	for (i = 0; i < table->nregions; i++) {
		u8 how = take(in, 1);

		table->regions[i] = (struct vhost_memory_region){
			GPA + how % 8 * 1024, how & 8 ? 1024 : MEMORY,
			(uintptr_t)memory + (how & 16 ? 1024 : 0), 0
		};
	}
}

static void fill_number(struct input *in)
{
	u8 how = take(in, 1);

	switch (how % 4) {
	case 0:
		argument[0] = take_uaddr(in);
		break;
	case 1:
		argument[0] = take(in, 8);
		break;
	default:
		argument[0] = how >> 2;
	}
}

/* Features that may be had, as bits of a byte. */
static void fill_features(struct input *in)
{
	static const u8 bits[] = {
		VIRTIO_F_VERSION_1, VIRTIO_F_RING_PACKED, VIRTIO_RING_F_EVENT_IDX,
		VIRTIO_F_IN_ORDER, VIRTIO_RING_F_INDIRECT_DESC, VHOST_F_LOG_ALL,
		VIRTIO_F_NOTIFY_ON_EMPTY, 50,
	};
	unsigned int i;
	u8 how = take(in, 1);

	argument[0] = 0;
	for (i = 0; i < ARRAY_SIZE(bits); i++)
		if (how & 1 << i)
			argument[0] |= BIT_ULL(bits[i]);
}

static const struct {
	unsigned int number;
	void (*fill)(struct input *in);
} calls[] = {
	{ VHOST_SET_OWNER, fill_number }, { VHOST_RESET_OWNER, fill_number },
	{ VHOST_GET_FEATURES, fill_number }, { VHOST_SET_FEATURES, fill_features },
	{ VHOST_GET_BACKEND_FEATURES, fill_number },
	{ VHOST_SET_BACKEND_FEATURES, fill_number },
	{ VHOST_SET_MEM_TABLE, fill_memory }, { VHOST_SET_LOG_BASE, fill_number },
	{ VHOST_SET_LOG_FD, fill_number }, { VHOST_SET_VRING_NUM, fill_state },
	{ VHOST_SET_VRING_ADDR, fill_addr }, { VHOST_SET_VRING_BASE, fill_state },
	{ VHOST_GET_VRING_BASE, fill_state }, { VHOST_SET_VRING_KICK, fill_file },
	{ VHOST_SET_VRING_CALL, fill_file }, { VHOST_SET_VRING_ERR, fill_file },
	{ VHOST_SET_VRING_BUSYLOOP_TIMEOUT, fill_state },
	{ VHOST_GET_VRING_BUSYLOOP_TIMEOUT, fill_state },
	{ SET_RUNNING, fill_number }, { 0xdead, fill_number },
};

static void call(struct input *in)
{
	u8 which = take(in, 1);
	void *argp = argument;
	long ret;

	calls[which % ARRAY_SIZE(calls)].fill(in);
	if (which >= 240)
		argp = (void *)0x1000;
	if (which >= 220 && which < 240)
		shim_current = &other;
	ret = ranchu_vhost_ioctl(&dev, calls[which % ARRAY_SIZE(calls)].number, argp);
	MUST(ret <= 0);
	shim_current = &owner;
	/* The other may have become the owner; it is no more than an owner then. */
	if (dev.mm == &other_mm) {
		shim_current = &other;
		MUST(!ranchu_vhost_ioctl(&dev, VHOST_RESET_OWNER, argument));
		shim_current = &owner;
	}
}

/* The guest writes a ring, then kicks; or only one of these. */
static void guest(struct input *in)
{
	u8 how = take(in, 1);
	unsigned int at = take(in, 2), n = how % 16, i;

	for (; n; n--, at++)
		memory[at % MEMORY] = take(in, 1);
	for (i = 0; i < RINGS; i++)
		if (how & 16 << i && vrings[i].kick)
			vrings[i].kick->fn(vrings[i].kick->data, how >> 6 & 1 ?
					   RANCHU_RING_LOST : RANCHU_RING_FOREIGN);
	if (how & 0x80)
		run_works(&dev.worker, &owner);
}

static void check(void)
{
	unsigned int i;

	MUST(owner_mm.count == (dev.mm == &owner_mm) && !other_mm.count);
	for (i = 0; i < RINGS; i++) {
		MUST(!vrings[i].running || dev.mm);
		MUST(!held[i].taken || vrings[i].running);
		MUST(!vrings[i].lock.held);
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { data, size };
	unsigned int i;

	memset(memory, 0, sizeof(memory));
	memset(argument, 0, sizeof(argument));
	memset(&dev, 0, sizeof(dev));
	memset(vrings, 0, sizeof(vrings));
	memset(held, 0, sizeof(held));
	MUST(!ranchu_vhost_init(&dev, &ops, vrings, RINGS));
	while (in.left) {
		if (take(&in, 1) & 1)
			guest(&in);
		else
			call(&in);
		check();
	}
	/* Whoever closes the file last. */
	shim_current = &other;
	ranchu_vhost_destroy(&dev);
	shim_current = &owner;
	MUST(!doorbells && !owner_mm.count && !owner.tgid.count);
	for (i = 0; i < FILES; i++)
		MUST(!files[i].refs);
	return 0;
}
