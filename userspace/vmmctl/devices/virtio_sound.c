// SPDX-License-Identifier: GPL-2.0-only
/*
 * virtio-snd: a card with a stream that plays and one that records, a jack for headphones
 * and one for a microphone, which can be plugged and unplugged, and channel maps of one
 * and two channels.
 *
 * A request is copied before it is parsed; an answer is at most a union card_items.
 *
 * Source: VIRTIO 1.2, 5.14; Intel, High Definition Audio Specification 1.0a, 7.3.3.31 and
 * 7.3.4.9 for the properties of jacks
 */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>
#include <linux/virtio_ids.h>

#include "devices/devices.h"
#include "devices/sound_card.h"
#include "host/iov.h"

#define CARD_QUEUE	64	/* entries */
#define CARD_BUFFERS	16	/* of a chain with a request or an event */

/* Headphones and microphone: at the front, by a plug of 3.5 mm, green and pink. */
#define HDA_HEADPHONE	0x02214010
#define HDA_MIC		0x02a19020
#define HDA_CAP_DETECT	(1 << 2)
#define HDA_CAP_AMP	(1 << 3)	/* for headphones */
#define HDA_CAP_OUT	(1 << 4)
#define HDA_CAP_IN	(1 << 5)

/**
 * struct jack_kind - constant properties of a jack
 * @name: for commands
 * @defconf: the pin's default configuration
 * @caps: its capabilities
 */
struct jack_kind {
	const char *name;
	u32 defconf;
	u32 caps;
};

static const struct jack_kind jack_kinds[VMM_SOUND_JACKS] = {
	[VMM_SOUND_HEADPHONE] = {
		"headphone", HDA_HEADPHONE, HDA_CAP_DETECT | HDA_CAP_AMP | HDA_CAP_OUT,
	},
	[VMM_SOUND_MIC] = { "mic", HDA_MIC, HDA_CAP_DETECT | HDA_CAP_IN },
};

static const struct virtio_snd_chmap_info chmaps[] = {
	{
		.direction = VIRTIO_SND_D_OUTPUT, .channels = 1,
		.positions = { VIRTIO_SND_CHMAP_MONO },
	}, {
		.direction = VIRTIO_SND_D_OUTPUT, .channels = 2,
		.positions = { VIRTIO_SND_CHMAP_FL, VIRTIO_SND_CHMAP_FR },
	}, {
		.direction = VIRTIO_SND_D_INPUT, .channels = 1,
		.positions = { VIRTIO_SND_CHMAP_MONO },
	}, {
		.direction = VIRTIO_SND_D_INPUT, .channels = 2,
		.positions = { VIRTIO_SND_CHMAP_FL, VIRTIO_SND_CHMAP_FR },
	},
};

/**
 * union card_request - a request of any kind
 * @hdr: its code
 * @query: a query of items
 * @pcm: a request for a stream
 * @params: a request with parameters for a stream
 */
union card_request {
	struct virtio_snd_hdr hdr;
	struct virtio_snd_query_info query;
	struct virtio_snd_pcm_hdr pcm;
	struct virtio_snd_pcm_set_params params;
};

/**
 * union card_items - all items of a query
 * @jack: all jacks
 * @pcm: all streams
 * @chmap: all channel maps
 */
union card_items {
	struct virtio_snd_jack_info jack[VMM_SOUND_JACKS];
	struct virtio_snd_pcm_info pcm[VMM_SOUND_STREAMS];
	struct virtio_snd_chmap_info chmap[ARRAY_SIZE(chmaps)];
};

/* ---- jacks ---- */

/* Takes a buffer for an event; if there is none, asks for a kick. */
static bool event_take_locked(struct vmm_ring *ring, struct ranchu_chain *chain)
{
	unsigned int most = ring->vq.num;

	/* The main thread may call this: the number of useless buffers is limited. */
	while (most-- && !vmm_ring_stopping(ring)) {
		if (ranchu_vq_next(&ring->vq, chain) > 0) {
			if (chain->in_len >= sizeof(struct virtio_snd_event))
				return true;
			/* A buffer that is too small for an event is returned unused. */
			vmm_ring_push(ring, chain, 0);
		} else if (!ranchu_vq_enable_kicks(&ring->vq)) {
			break;
		}
	}
	return false;
}

