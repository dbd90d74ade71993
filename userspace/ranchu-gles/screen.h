/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The connections of ranchu-gles: to the screen, and to the guest's pipes and fences.
 */
#ifndef SCREEN_H
#define SCREEN_H

#include "gles.h"

/* ---- screen.c: the connection to vmmctl's screen ---- */

/**
 * struct screen - the connection to vmmctl's screen
 * @sock: the socket, or -1
 * @buffer: the picture to show, or NULL for none
 * @shown: handle of the picture that vmmctl shows, 0 for none
 * @news: @buffer has to be sent to vmmctl
 * @waits: an answer of vmmctl is outstanding
 * @in: received part of vmmctl's answer
 * @in_len: bytes of @in
 */
struct screen {
	int sock;
	const struct gles_buffer *buffer;
	u32 shown;
	bool news;
	bool waits;
	u8 in[64];
	size_t in_len;
};

int screen_open(struct screen *screen, int sock, u32 *width, u32 *height);
void screen_close(struct screen *screen);
void screen_post(struct screen *screen, const struct gles_buffer *buffer);
void screen_ready(struct screen *screen);

/* ---- server.c: pipes ---- */

#define SERVER_PIPES	64	/* pipes that the guest can have open */

int server_run(struct gles *gles, struct screen *screen, int services_fd, int sync_fd);

/* ---- confine.c ---- */

int gles_confine(u64 memory);

#endif /* SCREEN_H */
