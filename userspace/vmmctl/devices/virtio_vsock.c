// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-vsock, served by the kernel in one of two ways: by /dev/vhost-vsock-adb, whose streams
 * end in sockets that vsock_streams.c passes to it, or by Linux' own /dev/vhost-vsock, whose
 * streams end in the host's AF_VSOCK.
 *
 * Source: VIRTIO 1.2, 5.10; the size of the queues is the reference's.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/vhost.h>
#include <linux/virtio_ids.h>

#include "backends/backends.h"
#include "devices/devices.h"
#include "host/host.h"
#include "host/vsock.h"

#define VSOCK_QUEUE_MAX	128

enum vsock_queue { VSOCK_RX, VSOCK_TX, VSOCK_EVENT, VSOCK_QUEUES };

/* Device features: streams, sequenced packets, sequenced packets only. */
#define VSOCK_FEATURES	(1ULL << 0 | 1ULL << 1 | 1ULL << 2)

/**
 * struct vsock - the state of the device
 * @vhost: the kernel's device
 * @host: the host's side of the streams; NULL if that is AF_VSOCK
 */
struct vsock {
	struct vmm_vhost vhost;
	struct vmm_vsock_host *host;
};

static int vsock_connect(void *arg, struct vhost_vsock_adb_connect *connect)
{
	const struct vsock *vs = arg;

	return ioctl(vs->vhost.fd, VHOST_VSOCK_ADB_CONNECT, connect) ? -errno : 0;
}

static int vsock_attach(void *arg, const struct vhost_vsock_adb_attach *attach)
{
	const struct vsock *vs = arg;

	return ioctl(vs->vhost.fd, VHOST_VSOCK_ADB_ATTACH, attach) ? -errno : 0;
}

static int vsock_event(void *arg, struct vhost_vsock_adb_event *event)
{
	const struct vsock *vs = arg;
	ssize_t n = read(vs->vhost.fd, event, sizeof(*event));

	if (n == sizeof(*event))
		return 1;
	if (n >= 0)
		return -EIO;
	return errno == EAGAIN || errno == EINTR ? 0 : -errno;
}

static const struct vmm_vsock_device vsock_device = {
	.connect = vsock_connect,
	.attach = vsock_attach,
	.event = vsock_event,
};

static int vsock_run(struct vsock *vs, int running)
{
	return ioctl(vs->vhost.fd, VHOST_VSOCK_SET_RUNNING, &running) ? -errno : 0;
}

/* Linux' device does not serve the event ring: its buffers are never used. */
static int vsock_start(struct vmm_virtio *v)
{
	struct vsock *vs = v->state;
	bool event = vs->host && v->queue[VSOCK_EVENT].ready;
	int err = vmm_vhost_start(&vs->vhost, event ? VSOCK_QUEUES : VSOCK_EVENT);

	if (err)
		return err;
	err = vsock_run(vs, !v->paused);
	if (err) {
		vmm_vhost_stop(&vs->vhost);
		return vmm_vhost_blame(&vs->vhost, -err, "%s does not start", vs->vhost.node);
	}
	if (vs->host)
		vmm_vsock_host_running(vs->host);
	return 0;
}

/* Streams end when the driver stops. */
static void vsock_stop(struct vmm_virtio *v)
{
	struct vsock *vs = v->state;

	vsock_run(vs, 0);
	vmm_vhost_stop(&vs->vhost);
	if (vs->host)
		ioctl(vs->vhost.fd, VHOST_VSOCK_ADB_RESET_TRANSPORT, 0);
}

/* CIDs that are tried if the command line asks for any. */
#define VSOCK_CIDS	4096
#define VSOCK_FIRST	77	/* the emulator's */

static int vsock_set_cid(struct vsock *vs, u64 cid, bool any)
{
	unsigned int tries = any ? VSOCK_CIDS : 1;
	__le64 config;

	while (ioctl(vs->vhost.fd, VHOST_VSOCK_SET_GUEST_CID, &cid)) {
		if (errno != EADDRINUSE)
			return vmm_error(errno, "%s refuses the CID %llu", vs->vhost.node, cid);
		if (!--tries)
			return vmm_error(-EADDRINUSE, "another guest has the CID %llu", cid);
		cid++;
	}
	config = htole64(cid);
	vmm_virtio_config(vs->vhost.v, &config, sizeof(config));
	return 0;
}

static int vsock_open(struct vmm_virtio *v, struct vsock *vs)
{
	const struct vmm_config *cfg = v->vm->cfg;
	bool adb = cfg->vsock == VMM_VSOCK_ADB;
	int err;

	err = vmm_vhost_open(&vs->vhost, v, adb ? VMM_VSOCK_ADB_NODE : VMM_VSOCK_LINUX_NODE,
			     adb ? "vhost_vsock_adb" : "vhost_vsock");
	if (err)
		return err;
	err = vmm_vhost_offer(&vs->vhost, VSOCK_FEATURES);
	if (!err)
		err = vsock_set_cid(vs, cfg->vsock_cid ? cfg->vsock_cid : VSOCK_FIRST,
				    cfg->clone || !cfg->vsock_cid);
	if (!err && adb) {
		vs->host = v->vm->host.vsock;
		err = vmm_vsock_host_attach(vs->host, &vsock_device, vs, vs->vhost.fd);
	}
	if (err)
		vmm_vhost_close(&vs->vhost);
	return err;
}

