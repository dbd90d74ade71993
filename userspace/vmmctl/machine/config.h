/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The configuration of a VM: the result of the command line. Only cli/ writes it; the other
 * rooms read it.
 */
#ifndef MACHINE_CONFIG_H
#define MACHINE_CONFIG_H

#include "types.h"

#define VMM_MAX_CPUS	32
#define VMM_PSTORE_MEMORY	"memory"	/* instead of a path */
#define VMM_GICV2_CPUS	8	/* CPUs that a GICv2 can serve, at most */

enum vmm_command {
	VMM_CMD_RUN,
	VMM_CMD_DTB,
	VMM_CMD_DOCTOR,
	VMM_CMD_HELP,
	VMM_CMD_VERSION,
	VMM_CMD_AVD,		/* in avd/avd.c, with the emulator's options */
	VMM_CMD_CONTROL		/* in control/cli.c; these have no options */
};

enum vmm_gic { VMM_GIC_AUTO = 0, VMM_GIC_V2 = 2, VMM_GIC_V3 = 3 };
enum vmm_board_kind { VMM_BOARD_AUTO, VMM_BOARD_RANCHU, VMM_BOARD_VIRT, VMM_BOARD_PC };
enum vmm_virtio_bus { VMM_BUS_AUTO, VMM_BUS_MMIO, VMM_BUS_PCI };
enum vmm_pipe_mode { VMM_PIPE_KERNEL, VMM_PIPE_USER, VMM_PIPE_NONE };
enum vmm_sync_mode { VMM_SYNC_AUTO, VMM_SYNC_KERNEL, VMM_SYNC_USER, VMM_SYNC_NONE };
enum vmm_guest_clock { VMM_GUEST_CLOCK_SAVED, VMM_GUEST_CLOCK_HOST };
enum vmm_window { VMM_WINDOW_AUTO, VMM_WINDOW_ON, VMM_WINDOW_OFF };
enum vmm_pvpanic { VMM_PVPANIC_AUTO, VMM_PVPANIC_ON, VMM_PVPANIC_OFF };
enum vmm_vsock { VMM_VSOCK_NONE, VMM_VSOCK_ADB, VMM_VSOCK_LINUX };
enum vmm_adb_mode { VMM_ADB_AUTO, VMM_ADB_ON, VMM_ADB_OFF };
enum vmm_adb_users { VMM_ADB_OWNER, VMM_ADB_ALL };
/* Host pages that guest RAM is made of; zero is the default. */
enum vmm_huge_pages { VMM_HUGE_TRANSPARENT, VMM_HUGE_OFF, VMM_HUGE_2M, VMM_HUGE_1G };
/* How many fingers the goldfish touch screen reports. */
enum vmm_touch { VMM_TOUCH_NONE, VMM_TOUCH_SINGLE, VMM_TOUCH_MULTI };
#define VMM_EMULATOR_AUTO	0	/* port: the one below adb's, if there is one */
#define VMM_EMULATOR_OFF	1	/* no port */
enum vmm_adb_transport { VMM_ADB_BY_VSOCK, VMM_ADB_BY_PIPE };

#define VMM_UNIX_PATH	108	/* bytes of a socket's path, its end included */
/* The same for a path to which the name of a port is appended, at most this long. */
#define VMM_LISTEN_PATH	(VMM_UNIX_PATH - sizeof("_4294967295") + 1)

/* Disks of a guest, and queues of one. */
#define VMM_DISKS	16
#define VMM_DISK_QUEUES	8
#define VMM_SCSI_QUEUES	6	/* request queues of a SCSI controller */

/**
 * struct vmm_transport - where a virtio device is
 * @slot: transport, -1 for the highest that is free
 * @legacy: the transport's registers are those of before virtio 1.0
 */
struct vmm_transport {
	int slot;
	bool legacy;
};

/*
 * Types of devices that a vhost-user process can serve. The words of the command line have the
 * same order.
 */
