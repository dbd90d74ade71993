// SPDX-License-Identifier: GPL-2.0-only
/*
 * arm64: the state of vCPUs and of the interrupt controller, as KVM reads and writes it. A
 * vCPU's registers are those that KVM_GET_REG_LIST lists, so this file does not know which
 * registers a CPU has. Registers of interrupt controllers have the offsets that guests use.
 *
 * Source: Linux 6.12 Documentation/virt/kvm/api.rst, devices/arm-vgic.rst and
 * devices/arm-vgic-v3.rst.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "machine/machine.h"

#define CPU_VERSION	1
#define GIC_VERSION	1

/* Tags of a vCPU's state; a number is never reused. */
enum {
	CPU_REGS = 1,	/* number and value of each register */
	CPU_MP,		/* whether the CPU is on */
	CPU_EVENTS,	/* aborts that the CPU has yet to take */
};

/* Tags of the interrupt controller's state. */
enum {
	GIC_KIND = 1,	/* its version, and how many CPUs and interrupts it has */
	GIC_REGS,	/* values, in the order of gic_walk() */
};

/* ---- vCPUs ---- */

#define MPIDR_EL1	ARM64_SYS_REG(3, 0, 0, 0, 5)
#define REGS_MAX	4096	/* registers of a vCPU, more than any has */
#define REG_BYTES	256	/* of the largest register that KVM's numbers can tell */

static unsigned int reg_bytes(u64 id)
{
	return 1U << ((id & KVM_REG_SIZE_MASK) >> KVM_REG_SIZE_SHIFT);
}

/*
 * All vCPUs share one clock. It continues from the value of vCPU 0: the values of the others
 * were read a little later, and would move it.
 */
static bool reg_is_clock(u64 id)
{
	return id == KVM_REG_ARM_TIMER_CNT || id == KVM_REG_ARM_PTIMER_CNT;
}

static struct kvm_reg_list *reg_list(struct vmm_vcpu *vcpu)
{
	struct kvm_reg_list *list = calloc(1, sizeof(*list) + REGS_MAX * sizeof(u64));

	if (!list)
		return NULL;
	list->n = REGS_MAX;
	if (!ioctl(vcpu->fd, KVM_GET_REG_LIST, list))
		return list;
	free(list);
	return NULL;
}

/* Appends the number and the value of each register to @bytes; returns how many bytes. */
static ssize_t regs_get(struct vmm_vcpu *vcpu, const struct kvm_reg_list *list, u8 *bytes)
{
	size_t len = 0;
	u64 i;

	for (i = 0; i < list->n; i++) {
		u8 value[REG_BYTES] = { 0 };
		struct kvm_one_reg reg = { .id = list->reg[i], .addr = (uintptr_t)value };
		__le64 id = htole64(list->reg[i]);

		if (reg_is_clock(list->reg[i]) && vcpu->id)
			continue;
		if (ioctl(vcpu->fd, KVM_GET_ONE_REG, &reg))
			return vmm_error(errno, "vCPU %u: KVM does not return register 0x%llx",
					 vcpu->id, list->reg[i]);
		if (list->reg[i] == KVM_REG_ARM_TIMER_CNT && vcpu->vm->clock)
			memcpy(value, &vcpu->vm->clock, sizeof(vcpu->vm->clock));
		memcpy(bytes + len, &id, sizeof(id));
		memcpy(bytes + len + sizeof(id), value, reg_bytes(list->reg[i]));
		len += sizeof(id) + reg_bytes(list->reg[i]);
	}
	return len;
}

