// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmmctl's own folder of an AVD: its owner, its lock, and its record of images.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/avd/avd_lib.h"

static struct vmm_avd_folder one, two;
static char own[PATH_MAX];

static void begin(void)
{
	avd_begin(false);
	snprintf(own, sizeof(own), "%s", avd_name("own"));
}

static int open_folder(struct vmm_avd_folder *folder, bool alone)
{
	int err;

	tap_listen();
	err = vmm_avd_folder_open(folder, own, alone);
	tap_heard(avd_message, sizeof(avd_message));
	tap_context("%s", avd_message);
	return err;
}

/* Opens and closes. */
static int try(bool alone)
{
	int err = open_folder(&one, alone);

	vmm_avd_folder_close(&one);
	return err;
}

static int path_of(char **words)
{
	struct vmm_avd_options options;
	struct vmm_avd avd = { .name = "one", .content = "/avd" };
	int err = avd_take(&options, words);

	if (err)
		return err;
	tap_listen();
	err = vmm_avd_folder_path(&options, &avd, own);
	tap_heard(avd_message, sizeof(avd_message));
	return err;
}

/* -datadir may name the AVD's or the SDK's directory, and several AVDs may share one. */
static void it_is_inside_of_datadir(void)
{
	avd_begin(false);
	tap_equal(path_of(WORDS("one")), 0);
	tap_check(!strcmp(own, "/avd/ranchu"));
	tap_equal(path_of(WORDS("one", "-datadir", (char *)avd_name(CONTENT))), 0);
	tap_check(!strcmp(own, avd_name(CONTENT "/ranchu-one")));
	tap_equal(path_of(WORDS("one", "-datadir", (char *)avd_name("none"))), -ENOENT);
	tap_check(strstr(avd_message, "-datadir: there is no directory"));
	avd_end();
}

static void a_folder_of_others_is_left_alone(void)
{
	struct stat st;

	begin();
	avd_folder("own");
	avd_write("own/userdata.img", "mine");
	tap_equal(try(true), -EEXIST);
	tap_check(strstr(avd_message, "has files that vmmctl did not make"));
	tap_equal(try(false), -EEXIST);
	tap_check(!avd_there("own/lock"));
	/* An empty folder is accepted. */
	avd_remove("own/userdata.img");
	tap_equal(try(true), 0);
	tap_check(!stat(avd_name("own/lock"), &st) && S_ISREG(st.st_mode));
	avd_write("own/userdata.img", "mine");
	tap_equal(try(true), 0);
	avd_end();
}

static void others_cannot_write_to_it(void)
{
	begin();
	tap_equal(try(true), 0);
	tap_check(!chmod(own, 0777));
	tap_equal(try(true), -EPERM);
	tap_check(strstr(avd_message, "not writable by others"));
	avd_end();
}

static void links_are_not_followed(void)
{
	static const char *const files[] = { "own/lock", "own/images" };
	char victim[PATH_MAX];
	unsigned int i;

	begin();
	avd_folder("other");
	avd_write("victim", "");
	snprintf(victim, sizeof(victim), "%s", avd_name("other"));
	tap_check(!symlink(victim, own));
	tap_equal(try(true), -ENOTDIR);
	tap_check(!avd_there("other/lock") && !unlink(own));
	snprintf(victim, sizeof(victim), "%s", avd_name("victim"));
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		tap_equal(try(true), 0);
		unlink(avd_name(files[i]));
		tap_check(!symlink(victim, avd_name(files[i])));
		tap_equal(try(true), -EINVAL);
		tap_check(strstr(avd_message, "is not a regular file"));
		unlink(avd_name(files[i]));
		tap_check(!mkfifo(avd_name(files[i]), 0600));
		tap_equal(try(true), -EINVAL);
		unlink(avd_name(files[i]));
		avd_remove("own");
	}
	avd_end();
}

/* Locks belong to open files, so one process can act as two. */
static void one_writes_or_several_copy(void)
{
	begin();
	tap_equal(open_folder(&two, true), 0);
	tap_equal(try(true), -EBUSY);
	tap_check(strstr(avd_message, "another vmmctl has"));
	tap_equal(try(false), -EBUSY);
	tap_check(strstr(avd_message, "a VM writes to the images in"));
	vmm_avd_folder_close(&two);
	tap_equal(open_folder(&two, false), 0);
	tap_equal(try(false), 0);
	tap_equal(try(true), -EBUSY);
	vmm_avd_folder_close(&two);
	tap_equal(try(true), 0);
	avd_end();
}

static void the_lock_goes_with_its_process(void)
{
	int ready[2];
	char byte;
	pid_t pid;

	begin();
	tap_check(!pipe2(ready, O_CLOEXEC));
	pid = fork();
	if (!pid) {
		byte = vmm_avd_folder_open(&one, own, true) ? 'e' : 'k';
		if (write(ready[1], &byte, 1) == 1)
			pause();
		_exit(1);
	}
	tap_check(read(ready[0], &byte, 1) == 1 && byte == 'k');
	tap_equal(try(true), -EBUSY);
	tap_check(!kill(pid, SIGKILL) && waitpid(pid, NULL, 0) == pid);
	tap_equal(try(true), 0);
	close(ready[0]);
	close(ready[1]);
	avd_end();
}

static void the_record_lasts(void)
{
	begin();
	tap_equal(open_folder(&one, true), 0);
	tap_equal(one.state[VMM_AVD_DISK_USERDATA], VMM_AVD_IMAGE_NONE);
	one.state[VMM_AVD_DISK_USERDATA] = VMM_AVD_IMAGE_WHOLE;
	one.state[VMM_AVD_DISK_SDCARD] = VMM_AVD_IMAGE_BEGUN;
	tap_equal(vmm_avd_folder_record(&one), 0);
	vmm_avd_folder_close(&one);
	tap_equal(open_folder(&one, false), 0);
	tap_equal(one.state[VMM_AVD_DISK_USERDATA], VMM_AVD_IMAGE_WHOLE);
	tap_equal(one.state[VMM_AVD_DISK_SDCARD], VMM_AVD_IMAGE_BEGUN);
	tap_equal(one.state[VMM_AVD_DISK_CACHE], VMM_AVD_IMAGE_NONE);
	vmm_avd_folder_close(&one);
	tap_check(!avd_there("own/images.new"));
	avd_end();
}

static void a_damaged_record_is_refused(void)
{
	static char lines[2000];
	const char *const texts[] = { "userdata = maybe\n", "nonsense = whole\n", lines };
	unsigned int i;

	memset(lines, '\n', sizeof(lines) - 1);
	begin();
	tap_equal(try(true), 0);
	for (i = 0; i < ARRAY_SIZE(texts); i++) {
		avd_write("own/images", texts[i]);
		tap_equal(try(true), -EINVAL);
		tap_check(strstr(avd_message, "images is damaged: remove the folder"));
	}
	avd_write("own/images", "# a comment\n\nuserdata = whole\n");
	tap_equal(try(true), 0);
	avd_end();
}

static const struct tap_case cases[] = {
	{ "it is inside of the directory that -datadir names", it_is_inside_of_datadir },
	{ "a folder that others have filled is left alone", a_folder_of_others_is_left_alone },
	{ "a folder that others can write to is refused", others_cannot_write_to_it },
	{ "links are not followed, and pipes not waited for", links_are_not_followed },
	{ "one process writes, or several copy", one_writes_or_several_copy },
	{ "the lock goes with its process", the_lock_goes_with_its_process },
	{ "the record lasts", the_record_lasts },
	{ "a damaged record is refused", a_damaged_record_is_refused },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
