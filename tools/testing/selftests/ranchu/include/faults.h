/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Faults on demand: the n-th allocation or user copy below one of our modules'
 * functions fails, in one thread. When a worker is started, faults in the kernel's own
 * creation of its thread are not injected.
 */
#ifndef RANCHU_FAULTS_H
#define RANCHU_FAULTS_H

#include <stdbool.h>

enum faults_where {
	FAULTS_HERE,	/* in the thread that calls */
	FAULTS_GUEST,	/* in all of the process: who serves a guest is one of them, the
			 * worker or who rings the doorbell; allocations only
			 */
};

/* Sets up fault injection. Returns NULL, or the reason why it is not possible. */
const char *faults_missing(void);

/* @n: from 1 */
void faults_arm(enum faults_where where, unsigned int n);
/* Returns whether a fault has happened since. */
bool faults_disarm(enum faults_where where);

#endif /* RANCHU_FAULTS_H */
