// SPDX-License-Identifier: GPL-2.0-only
/*
 * Disks in snapshots: a resumed guest has the disk's content of the time of the save, whatever was
 * written since, and writes of clones are separate. If the file system of /tmp has reflinks, copies
 * share blocks; otherwise overlays are used. Incomplete and hostile files are refused.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/image.h"
#include "host/overlay.h"
#include "tests/snapshot/snapshot_lib.h"
#include "tests/tap.h"

#define SIZE	(2 * MIB + 700)	/* of an image: its last sector is incomplete */
#define AT	(MIB + 8192)	/* where guests write */
#define SECTOR	512

static bool no_holes;		/* the file system cannot make any */
static char image[96];		/* of the disk */
static char folder[64];		/* its directory, and that of the other disk */

/**
 * struct guest - the disks of a VM
 * @cfg: its command line
 * @images: its images
 */
struct guest {
	struct vmm_config cfg;
	struct vmm_images images;
};

int fallocate(int fd, int mode, off_t offset, off_t len)
{
	errno = EOPNOTSUPP;
	return no_holes ? -1 : syscall(SYS_fallocate, fd, mode, offset, len);
}

static void guest_init(struct guest *guest)
{
	*guest = (struct guest){ .cfg = {
		.memory = RAM, .cpus = 1, .directory = "/", .disks = 2, .from = dir,
		.disk = {
			{ .path = image, .block_size = 512 },
			{ .path = "/dev/null", .readonly = true },
		},
	} };
}

static void image_make(void)
{
	int fd = open(image, O_RDWR | O_CREAT | O_TRUNC, 0600);

	tap_equal(ftruncate(fd, SIZE), 0);
	tap_equal(pwrite(fd, "begin", 5, 0), 5);
	tap_equal(pwrite(fd, "first", 5, AT), 5);
	tap_equal(pwrite(fd, "end", 3, SIZE - 3), 3);
	close(fd);
}

static bool guest_boots(struct guest *guest)
{
	guest_init(guest);
	return tap_equal(vmm_images_lock(&guest->images, &guest->cfg), 0);
}

/* Writes to the disk as a device does. */
static void guest_writes(struct guest *guest, const char *text, u64 at)
{
	const struct vmm_image_copy *copy = guest->images.copy[0];
	char sector[SECTOR] = { 0 };

	snprintf(sector, sizeof(sector), "%s", text);
	tap_equal(pwrite(guest->images.fd[0], sector, SECTOR, at), SECTOR);
	if (copy && copy->overlay)
		vmm_overlay_mark(copy->overlay, at / SECTOR, 1);
	/* Later writes must have another time stamp, with any clock resolution. */
	usleep(10000);
}

static void sector_read(const struct guest *guest, u8 *sector, u64 at)
{
	const struct vmm_image_copy *copy = guest->images.copy[0];

	if (copy && copy->overlay)
		tap_equal(vmm_overlay_read(copy->overlay, sector, SECTOR, at), 0);
	else
		tap_equal(pread(guest->images.fd[0], sector, SECTOR, at), SECTOR);
}

static bool guest_is_zero(const struct guest *guest, u64 at)
{
	static const u8 zero[SECTOR];
	u8 sector[SECTOR] = { 1 };

	sector_read(guest, sector, at);
	return !memcmp(sector, zero, SECTOR);
}

static bool guest_reads(const struct guest *guest, const char *text, u64 at)
{
	u8 sector[SECTOR] = { 0 };

	sector_read(guest, sector, at - at % SECTOR);
	if (!memcmp(sector, text, strlen(text)))
		return true;
	tap_context("'%.10s' and not '%s'", sector, text);
	return false;
}

static void guest_ends(struct guest *guest)
{
	vmm_images_unlock(&guest->images);
	vmm_snapshot_close(guest->cfg.snapshot);
	guest->cfg.snapshot = NULL;
}

