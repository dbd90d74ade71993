// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sandbox of programs beside vmmctl: limits, and a list of system calls. A call that
 * is not in the list fails with EPERM, as libraries expect of a system that lacks it.
 */
#include <errno.h>
#include <seccomp.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>

#include "host/helper_sandbox.h"
#include "host/log.h"

static int limit(int what, u64 most)
{
	struct rlimit limits = { most, most };

	return setrlimit(what, &limits) ? -errno : 0;
}

static int limit_if(int what, u64 most)
{
	return most ? limit(what, most) : 0;
}

/* Memory, but never to be executed. */
static int allow_memory(scmp_filter_ctx ctx, int call)
{
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

static int filter(const struct vmm_helper_sandbox *sandbox)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_ERRNO(EPERM));
	int err = ctx ? 0 : -ENOMEM;
	unsigned int i;

	for (i = 0; !err && i < sandbox->count; i++)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, sandbox->calls[i], 0);
	if (!err)
		err = allow_memory(ctx, SCMP_SYS(mmap));
	if (!err)
		err = allow_memory(ctx, SCMP_SYS(mprotect));
	if (!err)
		err = allow_ioctls(ctx, sandbox->ioctls);
	if (!err && sandbox->unix_sockets)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(socket), 1,
				       SCMP_A0(SCMP_CMP_EQ, AF_UNIX, 0));
	if (!err)
		err = seccomp_load(ctx);
	if (ctx)
		seccomp_release(ctx);
	return err;
}

/**
 * vmm_helper_sandbox - leave to this process what it needs from here on
 * @sandbox: what that is
 *
 * There is no way back.
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
