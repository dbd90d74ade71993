/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The vhost-user protocol, as the process at the other end of vmmctl's front end speaks it.
 */
#ifndef GPU_SERVER_H
#define GPU_SERVER_H

#include "types.h"

struct gpu_renderer;

/**
 * struct server_options - what the command line says
 * @memory: bytes that the guest's pictures may take
 * @data: bytes that a library may take for what it draws, and how
 * @scanouts: screens, as many as the front end tells the guest of
 * @renderer: who draws
 * @jit: it makes code of what the guest says
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
