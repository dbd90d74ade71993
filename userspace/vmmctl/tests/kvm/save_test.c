// SPDX-License-Identifier: GPL-2.0-only
/*
 * The saved state of a vCPU, of the interrupt controllers and of the clocks, with a real KVM:
 * a tiny guest fills registers, is saved, and continues in a second VM. Each damaged field is
 * refused, and so is each request that KVM fails.
 *
 * The linker puts this file's ioctl() in place of the C library's (--wrap): it fails one request
 * and passes all others on.
 *
 * RANCHU_KVM_REQUIRED in the environment makes a KVM that is missing a failure.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "boot/pc.h"
#include "cli/cli.h"
#include "machine/machine.h"
#include "tests/kvm/save.h"
#include "tests/tap.h"

#define GUEST_BASE	0x00100000
#define PORT		0x80	/* the guest writes to it: KVM has no device there */
#define SECOND		1000000000ULL

/* Tags, as in machine/x86_64/save.c; a number is never reused. */
enum { MP = 1, REGS, SREGS, XSAVE, XCRS, DEBUG, LAPIC, MSRS, EVENTS, CPUID, TSC_KHZ };
enum { PIC_MASTER = 1, PIC_SLAVE, IOAPIC, PIT, CLOCK, REAL };

#define MSR_TSC			0x10
#define MSR_PLATFORM_INFO	0xce
#define MSR_LSTAR		0xc0000082

struct saved_msr {
	__le32 index;
	__le32 reserved;
	__le64 value;
};

/*
 * Before its first write to the port, the guest fills registers of each kind; after it, it reads
 * them and writes what it finds.
 */
asm("	.pushsection .rodata\n"
"	.code32\n"
"	.globl save_guest, save_guest_end\n"
"save_guest:\n"
"	movl	$0x11223344, %ebx\n"
"	movl	$0x55667788, %esi\n"
"	movl	$0xcafe, %eax\n"
"	movl	%eax, %dr0\n"
"	movl	$0x175, %ecx\n"			/* SYSENTER_ESP */
"	movl	$0x12345678, %eax\n"
"	xorl	%edx, %edx\n"
"	wrmsr\n"
"	movl	$0x1ff, 0xfee000f0\n"		/* local APIC: on */
"	movl	$0x40, 0xfee00080\n"		/* its task priority */
"	movl	$0x12, 0xfec00000\n"		/* IOAPIC: pin 1, masked */
"	movl	$0x10031, 0xfec00010\n"
"	movb	$0x11, %al\n"			/* first PIC: from vector 0x60 on */
"	outb	%al, $0x20\n"
"	movb	$0x60, %al\n"
"	outb	%al, $0x21\n"
"	movb	$0x04, %al\n"
"	outb	%al, $0x21\n"
"	movb	$0x01, %al\n"
"	outb	%al, $0x21\n"
"	movb	$0xfb, %al\n"			/* its mask */
"	outb	%al, $0x21\n"
"	movb	$0x34, %al\n"			/* timer: counts from 0x1234 */
"	outb	%al, $0x43\n"
"	movb	$0x34, %al\n"
"	outb	%al, $0x40\n"
"	movb	$0x12, %al\n"
"	outb	%al, $0x40\n"
"	movl	$1, %eax\n"
"	outl	%eax, $0x80\n"
"	movl	%ebx, %eax\n"
"	outl	%eax, $0x80\n"
"	movl	%esi, %eax\n"
"	outl	%eax, $0x80\n"
"	movl	%dr0, %eax\n"
"	outl	%eax, $0x80\n"
"	movl	$0x175, %ecx\n"
"	rdmsr\n"
"	outl	%eax, $0x80\n"
"	movl	0xfee00080, %eax\n"
"	outl	%eax, $0x80\n"
"	movl	0xfec00010, %eax\n"		/* the register's number is state as well */
"	outl	%eax, $0x80\n"
"	xorl	%eax, %eax\n"
"	inb	$0x21, %al\n"
"	outl	%eax, $0x80\n"
"1:	hlt\n"
"	jmp	1b\n"
"save_guest_end:\n"
"	.code64\n"
"	.popsection\n");

static const u32 found[] = { 0x11223344, 0x55667788, 0xcafe, 0x12345678, 0x40, 0x10031, 0xfb };

/* Why no case can run here, or NULL. */
static const char *missing;

/* The request that fails; 0 for none. */
static unsigned long failing;

static struct vmm_config cfg;
static char said[4096];

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	va_list args;
	void *arg;

	va_start(args, request);
	arg = va_arg(args, void *);
	va_end(args);
	if (failing && request == failing) {
		errno = EIO;
		return -1;
	}
	return __real_ioctl(fd, request, arg);
}

