// SPDX-License-Identifier: GPL-2.0-only
/*
 * `vmmctl doctor`: prints what this host can do, and what is missing for `vmmctl run` to work
 * at full speed, as full sentences. Checks everything, also after something was found missing.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>
#include <linux/vhost_goldfish_pipe.h>

#include "host/doctor.h"
#include "host/host.h"
#include "machine/machine.h"

/**
 * struct doctor - result of the checks
 * @missing: how many things are missing
 */
struct doctor {
	unsigned int missing;
};

#define good	vmm_doctor_good

#define bad(d, ...)	((d)->missing += vmm_doctor_bad(__VA_ARGS__))

/**
 * vmm_doctor_good - print a check that has passed
 * @fmt: a sentence, as for printf()
 */
void vmm_doctor_good(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fputs("  ok       ", stdout);
	vprintf(fmt, args);
	putchar('\n');
	va_end(args);
}

/**
 * vmm_doctor_bad - print a check that has failed
 * @fmt: a sentence, and the command that repairs it, as for printf()
 *
 * Return: 1, so that callers can add results
 */
unsigned int vmm_doctor_bad(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	fputs("  MISSING  ", stdout);
	vprintf(fmt, args);
	putchar('\n');
	va_end(args);
	return 1;
}

static void doctor_arch(void)
{
	good("This is an %s host.", vmm_arch_name);
}

/**
 * vmm_doctor_parts - print which features KVM has and which it lacks
 * @lacks: as vmm_kvm_lacks() gives it
 *
 * Return: how many are missing
 */
unsigned int vmm_doctor_parts(u32 lacks)
{
	const struct vmm_kvm_part *part;
	unsigned int missing = 0;

	for (part = vmm_kvm_parts; part->bit; part++) {
		if (lacks & part->bit)
			missing += vmm_doctor_bad("KVM lacks %s: %s.", part->name, part->without);
		else
			vmm_doctor_good("KVM has %s.", part->name);
	}
	return missing;
}

/* Checks the interrupt controller, which must be in the kernel. */
#ifdef __aarch64__
static void doctor_irqchip(struct doctor *d, int vm_fd)
{
	struct kvm_create_device v2 = {
		.type = KVM_DEV_TYPE_ARM_VGIC_V2, .flags = KVM_CREATE_DEVICE_TEST,
	};
	struct kvm_create_device v3 = {
		.type = KVM_DEV_TYPE_ARM_VGIC_V3, .flags = KVM_CREATE_DEVICE_TEST,
	};
	bool has_v2 = !ioctl(vm_fd, KVM_CREATE_DEVICE, &v2);
	bool has_v3 = !ioctl(vm_fd, KVM_CREATE_DEVICE, &v3);

	if (has_v2 || has_v3)
		good("KVM offers %s.", has_v2 && has_v3 ? "GICv2 and GICv3" :
		     has_v2 ? "GICv2" : "GICv3");
	else
		bad(d, "KVM offers neither GICv2 nor GICv3.");
}
#else
static void doctor_capability(struct doctor *d, int vm_fd, int capability, const char *what)
{
	if (ioctl(vm_fd, KVM_CHECK_EXTENSION, capability) > 0)
		good("KVM has %s.", what);
	else
		bad(d, "KVM lacks %s.", what);
}

static void doctor_irqchip(struct doctor *d, int vm_fd)
{
	doctor_capability(d, vm_fd, KVM_CAP_IRQCHIP, "interrupt controllers");
	doctor_capability(d, vm_fd, KVM_CAP_PIT2, "a timer (PIT)");
	doctor_capability(d, vm_fd, KVM_CAP_EXT_CPUID, "the list of CPUID leaves that it supports");
}
#endif

