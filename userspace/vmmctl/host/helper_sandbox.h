/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sandbox of programs beside vmmctl, which show or draw something for a VM
 * (ranchu-vnc, ranchu-gpu, ranchu-sound). vmmctl's own is in host/sandbox.h.
 */
#ifndef HELPER_SANDBOX_H
#define HELPER_SANDBOX_H

#include "types.h"

/**
 * struct vmm_helper_sandbox - what is left to a program
 * @calls: numbers of system calls that are allowed with any arguments, as libseccomp has
 *	them. mmap and mprotect need not be named: both are allowed for memory that is not
 *	to be executed
 * @count: how many
 * @ioctls: types of the ioctls that are allowed, a string; NULL: none. TIOCSTI, which types
 *	into its terminal, is among those of type 'T'
 * @more: as @calls, for what only some runs of the program do; may be NULL
 * @more_count: how many
 * @threads: threads can be made, and no processes; all threads of now are confined as well
 * @executable: memory can be executed
 * @unix_sockets: Unix sockets can be made, and no others
 * @memory: bytes of address space, 0 for no limit
 * @data: bytes of memory that is neither a file's nor shared, 0 for no limit
 * @file: bytes of the largest file that can be made, 0 for no limit
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
