// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmmctl: boots a guest on the ranchu board. Read run_vm() for the order of a VM's
 * life: RAM, devices, then any number of lives of the guest, and the same backwards;
 * and run_life() for a guest's: vCPUs, kernel, loop. Nothing but main() exits.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "avd/avd.h"
#include "backends/vhost_user_gpu.h"
#include "boot/boot.h"
#include "cli/cli.h"
#include "control/confine.h"
#include "control/control.h"
#include "control/emulator_port.h"
#include "control/steering.h"
#include "host/display.h"
#include "host/ending.h"
#include "host/host.h"
#include "host/image.h"
#include "host/mac.h"
#include "host/output.h"
#include "host/vm_dir.h"
#include "host/vsock.h"
#include "machine/limits.h"
#include "snapshot/snapshot.h"
#include "virtio/virtio.h"

#define EXIT_USAGE	2	/* the command line or the configuration file is wrong */

/**
 * struct session - vmmctl while it runs a VM
 * @cfg: the command line
 * @loop: the main thread's loop
 * @devices: the devices', inside it; whatever asks them is there, too
 * @host: what devices are connected to
 * @screen: a socket by which a program draws, or NULL
 * @signal_fd: SIGUSR1 and SIGUSR2, which ask devices, as a file
 * @cont_fd: SIGCONT as a file
 * @read_window: the guest may read registers from memory
 * @confined: the sandbox was entered
 * @loaded: the guest of the snapshot has gone on
 * @err_out: stderr
 * @images: the disks' images, locked
 * @boot: what the guest starts from
 * @emulator: the port of the emulator's console
 * @steering: how the VM is steered from outside
 * @vm: the VM
 */
struct session {
	const struct vmm_config *cfg;
	struct vmm_loop *loop;
	struct vmm_loop *devices;
	struct vmm_host host;
	struct vmm_screen_socket *screen;
	int signal_fd;
	int cont_fd;
	bool read_window;
	bool confined;
	bool loaded;
	struct vmm_output err_out;
	struct vmm_images images;
	struct vmm_boot boot;
	struct vmm_emulator_port emulator;
	struct vmm_steering steering;
	struct vmm_vm vm;
};

static int session_signal(void *arg)
{
	struct session *s = arg;
	struct signalfd_siginfo info;

	if (read(s->signal_fd, &info, sizeof(info)) != sizeof(info))
		return 0;
	switch (info.ssi_signo) {
	case SIGUSR1:
		if ((s->cfg->stats || s->cfg->stats_at) && !vmm_hold_devices(&s->steering.hold))
			vmm_stats_snapshot(s->steering.stats, &s->vm, "SIGUSR1");
		break;
	case SIGUSR2:
		if (!vmm_hold_devices(&s->steering.hold))
			vmm_board_command(&s->vm, NULL, "resize", NULL, NULL);
		break;
	}
	return 0;
}

static int session_continued(void *arg)
{
	struct session *s = arg;
	struct signalfd_siginfo info;

	if (read(s->cont_fd, &info, sizeof(info)) == sizeof(info))
		vmm_console_foreground(s->host.console);
	return 0;
}

static int session_ending(void *arg)
{
	(void)arg;
	return VMM_END_SIGNAL;
}

/* In a vCPU's thread, inside the write that completed the line. */
static void session_line(void *arg, const char *line)
{
	struct session *s = arg;

	vmm_stats_snapshot(s->steering.stats, &s->vm, line);
}

/*
 * Before any thread exists, so that all of them inherit the mask. Nobody is to be
 * ended by a limit on files, which is an error like others, or stopped by a terminal.
 */
static int session_signals(struct session *s)
{
	static const int ignored[] = { SIGPIPE, SIGXFSZ, SIGTTOU, SIGTTIN };
	sigset_t set, cont;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ignored); i++)
		signal(ignored[i], SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	sigemptyset(&cont);
	sigaddset(&cont, SIGCONT);
	sigprocmask(SIG_BLOCK, &cont, NULL);
	s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	s->cont_fd = signalfd(-1, &cont, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signal_fd < 0 || s->cont_fd < 0)
		return vmm_error(errno, "signalfd");
	/* While a job has the devices, those for devices wait. */
	if (vmm_loop_add(s->devices, s->signal_fd, session_signal, s) ||
	    vmm_loop_add(s->loop, s->cont_fd, session_continued, s))
		return -EIO;
	return vmm_ending_open(s->loop, session_ending, s);
}

