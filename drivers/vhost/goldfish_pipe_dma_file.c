// SPDX-License-Identifier: GPL-2.0-only
/*
 * Files by which services reach a region of guest memory. Each service gets one of
 * its own, whose mmap() reaches the region and no byte beyond it: not by growing the
 * mapping, nor by asking for another offset. Pages are looked up when they are
 * touched, so that mapping a region, and handing one on, costs the same whatever its
 * size. A page goes into page tables as a bare number, because the memfd does not
 * know of this mapping and would miss it in its own books.
 *
 * Private memory has no such file: all its pages are pinned when the guest maps the region
 * (pipe_dma_files_pin()).
 *
 * The end of a region empties those page tables. Whoever touches the memory
 * then finds a page of zeroes that belongs to nobody else: a guest that takes
 * memory back under its service's hands must neither kill the service nor show
 * it what the memory is used for next. The guest's CPU does that, so that there are
 * few files and mappings of a region, and no wait for a service's memory.
 */
#include <linux/anon_inodes.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/poll.h>
#include <linux/sched/signal.h>
#include <linux/shmem_fs.h>
#include <linux/slab.h>

#include "goldfish_pipe_dma.h"

/* Pages of private memory that are pinned in one step. */
#define DMA_PIN_PAGES (PAGE_SIZE / sizeof(struct page *))

/* Pages that one fault maps at most. */
#define DMA_FAULT_PAGES 16

/* Times that the owner may take a page away, and set it aside again, under a fault. */
#define DMA_PIN_TRIES 16

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

/*
 * Pins a page where it may stay: it is moved first if it lies where memory has to be
 * movable. It is made dirty now, because a service may write and page tables do not
 * tell, and because ending a region must not wait for the page's lock.
 */
static struct page *dma_pin_folio(struct file *backing, pgoff_t index)
{
	loff_t at = (loff_t)index << PAGE_SHIFT;
	struct folio *folio;
	struct page *page;
	pgoff_t offset;
	long n;

	n = memfd_pin_folios(backing, at, at + PAGE_SIZE - 1, &folio, 1, &offset);
	if (n != 1)
		return ERR_PTR(n < 0 ? n : -EIO);
	/*
	 * Set aside by fallocate() and never read: it holds what it was used for last, and
	 * would be cleared under a service's hands when the guest touches it.
	 */
	if (!folio_test_uptodate(folio)) {
		unpin_folio(folio);
		return ERR_PTR(-EAGAIN);
	}
	page = folio_page(folio, offset >> PAGE_SHIFT);
	set_page_dirty_lock(page);
	return page;
}

/* Reading a page has it cleared, if nobody has yet. It may go before it is pinned. */
static struct page *dma_pin(struct file *backing, pgoff_t index)
{
	unsigned int tries = DMA_PIN_TRIES;
	struct page *page;

	do {
		page = shmem_read_mapping_page(backing->f_mapping, index);
		if (IS_ERR(page))
			return page;
		put_page(page);
		page = dma_pin_folio(backing, index);
	} while (page == ERR_PTR(-EAGAIN) && --tries);
	return page;
}

static void dma_unpin(const struct pipe_dma_region *region, struct page *page)
{
	if (region->is_private)
		unpin_user_page(page);
	else
		unpin_folio(page_folio(page));
}

/* Frees all pages; nobody can reach them any more, or gets them. */
static void dma_drop_pages_locked(struct pipe_dma_region *region)
{
	struct page *page;
	unsigned long i;

	lockdep_assert_held(&region->lock);
	xa_for_each(&region->pages, i, page) {
		dma_unpin(region, page);
		cond_resched();
	}
	xa_destroy(&region->pages);
}

/* Returns how many of the pages are the region's now, or -errno; the others are unpinned. */
static long dma_keep_private(struct pipe_dma_region *region, unsigned long first,
			     struct page **pages, long n)
{
	int err = 0;
	long i;

	for (i = 0; i < n && !err; i++) {
		err = xa_err(xa_store(&region->pages, first + i, pages[i],
				      GFP_KERNEL_ACCOUNT));
		/* As dma_pin_folio() does, and for the same reason. */
		if (!err)
			set_page_dirty_lock(pages[i]);
	}
	if (!err)
		return n;
	unpin_user_pages(pages + i - 1, n - (i - 1));
	return err;
}

