// SPDX-License-Identifier: GPL-2.0-only
/*
 * Opens what the emulator's console needs, before the sandbox is entered.
 */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/emulator_port.h"
#include "host/vsock.h"

/**
 * vmm_emulator_port_open - serve the emulator's console, if the command line asks for it
 * @port: VMM_EMULATOR_PORT_NONE; filled
 * @cfg: has the port
 * @loop: the main thread's loop
 * @adb_fd: the console's port of adb's pair, listening, or -1
 * @instance: the VM
 *
 * Return: 0, or -errno after a message
 */
int vmm_emulator_port_open(struct vmm_emulator_port *port, const struct vmm_config *cfg,
			   struct vmm_loop *loop, int adb_fd, struct vmm_instance *instance)
{
	int fds[VMM_LINES_FDS] = { adb_fd };
	unsigned int count = 1;
	int err;

	if (cfg->emulator_console == VMM_EMULATOR_OFF)
		return 0;
	if (cfg->emulator_console != VMM_EMULATOR_AUTO) {
		port->own_fd = vmm_adb_listen(cfg->emulator_console, "emulator-console");
		if (port->own_fd < 0)
			return port->own_fd;
		fds[0] = port->own_fd;
	}
	if (fds[0] < 0)
		return 0;
	err = vmm_emu_token_open(&port->token, getenv("HOME"));
	if (err)
		vmm_note("the emulator's console accepts no client: cannot open %s: %s",
			 *port->token.path ? port->token.path : "a file in $HOME",
			 strerror(-err));
	port->fd6 = vmm_adb_console_fd6(fds[0]);
	if (port->fd6 >= 0)
		fds[count++] = port->fd6;
	return vmm_instance_emulator(instance, loop, fds, count, &port->token);
}

/**
 * vmm_emulator_port_close - close the port
 * @port: was opened, or opening it failed; the instance is closed
 */
void vmm_emulator_port_close(struct vmm_emulator_port *port)
{
	vmm_emu_token_close(&port->token);
	if (port->own_fd >= 0)
		close(port->own_fd);
	if (port->fd6 >= 0)
		close(port->fd6);
	port->own_fd = -1;
	port->fd6 = -1;
}
