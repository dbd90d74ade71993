// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-blk: a file or block device of the host as the guest's disk, served by
 * /dev/vhost-ranchu-blk or, where the command line says so, by virtio_blk_user.c.
 *
 * Source: VIRTIO 1.2, 5.2
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/vhost_ranchu_blk.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>

#include "backends/backends.h"
#include "devices/devices.h"
#include "host/host.h"
#include "host/image.h"

#define BLK_QUEUE_MAX	256
/* The configuration ends after the fields for write zeroes. */
#define BLK_CONFIG_SIZE	offsetof(struct virtio_blk_config, max_secure_erase_sectors)

#define BIT(feature)	(1ULL << (feature))
#define BLK_FEATURES	(BIT(VIRTIO_BLK_F_SEG_MAX) | BIT(VIRTIO_BLK_F_BLK_SIZE) | \
			 BIT(VIRTIO_BLK_F_FLUSH))
#define BLK_WRITE_FEATURES \
			(BIT(VIRTIO_BLK_F_DISCARD) | BIT(VIRTIO_BLK_F_WRITE_ZEROES))

/**
 * struct blk - the state of the device
 * @vhost: the kernel device, if @user is NULL
 * @user: the disk if vmmctl serves it, else NULL
 * @capacity: capacity that the guest reads, in sectors of 512 bytes
 * @disk: as the command line describes it
 */
struct blk {
	struct vmm_vhost vhost;
	struct vmm_user_blk *user;
	u64 capacity;
	const struct vmm_disk *disk;
};

static int blk_run(struct blk *blk, int running)
{
	return ioctl(blk->vhost.fd, VHOST_RANCHU_BLK_SET_RUNNING, &running) ? -errno : 0;
}

static int blk_start(struct vmm_virtio *v)
{
	struct blk *blk = v->state;
	int err;

	if (blk->user)
		return vmm_user_blk_start(blk->user, vmm_vhost_ready(v));
	err = vmm_vhost_start(&blk->vhost, vmm_vhost_ready(v));
	if (err)
		return err;
	err = blk_run(blk, !v->paused);
	if (err) {
		vmm_vhost_stop(&blk->vhost);
		return vmm_vhost_blame(&blk->vhost, -err, "%s does not start", blk->vhost.node);
	}
	return 0;
}

static void blk_stop(struct vmm_virtio *v)
{
	struct blk *blk = v->state;

	if (blk->user) {
		vmm_user_blk_stop(blk->user);
		return;
	}
	blk_run(blk, 0);
	vmm_vhost_stop(&blk->vhost);
}

/* The kernel device completes the requests that it has taken before it pauses. */
static void blk_pause(struct vmm_virtio *v)
{
	struct blk *blk = v->state;

	if (blk->user)
		vmm_user_blk_pause(blk->user, true);
	else if (v->running)
		blk_run(blk, 0);
}

static void blk_resume(struct vmm_virtio *v)
{
	struct blk *blk = v->state;
	int err = 0;

	if (blk->user)
		vmm_user_blk_pause(blk->user, false);
	else if (v->running)
		err = blk_run(blk, 1);
	if (!err)
		return;
	vmm_vhost_blame(&blk->vhost, -err, "%s does not resume", blk->vhost.node);
	vmm_virtio_fail(v);
}

static int blk_base(struct vmm_virtio *v, unsigned int queue, u32 *base)
{
	const struct blk *blk = v->state;

	if (blk->user)
		return vmm_user_blk_base(blk->user, queue, base);
	return vmm_vhost_ring_base(&blk->vhost, queue, base);
}

/*
 * The guest knows the size of the disk, which must not change. The size of a discard is only a
 * hint: a copy on another file system has another one.
 */