static int vsock_create(struct vmm_virtio *v)
{
	struct vsock *vs = calloc(1, sizeof(*vs));
	int err;

	if (!vs)
		return vmm_error(ENOMEM, "vsock");
	err = vsock_open(v, vs);
	if (err)
		free(vs);
	else
		v->state = vs;
	return err;
}

static void vsock_destroy(struct vmm_virtio *v)
{
	struct vsock *vs = v->state;

	if (vs->host)
		vmm_vsock_host_detach(vs->host);
	vmm_vhost_close(&vs->vhost);
	free(vs);
}

/*
 * The device and its CID stay. Events of the last guest's streams are read and discarded;
 * clients that were waiting for an answer wait for the next guest.
 */
static void vsock_reset(struct vmm_virtio *v)
{
	struct vhost_vsock_adb_event event;
	struct vsock *vs = v->state;

	if (!vs->host)
		return;
	while (vsock_event(vs, &event) > 0)
		;
	vmm_vsock_host_detach(vs->host);
	if (vmm_vsock_host_attach(vs->host, &vsock_device, vs, vs->vhost.fd))
		vmm_vm_end(v->vm, VMM_END_ERROR);
}

/* ---- snapshots ---- */

/* Streams stay open; data waits in their sockets. */
static void vsock_pause(struct vmm_virtio *v)
{
	struct vsock *vs = v->state;

	if (v->running)
		vsock_run(vs, 0);
}

static void vsock_resume(struct vmm_virtio *v)
{
	struct vsock *vs = v->state;
	int err = v->running ? vsock_run(vs, 1) : 0;

	if (!err)
		return;
	vmm_vhost_blame(&vs->vhost, -err, "%s does not resume", vs->vhost.node);
	vmm_virtio_fail(v);
}

/* Linux' device cannot tell a guest that its streams are gone: it cannot be saved. */
static int vsock_base(struct vmm_virtio *v, unsigned int queue, u32 *base)
{
	const struct vsock *vs = v->state;

	if (!vs->host)
		return -EOPNOTSUPP;
	return vmm_vhost_ring_base(&vs->vhost, queue, base);
}

/* Tags after those of the core. */
enum { VSOCK_TAG_MODULE };

static void vsock_save(struct vmm_virtio *v, struct vmm_state *state, u32 tag)
{
	struct vhost_vsock_adb_state module = { .size = sizeof(module) };
	struct vsock *vs = v->state;

	if (ioctl(vs->vhost.fd, VHOST_VSOCK_ADB_GET_STATE, &module))
		state->err = vmm_error(errno, "%s does not return its state", vs->vhost.node);
	vmm_state_put(state, tag + VSOCK_TAG_MODULE, &module, sizeof(module));
}

/* The CID may differ: the driver reads it again when its streams are reset. */
static int vsock_load(struct vmm_virtio *v, struct vmm_state *state, u32 tag, const u8 *config)
{
	struct vhost_vsock_adb_state module;
	struct vsock *vs = v->state;

	(void)config;
	vmm_state_get(state, tag + VSOCK_TAG_MODULE, &module, sizeof(module));
	if (state->err)
		return state->err;
	if (!vs->host)
		return -EOPNOTSUPP;
	if (ioctl(vs->vhost.fd, VHOST_VSOCK_ADB_SET_STATE, &module))
		return vmm_error(errno, "snapshot: %s refuses its state", vs->vhost.node);
	return 0;
}

/* Linux' device has no counters. */
static void vsock_stats(struct vmm_virtio *v, struct vmm_report *report)
{
	struct vhost_vsock_adb_stats stats = { .size = sizeof(stats) };
	const struct vsock *vs = v->state;

	if (!vs->host || ioctl(vs->vhost.fd, VHOST_VSOCK_ADB_GET_STATS, &stats))
		return;
	vmm_report_add(report, "streams", stats.streams);
	vmm_report_add(report, "opened", stats.opened);
	vmm_report_add(report, "bytes_to_guest", stats.bytes_to_guest);
	vmm_report_add(report, "bytes_to_host", stats.bytes_to_host);
	vmm_report_add(report, "packets_to_guest", stats.packets_to_guest);
	vmm_report_add(report, "packets_to_host", stats.packets_to_host);
	vmm_report_add(report, "bad_packets", stats.bad_packets);
	vmm_report_add(report, "faults", stats.faults);
	vmm_report_add(report, "queued", stats.queued);
	vmm_report_add(report, "queued_packets", stats.queued_packets);
}

static unsigned int vsock_count(const struct vmm_config *cfg)
{
	return cfg->vsock != VMM_VSOCK_NONE;
}

/** virtio-vsock. */
const struct vmm_virtio_ops vmm_vsock_ops = {
	.name = "vsock",
	.id = VIRTIO_ID_VSOCK,
	.queues = VSOCK_QUEUES,
	.queue_max = VSOCK_QUEUE_MAX,
	.count = vsock_count,
	.create = vsock_create,
	.destroy = vsock_destroy,
	.start = vsock_start,
	.stop = vsock_stop,
	.reset = vsock_reset,
	.pause = vsock_pause,
	.resume = vsock_resume,
	.base = vsock_base,
	.save = vsock_save,
	.load = vsock_load,
	.stats = vsock_stats,
};
