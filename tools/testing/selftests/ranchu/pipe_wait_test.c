// SPDX-License-Identifier: GPL-2.0-only
/*
 * Waits for other processes: if a process holds something up, neither the guest's CPU
 * nor another process waits for it.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "held_page.h"
#include "pipe_services.h"

#define TIMEOUT			300
#define MEM_SIZE		(64u << 20)

#define AGAIN			GOLDFISH_PIPE_ERROR_AGAIN
#define IO			GOLDFISH_PIPE_ERROR_IO

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
	self->data = pipe_mem_alloc(&self->mem, HOST_PAGE, HOST_PAGE);
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

/* Waits until the reader sleeps, which shows that there is no event. */
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
	/* It has the event now, and is blocked in copying it. */
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

/* Another holder of a socket that a pipe has, who reads from it into a held page. */
struct holder {
	pthread_t thread;
	int sock;
	void *buf;
	ssize_t ret;
};

static void *hold_socket(void *arg)
{
	struct holder *holder = arg;

	services_poll(holder->sock, POLLIN, SERVICES_PATIENCE_MS);
	holder->ret = read(holder->sock, holder->buf, 1);
	return NULL;
}

/* Starts the read, which holds the socket's lock; @other is the socket's other end. */
static void holder_start(struct holder *holder, int sock, int other, struct held_page *page)
{
	holder->sock = sock;
	holder->buf = page->at;
	if (write(other, "hh", 2) != 2 ||
	    pthread_create(&holder->thread, NULL, hold_socket, holder))
		pipe_die("no holder");
	held_page_wait(page);
}

/* Answered with a socket that this process keeps: gives both of its ends. */
static void connect_and_keep(struct _test_data_wait *self, struct test_pipe *pipe,
			     uint32_t id, enum services_family family, int ends[2])
{
	uint64_t open;

	pipe_connect(&self->dev, pipe, id, "pipe:svc");
	open = services_expect(self->services, "svc", NULL);
	services_sockets(family, ends);
	services_answer(self->services, open, ends[0]);
}

static void held_by_another(struct __test_metadata *_metadata, struct _test_data_wait *self,
			    enum services_family family)
{
	uint8_t *data = pipe_mem_hva(&self->mem, self->data, HOST_PAGE);
	struct holder holder = {};
	struct test_pipe other;
	int ends[2], peer;
	char byte;

	peer = services_connect(self->services, &self->dev, &other, 2, "svc", family);
	connect_and_keep(self, &self->pipe, 1, family, ends);
	holder_start(&holder, ends[0], ends[1], &self->page);

	/* As if it had not been answered. */
	EXPECT_EQ(AGAIN, pipe_write(&self->pipe, self->data, 10));
	EXPECT_EQ(AGAIN, pipe_read(&self->pipe, self->data, 10));
	EXPECT_EQ(0, pipe_command(&self->pipe, GOLDFISH_PIPE_CMD_POLL));
	EXPECT_EQ(0, pipe_command(&self->pipe, GOLDFISH_PIPE_CMD_WAKE_ON_READ));
	EXPECT_EQ(0, pipe_command(&self->pipe, GOLDFISH_PIPE_CMD_WAKE_ON_WRITE));
	EXPECT_TRUE(services_quiet(&self->dev));
	/* Other pipes are not affected. */
	EXPECT_EQ(10, pipe_write(&other, self->data, 10));
	EXPECT_EQ(POLLIN, services_poll(peer, POLLIN, SERVICES_PATIENCE_MS));

	/* When the holder has ended, the guest is woken and reads the rest. */
	held_page_give(&self->page);
	pthread_join(holder.thread, NULL);
	EXPECT_EQ(1, holder.ret);
	EXPECT_EQ(AGAIN, pipe_write(&self->pipe, self->data, 10));
	close(ends[0]);
	services_wait_wake(&self->pipe, GOLDFISH_PIPE_WAKE_READ);
	EXPECT_EQ(1, pipe_read(&self->pipe, self->data, 10));
	EXPECT_EQ('h', data[0]);
	EXPECT_EQ(1, pipe_write(&self->pipe, self->data, 1));
	EXPECT_EQ(POLLIN, services_poll(ends[1], POLLIN, SERVICES_PATIENCE_MS));
	EXPECT_EQ(1, read(ends[1], &byte, 1));
	EXPECT_EQ('h', byte);
	close(ends[1]);
	close(peer);
}

TEST_F_TIMEOUT(wait, held_by_another_tcp, TIMEOUT)
{
	held_by_another(_metadata, self, SERVICES_TCP);
}

TEST_F_TIMEOUT(wait, held_by_another_unix, TIMEOUT)
{
	held_by_another(_metadata, self, SERVICES_UNIX);
}

