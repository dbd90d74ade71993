// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/vhost-ranchu-test: the smallest device of virtqueues. It exists so that
 * the virtqueue engine and the vhost ioctls can be tested from userspace, and
 * as an example of their use: each chain's readable bytes are copied to its
 * writable buffers.
 */
#include <linux/fs.h>
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/nospec.h>
#include <linux/ranchu_vhost.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>
#include <linux/uio.h>
#include <linux/vhost_ranchu_test.h>

/* Chains in a row before other rings have their turn. */
#define TEST_BUDGET 256

/**
 * struct test_ring - what one ring does
 * @mode: as the user wants it
 * @held: chains taken, oldest first; @mode.hold and one more
 * @iovs: of @held, VHOST_RANCHU_TEST_MAX_IOV each
 * @n_held: chains in @held
 * @chains: see struct vhost_ranchu_test_stats
 * @bytes: the same
 * @kicks: the same
 *
 * Protected by its vring's lock.
 */
struct test_ring {
	struct vhost_ranchu_test_mode mode;
	struct ranchu_chain *held;
	struct iovec *iovs;
	unsigned int n_held;
	u64 chains;
	u64 bytes;
	u64 kicks;
};

/**
 * struct test_dev - an open file
 * @vhost: the shared part
 * @vrings: its rings
 * @rings: what they do
 * @bounce: a page that the worker copies through
 * @release: of the file
 */
struct test_dev {
	struct ranchu_vhost vhost;
	struct ranchu_vring vrings[VHOST_RANCHU_TEST_RINGS];
	struct test_ring rings[VHOST_RANCHU_TEST_RINGS];
	u8 *bounce;
	struct ranchu_release release;
};

static struct test_dev *test_dev_of(struct ranchu_vhost *vhost)
{
	return container_of(vhost, struct test_dev, vhost);
}

/* Returns the bytes written. Memory that is gone ends the copy early. */
static u32 test_copy(struct test_dev *dev, const struct test_ring *ring,
		     const struct ranchu_chain *chain)
{
	u64 left = min3(chain->out_len, chain->in_len, (u64)U32_MAX);
	struct iov_iter from, to;
	u32 written = 0;

	if (ring->mode.flags & VHOST_RANCHU_TEST_HALF)
		left /= 2;
	iov_iter_init(&from, ITER_SOURCE, chain->iov, chain->n_out,
		      chain->out_len);
	iov_iter_init(&to, ITER_DEST, chain->iov + chain->n_out, chain->n_in,
		      chain->in_len);
	while (left) {
		size_t part = min_t(u64, left, PAGE_SIZE);
		size_t done;

		if (!copy_from_iter_full(dev->bounce, part, &from))
			break;
		done = copy_to_iter(dev->bounce, part, &to);
		written += done;
		left -= done;
		/* A chain may have 4 GiB, and its owner may be gone. */
		cond_resched();
		if (done < part || fatal_signal_pending(current))
			break;
	}
	return written;
}

static void test_complete(struct test_dev *dev, struct ranchu_vring *vring,
			  struct test_ring *ring, const struct ranchu_chain *chain)
{
	u32 written = test_copy(dev, ring, chain);

	if (ranchu_vq_push(&vring->vq, chain, written))
		return;
	ring->chains++;
	ring->bytes += written;
	if (ring->mode.batch && !(ring->chains % ring->mode.batch))
		ranchu_vring_update(vring);
}

/* The last one first, unless the driver was promised otherwise. */
static void test_complete_held(struct test_dev *dev, struct ranchu_vring *vring,
			       struct test_ring *ring)
{
	bool in_order = vring->setup.features & BIT_ULL(VIRTIO_F_IN_ORDER);
	unsigned int n = ring->n_held, i;

	ring->n_held = 0;
	for (i = 0; i < n; i++)
		test_complete(dev, vring, ring,
			      &ring->held[in_order ? i : n - 1 - i]);
}

static int test_take(struct ranchu_vring *vring, struct test_ring *ring,
		     struct ranchu_chain *chain)
{
	int ret = ranchu_vq_next(&vring->vq, chain);

