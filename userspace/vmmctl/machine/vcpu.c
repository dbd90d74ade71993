// SPDX-License-Identifier: GPL-2.0-only
/*
 * Virtual CPUs: a thread each, which runs the guest, hands its accesses of memory
 * and ports to the board's models and counts why KVM_RUN returned.
 *
 * Stopping: immediate_exit is set first and the signal sent second, so that a
 * vCPU about to enter the guest does not, and one inside leaves.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "machine/machine.h"

#define VCPU_KICK	SIGRTMIN

/* One thread writes a counter, any thread may read it. */
static void count(u64 *counter)
{
	__atomic_store_n(counter, *counter + 1, __ATOMIC_RELAXED);
}

/**
 * struct access - a guest's access to an address
 * @space: where the address is
 * @addr: the address
 * @write: the guest wrote
 * @len: bytes, at most 8
 * @data: the bytes that it wrote, or that it is to read
 */
struct access {
	enum vmm_space space;
	u64 addr;
	bool write;
	unsigned int len;
	u8 *data;
};

/*
 * Each exit is counted once. At an address without a device, a read returns zeros in memory,
 * and ones in port space: x86 drivers take all ones for "no device".
 */
static void vcpu_access(struct vmm_vcpu *vcpu, const struct access *access, bool counted)
{
	struct vmm_board *board = &vcpu->vm->board;
	struct vmm_device *dev = vmm_board_find(board, access->space, access->addr, access->len);
	unsigned int i = vmm_board_index(board, dev);
	u64 value = access->space == VMM_PORTS && !access->write ? ~0ULL : 0;

	if (counted)
		count(access->write ? &vcpu->exits.writes[i] : &vcpu->exits.reads[i]);
	if (access->write) {
		memcpy(&value, access->data, access->len);
		if (dev)
			vmm_device_write(dev, access->addr - dev->base, value, access->len);
	} else {
		if (dev)
			value = vmm_device_read(dev, access->addr - dev->base, access->len);
		memcpy(access->data, &value, access->len);
	}
}

static void vcpu_mmio(struct vmm_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	struct access access = {
		.space = VMM_MMIO,
		.addr = run->mmio.phys_addr,
		.write = run->mmio.is_write,
		.len = run->mmio.len,
		.data = run->mmio.data,
	};

	vcpu_access(vcpu, &access, true);
}

/* One exit of a string instruction has many accesses to the same port. */
static void vcpu_ports(struct vmm_vcpu *vcpu)
{
	struct kvm_run *run = vcpu->run;
	struct access access = {
		.space = VMM_PORTS,
		.addr = run->io.port,
		.write = run->io.direction == KVM_EXIT_IO_OUT,
		.len = run->io.size,
		.data = (u8 *)run + run->io.data_offset,
	};
	u32 i;

	for (i = 0; i < run->io.count; i++, access.data += access.len)
		vcpu_access(vcpu, &access, !i);
}

static void vcpu_system_event(struct vmm_vcpu *vcpu)
{
	count(&vcpu->exits.system);
	switch (vcpu->run->system_event.type) {
	case KVM_SYSTEM_EVENT_SHUTDOWN:
		vmm_vm_end(vcpu->vm, VMM_END_OFF);
		break;
	case KVM_SYSTEM_EVENT_RESET:
		vmm_vm_end(vcpu->vm, VMM_END_RESET);
		break;
	case KVM_SYSTEM_EVENT_CRASH:
		vmm_vm_end(vcpu->vm, VMM_END_PANIC);
		break;
	default:
		vmm_error(-EIO, "vCPU %u: unknown system event %u", vcpu->id,
			  vcpu->run->system_event.type);
		vmm_vm_end(vcpu->vm, VMM_END_ERROR);
	}
}

static void vcpu_exit(struct vmm_vcpu *vcpu)
{
	switch (vcpu->run->exit_reason) {
	case KVM_EXIT_MMIO:
		vcpu_mmio(vcpu);
		break;
	case KVM_EXIT_IO:
		vcpu_ports(vcpu);
		break;
	case KVM_EXIT_SYSTEM_EVENT:
		vcpu_system_event(vcpu);
		break;
	case KVM_EXIT_SHUTDOWN:
		/* A triple fault, which resets a PC. */
		count(&vcpu->exits.system);
		vmm_vm_end(vcpu->vm, VMM_END_RESET);
		break;
	case KVM_EXIT_INTR:
		count(&vcpu->exits.signals);
		break;
	default:
		count(&vcpu->exits.other);
		vmm_error(-EIO, "vCPU %u: KVM exit reason %u at pc 0x%llx", vcpu->id,
			  vcpu->run->exit_reason, vmm_arch_vcpu_pc(vcpu));
		vmm_vm_end(vcpu->vm, VMM_END_ERROR);
	}
}

