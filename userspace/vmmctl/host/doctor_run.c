// SPDX-License-Identifier: GPL-2.0-only
/*
 * What a certain run needs of this host beyond KVM and the pipe: files, device nodes,
 * tap interfaces, sockets. One sentence each, with the command that mends it.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>
#include <net/if.h>

#include "host/host.h"

/* Says whether a file can be used; 1 if not. */
static unsigned int check_file(const char *what, const char *path, int mode, const char *mend)
{
	if (!access(path, mode)) {
		printf("  ok       The %s %s is usable.\n", what, path);
		return 0;
	}
	printf("  MISSING  The %s %s is not usable (%s). %s\n", what, path, strerror(errno), mend);
	return 1;
}

static unsigned int check_node(const char *node, const char *module)
{
	char mend[120];

	if (!access(node, F_OK))
		snprintf(mend, sizeof(mend), "Try: sudo setfacl -m u:$USER:rw %s", node);
	else
		snprintf(mend, sizeof(mend), "Try: sudo modprobe %s", module);
	return check_file("device", node, R_OK | W_OK, mend);
}

/* A node of ranchu's own modules. */
static unsigned int check_own_node(const char *node, const char *module)
{
	char mend[120];

	if (!access(node, F_OK))
		return check_file("device", node, R_OK | W_OK, VMM_DOCTOR_GROUP);
	snprintf(mend, sizeof(mend), "Try: sudo modprobe %s" VMM_DOCTOR_PACKAGE, module);
	return check_file("device", node, R_OK | W_OK, mend);
}

static unsigned int check_tap(const char *name)
{
	if (if_nametoindex(name)) {
		printf("  ok       The interface %s exists.\n", name);
		return 0;
	}
	printf("  MISSING  There is no interface %s. Try: sudo ip tuntap add %s mode tap\n", name,
	       name);
	return 1;
}

static unsigned int check_disks(const struct vmm_config *cfg)
{
	unsigned int missing = 0;
	bool kernel = false;
	unsigned int i;

	for (i = 0; i < cfg->disks; i++) {
		missing += check_file("disk", cfg->disk[i].path,
				      cfg->disk[i].readonly ? R_OK : R_OK | W_OK,
				      "Name a file that you may open, or add readonly.");
		kernel |= !cfg->disk[i].user;
	}
	return kernel ? missing + check_own_node(VMM_BLK_NODE, "vhost_ranchu_blk") : missing;
}

/* Targets are directories of configfs, which anybody may look for. */
static unsigned int check_target(const char *name)
{
	char path[300];

	snprintf(path, sizeof(path), VMM_SCSI_TARGETS "/%s", name);
	if (!access(path, F_OK)) {
		printf("  ok       The target %s exists.\n", name);
		return 0;
	}
	printf("  MISSING  There is no target %s in %s. Make it with targetcli.\n", name,
	       VMM_SCSI_TARGETS);
	return 1;
}

static unsigned int check_others(const struct vmm_config *cfg)
{
	unsigned int missing = 0;
	unsigned int i;

	for (i = 0; i < cfg->backends[VMM_BACKEND_NET]; i++)
		missing += check_tap(cfg->backend[VMM_BACKEND_NET][i].path);
	if (cfg->backends[VMM_BACKEND_NET]) {
		missing += check_node("/dev/net/tun", "tun");
		missing += check_node(VMM_NET_NODE, "vhost_net");
	}
	for (i = 0; i < cfg->backends[VMM_BACKEND_SCSI]; i++)
		missing += check_target(cfg->backend[VMM_BACKEND_SCSI][i].path);
	if (cfg->backends[VMM_BACKEND_SCSI])
		missing += check_node(VMM_SCSI_NODE, "vhost_scsi");
	for (i = 0; i < cfg->backends[VMM_BACKEND_VHOST_USER]; i++)
		missing += check_file("socket", cfg->backend[VMM_BACKEND_VHOST_USER][i].path,
				      R_OK | W_OK, "Start the process that serves it.");
	for (i = 0; i < cfg->backends[VMM_BACKEND_VDPA]; i++)
		missing += check_node(cfg->backend[VMM_BACKEND_VDPA][i].path, "vhost_vdpa");
	for (i = 0; i < cfg->builtins; i++) {
		if (cfg->builtin[i].path)
			missing += check_file("socket", cfg->builtin[i].path, R_OK | W_OK,
					      "Start the process that listens there.");
		if (cfg->builtin[i].record)
			missing += check_file("sound", cfg->builtin[i].record, R_OK,
					      "Name a WAV file that you may read.");
	}
	return missing;
}

/**
 * vmm_doctor_run - print what a run needs that is not there
 * @cfg: the run
 *
 * Return: how many things are missing
 */
unsigned int vmm_doctor_run(const struct vmm_config *cfg)
{
	static const char mend[] = "Name a file that you may read.";
	unsigned int missing = 0;

	if (cfg->kernel)
		missing += check_file("kernel", cfg->kernel, R_OK, mend);
	if (cfg->initrd)
		missing += check_file("initrd", cfg->initrd, R_OK, mend);
	missing += check_disks(cfg);
	missing += check_others(cfg);
	if (cfg->sync == VMM_SYNC_KERNEL || cfg->sync == VMM_SYNC_USER || cfg->sync_socket)
		missing += check_own_node(VMM_SYNC_NODE, "vhost_goldfish_sync");
	if (cfg->vsock == VMM_VSOCK_ADB)
		missing += check_own_node(VMM_VSOCK_ADB_NODE, "vhost_vsock_adb");
	if (cfg->vsock == VMM_VSOCK_LINUX)
		missing += check_node(VMM_VSOCK_LINUX_NODE, "vhost_vsock");
	return missing;
}
