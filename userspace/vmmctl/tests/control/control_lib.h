/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A control socket of a VM that only records commands, and
 * clients of it.
 */
#ifndef CONTROL_LIB_H
#define CONTROL_LIB_H

#include "control/control.h"

/**
 * struct ctl - a control socket and its VM
 * @loop: its main loop
 * @tick_fd: ends a round of the loop
 * @listen_fd: the listening socket
 * @path: path of the socket
 * @commands: its commands
 * @vm: the commands of a VM
 * @control: the socket
 * @ended: reason for its end, or -1
 * @paused: the vCPUs are paused
 * @resets: how often it was reset
 * @call: a call without its answer so far
 * @later: pausing is answered later
 */
struct ctl {
	struct vmm_loop *loop;
	int tick_fd;
	int listen_fd;
	char path[108];
	struct vmm_commands commands;
	struct vmm_vm_commands vm;
	struct vmm_control *control;
	int ended;
	bool paused;
	unsigned int resets;
	u64 call;
	bool later;
};

bool ctl_open(struct ctl *ctl);
void ctl_close(struct ctl *ctl);
void ctl_serve(struct ctl *ctl);
int ctl_connect(struct ctl *ctl);
void ctl_say(int fd, const char *text);
json_t *ctl_hear(struct ctl *ctl, int fd);
bool ctl_hung_up(struct ctl *ctl, int fd);

#endif /* CONTROL_LIB_H */
