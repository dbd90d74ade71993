/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the kernel holds for everybody: tasks, pinned pages, objects of the slabs that
 * files, devices, processes and sockets are made of. What a test has begun and ended
 * leaves no trace in them.
 */
#ifndef RANCHU_COUNTS_H
#define RANCHU_COUNTS_H

#include <stdbool.h>

#define COUNTS_SLABS	64
/* What the rest of the host may come by meanwhile: a round more, and each loss is seen. */
#define COUNTS_SLACK	20

struct counts_slab {
	char name[32];
	long objects;
};

/**
 * struct counts - at some moment
 * @tasks: threads in the whole system
 * @pins: pages pinned for good
 * @slabs: in use
 * @nr_slabs: how many; 0 if the kernel does not say
 */
struct counts {
	long tasks;
	long pins;
	struct counts_slab slabs[COUNTS_SLABS];
	unsigned int nr_slabs;
};

void counts_take(struct counts *counts);

/*
 * Whether all is what it was: tasks and pins exactly; of each kind of objects there
 * may be %COUNTS_SLACK more. If @tell, tells of each that is not.
 */
bool counts_are_back(const struct counts *before, bool tell);

/* Whether all comes back: waits for what is freed later; tells what does not. */
bool counts_return(const struct counts *before);

#endif /* RANCHU_COUNTS_H */
