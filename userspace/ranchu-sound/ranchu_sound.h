/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * ranchu-sound: plays and records for a VM by ALSA. main.c has the command line and the
 * connection, link.c vmmctl's packets, pcm.c is the only file that uses libasound, and
 * confine.c the sandbox.
 */
#ifndef RANCHU_SOUND_H
#define RANCHU_SOUND_H

#include "host/sound.h"
#include "types.h"

/**
 * struct sound_pcm - a direction and its ALSA device
 * @name: ALSA's name of the device
 * @record: the direction
 * @handle: a snd_pcm_t of ALSA; NULL while stopped
 * @format: format of the samples
 * @lost: bytes that were lost for lack of room
 */
struct sound_pcm {
	const char *name;
	bool record;
	void *handle;
	struct vmm_sound_format format;
	u64 lost;
};

/* ---- pcm.c ---- */

int sound_pcm_probe(const struct sound_pcm *pcm);
int sound_pcm_start(struct sound_pcm *pcm, const struct vmm_sound_format *format);
void sound_pcm_stop(struct sound_pcm *pcm);
void sound_pcm_play(struct sound_pcm *pcm, const u8 *samples, size_t bytes);
size_t sound_pcm_record(struct sound_pcm *pcm, u8 *samples, size_t bytes);

/* ---- link.c ---- */

int sound_link_run(int fd, struct sound_pcm *play, struct sound_pcm *record);

/* ---- confine.c ---- */

void sound_keep_libraries(void);
int sound_confine(void);

#endif /* RANCHU_SOUND_H */
