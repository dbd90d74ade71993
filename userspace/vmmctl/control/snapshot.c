// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmmctl snapshot: saves a VM to a directory, and looks whether one is whole.
 *
 * The VM is in a sandbox and writes to files that it is given. Everything is made in a
 * directory beside the one that is wanted, which gets its name when all of it is on the
 * disk: whoever looks finds the old snapshot or the new one, or none, but never half.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "control/directory_link.h"
#include "control/lines.h"
#include "host/vm_dir.h"
#include "snapshot/snapshot.h"

/* All RAM is written meanwhile, maybe to a slow disk. */
#define SAVE_TIMEOUT_MS	(30 * 60 * 1000)

#define USAGE	"snapshot needs \"save NAME DIR [--changes]\" or \"check DIR\""

static const char *const files[] = {
	VMM_SNAPSHOT_STATE, VMM_SNAPSHOT_RAM, VMM_SNAPSHOT_MANIFEST,
};

/**
 * struct place - where a snapshot is made
 * @path: the directory that is wanted
 * @beside: the one that it is made in
 * @old: there is one already, a snapshot
 * @dir: @beside, open; -1 before it is made
 * @file: the snapshot's, in the order of @files
 * @disk: what disks were; 0 for none
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

/* Removes what this program makes, and nothing else. */
static void folder_remove(const char *path)
{
	int dir = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
	char name[VMM_SNAPSHOT_FILE];
	unsigned int i;

	if (dir < 0)
		return;
	for (i = 0; i < ARRAY_SIZE(files); i++)
		unlinkat(dir, files[i], 0);
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
		if (place->disk[i])
			close(place->disk[i]);
		place->disk[i] = 0;
	}
	if (place->dir >= 0)
		close(place->dir);
	place->dir = -1;
}

/* What stands there is another snapshot, which is replaced, or is left alone. */
static int place_look(struct place *place)
{
	char path[PATH_MAX + 32];
	struct stat st;

	if (lstat(place->path, &st))
		return errno == ENOENT ? 0 : vmm_error(errno, "snapshot: %s", place->path);
	snprintf(path, sizeof(path), "%s/" VMM_SNAPSHOT_MANIFEST, place->path);
	if (!S_ISDIR(st.st_mode) || lstat(path, &st))
		return vmm_error(-EEXIST, "snapshot: %s is there, and is no snapshot",
				 place->path);
	place->old = true;
	return 0;
}

