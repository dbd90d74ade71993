// SPDX-License-Identifier: GPL-2.0-only
/*
 * Images that a guest writes to: made once, whole or not at all.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tests/avd/avd_lib.h"

#define CALLS_MAX	4000	/* stops at system calls of a start, at most */

static u64 free_bytes = 1ULL << 40;

/* A file system with as much space as a test says. */
int fstatvfs(int fd, struct statvfs *fs)
{
	(void)fd;
	*fs = (struct statvfs){ .f_frsize = 4096, .f_bavail = free_bytes / 4096 };
	return 0;
}

static struct vmm_avd_disk disks[VMM_AVD_DISKS];
static struct vmm_avd_disk *const disk = &disks[VMM_AVD_DISK_USERDATA];
static struct vmm_avd_folder folder;

static int make_in(const char *path, bool once)
{
	int err = vmm_avd_folder_open(&folder, path, !once);

	if (!err)
		err = vmm_avd_images_make(disks, &folder, once);
	vmm_avd_folder_close(&folder);
	return err;
}

static int make(bool once)
{
	char path[PATH_MAX];
	int err;

	snprintf(path, sizeof(path), "%s", avd_name("own"));
	tap_listen();
	err = make_in(path, once);
	tap_heard(avd_message, sizeof(avd_message));
	return err;
}

static void prepare_disk(enum vmm_avd_role role, enum vmm_avd_make how, const char *from)
{
	char file[64];

	snprintf(file, sizeof(file), "own/%s.img", vmm_avd_role_name(role));
	memset(&disks[role], 0, sizeof(disks[role]));
	disks[role].present = true;
	disks[role].make = how;
	snprintf(disks[role].path, sizeof(disks[role].path), "%s", avd_name(file));
	snprintf(disks[role].from, sizeof(disks[role].from), "%s", avd_name(from));
}

/* The AVD has one disk. */
static void prepare(enum vmm_avd_make how, const char *from)
{
	memset(disks, 0, sizeof(disks));
	prepare_disk(VMM_AVD_DISK_USERDATA, how, from);
}

static off_t size_of(const char *path)
{
	struct stat st;

	return stat(path, &st) ? -1 : st.st_size;
}

static bool has(const char *path, off_t at, const char *text)
{
	char have[64] = "";
	int fd = open(path, O_RDONLY);
	bool same = fd >= 0 && pread(fd, have, strlen(text), at) == (ssize_t)strlen(text) &&
		    !strcmp(have, text);

	if (fd >= 0)
		close(fd);
	return same;
}

static void put(const char *file, off_t at, const char *text)
{
	int fd = open(avd_name(file), O_WRONLY);

	tap_check(fd >= 0 && pwrite(fd, text, strlen(text), at) == (ssize_t)strlen(text));
	close(fd);
}

static void a_copy_has_the_holes_of_its_original(void)
{
	struct stat st;

	avd_begin(false);
	avd_sparse("from.img", 64 * MIB);
	put("from.img", 0, "begin");
	put("from.img", 40 * MIB + 4095, "middle");
	put("from.img", 64 * MIB - 3, "end");
	prepare(VMM_AVD_MAKE_COPY, "from.img");
	tap_equal(make(false), 0);
	tap_context("%s", avd_message);
	tap_check(!stat(disk->path, &st) && st.st_size == 64 << 20 && (st.st_mode & 0777) == 0600);
	tap_check(st.st_blocks < (8 << 20) / 512);
	tap_check(has(disk->path, 0, "begin") && has(disk->path, 40 * MIB + 4095, "middle"));
	tap_check(has(disk->path, 64 * MIB - 3, "end"));
	tap_check(!avd_there("own/userdata.img.new"));
	avd_end();
}

static void it_is_made_once(void)
{
	avd_begin(false);
	avd_write("from.img", "one");
	prepare(VMM_AVD_MAKE_COPY, "from.img");
	tap_equal(make(false), 0);
	put("own/userdata.img", 0, "two");
	tap_equal(make(false), 0);
	tap_check(has(disk->path, 0, "two"));
	disk->wiped = true;
	tap_equal(make(false), 0);
	tap_check(has(disk->path, 0, "one"));
	avd_end();
}

