// SPDX-License-Identifier: GPL-2.0-only
/*
 * GET_STATE and SET_STATE. The renderer does not come with a state: a device that gets
 * one does for each item what the renderer's last close does.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "goldfish_sync.h"

/* Fields of a state, as they are read and written. */
struct state {
	struct vhost_goldfish_sync_state_device device;
	struct vhost_goldfish_sync_state_item items[];
};

#define STATE_SIZE(n) \
	(sizeof(struct state) + (size_t)(n) * sizeof(struct vhost_goldfish_sync_state_item))

static_assert(STATE_SIZE(VHOST_GOLDFISH_SYNC_MAX_ITEMS) <= VHOST_GOLDFISH_SYNC_STATE_MAX);

/* enum sync_kind and enum sync_phase are ours to change, a state's numbers are not. */
static u32 state_kind(enum sync_kind kind)
{
	switch (kind) {
	case SYNC_WAIT:
		return VHOST_GOLDFISH_SYNC_STATE_WAIT;
	case SYNC_TIMELINE:
		return VHOST_GOLDFISH_SYNC_STATE_TIMELINE;
	default:
		return VHOST_GOLDFISH_SYNC_STATE_FENCE;
	}
}

static u32 state_phase(enum sync_phase phase)
{
	switch (phase) {
	case SYNC_QUEUED:
		return VHOST_GOLDFISH_SYNC_STATE_QUEUED;
	case SYNC_SENT:
		return VHOST_GOLDFISH_SYNC_STATE_SENT;
	default:
		return VHOST_GOLDFISH_SYNC_STATE_LIVE;
	}
}

/* ---- GET_STATE ---- */

static void state_put_item(const struct sync_item *item,
			   struct vhost_goldfish_sync_state_item *field)
{
	*field = (struct vhost_goldfish_sync_state_item) {
		.id = cpu_to_le64(item->id),
		.handle = cpu_to_le64(item->handle),
		.timeline = cpu_to_le64(item->timeline ? item->timeline->id : 0),
		.kind = cpu_to_le32(state_kind(item->kind)),
		.state = cpu_to_le32(state_phase(item->phase)),
		.now = cpu_to_le32(item->now),
	};
	if (item->phase == SYNC_QUEUED) {
		field->cmd = cpu_to_le32(item->cmd);
		field->turn = cpu_to_le32(item->turn);
	}
	if (item->phase == SYNC_QUEUED || item->kind == SYNC_FENCE)
		field->value = cpu_to_le32(item->value);
}

/* What could not be made is nothing to a guest that goes on elsewhere. */
static u32 state_put_locked(struct sync_dev *dev, struct state *state)
{
	struct sync_item *item;
	u32 n = 0, turn = 0;

	lockdep_assert_held(&dev->line.lock);
	list_for_each_entry(item, &dev->queue, node)
		item->turn = ++turn;
	list_for_each_entry(item, &dev->items.all, all)
		if (item->phase != SYNC_FAILED)
			state_put_item(item, &state->items[n++]);
	state->device = (struct vhost_goldfish_sync_state_device) {
		.host_gpa = cpu_to_le64(dev->host_gpa),
		.guest_gpa = cpu_to_le64(dev->guest_gpa),
		.next_id = cpu_to_le64(dev->items.next_id),
		.ready = cpu_to_le32(dev->ready),
		.raised = cpu_to_le32(ranchu_line_raised(&dev->line)),
		.items = cpu_to_le32(n),
	};
	return n;
}

/* Returns bytes of the state, or -errno. */
static ssize_t state_get_locked(struct sync_dev *dev, struct state *state)
{
	u32 n;

	if (!dev->stopped)
		return -EBUSY;
	spin_lock_irq(&dev->line.lock);
	n = state_put_locked(dev, state);
	spin_unlock_irq(&dev->line.lock);
	return STATE_SIZE(n);
}

/**
 * sync_get_state() - serve GET_STATE
 * @vhost: the device
 * @argp: struct vhost_goldfish_sync_state
 *
 * Context: the owner's process; takes @vhost->lock.
 * Return: 0, or -errno as the header has it.
 */
