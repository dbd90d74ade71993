/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * snapshot/ owns a saved VM: a directory with
 *
 *	manifest.json	what the VM is, what it was started with, and checksums (manifest.c)
 *	state.dtb	the state of vCPUs, interrupt controller and devices: a flattened
 *			device tree, which dtc prints (tree.c)
 *	ram		guest RAM, region after region, with holes where it is zero, and a
 *			page at the end with the snapshot's ID (ram.c); or only what differs
 *			from another snapshot's, with a list of these pages (pages.c)
 *	disk-0 ...	what the first disk was, if the guest writes to it, as a raw image with
 *			holes (disk.c); and of each other such disk
 *
 * A VM writes all but the first, in the sandbox, to files that it is given (save.c); the
 * program that gives the files creates the directory (control/snapshot.c), and takes the VM's
 * options from a file that was written before the VM entered the sandbox (origin.c). A VM that
 * starts from a snapshot opens it before it enters the sandbox and loads the state inside
 * (load.c). A VM that runs can go back to a snapshot, by files that another program has opened
 * (back.c).
 *
 * A snapshot is not trusted: it may be incomplete, foreign, newer, or malicious.
 */
#ifndef SNAPSHOT_H
#define SNAPSHOT_H

#include <jansson.h>

#include "machine/machine.h"

#define VMM_SNAPSHOT_ID		16	/* bytes of a snapshot's ID */
#define VMM_SNAPSHOT_MANIFEST	"manifest.json"
#define VMM_SNAPSHOT_STATE	"state.dtb"
#define VMM_SNAPSHOT_RAM	"ram"
#define VMM_SNAPSHOT_DISK	"disk-%u"
#define VMM_SNAPSHOT_FIXED	3	/* files that each snapshot has: the first three */
#define VMM_SNAPSHOT_FILE	16	/* bytes of a file's name, its end included */

struct vmm_image_past;
struct vmm_images;
struct vmm_snapshot;

/* ---- manifest.c ---- */

#define VMM_MANIFEST_MAX	(1 * MIB)	/* bytes of the file */
#define VMM_RAN_MAX		(1ULL << 53)	/* ms that a guest has run, "ran", at most */

char *vmm_manifest_text(const json_t *body);
json_t *vmm_manifest_parse(const char *text, size_t len, const char *where);
int vmm_manifest_number(const json_t *object, const char *key, u64 max, u64 *number);
json_t *vmm_manifest_id(const u8 *id);
const char *vmm_manifest_word(const json_t *object, const char *key);

/* ---- tree.c: states of a machine's parts as a device tree ---- */

#define VMM_TREE_PARTS	(VMM_MAX_CPUS + VMM_DEVICES + 1)
#define VMM_TREE_NAME	24	/* bytes of a node's name, its end included */

/**
 * struct vmm_tree - states of a machine's parts
 * @id: ID of the snapshot
 * @parts: how many
 * @name: of each part's node, as "cpu@0"
 * @state: of each part; owned by the tree
 */
struct vmm_tree {
	u8 id[VMM_SNAPSHOT_ID];
	unsigned int parts;
	char name[VMM_TREE_PARTS][VMM_TREE_NAME];
	struct vmm_state state[VMM_TREE_PARTS];
};

struct vmm_state *vmm_tree_add(struct vmm_tree *tree, const char *node, unsigned int index);
struct vmm_state *vmm_tree_find(const struct vmm_tree *tree, const char *node,
				unsigned int index);
void vmm_tree_free(struct vmm_tree *tree);
int vmm_tree_write(struct vmm_tree *tree, void **blob, size_t *size);
int vmm_tree_read(struct vmm_tree *tree, const void *blob, size_t size);

/* ---- pages.c: sets of pages of guest RAM ---- */

/**
 * struct vmm_pages - a set of pages of guest RAM, numbered as in the file of RAM
 * @count: pages of RAM
 * @bit: a bit for each page
 */
struct vmm_pages {
	u64 count;
	u8 *bit;
};

/* Bytes of the bits of a set, for @ram bytes of RAM. */
static inline u64 vmm_pages_bytes(u64 ram)
{
	return (ram / VMM_PAGE_SIZE + 7) / 8;
}

int vmm_pages_alloc(struct vmm_pages *pages, u64 bytes);
void vmm_pages_free(struct vmm_pages *pages);
bool vmm_pages_next(const struct vmm_pages *pages, u64 *first, u64 end, u64 *last);
int vmm_pages_changed(struct vmm_pages *pages, const struct vmm_mem *mem, int pagemap_fd);
int vmm_pages_map(const struct vmm_pages *pages, const struct vmm_mem *mem, int fd);

