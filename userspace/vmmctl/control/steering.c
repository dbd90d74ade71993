// SPDX-License-Identifier: GPL-2.0-only
/*
 * Control of a VM: what the commands of the control socket do, and which events are sent.
 * Everything runs in the main thread.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "control/directory_link.h"
#include "control/png.h"
#include "control/steering.h"
#include "host/display.h"
#include "host/ending.h"
#include "host/file_thread.h"
#include "host/guest.h"
#include "host/host.h"
#include "snapshot/snapshot.h"

/* Seconds that the adb server has; less than systemd waits for a service to start. */
#define ADB_LISTS_WITHIN	60

static void steering_status(void *arg, json_t *to)
{
	const struct vmm_steering *s = arg;
	const char *path = vmm_instance_path(s->instance);
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	json_object_set_new(to, "pid", json_integer(getpid()));
	json_object_set_new(to, "status", json_string(vmm_hold_status(&s->hold)));
	json_object_set_new(to, "running", json_boolean(s->hold.state == VMM_HOLD_RUNNING));
	json_object_set_new(to, "booted", json_boolean(s->booted));
	json_object_set_new(to, "cpus", json_integer(s->cfg->cpus));
	json_object_set_new(to, "memory", json_integer(s->cfg->memory));
	json_object_set_new(to, "uptime", json_integer(now.tv_sec - s->since.tv_sec));
	json_object_set_new(to, "resets", json_integer(s->resets));
	json_object_set_new(to, "guest-services", json_string(vmm_guest_status(s->guest)));
	json_object_set_new(to, "directory", path ? json_string(path) : json_null());
	if (s->console_port)
		json_object_set_new(to, "console-port", json_integer(s->console_port));
	if (s->cfg->avd)
		json_object_set_new(to, "avd", json_string(s->cfg->avd));
}

/* All three end the guest's life in the main loop. */
static int steering_stop(void *arg, enum vmm_control_end how)
{
	struct vmm_steering *s = arg;

	if (how == VMM_CONTROL_STOP)
		vmm_ending_request(SIGTERM);
	else if (s->hold.vm)
		vmm_vm_end(s->hold.vm, how == VMM_CONTROL_KILL ? VMM_END_KILL : VMM_END_ASKED);
	return 0;
}

static int steering_pause(void *arg, bool pause, u64 call)
{
	struct vmm_steering *s = arg;

	return pause ? vmm_hold_pause(&s->hold, call) : vmm_hold_resume(&s->hold, call);
}

static int steering_snapshot(void *arg, const int *files, bool changes, u64 call)
{
	struct vmm_steering *s = arg;

	return vmm_hold_snapshot(&s->hold, files, changes, call);
}

static int steering_load(void *arg, const int *files, u64 call)
{
	struct vmm_steering *s = arg;

	return vmm_hold_load(&s->hold, files, call);
}

static int steering_reset(void *arg)
{
	struct vmm_steering *s = arg;
	int err = vmm_hold_reset(&s->hold);

	s->reset_asked = s->reset_asked || !err;
	return err;
}

static int steering_button(void *arg)
{
	struct vmm_steering *s = arg;
	int err = vmm_hold_devices(&s->hold);

	if (err)
		return err;
	err = vmm_board_command(s->hold.vm, NULL, "power-button", NULL, NULL);
	return err == -ENOENT ? -EOPNOTSUPP : err;
}

static int steering_device(void *arg, const char *device, const char *command,
			   const char *value, struct vmm_text *text)
{
	struct vmm_steering *s = arg;
	struct vmm_vm *vm = s->hold.vm;
	int err = vmm_guest_command(s->guest, device, command, value, text);

	if (err != -ENOENT)
		return err;
	err = vmm_hold_devices(&s->hold);
	if (err)
		return err;
	err = vmm_redir_command(vm->host.vsock, s->cfg, device, command, value, text);
	if (err == -ENOENT)
		err = vmm_board_input(vm, device, command, value, text);
	return err == -ENOENT ? vmm_board_command(vm, device, command, value, text) : err;
}