static void one_that_goes_leaves_the_other_alone(void)
{
	avd_begin(false);
	avd_write("from.img", "one");
	prepare(VMM_AVD_MAKE_COPY, "from.img");
	tap_equal(make(true), 0);
	tap_check(!strncmp(disk->path, "/proc/self/fd/", 14) && has(disk->path, 0, "one"));
	tap_check(!avd_there("own/userdata.img"));
	/* Where there is one, it is what is copied. */
	prepare(VMM_AVD_MAKE_COPY, "from.img");
	tap_equal(make(false), 0);
	put("own/userdata.img", 0, "two");
	tap_equal(make(true), 0);
	tap_check(has(disk->path, 0, "two") && !strncmp(disk->path, "/proc/", 6));
	prepare(VMM_AVD_MAKE_NOT, "none");
	tap_equal(make(true), 0);
	tap_check(has(disk->path, 0, "two"));
	avd_end();
}

static void an_image_that_is_written_to_is_not_copied(void)
{
	struct flock lock = { .l_type = F_WRLCK, .l_whence = SEEK_SET };
	int fd;

	avd_begin(false);
	avd_write("from.img", "one");
	fd = open(avd_name("from.img"), O_RDWR);
	tap_check(fd >= 0 && !fcntl(fd, F_OFD_SETLK, &lock));
	prepare(VMM_AVD_MAKE_COPY, "from.img");
	tap_equal(make(false), -EAGAIN);
	tap_check(strstr(avd_message, "another guest writes to"));
	tap_check(!avd_there("own/userdata.img") && !avd_there("own/userdata.img.new"));
	close(fd);
	avd_end();
}

static void read_only_disks_are_left_alone(void)
{
	avd_begin(false);
	prepare(VMM_AVD_MAKE_COPY, "none");
	disk->readonly = true;
	tap_equal(make(false), 0);
	tap_equal(make(true), 0);
	disk->readonly = false;
	tap_equal(make(false), -ENOENT);
	tap_check(!avd_there("own/userdata.img.new"));
	avd_end();
}

static bool have_tool(const char *name)
{
	const char *const argv[] = { name, "-V", NULL };
	int err;

	tap_listen();
	err = vmm_avd_program(argv, 0);
	tap_heard(avd_message, sizeof(avd_message));
	return err != -ENOENT;
}

/* What debugfs says of the file system has a line like that. */
static bool inside(const char *command, const char *line)
{
	int err;

	tap_listen();
	err = vmm_avd_program((const char *const []){
		"sh", "-c", "debugfs -R \"$1\" \"$0\" 2>/dev/null | grep -q \"$2\"", disk->path,
		command, line, NULL }, 0);
	tap_heard(avd_message, sizeof(avd_message));
	return !err;
}

/* The magic of ext4 is in the superblock, at 1024 and 56. */
static void a_file_system_has_a_folder_s_files(void)
{
	if (!have_tool("mke2fs") || !have_tool("debugfs")) {
		tap_skip("no e2fsprogs here");
		return;
	}
	avd_begin(false);
	avd_folder("data/app");
	avd_write("data/app/file", "a text that is found again");
	avd_folder("home/.android");
	avd_write("home/.android/adbkey.pub", "KEY host");
	prepare(VMM_AVD_MAKE_FOLDER, "data");
	disk->label = "data";
	disk->size = 16 * MIB;
	tap_equal(make(false), 0);
	tap_context("%s", avd_message);
	tap_equal(size_of(disk->path), 16 << 20);
	tap_check(has(disk->path, 1024 + 56, "\x53\xef") && has(disk->path, 1024 + 120, "data"));
	tap_check(inside("cat app/file", "^a text that is found again$"));
	tap_check(inside("cat misc/adb/adb_keys", "^KEY host$"));
	tap_check(inside("stat misc/adb/adb_keys", "Mode:  0640"));
	tap_check(!inside("stat misc/adb/adb_keys", "Mode:  0644"));
	avd_end();
}

