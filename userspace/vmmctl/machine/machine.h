/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * machine/ owns what a VM is: the KVM virtual machine, its vCPUs and RAM, interrupt
 * lines (line.h), the interface of devices (device.h) and their saved state (state.h),
 * the main thread's loop and the counters.
 *
 * Threads:
 *	main		the loop: terminal, signals, clients, device wake-ups
 *	job		work that may block: devices are stopped, saved, started, reset
 *			(job.c); while it does that, the loop serves no device
 *	vCPUs		one each, as long as the guest's life (vcpu.c)
 *	devices		one each for virtio input and console (thread.c), as long as the VM
 *	rings		one for each ring that vmmctl serves itself (virtio/ring.c), and one
 *			for each vhost-user device with rings in between
 *			(backends/vhost_shadow.c), while the driver uses the device
 * Functions are for the main thread, unless their comment says otherwise.
 *
 * Errors: functions return -errno (or NULL) after one message to stderr, written where
 * the cause is known; only main.c ends the process. vmm_error(errno, ...) appends the
 * errno's text; vmm_error(-err, ...) with a positive value does, too, and with a negative
 * one does not.
 */
#ifndef MACHINE_H
#define MACHINE_H

#include <pthread.h>
#include <linux/kvm.h>
#include <linux/ranchu.h>

#include "boards/boards.h"
#include "host/host.h"
#include "host/log.h"
#include "machine/config.h"
#include "machine/device.h"

struct vmm_loop;
struct vmm_stats;
struct vmm_vcpu;

/* ---- memory.c: guest RAM ---- */

#define VMM_REGIONS	4	/* regions of guest RAM, at most */

/**
 * struct vmm_region - a piece of guest RAM
 * @base: guest physical address
 * @size: bytes
 * @hva: where it is mapped here
 * @fd: the memfd behind it, from its beginning; sealed, so that no process can resize it. -1
 *	for RAM that is mapped privately from a file
 * @spare_fd: for such RAM, the memfd that will be behind it after a reset of the guest, or -1
 */
struct vmm_region {
	u64 base;
	u64 size;
	void *hva;
	int fd;
	int spare_fd;
};

/**
 * struct vmm_mem - guest RAM; the same pages as long as the VM exists
 * @huge_pages: host pages of regions that are not mapped from a file
 * @regions: how many
 * @region: in address order
 * @cleared: it was cleared, or loaded: the content that it had at first is gone
 */
struct vmm_mem {
	enum vmm_huge_pages huge_pages;
	unsigned int regions;
	struct vmm_region region[VMM_REGIONS];
	bool cleared;
};

int vmm_mem_add(struct vmm_mem *mem, u64 base, u64 size);
int vmm_mem_add_file(struct vmm_mem *mem, u64 base, u64 size, int fd, u64 offset);
bool vmm_mem_fits_file(const struct vmm_mem *mem, int fd);
void vmm_mem_destroy(struct vmm_mem *mem);
int vmm_mem_clear(struct vmm_mem *mem);
int vmm_mem_load(struct vmm_mem *mem, int fd);
bool vmm_mem_whole_pages(u64 page, u64 *offset, u64 *len);
void vmm_mem_drop(const struct vmm_region *region, u64 gpa, u64 len);
const struct vmm_region *vmm_mem_find(const struct vmm_mem *mem, u64 gpa, u64 len);
void *vmm_mem_ptr(const struct vmm_mem *mem, u64 gpa, u64 len);
void *vmm_mem_window(u64 size, int *fd);

/* ---- huge.c: the host's pools of huge pages ---- */

/**
 * struct vmm_huge_pool - a pool of huge pages
 * @page: bytes of a page; 0 for a host without pages of this size
 * @total: pages of the pool
 * @free: pages that are neither used nor reserved
 */
struct vmm_huge_pool {
	u64 page;
	u64 total;
	u64 free;
};

#define VMM_HUGE_COMMAND	160	/* bytes of a command that makes a pool larger, at most */

