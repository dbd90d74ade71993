// SPDX-License-Identifier: GPL-2.0-only
/*
 * x86_64: the state of vCPUs, of the interrupt controllers and of the clocks, as KVM reads
 * and writes it. KVM lists the model-specific registers that are saved. CPUID and the MSRs
 * that describe the CPU are not loaded but compared: a guest cannot continue on a CPU that
 * differs from the one that it has found at its start.
 *
 * Source: Linux 6.12 Documentation/virt/kvm/api.rst.
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>

#include "machine/machine.h"
#include "machine/x86_64/x86_64.h"

#define CPU_VERSION	1
#define CHIP_VERSION	2

/* Tags of a vCPU's state; a number is never reused. */
enum {
	CPU_MP = 1,	/* whether the CPU runs, sleeps or waits to be started */
	CPU_REGS,	/* general registers */
	CPU_SREGS,	/* segments and control registers */
	CPU_XSAVE,	/* FPU and vector registers */
	CPU_XCRS,	/* XCR0: which parts of the XSAVE area are enabled */
	CPU_DEBUG,	/* debug registers */
	CPU_LAPIC,	/* the local APIC */
	CPU_MSRS,	/* number and value of each model-specific register */
	CPU_EVENTS,	/* pending exceptions and interrupts */
	CPU_CPUID,	/* CPUID leaves */
	CPU_TSC_KHZ,	/* frequency of its time stamp counter */
};

/* Tags of the state that all vCPUs share. */
enum {
	CHIP_PIC_MASTER = 1,
	CHIP_PIC_SLAVE,
	CHIP_IOAPIC,
	CHIP_PIT,
	CHIP_CLOCK,	/* nanoseconds of kvmclock */
	CHIP_REAL,	/* and of the host's time of day then; from version 2 on */
};

#define MSRS_MAX	1024	/* more than any KVM lists */
#define CPUID_MAX	256	/* entries; KVM's own limit */
#define XSAVE_MAX	(64 << 10)

/* Frequencies that differ by no more than one part in this many count as equal. */
#define TSC_TOLERANCE	4000

#define MSR_TSC			0x10
#define MSR_UCODE_REV		0x8b
#define MSR_PLATFORM_INFO	0xce
#define MSR_ARCH_CAPABILITIES	0x10a
#define MSR_LAST_BRANCH		0x1db	/* and the three behind it */
#define MSR_MTRR_VARIABLE	0x200	/* 16 in a row */
#define MSR_MTRR_DEF_TYPE	0x2ff
#define MSR_PERF_CAPABILITIES	0x345
#define MSR_HYPERV		0x40000000	/* 512 in a row */

/* ---- model-specific registers ---- */

struct saved_msr {
	__le32 index;
	__le32 reserved;
	__le64 value;
};

/* Registers of memory types, which KVM has and does not list. */
static const u32 msrs_unlisted[] = {
	MSR_MTRR_VARIABLE, 0x201, 0x202, 0x203, 0x204, 0x205, 0x206, 0x207, 0x208, 0x209,
	0x20a, 0x20b, 0x20c, 0x20d, 0x20e, 0x20f, 0x250, 0x258, 0x259, 0x268, 0x269, 0x26a,
	0x26b, 0x26c, 0x26d, 0x26e, 0x26f, MSR_MTRR_DEF_TYPE,
};

/*
 * Registers that are not saved: those of Hyper-V, which KVM lists although no guest of
 * vmmctl sees them; the microcode's revision; and registers of the last branch, which some
 * hosts read and do not write.
 */
static bool msr_is_skipped(u32 index)
{
	return (index >= MSR_HYPERV && index < MSR_HYPERV + 0x200) || index == MSR_UCODE_REV ||
	       (index >= MSR_LAST_BRANCH && index < MSR_LAST_BRANCH + 4);
}

/* Registers that say what the CPU is. */
static bool msr_is_feature(u32 index)
{
	return index == MSR_ARCH_CAPABILITIES || index == MSR_PLATFORM_INFO ||
	       index == MSR_PERF_CAPABILITIES;
}

