/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Seals the files of a snapshot, so that the VM that wrote them cannot change them afterwards.
 */
#ifndef CONTROL_SEAL_H
#define CONTROL_SEAL_H

#define VMM_SEAL_COPY	"copy"	/* name of a copy that is not complete yet */

int vmm_seal(int dir, const char *name, int *fd);

#endif /* CONTROL_SEAL_H */
