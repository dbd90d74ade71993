// SPDX-License-Identifier: GPL-2.0-only
/*
 * Who waits for whom: what one process holds up is its own affair, and neither the
 * guest's CPU nor anybody else waits for it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "held_page.h"
#include "pipe_services.h"

#define TIMEOUT			300
#define MEM_SIZE		(64u << 20)

FIXTURE(wait)
{
	struct pipe_mem mem;
	struct pipe_dev dev;
	struct test_pipe pipe;
	struct held_page page;
	uint64_t data;
	int services;
};

FIXTURE_SETUP(wait)
{
	const char *missing = held_page_missing();

	if (missing)
		SKIP(return, "%s", missing);
	if (__pipe_guest_start(&self->dev, &self->mem, MEM_SIZE))
		SKIP(return, "no usable " PIPE_DEV_PATH);
	self->data = pipe_mem_alloc(&self->mem, PIPE_PAGE, PIPE_PAGE);
	self->services = services_open(&self->dev);
	services_add(self->services, "svc");
	held_page_create(&self->page);
}

FIXTURE_TEARDOWN(wait)
{
	held_page_destroy(&self->page);
	close(self->services);
	pipe_dev_close(&self->dev);
	pipe_mem_destroy(&self->mem);
}

/* A thread that reads a file of services, for as long as it takes. */
struct reader {
	pthread_t thread;
	atomic_int tid;
	int services;
	void *buf;
	ssize_t ret;
	int err;
};

static void *read_event(void *arg)
{
	struct reader *reader = arg;

	atomic_store(&reader->tid, syscall(SYS_gettid));
	reader->ret = read(reader->services, reader->buf,
			   sizeof(struct vhost_goldfish_pipe_event));
	reader->err = errno;
	return NULL;
}

static void reader_start(struct reader *reader, int services, void *buf)
{
	reader->services = services;
	reader->buf = buf;
	if (pthread_create(&reader->thread, NULL, read_event, reader))
		pipe_die("no thread");
	while (!atomic_load(&reader->tid))
		usleep(1000);
}

/* It is asleep: whatever it looks for it has not found. */
static void reader_sleeps(struct reader *reader)
{
	char path[64], state;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/task/%d/stat", atomic_load(&reader->tid));
	do {
		usleep(10000);
		file = fopen(path, "r");
		if (!file || fscanf(file, "%*d %*s %c", &state) != 1)
			pipe_die("%s: %s", path, strerror(errno));
		fclose(file);
	} while (state != 'S');
}

/* An event that one reader could not take goes to another one that sleeps. */
TEST_F_TIMEOUT(wait, event_put_back, TIMEOUT)
{
	struct vhost_goldfish_pipe_event event = {};
	struct reader bad = {}, good = {};

	ASSERT_EQ(0, fcntl(self->services, F_SETFL, 0));
	reader_start(&bad, self->services, self->page.at);
	pipe_connect(&self->dev, &self->pipe, 1, "pipe:svc");
	/* It has the event now, and not yet found out that there is no room for it. */
	held_page_wait(&self->page);
	reader_start(&good, self->services, &event);
	reader_sleeps(&good);
	held_page_refuse(&self->page);
	pthread_join(bad.thread, NULL);
	EXPECT_EQ(-1, bad.ret);
	EXPECT_EQ(EFAULT, bad.err);
	pthread_join(good.thread, NULL);
	EXPECT_EQ((ssize_t)sizeof(event), good.ret);
	EXPECT_EQ(1, event.id);
}

TEST_HARNESS_MAIN
