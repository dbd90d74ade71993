// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names of VMs: which are valid, and the default for a VM without --name.
 */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "host/vm_name.h"

/**
 * vmm_name_valid - return whether a VM can have a name
 * @name: letters, digits, "-", "_" and ".", the first a letter or a digit
 *
 * Return: whether it can
 */
bool vmm_name_valid(const char *name)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-_.";
	size_t len = strlen(name);

	return len && len < VMM_NAME_MAX && !strchr("-_.", *name) && strspn(name, letters) == len;
}

/**
 * vmm_name_default - make the name of a VM without --name
 * @name: filled; made from the process ID
 */
void vmm_name_default(char name[VMM_NAME_MAX])
{
	snprintf(name, VMM_NAME_MAX, "vm%d", (int)getpid());
}
