/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A KVM virtual machine with a few instructions in it and no device, for tests
 * that ring a doorbell from a real vCPU. Memory comes from
 * pipe_dev.h. Functions named __x return -errno, x ends the test instead.
 */
#ifndef RANCHU_BARE_VM_H
#define RANCHU_BARE_VM_H

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <linux/kvm.h>

#include "bare_job.h"
#include "pipe_dev.h"

#define BARE_MAX_VCPUS		4

/*
 * Nothing is mapped here and no eventfd listens, so that a guest's write
 * returns to userspace. The board keeps this address free.
 */
#define BARE_EXIT_GPA		0x0a030000u

/* Why KVM_RUN returned; the kernel's numbers below this, then our own. */
#define BARE_EXIT_REASONS	64

struct bare_vcpu;

/* Serves an MMIO exit that is no report; false if it is not known either. */
typedef bool (*bare_mmio_fn)(struct bare_vcpu *vcpu, uint64_t gpa, void *data,
			     uint32_t len, bool write);

/* Runs a vCPU in place of KVM_RUN, with the same result: -errno. */
typedef int (*bare_enter_fn)(struct bare_vcpu *vcpu);

/**
 * struct bare_vcpu - a vCPU and its counters
 * @vm: its machine
 * @fd: KVM's file
 * @stats_fd: KVM's binary statistics of this vCPU
 * @run: KVM's shared page
 * @job: the guest's job, in guest memory
 * @job_gpa: guest address of @job
 * @mmio: serves exits that are no reports, or NULL
 * @enter: runs it, or NULL for KVM_RUN
 * @opaque: for @mmio and @enter
 * @runs: times KVM_RUN returned
 * @interrupted: of these, times because of a signal
 * @exits: times KVM_RUN returned, by exit reason
 * @thread: runs bare_vcpu_thread()
 * @result: result of that thread's run
 */
struct bare_vcpu {
	struct bare_vm *vm;
	int fd;
	int stats_fd;
	struct kvm_run *run;
	struct bare_job *job;
	uint64_t job_gpa;
	bare_mmio_fn mmio;
	bare_enter_fn enter;
	void *opaque;
	unsigned long runs;
	unsigned long interrupted;
	unsigned long exits[BARE_EXIT_REASONS];
	pthread_t thread;
	int result;
};

/**
 * struct bare_vm - a machine
 * @kvm: /dev/kvm
 * @fd: the machine
 * @run_size: bytes of a vCPU's shared area
 * @mem: its memory
 * @code_gpa: where the guest's code is
 * @tables_gpa: page tables, where the architecture needs them
 * @vcpus: its vCPUs
 * @nr_vcpus: how many there are
 */
struct bare_vm {
	int kvm;
	int fd;
	size_t run_size;
	struct pipe_mem *mem;
	uint64_t code_gpa;
	uint64_t tables_gpa;
	struct bare_vcpu vcpus[BARE_MAX_VCPUS];
	unsigned int nr_vcpus;
};

/*
 * Returns 0, or -errno if there can be no VM, for example -ENOENT without KVM. Tests
 * are skipped then.
 */
int __bare_vm_create(struct bare_vm *vm, struct pipe_mem *mem,
		     unsigned int nr_vcpus);
void bare_vm_create(struct bare_vm *vm, struct pipe_mem *mem,
		    unsigned int nr_vcpus);
void bare_vm_destroy(struct bare_vm *vm);

/* Connects an eventfd to a 4-byte write of @value to @gpa, or takes it away. */
int __bare_ioeventfd(struct bare_vm *vm, uint64_t gpa, uint32_t value, int fd,
		     bool assign);
void bare_ioeventfd(struct bare_vm *vm, uint64_t gpa, uint32_t value, int fd);

/*
 * Runs the vCPU to its next report and gives that, BARE_AT_BEGIN or
 * BARE_AT_END; -EINTR if a signal came first, -EIO if the guest left in a way
 * that nobody here expected.
 */
int __bare_vcpu_run(struct bare_vcpu *vcpu);

/* The same, but goes on after signals and accepts only report @expect. */
void bare_vcpu_run(struct bare_vcpu *vcpu, int expect);

/* A whole job on this thread, and on its own thread. */
void bare_job_run(struct bare_vcpu *vcpu);
void bare_job_start(struct bare_vcpu *vcpu);
void bare_job_join(struct bare_vcpu *vcpu);

/* Runs a job and returns its nanoseconds; every answer must be right. */
double bare_job_ns(struct bare_vcpu *vcpu);

/* Tells the guest to end its loop; may be called while it runs. */
void bare_job_stop(struct bare_vcpu *vcpu);

/* Waits until the guest has made @count more writes than it has now. */
void bare_job_advance(struct bare_vcpu *vcpu, uint32_t count);

/* One of KVM's binary statistics by name; -ENOENT if there is none. */
int __bare_stat(int stats_fd, const char *name, uint64_t *value);
uint64_t bare_stat(int stats_fd, const char *name);

/* Of lib/<architecture>/bare_arch.c. */
extern const char * const bare_arch_user_exit_stat;
extern const char bare_guest_code[];
extern const char bare_guest_code_end[];
int __bare_arch_vm_init(struct bare_vm *vm);
int __bare_arch_vcpu_init(struct bare_vcpu *vcpu);

#endif /* RANCHU_BARE_VM_H */
