/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * machine/ owns what a VM is: the KVM virtual machine, its vCPUs and RAM, the main
 * thread's loop and the counters.
 *
 * Threads: the main thread runs the loop (terminal, signals, device wake-ups),
 * each vCPU has a thread of its own. What a vCPU thread may call says so.
 *
 * Errors: functions return -errno (or NULL) after one message to stderr, where
 * the cause is known; only main.c exits.
 */
#ifndef MACHINE_H
#define MACHINE_H

#include <pthread.h>
#include <linux/kvm.h>
#include <linux/ranchu.h>

#include "boards/boards.h"
#include "host/log.h"
#include "machine/config.h"

struct vmm_vcpu;
struct vmm_console;
struct vmm_stats;
struct vmm_pipe_adb;
struct vmm_vsock_host;
struct vmm_loop;

/* ---- memory.c: guest RAM ---- */

/**
 * struct vmm_mem - guest RAM, one piece at RANCHU_RAM_BASE
 * @base: guest physical address
 * @size: bytes
 * @hva: where it is mapped here
 * @fd: the memfd behind it
 */
struct vmm_mem {
	u64 base;
	u64 size;
	void *hva;
	int fd;
};

int vmm_mem_create(struct vmm_mem *mem, u64 size);
void vmm_mem_destroy(struct vmm_mem *mem);
void *vmm_mem_ptr(const struct vmm_mem *mem, u64 gpa, u64 len);
void *vmm_mem_window(u64 size, int *fd);

/* ---- loop.c: the main thread's loop ---- */

typedef int (*vmm_loop_fn)(void *arg);

#define VMM_LOOP_MAX	128	/* files */

struct vmm_loop *vmm_loop_create(void);
void vmm_loop_destroy(struct vmm_loop *loop);
int vmm_loop_add(struct vmm_loop *loop, int fd, vmm_loop_fn fn, void *arg);
int vmm_loop_watch(struct vmm_loop *loop, int fd, short events, vmm_loop_fn fn, void *arg);
void vmm_loop_del(struct vmm_loop *loop, int fd);
int vmm_loop_run(struct vmm_loop *loop);
int vmm_event_create(void);
void vmm_event_signal(int fd);
void vmm_event_clear(int fd);

/* ---- vm.c: the KVM virtual machine ---- */

/* Why a guest's life ended. */
enum vmm_end {
	VMM_END_NONE,		/* it has not */
	VMM_END_OFF,		/* the guest switched itself off */
	VMM_END_RESET,		/* the guest asked for a reset */
	VMM_END_QUIT,		/* the user left the console */
	VMM_END_SIGNAL,		/* SIGTERM or SIGINT */
	VMM_END_ERROR,		/* it was reported */
};

/**
 * struct vmm_vm - one life of a guest, from power-on to power-off or reset
 * @cfg: the command line
 * @loop: the main thread's loop
 * @console: the terminal, or NULL; outlives the VM
 * @stats: where snapshots go, or NULL; outlives the VM
 * @vsock_host: the host's ends of vsock streams, or NULL; outlives the VM
 * @pipe_adb: the host's side of adb by pipe, or NULL; the same
 * @kvm_fd: /dev/kvm
 * @fd: the VM
 * @gic_fd: the interrupt controller, a KVM device
 * @gic: its version
 * @window: the guest may read registers from memory
 * @mem: RAM
 * @slots: memslots in use
 * @dev: the board, by row
 * @vcpu: the first @vcpus are valid
 * @vcpus: how many
 * @stats_fd: KVM's statistics of the VM, or -1
 * @end_fd: eventfd, signalled when @end is set
 * @end: enum vmm_end, set once, see vmm_vm_end()
 */
struct vmm_vm {
	const struct vmm_config *cfg;
	struct vmm_loop *loop;
	struct vmm_console *console;
	struct vmm_stats *stats;
	struct vmm_vsock_host *vsock_host;
	struct vmm_pipe_adb *pipe_adb;
	int kvm_fd;
	int fd;
	int gic_fd;
	enum vmm_gic gic;
	bool window;
	struct vmm_mem mem;
	unsigned int slots;
	struct vmm_device dev[VMM_ROWS];
	struct vmm_vcpu *vcpu[VMM_MAX_CPUS];
	unsigned int vcpus;
	int stats_fd;
	int end_fd;
	int end;
};

