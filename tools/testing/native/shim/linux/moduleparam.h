/* SPDX-License-Identifier: GPL-2.0-only */
/* Module parameters, which keep their defaults. */
#ifndef SHIM_LINUX_MODULEPARAM_H
#define SHIM_LINUX_MODULEPARAM_H

#include "../kernel.h"

struct kernel_param {
	void *arg;
};

struct kernel_param_ops {
	int (*set)(const char *value, const struct kernel_param *param);
	int (*get)(char *page, const struct kernel_param *param);
};

#define module_param_cb(name, ops, arg, perm) \
	extern const struct kernel_param_ops *const shim_param_##name; \
	const struct kernel_param_ops *const shim_param_##name = (ops)
#define MODULE_PARM_DESC(name, text) _Static_assert(1, "")

#endif /* SHIM_LINUX_MODULEPARAM_H */
