/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * WAV files: one that sound is written to, and one that it is read from.
 */
#ifndef SOUND_WAV_H
#define SOUND_WAV_H

#include "host/sound.h"

struct vmm_file_thread;
struct vmm_sound_ahead;

/**
 * struct vmm_wav - a WAV file
 * @fd: the file, or -1
 * @file: written: writes to it, and has what follows to itself
 * @ahead: read: its samples
 * @format: of its samples
 * @begin: where the samples begin, bytes
 * @bytes: of samples that are in it
 * @at: read: bytes of samples that have been read
 * @told: written: a message said that it takes samples of one format only
 */
struct vmm_wav {
	int fd;
	struct vmm_file_thread *file;
	struct vmm_sound_ahead *ahead;
	struct vmm_sound_format format;
	u32 begin;
	u32 bytes;
	u32 at;
	bool told;
};

/* ---- sound_wav.c ---- */

int vmm_wav_create(struct vmm_wav *wav, const char *option, const char *path);
int vmm_wav_open(struct vmm_wav *wav, const char *option, const char *path);
bool vmm_wav_close(struct vmm_wav *wav);
void vmm_wav_prepare(struct vmm_wav *wav, const struct vmm_sound_format *format);
void vmm_wav_write(struct vmm_wav *wav, const struct vmm_sound_format *format,
		   const struct iovec *iov, unsigned int count, size_t bytes);
u64 vmm_wav_lost(const struct vmm_wav *wav);
size_t vmm_wav_read(struct vmm_wav *wav, const struct iovec *iov, unsigned int count);

#endif /* SOUND_WAV_H */
