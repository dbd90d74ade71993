// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tells the front end what is on the screens. Nothing here waits: messages that cannot be sent
 * now are sent when the front end has read.
 *
 * A front end that supports it gets the resource's own file, and then only messages about changed
 * pixels; other front ends get pixels.
 *
 * Source: QEMU, docs/interop/vhost-user-gpu.rst
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "display.h"
#include "host/log.h"
#include "host/unix.h"
#include "machine/machine.h"

/* Bytes of a message before the pixels. */
#define BEFORE	(sizeof(struct vmm_gpu_head) + sizeof(struct vmm_gpu_update))
#define FEATURES	(1ULL << GPU_P_EDID | 1ULL << GPU_P_MEMFD)

/* Steps of a new connection. */
enum { GREET_ASK, GREET_WAIT, GREET_TELL, GREET_DONE };

static bool has(const struct display *d, unsigned int feature)
{
	return d->features >> feature & 1;
}

/* ---- messages ---- */

/* Begins a message with @size bytes of payload, which the caller fills. */
static void *message(struct display *d, u32 request, u32 size)
{
	struct vmm_gpu_head *head = (void *)d->out;

	*head = (struct vmm_gpu_head){ .request = request, .size = size };
	d->out_len = sizeof(*head) + size;
	d->out_done = 0;
	return d->out + sizeof(*head);
}

static void make_greeting(struct display *d)
{
	if (d->greeted == GREET_ASK)
		message(d, GPU_GET_PROTOCOL_FEATURES, 0);
	else
		memcpy(message(d, GPU_SET_PROTOCOL_FEATURES, sizeof(d->features)), &d->features,
		       sizeof(d->features));
	d->greeted++;
	d->settled = d->greeted == GREET_DONE;
}

static void make_question(struct display *d)
{
	if (d->ask == DISPLAY_ASK_EDID && has(d, GPU_P_EDID))
		memcpy(message(d, GPU_GET_EDID, sizeof(u32)), &d->ask_scanout, sizeof(u32));
	else
		message(d, GPU_GET_DISPLAY_INFO, 0);
	d->ask_sent = true;
}

static bool by_file(const struct display *d, const struct gpu_scanout *scanout)
{
	return has(d, GPU_P_MEMFD) && scanout->resource &&
	       gpu_resource_is_bgrx(scanout->resource);
}

/* Makes a message for a scanout. Returns the file to send with it, or -1. */
static int make_scanout(struct display *d, unsigned int index)
{
	const struct gpu_scanout *scanout = &d->gpu->scanout[index];
	const struct gpu_resource *r = scanout->resource;
	struct vmm_gpu_scanout size = { .scanout = index };
	struct vmm_gpu_file_scanout file = { .scanout = index, .fourcc = GPU_FOURCC_XR24 };

	d->news[index].scanout = false;
	d->news[index].damage = (struct gpu_rect){ 0 };
	if (!by_file(d, scanout)) {
		if (r) {
			size.width = scanout->rect.width;
			size.height = scanout->rect.height;
			/* The screen is black until an update: all of it is damaged. */
			d->news[index].damage = (struct gpu_rect){ 0, 0, size.width, size.height };
		}
		memcpy(message(d, GPU_SCANOUT, sizeof(size)), &size, sizeof(size));
		return -1;
	}
	file.x = scanout->rect.x;
	file.y = scanout->rect.y;
	file.width = scanout->rect.width;
	file.height = scanout->rect.height;
	file.file_width = r->width;
	file.file_height = r->height;
	file.stride = 4 * r->width;
	memcpy(message(d, GPU_DMABUF_SCANOUT, sizeof(file)), &file, sizeof(file));
	return r->fd;
}

