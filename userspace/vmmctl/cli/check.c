// SPDX-License-Identifier: GPL-2.0-only
/*
 * Checks of options that depend on one another.
 */
#include <errno.h>

#include "cli/cli.h"
#include "cli/option.h"
#include "host/host.h"
#include "host/log.h"

/* Checks the options of adb, and those that need vsock streams. */
static int check_adb(struct vmm_config *cfg)
{
	bool by_pipe = cfg->adb_transport == VMM_ADB_BY_PIPE;
	bool carried = by_pipe || cfg->vsock == VMM_VSOCK_ADB;

	if (by_pipe && cfg->pipe == VMM_PIPE_NONE)
		return vmm_error(-EINVAL, "--adb-transport pipe needs a pipe, and --pipe is none");
	if (cfg->vsock_uds && cfg->vsock != VMM_VSOCK_ADB)
		return vmm_error(-EINVAL, "--vsock-uds needs --vsock CID,dev=" VMM_VSOCK_ADB_NODE);
	if (cfg->redirs && cfg->vsock != VMM_VSOCK_ADB)
		return vmm_error(-EINVAL, "--redir needs --vsock CID,dev=" VMM_VSOCK_ADB_NODE);
	if ((cfg->adb == VMM_ADB_ON || cfg->adb_socket || cfg->adb_port) && !carried)
		return vmm_error(-EINVAL, "--%s needs --vsock CID,dev=" VMM_VSOCK_ADB_NODE
				 " or --adb-transport pipe",
				 cfg->adb == VMM_ADB_ON ? "adb" :
				 cfg->adb_socket ? "adb-socket" : "adb-port");
	if (cfg->adb_port && cfg->adb == VMM_ADB_OFF)
		return vmm_error(-EINVAL, "--adb-port %u is of no use with --adb off",
				 cfg->adb_port);
	/* adb expects the emulator's console at the even port below. */
	if (cfg->adb_port && !(cfg->adb_port & 1))
		return vmm_error(-EINVAL,
				 "--adb-port: %u is even; adb has an odd port, a console the one below",
				 cfg->adb_port);
	if (cfg->adb == VMM_ADB_AUTO)
		cfg->adb = carried ? VMM_ADB_ON : VMM_ADB_OFF;
	if (cfg->emulator_console > VMM_EMULATOR_OFF && cfg->adb == VMM_ADB_ON)
		return vmm_error(-EINVAL,
				 "--emulator-console %u: the console has the port below adb's",
				 cfg->emulator_console);
	/* The option does not apply to a Unix socket. */
	if (cfg->adb_users == VMM_ADB_ALL && cfg->adb == VMM_ADB_OFF && !cfg->redirs)
		return vmm_error(-EINVAL, "--adb-users all is about adb's port, and there is none");
	return 0;
}

static int check_gic(const struct vmm_config *cfg)
{
	if (cfg->gic == VMM_GIC_V2 && cfg->cpus > VMM_GICV2_CPUS)
		return vmm_error(-EINVAL, "--gic 2 has %d CPUs at most, and --cpus is %u",
				 VMM_GICV2_CPUS, cfg->cpus);
	return 0;
}

/* Only arm64 boards have a device tree. What the host supports is checked by run. */
static int check_board(const struct vmm_config *cfg)
{
	bool tree = cfg->command == VMM_CMD_DTB;
	unsigned int i;

	if (tree && cfg->board == VMM_BOARD_PC)
		return vmm_error(-EINVAL, "--board: the pc board has no device tree");
	if (cfg->stall_detector && cfg->board == VMM_BOARD_PC)
		return vmm_error(-EINVAL, "--stall-detector: the pc board has none");
	if (cfg->address_space && cfg->board == VMM_BOARD_RANCHU)
		return vmm_error(-EINVAL,
				 "--device address-space: the ranchu board has no PCI bus");
	if (cfg->virtio_bus != VMM_BUS_PCI)
		return 0;
	if (cfg->board == VMM_BOARD_RANCHU || (tree && cfg->board == VMM_BOARD_AUTO))
		return vmm_error(-EINVAL, "--virtio-bus: the ranchu board has mmio only");
	/* Android's guests expect these disks at MMIO transports. */
	for (i = 0; cfg->board == VMM_BOARD_VIRT && i < cfg->disks; i++) {
		if (cfg->disk[i].fstab)
			return vmm_error(-EINVAL, "--disk: fstab needs --virtio-bus mmio");
	}
	return 0;
}

