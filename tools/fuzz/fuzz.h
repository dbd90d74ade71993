/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the fuzz targets share: the input, and a way to say that an oracle does
 * not hold. Types are the kernel's, or with FUZZ_VMMCTL vmmctl's.
 */
#ifndef FUZZ_H
#define FUZZ_H

#include <stdio.h>

#ifdef FUZZ_VMMCTL
#include <stdlib.h>
#include "types.h"
#else
#include "kernel.h"
#endif

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

/* Bytes that are left; a target that wants more gets zeros. */
struct input {
	const u8 *data;
	size_t left;
};

static inline u64 take(struct input *in, unsigned int bytes)
{
	u64 val = 0;

	for (; bytes; bytes--) {
		val <<= 8;
		if (in->left) {
			val |= *in->data++;
			in->left--;
		}
	}
	return val;
}

/* Splits off the last quarter: what another CPU does meanwhile. */
static inline struct input split_off(struct input *in)
{
	struct input tail = { in->data + in->left - in->left / 4, in->left / 4 };

	in->left -= tail.left;
	return tail;
}

#define MUST(condition) do {						\
	if (!(condition)) {						\
		fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition); \
		abort();						\
	}								\
} while (0)

#endif /* FUZZ_H */
