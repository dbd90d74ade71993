// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupt lines. The lines that eventfds drive are remembered, because KVM's VM is created
 * anew at each reset of the guest.
 */
#include "machine/machine.h"

/**
 * vmm_line_init - make a line that nothing drives
 * @line: filled
 * @vm: the VM
 * @number: which, with the board's numbering
 */
void vmm_line_init(struct vmm_line *line, struct vmm_vm *vm, u32 number)
{
	*line = (struct vmm_line){ .vm = vm, .number = number, .fd = -1, .resample_fd = -1 };
}

/**
 * vmm_line_set - set the level of a line
 * @line: the line; no eventfd drives it
 * @level: true is raised
 *
 * Context: any thread.
 */
void vmm_line_set(struct vmm_line *line, bool level)
{
	if (level)
		vmm_count(&line->raised, 1);
	line->vm->line_ops->set(line, level);
}

static int line_connect(struct vmm_line *line)
{
	int err = line->vm->line_ops->attach(line);

	return err || !line->told ? err : line->told(line->arg, line->vm->fd);
}

/**
 * vmm_line_attach - let eventfds drive a line, from now on and after each reset
 * @line: the line, which nothing drives so far
 * @fd: raises it
 * @resample_fd: see struct vmm_line
 *
 * Return: 0, or -errno
 */
int vmm_line_attach(struct vmm_line *line, int fd, int resample_fd)
{
	line->fd = fd;
	line->resample_fd = resample_fd;
	line->next = line->vm->lines;
	line->vm->lines = line;
	return line->vm->fd < 0 ? 0 : line_connect(line);
}

/**
 * vmm_lines_connect - connect all lines to a new interrupt controller
 * @vm: has one
 *
 * Return: 0, or -errno
 */
int vmm_lines_connect(struct vmm_vm *vm)
{
	struct vmm_line *line;
	int err;

	for (line = vm->lines; line; line = line->next) {
		err = line_connect(line);
		if (err)
			return err;
	}
	return 0;
}

/**
 * vmm_lines_disconnect - make devices release KVM's file of the VM
 * @vm: its vCPUs have no threads
 */
void vmm_lines_disconnect(struct vmm_vm *vm)
{
	struct vmm_line *line;

	for (line = vm->lines; line; line = line->next) {
		if (line->told)
			line->told(line->arg, -1);
	}
}
