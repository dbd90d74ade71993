// SPDX-License-Identifier: GPL-2.0-only
/*
 * pipe:dmatest - what a guest driver's DMA is tested with. The guest writes the
 * address and the length of words in a region that it has mapped for this pipe,
 * as a struct goldfish_pipe_dma; the service adds the words up, turns all their
 * bits over in place, tells that it is through (UNLOCK_DMA), and gives the sum
 * to read, in 8 bytes.
 */
#include <linux/highmem.h>
#include <linux/slab.h>

#include "goldfish_pipe.h"

/* Bytes that one request may ask for: the guest's CPU waits. */
#define DMATEST_MAX (2UL << 20)

/**
 * struct dmatest - a pipe
 * @sum: the last request's
 * @ready: it was not read yet
 */
struct dmatest {
	__le64 sum;
	bool ready;
};

static int dmatest_open(struct pipe *pipe, const char *args)
{
	struct dmatest *test = kzalloc(sizeof(*test), GFP_KERNEL_ACCOUNT);

	pipe->priv = test;
	return test ? 0 : -ENOMEM;
}

/* The guest may change the words meanwhile; it only fools itself. */
static u64 dmatest_words(__le32 *word, size_t n)
{
	u64 sum = 0;

	for (; n; n--, word++) {
		u32 value = le32_to_cpu(READ_ONCE(*word));

		WRITE_ONCE(*word, cpu_to_le32(~value));
		sum += value;
	}
	return sum;
}

static int dmatest_sum(struct pipe_dma_region *region, u64 gpa, u64 len, u64 *sum)
{
	u64 size, first = pipe_dma_span(region, &size);

	if (len > DMATEST_MAX || (gpa | len) % sizeof(__le32) ||
	    len > size - (gpa - first))
		return -EINVAL;
	*sum = 0;
	while (len) {
		size_t part = min_t(u64, len, PAGE_SIZE - offset_in_page(gpa));
		struct page *page = pipe_dma_page(region, gpa);
		void *data;

		if (IS_ERR(page))
			return PTR_ERR(page);
		data = kmap_local_page(page) + offset_in_page(gpa);
		*sum += dmatest_words(data, part / sizeof(__le32));
		kunmap_local(data);
		set_page_dirty_lock(page);
		put_page(page);
		gpa += part;
		len -= part;
	}
	return 0;
}

static ssize_t dmatest_write(struct pipe *pipe, struct iov_iter *from)
{
	struct dmatest *test = pipe->priv;
	struct pipe_dma_region *region;
	struct goldfish_pipe_dma dma;
	u64 sum;
	int err;

	if (test->ready)
		return -EAGAIN;
	if (iov_iter_count(from) != sizeof(dma))
		return -EINVAL;
	if (copy_from_iter(&dma, sizeof(dma), from) != sizeof(dma))
		return -EFAULT;
	region = pipe_dma_get(pipe, le64_to_cpu(dma.paddr));
	if (!region)
		return -EINVAL;
	err = dmatest_sum(region, le64_to_cpu(dma.paddr), le64_to_cpu(dma.size), &sum);
	pipe_dma_put(region);
	if (err)
		return err;
	test->sum = cpu_to_le64(sum);
	test->ready = true;
	pipe_unlock_dma(pipe);
	pipe_ready(pipe, GOLDFISH_PIPE_POLL_IN);
	return sizeof(dma);
}

static ssize_t dmatest_read(struct pipe *pipe, struct iov_iter *to)
{
	struct dmatest *test = pipe->priv;

	if (!test->ready)
		return -EAGAIN;
	if (iov_iter_count(to) < sizeof(test->sum))
		return -EINVAL;
	if (copy_to_iter(&test->sum, sizeof(test->sum), to) != sizeof(test->sum))
		return -EFAULT;
	test->ready = false;
	pipe_ready(pipe, GOLDFISH_PIPE_POLL_OUT);
	return sizeof(test->sum);
}

static u32 dmatest_poll(struct pipe *pipe)
{
	struct dmatest *test = pipe->priv;

	return test->ready ? GOLDFISH_PIPE_POLL_IN : GOLDFISH_PIPE_POLL_OUT;
}

static void dmatest_close(struct pipe *pipe)
{
	kfree(pipe->priv);
}

const struct pipe_service pipe_dmatest = {
	.name = "dmatest",
	.open = dmatest_open,
	.write = dmatest_write,
	.read = dmatest_read,
	.poll = dmatest_poll,
	.close = dmatest_close,
};
