// SPDX-License-Identifier: GPL-2.0-only
/*
 * Pausing, saving and resetting a VM: see hold.h for the states. Everything runs in the main
 * thread, except for the functions that a job runs.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "control/hold.h"
#include "snapshot/snapshot.h"

/* Of each state: its name in "status", and whether a job uses the devices exclusively. */
static const struct {
	const char *status;
	bool devices;
} states[] = {
	[VMM_HOLD_OFF] = { "starting", false },
	[VMM_HOLD_RENEWING] = { "starting", true },
	[VMM_HOLD_RUNNING] = { "running", false },
	[VMM_HOLD_PARKING] = { "pausing", false },
	[VMM_HOLD_STOPPING] = { "pausing", true },
	[VMM_HOLD_HELD] = { "paused", false },
	[VMM_HOLD_SAVING] = { "saving", true },
	[VMM_HOLD_WRITING] = { "saving", false },
	[VMM_HOLD_STARTING] = { "resuming", true },
};

/**
 * vmm_hold_status - name a VM's state
 * @h: the VM
 *
 * Return: a word
 */
const char *vmm_hold_status(const struct vmm_hold *h)
{
	if (h->state == VMM_HOLD_RUNNING && h->starts_up)
		return "resuming";
	return states[h->state].status;
}

static u64 now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

/* Adds up the time in which vCPUs run. */
static void count_time(struct vmm_hold *h, bool runs)
{
	u64 now = now_ms();

	if (h->runs)
		h->ran += now - h->runs_since;
	h->runs = runs;
	h->runs_since = now;
}

static void enter(struct vmm_hold *h, enum vmm_hold_state state)
{
	h->state = state;
	count_time(h, state == VMM_HOLD_RUNNING || state == VMM_HOLD_PARKING);
	vmm_loop_hold(h->vm->loop, states[state].devices);
	vmm_instance_state(h->instance, vmm_hold_status(h));
}

/* The loop stops serving the devices before the job starts. */
static int job_enter(struct vmm_hold *h, enum vmm_hold_state state, void (*fn)(void *arg),
		     vmm_loop_fn done)
{
	enum vmm_hold_state was = h->state;
	int err;

	enter(h, state);
	err = vmm_job_start(&h->job, h->loop, fn, done, h);
	if (err)
		enter(h, was);
	return err;
}

static void answer(struct vmm_hold *h)
{
	if (h->call)
		vmm_instance_answer(h->instance, h->call, &h->answer);
	else
		json_decref(h->answer.result);
	h->answer = (struct vmm_answer){ 0 };
	h->call = 0;
}

static void answer_failed(struct vmm_hold *h, const char *why)
{
	json_decref(h->answer.result);
	h->answer.result = NULL;
	vmm_answer_fail(&h->answer, EIO, "%s", why);
	answer(h);
}

static void run_vcpus(struct vmm_hold *h)
{
	vmm_vm_resume(h->vm);
	enter(h, VMM_HOLD_RUNNING);
}

/* ---- resuming devices ---- */

static void start_devices(void *arg)
{
	struct vmm_hold *h = arg;

	vmm_board_resume(h->vm);
}

static int started(void *arg)
{
	struct vmm_hold *h = arg;

	run_vcpus(h);
	if (h->paused)
		vmm_instance_event(h->instance, "RESUMED", NULL);
	h->paused = false;
	answer(h);
	return 0;
}

/* ---- saving the VM ---- */

static void saving_end(struct vmm_hold *h)
{
	unsigned int i;

	if (!h->saving)
		return;
	vmm_saving_free(h->saving);
	h->saving = NULL;
	for (i = 0; i < VMM_LINES_FILES; i++) {
		if (h->files[i])
			close(h->files[i]);
	}
}

/* Called after success and failure; resumes the VM if it was paused only for saving. */
static int saved(void *arg)
{
	struct vmm_hold *h = arg;

	enter(h, VMM_HOLD_HELD);
	if (h->err)
		vmm_answer_fail(&h->answer, EIO, "%s", h->why);
	else
		h->answer.result = vmm_saving_body(h->saving);
	json_object_set_new(h->answer.result, "ran", json_integer(h->ran));
	saving_end(h);
	if (h->reset) {
		vmm_vm_end(h->vm, VMM_END_RESET);
		return 0;
	}
	if (!h->paused && !job_enter(h, VMM_HOLD_STARTING, start_devices, started))
		return 0;
	if (!h->paused)
		vmm_instance_event(h->instance, "PAUSED", NULL);
	h->paused = true;
	answer(h);
	return 0;
}

