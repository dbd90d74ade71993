// SPDX-License-Identifier: GPL-2.0-only
/*
 * DMA: regions of guest memory that the guest lets a pipe's service use, without
 * a copy. Guest memory is a memfd of the owner's; a region keeps that file, not
 * the owner's mm, so that a service may outlive the owner.
 *
 * A service gets a file of its own, whose mmap() reaches the region and no byte
 * beyond it: not by growing the mapping, nor by asking for another offset. Its
 * pages are looked up when they are touched, so that mapping a region, and
 * handing one on, costs the same whatever its size. A page that was touched is
 * kept until the region ends; it goes into page tables as a bare number, because
 * the memfd does not know of this mapping and would miss it in its own books.
 *
 * The end of a region empties those page tables. Whoever touches the memory
 * then finds a page of zeroes that belongs to nobody else: a guest that takes
 * memory back under its service's hands must neither kill the service nor show
 * it what the memory is used for next.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kref.h>
#include <linux/mm.h>
#include <linux/poll.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>

#include "goldfish_pipe.h"

/* Pages that one fault maps at most. */
#define DMA_FAULT_PAGES 16

/**
 * struct pipe_dma_region - a region
 * @refs: the table, until the region ends; each file; who looks at it now
 * @pipe: whose it is; only ever compared, and only while in the table
 * @node: in the pipe's list
 * @gpa: guest physical address of the first byte
 * @size: bytes
 * @backing: the memfd
 * @first: number of the region's first page in @backing
 * @lock: protects what follows
 * @ended: in no table any more; @pages is empty for good
 * @pages: that were touched, by number in the region; a reference each
 * @scratch: what is seen once @ended; NULL until it is
 * @files: struct dma_file
 * @wait: who polls
 */
struct pipe_dma_region {
	struct kref refs;
	struct pipe *pipe;
	struct list_head node;
	u64 gpa;
	u64 size;
	struct file *backing;
	pgoff_t first;

	struct mutex lock;	/* see above */
	bool ended;
	struct xarray pages;
	struct page *scratch;
	struct list_head files;
	wait_queue_head_t wait;
};

/**
 * struct dma_file - a file that a service has
 * @node: in pipe_dma_region.files
 * @region: of which the file has a reference
 * @mapping: of the file
 */
struct dma_file {
	struct list_head node;
	struct pipe_dma_region *region;
	struct address_space *mapping;
};

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

static void dma_drop_pages(struct pipe_dma_region *region)
{
	struct page *page;
	unsigned long i;

	xa_for_each(&region->pages, i, page) {
		/* The service may have written; page tables do not tell. */
		set_page_dirty_lock(page);
		put_page(page);
	}
	xa_destroy(&region->pages);
}