static int blk_load(struct vmm_virtio *v, struct vmm_state *state, u32 tag, const u8 *config)
{
	struct virtio_blk_config here = {}, there = {};
	const struct blk *blk = v->state;

	(void)state;
	(void)tag;
	memcpy(&here, v->config, BLK_CONFIG_SIZE);
	memcpy(&there, config, BLK_CONFIG_SIZE);
	there.discard_sector_alignment = here.discard_sector_alignment;
	if (!memcmp(&here, &there, BLK_CONFIG_SIZE))
		return 0;
	return vmm_error(-EINVAL, "snapshot: the disk %s has another size now",
			 blk->disk->path);
}

static int blk_open_kernel(struct vmm_virtio *v, struct blk *blk, u64 features,
			   const struct vhost_ranchu_blk_backend *backend)
{
	int err = vmm_vhost_open(&blk->vhost, v, VMM_BLK_NODE, "vhost_ranchu_blk");

	if (err)
		return err;
	err = vmm_vhost_offer(&blk->vhost, features);
	if (!err && ioctl(blk->vhost.fd, VHOST_RANCHU_BLK_SET_BACKEND, backend))
		err = vmm_error(errno, "--disk: %s refuses %s", blk->vhost.node, blk->disk->path);
	if (err)
		vmm_vhost_close(&blk->vhost);
	return err;
}

static int blk_open_user(struct vmm_virtio *v, struct blk *blk, u64 features,
			 const struct vhost_ranchu_blk_backend *backend)
{
	blk->user = vmm_user_blk_open(v, features, blk->disk, backend);
	if (!blk->user)
		return -errno;
	/* As the kernel's device would have: the guest may have been that one's before. */
	if (!blk->disk->user && v->legacy)
		v->offered &= ~BIT(VIRTIO_F_VERSION_1);
	return 0;
}

/* The kernel's device has one image, and knows of none below it. */
static bool blk_has_overlay(const struct vmm_disk *disk)
{
	return disk->copy && disk->copy->overlay;
}

/* Updates the configuration; a running driver is interrupted if it has changed. */
static int blk_show_config(struct vmm_virtio *v, struct blk *blk)
{
	struct virtio_blk_config config = {};
	struct vhost_ranchu_blk_info info;

	if (blk->user)
		vmm_user_blk_info(blk->user, &info);
	else if (ioctl(blk->vhost.fd, VHOST_RANCHU_BLK_GET_INFO, &info))
		return vmm_error(errno, "%s does not return the disk's size", blk->vhost.node);
	if (blk->capacity == info.capacity)
		return 0;
	blk->capacity = info.capacity;
	config.capacity = htole64(info.capacity);
	config.seg_max = htole32(info.seg_max);
	config.blk_size = htole32(info.block_size);
	config.num_queues = htole16(v->queues);
	config.max_discard_sectors = htole32(info.max_discard_sectors);
	config.max_discard_seg = htole32(info.max_discard_seg);
	config.discard_sector_alignment = htole32(info.discard_alignment);
	config.max_write_zeroes_sectors = htole32(info.max_discard_sectors);
	config.max_write_zeroes_seg = htole32(info.max_discard_seg);
	config.write_zeroes_may_unmap = 1;
	vmm_virtio_config(v, &config, BLK_CONFIG_SIZE);
	return 0;
}

static void blk_close(struct blk *blk)
{
	if (blk->user)
		vmm_user_blk_close(blk->user);
	else
		vmm_vhost_close(&blk->vhost);
}

static int blk_open(struct vmm_virtio *v, struct blk *blk)
{
	const struct vmm_disk *disk = blk->disk;
	struct vhost_ranchu_blk_backend backend = {
		.flags = disk->readonly ? VHOST_RANCHU_BLK_READONLY : 0,
		.block_size = disk->block_size,
	};
	bool direct = disk->direct && !blk_has_overlay(disk);
	bool user = disk->user || blk_has_overlay(disk);
	u64 features = BLK_FEATURES;
	int err;

	features |= disk->readonly ? BIT(VIRTIO_BLK_F_RO) : BLK_WRITE_FEATURES;
	if (v->queues > 1)
		features |= BIT(VIRTIO_BLK_F_MQ);
	backend.fd = open(vmm_image_path(disk), O_CLOEXEC |
			  (disk->readonly ? O_RDONLY : O_RDWR) | (direct ? O_DIRECT : 0));
	if (backend.fd < 0)
		return vmm_error(errno, "--disk: cannot open %s", disk->path);
	snprintf((char *)backend.id, sizeof(backend.id), "ranchu-disk%u", v->index);
	err = (user ? blk_open_user : blk_open_kernel)(v, blk, features, &backend);
	close(backend.fd);
	if (err)
		return err;
	err = blk_show_config(v, blk);
	if (err)
		blk_close(blk);
	return err;
}

