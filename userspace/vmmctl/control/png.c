// SPDX-License-Identifier: GPL-2.0-only
/*
 * Writes a PNG file: 8 bits for each of red, green and blue, no filter, no interlace.
 *
 * Source: W3C, Portable Network Graphics (Third Edition), sections 5, 9.2, 11.2
 */
#include <arpa/inet.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "control/png.h"

#define PNG_DEPTH	8
#define PNG_RGB		2

static void word_put(u8 *to, u32 value)
{
	value = htonl(value);
	memcpy(to, &value, sizeof(value));
}

/* A chunk: length, four letters, bytes, and a checksum of letters and bytes. */
static void chunk_write(FILE *to, const char *type, const u8 *bytes, size_t len)
{
	uLong crc = crc32(0, (const u8 *)type, 4);
	u8 word[4];

	word_put(word, len);
	fwrite(word, 1, 4, to);
	fwrite(type, 1, 4, to);
	if (len) {
		fwrite(bytes, 1, len, to);
		crc = crc32(crc, bytes, len);
	}
	word_put(word, crc);
	fwrite(word, 1, 4, to);
}

/* Precedes each row with its filter type, which is 0 for none. */
static u8 *rows_make(const u8 *rgb, size_t row, unsigned int height)
{
	u8 *rows = malloc((row + 1) * height);
	unsigned int y;

	for (y = 0; rows && y < height; y++) {
		rows[y * (row + 1)] = 0;
		memcpy(rows + y * (row + 1) + 1, rgb + y * row, row);
	}
	return rows;
}

/**
 * vmm_png_write - write a picture
 * @to: file
 * @rgb: rows of pixels, three bytes each, no gap between
 * @width: pixels of a row, not 0
 * @height: rows, not 0
 *
 * Return: 0, or -errno
 */
int vmm_png_write(FILE *to, const u8 *rgb, unsigned int width, unsigned int height)
{
	size_t bytes = (3 * (size_t)width + 1) * height;
	uLongf len = compressBound(bytes);
	u8 *rows = rows_make(rgb, 3 * (size_t)width, height);
	u8 *packed = malloc(len);
	u8 header[13] = { [8] = PNG_DEPTH, [9] = PNG_RGB };
	int err = -ENOMEM;

	word_put(header, width);
	word_put(header + 4, height);
	if (rows && packed && compress2(packed, &len, rows, bytes, 6) == Z_OK) {
		fwrite("\x89PNG\r\n\x1a\n", 1, 8, to);
		chunk_write(to, "IHDR", header, sizeof(header));
		chunk_write(to, "IDAT", packed, len);
		chunk_write(to, "IEND", NULL, 0);
		err = fflush(to) || ferror(to) ? -EIO : 0;
	}
	free(packed);
	free(rows);
	return err;
}