long sync_get_state(struct ranchu_vhost *vhost, void __user *argp)
{
	struct vhost_goldfish_sync_state arg;
	struct state *state;
	ssize_t size;
	int err;

	/* Asked again by ranchu_vhost_lock(). */
	if (READ_ONCE(vhost->mm) != current->mm)
		return -EPERM;
	if (copy_from_user(&arg, argp, sizeof(arg)))
		return -EFAULT;
	state = kvzalloc(STATE_SIZE(VHOST_GOLDFISH_SYNC_MAX_ITEMS), GFP_KERNEL_ACCOUNT);
	if (!state)
		return -ENOMEM;
	err = ranchu_vhost_lock(vhost);
	if (err)
		goto free;
	size = state_get_locked(sync_dev_of(vhost), state);
	ranchu_vhost_unlock(vhost);
	err = size;
	if (size < 0)
		goto free;
	err = size > arg.size ? -ENOSPC : 0;
	if (!err && copy_to_user(u64_to_user_ptr(arg.data), state, size))
		err = -EFAULT;
	arg.size = size;
	arg.version = VHOST_GOLDFISH_SYNC_STATE_VERSION;
	if (err != -EFAULT && copy_to_user(argp, &arg, sizeof(arg)))
		err = -EFAULT;
free:
	kvfree(state);
	return err;
}

/* ---- SET_STATE ---- */

/**
 * struct load - a state that is made of fields
 * @items: all, by id; @all of each
 * @n: how many
 * @turns: those that are queued, by turn from 0 on; @n of them at most
 */
struct load {
	struct list_head items;
	u32 n;
	struct sync_item *turns[VHOST_GOLDFISH_SYNC_MAX_ITEMS];
};

static struct sync_item *load_find(struct load *load, u64 id)
{
	struct sync_item *item;

	/* A fence comes soon after its timeline, mostly. */
	list_for_each_entry_reverse(item, &load->items, all)
		if (item->id == id)
			return item;
	return NULL;
}

static bool load_kind(u32 number, enum sync_kind *kind)
{
	for (*kind = SYNC_WAIT; *kind < SYNC_KINDS; (*kind)++)
		if (state_kind(*kind) == number)
			return true;
	return false;
}

static bool load_phase(u32 number, enum sync_phase *phase)
{
	for (*phase = SYNC_QUEUED; *phase <= SYNC_LIVE; (*phase)++)
		if (state_phase(*phase) == number)
			return true;
	return false;
}

/* Whether a command can be queued for an item of that kind. */
static bool load_cmd_possible(enum sync_kind kind, u32 cmd)
{
	switch (cmd) {
	case GOLDFISH_SYNC_CMD_CREATE_TIMELINE:
	case GOLDFISH_SYNC_CMD_DESTROY_TIMELINE:
		return kind == SYNC_TIMELINE;
	case GOLDFISH_SYNC_CMD_CREATE_FENCE:
		return kind == SYNC_FENCE;
	case GOLDFISH_SYNC_CMD_TIMELINE_INC:
		return kind != SYNC_TIMELINE;
	}
	return false;
}

static bool load_turn(struct load *load, struct sync_item *item,
		      const struct vhost_goldfish_sync_state_item *field, u32 items)
{
	const u32 turn = le32_to_cpu(field->turn);

	if (item->phase != SYNC_QUEUED)
		return !turn && !item->cmd && (item->kind == SYNC_FENCE || !item->value);
	if (!turn || turn > items || load->turns[turn - 1])
		return false;
	load->turns[turn - 1] = item;
	return load_cmd_possible(item->kind, item->cmd);
}

/* A fence that was not incremented has a timeline, nothing else has. */
static bool load_timeline(struct load *load, struct sync_item *item, u64 id)
{
	const bool wants = item->kind == SYNC_FENCE &&
			   item->cmd != GOLDFISH_SYNC_CMD_TIMELINE_INC;
	struct sync_item *timeline;

	if (!wants)
		return !id;
	timeline = load_find(load, id);
	if (!timeline || timeline->kind != SYNC_TIMELINE || timeline->phase != SYNC_LIVE ||
	    timeline->handle != item->handle)
		return false;
	item->timeline = timeline;
	timeline->fences++;
	return true;
}

static int load_item(struct load *load, const struct vhost_goldfish_sync_state_item *field,
		     const struct state *state)
{
	const u64 id = le64_to_cpu(field->id);
	const struct sync_item *last;
	struct sync_item *item;
	enum sync_phase phase;
	enum sync_kind kind;

	last = list_empty(&load->items) ? NULL :
	       list_last_entry(&load->items, struct sync_item, all);
	if (!load_kind(le32_to_cpu(field->kind), &kind) ||
	    !load_phase(le32_to_cpu(field->state), &phase) ||
	    id <= (last ? last->id : 0) || id >= le64_to_cpu(state->device.next_id) ||
	    (kind == SYNC_WAIT && phase == SYNC_SENT) ||
	    (kind != SYNC_TIMELINE && field->now))
		return -EINVAL;
	item = sync_item_make(kind);
	if (!item)
		return -ENOMEM;
	item->id = id;
	item->phase = phase;
	item->cmd = le32_to_cpu(field->cmd);
	item->value = le32_to_cpu(field->value);
	item->now = le32_to_cpu(field->now);
	item->handle = le64_to_cpu(field->handle);
	list_add_tail(&item->all, &load->items);
	if (!load_turn(load, item, field, le32_to_cpu(state->device.items)) ||
	    !load_timeline(load, item, le64_to_cpu(field->timeline)))
		return -EINVAL;
	return 0;
}

