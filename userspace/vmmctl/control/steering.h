/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Steering a VM from outside: what the commands of the control socket do to it, what
 * is told of it, and how it ends.
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
	VMM_EXIT_OFF = 0,	/* the guest switched itself off, or the user left it */
	VMM_EXIT_ERROR = 1,	/* the host: a message says what */
	VMM_EXIT_USAGE = 2,	/* the command line */
	VMM_EXIT_RESET = 3,	/* the guest asked for a reset, with --no-reboot */
	VMM_EXIT_PANIC = 4,	/* the guest panicked */
};

/**
 * struct vmm_steering - a VM that is steered
 * @cfg: the command line
 * @loop: the main thread's loop
 * @devices: the devices', inside it
 * @console: the terminal, or NULL
 * @stats: where snapshots go
 * @instance: the VM as others see it
 * @hold: the guest, and whether it is held; @loop, @instance and @images are the same
 * @since: when it was started, by a clock that nobody sets
 * @every_fd: timer of --stats-every, or -1
 * @listed: asks adb's server about a guest that goes on from a snapshot, or NULL
 * @shot: a picture of the screen that is being written, or NULL
 * @shot_call: a command that waits for it
 * @guest: the guest services, or NULL
 * @directories: the directories of snapshots and pictures, or NULL
 * @reset_asked: the reset was asked for from outside
 * @booted: the guest's system was seen to be up
 * @resets: how often the guest started anew
 * @shut_down: others were told that the VM ends
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
	struct vmm_adb_listed *listed;
	struct vmm_shot *shot;
	u64 shot_call;
	struct vmm_guest *guest;
	struct vmm_directory_link *directories;
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
