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
#include "host/ending.h"
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
	[VMM_HOLD_LOADING] = { "loading", true },
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

static void files_close(struct vmm_hold *h)
{
	unsigned int i;

	for (i = 0; i < VMM_LINES_FILES; i++) {
		if (h->files[i])
			close(h->files[i]);
		h->files[i] = 0;
	}
}

/* Nothing is saved or checked any more. */
static void saving_end(struct vmm_hold *h)
{
	vmm_saving_free(h->saving);
	h->saving = NULL;
	h->load = false;
	files_close(h);
}

/* Resumes the VM if it was paused only for a snapshot, and answers. */
static int go_on(struct vmm_hold *h)
{
	if (!h->paused && !job_enter(h, VMM_HOLD_STARTING, start_devices, started))
		return 0;
	if (!h->paused)
		vmm_instance_event(h->instance, "PAUSED", NULL);
	h->paused = true;
	answer(h);
	return 0;
}

/* Called after success and failure. */
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
	return go_on(h);
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

/* ---- loading a snapshot ---- */

static void loading_drop(struct vmm_hold *h)
{
	vmm_snapshot_close(h->loading);
	h->loading = NULL;
	h->loads = false;
}

static void check_load(void *arg)
{
	struct vmm_hold *h = arg;
	unsigned int count = 0;

	while (count < VMM_LINES_FILES && h->files[count])
		count++;
	h->loading = vmm_snapshot_given(h->files, count);
	saving_went(h, h->loading ? vmm_snapshot_back_fits(h->loading, h->vm, h->images) :
				    -EINVAL);
}

/* The client is answered when the snapshot's life has begun, or at once if there is none. */
static int load_checked(void *arg)
{
	struct vmm_hold *h = arg;

	enter(h, VMM_HOLD_HELD);
	saving_end(h);
	if (h->err) {
		loading_drop(h);
		vmm_answer_fail(&h->answer, EIO, "%s", h->why);
		return go_on(h);
	}
	h->loads = true;
	vmm_vm_end(h->vm, VMM_END_LOAD);
	return 0;
}

static int load(struct vmm_hold *h)
{
	if (!job_enter(h, VMM_HOLD_LOADING, check_load, load_checked))
		return 0;
	saving_went(h, -EIO);
	return load_checked(h);
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
	if (h->load)
		return load(h);
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
 * vmm_hold_load - load a snapshot
 * @h: the VM
 * @files: VMM_LINES_FILES files, 0 for none: manifest, states, RAM, and of each disk that was
 *	saved; owned by @h unless this fails
 * @call: command that is answered when the snapshot's guest runs, or when the guest goes on
 *	because the snapshot is refused
 *
 * Return: as vmm_hold_pause()
 */
int vmm_hold_load(struct vmm_hold *h, const int *files, u64 call)
{
	int err = is_free(h);

	if (err)
		return err;
	memcpy(h->files, files, sizeof(h->files));
	h->load = true;
	if (!h->paused)
		return park(h, call);
	h->call = call;
	load(h);
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

/* The snapshot's guest is about to run. Its files stay open as long as it has RAM from them. */
static void load_is_done(struct vmm_hold *h)
{
	vmm_manifest_number(vmm_snapshot_body(h->loaded), "ran", VMM_RAN_MAX, &h->ran);
	h->loads = false;
	answer(h);
}

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
	if (h->loads)
		load_is_done(h);
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
	if (h->call && !h->loads)
		answer_failed(h, "the guest has ended");
	vmm_saving_stop(h->saving);
	if (!vmm_job_abandon(&h->job, ms))
		return false;
	saving_end(h);
	if (!h->loads)
		loading_drop(h);
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
	if (h->loads)
		saving_went(h, vmm_snapshot_back(h->loading, h->vm, h->images));
	else
		h->err = vmm_mem_clear(&h->vm->mem);
}

static int renewed(void *arg)
{
	struct vmm_hold *h = arg;

	h->state = VMM_HOLD_OFF;
	vmm_loop_hold(h->vm->loop, false);
	/* Nothing of RAM is from the former snapshot any more. */
	vmm_snapshot_close(h->loaded);
	h->loaded = h->loading;
	h->loading = NULL;
	h->vm->ram_fd = h->loaded ? vmm_snapshot_ram(h->loaded) : -1;
	h->vm->changes_fd = -1;
	return h->err ? VMM_END_ERROR : VMM_END_RESET;
}

/**
 * vmm_hold_renew - put devices and RAM into their power-on state, or RAM into a snapshot's
 * @h: the VM between two lives; vmm_hold_end() waits for this job as well
 *
 * The main loop returns VMM_END_RESET when the next life can begin.
 *
 * Return: 0, or -errno after a message
 */
int vmm_hold_renew(struct vmm_hold *h)
{
	vmm_vm_renew(h->vm);
	if (h->loads)
		vmm_ending_ram(&h->vm->mem);
	return job_enter(h, VMM_HOLD_RENEWING, renew, renewed);
}

/**
 * vmm_hold_loaded - return the snapshot with whose states the next life begins
 * @h: the VM between two lives, renewed
 *
 * Return: the snapshot, or NULL if the guest boots
 */
struct vmm_snapshot *vmm_hold_loaded(const struct vmm_hold *h)
{
	return h->loads ? h->loaded : NULL;
}

/**
 * vmm_hold_over - call when no life of the guest follows
 * @h: the VM; who waits for a load is told why there is none
 */
void vmm_hold_over(struct vmm_hold *h)
{
	const char *why = h->err ? h->why : vmm_error_last();

	if (h->call)
		answer_failed(h, *why ? why : "the VM has ended");
}

/**
 * vmm_hold_close - close a snapshot that was loaded
 * @h: the VM; its RAM is not used any more
 */
void vmm_hold_close(struct vmm_hold *h)
{
	loading_drop(h);
	vmm_snapshot_close(h->loaded);
	h->loaded = NULL;
}