static int load_items(struct load *load, const struct state *state)
{
	const u32 n = le32_to_cpu(state->device.items);
	u32 i;
	int err;

	for (i = 0; i < n; i++) {
		err = load_item(load, &state->items[i], state);
		if (err)
			return err;
		cond_resched();
	}
	load->n = n;
	return 0;
}

static bool load_device_possible(const struct vhost_goldfish_sync_state_device *device,
				 size_t size)
{
	const u32 n = le32_to_cpu(device->items);

	return n <= VHOST_GOLDFISH_SYNC_MAX_ITEMS && size == STATE_SIZE(n) &&
	       le32_to_cpu(device->ready) <= 1 && le32_to_cpu(device->raised) <= 1 &&
	       !device->padding && device->next_id &&
	       le64_to_cpu(device->next_id) <= S64_MAX;
}

static int load_locked(struct sync_dev *dev, const struct state *state, struct load *load,
		       struct list_head *gone)
{
	const struct vhost_goldfish_sync_state_device *device = &state->device;
	struct sync_item *item, *next;
	u32 i;

	lockdep_assert_held(&dev->line.lock);
	if (!dev->stopped || sync_items_count(dev))
		return -EBUSY;
	dev->host_gpa = le64_to_cpu(device->host_gpa);
	dev->guest_gpa = le64_to_cpu(device->guest_gpa);
	/* A renderer that is here already remembers ids. */
	dev->items.next_id = max(dev->items.next_id, le64_to_cpu(device->next_id));
	dev->ready = le32_to_cpu(device->ready);
	dev->burst = 0;
	list_for_each_entry_safe(item, next, &load->items, all) {
		list_del(&item->all);
		sync_item_put(dev, item);
	}
	for (i = 0; i < load->n; i++)
		if (load->turns[i]) {
			list_add_tail(&load->turns[i]->node, &dev->queue);
			dev->items.queued++;
		}
	sync_items_abandon(dev, gone);
	return 0;
}

static int state_set(struct sync_dev *dev, const struct state *state, struct load *load)
{
	LIST_HEAD(gone);
	int err;

	err = ranchu_vhost_lock(&dev->vhost);
	if (err)
		return err;
	spin_lock_irq(&dev->line.lock);
	err = load_locked(dev, state, load, &gone);
	spin_unlock_irq(&dev->line.lock);
	if (!err)
		ranchu_line_restore(&dev->line, le32_to_cpu(state->device.raised));
	ranchu_vhost_unlock(&dev->vhost);
	sync_items_free(&gone);
	return err;
}

static int state_load(struct sync_dev *dev, const struct state *state, size_t size)
{
	struct load *load;
	int err;

	if (!load_device_possible(&state->device, size))
		return -EINVAL;
	load = kvzalloc(sizeof(*load), GFP_KERNEL_ACCOUNT);
	if (!load)
		return -ENOMEM;
	INIT_LIST_HEAD(&load->items);
	err = load_items(load, state);
	if (!err)
		err = state_set(dev, state, load);
	/* Those that the device has not got. */
	sync_items_free(&load->items);
	kvfree(load);
	return err;
}

/**
 * sync_set_state() - serve SET_STATE
 * @vhost: the device
 * @argp: struct vhost_goldfish_sync_state
 *
 * Context: the owner's process; takes @vhost->lock.
 * Return: 0, or -errno as the header has it.
 */
long sync_set_state(struct ranchu_vhost *vhost, void __user *argp)
{
	struct vhost_goldfish_sync_state arg;
	struct state *state;
	int err;

	/* As above. */
	if (READ_ONCE(vhost->mm) != current->mm)
		return -EPERM;
	if (copy_from_user(&arg, argp, sizeof(arg)))
		return -EFAULT;
	if (arg.version != VHOST_GOLDFISH_SYNC_STATE_VERSION)
		return -EOPNOTSUPP;
	if (arg.size < STATE_SIZE(0) || arg.size > VHOST_GOLDFISH_SYNC_STATE_MAX)
		return -EINVAL;
	state = kvmalloc(arg.size, GFP_KERNEL_ACCOUNT);
	if (!state)
		return -ENOMEM;
	err = -EFAULT;
	if (!copy_from_user(state, u64_to_user_ptr(arg.data), arg.size))
		err = state_load(sync_dev_of(vhost), state, arg.size);
	kvfree(state);
	return err;
}
