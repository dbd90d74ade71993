// SPDX-License-Identifier: GPL-2.0-only
/*
 * Virtio devices that a process behind a Unix socket serves: disks, file systems,
 * networks, consoles, random numbers, GPUs. What differs between them is a row of a table.
 *
 * Source: VIRTIO 1.2, 5.1 to 5.4, 5.7 and 5.11
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_fs.h>
#include <linux/virtio_gpu.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_net.h>

#include "backends/vhost_user.h"
#include "devices/devices.h"

#define USER_QUEUE_MAX	VMM_SHADOW_MAX

#define BIT(feature)	(1ULL << (feature))
#define BLK_FEATURES \
	(BIT(VIRTIO_BLK_F_SIZE_MAX) | BIT(VIRTIO_BLK_F_SEG_MAX) | BIT(VIRTIO_BLK_F_RO) | \
	 BIT(VIRTIO_BLK_F_BLK_SIZE) | BIT(VIRTIO_BLK_F_FLUSH) | BIT(VIRTIO_BLK_F_TOPOLOGY) | \
	 BIT(VIRTIO_BLK_F_MQ) | BIT(VIRTIO_BLK_F_DISCARD) | BIT(VIRTIO_BLK_F_WRITE_ZEROES))
/* No control queue. */
#define NET_FEATURES \
	(BIT(VIRTIO_NET_F_CSUM) | BIT(VIRTIO_NET_F_GUEST_CSUM) | BIT(VIRTIO_NET_F_MRG_RXBUF) | \
	 BIT(VIRTIO_NET_F_GUEST_TSO4) | BIT(VIRTIO_NET_F_GUEST_TSO6) | \
	 BIT(VIRTIO_NET_F_GUEST_ECN) | BIT(VIRTIO_NET_F_GUEST_UFO) | \
	 BIT(VIRTIO_NET_F_HOST_TSO4) | BIT(VIRTIO_NET_F_HOST_TSO6) | \
	 BIT(VIRTIO_NET_F_HOST_ECN) | BIT(VIRTIO_NET_F_HOST_UFO))
/* Features that need memory in a BAR (blobs) are left out. */
#define GPU_FEATURES \
	(BIT(VIRTIO_GPU_F_VIRGL) | BIT(VIRTIO_GPU_F_EDID) | BIT(VIRTIO_GPU_F_CONTEXT_INIT))
/* A disk's configuration ends after the fields for write zeroes. */
#define BLK_CONFIG	offsetof(struct virtio_blk_config, max_secure_erase_sectors)

struct user;

/**
 * struct user_type - a type of device
 * @name: on the command line, and for messages
 * @id: virtio device id
 * @queues: at most
 * @features: device features that the process may offer, besides the features of rings
 * @recovers: requests may be repeated, and the process has no state between them: it can be
 *	restarted
 * @exact: each request must be completed exactly once; else some may be lost
 * @config: fills the configuration; optional
 * @changed: updates it after the process has changed it; optional
 * @config_len: bytes of the configuration that the process supplies
 */
struct user_type {
	const char *name;
	u32 id;
	unsigned int queues;
	u64 features;
	bool recovers;
	bool exact;
	int (*config)(struct user *user);
	void (*changed)(struct user *user, const void *config);
	u32 config_len;
};

/**
 * struct user - the state of a device
 * @vu: the process
 * @asked: as the command line describes it
 * @type: what it is
 */
struct user {
	struct vmm_vhost_user vu;
	const struct vmm_backend *asked;
	const struct user_type *type;
};

/* The number of queues does not change after the device was created. */
static void blk_changed(struct user *user, const void *changed)
{
	struct vmm_virtio *v = user->vu.vhost.v;
	struct virtio_blk_config config;

	memcpy(&config, changed, BLK_CONFIG);
	config.num_queues = htole16(v->queues);
	vmm_virtio_config(v, &config, BLK_CONFIG);
}

