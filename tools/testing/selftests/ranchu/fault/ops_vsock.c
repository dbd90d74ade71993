// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "fault_ops.h"

static int op_cid(struct rig *rig)
{
	uint64_t cid = VS_CID + 1;

	return __vq_ioctl(rig->fd, VHOST_VSOCK_SET_GUEST_CID, &cid);
}

static int op_connect(struct rig *rig)
{
	uint32_t host_port = 0;

	return __vs_connect(&rig->vs, STAGES_PORT, &host_port, rig->ends[0], 0);
}

static int op_attach(struct rig *rig)
{
	return __vs_attach(&rig->vs, STAGES_PORT, STAGES_PORT, rig->ends[0], 0);
}

static int op_vs_read(struct rig *rig)
{
	struct vhost_vsock_adb_event event;

	return read(rig->fd, &event, sizeof(event)) < 0 ? -errno : 0;
}

/* Number of checks for an answer, a millisecond apart. */
#define TURNS		10000

/* The guest requests a stream: there is an event, or it is refused. */
static int op_vs_ask(struct rig *rig)
{
	struct vs_packet packet;
	unsigned int i;

	rig_vsock_ask(rig);
	for (i = 0; i < TURNS; i++) {
		if (vs_has_event(&rig->vs))
			return 0;
		if (vs_try_get(&rig->vs, &packet))
			return packet.op == VIRTIO_VSOCK_OP_RST ? -ENOMEM : -EPROTO;
		usleep(1000);
	}
	return -ETIMEDOUT;
}

/* Closes our copy, because a shared socket is not used. */
static int give_away(struct rig *rig, int err)
{
	close(rig->ends[0]);
	rig->ends[0] = -1;
	return err;
}

static int op_attached(struct rig *rig)
{
	return give_away(rig, op_attach(rig));
}

/* Replaces a stream that was reset by a new one. */
static int op_vs_anew(struct rig *rig)
{
	rig_free(rig);
	rig_make(rig, VSOCK, BUSY);
	return op_attached(rig);
}

/* A stream's data comes out at the socket, or the stream is reset. */
static int send_data(struct rig *rig, size_t size)
{
	struct vs_packet packet = vs_packet_of(&rig->vs, STAGES_PORT, STAGES_PORT,
					       VIRTIO_VSOCK_OP_RW);
	char data[VQ_PAGE * 2];
	unsigned int i;

	packet.buf_alloc = VS_BUF_ALLOC;
	packet.len = size;
	memset(data, 1, size);
	vs_send(&rig->vs, &packet, data, size);
	for (i = 0; i < TURNS; i++) {
		if (vs_readable(rig->ends[1], 0))
			return recv(rig->ends[1], data, size, 0) > 0 ? 0 : -ENOMEM;
		if (vs_try_get(&rig->vs, &packet) && packet.op == VIRTIO_VSOCK_OP_RST)
			return -ENOMEM;
		usleep(1000);
	}
	return -ETIMEDOUT;
}

static int op_vs_data(struct rig *rig)
{
	return send_data(rig, 1000);
}

/* More than is served in the vCPU. */
static int op_vs_bulk(struct rig *rig)
{
	return send_data(rig, VQ_PAGE * 2);
}

/* Fills the socket. */
static int op_vs_fill(struct rig *rig)
{
	static const char other[VQ_PAGE];
	int room = 65536, err = op_attach(rig);

	/* The device does not change a size that was set; otherwise there would be room later. */
	setsockopt(rig->ends[0], SOL_SOCKET, SO_SNDBUF, &room, sizeof(room));
	while (!err && send(rig->ends[0], other, sizeof(other), MSG_DONTWAIT) > 0)
		;
	return give_away(rig, err);
}

static int op_vs_fill_anew(struct rig *rig)
{
	rig_free(rig);
	rig_make(rig, VSOCK, BUSY);
	return op_vs_fill(rig);
}

static uint64_t queued_packets(struct rig *rig)
{
	struct vhost_vsock_adb_stats stats;

	vs_get_stats(&rig->vs, &stats);
	return stats.queued_packets;
}

/*
 * A guest's data must wait; it arrives after earlier data, or the stream is reset. The
 * socket is not read before that, because data would find room.
 */
static int op_vs_wait(struct rig *rig)
{
	struct vs_packet packet = vs_packet_of(&rig->vs, STAGES_PORT, STAGES_PORT,
					       VIRTIO_VSOCK_OP_RW);
	uint64_t before = queued_packets(rig);
	char data[VQ_PAGE];
	unsigned int i;
	ssize_t n;

	packet.buf_alloc = VS_BUF_ALLOC;
	packet.len = sizeof(data);
	memset(data, 1, sizeof(data));
	vs_send(&rig->vs, &packet, data, sizeof(data));
	for (i = 0; i < TURNS; i++) {
		n = queued_packets(rig) == before ? -1 :
		    recv(rig->ends[1], data, sizeof(data), MSG_DONTWAIT);
		if (n > 0 && data[n - 1])
			return 0;
		if (!n || (vs_try_get(&rig->vs, &packet) &&
			   packet.op == VIRTIO_VSOCK_OP_RST))
			return -ENOMEM;
		if (n < 0)
			usleep(1000);
	}
	return -ETIMEDOUT;
}

const struct op fault_ops_vsock[] = {
	OP(VSOCK, OWNED, "SET_GUEST_CID", op_cid),
	OP(VSOCK, RUNNING, "CONNECT", op_connect),
	OP(VSOCK, BUSY, "read of an event", op_vs_read),
	OP(VSOCK, BUSY, "ATTACH", op_attach),
	IOCTL(VSOCK, BUSY, VHOST_VSOCK_ADB_RESET_TRANSPORT, .needs_nothing = true),
	OP(VSOCK, RUNNING, "a guest's request", op_vs_ask, .where = FAULTS_GUEST),
	OP(VSOCK, BUSY, "a guest's data", op_vs_data, .where = FAULTS_GUEST,
	   .before = op_attached, .undo = op_vs_anew),
	OP(VSOCK, BUSY, "a guest's bulk", op_vs_bulk, .where = FAULTS_GUEST,
	   .before = op_attached, .undo = op_vs_anew),
	OP(VSOCK, BUSY, "a guest's data, waiting", op_vs_wait, .where = FAULTS_GUEST,
	   .before = op_vs_fill, .undo = op_vs_fill_anew),
	{}
};