static int blk_create(struct vmm_virtio *v)
{
	struct blk *blk = calloc(1, sizeof(*blk));
	int err;

	if (!blk)
		return vmm_error(ENOMEM, "disk");
	blk->disk = &v->vm->cfg->disk[v->index];
	v->queues = blk->disk->queues;
	err = blk_open(v, blk);
	if (err)
		free(blk);
	else
		v->state = blk;
	return err;
}

static void blk_destroy(struct vmm_virtio *v)
{
	struct blk *blk = v->state;

	blk_close(blk);
	free(blk);
}

/* Updates the size for the check of requests first, then the driver's view. */
static int blk_resize(struct vmm_virtio *v, const char *arg)
{
	struct blk *blk = v->state;
	int err;

	(void)arg;
	if (blk->user)
		err = vmm_user_blk_resize(blk->user);
	else
		err = ioctl(blk->vhost.fd, VHOST_RANCHU_BLK_RESIZE) ? -errno : 0;
	if (err)
		vmm_note("the size of %s: %s", blk->disk->path, strerror(-err));
	blk_show_config(v, blk);
	return err;
}

/* Adds the counters of the kernel device, or of vmmctl's own disk. */
static void blk_stats(struct vmm_virtio *v, struct vmm_report *report)
{
	struct vhost_ranchu_blk_stats stats = { .size = sizeof(stats) };
	const struct blk *blk = v->state;

	if (blk->user)
		vmm_user_blk_stats(blk->user, &stats, report);
	else if (ioctl(blk->vhost.fd, VHOST_RANCHU_BLK_GET_STATS, &stats))
		return;
	vmm_report_add(report, "reads", stats.reads);
	vmm_report_add(report, "writes", stats.writes);
	vmm_report_add(report, "flushes", stats.flushes);
	vmm_report_add(report, "discards", stats.discards);
	vmm_report_add(report, "errors", stats.errors);
	vmm_report_add(report, "read_bytes", stats.read_bytes);
	vmm_report_add(report, "written_bytes", stats.written_bytes);
	if (blk->user)
		return;
	vmm_report_add(report, "in_vcpu", stats.in_vcpu);
	vmm_report_add(report, "asynchronous", stats.asynchronous);
	vmm_report_add(report, "buffered", stats.buffered);
	vmm_report_add(report, "faults", stats.faults);
}

static const struct vmm_virtio_command blk_commands[] = {
	{ "resize", blk_resize },
	{ 0 },
};

static unsigned int blk_count(const struct vmm_config *cfg)
{
	return cfg->disks;
}

static const struct vmm_transport *blk_transport(const struct vmm_config *cfg, unsigned int index)
{
	return &cfg->disk[index].transport;
}

/** virtio-blk. */
const struct vmm_virtio_ops vmm_blk_ops = {
	.name = "blk",
	.id = VIRTIO_ID_BLOCK,
	.queues = VMM_VIRTIO_QUEUES,
	.queue_max = BLK_QUEUE_MAX,
	.count = blk_count,
	.transport = blk_transport,
	.create = blk_create,
	.destroy = blk_destroy,
	.start = blk_start,
	.stop = blk_stop,
	.pause = blk_pause,
	.resume = blk_resume,
	.base = blk_base,
	.load = blk_load,
	.stats = blk_stats,
	.commands = blk_commands,
};
