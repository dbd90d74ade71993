// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sandbox of ranchu-gpu after it has its connection: it can use the connection, files that
 * come by it, and memory. It cannot open files, connect or start programs. A renderer in a
 * library needs some more system calls, but none for those.
 */
#include <seccomp.h>

#include "confine.h"
#include "gpu.h"
#include "host/helper_sandbox.h"
#include "server.h"

#define DATA_MAX	(64 * MIB)	/* besides the guest's memory and its pictures */
#define FILES_SPARE	64		/* besides one for each picture */

static const int calls[] = {
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(sendto),
	SCMP_SYS(recvfrom), SCMP_SYS(sendmsg), SCMP_SYS(recvmsg), SCMP_SYS(close),
	SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
	SCMP_SYS(memfd_create), SCMP_SYS(ftruncate),
	SCMP_SYS(fcntl),	/* to seal the file of a picture */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex),
	SCMP_SYS(clock_gettime), SCMP_SYS(getrandom), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group),
};

/* Further system calls of a renderer in a library, besides those for threads. */
static const int calls_3d[] = {
	SCMP_SYS(poll), SCMP_SYS(ppoll),	/* the timeout for stopping a queue */
	SCMP_SYS(set_robust_list),		/* start of a thread */
	SCMP_SYS(rseq),				/* likewise */
	SCMP_SYS(sched_yield),			/* short waits between threads */
	SCMP_SYS(getpid),			/* EGL: to identify threads */
};

/**
 * gpu_confine - restrict this process
 * @options: the command line
 *
 * The guest's memory is not limited: it belongs to the front end. resource.c counts pictures;
 * the kernel limits the size of one to that of all. A library's memory has a limit: beyond it,
 * creating contexts fails, or the library ends the process.
 *
 * Return: 0, or -errno after a message
 */
int gpu_confine(const struct server_options *options)
{
	struct vmm_helper_sandbox sandbox = {
		.calls = calls, .count = ARRAY_SIZE(calls),
		.data = DATA_MAX + options->memory, .file = options->memory,
		.files = GPU_RESOURCES + FILES_SPARE,
	};

	if (options->renderer->ops->three_d) {
		sandbox.more = calls_3d;
		sandbox.more_count = ARRAY_SIZE(calls_3d);
		sandbox.threads = true;
		sandbox.executable = options->jit;
		sandbox.data = options->data;
	}
	return vmm_helper_sandbox(&sandbox);
}
