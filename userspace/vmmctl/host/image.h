/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Disk images: opened and locked, so that no two guests write to one.
 */
#ifndef IMAGE_H
#define IMAGE_H

#include <stdbool.h>

int vmm_image_open(const char *path, bool readonly, bool direct);
int vmm_image_lock(int fd, bool readonly);

#endif /* IMAGE_H */
