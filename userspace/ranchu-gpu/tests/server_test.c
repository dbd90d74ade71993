// SPDX-License-Identifier: GPL-2.0-only
/*
 * ranchu-gpu, the program itself, in its sandbox, between a front end and a guest of the
 * test's own: the vhost-user protocol, queues, and what is told of screens.
 *
 *	RANCHU_GPU=PROGRAM server_test
 */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/vhost_types.h>
#include <linux/virtio_config.h>
#include <linux/virtio_ring.h>

#include "backends/vhost_user.h"
#include "gpu.h"
#include "host/edid.h"
#include "machine/machine.h"
#include "tests/tap.h"

#define RAM_BASE	0x40000000ULL
#define RAM_SIZE	(4 * MIB)
#define USER_BASE	0x7f0000000000ULL	/* where a front end could have it mapped */
#define NUM		16
#define QUEUE_STEP	0x4000			/* from one queue to the next */
#define BUFFERS		0x10000			/* of requests and their answers */
#define PIXELS		0x100000		/* of the guest */
#define W		300
#define H		200

static u8 *ram;
static int ram_fd;
static int sock = -1;
static int screen_sock = -1;
static pid_t pid;
static struct vmm_vu_channel channel;

/**
 * struct queue - the driver's end of a queue
 * @kick_fd: signalled for the device
 * @call_fd: signalled by it
 * @made: requests made available
 * @seen: and given back
 */
static struct queue {
	int kick_fd;
	int call_fd;
	u16 made;
	u16 seen;
} queue[2];

/* ---- the program ---- */

