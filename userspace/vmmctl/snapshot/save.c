// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves a VM that is paused: the state of all its parts and its RAM are written to files that a
 * client has created, and the body of the manifest is returned. No file is opened here, because
 * the sandbox does not allow it. Everything may wait for a disk or a module, so it runs in jobs:
 * first the states, while the job uses the devices exclusively, and then RAM.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

#include "host/file.h"
#include "host/image.h"
#include "snapshot/snapshot.h"

static int save_cpus(struct vmm_vm *vm, struct vmm_tree *tree)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < vm->vcpus && !err; i++) {
		struct vmm_state *state = vmm_tree_add(tree, "cpu", i);

		err = state ? vmm_arch_vcpu_save(vm->vcpu[i], state) : -E2BIG;
	}
	return err;
}

static int save_device(struct vmm_device *dev, struct vmm_state *state)
{
	unsigned long said = vmm_errors();
	int err = state ? vmm_device_save(dev, state) : -E2BIG;

	if (err && vmm_errors() == said)
		vmm_error(-err, "%s cannot be saved", dev->ops->name);
	return err;
}

static int save_devices(struct vmm_vm *vm, struct vmm_tree *tree)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < vm->board.devices && !err; i++) {
		struct vmm_device *dev = &vm->board.dev[i];

		if (dev->ops->save)
			err = save_device(dev, vmm_tree_add(tree, "device", i));
	}
	return err;
}

/**
 * vmm_saving_tree - save the states of all parts but RAM
 * @vm: its vCPUs and devices are paused
 * @tree: all zero; filled. vmm_tree_free() frees it, also after an error
 *
 * Context: a job.
 * Return: 0, or -errno; maybe without a message
 */
int vmm_saving_tree(struct vmm_vm *vm, struct vmm_tree *tree)
{
	struct vmm_state *state;
	int err;

	err = save_cpus(vm, tree);
	if (err)
		return err;
	state = vmm_tree_add(tree, "interrupt-controller", 0);
	err = state ? vmm_arch_irqchip_save(vm, state) : -E2BIG;
	return err ? err : save_devices(vm, tree);
}

/* Writes the device tree; returns its member of the manifest, or NULL after a message. */
static json_t *save_state(struct vmm_vm *vm, struct vmm_tree *tree, int fd)
{
	json_t *json = NULL;
	void *blob = NULL;
	size_t size;
	int err;

	err = vmm_saving_tree(vm, tree);
	if (!err)
		err = vmm_tree_write(tree, &blob, &size);
	if (!err) {
		err = vmm_file_write_at(fd, blob, size, 0);
		if (err)
			vmm_error(-err, "snapshot: " VMM_SNAPSHOT_STATE);
	}
	if (!err)
		json = json_pack("{s:I, s:I}", "size", (json_int_t)size, "crc32",
				 (json_int_t)crc32(0, blob, size));
	free(blob);
	return json;
}

/* Describes the disk. A private copy has no modification time by which the image is recognized. */
static json_t *save_image(const struct vmm_images *images, unsigned int index, bool written,
			  int to)
{
	json_t *image = vmm_image_describe(images->fd[index]);
	u64 size;

	if (image && images->copy[index])
		json_object_del(image, "mtime");
	if (image && written && to &&
	    (vmm_disk_size(images, index, &size) ||
	     json_object_set_new(image, "disk", json_pack("{s:I}", "size", (json_int_t)size)))) {
		json_decref(image);
		return NULL;
	}
	return image;
}

static json_t *images_refused(json_t *list, json_t *image, const char *why, unsigned int index)
{
	vmm_error(-EOPNOTSUPP, "snapshot: %s %u", why, index);
	json_decref(image);
	json_decref(list);
	return NULL;
}

