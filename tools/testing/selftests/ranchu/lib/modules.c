// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "modules.h"

const char *modules_dir(void)
{
	const char *dir = getenv("RANCHU_MODULES");

	return dir && *dir ? dir : NULL;
}

/* What ranchu.ko is loaded with. */
static void module_parameters(const char *name, char *parameters, size_t size)
{
	const char *doorbell = getenv("RANCHU_DOORBELL");

	if (doorbell && *doorbell && !strcmp(name, "ranchu"))
		snprintf(parameters, size, "doorbell=%s", doorbell);
	else
		*parameters = 0;
}

int __module_load(const char *name)
{
	char parameters[64];
	char path[4096];
	int ret;
	int fd;

	snprintf(path, sizeof(path), "%s/%s.ko", modules_dir(), name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	module_parameters(name, parameters, sizeof(parameters));
	ret = syscall(SYS_finit_module, fd, parameters, 0) ? -errno : 0;
	close(fd);
	return ret;
}

int __module_unload(const char *name)
{
	/* O_NONBLOCK: a module in use is an error, not something to wait for */
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}

bool module_is_busy(int err)
{
	return err == -EAGAIN || err == -EBUSY;
}

int module_unload_when_idle(const char *name)
{
	unsigned int ms;
	int err = -EBUSY;

	for (ms = 0; ms < 30000 && module_is_busy(err); ms++) {
		err = __module_unload(name);
		if (err)
			usleep(1000);
	}
	return err;
}

void modules_using(const char *name, const char *but, struct modules *users)
{
	struct dirent *entry;
	char path[4096];
	DIR *dir;

	users->count = 0;
	snprintf(path, sizeof(path), "/sys/module/%s/holders", name);
	dir = opendir(path);
	if (!dir)
		return;
	while (users->count < MODULES_MAX && (entry = readdir(dir))) {
		if (entry->d_name[0] == '.' || !strcmp(entry->d_name, but))
			continue;
		snprintf(users->names[users->count++], sizeof(users->names[0]),
			 "%.63s", entry->d_name);
	}
	closedir(dir);
}

int __modules_load(const struct modules *modules)
{
	int i, ret = 0;

	for (i = 0; i < modules->count && !ret; i++)
		ret = __module_load(modules->names[i]);
	return ret;
}

int __modules_unload(const struct modules *modules)
{
	int i, ret = 0;

	for (i = 0; i < modules->count && !ret; i++)
		ret = __module_unload(modules->names[i]);
	return ret;
}
