// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA: regions of guest memory that the guest lets a pipe's service use, without
 * a copy. Guest memory is a memfd of the owner's; a region keeps that file, not
 * the owner's mm, so that a service may outlive the owner. The files that services
 * get of it are goldfish_pipe_dma_file.c's.
 *
 * A page of a region is pinned when a service touches it, until the region ends. Guest memory
 * may also be private memory of the owner, as it is when a VM was started from a snapshot: then
 * all pages of a region are pinned when the guest maps it.
 * What may be pinned, all of the region, is accounted to the owner's user when the
 * guest maps it, so that a guest cannot pin more than its user may lock.
 */
#include <linux/capability.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/sched/user.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>

#include "goldfish_pipe_dma.h"

/**
 * pipe_dma_init() - make a table without regions
 * @dma: not yet in use
 */
void pipe_dma_init(struct pipe_dma_table *dma)
{
	mutex_init(&dma->lock);
	mt_init(&dma->regions);
	dma->n = 0;
}

/**
 * pipe_dma_destroy() - undo pipe_dma_init()
 * @dma: no pipe is open any more
 */
void pipe_dma_destroy(struct pipe_dma_table *dma)
{
	WARN_ON_ONCE(dma->n);
	mtree_destroy(&dma->regions);
}

/*
 * Counted by the user and not by the mm: the region may end in any process, which
 * must not wait for the owner's mmap_lock.
 */
static bool dma_account(struct pipe_dma_region *region)
{
	unsigned long pages = region->size >> PAGE_SHIFT;
	unsigned long limit = rlimit(RLIMIT_MEMLOCK) >> PAGE_SHIFT;
	struct user_struct *user = current_user();

	if (atomic_long_add_return(pages, &user->locked_vm) > limit &&
	    !capable(CAP_IPC_LOCK)) {
		atomic_long_sub(pages, &user->locked_vm);
		return false;
	}
	region->user = get_uid(user);
	return true;
}

static void dma_unaccount(struct pipe_dma_region *region)
{
	atomic_long_sub(region->size >> PAGE_SHIFT, &region->user->locked_vm);
	free_uid(region->user);
}

static void dma_free(struct kref *refs)
{
	struct pipe_dma_region *region =
		container_of(refs, struct pipe_dma_region, refs);

	pipe_dma_files_destroy(region);
	kfree(region);
}

/* Puts a memfd; NULL for private memory. */
static void dma_backing_put(struct file *backing)
{
	if (!backing)
		return;
	mapping_unmap_writable(backing->f_mapping);
	fput(backing);
}

/**
 * pipe_dma_put() - stop looking at a region
 * @region: from pipe_dma_get()
 *
 * Context: may sleep.
 */
void pipe_dma_put(struct pipe_dma_region *region)
{
	kref_put(&region->refs, dma_free);
}

/* Whether a page of the owner's goes on where @file and @index say. */
static bool dma_vma_fits(struct vm_area_struct *vma, unsigned long uaddr,
			 const struct file *file, pgoff_t index)
{
	const vm_flags_t needed = VM_SHARED | VM_MAYWRITE;

	return vma && vma->vm_start <= uaddr && vma->vm_file &&
	       (vma->vm_flags & needed) == needed &&
	       shmem_mapping(vma->vm_file->f_mapping) &&
	       (!file || (vma->vm_file == file &&
			  linear_page_index(vma, uaddr) == index));
}

/*
 * The file behind a range of the owner's memory, and where in it; NULL if it is
 * not all of it one memfd that the owner may write to itself.
 */
static struct file *dma_backing_locked(struct mm_struct *mm, unsigned long uaddr,
				       u64 size, pgoff_t *first)
{
	const unsigned long end = uaddr + size;
	struct file *file = NULL;
	pgoff_t index = 0;

	while (uaddr < end) {
		struct vm_area_struct *vma = find_vma(mm, uaddr);
		unsigned long next;

		if (!dma_vma_fits(vma, uaddr, file, index))
			return NULL;
		if (!file) {
			file = vma->vm_file;
			*first = linear_page_index(vma, uaddr);
		}
		next = min(end, vma->vm_end);
		index = linear_page_index(vma, uaddr) + ((next - uaddr) >> PAGE_SHIFT);
		uaddr = next;
	}
	return get_file(file);
}

