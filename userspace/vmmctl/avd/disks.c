// SPDX-License-Identifier: GPL-2.0-only
/*
 * The disks of a guest, their places, and the source of each image. An image's fstab has the device
 * names of disks, so vmmctl cannot choose the places.
 *
 * On arm64 the fstab of 2024 has the keys at a003c00.virtio_mmio and user data at vdc: the
 * third address with a disk. On x86_64 the disks are in PCI slots from 3 on, in the order of
 * enum vmm_avd_role.
 *
 * Sources: device_generic_goldfish fstab.ranchu (a57b5557e066); platform_external_qemu
 * android-qemu2-glue/main.cpp (003b76cfd60d); where the two differ, the fstab is followed.
 */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "avd/avd.h"
#include "host/log.h"

#define PCI_FIRST	3	/* slot of the first disk */
#define CACHE_SIZE	(66 * MIB)
#define DATA_SIZE	(10 * GIB)	/* bytes of user data that is created from files */

/**
 * struct place - place of a disk, and names of its image
 * @name: the role
 * @mmio: number of its MMIO transport
 * @own: name of vmmctl's image
 * @theirs: name of the emulator's image, which its guest writes to
 */
struct place {
	const char *name;
	unsigned int mmio;
	const char *own;
	const char *theirs;
};

static const struct place places[VMM_AVD_DISKS] = {
	[VMM_AVD_DISK_SYSTEM] = { "system", 26, "system.img", NULL },
	[VMM_AVD_DISK_CACHE] = { "cache", 27, "cache.img", "cache.img" },
	[VMM_AVD_DISK_USERDATA] = { "userdata", 28, "userdata.img", "userdata-qemu.img" },
	[VMM_AVD_DISK_VENDOR] = { "vendor", 29, "vendor.img", NULL },
	[VMM_AVD_DISK_ENCRYPTION] = {
		"encryptionkey", 30, "encryptionkey.img", "encryptionkey.img"
	},
	[VMM_AVD_DISK_SDCARD] = { "sdcard", 31, "sdcard.img", "sdcard.img" },
};

/**
 * struct disks - state of finding disks
 * @disk: filled
 * @avd: the AVD
 * @options: the emulator's options
 * @folder: path of vmmctl's folder
 * @wipe: new images replace existing ones
 */
struct disks {
	struct vmm_avd_disk *disk;
	const struct vmm_avd *avd;
	const struct vmm_avd_options *options;
	char folder[PATH_MAX];
	bool wipe;
};

/**
 * vmm_avd_role_name - name a disk
 * @role: the role
 *
 * Return: its name
 */
const char *vmm_avd_role_name(enum vmm_avd_role role)
{
	return places[role].name;
}

static bool there(const char *folder, const char *file, char path[PATH_MAX])
{
	return *folder && !vmm_avd_path(path, folder, file) && !access(path, F_OK);
}

/* Finds a file or folder of the system image, not in the AVD's own directory. */
static bool of_image(const struct disks *d, const char *file, char path[PATH_MAX])
{
	return there(d->avd->sysdir[0], file, path) || there(d->avd->sysdir[1], file, path);
}

/* Resolves a file that an option names, which must exist. */
static int named(char path[PATH_MAX], const char *value, const char *option)
{
	if (vmm_avd_path(path, "", value) || access(path, F_OK))
		return vmm_error(-ENOENT, "avd: -%s: there is no %.200s", option, value);
	if (!vmm_avd_is_file(path))
		return vmm_error(-EINVAL, "avd: -%s: %.200s is neither a file nor a block device",
				 option, value);
	return 0;
}

/*
 * A file that an option names is used directly, so it must be a raw image. If the emulator has
 * an overlay of it, writing to it would destroy the overlay.
 */
