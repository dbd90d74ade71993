// SPDX-License-Identifier: GPL-2.0-only
/*
 * CPUID of the x86_64 board, and the routes of its interrupt lines.
 */
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "machine/machine.h"
#include "machine/x86_64/x86_64.h"
#include "tests/tap.h"

static struct kvm_cpuid2 *cpuid;

static struct kvm_cpuid_entry2 *add(u32 function, u32 index, u32 eax, u32 ebx, u32 ecx, u32 edx)
{
	struct kvm_cpuid_entry2 *e = &cpuid->entries[cpuid->nent++];

	*e = (struct kvm_cpuid_entry2){ function, index, 0, eax, ebx, ecx, edx, { 0 } };
	return e;
}

static void cpuid_new(void)
{
	free(cpuid);
	cpuid = calloc(1, sizeof(*cpuid) + 32 * sizeof(cpuid->entries[0]));
}

static void features_are_a_guests(void)
{
	struct kvm_cpuid_entry2 *features, *power, *counters, *amd, *kvm;

	cpuid_new();
	features = add(1, 0, 0x806e9, 0xffffff05, 0x00000021, 0);
	power = add(6, 0, 4, 0, 9, 0);
	counters = add(0xa, 0, 0x7300402, 1, 2, 3);
	amd = add(0x80000001, 0, 0, 0, 0x7, 0);
	kvm = add(0x40000001, 0, 0x01007efb, 0, 0, 0);
	vmm_x86_cpuid_adjust(cpuid, 3, 4, true, false);
	/* Its number, the number of CPUs, and 64-byte cache lines. */
	tap_equal(features->ebx, 0x03040805);
	/* A hypervisor, x2APIC, the timer's deadline; no VMX. */
	tap_equal(features->ecx, 0x81200001);
	tap_equal(features->edx, 1U << 28);
	tap_equal(power->ecx, 1);
	tap_equal(power->eax, 4);
	tap_check(!counters->eax && !counters->ebx && !counters->ecx && !counters->edx);
	tap_equal(amd->ecx, 3);
	/* All KVM features except the end of interrupts by memory. */
	tap_equal(kvm->eax, 0x01007ebb);
	/* One CPU, and without a deadline. */
	cpuid_new();
	features = add(1, 0, 0, 0, 0, ~0U);
	kvm = add(0x40000001, 0, 0x01007efb, 0, 0, 0);
	vmm_x86_cpuid_adjust(cpuid, 0, 1, false, true);
	tap_equal(features->ebx, 0x00010800);
	tap_equal(features->ecx, 0x80200000);
	tap_equal(features->edx, ~(1U << 28));
	tap_equal(kvm->eax, 0x01007efb);
}

/* Number of CPUs, and bits of their numbers. */
static const unsigned int bits[][2] = {
	{ 1, 0 }, { 2, 1 }, { 3, 2 }, { 4, 2 }, { 5, 3 }, { 8, 3 }, { 9, 4 }, { 16, 4 }, { 32, 5 },
};

static void topology_is_one_package(void)
{
	struct kvm_cpuid_entry2 *thread, *core, *none, *amd, *id, *l1, *l3, *last;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(bits); i++) {
		unsigned int cpus = bits[i][0];

		tap_context("%u CPUs", cpus);
		cpuid_new();
		add(0, 0, 0x10, 0x68747541, 0x444d4163, 0x69746e65);
		thread = add(0xb, 0, 1, 2, 0x100, 0x77);
		core = add(0xb, 1, 4, 16, 0x201, 0x77);
		none = add(0x1f, 2, 9, 9, 9, 9);
		amd = add(0x80000008, 0, 0x3030, 0, 0x5005, 0);
		id = add(0x8000001e, 0, 9, 0x709, 9, 0);
		l1 = add(4, 0, 0xfc03f121, 0, 0, 0);
		l3 = add(4, 3, 0xfc03c163, 0, 0, 0);
		last = add(4, 4, 0, 0, 0, 0);
		vmm_x86_cpuid_adjust(cpuid, cpus - 1, cpus, true, true);
		tap_equal(thread->eax, 0);
		tap_equal(thread->ebx, 1);
		tap_equal(thread->ecx, 0x100);
		tap_equal(thread->edx, cpus - 1);
		tap_equal(core->eax, bits[i][1]);
		tap_equal(core->ebx, cpus);
		tap_equal(core->ecx, 0x201);
		tap_equal(core->edx, cpus - 1);
		tap_check(!none->eax && !none->ebx && none->ecx == 2 && none->edx == cpus - 1);
		tap_equal(amd->ecx, (cpus - 1) | bits[i][1] << 12);
		tap_equal(amd->eax, 0x3030);
		tap_equal(id->eax, cpus - 1);
		tap_equal(id->ebx, cpus - 1);
		tap_equal(id->ecx, 0);
		/* Private or shared caches; the number of cores of a package. */
		tap_equal(l1->eax, 0x3121U | ((1U << bits[i][1]) - 1) << 26);
		tap_equal(l3->eax, 0x0163U | (cpus - 1) << 14 | ((1U << bits[i][1]) - 1) << 26);
		tap_equal(last->eax, 0);
	}
}

