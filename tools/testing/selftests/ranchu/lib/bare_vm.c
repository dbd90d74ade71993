// SPDX-License-Identifier: GPL-2.0-only
/*
 * A KVM machine of a few instructions: the part that is the same everywhere.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bare_vm.h"

static int bare_set_memory(struct bare_vm *vm)
{
	struct kvm_userspace_memory_region region = {
		.guest_phys_addr = vm->mem->gpa,
		.memory_size = vm->mem->size,
		.userspace_addr = (uintptr_t)vm->mem->hva,
	};

	return __pipe_ioctl(vm->fd, KVM_SET_USER_MEMORY_REGION, &region);
}

static int bare_load_code(struct bare_vm *vm)
{
	size_t size = bare_guest_code_end - bare_guest_code;
	char *code;

	vm->code_gpa = pipe_mem_alloc(vm->mem, size, PIPE_PAGE);
	code = pipe_mem_hva(vm->mem, vm->code_gpa, size);
	memcpy(code, bare_guest_code, size);
	__builtin___clear_cache(code, code + size);
	return 0;
}

static int bare_vcpu_create(struct bare_vm *vm, unsigned int i)
{
	struct bare_vcpu *vcpu = &vm->vcpus[i];

	*vcpu = (struct bare_vcpu){ .vm = vm, .fd = -1, .stats_fd = -1 };
	vcpu->fd = ioctl(vm->fd, KVM_CREATE_VCPU, (unsigned long)i);
	if (vcpu->fd < 0)
		return -errno;
	vcpu->run = mmap(NULL, vm->run_size, PROT_READ | PROT_WRITE, MAP_SHARED,
			 vcpu->fd, 0);
	if (vcpu->run == MAP_FAILED)
		return -errno;
	vcpu->stats_fd = __pipe_ioctl(vcpu->fd, KVM_GET_STATS_FD, NULL);
	if (vcpu->stats_fd < 0)
		return vcpu->stats_fd;
	vcpu->job_gpa = pipe_mem_alloc(vm->mem, sizeof(*vcpu->job), PIPE_PAGE);
	vcpu->job = pipe_mem_hva(vm->mem, vcpu->job_gpa, sizeof(*vcpu->job));
	return __bare_arch_vcpu_init(vcpu);
}

int __bare_vm_create(struct bare_vm *vm, struct pipe_mem *mem,
		     unsigned int nr_vcpus)
{
	int ret;

	*vm = (struct bare_vm){ .mem = mem, .fd = -1 };
	vm->kvm = open("/dev/kvm", O_RDWR | O_CLOEXEC);
	if (vm->kvm < 0)
		return -errno;
	vm->fd = __pipe_ioctl(vm->kvm, KVM_CREATE_VM, NULL);
	if (vm->fd < 0)
		return vm->fd;
	ret = __pipe_ioctl(vm->kvm, KVM_GET_VCPU_MMAP_SIZE, NULL);
	if (ret < 0)
		return ret;
	vm->run_size = ret;
	ret = __bare_arch_vm_init(vm);
	if (!ret)
		ret = bare_set_memory(vm);
	if (!ret)
		ret = bare_load_code(vm);
	while (!ret && vm->nr_vcpus < nr_vcpus) {
		ret = bare_vcpu_create(vm, vm->nr_vcpus);
		vm->nr_vcpus++;
	}
	return ret;
}

void bare_vm_create(struct bare_vm *vm, struct pipe_mem *mem,
		    unsigned int nr_vcpus)
{
	int ret = __bare_vm_create(vm, mem, nr_vcpus);

	if (ret)
		pipe_die("no virtual machine: %s", strerror(-ret));
}

static void bare_close(int fd)
{
	if (fd >= 0)
		close(fd);
}

void bare_vm_destroy(struct bare_vm *vm)
{
	unsigned int i;

	for (i = 0; i < vm->nr_vcpus; i++) {
		struct bare_vcpu *vcpu = &vm->vcpus[i];

		if (vcpu->run && vcpu->run != MAP_FAILED)
			munmap(vcpu->run, vm->run_size);
		bare_close(vcpu->stats_fd);
		bare_close(vcpu->fd);
	}
	bare_close(vm->fd);
	bare_close(vm->kvm);
}

int __bare_ioeventfd(struct bare_vm *vm, uint64_t gpa, uint32_t value, int fd,
		     bool assign)
{
	struct kvm_ioeventfd ioeventfd = {
		.datamatch = value,
		.addr = gpa,
		.len = sizeof(uint32_t),
		.fd = fd,
		.flags = KVM_IOEVENTFD_FLAG_DATAMATCH |
			 (assign ? 0 : KVM_IOEVENTFD_FLAG_DEASSIGN),
	};

	return __pipe_ioctl(vm->fd, KVM_IOEVENTFD, &ioeventfd);
}

void bare_ioeventfd(struct bare_vm *vm, uint64_t gpa, uint32_t value, int fd)
{
	int ret = __bare_ioeventfd(vm, gpa, value, fd, true);

	if (ret)
		pipe_die("KVM_IOEVENTFD: %s", strerror(-ret));
}

/* True if the exit was a report; the guest's word for it goes to @report. */
static bool bare_mmio(struct bare_vcpu *vcpu, int *report)
{
	struct kvm_run *run = vcpu->run;
	uint32_t value;

	if (run->mmio.is_write && run->mmio.phys_addr == BARE_EXIT_GPA) {
		memcpy(&value, run->mmio.data, sizeof(value));
		*report = value;
		return true;
	}
	if (!vcpu->mmio ||
	    !vcpu->mmio(vcpu, run->mmio.phys_addr, run->mmio.data,
			run->mmio.len, run->mmio.is_write)) {
		*report = -EIO;
		return true;
	}
	return false;
}

