// SPDX-License-Identifier: GPL-2.0-only
/*
 * Starts a VM from a snapshot: opens its files, checks that they belong together and fit this
 * machine, and loads the state of each part. Messages name the file and the key that is wrong. A
 * snapshot is never changed.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>
#include <zlib.h>

#include "host/file.h"
#include "host/image.h"
#include "snapshot/snapshot.h"

/* Bytes of all states, at most; most of them are the pipe's. */
#define STATE_MAX	(64 * MIB)

/**
 * struct vmm_snapshot - a snapshot that is open
 * @body: body of the manifest
 * @path: path of its directory, without symbolic links; NULL for files that were given
 * @ram_fd: file of its RAM
 * @ram_size: bytes of RAM, without the last page of the file
 * @base: the snapshot that has the other pages, or NULL
 * @pages: pages that this snapshot has, if there is a @base
 * @pagemap_fd: file of the process's page table, -1 before RAM is mapped
 * @disk_fd: file of each disk, -1 if the snapshot has none
 * @tree: states of the machine's parts
 */
struct vmm_snapshot {
	json_t *body;
	char *path;
	int ram_fd;
	u64 ram_size;
	struct vmm_snapshot *base;
	struct vmm_pages pages;
	int pagemap_fd;
	int disk_fd[VMM_DISKS];
	struct vmm_tree tree;
};

/* Opens a file of the snapshot; refuses links and pipes. */
static int file_open(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	return fd < 0 ? vmm_error(errno, "snapshot: cannot open %s", name) : fd;
}

/**
 * struct source - where the files of a snapshot come from
 * @dir: its directory
 * @given: files that another program has opened, instead of @dir; or NULL
 * @count: how many of them
 */
struct source {
	int dir;
	const int *given;
	unsigned int count;
};

static int file_again(int given)
{
	int fd = fcntl(given, F_DUPFD_CLOEXEC, 0);

	return fd < 0 ? vmm_error(errno, "snapshot") : fd;
}

/* Opens a file that each snapshot has: 0 for the manifest, 1 for the states, 2 for RAM. */
static int source_open(const struct source *from, unsigned int index)
{
	static const char *const names[VMM_SNAPSHOT_FIXED] = {
		VMM_SNAPSHOT_MANIFEST, VMM_SNAPSHOT_STATE, VMM_SNAPSHOT_RAM,
	};

	if (!from->given)
		return file_open(from->dir, names[index]);
	if (index >= from->count)
		return vmm_error(-EINVAL, "snapshot: %s is missing", names[index]);
	return file_again(from->given[index]);
}

/* Reads a whole file of at most @max bytes; free() frees it. NULL after a message. */
static void *file_read(int fd, const char *name, u64 max, size_t *len)
{
	struct stat st;
	u8 *bytes;
	int err;

	if (fstat(fd, &st) || !S_ISREG(st.st_mode) || (u64)st.st_size > max) {
		vmm_error(-EINVAL, "snapshot: %s is no file of at most %llu bytes", name, max);
		return NULL;
	}
	*len = st.st_size;
	bytes = malloc(*len + 1);
	err = bytes ? vmm_file_read_at(fd, bytes, *len, 0) : -ENOMEM;
	if (!err)
		return bytes;
	vmm_error(-err, "snapshot: cannot read %s", name);
	free(bytes);
	return NULL;
}

static int manifest_read(struct vmm_snapshot *snapshot, int fd)
{
	size_t len;
	char *text;

	text = file_read(fd, VMM_SNAPSHOT_MANIFEST, VMM_MANIFEST_MAX, &len);
	if (!text)
		return -EIO;
	snapshot->body = vmm_manifest_parse(text, len, VMM_SNAPSHOT_MANIFEST);
	free(text);
	return snapshot->body ? 0 : -EINVAL;
}

/**
 * vmm_manifest_peek - read the manifest of what may be a snapshot
 * @path: its directory
 *
 * Nothing is checked and nothing is said: it is for finding snapshots.
 *
 * Return: its body, which is the caller's; NULL if it is none
 */
