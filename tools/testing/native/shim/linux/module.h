/* SPDX-License-Identifier: GPL-2.0-only */
/* A module, whose references are counted. */
#ifndef SHIM_LINUX_MODULE_H
#define SHIM_LINUX_MODULE_H

#include "../kernel.h"
#include "printk.h"

struct module {
	int references;
};

extern struct module shim_module;

#define THIS_MODULE (&shim_module)
#define __init
#define __module_get(module) ((void)(module)->references++)
#define module_put(module) ((void)(module)->references--)

#endif /* SHIM_LINUX_MODULE_H */