/* ---- a VM without devices ---- */

static bool vm_open(struct vmm_vm *vm)
{
	size_t size = save_guest_end - save_guest;
	struct vmm_entry entry = { .pc = GUEST_BASE, .how = VMM_PC_ENTRY_FLAT };

	*vm = (struct vmm_vm){ .cfg = &cfg, .loop = vmm_loop_create(), .ram_fd = -1 };
	vmm_arch_board(&vm->board, &cfg);
	if (vmm_vm_create(vm)) {
		vmm_loop_destroy(vm->loop);
		return false;
	}
	if (!vmm_vm_power_on(vm)) {
		memcpy(vmm_mem_ptr(&vm->mem, GUEST_BASE, size), save_guest, size);
		if (!vmm_arch_vcpu_entry(vm->vcpu[0], &entry))
			return true;
		vmm_vm_power_off(vm);
	}
	vmm_vm_destroy(vm);
	vmm_loop_destroy(vm->loop);
	return false;
}

static void vm_close(struct vmm_vm *vm)
{
	vmm_vm_power_off(vm);
	vmm_vm_destroy(vm);
	vmm_loop_destroy(vm->loop);
}

/* Runs the guest up to its next write to the port, and completes the write. */
static bool next_value(struct vmm_vm *vm, u32 *value)
{
	struct vmm_vcpu *vcpu = vm->vcpu[0];
	struct kvm_run *run = vcpu->run;

	if (ioctl(vcpu->fd, KVM_RUN, 0) || run->exit_reason != KVM_EXIT_IO ||
	    run->io.port != PORT || run->io.size != sizeof(*value))
		return false;
	memcpy(value, (u8 *)run + run->io.data_offset, sizeof(*value));
	run->immediate_exit = 1;
	if (!ioctl(vcpu->fd, KVM_RUN, 0) || errno != EINTR)
		return false;
	run->immediate_exit = 0;
	return true;
}

static bool guest_is_ready(struct vmm_vm *vm)
{
	u32 value;

	return next_value(vm, &value) && value == 1;
}

static void guest_finds_all(struct vmm_vm *vm)
{
	unsigned int i;
	u32 value;

	for (i = 0; i < ARRAY_SIZE(found); i++) {
		tap_context("the guest's value %u", i);
		if (!tap_check(next_value(vm, &value)))
			return;
		tap_equal(value, found[i]);
	}
}

/* ---- what was saved ---- */

static struct vmm_state cpu;
static struct vmm_state chip;

static bool save(struct vmm_vm *vm, struct vmm_state *cpu_state, struct vmm_state *chip_state)
{
	return tap_check(!vmm_arch_vcpu_save(vm->vcpu[0], cpu_state)) &&
	       tap_check(!vmm_arch_irqchip_save(vm, chip_state));
}

static int load(struct vmm_vm *vm, struct vmm_state *cpu_state, struct vmm_state *chip_state)
{
	int err = vmm_arch_irqchip_load(vm, chip_state);

	return err ? err : vmm_arch_vcpu_load(vm->vcpu[0], cpu_state);
}

/* Returns a field of a blob, which has to be there. */
static u8 *field(struct vmm_state *state, u32 tag, u32 *len)
{
	char name[VMM_STATE_NAME];
	const u8 *data;
	u32 version;
	u32 have;

	tap_check(!vmm_state_open_any(state, name, &version));
	while (vmm_state_next(state, &have, &data, len)) {
		if (have == tag)
			return (u8 *)data;
	}
	tap_context("tag %u", tag);
	tap_check(false);
	*len = 0;
	return NULL;
}

static u64 number(struct vmm_state *state, u32 tag)
{
	__le64 value = 0;
	u32 len;
	u8 *bytes = field(state, tag, &len);

	memcpy(&value, bytes, len < sizeof(value) ? len : sizeof(value));
	return le64toh(value);
}

/* Returns a register's place in a list of registers, or NULL. */
static u8 *msr_of(u8 *bytes, u32 len, u32 index)
{
	struct saved_msr msr;
	u32 at;

	for (at = 0; at + sizeof(msr) <= len; at += sizeof(msr)) {
		memcpy(&msr, bytes + at, sizeof(msr));
		if (le32toh(msr.index) == index)
			return bytes + at;
	}
	return NULL;
}

static u64 msr_value(struct vmm_state *state, u32 index)
{
	struct saved_msr msr = { 0 };
	u32 len;
	u8 *bytes = field(state, MSRS, &len);
	u8 *at = msr_of(bytes, len, index);

	if (tap_check(at))
		memcpy(&msr, at, sizeof(msr));
	return le64toh(msr.value);
}

