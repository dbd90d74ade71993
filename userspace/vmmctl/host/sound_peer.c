// SPDX-License-Identifier: GPL-2.0-only
/*
 * The connection to ranchu-sound, which may end and come again at any time, and is not trusted.
 * vmmctl never waits for it: samples that it does not accept at once are lost, and if it has not
 * sent recorded samples in time, the guest gets silence.
 *
 * Recorded samples of one message are kept in stock, so that a delay of less than that cannot be
 * heard.
 */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/iov.h"
#include "host/log.h"
#include "host/sound_peer.h"
#include "host/sound_wire.h"

/* Sends a complete packet, or nothing. */
static bool packet_send(const struct vmm_sound_peer *peer, struct iovec *iov, unsigned int count)
{
	struct msghdr msg = { .msg_iov = iov, .msg_iovlen = count };

	return sendmsg(peer->stream.fd, &msg, MSG_NOSIGNAL | MSG_DONTWAIT) >= 0;
}

static bool word_send(const struct vmm_sound_peer *peer, struct vmm_sound_packet packet)
{
	struct iovec iov = { &packet, sizeof(packet) };

	return packet_send(peer, &iov, 1);
}

static void run_send_locked(const struct vmm_sound_peer *peer, bool record)
{
	const struct vmm_sound_format *format = &peer->format[record];

	word_send(peer, (struct vmm_sound_packet){
		.word = htole32(peer->runs[record] ? VMM_SOUND_START : VMM_SOUND_STOP),
		.rate = htole32(format->rate), .record = record, .channels = format->channels,
		.bits = format->bits, .is_float = format->is_float,
	});
}

/**
 * vmm_sound_peer_run - start or stop a direction
 * @peer: the program
 * @record: the direction
 * @runs: whether it starts
 * @format: format of its samples
 */
void vmm_sound_peer_run(struct vmm_sound_peer *peer, bool record, bool runs,
			const struct vmm_sound_format *format)
{
	pthread_mutex_lock(&peer->lock);
	if (peer->runs[record] != runs) {
		peer->runs[record] = runs;
		peer->format[record] = *format;
		/* The answer to an earlier request may still come; it is used. */
		if (record)
			peer->have = 0;
		run_send_locked(peer, record);
	}
	pthread_mutex_unlock(&peer->lock);
}

/**
 * vmm_sound_peer_play - send samples
 * @peer: the program
 * @iov: the samples
 * @count: elements of it, VMM_SOUND_PIECES at most
 * @bytes: of all samples
 *
 * Return: whether all were sent
 */
bool vmm_sound_peer_play(struct vmm_sound_peer *peer, const struct iovec *iov,
			 unsigned int count, size_t bytes)
{
	struct iovec part[VMM_SOUND_PIECES + 1];
	size_t done, more;

	for (done = 0; done < bytes; done += more) {
		struct vmm_sound_packet packet = { .word = htole32(VMM_SOUND_SAMPLES) };

		more = bytes - done < VMM_SOUND_PACKET ? bytes - done : VMM_SOUND_PACKET;
		packet.bytes = htole32(more);
		part[0] = (struct iovec){ &packet, sizeof(packet) };
		if (!packet_send(peer, part, 1 + vmm_iov_part(iov, count, done, more, part + 1)))
			return false;
	}
	return true;
}

/* Copies samples from the stock. Returns how many bytes. */
static size_t stock_take_locked(struct vmm_sound_peer *peer, const struct iovec *iov,
				unsigned int count, size_t bytes)
{
	size_t done = 0;

	while (done < bytes && peer->have) {
		size_t more = VMM_SOUND_STOCK - peer->at;

		if (more > peer->have)
			more = peer->have;
		if (more > bytes - done)
			more = bytes - done;
		vmm_iov_write(iov, count, done, peer->stock + peer->at, more);
		peer->at = (peer->at + more) % VMM_SOUND_STOCK;
		peer->have -= more;
		done += more;
	}
	return done;
}

/**
 * vmm_sound_peer_record - get recorded samples, and request the next ones
 * @peer: the program
 * @iov: filled
 * @count: elements of it, VMM_SOUND_PIECES at most
 * @bytes: bytes of all samples, and of the next request
 *
 * Return: bytes that were available, whole frames
 */
size_t vmm_sound_peer_record(struct vmm_sound_peer *peer, const struct iovec *iov,
			     unsigned int count, size_t bytes)
{
	size_t want = 2 * bytes < VMM_SOUND_STOCK ? 2 * bytes : VMM_SOUND_STOCK;
	size_t done;

	pthread_mutex_lock(&peer->lock);
	done = peer->have < bytes ? peer->have : bytes;
	done = stock_take_locked(peer, iov, count,
				 done - done % vmm_sound_frame(&peer->format[1]));
	if (peer->runs[1] && !peer->asking && want > peer->have) {
		peer->asked = want - peer->have;
		peer->asking = word_send(peer, (struct vmm_sound_packet){
			.word = htole32(VMM_SOUND_ASK), .bytes = htole32(peer->asked),
			.record = 1,
		});
	}
	pthread_mutex_unlock(&peer->lock);
	return done;
}