#define ONE_MSR	(sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry))

static int msr_access(struct vmm_vcpu *vcpu, unsigned long request, u32 index, u64 *value)
{
	union {
		struct kvm_msrs list;
		u8 room[ONE_MSR];
	} one = { .list.nmsrs = 1 };
	struct kvm_msr_entry *entry = one.list.entries;

	*entry = (struct kvm_msr_entry){ .index = index, .data = *value };
	/* The ioctl returns the number of registers. */
	if (ioctl(vcpu->fd, request, &one) != 1)
		return -EINVAL;
	*value = entry->data;
	return 0;
}

/* Returns the numbers of all registers that are saved; free() frees it. NULL after a message. */
static u32 *msrs_list(const struct vmm_vcpu *vcpu, unsigned int *count)
{
	struct kvm_msr_list *list = calloc(1, sizeof(*list) + MSRS_MAX * sizeof(u32));
	u32 *indices = calloc(MSRS_MAX + ARRAY_SIZE(msrs_unlisted), sizeof(*indices));
	unsigned int i;

	*count = 0;
	if (list)
		list->nmsrs = MSRS_MAX;
	if (!list || !indices || ioctl(vcpu->vm->kvm_fd, KVM_GET_MSR_INDEX_LIST, list)) {
		vmm_error(errno, "KVM does not list the registers of a CPU");
		free(list);
		free(indices);
		return NULL;
	}
	for (i = 0; i < list->nmsrs; i++) {
		if (!msr_is_skipped(list->indices[i]))
			indices[(*count)++] = list->indices[i];
	}
	for (i = 0; i < ARRAY_SIZE(msrs_unlisted); i++)
		indices[(*count)++] = msrs_unlisted[i];
	free(list);
	return indices;
}

static int msrs_save(struct vmm_vcpu *vcpu, struct vmm_state *state)
{
	unsigned int listed;
	u32 *indices = msrs_list(vcpu, &listed);
	struct saved_msr *saved = indices ? calloc(listed + 1, sizeof(*saved)) : NULL;
	unsigned int count = 0;
	unsigned int i;

	if (!saved) {
		free(indices);
		return vmm_error(ENOMEM, "vCPU %u: its registers", vcpu->id);
	}
	for (i = 0; i < listed; i++) {
		u64 value = 0;

		/* KVM lists registers that this CPU may not have. */
		if (msr_access(vcpu, KVM_GET_MSRS, indices[i], &value))
			continue;
		saved[count].index = htole32(indices[i]);
		saved[count++].value = htole64(value);
	}
	vmm_state_put(state, CPU_MSRS, saved, count * sizeof(*saved));
	free(saved);
	free(indices);
	return 0;
}

/* Read-only registers must have the saved value. */
static int msr_set_saved(struct vmm_vcpu *vcpu, u32 index, u64 value)
{
	u64 here = value;

	if (!msr_is_feature(index) && !msr_access(vcpu, KVM_SET_MSRS, index, &here))
		return 0;
	if (!msr_access(vcpu, KVM_GET_MSRS, index, &here) && here == value)
		return 0;
	return vmm_error(-EINVAL,
			 "snapshot: register 0x%x of vCPU %u is read-only and has another value here",
			 index, vcpu->id);
}

/* Removes a number from the list, because each comes once. */
static bool msr_listed(u32 *indices, unsigned int listed, u32 index)
{
	unsigned int i;

	for (i = 0; i < listed; i++) {
		if (indices[i] == index) {
			indices[i] = MSR_HYPERV;
			return index != MSR_HYPERV;
		}
	}
	return false;
}

/* Returns ticks of the TSC in the time that the VM has not run. */
static u64 tsc_away(const struct vmm_vcpu *vcpu, u32 khz)
{
	u64 ns = vcpu->vm->away;

	return ns / 1000000 * khz + ns % 1000000 * khz / 1000000;
}

