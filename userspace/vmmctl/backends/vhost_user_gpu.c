// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmmctl's end of a GPU's display socket. The main loop calls it when something can be
 * read; nothing here waits. The process at the other end is not trusted: sizes are held
 * against what is there, and one that breaks the protocol has the socket closed, once said,
 * with its last frame on the screen.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/virtio_gpu.h>

#include "backends/vhost_user_gpu.h"
#include "host/display.h"
#include "host/edid.h"
#include "host/log.h"
#include "host/unix.h"
#include "machine/machine.h"

#define FEATURES	(1ULL << GPU_P_EDID | 1ULL << GPU_P_MEMFD)
#define TURN		(1024 * 1024)	/* bytes that are read before others in the loop */
#define ROWS		64		/* of an update, read at once */
#define PASSED		65536		/* bytes that are passed over at once */

/* Bytes of messages that are kept whole. */
union body {
	u64 features;
	u32 scanout;
	struct vmm_gpu_cursor_pos pos;
	struct vmm_gpu_cursor cursor;
	struct vmm_gpu_scanout size;
	struct vmm_gpu_update update;
	struct vmm_gpu_file_scanout file;
};

/**
 * struct vmm_gpu_socket - the socket and what came by it
 * @host: what screens are shown on
 * @sock: the connection, or -1
 * @screen: scanout 0; there is no other
 * @features: of the protocol, as the process has chosen
 * @head: of the message that is received
 * @body: what follows, but for an update's pixels
 * @have: bytes received of @head and @body
 * @pixels: bytes received of an update's pixels
 * @fd: file that came with the message, or -1
 * @frames: updates so far
 * @producer: shows the scanout on the screen
 * @shown: it has taken the screen
 * @blamed: the user was told of pixels that cannot be shown
 */
struct vmm_gpu_socket {
	struct vmm_gpu_host host;
	int sock;
	struct vmm_gpu_screen screen;
	u64 features;
	struct vmm_gpu_head head;
	union body body;
	u32 have;
	u64 pixels;
	int fd;
	u64 frames;
	struct vmm_display_producer producer;
	bool shown;
	bool blamed;
};

/* ---- what is shown ---- */

static void screen_refresh(void *arg)
{
	struct vmm_gpu_socket *s = arg;

	vmm_gpu_screen_show(&s->screen, s->host.display);
}

/* A scanout hides the board's framebuffer as long as it is on. */
static void show(struct vmm_gpu_socket *s)
{
	bool on = s->screen.width;

	if (on == s->shown || !s->host.display)
		return;
	s->shown = on;
	if (on)
		vmm_display_take(s->host.display, &s->producer);
	else
		vmm_display_give_back(s->host.display, &s->producer);
}

/**
 * vmm_gpu_socket_off - show nothing
 * @s: the socket; it stays open
 *
 * Context: main thread.
 */
void vmm_gpu_socket_off(struct vmm_gpu_socket *s)
{
	s->screen.cursor.shown = false;
	vmm_gpu_screen_off(&s->screen);
	show(s);
}

/* ---- messages and their answers ---- */

static int answer(struct vmm_gpu_socket *s, const void *data, u32 size)
{
	struct {
		struct vmm_gpu_head head;
		u8 data[sizeof(struct virtio_gpu_resp_edid)];
	} msg = { .head = { s->head.request, GPU_REPLY, size } };

	if (size)
		memcpy(msg.data, data, size);
	/* One that lets its answers lie is given up. */
	return vmm_unix_send_files(s->sock, &msg, sizeof(msg.head) + size, NULL, 0, MSG_DONTWAIT);
}

static int get_features(struct vmm_gpu_socket *s)
{
	u64 features = FEATURES;

	return answer(s, &features, sizeof(features));
}

static int set_features(struct vmm_gpu_socket *s)
{
	s->features = s->body.features & FEATURES;
	return 0;
}

static int get_display_info(struct vmm_gpu_socket *s)
{
	struct virtio_gpu_resp_display_info info = {
		.hdr.type = htole32(VIRTIO_GPU_RESP_OK_DISPLAY_INFO),
		.pmodes[0] = {
			.r.width = htole32(s->host.width), .r.height = htole32(s->host.height),
			.enabled = htole32(1),
		},
	};

	return answer(s, &info, sizeof(info));
}

static int get_edid(struct vmm_gpu_socket *s)
{
	struct virtio_gpu_resp_edid edid = { 0 };

	if (s->body.scanout) {
		edid.hdr.type = htole32(VIRTIO_GPU_RESP_ERR_INVALID_SCANOUT_ID);
	} else {
		edid.hdr.type = htole32(VIRTIO_GPU_RESP_OK_EDID);
		edid.size = htole32(VMM_EDID_SIZE);
		vmm_edid_fill(edid.edid, s->host.width, s->host.height);
	}
	return answer(s, &edid, sizeof(edid));
}

