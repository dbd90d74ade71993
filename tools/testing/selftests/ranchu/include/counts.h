/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel holds for everybody: files, tasks, pinned pages, objects of the
 * slabs that devices, processes and sockets are made of. What a test has begun and
 * ended leaves no trace in them.
 */
#ifndef RANCHU_COUNTS_H
#define RANCHU_COUNTS_H

#include <stdbool.h>

#define COUNTS_SLABS	64

struct counts_slab {
	char name[32];
	long objects;
};

/**
 * struct counts - at some moment
 * @files: open in the whole system
 * @tasks: threads in the whole system
 * @pins: pages pinned for good
 * @slabs: in use
 * @nr_slabs: how many; 0 if the kernel does not say
 */
struct counts {
	long files;
	long tasks;
	long pins;
	struct counts_slab slabs[COUNTS_SLABS];
	unsigned int nr_slabs;
};

void counts_take(struct counts *counts);

/*
 * Whether all come back to what they were: tasks and pins exactly; of files and
 * objects, which the kernel counts by the CPU and the page, no more than @slack are
 * left. Waits for what is freed later; says what does not come back.
 */
bool counts_return(const struct counts *before, long slack);

#endif /* RANCHU_COUNTS_H */
