// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finds the folder of the files by which programs find running emulators. The path is
 * found before the sandbox is entered, and kept for the emulator's console.
 *
 * Source: platform_external_qemu android/emulation/ConfigDirs.cpp (01208d01893e).
 */
#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/discovery.h"

static char kept[PATH_MAX];

static bool is_folder(const char *path)
{
	struct stat st;

	return path && *path && !stat(path, &st) && S_ISDIR(st.st_mode);
}

/* Finds the folder of the user's that has avd/running. */
static void find_base(char base[PATH_MAX])
{
	const char *runtime = getenv("XDG_RUNTIME_DIR");
	const char *home = getenv("HOME");
	const char *tmp = getenv("TMPDIR");

	snprintf(base, PATH_MAX, "%s", runtime ? runtime : "");
	if (is_folder(base))
		return;
	snprintf(base, PATH_MAX, "/run/user/%u", (unsigned int)getuid());
	if (is_folder(base))
		return;
	snprintf(base, PATH_MAX, "%s/.android", home ? home : "");
	if (home && is_folder(base))
		return;
	snprintf(base, PATH_MAX, "%s", is_folder(tmp) ? tmp : "/tmp");
}

/* Creates a folder that only this user can write to. */
static int folder_make(const char *path)
{
	struct stat st;

	if (mkdir(path, 0700) && errno != EEXIST)
		return -errno;
	if (lstat(path, &st))
		return -errno;
	return S_ISDIR(st.st_mode) && st.st_uid == geteuid() && !(st.st_mode & 022) ? 0 : -EPERM;
}

/**
 * vmm_discovery_open - make the folder, and keep the path of a process's file
 * @pid: the process that runs a VM
 *
 * The file itself is written by whoever knows the ports.
 *
 * Return: 0, or -errno; no message
 */
int vmm_discovery_open(pid_t pid)
{
	static const char *const folders[] = { "/avd", "/avd/running" };
	char base[PATH_MAX], path[PATH_MAX + 16];
	unsigned int i;

	*kept = '\0';
	find_base(base);
	for (i = 0; i < 2; i++) {
		int err;

		snprintf(path, sizeof(path), "%s%s", base, folders[i]);
		err = folder_make(path);
		if (err)
			return err;
	}
	if ((size_t)snprintf(kept, sizeof(kept), "%s/pid_%d.ini", path, (int)pid) < sizeof(kept))
		return 0;
	*kept = '\0';
	return -ENAMETOOLONG;
}

/**
 * vmm_discovery_path - return the kept path
 *
 * Return: the path, "" if there is none
 */
const char *vmm_discovery_path(void)
{
	return kept;
}
