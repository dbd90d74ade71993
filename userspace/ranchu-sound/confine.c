// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sandbox of ranchu-sound, entered when its devices have been opened once. ALSA
 * opens files and talks to sound servers whenever a sound begins, so that is allowed; it
 * can start no program, use no network but Unix sockets, and load no new code.
 */
#include <dlfcn.h>
#include <link.h>
#include <seccomp.h>

#include "host/helper_sandbox.h"
#include "ranchu_sound.h"

#define MEMORY_MAX	(512 * MIB)
#define FILES_MAX	256

static const int calls[] = {
	SCMP_SYS(read), SCMP_SYS(write), SCMP_SYS(readv), SCMP_SYS(writev), SCMP_SYS(pread64),
	SCMP_SYS(pwrite64), SCMP_SYS(lseek), SCMP_SYS(open), SCMP_SYS(openat), SCMP_SYS(close),
	SCMP_SYS(stat), SCMP_SYS(fstat), SCMP_SYS(lstat), SCMP_SYS(newfstatat), SCMP_SYS(statx),
	SCMP_SYS(access), SCMP_SYS(faccessat), SCMP_SYS(faccessat2), SCMP_SYS(readlink),
	SCMP_SYS(readlinkat), SCMP_SYS(getdents64), SCMP_SYS(getcwd), SCMP_SYS(fcntl),
	SCMP_SYS(flock), SCMP_SYS(ftruncate), SCMP_SYS(dup), SCMP_SYS(dup3),
	SCMP_SYS(poll), SCMP_SYS(ppoll), SCMP_SYS(select), SCMP_SYS(pselect6),
	SCMP_SYS(epoll_create1), SCMP_SYS(epoll_ctl), SCMP_SYS(epoll_wait),
	SCMP_SYS(epoll_pwait), SCMP_SYS(eventfd2), SCMP_SYS(pipe2), SCMP_SYS(timerfd_create),
	SCMP_SYS(timerfd_settime), SCMP_SYS(timerfd_gettime), SCMP_SYS(signalfd4),
	SCMP_SYS(connect), SCMP_SYS(socketpair), SCMP_SYS(sendto), SCMP_SYS(recvfrom),
	SCMP_SYS(sendmsg), SCMP_SYS(recvmsg), SCMP_SYS(shutdown), SCMP_SYS(getsockname),
	SCMP_SYS(getpeername), SCMP_SYS(getsockopt), SCMP_SYS(setsockopt),
	SCMP_SYS(memfd_create), SCMP_SYS(brk), SCMP_SYS(munmap), SCMP_SYS(mremap),
	SCMP_SYS(madvise), SCMP_SYS(mlock), SCMP_SYS(munlock), SCMP_SYS(clone), SCMP_SYS(clone3),
	SCMP_SYS(futex), SCMP_SYS(set_robust_list), SCMP_SYS(rseq), SCMP_SYS(membarrier),
	SCMP_SYS(sched_yield), SCMP_SYS(sched_getaffinity), SCMP_SYS(sched_getparam),
	SCMP_SYS(sched_getscheduler), SCMP_SYS(sched_setscheduler), SCMP_SYS(prctl),
	SCMP_SYS(clock_gettime), SCMP_SYS(clock_getres), SCMP_SYS(clock_nanosleep),
	SCMP_SYS(nanosleep), SCMP_SYS(gettimeofday), SCMP_SYS(getrandom), SCMP_SYS(sysinfo),
	SCMP_SYS(uname), SCMP_SYS(getpid), SCMP_SYS(gettid), SCMP_SYS(getuid),
	SCMP_SYS(geteuid), SCMP_SYS(getgid), SCMP_SYS(getegid), SCMP_SYS(prlimit64),
	SCMP_SYS(rt_sigaction), SCMP_SYS(rt_sigprocmask), SCMP_SYS(rt_sigreturn),
	SCMP_SYS(tgkill), SCMP_SYS(restart_syscall), SCMP_SYS(exit), SCMP_SYS(exit_group),
};

static int library_keep(struct dl_phdr_info *info, size_t size, void *data)
{
	(void)size;
	(void)data;
	/* The handle is never closed, so it is not kept. */
	if (*info->dlpi_name)
		dlopen(info->dlpi_name, RTLD_NOW | RTLD_NOLOAD | RTLD_NODELETE);
	return 0;
}

/**
 * sound_keep_libraries - keep all libraries that are loaded now
 *
 * ALSA unloads those of a device that it closes, and could not load them again.
 */
void sound_keep_libraries(void)
{
	dl_iterate_phdr(library_keep, NULL);
}

/**
 * sound_confine - restrict this process to what it needs
 *
 * Return: 0, or -errno after a message
 */
int sound_confine(void)
{
	const struct vmm_helper_sandbox sandbox = {
		.calls = calls, .count = ARRAY_SIZE(calls), .unix_sockets = true,
		/* The ioctls of ALSA's streams and controls. */
		.ioctls = "AU",
		.data = MEMORY_MAX, .files = FILES_MAX,
	};

	return vmm_helper_sandbox(&sandbox);
}
