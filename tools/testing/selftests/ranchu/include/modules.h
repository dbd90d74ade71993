/* SPDX-License-Identifier: GPL-2.0-only */
/* Loading and removing the modules under test. */
#ifndef RANCHU_MODULES_H
#define RANCHU_MODULES_H

#include <stdbool.h>

/* The directory with the module files, or NULL if none is set. */
const char *modules_dir(void);

/* 0 or -errno; loading needs <modules_dir()>/<name>.ko. */
int __module_load(const char *name);
int __module_unload(const char *name);

/* Returns whether this result of an unload means that the module is in use. */
bool module_is_busy(int err);

/*
 * A module may stay in use shortly after the last close, or while a ring is served,
 * because another thread frees the file. Returns 0 or -errno; waits half a minute at most.
 */
int module_unload_when_idle(const char *name);

#define MODULES_MAX	16

struct modules {
	int count;
	char names[MODULES_MAX][64];
};

/* The modules that use symbols of @name, without @but. */
void modules_using(const char *name, const char *but, struct modules *users);

/* Loads all; returns 0 or the first -errno, without loading the rest. */
int __modules_load(const struct modules *modules);
int __modules_unload(const struct modules *modules);

#endif /* RANCHU_MODULES_H */
