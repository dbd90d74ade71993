// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/vhost-ranchu-blk: the device node and its ioctls. One open file is the
 * virtio-blk device of one guest.
 *
 * Rings are ranchu_blk_ring.c's, requests ranchu_blk_request.c's, the image's file
 * ranchu_blk_image.c's, its data ranchu_blk_io.c's.
 */
#include <linux/miscdevice.h>
#include <linux/module.h>
#include <linux/rcupdate.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "ranchu_blk.h"

#define BLK_FEATURES (BIT_ULL(VIRTIO_BLK_F_SEG_MAX) | BIT_ULL(VIRTIO_BLK_F_RO) |	\
		      BIT_ULL(VIRTIO_BLK_F_BLK_SIZE) | BIT_ULL(VIRTIO_BLK_F_FLUSH) |	\
		      BIT_ULL(VIRTIO_BLK_F_MQ) | BIT_ULL(VIRTIO_BLK_F_DISCARD) |		\
		      BIT_ULL(VIRTIO_BLK_F_WRITE_ZEROES))

static u64 blk_capacity(const struct blk_image *image, u32 block_size)
{
	return round_down(ranchu_blk_image_size(image), block_size) / SECTOR_SIZE;
}

static void blk_drop_image(struct ranchu_blk *blk)
{
	ranchu_blk_image_drop(&blk->image);
	blk->disk.capacity = 0;
}

static long blk_take_image(struct ranchu_blk *blk,
			   const struct vhost_ranchu_blk_backend *backend)
{
	struct blk_image image;
	u64 capacity;
	int err;

	err = ranchu_blk_image_take(&image, backend->fd, backend->flags);
	if (err)
		return err;
	capacity = blk_capacity(&image, backend->block_size);
	if (!capacity) {
		ranchu_blk_image_drop(&image);
		return -ENOMEDIUM;
	}
	blk_drop_image(blk);
	blk->image = image;
	blk->disk.flags = backend->flags;
	blk->disk.block_size = backend->block_size;
	blk->disk.range_block = ranchu_blk_image_block(&image);
	blk->disk.capacity = capacity;
	memcpy(blk->disk.id, backend->id, sizeof(blk->disk.id));
	return 0;
}

static long blk_set_backend(struct ranchu_vhost *vhost, void *arg)
{
	struct ranchu_blk *blk = ranchu_blk_of(vhost);
	const struct vhost_ranchu_blk_backend *backend = arg;

	if (backend->flags & ~VHOST_RANCHU_BLK_FLAGS || backend->padding ||
	    backend->padding2 || backend->fd < -1 ||
	    (backend->block_size != 512 && backend->block_size != 4096))
		return -EINVAL;
	if (ranchu_vhost_is_running(vhost))
		return -EBUSY;
	if (backend->fd >= 0)
		return blk_take_image(blk, backend);
	blk_drop_image(blk);
	return 0;
}

static long blk_start(struct ranchu_blk *blk)
{
	unsigned int i;
	int err;

	if (!blk->image.file)
		return -ENOMEDIUM;
	for (i = 0; i < VHOST_RANCHU_BLK_RINGS; i++) {
		if (!blk->vrings[i].setup.num || blk->vrings[i].running)
			continue;
		err = ranchu_blk_ring_prepare(&blk->rings[i]);
		if (err)
			return err;
	}
	return ranchu_vhost_start(&blk->vhost);
}

static long blk_set_running(struct ranchu_vhost *vhost, void *arg)
{
	switch (*(const s32 *)arg) {
	case 0:
		ranchu_vhost_stop(vhost);
		return 0;
	case 1:
		return blk_start(ranchu_blk_of(vhost));
	}
	return -EINVAL;
}

static long blk_get_info(struct ranchu_vhost *vhost, void *arg)
{
	const struct ranchu_blk *blk = ranchu_blk_of(vhost);

	if (!blk->image.file)
		return -ENOMEDIUM;
	ranchu_blk_info(&blk->disk, i_blocksize(blk->image.file->f_mapping->host), arg);
	return 0;
}

static long blk_resize(struct ranchu_vhost *vhost, void *arg)
{
	struct ranchu_blk *blk = ranchu_blk_of(vhost);

	if (!blk->image.file)
		return -ENOMEDIUM;
	WRITE_ONCE(blk->disk.capacity, blk_capacity(&blk->image, blk->disk.block_size));
	return 0;
}

/* Counters change meanwhile; each is read once. */
static void blk_add_stats(struct vhost_ranchu_blk_stats *sum,
			  const struct vhost_ranchu_blk_stats *ring)
{
	sum->reads += READ_ONCE(ring->reads);
	sum->writes += READ_ONCE(ring->writes);
	sum->flushes += READ_ONCE(ring->flushes);
	sum->discards += READ_ONCE(ring->discards);
	sum->errors += READ_ONCE(ring->errors);
	sum->read_bytes += READ_ONCE(ring->read_bytes);
	sum->written_bytes += READ_ONCE(ring->written_bytes);
	sum->in_vcpu += READ_ONCE(ring->in_vcpu);
	sum->asynchronous += READ_ONCE(ring->asynchronous);
	sum->buffered += READ_ONCE(ring->buffered);
}

