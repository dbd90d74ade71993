// SPDX-License-Identifier: GPL-2.0-only
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "modules.h"

const char *modules_dir(void)
{
	const char *dir = getenv("RANCHU_MODULES");

	return dir && *dir ? dir : NULL;
}

int __module_load(const char *name)
{
	char path[4096];
	int ret;
	int fd;

	snprintf(path, sizeof(path), "%s/%s.ko", modules_dir(), name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	ret = syscall(SYS_finit_module, fd, "", 0) ? -errno : 0;
	close(fd);
	return ret;
}

int __module_unload(const char *name)
{
	/* O_NONBLOCK: a module in use is an error, not something to wait for */
	return syscall(SYS_delete_module, name, O_NONBLOCK) ? -errno : 0;
}
