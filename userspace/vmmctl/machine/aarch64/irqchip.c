// SPDX-License-Identifier: GPL-2.0-only
/*
 * arm64: the interrupt controller, emulated by KVM, at the addresses that the board has.
 */
#include <errno.h>
#include <sys/ioctl.h>
#include <linux/ranchu.h>

#include "machine/machine.h"

const char *const vmm_arch_name = "arm64";

#define IPA_BITS_DEFAULT	40

/**
 * vmm_arch_check_run - refuse options that need what this architecture's boards lack
 * @cfg: what is asked for
 *
 * Return: 0, or -EOPNOTSUPP after a message
 */
int vmm_arch_check_run(const struct vmm_config *cfg)
{
	if (cfg->board == VMM_BOARD_PC)
		return vmm_error(-EOPNOTSUPP, "--board: an arm64 host has no pc board");
	if (cfg->virtio_bus == VMM_BUS_PCI && cfg->board != VMM_BOARD_VIRT)
		return vmm_error(-EOPNOTSUPP, "--virtio-bus: pci needs --board virt");
	if (cfg->address_space && cfg->board != VMM_BOARD_VIRT)
		return vmm_error(-EOPNOTSUPP, "--device address-space: needs --board virt");
	/* Nothing tells an arm64 guest that it stood still: it would take a CPU for stuck. */
	if (cfg->guest_clock != VMM_GUEST_CLOCK_SAVED)
		return vmm_error(-EOPNOTSUPP, "--guest-clock: an arm64 guest has the saved one");
	if (cfg->pstore)
		return vmm_error(-EOPNOTSUPP, "--pstore: only the pc board has a store");
	return 0;
}

/**
 * vmm_arch_board - fill this architecture's board
 * @board: filled, with no device created
 * @cfg: what the user asked for
 */
void vmm_arch_board(struct vmm_board *board, const struct vmm_config *cfg)
{
	vmm_board_arm64(board, cfg);
}

/**
 * vmm_arch_vm_type - find the argument of KVM_CREATE_VM
 * @kvm_fd: /dev/kvm
 *
 * Return: 0, the default of 40 address bits, or what a smaller host needs
 */
unsigned long vmm_arch_vm_type(int kvm_fd)
{
	int bits = ioctl(kvm_fd, KVM_CHECK_EXTENSION, KVM_CAP_ARM_VM_IPA_SIZE);

	return bits > 0 && bits < IPA_BITS_DEFAULT ? KVM_VM_TYPE_ARM_IPA_SIZE(bits) : 0;
}

static u32 gic_type(enum vmm_gic gic)
{
	return gic == VMM_GIC_V2 ? KVM_DEV_TYPE_ARM_VGIC_V2 : KVM_DEV_TYPE_ARM_VGIC_V3;
}

static bool gic_works(int vm_fd, enum vmm_gic gic)
{
	struct kvm_create_device device = {
		.type = gic_type(gic),
		.flags = KVM_CREATE_DEVICE_TEST,
	};

	return !ioctl(vm_fd, KVM_CREATE_DEVICE, &device);
}

/**
 * vmm_arch_vm_begin - prepare a VM for its vCPUs: choose the interrupt controller
 * @vm: has RAM; its @gic is filled: version 2, which is the board's own, if the host has
 *	it, the user did not ask for version 3, and it can serve that many CPUs
 *
 * Return: 0, or -ENODEV if the host does not have the version that is needed
 */
int vmm_arch_vm_begin(struct vmm_vm *vm)
{
	enum vmm_gic want = vm->cfg->gic;
	enum vmm_gic version;

	for (version = VMM_GIC_V2; version <= VMM_GIC_V3; version++) {
		if (want != VMM_GIC_AUTO && want != version)
			continue;
		if (version == VMM_GIC_V2 && vm->cfg->cpus > VMM_GICV2_CPUS)
			continue;
		if (gic_works(vm->fd, version)) {
			vm->gic = version;
			return 0;
		}
	}
	if (want == VMM_GIC_AUTO && vm->cfg->cpus > VMM_GICV2_CPUS)
		return vmm_error(-ENODEV, "this host's KVM offers no GICv3, which %u CPUs need",
				 vm->cfg->cpus);
	if (want == VMM_GIC_AUTO)
		return vmm_error(-ENODEV, "this host's KVM offers neither GICv2 nor GICv3");
	return vmm_error(-ENODEV, "this host's KVM does not offer GICv%d", want);
}

static int gic_set(int fd, u32 group, u64 attr, void *value)
{
	struct kvm_device_attr set = {
		.group = group,
		.attr = attr,
		.addr = (uintptr_t)value,
	};

	return ioctl(fd, KVM_SET_DEVICE_ATTR, &set);
}

