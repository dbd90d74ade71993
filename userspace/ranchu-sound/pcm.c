// SPDX-License-Identifier: GPL-2.0-only
/*
 * ALSA. By its configuration, a device's name may stand for a sound card or a sound
 * server, and it may convert the rate; this file only passes samples on. ALSA's clock and
 * vmmctl's differ: a full buffer loses samples, an empty one
 * starts again.
 */
#include <alsa/asoundlib.h>
#include <errno.h>

#include "host/log.h"
#include "ranchu_sound.h"

#define BUFFER_US	200000U	/* length of ALSA's buffer */

static snd_pcm_format_t format_of(const struct vmm_sound_format *format)
{
	if (format->is_float)
		return SND_PCM_FORMAT_FLOAT_LE;
	switch (format->bits) {
	case 8:
		return SND_PCM_FORMAT_U8;
	case 16:
		return SND_PCM_FORMAT_S16_LE;
	default:
		return SND_PCM_FORMAT_S32_LE;
	}
}

static snd_pcm_stream_t stream_of(const struct sound_pcm *pcm)
{
	return pcm->record ? SND_PCM_STREAM_CAPTURE : SND_PCM_STREAM_PLAYBACK;
}

/**
 * sound_pcm_probe - open a device and close it again
 * @pcm: the direction; it is stopped
 *
 * ALSA loads the libraries that the device needs: in the sandbox none can be loaded.
 *
 * Return: 0, or -errno after a message
 */
int sound_pcm_probe(const struct sound_pcm *pcm)
{
	snd_pcm_t *handle;
	int err = snd_pcm_open(&handle, pcm->name, stream_of(pcm), SND_PCM_NONBLOCK);

	if (err < 0)
		return vmm_error(-EIO, "ALSA's \"%s\" does not open to %s: %s", pcm->name,
				 pcm->record ? "record" : "play", snd_strerror(err));
	sound_keep_libraries();
	snd_pcm_close(handle);
	return 0;
}

/* Playback starts when half of the buffer is filled. */
static int start_late(snd_pcm_t *handle)
{
	snd_pcm_uframes_t buffer, period;
	snd_pcm_sw_params_t *params;
	int err;

	snd_pcm_sw_params_alloca(&params);
	err = snd_pcm_get_params(handle, &buffer, &period);
	if (err >= 0)
		err = snd_pcm_sw_params_current(handle, params);
	if (err >= 0)
		err = snd_pcm_sw_params_set_start_threshold(handle, params, buffer / 2);
	return err < 0 ? err : snd_pcm_sw_params(handle, params);
}

/**
 * sound_pcm_start - start playing or recording
 * @pcm: the direction; a running one is stopped
 * @format: of the samples
 *
 * Return: 0, or -errno after a message
 */
int sound_pcm_start(struct sound_pcm *pcm, const struct vmm_sound_format *format)
{
	snd_pcm_t *handle;
	int err;

	sound_pcm_stop(pcm);
	err = snd_pcm_open(&handle, pcm->name, stream_of(pcm), SND_PCM_NONBLOCK);
	if (err < 0)
		return vmm_error(-EIO, "ALSA's \"%s\" does not open: %s", pcm->name,
				 snd_strerror(err));
	err = snd_pcm_set_params(handle, format_of(format), SND_PCM_ACCESS_RW_INTERLEAVED,
				 format->channels, format->rate, 1, BUFFER_US);
	if (err >= 0)
		err = pcm->record ? snd_pcm_start(handle) : start_late(handle);
	if (err < 0) {
		snd_pcm_close(handle);
		return vmm_error(-EIO, "ALSA's \"%s\" takes no %u Hz, %u channels, %u bits: %s",
				 pcm->name, format->rate, format->channels, format->bits,
				 snd_strerror(err));
	}
	pcm->handle = handle;
	pcm->format = *format;
	return 0;
}

/**
 * sound_pcm_stop - stop playing, after the buffered samples; or stop recording
 * @pcm: the direction; may be stopped already
 */
void sound_pcm_stop(struct sound_pcm *pcm)
{
	if (!pcm->handle)
		return;
	if (!pcm->record) {
		/* Takes at most the length of the buffer. */
		snd_pcm_nonblock(pcm->handle, 0);
		snd_pcm_drain(pcm->handle);
	}
	snd_pcm_close(pcm->handle);
	pcm->handle = NULL;
}

/**
 * sound_pcm_play - play samples
 * @pcm: the direction; if it is stopped the samples are lost
 * @samples: whole frames
 * @bytes: bytes of them
 */
void sound_pcm_play(struct sound_pcm *pcm, const u8 *samples, size_t bytes)
{
	size_t frame = pcm->handle ? vmm_sound_frame(&pcm->format) : 1;
	unsigned int tries = 0;

	while (pcm->handle && bytes >= frame) {
		snd_pcm_sframes_t n = snd_pcm_writei(pcm->handle, samples, bytes / frame);

		if (n == -EAGAIN || !n)
			break;
		if (n < 0 && (tries++ || snd_pcm_recover(pcm->handle, n, 1) < 0))
			break;
		if (n > 0) {
			samples += n * frame;
			bytes -= n * frame;
		}
	}
	pcm->lost += bytes;
}

/**
 * sound_pcm_record - read recorded samples
 * @pcm: the direction
 * @samples: filled
 * @bytes: room in @samples
 *
 * Return: bytes that were read, whole frames
 */
size_t sound_pcm_record(struct sound_pcm *pcm, u8 *samples, size_t bytes)
{
	snd_pcm_sframes_t n;
	size_t frame;

	if (!pcm->handle)
		return 0;
	frame = vmm_sound_frame(&pcm->format);
	n = snd_pcm_readi(pcm->handle, samples, bytes / frame);
	if (n < 0 && n != -EAGAIN && snd_pcm_recover(pcm->handle, n, 1) >= 0)
		snd_pcm_start(pcm->handle);
	return n > 0 ? n * frame : 0;
}