static void same_field(struct vmm_state *a, struct vmm_state *b, const char *of, u32 tag)
{
	u32 len, other_len;
	const u8 *bytes = field(a, tag, &len);
	const u8 *other = field(b, tag, &other_len);

	tap_context("field %u of the %s", tag, of);
	if (tap_check(len == other_len))
		tap_check(!memcmp(bytes, other, len));
}

/* All of the first PIC but line 0: the timer goes on, and raises it at some time. */
static void same_first_pic(struct vmm_state *a, struct vmm_state *b)
{
	struct kvm_irqchip pic, there;
	u32 len, other_len;
	const u8 *bytes = field(a, PIC_MASTER, &len);
	const u8 *other = field(b, PIC_MASTER, &other_len);

	tap_context("the first PIC");
	if (!tap_check(len == sizeof(pic.chip) && other_len == sizeof(there.chip)))
		return;
	memcpy(&pic.chip, bytes, sizeof(pic.chip));
	memcpy(&there.chip, other, sizeof(there.chip));
	pic.chip.pic.irr &= ~1;
	there.chip.pic.irr &= ~1;
	pic.chip.pic.last_irr &= ~1;
	there.chip.pic.last_irr &= ~1;
	tap_check(!memcmp(&pic.chip, &there.chip, sizeof(pic.chip)));
}

/* All registers but the time stamp counter, which goes on. */
static void same_msrs(struct vmm_state *a, struct vmm_state *b)
{
	u32 len, other_len;
	u8 *bytes = field(a, MSRS, &len);
	u8 *other = field(b, MSRS, &other_len);
	struct saved_msr msr, there;
	u32 at;

	tap_check(len == other_len && len > 32 * sizeof(msr));
	for (at = 0; at < len && at < other_len; at += sizeof(msr)) {
		memcpy(&msr, bytes + at, sizeof(msr));
		memcpy(&there, other + at, sizeof(there));
		tap_context("register 0x%x", le32toh(msr.index));
		tap_equal(le32toh(there.index), le32toh(msr.index));
		if (le32toh(msr.index) == MSR_TSC)
			tap_check(le64toh(there.value) > le64toh(msr.value));
		else
			tap_equal(le64toh(there.value), le64toh(msr.value));
	}
}

static void same_timer(struct vmm_state *a, struct vmm_state *b)
{
	struct kvm_pit_state2 pit, there;
	unsigned int i;
	u32 len;

	memcpy(&pit, field(a, PIT, &len), sizeof(pit));
	tap_equal(len, sizeof(pit));
	memcpy(&there, field(b, PIT, &len), sizeof(there));
	tap_equal(pit.channels[0].count, 0x1234);
	for (i = 0; i < ARRAY_SIZE(pit.channels); i++) {
		tap_context("channel %u of the timer", i);
		tap_equal(there.channels[i].count, pit.channels[i].count);
		tap_equal(there.channels[i].mode, pit.channels[i].mode);
		tap_equal(there.channels[i].gate, pit.channels[i].gate);
	}
	tap_equal(there.flags, pit.flags);
}

/* ---- cases ---- */

static void continues_elsewhere(void)
{
	static const u32 same[] = {
		MP, REGS, SREGS, XSAVE, XCRS, DEBUG, LAPIC, EVENTS, CPUID, TSC_KHZ,
	};
	struct vmm_state cpu_after = { 0 }, chip_after = { 0 };
	struct vmm_vm second;
	unsigned int i;

	if (!tap_check(vm_open(&second)))
		return;
	tap_equal(load(&second, &cpu, &chip), 0);
	tap_equal(second.away, 0);
	if (save(&second, &cpu_after, &chip_after)) {
		for (i = 0; i < ARRAY_SIZE(same); i++)
			same_field(&cpu, &cpu_after, "CPU", same[i]);
		same_msrs(&cpu, &cpu_after);
		tap_equal(msr_value(&cpu_after, 0x175), 0x12345678);
		same_first_pic(&chip, &chip_after);
		same_field(&chip, &chip_after, "chips", PIC_SLAVE);
		same_field(&chip, &chip_after, "chips", IOAPIC);
		same_timer(&chip, &chip_after);
		tap_check(number(&chip_after, CLOCK) >= number(&chip, CLOCK));
		tap_check(number(&chip_after, REAL) >= number(&chip, REAL));
	}
	guest_finds_all(&second);
	vmm_state_free(&cpu_after);
	vmm_state_free(&chip_after);
	vm_close(&second);
}

