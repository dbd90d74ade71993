// SPDX-License-Identifier: GPL-2.0-only
/*
 * Guest memory for the devices: the lifetime of the region table and copies
 * in and out. The table itself is mem_table.c's.
 *
 * A copy reads guest memory once, into host memory; callers decide on the copy
 * and never look twice.
 */
#include <linux/export.h>
#include <linux/ranchu.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "mem_table.h"

/**
 * ranchu_mem_init() - make guest memory with nothing in it
 * @mem: not yet in use
 *
 * Context: may sleep.
 * Return: 0, or -ENOMEM.
 */
int ranchu_mem_init(struct ranchu_mem *mem)
{
	mutex_init(&mem->lock);
	RCU_INIT_POINTER(mem->table, NULL);
	return init_srcu_struct(&mem->srcu);
}
EXPORT_SYMBOL_GPL(ranchu_mem_init);

/**
 * ranchu_mem_replace() - use other guest memory from now on
 * @mem: the memory
 * @table: from ranchu_mem_fetch(), taken; NULL for none
 *
 * On return nobody uses the old regions any more.
 *
 * Context: may sleep; outside ranchu_mem_enter().
 */
void ranchu_mem_replace(struct ranchu_mem *mem, struct ranchu_mem_table *table)
{
	mutex_lock(&mem->lock);
	table = rcu_replace_pointer(mem->table, table,
				    lockdep_is_held(&mem->lock));
	mutex_unlock(&mem->lock);
	synchronize_srcu(&mem->srcu);
	kfree(table);
}
EXPORT_SYMBOL_GPL(ranchu_mem_replace);

/**
 * ranchu_mem_clear() - forget all guest memory
 * @mem: the memory
 *
 * Context: may sleep; outside ranchu_mem_enter().
 */
void ranchu_mem_clear(struct ranchu_mem *mem)
{
	ranchu_mem_replace(mem, NULL);
}
EXPORT_SYMBOL_GPL(ranchu_mem_clear);

/**
 * ranchu_mem_destroy() - undo ranchu_mem_init()
 * @mem: no one uses it any more
 *
 * Context: may sleep.
 */
void ranchu_mem_destroy(struct ranchu_mem *mem)
{
	ranchu_mem_clear(mem);
	cleanup_srcu_struct(&mem->srcu);
}
EXPORT_SYMBOL_GPL(ranchu_mem_destroy);

static struct ranchu_mem_table *
mem_table_make(const struct vhost_memory_region *in, unsigned int n)
{
	struct ranchu_mem_table *table;
	unsigned int i;
	int err;

	for (i = 0; i < n; i++)
		if (!access_ok(u64_to_user_ptr(in[i].userspace_addr),
			       in[i].memory_size))
			return ERR_PTR(-EFAULT);

	table = kzalloc(struct_size(table, regions, n), GFP_KERNEL_ACCOUNT);
	if (!table)
		return ERR_PTR(-ENOMEM);
	err = ranchu_mem_table_fill(table, in, n);
	if (err) {
		kfree(table);
		return ERR_PTR(err);
	}
	return table;
}

/**
 * ranchu_mem_fetch() - read the argument of VHOST_SET_MEM_TABLE
 * @argp: struct vhost_memory in the owner's memory
 *
 * Context: the owner's process; no lock is held, because @argp may take any time to
 * answer.
 * Return: regions, for ranchu_mem_replace() or ranchu_mem_table_free(), or
 * * -EFAULT: @argp, or a region's user range, is no user memory
 * * -EOPNOTSUPP: the padding is not zero
 * * -E2BIG: more than RANCHU_MEM_MAX_REGIONS regions
 * * -EINVAL: an empty region, one that wraps, or two that overlap
 * * -ENOMEM: no memory
 * Source: linux/vhost_types.h; errnos are those of drivers/vhost/vhost.c
 */
struct ranchu_mem_table *ranchu_mem_fetch(const void __user *argp)
{
	const struct vhost_memory __user *user = argp;
	struct vhost_memory_region *regions;
	struct ranchu_mem_table *table;
	struct vhost_memory head;

	if (copy_from_user(&head, user, sizeof(head)))
		return ERR_PTR(-EFAULT);
	if (head.padding)
		return ERR_PTR(-EOPNOTSUPP);
	if (head.nregions > RANCHU_MEM_MAX_REGIONS)
		return ERR_PTR(-E2BIG);
	regions = memdup_array_user(user->regions, head.nregions,
				    sizeof(*regions));
	if (IS_ERR(regions))
		return ERR_CAST(regions);
	table = mem_table_make(regions, head.nregions);
	kfree(regions);
	return table;
}
EXPORT_SYMBOL_GPL(ranchu_mem_fetch);

/**
 * ranchu_mem_table_free() - undo ranchu_mem_fetch()
 * @table: not given to ranchu_mem_replace()
 */
void ranchu_mem_table_free(struct ranchu_mem_table *table)
{
	kfree(table);
}
EXPORT_SYMBOL_GPL(ranchu_mem_table_free);

