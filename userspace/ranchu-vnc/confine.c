// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sandbox of the process that talks to viewers: it has its connections and memory. It
 * can open no file, make no connection and start no program. Other system calls fail, as
 * libraries expect of a system without them.
 */
#include <seccomp.h>

#include "host/helper_sandbox.h"
#include "ranchu_vnc.h"

#define MEMORY_MAX	(1024 * MIB)	/* since a viewer can make the library allocate memory */
#define FILES_MAX	64

static const int calls[] = {
	SCMP_SYS(read), SCMP_SYS(pread64), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev),
	SCMP_SYS(sendto), SCMP_SYS(recvfrom), SCMP_SYS(sendmsg), SCMP_SYS(recvmsg),
	SCMP_SYS(close), SCMP_SYS(dup3),
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6),
	SCMP_SYS(accept), SCMP_SYS(accept4), SCMP_SYS(getsockname), SCMP_SYS(getpeername),
	SCMP_SYS(getsockopt), SCMP_SYS(setsockopt), SCMP_SYS(shutdown), SCMP_SYS(fcntl),
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise),
	SCMP_SYS(futex), SCMP_SYS(clock_gettime), SCMP_SYS(gettimeofday), SCMP_SYS(time),
	SCMP_SYS(clock_nanosleep), SCMP_SYS(nanosleep), SCMP_SYS(getrandom),
	SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(restart_syscall), SCMP_SYS(getpid), SCMP_SYS(exit), SCMP_SYS(exit_group),
};

/**
 * vnc_confine - restrict this process to what it needs
 *
 * Return: 0, or -errno after a message
 */
int vnc_confine(void)
{
	static const struct vmm_helper_sandbox sandbox = {
		.calls = calls, .count = ARRAY_SIZE(calls),
		.memory = MEMORY_MAX, .files = FILES_MAX,
	};

	return vmm_helper_sandbox(&sandbox);
}