int vmm_kvm_open(void);
int vmm_vm_create(struct vmm_vm *vm);
void vmm_vm_destroy(struct vmm_vm *vm);
int vmm_vm_slot(struct vmm_vm *vm, u64 gpa, u64 size, void *hva, bool readonly);
int vmm_vm_slot_show(struct vmm_vm *vm, u32 slot, u64 gpa, u64 size, void *hva);
int vmm_vm_irqfd(struct vmm_vm *vm, u32 spi, int fd, int resample_fd);
int vmm_vm_ioeventfd(struct vmm_vm *vm, u64 gpa, u32 value, int fd);
void vmm_vm_end(struct vmm_vm *vm, enum vmm_end why);
enum vmm_end vmm_vm_ended(const struct vmm_vm *vm);

/* ---- vcpu.c: virtual CPUs ---- */

/**
 * struct vmm_exits - returns of KVM_RUN, by cause
 * @reads: MMIO reads by board row; the last element is "no device there"
 * @writes: likewise, writes
 * @signals: interrupted by a signal
 * @system: power-off, reset
 * @other: anything else
 */
struct vmm_exits {
	u64 reads[VMM_ROWS + 1];
	u64 writes[VMM_ROWS + 1];
	u64 signals;
	u64 system;
	u64 other;
};

/**
 * struct vmm_vcpu - a virtual CPU
 * @vm: its VM
 * @id: index, and affinity 0 of its MPIDR
 * @fd: KVM's file
 * @stats_fd: KVM's statistics of it, or -1
 * @run: page(s) shared with KVM
 * @run_size: bytes of it
 * @thread: runs it, if @started
 * @started: whether there is a thread
 * @exits: written by its thread only, read by any
 */
struct vmm_vcpu {
	struct vmm_vm *vm;
	unsigned int id;
	int fd;
	int stats_fd;
	struct kvm_run *run;
	size_t run_size;
	pthread_t thread;
	bool started;
	struct vmm_exits exits;
};

int vmm_vcpu_create(struct vmm_vm *vm, unsigned int id);
void vmm_vcpu_destroy(struct vmm_vcpu *vcpu);
int vmm_vcpu_start(struct vmm_vcpu *vcpu);
void vmm_vcpu_stop(struct vmm_vcpu *vcpu);

/* ---- stats.c: counting ---- */

struct vmm_stats *vmm_stats_open(const struct vmm_config *cfg);
void vmm_stats_close(struct vmm_stats *stats);
void vmm_stats_snapshot(struct vmm_stats *stats, struct vmm_vm *vm, const char *label);

/* ---- kvm_stats.c: KVM's own counters ---- */

#define VMM_KVM_STATS	160	/* more than any architecture has */

/**
 * struct vmm_kvm_stats - named counters, summed over the files they came from
 * @count: elements used
 * @name: KVM's name
 * @value: the sum
 */
struct vmm_kvm_stats {
	unsigned int count;
	char name[VMM_KVM_STATS][48];
	u64 value[VMM_KVM_STATS];
};

int vmm_kvm_stats_add(struct vmm_kvm_stats *sum, int fd);

/* ---- probe.c: what KVM can do here ---- */

/**
 * struct vmm_probe - what a guest of a few instructions found out
 * @fwb: FEAT_S2FWB as KVM tells it: 1, 0, or -1 for not told
 * @reads: values the guest read from a read-only page after the host wrote them
 * @stale: how many of them were old
 */
struct vmm_probe {
	int fwb;
	unsigned int reads;
	unsigned int stale;
};

int vmm_probe_run(int kvm_fd, struct vmm_probe *probe);
bool vmm_probe_coherent(const struct vmm_probe *probe);

/* ---- aarch64/, x86_64/: what differs between hosts ---- */

extern const char *const vmm_arch_name;

int vmm_arch_check_run(void);
unsigned long vmm_arch_vm_type(int kvm_fd);
int vmm_arch_gic_probe(int vm_fd, enum vmm_gic want, enum vmm_gic *gic);
int vmm_arch_irqchip_create(struct vmm_vm *vm);
void vmm_arch_irq_line(struct vmm_vm *vm, u32 spi, bool level);
int vmm_arch_vcpu_init(struct vmm_vcpu *vcpu);
int vmm_arch_vcpu_entry(struct vmm_vcpu *vcpu, u64 pc, u64 dtb);
u64 vmm_arch_vcpu_pc(struct vmm_vcpu *vcpu);
int vmm_arch_probe_fwb(int vcpu_fd);
int vmm_arch_probe_setup(int vm_fd, int vcpu_fd, void *code);

/* Guest physical addresses of the probe guest. */
extern const u64 vmm_arch_probe_code;
extern const u64 vmm_arch_probe_window;

#endif /* MACHINE_H */
