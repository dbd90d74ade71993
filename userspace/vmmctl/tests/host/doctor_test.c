// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages of doctor for modules that are not loaded, for nodes of other users, and for disks that
 * are in use. The hosts are directories with the files that doctor reads.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "host/doctor.h"
#include "host/host.h"
#include "host/image.h"
#include "tests/tap.h"

#define RELEASE	"6.12.0-test"
#define MODULES	"/lib/modules/" RELEASE
#define PIPE	"vhost_goldfish_pipe"
#define PIPE_KO	MODULES "/updates/dkms/" PIPE ".ko"
#define CAPS	"/proc/self/status"

static char root[64];
static struct vmm_doctor_host host = { .root = root, .release = RELEASE, .user = "ann" };

/* Writes a file of the host, and makes its directories. */
static void put(const char *path, const char *text)
{
	char full[256];
	char *slash;
	FILE *file;

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (slash = strchr(full + strlen(root) + 1, '/'); slash; slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		mkdir(full, 0755);
		*slash = '/';
	}
	file = fopen(full, "we");
	if (!tap_check(file))
		return;
	fputs(text, file);
	fclose(file);
}

static void take_away(const char *path)
{
	char full[256];

	snprintf(full, sizeof(full), "%s%s", root, path);
	tap_check(!remove(full));
}

static void begin(void)
{
	snprintf(root, sizeof(root), "/tmp/vmmctl-doctor-XXXXXX");
	tap_check(mkdtemp(root));
}

static void end(void)
{
	char command[100];

	snprintf(command, sizeof(command), "rm -rf %s", root);
	tap_check(!system(command));
}

static int kept, stdout_fd;

static void listen_to_stdout(void)
{
	fflush(stdout);
	kept = dup(STDOUT_FILENO);
	stdout_fd = memfd_create("stdout", MFD_CLOEXEC);
	dup2(stdout_fd, STDOUT_FILENO);
}

/* Checks that exactly these lines were printed; the last is without a newline. */
static void printed(const char *lines)
{
	char text[1024] = "";
	size_t len;

	fflush(stdout);
	dup2(kept, STDOUT_FILENO);
	tap_check(pread(stdout_fd, text, sizeof(text) - 1, 0) >= 0);
	close(kept);
	close(stdout_fd);
	len = strlen(text);
	if (tap_check(len && text[len - 1] == '\n'))
		text[len - 1] = '\0';
	tap_context("%.120s", text);
	tap_check(!strcmp(text, lines));
}

/* Checks the number of missing parts, and a sentence with problem and command. */
static void says(unsigned int missing, const char *sentence)
{
	char line[400];

	snprintf(line, sizeof(line), "  %-7s  The module " PIPE " %s", missing ? "MISSING" : "ok",
		 sentence);
	listen_to_stdout();
	tap_equal(vmm_doctor_module_of(&host, PIPE), missing);
	printed(line);
}

/* Makes a host whose kernel supports modules, with our modules built for it. */
static void put_installed(void)
{
	put("/proc/modules", "");
	put(MODULES "/build/Makefile", "");
	put(MODULES "/modules.dep",
	    "kernel/drivers/vhost/vhost.ko:\n"
	    "updates/dkms/" PIPE "_other.ko:\n"
	    "updates/dkms/" PIPE ".ko: kernel/drivers/vhost/vhost.ko\n");
	put(PIPE_KO, "not signed");
}

static void loaded_or_not(void)
{
	begin();
	put_installed();
	says(1, "is not loaded. Try: sudo modprobe " PIPE);
	put("/sys/module/" PIPE "/refcnt", "0\n");
	says(0, "is loaded.");
	end();
}

static void kernel_without_modules(void)
{
	begin();
#ifdef __aarch64__
	says(1, "cannot be loaded: this kernel, " RELEASE
	     ", takes no modules. Try: sudo apt install linux-image-arm64, and restart.");
#else
	says(1, "cannot be loaded: this kernel, " RELEASE
	     ", takes no modules. Try: sudo apt install linux-image-amd64, and restart.");
#endif
	end();
}

