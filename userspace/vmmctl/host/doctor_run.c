// SPDX-License-Identifier: GPL-2.0-only
/*
 * Checks what a run needs of this host beyond KVM and the pipe: files, directories, device
 * nodes, sockets. Each check prints one sentence, with the command that repairs a failure.
 * doctor_host.c has the checks that are not about files.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/doctor.h"
#include "host/host.h"
#include "host/image.h"

#define DISK_IS_NONE \
	"The disk %s is not usable (%s). Name an image that is there."
#define DISK_IS_TAKEN \
	"Another guest has the disk %s. Who has it says: sudo fuser -v %s"
#define DISK_IS_WRITTEN \
	"Another guest writes to the disk %s. Who does says: sudo fuser -v %s"

/* Prints whether a file can be used; returns 1 if not. */
static unsigned int check_file(const char *what, const char *path, int mode, const char *mend)
{
	if (!access(path, mode)) {
		vmm_doctor_good("The %s %s is usable.", what, path);
		return 0;
	}
	return vmm_doctor_bad("The %s %s is not usable (%s). %s", what, path, strerror(errno),
			      mend);
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

/* Checks an input file. If it exists, the advice is to ask its owner, else @absent. */
static unsigned int check_given(const char *what, const char *path, int mode, const char *absent)
{
	char mend[PATH_MAX + 60];

	if (access(path, F_OK))
		snprintf(mend, sizeof(mend), "%s", absent);
	else
		snprintf(mend, sizeof(mend), "Try: sudo setfacl -m u:$USER:%s %s",
			 mode & W_OK ? "rw" : "r", path);
	return check_file(what, path, mode, mend);
}

/* Checks a file that the run creates, or writes to. */
static unsigned int check_made(const char *what, const char *path)
{
	char dir[PATH_MAX];
	char *slash;

	if (!access(path, F_OK))
		return check_given(what, path, R_OK | W_OK, "");
	snprintf(dir, sizeof(dir), "%s", path);
	slash = strrchr(dir, '/');
	if (slash == dir)
		slash++;
	if (slash)
		*slash = '\0';
	else
		snprintf(dir, sizeof(dir), ".");
	if (!access(dir, W_OK | X_OK)) {
		vmm_doctor_good("The %s %s can be made.", what, path);
		return 0;
	}
	if (errno == ENOENT)
		return vmm_doctor_bad("The %s %s cannot be made (%s). Try: mkdir -p %s", what, path,
				      strerror(errno), dir);
	return vmm_doctor_bad("The %s %s cannot be made (%s). Try: sudo setfacl -m u:$USER:rwx %s",
			      what, path, strerror(errno), dir);
}

static unsigned int check_directory(const char *what, const char *path)
{
	struct stat st;

	if (!stat(path, &st) && !S_ISDIR(st.st_mode))
		return vmm_doctor_bad("The %s %s is no directory. Try: mkdir -p %s.d", what, path,
				      path);
	if (!access(path, R_OK | W_OK | X_OK)) {
		vmm_doctor_good("The %s %s is usable.", what, path);
		return 0;
	}
	return vmm_doctor_bad("The %s %s is not usable (%s). Try: %s %s", what, path,
			      strerror(errno),
			      errno == ENOENT ? "mkdir -p" : "sudo setfacl -m u:$USER:rwx", path);
}

/* Checks a socket at which another program listens; @program is the command that starts it. */
static unsigned int check_socket(const char *option, const char *path, const char *program)
{
	struct stat st;

	if (!stat(path, &st) && !S_ISSOCK(st.st_mode))
		return vmm_doctor_bad("The socket %s of %s is no socket. %s", path, option,
				      program);
	return check_given("socket", path, R_OK | W_OK, program);
}

/* An image has to be there, and to be locked as the run locks it. */
static unsigned int check_disk(const struct vmm_disk *disk)
{
	char absent[PATH_MAX + 40];
	int fd = open(disk->path, (disk->readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC);
	int err;

	if (fd < 0 && errno != ENOENT && errno != EACCES)
		return vmm_doctor_bad(DISK_IS_NONE, disk->path, strerror(errno));
	if (fd < 0) {
		snprintf(absent, sizeof(absent), "Try: truncate -s 1G %s", disk->path);
		return check_given("disk", disk->path, disk->readonly ? R_OK : R_OK | W_OK,
				   absent);
	}
	err = vmm_image_lock(fd, disk->readonly);
	close(fd);
	if (err == -EAGAIN)
		return vmm_doctor_bad(disk->readonly ? DISK_IS_WRITTEN : DISK_IS_TAKEN,
				      disk->path, disk->path);
	vmm_doctor_good("The disk %s is usable.", disk->path);
	return 0;
}

static unsigned int check_disks(const struct vmm_config *cfg)
{
	unsigned int missing = 0;
	bool kernel = false;
	unsigned int i;

	for (i = 0; i < cfg->disks; i++) {
		missing += check_disk(&cfg->disk[i]);
		kernel |= !cfg->disk[i].user;
	}
	return kernel ? missing + vmm_doctor_node(VMM_BLK_NODE, "vhost_ranchu_blk") : missing;
}

/* Targets are directories of configfs, which every user may see. */
static unsigned int check_target(const char *name)
{
	char path[300];

	snprintf(path, sizeof(path), VMM_SCSI_TARGETS "/%s", name);
	if (!access(path, F_OK)) {
		vmm_doctor_good("The target %s exists.", name);
		return 0;
	}
	return vmm_doctor_bad("There is no target %s in %s. Try: sudo targetcli /vhost create %s",
			      name, VMM_SCSI_TARGETS, name);
}

static unsigned int check_backends(const struct vmm_config *cfg)
{
	unsigned int missing = 0;
	unsigned int i;

	if (cfg->backends[VMM_BACKEND_NET]) {
		missing += check_node("/dev/net/tun", "tun");
		missing += check_node(VMM_NET_NODE, "vhost_net");
	}
	for (i = 0; i < cfg->backends[VMM_BACKEND_SCSI]; i++)
		missing += check_target(cfg->backend[VMM_BACKEND_SCSI][i].path);
	if (cfg->backends[VMM_BACKEND_SCSI])
		missing += check_node(VMM_SCSI_NODE, "vhost_scsi");
	for (i = 0; i < cfg->backends[VMM_BACKEND_VHOST_USER]; i++)
		missing += check_socket("--vhost-user",
					cfg->backend[VMM_BACKEND_VHOST_USER][i].path,
					"Start the process that serves it.");
	for (i = 0; i < cfg->backends[VMM_BACKEND_VDPA]; i++)
		missing += check_node(cfg->backend[VMM_BACKEND_VDPA][i].path, "vhost_vdpa");
	return missing;
}

static unsigned int check_sound_socket(const char *path)
{
	char program[PATH_MAX + 60];

	snprintf(program, sizeof(program), "Try: ranchu-sound --socket-path %s", path);
	return check_socket("--sound", path, program);
}

static unsigned int check_builtins(const struct vmm_config *cfg)
{
	unsigned int missing = 0;
	unsigned int i;

	for (i = 0; i < cfg->builtins; i++) {
		const struct vmm_builtin *builtin = &cfg->builtin[i];

		if (builtin->path && builtin->kind == VMM_BUILTIN_SOUND)
			missing += check_sound_socket(builtin->path);
		else if (builtin->path)
			missing += check_socket("--device", builtin->path,
						"Start the process that listens there.");
		if (builtin->play)
			missing += check_made("sound file", builtin->play);
		if (builtin->record)
			missing += check_given("sound file", builtin->record, R_OK,
					       "Name a WAV file that is there.");
	}
	return missing;
}

/* Checks files that the run writes to, and sockets that it creates. */
static unsigned int check_outputs(const struct vmm_config *cfg)
{
	const struct {
		const char *what;
		const char *path;
	} made[] = {
		{ "statistics file", cfg->stats_file },
		{ "sound file", cfg->sound },
		{ "store", cfg->pstore && strcmp(cfg->pstore, VMM_PSTORE_MEMORY) ?
			   cfg->pstore : NULL },
		{ "socket", cfg->adb_socket },
		{ "socket", cfg->vsock_uds },
		{ "socket", cfg->pipe_socket },
		{ "socket", cfg->sync_socket },
		{ "socket", cfg->screen_socket },
		{ "socket", cfg->address_socket },
	};
	unsigned int missing = 0;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(made); i++) {
		if (made[i].path)
			missing += check_made(made[i].what, made[i].path);
	}
	if (cfg->snapshots)
		missing += check_directory("snapshots' directory", cfg->snapshots);
	if (cfg->screenshots)
		missing += check_directory("screenshots' directory", cfg->screenshots);
	return missing;
}

static unsigned int check_services(const struct vmm_config *cfg)
{
	unsigned int missing = 0;
	unsigned int i;

	for (i = 0; i < cfg->n_services; i++)
		missing += check_socket("--pipe-service", cfg->services[i].path,
					"Start the program that listens there.");
	if (cfg->sound_record)
		missing += check_given("sound file", cfg->sound_record, R_OK,
				       "Name a WAV file that is there.");
	return cfg->sound_socket ? missing + check_sound_socket(cfg->sound_socket) : missing;
}

/**
 * vmm_doctor_run - check the files and devices that a run needs
 * @cfg: the run
 *
 * Return: how many things are missing
 */
unsigned int vmm_doctor_run(const struct vmm_config *cfg)
{
	unsigned int missing = 0;

	if (cfg->kernel)
		missing += check_given("kernel", cfg->kernel, R_OK, "Name a file that is there.");
	if (cfg->initrd)
		missing += check_given("initrd", cfg->initrd, R_OK, "Name a file that is there.");
	missing += check_disks(cfg) + check_backends(cfg) + check_builtins(cfg) +
		   check_services(cfg) + check_outputs(cfg);
	if (cfg->sync == VMM_SYNC_KERNEL || cfg->sync == VMM_SYNC_USER || cfg->sync_socket)
		missing += vmm_doctor_node(VMM_SYNC_NODE, "vhost_goldfish_sync");
	if (cfg->vsock == VMM_VSOCK_ADB)
		missing += vmm_doctor_node(VMM_VSOCK_ADB_NODE, "vhost_vsock_adb");
	if (cfg->vsock == VMM_VSOCK_LINUX)
		missing += check_node(VMM_VSOCK_LINUX_NODE, "vhost_vsock");
	return missing;
}
