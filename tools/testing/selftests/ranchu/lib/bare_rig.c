// SPDX-License-Identifier: GPL-2.0-only
/*
 * Puts a bare machine and a device together.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bare_rig.h"

#define RIG_MEM_SIZE		(8u << 20)

const char *bare_rig_missing(bool doorbell)
{
	struct pipe_dev dev;
	uint64_t features = 0;
	int ret;

	if (access("/dev/kvm", R_OK | W_OK))
		return "no usable /dev/kvm";
	if (__pipe_dev_open(&dev, NULL))
		return "no usable " PIPE_DEV_PATH;
	ret = __pipe_ioctl(dev.fd, VHOST_GET_BACKEND_FEATURES, &features);
	pipe_dev_close(&dev);
	if (ret)
		pipe_die("VHOST_GET_BACKEND_FEATURES: %s", strerror(-ret));
	if (doorbell && !(features & 1ull << VHOST_GOLDFISH_PIPE_F_DOORBELL))
		return "this kernel has no synchronous doorbell";
	return NULL;
}

void bare_rig_open_pipe(struct bare_rig *rig, const char *service)
{
	pipe_dev_start(&rig->dev, &rig->mem);
	pipe_handshake(&rig->dev);
	pipe_connect(&rig->dev, &rig->pipe, RIG_PIPE_ID, service);
}

void bare_rig_start_quiet(struct bare_rig *rig, const char *service,
			  unsigned int nr_vcpus)
{
	memset(rig, 0, sizeof(*rig));
	rig->efd = -1;
	pipe_mem_create(&rig->mem, RANCHU_RAM_BASE, RIG_MEM_SIZE);
	bare_vm_create(&rig->vm, &rig->mem, nr_vcpus);
	rig->data_gpa = pipe_mem_alloc(&rig->mem, RIG_DATA_SIZE, PIPE_PAGE);
	bare_rig_open_pipe(rig, service);
}

void bare_rig_start(struct bare_rig *rig, const char *service,
		    unsigned int nr_vcpus)
{
	bare_rig_start_quiet(rig, service, nr_vcpus);
	rig->efd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (rig->efd < 0)
		pipe_die("no eventfd: %s", strerror(errno));
	pipe_set_doorbell(&rig->dev, RIG_PIPE_ID, rig->efd);
	bare_ioeventfd(&rig->vm, RANCHU_PIPE_BASE + GOLDFISH_PIPE_REG_CMD,
		       RIG_PIPE_ID, rig->efd);
}

void bare_rig_stop(struct bare_rig *rig)
{
	if (rig->dev.fd >= 0)
		pipe_dev_close(&rig->dev);
	if (rig->efd >= 0)
		close(rig->efd);
	bare_vm_destroy(&rig->vm);
	pipe_mem_destroy(&rig->mem);
}

void bare_rig_command(struct bare_rig *rig, struct bare_vcpu *vcpu,
		      uint32_t cmd, uint32_t expect, uint32_t count)
{
	struct test_pipe *pipe = &rig->pipe;

	pipe->cmd->cmd = cmd;
	*vcpu->job = (struct bare_job){
		.count = count,
		.reg = RANCHU_PIPE_BASE + GOLDFISH_PIPE_REG_CMD,
		.value = pipe->id,
		.status = pipe->gpa +
			  offsetof(struct goldfish_pipe_command, status),
		.size = pipe->gpa + GOLDFISH_PIPE_SIZES_OFFSET(pipe->max),
		.expect = expect,
		.preset = PIPE_PRESET,
		.exit = BARE_EXIT_GPA,
	};
}

void bare_rig_transfer(struct bare_rig *rig, struct bare_vcpu *vcpu,
		       uint32_t cmd, uint32_t max, uint32_t count)
{
	bare_rig_command(rig, vcpu, cmd, 0, count);
	vcpu->job->flags = BARE_VARY;
	vcpu->job->size_mask = max - 1;
	rig->pipe.cmd->buffers_count = 1;
	rig->pipe.ptrs[0] = rig->data_gpa;
	rig->pipe.sizes[0] = 1;
}