/* Describes all disks. A writable one is saved if there is a file for it. */
static json_t *save_images(const struct vmm_config *cfg, const struct vmm_images *images,
			   const int *to)
{
	json_t *list = json_array();
	unsigned int i;

	for (i = 0; list && i < images->count; i++) {
		const struct vmm_disk *disk = &cfg->disk[i];
		json_t *image = save_image(images, i, !disk->readonly, to[i]);

		if (!image)
			return images_refused(list, image, "cannot describe disk", i);
		if (images->copy[i] && !to[i])
			return images_refused(list, image, "no file for the private copy of disk",
					      i);
		if (json_object_set_new(image, "path", json_string(disk->path)))
			return images_refused(list, image, "the name is not UTF-8: disk", i);
		json_object_set_new(image, "readonly", json_boolean(disk->readonly));
		json_array_append_new(list, image);
	}
	return list;
}

static void feature_add(void *arg, const char *name, u64 value)
{
	char text[24];

	snprintf(text, sizeof(text), "0x%llx", value);
	json_object_set_new(arg, name, json_string(text));
}

/**
 * vmm_saving_features - tell what a guest can look at of its CPU
 * @vm: has vCPUs
 *
 * Return: an object, the caller's, or NULL without memory
 */
json_t *vmm_saving_features(const struct vmm_vm *vm)
{
	json_t *features = json_object();

	if (features && vm->vcpus && vm->vcpu[0])
		vmm_arch_features(vm, feature_add, features);
	return features;
}

static json_t *save_machine(const struct vmm_vm *vm)
{
	return json_pack("{s:s, s:s, s:i, s:I, s:i, s:o}", "host", vmm_arch_name, "board",
			 vm->board.name, "cpus", (int)vm->vcpus, "memory",
			 (json_int_t)vm->cfg->memory, "gic", (int)vm->gic, "cpu",
			 vmm_saving_features(vm));
}

/* Adds a member; false if it is NULL, or without memory. */
static bool add(json_t *body, const char *key, json_t *value)
{
	return value && !json_object_set_new(body, key, value);
}

/* Saves everything but the contents of RAM and disks. */
static bool save_parts(struct vmm_vm *vm, const struct vmm_images *images, json_t *body,
		       struct vmm_tree *tree, const struct vmm_snapshot_files *files)
{
	return add(body, "id", vmm_manifest_id(tree->id)) &&
	       add(body, "created", json_integer(time(NULL))) &&
	       add(body, "machine", save_machine(vm)) &&
	       add(body, "images", save_images(vm->cfg, images, files->disk)) &&
	       add(body, "state", save_state(vm, tree, files->state));
}

/**
 * struct vmm_saving - a VM that is being saved
 * @vm: the VM
 * @images: images of its disks
 * @files: files to write
 * @body: body of the manifest
 * @pages: pages that differ from the loaded snapshot, if only these are saved
 * @job: the writing of RAM
 */
struct vmm_saving {
	struct vmm_vm *vm;
	const struct vmm_images *images;
	struct vmm_snapshot_files files;
	json_t *body;
	struct vmm_pages pages;
	struct vmm_ram_job job;
};

/**
 * vmm_saving_create - prepare to save a VM
 * @vm: the VM
 * @images: images of its disks
 * @files: files to write; owned by the caller, and open until vmm_saving_free()
 *
 * Return: the state of saving, or NULL after a message
 */
struct vmm_saving *vmm_saving_create(struct vmm_vm *vm, const struct vmm_images *images,
				     const struct vmm_snapshot_files *files)
{
	struct vmm_saving *saving = calloc(1, sizeof(*saving));

	if (!saving) {
		vmm_error(ENOMEM, "snapshot");
		return NULL;
	}
	*saving = (struct vmm_saving){
		.vm = vm, .images = images, .files = *files, .body = json_object(),
		.job = { .mem = &vm->mem, .fd = files->ram },
	};
	return saving;
}

/**
 * vmm_saving_free - free the state of saving
 * @saving: may be NULL; nobody uses it
 */
void vmm_saving_free(struct vmm_saving *saving)
{
	if (!saving)
		return;
	json_decref(saving->body);
	vmm_pages_free(&saving->pages);
	free(saving);
}

