/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * avd/ owns the emulator's front: it finds an AVD (Android virtual device) on the disk, takes
 * the emulator's own options, and makes of the two a command line of `vmmctl run`, which
 * goes on in the same process. It makes the images that the guest writes to. It knows
 * nothing of a VM.
 *
 * An AVD belongs to the emulator. vmmctl reads its files and writes to none of them but
 * the lock: what a guest of vmmctl's writes to is in a folder of its own.
 *
 * Sources: platform_external_qemu android/emulation/ConfigDirs.cpp (01208d01893e),
 * android/avd/info.c (008923eb), android-qemu2-glue/main.cpp (003b76cfd60d).
 */
#ifndef AVD_H
#define AVD_H

#include <limits.h>
#include <stdio.h>
#include <sys/types.h>

#include "avd/ini.h"
#include "avd/options.h"

#define VMM_AVD_NAME_MAX	128	/* bytes of an AVD's name, its end included */
#define VMM_AVD_FOLDER		"ranchu"	/* in the AVD's directory: what is vmmctl's own */
#define VMM_AVD_SNAPSHOTS	"snapshots"	/* in that folder */
#define VMM_AVD_SCREENSHOTS	"screenshots"	/* likewise */
#define VMM_AVD_LOCK		"hardware-qemu.ini.lock"

/* ---- find.c: where AVDs are ---- */

/**
 * struct vmm_avd - an AVD, as it is on the disk
 * @name: its name
 * @content: its directory
 * @sdk: the SDK, "" if there is none
 * @sysdir: directories of its system image; "" for none
 * @config: config.ini
 * @hardware: hardware-qemu.ini, which the emulator wrote when it ran last; maybe empty
 * @features: advancedFeatures.ini of the system image, maybe empty
 * @source: source.properties of the system image, maybe empty
 * @x86: its guest is an x86_64 one; else arm64
 * @api: API level, 0 if nothing says it
 */
struct vmm_avd {
	char name[VMM_AVD_NAME_MAX];
	char content[PATH_MAX];
	char sdk[PATH_MAX];
	char sysdir[2][PATH_MAX];
	struct vmm_ini config;
	struct vmm_ini hardware;
	struct vmm_ini features;
	struct vmm_ini source;
	bool x86;
	unsigned int api;
};

int vmm_avd_path(char path[PATH_MAX], const char *folder, const char *file);
bool vmm_avd_is_file(const char *path);
int vmm_avd_root(char path[PATH_MAX]);
int vmm_avd_list(FILE *to);
int vmm_avd_list_snapshots(FILE *to, const char *folder);
int vmm_avd_find(struct vmm_avd *avd, const struct vmm_avd_options *options);
void vmm_avd_free(struct vmm_avd *avd);
bool vmm_avd_file(const struct vmm_avd *avd, const char *file, char path[PATH_MAX]);
bool vmm_avd_feature(const struct vmm_avd *avd, const struct vmm_avd_options *options,
		     const char *name);

/* ---- disks.c: which disks a guest has, and where ---- */

/* What a disk is for, in the order of the emulator's command line on x86_64. */
enum vmm_avd_role {
	VMM_AVD_DISK_SYSTEM,
	VMM_AVD_DISK_CACHE,
	VMM_AVD_DISK_USERDATA,
	VMM_AVD_DISK_ENCRYPTION,
	VMM_AVD_DISK_VENDOR,
	VMM_AVD_DISK_SDCARD,
	VMM_AVD_DISKS
};

/* How an image of vmmctl's own is made when there is none. */
enum vmm_avd_make {
	VMM_AVD_MAKE_NOT,	/* the file is used as it is */
	VMM_AVD_MAKE_COPY,	/* of a raw image */
	VMM_AVD_MAKE_CONVERT,	/* of an overlay of the emulator's, by qemu-img */
	VMM_AVD_MAKE_FOLDER,	/* an ext4 file system with a folder's files, by mke2fs */
	VMM_AVD_MAKE_EMPTY,	/* an ext4 file system, by mke2fs */
	VMM_AVD_MAKE_NO_ORIGIN,	/* not at all: only an image that is there will do */
};

/**
 * struct vmm_avd_disk - a disk of the guest's
 * @present: there is one
 * @readonly: the guest cannot write to it
 * @slot: MMIO transport or PCI slot
 * @path: the image
 * @make: how it is made if it is not there
 * @from: what it is made from
 * @backing: if @from is an overlay, what it may be an overlay of
 * @label: of a new file system
 * @size: bytes of a new image, at least; 0 for those of @from
 * @wiped: a new one replaces it
 * @theirs: @from is a file that the emulator's guest writes to
 */
struct vmm_avd_disk {
	bool present;
	bool readonly;
	unsigned int slot;
	char path[PATH_MAX];
	enum vmm_avd_make make;
	char from[PATH_MAX];
	char backing[PATH_MAX];
	const char *label;
	u64 size;
	bool wiped;
	bool theirs;
};

const char *vmm_avd_role_name(enum vmm_avd_role role);
int vmm_avd_disks(struct vmm_avd_disk disks[VMM_AVD_DISKS], const struct vmm_avd *avd,
		  const struct vmm_avd_options *options);
void vmm_avd_device_name(const struct vmm_avd *avd, const struct vmm_avd_disk *disk,
			 char *text, size_t size);

