/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The connection by which the front end gets the content of the screens. Changes are kept as a
 * state, not as a queue: if the guest draws while the front end does not read, only the newest
 * state is sent.
 */
#ifndef DISPLAY_H
#define DISPLAY_H

#include "backends/vhost_user_gpu.h"
#include "gpu.h"

#define DISPLAY_OUT	(512 * 1024)	/* bytes of a message, at most */

struct vmm_loop;

/**
 * struct display_news - changes of a scanout that were not sent yet
 * @scanout: its resource or rectangle has changed
 * @damage: pixels that have changed
 * @cursor_image: the cursor's pixels have changed
 * @cursor_pos: the cursor's position has changed
 */
struct display_news {
	bool scanout;
	struct gpu_rect damage;
	bool cursor_image;
	bool cursor_pos;
};

/**
 * enum display_ask - a question to the front end
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
 * @gpu: the device
 * @answered: called with the answer to a question
 * @arg: first argument of @answered
 * @sock: the connection, or -1
 * @features: negotiated features
 * @settled: @features was negotiated
 * @greeted: progress of the negotiation
 * @news: by scanout
 * @unshown: an update of a file was not acknowledged yet
 * @ask: the pending question
 * @ask_scanout: the scanout of the question
 * @ask_sent: the question was sent
 * @unwanted: number of late answers to ignore
 * @watched: awaited events, as for poll()
 * @out: the message that is being sent, @out_len bytes
 * @out_len: bytes of @out, 0 for no message
 * @out_done: bytes of @out that were sent
 * @in: received bytes
 * @in_len: bytes in @in
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
