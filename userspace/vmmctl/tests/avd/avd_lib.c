// SPDX-License-Identifier: GPL-2.0-only
/*
 * An SDK and an AVD for tests.
 */
#include <fcntl.h>
#include <ftw.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/avd/avd_lib.h"

char avd_top[64];
char avd_message[4096];

/**
 * avd_name - return the path of a file of the test
 * @file: its name, relative to the temporary directory
 *
 * Return: its path, valid for four more calls
 */
const char *avd_name(const char *file)
{
	static char names[4][PATH_MAX];
	static unsigned int next;
	char *name = names[next++ % 4];

	snprintf(name, PATH_MAX, "%s/%s", avd_top, file);
	return name;
}

/**
 * avd_folder - make a folder and its parents
 * @folder: relative to the temporary directory
 */
void avd_folder(const char *folder)
{
	char path[PATH_MAX];
	char *slash;

	snprintf(path, sizeof(path), "%s/%s/", avd_top, folder);
	for (slash = strchr(path + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(path, 0700);
		*slash = '/';
	}
}

/**
 * avd_write - write a file
 * @file: relative to the temporary directory; its folder exists
 * @text: its contents
 */
void avd_write(const char *file, const char *text)
{
	FILE *to = fopen(avd_name(file), "w");

	if (!tap_check(to))
		return;
	fputs(text, to);
	fclose(to);
}

/**
 * avd_append - append to a file
 * @file: relative to the temporary directory
 * @text: the text
 */
void avd_append(const char *file, const char *text)
{
	FILE *to = fopen(avd_name(file), "a");

	if (!tap_check(to))
		return;
	fputs(text, to);
	fclose(to);
}

/**
 * avd_sparse - make a file of zeroes
 * @file: relative to the temporary directory; its folder exists
 * @size: bytes
 */
void avd_sparse(const char *file, size_t size)
{
	avd_write(file, "");
	tap_check(!truncate(avd_name(file), size));
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

/**
 * avd_remove - remove a file or a folder with its contents
 * @file: relative to the temporary directory
 */
void avd_remove(const char *file)
{
	nftw(avd_name(file), remove_one, 8, FTW_DEPTH | FTW_PHYS);
}

/**
 * avd_there - check whether a file exists
 * @file: relative to the temporary directory
 *
 * Return: true if it does
 */
bool avd_there(const char *file)
{
	return !access(avd_name(file), F_OK);
}

/**
 * avd_begin - make an SDK and the AVD "one"
 * @x86: for x86_64; else for arm64
 */
void avd_begin(bool x86)
{
	static const char *const others[] = {
		"ANDROID_AVD_HOME", "ANDROID_SDK_HOME", "ANDROID_EMULATOR_HOME",
		"ANDROID_USER_HOME", "ANDROID_HOME", "TEST_TMPDIR", "USER_HOME",
	};
	unsigned int i;

	snprintf(avd_top, sizeof(avd_top), "/tmp/vmmctl-avd-XXXXXX");
	if (!tap_check(mkdtemp(avd_top)))
		abort();
	for (i = 0; i < ARRAY_SIZE(others); i++)
		unsetenv(others[i]);
	setenv("HOME", avd_name("home"), 1);
	setenv("ANDROID_SDK_ROOT", avd_name("sdk"), 1);
	avd_folder("run");
	setenv("XDG_RUNTIME_DIR", avd_name("run"), 1);
	avd_folder(SYSDIR);
	avd_folder(CONTENT);
	avd_write("home/.android/avd/one.ini",
		  "avd.ini.encoding=UTF-8\npath.rel=avd/one.avd\ntarget=android-34\n");
	avd_write(CONTENT "/config.ini", x86 ?
		  "abi.type=x86_64\nimage.sysdir.1=system-images/android-34/default/abi/\n" :
		  "abi.type = arm64-v8a\nimage.sysdir.1=system-images/android-34/default/abi/\n"
		  "hw.cpu.ncore=3\nhw.ramSize=1536\nhw.lcd.width=320\nhw.lcd.height=640\n"
		  "hw.lcd.density=160\n");
	avd_write(SYSDIR "/kernel-ranchu", "kernel");
	avd_write(SYSDIR "/ramdisk.img", "ramdisk");
	avd_write(SYSDIR "/source.properties", "AndroidVersion.ApiLevel=34\n");
	avd_write(SYSDIR "/advancedFeatures.ini",
		  "AndroidbootProps2 = on\nDynamicPartition = on\nVirtioVsockPipe = off\n");
	avd_sparse(SYSDIR "/system.img", MIB);
	avd_sparse(SYSDIR "/userdata.img", MIB);
	avd_sparse(SYSDIR "/encryptionkey.img", MIB);
}

/**
 * avd_end - remove all files of avd_begin() and the test
 */
void avd_end(void)
{
	avd_remove(".");
	rmdir(avd_top);
}

/**
 * avd_take - read a command line of the emulator
 * @options: filled
 * @words: its words
 *
 * Return: result of vmm_avd_options_read(); its message is in avd_message
 */
int avd_take(struct vmm_avd_options *options, char **words)
{
	int count = 0;
	int err;

	while (words[count])
		count++;
	tap_listen();
	err = vmm_avd_options_read(options, count, words);
	tap_heard(avd_message, sizeof(avd_message));
	return err;
}

/**
 * avd_plan - plan a run, and make its words
 * @plan: filled; to be freed by vmm_avd_plan_free() also on failure
 * @words: the emulator's command line
 *
 * Return: 0, or -errno; its message is in avd_message
 */
int avd_plan(struct vmm_avd_plan *plan, char **words)
{
	int err;

	memset(plan, 0, sizeof(*plan));
	err = avd_take(&plan->options, words);
	if (err)
		return err;
	tap_listen();
	err = vmm_avd_plan(plan);
	if (!err)
		err = vmm_avd_words(plan);
	tap_heard(avd_message, sizeof(avd_message));
	return err;
}