/* Returns how many pages were pinned, at least one, or -errno. */
static long dma_pin_private(struct pipe_dma_region *region, unsigned long uaddr,
			    unsigned long first, struct page **pages)
{
	unsigned long left = (region->size >> PAGE_SHIFT) - first;
	long n;

	n = pin_user_pages_fast(uaddr + (first << PAGE_SHIFT),
				min_t(unsigned long, left, DMA_PIN_PAGES),
				FOLL_WRITE | FOLL_LONGTERM, pages);
	if (n <= 0)
		return n == -ENOMEM || n == -EINTR ? n : -EINVAL;
	return dma_keep_private(region, first, pages, n);
}

/**
 * pipe_dma_files_init() - make a region that nobody has a file of
 * @region: new
 */
void pipe_dma_files_init(struct pipe_dma_region *region)
{
	atomic_set(&region->mappings, 0);
	mutex_init(&region->lock);
	xa_init_flags(&region->pages, XA_FLAGS_ACCOUNT);
	INIT_LIST_HEAD(&region->files);
	init_waitqueue_head(&region->wait);
}

/**
 * pipe_dma_files_pin() - pin all pages of a region of private memory
 * @region: @is_private, new, and accounted
 * @uaddr: where the owner has its first byte
 *
 * RAM of a VM that goes on from a snapshot is a private mapping of the snapshot's file. Its
 * pages cannot be looked up when a service touches them: that happens in another process, and
 * the owner may have mapped other memory at the same addresses by then. So all pages are pinned
 * now.
 *
 * The pin is for writing, which breaks copy-on-write first: a page of the file, the page of
 * zeroes, or a page that is shared with a child process is copied, and the copy is mapped
 * in the owner's page tables and pinned. KVM uses the owner's page tables, so guest and service
 * use the same page from now on. It stays there until the region ends: a later fork copies a
 * pinned page for the child at once, and reclaim, migration and KSM leave it alone. Only the owner
 * itself can put another page there, by a new mapping or MADV_DONTNEED. The service then
 * keeps the old page, which nobody else gets while it is pinned.
 *
 * Context: the owner's process; may sleep, as long as the memory takes to answer.
 * Return:
 * * 0: done
 * * -EINVAL: it is not all there, cannot be written, or is of a kind that cannot be kept
 * * -ENOMEM: no memory
 * * -EINTR: the caller was killed meanwhile
 * With an error, nothing is pinned.
 */
int pipe_dma_files_pin(struct pipe_dma_region *region, unsigned long uaddr)
{
	struct page **pages = (struct page **)__get_free_page(GFP_KERNEL_ACCOUNT);
	unsigned long done = 0;
	long n = pages ? 0 : -ENOMEM;

	while (n >= 0 && done < region->size >> PAGE_SHIFT) {
		n = fatal_signal_pending(current) ? -EINTR :
			dma_pin_private(region, uaddr, done, pages);
		if (n > 0)
			done += n;
		cond_resched();
	}
	free_page((unsigned long)pages);
	if (n >= 0)
		return 0;
	mutex_lock(&region->lock);
	dma_drop_pages_locked(region);
	mutex_unlock(&region->lock);
	return n;
}

/**
 * pipe_dma_files_end() - take a region's memory from all services
 * @region: in no table any more
 *
 * Context: may sleep, not for long; any process.
 * Return: the memfd, whose reference is the caller's now; NULL if the memory was private
 */
struct file *pipe_dma_files_end(struct pipe_dma_region *region)
{
	struct file *backing;
	struct dma_file *file;

	mutex_lock(&region->lock);
	WRITE_ONCE(region->ended, true);
	backing = region->backing;
	region->backing = NULL;
	list_for_each_entry(file, &region->files, node) {
		unmap_mapping_range(file->mapping, 0, 0, 1);
		cond_resched();
	}
	dma_drop_pages_locked(region);
	mutex_unlock(&region->lock);
	wake_up_interruptible_poll(&region->wait, EPOLLHUP);
	return backing;
}

/**
 * pipe_dma_files_destroy() - free what a region has for its files
 * @region: about to be freed
 */
