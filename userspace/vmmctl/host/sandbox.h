/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The sandbox that vmmctl goes into once everything is open: what it may still ask
 * the kernel for. Each part says what it is for where it is made.
 */
#ifndef SANDBOX_H
#define SANDBOX_H

#include "types.h"

#define VMM_SANDBOX_PATHS	64
#define VMM_SANDBOX_PORTS	4
#define VMM_NO_SUCH_CALL	38	/* errno of a system call that a kernel lacks */

/* Who may make a system call. */
#define VMM_CALL_MAIN	1	/* the main thread, and threads that it starts */
#define VMM_CALL_VCPU	2	/* vCPU threads, and threads that they start */

/* What may be done below a path; without a row, nothing. */
enum vmm_sandbox_access {
	VMM_SANDBOX_READ,	/* open for reading, and list */
	VMM_SANDBOX_WRITE,	/* open for reading and writing */
	VMM_SANDBOX_REMOVE,	/* remove files from the directory, and itself */
};

/**
 * struct vmm_sandbox_path - a path that may still be used
 * @path: file or directory; one that is not there is passed over
 * @access: what for
 */
struct vmm_sandbox_path {
	const char *path;
	enum vmm_sandbox_access access;
};

/**
 * struct vmm_sandbox - what a VM may still do
 * @opens: files are still opened: the guest's kernel, at its reset
 * @paths: how many elements of @path are valid
 * @path: files that may still be used
 * @ports: how many elements of @port are valid
 * @port: TCP ports that may be connected to
 */
struct vmm_sandbox {
	bool opens;
	unsigned int paths;
	struct vmm_sandbox_path path[VMM_SANDBOX_PATHS];
	unsigned int ports;
	u16 port[VMM_SANDBOX_PORTS];
};

/**
 * struct vmm_sandbox_call - a system call that may be made
 * @name: its name
 * @who: VMM_CALL_*
 * @opening: only while files may still be opened
 * @why: what it is for
 */
struct vmm_sandbox_call {
	const char *name;
	unsigned int who;
	bool opening;
	const char *why;
};

extern const struct vmm_sandbox_call vmm_sandbox_calls[];

/* sandbox.c */
void vmm_sandbox_limits(void);
void vmm_sandbox_allow(struct vmm_sandbox *sandbox, const char *path,
		       enum vmm_sandbox_access access);
int vmm_sandbox_enter(const struct vmm_sandbox *sandbox);
int vmm_sandbox_vcpu(void);
unsigned int vmm_sandbox_count(unsigned int who, bool opens);

/* landlock.c */
int vmm_landlock(const struct vmm_sandbox *sandbox);

#endif /* SANDBOX_H */
