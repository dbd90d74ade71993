/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ranchu-vnc: shows a VM's screen to VNC viewers. Two processes: the broker has the VM's
 * control socket, and reads nothing from a network; the server has the viewers, the
 * screen's files, read-only, and a socket to the broker. All that it can ask
 * for there is a new frame, a source of its pixels, a key and a finger; and both pass the
 * clipboard on.
 */
#ifndef RANCHU_VNC_H
#define RANCHU_VNC_H

#include "types.h"

struct vmm_client;
struct _rfbScreenInfo;

/* Requests of the server to the broker. */
enum vnc_what {
	VNC_FRAME = 1,	/* put the newest frame into the screen's file; answered */
	VNC_KEY,	/* @a: key of a PC, @b: pressed */
	VNC_FINGER,	/* @a, @b: pixel of the guest's frame, @c: pressed */
	VNC_SOURCE,	/* pass source @a + @b << 32; answered, with its file unless it is gone */
	VNC_CLIPBOARD,	/* text follows; goes to the guest, or before the answer to a frame */
};

#define VNC_TEXT_MAX	15360	/* bytes of the guest's clipboard, UTF-8 */

/**
 * struct vnc_record - a request of the server, or the broker's answer
 * @what: enum vnc_what
 * @a: see there
 * @b: see there
 * @c: see there
 */
struct vnc_record {
	u32 what;
	s32 a;
	s32 b;
	s32 c;
};

/**
 * struct vnc_text - a record that is followed by text
 * @record: the record
 * @text: the rest of the message, without NUL
 */
struct vnc_text {
	struct vnc_record record;
	char text[VNC_TEXT_MAX];
};

/* ---- broker.c ---- */

int vnc_broker(struct vmm_client *client, int fd, int end_fd);

/* ---- server.c ---- */

/**
 * struct vnc_options - how viewers connect
 * @name: name of the VM
 * @listen_fd: socket to which they connect
 * @password: their password, or NULL
 */
struct vnc_options {
	const char *name;
	int listen_fd;
	const char *password;
};

struct vnc_server;

int vnc_server(const struct vnc_options *options, int screen_fd, int broker_fd);

/* Parts of vnc_server(), for tests. */
struct vnc_server *vnc_server_open(const struct vnc_options *options, int screen_fd,
				   int broker_fd);
void vnc_server_viewer(struct vnc_server *s, int fd);
int vnc_server_turn(struct vnc_server *s, bool frame, unsigned int wait_us);
void vnc_server_close(struct vnc_server *s);

/* ---- handshake.c ---- */

int vnc_handshake_open(int pair[2]);
void vnc_handshake_start(struct _rfbScreenInfo *rfb, const int pair[2], int fd);
bool vnc_handshake_drop(struct _rfbScreenInfo *rfb);
void vnc_handshake_watch(struct _rfbScreenInfo *rfb);

/* ---- keys.c ---- */

unsigned int vnc_key(u32 keysym);
unsigned int vnc_android_key(unsigned int key);

/* ---- text.c ---- */

size_t vnc_utf8(const char *latin1, size_t len, char *utf8);
size_t vnc_latin1(const char *utf8, size_t len, char *latin1);

/* ---- confine.c ---- */

int vnc_confine(void);

#endif /* RANCHU_VNC_H */