/*
 * The C library opens files for its own purposes whenever it needs them, which the
 * sandbox would refuse: to count CPUs before it makes a second arena for the allocator,
 * and to see whether the local time, which nobody wants here, has changed.
 */
static void library_files(void)
{
	mallopt(M_ARENA_MAX, 1);
	setenv("TZ", "UTC0", 1);
	tzset();
}

static int session_window(struct session *s)
{
	struct vmm_probe probe;
	int kvm_fd;
	int err;

	s->read_window = s->cfg->window == VMM_WINDOW_ON;
	if (s->read_window && !vmm_window_fits(sysconf(_SC_PAGESIZE)))
		return vmm_error(-EINVAL,
				 "--window on needs pages of %llu bytes; this host's have %ld",
				 VMM_PAGE_SIZE, sysconf(_SC_PAGESIZE));
	if (s->cfg->window != VMM_WINDOW_AUTO)
		return 0;
	if (!vmm_window_fits(sysconf(_SC_PAGESIZE))) {
		vmm_note("no register window: this host's pages have %ld bytes",
			 sysconf(_SC_PAGESIZE));
		return 0;
	}
	kvm_fd = vmm_kvm_open();
	if (kvm_fd < 0)
		return kvm_fd;
	err = vmm_probe_run(kvm_fd, &probe);
	close(kvm_fd);
	if (err)
		return err;
	s->read_window = vmm_probe_coherent(&probe);
	if (!probe.readonly)
		vmm_note("no register window: this host's KVM has no read-only memory");
	else if (!s->read_window)
		vmm_note("no register window: this CPU would read old values from it");
	return 0;
}

static void session_close(struct session *s)
{
	vmm_pipe_adb_close(s->host.pipe_adb);
	vmm_vsock_host_close(s->host.vsock);
	vmm_console_close(s->host.console);
	vmm_screen_socket_close(s->screen);
	vmm_display_close(s->host.display);
	vmm_steering_close(&s->steering);
	vmm_emulator_port_close(&s->emulator);
	vmm_stats_close(s->steering.stats);
	vmm_boot_close(&s->boot);
	vmm_images_unlock(&s->images);
	vmm_ending_close(s->loop);
	if (s->signal_fd >= 0)
		close(s->signal_fd);
	if (s->cont_fd >= 0)
		close(s->cont_fd);
	vmm_log_output(NULL);
	vmm_output_close(&s->err_out);
	vmm_loop_destroy(s->devices);
	vmm_loop_destroy(s->loop);
}

static void session_adb(void *arg)
{
	struct session *s = arg;

	vmm_steering_booted(&s->steering, "adb");
}

static int session_vsock(struct session *s)
{
	if (s->cfg->vsock != VMM_VSOCK_ADB)
		return 0;
	s->host.vsock = vmm_vsock_host_open(s->cfg, s->devices);
	if (!s->host.vsock)
		return -EIO;
	vmm_vsock_host_on_adb(s->host.vsock, session_adb, s);
	return 0;
}

static int session_pipe_adb(struct session *s)
{
	if (s->cfg->adb_transport != VMM_ADB_BY_PIPE)
		return 0;
	s->host.pipe_adb = vmm_pipe_adb_open(s->cfg, s->devices);
	return s->host.pipe_adb ? 0 : -EIO;
}

static int session_display(struct session *s)
{
	s->host.display = vmm_display_open(s->cfg->screen_width, s->cfg->screen_height);
	if (!s->host.display)
		return -EIO;
	return vmm_screen_socket_open(s->cfg, s->devices, s->host.display, &s->screen);
}

static int session_guest(struct session *s)
{
	int err = vmm_steering_guest(&s->steering);

	s->host.guest = s->steering.guest;
	return err;
}

