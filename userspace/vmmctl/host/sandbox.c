// SPDX-License-Identifier: GPL-2.0-only
/*
 * The sandbox: a guest that takes over vmmctl finds a process that can do little more than
 * serve that guest.
 *
 *	no_new_privs	no program gets more rights; none can be executed
 *	capabilities	none, not even if root started vmmctl
 *	Landlock	files: none is opened; removed only in named directories (landlock.c)
 *	seccomp		system calls: only those of sandbox_calls.c; fewer for vCPUs
 *	limits		no core file, which would contain the guest's memory
 *
 * Any other system call ends the process by SIGSYS, after a message that names the call.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <seccomp.h>
#include <signal.h>
#include <string.h>
#include <linux/fs.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <cap-ng.h>

#include "host/sandbox.h"
#include "host/sandbox_fcntl.h"
#include "host/unix.h"
#include "host/vm_dir.h"
#include "machine/machine.h"

#define THREAD_FLAGS	(CLONE_VM_FLAG | CLONE_THREAD_FLAG)
#define CLONE_VM_FLAG		0x00000100
#define CLONE_THREAD_FLAG	0x00010000

#define SOCKET_TYPE	0xf	/* of socket()'s second argument; the rest are flags */

/**
 * vmm_sandbox_limits - set limits that apply from the start
 *
 * Disables core files, which would contain the guest's memory.
 */
void vmm_sandbox_limits(void)
{
	static const struct rlimit none;

	setrlimit(RLIMIT_CORE, &none);
	prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0);
}

/**
 * vmm_sandbox_removes - allow to remove files in a directory and below it
 * @sandbox: the sandbox
 * @folder: the directory; owned by the caller
 */
void vmm_sandbox_removes(struct vmm_sandbox *sandbox, const char *folder)
{
	if (sandbox->folders < VMM_SANDBOX_FOLDERS)
		sandbox->folder[sandbox->folders++] = folder;
}

/**
 * vmm_sandbox_count - count the allowed system calls
 * @who: VMM_CALL_MAIN or VMM_CALL_VCPU
 *
 * Return: how many of the list this architecture has
 */
unsigned int vmm_sandbox_count(unsigned int who)
{
	const struct vmm_sandbox_call *call;
	unsigned int count = 0;

	for (call = vmm_sandbox_calls; call->name; call++)
		count += call->who & who && seccomp_syscall_resolve_name(call->name) >= 0;
	return count;
}

/**
 * struct ioctls - a range of ioctls, by bits of their numbers
 * @mask: bits that are compared
 * @value: value of these bits
 */
static const struct ioctls {
	u32 mask;
	u32 value;
} ioctls[] = {
	{ 0xff00, 0xae00 },		/* KVM */
	{ 0xff00, 0xaf00 },		/* vhost, vDPA, ranchu's modules */
	{ 0xff00, 0x1200 },		/* block devices */
	/*
	 * Taps: numbers from 192. Lower ones are for terminals, such as TIOCSTI, which types
	 * into one.
	 */
	{ 0xffc0, 'T' << 8 | 0xc0 },
	{ ~0U, TCGETS }, { ~0U, TCSETS }, { ~0U, TIOCGPGRP },
	{ ~0U, SIOCGIFFLAGS },
	/* A disk is saved: of a file that is open to another that is. */
	{ ~0U, FICLONE },
};

static int rules_ioctl(scmp_filter_ctx ctx, int nr)
{
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < ARRAY_SIZE(ioctls); i++)
		err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 1,
				       SCMP_A1(SCMP_CMP_MASKED_EQ, ioctls[i].mask,
					       ioctls[i].value));
	return err;
}

/*
 * The rule does not compare the protocol: Landlock's ports do not apply to MPTCP and SCTP, whose
 * sockets are streams, too.
 */
static int rule_socket(scmp_filter_ctx ctx, int nr, int family, int type)
{
	return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 3,
				SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)family, 0),
				SCMP_A1(SCMP_CMP_MASKED_EQ, SOCKET_TYPE, (scmp_datum_t)type),
				SCMP_A2(SCMP_CMP_EQ, 0, 0));
}

/* Allows TCP for the adb server. No datagrams: Landlock cannot restrict them. */
static int rules_socket(scmp_filter_ctx ctx, int nr, bool unix_sockets)
{
	int err = rule_socket(ctx, nr, AF_INET, SOCK_STREAM);

	if (!err && unix_sockets)
		err = rule_socket(ctx, nr, AF_UNIX, SOCK_STREAM);
	if (!err && unix_sockets)
		err = rule_socket(ctx, nr, AF_UNIX, SOCK_SEQPACKET);
	return err;
}

/*
 * Allows calls of connections; -ENOENT for any other call. Data in a connection's first packet
 * (TCP Fast Open) connects without Landlock's check, and other options of TCP change its
 * protocol.
 */
static int rule_connection(scmp_filter_ctx ctx, const char *name, int nr, bool unix_sockets)
{
	if (!strcmp(name, "socket"))
		return rules_socket(ctx, nr, unix_sockets);
	/* A datagram socket of a pair could be connected to another address. */
	if (!strcmp(name, "socketpair"))
		return rule_socket(ctx, nr, AF_UNIX, SOCK_STREAM);
	if (!strcmp(name, "setsockopt"))
		return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 2,
					SCMP_A1(SCMP_CMP_EQ, IPPROTO_TCP, 0),
					SCMP_A2(SCMP_CMP_EQ, TCP_NODELAY, 0));
	if (!strcmp(name, "sendto"))
		return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 1,
					SCMP_A3(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, 0));
	if (!strcmp(name, "sendmsg"))
		return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 1,
					SCMP_A2(SCMP_CMP_MASKED_EQ, MSG_FASTOPEN, 0));
	return -ENOENT;
}

