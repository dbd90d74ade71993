// SPDX-License-Identifier: GPL-2.0-only
/*
 * A running VM goes back to a snapshot, inside its sandbox: first what can be checked is checked,
 * while the guest only stands still; then RAM and disks are overwritten between two lives of the
 * guest, and vmm_snapshot_load() begins the next one.
 */
#include <errno.h>

#include "host/image.h"
#include "snapshot/snapshot.h"

/**
 * vmm_snapshot_back_fits - check that a running VM can go back to a snapshot
 * @snapshot: open, by files that were given
 * @vm: its vCPUs and devices are paused; nothing of it is changed
 * @images: images of its disks
 *
 * Context: a job.
 * Return: 0, or -errno after a message that names the difference
 */
int vmm_snapshot_back_fits(const struct vmm_snapshot *snapshot, struct vmm_vm *vm,
			   const struct vmm_images *images)
{
	int err = vmm_snapshot_fits(snapshot, vm, images);

	return err ? err : vmm_snapshot_parts_fit(snapshot, vm);
}

/**
 * vmm_snapshot_back - give RAM and disks the content that a snapshot has
 * @snapshot: fits the VM; must stay open as long as the VM uses its RAM
 * @vm: switched off; its devices are as after a reset
 * @images: images of its disks
 *
 * Context: a job.
 * Return: 0, or -errno after a message; the VM must not run then
 */
int vmm_snapshot_back(const struct vmm_snapshot *snapshot, struct vmm_vm *vm,
		      const struct vmm_images *images)
{
	struct vmm_image_past past[VMM_DISKS];
	unsigned int i;
	int err;

	vmm_snapshot_disks(snapshot, past);
	for (i = 0; i < images->count; i++) {
		if (past[i].fd < 0 || vm->cfg->disk[i].readonly)
			continue;
		err = vmm_disk_back(images, i, past[i].fd);
		if (err)
			return vmm_error(-err,
					 "snapshot: " VMM_SNAPSHOT_DISK
					 " is written to the image only in part", i);
	}
	return vmm_mem_load(&vm->mem, vmm_snapshot_ram(snapshot));
}
