/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A PCM stream of virtio-snd: its capabilities, its parameters, and which requests are
 * allowed in which state. It does not know queues or timing.
 */
#ifndef DEVICES_SOUND_PCM_H
#define DEVICES_SOUND_PCM_H

#include <linux/virtio_snd.h>

#include "host/sound.h"

#define VMM_PCM_CHANNELS	2	/* at most */
#define VMM_PCM_BUFFER		MIB	/* bytes of a driver's buffer, at most */

/*
 * NEW -> SET <-> PREPARED -> RUNNING <-> STOPPED -> RELEASED; from RELEASED, a driver goes
 * back to SET or PREPARED; see pcm_next[] in sound_pcm.c. Saved states have these numbers.
 */
enum vmm_pcm_state {
	VMM_PCM_NEW,
	VMM_PCM_SET,
	VMM_PCM_PREPARED,
	VMM_PCM_RUNNING,
	VMM_PCM_STOPPED,
	VMM_PCM_RELEASED,
	VMM_PCM_STATES
};

/**
 * struct vmm_pcm - a stream
 * @record: its direction; it and the next four members are set once
 * @formats: supported sample formats, bits
 * @rates: supported rates, bits
 * @channels_min: fewest channels
 * @channels_max: most channels
 * @state: state of the stream
 * @params: parameters set by the driver, from VMM_PCM_SET on
 * @format: the same, as the host's format
 */
struct vmm_pcm {
	bool record;
	u64 formats;
	u64 rates;
	u8 channels_min;
	u8 channels_max;
	enum vmm_pcm_state state;
	struct virtio_snd_pcm_set_params params;
	struct vmm_sound_format format;
};

bool vmm_pcm_init(struct vmm_pcm *pcm, bool record, const struct vmm_sound_format *only);
void vmm_pcm_reset(struct vmm_pcm *pcm);
void vmm_pcm_info(const struct vmm_pcm *pcm, struct virtio_snd_pcm_info *info);
u32 vmm_pcm_set_params(struct vmm_pcm *pcm, const struct virtio_snd_pcm_set_params *params);
u32 vmm_pcm_request(struct vmm_pcm *pcm, u32 code);
bool vmm_pcm_takes(const struct vmm_pcm *pcm, u64 bytes);
u64 vmm_pcm_duration(const struct vmm_pcm *pcm, u64 bytes);

#endif /* DEVICES_SOUND_PCM_H */
