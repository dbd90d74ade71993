/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Libraries that draw. None is linked: whoever wants 2D only need not have them.
 */
#ifndef GPU_LIBRARY_H
#define GPU_LIBRARY_H

#include "types.h"

/**
 * struct gpu_symbol - a function of a library
 * @name: its name there
 * @offset: where in a structure the pointer to it belongs
 * @optional: older libraries lack it
 */
struct gpu_symbol {
	const char *name;
	size_t offset;
	bool optional;
};

/* ---- library.c ---- */

int gpu_library_open(const char *path, const struct gpu_symbol *symbols, unsigned int count,
		     void *to);
void gpu_library_says(const char *library, const char *line);
int gpu_library_errno(int value);

#endif /* GPU_LIBRARY_H */
