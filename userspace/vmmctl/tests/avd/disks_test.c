// SPDX-License-Identifier: GPL-2.0-only
/*
 * The disks of a guest, their addresses, and the sources of their images.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "tests/avd/avd_lib.h"

static struct vmm_avd_disk disks[VMM_AVD_DISKS];
static struct vmm_avd avd;

static int find(char **words)
{
	struct vmm_avd_options options;
	int err = avd_take(&options, words);

	vmm_avd_free(&avd);
	tap_listen();
	if (!err)
		err = vmm_avd_find(&avd, &options);
	if (!err)
		err = vmm_avd_disks(disks, &avd, &options);
	tap_heard(avd_message, sizeof(avd_message));
	return err;
}

static void end(void)
{
	vmm_avd_free(&avd);
	avd_end();
}

/* Disks at addresses below one. */
static unsigned int below(enum vmm_avd_role role)
{
	unsigned int i, n = 0;

	for (i = 0; i < VMM_AVD_DISKS; i++)
		n += disks[i].present && disks[i].slot < disks[role].slot;
	return n;
}

static bool device_is(enum vmm_avd_role role, const char *want)
{
	char text[40];

	vmm_avd_device_name(&avd, &disks[role], text, sizeof(text));
	tap_context("%s", text);
	return !strcmp(text, want);
}

/* With any set of disks, keys and user data have the names that the fstab expects. */
static void arm64_has_the_places_of_the_fstab(void)
{
	unsigned int i;

	avd_begin(false);
	for (i = 0; i < 4; i++) {
		if (i & 1)
			avd_sparse(SYSDIR "/vendor.img", MIB);
		else
			avd_remove(SYSDIR "/vendor.img");
		if (i & 2)
			avd_sparse(CONTENT "/sdcard.img", MIB);
		tap_equal(find(WORDS("one")), 0);
		tap_context("%u %s", i, avd_message);
		tap_check(device_is(VMM_AVD_DISK_ENCRYPTION, "a003c00.virtio_mmio"));
		tap_equal(below(VMM_AVD_DISK_USERDATA), 2);
		tap_equal(below(VMM_AVD_DISK_SYSTEM), 0);
		tap_equal(disks[VMM_AVD_DISK_VENDOR].present, i & 1);
		tap_equal(disks[VMM_AVD_DISK_SDCARD].present, !!(i & 2));
	}
	tap_equal(below(VMM_AVD_DISK_SDCARD), 5);
	tap_check(device_is(VMM_AVD_DISK_SYSTEM, "a003400.virtio_mmio"));
	end();
}

static void x86_64_has_one_slot_after_the_other(void)
{
	avd_begin(true);
	avd_sparse(SYSDIR "/vendor.img", MIB);
	tap_equal(find(WORDS("one")), 0);
	tap_check(device_is(VMM_AVD_DISK_SYSTEM, "pci0000:00/0000:00:03.0"));
	tap_check(device_is(VMM_AVD_DISK_USERDATA, "pci0000:00/0000:00:05.0"));
	tap_check(device_is(VMM_AVD_DISK_ENCRYPTION, "pci0000:00/0000:00:06.0"));
	tap_check(device_is(VMM_AVD_DISK_VENDOR, "pci0000:00/0000:00:07.0"));
	avd_remove(SYSDIR "/encryptionkey.img");
	tap_equal(find(WORDS("one")), 0);
	tap_check(!disks[VMM_AVD_DISK_ENCRYPTION].present);
	tap_check(device_is(VMM_AVD_DISK_VENDOR, "pci0000:00/0000:00:06.0"));
	end();
}

static bool made_from(enum vmm_avd_role role, enum vmm_avd_make make, const char *from)
{
	const struct vmm_avd_disk *disk = &disks[role];
	size_t len = strlen(disk->from);

	tap_context("%d %s", disk->make, disk->from);
	return disk->make == make && len >= strlen(from) &&
	       !strcmp(disk->from + len - strlen(from), from);
}

static void the_emulator_s_state_comes_first(void)
{
	const enum vmm_avd_role data = VMM_AVD_DISK_USERDATA;

	avd_begin(false);
	tap_equal(find(WORDS("one")), 0);
	tap_check(made_from(data, VMM_AVD_MAKE_COPY, SYSDIR "//userdata.img"));
	tap_check(!strcmp(disks[data].path, avd_name(CONTENT "/ranchu/userdata.img")));
	avd_folder(SYSDIR "/data");
	tap_equal(find(WORDS("one")), 0);
	tap_check(made_from(data, VMM_AVD_MAKE_FOLDER, "/data"));
	tap_equal(disks[data].size, 10 * GIB);
	avd_write(CONTENT "/userdata-qemu.img", "x");
	tap_equal(find(WORDS("one")), 0);
	tap_check(made_from(data, VMM_AVD_MAKE_COPY, "one.avd/userdata-qemu.img"));
	avd_write(CONTENT "/userdata-qemu.img.qcow2", "x");
	tap_equal(find(WORDS("one", "-partition-size", "3")), 0);
	tap_check(made_from(data, VMM_AVD_MAKE_CONVERT, "one.avd/userdata-qemu.img.qcow2"));
	tap_check(!disks[data].wiped && disks[data].theirs);
	tap_check(!strcmp(disks[data].backing, avd_name(CONTENT "/userdata-qemu.img")));
	tap_equal(disks[data].size, 3 * MIB);
	tap_equal(find(WORDS("one", "-wipe-data")), 0);
	tap_check(made_from(data, VMM_AVD_MAKE_FOLDER, "/data") && disks[data].wiped);
	tap_equal(find(WORDS("one", "-wipe-data", "-initdata",
			     (char *)avd_name(SYSDIR "/userdata.img"))), 0);
	tap_check(made_from(data, VMM_AVD_MAKE_COPY, "userdata.img"));
	end();
}