/* That leaf is reserved on other CPUs. */
static void intel_has_no_size_of_amd(void)
{
	struct kvm_cpuid_entry2 *size;

	cpuid_new();
	add(0, 0, 0x16, 0x756e6547, 0x6c65746e, 0x49656e69);
	size = add(0x80000008, 0, 0x3030, 0, 0, 0);
	vmm_x86_cpuid_adjust(cpuid, 1, 4, true, true);
	tap_equal(size->eax, 0x3030);
	tap_equal(size->ecx, 0);
}

/* Each line is on one pin of the IOAPIC, the timer's on another pin. */
static void lines_end_at_pins(void)
{
	static struct kvm_irq_routing_entry routes[VMM_ARCH_ROUTES];
	struct vmm_vm vm = { 0 };
	unsigned int n = vmm_arch_routes(&vm, routes);
	unsigned int pins[3][24] = { { 0 } };
	unsigned int i;

	tap_equal(n, 15 + 23);
	for (i = 0; i < n; i++) {
		unsigned int chip = routes[i].u.irqchip.irqchip;
		unsigned int pin = routes[i].u.irqchip.pin;

		tap_context("interrupt %u", routes[i].gsi);
		tap_equal(routes[i].type, KVM_IRQ_ROUTING_IRQCHIP);
		if (!tap_check(chip < 3 && pin < (chip == 2 ? 24 : 8)))
			continue;
		pins[chip][pin]++;
		tap_equal(pins[chip][pin], 1);
		if (chip == 2)
			tap_equal(pin, routes[i].gsi ? routes[i].gsi : 2);
		else
			tap_equal(chip * 8 + pin, routes[i].gsi);
		tap_check(routes[i].gsi != 2);
	}
}

static void what_is_not_there_is_said(void)
{
	struct vmm_config cfg = { .cpus = 1, .vmgenid = true };

	cfg.disks = 1;
	cfg.vsock = VMM_VSOCK_ADB;
	tap_equal(vmm_arch_check_run(&cfg), 0);
	cfg.dma_pool = MIB;
	tap_check(vmm_arch_check_run(&cfg));
	cfg.dma_pool = 0;
	cfg.gic = VMM_GIC_V3;
	tap_check(vmm_arch_check_run(&cfg));
	cfg.gic = VMM_GIC_AUTO;
	cfg.board = VMM_BOARD_VIRT;
	tap_check(vmm_arch_check_run(&cfg));
	cfg.board = VMM_BOARD_PC;
	cfg.virtio_bus = VMM_BUS_PCI;
	tap_equal(vmm_arch_check_run(&cfg), 0);
	cfg.virtio_bus = VMM_BUS_MMIO;
	tap_check(vmm_arch_check_run(&cfg));
	cfg.virtio_bus = VMM_BUS_PCI;
	cfg.disk[0].fstab = "system";
	tap_check(vmm_arch_check_run(&cfg));
	cfg.disk[0].fstab = NULL;
	/* Lines of ACPI devices. */
	cfg.fstab_system = "/dev/vda";
	cfg.fstab_vendor = "/dev/vdb";
	tap_equal(vmm_arch_check_run(&cfg), 0);
	cfg.vmgenid = false;
	tap_check(vmm_arch_check_run(&cfg));
}

