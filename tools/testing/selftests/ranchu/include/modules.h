/* SPDX-License-Identifier: GPL-2.0-only */
/* Loading and removing the modules under test. */
#ifndef RANCHU_MODULES_H
#define RANCHU_MODULES_H

/* The directory with the module files, or NULL if nobody named one. */
const char *modules_dir(void);

/* 0 or -errno; loading needs <modules_dir()>/<name>.ko. */
int __module_load(const char *name);
int __module_unload(const char *name);

#endif /* RANCHU_MODULES_H */
