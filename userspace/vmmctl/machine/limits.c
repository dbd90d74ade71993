// SPDX-License-Identifier: GPL-2.0-only
/*
 * Resource limits. vmmctl raises at its start those that it may raise. For the others, code
 * that is about to need them asks here, because the kernel's error says too little.
 *
 * Source: setrlimit(2)
 */
#include <sys/resource.h>

#include "machine/limits.h"

static void raise_limit(int which)
{
	struct rlimit limit;

	if (getrlimit(which, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(which, &limit);
}

/**
 * vmm_limits_raise - raise the limits that a VM may need, as far as the hard limits permit
 *
 * A VM has a file for each doorbell, and kernel devices may lock guest RAM.
 */
void vmm_limits_raise(void)
{
	raise_limit(RLIMIT_NOFILE);
	raise_limit(RLIMIT_MEMLOCK);
}

/* Compares with the hard limit if @hard: vmmctl has raised the soft one. */
static bool within(int which, bool hard, u64 amount, u64 *limit)
{
	struct rlimit rlimit;

	*limit = ~0ULL;
	if (getrlimit(which, &rlimit))
		return true;
	if (hard)
		rlimit.rlim_cur = rlimit.rlim_max;
	if (rlimit.rlim_cur == RLIM_INFINITY)
		return true;
	*limit = rlimit.rlim_cur;
	return amount <= *limit;
}

/**
 * vmm_limits_lock - ask whether memory can be locked
 * @bytes: how much
 * @limit: filled: bytes that can
 *
 * Return: whether it can
 */
bool vmm_limits_lock(u64 bytes, u64 *limit)
{
	return within(RLIMIT_MEMLOCK, true, bytes, limit);
}

/**
 * vmm_limits_file - ask whether a file can be so large
 * @bytes: how large
 * @limit: filled: bytes that a file can have
 *
 * Guest RAM is a file, too.
 *
 * Return: whether it can
 */
bool vmm_limits_file(u64 bytes, u64 *limit)
{
	return within(RLIMIT_FSIZE, false, bytes, limit);
}

/**
 * vmm_limits_files - ask whether so many files can be open
 * @count: how many
 * @limit: filled: how many can
 *
 * Return: whether they can
 */
bool vmm_limits_files(u64 count, u64 *limit)
{
	return within(RLIMIT_NOFILE, true, count, limit);
}