static void continues_here(void)
{
	struct vmm_state here = { 0 }, chip_here = { 0 };
	struct vmm_vm vm;

	if (!tap_check(vm_open(&vm)))
		return;
	tap_check(guest_is_ready(&vm));
	save(&vm, &here, &chip_here);
	guest_finds_all(&vm);
	vmm_state_free(&here);
	vmm_state_free(&chip_here);
	vm_close(&vm);
}

/* Writes the blob @from with one field changed; @change may shorten the field. */
static void blob_change(struct vmm_state *to, struct vmm_state *from, u32 version, u32 tag,
			void (*change)(u8 *bytes, u32 *len))
{
	char name[VMM_STATE_NAME];
	const u8 *data;
	u32 was, len;
	u32 have;
	u8 *bytes;

	tap_check(!vmm_state_open_any(from, name, &was));
	tap_check(!vmm_state_begin(to, name, version ? version : was));
	while (vmm_state_next(from, &have, &data, &len)) {
		bytes = malloc(len + 1);
		if (!tap_check(bytes))
			break;
		memcpy(bytes, data, len);
		if (have == tag && change)
			change(bytes, &len);
		if (have != tag || change)
			vmm_state_put(to, have, bytes, len);
		free(bytes);
	}
	tap_check(!vmm_state_end(to));
}

/* Loads both blobs into a new VM; what is said is in @said. */
static int load_new(struct vmm_vm *vm, struct vmm_state *cpu_state, struct vmm_state *chip_state)
{
	int err;

	said[0] = '\0';
	if (!tap_check(vm_open(vm)))
		return 1;
	tap_listen();
	err = load(vm, cpu_state, chip_state);
	tap_heard(said, sizeof(said));
	return err;
}

static void one_byte_less(u8 *bytes, u32 *len)
{
	(void)bytes;
	--*len;
}

static void invalid_state(u8 *bytes, u32 *len)
{
	struct kvm_mp_state mp = { .mp_state = 77 };

	memcpy(bytes, &mp, *len);
}

static void invalid_control(u8 *bytes, u32 *len)
{
	struct kvm_sregs sregs;

	memcpy(&sregs, bytes, *len);
	sregs.cr4 = ~0ULL;
	memcpy(bytes, &sregs, *len);
}

static void invalid_xcr0(u8 *bytes, u32 *len)
{
	struct kvm_xcrs xcrs;

	memcpy(&xcrs, bytes, *len);
	xcrs.nr_xcrs = KVM_MAX_XCRS + 1;
	memcpy(bytes, &xcrs, *len);
}

static void invalid_debug(u8 *bytes, u32 *len)
{
	struct kvm_debugregs debug;

	memcpy(&debug, bytes, *len);
	debug.flags = ~0ULL;
	memcpy(bytes, &debug, *len);
}

static void invalid_events(u8 *bytes, u32 *len)
{
	struct kvm_vcpu_events events;

	memcpy(&events, bytes, *len);
	events.flags = ~0U;
	memcpy(bytes, &events, *len);
}

#define XFEATURES	512	/* place of the list of parts in the FPU's area */

static void invalid_fpu(u8 *bytes, u32 *len)
{
	(void)len;
	memset(bytes + XFEATURES, 0xff, 8);
}

static void other_leaf(u8 *bytes, u32 *len)
{
	struct kvm_cpuid_entry2 entry;

	(void)len;
	memcpy(&entry, bytes, sizeof(entry));
	entry.ebx ^= 1;
	memcpy(bytes, &entry, sizeof(entry));
}

/* What a guest sees there follows its control registers. */
static void varying_leaf(u8 *bytes, u32 *len)
{
	struct kvm_cpuid_entry2 entry;
	u32 at;

	for (at = 0; at + sizeof(entry) <= *len; at += sizeof(entry)) {
		memcpy(&entry, bytes + at, sizeof(entry));
		if (entry.function == 1)
			entry.ecx ^= 1U << 27;
		else if (entry.function == 7)
			entry.ecx ^= 1U << 4;
		else if (entry.function == 0xd)
			entry.ebx ^= 1U << 10;
		else if (entry.function == 0x15 || entry.function == 0x16)
			entry.eax ^= 1;
		memcpy(bytes + at, &entry, sizeof(entry));
	}
}

static void fewer_leaves(u8 *bytes, u32 *len)
{
	(void)bytes;
	*len -= sizeof(struct kvm_cpuid_entry2);
}

static void khz_set(u8 *bytes, u64 khz)
{
	__le32 saved = htole32(khz);

	memcpy(bytes, &saved, sizeof(saved));
}

static void no_frequency(u8 *bytes, u32 *len)
{
	(void)len;
	khz_set(bytes, 0);
}

