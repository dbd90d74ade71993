/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sound that a guest plays and records, on the host's side: discarded and silence, WAV files, or
 * a program at a Unix socket (ranchu-sound). The devices have the timing; this is only about
 * where samples go to and come from.
 */
#ifndef HOST_SOUND_H
#define HOST_SOUND_H

#include <sys/uio.h>

#include "types.h"

#define VMM_SOUND_PIECES	256	/* iovecs of one call, at most */

struct vmm_sound;
struct vmm_vm;

/**
 * struct vmm_sound_format - a format of samples: little endian, interleaved channels
 * @rate: frames per second
 * @channels: samples of a frame
 * @bits: bits of a sample: 8 (unsigned), 16 or 32
 * @is_float: samples are floating point numbers of 32 bits
 */
struct vmm_sound_format {
	u32 rate;
	u16 channels;
	u16 bits;
	bool is_float;
};

/**
 * struct vmm_sound_ends - where sound goes to and comes from
 * @option: the option, for messages
 * @play: WAV file that gets what is played, replaced; or NULL
 * @record: WAV file that the guest records; or NULL
 * @socket: Unix socket of a program for the directions without a file; or NULL: then played
 *	samples are discarded, and silence is recorded
 */
struct vmm_sound_ends {
	const char *option;
	const char *play;
	const char *record;
	const char *socket;
};

static inline u32 vmm_sound_frame(const struct vmm_sound_format *format)
{
	return format->channels * format->bits / 8;
}

/* The byte value of silence. */
static inline int vmm_sound_silence(const struct vmm_sound_format *format)
{
	return format->bits == 8 ? 0x80 : 0;
}

/* ---- sound.c ---- */

struct vmm_sound *vmm_sound_open(struct vmm_vm *vm, const struct vmm_sound_ends *ends);
void vmm_sound_close(struct vmm_sound *sound);
bool vmm_sound_recorded_format(const struct vmm_sound *sound, struct vmm_sound_format *format);
void vmm_sound_prepare(struct vmm_sound *sound, bool record,
		       const struct vmm_sound_format *format);
void vmm_sound_run(struct vmm_sound *sound, bool record, bool runs);
void vmm_sound_play(struct vmm_sound *sound, const struct iovec *iov, unsigned int count,
		    size_t bytes);
void vmm_sound_record(struct vmm_sound *sound, const struct iovec *iov, unsigned int count,
		      size_t bytes);
u64 vmm_sound_lost(const struct vmm_sound *sound);

#endif /* HOST_SOUND_H */