/* ---- folder.c: the folder that is vmmctl's own ---- */

/* What the folder's record says of an image. */
enum vmm_avd_state {
	VMM_AVD_IMAGE_NONE,	/* nothing: if there is one, it is somebody else's */
	VMM_AVD_IMAGE_BEGUN,	/* it is of a set that was never whole: no guest has had it */
	VMM_AVD_IMAGE_WHOLE,	/* it is the guest's */
};

/**
 * struct vmm_avd_folder - the folder; all zero if it is not open
 * @path: where it is
 * @opened: it was opened, or at least tried
 * @fd: the directory
 * @lock: its file "lock", locked
 * @state: what the record says
 */
struct vmm_avd_folder {
	const char *path;
	bool opened;
	int fd;
	int lock;
	enum vmm_avd_state state[VMM_AVD_DISKS];
};

int vmm_avd_folder_path(const struct vmm_avd_options *options, const struct vmm_avd *avd,
			char path[PATH_MAX]);
int vmm_avd_folder_open(struct vmm_avd_folder *folder, const char *path, bool alone);
int vmm_avd_folder_record(struct vmm_avd_folder *folder);
int vmm_avd_folder_sync(const struct vmm_avd_folder *folder);
void vmm_avd_folder_close(struct vmm_avd_folder *folder);

/* ---- images.c: images that the guest writes to ---- */

int vmm_avd_images_make(struct vmm_avd_disk disk[VMM_AVD_DISKS], struct vmm_avd_folder *folder,
			bool once);
int vmm_avd_program(const char *const *argv, int good);

/* ---- qcow2.c: images that are not raw ---- */

bool vmm_avd_is_qcow2(int fd);
int vmm_avd_raw(const char *path);
int vmm_avd_convert(const struct vmm_avd_disk *disk, const char *to);

/* ---- boot.c: what the kernel and init are told ---- */

#define VMM_AVD_COMMAND_LINE	2048	/* bytes, the end included: what a kernel copies */
#define VMM_AVD_BOOTCONFIG	32767	/* bytes, padding included: what a kernel reads */

/**
 * struct vmm_avd_boot - what the kernel and init are told
 * @line: the kernel's command line
 * @line_len: bytes of it
 * @config: the boot configuration, lines of key="value"; empty if the image knows none
 * @config_len: bytes of it
 * @by_config: properties go there, and not to the command line
 */
struct vmm_avd_boot {
	char line[VMM_AVD_COMMAND_LINE];
	size_t line_len;
	char config[VMM_AVD_BOOTCONFIG];
	size_t config_len;
	bool by_config;
};

int vmm_avd_boot(struct vmm_avd_boot *boot, const struct vmm_avd *avd,
		 const struct vmm_avd_disk disks[VMM_AVD_DISKS],
		 const struct vmm_avd_options *options);
int vmm_avd_initrd(int fd, const char *ramdisk, const char *config, size_t len);

/* ---- words.c: the command line of `vmmctl run` ---- */

#define VMM_AVD_WORDS	96

/**
 * struct vmm_avd_words - words of a command line
 * @word: the words; NULL behind the last one
 * @count: how many
 * @lost: one did not fit, or there was no memory
 */
struct vmm_avd_words {
	char *word[VMM_AVD_WORDS + 1];
	unsigned int count;
	bool lost;
};

/**
 * struct vmm_avd_plan - a run of an AVD
 * @options: the emulator's options
 * @avd: the AVD
 * @disk: its disks
 * @boot: what the kernel is told
 * @kernel: the kernel
 * @ramdisk: the RAM disk of the image
 * @initrd: the same with the boot configuration, which is yet to be written
 * @folder: where vmmctl's own is
 * @own: that folder, open and locked while a run is prepared, and by who writes until it ends
 * @services: there is a ranchu-services
 * @run: the command line of `vmmctl run`, from "vmmctl" on
 * @serve: that of ranchu-services
 */
struct vmm_avd_plan {
	struct vmm_avd_options options;
	struct vmm_avd avd;
	struct vmm_avd_disk disk[VMM_AVD_DISKS];
	struct vmm_avd_boot boot;
	char kernel[PATH_MAX];
	char ramdisk[PATH_MAX];
	char initrd[PATH_MAX];
	char folder[PATH_MAX];
	struct vmm_avd_folder own;
	bool services;
	struct vmm_avd_words run;
	struct vmm_avd_words serve;
};

int vmm_avd_plan(struct vmm_avd_plan *plan);
int vmm_avd_words(struct vmm_avd_plan *plan);
void vmm_avd_word(struct vmm_avd_words *words, const char *fmt, ...)
	__attribute__((format(printf, 2, 3)));
void vmm_avd_plan_free(struct vmm_avd_plan *plan);

/* ---- lock.c: the emulator's lock ---- */

int vmm_avd_lock(const char *content);
pid_t vmm_avd_owner(const char *content);

/* ---- avd.c: the command ---- */

#define VMM_AVD_GOES_ON	(-1)	/* no exit code: what is in @words is to be run */

struct vmm_avd_plan *vmm_avd_command(int argc, char **argv, int *code);
void vmm_avd_close(struct vmm_avd_plan *plan);

#endif /* AVD_H */