static void other_images_are_made_as_well(void)
{
	avd_begin(false);
	tap_equal(find(WORDS("one", "-cache-size", "7")), 0);
	tap_check(made_from(VMM_AVD_DISK_CACHE, VMM_AVD_MAKE_EMPTY, ""));
	tap_equal(disks[VMM_AVD_DISK_CACHE].size, 7 * MIB);
	tap_check(made_from(VMM_AVD_DISK_ENCRYPTION, VMM_AVD_MAKE_COPY, "encryptionkey.img"));
	tap_check(disks[VMM_AVD_DISK_SYSTEM].readonly &&
		  disks[VMM_AVD_DISK_SYSTEM].make == VMM_AVD_MAKE_NOT);
	tap_equal(find(WORDS("one", "-writable-system")), 0);
	tap_check(!disks[VMM_AVD_DISK_SYSTEM].readonly);
	tap_check(made_from(VMM_AVD_DISK_SYSTEM, VMM_AVD_MAKE_COPY, "system.img"));
	tap_check(strstr(disks[VMM_AVD_DISK_SYSTEM].path, "/ranchu/system.img"));
	/* An SD card is kept. */
	avd_write(CONTENT "/sdcard.img", "x");
	tap_equal(find(WORDS("one", "-wipe-data")), 0);
	tap_check(made_from(VMM_AVD_DISK_SDCARD, VMM_AVD_MAKE_COPY, "sdcard.img"));
	tap_check(!disks[VMM_AVD_DISK_SDCARD].wiped && disks[VMM_AVD_DISK_CACHE].wiped);
	end();
}

static void a_file_that_is_given_is_used_as_it_is(void)
{
	static const struct {
		char *option;
		enum vmm_avd_role role;
	} rows[] = {
		{ "-system", VMM_AVD_DISK_SYSTEM }, { "-vendor", VMM_AVD_DISK_VENDOR },
		{ "-data", VMM_AVD_DISK_USERDATA }, { "-cache", VMM_AVD_DISK_CACHE },
		{ "-sdcard", VMM_AVD_DISK_SDCARD },
	};
	unsigned int i;

	avd_begin(false);
	avd_write("given.img", "x");
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct vmm_avd_disk *disk = &disks[rows[i].role];

		tap_context("%s", rows[i].option);
		tap_equal(find(WORDS("one", rows[i].option, (char *)avd_name("given.img"))), 0);
		tap_check(disk->present && !strcmp(disk->path, avd_name("given.img")));
		tap_equal(disk->make, VMM_AVD_MAKE_NOT);
		tap_equal(disk->readonly, rows[i].role == VMM_AVD_DISK_SYSTEM ||
			  rows[i].role == VMM_AVD_DISK_VENDOR);
		tap_equal(find(WORDS("one", rows[i].option, (char *)avd_name("none"))), -ENOENT);
		tap_check(strstr(avd_message, rows[i].option));
	}
	avd_folder("elsewhere");
	tap_equal(find(WORDS("one", "-datadir", (char *)avd_name("elsewhere"))), 0);
	tap_check(!strcmp(disks[VMM_AVD_DISK_CACHE].path,
			  avd_name("elsewhere/ranchu-one/cache.img")));
	end();
}

static void what_is_missing_is_named(void)
{
	avd_begin(false);
	tap_equal(find(WORDS("one", "-partition-size", "big")), -EINVAL);
	tap_check(strstr(avd_message, "\"big\" is no size"));
	tap_equal(find(WORDS("one", "-initdata", (char *)avd_name("none"))), -ENOENT);
	tap_equal(find(WORDS("one", "-encryption-key", (char *)avd_name("none"))), -ENOENT);
	avd_remove(SYSDIR "/userdata.img");
	tap_equal(find(WORDS("one")), -ENOENT);
	tap_check(strstr(avd_message, "neither data/ nor userdata.img"));
	avd_remove(SYSDIR "/system.img");
	tap_equal(find(WORDS("one")), -ENOENT);
	tap_check(strstr(avd_message, "has no system.img"));
	end();
}

