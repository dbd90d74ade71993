// SPDX-License-Identifier: GPL-2.0-only
/*
 * The messages of a sound card's stream, and their timing. A driver takes a returned message
 * for a period that is over, so each is returned when its sound would have been heard. One
 * message at a time is taken from the queue, and the others wait there: a guest cannot make
 * vmmctl keep more than one.
 *
 * A message begins when the one before it ended, no matter when vmmctl looks; after a gap, it
 * begins when it arrives.
 *
 * Source: VIRTIO 1.2, 5.14.6.8 PCM I/O Messages
 */
#include <endian.h>
#include <sys/timerfd.h>

#include "devices/sound_card.h"
#include "host/iov.h"

#define SECOND_NS	1000000000ULL
/* A delay of the host is made up for, up to this time. */
#define LATE_MOST	SECOND_NS
/* Messages that are completed in a row before other work gets its turn. */
#define TURN		64
#define TURN_NS		1000000

static void wait_locked(const struct vmm_sound_stream *stream)
{
	struct itimerspec when = {
		.it_value = { stream->due / SECOND_NS, stream->due % SECOND_NS },
	};

	timerfd_settime(stream->timer_fd, TFD_TIMER_ABSTIME, &when, NULL);
}

static void count(u64 *counter)
{
	__atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

static u64 stream_now(const struct vmm_sound_stream *stream)
{
	return stream->card->now();
}

/* Bytes of samples in the message that was taken; 0 if it is invalid for this stream. */
static u32 message_bytes(const struct vmm_sound_stream *stream)
{
	const struct ranchu_chain *chain = &stream->chain;
	struct virtio_snd_pcm_xfer xfer;
	u64 bytes;

	if (vmm_iov_read(chain->iov, chain->n_out, 0, &xfer, sizeof(xfer)) != sizeof(xfer) ||
	    le32toh(xfer.stream_id) != stream->id ||
	    chain->in_len < sizeof(struct virtio_snd_pcm_status))
		return 0;
	bytes = stream->pcm.record ? chain->in_len - sizeof(struct virtio_snd_pcm_status) :
				     chain->out_len - sizeof(xfer);
	return vmm_pcm_takes(&stream->pcm, bytes) ? bytes : 0;
}

/* Returns the message. The status follows @recorded bytes and the buffer's unused part. */
static void message_answer_locked(struct vmm_sound_stream *stream, u32 status, u32 recorded)
{
	struct virtio_snd_pcm_status answer = { .status = htole32(status) };
	const struct ranchu_chain *chain = &stream->chain;
	u32 written = 0;

	if (chain->in_len >= sizeof(answer)) {
		u64 at = stream->pcm.record ? chain->in_len - sizeof(answer) : 0;

		written = recorded + vmm_iov_write(chain->iov + chain->n_out, chain->n_in, at,
						   &answer, sizeof(answer));
	}
	if (status != VIRTIO_SND_S_OK)
		count(&stream->bad);
	vmm_ring_push(stream->ring, chain, written);
}

/* Takes the first message from the queue; if there is none, asks for a kick. */
static bool message_take_locked(struct vmm_sound_stream *stream)
{
	struct vmm_ring *ring = stream->ring;

	stream->chain = (struct ranchu_chain){ .iov = stream->iov, .max = VMM_SOUND_PIECES };
	while (!vmm_ring_stopping(ring)) {
		if (ranchu_vq_next(&ring->vq, &stream->chain) > 0)
			return true;
		if (!ranchu_vq_enable_kicks(&ring->vq))
			break;
	}
	return false;
}

static void play_locked(struct vmm_sound_stream *stream)
{
	struct iovec part[VMM_SOUND_PIECES];
	unsigned int parts = vmm_iov_part(stream->chain.iov, stream->chain.n_out,
					  sizeof(struct virtio_snd_pcm_xfer), stream->bytes, part);

	if (!stream->heard)
		vmm_sound_play(stream->card->sound, part, parts, stream->bytes);
	stream->heard = true;
}

static void record_locked(struct vmm_sound_stream *stream)
{
	struct iovec part[VMM_SOUND_PIECES];
	unsigned int parts = vmm_iov_part(stream->chain.iov + stream->chain.n_out,
					  stream->chain.n_in, 0, stream->bytes, part);

	vmm_sound_record(stream->card->sound, part, parts, stream->bytes);
}

/* Begins the next message at time @from. Invalid messages are returned at once. */
static void next_locked(struct vmm_sound_stream *stream, u64 from)
{
	unsigned int turn = TURN;

	stream->due = 0;
	while (message_take_locked(stream)) {
		stream->bytes = message_bytes(stream);
		if (stream->bytes) {
			stream->holds = true;
			stream->due = from + (stream->left ? stream->left :
					      vmm_pcm_duration(&stream->pcm, stream->bytes));
			stream->left = 0;
			stream->dry = false;
			if (!stream->pcm.record)
				play_locked(stream);
			return;
		}
		message_answer_locked(stream, VIRTIO_SND_S_IO_ERR, 0);
		if (!--turn) {
			stream->due = from + TURN_NS;
			return;
		}
	}
	stream->dry = true;
}

static void over_locked(struct vmm_sound_stream *stream)
{
	u32 recorded = 0;

	if (stream->pcm.record) {
		record_locked(stream);
		recorded = stream->bytes;
	}
	message_answer_locked(stream, VIRTIO_SND_S_OK, recorded);
	stream->holds = false;
	stream->heard = false;
	count(&stream->periods);
}

/* Returns whether the queue and the stream run. */
static bool runs_locked(const struct vmm_sound_stream *stream)
{
	return stream->ring->live && stream->pcm.state == VMM_PCM_RUNNING;
}

/**
 * vmm_sound_stream_due - complete messages whose time is over
 * @stream: the stream
 *
 * Context: any thread.
 */
void vmm_sound_stream_due(struct vmm_sound_stream *stream)
{
	struct vmm_ring *ring = stream->ring;
	unsigned int turn = TURN;
	bool broken;
	u64 now;

	pthread_mutex_lock(&ring->lock);
	now = stream_now(stream);
	while (runs_locked(stream) && stream->due && stream->due <= now && turn--) {
		u64 from = stream->due;

		if (now - from > LATE_MOST)
			from = now;
		if (stream->holds)
			over_locked(stream);
		next_locked(stream, from);
	}
	if (ring->live) {
		vmm_ring_update(ring);
		wait_locked(stream);
	}
	broken = ring->live && ring->vq.fault;
	pthread_mutex_unlock(&ring->lock);
	if (broken)
		vmm_event_signal(stream->card->dev.err_fd);
}

/* Returns all queued messages with an error: the driver may not send any now. */
static void refuse_locked(struct vmm_sound_stream *stream)
{
	unsigned int most = stream->ring->vq.num;

	while (most-- && message_take_locked(stream))
		message_answer_locked(stream, VIRTIO_SND_S_IO_ERR, 0);
}

/**
 * vmm_sound_stream_kicked - the driver has sent messages
 * @stream: the stream
 *
 * Context: the queue's thread, with its lock held.
 * Return: as struct vmm_ring_device's @kicked
 */
bool vmm_sound_stream_kicked(struct vmm_sound_stream *stream)
{
	bool late = stream->dry;

	switch (stream->pcm.state) {
	case VMM_PCM_PREPARED:
	case VMM_PCM_STOPPED:
		/* The messages wait in the queue. */
		return false;
	case VMM_PCM_RUNNING:
		if (stream->due)
			return false;
		/* The stream may have been held by vmm_sound_stream_hold(). */
		vmm_sound_run(stream->card->sound, stream->pcm.record, true);
		next_locked(stream, stream_now(stream));
		if (late && stream->holds)
			count(&stream->gaps);
		wait_locked(stream);
		return false;
	default:
		refuse_locked(stream);
		return true;
	}
}

static void start_locked(struct vmm_sound_stream *stream)
{
	u64 now = stream_now(stream);

	vmm_sound_run(stream->card->sound, stream->pcm.record, true);
	if (stream->holds) {
		stream->due = now + stream->left;
		stream->left = 0;
	} else {
		next_locked(stream, now);
	}
	/* A driver may start a stream before it sends a message: that is no gap. */
	stream->dry = false;
}

static void stop_locked(struct vmm_sound_stream *stream)
{
	u64 now = stream_now(stream);

	vmm_sound_run(stream->card->sound, stream->pcm.record, false);
	if (stream->holds && stream->due)
		stream->left = stream->due > now ? stream->due - now : 1;
	stream->due = 0;
}

/* Returns all messages, at most as many as a queue can have. */
static void release_locked(struct vmm_sound_stream *stream)
{
	unsigned int most = stream->ring->vq.num;

	if (stream->holds)
		message_answer_locked(stream, VIRTIO_SND_S_OK, 0);
	while (most-- && message_take_locked(stream))
		message_answer_locked(stream, VIRTIO_SND_S_OK, 0);
	vmm_sound_stream_forget(stream);
}

static u32 request_locked(struct vmm_sound_stream *stream, u32 code,
			  const struct virtio_snd_pcm_set_params *params)
{
	enum vmm_pcm_state was = stream->pcm.state;
	u32 status;

	if (code == VIRTIO_SND_R_PCM_SET_PARAMS)
		return vmm_pcm_set_params(&stream->pcm, params);
	status = vmm_pcm_request(&stream->pcm, code);
	if (status != VIRTIO_SND_S_OK || was == stream->pcm.state)
		return status;
	switch (stream->pcm.state) {
	case VMM_PCM_PREPARED:
		vmm_sound_prepare(stream->card->sound, stream->pcm.record, &stream->pcm.format);
		break;
	case VMM_PCM_RUNNING:
		start_locked(stream);
		break;
	case VMM_PCM_STOPPED:
		stop_locked(stream);
		break;
	case VMM_PCM_RELEASED:
		release_locked(stream);
		break;
	default:
		break;
	}
	return status;
}

/**
 * vmm_sound_stream_request - handle a request of the control queue
 * @stream: the stream
 * @code: VIRTIO_SND_R_PCM_*
 * @params: a copy of the request, where it has parameters
 *
 * Context: the control queue's thread.
 * Return: the status to answer
 */
u32 vmm_sound_stream_request(struct vmm_sound_stream *stream, u32 code,
			     const struct virtio_snd_pcm_set_params *params)
{
	struct vmm_ring *ring = stream->ring;
	u32 status = VIRTIO_SND_S_IO_ERR;

	pthread_mutex_lock(&ring->lock);
	/* A driver may have set up no queue for the stream. */
	if (ring->live) {
		status = request_locked(stream, code, params);
		vmm_ring_update(ring);
		wait_locked(stream);
	}
	pthread_mutex_unlock(&ring->lock);
	return status;
}

/**
 * vmm_sound_stream_forget - drop the message that was taken
 * @stream: the stream; its queue's lock is held, or nobody uses it
 */
void vmm_sound_stream_forget(struct vmm_sound_stream *stream)
{
	stream->holds = false;
	stream->heard = false;
	stream->left = 0;
	stream->due = 0;
	stream->dry = false;
}

/**
 * vmm_sound_stream_reset - put a stream into its initial state
 * @stream: the stream; its queue is stopped
 */
void vmm_sound_stream_reset(struct vmm_sound_stream *stream)
{
	pthread_mutex_lock(&stream->ring->lock);
	vmm_sound_stream_forget(stream);
	vmm_pcm_reset(&stream->pcm);
	vmm_sound_run(stream->card->sound, stream->pcm.record, false);
	wait_locked(stream);
	pthread_mutex_unlock(&stream->ring->lock);
}

/**
 * vmm_sound_stream_hold - stop the stream's time until the queue is kicked again
 * @stream: the stream; the queue will be paused
 *
 * The message that was taken is put back into the queue, and is taken again later.
 */
void vmm_sound_stream_hold(struct vmm_sound_stream *stream)
{
	pthread_mutex_lock(&stream->ring->lock);
	stop_locked(stream);
	if (stream->holds && stream->ring->live)
		ranchu_vq_put_back(&stream->ring->vq, &stream->chain);
	stream->holds = false;
	stream->dry = false;
	wait_locked(stream);
	pthread_mutex_unlock(&stream->ring->lock);
}

/**
 * vmm_sound_stream_loaded - tell the host's sound the format and state of a loaded stream
 * @stream: the stream; its queue is not started yet
 */
void vmm_sound_stream_loaded(struct vmm_sound_stream *stream)
{
	switch (stream->pcm.state) {
	case VMM_PCM_PREPARED:
	case VMM_PCM_RUNNING:
	case VMM_PCM_STOPPED:
		vmm_sound_prepare(stream->card->sound, stream->pcm.record, &stream->pcm.format);
		break;
	default:
		break;
	}
}