/*
 * Whether all of a range of the owner's memory is private and can be written. The owner may map
 * other memory there before the pages are pinned: only pages that the owner may write are pinned.
 */
static bool dma_private_locked(struct mm_struct *mm, unsigned long uaddr, u64 size)
{
	const vm_flags_t unfit = VM_SHARED | VM_IO | VM_PFNMAP;
	const unsigned long end = uaddr + size;

	while (uaddr < end) {
		struct vm_area_struct *vma = find_vma(mm, uaddr);

		if (!vma || vma->vm_start > uaddr || vma->vm_flags & unfit ||
		    !(vma->vm_flags & VM_WRITE))
			return false;
		uaddr = vma->vm_end;
	}
	return true;
}

/* Finds whether the memory is a memfd or private. Returns 0, or -EINVAL if it is neither. */
static int dma_look(struct pipe_dma_region *region, unsigned long uaddr)
{
	if (!uaddr || !PAGE_ALIGNED(uaddr))
		return -EINVAL;
	/* The owner's: we are the vCPU or the worker. */
	mmap_read_lock(current->mm);
	region->backing = dma_backing_locked(current->mm, uaddr, region->size,
					     &region->first);
	if (!region->backing)
		region->is_private = dma_private_locked(current->mm, uaddr, region->size);
	mmap_read_unlock(current->mm);
	/* Nobody seals it against writing while a service may write. */
	if (region->backing && mapping_map_writable(region->backing->f_mapping)) {
		fput(region->backing);
		region->backing = NULL;
	}
	return region->backing || region->is_private ? 0 : -EINVAL;
}

/* Fills a region whose size is set. */
static int dma_fill(struct pipe_dma_region *region, unsigned long uaddr)
{
	int err = dma_look(region, uaddr);

	if (err)
		return err;
	if (!dma_account(region)) {
		err = -ENOMEM;
		goto err_backing;
	}
	pipe_dma_files_init(region);
	if (region->is_private)
		err = pipe_dma_files_pin(region, uaddr);
	if (!err)
		return 0;
	dma_unaccount(region);
err_backing:
	dma_backing_put(region->backing);
	return err;
}

static struct pipe_dma_region *dma_make(struct pipe *pipe, u64 gpa, u64 size)
{
	struct pipe_dma_region *region = kzalloc(sizeof(*region), GFP_KERNEL_ACCOUNT);
	int err;

	if (!region)
		return ERR_PTR(-ENOMEM);
	kref_init(&region->refs);
	region->pipe = pipe;
	region->gpa = gpa;
	region->size = size;
	err = dma_fill(region, (unsigned long)ranchu_mem_user(&pipe->dev->mem, gpa, size));
	if (!err)
		return region;
	kfree(region);
	return ERR_PTR(err);
}

static int dma_add_locked(struct pipe_dma_table *dma, struct pipe_dma_region *region)
{
	int err;

	lockdep_assert_held(&dma->lock);
	if (dma->n == VHOST_GOLDFISH_PIPE_MAX_DMA)
		return -ENOMEM;
	err = mtree_insert_range(&dma->regions, region->gpa,
				 region->gpa + region->size - 1, region,
				 GFP_KERNEL_ACCOUNT);
	if (err)
		return err;
	list_add_tail(&region->node, &region->pipe->dma);
	WRITE_ONCE(dma->n, dma->n + 1);
	return 0;
}

/*
 * Of a region that is in no table any more. The memfd is all of the guest's memory: a
 * service that keeps the file of a page of it does not keep that.
 */
static void dma_end(struct pipe_dma_region *region)
{
	dma_backing_put(pipe_dma_files_end(region));
	dma_unaccount(region);
	pipe_dma_put(region);
}

/**
 * pipe_dma_map() - serve DMA_MAPHOST
 * @pipe: for its service
 * @gpa: any number the guest came up with
 * @size: likewise
 *
 * Context: vCPU or worker, inside ranchu_mem_enter(), the pipe's lock held.
 * Return:
 * * 0: done
 * * -EINVAL: no sane region; no guest memory, or neither of one memfd nor private
 * * -EINTR: the caller was killed meanwhile
 * * -EEXIST: part of it is mapped already, for whatever pipe
 * * -ENOMEM: no memory, as many regions as there may be, or more pages than the
 *   owner may lock
 */