/* Makes an update of as many changed rows as fit into a message. */
static void make_update(struct display *d, unsigned int index)
{
	const struct gpu_scanout *scanout = &d->gpu->scanout[index];
	struct gpu_rect *damage = &d->news[index].damage;
	size_t row = 4 * (size_t)damage->width;
	u32 rows = (DISPLAY_OUT - BEFORE) / row;
	struct vmm_gpu_update update = { index, damage->x, damage->y, damage->width, 0 };
	u8 *to;
	u32 y;

	update.height = damage->height < rows ? damage->height : rows;
	to = message(d, GPU_UPDATE, sizeof(update) + row * update.height);
	memcpy(to, &update, sizeof(update));
	for (y = 0; y < update.height; y++)
		gpu_resource_row(scanout->resource, scanout->rect.x + damage->x,
				 scanout->rect.y + damage->y + y, damage->width,
				 (u32 *)(void *)(to + sizeof(update) + row * y));
	damage->y += update.height;
	damage->height -= update.height;
}

static void make_file_update(struct display *d, unsigned int index)
{
	const struct gpu_rect *damage = &d->news[index].damage;
	struct vmm_gpu_update update = {
		index, damage->x, damage->y, damage->width, damage->height,
	};

	memcpy(message(d, GPU_DMABUF_UPDATE, sizeof(update)), &update, sizeof(update));
	d->news[index].damage.height = 0;
	d->unshown = true;
}

static void make_cursor_image(struct display *d, unsigned int index)
{
	const struct gpu_cursor *cursor = &d->gpu->scanout[index].cursor;
	struct vmm_gpu_cursor *to = message(d, GPU_CURSOR_UPDATE, sizeof(*to));

	to->pos = (struct vmm_gpu_cursor_pos){ index, cursor->x, cursor->y };
	to->hot_x = cursor->hot_x;
	to->hot_y = cursor->hot_y;
	memcpy(to->pixels, cursor->pixels, sizeof(to->pixels));
	d->news[index].cursor_image = false;
	d->news[index].cursor_pos = !cursor->shown;
}

static void make_cursor_pos(struct display *d, unsigned int index)
{
	const struct gpu_cursor *cursor = &d->gpu->scanout[index].cursor;
	struct vmm_gpu_cursor_pos pos = { index, cursor->x, cursor->y };

	memcpy(message(d, cursor->shown ? GPU_CURSOR_POS : GPU_CURSOR_POS_HIDE, sizeof(pos)), &pos,
	       sizeof(pos));
	d->news[index].cursor_pos = false;
}

static bool can_update(const struct display *d, unsigned int index)
{
	const struct gpu_scanout *scanout = &d->gpu->scanout[index];

	return d->news[index].damage.height && scanout->resource &&
	       (!d->unshown || !by_file(d, scanout));
}

/* Makes the next message about a scanout; false if there is none. */
static bool make_news(struct display *d, unsigned int index, int *fd)
{
	struct display_news *news = &d->news[index];

	if (news->scanout)
		*fd = make_scanout(d, index);
	else if (news->cursor_image)
		make_cursor_image(d, index);
	else if (news->cursor_pos)
		make_cursor_pos(d, index);
	else if (!can_update(d, index))
		return false;
	else if (by_file(d, &d->gpu->scanout[index]))
		make_file_update(d, index);
	else
		make_update(d, index);
	return true;
}

/* Makes the next message; false if there is none. */
static bool make_next(struct display *d, int *fd)
{
	unsigned int i;

	*fd = -1;
	if (d->greeted == GREET_ASK || d->greeted == GREET_TELL) {
		make_greeting(d);
		return true;
	}
	if (!d->settled)
		return false;
	if (d->ask && !d->ask_sent) {
		make_question(d);
		return true;
	}
	for (i = 0; i < d->gpu->scanouts; i++) {
		if (make_news(d, i, fd))
			return true;
	}
	return false;
}

/* ---- sending ---- */

static int ready(void *arg);

static void give_up(struct display *d, int err)
{
	if (err != EPIPE && err != ECONNRESET)
		vmm_error(err, "the front end's screens");
	display_close(d);
}

