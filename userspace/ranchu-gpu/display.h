/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The connection by which the front end is told what is on the screens. What is to be told
 * is a state, not a queue: however much the guest draws while the front end does not read,
 * the newest is told, once.
 */
#ifndef DISPLAY_H
#define DISPLAY_H

#include "backends/vhost_user_gpu.h"
#include "gpu.h"

#define DISPLAY_OUT	(512 * 1024)	/* bytes of a message, at most */

struct vmm_loop;

/**
 * struct display_news - what has not been told of a scanout yet
 * @scanout: something else is on it
 * @damage: pixels that have changed
 * @cursor_image: the cursor has other pixels
 * @cursor_pos: the cursor is somewhere else
 */
struct display_news {
	bool scanout;
	struct gpu_rect damage;
	bool cursor_image;
	bool cursor_pos;
};

/**
 * enum display_ask - what the front end is asked
 * @DISPLAY_ASK_NOTHING: nothing
 * @DISPLAY_ASK_INFO: for the display info
 * @DISPLAY_ASK_EDID: for an EDID
 */
enum display_ask {
	DISPLAY_ASK_NOTHING,
	DISPLAY_ASK_INFO,
	DISPLAY_ASK_EDID,
};

/**
 * struct display - the connection
 * @loop: waits for it
 * @gpu: what is told of
 * @answered: called when the front end has answered what was asked
 * @arg: first argument of @answered
 * @sock: the connection, or -1
 * @features: those that both have
 * @settled: @features is known
 * @greeted: the front end was asked for them, or told
 * @news: by scanout
 * @unshown: an update of a file was not answered yet
 * @ask: what is asked
 * @ask_scanout: of which scanout
 * @ask_sent: it was sent
 * @unwanted: answers that will come and that nobody waits for any more
 * @watched: what is waited for, as poll() wants it
 * @out: what is sent, @out_len bytes
 * @out_len: 0 for nothing
 * @out_done: bytes of it that were sent
 * @in: what is received
 * @in_len: bytes of it
 */
struct display {
	struct vmm_loop *loop;
	struct gpu *gpu;
	void (*answered)(void *arg, const void *data, size_t len);
	void *arg;
	int sock;
	u64 features;
	bool settled;
	unsigned int greeted;
	struct display_news news[GPU_SCANOUTS];
	bool unshown;
	enum display_ask ask;
	u32 ask_scanout;
	bool ask_sent;
	unsigned int unwanted;
	short watched;
	u8 *out;
	size_t out_len;
	size_t out_done;
	struct {
		struct vmm_gpu_head head;
		u8 data[sizeof(struct virtio_gpu_resp_edid)];
	} in;
	size_t in_len;
};

extern const struct gpu_display_ops display_ops;

int display_init(struct display *d);
int display_open(struct display *d, int sock);
void display_unask(struct display *d);
void display_close(struct display *d);
void display_free(struct display *d);

#endif /* DISPLAY_H */