u64 vmm_huge_page_bytes(enum vmm_huge_pages kind);
void vmm_huge_pool_read(enum vmm_huge_pages kind, struct vmm_huge_pool *pool);
void vmm_huge_command(const struct vmm_huge_pool *pool, u64 pages, char *text, size_t size);

/* ---- loop.c: the main thread's loop ---- */

typedef int (*vmm_loop_fn)(void *arg);

struct vmm_loop *vmm_loop_create(void);
struct vmm_loop *vmm_loop_create_inner(struct vmm_loop *outer);
struct vmm_loop *vmm_loop_main(struct vmm_loop *loop);
void vmm_loop_hold(struct vmm_loop *loop, bool held);
void vmm_loop_destroy(struct vmm_loop *loop);
int vmm_loop_add(struct vmm_loop *loop, int fd, vmm_loop_fn fn, void *arg);
int vmm_loop_watch(struct vmm_loop *loop, int fd, short events, vmm_loop_fn fn, void *arg);
void vmm_loop_del(struct vmm_loop *loop, int fd);
int vmm_loop_run(struct vmm_loop *loop);
int vmm_loop_serve(struct vmm_loop *loop, int fd, int ms);
int vmm_event_create(void);
void vmm_event_signal(int fd);
bool vmm_event_clear(int fd);

/* ---- job.c: work that may have to wait ---- */

/**
 * struct vmm_job - work in a thread of its own, for which the main thread does not wait
 * @fn: the work; may block
 * @done: called by the main loop when @fn has returned, as a handler of the loop
 * @arg: argument of @fn and @done
 * @loop: the main loop
 * @done_fd: eventfd, signalled when @fn has returned
 * @thread: runs @fn
 * @running: it was begun, and @done was not called yet
 */
struct vmm_job {
	void (*fn)(void *arg);
	vmm_loop_fn done;
	void *arg;
	struct vmm_loop *loop;
	int done_fd;
	pthread_t thread;
	bool running;
};

#define VMM_JOB_LAST_MS	200	/* that a VM that ends waits for a job */

int vmm_job_start(struct vmm_job *job, struct vmm_loop *loop, void (*fn)(void *arg),
		  vmm_loop_fn done, void *arg);
bool vmm_job_abandon(struct vmm_job *job, int ms);

/* ---- lacks.c: features that a host's KVM may lack ---- */

enum vmm_kvm_bit {
	VMM_KVM_READONLY	= 1 << 0,
	VMM_KVM_IOEVENTFD	= 1 << 1,
	VMM_KVM_IRQFD		= 1 << 2,
	VMM_KVM_RESAMPLE	= 1 << 3,
	VMM_KVM_ROUTING		= 1 << 4,
};

/**
 * struct vmm_kvm_part - a feature that a host's KVM may lack
 * @bit: its bit in masks
 * @capability: argument of KVM_CHECK_EXTENSION
 * @name: in the plural
 * @without: what a run does without it
 */
struct vmm_kvm_part {
	enum vmm_kvm_bit bit;
	int capability;
	const char *name;
	const char *without;
};

extern const struct vmm_kvm_part vmm_kvm_parts[];	/* the last has no @bit */

u32 vmm_kvm_lacks(int kvm_fd);
const char *vmm_kvm_missing(u32 lacks, u32 needs);
int vmm_kvm_need(u32 lacks, u32 needs, const char *who, const char *instead);

/* ---- vm.c: the KVM virtual machine ---- */

/* Why a guest's life ended. */
enum vmm_end {
	VMM_END_NONE,		/* it has not */
	VMM_END_OFF,		/* the guest switched itself off */
	VMM_END_RESET,		/* the guest asked for a reset */
	VMM_END_LOAD,		/* a client of the control socket loads a snapshot */
	VMM_END_QUIT,		/* the user left the console */
	VMM_END_ASKED,		/* a client of the control socket asked for it */
	VMM_END_SIGNAL,		/* SIGTERM or SIGINT, or `vmmctl stop` */
	VMM_END_KILL,		/* a client of the control socket killed the VM */
	VMM_END_PANIC,		/* the guest panicked */
	VMM_END_ERROR,		/* of the host, after a message */
	VMM_END_LATE,		/* the guest has not booted in time, after a message */
};

