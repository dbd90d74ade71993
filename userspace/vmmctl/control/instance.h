/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What a running VM shows to other programs: its directory, control socket, events, state and log,
 * and notifications of a service manager. Exists over a reset of the guest.
 */
#ifndef INSTANCE_H
#define INSTANCE_H

#include "control/control.h"

struct vmm_emu_token;

struct vmm_instance;

struct vmm_instance *vmm_instance_open(const char *name, struct vmm_loop *loop,
				       const struct vmm_control_vm *vm, void *arg);
int vmm_instance_emulator(struct vmm_instance *instance, struct vmm_loop *loop, const int *fds,
			  unsigned int count, const struct vmm_emu_token *token);
int vmm_instance_origin(struct vmm_instance *instance, const char *text);
void vmm_instance_close(struct vmm_instance *instance);
const char *vmm_instance_name(const struct vmm_instance *instance);
const char *vmm_instance_path(const struct vmm_instance *instance);
void vmm_instance_event(struct vmm_instance *instance, const char *event, json_t *data);
void vmm_instance_state(struct vmm_instance *instance, const char *status);
void vmm_instance_answer(struct vmm_instance *instance, u64 call, struct vmm_answer *answer);
void vmm_instance_ready(struct vmm_instance *instance);
struct vmm_commands *vmm_instance_commands(struct vmm_instance *instance);

#endif /* INSTANCE_H */
