// SPDX-License-Identifier: GPL-2.0-only
/*
 * x86_64: KVM's interrupt controllers (two PICs, an IOAPIC, the local APICs) and its
 * timer, at the board's places.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/ioctl.h>
#include <linux/ranchu_pc.h>

#include "machine/machine.h"

const char *const vmm_arch_name = "x86_64";

#define PIC_PINS	8
#define TIMER_PIN	2	/* of the IOAPIC; on the first PIC, the second PIC has this pin */

/**
 * vmm_arch_board - fill this architecture's board
 * @board: filled, with no device created
 * @cfg: what the user asked for
 */
void vmm_arch_board(struct vmm_board *board, const struct vmm_config *cfg)
{
	vmm_board_pc(board, cfg);
}

/**
 * vmm_arch_vm_type - find the argument of KVM_CREATE_VM
 * @kvm_fd: /dev/kvm
 *
 * Return: 0
 */
unsigned long vmm_arch_vm_type(int kvm_fd)
{
	(void)kvm_fd;
	return 0;
}

/*
 * The timer does not repeat an interrupt that the guest has missed: on an AMD host, KVM would
 * have to do without AVIC.
 */
static int pit_create(int vm_fd)
{
	struct kvm_pit_config pit = { .flags = KVM_PIT_SPEAKER_DUMMY };
	struct kvm_reinject_control control = { .pit_reinject = 0 };

	if (ioctl(vm_fd, KVM_CREATE_PIT2, &pit))
		return vmm_error(errno, "KVM cannot create a timer (PIT)");
	if (ioctl(vm_fd, KVM_REINJECT_CONTROL, &control))
		return vmm_error(errno, "KVM cannot set up the timer (PIT)");
	return 0;
}

static void route_set(struct kvm_irq_routing_entry *route, u32 gsi, u32 chip, u32 pin)
{
	*route = (struct kvm_irq_routing_entry){
		.gsi = gsi,
		.type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip = { .irqchip = chip, .pin = pin },
	};
}

/**
 * vmm_arch_routes - list the routes of the board's lines, for KVM_SET_GSI_ROUTING
 * @vm: the VM
 * @routes: filled, room for VMM_ARCH_ROUTES; elements after the returned number are unchanged
 *
 * A caller that adds routes passes these as well.
 *
 * Return: how many there are
 */
unsigned int vmm_arch_routes(const struct vmm_vm *vm, struct kvm_irq_routing_entry *routes)
{
	unsigned int n = 0;
	unsigned int i;

	(void)vm;
	for (i = 0; i < 2 * PIC_PINS; i++) {
		if (i != TIMER_PIN)
			route_set(&routes[n++], i, i < PIC_PINS ? KVM_IRQCHIP_PIC_MASTER :
				  KVM_IRQCHIP_PIC_SLAVE, i % PIC_PINS);
	}
	/* The timer's line 0 is pin 2 of the IOAPIC, so GSI 2 has no pin. */
	for (i = 0; i < RANCHU_PC_IOAPIC_PINS; i++) {
		if (i != TIMER_PIN)
			route_set(&routes[n++], i, KVM_IRQCHIP_IOAPIC, i ? i : TIMER_PIN);
	}
	return n;
}

/**
 * vmm_arch_message_route - make KVM's route from a PCI function's message
 * @vm: the VM
 * @message: the message, at an address where the board accepts messages
 * @route: filled
 *
 * Return: true: KVM delivers every message
 */
bool vmm_arch_message_route(const struct vmm_vm *vm, const struct vmm_pci_message *message,
			    struct kvm_irq_routing_entry *route)
{
	(void)vm;
	*route = (struct kvm_irq_routing_entry){
		.gsi = message->gsi,
		.type = KVM_IRQ_ROUTING_MSI,
		.u.msi = {
			.address_lo = message->address,
			.address_hi = message->address >> 32,
			.data = message->data,
		},
	};
	return true;
}

static int routes_set(const struct vmm_vm *vm)
{
	struct kvm_irq_routing *table = calloc(1, sizeof(*table) +
					       VMM_ARCH_ROUTES * sizeof(table->entries[0]));
	int err = 0;

	if (!table)
		return vmm_error(ENOMEM, "routes of interrupts");
	table->nr = vmm_arch_routes(vm, table->entries);
	if (ioctl(vm->fd, KVM_SET_GSI_ROUTING, table))
		err = vmm_error(errno, "KVM cannot route interrupts");
	free(table);
	return err;
}

/**
 * vmm_arch_vm_begin - prepare a VM for its vCPUs: interrupt controllers and timer
 * @vm: has RAM
 *
 * Return: 0, or -errno
 */
int vmm_arch_vm_begin(struct vmm_vm *vm)
{
	u64 identity = RANCHU_PC_KVM_BASE;
	int err;

	/* Pages that KVM needs on some Intel CPUs: one for the identity map, three for the TSS. */
	if (ioctl(vm->fd, KVM_SET_IDENTITY_MAP_ADDR, &identity) ||
	    ioctl(vm->fd, KVM_SET_TSS_ADDR, RANCHU_PC_KVM_BASE + VMM_PAGE_SIZE))
		return vmm_error(errno, "KVM refuses its pages at 0x%llx", identity);
	if (ioctl(vm->fd, KVM_CREATE_IRQCHIP, 0))
		return vmm_error(errno, "KVM cannot create interrupt controllers");
	err = pit_create(vm->fd);
	return err ? err : routes_set(vm);
}

/**
 * vmm_arch_irqchip_create - create what depends on the number of vCPUs
 * @vm: has all its vCPUs
 *
 * Return: 0: nothing does
 */
int vmm_arch_irqchip_create(struct vmm_vm *vm)
{
	(void)vm;
	return 0;
}

static void gsi_line_set(struct vmm_line *line, bool level)
{
	struct kvm_irq_level irq = { .irq = line->number, .level = level };

	/* Between two lives of the guest, all lines are low. */
	if (line->vm->fd < 0)
		return;
	if (ioctl(line->vm->fd, KVM_IRQ_LINE, &irq)) {
		vmm_error(errno, "KVM_IRQ_LINE for interrupt %u", line->number);
		vmm_vm_end(line->vm, VMM_END_ERROR);
	}
}

static int gsi_line_attach(struct vmm_line *line)
{
	struct kvm_irqfd irqfd = {
		.fd = line->fd,
		.gsi = line->number,
		.flags = line->resample_fd < 0 ? 0 : KVM_IRQFD_FLAG_RESAMPLE,
		.resamplefd = line->resample_fd < 0 ? 0 : line->resample_fd,
	};

	if (ioctl(line->vm->fd, KVM_IRQFD, &irqfd))
		return vmm_error(errno, "KVM refuses an irqfd for interrupt %u", line->number);
	return 0;
}

/** A line's number is a global system interrupt. */
const struct vmm_line_ops vmm_arch_line_ops = {
	.set = gsi_line_set,
	.attach = gsi_line_attach,
};
