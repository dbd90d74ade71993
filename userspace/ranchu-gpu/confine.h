/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sandbox of ranchu-gpu.
 */
#ifndef GPU_CONFINE_H
#define GPU_CONFINE_H

struct server_options;

int gpu_confine(const struct server_options *options);

#endif /* GPU_CONFINE_H */
