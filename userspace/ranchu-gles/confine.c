// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sandbox of ranchu-gles after it has its files: it can use the file of services, rings,
 * fences, the screen, and memory for colour buffers. It cannot open files, connect or start
 * programs.
 */
#include <seccomp.h>

#include "host/helper_sandbox.h"
#include "screen.h"

#define DATA_MAX	(64 * MIB)	/* besides rings and colour buffers */
#define FILES_MAX	(GLES_BUFFERS + SERVER_PIPES + 32)

static const int calls[] = {
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(writev), SCMP_SYS(sendmsg), SCMP_SYS(recvfrom),
	SCMP_SYS(close), SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(eventfd2),
	SCMP_SYS(memfd_create), SCMP_SYS(ftruncate), SCMP_SYS(brk), SCMP_SYS(munmap),
	SCMP_SYS(mremap), SCMP_SYS(madvise), SCMP_SYS(futex), SCMP_SYS(clock_gettime),
	SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn), SCMP_SYS(restart_syscall),
	SCMP_SYS(exit), SCMP_SYS(exit_group),
};

/**
 * gles_confine - restrict this process
 * @memory: bytes of all colour buffers, and so of the largest one
 *
 * Return: 0, or -errno after a message
 */
int gles_confine(u64 memory)
{
	const struct vmm_helper_sandbox sandbox = {
		.calls = calls, .count = ARRAY_SIZE(calls),
		/* The ioctls of linux/vhost_goldfish_pipe.h and vhost_goldfish_sync.h. */
		.ioctls = "\xaf",
		.data = DATA_MAX, .file = memory, .files = FILES_MAX,
	};

	return vmm_helper_sandbox(&sandbox);
}
