// SPDX-License-Identifier: GPL-2.0-only OR Apache-2.0
/* pipe:upper - returns to the guest what it writes, in capitals. */
#include <ctype.h>
#include <pthread.h>
#include <stdlib.h>

#include "ranchu_pipe.h"

#define BYTES	(64u << 10)	/* size of each ring */

static void *serve(void *arg)
{
	struct ranchu_pipe *pipe = arg;
	const char *in;
	ssize_t n, room, i;
	char *out;

	pthread_detach(pthread_self());
	while ((n = ranchu_pipe_peek(pipe, (const void **)&in)) >= 0 &&
	       (room = ranchu_pipe_room(pipe, (void **)&out)) >= 0) {
		for (i = 0; i < n && i < room; i++)
			out[i] = toupper(in[i]);
		ranchu_pipe_produce(pipe, i);
		ranchu_pipe_consume(pipe, i);
		if (!i && ranchu_pipe_wait(pipe, n ? RANCHU_PIPE_WRITE : RANCHU_PIPE_READ))
			break;
	}
	ranchu_pipe_close(pipe);
	free(pipe);
	return NULL;
}

int main(int argc, char **argv)
{
	int services = ranchu_services_connect(argc > 1 ? argv[1] : "/run/ranchu-pipe");
	struct vhost_goldfish_pipe_event event;
	pthread_t thread;

	if (services < 0 || ranchu_services_add(services, "upper"))
		return 1;
	while (ranchu_services_next(services, &event) == 1) {
		struct ranchu_pipe *pipe = malloc(sizeof(*pipe));

		if (!ranchu_pipe_accept(pipe, services, event.open, BYTES, BYTES, -1))
			pthread_create(&thread, NULL, serve, pipe);
	}
	return 0;
}
