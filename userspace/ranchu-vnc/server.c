// SPDX-License-Identifier: GPL-2.0-only
/*
 * The process that talks to viewers, by libvncserver. Frames are requested while a viewer
 * has finished its handshake; it listens on nothing but main.c's socket.
 */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>
#include <linux/input-event-codes.h>
#include <rfb/rfb.h>

#include "control/screen_view.h"
#include "host/log.h"
#include "ranchu_vnc.h"

#define FRAME_MS	33
#define SLOW_MS		2000	/* a viewer that takes longer to read is disconnected */
#define VIEWERS		8	/* limit of viewers after the handshake */
#define HANDSHAKES	40	/* limit of those in the handshake, by the files of the sandbox */
#define PLACES		(VIEWERS + HANDSHAKES)
#define HANDSHAKE_MS	60000	/* a client whose handshake takes longer is disconnected */

/**
 * struct viewer - a connected client; the library's client points to it
 * @used: the element is used
 * @in: it has finished the handshake
 * @since: when it connected, see now_ms()
 * @keys: a bit for each key that it holds
 */
struct viewer {
	bool used;
	bool in;
	u64 since;
	u8 keys[KEY_CNT / 8];
};

/**
 * struct vnc_server - viewers and what they see
 * @rfb: the library's server
 * @view: the screen
 * @pixels: the shown frame, one word per pixel
 * @row: buffer for a row
 * @pair: socket pair for new connections
 * @listen_fd: viewers connect to this
 * @broker_fd: connection to the broker
 * @viewer: connected clients
 * @viewers: number of connected clients
 * @in: number of those that have finished the handshake
 * @holders: number of viewers that hold each key
 * @pressed: the finger is down
 * @failed: the broker has ended
 */
struct vnc_server {
	rfbScreenInfoPtr rfb;
	struct vmm_screen_view view;
	u32 *pixels;
	u32 *row;
	int pair[2];
	int listen_fd;
	int broker_fd;
	struct viewer viewer[PLACES];
	unsigned int viewers;
	unsigned int in;
	u8 holders[KEY_CNT];
	bool pressed;
	bool failed;
};

static u64 now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

static void ask(struct vnc_server *s, u32 what, s32 a, s32 b, s32 c)
{
	struct vnc_record record = { what, a, b, c };

	if (send(s->broker_fd, &record, sizeof(record), MSG_NOSIGNAL) != sizeof(record))
		s->failed = true;
}

/*
 * Sends the guest's clipboard to viewers, as Latin-1, which all know. In libvncserver 0.9.14,
 * the function that sends a text to all includes clients that have not given the password, and
 * the one that sends UTF-8 sends a wrong length to the others.
 */
static void clipboard_show(struct vnc_server *s, const char *text, size_t len)
{
	rfbServerCutTextMsg head = { .type = rfbServerCutText };
	rfbClientIteratorPtr clients = rfbGetClientIterator(s->rfb);
	char latin1[VNC_TEXT_MAX];
	size_t n = vnc_latin1(text, len, latin1);
	rfbClientPtr client;

	head.length = htobe32(n);
	while ((client = rfbClientIteratorNext(clients))) {
		if (client->state != RFB_NORMAL)
			continue;
		if (rfbWriteExact(client, (char *)&head, sz_rfbServerCutTextMsg) < 0 ||
		    rfbWriteExact(client, latin1, n) < 0)
			rfbCloseClient(client);
	}
	rfbReleaseClientIterator(clients);
}

/* Waits for the answer: the broker is trusted. */
static void ask_frame(struct vnc_server *s)
{
	struct vnc_text answer;
	ssize_t n;

	ask(s, VNC_FRAME, 0, 0, 0);
	while (!s->failed) {
		n = recv(s->broker_fd, &answer, sizeof(answer), 0);
		if (n < (ssize_t)sizeof(answer.record))
			s->failed = true;
		else if (answer.record.what == VNC_FRAME)
			return;
		else if (answer.record.what == VNC_CLIPBOARD)
			clipboard_show(s, answer.text, n - sizeof(answer.record));
	}
}

