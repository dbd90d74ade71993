// SPDX-License-Identifier: GPL-2.0-only
/*
 * A picture of a VM's screen, made in the process of who wants it: from the file that
 * the VM has passed (host/display.h) into a PNG file.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "control/png.h"
#include "host/display.h"
#include "host/log.h"

#define SIDE_MAX	16384	/* pixels */
#define TRIES		200	/* of a millisecond, for a frame that does not change */

/**
 * struct shot - a screen that is looked at
 * @header: of its file, mapped
 * @size: bytes mapped
 * @width: pixels of a row
 * @height: rows
 * @copy: header and pixels of one moment
 */
struct shot {
	const struct vmm_display_header *header;
	size_t size;
	u32 width;
	u32 height;
	u8 *copy;
};

static u64 sequence_of(const struct shot *shot)
{
	return le64toh(__atomic_load_n(&shot->header->sequence, __ATOMIC_SEQ_CST));
}

/* Sizes come from another process: read once, and held against the file. */
static int shot_map(struct shot *shot, int fd)
{
	struct stat st;

	if (fstat(fd, &st) || st.st_size < VMM_DISPLAY_PIXELS)
		return -EINVAL;
	shot->size = st.st_size;
	shot->header = mmap(NULL, shot->size, PROT_READ, MAP_SHARED, fd, 0);
	if (shot->header == MAP_FAILED) {
		shot->header = NULL;
		return -errno;
	}
	shot->width = le32toh(shot->header->width);
	shot->height = le32toh(shot->header->height);
	if (le32toh(shot->header->magic) != VMM_DISPLAY_MAGIC ||
	    le32toh(shot->header->version) != VMM_DISPLAY_VERSION ||
	    !shot->width || !shot->height || shot->width > SIDE_MAX ||
	    shot->height > SIDE_MAX ||
	    (u64)shot->width * shot->height * 4 > shot->size - VMM_DISPLAY_PIXELS)
		return -EINVAL;
	return 0;
}

/* A frame that was not changed while it was copied, or after a while any. */
static int shot_copy(struct shot *shot)
{
	static const struct timespec pause = { .tv_nsec = 1000000 };
	unsigned int i;
	u64 before;

	shot->copy = malloc(shot->size);
	if (!shot->copy)
		return -ENOMEM;
	for (i = 0; i < TRIES; i++) {
		before = sequence_of(shot);
		memcpy(shot->copy, shot->header, shot->size);
		__atomic_thread_fence(__ATOMIC_SEQ_CST);
		if (!(before & 1) && sequence_of(shot) == before)
			break;
		nanosleep(&pause, NULL);
	}
	return 0;
}

/* The lower @bits of a colour, stretched to a byte. */
static u8 stretch(unsigned int value, unsigned int bits)
{
	value &= (1 << bits) - 1;
	return value << (8 - bits) | value >> (2 * bits - 8);
}

static void pixel_rgb(const struct shot *shot, u32 format, u32 x, u32 y, u8 rgb[3])
{
	size_t at = (size_t)y * shot->width + x;
	const u8 *pixels = shot->copy + VMM_DISPLAY_PIXELS;
	unsigned int word;

	if (format == VMM_PIXELS_RGBX8888) {
		memcpy(rgb, pixels + 4 * at, 3);
		return;
	}
	word = pixels[2 * at] | pixels[2 * at + 1] << 8;
	rgb[0] = stretch(word >> 11, 5);
	rgb[1] = stretch(word >> 5, 6);
	rgb[2] = stretch(word, 5);
}

/* From where in the frame the pixel at @x, @y of the turned picture comes. */
static void turn_back(const struct shot *shot, u32 turns, u32 *x, u32 *y)
{
	u32 old_x = *x;

	switch (turns) {
	case 1:
		*x = *y;
		*y = shot->height - 1 - old_x;
		break;
	case 2:
		*x = shot->width - 1 - *x;
		*y = shot->height - 1 - *y;
		break;
	case 3:
		*x = shot->width - 1 - *y;
		*y = old_x;
		break;
	}
}

static int shot_write(const struct shot *shot, FILE *to)
{
	const struct vmm_display_header *header = (const void *)shot->copy;
	u32 turns = le32toh(header->turns) % 4;
	u32 width = turns & 1 ? shot->height : shot->width;
	u32 height = turns & 1 ? shot->width : shot->height;
	u8 *rgb = malloc(3 * (size_t)width * height);
	u32 x, y, from_x, from_y;
	int err;

	if (!rgb)
		return -ENOMEM;
	for (y = 0; y < height; y++) {
		for (x = 0; x < width; x++) {
			from_x = x;
			from_y = y;
			turn_back(shot, turns, &from_x, &from_y);
			pixel_rgb(shot, le32toh(header->format), from_x, from_y,
				  rgb + 3 * ((size_t)y * width + x));
		}
	}
	err = vmm_png_write(to, rgb, width, height);
	free(rgb);
	return err;
}

/* Half a picture is none; a device that was written to is left alone. */
static int file_write(const struct shot *shot, const char *path)
{
	FILE *to = fopen(path, "we");
	struct stat st;
	bool regular;
	int err;

	if (!to)
		return vmm_error(errno, "cannot create %s", path);
	regular = !fstat(fileno(to), &st) && S_ISREG(st.st_mode);
	err = shot_write(shot, to);
	if (fclose(to) && !err)
		err = -errno;
	if (!err)
		return 0;
	if (regular)
		unlink(path);
	return vmm_error(-err, "cannot write %s", path);
}

/**
 * vmm_screenshot - make a picture of a screen
 * @screen_fd: the screen's file
 * @path: of the PNG file
 *
 * Return: 0, or -errno after a message
 */
int vmm_screenshot(int screen_fd, const char *path)
{
	struct shot shot = { 0 };
	int err = shot_map(&shot, screen_fd);

	if (!err)
		err = shot_copy(&shot);
	if (err)
		vmm_error(-err, "the screen's file is of no use");
	else
		err = file_write(&shot, path);
	free(shot.copy);
	if (shot.header)
		munmap((void *)shot.header, shot.size);
	return err;
}
