// SPDX-License-Identifier: GPL-2.0-only
/*
 * Services of other processes: names, opens, answers, and their ends.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "pipe_services.h"

#define TIMEOUT			300
#define MEM_SIZE		(64u << 20)

#define INVAL			GOLDFISH_PIPE_ERROR_INVAL
#define AGAIN			GOLDFISH_PIPE_ERROR_AGAIN
#define IO			GOLDFISH_PIPE_ERROR_IO
#define IN			GOLDFISH_PIPE_POLL_IN
#define OUT			GOLDFISH_PIPE_POLL_OUT
#define CLOSED			GOLDFISH_PIPE_WAKE_CLOSED
#define WAKE_ON_READ		GOLDFISH_PIPE_CMD_WAKE_ON_READ
#define WAKE_ON_WRITE		GOLDFISH_PIPE_CMD_WAKE_ON_WRITE

#define LONGEST			122

FIXTURE(remote)
{
	struct pipe_mem mem;
	struct pipe_dev dev;
	struct test_pipe pipe;
	uint64_t data;
	int services;
};

FIXTURE_SETUP(remote)
{
	if (__pipe_guest_start(&self->dev, &self->mem, MEM_SIZE))
		SKIP(return, "no usable " PIPE_DEV_PATH);
	self->data = pipe_mem_alloc(&self->mem, HOST_PAGE, HOST_PAGE);
	self->services = services_open(&self->dev);
}

FIXTURE_TEARDOWN(remote)
{
	close(self->services);
	pipe_dev_close(&self->dev);
	pipe_mem_destroy(&self->mem);
}

static int32_t try_name(struct pipe_dev *dev, struct test_pipe *pipe, uint32_t id,
			const char *name)
{
	char text[160];

	pipe_open(dev, pipe, id);
	snprintf(text, sizeof(text), "pipe:%s", name);
	return __pipe_connect(pipe, text);
}

TEST_F_TIMEOUT(remote, names, TIMEOUT)
{
	char name[VHOST_GOLDFISH_PIPE_NAME_SIZE] = {};
	struct vhost_goldfish_pipe_service service = {};
	int other = services_open(&self->dev);

	EXPECT_EQ(-EINVAL, __services_add(self->services, ""));
	EXPECT_EQ(0, __services_add(self->services, "a"));
	EXPECT_EQ(-EEXIST, __services_add(self->services, "a"));
	EXPECT_EQ(-EEXIST, __services_add(other, "a"));
	EXPECT_EQ(-EEXIST, __services_add(other, "zero"));
	EXPECT_EQ(-EEXIST, __services_add(other, "pingpong"));
	EXPECT_EQ(0, __services_add(other, "ab"));
	memset(name, 'n', LONGEST);
	EXPECT_EQ(0, __services_add(other, name));
	name[LONGEST] = 'n';
	EXPECT_EQ(-EINVAL, __services_add(other, name));
	memset(service.name, 'x', sizeof(service.name));
	EXPECT_EQ(-EINVAL, __pipe_ioctl(other, VHOST_GOLDFISH_PIPE_ADD_SERVICE, &service));

	/* The longest name can be asked for. */
	name[LONGEST] = 0;
	EXPECT_LT(0, try_name(&self->dev, &self->pipe, 0, name));
	services_expect(other, name, NULL);
	/* Names go with their file, and only those. */
	close(other);
	other = services_open(&self->dev);
	EXPECT_EQ(-EEXIST, __services_add(other, "a"));
	EXPECT_EQ(0, __services_add(other, "ab"));
	EXPECT_EQ(0, __services_add(other, name));
	close(other);
}

TEST_F_TIMEOUT(remote, as_many_as_there_may_be, TIMEOUT)
{
	int other = services_open(&self->dev);
	unsigned int round, i;
	char name[16];

	for (round = 0; round < 2; round++) {
		for (i = 0; i < VHOST_GOLDFISH_PIPE_MAX_SERVICES; i++) {
			sprintf(name, "s%u", i);
			ASSERT_EQ(0, __services_add(other, name));
		}
		EXPECT_EQ(-ENOSPC, __services_add(other, "more"));
		EXPECT_EQ(-ENOSPC, __services_add(self->services, "more"));
		EXPECT_LT(0, try_name(&self->dev, &self->pipe, round, name));
		services_expect(other, name, NULL);
		close(other);
		other = services_open(&self->dev);
	}
	close(other);
}