static void program_start(void)
{
	const char *program = getenv("RANCHU_GPU");
	char number[16];
	int pair[2];

	tap_check(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	pid = fork();
	if (!pid) {
		close(pair[0]);
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		snprintf(number, sizeof(number), "%d", pair[1]);
		execl(program, program, "--fd", number, "--memory", "16", NULL);
		_exit(99);
	}
	close(pair[1]);
	sock = pair[0];
	vmm_vu_channel_open(&channel, sock);
}

/* How it has ended, when its connection has. */
static int program_end(void)
{
	int status = -1;

	close(sock);
	sock = -1;
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- the front end ---- */

static void say(u32 request, const void *data, u32 size, u32 flags, const int *fds, unsigned int n)
{
	struct vmm_vu_message msg = { .request = request, .flags = flags, .size = size };

	if (size)
		memcpy(msg.payload, data, size);
	tap_equal(vmm_vu_send(sock, &msg, fds, n), 0);
}

/* Waits for the answer; false if there will be none. */
static bool hear(u32 request)
{
	struct pollfd fd = { .fd = sock, .events = POLLIN };
	int err = -EAGAIN;

	while (err == -EAGAIN && poll(&fd, 1, 20000) == 1)
		err = vmm_vu_receive(&channel);
	return !err && channel.msg.request == request;
}

static u64 ask(u32 request, const void *data, u32 size)
{
	u64 value = ~0ULL;

	say(request, data, size, 0, NULL, 0);
	if (tap_check(hear(request)) && channel.msg.size == sizeof(value))
		memcpy(&value, channel.msg.payload, sizeof(value));
	return value;
}

/* Says something and has it confirmed; 0 if it was done. */
static u64 tell(u32 request, const void *data, u32 size, const int *fds, unsigned int n)
{
	u64 value = ~0ULL;

	say(request, data, size, VU_NEED_REPLY, fds, n);
	if (tap_check(hear(request)) && channel.msg.size == sizeof(value))
		memcpy(&value, channel.msg.payload, sizeof(value));
	return value;
}

static u64 tell_u64(u32 request, u64 value)
{
	return tell(request, &value, sizeof(value), NULL, 0);
}

static u64 tell_state(u32 request, u32 index, u32 num)
{
	struct vhost_vring_state state = { index, num };

	return tell(request, &state, sizeof(state), NULL, 0);
}

static u64 tell_file(u32 request, u64 index, int fd)
{
	return tell(request, &index, sizeof(index), &fd, 1);
}

static void screen_open(void)
{
	int pair[2];

	tap_check(!socketpair(AF_UNIX, SOCK_STREAM, 0, pair));
	say(VU_GPU_SET_SOCKET, NULL, 0, 0, &pair[1], 1);
	close(pair[1]);
	screen_sock = pair[0];
}

/* ---- what it tells of screens ---- */

static struct vmm_gpu_head screen_head;
static u8 screen_body[1024 * 1024];
static int screen_fd = -1;

static bool screen_read(void *to, size_t len)
{
	struct pollfd fd = { .fd = screen_sock, .events = POLLIN };
	union {
		struct cmsghdr head;
		u8 room[CMSG_SPACE(sizeof(int))];
	} control;
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		struct iovec iov = { (u8 *)to + done, len - done };
		struct msghdr msg = {
			.msg_iov = &iov, .msg_iovlen = 1,
			.msg_control = &control, .msg_controllen = sizeof(control),
		};

		if (poll(&fd, 1, 20000) != 1)
			return false;
		n = recvmsg(screen_sock, &msg, 0);
		if (n <= 0)
			return false;
		if (CMSG_FIRSTHDR(&msg))
			memcpy(&screen_fd, CMSG_DATA(CMSG_FIRSTHDR(&msg)), sizeof(screen_fd));
		done += n;
	}
	return true;
}

/* The next message is @request. */
static bool screen_hears(u32 request)
{
	screen_fd = -1;
	tap_context("message %u of the screen's", request);
	return tap_check(screen_read(&screen_head, sizeof(screen_head))) &&
	       tap_check(screen_head.size <= sizeof(screen_body)) &&
	       tap_check(screen_read(screen_body, screen_head.size)) &&
	       tap_equal(screen_head.request, request);
}

static void screen_says(u32 request, const void *data, u32 size)
{
	struct vmm_gpu_head head = { request, GPU_REPLY, size };

	tap_equal(send(screen_sock, &head, sizeof(head), 0), sizeof(head));
	if (size)
		tap_equal(send(screen_sock, data, size, 0), size);
}

static void screen_greet(u64 features)
{
	u64 chosen;

	screen_hears(GPU_GET_PROTOCOL_FEATURES);
	screen_says(GPU_GET_PROTOCOL_FEATURES, &features, sizeof(features));
	screen_hears(GPU_SET_PROTOCOL_FEATURES);
	memcpy(&chosen, screen_body, sizeof(chosen));
	tap_equal(chosen, features & (1ULL << GPU_P_EDID | 1ULL << GPU_P_MEMFD));
}

/* ---- the guest ---- */

static void queue_start(unsigned int i)
{
	struct vhost_vring_addr addr = {
		.index = i, .desc_user_addr = USER_BASE + i * QUEUE_STEP,
		.avail_user_addr = USER_BASE + i * QUEUE_STEP + 0x1000,
		.used_user_addr = USER_BASE + i * QUEUE_STEP + 0x2000,
	};

	queue[i] = (struct queue){
		.kick_fd = vmm_event_create(), .call_fd = vmm_event_create(),
	};
	tap_equal(tell_state(VU_SET_VRING_NUM, i, NUM), 0);
	tap_equal(tell_state(VU_SET_VRING_BASE, i, 0), 0);
	tap_equal(tell(VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0), 0);
	tap_equal(tell_file(VU_SET_VRING_CALL, i, queue[i].call_fd), 0);
	tap_equal(tell_file(VU_SET_VRING_KICK, i, queue[i].kick_fd), 0);
	tap_equal(tell_state(VU_SET_VRING_ENABLE, i, 1), 0);
}

static u64 memory_table(void)
{
	const struct {
		u32 count;
		u32 padding;
		u64 region[2][4];
	} table = {
		2, 0, {
			{ RAM_BASE, RAM_SIZE / 2, USER_BASE, 0 },
			{ RAM_BASE + RAM_SIZE / 2, RAM_SIZE / 2, USER_BASE + RAM_SIZE / 2,
			  RAM_SIZE / 2 },
		},
	};
	const int fds[] = { ram_fd, ram_fd };

	return tell(VU_SET_MEM_TABLE, &table, sizeof(table), fds, 2);
}

/* As a front end starts the device for a driver. */
static void device_start(void)
{
	u64 features = ask(VU_GET_FEATURES, NULL, 0);
	u64 protocol = ask(VU_GET_PROTOCOL_FEATURES, NULL, 0);

	tap_check(features >> VIRTIO_F_VERSION_1 & 1);
	tap_check(features >> VIRTIO_GPU_F_EDID & 1);
	tap_check(!(features >> VIRTIO_GPU_F_VIRGL & 1));
	tap_check(protocol >> VU_P_REPLY_ACK & 1);
	say(VU_SET_PROTOCOL_FEATURES, &protocol, sizeof(protocol), 0, NULL, 0);
	tap_equal(ask(VU_GET_QUEUE_NUM, NULL, 0), 2);
	features = 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VU_F_PROTOCOL_FEATURES |
		   1ULL << VIRTIO_GPU_F_EDID;
	tap_equal(tell_u64(VU_SET_FEATURES, features), 0);
	tap_equal(memory_table(), 0);
	memset(ram, 0, PIXELS);
	queue_start(0);
	queue_start(1);
}

static void *request_at(unsigned int i, u16 slot)
{
	return ram + BUFFERS + (i * NUM + slot) * 0x1000;
}

static u8 *answer_at(unsigned int i, u16 slot)
{
	return (u8 *)request_at(i, slot) + 0x800;
}

/* Makes a request available; its slot. */
static u16 make(unsigned int i, const void *request, size_t len, size_t room)
{
	struct vring_desc *desc = (void *)(ram + i * QUEUE_STEP);
	struct vring_avail *avail = (void *)(ram + i * QUEUE_STEP + 0x1000);
	u16 slot = queue[i].made % (NUM / 2);
	u64 gpa = RAM_BASE + ((u8 *)request_at(i, slot) - ram);

	memcpy(request_at(i, slot), request, len);
	memset(answer_at(i, slot), 0xee, 0x800);
	desc[2 * slot] = (struct vring_desc){
		.addr = gpa, .len = len, .flags = room ? VRING_DESC_F_NEXT : 0,
		.next = 2 * slot + 1,
	};
	desc[2 * slot + 1] = (struct vring_desc){
		.addr = gpa + 0x800, .len = room, .flags = VRING_DESC_F_WRITE,
	};
	avail->ring[queue[i].made % NUM] = 2 * slot;
	queue[i].made++;
	__atomic_store_n(&avail->idx, queue[i].made, __ATOMIC_RELEASE);
	return slot;
}

static void kick(unsigned int i)
{
	vmm_event_signal(queue[i].kick_fd);
}

/* Waits until all that was made is given back; bytes of the last answer, -1 if not. */
static int wait_for_all(unsigned int i)
{
	struct vring_used *used = (void *)(ram + i * QUEUE_STEP + 0x2000);
	struct pollfd fd = { .fd = queue[i].call_fd, .events = POLLIN };

	while (__atomic_load_n(&used->idx, __ATOMIC_ACQUIRE) != queue[i].made) {
		if (poll(&fd, 1, 20000) != 1)
			return -1;
		vmm_event_clear(queue[i].call_fd);
	}
	queue[i].seen = queue[i].made;
	return used->ring[(u16)(queue[i].seen - 1) % NUM].len;
}

/* A request of the control queue and its answer's type; 0 if it has none. */
static u32 control(const void *request, size_t len)
{
	u16 slot = make(0, request, len, 24);
	u32 type;

	kick(0);
	if (wait_for_all(0) != 24)
		return 0;
	memcpy(&type, answer_at(0, slot), sizeof(type));
	return type;
}

static u32 create(u32 id, u32 format)
{
	const struct virtio_gpu_resource_create_2d request = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, .resource_id = id,
		.format = format, .width = W, .height = H,
	};

	return control(&request, sizeof(request));
}