/**
 * ranchu_mem_set() - ranchu_mem_fetch() and ranchu_mem_replace() in one
 * @mem: the memory
 * @argp: struct vhost_memory in the owner's memory
 *
 * On an error the old regions stay.
 *
 * Context: as both.
 * Return: 0, or -errno as ranchu_mem_fetch().
 */
int ranchu_mem_set(struct ranchu_mem *mem, const void __user *argp)
{
	struct ranchu_mem_table *table = ranchu_mem_fetch(argp);

	if (IS_ERR(table))
		return PTR_ERR(table);
	ranchu_mem_replace(mem, table);
	return 0;
}
EXPORT_SYMBOL_GPL(ranchu_mem_set);

/**
 * ranchu_mem_is_set() - tell whether there is any guest memory
 * @mem: the memory
 *
 * Context: nobody changes it meanwhile, or the answer is of the past.
 * Return: whether ranchu_mem_set() was called and ranchu_mem_clear() not since.
 */
bool ranchu_mem_is_set(const struct ranchu_mem *mem)
{
	return rcu_access_pointer(mem->table);
}
EXPORT_SYMBOL_GPL(ranchu_mem_is_set);

static const struct ranchu_mem_table *mem_table(struct ranchu_mem *mem)
{
	return srcu_dereference(mem->table, &mem->srcu);
}

/**
 * ranchu_mem_iov() - turn a guest range into user ranges
 * @mem: the memory
 * @gpa: guest physical address of the first byte
 * @len: bytes; any number the guest came up with
 * @iov: filled, in order
 * @max: elements in @iov
 *
 * The ranges are good until ranchu_mem_leave(). Access may fault all the same:
 * the owner may have unmapped them.
 *
 * Context: inside ranchu_mem_enter().
 * Return: elements used, 0 if @len is 0, or
 * * -EFAULT: part of the range is not guest memory
 * * -E2BIG: it needs more than @max elements
 */
int ranchu_mem_iov(struct ranchu_mem *mem, u64 gpa, u64 len,
		   struct iovec *iov, unsigned int max)
{
	const struct ranchu_mem_table *table = mem_table(mem);

	if (!len)
		return 0;
	if (!table)
		return -EFAULT;
	return ranchu_mem_table_iov(table, gpa, len, iov, max);
}
EXPORT_SYMBOL_GPL(ranchu_mem_iov);

/**
 * ranchu_mem_user() - find a guest range that is contiguous in the owner too
 * @mem: the memory
 * @gpa: guest physical address of the first byte
 * @len: bytes, more than 0
 *
 * For what is accessed field by field. Access may fault all the same.
 *
 * Context: inside ranchu_mem_enter(); the address is good until
 * ranchu_mem_leave().
 * Return: the user address, or NULL if the range is not guest memory, or not
 * all of it in one region.
 */
void __user *ranchu_mem_user(struct ranchu_mem *mem, u64 gpa, u64 len)
{
	struct iovec iov;

	return ranchu_mem_iov(mem, gpa, len, &iov, 1) == 1 ? iov.iov_base : NULL;
}
EXPORT_SYMBOL_GPL(ranchu_mem_user);

/**
 * ranchu_mem_read() - copy from guest memory
 * @mem: the memory
 * @gpa: guest physical address of the first byte
 * @dst: host memory; partly written on an error
 * @len: bytes; at most two regions are crossed
 *
 * Context: vCPU or worker, inside ranchu_mem_enter(); may sleep.
 * Return: 0, or -EFAULT if part of the range is not accessible guest memory.
 */
int ranchu_mem_read(struct ranchu_mem *mem, u64 gpa, void *dst, size_t len)
{
	struct iovec iov[2];
	int i, n;

	n = ranchu_mem_iov(mem, gpa, len, iov, ARRAY_SIZE(iov));
	if (n < 0)
		return -EFAULT;
	for (i = 0; i < n; i++) {
		if (copy_from_user(dst, iov[i].iov_base, iov[i].iov_len))
			return -EFAULT;
		dst += iov[i].iov_len;
	}
	return 0;
}
EXPORT_SYMBOL_GPL(ranchu_mem_read);

/**
 * ranchu_mem_write() - copy to guest memory
 * @mem: the memory
 * @gpa: guest physical address of the first byte
 * @src: host memory
 * @len: bytes; at most two regions are crossed
 *
 * Context: vCPU or worker, inside ranchu_mem_enter(); may sleep.
 * Return: 0, or -EFAULT if part of the range is not accessible guest memory;
 * what comes before that part may have been written.
 */
int ranchu_mem_write(struct ranchu_mem *mem, u64 gpa, const void *src, size_t len)
{
	struct iovec iov[2];
	int i, n;

	n = ranchu_mem_iov(mem, gpa, len, iov, ARRAY_SIZE(iov));
	if (n < 0)
		return -EFAULT;
	for (i = 0; i < n; i++) {
		if (copy_to_user(iov[i].iov_base, src, iov[i].iov_len))
			return -EFAULT;
		src += iov[i].iov_len;
	}
	return 0;
}
EXPORT_SYMBOL_GPL(ranchu_mem_write);
