// SPDX-License-Identifier: GPL-2.0-only
/*
 * The screen's connection to vmmctl: vmmctl gets the colour buffer's own file, and messages
 * when its pixels have changed. Posts are not queued: if a guest posts several times before
 * vmmctl has answered, only the newest picture is sent.
 *
 * Source: QEMU, docs/interop/vhost-user-gpu.rst
 */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/virtio_gpu.h>

#include "backends/vhost_user_gpu.h"
#include "host/log.h"
#include "host/unix.h"
#include "screen.h"

#define PATIENCE_MS	10000	/* timeout of vmmctl's first answer */

/**
 * struct words - the message that changes the shown file
 * @head: its header
 * @scanout: for showing nothing
 * @file: for showing a file, which is sent with the message
 */
struct words {
	struct vmm_gpu_head head;
	union {
		struct vmm_gpu_scanout scanout;
		struct vmm_gpu_file_scanout file;
	};
};

/* The message about changed pixels. vmmctl answers it. */
struct changed {
	struct vmm_gpu_head head;
	struct vmm_gpu_update update;
};

/**
 * screen_close - close the connection
 * @screen: may be closed
 */
void screen_close(struct screen *screen)
{
	if (screen->sock >= 0)
		close(screen->sock);
	screen->sock = -1;
}

static void screen_lost(struct screen *screen, int err)
{
	if (err != EPIPE && err != ECONNRESET)
		vmm_error(err, "the screen");
	screen_close(screen);
}

/* ---- messages ---- */

static size_t words_nothing(struct words *words)
{
	words->head = (struct vmm_gpu_head){
		.request = GPU_SCANOUT, .size = sizeof(words->scanout),
	};
	words->scanout = (struct vmm_gpu_scanout){ 0 };
	return sizeof(words->head) + sizeof(words->scanout);
}

static size_t words_file(struct words *words, const struct gles_buffer *buffer)
{
	words->head = (struct vmm_gpu_head){
		.request = GPU_DMABUF_SCANOUT, .size = sizeof(words->file),
	};
	words->file = (struct vmm_gpu_file_scanout){
		.width = buffer->width, .height = buffer->height,
		.file_width = buffer->width, .file_height = buffer->height,
		.stride = 4 * buffer->width, .fourcc = GPU_FOURCC_XR24,
	};
	return sizeof(words->head) + sizeof(words->file);
}

/* Sent in any case, because its answer shows that vmmctl is ready for more. */
static size_t words_changed(void *to, const struct gles_buffer *buffer)
{
	struct changed changed = {
		.head = { .request = GPU_DMABUF_UPDATE, .size = sizeof(changed.update) },
	};

	if (buffer) {
		changed.update.width = buffer->width;
		changed.update.height = buffer->height;
	}
	memcpy(to, &changed, sizeof(changed));
	return sizeof(changed);
}

/*
 * The socket accepts both messages at once: they are small, and it is empty, because vmmctl
 * has answered the last ones.
 */
static void screen_tell(struct screen *screen)
{
	const struct gles_buffer *buffer = screen->buffer;
	u32 handle = buffer ? buffer->handle : 0;
	u8 bytes[sizeof(struct words) + sizeof(struct changed)];
	struct words words;
	size_t len = 0;
	int err;

	if (screen->sock < 0 || !screen->news || screen->waits)
		return;
	if (handle != screen->shown) {
		len = buffer ? words_file(&words, buffer) : words_nothing(&words);
		memcpy(bytes, &words, len);
	}
	len += words_changed(bytes + len, buffer);
	err = vmm_unix_send_files(screen->sock, bytes, len, buffer ? &buffer->fd : NULL,
				  handle != screen->shown && buffer, MSG_DONTWAIT);
	if (err) {
		screen_lost(screen, -err);
		return;
	}
	screen->shown = handle;
	screen->news = false;
	screen->waits = true;
}

/**
 * screen_post - show a picture
 * @screen: the connection
 * @buffer: the picture, which exists until another one is posted; NULL for none
 */
void screen_post(struct screen *screen, const struct gles_buffer *buffer)
{
	screen->buffer = buffer;
	screen->news = true;
	screen_tell(screen);
}

/**
 * screen_ready - read vmmctl's answer, and send the next message
 * @screen: the connection, readable or at its end; may be closed
 */
void screen_ready(struct screen *screen)
{
	struct vmm_gpu_head head;
	ssize_t n;

	if (screen->sock < 0)
		return;
	n = recv(screen->sock, screen->in + screen->in_len, sizeof(head) - screen->in_len,
		 MSG_DONTWAIT);
	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n <= 0) {
		screen_lost(screen, n ? errno : EPIPE);
		return;
	}
	screen->in_len += n;
	if (screen->in_len < sizeof(head))
		return;
	screen->in_len = 0;
	memcpy(&head, screen->in, sizeof(head));
	if (head.request != GPU_DMABUF_UPDATE || head.size || !screen->waits) {
		screen_lost(screen, EPROTO);
		return;
	}
	screen->waits = false;
	screen_tell(screen);
}

/* ---- connecting, which waits for vmmctl ---- */

static int answer_read(int sock, void *to, size_t len)
{
	struct pollfd wait = { .fd = sock, .events = POLLIN };
	size_t done = 0;
	ssize_t n;

	while (done < len) {
		if (poll(&wait, 1, PATIENCE_MS) <= 0)
			return -ETIMEDOUT;
		n = recv(sock, (u8 *)to + done, len - done, 0);
		if (n <= 0)
			return n ? -errno : -EPIPE;
		done += n;
	}
	return 0;
}

static int size_ask(int sock, u32 *width, u32 *height)
{
	struct {
		struct vmm_gpu_head head;
		struct virtio_gpu_resp_display_info info;
	} __attribute__((packed)) answer;
	struct {
		struct vmm_gpu_head head;
		u32 features[2];
		struct vmm_gpu_head ask;
	} question = {
		.head = { .request = GPU_SET_PROTOCOL_FEATURES, .size = sizeof(question.features) },
		.features[GPU_P_MEMFD / 32] = 1U << GPU_P_MEMFD % 32,
		.ask = { .request = GPU_GET_DISPLAY_INFO },
	};
	int err = vmm_unix_send_files(sock, &question, sizeof(question), NULL, 0, 0);

	if (!err)
		err = answer_read(sock, &answer, sizeof(answer));
	if (err)
		return err;
	*width = le32toh(answer.info.pmodes[0].r.width);
	*height = le32toh(answer.info.pmodes[0].r.height);
	if (answer.head.request != GPU_GET_DISPLAY_INFO ||
	    answer.head.size != sizeof(answer.info) || !*width || *width > GLES_SIDE ||
	    !*height || *height > GLES_SIDE)
		return -EPROTO;
	return 0;
}

/**
 * screen_open - open the connection
 * @screen: filled
 * @sock: the socket, owned by the screen from here on; -1: none
 * @width: filled: pixels of a row; unchanged without a connection
 * @height: rows, likewise
 *
 * Return: 0, or -errno after a message
 */
int screen_open(struct screen *screen, int sock, u32 *width, u32 *height)
{
	int err;

	*screen = (struct screen){ .sock = sock };
	if (sock < 0)
		return 0;
	err = size_ask(sock, width, height);
	return err ? vmm_error(-err, "vmmctl does not send the size of the screen") : 0;
}
