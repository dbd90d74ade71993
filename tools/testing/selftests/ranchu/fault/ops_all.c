// SPDX-License-Identifier: GPL-2.0-only
/* What every device node has, or every one with virtqueues. */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sys/mman.h>

#include "fault_ops.h"

static int op_open(struct rig *rig)
{
	rig->fd = open(rig_path(rig->device), O_RDWR | O_CLOEXEC);
	return rig->fd < 0 ? -errno : 0;
}

static int op_mmap(struct rig *rig)
{
	void *at = mmap(NULL, VQ_PAGE, PROT_READ, MAP_SHARED, rig->fd, 0);

	return at == MAP_FAILED ? -errno : 0;
}

static int op_get_stats(struct rig *rig)
{
	uint32_t stats[64] = { sizeof(stats) };

	switch (rig->device) {
	case PIPE: return __vq_ioctl(rig->fd, VHOST_GOLDFISH_PIPE_GET_STATS, stats);
	case BLK: return __vq_ioctl(rig->fd, VHOST_RANCHU_BLK_GET_STATS, stats);
	default: return __vq_ioctl(rig->fd, VHOST_VSOCK_ADB_GET_STATS, stats);
	}
}

static int op_mem_table(struct rig *rig)
{
	if (rig->device == PIPE)
		return __pipe_set_mem_table(&rig->pipe, &rig->pipe_mem, 1);
	return __vq_mem_tell(rig->fd, rig->ring->mem, 5, 1);
}

static int op_log_base(struct rig *rig)
{
	uint64_t base = vq_mem_host(rig->ring->mem, VQ_MEM_GPA);

	return __vq_ioctl(rig->fd, VHOST_SET_LOG_BASE, &base);
}

static int op_log_fd(struct rig *rig)
{
	return __vq_ioctl(rig->fd, VHOST_SET_LOG_FD, &rig->efd);
}

static int op_num(struct rig *rig)
{
	return __vq_set_state(rig->fd, VHOST_SET_VRING_NUM, 0, STAGES_NUM);
}

static int op_addr(struct rig *rig)
{
	return __vq_set_addr(rig->fd, 0, rig->ring, 0, 0);
}

static int op_kick(struct rig *rig)
{
	return __vq_set_file(rig->fd, VHOST_SET_VRING_KICK, 0, rig->efd);
}

static int op_call(struct rig *rig)
{
	return __vq_set_file(rig->fd, VHOST_SET_VRING_CALL, 0, rig->efd);
}

static int op_err(struct rig *rig)
{
	return __vq_set_file(rig->fd, VHOST_SET_VRING_ERR, 0, rig->efd);
}

static int op_start(struct rig *rig)
{
	int running = 1;

	return __vq_ioctl(rig->fd, rig->run, &running);
}

static int op_stop(struct rig *rig)
{
	int running = 0;

	return __vq_ioctl(rig->fd, rig->run, &running);
}

const struct op fault_ops_all[] = {
	OP(ALL, CLOSED, "open", op_open),
	OP(ALL, RUNNING, "mmap", op_mmap, .want = -ENODEV, .needs_nothing = true),
	IOCTL(ALL & ~BLK, OPENED, VHOST_SET_OWNER),
	IOCTL(BLK, OPENED, VHOST_SET_OWNER, .needs_nothing = true),
	IOCTL(ALL, RUNNING, VHOST_RESET_OWNER, .needs_nothing = true),
	IOCTL(ALL, OPENED, VHOST_GET_FEATURES),
	IOCTL(ALL, OWNED, VHOST_SET_FEATURES),
	IOCTL(ALL, OPENED, VHOST_GET_BACKEND_FEATURES),
	IOCTL(VHOST, OWNED, VHOST_SET_BACKEND_FEATURES),
	OP(ALL, OWNED, "SET_MEM_TABLE", op_mem_table),
	OP(VHOST, RUNNING, "SET_MEM_TABLE, running", op_mem_table),
	OP(VHOST, OWNED, "SET_LOG_BASE", op_log_base),
	OP(VHOST, OWNED, "SET_LOG_FD", op_log_fd),
	OP(VHOST, OWNED, "SET_VRING_NUM", op_num),
	OP(VHOST, OWNED, "SET_VRING_ADDR", op_addr),
	IOCTL(VHOST, OWNED, VHOST_SET_VRING_BASE),
	IOCTL(VHOST, RUNNING, VHOST_GET_VRING_BASE),
	OP(VHOST, OWNED, "SET_VRING_KICK", op_kick),
	OP(VHOST, RUNNING, "SET_VRING_KICK, running", op_kick),
	OP(VHOST, RUNNING, "SET_VRING_CALL", op_call),
	OP(VHOST, RUNNING, "SET_VRING_ERR", op_err),
	IOCTL(VHOST, OWNED, VHOST_SET_VRING_BUSYLOOP_TIMEOUT),
	IOCTL(VHOST, OWNED, VHOST_GET_VRING_BUSYLOOP_TIMEOUT),
	OP(VHOST, OWNED, "SET_RUNNING 1", op_start),
	OP(VHOST, RUNNING, "SET_RUNNING 0", op_stop),
	OP(PIPE | BLK | VSOCK, OPENED, "GET_STATS", op_get_stats),
	{}
};
