/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Sound from a file, read before it is needed.
 */
#ifndef HOST_SOUND_AHEAD_H
#define HOST_SOUND_AHEAD_H

#include <sys/uio.h>

#include "types.h"

struct vmm_sound_ahead;

struct vmm_sound_ahead *vmm_sound_ahead_open(int fd, u32 begin, u32 bytes);
size_t vmm_sound_ahead_read(struct vmm_sound_ahead *ahead, u32 at, const struct iovec *iov,
			    unsigned int count);
void vmm_sound_ahead_close(struct vmm_sound_ahead *ahead);

#endif /* HOST_SOUND_AHEAD_H */