/* Without KVM there are no states of the VM; the steps before them are tested. */
static struct vmm_saving *saving_of(struct guest *guest, struct vmm_snapshot_files *files,
				    const char *name)
{
	struct vmm_saving *saving;

	files->state = memfd_create("state", 0);
	files->ram = memfd_create("ram", 0);
	/* An old file may be the disk of this guest, so files of a snapshot are always new. */
	if (name)
		unlink(path_of(name));
	files->disk[0] = name ? open(path_of(name), O_RDWR | O_CREAT | O_EXCL, 0600) : 0;
	vm.cfg = &guest->cfg;
	vm.vcpus = 0;
	saving = vmm_saving_create(&vm, &guest->images, files);
	hear();
	vmm_saving_state(saving);
	heard();
	return saving;
}

static void saving_end(struct vmm_saving *saving, struct vmm_snapshot_files *files)
{
	vmm_saving_free(saving);
	close(files->state);
	close(files->ram);
	if (files->disk[0])
		close(files->disk[0]);
}

/* Adds what the saving program adds to the manifest. */
static void image_finish(json_t *about, int fd)
{
	json_t *disk = json_object_get(about, "disk");
	u64 mtime;
	u32 sum;

	tap_equal(vmm_ram_sum(fd, SIZE, &sum), 0);
	tap_check(disk && !json_object_set_new(disk, "crc32", json_integer(sum)));
	if (!vmm_manifest_number(about, "mtime", INT64_MAX, &mtime)) {
		struct timespec times[2] = {
			{ .tv_nsec = UTIME_OMIT },
			{ mtime / 1000000000, mtime % 1000000000 },
		};

		tap_equal(futimens(fd, times), 0);
	}
}

/* Makes a snapshot in @dir with the guest's disks. */
static void guest_is_saved(struct guest *guest)
{
	struct vmm_snapshot_files files = { 0 };
	struct vmm_saving *saving = saving_of(guest, &files, "disk-0");
	struct vmm_ram_job job = { .mem = &vm.mem, .id = { 7 } };
	json_t *said_body, *images, *body;
	int state;

	tap_equal(vmm_saving_ram(saving), 0);
	said_body = vmm_saving_body(saving);
	images = json_object_get(said_body, "images");
	tap_equal(json_array_size(images), 2);
	image_finish(json_array_get(images, 0), files.disk[0]);
	/* The other disk is read-only. */
	tap_check(!json_object_get(json_array_get(images, 1), "disk"));
	saving_end(saving, &files);
	state = open(path_of(VMM_SNAPSHOT_STATE), O_RDWR | O_CREAT | O_TRUNC, 0600);
	job.fd = open(path_of(VMM_SNAPSHOT_RAM), O_RDWR | O_CREAT | O_TRUNC, 0600);
	body = snapshot_write(&job, state);
	json_object_set(body, "images", images);
	manifest_write(body);
	json_decref(body);
	json_decref(said_body);
	close(job.fd);
	close(state);
}

/* Resumes as main.c does; notes are in @said. */
static int guest_goes_on(struct guest *guest, bool clone)
{
	struct vmm_image_past past[VMM_DISKS];
	int err;

	guest_init(guest);
	guest->cfg.clone = clone;
	hear();
	guest->cfg.snapshot = vmm_snapshot_open(dir);
	err = guest->cfg.snapshot ? 0 : -EINVAL;
	if (!err) {
		vmm_snapshot_disks(guest->cfg.snapshot, past);
		err = vmm_images_copy(&guest->images, &guest->cfg, past, VMM_DISKS);
	}
	if (!err)
		err = vmm_images_lock(&guest->images, &guest->cfg);
	heard();
	return err;
}

/* Returns the disk's entry in @body. */
static json_t *image_in(const json_t *body)
{
	return json_array_get(json_object_get(body, "images"), 0);
}

static bool image_is_the_same(const struct guest *guest)
{
	return !vmm_image_same(&guest->images, 0,
			       image_in(vmm_snapshot_body(guest->cfg.snapshot)), image);
}

static bool begin(void)
{
	struct guest guest;

	image_make();
	if (!guest_boots(&guest))
		return false;
	guest_is_saved(&guest);
	guest_writes(&guest, "later", AT);
	tap_check(guest_reads(&guest, "later", AT));
	guest_ends(&guest);
	return tap_check(opens());
}

/* ---- the same VM is resumed ---- */

