/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * avd/ replaces the emulator's command line: it finds an AVD (Android virtual device) on the disk,
 * parses the emulator's own options, and turns both into a command line of `vmmctl run`, which
 * runs in the same process. It creates the images that the guest writes to. It does not know
 * VMs.
 *
 * An AVD belongs to the emulator. vmmctl reads its files, and writes only its lock: images
 * that a guest of vmmctl writes to are in a folder of vmmctl's.
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
#define VMM_AVD_FOLDER		"ranchu"	/* vmmctl's folder in the AVD's directory */
#define VMM_AVD_SNAPSHOTS	"snapshots"	/* in that folder */
#define VMM_AVD_SCREENSHOTS	"screenshots"	/* likewise */
#define VMM_AVD_LOCK		"hardware-qemu.ini.lock"
#define VMM_AVD_KEEPER		"vmmctl-avd"	/* name of processes that wait for a VM's end */

/* ---- find.c: finding AVDs ---- */

/**
 * struct vmm_avd - an AVD on the disk
 * @name: its name
 * @content: its directory
 * @sdk: the SDK, "" if there is none
 * @sysdir: directories of its system image; "" for none
 * @config: config.ini
 * @hardware: hardware-qemu.ini, written by the emulator's last run; may be empty
 * @features: advancedFeatures.ini of the system image, may be empty
 * @source: source.properties of the system image, may be empty
 * @x86: its guest is an x86_64 one; else arm64
 * @api: API level, 0 if unknown
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

/* ---- disks.c: disks of a guest and their places ---- */

/* Roles of disks, in the order of the emulator's command line on x86_64. */
enum vmm_avd_role {
	VMM_AVD_DISK_SYSTEM,
	VMM_AVD_DISK_CACHE,
	VMM_AVD_DISK_USERDATA,
	VMM_AVD_DISK_ENCRYPTION,
	VMM_AVD_DISK_VENDOR,
	VMM_AVD_DISK_SDCARD,
	VMM_AVD_DISKS
};

/* How a missing image of vmmctl's is created. */
enum vmm_avd_make {
	VMM_AVD_MAKE_NOT,	/* the file is used as it is */
	VMM_AVD_MAKE_COPY,	/* a copy of a raw image */
	VMM_AVD_MAKE_CONVERT,	/* from an overlay of the emulator, by qemu-img */
	VMM_AVD_MAKE_FOLDER,	/* an ext4 file system with a folder's files, by mke2fs */
	VMM_AVD_MAKE_EMPTY,	/* an ext4 file system, by mke2fs */
	VMM_AVD_MAKE_NO_ORIGIN,	/* not at all: only an existing image can be used */
};

/**
 * struct vmm_avd_disk - a disk of the guest
 * @present: the guest has this disk
 * @readonly: the guest cannot write to it
 * @slot: MMIO transport or PCI slot
 * @path: the image
 * @make: how it is created if it does not exist
 * @from: what it is created from
 * @backing: if @from is an overlay, its expected backing file
 * @label: label of a new file system
 * @size: bytes of a new image, at least; 0: as @from
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

/* ---- folder.c: vmmctl's folder ---- */

/* State of an image in the folder's record. */
enum vmm_avd_state {
	VMM_AVD_IMAGE_NONE,	/* not recorded: an existing one is not vmmctl's */
	VMM_AVD_IMAGE_BEGUN,	/* part of an incomplete set, not used by a guest */
	VMM_AVD_IMAGE_WHOLE,	/* complete; in use by the guest */
};

/**
 * struct vmm_avd_folder - vmmctl's folder; all zero if it is not open
 * @path: its path
 * @opened: it was opened, or opening it failed
 * @fd: the directory
 * @lock: its file "lock", locked
 * @state: states of images in the record
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

/* ---- images.c: creating images that the guest writes to ---- */

int vmm_avd_images_make(struct vmm_avd_disk disk[VMM_AVD_DISKS], struct vmm_avd_folder *folder,
			bool once);
int vmm_avd_program(const char *const *argv, int good);

/* ---- qcow2.c: images that are not raw ---- */

bool vmm_avd_is_qcow2(int fd);
int vmm_avd_raw(const char *path);
int vmm_avd_convert(const struct vmm_avd_disk *disk, const char *to);

/* ---- boot.c: the kernel's command line and properties for init ---- */

#define VMM_AVD_COMMAND_LINE	2048	/* bytes that a kernel copies, its NUL included */
#define VMM_AVD_BOOTCONFIG	32767	/* bytes that a kernel reads, padding included */

/**
 * struct vmm_avd_boot - the kernel's command line and properties for init
 * @line: the kernel's command line
 * @line_len: bytes of @line
 * @config: the boot configuration, lines of key="value"; empty if the image does not support it
 * @config_len: bytes of @config
 * @by_config: properties are in @config, not on the command line
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
 * @word: the words; NULL after the last one
 * @count: how many
 * @lost: a word did not fit, or there was no memory
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
 * @boot: command line and properties
 * @kernel: the kernel
 * @ramdisk: the RAM disk of the image
 * @initrd: path for the RAM disk with the boot configuration
 * @folder: path of vmmctl's folder
 * @own: that folder, open and locked while a run is prepared; a run that writes keeps the lock
 * @services: ranchu-services is installed
 * @run: the command line of `vmmctl run`, from "vmmctl" on
 * @serve: the command line of ranchu-services
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

/* ---- watch.c: telling other programs of a running VM ---- */

/**
 * struct vmm_avd_report - a parsed -report-console
 * @server: listen, and do not connect
 * @port: TCP port of 127.0.0.1, or 0
 * @path: path of a Unix socket if @port is 0
 * @tries: tries to connect, one a second, or seconds that a server waits; 0: not given
 */
struct vmm_avd_report {
	bool server;
	unsigned int port;
	char path[108];
	unsigned int tries;
};

int vmm_avd_report(struct vmm_avd_report *report, const char *text);
int vmm_avd_watch(const struct vmm_avd_plan *plan);

/* ---- avd.c: the command ---- */

#define VMM_AVD_RUN	(-1)	/* no exit code: what is in @words is to be run */

struct vmm_avd_plan *vmm_avd_command(int argc, char **argv, int *code);
void vmm_avd_close(struct vmm_avd_plan *plan);

#endif /* AVD_H */
