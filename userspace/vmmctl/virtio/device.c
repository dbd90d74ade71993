// SPDX-License-Identifier: GPL-2.0-only
/*
 * The core of a virtio device, independent of its transport: the state machine of features, status
 * and queues, and the configuration. It knows no registers, and nothing of KVM.
 *
 * Source: VIRTIO 1.2, 2.1 Device Status Field, 2.2 Feature Bits, 2.5 Device
 * Configuration Space; 3.1.1 Driver Requirements: Device Initialization.
 */
#include <string.h>
#include <sys/eventfd.h>
#include <linux/virtio_config.h>

#include "virtio/transport.h"

#define STATUS_BY_DRIVER	(VIRTIO_CONFIG_S_ACKNOWLEDGE | VIRTIO_CONFIG_S_DRIVER | \
				 VIRTIO_CONFIG_S_DRIVER_OK | VIRTIO_CONFIG_S_FEATURES_OK | \
				 VIRTIO_CONFIG_S_FAILED)

static void show(struct vmm_virtio *v)
{
	if (v->transport && v->transport->show)
		v->transport->show(v);
}

static void show_config(struct vmm_virtio *v)
{
	if (v->transport && v->transport->show_config)
		v->transport->show_config(v);
}

static void config_interrupt_locked(struct vmm_virtio *v)
{
	v->config_pending = true;
	show(v);
	vmm_event_signal(v->call_fd);
}

/* Sets NEEDS_RESET; interrupts the driver if it has started the device. */
static void fail_locked(struct vmm_virtio *v)
{
	if (!(v->status & VIRTIO_CONFIG_S_NEEDS_RESET))
		vmm_count(&v->counts.failures, 1);
	v->status |= VIRTIO_CONFIG_S_NEEDS_RESET;
	if (v->status & VIRTIO_CONFIG_S_DRIVER_OK)
		config_interrupt_locked(v);
	else
		show(v);
}

/**
 * vmm_virtio_fail - make the device ask its driver for a reset
 * @v: the device; its model has said why
 *
 * Context: any thread, without @v->lock.
 */
void vmm_virtio_fail(struct vmm_virtio *v)
{
	pthread_mutex_lock(&v->lock);
	fail_locked(v);
	pthread_mutex_unlock(&v->lock);
}

/**
 * vmm_virtio_fail_if - make the device ask its driver for a reset if a ring is broken
 * @v: the device
 * @err_fd: eventfd that is signalled then. Stopping the device clears it: a ring of the driver
 *	that was there before is no error of the next one
 *
 * Context: any thread, without @v->lock.
 * Return: whether a ring is broken
 */
bool vmm_virtio_fail_if(struct vmm_virtio *v, int err_fd)
{
	bool broken;

	pthread_mutex_lock(&v->lock);
	broken = vmm_event_clear(err_fd);
	if (broken) {
		vmm_count(&v->counts.broken_rings, 1);
		fail_locked(v);
	}
	pthread_mutex_unlock(&v->lock);
	return broken;
}

/**
 * vmm_virtio_blame - report an error that a guest has caused
 * @v: the device
 * @err: as for vmm_error()
 * @text: the error
 *
 * The message is written once in a life of the guest, which may repeat the error.
 *
 * Context: any thread.
 * Return: -errno
 */
int vmm_virtio_blame(struct vmm_virtio *v, int err, const char *text)
{
	if (__atomic_exchange_n(&v->blamed, true, __ATOMIC_RELAXED))
		return err < 0 ? err : -err;
	vmm_device_error(v->name, text);
	return vmm_error(err, "virtio-%s: %s", v->name, text);
}

static void stop_locked(struct vmm_virtio *v)
{
	if (!v->running && !v->stop_pending)
		return;
	if (v->running)
		vmm_count(&v->counts.stops, 1);
	v->ops->stop(v);
	v->running = false;
	if (!v->stop_pending)
		return;
	vmm_count(&v->counts.stalls, 1);
	fail_locked(v);
}

/*
 * The transport's registers are updated first: the device may interrupt another CPU of the guest
 * before it has started completely.
 */
static void start_locked(struct vmm_virtio *v)
{
	v->running = true;
	vmm_count(&v->counts.starts, 1);
	show(v);
	if (v->ops->start(v)) {
		v->running = false;
		fail_locked(v);
	}
}

