// SPDX-License-Identifier: GPL-2.0-only
/*
 * qcow2 images: the emulator's overlays become raw images, and only the AVD's own files are read
 * for that. A script replaces qemu-img: it records its arguments and writes "converted".
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/avd/avd_lib.h"

#define FROM	CONTENT "/userdata-qemu.img.qcow2"
#define RAW	CONTENT "/userdata-qemu.img"

static struct vmm_avd_disk disk;
static char old_path[PATH_MAX];

static void begin(void)
{
	char text[2 * PATH_MAX];

	avd_begin(false);
	memset(&disk, 0, sizeof(disk));
	snprintf(disk.from, sizeof(disk.from), "%s", avd_name(FROM));
	snprintf(disk.backing, sizeof(disk.backing), "%s", avd_name(RAW));
	avd_write(RAW, "raw");
	avd_folder("bin");
	snprintf(text, sizeof(text),
		 "#!/bin/sh\necho \"$@\" > %s/words\nshift $(($# - 1))\necho converted > $1\n",
		 avd_top);
	avd_write("bin/qemu-img", text);
	tap_check(!chmod(avd_name("bin/qemu-img"), 0700));
	snprintf(old_path, sizeof(old_path), "%s", getenv("PATH") ? getenv("PATH") : "/bin");
	snprintf(text, sizeof(text), "%s:%s", avd_name("bin"), old_path);
	setenv("PATH", text, 1);
}

static void end(void)
{
	setenv("PATH", old_path, 1);
	avd_end();
}

static void put(unsigned char *to, u64 value, unsigned int count)
{
	while (count--)
		*to++ = value >> 8 * count;
}

/* Writes an image that has a header and the name of its backing file. */
static void image(unsigned int version, u64 features, const char *backing)
{
	unsigned char bytes[112 + 2000] = "QFI\xfb";
	FILE *to = fopen(avd_name(FROM), "w");
	size_t len = strlen(backing);

	put(bytes + 4, version, 4);
	put(bytes + 8, len ? 112 : 0, 8);
	put(bytes + 16, len, 4);
	put(bytes + 72, features, 8);
	memcpy(bytes + 112, backing, len);
	tap_check(to && fwrite(bytes, 112 + len, 1, to) == 1);
	fclose(to);
}

static int convert(void)
{
	int err;

	avd_remove("words");
	avd_write("to", "");
	tap_listen();
	err = vmm_avd_convert(&disk, avd_name("to"));
	tap_heard(avd_message, sizeof(avd_message));
	tap_context("%s", avd_message);
	return err;
}

static const char *text_of(const char *file)
{
	static char text[4096];
	FILE *from = fopen(avd_name(file), "r");
	size_t n = from ? fread(text, 1, sizeof(text) - 1, from) : 0;

	text[n] = '\0';
	if (from)
		fclose(from);
	return text;
}

/* Checks the arguments of qemu-img: no backing file, or which one, in raw format. */
static bool told(bool backing)
{
	const char *words = text_of("words");
	const char *under = strstr(words, "\"backing\":");

	tap_context("%s", words);
	if (!under || strncmp(words, "convert -O raw json:{\"driver\":\"qcow2\"", 37))
		return false;
	if (!backing)
		return !strncmp(under, "\"backing\":null", 14);
	return !strncmp(under, "\"backing\":{\"driver\":\"raw\",\"file\":{\"driver\":\"file\"", 49);
}

static void an_overlay_of_the_emulator_s_is_converted(void)
{
	begin();
	image(3, 0, disk.backing);
	tap_equal(convert(), 0);
	tap_check(told(true) && !strcmp(text_of("to"), "converted\n"));
	image(2, 0, "userdata-qemu.img");
	tap_equal(convert(), 0);
	tap_check(told(true));
	image(3, 0, "");
	tap_equal(convert(), 0);
	tap_check(told(false));
	/* The AVD was moved here. */
	image(3, 0, "/nowhere/one.avd/userdata-qemu.img");
	tap_equal(convert(), 0);
	tap_check(told(true));
	end();
}

static void other_files_are_not_read(void)
{
	static const char *const names[] = {
		"/etc/passwd", "config.ini", "json:{\"driver\":\"file\",\"filename\":\"/x\"}",
		"nbd://host/disk", "../../../other/userdata-qemu.img",
	};
	unsigned int i;

	begin();
	avd_folder("home/.android/other");
	avd_folder("home/other");
	avd_write("home/other/userdata-qemu.img", "somebody else's");
	for (i = 0; i < ARRAY_SIZE(names); i++) {
		image(3, 0, names[i]);
		tap_equal(convert(), -EINVAL);
		tap_check(strstr(avd_message, "which is not the AVD's own"));
		tap_check(!avd_there("words"));
	}
	/* An overlay where none is allowed is refused. */
	image(3, 0, "userdata-qemu.img");
	*disk.backing = '\0';
	tap_equal(convert(), -EINVAL);
	tap_check(!avd_there("words"));
	end();
}

static void an_overlay_of_an_overlay_is_refused(void)
{
	begin();
	avd_write(RAW, "QFI\xfb");
	image(3, 0, "userdata-qemu.img");
	tap_equal(convert(), -EINVAL);
	tap_check(strstr(avd_message, "is a qcow2 image, and a raw one is needed"));
	tap_check(!avd_there("words"));
	end();
}

static void a_header_that_is_wrong_is_refused(void)
{
	static char name[1100];

	begin();
	image(3, 1 << 2, "");
	tap_equal(convert(), -EINVAL);
	tap_check(strstr(avd_message, "has its data in another file"));
	image(4, 0, "");
	tap_equal(convert(), -EINVAL);
	tap_check(strstr(avd_message, "is qcow2 of version 4"));
	memset(name, 'x', 1024);
	image(3, 0, name);
	tap_equal(convert(), -EINVAL);
	tap_check(strstr(avd_message, "damaged header"));
	image(3, 0, "userdata-qemu.img");
	tap_check(!truncate(disk.from, 120));
	tap_equal(convert(), -EINVAL);
	tap_check(strstr(avd_message, "damaged header"));
	avd_write(FROM, "no qcow2 image");
	tap_equal(convert(), -EINVAL);
	tap_check(strstr(avd_message, "is not a qcow2 image"));
	avd_remove(FROM);
	tap_check(!mkfifo(disk.from, 0600));
	tap_equal(convert(), -EINVAL);
	avd_remove(FROM);
	tap_equal(convert(), -ENOENT);
	tap_check(!avd_there("words"));
	end();
}

static const struct tap_case cases[] = {
	{ "an overlay of the emulator's becomes a raw image",
	  an_overlay_of_the_emulator_s_is_converted },
	{ "no other file is read", other_files_are_not_read },
	{ "an overlay of an overlay is refused", an_overlay_of_an_overlay_is_refused },
	{ "a header that is wrong is refused", a_header_that_is_wrong_is_refused },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
