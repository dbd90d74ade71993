// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sync device, its guest and its renderer. See sync_dev.h.
 */
#define _GNU_SOURCE
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "sync_dev.h"

int __sync_open(struct sync_guest *sync)
{
	struct {
		struct vhost_memory head;
		struct vhost_memory_region region;
	} table = { .head.nregions = 1 };

	*sync = (struct sync_guest){ .fd = open(SYNC_DEV_PATH, O_RDWR | O_CLOEXEC) };
	if (sync->fd < 0)
		return -errno;
	pipe_mem_create(&sync->mem, RANCHU_RAM_BASE, SYNC_MEM_SIZE);
	table.region = (struct vhost_memory_region){
		.guest_phys_addr = sync->mem.gpa,
		.memory_size = sync->mem.size,
		.userspace_addr = (uintptr_t)sync->mem.hva,
	};
	if (__pipe_ioctl(sync->fd, VHOST_SET_OWNER, NULL) ||
	    __pipe_ioctl(sync->fd, VHOST_SET_MEM_TABLE, &table))
		pipe_die("sync: no owner");
	sync->host_gpa = pipe_mem_alloc(&sync->mem, sizeof(*sync->host), 8);
	sync->host = pipe_mem_hva(&sync->mem, sync->host_gpa, sizeof(*sync->host));
	sync->guest_gpa = pipe_mem_alloc(&sync->mem, sizeof(*sync->guest), 8);
	sync->guest = pipe_mem_hva(&sync->mem, sync->guest_gpa, sizeof(*sync->guest));
	return 0;
}

void sync_handshake(struct sync_guest *sync)
{
	sync_reg_write(sync, GOLDFISH_SYNC_REG_BATCH_COMMAND_ADDR, sync->host_gpa);
	sync_reg_write(sync, GOLDFISH_SYNC_REG_BATCH_COMMAND_ADDR_HIGH, sync->host_gpa >> 32);
	sync_reg_write(sync, GOLDFISH_SYNC_REG_BATCH_GUESTCOMMAND_ADDR, sync->guest_gpa);
	sync_reg_write(sync, GOLDFISH_SYNC_REG_BATCH_GUESTCOMMAND_ADDR_HIGH,
		       sync->guest_gpa >> 32);
	sync_reg_write(sync, GOLDFISH_SYNC_REG_INIT, 0);
}

int __sync_start(struct sync_guest *sync)
{
	int err = __sync_open(sync);

	if (!err)
		sync_handshake(sync);
	return err;
}

void sync_stop(struct sync_guest *sync)
{
	if (sync->fd >= 0)
		close(sync->fd);
	sync->fd = -1;
	pipe_mem_destroy(&sync->mem);
}

int __sync_access(int fd, uint32_t offset, uint32_t flags, uint32_t *value)
{
	struct vhost_goldfish_sync_access access = {
		.offset = offset, .flags = flags, .value = *value,
	};
	int err = __pipe_ioctl(fd, VHOST_GOLDFISH_SYNC_ACCESS, &access);

	*value = access.value;
	return err ? err : (int)access.flags;
}

void sync_reg_write(struct sync_guest *sync, uint32_t offset, uint32_t value)
{
	int err = __sync_access(sync->fd, offset, VHOST_GOLDFISH_SYNC_ACCESS_WRITE, &value);

	if (err < 0)
		pipe_die("write of register 0x%x: %s", offset, strerror(-err));
}

uint32_t sync_reg_read(struct sync_guest *sync, uint32_t offset)
{
	uint32_t value = 0;
	int err = __sync_access(sync->fd, offset, 0, &value);

	if (err < 0)
		pipe_die("read of register 0x%x: %s", offset, strerror(-err));
	return value;
}

bool sync_line(struct sync_guest *sync)
{
	uint32_t value = 0;
	int flags = __sync_access(sync->fd, GOLDFISH_SYNC_REG_INIT, 0, &value);

	if (flags < 0)
		pipe_die("read of the line: %s", strerror(-flags));
	return flags & VHOST_GOLDFISH_SYNC_ACCESS_LINE;
}

void sync_ask(struct sync_guest *sync, uint64_t glsync, uint64_t thread, uint64_t timeline)
{
	*sync->guest = (struct goldfish_sync_guestcmd){
		.host_command = htole64(GOLDFISH_SYNC_CMD_TRIGGER_HOST_WAIT),
		.glsync_handle = htole64(glsync),
		.thread_handle = htole64(thread),
		.guest_timeline_handle = htole64(timeline),
	};
}

void sync_trigger(struct sync_guest *sync, uint64_t glsync, uint64_t thread,
		  uint64_t timeline)
{
	sync_ask(sync, glsync, thread, timeline);
	sync_reg_write(sync, GOLDFISH_SYNC_REG_BATCH_GUESTCOMMAND, 0);
}

