// SPDX-License-Identifier: GPL-2.0-only
/*
 * The virtual machine. RAM and the connections of devices stay for the VM's whole life;
 * KVM's VM is created at each power-on and freed at each power-off or reset. So nothing that
 * a guest has done to vCPUs and the interrupt controller survives a reset, and a reset opens
 * no file of the host. Also stores how a life of the guest ended.
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

/* Between two lives, all members that belong to a life are -1 or zero. */
static void vm_clear_life(struct vmm_vm *vm)
{
	vm->fd = -1;
	vm->gic_fd = -1;
	vm->stats_fd = -1;
	vm->vcpus = 0;
}

static int vm_end_readable(void *arg)
{
	return vmm_vm_ended(arg);
}

/* Fills the board's RAM ranges in their order. */
static int vm_add_ram(struct vmm_vm *vm)
{
	u64 left = vm->cfg->memory;
	u64 offset = 0;
	unsigned int i;
	int err = 0;

	vm->mem.huge_pages = vm->cfg->huge_pages;
	for (i = 0; i < VMM_BOARD_RAM && left && !err; i++) {
		const struct vmm_board_ram *ram = &vm->board.ram[i];
		u64 size = left < ram->max ? left : ram->max;

		if (!size)
			break;
		if (vm->ram_fd < 0)
			err = vmm_mem_add(&vm->mem, ram->base, size);
		else
			err = vmm_mem_add_file(&vm->mem, ram->base, size, vm->ram_fd, offset);
		left -= size;
		offset += size;
	}
	if (!err && left)
		err = vmm_error(-ENOSPC, "the board has no place for %llu MiB of RAM",
				vm->cfg->memory / MIB);
	return err;
}

/* Devices that need features which are missing here refuse to be created. */
static int vm_check_kvm(struct vmm_vm *vm)
{
	vm->kvm_fd = vmm_kvm_open();
	if (vm->kvm_fd < 0)
		return vm->kvm_fd;
	vm->lacks = vmm_kvm_lacks(vm->kvm_fd);
	if (!vm->read_window)
		return 0;
	return vmm_kvm_need(vm->lacks, VMM_KVM_READONLY, "--window on", "--window off");
}

static int vm_open(struct vmm_vm *vm)
{
	int err = vm_check_kvm(vm);

	if (err)
		return err;
	vm->end_fd = vmm_event_create();
	if (vm->end_fd < 0)
		return vm->end_fd;
	vm->parked_fd = vmm_event_create();
	if (vm->parked_fd < 0)
		return vm->parked_fd;
	err = vmm_loop_add(vmm_loop_main(vm->loop), vm->end_fd, vm_end_readable, vm);
	return err ? err : vm_add_ram(vm);
}

/**
 * vmm_vm_create - create a VM with RAM, switched off
 * @vm: @cfg, @loop, @stats, @host, @read_window, @ram_fd and @board are set, all else is
 *	zero
 *
 * Return: 0, or -errno with nothing left behind
 */
int vmm_vm_create(struct vmm_vm *vm)
{
	int err;

	vm->kvm_fd = -1;
	vm->end_fd = -1;
	vm->parked_fd = -1;
	pthread_mutex_init(&vm->pause_lock, NULL);
	pthread_cond_init(&vm->pause_cond, NULL);
	vm->line_ops = &vmm_arch_line_ops;
	vm->slots = VMM_REGIONS;
	vm_clear_life(vm);
	err = vm_open(vm);
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
 * @vm: switched off, and its board is destroyed
 */
void vmm_vm_destroy(struct vmm_vm *vm)
{
	if (vm->end_fd >= 0)
		vmm_loop_del(vmm_loop_main(vm->loop), vm->end_fd);
	close_fd(&vm->end_fd);
	close_fd(&vm->parked_fd);
	close_fd(&vm->kvm_fd);
	vmm_mem_destroy(&vm->mem);
	pthread_cond_destroy(&vm->pause_cond);
	pthread_mutex_destroy(&vm->pause_lock);
}

/* Returns what the ioctl returns. */
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

static int vm_connect_ram(struct vmm_vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->mem.regions; i++) {
		const struct vmm_region *region = &vm->mem.region[i];

		if (vm_set_slot(vm, i, 0, region->base, region->size, region->hva))
			return vmm_error(errno, "KVM refuses guest memory at 0x%llx",
					 region->base);
	}
	return 0;
}

static int window_connect(struct vmm_vm *vm, const struct vmm_read_window *window)
{
	u32 flags = window->writable ? 0 : KVM_MEM_READONLY;

	if (vm->fd >= 0 && vm_set_slot(vm, window->slot, flags, window->gpa,
				       window->shown ? window->size : 0, window->hva))
		return vmm_error(errno, "KVM cannot %s a device's memory at 0x%llx",
				 window->shown ? "show" : "hide", window->gpa);
	return 0;
}