	if (ret <= 0 || !(ring->mode.flags & VHOST_RANCHU_TEST_PUT_BACK))
		return ret;
	ranchu_vq_put_back(&vring->vq, chain);
	return ranchu_vq_next(&vring->vq, chain);
}

static bool test_take_all(struct test_dev *dev, struct ranchu_vring *vring,
			  struct test_ring *ring)
{
	unsigned int i;

	for (i = 0; i < TEST_BUDGET; i++) {
		if (test_take(vring, ring, &ring->held[ring->n_held]) <= 0)
			return true;
		ring->n_held++;
		if (ring->n_held > ring->mode.hold)
			test_complete_held(dev, vring, ring);
	}
	return false;
}

static void test_kicked(struct ranchu_vring *vring)
{
	struct test_dev *dev = test_dev_of(vring->dev);
	struct test_ring *ring = &dev->rings[vring - dev->vrings];

	ring->kicks++;
	ranchu_vq_disable_kicks(&vring->vq);
	if (!test_take_all(dev, vring, ring)) {
		ranchu_vring_request(vring);
		return;
	}
	if (!(ring->mode.flags & VHOST_RANCHU_TEST_KEEP))
		test_complete_held(dev, vring, ring);
	if (ranchu_vq_enable_kicks(&vring->vq))
		ranchu_vring_request(vring);
}

static void test_ring_free(struct test_ring *ring)
{
	kvfree(ring->held);
	kvfree(ring->iovs);
	ring->held = NULL;
	ring->iovs = NULL;
	ring->n_held = 0;
}

static int test_ring_make(struct test_ring *ring,
			  const struct vhost_ranchu_test_mode *mode)
{
	unsigned int n = mode->hold + 1, i;

	ring->held = kvcalloc(n, sizeof(*ring->held), GFP_KERNEL_ACCOUNT);
	ring->iovs = kvcalloc(n, VHOST_RANCHU_TEST_MAX_IOV * sizeof(*ring->iovs),
			      GFP_KERNEL_ACCOUNT);
	if (!ring->held || !ring->iovs) {
		test_ring_free(ring);
		return -ENOMEM;
	}
	for (i = 0; i < n; i++) {
		ring->held[i].iov = ring->iovs + i * VHOST_RANCHU_TEST_MAX_IOV;
		ring->held[i].max = VHOST_RANCHU_TEST_MAX_IOV;
	}
	ring->mode = *mode;
	return 0;
}

/* What was taken and not handed back is lost. */
static void test_stopped(struct ranchu_vring *vring)
{
	test_dev_of(vring->dev)->rings[vring - vring->dev->vrings].n_held = 0;
}

static long test_set_running(struct ranchu_vhost *vhost, void *arg)
{
	switch (*(const s32 *)arg) {
	case 0:
		ranchu_vhost_stop(vhost);
		return 0;
	case 1:
		return ranchu_vhost_start(vhost);
	}
	return -EINVAL;
}

static long test_set_mode(struct ranchu_vhost *vhost, void *arg)
{
	const struct vhost_ranchu_test_mode *mode = arg;
	struct test_dev *dev = test_dev_of(vhost);
	struct test_ring *ring, made = {};
	int err;

	if (mode->index >= VHOST_RANCHU_TEST_RINGS ||
	    mode->flags & ~VHOST_RANCHU_TEST_FLAGS ||
	    mode->hold > VHOST_RANCHU_TEST_MAX_HOLD)
		return -EINVAL;
	if (ranchu_vhost_is_running(vhost))
		return -EBUSY;
	err = test_ring_make(&made, mode);
	if (err)
		return err;
	ring = &dev->rings[array_index_nospec(mode->index, VHOST_RANCHU_TEST_RINGS)];
	test_ring_free(ring);
	ring->mode = made.mode;
	ring->held = made.held;
	ring->iovs = made.iovs;
	return 0;
}

