// SPDX-License-Identifier: GPL-2.0-only
/*
 * Events from other threads than the main one: they wait in a short queue until the main loop
 * sends them. Those that do not fit are counted, and the next event reports the count.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/control.h"

#define POST_MAX	32

struct posted {
	char device[32];
	char why[128];
};

/**
 * struct vmm_event_post - a queue of device errors for the main thread
 * @loop: the main thread's loop
 * @fn: handles an event, in the main thread
 * @arg: argument of @fn
 * @fd: eventfd, signalled when there are events
 * @lock: protects what follows
 * @count: elements of @posted in use
 * @lost: errors that did not fit
 * @posted: queued errors
 */
struct vmm_event_post {
	struct vmm_loop *loop;
	void (*fn)(void *arg, const char *event, json_t *data);
	void *arg;
	int fd;
	pthread_mutex_t lock;
	unsigned int count;
	unsigned int lost;
	struct posted posted[POST_MAX];
};

static void post_error(void *arg, const char *device, const char *why)
{
	struct vmm_event_post *post = arg;
	struct posted *p;

	pthread_mutex_lock(&post->lock);
	if (post->count < POST_MAX) {
		p = &post->posted[post->count++];
		snprintf(p->device, sizeof(p->device), "%s", device);
		snprintf(p->why, sizeof(p->why), "%s", why);
	} else {
		post->lost++;
	}
	pthread_mutex_unlock(&post->lock);
	vmm_event_signal(post->fd);
}

static int post_readable(void *arg)
{
	struct vmm_event_post *post = arg;
	struct posted posted[POST_MAX];
	unsigned int count;
	unsigned int lost;
	unsigned int i;

	vmm_event_clear(post->fd);
	pthread_mutex_lock(&post->lock);
	count = post->count;
	lost = post->lost;
	memcpy(posted, post->posted, sizeof(posted));
	post->count = 0;
	post->lost = 0;
	pthread_mutex_unlock(&post->lock);
	for (i = 0; i < count; i++)
		post->fn(post->arg, "DEVICE_ERROR",
			 json_pack("{s:s, s:s, s:i}", "device", posted[i].device,
				   "error", posted[i].why, "lost", i ? 0 : (int)lost));
	return 0;
}

/**
 * vmm_event_post_open - create a queue for errors of devices
 * @loop: the main thread's loop
 * @fn: handles an event, in the main thread; @data is consumed
 * @arg: argument of @fn
 *
 * Return: the queue, NULL after a message
 */
struct vmm_event_post *vmm_event_post_open(struct vmm_loop *loop,
					   void (*fn)(void *arg, const char *event, json_t *data),
					   void *arg)
{
	struct vmm_event_post *post = calloc(1, sizeof(*post));

	if (!post)
		return NULL;
	post->loop = loop;
	post->fn = fn;
	post->arg = arg;
	pthread_mutex_init(&post->lock, NULL);
	post->fd = vmm_event_create();
	if (post->fd < 0 || vmm_loop_add(loop, post->fd, post_readable, post)) {
		vmm_event_post_close(post);
		return NULL;
	}
	vmm_device_errors(post_error, post);
	return post;
}

/**
 * vmm_event_post_close - free a queue
 * @post: may be NULL; no other thread reports errors any more
 */
void vmm_event_post_close(struct vmm_event_post *post)
{
	if (!post)
		return;
	vmm_device_errors(NULL, NULL);
	if (post->fd >= 0) {
		vmm_loop_del(post->loop, post->fd);
		close(post->fd);
	}
	pthread_mutex_destroy(&post->lock);
	free(post);
}