/* Sends events for jacks that have changed, as far as the driver has buffers. */
static void jacks_tell_locked(struct vmm_sound_card *card)
{
	struct vmm_ring *ring = &card->dev.ring[VIRTIO_SND_VQ_EVENT];
	struct iovec iov[CARD_BUFFERS];
	struct ranchu_chain chain = { .iov = iov, .max = CARD_BUFFERS };
	unsigned int i;

	for (i = 0; i < VMM_SOUND_JACKS; i++) {
		struct vmm_sound_jack *jack = &card->jack[i];
		struct virtio_snd_event event = {
			.hdr.code = htole32(jack->connected ? VIRTIO_SND_EVT_JACK_CONNECTED :
							      VIRTIO_SND_EVT_JACK_DISCONNECTED),
			.data = htole32(i),
		};

		if (jack->told == jack->connected)
			continue;
		if (!event_take_locked(ring, &chain))
			return;
		vmm_ring_push(ring, &chain, vmm_iov_write(iov + chain.n_out, chain.n_in, 0, &event,
							  sizeof(event)));
		jack->told = jack->connected;
	}
}

/* The answer has the jack's current state; later changes are sent as events. */
static void jack_info(struct vmm_sound_card *card, unsigned int jack,
		      struct virtio_snd_jack_info *info)
{
	struct vmm_ring *ring = &card->dev.ring[VIRTIO_SND_VQ_EVENT];

	pthread_mutex_lock(&ring->lock);
	*info = (struct virtio_snd_jack_info){
		.hda_reg_defconf = htole32(jack_kinds[jack].defconf),
		.hda_reg_caps = htole32(jack_kinds[jack].caps),
		.connected = card->jack[jack].connected,
	};
	card->jack[jack].told = card->jack[jack].connected;
	pthread_mutex_unlock(&ring->lock);
}

static void jack_plug(struct vmm_sound_card *card, unsigned int jack, bool connected)
{
	struct vmm_ring *ring = &card->dev.ring[VIRTIO_SND_VQ_EVENT];

	pthread_mutex_lock(&ring->lock);
	card->jack[jack].connected = connected;
	if (ring->live) {
		jacks_tell_locked(card);
		vmm_ring_update(ring);
	}
	pthread_mutex_unlock(&ring->lock);
}

static int jack_command(struct vmm_virtio *v, const char *arg)
{
	unsigned int i;

	for (i = 0; arg && i < VMM_SOUND_JACKS; i++) {
		size_t len = strlen(jack_kinds[i].name);
		bool on;

		if (strncmp(arg, jack_kinds[i].name, len))
			continue;
		on = !strcmp(arg + len, " on");
		if (!on && strcmp(arg + len, " off"))
			continue;
		jack_plug(v->state, i, on);
		return 0;
	}
	return vmm_error(-EINVAL, "jack: name one and its state: \"headphone on\", \"mic off\"");
}

/* ---- requests ---- */

/**
 * struct card_kind - items of one query
 * @code: code of the query
 * @total: number of items
 * @size: bytes of an item
 */
struct card_kind {
	u32 code;
	u32 total;
	u32 size;
};

static const struct card_kind card_kinds[] = {
	{ VIRTIO_SND_R_JACK_INFO, VMM_SOUND_JACKS, sizeof(struct virtio_snd_jack_info) },
	{ VIRTIO_SND_R_PCM_INFO, VMM_SOUND_STREAMS, sizeof(struct virtio_snd_pcm_info) },
	{ VIRTIO_SND_R_CHMAP_INFO, ARRAY_SIZE(chmaps), sizeof(struct virtio_snd_chmap_info) },
};

static const struct card_kind *kind_find(u32 code)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(card_kinds); i++) {
		if (card_kinds[i].code == code)
			return &card_kinds[i];
	}
	return NULL;
}