/* Sends a part of the message, and a file with the first byte; false if the socket is full. */
static bool out_send(struct display *d, int fd)
{
	ssize_t n;
	int err;

	if (fd >= 0) {
		err = vmm_unix_send_files(d->sock, d->out, 1, &fd, 1, MSG_DONTWAIT);
		n = err ? -1 : 1;
		errno = -err;
	} else {
		n = send(d->sock, d->out + d->out_done, d->out_len - d->out_done,
			 MSG_DONTWAIT | MSG_NOSIGNAL);
	}
	if (n > 0) {
		d->out_done += n;
		if (d->out_done == d->out_len)
			d->out_len = 0;
		return true;
	}
	if (errno != EAGAIN && errno != EINTR)
		give_up(d, errno);
	return false;
}

static void watch(struct display *d, short events)
{
	if (events == d->watched)
		return;
	d->watched = events;
	vmm_loop_del(d->loop, d->sock);
	if (vmm_loop_watch(d->loop, d->sock, events, ready, d))
		give_up(d, EIO);
}

/*
 * Sends all messages. A message whose file could not be sent is made again later, from the
 * state at that time.
 */
static void push(struct display *d)
{
	bool more = true;
	int fd = -1;

	if (d->sock < 0)
		return;
	while (d->sock >= 0 && more) {
		if (!d->out_len && !make_next(d, &fd))
			return;
		more = out_send(d, fd);
		if (!more && fd >= 0 && d->sock >= 0) {
			unsigned int index = ((struct vmm_gpu_file_scanout *)
				(void *)(d->out + sizeof(struct vmm_gpu_head)))->scanout;

			d->out_len = 0;
			d->news[index].scanout = true;
		}
		fd = -1;
	}
	if (d->sock >= 0)
		watch(d, POLLIN | POLLOUT);
}

/* ---- receiving ---- */

static void take_features(struct display *d)
{
	u64 features;

	if (d->greeted != GREET_WAIT || d->in.head.size != sizeof(features)) {
		give_up(d, EPROTO);
		return;
	}
	memcpy(&features, d->in.data, sizeof(features));
	d->features = features & FEATURES;
	d->greeted = GREET_TELL;
}

static void take_message(struct display *d)
{
	switch (d->in.head.request) {
	case GPU_GET_PROTOCOL_FEATURES:
		take_features(d);
		break;
	case GPU_DMABUF_UPDATE:
		d->unshown = false;
		break;
	case GPU_GET_DISPLAY_INFO:
	case GPU_GET_EDID:
		if (d->unwanted) {
			d->unwanted--;
			return;
		}
		if (!d->ask_sent) {
			give_up(d, EPROTO);
			return;
		}
		d->ask = DISPLAY_ASK_NOTHING;
		d->ask_sent = false;
		d->answered(d->arg, d->in.data, d->in.head.size);
		break;
	default:
		give_up(d, EPROTO);
	}
}

/* Receives and handles bytes; false if there are no more now. */
static bool receive(struct display *d)
{
	size_t want = sizeof(d->in.head);
	ssize_t n;

	if (d->in_len >= want)
		want += d->in.head.size;
	n = recv(d->sock, (u8 *)&d->in + d->in_len, want - d->in_len, MSG_DONTWAIT);
	if (n <= 0) {
		if (!n)
			give_up(d, EPIPE);
		else if (errno != EAGAIN && errno != EINTR)
			give_up(d, errno);
		return false;
	}
	d->in_len += n;
	if (d->in_len < sizeof(d->in.head))
		return true;
	if (d->in.head.size > sizeof(d->in.data)) {
		give_up(d, EMSGSIZE);
		return false;
	}
	if (d->in_len < sizeof(d->in.head) + d->in.head.size)
		return true;
	d->in_len = 0;
	take_message(d);
	return d->sock >= 0;
}

static int ready(void *arg)
{
	struct display *d = arg;

	watch(d, POLLIN);
	while (d->sock >= 0 && receive(d))
		;
	push(d);
	return 0;
}

/* ---- callbacks of the device ---- */

