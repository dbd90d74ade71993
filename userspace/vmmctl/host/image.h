/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Disk images: opened and locked, so that no two guests write to one.
 */
#ifndef IMAGE_H
#define IMAGE_H

#include <jansson.h>

#include "machine/config.h"

int vmm_image_open(const char *path, bool readonly, bool direct);
int vmm_image_lock(int fd, bool readonly);

/**
 * struct vmm_images - the images of a VM, locked
 * @count: how many
 * @fd: the open images
 * @base: the image that @copy was copied from, or -1
 * @copy: a private copy of an image, valid if there is a @base
 * @path: path of the copy while the VM is created
 */
struct vmm_images {
	unsigned int count;
	int fd[VMM_DISKS];
	int base[VMM_DISKS];
	int copy[VMM_DISKS];
	char path[VMM_DISKS][32];
};

json_t *vmm_image_describe(int fd);
int vmm_image_same(const struct vmm_images *images, unsigned int index, const json_t *there,
		   const char *path);
int vmm_images_copy(struct vmm_images *images, struct vmm_config *cfg);

int vmm_images_lock(struct vmm_images *images, const struct vmm_config *cfg);
void vmm_images_unlock(struct vmm_images *images);

#endif /* IMAGE_H */
