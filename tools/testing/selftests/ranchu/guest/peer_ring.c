// SPDX-License-Identifier: GPL-2.0-only
/*
 * pipe_peer's services behind shared rings. Comes as soon as the VMM is there, and
 * again for the next one.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "peer.h"
#include "ranchu_pipe.h"

#define RING_BYTES		(1u << 20)

/* How often to look whether the VMM is there. */
#define RETRY_US		100000

static size_t at_most(ssize_t a, ssize_t b)
{
	return a < b ? a : b;
}

static int ring_echo(struct ranchu_pipe *pipe)
{
	const void *in;
	ssize_t n, room;
	void *out;

	n = ranchu_pipe_peek(pipe, &in);
	room = ranchu_pipe_room(pipe, &out);
	if (n < 0 || room < 0)
		return -EPIPE;
	if (!n || !room)
		return ranchu_pipe_wait(pipe, n ? RANCHU_PIPE_WRITE : RANCHU_PIPE_READ);
	n = at_most(n, room);
	memcpy(out, in, n);
	ranchu_pipe_produce(pipe, n);
	ranchu_pipe_consume(pipe, n);
	return 0;
}

static int ring_sink(struct ranchu_pipe *pipe)
{
	const void *in;
	ssize_t n = ranchu_pipe_peek(pipe, &in);

	if (n <= 0)
		return n ? n : ranchu_pipe_wait(pipe, RANCHU_PIPE_READ);
	ranchu_pipe_consume(pipe, n);
	return 0;
}

static int ring_parse(struct ranchu_pipe *pipe)
{
	static __thread struct peer_parser parser;
	uint32_t answer;
	const void *in;
	ssize_t n;

	n = ranchu_pipe_peek(pipe, &in);
	if (n < 0)
		return n;
	n = peer_parse(&parser, in, n, &answer);
	if (!n)
		return ranchu_pipe_wait(pipe, RANCHU_PIPE_READ);
	ranchu_pipe_consume(pipe, n);
	if (parser.asked && ranchu_pipe_write(pipe, &answer, sizeof(answer)) < 0)
		return -EPIPE;
	return 0;
}

/* Until the guest closes it. */
static int ring_stall(struct ranchu_pipe *pipe)
{
	void *out;

	while (ranchu_pipe_room(pipe, &out) >= 0)
		usleep(RETRY_US);
	return -EPIPE;
}

static const struct kind {
	const char *name;
	int (*serve)(struct ranchu_pipe *pipe);
} kinds[] = {
	{ "ring-echo", ring_echo }, { "ring-sink", ring_sink }, { "ring-parse", ring_parse },
	{ "ring-stall", ring_stall },
};

struct client {
	const struct kind *kind;
	struct ranchu_pipe pipe;
};

static void *client_thread(void *arg)
{
	struct client *client = arg;

	while (!client->kind->serve(&client->pipe))
		;
	ranchu_pipe_close(&client->pipe);
	free(client);
	return NULL;
}

static void accept_one(const struct kind *kind, int services, uint64_t open)
{
	struct client *client = malloc(sizeof(*client));
	pthread_t thread;
	int err;

	if (!client)
		peer_give_up("memory");
	client->kind = kind;
	err = ranchu_pipe_accept(&client->pipe, services, open, RING_BYTES, RING_BYTES, -1);
	if (err) {
		/* The guest has closed it meanwhile. */
		if (err != -ENOENT)
			fprintf(stderr, "pipe_peer: ring: %s\n", strerror(-err));
		free(client);
		return;
	}
	errno = pthread_create(&thread, NULL, client_thread, client);
	if (errno)
		peer_give_up("thread");
	pthread_detach(thread);
}

static const struct kind *find_kind(const char *name)
{
	unsigned int i;

	for (i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++)
		if (!strcmp(kinds[i].name, name))
			return &kinds[i];
	return NULL;
}

bool peer_ring_knows(const char *kind)
{
	return find_kind(kind);
}

int peer_ring(const char *kind, const char *path, const char *name)
{
	struct vhost_goldfish_pipe_event event;
	int services, err;

	printf("pipe_peer: %s at %s\n", kind, path);
	fflush(stdout);
	for (;;) {
		services = ranchu_services_connect(path);
		if (services < 0) {
			usleep(RETRY_US);
			continue;
		}
		err = ranchu_services_add(services, name);
		if (err) {
			errno = -err;
			peer_give_up(name);
		}
		while (ranchu_services_next(services, &event) == 1)
			accept_one(find_kind(kind), services, event.open);
		close(services);
	}
}
