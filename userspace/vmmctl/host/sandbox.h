/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sandbox that vmmctl enters when all files are open: the system calls that it may still
 * make. Each part is explained where it is implemented.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include "types.h"

#define VMM_SANDBOX_FOLDERS	8
#define VMM_SANDBOX_PORTS	4
#define VMM_NO_SUCH_CALL	38	/* errno of a system call that a kernel lacks */

/* Threads that may make a system call. */
#define VMM_CALL_MAIN	1	/* the main thread, and threads that it starts */
#define VMM_CALL_VCPU	2	/* vCPU threads, and threads that they start */

/**
 * struct vmm_sandbox - what a VM may still do, besides using open files
 * @folders: how many elements of @folder are valid
 * @folder: directories; files may be removed in them and, because of Landlock, in directories
 *	below them. Missing ones are ignored
 * @above: directory in and below which empty directories may be removed, or NULL
 * @ports: how many elements of @port are valid
 * @port: TCP ports that may be connected to
 * @unix_sockets: Unix sockets may be created, and connected to any socket that the user may
 *	connect to: no kernel restricts that by path
 *
 * No file can be opened.
 */
struct vmm_sandbox {
	unsigned int folders;
	const char *folder[VMM_SANDBOX_FOLDERS];
	const char *above;
	unsigned int ports;
	u16 port[VMM_SANDBOX_PORTS];
	bool unix_sockets;
};

/**
 * struct vmm_sandbox_call - an allowed system call
 * @name: its name
 * @who: VMM_CALL_*
 * @why: what it is needed for
 */
struct vmm_sandbox_call {
	const char *name;
	unsigned int who;
	const char *why;
};

extern const struct vmm_sandbox_call vmm_sandbox_calls[];

/* sandbox.c */
void vmm_sandbox_limits(void);
void vmm_sandbox_removes(struct vmm_sandbox *sandbox, const char *folder);
int vmm_sandbox_enter(const struct vmm_sandbox *sandbox);
int vmm_sandbox_vcpu(void);
unsigned int vmm_sandbox_count(unsigned int who);

/* landlock.c */
int vmm_landlock(const struct vmm_sandbox *sandbox);

#endif /* SANDBOX_H */