static u32 khz_get(const u8 *bytes)
{
	__le32 khz;

	memcpy(&khz, bytes, sizeof(khz));
	return le32toh(khz);
}

static void higher_frequency(u8 *bytes, u32 *len)
{
	(void)len;
	khz_set(bytes, khz_get(bytes) * 5ULL / 4);
}

/* By less than clocks of two hosts of the same kind differ. */
static void close_frequency(u8 *bytes, u32 *len)
{
	(void)len;
	khz_set(bytes, khz_get(bytes) + khz_get(bytes) / 8000);
}

static void unknown_register(u8 *bytes, u32 *len)
{
	struct saved_msr msr = { .index = htole32(0x12345678) };

	(void)len;
	memcpy(bytes, &msr, sizeof(msr));
}

static void register_twice(u8 *bytes, u32 *len)
{
	(void)len;
	memcpy(bytes + sizeof(struct saved_msr), bytes, sizeof(struct saved_msr));
}

static void msr_flip(u8 *bytes, u32 len, u32 index, u64 bits)
{
	u8 *at = msr_of(bytes, len, index);
	struct saved_msr msr;

	if (!tap_check(at))
		return;
	memcpy(&msr, at, sizeof(msr));
	msr.value ^= htole64(bits);
	memcpy(at, &msr, sizeof(msr));
}

static void other_cpu(u8 *bytes, u32 *len)
{
	msr_flip(bytes, *len, MSR_PLATFORM_INFO, 1ULL << 40);
}

static void no_address(u8 *bytes, u32 *len)
{
	msr_flip(bytes, *len, MSR_LSTAR, 1ULL << 62);
}

static void damage_is_refused(void)
{
	static const struct {
		u32 tag;
		void (*change)(u8 *bytes, u32 *len);
		const char *says;	/* "" for nothing: the caller has a message */
	} rows[] = {
		{ MP, invalid_state, "snapshot: KVM refuses the state of vCPU 0" },
		{ SREGS, invalid_control, "snapshot: KVM refuses the segments of vCPU 0" },
		{ XCRS, invalid_xcr0, "snapshot: KVM refuses the XCR0 of vCPU 0" },
		{ DEBUG, invalid_debug, "snapshot: KVM refuses the debug registers of vCPU 0" },
		{ EVENTS, invalid_events, "snapshot: KVM refuses the events of vCPU 0" },
		{ XSAVE, invalid_fpu, "snapshot: KVM refuses the FPU of vCPU 0" },
		{ XSAVE, one_byte_less, "snapshot: the FPU's state has" },
		{ CPUID, other_leaf, "snapshot: this host's CPU differs in CPUID leaf 0x0.0" },
		{ CPUID, fewer_leaves, "snapshot: this host's CPU has other CPUID leaves" },
		{ MSRS, unknown_register, "snapshot: this host's KVM has no register 0x12345678" },
		{ MSRS, register_twice, "snapshot: this host's KVM has no register 0x" },
		{ MSRS, other_cpu, "register 0xce of vCPU 0 is read-only and has another value" },
		{ MSRS, no_address, "register 0xc0000082 of vCPU 0 is read-only and has" },
		{ MSRS, one_byte_less, "" },
		{ TSC_KHZ, no_frequency, "" },
		{ TSC_KHZ, one_byte_less, "" },
		{ MP, one_byte_less, "" },
		{ REGS, one_byte_less, "" },
		{ SREGS, one_byte_less, "" },
		{ XCRS, one_byte_less, "" },
		{ DEBUG, one_byte_less, "" },
		{ LAPIC, one_byte_less, "" },
		{ EVENTS, one_byte_less, "" },
		{ MP, NULL, "" },
		{ CPUID, NULL, "" },
		{ EVENTS, NULL, "" },
	};
	struct vmm_state bad;
	struct vmm_vm vm;
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		blob_change(&bad, &cpu, 0, rows[i].tag, rows[i].change);
		err = load_new(&vm, &bad, &chip);
		tap_context("row %u said: %.80s", i, said);
		tap_check(err < 0);
		tap_check(strstr(said, rows[i].says));
		tap_equal(!*said, !*rows[i].says);
		vm_close(&vm);
		vmm_state_free(&bad);
	}
}

static void chips_damage_is_refused(void)
{
	struct vmm_state bad;
	struct vmm_vm vm;
	unsigned int i;

	for (i = PIC_MASTER; i <= REAL; i++) {
		tap_context("field %u", i);
		blob_change(&bad, &chip, 0, i, one_byte_less);
		tap_equal(load_new(&vm, &cpu, &bad), -EINVAL);
		vm_close(&vm);
		vmm_state_free(&bad);
		blob_change(&bad, &chip, 0, i, NULL);
		tap_equal(load_new(&vm, &cpu, &bad), -EINVAL);
		vm_close(&vm);
		vmm_state_free(&bad);
	}
}

