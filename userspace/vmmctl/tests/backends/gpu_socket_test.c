// SPDX-License-Identifier: GPL-2.0-only
/*
 * The display socket of a vhost-user GPU, with the test as the process that serves the GPU:
 * answers to it, the content of the screen's file, and invalid messages.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/virtio_gpu.h>

#include "backends/vhost_user_gpu.h"
#include "host/display.h"
#include "host/edid.h"
#include "host/log.h"
#include "host/unix.h"
#include "machine/machine.h"
#include "tests/tap.h"

#define W	100
#define H	80

static struct vmm_gpu_socket *gpu;
static struct vmm_display *display;
static struct vmm_loop *loop;
static const u8 *shown;
static int sock = -1;
static unsigned int board_frames;
static char said[1024];

static void on_board(void *arg)
{
	(void)arg;
	board_frames++;
	vmm_display_frame(display, VMM_PIXELS_RGB565, 0, NULL);
}

static void hear(void *arg, const char *line, size_t len)
{
	(void)arg;
	snprintf(said, sizeof(said), "%.*s", (int)len, line);
}

static void begin(void)
{
	struct vmm_gpu_host host = { .width = W, .height = H, .node = "/run/gpu" };

	loop = vmm_loop_create();
	display = vmm_display_open(W, H);
	vmm_display_attach(display, on_board, NULL);
	shown = mmap(NULL, VMM_DISPLAY_PIXELS + 4 * W * H, PROT_READ, MAP_SHARED,
		     vmm_display_file(display), 0);
	host.loop = loop;
	host.display = display;
	gpu = vmm_gpu_socket_create(&host);
	sock = vmm_gpu_socket_open(gpu);
	tap_check(sock >= 0);
	vmm_log_also(hear, NULL);
	said[0] = '\0';
	board_frames = 0;
}

static void end(void)
{
	vmm_log_also(NULL, NULL);
	if (sock >= 0)
		close(sock);
	sock = -1;
	vmm_gpu_socket_destroy(gpu);
	munmap((void *)shown, VMM_DISPLAY_PIXELS + 4 * W * H);
	vmm_display_close(display);
	vmm_loop_destroy(loop);
}

static void say_size(u32 request, const void *data, u32 size, u32 claimed, int fd)
{
	struct vmm_gpu_head head = { request, 0, claimed };

	tap_equal(vmm_unix_send_files(sock, &head, sizeof(head), &fd, fd >= 0, 0), 0);
	if (size)
		tap_equal(send(sock, data, size, MSG_NOSIGNAL), size);
	vmm_gpu_socket_serve(gpu);
}

static void say(u32 request, const void *data, u32 size)
{
	say_size(request, data, size, size, -1);
}

/* Checks that the answer to @request has @size bytes, and copies them to @data. */
static void answered(u32 request, void *data, u32 size)
{
	struct vmm_gpu_head head = { 0 };

	tap_equal(recv(sock, &head, sizeof(head), MSG_DONTWAIT), sizeof(head));
	tap_equal(head.request, request);
	tap_equal(head.flags, GPU_REPLY);
	tap_equal(head.size, size);
	if (size)
		tap_equal(recv(sock, data, size, MSG_DONTWAIT), size);
}

static bool hung_up(void)
{
	char byte;

	ssize_t n = recv(sock, &byte, 1, MSG_DONTWAIT);

	/* If bytes were not read, the close is a reset. */
	return !n || (n < 0 && errno == ECONNRESET);
}

static void scanout(u32 width, u32 height)
{
	struct vmm_gpu_scanout msg = { 0, width, height };

	say(GPU_SCANOUT, &msg, sizeof(msg));
}

static u32 drawn(u32 x, u32 y)
{
	return (x * 77 + y * 1001 + 5) & 0xffffff;
}

static struct {
	struct vmm_gpu_update update;
	u32 pixels[2 * W * 2 * H];
} update;