/* All ways in which a pipe ends, while another process holds its socket's lock. */
static void ended_while_held(struct __test_metadata *_metadata, struct _test_data_wait *self,
			     enum services_family family)
{
	struct vhost_goldfish_pipe_event event;
	struct holder holder = {};
	struct test_pipe pipes[3];
	int ends[3][2];
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(pipes); i++)
		connect_and_keep(self, &pipes[i], i, family, ends[i]);
	holder_start(&holder, ends[0][0], ends[0][1], &self->page);
	pipe_close(&pipes[0]);
	ASSERT_EQ(0, __pipe_reopen(&pipes[0]));
	pipe_reg_write(&self->dev, GOLDFISH_PIPE_REG_VERSION, PIPE_DRIVER_VERSION);
	EXPECT_FALSE(services_try_event(self->services, &event));
	EXPECT_EQ(0, __pipe_ioctl(self->dev.fd, VHOST_RESET_OWNER, NULL));
	pipe_dev_close(&self->dev);
	for (i = 1; i < ARRAY_SIZE(pipes); i++)
		EXPECT_EQ(0, __services_read_end(ends[i][1]));
	held_page_give(&self->page);
	pthread_join(holder.thread, NULL);
	/* It had its byte; the end comes behind what was to be read. */
	EXPECT_TRUE(services_poll(ends[0][1], POLLRDHUP, SERVICES_PATIENCE_MS) & POLLRDHUP);
	for (i = 0; i < ARRAY_SIZE(pipes); i++) {
		close(ends[i][0]);
		close(ends[i][1]);
	}
}

TEST_F_TIMEOUT(wait, ended_while_held_tcp, TIMEOUT)
{
	ended_while_held(_metadata, self, SERVICES_TCP);
}

TEST_F_TIMEOUT(wait, ended_while_held_unix, TIMEOUT)
{
	ended_while_held(_metadata, self, SERVICES_UNIX);
}

/* A VMM of its own, whose pipe has a socket that its parent has, too. */
static void vmm_of_its_own(int sock, int told)
{
	struct pipe_dev dev;
	struct pipe_mem mem;
	struct test_pipe pipe;
	uint64_t data, open;
	int services;
	char byte;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (__pipe_guest_start(&dev, &mem, MEM_SIZE))
		_exit(1);
	data = pipe_mem_alloc(&mem, HOST_PAGE, HOST_PAGE);
	services = services_open(&dev);
	services_add(services, "svc");
	pipe_connect(&dev, &pipe, 1, "pipe:svc");
	open = services_expect(services, "svc", NULL);
	services_answer(services, open, sock);
	close(sock);
	byte = pipe_write(&pipe, data, 10) == AGAIN;
	if (write(told, &byte, 1) != 1)
		_exit(1);
	for (;;)
		pipe_write(&pipe, data, 10);
}

/* Killed while it writes to the socket, it goes, and so does its end of the socket. */
static void vmm_killed(struct __test_metadata *_metadata, struct _test_data_wait *self,
		       enum services_family family)
{
	struct holder holder = {};
	int ends[2], told[2];
	char byte = 0;
	pid_t pid;

	services_sockets(family, ends);
	ASSERT_EQ(0, pipe(told));
	holder_start(&holder, ends[0], ends[1], &self->page);
	pid = fork();
	if (!pid)
		vmm_of_its_own(ends[0], told[1]);
	ASSERT_EQ(1, read(told[0], &byte, 1));
	EXPECT_EQ(1, byte);
	ASSERT_EQ(0, kill(pid, SIGKILL));
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	held_page_give(&self->page);
	pthread_join(holder.thread, NULL);
	EXPECT_TRUE(services_poll(ends[1], POLLRDHUP, SERVICES_PATIENCE_MS) & POLLRDHUP);
	close(ends[0]);
	close(ends[1]);
	close(told[0]);
	close(told[1]);
}

TEST_F_TIMEOUT(wait, vmm_killed_tcp, TIMEOUT)
{
	vmm_killed(_metadata, self, SERVICES_TCP);
}

TEST_F_TIMEOUT(wait, vmm_killed_unix, TIMEOUT)
{
	vmm_killed(_metadata, self, SERVICES_UNIX);
}

/* A socket that lingers for an hour, with data that is not read. */
TEST_F_TIMEOUT(wait, lingering_socket, TIMEOUT)
{
	const struct linger linger = { 1, 3600 };
	struct test_pipe other;
	uint64_t open;
	int ends[2];

	pipe_connect(&self->dev, &self->pipe, 1, "pipe:svc");
	open = services_expect(self->services, "svc", NULL);
	services_sockets(SERVICES_TCP, ends);
	ASSERT_EQ(0, setsockopt(ends[0], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	services_answer(self->services, open, ends[0]);
	close(ends[0]);
	while (pipe_write(&self->pipe, self->data, HOST_PAGE) > 0)
		;
	pipe_close(&self->pipe);
	/* The guest's CPU does not wait. */
	pipe_connect(&self->dev, &other, 2, "pipe:svc");
	close(ends[1]);
}

/* A file that is sent along ends the pipe, without a wait for the file's close. */
TEST_F_TIMEOUT(wait, file_sent_along, TIMEOUT)
{
	const struct linger linger = { 1, 3600 };
	int ends[2], peer;
	char page[PIPE_PAGE] = {};

	peer = services_connect(self->services, &self->dev, &self->pipe, 1, "svc",
				SERVICES_UNIX);
	services_sockets(SERVICES_TCP, ends);
	ASSERT_EQ(0, setsockopt(ends[0], SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)));
	while (write(ends[0], page, sizeof(page)) > 0)
		;
	services_send_file(peer, ends[0]);
	close(ends[0]);
	EXPECT_EQ(IO, pipe_read(&self->pipe, self->data, 10));
	EXPECT_EQ(IO, pipe_read(&self->pipe, self->data, 10));
	pipe_close(&self->pipe);
	EXPECT_TRUE(services_poll(peer, POLLRDHUP, SERVICES_PATIENCE_MS) & POLLRDHUP);
	close(peer);
	close(ends[1]);
}

TEST_HARNESS_MAIN
