// SPDX-License-Identifier: GPL-2.0-only
/*
 * All virtio devices of a VM, independent of their transport. Places are assigned in the order of
 * the table below, because guests find disks by their places. A device whose option names a place
 * gets it; the other devices skip that place.
 */
#include <endian.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "devices/devices.h"
#include "virtio/models.h"

/* In the order of the reference's command line: storage, network, the others. */
static const struct vmm_virtio_ops *const virtio_models[] = {
	&vmm_blk_ops,
	&vmm_scsi_ops,
	&vmm_net_ops,
	&vmm_vhost_user_ops,
	&vmm_vdpa_ops,
	&vmm_vsock_ops,
	&vmm_rng_ops,
	&vmm_balloon_ops,
	&vmm_hvc_ops,
	&vmm_keyboard_ops,
	&vmm_touch_ops,
	&vmm_sound_ops,
};

/* The place that the config names for a device, or -1 for none. */
static int place_wanted(const struct vmm_config *cfg, const struct vmm_virtio_ops *ops,
			unsigned int index)
{
	return ops->transport ? ops->transport(cfg, index)->slot : -1;
}

static int assign_one(const struct vmm_config *cfg, vmm_virtio_next next,
		      struct vmm_virtio_place *at, const struct vmm_virtio_ops *ops,
		      unsigned int index)
{
	int slot = place_wanted(cfg, ops, index);

	if (slot >= 0 && at[slot].ops)
		return vmm_error(-EBUSY, "two virtio devices have slot %d", slot);
	if (slot < 0)
		slot = next(at, ops);
	if (slot < 0)
		return vmm_error(-ENOSPC, "more virtio devices than transports");
	at[slot] = (struct vmm_virtio_place){ .ops = ops, .index = index };
	return 0;
}

/* Assigns places to all devices whose option names one, or to all others. */
static int assign_some(const struct vmm_config *cfg, vmm_virtio_next next,
		       struct vmm_virtio_place *at, bool named)
{
	unsigned int i;
	unsigned int j;
	int err = 0;

	for (i = 0; i < ARRAY_SIZE(virtio_models); i++) {
		for (j = 0; !err && j < virtio_models[i]->count(cfg); j++) {
			bool names = place_wanted(cfg, virtio_models[i], j) >= 0;

			if (names == named)
				err = assign_one(cfg, next, at, virtio_models[i], j);
		}
	}
	return err;
}

/**
 * vmm_virtio_assign - assign places to all devices, first to those whose option names one
 * @cfg: has all devices
 * @next: finds a place for another device
 * @at: filled
 *
 * Return: 0, or -errno after a message
 */
int vmm_virtio_assign(const struct vmm_config *cfg, vmm_virtio_next next,
		      struct vmm_virtio_place at[VMM_VIRTIO_PLACES])
{
	int err;

	memset(at, 0, VMM_VIRTIO_PLACES * sizeof(*at));
	err = assign_some(cfg, next, at, true);
	return err ? err : assign_some(cfg, next, at, false);
}

/**
 * vmm_virtio_place_of - return the place of a device
 * @at: from vmm_virtio_assign()
 * @ops: its model
 * @index: which of the config's devices of that model; it must exist
 *
 * Return: its place
 */
int vmm_virtio_place_of(const struct vmm_virtio_place *at, const struct vmm_virtio_ops *ops,
			unsigned int index)
{
	int slot = 0;

	while (at[slot].ops != ops || at[slot].index != index)
		slot++;
	return slot;
}

/**
 * vmm_virtio_plug_all - create all devices, in the order of their models
 * @cfg: has them
 * @next: as for vmm_virtio_assign()
 * @plug: creates one; 0, or -errno after a message
 * @arg: first argument of @plug
 *
 * Return: 0, or the first -errno
 */