json_t *vmm_manifest_peek(const char *path)
{
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int fd = dir < 0 ? -1 : openat(dir, VMM_SNAPSHOT_MANIFEST,
				       O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	json_t *manifest = NULL;
	json_t *body;
	struct stat st;

	if (fd >= 0 && !fstat(fd, &st) && S_ISREG(st.st_mode) &&
	    st.st_size <= (off_t)VMM_MANIFEST_MAX)
		manifest = json_loadfd(fd, 0, NULL);
	if (fd >= 0)
		close(fd);
	if (dir >= 0)
		close(dir);
	body = json_incref(json_object_get(manifest, "body"));
	json_decref(manifest);
	return body;
}

static int refuse_key(const char *key)
{
	return vmm_error(-EINVAL, "snapshot: " VMM_SNAPSHOT_MANIFEST ": \"%s\" is wrong", key);
}

static u8 digit(char c)
{
	return c >= 'a' ? c - 'a' + 10 : c - '0';
}

static int id_read(const json_t *object, const char *key, u8 *id)
{
	const char *text = vmm_manifest_word(object, "id");
	unsigned int i;

	if (!text || strlen(text) != 2 * VMM_SNAPSHOT_ID ||
	    strspn(text, "0123456789abcdef") != 2 * VMM_SNAPSHOT_ID)
		return refuse_key(key);
	for (i = 0; i < VMM_SNAPSHOT_ID; i++)
		id[i] = digit(text[2 * i]) << 4 | digit(text[2 * i + 1]);
	return 0;
}

static int state_read(struct vmm_snapshot *snapshot, int fd)
{
	const json_t *about = json_object_get(snapshot->body, "state");
	size_t len;
	u64 size, crc;
	u8 *blob;
	int err;

	if (vmm_manifest_number(about, "size", STATE_MAX, &size))
		return refuse_key("state.size");
	if (vmm_manifest_number(about, "crc32", ~0U, &crc))
		return refuse_key("state.crc32");
	blob = file_read(fd, VMM_SNAPSHOT_STATE, STATE_MAX, &len);
	if (!blob)
		return -EIO;
	if (len != size)
		err = vmm_error(-EBADMSG, "snapshot: " VMM_SNAPSHOT_STATE
				" has %zu bytes, and \"state.size\" is %llu", len, size);
	else if (crc32(0, blob, len) != crc)
		err = vmm_error(-EBADMSG, "snapshot: " VMM_SNAPSHOT_STATE
				" does not have the checksum \"state.crc32\"");
	else
		err = vmm_tree_read(&snapshot->tree, blob, len);
	free(blob);
	return err;
}

static struct vmm_snapshot *snapshot_open(const char *path, bool may_have_base);

/* Returns whether the snapshot at @path has the ID in @about. */
static bool base_is(const char *path, const json_t *about)
{
	json_t *body = vmm_manifest_peek(path);
	bool is_so = json_equal(json_object_get(body, "id"), json_object_get(about, "id"));

	json_decref(body);
	return is_so;
}

/*
 * Returns the path of the snapshot with the other pages: the saved path, or the same name beside
 * this snapshot, because both may have been moved together, to another machine.
 */
static const char *base_find(const struct vmm_snapshot *snapshot, const char *path,
			     const json_t *about, char beside[PATH_MAX])
{
	const char *slash = strrchr(snapshot->path, '/');

	if (base_is(path, about) ||
	    (size_t)snprintf(beside, PATH_MAX, "%.*s%s", (int)(slash - snapshot->path),
			     snapshot->path, strrchr(path, '/')) >= PATH_MAX ||
	    !base_is(beside, about))
		return path;
	return beside;
}

/* Opens the snapshot that has the other pages; it must have all pages itself. */
static int base_open(struct vmm_snapshot *snapshot, const json_t *about)
{
	const char *path = vmm_manifest_word(about, "path");
	char beside[PATH_MAX];
	u8 id[VMM_SNAPSHOT_ID];
	int err;

	if (!path || *path != '/')
		return refuse_key("ram.base.path");
	err = id_read(about, "ram.base.id", id);
	if (err)
		return err;
	path = base_find(snapshot, path, about, beside);
	snapshot->base = snapshot_open(path, false);
	if (!snapshot->base)
		return -EINVAL;
	if (memcmp(id, snapshot->base->tree.id, sizeof(id)))
		return vmm_error(-EINVAL,
				 "snapshot: %s is not the one that it is based on (\"id\")", path);
	if (snapshot->base->ram_size != snapshot->ram_size)
		return refuse_key("ram.size");
	return 0;
}

static int pages_read(struct vmm_snapshot *snapshot, const json_t *about)
{
	u64 want;
	u32 crc;
	int err;

	if (vmm_manifest_number(about, "map_crc32", ~0U, &want))
		return refuse_key("ram.map_crc32");
	err = vmm_pages_alloc(&snapshot->pages, snapshot->ram_size);
	if (!err)
		err = vmm_ram_pages(snapshot->ram_fd, snapshot->ram_size, &snapshot->pages, &crc);
	if (err)
		return vmm_error(-err, "snapshot: cannot read " VMM_SNAPSHOT_RAM);
	if (crc != want)
		return vmm_error(-EBADMSG, "snapshot: " VMM_SNAPSHOT_RAM
				 " does not have the checksum \"ram.map_crc32\"");
	return 0;
}

static int ram_read(struct vmm_snapshot *snapshot, const u8 *id, bool may_have_base)
{
	const json_t *about = json_object_get(snapshot->body, "ram");
	const json_t *base = json_object_get(about, "base");
	u64 map;
	int err;

	if (base && !snapshot->path)
		return vmm_error(-EOPNOTSUPP,
				 "snapshot: it needs another one (\"ram.base\"): use run --from");
	if (base && !may_have_base)
		return vmm_error(-EINVAL, "snapshot: %s needs another one itself", snapshot->path);
	if (vmm_manifest_number(about, "size", RANCHU_RAM_MAX, &snapshot->ram_size) ||
	    snapshot->ram_size % VMM_PAGE_SIZE)
		return refuse_key("ram.size");
	map = base ? vmm_pages_bytes(snapshot->ram_size) : 0;
	err = vmm_ram_check(snapshot->ram_fd, snapshot->ram_size, id, map);
	if (!err && base)
		err = pages_read(snapshot, about);
	return !err && base ? base_open(snapshot, base) : err;
}

static int disk_check(int fd, const json_t *about, unsigned int index)
{
	struct stat st;
	u64 size, crc;

	if (vmm_manifest_number(about, "size", INT64_MAX, &size) ||
	    vmm_manifest_number(about, "crc32", ~0U, &crc))
		return refuse_key("images.disk");
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && (u64)st.st_size == size)
		return 0;
	return vmm_error(-EINVAL, "snapshot: " VMM_SNAPSHOT_DISK " does not have %llu bytes",
			 index, size);
}