/* Fills the requested items. Returns their length in bytes. */
static u32 query_answer(struct vmm_sound_card *card, const struct card_kind *kind,
			const struct virtio_snd_query_info *query, union card_items *items,
			u32 *status)
{
	u32 start = le32toh(query->start_id);
	u32 count = le32toh(query->count);
	u32 i;

	if (start > kind->total || count > kind->total - start ||
	    le32toh(query->size) != kind->size)
		return 0;
	for (i = 0; i < count; i++) {
		if (kind->code == VIRTIO_SND_R_JACK_INFO)
			jack_info(card, start + i, &items->jack[i]);
		else if (kind->code == VIRTIO_SND_R_PCM_INFO)
			vmm_pcm_info(&card->stream[start + i].pcm, &items->pcm[i]);
		else
			items->chmap[i] = chmaps[start + i];
	}
	*status = VIRTIO_SND_S_OK;
	return count * kind->size;
}

/* Returns the length of a request with its code; 0 for an unknown one. */
static size_t request_size(u32 code)
{
	if (kind_find(code))
		return sizeof(struct virtio_snd_query_info);
	switch (code) {
	case VIRTIO_SND_R_PCM_SET_PARAMS:
		return sizeof(struct virtio_snd_pcm_set_params);
	case VIRTIO_SND_R_PCM_PREPARE:
	case VIRTIO_SND_R_PCM_RELEASE:
	case VIRTIO_SND_R_PCM_START:
	case VIRTIO_SND_R_PCM_STOP:
		return sizeof(struct virtio_snd_pcm_hdr);
	default:
		return 0;
	}
}

static u32 pcm_request(struct vmm_sound_card *card, const union card_request *request)
{
	u32 id = le32toh(request->pcm.stream_id);

	if (id >= VMM_SOUND_STREAMS)
		return VIRTIO_SND_S_BAD_MSG;
	return vmm_sound_stream_request(&card->stream[id], le32toh(request->hdr.code),
					&request->params);
}

/* Runs a request. Returns how many bytes follow the status. */
static u32 request_do(struct vmm_sound_card *card, const union card_request *request, size_t len,
		      union card_items *items, u32 *status)
{
	u32 code = le32toh(request->hdr.code);
	const struct card_kind *kind = kind_find(code);
	size_t size = request_size(code);

	*status = VIRTIO_SND_S_BAD_MSG;
	if (len < sizeof(request->hdr))
		return 0;
	if (!size)
		*status = VIRTIO_SND_S_NOT_SUPP;
	if (!size || len < size)
		return 0;
	if (kind)
		return query_answer(card, kind, &request->query, items, status);
	*status = pcm_request(card, request);
	return 0;
}

/* A driver that has no room for the whole answer gets the status alone. */
static u32 control_serve(struct vmm_sound_card *card, const struct ranchu_chain *chain)
{
	const struct iovec *in = chain->iov + chain->n_out;
	struct virtio_snd_hdr answer;
	union card_request request;
	union card_items items;
	u32 status, more;
	size_t len;

	if (chain->in_len < sizeof(answer))
		return 0;
	memset(&request, 0, sizeof(request));
	len = vmm_iov_read(chain->iov, chain->n_out, 0, &request, sizeof(request));
	more = request_do(card, &request, len, &items, &status);
	if (chain->in_len - sizeof(answer) < more) {
		status = VIRTIO_SND_S_BAD_MSG;
		more = 0;
	}
	answer.code = htole32(status);
	vmm_iov_write(in, chain->n_in, 0, &answer, sizeof(answer));
	return sizeof(answer) + vmm_iov_write(in, chain->n_in, sizeof(answer), &items, more);
}

static bool card_kicked(struct vmm_ring *ring)
{
	struct vmm_sound_card *card = container_of(ring->dev, struct vmm_sound_card, dev);
	struct iovec iov[CARD_BUFFERS];
	struct ranchu_chain chain = { .iov = iov, .max = CARD_BUFFERS };

	switch (ring->index) {
	case VIRTIO_SND_VQ_CONTROL:
		while (vmm_ring_next(ring, &chain) > 0)
			vmm_ring_push(ring, &chain, control_serve(card, &chain));
		return true;
	case VIRTIO_SND_VQ_EVENT:
		jacks_tell_locked(card);
		return false;
	default:
		return vmm_sound_stream_kicked(&card->stream[ring->index - VIRTIO_SND_VQ_TX]);
	}
}

