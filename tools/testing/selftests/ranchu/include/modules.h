/* SPDX-License-Identifier: GPL-2.0-only */
/* Loading and removing the modules under test. */
#ifndef RANCHU_MODULES_H
#define RANCHU_MODULES_H

#include <stdbool.h>

/* The directory with the module files, or NULL if nobody named one. */
const char *modules_dir(void);

/* 0 or -errno; loading needs <modules_dir()>/<name>.ko. */
int __module_load(const char *name);
int __module_unload(const char *name);

/* What unloading a module says that is in use. */
bool module_is_busy(int err);

/*
 * Whoever closed the last file, or had a ring that is on its way, may hold the module for a
 * moment more: another thread puts a file away. 0 or -errno; half a minute at most.
 */
int module_unload_when_idle(const char *name);

#define MODULES_MAX	16

struct modules {
	int count;
	char names[MODULES_MAX][64];
};

/* The modules that use symbols of @name's, @but left out. */
void modules_using(const char *name, const char *but, struct modules *users);

/* All of them; 0 or the first -errno, with the rest left as they are. */
int __modules_load(const struct modules *modules);
int __modules_unload(const struct modules *modules);

#endif /* RANCHU_MODULES_H */