/* ---- clocks of a guest that goes on: KVM has a clock, and a vCPU's counter ---- */

#define MSR_TSC	0x10
#define KHZ	2000000

static u64 now_ns;		/* the host's time of day, 0 for the real one */
static u64 kvm_clock, kvm_tsc;

int clock_gettime(clockid_t id, struct timespec *now)
{
	if (!now_ns)
		return syscall(SYS_clock_gettime, id, now);
	*now = (struct timespec){ now_ns / 1000000000, now_ns % 1000000000 };
	return 0;
}

static int msr_ioctl(unsigned long request, struct kvm_msrs *msrs)
{
	if (msrs->entries[0].index != MSR_TSC)
		return 0;
	if (request == KVM_GET_MSRS)
		msrs->entries[0].data = kvm_tsc;
	else
		kvm_tsc = msrs->entries[0].data;
	return 1;
}

int ioctl(int fd, unsigned long request, ...)
{
	struct kvm_msr_list *list;
	va_list args;
	void *arg;

	(void)fd;
	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	switch (request) {
	case KVM_GET_CLOCK:
		((struct kvm_clock_data *)arg)->clock = kvm_clock;
		return 0;
	case KVM_SET_CLOCK:
		kvm_clock = ((struct kvm_clock_data *)arg)->clock;
		return 0;
	case KVM_GET_MSR_INDEX_LIST:
		list = arg;
		list->nmsrs = 1;
		list->indices[0] = MSR_TSC;
		return 0;
	case KVM_GET_MSRS:
	case KVM_SET_MSRS:
		return msr_ioctl(request, arg);
	case KVM_GET_TSC_KHZ:
		return KHZ;
	case KVM_GET_CPUID2:
		((struct kvm_cpuid2 *)arg)->nent = 0;
		return 0;
	case KVM_CHECK_EXTENSION:
		return 0;
	default:
		return 0;
	}
}

/* A guest is saved, and goes on after three seconds. */
static void goes_on(enum vmm_guest_clock mode, s64 after)
{
	struct vmm_config cfg = { .guest_clock = mode };
	struct vmm_vm vm = { .cfg = &cfg };
	struct vmm_vcpu vcpu = { .vm = &vm };
	struct vmm_state chips = { 0 }, cpu = { 0 };

	kvm_clock = 5000;
	kvm_tsc = 70000;
	now_ns = 1700000000ULL * 1000000000;
	tap_equal(vmm_arch_irqchip_save(&vm, &chips), 0);
	tap_equal(vmm_arch_vcpu_save(&vcpu, &cpu), 0);
	kvm_clock = 1;
	kvm_tsc = 2;
	now_ns += after;
	tap_equal(vmm_arch_irqchip_load(&vm, &chips), 0);
	tap_equal(vmm_arch_vcpu_load(&vcpu, &cpu), 0);
	now_ns = 0;
	vmm_state_free(&chips);
	vmm_state_free(&cpu);
}

static void clocks_go_on(void)
{
	goes_on(VMM_GUEST_CLOCK_SAVED, 3000000000);
	tap_equal(kvm_clock, 5000);
	tap_equal(kvm_tsc, 70000);
	goes_on(VMM_GUEST_CLOCK_HOST, 3000000000);
	tap_equal(kvm_clock, 3000005000);
	tap_equal(kvm_tsc, 3ULL * KHZ * 1000 + 70000);
	/* The host's clock was set back meanwhile: a guest's goes never back. */
	goes_on(VMM_GUEST_CLOCK_HOST, -3000000000);
	tap_equal(kvm_clock, 5000);
	tap_equal(kvm_tsc, 70000);
}

static const struct tap_case cases[] = {
	{ "clocks go on", clocks_go_on },
	{ "features are a guest's", features_are_a_guests },
	{ "all CPUs are cores of one package", topology_is_one_package },
	{ "Intel's CPUs have no size by AMD's leaf", intel_has_no_size_of_amd },
	{ "lines end at pins", lines_end_at_pins },
	{ "what is not there is said", what_is_not_there_is_said },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
