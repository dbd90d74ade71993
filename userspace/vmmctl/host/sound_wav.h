/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * WAV files: writing sound to one, and reading sound from one.
 */
#ifndef SOUND_WAV_H
#define SOUND_WAV_H

#include "host/sound.h"

struct vmm_file_thread;
struct vmm_sound_ahead;

/**
 * struct vmm_wav - a WAV file
 * @fd: the file, or -1
 * @file: writing: the thread that writes to it; the members below belong to that thread
 * @ahead: reading: its samples
 * @format: format of its samples
 * @begin: offset of the samples
 * @bytes: bytes of samples in the file
 * @at: reading: bytes of samples that were read
 * @told: writing: a message about a change of format was written
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