/**
 * struct vmm_read_window - memory of vmmctl that the guest may read instead of a device's
 *	registers
 * @gpa: guest physical address, page-aligned
 * @size: bytes, whole pages
 * @hva: the memory, page-aligned
 * @shown: the guest can read it; changed by vmm_read_window_show() only
 * @writable: the guest may write it as well
 * @slot: its memslot
 * @next: in the VM's list
 */
struct vmm_read_window {
	u64 gpa;
	u64 size;
	void *hva;
	bool shown;
	bool writable;
	u32 slot;
	struct vmm_read_window *next;
};

/**
 * struct vmm_doorbell - a guest's write that signals an eventfd
 * @space: where the register is
 * @addr: its address
 * @len: bytes of the write that signals: 1, 2, 4 or 8, or 0 for any, which goes with
 *	memory and without @matches only
 * @matches: only @value signals
 * @value: the value
 * @fd: the eventfd
 * @next: in the VM's list
 */
struct vmm_doorbell {
	enum vmm_space space;
	u64 addr;
	unsigned int len;
	bool matches;
	u64 value;
	int fd;
	struct vmm_doorbell *next;
};

/**
 * struct vmm_runner - a device whose kernel module runs vCPUs, and serves their reads of its
 *	registers
 * @run: runs a vCPU; returns as KVM_RUN: 0, or -1 and errno
 * @fd: the module's file, by which vCPUs are run
 * @base: guest physical address of the device's registers
 *
 * KVM reports a read of a register to the caller of KVM_RUN only. So the module calls KVM_RUN.
 */
struct vmm_runner {
	int (*run)(const struct vmm_runner *runner, struct vmm_vcpu *vcpu);
	int fd;
	u64 base;
};

/**
 * struct vmm_vm - a virtual machine
 * @cfg: what the user asked for
 * @loop: the devices', inside the main loop
 * @stats: writes statistics, or NULL
 * @host: what the devices are connected to on the host
 * @read_window: the guest may read registers from memory
 * @runner: a device whose module runs the vCPUs, or NULL
 * @inner_runner: another one, by which @runner runs them, or NULL
 * @confine: puts a vCPU's thread into its sandbox, or NULL
 * @ram_fd: RAM began as the content of this file, region after region; -1: as zeros
 * @changes_fd: file of the same size that has some of RAM's pages in place of @ram_fd, or -1
 * @ram_lost: a vCPU has said that one of these files is shorter now
 * @kvm_fd: /dev/kvm
 * @lacks: features that KVM lacks, bits of enum vmm_kvm_bit
 * @mem: RAM
 * @board: the devices
 * @line_ops: the interrupt controller at the end of the board's lines
 * @lines: the lines that eventfds drive
 * @windows: list of all register windows
 * @doorbells: list of the doorbells that are connected in every life
 * @threads: threads of devices, which start after the sandbox was entered
 * @slots: memslots that are taken
 * @end_fd: eventfd, signalled when @end is set
 * @end: enum vmm_end of this life, set once, see vmm_vm_end()
 * @pause_lock: protects @parked and writes of @pausing
 * @pause_cond: signalled when vCPUs may run again
 * @pausing: vCPUs are to stop; read without the lock
 * @parked: number of vCPUs that have stopped for @pausing
 * @parked_fd: eventfd, signalled when all have stopped
 * @clock: the guest's clock when they stopped, on arm64
 * @away: ns since the snapshot was saved, if the guest's clocks count them; x86_64
 * @fd: KVM's VM of this life, or -1
 * @gic_fd: its interrupt controller, a KVM device
 * @gic: version of the GIC
 * @stats_fd: KVM's statistics of the VM, or -1
 * @vcpu: the first @vcpus are valid
 * @vcpus: how many
 *
 * From @fd on, members belong to one life of the guest, from power-on to power-off or
 * reset; those above outlive it.
 */