/* Until the answer a pipe moves no data, and the guest does not wait. */
TEST_F_TIMEOUT(remote, nothing_until_answered, TIMEOUT)
{
	struct vhost_goldfish_pipe_event event;
	struct test_pipe *pipe = &self->pipe;
	int ends[2];

	services_add(self->services, "svc");
	EXPECT_EQ(0, services_poll(self->services, POLLIN, 0));
	pipe_connect(&self->dev, pipe, 7, "pipe:svc:some:args");
	EXPECT_EQ(POLLIN, services_poll(self->services, POLLIN, 0));
	EXPECT_EQ(0, pipe_command(pipe, GOLDFISH_PIPE_CMD_POLL));
	EXPECT_EQ(AGAIN, pipe_write(pipe, self->data, 10));
	EXPECT_EQ(0, pipe->cmd->consumed_size);
	EXPECT_EQ(AGAIN, pipe_read(pipe, self->data, 10));
	EXPECT_EQ(0, pipe_command(pipe, WAKE_ON_READ));
	EXPECT_EQ(0, pipe_command(pipe, WAKE_ON_WRITE));
	EXPECT_TRUE(services_quiet(&self->dev));

	services_event(self->services, &event);
	EXPECT_EQ(VHOST_GOLDFISH_PIPE_EVENT_OPEN, event.type);
	EXPECT_EQ(7, event.id);
	EXPECT_EQ(VHOST_GOLDFISH_PIPE_EVENT_ARGS, event.flags);
	EXPECT_EQ(0, event.padding);
	EXPECT_STREQ("svc", event.name);
	EXPECT_STREQ("some:args", event.args);
	EXPECT_EQ(0, services_poll(self->services, POLLIN, 0));
	EXPECT_EQ(AGAIN, pipe_write(pipe, self->data, 10));

	/* The answer wakes a guest that waits for room; there is nothing to read. */
	services_sockets(SERVICES_UNIX, ends);
	services_answer(self->services, event.open, ends[0]);
	close(ends[0]);
	EXPECT_EQ(GOLDFISH_PIPE_WAKE_WRITE, services_wakes(&self->dev, 7));
	EXPECT_EQ(OUT, pipe_command(pipe, GOLDFISH_PIPE_CMD_POLL));
	EXPECT_EQ(10, pipe_write(pipe, self->data, 10));
	EXPECT_EQ(AGAIN, pipe_read(pipe, self->data, 10));
	EXPECT_EQ(-EALREADY, __services_answer(self->services, event.open, ends[1]));
	close(ends[1]);
}

/* Names that the guest opens, the service, and its arguments; NULL: refused. */
static const struct lookup {
	const char *asked;
	const char *name;
	const char *args;
} lookups[] = {
	{ "svc", "svc", NULL },
	{ "svc:", "svc", "" },
	{ "svc:x", "svc", "x" },
	{ "svc:x:y", "svc", "x:y" },
	{ "sv", NULL, NULL },
	{ "svcs", NULL, NULL },
	{ "", NULL, NULL },
	{ "qemud:camera", "qemud:camera", NULL },
	{ "qemud:camera:", "qemud:camera", "" },
	{ "qemud:camera:a:b", "qemud:camera", "a:b" },
	{ "qemud:cam", "qemud", "cam" },
	{ "qemud:cam:a", "qemud", "cam:a" },
	{ "qemud:", "qemud", "" },
	{ "qemud", "qemud", NULL },
	{ "unix:/tmp/a", "unix:/tmp/a", NULL },
	{ "unix:/tmp/a:b", "unix:/tmp/a:b", NULL },
	{ "unix:/tmp/ab", NULL, NULL },
	{ "unix:/tmp", NULL, NULL },
	{ "unix:", NULL, NULL },
	{ "unix", NULL, NULL },
};

TEST_F_TIMEOUT(remote, who_is_asked, TIMEOUT)
{
	static const char *const names[] = {
		"svc", "qemud:camera", "qemud", "unix:/tmp/a", "unix:/tmp/a:b",
	};
	struct vhost_goldfish_pipe_event event;
	const struct lookup *lookup;
	unsigned int i;
	int32_t status;

	for (i = 0; i < ARRAY_SIZE(names); i++)
		services_add(self->services, names[i]);
	for (i = 0; i < ARRAY_SIZE(lookups); i++) {
		lookup = &lookups[i];
		TH_LOG("%s", lookup->asked);
		status = try_name(&self->dev, &self->pipe, i, lookup->asked);
		if (!lookup->name) {
			EXPECT_EQ(INVAL, status);
			EXPECT_EQ(IO, pipe_write(&self->pipe, self->data, 1));
			EXPECT_FALSE(services_try_event(self->services, &event));
			continue;
		}
		EXPECT_EQ((int32_t)strlen(lookup->asked) + 6, status);
		services_expect(self->services, lookup->name, lookup->args);
	}
}

/* Without the multiplexer there is no falling back on it. */
TEST_F_TIMEOUT(remote, no_multiplexer, TIMEOUT)
{
	services_add(self->services, "qemud:camera");
	EXPECT_EQ(INVAL, try_name(&self->dev, &self->pipe, 0, "qemud:cam"));
	EXPECT_EQ(INVAL, try_name(&self->dev, &self->pipe, 1, "camera"));
	EXPECT_LT(0, try_name(&self->dev, &self->pipe, 2, "qemud:camera"));
}

