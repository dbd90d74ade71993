// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sound into a WAV file, 16 bits a sample. Its header is right after each write, so that
 * the file can be listened to while the guest runs and after any end. A file that can
 * take no more loses samples, and they are counted.
 *
 * Source: Microsoft/IBM, Multimedia Programming Interface and Data Specifications 1.0,
 * "Waveform Audio File Format"
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "host/log.h"
#include "host/sound.h"

#define WAV_PCM		1
#define WAV_BITS	16
#define WAV_MAX		0xffff0000U	/* bytes of samples: lengths have 32 bits */

/**
 * struct wav_header - first bytes of the file
 * @riff: "RIFF"
 * @size: bytes behind this field
 * @wave: "WAVE"
 * @fmt: "fmt "
 * @fmt_size: bytes of the following fields, up to @data
 * @format: WAV_PCM
 * @channels: samples of one moment
 * @rate: moments a second
 * @byte_rate: bytes a second
 * @align: bytes of a moment
 * @bits: of a sample
 * @data: "data"
 * @data_size: bytes of samples, which follow
 */
struct wav_header {
	char riff[4];
	__le32 size;
	char wave[4];
	char fmt[4];
	__le32 fmt_size;
	__le16 format;
	__le16 channels;
	__le32 rate;
	__le32 byte_rate;
	__le16 align;
	__le16 bits;
	char data[4];
	__le32 data_size;
};

/**
 * struct vmm_sound - where samples go
 * @fd: the file, or -1 for nowhere
 * @header: of the file
 * @bytes: of samples that are in it
 * @lost: bytes that are not
 */
struct vmm_sound {
	int fd;
	struct wav_header header;
	u32 bytes;
	u64 lost;
};

static int header_write(struct vmm_sound *sound)
{
	sound->header.data_size = htole32(sound->bytes);
	sound->header.size = htole32(sound->bytes + sizeof(sound->header) - 8);
	return pwrite(sound->fd, &sound->header, sizeof(sound->header), 0) ==
	       (ssize_t)sizeof(sound->header) ? 0 : -EIO;
}

/**
 * vmm_sound_open - say where samples go
 * @wav: file, which is replaced, or NULL for nowhere
 * @rate: moments a second
 * @channels: samples of one moment
 *
 * Return: the sound, or NULL after a message
 */
struct vmm_sound *vmm_sound_open(const char *wav, unsigned int rate, unsigned int channels)
{
	struct vmm_sound *sound = calloc(1, sizeof(*sound));

	if (!sound) {
		vmm_error(ENOMEM, "sound");
		return NULL;
	}
	sound->fd = -1;
	sound->header = (struct wav_header){
		.riff = "RIFF", .wave = "WAVE", .fmt = "fmt ", .fmt_size = htole32(16),
		.format = htole16(WAV_PCM), .channels = htole16(channels),
		.rate = htole32(rate), .byte_rate = htole32(rate * channels * WAV_BITS / 8),
		.align = htole16(channels * WAV_BITS / 8), .bits = htole16(WAV_BITS),
		.data = "data",
	};
	if (!wav)
		return sound;
	sound->fd = open(wav, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (sound->fd >= 0 && !header_write(sound))
		return sound;
	vmm_error(errno, "--sound: cannot write %s", wav);
	vmm_sound_close(sound);
	return NULL;
}

/**
 * vmm_sound_close - play no more
 * @sound: may be NULL
 */
void vmm_sound_close(struct vmm_sound *sound)
{
	if (!sound)
		return;
	if (sound->fd >= 0)
		close(sound->fd);
	free(sound);
}

/**
 * vmm_sound_play - play samples
 * @sound: the sound
 * @samples: little endian, of all channels in turn
 * @bytes: how many
 *
 * Context: main thread.
 */
void vmm_sound_play(struct vmm_sound *sound, const void *samples, size_t bytes)
{
	off_t at = sizeof(sound->header) + (off_t)sound->bytes;

	if (sound->fd < 0)
		return;
	if (bytes > WAV_MAX - sound->bytes ||
	    pwrite(sound->fd, samples, bytes, at) != (ssize_t)bytes) {
		sound->lost += bytes;
		return;
	}
	sound->bytes += bytes;
	header_write(sound);
}

/**
 * vmm_sound_lost - tell what the file did not take
 * @sound: the sound
 *
 * Return: bytes
 */
u64 vmm_sound_lost(const struct vmm_sound *sound)
{
	return sound->lost;
}
