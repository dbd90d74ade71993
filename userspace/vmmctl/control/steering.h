/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Control of a VM from outside: what the commands of the control socket do, which events are sent,
 * and how the VM ends.
 */
#ifndef STEERING_H
#define STEERING_H

#include <time.h>

#include "control/hold.h"
#include "host/image.h"
#include "host/vsock.h"
#include "machine/machine.h"

/* Exit codes of `vmmctl run`; 128 and a signal's number where a signal ended it. */
enum vmm_exit {
	VMM_EXIT_OFF = 0,	/* the guest switched itself off, or the user left the console */
	VMM_EXIT_ERROR = 1,	/* an error of the host, after a message */
	VMM_EXIT_USAGE = 2,	/* the command line or the configuration file is wrong */
	VMM_EXIT_RESET = 3,	/* the guest asked for a reset, with --no-reboot */
	VMM_EXIT_PANIC = 4,	/* the guest panicked */
	VMM_EXIT_LATE = 5,	/* the guest has not booted in time, with --quit-after-boot */
};

/**
 * struct vmm_steering - the control of a VM
 * @cfg: the command line
 * @loop: the main thread's loop
 * @devices: the loop of devices, inside @loop
 * @console: the terminal, or NULL
 * @stats: writes statistics
 * @instance: the outside view of the VM
 * @hold: the guest and its state; its @loop, @instance and @images are the same
 * @since: when vmmctl was started, by a monotonic clock
 * @every_fd: timer of --stats-every, or -1
 * @boot_fd: timer of --quit-after-boot, or -1
 * @listed: query of the adb server for a guest that starts from a snapshot, or NULL
 * @shot: a screenshot that is being written, or NULL
 * @shot_call: the command that waits for it
 * @guest: the guest services, or NULL
 * @directories: the directories of snapshots and screenshots, or NULL
 * @console_port: TCP port of the emulator's console, 0 for none
 * @reset_asked: a command has requested the reset
 * @booted: the guest has booted
 * @resets: resets so far
 * @shut_down: SHUTDOWN was sent
 */
struct vmm_steering {
	const struct vmm_config *cfg;
	struct vmm_loop *loop;
	struct vmm_loop *devices;
	struct vmm_console *console;
	struct vmm_stats *stats;
	struct vmm_instance *instance;
	struct vmm_hold hold;
	struct timespec since;
	int every_fd;
	int boot_fd;
	struct vmm_adb_listed *listed;
	struct vmm_shot *shot;
	u64 shot_call;
	struct vmm_guest *guest;
	struct vmm_directory_link *directories;
	unsigned int console_port;
	bool reset_asked;
	bool booted;
	unsigned int resets;
	bool shut_down;
};

int vmm_steering_open(struct vmm_steering *s);
void vmm_steering_vm(struct vmm_steering *s, struct vmm_vm *vm);
void vmm_steering_close(struct vmm_steering *s);
int vmm_steering_wait_for_adb(struct vmm_steering *s, const struct vmm_adb *adb);
int vmm_steering_begin(struct vmm_steering *s, struct vmm_vm *vm);
void vmm_steering_settle(struct vmm_steering *s, enum vmm_end end);
enum vmm_end vmm_steering_renew(struct vmm_steering *s);
void vmm_steering_end(struct vmm_steering *s, enum vmm_end end);
void vmm_steering_over(struct vmm_steering *s, enum vmm_end end);
void vmm_steering_booted(struct vmm_steering *s, const char *how);
int vmm_steering_guest(struct vmm_steering *s);
int vmm_steering_directories(struct vmm_steering *s);
bool vmm_steering_again(const struct vmm_steering *s, enum vmm_end end);
int vmm_steering_exit(enum vmm_end end);
const char *vmm_end_name(enum vmm_end end);

#endif /* STEERING_H */