int pipe_dma_map(struct pipe *pipe, u64 gpa, u64 size)
{
	struct pipe_dma_table *dma = &pipe->dev->dma;
	struct pipe_dma_region *region;
	int err;

	lockdep_assert_held(&pipe->lock);
	if (!pipe_dma_sane(gpa, size, PAGE_SIZE))
		return -EINVAL;
	region = dma_make(pipe, gpa, size);
	if (IS_ERR(region))
		return PTR_ERR(region);
	mutex_lock(&dma->lock);
	err = dma_add_locked(dma, region);
	mutex_unlock(&dma->lock);
	if (err)
		dma_end(region);
	return err;
}

static void dma_remove_locked(struct pipe_dma_table *dma,
			      struct pipe_dma_region *region)
{
	lockdep_assert_held(&dma->lock);
	mtree_erase(&dma->regions, region->gpa);
	list_del(&region->node);
	WRITE_ONCE(dma->n, dma->n - 1);
}

/**
 * pipe_dma_unmap() - serve DMA_UNMAPHOST
 * @pipe: for whose service it was mapped
 * @gpa: any number the guest came up with
 *
 * On return no service can touch the region.
 *
 * Context: may sleep, the pipe's lock held.
 * Return: 0, or -EINVAL if no region of this pipe begins there.
 */
int pipe_dma_unmap(struct pipe *pipe, u64 gpa)
{
	struct pipe_dma_table *dma = &pipe->dev->dma;
	struct pipe_dma_region *region;

	lockdep_assert_held(&pipe->lock);
	mutex_lock(&dma->lock);
	region = mtree_load(&dma->regions, gpa);
	if (region && (region->pipe != pipe || region->gpa != gpa))
		region = NULL;
	if (region)
		dma_remove_locked(dma, region);
	mutex_unlock(&dma->lock);
	if (!region)
		return -EINVAL;
	dma_end(region);
	return 0;
}

/**
 * pipe_dma_unmap_all() - end all regions of a pipe
 * @pipe: about to be closed
 *
 * Context: may sleep, the pipe's lock held; any process.
 */
void pipe_dma_unmap_all(struct pipe *pipe)
{
	struct pipe_dma_table *dma = &pipe->dev->dma;
	struct pipe_dma_region *region;

	lockdep_assert_held(&pipe->lock);
	do {
		mutex_lock(&dma->lock);
		region = list_first_entry_or_null(&pipe->dma,
						  struct pipe_dma_region, node);
		if (region)
			dma_remove_locked(dma, region);
		mutex_unlock(&dma->lock);
		if (region)
			dma_end(region);
		cond_resched();
	} while (region);
}

/**
 * pipe_dma_get() - find the region that holds a guest address
 * @pipe: of whose regions
 * @gpa: any number the guest came up with
 *
 * Context: may sleep.
 * Return: the region, for pipe_dma_put(); or NULL.
 */
struct pipe_dma_region *pipe_dma_get(struct pipe *pipe, u64 gpa)
{
	struct pipe_dma_table *dma = &pipe->dev->dma;
	struct pipe_dma_region *region;

	mutex_lock(&dma->lock);
	region = mtree_load(&dma->regions, gpa);
	if (region && region->pipe == pipe)
		kref_get(&region->refs);
	else
		region = NULL;
	mutex_unlock(&dma->lock);
	return region;
}

/**
 * pipe_dma_span() - say where a region is
 * @region: the region
 * @size: set to its size in bytes
 *
 * Return: guest physical address of its first byte.
 */
u64 pipe_dma_span(const struct pipe_dma_region *region, u64 *size)
{
	*size = region->size;
	return region->gpa;
}

/**
 * pipe_dma_page() - find the page behind a guest address, for a built-in service
 * @region: holds @gpa, and does not end meanwhile
 * @gpa: guest physical address
 *
 * Context: may sleep, the lock of the region's pipe held.
 * Return: the page, for put_page(), or -errno.
 */
struct page *pipe_dma_page(struct pipe_dma_region *region, u64 gpa)
{
	unsigned long index = (gpa - region->gpa) >> PAGE_SHIFT;
	struct page *page;

	if (!region->is_private)
		return shmem_read_mapping_page(region->backing->f_mapping,
					       region->first + index);
	page = xa_load(&region->pages, index);
	get_page(page);
	return page;
}
