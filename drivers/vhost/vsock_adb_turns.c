// SPDX-License-Identifier: GPL-2.0-only
/*
 * Whose turn it is to send something to the guest, and who sees to it.
 *
 * A stream that has something for the guest, or may have, stands in line: in
 * vsock_adb.ready, or in .starved once it has found no buffer. So do the resets
 * owed to ports without a stream. First come, first served: nobody is overtaken
 * by one who came later, except by the way of .starved, whose members came first.
 * A stream in neither list waits for somebody who puts it there: its socket, its
 * timer, the guest's next packet for it, an ioctl.
 *
 * Nobody who stands in line is forgotten. Whenever vsock_adb.lock is free
 *
 * - and .ready is not empty, then the receive ring's kicked() has been asked for,
 *   or is about to be called: by whoever was first in the line, or, if that was
 *   while somebody was serving, by that one, who looks in vsock_adb_served();
 * - and .starved is not empty, then the same holds; or .rx_starved is set, the
 *   ring was seen empty after the guest had been asked to kick, and its kick is
 *   what asks.
 *
 * A request is never lost: if the ring does not run, starting it is one. One that
 * finds the device's lock or the ring's taken, and must not wait, is made again.
 */
#include <linux/list.h>

#include "vsock_adb.h"

/**
 * vsock_adb_turns_init() - nobody stands in line
 * @adb: zeroed
 */
void vsock_adb_turns_init(struct vsock_adb *adb)
{
	spin_lock_init(&adb->ready_lock);
	INIT_LIST_HEAD(&adb->ready);
	INIT_LIST_HEAD(&adb->starved);
	INIT_LIST_HEAD(&adb->orphan_turn.node);
}

/**
 * vsock_adb_serve() - begin to work on a ring
 * @adb: the device
 * @in_vcpu: do not wait for others who do
 *
 * Whoever gets into line meanwhile asks nobody.
 *
 * Return: whether @adb's lock is held now.
 */
bool vsock_adb_serve(struct vsock_adb *adb, bool in_vcpu)
{
	if (!in_vcpu)
		mutex_lock(&adb->lock);
	else if (!mutex_trylock(&adb->lock))
		return false;
	spin_lock_irq(&adb->ready_lock);
	adb->serving = true;
	spin_unlock_irq(&adb->ready_lock);
	return true;
}

/**
 * vsock_adb_served() - undo vsock_adb_serve()
 * @adb: the device
 *
 * Return: whether somebody stands in line who can be served; the caller sees to it
 * that they are.
 */
bool vsock_adb_served(struct vsock_adb *adb)
{
	bool left;

	spin_lock_irq(&adb->ready_lock);
	adb->serving = false;
	left = !list_empty(&adb->ready) ||
	       (!adb->rx_starved && !list_empty(&adb->starved));
	spin_unlock_irq(&adb->ready_lock);
	mutex_unlock(&adb->lock);
	return left;
}

/**
 * vsock_adb_turn_want() - get into line
 * @adb: the device
 * @turn: whose; may stand in line already
 * @anew: one that waits for buffers is to have its turn without any
 *
 * Context: any.
 */
void vsock_adb_turn_want(struct vsock_adb *adb, struct adb_turn *turn, bool anew)
{
	unsigned long flags;
	bool first = false;

	spin_lock_irqsave(&adb->ready_lock, flags);
	if (list_empty(&turn->node) || (turn->starved && anew)) {
		turn->starved = false;
		first = list_empty(&adb->ready) && !adb->serving;
		list_move_tail(&turn->node, &adb->ready);
	}
	spin_unlock_irqrestore(&adb->ready_lock, flags);
	if (first)
		ranchu_vring_request(&adb->vrings[ADB_RX]);
}

/**
 * vsock_adb_turn_next() - take the next one out of the line
 * @adb: the device
 *
 * While there are buffers, those that found none are first, in the order in
 * which they went without: one that has used up what there was is behind all
 * others. While there are none, nobody tries twice.
 *
 * Context: worker or vCPU, @adb's lock held.
 * Return: whose turn it is, or NULL.
 */
struct adb_turn *vsock_adb_turn_next(struct vsock_adb *adb)
{
	struct list_head *from = &adb->ready;
	struct adb_turn *turn;

	spin_lock_irq(&adb->ready_lock);
	if (!adb->rx_starved && !list_empty(&adb->starved))
		from = &adb->starved;
	turn = list_first_entry_or_null(from, struct adb_turn, node);
	if (turn) {
		turn->starved = false;
		list_del_init(&turn->node);
	}
	spin_unlock_irq(&adb->ready_lock);
	return turn;
}

/**
 * vsock_adb_turn_starve() - wait for a buffer
 * @adb: the device
 * @turn: whose turn it is
 * @some: it has used some before there were no more
 *
 * Whoever has found out that there are no more, and has had none, was the first in
 * line, and is again.
 *
 * Context: worker or vCPU, @adb's lock held.
 */
void vsock_adb_turn_starve(struct vsock_adb *adb, struct adb_turn *turn, bool some)
{
	bool first = !some && !adb->rx_starved;

	adb->rx_starved = true;
	spin_lock_irq(&adb->ready_lock);
	/* Wanted since its turn began, so it may have more to do than to wait. */
	if (list_empty(&turn->node)) {
		turn->starved = true;
		if (first)
			list_add(&turn->node, &adb->starved);
		else
			list_add_tail(&turn->node, &adb->starved);
	}
	spin_unlock_irq(&adb->ready_lock);
}

/**
 * vsock_adb_turn_drop() - get out of line
 * @adb: the device
 * @turn: whose; need not stand in line
 *
 * Context: @adb's lock held.
 */
void vsock_adb_turn_drop(struct vsock_adb *adb, struct adb_turn *turn)
{
	spin_lock_irq(&adb->ready_lock);
	turn->starved = false;
	list_del_init(&turn->node);
	spin_unlock_irq(&adb->ready_lock);
}