uint32_t sync_next(struct sync_guest *sync)
{
	memset(sync->host, 0xee, sizeof(*sync->host));
	if (sync_reg_read(sync, GOLDFISH_SYNC_REG_BATCH_COMMAND))
		pipe_die("BATCH_COMMAND does not read as 0");
	return le32toh(sync->host->cmd);
}

void sync_expect(struct sync_guest *sync, uint32_t cmd, uint64_t handle, uint32_t value)
{
	if (sync_next(sync) != cmd || le64toh(sync->host->handle) != handle ||
	    le32toh(sync->host->time_arg) != value)
		pipe_die("command %u of 0x%llx with %u instead of %u of 0x%llx with %u",
			 le32toh(sync->host->cmd),
			 (unsigned long long)le64toh(sync->host->handle),
			 le32toh(sync->host->time_arg), cmd, (unsigned long long)handle, value);
}

void sync_reply(struct sync_guest *sync, uint64_t handle)
{
	sync->host->handle = htole64(handle);
	sync->host->time_arg = 0;
	sync_reg_write(sync, GOLDFISH_SYNC_REG_BATCH_COMMAND, 0);
}

int __sync_renderer(struct sync_guest *sync)
{
	return __pipe_ioctl(sync->fd, VHOST_GOLDFISH_SYNC_RENDERER, NULL);
}

int sync_renderer(struct sync_guest *sync)
{
	int fd = __sync_renderer(sync);

	if (fd < 0)
		pipe_die("RENDERER: %s", strerror(-fd));
	return fd;
}

int __sync_command(int renderer, uint32_t cmd, uint32_t value, uint64_t *id)
{
	struct vhost_goldfish_sync_command command = { .cmd = cmd, .value = value, .id = *id };
	int err = __pipe_ioctl(renderer, VHOST_GOLDFISH_SYNC_COMMAND, &command);

	*id = command.id;
	return err;
}

uint64_t sync_make_timeline(struct sync_guest *sync, int renderer, uint64_t handle)
{
	uint64_t id = 0;
	int err = __sync_command(renderer, GOLDFISH_SYNC_CMD_CREATE_TIMELINE, 0, &id);

	if (err)
		pipe_die("CREATE_TIMELINE: %s", strerror(-err));
	sync_expect(sync, GOLDFISH_SYNC_CMD_CREATE_TIMELINE, 0, 0);
	sync_reply(sync, handle);
	if (sync_event(renderer).id != id)
		pipe_die("no event TIMELINE");
	return id;
}

uint64_t sync_make_fence(struct sync_guest *sync, int renderer, uint64_t timeline,
			 uint32_t value)
{
	uint64_t id = timeline;
	int err = __sync_command(renderer, GOLDFISH_SYNC_CMD_CREATE_FENCE, value, &id);

	if (err)
		pipe_die("CREATE_FENCE: %s", strerror(-err));
	if (sync_next(sync) != GOLDFISH_SYNC_CMD_CREATE_FENCE)
		pipe_die("no command CREATE_FENCE");
	sync_reply(sync, SYNC_GUEST_FD);
	if (sync_event(renderer).id != id)
		pipe_die("no event FENCE");
	return id;
}

bool sync_has_event(int renderer)
{
	struct pollfd event = { .fd = renderer, .events = POLLIN };

	return poll(&event, 1, 0) == 1;
}

struct vhost_goldfish_sync_event sync_event(int renderer)
{
	struct vhost_goldfish_sync_event event;

	if (!sync_has_event(renderer))
		pipe_die("there is no event");
	if (read(renderer, &event, sizeof(event)) != sizeof(event))
		pipe_die("no event: %s", strerror(errno));
	return event;
}

int __sync_set_line(int fd, int call_fd, int resample_fd)
{
	struct vhost_goldfish_sync_line line = {
		.call_fd = call_fd, .resample_fd = resample_fd,
	};

	return __pipe_ioctl(fd, VHOST_GOLDFISH_SYNC_SET_LINE, &line);
}

int __sync_set_doorbell(int fd, uint32_t offset, int efd)
{
	struct vhost_goldfish_sync_doorbell doorbell = { .offset = offset, .fd = efd };

	return __pipe_ioctl(fd, VHOST_GOLDFISH_SYNC_SET_DOORBELL, &doorbell);
}

int __sync_run(int fd, int running)
{
	return __pipe_ioctl(fd, VHOST_GOLDFISH_SYNC_SET_RUNNING, &running);
}

struct vhost_goldfish_sync_stats sync_stats(struct sync_guest *sync)
{
	struct vhost_goldfish_sync_stats stats = { .size = sizeof(stats) };
	int err = __pipe_ioctl(sync->fd, VHOST_GOLDFISH_SYNC_GET_STATS, &stats);

	if (err)
		pipe_die("GET_STATS: %s", strerror(-err));
	return stats;
}