/* ---- start, stop, pause ---- */

static u64 card_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

static void *card_main(void *arg)
{
	struct vmm_sound_card *card = arg;
	struct pollfd fds[] = {
		{ .fd = card->end_fd, .events = POLLIN },
		{ .fd = card->stream[VMM_SOUND_PLAY].timer_fd, .events = POLLIN },
		{ .fd = card->stream[VMM_SOUND_RECORD].timer_fd, .events = POLLIN },
	};
	u64 expirations;
	unsigned int i;

	for (;;) {
		poll(fds, ARRAY_SIZE(fds), -1);
		if (fds[0].revents)
			return NULL;
		for (i = 0; i < VMM_SOUND_STREAMS; i++) {
			int fd = fds[i + 1].fd;

			if (fds[i + 1].revents && read(fd, &expirations, sizeof(expirations)) > 0)
				vmm_sound_stream_due(&card->stream[i]);
		}
	}
}

/* A new driver queries the state of jacks. */
static void jacks_tell_nothing(struct vmm_sound_card *card)
{
	struct vmm_ring *ring = &card->dev.ring[VIRTIO_SND_VQ_EVENT];
	unsigned int i;

	pthread_mutex_lock(&ring->lock);
	for (i = 0; i < VMM_SOUND_JACKS; i++)
		card->jack[i].told = card->jack[i].connected;
	pthread_mutex_unlock(&ring->lock);
}

/* A driver that was loaded has queried the state of jacks before. */
static int card_start(struct vmm_virtio *v)
{
	struct vmm_sound_card *card = v->state;
	unsigned int i;

	for (i = 0; i < VMM_SOUND_STREAMS; i++) {
		if (v->loaded)
			vmm_sound_stream_loaded(&card->stream[i]);
		else
			vmm_sound_stream_reset(&card->stream[i]);
	}
	if (!v->loaded)
		jacks_tell_nothing(card);
	return vmm_ring_model_start(v);
}

static void card_stop(struct vmm_virtio *v)
{
	struct vmm_sound_card *card = v->state;
	unsigned int i;

	vmm_ring_model_stop(v);
	for (i = 0; i < VMM_SOUND_STREAMS; i++)
		vmm_sound_stream_reset(&card->stream[i]);
}

static void card_stop_queue(struct vmm_virtio *v, unsigned int queue)
{
	struct vmm_sound_card *card = v->state;
	struct vmm_ring *ring = &card->dev.ring[queue];

	vmm_ring_model_stop_queue(v, queue);
	if (queue < VIRTIO_SND_VQ_TX)
		return;
	pthread_mutex_lock(&ring->lock);
	vmm_sound_stream_forget(&card->stream[queue - VIRTIO_SND_VQ_TX]);
	pthread_mutex_unlock(&ring->lock);
}

static void card_pause(struct vmm_virtio *v)
{
	struct vmm_sound_card *card = v->state;
	unsigned int i;

	for (i = 0; i < VMM_SOUND_STREAMS; i++)
		vmm_sound_stream_hold(&card->stream[i]);
	vmm_ring_model_pause(v);
}

static void card_reset(struct vmm_virtio *v)
{
	struct vmm_sound_card *card = v->state;
	unsigned int i;

	pthread_mutex_lock(&v->lock);
	for (i = 0; i < VMM_SOUND_STREAMS; i++)
		vmm_sound_stream_reset(&card->stream[i]);
	jacks_tell_nothing(card);
	pthread_mutex_unlock(&v->lock);
}

static void card_free(struct vmm_sound_card *card)
{
	unsigned int i;

	for (i = 0; i < VMM_SOUND_STREAMS; i++) {
		if (card->stream[i].timer_fd >= 0)
			close(card->stream[i].timer_fd);
	}
	if (card->end_fd >= 0)
		close(card->end_fd);
	vmm_sound_close(card->sound);
	free(card);
}

