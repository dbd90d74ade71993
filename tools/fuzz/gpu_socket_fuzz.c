// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: vmmctl's end of a GPU's display socket, with a process at the other end that
 * says anything: whole messages, pieces, files of every kind, some of which are cut off
 * later. The screen is looked at meanwhile. No file is left over, and a process that is
 * honest is shown afterwards.
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>

#include "backends/vhost_user_gpu.h"
#include "control/screen_view.h"
#include "fuzz.h"
#include "host/display.h"
#include "host/log.h"
#include "host/unix.h"
#include "machine/machine.h"

#define W	48
#define H	32

static struct vmm_gpu_host host = { .width = W, .height = H, .node = "fuzz" };
static struct vmm_gpu_socket *gpu;
static int sock = -1;
static int cut_fd = -1;
static struct vmm_screen_view view;

/* Looks at the screen, as a viewer does. */
static void look(void)
{
	vmm_display_refresh(host.display);
	vmm_screen_view_update(&view);
}

static void connect_again(void)
{
	if (sock >= 0)
		close(sock);
	vmm_gpu_socket_close(gpu);
	sock = vmm_gpu_socket_open(gpu);
	MUST(sock >= 0);
}

static u32 some_number(struct input *in)
{
	unsigned int how = take(in, 1);

	return how < 0xc0 ? how & 0x3f : how < 0xe0 ? (u32)(how & 0x1f) - 4 : take(in, 4);
}

/* A file that is a picture, or something else; -1 for none. */
static int some_file(struct input *in)
{
	unsigned int how = take(in, 1) & 7;
	int fd;

	if (how == 0)
		return open("/dev/zero", O_RDONLY | O_CLOEXEC);
	if (how > 4)
		return -1;
	fd = memfd_create("fuzz", MFD_CLOEXEC | (how == 1 ? MFD_ALLOW_SEALING : 0));
	MUST(fd >= 0 && !ftruncate(fd, how == 2 ? 4 * W : 16 * W * H));
	/* This file is mapped. */
	MUST(how != 1 || !fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK));
	if (cut_fd >= 0)
		close(cut_fd);
	cut_fd = dup(fd);
	return fd;
}

static void say(const void *data, size_t len, int fd)
{
	if (len)
		vmm_unix_send_files(sock, data, len, &fd, fd >= 0, MSG_DONTWAIT);
	if (fd >= 0)
		close(fd);
}

static const u32 sizes[] = {
	[GPU_SET_PROTOCOL_FEATURES] = 8, [GPU_CURSOR_POS] = 12, [GPU_CURSOR_POS_HIDE] = 12,
	[GPU_CURSOR_UPDATE] = sizeof(struct vmm_gpu_cursor), [GPU_SCANOUT] = 12,
	[GPU_UPDATE] = 20, [GPU_DMABUF_SCANOUT] = 40, [GPU_DMABUF_UPDATE] = 20,
	[GPU_GET_EDID] = 4,
};

/* A message that is nearly as it should be. */
static void say_message(struct input *in)
{
	static struct {
		struct vmm_gpu_head head;
		u32 body[sizeof(struct vmm_gpu_cursor) / 4 + 64 * 64];
	} msg;
	u32 request = take(in, 1) % 14;
	u32 size = request < ARRAY_SIZE(sizes) ? sizes[request] : 0;
	u32 i;

	msg.head = (struct vmm_gpu_head){ request, 0, size };
	for (i = 0; i < 10 && 4 * i < size; i++)
		msg.body[i] = some_number(in);
	if (request == GPU_SET_PROTOCOL_FEATURES)
		memset(msg.body, 0xff, 8);
	if (request == GPU_DMABUF_SCANOUT && take(in, 1) & 1) {
		msg.body[7] = 4 * msg.body[5];
		msg.body[8] = 0;
		msg.body[9] = GPU_FOURCC_XR24;
	}
	/* Pixels of an update that is not too large. */
	if (request == GPU_UPDATE && msg.body[3] <= 64 && msg.body[4] <= 64)
		msg.head.size += 4 * msg.body[3] * msg.body[4];
	size = msg.head.size;
	if (!(take(in, 1) & 15))
		msg.head.size += take(in, 1) - 8;
	if (!(take(in, 1) & 7))
		size = size ? take(in, 2) % size : 0;
	say(&msg, sizeof(msg.head) + size,
	    request == GPU_DMABUF_SCANOUT || !(take(in, 1) & 7) ? some_file(in) : -1);
}

static void say_bytes(struct input *in)
{
	u8 bytes[64];
	unsigned int len = 1 + take(in, 1) % sizeof(bytes);
	unsigned int i;

	for (i = 0; i < len; i++)
		bytes[i] = take(in, 1);
	say(bytes, len, -1);
}

static void drain(void)
{
	u8 bytes[4096];

	while (recv(sock, bytes, sizeof(bytes), MSG_DONTWAIT) > 0)
		;
}

/* A picture of an honest process is shown, pixel by pixel. */
static void serve_honestly(void)
{
	struct {
		struct vmm_gpu_head head;
		struct vmm_gpu_scanout scanout;
		struct vmm_gpu_head update_head;
		struct vmm_gpu_update update;
		u32 pixels[W * H];
	} msg = {
		.head = { GPU_SCANOUT, 0, sizeof(msg.scanout) }, .scanout = { 0, W, H },
		.update_head = { GPU_UPDATE, 0, sizeof(msg.update) + sizeof(msg.pixels) },
		.update = { 0, 0, 0, W, H },
	};
	unsigned int i;

	for (i = 0; i < W * H; i++)
		msg.pixels[i] = i * 0x9e3779b1;
	connect_again();
	say(&msg, sizeof(msg), -1);
	vmm_gpu_socket_serve(gpu);
	look();
	MUST(!memcmp(view.copy + VMM_DISPLAY_PIXELS, msg.pixels, sizeof(msg.pixels)));
}

static int files(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

static void log_line(void *arg, const char *line, size_t len)
{
	MUST(memmem(line, len, "breaks the protocol", 19) || memmem(line, len, "dmabufs", 7));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	struct input in = { data, size };
	int before;

	if (!host.display) {
		host.loop = vmm_loop_create();
		host.display = vmm_display_open(W, H);
		vmm_log_also(log_line, NULL);
		MUST(host.loop && host.display && !vmm_screen_own_open(&view, host.display));
	}
	before = files();
	gpu = vmm_gpu_socket_create(&host);
	connect_again();
	while (in.left) {
		unsigned int what = take(&in, 1) & 15;

		if (what < 8)
			say_message(&in);
		else if (what < 10)
			say_bytes(&in);
		else if (what == 10)
			connect_again();
		else if (what == 11)
			vmm_gpu_socket_off(gpu);
		else if (what == 12 && cut_fd >= 0)
			MUST(!ftruncate(cut_fd, take(&in, 2)) || errno == EPERM);
		else if (what == 13)
			drain();
		else
			look();
		vmm_gpu_socket_serve(gpu);
	}
	look();
	serve_honestly();
	vmm_gpu_socket_destroy(gpu);
	close(sock);
	sock = -1;
	if (cut_fd >= 0)
		close(cut_fd);
	cut_fd = -1;
	MUST(files() == before);
	return 0;
}