struct vmm_vm {
	const struct vmm_config *cfg;
	struct vmm_loop *loop;
	struct vmm_stats *stats;
	struct vmm_host host;
	bool read_window;
	const struct vmm_runner *runner;
	const struct vmm_runner *inner_runner;
	int (*confine)(const struct vmm_vm *vm);
	int ram_fd;
	int changes_fd;
	bool ram_lost;
	int kvm_fd;
	u32 lacks;
	struct vmm_mem mem;
	struct vmm_board board;
	const struct vmm_line_ops *line_ops;
	struct vmm_line *lines;
	struct vmm_read_window *windows;
	struct vmm_doorbell *doorbells;
	struct vmm_thread *threads;
	u32 slots;
	int end_fd;
	int end;
	pthread_mutex_t pause_lock;
	pthread_cond_t pause_cond;
	bool pausing;
	unsigned int parked;
	int parked_fd;
	u64 clock;
	u64 away;
	int fd;
	int gic_fd;
	enum vmm_gic gic;
	int stats_fd;
	struct vmm_vcpu *vcpu[VMM_MAX_CPUS];
	unsigned int vcpus;
};

int vmm_kvm_open(void);
int vmm_vm_create(struct vmm_vm *vm);
void vmm_vm_destroy(struct vmm_vm *vm);
int vmm_vm_power_on(struct vmm_vm *vm);
void vmm_vm_power_off(struct vmm_vm *vm);
void vmm_vm_renew(struct vmm_vm *vm);
void vmm_read_window_add(struct vmm_vm *vm, struct vmm_read_window *window);
int vmm_read_window_show(struct vmm_vm *vm, struct vmm_read_window *window, bool show);
int vmm_doorbell_add(struct vmm_vm *vm, struct vmm_doorbell *bell);
void vmm_doorbell_remove(struct vmm_vm *vm, struct vmm_doorbell *bell);
int vmm_vm_ioeventfd(struct vmm_vm *vm, const struct vmm_doorbell *bell);
void vmm_vm_end(struct vmm_vm *vm, enum vmm_end why);
enum vmm_end vmm_vm_ended(const struct vmm_vm *vm);
void vmm_vm_pause(struct vmm_vm *vm);
void vmm_vm_resume(struct vmm_vm *vm);
bool vmm_vm_paused(struct vmm_vm *vm);

/* ---- vcpu.c: virtual CPUs ---- */

/**
 * struct vmm_exits - returns of KVM_RUN, by cause
 * @reads: reads of memory and ports by device of the board; the last element is "no
 *	device there"
 * @writes: likewise, writes
 * @signals: interrupted by a signal
 * @system: power-off, reset
 * @other: anything else
 */
struct vmm_exits {
	u64 reads[VMM_DEVICES + 1];
	u64 writes[VMM_DEVICES + 1];
	u64 signals;
	u64 system;
	u64 other;
};

/**
 * struct vmm_vcpu - a virtual CPU
 * @vm: its VM
 * @id: index; its MPIDR or APIC ID is made from it
 * @fd: KVM's file
 * @stats_fd: KVM's statistics of the vCPU, or -1
 * @run: page(s) shared with KVM
 * @run_size: bytes of @run
 * @thread: runs it, if @started
 * @started: there is a thread
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
void vmm_vcpu_kick(struct vmm_vcpu *vcpu);
void vmm_vcpu_stop(struct vmm_vcpu *vcpu);

/* ---- thread.c: threads of devices ---- */

/**
 * struct vmm_thread - a thread that a device has until it is destroyed
 * @name: shown in /proc, at most 15 characters
 * @fn: the thread's function
 * @arg: argument of @fn
 * @started: there is a thread
 * @id: the thread
 * @next: in the VM's list
 */
struct vmm_thread {
	const char *name;
	void *(*fn)(void *arg);
	void *arg;
	bool started;
	pthread_t id;
	struct vmm_thread *next;
};

void vmm_thread_add(struct vmm_vm *vm, struct vmm_thread *thread, const char *name,
		    void *(*fn)(void *arg), void *arg);
