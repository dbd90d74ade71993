// SPDX-License-Identifier: GPL-2.0-only
/*
 * Creates the images that a guest writes to: in vmmctl's folder, or as unnamed files, which
 * are freed with the process. The tools of e2fsprogs create file systems, and qemu-img reads
 * qcow2 images, before there is a guest, and outside the sandbox.
 *
 * Images in the folder are created as a set, because user data cannot be used without their
 * encryption key. The whole set is on the disk before the first image gets its name, and no
 * guest starts before the record in the folder has all of it as complete.
 */
#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/fs.h>

#include "avd/avd.h"
#include "host/image.h"
#include "host/log.h"

#define COPY_AT_ONCE	(1 * MIB)
#define TOOL_PATHS	":/usr/sbin:/sbin:/usr/local/sbin"	/* e2fsprogs */
#define NEW		".new"	/* suffix of an image that is being created */
#define EXT4_MAGIC	1080	/* offset of the two bytes in an ext4 file system */
#define FIXED		1	/* e2fsck's exit code: errors were found and repaired */

/* Runs the tool in the child process, with stderr to a pipe. */
static void tool_run(const char *const *argv, int err_fd)
{
	const char *path = getenv("PATH");
	char *longer;
	int null = open("/dev/null", O_RDWR | O_CLOEXEC);

	/* It writes to a file of the parent: end with the parent. */
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 ||
	    dup2(err_fd, STDERR_FILENO) < 0)
		_exit(126);
	if (asprintf(&longer, "%s" TOOL_PATHS, path ? path : "/usr/bin:/bin") < 0 ||
	    setenv("PATH", longer, 1) || setenv("LC_ALL", "C", 1))
		_exit(126);
	execvp(argv[0], (char *const *)argv);
	_exit(127);
}

/* Reads a tool's stderr to its end, and keeps the last line. */
static void complaint_read(int fd, char *text, size_t size)
{
	size_t len = 0;
	char *line;
	ssize_t n;

	for (;;) {
		/* If the buffer is full, keeps the end of the output. */
		if (len == size - 1) {
			memmove(text, text + size / 2, len - size / 2);
			len -= size / 2;
		}
		n = read(fd, text + len, size - 1 - len);
		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			break;
		len += n;
	}
	while (len && (text[len - 1] == '\n' || text[len - 1] == ' '))
		len--;
	text[len] = '\0';
	line = strrchr(text, '\n');
	if (line)
		memmove(text, line + 1, strlen(line));
}

/**
 * vmm_avd_program - run a program and wait for it
 * @argv: the program and its words
 * @good: the largest exit code that counts as success
 *
 * Return: 0, or -errno after a message
 */