/* Resets a queue's members, but not its eventfds, which others may be reading. */
static void queue_forget(struct vmm_virtio *v, struct vmm_virtio_queue *q)
{
	q->num = v->queue_max;
	q->ready = false;
	q->desc = 0;
	q->driver = 0;
	q->device = 0;
	q->align = 0;
	q->pfn = 0;
	q->resumed = false;
}

static void reset_locked(struct vmm_virtio *v)
{
	unsigned int i;

	stop_locked(v);
	v->accepted = 0;
	v->offered_sel = 0;
	v->accepted_sel = 0;
	v->queue_sel = 0;
	/* A status other than 0 tells the driver that the reset is not complete. */
	v->status = v->stop_pending ? VIRTIO_CONFIG_S_NEEDS_RESET : 0;
	v->config_pending = false;
	for (i = 0; i < v->queues; i++)
		queue_forget(v, &v->queue[i]);
	show(v);
}

/* Legacy drivers do not set FEATURES_OK, which did not exist. */
static bool features_agreed(const struct vmm_virtio *v)
{
	if (v->legacy)
		return !(v->accepted & ~v->offered);
	return v->status & VIRTIO_CONFIG_S_FEATURES_OK;
}

/**
 * vmm_virtio_set_status - handle a driver's write to the device status
 * @v: the device
 * @value: what was written
 *
 * Bits are only added; a write of 0 resets the device. FEATURES_OK is not set for a driver that
 * accepts features which were not offered, or whose version is not the transport's.
 */
void vmm_virtio_set_status(struct vmm_virtio *v, u32 value)
{
	u32 more = value & ~v->status & STATUS_BY_DRIVER;

	if (!value) {
		vmm_count(&v->counts.resets, 1);
		reset_locked(v);
		return;
	}
	if (v->accepted & ~v->offered || !vmm_virtio_accepted(v, VIRTIO_F_VERSION_1))
		more &= ~VIRTIO_CONFIG_S_FEATURES_OK;
	v->status |= more;
	if (more & VIRTIO_CONFIG_S_DRIVER_OK) {
		if (features_agreed(v))
			start_locked(v);
		else
			fail_locked(v);
	}
	show(v);
}

/**
 * vmm_virtio_offered_half - return a half of the offered features
 * @v: the device
 *
 * Return: the half of the features that the driver has selected; 0 for a third one
 */
u32 vmm_virtio_offered_half(const struct vmm_virtio *v)
{
	return v->offered_sel < 2 ? v->offered >> (32 * v->offered_sel) : 0;
}

/**
 * vmm_virtio_accept_half - handle a driver's write to the features
 * @v: the device
 * @value: the half that the driver has selected
 *
 * After FEATURES_OK the features do not change, whatever the driver writes: rings were checked with
 * them. For a legacy driver, starting the device has that effect.
 */
void vmm_virtio_accept_half(struct vmm_virtio *v, u32 value)
{
	u32 settled = VIRTIO_CONFIG_S_FEATURES_OK | VIRTIO_CONFIG_S_DRIVER_OK;
	unsigned int shift = 32 * v->accepted_sel;

	if (v->accepted_sel > 1 || v->status & settled)
		return;
	v->accepted &= ~(0xffffffffULL << shift);
	v->accepted |= (u64)value << shift;
}

/**
 * vmm_virtio_queue_selected - find the queue that the driver has selected
 * @v: the device
 *
 * Return: the queue, or NULL
 */
struct vmm_virtio_queue *vmm_virtio_queue_selected(struct vmm_virtio *v)
{
	return v->queue_sel < v->queues ? &v->queue[v->queue_sel] : NULL;
}

/* Returns whether the driver may reset a queue of a running device and set it up again. */
static bool has_queue_reset(const struct vmm_virtio *v)
{
	return vmm_virtio_accepted(v, VIRTIO_F_RING_RESET) &&
	       v->offered >> VIRTIO_F_RING_RESET & 1;
}

/**
 * vmm_virtio_queue_enable - handle a driver's write to a queue's ready register
 * @v: the device
 * @q: the queue; while it is ready the transport does not change it
 * @ready: whether the driver has set it up; ignored if the queue has an invalid size
 */
