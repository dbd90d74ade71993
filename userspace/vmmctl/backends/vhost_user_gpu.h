/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The display socket of a vhost-user GPU, by which the process that serves the GPU queries
 * screens and supplies their content. vmmctl's end is in vhost_user_gpu.c, the screen's
 * content in gpu_screen.c; the other end is in another program, such as ranchu-gpu.
 *
 * Source: QEMU, docs/interop/vhost-user-gpu.rst
 */
#ifndef VHOST_USER_GPU_H
#define VHOST_USER_GPU_H

#include "host/display.h"
#include "types.h"

enum vmm_gpu_request {
	GPU_GET_PROTOCOL_FEATURES = 1,
	GPU_SET_PROTOCOL_FEATURES = 2,
	GPU_GET_DISPLAY_INFO = 3,
	GPU_CURSOR_POS = 4,
	GPU_CURSOR_POS_HIDE = 5,
	GPU_CURSOR_UPDATE = 6,
	GPU_SCANOUT = 7,
	GPU_UPDATE = 8,
	GPU_DMABUF_SCANOUT = 9,
	GPU_DMABUF_UPDATE = 10,
	GPU_GET_EDID = 11,
};

/* Features of this protocol, those that are used here. */
#define GPU_P_EDID	0
/*
 * A feature of ranchu's own: the file of GPU_DMABUF_SCANOUT is a memfd, and its pixels are
 * blue, green, red and nothing. Without it, such messages are not supported.
 */
#define GPU_P_MEMFD	48

#define GPU_REPLY	(1U << 2)	/* in the flags */
#define GPU_CURSOR_SIDE	VMM_DISPLAY_CURSOR_SIDE

/**
 * struct vmm_gpu_head - header of each message
 * @request: enum vmm_gpu_request
 * @flags: GPU_REPLY
 * @size: bytes that follow
 */
struct vmm_gpu_head {
	u32 request;
	u32 flags;
	u32 size;
};

/* GPU_CURSOR_POS and GPU_CURSOR_POS_HIDE. */
struct vmm_gpu_cursor_pos {
	u32 scanout;
	u32 x;
	u32 y;
};

/* GPU_CURSOR_UPDATE: pixels blue, green, red, alpha; colours are multiplied by alpha. */
struct vmm_gpu_cursor {
	struct vmm_gpu_cursor_pos pos;
	u32 hot_x;
	u32 hot_y;
	u32 pixels[GPU_CURSOR_SIDE * GPU_CURSOR_SIDE];
};

/* GPU_SCANOUT: 0 x 0 is none. */
struct vmm_gpu_scanout {
	u32 scanout;
	u32 width;
	u32 height;
};

/* GPU_UPDATE, followed by pixels, row by row; and GPU_DMABUF_UPDATE. */
struct vmm_gpu_update {
	u32 scanout;
	u32 x;
	u32 y;
	u32 width;
	u32 height;
};

/* GPU_DMABUF_SCANOUT: the part of the file that is shown, and the file's layout. */
struct vmm_gpu_file_scanout {
	u32 scanout;
	u32 x;
	u32 y;
	u32 width;
	u32 height;
	u32 file_width;
	u32 file_height;
	u32 stride;
	u32 flags;
	u32 fourcc;
};

#define GPU_FOURCC_XR24	0x34325258	/* blue, green, red, none */

/* ---- gpu_screen.c: the screen's content ---- */

#define VMM_GPU_SIDE	16384	/* pixels, at most */

/**
 * struct vmm_gpu_screen - a scanout and its cursor
 * @width: pixels of a row that are shown, 0 for none
 * @height: rows
 * @own: pixels from messages, or NULL
 * @fd: file with the process's pixels, or -1
 * @map: mapping of that file, or NULL if it must be read
 * @map_size: bytes of @map
 * @offset: offset of the first pixel in @own or in the file
 * @stride: bytes from one row to the next, in memory or file
 * @first: first row of the file that has changed since the scanout was shown
 * @last: row after the last one
 * @cursor: the cursor
 * @screen_width: pixels of a row of the screen
 * @made: rows that are not shown as they are, as wide as the screen
 * @made_max: rows that fit into @made
 * @copied: bytes of pixels that were copied into @made so far
 */
struct vmm_gpu_screen {
	u32 width;
	u32 height;
	u8 *own;
	int fd;
	u8 *map;
	size_t map_size;
	u64 offset;
	size_t stride;
	u32 first;
	u32 last;
	struct vmm_display_cursor cursor;
	u32 screen_width;
	u32 *made;
	u32 made_max;
	u64 copied;
};

int vmm_gpu_screen_open(struct vmm_gpu_screen *s, u32 screen_width);
void vmm_gpu_screen_close(struct vmm_gpu_screen *s);
void vmm_gpu_screen_off(struct vmm_gpu_screen *s);
int vmm_gpu_screen_size(struct vmm_gpu_screen *s, u32 width, u32 height);
int vmm_gpu_screen_file(struct vmm_gpu_screen *s, const struct vmm_gpu_file_scanout *in, int fd);
u8 *vmm_gpu_screen_part(struct vmm_gpu_screen *s, const struct vmm_gpu_update *update);
void vmm_gpu_screen_changed(struct vmm_gpu_screen *s, const struct vmm_gpu_update *update);
void vmm_gpu_screen_show(struct vmm_gpu_screen *s, struct vmm_display *display);

/* ---- vhost_user_gpu.c: the socket ---- */

struct vmm_loop;
struct vmm_gpu_socket;

/**
 * struct vmm_gpu_host - the screen for a GPU
 * @loop: the main loop
 * @display: the screen, or NULL
 * @width: pixels of a row, reported to the guest
 * @height: rows
 * @node: path of the process's socket, for messages
 * @alone: the process has no other connection, so a message about its end is written here
 */
struct vmm_gpu_host {
	struct vmm_loop *loop;
	struct vmm_display *display;
	u32 width;
	u32 height;
	const char *node;
	bool alone;
};

struct vmm_gpu_socket *vmm_gpu_socket_create(const struct vmm_gpu_host *host);
void vmm_gpu_socket_destroy(struct vmm_gpu_socket *s);
int vmm_gpu_socket_open(struct vmm_gpu_socket *s);
int vmm_gpu_socket_take(struct vmm_gpu_socket *s, int sock);
bool vmm_gpu_socket_free(const struct vmm_gpu_socket *s);
void vmm_gpu_socket_close(struct vmm_gpu_socket *s);
void vmm_gpu_socket_off(struct vmm_gpu_socket *s);
int vmm_gpu_socket_serve(void *arg);
u64 vmm_gpu_socket_frames(const struct vmm_gpu_socket *s);

/* ---- screen_socket.c: a socket for a program that draws without a virtio GPU ---- */

struct vmm_config;
struct vmm_screen_socket;

int vmm_screen_socket_open(const struct vmm_config *cfg, struct vmm_loop *loop,
			   struct vmm_display *display, struct vmm_screen_socket **socket);
void vmm_screen_socket_close(struct vmm_screen_socket *socket);

#endif /* VHOST_USER_GPU_H */
