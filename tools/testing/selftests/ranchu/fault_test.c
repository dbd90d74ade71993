// SPDX-License-Identifier: GPL-2.0-only
/*
 * What if that fails? Every operation of every device node, again and again: first
 * the first allocation or user copy in it fails, then the second, and so on until
 * none is left. Each time the answer is an errno that says so, or success all the
 * same; nothing hangs; and the next try, without a fault, works. What is lost on the
 * way the sanitizers' host finds afterwards.
 *
 *	RANCHU_FAULTS	only operations whose names have that in them
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "faults.h"
#include "stages.h"

#define TIMEOUT		600
/* More faults than this in one operation are a loop. */
#define MAX_FAULTS	2000

/* ---- the operations: 0, or what went wrong ---- */

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

static int do_ioctl(struct rig *rig, unsigned long request, const void *arg)
{
	return __vq_ioctl(rig->fd, request, arg);
}

static int op_get_stats(struct rig *rig)
{
	uint32_t stats[64] = { sizeof(stats) };

	switch (rig->device) {
	case PIPE: return do_ioctl(rig, VHOST_GOLDFISH_PIPE_GET_STATS, stats);
	case BLK: return do_ioctl(rig, VHOST_RANCHU_BLK_GET_STATS, stats);
	default: return do_ioctl(rig, VHOST_VSOCK_ADB_GET_STATS, stats);
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

	return do_ioctl(rig, VHOST_SET_LOG_BASE, &base);
}

static int op_log_fd(struct rig *rig)
{
	return do_ioctl(rig, VHOST_SET_LOG_FD, &rig->efd);
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

	return do_ioctl(rig, rig->run, &running);
}

static int op_stop(struct rig *rig)
{
	int running = 0;

	return do_ioctl(rig, rig->run, &running);
}

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

static int op_echo(struct rig *rig)
{
	return vq_echo(rig->ring);
}

static int op_cid(struct rig *rig)
{
	uint64_t cid = VS_CID + 1;

	return do_ioctl(rig, VHOST_VSOCK_SET_GUEST_CID, &cid);
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

/* How often, a millisecond apart, one looks whether an answer has come. */
#define TURNS		10000

/* The guest wants a stream: we are told, or it is refused. */
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

/* A stream that was reset is no more; a new one is. */
static int op_vs_anew(struct rig *rig)
{
	rig_free(rig);
	rig_make(rig, VSOCK, BUSY);
	return op_attach(rig);
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

/* As much as the socket takes is in it already. */
static int op_vs_fill(struct rig *rig)
{
	static const char other[VQ_PAGE];
	int err = op_attach(rig);

	while (!err && send(rig->ends[0], other, sizeof(other), MSG_DONTWAIT) > 0)
		;
	return err;
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
 * A guest's data has to wait; it comes out behind the rest, or the stream is reset. The
 * socket is not read before it waits, or it might find room.
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

/* ---- of the pipe ---- */

static int op_line(struct rig *rig)
{
	return __pipe_set_line(&rig->pipe, rig->efd, rig->ends[0] < 0 ? -1 : rig->efd);
}

static int op_doorbell(struct rig *rig)
{
	return __pipe_set_doorbell(&rig->pipe, STAGES_PIPE_ID, rig->efd);
}

static int op_pipe_read(struct rig *rig)
{
	struct vhost_goldfish_pipe_access access = { .offset = GOLDFISH_PIPE_REG_VERSION };

	return __pipe_access(&rig->pipe, &access);
}

/* A command by ACCESS. The guest reads its answer in memory, if there is one. */
static int command(struct rig *rig, uint32_t cmd)
{
	struct vhost_goldfish_pipe_access access = {
		.offset = GOLDFISH_PIPE_REG_CMD,
		.flags = VHOST_GOLDFISH_PIPE_ACCESS_WRITE,
		.value = STAGES_PIPE_ID,
	};
	int ret;

	rig->tp.cmd->cmd = cmd;
	rig->tp.cmd->id = STAGES_PIPE_ID;
	rig->tp.cmd->status = PIPE_PRESET;
	ret = __pipe_access(&rig->pipe, &access);
	if (ret)
		return ret;
	switch (rig->tp.cmd->status) {
	case PIPE_PRESET:
	case GOLDFISH_PIPE_ERROR_IO:
	case GOLDFISH_PIPE_ERROR_INVAL:
		return -EFAULT;
	case GOLDFISH_PIPE_ERROR_NOMEM:
	case GOLDFISH_PIPE_ERROR_AGAIN:
		return -ENOMEM;
	default:
		return (int32_t)rig->tp.cmd->status < 0 ? -EPROTO : 0;
	}
}

static int op_pipe_open(struct rig *rig)
{
	struct goldfish_pipe_open_params *param;

	param = pipe_mem_hva(&rig->pipe_mem, rig->pipe.open_gpa, sizeof(*param));
	param->command_buffer = rig->tp.gpa;
	param->rw_params_max_count = PIPE_DRIVER_BUFFERS;
	return command(rig, GOLDFISH_PIPE_CMD_OPEN);
}

static int transfer(struct rig *rig, uint32_t cmd, const char *text)
{
	unsigned int i, n = text ? 1 : STAGES_PAGES;

	if (text)
		memcpy(pipe_mem_hva(&rig->pipe_mem, rig->data, 128), text, strlen(text) + 1);
	rig->tp.cmd->buffers_count = n;
	for (i = 0; i < n; i++) {
		rig->tp.ptrs[i] = rig->data + i * PIPE_PAGE;
		rig->tp.sizes[i] = text ? strlen(text) + 1 : PIPE_PAGE;
	}
	return command(rig, cmd);
}

static int connect_to(struct rig *rig, const char *name)
{
	int err = op_pipe_open(rig);

	return err ? err : transfer(rig, GOLDFISH_PIPE_CMD_WRITE, name);
}

static int op_zero(struct rig *rig)
{
	return connect_to(rig, "pipe:zero");
}

static int op_pingpong(struct rig *rig)
{
	return connect_to(rig, "pipe:pingpong");
}

static int op_throttle(struct rig *rig)
{
	return connect_to(rig, "pipe:throttle");
}

static int op_pipe_write(struct rig *rig)
{
	return transfer(rig, GOLDFISH_PIPE_CMD_WRITE, NULL);
}

/* In so many pieces that the device has to make room for them; else it does less. */
static int op_pipe_pieces(struct rig *rig)
{
	unsigned int i, n = rig->tp.max;

	rig->tp.cmd->buffers_count = n;
	for (i = 0; i < n; i++) {
		rig->tp.ptrs[i] = rig->data + i * 64;
		rig->tp.sizes[i] = 64;
	}
	return command(rig, GOLDFISH_PIPE_CMD_WRITE);
}

static int op_pipe_call(struct rig *rig)
{
	uint32_t read_index = 1;

	memcpy((uint8_t *)rig->tp.cmd + GOLDFISH_PIPE_READ_INDEX_OFFSET(rig->tp.max),
	       &read_index, sizeof(read_index));
	return transfer(rig, GOLDFISH_PIPE_CMD_CALL, NULL);
}

static int op_pipe_poll(struct rig *rig)
{
	return command(rig, GOLDFISH_PIPE_CMD_POLL);
}

static int op_wake_on(struct rig *rig)
{
	return command(rig, GOLDFISH_PIPE_CMD_WAKE_ON_READ);
}

static int dma_command(struct rig *rig, uint32_t cmd, uint64_t gpa)
{
	struct goldfish_pipe_dma dma = { .paddr = gpa, .size = PIPE_PAGE };

	memcpy((uint8_t *)rig->tp.cmd + GOLDFISH_PIPE_DMA_OFFSET, &dma, sizeof(dma));
	return command(rig, cmd);
}

static int op_dma_map(struct rig *rig)
{
	return dma_command(rig, GOLDFISH_PIPE_CMD_DMA_MAPHOST, rig->data + PIPE_PAGE);
}

static int op_dma_map_undo(struct rig *rig)
{
	return dma_command(rig, GOLDFISH_PIPE_CMD_DMA_UNMAPHOST, rig->data + PIPE_PAGE);
}

static int op_dma_unmap(struct rig *rig)
{
	return dma_command(rig, GOLDFISH_PIPE_CMD_DMA_UNMAPHOST, rig->data);
}

static int op_dma_unmap_undo(struct rig *rig)
{
	return dma_command(rig, GOLDFISH_PIPE_CMD_DMA_MAPHOST, rig->data);
}

/* Connects, maps a region and has its words added up. */
static int op_dmatest(struct rig *rig)
{
	struct goldfish_pipe_dma dma = { .paddr = rig->data, .size = PIPE_PAGE };
	int err = connect_to(rig, "pipe:dmatest");

	if (!err)
		err = op_dma_unmap_undo(rig);
	if (err)
		return err;
	memcpy(pipe_mem_hva(&rig->pipe_mem, rig->data + PIPE_PAGE, sizeof(dma)), &dma,
	       sizeof(dma));
	rig->tp.cmd->buffers_count = 1;
	rig->tp.ptrs[0] = rig->data + PIPE_PAGE;
	rig->tp.sizes[0] = sizeof(dma);
	return command(rig, GOLDFISH_PIPE_CMD_WRITE);
}

static int op_pipe_close(struct rig *rig)
{
	return command(rig, GOLDFISH_PIPE_CMD_CLOSE);
}

static int op_hang_up(struct rig *rig)
{
	return __pipe_hang_up(&rig->pipe, STAGES_PIPE_ID);
}

static int op_services(struct rig *rig)
{
	rig->services = __services_open(&rig->pipe);
	return rig->services < 0 ? rig->services : 0;
}

static int op_add_service(struct rig *rig)
{
	return __services_add(rig->services, "other");
}

static int op_remote(struct rig *rig)
{
	return connect_to(rig, "pipe:svc:args");
}

static int op_event(struct rig *rig)
{
	struct vhost_goldfish_pipe_event event;

	return read(rig->services, &event, sizeof(event)) < 0 ? -errno : 0;
}

static int op_take_event(struct rig *rig)
{
	rig_pipe_event(rig);
	return 0;
}

static int op_answer(struct rig *rig)
{
	return __services_answer(rig->services, rig->open, rig->ends[0]);
}

static int op_answered(struct rig *rig)
{
	rig_pipe_event(rig);
	return op_answer(rig);
}

static int op_ring(struct rig *rig)
{
	return __rig_pipe_ring(rig);
}

static int op_answered_ring(struct rig *rig)
{
	rig_pipe_event(rig);
	return op_ring(rig);
}

static int op_ring_kick(struct rig *rig)
{
	return __vq_ioctl(rig->file, VHOST_GOLDFISH_PIPE_RING_KICK, NULL);
}

/* What a service maps, it looks at. */
static int op_map_file(struct rig *rig)
{
	/* Far from all else, where there is no page table yet. */
	void *where = (void *)(1ul << 40);
	volatile uint8_t *at = mmap(where, PIPE_PAGE, PROT_READ | PROT_WRITE,
				    MAP_SHARED | MAP_FIXED_NOREPLACE, rig->file, 0);

	if (at == MAP_FAILED)
		return -errno;
	at[0] = at[PIPE_PAGE - 1];
	munmap((void *)at, PIPE_PAGE);
	return 0;
}

static int op_get_dma(struct rig *rig)
{
	struct vhost_goldfish_pipe_dma dma;
	int err = __services_get_dma(rig->services, rig->open, rig->data, &dma);

	if (!err)
		rig->file = dma.fd;
	return err;
}

static int op_got_dma(struct rig *rig)
{
	rig_pipe_event(rig);
	return op_get_dma(rig);
}

static int op_unlock_dma(struct rig *rig)
{
	return __services_unlock_dma(rig->services, rig->open);
}

/**
 * struct op - an operation
 * @devices: what has it
 * @stage: how far these must have come
 * @name: for the report
 * @fn: does it; NULL: @request with zeroes for an argument does
 * @request: an ioctl
 * @want: what it answers if nothing fails
 * @before: comes first, and nothing in it fails; may be NULL
 * @undo: makes a second try possible, where the first may have gone half way; or
 *	NULL
 * @where: what fails
 * @needs_nothing: nothing in it can fail
 */
struct op {
	unsigned int devices;
	enum stage stage;
	const char *name;
	int (*fn)(struct rig *rig);
	unsigned long request;
	int want;
	int (*before)(struct rig *rig);
	int (*undo)(struct rig *rig);
	enum faults_where where;
	bool needs_nothing;
};

#define OP(_devices, _stage, _name, _fn, ...) {			\
	.devices = _devices, .stage = _stage, .name = _name, .fn = _fn, ##__VA_ARGS__ }

/* An ioctl that means something with zeroes. */
#define IOCTL(_devices, _stage, _request, ...) \
	OP(_devices, _stage, #_request, NULL, .request = _request, ##__VA_ARGS__)

static const struct op ops[] = {
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

	IOCTL(VQ, OWNED, VHOST_RANCHU_TEST_SET_MODE),
	IOCTL(VQ, OPENED, VHOST_RANCHU_TEST_GET_STATS),
	OP(VQ, RUNNING, "a chain", op_echo, .where = FAULTS_GUEST, .needs_nothing = true),

	OP(BLK, OWNED, "SET_BACKEND", op_blk_backend),
	IOCTL(BLK, RUNNING, VHOST_RANCHU_BLK_GET_INFO),
	IOCTL(BLK, RUNNING, VHOST_RANCHU_BLK_RESIZE, .needs_nothing = true),
	OP(BLK, RUNNING, "a read", op_blk_read, .where = FAULTS_GUEST, .needs_nothing = true),
	OP(BLK, RUNNING, "a write", op_blk_write, .where = FAULTS_GUEST, .needs_nothing = true),

	OP(VSOCK, OWNED, "SET_GUEST_CID", op_cid),
	OP(VSOCK, RUNNING, "CONNECT", op_connect),
	OP(VSOCK, BUSY, "read of an event", op_vs_read),
	OP(VSOCK, BUSY, "ATTACH", op_attach),
	IOCTL(VSOCK, BUSY, VHOST_VSOCK_ADB_RESET_TRANSPORT, .needs_nothing = true),
	OP(VSOCK, RUNNING, "a guest's request", op_vs_ask, .where = FAULTS_GUEST),
	OP(VSOCK, BUSY, "a guest's data", op_vs_data, .where = FAULTS_GUEST,
	   .before = op_attach, .undo = op_vs_anew),
	OP(VSOCK, BUSY, "a guest's bulk", op_vs_bulk, .where = FAULTS_GUEST,
	   .before = op_attach, .undo = op_vs_anew),
	OP(VSOCK, BUSY, "a guest's data, waiting", op_vs_wait, .where = FAULTS_GUEST,
	   .before = op_vs_fill, .undo = op_vs_fill_anew),

	IOCTL(PIPE, OWNED, VHOST_GOLDFISH_PIPE_SET_WINDOW),
	OP(PIPE, OWNED, "SET_LINE", op_line),
	OP(PIPE, RUNNING, "SET_DOORBELL", op_doorbell),
	OP(PIPE, RUNNING, "ACCESS", op_pipe_read),
	OP(PIPE, RUNNING, "OPEN", op_pipe_open, .undo = op_pipe_close),
	OP(PIPE, RUNNING, "OPEN, zero", op_zero, .undo = op_pipe_close),
	OP(PIPE, RUNNING, "OPEN, pingpong", op_pingpong, .undo = op_pipe_close),
	OP(PIPE, RUNNING, "OPEN, throttle", op_throttle, .undo = op_pipe_close),
	OP(PIPE, BUSY, "WRITE", op_pipe_write),
	OP(PIPE, BUSY, "WRITE, in pieces", op_pipe_pieces),
	OP(PIPE, BUSY, "CALL", op_pipe_call),
	OP(PIPE, BUSY, "POLL", op_pipe_poll),
	OP(PIPE, BUSY, "WAKE_ON", op_wake_on),
	OP(PIPE, BUSY, "CLOSE", op_pipe_close),
	OP(PIPE, BUSY, "HANG_UP", op_hang_up),
	OP(PIPE, RUNNING, "OPEN, DMA", op_dmatest, .undo = op_pipe_close),
	OP(PIPE, RUNNING, "SERVICES", op_services),
	OP(PIPE, ASKED, "ADD_SERVICE", op_add_service),
	OP(PIPE, ASKED, "OPEN, a service's", op_remote,
	   .before = op_pipe_close, .undo = op_pipe_close),
	OP(PIPE, ASKED, "read of an event", op_event),
	OP(PIPE, ASKED, "ANSWER", op_answer, .before = op_take_event),
	OP(PIPE, ASKED, "WRITE, socket", op_pipe_write, .before = op_answered),
	OP(PIPE, ASKED, "ANSWER_RING", op_ring, .before = op_take_event),
	OP(PIPE, ASKED, "WRITE, rings", op_pipe_write, .before = op_answered_ring),
	OP(PIPE, ASKED, "mmap of rings", op_map_file, .before = op_answered_ring),
	OP(PIPE, ASKED, "RING_KICK", op_ring_kick, .before = op_answered_ring,
	   .needs_nothing = true),
	OP(PIPE, ASKED, "DMA_MAPHOST", op_dma_map, .undo = op_dma_map_undo),
	OP(PIPE, ASKED, "DMA_UNMAPHOST", op_dma_unmap, .undo = op_dma_unmap_undo),
	OP(PIPE, ASKED, "GET_DMA", op_get_dma, .before = op_take_event),
	OP(PIPE, ASKED, "mmap of DMA", op_map_file, .before = op_got_dma),
	OP(PIPE, ASKED, "UNLOCK_DMA", op_unlock_dma, .before = op_take_event),
};

static int run(const struct op *op, struct rig *rig)
{
	uint64_t zeroes[16] = {};

	return op->fn ? op->fn(rig) : do_ioctl(rig, op->request, zeroes);
}

static bool is_clean(int ret)
{
	return ret == -ENOMEM || ret == -EFAULT || ret == -EIO || ret == -ENOBUFS;
}

/*
 * As the device sees guest memory: a page table that cannot be had is to it memory
 * that cannot be read, so a lie of the guest's.
 */
static void populate(struct vq_mem *mem)
{
	unsigned int i;

	for (i = 0; i < VQ_MEM_VIEWS; i++)
		if (madvise(mem->host[i], mem->size, MADV_POPULATE_WRITE))
			vq_die("madvise: %s", strerror(errno));
}

/* With fault @n: whether there was one. Says what is wrong. */
static bool try_fault(const struct op *op, unsigned int device, unsigned int n,
		      unsigned int *refused, bool *wrong)
{
	struct rig rig;
	bool failed;
	int ret;

	rig_make(&rig, device, op->stage);
	if (op->before)
		op->before(&rig);
	if (op->where == FAULTS_GUEST)
		populate(rig.ring->mem);
	faults_arm(op->where, n);
	ret = run(op, &rig);
	failed = faults_disarm(op->where);
	if (ret != op->want) {
		if (!failed || !is_clean(ret)) {
			printf("# %s, fault %u: %s\n", op->name, n, strerror(-ret));
			*wrong = true;
		}
		(*refused)++;
		if (op->undo)
			op->undo(&rig);
		ret = run(op, &rig);
		if (ret != op->want) {
			printf("# %s, after fault %u: %s\n", op->name, n, strerror(-ret));
			*wrong = true;
		}
	}
	rig_free(&rig);
	return failed;
}

FIXTURE(fault)
{
};

FIXTURE_VARIANT(fault)
{
	unsigned int device;
};

FIXTURE_VARIANT_ADD(fault, pipe) { .device = PIPE };
FIXTURE_VARIANT_ADD(fault, vq) { .device = VQ };
FIXTURE_VARIANT_ADD(fault, blk) { .device = BLK };
FIXTURE_VARIANT_ADD(fault, vsock) { .device = VSOCK };

FIXTURE_SETUP(fault)
{
	const char *missing = faults_missing();

	if (access(rig_path(variant->device), R_OK | W_OK))
		SKIP(return, "no usable %s", rig_path(variant->device));
	if (missing)
		SKIP(return, "%s", missing);
}

FIXTURE_TEARDOWN(fault)
{
}

TEST_F_TIMEOUT(fault, each_fails_in_turn, TIMEOUT)
{
	const char *only = getenv("RANCHU_FAULTS");
	const struct op *op;
	unsigned int n, refused;
	bool wrong = false;

	for (op = ops; op < ops + ARRAY_SIZE(ops); op++) {
		if (!(op->devices & variant->device) || (only && !strstr(op->name, only)))
			continue;
		refused = 0;
		printf("# %s: ", op->name);
		fflush(stdout);
		for (n = 1; try_fault(op, variant->device, n, &refused, &wrong); n++)
			ASSERT_GT(MAX_FAULTS, n);
		printf("%u faults, %u refused\n", n - 1, refused);
		fflush(stdout);
		if (!op->needs_nothing)
			EXPECT_LT(1, n);
	}
	EXPECT_FALSE(wrong);
}

TEST_HARNESS_MAIN