static int check_balloon(const struct vmm_config *cfg)
{
	unsigned int i;

	for (i = 0; i < cfg->builtins; i++) {
		if (cfg->builtin[i].size && cfg->builtin[i].size >= cfg->memory)
			return vmm_error(-EINVAL,
					 "balloon: %llu bytes are not less than the guest's %llu",
					 cfg->builtin[i].size, cfg->memory);
	}
	return 0;
}

/* Two devices without a socket would both get each key. */
static int check_inputs(const struct vmm_config *cfg)
{
	unsigned int keyboards = 0, screens = 0;
	unsigned int i;

	for (i = 0; i < cfg->builtins; i++) {
		if (cfg->builtin[i].path)
			continue;
		keyboards += cfg->builtin[i].kind == VMM_BUILTIN_KEYBOARD;
		screens += cfg->builtin[i].kind == VMM_BUILTIN_MULTITOUCH;
	}
	if (keyboards < 2 && screens < 2)
		return 0;
	return vmm_error(-EINVAL, "--device %s: only one can be without socket=",
			 keyboards > 1 ? "keyboard" : "multitouch");
}

/* Two VMs cannot use one tap interface, and the saved VM may still run. */
static int check_taps(const struct vmm_config *cfg)
{
	unsigned int i;

	for (i = 0; i < cfg->backends[VMM_BACKEND_NET]; i++) {
		const struct vmm_backend *net = &cfg->backend[VMM_BACKEND_NET][i];

		if (net->inherited)
			return vmm_error(-EINVAL,
					 "--clone: %s is the saved VM's tap interface; name one for the clone: --net tap=NAME",
					 net->path);
	}
	return 0;
}

/* Huge pages cannot be mapped from a file, nor given back. */
static int check_huge_pages(const struct vmm_config *cfg)
{
	if (cfg->huge_pages != VMM_HUGE_2M && cfg->huge_pages != VMM_HUGE_1G)
		return 0;
	if (cfg->from)
		return vmm_error(-EINVAL,
				 "--huge-pages: with --from, RAM is the snapshot's file and not huge pages");
	if (vmm_builtin_count(cfg, VMM_BUILTIN_BALLOON))
		return vmm_error(-EINVAL,
				 "--huge-pages: a balloon cannot give huge pages back; leave one of them out");
	return 0;
}

/* Only drivers with ACCESS_PLATFORM use the pool, and the guest needs other memory, too. */
static int check_dma_pool(const struct vmm_config *cfg)
{
	if (!cfg->dma_pool)
		return 0;
	if (!cfg->access_platform)
		return vmm_error(-EINVAL, "--dma-pool needs --access-platform on");
	if (cfg->board == VMM_BOARD_PC)
		return vmm_error(-EINVAL, "--dma-pool: the pc board has no device tree");
	if (cfg->dma_pool > cfg->memory / 2)
		return vmm_error(-EINVAL,
				 "--dma-pool: %llu MiB are more than half of the guest's %llu",
				 cfg->dma_pool / MIB, cfg->memory / MIB);
	return 0;
}

/**
 * vmm_options_check - check options that depend on one another
 * @cfg: all options are stored; AUTO values are resolved
 *
 * Return: 0, or -EINVAL
 */
int vmm_options_check(struct vmm_config *cfg)
{
	int err;

	if (cfg->command == VMM_CMD_RUN && !cfg->kernel)
		return vmm_error(-EINVAL, "run needs --kernel IMAGE or --from DIR");
	if (cfg->guest_services && cfg->pipe == VMM_PIPE_NONE)
		return vmm_error(-EINVAL, "--guest-services needs a pipe, and --pipe is none");
	/* A program of the guest reports the end of its boot to ranchu-services. */
	if (cfg->quit_after_boot && !cfg->guest_services)
		return vmm_error(-EINVAL, "--quit-after-boot needs --guest-services");
	if ((cfg->n_services || cfg->pipe_socket) && cfg->pipe == VMM_PIPE_NONE)
		return vmm_error(-EINVAL, "--pipe-%s needs a pipe, and --pipe is none",
				 cfg->pipe_socket ? "socket" : "service");
	if (cfg->sync_socket && cfg->sync == VMM_SYNC_NONE)
		return vmm_error(-EINVAL, "--sync-socket needs a device, and --sync is none");
	if (cfg->stats_at && !cfg->console)
		return vmm_error(-EINVAL, "--stats-at needs a console, and --console is none");
	err = check_gic(cfg);
	if (!err)
		err = check_board(cfg);
	if (!err)
		err = check_balloon(cfg);
	if (!err)
		err = check_inputs(cfg);
	if (!err)
		err = check_taps(cfg);
	if (!err)
		err = check_huge_pages(cfg);
	if (!err)
		err = check_dma_pool(cfg);
	return err ? err : check_adb(cfg);
}
