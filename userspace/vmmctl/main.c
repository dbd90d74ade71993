// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmmctl: boots a guest on the ranchu board. Read run_vm() for the order of a VM's
 * life: RAM, devices, then any number of lives of the guest, and the same backwards;
 * and run_life() for a guest's: vCPUs, kernel, loop. Nothing but main() exits.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "boot/boot.h"
#include "cli/cli.h"
#include "host/host.h"
#include "host/vsock.h"
#include "virtio/virtio.h"

#define EXIT_USAGE	2	/* the command line or the configuration file is wrong */

/**
 * struct session - vmmctl while it runs a VM
 * @cfg: the command line
 * @loop: the main thread's loop
 * @stats: where snapshots go, or NULL
 * @host: what devices are connected to
 * @signal_fd: SIGTERM and its like as a file
 * @signal: the one that ended us
 * @read_window: the guest may read registers from memory
 * @vm: the VM
 */
struct session {
	const struct vmm_config *cfg;
	struct vmm_loop *loop;
	struct vmm_stats *stats;
	struct vmm_host host;
	int signal_fd;
	int signal;
	bool read_window;
	struct vmm_vm vm;
};

static int session_signal(void *arg)
{
	struct session *s = arg;
	struct signalfd_siginfo info;

	if (read(s->signal_fd, &info, sizeof(info)) != sizeof(info))
		return 0;
	if (info.ssi_signo == SIGUSR1) {
		if (s->stats)
			vmm_stats_snapshot(s->stats, &s->vm, "SIGUSR1");
		return 0;
	}
	if (info.ssi_signo == SIGUSR2) {
		vmm_board_command(&s->vm, NULL, "resize", NULL);
		return 0;
	}
	s->signal = info.ssi_signo;
	return VMM_END_SIGNAL;
}

/* In a vCPU's thread, inside the write that completed the line. */
static void session_line(void *arg, const char *line)
{
	struct session *s = arg;

	vmm_stats_snapshot(s->stats, &s->vm, line);
}

/* Before any thread exists, so that all of them inherit the mask. */
static int session_signals(struct session *s)
{
	sigset_t set;

	signal(SIGPIPE, SIG_IGN);
	sigemptyset(&set);
	sigaddset(&set, SIGTERM);
	sigaddset(&set, SIGINT);
	sigaddset(&set, SIGHUP);
	sigaddset(&set, SIGUSR1);
	sigaddset(&set, SIGUSR2);
	sigprocmask(SIG_BLOCK, &set, NULL);
	s->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (s->signal_fd < 0)
		return vmm_error(errno, "signalfd");
	return vmm_loop_add(s->loop, s->signal_fd, session_signal, s);
}

/* Each doorbell is a file. */
static void raise_file_limit(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_NOFILE, &limit))
		return;
	limit.rlim_cur = limit.rlim_max;
	setrlimit(RLIMIT_NOFILE, &limit);
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
	if (!s->read_window)
		vmm_note("no register window: this CPU would read old values from it");
	return 0;
}

static void session_close(struct session *s)
{
	vmm_pipe_adb_close(s->host.pipe_adb);
	vmm_vsock_host_close(s->host.vsock);
	vmm_console_close(s->host.console);
	vmm_stats_close(s->stats);
	if (s->signal_fd >= 0)
		close(s->signal_fd);
	vmm_loop_destroy(s->loop);
}

static int session_vsock(struct session *s)
{
	if (s->cfg->vsock != VMM_VSOCK_ADB)
		return 0;
	s->host.vsock = vmm_vsock_host_open(s->cfg, s->loop);
	return s->host.vsock ? 0 : -EIO;
}

static int session_pipe_adb(struct session *s)
{
	if (s->cfg->adb_transport != VMM_ADB_BY_PIPE)
		return 0;
	s->host.pipe_adb = vmm_pipe_adb_open(s->cfg, s->loop);
	return s->host.pipe_adb ? 0 : -EIO;
}

static int session_open(struct session *s)
{
	int err;

	raise_file_limit();
	s->loop = vmm_loop_create();
	if (!s->loop)
		return -ENOMEM;
	err = session_signals(s);
	if (err)
		return err;
	err = session_window(s);
	if (err)
		return err;
	err = session_vsock(s);
	if (err)
		return err;
	err = session_pipe_adb(s);
	if (err)
		return err;
	if (s->cfg->stats || s->cfg->stats_at) {
		s->stats = vmm_stats_open(s->cfg);
		if (!s->stats)
			return -EIO;
	}
	if (!s->cfg->console)
		return 0;
	s->host.console = vmm_console_open(s->loop, STDIN_FILENO, STDOUT_FILENO);
	if (!s->host.console)
		return -EIO;
	if (s->cfg->stats_at)
		vmm_console_watch(s->host.console, s->cfg->stats_at, session_line, s);
	return 0;
}