static int file_make(const struct place *place, const char *name)
{
	int fd = openat(place->dir, name, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

	return fd < 0 ? vmm_error(errno, "snapshot: cannot make %s/%s", place->beside, name) : fd;
}

static int place_open(struct place *place)
{
	char name[VMM_SNAPSHOT_FILE];
	unsigned int i;
	int err = place_look(place);

	if (err)
		return err;
	if ((size_t)snprintf(place->beside, sizeof(place->beside), "%s.new-%d", place->path,
			     (int)getpid()) >= sizeof(place->beside))
		return vmm_error(-ENAMETOOLONG, "snapshot: %s", place->path);
	if (mkdir(place->beside, 0700)) {
		err = vmm_error(errno, "snapshot: cannot make %s", place->beside);
		/* What is there is somebody else's. */
		*place->beside = '\0';
		return err;
	}
	place->dir = open(place->beside, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (place->dir < 0)
		return vmm_error(errno, "snapshot: cannot open %s", place->beside);
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		place->file[i] = file_make(place, files[i]);
		if (place->file[i] < 0)
			return place->file[i];
	}
	/* Which of them are wanted the VM says later. */
	for (i = 0; i < VMM_DISKS; i++) {
		int fd = file_make(place, disk_name(name, i));

		if (fd < 0)
			return fd;
		place->disk[i] = fd;
	}
	return 0;
}

/* As the image: a copy of it that keeps its time is one that the guest can go on with. */
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

/* The VM has written to it: its checksum is known, and it is on the disk. */
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

/* Disks that the manifest says nothing of have no file. */
static int place_disks(struct place *place, const json_t *body)
{
	const json_t *list = json_object_get(body, "images");
	char name[VMM_SNAPSHOT_FILE];
	unsigned int i;
	int err = 0;

	for (i = 0; i < VMM_DISKS && !err; i++) {
		const json_t *image = json_array_get(list, i);

		if (json_object_get(image, "disk"))
			err = disk_finish(place->disk[i], image, i);
		else if (unlinkat(place->dir, disk_name(name, i), 0))
			err = vmm_error(errno, "snapshot: %s", name);
	}
	return err;
}

static int manifest_write(int fd, const json_t *body)
{
	char *text = vmm_manifest_text(body);
	int err = text ? vmm_snapshot_write(fd, (u8 *)text, strlen(text), 0) : -ENOMEM;

	free(text);
	return err ? vmm_error(-err, "snapshot: " VMM_SNAPSHOT_MANIFEST) : 0;
}

static int folder_sync(const char *path)
{
	char above[PATH_MAX];
	char *slash;
	int err = 0;
	int fd;

	snprintf(above, sizeof(above), "%s", path);
	slash = strrchr(above, '/');
	if (!slash)
		snprintf(above, sizeof(above), ".");
	else
		slash[slash == above] = '\0';
	fd = open(above, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	if (fd < 0 || fsync(fd))
		err = -errno;
	if (fd >= 0)
		close(fd);
	return err;
}

/* All of it is on the disk before it has its name. */
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
	if (renameat2(AT_FDCWD, place->beside, AT_FDCWD, place->path,
		      place->old ? RENAME_EXCHANGE : RENAME_NOREPLACE))
		return vmm_error(errno, "snapshot: cannot name it %s", place->path);
	err = folder_sync(place->path);
	return err ? vmm_error(-err, "snapshot: the directory of %s", place->path) : 0;
}

/* What has the pages that did not change must stay. */
static int place_check(const struct place *place, const json_t *body)
{
	const json_t *base = json_object_get(json_object_get(body, "ram"), "base");
	const char *path = vmm_manifest_word(base, "path");
	struct stat st, other;

	if (!path || stat(path, &st) || stat(place->path, &other) || st.st_ino != other.st_ino ||
	    st.st_dev != other.st_dev)
		return 0;
	return vmm_error(-EEXIST,
			 "snapshot: %s is what the changes are relative to, and cannot be replaced by them",
			 place->path);
}

/* Above all: is what the changes are relative to still there? */
static int place_opens(const struct place *place)
{
	struct vmm_snapshot *snapshot = vmm_snapshot_open(place->beside);

	vmm_snapshot_close(snapshot);
	return snapshot ? 0 : -EBADMSG;
}

static int save_by(struct vmm_client *client, struct place *place, const char *name,
		   bool changes)
{
	int give[VMM_LINES_FILES] = { place->file[0], place->file[1] };
	json_t *body;
	int err;

	/* An older VM takes the first two. */
	memcpy(give + 2, place->disk, sizeof(place->disk));
	vmm_client_give(client, give, VMM_LINES_FILES);
	body = vmm_client_call(client, "snapshot", changes ? json_pack("{s:b}", "changes", true) :
							     NULL);
	if (!body)
		return vmm_error(-EIO, "%s: %s", name, vmm_client_error(client));
	err = place_check(place, body);
	if (!err)
		err = place_disks(place, body);
	if (!err)
		err = manifest_write(place->file[2], body);
	json_decref(body);
	if (!err)
		err = place_opens(place);
	return err ? err : place_finish(place);
}

/**
 * vmm_snapshot_save - save a VM
 * @base: directory of the VMs' directories
 * @name: the VM's name
 * @where: the directory that is wanted; a snapshot that is there is replaced
 * @changes: only what has changed since the VM's own snapshot
 *
 * Return: 0, or -errno after a message
 */
int vmm_snapshot_save(const char *base, const char *name, const char *where, bool changes)
{
	char path[PATH_MAX];
	struct place place = { .path = path, .dir = -1, .file = { -1, -1, -1 } };
	struct vmm_client *client;
	char control[PATH_MAX];
	size_t len = strlen(where);
	int err;

	/* A name that is completed in a shell ends in a slash, and what is beside it does not. */
	while (len > 1 && where[len - 1] == '/')
		len--;
	if (len >= sizeof(path))
		return vmm_error(-ENAMETOOLONG, "snapshot: the name of the directory is too long");
	memcpy(path, where, len);
	path[len] = '\0';
	if (vmm_dir_file(base, name, "control.sock", control, sizeof(control)))
		return vmm_error(-EINVAL, "no VM can be named \"%s\"", name);
	client = vmm_client_open(control, SAVE_TIMEOUT_MS);
	if (!client && (errno == ENOENT || errno == ECONNREFUSED))
		return vmm_error(-errno, "no VM is named \"%s\"", name);
	if (!client)
		return vmm_error(errno, "cannot reach the VM \"%s\"", name);
	err = place_open(&place);
	if (!err)
		err = save_by(client, &place, name, changes);
	vmm_client_close(client);
	place_close(&place);
	/* Half a snapshot, or the one that was replaced. */
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
	if ((size_t)snprintf(going, sizeof(going), "%s.new-%d", path, (int)getpid()) >=
	    sizeof(going))
		return vmm_error(-ENAMETOOLONG, "snapshot: %s", path);
	/* At once: never is half of it to be seen. */
	if (renameat2(AT_FDCWD, path, AT_FDCWD, going, RENAME_NOREPLACE))
		return vmm_error(errno, "snapshot: cannot remove %s", path);
	folder_remove(going);
	err = folder_sync(path);
	return err ? vmm_error(-err, "snapshot: the directory of %s", path) : 0;
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

/**
 * vmm_snapshot_cli - run `vmmctl snapshot`
 * @base: directory of the VMs' directories
 * @argc: as main() has it
 * @argv: the same
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
	} else if (argc == 4 && !strcmp(argv[2], "check")) {
		err = check(argv[3]);
	} else {
		vmm_error(-EINVAL, USAGE);
		return 2;
	}
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}