/* Each file is told of its own services only. */
TEST_F_TIMEOUT(remote, files_are_apart, TIMEOUT)
{
	int other = services_open(&self->dev);
	struct vhost_goldfish_pipe_event event;
	uint64_t open;

	services_add(self->services, "mine");
	services_add(other, "other");
	EXPECT_LT(0, try_name(&self->dev, &self->pipe, 0, "other"));
	EXPECT_FALSE(services_try_event(self->services, &event));
	open = services_expect(other, "other", NULL);
	EXPECT_EQ(-ENOENT, __services_answer(self->services, open, -1));
	services_answer(other, open, -1);
	close(other);
}

TEST_F_TIMEOUT(remote, refused, TIMEOUT)
{
	struct test_pipe *pipe = &self->pipe;
	unsigned int i;
	uint64_t open;
	int ends[2];

	services_add(self->services, "svc");
	services_sockets(SERVICES_UNIX, ends);
	for (i = 0; i < 3; i++) {
		pipe_connect(&self->dev, pipe, 3, "pipe:svc");
		EXPECT_EQ(0, pipe_command(pipe, WAKE_ON_WRITE));
		open = services_expect(self->services, "svc", NULL);
		services_answer(self->services, open, -1);
		EXPECT_EQ(CLOSED, services_wakes(&self->dev, 3));
		EXPECT_EQ(IO, pipe_write(pipe, self->data, 10));
		EXPECT_EQ(IO, pipe_read(pipe, self->data, 10));
		EXPECT_EQ(IO, pipe_command(pipe, GOLDFISH_PIPE_CMD_POLL));
		/* For good. */
		services_answer(self->services, open, -1);
		EXPECT_EQ(-EALREADY, __services_answer(self->services, open, ends[0]));
		EXPECT_TRUE(services_quiet(&self->dev));
		pipe_close(pipe);
		EXPECT_EQ(-ENOENT, __services_answer(self->services, open, -1));
	}
	close(ends[0]);
	EXPECT_EQ(0, __services_read_end(ends[1]));
	close(ends[1]);
}

/* Hung up by the service, the socket's other end sees it, too. */
TEST_F_TIMEOUT(remote, hung_up_later, TIMEOUT)
{
	uint64_t open;
	int ends[2];

	services_add(self->services, "svc");
	pipe_connect(&self->dev, &self->pipe, 3, "pipe:svc");
	open = services_expect(self->services, "svc", NULL);
	services_sockets(SERVICES_UNIX, ends);
	services_answer(self->services, open, ends[0]);
	close(ends[0]);
	EXPECT_EQ(10, pipe_write(&self->pipe, self->data, 10));
	services_answer(self->services, open, -1);
	EXPECT_EQ(CLOSED, services_wakes(&self->dev, 3));
	EXPECT_EQ(IO, pipe_write(&self->pipe, self->data, 10));
	EXPECT_EQ(-EEXIST, __services_read_end(ends[1]));
	EXPECT_TRUE(services_poll(ends[1], POLLRDHUP, SERVICES_PATIENCE_MS) & POLLRDHUP);
	pipe_close(&self->pipe);
	close(ends[1]);
}

/* Closed before its event is read, or before it is answered. */
TEST_F_TIMEOUT(remote, taken_back, TIMEOUT)
{
	struct vhost_goldfish_pipe_event event;
	struct test_pipe *pipe = &self->pipe;
	uint64_t first, second;
	int ends[2];

	services_add(self->services, "svc");
	services_sockets(SERVICES_UNIX, ends);
	pipe_connect(&self->dev, pipe, 3, "pipe:svc");
	pipe_close(pipe);
	EXPECT_EQ(0, services_poll(self->services, POLLIN, 0));
	EXPECT_FALSE(services_try_event(self->services, &event));

	ASSERT_EQ(0, __pipe_reopen(pipe));
	ASSERT_EQ(9, __pipe_connect(pipe, "pipe:svc"));
	first = services_expect(self->services, "svc", NULL);
	pipe_close(pipe);
	EXPECT_EQ(-ENOENT, __services_answer(self->services, first, ends[0]));

	/* The same id again: an answer to the old OPEN is refused. */
	ASSERT_EQ(0, __pipe_reopen(pipe));
	ASSERT_EQ(9, __pipe_connect(pipe, "pipe:svc"));
	second = services_expect(self->services, "svc", NULL);
	EXPECT_NE(first, second);
	EXPECT_EQ(-ENOENT, __services_answer(self->services, first, ends[0]));
	EXPECT_EQ(AGAIN, pipe_write(pipe, self->data, 10));
	services_answer(self->services, second, ends[0]);
	close(ends[0]);
	EXPECT_EQ(10, pipe_write(pipe, self->data, 10));

	/* So is an answer after a new start of the driver. */
	pipe_reg_write(&self->dev, GOLDFISH_PIPE_REG_VERSION, PIPE_DRIVER_VERSION);
	EXPECT_EQ(-ENOENT, __services_answer(self->services, second, -1));
	EXPECT_EQ(-EEXIST, __services_read_end(ends[1]));
	close(ends[1]);
	/* The services are still registered. */
	pipe_handshake(&self->dev);
	pipe_connect(&self->dev, pipe, 3, "pipe:svc");
	services_expect(self->services, "svc", NULL);
}

