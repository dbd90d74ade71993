/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the fuzz targets of vmmctl share: the input, and a way to say that something
 * does not hold.
 */
#ifndef VMMCTL_FUZZ_H
#define VMMCTL_FUZZ_H

#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>

#include "types.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Bytes that are left; a target that wants more gets zeros. */
struct input {
	const uint8_t *data;
	size_t left;
};

static inline u32 take(struct input *in, unsigned int bytes)
{
	u32 value = 0;

	for (; bytes; bytes--) {
		value <<= 8;
		if (in->left) {
			value |= *in->data++;
			in->left--;
		}
	}
	return value;
}

#define MUST(condition) do {						\
	if (!(condition)) {						\
		fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
		abort();						\
	}								\
} while (0)

#endif /* VMMCTL_FUZZ_H */