static int as_given(struct vmm_avd_disk *disk, const char *value, const char *option)
{
	char overlay[PATH_MAX];
	int err = named(disk->path, value, option);

	disk->present = true;
	if (!err)
		err = vmm_avd_raw(disk->path);
	if (err || disk->readonly)
		return err;
	if ((size_t)snprintf(overlay, sizeof(overlay), "%s.qcow2", disk->path) <
	    sizeof(overlay) && !access(overlay, F_OK))
		return vmm_error(-EINVAL,
				 "avd: -%s: the emulator has an overlay of that file, %s, which a write would destroy",
				 option, overlay);
	return 0;
}

/* Uses an image of vmmctl's, which is created from another source at the first start. */
static int own(struct disks *d, enum vmm_avd_role role)
{
	struct vmm_avd_disk *disk = &d->disk[role];

	disk->present = true;
	return vmm_avd_path(disk->path, d->folder, places[role].own);
}

static void make_copy(struct vmm_avd_disk *disk, const char *from)
{
	disk->make = VMM_AVD_MAKE_COPY;
	vmm_avd_path(disk->from, "", from);
	*disk->backing = '\0';
}

/* Uses an existing image of vmmctl's whose source is missing; fails if @wiped. */
static bool without_origin(struct vmm_avd_disk *disk, bool wiped)
{
	struct stat st;

	disk->make = VMM_AVD_MAKE_NO_ORIGIN;
	return !wiped && !lstat(disk->path, &st);
}

/* Continues with the image of the emulator's guest, except with -wipe-data. */
static bool from_emulator(struct disks *d, enum vmm_avd_role role)
{
	struct vmm_avd_disk *disk = &d->disk[role];
	char file[64];
	char path[PATH_MAX];

	if (d->wipe)
		return false;
	snprintf(file, sizeof(file), "%s.qcow2", places[role].theirs);
	if (there(d->avd->content, file, path)) {
		make_copy(disk, path);
		disk->make = VMM_AVD_MAKE_CONVERT;
		vmm_avd_path(disk->backing, d->avd->content, places[role].theirs);
	} else if (there(d->avd->content, places[role].theirs, path)) {
		make_copy(disk, path);
	} else {
		return false;
	}
	disk->theirs = true;
	return true;
}

/* Reads a size from an option (MB) or config.ini (bytes); keeps @size if there is neither. */
static int size_of(const struct disks *d, enum vmm_avd_id id, const char *key, u64 *size)
{
	const char *value = vmm_avd_value(d->options, id);
	u64 unit = MIB;

	if (!value) {
		value = vmm_ini_get(&d->avd->config, key);
		unit = 1;
	}
	if (value && *value && vmm_avd_size(value, unit, size))
		return vmm_error(-EINVAL, "avd: \"%.40s\" is no size of an image", value);
	return 0;
}

static int find_read_only(struct disks *d, enum vmm_avd_role role, enum vmm_avd_id id,
			  const char *option)
{
	const char *given = vmm_avd_value(d->options, id);
	struct vmm_avd_disk *disk = &d->disk[role];
	char path[PATH_MAX];

	disk->readonly = true;
	if (given) {
		int err = as_given(disk, given, option);

		if (err)
			return err;
		memcpy(path, disk->path, sizeof(path));
	} else if (!vmm_avd_file(d->avd, places[role].own, path)) {
		return 0;
	}
	disk->present = true;
	if (!vmm_avd_has(d->options, VMM_AVD_WRITABLE_SYSTEM)) {
		memcpy(disk->path, path, sizeof(path));
		return vmm_avd_raw(path);
	}
	disk->readonly = false;
	make_copy(disk, path);
	return own(d, role);
}

static int find_system(struct disks *d)
{
	int err = find_read_only(d, VMM_AVD_DISK_SYSTEM, VMM_AVD_SYSTEM, "system");

	if (!err && !d->disk[VMM_AVD_DISK_SYSTEM].present)
		return vmm_error(-ENOENT,
				 "avd: %s has no system.img: is its system image installed, and ANDROID_SDK_ROOT set?",
				 d->avd->name);
	return err;
}

