// SPDX-License-Identifier: GPL-2.0-only
/*
 * A library with the functions stream_renderer_*, which draws nothing and records calls. The record
 * is its capset 8, so a guest, or a test, can read it.
 *
 * Fences are signalled at difficult times. On the device's timeline a thread signals them when
 * three wait, and reports only the last. On ring 0 they are signalled inside the call that makes
 * them. On ring 1 they are signalled together with the device's, the later one first.
 *
 * With -DOUTDATED it has a function that only old libraries have, with -DBROKEN it does not
 * start.
 */
#include <pthread.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/uio.h>

#include "types.h"

#define EXPORT		__attribute__((visibility("default")))
#define CAPSET		8
#define LOG_SIZE	1024
#define WAITING		16

struct param {
	u64 key;
	u64 value;
};

struct fence {
	u32 flags;
	u64 number;
	u32 context;
	u8 ring;
};

struct command {
	u32 context;
	u32 size;
	u8 *commands;
	u32 fences;
	struct fence *fence;
};

struct debug {
	u32 type;
	const char *message;
};

static char log_text[LOG_SIZE];
static size_t log_len;
static void (*fence_callback)(void *user, struct fence *fence);
static void (*debug_callback)(void *user, struct debug *debug);
static void *user_data;

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t more = PTHREAD_COND_INITIALIZER;
static struct fence device[WAITING];
static unsigned int devices;
static struct fence ring[WAITING];
static unsigned int rings;

static void note(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_len += vsnprintf(log_text + log_len, LOG_SIZE - log_len, fmt, args);
	va_end(args);
	if (log_len >= LOG_SIZE)
		log_len = LOG_SIZE - 1;
}

static void *fences_tell(void *arg)
{
	struct fence told[WAITING + 1];
	unsigned int count;

	for (;;) {
		pthread_mutex_lock(&lock);
		while (devices < 3)
			pthread_cond_wait(&more, &lock);
		for (count = 0; rings; count++)
			told[count] = ring[--rings];
		told[count++] = device[devices - 1];
		devices = 0;
		pthread_mutex_unlock(&lock);
		while (count)
			fence_callback(user_data, &told[--count]);
	}
	return arg;
}

EXPORT int stream_renderer_init(struct param *params, u64 count)
{
	pthread_t thread;
	u64 i;

	for (i = 0; i < count; i++) {
		if (params[i].key == 1)
			user_data = (void *)params[i].value;
		else if (params[i].key == 2)
			note("init %llx\n", (unsigned long long)params[i].value);
		else if (params[i].key == 3)
			memcpy(&fence_callback, &params[i].value, sizeof(fence_callback));
		else if (params[i].key == 6)
			memcpy(&debug_callback, &params[i].value, sizeof(debug_callback));
	}
#ifdef BROKEN
	return -22;
#endif
	if (!fence_callback || !debug_callback)
		return -22;
	return -pthread_create(&thread, NULL, fences_tell, NULL);
}

#ifdef OUTDATED
EXPORT int stream_renderer_flush_resource_and_readback(void)
{
	return 0;
}
#endif

EXPORT int stream_renderer_resource_create(const u32 *args, struct iovec *iov, u32 iovs)
{
	note("create %u: %u %u %u %ux%ux%u %u %u %u %u%s\n", args[0], args[1], args[2], args[3],
	     args[4], args[5], args[6], args[7], args[8], args[9], args[10],
	     iov || iovs ? ", memory" : "");
	return args[0] == 13 ? -12 : 0;
}

EXPORT void stream_renderer_resource_unref(u32 id)
{
	note("unref %u\n", id);
}

EXPORT int stream_renderer_resource_attach_iov(int id, struct iovec *iov, int iovs)
{
	note("attach %d: %d of %zu\n", id, iovs, iov[0].iov_len);
	return 0;
}

/* Like the real library, it does not access the memory of the pointers. */
EXPORT void stream_renderer_resource_detach_iov(int id, struct iovec **iov, int *iovs)
{
	(void)iov;
	(void)iovs;
	note("detach %d\n", id);
}

/* Pixels have the number of their row as colour. An unknown resource returns a positive errno. */
EXPORT int stream_renderer_transfer_read_iov(u32 id, u32 context, u32 level, u32 stride,
					     u32 layer_stride, const u32 *box, u64 offset,
					     struct iovec *iov, int iovs)
{
	u32 y;

	note("read %u by %u: %u %u %u, %u %u %u %u %u %u, %llu\n", id, context, level, stride,
	     layer_stride, box[0], box[1], box[2], box[3], box[4], box[5],
	     (unsigned long long)offset);
	for (y = 0; iovs == 1 && y < box[4]; y++)
		memset((u8 *)iov[0].iov_base + offset + y * stride, box[1] + y + 1, 4 * box[3]);
	return id == 77 ? 22 : 0;
}

EXPORT int stream_renderer_transfer_write_iov(u32 id, u32 context, u32 level, u32 stride,
					      u32 layer_stride, const u32 *box, u64 offset,
					      struct iovec *iov, int iovs)
{
	note("write %u by %u: %u %u %u, %u %u %u %u %u %u, %llu%s\n", id, context, level, stride,
	     layer_stride, box[0], box[1], box[2], box[3], box[4], box[5],
	     (unsigned long long)offset, iov || iovs ? ", memory" : "");
	return id == 77 ? 22 : 0;
}

/* Like the real library, it writes nothing for a missing capset. */
EXPORT void stream_renderer_get_cap_set(u32 id, u32 *version, u32 *size)
{
	(void)version;
	if (id == CAPSET)
		*size = LOG_SIZE;
}

EXPORT void stream_renderer_fill_caps(u32 id, u32 version, void *to)
{
	if (id == CAPSET && !version)
		memcpy(to, log_text, LOG_SIZE);
	log_len = 0;
	memset(log_text, 0, sizeof(log_text));
}

EXPORT int stream_renderer_context_create(u32 id, u32 len, const char *name, u32 kind)
{
	struct debug debug = { 1, "a message\nof two lines" };

	note("context %u: %.*s %u\n", id, (int)len, name, kind);
	debug_callback(user_data, &debug);
	return 0;
}

EXPORT void stream_renderer_context_destroy(u32 id)
{
	note("no context %u\n", id);
}

EXPORT void stream_renderer_ctx_attach_resource(int context, int id)
{
	note("context %d has %d\n", context, id);
}

EXPORT void stream_renderer_ctx_detach_resource(int context, int id)
{
	note("context %d has no %d\n", context, id);
}

EXPORT int stream_renderer_submit_cmd(struct command *command)
{
	note("submit by %u: %u, %02x%02x%s\n", command->context, command->size,
	     command->commands[0], command->commands[command->size - 1],
	     command->fences || command->fence ? ", fences" : "");
	return 0;
}

EXPORT int stream_renderer_create_fence(const struct fence *fence)
{
	struct fence copy = *fence;

	if (fence->flags & 2 && !fence->ring) {
		fence_callback(user_data, &copy);
		return 0;
	}
	pthread_mutex_lock(&lock);
	if (fence->flags & 2 && rings < WAITING)
		ring[rings++] = copy;
	else if (!(fence->flags & 2) && devices < WAITING)
		device[devices++] = copy;
	if (devices >= 3)
		pthread_cond_signal(&more);
	pthread_mutex_unlock(&lock);
	return 0;
}