static u32 attach(u32 id)
{
	const struct {
		struct virtio_gpu_resource_attach_backing head;
		struct virtio_gpu_mem_entry entry[2];
	} request = {
		{ { .type = VIRTIO_GPU_CMD_RESOURCE_ATTACH_BACKING }, id, 2 },
		{ { RAM_BASE + PIXELS, 4 * W * 100, 0 },
		  { RAM_BASE + PIXELS + 0x100000, 4 * W * 100, 0 } },
	};

	return control(&request, sizeof(request));
}

static u32 set_scanout(u32 id, u32 width, u32 height)
{
	const struct virtio_gpu_set_scanout request = {
		.hdr.type = VIRTIO_GPU_CMD_SET_SCANOUT, .resource_id = id,
		.r = { 0, 0, width, height },
	};

	return control(&request, sizeof(request));
}

static u32 transfer(u32 id, u32 x, u32 y, u32 width, u32 height)
{
	const struct virtio_gpu_transfer_to_host_2d request = {
		.hdr.type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, .resource_id = id,
		.r = { x, y, width, height }, .offset = 4 * (y * W + x),
	};

	return control(&request, sizeof(request));
}

static u32 flush(u32 id, u32 x, u32 y, u32 width, u32 height)
{
	const struct virtio_gpu_resource_flush request = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_FLUSH, .resource_id = id,
		.r = { x, y, width, height },
	};

	return control(&request, sizeof(request));
}