int vmm_virtio_plug_all(const struct vmm_config *cfg, vmm_virtio_next next,
			int (*plug)(void *arg, const struct vmm_virtio_ops *ops,
				    unsigned int index, unsigned int slot), void *arg)
{
	struct vmm_virtio_place at[VMM_VIRTIO_PLACES];
	unsigned int i;
	unsigned int j;
	int err;

	err = vmm_virtio_assign(cfg, next, at);
	for (i = 0; i < ARRAY_SIZE(virtio_models); i++) {
		for (j = 0; !err && j < virtio_models[i]->count(cfg); j++)
			err = plug(arg, virtio_models[i], j,
				   vmm_virtio_place_of(at, virtio_models[i], j));
	}
	return err;
}

/**
 * vmm_virtio_init - initialise a device
 * @v: filled; zeroed before
 * @vm: the VM
 * @ops: its model
 * @index: which of the config's devices of that model
 * @slot: its place
 */
void vmm_virtio_init(struct vmm_virtio *v, struct vmm_vm *vm, const struct vmm_virtio_ops *ops,
		     unsigned int index, unsigned int slot)
{
	unsigned int i;

	pthread_mutex_init(&v->lock, NULL);
	pthread_cond_init(&v->idle, NULL);
	v->vm = vm;
	v->slot = slot;
	v->call_fd = -1;
	for (i = 0; i < VMM_VIRTIO_QUEUES; i++) {
		v->queue[i].kick_fd = -1;
		v->queue[i].call_fd = -1;
	}
	v->ops = ops;
	v->index = index;
	v->legacy = ops->transport && ops->transport(vm->cfg, index)->legacy;
	v->name = ops->name;
	v->id = ops->id;
	v->queue_max = ops->queue_max;
	v->queues = ops->queues;
}

/**
 * vmm_virtio_need - refuse a device whose interrupts KVM cannot send
 * @v: the device
 * @needs: features of KVM, as for vmm_kvm_need()
 *
 * Return: 0, or -EOPNOTSUPP after a message
 */
int vmm_virtio_need(const struct vmm_virtio *v, u32 needs)
{
	char who[40];

	snprintf(who, sizeof(who), "virtio-%s", v->ops->name);
	return vmm_kvm_need(v->vm->lacks, needs, who, NULL);
}

/**
 * vmm_virtio_note_exits - write a note if notifications will exit and there are devices
 * @vm: the VM
 * @set: its devices
 */
void vmm_virtio_note_exits(const struct vmm_vm *vm, const struct vmm_virtio_set *set)
{
	unsigned int i = 0;

	while (i < ARRAY_SIZE(set->v) && !set->v[i])
		i++;
	if (i < ARRAY_SIZE(set->v) && vm->lacks & VMM_KVM_IOEVENTFD)
		vmm_note("this host's KVM has no ioeventfds: virtio notifications will exit");
}

/**
 * vmm_virtio_open_events - create a device's eventfds, except for those of queues' interrupts
 * @v: created by its model
 *
 * Return: 0, or -errno
 */
int vmm_virtio_open_events(struct vmm_virtio *v)
{
	unsigned int i;

	v->call_fd = vmm_event_create();
	if (v->call_fd < 0)
		return v->call_fd;
	for (i = 0; i < v->queues; i++) {
		v->queue[i].kick_fd = vmm_event_create();
		if (v->queue[i].kick_fd < 0)
			return v->queue[i].kick_fd;
	}
	return 0;
}

/**
 * vmm_virtio_fini - undo vmm_virtio_init() and vmm_virtio_open_events()
 * @v: destroyed by its model, or never created
 */
void vmm_virtio_fini(struct vmm_virtio *v)
{
	unsigned int i;

	if (v->call_fd >= 0)
		close(v->call_fd);
	for (i = 0; i < VMM_VIRTIO_QUEUES; i++) {
		if (v->queue[i].kick_fd >= 0)
			close(v->queue[i].kick_fd);
	}
	pthread_cond_destroy(&v->idle);
	pthread_mutex_destroy(&v->lock);
}

/**
 * vmm_virtio_set_reset - put all devices into their power-on state
 * @set: the devices; no vCPU exists
 */
void vmm_virtio_set_reset(const struct vmm_virtio_set *set)
{
	unsigned int i;

	for (i = 0; i < VMM_VIRTIO_PLACES; i++) {
		if (set->v[i])
			vmm_virtio_reset(set->v[i]);
	}
}