static int find_cache(struct disks *d)
{
	const char *given = vmm_avd_value(d->options, VMM_AVD_CACHE);
	struct vmm_avd_disk *disk = &d->disk[VMM_AVD_DISK_CACHE];
	int err;

	if (given)
		return as_given(disk, given, "cache");
	err = own(d, VMM_AVD_DISK_CACHE);
	if (err || from_emulator(d, VMM_AVD_DISK_CACHE))
		return err;
	disk->make = VMM_AVD_MAKE_EMPTY;
	disk->label = "cache";
	disk->size = CACHE_SIZE;
	disk->wiped = d->wipe;
	return size_of(d, VMM_AVD_CACHE_SIZE, "disk.cachePartition.size", &disk->size);
}

/* New user data are created from the image's files, or from its own image. */
static int new_userdata(struct disks *d, struct vmm_avd_disk *disk)
{
	const char *given = vmm_avd_value(d->options, VMM_AVD_INITDATA);
	char path[PATH_MAX];
	struct stat st;

	if (given) {
		int err = named(path, given, "initdata");

		if (err)
			return err;
	}
	if (!given && of_image(d, "data", path) && !stat(path, &st) && S_ISDIR(st.st_mode)) {
		make_copy(disk, path);
		disk->make = VMM_AVD_MAKE_FOLDER;
		disk->label = "data";
		if (!disk->size)
			disk->size = DATA_SIZE;
		return 0;
	}
	if (given || vmm_avd_file(d->avd, "userdata.img", path))
		make_copy(disk, path);
	else if (!without_origin(disk, d->wipe))
		return vmm_error(-ENOENT,
				 "avd: %s has neither data/ nor userdata.img to begin with",
				 d->avd->name);
	return 0;
}

static int find_userdata(struct disks *d)
{
	const char *given = vmm_avd_value(d->options, VMM_AVD_DATA);
	struct vmm_avd_disk *disk = &d->disk[VMM_AVD_DISK_USERDATA];
	int err;

	if (given)
		return as_given(disk, given, "data");
	err = own(d, VMM_AVD_DISK_USERDATA);
	if (!err)
		err = size_of(d, VMM_AVD_PARTITION_SIZE, "disk.dataPartition.size", &disk->size);
	if (err || from_emulator(d, VMM_AVD_DISK_USERDATA))
		return err;
	disk->wiped = d->wipe;
	return new_userdata(d, disk);
}

/* System images without an encryption key have no disk for it. */
static int find_encryption(struct disks *d)
{
	const char *given = vmm_avd_value(d->options, VMM_AVD_ENCRYPTION_KEY);
	struct vmm_avd_disk *disk = &d->disk[VMM_AVD_DISK_ENCRYPTION];
	char path[PATH_MAX];
	bool theirs = !given && from_emulator(d, VMM_AVD_DISK_ENCRYPTION);
	int err = own(d, VMM_AVD_DISK_ENCRYPTION);

	if (!err && given)
		err = named(path, given, "encryption-key");
	if (err)
		return err;
	disk->wiped = d->wipe;
	if (given || (!theirs && of_image(d, "encryptionkey.img", path)))
		make_copy(disk, path);
	else if (!theirs)
		disk->present = without_origin(disk, false);
	if (disk->make == VMM_AVD_MAKE_NO_ORIGIN && disk->present && d->wipe)
		return vmm_error(-ENOENT, "avd: %s has no encryptionkey.img to begin with",
				 d->avd->name);
	return 0;
}

static int find_vendor(struct disks *d)
{
	return find_read_only(d, VMM_AVD_DISK_VENDOR, VMM_AVD_VENDOR, "vendor");
}

