/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The emulator's own options: one table with all of them and how vmmctl handles each. Help,
 * manual page, completion and Documentation/avd.md are generated from it or checked against
 * it.
 *
 * Source: platform_external_qemu android/cmdline-options.h (012f4efa8b6b): names, and which
 * have a value.
 */
#ifndef AVD_OPTIONS_H
#define AVD_OPTIONS_H

#include "types.h"

/* How vmmctl handles an option. */
enum vmm_avd_verdict {
	VMM_AVD_HONOURED,	/* it has the same effect as in the emulator */
	VMM_AVD_NO_EFFECT,	/* it is accepted, and a note has the reason why it has no effect */
	VMM_AVD_REFUSED,	/* it is an error, and a message has the reason */
};

/* Options that the code looks up; the others have a row only. */
enum vmm_avd_id {
	VMM_AVD_OTHER,
	VMM_AVD_AVD,
	VMM_AVD_LIST_AVDS,
	VMM_AVD_SYSDIR,
	VMM_AVD_SYSTEM,
	VMM_AVD_VENDOR,
	VMM_AVD_KERNEL,
	VMM_AVD_RAMDISK,
	VMM_AVD_DATA,
	VMM_AVD_DATADIR,
	VMM_AVD_INITDATA,
	VMM_AVD_CACHE,
	VMM_AVD_CACHE_SIZE,
	VMM_AVD_SDCARD,
	VMM_AVD_ENCRYPTION_KEY,
	VMM_AVD_MEMORY,
	VMM_AVD_CORES,
	VMM_AVD_PARTITION_SIZE,
	VMM_AVD_ACCEL,
	VMM_AVD_PORT,
	VMM_AVD_PORTS,
	VMM_AVD_NO_AUDIO,
	VMM_AVD_NO_BOOT_ANIM,
	VMM_AVD_GPU,
	VMM_AVD_WIPE_DATA,
	VMM_AVD_READ_ONLY,
	VMM_AVD_WRITABLE_SYSTEM,
	VMM_AVD_SNAPSHOT,
	VMM_AVD_SNAPSHOT_LIST,
	VMM_AVD_NO_SNAPSTORAGE,
	VMM_AVD_SHOW_KERNEL,
	VMM_AVD_SHELL,
	VMM_AVD_LOGCAT,
	VMM_AVD_LOGCAT_OUTPUT,
	VMM_AVD_VERBOSE,
	VMM_AVD_QUIT_AFTER_BOOT,
	VMM_AVD_REPORT_CONSOLE,
	VMM_AVD_PROP,
	VMM_AVD_USERSPACE,
	VMM_AVD_SELINUX,
	VMM_AVD_BOOTCHART,
	VMM_AVD_TIMEZONE,
	VMM_AVD_CHECKJNI,
	VMM_AVD_CHANGE_LANGUAGE,
	VMM_AVD_CHANGE_COUNTRY,
	VMM_AVD_CHANGE_LOCALE,
	VMM_AVD_LOWRAM,
	VMM_AVD_NET_TAP,
	VMM_AVD_DNS_SERVER,
	VMM_AVD_SKIP_ADB_AUTH,
	VMM_AVD_FEATURE,
	VMM_AVD_ID,
	VMM_AVD_UNIX_PIPE,
	VMM_AVD_QEMU,
};

/**
 * struct vmm_avd_option - an option of the emulator
 * @name: name, after one dash
 * @arg: name of its value in help; NULL for none
 * @help: what it does, or why it has no effect or is refused; a clause without a full stop
 * @verdict: how it is handled
 * @id: its ID for the code
 */
struct vmm_avd_option {
	const char *name;
	const char *arg;
	const char *help;
	enum vmm_avd_verdict verdict;
	enum vmm_avd_id id;
};

#define VMM_AVD_GIVEN	64	/* options on a command line, at most */

/**
 * struct vmm_avd_given - an option that was given
 * @option: its row
 * @value: its value, or NULL
 */
struct vmm_avd_given {
	const struct vmm_avd_option *option;
	const char *value;
};

/**
 * struct vmm_avd_options - a command line
 * @name: name of the AVD, or NULL
 * @given: options, in their order
 * @count: how many
 * @append: text after -qemu -append, or NULL
 * @rest: words after "--", which are options of `vmmctl run`
 * @rest_count: how many
 */
struct vmm_avd_options {
	const char *name;
	struct vmm_avd_given given[VMM_AVD_GIVEN];
	unsigned int count;
	const char *append;
	char **rest;
	unsigned int rest_count;
};

/* ---- table.c ---- */

extern const struct vmm_avd_option vmm_avd_table[];

const char *vmm_avd_verdict_name(enum vmm_avd_verdict verdict);

/* ---- options.c ---- */

int vmm_avd_options_read(struct vmm_avd_options *options, int argc, char **argv);
const char *vmm_avd_value(const struct vmm_avd_options *options, enum vmm_avd_id id);
bool vmm_avd_has(const struct vmm_avd_options *options, enum vmm_avd_id id);
bool vmm_avd_name_valid(const char *name);

#endif /* AVD_OPTIONS_H */