/* Pixel @x, @y of the guest's picture, as the guest has drawn it. */
static u32 drawn(u32 x, u32 y)
{
	return x * 0x010203 + y * 0x030100 + 0x55;
}

static void draw(void)
{
	u32 x, y;

	for (y = 0; y < H; y++) {
		u32 *row = (void *)(ram + PIXELS + (y < 100 ? 4 * W * y :
							      0x100000 + 4 * W * (y - 100)));

		for (x = 0; x < W; x++)
			row[x] = drawn(x, y);
	}
}

static void device_stop(void)
{
	struct vhost_vring_state state = { 0, 0 };
	unsigned int i;

	for (i = 0; i < 2; i++) {
		state.index = i;
		say(VU_GET_VRING_BASE, &state, sizeof(state), 0, NULL, 0);
		if (tap_check(hear(VU_GET_VRING_BASE)))
			memcpy(&state, channel.msg.payload, sizeof(state));
		tap_equal(state.num, queue[i].made);
		close(queue[i].kick_fd);
		close(queue[i].call_fd);
	}
	tap_equal(tell(VU_RESET_DEVICE, NULL, 0, NULL, 0), 0);
}

static void all_begin(u64 features)
{
	program_start();
	screen_open();
	screen_greet(features);
	device_start();
}

static void all_end(void)
{
	close(screen_sock);
	screen_sock = -1;
	tap_context("the program's end");
	tap_equal(program_end(), 0);
}

/* ---- cases ---- */

static bool update_is(u32 x, u32 y, u32 width, u32 height)
{
	struct vmm_gpu_update update;
	u32 row, column;
	u32 pixel;

	memcpy(&update, screen_body, sizeof(update));
	tap_context("update at %u, %u", x, y);
	if (!tap_check(update.x == x && update.y == y && update.width == width &&
		       update.height == height) ||
	    !tap_equal(screen_head.size, sizeof(update) + 4 * width * height))
		return false;
	for (row = 0; row < height; row++) {
		for (column = 0; column < width; column++) {
			memcpy(&pixel, screen_body + sizeof(update) +
			       4 * (row * width + column), 4);
			if (!tap_equal(pixel, drawn(x + column, y + row)))
				return false;
		}
	}
	return true;
}

static void pixels_by_messages(void)
{
	struct vmm_gpu_scanout scanout;

	all_begin(1 << GPU_P_EDID);
	draw();
	tap_equal(create(1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM), VIRTIO_GPU_RESP_OK_NODATA);
	tap_equal(attach(1), VIRTIO_GPU_RESP_OK_NODATA);
	tap_equal(transfer(1, 0, 0, W, H), VIRTIO_GPU_RESP_OK_NODATA);
	tap_equal(set_scanout(1, W, H), VIRTIO_GPU_RESP_OK_NODATA);
	screen_hears(GPU_SCANOUT);
	memcpy(&scanout, screen_body, sizeof(scanout));
	tap_check(!scanout.scanout && scanout.width == W && scanout.height == H);
	/* All of it, as it was black so far; then what has changed. */
	if (screen_hears(GPU_UPDATE))
		update_is(0, 0, W, H);
	tap_equal(flush(1, 7, 90, 33, 20), VIRTIO_GPU_RESP_OK_NODATA);
	if (screen_hears(GPU_UPDATE))
		update_is(7, 90, 33, 20);
	tap_equal(set_scanout(0, 0, 0), VIRTIO_GPU_RESP_OK_NODATA);
	screen_hears(GPU_SCANOUT);
	memcpy(&scanout, screen_body, sizeof(scanout));
	tap_check(!scanout.width);
	all_end();
}

