// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is left to ranchu-gpu once it has its connection: that, files that come by it, and
 * memory. It can open no file, make no connection and start no program. A renderer that is
 * a library makes some more calls, but none of those.
 */
#include <seccomp.h>

#include "confine.h"
#include "gpu.h"
#include "host/helper_sandbox.h"
#include "server.h"

#define DATA_MAX	(64 * MIB)	/* beside the guest's memory and its pictures */
#define FILES_SPARE	64		/* beside one for each picture */

static const int calls[] = {
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(sendto),
	SCMP_SYS(recvfrom), SCMP_SYS(sendmsg), SCMP_SYS(recvmsg), SCMP_SYS(close),
	SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait), SCMP_SYS(epoll_pwait),
	SCMP_SYS(memfd_create), SCMP_SYS(ftruncate),
	SCMP_SYS(fcntl),	/* seals of a picture */
	SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex),
	SCMP_SYS(clock_gettime), SCMP_SYS(getrandom), SCMP_SYS(rt_sigprocmask),
	SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group),
};

/* What else a renderer does that is a library, beside threads. */
static const int calls_3d[] = {
	SCMP_SYS(poll), SCMP_SYS(ppoll),	/* how long it may take until a queue stops */
	SCMP_SYS(set_robust_list),		/* a thread begins */
	SCMP_SYS(rseq),				/* likewise */
	SCMP_SYS(sched_yield),			/* a thread waits for another for a moment */
	SCMP_SYS(getpid),			/* EGL: which thread has a context */
};

/**
 * gpu_confine - leave to this process what it needs from here on
 * @options: what the command line says
 *
 * The guest's memory is not counted: it belongs to the front end. Pictures count
 * themselves (resource.c); that none is larger than all together is the kernel's limit. So
 * is what a library takes: beyond it, contexts are refused, or the library ends the process.
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