static void expect_ended(struct __test_metadata *_metadata, int services)
{
	struct vhost_goldfish_pipe_event event;

	EXPECT_EQ(POLLIN | POLLHUP,
		  services_poll(services, POLLIN, SERVICES_PATIENCE_MS));
	EXPECT_EQ(0, read(services, &event, sizeof(event)));
	EXPECT_EQ(-ENODEV, __services_add(services, "more"));
	EXPECT_EQ(-ENODEV, __services_answer(services, 3, -1));
}

TEST_F_TIMEOUT(remote, device_closed, TIMEOUT)
{
	int sock;

	services_add(self->services, "svc");
	sock = services_connect(self->services, &self->dev, &self->pipe, 3, "svc",
				SERVICES_UNIX);
	EXPECT_LT(0, try_name(&self->dev, &self->pipe, 4, "svc"));
	pipe_dev_close(&self->dev);
	expect_ended(_metadata, self->services);
	EXPECT_EQ(0, __services_read_end(sock));
	close(sock);
}

TEST_F_TIMEOUT(remote, another_owner, TIMEOUT)
{
	int old = self->services;

	services_add(old, "svc");
	EXPECT_LT(0, try_name(&self->dev, &self->pipe, 4, "svc"));
	ASSERT_EQ(0, __pipe_ioctl(self->dev.fd, VHOST_RESET_OWNER, NULL));
	expect_ended(_metadata, old);
	EXPECT_EQ(-EPERM, __services_open(&self->dev));
	ASSERT_EQ(0, __pipe_set_owner(&self->dev));
	ASSERT_EQ(0, __pipe_set_mem_table(&self->dev, &self->mem, 1));
	expect_ended(_metadata, old);
	pipe_handshake(&self->dev);
	EXPECT_EQ(INVAL, try_name(&self->dev, &self->pipe, 4, "svc"));
	self->services = services_open(&self->dev);
	services_add(self->services, "svc");
	close(old);
	EXPECT_LT(0, try_name(&self->dev, &self->pipe, 5, "svc"));
	services_expect(self->services, "svc", NULL);
}

static void *open_later(void *arg)
{
	struct pipe_dev *dev = arg;
	struct test_pipe pipe;

	usleep(50000);
	pipe_connect(dev, &pipe, 0, "pipe:svc");
	return NULL;
}

static void on_signal(int number)
{
	(void)number;
}

