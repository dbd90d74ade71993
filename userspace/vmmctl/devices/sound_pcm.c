// SPDX-License-Identifier: GPL-2.0-only
/*
 * A PCM stream's formats, parameters and states.
 *
 * Source: VIRTIO 1.2, 5.14.6.6 PCM Control Messages
 */
#include <endian.h>
#include <string.h>

#include "devices/sound_pcm.h"

#define SECOND_NS	1000000000ULL

/**
 * struct pcm_format - a format of samples
 * @bit: virtio's number
 * @bits: of a sample
 * @is_float: samples are floating point numbers
 */
struct pcm_format {
	unsigned int bit;
	u16 bits;
	bool is_float;
};

static const struct pcm_format pcm_formats[] = {
	{ VIRTIO_SND_PCM_FMT_U8, 8, false },
	{ VIRTIO_SND_PCM_FMT_S16, 16, false },
	{ VIRTIO_SND_PCM_FMT_S32, 32, false },
	{ VIRTIO_SND_PCM_FMT_FLOAT, 32, true },
};

/* By virtio's number; 0 for one that is not offered. */
static const u32 pcm_rates[] = {
	[VIRTIO_SND_PCM_RATE_8000] = 8000,
	[VIRTIO_SND_PCM_RATE_11025] = 11025,
	[VIRTIO_SND_PCM_RATE_16000] = 16000,
	[VIRTIO_SND_PCM_RATE_22050] = 22050,
	[VIRTIO_SND_PCM_RATE_32000] = 32000,
	[VIRTIO_SND_PCM_RATE_44100] = 44100,
	[VIRTIO_SND_PCM_RATE_48000] = 48000,
	[VIRTIO_SND_PCM_RATE_64000] = 64000,
	[VIRTIO_SND_PCM_RATE_88200] = 88200,
	[VIRTIO_SND_PCM_RATE_96000] = 96000,
};

#define STATE(state)	(1U << VMM_PCM_##state)

/**
 * struct pcm_step - what a request does
 * @code: the request
 * @from: states in which it is allowed
 * @next: the next state
 *
 * STOP and RELEASE may be repeated: Linux' driver stops a paused stream again, and releases
 * a stream again when a signal has interrupted its wait.
 */
struct pcm_step {
	u32 code;
	unsigned int from;
	enum vmm_pcm_state next;
};

static const struct pcm_step pcm_next[] = {
	{ VIRTIO_SND_R_PCM_SET_PARAMS,
	  STATE(NEW) | STATE(SET) | STATE(PREPARED) | STATE(RELEASED), VMM_PCM_SET },
	{ VIRTIO_SND_R_PCM_PREPARE,
	  STATE(SET) | STATE(PREPARED) | STATE(RELEASED), VMM_PCM_PREPARED },
	{ VIRTIO_SND_R_PCM_START, STATE(PREPARED) | STATE(STOPPED), VMM_PCM_RUNNING },
	{ VIRTIO_SND_R_PCM_STOP, STATE(RUNNING) | STATE(STOPPED), VMM_PCM_STOPPED },
	{ VIRTIO_SND_R_PCM_RELEASE,
	  STATE(PREPARED) | STATE(STOPPED) | STATE(RELEASED), VMM_PCM_RELEASED },
};

/* Allows one format only; false if there is no number for it. */
static bool pcm_only(struct vmm_pcm *pcm, const struct vmm_sound_format *only)
{
	unsigned int i;

	pcm->formats = 0;
	pcm->rates = 0;
	for (i = 0; i < ARRAY_SIZE(pcm_formats); i++) {
		if (pcm_formats[i].bits == only->bits && pcm_formats[i].is_float == only->is_float)
			pcm->formats = 1ULL << pcm_formats[i].bit;
	}
	for (i = 0; i < ARRAY_SIZE(pcm_rates); i++) {
		if (pcm_rates[i] && pcm_rates[i] == only->rate)
			pcm->rates = 1ULL << i;
	}
	pcm->channels_min = only->channels;
	pcm->channels_max = only->channels;
	return pcm->formats && pcm->rates && only->channels <= VMM_PCM_CHANNELS;
}

/**
 * vmm_pcm_init - initialise a stream
 * @pcm: filled
 * @record: its direction
 * @only: the only format that it supports, or NULL for all
 *
 * Return: whether virtio-snd has numbers for that format
 */
bool vmm_pcm_init(struct vmm_pcm *pcm, bool record, const struct vmm_sound_format *only)
{
	unsigned int i;

	*pcm = (struct vmm_pcm){
		.record = record, .channels_min = 1, .channels_max = VMM_PCM_CHANNELS,
	};
	if (only)
		return pcm_only(pcm, only);
	for (i = 0; i < ARRAY_SIZE(pcm_formats); i++)
		pcm->formats |= 1ULL << pcm_formats[i].bit;
	for (i = 0; i < ARRAY_SIZE(pcm_rates); i++)
		pcm->rates |= pcm_rates[i] ? 1ULL << i : 0;
	return true;
}