int vmm_avd_program(const char *const *argv, int good)
{
	char text[400] = "";
	int pipes[2];
	int status;
	pid_t pid;

	if (pipe2(pipes, O_CLOEXEC))
		return vmm_error(errno, "avd: %s", argv[0]);
	pid = fork();
	if (!pid)
		tool_run(argv, pipes[1]);
	close(pipes[1]);
	if (pid > 0)
		complaint_read(pipes[0], text, sizeof(text));
	close(pipes[0]);
	if (pid < 0)
		return vmm_error(errno, "avd: %s", argv[0]);
	while (waitpid(pid, &status, 0) < 0) {
		if (errno != EINTR)
			return vmm_error(errno, "avd: %s", argv[0]);
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		return vmm_error(-ENOENT, "avd: the program %s is needed, and is not installed",
				 argv[0]);
	if (!WIFEXITED(status) || WEXITSTATUS(status) > good)
		return vmm_error(-EIO, "avd: %s has failed: %s", argv[0],
				 *text ? text : "without a message");
	return 0;
}

static int copy_piece(int to, int from, off_t at, off_t end, char *buffer)
{
	while (at < end) {
		size_t want = end - at < (off_t)COPY_AT_ONCE ? (size_t)(end - at) : COPY_AT_ONCE;
		ssize_t n = pread(from, buffer, want, at);

		if (n < 0 && errno == EINTR)
			continue;
		if (n > 0)
			n = pwrite(to, buffer, n, at);
		if (n <= 0)
			return n ? -errno : -EIO;
		at += n;
	}
	return 0;
}

/* Copies a file, and keeps holes. */
static int copy_data(int to, int from, off_t size)
{
	char *buffer = malloc(COPY_AT_ONCE);
	int err = buffer ? 0 : -ENOMEM;
	off_t end = 0;

	while (!err && end < size) {
		off_t at = lseek(from, end, SEEK_DATA);

		if (at < 0 && errno == ENXIO)
			break;
		/* A file system without holes has data everywhere. */
		if (at < 0)
			at = end;
		end = lseek(from, at, SEEK_HOLE);
		if (end < 0)
			end = size;
		err = copy_piece(to, from, at, end < size ? end : size, buffer);
	}
	free(buffer);
	return err;
}

/* Locks the image during the copy, so that no guest writes to it. */
static int image_copy(int to, const char *path, bool ours)
{
	int from = -1;
	struct stat st;
	off_t size;
	int err;

	/* Opening a pipe would wait for a writer; a qcow2 image is not a disk's content. */
	if (!vmm_avd_is_file(path))
		return vmm_error(-ENOENT, "avd: %s is not a file", path);
	err = ours ? 0 : vmm_avd_raw(path);
	if (!err)
		from = vmm_image_open(path, true, false);
	if (from < 0)
		return err ? err : from;
	size = fstat(from, &st) ? -1 : st.st_size;
	if (size >= 0 && S_ISBLK(st.st_mode))
		size = lseek(from, 0, SEEK_END);
	if (size < 0 || ftruncate(to, size))
		err = -errno;
	if (!err && ioctl(to, FICLONE, from))
		err = copy_data(to, from, size);
	close(from);
	return err ? vmm_error(err, "avd: cannot copy %s", path) : 0;
}

/* Copies adb's public key to an unnamed file. Returns the file, or -ENOENT without a key. */
static int adb_key_open(size_t *len)
{
	const char *home = getenv("HOME");
	char path[PATH_MAX];
	char *text = NULL;
	int fd;

	if (!home || vmm_avd_path(path, home, ".android/adbkey.pub") || !vmm_avd_is_file(path) ||
	    vmm_avd_read(path, &text, len))
		return -ENOENT;
	fd = memfd_create("adb_keys", MFD_CLOEXEC);
	if (fd >= 0 && write(fd, text, *len) != (ssize_t)*len) {
		close(fd);
		fd = -1;
	}
	free(text);
	return fd < 0 ? vmm_error(-EIO, "avd: cannot copy %s", path) : fd;
}

/* debugfs does not report failures, so the key is read back. */
static int adb_key_check(const char *image, size_t len)
{
	int fd = memfd_create("check", MFD_CLOEXEC);
	char command[96];
	const char *const argv[] = { "debugfs", "-R", command, image, NULL };
	struct stat st = { 0 };
	int err;

	if (fd < 0)
		return vmm_error(errno, "avd: adb_keys");
	snprintf(command, sizeof(command), "dump /misc/adb/adb_keys /proc/%d/fd/%d", (int)getpid(),
		 fd);
	err = vmm_avd_program(argv, 0);
	if (!err && (fstat(fd, &st) || (size_t)st.st_size != len))
		vmm_note("avd: adb's key is not in user data: the guest will ask its user");
	close(fd);
	return err;
}

/* Writes adb's key to a new file system, so that the guest accepts adb at once. */
static int adb_key_put(const char *image)
{
	const char *const argv[] = { "debugfs", "-w", "-f", NULL, image, NULL };
	const char *words[ARRAY_SIZE(argv)];
	char name[64];
	size_t len;
	int key = adb_key_open(&len);
	int fd, err = -EIO;

	if (key < 0)
		return key == -ENOENT ? 0 : key;
	fd = memfd_create("debugfs", MFD_CLOEXEC);
	snprintf(name, sizeof(name), "/proc/%d/fd/%d", (int)getpid(), fd);
	memcpy(words, argv, sizeof(words));
	words[3] = name;
	if (fd >= 0 &&
	    dprintf(fd, "mkdir misc\nmkdir misc/adb\ncd misc/adb\nrm adb_keys\n"
		    "write /proc/%d/fd/%d adb_keys\nsif adb_keys mode 0100640\n"
		    "sif adb_keys uid 1000\nsif adb_keys gid 2000\n", (int)getpid(), key) > 0)
		err = vmm_avd_program(words, 0);
	else
		vmm_error(err, "avd: adb_keys");
	if (fd >= 0)
		close(fd);
	close(key);
	return err ? err : adb_key_check(image, len);
}

static int make_files(const struct vmm_avd_disk *disk, int fd, const char *name)
{
	const char *const words[] = {
		"mke2fs", "-q", "-F", "-t", "ext4", "-b", "4096", "-O", "^metadata_csum", "-E",
		"root_owner=0:0", "-L", disk->label, "-d", disk->from, name, NULL
	};
	const char *argv[ARRAY_SIZE(words)];
	unsigned int folder = ARRAY_SIZE(argv) - 4;
	int err;

	memcpy(argv, words, sizeof(argv));

	if (ftruncate(fd, disk->size))
		return vmm_error(errno, "avd: %s", disk->path);
	if (disk->make == VMM_AVD_MAKE_EMPTY) {
		argv[folder] = name;
		argv[folder + 1] = NULL;
	}
	err = vmm_avd_program(argv, 0);
	if (!err && disk->make == VMM_AVD_MAKE_FOLDER)
		err = adb_key_put(name);
	return err;
}

static bool is_ext4(int fd)
{
	unsigned char magic[2];

	return pread(fd, magic, sizeof(magic), EXT4_MAGIC) == sizeof(magic) && magic[0] == 0x53 &&
	       magic[1] == 0xef;
}

/* Enlarges an image; if it is not a plain ext4 file system, the guest has to grow it. */
static int grow(const struct vmm_avd_disk *disk, int fd, const char *name)
{
	const char *const check[] = { "e2fsck", "-f", "-p", name, NULL };
	const char *const resize[] = { "resize2fs", name, NULL };
	struct stat st;
	int err;

	if (fstat(fd, &st))
		return vmm_error(errno, "avd: %s", disk->path);
	if (disk->size <= (u64)st.st_size)
		return 0;
	if (ftruncate(fd, disk->size))
		return vmm_error(errno, "avd: %s cannot have %llu bytes", disk->path, disk->size);
	if (!is_ext4(fd))
		return 0;
	/* Checks the file system first, because resize2fs requires that. */
	err = vmm_avd_program(check, FIXED);
	return err ? err : vmm_avd_program(resize, 0);
}

static int make_contents(const struct vmm_avd_disk *disk, int fd)
{
	char name[64];
	int err;

	/* The tool is another process, so it gets the file by /proc. */
	snprintf(name, sizeof(name), "/proc/%d/fd/%d", (int)getpid(), fd);
	switch (disk->make) {
	case VMM_AVD_MAKE_FOLDER:
	case VMM_AVD_MAKE_EMPTY:
		return make_files(disk, fd, name);
	case VMM_AVD_MAKE_CONVERT:
		err = vmm_avd_convert(disk, name);
		break;
	default:
		err = image_copy(fd, disk->from, false);
		break;
	}
	return err ? err : grow(disk, fd, name);
}

static int new_path(char path[PATH_MAX], const struct vmm_avd_disk *disk)
{
	if ((size_t)snprintf(path, PATH_MAX, "%s" NEW, disk->path) < PATH_MAX)
		return 0;
	return vmm_error(-ENAMETOOLONG, "avd: the path %.80s... is too long", disk->path);
}

/* Creates an image under a temporary name, and syncs it to the disk. */
static int make_new(const struct vmm_avd_disk *disk)
{
	char path[PATH_MAX];
	int err = new_path(path, disk);
	int fd;

	if (err)
		return err;
	/* No other process creates it, because the folder is locked. O_EXCL refuses links. */
	unlink(path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return vmm_error(errno, "avd: cannot make %s", path);
	err = make_contents(disk, fd);
	if (!err && fsync(fd))
		err = vmm_error(errno, "avd: cannot write %s", path);
	if (err)
		unlink(path);
	close(fd);
	return err;
}

static void set_state(struct vmm_avd_folder *folder, const bool make[VMM_AVD_DISKS],
		      enum vmm_avd_state state)
{
	unsigned int i;

	for (i = 0; i < VMM_AVD_DISKS; i++) {
		if (make[i])
			folder->state[i] = state;
	}
}

/* Renames the complete set. If the process dies meanwhile, the record has it as "begun". */
static int set_publish(const struct vmm_avd_disk disk[VMM_AVD_DISKS],
		       const bool make[VMM_AVD_DISKS], struct vmm_avd_folder *folder)
{
	char path[PATH_MAX];
	unsigned int i;
	int err;

	set_state(folder, make, VMM_AVD_IMAGE_BEGUN);
	err = vmm_avd_folder_record(folder);
	for (i = 0; i < VMM_AVD_DISKS && !err; i++) {
		if (!make[i])
			continue;
		err = new_path(path, &disk[i]);
		if (!err && rename(path, disk[i].path))
			err = vmm_error(errno, "avd: cannot make %s", disk[i].path);
	}
	if (!err)
		err = vmm_avd_folder_sync(folder);
	if (err)
		return err;
	set_state(folder, make, VMM_AVD_IMAGE_WHOLE);
	return vmm_avd_folder_record(folder);
}

static void set_discard(const struct vmm_avd_disk disk[VMM_AVD_DISKS],
			const bool make[VMM_AVD_DISKS])
{
	char path[PATH_MAX];
	unsigned int i;

	for (i = 0; i < VMM_AVD_DISKS; i++) {
		if (make[i] && !new_path(path, &disk[i]))
			unlink(path);
	}
}

static int make_set(const struct vmm_avd_disk disk[VMM_AVD_DISKS],
		    const bool make[VMM_AVD_DISKS], struct vmm_avd_folder *folder)
{
	unsigned int i, count = 0;
	int err = 0;

	for (i = 0; i < VMM_AVD_DISKS && !err; i++) {
		if (!make[i])
			continue;
		err = make_new(&disk[i]);
		count++;
	}
	if (!err && count)
		err = set_publish(disk, make, folder);
	if (err)
		set_discard(disk, make);
	return err;
}

/* Creates an unnamed image, which is freed with this process. */
static int make_once(struct vmm_avd_disk *disk, bool there, const char *folder)
{
	int fd = open(folder, O_TMPFILE | O_RDWR | O_CLOEXEC, 0600);
	int err;

	if (fd < 0)
		return vmm_error(errno, "avd: cannot create an unnamed file in %s", folder);
	if (there)
		err = image_copy(fd, disk->path, disk->make != VMM_AVD_MAKE_NOT);
	else
		err = make_contents(disk, fd);
	if (err)
		close(fd);
	else
		snprintf(disk->path, sizeof(disk->path), "/proc/self/fd/%d", fd);
	return err;
}

/* Returns whether a disk's image is in vmmctl's folder. */
static bool is_own(const struct vmm_avd_disk *disk)
{
	return disk->present && !disk->readonly && disk->make != VMM_AVD_MAKE_NOT;
}

/* Notes that an existing image keeps its size. */
static void size_note(const struct vmm_avd_disk *disk, off_t size)
{
	if (disk->size > (u64)size)
		vmm_note("avd: %s keeps its %llu bytes; only a new one would have %llu",
			 disk->path, (u64)size, disk->size);
}

/* Decides by the record whether to create an image; the folder must match the record. */
static int decide(const struct vmm_avd_disk *disk, enum vmm_avd_state state,
		  const struct vmm_avd_folder *folder, bool *make)
{
	struct stat st;
	bool there = !lstat(disk->path, &st);

	if (!there && errno != ENOENT)
		return vmm_error(errno, "avd: cannot examine %s", disk->path);
	if (there && !S_ISREG(st.st_mode))
		return vmm_error(-EINVAL, "avd: %s is not a regular file", disk->path);
	if (there && state == VMM_AVD_IMAGE_NONE)
		return vmm_error(-EEXIST, "avd: %s was not made by vmmctl: move it away",
				 disk->path);
	if (!there && state == VMM_AVD_IMAGE_WHOLE && !disk->wiped)
		return vmm_error(-ENOENT,
				 "avd: %s is gone: put it back, or remove %s to begin anew",
				 disk->path, folder->path);
	*make = disk->wiped || state != VMM_AVD_IMAGE_WHOLE;
	if (*make && disk->make == VMM_AVD_MAKE_NO_ORIGIN)
		return vmm_error(-ENOENT, "avd: the source of %s is missing", disk->path);
	return 0;
}

static int decide_all(const struct vmm_avd_disk disk[VMM_AVD_DISKS],
		      const struct vmm_avd_folder *folder, bool make[VMM_AVD_DISKS])
{
	unsigned int i;
	int err = 0;

	for (i = 0; i < VMM_AVD_DISKS && !err; i++) {
		if (is_own(&disk[i]))
			err = decide(&disk[i], folder->state[i], folder, &make[i]);
	}
	/* Existing keys do not fit new user data, and replacing them would lose the old data. */
	if (!err && make[VMM_AVD_DISK_USERDATA] && is_own(&disk[VMM_AVD_DISK_ENCRYPTION]) &&
	    !make[VMM_AVD_DISK_ENCRYPTION])
		return vmm_error(-EEXIST,
				 "avd: %s has the keys of other user data: use -data, or start again with -wipe-data",
				 disk[VMM_AVD_DISK_ENCRYPTION].path);
	return err;
}

/* ---- larger user data ---- */

/* Copies an image and enlarges the copy, which replaces the image when it is on the disk. */
static int enlarge(const struct vmm_avd_disk *disk, const struct vmm_avd_folder *folder)
{
	char path[PATH_MAX], name[64];
	int err = new_path(path, disk);
	int fd;

	if (err)
		return err;
	unlink(path);
	fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd < 0)
		return vmm_error(errno, "avd: cannot make %s", path);
	snprintf(name, sizeof(name), "/proc/%d/fd/%d", (int)getpid(), fd);
	err = image_copy(fd, disk->path, true);
	if (!err)
		err = grow(disk, fd, name);
	if (!err && (fsync(fd) || rename(path, disk->path)))
		err = vmm_error(errno, "avd: cannot make %s", disk->path);
	if (!err)
		err = vmm_avd_folder_sync(folder);
	else
		unlink(path);
	close(fd);
	return err;
}

/*
 * Enlarges an existing ext4 file system. If that is not possible, the guest has the image as
 * it is: a larger one was asked for, but this one works.
 */
static void enlarge_old(const struct vmm_avd_disk *disk, const struct vmm_avd_folder *folder,
			bool once)
{
	int fd = open(disk->path, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
	struct stat st;
	bool can;

	if (fd < 0)
		return;
	can = !fstat(fd, &st) && S_ISREG(st.st_mode) && is_ext4(fd);
	close(fd);
	if (!disk->size || disk->size <= (u64)st.st_size)
		return;
	if (once || !can || enlarge(disk, folder))
		size_note(disk, st.st_size);
	else
		vmm_note("avd: %s has %llu bytes now, before it had %llu", disk->path,
			 disk->size, (u64)st.st_size);
}

/* ---- free space ---- */

static u64 folder_bytes;	/* nftw() has no argument for it */

static int file_add(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)path;
	(void)ftw;
	if (type == FTW_F)
		folder_bytes += st->st_size;
	return 0;
}

/* Returns the bytes that a file takes on the disk; a block device takes all of its own. */
static u64 bytes_of(const char *path)
{
	struct stat st;

	return *path && !stat(path, &st) ? st.st_blocks * 512ULL : 0;
}

/* Returns the bytes that a new image takes at least. */
static u64 bytes_needed(const struct vmm_avd_disk *disk, bool there)
{
	if (there)
		return bytes_of(disk->path);
	if (disk->make != VMM_AVD_MAKE_FOLDER)
		return bytes_of(disk->from) + bytes_of(disk->backing);
	folder_bytes = 0;
	nftw(disk->from, file_add, 16, FTW_PHYS);
	return folder_bytes;
}

/* Refuses to begin with images for which there is no space, with a fifth for what is written. */
static int space_check(const struct vmm_avd_disk disk[VMM_AVD_DISKS],
		       const struct vmm_avd_folder *folder, const bool make[VMM_AVD_DISKS],
		       bool once)
{
	struct statvfs fs;
	u64 need = 0;
	unsigned int i;

	for (i = 0; i < VMM_AVD_DISKS; i++) {
		if (make[i] || (once && disk[i].present && !disk[i].readonly))
			need += bytes_needed(&disk[i], !make[i]);
	}
	need += need / 5;
	if (!need || fstatvfs(folder->fd, &fs) || need <= (u64)fs.f_bavail * fs.f_frsize)
		return 0;
	return vmm_error(-ENOSPC, "avd: new images need %llu MiB in %s, and %llu MiB are free",
			 need / MIB + 1, folder->path, (u64)fs.f_bavail * fs.f_frsize / MIB);
}

/**
 * vmm_avd_images_make - create the missing images of an AVD
 * @disk: the disks; their paths may change
 * @folder: vmmctl's folder, open, and locked exclusively unless @once
 * @once: the guest writes to unnamed files, which are freed with this process
 *
 * Return: 0, or -errno after a message
 */
int vmm_avd_images_make(struct vmm_avd_disk disk[VMM_AVD_DISKS], struct vmm_avd_folder *folder,
			bool once)
{
	bool make[VMM_AVD_DISKS] = { false };
	unsigned int i;
	int err = decide_all(disk, folder, make);

	if (!err)
		err = space_check(disk, folder, make, once);
	if (!err && is_own(&disk[VMM_AVD_DISK_USERDATA]) && !make[VMM_AVD_DISK_USERDATA])
		enlarge_old(&disk[VMM_AVD_DISK_USERDATA], folder, once);
	if (err || !once)
		return err ? err : make_set(disk, make, folder);
	for (i = 0; i < VMM_AVD_DISKS && !err; i++) {
		if (disk[i].present && !disk[i].readonly)
			err = make_once(&disk[i], !make[i], folder->path);
	}
	return err;
}
