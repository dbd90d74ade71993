/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Holding a VM: its vCPUs stop, then its devices; it is saved, or stays paused; then devices and
 * vCPUs are resumed. A kernel module, a disk or another process may take long for that, so each
 * step that depends on them is a job (machine/job.c, marked *), and the main loop goes on serving
 * everything but the devices.
 *
 *	  OFF ----------------- a guest starts --------------> RUNNING
 *	   |^                                                 |  ^
 *	   v|                                pause, snapshot  v  |  all devices run
 *	RENEWING*                                      PARKING   STARTING*
 *	 between two lives                                 |       ^
 *	                           all vCPUs stand still   v       |  resume, or held
 *	                                           STOPPING* --> HELD  for a snapshot only
 *	                                                         |  ^
 *	                                                snapshot v  |
 *	                                                 SAVING* --> WRITING*
 *
 * The end of a guest leads from every state to OFF.
 *
 * Commands by state: accepted (x), accepted and done after the job (+), else refused (-EBUSY). In
 * OFF and RENEWING, stop, kill and quit are accepted, reset succeeds without doing anything, and
 * all others are refused (-EAGAIN):
 *
 *			RUNNING PARKING STOPPING HELD SAVING WRITING STARTING
 *	stop, kill, quit   x       x       x      x     x       x       x
 *	reset              x       x              x             +
 *	pause, resume,
 *	snapshot, load     x                      x
 *	device, statistics,
 *	guest-services     x       x              x             x
 *	screen, screenshot x       x       x      x     x       x       x
 *
 * A load goes the way of a snapshot: in LOADING*, which is as SAVING*, it is checked whether
 * the snapshot fits. If it does not, the guest goes on as after a snapshot. If it does, this life
 * of the guest ends (VMM_END_LOAD), RENEWING* puts the snapshot's content into RAM and disks, and
 * the next life begins with the snapshot's states. If anything fails from the end of the old life
 * on, the VM ends.
 *
 * While a job uses the devices, the screen shows the last frame.
 */
#ifndef HOLD_H
#define HOLD_H

#include "control/instance.h"
#include "machine/machine.h"

struct vmm_images;
struct vmm_saving;
struct vmm_snapshot;

enum vmm_hold_state {
	VMM_HOLD_OFF,		/* no guest */
	VMM_HOLD_RENEWING,	/* job: devices and RAM are reset */
	VMM_HOLD_RUNNING,
	VMM_HOLD_PARKING,	/* vCPUs are being stopped */
	VMM_HOLD_STOPPING,	/* job: devices are being stopped */
	VMM_HOLD_HELD,
	VMM_HOLD_LOADING,	/* job: it is checked whether a snapshot fits */
	VMM_HOLD_SAVING,	/* job: the state of vCPUs and devices is written */
	VMM_HOLD_WRITING,	/* job: RAM and disks are written */
	VMM_HOLD_STARTING,	/* job: devices are being resumed */
};

/**
 * struct vmm_hold - a VM that can be held
 * @loop: the main loop
 * @instance: gets events and answers; set by the caller, as @loop and @images
 * @images: images of the disks
 * @vm: the VM, valid from the first life on
 * @state: state of the VM
 * @starts_up: vCPUs run, but the adb server does not list the guest yet; set by the caller
 * @paused: it stays held until a command resumes it
 * @devices_stopped: a life has ended with paused devices
 * @reset: the guest is to be reset when the job is over
 * @runs: vCPUs run, since @runs_since
 * @runs_since: milliseconds of a monotonic clock
 * @ran: milliseconds that vCPUs ran before, in all lives; set by the caller for a loaded VM
 * @call: a command that waits for an answer, or 0
 * @answer: the answer to it, when it is known
 * @saving: the state of saving, or NULL
 * @files: files for @saving, or of a snapshot to load; 0 for none
 * @load: a snapshot is to be loaded
 * @loads: it fits: the next life begins with it
 * @loading: that snapshot, or NULL before it was opened
 * @loaded: the snapshot that RAM was mapped from last, or NULL
 * @job: the current job
 * @err: result of the job
 * @why: text of @err
 */
struct vmm_hold {
	struct vmm_loop *loop;
	struct vmm_instance *instance;
	const struct vmm_images *images;
	struct vmm_vm *vm;
	enum vmm_hold_state state;
	bool starts_up;
	bool paused;
	bool devices_stopped;
	bool reset;
	bool runs;
	u64 runs_since;
	u64 ran;
	u64 call;
	struct vmm_answer answer;
	struct vmm_saving *saving;
	int files[VMM_LINES_FILES];
	bool load;
	bool loads;
	struct vmm_snapshot *loading;
	struct vmm_snapshot *loaded;
	struct vmm_job job;
	int err;
	char why[VMM_ANSWER_ERROR];
};

int vmm_hold_begin(struct vmm_hold *h, struct vmm_vm *vm);
bool vmm_hold_end(struct vmm_hold *h, int ms);
int vmm_hold_renew(struct vmm_hold *h);
int vmm_hold_devices(const struct vmm_hold *h);
const char *vmm_hold_status(const struct vmm_hold *h);
int vmm_hold_pause(struct vmm_hold *h, u64 call);
int vmm_hold_resume(struct vmm_hold *h, u64 call);
int vmm_hold_snapshot(struct vmm_hold *h, const int *files, bool changes, u64 call);
int vmm_hold_load(struct vmm_hold *h, const int *files, u64 call);
int vmm_hold_reset(struct vmm_hold *h);
struct vmm_snapshot *vmm_hold_loaded(const struct vmm_hold *h);
void vmm_hold_over(struct vmm_hold *h);
void vmm_hold_close(struct vmm_hold *h);

#endif /* HOLD_H */