static int vm_connect_windows(struct vmm_vm *vm)
{
	const struct vmm_read_window *window;
	int err = 0;

	for (window = vm->windows; window && !err; window = window->next) {
		if (window->shown)
			err = window_connect(vm, window);
	}
	return err;
}

/* Without ioeventfds, the write exits, and the device's model handles it. */
static int doorbell_connect(struct vmm_vm *vm, const struct vmm_doorbell *bell)
{
	int err = vm->lacks & VMM_KVM_IOEVENTFD ? 0 : vmm_vm_ioeventfd(vm, bell);

	return err ? vmm_error(-err, "KVM refuses the doorbell at 0x%llx", bell->addr) : 0;
}

static int vm_connect_doorbells(struct vmm_vm *vm)
{
	const struct vmm_doorbell *bell;
	int err = 0;

	for (bell = vm->doorbells; bell && !err; bell = bell->next)
		err = doorbell_connect(vm, bell);
	return err;
}

/*
 * Creates what the architecture needs before vCPUs, then the vCPUs, then what depends on the
 * number of vCPUs.
 */
static int vm_fill(struct vmm_vm *vm)
{
	unsigned int i;
	int err;

	err = vm_connect_ram(vm);
	if (!err)
		err = vm_connect_windows(vm);
	if (!err)
		err = vmm_arch_vm_begin(vm);
	for (i = 0; i < vm->cfg->cpus && !err; i++)
		err = vmm_vcpu_create(vm, i);
	if (!err)
		err = vmm_arch_irqchip_create(vm);
	if (!err)
		err = vmm_lines_connect(vm);
	return err ? err : vm_connect_doorbells(vm);
}

/**
 * vmm_vm_power_on - begin a life of the guest: create vCPUs and an interrupt controller,
 *	and connect what devices have registered
 * @vm: switched off; its board was created, and its RAM has its initial content
 *
 * Opens no file by its path.
 *
 * Return: 0, or -errno with the VM switched off
 */
int vmm_vm_power_on(struct vmm_vm *vm)
{
	int err;

	vm->fd = ioctl(vm->kvm_fd, KVM_CREATE_VM, vmm_arch_vm_type(vm->kvm_fd));
	if (vm->fd < 0)
		return vmm_error(errno, "KVM cannot create a VM");
	/* Older kernels have none; statistics then have fewer counters. */
	vm->stats_fd = ioctl(vm->fd, KVM_GET_STATS_FD, 0);
	err = vm_fill(vm);
	if (err)
		vmm_vm_power_off(vm);
	return err;
}

/**
 * vmm_vm_power_off - end a life of the guest
 * @vm: its vCPUs' threads have ended
 *
 * Frees all state that the guest has in KVM. RAM and devices do not change.
 */
void vmm_vm_power_off(struct vmm_vm *vm)
{
	while (vm->vcpus)
		vmm_vcpu_destroy(vm->vcpu[--vm->vcpus]);
	vmm_lines_disconnect(vm);
	close_fd(&vm->gic_fd);
	close_fd(&vm->stats_fd);
	close_fd(&vm->fd);
	vm_clear_life(vm);
}

/**
 * vmm_vm_renew - clear the reason for which the last life ended
 * @vm: switched off, and to be switched on again; another thread may end it meanwhile
 */
void vmm_vm_renew(struct vmm_vm *vm)
{
	__atomic_store_n(&vm->end, VMM_END_NONE, __ATOMIC_SEQ_CST);
	vmm_event_clear(vm->end_fd);
}

/**
 * vmm_read_window_add - register memory that the guest may read
 * @vm: the VM, switched off
 * @window: @gpa, @size, @hva and @shown are set; owned by the caller, and must exist as long
 *	as the VM
 */
void vmm_read_window_add(struct vmm_vm *vm, struct vmm_read_window *window)
{
	window->slot = vm->slots++;
	window->next = vm->windows;
	vm->windows = window;
}

/**
 * vmm_read_window_show - show a window to the guest, or hide it
 * @vm: the VM; vCPUs may run
 * @window: the window
 * @show: whether the guest is to see it
 *
 * Context: any thread; callers serialise.
 * Return: 0, or -errno
 */
int vmm_read_window_show(struct vmm_vm *vm, struct vmm_read_window *window, bool show)
{
	if (window->shown == show)
		return 0;
	window->shown = show;
	return window_connect(vm, window);
}

/**
 * vmm_doorbell_add - let a guest's write signal an eventfd, now and after each reset
 * @vm: the VM
 * @bell: owned by the caller; must exist until it is removed, or as long as the VM
 *
 * If KVM has no ioeventfds, this is no error: the write exits.
 *
 * Context: any thread; callers that add and remove while vCPUs run must serialise.
 * Return: 0, or -errno after a message; the doorbell is in the list also after an error
 */
