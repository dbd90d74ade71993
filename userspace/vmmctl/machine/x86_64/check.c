// SPDX-License-Identifier: GPL-2.0-only
/*
 * x86_64: what the board does not have, in one sentence.
 */
#include <errno.h>

#include "machine/machine.h"

/**
 * vmm_arch_check_run - say what this architecture's board does not have
 * @cfg: what is asked for
 *
 * Return: 0, or -EOPNOTSUPP after saying so
 */
int vmm_arch_check_run(const struct vmm_config *cfg)
{
	if (cfg->gic != VMM_GIC_AUTO)
		return vmm_error(-EOPNOTSUPP, "--gic: an x86_64 guest has no GIC");
	return 0;
}
