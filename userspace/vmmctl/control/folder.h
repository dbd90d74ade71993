/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Directories of snapshots: they are made, replaced and removed in one step each.
 */
#ifndef CONTROL_FOLDER_H
#define CONTROL_FOLDER_H

#include <limits.h>
#include <stdbool.h>

#define VMM_FOLDER_NEW	".new-"	/* in the name of a directory that is being made or removed */
#define VMM_FOLDER_OLD	".old-"	/* in the name of one that is being replaced */

int vmm_folder_make(const char *path, char beside[PATH_MAX]);
void vmm_folder_sweep(const char *path, void (*remove)(const char *path));
int vmm_folder_sync(const char *path);
int vmm_folder_name(const char *beside, const char *path, bool old);
int vmm_folder_hide(const char *path, char beside[PATH_MAX]);

#endif /* CONTROL_FOLDER_H */
