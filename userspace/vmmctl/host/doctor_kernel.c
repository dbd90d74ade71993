// SPDX-License-Identifier: GPL-2.0-only
/*
 * What keeps ranchu's modules out of the running kernel, and this user from a device
 * node: one sentence, which names the first thing in the way and the command that mends
 * it. All files are looked for below a root, which is another one in tests.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/utsname.h>
#include <unistd.h>
#include <linux/capability.h>

#include "host/doctor.h"
#include "host/host.h"
#include "machine/machine.h"

#define PATH_SIZE	512
#define SIGNATURE	"~Module signature appended~\n"

#ifdef __aarch64__
#define IMAGE		"linux-image-arm64"
#else
#define IMAGE		"linux-image-amd64"
#endif

/* What is missing, and the command that mends it. */
#define TAKES_NO_MODULES \
	"The module %s cannot be loaded: this kernel, %s, takes no modules. Try: sudo apt install %s, and restart."
#define MODULES_ARE_OFF \
	"The module %s cannot be loaded: kernel.modules_disabled is 1 until the machine restarts. Try: sudo reboot"
#define NO_CAPABILITY \
	"The module %s cannot be loaded from here: a container without CAP_SYS_MODULE. Try on the machine itself: sudo modprobe %s"
#define NO_HEADERS \
	"The module %s is not installed for this kernel, whose headers are missing. Try: sudo apt install linux-headers-%s"
#define NOT_BUILT \
	"The module %s is not built for this kernel%s. Try: sudo dkms autoinstall -k %s"
#define NO_PACKAGE \
	"The module %s is not installed for this kernel%s. Try in ranchu's sources: make deb && sudo apt install ./build/%s/deb/ranchu-dkms*.deb"
#define NOT_SIGNED \
	"The module %s is not signed%s. Try: sudo /lib/modules/%s/build/scripts/sign-file sha256 /var/lib/dkms/mok.key /var/lib/dkms/mok.pub %s"
#define KEY_MAY_BE_UNKNOWN \
	"The module %s is not loaded%s. Try: sudo modprobe %s || sudo mokutil --import /var/lib/dkms/mok.pub, and restart."
#define NOT_LOADED \
	"The module %s is not loaded. Try: sudo modprobe %s"
#define NO_NODE \
	"The module %s is loaded, and its node %s is not there. Try: sudo mknod -m 660 %s c 10 $(awk '/ %s$/ { print $1 }' /proc/misc)"
#define CPUS_OF_A_VM \
	"This machine is a VM whose CPUs have neither VMX nor SVM. Try: switch nested virtualization on, where this VM is configured."
#define CPUS_CANNOT \
	"The CPUs have neither VMX nor SVM. Try: systemctl reboot --firmware-setup, and switch virtualization on there."

static FILE *host_open(const struct vmm_doctor_host *host, const char *path)
{
	char full[PATH_SIZE];

	snprintf(full, sizeof(full), "%s%s", host->root, path);
	return fopen(full, "re");
}

static bool host_has(const struct vmm_doctor_host *host, const char *path)
{
	char full[PATH_SIZE];

	snprintf(full, sizeof(full), "%s%s", host->root, path);
	return !access(full, F_OK);
}

/* The first line of a small file without its end; "" if there is none. */
static void host_line(const struct vmm_doctor_host *host, const char *path, char *line,
		      size_t size)
{
	FILE *file = host_open(host, path);

	line[0] = '\0';
	if (!file)
		return;
	if (!fgets(line, size, file))
		line[0] = '\0';
	line[strcspn(line, "\n")] = '\0';
	fclose(file);
}

/* Whether this process and its children can have the capability; yes if nothing says so. */
static bool may_load(const struct vmm_doctor_host *host)
{
	FILE *file = host_open(host, "/proc/self/status");
	unsigned long long bound = ~0ULL;
	char line[256];

	if (!file)
		return true;
	while (fgets(line, sizeof(line), file) && sscanf(line, "CapBnd: %llx", &bound) != 1)
		;
	fclose(file);
	return bound >> CAP_SYS_MODULE & 1;
}

/* Says why only signed modules are taken, for a sentence; "" if all are. */
static void signed_only(const struct vmm_doctor_host *host, char *why, size_t size)
{
	char line[100];
	char *from;

	why[0] = '\0';
	host_line(host, "/sys/kernel/security/lockdown", line, sizeof(line));
	from = strchr(line, '[');
	if (from && strncmp(from, "[none]", 6)) {
		snprintf(why, size, ", and this kernel takes signed ones only (lockdown is %.*s)",
			 (int)strcspn(from + 1, "]"), from + 1);
		return;
	}
	host_line(host, "/sys/module/module/parameters/sig_enforce", line, sizeof(line));
	if (line[0] == 'Y')
		snprintf(why, size,
			 ", and this kernel takes signed ones only (module.sig_enforce)");
}