enum vmm_vhost_user_type {
	VMM_VHOST_USER_BLK,
	VMM_VHOST_USER_FS,
	VMM_VHOST_USER_NET,
	VMM_VHOST_USER_RNG,
	VMM_VHOST_USER_CONSOLE,
	VMM_VHOST_USER_GPU,
	VMM_VHOST_USER_TYPES
};

/**
 * struct vmm_backend - a virtio device that another process or the kernel serves
 * @path: network interface, Unix socket, device node or name of a SCSI target
 * @type: vhost-user: the type of device
 * @mac: network: the guest's address; all zero for one of our choice
 * @tag: file system: its name for the guest
 * @queues: at most, 0 for as many as there are; SCSI: request queues
 * @transport: where the guest finds it
 * @inherited: for a clone: the saved VM has what @path names
 */
struct vmm_backend {
	const char *path;
	enum vmm_vhost_user_type type;
	u8 mac[6];
	const char *tag;
	unsigned int queues;
	struct vmm_transport transport;
	bool inherited;
};

#define VMM_BACKENDS	16	/* of each kind, at most */

/* Kinds of backends, and the options that make them. */
enum vmm_backend_kind {
	VMM_BACKEND_NET,
	VMM_BACKEND_SCSI,
	VMM_BACKEND_VHOST_USER,
	VMM_BACKEND_VDPA,
	VMM_BACKEND_KINDS
};

struct vmm_image_copy;

/**
 * struct vmm_disk - a disk of the guest
 * @path: file or block device of the host
 * @readonly: the guest cannot write to it
 * @direct: opened with O_DIRECT
 * @block_size: bytes, 512 or 4096
 * @queues: 1 to VMM_DISK_QUEUES
 * @transport: where the guest finds it
 * @user: served by vmmctl itself, not by the kernel
 * @fstab: the Android partition on it, "system" or "vendor", or NULL
 * @copy: the copy that the VM uses instead of @path, or NULL; no option
 */
struct vmm_disk {
	const char *path;
	bool readonly;
	bool direct;
	unsigned int block_size;
	unsigned int queues;
	struct vmm_transport transport;
	bool user;
	const char *fstab;
	const struct vmm_image_copy *copy;
};

/* Small virtio devices that vmmctl serves itself. */
enum vmm_builtin_kind {
	VMM_BUILTIN_RNG,
	VMM_BUILTIN_BALLOON,
	VMM_BUILTIN_CONSOLE,
	VMM_BUILTIN_KEYBOARD,
	VMM_BUILTIN_MULTITOUCH,
	VMM_BUILTIN_SOUND,
};

#define VMM_BUILTINS	16	/* on a command line, at most */

/**
 * struct vmm_builtin - a small virtio device
 * @kind: the type of device
 * @path: Unix socket at its other end, or NULL
 * @alone: for a clone: the saved VM has the other end of @path
 * @size: balloon: bytes that the guest is to give back
 * @play: sound: WAV file that gets what the guest plays, or NULL
 * @record: sound: WAV file that the guest records, or NULL
 */
struct vmm_builtin {
	enum vmm_builtin_kind kind;
	const char *path;
	bool alone;
	u64 size;
	const char *play;
	const char *record;
};

/**
 * struct vmm_pipe_service - a service of the goldfish pipe that another program provides
 * @name: the name by which the guest opens it, without a NUL
 * @name_len: bytes of @name
 * @path: Unix socket that vmmctl connects to
 */
struct vmm_pipe_service {
	const char *name;
	size_t name_len;
	const char *path;
};

#define VMM_PIPE_SERVICES	32	/* on a command line, at most */

/**
 * struct vmm_redir - a host port that is forwarded to a port of the guest
 * @host_port: TCP port of 127.0.0.1
 * @guest_port: vsock port of the guest
 */
struct vmm_redir {
	unsigned int host_port;
	u32 guest_port;
};

#define VMM_REDIRS	16	/* on a command line, at most */

struct vmm_snapshot;