/* The next file of a disk, of the directory or of those that were given; it is the caller's. */
static int disk_next(const struct source *from, unsigned int index, unsigned int *taken)
{
	char name[VMM_SNAPSHOT_FILE];

	if (!from->given) {
		snprintf(name, sizeof(name), VMM_SNAPSHOT_DISK, index);
		return file_open(from->dir, name);
	}
	if (*taken == from->count)
		return vmm_error(-EINVAL, "snapshot: " VMM_SNAPSHOT_DISK " is missing", index);
	return file_again(from->given[(*taken)++]);
}

/* Its disks are none of those who need only its RAM. */
static int disks_open(struct vmm_snapshot *snapshot, const struct source *from)
{
	const json_t *list = json_object_get(snapshot->body, "images");
	unsigned int taken = VMM_SNAPSHOT_FIXED;
	size_t i;
	int err;

	for (i = 0; i < json_array_size(list); i++) {
		const json_t *about = json_object_get(json_array_get(list, i), "disk");

		if (!about)
			continue;
		if (i >= VMM_DISKS)
			return refuse_key("images.disk");
		snapshot->disk_fd[i] = disk_next(from, i, &taken);
		if (snapshot->disk_fd[i] < 0)
			return snapshot->disk_fd[i];
		err = disk_check(snapshot->disk_fd[i], about, i);
		if (err)
			return err;
	}
	return 0;
}

/* Opens a file, reads it, and closes it. */
static int source_read(struct vmm_snapshot *snapshot, const struct source *from,
		       unsigned int index,
		       int (*read_it)(struct vmm_snapshot *snapshot, int fd))
{
	int fd = source_open(from, index);
	int err = fd < 0 ? fd : read_it(snapshot, fd);

	if (fd >= 0)
		close(fd);
	return err;
}

static int snapshot_read(struct vmm_snapshot *snapshot, const struct source *from,
			 bool may_have_base)
{
	u8 id[VMM_SNAPSHOT_ID];
	int err;

	err = source_read(snapshot, from, 0, manifest_read);
	if (!err)
		err = id_read(snapshot->body, "id", id);
	if (!err)
		err = source_read(snapshot, from, 1, state_read);
	if (!err && memcmp(id, snapshot->tree.id, sizeof(id)))
		err = vmm_error(-EINVAL, "snapshot: " VMM_SNAPSHOT_STATE
				" is another snapshot's (\"id\")");
	if (err)
		return err;
	snapshot->ram_fd = source_open(from, 2);
	err = snapshot->ram_fd < 0 ? snapshot->ram_fd : ram_read(snapshot, id, may_have_base);
	return !err && (may_have_base || from->given) ? disks_open(snapshot, from) : err;
}

