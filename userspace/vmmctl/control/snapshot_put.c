// SPDX-License-Identifier: GPL-2.0-only
/*
 * Loads a snapshot into a running VM: opens its files, which the VM cannot do in its sandbox, and
 * passes them along. Nothing in them is read here but which disks there are: the VM checks all of
 * it, and refuses a snapshot that does not fit while its guest goes on.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "control/directory_link.h"
#include "control/lines.h"
#include "host/image.h"
#include "host/vm_dir.h"
#include "snapshot/snapshot.h"

/* Long, because disks are written, maybe to a slow disk. */
#define PUT_TIMEOUT_MS	(30 * 60 * 1000)

/**
 * struct opened - files of a snapshot, as vmm_snapshot_given() takes them
 * @file: the files
 * @count: how many
 */
struct opened {
	int file[VMM_LINES_FILES];
	unsigned int count;
};

static void opened_close(struct opened *opened)
{
	while (opened->count)
		close(opened->file[--opened->count]);
}

static int open_one(struct opened *opened, int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);

	if (fd < 0)
		return vmm_error(errno, "snapshot: cannot open %s", name);
	opened->file[opened->count++] = fd;
	return fd;
}

/* The lock is that of the open file: it lasts as long as the VM has the disk. */
static int open_disk(struct opened *opened, int dir, unsigned int index)
{
	char name[VMM_SNAPSHOT_FILE];
	int fd, err;

	snprintf(name, sizeof(name), VMM_SNAPSHOT_DISK, index);
	fd = open_one(opened, dir, name);
	err = fd < 0 ? 0 : vmm_image_lock(fd, true);
	if (err == -EAGAIN)
		return vmm_error(-err, "snapshot: somebody writes to %s", name);
	return fd;
}

/* @images: of the manifest, which is not trusted */
static int open_files(struct opened *opened, int dir, const json_t *images)
{
	static const char *const names[VMM_SNAPSHOT_FIXED] = {
		VMM_SNAPSHOT_MANIFEST, VMM_SNAPSHOT_STATE, VMM_SNAPSHOT_RAM,
	};
	unsigned int i;
	int fd = 0;

	for (i = 0; i < VMM_SNAPSHOT_FIXED && fd >= 0; i++)
		fd = open_one(opened, dir, names[i]);
	for (i = 0; i < VMM_DISKS && fd >= 0; i++) {
		if (json_object_get(json_array_get(images, i), "disk"))
			fd = open_disk(opened, dir, i);
	}
	return fd < 0 ? fd : 0;
}

static int open_snapshot(struct opened *opened, const char *where)
{
	json_t *body = vmm_manifest_peek(where);
	int dir = open(where, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	int err;

	if (dir < 0)
		err = vmm_error(errno, "snapshot: cannot open %s", where);
	else
		err = open_files(opened, dir, json_object_get(body, "images"));
	if (dir >= 0)
		close(dir);
	json_decref(body);
	return err;
}

/* Connects to the VM; NULL after a message. */
static struct vmm_client *vm_reach(const char *base, const char *name)
{
	struct vmm_client *client;
	char control[PATH_MAX];

	if (vmm_dir_file(base, name, "control.sock", control, sizeof(control))) {
		vmm_error(-EINVAL, "no VM can be named \"%s\"", name);
		return NULL;
	}
	client = vmm_client_open(control, PUT_TIMEOUT_MS);
	if (!client && (errno == ENOENT || errno == ECONNREFUSED))
		vmm_error(-errno, "no VM is named \"%s\"", name);
	else if (!client)
		vmm_error(errno, "cannot reach the VM \"%s\"", name);
	return client;
}

static int call(struct vmm_client *client, const char *name, const char *command, json_t *args)
{
	json_t *answer = vmm_client_call(client, command, args);
	int err = answer ? 0 : vmm_error(-EIO, "%s: %s", name, vmm_client_error(client));

	json_decref(answer);
	return err;
}

/**
 * vmm_snapshot_put - load a snapshot into a running VM
 * @base: directory of the VMs' directories
 * @name: the VM's name
 * @where: directory of the snapshot, which must not change as long as the VM uses it
 *
 * Return: 0, or -errno after a message
 */
int vmm_snapshot_put(const char *base, const char *name, const char *where)
{
	struct vmm_client *client = vm_reach(base, name);
	struct opened opened = { .count = 0 };
	int err = client ? open_snapshot(&opened, where) : -EIO;

	if (!err) {
		vmm_client_give(client, opened.file, opened.count);
		err = call(client, name, "load", NULL);
	}
	opened_close(&opened);
	vmm_client_close(client);
	return err;
}

/**
 * vmm_snapshot_put_named - load a snapshot that may be one of the VM's own directory
 * @base: directory of the VMs' directories
 * @name: the VM's name
 * @where: directory of the snapshot; or, if there is none, its name below --snapshots
 *
 * Return: 0, or -errno after a message
 */
int vmm_snapshot_put_named(const char *base, const char *name, const char *where)
{
	struct vmm_client *client;
	int err;

	if (!vmm_snapshot_name_fits(where) || !access(where, F_OK))
		return vmm_snapshot_put(base, name, where);
	client = vm_reach(base, name);
	err = client ? call(client, name, "snapshot-load", json_pack("{s:s}", "name", where)) :
		       -EIO;
	vmm_client_close(client);
	return err;
}
