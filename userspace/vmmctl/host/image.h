/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Disk images: opened and locked, so that no two guests write to one.
 */
#ifndef IMAGE_H
#define IMAGE_H

#include "machine/config.h"

int vmm_image_open(const char *path, bool readonly, bool direct);
int vmm_image_lock(int fd, bool readonly);

/**
 * struct vmm_images - the images of a VM, locked
 * @count: how many
 * @fd: the open images
 */
struct vmm_images {
	unsigned int count;
	int fd[VMM_DISKS];
};

int vmm_images_lock(struct vmm_images *images, const struct vmm_config *cfg);
void vmm_images_unlock(struct vmm_images *images);

#endif /* IMAGE_H */
