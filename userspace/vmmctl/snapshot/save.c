// SPDX-License-Identifier: GPL-2.0-only
/*
 * Saves a VM that stands still: the state of all its parts and its RAM go to files that
 * somebody else has made, and what the manifest is to say is returned. Nothing is opened
 * here, because a VM that runs cannot.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>
#include <zlib.h>

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
	int err = state ? vmm_device_save(dev, state) : -E2BIG;

	return err ? vmm_error(-err, "%s cannot be saved", dev->ops->name) : 0;
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

static int save_tree(struct vmm_vm *vm, struct vmm_tree *tree)
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

/* What belongs to the device tree in the manifest, or NULL after a message. */
static json_t *save_state(struct vmm_vm *vm, struct vmm_tree *tree, int fd)
{
	json_t *json = NULL;
	void *blob = NULL;
	size_t size;
	int err;

	err = save_tree(vm, tree);
	if (!err)
		err = vmm_tree_write(tree, &blob, &size);
	if (!err) {
		err = vmm_snapshot_write(fd, blob, size, 0);
		if (err)
			vmm_error(-err, "snapshot: " VMM_SNAPSHOT_STATE);
	}
	if (!err)
		json = json_pack("{s:I, s:I}", "size", (json_int_t)size, "crc32",
				 (json_int_t)crc32(0, blob, size));
	free(blob);
	return json;
}

static json_t *save_ram(struct vmm_vm *vm, const u8 *id, int fd)
{
	json_t *regions = json_array();
	unsigned int i;
	u32 crc;
	int err;

	err = vmm_ram_write(&vm->mem, id, fd, &crc);
	if (err) {
		json_decref(regions);
		vmm_error(-err, "snapshot: " VMM_SNAPSHOT_RAM);
		return NULL;
	}
	for (i = 0; i < vm->mem.regions; i++)
		json_array_append_new(regions, json_pack("{s:I, s:I}", "base",
							 (json_int_t)vm->mem.region[i].base,
							 "size",
							 (json_int_t)vm->mem.region[i].size));
	return json_pack("{s:I, s:I, s:o}", "size", (json_int_t)vmm_ram_bytes(&vm->mem), "crc32",
			 (json_int_t)crc, "regions", regions);
}

/* A disk of a clone's own goes with it. */
static json_t *save_images(const struct vmm_config *cfg, const struct vmm_images *images)
{
	json_t *list = json_array();
	unsigned int i;

	for (i = 0; list && i < images->count; i++) {
		const struct vmm_disk *disk = &cfg->disk[i];
		json_t *image;

		image = vmm_image_describe(images->fd[i]);
		if (!image || (cfg->clone && !disk->readonly)) {
			vmm_error(-EOPNOTSUPP,
				  "snapshot: disk %u is the clone's own, and goes with it", i);
			json_decref(image);
			json_decref(list);
			return NULL;
		}
		json_object_set_new(image, "path", json_string(disk->path));
		json_object_set_new(image, "readonly", json_boolean(disk->readonly));
		json_array_append_new(list, image);
	}
	return list;
}

/* How the VM was started: earlier snapshots' command lines, and this one's. */
static json_t *save_layers(const struct vmm_config *cfg)
{
	json_t *layers = cfg->snapshot ?
		json_deep_copy(json_object_get(vmm_snapshot_body(cfg->snapshot), "layers")) :
		json_array();
	json_t *words = json_array();
	unsigned int i;

	for (i = 0; i < cfg->word_count; i++)
		json_array_append_new(words, json_string(cfg->words[i]));
	json_array_append_new(layers, json_pack("{s:s, s:o}", "directory", cfg->directory,
						"words", words));
	return layers;
}

static json_t *save_machine(const struct vmm_vm *vm)
{
	return json_pack("{s:s, s:s, s:i, s:I, s:i}", "host", vmm_arch_name, "board",
			 vm->board.name, "cpus", (int)vm->vcpus, "memory",
			 (json_int_t)vm->cfg->memory, "gic", (int)vm->gic);
}

static json_t *save_id(const u8 *id)
{
	char text[2 * VMM_SNAPSHOT_ID + 1];
	unsigned int i;

	for (i = 0; i < VMM_SNAPSHOT_ID; i++)
		snprintf(text + 2 * i, 3, "%02x", id[i]);
	return json_string(text);
}

/* Adds a member; false if there is none, or no memory for it. */
static bool add(json_t *body, const char *key, json_t *value)
{
	return value && !json_object_set_new(body, key, value);
}

/**
 * vmm_snapshot_save - save a VM
 * @vm: its vCPUs and devices stand still
 * @images: of its disks
 * @files: where to
 *
 * Context: main thread.
 * Return: what the manifest is to have, or NULL after a message
 */
json_t *vmm_snapshot_save(struct vmm_vm *vm, const struct vmm_images *images,
			  const struct vmm_snapshot_files *files)
{
	struct vmm_tree *tree = calloc(1, sizeof(*tree));
	json_t *body = json_object();
	bool ok = tree && body;

	if (ok && getrandom(tree->id, sizeof(tree->id), 0) != sizeof(tree->id))
		ok = false;
	ok = ok && add(body, "id", save_id(tree->id)) &&
	     add(body, "created", json_integer(time(NULL))) &&
	     add(body, "machine", save_machine(vm)) &&
	     add(body, "layers", save_layers(vm->cfg)) &&
	     add(body, "images", save_images(vm->cfg, images)) &&
	     add(body, "state", save_state(vm, tree, files->state)) &&
	     add(body, "ram", save_ram(vm, tree->id, files->ram));
	if (tree)
		vmm_tree_free(tree);
	free(tree);
	if (ok)
		return body;
	json_decref(body);
	return NULL;
}