/**
 * struct vmm_config - the command line
 * @command: what to do
 * @topic: what `help` explains, NULL for an overview
 * @help: --help was given
 * @config_file: the configuration file that was read, or NULL
 * @from: directory of the snapshot that the VM starts from, or NULL
 * @clone: several VMs may start from that snapshot: names, ports and MAC addresses, which
 *	only one VM can have, are new
 * @snapshot: that snapshot, opened; freed with the config
 * @words: the options as they were given, for a snapshot's manifest
 * @word_count: how many words
 * @avd: directory of the AVD (Android virtual device) that is run, or NULL
 * @directory: the working directory, to which relative paths in @words refer; `run` only
 * @texts: strings that are freed with the config; see vmm_options_free()
 * @kernel: arm64 Image, maybe compressed
 * @initrd: file, or NULL
 * @append: kernel command line, never NULL
 * @fstab_system: guest device of the system partition, or NULL for no node
 * @fstab_vendor: likewise, vendor
 * @output: where `dtb` writes, NULL for stdout
 * @stats_file: file that gets statistics as JSON lines; NULL: stderr gets them as text
 * @stats_at: statistics are written when a console line begins with this, or NULL
 * @memory: bytes of guest RAM
 * @huge_pages: the host's pages that RAM is made of
 * @cpus: 1 to VMM_MAX_CPUS
 * @board: which board, VMM_BOARD_AUTO for the architecture's first
 * @virtio_bus: the bus of virtio devices; VMM_BUS_AUTO: the board's default
 * @gic: version of the interrupt controller
 * @rtc: the board has a real-time clock; the emulator's ranchu board has none
 * @pvpanic: whether the board has pvpanic, which reports a panic; VMM_PVPANIC_AUTO: on x86_64
 * @stall_detector: the board has a stall detector, which finds vCPUs that are stuck
 * @access_platform: virtio devices offer VIRTIO_F_ACCESS_PLATFORM: drivers use the DMA API
 * @dma_pool: bytes of memory reserved for that, 0 for any memory; arm64
 * @guest_clock: whether the clocks of a VM that starts from a snapshot count the time since then
 * @vmgenid: the board has a VM generation ID, which changes at a start from a snapshot
 * @battery: the guest has a battery, and not only a charger
 * @hw_keyboard: the goldfish events have the keys of a keyboard
 * @hw_dpad: they have the keys of a directional pad
 * @hw_trackball: they have a trackball
 * @hw_touch: they have a touch screen, for how many fingers
 * @sound: WAV file that gets what the guest plays by goldfish audio, or NULL
 * @sound_record: WAV file that the guest records by goldfish audio, or NULL
 * @sound_socket: Unix socket of a program that plays and records sound that has no file, or NULL
 * @snapshots: directory where the emulator's console saves snapshots, or NULL
 * @screenshots: directory where the emulator's console writes screenshots, or NULL
 * @pstore: file behind the persistent store, or VMM_PSTORE_MEMORY; NULL: no store, x86_64
 * @screen_width: pixels of the goldfish framebuffer, and of a GPU's screen
 * @screen_height: the same
 * @screen_socket: Unix socket where a program supplies the screen's content, or NULL
 * @screen_depth: bits per pixel that the goldfish framebuffer reports, 16 or 32
 * @pipe: who serves the goldfish pipe
 * @services: services of the goldfish pipe, by --pipe-service
 * @n_services: how many
 * @pipe_socket: Unix socket where programs get the pipe's service files, or NULL
 * @guest_services: ranchu-services may serve the guest
 * @sync: who serves the goldfish sync device
 * @sync_socket: Unix socket where a renderer gets its file of the sync device, or NULL
 * @address_space: the board has a goldfish address space
 * @address_socket: Unix socket where a program serves the address space, or NULL
 * @window: whether the guest reads registers from memory
 * @disk: the guest's disks, in the order in which it finds them
 * @disks: how many
 * @backend: devices served by other processes or the kernel, by kind
 * @backends: how many of each
 * @nets_named: network devices that the current command line and its file have named so far; with
 *	@from, the first ones are those that the saved VM has
 * @builtin: small virtio devices
 * @builtins: how many
 * @vsock: who serves virtio-vsock
 * @vsock_cid: the guest's context ID, 0 for a free one
 * @vsock_uds: Unix socket by which programs reach the guest's ports, or NULL
 * @redir: host ports that are forwarded to the guest
 * @redirs: how many
 * @adb: whether vmmctl listens on the adb server's ports; not AUTO after parsing
 * @adb_transport: how adb reaches the guest
 * @adb_users: which local users may connect to adb's port
 * @adb_port: adb's port, 0 for the first that is free
 * @adb_socket: Unix socket that leads to the guest's adbd, or NULL
 * @emulator_console: port of the emulator's console, or VMM_EMULATOR_*
 * @virtio_packed: offer packed rings
 * @stats: write statistics at the end and at SIGUSR1
 * @no_reboot: a reset of the guest ends vmmctl
 * @random_seed: the guest's kernel is given random bytes
 * @console: the board's UART is connected to stdin and stdout
 * @name: name of the VM; NULL: it is made from the process ID
 * @sandbox: the process enters the sandbox
 * @stats_every: seconds between statistics, 0 for none
 * @quit_after_boot: end when the guest has booted, or after so many seconds; 0: do not
 *
 * Strings are in argv or in @texts.
 */
