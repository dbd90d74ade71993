// SPDX-License-Identifier: GPL-2.0-only
/*
 * x86_64: refuses options that need what the board lacks, with one message.
 */
#include <errno.h>

#include "machine/machine.h"

/* The ACPI device of Android's partitions needs full device names. */
static int check_fstab(const struct vmm_config *cfg)
{
	unsigned int i;

	for (i = 0; i < cfg->disks; i++) {
		if (cfg->disk[i].fstab)
			return vmm_error(-EOPNOTSUPP,
					 "--disk: on the pc board use --fstab-%s=DEV for fstab=%s",
					 cfg->disk[i].fstab, cfg->disk[i].fstab);
	}
	return 0;
}

/**
 * vmm_arch_check_run - refuse options that need what this architecture's boards lack
 * @cfg: what is asked for
 *
 * Return: 0, or -EOPNOTSUPP after a message
 */
int vmm_arch_check_run(const struct vmm_config *cfg)
{
	if (cfg->board != VMM_BOARD_AUTO && cfg->board != VMM_BOARD_PC)
		return vmm_error(-EOPNOTSUPP, "--board: an x86_64 host has the pc board only");
	if (cfg->virtio_bus == VMM_BUS_MMIO)
		return vmm_error(-EOPNOTSUPP, "--virtio-bus: the pc board has virtio-pci only");
	if (!cfg->vmgenid)
		return vmm_error(-EOPNOTSUPP, "--vmgenid: the pc board has it always");
	if (cfg->gic != VMM_GIC_AUTO)
		return vmm_error(-EOPNOTSUPP, "--gic: an x86_64 guest has no GIC");
	if (cfg->stall_detector)
		return vmm_error(-EOPNOTSUPP, "--stall-detector: the pc board has none");
	if (cfg->dma_pool)
		return vmm_error(-EOPNOTSUPP, "--dma-pool: the pc board has no device tree");
	return check_fstab(cfg);
}