/* A child that does not outlive the test. */
static pid_t fork_helper(void)
{
	pid_t pid = fork();

	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

TEST_F_TIMEOUT(remote, read_waits, TIMEOUT)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct vhost_goldfish_pipe_event event;
	pthread_t thread;
	pid_t pid;

	services_add(self->services, "svc");
	EXPECT_EQ(-1, read(self->services, &event, sizeof(event)));
	EXPECT_EQ(EAGAIN, errno);
	ASSERT_EQ(0, fcntl(self->services, F_SETFL, 0));
	ASSERT_EQ(0, pthread_create(&thread, NULL, open_later, &self->dev));
	EXPECT_EQ(sizeof(event), read(self->services, &event, sizeof(event)));
	pthread_join(thread, NULL);

	sigaction(SIGUSR1, &action, NULL);
	/* Repeated until it meets a read() in progress. */
	pid = fork_helper();
	if (!pid)
		for (;;) {
			usleep(20000);
			kill(getppid(), SIGUSR1);
		}
	EXPECT_EQ(-1, read(self->services, &event, sizeof(event)));
	EXPECT_EQ(EINTR, errno);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

struct poller {
	pthread_t thread;
	int services;
	short events;
	short seen;
	bool done;
};

static void *poll_for_ever(void *data)
{
	struct poller *poller = data;

	poller->seen = services_poll(poller->services, poller->events, -1);
	__atomic_store_n(&poller->done, true, __ATOMIC_SEQ_CST);
	return NULL;
}

/* Whichever of the two names of what can be read is polled for. */
TEST_F_TIMEOUT(remote, poll_wakes, TIMEOUT)
{
	static const short events[] = { POLLIN, POLLRDNORM };
	unsigned int i, ms;

	services_add(self->services, "svc");
	for (i = 0; i < 2; i++) {
		struct poller poller = { .services = self->services, .events = events[i] };

		pthread_create(&poller.thread, NULL, poll_for_ever, &poller);
		usleep(300000);
		EXPECT_LT(0, try_name(&self->dev, &self->pipe, i, "svc"));
		for (ms = 0; ms < SERVICES_PATIENCE_MS &&
		     !__atomic_load_n(&poller.done, __ATOMIC_SEQ_CST); ms++)
			usleep(1000);
		/* If not, the test's time is over. */
		ASSERT_GT(SERVICES_PATIENCE_MS, ms);
		pthread_join(poller.thread, NULL);
		EXPECT_EQ(events[i], poller.seen);
		services_expect(self->services, "svc", NULL);
	}
}

TEST_F_TIMEOUT(remote, events_are_read_whole, TIMEOUT)
{
	struct vhost_goldfish_pipe_event events[4];
	const size_t size = sizeof(events[0]);
	uint8_t *pages;
	unsigned int i;

	services_add(self->services, "svc");
	for (i = 0; i < 4; i++)
		EXPECT_LT(0, try_name(&self->dev, &self->pipe, i, "svc"));
	for (i = 0; i < size; i += 7) {
		EXPECT_EQ(-1, read(self->services, events, i));
		EXPECT_EQ(EINVAL, errno);
	}
	/* An event that cannot be copied is kept, in order. */
	EXPECT_EQ(-1, syscall(SYS_read, self->services, NULL, size));
	EXPECT_EQ(EFAULT, errno);
	pages = mmap(NULL, 2 * HOST_PAGE, PROT_READ | PROT_WRITE,
		     MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	ASSERT_NE(MAP_FAILED, pages);
	ASSERT_EQ(0, mprotect(pages + HOST_PAGE, HOST_PAGE, PROT_NONE));
	EXPECT_EQ(size, syscall(SYS_read, self->services,
				pages + HOST_PAGE - size - 10, 3 * size));
	memcpy(events, pages + HOST_PAGE - size - 10, size);
	EXPECT_EQ(0, events[0].id);
	/* One and a half is one; then as many as there are. */
	EXPECT_EQ(size, read(self->services, events, size + size / 2));
	EXPECT_EQ(1, events[0].id);
	EXPECT_EQ(2 * size, read(self->services, events, sizeof(events)));
	EXPECT_EQ(2, events[0].id);
	EXPECT_EQ(3, events[1].id);
	EXPECT_EQ(0, services_poll(self->services, POLLIN, 0));
	munmap(pages, 2 * HOST_PAGE);
}

TEST_F_TIMEOUT(remote, arguments, TIMEOUT)
{
	struct vhost_goldfish_pipe_service service = { .name = "svc" };
	struct vhost_goldfish_pipe_answer answer = { .fd = -1 };
	struct vhost_goldfish_pipe_stats stats = { .size = sizeof(stats) };
	int services = self->services;
	uint64_t open;

	service.flags = 1;
	EXPECT_EQ(-EINVAL, __pipe_ioctl(services, VHOST_GOLDFISH_PIPE_ADD_SERVICE, &service));
	service.flags = 0;
	service.padding = 1;
	EXPECT_EQ(-EINVAL, __pipe_ioctl(services, VHOST_GOLDFISH_PIPE_ADD_SERVICE, &service));
	service.padding = 0;
	EXPECT_EQ(0, __pipe_ioctl(services, VHOST_GOLDFISH_PIPE_ADD_SERVICE, &service));
	EXPECT_EQ(-EFAULT, __pipe_ioctl(services, VHOST_GOLDFISH_PIPE_ADD_SERVICE, NULL));
	EXPECT_EQ(-EFAULT, __pipe_ioctl(services, VHOST_GOLDFISH_PIPE_ANSWER, NULL));
	EXPECT_EQ(-ENOENT, __pipe_ioctl(services, VHOST_GOLDFISH_PIPE_ANSWER, &answer));
	EXPECT_EQ(-ENOTTY, __pipe_ioctl(services, VHOST_GOLDFISH_PIPE_GET_STATS, &stats));
	EXPECT_EQ(-ENOTTY, __pipe_ioctl(services, VHOST_GOLDFISH_PIPE_SERVICES, NULL));
	EXPECT_EQ(-ENOTTY, __pipe_ioctl(self->dev.fd, VHOST_GOLDFISH_PIPE_ANSWER, &answer));
	EXPECT_EQ(FD_CLOEXEC, fcntl(services, F_GETFD));

	pipe_connect(&self->dev, &self->pipe, 0, "pipe:svc");
	open = services_expect(services, "svc", NULL);
	answer.open = open;
	answer.padding = 1;
	EXPECT_EQ(-EINVAL, __pipe_ioctl(services, VHOST_GOLDFISH_PIPE_ANSWER, &answer));
	EXPECT_EQ(-EINVAL, __services_answer(services, open, -2));
	EXPECT_EQ(-EBADF, __services_answer(services, open, 9999));
	EXPECT_EQ(-ENOTSOCK, __services_answer(services, open, services));
	EXPECT_EQ(-ENOENT, __services_answer(services, open + (1ull << 32), -1));
	EXPECT_EQ(-ENOENT, __services_answer(services, open + 1, -1));
	EXPECT_EQ(0, pipe_command(&self->pipe, GOLDFISH_PIPE_CMD_POLL));
	services_answer(services, open, -1);
}

static int make_listening(void)
{
	/* The kernel names it: an address of nothing but the family. */
	const sa_family_t family = AF_UNIX;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (bind(fd, (const struct sockaddr *)&family, sizeof(family)) ||
	    listen(fd, 1))
		pipe_die("listen: %s", strerror(errno));
	return fd;
}

/* Refused, and the pipe waits for a better one. */
TEST_F_TIMEOUT(remote, sockets_refused, TIMEOUT)
{
	const struct {
		int fd;
		int err;
	} socks[] = {
		{ socket(AF_INET, SOCK_DGRAM, 0), -EPROTONOSUPPORT },
		{ socket(AF_UNIX, SOCK_SEQPACKET, 0), -EPROTONOSUPPORT },
		{ socket(AF_UNIX, SOCK_STREAM, 0), -ENOTCONN },
		{ socket(AF_INET, SOCK_STREAM, 0), -ENOTCONN },
		{ make_listening(), -ENOTCONN },
		{ memfd_create("file", 0), -ENOTSOCK },
	};
	unsigned int i;
	uint64_t open;
	int ends[2];

	services_add(self->services, "svc");
	pipe_connect(&self->dev, &self->pipe, 0, "pipe:svc");
	open = services_expect(self->services, "svc", NULL);
	for (i = 0; i < ARRAY_SIZE(socks); i++) {
		EXPECT_EQ(socks[i].err, __services_answer(self->services, open, socks[i].fd))
		{
			TH_LOG("kind %u", i);
		}
		close(socks[i].fd);
		EXPECT_EQ(AGAIN, pipe_write(&self->pipe, self->data, 1));
	}
	services_sockets(SERVICES_TCP, ends);
	services_answer(self->services, open, ends[0]);
	close(ends[0]);
	EXPECT_EQ(1, pipe_write(&self->pipe, self->data, 1));
	close(ends[1]);
}

/* Serves "svc": answers the first open, reads the second, leaves the third. */
static void serve(int services, int tell, int sock)
{
	uint64_t open;

	services_add(services, "svc");
	if (write(tell, "x", 1) != 1)
		_exit(1);
	open = services_expect(services, "svc", NULL);
	services_answer(services, open, sock);
	close(sock);
	services_expect(services, "svc", NULL);
	if (write(tell, "x", 1) != 1)
		_exit(1);
	pause();
}

/*
 * A service of another process, killed: its name is free, and its pipes are hung
 * up, whether answered, told or not even that.
 */
TEST_F_TIMEOUT(remote, process_killed, TIMEOUT)
{
	struct test_pipe pipes[3];
	int tell[2], ends[2], status;
	unsigned int round, i;
	char byte;
	pid_t pid;

	for (round = 0; round < 5; round++) {
		ASSERT_EQ(0, pipe(tell));
		services_sockets(SERVICES_UNIX, ends);
		pid = fork_helper();
		if (!pid) {
			close(ends[1]);
			serve(self->services, tell[1], ends[0]);
		}
		close(ends[0]);
		close(tell[1]);
		/* Our copy would keep it open. */
		close(self->services);
		ASSERT_EQ(1, read(tell[0], &byte, 1));
		for (i = 0; i < 2; i++)
			pipe_connect(&self->dev, &pipes[i], i, "pipe:svc");
		ASSERT_EQ(1, read(tell[0], &byte, 1));
		pipe_connect(&self->dev, &pipes[2], 2, "pipe:svc");
		EXPECT_EQ(10, pipe_write(&pipes[0], self->data, 10));

		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		/* They may come in one batch or in several. */
		for (i = 0; i < 3; i++)
			while (pipe_command(&pipes[i], GOLDFISH_PIPE_CMD_POLL) != IO)
				;
		for (i = 0; i < 3; i++) {
			EXPECT_EQ(IO, pipe_write(&pipes[i], self->data, 10));
			pipe_close(&pipes[i]);
		}
		EXPECT_EQ(-EEXIST, __services_read_end(ends[1]));
		EXPECT_TRUE(services_poll(ends[1], POLLRDHUP, SERVICES_PATIENCE_MS) &
			    POLLRDHUP);
		EXPECT_EQ(INVAL, try_name(&self->dev, &pipes[0], 0, "svc"));
		pipe_close(&pipes[0]);
		close(ends[1]);
		close(tell[0]);
		self->services = services_open(&self->dev);
		services_add(self->services, "svc");
		close(self->services);
		self->services = services_open(&self->dev);
	}
}

/* The guest is told of the end with the pipe's wake, too. */
TEST_F_TIMEOUT(remote, end_wakes_the_guest, TIMEOUT)
{
	int sock;

	services_add(self->services, "svc");
	sock = services_connect(self->services, &self->dev, &self->pipe, 5, "svc",
				SERVICES_TCP);
	EXPECT_EQ(0, pipe_command(&self->pipe, WAKE_ON_READ));
	close(self->services);
	services_wait_wake(&self->pipe, CLOSED);
	EXPECT_EQ(0, __services_read_end(sock));
	close(sock);
	self->services = services_open(&self->dev);
}

/* Another process cannot use the device, but can use the file of services. */
TEST_F_TIMEOUT(remote, other_processes, TIMEOUT)
{
	int status;
	pid_t pid;

	services_add(self->services, "svc");
	pipe_connect(&self->dev, &self->pipe, 0, "pipe:svc");
	pid = fork_helper();
	if (!pid) {
		if (__services_open(&self->dev) != -EPERM)
			_exit(1);
		services_add(self->services, "another");
		services_answer(self->services,
				services_expect(self->services, "svc", NULL), -1);
		_exit(0);
	}
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(IO, pipe_command(&self->pipe, GOLDFISH_PIPE_CMD_POLL));
	EXPECT_LT(0, try_name(&self->dev, &self->pipe, 1, "another"));
	services_expect(self->services, "another", NULL);
}

TEST_F_TIMEOUT(remote, without_an_owner, TIMEOUT)
{
	struct pipe_dev dev;

	pipe_dev_open(&dev, &self->mem);
	EXPECT_EQ(-EPERM, __services_open(&dev));
	pipe_dev_close(&dev);
}

/* Files that the other end sends along end the pipe, and are closed with it. */
TEST_F_TIMEOUT(remote, files_sent_along_are_closed, TIMEOUT)
{
	int ends[2], sock;

	services_add(self->services, "svc");
	sock = services_connect(self->services, &self->dev, &self->pipe, 0, "svc",
				SERVICES_UNIX);
	ASSERT_EQ(0, pipe(ends));
	services_send_file(sock, ends[1]);
	close(ends[1]);
	EXPECT_EQ(0, services_poll(ends[0], POLLIN, 0));
	EXPECT_EQ(IO, pipe_read(&self->pipe, self->data, 10));
	pipe_close(&self->pipe);
	EXPECT_EQ(0, __services_read_end(ends[0]));
	close(ends[0]);
	close(sock);
}

/*
 * The device's own file waits in a socket that one of its pipes has, and there is
 * no other: one would keep the other for ever, if the owner's end did not end both.
 */
TEST_F_TIMEOUT(remote, its_own_file_sent_along, TIMEOUT)
{
	struct pipe_mem mem;
	struct pipe_dev dev;
	int ends[2], status, sock;
	int services;
	pid_t pid;

	ASSERT_EQ(0, pipe(ends));
	pid = fork_helper();
	if (!pid) {
		if (__pipe_guest_start(&dev, &mem, MEM_SIZE))
			_exit(1);
		services = services_open(&dev);
		services_add(services, "svc");
		sock = services_connect(services, &dev, &self->pipe, 0, "svc",
					SERVICES_UNIX);
		services_send_file(sock, dev.fd);
		services_send_file(sock, ends[1]);
		_exit(0);
	}
	close(ends[1]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, __services_read_end(ends[0]));
	close(ends[0]);
}

/* After the owner's death, the device of another holder of the file serves nothing. */
TEST_F_TIMEOUT(remote, owner_is_gone, TIMEOUT)
{
	struct pipe_mem mem;
	struct pipe_dev dev;
	int status, ends[2];
	pid_t pid;

	pipe_dev_open(&dev, NULL);
	services_sockets(SERVICES_UNIX, ends);
	pid = fork_helper();
	if (!pid) {
		dev.mem = &mem;
		pipe_mem_create(&mem, RANCHU_RAM_BASE, MEM_SIZE);
		if (__pipe_set_owner(&dev) || __pipe_set_mem_table(&dev, &mem, 1))
			_exit(1);
		pipe_handshake(&dev);
		self->services = services_open(&dev);
		services_add(self->services, "svc");
		pipe_connect(&dev, &self->pipe, 0, "pipe:svc");
		services_answer(self->services,
				services_expect(self->services, "svc", NULL), ends[0]);
		_exit(0);
	}
	close(ends[0]);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	EXPECT_EQ(0, __services_read_end(ends[1]));
	EXPECT_EQ(-EPERM, __services_open(&dev));
	EXPECT_EQ(-EBUSY, __pipe_set_owner(&dev));
	close(ends[1]);
	pipe_dev_close(&dev);
}

#define MANY			2000u

/* Each with a socket and bytes of its own, all at once; each twice, mixed. */
TEST_F_TIMEOUT(remote, two_thousand_pipes, TIMEOUT)
{
	struct rlimit limit = { .rlim_cur = MANY + 100, .rlim_max = MANY + 100 };
	struct test_pipe *pipes = calloc(MANY, sizeof(*pipes));
	int *socks = calloc(MANY, sizeof(*socks));
	uint32_t *word = pipe_mem_hva(&self->mem, self->data, sizeof(*word));
	struct vhost_goldfish_pipe_stats stats;
	unsigned int round, i, n;
	uint32_t got;

	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &limit));
	services_add(self->services, "svc");
	for (i = 0; i < MANY; i++)
		socks[i] = services_connect(self->services, &self->dev, &pipes[i], i,
					    "svc", SERVICES_UNIX);
	pipe_get_stats(&self->dev, &stats);
	EXPECT_EQ(MANY, stats.pipes);
	for (round = 0; round < 2; round++) {
		for (i = 0; i < MANY; i++) {
			*word = round << 16 | i;
			ASSERT_EQ(4, pipe_write(&pipes[i], self->data, 4));
		}
		for (i = 0; i < MANY; i++) {
			n = i * 7 % MANY;
			ASSERT_EQ(4, read(socks[n], &got, 4));
			ASSERT_EQ(round << 16 | n, got);
			got = ~got;
			ASSERT_EQ(4, write(socks[n], &got, 4));
		}
		for (i = 0; i < MANY; i++) {
			ASSERT_EQ(4, pipe_read(&pipes[i], self->data, 4));
			ASSERT_EQ(~(round << 16 | i), *word);
		}
	}
	for (i = 0; i < MANY; i++) {
		pipe_close(&pipes[i]);
		ASSERT_EQ(0, __services_read_end(socks[i]));
		close(socks[i]);
	}
	free(pipes);
	free(socks);
}