void pipe_dma_files_destroy(struct pipe_dma_region *region)
{
	/* What a fault has reserved that came too late for the end. */
	xa_destroy(&region->pages);
	if (region->scratch)
		__free_page(region->scratch);
}

/*
 * Whether the owner has taken a page out of the memfd, by a hole that it has punched:
 * the guest has another one there now.
 */
static bool dma_page_gone(const struct pipe_dma_region *region, struct page *page)
{
	if (region->is_private)
		return false;
	return READ_ONCE(page_folio(page)->mapping) != region->backing->f_mapping;
}

/* What services see there next is looked up anew. */
static void dma_forget_locked(struct pipe_dma_region *region, unsigned long index)
{
	struct dma_file *file;

	lockdep_assert_held(&region->lock);
	list_for_each_entry(file, &region->files, node)
		unmap_mapping_range(file->mapping, (loff_t)index << PAGE_SHIFT,
				    PAGE_SIZE, 1);
	dma_unpin(region, xa_erase(&region->pages, index));
}

static void dma_refresh_locked(struct pipe_dma_region *region)
{
	struct page *page;
	unsigned long i;

	xa_for_each(&region->pages, i, page) {
		if (dma_page_gone(region, page))
			dma_forget_locked(region, i);
		cond_resched();
	}
}

/* A page that was touched; NULL if it is to be pinned. */
static struct page *dma_find_locked(struct pipe_dma_region *region, unsigned long index)
{
	struct page *page = xa_load(&region->pages, index);

	lockdep_assert_held(&region->lock);
	if (!page || !dma_page_gone(region, page))
		return page;
	dma_forget_locked(region, index);
	return NULL;
}

/* Another fault may have pinned it meanwhile, or the region has ended. */
static struct page *dma_keep_locked(struct pipe_dma_region *region, unsigned long index,
				    struct page *page)
{
	struct page *other = region->ended ? NULL : dma_find_locked(region, index);

	if (!other && !region->ended) {
		/* It was reserved; but a page that was there, and went, took that along. */
		int err = xa_err(xa_store(&region->pages, index, page, GFP_NOWAIT));

		if (!err)
			return page;
		other = ERR_PTR(err);
	}
	dma_unpin(region, page);
	return other;
}

/*
 * Pins without the lock: that may wait for memory, and for the kernel to move a page.
 * Returns with the lock.
 */
static struct page *dma_pin_unlocked(struct pipe_dma_region *region, unsigned long index)
{
	struct file *backing;
	struct page *page;
	int err;

	/* All of private memory is pinned. */
	if (WARN_ON_ONCE(region->is_private))
		return ERR_PTR(-EFAULT);
	/* The region may end meanwhile, and lets go of it. */
	backing = get_file(region->backing);
	mutex_unlock(&region->lock);
	err = xa_reserve(&region->pages, index, GFP_KERNEL_ACCOUNT);
	page = err ? ERR_PTR(err) : dma_pin(backing, region->first + index);
	fput(backing);
	mutex_lock(&region->lock);
	return IS_ERR(page) ? page : dma_keep_locked(region, index, page);
}

/* Allocates without the lock, and returns with it. */
static struct page *dma_scratch_unlocked(struct pipe_dma_region *region)
{
	struct page *page;

	if (region->scratch)
		return region->scratch;
	mutex_unlock(&region->lock);
	page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO);
	mutex_lock(&region->lock);
	/* Another fault may have had one. */
	if (!region->scratch)
		swap(region->scratch, page);
	if (page)
		__free_page(page);
	return region->scratch ?: ERR_PTR(-ENOMEM);
}

static vm_fault_t dma_map_locked(struct pipe_dma_region *region,
				 struct vm_area_struct *vma, unsigned long addr)
{
	unsigned long index = linear_page_index(vma, addr);
	struct page *page = NULL;