static int msrs_load(struct vmm_vcpu *vcpu, const u8 *bytes, u32 len, u32 khz)
{
	struct saved_msr saved;
	unsigned int listed;
	u32 *indices;
	int err = 0;

	if (len % sizeof(saved))
		return -EINVAL;
	indices = msrs_list(vcpu, &listed);
	if (!indices)
		return -ENOMEM;
	for (; len && !err; bytes += sizeof(saved), len -= sizeof(saved)) {
		memcpy(&saved, bytes, sizeof(saved));
		if (le32toh(saved.index) == MSR_TSC)
			saved.value = htole64(le64toh(saved.value) + tsc_away(vcpu, khz));
		if (!msr_listed(indices, listed, le32toh(saved.index)))
			err = vmm_error(-EINVAL, "snapshot: this host's KVM has no register 0x%x",
					le32toh(saved.index));
		else
			err = msr_set_saved(vcpu, le32toh(saved.index), le64toh(saved.value));
	}
	free(indices);
	return err;
}

/* ---- CPUID ---- */

static struct kvm_cpuid2 *cpuid_get(struct vmm_vcpu *vcpu)
{
	struct kvm_cpuid2 *cpuid = calloc(1, sizeof(*cpuid) +
					     CPUID_MAX * sizeof(cpuid->entries[0]));

	if (!cpuid)
		return NULL;
	cpuid->nent = CPUID_MAX;
	if (!ioctl(vcpu->fd, KVM_GET_CPUID2, cpuid))
		return cpuid;
	free(cpuid);
	return NULL;
}

/* Clears fields that depend on the CPU's registers or on the host's measurements. */
static void cpuid_clear_varying(struct kvm_cpuid_entry2 *e)
{
	switch (e->function) {
	case 1:
		e->ecx &= ~(1U << 27 | 1U << 3);	/* OSXSAVE, MONITOR */
		e->edx &= ~(1U << 9);			/* APIC */
		break;
	case 7:
		e->ecx &= ~(1U << 4);			/* OSPKE */
		break;
	case 0xd:
		e->ebx = 0;				/* bytes of what is enabled */
		break;
	case 0x15:
	case 0x16:
	case 0x40000010:
		e->eax = 0;
		e->ebx = 0;
		e->ecx = 0;
		break;
	}
}

static int cpuid_save(struct vmm_vcpu *vcpu, struct vmm_state *state)
{
	struct kvm_cpuid2 *cpuid = cpuid_get(vcpu);

	if (!cpuid)
		return vmm_error(errno, "vCPU %u: KVM does not return its CPUID", vcpu->id);
	vmm_state_put(state, CPU_CPUID, cpuid->entries,
		      cpuid->nent * sizeof(cpuid->entries[0]));
	free(cpuid);
	return 0;
}

static bool cpuid_entry_fits(struct kvm_cpuid_entry2 there, struct kvm_cpuid_entry2 here)
{
	cpuid_clear_varying(&there);
	cpuid_clear_varying(&here);
	return !memcmp(&there, &here, sizeof(here));
}

static int cpuid_fits(struct vmm_vcpu *vcpu, const u8 *bytes, u32 len)
{
	struct kvm_cpuid2 *here = cpuid_get(vcpu);
	struct kvm_cpuid_entry2 there;
	unsigned int i;
	int err = 0;

	if (!here)
		return vmm_error(errno, "vCPU %u: KVM does not return its CPUID", vcpu->id);
	if (len != here->nent * sizeof(there))
		err = vmm_error(-EINVAL, "snapshot: this host's CPU has other CPUID leaves");
	for (i = 0; !err && i < here->nent; i++) {
		memcpy(&there, bytes + i * sizeof(there), sizeof(there));
		if (!cpuid_entry_fits(there, here->entries[i]))
			err = vmm_error(-EINVAL,
					"snapshot: this host's CPU differs in CPUID leaf 0x%x.%u",
					here->entries[i].function, here->entries[i].index);
	}
	free(here);
	return err;
}

