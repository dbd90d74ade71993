// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmmctl snapshot: saves a VM to a directory, and checks that a snapshot is complete; it goes
 * back into a running VM in snapshot_put.c.
 *
 * The VM is in a sandbox and writes to files that it is given. The guest may have taken control of
 * it: nothing in its answer is believed that a program which starts the snapshot would run or open
 * (snapshot/origin.c). The files are created in a temporary directory, which is renamed when
 * everything is on the disk: another program finds the old snapshot or the new one, or none, but
 * never an incomplete one.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/directory_link.h"
#include "control/folder.h"
#include "control/lines.h"
#include "control/seal.h"
#include "host/file.h"
#include "host/vm_dir.h"
#include "snapshot/snapshot.h"

/* Long, because all RAM is written, maybe to a slow disk. */
#define SAVE_TIMEOUT_MS	(30 * 60 * 1000)

#define USAGE \
	"snapshot needs \"save NAME DIR [--changes]\", \"load NAME DIR\", \"check DIR\", " \
	"\"del DIR\" or \"list [DIR]\""

static const char *const files[] = {
	VMM_SNAPSHOT_STATE, VMM_SNAPSHOT_RAM, VMM_SNAPSHOT_MANIFEST,
};

#define FILES_GIVEN	2	/* the first ones are the VM's to write */

/**
 * struct place - where a snapshot is created
 * @path: the directory of the snapshot
 * @beside: the temporary directory, beside @path
 * @old: @path exists already, as a snapshot
 * @dir: @beside, open; -1 before it is created
 * @file: files of the snapshot, in the order of @files
 * @disk: files of disks, the same; 0 for none
 */
struct place {
	const char *path;
	char beside[PATH_MAX];
	bool old;
	int dir;
	int file[ARRAY_SIZE(files)];
	int disk[VMM_DISKS];
};

static const char *disk_name(char name[VMM_SNAPSHOT_FILE], unsigned int index)
{
	snprintf(name, VMM_SNAPSHOT_FILE, VMM_SNAPSHOT_DISK, index);
	return name;
}

/* Removes the files that this program creates, and no others. */
static void folder_remove(const char *path)
{
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	char name[VMM_SNAPSHOT_FILE];
	unsigned int i;

	if (dir < 0)
		return;
	for (i = 0; i < ARRAY_SIZE(files); i++)
		unlinkat(dir, files[i], 0);
	unlinkat(dir, VMM_SEAL_COPY, 0);
	for (i = 0; i < VMM_DISKS; i++)
		unlinkat(dir, disk_name(name, i), 0);
	close(dir);
	rmdir(path);
}

static void place_close(struct place *place)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		if (place->file[i] >= 0)
			close(place->file[i]);
		place->file[i] = -1;
	}
	for (i = 0; i < VMM_DISKS; i++) {
		if (place->disk[i] > 0)
			close(place->disk[i]);
		place->disk[i] = 0;
	}
	if (place->dir >= 0)
		close(place->dir);
	place->dir = -1;
}

static bool is_ours(const char *name)
{
	char disk[VMM_SNAPSHOT_FILE];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		if (!strcmp(name, files[i]))
			return true;
	}
	for (i = 0; i < VMM_DISKS; i++) {
		if (!strcmp(name, disk_name(disk, i)))
			return true;
	}
	return !strcmp(name, VMM_SEAL_COPY) || !strcmp(name, ".") || !strcmp(name, "..");
}

/* Other files would be left behind, under the name of a temporary directory. */
static int has_only_ours(const char *path)
{
	DIR *list = opendir(path);
	struct dirent *entry;
	int err = 0;

	if (!list)
		return vmm_error(errno, "snapshot: cannot read the directory %s", path);
	while (!err && (entry = readdir(list))) {
		if (!is_ours(entry->d_name))
			err = vmm_error(-EEXIST, "snapshot: %s contains %s, no file of a snapshot",
					path, entry->d_name);
	}
	closedir(list);
	return err;
}

/* Returns whether the snapshot @other has only the changes relative to the snapshot @path. */
static bool needs(const char *other, const char *path, const json_t *id)
{
	json_t *body = vmm_manifest_peek(other);
	const json_t *base = json_object_get(json_object_get(body, "ram"), "base");
	const char *where = vmm_manifest_word(base, "path");
	const char *name = strrchr(path, '/');
	bool is_so;

	name = name ? name + 1 : path;
	/* The names are compared: both may have been moved to another directory. */
	is_so = where && id && json_equal(json_object_get(base, "id"), id) &&
		!strcmp(strrchr(where, '/') ? strrchr(where, '/') + 1 : where, name);
	json_decref(body);
	return is_so;
}