static int streams_make(struct vmm_sound_card *card)
{
	struct vmm_sound_format only;
	bool one = vmm_sound_recorded_format(card->sound, &only);
	unsigned int i;

	for (i = 0; i < VMM_SOUND_STREAMS; i++) {
		struct vmm_sound_stream *stream = &card->stream[i];
		bool record = i == VMM_SOUND_RECORD;

		stream->card = card;
		stream->id = i;
		stream->ring = &card->dev.ring[VIRTIO_SND_VQ_TX + i];
		if (!vmm_pcm_init(&stream->pcm, record, record && one ? &only : NULL))
			return vmm_error(-EINVAL, "sound: no guest can record at a rate of %u Hz",
					 only.rate);
		stream->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
		if (stream->timer_fd < 0)
			return vmm_error(errno, "sound: cannot make a timer");
	}
	return 0;
}

static int card_open(struct vmm_sound_card *card, struct vmm_virtio *v)
{
	const struct vmm_builtin *asked = vmm_builtin_find(v->vm->cfg, VMM_BUILTIN_SOUND, v->index);
	struct vmm_sound_ends ends = {
		.option = "sound", .play = asked->play, .record = asked->record,
		.socket = asked->path,
	};
	int err;

	card->sound = vmm_sound_open(v->vm, &ends);
	if (!card->sound)
		return -EIO;
	card->end_fd = vmm_event_create();
	if (card->end_fd < 0)
		return card->end_fd;
	err = streams_make(card);
	return err ? err : vmm_ring_device_open(&card->dev, v, 0, card_kicked);
}

static int card_create(struct vmm_virtio *v)
{
	struct virtio_snd_config config = {
		.jacks = htole32(VMM_SOUND_JACKS), .streams = htole32(VMM_SOUND_STREAMS),
		.chmaps = htole32(ARRAY_SIZE(chmaps)),
	};
	struct vmm_sound_card *card = calloc(1, sizeof(*card));
	unsigned int i;
	int err;

	if (!card)
		return vmm_error(ENOMEM, "sound");
	card->now = card_now;
	card->end_fd = -1;
	for (i = 0; i < VMM_SOUND_STREAMS; i++)
		card->stream[i].timer_fd = -1;
	for (i = 0; i < VMM_SOUND_JACKS; i++)
		card->jack[i] = (struct vmm_sound_jack){ true, true };
	err = card_open(card, v);
	if (err) {
		card_free(card);
		return err;
	}
	vmm_thread_add(v->vm, &card->thread, "sound", card_main, card);
	v->state = card;
	vmm_virtio_config(v, &config, offsetof(struct virtio_snd_config, chmaps) +
			  sizeof(config.chmaps));
	return 0;
}

static void card_destroy(struct vmm_virtio *v)
{
	struct vmm_sound_card *card = v->state;

	vmm_event_signal(card->end_fd);
	vmm_thread_remove(v->vm, &card->thread);
	vmm_ring_device_close(&card->dev);
	card_free(card);
}

/* ---- saved state ---- */

/* Fields of the saved state; a number is never reused. */
enum { CARD_TAG_JACKS, CARD_TAG_STREAM };

/**
 * struct saved_stream - what is saved of a stream
 * @left: nanoseconds of the first message in the queue that remain, 0 for all
 * @params: parameters set by the driver
 * @state: enum vmm_pcm_state
 * @heard: the first message's samples have been played
 * @padding: 0
 */
struct saved_stream {
	__le64 left;
	struct virtio_snd_pcm_set_params params;
	u8 state;
	u8 heard;
	u8 padding[6];
};

static void card_save(struct vmm_virtio *v, struct vmm_state *state, u32 tag)
{
	struct vmm_sound_card *card = v->state;
	u8 jacks[VMM_SOUND_JACKS][2];
	unsigned int i;

	for (i = 0; i < VMM_SOUND_JACKS; i++) {
		jacks[i][0] = card->jack[i].connected;
		jacks[i][1] = card->jack[i].told;
	}
	vmm_state_put(state, tag + CARD_TAG_JACKS, jacks, sizeof(jacks));
	for (i = 0; i < VMM_SOUND_STREAMS; i++) {
		const struct vmm_sound_stream *stream = &card->stream[i];
		struct saved_stream saved = {
			.left = htole64(stream->left), .params = stream->pcm.params,
			.state = stream->pcm.state, .heard = stream->heard,
		};

		vmm_state_put(state, tag + CARD_TAG_STREAM + i, &saved, sizeof(saved));
	}
}

