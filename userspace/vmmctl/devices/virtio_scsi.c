// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-scsi, served by Linux' own /dev/vhost-scsi. The guest sees the logical units of a
 * target that was set up through configfs (/sys/kernel/config/target/vhost): vmmctl names the
 * target and passes the queues to the kernel.
 *
 * The kernel binds a target to one user at a time, while the guest's driver runs. It is
 * free before the driver starts, while the VM is paused, and after a reset.
 *
 * Source: VIRTIO 1.2, 5.6; include/uapi/linux/vhost.h, vhost_types.h
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <linux/vhost.h>
#include <linux/virtio_ids.h>
#include <linux/virtio_scsi.h>

#include "backends/backends.h"
#include "devices/devices.h"
#include "host/host.h"

#define SCSI_QUEUE_MAX	128

enum scsi_queue { SCSI_CONTROL, SCSI_EVENT, SCSI_REQUEST };

_Static_assert(SCSI_REQUEST + VMM_SCSI_QUEUES == VMM_VIRTIO_QUEUES, "all queues are used");

/*
 * Logical units may be added and removed. Protection information (T10-PI) is not offered:
 * with it each request has a longer header, even if the target has none.
 */
#define SCSI_FEATURES	(1ULL << VIRTIO_SCSI_F_HOTPLUG)

/* A request and its answer take a descriptor each beside the data. */
#define SCSI_SEGMENTS	(SCSI_QUEUE_MAX - 2)
#define SCSI_SECTORS	0xffff	/* of a request, at most */
#define SCSI_TARGETS	256	/* in the kernel's device; a target's number is its tag */
#define SCSI_LUNS	16384	/* of a two-byte LUN */

/**
 * struct scsi - the state of the device
 * @vhost: the kernel's device
 * @target: the target whose logical units the guest sees
 */
struct scsi {
	struct vmm_vhost vhost;
	struct vhost_scsi_target target;
};

static int scsi_attach(const struct scsi *scsi)
{
	return ioctl(scsi->vhost.fd, VHOST_SCSI_SET_ENDPOINT, &scsi->target) ? -errno : 0;
}

/* Detaches the target after its requests have completed; does nothing without one. */
static int scsi_detach(const struct scsi *scsi)
{
	return ioctl(scsi->vhost.fd, VHOST_SCSI_CLEAR_ENDPOINT, &scsi->target) ? -errno : 0;
}

/* Attaches the target to rings that the device has. */
static int scsi_run(struct vmm_virtio *v)
{
	struct scsi *scsi = v->state;
	unsigned int i;
	int err;

	err = scsi_attach(scsi);
	if (err == -ENODEV)
		return vmm_vhost_blame(&scsi->vhost, err, "the target %s is gone, or is used",
				       scsi->target.vhost_wwpn);
	if (err)
		return vmm_vhost_blame(&scsi->vhost, -err, "%s does not start", scsi->vhost.node);
	/* Without a target, the kernel drops notifications, so they are repeated here. */
	for (i = 0; i < v->queues; i++) {
		if (v->queue[i].ready)
			vmm_event_signal(v->queue[i].kick_fd);
	}
	return 0;
}

/*
 * When a target is attached, the kernel writes to every ring whose address it has. A driver
 * may use fewer queues than the one before it, so the addresses of the others are cleared.
 */
static void scsi_forget_rings(const struct vmm_virtio *v)
{
	const struct scsi *scsi = v->state;
	unsigned int i;

	for (i = 0; i < v->queues; i++) {
		struct vhost_vring_addr nowhere = { .index = i };

		ioctl(scsi->vhost.fd, VHOST_SET_VRING_ADDR, &nowhere);
	}
}

/* Events that an earlier driver has missed are dropped. */
static int scsi_start(struct vmm_virtio *v)
{
	struct scsi *scsi = v->state;
	u32 missed = 0;
	int err;

	scsi_forget_rings(v);
	ioctl(scsi->vhost.fd, VHOST_SCSI_SET_EVENTS_MISSED, &missed);
	err = vmm_vhost_start(&scsi->vhost, vmm_vhost_ready(v));
	if (err)
		return err;
	err = scsi_run(v);
	if (err)
		vmm_vhost_stop(&scsi->vhost);
	return err;
}

static void scsi_stop(struct vmm_virtio *v)
{
	struct scsi *scsi = v->state;
	int err = scsi_detach(scsi);

	v->stop_pending = err != 0;
	if (err) {
		vmm_vhost_blame(&scsi->vhost, -err, "%s keeps the queues", scsi->vhost.node);
		return;
	}
	vmm_vhost_stop(&scsi->vhost);
}