static int steering_screen(void *arg, u64 source)
{
	struct vmm_steering *s = arg;
	struct vmm_display *display;

	if (!s->hold.vm)
		return -EAGAIN;
	display = s->hold.vm->host.display;
	if (!display)
		return -EOPNOTSUPP;
	if (source)
		return vmm_display_source_file(display, source);
	/* While a job uses the devices, the screen keeps its last frame. */
	if (!vmm_hold_devices(&s->hold))
		vmm_display_refresh(display);
	return vmm_display_file(display);
}

static void steering_shot(void *arg, int err)
{
	struct vmm_answer answer = { 0 };
	struct vmm_steering *s = arg;

	s->shot = NULL;
	if (err)
		vmm_answer_fail(&answer, err, "cannot write the screenshot: %s", strerror(-err));
	vmm_instance_answer(s->instance, s->shot_call, &answer);
}

static int steering_screenshot(void *arg, int to, u64 call)
{
	struct vmm_steering *s = arg;
	int err = s->shot ? -EINPROGRESS : steering_screen(arg, 0);

	if (err < 0) {
		close(to);
		return err;
	}
	s->shot_call = call;
	err = vmm_screenshot_begin(&s->shot, s->loop, s->hold.vm->host.display, to, steering_shot,
				   s);
	return err ? err : VMM_COMMAND_LATER;
}

static int steering_guest(void *arg, int link)
{
	struct vmm_steering *s = arg;
	int err = vmm_hold_devices(&s->hold);

	return err ? err : vmm_guest_connect(s->guest, link);
}

static json_t *steering_stats(void *arg)
{
	struct vmm_steering *s = arg;
	json_t *stats = NULL;
	char *text = NULL;

	errno = -vmm_hold_devices(&s->hold);
	if (errno)
		return NULL;
	text = vmm_stats_json(s->stats, s->hold.vm, "now");
	if (text)
		stats = json_loads(text, 0, NULL);
	free(text);
	if (!stats) {
		errno = ENOMEM;
		return NULL;
	}
	json_object_set_new(stats, "console",
			    json_pack("{s:I}", "dropped_bytes",
				      (json_int_t)vmm_console_dropped(s->console)));
	return stats;
}

static const struct vmm_control_vm steering_vm = {
	.status = steering_status,
	.end = steering_stop,
	.pause = steering_pause,
	.reset = steering_reset,
	.button = steering_button,
	.device = steering_device,
	.screen = steering_screen,
	.screenshot = steering_screenshot,
	.snapshot = steering_snapshot,
	.load = steering_load,
	.guest = steering_guest,
	.stats = steering_stats,
};

static int steering_every(void *arg)
{
	struct vmm_steering *s = arg;
	u64 expirations;

	if (read(s->every_fd, &expirations, sizeof(expirations)) > 0 &&
	    !vmm_hold_devices(&s->hold))
		vmm_stats_snapshot(s->stats, s->hold.vm, "every");
	return 0;
}

static int steering_timer(struct vmm_steering *s)
{
	struct itimerspec period = {
		.it_value.tv_sec = s->cfg->stats_every,
		.it_interval.tv_sec = s->cfg->stats_every,
	};

	if (!s->cfg->stats_every)
		return 0;
	s->every_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (s->every_fd < 0 || timerfd_settime(s->every_fd, 0, &period, NULL))
		return vmm_error(errno, "--stats-every");
	return vmm_loop_add(s->devices, s->every_fd, steering_every, s);
}

static int steering_late(void *arg)
{
	struct vmm_steering *s = arg;
	u64 expirations;

	if (read(s->boot_fd, &expirations, sizeof(expirations)) < 0 || !s->hold.vm)
		return 0;
	vmm_error(-ETIMEDOUT, "--quit-after-boot: the guest has not booted within %u seconds",
		  s->cfg->quit_after_boot);
	vmm_vm_end(s->hold.vm, VMM_END_LATE);
	return 0;
}