/* Allows calls with certain arguments only; -ENOENT for calls without such a rule. */
static int rule_with_arguments(scmp_filter_ctx ctx, const char *name, int nr, bool unix_sockets)
{
	if (!strcmp(name, "ioctl"))
		return rules_ioctl(ctx, nr);
	if (!strcmp(name, "fcntl"))
		return vmm_sandbox_allow_fcntl(ctx);
	if (!strcmp(name, "mmap") || !strcmp(name, "mprotect"))
		return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 1,
					SCMP_A2(SCMP_CMP_MASKED_EQ, PROT_EXEC, 0));
	if (!strcmp(name, "clone"))
		return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 1,
					SCMP_A0(SCMP_CMP_MASKED_EQ, THREAD_FLAGS, THREAD_FLAGS));
	if (!strcmp(name, "tgkill"))
		return seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 1,
					SCMP_A0(SCMP_CMP_EQ, (scmp_datum_t)getpid(), 0));
	return rule_connection(ctx, name, nr, unix_sockets);
}

static int rules_add(scmp_filter_ctx ctx, unsigned int who, bool unix_sockets)
{
	const struct vmm_sandbox_call *call;
	int err;
	int nr;

	for (call = vmm_sandbox_calls; call->name; call++) {
		nr = seccomp_syscall_resolve_name(call->name);
		/* Not every architecture has every call. */
		if (nr < 0 || !(call->who & who))
			continue;
		err = rule_with_arguments(ctx, call->name, nr, unix_sockets);
		if (err == -ENOENT)
			err = seccomp_rule_add(ctx, SCMP_ACT_ALLOW, nr, 0);
		if (err)
			return err;
	}
	/* The C library then uses clone, whose flags can be filtered. */
	nr = seccomp_syscall_resolve_name("clone3");
	return nr < 0 ? 0 : seccomp_rule_add(ctx, SCMP_ACT_ERRNO(VMM_NO_SUCH_CALL), nr, 0);
}

static int filter_load(unsigned int who, bool unix_sockets, bool all_threads)
{
	scmp_filter_ctx ctx = seccomp_init(SCMP_ACT_TRAP);
	int err = ctx ? 0 : -ENOMEM;

	if (!err)
		err = rules_add(ctx, who, unix_sockets);
	if (!err)
		err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_TSYNC, all_threads);
	if (!err)
		err = seccomp_attr_set(ctx, SCMP_FLTATR_CTL_OPTIMIZE, 2);
	if (!err)
		err = seccomp_load(ctx);
	seccomp_release(ctx);
	return err;
}

static char *put_number(char *end, unsigned int number)
{
	do {
		end--;
		end[0] = '0' + number % 10;
		number /= 10;
	} while (number);
	return end;
}

/* Runs in a signal handler: few functions are safe. */
static void call_refused(int sig, siginfo_t *info, void *context)
{
	static const char before[] = "vmmctl: the sandbox does not allow system call ";
	char text[sizeof(before) + 16];
	char number[16] = "";
	char *digits = put_number(number + sizeof(number) - 1, info->si_syscall);
	size_t len = number + sizeof(number) - 1 - digits;

	(void)context;
	memcpy(text, before, sizeof(before) - 1);
	memcpy(text + sizeof(before) - 1, digits, len);
	text[sizeof(before) - 1 + len] = '\n';
	vmm_last_words(text, sizeof(before) + len);
	vmm_dir_leave();
	vmm_unix_leave();
	_exit(128 + sig);
}

static int drop_capabilities(void)
{
	/* Reducing the bounding set needs a capability itself. */
	bool bounds = capng_have_capability(CAPNG_EFFECTIVE, CAP_SETPCAP);

	capng_clear(CAPNG_SELECT_BOTH);
	if (bounds)
		capng_apply(CAPNG_SELECT_BOUNDS);
	return capng_apply(CAPNG_SELECT_CAPS) ? EPERM : 0;
}

/**
 * vmm_sandbox_enter - enter the sandbox
 * @sandbox: what is allowed
 *
 * Capabilities and Landlock apply to the calling thread and to threads that it starts, so no
 * other thread must exist yet. This cannot be undone. Landlock and seccomp are left out, with a
 * message, if the kernel has none.
 *
 * Return: 0, or -errno after a message
 */
int vmm_sandbox_enter(const struct vmm_sandbox *sandbox)
{
	struct sigaction refused = { .sa_sigaction = call_refused, .sa_flags = SA_SIGINFO };
	int err;

	vmm_sandbox_limits();
	sigaction(SIGSYS, &refused, NULL);
	err = drop_capabilities();
	if (err)
		return vmm_error(err, "sandbox: cannot drop capabilities");
	err = vmm_landlock(sandbox);
	if (err == -VMM_NO_SUCH_CALL || err == -EOPNOTSUPP)
		vmm_note("sandbox: this kernel has no Landlock, so files are not restricted");
	else if (err)
		return vmm_error(-err, "sandbox: Landlock");
	if (prctl(PR_GET_SECCOMP, 0, 0, 0, 0) < 0) {
		vmm_note("sandbox: this kernel has no seccomp, so system calls are not restricted");
		return 0;
	}
	err = filter_load(VMM_CALL_MAIN | VMM_CALL_VCPU, sandbox->unix_sockets, true);
	return err ? vmm_error(-err, "sandbox: seccomp") : 0;
}

/**
 * vmm_sandbox_vcpu - restrict the calling thread to what vCPUs need
 *
 * Return: 0, or -errno without a message
 */
int vmm_sandbox_vcpu(void)
{
	return filter_load(VMM_CALL_VCPU, false, false);
}
