/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Services of other processes: the file of services, and the programs of the
 * host at the other ends of the sockets. Functions named __x return -errno, x
 * ends the test when anything but success comes back.
 */
#ifndef RANCHU_PIPE_SERVICES_H
#define RANCHU_PIPE_SERVICES_H

#include <stdbool.h>
#include <stdint.h>

#include "pipe_dev.h"

/* How long something that must happen may take. */
#define SERVICES_PATIENCE_MS	60000

enum services_family { SERVICES_UNIX, SERVICES_TCP };

/* A new file of services, non-blocking. */
int __services_open(struct pipe_dev *dev);
int services_open(struct pipe_dev *dev);

int __services_add(int services, const char *name);
void services_add(int services, const char *name);
int __services_answer(int services, uint64_t open, int sock);
void services_answer(int services, uint64_t open, int sock);

/* Takes an event only if there is one; or waits for it. */
bool services_try_event(int services, struct vhost_goldfish_pipe_event *event);
void services_event(int services, struct vhost_goldfish_pipe_event *event);
/* Waits for the OPEN of @name with @args (NULL: none); gives its number. */
uint64_t services_expect_at(const char *file, int line, int services,
			    const char *name, const char *args);
#define services_expect(...) \
	services_expect_at(__FILE__, __LINE__, __VA_ARGS__)

/* GET_DMA: a file, and the region that @gpa lies in. */
int __services_get_dma(int services, uint64_t open, uint64_t gpa,
		       struct vhost_goldfish_pipe_dma *dma);
int __services_unlock_dma(int services, uint64_t open);

/* poll() of any file, for at most @ms; returns the events. */
short services_poll(int fd, short events, int ms);

/* Two ends of a connection, both non-blocking. */
void services_sockets(enum services_family family, int ends[2]);

/*
 * Opens @id, connects it to `pipe:<name>`, a service of @services without
 * arguments, and answers with a socket. Gives the socket's other end.
 */
int services_connect(int services, struct pipe_dev *dev, struct test_pipe *pipe,
		     uint32_t id, const char *name, enum services_family family);

/* Sends one byte, and @file with it. */
void services_send_file(int sock, int file);

/* Waits until the socket's end has come, and that nothing else comes. */
int __services_read_end(int sock);

/*
 * Waits for signals, fetches them, and returns the wakes of pipe @id; those of other
 * pipes are dropped.
 */
uint32_t services_wakes(struct pipe_dev *dev, uint32_t id);
/* Waits for one of these wakes of the one pipe that can have some. */
void services_wait_wake(struct test_pipe *pipe, uint32_t wake);
/* Drops all pending signals. */
void services_flush(struct pipe_dev *dev);
/* Checks that nothing is signalled, after the worker is done. */
bool services_quiet(struct pipe_dev *dev);

/* WAKE_ON_READ or WAKE_ON_WRITE, and sleeps until it comes. */
void services_sleep_on(struct test_pipe *pipe, uint32_t cmd);
/*
 * READ or WRITE of @size bytes at @gpa as a blocking guest does it, in commands of
 * random cut.
 */
void services_move_all(struct test_pipe *pipe, struct pipe_random *random, uint32_t cmd,
		       uint64_t gpa, uint32_t size);

#endif /* RANCHU_PIPE_SERVICES_H */