void vmm_virtio_queue_enable(struct vmm_virtio *v, struct vmm_virtio_queue *q, bool ready)
{
	if (ready) {
		q->ready = vmm_virtio_queue_size_fits(v, q->num);
		if (q->ready && v->running && has_queue_reset(v) &&
		    v->ops->start_queue(v, q - v->queue))
			fail_locked(v);
	} else if (q->ready) {
		if (v->running && v->ops->stop_queue)
			v->ops->stop_queue(v, q - v->queue);
		else
			stop_locked(v);
		q->ready = false;
		q->resumed = false;
	}
	show(v);
}

/**
 * vmm_virtio_queue_reset - handle a driver's reset of one queue
 * @v: the device
 * @q: the queue; afterwards it is as after a reset of the device
 *
 * Nothing happens unless the driver has accepted VIRTIO_F_RING_RESET.
 */
void vmm_virtio_queue_reset(struct vmm_virtio *v, struct vmm_virtio_queue *q)
{
	if (!has_queue_reset(v))
		return;
	vmm_virtio_queue_enable(v, q, false);
	queue_forget(v, q);
	show(v);
}

/**
 * vmm_virtio_kick - handle a driver's notification that no doorbell has handled
 * @v: the device
 * @queue: number of the queue
 */
void vmm_virtio_kick(struct vmm_virtio *v, u32 queue)
{
	if (queue >= v->queues)
		return;
	vmm_count(&v->counts.kicks, 1);
	vmm_event_signal(v->queue[queue].kick_fd);
}

/**
 * vmm_virtio_write_config - handle a driver's write to the configuration
 * @v: the device
 * @offset: byte offset
 * @value: what was written
 * @len: bytes of it, 1 to 8
 */
void vmm_virtio_write_config(struct vmm_virtio *v, u32 offset, u64 value, unsigned int len)
{
	if (v->ops->write_config)
		v->ops->write_config(v, offset, value, len);
}

/**
 * vmm_virtio_ack_config - handle the driver's acknowledgment of a configuration change
 * @v: the device
 */
void vmm_virtio_ack_config(struct vmm_virtio *v)
{
	v->config_pending = false;
	show(v);
}

/**
 * vmm_virtio_enter - begin to handle an access of a driver
 * @v: the device
 *
 * Serialises writes, although a model may release the lock while it waits.
 *
 * Context: any thread; takes @v->lock.
 */
void vmm_virtio_enter(struct vmm_virtio *v)
{
	pthread_mutex_lock(&v->lock);
	while (v->busy)
		pthread_cond_wait(&v->idle, &v->lock);
	v->busy = true;
}

/**
 * vmm_virtio_leave - undo vmm_virtio_enter()
 * @v: the device
 */
void vmm_virtio_leave(struct vmm_virtio *v)
{
	v->busy = false;
	pthread_cond_signal(&v->idle);
	pthread_mutex_unlock(&v->lock);
}

/**
 * vmm_virtio_config - set the device's configuration
 * @v: the device
 * @config: the configuration, from its beginning
 * @len: bytes, at most VMM_VIRTIO_CONFIG
 *
 * A driver that reads at the same time may get a part of the old configuration, with the old
 * generation. It is interrupted after the generation has changed, and reads again.
 *
 * Context: any thread, without @v->lock.
 */
void vmm_virtio_config(struct vmm_virtio *v, const void *config, size_t len)
{
	pthread_mutex_lock(&v->lock);
	memcpy(v->config, config, len);
	v->generation++;
	vmm_count(&v->counts.config_changes, 1);
	show_config(v);
	if (v->status & VIRTIO_CONFIG_S_DRIVER_OK)
		config_interrupt_locked(v);
	pthread_mutex_unlock(&v->lock);
}

/**
 * vmm_virtio_answer_locked - answer a write to the configuration
 * @v: the device, @v->lock held
 * @config: the new configuration, from its beginning
 * @len: bytes, at most VMM_VIRTIO_CONFIG
 *
 * For a configuration that the driver queries piece by piece (select, then read): it has not
 * changed, so there is no interrupt.
 */
void vmm_virtio_answer_locked(struct vmm_virtio *v, const void *config, size_t len)
{
	memcpy(v->config, config, len);
	show_config(v);
}

/* What a driver's reset does not change. */
static void power_on_locked(struct vmm_virtio *v)
{
	v->page_size = 0;
	v->generation = 0;
	reset_locked(v);
	show_config(v);
}

/**
 * vmm_virtio_reset - put a device into its power-on state
 * @v: attached; no vCPU exists
 */
