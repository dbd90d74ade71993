/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The vhost-user protocol: the back end for vmmctl's front end.
 */
#ifndef GPU_SERVER_H
#define GPU_SERVER_H

#include "types.h"

struct gpu_renderer;

/**
 * struct server_options - options of the server
 * @memory: limit of the guest's pictures in bytes
 * @data: limit of a library's memory in bytes
 * @scanouts: number of screens that the front end reports to the guest
 * @renderer: the renderer
 * @jit: the renderer generates code
 */
struct server_options {
	u64 memory;
	u64 data;
	unsigned int scanouts;
	struct gpu_renderer *renderer;
	bool jit;
};

int server_run(int sock, const struct server_options *options);

#endif /* GPU_SERVER_H */