static struct vmm_snapshot *snapshot_alloc(void)
{
	struct vmm_snapshot *snapshot = calloc(1, sizeof(*snapshot));
	unsigned int i;

	if (!snapshot) {
		vmm_error(ENOMEM, "snapshot");
		return NULL;
	}
	snapshot->ram_fd = -1;
	snapshot->pagemap_fd = -1;
	for (i = 0; i < VMM_DISKS; i++)
		snapshot->disk_fd[i] = -1;
	return snapshot;
}

static struct vmm_snapshot *snapshot_open(const char *path, bool may_have_base)
{
	struct vmm_snapshot *snapshot = snapshot_alloc();
	struct source from = { 0 };
	int err;
	int dir;

	if (!snapshot)
		return NULL;
	snapshot->path = realpath(path, NULL);
	dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (dir < 0 || !snapshot->path) {
		err = vmm_error(errno, "snapshot: cannot open %s", path);
	} else {
		/* Seeds jansson's hash tables now, because jansson opens a file for that. */
		json_object_seed(0);
		from.dir = dir;
		err = snapshot_read(snapshot, &from, may_have_base);
	}
	if (dir >= 0)
		close(dir);
	if (!err)
		return snapshot;
	vmm_snapshot_close(snapshot);
	return NULL;
}

/**
 * vmm_snapshot_open - open a snapshot
 * @path: its directory
 *
 * Return: the snapshot, or NULL after a message
 */
struct vmm_snapshot *vmm_snapshot_open(const char *path)
{
	return snapshot_open(path, true);
}

/**
 * vmm_snapshot_given - open a snapshot by files that another program has opened
 * @files: manifest, states, RAM, and of each disk that the snapshot has; owned by the caller
 * @count: how many
 *
 * Opens no file by its path, and has nothing of another snapshot.
 *
 * Context: any thread.
 * Return: the snapshot, or NULL after a message
 */
struct vmm_snapshot *vmm_snapshot_given(const int *files, unsigned int count)
{
	struct vmm_snapshot *snapshot = snapshot_alloc();
	struct source from = { .dir = -1, .given = files, .count = count };

	if (!snapshot || !snapshot_read(snapshot, &from, false))
		return snapshot;
	vmm_snapshot_close(snapshot);
	return NULL;
}

/**
 * vmm_snapshot_close - close a snapshot
 * @snapshot: may be NULL; mapped RAM stays mapped
 */
void vmm_snapshot_close(struct vmm_snapshot *snapshot)
{
	unsigned int i;

	if (!snapshot)
		return;
	for (i = 0; i < VMM_DISKS; i++) {
		if (snapshot->disk_fd[i] >= 0)
			close(snapshot->disk_fd[i]);
	}
	vmm_snapshot_close(snapshot->base);
	vmm_tree_free(&snapshot->tree);
	vmm_pages_free(&snapshot->pages);
	if (snapshot->ram_fd >= 0)
		close(snapshot->ram_fd);
	if (snapshot->pagemap_fd >= 0)
		close(snapshot->pagemap_fd);
	free(snapshot->path);
	json_decref(snapshot->body);
	free(snapshot);
}

/**
 * vmm_snapshot_body - return the body of the manifest
 * @snapshot: open
 *
 * Return: an object, which lives as long as @snapshot
 */
const json_t *vmm_snapshot_body(const struct vmm_snapshot *snapshot)
{
	return snapshot->body;
}

/**
 * vmm_snapshot_ram - return the file with RAM's content
 * @snapshot: open
 *
 * Return: the file, owned by @snapshot; vmm_snapshot_map() comes next
 */
int vmm_snapshot_ram(const struct vmm_snapshot *snapshot)
{
	return snapshot->base ? snapshot->base->ram_fd : snapshot->ram_fd;
}

/**
 * vmm_snapshot_changes_file - return the file with the pages that differ from vmm_snapshot_ram()'s
 * @snapshot: open
 *
 * Return: the file, owned by @snapshot; -1 if vmm_snapshot_ram() has all pages
 */
int vmm_snapshot_changes_file(const struct vmm_snapshot *snapshot)
{
	return snapshot->base ? snapshot->ram_fd : -1;
}

