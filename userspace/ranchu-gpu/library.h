/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Libraries that render. None is linked, because they are not needed for 2D.
 */
#ifndef GPU_LIBRARY_H
#define GPU_LIBRARY_H

#include "renderer.h"

/**
 * struct gpu_library_args - the description of a resource for both libraries
 * @id: its number
 * @target: and all below: see struct gpu_args
 * @format: see there
 * @bind: see there
 * @width: see there
 * @height: see there
 * @depth: see there
 * @layers: see there
 * @last_level: see there
 * @samples: see there
 * @flags: see there
 */
struct gpu_library_args {
	u32 id;
	u32 target;
	u32 format;
	u32 bind;
	u32 width;
	u32 height;
	u32 depth;
	u32 layers;
	u32 last_level;
	u32 samples;
	u32 flags;
};

/**
 * struct gpu_symbol - a function of a library
 * @name: its name in the library
 * @offset: offset of the pointer in a structure
 * @optional: older libraries may lack it
 */
struct gpu_symbol {
	const char *name;
	size_t offset;
	bool optional;
};

/* ---- library.c ---- */

struct gpu_library_args gpu_library_args(u32 id, const struct gpu_args *args);
int gpu_library_open(const char *path, const struct gpu_symbol *symbols, unsigned int count,
		     void *to);
bool gpu_library_has(const char *name);
void gpu_library_says(const char *library, const char *line);
int gpu_library_errno(int value);

#endif /* GPU_LIBRARY_H */