/* The rings stay, without a backend. */
static void scsi_pause(struct vmm_virtio *v)
{
	struct scsi *scsi = v->state;

	if (v->running && scsi_detach(scsi))
		vmm_vhost_blame(&scsi->vhost, EIO, "%s does not pause", scsi->vhost.node);
}

static void scsi_resume(struct vmm_virtio *v)
{
	if (v->running && scsi_run(v))
		vmm_virtio_fail(v);
}

/* The sizes of CDB and sense data are fixed in the kernel; a driver cannot change them. */
static void scsi_config(struct vmm_virtio *v, unsigned int queues)
{
	struct virtio_scsi_config config = {
		.num_queues = htole32(queues),
		.seg_max = htole32(SCSI_SEGMENTS),
		.max_sectors = htole32(SCSI_SECTORS),
		.cmd_per_lun = htole32(SCSI_QUEUE_MAX),
		.event_info_size = htole32(sizeof(struct virtio_scsi_event)),
		.sense_size = htole32(VIRTIO_SCSI_SENSE_DEFAULT_SIZE),
		.cdb_size = htole32(VIRTIO_SCSI_CDB_DEFAULT_SIZE),
		.max_target = htole16(SCSI_TARGETS - 1),
		.max_lun = htole32(SCSI_LUNS - 1),
	};

	vmm_virtio_config(v, &config, sizeof(config));
}

/* Attaches the target once, with no rings, to see whether it is there. */
static int scsi_find(const struct scsi *scsi)
{
	int version = 0;
	int err;

	if (ioctl(scsi->vhost.fd, VHOST_SCSI_GET_ABI_VERSION, &version))
		return vmm_error(errno, "%s does not return its version", scsi->vhost.node);
	if (version != VHOST_SCSI_ABI_VERSION)
		return vmm_error(-EOPNOTSUPP, "%s has version %d of its interface, vmmctl has %d",
				 scsi->vhost.node, version, VHOST_SCSI_ABI_VERSION);
	err = scsi_attach(scsi);
	if (!err)
		err = scsi_detach(scsi);
	if (err == -ENODEV)
		return vmm_error(err, "--scsi: no target %s with a nexus, or another VM uses it",
				 scsi->target.vhost_wwpn);
	return err ? vmm_error(-err, "--scsi: %s refuses the target %s", scsi->vhost.node,
			       scsi->target.vhost_wwpn) : 0;
}

static int scsi_open(struct vmm_virtio *v, struct scsi *scsi)
{
	const struct vmm_backend *asked = &v->vm->cfg->backend[VMM_BACKEND_SCSI][v->index];
	int err;

	scsi->target.abi_version = VHOST_SCSI_ABI_VERSION;
	snprintf(scsi->target.vhost_wwpn, sizeof(scsi->target.vhost_wwpn), "%s", asked->path);
	err = vmm_vhost_open(&scsi->vhost, v, VMM_SCSI_NODE, "vhost_scsi");
	if (err)
		return err;
	err = vmm_vhost_offer(&scsi->vhost, SCSI_FEATURES);
	if (!err)
		err = scsi_find(scsi);
	if (err) {
		vmm_vhost_close(&scsi->vhost);
		return err;
	}
	v->queues = SCSI_REQUEST + asked->queues;
	scsi_config(v, asked->queues);
	return 0;
}

static int scsi_create(struct vmm_virtio *v)
{
	struct scsi *scsi = calloc(1, sizeof(*scsi));
	int err;

	if (!scsi)
		return vmm_error(ENOMEM, "SCSI");
	err = scsi_open(v, scsi);
	if (err)
		free(scsi);
	else
		v->state = scsi;
	return err;
}

static void scsi_destroy(struct vmm_virtio *v)
{
	struct scsi *scsi = v->state;

	vmm_vhost_close(&scsi->vhost);
	free(scsi);
}

static unsigned int scsi_count(const struct vmm_config *cfg)
{
	return cfg->backends[VMM_BACKEND_SCSI];
}

static const struct vmm_transport *scsi_transport(const struct vmm_config *cfg, unsigned int index)
{
	return &cfg->backend[VMM_BACKEND_SCSI][index].transport;
}

/**
 * virtio-scsi, a target of the host. It cannot be saved, because a snapshot cannot detect
 * that the target was written to afterwards.
 */
const struct vmm_virtio_ops vmm_scsi_ops = {
	.name = "scsi",
	.id = VIRTIO_ID_SCSI,
	.queues = VMM_VIRTIO_QUEUES,
	.queue_max = SCSI_QUEUE_MAX,
	.count = scsi_count,
	.transport = scsi_transport,
	.create = scsi_create,
	.destroy = scsi_destroy,
	.start = scsi_start,
	.stop = scsi_stop,
	.pause = scsi_pause,
	.resume = scsi_resume,
};
