// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: the virtqueue engine against a guest that writes anything
 * anywhere at any time, also between two reads of the engine, and a device that
 * calls in any order that it may. Built as vq_split, vq_packed and vq_indirect,
 * by what FUZZ_FEATURES has in any case.
 *
 * The input's first bytes choose features, size and memory; then comes one
 * operation after the other. Its last quarter is what the guest changes while
 * the engine looks.
 */
#include <linux/mm.h>
#include <linux/ranchu.h>
#include <linux/ranchu_vq.h>
#include <linux/uaccess.h>
#include <linux/vhost_types.h>

#include "fuzz.h"

#define REGIONS 4
#define REGION 1024
#define MAX_NUM 16
#define MAX_IOV 12
#define HELD 24
#define GPA 0x10000ULL

/* The ring is in the first region. */
#define AT_DESC 0
#define AT_DRIVER 512
#define AT_DEVICE 640

static u8 memory[REGIONS][REGION] __attribute__((aligned(4096)));
static u8 bitmap[4096] __attribute__((aligned(4096)));
static struct ranchu_mem mem;
static struct ranchu_vq vq;
static struct ranchu_vq_setup setup;
static struct input meanwhile;
static bool in_engine;
static unsigned int fail_in;	/* accesses until one faults, 0 for never */

/* Chains that the device has, oldest first. */
static struct {
	struct ranchu_chain chain;
	struct iovec iov[MAX_IOV];
} held[HELD];
static unsigned int n_held;
static u32 slots_held;

/* The driver's end, for chains that are well formed. */
static u16 drv_slot, drv_avail;
static bool drv_wrap;

static bool is_packed(void)
{
	return setup.features & BIT_ULL(VIRTIO_F_RING_PACKED);
}

static bool inside(const void *uaddr, size_t len, const void *area, size_t size)
{
	uintptr_t offset = (uintptr_t)uaddr - (uintptr_t)area;

	return offset <= size && len <= size - offset;
}

static bool in_part(const void *uaddr, size_t len, u64 part, size_t size)
{
	return inside(uaddr, len, u64_to_user_ptr(part), size);
}

static bool in_region(const void *uaddr, size_t len)
{
	unsigned int i;

	for (i = 0; i < REGIONS; i++)
		if (inside(uaddr, len, memory[i], REGION))
			return true;
	return false;
}

static size_t device_size(void)
{
	return is_packed() ? 4 : 6 + 8 * setup.num;
}

static bool may_store(const void *uaddr, size_t len)
{
	return in_part(uaddr, len, setup.device, device_size()) ||
	       (is_packed() && in_part(uaddr, len, setup.desc, 16 * setup.num));
}

/* The guest writes a few bytes, now and then, before the engine reads. */
static void race(void)
{
	u8 how;

	if (!meanwhile.left)
		return;
	how = take(&meanwhile, 1);
	if (how & 1) {
		unsigned int at = take(&meanwhile, 2) % (REGIONS * REGION);

		memory[at / REGION][at % REGION] = take(&meanwhile, 1);
	}
}

static bool faults(void)
{
	MUST(in_engine);
	/* A broken queue is left alone. */
	MUST(!vq.fault);
	return fail_in && !--fail_in;
}

bool shim_access_ok(const void *uaddr, size_t len)
{
	return !inside(uaddr, len, bitmap, sizeof(bitmap)) || !faults();
}

bool shim_load(void *val, const void *uaddr, size_t len)
{
	MUST(in_region(uaddr, len));
	if (faults())
		return false;
	race();
	memcpy(val, uaddr, len);
	return true;
}

bool shim_store(void *uaddr, const void *val, size_t len)
{
	MUST(may_store(uaddr, len));
	if (faults())
		return false;
	memcpy(uaddr, val, len);
	return true;
}

/* The memory table is set outside the engine; an indirect table is read in it. */
bool shim_load_bytes(void *dst, const void *uaddr, size_t len)
{
	if (in_engine) {
		MUST(in_region(uaddr, len));
		if (faults())
			return false;
		race();
	}
	memcpy(dst, uaddr, len);
	return true;
}

