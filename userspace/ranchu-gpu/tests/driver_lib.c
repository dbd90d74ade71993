// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs the program ranchu-gpu in its sandbox. The test acts as the front end and as the guest.
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

#include "driver_lib.h"
#include "machine/machine.h"
#include "tests/tap.h"

#define QUEUE_STEP	0x4000			/* distance of two queues */
#define BUFFERS		0x10000			/* requests and their answers */

/** The guest's memory. */
u8 *ram;
/** The renderer that the program is started with. */
const char *driver_renderer = "2d";
/** Features of the device that the renderer adds. */
u64 driver_features;
/** Those of them that the driver accepts. */
u64 driver_accepts;
/** The front end uses RESET_DEVICE. */
bool driver_resets = true;
/** The display's end of its connection, or -1. */
int screen_sock = -1;
/** The last message of the front end's connection. */
struct vmm_vu_channel channel;
/** Header of the last message about screens. */
struct vmm_gpu_head screen_head;
/** Its payload. */
u8 screen_body[1024 * 1024];
/** The file that came with it, or -1. */
int screen_fd = -1;
/** The driver's end of both queues. */
struct queue queue[2];

static int ram_fd;
static int sock = -1;
static pid_t pid;

/* ---- the program ---- */

/**
 * program_start - start the program, with a connection
 */
void program_start(void)
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
		/* OpenGL by llvmpipe, whose contexts are small; other renderers ignore --jit. */
		execl(program, program, "--fd", number, "--memory", "16", "--renderer",
		      driver_renderer, strcmp(driver_renderer, "virgl") ? NULL : "--jit", NULL);
		_exit(99);
	}
	close(pair[1]);
	sock = pair[0];
	vmm_vu_channel_open(&channel, sock);
}

/**
 * program_end - close the program's connection and wait for its end
 *
 * Return: its exit code, or 128 and the signal that has ended it
 */
int program_end(void)
{
	int status = -1;

	close(sock);
	sock = -1;
	waitpid(pid, &status, 0);
	return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}

/* ---- the front end ---- */

/**
 * say - send a message
 * @request: its type
 * @data: its payload
 * @size: bytes of the payload
 * @flags: its flags
 * @fds: files that are passed with it
 * @n: number of files
 */
void say(u32 request, const void *data, u32 size, u32 flags, const int *fds, unsigned int n)
{
	struct vmm_vu_message msg = { .request = request, .flags = flags, .size = size };

	if (size)
		memcpy(msg.payload, data, size);
	tap_equal(vmm_vu_send(sock, &msg, fds, n), 0);
}

/**
 * hear - wait for an answer of the program
 * @request: type of the request
 *
 * Return: true if it came; it is in channel
 */
bool hear(u32 request)
{
	struct pollfd fd = { .fd = sock, .events = POLLIN };
	int err = -EAGAIN;

	while (err == -EAGAIN && poll(&fd, 1, 20000) == 1)
		err = vmm_vu_receive(&channel);
	return !err && channel.msg.request == request;
}

/**
 * ask - send a request whose answer is a number
 * @request: its type
 * @data: its payload
 * @size: bytes of the payload
 *
 * Return: the number, or all ones
 */
u64 ask(u32 request, const void *data, u32 size)
{
	u64 value = ~0ULL;

	say(request, data, size, 0, NULL, 0);
	if (tap_check(hear(request)) && channel.msg.size == sizeof(value))
		memcpy(&value, channel.msg.payload, sizeof(value));
	return value;
}

/**
 * tell - send a message and wait for its acknowledgment
 * @request: its type
 * @data: its payload
 * @size: bytes of the payload
 * @fds: files that are passed with it
 * @n: number of files
 *
 * Return: 0 on success
 */
u64 tell(u32 request, const void *data, u32 size, const int *fds, unsigned int n)
{
	u64 value = ~0ULL;

	say(request, data, size, VU_NEED_REPLY, fds, n);
	if (tap_check(hear(request)) && channel.msg.size == sizeof(value))
		memcpy(&value, channel.msg.payload, sizeof(value));
	return value;
}

/**
 * tell_u64 - send a number and wait for the acknowledgment
 * @request: type of the message
 * @value: the number
 *
 * Return: 0 on success
 */
u64 tell_u64(u32 request, u64 value)
{
	return tell(request, &value, sizeof(value), NULL, 0);
}

/**
 * tell_state - send a number for a queue and wait for the acknowledgment
 * @request: type of the message
 * @index: the queue
 * @num: the number
 *
 * Return: 0 on success
 */
u64 tell_state(u32 request, u32 index, u32 num)
{
	struct vhost_vring_state state = { index, num };

	return tell(request, &state, sizeof(state), NULL, 0);
}

/**
 * tell_file - pass a file for a queue and wait for the acknowledgment
 * @request: type of the message
 * @index: the queue
 * @fd: the file
 *
 * Return: 0 on success
 */
u64 tell_file(u32 request, u64 index, int fd)
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