/* Makes an update with the pixels of drawn(); returns its bytes. */
static u32 make_update(u32 x, u32 y, u32 width, u32 height)
{
	u32 row, column;

	update.update = (struct vmm_gpu_update){ 0, x, y, width, height };
	for (row = 0; row < height; row++) {
		for (column = 0; column < width; column++)
			update.pixels[row * width + column] = drawn(x + column, y + row);
	}
	return sizeof(update.update) + 4 * width * height;
}

static u32 pixel(u32 x, u32 y)
{
	u32 value;

	memcpy(&value, shown + VMM_DISPLAY_PIXELS + 4 * (y * W + x), sizeof(value));
	return value & 0xffffff;
}

/* Checks that this part of the screen is as drawn(), and all else is black. */
static bool only_shows(u32 x, u32 y, u32 width, u32 height)
{
	u32 row, column;

	vmm_display_refresh(display);
	for (row = 0; row < H; row++) {
		for (column = 0; column < W; column++) {
			bool in = column >= x && column < x + width && row >= y && row < y + height;

			tap_context("pixel %u, %u", column, row);
			if (!tap_equal(pixel(column, row), in ? drawn(column, row) : 0))
				return false;
		}
	}
	return true;
}

static void questions_are_answered(void)
{
	struct virtio_gpu_resp_display_info info;
	struct virtio_gpu_resp_edid edid;
	u8 want[VMM_EDID_SIZE];
	u32 number = 0;
	u64 features;

	begin();
	say(GPU_GET_PROTOCOL_FEATURES, NULL, 0);
	answered(GPU_GET_PROTOCOL_FEATURES, &features, sizeof(features));
	tap_equal(features, 1ULL << GPU_P_EDID | 1ULL << GPU_P_MEMFD);
	say(GPU_GET_DISPLAY_INFO, NULL, 0);
	answered(GPU_GET_DISPLAY_INFO, &info, sizeof(info));
	tap_equal(le32toh(info.hdr.type), VIRTIO_GPU_RESP_OK_DISPLAY_INFO);
	tap_equal(le32toh(info.pmodes[0].r.width), W);
	tap_equal(le32toh(info.pmodes[0].r.height), H);
	tap_equal(le32toh(info.pmodes[0].enabled), 1);
	tap_equal(info.pmodes[1].enabled, 0);
	say(GPU_GET_EDID, &number, sizeof(number));
	answered(GPU_GET_EDID, &edid, sizeof(edid));
	vmm_edid_fill(want, W, H);
	tap_equal(le32toh(edid.size), VMM_EDID_SIZE);
	tap_check(!memcmp(edid.edid, want, sizeof(want)));
	number = 1;
	say(GPU_GET_EDID, &number, sizeof(number));
	answered(GPU_GET_EDID, &edid, sizeof(edid));
	tap_equal(le32toh(edid.hdr.type), VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID);
	tap_equal(edid.size, 0);
	end();
}

/* Exactly one mode, of the screen's size, and a checksum. */
static void an_edid_has_one_mode(void)
{
	static const u32 sizes[][2] = {
		{ 720, 1280 }, { 160, 120 }, { 3840, 2160 }, { 4096, 4096 }, { 32, 32 },
	};
	unsigned int i, j;
	u8 edid[VMM_EDID_SIZE];
	u8 sum;

	for (i = 0; i < ARRAY_SIZE(sizes); i++) {
		u32 width = sizes[i][0] > 4095 ? 4095 : sizes[i][0];
		u32 height = sizes[i][1] > 4095 ? 4095 : sizes[i][1];
		const u8 *timing = edid + 54;

		vmm_edid_fill(edid, sizes[i][0], sizes[i][1]);
		tap_context("%u x %u", sizes[i][0], sizes[i][1]);
		for (j = 0, sum = 0; j < VMM_EDID_SIZE; j++)
			sum += edid[j];
		tap_equal(sum, 0);
		tap_equal(timing[2] | timing[4] >> 4 << 8, width);
		tap_equal(timing[5] | timing[7] >> 4 << 8, height);
		tap_check(timing[0] | timing[1]);
		tap_check(!edid[35] && !edid[36] && !edid[37] && !edid[126]);
		for (j = 38; j < 54; j++)
			tap_equal(edid[j], 1);
		/* The three other descriptors are no timings. */
		tap_check(!edid[72] && !edid[73] && !edid[90] && !edid[91] && !edid[108] &&
			  !edid[109]);
		tap_equal(edid[75], 0xfc);
		tap_equal(edid[93], 0xfd);
	}
}

