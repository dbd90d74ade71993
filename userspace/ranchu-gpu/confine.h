/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is left to ranchu-gpu once it has its connection.
 */
#ifndef GPU_CONFINE_H
#define GPU_CONFINE_H

struct server_options;

int gpu_confine(const struct server_options *options);

#endif /* GPU_CONFINE_H */