/* A snapshot that others beside it need must not be removed or replaced. */
static int nobody_needs(const char *path)
{
	json_t *body = vmm_manifest_peek(path);
	const json_t *id = json_object_get(body, "id");
	char above[PATH_MAX], other[PATH_MAX];
	const char *slash = strrchr(path, '/');
	struct dirent *entry;
	int err = 0;
	DIR *list;

	snprintf(above, sizeof(above), "%.*s", slash ? (int)(slash - path) + 1 : 1,
		 slash ? path : ".");
	list = opendir(above);
	while (list && !err && (entry = readdir(list))) {
		if ((size_t)snprintf(other, sizeof(other), "%s/%s", above, entry->d_name) <
		    sizeof(other) && needs(other, path, id))
			err = vmm_error(-EBUSY, "snapshot: %s has changes relative to %s: it stays",
					entry->d_name, path);
	}
	if (list)
		closedir(list);
	json_decref(body);
	return err;
}

/* Checks the target: a snapshot is replaced, anything else is an error. */
static int place_look(struct place *place)
{
	char path[PATH_MAX + 32];
	struct stat st;
	int err;

	if (lstat(place->path, &st))
		return errno == ENOENT ? 0 : vmm_error(errno, "snapshot: %s", place->path);
	snprintf(path, sizeof(path), "%s/" VMM_SNAPSHOT_MANIFEST, place->path);
	if (!S_ISDIR(st.st_mode) || lstat(path, &st))
		return vmm_error(-EEXIST, "snapshot: %s exists, and is no snapshot",
				 place->path);
	place->old = true;
	err = has_only_ours(place->path);
	return err ? err : nobody_needs(place->path);
}

static int file_make(const struct place *place, const char *name)
{
	int fd = openat(place->dir, name, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	return fd < 0 ? vmm_error(errno, "snapshot: cannot make %s/%s", place->beside, name) : fd;
}

static int place_open(struct place *place)
{
	char name[VMM_SNAPSHOT_FILE];
	unsigned int i;
	int err = place_look(place);

	if (err)
		return err;
	vmm_folder_sweep(place->path, folder_remove);
	place->dir = vmm_folder_make(place->path, place->beside);
	if (place->dir < 0) {
		err = vmm_error(-place->dir, "snapshot: cannot make %s", place->beside);
		/* An existing directory belongs to another program: do not remove it. */
		*place->beside = '\0';
		return err;
	}
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		place->file[i] = file_make(place, files[i]);
		if (place->file[i] < 0)
			return place->file[i];
	}
	/* The VM's answer says later which of these files are used. */
	for (i = 0; i < VMM_DISKS; i++) {
		int fd = file_make(place, disk_name(name, i));

		if (fd < 0)
			return fd;
		place->disk[i] = fd;
	}
	return 0;
}

/* Sets the image's time. A copy of the file that keeps the time can be the VM's image. */
static int disk_time(int fd, const json_t *image)
{
	const u64 second = 1000000000;
	struct timespec times[2] = { { .tv_nsec = UTIME_OMIT } };
	u64 mtime;

	if (vmm_manifest_number(image, "mtime", INT64_MAX, &mtime))
		return 0;
	times[1].tv_sec = mtime / second;
	times[1].tv_nsec = mtime % second;
	return futimens(fd, times) ? -errno : 0;
}

/* Checks and syncs the file of a disk, and adds its checksum to the manifest. */
static int disk_finish(int fd, const json_t *image, unsigned int index)
{
	json_t *about = json_object_get(image, "disk");
	u64 size;
	u32 sum = 0;
	int err;

	if (vmm_manifest_number(about, "size", INT64_MAX, &size) ||
	    lseek(fd, 0, SEEK_END) != (off_t)size)
		return vmm_error(-EPROTO, "snapshot: " VMM_SNAPSHOT_DISK " is not what the VM says",
				 index);
	err = vmm_ram_sum(fd, size, &sum);
	if (!err && json_object_set_new(about, "crc32", json_integer(sum)))
		err = -ENOMEM;
	if (!err)
		err = disk_time(fd, image);
	if (!err && fsync(fd))
		err = -errno;
	return err ? vmm_error(-err, "snapshot: " VMM_SNAPSHOT_DISK, index) : 0;
}

/* Makes the files of disks unchangeable, and removes files that the VM does not use. */
static int place_disks(struct place *place, const json_t *body)
{
	const json_t *list = json_object_get(body, "images");
	char name[VMM_SNAPSHOT_FILE];
	unsigned int i;
	int err = 0;

	for (i = 0; i < VMM_DISKS && !err; i++) {
		const json_t *image = json_array_get(list, i);

		disk_name(name, i);
		if (!json_object_get(image, "disk")) {
			if (unlinkat(place->dir, name, 0))
				err = vmm_error(errno, "snapshot: %s", name);
			continue;
		}
		err = vmm_seal(place->dir, name, &place->disk[i]);
		if (!err)
			err = disk_finish(place->disk[i], image, i);
	}
	return err;
}