/* A pipe in the place of adb's key would wait, and the image may have keys of its own. */
static void adb_s_key_is_a_file_or_none(void)
{
	if (!have_tool("mke2fs") || !have_tool("debugfs")) {
		tap_skip("no e2fsprogs here");
		return;
	}
	avd_begin(false);
	avd_folder("data/misc/adb");
	avd_write("data/misc/adb/adb_keys", "OLD");
	avd_folder("home/.android");
	tap_check(!mkfifo(avd_name("home/.android/adbkey.pub"), 0600));
	prepare(VMM_AVD_MAKE_FOLDER, "data");
	disk->label = "data";
	disk->size = 16 * MIB;
	tap_equal(make(false), 0);
	tap_check(inside("cat misc/adb/adb_keys", "^OLD$"));
	avd_remove("home/.android/adbkey.pub");
	avd_write("home/.android/adbkey.pub", "NEW \"key\" me@here");
	disk->wiped = true;
	tap_equal(make(false), 0);
	tap_context("%s", avd_message);
	tap_check(inside("cat misc/adb/adb_keys", "^NEW \"key\" me@here$") && !*avd_message);
	avd_end();
}

static void an_empty_file_system_can_be_one_that_goes(void)
{
	if (!have_tool("mke2fs")) {
		tap_skip("no e2fsprogs here");
		return;
	}
	avd_begin(false);
	prepare(VMM_AVD_MAKE_EMPTY, "");
	disk->label = "cache";
	disk->size = 8 * MIB;
	tap_equal(make(true), 0);
	tap_context("%s", avd_message);
	tap_check(has(disk->path, 1024 + 56, "\x53\xef") && has(disk->path, 1024 + 120, "cache"));
	tap_check(!avd_there("own/userdata.img"));
	avd_end();
}

static void a_larger_one_has_a_larger_file_system(void)
{
	if (!have_tool("mke2fs") || !have_tool("resize2fs")) {
		tap_skip("no e2fsprogs here");
		return;
	}
	avd_begin(false);
	prepare(VMM_AVD_MAKE_EMPTY, "");
	disk->label = "data";
	disk->size = 8 * MIB;
	tap_equal(make(false), 0);
	tap_check(!rename(disk->path, avd_name("from.img")));
	avd_remove("own");
	prepare(VMM_AVD_MAKE_COPY, "from.img");
	disk->size = 32 * MIB;
	tap_equal(make(false), 0);
	tap_context("%s", avd_message);
	tap_equal(size_of(disk->path), 32 << 20);
	/* Blocks of 4 KiB, as a little-endian word at 1024 and 4. */
	tap_check(has(disk->path, 1024 + 5, " "));
	avd_end();
}

/* The user has given the AVD a larger disk. What the guest has written stays. */
static void an_old_one_is_made_larger(void)
{
	char path[PATH_MAX];

	if (!have_tool("mke2fs") || !have_tool("resize2fs") || !have_tool("debugfs")) {
		tap_skip("no e2fsprogs here");
		return;
	}
	avd_begin(false);
	avd_folder("data");
	avd_write("data/file", "a text that stays");
	prepare(VMM_AVD_MAKE_FOLDER, "data");
	disk->label = "data";
	disk->size = 8 * MIB;
	tap_equal(make(false), 0);
	disk->size = 32 * MIB;
	/* A copy that goes at the end is not worth it. */
	snprintf(path, sizeof(path), "%s", disk->path);
	tap_equal(make(true), 0);
	tap_equal(size_of(path), 8 << 20);
	snprintf(disk->path, sizeof(disk->path), "%s", path);
	tap_equal(make(false), 0);
	tap_context("%s", avd_message);
	tap_check(strstr(avd_message, "has 33554432 bytes now, before it had 8388608"));
	tap_equal(size_of(disk->path), 32 << 20);
	tap_check(has(disk->path, 1024 + 5, " "));
	tap_check(inside("cat file", "^a text that stays$"));
	tap_check(!avd_there("own/userdata.img.new"));
	/* It is not made smaller. */
	disk->size = 16 * MIB;
	tap_equal(make(false), 0);
	tap_check(!*avd_message && size_of(disk->path) == 32 << 20);
	/* Without resize2fs it stays, and a sentence says so. */
	disk->size = 64 * MIB;
	put("own/userdata.img", 1024 + 56, "xx");
	tap_equal(make(false), 0);
	tap_check(strstr(avd_message, "keeps its 33554432 bytes"));
	tap_equal(size_of(disk->path), 32 << 20);
	avd_end();
}

