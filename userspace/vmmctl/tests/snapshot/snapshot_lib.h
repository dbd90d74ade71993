/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Common functions of the tests of snapshots.
 */
#ifndef SNAPSHOT_LIB_H
#define SNAPSHOT_LIB_H

#include "snapshot/snapshot.h"

#define RAM	(4 * MIB)
#define BASE	0x40000000ULL

/* Origin of the VM of body_make(). */
#define ORIGIN_WITH(images) \
	"{\"layers\":[{\"directory\":\"/\",\"words\":[\"--kernel\",\"Image\"]}]," \
	"\"images\":[" images "]}"
#define ORIGIN	ORIGIN_WITH("")

extern struct vmm_vm vm;	/* has only RAM */
extern char dir[64];		/* of the snapshot */
extern char said[4096];		/* messages between hear() and heard() */
extern unsigned int bad_tried, bad_accepted;	/* counted by refused() */

void hear(void);
void heard(void);
char *path_of(const char *name);
void file_write(const char *name, const void *bytes, size_t len);
u8 *file_read(const char *name, size_t *len);
void part_fill(struct vmm_state *state, const char *name);
void manifest_write(const json_t *body);
json_t *snapshot_write(struct vmm_ram_job *job, int state_fd);
void snapshot_make_of(struct vmm_ram_job *job, const json_t *base);
void snapshot_make(u8 id);
bool refused(const char *text);
bool opens(void);
bool snapshot_vm(void);
void snapshot_remove(void);

#endif /* SNAPSHOT_LIB_H */
