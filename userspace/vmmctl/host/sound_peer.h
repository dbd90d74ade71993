/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * vmmctl's end of the connection to ranchu-sound.
 */
#ifndef SOUND_PEER_H
#define SOUND_PEER_H

#include "host/sound.h"
#include "host/stream.h"
#include "machine/machine.h"

#define VMM_SOUND_STOCK	(256 * KIB)	/* recorded bytes that the guest has not read yet */

/**
 * struct vmm_sound_peer - a program that plays and records
 * @stream: the connection; used for reading by @thread
 * @end_fd: eventfd, signalled when @thread is to end
 * @thread: thread that reads from the program, and reconnects
 * @lock: protects what follows
 * @runs: by direction (1 for recording): it was started
 * @format: format by direction
 * @stock: recorded samples, a ring
 * @at: oldest byte in @stock
 * @have: bytes in @stock
 * @asking: a request was sent, and the end of its answer has not come
 * @asked: requested bytes that may still come
 */
struct vmm_sound_peer {
	struct vmm_stream stream;
	int end_fd;
	struct vmm_thread thread;
	pthread_mutex_t lock;
	bool runs[2];
	struct vmm_sound_format format[2];
	u8 stock[VMM_SOUND_STOCK];
	size_t at;
	size_t have;
	bool asking;
	size_t asked;
};

/* ---- sound_peer.c ---- */

struct vmm_sound_peer *vmm_sound_peer_open(struct vmm_vm *vm, const char *option,
					   const char *path);
void vmm_sound_peer_close(struct vmm_vm *vm, struct vmm_sound_peer *peer);
void vmm_sound_peer_run(struct vmm_sound_peer *peer, bool record, bool runs,
			const struct vmm_sound_format *format);
bool vmm_sound_peer_play(struct vmm_sound_peer *peer, const struct iovec *iov,
			 unsigned int count, size_t bytes);
size_t vmm_sound_peer_record(struct vmm_sound_peer *peer, const struct iovec *iov,
			     unsigned int count, size_t bytes);

#endif /* SOUND_PEER_H */
