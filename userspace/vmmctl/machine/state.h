/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Saved state of a device: a blob with the device's name and version, and fields
 * that have a tag and a length each.
 *
 *	magic[4] name[28] version length	then fields: tag length bytes...
 *
 * Numbers are 32 bits wide, little endian. A blob comes from a file, which may be
 * damaged, foreign or newer: a reader checks the name, the version and each length,
 * and that nothing is left over.
 */
#ifndef MACHINE_STATE_H
#define MACHINE_STATE_H

#include "types.h"

#define VMM_STATE_NAME	28	/* bytes of a device's name, its end included */
#define VMM_STATE_SIZE	(16 << 20)	/* bytes of a blob, at most */

/**
 * struct vmm_state - a blob that is written or read
 * @bytes: the blob
 * @len: bytes of it
 * @room: writing: bytes allocated
 * @at: reading: the next field
 * @err: the first mistake, as -errno; what follows it does nothing
 */
struct vmm_state {
	u8 *bytes;
	size_t len;
	size_t room;
	size_t at;
	int err;
};

/* ---- state.c ---- */

int vmm_state_begin(struct vmm_state *state, const char *name, u32 version);
void vmm_state_put(struct vmm_state *state, u32 tag, const void *data, u32 len);
int vmm_state_end(struct vmm_state *state);
int vmm_state_open(struct vmm_state *state, const char *name, u32 version);
void vmm_state_get(struct vmm_state *state, u32 tag, void *data, u32 len);
const u8 *vmm_state_get_any(struct vmm_state *state, u32 tag, u32 *len);
int vmm_state_open_any(struct vmm_state *state, char name[VMM_STATE_NAME], u32 *version);
bool vmm_state_next(struct vmm_state *state, u32 *tag, const u8 **data, u32 *len);
int vmm_state_close(struct vmm_state *state);
void vmm_state_free(struct vmm_state *state);

#endif /* MACHINE_STATE_H */
