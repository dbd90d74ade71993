/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vmmctl's internal API: what one file offers the others, in file order.
 *
 * Threads: the main thread runs the loop (terminal, signals, device wake-ups),
 * each vCPU has a thread of its own. What a vCPU thread may call says so.
 *
 * Errors: functions return -errno (or NULL) after one message to stderr, where
 * the cause is known; only main.c exits.
 */
#ifndef VMM_H
#define VMM_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <pthread.h>
#include <linux/kvm.h>
#include <linux/types.h>
#include <linux/ranchu.h>

typedef __u8 u8;
typedef __u16 u16;
typedef __u32 u32;
typedef __u64 u64;

#define ARRAY_SIZE(a)	(sizeof(a) / sizeof((a)[0]))
#define KIB		1024ULL
#define MIB		(1024 * KIB)
#define GIB		(1024 * MIB)
#define VMM_PAGE_SIZE	4096ULL
#define VMM_MAX_CPUS	8

struct vmm_vm;
struct vmm_vcpu;
struct vmm_device;
struct vmm_loop;
struct vmm_console;
struct vmm_stats;
struct vmm_pipe_adb;
struct vmm_vsock_host;

/* ---- options.c: the command line ---- */

enum vmm_command { VMM_CMD_RUN, VMM_CMD_DTB, VMM_CMD_DOCTOR, VMM_CMD_HELP };
enum vmm_gic { VMM_GIC_AUTO = 0, VMM_GIC_V2 = 2, VMM_GIC_V3 = 3 };
enum vmm_pipe_mode { VMM_PIPE_KERNEL, VMM_PIPE_USER, VMM_PIPE_NONE };
enum vmm_window { VMM_WINDOW_AUTO, VMM_WINDOW_ON, VMM_WINDOW_OFF };
enum vmm_vsock { VMM_VSOCK_NONE, VMM_VSOCK_ADB, VMM_VSOCK_LINUX };
enum vmm_adb_mode { VMM_ADB_AUTO, VMM_ADB_ON, VMM_ADB_OFF };
enum vmm_adb_transport { VMM_ADB_BY_VSOCK, VMM_ADB_BY_PIPE };

/* Disks of a guest, and queues of one. */
#define VMM_DISKS	16
#define VMM_DISK_QUEUES	8

/**
 * struct vmm_place - where a virtio device is
 * @slot: transport, -1 for the highest that is free
 * @legacy: the transport's registers are those of before virtio 1.0
 */
struct vmm_place {
	int slot;
	bool legacy;
};

/* What a process can serve: enum, and word of the command line, in one order. */
enum vmm_vhost_user_type {
	VMM_VHOST_USER_BLK,
	VMM_VHOST_USER_FS,
	VMM_VHOST_USER_NET,
	VMM_VHOST_USER_RNG,
	VMM_VHOST_USER_CONSOLE,
	VMM_VHOST_USER_TYPES
};

/**
 * struct vmm_front - a virtio device that somebody else serves
 * @path: network interface, Unix socket or device node
 * @type: vhost-user: what it is
 * @mac: network: the guest's address; all zero for one of our choice
 * @tag: file system: its name for the guest
 * @queues: at most, 0 for as many as there are
 * @place: where it is
 */
struct vmm_front {
	const char *path;
	enum vmm_vhost_user_type type;
	u8 mac[6];
	const char *tag;
	unsigned int queues;
	struct vmm_place place;
};

#define VMM_FRONTS	16	/* of a kind */

/* Kinds of them, and the options that make them. */
enum vmm_front_kind { VMM_FRONT_NET, VMM_FRONT_VHOST_USER, VMM_FRONT_VDPA, VMM_FRONT_KINDS };

/**
 * struct vmm_disk - a disk of the guest's
 * @path: file or block device of the host
 * @readonly: the guest cannot write to it
 * @direct: past the host's cache
 * @block_size: bytes, 512 or 4096
 * @queues: 1 to VMM_DISK_QUEUES
 * @place: where it is
 * @user: served by vmmctl itself, not by the kernel
 * @fstab: which partition of Android's it has, "system" or "vendor", or NULL
 */
struct vmm_disk {
	const char *path;
	bool readonly;
	bool direct;
	unsigned int block_size;
	unsigned int queues;
	struct vmm_place place;
	bool user;
	const char *fstab;
};

/* Small virtio devices that vmmctl serves itself; see --virtio. */
enum vmm_extra_kind {
	VMM_EXTRA_RNG,
	VMM_EXTRA_BALLOON,
	VMM_EXTRA_CONSOLE,
	VMM_EXTRA_KEYBOARD,
	VMM_EXTRA_MULTITOUCH,
};