static void pixels_arrive(void)
{
	u32 len;

	begin();
	vmm_display_refresh(display);
	tap_equal(board_frames, 1);
	scanout(W, H);
	len = make_update(0, 0, W, H);
	say(GPU_UPDATE, &update, len);
	only_shows(0, 0, W, H);
	/* The board's framebuffer is hidden until the scanout is disabled. */
	tap_equal(board_frames, 1);
	scanout(0, 0);
	vmm_display_refresh(display);
	tap_equal(board_frames, 2);
	tap_equal(vmm_gpu_socket_frames(gpu), 1);
	end();
}

/* Pieces of a message, of every size. */
static void pixels_arrive_in_pieces(void)
{
	struct vmm_gpu_head head = { GPU_UPDATE, 0, 0 };
	unsigned int piece, at;
	u32 len;

	begin();
	for (piece = 1; piece < 1000; piece += 37) {
		scanout(W, H);
		len = make_update(3, 5, 31, 17);
		head.size = len;
		tap_equal(send(sock, &head, 7, 0), 7);
		vmm_gpu_socket_serve(gpu);
		tap_equal(send(sock, (u8 *)&head + 7, 5, 0), 5);
		for (at = 0; at < len; at += piece) {
			u32 part = piece < len - at ? piece : len - at;

			tap_equal(send(sock, (u8 *)&update + at, part, 0), part);
			vmm_gpu_socket_serve(gpu);
		}
		tap_context("pieces of %u", piece);
		if (!only_shows(3, 5, 31, 17))
			break;
	}
	end();
}

/* A scanout of another size than the screen. */
static void other_sizes_are_cut_or_black(void)
{
	u32 len;

	begin();
	scanout(W / 2, H / 2);
	len = make_update(0, 0, W / 2, H / 2);
	say(GPU_UPDATE, &update, len);
	only_shows(0, 0, W / 2, H / 2);
	scanout(2 * W, 2 * H);
	len = make_update(0, 0, 2 * W, 2 * H);
	say(GPU_UPDATE, &update, len);
	only_shows(0, 0, W, H);
	end();
}

static struct vmm_gpu_cursor cursor;

static void cursors_are_on_top(void)
{
	u32 len, i;

	begin();
	scanout(W, H);
	len = make_update(0, 0, W, H);
	say(GPU_UPDATE, &update, len);
	cursor.pos = (struct vmm_gpu_cursor_pos){ 0, 60, -3 };
	for (i = 0; i < ARRAY_SIZE(cursor.pixels); i++)
		cursor.pixels[i] = i % 64 < 32 ? 0xff102030 : 0x80000040;
	say(GPU_CURSOR_UPDATE, &cursor, sizeof(cursor));
	vmm_display_refresh(display);
	tap_equal(pixel(59, 0), drawn(59, 0));
	tap_equal(pixel(60, 0), 0x102030);
	tap_equal(pixel(60, 60), 0x102030);
	tap_equal(pixel(60, 61), drawn(60, 61));
	/* Half of the picture's pixel, and half of blue. */
	i = drawn(95, 7);
	tap_equal(pixel(95, 7), ((i >> 16 & 0xff) * 127 / 255) << 16 |
		  ((i >> 8 & 0xff) * 127 / 255) << 8 | (0x40 + (i & 0xff) * 127 / 255));
	cursor.pos = (struct vmm_gpu_cursor_pos){ 0, -10, 70 };
	say(GPU_CURSOR_POS, &cursor.pos, sizeof(cursor.pos));
	vmm_display_refresh(display);
	tap_equal(pixel(60, 0), drawn(60, 0));
	tap_equal(pixel(0, 70), 0x102030);
	tap_equal(pixel(21, 79), 0x102030);
	say(GPU_CURSOR_POS_HIDE, &cursor.pos, sizeof(cursor.pos));
	only_shows(0, 0, W, H);
	/* Positions outside of the screen. */
	cursor.pos = (struct vmm_gpu_cursor_pos){ 0, 0x7fffffff, 0x80000000 };
	say(GPU_CURSOR_POS, &cursor.pos, sizeof(cursor.pos));
	only_shows(0, 0, W, H);
	end();
}