/* ---- ram.c ---- */

/**
 * struct vmm_ram_job - guest RAM that is written to a file
 * @mem: the RAM
 * @id: ID of the snapshot
 * @fd: an empty file
 * @pages: which pages are written; NULL for all
 * @stop: set by another thread to cancel the job
 * @crc: filled: the checksum
 */
struct vmm_ram_job {
	const struct vmm_mem *mem;
	u8 id[VMM_SNAPSHOT_ID];
	int fd;
	const struct vmm_pages *pages;
	bool stop;
	u32 crc;
};

bool vmm_page_is_zero(const u8 *page);
u64 vmm_ram_bytes(const struct vmm_mem *mem);
int vmm_ram_write(struct vmm_ram_job *job);
int vmm_ram_check(int fd, u64 size, const u8 *id, u64 map);
int vmm_ram_pages(int fd, u64 size, struct vmm_pages *pages, u32 *crc);
int vmm_ram_sum(int fd, u64 size, u32 *crc);

/* ---- disk.c ---- */

int vmm_disk_size(const struct vmm_images *images, unsigned int index, u64 *size);
int vmm_disk_write(const struct vmm_images *images, unsigned int index, int fd, const bool *stop);
int vmm_disk_back(const struct vmm_images *images, unsigned int index, int fd);

/* ---- save.c: in a running VM ---- */

/**
 * struct vmm_snapshot_files - the files that a VM is saved to
 * @state: an empty file, open for writing
 * @ram: the same
 * @disk: the same, for each disk; 0 for none
 * @changes: save only pages that differ from the loaded snapshot
 */
struct vmm_snapshot_files {
	int state;
	int ram;
	int disk[VMM_DISKS];
	bool changes;
};

struct vmm_saving;

struct vmm_saving *vmm_saving_create(struct vmm_vm *vm, const struct vmm_images *images,
				     const struct vmm_snapshot_files *files);
void vmm_saving_free(struct vmm_saving *saving);
int vmm_saving_state(struct vmm_saving *saving);
int vmm_saving_ram(struct vmm_saving *saving);
int vmm_saving_tree(struct vmm_vm *vm, struct vmm_tree *tree);
void vmm_saving_stop(struct vmm_saving *saving);
json_t *vmm_saving_features(const struct vmm_vm *vm);
json_t *vmm_saving_body(const struct vmm_saving *saving);

/* ---- origin.c: what a VM was started with, which the VM itself is not asked ---- */

char *vmm_origin_text(const struct vmm_config *cfg);
json_t *vmm_origin_parse(const char *text, size_t len);
json_t *vmm_origin_body(const json_t *origin, const json_t *answer);

/* ---- load.c ---- */

json_t *vmm_manifest_peek(const char *path);
struct vmm_snapshot *vmm_snapshot_open(const char *path);
struct vmm_snapshot *vmm_snapshot_given(const int *files, unsigned int count);
void vmm_snapshot_close(struct vmm_snapshot *snapshot);
const json_t *vmm_snapshot_body(const struct vmm_snapshot *snapshot);
int vmm_snapshot_ram(const struct vmm_snapshot *snapshot);
int vmm_snapshot_changes_file(const struct vmm_snapshot *snapshot);
void vmm_snapshot_disks(const struct vmm_snapshot *snapshot, struct vmm_image_past *past);
int vmm_snapshot_map(struct vmm_snapshot *snapshot, const struct vmm_mem *mem);
int vmm_snapshot_changes(const struct vmm_snapshot *snapshot, const struct vmm_mem *mem,
			 struct vmm_pages *pages);
json_t *vmm_snapshot_base(const struct vmm_snapshot *snapshot);
int vmm_snapshot_check(const struct vmm_snapshot *snapshot);
int vmm_snapshot_fits(const struct vmm_snapshot *snapshot, const struct vmm_vm *vm,
		      const struct vmm_images *images);
int vmm_snapshot_parts_fit(const struct vmm_snapshot *snapshot, struct vmm_vm *vm);
int vmm_snapshot_load(struct vmm_snapshot *snapshot, struct vmm_vm *vm);

/* ---- back.c: a running VM goes back to a snapshot ---- */

int vmm_snapshot_back_fits(const struct vmm_snapshot *snapshot, struct vmm_vm *vm,
			   const struct vmm_images *images);
int vmm_snapshot_back(const struct vmm_snapshot *snapshot, struct vmm_vm *vm,
		      const struct vmm_images *images);

#endif /* SNAPSHOT_H */