#define VMM_EXTRAS	16	/* on a command line */

/**
 * struct vmm_extra - a small virtio device
 * @kind: which
 * @arg: what was said about it, or NULL
 */
struct vmm_extra {
	enum vmm_extra_kind kind;
	const char *arg;
};

/**
 * struct vmm_pipe_service - a service of the pipe that is somebody else's
 * @name: what the guest asks for, not ending in NUL
 * @name_len: bytes of it
 * @path: Unix socket that is connected to
 */
struct vmm_pipe_service {
	const char *name;
	size_t name_len;
	const char *path;
};

#define VMM_PIPE_SERVICES	32	/* on a command line */

/**
 * struct vmm_config - what the command line asked for
 * @command: what to do
 * @kernel: raw arm64 Image
 * @initrd: file, or NULL
 * @append: kernel command line, never NULL
 * @fstab_system: guest device of the system partition, or NULL for no node
 * @fstab_vendor: likewise, vendor
 * @output: where `dtb` writes, NULL for stdout
 * @stats_file: where snapshots go as JSON lines, NULL for stderr as text
 * @stats_at: console lines that begin with this take a snapshot, or NULL
 * @memory: bytes of guest RAM
 * @cpus: 1 to VMM_MAX_CPUS
 * @gic: version of the interrupt controller
 * @pipe: who serves the goldfish pipe
 * @services: of the pipe, by --pipe-service
 * @n_services: how many
 * @pipe_socket: Unix socket where programs get files of services, or NULL
 * @window: whether the guest reads registers from memory
 * @disk: the guest's disks, in the order in which it finds them
 * @disks: how many
 * @front: devices that somebody else serves, by kind
 * @fronts: how many of each
 * @extra: small virtio devices
 * @extras: how many
 * @vsock: who serves virtio-vsock
 * @vsock_cid: the guest's address there
 * @vsock_uds: Unix socket by which programs reach the guest's ports, or NULL
 * @adb: whether the adb server's ports are ours; not AUTO once it is parsed
 * @adb_transport: how clients of adb get to the guest
 * @adb_socket: Unix socket that leads to the guest's adbd, or NULL
 * @virtio_packed: offer packed rings
 * @stats: report a snapshot at the end and at SIGUSR1
 * @no_reboot: a reset of the guest ends vmmctl
 * @console: the PL011 is connected to stdin and stdout
 *
 * All strings belong to argv.
 */
struct vmm_config {
	enum vmm_command command;
	const char *kernel;
	const char *initrd;
	const char *append;
	const char *fstab_system;
	const char *fstab_vendor;
	const char *output;
	const char *stats_file;
	const char *stats_at;
	u64 memory;
	unsigned int cpus;
	enum vmm_gic gic;
	enum vmm_pipe_mode pipe;
	struct vmm_pipe_service services[VMM_PIPE_SERVICES];
	unsigned int n_services;
	const char *pipe_socket;
	enum vmm_window window;
	struct vmm_disk disk[VMM_DISKS];
	unsigned int disks;
	struct vmm_front front[VMM_FRONT_KINDS][VMM_FRONTS];
	unsigned int fronts[VMM_FRONT_KINDS];
	struct vmm_extra extra[VMM_EXTRAS];
	unsigned int extras;
	enum vmm_vsock vsock;
	u32 vsock_cid;
	const char *vsock_uds;
	enum vmm_adb_mode adb;
	enum vmm_adb_transport adb_transport;
	const char *adb_socket;
	bool virtio_packed;
	bool stats;
	bool no_reboot;
	bool console;
};

int vmm_options_parse(struct vmm_config *cfg, int argc, char **argv);
int vmm_options_size(const char *text, u64 *bytes);
unsigned int vmm_extra_count(const struct vmm_config *cfg, enum vmm_extra_kind kind);
const char *vmm_extra_arg(const struct vmm_config *cfg, enum vmm_extra_kind kind,
			  unsigned int index);
void vmm_options_usage(FILE *to);

/* ---- options_front.c: the command line's devices that somebody else serves ---- */

int vmm_options_front(struct vmm_config *cfg, enum vmm_front_kind kind, char *text);
int vmm_options_place(struct vmm_place *place, const char *option, const char *name,
		      const char *value);

/* ---- log.c: messages ---- */