static void pixels_by_file(void)
{
	struct vmm_gpu_file_scanout file;
	struct vmm_gpu_update update;
	u32 *pixels;
	u32 x, y;
	int fd;

	all_begin(1 << GPU_P_EDID | 1ULL << GPU_P_MEMFD);
	draw();
	tap_equal(create(1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM), VIRTIO_GPU_RESP_OK_NODATA);
	tap_equal(attach(1), VIRTIO_GPU_RESP_OK_NODATA);
	tap_equal(set_scanout(1, W, H - 10), VIRTIO_GPU_RESP_OK_NODATA);
	screen_hears(GPU_DMABUF_SCANOUT);
	fd = screen_fd;
	pixels = mmap(NULL, 4 * W * H, PROT_READ, MAP_SHARED, fd, 0);
	if (!tap_check(fd >= 0 && pixels != MAP_FAILED))
		return;
	memcpy(&file, screen_body, sizeof(file));
	tap_check(file.width == W && file.height == H - 10 && file.file_height == H &&
		  file.stride == 4 * W && file.fourcc == GPU_FOURCC_XR24);
	tap_equal(transfer(1, 0, 0, W, H), VIRTIO_GPU_RESP_OK_NODATA);
	tap_equal(flush(1, 1, 2, 3, 4), VIRTIO_GPU_RESP_OK_NODATA);
	screen_hears(GPU_DMABUF_UPDATE);
	/* Two more before that one is answered are one. */
	tap_equal(flush(1, 10, 20, 5, 5), VIRTIO_GPU_RESP_OK_NODATA);
	tap_equal(flush(1, 100, 8, 1, 1), VIRTIO_GPU_RESP_OK_NODATA);
	screen_says(GPU_DMABUF_UPDATE, NULL, 0);
	screen_hears(GPU_DMABUF_UPDATE);
	memcpy(&update, screen_body, sizeof(update));
	tap_check(update.x == 10 && update.y == 8 && update.width == 91 && update.height == 17);
	for (y = 0; y < H; y++) {
		for (x = 0; x < W && pixels[y * W + x] == drawn(x, y); x++)
			;
		tap_context("pixel %u, %u", x, y);
		if (!tap_equal(x, W))
			break;
	}
	all_end();
	munmap(pixels, 4 * W * H);
	close(fd);
}

/* What the guest asks for comes from the front end, in whatever order it is made. */
static void questions_wait_for_the_front_end(void)
{
	const struct virtio_gpu_cmd_get_edid edid = { .hdr.type = VIRTIO_GPU_CMD_GET_EDID };
	const struct virtio_gpu_resource_unref unref = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_UNREF, .resource_id = 5,
	};
	struct virtio_gpu_resp_edid said = { .hdr.type = 1, .size = VMM_EDID_SIZE };
	u16 slot, behind;
	u32 type;

	all_begin(1 << GPU_P_EDID);
	slot = make(0, &edid, sizeof(edid), sizeof(said));
	behind = make(0, &unref, sizeof(unref), 24);
	kick(0);
	screen_hears(GPU_GET_EDID);
	usleep(50000);
	tap_equal(((struct vring_used *)(void *)(ram + 0x2000))->idx, 0);
	/* The front end's other connection is not held up. */
	tap_check(ask(VU_GET_FEATURES, NULL, 0));
	vmm_edid_fill(said.edid, W, H);
	screen_says(GPU_GET_EDID, &said, sizeof(said));
	tap_equal(wait_for_all(0), 24);
	memcpy(&type, answer_at(0, slot), sizeof(type));
	tap_equal(type, VIRTIO_GPU_RESP_OK_EDID);
	tap_check(!memcmp(answer_at(0, slot) + 32, said.edid, VMM_EDID_SIZE));
	memcpy(&type, answer_at(0, behind), sizeof(type));
	tap_equal(type, VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
	/* A driver that leaves while it waits, and one that comes: the old answer is nobody's. */
	make(0, &edid, sizeof(edid), sizeof(said));
	kick(0);
	screen_hears(GPU_GET_EDID);
	queue[0].made--;
	device_stop();
	device_start();
	slot = make(0, &edid, sizeof(edid), sizeof(said));
	kick(0);
	memset(said.edid, 0x11, sizeof(said.edid));
	screen_says(GPU_GET_EDID, &said, sizeof(said));
	while (screen_hears(GPU_CURSOR_POS_HIDE) && !tap_equal(screen_head.size, 12))
		;
	screen_hears(GPU_GET_EDID);
	vmm_edid_fill(said.edid, W, H);
	screen_says(GPU_GET_EDID, &said, sizeof(said));
	tap_equal(wait_for_all(0), sizeof(said));
	tap_check(!memcmp(answer_at(0, slot) + 32, said.edid, VMM_EDID_SIZE));
	all_end();
}