static void modules_are_off(void)
{
	begin();
	put_installed();
	put("/proc/sys/kernel/modules_disabled", "1\n");
	says(1,
	     "cannot be loaded: kernel.modules_disabled is 1 until the machine restarts. Try: sudo reboot");
	put("/proc/sys/kernel/modules_disabled", "0\n");
	says(1, "is not loaded. Try: sudo modprobe " PIPE);
	end();
}

static void container_without_the_capability(void)
{
	begin();
	put_installed();
	put(CAPS, "Name:\tvmmctl\nCapEff:\t0000000000000000\nCapBnd:\t00000000a80425fb\n");
	says(1,
	     "cannot be loaded from here: a container without CAP_SYS_MODULE. Try on the machine itself: sudo modprobe "
	     PIPE);
	put(CAPS, "CapEff:\t0000000000000000\nCapBnd:\t000001ffffffffff\n");
	says(1, "is not loaded. Try: sudo modprobe " PIPE);
	end();
}

static void not_built(void)
{
	begin();
	put("/proc/modules", "");
	says(1,
	     "is not installed for this kernel, whose headers are missing. Try: sudo apt install linux-headers-"
	     RELEASE);
	put(MODULES "/build/Makefile", "");
#ifdef __aarch64__
	says(1,
	     "is not installed for this kernel. Try in ranchu's sources: make deb && sudo apt install ./build/arm64/deb/ranchu-dkms*.deb");
#else
	says(1,
	     "is not installed for this kernel. Try in ranchu's sources: make deb && sudo apt install ./build/x86_64/deb/ranchu-dkms*.deb");
#endif
	put("/var/lib/dkms/ranchu/kernel", "");
	says(1, "is not built for this kernel. Try: sudo dkms autoinstall -k " RELEASE);
	/* Modules for another kernel do not count. */
	put("/lib/modules/6.1.0/modules.dep", "updates/dkms/" PIPE ".ko:\n");
	says(1, "is not built for this kernel. Try: sudo dkms autoinstall -k " RELEASE);
	put("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
	says(1,
	     "is not built for this kernel, and this kernel takes signed ones only (lockdown is integrity). Try: sudo dkms autoinstall -k "
	     RELEASE);
	end();
}

#define NOT_SIGNED(why) \
	"is not signed, and this kernel takes signed ones only (" why "). Try: sudo " \
	MODULES "/build/scripts/sign-file sha256 /var/lib/dkms/mok.key /var/lib/dkms/mok.pub " \
	PIPE_KO
#define KEY(why) \
	"is not loaded, and this kernel takes signed ones only (" why "). Try: sudo modprobe " \
	PIPE " || sudo mokutil --import /var/lib/dkms/mok.pub, and restart."

static void only_signed_modules(void)
{
	begin();
	put_installed();
	put("/sys/kernel/security/lockdown", "[none] integrity confidentiality\n");
	says(1, "is not loaded. Try: sudo modprobe " PIPE);
	put("/sys/module/module/parameters/sig_enforce", "Y\n");
	says(1, NOT_SIGNED("module.sig_enforce"));
	put("/sys/kernel/security/lockdown", "none [integrity] confidentiality\n");
	says(1, NOT_SIGNED("lockdown is integrity"));
	put("/sys/kernel/security/lockdown", "none integrity [confidentiality]\n");
	says(1, NOT_SIGNED("lockdown is confidentiality"));
	put(PIPE_KO, "module ~Module signature appended~\n");
	says(1, KEY("lockdown is confidentiality"));
	take_away("/sys/kernel/security/lockdown");
	says(1, KEY("module.sig_enforce"));
	/* Compressed modules are not inspected. */
	put(MODULES "/modules.dep", "updates/" PIPE ".ko.xz:\n");
	put(MODULES "/updates/" PIPE ".ko.xz", "compressed");
	says(1, KEY("module.sig_enforce"));
	end();
}

/* ---- nodes ---- */

#define NODE		"/dev/vhost-test"
#define MISSING_NODE	"  MISSING  The device " NODE " "

static void node_says(int err, const char *sentence)
{
	char mend[VMM_DOCTOR_MEND];

	vmm_doctor_node_mend_of(&host, NODE, err, mend, sizeof(mend));
	tap_context("%.120s", mend);
	tap_check(!strcmp(mend, sentence));
}

static void node_of_a_group(void)
{
	char node[100];

	if (geteuid()) {
		tap_skip("only root can give a file to another group");
		return;
	}
	begin();
	put(NODE, "");
	put("/etc/group", "root:x:0:\nkvm:x:993:bob,anne\nusers:x:100:ann\n");
	snprintf(node, sizeof(node), "%s" NODE, root);
	tap_check(!chown(node, 0, 993) && !chmod(node, 0660));
	node_says(EACCES, "Try: sudo adduser $USER kvm, and log in again.");
	put("/etc/group", "root:x:0:\nkvm:x:993:bob,ann\n");
	node_says(EACCES,
		  "You are in the group kvm, but not since this session began. Try: newgrp kvm");
	put("/etc/group", "root:x:0:\nkvm:x:9930:bob,ann\n");
	node_says(EACCES, "Try: sudo setfacl -m u:$USER:rw " NODE);
	put("/etc/group", "root:x:0:\nkvm:x:993:\n");
	tap_check(!chmod(node, 0600));
	node_says(EACCES, "Try: sudo setfacl -m u:$USER:rw " NODE);
	tap_check(!chown(node, 0, 0) && !chmod(node, 0660));
	node_says(EACCES, "Try: sudo setfacl -m u:$USER:rw " NODE);
	node_says(EPERM, "Try: start this container with --device " NODE);
	end();
}

static void opened(unsigned int missing, const char *lines)
{
	listen_to_stdout();
	tap_equal(vmm_doctor_node_of(&host, NODE, PIPE), missing);
	printed(lines);
}

static void node_is_looked_at(void)
{
	char node[100];

	begin();
	snprintf(node, sizeof(node), "%s" NODE, root);
	put_installed();
	opened(1, "  MISSING  The module " PIPE " is not loaded. Try: sudo modprobe " PIPE);
	put("/sys/module/" PIPE "/refcnt", "0\n");
	opened(1,
	       "  ok       The module " PIPE " is loaded.\n"
	       "  MISSING  The module " PIPE " is loaded, and its node " NODE
	       " is not there. Try: sudo mknod -m 660 " NODE
	       " c 10 $(awk '/ vhost-test$/ { print $1 }' /proc/misc)");
	put(NODE, "");
	opened(0, "  ok       The device " NODE " is usable.");
	tap_check(!chmod(node, 0) && !chmod(root, 0755));
	tap_check(geteuid() || !seteuid(65534));
	opened(1,
	       MISSING_NODE
	       "is there, but you may not open it. Try: sudo setfacl -m u:$USER:rw " NODE);
	tap_check(getuid() || !seteuid(0));
	take_away(NODE);
	put(NODE "/file", "");
	opened(1, MISSING_NODE "cannot be opened (Is a directory). Try: sudo dmesg | tail");
	end();
}

static void kvm_says(int err, const char *sentence)
{
	char mend[VMM_DOCTOR_MEND];

	vmm_doctor_kvm_mend_of(&host, err, mend, sizeof(mend));
	tap_context("%.120s", mend);
	tap_check(!strcmp(mend, sentence));
}

static void no_kvm(void)
{
	begin();
#ifdef __aarch64__
	kvm_says(ENOENT, "The machine must have booted its kernel at EL2.");
	put("/sys/module/kvm/refcnt", "");
#else
	put("/proc/cpuinfo", "processor : 0\nflags\t\t: fpu vmx sse\nflags\t: svm\n");
	kvm_says(ENOENT, "Try: sudo modprobe kvm_intel");
	put("/proc/cpuinfo", "flags\t\t: fpu sse svm\n");
	kvm_says(ENODEV, "Try: sudo modprobe kvm_amd");
	put("/proc/cpuinfo", "flags\t\t: fpu sse hypervisor vmx_not\n");
	kvm_says(ENOENT,
		 "This machine is a VM whose CPUs have neither VMX nor SVM. Try: switch nested virtualization on, where this VM is configured.");
	put("/proc/cpuinfo", "flags\t\t: fpu sse\n");
	kvm_says(ENOENT,
		 "The CPUs have neither VMX nor SVM. Try: systemctl reboot --firmware-setup, and switch virtualization on there.");
	put("/sys/module/kvm_amd/refcnt", "");
#endif
	kvm_says(ENOENT,
		 "KVM is there, its node is not. Try: sudo mknod -m 660 /dev/kvm c 10 232");
	kvm_says(EPERM, "Try: start this container with --device /dev/kvm");
	kvm_says(EACCES, "Try: sudo setfacl -m u:$USER:rw /dev/kvm");
	end();
}

/* ---- disks ---- */

static void disk_says(struct vmm_config *cfg, unsigned int missing, const char *fmt)
{
	char line[400];

	snprintf(line, sizeof(line), fmt, cfg->disk[0].path, cfg->disk[0].path);
	listen_to_stdout();
	tap_equal(vmm_doctor_run(cfg), missing);
	printed(line);
}

static void disks_are_looked_at(void)
{
	struct vmm_config cfg = { .disks = 1, .disk[0].user = true };
	char path[100];
	int fd;

	begin();
	snprintf(path, sizeof(path), "%s/disk", root);
	cfg.disk[0].path = path;
	disk_says(&cfg, 1,
		  "  MISSING  The disk %s is not usable (No such file or directory). Try: truncate -s 1G %s");
	put("/disk", "");
	disk_says(&cfg, 0, "  ok       The disk %s is usable.");
	fd = vmm_image_open(path, true, false);
	disk_says(&cfg, 1,
		  "  MISSING  Another guest has the disk %s. Who has it says: sudo fuser -v %s");
	cfg.disk[0].readonly = true;
	disk_says(&cfg, 0, "  ok       The disk %s is usable.");
	close(fd);
	fd = vmm_image_open(path, false, false);
	disk_says(&cfg, 1,
		  "  MISSING  Another guest writes to the disk %s. Who does says: sudo fuser -v %s");
	close(fd);
	/* Doctor leaves no lock behind. */
	disk_says(&cfg, 0, "  ok       The disk %s is usable.");
	cfg.disk[0].readonly = false;
	cfg.disk[0].path = root;
	disk_says(&cfg, 1,
		  "  MISSING  The disk %s is not usable (Is a directory). Name an image that is there.");
	end();
}

static const struct tap_case cases[] = {
	{ "a module that is there is to be loaded", loaded_or_not },
	{ "a kernel that takes no modules is told from others", kernel_without_modules },
	{ "a kernel that takes no more modules is told from others", modules_are_off },
	{ "a container that may load none is told from the machine",
	  container_without_the_capability },
	{ "headers, package or build: what this kernel's module lacks", not_built },
	{ "where only signed modules are taken, a signature or a key is missing",
	  only_signed_modules },
	{ "a node is its group's, its owner's or the container's", node_of_a_group },
	{ "a node is there, another's, or gone", node_is_looked_at },
	{ "without /dev/kvm doctor says whose fault it is", no_kvm },
	{ "a disk has to be there, and nobody else's", disks_are_looked_at },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