/**
 * vmm_snapshot_disks - return what a snapshot has of disks
 * @snapshot: open
 * @past: filled, for VMM_DISKS disks; files and objects stay those of @snapshot
 */
void vmm_snapshot_disks(const struct vmm_snapshot *snapshot, struct vmm_image_past *past)
{
	const json_t *list = json_object_get(snapshot->body, "images");
	unsigned int i;

	for (i = 0; i < VMM_DISKS; i++)
		past[i] = (struct vmm_image_past){
			json_array_get(list, i), snapshot->disk_fd[i],
		};
}

/**
 * vmm_snapshot_map - map the pages that are in the file of this snapshot over those of its base
 * @snapshot: open
 * @mem: guest RAM, mapped from vmm_snapshot_ram(), not written to yet
 *
 * Opens a file by its path: called before the sandbox is entered.
 *
 * Return: 0, or -errno after a message
 */
int vmm_snapshot_map(struct vmm_snapshot *snapshot, const struct vmm_mem *mem)
{
	int err = 0;

	/* vmm_snapshot_fits() refuses another size, and names the option. */
	if (vmm_ram_bytes(mem) != snapshot->ram_size)
		return 0;
	/* Without this file, the next snapshot contains all of RAM. */
	snapshot->pagemap_fd = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	if (snapshot->base)
		err = vmm_pages_map(&snapshot->pages, mem, snapshot->ram_fd);
	return err ? vmm_error(-err, "snapshot: cannot map " VMM_SNAPSHOT_RAM) : 0;
}

/**
 * vmm_snapshot_changes - find the pages that differ from the loaded snapshot
 * @snapshot: vmm_snapshot_map() has been called
 * @mem: guest RAM, which does not change meanwhile
 * @pages: filled; vmm_pages_free() frees it
 *
 * Return: 0, or -errno after a message
 */
int vmm_snapshot_changes(const struct vmm_snapshot *snapshot, const struct vmm_mem *mem,
			 struct vmm_pages *pages)
{
	int err = snapshot->pagemap_fd < 0 ? -EBADF : vmm_pages_alloc(pages, vmm_ram_bytes(mem));

	if (!err && snapshot->base)
		memcpy(pages->bit, snapshot->pages.bit, vmm_pages_bytes(snapshot->ram_size));
	if (!err)
		err = vmm_pages_changed(pages, mem, snapshot->pagemap_fd);
	return err ? vmm_error(-err, "snapshot: cannot find which pages have changed") : 0;
}

/**
 * vmm_snapshot_base - describe the snapshot that has the unchanged pages
 * @snapshot: the loaded snapshot
 *
 * Return: "ram.base" of a manifest, or NULL without memory
 */
json_t *vmm_snapshot_base(const struct vmm_snapshot *snapshot)
{
	const struct vmm_snapshot *base = snapshot->base ? snapshot->base : snapshot;

	return json_pack("{s:s, s:o}", "path", base->path, "id", vmm_manifest_id(base->tree.id));
}

static int disks_check(const struct vmm_snapshot *snapshot)
{
	const json_t *list = json_object_get(snapshot->body, "images");
	unsigned int i;

	for (i = 0; i < VMM_DISKS; i++) {
		const json_t *about = json_object_get(json_array_get(list, i), "disk");
		u64 size, crc;
		u32 sum;
		int err;

		if (snapshot->disk_fd[i] < 0)
			continue;
		if (vmm_manifest_number(about, "size", INT64_MAX, &size) ||
		    vmm_manifest_number(about, "crc32", ~0U, &crc))
			return refuse_key("images.disk");
		err = vmm_ram_sum(snapshot->disk_fd[i], size, &sum);
		if (err)
			return vmm_error(-err, "snapshot: cannot read " VMM_SNAPSHOT_DISK, i);
		if (sum != crc)
			return vmm_error(-EBADMSG, "snapshot: " VMM_SNAPSHOT_DISK
					 " does not have the checksum \"images.disk.crc32\"", i);
	}
	return 0;
}

/**
 * vmm_snapshot_check - read all RAM and disks and compare their checksums
 * @snapshot: open
 *
 * Return: 0, or -errno after a message
 */
