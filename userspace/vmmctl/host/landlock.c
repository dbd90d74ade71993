// SPDX-License-Identifier: GPL-2.0-only
/*
 * Landlock: restricts which files a process may still remove, and which TCP ports it may use.
 * Files that are open already are not affected.
 *
 * Source: Linux 6.12 Documentation/userspace-api/landlock.rst. The numbers are
 * here because older headers lack the newer ones.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "host/sandbox.h"
#include "machine/machine.h"

#ifndef SYS_landlock_create_ruleset
#define SYS_landlock_create_ruleset	444
#define SYS_landlock_add_rule		445
#define SYS_landlock_restrict_self	446
#endif

#define CREATE_RULESET_VERSION	1
#define RULE_PATH_BENEATH	1
#define RULE_NET_PORT		2

#define FS_REMOVE_DIR	(1ULL << 4)
#define FS_REMOVE_FILE	(1ULL << 5)
#define FS_TRUNCATE	(1ULL << 14)
#define FS_FIRST	((1ULL << 13) - 1)	/* execute to make a symbolic link */
#define FS_REFER	(1ULL << 13)		/* version 2 */
#define NET_ALL		3ULL			/* version 4: bind and connect */
#define NET_CONNECT	2ULL

struct ruleset {
	u64 handled_fs;
	u64 handled_net;
};

struct path_rule {
	u64 allowed;
	__s32 parent_fd;
} __attribute__((packed));

struct port_rule {
	u64 allowed;
	u64 port;
};

/* IOCTL_DEV (version 5) is not handled: vmmctl depends on ioctls. */
static u64 handled_fs(int version)
{
	return FS_FIRST | (version >= 2 ? FS_REFER : 0) | (version >= 3 ? FS_TRUNCATE : 0);
}

static int folder_allow(int ruleset, const char *folder, u64 allowed)
{
	struct path_rule rule = { .allowed = allowed };
	int err = 0;

	rule.parent_fd = open(folder, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (rule.parent_fd < 0)
		return errno == ENOENT || errno == EACCES ? 0 : -errno;
	if (syscall(SYS_landlock_add_rule, ruleset, RULE_PATH_BENEATH, &rule, 0))
		err = -errno;
	close(rule.parent_fd);
	return err;
}

static int rules_add(int ruleset, const struct vmm_sandbox *sandbox, bool net)
{
	unsigned int i;
	int err = 0;

	for (i = 0; !err && i < sandbox->folders; i++)
		err = folder_allow(ruleset, sandbox->folder[i], FS_REMOVE_FILE);
	if (!err && sandbox->above)
		err = folder_allow(ruleset, sandbox->above, FS_REMOVE_DIR);
	for (i = 0; !err && net && i < sandbox->ports; i++) {
		struct port_rule rule = { NET_CONNECT, sandbox->port[i] };

		if (syscall(SYS_landlock_add_rule, ruleset, RULE_NET_PORT, &rule, 0))
			err = -errno;
	}
	return err;
}

/**
 * vmm_landlock - restrict the files and ports of the calling thread and of threads that it starts
 * @sandbox: what is allowed
 *
 * Return: 0, -ENOSYS or -EOPNOTSUPP if the kernel has no Landlock, or -errno
 */
int vmm_landlock(const struct vmm_sandbox *sandbox)
{
	struct ruleset attr = { 0 };
	int version = syscall(SYS_landlock_create_ruleset, NULL, 0, CREATE_RULESET_VERSION);
	bool net = version >= 4;
	int ruleset;
	int err;

	if (version < 0)
		return -errno;
	attr.handled_fs = handled_fs(version);
	attr.handled_net = net ? NET_ALL : 0;
	ruleset = syscall(SYS_landlock_create_ruleset, &attr,
			  net ? sizeof(attr) : sizeof(attr.handled_fs), 0);
	if (ruleset < 0)
		return -errno;
	err = rules_add(ruleset, sandbox, net);
	if (!err && syscall(SYS_landlock_restrict_self, ruleset, 0))
		err = -errno;
	close(ruleset);
	if (!err && !net)
		vmm_note("sandbox: this kernel's Landlock cannot restrict TCP connections");
	return err;
}