static void a_disk_goes_on_as_it_was(void)
{
	struct guest guest;
	unsigned int i;

	if (!begin())
		return;
	for (i = 0; i < 2; i++) {
		tap_context("time %u", i);
		if (!tap_equal(guest_goes_on(&guest, false), 0))
			return;
		tap_check(strstr(said, "is not as it was:"));
		tap_check(guest_reads(&guest, "first", AT) && guest_reads(&guest, "begin", 0));
		tap_check(guest_reads(&guest, "", 8192) && image_is_the_same(&guest));
		guest_writes(&guest, "mine", AT);
		tap_check(guest_reads(&guest, "mine", AT));
		guest_ends(&guest);
	}
	/* The image has the later writes, and the snapshot is unchanged. */
	tap_equal(guest_boots(&guest), true);
	tap_check(guest_reads(&guest, "later", AT));
	guest_ends(&guest);
	tap_check(opens());
}

/* The image itself is used, so the guest's writes stay. */
static void an_image_that_is_as_it_was_goes_on(void)
{
	struct guest guest, other;

	image_make();
	if (!guest_boots(&guest))
		return;
	guest_is_saved(&guest);
	guest_ends(&guest);
	tap_equal(guest_goes_on(&guest, false), 0);
	tap_check(!*said && !guest.images.copy[0] && image_is_the_same(&guest));
	/* The image is in use by another VM, so this one gets a copy. */
	tap_equal(guest_goes_on(&other, false), 0);
	tap_check(other.images.copy[0] && guest_reads(&other, "first", AT));
	guest_ends(&other);
	guest_writes(&guest, "kept", AT);
	guest_ends(&guest);
	tap_check(guest_boots(&guest) && guest_reads(&guest, "kept", AT));
	guest_ends(&guest);
}

static void image_restore(void)
{
	char command[256];

	snprintf(command, sizeof(command), "cp -p --sparse=always %s %s", path_of("disk-0"), image);
	tap_equal(system(command), 0);
}

/* A copy of the snapshot's disk with its time stamp counts as the unchanged image. */
static void an_image_is_put_back_by_a_copy(void)
{
	struct guest guest;

	if (!begin())
		return;
	image_restore();
	tap_equal(guest_goes_on(&guest, false), 0);
	tap_check(!guest.images.copy[0] && guest_reads(&guest, "first", AT));
	guest_ends(&guest);
}

/* ---- clones ---- */

static void clones_write_each_for_themselves(void)
{
	struct guest guest[3];
	char text[16];
	unsigned int i;

	if (!begin())
		return;
	/* The image is no longer needed. */
	unlink(image);
	for (i = 0; i < ARRAY_SIZE(guest); i++) {
		tap_context("clone %u", i);
		if (!tap_equal(guest_goes_on(&guest[i], true), 0) ||
		    !tap_check(guest[i].images.copy[0]))
			return;
		tap_check(!guest[i].images.copy[0]->overlay == !strstr(said, "no reflinks"));
		printf("# clone %u: %s\n", i, guest[i].images.copy[0]->overlay ?
		       "an overlay" : "blocks are shared");
		tap_check(guest_reads(&guest[i], "first", AT));
		snprintf(text, sizeof(text), "of %u", i);
		guest_writes(&guest[i], text, AT);
	}
	for (i = 0; i < ARRAY_SIZE(guest); i++) {
		snprintf(text, sizeof(text), "of %u", i);
		tap_check(guest_reads(&guest[i], text, AT) && guest_reads(&guest[i], "begin", 0));
	}
	/* While there is a clone, guests may read the snapshot's disk, but not write to it. */
	guest_ends(&guest[0]);
	hear();
	tap_equal(vmm_image_open(path_of("disk-0"), false, false), -EAGAIN);
	heard();
	i = vmm_image_open(path_of("disk-0"), true, false);
	tap_check((int)i >= 0);
	close(i);
	guest_ends(&guest[1]);
	guest_ends(&guest[2]);
	i = vmm_image_open(path_of("disk-0"), false, false);
	tap_check((int)i >= 0);
	/* While a guest writes to it, no clone starts. */
	tap_check(guest_goes_on(&guest[0], true) < 0 && strstr(said, "somebody writes"));
	guest_ends(&guest[0]);
	close(i);
	tap_check(opens());
}