int vmm_snapshot_check(const struct vmm_snapshot *snapshot)
{
	const json_t *about = json_object_get(snapshot->body, "ram");
	u64 crc;
	u32 sum;
	int err;

	if (snapshot->base) {
		err = vmm_snapshot_check(snapshot->base);
		if (err)
			return err;
	}
	if (vmm_manifest_number(about, "crc32", ~0U, &crc))
		return refuse_key("ram.crc32");
	err = vmm_ram_sum(snapshot->ram_fd, snapshot->ram_size, &sum);
	if (err)
		return vmm_error(-err, "snapshot: cannot read " VMM_SNAPSHOT_RAM);
	if (sum != crc)
		return vmm_error(-EBADMSG, "snapshot: " VMM_SNAPSHOT_RAM
				 " does not have the checksum \"ram.crc32\"");
	return disks_check(snapshot);
}

/* ---- does the snapshot fit this VM? ---- */

static int differs(const char *key, const char *there, const char *here)
{
	return vmm_error(-EINVAL, "snapshot: \"%s\" is %s there and %s here", key, there, here);
}

static int word_fits(const json_t *machine, const char *key, const char *here)
{
	const char *there = vmm_manifest_word(machine, key);

	if (!there)
		return refuse_key(key);
	return strcmp(there, here) ? differs(key, there, here) : 0;
}

static int number_fits(const json_t *machine, const char *key, u64 here)
{
	char text[2][24];
	u64 there;

	if (vmm_manifest_number(machine, key, INT64_MAX, &there))
		return refuse_key(key);
	if (there == here)
		return 0;
	snprintf(text[0], sizeof(text[0]), "%llu", there);
	snprintf(text[1], sizeof(text[1]), "%llu", here);
	return differs(key, text[0], text[1]);
}

/* A running VM gets back what the snapshot has of the disk: the image may have changed. */
static int disk_fits(const struct vmm_snapshot *snapshot, const struct vmm_images *images,
		     unsigned int index)
{
	u64 there, here;
	int err;

	if (snapshot->disk_fd[index] < 0)
		return vmm_error(-EINVAL, "snapshot: it has no \"disk\" of disk %u", index);
	err = vmm_disk_size(images, index, &here);
	if (err)
		return vmm_error(-err, "snapshot: disk %u", index);
	there = lseek(snapshot->disk_fd[index], 0, SEEK_END);
	if (there == here)
		return 0;
	return vmm_error(-EINVAL, "snapshot: disk %u has %llu bytes there and %llu here", index,
			 there, here);
}

static int images_fit(const struct vmm_snapshot *snapshot, const struct vmm_config *cfg,
		      const struct vmm_images *images)
{
	const json_t *list = json_object_get(snapshot->body, "images");
	unsigned int i;
	int err = 0;

	if (json_array_size(list) != cfg->disks)
		return vmm_error(-EINVAL, "snapshot: \"images\" has %zu, and there are %u disks",
				 json_array_size(list), cfg->disks);
	for (i = 0; i < cfg->disks && !err; i++) {
		const json_t *there = json_array_get(list, i);

		if (json_is_true(json_object_get(there, "readonly")) != cfg->disk[i].readonly)
			err = vmm_error(-EINVAL,
					"snapshot: \"readonly\" of disk %u differs", i);
		else if (!snapshot->path && !cfg->disk[i].readonly)
			err = disk_fits(snapshot, images, i);
		else
			err = vmm_image_same(images, i, there, cfg->disk[i].path);
	}
	return err;
}

/* @size is the size of the file, which must not be shorter than RAM. */
static int ram_fits(const json_t *list, u64 size, const struct vmm_mem *mem)
{
	unsigned int i;

	if (size != vmm_ram_bytes(mem))
		return refuse_key("ram.size");
	if (json_array_size(list) != mem->regions)
		return refuse_key("ram.regions");
	for (i = 0; i < mem->regions; i++) {
		const json_t *there = json_array_get(list, i);

		if (number_fits(there, "base", mem->region[i].base) ||
		    number_fits(there, "size", mem->region[i].size))
			return -EINVAL;
	}
	return 0;
}

/* 0 unless the guest would find another CPU than the one that it has looked at. */
static int feature_fits(const struct vmm_vm *vm, const char *name, const json_t *there,
			const json_t *here)
{
	const char *text = json_string_value(there);
	char key[80];
	char *end;
	u64 value;

	if (here && json_equal(here, there))
		return 0;
	snprintf(key, sizeof(key), "machine.cpu.%.60s", name);
	errno = 0;
	value = text ? strtoull(text, &end, 16) : 0;
	if (!text || errno || *end)
		return refuse_key(key);
	if (vmm_arch_feature_taken(vm, name, value))
		return 0;
	return differs(key, text, here ? json_string_value(here) : "missing");
}