/* ---- messages about screens ---- */

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

/**
 * screen_hears - check that the next message about screens is of a kind
 * @request: the type
 *
 * Return: true if it is; it is in screen_head, screen_body and screen_fd
 */
bool screen_hears(u32 request)
{
	screen_fd = -1;
	tap_context("message %u of the screen's", request);
	return tap_check(screen_read(&screen_head, sizeof(screen_head))) &&
	       tap_check(screen_head.size <= sizeof(screen_body)) &&
	       tap_check(screen_read(screen_body, screen_head.size)) &&
	       tap_equal(screen_head.request, request);
}

/**
 * screen_says - answer a message about screens
 * @request: its type
 * @data: the answer
 * @size: bytes of it
 */
void screen_says(u32 request, const void *data, u32 size)
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

static void queue_start(unsigned int i, u16 base)
{
	struct vhost_vring_addr addr = {
		.index = i, .desc_user_addr = USER_BASE + i * QUEUE_STEP,
		.avail_user_addr = USER_BASE + i * QUEUE_STEP + 0x1000,
		.used_user_addr = USER_BASE + i * QUEUE_STEP + 0x2000,
	};

	queue[i] = (struct queue){
		.kick_fd = vmm_event_create(), .call_fd = vmm_event_create(),
		.made = base, .seen = base,
	};
	tap_equal(tell_state(VU_SET_VRING_NUM, i, NUM), 0);
	tap_equal(tell_state(VU_SET_VRING_BASE, i, base), 0);
	tap_equal(tell(VU_SET_VRING_ADDR, &addr, sizeof(addr), NULL, 0), 0);
	tap_equal(tell_file(VU_SET_VRING_CALL, i, queue[i].call_fd), 0);
	tap_equal(tell_file(VU_SET_VRING_KICK, i, queue[i].kick_fd), 0);
	tap_equal(tell_state(VU_SET_VRING_ENABLE, i, 1), 0);
}

/**
 * memory_table - send the table of the guest's memory
 *
 * Return: 0 if the program accepted it
 */
u64 memory_table(void)
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

/**
 * memory_half - send a memory table with the half of the memory that has no queues
 *
 * Return: 0 if the program accepted it
 */
u64 memory_half(void)
{
	const struct {
		u32 count;
		u32 padding;
		u64 region[4];
	} table = {
		1, 0, { RAM_BASE + RAM_SIZE / 2, RAM_SIZE / 2, USER_BASE + RAM_SIZE / 2,
			RAM_SIZE / 2 },
	};

	return tell(VU_SET_MEM_TABLE, &table, sizeof(table), &ram_fd, 1);
}

/**
 * device_start - start the device as a front end does for a driver
 */
void device_start(void)
{
	u64 features = ask(VU_GET_FEATURES, NULL, 0);
	u64 protocol = ask(VU_GET_PROTOCOL_FEATURES, NULL, 0);

	tap_check(features >> VIRTIO_F_VERSION_1 & 1);
	tap_check(features >> VIRTIO_GPU_F_EDID & 1);
	tap_equal(features & (1ULL << VIRTIO_GPU_F_VIRGL | 1ULL << VIRTIO_GPU_F_CONTEXT_INIT),
		  driver_features);
	tap_check(protocol >> VU_P_REPLY_ACK & 1);
	if (!driver_resets)
		protocol &= ~(1ULL << VU_P_RESET_DEVICE);
	say(VU_SET_PROTOCOL_FEATURES, &protocol, sizeof(protocol), 0, NULL, 0);
	tap_equal(ask(VU_GET_QUEUE_NUM, NULL, 0), 2);
	features = 1ULL << VIRTIO_F_VERSION_1 | 1ULL << VU_F_PROTOCOL_FEATURES |
		   1ULL << VIRTIO_GPU_F_EDID | driver_accepts;
	tap_equal(tell_u64(VU_SET_FEATURES, features), 0);
	tap_equal(memory_table(), 0);
	memset(ram, 0, PIXELS);
	queue_start(0, 0);
	queue_start(1, 0);
}

static void *request_at(unsigned int i, u16 slot)
{
	return ram + BUFFERS + (i * NUM + slot) * 0x1000;
}

/**
 * answer_at - return the answer to a request
 * @i: the queue
 * @slot: slot of the request
 *
 * Return: the answer, 2048 bytes
 */
u8 *answer_at(unsigned int i, u16 slot)
{
	return (u8 *)request_at(i, slot) + 0x800;
}

/**
 * make - make a request available
 * @i: the queue
 * @request: the request
 * @len: bytes of it, at most 2048
 * @room: bytes for the answer
 *
 * Return: its slot
 */
u16 make(unsigned int i, const void *request, size_t len, size_t room)
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

/**
 * kick - notify the device of requests
 * @i: the queue
 */
void kick(unsigned int i)
{
	vmm_event_signal(queue[i].kick_fd);
}

/**
 * wait_for_all - wait until all requests are returned
 * @i: the queue
 *
 * Return: bytes of the last answer, -1 on a timeout
 */
