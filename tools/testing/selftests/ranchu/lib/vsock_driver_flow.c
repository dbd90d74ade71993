// SPDX-License-Identifier: GPL-2.0-only
/*
 * Much data over many streams, in pieces of random size, both ways at once. One
 * thread acts as both ends of all streams, and only poll() blocks.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "vsock_driver.h"

/* A prime, so that no length of ours is a multiple of it. */
#define PERIOD		65521u
#define PIECES		8

static uint8_t pattern[PERIOD + VS_MAX_PAYLOAD];

static void pattern_fill(void)
{
	uint32_t state = 1;
	size_t i;

	for (i = 0; i < sizeof(pattern); i++)
		pattern[i] = i < PERIOD ? vq_random(&state) >> 8 : pattern[i - PERIOD];
}

const uint8_t *vs_pattern(uint32_t seed, uint64_t offset)
{
	if (!pattern[0] && !pattern[1] && !pattern[2])
		pattern_fill();
	return pattern + (offset + seed * 4099ull) % PERIOD;
}

/* The guest's data differs from the host's. */
static const uint8_t *to_host_data(const struct vs_flow *flow, uint64_t offset)
{
	return vs_pattern(flow->stream->guest_port * 2, offset);
}

static const uint8_t *to_guest_data(const struct vs_flow *flow, uint64_t offset)
{
	return vs_pattern(flow->stream->guest_port * 2 + 1, offset);
}

/* Sometimes a few bytes, sometimes as many as possible. */
static uint32_t random_len(struct vs_flow *flow, uint64_t left)
{
	uint32_t r = vq_random(&flow->seed), most = flow->max_packet;

	if (most > left)
		most = left;
	switch (r & 3) {
	case 0:
		return most < 100 ? most : r % 100 + 1;
	case 1:
		return most;
	default:
		return (r >> 2) % most + 1;
	}
}

static bool guest_send(struct vs_flow *flow)
{
	uint64_t left = flow->to_host - flow->guest_sent;
	uint32_t room = vs_stream_room(flow->stream), len;

	if (!left || !room)
		return false;
	len = random_len(flow, left);
	if (len > room)
		len = room;
	if (!vs_stream_try_send(flow->stream, VIRTIO_VSOCK_OP_RW, 0,
				to_host_data(flow, flow->guest_sent), len))
		return false;
	flow->guest_sent += len;
	return true;
}

static bool host_send(struct vs_flow *flow)
{
	uint64_t left = flow->to_guest - flow->host_sent;
	ssize_t done;

	if (!left)
		return false;
	done = send(flow->stream->sock, to_guest_data(flow, flow->host_sent),
		    random_len(flow, left), MSG_NOSIGNAL);
	if (done < 0 && errno != EAGAIN)
		vq_die("the host cannot write: %s", strerror(errno));
	if (done <= 0)
		return false;
	flow->host_sent += done;
	return true;
}

static bool host_recv(struct vs_flow *flow)
{
	static uint8_t data[VS_MAX_PAYLOAD];
	ssize_t done;

	/* With many streams, polls of idle sockets would take long. */
	if (flow->host_stalled || flow->host_got == flow->guest_sent)
		return false;
	done = read(flow->stream->sock, data, flow->max_packet);
	if (done < 0 && errno == EAGAIN)
		return false;
	if (done <= 0)
		vq_die("port %u: the host's data ends after %llu of %llu: %s",
		       flow->stream->guest_port, (unsigned long long)flow->host_got,
		       (unsigned long long)flow->to_host,
		       done ? strerror(errno) : "the end");
	if (memcmp(data, to_host_data(flow, flow->host_got), done))
		vq_die("port %u: wrong data for the host within %zd bytes at %llu",
		       flow->stream->guest_port, done,
		       (unsigned long long)flow->host_got);
	flow->host_got += done;
	return true;
}

static void guest_take(struct vs_flow *flow, const struct vs_packet *packet)
{
	struct vs_stream *stream = flow->stream;

	vs_stream_hear(stream, packet);
	if (packet->op != VIRTIO_VSOCK_OP_RW) {
		if (packet->op != VIRTIO_VSOCK_OP_CREDIT_UPDATE)
			vq_die("port %u: unexpected op %u", stream->guest_port, packet->op);
		return;
	}
	if (memcmp(packet->data, to_guest_data(flow, flow->guest_got), packet->len))
		vq_die("port %u: wrong data for the guest within %u bytes at %llu",
		       stream->guest_port, packet->len,
		       (unsigned long long)flow->guest_got);
	flow->guest_got += packet->len;
	if (stream->fwd_cnt - stream->told_fwd_cnt > stream->buf_alloc)
		vq_die("port %u: more than the guest has room for", stream->guest_port);
}

static void guest_credit(struct vs_flow *flow)
{
	struct vs_stream *stream = flow->stream;

	if (!flow->guest_stalled &&
	    stream->fwd_cnt - stream->told_fwd_cnt >= stream->buf_alloc / 2)
		vs_stream_try_send(stream, VIRTIO_VSOCK_OP_CREDIT_UPDATE, 0, NULL, 0);
}