static int regs_save(struct vmm_vcpu *vcpu, struct vmm_state *state)
{
	struct kvm_reg_list *list = reg_list(vcpu);
	u8 *bytes = list ? malloc((list->n + 1) * (sizeof(u64) + REG_BYTES)) : NULL;
	ssize_t len;

	if (!bytes) {
		free(list);
		return vmm_error(errno, "vCPU %u: KVM does not list its registers", vcpu->id);
	}
	len = regs_get(vcpu, list, bytes);
	if (len >= 0)
		vmm_state_put(state, CPU_REGS, bytes, len);
	free(bytes);
	free(list);
	return len < 0 ? len : 0;
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
	struct kvm_vcpu_events events = { 0 };
	struct kvm_mp_state mp;
	__le32 on;
	int err = vmm_state_begin(state, "cpu", CPU_VERSION);

	if (!err)
		err = regs_save(vcpu, state);
	if (err)
		return err;
	if (ioctl(vcpu->fd, KVM_GET_MP_STATE, &mp) ||
	    ioctl(vcpu->fd, KVM_GET_VCPU_EVENTS, &events))
		return vmm_error(errno, "vCPU %u: KVM does not return its state", vcpu->id);
	on = htole32(mp.mp_state);
	vmm_state_put(state, CPU_MP, &on, sizeof(on));
	vmm_state_put(state, CPU_EVENTS, &events, sizeof(events));
	return vmm_state_end(state);
}

/* KVM refuses a value that this host cannot have: mostly ID registers. */
static int reg_set_saved(struct vmm_vcpu *vcpu, u64 id, const u8 *bytes)
{
	u8 value[REG_BYTES];
	struct kvm_one_reg reg = { .id = id, .addr = (uintptr_t)value };

	memcpy(value, bytes, reg_bytes(id));
	if (!ioctl(vcpu->fd, KVM_SET_ONE_REG, &reg))
		return 0;
	return vmm_error(errno, "snapshot: this host's KVM refuses register 0x%llx of vCPU %u",
			 id, vcpu->id);
}

static int regs_load(struct vmm_vcpu *vcpu, const u8 *bytes, u32 len)
{
	__le64 saved;
	u64 id;
	int err = 0;

	while (len && !err) {
		if (len < sizeof(saved))
			return -EINVAL;
		memcpy(&saved, bytes, sizeof(saved));
		id = le64toh(saved);
		bytes += sizeof(saved);
		len -= sizeof(saved);
		if (reg_bytes(id) > REG_BYTES || reg_bytes(id) > len)
			return -EINVAL;
		err = reg_set_saved(vcpu, id, bytes);
		bytes += reg_bytes(id);
		len -= reg_bytes(id);
	}
	return err;
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
	struct kvm_vcpu_events events;
	struct kvm_mp_state mp = { 0 };
	const u8 *regs;
	__le32 on;
	u32 len;
	int err = vmm_state_open(state, "cpu", CPU_VERSION);

	if (err < 0)
		return err;
	regs = vmm_state_get_any(state, CPU_REGS, &len);
	vmm_state_get(state, CPU_MP, &on, sizeof(on));
	vmm_state_get(state, CPU_EVENTS, &events, sizeof(events));
	err = vmm_state_close(state);
	if (!err)
		err = regs_load(vcpu, regs, len);
	if (err)
		return err;
	mp.mp_state = le32toh(on);
	if (ioctl(vcpu->fd, KVM_SET_MP_STATE, &mp) ||
	    ioctl(vcpu->fd, KVM_SET_VCPU_EVENTS, &events))
		return vmm_error(errno, "snapshot: KVM refuses the state of vCPU %u", vcpu->id);
	return 0;
}

/* ---- what a CPU says of itself ---- */

#define FEATURE(crm, op2)	ARM64_SYS_REG(3, 0, 0, crm, op2)

