// SPDX-License-Identifier: GPL-2.0-only
/*
 * Finds AVDs, the SDK and the files of a system image, in the emulator's places.
 *
 * Source: platform_external_qemu android/emulation/ConfigDirs.cpp (01208d01893e),
 * android/avd/info.c (008923eb); developer.android.com on ANDROID_USER_HOME, whose place in
 * the order vmmctl has chosen.
 */
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "avd/avd.h"
#include "host/log.h"
#include "snapshot/snapshot.h"

#define API_KEY	"AndroidVersion.ApiLevel"

static bool is_folder(const char *path)
{
	struct stat st;

	return !stat(path, &st) && S_ISDIR(st.st_mode);
}

/**
 * vmm_avd_is_file - return whether there is a file or a block device
 * @path: its name
 *
 * Other files are not opened: opening a pipe, for example, waits for a writer.
 *
 * Return: whether there is
 */
bool vmm_avd_is_file(const char *path)
{
	struct stat st;

	return !stat(path, &st) && (S_ISREG(st.st_mode) || S_ISBLK(st.st_mode));
}

/**
 * vmm_avd_path - join two parts of a path
 * @path: filled
 * @folder: its beginning; "" for none
 * @file: the rest; an absolute path is used alone
 *
 * Return: 0, or -ENAMETOOLONG without a message: @path is "" then
 */
int vmm_avd_path(char path[PATH_MAX], const char *folder, const char *file)
{
	int len;

	if (*file == '/' || !*folder)
		len = snprintf(path, PATH_MAX, "%s", file);
	else
		len = snprintf(path, PATH_MAX, "%s/%s", folder, file);
	if (len < PATH_MAX)
		return 0;
	*path = '\0';
	return -ENAMETOOLONG;
}

/* Returns an environment variable that is set and not empty, or NULL. */
static const char *variable(const char *name)
{
	const char *value = getenv(name);

	return value && *value ? value : NULL;
}

/* Returns whether there is a readable folder @inside in the one that a variable names. */
static bool below(char path[PATH_MAX], const char *name, const char *inside)
{
	const char *folder = variable(name);

	return folder && !vmm_avd_path(path, folder, inside) && is_folder(path) &&
	       !access(path, R_OK);
}

/**
 * vmm_avd_root - find the folder that has all AVDs
 * @path: filled
 *
 * Return: 0, or -ENOENT after a message
 */
int vmm_avd_root(char path[PATH_MAX])
{
	static const struct {
		const char *name;
		const char *inside;
	} old[] = {
		{ "ANDROID_SDK_HOME", "avd" }, { "ANDROID_SDK_HOME", ".android/avd" },
		{ "TEST_TMPDIR", ".android/avd" }, { "USER_HOME", ".android/avd" },
		{ "HOME", ".android/avd" },
	};
	static const struct {
		const char *name;
		const char *inside;
	} now[] = {
		{ "ANDROID_EMULATOR_HOME", "avd" }, { "ANDROID_USER_HOME", "avd" },
		{ "HOME", ".android/avd" },
	};
	unsigned int i;

	if (below(path, "ANDROID_AVD_HOME", "."))
		return vmm_avd_path(path, "", variable("ANDROID_AVD_HOME"));
	for (i = 0; variable("ANDROID_SDK_HOME") && i < ARRAY_SIZE(old); i++) {
		if (below(path, old[i].name, old[i].inside))
			return 0;
	}
	for (i = 0; i < ARRAY_SIZE(now); i++) {
		if (below(path, now[i].name, now[i].inside))
			return 0;
	}
	return vmm_error(-ENOENT,
			 "avd: there are no AVDs: ANDROID_AVD_HOME and ~/.android/avd are no folders");
}

static int is_ini(const struct dirent *entry)
{
	const char *name = entry->d_name;
	size_t len = strlen(name);
	char avd[VMM_AVD_NAME_MAX];

	if (len < 5 || strcmp(name + len - 4, ".ini") || len - 4 >= sizeof(avd))
		return 0;
	memcpy(avd, name, len - 4);
	avd[len - 4] = '\0';
	return vmm_avd_name_valid(avd);
}

/**
 * vmm_avd_list - print the names of all AVDs, one on each line
 * @to: stream
 *
 * Return: 0, or -errno after a message
 */