static void newer_is_refused(void)
{
	struct vmm_state newer;
	struct vmm_vm vm;

	blob_change(&newer, &cpu, 2, 0, NULL);
	tap_equal(load_new(&vm, &newer, &chip), -EOPNOTSUPP);
	vm_close(&vm);
	vmm_state_free(&newer);
	blob_change(&newer, &chip, 3, 0, NULL);
	tap_equal(load_new(&vm, &cpu, &newer), -EOPNOTSUPP);
	vm_close(&vm);
	vmm_state_free(&newer);
	/* Neither is the other. */
	tap_equal(load_new(&vm, &chip, &chip), -EINVAL);
	vm_close(&vm);
	tap_equal(load_new(&vm, &cpu, &cpu), -EINVAL);
	vm_close(&vm);
}

static void varying_leaves_are_loaded(void)
{
	struct vmm_state other;
	struct vmm_vm vm;

	blob_change(&other, &cpu, 0, CPUID, varying_leaf);
	tap_equal(load_new(&vm, &other, &chip), 0);
	guest_finds_all(&vm);
	vm_close(&vm);
	vmm_state_free(&other);
}

/* A frequency that is close is kept; another one is scaled, or refused where KVM cannot. */
static void frequency_is_kept(void)
{
	u64 saved = number(&cpu, TSC_KHZ);
	struct vmm_state other;
	struct vmm_vm vm;
	int err;

	blob_change(&other, &cpu, 0, TSC_KHZ, close_frequency);
	tap_equal(load_new(&vm, &other, &chip), 0);
	tap_equal(ioctl(vm.vcpu[0]->fd, KVM_GET_TSC_KHZ, 0), saved);
	vm_close(&vm);
	vmm_state_free(&other);
	blob_change(&other, &cpu, 0, TSC_KHZ, higher_frequency);
	err = load_new(&vm, &other, &chip);
	if (ioctl(vm.kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_TSC_CONTROL) > 0) {
		tap_equal(err, 0);
		tap_equal(ioctl(vm.vcpu[0]->fd, KVM_GET_TSC_KHZ, 0), saved * 5 / 4);
	} else {
		tap_check(err < 0);
		tap_check(strstr(said, "and cannot be scaled"));
	}
	vm_close(&vm);
	vmm_state_free(&other);
}

static void earlier(u8 *bytes, u32 *len)
{
	__le64 real;

	memcpy(&real, bytes, *len);
	real = htole64(le64toh(real) - 10 * SECOND);
	memcpy(bytes, &real, *len);
}

static void in_the_future(u8 *bytes, u32 *len)
{
	__le64 real;

	memcpy(&real, bytes, *len);
	real = htole64(le64toh(real) + 1000 * SECOND);
	memcpy(bytes, &real, *len);
}

/* There are KVMs, in a VM themselves, whose guests have the host's time stamp counter. */
static bool tsc_can_be_set(void)
{
	union {
		struct kvm_msrs list;
		u8 room[sizeof(struct kvm_msrs) + sizeof(struct kvm_msr_entry)];
	} one = { .list.nmsrs = 1 };
	struct kvm_msr_entry *entry = one.list.entries;
	u64 far = 1ULL << 56;
	struct vmm_vm vm;
	bool set = false;

	if (!tap_check(vm_open(&vm)))
		return false;
	*entry = (struct kvm_msr_entry){ .index = MSR_TSC, .data = far };
	if (ioctl(vm.vcpu[0]->fd, KVM_SET_MSRS, &one) == 1 &&
	    ioctl(vm.vcpu[0]->fd, KVM_GET_MSRS, &one) == 1)
		set = entry->data >= far;
	vm_close(&vm);
	return set;
}

