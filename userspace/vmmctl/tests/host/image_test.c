// SPDX-License-Identifier: GPL-2.0-only
/*
 * Disk images and their locks.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>
#include <linux/fs.h>

#include "host/image.h"
#include "machine/machine.h"
#include "tests/tap.h"

static char image[64];

static bool make_image(void)
{
	int fd;

	snprintf(image, sizeof(image), "/tmp/vmmctl-image-%d", (int)getpid());
	fd = open(image, O_RDWR | O_CREAT, 0600);
	if (tap_check(fd >= 0))
		close(fd);
	return fd >= 0;
}

static void writers_are_alone(void)
{
	int first;

	if (!make_image())
		return;
	first = vmm_image_open(image, false, false);
	tap_check(first >= 0);
	tap_equal(vmm_image_open(image, false, false), -EAGAIN);
	tap_equal(vmm_image_open(image, true, false), -EAGAIN);
	close(first);
	first = vmm_image_open(image, false, false);
	tap_check(first >= 0);
	close(first);
	unlink(image);
}

static void readers_share(void)
{
	int first;
	int second;

	if (!make_image())
		return;
	first = vmm_image_open(image, true, false);
	second = vmm_image_open(image, true, false);
	tap_check(first >= 0 && second >= 0);
	tap_equal(vmm_image_open(image, false, false), -EAGAIN);
	close(first);
	tap_equal(vmm_image_open(image, false, false), -EAGAIN);
	close(second);
	first = vmm_image_open(image, false, false);
	tap_check(first >= 0);
	close(first);
	unlink(image);
}

/* A device of the kernel keeps the file open in the same way. */
static void lock_lasts_as_long_as_the_file(void)
{
	int first;
	int kept;

	if (!make_image())
		return;
	first = vmm_image_open(image, false, false);
	kept = dup(first);
	close(first);
	tap_equal(vmm_image_open(image, false, false), -EAGAIN);
	close(kept);
	first = vmm_image_open(image, false, false);
	tap_check(first >= 0);
	close(first);
	unlink(image);
}

static void one_vm_has_an_image_once(void)
{
	static const struct { bool first, second; int err; } tries[] = {
		{ false, false, -EINVAL }, { true, false, -EINVAL }, { false, true, -EINVAL },
		{ true, true, 0 },
	};
	struct vmm_config cfg = { .disks = 2 };
	struct vmm_images images = { 0 };
	char other[80];
	unsigned int i;

	if (!make_image())
		return;
	snprintf(other, sizeof(other), "/tmp/../%s", image);
	cfg.disk[0].path = image;
	cfg.disk[1].path = other;
	for (i = 0; i < ARRAY_SIZE(tries); i++) {
		tap_context("%u", i);
		cfg.disk[0].readonly = tries[i].first;
		cfg.disk[1].readonly = tries[i].second;
		tap_equal(vmm_images_lock(&images, &cfg), tries[i].err);
		vmm_images_unlock(&images);
	}
	unlink(image);
}

/* If not 0, every file acts as a block device of this size. */
static u64 device;

int fstat(int fd, struct stat *st)
{
	int err = fstatat(fd, "", st, AT_EMPTY_PATH);

	if (!err && device) {
		st->st_mode = S_IFBLK | 0600;
		st->st_size = 0;
	}
	return err;
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list args;

	(void)fd;
	if (request != BLKGETSIZE64)
		return -1;
	va_start(args, request);
	*va_arg(args, u64 *) = device;
	va_end(args);
	return 0;
}

/* st_size of a block device is 0. */
static void block_devices_are_known_by_their_size(void)
{
	struct vmm_images one = { .count = 1 };
	json_t *was;

	if (!make_image())
		return;
	one.fd[0] = open(image, O_RDONLY | O_CLOEXEC);
	device = GIB;
	was = vmm_image_describe(one.fd[0]);
	tap_equal(json_integer_value(json_object_get(was, "size")), GIB);
	tap_equal(vmm_image_same(&one, 0, was, image), 0);
	device = 2 * GIB;
	tap_equal(vmm_image_same(&one, 0, was, image), -EINVAL);
	device = 0;
	json_decref(was);
	close(one.fd[0]);
	unlink(image);
}

static const struct tap_case cases[] = {
	{ "a VM has an image once, or only reads it", one_vm_has_an_image_once },
	{ "block devices are known by their size", block_devices_are_known_by_their_size },
	{ "who writes has the image alone", writers_are_alone },
	{ "readers share an image", readers_share },
	{ "a lock lasts as long as the file", lock_lasts_as_long_as_the_file },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
