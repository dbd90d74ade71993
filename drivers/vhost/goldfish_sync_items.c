// SPDX-License-Identifier: GPL-2.0-only
/*
 * Waits, timelines and fences: how they come and go, and what is done for them when there
 * is no renderer any more.
 *
 * A driver counts one increment for each fence: another one, or one for a name that it
 * has not given, has it free what is in use. So increments are made here only, one for
 * each item, for the handle that the guest gave with it.
 */
#include <linux/slab.h>
#include <linux/string.h>

#include "goldfish_sync.h"

/**
 * sync_items_init() - begin without any
 * @dev: the device
 */
void sync_items_init(struct sync_dev *dev)
{
	INIT_LIST_HEAD(&dev->items.all);
	hash_init(dev->items.by_id);
	dev->items.next_id = 1;
	INIT_LIST_HEAD(&dev->queue);
	INIT_LIST_HEAD(&dev->events);
}

/**
 * sync_items_count() - count all
 * @dev: the device, its line locked
 *
 * Return: how many there are.
 */
u32 sync_items_count(const struct sync_dev *dev)
{
	return dev->items.n[SYNC_WAIT] + dev->items.n[SYNC_TIMELINE] + dev->items.n[SYNC_FENCE];
}

/**
 * sync_item_find() - find one by its id
 * @dev: the device, its line locked
 * @id: any number
 *
 * Return: the item, or NULL.
 */
struct sync_item *sync_item_find(struct sync_dev *dev, u64 id)
{
	struct sync_item *item;

	lockdep_assert_held(&dev->line.lock);
	hash_for_each_possible(dev->items.by_id, item, hash, id)
		if (item->id == id)
			return item;
	return NULL;
}

/**
 * sync_item_make() - allocate one
 * @kind: what it is to be
 *
 * Context: may sleep.
 * Return: the item, which sync_item_add() or kfree() takes; or NULL.
 */
struct sync_item *sync_item_make(enum sync_kind kind)
{
	struct sync_item *item = kzalloc(sizeof(*item), GFP_KERNEL_ACCOUNT);

	if (!item)
		return NULL;
	item->kind = kind;
	item->phase = SYNC_LIVE;
	INIT_LIST_HEAD(&item->node);
	return item;
}

/**
 * sync_item_put() - add one that has an id already
 * @dev: the device, its line locked
 * @item: made; its id is greater than all others
 */
void sync_item_put(struct sync_dev *dev, struct sync_item *item)
{
	lockdep_assert_held(&dev->line.lock);
	list_add_tail(&item->all, &dev->items.all);
	hash_add(dev->items.by_id, &item->hash, item->id);
	dev->items.n[item->kind]++;
}

/**
 * sync_item_add() - give one its id
 * @dev: the device, its line locked
 * @item: made
 *
 * Return: 0, or -ENOSPC: there are as many as there may be; @item is still the caller's.
 */
int sync_item_add(struct sync_dev *dev, struct sync_item *item)
{
	if (sync_items_count(dev) >= VHOST_GOLDFISH_SYNC_MAX_ITEMS)
		return -ENOSPC;
	item->id = dev->items.next_id++;
	sync_item_put(dev, item);
	return 0;
}

/**
 * sync_item_remove() - take one away
 * @dev: the device, its line locked
 * @item: no fence has it as its timeline
 * @gone: it goes there, for sync_items_free()
 */
void sync_item_remove(struct sync_dev *dev, struct sync_item *item, struct list_head *gone)
{
	lockdep_assert_held(&dev->line.lock);
	if (item->timeline)
		item->timeline->fences--;
	list_del(&item->node);
	if (item->phase == SYNC_QUEUED)
		dev->items.queued--;
	hash_del(&item->hash);
	dev->items.n[item->kind]--;
	list_move(&item->all, gone);
}

/**
 * sync_items_free() - free what was taken away
 * @gone: the list
 *
 * Context: may sleep; no lock held.
 */
void sync_items_free(struct list_head *gone)
{
	struct sync_item *item, *next;

	list_for_each_entry_safe(item, next, gone, all)
		kfree(item);
}

/**
 * sync_item_queue() - have the guest read a command
 * @dev: the device, its line locked; ranchu_line_request() is the caller's
 * @item: LIVE, or new
 * @cmd: the command
 * @value: its number
 */
void sync_item_queue(struct sync_dev *dev, struct sync_item *item, u32 cmd, u32 value)
{
	lockdep_assert_held(&dev->line.lock);
	item->phase = SYNC_QUEUED;
	item->cmd = cmd;
	item->value = value;
	dev->items.queued++;
	/* Also away from the events: the renderer knows already. */
	list_move_tail(&item->node, &dev->queue);
}

