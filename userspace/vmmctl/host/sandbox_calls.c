// SPDX-License-Identifier: GPL-2.0-only
/*
 * The system calls that are left to a running VM, each with its reason. Some are
 * allowed with certain arguments only: see sandbox.c.
 */
#include "host/sandbox.h"

#define MAIN	VMM_CALL_MAIN
#define BOTH	(VMM_CALL_MAIN | VMM_CALL_VCPU)

/** The calls; one without a name ends the list. */
const struct vmm_sandbox_call vmm_sandbox_calls[] = {
	/* Devices and the kernel's helpers. */
	{ "ioctl", BOTH, false, "KVM_RUN, and everything asked of KVM and vhost" },
	{ "read", BOTH, false, "eventfds, timers, signals, the terminal" },
	{ "write", BOTH, false, "eventfds, the terminal, messages" },
	{ "writev", BOTH, false, "messages" },
	{ "pread64", BOTH, false, "KVM's statistics, the log, the list of TCP connections" },
	{ "pwrite64", BOTH, false, "state and log of the VM" },
	{ "preadv", BOTH, false, "disks that vmmctl serves itself" },
	{ "pwritev", BOTH, false, "disks that vmmctl serves itself" },
	{ "fallocate", BOTH, false, "discard of such a disk" },
	{ "fdatasync", BOTH, false, "flush of such a disk" },
	{ "ftruncate", BOTH, false, "state and log of the VM" },
	{ "newfstatat", BOTH, false, "the size of a disk" },
	{ "close", BOTH, false, "connections, rings" },
	{ "dup3", MAIN, false, "a connection that is made again" },
	{ "readv", MAIN, false, "input of the virtio console" },
	{ "fcntl", BOTH, false, "flags of a connection" },
	{ "eventfd2", BOTH, false, "rings that start" },
	{ "timerfd_settime", BOTH, false, "what is due later" },
	/* Waiting. */
	{ "epoll_ctl", BOTH, false, "the main loop" },
	{ "epoll_pwait", MAIN, false, "the main loop" },
	{ "ppoll", BOTH, false, "threads that wait for a file" },
	{ "poll", BOTH, false, "threads that wait for a file" },
	{ "futex", BOTH, false, "locks, waiting for threads" },
	{ "setitimer", BOTH, false, "the end within a second of SIGTERM" },
	{ "clock_gettime", BOTH, false, "time, where it cannot be read from memory" },
	{ "restart_syscall", BOTH, false, "waiting that was interrupted" },
	/* Connections. */
	{ "socket", MAIN, false, "Unix sockets, and TCP to the adb server" },
	{ "connect", MAIN, false, "the same" },
	{ "accept4", MAIN, false, "clients of adb, vsock and the control socket" },
	{ "socketpair", BOTH, false, "requests of a vhost-user process" },
	{ "getsockname", MAIN, false, "who a client of adb is" },
	{ "getpeername", MAIN, false, "who a client of adb is" },
	{ "setsockopt", BOTH, false, "time limits, TCP_NODELAY" },
	{ "shutdown", BOTH, false, "giving a connection up" },
	{ "sendto", BOTH, false, "connections" },
	{ "recvfrom", BOTH, false, "connections" },
	{ "sendmsg", BOTH, false, "files for vhost-user processes" },
	{ "recvmsg", BOTH, false, "files of vhost-user processes" },
	/* Memory; never to be executed. */
	{ "mmap", BOTH, false, "the allocator, threads, rings" },
	{ "munmap", BOTH, false, "the same" },
	{ "mprotect", BOTH, false, "the allocator, threads" },
	{ "mremap", BOTH, false, "the allocator" },
	{ "madvise", BOTH, false, "memory that the balloon gives back" },
	{ "brk", BOTH, false, "the allocator" },
	/* Threads and signals; no processes. */
	{ "clone", BOTH, false, "threads of rings and vCPUs" },
	{ "set_robust_list", BOTH, false, "threads that start" },
	{ "rseq", BOTH, false, "threads that start" },
	{ "prctl", BOTH, false, "names of threads, and their narrower lists" },
	{ "seccomp", BOTH, false, "a narrower list for vCPUs" },
	{ "rt_sigprocmask", BOTH, false, "threads that start and end" },
	{ "rt_sigaction", MAIN, false, "the vCPUs' signal" },
	{ "rt_sigreturn", BOTH, false, "the vCPUs' signal" },
	{ "tgkill", BOTH, false, "the vCPUs' signal" },
	{ "getpid", BOTH, false, "the same" },
	{ "gettid", BOTH, false, "the same" },
	{ "exit", BOTH, false, "threads that end" },
	{ "exit_group", BOTH, false, "the end" },
	{ "unlinkat", MAIN, false, "sockets and the VM's directory, at the end" },
#ifdef __SANITIZE_ADDRESS__
	{ "sched_getaffinity", BOTH, false, "threads of a build with sanitizers" },
	{ "sigaltstack", BOTH, false, "threads of a build with sanitizers" },
#endif
	/* The guest's kernel is read again at its reset. */
	{ "openat", MAIN, true, "kernel and initrd, at the guest's reset" },
	{ }
};