/* Both clocks of a guest are advanced by the time in which it was away, and by no other. */
static void clocks_go_on(void)
{
	u64 khz = number(&cpu, TSC_KHZ);
	struct vmm_state cpu_after = { 0 }, chip_after = { 0 };
	struct vmm_state other;
	struct vmm_vm vm;

	cfg.guest_clock = VMM_GUEST_CLOCK_HOST;
	blob_change(&other, &chip, 0, REAL, earlier);
	tap_equal(load_new(&vm, &cpu, &other), 0);
	tap_check(vm.away >= 10 * SECOND && vm.away < 1000 * SECOND);
	if (save(&vm, &cpu_after, &chip_after)) {
		tap_check(number(&chip_after, CLOCK) >= number(&chip, CLOCK) + 10 * SECOND);
		tap_context("TSC %llu, saved %llu, %llu kHz, away %llu ns",
			    msr_value(&cpu_after, MSR_TSC), msr_value(&cpu, MSR_TSC), khz,
			    vm.away);
		tap_check(!tsc_can_be_set() || msr_value(&cpu_after, MSR_TSC) >=
			  msr_value(&cpu, MSR_TSC) + 10 * 1000 * khz);
	}
	vmm_state_free(&cpu_after);
	vmm_state_free(&chip_after);
	vm_close(&vm);
	vmm_state_free(&other);

	blob_change(&other, &chip, 0, REAL, in_the_future);
	tap_equal(load_new(&vm, &cpu, &other), 0);
	tap_equal(vm.away, 0);
	vm_close(&vm);
	vmm_state_free(&other);

	/* Version 1 had no time of day. */
	blob_change(&other, &chip, 1, REAL, NULL);
	tap_equal(load_new(&vm, &cpu, &other), 0);
	tap_equal(vm.away, 0);
	vm_close(&vm);
	vmm_state_free(&other);
	cfg.guest_clock = VMM_GUEST_CLOCK_SAVED;
}

static void failed_reads_are_told(void)
{
	static const struct {
		unsigned long request;
		const char *says;
	} rows[] = {
		{ KVM_GET_TSC_KHZ, "vCPU 0: KVM does not return its TSC frequency" },
		{ KVM_GET_MP_STATE, "vCPU 0: KVM does not return its state" },
		{ KVM_GET_REGS, "vCPU 0: KVM does not return its registers" },
		{ KVM_GET_SREGS, "vCPU 0: KVM does not return its segments" },
		{ KVM_GET_XCRS, "vCPU 0: KVM does not return its XCR0" },
		{ KVM_GET_DEBUGREGS, "vCPU 0: KVM does not return its debug registers" },
		{ KVM_GET_LAPIC, "vCPU 0: KVM does not return its APIC" },
		{ KVM_GET_MSR_INDEX_LIST, "KVM does not list the registers of a CPU" },
		{ KVM_GET_CPUID2, "vCPU 0: KVM does not return its CPUID" },
		{ KVM_GET_VCPU_EVENTS, "vCPU 0: KVM does not return its events" },
		{ KVM_GET_IRQCHIP, "KVM does not return its interrupt controllers" },
		{ KVM_GET_PIT2, "KVM does not return its clocks" },
		{ KVM_GET_CLOCK, "KVM does not return its clocks" },
	};
	struct vmm_state state = { 0 };
	struct vmm_vm vm;
	unsigned int i;
	int err;

	if (!tap_check(vm_open(&vm)))
		return;
	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		failing = rows[i].request;
		tap_listen();
		err = vmm_arch_vcpu_save(vm.vcpu[0], &state);
		vmm_state_free(&state);
		if (!err)
			err = vmm_arch_irqchip_save(&vm, &state);
		tap_heard(said, sizeof(said));
		failing = 0;
		vmm_state_free(&state);
		tap_context("row %u said: %.80s", i, said);
		tap_check(err < 0);
		tap_check(strstr(said, rows[i].says));
	}
	vm_close(&vm);
}

/* Which request reads the FPU depends on its size. */
static void a_failed_fpu_is_told(void)
{
	static const unsigned long requests[] = { KVM_GET_XSAVE, KVM_GET_XSAVE2 };
	struct vmm_state state = { 0 };
	unsigned int failed = 0;
	struct vmm_vm vm;
	unsigned int i;

	if (!tap_check(vm_open(&vm)))
		return;
	for (i = 0; i < ARRAY_SIZE(requests); i++) {
		failing = requests[i];
		tap_listen();
		failed += !!vmm_arch_vcpu_save(vm.vcpu[0], &state);
		tap_heard(said, sizeof(said));
		failing = 0;
		vmm_state_free(&state);
		tap_check(!*said || strstr(said, "vCPU 0: KVM does not return its FPU"));
	}
	tap_equal(failed, 1);
	vm_close(&vm);
}