/* Where adb has a pair of ports, one of them is the console's. */
static int session_emulator(struct session *s)
{
	int fd = -1;

	if (s->host.vsock)
		fd = vmm_vsock_host_console(s->host.vsock);
	if (s->host.pipe_adb && fd < 0)
		fd = vmm_pipe_adb_console(s->host.pipe_adb);
	return vmm_emulator_port_open(&s->emulator, s->cfg, s->loop, fd, s->steering.instance);
}

/* A guest that goes on is ready when adb has found it again. */
static int session_ready(struct session *s)
{
	const struct vmm_adb *adb = NULL;

	if (!s->cfg->snapshot)
		return 0;
	if (s->host.vsock)
		adb = vmm_vsock_host_ports(s->host.vsock);
	if (s->host.pipe_adb && !adb)
		adb = vmm_pipe_adb_ports(s->host.pipe_adb);
	return adb ? vmm_steering_wait_for_adb(&s->steering, adb) : 0;
}

/* A guest that goes on has the disks that it had. */
static int session_disks(struct session *s, struct vmm_config *cfg)
{
	struct vmm_image_past past[VMM_DISKS];

	if (!cfg->snapshot)
		return 0;
	vmm_snapshot_disks(cfg->snapshot, past);
	return vmm_images_copy(&s->images, cfg, past, VMM_DISKS);
}

static int session_open_host(struct session *s)
{
	int err = vmm_images_lock(&s->images, s->cfg);

	if (!err)
		err = vmm_boot_open(&s->boot, s->cfg);
	if (!err)
		err = session_window(s);
	if (!err)
		err = session_vsock(s);
	if (!err)
		err = session_pipe_adb(s);
	if (!err)
		err = session_display(s);
	if (!err)
		err = session_guest(s);
	if (!err)
		err = vmm_steering_directories(&s->steering);
	if (!err)
		err = session_emulator(s);
	if (!err)
		err = session_ready(s);
	if (err || !s->cfg->console)
		return err;
	s->host.console = vmm_console_open(s->loop, STDIN_FILENO, STDOUT_FILENO);
	if (!s->host.console)
		return -EIO;
	s->steering.console = s->host.console;
	if (s->cfg->stats_at)
		vmm_console_watch(s->host.console, s->cfg->stats_at, session_line, s);
	return 0;
}

static int session_open(struct session *s)
{
	int err;

	vmm_sandbox_limits();
	vmm_limits_raise();
	library_files();
	s->loop = vmm_loop_create();
	if (s->loop)
		s->devices = vmm_loop_create_inner(s->loop);
	if (!s->devices)
		return -ENOMEM;
	err = session_signals(s);
	if (err)
		return err;
	vmm_output_init(&s->err_out, STDERR_FILENO);
	vmm_log_output(&s->err_out);
	s->steering.cfg = s->cfg;
	s->steering.loop = s->loop;
	s->steering.devices = s->devices;
	s->steering.hold.images = &s->images;
	s->steering.stats = vmm_stats_open(s->cfg);
	if (!s->steering.stats)
		return -EIO;
	err = vmm_steering_open(&s->steering);
	return err ? err : session_open_host(s);
}

/* A vCPU's thread, before it runs the guest. */
static int confine_vcpu(const struct vmm_vm *vm)
{
	(void)vm;
	return vmm_sandbox_vcpu();
}

static int session_confine(struct session *s)
{
	int err = 0;

	if (s->cfg->sandbox && !s->confined) {
		err = vmm_confine(s->cfg);
		vmm_stats_keep(s->steering.stats);
	}
	s->confined = true;
	return err;
}

/* vCPUs run from the first line to the last; returns how it ended. */
static enum vmm_end run_vcpus(struct session *s, struct vmm_vm *vm)
{
	unsigned int i;
	int end = VMM_END_NONE;

	for (i = 0; i < vm->vcpus && end == VMM_END_NONE; i++) {
		if (vmm_vcpu_start(vm->vcpu[i]))
			end = VMM_END_ERROR;
	}
	if (end == VMM_END_NONE)
		end = vmm_loop_run(s->loop);
	if (end < 0)
		end = VMM_END_ERROR;
	vmm_vm_end(vm, end);
	vmm_steering_settle(&s->steering, end);
	for (i = 0; i < vm->vcpus; i++)
		vmm_vcpu_stop(vm->vcpu[i]);
	if (s->host.console)
		vmm_console_flush(s->host.console);
	if (s->cfg->stats)
		vmm_stats_snapshot(s->steering.stats, vm, vmm_end_name(end));
	return end;
}

