// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmmctl avd as a user calls it: what it prints, exit codes, and what it makes.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "snapshot/snapshot.h"
#include "tests/avd/avd_lib.h"

#ifdef __aarch64__
#define OURS	false
#else
#define OURS	true
#endif

static char out[32768];
static int kept = -1;

/* stdout goes to a file of ours, and what it got ends up in out[]. */
static void out_keep(void)
{
	int fd = memfd_create("out", 0);

	fflush(stdout);
	kept = dup(STDOUT_FILENO);
	tap_check(fd >= 0 && dup2(fd, STDOUT_FILENO) >= 0);
	close(fd);
}

static void out_take(void)
{
	ssize_t n;

	fflush(stdout);
	n = pread(STDOUT_FILENO, out, sizeof(out) - 1, 0);
	out[n > 0 ? n : 0] = '\0';
	dup2(kept, STDOUT_FILENO);
	close(kept);
}

static int command(struct vmm_avd_plan **plan, char **words)
{
	char *argv[40] = { "vmmctl", "avd" };
	struct vmm_avd_plan *made;
	int argc = 2;
	int code;

	for (; *words && argc < 39; words++)
		argv[argc++] = *words;
	out_keep();
	tap_listen();
	made = vmm_avd_command(argc, argv, &code);
	tap_heard(avd_message, sizeof(avd_message));
	out_take();
	tap_context("%s%s", out, avd_message);
	if (plan)
		*plan = made;
	else
		vmm_avd_close(made);
	return code;
}

static void it_lists_avds(void)
{
	avd_begin(false);
	avd_write("home/.android/avd/zwei.ini", "");
	tap_equal(command(NULL, WORDS("list")), 0);
	tap_check(!strcmp(out, "one\nzwei\n") && !*avd_message);
	tap_equal(command(NULL, WORDS("-list-avds")), 0);
	tap_check(!strcmp(out, "one\nzwei\n"));
	avd_remove("home/.android");
	tap_equal(command(NULL, WORDS("list")), 1);
	avd_end();
}

/* Lines of options are what run takes; all others begin with "#". */
static void it_says_what_would_be_run(void)
{
	const char *line;

	avd_begin(!OURS);
	avd_write(CONTENT "/userdata-qemu.img", "x");
	tap_equal(command(NULL, WORDS("info", "one", "-no-window", "-wipe-data", "-cores", "4")),
		  0);
	tap_check(!*avd_message);
	for (line = out; *line; line += strcspn(line, "\n") + 1)
		tap_check(!strncmp(line, "--", 2) || !strncmp(line, "# ", 2));
	tap_check(strstr(out, "\n--cpus=4\n") && strstr(out, "\n--name=one\n"));
	tap_check(strstr(out, "\n# -no-window: no effect: there is no window"));
	tap_check(strstr(out, "\n# -wipe-data: honoured: "));
	tap_check(strstr(out, "\n# -cores 4: honoured: virtual CPUs\n"));
	tap_check(strstr(out, "\n# userdata is made: a copy of ") && strstr(out, "userdata.img"));
	tap_check(strstr(out, "\n# boot configuration: androidboot.hardware=\"ranchu\"\n"));
	/* Nothing was made. */
	tap_check(!avd_there(CONTENT "/ranchu") && !avd_there(CONTENT "/" VMM_AVD_LOCK));
	avd_end();
}

static void mistakes_have_exit_codes(void)
{
	avd_begin(OURS);
	tap_equal(command(NULL, WORDS("-no-window")), 2);
	tap_check(strstr(avd_message, "avd needs \"list\", \"info NAME\" or \"NAME\""));
	tap_equal(command(NULL, WORDS("one", "-walk")), 2);
	tap_equal(command(NULL, WORDS("info", "one", "-accel", "off")), 2);
	tap_equal(command(NULL, WORDS("info", "two")), 1);
	tap_equal(command(NULL, WORDS("two")), 1);
	tap_equal(command(NULL, WORDS("--help")), 0);
	tap_check(strstr(out, "usage: vmmctl avd ") && strstr(out, "-wipe-data"));
	avd_end();
}

static void another_architecture_s_avd_makes_nothing(void)
{
	avd_begin(!OURS);
	tap_equal(command(NULL, WORDS("one")), 2);
	tap_check(strstr(avd_message, "this host is not"));
	tap_check(!avd_there(CONTENT "/ranchu") && !avd_there(CONTENT "/" VMM_AVD_LOCK));
	avd_end();
}