/* A guest from a snapshot has booted before. */
static int steering_boot_timer(struct vmm_steering *s)
{
	struct itimerspec limit = { .it_value.tv_sec = s->cfg->quit_after_boot };

	if (!s->cfg->quit_after_boot || s->cfg->snapshot)
		return 0;
	s->boot_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (s->boot_fd < 0 || timerfd_settime(s->boot_fd, 0, &limit, NULL))
		return vmm_error(errno, "--quit-after-boot");
	/* Not in the loop of devices, which stands still in a pause. */
	return vmm_loop_add(s->loop, s->boot_fd, steering_late, s);
}

static int steering_origin(struct vmm_steering *s)
{
	char *text = vmm_origin_text(s->cfg);
	int err = text ? vmm_instance_origin(s->instance, text) : -ENOMEM;

	free(text);
	return err;
}

/**
 * vmm_steering_open - open the control of a VM
 * @s: @cfg, @loop, @devices, @stats and @hold.images are set; @every_fd and @boot_fd are -1
 *
 * Return: 0, or -errno after a message
 */
int vmm_steering_open(struct vmm_steering *s)
{
	int err;

	clock_gettime(CLOCK_MONOTONIC, &s->since);
	/* Older snapshots do not have "ran". */
	if (s->cfg->snapshot)
		vmm_manifest_number(vmm_snapshot_body(s->cfg->snapshot), "ran", VMM_RAN_MAX,
				    &s->hold.ran);
	s->instance = vmm_instance_open(s->cfg->name, s->loop, &steering_vm, s);
	s->hold.loop = s->loop;
	s->hold.instance = s->instance;
	if (!s->instance || steering_origin(s))
		return -EIO;
	err = steering_timer(s);
	return err ? err : steering_boot_timer(s);
}

/**
 * vmm_steering_vm - set the VM; it can be ended from now on
 * @s: was opened
 * @vm: the VM, created, maybe without devices yet
 */
void vmm_steering_vm(struct vmm_steering *s, struct vmm_vm *vm)
{
	s->hold.vm = vm;
}

static void boot_timer_close(struct vmm_steering *s)
{
	if (s->boot_fd < 0)
		return;
	vmm_loop_del(s->loop, s->boot_fd);
	close(s->boot_fd);
	s->boot_fd = -1;
}

/**
 * vmm_steering_close - close the control of a VM
 * @s: was opened, or not
 */
void vmm_steering_close(struct vmm_steering *s)
{
	if (s->every_fd >= 0) {
		vmm_loop_del(s->devices, s->every_fd);
		close(s->every_fd);
		s->every_fd = -1;
	}
	boot_timer_close(s);
	vmm_screenshot_abandon(s->shot);
	s->shot = NULL;
	vmm_adb_listed_close(s->listed);
	s->listed = NULL;
	vmm_guest_close(s->guest);
	s->guest = NULL;
	vmm_directory_link_close(s->directories);
	s->directories = NULL;
	vmm_instance_close(s->instance);
	s->instance = NULL;
	vmm_hold_close(&s->hold);
}

static void steering_ready(struct vmm_steering *s)
{
	s->hold.starts_up = false;
	vmm_instance_ready(s->instance);
	vmm_instance_state(s->instance, vmm_hold_status(&s->hold));
}

/* Called when the adb server lists the guest as a device, or when the wait for it is over. */
static void steering_listed(void *arg, bool silent)
{
	struct vmm_steering *s = arg;

	if (silent) {
		vmm_note("the adb server has not listed the guest for %d s: the wait ends",
			 ADB_LISTS_WITHIN);
		vmm_instance_event(s->instance, "ADB_SILENT", NULL);
	}
	steering_ready(s);
}

/**
 * vmm_steering_wait_for_adb - delay the VM's readiness until adb can be used
 * @s: the VM; starts from a snapshot
 * @adb: the guest's ports for adb
 *
 * Return: 0, or -errno after a message
 */
int vmm_steering_wait_for_adb(struct vmm_steering *s, const struct vmm_adb *adb)
{
	s->listed = vmm_adb_listed_open(s->loop, adb, ADB_LISTS_WITHIN, steering_listed, s);
	s->hold.starts_up = true;
	return s->listed ? 0 : -EIO;
}

/**
 * vmm_steering_begin - call when a life of the guest begins
 * @s: the VM
 * @vm: the guest; all of it is there
 *
 * Return: 0, or -errno after a message
 */