/* -wipe-data keeps the SD card. */
static int find_sdcard(struct disks *d)
{
	const char *given = vmm_avd_value(d->options, VMM_AVD_SDCARD);
	const char *path = vmm_ini_get(&d->avd->config, "sdcard.path");
	struct vmm_avd_disk *disk = &d->disk[VMM_AVD_DISK_SDCARD];
	bool wipe = d->wipe;
	bool theirs;
	int err;

	if (given)
		return as_given(disk, given, "sdcard");
	if (!vmm_ini_yes(&d->avd->config, "hw.sdCard", true))
		return 0;
	d->wipe = false;
	theirs = from_emulator(d, VMM_AVD_DISK_SDCARD);
	d->wipe = wipe;
	err = own(d, VMM_AVD_DISK_SDCARD);
	if (!theirs && path && *path == '/' && vmm_avd_is_file(path))
		make_copy(disk, path);
	else if (!theirs)
		disk->present = without_origin(disk, false);
	return err;
}

/* Refuses -wipe-data with a file of the user, which would not be wiped. */
static int wipe_check(const struct vmm_avd_options *options)
{
	static const struct {
		enum vmm_avd_id id;
		const char *name;
	} files[] = { { VMM_AVD_DATA, "data" }, { VMM_AVD_CACHE, "cache" } };
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(files); i++) {
		const char *file = vmm_avd_value(options, files[i].id);

		if (file)
			return vmm_error(-EINVAL,
					 "avd: -wipe-data and -%s cannot both be given: %.200s is not vmmctl's to wipe",
					 files[i].name, file);
	}
	return 0;
}

static void place_disks(struct vmm_avd_disk *disks, bool x86)
{
	unsigned int slot = PCI_FIRST;
	unsigned int i;

	for (i = 0; i < VMM_AVD_DISKS; i++) {
		if (x86 && disks[i].present)
			disks[i].slot = slot++;
		else if (!x86)
			disks[i].slot = places[i].mmio;
	}
}

/**
 * vmm_avd_disks - find a guest's disks
 * @disks: filled
 * @avd: the AVD
 * @options: the emulator's options
 *
 * Creates nothing. Images that are used directly must not be qcow2.
 *
 * Return: 0, or -errno after a message
 */
int vmm_avd_disks(struct vmm_avd_disk disks[VMM_AVD_DISKS], const struct vmm_avd *avd,
		  const struct vmm_avd_options *options)
{
	static int (*const find[VMM_AVD_DISKS])(struct disks *d) = {
		[VMM_AVD_DISK_SYSTEM] = find_system,
		[VMM_AVD_DISK_CACHE] = find_cache,
		[VMM_AVD_DISK_USERDATA] = find_userdata,
		[VMM_AVD_DISK_ENCRYPTION] = find_encryption,
		[VMM_AVD_DISK_VENDOR] = find_vendor,
		[VMM_AVD_DISK_SDCARD] = find_sdcard,
	};
	struct disks d = {
		.disk = disks, .avd = avd, .options = options,
		.wipe = vmm_avd_has(options, VMM_AVD_WIPE_DATA),
	};
	unsigned int i;
	int err = vmm_avd_folder_path(options, avd, d.folder);

	if (!err && d.wipe)
		err = wipe_check(options);
	memset(disks, 0, VMM_AVD_DISKS * sizeof(*disks));
	for (i = 0; i < VMM_AVD_DISKS && !err; i++) {
		err = find[i](&d);
		if (err == -ENAMETOOLONG)
			err = vmm_error(err, "avd: the path of %s", places[i].own);
	}
	place_disks(disks, avd->x86);
	return err;
}

/**
 * vmm_avd_device_name - write the guest's device path of a disk
 * @avd: the AVD
 * @disk: its disk
 * @text: filled
 * @size: bytes of @text
 */
void vmm_avd_device_name(const struct vmm_avd *avd, const struct vmm_avd_disk *disk,
			 char *text, size_t size)
{
	if (avd->x86)
		snprintf(text, size, "pci0000:00/0000:00:%02x.0", disk->slot);
	else
		snprintf(text, size, "%x.virtio_mmio", 0xa000000 + disk->slot * 0x200);
}