/* Without e2fsprogs, which would make a cache. */
static void a_run_is_prepared(void)
{
	struct vmm_avd_plan *plan;
	const char *note;
	char *cache;

	avd_begin(OURS);
	avd_write("cache.img", "x");
	cache = (char *)avd_name("cache.img");
	setenv("PATH", "/none", 1);
	tap_equal(command(&plan, WORDS("one", "-cache", cache, "-no-window", "-no-window",
				       "-verbose", "-read-only")), VMM_AVD_RUN);
	tap_check(plan->run.count > 10 && !strcmp(plan->run.word[1], "run"));
	note = strstr(avd_message, "-no-window has no effect");
	tap_check(note && !strstr(note + 1, "-no-window has no effect"));
	tap_check(strstr(avd_message, "--initrd=/proc/self/fd/"));
	tap_check(!avd_there(CONTENT "/" VMM_AVD_LOCK));
	tap_check(!avd_there(CONTENT "/ranchu/userdata.img"));
	vmm_avd_close(plan);
	tap_equal(command(&plan, WORDS("one", "-cache", cache)), VMM_AVD_RUN);
	tap_check(avd_there(CONTENT "/ranchu/userdata.img") && avd_there(CONTENT "/ranchu/initrd"));
	tap_check(avd_there(CONTENT "/ranchu/encryptionkey.img"));
	tap_check(avd_there(CONTENT "/" VMM_AVD_LOCK));
	tap_check(strstr(avd_message, "ranchu-services is not installed"));
	vmm_avd_close(plan);
	avd_end();
}

static void it_lists_snapshots(void)
{
	avd_begin(false);
	tap_equal(command(NULL, WORDS("one", "-snapshot-list")), 0);
	tap_check(!*out && !*avd_message);
	avd_folder(CONTENT "/ranchu/snapshots/two");
	avd_folder(CONTENT "/ranchu/snapshots/half");
	avd_folder(CONTENT "/ranchu/snapshots/one");
	avd_write(CONTENT "/ranchu/snapshots/two/" VMM_SNAPSHOT_MANIFEST, "{}");
	avd_write(CONTENT "/ranchu/snapshots/one/" VMM_SNAPSHOT_MANIFEST, "{}");
	tap_equal(command(NULL, WORDS("one", "-snapshot-list")), 0);
	tap_check(!strcmp(out, "one\ntwo\n"));
	tap_equal(command(NULL, WORDS("two", "-snapshot-list")), 1);
	avd_end();
}

/* No image is made of what the AVD has now. */
static void a_guest_that_goes_on_has_its_images(void)
{
	struct vmm_avd_plan *plan;

	avd_begin(OURS);
	setenv("PATH", "/none", 1);
	tap_equal(command(&plan, WORDS("one", "-snapshot", "x", "-verbose")), VMM_AVD_RUN);
	tap_check(strstr(avd_message, "\n--from=") || !strncmp(avd_message, "--from=", 7));
	tap_check(!strstr(avd_message, "is made:") && !strstr(avd_message, "boot configuration"));
	tap_check(!avd_there(CONTENT "/ranchu/userdata.img") &&
		  !avd_there(CONTENT "/ranchu/initrd"));
	tap_check(avd_there(CONTENT "/" VMM_AVD_LOCK));
	vmm_avd_close(plan);
	avd_end();
}

static bool file_is(const char *file, const char *want)
{
	char text[64] = "";
	int fd = open(avd_name(file), O_RDONLY);
	bool same = fd >= 0 && read(fd, text, sizeof(text) - 1) >= 0 && !strcmp(text, want);

	if (fd >= 0)
		close(fd);
	return same;
}

/* Those who copy come when nobody writes, and one who writes comes alone. */
static void one_writes_or_several_copy(void)
{
	struct vmm_avd_plan *plan, *other;
	char *cache;

	avd_begin(OURS);
	avd_write("cache.img", "x");
	cache = (char *)avd_name("cache.img");
	setenv("PATH", "/none", 1);
	tap_equal(command(&plan, WORDS("one", "-cache", cache)), VMM_AVD_RUN);
	tap_equal(command(NULL, WORDS("one", "-cache", cache, "-read-only")), 1);
	tap_check(strstr(avd_message, "a VM writes to the images in"));
	tap_equal(command(NULL, WORDS("one", "-cache", cache)), 1);
	tap_check(strstr(avd_message, "another vmmctl has"));
	vmm_avd_close(plan);
	tap_equal(command(&plan, WORDS("one", "-cache", cache, "-read-only")), VMM_AVD_RUN);
	tap_equal(command(&other, WORDS("one", "-cache", cache, "-read-only")), VMM_AVD_RUN);
	vmm_avd_close(other);
	vmm_avd_close(plan);
	avd_end();
}

