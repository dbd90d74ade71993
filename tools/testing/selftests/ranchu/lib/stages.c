// SPDX-License-Identifier: GPL-2.0-only
/*
 * Devices of all kinds. See stages.h.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "stages.h"

#define MEM_SIZE	(1u << 20)

const char *rig_path(unsigned int device)
{
	switch (device) {
	case PIPE: return PIPE_DEV_PATH;
	case VQ: return VQ_DEV_PATH;
	case BLK: return BD_PATH;
	case SYNC: return SYNC_DEV_PATH;
	default: return VS_DEV_PATH;
	}
}

static void pipe_rig(struct rig *rig, enum stage stage)
{
	struct pipe_dev *dev = &rig->pipe;

	/* Of a file, as DMA wants it. */
	pipe_mem_create_file(&rig->pipe_mem, RANCHU_RAM_BASE, MEM_SIZE);
	dev->fd = rig->fd;
	dev->mem = &rig->pipe_mem;
	if (__pipe_set_owner(dev) || __pipe_set_mem_table(dev, &rig->pipe_mem, 1))
		pipe_die("pipe: no owner");
	if (stage == OWNED)
		return;
	pipe_handshake(dev);
	rig->data = pipe_mem_alloc(&rig->pipe_mem, STAGES_PAGES * HOST_PAGE, HOST_PAGE);
	pipe_prepare(dev, &rig->tp, STAGES_PIPE_ID, PIPE_DRIVER_BUFFERS);
	if (stage == BUSY)
		pipe_connect(dev, &rig->tp, STAGES_PIPE_ID, "pipe:pingpong");
	if (stage != ASKED)
		return;
	rig->services = services_open(dev);
	services_add(rig->services, "svc");
	pipe_connect(dev, &rig->tp, STAGES_PIPE_ID, "pipe:svc");
	if (pipe_dma(&rig->tp, GOLDFISH_PIPE_CMD_DMA_MAPHOST, rig->data, HOST_PAGE))
		pipe_die("DMA_MAPHOST");
}

void rig_pipe_event(struct rig *rig)
{
	rig->open = services_expect(rig->services, "svc", NULL);
}

int __rig_pipe_ring(struct rig *rig)
{
	struct vhost_goldfish_pipe_ring answer = {
		.open = rig->open,
		.to_host_size = STAGES_RING,
		.to_guest_size = STAGES_RING,
		.wake_fd = rig->efd,
	};
	int ret = __pipe_ioctl(rig->services, VHOST_GOLDFISH_PIPE_ANSWER_RING, &answer);

	if (ret < 0)
		return ret;
	rig->file = ret;
	return 0;
}

static void vq_rig(struct rig *rig, enum stage stage)
{
	vq_dev_create(&rig->vq, VQ_SPLIT, STAGES_NUM, MEM_SIZE);
	rig->fd = rig->vq.fd;
	rig->ring = &rig->vq.rings[0];
	rig->run = VHOST_RANCHU_TEST_SET_RUNNING;
	if (stage > OWNED)
		vq_dev_run(&rig->vq, 1);
}

static void blk_rig(struct rig *rig, enum stage stage)
{
	bd_create(&rig->blk, BD_TMPFS, BD_FEATURES, MEM_SIZE);
	rig->fd = rig->blk.fd;
	rig->ring = &rig->blk.rings[0];
	rig->run = VHOST_RANCHU_BLK_SET_RUNNING;
	if (stage == OWNED)
		bd_run(&rig->blk, 0);
}

void rig_vsock_ask(struct rig *rig)
{
	struct vs_packet packet = vs_packet_of(&rig->vs, STAGES_PORT, STAGES_PORT,
					       VIRTIO_VSOCK_OP_REQUEST);

	packet.buf_alloc = VS_BUF_ALLOC;
	vs_send(&rig->vs, &packet, NULL, 0);
}

static void vsock_rig(struct rig *rig, enum stage stage)
{
	vs_open(&rig->vs, VQ_SPLIT);
	vs_set_up(&rig->vs);
	if (__vs_set_cid(&rig->vs, VS_CID))
		vq_die("CID");
	rig->fd = rig->vs.fd;
	rig->ring = &rig->vs.rings[0];
	rig->run = VHOST_VSOCK_SET_RUNNING;
	if (stage == OWNED)
		return;
	vs_run(&rig->vs, 1);
	vs_has_event(&rig->vs);
	vs_give_all(&rig->vs);
	if (stage != BUSY)
		return;
	rig_vsock_ask(rig);
	if (services_poll(rig->fd, POLLIN, VQ_PATIENCE_MS) != POLLIN)
		vq_die("no REQUEST");
}

static void sync_rig(struct rig *rig, enum stage stage)
{
	if (__sync_open(&rig->sync))
		pipe_die("no usable " SYNC_DEV_PATH);
	rig->fd = rig->sync.fd;
	if (stage == OWNED)
		return;
	sync_handshake(&rig->sync);
	if (stage < BUSY)
		return;
	rig->renderer = sync_renderer(&rig->sync);
	sync_trigger(&rig->sync, 1, 2, 3);
}

void rig_make(struct rig *rig, unsigned int device, enum stage stage)
{
	memset(rig, 0, sizeof(*rig));
	rig->device = device;
	rig->fd = -1;
	rig->services = -1;
	rig->file = -1;
	rig->renderer = -1;
	rig->efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	services_sockets(SERVICES_UNIX, rig->ends);
	if (stage == CLOSED)
		return;
	if (stage == OPENED || device == PIPE)
		rig->fd = open(rig_path(device), O_RDWR | O_CLOEXEC);
	if (stage == OPENED)
		return;
	switch (device) {
	case PIPE: return pipe_rig(rig, stage);
	case VQ: return vq_rig(rig, stage);
	case BLK: return blk_rig(rig, stage);
	case SYNC: return sync_rig(rig, stage);
	default: return vsock_rig(rig, stage);
	}
}

void rig_free(struct rig *rig)
{
	if (rig->vq.mem.guest)
		vq_dev_destroy(&rig->vq);
	else if (rig->blk.mem.guest)
		bd_destroy(&rig->blk);
	else if (rig->vs.mem.guest)
		vs_destroy(&rig->vs);
	else if (rig->sync.mem.hva)
		sync_stop(&rig->sync);
	else if (rig->fd >= 0)
		close(rig->fd);
	pipe_mem_destroy(&rig->pipe_mem);
	if (rig->renderer >= 0)
		close(rig->renderer);
	if (rig->file >= 0)
		close(rig->file);
	if (rig->services >= 0)
		close(rig->services);
	close(rig->efd);
	close(rig->ends[0]);
	close(rig->ends[1]);
}