static int save_fails(struct vmm_hold *h)
{
	h->err = -EIO;
	snprintf(h->why, sizeof(h->why), "%s", vmm_error_last());
	return saved(h);
}

/* The last message of this thread is the reason. */
static void saving_went(struct vmm_hold *h, int err)
{
	h->err = err;
	if (err)
		snprintf(h->why, sizeof(h->why), "%s", vmm_error_last());
}

static void write_ram(void *arg)
{
	struct vmm_hold *h = arg;

	saving_went(h, vmm_saving_ram(h->saving));
}

static void save_state(void *arg)
{
	struct vmm_hold *h = arg;

	saving_went(h, vmm_saving_state(h->saving));
}

static int state_saved(void *arg)
{
	struct vmm_hold *h = arg;

	if (h->err)
		return saved(h);
	return job_enter(h, VMM_HOLD_WRITING, write_ram, saved) ? save_fails(h) : 0;
}

static int save(struct vmm_hold *h)
{
	return job_enter(h, VMM_HOLD_SAVING, save_state, state_saved) ? save_fails(h) : 0;
}

/* ---- stopping vCPUs and devices ---- */

static void stop_devices(void *arg)
{
	struct vmm_hold *h = arg;

	vmm_board_pause(h->vm);
}

static int stopped(void *arg)
{
	struct vmm_hold *h = arg;

	enter(h, VMM_HOLD_HELD);
	if (h->saving)
		return save(h);
	vmm_instance_event(h->instance, "PAUSED", NULL);
	answer(h);
	return 0;
}

static int parked(void *arg)
{
	struct vmm_hold *h = arg;

	vmm_event_clear(h->vm->parked_fd);
	if (h->state != VMM_HOLD_PARKING || !vmm_vm_paused(h->vm) || vmm_vm_ended(h->vm))
		return 0;
	if (!job_enter(h, VMM_HOLD_STOPPING, stop_devices, stopped))
		return 0;
	h->paused = false;
	saving_end(h);
	run_vcpus(h);
	answer_failed(h, vmm_error_last());
	return 0;
}

static int park(struct vmm_hold *h, u64 call)
{
	h->call = call;
	enter(h, VMM_HOLD_PARKING);
	vmm_vm_pause(h->vm);
	return VMM_COMMAND_LATER;
}

/* ---- commands ---- */

/* Returns 0 if the VM runs or is held, and no change of state and no end is in progress. */
static int is_free(const struct vmm_hold *h)
{
	if (h->state <= VMM_HOLD_RENEWING || vmm_vm_ended(h->vm))
		return -EAGAIN;
	return h->state == VMM_HOLD_RUNNING || h->state == VMM_HOLD_HELD ? 0 : -EBUSY;
}

/**
 * vmm_hold_devices - check whether devices can be used
 * @h: the VM
 *
 * Return: 0; -EAGAIN if there is no guest, or -EBUSY while a job uses them exclusively
 */
int vmm_hold_devices(const struct vmm_hold *h)
{
	if (h->state <= VMM_HOLD_RENEWING)
		return -EAGAIN;
	return states[h->state].devices ? -EBUSY : 0;
}

/**
 * vmm_hold_pause - pause a VM
 * @h: the VM
 * @call: command that is answered when the VM is paused
 *
 * Return: VMM_COMMAND_LATER, or -EALREADY, or as vmm_hold_devices()
 */
int vmm_hold_pause(struct vmm_hold *h, u64 call)
{
	int err = is_free(h);

	if (err)
		return err;
	if (h->paused)
		return -EALREADY;
	h->paused = true;
	return park(h, call);
}

/**
 * vmm_hold_resume - resume a VM
 * @h: the VM
 * @call: command that is answered when the VM runs
 *
 * Return: as vmm_hold_pause(), or another -errno after a message
 */
int vmm_hold_resume(struct vmm_hold *h, u64 call)
{
	int err = is_free(h);

	if (err)
		return err;
	if (!h->paused)
		return -EALREADY;
	err = job_enter(h, VMM_HOLD_STARTING, start_devices, started);
	if (err)
		return err;
	h->call = call;
	return VMM_COMMAND_LATER;
}

