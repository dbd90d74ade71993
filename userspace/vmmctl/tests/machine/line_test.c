// SPDX-License-Identifier: GPL-2.0-only
/*
 * Interrupt lines: callbacks when a VM starts, and when one must end.
 */
#include <errno.h>

#include "machine/machine.h"
#include "tests/tap.h"

#define NOT_TOLD	-2

static int attached;
static int refused;
static int told_at[2];
static int told_fd[2];

static int attach(struct vmm_line *line)
{
	(void)line;
	attached++;
	return refused;
}

static const struct vmm_line_ops ops = { .attach = attach };

static int told(void *arg, int vm_fd)
{
	int i = arg == &told_fd[1];

	told_at[i] = attached;
	told_fd[i] = vm_fd;
	return vm_fd == 13 ? -EIO : 0;
}

/* Two lines, of which the first has callbacks; the VM is switched off. */
static void begin(struct vmm_vm *vm, struct vmm_line *lines)
{
	unsigned int i;

	attached = 0;
	refused = 0;
	*vm = (struct vmm_vm){ .line_ops = &ops, .fd = -1 };
	for (i = 0; i < 2; i++) {
		told_fd[i] = NOT_TOLD;
		vmm_line_init(&lines[i], vm, i);
	}
	lines[0].told = told;
	lines[0].arg = &told_fd[0];
	for (i = 0; i < 2; i++)
		tap_equal(vmm_line_attach(&lines[i], 3, 4), 0);
	tap_equal(attached, 0);
	tap_equal(told_fd[0], NOT_TOLD);
}

static void each_life_is_told(void)
{
	struct vmm_line lines[2];
	struct vmm_vm vm;
	int fd;

	begin(&vm, lines);
	for (fd = 7; fd < 9; fd++) {
		attached = 0;
		vm.fd = fd;
		tap_equal(vmm_lines_connect(&vm), 0);
		tap_equal(attached, 2);
		/* After the irqfd, the fallback. */
		tap_check(told_at[0] > 0);
		tap_equal(told_fd[0], fd);
		vmm_lines_disconnect(&vm);
		tap_equal(told_fd[0], -1);
	}
	tap_equal(told_fd[1], NOT_TOLD);
}

static void a_line_that_comes_later(void)
{
	struct vmm_line lines[2];
	struct vmm_line late;
	struct vmm_vm vm;

	begin(&vm, lines);
	vm.fd = 7;
	vmm_line_init(&late, &vm, 2);
	late.told = told;
	late.arg = &told_fd[1];
	tap_equal(vmm_line_attach(&late, 5, 6), 0);
	tap_equal(told_fd[1], 7);
}

static void failures_are_reported(void)
{
	struct vmm_line lines[2];
	struct vmm_vm vm;

	begin(&vm, lines);
	vm.fd = 13;
	tap_equal(vmm_lines_connect(&vm), -EIO);
	begin(&vm, lines);
	refused = -EBADF;
	vm.fd = 7;
	tap_equal(vmm_lines_connect(&vm), -EBADF);
	tap_equal(told_fd[0], NOT_TOLD);
}

static const struct tap_case cases[] = {
	{ "a line's device is told of each VM, and before it ends", each_life_is_told },
	{ "a line that is attached later is told at once", a_line_that_comes_later },
	{ "what refuses a VM ends its start", failures_are_reported },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
