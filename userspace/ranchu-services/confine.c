// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sandbox of ranchu-services, entered with its files open: the link, the file of services,
 * rings, the guest's log, and memory. It can open no file, make no connection and start no
 * program.
 */
#include <seccomp.h>

#include "host/helper_sandbox.h"
#include "server.h"

#define DATA_MAX	(64 * MIB)
#define FILES_MAX	(SERVER_PIPES + 32)

static const int calls[] = {
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(pread64), SCMP_SYS(pwrite64),
	SCMP_SYS(ftruncate), SCMP_SYS(sendmsg), SCMP_SYS(recvfrom),
	SCMP_SYS(close), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(eventfd2), SCMP_SYS(brk),
	SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex),
	SCMP_SYS(clock_gettime), SCMP_SYS(getrandom), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group),
};

/**
 * services_confine - restrict this process to what it needs
 *
 * Return: 0, or -errno after a message
 */
int services_confine(void)
{
	static const struct vmm_helper_sandbox sandbox = {
		.calls = calls, .count = ARRAY_SIZE(calls),
		/* The ioctls of linux/vhost_goldfish_pipe.h. */
		.ioctls = "\xaf",
		.data = DATA_MAX, .files = FILES_MAX,
	};

	return vmm_helper_sandbox(&sandbox);
}