/* Base and overlay are merged into one file, with holes; the clone has no image of its own. */
static void a_clone_is_saved(void)
{
	struct guest guest;
	struct stat st;

	if (!begin() || !tap_equal(guest_goes_on(&guest, true), 0))
		return;
	guest_writes(&guest, "clone", 4096);
	guest_writes(&guest, "more", AT + SECTOR);
	/* Far from other data. */
	guest_writes(&guest, "alone", 640 * KIB);
	guest_is_saved(&guest);
	guest_ends(&guest);
	tap_check(opens());
	tap_check(!stat(path_of("disk-0"), &st) && st.st_size == SIZE &&
		  st.st_blocks * 512ULL < SIZE / 4);
	if (!tap_equal(guest_goes_on(&guest, false), 0))
		return;
	tap_check(!json_object_get(image_in(vmm_snapshot_body(guest.cfg.snapshot)), "mtime"));
	tap_check(guest.images.copy[0] && guest_reads(&guest, "clone", 4096));
	tap_check(guest_reads(&guest, "alone", 640 * KIB));
	tap_check(guest_reads(&guest, "first", AT) && guest_reads(&guest, "more", AT + SECTOR));
	guest_ends(&guest);
}

/* A snapshot of an older vmmctl: its disk is the image, if the image is unchanged. */
static void a_snapshot_without_disks(void)
{
	struct vmm_image_past past = { .fd = -1 };
	struct guest guest;

	image_make();
	guest_init(&guest);
	tap_equal(vmm_images_copy(&guest.images, &guest.cfg, &past, 1), 0);
	tap_check(!guest.images.copy[0]);
	guest.cfg.clone = true;
	hear();
	tap_equal(vmm_images_copy(&guest.images, &guest.cfg, &past, 1), 0);
	heard();
	tap_equal(vmm_images_lock(&guest.images, &guest.cfg), 0);
	guest_writes(&guest, "mine", AT);
	tap_check(guest_reads(&guest, "mine", AT) && guest_reads(&guest, "begin", 0));
	hear();
	tap_equal(vmm_image_open(image, false, false), -EAGAIN);
	heard();
	guest_ends(&guest);
	tap_check(guest_boots(&guest) && guest_reads(&guest, "first", AT));
	guest_ends(&guest);
}

/* ---- a VM that runs goes back ---- */

/* The open snapshot, as another program passes it. */
static struct vmm_snapshot *given(unsigned int count)
{
	static const char *const names[] = {
		VMM_SNAPSHOT_MANIFEST, VMM_SNAPSHOT_STATE, VMM_SNAPSHOT_RAM, "disk-0",
	};
	struct vmm_snapshot *snapshot;
	int files[ARRAY_SIZE(names)];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		files[i] = open(path_of(names[i]), O_RDONLY | O_CLOEXEC);
	hear();
	snapshot = vmm_snapshot_given(files, count);
	heard();
	for (i = 0; i < ARRAY_SIZE(names); i++)
		close(files[i]);
	return snapshot;
}

/* Writes where the snapshot has data and where it has none, and gives the disk back. */
static void goes_back(struct guest *guest, struct vmm_snapshot *snapshot)
{
	struct vmm_image_past past[VMM_DISKS];
	unsigned int i;

	vmm_snapshot_disks(snapshot, past);
	for (i = 0; i < 2; i++) {
		tap_context("time %u", i);
		guest_writes(guest, "mine", AT);
		guest_writes(guest, "alone", 640 * KIB);
		guest_writes(guest, "mine", 0);
		tap_equal(vmm_disk_back(&guest->images, 0, past[0].fd), 0);
		tap_check(guest_reads(guest, "first", AT) && guest_reads(guest, "begin", 0));
		tap_check(guest_is_zero(guest, 640 * KIB));
	}
}

static bool image_ends(const char *text, size_t len)
{
	int fd = open(image, O_RDONLY | O_CLOEXEC);
	char end[8];
	bool same = pread(fd, end, len, SIZE - len) == (ssize_t)len && !memcmp(end, text, len);

	close(fd);
	return same;
}

