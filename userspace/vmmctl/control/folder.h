/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Directories of snapshots: how they get and lose their names at once.
 */
#ifndef CONTROL_FOLDER_H
#define CONTROL_FOLDER_H

#include <stdbool.h>

int vmm_folder_sync(const char *path);
int vmm_folder_name(const char *beside, const char *path, bool old);
int vmm_folder_hide(const char *path, const char *beside);

#endif /* CONTROL_FOLDER_H */