int vmm_steering_begin(struct vmm_steering *s, struct vmm_vm *vm)
{
	int err = vmm_hold_begin(&s->hold, vm);

	if (err)
		return err;
	s->reset_asked = false;
	s->booted = false;
	vmm_guest_life(s->guest);
	vmm_instance_event(s->instance, "STARTED", json_pack("{s:i}", "resets", s->resets));
	vmm_instance_state(s->instance, vmm_hold_status(&s->hold));
	if (s->resets)
		return 0;
	if (s->listed)
		vmm_adb_listed_ask(s->listed);
	else
		steering_ready(s);
	return 0;
}

static void steering_shutdown(struct vmm_steering *s, json_t *data)
{
	s->shut_down = true;
	vmm_instance_event(s->instance, "SHUTDOWN", data);
	vmm_instance_state(s->instance, "shutdown");
}

/**
 * vmm_steering_settle - wait for the job at the end of a life, or end the process
 * @s: the VM
 * @end: how the guest has ended
 *
 * A job may go on for VMM_JOB_LAST_MS, but not at VMM_END_KILL. If it does not end, the process
 * ends here while threads are running: the VM's directory and sockets are removed, the terminal is
 * restored, and nothing is freed.
 */
void vmm_steering_settle(struct vmm_steering *s, enum vmm_end end)
{
	bool kill = end == VMM_END_KILL;

	if (vmm_hold_end(&s->hold, kill ? 0 : VMM_JOB_LAST_MS) && !kill)
		return;
	if (!kill)
		vmm_error(-ETIMEDOUT, "a device has not stopped in time");
	/* There will be no next life. */
	if (end == VMM_END_RESET || end == VMM_END_LOAD)
		end = vmm_ending_signal() ? VMM_END_SIGNAL : VMM_END_ERROR;
	vmm_steering_end(s, end);
	if (s->console)
		vmm_console_leave(s->console);
	vmm_file_threads_last(kill);
	vmm_ending_leave();
	_exit(vmm_steering_exit(end));
}

/**
 * vmm_steering_renew - put devices and RAM into their power-on state, or RAM into a snapshot's
 * @s: the VM, between two lives of the guest
 *
 * Context: main thread; serves the main loop meanwhile.
 * Return: VMM_END_RESET, or how the VM has ended
 */
enum vmm_end vmm_steering_renew(struct vmm_steering *s)
{
	int end = vmm_hold_renew(&s->hold);

	if (!end)
		end = vmm_loop_run(s->loop);
	if (end < 0)
		end = VMM_END_ERROR;
	vmm_steering_settle(s, end);
	return end;
}

/**
 * vmm_steering_end - call when a life of the guest has ended
 * @s: the VM; its @hold has ended or is not used any more
 * @end: how it ended
 */
void vmm_steering_end(struct vmm_steering *s, enum vmm_end end)
{
	json_t *data = json_pack("{s:b, s:s}", "guest",
				 !s->reset_asked && (end == VMM_END_OFF || end == VMM_END_RESET),
				 "reason", vmm_end_name(end));

	if (end == VMM_END_ERROR || end == VMM_END_PANIC)
		vmm_instance_event(s->instance, "CRASH", json_incref(data));
	if (vmm_steering_again(s, end)) {
		s->resets++;
		vmm_instance_event(s->instance, "RESET", data);
	} else {
		steering_shutdown(s, data);
	}
}

/**
 * vmm_steering_over - call when no life of the guest follows
 * @s: the VM; SHUTDOWN is sent, unless the end of the last life has sent it
 * @end: how it ended
 */
void vmm_steering_over(struct vmm_steering *s, enum vmm_end end)
{
	vmm_hold_over(&s->hold);
	if (!s->shut_down)
		steering_shutdown(s, json_pack("{s:b, s:s}", "guest", false, "reason",
					       vmm_end_name(end)));
}

/**
 * vmm_steering_booted - call when the guest has booted
 * @s: the VM
 * @how: what has shown it
 */
void vmm_steering_booted(struct vmm_steering *s, const char *how)
{
	if (s->booted || s->hold.state == VMM_HOLD_OFF)
		return;
	s->booted = true;
	vmm_instance_event(s->instance, "BOOTED", json_pack("{s:s}", "by", how));
}