/*
 * Unregisters the thread's restartable sequence, which the C library has registered and
 * vmmctl does not use: the kernel would write to it each time it serves a doorbell in this
 * thread. The registered area has 32 bytes.
 */
static void vcpu_unregister_rseq(void)
{
	char *area = (char *)__builtin_thread_pointer() + __rseq_offset;

	if (__rseq_size)
		syscall(SYS_rseq, area, __rseq_size < 32 ? 32 : __rseq_size,
			RSEQ_FLAG_UNREGISTER, RSEQ_SIG);
}

/* Returns whether a file of guest RAM has become shorter: KVM_RUN fails with EFAULT then. */
static bool ram_is_short(const struct vmm_vm *vm)
{
	const struct vmm_mem *mem = &vm->mem;

	return (vm->ram_fd >= 0 && !vmm_mem_fits_file(mem, vm->ram_fd)) ||
	       (vm->changes_fd >= 0 && !vmm_mem_fits_file(mem, vm->changes_fd));
}

/* All vCPUs find that their RAM is lost; one message says so. */
static void vcpu_failed(struct vmm_vcpu *vcpu, int err)
{
	struct vmm_vm *vm = vcpu->vm;

	if (err != EFAULT || !ram_is_short(vm))
		vmm_error(err, "vCPU %u: KVM_RUN at pc 0x%llx", vcpu->id, vmm_arch_vcpu_pc(vcpu));
	else if (!__atomic_exchange_n(&vm->ram_lost, true, __ATOMIC_RELAXED))
		vmm_error(err, "guest RAM is lost: \"ram\" of the snapshot has changed");
	vmm_vm_end(vm, VMM_END_ERROR);
}

/*
 * The last exit may have been in the middle of an instruction. KVM completes the instruction
 * when the vCPU is run again; with immediate_exit, it does so without entering the guest.
 * The rest of the instruction may cause another exit, which is served here. Afterwards the
 * vCPU is between two instructions, and its registers are complete. The loop ends: of a
 * string instruction, KVM does 1024 rounds and then returns to the guest.
 */
static void vcpu_finish_exit(struct vmm_vcpu *vcpu)
{
	int err;

	__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	do {
		err = ioctl(vcpu->fd, KVM_RUN, 0);
		if (!err)
			vcpu_exit(vcpu);
	} while (!err && !vmm_vm_ended(vcpu->vm));
	if (err && errno != EINTR && errno != EAGAIN)
		vcpu_failed(vcpu, errno);
	__atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
}

/* Waits until vCPUs may run again, or the VM has ended. */
static void vcpu_park(struct vmm_vcpu *vcpu)
{
	struct vmm_vm *vm = vcpu->vm;

	vcpu_finish_exit(vcpu);
	pthread_mutex_lock(&vm->pause_lock);
	vm->parked++;
	if (vm->pausing && vm->parked == vm->vcpus) {
		vmm_arch_clock_hold(vm);
		vmm_event_signal(vm->parked_fd);
	}
	while (vm->pausing && !vmm_vm_ended(vm))
		pthread_cond_wait(&vm->pause_cond, &vm->pause_lock);
	vm->parked--;
	pthread_mutex_unlock(&vm->pause_lock);
	vmm_arch_vcpu_resumed(vcpu);
}

/*
 * immediate_exit is cleared before the reasons to leave the guest are read. A thread that
 * sets it later has stored its reason before, so no reason is missed.
 */
static bool vcpu_may_run(struct vmm_vcpu *vcpu)
{
	__atomic_store_n(&vcpu->run->immediate_exit, 0, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&vcpu->vm->pausing, __ATOMIC_SEQ_CST))
		vcpu_park(vcpu);
	return !vmm_vm_ended(vcpu->vm);
}

/* Runs the guest. Returns 0, or -1 and errno. */
static int vcpu_enter(struct vmm_vcpu *vcpu)
{
	const struct vmm_vm *vm = vcpu->vm;
	const struct vmm_runner *runner = vm->runner ? vm->runner : vm->inner_runner;

	return runner ? runner->run(runner, vcpu) : ioctl(vcpu->fd, KVM_RUN, 0);
}