static int cursor_move(struct vmm_gpu_socket *s)
{
	if (s->body.pos.scanout)
		return 0;
	s->screen.cursor.x = s->body.pos.x;
	s->screen.cursor.y = s->body.pos.y;
	s->screen.cursor.shown = s->head.request == GPU_CURSOR_POS;
	return 0;
}

static int cursor_update(struct vmm_gpu_socket *s)
{
	if (s->body.cursor.pos.scanout)
		return 0;
	s->screen.cursor.x = s->body.cursor.pos.x;
	s->screen.cursor.y = s->body.cursor.pos.y;
	s->screen.cursor.shown = true;
	memcpy(s->screen.cursor.pixels, s->body.cursor.pixels, sizeof(s->body.cursor.pixels));
	return 0;
}

static int set_scanout(struct vmm_gpu_socket *s)
{
	int err;

	if (s->body.size.scanout)
		return 0;
	err = vmm_gpu_screen_size(&s->screen, s->body.size.width, s->body.size.height);
	show(s);
	return err;
}

static int set_file_scanout(struct vmm_gpu_socket *s)
{
	int fd = s->fd;
	int err;

	if (s->body.file.scanout)
		return 0;
	if (fd >= 0 && !(s->features >> GPU_P_MEMFD & 1)) {
		/* Nothing tells one from a file that it would take for ever to read. */
		if (!s->blamed)
			vmm_note("virtio-gpu: %s sends dmabufs, which are not shown",
				 s->host.node);
		s->blamed = true;
		return 0;
	}
	if (fd < 0) {
		/* That is how the end of such a scanout is told. */
		vmm_gpu_screen_off(&s->screen);
		show(s);
		return 0;
	}
	s->fd = -1;
	err = vmm_gpu_screen_file(&s->screen, &s->body.file, fd);
	show(s);
	return err;
}

/* The file's pixels are read when somebody looks at the screen. */
static int file_updated(struct vmm_gpu_socket *s)
{
	if (!s->body.update.scanout)
		vmm_gpu_screen_changed(&s->screen, &s->body.update);
	__atomic_fetch_add(&s->frames, 1, __ATOMIC_RELAXED);
	return answer(s, NULL, 0);
}

/* Pixels have all been received. */
static int updated(struct vmm_gpu_socket *s)
{
	__atomic_fetch_add(&s->frames, 1, __ATOMIC_RELAXED);
	return 0;
}

/**
 * struct kind - a message of the process's
 * @size: bytes behind its head
 * @pixels: more follow
 * @take: takes it when it is complete: 0, or -errno if the process is to be given up
 */
static const struct kind {
	u32 size;
	bool pixels;
	int (*take)(struct vmm_gpu_socket *s);
} kinds[] = {
	[GPU_GET_PROTOCOL_FEATURES] = { 0, false, get_features },
	[GPU_SET_PROTOCOL_FEATURES] = { sizeof(u64), false, set_features },
	[GPU_GET_DISPLAY_INFO] = { 0, false, get_display_info },
	[GPU_CURSOR_POS] = { sizeof(struct vmm_gpu_cursor_pos), false, cursor_move },
	[GPU_CURSOR_POS_HIDE] = { sizeof(struct vmm_gpu_cursor_pos), false, cursor_move },
	[GPU_CURSOR_UPDATE] = { sizeof(struct vmm_gpu_cursor), false, cursor_update },
	[GPU_SCANOUT] = { sizeof(struct vmm_gpu_scanout), false, set_scanout },
	[GPU_UPDATE] = { sizeof(struct vmm_gpu_update), true, updated },
	[GPU_DMABUF_SCANOUT] = { sizeof(struct vmm_gpu_file_scanout), false, set_file_scanout },
	[GPU_DMABUF_UPDATE] = { sizeof(struct vmm_gpu_update), false, file_updated },
	[GPU_GET_EDID] = { sizeof(u32), false, get_edid },
};

/* ---- receiving ---- */

static void drop_file(struct vmm_gpu_socket *s)
{
	if (s->fd >= 0)
		close(s->fd);
	s->fd = -1;
}