void vmm_virtio_reset(struct vmm_virtio *v)
{
	unsigned int i;

	vmm_count(&v->counts.resets, 1);
	pthread_mutex_lock(&v->lock);
	power_on_locked(v);
	if (v->transport->reset)
		v->transport->reset(v);
	pthread_mutex_unlock(&v->lock);
	if (v->ops->reset)
		v->ops->reset(v);
	__atomic_store_n(&v->blamed, false, __ATOMIC_RELAXED);
	/* A pending signal is not for the next guest. */
	vmm_event_clear(v->call_fd);
	for (i = 0; i < v->queues; i++) {
		vmm_event_clear(v->queue[i].call_fd);
		vmm_event_clear(v->queue[i].kick_fd);
	}
}

/**
 * vmm_virtio_pause - pause a device, if it can be paused
 * @v: attached
 *
 * Context: main thread, or a job; no vCPU runs.
 */
void vmm_virtio_pause(struct vmm_virtio *v)
{
	v->paused = true;
	if (v->ops->pause)
		v->ops->pause(v);
}

/**
 * vmm_virtio_resume - undo vmm_virtio_pause()
 * @v: attached
 *
 * Context: main thread, or a job; no vCPU runs.
 */
void vmm_virtio_resume(struct vmm_virtio *v)
{
	v->paused = false;
	if (v->ops->resume)
		v->ops->resume(v);
}

/**
 * vmm_virtio_start_loaded - start a device that was loaded, if its driver had started it
 * @v: the device
 * @running: the driver had started it
 *
 * The driver gets an interrupt for each queue, and each queue a kick: signals that were pending
 * when the device was saved are not lost, and additional ones do no harm.
 *
 * Context: @v->lock held.
 */
void vmm_virtio_start_loaded(struct vmm_virtio *v, bool running)
{
	unsigned int i;

	show_config(v);
	v->loaded = true;
	if (running)
		start_locked(v);
	v->loaded = false;
	show(v);
	if (!running)
		return;
	for (i = 0; i < v->queues; i++) {
		if (!v->queue[i].ready)
			continue;
		vmm_event_signal(v->queue[i].kick_fd);
		vmm_event_signal(v->queue[i].call_fd);
	}
	if (v->config_pending)
		vmm_event_signal(v->call_fd);
}

/**
 * vmm_virtio_attach - show a device to the guest
 * @v: created by its model, with eventfds
 * @transport: the transport; used until vmm_virtio_detach()
 */
void vmm_virtio_attach(struct vmm_virtio *v, const struct vmm_virtio_transport *transport)
{
	pthread_mutex_lock(&v->lock);
	v->transport = transport;
	if (transport->queue_reset && v->ops->stop_queue && v->ops->start_queue)
		v->offered |= 1ULL << VIRTIO_F_RING_RESET;
	if (v->vm->cfg->access_platform && !v->legacy)
		v->offered |= 1ULL << VIRTIO_F_ACCESS_PLATFORM;
	power_on_locked(v);
	pthread_mutex_unlock(&v->lock);
}

/**
 * vmm_virtio_detach - stop a device and hide it from the guest
 * @v: the device; no vCPU runs
 */
void vmm_virtio_detach(struct vmm_virtio *v)
{
	pthread_mutex_lock(&v->lock);
	stop_locked(v);
	v->transport = NULL;
	pthread_mutex_unlock(&v->lock);
}

/**
 * vmm_virtio_report - collect a device's counters
 * @v: the device
 * @report: filled
 *
 * Context: any thread.
 */
void vmm_virtio_report(struct vmm_virtio *v, struct vmm_report *report)
{
	const struct vmm_virtio_counts *counts = &v->counts;

	report->count = 0;
	vmm_report_add(report, "starts", vmm_counted(&counts->starts));
	vmm_report_add(report, "stops", vmm_counted(&counts->stops));
	vmm_report_add(report, "resets", vmm_counted(&counts->resets));
	vmm_report_add(report, "failures", vmm_counted(&counts->failures));
	vmm_report_add(report, "broken_rings", vmm_counted(&counts->broken_rings));
	vmm_report_add(report, "stalls", vmm_counted(&counts->stalls));
	vmm_report_add(report, "config_changes", vmm_counted(&counts->config_changes));
	vmm_report_add(report, "kicks", vmm_counted(&counts->kicks));
	if (v->ops->stats)
		v->ops->stats(v, report);
}