	if (!region->ended)
		page = dma_find_locked(region, index) ?: dma_pin_unlocked(region, index);
	/* It may have ended just now. */
	if (region->ended)
		page = dma_scratch_unlocked(region);
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
	/*
	 * Page tables are made before the lock is taken: their memory is the service's, so
	 * that the limit of its memory may make it wait, and a guest's CPU takes the lock.
	 */
	if (apply_to_page_range(vma->vm_mm, addr, end - addr, NULL, NULL))
		return VM_FAULT_OOM;
	mutex_lock(&file->region->lock);
	ret = dma_map_locked(file->region, vma, addr);
	while (ret == VM_FAULT_NOPAGE && (addr += PAGE_SIZE) < end)
		if (dma_map_locked(file->region, vma, addr) != VM_FAULT_NOPAGE)
			break;
	mutex_unlock(&file->region->lock);
	return ret;
}

/* One more, of a file's mmap() or because one was cut in two. */
static void dma_vma_open(struct vm_area_struct *vma)
{
	struct dma_file *file = vma->vm_private_data;

	atomic_inc(&file->region->mappings);
}

static void dma_vma_close(struct vm_area_struct *vma)
{
	struct dma_file *file = vma->vm_private_data;

	atomic_dec(&file->region->mappings);
}

/*
 * Processes that cut theirs at the same time may make a few more. Each has one of its
 * own that is counted, so there are never more than twice as many.
 */
static int dma_vma_may_split(struct vm_area_struct *vma, unsigned long addr)
{
	struct dma_file *file = vma->vm_private_data;

	return atomic_read(&file->region->mappings) <
	       VHOST_GOLDFISH_PIPE_MAX_DMA_MAPPINGS ? 0 : -ENOMEM;
}

static const struct vm_operations_struct dma_vm_ops = {
	.open = dma_vma_open,
	.close = dma_vma_close,
	.may_split = dma_vma_may_split,
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
	/* One that is moved counts twice for a moment: there may be more than the limit. */
	if (atomic_inc_return(&file->region->mappings) >
	    VHOST_GOLDFISH_PIPE_MAX_DMA_MAPPINGS) {
		atomic_dec(&file->region->mappings);
		return -ENOMEM;
	}
	/*
	 * A child that wants it maps it, so that each mapping is counted. Without VM_IO
	 * MADV_DOFORK would take VM_DONTCOPY away.
	 */
	vm_flags_set(vma, VM_IO | VM_PFNMAP | VM_DONTEXPAND | VM_DONTDUMP | VM_DONTCOPY);
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
	region->n_files--;
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

static struct file *dma_file_make(struct pipe_dma_region *region)
{
	struct dma_file *file = kzalloc(sizeof(*file), GFP_KERNEL_ACCOUNT);
	struct file *filp;

	if (!file)
		return ERR_PTR(-ENOMEM);
	filp = anon_inode_create_getfile("[goldfish-pipe-dma]", &dma_fops, file,
					 O_RDWR, NULL);
	if (IS_ERR(filp)) {
		kfree(file);
		return filp;
	}
	file->region = region;
	file->mapping = filp->f_mapping;
	mutex_lock(&region->lock);
	list_add(&file->node, &region->files);
	mutex_unlock(&region->lock);
	return filp;
}

/* Whoever asks for a file is to see what the guest sees now. */
static int dma_file_reserve(struct pipe_dma_region *region)
{
	int err = -ENOSPC;

	mutex_lock(&region->lock);
	if (region->n_files < VHOST_GOLDFISH_PIPE_MAX_DMA_FILES) {
		region->n_files++;
		dma_refresh_locked(region);
		err = 0;
	}
	mutex_unlock(&region->lock);
	return err;
}

/**
 * pipe_dma_file() - make a file with which a service can map a region
 * @region: its reference goes to the file, or is put
 *
 * Each file has an inode of its own, so that emptying its page tables does not
 * reach anybody else's.
 *
 * Context: may sleep.
 * Return: the file, -ENOSPC if the region has as many as it may have, or -errno.
 */
struct file *pipe_dma_file(struct pipe_dma_region *region)
{
	int err = dma_file_reserve(region);
	struct file *filp;

	if (err) {
		pipe_dma_put(region);
		return ERR_PTR(err);
	}
	filp = dma_file_make(region);
	if (IS_ERR(filp)) {
		mutex_lock(&region->lock);
		region->n_files--;
		mutex_unlock(&region->lock);
		pipe_dma_put(region);
	}
	return filp;
}