int wait_for_all(unsigned int i)
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

/**
 * control - make a request of the control queue and wait for it
 * @request: the request
 * @len: bytes of it
 *
 * Return: the type of its answer; 0 if it has none
 */
u32 control(const void *request, size_t len)
{
	u16 slot = make(0, request, len, 24);
	u32 type;

	kick(0);
	if (wait_for_all(0) != 24)
		return 0;
	memcpy(&type, answer_at(0, slot), sizeof(type));
	return type;
}

/**
 * create - make a picture of W x H
 * @id: its number
 * @format: of its pixels
 *
 * Return: the type of the answer
 */
u32 create(u32 id, u32 format)
{
	const struct virtio_gpu_resource_create_2d request = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_CREATE_2D, .resource_id = id,
		.format = format, .width = W, .height = H,
	};

	return control(&request, sizeof(request));
}

/**
 * attach - attach the picture of draw() as backing of a resource
 * @id: its number
 *
 * Return: the type of the answer
 */
u32 attach(u32 id)
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

/**
 * set_scanout - set a resource as the scanout
 * @id: its number
 * @width: pixels
 * @height: rows
 *
 * Return: the type of the answer
 */
u32 set_scanout(u32 id, u32 width, u32 height)
{
	const struct virtio_gpu_set_scanout request = {
		.hdr.type = VIRTIO_GPU_CMD_SET_SCANOUT, .resource_id = id,
		.r = { 0, 0, width, height },
	};

	return control(&request, sizeof(request));
}

/**
 * transfer - copy pixels from the guest's memory to a resource
 * @id: of the resource
 * @x: left
 * @y: top
 * @width: pixels
 * @height: rows
 *
 * Return: the type of the answer
 */
u32 transfer(u32 id, u32 x, u32 y, u32 width, u32 height)
{
	const struct virtio_gpu_transfer_to_host_2d request = {
		.hdr.type = VIRTIO_GPU_CMD_TRANSFER_TO_HOST_2D, .resource_id = id,
		.r = { x, y, width, height }, .offset = 4 * (y * W + x),
	};

	return control(&request, sizeof(request));
}

/**
 * flush - flush pixels of a resource
 * @id: of the resource
 * @x: left
 * @y: top
 * @width: pixels
 * @height: rows
 *
 * Return: the type of the answer
 */
u32 flush(u32 id, u32 x, u32 y, u32 width, u32 height)
{
	const struct virtio_gpu_resource_flush request = {
		.hdr.type = VIRTIO_GPU_CMD_RESOURCE_FLUSH, .resource_id = id,
		.r = { x, y, width, height },
	};

	return control(&request, sizeof(request));
}

/**
 * drawn - return a pixel of the guest's picture
 * @x: left
 * @y: top
 *
 * Return: the pixel
 */
u32 drawn(u32 x, u32 y)
{
	return x * 0x010203 + y * 0x030100 + 0x55;
}

/**
 * draw - draw the guest's picture
 */
void draw(void)
{
	u32 x, y;

	for (y = 0; y < H; y++) {
		u32 *row = (void *)(ram + PIXELS + (y < 100 ? 4 * W * y :
							      0x100000 + 4 * W * (y - 100)));

		for (x = 0; x < W; x++)
			row[x] = drawn(x, y);
	}
}

/**
 * device_pause - stop the queues without a reset
 */
void device_pause(void)
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
}

/**
 * device_go_on - restart the queues after device_pause()
 */
void device_go_on(void)
{
	tap_equal(memory_table(), 0);
	queue_start(0, queue[0].made);
	queue_start(1, queue[1].made);
}

/**
 * device_stop - stop the queues and reset the device
 */
void device_stop(void)
{
	device_pause();
	if (driver_resets)
		tap_equal(tell(VU_RESET_DEVICE, NULL, 0, NULL, 0), 0);
}

/**
 * all_begin - start the program, its screens and the device
 * @features: of the screens' protocol
 */
void all_begin(u64 features)
{
	program_start();
	screen_open();
	screen_greet(features);
	device_start();
}

/**
 * all_end - end the device and the program, and check the exit code
 */
void all_end(void)
{
	close(screen_sock);
	screen_sock = -1;
	tap_context("the program's end");
	tap_equal(program_end(), 0);
}

/**
 * driver_init - make the guest's memory
 *
 * Return: true if everything that the tests need is available
 */
bool driver_init(void)
{
	if (!getenv("RANCHU_GPU")) {
		fputs("RANCHU_GPU must name the program\n", stderr);
		return false;
	}
	signal(SIGPIPE, SIG_IGN);
	ram_fd = memfd_create("guest", MFD_CLOEXEC);
	if (ram_fd < 0 || ftruncate(ram_fd, RAM_SIZE))
		return false;
	ram = mmap(NULL, RAM_SIZE, PROT_READ | PROT_WRITE, MAP_SHARED, ram_fd, 0);
	return ram != MAP_FAILED;
}