/* Selects all pages of RAM, or those that differ from the loaded snapshot. */
static int saving_pages(struct vmm_saving *saving)
{
	const struct vmm_vm *vm = saving->vm;

	if (!saving->files.changes)
		return 0;
	if (!vm->cfg->snapshot || vm->mem.cleared)
		return vmm_error(-EOPNOTSUPP,
				 "snapshot: the guest was not started from one: save without --changes");
	saving->job.pages = &saving->pages;
	return vmm_snapshot_changes(vm->cfg->snapshot, &vm->mem, &saving->pages);
}

/**
 * vmm_saving_state - write the state of all parts but RAM
 * @saving: the state of saving; vCPUs and devices are paused, and only this job uses the devices
 *
 * Context: a job.
 * Return: 0, or -errno after a message
 */
int vmm_saving_state(struct vmm_saving *saving)
{
	struct vmm_tree *tree = calloc(1, sizeof(*tree));
	unsigned long said = vmm_errors();
	bool ok = false;

	if (tree) {
		ok = getrandom(tree->id, sizeof(tree->id), 0) == sizeof(tree->id);
		memcpy(saving->job.id, tree->id, sizeof(tree->id));
		ok = ok && !saving_pages(saving) &&
		     save_parts(saving->vm, saving->images, saving->body, tree,
				&saving->files);
		vmm_tree_free(tree);
	}
	free(tree);
	if (!ok && vmm_errors() == said)
		vmm_error(ENOMEM, "snapshot");
	return ok ? 0 : -EIO;
}

static json_t *ram_describe(const struct vmm_saving *saving)
{
	const struct vmm_mem *mem = saving->job.mem;
	json_t *regions = json_array();
	unsigned int i;
	json_t *ram;

	for (i = 0; i < mem->regions; i++)
		json_array_append_new(regions, json_pack("{s:I, s:I}", "base",
							 (json_int_t)mem->region[i].base, "size",
							 (json_int_t)mem->region[i].size));
	ram = json_pack("{s:I, s:I, s:o}", "size", (json_int_t)vmm_ram_bytes(mem), "crc32",
			(json_int_t)saving->job.crc, "regions", regions);
	if (!saving->job.pages ||
	    (add(ram, "base", vmm_snapshot_base(saving->vm->cfg->snapshot)) &&
	     add(ram, "map_crc32", json_integer(crc32(0, saving->pages.bit,
						      vmm_pages_bytes(vmm_ram_bytes(mem)))))))
		return ram;
	json_decref(ram);
	return NULL;
}

/* Writes the disks that the manifest has a file of. */
static int write_disks(struct vmm_saving *saving)
{
	const json_t *list = json_object_get(saving->body, "images");
	unsigned int i;
	int err;

	for (i = 0; i < saving->images->count; i++) {
		if (!json_object_get(json_array_get(list, i), "disk"))
			continue;
		err = vmm_disk_write(saving->images, i, saving->files.disk[i], &saving->job.stop);
		if (err)
			return vmm_error(-err, "snapshot: " VMM_SNAPSHOT_DISK, i);
	}
	return 0;
}

/**
 * vmm_saving_ram - write RAM and writable disks
 * @saving: the state of saving, after vmm_saving_state(); vCPUs and devices are paused
 *
 * Context: a job.
 * Return: 0, or -errno after a message
 */
int vmm_saving_ram(struct vmm_saving *saving)
{
	int err = write_disks(saving);

	if (err)
		return err;
	err = vmm_ram_write(&saving->job);
	if (err)
		return vmm_error(-err, "snapshot: " VMM_SNAPSHOT_RAM);
	if (add(saving->body, "ram", ram_describe(saving)))
		return 0;
	return vmm_error(ENOMEM, "snapshot: " VMM_SNAPSHOT_MANIFEST);
}

/**
 * vmm_saving_stop - make the job that writes RAM end soon, with an error
 * @saving: may be NULL
 *
 * Context: any thread.
 */
void vmm_saving_stop(struct vmm_saving *saving)
{
	if (saving)
		__atomic_store_n(&saving->job.stop, true, __ATOMIC_RELAXED);
}

/**
 * vmm_saving_body - return the body of the manifest
 * @saving: everything is written
 *
 * Return: the body, with a new reference
 */
json_t *vmm_saving_body(const struct vmm_saving *saving)
{
	return json_incref(saving->body);
}