static int life_boot(struct session *s)
{
	struct vmm_entry entry;
	int err = s->vm.board.load(&s->vm, &s->boot, &entry);

	if (!err)
		err = vmm_arch_vcpu_entry(s->vm.vcpu[0], &entry);
	return err ? err : session_confine(s);
}

/* A snapshot is somebody else's: its state is read inside the sandbox. */
static int life_go_on(struct session *s)
{
	int err = vmm_snapshot_fits(s->cfg->snapshot, &s->vm, &s->images);

	s->loaded = true;
	if (!err)
		err = session_confine(s);
	return err ? err : vmm_snapshot_load(s->cfg->snapshot, &s->vm);
}

/* The first life may be one that goes on. */
static int life_begin(struct session *s)
{
	return s->cfg->snapshot && !s->loaded ? life_go_on(s) : life_boot(s);
}

/* One life of the guest, from power-on to power-off or reset. */
static enum vmm_end run_life(struct session *s)
{
	struct vmm_vm *vm = &s->vm;
	enum vmm_end end = VMM_END_ERROR;

	if (vmm_vm_power_on(vm))
		return end;
	if (!life_begin(s) && !vmm_threads_start(vm) && !vmm_steering_begin(&s->steering, vm)) {
		end = run_vcpus(s, vm);
		vmm_steering_end(&s->steering, end);
	} else if (vmm_ending_signal()) {
		end = VMM_END_SIGNAL;
	}
	vmm_vm_power_off(vm);
	return end;
}

/* After a reset, devices and RAM are as at power-on, and every file is still open. */
static enum vmm_end run_lives(struct session *s)
{
	enum vmm_end end = run_life(s);

	while (vmm_steering_again(&s->steering, end)) {
		end = vmm_steering_renew(&s->steering);
		if (end == VMM_END_RESET)
			end = run_life(s);
	}
	return end;
}

static enum vmm_end run_vm(struct session *s)
{
	enum vmm_end end = VMM_END_ERROR;

	s->vm = (struct vmm_vm){
		.cfg = s->cfg,
		.loop = s->devices,
		.stats = s->steering.stats,
		.host = s->host,
		.confine = s->cfg->sandbox ? confine_vcpu : NULL,
		.read_window = s->read_window,
		.ram_fd = s->cfg->snapshot ? vmm_snapshot_ram(s->cfg->snapshot) : -1,
	};
	vmm_arch_board(&s->vm.board, s->cfg);
	if (vmm_vm_create(&s->vm))
		return end;
	if ((!s->cfg->snapshot || !vmm_snapshot_map(s->cfg->snapshot, &s->vm.mem)) &&
	    !vmm_board_create(&s->vm)) {
		end = run_lives(s);
		vmm_steering_over(&s->steering, end);
		vmm_board_destroy(&s->vm);
	}
	vmm_vm_destroy(&s->vm);
	return end;
}

/* All that depends on what the VM is called. */
static void name_vm(struct vmm_config *cfg)
{
	static char name[VMM_NAME_MAX];

	vmm_name_default(name);
	vmm_mac_fill(cfg, cfg->name ? cfg->name : name);
}

/* A snapshot says where relative paths begin; a directory that is gone has no name. */
static void where_we_are(struct vmm_config *cfg)
{
	static char path[PATH_MAX];

	if (!getcwd(path, sizeof(path)))
		snprintf(path, sizeof(path), "/");
	cfg->directory = path;
}

static int command_run(struct vmm_config *cfg)
{
	struct session s = {
		.cfg = cfg, .signal_fd = -1, .cont_fd = -1, .steering.every_fd = -1,
		.err_out.own_fd = -1, .emulator = VMM_EMULATOR_PORT_NONE,
		.boot = { .kernel.fd = -1, .initrd.fd = -1 },
	};
	enum vmm_end end = VMM_END_ERROR;

	if (vmm_arch_check_run(cfg))
		return EXIT_FAILURE;
	name_vm(cfg);
	where_we_are(cfg);
	if (!session_disks(&s, cfg) && !session_open(&s))
		end = run_vm(&s);
	session_close(&s);
	return vmm_steering_exit(end);
}

