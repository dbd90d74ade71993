// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: the table of guest memory regions and what is built on it, with
 * any regions and any addresses, against a search that looks at every region.
 */
#include <linux/mm.h>
#include <linux/ranchu.h>
#include <linux/uaccess.h>
#include <linux/vhost_types.h>

#include "fuzz.h"
#include "mem_table.h"

#define REGIONS 6
#define MAX_IOV 4
#define HUGE 64

static struct {
	u32 nregions, padding;
	struct vhost_memory_region regions[HUGE + 2];
} argument;
static u8 host[256], user[256];

bool shim_access_ok(const void *uaddr, size_t len)
{
	return true;
}

bool shim_load(void *val, const void *uaddr, size_t len)
{
	return false;
}

bool shim_store(void *uaddr, const void *val, size_t len)
{
	return false;
}

static bool in_argument(const void *uaddr, size_t len)
{
	uintptr_t offset = (uintptr_t)uaddr - (uintptr_t)&argument;

	return offset <= sizeof(argument) && len <= sizeof(argument) - offset;
}

/* Where a region leads is no real memory; what is copied comes from one place. */
bool shim_load_bytes(void *dst, const void *uaddr, size_t len)
{
	if (in_argument(uaddr, len)) {
		memcpy(dst, uaddr, len);
		return true;
	}
	MUST(len <= sizeof(user));
	memcpy(dst, user, len);
	return true;
}

bool shim_store_bytes(void *uaddr, const void *src, size_t len)
{
	MUST(len <= sizeof(user));
	memcpy(user, src, len);
	return true;
}

void shim_barrier(enum shim_barrier kind)
{
}

/* Small numbers, numbers near the top, and any. */
static u64 number(struct input *in)
{
	u8 how = take(in, 1);
	u64 val = take(in, how & 1 ? 8 : 2);

	if (how & 2)
		val = ~val;
	return how & 4 ? val << 12 : val;
}

static const struct vhost_memory_region *find(u64 gpa)
{
	unsigned int i;

	for (i = 0; i < argument.nregions; i++)
		if (gpa - argument.regions[i].guest_phys_addr <
		    argument.regions[i].memory_size)
			return &argument.regions[i];
	return NULL;
}

static bool is_good(void)
{
	unsigned int i, k;

	for (i = 0; i < argument.nregions; i++) {
		const struct vhost_memory_region *a = &argument.regions[i];
		u64 more = a->memory_size - 1;

		if (!a->memory_size || a->guest_phys_addr + more < a->guest_phys_addr ||
		    a->userspace_addr + more < a->userspace_addr)
			return false;
		for (k = 0; k < i; k++) {
			const struct vhost_memory_region *b = &argument.regions[k];

			if (a->guest_phys_addr - b->guest_phys_addr < b->memory_size ||
			    b->guest_phys_addr - a->guest_phys_addr < a->memory_size)
				return false;
		}
	}
	return true;
}

static void check_iov(struct ranchu_mem *mem, u64 gpa, u64 len)
{
	struct iovec iov[MAX_IOV];
	int i, n = ranchu_mem_iov(mem, gpa, len, iov, MAX_IOV);

	MUST(n <= MAX_IOV && (n >= 0 || n == -EFAULT || n == -E2BIG));
	MUST(len || !n);
	for (i = 0; i < n; i++) {
		const struct vhost_memory_region *region = find(gpa);

		MUST(region && iov[i].iov_len && iov[i].iov_len <= len);
		MUST((uintptr_t)iov[i].iov_base ==
		     region->userspace_addr + (gpa - region->guest_phys_addr));
		MUST(iov[i].iov_len <= region->memory_size - (gpa - region->guest_phys_addr));
		gpa += iov[i].iov_len;
		len -= iov[i].iov_len;
	}
	MUST(n < 0 || !len);
	if (n == -EFAULT)
		MUST(!find(gpa) || !find(gpa + len - 1) || len > 1);
}

static void check_copy(struct ranchu_mem *mem, u64 gpa, u64 len)
{
	len %= sizeof(host) / 2;
	if (!ranchu_mem_read(mem, gpa, host, len) && len)
		MUST(find(gpa) && find(gpa + len - 1));
	if (!ranchu_mem_write(mem, gpa, host, len) && len)
		MUST(find(gpa) && find(gpa + len - 1));
	if (len)
		MUST(!ranchu_mem_user(mem, gpa, len) || find(gpa) == find(gpa + len - 1));
}

static void check_overlap(struct ranchu_mem *mem, u64 uaddr, u64 len)
{
	const struct ranchu_mem_table *table = mem->table;
	unsigned int i;
	u64 gpa, n;

	if (!table || uaddr + len < uaddr)
		return;
	for (i = 0; i < table->n; i++) {
		const struct ranchu_mem_region *region = &table->regions[i];

		n = ranchu_mem_region_overlap(region, uaddr, len, &gpa);
		MUST(n <= len);
		if (!n)
			continue;
		MUST(gpa >= region->first && gpa <= region->last &&
		     n - 1 <= region->last - gpa);
		/* Seen from the owner it lies inside what was asked for. */
		MUST(region->uaddr + (gpa - region->first) - uaddr <= len - n);
	}
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct input in = { data, size };
	struct ranchu_mem mem;
	unsigned int i;
	int err, idx;

	argument.nregions = take(&in, 1) % (REGIONS + 1);
	argument.padding = take(&in, 1) == 0xff;
	for (i = 0; i < argument.nregions; i++)
		argument.regions[i] = (struct vhost_memory_region){
			number(&in), number(&in), number(&in), 0
		};
	if (take(&in, 1) == 0xfe)
		argument.nregions = HUGE + 1;
	MUST(!ranchu_mem_init(&mem));
	err = ranchu_mem_set(&mem, &argument);
	if (argument.padding)
		MUST(err == -EOPNOTSUPP);
	else if (argument.nregions > HUGE)
		MUST(err == -E2BIG);
	else
		MUST(err == (is_good() ? 0 : -EINVAL));
	if (err)
		argument.nregions = 0;
	idx = ranchu_mem_enter(&mem);
	while (in.left) {
		u64 addr = number(&in), len = number(&in);

		check_iov(&mem, addr, len);
		check_copy(&mem, addr, len);
		check_overlap(&mem, addr, len);
		MUST(argument.nregions || !ranchu_mem_log_size(&mem));
	}
	ranchu_mem_leave(&mem, idx);
	ranchu_mem_destroy(&mem);
	return 0;
}