struct chaos {
	struct pipe_dev *dev;
	unsigned int seed;
	volatile bool stop;
	unsigned int answered;
};

/* Registers names, answers some opens, and ends, repeatedly. */
static void *chaos_service(void *arg)
{
	struct vhost_goldfish_pipe_event event;
	struct chaos *chaos = arg;
	unsigned int i, n;
	int services;
	int ends[2];

	while (!chaos->stop) {
		services = services_open(chaos->dev);
		/* The name may be the other thread's. */
		__services_add(services, chaos->seed & 1 ? "a" : "b");
		n = rand_r(&chaos->seed) % 100;
		for (i = 0; i < n && !chaos->stop; i++) {
			if (!services_try_event(services, &event)) {
				services_poll(services, POLLIN, 1);
				continue;
			}
			services_sockets(rand_r(&chaos->seed) & 1, ends);
			/* The guest may have closed the pipe. */
			if (!__services_answer(services, event.open,
					       i % 4 ? ends[0] : -1))
				chaos->answered++;
			close(ends[0]);
			if (i % 8 == 1)
				__services_answer(services, event.open, -1);
			close(ends[1]);
		}
		close(services);
	}
	return NULL;
}

#define CHAOS_PIPES		8
#define CHAOS_ROUNDS		6000

/* Services come and go, and so do pipes, all at once. */
TEST_F_TIMEOUT(remote, chaos, TIMEOUT)
{
	struct chaos chaos[3] = {};
	struct test_pipe pipes[CHAOS_PIPES];
	struct vhost_goldfish_pipe_stats stats;
	pthread_t threads[3];
	unsigned int i, seed = 5;

	for (i = 0; i < 3; i++) {
		chaos[i].dev = &self->dev;
		chaos[i].seed = i;
		pthread_create(&threads[i], NULL, chaos_service, &chaos[i]);
	}
	for (i = 0; i < CHAOS_PIPES; i++)
		pipe_open(&self->dev, &pipes[i], i);
	/* Until each thread has answered often enough, however slow it is here. */
	for (i = 0; i < CHAOS_ROUNDS || chaos[0].answered < 100 ||
	     chaos[1].answered < 100 || chaos[2].answered < 100; i++) {
		struct test_pipe *pipe = &pipes[rand_r(&seed) % CHAOS_PIPES];

		switch (rand_r(&seed) % 6) {
		case 0:
			pipe_close(pipe);
			ASSERT_EQ(0, __pipe_reopen(pipe));
			__pipe_connect(pipe, i & 1 ? "pipe:a" : "pipe:b:x");
			break;
		case 1:
			pipe_command(pipe, WAKE_ON_READ);
			break;
		case 2:
			pipe_read(pipe, self->data, 100);
			break;
		case 3:
			pipe_write(pipe, self->data, 1);
			break;
		case 4:
			pipe_reg_read(&self->dev, GOLDFISH_PIPE_REG_GET_SIGNALLED);
			break;
		case 5:
			pipe_command(pipe, GOLDFISH_PIPE_CMD_POLL);
			break;
		}
	}
	for (i = 0; i < 3; i++) {
		chaos[i].stop = true;
		pthread_join(threads[i], NULL);
	}
	for (i = 0; i < CHAOS_PIPES; i++)
		pipe_close(&pipes[i]);
	pipe_get_stats(&self->dev, &stats);
	EXPECT_EQ(0, stats.pipes);
}

TEST_HARNESS_MAIN