static void images_that_do_not_fit_are_not_begun(void)
{
	static const char bytes[64 * KIB] = { 1 };
	int fd;

	avd_begin(false);
	avd_sparse("from.img", MIB);
	fd = open(avd_name("from.img"), O_WRONLY);
	tap_check(write(fd, bytes, sizeof(bytes)) == sizeof(bytes) && !fsync(fd));
	close(fd);
	prepare(VMM_AVD_MAKE_COPY, "from.img");
	/* Enough for the bytes, and not for a fifth more. */
	free_bytes = 72 * KIB;
	tap_equal(make(false), -ENOSPC);
	tap_check(strstr(avd_message, "new images need 1 MiB in "));
	tap_check(!avd_there("own/userdata.img") && !avd_there("own/userdata.img.new"));
	tap_equal(make(true), -ENOSPC);
	/* Holes take nothing. */
	free_bytes = 128 * KIB;
	tap_equal(make(false), 0);
	/* What is there is not made again. */
	free_bytes = 0;
	tap_equal(make(false), 0);
	free_bytes = 1ULL << 40;
	avd_end();
}

static void a_damaged_one_is_not_made_larger(void)
{
	char name[PATH_MAX];
	const char *const spoil[] = { "debugfs", "-w", "-R", "clri <2>", name, NULL };

	if (!have_tool("mke2fs") || !have_tool("resize2fs") || !have_tool("debugfs")) {
		tap_skip("no e2fsprogs here");
		return;
	}
	avd_begin(false);
	snprintf(name, sizeof(name), "%s", avd_name("from.img"));
	prepare(VMM_AVD_MAKE_EMPTY, "");
	disk->label = "data";
	disk->size = 8 * MIB;
	tap_equal(make(false), 0);
	tap_check(!rename(disk->path, name));
	avd_remove("own");
	/* Without its root, only a human can mend it. */
	tap_equal(vmm_avd_program(spoil, 0), 0);
	prepare(VMM_AVD_MAKE_COPY, "from.img");
	disk->size = 32 * MIB;
	tap_equal(make(false), -EIO);
	tap_context("%s", avd_message);
	tap_check(strstr(avd_message, "e2fsck has failed"));
	tap_check(!avd_there("own/userdata.img") && !avd_there("own/userdata.img.new"));
	avd_end();
}

/* Such as one that Android has encrypted: the guest grows it. */
static void what_is_no_file_system_is_larger_all_the_same(void)
{
	avd_begin(false);
	avd_write("from.img", "no file system");
	prepare(VMM_AVD_MAKE_COPY, "from.img");
	disk->size = 2 * MIB;
	tap_equal(make(false), 0);
	tap_context("%s", avd_message);
	tap_equal(size_of(disk->path), 2 << 20);
	tap_check(has(disk->path, 0, "no file system") && !*avd_message);
	/* The next time, what it has stays, and somebody says so. */
	disk->size = 4 * MIB;
	tap_equal(make(false), 0);
	tap_equal(size_of(disk->path), 2 << 20);
	tap_check(strstr(avd_message, "its 2097152 bytes; only a new one would have 4194304"));
	avd_end();
}

static void an_image_without_its_origin_is_used(void)
{
	avd_begin(false);
	prepare(VMM_AVD_MAKE_NO_ORIGIN, "none");
	tap_equal(make(false), -ENOENT);
	tap_check(strstr(avd_message, "the source of"));
	avd_write("from.img", "one");
	prepare(VMM_AVD_MAKE_COPY, "from.img");
	tap_equal(make(false), 0);
	avd_remove("from.img");
	prepare(VMM_AVD_MAKE_NO_ORIGIN, "none");
	tap_equal(make(false), 0);
	tap_check(has(disk->path, 0, "one"));
	avd_end();
}