int __bare_vcpu_run(struct bare_vcpu *vcpu)
{
	int report;
	int ret;

	for (;;) {
		ret = vcpu->enter ? vcpu->enter(vcpu) : __pipe_ioctl(vcpu->fd, KVM_RUN, NULL);
		vcpu->runs++;
		if (ret == -EINTR || ret == -EAGAIN) {
			vcpu->interrupted++;
			return -EINTR;
		}
		if (ret < 0)
			return ret;
		if (vcpu->run->exit_reason < BARE_EXIT_REASONS)
			vcpu->exits[vcpu->run->exit_reason]++;
		if (vcpu->run->exit_reason == KVM_EXIT_INTR) {
			vcpu->interrupted++;
			return -EINTR;
		}
		if (vcpu->run->exit_reason != KVM_EXIT_MMIO)
			return -EIO;
		if (bare_mmio(vcpu, &report))
			return report;
	}
}

void bare_vcpu_run(struct bare_vcpu *vcpu, int expect)
{
	int report;

	do {
		report = __bare_vcpu_run(vcpu);
	} while (report == -EINTR);
	if (report != expect)
		pipe_die("the guest reports %d instead of %d, exit reason %u",
			 report, expect, vcpu->run->exit_reason);
}

void bare_job_run(struct bare_vcpu *vcpu)
{
	bare_vcpu_run(vcpu, BARE_AT_BEGIN);
	bare_vcpu_run(vcpu, BARE_AT_END);
}

static void *bare_job_thread(void *arg)
{
	bare_job_run(arg);
	return NULL;
}

void bare_job_start(struct bare_vcpu *vcpu)
{
	int ret = pthread_create(&vcpu->thread, NULL, bare_job_thread, vcpu);

	if (ret)
		pipe_die("no thread: %s", strerror(ret));
}

void bare_job_join(struct bare_vcpu *vcpu)
{
	int ret = pthread_join(vcpu->thread, NULL);

	if (ret)
		pipe_die("thread does not end: %s", strerror(ret));
}

void bare_job_stop(struct bare_vcpu *vcpu)
{
	__atomic_store_n(&vcpu->job->stop, 1, __ATOMIC_RELEASE);
}

void bare_job_advance(struct bare_vcpu *vcpu, uint32_t count)
{
	uint32_t from = __atomic_load_n(&vcpu->job->done, __ATOMIC_ACQUIRE);

	/* No time limit of our own: the harness has one. */
	while (__atomic_load_n(&vcpu->job->done, __ATOMIC_ACQUIRE) - from <
	       count)
		sched_yield();
}
