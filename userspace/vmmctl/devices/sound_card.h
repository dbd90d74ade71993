/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A virtio-snd card: virtio_sound.c has its control and event queues and its life,
 * sound_stream.c the messages of its two streams and the time that they take.
 */
#ifndef DEVICES_SOUND_CARD_H
#define DEVICES_SOUND_CARD_H

#include "devices/sound_pcm.h"
#include "virtio/ring.h"

/* Streams, by number; each has a queue of its own. */
enum { VMM_SOUND_PLAY, VMM_SOUND_RECORD, VMM_SOUND_STREAMS };

/* Jacks, by number. */
enum { VMM_SOUND_HEADPHONE, VMM_SOUND_MIC, VMM_SOUND_JACKS };

struct vmm_sound_card;

/**
 * struct vmm_sound_stream - a stream of a card
 * @card: the card
 * @id: VMM_SOUND_PLAY or VMM_SOUND_RECORD
 * @ring: queue of its messages, whose lock protects what follows
 * @timer_fd: expires when something is due
 * @pcm: how far its driver is, and its format
 * @chain: the message whose time passes, if @holds
 * @iov: memory of @chain
 * @holds: a message was taken and not yet answered; later ones wait in the queue
 * @bytes: of samples of that message
 * @due: when its time is over, or when the queue is looked at again; nanoseconds of the
 *	card's clock; 0 while no time passes
 * @left: nanoseconds of the first message that are still to come, 0 for all of them;
 *	valid while no time passes
 * @heard: the first message's samples have been played
 * @dry: time passes, and the driver has no message there
 * @periods: messages whose time was over; read by any, as the next two
 * @gaps: times that sound went on after the driver had been late
 * @bad: messages that were refused
 */
struct vmm_sound_stream {
	struct vmm_sound_card *card;
	unsigned int id;
	struct vmm_ring *ring;
	int timer_fd;
	struct vmm_pcm pcm;
	struct ranchu_chain chain;
	struct iovec iov[VMM_SOUND_PIECES];
	bool holds;
	u32 bytes;
	u64 due;
	u64 left;
	bool heard;
	bool dry;
	u64 periods;
	u64 gaps;
	u64 bad;
};

/**
 * struct vmm_sound_jack - a jack of a card
 * @connected: something is plugged in
 * @told: what the driver was told last
 */
struct vmm_sound_jack {
	bool connected;
	bool told;
};

/**
 * struct vmm_sound_card - a card
 * @dev: its queues
 * @sound: what its streams lead to
 * @now: tells nanoseconds of a clock that only goes on; tests have their own
 * @stream: by number
 * @jack: by number; protected by the event queue's lock
 * @end_fd: eventfd: @thread is to end
 * @thread: serves the streams' timers
 * @was_loaded: the streams are as they were saved; protected by the virtio device's lock
 */
struct vmm_sound_card {
	struct vmm_ring_device dev;
	struct vmm_sound *sound;
	u64 (*now)(void);
	struct vmm_sound_stream stream[VMM_SOUND_STREAMS];
	struct vmm_sound_jack jack[VMM_SOUND_JACKS];
	int end_fd;
	struct vmm_thread thread;
	bool was_loaded;
};

/* ---- sound_stream.c ---- */

bool vmm_sound_stream_kicked(struct vmm_sound_stream *stream);
void vmm_sound_stream_due(struct vmm_sound_stream *stream);
u32 vmm_sound_stream_request(struct vmm_sound_stream *stream, u32 code,
			     const struct virtio_snd_pcm_set_params *params);
void vmm_sound_stream_reset(struct vmm_sound_stream *stream);
void vmm_sound_stream_forget(struct vmm_sound_stream *stream);
void vmm_sound_stream_hold(struct vmm_sound_stream *stream);
void vmm_sound_stream_go_on(struct vmm_sound_stream *stream);

#endif /* DEVICES_SOUND_CARD_H */