static const struct feature {
	const char *name;
	u64 id;
} features[] = {
	{ "MIDR_EL1", FEATURE(0, 0) },
	{ "REVIDR_EL1", FEATURE(0, 6) },
	{ "CTR_EL0", ARM64_SYS_REG(3, 3, 0, 0, 1) },
	{ "ID_AA64PFR0_EL1", FEATURE(4, 0) },
	{ "ID_AA64PFR1_EL1", FEATURE(4, 1) },
	{ "ID_AA64ZFR0_EL1", FEATURE(4, 4) },
	{ "ID_AA64DFR0_EL1", FEATURE(5, 0) },
	{ "ID_AA64ISAR0_EL1", FEATURE(6, 0) },
	{ "ID_AA64ISAR1_EL1", FEATURE(6, 1) },
	{ "ID_AA64ISAR2_EL1", FEATURE(6, 2) },
	{ "ID_AA64MMFR0_EL1", FEATURE(7, 0) },
	{ "ID_AA64MMFR1_EL1", FEATURE(7, 1) },
	{ "ID_AA64MMFR2_EL1", FEATURE(7, 2) },
};

static int feature_ioctl(const struct vmm_vm *vm, unsigned long request, u64 id, u64 *value)
{
	struct kvm_one_reg reg = { .id = id, .addr = (uintptr_t)value };

	return ioctl(vm->vcpu[0]->fd, request, &reg);
}

/**
 * vmm_arch_features - tell what a guest can look at of its CPU
 * @vm: has vCPUs
 * @fn: called for each feature that KVM tells
 * @arg: argument of @fn
 */
void vmm_arch_features(const struct vmm_vm *vm, vmm_feature_fn fn, void *arg)
{
	unsigned int i;
	u64 value;

	for (i = 0; i < ARRAY_SIZE(features); i++) {
		if (!feature_ioctl(vm, KVM_GET_ONE_REG, features[i].id, &value))
			fn(arg, features[i].name, value);
	}
}

/**
 * vmm_arch_feature_taken - give the CPU a feature as another one has it
 * @vm: has vCPUs, none of which has run
 * @name: of the feature
 * @value: that a guest has seen
 *
 * Newer kernels let a guest see less than the CPU has.
 *
 * Return: whether this host's KVM takes it
 */
bool vmm_arch_feature_taken(const struct vmm_vm *vm, const char *name, u64 value)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(features); i++) {
		if (!strcmp(features[i].name, name))
			return !feature_ioctl(vm, KVM_SET_ONE_REG, features[i].id, &value);
	}
	return false;
}

/* ---- the interrupt controller ---- */

/**
 * struct gic_range - registers in a row, 4 bytes each
 * @offset: of the first
 * @bits: bits of it for each interrupt, 0 for a single register
 */
struct gic_range {
	u32 offset;
	unsigned int bits;
};

/* Written in this order: an interrupt's configuration before its pending bit. */
static const struct gic_range dist_v3[] = {
	{ 0x0008, 0 },	/* GICD_IIDR: which revision the guest sees */
	{ 0x0000, 0 },	/* GICD_CTLR */
	{ 0x0080, 1 },	/* GICD_IGROUPR */
	{ 0x0c00, 2 },	/* GICD_ICFGR */
	{ 0x0400, 8 },	/* GICD_IPRIORITYR */
	{ 0x6000, 64 },	/* GICD_IROUTER */
	{ 0x0100, 1 },	/* GICD_ISENABLER */
	{ 0x0200, 1 },	/* GICD_ISPENDR */
	{ 0x0300, 1 },	/* GICD_ISACTIVER */
};

static const struct gic_range redist_v3[] = {
	{ 0x0000, 0 },	/* GICR_CTLR */
	{ 0x0014, 0 },	/* GICR_WAKER */
	{ 0x10080, 0 },	/* GICR_IGROUPR0 */
	{ 0x10c00, 0 },	/* GICR_ICFGR0 */
	{ 0x10c04, 0 },	/* GICR_ICFGR1 */
	{ 0x10400, 8 },	/* GICR_IPRIORITYR */
	{ 0x10100, 0 },	/* GICR_ISENABLER0 */
	{ 0x10200, 0 },	/* GICR_ISPENDR0 */
	{ 0x10300, 0 },	/* GICR_ISACTIVER0 */
};