/* CPUID leaves of features. The others are compared when the vCPU is loaded. */
static bool leaf_is_feature(u32 function)
{
	return function <= 1 || function == 7 || function == 0x80000001 || function == 0x80000008;
}

static void entry_tell(const struct kvm_cpuid_entry2 *e, vmm_feature_fn fn, void *arg)
{
	const struct {
		const char *name;
		u32 value;
	} part[] = { { "eax", e->eax }, { "ebx", e->ebx }, { "ecx", e->ecx }, { "edx", e->edx } };
	char name[48];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(part); i++) {
		snprintf(name, sizeof(name), "cpuid_%x_%u_%s", e->function, e->index, part[i].name);
		fn(arg, name, part[i].value);
	}
}

/**
 * vmm_arch_features - report the CPU features that a guest can read
 * @vm: has vCPUs
 * @fn: called for each feature that KVM reports
 * @arg: argument of @fn
 */
void vmm_arch_features(const struct vmm_vm *vm, vmm_feature_fn fn, void *arg)
{
	struct kvm_cpuid2 *cpuid = cpuid_get(vm->vcpu[0]);
	unsigned int i;

	for (i = 0; cpuid && i < cpuid->nent; i++) {
		cpuid_clear_varying(&cpuid->entries[i]);
		if (leaf_is_feature(cpuid->entries[i].function))
			entry_tell(&cpuid->entries[i], fn, arg);
	}
	free(cpuid);
}

/**
 * vmm_arch_feature_taken - set a CPU feature to the value of another CPU
 * @vm: has vCPUs
 * @name: name of the feature
 * @value: value that the guest has read
 *
 * Return: false: the guest's CPU must be the same
 */
bool vmm_arch_feature_taken(const struct vmm_vm *vm, const char *name, u64 value)
{
	(void)vm;
	(void)name;
	(void)value;
	return false;
}

/* Sets the TSC's frequency; the CPU scales it if it can. */
static int tsc_load(struct vmm_vcpu *vcpu, u32 khz)
{
	long here = ioctl(vcpu->fd, KVM_GET_TSC_KHZ, 0);
	u64 off = here > (long)khz ? here - khz : khz - here;

	if (here <= 0 || !khz)
		return -EINVAL;
	if (off * TSC_TOLERANCE <= khz)
		return 0;
	/* Without scaling, KVM accepts a higher frequency, and only corrects the TSC at times. */
	if (ioctl(vcpu->vm->kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_CONTROL) > 0 &&
	    !ioctl(vcpu->fd, KVM_SET_TSC_KHZ, khz))
		return 0;
	return vmm_error(-EINVAL,
			 "snapshot: its TSC has %u kHz, this host's %ld, and cannot be scaled",
			 khz, here);
}

/* ---- vCPUs ---- */

/* Bytes of the FPU's state: at least those of a struct kvm_xsave. */
static size_t xsave_size(const struct vmm_vcpu *vcpu)
{
	int size = ioctl(vcpu->vm->fd, KVM_CHECK_EXTENSION, KVM_CAP_XSAVE2);

	return size > (int)sizeof(struct kvm_xsave) && size <= XSAVE_MAX ?
	       (size_t)size : sizeof(struct kvm_xsave);
}

static int xsave_save(struct vmm_vcpu *vcpu, struct vmm_state *state)
{
	size_t size = xsave_size(vcpu);
	void *xsave = calloc(1, size);
	int err = 0;

	if (!xsave)
		return vmm_error(ENOMEM, "vCPU %u", vcpu->id);
	if (ioctl(vcpu->fd, size > sizeof(struct kvm_xsave) ? KVM_GET_XSAVE2 : KVM_GET_XSAVE,
		  xsave))
		err = vmm_error(errno, "vCPU %u: KVM does not return its FPU", vcpu->id);
	else
		vmm_state_put(state, CPU_XSAVE, xsave, size);
	free(xsave);
	return err;
}