static void a_running_guest_has_its_disk_back(void)
{
	struct vmm_snapshot *snapshot;
	struct guest guest;
	int fd;

	if (!begin() || !guest_boots(&guest))
		return;
	snapshot = given(4);
	if (!tap_check(snapshot))
		return;
	fd = open(image, O_RDWR | O_CLOEXEC);
	tap_equal(pwrite(fd, "END", 3, SIZE - 3), 3);
	close(fd);
	goes_back(&guest, snapshot);
	tap_check(image_ends("end", 3));
	no_holes = true;
	goes_back(&guest, snapshot);
	tap_check(image_ends("end", 3));
	no_holes = false;
	/* It fits, whatever the image's time is now, and only with its own length. */
	vm.cfg = &guest.cfg;
	vm.vcpus = 1;
	tap_equal(vmm_snapshot_fits(snapshot, &vm, &guest.images), 0);
	tap_equal(ftruncate(guest.images.fd[0], SIZE + 512), 0);
	hear();
	tap_check(vmm_snapshot_fits(snapshot, &vm, &guest.images) < 0);
	heard();
	tap_check(strstr(said, "disk 0 has"));
	vmm_snapshot_close(snapshot);
	guest_ends(&guest);
	tap_check(opens());
}

/* Overlays become empty, with the snapshot's disk below, and copies are written to. */
static void a_running_clone_has_its_disk_back(void)
{
	struct vmm_snapshot *snapshot;
	struct guest guest;

	if (!begin() || !tap_equal(guest_goes_on(&guest, true), 0))
		return;
	snapshot = given(4);
	if (!tap_check(snapshot))
		return;
	goes_back(&guest, snapshot);
	if (guest.images.copy[0]->overlay)
		tap_equal(vmm_overlay_bytes(guest.images.copy[0]->overlay), 0);
	vmm_snapshot_close(snapshot);
	tap_check(guest_reads(&guest, "first", AT));
	guest_writes(&guest, "mine", AT);
	tap_check(guest_reads(&guest, "mine", AT));
	guest_ends(&guest);
	tap_check(opens());
}

static void given_files_that_are_missing(void)
{
	unsigned int count;

	if (!begin())
		return;
	for (count = 0; count < 4; count++) {
		tap_context("%u files", count);
		tap_check(!given(count) && strstr(said, " is missing"));
	}
}

/* ---- files that are wrong, and files that cannot be written ---- */

static void torn_disks_are_refused(void)
{
	char *disk;

	if (!begin())
		return;
	disk = strdup(path_of("disk-0"));
	tap_equal(truncate(disk, SIZE - 1), 0);
	tap_check(refused("disk-0 does not have"));
	tap_equal(truncate(disk, SIZE + 1), 0);
	tap_check(refused("disk-0 does not have"));
	tap_equal(truncate(disk, SIZE), 0);
	/* A changed last byte is found by `snapshot check`. */
	hear();
	tap_check(!opens());
	heard();
	tap_check(strstr(said, "disk-0 does not have the checksum"));
	unlink(disk);
	tap_check(refused("cannot open disk-0"));
	tap_equal(symlink(image, disk), 0);
	tap_check(refused("cannot open disk-0"));
	unlink(disk);
	tap_equal(mkfifo(disk, 0600), 0);
	tap_check(refused("disk-0 does not have"));
	unlink(disk);
	free(disk);
}

static void wrong_words_of_disks_are_refused(void)
{
	static const char *const words[] = {
		"{}", "[]", "1", "\"disk-0\"", "{\"size\": -1, \"crc32\": 0}",
		"{\"size\": 2097852}", "{\"size\": \"2097852\", \"crc32\": 0}",
		"{\"size\": 2097852, \"crc32\": 4294967296}",
		"{\"size\": 9223372036854775807, \"crc32\": 0}",
	};
	struct vmm_snapshot *snapshot;
	json_t *body, *images;
	unsigned int i;

	if (!begin())
		return;
	snapshot = vmm_snapshot_open(dir);
	body = json_deep_copy(vmm_snapshot_body(snapshot));
	vmm_snapshot_close(snapshot);
	images = json_object_get(body, "images");
	for (i = 0; i < ARRAY_SIZE(words); i++) {
		tap_context("%s", words[i]);
		json_object_set_new(json_array_get(images, 0), "disk",
				    json_loads(words[i], JSON_DECODE_ANY, NULL));
		manifest_write(body);
		tap_check(refused(i + 1 < ARRAY_SIZE(words) ? "images.disk" : "disk-0"));
	}
	/* More disks than the limit. */
	json_array_clear(images);
	for (i = 0; i < VMM_DISKS; i++)
		json_array_append_new(images, json_object());
	json_array_append_new(images, json_pack("{s:{s:i, s:i}}", "disk", "size", 1, "crc32", 0));
	manifest_write(body);
	tap_check(refused("images.disk"));
	json_decref(body);
}

