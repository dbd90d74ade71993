// SPDX-License-Identifier: GPL-2.0-only
/*
 * The KVM virtual machine: makes it, wires memory, interrupts and doorbells,
 * and records how it ended. A guest's reset is the end of one VM and the
 * beginning of another, so nothing of a guest can survive it.
 */
#include <errno.h>
#include <fcntl.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "machine/machine.h"

/**
 * vmm_kvm_open - open /dev/kvm and check its API
 *
 * Return: the file, or -errno
 */
int vmm_kvm_open(void)
{
	int fd = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	int version;

	if (fd < 0)
		return vmm_error(errno, "cannot open /dev/kvm");
	version = ioctl(fd, KVM_GET_API_VERSION, 0);
	if (version != KVM_API_VERSION) {
		close(fd);
		return vmm_error(-ENODEV, "/dev/kvm has API version %d, not %d", version,
				 KVM_API_VERSION);
	}
	return fd;
}

static int vm_open(struct vmm_vm *vm)
{
	vm->kvm_fd = vmm_kvm_open();
	if (vm->kvm_fd < 0)
		return vm->kvm_fd;
	vm->fd = ioctl(vm->kvm_fd, KVM_CREATE_VM, vmm_arch_vm_type(vm->kvm_fd));
	if (vm->fd < 0)
		return vmm_error(errno, "KVM cannot create a VM");
	/* Not every kernel has them; statistics then show less. */
	vm->stats_fd = ioctl(vm->fd, KVM_GET_STATS_FD, 0);
	vm->end_fd = vmm_event_create();
	return vm->end_fd < 0 ? vm->end_fd : 0;
}

static int vm_end_readable(void *arg)
{
	return vmm_vm_ended(arg);
}

static int vm_fill(struct vmm_vm *vm)
{
	unsigned int i;
	int err;

	err = vmm_loop_add(vm->loop, vm->end_fd, vm_end_readable, vm);
	if (err)
		return err;
	err = vmm_mem_create(&vm->mem, vm->cfg->memory);
	if (err)
		return err;
	err = vmm_vm_slot(vm, vm->mem.base, vm->mem.size, vm->mem.hva, false);
	if (err)
		return err;
	err = vmm_arch_gic_probe(vm->fd, vm->cfg->gic, &vm->gic);
	if (err)
		return err;
	for (i = 0; i < vm->cfg->cpus; i++) {
		err = vmm_vcpu_create(vm, i);
		if (err)
			return err;
	}
	/* After the vCPUs, which its initialisation counts. */
	return vmm_arch_irqchip_create(vm);
}

/**
 * vmm_vm_create - make a VM with RAM, vCPUs and interrupt controller
 * @vm: @cfg, @loop, @console, @stats, @vsock_host, @pipe_adb and @window are
 *	set, all else is zero
 *
 * Return: 0, or -errno with nothing left behind
 */
int vmm_vm_create(struct vmm_vm *vm)
{
	int err;

	vm->kvm_fd = -1;
	vm->fd = -1;
	vm->gic_fd = -1;
	vm->stats_fd = -1;
	vm->end_fd = -1;
	err = vm_open(vm);
	if (!err)
		err = vm_fill(vm);
	if (err)
		vmm_vm_destroy(vm);
	return err;
}

static void close_fd(int *fd)
{
	if (*fd >= 0)
		close(*fd);
	*fd = -1;
}

/**
 * vmm_vm_destroy - free a VM
 * @vm: its vCPU threads have ended and its board is gone
 */
void vmm_vm_destroy(struct vmm_vm *vm)
{
	while (vm->vcpus)
		vmm_vcpu_destroy(vm->vcpu[--vm->vcpus]);
	close_fd(&vm->gic_fd);
	if (vm->end_fd >= 0)
		vmm_loop_del(vm->loop, vm->end_fd);
	close_fd(&vm->end_fd);
	close_fd(&vm->stats_fd);
	close_fd(&vm->fd);
	close_fd(&vm->kvm_fd);
	vmm_mem_destroy(&vm->mem);
}

/* As the ioctl answers. */
static int vm_set_slot(struct vmm_vm *vm, u32 slot, u32 flags, u64 gpa, u64 size, void *hva)
{
	struct kvm_userspace_memory_region region = {
		.slot = slot,
		.flags = flags,
		.guest_phys_addr = gpa,
		.memory_size = size,
		.userspace_addr = (uintptr_t)hva,
	};

	return ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region);
}

