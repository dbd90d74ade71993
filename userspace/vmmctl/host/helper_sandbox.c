// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sandbox of programs other than vmmctl: limits, and a list of system calls. A call that is
 * not in the list fails with EPERM; libraries then work as on a system that lacks it.
 */
#include <errno.h>
#include <sched.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "host/helper_sandbox.h"
#include "host/log.h"
#include "host/sandbox.h"
#include "host/sandbox_fcntl.h"

/* Lowers a limit; keeps one that is lower already, which only root could raise. */
static int limit(int what, u64 most)
{
	struct rlimit limits;

	if (getrlimit(what, &limits))
		return -errno;
	if (limits.rlim_max < most)
		most = limits.rlim_max;
	limits = (struct rlimit){ most, most };
	return setrlimit(what, &limits) ? -errno : 0;
}

static int limit_if(int what, u64 most)
{
	return most ? limit(what, most) : 0;
}

static int allow(scmp_filter_ctx ctx, const int *calls, unsigned int count)
{
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < count; i++)
		err = calls[i] == SCMP_SYS(fcntl) ? vmm_sandbox_allow_fcntl(ctx) :
		      seccomp_rule_add(ctx, SCMP_ACT_ALLOW, calls[i], 0);
	return err;
}

/* Allows a call that maps memory; executable memory only if @executable. */
static int allow_memory(scmp_filter_ctx ctx, int call, bool executable)
{
	if (executable)
		return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 0);
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, call, 1,
				SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
}

static int allow_ioctls(scmp_filter_ctx ctx, const char *types)
{
	int err = 0;

	for (; types && *types && !err; types++) {
		u64 type = (u64)(u8)*types << _IOC_TYPESHIFT;

		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(ioctl), 1,
				       SCMP_A1(SCMP_CMP_MASKED_EQ,
					       (u64)_IOC_TYPEMASK << _IOC_TYPESHIFT, type));
	}
	return err;
}

/* clone3 fails with ENOSYS: the C library then uses clone, whose flags can be filtered. */
static int allow_threads(scmp_filter_ctx ctx)
{
	const scmp_datum_t flags = CLONE_VM | CLONE_THREAD;
	int err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(clone), 1,
				   SCMP_A0(SCMP_CMP_MASKED_EQ, flags, flags));

	return err ? err : seccomp_rule_add(ctx, SCMP_ACT_ERRNO(VMM_NO_SUCH_CALL), SCMP_SYS(clone3),
					    0);
}

static int filter(const struct vmm_helper_sandbox *sandbox)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int err = ctx ? 0 : -ENOMEM;

	if (!err)
		err = allow(ctx, sandbox->calls, sandbox->count);
	if (!err)
		err = allow(ctx, sandbox->more, sandbox->more_count);
	if (!err)
		err = allow_memory(ctx, SCMP_SYS(mmap), sandbox->executable);
	if (!err)
		err = allow_memory(ctx, SCMP_SYS(mprotect), sandbox->executable);
	if (!err)
		err = allow_ioctls(ctx, sandbox->ioctls);
	if (!err && sandbox->threads)
		err = allow_threads(ctx);
	if (!err && sandbox->unix_sockets)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
				       SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0));
	/* Also confines threads that a library has started before. */
	if (!err && sandbox->threads)
		err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, 1);
	if (!err)
		err = seccomp_load(ctx);
	if (ctx)
		seccomp_release(ctx);
	return err;
}

/**
 * vmm_helper_sandbox - restrict this process
 * @sandbox: what the process may still do
 *
 * This cannot be undone.
 *
 * Return: 0, or -errno after a message
 */
int vmm_helper_sandbox(const struct vmm_helper_sandbox *sandbox)
{
	int err = limit_if(RLIMIT_AS, sandbox->memory);

	if (!err)
		err = limit_if(RLIMIT_DATA, sandbox->data);
	if (!err)
		err = limit_if(RLIMIT_FSIZE, sandbox->file);
	if (!err)
		err = limit(RLIMIT_NOFILE, sandbox->files);
	if (!err)
		err = limit(RLIMIT_CORE, 0);
	if (!err && prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		err = -errno;
	if (!err && prctl(PR_SET_DUMPABLE, 0, 0, 0, 0))
		err = -errno;
	if (!err)
		err = filter(sandbox);
	return err ? vmm_error(-err, "cannot enter the sandbox") : 0;
}
