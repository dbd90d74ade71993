/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What goldfish_pipe_dma.c, the regions that a guest maps, and
 * goldfish_pipe_dma_file.c, the files by which services reach them, share.
 */
#ifndef _GOLDFISH_PIPE_DMA_H
#define _GOLDFISH_PIPE_DMA_H

#include <linux/kref.h>
#include <linux/list.h>
#include <linux/mutex.h>
#include <linux/wait.h>
#include <linux/xarray.h>

#include "goldfish_pipe.h"

/**
 * struct pipe_dma_region - a region
 * @refs: the table, until the region ends; each file; who looks at it now
 * @pipe: whose it is; only ever compared, and only while in the table
 * @node: in the pipe's list
 * @gpa: guest physical address of the first byte
 * @size: bytes
 * @is_private: memory that the owner has mapped privately: there is no memfd, and all of @pages
 *	are pinned until the region ends
 * @backing: the memfd; NULL when the region has ended, @lock protects that
 * @first: number of the region's first page in @backing
 * @user: to whom its pages are accounted; until the region ends
 * @mappings: of all files, by all processes
 * @lock: protects what follows. Nobody holds it who waits for memory: a guest's CPU
 *	takes it to end the region
 * @ended: in no table any more; @pages is empty for good
 * @pages: that were touched, by number in the region; pinned. All, if @is_private
 * @scratch: what is seen once @ended; NULL until it is
 * @files: struct dma_file
 * @n_files: how many there are, or will be
 * @wait: who polls
 */
struct pipe_dma_region {
	struct kref refs;
	struct pipe *pipe;
	struct list_head node;
	u64 gpa;
	u64 size;
	bool is_private;
	struct file *backing;
	pgoff_t first;
	struct user_struct *user;
	atomic_t mappings;

	struct mutex lock;	/* see above */
	bool ended;
	struct xarray pages;
	struct page *scratch;
	struct list_head files;
	unsigned int n_files;
	wait_queue_head_t wait;
};

void pipe_dma_files_init(struct pipe_dma_region *region);
int pipe_dma_files_pin(struct pipe_dma_region *region, unsigned long uaddr);
struct file *pipe_dma_files_end(struct pipe_dma_region *region);
void pipe_dma_files_destroy(struct pipe_dma_region *region);

#endif /* _GOLDFISH_PIPE_DMA_H */
