/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A virtio-snd card: virtio_sound.c has its control and event queues, start and stop;
 * sound_stream.c has the messages of its two streams and their timing.
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
 * @pcm: state and parameters of the stream
 * @chain: the message that is being played or recorded, if @holds
 * @iov: buffers of @chain
 * @holds: a message was taken and not yet answered; later ones wait in the queue
 * @bytes: bytes of samples in that message
 * @due: end of the message, or the time to look at the queue again, in nanoseconds of the
 *	card's clock; 0 while the stream's time does not run
 * @left: nanoseconds of the first message that remain, 0 for all of them; valid while the
 *	stream's time does not run
 * @heard: the first message's samples have been played
 * @dry: the stream runs, and the queue is empty
 * @periods: counts completed messages; any thread reads it, as the next two
 * @gaps: counts gaps: messages that came late
 * @bad: counts refused messages
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
 * @told: the state that the driver was told last
 */
struct vmm_sound_jack {
	bool connected;
	bool told;
};

/**
 * struct vmm_sound_card - a card
 * @dev: its queues
 * @sound: where samples go to and come from
 * @now: returns nanoseconds of a monotonic clock; tests replace it
 * @stream: by number
 * @jack: by number; protected by the event queue's lock
 * @end_fd: eventfd: @thread is to end
 * @thread: serves the streams' timers
 */
struct vmm_sound_card {
	struct vmm_ring_device dev;
	struct vmm_sound *sound;
	u64 (*now)(void);
	struct vmm_sound_stream stream[VMM_SOUND_STREAMS];
	struct vmm_sound_jack jack[VMM_SOUND_JACKS];
	int end_fd;
	struct vmm_thread thread;
};

/* ---- sound_stream.c ---- */

bool vmm_sound_stream_kicked(struct vmm_sound_stream *stream);
void vmm_sound_stream_due(struct vmm_sound_stream *stream);
u32 vmm_sound_stream_request(struct vmm_sound_stream *stream, u32 code,
			     const struct virtio_snd_pcm_set_params *params);
void vmm_sound_stream_reset(struct vmm_sound_stream *stream);
void vmm_sound_stream_forget(struct vmm_sound_stream *stream);
void vmm_sound_stream_hold(struct vmm_sound_stream *stream);
void vmm_sound_stream_loaded(struct vmm_sound_stream *stream);

#endif /* DEVICES_SOUND_CARD_H */
