// SPDX-License-Identifier: GPL-2.0-only
#include <errno.h>

#include "fault_ops.h"

static int op_blk_backend(struct rig *rig)
{
	return __bd_set_backend(rig->fd, rig->blk.backend, 0, BD_SECTOR);
}

static int blk_request(struct rig *rig, uint32_t type)
{
	uint8_t status = bd_do(&rig->blk, type, 0, 16 * BD_SECTOR);

	return status == VIRTIO_BLK_S_OK ? 0 : status == VIRTIO_BLK_S_IOERR ? -EIO : -EPROTO;
}

static int op_blk_read(struct rig *rig)
{
	return blk_request(rig, VIRTIO_BLK_T_IN);
}

static int op_blk_write(struct rig *rig)
{
	return blk_request(rig, VIRTIO_BLK_T_OUT);
}

const struct op fault_ops_blk[] = {
	OP(BLK, OWNED, "SET_BACKEND", op_blk_backend),
	IOCTL(BLK, RUNNING, VHOST_RANCHU_BLK_GET_INFO),
	IOCTL(BLK, RUNNING, VHOST_RANCHU_BLK_RESIZE, .needs_nothing = true),
	OP(BLK, RUNNING, "a read", op_blk_read, .where = FAULTS_GUEST, .needs_nothing = true),
	OP(BLK, RUNNING, "a write", op_blk_write, .where = FAULTS_GUEST, .needs_nothing = true),
	{}
};