static const struct gic_range dist_v2[] = {
	{ 0x008, 0 },	/* GICD_IIDR */
	{ 0x000, 0 },	/* GICD_CTLR */
	{ 0x080, 1 },	/* GICD_IGROUPR */
	{ 0xc00, 2 },	/* GICD_ICFGR */
	{ 0x400, 8 },	/* GICD_IPRIORITYR */
	{ 0x800, 8 },	/* GICD_ITARGETSR */
	{ 0x100, 1 },	/* GICD_ISENABLER */
	{ 0x200, 1 },	/* GICD_ISPENDR */
	{ 0x300, 1 },	/* GICD_ISACTIVER */
};

static const u32 sgi_sources_v2[] = { 0xf20, 0xf24, 0xf28, 0xf2c };	/* GICD_SPENDSGIR */

/* GICC_CTLR, PMR, BPR, ABPR, APR0. */
static const u32 cpu_v2[] = { 0x00, 0x04, 0x08, 0x1c, 0xd0 };

#define ICC(op0, op1, crn, crm, op2) \
	((op0) << 14 | (op1) << 11 | (crn) << 7 | (crm) << 3 | (op2))
#define ICC_CTLR_EL1	ICC(3, 0, 12, 12, 4)

static const u32 cpu_v3[] = {
	ICC(3, 0, 12, 12, 5),	/* ICC_SRE_EL1 */
	ICC_CTLR_EL1,
	ICC(3, 0, 4, 6, 0),	/* ICC_PMR_EL1 */
	ICC(3, 0, 12, 8, 3),	/* ICC_BPR0_EL1 */
	ICC(3, 0, 12, 12, 3),	/* ICC_BPR1_EL1 */
	ICC(3, 0, 12, 12, 6),	/* ICC_IGRPEN0_EL1 */
	ICC(3, 0, 12, 12, 7),	/* ICC_IGRPEN1_EL1 */
};

#define LOCAL_INTERRUPTS	32
#define ACTIVE_PRIORITIES	4	/* registers of active priorities, of a group */

/**
 * struct gic_walk - reads or writes all registers of a controller
 * @vm: the VM
 * @write: values are written to KVM; otherwise they are read from KVM
 * @value: the registers' values
 * @room: elements of @value
 * @at: index of the next one in @value
 * @err: the first error, after a message
 */
struct gic_walk {
	struct vmm_vm *vm;
	bool write;
	__le64 *value;
	unsigned int room;
	unsigned int at;
	int err;
};

/* @group and @attr name the register; a @wide one is 64 bits in KVM's interface. */
static void walk_one(struct gic_walk *walk, u32 group, u64 attr, bool wide)
{
	u64 value64 = 0;
	u32 value32 = 0;
	struct kvm_device_attr what = {
		.group = group,
		.attr = attr,
		.addr = wide ? (uintptr_t)&value64 : (uintptr_t)&value32,
	};

	if (walk->err)
		return;
	if (walk->at == walk->room) {
		walk->err = vmm_error(-EINVAL, "snapshot: the GIC has more registers here");
		return;
	}
	if (walk->write) {
		value64 = le64toh(walk->value[walk->at]);
		value32 = value64;
	}
	if (ioctl(walk->vm->gic_fd, walk->write ? KVM_SET_DEVICE_ATTR : KVM_GET_DEVICE_ATTR,
		  &what)) {
		walk->err = vmm_error(errno, "KVM does not %s register 0x%llx of the GIC",
				      walk->write ? "accept" : "return", attr);
		return;
	}
	if (!walk->write)
		walk->value[walk->at] = htole64(wide ? value64 : value32);
	walk->at++;
}

/* Registers of interrupts @first to @last - 1; @attr has the CPU. */
static void walk_range(struct gic_walk *walk, u32 group, u64 attr, const struct gic_range *range,
		       unsigned int first, unsigned int last)
{
	u32 offset;

	if (!range->bits) {
		walk_one(walk, group, attr | range->offset, false);
		return;
	}
	for (offset = first * range->bits / 8; offset < last * range->bits / 8; offset += 4)
		walk_one(walk, group, attr | (range->offset + offset), false);
}