bool shim_store_bytes(void *uaddr, const void *src, size_t len)
{
	MUST(!"the engine copies nothing to the guest");
	return false;
}

void shim_barrier(enum shim_barrier kind)
{
}

static int enter(void)
{
	in_engine = true;
	return ranchu_mem_enter(&mem);
}

static void leave(int idx)
{
	ranchu_mem_leave(&mem, idx);
	in_engine = false;
	MUST(vq.inflight <= vq.num);
	MUST(vq.inflight == slots_held);
	/* Marks of what was written, and no others. */
	if (!(setup.features & BIT_ULL(VHOST_F_LOG_ALL)))
		MUST(!vq.logged);
}

/* Regions 0 and 1 touch in the guest; the others may, too, or be elsewhere. */
static void set_memory(u8 how)
{
	struct {
		u32 nregions, padding;
		struct vhost_memory_region regions[REGIONS];
	} table = { how & 8 ? 0 : 1 + how % REGIONS, 0, {} };
	unsigned int i;

	for (i = 0; i < REGIONS; i++)
		table.regions[i] = (struct vhost_memory_region){
			GPA + i * REGION + (i > 1 && how & 4 ? 0x1000 : 0), REGION,
			(uintptr_t)memory[i ^ (how >> 4 & 1)], 0
		};
	MUST(!ranchu_mem_set(&mem, &table));
}

static void check_chain(const struct ranchu_chain *chain)
{
	u64 out = 0, in = 0;
	unsigned int i;

	MUST(chain->n_out + chain->n_in <= chain->max);
	MUST(chain->slots >= 1);
	for (i = 0; i < chain->n_out + chain->n_in; i++) {
		const struct iovec *iov = &chain->iov[i];

		MUST(iov->iov_len && in_region(iov->iov_base, iov->iov_len));
		*(i < chain->n_out ? &out : &in) += iov->iov_len;
	}
	MUST(out == chain->out_len && in == chain->in_len);
	MUST(out + in <= BIT_ULL(32));
	if (!is_packed())
		MUST(chain->slots == 1 && chain->id < setup.num);
}

static void op_next(u8 how)
{
	struct ranchu_chain *chain = &held[n_held].chain;
	int idx, ret;

	if (n_held == HELD)
		return;
	chain->iov = held[n_held].iov;
	chain->max = how % (MAX_IOV + 1);
	idx = enter();
	ret = ranchu_vq_next(&vq, chain);
	if (ret == 1) {
		check_chain(chain);
		slots_held += chain->slots;
		n_held++;
	}
	MUST(ret == 1 || ret == 0 || (ret == -EIO && vq.fault));
	leave(idx);
}

static void op_push(u8 how)
{
	unsigned int which = vq.in_order || !n_held ? 0 : how % n_held;
	struct ranchu_chain chain;
	struct iovec iov[MAX_IOV];
	u32 written;
	int idx;

	if (!n_held)
		return;
	memcpy(iov, held[which].iov, sizeof(iov));
	chain = held[which].chain;
	chain.iov = iov;
	written = how & 0x80 ? chain.in_len : how % (chain.in_len + 1);
	idx = enter();
	if (!ranchu_vq_push(&vq, &chain, written) || vq.inflight < slots_held) {
		slots_held -= chain.slots;
		n_held--;
		for (; which < n_held; which++) {
			held[which] = held[which + 1];
			held[which].chain.iov = held[which].iov;
		}
	}
	leave(idx);
}

/* The chain taken last can be put back, unless it has been pushed. */
static void op_put_back(void)
{
	const struct ranchu_chain *last = &held[n_held ? n_held - 1 : 0].chain;
	u32 modulus = is_packed() ? setup.num : 0x10000;
	int idx;

	if (!n_held || (last->pos + last->slots) % modulus != vq.next_avail)
		return;
	idx = enter();
	ranchu_vq_put_back(&vq, &held[--n_held].chain);
	slots_held -= held[n_held].chain.slots;
	leave(idx);
}