static void on_scanout(void *arg, unsigned int scanout)
{
	struct display *d = arg;

	d->news[scanout].scanout = true;
	push(d);
}

static u32 smaller(u32 a, u32 b)
{
	return a < b ? a : b;
}

static u32 larger(u32 a, u32 b)
{
	return a > b ? a : b;
}

static void on_damage(void *arg, unsigned int scanout, const struct gpu_rect *rect)
{
	struct display *d = arg;
	struct gpu_rect *damage = &d->news[scanout].damage;

	if (damage->height) {
		u32 right = larger(damage->x + damage->width, rect->x + rect->width);
		u32 bottom = larger(damage->y + damage->height, rect->y + rect->height);

		damage->x = smaller(damage->x, rect->x);
		damage->y = smaller(damage->y, rect->y);
		damage->width = right - damage->x;
		damage->height = bottom - damage->y;
	} else {
		*damage = *rect;
	}
	push(d);
}

static void on_cursor_image(void *arg, unsigned int scanout)
{
	struct display *d = arg;

	d->news[scanout].cursor_image = true;
	push(d);
}

static void on_cursor_pos(void *arg, unsigned int scanout)
{
	struct display *d = arg;

	d->news[scanout].cursor_pos = true;
	push(d);
}

static bool on_ask(void *arg, bool edid, unsigned int scanout)
{
	struct display *d = arg;

	if (d->sock < 0)
		return false;
	d->ask = edid ? DISPLAY_ASK_EDID : DISPLAY_ASK_INFO;
	d->ask_scanout = scanout;
	d->ask_sent = false;
	push(d);
	return d->sock >= 0;
}

/**
 * display_unask - cancel a question
 * @d: the connection
 *
 * A late answer is ignored.
 */
void display_unask(struct display *d)
{
	if (d->ask && d->ask_sent)
		d->unwanted++;
	d->ask = DISPLAY_ASK_NOTHING;
	d->ask_sent = false;
}

/** Callbacks for the device. */
const struct gpu_display_ops display_ops = {
	.scanout = on_scanout,
	.damage = on_damage,
	.cursor_image = on_cursor_image,
	.cursor_pos = on_cursor_pos,
	.ask = on_ask,
};

/**
 * display_init - initialise a display
 * @d: @loop, @gpu, @answered and @arg are set
 *
 * Return: 0, or -ENOMEM
 */
int display_init(struct display *d)
{
	d->sock = -1;
	d->out = malloc(DISPLAY_OUT);
	return d->out ? 0 : -ENOMEM;
}

/**
 * display_open - connect a display to a front end
 * @d: closed
 * @sock: the connection, owned by the display from here on
 *
 * Return: 0, or -errno with nothing left behind
 */
int display_open(struct display *d, int sock)
{
	unsigned int i;
	int err = vmm_loop_add(d->loop, sock, ready, d);

	if (err) {
		close(sock);
		return err;
	}
	d->sock = sock;
	d->watched = POLLIN;
	d->unwanted = 0;
	d->features = 0;
	d->settled = false;
	d->greeted = GREET_ASK;
	d->unshown = false;
	d->ask = DISPLAY_ASK_NOTHING;
	d->ask_sent = false;
	d->out_len = 0;
	d->in_len = 0;
	for (i = 0; i < GPU_SCANOUTS; i++)
		d->news[i] = (struct display_news){ .scanout = d->gpu->scanout[i].resource };
	push(d);
	return 0;
}

/**
 * display_close - close the connection
 * @d: may be closed
 *
 * A pending question is answered with an error.
 */
void display_close(struct display *d)
{
	bool asked = d->ask;

	if (d->sock < 0)
		return;
	vmm_loop_del(d->loop, d->sock);
	close(d->sock);
	d->sock = -1;
	d->ask = DISPLAY_ASK_NOTHING;
	if (asked)
		d->answered(d->arg, NULL, 0);
}

/**
 * display_free - undo display_init()
 * @d: closed
 */
void display_free(struct display *d)
{
	free(d->out);
	d->out = NULL;
}
