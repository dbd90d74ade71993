// SPDX-License-Identifier: GPL-2.0-only
/*
 * The tracepoints: each fires at the right event, with the right values.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "pipe_dev.h"

#define TIMEOUT		120
#define MEM_SIZE	(1u << 20)
#define TRACING		"/sys/kernel/tracing/"
#define TRACE_SIZE	(1u << 20)

static int trace_put(const char *file, const char *text)
{
	int fd = open(file, O_WRONLY | O_TRUNC | O_CLOEXEC);
	ssize_t ret;

	if (fd < 0)
		return -1;
	ret = write(fd, text, strlen(text));
	close(fd);
	return ret < 0 ? -1 : 0;
}

static char *trace_get(void)
{
	char *text = calloc(1, TRACE_SIZE);
	int fd = open(TRACING "trace", O_RDONLY | O_CLOEXEC);
	size_t used = 0;
	ssize_t ret;

	if (!text || fd < 0)
		pipe_die("no trace to read");
	while ((ret = read(fd, text + used, TRACE_SIZE - 1 - used)) > 0)
		used += ret;
	close(fd);
	return text;
}

FIXTURE(trace)
{
	struct pipe_mem mem;
	struct pipe_dev dev;
	struct test_pipe pipe;
	uint64_t data;
	int doorbell;
	int call;
	int resample;
};

FIXTURE_SETUP(trace)
{
	struct stat st;

	if (__pipe_dev_open(&self->dev, NULL))
		SKIP(return, "no usable " PIPE_DEV_PATH);
	pipe_dev_close(&self->dev);
	if (stat(TRACING "trace", &st))
		mount("tracefs", TRACING, "tracefs", 0, NULL);
	if (trace_put(TRACING "events/ranchu/enable", "1"))
		SKIP(return, "the kernel has no tracepoints");
	pipe_mem_create(&self->mem, RANCHU_RAM_BASE, MEM_SIZE);
	pipe_dev_start(&self->dev, &self->mem);
	pipe_handshake(&self->dev);
	pipe_connect(&self->dev, &self->pipe, 7, "pipe:pingpong");
	self->data = pipe_mem_alloc(&self->mem, PIPE_PAGE, PIPE_PAGE);
	self->doorbell = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	self->call = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	self->resample = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	ASSERT_EQ(0, __pipe_set_line(&self->dev, self->call, self->resample));
	ASSERT_EQ(0, trace_put(TRACING "trace", ""));
}

FIXTURE_TEARDOWN(trace)
{
	trace_put(TRACING "events/ranchu/enable", "0");
	pipe_dev_close(&self->dev);
	close(self->doorbell);
	close(self->call);
	close(self->resample);
	pipe_mem_destroy(&self->mem);
}

TEST_F_TIMEOUT(trace, command_and_signal, TIMEOUT)
{
	char *text;

	ASSERT_EQ(0, pipe_command(&self->pipe, GOLDFISH_PIPE_CMD_WAKE_ON_READ));
	ASSERT_EQ(3, pipe_write(&self->pipe, self->data, 3));
	text = trace_get();
	EXPECT_NE(NULL, strstr(text, "id=7 cmd=7 status=0"));
	EXPECT_NE(NULL, strstr(text, "id=7 cmd=4 status=3"));
	EXPECT_NE(NULL, strstr(text, "ranchu_signal:"));
	EXPECT_NE(NULL, strstr(text, "id=7 flags=0x2"));
	EXPECT_NE(NULL, strstr(text, "ranchu_raise:"));
	EXPECT_EQ(NULL, strstr(text, "ranchu_kick:"));
	EXPECT_EQ(NULL, strstr(text, "ranchu_resample:"));
	free(text);
}

TEST_F_TIMEOUT(trace, kick_and_resample, TIMEOUT)
{
	char *text;

	if (__pipe_set_doorbell(&self->dev, 7, self->doorbell))
		SKIP(return, "this kernel has no synchronous doorbell");
	self->pipe.cmd->cmd = GOLDFISH_PIPE_CMD_POLL;
	ASSERT_EQ(0, eventfd_write(self->doorbell, 1));
	ASSERT_EQ(0, eventfd_write(self->resample, 1));
	text = trace_get();
	EXPECT_NE(NULL, strstr(text, "ranchu_kick:"));
	EXPECT_NE(NULL, strstr(text, "foreign=0"));
	EXPECT_NE(NULL, strstr(text, "id=7 cmd=3 status=2"));
	EXPECT_NE(NULL, strstr(text, "ranchu_resample:"));
	free(text);
}

TEST_HARNESS_MAIN