/* The module's file, as depmod lists it for this kernel. */
static bool module_file(const struct vmm_doctor_host *host, const char *name, char *path,
			size_t size)
{
	char deps[PATH_SIZE];
	char *line = NULL;
	size_t room = 0;
	size_t len = strlen(name);
	bool found = false;
	FILE *file;

	snprintf(deps, sizeof(deps), "/lib/modules/%s/modules.dep", host->release);
	file = host_open(host, deps);
	if (!file)
		return false;
	while (!found && getline(&line, &room, file) > 0) {
		const char *base;

		line[strcspn(line, ":")] = '\0';
		base = strrchr(line, '/');
		base = base ? base + 1 : line;
		found = !strncmp(base, name, len) && !strncmp(base + len, ".ko", 3);
		if (found)
			snprintf(path, size, "/lib/modules/%s/%s", host->release, line);
	}
	free(line);
	fclose(file);
	return found;
}

/* A compressed file is taken for a signed one. */
static bool module_signed(const struct vmm_doctor_host *host, const char *path)
{
	char end[sizeof(SIGNATURE) - 1];
	FILE *file = host_open(host, path);
	size_t len = strlen(path);
	bool is;

	if (!file || len < 3 || strcmp(path + len - 3, ".ko")) {
		if (file)
			fclose(file);
		return true;
	}
	is = !fseek(file, -(long)sizeof(end), SEEK_END) &&
	     fread(end, 1, sizeof(end), file) == sizeof(end) &&
	     !memcmp(end, SIGNATURE, sizeof(end));
	fclose(file);
	return is;
}

static unsigned int not_installed(const struct vmm_doctor_host *host, const char *name,
				  const char *why)
{
	char path[PATH_SIZE];

	snprintf(path, sizeof(path), "/lib/modules/%s/build/Makefile", host->release);
	if (!host_has(host, path))
		return vmm_doctor_bad(NO_HEADERS, name, host->release);
	if (host_has(host, "/var/lib/dkms/ranchu"))
		return vmm_doctor_bad(NOT_BUILT, name, why, host->release);
	return vmm_doctor_bad(NO_PACKAGE, name, why, vmm_arch_name);
}

/**
 * vmm_doctor_module_of - print whether one of ranchu's modules is loaded, or why not
 * @host: where to look
 * @name: the module
 *
 * Return: 1 if it is missing, else 0
 */
unsigned int vmm_doctor_module_of(const struct vmm_doctor_host *host, const char *name)
{
	char path[PATH_SIZE];
	char why[160];
	char off[8];

	snprintf(path, sizeof(path), "/sys/module/%s", name);
	if (host_has(host, path)) {
		vmm_doctor_good("The module %s is loaded.", name);
		return 0;
	}
	if (!host_has(host, "/proc/modules"))
		return vmm_doctor_bad(TAKES_NO_MODULES, name, host->release, IMAGE);
	host_line(host, "/proc/sys/kernel/modules_disabled", off, sizeof(off));
	if (off[0] == '1')
		return vmm_doctor_bad(MODULES_ARE_OFF, name);
	if (!may_load(host))
		return vmm_doctor_bad(NO_CAPABILITY, name, name);
	signed_only(host, why, sizeof(why));
	if (!module_file(host, name, path, sizeof(path)))
		return not_installed(host, name, why);
	if (!why[0])
		return vmm_doctor_bad(NOT_LOADED, name, name);
	if (!module_signed(host, path))
		return vmm_doctor_bad(NOT_SIGNED, name, why, host->release, path);
	return vmm_doctor_bad(KEY_MAY_BE_UNKNOWN, name, why, name);
}

/* ---- who may open a node ---- */

/* The name of the group @gid, and whether @host's user is one of it. */
static bool group_of(const struct vmm_doctor_host *host, gid_t gid, char *name, size_t size)
{
	FILE *file = host_open(host, "/etc/group");
	bool found = false;
	bool member = false;
	char *line = NULL;
	size_t room = 0;

	name[0] = '\0';
	while (file && !found && getline(&line, &room, file) > 0) {
		char *rest = line;
		const char *group = strsep(&rest, ":");
		const char *user;

		strsep(&rest, ":");
		found = rest && strtoul(rest, &rest, 10) == gid && *rest == ':';
		if (!found)
			continue;
		snprintf(name, size, "%s", group);
		rest++;
		while ((user = strsep(&rest, ",\n")))
			member |= user[0] && !strcmp(user, host->user);
	}
	free(line);
	if (file)
		fclose(file);
	return member;
}

/**
 * vmm_doctor_node_mend_of - say how a user gets a node that is there and not his
 * @host: where to look
 * @node: its path, below @host's root
 * @err: what open() answered
 * @mend: filled with a sentence
 * @size: of @mend, bytes
 */