/* KVM writes as many bytes as it reads. */
static int xsave_load(struct vmm_vcpu *vcpu, const u8 *bytes, u32 len)
{
	void *xsave;
	int err = 0;

	if (len != xsave_size(vcpu))
		return vmm_error(-EINVAL,
				 "snapshot: the FPU's state has %u bytes, and %zu on this host",
				 len, xsave_size(vcpu));
	xsave = malloc(len);
	if (!xsave)
		return vmm_error(ENOMEM, "vCPU %u", vcpu->id);
	memcpy(xsave, bytes, len);
	if (ioctl(vcpu->fd, KVM_SET_XSAVE, xsave))
		err = vmm_error(errno, "snapshot: KVM refuses the FPU of vCPU %u", vcpu->id);
	free(xsave);
	return err;
}

/**
 * struct vcpu_part - a part of a vCPU's state that one request reads and one writes
 * @tag: tag of its field
 * @get: the request that reads it
 * @set: the request that writes it
 * @size: bytes
 * @name: for messages
 */
struct vcpu_part {
	u32 tag;
	unsigned long get;
	unsigned long set;
	size_t size;
	const char *name;
};

#define PART_MAX	sizeof(struct kvm_lapic_state)

/*
 * In the order in which KVM accepts them. SREGS contain the address of the local APIC, so
 * they come before it; MSRs come after it, because one has the time of its timer.
 */
static const struct vcpu_part parts[] = {
	{ CPU_MP, KVM_GET_MP_STATE, KVM_SET_MP_STATE, sizeof(struct kvm_mp_state), "state" },
	{ CPU_REGS, KVM_GET_REGS, KVM_SET_REGS, sizeof(struct kvm_regs), "registers" },
	{ CPU_SREGS, KVM_GET_SREGS, KVM_SET_SREGS, sizeof(struct kvm_sregs), "segments" },
	{ CPU_XCRS, KVM_GET_XCRS, KVM_SET_XCRS, sizeof(struct kvm_xcrs), "XCR0" },
	{ CPU_DEBUG, KVM_GET_DEBUGREGS, KVM_SET_DEBUGREGS, sizeof(struct kvm_debugregs),
	  "debug registers" },
	{ CPU_LAPIC, KVM_GET_LAPIC, KVM_SET_LAPIC, sizeof(struct kvm_lapic_state), "APIC" },
};

/* Pending events come last, both when saving and when loading. */
static const struct vcpu_part events_part = {
	CPU_EVENTS, KVM_GET_VCPU_EVENTS, KVM_SET_VCPU_EVENTS, sizeof(struct kvm_vcpu_events),
	"events",
};

static int part_save(struct vmm_vcpu *vcpu, const struct vcpu_part *part,
		     struct vmm_state *state)
{
	u8 bytes[PART_MAX] = { 0 };

	if (ioctl(vcpu->fd, part->get, bytes))
		return vmm_error(errno, "vCPU %u: KVM does not return its %s", vcpu->id,
				 part->name);
	vmm_state_put(state, part->tag, bytes, part->size);
	return 0;
}

static int part_load(struct vmm_vcpu *vcpu, const struct vcpu_part *part, const u8 *saved)
{
	u8 bytes[PART_MAX];

	memcpy(bytes, saved, part->size);
	if (ioctl(vcpu->fd, part->set, bytes))
		return vmm_error(errno, "snapshot: KVM refuses the %s of vCPU %u", part->name,
				 vcpu->id);
	return 0;
}

/**
 * vmm_arch_vcpu_save - save a vCPU
 * @vcpu: parked
 * @state: filled; vmm_state_free() frees it
 *
 * Return: 0, or -errno after a message
 */