static void op_start(u32 base)
{
	int idx;

	n_held = 0;
	slots_held = 0;
	vq.fault = RANCHU_VQ_OK;
	if (!is_packed())
		base &= 0xffff;
	idx = enter();
	if (ranchu_vq_start(&vq, &mem, &setup, base) && !vq.fault)
		vq.fault = RANCHU_VQ_RING_FAULT;
	leave(idx);
}

static void op_log(u8 how)
{
	setup.features &= ~BIT_ULL(VHOST_F_LOG_ALL);
	if (how & 1)
		setup.features |= BIT_ULL(VHOST_F_LOG_ALL);
	setup.log_used = how & 2;
	setup.log_used_gpa = GPA + AT_DEVICE;
	vq.logged = false;
	MUST(!ranchu_vq_relocate(&vq, &setup));
}

/* Anywhere in guest memory: up to eight bytes. */
static void op_poke(struct input *in)
{
	unsigned int at = take(in, 2), n = 1 + at / (REGIONS * REGION) % 8;

	for (at %= REGIONS * REGION; n; n--, at++)
		memory[at / REGION % REGIONS][at % REGION] = take(in, 1);
}

/* An address: in memory, mostly. */
static u64 take_gpa(struct input *in)
{
	u16 raw = take(in, 2);

	return raw < 0xf000 ? GPA + raw % (REGIONS * REGION + 64) : (u64)raw << 48;
}

static struct vring_desc take_desc(struct input *in)
{
	struct vring_desc desc = { .addr = take_gpa(in) };
	u8 how = take(in, 1);

	desc.len = take(in, 1);
	if (how & 8)
		desc.len *= how & 16 ? 16 : 0x1010101;
	desc.flags = how & 7;
	desc.next = how >> 5;
	return desc;
}

/* A descriptor, in the ring or in a table, that may well be right. */
static void op_desc(struct input *in)
{
	struct vring_desc desc = take_desc(in);
	u16 at = take(in, 2) % (REGIONS * REGION - 16);

	if (at & 0x800)
		at = AT_DESC + at % 16 * 16;
	if (is_packed() || at & 1) {
		struct vring_packed_desc packed = {
			desc.addr, desc.len, desc.next, desc.flags
		};

		memcpy(&memory[0][0] + at, &packed, sizeof(packed));
	} else {
		memcpy(&memory[0][0] + at, &desc, sizeof(desc));
	}
}

/* What is in the table, or that and more, is made available. */
static void op_avail_split(u8 how)
{
	struct vring_avail *avail = (void *)&memory[0][AT_DRIVER];

	avail->ring[drv_avail++ % setup.num] = how % (setup.num + (how > 250));
	avail->idx = drv_avail + (how == 249);
}

static void op_avail_packed(struct input *in, u8 how)
{
	struct vring_packed_desc *ring = (void *)&memory[0][AT_DESC];
	unsigned int n = 1 + how % 4;

	for (; n; n--) {
		struct vring_desc desc = take_desc(in);
		u16 flags = (desc.flags & ~1) | (n > 1);

		flags |= BIT(drv_wrap ? VRING_PACKED_DESC_F_AVAIL : VRING_PACKED_DESC_F_USED);
		ring[drv_slot] = (struct vring_packed_desc){
			desc.addr, desc.len, drv_slot, flags
		};
		if (++drv_slot == setup.num) {
			drv_slot = 0;
			drv_wrap = !drv_wrap;
		}
	}
}