/* An older snapshot does not say, and KVM refuses it later by a number. */
static int features_fit(const struct vmm_vm *vm, const json_t *there)
{
	json_t *here = there ? vmm_saving_features(vm) : NULL;
	const char *name;
	json_t *value;
	int err = 0;

	json_object_foreach((json_t *)there, name, value) {
		err = feature_fits(vm, name, value, json_object_get(here, name));
		if (err)
			break;
	}
	json_decref(here);
	return err;
}

/**
 * vmm_snapshot_fits - check that a VM can start from a snapshot, or go back to it
 * @snapshot: open
 * @vm: switched on; no vCPU runs
 * @images: images of its disks
 *
 * Return: 0, or -EINVAL after a message that names the difference
 */
int vmm_snapshot_fits(const struct vmm_snapshot *snapshot, const struct vmm_vm *vm,
		      const struct vmm_images *images)
{
	const json_t *machine = json_object_get(snapshot->body, "machine");
	const json_t *ram = json_object_get(snapshot->body, "ram");
	int err;

	err = word_fits(machine, "host", vmm_arch_name);
	if (!err)
		err = word_fits(machine, "board", vm->board.name);
	if (!err)
		err = number_fits(machine, "cpus", vm->vcpus);
	if (!err)
		err = number_fits(machine, "memory", vm->cfg->memory);
	if (!err)
		err = number_fits(machine, "gic", vm->gic);
	if (!err)
		err = features_fit(vm, json_object_get(machine, "cpu"));
	if (!err)
		err = ram_fits(json_object_get(ram, "regions"), snapshot->ram_size, &vm->mem);
	if (!err)
		err = images_fit(snapshot, vm->cfg, images);
	return err;
}

/* Checks that a part's state is there, of the same model, and of a version that is known here. */
static int part_fits(const struct vmm_snapshot *snapshot, const struct vmm_tree *own,
		     const char *node, unsigned int index)
{
	struct vmm_state *there = vmm_tree_find(&snapshot->tree, node, index);
	struct vmm_state *here = vmm_tree_find(own, node, index);
	char model[2][VMM_STATE_NAME];
	u32 version[2];

	if (!there)
		return vmm_error(-EINVAL, "snapshot: " VMM_SNAPSHOT_STATE " has no node %s@%u",
				 node, index);
	if (!here || vmm_state_open_any(there, model[0], &version[0]) ||
	    vmm_state_open_any(here, model[1], &version[1]))
		return vmm_error(-EINVAL, "snapshot: %s@%u is refused", node, index);
	if (strcmp(model[0], model[1]))
		return vmm_error(-EINVAL, "snapshot: %s@%u is \"%s\" there and \"%s\" here", node,
				 index, model[0], model[1]);
	if (version[0] <= version[1])
		return 0;
	return vmm_error(-EOPNOTSUPP,
			 "snapshot: %s@%u, \"%s\", has version %u there, and %u is the newest here",
			 node, index, model[0], version[0], version[1]);
}

static int device_fits(const struct vmm_snapshot *snapshot, const struct vmm_tree *own,
		       const struct vmm_device *dev, unsigned int index, unsigned int *used)
{
	struct vmm_state *there = vmm_tree_find(&snapshot->tree, "device", index);
	int err;

	if (!there && dev->ops->load_nothing)
		return 0;
	err = part_fits(snapshot, own, "device", index);
	if (err)
		return err;
	(*used)++;
	return dev->ops->fits ? dev->ops->fits(dev, there) : 0;
}

static int parts_fit(const struct vmm_snapshot *snapshot, const struct vmm_tree *own,
		     const struct vmm_vm *vm)
{
	unsigned int used = 1 + vm->vcpus;
	unsigned int i;
	int err = part_fits(snapshot, own, "interrupt-controller", 0);

	for (i = 0; i < vm->vcpus && !err; i++)
		err = part_fits(snapshot, own, "cpu", i);
	for (i = 0; i < vm->board.devices && !err; i++) {
		if (vm->board.dev[i].ops->save)
			err = device_fits(snapshot, own, &vm->board.dev[i], i, &used);
	}
	if (!err && used != snapshot->tree.parts)
		err = vmm_error(-EINVAL, "snapshot: " VMM_SNAPSHOT_STATE
				" has other nodes than this machine");
	return err;
}

