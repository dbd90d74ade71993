// SPDX-License-Identifier: GPL-2.0-only
/*
 * Checks what a run needs of this host besides files: limits, huge pages, ports, tap
 * interfaces, and a directory for the VM's control socket.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <net/if.h>
#include <linux/if_tun.h>

#include "host/doctor.h"
#include "host/host.h"
#include "host/vm_dir.h"
#include "host/vsock.h"
#include "machine/limits.h"
#include "machine/machine.h"

#define FILES_NEEDED	256	/* of a VM with some devices and pipes */

/* Messages: what is missing, and the command that repairs it. */
#define RAM_IS_A_LARGE_FILE \
	"Guest RAM is a file of %llu MiB, and a file may have %llu. Try: ulimit -f unlimited"
#define FEW_FILES \
	"A process may have %llu files open, and a VM needs %u. Try: ulimit -Hn %u"
#define RAM_IS_NOT_LOCKED \
	"A vDPA device may lock %llu MiB of RAM, and %llu are allowed. Try: sudo prlimit --memlock=%llu --pid $$"
#define NO_HUGE_PAGES \
	"This host has no pages of %llu MiB. Try: --huge-pages transparent"
#define RAM_IS_NO_MULTIPLE \
	"%llu MiB of RAM are no multiple of %llu MiB. Try: --memory %lluM"
#define FEW_HUGE_PAGES \
	"%llu pages of %llu MiB are needed, and %llu are free. Try: %s"
#define PORT_IS_TAKEN \
	"The port %u for %s is taken. Who has it says: ss -ltnp 'sport = :%u'"
#define ALL_PORTS_ARE_TAKEN \
	"All ports of emulators, %u to %u, are taken. Try: --adb-port %u"
#define NO_INTERFACE \
	"There is no interface %s. Try: sudo ip tuntap add %s mode tap user $USER"
#define NO_TAP \
	"The interface %s is no tap. Try: sudo ip tuntap add tap0 mode tap user $USER"
#define TAP_HAS_QUEUES \
	"The interface %s has several queues. Try: sudo sh -c 'ip tuntap del %s mode tap multi_queue; ip tuntap add %s mode tap user '$USER"
#define TAP_OF_ANOTHER \
	"The interface %s is another user's. Try: sudo sh -c 'ip tuntap del %s mode tap; ip tuntap add %s mode tap user '$USER"
#define NO_DIRECTORY \
	"The directory %s for the VM's sockets cannot be used. Try: sudo install -d -m 700 -o $USER %s"

static unsigned int check_limits(const struct vmm_config *cfg)
{
	unsigned int missing = 0;
	u64 limit;

	if (!vmm_limits_file(cfg->memory, &limit))
		missing += vmm_doctor_bad(RAM_IS_A_LARGE_FILE,
					  cfg->memory / MIB, limit / MIB);
	if (!vmm_limits_files(FILES_NEEDED, &limit))
		missing += vmm_doctor_bad(FEW_FILES,
					  limit, FILES_NEEDED, FILES_NEEDED);
	if (!cfg->backends[VMM_BACKEND_VDPA])
		return missing;
	if (vmm_limits_lock(cfg->memory, &limit))
		vmm_doctor_good("All of the guest's RAM may be locked, as a vDPA device needs it.");
	else
		missing += vmm_doctor_bad(RAM_IS_NOT_LOCKED,
					  cfg->memory / MIB, limit / MIB, cfg->memory);
	return missing;
}

static unsigned int check_huge_pages(const struct vmm_config *cfg)
{
	u64 page = vmm_huge_page_bytes(cfg->huge_pages);
	struct vmm_huge_pool pool;
	char command[VMM_HUGE_COMMAND];

	if (!page)
		return 0;
	vmm_huge_pool_read(cfg->huge_pages, &pool);
	if (!pool.page)
		return vmm_doctor_bad(NO_HUGE_PAGES,
				      page / MIB);
	if (cfg->memory % page)
		return vmm_doctor_bad(RAM_IS_NO_MULTIPLE,
				      cfg->memory / MIB, page / MIB,
				      (cfg->memory / page + 1) * page / MIB);
	if (pool.free < cfg->memory / page) {
		vmm_huge_command(&pool, cfg->memory / page, command, sizeof(command));
		return vmm_doctor_bad(FEW_HUGE_PAGES,
				      cfg->memory / page, page / MIB, pool.free, command);
	}
	vmm_doctor_good("There are enough pages of %llu MiB.", page / MIB);
	return 0;
}

/* ---- ports ---- */

static bool port_is_free(unsigned int port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	int one = 1;
	bool free;

	if (fd < 0)
		return false;
	free = !setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &one, sizeof(one)) &&
	       !bind(fd, (struct sockaddr *)&addr, sizeof(addr)) && !listen(fd, 1);
	close(fd);
	return free;
}