/**
 * vmm_virtio_set_pause - pause all devices that can be paused
 * @set: the devices; no vCPU runs
 */
void vmm_virtio_set_pause(const struct vmm_virtio_set *set)
{
	unsigned int i;

	for (i = 0; i < VMM_VIRTIO_PLACES; i++) {
		if (set->v[i])
			vmm_virtio_pause(set->v[i]);
	}
}

/**
 * vmm_virtio_set_resume - undo vmm_virtio_set_pause()
 * @set: the devices
 */
void vmm_virtio_set_resume(const struct vmm_virtio_set *set)
{
	unsigned int i;

	for (i = 0; i < VMM_VIRTIO_PLACES; i++) {
		if (set->v[i])
			vmm_virtio_resume(set->v[i]);
	}
}

/* The name is that of the model and its type, such as "vhost-user-gpu", and the index. */
static void set_part(struct vmm_virtio *v, struct vmm_report_visitor *visitor)
{
	bool same = !strcmp(v->ops->name, v->name);
	struct vmm_report report;
	char name[64];

	snprintf(name, sizeof(name), "%s%s%s%u", v->ops->name, same ? "" : "-",
		 same ? "" : v->name, v->index);
	vmm_virtio_report(v, &report);
	visitor->report(visitor, name, &report);
}

/**
 * vmm_virtio_set_parts - show the counters of each device
 * @set: the devices
 * @visitor: takes them
 */
void vmm_virtio_set_parts(const struct vmm_virtio_set *set, struct vmm_report_visitor *visitor)
{
	unsigned int i;

	for (i = 0; i < VMM_VIRTIO_PLACES; i++) {
		if (set->v[i])
			set_part(set->v[i], visitor);
	}
}

/* Tags of the saved state. The device at place n has the tags from n * VMM_VIRTIO_TAGS on. */
#define STATE_SLOTS	(VMM_VIRTIO_PLACES * VMM_VIRTIO_TAGS)
#define STATE_VERSION	1

static u32 set_slots(const struct vmm_virtio_set *set)
{
	u32 slots = 0;
	unsigned int i;

	for (i = 0; i < VMM_VIRTIO_PLACES; i++) {
		if (set->v[i])
			slots |= 1U << i;
	}
	return slots;
}

/**
 * vmm_virtio_set_save - save all devices
 * @set: the devices, paused
 * @name: name of the board's device that contains them
 * @state: filled; vmm_state_free() frees it
 *
 * Return: 0, or -errno after a message
 */
int vmm_virtio_set_save(const struct vmm_virtio_set *set, const char *name,
			struct vmm_state *state)
{
	__le32 slots = htole32(set_slots(set));
	unsigned int i;
	int err = vmm_state_begin(state, name, STATE_VERSION);

	vmm_state_put(state, STATE_SLOTS, &slots, sizeof(slots));
	for (i = 0; i < VMM_VIRTIO_PLACES && !err; i++) {
		if (set->v[i])
			err = vmm_virtio_save(set->v[i], state, i * VMM_VIRTIO_TAGS);
	}
	return err ? err : vmm_state_end(state);
}

/* Checks that the same places have devices. */
static int set_differs(const struct vmm_virtio_set *set, u32 slots)
{
	u32 wrong = slots ^ set_slots(set);
	unsigned int slot = __builtin_ctz(wrong | 1U << 31);

	if (!wrong)
		return 0;
	if (!set->v[slot])
		return vmm_error(-EINVAL,
				 "snapshot: it has a virtio device in slot %u, and here is none",
				 slot);
	return vmm_error(-EINVAL,
			 "snapshot: it has no virtio device in slot %u: no device can be added",
			 slot);
}

/**
 * vmm_virtio_set_fits - check that a state is that of devices of the same kinds, without loading it
 * @set: the devices
 * @state: @bytes and @len are set, and its name is right
 *
 * Return: 0, or -errno after a message that names the difference
 */