static void failed_writes_are_told(void)
{
	static const struct {
		unsigned long request;
		const char *says;
	} rows[] = {
		{ KVM_SET_IRQCHIP, "snapshot: KVM refuses an interrupt controller" },
		{ KVM_SET_PIT2, "snapshot: KVM refuses a clock" },
		{ KVM_SET_CLOCK, "snapshot: KVM refuses a clock" },
		{ KVM_GET_CPUID2, "vCPU 0: KVM does not return its CPUID" },
		{ KVM_GET_TSC_KHZ, "" },
		{ KVM_SET_REGS, "snapshot: KVM refuses the registers of vCPU 0" },
		{ KVM_SET_LAPIC, "snapshot: KVM refuses the APIC of vCPU 0" },
		{ KVM_SET_XSAVE, "snapshot: KVM refuses the FPU of vCPU 0" },
		{ KVM_GET_MSR_INDEX_LIST, "KVM does not list the registers of a CPU" },
	};
	struct vmm_vm vm;
	unsigned int i;
	int err;

	for (i = 0; i < ARRAY_SIZE(rows); i++) {
		if (!tap_check(vm_open(&vm)))
			return;
		failing = rows[i].request;
		tap_listen();
		err = load(&vm, &cpu, &chip);
		tap_heard(said, sizeof(said));
		failing = 0;
		tap_context("row %u said: %.80s", i, said);
		tap_check(err < 0);
		tap_check(strstr(said, rows[i].says));
		vm_close(&vm);
	}
}

/* ---- features ---- */

static struct {
	unsigned int count;
	bool has_features;
	bool has_sleeping;
	u64 features;
} told;

static void tell(void *arg, const char *name, u64 value)
{
	(void)arg;
	told.count++;
	if (!strcmp(name, "cpuid_1_0_ecx")) {
		told.has_features = true;
		told.features = value;
	}
	told.has_sleeping = told.has_sleeping || !strncmp(name, "cpuid_5_", 8);
}

static void features_are_told(void)
{
	struct vmm_vm vm;

	if (!tap_check(vm_open(&vm)))
		return;
	memset(&told, 0, sizeof(told));
	vmm_arch_features(&vm, tell, NULL);
	tap_check(told.count >= 12 && told.count % 4 == 0);
	tap_check(told.has_features && !told.has_sleeping);
	/* OSXSAVE follows a control register. */
	tap_check(told.features && !(told.features & 1U << 27));
	tap_check(!vmm_arch_feature_taken(&vm, "cpuid_1_0_ecx", told.features));
	memset(&told, 0, sizeof(told));
	failing = KVM_GET_CPUID2;
	vmm_arch_features(&vm, tell, NULL);
	failing = 0;
	tap_equal(told.count, 0);
	vm_close(&vm);
}

/* ---- all cases ---- */

static const struct tap_case all[] = {
	{ "a guest that was saved goes on", continues_here },
	{ "a guest goes on in a second VM, with all its registers", continues_elsewhere },
	{ "a damaged field of a vCPU is refused", damage_is_refused },
	{ "a damaged field of interrupt controllers is refused", chips_damage_is_refused },
	{ "a newer state and another part's are refused", newer_is_refused },
	{ "CPUID fields that vary are not compared", varying_leaves_are_loaded },
	{ "a TSC frequency is kept, scaled or refused", frequency_is_kept },
	{ "a guest's clocks count the time in which it was away", clocks_go_on },
	{ "a state that KVM does not return is told", failed_reads_are_told },
	{ "an FPU that KVM does not return is told", a_failed_fpu_is_told },
	{ "a state that KVM refuses is told", failed_writes_are_told },
	{ "features of the CPU are told", features_are_told },
};

static void next_case(void)
{
	static unsigned int next;
	unsigned int i = next++;

	if (!missing) {
		all[i].fn();
		return;
	}
	tap_skip(missing);
	tap_check(!getenv("RANCHU_KVM_REQUIRED"));
}

static void look_for_kvm(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	struct vmm_vm vm;

	if (fd < 0) {
		missing = errno == ENOENT ? "this machine has no /dev/kvm" :
					    "/dev/kvm cannot be opened";
		return;
	}
	close(fd);
	if (!vm_open(&vm)) {
		missing = "this machine's KVM does not run the board";
		return;
	}
	if (!guest_is_ready(&vm))
		missing = "this machine's KVM does not run the guest";
	else if (!save(&vm, &cpu, &chip))
		missing = "the guest cannot be saved";
	vm_close(&vm);
}

int main(void)
{
	const char *const words[] = {
		"vmmctl", "run", "--kernel=none", "--pipe=none", "--sync=none", "--memory=64M",
	};
	struct tap_case cases[ARRAY_SIZE(all)];
	unsigned int i;
	int failed;

	if (vmm_options_parse(&cfg, ARRAY_SIZE(words), (char **)words))
		return 1;
	cfg.guest_clock = VMM_GUEST_CLOCK_SAVED;
	for (i = 0; i < ARRAY_SIZE(all); i++)
		cases[i] = (struct tap_case){ all[i].name, next_case };
	look_for_kvm();
	failed = tap_run(cases, ARRAY_SIZE(all));
	vmm_state_free(&cpu);
	vmm_state_free(&chip);
	vmm_options_free(&cfg);
	return failed;
}