static void a_file_that_is_given_is_a_raw_one(void)
{
	static char *const options[] = { "-data", "-cache", "-sdcard", "-system", "-vendor" };
	char given[PATH_MAX];
	unsigned int i;

	avd_begin(false);
	snprintf(given, sizeof(given), "%s", avd_name("given.img"));
	for (i = 0; i < ARRAY_SIZE(options); i++) {
		bool writes = i < 3;

		tap_context("%s", options[i]);
		avd_write("given.img", "QFI\xfb");
		tap_equal(find(WORDS("one", options[i], given)), -EINVAL);
		tap_check(strstr(avd_message, "is a qcow2 image, and a raw one is needed"));
		/* The emulator writes to the overlay of a file that it is given. */
		avd_write("given.img", "raw");
		avd_write("given.img.qcow2", "x");
		tap_equal(find(WORDS("one", options[i], given)), writes ? -EINVAL : 0);
		tap_check(!writes || strstr(avd_message, "has an overlay of that file"));
		avd_remove("given.img.qcow2");
		tap_equal(find(WORDS("one", options[i], given)), 0);
	}
	avd_write(SYSDIR "/system.img", "QFI\xfb");
	tap_equal(find(WORDS("one")), -EINVAL);
	end();
}

static void what_would_wait_is_refused(void)
{
	static char *const options[] = {
		"-data", "-cache", "-sdcard", "-system", "-vendor", "-initdata", "-encryption-key",
	};
	unsigned int i;

	avd_begin(false);
	tap_check(!mkfifo(avd_name("pipe"), 0600));
	for (i = 0; i < ARRAY_SIZE(options); i++) {
		tap_equal(find(WORDS("one", options[i], (char *)avd_name("pipe"))), -EINVAL);
		tap_context("%s: %s", options[i], avd_message);
		tap_check(strstr(avd_message, "is neither a file nor a block device"));
	}
	end();
}

static void a_file_of_the_user_s_is_not_wiped(void)
{
	avd_begin(false);
	avd_write("given.img", "x");
	tap_equal(find(WORDS("one", "-wipe-data", "-data", (char *)avd_name("given.img"))),
		  -EINVAL);
	tap_check(strstr(avd_message, "-wipe-data and -data cannot both be given"));
	tap_equal(find(WORDS("one", "-cache", (char *)avd_name("given.img"), "-wipe-data")),
		  -EINVAL);
	tap_check(strstr(avd_message, "-wipe-data and -cache cannot both be given"));
	end();
}

/* Without its keys, a guest would format its user data. */
static void own_images_need_no_origin(void)
{
	static const enum vmm_avd_role roles[] = {
		VMM_AVD_DISK_USERDATA, VMM_AVD_DISK_ENCRYPTION, VMM_AVD_DISK_SDCARD,
	};
	unsigned int i;

	avd_begin(false);
	avd_remove(SYSDIR "/userdata.img");
	avd_remove(SYSDIR "/encryptionkey.img");
	avd_folder(CONTENT "/ranchu");
	avd_write(CONTENT "/ranchu/userdata.img", "x");
	tap_equal(find(WORDS("one")), 0);
	tap_check(!disks[VMM_AVD_DISK_ENCRYPTION].present && !disks[VMM_AVD_DISK_SDCARD].present);
	avd_write(CONTENT "/ranchu/encryptionkey.img", "x");
	avd_write(CONTENT "/ranchu/sdcard.img", "x");
	tap_equal(find(WORDS("one")), 0);
	tap_context("%s", avd_message);
	for (i = 0; i < ARRAY_SIZE(roles); i++) {
		tap_check(disks[roles[i]].present);
		tap_equal(disks[roles[i]].make, VMM_AVD_MAKE_NO_ORIGIN);
	}
	tap_equal(find(WORDS("one", "-wipe-data")), -ENOENT);
	tap_check(strstr(avd_message, "neither data/ nor userdata.img"));
	avd_sparse(SYSDIR "/userdata.img", MIB);
	tap_equal(find(WORDS("one", "-wipe-data")), -ENOENT);
	tap_check(strstr(avd_message, "has no encryptionkey.img to begin with"));
	end();
}

static const struct tap_case cases[] = {
	{ "arm64: disks are where the image's fstab has them", arm64_has_the_places_of_the_fstab },
	{ "x86_64: one PCI slot after the other", x86_64_has_one_slot_after_the_other },
	{ "user data goes on from the emulator's", the_emulator_s_state_comes_first },
	{ "cache, keys, system and SD card", other_images_are_made_as_well },
	{ "a file that is given is used as it is", a_file_that_is_given_is_used_as_it_is },
	{ "a file that is given is a raw image, without an overlay",
	  a_file_that_is_given_is_a_raw_one },
	{ "a pipe in the place of a file is refused", what_would_wait_is_refused },
	{ "a file of the user's is not wiped", a_file_of_the_user_s_is_not_wiped },
	{ "own images need no origin", own_images_need_no_origin },
	{ "what is missing or wrong is named", what_is_missing_is_named },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