/* Keeps the first file that comes, and closes all others. */
static void take_files(struct vmm_gpu_socket *s, struct msghdr *hdr)
{
	struct cmsghdr *cmsg;
	size_t i;
	int fd;

	for (cmsg = CMSG_FIRSTHDR(hdr); cmsg; cmsg = CMSG_NXTHDR(hdr, cmsg)) {
		if (cmsg->cmsg_level != SOL_SOCKET || cmsg->cmsg_type != SCM_RIGHTS)
			continue;
		for (i = 0; i < (cmsg->cmsg_len - CMSG_LEN(0)) / sizeof(fd); i++) {
			memcpy(&fd, CMSG_DATA(cmsg) + i * sizeof(fd), sizeof(fd));
			if (s->fd < 0)
				s->fd = fd;
			else
				close(fd);
		}
	}
}

/* Bytes, 0 if there are none yet, or -errno. Files are lost unless @files. */
static ssize_t receive(struct vmm_gpu_socket *s, struct iovec *iov, unsigned int count, bool files)
{
	union {
		struct cmsghdr head;
		u8 room[CMSG_SPACE(4 * sizeof(int))];
	} control;
	struct msghdr hdr = { .msg_iov = iov, .msg_iovlen = count };
	ssize_t n;

	if (files) {
		hdr.msg_control = &control;
		hdr.msg_controllen = sizeof(control);
	}
	do
		n = recvmsg(s->sock, &hdr, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	while (n < 0 && errno == EINTR);
	if (n < 0)
		return errno == EAGAIN ? 0 : -errno;
	if (files)
		take_files(s, &hdr);
	return n ? n : -EPIPE;
}

static const struct kind *kind_of(const struct vmm_gpu_socket *s)
{
	u32 request = s->head.request;

	return request < ARRAY_SIZE(kinds) && kinds[request].take ? &kinds[request] : NULL;
}

/* Whether the head says what it can say, once it is there. */
static int head_check(const struct vmm_gpu_socket *s)
{
	const struct kind *kind = kind_of(s);

	if (!kind)
		return -EOPNOTSUPP;
	if (kind->pixels ? s->head.size < kind->size : s->head.size != kind->size)
		return -EMSGSIZE;
	return 0;
}

/* Up to the end of the head, or of what follows. */
static ssize_t receive_fixed(struct vmm_gpu_socket *s)
{
	struct iovec iov;

	if (s->have < sizeof(s->head)) {
		iov = (struct iovec){ (u8 *)&s->head + s->have, sizeof(s->head) - s->have };
	} else {
		u32 at = s->have - sizeof(s->head);

		iov = (struct iovec){ (u8 *)&s->body + at, kind_of(s)->size - at };
	}
	return receive(s, &iov, 1, true);
}

/* Pixels for a scanout that is not there any more. */
static ssize_t pass_pixels(struct vmm_gpu_socket *s, u64 left)
{
	static u8 passed[PASSED];
	struct iovec iov = { passed, left < PASSED ? left : PASSED };

	return receive(s, &iov, 1, false);
}

/* Pixels go where they belong, some rows at a time. */
static ssize_t receive_pixels(struct vmm_gpu_socket *s, u64 total)
{
	u8 *to = s->body.update.scanout ? NULL :
					  vmm_gpu_screen_part(&s->screen, &s->body.update);
	size_t row = 4 * (size_t)s->body.update.width;
	struct iovec iov[ROWS];
	unsigned int count = 0;
	u64 at = s->pixels;

	if (!to)
		return pass_pixels(s, total - at);
	while (at < total && count < ROWS) {
		size_t in_row = at % row;

		iov[count++] = (struct iovec){
			to + at / row * s->screen.stride + in_row, row - in_row,
		};
		at += row - in_row;
	}
	return receive(s, iov, count, false);
}

static bool body_complete(const struct vmm_gpu_socket *s)
{
	return s->have >= sizeof(s->head) && s->have == sizeof(s->head) + kind_of(s)->size;
}

/*
 * Takes the next piece of a message, and the message if that was the last one.
 * Returns bytes, 0 if there are none yet, or -errno.
 */
static ssize_t advance(struct vmm_gpu_socket *s)
{
	ssize_t n = 0;
	u64 total = 0;
	int err;

	if (!body_complete(s)) {
		n = receive_fixed(s);
		if (n <= 0)
			return n;
		s->have += n;
		err = s->have >= sizeof(s->head) ? head_check(s) : 0;
		if (err)
			return err;
		if (!body_complete(s))
			return n;
	}
	if (kind_of(s)->pixels) {
		if (__builtin_mul_overflow(4ULL * s->body.update.width, s->body.update.height,
					   &total) || s->head.size - kind_of(s)->size != total)
			return -EPROTO;
	}
	if (s->pixels < total) {
		n = receive_pixels(s, total);
		if (n <= 0)
			return n;
		s->pixels += n;
		if (s->pixels < total)
			return n;
	}
	err = kind_of(s)->take(s);
	drop_file(s);
	s->have = 0;
	s->pixels = 0;
	return err ? err : n;
}

/**
 * vmm_gpu_socket_serve - take what can be read
 * @arg: the socket; may be closed
 *
 * Context: main thread; does not wait.
 * Return: 0
 */
int vmm_gpu_socket_serve(void *arg)
{
	struct vmm_gpu_socket *s = arg;
	ssize_t done = 0;
	ssize_t n = 1;

	while (s->sock >= 0 && n > 0 && done < TURN) {
		n = advance(s);
		done += n;
	}
	if (n >= 0 || s->sock < 0)
		return 0;
	/* That it is gone is said by whoever has its other connection, if there is one. */
	if (n != -EPIPE && n != -ECONNRESET)
		vmm_error(-n, "%s%s breaks the protocol of screens",
			  s->host.alone ? "" : "virtio-gpu: ", s->host.node);
	else if (s->host.alone)
		vmm_note("%s: the program that draws has ended%s", s->host.node,
			 s->screen.width ? ": its last frame stays" : "");
	vmm_gpu_socket_close(s);
	return 0;
}

/**
 * vmm_gpu_socket_create - prepare to show a GPU's screens
 * @host: what they are shown on
 *
 * Return: the socket, closed, or NULL
 */
struct vmm_gpu_socket *vmm_gpu_socket_create(const struct vmm_gpu_host *host)
{
	struct vmm_gpu_socket *s = calloc(1, sizeof(*s));

	if (!s)
		return NULL;
	s->host = *host;
	s->producer = (struct vmm_display_producer){
		.refresh = screen_refresh, .arg = s, .cursor = &s->screen.cursor,
	};
	s->sock = -1;
	s->fd = -1;
	if (!vmm_gpu_screen_open(&s->screen, host->width))
		return s;
	free(s);
	return NULL;
}

/**
 * vmm_gpu_socket_destroy - undo vmm_gpu_socket_create()
 * @s: may be NULL
 */
void vmm_gpu_socket_destroy(struct vmm_gpu_socket *s)
{
	if (!s)
		return;
	vmm_gpu_socket_close(s);
	vmm_gpu_socket_off(s);
	vmm_gpu_screen_close(&s->screen);
	free(s);
}

/**
 * vmm_gpu_socket_open - begin with another process
 * @s: closed
 *
 * What the last one has shown is shown no more.
 *
 * Context: main thread.
 * Return: the process's end, which is the caller's to pass on and to close; or -errno
 */
int vmm_gpu_socket_open(struct vmm_gpu_socket *s)
{
	int pair[2];
	int err;

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair))
		return -errno;
	err = vmm_gpu_socket_take(s, pair[0]);
	if (err) {
		close(pair[0]);
		close(pair[1]);
		return err;
	}
	return pair[1];
}

