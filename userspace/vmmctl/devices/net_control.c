// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control queue of a network device. Its only command is the driver's answer to a request to
 * announce itself: filters, VLANs and the MAC address are set on the host.
 *
 * vmmctl processes the queue; vhost-net serves those of the packets.
 *
 * Source: VIRTIO 1.2, 5.1.6.5 Control Virtqueue and 5.1.6.5.4 Gratuitous Packet Sending
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <linux/virtio_net.h>

#include "devices/devices.h"
#include "virtio/ring.h"

#define CONTROL_BUFFERS	8	/* of a command; Linux uses two */
#define CONTROL_WAIT	1	/* milliseconds between two tries */

/**
 * struct vmm_net_control - a control queue
 * @dev: the queue; it is the last one of the device
 * @announced: see vmm_net_control_open()
 * @arg: its argument
 */
struct vmm_net_control {
	struct vmm_ring_device dev;
	void (*announced)(void *arg);
	void *arg;
};

/* Reads the command, of which no more than the header matters. */
static bool is_announced(const struct ranchu_chain *chain)
{
	u8 command[sizeof(struct virtio_net_ctrl_hdr)];
	size_t len = 0;
	unsigned int i;

	for (i = 0; i < chain->n_out && len < sizeof(command); i++) {
		size_t n = chain->iov[i].iov_len;

		if (n > sizeof(command) - len)
			n = sizeof(command) - len;
		memcpy(command + len, chain->iov[i].iov_base, n);
		len += n;
	}
	return len == sizeof(command) && command[0] == VIRTIO_NET_CTRL_ANNOUNCE &&
	       command[1] == VIRTIO_NET_CTRL_ANNOUNCE_ACK;
}

/* Returns how many bytes were written to the driver's buffers: one, unless there is no room. */
static u32 control_answer(struct vmm_net_control *control, const struct ranchu_chain *chain)
{
	virtio_net_ctrl_ack ack = VIRTIO_NET_ERR;
	unsigned int i;

	if (is_announced(chain)) {
		control->announced(control->arg);
		ack = VIRTIO_NET_OK;
	}
	for (i = chain->n_out; i < chain->n_out + chain->n_in; i++) {
		if (!chain->iov[i].iov_len)
			continue;
		*(u8 *)chain->iov[i].iov_base = ack;
		return 1;
	}
	return 0;
}

/* Takes the device's lock. Returns false, without the lock, if the queue stops or is paused. */
static bool control_lock(struct vmm_ring *ring)
{
	/* The thread that has the lock may be waiting for this thread to end. */
	while (pthread_mutex_trylock(&ring->dev->v->lock)) {
		if (vmm_ring_stopping(ring))
			return false;
		poll(NULL, 0, CONTROL_WAIT);
	}
	return true;
}

/* The configuration changes before the driver gets the answer, as the specification demands. */
static bool control_kicked(struct vmm_ring *ring)
{
	struct vmm_net_control *control = (struct vmm_net_control *)ring->dev;
	struct iovec iov[CONTROL_BUFFERS];
	struct ranchu_chain chain = { .iov = iov, .max = CONTROL_BUFFERS };

	if (!control_lock(ring))
		return true;
	while (vmm_ring_next(ring, &chain) > 0)
		vmm_ring_push(ring, &chain, control_answer(control, &chain));
	pthread_mutex_unlock(&ring->dev->v->lock);
	return true;
}

/**
 * vmm_net_control_open - create the control queue of a network device
 * @v: the device, whose last queue it is; its @offered must be set afterwards
 * @announced: called with @v->lock held when the driver has announced itself; any thread
 * @arg: argument of @announced
 *
 * Return: the queue, stopped; or NULL after a message
 */
struct vmm_net_control *vmm_net_control_open(struct vmm_virtio *v, void (*announced)(void *arg),
					     void *arg)
{
	struct vmm_net_control *control = calloc(1, sizeof(*control));

	if (!control) {
		vmm_error(ENOMEM, "network");
		return NULL;
	}
	if (vmm_ring_device_open(&control->dev, v, 0, control_kicked)) {
		free(control);
		return NULL;
	}
	control->dev.first = v->queues - 1;
	control->announced = announced;
	control->arg = arg;
	return control;
}

/**
 * vmm_net_control_close - undo vmm_net_control_open()
 * @control: stopped; may be NULL
 */
void vmm_net_control_close(struct vmm_net_control *control)
{
	if (!control)
		return;
	vmm_ring_device_close(&control->dev);
	free(control);
}

/**
 * vmm_net_control_start - start the queue, if the driver uses it
 * @control: stopped
 *
 * Context: @v->lock held.
 * Return: 0, or -errno after a message
 */
int vmm_net_control_start(struct vmm_net_control *control)
{
	const struct vmm_virtio *v = control->dev.v;

	if (!v->queue[v->queues - 1].ready)
		return 0;
	return vmm_ring_device_start(&control->dev, v->queues);
}

/**
 * vmm_net_control_stop - undo vmm_net_control_start()
 * @control: started or not
 *
 * Context: @v->lock held.
 */
void vmm_net_control_stop(struct vmm_net_control *control)
{
	vmm_ring_device_stop(&control->dev);
}

/**
 * vmm_net_control_pause - stop taking commands, or take them again
 * @control: started or not
 * @pause: which of the two
 *
 * Context: as the model's @pause and @resume.
 */
void vmm_net_control_pause(struct vmm_net_control *control, bool pause)
{
	if (pause)
		vmm_ring_device_pause(&control->dev);
	else
		vmm_ring_device_resume(&control->dev);
}

/**
 * vmm_net_control_base - return the next index of the queue
 * @control: paused
 * @base: filled
 *
 * Return: as vmm_ring_device_base()
 */
int vmm_net_control_base(struct vmm_net_control *control, u32 *base)
{
	return vmm_ring_device_base(&control->dev, control->dev.first, base);
}
