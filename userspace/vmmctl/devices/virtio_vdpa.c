// SPDX-License-Identifier: GPL-2.0-only
/*
 * Virtio devices that are vDPA devices of the host: hardware, or a process behind VDUSE. The
 * vDPA device determines the type of the virtio device.
 */
#include <errno.h>
#include <stdlib.h>
#include <linux/virtio_blk.h>
#include <linux/virtio_ids.h>

#include "backends/backends.h"
#include "devices/devices.h"

#define VDPA_QUEUE_MAX	256

/* Feature bits of the device type. */
#define DEVICE_FEATURES	0x0000000000ffffffULL

static int vdpa_start(struct vmm_virtio *v)
{
	return vmm_vhost_start(v->state, vmm_vhost_ready(v));
}

static void vdpa_stop(struct vmm_virtio *v)
{
	vmm_vhost_stop(v->state);
}

/* Not every vDPA device can be suspended: those of VDUSE cannot. */
static void vdpa_pause(struct vmm_virtio *v)
{
	struct vmm_vhost_vdpa *vdpa = v->state;
	int err;

	if (!v->running)
		return;
	if (!vdpa->suspends) {
		if (!vdpa->told)
			vmm_note("%s cannot be suspended: it runs while the VM is paused",
				 vdpa->vhost.node);
		vdpa->told = true;
		return;
	}
	err = vmm_vhost_vdpa_suspend(vdpa, true);
	if (err)
		vmm_vhost_blame(&vdpa->vhost, -err, "%s does not pause", vdpa->vhost.node);
}

/* Repeats notifications, which the device may have missed while suspended. */
static void vdpa_resume(struct vmm_virtio *v)
{
	struct vmm_vhost_vdpa *vdpa = v->state;
	unsigned int i;
	int err;

	if (!v->running || !vdpa->suspends)
		return;
	err = vmm_vhost_vdpa_suspend(vdpa, false);
	if (err) {
		vmm_vhost_blame(&vdpa->vhost, -err, "%s does not resume", vdpa->vhost.node);
		vmm_virtio_fail(v);
		return;
	}
	for (i = 0; i < vdpa->vhost.rings; i++)
		vmm_event_signal(v->queue[i].kick_fd);
}

static int vdpa_open(struct vmm_virtio *v, struct vmm_vhost_vdpa *vdpa)
{
	const struct vmm_backend *backend = &v->vm->cfg->backend[VMM_BACKEND_VDPA][v->index];
	u64 features = DEVICE_FEATURES;
	int err;

	err = vmm_vhost_vdpa_open(vdpa, v, backend->path);
	if (err)
		return err;
	/* Of these types, the guest cannot write to the configuration. */
	if (v->id == VIRTIO_ID_BLOCK)
		features &= ~(1ULL << VIRTIO_BLK_F_CONFIG_WCE);
	err = vmm_vhost_offer(&vdpa->vhost, features);
	if (!err)
		err = vmm_vhost_vdpa_config(vdpa);
	if (err)
		vmm_vhost_close(&vdpa->vhost);
	return err;
}

static int vdpa_create(struct vmm_virtio *v)
{
	struct vmm_vhost_vdpa *vdpa = calloc(1, sizeof(*vdpa));
	int err;

	if (!vdpa)
		return vmm_error(ENOMEM, "vDPA");
	err = vdpa_open(v, vdpa);
	if (err)
		free(vdpa);
	else
		v->state = vdpa;
	return err;
}

static void vdpa_destroy(struct vmm_virtio *v)
{
	vmm_vhost_close(v->state);
	free(v->state);
}

static unsigned int vdpa_count(const struct vmm_config *cfg)
{
	return cfg->backends[VMM_BACKEND_VDPA];
}

static const struct vmm_transport *vdpa_transport(const struct vmm_config *cfg, unsigned int index)
{
	return &cfg->backend[VMM_BACKEND_VDPA][index].transport;
}

/** vDPA devices of the host. */
const struct vmm_virtio_ops vmm_vdpa_ops = {
	.name = "vdpa",
	.queues = VMM_VIRTIO_QUEUES,
	.queue_max = VDPA_QUEUE_MAX,
	.count = vdpa_count,
	.transport = vdpa_transport,
	.create = vdpa_create,
	.destroy = vdpa_destroy,
	.start = vdpa_start,
	.stop = vdpa_stop,
	.pause = vdpa_pause,
	.resume = vdpa_resume,
};
