// SPDX-License-Identifier: GPL-2.0-only
/*
 * The search for AVDs, the SDK and files of a system image.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "tests/avd/avd_lib.h"

static int find(struct vmm_avd *avd, char **words)
{
	struct vmm_avd_options options;
	int err = avd_take(&options, words);

	if (!tap_check(!err))
		return err;
	tap_listen();
	err = vmm_avd_find(avd, &options);
	tap_heard(avd_message, sizeof(avd_message));
	return err;
}

static void an_avd_is_found_with_all_that_is_its_own(void)
{
	struct vmm_avd avd;
	char path[PATH_MAX];

	avd_begin(false);
	tap_equal(find(&avd, WORDS("one")), 0);
	tap_context("%s %s", avd_message, avd.content);
	tap_check(!strcmp(avd.name, "one") && !avd.x86 && avd.api == 34);
	tap_check(!strcmp(avd.content, avd_name(CONTENT)));
	tap_check(!strcmp(avd.sdk, avd_name("sdk")) && !avd.sysdir[1][0]);
	tap_check(vmm_avd_file(&avd, "kernel-ranchu", path));
	tap_check(!strcmp(path, avd_name(SYSDIR "//kernel-ranchu")));
	/* The AVD's own comes first. */
	avd_write(CONTENT "/kernel-ranchu", "mine");
	tap_check(vmm_avd_file(&avd, "kernel-ranchu", path) && strstr(path, "one.avd"));
	tap_check(!vmm_avd_file(&avd, "none", path) && !*path);
	vmm_avd_free(&avd);
	avd_end();
}

/* The first of these folders that exists has the AVDs. */
static void the_folder_of_avds_has_an_order(void)
{
	static const struct {
		const char *name;
		const char *value;
		const char *folder;
	} steps[] = {
		{ "HOME", "home", "home/.android/avd" },
		{ "ANDROID_USER_HOME", "user", "user/avd" },
		{ "ANDROID_EMULATOR_HOME", "emulator", "emulator/avd" },
		{ "ANDROID_SDK_HOME", "old", "old/.android/avd" },
		{ "ANDROID_AVD_HOME", "avds", "avds" },
	};
	char root[PATH_MAX];
	unsigned int i;

	avd_begin(false);
	for (i = 0; i < ARRAY_SIZE(steps); i++) {
		tap_context("%s", steps[i].name);
		setenv(steps[i].name, avd_name(steps[i].value), 1);
		if (i)
			tap_check(!vmm_avd_root(root) && strcmp(root, avd_name(steps[i].folder)));
		avd_folder(steps[i].folder);
		tap_equal(vmm_avd_root(root), 0);
		tap_context("%s is %s", steps[i].name, root);
		tap_check(!strcmp(root, avd_name(steps[i].folder)));
	}
	avd_end();
}

static void without_a_folder_there_is_no_avd(void)
{
	struct vmm_avd avd;

	avd_begin(false);
	tap_equal(find(&avd, WORDS("two")), -ENOENT);
	tap_check(strstr(avd_message, "there is no AVD two"));
	avd_remove("home/.android");
	tap_equal(find(&avd, WORDS("one")), -ENOENT);
	tap_check(strstr(avd_message, "there are no AVDs"));
	avd_end();
}

static void names_are_listed_in_their_order(void)
{
	char *text = NULL;
	size_t size;
	FILE *to = open_memstream(&text, &size);

	avd_begin(false);
	avd_write("home/.android/avd/Zwei_2.ini", "");
	avd_write("home/.android/avd/a b.ini", "");
	avd_write("home/.android/avd/.ini", "");
	avd_write("home/.android/avd/x.txt", "");
	avd_write("home/.android/avd/alpha-3.ini", "");
	tap_equal(vmm_avd_list(to), 0);
	fclose(to);
	tap_context("%s", text);
	tap_check(!strcmp(text, "Zwei_2\nalpha-3\none\n"));
	free(text);
	avd_end();
}

static void a_folder_that_was_moved_is_found(void)
{
	char text[PATH_MAX + 100];
	struct vmm_avd avd;

	avd_begin(false);
	avd_folder("else");
	avd_write("else/config.ini", "abi.type=x86_64\n");
	snprintf(text, sizeof(text), "path=%s\npath.rel=avd/one.avd\n", avd_name("else"));
	avd_write("home/.android/avd/one.ini", text);
	tap_equal(find(&avd, WORDS("one")), 0);
	tap_check(avd.x86 && !strcmp(avd.content, avd_name("else")));
	vmm_avd_free(&avd);
	avd_remove("else");
	tap_equal(find(&avd, WORDS("one")), 0);
	tap_check(!avd.x86);
	vmm_avd_free(&avd);
	avd_write("home/.android/avd/one.ini", "path=relative\n");
	tap_equal(find(&avd, WORDS("one")), -ENOENT);
	tap_check(strstr(avd_message, "names no folder"));
	vmm_avd_free(&avd);
	avd_end();
}

