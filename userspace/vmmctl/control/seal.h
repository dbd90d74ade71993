/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Files of a snapshot that the VM, which has written them, can write to no more.
 */
#ifndef CONTROL_SEAL_H
#define CONTROL_SEAL_H

#define VMM_SEAL_COPY	"copy"	/* name of a copy that is not whole yet */

int vmm_seal(int dir, const char *name, int *fd);

#endif /* CONTROL_SEAL_H */