static unsigned int check_port(unsigned int port, const char *what)
{
	if (port_is_free(port)) {
		vmm_doctor_good("The port %u is free for %s.", port, what);
		return 0;
	}
	return vmm_doctor_bad(PORT_IS_TAKEN,
			      port, what, port);
}

static unsigned int check_ports(const struct vmm_config *cfg)
{
	unsigned int missing = 0;
	unsigned int i;

	if (cfg->emulator_console > VMM_EMULATOR_OFF)
		missing += check_port(cfg->emulator_console, "the emulator's console");
	if (cfg->adb != VMM_ADB_ON)
		return missing;
	if (cfg->adb_port)
		return missing + check_port(cfg->adb_port, "adb") +
		       check_port(cfg->adb_port - 1, "the emulator's console");
	for (i = 0; i < VMM_ADB_PAIRS; i++) {
		unsigned int port = VMM_ADB_FIRST_CONSOLE + 2 * i;

		if (!port_is_free(port) || !port_is_free(port + 1))
			continue;
		vmm_doctor_good("The ports %u and %u are free for adb.", port, port + 1);
		return missing;
	}
	return missing + vmm_doctor_bad(ALL_PORTS_ARE_TAKEN,
					VMM_ADB_FIRST_CONSOLE,
					VMM_ADB_FIRST_CONSOLE + 2 * VMM_ADB_PAIRS - 1,
					VMM_ADB_FIRST_CONSOLE + 2 * VMM_ADB_PAIRS + 1);
}

/* ---- tap interfaces ---- */

/* Reads a number about an interface from sysfs; returns false if there is none. */
static bool net_number(const char *name, const char *what, long *value)
{
	char path[100];
	char text[32];
	bool got;
	FILE *in;

	snprintf(path, sizeof(path), "/sys/class/net/%s/%s", name, what);
	in = fopen(path, "re");
	if (!in)
		return false;
	got = fgets(text, sizeof(text), in);
	fclose(in);
	*value = got ? strtol(text, NULL, 0) : 0;
	return got;
}

/* Checks what the kernel checks when a tap is opened: owner and group, or root. */
static bool tap_is_ours(const char *name)
{
	long owner = -1;
	gid_t groups[NGROUPS_MAX];
	long group = -1;
	int count;

	net_number(name, "owner", &owner);
	net_number(name, "group", &group);
	if (!geteuid() || ((owner < 0 || owner == geteuid()) && group < 0))
		return true;
	if (owner >= 0 && owner != geteuid())
		return false;
	if (group == getegid())
		return true;
	count = getgroups(NGROUPS_MAX, groups);
	while (count-- > 0) {
		if (groups[count] == group)
			return true;
	}
	return false;
}

static unsigned int check_tap(const char *name)
{
	long flags;

	if (!if_nametoindex(name))
		return vmm_doctor_bad(NO_INTERFACE,
				      name, name);
	if (!net_number(name, "tun_flags", &flags) || !(flags & IFF_TAP))
		return vmm_doctor_bad(NO_TAP,
				      name);
	if (flags & IFF_MULTI_QUEUE)
		return vmm_doctor_bad(TAP_HAS_QUEUES,
				      name, name, name);
	if (!tap_is_ours(name))
		return vmm_doctor_bad(TAP_OF_ANOTHER,
				      name, name, name);
	vmm_doctor_good("The interface %s is a tap that you may use.", name);
	return 0;
}

/* ---- where the VM's sockets are ---- */

/* vmmctl run creates the last part of the path. A VM without a name runs without it. */
static unsigned int check_base(const struct vmm_config *cfg)
{
	char base[PATH_MAX];
	char *slash;
	bool usable;

	if (!cfg->name || vmm_dir_base(base, sizeof(base)))
		return 0;
	usable = !access(base, W_OK | X_OK);
	if (!usable && errno == ENOENT) {
		slash = strrchr(base, '/');
		*slash = '\0';
		usable = !access(base, W_OK | X_OK);
		*slash = '/';
	}
	if (!usable)
		return vmm_doctor_bad(NO_DIRECTORY,
				      base, base);
	vmm_doctor_good("The VM's sockets can be in %s.", base);
	return 0;
}

/**
 * vmm_doctor_host - check what a run needs of the host besides files
 * @cfg: the run
 *
 * Return: how many things are missing
 */
unsigned int vmm_doctor_host(const struct vmm_config *cfg)
{
	unsigned int missing = check_limits(cfg) + check_huge_pages(cfg) + check_ports(cfg) +
			       check_base(cfg);
	unsigned int i;

	for (i = 0; i < cfg->backends[VMM_BACKEND_NET]; i++)
		missing += check_tap(cfg->backend[VMM_BACKEND_NET][i].path);
	return missing;
}