static void other_architectures_are_refused(void)
{
	static const struct {
		const char *config;
		const char *says;
	} wrong[] = {
		{ "abi.type=x86\n", "is for x86" },
		{ "abi.type=armeabi-v7a\n", "is for armeabi-v7a" },
		{ "hw.cpu.arch=riscv64\n", "is for riscv64" },
		{ "hw.ramSize=3\n", "has no abi.type" },
	};
	struct vmm_avd avd;
	unsigned int i;

	avd_begin(false);
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		avd_write(CONTENT "/config.ini", wrong[i].config);
		tap_equal(find(&avd, WORDS("one")), -EINVAL);
		tap_context("%s", avd_message);
		tap_check(strstr(avd_message, wrong[i].says));
		vmm_avd_free(&avd);
	}
	avd_write(CONTENT "/config.ini", "hw.cpu.arch=x86_64\n");
	tap_check(!find(&avd, WORDS("one")) && avd.x86);
	vmm_avd_free(&avd);
	avd_remove(CONTENT "/config.ini");
	tap_equal(find(&avd, WORDS("one")), -ENOENT);
	tap_check(strstr(avd_message, "has no config.ini"));
	avd_end();
}

static void the_sdk_is_the_one_with_images(void)
{
	char text[PATH_MAX + 100];
	struct vmm_avd avd;

	avd_begin(false);
	avd_folder("other");
	setenv("ANDROID_HOME", avd_name("other"), 1);
	tap_check(!find(&avd, WORDS("one")) && !strcmp(avd.sdk, avd_name("sdk")));
	vmm_avd_free(&avd);
	avd_folder("other/platforms");
	avd_folder("other/platform-tools");
	tap_check(!find(&avd, WORDS("one")) && !strcmp(avd.sdk, avd_name("other")));
	tap_check(!avd.sysdir[0][0]);
	vmm_avd_free(&avd);
	unsetenv("ANDROID_HOME");
	unsetenv("ANDROID_SDK_ROOT");
	tap_check(!find(&avd, WORDS("one")) && !*avd.sdk);
	vmm_avd_free(&avd);
	/* It is recorded by the emulator that ran the AVD last. */
	snprintf(text, sizeof(text), "android.sdk.root = %s\n", avd_name("sdk"));
	avd_write(CONTENT "/hardware-qemu.ini", text);
	tap_check(!find(&avd, WORDS("one")) && !strcmp(avd.sdk, avd_name("sdk")));
	vmm_avd_free(&avd);
	tap_equal(find(&avd, WORDS("one", "-sysdir", (char *)avd_name("none"))), -ENOENT);
	vmm_avd_free(&avd);
	tap_check(!find(&avd, WORDS("one", "-sysdir", (char *)avd_name("other"))) &&
		  !strcmp(avd.sysdir[0], avd_name("other")));
	vmm_avd_free(&avd);
	avd_end();
}

static void features_are_the_image_s_and_the_option_s(void)
{
	static const struct {
		const char *list;
		const char *name;
		bool has;
	} rows[] = {
		{ "None", "DynamicPartition", true }, { "None", "VirtioVsockPipe", false },
		{ "-DynamicPartition", "DynamicPartition", false },
		{ "VirtioVsockPipe,-DynamicPartition", "VirtioVsockPipe", true },
		{ "VirtioVsock", "VirtioVsockPipe", false }, { ",,-,", "DynamicPartition", true },
		{ "A,-A", "A", false }, { "-A,A", "A", true },
	};
	struct vmm_avd_options options;
	struct vmm_avd avd;
	unsigned int i;

	avd_begin(false);
	tap_equal(find(&avd, WORDS("one")), 0);
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		tap_context("%s %s", rows[i].list, rows[i].name);
		tap_equal(avd_take(&options, WORDS("one", "-feature", (char *)rows[i].list)), 0);
		tap_equal(vmm_avd_feature(&avd, &options, rows[i].name), rows[i].has);
	}
	vmm_avd_free(&avd);
	avd_end();
}

static const struct tap_case cases[] = {
	{ "an AVD is found, with SDK, image and level", an_avd_is_found_with_all_that_is_its_own },
	{ "of several folders of AVDs one counts", the_folder_of_avds_has_an_order },
	{ "an AVD that is not there is said to be so", without_a_folder_there_is_no_avd },
	{ "AVDs are listed in the order of their names", names_are_listed_in_their_order },
	{ "an AVD's folder is found where it was moved to", a_folder_that_was_moved_is_found },
	{ "other architectures are refused", other_architectures_are_refused },
	{ "the SDK is one that has images or tools", the_sdk_is_the_one_with_images },
	{ "features are the image's, and -feature wins",
	  features_are_the_image_s_and_the_option_s },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
