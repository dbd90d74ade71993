/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The commands of fcntl() that a sandboxed process may use: on files that it has, for itself.
 * Others are not: F_SETOWN and F_SETSIG let the kernel send any signal to any process of the
 * same user when a socket becomes readable, which is a kill() that no filter sees.
 */
#ifndef HOST_SANDBOX_FCNTL_H
#define HOST_SANDBOX_FCNTL_H

#include <fcntl.h>
#include <seccomp.h>

static inline int vmm_sandbox_allow_fcntl(scmp_filter_ctx ctx)
{
	static const int commands[] = {
		F_DUPFD, F_DUPFD_CLOEXEC, F_GETFD, F_SETFD, F_GETFL, F_SETFL,
		F_GETLK, F_SETLK, F_SETLKW, F_OFD_SETLK, F_ADD_SEALS, F_GET_SEALS,
	};
	unsigned int i;
	int err = 0;

	/* The kernel looks at the low half only. */
	for (i = 0; !err && i < sizeof(commands) / sizeof(commands[0]); i++)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, SCMP_SYS(fcntl), 1,
				       SCMP_A1(SCMP_CMP_MASKED_EQ, 0xffffffff,
					       (scmp_datum_t)commands[i]));
	return err;
}

#endif /* HOST_SANDBOX_FCNTL_H */
