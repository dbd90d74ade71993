// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is left to ranchu-gpu once it has its connection: that, files that come by it, and
 * memory. It can open no file, make no connection and start no program.
 */
#include <seccomp.h>

#include "confine.h"
#include "gpu.h"
#include "host/helper_sandbox.h"

#define DATA_MAX	(64 * MIB)	/* beside the guest's memory and its pictures */
#define FILES_SPARE	64		/* beside one for each picture */

static const int calls[] = {
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(sendto),
	SCMP_SYS(recvfrom), SCMP_SYS(sendmsg), SCMP_SYS(recvmsg), SCMP_SYS(close),
	SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
	SCMP_SYS(memfd_create), SCMP_SYS(ftruncate), SCMP_SYS(brk), SCMP_SYS(munmap),
	SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex), SCMP_SYS(clock_gettime),
	SCMP_SYS(getrandom), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group),
};

/**
 * gpu_confine - leave to this process what it needs from here on
 * @memory: bytes that the guest's pictures may take
 *
 * The guest's memory is not counted: it belongs to the front end. Pictures count
 * themselves (resource.c); that none is larger than all together is the kernel's limit.
 *
 * Return: 0, or -errno after a message
 */
int gpu_confine(u64 memory)
{
	const struct vmm_helper_sandbox sandbox = {
		.calls = calls, .count = ARRAY_SIZE(calls),
		.data = DATA_MAX + memory, .file = memory, .files = GPU_RESOURCES + FILES_SPARE,
	};

	return vmm_helper_sandbox(&sandbox);
}