static int picture_make(u32 width, u32 height)
{
	int fd = memfd_create("picture", MFD_CLOEXEC | MFD_ALLOW_SEALING);
	u32 *pixels;
	u32 x, y;

	tap_equal(ftruncate(fd, 4 * width * height), 0);
	pixels = mmap(NULL, 4 * width * height, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	for (y = 0; y < height; y++) {
		for (x = 0; x < width; x++)
			pixels[y * width + x] = drawn(x, y);
	}
	munmap(pixels, 4 * width * height);
	return fd;
}

static struct vmm_gpu_file_scanout file_of(u32 width, u32 height)
{
	return (struct vmm_gpu_file_scanout){
		.width = width, .height = height, .file_width = width, .file_height = height,
		.stride = 4 * width, .fourcc = GPU_FOURCC_XR24,
	};
}

static void choose_files(void)
{
	u64 features = 1ULL << GPU_P_MEMFD;

	say(GPU_SET_PROTOCOL_FEATURES, &features, sizeof(features));
}

static void pixels_of_a_file(void)
{
	struct vmm_gpu_file_scanout file = file_of(W, H);
	struct vmm_gpu_update changed = { 0, 1, 2, 3, 4 };
	int fd;

	begin();
	choose_files();
	fd = picture_make(W, H);
	say_size(GPU_DMABUF_SCANOUT, &file, sizeof(file), sizeof(file), fd);
	only_shows(0, 0, W, H);
	say(GPU_DMABUF_UPDATE, &changed, sizeof(changed));
	answered(GPU_DMABUF_UPDATE, NULL, 0);
	tap_equal(vmm_gpu_socket_frames(gpu), 1);
	/* A file that is truncated while it is shown. */
	tap_equal(ftruncate(fd, 4 * W * 10), 0);
	only_shows(0, 0, W, 10);
	close(fd);
	/* A part of a larger picture. */
	fd = picture_make(W + 20, H);
	file = file_of(W + 20, H);
	file.width = W - 5;
	file.height = H - 7;
	say_size(GPU_DMABUF_SCANOUT, &file, sizeof(file), sizeof(file), fd);
	only_shows(0, 0, W - 5, H - 7);
	close(fd);
	/* A message without a file. */
	say(GPU_DMABUF_SCANOUT, &file, sizeof(file));
	vmm_display_refresh(display);
	tap_equal(board_frames, 1);
	end();
}

/* Returns how many mappings of files named "picture" this process has. */
static unsigned int maps(void)
{
	FILE *file = fopen("/proc/self/smaps", "r");
	unsigned int count = 0;
	char line[512];

	while (file && fgets(line, sizeof(line), file))
		count += !!strstr(line, "/memfd:picture");
	if (tap_check(file))
		fclose(file);
	return count;
}

/* A file that cannot shrink is mapped; changes in it are shown. */
static void pixels_of_a_sealed_file(void)
{
	struct vmm_gpu_file_scanout file = file_of(W, H);
	u32 word;
	int fd;

	begin();
	choose_files();
	fd = picture_make(W, H);
	tap_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	say_size(GPU_DMABUF_SCANOUT, &file, sizeof(file), sizeof(file), fd);
	tap_equal(maps(), 1);
	only_shows(0, 0, W, H);
	word = 0x123456;
	tap_equal(pwrite(fd, &word, 4, 4 * (7 * W + 9)), 4);
	vmm_display_refresh(display);
	tap_equal(pixel(9, 7), 0x123456);
	cursor.pos = (struct vmm_gpu_cursor_pos){ 0, 0, 70 };
	memset(cursor.pixels, 0xff, sizeof(cursor.pixels));
	say(GPU_CURSOR_UPDATE, &cursor, sizeof(cursor));
	vmm_display_refresh(display);
	tap_equal(pixel(5, 69), drawn(5, 69));
	tap_equal(pixel(5, 70), 0xffffff);
	tap_equal(pixel(64, 70), drawn(64, 70));
	say(GPU_CURSOR_POS_HIDE, &cursor.pos, sizeof(cursor.pos));
	close(fd);
	/* Part of a larger picture, with a gap between its rows; then a narrow one. */
	fd = picture_make(W + 20, H + 3);
	tap_equal(fcntl(fd, F_ADD_SEALS, F_SEAL_SHRINK), 0);
	file = file_of(W + 20, H + 3);
	say_size(GPU_DMABUF_SCANOUT, &file, sizeof(file), sizeof(file), fd);
	only_shows(0, 0, W, H);
	file.width = W - 5;
	file.height = H - 7;
	say_size(GPU_DMABUF_SCANOUT, &file, sizeof(file), sizeof(file), fd);
	close(fd);
	only_shows(0, 0, W - 5, H - 7);
	tap_equal(maps(), 1);
	say(GPU_DMABUF_SCANOUT, &file, sizeof(file));
	tap_equal(maps(), 0);
	/* A file without the seal is not mapped. */
	fd = picture_make(W, H);
	file = file_of(W, H);
	say_size(GPU_DMABUF_SCANOUT, &file, sizeof(file), sizeof(file), fd);
	tap_equal(maps(), 0);
	only_shows(0, 0, W, H);
	close(fd);
	end();
}

/* An unsupported dmabuf is reported once, and the process is served further. */
static void dmabufs_are_not_shown(void)
{
	struct vmm_gpu_file_scanout file = file_of(W, H);
	struct vmm_gpu_update changed = { 0, 1, 2, 3, 4 };
	int fd = picture_make(W, H);
	u32 len;

	begin();
	say_size(GPU_DMABUF_SCANOUT, &file, sizeof(file), sizeof(file), fd);
	tap_check(strstr(said, "virtio-gpu: /run/gpu sends dmabufs, which are not shown"));
	said[0] = '\0';
	say_size(GPU_DMABUF_SCANOUT, &file, sizeof(file), sizeof(file), fd);
	say(GPU_DMABUF_UPDATE, &changed, sizeof(changed));
	answered(GPU_DMABUF_UPDATE, NULL, 0);
	vmm_display_refresh(display);
	tap_equal(board_frames, 1);
	scanout(W, H);
	len = make_update(0, 0, W, H);
	say(GPU_UPDATE, &update, len);
	only_shows(0, 0, W, H);
	tap_check(!hung_up() && !said[0]);
	end();
	close(fd);
}

/* The frame of a process that has ended stays until another process connects, or a reset. */
static void the_last_frame_stays(void)
{
	u32 len;

	begin();
	scanout(W, H);
	len = make_update(0, 0, W, H);
	say(GPU_UPDATE, &update, len);
	close(sock);
	vmm_gpu_socket_serve(gpu);
	tap_check(!said[0]);
	only_shows(0, 0, W, H);
	sock = vmm_gpu_socket_open(gpu);
	vmm_display_refresh(display);
	tap_equal(board_frames, 1);
	scanout(W, H);
	say(GPU_UPDATE, &update, len);
	only_shows(0, 0, W, H);
	vmm_gpu_socket_off(gpu);
	vmm_display_refresh(display);
	tap_equal(board_frames, 2);
	/* Updates from before are ignored. */
	say(GPU_UPDATE, &update, len);
	scanout(W, H);
	only_shows(0, 0, 0, 0);
	tap_check(!hung_up() && !said[0]);
	end();
}

/* Sends an invalid message: the socket is closed, with one line. */
static void refused(u32 request, const void *data, u32 size, u32 claimed, int fd)
{
	begin();
	choose_files();
	scanout(W, H);
	say_size(request, data, size, claimed, fd);
	vmm_gpu_socket_serve(gpu);
	tap_check(hung_up());
	tap_check(strstr(said, "virtio-gpu: /run/gpu breaks the protocol of screens"));
	/* The screen still works. */
	vmm_display_refresh(display);
	end();
}

static void messages_that_are_wrong(void)
{
	struct vmm_gpu_file_scanout file = file_of(W, H);
	struct vmm_gpu_scanout wide = { 0, VMM_GPU_SIDE + 1, 1 };
	u32 zeroes[64] = { 0 };
	int pair[2];
	u32 len;

	tap_context("requests");
	refused(0, NULL, 0, 0, -1);
	refused(13, NULL, 0, 0, -1);
	refused(~0U, NULL, 0, 0, -1);
	tap_context("sizes");
	refused(GPU_GET_DISPLAY_INFO, zeroes, 4, 4, -1);
	refused(GPU_GET_EDID, NULL, 0, 0, -1);
	refused(GPU_SCANOUT, zeroes, 8, ~0U, -1);
	refused(GPU_CURSOR_UPDATE, zeroes, 64, 16400, -1);
	refused(GPU_SCANOUT, &wide, sizeof(wide), sizeof(wide), -1);
	len = make_update(0, 0, 10, 10);
	refused(GPU_UPDATE, &update, len - 4, len - 4, -1);
	refused(GPU_UPDATE, &update, 16, 16, -1);
	update.update.width = ~0U;
	update.update.height = ~0U;
	refused(GPU_UPDATE, &update, len, len, -1);
	tap_context("files");
	file.stride -= 4;
	refused(GPU_DMABUF_SCANOUT, &file, sizeof(file), sizeof(file), picture_make(W, H));
	file = file_of(W, H);
	file.x = ~0U;
	refused(GPU_DMABUF_SCANOUT, &file, sizeof(file), sizeof(file), picture_make(W, H));
	file = file_of(W, H + 1);
	refused(GPU_DMABUF_SCANOUT, &file, sizeof(file), sizeof(file), picture_make(W, H));
	file = file_of(W, H);
	file.fourcc++;
	refused(GPU_DMABUF_SCANOUT, &file, sizeof(file), sizeof(file), picture_make(W, H));
	/* A file whose reads could block. */
	file = file_of(W, H);
	tap_equal(pipe(pair), 0);
	refused(GPU_DMABUF_SCANOUT, &file, sizeof(file), sizeof(file), pair[0]);
	refused(GPU_DMABUF_SCANOUT, &file, sizeof(file), sizeof(file),
		open("/dev/zero", O_RDONLY | O_CLOEXEC));
	close(pair[0]);
	close(pair[1]);
}

/* Pixels outside of a scanout, and of missing scanouts, are ignored. */
static void what_is_not_shown_is_passed_over(void)
{
	struct vmm_gpu_scanout second = { 1, 50, 50 };
	u32 len;

	begin();
	scanout(W, H);
	len = make_update(W - 5, 0, 10, 10);
	say(GPU_UPDATE, &update, len);
	len = make_update(0, H, 10, 1);
	say(GPU_UPDATE, &update, len);
	make_update(0, 0, 10, 1);
	update.update.x = ~0U - 4;
	say(GPU_UPDATE, &update, sizeof(update.update) + 40);
	say(GPU_SCANOUT, &second, sizeof(second));
	only_shows(0, 0, 0, 0);
	tap_check(!hung_up() && !said[0]);
	end();
}

static const struct tap_case cases[] = {
	{ "questions are answered", questions_are_answered },
	{ "an EDID has one mode", an_edid_has_one_mode },
	{ "pixels arrive", pixels_arrive },
	{ "pixels arrive in pieces", pixels_arrive_in_pieces },
	{ "other sizes are cut, or black", other_sizes_are_cut_or_black },
	{ "cursors are on top", cursors_are_on_top },
	{ "pixels of a file", pixels_of_a_file },
	{ "pixels of a sealed file", pixels_of_a_sealed_file },
	{ "dmabufs are not shown", dmabufs_are_not_shown },
	{ "the last frame stays", the_last_frame_stays },
	{ "messages that are wrong", messages_that_are_wrong },
	{ "what is not shown is passed over", what_is_not_shown_is_passed_over },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