int vmm_error(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void vmm_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

/* ---- board.c: the board table ---- */

/* Rows of the board table, in address order. */
enum vmm_row {
	VMM_ROW_GICD,
	VMM_ROW_GICC,
	VMM_ROW_GICR,
	VMM_ROW_PL011,
	VMM_ROW_FB,
	VMM_ROW_BATTERY,
	VMM_ROW_AUDIO,
	VMM_ROW_EVENTS,
	VMM_ROW_VIRTIO,
	VMM_ROW_PIPE,
	VMM_ROW_SYNC,
	VMM_ROWS
};

/* Fourth cell of an interrupt, as the device tree counts. */
#define VMM_IRQ_EDGE_RISING	1
#define VMM_IRQ_LEVEL_HIGH	4

/**
 * struct vmm_device_ops - a device model
 * @name: the model's name; several rows may share a model
 * @create: makes @dev->state, or fails; optional
 * @destroy: undoes @create; optional
 * @read: answers a guest read of 1 to 8 bytes at byte @offset of the row; any
 *	vCPU thread
 * @write: takes a guest write; any vCPU thread
 */
struct vmm_device_ops {
	const char *name;
	int (*create)(struct vmm_device *dev);
	void (*destroy)(struct vmm_device *dev);
	u64 (*read)(struct vmm_device *dev, u32 offset);
	void (*write)(struct vmm_device *dev, u32 offset, u64 value);
};

/**
 * struct vmm_board_row - a kind of device on the board
 * @name: what statistics and messages call it
 * @node: name of its device tree node without "@", NULL for none
 * @compatible: strings of the node in order, NULL where there are fewer
 * @base: guest physical address of the first instance
 * @size: bytes of one instance
 * @count: instances; instance i is at @base + i * @size and raises @spi + i
 * @spi: shared peripheral interrupt of the first instance
 * @trigger: VMM_IRQ_*
 * @clocks: the node names the board's clock as a PrimeCell wants it
 * @ops: the model; NULL for what KVM itself serves
 */
struct vmm_board_row {
	const char *name;
	const char *node;
	const char *compatible[2];
	u64 base;
	u64 size;
	unsigned int count;
	u32 spi;
	u32 trigger;
	bool clocks;
	const struct vmm_device_ops *ops;
};

/**
 * struct vmm_device - a row of the board in a VM
 * @row: the row
 * @vm: the VM
 * @state: belongs to the model
 */
struct vmm_device {
	const struct vmm_board_row *row;
	struct vmm_vm *vm;
	void *state;
};

extern const struct vmm_board_row vmm_board[VMM_ROWS];

enum vmm_row vmm_board_find(u64 gpa);
int vmm_board_create(struct vmm_vm *vm);
void vmm_board_destroy(struct vmm_vm *vm);

/* ---- mem.c: guest RAM ---- */

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

/* ---- kernel.c: what the guest starts from ---- */

#define VMM_FDT_SIZE	0x10000	/* bytes; the reference's blob buffer */

/**
 * struct vmm_layout - where things go in guest RAM
 * @kernel: guest physical address of the Image, and of its first instruction
 * @initrd: of the initrd
 * @initrd_size: bytes; 0 for no initrd
 * @dtb: of the device tree, VMM_FDT_SIZE bytes
 */
struct vmm_layout {
	u64 kernel;
	u64 initrd;
	u64 initrd_size;
	u64 dtb;
};

/**
 * struct vmm_image - what an arm64 Image header says
 * @text_offset: bytes from a 2 MiB boundary to the Image
 * @image_size: bytes the kernel needs from there on
 */
struct vmm_image {
	u64 text_offset;
	u64 image_size;
};

int vmm_kernel_header(const void *head, size_t len, u64 file_size, struct vmm_image *image);
int vmm_kernel_place(const struct vmm_image *image, u64 ram_size, u64 initrd_size,
		     struct vmm_layout *layout);
int vmm_kernel_layout(const struct vmm_config *cfg, struct vmm_layout *layout);
int vmm_kernel_load(struct vmm_vm *vm, struct vmm_layout *layout);

/* ---- fdt.c: the device tree ---- */

int vmm_fdt_build(const struct vmm_config *cfg, enum vmm_gic gic, const struct vmm_layout *layout,
		  void *blob, int size);

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

/* ---- console.c: the terminal behind the PL011 ---- */

#define VMM_CONSOLE_LINE	256	/* bytes of a line that are looked at */

/**
 * struct vmm_console_guest - the device that takes what is typed
 * @take: takes up to @len bytes, says how many it took; main thread
 */
struct vmm_console_guest {
	size_t (*take)(void *arg, const u8 *bytes, size_t len);
};

struct vmm_console *vmm_console_open(struct vmm_loop *loop, int in, int out);
void vmm_console_close(struct vmm_console *con);
void vmm_console_attach(struct vmm_console *con, const struct vmm_console_guest *guest, void *arg);
void vmm_console_watch(struct vmm_console *con, const char *prefix,
		       void (*fn)(void *arg, const char *line), void *arg);
void vmm_console_put(struct vmm_console *con, u8 byte);
void vmm_console_ready(struct vmm_console *con);
void vmm_console_flush(struct vmm_console *con);

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

/* ---- probe.c, doctor.c: what this host can do ---- */

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
int vmm_doctor(void);

/* ---- dev_*.c: models ---- */

extern const struct vmm_device_ops vmm_idle_ops;
extern const struct vmm_device_ops vmm_virtio_bank_ops;
extern const struct vmm_device_ops vmm_pl011_ops;
extern const struct vmm_device_ops vmm_pipe_ops;

void vmm_virtio_refresh(struct vmm_vm *vm);
u64 vmm_virtio_disk_base(unsigned int index);

/**
 * struct vmm_pipe_report - what the pipe's statistics say
 * @names: of the counters
 * @values: of the counters
 * @count: elements used in both
 */
struct vmm_pipe_report {
	const char *names[24];
	u64 values[24];
	unsigned int count;
};

void vmm_pipe_report(struct vmm_vm *vm, struct vmm_pipe_report *report);
int vmm_pipe_open_node(void);

/* ---- pipe_service.c: services of the pipe that are somebody else's ---- */

struct vmm_pipe_services;

int vmm_pipe_services_open(const struct vmm_vm *vm, int device_fd,
			   struct vmm_pipe_services **services);
void vmm_pipe_services_close(struct vmm_pipe_services *services);

/* ---- pipe_socket.c: services of programs that come by themselves ---- */

struct vmm_pipe_socket;

int vmm_pipe_socket_open(const struct vmm_config *cfg, struct vmm_loop *loop, int device_fd,
			 struct vmm_pipe_socket **socket);
void vmm_pipe_socket_close(struct vmm_pipe_socket *socket);

#define VMM_PIPE_NODE		"/dev/vhost-goldfish-pipe"
#define VMM_BLK_NODE		"/dev/vhost-ranchu-blk"
#define VMM_NET_NODE		"/dev/vhost-net"
#define VMM_VSOCK_ADB_NODE	"/dev/vhost-vsock-adb"
#define VMM_VSOCK_LINUX_NODE	"/dev/vhost-vsock"

#define VMM_PL011_FIFO	16	/* bytes, revision 1 of the PrimeCell */

/**
 * struct vmm_pl011 - the register model of a PL011
 * @irq: told the line's level whenever it changes
 * @put: takes a byte that the guest sent
 * @room: told that bytes can be taken again
 * @arg: first argument of the three
 * @lock: protects all that follows; held when the three are called
 * @fifo: what was received, a ring
 * @head: oldest byte in @fifo
 * @count: bytes in @fifo
 * @ilpr: low-power counter, stored only
 * @ibrd: baud rate, stored only
 * @fbrd: its fraction, stored only
 * @lcrh: line control; only the FIFO enable bit means something
 * @cr: control, stored only
 * @ifls: FIFO levels that interrupt
 * @imsc: interrupts that are let through
 * @dmacr: DMA control, stored only
 * @tx_raw: the transmit interrupt, before the mask
 * @level: the line as @irq was told
 */
struct vmm_pl011 {
	void (*irq)(void *arg, bool level);
	void (*put)(void *arg, u8 byte);
	void (*room)(void *arg);
	void *arg;
	pthread_mutex_t lock;
	u8 fifo[VMM_PL011_FIFO];
	unsigned int head;
	unsigned int count;
	u32 ilpr;
	u32 ibrd;
	u32 fbrd;
	u32 lcrh;
	u32 cr;
	u32 ifls;
	u32 imsc;
	u32 dmacr;
	u32 tx_raw;
	bool level;
};

void vmm_pl011_init(struct vmm_pl011 *uart);
u32 vmm_pl011_read(struct vmm_pl011 *uart, u32 offset);
void vmm_pl011_write(struct vmm_pl011 *uart, u32 offset, u32 value);
size_t vmm_pl011_take(void *arg, const u8 *bytes, size_t len);

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

#endif /* VMM_H */