static long test_get_stats(struct ranchu_vhost *vhost, void __user *argp)
{
	struct test_dev *dev = test_dev_of(vhost);
	struct vhost_ranchu_test_stats stats;
	struct test_ring *ring;
	unsigned int i;

	if (copy_from_user(&stats, argp, sizeof(stats)))
		return -EFAULT;
	if (stats.index >= VHOST_RANCHU_TEST_RINGS || stats.padding)
		return -EINVAL;
	i = array_index_nospec(stats.index, VHOST_RANCHU_TEST_RINGS);
	ring = &dev->rings[i];
	if (mutex_lock_killable(&dev->vrings[i].lock))
		return -EINTR;
	stats.chains = ring->chains;
	stats.bytes = ring->bytes;
	stats.kicks = ring->kicks;
	ranchu_vring_unlock(&dev->vrings[i]);
	stats.faults = atomic64_read(&vhost->faults);
	return copy_to_user(argp, &stats, sizeof(stats)) ? -EFAULT : 0;
}

static const struct ranchu_vhost_ioctl test_ioctls[] = {
	{ VHOST_RANCHU_TEST_SET_RUNNING, .locked = test_set_running },
	{ VHOST_RANCHU_TEST_SET_MODE, .locked = test_set_mode },
	{ VHOST_RANCHU_TEST_GET_STATS, test_get_stats, true },
};

/* All that the engine can do. */
static const struct ranchu_vhost_ops test_ops = {
	.name = "vhost-ranchu-test",
	.features = RANCHU_VQ_FEATURES,
	.kicked = test_kicked,
	.stopped = test_stopped,
	.ioctls = test_ioctls,
	.n_ioctls = ARRAY_SIZE(test_ioctls),
};

static void test_dev_free(struct test_dev *dev)
{
	unsigned int i;

	for (i = 0; i < VHOST_RANCHU_TEST_RINGS; i++)
		test_ring_free(&dev->rings[i]);
	kfree(dev->bounce);
	kfree(dev);
}

static int test_dev_make_rings(struct test_dev *dev)
{
	const struct vhost_ranchu_test_mode plain = {};
	unsigned int i;
	int err;

	for (i = 0; i < VHOST_RANCHU_TEST_RINGS; i++) {
		err = test_ring_make(&dev->rings[i], &plain);
		if (err)
			return err;
	}
	return 0;
}

static int test_open(struct inode *inode, struct file *file)
{
	struct test_dev *dev = kzalloc(sizeof(*dev), GFP_KERNEL_ACCOUNT);
	int err = -ENOMEM;

	if (!dev)
		return -ENOMEM;
	dev->bounce = kmalloc(PAGE_SIZE, GFP_KERNEL_ACCOUNT);
	if (!dev->bounce)
		goto err_free;
	err = test_dev_make_rings(dev);
	if (err)
		goto err_free;
	err = ranchu_vhost_init(&dev->vhost, &test_ops, dev->vrings,
				VHOST_RANCHU_TEST_RINGS);
	if (err)
		goto err_free;
	file->private_data = dev;
	return 0;

err_free:
	test_dev_free(dev);
	return err;
}

static void test_dev_end(struct ranchu_release *release)
{
	struct test_dev *dev = container_of(release, struct test_dev, release);

	ranchu_vhost_destroy(&dev->vhost);
	test_dev_free(dev);
}

/* By anybody who has the file; only the owner waits for the worker. */
static int test_release(struct inode *inode, struct file *file)
{
	struct test_dev *dev = file->private_data;

	ranchu_release(&dev->release, dev->vhost.process, THIS_MODULE, test_dev_end);
	return 0;
}

static long test_ioctl(struct file *file, unsigned int number, unsigned long arg)
{
	struct test_dev *dev = file->private_data;

	return ranchu_vhost_ioctl(&dev->vhost, number, (void __user *)arg);
}

static const struct file_operations test_fops = {
	.owner = THIS_MODULE,
	.open = test_open,
	.release = test_release,
	.unlocked_ioctl = test_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice test_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "vhost-ranchu-test",
	.fops = &test_fops,
};
module_misc_device(test_misc);

MODULE_DESCRIPTION("Test device for ranchu's virtqueue engine");
MODULE_LICENSE("GPL");
