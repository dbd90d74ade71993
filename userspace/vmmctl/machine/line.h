/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Interrupt lines. A device raises its line and does not know which interrupt
 * controller is at the other end.
 */
#ifndef MACHINE_LINE_H
#define MACHINE_LINE_H

#include "types.h"

struct vmm_line;
struct vmm_vm;

/**
 * struct vmm_line_ops - the controller at the end of a line
 * @set: sets the level; any thread
 * @attach: lets @line->fd raise the line; 0, or -errno after a message
 */
struct vmm_line_ops {
	void (*set)(struct vmm_line *line, bool level);
	int (*attach)(struct vmm_line *line);
};

/**
 * struct vmm_line - an interrupt line
 * @vm: the VM; its @line_ops say what is at the other end
 * @number: which, with the board's numbering
 * @fd: eventfd that raises it, or -1
 * @resample_fd: level-triggered: eventfd, signalled when the guest ended the
 *	interrupt and the line was lowered; else -1
 * @raised: how often a device raised it; eventfds are not counted
 * @next: in the VM's list of lines that have an @fd
 * @told: NULL, or a function that gets KVM's file of each new VM when the line is connected,
 *	and -1 before that file is closed; 0, or -errno after a message
 * @arg: argument of @told
 */
struct vmm_line {
	struct vmm_vm *vm;
	u32 number;
	int fd;
	int resample_fd;
	u64 raised;
	struct vmm_line *next;
	int (*told)(void *arg, int vm_fd);
	void *arg;
};

/* ---- line.c ---- */

void vmm_line_init(struct vmm_line *line, struct vmm_vm *vm, u32 number);
void vmm_line_set(struct vmm_line *line, bool level);
int vmm_line_attach(struct vmm_line *line, int fd, int resample_fd);
int vmm_lines_connect(struct vmm_vm *vm);
void vmm_lines_disconnect(struct vmm_vm *vm);

#endif /* MACHINE_LINE_H */