/* Half of what it writes would be copied. */
static void an_emulator_s_data_are_not_copied_while_it_runs(void)
{
	struct vmm_avd_plan *plan;
	char text[24];
	int ready[2];
	pid_t pid;

	avd_begin(OURS);
	setenv("PATH", "/none", 1);
	avd_write(CONTENT "/cache.img", "x");
	avd_write(CONTENT "/userdata-qemu.img", "x");
	tap_check(!pipe2(ready, O_CLOEXEC));
	pid = fork();
	if (!pid) {
		prctl(PR_SET_NAME, "qemu-system-x86");
		if (write(ready[1], "", 1) == 1)
			pause();
		_exit(1);
	}
	tap_check(read(ready[0], text, 1) == 1);
	snprintf(text, sizeof(text), "%d", (int)pid);
	avd_write(CONTENT "/" VMM_AVD_LOCK, text);
	tap_equal(command(NULL, WORDS("one", "-read-only")), 1);
	tap_check(strstr(avd_message, "cache.img cannot be copied now"));
	tap_equal(command(NULL, WORDS("one")), 1);
	tap_check(strstr(avd_message, "has this AVD; with -read-only several may run"));
	tap_check(!avd_there(CONTENT "/ranchu/userdata.img"));
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	tap_equal(command(&plan, WORDS("one", "-read-only")), VMM_AVD_RUN);
	vmm_avd_close(plan);
	close(ready[0]);
	close(ready[1]);
	avd_end();
}

static void links_are_not_followed(void)
{
	static const char *const files[] = { CONTENT "/ranchu/snapshots",
					     CONTENT "/ranchu/screenshots",
					     CONTENT "/ranchu/pstore.bin" };
	struct vmm_avd_plan *plan;
	char victim[PATH_MAX], target[PATH_MAX];
	char *cache;
	unsigned int i;

	avd_begin(OURS);
	setenv("PATH", "/none", 1);
	avd_write("victim", "victim");
	avd_write("cache.img", "x");
	snprintf(victim, sizeof(victim), "%s", avd_name("victim"));
	cache = strdup(avd_name("cache.img"));
	tap_equal(command(&plan, WORDS("one", "-cache", cache)), VMM_AVD_RUN);
	vmm_avd_close(plan);
	/* The RAM disk is made beside, and takes the link's place. */
	avd_remove(CONTENT "/ranchu/initrd");
	tap_check(!symlink(victim, avd_name(CONTENT "/ranchu/initrd")));
	tap_check(!symlink(victim, avd_name(CONTENT "/ranchu/initrd.new")));
	tap_equal(command(&plan, WORDS("one", "-cache", cache)), VMM_AVD_RUN);
	vmm_avd_close(plan);
	tap_check(file_is("victim", "victim"));
	tap_check(readlink(avd_name(CONTENT "/ranchu/initrd"), target, sizeof(target)) < 0);
	for (i = 0; i < ARRAY_SIZE(files); i++) {
		avd_remove(files[i]);
		tap_check(!symlink(victim, avd_name(files[i])));
		tap_equal(command(NULL, WORDS("one", "-cache", cache)), 2);
		tap_check(strstr(avd_message, i == 2 ? "is not a regular file" :
						       "is not a directory"));
		avd_remove(files[i]);
	}
	tap_check(file_is("victim", "victim"));
	free(cache);
	avd_end();
}

/* Whatever is there already: the AVD's own directory, or the SDK's. */
static void datadir_keeps_what_is_there(void)
{
	static const char *const folders[] = { CONTENT, SYSDIR };
	struct vmm_avd_plan *plan;
	char folder[PATH_MAX];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(folders); i++) {
		avd_begin(OURS);
		setenv("PATH", "/none", 1);
		snprintf(folder, sizeof(folder), "%s", avd_name(folders[i]));
		avd_write(SYSDIR "/userdata.img", "image's");
		avd_write(CONTENT "/userdata.img", "mine");
		avd_write(CONTENT "/initrd", "mine");
		avd_write(CONTENT "/cache.img", "mine");
		tap_equal(command(&plan, WORDS("one", "-datadir", folder)), VMM_AVD_RUN);
		vmm_avd_close(plan);
		tap_equal(command(&plan, WORDS("one", "-datadir", folder)), VMM_AVD_RUN);
		vmm_avd_close(plan);
		tap_check(file_is(SYSDIR "/userdata.img", "image's"));
		tap_check(file_is(CONTENT "/userdata.img", "mine"));
		tap_check(file_is(CONTENT "/initrd", "mine"));
		tap_check(file_is(CONTENT "/cache.img", "mine"));
		snprintf(folder, sizeof(folder), "%s/ranchu-one/userdata.img", folders[i]);
		tap_check(file_is(folder, "mine"));
		tap_check(!avd_there(CONTENT "/ranchu"));
		avd_end();
	}
}

