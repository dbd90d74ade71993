/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What is left to ranchu-gpu once it has its connection.
 */
#ifndef GPU_CONFINE_H
#define GPU_CONFINE_H

#include "types.h"

int gpu_confine(u64 memory);

#endif /* GPU_CONFINE_H */