int vmm_arch_vcpu_save(struct vmm_vcpu *vcpu, struct vmm_state *state)
{
	long khz = ioctl(vcpu->fd, KVM_GET_TSC_KHZ, 0);
	__le32 saved_khz = htole32(khz);
	unsigned int i;
	int err = vmm_state_begin(state, "cpu", CPU_VERSION);

	if (!err && khz <= 0)
		err = vmm_error(EINVAL, "vCPU %u: KVM does not return its TSC frequency", vcpu->id);
	/* CPU_MP is read first: reading it may change the APIC's state. */
	for (i = 0; !err && i < ARRAY_SIZE(parts); i++)
		err = part_save(vcpu, &parts[i], state);
	if (!err)
		err = xsave_save(vcpu, state);
	if (!err)
		err = msrs_save(vcpu, state);
	if (!err)
		err = cpuid_save(vcpu, state);
	if (!err)
		err = part_save(vcpu, &events_part, state);
	if (err)
		return err;
	vmm_state_put(state, CPU_TSC_KHZ, &saved_khz, sizeof(saved_khz));
	return vmm_state_end(state);
}

/* Returns a field if it has the size of KVM's structure, else NULL. */
static const u8 *part_get(struct vmm_state *state, const struct vcpu_part *part)
{
	u32 len;
	const u8 *bytes = vmm_state_get_any(state, part->tag, &len);

	return bytes && len == part->size ? bytes : NULL;
}

/**
 * vmm_arch_vcpu_load - load a vCPU's state
 * @vcpu: initialised; it has not run
 * @state: @bytes and @len are set
 *
 * Return: 0, or -errno; the vCPU must not run then
 */
int vmm_arch_vcpu_load(struct vmm_vcpu *vcpu, struct vmm_state *state)
{
	const u8 *part[ARRAY_SIZE(parts)];
	const u8 *xsave, *msrs, *cpuid, *events;
	u32 xsave_len, msrs_len, cpuid_len;
	bool whole = true;
	unsigned int i;
	__le32 khz;
	int err = vmm_state_open(state, "cpu", CPU_VERSION);

	if (err < 0)
		return err;
	for (i = 0; i < ARRAY_SIZE(parts); i++) {
		part[i] = part_get(state, &parts[i]);
		whole = whole && part[i];
	}
	xsave = vmm_state_get_any(state, CPU_XSAVE, &xsave_len);
	msrs = vmm_state_get_any(state, CPU_MSRS, &msrs_len);
	cpuid = vmm_state_get_any(state, CPU_CPUID, &cpuid_len);
	events = part_get(state, &events_part);
	vmm_state_get(state, CPU_TSC_KHZ, &khz, sizeof(khz));
	err = vmm_state_close(state);
	if (!err && (!whole || !events))
		err = -EINVAL;
	if (!err)
		err = cpuid_fits(vcpu, cpuid, cpuid_len);
	if (!err)
		err = tsc_load(vcpu, le32toh(khz));
	for (i = 0; !err && i < ARRAY_SIZE(parts); i++)
		err = part_load(vcpu, &parts[i], part[i]);
	if (!err)
		err = xsave_load(vcpu, xsave, xsave_len);
	if (!err)
		err = msrs_load(vcpu, msrs, msrs_len, le32toh(khz));
	if (!err)
		err = part_load(vcpu, &events_part, events);
	if (!err)
		vmm_arch_vcpu_resumed(vcpu);
	return err;
}

/* ---- interrupt controllers and clocks ---- */

static const struct {
	u32 tag;
	u32 chip;
} chips[] = {
	{ CHIP_PIC_MASTER, KVM_IRQCHIP_PIC_MASTER },
	{ CHIP_PIC_SLAVE, KVM_IRQCHIP_PIC_SLAVE },
	{ CHIP_IOAPIC, KVM_IRQCHIP_IOAPIC },
};

static u64 real_ns(void)
{
	struct timespec now;

	clock_gettime(CLOCK_REALTIME, &now);
	return now.tv_sec * 1000000000ULL + now.tv_nsec;
}