/* One indirect table and the descriptor that leads to it. */
static void op_indirect(struct input *in, u8 how)
{
	unsigned int n = 1 + how % 4, at = REGION - 32 + how % 48, i;
	struct vring_desc desc = { GPA + at, 16 * n, 4, 0 };

	for (i = 0; i < n; i++) {
		struct vring_desc entry = take_desc(in);
		struct vring_packed_desc packed = { entry.addr, entry.len, 0, entry.flags };

		entry.next %= 5;
		memcpy(&memory[0][0] + at + 16 * i,
		       is_packed() ? (void *)&packed : (void *)&entry, 16);
	}
	if (is_packed()) {
		struct vring_packed_desc *ring = (void *)&memory[0][AT_DESC];

		ring[drv_slot] = (struct vring_packed_desc){
			desc.addr, desc.len, drv_slot,
			4 | BIT(drv_wrap ? VRING_PACKED_DESC_F_AVAIL :
					   VRING_PACKED_DESC_F_USED)
		};
		if (++drv_slot == setup.num) {
			drv_slot = 0;
			drv_wrap = !drv_wrap;
		}
	} else {
		memcpy(&memory[0][AT_DESC + 16 * (how % setup.num)], &desc, sizeof(desc));
		op_avail_split(how % setup.num);
	}
}

/* Calls of the engine that say something of notifications, or nothing. */
static void op_notify(u8 how)
{
	int idx = enter();

	switch (how % 4) {
	case 0:
		MUST(!ranchu_vq_publish(&vq) == !vq.fault);
		break;
	case 1:
		ranchu_vq_must_call(&vq);
		break;
	case 2:
		ranchu_vq_enable_kicks(&vq);
		break;
	case 3:
		ranchu_vq_disable_kicks(&vq);
		break;
	}
	leave(idx);
}

static void operation(struct input *in)
{
	u8 what = take(in, 1), how = take(in, 1);

	switch (what % 16) {
	case 0 ... 2:
		op_next(how | 8);
		break;
	case 3:
		op_next(how);
		break;
	case 4 ... 5:
		op_push(how);
		break;
	case 6 ... 7:
		op_notify(how);
		break;
	case 8:
		op_put_back();
		break;
	case 9:
		if (how & 1)
			op_start(ranchu_vq_base(&vq));
		else
			op_start(take(in, 4));
		break;
	case 10:
		set_memory(how);
		break;
	case 11:
		op_log(how);
		break;
	case 12:
		op_poke(in);
		break;
	case 13:
		op_desc(in);
		break;
	case 14:
		if (is_packed())
			op_avail_packed(in, how);
		else
			op_avail_split(how);
		break;
	case 15:
		if (how & 0x80)
			op_indirect(in, how);
		else
			fail_in = how;
		break;
	}
}

static void begin(struct input *in)
{
	u8 features = take(in, 1);

	memset(memory, 0, sizeof(memory));
	memset(&vq, 0, sizeof(vq));
	setup = (struct ranchu_vq_setup){
		.features = FUZZ_FEATURES | BIT_ULL(VIRTIO_F_VERSION_1) |
			(features & 1 ? BIT_ULL(VIRTIO_RING_F_EVENT_IDX) : 0) |
			(features & 2 ? BIT_ULL(VIRTIO_F_IN_ORDER) : 0) |
			(features & 4 ? BIT_ULL(VIRTIO_RING_F_INDIRECT_DESC) : 0) |
			(features & 8 ? BIT_ULL(VIRTIO_F_NOTIFY_ON_EMPTY) : 0) |
			(features & 16 ? FUZZ_MAYBE : 0),
		.num = 1 + take(in, 1) % MAX_NUM,
		.desc = (uintptr_t)&memory[0][AT_DESC],
		.driver = (uintptr_t)&memory[0][AT_DRIVER],
		.device = (uintptr_t)&memory[0][AT_DEVICE],
		.log = (uintptr_t)bitmap,
	};
	if (!is_packed())
		setup.num = 1 << setup.num % 5;
	MUST(!ranchu_vq_check(&setup));
	drv_slot = 0;
	drv_avail = 0;
	drv_wrap = true;
	fail_in = 0;
	MUST(!ranchu_mem_init(&mem));
	set_memory(take(in, 1));
	op_start(is_packed() ? 0x80008000 : 0);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { data, size };

	meanwhile = split_off(&in);
	begin(&in);
	while (in.left)
		operation(&in);
	ranchu_mem_destroy(&mem);
	return 0;
}
