/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Counts of kernel objects: tasks, pinned pages, and the slabs of files, devices,
 * processes and sockets. After a test they must be as before.
 */
#ifndef RANCHU_COUNTS_H
#define RANCHU_COUNTS_H

#include <stdbool.h>

#define COUNTS_SLABS	64
/* Objects that the rest of the host may allocate meanwhile; tests make more rounds than this. */
#define COUNTS_SLACK	20

struct counts_slab {
	char name[32];
	long objects;
};

/**
 * struct counts - counts at one time
 * @tasks: threads in the whole system
 * @pins: pages pinned for good
 * @slabs: in use
 * @nr_slabs: their number; 0 if the kernel does not report it
 */
struct counts {
	long tasks;
	long pins;
	struct counts_slab slabs[COUNTS_SLABS];
	unsigned int nr_slabs;
};

void counts_take(struct counts *counts);

/*
 * Returns whether all counts are as before: tasks and pins exactly; of each kind of
 * objects there may be %COUNTS_SLACK more. With @tell prints each difference.
 */
bool counts_are_back(const struct counts *before, bool tell);

/* Waits for objects that are freed later; prints what is left, and returns false. */
bool counts_return(const struct counts *before);

#endif /* RANCHU_COUNTS_H */
