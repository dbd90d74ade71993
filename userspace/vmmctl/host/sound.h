/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sound that a guest plays, and what becomes of it: nothing, or a WAV file. A device
 * paces itself; here is only where samples go. What a guest records is silence.
 */
#ifndef HOST_SOUND_H
#define HOST_SOUND_H

#include "types.h"

struct vmm_sound;

/* ---- sound.c ---- */

struct vmm_sound *vmm_sound_open(const char *wav, unsigned int rate, unsigned int channels);
void vmm_sound_close(struct vmm_sound *sound);
void vmm_sound_play(struct vmm_sound *sound, const void *samples, size_t bytes);
u64 vmm_sound_lost(const struct vmm_sound *sound);

#endif /* HOST_SOUND_H */
