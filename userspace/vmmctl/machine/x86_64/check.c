// SPDX-License-Identifier: GPL-2.0-only
/*
 * x86_64: what the board does not have, in one sentence.
 */
#include <errno.h>

#include "machine/machine.h"

/* Options that make a virtio device, for which this board has no transport yet. */
static const char *virtio_option(const struct vmm_config *cfg)
{
	static const char *const backends[VMM_BACKEND_KINDS] = {
		[VMM_BACKEND_NET] = "net",
		[VMM_BACKEND_VHOST_USER] = "vhost-user",
		[VMM_BACKEND_VDPA] = "vdpa",
	};
	static const char *const builtins[] = {
		[VMM_BUILTIN_RNG] = "rng",
		[VMM_BUILTIN_BALLOON] = "balloon",
		[VMM_BUILTIN_CONSOLE] = "console",
		[VMM_BUILTIN_KEYBOARD] = "keyboard",
		[VMM_BUILTIN_MULTITOUCH] = "multitouch",
	};
	unsigned int i;

	if (cfg->disks)
		return "disk";
	for (i = 0; i < VMM_BACKEND_KINDS; i++) {
		if (cfg->backends[i])
			return backends[i];
	}
	if (cfg->vsock != VMM_VSOCK_NONE)
		return "vsock";
	return cfg->builtins ? builtins[cfg->builtin[0].kind] : NULL;
}

/**
 * vmm_arch_check_run - say what this architecture's board does not have
 * @cfg: what is asked for
 *
 * Return: 0, or -EOPNOTSUPP after saying so
 */
int vmm_arch_check_run(const struct vmm_config *cfg)
{
	const char *option = virtio_option(cfg);

	if (option)
		return vmm_error(-EOPNOTSUPP, "--device %s: the x86_64 board has no virtio yet",
				 option);
	if (cfg->gic != VMM_GIC_AUTO)
		return vmm_error(-EOPNOTSUPP, "--gic: an x86_64 guest has no GIC");
	return 0;
}