/* Loaded parameters are checked like those that a driver sets. */
static int stream_load(struct vmm_sound_stream *stream, const struct saved_stream *saved)
{
	static const u8 none[sizeof(saved->padding)];
	struct vmm_pcm *pcm = &stream->pcm;
	u64 left = le64toh(saved->left);

	vmm_sound_stream_forget(stream);
	vmm_pcm_reset(pcm);
	if (saved->state >= VMM_PCM_STATES || saved->heard > 1 ||
	    memcmp(saved->padding, none, sizeof(none)))
		return -EINVAL;
	if (saved->state == VMM_PCM_NEW)
		return left || saved->heard ? -EINVAL : 0;
	if (vmm_pcm_set_params(pcm, &saved->params) != VIRTIO_SND_S_OK ||
	    left > vmm_pcm_duration(pcm, le32toh(pcm->params.buffer_bytes)))
		return -EINVAL;
	pcm->state = saved->state;
	stream->left = left;
	stream->heard = saved->heard;
	return 0;
}

static int card_load(struct vmm_virtio *v, struct vmm_state *state, u32 tag, const u8 *config)
{
	struct vmm_sound_card *card = v->state;
	u8 jacks[VMM_SOUND_JACKS][2];
	struct saved_stream saved;
	unsigned int i;
	int err = 0;

	(void)config;
	vmm_state_get(state, tag + CARD_TAG_JACKS, jacks, sizeof(jacks));
	for (i = 0; !state->err && i < VMM_SOUND_JACKS; i++) {
		if (jacks[i][0] > 1 || jacks[i][1] > 1)
			return -EINVAL;
	}
	for (i = 0; !err && i < VMM_SOUND_STREAMS; i++) {
		vmm_state_get(state, tag + CARD_TAG_STREAM + i, &saved, sizeof(saved));
		err = state->err ? state->err : stream_load(&card->stream[i], &saved);
	}
	/* A reset does not change jacks, so they change last. */
	for (i = 0; !err && i < VMM_SOUND_JACKS; i++)
		card->jack[i] = (struct vmm_sound_jack){ jacks[i][0], jacks[i][1] };
	return err;
}

static void card_stats(struct vmm_virtio *v, struct vmm_report *report)
{
	const struct vmm_sound_card *card = v->state;
	u64 periods = 0, gaps = 0, bad = 0;
	unsigned int i;

	for (i = 0; i < VMM_SOUND_STREAMS; i++) {
		periods += __atomic_load_n(&card->stream[i].periods, __ATOMIC_RELAXED);
		gaps += __atomic_load_n(&card->stream[i].gaps, __ATOMIC_RELAXED);
		bad += __atomic_load_n(&card->stream[i].bad, __ATOMIC_RELAXED);
	}
	vmm_ring_model_stats(v, report);
	vmm_report_add(report, "sound_periods", periods);
	vmm_report_add(report, "sound_gaps", gaps);
	vmm_report_add(report, "sound_bad_messages", bad);
	vmm_report_add(report, "sound_lost_bytes", vmm_sound_lost(card->sound));
}

static unsigned int card_count(const struct vmm_config *cfg)
{
	return vmm_builtin_count(cfg, VMM_BUILTIN_SOUND);
}

static const struct vmm_virtio_command card_commands[] = {
	{ "jack", jack_command },
	{ 0 },
};

/** virtio-snd. */
const struct vmm_virtio_ops vmm_sound_ops = {
	.name = "sound",
	.id = VIRTIO_ID_SOUND,
	.queues = VIRTIO_SND_VQ_MAX,
	.queue_max = CARD_QUEUE,
	.count = card_count,
	.create = card_create,
	.destroy = card_destroy,
	.start = card_start,
	.stop = card_stop,
	.start_queue = vmm_ring_model_start_queue,
	.stop_queue = card_stop_queue,
	.reset = card_reset,
	.pause = card_pause,
	.resume = vmm_ring_model_resume,
	.base = vmm_ring_model_base,
	.save = card_save,
	.load = card_load,
	.stats = card_stats,
	.commands = card_commands,
};