/* A timeline that nobody has goes with its last fence. */
static void timeline_check(struct sync_dev *dev, struct sync_item *timeline)
{
	if (timeline->abandoned && timeline->phase == SYNC_LIVE && !timeline->fences)
		sync_item_queue(dev, timeline, GOLDFISH_SYNC_CMD_DESTROY_TIMELINE, 0);
}

/**
 * sync_item_increment() - queue the increment that a wait or a fence gets
 * @dev: the device, its line locked; ranchu_line_request() is the caller's
 * @item: LIVE, not a timeline
 * @value: by how much
 */
void sync_item_increment(struct sync_dev *dev, struct sync_item *item, u32 value)
{
	struct sync_item *timeline = item->timeline;

	sync_item_queue(dev, item, GOLDFISH_SYNC_CMD_TIMELINE_INC, value);
	if (!timeline)
		return;
	item->timeline = NULL;
	timeline->fences--;
	timeline->now += value;
	timeline_check(dev, timeline);
}

/* As much as it takes to signal the fence, which may be nothing. */
static void fence_signal(struct sync_dev *dev, struct sync_item *fence)
{
	s32 missing = fence->value - fence->timeline->now;

	sync_item_increment(dev, fence, max(missing, 0));
}

/* The guest could not. */
static void item_failed(struct sync_dev *dev, struct sync_item *item, struct list_head *gone)
{
	struct sync_item *timeline = item->timeline;

	item->phase = SYNC_FAILED;
	item->result = -1;
	if (timeline) {
		item->timeline = NULL;
		timeline->fences--;
		timeline_check(dev, timeline);
	}
	if (item->abandoned)
		sync_item_remove(dev, item, gone);
}

/**
 * sync_item_answered() - the guest has answered
 * @dev: the device, its line locked; ranchu_line_request() is the caller's, and
 *	sync_renderer_tell() unless @item is abandoned
 * @item: SENT
 * @handle: what it has answered
 * @gone: see sync_item_remove()
 */
void sync_item_answered(struct sync_dev *dev, struct sync_item *item, u64 handle,
			struct list_head *gone)
{
	const s32 number = lower_32_bits(handle);

	if (item->kind == SYNC_TIMELINE ? !handle : number < 0) {
		item_failed(dev, item, gone);
		return;
	}
	item->phase = SYNC_LIVE;
	if (item->kind == SYNC_TIMELINE) {
		item->handle = handle;
		timeline_check(dev, item);
		return;
	}
	item->result = number;
	if (item->abandoned)
		fence_signal(dev, item);
}

static void item_abandon(struct sync_dev *dev, struct sync_item *item, struct list_head *gone)
{
	const bool increments = item->phase == SYNC_QUEUED &&
				item->cmd == GOLDFISH_SYNC_CMD_TIMELINE_INC;
	const bool destroys = item->phase == SYNC_QUEUED &&
			      item->cmd == GOLDFISH_SYNC_CMD_DESTROY_TIMELINE;

	item->abandoned = true;
	if (item->phase == SYNC_FAILED)
		sync_item_remove(dev, item, gone);
	else if (item->phase == SYNC_QUEUED && !increments && !destroys)
		sync_item_remove(dev, item, gone);
	else if (item->phase != SYNC_LIVE)
		return;
	else if (item->kind == SYNC_WAIT)
		sync_item_increment(dev, item, 1);
	else if (item->kind == SYNC_FENCE)
		fence_signal(dev, item);
	else
		/* Nobody is to be told of it. */
		list_del_init(&item->node);
}

/**
 * sync_items_abandon() - there is no renderer any more
 * @dev: the device, its line locked; ranchu_line_request() is the caller's
 * @gone: see sync_item_remove()
 *
 * Waits are answered, fences signalled, timelines destroyed: those at once that the guest
 * has, the others when it answers. What it has not read of yet, it does not get.
 */
void sync_items_abandon(struct sync_dev *dev, struct list_head *gone)
{
	struct sync_item *item, *next;

	/* A timeline comes before its fences. */
	list_for_each_entry_safe(item, next, &dev->items.all, all)
		item_abandon(dev, item, gone);
	list_for_each_entry(item, &dev->items.all, all)
		if (item->kind == SYNC_TIMELINE)
			timeline_check(dev, item);
}

/**
 * sync_items_forget() - there is no driver any more that knows any of them
 * @dev: the device, its line locked
 * @gone: see sync_item_remove()
 *
 * A guest can ask for it over and over, so it does not go through them with interrupts off.
 */
void sync_items_forget(struct sync_dev *dev, struct list_head *gone)
{
	lockdep_assert_held(&dev->line.lock);
	list_splice_init(&dev->items.all, gone);
	hash_init(dev->items.by_id);
	memset(dev->items.n, 0, sizeof(dev->items.n));
	dev->items.queued = 0;
	INIT_LIST_HEAD(&dev->queue);
	INIT_LIST_HEAD(&dev->events);
}