static void a_full_disk_and_an_end_are_errors(void)
{
	const struct rlimit all = { RLIM_INFINITY, RLIM_INFINITY };
	const struct rlimit little = { 65536, RLIM_INFINITY };
	struct vmm_snapshot_files files = { 0 };
	struct vmm_saving *saving;
	struct guest guest;

	image_make();
	if (!guest_boots(&guest))
		return;
	saving = saving_of(&guest, &files, "disk-0");
	setrlimit(RLIMIT_FSIZE, &little);
	hear();
	tap_check(vmm_saving_ram(saving) < 0);
	heard();
	setrlimit(RLIMIT_FSIZE, &all);
	tap_check(strstr(said, "snapshot: disk-0: File too large") ||
		  strstr(said, "snapshot: ram: File too large"));
	/* The end of a VM does not wait for its disks. */
	vmm_saving_stop(saving);
	hear();
	tap_check(vmm_saving_ram(saving) < 0);
	heard();
	tap_check(strstr(said, "Operation canceled"));
	saving_end(saving, &files);
	guest_ends(&guest);
}

/* An older saving program passes no file for the disk: the clone's disk would be lost. */
static void a_clone_is_not_saved_without_its_disk(void)
{
	struct vmm_snapshot_files files = { 0 };
	struct vmm_saving *saving;
	struct guest guest;
	json_t *body;

	if (!begin() || !tap_equal(guest_goes_on(&guest, true), 0))
		return;
	saving = saving_of(&guest, &files, NULL);
	tap_check(strstr(said, "no file for the private copy of disk 0"));
	saving_end(saving, &files);
	guest_ends(&guest);
	/* A disk with an image is identified by the image. */
	if (!guest_boots(&guest))
		return;
	saving = saving_of(&guest, &files, NULL);
	body = vmm_saving_body(saving);
	tap_check(json_object_get(image_in(body), "mtime"));
	tap_check(!json_object_get(image_in(body), "disk"));
	json_decref(body);
	tap_equal(vmm_saving_ram(saving), 0);
	saving_end(saving, &files);
	guest_ends(&guest);
}

static const struct tap_case cases[] = {
	{ "a disk goes on as it was, however often", a_disk_goes_on_as_it_was },
	{ "an image that is as it was goes on", an_image_that_is_as_it_was_goes_on },
	{ "an image is put back by a copy", an_image_is_put_back_by_a_copy },
	{ "clones write each for themselves", clones_write_each_for_themselves },
	{ "a clone is saved", a_clone_is_saved },
	{ "a snapshot without disks", a_snapshot_without_disks },
	{ "a running guest has its disk back", a_running_guest_has_its_disk_back },
	{ "a running clone has its disk back", a_running_clone_has_its_disk_back },
	{ "given files that are missing are refused", given_files_that_are_missing },
	{ "torn disks are refused", torn_disks_are_refused },
	{ "wrong words of disks are refused", wrong_words_of_disks_are_refused },
	{ "a full disk and an end are errors", a_full_disk_and_an_end_are_errors },
	{ "a clone is not saved without its disk", a_clone_is_not_saved_without_its_disk },
};

int main(void)
{
	int code;

	signal(SIGXFSZ, SIG_IGN);
	snprintf(folder, sizeof(folder), "/tmp/ranchu-disks.XXXXXX");
	if (!mkdtemp(folder) || !snapshot_vm())
		return 1;
	snprintf(image, sizeof(image), "%s/image", folder);
	code = tap_run(cases, ARRAY_SIZE(cases));
	unlink(image);
	rmdir(folder);
	snapshot_remove();
	vmm_mem_destroy(&vm.mem);
	return code;
}