static void walk_levels(struct gic_walk *walk, u64 attr, unsigned int first, unsigned int last)
{
	u64 info = (u64)VGIC_LEVEL_INFO_LINE_LEVEL << KVM_DEV_ARM_VGIC_LINE_LEVEL_INFO_SHIFT;
	unsigned int i;

	for (i = first; i < last; i += LOCAL_INTERRUPTS)
		walk_one(walk, KVM_DEV_ARM_VGIC_GRP_LEVEL_INFO, attr | info | i, false);
}

/* The number of a CPU for KVM's interrupt controller: the affinity fields of MPIDR. */
static u64 cpu_attr(struct gic_walk *walk, unsigned int cpu)
{
	u64 mpidr = 0;
	struct kvm_one_reg reg = { .id = MPIDR_EL1, .addr = (uintptr_t)&mpidr };

	if (walk->vm->gic == VMM_GIC_V2)
		return (u64)cpu << KVM_DEV_ARM_VGIC_CPUID_SHIFT;
	if (!walk->err && ioctl(walk->vm->vcpu[cpu]->fd, KVM_GET_ONE_REG, &reg))
		walk->err = vmm_error(errno, "vCPU %u: KVM does not return MPIDR", cpu);
	mpidr = (mpidr & 0xffffff) | (mpidr >> 32 & 0xff) << 24;
	return mpidr << KVM_DEV_ARM_VGIC_V3_MPIDR_SHIFT;
}

/* One register for 5 bits of priority, two for 6, four for 7, as ICC_CTLR_EL1 says. */
static void walk_active(struct gic_walk *walk, u64 attr)
{
	u64 ctlr = 0;
	struct kvm_device_attr what = {
		.group = KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS,
		.attr = attr | ICC_CTLR_EL1,
		.addr = (uintptr_t)&ctlr,
	};
	unsigned int bits;
	unsigned int i;

	if (!walk->err && ioctl(walk->vm->gic_fd, KVM_GET_DEVICE_ATTR, &what))
		walk->err = vmm_error(errno, "KVM does not return ICC_CTLR_EL1");
	bits = (ctlr >> 8 & 7) + 1;
	for (i = 0; i < ACTIVE_PRIORITIES && (!i || i < 1U << (bits - 5)); i++) {
		walk_one(walk, KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS,
			 attr | ICC(3, 0, 12, 8, 4 + i), true);
		walk_one(walk, KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS,
			 attr | ICC(3, 0, 12, 9, i), true);
	}
}

static void walk_cpu_v3(struct gic_walk *walk, unsigned int cpu)
{
	u64 attr = cpu_attr(walk, cpu);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(redist_v3); i++)
		walk_range(walk, KVM_DEV_ARM_VGIC_GRP_REDIST_REGS, attr, &redist_v3[i], 0,
			   LOCAL_INTERRUPTS);
	walk_levels(walk, attr, 0, LOCAL_INTERRUPTS);
	for (i = 0; i < ARRAY_SIZE(cpu_v3); i++)
		walk_one(walk, KVM_DEV_ARM_VGIC_GRP_CPU_SYSREGS, attr | cpu_v3[i], true);
	walk_active(walk, attr);
}

static void walk_cpu_v2(struct gic_walk *walk, unsigned int cpu)
{
	u64 attr = cpu_attr(walk, cpu);
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(dist_v2); i++) {
		if (dist_v2[i].bits)
			walk_range(walk, KVM_DEV_ARM_VGIC_GRP_DIST_REGS, attr, &dist_v2[i], 0,
				   LOCAL_INTERRUPTS);
	}
	for (i = 0; i < ARRAY_SIZE(sgi_sources_v2); i++)
		walk_one(walk, KVM_DEV_ARM_VGIC_GRP_DIST_REGS, attr | sgi_sources_v2[i], false);
	for (i = 0; i < ARRAY_SIZE(cpu_v2); i++)
		walk_one(walk, KVM_DEV_ARM_VGIC_GRP_CPU_REGS, attr | cpu_v2[i], false);
}