/**
 * vmm_hold_snapshot - save a VM
 * @h: the VM
 * @files: VMM_LINES_FILES files, 0 for none: state, RAM, and one for each disk; owned by @h unless
 *	this fails
 * @changes: save only the changed pages of RAM
 * @call: command that is answered when the VM is saved, and in its former state
 *
 * Return: as vmm_hold_pause()
 */
int vmm_hold_snapshot(struct vmm_hold *h, const int *files, bool changes, u64 call)
{
	struct vmm_snapshot_files where = {
		.state = files[0], .ram = files[1], .changes = changes,
	};
	int err = is_free(h);

	if (err)
		return err;
	memcpy(where.disk, files + 2, sizeof(where.disk));
	h->saving = vmm_saving_create(h->vm, h->images, &where);
	if (!h->saving)
		return -ENOMEM;
	memcpy(h->files, files, sizeof(h->files));
	if (!h->paused)
		return park(h, call);
	h->call = call;
	save(h);
	return VMM_COMMAND_LATER;
}

/**
 * vmm_hold_reset - reset the guest
 * @h: the VM; writing RAM to a snapshot is cancelled. Nothing is done if the guest is about to
 *	start, because the client cannot know that it has reset itself
 *
 * Return: 0, or -EBUSY while a job uses the devices exclusively
 */
int vmm_hold_reset(struct vmm_hold *h)
{
	int err;

	if (h->state <= VMM_HOLD_RENEWING)
		return 0;
	err = vmm_hold_devices(h);
	if (err)
		return err;
	h->reset = h->state == VMM_HOLD_WRITING;
	if (h->reset)
		vmm_saving_stop(h->saving);
	else
		vmm_vm_end(h->vm, VMM_END_RESET);
	return 0;
}

/* ---- lives of the guest ---- */

/**
 * vmm_hold_begin - call when a life of the guest begins
 * @h: @loop, @instance and @images are set
 * @vm: the guest
 *
 * Return: 0, or -errno after a message
 */
int vmm_hold_begin(struct vmm_hold *h, struct vmm_vm *vm)
{
	int err = vmm_loop_add(h->loop, vm->parked_fd, parked, h);

	if (err)
		return err;
	h->vm = vm;
	h->paused = false;
	h->reset = false;
	h->devices_stopped = false;
	h->state = VMM_HOLD_RUNNING;
	count_time(h, true);
	return 0;
}

/**
 * vmm_hold_end - call when a life of the guest has ended, in any state, or will not begin
 * @h: the VM
 * @ms: timeout for a job, in milliseconds
 *
 * Does not resume devices that are paused.
 *
 * Return: whether the job has ended, if there was one: see vmm_job_abandon()
 */
bool vmm_hold_end(struct vmm_hold *h, int ms)
{
	if (h->state == VMM_HOLD_OFF)
		return true;
	if (h->call)
		answer_failed(h, "the guest has ended");
	vmm_saving_stop(h->saving);
	if (!vmm_job_abandon(&h->job, ms))
		return false;
	saving_end(h);
	vmm_loop_del(h->loop, h->vm->parked_fd);
	/* If a job was resuming the devices, it has completed. */
	h->devices_stopped = h->state >= VMM_HOLD_STOPPING && h->state != VMM_HOLD_STARTING;
	h->state = VMM_HOLD_OFF;
	count_time(h, false);
	vmm_loop_hold(h->vm->loop, false);
	return true;
}

/* Resumes paused devices first, because only running devices can be reset. */
static void renew(void *arg)
{
	struct vmm_hold *h = arg;

	if (h->devices_stopped)
		vmm_board_resume(h->vm);
	vmm_board_reset(h->vm);
	h->err = vmm_mem_clear(&h->vm->mem);
}

static int renewed(void *arg)
{
	struct vmm_hold *h = arg;

	h->state = VMM_HOLD_OFF;
	vmm_loop_hold(h->vm->loop, false);
	return h->err ? VMM_END_ERROR : VMM_END_RESET;
}

/**
 * vmm_hold_renew - put devices and RAM into their power-on state
 * @h: the VM between two lives; vmm_hold_end() waits for this job as well
 *
 * The main loop returns VMM_END_RESET when the next life can begin.
 *
 * Return: 0, or -errno after a message
 */
int vmm_hold_renew(struct vmm_hold *h)
{
	vmm_vm_renew(h->vm);
	return job_enter(h, VMM_HOLD_RENEWING, renew, renewed);
}