/**
 * vmm_gpu_socket_take - begin with another process that has made the connection itself
 * @s: closed
 * @sock: the connection, which is taken unless this fails
 *
 * What the last one has shown is shown no more.
 *
 * Context: main thread.
 * Return: 0, or -errno
 */
int vmm_gpu_socket_take(struct vmm_gpu_socket *s, int sock)
{
	int err;

	vmm_gpu_socket_off(s);
	err = vmm_loop_add(s->host.loop, sock, vmm_gpu_socket_serve, s);
	if (err)
		return err;
	s->sock = sock;
	s->features = 0;
	s->blamed = false;
	s->have = 0;
	s->pixels = 0;
	return 0;
}

/**
 * vmm_gpu_socket_free - tell whether there is no process
 * @s: the socket
 *
 * Return: true if it is closed
 */
bool vmm_gpu_socket_free(const struct vmm_gpu_socket *s)
{
	return s->sock < 0;
}

/**
 * vmm_gpu_socket_close - the process is gone
 * @s: may be closed; what it shows stays on the screen
 *
 * Context: main thread.
 */
void vmm_gpu_socket_close(struct vmm_gpu_socket *s)
{
	if (s->sock < 0)
		return;
	vmm_loop_del(s->host.loop, s->sock);
	close(s->sock);
	s->sock = -1;
	drop_file(s);
}

/**
 * vmm_gpu_socket_frames - count what was shown
 * @s: the socket
 *
 * Context: any thread: the number may be that of a moment ago.
 * Return: updates so far
 */
u64 vmm_gpu_socket_frames(const struct vmm_gpu_socket *s)
{
	return __atomic_load_n(&s->frames, __ATOMIC_RELAXED);
}