static void cursors_are_told(void)
{
	struct virtio_gpu_update_cursor request = {
		.hdr.type = VIRTIO_GPU_CMD_UPDATE_CURSOR, .pos = { 0, 11, 12, 0 },
		.resource_id = 2, .hot_x = 5,
	};
	const struct virtio_gpu_resource_create_2d make_it = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, .resource_id = 2,
		.format = VIRTIO_GPU_FORMAT_B8G8R8A8_UNORM, .width = 64, .height = 64,
	};
	struct vmm_gpu_cursor *cursor = (void *)screen_body;

	all_begin(1 << GPU_P_EDID);
	tap_equal(control(&make_it, sizeof(make_it)), VIRTIO_GPU_RESP_OK_NODATA);
	make(1, &request, sizeof(request), 0);
	kick(1);
	tap_equal(wait_for_all(1), 0);
	if (screen_hears(GPU_CURSOR_UPDATE)) {
		tap_equal(screen_head.size, sizeof(*cursor));
		tap_check(cursor->pos.x == 11 && cursor->pos.y == 12 && cursor->hot_x == 5);
	}
	request.hdr.type = VIRTIO_GPU_CMD_MOVE_CURSOR;
	request.pos.x = 70;
	make(1, &request, sizeof(request), 0);
	kick(1);
	screen_hears(GPU_CURSOR_POS);
	tap_equal(((struct vmm_gpu_cursor_pos *)(void *)screen_body)->x, 70);
	tap_equal(wait_for_all(1), 0);
	all_end();
}

/* A front end that does not read: the guest is not held up, and the newest is told. */
static void a_front_end_that_does_not_read(void)
{
	struct vmm_gpu_update update;
	unsigned int i;

	all_begin(0);
	tap_equal(create(1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM), VIRTIO_GPU_RESP_OK_NODATA);
	tap_equal(attach(1), VIRTIO_GPU_RESP_OK_NODATA);
	tap_equal(set_scanout(1, W, H), VIRTIO_GPU_RESP_OK_NODATA);
	for (i = 0; i < 60; i++) {
		if (!tap_equal(transfer(1, 0, 0, W, H), VIRTIO_GPU_RESP_OK_NODATA) ||
		    !tap_equal(flush(1, 0, 0, W, H), VIRTIO_GPU_RESP_OK_NODATA))
			break;
	}
	draw();
	tap_equal(transfer(1, 0, 0, W, H), VIRTIO_GPU_RESP_OK_NODATA);
	tap_equal(flush(1, 0, 0, W, H), VIRTIO_GPU_RESP_OK_NODATA);
	screen_hears(GPU_SCANOUT);
	for (i = 0; i < 60; i++) {
		u32 pixel;

		if (!screen_hears(GPU_UPDATE))
			break;
		memcpy(&update, screen_body, sizeof(update));
		memcpy(&pixel, screen_body + screen_head.size - 4, sizeof(pixel));
		if (pixel == drawn(W - 1, H - 1) && update.y + update.height == H)
			break;
	}
	tap_context("%u messages", i);
	tap_check(i < 10);
	all_end();
}