static void files_of_others_stay(void)
{
	avd_begin(false);
	avd_write("from.img", "one");
	prepare(VMM_AVD_MAKE_COPY, "from.img");
	tap_equal(make(false), 0);
	/* Somebody puts an SD card there. */
	avd_write("own/sdcard.img", "mine");
	prepare_disk(VMM_AVD_DISK_SDCARD, VMM_AVD_MAKE_COPY, "from.img");
	tap_equal(make(false), -EEXIST);
	tap_check(strstr(avd_message, "sdcard.img was not made by vmmctl: move it away"));
	disks[VMM_AVD_DISK_SDCARD].wiped = true;
	tap_equal(make(false), -EEXIST);
	tap_check(has(avd_name("own/sdcard.img"), 0, "mine"));
	avd_end();
}

static void an_image_that_is_gone_is_not_made_again(void)
{
	avd_begin(false);
	avd_write("from.img", "one");
	prepare(VMM_AVD_MAKE_COPY, "from.img");
	tap_equal(make(false), 0);
	avd_remove("own/userdata.img");
	tap_equal(make(false), -ENOENT);
	tap_check(strstr(avd_message, "is gone: put it back, or remove"));
	tap_check(!avd_there("own/userdata.img"));
	disk->wiped = true;
	tap_equal(make(false), 0);
	tap_check(has(disk->path, 0, "one"));
	avd_end();
}

/* Those of another run, with -data, whose data need them. */
static void keys_of_other_data_stay(void)
{
	const enum vmm_avd_role keys = VMM_AVD_DISK_ENCRYPTION;

	avd_begin(false);
	avd_write("from.img", "one");
	avd_write("given.img", "mine");
	prepare(VMM_AVD_MAKE_NOT, "none");
	snprintf(disk->path, sizeof(disk->path), "%s", avd_name("given.img"));
	prepare_disk(keys, VMM_AVD_MAKE_COPY, "from.img");
	tap_equal(make(false), 0);
	put("own/encryptionkey.img", 0, "two");
	prepare(VMM_AVD_MAKE_COPY, "from.img");
	prepare_disk(keys, VMM_AVD_MAKE_COPY, "from.img");
	tap_equal(make(false), -EEXIST);
	tap_check(strstr(avd_message, "has the keys of other user data"));
	tap_check(has(disks[keys].path, 0, "two") && !avd_there("own/userdata.img"));
	avd_end();
}

static void links_are_not_followed(void)
{
	char victim[PATH_MAX];

	avd_begin(false);
	avd_write("from.img", "one");
	avd_write("victim", "victim");
	snprintf(victim, sizeof(victim), "%s", avd_name("victim"));
	prepare(VMM_AVD_MAKE_COPY, "from.img");
	tap_equal(make(false), 0);
	/* In the place of a file that is yet to be made. */
	disk->wiped = true;
	tap_check(!symlink(victim, avd_name("own/userdata.img.new")));
	tap_check(!symlink(victim, avd_name("own/images.new")));
	tap_equal(make(false), 0);
	tap_check(has(victim, 0, "victim") && size_of(victim) == 6);
	/* In the place of an image. */
	disk->wiped = false;
	avd_remove("own/userdata.img");
	tap_check(!symlink(victim, avd_name("own/userdata.img")));
	tap_equal(make(false), -EINVAL);
	tap_check(strstr(avd_message, "is not a regular file"));
	disk->wiped = true;
	tap_equal(make(false), -EINVAL);
	tap_equal(make(true), -EINVAL);
	tap_check(has(victim, 0, "victim") && size_of(victim) == 6);
	avd_end();
}

