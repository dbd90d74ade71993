// SPDX-License-Identifier: GPL-2.0-only
/*
 * Sound from a file whose file system may not answer. A thread of the file's reads the next
 * chunk while a guest records this one. What has not come when it is needed is silence for
 * now, and is recorded later. The first chunk is kept: a guest that begins anew has it at
 * once.
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <unistd.h>

#include "host/file_thread.h"
#include "host/iov.h"
#include "host/log.h"
#include "host/sound_ahead.h"

#define AHEAD_CHUNK	(128 * 1024)	/* bytes: the best part of a second of music */
#define AHEAD_NONE	(~0U)

/**
 * struct chunk - a part of the samples
 * @number: which, AHEAD_NONE while it is read
 * @asked: which is to be here
 * @len: bytes that are here
 * @bytes: them
 */
struct chunk {
	u32 number;
	u32 asked;
	u32 len;
	u8 bytes[AHEAD_CHUNK];
};

/**
 * struct vmm_sound_ahead - samples of a file
 * @fd: the file
 * @begin: where the samples begin, bytes
 * @bytes: of all samples
 * @file: reads
 * @lock: protects what follows, but for @bytes of a chunk that is read
 * @first: the first chunk
 * @next: the others, by the last bit of their number
 */
struct vmm_sound_ahead {
	int fd;
	u32 begin;
	u32 bytes;
	struct vmm_file_thread *file;
	pthread_mutex_t lock;
	struct chunk first;
	struct chunk next[2];
};

static u32 chunk_len(const struct vmm_sound_ahead *ahead, u32 number)
{
	u64 left = ahead->bytes - (u64)number * AHEAD_CHUNK;

	return left < AHEAD_CHUNK ? left : AHEAD_CHUNK;
}

/* Returns 0, or -errno: then it may be asked for again. */
static int chunk_read(struct vmm_sound_ahead *ahead, struct chunk *chunk, u32 number)
{
	off_t at = ahead->begin + (off_t)number * AHEAD_CHUNK;
	u32 len = chunk_len(ahead, number);
	ssize_t n = pread(ahead->fd, chunk->bytes, len, at);
	int err = n < 0 ? -errno : 0;

	if (!err && n < (ssize_t)len)
		err = -EIO;
	pthread_mutex_lock(&ahead->lock);
	chunk->number = number;
	chunk->len = n > 0 ? n : 0;
	if (err && chunk->asked == number)
		chunk->asked = AHEAD_NONE;
	pthread_mutex_unlock(&ahead->lock);
	return err;
}

/* A record is the number of a chunk. */
static size_t chunk_wanted(void *arg, const void *record, size_t len)
{
	struct vmm_sound_ahead *ahead = arg;
	u32 number = *(const u32 *)record;
	struct chunk *chunk = &ahead->next[number & 1];
	bool wanted;

	(void)len;
	pthread_mutex_lock(&ahead->lock);
	wanted = chunk->asked == number;
	if (wanted)
		chunk->number = AHEAD_NONE;
	pthread_mutex_unlock(&ahead->lock);
	if (wanted)
		chunk_read(ahead, chunk, number);
	return 0;
}

/* Has a chunk read, if there is one of that number and it was not asked for. */
static void chunk_ask(struct vmm_sound_ahead *ahead, u32 number)
{
	struct chunk *chunk = &ahead->next[number & 1];
	bool asked;

	if (!number || (u64)number * AHEAD_CHUNK >= ahead->bytes)
		return;
	pthread_mutex_lock(&ahead->lock);
	asked = chunk->asked == number;
	chunk->asked = number;
	pthread_mutex_unlock(&ahead->lock);
	if (asked || vmm_file_thread_put(ahead->file, &number, sizeof(number), NULL, 0))
		return;
	/* No room: it is asked for again. */
	pthread_mutex_lock(&ahead->lock);
	chunk->asked = AHEAD_NONE;
	pthread_mutex_unlock(&ahead->lock);
}

/* Copies what is there of one chunk to where @done bytes are already. */
static size_t chunk_copy(struct vmm_sound_ahead *ahead, u32 at, const struct iovec *iov,
			 unsigned int count, size_t done)
{
	u32 number = at / AHEAD_CHUNK;
	struct chunk *chunk = number ? &ahead->next[number & 1] : &ahead->first;
	u32 from = at % AHEAD_CHUNK;
	size_t n = 0;

	pthread_mutex_lock(&ahead->lock);
	if (chunk->number == number && from < chunk->len)
		n = vmm_iov_write(iov, count, done, chunk->bytes + from, chunk->len - from);
	pthread_mutex_unlock(&ahead->lock);
	return n;
}

/**
 * vmm_sound_ahead_open - read the first samples
 * @fd: the file; is closed by vmm_sound_ahead_close()
 * @begin: where its samples begin, bytes
 * @bytes: of all samples
 *
 * Return: the samples, or NULL after a message
 */
struct vmm_sound_ahead *vmm_sound_ahead_open(int fd, u32 begin, u32 bytes)
{
	struct vmm_sound_ahead *ahead = calloc(1, sizeof(*ahead));
	int err;

	if (!ahead) {
		vmm_error(ENOMEM, "sound");
		return NULL;
	}
	ahead->fd = fd;
	ahead->begin = begin;
	ahead->bytes = bytes;
	ahead->file = vmm_file_thread_open("wav", NULL, VMM_FILE_ROOM, chunk_wanted, ahead);
	if (!ahead->file) {
		free(ahead);
		return NULL;
	}
	pthread_mutex_init(&ahead->lock, NULL);
	/* None of the number 0 is ever asked for there. */
	err = chunk_read(ahead, &ahead->first, 0);
	if (!err)
		return ahead;
	vmm_error(-err, "sound: cannot read the first samples");
	if (!vmm_file_thread_close(ahead->file, -1))
		return NULL;
	pthread_mutex_destroy(&ahead->lock);
	free(ahead);
	return NULL;
}

/**
 * vmm_sound_ahead_read - take samples
 * @ahead: the samples
 * @at: which ones: bytes in front of them
 * @iov: filled as far as samples are there
 * @count: elements of it
 *
 * Return: bytes that were there; never waits for more
 */
size_t vmm_sound_ahead_read(struct vmm_sound_ahead *ahead, u32 at, const struct iovec *iov,
			    unsigned int count)
{
	size_t done = 0;
	size_t n;

	do {
		u32 number = (at + done) / AHEAD_CHUNK;

		chunk_ask(ahead, number);
		chunk_ask(ahead, number + 1);
		n = chunk_copy(ahead, at + done, iov, count, done);
		done += n;
	} while (n);
	return done;
}

/**
 * vmm_sound_ahead_close - take no more
 * @ahead: may be NULL; a thread that is reading still keeps it
 */
void vmm_sound_ahead_close(struct vmm_sound_ahead *ahead)
{
	if (!ahead || !vmm_file_thread_close(ahead->file, ahead->fd))
		return;
	pthread_mutex_destroy(&ahead->lock);
	free(ahead);
}