/* A guest that breaks a queue is told of by the front end's eventfd, once. */
static void a_broken_queue_is_said(void)
{
	int err_fd = vmm_event_create();
	struct pollfd fd = { .fd = err_fd, .events = POLLIN };
	const struct virtio_gpu_ctrl_hdr hdr = { .type = 0x1ff };

	all_begin(0);
	tap_equal(tell_file(VU_SET_VRING_ERR, 0, err_fd), 0);
	tap_equal(control(&hdr, sizeof(hdr)), VIRTIO_GPU_RESP_ERR_UNSPEC);
	make(0, &hdr, sizeof(hdr), 24);
	((struct vring_avail *)(void *)(ram + 0x1000))->ring[1] = NUM;
	kick(0);
	tap_equal(poll(&fd, 1, 20000), 1);
	/* The other one, and the front end, are served. */
	tap_check(ask(VU_GET_FEATURES, NULL, 0));
	/* And the queue itself for the next driver. */
	tap_equal(tell(VU_RESET_DEVICE, NULL, 0, NULL, 0), 0);
	device_start();
	tap_equal(control(&hdr, sizeof(hdr)), VIRTIO_GPU_RESP_ERR_UNSPEC);
	all_end();
	close(err_fd);
}

/* What the front end gets wrong: sizes, indices, places, files. */
static void messages_that_are_wrong(void)
{
	struct vhost_vring_addr addr = {
		.desc_user_addr = USER_BASE + RAM_SIZE - 8, .avail_user_addr = USER_BASE,
		.used_user_addr = USER_BASE,
	};
	static const struct { u32 request, size; u32 first; } bad[] = {
		{ VU_SET_FEATURES, 4, 0 }, { VU_SET_VRING_NUM, 8, 2 }, { VU_SET_VRING_NUM, 7, 0 },
		{ VU_SET_VRING_ADDR, 8, 0 }, { VU_SET_VRING_KICK, 8, 0 },
		{ VU_SET_VRING_CALL, 8, 9 }, { VU_SET_MEM_TABLE, 8, 1 },
		{ VU_SET_MEM_TABLE, 40, 9 }, { VU_GET_VRING_BASE, 8, 2 },
		{ VU_GET_CONFIG, 4, 0 }, { VU_GPU_SET_SOCKET, 0, 0 },
	};
	u8 payload[64];
	unsigned int i;

	program_start();
	tap_equal(tell_u64(VU_SET_FEATURES, ~0ULL), 1);
	tap_equal(tell_state(VU_SET_VRING_NUM, 0, NUM), 0);
	tap_equal(tell(VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0), 1);
	tap_equal(memory_table(), 0);
	tap_equal(tell(VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0), 1);
	tap_equal(tell(99, NULL, 0, NULL, 0), 1);
	all_end();
	for (i = 0; i < ARRAY_SIZE(bad); i++) {
		tap_context("row %u", i);
		program_start();
		memset(payload, 0, sizeof(payload));
		memcpy(payload, &bad[i].first, sizeof(bad[i].first));
		say(bad[i].request, payload, bad[i].size, VU_NEED_REPLY, NULL, 0);
		tap_check(!hear(bad[i].request));
		tap_equal(program_end(), 1);
	}
}

static void a_device_starts_again(void)
{
	unsigned int i;

	all_begin(0);
	for (i = 0; i < 3; i++) {
		tap_equal(create(1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM), VIRTIO_GPU_RESP_OK_NODATA);
		tap_equal(create(1, VIRTIO_GPU_FORMAT_B8G8R8X8_UNORM),
			  VIRTIO_GPU_RESP_ERR_INVALID_RESOURCE_ID);
		/* As much memory as the program was given. */
		device_stop();
		device_start();
	}
	all_end();
}

static const struct tap_case cases[] = {
	{ "pixels by messages", pixels_by_messages },
	{ "pixels by file", pixels_by_file },
	{ "questions wait for the front end", questions_wait_for_the_front_end },
	{ "cursors are told", cursors_are_told },
	{ "a front end that does not read", a_front_end_that_does_not_read },
	{ "a broken queue is said", a_broken_queue_is_said },
	{ "messages that are wrong", messages_that_are_wrong },
	{ "a device starts again", a_device_starts_again },
};

int main(void)
{
	if (!getenv("RANCHU_GPU")) {
		fputs("RANCHU_GPU must name the program\n", stderr);
		return 2;
	}
	signal(SIGPIPE, SIG_IGN);
	ram_fd = memfd_create("guest", MFD_CLOEXEC);
	if (ram_fd < 0 || ftruncate(ram_fd, RAM_SIZE))
		return 1;
	ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, ram_fd, 0);
	return ram == MAP_FAILED ? 1 : tap_run(cases, ARRAY_SIZE(cases));
}