int vmm_doorbell_add(struct vmm_vm *vm, struct vmm_doorbell *bell)
{
	bell->next = vm->doorbells;
	vm->doorbells = bell;
	return vm->fd < 0 ? 0 : doorbell_connect(vm, bell);
}

/* The doorbell as KVM's structure. */
static struct kvm_ioeventfd doorbell_ioeventfd(const struct vmm_doorbell *bell)
{
	return (struct kvm_ioeventfd){
		.datamatch = bell->matches ? bell->value : 0,
		.addr = bell->addr,
		.len = bell->len,
		.fd = bell->fd,
		.flags = (bell->matches ? KVM_IOEVENTFD_FLAG_DATAMATCH : 0) |
			 (bell->space == VMM_PORTS ? KVM_IOEVENTFD_FLAG_PIO : 0),
	};
}

/**
 * vmm_doorbell_remove - undo vmm_doorbell_add()
 * @vm: the VM; vCPUs may run
 * @bell: may be added again, also at another address; may be absent
 *
 * Context: any thread; callers that add and remove while vCPUs run must serialise.
 */
void vmm_doorbell_remove(struct vmm_vm *vm, struct vmm_doorbell *bell)
{
	struct kvm_ioeventfd ioeventfd = doorbell_ioeventfd(bell);
	struct vmm_doorbell **at = &vm->doorbells;

	while (*at && *at != bell)
		at = &(*at)->next;
	if (!*at)
		return;
	*at = bell->next;
	bell->next = NULL;
	ioeventfd.flags |= KVM_IOEVENTFD_FLAG_DEASSIGN;
	if (vm->fd >= 0 && !(vm->lacks & VMM_KVM_IOEVENTFD) &&
	    ioctl(vm->fd, KVM_IOEVENTFD, &ioeventfd)) {
		vmm_error(errno, "KVM keeps the doorbell at 0x%llx", bell->addr);
		vmm_vm_end(vm, VMM_END_ERROR);
	}
}

/**
 * vmm_vm_ioeventfd - let a guest write signal an eventfd, in this life only
 * @vm: the VM, switched on
 * @bell: which write, and which eventfd; not kept
 *
 * Return: 0, or -errno without a message: the caller works without it
 */
int vmm_vm_ioeventfd(struct vmm_vm *vm, const struct vmm_doorbell *bell)
{
	struct kvm_ioeventfd ioeventfd = doorbell_ioeventfd(bell);

	return ioctl(vm->fd, KVM_IOEVENTFD, &ioeventfd) ? -errno : 0;
}

/**
 * vmm_vm_end - end the guest's life
 * @vm: the VM
 * @why: the reason; the first one counts
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
 * vmm_vm_ended - return whether and how the guest's life ended
 * @vm: the VM
 *
 * Context: any thread.
 * Return: the reason, VMM_END_NONE while the guest runs
 */
enum vmm_end vmm_vm_ended(const struct vmm_vm *vm)
{
	return __atomic_load_n(&vm->end, __ATOMIC_SEQ_CST);
}

/**
 * vmm_vm_pause - stop all vCPUs
 * @vm: its vCPUs have threads
 *
 * They leave the guest soon after; @vm->parked_fd is signalled when all have.
 *
 * Context: main thread.
 */
void vmm_vm_pause(struct vmm_vm *vm)
{
	unsigned int i;

	pthread_mutex_lock(&vm->pause_lock);
	__atomic_store_n(&vm->pausing, true, __ATOMIC_SEQ_CST);
	/* vCPUs that have not noticed a resume yet are still parked: all may be. */
	if (vm->parked == vm->vcpus) {
		vmm_arch_clock_hold(vm);
		vmm_event_signal(vm->parked_fd);
	}
	pthread_mutex_unlock(&vm->pause_lock);
	for (i = 0; i < vm->vcpus; i++)
		vmm_vcpu_kick(vm->vcpu[i]);
}

/**
 * vmm_vm_resume - let vCPUs run again
 * @vm: the VM
 *
 * Context: main thread.
 */
void vmm_vm_resume(struct vmm_vm *vm)
{
	pthread_mutex_lock(&vm->pause_lock);
	if (vm->parked == vm->vcpus)
		vmm_arch_clock_release(vm);
	__atomic_store_n(&vm->pausing, false, __ATOMIC_SEQ_CST);
	pthread_cond_broadcast(&vm->pause_cond);
	pthread_mutex_unlock(&vm->pause_lock);
}

/**
 * vmm_vm_paused - return whether all vCPUs have stopped
 * @vm: the VM
 *
 * Return: whether they have
 */
bool vmm_vm_paused(struct vmm_vm *vm)
{
	bool paused;

	pthread_mutex_lock(&vm->pause_lock);
	paused = vm->pausing && vm->parked == vm->vcpus;
	pthread_mutex_unlock(&vm->pause_lock);
	return paused;
}
