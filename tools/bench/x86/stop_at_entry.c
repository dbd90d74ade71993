// SPDX-License-Identifier: GPL-2.0-only
/*
 * Makes of a bzImage one of the same size that does nothing but say that it was entered:
 *
 *	stop_at_entry IN OUT
 *
 * A VMM or its firmware may enter it in real, in protected or in 64-bit mode. Each entry
 * writes to port 0x3e0, where nobody is, and halts for ever.
 *
 * Source: Linux 6.12 Documentation/arch/x86/boot.rst.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define AT_SECTORS	0x1f1	/* of the code for real mode, less one */
#define AT_JUMP		0x200	/* the first instruction: a jump over the header */
#define SECTOR		512
#define AT_64_BIT	0x200	/* in the code for protected mode */

/* mov $0x3e0, %dx; out %al, %dx; 1: hlt; jmp 1b */
static const uint8_t real_mode[] = { 0xba, 0xe0, 0x03, 0xee, 0xf4, 0xeb, 0xfd };
/* The first with an operand of 16 bits where they are not the rule. */
static const uint8_t long_mode[] = { 0x66, 0xba, 0xe0, 0x03, 0xee, 0xf4, 0xeb, 0xfd };

static void die(const char *what)
{
	fprintf(stderr, "stop_at_entry: %s: %s\n", what, errno ? strerror(errno) : "is no bzImage");
	exit(1);
}

static uint8_t *read_all(const char *path, size_t *size)
{
	FILE *file = fopen(path, "re");
	uint8_t *image;

	if (!file || fseek(file, 0, SEEK_END))
		die(path);
	*size = ftell(file);
	rewind(file);
	image = malloc(*size);
	if (!image || fread(image, 1, *size, file) != *size)
		die(path);
	fclose(file);
	return image;
}

int main(int argc, char **argv)
{
	size_t size, code, start;
	uint8_t *image;
	FILE *out;

	if (argc != 3)
		die("two arguments are needed");
	image = read_all(argv[1], &size);
	if (size < AT_JUMP + SECTOR || memcmp(image + AT_JUMP + 2, "HdrS", 4) ||
	    image[AT_JUMP] != 0xeb)
		die(argv[1]);
	start = AT_JUMP + 2 + image[AT_JUMP + 1];
	code = ((image[AT_SECTORS] ? image[AT_SECTORS] : 4) + 1) * SECTOR;
	if (size < code + AT_64_BIT + sizeof(long_mode))
		die(argv[1]);
	memcpy(image + start, real_mode, sizeof(real_mode));
	memcpy(image + code, long_mode, sizeof(long_mode));
	memcpy(image + code + AT_64_BIT, long_mode, sizeof(long_mode));

	out = fopen(argv[2], "we");
	if (!out || fwrite(image, 1, size, out) != size || fclose(out))
		die(argv[2]);
	return 0;
}