static void dma_free(struct kref *refs)
{
	struct pipe_dma_region *region =
		container_of(refs, struct pipe_dma_region, refs);

	if (region->scratch)
		__free_page(region->scratch);
	mapping_unmap_writable(region->backing->f_mapping);
	fput(region->backing);
	kfree(region);
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

static struct file *dma_backing(struct pipe_dev *dev, u64 gpa, u64 size,
				pgoff_t *first)
{
	unsigned long uaddr;
	struct file *file;

	uaddr = (unsigned long)ranchu_mem_user(&dev->mem, gpa, size);
	if (!uaddr || !PAGE_ALIGNED(uaddr))
		return NULL;
	/* The owner's: we are the vCPU or the worker. */
	mmap_read_lock(current->mm);
	file = dma_backing_locked(current->mm, uaddr, size, first);
	mmap_read_unlock(current->mm);
	/* Nobody seals it against writing while a service may write. */
	if (file && mapping_map_writable(file->f_mapping)) {
		fput(file);
		file = NULL;
	}
	return file;
}

static struct pipe_dma_region *dma_make(struct pipe *pipe, u64 gpa, u64 size)
{
	struct pipe_dma_region *region = kzalloc(sizeof(*region), GFP_KERNEL_ACCOUNT);

	if (!region)
		return ERR_PTR(-ENOMEM);
	region->backing = dma_backing(pipe->dev, gpa, size, &region->first);
	if (!region->backing) {
		kfree(region);
		return ERR_PTR(-EINVAL);
	}
	kref_init(&region->refs);
	region->pipe = pipe;
	region->gpa = gpa;
	region->size = size;
	mutex_init(&region->lock);
	xa_init_flags(&region->pages, XA_FLAGS_ACCOUNT);
	INIT_LIST_HEAD(&region->files);
	init_waitqueue_head(&region->wait);
	return region;
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

/**
 * pipe_dma_map() - serve DMA_MAPHOST
 * @pipe: for its service
 * @gpa: any number the guest came up with
 * @size: likewise
 *
 * Context: vCPU or worker, inside ranchu_mem_enter(), the pipe's lock held.
 * Return:
 * * 0: done
 * * -EINVAL: no sane region; no guest memory, or not of one memfd
 * * -EEXIST: part of it is mapped already, for whatever pipe
 * * -ENOMEM: no memory, or as many regions as there may be
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
		pipe_dma_put(region);
	return err;
}

static void dma_end(struct pipe_dma_region *region)
{
	struct dma_file *file;

	mutex_lock(&region->lock);
	WRITE_ONCE(region->ended, true);
	list_for_each_entry(file, &region->files, node)
		unmap_mapping_range(file->mapping, 0, 0, 1);
	/* Nobody has them any more, and nobody gets them. */
	dma_drop_pages(region);
	mutex_unlock(&region->lock);
	wake_up_interruptible_poll(&region->wait, EPOLLHUP);
	pipe_dma_put(region);
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
 * @region: holds @gpa
 * @gpa: guest physical address
 *
 * Context: may sleep.
 * Return: the page, for put_page(), or -errno.
 */
struct page *pipe_dma_page(struct pipe_dma_region *region, u64 gpa)
{
	return shmem_read_mapping_page(region->backing->f_mapping, region->first +
				       ((gpa - region->gpa) >> PAGE_SHIFT));
}

/* ---- files ---- */

static struct page *dma_page_locked(struct pipe_dma_region *region, pgoff_t index)
{
	struct page *page = xa_load(&region->pages, index);
	int err;

	lockdep_assert_held(&region->lock);
	if (page)
		return page;
	page = shmem_read_mapping_page(region->backing->f_mapping,
				       region->first + index);
	if (IS_ERR(page))
		return page;
	err = xa_err(xa_store(&region->pages, index, page, GFP_KERNEL));
	if (!err)
		return page;
	put_page(page);
	return ERR_PTR(err);
}

static struct page *dma_scratch_locked(struct pipe_dma_region *region)
{
	lockdep_assert_held(&region->lock);
	if (!region->scratch)
		region->scratch = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	return region->scratch ?: ERR_PTR(-ENOMEM);
}

static vm_fault_t dma_map_locked(struct pipe_dma_region *region,
				 struct vm_area_struct *vma, unsigned long addr)
{
	struct page *page;

	if (region->ended)
		page = dma_scratch_locked(region);
	else
		page = dma_page_locked(region, linear_page_index(vma, addr));
	if (IS_ERR(page))
		return vmf_error(PTR_ERR(page));
	return vmf_insert_pfn(vma, addr, page_to_pfn(page));
}

/* The page, and some behind it: whoever touches one wants the next, too. */
static vm_fault_t dma_fault(struct vm_fault *vmf)
{
	struct vm_area_struct *vma = vmf->vma;
	struct dma_file *file = vma->vm_private_data;
	unsigned long addr = vmf->address, end;
	vm_fault_t ret;

	end = min(vma->vm_end, addr + DMA_FAULT_PAGES * PAGE_SIZE);
	mutex_lock(&file->region->lock);
	ret = dma_map_locked(file->region, vma, addr);
	while (ret == VM_FAULT_NOPAGE && (addr += PAGE_SIZE) < end)
		if (dma_map_locked(file->region, vma, addr) != VM_FAULT_NOPAGE)
			break;
	mutex_unlock(&file->region->lock);
	return ret;
}

static const struct vm_operations_struct dma_vm_ops = {
	.fault = dma_fault,
};

static int dma_mmap(struct file *filp, struct vm_area_struct *vma)
{
	struct dma_file *file = filp->private_data;
	u64 pages = file->region->size >> PAGE_SHIFT;

	if (!(vma->vm_flags & VM_SHARED))
		return -EINVAL;
	if (vma->vm_pgoff >= pages || vma_pages(vma) > pages - vma->vm_pgoff)
		return -EINVAL;
	vm_flags_set(vma, VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP);
	vma->vm_ops = &dma_vm_ops;
	vma->vm_private_data = file;
	return 0;
}

static __poll_t dma_poll(struct file *filp, poll_table *wait)
{
	struct dma_file *file = filp->private_data;

	poll_wait(filp, &file->region->wait, wait);
	return READ_ONCE(file->region->ended) ? EPOLLHUP : 0;
}

static int dma_release(struct inode *inode, struct file *filp)
{
	struct dma_file *file = filp->private_data;
	struct pipe_dma_region *region = file->region;

	mutex_lock(&region->lock);
	list_del(&file->node);
	mutex_unlock(&region->lock);
	pipe_dma_put(region);
	kfree(file);
	return 0;
}

static const struct file_operations dma_fops = {
	.owner = THIS_MODULE,
	.release = dma_release,
	.mmap = dma_mmap,
	.poll = dma_poll,
	.llseek = noop_llseek,
};

/**
 * pipe_dma_file() - make a file with which a service can map a region
 * @region: its reference goes to the file, or is put
 *
 * Each file has an inode of its own, so that emptying its page tables does not
 * reach anybody else's.
 *
 * Context: may sleep.
 * Return: the file, or -errno.
 */
struct file *pipe_dma_file(struct pipe_dma_region *region)
{
	struct dma_file *file = kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);
	struct file *filp = ERR_PTR(-ENOMEM);

	if (file)
		filp = anon_inode_create_getfile("[goldfish-pipe-dma]", &dma_fops,
						 file, O_RDWR, NULL);
	if (IS_ERR(filp)) {
		kfree(file);
		pipe_dma_put(region);
		return filp;
	}
	file->region = region;
	file->mapping = filp->f_mapping;
	mutex_lock(&region->lock);
	list_add(&file->node, &region->files);
	mutex_unlock(&region->lock);
	return filp;
}
