/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sandbox of the programs that show or draw something for a VM (ranchu-vnc, ranchu-gpu,
 * ranchu-sound). vmmctl's own sandbox is in host/sandbox.h.
 */
#ifndef HELPER_SANDBOX_H
#define HELPER_SANDBOX_H

#include "types.h"

/**
 * struct vmm_helper_sandbox - what a program may still do
 * @calls: numbers of system calls that are allowed with any arguments, as libseccomp has
 *	them. mmap and mprotect need not be named: both are allowed for memory that is not
 *	to be executed
 * @count: how many
 * @ioctls: types of allowed ioctls, a string; NULL: none. Type 'T' includes TIOCSTI, which
 *	types into the program's terminal
 * @more: as @calls, for calls that only some runs of the program need; may be NULL
 * @more_count: how many
 * @threads: threads can be created, but no processes; existing threads are confined as well
 * @executable: memory can be executable
 * @unix_sockets: Unix sockets can be created, but no others
 * @memory: bytes of address space, 0 for no limit
 * @data: bytes of private anonymous memory, 0 for no limit
 * @file: bytes of the largest file that can be written, 0 for no limit
 * @files: how many files can be open
 */
struct vmm_helper_sandbox {
	const int *calls;
	unsigned int count;
	const char *ioctls;
	const int *more;
	unsigned int more_count;
	bool threads;
	bool executable;
	bool unix_sockets;
	u64 memory;
	u64 data;
	u64 file;
	unsigned int files;
};

/* ---- helper_sandbox.c ---- */

int vmm_helper_sandbox(const struct vmm_helper_sandbox *sandbox);

#endif /* HELPER_SANDBOX_H */