static void guest_booted(void *arg)
{
	struct vmm_steering *s = arg;

	vmm_steering_booted(s, "guest");
	vmm_instance_event(s->instance, "BOOT_COMPLETED", NULL);
	if (s->boot_fd < 0)
		return;
	boot_timer_close(s);
	vmm_note("--quit-after-boot: the guest has booted");
	vmm_vm_end(s->hold.vm, VMM_END_ASKED);
}

static void guest_clipboard(void *arg)
{
	struct vmm_steering *s = arg;

	vmm_instance_event(s->instance, "CLIPBOARD", NULL);
}

/**
 * vmm_steering_guest - open guest services, if the command line asks for them
 * @s: the VM, before it has a board
 *
 * Return: 0, or -errno after a message
 */
int vmm_steering_guest(struct vmm_steering *s)
{
	static const struct vmm_guest_ops ops = {
		.booted = guest_booted, .clipboard = guest_clipboard,
	};

	if (!s->cfg->guest_services)
		return 0;
	/* ranchu-services connects to the control socket, which is in the VM's directory. */
	if (!vmm_instance_path(s->instance))
		return vmm_error(-ENOENT, "--guest-services needs the VM's directory");
	s->guest = vmm_guest_open(s->devices, &ops, s);
	return s->guest ? 0 : -ENOMEM;
}

/**
 * vmm_steering_directories - open the directories for snapshots and screenshots, if the command
 *	line has some
 * @s: the VM, before it has a board
 *
 * Return: 0, or -errno after a message
 */
int vmm_steering_directories(struct vmm_steering *s)
{
	if (!s->cfg->snapshots && !s->cfg->screenshots)
		return 0;
	/* The program that accesses the files connects to the VM's control socket. */
	if (!vmm_instance_path(s->instance))
		return vmm_error(-ENOENT, "--%s needs the VM's directory",
				 s->cfg->snapshots ? "snapshots" : "screenshots");
	s->directories = vmm_directory_link_open(s->instance, s->loop, s->cfg->snapshots,
						 s->cfg->screenshots);
	return s->directories ? 0 : -EIO;
}

/**
 * vmm_steering_again - return whether another life of the guest follows
 * @s: the VM
 * @end: how the guest ended
 *
 * Return: whether it does
 */
bool vmm_steering_again(const struct vmm_steering *s, enum vmm_end end)
{
	return end == VMM_END_LOAD ||
	       (end == VMM_END_RESET && (!s->cfg->no_reboot || s->reset_asked));
}

/**
 * vmm_end_name - name a way to end
 * @end: which
 *
 * Return: its name
 */
const char *vmm_end_name(enum vmm_end end)
{
	switch (end) {
	case VMM_END_OFF:
		return "power-off";
	case VMM_END_RESET:
		return "reset";
	case VMM_END_LOAD:
		return "snapshot load";
	case VMM_END_QUIT:
		return "console left";
	case VMM_END_ASKED:
		return "quit";
	case VMM_END_SIGNAL:
		return "signal";
	case VMM_END_KILL:
		return "killed";
	case VMM_END_PANIC:
		return "panic";
	case VMM_END_LATE:
		return "not booted in time";
	default:
		return "error";
	}
}

/**
 * vmm_steering_exit - return the exit code
 * @end: how the last guest ended
 *
 * Return: the exit code
 */
int vmm_steering_exit(enum vmm_end end)
{
	switch (end) {
	case VMM_END_OFF:
	case VMM_END_QUIT:
	case VMM_END_ASKED:
		return VMM_EXIT_OFF;
	case VMM_END_RESET:
		return VMM_EXIT_RESET;
	case VMM_END_PANIC:
		return VMM_EXIT_PANIC;
	case VMM_END_LATE:
		return VMM_EXIT_LATE;
	case VMM_END_SIGNAL:
		return 128 + vmm_ending_signal();
	case VMM_END_KILL:
		return 128 + SIGKILL;
	default:
		return VMM_EXIT_ERROR;
	}
}