/* Without a lock: a stop that waits for the image has the device's and a ring's. */
static long blk_get_stats(struct ranchu_blk *blk, void __user *argp)
{
	const size_t head_size = offsetofend(struct vhost_ranchu_blk_stats, padding);
	struct vhost_ranchu_blk_stats head, sum = {};
	unsigned int i;

	if (copy_from_user(&head, argp, head_size))
		return -EFAULT;
	if (head.size < head_size || head.padding)
		return -EINVAL;
	for (i = 0; i < VHOST_RANCHU_BLK_RINGS; i++)
		blk_add_stats(&sum, &blk->rings[i].stats);
	sum.faults = atomic64_read(&blk->vhost.faults);
	sum.size = min_t(u32, head.size, sizeof(sum));
	return copy_to_user(argp, &sum, sum.size) ? -EFAULT : 0;
}

static const struct ranchu_vhost_ioctl blk_ioctls[] = {
	{ VHOST_RANCHU_BLK_SET_BACKEND, .locked = blk_set_backend },
	{ VHOST_RANCHU_BLK_SET_RUNNING, .locked = blk_set_running },
	{ VHOST_RANCHU_BLK_GET_INFO, .locked = blk_get_info },
	{ VHOST_RANCHU_BLK_RESIZE, .locked = blk_resize },
};

static void blk_released(struct ranchu_vhost *vhost)
{
	unsigned int i;

	/* Prepared for a start that failed: such a ring was never stopped. */
	for (i = 0; i < vhost->n_vrings; i++)
		ranchu_blk_stopped(&vhost->vrings[i]);
	blk_drop_image(ranchu_blk_of(vhost));
}

static const struct ranchu_vhost_ops blk_ops = {
	.name = "vhost-ranchu-blk",
	/* Requests are done in whatever order the image does them. */
	.features = (RANCHU_VQ_FEATURES & ~BIT_ULL(VIRTIO_F_IN_ORDER)) | BLK_FEATURES,
	.optional = GENMASK(VHOST_RANCHU_BLK_RINGS - 1, 1),
	.in_vcpu = GENMASK(VHOST_RANCHU_BLK_RINGS - 1, 0),
	.ring_workers = true,
	.kicked = ranchu_blk_kicked,
	.drain = ranchu_blk_drain,
	.stopped = ranchu_blk_stopped,
	.released = blk_released,
	.ioctls = blk_ioctls,
	.n_ioctls = ARRAY_SIZE(blk_ioctls),
};

static int blk_open(struct inode *inode, struct file *file)
{
	struct ranchu_blk *blk = kvzalloc(sizeof(*blk), GFP_KERNEL_ACCOUNT);
	unsigned int i;
	int err;

	if (!blk)
		return -ENOMEM;
	err = ranchu_vhost_init(&blk->vhost, &blk_ops, blk->vrings,
				VHOST_RANCHU_BLK_RINGS);
	if (err) {
		kvfree(blk);
		return err;
	}
	for (i = 0; i < VHOST_RANCHU_BLK_RINGS; i++)
		ranchu_blk_ring_init(&blk->rings[i], &blk->vrings[i]);
	file->private_data = blk;
	return 0;
}

static void blk_destroy(struct ranchu_release *release)
{
	struct ranchu_blk *blk = container_of(release, struct ranchu_blk, release);

	ranchu_vhost_destroy(&blk->vhost);
	kvfree(blk);
}

static int blk_release(struct inode *inode, struct file *file)
{
	struct ranchu_blk *blk = file->private_data;

	/* The end may have to wait for the image, which is not the closer's to wait for. */
	ranchu_release(&blk->release, blk->vhost.process, THIS_MODULE, blk_destroy);
	return 0;
}

static long blk_ioctl(struct file *file, unsigned int number, unsigned long arg)
{
	struct ranchu_blk *blk = file->private_data;

	if (number == VHOST_RANCHU_BLK_GET_STATS)
		return blk_get_stats(blk, (void __user *)arg);
	return ranchu_vhost_ioctl(&blk->vhost, number, (void __user *)arg);
}

static const struct file_operations blk_fops = {
	.owner = THIS_MODULE,
	.open = blk_open,
	.release = blk_release,
	.unlocked_ioctl = blk_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.llseek = noop_llseek,
};

static struct miscdevice blk_misc = {
	.minor = MISC_DYNAMIC_MINOR,
	.name = "vhost-ranchu-blk",
	.fops = &blk_fops,
};

static int __init blk_init(void)
{
	return misc_register(&blk_misc);
}
module_init(blk_init);

/* Whoever has told of the last request may have been preempted behind that, in our text. */
static void __exit blk_exit(void)
{
	misc_deregister(&blk_misc);
	synchronize_rcu_tasks();
}
module_exit(blk_exit);

MODULE_DESCRIPTION("Guest disks: virtio-blk on files and block devices of the host");
MODULE_LICENSE("GPL");
