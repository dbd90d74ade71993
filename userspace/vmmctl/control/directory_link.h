/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Directories that a VM's own console writes to, for snapshots and screenshots: the VM's end,
 * which is in the sandbox, and the program that accesses the files (directory_server.c).
 */
#ifndef CONTROL_DIRECTORY_LINK_H
#define CONTROL_DIRECTORY_LINK_H

#include <limits.h>

#include "control/instance.h"

#define VMM_DIRECTORY_REQUEST	(PATH_MAX + 16)	/* bytes of a request, newline and NUL included */
#define VMM_NO_SNAPSHOT		"NO_SNAPSHOT"	/* in place of the path of a missing snapshot */
#define VMM_SNAPSHOT_NAME	64		/* bytes of a name, its NUL included */

/* ---- directory_link.c: in the VM ---- */

struct vmm_directory_link;

struct vmm_directory_link *vmm_directory_link_open(struct vmm_instance *instance,
						   struct vmm_loop *loop, const char *snapshots,
						   const char *screenshots);
void vmm_directory_link_close(struct vmm_directory_link *link);
bool vmm_snapshot_name_fits(const char *name);

/* ---- directory_server.c: outside ---- */

int vmm_directory_serve(const char *base, const char *vm, const char *snapshots,
			const char *screenshots);
int vmm_snapshot_list(const char *dir, unsigned int *others);

/* ---- snapshot.c ---- */

int vmm_snapshot_save(const char *base, const char *vm, const char *path, bool changes);
int vmm_snapshot_delete(const char *path);

/* ---- snapshot_put.c ---- */

int vmm_snapshot_put(const char *base, const char *vm, const char *path);
int vmm_snapshot_put_named(const char *base, const char *vm, const char *where);

#endif /* CONTROL_DIRECTORY_LINK_H */
