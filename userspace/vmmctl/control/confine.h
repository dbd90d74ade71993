/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sandbox of a VM: what its command line needs after the start.
 */
#ifndef CONFINE_H
#define CONFINE_H

#include "host/sandbox.h"
#include "machine/config.h"

int vmm_confine(const struct vmm_config *cfg);

#endif /* CONFINE_H */