/**
 * vmm_vm_slot - let the guest see memory
 * @vm: the VM
 * @gpa: guest physical address, page-aligned
 * @size: bytes, whole pages
 * @hva: the memory, page-aligned; stays the caller's
 * @readonly: guest writes go to a device instead
 *
 * Return: 0, or -errno
 */
int vmm_vm_slot(struct vmm_vm *vm, u64 gpa, u64 size, void *hva, bool readonly)
{
	if (vm_set_slot(vm, vm->slots, readonly ? KVM_MEM_READONLY : 0, gpa, size, hva))
		return vmm_error(errno, "KVM refuses %s memory at 0x%llx",
				 readonly ? "read-only" : "guest", gpa);
	vm->slots++;
	return 0;
}

/**
 * vmm_vm_slot_show - take memory from the guest's sight, or give it back
 * @vm: the VM; vCPUs may run
 * @slot: its number, which the caller has taken from @vm->slots
 * @gpa: as for vmm_vm_slot()
 * @size: the same; 0 to take it away
 * @hva: the same
 *
 * For read-only memory.
 *
 * Return: 0, or -errno
 */
int vmm_vm_slot_show(struct vmm_vm *vm, u32 slot, u64 gpa, u64 size, void *hva)
{
	if (vm_set_slot(vm, slot, KVM_MEM_READONLY, gpa, size, hva))
		return vmm_error(errno, "KVM cannot %s memory at 0x%llx",
				 size ? "show" : "hide", gpa);
	return 0;
}

/**
 * vmm_vm_irqfd - let eventfds drive an interrupt
 * @vm: its interrupt controller is initialised
 * @spi: the interrupt
 * @fd: raises it
 * @resample_fd: level-triggered: signalled when the guest ended it and it was
 *	lowered; -1 for an edge
 *
 * Return: 0, or -errno
 */
int vmm_vm_irqfd(struct vmm_vm *vm, u32 spi, int fd, int resample_fd)
{
	struct kvm_irqfd irqfd = {
		.fd = fd,
		.gsi = spi,
		.flags = resample_fd < 0 ? 0 : KVM_IRQFD_FLAG_RESAMPLE,
		.resamplefd = resample_fd < 0 ? 0 : resample_fd,
	};

	if (ioctl(vm->fd, KVM_IRQFD, &irqfd))
		return vmm_error(errno, "KVM refuses an irqfd for interrupt %u", spi);
	return 0;
}

/**
 * vmm_vm_ioeventfd - let a guest write signal an eventfd
 * @vm: the VM
 * @gpa: guest physical address of the register, 4 bytes wide
 * @value: only this value signals
 * @fd: the eventfd
 *
 * Return: 0, or -errno without a message: -ENOSPC is KVM's limit, and the
 *	caller can do without
 */
int vmm_vm_ioeventfd(struct vmm_vm *vm, u64 gpa, u32 value, int fd)
{
	struct kvm_ioeventfd ioeventfd = {
		.datamatch = value,
		.addr = gpa,
		.len = sizeof(u32),
		.fd = fd,
		.flags = KVM_IOEVENTFD_FLAG_DATAMATCH,
	};

	return ioctl(vm->fd, KVM_IOEVENTFD, &ioeventfd) ? -errno : 0;
}

/**
 * vmm_vm_end - end the guest's life
 * @vm: the VM
 * @why: the first reason given stays
 *
 * Context: any thread. The main loop notices and stops the vCPUs.
 */
void vmm_vm_end(struct vmm_vm *vm, enum vmm_end why)
{
	int none = VMM_END_NONE;

	__atomic_compare_exchange_n(&vm->end, &none, why, false, __ATOMIC_SEQ_CST,
				    __ATOMIC_SEQ_CST);
	vmm_event_signal(vm->end_fd);
}

/**
 * vmm_vm_ended - tell whether and how the guest's life ended
 * @vm: the VM
 *
 * Context: any thread.
 * Return: the reason, VMM_END_NONE while it goes on
 */
enum vmm_end vmm_vm_ended(const struct vmm_vm *vm)
{
	return __atomic_load_n(&vm->end, __ATOMIC_SEQ_CST);
}