/**
 * vmm_snapshot_parts_fit - check that the states are those of a VM's parts
 * @snapshot: open
 * @vm: its vCPUs and devices are paused
 *
 * The VM's own states are saved for that, because only they tell which versions it knows.
 * vmm_snapshot_load() may still refuse the values of a state.
 *
 * Context: a job.
 * Return: 0, or -errno after a message that names the difference
 */
int vmm_snapshot_parts_fit(const struct vmm_snapshot *snapshot, struct vmm_vm *vm)
{
	struct vmm_tree *own = calloc(1, sizeof(*own));
	unsigned long said = vmm_errors();
	int err = own ? vmm_saving_tree(vm, own) : -ENOMEM;

	if (err && vmm_errors() == said)
		vmm_error(-err, "snapshot: the VM's own state cannot be read");
	if (!err)
		err = parts_fit(snapshot, own, vm);
	if (own)
		vmm_tree_free(own);
	free(own);
	return err;
}

/* ---- loading the parts ---- */

static struct vmm_state *part(struct vmm_snapshot *snapshot, const char *node, unsigned int index,
			      unsigned int *used)
{
	struct vmm_state *state = vmm_tree_find(&snapshot->tree, node, index);

	if (state)
		(*used)++;
	else
		vmm_error(-EINVAL, "snapshot: " VMM_SNAPSHOT_STATE " has no node %s@%u", node,
			  index);
	return state;
}

/* Writes one message, unless the part has written one since @said. */
static int load_failed(unsigned long said, int err, const char *node, unsigned int index)
{
	if (vmm_errors() != said)
		return err;
	return vmm_error(err, "snapshot: " VMM_SNAPSHOT_STATE ": %s@%u is refused", node, index);
}

static int load_cpus(struct vmm_snapshot *snapshot, struct vmm_vm *vm, unsigned int *used)
{
	unsigned long said = vmm_errors();
	unsigned int i;
	int err;

	for (i = 0; i < vm->vcpus; i++) {
		struct vmm_state *state = part(snapshot, "cpu", i, used);

		err = state ? vmm_arch_vcpu_load(vm->vcpu[i], state) : -EINVAL;
		if (err)
			return load_failed(said, err, "cpu", i);
	}
	return 0;
}

/* Returns whether the snapshot has no state of the device, and the device needs none. */
static bool is_as_new(struct vmm_snapshot *snapshot, struct vmm_device *dev, unsigned int index)
{
	return dev->ops->load_nothing && !vmm_tree_find(&snapshot->tree, "device", index) &&
	       !dev->ops->load_nothing(dev);
}

static int load_devices(struct vmm_snapshot *snapshot, struct vmm_vm *vm, unsigned int *used)
{
	unsigned long said = vmm_errors();
	unsigned int i;
	int err;

	for (i = 0; i < vm->board.devices; i++) {
		struct vmm_device *dev = &vm->board.dev[i];
		struct vmm_state *state;

		if (!dev->ops->save || is_as_new(snapshot, dev, i))
			continue;
		state = part(snapshot, "device", i, used);
		err = state ? vmm_device_load(dev, state) : -EINVAL;
		if (err && vmm_errors() == said)
			vmm_error(err, "snapshot: " VMM_SNAPSHOT_STATE
				  ": device@%u, \"%s\", is refused", i, dev->ops->name);
		if (err)
			return err;
	}
	return 0;
}

/**
 * vmm_snapshot_load - load a VM's state
 * @snapshot: fits the VM; its states are consumed
 * @vm: switched on, its devices are as after a reset, and no vCPU has run
 *
 * The interrupt controller is loaded first, because devices raise lines.
 *
 * Return: 0, or -errno after a message; the VM must not run then
 */
int vmm_snapshot_load(struct vmm_snapshot *snapshot, struct vmm_vm *vm)
{
	unsigned long said = vmm_errors();
	unsigned int used = 0;
	struct vmm_state *state = part(snapshot, "interrupt-controller", 0, &used);
	int err = state ? vmm_arch_irqchip_load(vm, state) : -EINVAL;

	if (err)
		return load_failed(said, err, "interrupt-controller", 0);
	err = load_cpus(snapshot, vm, &used);
	if (!err)
		err = load_devices(snapshot, vm, &used);
	if (!err && used != snapshot->tree.parts)
		err = vmm_error(-EINVAL, "snapshot: " VMM_SNAPSHOT_STATE
				" has nodes that this machine does not have");
	return err;
}
