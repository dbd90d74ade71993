/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A control socket with a VM behind it that only remembers what it was told, and
 * clients of it.
 */
#ifndef CONTROL_LIB_H
#define CONTROL_LIB_H

#include "control/control.h"

/**
 * struct ctl - a control socket and its VM
 * @loop: serves it
 * @tick_fd: ends a round of the loop
 * @listen_fd: of the socket
 * @path: of the socket
 * @commands: what it knows
 * @vm: the commands of a VM
 * @control: the socket
 * @ended: how it was ended, or -1
 * @paused: the vCPUs stand still
 * @resets: how often it was reset
 * @call: an answer that is outstanding
 * @later: pausing takes time
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