static int gic_place(int fd, enum vmm_gic gic, const struct vmm_gic_map *map)
{
	u64 dist = map->dist;
	u64 cpu = map->cpu;
	u64 redist = map->redist;

	if (gic == VMM_GIC_V2)
		return gic_set(fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V2_ADDR_TYPE_DIST, &dist) ||
		       gic_set(fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V2_ADDR_TYPE_CPU, &cpu);
	return gic_set(fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_DIST, &dist) ||
	       gic_set(fd, KVM_DEV_ARM_VGIC_GRP_ADDR, KVM_VGIC_V3_ADDR_TYPE_REDIST, &redist);
}

/**
 * vmm_arch_irqchip_create - make and initialise the interrupt controller
 * @vm: has all its vCPUs
 *
 * Return: 0, or -errno
 */
int vmm_arch_irqchip_create(struct vmm_vm *vm)
{
	struct kvm_create_device device = { .type = gic_type(vm->gic) };
	u32 irqs = vm->board.gic.irqs;

	if (ioctl(vm->fd, KVM_CREATE_DEVICE, &device))
		return vmm_error(errno, "KVM cannot create a GICv%d", vm->gic);
	vm->gic_fd = device.fd;
	if (gic_place(vm->gic_fd, vm->gic, &vm->board.gic) ||
	    gic_set(vm->gic_fd, KVM_DEV_ARM_VGIC_GRP_NR_IRQS, 0, &irqs) ||
	    gic_set(vm->gic_fd, KVM_DEV_ARM_VGIC_GRP_CTRL, KVM_DEV_ARM_VGIC_CTRL_INIT, NULL))
		return vmm_error(errno, "KVM cannot set up the GICv%d", vm->gic);
	return 0;
}

/**
 * vmm_arch_routes - list the routes of the board's lines, for KVM_SET_GSI_ROUTING
 * @vm: the VM
 * @routes: filled, room for VMM_ARCH_ROUTES; elements after the returned number are unchanged
 *
 * These are KVM's own default routes: KVM_SET_GSI_ROUTING replaces them, so a caller that
 * adds routes passes these as well.
 *
 * Return: how many there are
 */
unsigned int vmm_arch_routes(const struct vmm_vm *vm, struct kvm_irq_routing_entry *routes)
{
	unsigned int spis = vm->board.gic.irqs - RANCHU_GIC_FIRST_SPI;
	unsigned int i;

	for (i = 0; i < spis; i++)
		routes[i] = (struct kvm_irq_routing_entry){
			.gsi = i,
			.type = KVM_IRQ_ROUTING_IRQCHIP,
			.u.irqchip.pin = i,
		};
	return spis;
}

/**
 * vmm_arch_message_route - make KVM's route from a PCI function's message
 * @vm: the VM
 * @message: the message, at an address where the board accepts messages
 * @route: filled
 *
 * The GICv2m frame turns the message into an interrupt, which is a line's for KVM.
 *
 * Return: whether the message raises an interrupt
 */
bool vmm_arch_message_route(const struct vmm_vm *vm, const struct vmm_pci_message *message,
			    struct kvm_irq_routing_entry *route)
{
	const struct vmm_gic_map *gic = &vm->board.gic;
	u32 spi = message->data - RANCHU_GIC_FIRST_SPI;

	if (message->address != gic->frame + VMM_GICV2M_SETSPI ||
	    spi < gic->frame_spi || spi - gic->frame_spi >= gic->frame_spis)
		return false;
	*route = (struct kvm_irq_routing_entry){
		.gsi = message->gsi,
		.type = KVM_IRQ_ROUTING_IRQCHIP,
		.u.irqchip.pin = spi,
	};
	return true;
}

static void gic_line_set(struct vmm_line *line, bool level)
{
	struct kvm_irq_level irq = {
		.irq = KVM_ARM_IRQ_TYPE_SPI << KVM_ARM_IRQ_TYPE_SHIFT |
		       (line->number + RANCHU_GIC_FIRST_SPI) << KVM_ARM_IRQ_NUM_SHIFT,
		.level = level,
	};

	/* Between two lives of the guest, all lines are low. */
	if (line->vm->fd < 0)
		return;
	if (ioctl(line->vm->fd, KVM_IRQ_LINE, &irq)) {
		vmm_error(errno, "KVM_IRQ_LINE for interrupt %u", line->number);
		vmm_vm_end(line->vm, VMM_END_ERROR);
	}
}

static int gic_line_attach(struct vmm_line *line)
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

/** A line's number is that of a shared peripheral interrupt of the GIC. */
const struct vmm_line_ops vmm_arch_line_ops = {
	.set = gic_line_set,
	.attach = gic_line_attach,
};