static int blk_config(struct user *user)
{
	struct vmm_virtio *v = user->vu.vhost.v;
	struct virtio_blk_config config;
	unsigned int queues;
	int err;

	err = vmm_vhost_user_config(&user->vu, &config);
	if (err)
		return vmm_error(-err, "--vhost-user: %s does not describe its disk",
				 user->asked->path);
	queues = le16toh(config.num_queues);
	if (queues < v->queues)
		v->queues = queues ? queues : 1;
	blk_changed(user, &config);
	return 0;
}

static int fs_config(struct user *user)
{
	struct virtio_fs_config config = {
		.num_request_queues = htole32(user->vu.vhost.v->queues - 1),
	};

	memcpy(config.tag, user->asked->tag, strlen(user->asked->tag));
	vmm_virtio_config(user->vu.vhost.v, &config, sizeof(config));
	return 0;
}

static int net_config(struct user *user)
{
	struct vmm_virtio *v = user->vu.vhost.v;
	u8 mac[6];

	v->offered |= BIT(VIRTIO_NET_F_MAC) | BIT(VIRTIO_NET_F_STATUS);
	vmm_net_mac(v, user->asked, mac);
	vmm_net_config(v, mac, VIRTIO_NET_S_LINK_UP, 0);
	return 0;
}

/* The number of screens is 1; the process supplies the other fields. */
static void gpu_changed(struct user *user, const void *changed)
{
	struct virtio_gpu_config config = { .num_scanouts = htole32(1) };

	memcpy(&config.num_capsets,
	       (const u8 *)changed + offsetof(struct virtio_gpu_config, num_capsets),
	       sizeof(config.num_capsets));
	vmm_virtio_config(user->vu.vhost.v, &config, sizeof(config));
}

static int gpu_config(struct user *user)
{
	struct virtio_gpu_config config = { 0 };
	int err = vmm_vhost_user_config(&user->vu, &config);

	if (err && err != -EOPNOTSUPP)
		return vmm_error(-err, "--vhost-user: %s does not describe its GPU",
				 user->asked->path);
	if (user->vu.vhost.v->queues < 2)
		return vmm_error(-EOPNOTSUPP, "--vhost-user: %s serves too few queues",
				 user->asked->path);
	gpu_changed(user, &config);
	return 0;
}

/*
 * By enum vmm_vhost_user_type. A file system's server has state about the guest's open files,
 * and a GPU's server about its resources: neither can be restarted.
 */
static const struct user_type types[] = {
	[VMM_VHOST_USER_BLK] = {
		.name = "blk", .id = VIRTIO_ID_BLOCK, .queues = VMM_VIRTIO_QUEUES,
		.features = BLK_FEATURES, .recovers = true, .exact = true,
		.config = blk_config, .changed = blk_changed, .config_len = BLK_CONFIG,
	},
	[VMM_VHOST_USER_FS] = {
		.name = "fs", .id = VIRTIO_ID_FS, .queues = 2, .config = fs_config,
	},
	[VMM_VHOST_USER_NET] = {
		.name = "net", .id = VIRTIO_ID_NET, .queues = 2,
		.features = NET_FEATURES, .recovers = true, .config = net_config,
	},
	[VMM_VHOST_USER_RNG] = {
		.name = "rng", .id = VIRTIO_ID_RNG, .queues = 1, .recovers = true,
	},
	[VMM_VHOST_USER_CONSOLE] = {
		.name = "console", .id = VIRTIO_ID_CONSOLE, .queues = 2, .recovers = true,
	},
	[VMM_VHOST_USER_GPU] = {
		.name = "gpu", .id = VIRTIO_ID_GPU, .queues = 2, .features = GPU_FEATURES,
		.config = gpu_config, .changed = gpu_changed,
		.config_len = sizeof(struct virtio_gpu_config),
	},
};

static void user_config_changed(struct vmm_virtio *v, const void *config)
{
	struct user *user = v->state;

	user->type->changed(user, config);
}

static int user_start(struct vmm_virtio *v)
{
	struct user *user = v->state;

	return vmm_vhost_start(&user->vu.vhost, vmm_vhost_ready(v));
}

static void user_stop(struct vmm_virtio *v)
{
	struct user *user = v->state;

	vmm_vhost_stop(&user->vu.vhost);
}