static void *vcpu_thread(void *arg)
{
	struct vmm_vcpu *vcpu = arg;
	sigset_t kick;
	char name[16];
	int err = 0;

	vcpu_unregister_rseq();
	/* QEMU's vCPU threads have this name, which tools look for. */
	snprintf(name, sizeof(name), "CPU %u/KVM", vcpu->id);
	pthread_setname_np(pthread_self(), name);
	sigemptyset(&kick);
	sigaddset(&kick, VCPU_KICK);
	pthread_sigmask(SIG_UNBLOCK, &kick, NULL);
	if (vcpu->vm->confine)
		err = vcpu->vm->confine(vcpu->vm);
	if (err) {
		vmm_error(-err, "vCPU %u: no sandbox (--sandbox off does without)", vcpu->id);
		vmm_vm_end(vcpu->vm, VMM_END_ERROR);
	}
	while (vcpu_may_run(vcpu)) {
		if (!vcpu_enter(vcpu))
			vcpu_exit(vcpu);
		else if (errno == EINTR || errno == EAGAIN)
			count(&vcpu->exits.signals);
		else
			vcpu_failed(vcpu, errno);
	}
	return NULL;
}

static int vcpu_open(struct vmm_vcpu *vcpu)
{
	int size = ioctl(vcpu->vm->kvm_fd, KVM_GET_VCPU_MMAP_SIZE, 0);
	void *run;

	vcpu->fd = ioctl(vcpu->vm->fd, KVM_CREATE_VCPU, vcpu->id);
	if (vcpu->fd < 0)
		return vmm_error(errno, "KVM cannot create vCPU %u", vcpu->id);
	if (size < (int)sizeof(*vcpu->run))
		return vmm_error(-EIO, "KVM's run structure is too small");
	run = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED, vcpu->fd, 0);
	if (run == MAP_FAILED)
		return vmm_error(errno, "cannot map vCPU %u", vcpu->id);
	vcpu->run = run;
	vcpu->run_size = size;
	/* Opened now: while the vCPU runs, the ioctl would wait until it leaves the guest. */
	vcpu->stats_fd = ioctl(vcpu->fd, KVM_GET_STATS_FD, 0);
	return vmm_arch_vcpu_init(vcpu);
}

/**
 * vmm_vcpu_create - add a vCPU to a VM
 * @vm: the VM
 * @id: index; 0 is the boot CPU, the others wait until the guest starts them
 *
 * Return: 0, or -errno
 */
int vmm_vcpu_create(struct vmm_vm *vm, unsigned int id)
{
	struct vmm_vcpu *vcpu = calloc(1, sizeof(*vcpu));
	int err;

	if (!vcpu)
		return vmm_error(ENOMEM, "vCPU %u", id);
	vcpu->vm = vm;
	vcpu->id = id;
	vcpu->fd = -1;
	vcpu->stats_fd = -1;
	err = vcpu_open(vcpu);
	if (err) {
		vmm_vcpu_destroy(vcpu);
		return err;
	}
	vm->vcpu[vm->vcpus++] = vcpu;
	return 0;
}

/**
 * vmm_vcpu_destroy - free a vCPU
 * @vcpu: has no thread
 */
void vmm_vcpu_destroy(struct vmm_vcpu *vcpu)
{
	if (vcpu->run)
		munmap(vcpu->run, vcpu->run_size);
	if (vcpu->stats_fd >= 0)
		close(vcpu->stats_fd);
	if (vcpu->fd >= 0)
		close(vcpu->fd);
	free(vcpu);
}

static void vcpu_kicked(int sig)
{
	(void)sig;
}

/**
 * vmm_vcpu_start - start a vCPU's thread
 * @vcpu: fully set up
 *
 * Return: 0, or -errno
 */
int vmm_vcpu_start(struct vmm_vcpu *vcpu)
{
	/* No SA_RESTART: KVM_RUN has to return. */
	struct sigaction action = { .sa_handler = vcpu_kicked };
	int err;

	sigaction(VCPU_KICK, &action, NULL);
	err = pthread_create(&vcpu->thread, NULL, vcpu_thread, vcpu);
	if (err)
		return vmm_error(err, "cannot start vCPU %u", vcpu->id);
	vcpu->started = true;
	return 0;
}

/**
 * vmm_vcpu_kick - have a vCPU leave the guest
 * @vcpu: the reason was stored before, see vcpu_may_run()
 */
void vmm_vcpu_kick(struct vmm_vcpu *vcpu)
{
	__atomic_store_n(&vcpu->run->immediate_exit, 1, __ATOMIC_SEQ_CST);
	if (vcpu->started)
		pthread_kill(vcpu->thread, VCPU_KICK);
}

/**
 * vmm_vcpu_stop - end a vCPU's thread and wait for it
 * @vcpu: its VM has ended
 */
void vmm_vcpu_stop(struct vmm_vcpu *vcpu)
{
	if (!vcpu->started)
		return;
	vmm_vcpu_kick(vcpu);
	vmm_vm_resume(vcpu->vm);
	pthread_join(vcpu->thread, NULL);
	vcpu->started = false;
}
