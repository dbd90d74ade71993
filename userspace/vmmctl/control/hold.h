/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Holding a VM: its vCPUs stand still, then its devices do; it is saved, or left as it is;
 * and then devices and vCPUs go on. A module of the kernel, a disk or another process may
 * take its time with that, so each step that asks them is a job (machine/job.c, marked *),
 * and the main loop goes on serving everybody but the devices.
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
 * A guest's end leads from every state to OFF.
 *
 * Which command is taken in which state (x), refused (-EBUSY), or taken and done after the
 * job (+). In OFF and RENEWING stop, kill and quit are taken, reset is as good as done, and
 * all others are refused (-EAGAIN):
 *
 *			RUNNING PARKING STOPPING HELD SAVING WRITING STARTING
 *	stop, kill, quit   x       x       x      x     x       x       x
 *	reset              x       x              x             +
 *	pause, resume,
 *	snapshot           x                      x
 *	device, statistics,
 *	guest-services     x       x              x             x
 *	screen, screenshot x       x       x      x     x       x       x
 *
 * While a job has the devices, the screen is the last frame.
 */
#ifndef HOLD_H
#define HOLD_H

#include "control/instance.h"
#include "machine/machine.h"

struct vmm_images;
struct vmm_saving;

enum vmm_hold_state {
	VMM_HOLD_OFF,		/* no guest */
	VMM_HOLD_RENEWING,	/* job: devices and RAM become as at power-on */
	VMM_HOLD_RUNNING,
	VMM_HOLD_PARKING,	/* vCPUs are told to stand still */
	VMM_HOLD_STOPPING,	/* job: so are devices */
	VMM_HOLD_HELD,
	VMM_HOLD_SAVING,	/* job: the state of vCPUs and devices is written */
	VMM_HOLD_WRITING,	/* job: RAM and disks are written */
	VMM_HOLD_STARTING,	/* job: devices go on */
};

/**
 * struct vmm_hold - a VM that can be held
 * @loop: the main loop
 * @instance: who is told; set by the caller, as @loop and @images
 * @images: of the disks
 * @vm: the VM, valid from the first life on
 * @state: what it does
 * @starts_up: vCPUs run, but adb does not list the guest yet; set by the caller
 * @paused: it stays held until somebody has it go on
 * @devices_stopped: a life has ended with devices that do not run
 * @reset: the guest is to start anew when the job is over
 * @runs: vCPUs run, since @runs_since
 * @runs_since: ms of a clock that nobody sets
 * @ran: ms that they ran before, in all lives; set by the caller for a VM that goes on
 * @call: a command that waits for an answer, or 0
 * @answer: its answer, once that is known
 * @saving: the VM as it is saved, or NULL
 * @files: where to, while there is @saving; 0 for none
 * @job: what is done now
 * @err: how the job went
 * @why: the same in words
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
int vmm_hold_reset(struct vmm_hold *h);

#endif /* HOLD_H */
