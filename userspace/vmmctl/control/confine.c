// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sandbox of a VM: what its command line needs after the start.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "control/confine.h"
#include "host/host.h"
#include "host/vm_dir.h"
#include "host/vsock.h"

/* Paths of directories of sockets, which the list refers to. */
struct folders {
	unsigned int count;
	char path[8][PATH_MAX];
};

/* Allows to remove a socket from its directory at the end. */
static void allow_folder(struct vmm_sandbox *sandbox, struct folders *folders, const char *file)
{
	char *path = folders->path[folders->count];
	char *slash;

	if (!file || folders->count == ARRAY_SIZE(folders->path))
		return;
	snprintf(path, PATH_MAX, "%s", file);
	slash = strrchr(path, '/');
	if (!slash)
		snprintf(path, PATH_MAX, ".");
	else
		slash[slash == path] = '\0';
	folders->count++;
	vmm_sandbox_removes(sandbox, path);
}

/* Allows to remove the VM's directory. Those of other VMs are not empty, so they stay. */
static void allow_directory(struct vmm_sandbox *sandbox, const char *name, char *base,
			    char *dir)
{
	char by_default[VMM_NAME_MAX];

	if (!name) {
		vmm_name_default(by_default);
		name = by_default;
	}
	if (vmm_dir_base(base, PATH_MAX) || vmm_dir_file(base, name, "", dir, PATH_MAX))
		return;
	sandbox->above = base;
	vmm_sandbox_removes(sandbox, dir);
}

/* Returns whether vmmctl connects to Unix sockets while the guest runs. */
static bool connects_again(const struct vmm_config *cfg)
{
	unsigned int i;

	for (i = 0; i < cfg->builtins; i++) {
		if (cfg->builtin[i].path && !cfg->builtin[i].alone)
			return true;
	}
	return cfg->backends[VMM_BACKEND_VHOST_USER] || cfg->n_services || cfg->sound_socket ||
	       cfg->vsock_uds;
}

/**
 * vmm_confine - enter the sandbox of a VM
 * @cfg: the command line; all that it names is open
 *
 * Return: 0, or -errno after a message
 */
int vmm_confine(const struct vmm_config *cfg)
{
	struct vmm_sandbox *sandbox = calloc(1, sizeof(*sandbox));
	struct folders *folders = calloc(1, sizeof(*folders));
	char base[PATH_MAX], dir[PATH_MAX];
	int err = -ENOMEM;

	if (sandbox && folders) {
		allow_directory(sandbox, cfg->name, base, dir);
		allow_folder(sandbox, folders, cfg->vsock_uds);
		allow_folder(sandbox, folders, cfg->adb_socket);
		allow_folder(sandbox, folders, cfg->pipe_socket);
		allow_folder(sandbox, folders, cfg->sync_socket);
		allow_folder(sandbox, folders, cfg->screen_socket);
		allow_folder(sandbox, folders, cfg->address_socket);
		sandbox->unix_sockets = connects_again(cfg);
		sandbox->port[sandbox->ports++] =
			vmm_adb_server_port(getenv("ANDROID_ADB_SERVER_PORT"));
		err = vmm_sandbox_enter(sandbox);
	}
	free(folders);
	free(sandbox);
	return err;
}