static void doctor_window(struct doctor *d, int kvm_fd)
{
	struct vmm_probe probe;

	fflush(stdout);
	if (vmm_probe_run(kvm_fd, &probe)) {
		bad(d, "KVM does not run a guest of a few instructions.");
		return;
	}
	/* Without read-only memory no guest ran; doctor_parts has reported that. */
	if (!probe.readonly)
		return;
	good("KVM ran a guest of a few instructions.");
	if (!vmm_window_fits(sysconf(_SC_PAGESIZE)))
		bad(d, "The host's pages of %ld bytes allow no register window: registers exit.",
		    sysconf(_SC_PAGESIZE));
	else if (!vmm_probe_coherent(&probe))
		bad(d, "The register window would show old values: registers will exit.");
	else
		good("The register window is coherent.");
	printf("           Decided by a probe guest: %u of %u reads were right%s.\n",
	       probe.reads - probe.stale, probe.reads, probe.fwb < 0 ? "" :
	       probe.fwb ? ", and by FEAT_S2FWB, which KVM shows in ID_AA64MMFR2_EL1" :
	       "; the CPU has no FEAT_S2FWB");
}

static void doctor_kvm(struct doctor *d)
{
	char mend[VMM_DOCTOR_MEND];
	int kvm_fd;
	int vm_fd;

	fflush(stdout);
	kvm_fd = vmm_kvm_open();
	if (kvm_fd < 0) {
		vmm_doctor_kvm_mend(-kvm_fd, mend, sizeof(mend));
		bad(d, "/dev/kvm is not usable (%s). %s", strerror(-kvm_fd), mend);
		return;
	}
	vm_fd = ioctl(kvm_fd, KVM_CREATE_VM, vmm_arch_vm_type(kvm_fd));
	if (vm_fd < 0) {
		bad(d, "/dev/kvm opens, but creates no VM (%s).", strerror(errno));
	} else {
		good("/dev/kvm is usable.");
		d->missing += vmm_doctor_parts(vmm_kvm_lacks(kvm_fd));
		doctor_irqchip(d, vm_fd);
		close(vm_fd);
		doctor_window(d, kvm_fd);
	}
	close(kvm_fd);
}

static void doctor_services(struct doctor *d, int fd)
{
	int services;

	ioctl(fd, VHOST_SET_OWNER, 0);
	services = ioctl(fd, VHOST_GOLDFISH_PIPE_SERVICES, 0);
	if (services < 0) {
		bad(d, "The pipe takes no services of other processes (%s).", strerror(errno));
		return;
	}
	good("The pipe takes services of other processes.");
	close(services);
}

/* @works: as the pipe's device reports it */
static void doctor_doorbell(struct doctor *d, bool works)
{
	char way[16] = "";
	FILE *file = fopen("/sys/module/ranchu/parameters/doorbell", "re");

	if (file) {
		if (!fgets(way, sizeof(way), file))
			way[0] = 0;
		way[strcspn(way, "\n")] = 0;
		fclose(file);
	}
	if (works)
		good("The synchronous doorbell works%s.",
		     !strcmp(way, "queue") ? ", by a queue of the module's own" : "");
	else if (!strcmp(way, "queue"))
		bad(d, "No synchronous doorbell: %s.",
		    "this kernel exports no task_work_add, and the module's own queue fails");
	else
		bad(d, "No synchronous doorbell: %s. %s",
		    "ranchu.ko has doorbell=off, or does not know a kernel this new",
		    "Try: a newer ranchu-dkms, or options ranchu doorbell=queue in modprobe.d");
}

static void doctor_pipe(struct doctor *d)
{
	u64 features = 0;
	int fd;

	d->missing += vmm_doctor_node(VMM_PIPE_NODE, "vhost_goldfish_pipe");
	fd = open(VMM_PIPE_NODE, O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return;
	if (ioctl(fd, VHOST_GET_BACKEND_FEATURES, &features))
		features = 0;
	doctor_doorbell(d, features >> VHOST_GOLDFISH_PIPE_F_DOORBELL & 1);
	doctor_services(d, fd);
	close(fd);
}

/**
 * vmm_doctor - print what this host can do
 * @cfg: the run that it is to be able to do
 *
 * Return: how many things are missing for `run` at full speed
 */
int vmm_doctor(const struct vmm_config *cfg)
{
	struct doctor d = { 0 };

	doctor_arch();
	doctor_kvm(&d);
	if (cfg->pipe == VMM_PIPE_KERNEL)
		doctor_pipe(&d);
	d.missing += vmm_doctor_run(cfg) + vmm_doctor_host(cfg);
	if (d.missing)
		printf("%u missing: vmmctl run will fail or be slower than it could be.\n",
		       d.missing);
	else
		puts("Nothing is missing: vmmctl run works at full speed.");
	return d.missing;
}