int vmm_virtio_set_fits(const struct vmm_virtio_set *set, struct vmm_state *state)
{
	char name[VMM_STATE_NAME];
	const u8 *data;
	__le32 slots;
	u32 version, tag, len, slot;
	u32 seen = 0;
	unsigned long said = vmm_errors();
	int err = vmm_state_open_any(state, name, &version);

	if (err)
		return err;
	vmm_state_get(state, STATE_SLOTS, &slots, sizeof(slots));
	if (version > STATE_VERSION || state->err)
		return vmm_error(-EINVAL, "snapshot: the state of \"%s\" is unknown", name);
	err = set_differs(set, le32toh(slots));
	while (!err && vmm_state_next(state, &tag, &data, &len)) {
		slot = tag / VMM_VIRTIO_TAGS;
		if (slot >= VMM_VIRTIO_PLACES || !set->v[slot])
			err = -EINVAL;
		else
			err = vmm_virtio_fits(set->v[slot], tag % VMM_VIRTIO_TAGS, data, len);
		seen |= err ? 0 : 1U << slot;
	}
	if (!err && seen != le32toh(slots))
		err = -EINVAL;
	if (err && vmm_errors() == said)
		vmm_error(err, "snapshot: the state of \"%s\" is refused", name);
	return err;
}

/**
 * vmm_virtio_set_load - load all devices
 * @set: devices of the same kinds at the same places
 * @name: name of the board's device that contains them
 * @state: @bytes and @len are set
 *
 * Return: 0, or -errno; the devices must be reset then
 */
int vmm_virtio_set_load(const struct vmm_virtio_set *set, const char *name,
			struct vmm_state *state)
{
	__le32 slots;
	unsigned int i;
	int err = vmm_state_open(state, name, STATE_VERSION);

	if (err < 0)
		return err;
	vmm_state_get(state, STATE_SLOTS, &slots, sizeof(slots));
	if (state->err)
		return state->err;
	err = set_differs(set, le32toh(slots));
	for (i = 0; i < VMM_VIRTIO_PLACES && !err; i++) {
		if (set->v[i])
			err = vmm_virtio_load(set->v[i], state, i * VMM_VIRTIO_TAGS);
	}
	return err ? err : vmm_state_close(state);
}

/*
 * Runs a command on every device that has it. Returns 0, -ENOENT if none has it, or the
 * first error.
 */
static int set_command(const struct vmm_virtio_set *set, const char *name, const char *arg)
{
	const struct vmm_virtio_command *command;
	int result = -ENOENT;
	unsigned int i;

	for (i = 0; i < VMM_VIRTIO_PLACES; i++) {
		command = set->v[i] ? set->v[i]->ops->commands : NULL;
		for (; command && command->name; command++) {
			int err;

			if (strcmp(command->name, name))
				continue;
			err = command->run(set->v[i], arg);
			if (err != -ENOENT && (!result || result == -ENOENT))
				result = err;
		}
	}
	return result;
}

static int set_resize(struct vmm_device *dev, const char *arg, struct vmm_text *text)
{
	(void)text;
	return set_command(dev->state, "resize", arg);
}

static int set_jack(struct vmm_device *dev, const char *arg, struct vmm_text *text)
{
	(void)text;
	return set_command(dev->state, "jack", arg);
}

static int set_key(struct vmm_device *dev, const char *arg, struct vmm_text *text)
{
	(void)text;
	return set_command(dev->state, "key", arg);
}

static int set_touch(struct vmm_device *dev, const char *arg, struct vmm_text *text)
{
	(void)text;
	return set_command(dev->state, "touch", arg);
}

/* Commands of a board's device whose state begins with a struct vmm_virtio_set. */
const struct vmm_device_command vmm_virtio_commands[] = {
	{ "resize", "read the sizes of disks again", set_resize },
	{ "jack", "plug or unplug a sound card's headphone or mic: \"headphone off\"", set_jack },
	{ "key", "CODE PRESSED: press or release a key of the keyboard", set_key },
	{ "touch", "X Y PRESSED: touch the multitouch screen", set_touch },
	{ 0 },
};