/**
 * vmm_arch_irqchip_save - save the interrupt controllers and the clocks
 * @vm: its vCPUs are parked
 * @state: filled; vmm_state_free() frees it
 *
 * Return: 0, or -errno after a message
 */
int vmm_arch_irqchip_save(struct vmm_vm *vm, struct vmm_state *state)
{
	struct kvm_clock_data clock = { 0 };
	struct kvm_pit_state2 pit = { 0 };
	unsigned int i;
	__le64 ns, real;
	int err = vmm_state_begin(state, "irqchip", CHIP_VERSION);

	if (err)
		return err;
	for (i = 0; i < ARRAY_SIZE(chips); i++) {
		struct kvm_irqchip chip = { .chip_id = chips[i].chip };

		if (ioctl(vm->fd, KVM_GET_IRQCHIP, &chip))
			return vmm_error(errno, "KVM does not return its interrupt controllers");
		vmm_state_put(state, chips[i].tag, &chip.chip, sizeof(chip.chip));
	}
	if (ioctl(vm->fd, KVM_GET_PIT2, &pit) || ioctl(vm->fd, KVM_GET_CLOCK, &clock))
		return vmm_error(errno, "KVM does not return its clocks");
	ns = htole64(clock.clock);
	real = htole64(real_ns());
	vmm_state_put(state, CHIP_PIT, &pit, sizeof(pit));
	vmm_state_put(state, CHIP_CLOCK, &ns, sizeof(ns));
	vmm_state_put(state, CHIP_REAL, &real, sizeof(real));
	return vmm_state_end(state);
}

/* Returns ns to add to the guest's clocks; @real is 0 if the snapshot has no time of day. */
static u64 clock_goes_on(const struct vmm_vm *vm, u64 real)
{
	u64 now = real_ns();

	return vm->cfg->guest_clock == VMM_GUEST_CLOCK_HOST && real && now > real ? now - real : 0;
}

/**
 * vmm_arch_irqchip_load - load the interrupt controllers and the clocks
 * @vm: its interrupt controllers are new
 * @state: @bytes and @len are set
 *
 * vCPUs are loaded afterwards, with the interrupts that were pending when they were saved.
 * They overwrite what an IOAPIC sends to them now.
 *
 * Return: 0, or -errno
 */
int vmm_arch_irqchip_load(struct vmm_vm *vm, struct vmm_state *state)
{
	struct kvm_irqchip chip[ARRAY_SIZE(chips)];
	struct kvm_clock_data clock = { 0 };
	struct kvm_pit_state2 pit;
	__le64 ns, real = 0;
	unsigned int i;
	int err = vmm_state_open(state, "irqchip", CHIP_VERSION);

	bool old = err == 1;

	if (err < 0)
		return err;
	for (i = 0; i < ARRAY_SIZE(chips); i++) {
		chip[i] = (struct kvm_irqchip){ .chip_id = chips[i].chip };
		vmm_state_get(state, chips[i].tag, &chip[i].chip, sizeof(chip[i].chip));
	}
	vmm_state_get(state, CHIP_PIT, &pit, sizeof(pit));
	vmm_state_get(state, CHIP_CLOCK, &ns, sizeof(ns));
	if (!old)
		vmm_state_get(state, CHIP_REAL, &real, sizeof(real));
	err = vmm_state_close(state);
	if (err)
		return err;
	/* The TSC of each vCPU is advanced by the same time when the vCPU is loaded. */
	vm->away = clock_goes_on(vm, le64toh(real));
	clock.clock = le64toh(ns) + vm->away;
	for (i = 0; i < ARRAY_SIZE(chips); i++) {
		if (ioctl(vm->fd, KVM_SET_IRQCHIP, &chip[i]))
			return vmm_error(errno, "snapshot: KVM refuses an interrupt controller");
	}
	if (ioctl(vm->fd, KVM_SET_PIT2, &pit) || ioctl(vm->fd, KVM_SET_CLOCK, &clock))
		return vmm_error(errno, "snapshot: KVM refuses a clock");
	return 0;
}