/* By a program that does what adb's keygen does. */
static void adb_makes_a_key_if_there_is_none(void)
{
	struct vmm_avd_plan *plan;
	char path[PATH_MAX];
	char *cache;

	avd_begin(OURS);
	avd_write("cache.img", "x");
	cache = strdup(avd_name("cache.img"));
	setenv("PATH", "/none", 1);
	tap_equal(command(&plan, WORDS("one", "-cache", cache)), VMM_AVD_RUN);
	tap_check(strstr(avd_message, "the program adb is needed") &&
		  strstr(avd_message, "there is no key of adb"));
	vmm_avd_close(plan);
	tap_equal(command(&plan, WORDS("one", "-cache", cache, "-skip-adb-auth")), VMM_AVD_RUN);
	tap_check(!strstr(avd_message, "key of adb"));
	vmm_avd_close(plan);
	avd_folder("bin");
	avd_write("bin/adb", "#!/bin/sh\n[ \"$1\" = keygen ] && echo secret >\"$2\" && "
		  "echo 'KEY me@here' >\"$2.pub\"\n");
	tap_check(!chmod(avd_name("bin/adb"), 0700));
	snprintf(path, sizeof(path), "%s", avd_name("bin"));
	setenv("PATH", path, 1);
	tap_equal(command(NULL, WORDS("info", "one", "-cache", cache)), 0);
	tap_check(!avd_there("home/.android/adbkey"));
	tap_equal(command(&plan, WORDS("one", "-cache", cache)), VMM_AVD_RUN);
	tap_check(!strstr(avd_message, "key of adb"));
	tap_check(file_is("home/.android/adbkey.pub", "KEY me@here\n"));
	tap_check(strstr(plan->boot.config, "androidboot.qemu.adb.pubkey=\"KEY me@here\"\n"));
	vmm_avd_close(plan);
	/* A key of the user's is left alone. */
	avd_write("home/.android/adbkey", "mine");
	avd_remove("home/.android/adbkey.pub");
	tap_equal(command(&plan, WORDS("one", "-cache", cache)), VMM_AVD_RUN);
	tap_check(file_is("home/.android/adbkey", "mine"));
	tap_check(!avd_there("home/.android/adbkey.pub"));
	vmm_avd_close(plan);
	setenv("PATH", "/none", 1);
	free(cache);
	avd_end();
}

static void what_the_guest_lacks_is_said(void)
{
	struct vmm_avd_plan *plan;
	char *cache;

	avd_begin(OURS);
	setenv("PATH", "/none", 1);
	avd_write("cache.img", "x");
	cache = strdup(avd_name("cache.img"));
	tap_equal(command(&plan, WORDS("one", "-cache", cache)), VMM_AVD_RUN);
	tap_check(strstr(avd_message, "the guest has no network"));
	tap_check(!strstr(avd_message, "hw.gpu.mode"));
	vmm_avd_close(plan);
	avd_write(CONTENT "/hardware-qemu.ini", "");
	avd_append(CONTENT "/config.ini", "hw.gpu.mode=host\n");
	tap_equal(command(&plan, WORDS("one", "-cache", cache, "-net-tap", "tap0")),
		  VMM_AVD_RUN);
	tap_check(!strstr(avd_message, "the guest has no network"));
	tap_check(strstr(avd_message, "hw.gpu.mode is host, but"));
	vmm_avd_close(plan);
	tap_equal(command(&plan, WORDS("one", "-cache", cache, "-gpu", "guest", "--", "--net",
				       "tap=x")), VMM_AVD_RUN);
	tap_check(!strstr(avd_message, "no network") && !strstr(avd_message, "hw.gpu.mode"));
	vmm_avd_close(plan);
	free(cache);
	avd_end();
}

static const struct tap_case cases[] = {
	{ "it lists AVDs", it_lists_avds },
	{ "info says what would be run, and makes nothing", it_says_what_would_be_run },
	{ "mistakes have their exit codes", mistakes_have_exit_codes },
	{ "another architecture's AVD makes nothing", another_architecture_s_avd_makes_nothing },
	{ "it lists snapshots", it_lists_snapshots },
	{ "a guest that goes on has its images", a_guest_that_goes_on_has_its_images },
	{ "folder, lock, images and RAM disk are made for a run", a_run_is_prepared },
	{ "one writes or several copy", one_writes_or_several_copy },
	{ "an emulator's data are not copied while it runs",
	  an_emulator_s_data_are_not_copied_while_it_runs },
	{ "links are not followed", links_are_not_followed },
	{ "-datadir keeps what is there", datadir_keeps_what_is_there },
	{ "adb makes a key if there is none", adb_makes_a_key_if_there_is_none },
	{ "what the guest lacks is said", what_the_guest_lacks_is_said },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