int vmm_threads_start(struct vmm_vm *vm);
void vmm_thread_remove(struct vmm_vm *vm, struct vmm_thread *thread);

/* ---- stats.c: counting ---- */

struct vmm_stats *vmm_stats_open(const struct vmm_config *cfg);
void vmm_stats_keep(struct vmm_stats *stats);
void vmm_stats_close(struct vmm_stats *stats);
void vmm_stats_snapshot(struct vmm_stats *stats, struct vmm_vm *vm, const char *label);
char *vmm_stats_json(struct vmm_stats *stats, struct vmm_vm *vm, const char *label);

/* ---- kvm_stats.c: KVM's own counters ---- */

#define VMM_KVM_STATS	160	/* counters, more than any architecture has */

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
 * struct vmm_probe - the result of a guest of a few instructions
 * @readonly: KVM has read-only memory; without it no guest ran
 * @fwb: FEAT_S2FWB as KVM reports it: 1, 0, or -1 if KVM does not report it
 * @reads: values the guest read from a read-only page after the host wrote them
 * @stale: how many of them were old
 */
struct vmm_probe {
	bool readonly;
	int fwb;
	unsigned int reads;
	unsigned int stale;
};

bool vmm_window_fits(unsigned long page);
int vmm_probe_run(int kvm_fd, struct vmm_probe *probe);
bool vmm_probe_coherent(const struct vmm_probe *probe);
int vmm_probe_window(const struct vmm_config *cfg, bool *shown);

/* ---- aarch64/, x86_64/: what differs between hosts ---- */

extern const char *const vmm_arch_name;
extern const struct vmm_line_ops vmm_arch_line_ops;
extern const bool vmm_arch_window_slows;	/* a window makes writes beside it slower */

#define VMM_ARCH_ROUTES	256	/* routes of an interrupt controller's lines, at most */

/* What a guest can look at of its CPU: a name, and a value. */
typedef void (*vmm_feature_fn)(void *arg, const char *name, u64 value);

int vmm_arch_check_run(const struct vmm_config *cfg);
void vmm_arch_board(struct vmm_board *board, const struct vmm_config *cfg);
unsigned long vmm_arch_vm_type(int kvm_fd);
int vmm_arch_vm_begin(struct vmm_vm *vm);
int vmm_arch_irqchip_create(struct vmm_vm *vm);
unsigned int vmm_arch_routes(const struct vmm_vm *vm, struct kvm_irq_routing_entry *routes);
bool vmm_arch_message_route(const struct vmm_vm *vm, const struct vmm_pci_message *message,
			    struct kvm_irq_routing_entry *route);
int vmm_arch_vcpu_init(struct vmm_vcpu *vcpu);
int vmm_arch_vcpu_entry(struct vmm_vcpu *vcpu, const struct vmm_entry *entry);
u64 vmm_arch_vcpu_pc(struct vmm_vcpu *vcpu);
void vmm_arch_clock_hold(struct vmm_vm *vm);
void vmm_arch_clock_release(struct vmm_vm *vm);
void vmm_arch_vcpu_resumed(struct vmm_vcpu *vcpu);
int vmm_arch_vcpu_save(struct vmm_vcpu *vcpu, struct vmm_state *state);
int vmm_arch_vcpu_load(struct vmm_vcpu *vcpu, struct vmm_state *state);
void vmm_arch_features(const struct vmm_vm *vm, vmm_feature_fn fn, void *arg);
bool vmm_arch_feature_taken(const struct vmm_vm *vm, const char *name, u64 value);
int vmm_arch_irqchip_save(struct vmm_vm *vm, struct vmm_state *state);
int vmm_arch_irqchip_load(struct vmm_vm *vm, struct vmm_state *state);
int vmm_arch_probe_fwb(int vcpu_fd);
int vmm_arch_probe_setup(int vm_fd, int vcpu_fd, void *code, u64 behind);

/* Guest physical addresses of the probe guest. */
extern const u64 vmm_arch_probe_code;
extern const u64 vmm_arch_probe_window;

#endif /* MACHINE_H */