struct vmm_config {
	enum vmm_command command;
	const char *topic;
	bool help;
	const char *config_file;
	const char *from;
	bool clone;
	struct vmm_snapshot *snapshot;
	char **words;
	unsigned int word_count;
	const char *avd;
	const char *directory;
	struct vmm_option_text *texts;
	const char *kernel;
	const char *initrd;
	const char *append;
	const char *fstab_system;
	const char *fstab_vendor;
	const char *output;
	const char *stats_file;
	const char *stats_at;
	u64 memory;
	enum vmm_huge_pages huge_pages;
	unsigned int cpus;
	enum vmm_board_kind board;
	enum vmm_virtio_bus virtio_bus;
	enum vmm_gic gic;
	bool rtc;
	enum vmm_pvpanic pvpanic;
	bool stall_detector;
	bool access_platform;
	u64 dma_pool;
	bool vmgenid;
	enum vmm_guest_clock guest_clock;
	bool battery;
	bool hw_keyboard;
	bool hw_dpad;
	bool hw_trackball;
	enum vmm_touch hw_touch;
	const char *sound;
	const char *sound_record;
	const char *sound_socket;
	const char *snapshots;
	const char *screenshots;
	const char *pstore;
	unsigned int screen_width;
	unsigned int screen_height;
	const char *screen_socket;
	unsigned int screen_depth;
	enum vmm_pipe_mode pipe;
	struct vmm_pipe_service services[VMM_PIPE_SERVICES];
	unsigned int n_services;
	const char *pipe_socket;
	bool guest_services;
	enum vmm_sync_mode sync;
	const char *sync_socket;
	bool address_space;
	const char *address_socket;
	enum vmm_window window;
	struct vmm_disk disk[VMM_DISKS];
	unsigned int disks;
	struct vmm_backend backend[VMM_BACKEND_KINDS][VMM_BACKENDS];
	unsigned int backends[VMM_BACKEND_KINDS];
	unsigned int nets_named;
	struct vmm_builtin builtin[VMM_BUILTINS];
	unsigned int builtins;
	enum vmm_vsock vsock;
	u32 vsock_cid;
	const char *vsock_uds;
	struct vmm_redir redir[VMM_REDIRS];
	unsigned int redirs;
	enum vmm_adb_mode adb;
	enum vmm_adb_transport adb_transport;
	enum vmm_adb_users adb_users;
	unsigned int adb_port;
	const char *adb_socket;
	unsigned int emulator_console;
	bool virtio_packed;
	bool stats;
	bool no_reboot;
	bool random_seed;
	bool console;
	const char *name;
	bool sandbox;
	unsigned int stats_every;
	unsigned int quit_after_boot;
};

/* ---- cli/config.c: finds devices in a config by kind ---- */

unsigned int vmm_builtin_count(const struct vmm_config *cfg, enum vmm_builtin_kind kind);
const struct vmm_builtin *vmm_builtin_find(const struct vmm_config *cfg, enum vmm_builtin_kind kind,
					   unsigned int index);

#endif /* MACHINE_CONFIG_H */