/* The distributor first, then the registers of each CPU. */
static void gic_walk(struct gic_walk *walk)
{
	bool v2 = walk->vm->gic == VMM_GIC_V2;
	const struct gic_range *range = v2 ? dist_v2 : dist_v3;
	unsigned int n = v2 ? ARRAY_SIZE(dist_v2) : ARRAY_SIZE(dist_v3);
	unsigned int irqs = walk->vm->board.gic.irqs;
	unsigned int i;

	for (i = 0; i < n; i++)
		walk_range(walk, KVM_DEV_ARM_VGIC_GRP_DIST_REGS, 0, &range[i], LOCAL_INTERRUPTS,
			   irqs);
	/* KVM's GICv2 has no line levels: a high line makes its interrupt pending. */
	if (!v2)
		walk_levels(walk, 0, LOCAL_INTERRUPTS, irqs);
	for (i = 0; i < walk->vm->vcpus; i++)
		(v2 ? walk_cpu_v2 : walk_cpu_v3)(walk, i);
}

#define GIC_REGS_MAX	(1024 * 4 + VMM_MAX_CPUS * 64)

static void gic_kind(const struct vmm_vm *vm, __le32 kind[3])
{
	kind[0] = htole32(vm->gic);
	kind[1] = htole32(vm->vcpus);
	kind[2] = htole32(vm->board.gic.irqs);
}

/**
 * vmm_arch_irqchip_save - save the interrupt controller
 * @vm: its vCPUs are parked
 * @state: filled; vmm_state_free() frees it
 *
 * Return: 0, or -errno after a message
 */
int vmm_arch_irqchip_save(struct vmm_vm *vm, struct vmm_state *state)
{
	struct gic_walk walk = { .vm = vm, .room = GIC_REGS_MAX };
	__le32 kind[3];
	int err = vmm_state_begin(state, "gic", GIC_VERSION);

	if (err)
		return err;
	walk.value = calloc(GIC_REGS_MAX, sizeof(*walk.value));
	if (!walk.value)
		return vmm_error(ENOMEM, "state of the GIC");
	gic_walk(&walk);
	gic_kind(vm, kind);
	vmm_state_put(state, GIC_KIND, kind, sizeof(kind));
	vmm_state_put(state, GIC_REGS, walk.value, walk.at * sizeof(*walk.value));
	free(walk.value);
	return walk.err ? walk.err : vmm_state_end(state);
}

/**
 * vmm_arch_irqchip_load - load the interrupt controller's state
 * @vm: its interrupt controller is new
 * @state: @bytes and @len are set
 *
 * Return: 0, or -errno
 */
int vmm_arch_irqchip_load(struct vmm_vm *vm, struct vmm_state *state)
{
	struct gic_walk walk = { .vm = vm, .write = true };
	__le32 here[3], kind[3];
	const u8 *values;
	u32 len;
	int err = vmm_state_open(state, "gic", GIC_VERSION);

	if (err < 0)
		return err;
	vmm_state_get(state, GIC_KIND, kind, sizeof(kind));
	values = vmm_state_get_any(state, GIC_REGS, &len);
	err = vmm_state_close(state);
	gic_kind(vm, here);
	if (!err && (len % sizeof(*walk.value) || memcmp(here, kind, sizeof(kind))))
		err = -EINVAL;
	if (err)
		return err;
	walk.room = len / sizeof(*walk.value);
	walk.value = malloc(len + 1);
	if (!walk.value)
		return vmm_error(ENOMEM, "state of the GIC");
	memcpy(walk.value, values, len);
	gic_walk(&walk);
	free(walk.value);
	if (!walk.err && walk.at != walk.room)
		return vmm_error(-EINVAL, "snapshot: the GIC has fewer registers here");
	return walk.err;
}
