/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a VM's command line leaves to it in the sandbox.
 */
#ifndef CONFINE_H
#define CONFINE_H

#include "host/sandbox.h"
#include "machine/config.h"

int vmm_confine(const struct vmm_config *cfg);

#endif /* CONFINE_H */