/* What would wait for somebody at its other end, and what is no raw image. */
static void what_is_no_raw_image_is_not_copied(void)
{
	avd_begin(false);
	tap_check(!mkfifo(avd_name("from.img"), 0600));
	prepare(VMM_AVD_MAKE_COPY, "from.img");
	tap_equal(make(false), -ENOENT);
	tap_check(strstr(avd_message, "from.img is not a file"));
	avd_remove("from.img");
	avd_write("from.img", "QFI\xfb and so on");
	tap_equal(make(false), -EINVAL);
	tap_check(strstr(avd_message, "is a qcow2 image"));
	prepare(VMM_AVD_MAKE_NOT, "none");
	snprintf(disk->path, sizeof(disk->path), "%s", avd_name("from.img"));
	tap_equal(make(true), -EINVAL);
	tap_check(!avd_there("own/userdata.img"));
	avd_end();
}

/* ---- a start that is killed ---- */

static const enum vmm_avd_role set[] = {
	VMM_AVD_DISK_CACHE, VMM_AVD_DISK_USERDATA, VMM_AVD_DISK_ENCRYPTION,
};

static void prepare_set(bool wiped)
{
	unsigned int i;

	memset(disks, 0, sizeof(disks));
	for (i = 0; i < ARRAY_SIZE(set); i++) {
		prepare_disk(set[i], VMM_AVD_MAKE_COPY, "from.img");
		disks[set[i]].wiped = wiped;
	}
}

static bool set_has(const char *text)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(set); i++) {
		if (!has(disks[set[i]].path, 0, text))
			return false;
	}
	return true;
}

/* Makes the set, and dies before its nth stop at a system call. Returns whether it was made. */
static bool killed_at(const char *path, unsigned int n)
{
	unsigned int stops = 0;
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (ptrace(PTRACE_TRACEME, 0, NULL, NULL) || raise(SIGSTOP))
			_exit(2);
		_exit(make_in(path, false) ? 1 : 0);
	}
	while (waitpid(pid, &status, 0) == pid && WIFSTOPPED(status)) {
		if (++stops > n)
			kill(pid, SIGKILL);
		else if (ptrace(PTRACE_SYSCALL, pid, NULL, NULL))
			break;
	}
	tap_check(WIFEXITED(status) ? !WEXITSTATUS(status) : WTERMSIG(status) == SIGKILL);
	return WIFEXITED(status);
}

/* How many images of the set are whole. */
static unsigned int whole(const char *path)
{
	unsigned int i, n = 0;

	tap_equal(vmm_avd_folder_open(&folder, path, true), 0);
	for (i = 0; i < ARRAY_SIZE(set); i++)
		n += folder.state[set[i]] == VMM_AVD_IMAGE_WHOLE;
	vmm_avd_folder_close(&folder);
	return n;
}

/* Images that the guest has had are in place before, if @again. */
static bool survives(unsigned int n, bool again)
{
	char path[PATH_MAX];
	unsigned int i, count;
	bool made;

	avd_begin(false);
	tap_context("stop %u%s", n, again ? ", -wipe-data" : "");
	snprintf(path, sizeof(path), "%s", avd_name("own"));
	avd_write("from.img", "old");
	prepare_set(false);
	if (again)
		tap_equal(make(false), 0);
	avd_write("from.img", "one");
	prepare_set(again);
	made = killed_at(path, n);
	/* The record never calls a part of the set whole. */
	count = whole(path);
	tap_check(!count || count == ARRAY_SIZE(set));
	if (made)
		tap_check(count && set_has("one"));
	if (count)
		tap_check(set_has("one") || (again && set_has("old")));
	avd_write("from.img", "two");
	prepare_set(false);
	tap_equal(make(false), 0);
	tap_check(count ? !set_has("two") : set_has("two"));
	for (i = 0; i < ARRAY_SIZE(set); i++)
		tap_check(size_of(disks[set[i]].path) == 3);
	tap_equal(whole(path), ARRAY_SIZE(set));
	avd_end();
	return made;
}