static int manifest_write(int fd, const json_t *body)
{
	char *text = vmm_manifest_text(body);
	int err = text ? vmm_file_write_at(fd, (u8 *)text, strlen(text), 0) : -ENOMEM;

	free(text);
	return err ? vmm_error(-err, "snapshot: " VMM_SNAPSHOT_MANIFEST) : 0;
}

/* Syncs everything to the disk before the rename. */
static int place_finish(struct place *place)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(files) && !err; i++) {
		if (fsync(place->file[i]))
			err = vmm_error(errno, "snapshot: cannot write %s", files[i]);
	}
	if (!err && fsync(place->dir))
		err = vmm_error(errno, "snapshot: cannot write %s", place->beside);
	if (err)
		return err;
	err = vmm_folder_name(place->beside, place->path, place->old);
	if (err)
		return vmm_error(-err, "snapshot: cannot rename it to %s", place->path);
	err = vmm_folder_sync(place->path);
	return err ? vmm_error(-err, "snapshot: the directory of %s", place->path) : 0;
}

/* Checks that the snapshot with the unchanged pages is not replaced. */
static int place_check(const struct place *place, const json_t *origin)
{
	const char *path = vmm_manifest_word(json_object_get(origin, "base"), "path");
	struct stat st, other;

	if (!path || stat(path, &st) || stat(place->path, &other) || st.st_ino != other.st_ino ||
	    st.st_dev != other.st_dev)
		return 0;
	return vmm_error(-EEXIST,
			 "snapshot: %s is what the changes are relative to, and cannot be replaced by them",
			 place->path);
}

/* Makes the files that the VM was given unchangeable for the VM. */
static int place_seal(struct place *place)
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < FILES_GIVEN && !err; i++)
		err = vmm_seal(place->dir, files[i], &place->file[i]);
	return err;
}

/* Opens the new snapshot, which also checks that its base still exists. */
static int place_opens(const struct place *place)
{
	struct vmm_snapshot *snapshot = vmm_snapshot_open(place->beside);

	vmm_snapshot_close(snapshot);
	return snapshot ? 0 : -EBADMSG;
}

/* What the VM was started with, by its own vmmctl before the sandbox; or NULL after a message. */
static json_t *origin_read(const char *base, const char *name)
{
	char path[PATH_MAX];
	char *text = NULL;
	json_t *origin = NULL;
	struct stat st = { 0 };
	int err = vmm_dir_file(base, name, VMM_DIR_ORIGIN, path, sizeof(path));
	int fd = err ? err : open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0) {
		vmm_error(err ? -err : errno,
			  "%s: what the VM was started with cannot be read, and nothing is saved",
			  name);
		return NULL;
	}
	if (!fstat(fd, &st) && S_ISREG(st.st_mode) && st.st_size <= (off_t)VMM_MANIFEST_MAX)
		text = malloc(st.st_size + 1);
	if (text && !vmm_file_read_at(fd, (u8 *)text, st.st_size, 0))
		origin = vmm_origin_parse(text, st.st_size);
	else
		vmm_error(-EINVAL, "%s: %s is no file of at most %llu bytes", name, path,
			  VMM_MANIFEST_MAX);
	free(text);
	close(fd);
	return origin;
}

/* The VM's answer with its origin in it, or NULL after a message. */
static json_t *body_of(struct vmm_client *client, const json_t *origin, const char *name,
		       bool changes)
{
	json_t *args = changes ? json_pack("{s:b}", "changes", true) : NULL;
	json_t *answer = vmm_client_call(client, "snapshot", args);
	json_t *body;

	if (!answer) {
		vmm_error(-EIO, "%s: %s", name, vmm_client_error(client));
		return NULL;
	}
	body = vmm_origin_body(origin, answer);
	json_decref(answer);
	return body;
}

static int save_by(struct vmm_client *client, struct place *place, const json_t *origin,
		   const char *name, bool changes)
{
	int give[VMM_LINES_FILES] = { place->file[0], place->file[1] };
	json_t *body;
	int err;

	/* An older VM takes only the first two. */
	memcpy(give + FILES_GIVEN, place->disk, sizeof(place->disk));
	vmm_client_give(client, give, FILES_GIVEN + VMM_DISKS);
	body = body_of(client, origin, name, changes);
	if (!body)
		return -EIO;
	err = place_seal(place);
	if (!err)
		err = place_disks(place, body);
	if (!err)
		err = manifest_write(place->file[2], body);
	json_decref(body);
	if (!err)
		err = place_opens(place);
	return err ? err : place_finish(place);
}

/* A name that is completed in a shell ends in a slash, and what is beside it does not. */
static int path_cut(const char *where, char path[PATH_MAX])
{
	size_t len = strlen(where);

	while (len > 1 && where[len - 1] == '/')
		len--;
	if (len >= PATH_MAX)
		return vmm_error(-ENAMETOOLONG, "snapshot: the name of the directory is too long");
	memcpy(path, where, len);
	path[len] = '\0';
	return 0;
}