/**
 * vmm_pcm_reset - put a stream into its initial state
 * @pcm: the stream
 */
void vmm_pcm_reset(struct vmm_pcm *pcm)
{
	pcm->state = VMM_PCM_NEW;
	memset(&pcm->params, 0, sizeof(pcm->params));
	memset(&pcm->format, 0, sizeof(pcm->format));
}

/**
 * vmm_pcm_info - describe a stream's capabilities
 * @pcm: the stream
 * @info: filled
 */
void vmm_pcm_info(const struct vmm_pcm *pcm, struct virtio_snd_pcm_info *info)
{
	*info = (struct virtio_snd_pcm_info){
		.formats = htole64(pcm->formats),
		.rates = htole64(pcm->rates),
		.direction = pcm->record ? VIRTIO_SND_D_INPUT : VIRTIO_SND_D_OUTPUT,
		.channels_min = pcm->channels_min,
		.channels_max = pcm->channels_max,
	};
}

static const struct pcm_format *format_find(unsigned int bit)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(pcm_formats); i++) {
		if (pcm_formats[i].bit == bit)
			return &pcm_formats[i];
	}
	return NULL;
}

static bool bit_is_set(u64 bits, unsigned int bit)
{
	return bit < 64 && bits >> bit & 1;
}

static bool sizes_fit(u32 buffer, u32 period, u32 frame)
{
	return period && buffer <= VMM_PCM_BUFFER && period <= buffer && !(buffer % period) &&
	       !(period % frame);
}

/**
 * vmm_pcm_set_params - take a driver's parameters
 * @pcm: the stream
 * @params: a copy of the request
 *
 * Return: the status to answer; nothing is changed unless it is VIRTIO_SND_S_OK
 */
u32 vmm_pcm_set_params(struct vmm_pcm *pcm, const struct virtio_snd_pcm_set_params *params)
{
	struct vmm_sound_format format;

	if (params->padding || !params->channels)
		return VIRTIO_SND_S_BAD_MSG;
	if (params->features || !bit_is_set(pcm->formats, params->format) ||
	    !bit_is_set(pcm->rates, params->rate) || params->channels < pcm->channels_min ||
	    params->channels > pcm->channels_max)
		return VIRTIO_SND_S_NOT_SUPP;
	format = (struct vmm_sound_format){
		.rate = pcm_rates[params->rate],
		.channels = params->channels,
		.bits = format_find(params->format)->bits,
		.is_float = format_find(params->format)->is_float,
	};
	if (!sizes_fit(le32toh(params->buffer_bytes), le32toh(params->period_bytes),
		       vmm_sound_frame(&format)))
		return VIRTIO_SND_S_BAD_MSG;
	if (vmm_pcm_request(pcm, VIRTIO_SND_R_PCM_SET_PARAMS) != VIRTIO_SND_S_OK)
		return VIRTIO_SND_S_BAD_MSG;
	pcm->params = *params;
	pcm->format = format;
	return VIRTIO_SND_S_OK;
}

/**
 * vmm_pcm_request - change to the state that a request leads to
 * @pcm: the stream
 * @code: the request
 *
 * Return: the status to answer; the state does not change unless it is VIRTIO_SND_S_OK
 */
u32 vmm_pcm_request(struct vmm_pcm *pcm, u32 code)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(pcm_next); i++) {
		if (pcm_next[i].code != code)
			continue;
		if (!(pcm_next[i].from & 1U << pcm->state))
			return VIRTIO_SND_S_BAD_MSG;
		pcm->state = pcm_next[i].next;
		return VIRTIO_SND_S_OK;
	}
	return VIRTIO_SND_S_NOT_SUPP;
}

/**
 * vmm_pcm_takes - return whether a message can have so many bytes of samples
 * @pcm: the stream; its parameters are set
 * @bytes: how many
 *
 * Return: whether it can: whole frames, and no more than the driver's buffer has
 */
bool vmm_pcm_takes(const struct vmm_pcm *pcm, u64 bytes)
{
	return bytes && bytes <= le32toh(pcm->params.buffer_bytes) &&
	       !(bytes % vmm_sound_frame(&pcm->format));
}

/**
 * vmm_pcm_duration - return the duration of samples
 * @pcm: the stream; its parameters are set
 * @bytes: of samples, as vmm_pcm_takes() has them
 *
 * Return: nanoseconds, at least 1
 */
u64 vmm_pcm_duration(const struct vmm_pcm *pcm, u64 bytes)
{
	return bytes / vmm_sound_frame(&pcm->format) * SECOND_NS / pcm->format.rate;
}