static void a_set_is_whole_or_made_again(void)
{
	unsigned int again, n;

	for (again = 0; again < 2; again++) {
		/* Each call stops twice; its end is the begin of the next one. */
		for (n = 1; n < CALLS_MAX && !survives(n, again); n += 2)
			;
		tap_check(n > 50 && n < CALLS_MAX);
	}
}

/* An image that cannot be made takes no other with it, nor one that was there. */
static void a_set_that_fails_changes_nothing(void)
{
	avd_begin(false);
	avd_write("from.img", "old");
	prepare_set(false);
	tap_equal(make(false), 0);
	avd_write("from.img", "one");
	prepare_set(true);
	snprintf(disks[VMM_AVD_DISK_ENCRYPTION].from, PATH_MAX, "%s", avd_name("none"));
	tap_equal(make(false), -ENOENT);
	tap_check(set_has("old") && !avd_there("own/userdata.img.new") &&
		  !avd_there("own/cache.img.new"));
	prepare_set(false);
	tap_equal(make(false), 0);
	tap_check(set_has("old"));
	avd_end();
}

static int program(const char *const *argv)
{
	int err;

	tap_listen();
	err = vmm_avd_program(argv, 0);
	tap_heard(avd_message, sizeof(avd_message));
	return err;
}

static void a_program_s_last_words_are_the_message(void)
{
	const char *const good[] = { "true", NULL };
	const char *const none[] = { "no-such-program-here", NULL };
	const char *const bad[] = { "sh", "-c", "echo out; echo first >&2; echo last >&2; exit 3",
				    NULL };
	const char *const dead[] = { "sh", "-c", "kill -9 $$", NULL };
	const char *const loud[] = { "sh", "-c", "yes | head -c 100000 >&2; echo end >&2; exit 1",
				     NULL };

	tap_equal(program(good), 0);
	tap_equal(program(none), -ENOENT);
	tap_check(strstr(avd_message, "no-such-program-here is needed"));
	tap_equal(program(bad), -EIO);
	tap_check(strstr(avd_message, "sh has failed: last\n"));
	tap_equal(program(dead), -EIO);
	tap_check(strstr(avd_message, "without a message"));
	tap_equal(program(loud), -EIO);
	tap_check(strstr(avd_message, "sh has failed: end\n"));
}

static const struct tap_case cases[] = {
	{ "a copy has the holes of its original", a_copy_has_the_holes_of_its_original },
	{ "an image is made once, and again after -wipe-data", it_is_made_once },
	{ "one that goes leaves the other alone", one_that_goes_leaves_the_other_alone },
	{ "an image that is written to is not copied", an_image_that_is_written_to_is_not_copied },
	{ "nothing is made for a disk that is only read", read_only_disks_are_left_alone },
	{ "a file system has a folder's files and adb's key", a_file_system_has_a_folder_s_files },
	{ "adb's key is a file, or there is none", adb_s_key_is_a_file_or_none },
	{ "an empty file system can be one that goes", an_empty_file_system_can_be_one_that_goes },
	{ "a larger image has a larger file system", a_larger_one_has_a_larger_file_system },
	{ "user data that are there become larger", an_old_one_is_made_larger },
	{ "images that do not fit are not begun", images_that_do_not_fit_are_not_begun },
	{ "a damaged file system is not made larger", a_damaged_one_is_not_made_larger },
	{ "what is no file system is larger all the same",
	  what_is_no_file_system_is_larger_all_the_same },
	{ "an image without its origin is used", an_image_without_its_origin_is_used },
	{ "files that vmmctl did not make stay", files_of_others_stay },
	{ "an image that is gone is not made again unasked",
	  an_image_that_is_gone_is_not_made_again },
	{ "keys of other data stay", keys_of_other_data_stay },
	{ "links are not followed", links_are_not_followed },
	{ "what is no raw image is not copied", what_is_no_raw_image_is_not_copied },
	{ "a start that is killed at any system call leaves a whole set, or one that is made again",
	  a_set_is_whole_or_made_again },
	{ "a set that fails changes nothing", a_set_that_fails_changes_nothing },
	{ "what a program complained of is the message", a_program_s_last_words_are_the_message },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
