// SPDX-License-Identifier: GPL-2.0-only
/*
 * Counts, in an emulated x86_64 host, how often a guest gets an interrupt that KVM injects
 * once. The guest's handler runs, with interrupts off and without an exit, for longer than
 * the host's timers leave it alone: see tools/lab/inject/. Prints "20 injected, N
 * delivered"; exit code 1 if that is not the same.
 */
#include <err.h>
#include <fcntl.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <linux/kvm.h>

#define RAM	0x10000
#define CODE	0x1000
#define HANDLER	0x1100
#define STACK	0x8000
#define COUNT	0x500
#define VECTOR	0x20
#define ROUNDS	20

/* Both in real mode. */
static const uint8_t waits[] = {
	0xeb, 0xfe,				/* 1: jmp 1b */
};

static const uint8_t handler[] = {
	0xff, 0x06, COUNT & 0xff, COUNT >> 8,	/* incw COUNT */
	0x66, 0xb9, 0x80, 0x96, 0x98, 0x00,	/* mov $10000000, %ecx */
	0x66, 0x49,				/* 1: dec %ecx */
	0x75, 0xfc,				/* jnz 1b */
	0xe6, 0x10,				/* out %al, $0x10 */
	0xeb, 0xfe,				/* 1: jmp 1b */
};

struct vcpu {
	int fd;
	struct kvm_run *run;
	uint8_t *ram;
};

static struct vcpu vcpu_make(void)
{
	struct kvm_userspace_memory_region region = { .memory_size = RAM };
	/*
	 * KVM's own LAPIC. Without, KVM takes the interrupt that it is injecting for one
	 * that waits, and has the guest left at once: what inject.ko does.
	 */
	struct kvm_enable_cap lapic = { .cap = KVM_CAP_SPLIT_IRQCHIP, .args = { 24 } };
	int kvm = open("/dev/kvm", O_RDWR);
	int vm = ioctl(kvm, KVM_CREATE_VM, 0);
	struct kvm_sregs sregs;
	struct vcpu vcpu;

	vcpu.ram = mmap(NULL, RAM, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	region.userspace_addr = (uintptr_t)vcpu.ram;
	if (vm < 0 || ioctl(vm, KVM_ENABLE_CAP, &lapic) ||
	    ioctl(vm, KVM_SET_USER_MEMORY_REGION, &region))
		err(2, "no VM");
	vcpu.fd = ioctl(vm, KVM_CREATE_VCPU, 0);
	vcpu.run = mmap(NULL, ioctl(kvm, KVM_GET_VCPU_MMAP_SIZE, 0), PROT_READ | PROT_WRITE,
			MAP_SHARED, vcpu.fd, 0);
	if (vcpu.fd < 0 || vcpu.run == MAP_FAILED || ioctl(vcpu.fd, KVM_GET_SREGS, &sregs))
		err(2, "no vCPU");
	sregs.cs.base = 0;
	sregs.cs.selector = 0;
	if (ioctl(vcpu.fd, KVM_SET_SREGS, &sregs))
		err(2, "KVM_SET_SREGS");
	return vcpu;
}

static void vcpu_inject(struct vcpu *vcpu)
{
	struct kvm_regs regs = { .rip = CODE, .rsp = STACK, .rflags = 0x202 };
	struct kvm_interrupt interrupt = { .irq = VECTOR };

	if (ioctl(vcpu->fd, KVM_SET_REGS, &regs) ||
	    ioctl(vcpu->fd, KVM_INTERRUPT, &interrupt) || ioctl(vcpu->fd, KVM_RUN, 0))
		err(2, "no interrupt");
	if (vcpu->run->exit_reason != KVM_EXIT_IO)
		errx(2, "exit reason %u", vcpu->run->exit_reason);
}

int main(void)
{
	const uint16_t address[] = { HANDLER, 0 };
	struct vcpu vcpu = vcpu_make();
	uint16_t count;
	int i;

	memcpy(vcpu.ram + CODE, waits, sizeof(waits));
	memcpy(vcpu.ram + HANDLER, handler, sizeof(handler));
	memcpy(vcpu.ram + VECTOR * sizeof(address), address, sizeof(address));
	for (i = 0; i < ROUNDS; i++)
		vcpu_inject(&vcpu);
	memcpy(&count, vcpu.ram + COUNT, sizeof(count));
	printf("%d injected, %u delivered\n", ROUNDS, count);
	return count != ROUNDS;
}
