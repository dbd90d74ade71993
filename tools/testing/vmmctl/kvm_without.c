// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs a program with a KVM that lacks a feature:
 *
 *	kvm_without WHAT COMMAND...
 *
 * A filter of system calls answers KVM_CHECK_EXTENSION with 0, and the feature's own ioctl,
 * if it has one, with ENOTTY. Other calls go to KVM. WHAT is a name of the table below.
 */
#include <errno.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>
#include <linux/filter.h>
#include <linux/kvm.h>
#include <linux/seccomp.h>

#define ARRAY_SIZE(array)	(sizeof(array) / sizeof((array)[0]))

static const struct {
	const char *name;
	unsigned int capability;
	unsigned int also;	/* another one; or the same again */
	unsigned int request;	/* 0: none of its own */
} rows[] = {
	{ "readonly", KVM_CAP_READONLY_MEM, KVM_CAP_READONLY_MEM, 0 },
	{ "ioeventfd", KVM_CAP_IOEVENTFD, KVM_CAP_IOEVENTFD, KVM_IOEVENTFD },
	{ "irqfd", KVM_CAP_IRQFD, KVM_CAP_IRQFD_RESAMPLE, KVM_IRQFD },
	{ "resample", KVM_CAP_IRQFD_RESAMPLE, KVM_CAP_IRQFD_RESAMPLE, 0 },
};

#define DATA(field)	((unsigned int)offsetof(struct seccomp_data, field))
#define LOAD(at)	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, at)
#define ANSWER(action)	BPF_STMT(BPF_RET | BPF_K, action)
/* Skips @then instructions if the value is @value, else @other. */
#define IF(value, then, other)	BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, then, other)

static int lack(unsigned int i)
{
	/* Both architectures are little-endian: the lower half of an argument comes first. */
	struct sock_filter code[] = {
		LOAD(DATA(nr)),
		IF(__NR_ioctl, 0, 7),
		LOAD(DATA(args[1])),
		IF(rows[i].request ? rows[i].request : ~0U, 6, 0),
		IF(KVM_CHECK_EXTENSION, 0, 4),
		LOAD(DATA(args[2])),
		IF(rows[i].capability, 1, 0),
		IF(rows[i].also, 0, 1),
		ANSWER(SECCOMP_RET_ERRNO),
		ANSWER(SECCOMP_RET_ALLOW),
		ANSWER(SECCOMP_RET_ERRNO | ENOTTY),
	};
	struct sock_fprog program = { .len = ARRAY_SIZE(code), .filter = code };

	if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0))
		return -1;
	return prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program);
}

int main(int argc, char **argv)
{
	unsigned int i = 0;

	while (argc > 2 && i < ARRAY_SIZE(rows) && strcmp(argv[1], rows[i].name))
		i++;
	if (argc < 3 || i == ARRAY_SIZE(rows)) {
		fputs("usage: kvm_without readonly|ioeventfd|irqfd|resample COMMAND...\n", stderr);
		return 2;
	}
	if (lack(i)) {
		perror("kvm_without");
		return 1;
	}
	execvp(argv[2], argv + 2);
	perror(argv[2]);
	return 1;
}