static const char *end_name(enum vmm_end end)
{
	switch (end) {
	case VMM_END_OFF:
		return "power-off";
	case VMM_END_RESET:
		return "reset";
	case VMM_END_QUIT:
		return "console left";
	case VMM_END_SIGNAL:
		return "signal";
	default:
		return "error";
	}
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
	for (i = 0; i < vm->vcpus; i++)
		vmm_vcpu_stop(vm->vcpu[i]);
	if (s->host.console)
		vmm_console_flush(s->host.console);
	if (s->cfg->stats)
		vmm_stats_snapshot(s->stats, vm, end_name(end));
	return end;
}

/* One life of the guest, from power-on to power-off or reset. */
static enum vmm_end run_life(struct session *s)
{
	struct vmm_vm *vm = &s->vm;
	struct vmm_layout layout;
	enum vmm_end end = VMM_END_ERROR;

	if (vmm_vm_power_on(vm))
		return end;
	if (!vmm_kernel_load(vm, &layout) &&
	    !vmm_arch_vcpu_entry(vm->vcpu[0], layout.kernel, layout.dtb))
		end = run_vcpus(s, vm);
	vmm_vm_power_off(vm);
	return end;
}

/* After a reset, devices and RAM are as at power-on, and every file is still open. */
static enum vmm_end run_lives(struct session *s)
{
	enum vmm_end end = run_life(s);

	while (end == VMM_END_RESET && !s->cfg->no_reboot) {
		vmm_board_reset(&s->vm);
		if (vmm_mem_clear(&s->vm.mem))
			return VMM_END_ERROR;
		end = run_life(s);
	}
	return end;
}

static enum vmm_end run_vm(struct session *s)
{
	enum vmm_end end = VMM_END_ERROR;

	s->vm = (struct vmm_vm){
		.cfg = s->cfg,
		.loop = s->loop,
		.stats = s->stats,
		.host = s->host,
		.read_window = s->read_window,
	};
	vmm_board_ranchu(&s->vm.board);
	if (vmm_vm_create(&s->vm))
		return end;
	if (!vmm_board_create(&s->vm)) {
		end = run_lives(s);
		vmm_board_destroy(&s->vm);
	}
	vmm_vm_destroy(&s->vm);
	return end;
}

static int command_run(const struct vmm_config *cfg)
{
	struct session s = { .cfg = cfg, .signal_fd = -1 };
	enum vmm_end end = VMM_END_ERROR;

	if (vmm_arch_check_run())
		return EXIT_FAILURE;
	if (!session_open(&s))
		end = run_vm(&s);
	session_close(&s);
	if (end == VMM_END_SIGNAL)
		return 128 + s.signal;
	return end == VMM_END_ERROR ? EXIT_FAILURE : EXIT_SUCCESS;
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

/* Without a host to ask, GICv2 is what the board has. */
static int command_dtb(const struct vmm_config *cfg)
{
	enum vmm_gic gic = cfg->gic == VMM_GIC_V3 ? VMM_GIC_V3 : VMM_GIC_V2;
	static u64 blob[VMM_FDT_SIZE / sizeof(u64)];
	struct vmm_board board;
	struct vmm_layout layout;
	__be32 size;

	if (vmm_kernel_layout(cfg, &layout))
		return EXIT_FAILURE;
	vmm_board_ranchu(&board);
	if (vmm_fdt_build(&board, cfg, gic, &layout, blob, sizeof(blob)))
		return EXIT_FAILURE;
	/* Second word of the header: the bytes that are used. */
	memcpy(&size, (u8 *)blob + 4, sizeof(size));
	return dtb_write(cfg->output, (u8 *)blob, be32toh(size)) ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int command(const struct vmm_config *cfg)
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

int main(int argc, char **argv)
{
	struct vmm_config cfg;
	int code = EXIT_USAGE;

	if (!vmm_options_parse(&cfg, argc, argv))
		code = command(&cfg);
	vmm_options_free(&cfg);
	return code;
}
