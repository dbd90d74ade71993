// SPDX-License-Identifier: GPL-2.0-only
#include "fault_ops.h"

static int op_echo(struct rig *rig)
{
	return vq_echo(rig->ring);
}

const struct op fault_ops_vq[] = {
	IOCTL(VQ, OWNED, VHOST_RANCHU_TEST_SET_MODE),
	IOCTL(VQ, OPENED, VHOST_RANCHU_TEST_GET_STATS),
	OP(VQ, RUNNING, "a chain", op_echo, .where = FAULTS_GUEST, .needs_nothing = true),
	{}
};