/**
 * vmm_snapshot_save - save a VM
 * @base: directory of the VMs' directories
 * @name: the VM's name
 * @where: directory of the snapshot; an existing snapshot is replaced
 * @changes: save only changes since the snapshot that the VM was started from
 *
 * Return: 0, or -errno after a message
 */
int vmm_snapshot_save(const char *base, const char *name, const char *where, bool changes)
{
	char path[PATH_MAX];
	struct place place = { .path = path, .dir = -1, .file = { -1, -1, -1 } };
	struct vmm_client *client;
	char control[PATH_MAX];
	json_t *origin;
	int err = path_cut(where, path);

	if (err)
		return err;
	if (vmm_dir_file(base, name, "control.sock", control, sizeof(control)))
		return vmm_error(-EINVAL, "no VM can be named \"%s\"", name);
	client = vmm_client_open(control, SAVE_TIMEOUT_MS);
	if (!client && (errno == ENOENT || errno == ECONNREFUSED))
		return vmm_error(-errno, "no VM is named \"%s\"", name);
	if (!client)
		return vmm_error(errno, "cannot reach the VM \"%s\"", name);
	origin = origin_read(base, name);
	err = origin ? 0 : -EIO;
	if (!err && changes)
		err = place_check(&place, origin);
	if (!err)
		err = place_open(&place);
	if (!err)
		err = save_by(client, &place, origin, name, changes);
	json_decref(origin);
	vmm_client_close(client);
	place_close(&place);
	/* Removes an incomplete snapshot, or the one that was replaced. */
	if (*place.beside)
		folder_remove(place.beside);
	return err;
}

/**
 * vmm_snapshot_delete - remove a snapshot
 * @path: its directory
 *
 * Return: 0, or -errno after a message
 */
int vmm_snapshot_delete(const char *path)
{
	struct place place = { .path = path };
	char going[PATH_MAX];
	int err = place_look(&place);

	if (err)
		return err;
	if (!place.old)
		return vmm_error(-ENOENT, "snapshot: there is no %s", path);
	vmm_folder_sweep(path, folder_remove);
	/* Renames it first, so that no program sees a part of it. */
	err = vmm_folder_hide(path, going);
	if (err)
		return vmm_error(-err, "snapshot: cannot remove %s", path);
	folder_remove(going);
	err = vmm_folder_sync(path);
	return err ? vmm_error(-err, "snapshot: the directory of %s", path) : 0;
}

static int delete(const char *where)
{
	char path[PATH_MAX];
	int err = path_cut(where, path);

	return err ? err : vmm_snapshot_delete(path);
}

static int check(const char *path)
{
	struct vmm_snapshot *snapshot = vmm_snapshot_open(path);
	int err = snapshot ? vmm_snapshot_check(snapshot) : -EINVAL;

	if (!err)
		json_dumpf(vmm_snapshot_body(snapshot), stdout, JSON_INDENT(2));
	if (!err)
		putchar('\n');
	vmm_snapshot_close(snapshot);
	return err;
}

/* One line tells whoever has named a wrong directory. */
static int list(const char *path)
{
	unsigned int others = 0;
	int err = vmm_snapshot_list(path, &others);

	if (others)
		vmm_note("snapshot: %s has other files or directories, which are not listed: %u",
			 path, others);
	return err;
}

/**
 * vmm_snapshot_cli - run `vmmctl snapshot`
 * @base: directory of the VMs' directories
 * @argc: as for main()
 * @argv: as for main()
 *
 * Return: the exit code: 0, 1 if it failed, 2 if the command line is wrong
 */
int vmm_snapshot_cli(const char *base, int argc, char **argv)
{
	bool changes = argc == 6 && !strcmp(argv[5], "--changes");
	int err;

	if (argc == 6 && !strcmp(argv[2], "serve"))
		return vmm_directory_serve(base, argv[3], argv[4], argv[5]);
	if ((argc == 5 || changes) && !strcmp(argv[2], "save")) {
		err = vmm_snapshot_save(base, argv[3], argv[4], changes);
	} else if (argc == 5 && !strcmp(argv[2], "load")) {
		err = vmm_snapshot_put_named(base, argv[3], argv[4]);
	} else if (argc == 4 && !strcmp(argv[2], "check")) {
		err = check(argv[3]);
	} else if (argc == 4 && !strcmp(argv[2], "del")) {
		err = delete(argv[3]);
	} else if ((argc == 3 || argc == 4) && !strcmp(argv[2], "list")) {
		err = list(argc == 4 ? argv[3] : ".");
	} else {
		vmm_error(-EINVAL, USAGE);
		return 2;
	}
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