static int write_all(int fd, const u8 *bytes, size_t len)
{
	while (len) {
		ssize_t n = write(fd, bytes, len);

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		bytes += n;
		len -= n;
	}
	return 0;
}

/* Half a file is removed again, but never a device that was written to. */
static void dtb_discard(int fd, const char *path)
{
	struct stat st;

	if (path && !fstat(fd, &st) && S_ISREG(st.st_mode))
		unlink(path);
}

static int dtb_write(const char *path, const u8 *blob, size_t len)
{
	int fd = STDOUT_FILENO;
	int err;

	if (path)
		fd = open(path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
	if (fd < 0)
		return vmm_error(errno, "cannot create %s", path);
	err = write_all(fd, blob, len);
	if (err) {
		vmm_error(-err, "cannot write the device tree");
		dtb_discard(fd, path);
	}
	if (path)
		close(fd);
	return err;
}

/* Without a host to ask, GICv2 is what the board has, if it is enough. */
static int command_dtb(const struct vmm_config *cfg)
{
	enum vmm_gic gic = cfg->gic == VMM_GIC_V3 || cfg->cpus > VMM_GICV2_CPUS ? VMM_GIC_V3 :
									  VMM_GIC_V2;
	static u64 blob[VMM_FDT_SIZE / sizeof(u64)];
	struct vmm_board board;
	struct vmm_layout layout;
	struct vmm_boot boot;
	__be32 size;
	int err;

	if (vmm_boot_open(&boot, cfg))
		return EXIT_FAILURE;
	err = vmm_kernel_layout(cfg, &boot, &layout);
	vmm_boot_close(&boot);
	if (err)
		return EXIT_FAILURE;
	vmm_board_arm64(&board, cfg);
	if (vmm_fdt_build(&board, cfg, gic, &layout, blob, sizeof(blob)))
		return EXIT_FAILURE;
	/* Second word of the header: the bytes that are used. */
	memcpy(&size, (u8 *)blob + 4, sizeof(size));
	return dtb_write(cfg->output, (u8 *)blob, be32toh(size)) ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int command(struct vmm_config *cfg)
{
	switch (cfg->command) {
	case VMM_CMD_RUN:
		return command_run(cfg);
	case VMM_CMD_DTB:
		return command_dtb(cfg);
	case VMM_CMD_DOCTOR:
		return vmm_doctor(cfg) ? EXIT_FAILURE : EXIT_SUCCESS;
	case VMM_CMD_VERSION:
		puts("vmmctl " VMM_VERSION);
		return EXIT_SUCCESS;
	default:
		vmm_help_print(stdout, cfg->topic);
		return EXIT_SUCCESS;
	}
}

/* A number below 3 that is free would be given to some device, and be printed to. */
static bool standard_files(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDWR);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static int command_line(int argc, char **argv, const char *avd)
{
	struct vmm_config cfg;
	int code = EXIT_USAGE;

	if (!vmm_options_parse(&cfg, argc, argv)) {
		cfg.avd = avd;
		code = command(&cfg);
	}
	vmm_snapshot_close(cfg.snapshot);
	vmm_options_free(&cfg);
	return code;
}

/* The emulator's command line becomes one of vmmctl run. */
static int command_avd(int argc, char **argv)
{
	struct vmm_avd_plan *plan;
	int code;

	plan = vmm_avd_command(argc, argv, &code);
	if (code == VMM_AVD_GOES_ON)
		code = command_line(plan->run.count, plan->run.word, plan->avd.content);
	vmm_avd_close(plan);
	return code;
}

int main(int argc, char **argv)
{
	if (!standard_files())
		return EXIT_FAILURE;
	if (argc > 1 && vmm_control_is_command(argv[1]))
		return vmm_control_cli(argc, argv);
	if (argc > 1 && !strcmp(argv[1], "avd"))
		return command_avd(argc, argv);
	return command_line(argc, argv, NULL);
}
