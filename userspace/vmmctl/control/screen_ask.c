// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asks a VM for a source of its screen's pixels, by the control socket.
 */
#include <errno.h>

#include "control/control.h"
#include "control/screen_view.h"

/**
 * vmm_screen_ask - ask a VM for the file of a source
 * @client: the VM
 * @source: number of the source
 *
 * Return: the file, owned by the caller; -ENOENT if the source is gone, or -EIO if the VM is
 */
int vmm_screen_ask(struct vmm_client *client, u64 source)
{
	json_t *args = json_pack("{s:I}", "source", (json_int_t)source);
	json_t *result = vmm_client_call(client, "screen", args);
	int fd = vmm_client_file(client);

	json_decref(result);
	if (vmm_client_lost(client))
		return -EIO;
	return fd < 0 ? -ENOENT : fd;
}