static struct vs_flow *flow_of(struct vs_flow *flows, unsigned int n,
			       const struct vs_dev *dev,
			       const struct vs_packet *packet)
{
	const struct vs_stream *stream;
	unsigned int i;

	for (i = 0; i < n; i++) {
		stream = flows[i].stream;
		if (stream->dev == dev && stream->guest_port == packet->dst_port &&
		    stream->host_port == packet->src_port)
			return &flows[i];
	}
	vq_die("op %u for ports %u:%u, which are nobody's", packet->op,
	       packet->dst_port, packet->src_port);
}

static bool guest_recv(struct vs_flow *flows, unsigned int n, struct vs_dev *dev)
{
	struct vs_packet packet;
	bool any = false;

	while (vs_try_get(dev, &packet)) {
		guest_take(flow_of(flows, n, dev, &packet), &packet);
		any = true;
	}
	return any;
}

static bool flow_turn(struct vs_flow *flow)
{
	bool any = false;
	unsigned int i;

	for (i = 0; i < PIECES && guest_send(flow); i++)
		any = true;
	for (i = 0; i < PIECES && host_send(flow); i++)
		any = true;
	for (i = 0; i < PIECES && host_recv(flow); i++)
		any = true;
	guest_credit(flow);
	return any;
}

/* Another one is first each time: the transmit ring is small. */
bool vs_flows_turn(struct vs_flow *flows, unsigned int n)
{
	static unsigned int first;
	bool any = false;
	unsigned int i;

	for (i = 0; i < n; i++)
		if (!i || flows[i].stream->dev != flows[i - 1].stream->dev)
			any |= guest_recv(flows, n, flows[i].stream->dev);
	first++;
	for (i = 0; i < n; i++)
		any |= flow_turn(&flows[(first + i) % n]);
	return any;
}

static short host_wants(const struct vs_flow *flow)
{
	short events = 0;

	if (!flow->host_stalled && flow->host_got < flow->guest_sent)
		events |= POLLIN;
	if (flow->host_sent < flow->to_guest)
		events |= POLLOUT;
	return events;
}

static void say_flow(const struct vs_flow *flow)
{
	const struct vs_stream *stream = flow->stream;

	printf("# port %u: to host %llu, %llu of %llu; to guest %llu, %llu of %llu; room %u\n",
	       stream->guest_port, (unsigned long long)flow->guest_sent,
	       (unsigned long long)flow->host_got, (unsigned long long)flow->to_host,
	       (unsigned long long)flow->host_sent, (unsigned long long)flow->guest_got,
	       (unsigned long long)flow->to_guest, vs_stream_room(stream));
}

/* Returns whether there is something used already. */
static bool listen_to(struct vs_dev *dev, struct pollfd *pfd)
{
	bool any = false;
	unsigned int i;

	for (i = VS_RX; i <= VS_TX; i++) {
		vq_calls_on(&dev->rings[i], 0);
		any |= vq_has_used(&dev->rings[i]);
		pfd[i] = (struct pollfd){ .fd = dev->rings[i].call, .events = POLLIN };
	}
	return any;
}

void vs_flows_wait(struct vs_flow *flows, unsigned int n)
{
	struct pollfd *pfds = calloc(3 * n, sizeof(*pfds));
	unsigned int i, used = 0;
	bool any = false;

	if (!pfds)
		vq_die("no memory");
	for (i = 0; i < n; i++) {
		if (!i || flows[i].stream->dev != flows[i - 1].stream->dev) {
			any |= listen_to(flows[i].stream->dev, pfds + used);
			used += 2;
		}
		pfds[used].fd = host_wants(&flows[i]) ? flows[i].stream->sock : -1;
		pfds[used++].events = host_wants(&flows[i]);
	}
	if (!any && poll(pfds, used, VQ_PATIENCE_MS) <= 0) {
		for (i = 0; i < n; i++)
			say_flow(&flows[i]);
		vq_die("nothing moves");
	}
	for (i = 0; i < n; i++)
		if (!i || flows[i].stream->dev != flows[i - 1].stream->dev) {
			vq_wait(flows[i].stream->dev->rings[VS_RX].call, 0);
			vq_wait(flows[i].stream->dev->rings[VS_TX].call, 0);
		}
	free(pfds);
}

bool vs_flow_done(const struct vs_flow *flow)
{
	return (flow->host_stalled || flow->host_got == flow->to_host) &&
	       (flow->guest_stalled || flow->guest_got == flow->to_guest);
}

void vs_flows_run(struct vs_flow *flows, unsigned int n)
{
	unsigned int i, done;

	for (;;) {
		for (i = 0, done = 0; i < n; i++)
			done += vs_flow_done(&flows[i]);
		if (done == n)
			return;
		if (!vs_flows_turn(flows, n))
			vs_flows_wait(flows, n);
	}
}