/* Stores no more than was requested, for which there is room. */
static void stock_put_locked(struct vmm_sound_peer *peer, const u8 *from, size_t bytes)
{
	size_t to = (peer->at + peer->have) % VMM_SOUND_STOCK;
	size_t first = VMM_SOUND_STOCK - to;

	if (bytes > peer->asked)
		bytes = peer->asked;
	if (first > bytes)
		first = bytes;
	memcpy(peer->stock + to, from, first);
	memcpy(peer->stock, from + first, bytes - first);
	peer->have += bytes;
	peer->asked -= bytes;
}

static void request_end_locked(struct vmm_sound_peer *peer)
{
	peer->asking = false;
	peer->asked = 0;
}

/* Handles one packet. An invalid one ends the connection. */
static void peer_read(struct vmm_sound_peer *peer)
{
	struct {
		struct vmm_sound_packet head;
		u8 samples[VMM_SOUND_PACKET];
	} packet;
	ssize_t n = recv(peer->stream.fd, &packet, sizeof(packet), MSG_DONTWAIT | MSG_TRUNC);
	u32 word;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n < (ssize_t)sizeof(packet.head) || n > (ssize_t)sizeof(packet) ||
	    packet.head.record != 1 || le32toh(packet.head.bytes) != n - sizeof(packet.head)) {
		vmm_stream_lose(&peer->stream);
		return;
	}
	word = le32toh(packet.head.word);
	pthread_mutex_lock(&peer->lock);
	if (word == VMM_SOUND_SAMPLES)
		stock_put_locked(peer, packet.samples, n - sizeof(packet.head));
	else if (word == VMM_SOUND_ALL)
		request_end_locked(peer);
	else
		vmm_stream_lose(&peer->stream);
	pthread_mutex_unlock(&peer->lock);
}

/* Connects again, and tells the program which directions run. */
static void peer_retry(struct vmm_sound_peer *peer)
{
	unsigned int i;

	if (!peer->stream.lost)
		return;
	vmm_stream_retry(&peer->stream);
	if (peer->stream.lost)
		return;
	pthread_mutex_lock(&peer->lock);
	request_end_locked(peer);
	for (i = 0; i < 2; i++) {
		if (peer->runs[i])
			run_send_locked(peer, i);
	}
	pthread_mutex_unlock(&peer->lock);
}

static void *peer_main(void *arg)
{
	struct vmm_sound_peer *peer = arg;
	struct pollfd fds[] = {
		{ .fd = peer->end_fd, .events = POLLIN },
		{ .events = POLLIN },
	};

	for (;;) {
		fds[1].fd = vmm_stream_poll_fd(&peer->stream);
		fds[1].revents = 0;
		poll(fds, ARRAY_SIZE(fds), vmm_stream_timeout(&peer->stream));
		if (fds[0].revents)
			return NULL;
		if (fds[1].revents)
			peer_read(peer);
		peer_retry(peer);
	}
}

/**
 * vmm_sound_peer_open - connect to a program that plays and records
 * @vm: the VM, which gets a thread
 * @option: the option, for messages
 * @path: path of its socket; owned by the caller
 *
 * Return: the program, or NULL after a message
 */
struct vmm_sound_peer *vmm_sound_peer_open(struct vmm_vm *vm, const char *option,
					   const char *path)
{
	struct vmm_sound_peer *peer = calloc(1, sizeof(*peer));
	int err;

	if (!peer) {
		vmm_error(ENOMEM, "sound");
		return NULL;
	}
	peer->end_fd = vmm_event_create();
	err = vmm_stream_open_packets(&peer->stream, path);
	if (err)
		vmm_error(-err, "%s: cannot connect to %s", option, path);
	if (err || peer->end_fd < 0) {
		vmm_stream_close(&peer->stream);
		if (peer->end_fd >= 0)
			close(peer->end_fd);
		free(peer);
		return NULL;
	}
	pthread_mutex_init(&peer->lock, NULL);
	vmm_thread_add(vm, &peer->thread, "sound-peer", peer_main, peer);
	return peer;
}

/**
 * vmm_sound_peer_close - close the connection
 * @vm: the VM
 * @peer: the program; may be NULL
 */
void vmm_sound_peer_close(struct vmm_vm *vm, struct vmm_sound_peer *peer)
{
	if (!peer)
		return;
	vmm_event_signal(peer->end_fd);
	vmm_thread_remove(vm, &peer->thread);
	vmm_stream_close(&peer->stream);
	close(peer->end_fd);
	pthread_mutex_destroy(&peer->lock);
	free(peer);
}
