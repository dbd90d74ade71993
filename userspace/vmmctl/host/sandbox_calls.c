// SPDX-License-Identifier: GPL-2.0-only
/*
 * The system calls that a running VM may make, each with its reason. Some are allowed with
 * certain arguments only: see sandbox.c.
 */
#include "host/sandbox.h"

#define MAIN	VMM_CALL_MAIN
#define BOTH	(VMM_CALL_MAIN | VMM_CALL_VCPU)

/** The calls; one without a name ends the list. */
const struct vmm_sandbox_call vmm_sandbox_calls[] = {
	/* Devices and the kernel's helpers. */
	{ "ioctl", BOTH, "KVM_RUN, and everything asked of KVM and vhost" },
	{ "read", BOTH, "eventfds, timers, signals, the terminal" },
	{ "write", BOTH, "eventfds, the terminal, messages" },
	{ "pread64", BOTH, "statistics, connections, kernel, initrd, a token, GPU pixels, sound" },
	{ "pwrite64", BOTH, "state and log of the VM, sound" },
	{ "preadv2", BOTH, "eventfds, disks that vmmctl serves itself" },
	{ "pwritev2", BOTH, "disks that vmmctl serves itself" },
	{ "lseek", BOTH, "the size of such a disk, when it is read again" },
	{ "fallocate", BOTH, "discard of such a disk, holes of one that goes back to a snapshot" },
	{ "fdatasync", BOTH, "flush of such a disk" },
	{ "ftruncate", BOTH, "state and log of the VM, overlays of disks" },
	{ "newfstatat", BOTH, "the size of a disk, of a kernel, and of a GPU's picture" },
	{ "close", BOTH, "connections, rings" },
	{ "dup3", MAIN, "connecting again, what is below a disk's overlay" },
	{ "readv", MAIN, "input of the virtio console" },
	{ "fcntl", BOTH, "flags of a connection, locks, seals of a GPU's picture" },
	{ "eventfd2", BOTH, "rings that start" },
	{ "timerfd_settime", BOTH, "timers" },
	/* Waiting. */
	{ "epoll_ctl", BOTH, "the main loop" },
	{ "epoll_pwait", MAIN, "the main loop" },
	{ "ppoll", BOTH, "threads that wait for a file" },
	{ "poll", BOTH, "threads that wait for a file" },
	{ "futex", BOTH, "locks, waiting for threads" },
	{ "setitimer", BOTH, "the end within a second of SIGTERM" },
	{ "clock_gettime", BOTH, "time, where it cannot be read from memory" },
	{ "getrandom", BOTH, "virtio-rng, seeds of a guest that starts again" },
	{ "restart_syscall", BOTH, "waiting that was interrupted" },
	/* Connections. */
	{ "socket", MAIN, "Unix sockets, and TCP to the adb server; no datagrams" },
	{ "connect", MAIN, "the same" },
	{ "accept4", MAIN, "clients of adb, vsock, console and control socket" },
	{ "socketpair", BOTH, "requests and screens of a vhost-user process" },
	{ "getsockname", MAIN, "who a client of adb is" },
	{ "getpeername", MAIN, "who a client of adb is" },
	{ "setsockopt", BOTH, "TCP_NODELAY" },
	{ "shutdown", BOTH, "closing a connection" },
	{ "sendto", BOTH, "connections" },
	{ "recvfrom", BOTH, "connections" },
	{ "sendmsg", BOTH, "files for vhost-user processes, the screen's file" },
	{ "recvmsg", BOTH, "files of vhost-user processes" },
	/* Memory; never to be executed. */
	{ "mmap", BOTH, "the allocator, threads, rings, RAM of a snapshot" },
	{ "munmap", BOTH, "the same" },
	{ "mprotect", BOTH, "the allocator, threads" },
	{ "mremap", BOTH, "the allocator" },
	{ "madvise", BOTH, "memory that the balloon gives back" },
	{ "brk", BOTH, "the allocator" },
	/* Threads and signals; no processes. */
	{ "clone", BOTH, "threads of rings and vCPUs" },
	{ "set_robust_list", BOTH, "threads that start" },
	{ "rseq", BOTH, "threads that start" },
	{ "prctl", BOTH, "names of threads, and their narrower lists" },
	{ "seccomp", BOTH, "a narrower list for vCPUs" },
	{ "rt_sigprocmask", BOTH, "threads that start and end" },
	{ "rt_sigaction", MAIN, "the vCPUs' signal, RAM whose file is lost" },
	{ "rt_sigreturn", BOTH, "the vCPUs' signal" },
	{ "tgkill", BOTH, "the vCPUs' signal" },
	{ "getpid", BOTH, "the same" },
	{ "gettid", BOTH, "the same" },
	{ "exit", BOTH, "threads that end" },
	{ "exit_group", BOTH, "the end of the process" },
	{ "unlinkat", BOTH, "sockets and the VM's directory, at the end; by any thread" },
#ifdef __SANITIZE_ADDRESS__
	{ "sched_getaffinity", BOTH, "threads of a build with sanitizers" },
	{ "sigaltstack", BOTH, "threads of a build with sanitizers" },
#endif
	{ }
};
