/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Names of VMs.
 */
#ifndef VM_NAME_H
#define VM_NAME_H

#include <stdbool.h>

#define VMM_NAME_MAX	64	/* bytes of a VM's name, its end included */

bool vmm_name_valid(const char *name);
void vmm_name_default(char name[VMM_NAME_MAX]);

#endif /* VM_NAME_H */