/* Asks for a source's file. Waits for the answer, as ask_frame() does. */
static int ask_source(void *arg, u64 source)
{
	struct vnc_server *s = arg;
	union {
		struct cmsghdr head;
		u8 room[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct vnc_record answer;
	struct iovec iov = { &answer, sizeof(answer) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	int fd;

	ask(s, VNC_SOURCE, (u32)source, source >> 32, 0);
	if (s->failed || recvmsg(s->broker_fd, &msg, MSG_CMSG_CLOEXEC) != sizeof(answer) ||
	    answer.what != VNC_SOURCE) {
		s->failed = true;
		return -EIO;
	}
	if (!CMSG_FIRSTHDR(&msg) || control.head.cmsg_type != SCM_RIGHTS)
		return -ENOENT;
	memcpy(&fd, CMSG_DATA(&control.head), sizeof(fd));
	return fd;
}

/* Passes a viewer's text to the guest, unless it is too long. */
static void on_text(char *text, int len, rfbClientPtr client)
{
	struct vnc_text message = { .record.what = VNC_CLIPBOARD };
	struct vnc_server *s = client->screen->screenData;
	size_t size;

	if (len < 0 || len > VNC_TEXT_MAX)
		return;
	memcpy(message.text, text, len);
	size = sizeof(message.record) + len;
	if (send(s->broker_fd, &message, size, MSG_NOSIGNAL) != (ssize_t)size)
		s->failed = true;
}

static void on_latin1(char *text, int len, rfbClientPtr client)
{
	char utf8[2 * VNC_TEXT_MAX];

	if (len >= 0 && len <= VNC_TEXT_MAX)
		on_text(utf8, vnc_utf8(text, len, utf8), client);
}

/* Draws the changed part, and marks its changed rows for the viewers. */
static void frame_draw(struct vnc_server *s)
{
	u32 width = vmm_screen_view_width(&s->view);
	struct vmm_screen_part part;
	size_t size;
	u32 *to;
	u32 y;

	vmm_screen_view_changed(&s->view, &part);
	size = 4 * (size_t)(part.right - part.left);
	for (y = part.top; y < part.bottom; y++) {
		to = s->pixels + (size_t)y * width + part.left;
		vmm_screen_view_words(&s->view, part.left, y, part.right - part.left, s->row);
		if (!memcmp(s->row, to, size))
			continue;
		memcpy(to, s->row, size);
		rfbMarkRectAsModified(s->rfb, part.left, y, part.right, y + 1);
	}
}

static void format_set(rfbScreenInfoPtr rfb)
{
	rfb->serverFormat.redShift = 16;
	rfb->serverFormat.greenShift = 8;
	rfb->serverFormat.blueShift = 0;
}

/* A rotated screen has another shape. */
static void shape_check(struct vnc_server *s)
{
	int width = vmm_screen_view_width(&s->view);
	int height = vmm_screen_view_height(&s->view);

	if (s->rfb->width == width && s->rfb->height == height)
		return;
	rfbNewFramebuffer(s->rfb, (char *)s->pixels, width, height, 8, 3, 4);
	format_set(s->rfb);
}

static void frame_show(struct vnc_server *s)
{
	shape_check(s);
	frame_draw(s);
}

static void frame_take(struct vnc_server *s)
{
	ask_frame(s);
	if (!s->failed && vmm_screen_view_update(&s->view))
		frame_show(s);
}

static bool holds(const struct viewer *viewer, unsigned int key)
{
	return viewer->keys[key / 8] >> key % 8 & 1;
}

static void key_note(struct vnc_server *s, struct viewer *viewer, unsigned int key, bool down)
{
	if (holds(viewer, key) == down)
		return;
	viewer->keys[key / 8] ^= 1 << key % 8;
	s->holders[key] += down ? 1 : -1;
}

static void on_key(rfbBool down, rfbKeySym keysym, rfbClientPtr client)
{
	struct vnc_server *s = client->screen->screenData;
	unsigned int key = vnc_key(keysym);

	if (!key || (!down && !holds(client->clientData, key)))
		return;
	key_note(s, client->clientData, key, down);
	/* A key that is held down repeats. */
	if (down || !s->holders[key])
		ask(s, VNC_KEY, key, down, 0);
}

/* The left button is a finger. Motion without the button is ignored. */
static void on_pointer(int buttons, int x, int y, rfbClientPtr client)
{
	struct vnc_server *s = client->screen->screenData;
	bool pressed = buttons & 1;
	u32 from_x, from_y;

	if (pressed || s->pressed) {
		from_x = x < 0 ? 0 : x >= s->rfb->width ? s->rfb->width - 1 : x;
		from_y = y < 0 ? 0 : y >= s->rfb->height ? s->rfb->height - 1 : y;
		vmm_screen_view_from(&s->view, &from_x, &from_y);
		ask(s, VNC_FINGER, from_x, from_y, pressed);
	}
	s->pressed = pressed;
	rfbDefaultPtrAddEvent(buttons, x, y, client);
}

/* Releases what the client held. */
static void on_gone(rfbClientPtr client)
{
	struct vnc_server *s = client->screen->screenData;
	struct viewer *viewer = client->clientData;
	unsigned int key;

	for (key = 0; key < KEY_CNT; key++) {
		if (!holds(viewer, key))
			continue;
		key_note(s, viewer, key, false);
		if (!s->holders[key])
			ask(s, VNC_KEY, key, 0, 0);
	}
	s->in -= viewer->in;
	viewer->in = false;
	viewer->used = false;
	s->viewers--;
	/* The library accepts one pointing client at a time, and clears it after this. */
	if (!s->pressed || client->screen->pointerClient != client)
		return;
	ask(s, VNC_FINGER, 0, 0, 0);
	s->pressed = false;
}

static enum rfbNewClientAction on_new(rfbClientPtr client)
{
	struct vnc_server *s = client->screen->screenData;
	unsigned int i;

	for (i = 0; i < PLACES && s->viewer[i].used; i++)
		;
	if (i == PLACES || s->in == VIEWERS)
		return RFB_CLIENT_REFUSE;
	s->viewer[i].used = true;
	s->viewer[i].since = now_ms();
	s->viewers++;
	client->clientData = &s->viewer[i];
	client->clientGoneHook = on_gone;
	return RFB_CLIENT_ACCEPT;
}

/* By default the library listens at all addresses: here it must not listen. */
static int rfb_open(struct vnc_server *s, const struct vnc_options *options)
{
	static char *passwords[2];
	int width, height;

	vmm_screen_view_update(&s->view);
	width = vmm_screen_view_width(&s->view);
	height = vmm_screen_view_height(&s->view);
	s->pixels = calloc((size_t)width * height, sizeof(*s->pixels));
	s->row = calloc(width > height ? width : height, sizeof(*s->row));
	rfbLogEnable(FALSE);
	s->rfb = s->pixels && s->row ? rfbGetScreen(NULL, NULL, width, height, 8, 3, 4) : NULL;
	if (!s->rfb)
		return vmm_error(ENOMEM, "cannot set up the screen");
	s->rfb->screenData = s;
	s->rfb->frameBuffer = (char *)s->pixels;
	s->rfb->desktopName = options->name;
	s->rfb->autoPort = FALSE;
	s->rfb->port = -1;
	s->rfb->ipv6port = -1;
	s->rfb->httpPort = -1;
	s->rfb->alwaysShared = TRUE;
	s->rfb->maxClientWait = SLOW_MS;
	s->rfb->kbdAddEvent = on_key;
	s->rfb->ptrAddEvent = on_pointer;
	s->rfb->setXCutText = on_latin1;
	s->rfb->setXCutTextUTF8 = on_text;
	s->rfb->newClientHook = on_new;
	s->rfb->permitFileTransfer = FALSE;
	s->rfb->cursor = NULL;
	if (options->password) {
		passwords[0] = (char *)options->password;
		s->rfb->authPasswdData = passwords;
		s->rfb->passwordCheck = rfbCheckPasswordByList;
	}
	format_set(s->rfb);
	rfbInitServer(s->rfb);
	/* Shows a screen also if it never changes. */
	frame_show(s);
	return 0;
}

/**
 * vnc_server_viewer - add a viewer
 * @s: the server
 * @fd: its connection; always closed, since the client gets a duplicate
 */
void vnc_server_viewer(struct vnc_server *s, int fd)
{
	if (s->in < VIEWERS && s->viewers - s->in >= HANDSHAKES) {
		/* Considers what other clients have sent meanwhile. */
		vnc_handshake_watch(s->rfb);
		rfbProcessEvents(s->rfb, 0);
		vnc_handshake_drop(s->rfb);
	}
	vnc_handshake_start(s->rfb, s->pair, fd);
}

/* Disconnects viewers above the limit, the last first, and handshakes that take too long. */
static void handshakes_check(struct vnc_server *s)
{
	rfbClientIteratorPtr clients = rfbGetClientIterator(s->rfb);
	rfbClientPtr client;
	u64 now = now_ms();

	while ((client = rfbClientIteratorNext(clients))) {
		struct viewer *viewer = client->clientData;

		if (viewer->in)
			continue;
		if (client->state == RFB_NORMAL && s->in < VIEWERS) {
			viewer->in = true;
			s->in++;
		} else if (client->state == RFB_NORMAL || now >= viewer->since + HANDSHAKE_MS) {
			rfbCloseClient(client);
		}
	}
	rfbReleaseClientIterator(clients);
}

/**
 * vnc_server_turn - process viewers' messages, and send them changes
 * @s: the server
 * @frame: ask the VM for its newest frame first
 * @wait_us: how long to wait for messages, in microseconds
 *
 * Return: number of connected clients, or -EIO if the broker has ended
 */
int vnc_server_turn(struct vnc_server *s, bool frame, unsigned int wait_us)
{
	if (frame)
		frame_take(s);
	vnc_handshake_watch(s->rfb);
	rfbProcessEvents(s->rfb, wait_us);
	handshakes_check(s);
	return s->failed ? -EIO : (int)s->viewers;
}

/**
 * vnc_server_open - create the server
 * @options: how viewers connect
 * @screen_fd: the screen's file
 * @broker_fd: connection to the broker
 *
 * Return: the server, or NULL after a message
 */
struct vnc_server *vnc_server_open(const struct vnc_options *options, int screen_fd, int broker_fd)
{
	struct vnc_server *s = calloc(1, sizeof(*s));
	int err;

	if (!s) {
		vmm_error(ENOMEM, "cannot set up the screen");
		return NULL;
	}
	s->listen_fd = options->listen_fd;
	s->broker_fd = broker_fd;
	s->pair[0] = -1;
	s->pair[1] = -1;
	err = vmm_screen_view_open(&s->view, screen_fd, ask_source, s);
	if (err)
		vmm_error(-err, "the screen's file cannot be used");
	if (!err) {
		err = vnc_handshake_open(s->pair);
		if (err)
			vmm_error(-err, "cannot make a socket");
	}
	if (!err && !rfb_open(s, options))
		return s;
	vnc_server_close(s);
	return NULL;
}

/**
 * vnc_server_close - hang up on all viewers
 * @s: may be NULL
 */
void vnc_server_close(struct vnc_server *s)
{
	if (!s)
		return;
	if (s->rfb)
		rfbScreenCleanup(s->rfb);
	if (s->pair[0] >= 0) {
		close(s->pair[0]);
		close(s->pair[1]);
	}
	free(s->row);
	free(s->pixels);
	vmm_screen_view_close(&s->view);
	free(s);
}

static void viewer_accept(struct vnc_server *s)
{
	int fd = accept4(s->listen_fd, NULL, NULL, SOCK_CLOEXEC);

	if (fd >= 0)
		vnc_server_viewer(s, fd);
	else if (errno == ECONNABORTED || errno == EINTR)
		return;
	/* It stays in the queue until a client disconnects or times out, and frees a file. */
	else if (!vnc_handshake_drop(s->rfb))
		poll(NULL, 0, FRAME_MS);
}

/* Without viewers, sleeps until one connects, or the broker ends. */
static void wait_for_viewers(struct vnc_server *s)
{
	struct pollfd fds[] = {
		{ .fd = s->listen_fd, .events = POLLIN },
		{ .fd = s->broker_fd, .events = POLLIN },
	};

	if (poll(fds, ARRAY_SIZE(fds), s->viewers ? 0 : -1) <= 0)
		return;
	if (fds[0].revents)
		viewer_accept(s);
	/* It sends nothing unasked: it has ended. */
	if (fds[1].revents)
		s->failed = true;
}

/**
 * vnc_server - show a screen to viewers until the broker ends
 * @options: how viewers connect
 * @screen_fd: the screen's file
 * @broker_fd: connection to the broker
 *
 * Return: 0, or -errno after a message
 */
int vnc_server(const struct vnc_options *options, int screen_fd, int broker_fd)
{
	struct vnc_server *s = vnc_server_open(options, screen_fd, broker_fd);
	u64 next = 0;
	bool frame;
	int err;

	if (!s)
		return -EIO;
	err = vnc_confine();
	while (!err && !s->failed) {
		wait_for_viewers(s);
		if (!s->viewers)
			continue;
		frame = s->in && now_ms() >= next;
		vnc_server_turn(s, frame, FRAME_MS * 1000 / 2);
		if (frame)
			next = now_ms() + FRAME_MS;
	}
	vnc_server_close(s);
	return err;
}
