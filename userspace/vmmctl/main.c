// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmmctl: chooses the command and runs a VM. run_vm() has the order of a VM's life: RAM,
 * devices, any number of lives of the guest, then the same in reverse order. run_life() has
 * the order of a guest's life: vCPUs, kernel, main loop. control/session.c opens what a run
 * needs of the host. Only main() ends the process, except for a job that does not end in
 * time (vmm_steering_settle()).
 */
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "avd/avd.h"
#include "cli/cli.h"
#include "control/control.h"
#include "control/session.h"
#include "host/ending.h"
#include "host/file_thread.h"
#include "host/mac.h"
#include "host/sandbox.h"
#include "host/vm_dir.h"
#include "snapshot/snapshot.h"

/* Gives a VM that starts from a snapshot the disks of the snapshot. */
static int session_disks(struct vmm_session *s, struct vmm_config *cfg)
{
	struct vmm_image_past past[VMM_DISKS];

	if (!cfg->snapshot)
		return 0;
	vmm_snapshot_disks(cfg->snapshot, past);
	return vmm_images_copy(&s->images, cfg, past, VMM_DISKS);
}

/* Runs in a vCPU's thread, before the thread runs the guest. */
static int confine_vcpu(const struct vmm_vm *vm)
{
	(void)vm;
	return vmm_sandbox_vcpu();
}

/* Starts the vCPUs, serves the main loop, stops the vCPUs. Returns how the life ended. */
static enum vmm_end run_vcpus(struct vmm_session *s, struct vmm_vm *vm)
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

static int life_boot(struct vmm_session *s)
{
	struct vmm_entry entry;
	int err = s->vm.board.load(&s->vm, &s->boot, &entry);

	if (!err)
		err = vmm_arch_vcpu_entry(s->vm.vcpu[0], &entry);
	return err ? err : vmm_session_confine(s);
}

/* A snapshot is not trusted: its state is read inside the sandbox. */
static int life_load(struct vmm_session *s)
{
	int err = vmm_snapshot_fits(s->cfg->snapshot, &s->vm, &s->images);

	s->loaded = true;
	if (!err)
		err = vmm_session_confine(s);
	return err ? err : vmm_snapshot_load(s->cfg->snapshot, &s->vm);
}

/* The first life may start from a snapshot, and so does the one behind a load; others boot. */
static int life_begin(struct vmm_session *s)
{
	struct vmm_snapshot *loaded = vmm_hold_loaded(&s->steering.hold);

	if (loaded)
		return vmm_snapshot_load(loaded, &s->vm);
	return s->cfg->snapshot && !s->loaded ? life_load(s) : life_boot(s);
}

/* One life of the guest, from power-on to power-off or reset. */
static enum vmm_end run_life(struct vmm_session *s)
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
static enum vmm_end run_lives(struct vmm_session *s)
{
	enum vmm_end end = run_life(s);

	while (vmm_steering_again(&s->steering, end)) {
		end = vmm_steering_renew(&s->steering);
		if (end == VMM_END_RESET)
			end = run_life(s);
	}
	return end;
}

/* How a VM ended that never had a guest. */
static enum vmm_end not_started(const struct vmm_session *s)
{
	enum vmm_end end = vmm_vm_ended(&s->vm);

	if (vmm_ending_signal())
		return VMM_END_SIGNAL;
	return end == VMM_END_NONE ? VMM_END_ERROR : end;
}

static enum vmm_end run_vm(struct vmm_session *s)
{
	enum vmm_end end;

	s->vm = (struct vmm_vm){
		.cfg = s->cfg,
		.loop = s->devices,
		.stats = s->steering.stats,
		.host = s->host,
		.confine = s->cfg->sandbox ? confine_vcpu : NULL,
		.read_window = s->read_window,
		.ram_fd = s->cfg->snapshot ? vmm_snapshot_ram(s->cfg->snapshot) : -1,
		.changes_fd = s->cfg->snapshot ? vmm_snapshot_changes_file(s->cfg->snapshot) : -1,
	};
	vmm_arch_board(&s->vm.board, s->cfg);
	if (vmm_vm_create(&s->vm))
		return VMM_END_ERROR;
	vmm_steering_vm(&s->steering, &s->vm);
	if (s->cfg->snapshot)
		vmm_ending_ram(&s->vm.mem);
	if ((!s->cfg->snapshot || !vmm_snapshot_map(s->cfg->snapshot, &s->vm.mem)) &&
	    !vmm_board_create(&s->vm)) {
		end = run_lives(s);
		vmm_steering_over(&s->steering, end);
		vmm_file_threads_last(false);
		vmm_board_destroy(&s->vm);
	} else {
		end = not_started(s);
		vmm_steering_over(&s->steering, end);
	}
	vmm_vm_destroy(&s->vm);
	return end;
}

/* MAC addresses that the command line does not give are made from the VM's name. */
static void fill_macs(struct vmm_config *cfg)
{
	static char name[VMM_NAME_MAX];

	vmm_name_default(name);
	vmm_mac_fill(cfg, cfg->name ? cfg->name : name);
}

/* A snapshot names the working directory, for relative paths; a removed one has no path. */
static void fill_directory(struct vmm_config *cfg)
{
	static char path[PATH_MAX];

	if (!getcwd(path, sizeof(path)))
		snprintf(path, sizeof(path), "/");
	cfg->directory = path;
}

static int command_run(struct vmm_config *cfg)
{
	struct vmm_session s = VMM_SESSION_NONE;
	enum vmm_end end = VMM_END_ERROR;

	s.cfg = cfg;
	if (vmm_arch_check_run(cfg))
		return EXIT_FAILURE;
	fill_macs(cfg);
	fill_directory(cfg);
	if (!session_disks(&s, cfg) && !vmm_session_open(&s))
		end = run_vm(&s);
	vmm_session_close(&s);
	return vmm_steering_exit(end);
}

static int command(struct vmm_config *cfg)
{
	switch (cfg->command) {
	case VMM_CMD_RUN:
		return command_run(cfg);
	case VMM_CMD_DTB:
		return vmm_dtb_command(cfg) ? EXIT_FAILURE : EXIT_SUCCESS;
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

/* Opens closed ones of descriptors 0 to 2, so that no device gets one and is printed to. */
static bool open_standard_files(void)
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
	int code = VMM_EXIT_USAGE;

	if (!vmm_options_parse(&cfg, argc, argv)) {
		cfg.avd = avd;
		code = command(&cfg);
	}
	vmm_snapshot_close(cfg.snapshot);
	vmm_options_free(&cfg);
	return code;
}

/* Turns the emulator's command line into one of vmmctl run, and runs that. */
static int command_avd(int argc, char **argv)
{
	struct vmm_avd_plan *plan;
	int code;

	plan = vmm_avd_command(argc, argv, &code);
	if (code == VMM_AVD_RUN)
		code = command_line(plan->run.count, plan->run.word, plan->avd.content);
	vmm_avd_close(plan);
	return code;
}

int main(int argc, char **argv)
{
	if (!open_standard_files())
		return EXIT_FAILURE;
	if (argc > 1 && vmm_control_is_command(argv[1]))
		return vmm_control_cli(argc, argv);
	if (argc > 1 && !strcmp(argv[1], "avd"))
		return command_avd(argc, argv);
	return command_line(argc, argv, NULL);
}