static unsigned int smaller(unsigned int a, unsigned int b)
{
	return a < b ? a : b;
}

static int user_open(struct user *user, struct vmm_virtio *v)
{
	const struct user_type *type = user->type;
	int err;

	err = vmm_vhost_user_open(&user->vu, v, user->asked->path);
	if (err)
		return err;
	v->queues = smaller(type->queues, user->vu.queues);
	if (user->asked->queues)
		v->queues = smaller(v->queues, user->asked->queues);
	if (type->id == VIRTIO_ID_FS && v->queues < 2)
		err = vmm_error(-EOPNOTSUPP, "--vhost-user: %s serves too few queues",
				user->asked->path);
	if (!err)
		err = vmm_vhost_offer(&user->vu.vhost, type->features);
	if (!err && type->config)
		err = type->config(user);
	if (err)
		vmm_vhost_close(&user->vu.vhost);
	return err;
}

/* Creates the socket by which the process supplies the screen's content. */
static int gpu_socket_create(struct user *user, struct vmm_vm *vm)
{
	const struct vmm_gpu_host host = {
		.loop = vm->loop, .display = vm->host.display,
		.width = vm->cfg->screen_width, .height = vm->cfg->screen_height,
		.node = user->asked->path,
	};

	user->vu.gpu = vmm_gpu_socket_create(&host);
	return user->vu.gpu ? 0 : -ENOMEM;
}

static int user_create(struct vmm_virtio *v)
{
	struct user *user = calloc(1, sizeof(*user));
	int err = 0;

	if (!user)
		return vmm_error(ENOMEM, "vhost-user");
	user->asked = &v->vm->cfg->backend[VMM_BACKEND_VHOST_USER][v->index];
	user->type = &types[user->asked->type];
	user->vu.recovers = user->type->recovers;
	user->vu.exact = user->type->exact;
	user->vu.config_len = user->type->config_len;
	user->vu.config_changed = user->type->changed ? user_config_changed : NULL;
	v->name = user->type->name;
	v->id = user->type->id;
	v->state = user;
	if (v->id == VIRTIO_ID_GPU)
		err = gpu_socket_create(user, v->vm);
	if (!err)
		err = user_open(user, v);
	if (err) {
		vmm_gpu_socket_destroy(user->vu.gpu);
		free(user);
	}
	return err;
}

static void user_destroy(struct vmm_virtio *v)
{
	struct user *user = v->state;

	vmm_vhost_close(&user->vu.vhost);
	vmm_gpu_socket_destroy(user->vu.gpu);
	free(user);
}

/* After a reset, the screen is empty. */
static void user_reset(struct vmm_virtio *v)
{
	struct user *user = v->state;

	if (user->vu.gpu)
		vmm_gpu_socket_off(user->vu.gpu);
}

static void user_stats(struct vmm_virtio *v, struct vmm_report *report)
{
	struct user *user = v->state;

	vmm_report_add(report, "connections", vmm_counted(&user->vu.connections));
	vmm_report_add(report, "timeouts", vmm_counted(&user->vu.timeouts));
	if (user->vu.gpu)
		vmm_report_add(report, "gpu_frames", vmm_gpu_socket_frames(user->vu.gpu));
}

static unsigned int user_count(const struct vmm_config *cfg)
{
	return cfg->backends[VMM_BACKEND_VHOST_USER];
}

static const struct vmm_transport *user_transport(const struct vmm_config *cfg, unsigned int index)
{
	return &cfg->backend[VMM_BACKEND_VHOST_USER][index].transport;
}

/** Devices that processes serve. */
const struct vmm_virtio_ops vmm_vhost_user_ops = {
	.name = "vhost-user",
	.queues = VMM_VIRTIO_QUEUES,
	.queue_max = USER_QUEUE_MAX,
	.count = user_count,
	.transport = user_transport,
	.create = user_create,
	.destroy = user_destroy,
	.start = user_start,
	.stop = user_stop,
	.reset = user_reset,
	.stats = user_stats,
};
