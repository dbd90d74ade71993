/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Steering a VM from outside: what the commands of the control socket do to it, what
 * is told of it, and how it ends.
 */
#ifndef STEERING_H
#define STEERING_H

#include <time.h>

#include "control/instance.h"
#include "host/image.h"
#include "host/vsock.h"
#include "machine/machine.h"

struct vmm_saving;

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
 * @console: the terminal, or NULL
 * @stats: where snapshots go
 * @instance: the VM as others see it
 * @vm: the guest that runs, or NULL
 * @since: when it was started, by a clock that nobody sets
 * @every_fd: timer of --stats-every, or -1
 * @pause_call: a command that waits for the vCPUs to stand still, or 0
 * @devices_paused: so are the devices
 * @images: of the disks
 * @saving: a command that waits for the VM to be saved, or 0
 * @job: which is done now, or NULL
 * @files: where to
 * @changes: only the changes of RAM
 * @listed: asks adb's server about a guest that goes on from a snapshot, or NULL
 * @resuming: it has not answered yet, so that the VM is not said to be ready
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
	struct vmm_console *console;
	struct vmm_stats *stats;
	struct vmm_instance *instance;
	struct vmm_vm *vm;
	struct timespec since;
	int every_fd;
	u64 pause_call;
	bool devices_paused;
	const struct vmm_images *images;
	u64 saving;
	struct vmm_saving *job;
	int files[VMM_LINES_FILES];
	bool changes;
	struct vmm_adb_listed *listed;
	bool resuming;
	struct vmm_guest *guest;
	struct vmm_directory_link *directories;
	bool reset_asked;
	bool booted;
	unsigned int resets;
	bool shut_down;
};

int vmm_steering_open(struct vmm_steering *s);
void vmm_steering_close(struct vmm_steering *s);
int vmm_steering_wait_for_adb(struct vmm_steering *s, const struct vmm_adb *adb);
int vmm_steering_begin(struct vmm_steering *s, struct vmm_vm *vm);
void vmm_steering_end(struct vmm_steering *s, enum vmm_end end);
void vmm_steering_over(struct vmm_steering *s, enum vmm_end end);
void vmm_steering_booted(struct vmm_steering *s, const char *how);
int vmm_steering_guest(struct vmm_steering *s);
int vmm_steering_directories(struct vmm_steering *s);
bool vmm_steering_again(const struct vmm_steering *s, enum vmm_end end);
int vmm_steering_exit(enum vmm_end end);
const char *vmm_end_name(enum vmm_end end);

#endif /* STEERING_H */
