/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The file by which programs find a running emulator: pid_PID.ini in a folder of the user.
 */
#ifndef HOST_DISCOVERY_H
#define HOST_DISCOVERY_H

#include <limits.h>
#include <sys/types.h>

/* ---- discovery.c ---- */

int vmm_discovery_open(pid_t pid);
const char *vmm_discovery_path(void);

#endif /* HOST_DISCOVERY_H */