void vmm_doctor_node_mend_of(const struct vmm_doctor_host *host, const char *node, int err,
			     char *mend, size_t size)
{
	char path[PATH_SIZE];
	char group[64];
	struct stat st;
	bool member;

	snprintf(path, sizeof(path), "%s%s", host->root, node);
	if (err == EPERM) {
		snprintf(mend, size, "Try: start this container with --device %s", node);
		return;
	}
	if (stat(path, &st) || (st.st_mode & 0060) != 0060 || !st.st_gid) {
		snprintf(mend, size, "Try: sudo setfacl -m u:$USER:rw %s", node);
		return;
	}
	member = group_of(host, st.st_gid, group, sizeof(group));
	if (!group[0])
		snprintf(mend, size, "Try: sudo setfacl -m u:$USER:rw %s", node);
	else if (member)
		snprintf(mend, size,
			 "You are in the group %s, but not since this session began. Try: newgrp %s",
			 group, group);
	else
		snprintf(mend, size, "Try: sudo adduser $USER %s, and log in again.", group);
}

/* ---- /dev/kvm ---- */

#ifndef __aarch64__
/* Whether the first CPU has a flag. */
static bool cpu_has(const struct vmm_doctor_host *host, const char *flag)
{
	FILE *file = host_open(host, "/proc/cpuinfo");
	char *line = NULL;
	size_t room = 0;
	bool has = false;

	while (file && getline(&line, &room, file) > 0) {
		char *rest = line;
		const char *word;

		if (strncmp(line, "flags", 5))
			continue;
		while (!has && (word = strsep(&rest, " \t\n:")))
			has = !strcmp(word, flag);
		break;
	}
	free(line);
	if (file)
		fclose(file);
	return has;
}

static void kvm_mend(const struct vmm_doctor_host *host, char *mend, size_t size)
{
	const char *text;

	if (host_has(host, "/sys/module/kvm_intel") || host_has(host, "/sys/module/kvm_amd"))
		text = "KVM is there, its node is not. Try: sudo mknod -m 660 /dev/kvm c 10 232";
	else if (cpu_has(host, "vmx"))
		text = "Try: sudo modprobe kvm_intel";
	else if (cpu_has(host, "svm"))
		text = "Try: sudo modprobe kvm_amd";
	else if (cpu_has(host, "hypervisor"))
		text = CPUS_OF_A_VM;
	else
		text = CPUS_CANNOT;
	snprintf(mend, size, "%s", text);
}
#else
static void kvm_mend(const struct vmm_doctor_host *host, char *mend, size_t size)
{
	if (host_has(host, "/sys/module/kvm"))
		snprintf(mend, size, "%s",
			 "KVM is there, its node is not. Try: sudo mknod -m 660 /dev/kvm c 10 232");
	else
		snprintf(mend, size, "%s", "The machine must have booted its kernel at EL2.");
}
#endif

/**
 * vmm_doctor_kvm_mend_of - say how /dev/kvm is had
 * @host: where to look
 * @err: what open() answered
 * @mend: filled with a sentence
 * @size: of @mend, bytes
 */
void vmm_doctor_kvm_mend_of(const struct vmm_doctor_host *host, int err, char *mend, size_t size)
{
	if (err == EACCES || err == EPERM)
		vmm_doctor_node_mend_of(host, "/dev/kvm", err, mend, size);
	else
		kvm_mend(host, mend, size);
}

/**
 * vmm_doctor_node_of - print whether a node of one of ranchu's modules can be used
 * @host: where to look
 * @node: its path, below @host's root
 * @module: who makes it
 *
 * Return: 1 if it cannot, else 0
 */
unsigned int vmm_doctor_node_of(const struct vmm_doctor_host *host, const char *node,
				const char *module)
{
	char mend[VMM_DOCTOR_MEND];
	char path[PATH_SIZE];
	int fd;

	snprintf(path, sizeof(path), "%s%s", host->root, node);
	fd = open(path, O_RDWR | O_CLOEXEC);
	if (fd >= 0) {
		close(fd);
		vmm_doctor_good("The device %s is usable.", node);
		return 0;
	}
	if (errno == EACCES || errno == EPERM) {
		vmm_doctor_node_mend_of(host, node, errno, mend, sizeof(mend));
		return vmm_doctor_bad("The device %s is there, but you may not open it. %s", node,
				      mend);
	}
	if (errno != ENOENT && errno != ENXIO)
		return vmm_doctor_bad("The device %s cannot be opened (%s). Try: sudo dmesg | tail",
				      node, strerror(errno));
	if (vmm_doctor_module_of(host, module))
		return 1;
	return vmm_doctor_bad(NO_NODE, module, node, node, node + strlen("/dev/"));
}

/* ---- the machine itself ---- */

static const struct vmm_doctor_host *this_host(void)
{
	static struct vmm_doctor_host host;
	static struct utsname name;

	if (!host.root) {
		uname(&name);
		host.release = name.release;
		host.user = getenv("USER") ?: "";
		host.root = "";
	}
	return &host;
}

unsigned int vmm_doctor_node(const char *node, const char *module)
{
	return vmm_doctor_node_of(this_host(), node, module);
}

void vmm_doctor_kvm_mend(int err, char *mend, size_t size)
{
	vmm_doctor_kvm_mend_of(this_host(), err, mend, size);
}
