/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The port of the emulator's console: its sockets, and the file of the token.
 */
#ifndef CONTROL_EMULATOR_PORT_H
#define CONTROL_EMULATOR_PORT_H

#include "control/instance.h"
#include "host/emu_token.h"

/**
 * struct vmm_emulator_port - the port
 * @token: the token of clients
 * @own_fd: listening socket if adb has no ports; or -1
 * @fd6: listening socket for the same port of ::1, or -1
 */
struct vmm_emulator_port {
	struct vmm_emu_token token;
	int own_fd;
	int fd6;
};

#define VMM_EMULATOR_PORT_NONE	{ .token.fd = -1, .own_fd = -1, .fd6 = -1 }

/* ---- emulator_port.c ---- */

int vmm_emulator_port_open(struct vmm_emulator_port *port, const struct vmm_config *cfg,
			   struct vmm_loop *loop, int adb_fd, struct vmm_instance *instance);
void vmm_emulator_port_close(struct vmm_emulator_port *port);

#endif /* CONTROL_EMULATOR_PORT_H */
