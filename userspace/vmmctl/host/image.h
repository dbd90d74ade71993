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

struct vmm_overlay;

/**
 * struct vmm_image_copy - a disk that a VM has for itself, and that goes with it
 * @base: what it began as, locked for reading; -1 before it is open
 * @saved: @base is what a snapshot has of the disk, and not the image
 * @fd: a file without a name: the copy, or what @overlay says; -1 before it is open
 * @path: where that is found while the VM is set up
 * @overlay: which of it is in @fd and which is in @base; NULL: all is in @fd
 */
struct vmm_image_copy {
	int base;
	bool saved;
	int fd;
	char path[32];
	struct vmm_overlay *overlay;
};

/**
 * struct vmm_images - the images of a VM, locked
 * @count: how many
 * @fd: the open images, or the copies that are used instead
 * @copy: the copy of an image; NULL: the VM uses the image itself
 */
struct vmm_images {
	unsigned int count;
	int fd[VMM_DISKS];
	struct vmm_image_copy *copy[VMM_DISKS];
};

/**
 * struct vmm_image_past - what a snapshot knows of a disk
 * @about: by what the image is known again
 * @fd: what the disk was, an open file of the snapshot's; -1 if it has none
 */
struct vmm_image_past {
	const json_t *about;
	int fd;
};

const char *vmm_image_path(const struct vmm_disk *disk);
json_t *vmm_image_describe(int fd);
int vmm_image_same(const struct vmm_images *images, unsigned int index, const json_t *there,
		   const char *path);
int vmm_images_copy(struct vmm_images *images, struct vmm_config *cfg,
		    const struct vmm_image_past *past, unsigned int count);

int vmm_images_lock(struct vmm_images *images, const struct vmm_config *cfg);
void vmm_images_unlock(struct vmm_images *images);

#endif /* IMAGE_H */