int vmm_avd_list(FILE *to)
{
	struct dirent **entries;
	char root[PATH_MAX];
	int count, i;
	int err = vmm_avd_root(root);

	if (err)
		return err;
	count = scandir(root, &entries, is_ini, alphasort);
	if (count < 0)
		return vmm_error(errno, "avd: cannot read %s", root);
	for (i = 0; i < count; i++) {
		fprintf(to, "%.*s\n", (int)strlen(entries[i]->d_name) - 4, entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return 0;
}

static int is_snapshot(const struct dirent *entry)
{
	return vmm_avd_name_valid(entry->d_name);
}

/**
 * vmm_avd_list_snapshots - print the names of an AVD's snapshots, one on each line
 * @to: stream
 * @folder: path of vmmctl's folder
 *
 * Return: 0, or -errno after a message
 */
int vmm_avd_list_snapshots(FILE *to, const char *folder)
{
	struct dirent **entries;
	char path[PATH_MAX];
	char file[PATH_MAX];
	int count, i;

	if (vmm_avd_path(path, folder, VMM_AVD_SNAPSHOTS))
		return vmm_error(-ENAMETOOLONG, "avd: %s", folder);
	count = scandir(path, &entries, is_snapshot, alphasort);
	if (count < 0)
		return errno == ENOENT ? 0 : vmm_error(errno, "avd: cannot read %s", path);
	for (i = 0; i < count; i++) {
		if ((size_t)snprintf(file, sizeof(file), "%s/%s/" VMM_SNAPSHOT_MANIFEST, path,
				     entries[i]->d_name) < sizeof(file) && vmm_avd_is_file(file))
			fprintf(to, "%s\n", entries[i]->d_name);
		free(entries[i]);
	}
	free(entries);
	return 0;
}

/* Finds the AVD's directory in NAME.ini; if that is gone, by its path relative to the root. */
static int content_find(struct vmm_avd *avd, const char *root)
{
	char file[VMM_AVD_NAME_MAX + 8];
	char path[PATH_MAX];
	struct vmm_ini ini;
	const char *value;
	int err;

	snprintf(file, sizeof(file), "%s.ini", avd->name);
	err = vmm_avd_path(path, root, file);
	if (!err)
		err = vmm_ini_load(&ini, path);
	if (err == -ENOENT || err == -ENAMETOOLONG)
		return vmm_error(-ENOENT,
				 "avd: there is no AVD %s in %s; \"vmmctl avd list\" lists them",
				 avd->name, root);
	if (err)
		return err;
	value = vmm_ini_get(&ini, "path");
	err = value && *value == '/' ? vmm_avd_path(avd->content, "", value) : -ENOENT;
	if (err || !is_folder(avd->content)) {
		value = vmm_ini_get(&ini, "path.rel");
		err = vmm_avd_path(path, root, "..");
		if (!err && value)
			err = vmm_avd_path(avd->content, path, value);
	}
	vmm_ini_free(&ini);
	if (err || !is_folder(avd->content))
		return vmm_error(-ENOENT, "avd: %s.ini names no folder", avd->name);
	if (!realpath(avd->content, path))
		return vmm_error(errno, "avd: %s", avd->content);
	return vmm_avd_path(avd->content, "", path);
}

/* Returns whether a folder is the SDK by the emulator's rules, or has system images. */
static bool is_sdk(const char *folder)
{
	char path[PATH_MAX];

	if (!folder || !*folder)
		return false;
	if (!vmm_avd_path(path, folder, "system-images") && is_folder(path))
		return true;
	return !vmm_avd_path(path, folder, "platforms") && is_folder(path) &&
	       !vmm_avd_path(path, folder, "platform-tools") && is_folder(path);
}

/* Uses the environment, or else the path in hardware-qemu.ini. */
static void sdk_find(struct vmm_avd *avd)
{
	const char *const places[] = {
		variable("ANDROID_HOME"), variable("ANDROID_SDK_ROOT"),
		vmm_ini_get(&avd->hardware, "android.sdk.root"),
	};
	char path[PATH_MAX];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(places); i++) {
		if (is_sdk(places[i]) && !vmm_avd_path(avd->sdk, "", places[i]))
			return;
	}
	if (below(path, "HOME", "Android/Sdk") && is_sdk(path))
		memcpy(avd->sdk, path, sizeof(path));
}

/* Paths are relative to the SDK, or absolute. */
static int sysdirs_find(struct vmm_avd *avd, const struct vmm_avd_options *options)
{
	static const char *const keys[] = { "image.sysdir.1", "image.sysdir.2" };
	const char *given = vmm_avd_value(options, VMM_AVD_SYSDIR);
	unsigned int count = 0;
	unsigned int i;

	if (given && (vmm_avd_path(avd->sysdir[0], "", given) || !is_folder(avd->sysdir[0])))
		return vmm_error(-ENOENT, "avd: -sysdir %.200s is no folder", given);
	if (given)
		return 0;
	for (i = 0; i < ARRAY_SIZE(keys); i++) {
		const char *value = vmm_ini_get(&avd->config, keys[i]);
		char *path = avd->sysdir[count];

		if (!value || !*value || (*value != '/' && !*avd->sdk))
			continue;
		if (!vmm_avd_path(path, avd->sdk, value) && is_folder(path))
			count++;
		else
			*path = '\0';
	}
	return 0;
}

/* Reads an optional file of the system image. */
static int image_ini(const struct vmm_avd *avd, const char *file, struct vmm_ini *ini)
{
	char path[PATH_MAX];
	int err;

	*ini = (struct vmm_ini){ 0 };
	if (!vmm_avd_file(avd, file, path))
		return 0;
	err = vmm_ini_load(ini, path);
	return err == -ENOENT ? 0 : err;
}

static int architecture(struct vmm_avd *avd)
{
	const char *cpu = vmm_ini_get(&avd->config, "hw.cpu.arch");
	const char *abi = vmm_ini_get(&avd->config, "abi.type");

	if ((abi && !strcmp(abi, "x86_64")) || (!abi && cpu && !strcmp(cpu, "x86_64")))
		avd->x86 = true;
	else if ((abi && strcmp(abi, "arm64-v8a")) || (!abi && cpu && strcmp(cpu, "arm64")))
		return vmm_error(-EINVAL, "avd: %s is for %.40s; guests are arm64-v8a or x86_64",
				 avd->name, abi ? abi : cpu);
	else if (!abi && !cpu)
		return vmm_error(-EINVAL, "avd: config.ini of %s has no abi.type", avd->name);
	return 0;
}

/* android-34, android-34-ext8, ... */
static void api_level(struct vmm_avd *avd)
{
	const char *value = vmm_ini_get(&avd->source, API_KEY);
	const char *at = NULL;

	if (!value) {
		value = vmm_ini_get(&avd->config, "image.sysdir.1");
		at = value ? strstr(value, "android-") : NULL;
		value = at ? at + strlen("android-") : NULL;
	}
	if (value && strtoul(value, NULL, 10) < 1000)
		avd->api = strtoul(value, NULL, 10);
}

static int files_read(struct vmm_avd *avd, const struct vmm_avd_options *options)
{
	char path[PATH_MAX];
	int err = vmm_avd_path(path, avd->content, "config.ini");

	if (!err)
		err = vmm_ini_load(&avd->config, path);
	if (err == -ENOENT || err == -ENAMETOOLONG)
		return vmm_error(-ENOENT, "avd: %s has no config.ini", avd->content);
	if (err)
		return err;
	err = vmm_avd_path(path, avd->content, "hardware-qemu.ini");
	if (!err)
		err = vmm_ini_load(&avd->hardware, path);
	if (err && err != -ENOENT)
		return err;
	sdk_find(avd);
	err = sysdirs_find(avd, options);
	if (!err)
		err = image_ini(avd, "advancedFeatures.ini", &avd->features);
	if (!err)
		err = image_ini(avd, "source.properties", &avd->source);
	return err;
}

/**
 * vmm_avd_find - find an AVD and read what describes it
 * @avd: filled; vmm_avd_free() must be called in any case
 * @options: have its name
 *
 * Return: 0, or -errno after a message
 */
int vmm_avd_find(struct vmm_avd *avd, const struct vmm_avd_options *options)
{
	char root[PATH_MAX];
	int err;

	*avd = (struct vmm_avd){ 0 };
	snprintf(avd->name, sizeof(avd->name), "%s", options->name);
	err = vmm_avd_root(root);
	if (!err)
		err = content_find(avd, root);
	if (!err)
		err = files_read(avd, options);
	if (!err)
		err = architecture(avd);
	if (!err)
		api_level(avd);
	return err;
}

/**
 * vmm_avd_free - free what an AVD has
 * @avd: was found, or not
 */
void vmm_avd_free(struct vmm_avd *avd)
{
	vmm_ini_free(&avd->config);
	vmm_ini_free(&avd->hardware);
	vmm_ini_free(&avd->features);
	vmm_ini_free(&avd->source);
}

/**
 * vmm_avd_file - find a file of an AVD
 * @avd: the AVD
 * @file: its name
 * @path: filled, if there is one
 *
 * The AVD's own directory comes before those of the system image.
 *
 * Return: whether there is one
 */
bool vmm_avd_file(const struct vmm_avd *avd, const char *file, char path[PATH_MAX])
{
	const char *const folders[] = { avd->content, avd->sysdir[0], avd->sysdir[1] };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(folders); i++) {
		if (*folders[i] && !vmm_avd_path(path, folders[i], file) && vmm_avd_is_file(path))
			return true;
	}
	*path = '\0';
	return false;
}

/* Finds a name in a list such as "A,-B,C". Returns 1 for on, 0 for off, -1 if missing. */
static int feature_in(const char *list, const char *name)
{
	size_t len = strlen(name);
	int found = -1;

	while (*list) {
		size_t piece = strcspn(list, ",");
		bool off = *list == '-';

		if (piece - off == len && !strncmp(list + off, name, len))
			found = !off;
		list += piece;
		list += *list == ',';
	}
	return found;
}

/**
 * vmm_avd_feature - return whether a system image has a feature
 * @avd: the AVD
 * @options: its -feature has priority
 * @name: of the feature
 *
 * Return: whether it has
 */
bool vmm_avd_feature(const struct vmm_avd *avd, const struct vmm_avd_options *options,
		     const char *name)
{
	unsigned int i;
	int found;

	for (i = options->count; i; i--) {
		if (options->given[i - 1].option->id != VMM_AVD_FEATURE)
			continue;
		found = feature_in(options->given[i - 1].value, name);
		if (found >= 0)
			return found;
	}
	return vmm_ini_yes(&avd->features, name, false);
}
