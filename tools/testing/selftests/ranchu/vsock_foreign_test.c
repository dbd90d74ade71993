// SPDX-License-Identifier: GPL-2.0-only
/*
 * Other processes and a socket that was passed to the device, or the device's file: they
 * hold the socket's lock, make its close block, close last. None of this delays the
 * guest, its other streams, or the closing process.
 *
 * Times are bounded by a minute where the other process would take many.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <pthread.h>
#include <sched.h>
#include <semaphore.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "held_page.h"
#include "modules.h"
#include "pipe_services.h"
#include "vsock_driver.h"

#define TIMEOUT		300
#define LINGER_S	250
#define SOON_S		60
#define GUEST_PORT	1000u
#define OTHER_PORT	1001u
#define DEVICE_MODULE	"vhost_vsock_adb"
#define WMEM_MAX	"/proc/sys/net/core/wmem_max"

#define OP(name)	VIRTIO_VSOCK_OP_##name

FIXTURE(foreign)
{
	struct vs_dev dev;
	struct vs_stream stream;
	struct vs_stream other;
	struct timespec begin;
};

FIXTURE_SETUP(foreign)
{
	if (__vs_probe())
		SKIP(return, "no usable " VS_DEV_PATH);
	vs_create(&self->dev, VS_CID, VQ_SPLIT);
	self->stream.sock = -1;
	vs_connect(&self->other, &self->dev, VS_UNIX, OTHER_PORT);
	vs_echo(&self->other);
	clock_gettime(CLOCK_MONOTONIC, &self->begin);
}

FIXTURE_TEARDOWN(foreign)
{
	vs_stream_close(&self->stream);
	vs_stream_close(&self->other);
	if (self->dev.fd >= 0)
		vs_destroy(&self->dev);
}

static long seconds_since(const struct timespec *begin)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec - begin->tv_sec;
}

/* Checks that nothing has waited so far, and that the other stream works. */
#define EXPECT_GOES_ON()						\
	do {								\
		vs_echo(&self->other);					\
		EXPECT_GT(SOON_S, seconds_since(&self->begin));		\
	} while (0)

/* Closing @sock waits until its peer has taken all that it was sent. */
static void make_linger(int sock)
{
	struct linger linger = { 1, LINGER_S };

	if (setsockopt(sock, SOL_SOCKET, SO_LINGER, &linger, sizeof(linger)))
		vq_die("SO_LINGER: %s", strerror(errno));
}

static void fill(int sock)
{
	static const uint8_t data[65536];

	while (send(sock, data, sizeof(data), MSG_DONTWAIT) > 0)
		;
}

/* Reads all that there is, to the end. Returns as __vs_read_end(). */
static int drain(int sock)
{
	static uint8_t data[65536];
	ssize_t got;

	do {
		if (!vs_readable(sock, VQ_PATIENCE_MS))
			return -ETIMEDOUT;
		got = read(sock, data, sizeof(data));
	} while (got > 0);
	return got < 0 ? -errno : 0;
}

static void connect_with(struct vs_stream *stream, struct vs_dev *dev, int fd, int peer)
{
	uint32_t host_port = 0;
	int err = __vs_connect(dev, GUEST_PORT, &host_port, fd, VS_COOKIE(GUEST_PORT));

	if (err)
		vq_die("CONNECT: %s", strerror(-err));
	*stream = (struct vs_stream){
		.dev = dev, .guest_port = GUEST_PORT, .host_port = host_port,
		.sock = peer, .buf_alloc = VS_BUF_ALLOC,
	};
	vs_stream_expect(stream, OP(REQUEST), NULL);
	vs_stream_send(stream, OP(RESPONSE), 0, NULL, 0);
	vs_expect_event(dev, VHOST_VSOCK_ADB_ESTABLISHED, GUEST_PORT, host_port, 0,
			VS_COOKIE(GUEST_PORT));
}

static void reset_stream(struct vs_stream *stream)
{
	vs_stream_send(stream, OP(RST), 0, NULL, 0);
	vs_stream_expect_closed(stream, ECONNRESET);
}

/* ---- ends that take their time ---- */

/**
 * struct giver - a thread that sends a file along and closes it
 * @sock: the socket that it goes through
 * @file: the file
 * @sent: it is on its way
 * @thread: closes it; if the device had let go of it by then, that is what lingers
 */
struct giver {
	int sock;
	int file;
	sem_t sent;
	pthread_t thread;
};

static void *give(void *arg)
{
	struct giver *giver = arg;

	services_send_file(giver->sock, giver->file);
	sem_post(&giver->sent);
	close(giver->file);
	return NULL;
}

/* Returns when @file has been sent. */
static void giver_start(struct giver *giver, int sock, int file)
{
	giver->sock = sock;
	giver->file = file;
	if (sem_init(&giver->sent, 0, 0) || pthread_create(&giver->thread, NULL, give, giver))
		vq_die("no thread");
	while (sem_wait(&giver->sent))
		;
}

static void giver_end(struct giver *giver)
{
	pthread_join(giver->thread, NULL);
	sem_destroy(&giver->sent);
}

/* One byte with a file ends its stream; nothing waits for the file's close. */
TEST_F_TIMEOUT(foreign, lingering_file_sent_along, TIMEOUT)
{
	struct giver giver;
	unsigned int i;
	int tcp[2];

	for (i = 0; i < 4; i++) {
		vs_connect(&self->stream, &self->dev, VS_UNIX, GUEST_PORT);
		vs_sockets(VS_TCP, tcp);
		fill(tcp[0]);
		make_linger(tcp[0]);
		/* Read by the device, and not. */
		if (i & 1) {
			self->stream.buf_alloc = 0;
			vs_stream_send(&self->stream, OP(CREDIT_UPDATE), 0, NULL, 0);
			vs_flush(&self->dev);
		}
		giver_start(&giver, self->stream.sock, tcp[0]);
		if (i & 1)
			vs_stream_send(&self->stream, OP(RST), 0, NULL, 0);
		else
			vs_stream_expect(&self->stream, OP(RST), NULL);
		vs_stream_expect_closed(&self->stream, ECONNRESET);
		EXPECT_GOES_ON();
		EXPECT_EQ(0, drain(tcp[1]));
		close(tcp[1]);
		giver_end(&giver);
		vs_stream_close(&self->stream);
	}
}

/* The socket itself lingers, full, when its stream, or its device, ends. */
TEST_F_TIMEOUT(foreign, lingering_socket_handed_in, TIMEOUT)
{
	int size = 65536, ends[2];
	unsigned int i;

	for (i = 0; i < 3; i++) {
		clock_gettime(CLOCK_MONOTONIC, &self->begin);
		vs_sockets(VS_TCP, ends);
		setsockopt(ends[1], SOL_SOCKET, SO_RCVBUF, &size, sizeof(size));
		make_linger(ends[0]);
		fill(ends[0]);
		connect_with(&self->stream, &self->dev, ends[0], ends[1]);
		close(ends[0]);
		vs_stream_send(&self->stream, OP(RW), 0, vs_pattern(1, 0), 1000);
		vs_flush(&self->dev);
		if (i == 0) {
			reset_stream(&self->stream);
			EXPECT_GOES_ON();
		} else if (i == 1) {
			EXPECT_EQ(0, __vs_attach(&self->dev, GUEST_PORT,
						 self->stream.host_port, -1, 0));
			vs_stream_await(&self->stream, OP(RST), NULL);
			vs_stream_expect_closed(&self->stream, ECONNRESET);
			EXPECT_GOES_ON();
		} else {
			vs_destroy(&self->dev);
			self->dev.fd = -1;
			EXPECT_GT(SOON_S, seconds_since(&self->begin));
		}
		EXPECT_EQ(0, drain(self->stream.sock));
		vs_stream_close(&self->stream);
	}
}

struct holder {
	struct held_page page;
	int fd;
	pthread_t thread;
};

static void *read_held(void *arg)
{
	struct holder *holder = arg;

	return (void *)(long)read(holder->fd, holder->page.at, holder->page.size);
}

static void *wait_held(void *arg)
{
	struct holder *holder = arg;

	return (void *)(long)epoll_wait(holder->fd, (void *)holder->page.at, 1, -1);
}

static void holder_start(struct holder *holder, int fd, void *(*fn)(void *))
{
	holder->fd = fd;
	held_page_create(&holder->page);
	if (pthread_create(&holder->thread, NULL, fn, holder))
		vq_die("no thread");
	held_page_wait(&holder->page);
}

static void holder_stop(struct holder *holder)
{
	held_page_destroy(&holder->page);
	pthread_join(holder->thread, NULL);
}

/* An epoll watches the socket, and a thread that waits in the epoll has its lock. */
TEST_F_TIMEOUT(foreign, epoll_watches, TIMEOUT)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct holder holder;
	unsigned int kind;
	int ends[2], ep;

	if (held_page_missing())
		SKIP(return, "%s", held_page_missing());
	for (kind = VS_UNIX; kind <= VS_TCP; kind++) {
		vs_sockets(kind, ends);
		ep = epoll_create1(0);
		ASSERT_EQ(0, epoll_ctl(ep, EPOLL_CTL_ADD, ends[0], &event));
		connect_with(&self->stream, &self->dev, ends[0], ends[1]);
		close(ends[0]);
		vs_echo(&self->stream);
		/* Something that stays to be told of. */
		self->stream.buf_alloc = 0;
		vs_stream_send(&self->stream, OP(CREDIT_UPDATE), 0, NULL, 0);
		vs_flush(&self->dev);
		ASSERT_EQ(1, write(ends[1], "x", 1));
		holder_start(&holder, ep, wait_held);
		reset_stream(&self->stream);
		EXPECT_GOES_ON();
		/* TCP closes with something unread: a reset. */
		EXPECT_NE(-ETIMEDOUT, drain(ends[1]));
		holder_stop(&holder);
		close(ep);
		vs_stream_close(&self->stream);
	}
}

#define WATCHED	3

/*
 * Files sent along that an epoll watches, in which a thread waits for a held page: they are
 * closed when the page is provided. Files of other streams are closed meanwhile.
 */
TEST_F_TIMEOUT(foreign, watched_files_sent_along, TIMEOUT)
{
	struct epoll_event event = { .events = EPOLLIN };
	struct holder holders[WATCHED];
	int held[WATCHED][2], ep[WATCHED], innocent[2];
	struct giver giver;
	unsigned int i;

	if (held_page_missing())
		SKIP(return, "%s", held_page_missing());
	for (i = 0; i < WATCHED; i++) {
		ASSERT_EQ(0, pipe2(held[i], O_CLOEXEC));
		ASSERT_EQ(1, write(held[i][1], "x", 1));
		ep[i] = epoll_create1(EPOLL_CLOEXEC);
		ASSERT_EQ(0, epoll_ctl(ep[i], EPOLL_CTL_ADD, held[i][0], &event));
		vs_connect(&self->stream, &self->dev, VS_UNIX, GUEST_PORT);
		/* Not read by the device: the file ends with the socket. */
		self->stream.buf_alloc = 0;
		vs_stream_send(&self->stream, OP(CREDIT_UPDATE), 0, NULL, 0);
		vs_flush(&self->dev);
		services_send_file(self->stream.sock, held[i][0]);
		close(held[i][0]);
		holder_start(&holders[i], ep[i], wait_held);
		vs_stream_send(&self->stream, OP(RST), 0, NULL, 0);
		vs_stream_expect_closed(&self->stream, ECONNRESET);
		EXPECT_GOES_ON();
		vs_stream_close(&self->stream);
	}
	ASSERT_EQ(0, pipe2(innocent, O_CLOEXEC));
	vs_connect(&self->stream, &self->dev, VS_UNIX, GUEST_PORT);
	self->stream.buf_alloc = 0;
	vs_stream_send(&self->stream, OP(CREDIT_UPDATE), 0, NULL, 0);
	vs_flush(&self->dev);
	giver_start(&giver, self->stream.sock, innocent[1]);
	vs_stream_send(&self->stream, OP(RST), 0, NULL, 0);
	vs_stream_expect_closed(&self->stream, ECONNRESET);
	giver_end(&giver);
	EXPECT_EQ(0, drain(innocent[0]));
	EXPECT_GOES_ON();
	for (i = 0; i < WATCHED; i++) {
		holder_stop(&holders[i]);
		close(ep[i]);
		close(held[i][1]);
	}
	close(innocent[0]);
}

/* ---- others who hold the socket ---- */

/* A socket is not used as long as another process has it, and then works. */
TEST_F_TIMEOUT(foreign, shared_socket_waits, TIMEOUT)
{
	struct vs_packet packet;
	unsigned int kind;
	uint8_t data[3];
	int ends[2];

	for (kind = VS_UNIX; kind <= VS_TCP; kind++) {
		vs_sockets(kind, ends);
		connect_with(&self->stream, &self->dev, ends[0], ends[1]);
		vs_stream_send(&self->stream, OP(RW), 0, "abc", 3);
		ASSERT_EQ(2, write(ends[1], "xy", 2));
		EXPECT_GOES_ON();
		EXPECT_EQ(0, vs_readable(ends[1], 300));
		vs_expect_nothing(&self->dev);
		EXPECT_TRUE(vs_sleeps());
		close(ends[0]);
		vs_read_all(ends[1], data, 3);
		EXPECT_EQ(0, memcmp(data, "abc", 3));
		vs_stream_await(&self->stream, OP(RW), &packet);
		EXPECT_EQ(2, packet.len);
		vs_echo(&self->stream);
		reset_stream(&self->stream);
		EXPECT_EQ(0, drain(ends[1]));
		vs_stream_close(&self->stream);
	}
}

/* What the guest sent before it closed arrives, as soon as it may. */
TEST_F_TIMEOUT(foreign, guest_closes_a_shared_socket, TIMEOUT)
{
	unsigned int kind;
	uint8_t data[3];
	int ends[2];

	for (kind = VS_UNIX; kind <= VS_TCP; kind++) {
		vs_sockets(kind, ends);
		connect_with(&self->stream, &self->dev, ends[0], ends[1]);
		vs_stream_send(&self->stream, OP(RW), 0, "abc", 3);
		vs_stream_send(&self->stream, OP(SHUTDOWN), VS_SHUT_BOTH, NULL, 0);
		EXPECT_GOES_ON();
		EXPECT_FALSE(vs_has_event(&self->dev));
		close(ends[0]);
		vs_read_all(ends[1], data, 3);
		EXPECT_EQ(0, __vs_read_end(ends[1]));
		vs_stream_await(&self->stream, OP(RST), NULL);
		vs_stream_expect_closed(&self->stream, 0);
		vs_stream_close(&self->stream);
	}
}

/* Another holder is blocked in a read, and holds the socket's lock. */
TEST_F_TIMEOUT(foreign, lock_is_kept, TIMEOUT)
{
	struct holder holder;
	unsigned int kind;
	int ends[2];

	if (held_page_missing())
		SKIP(return, "%s", held_page_missing());
	for (kind = VS_UNIX; kind <= VS_TCP; kind++) {
		vs_sockets(kind, ends);
		ASSERT_EQ(1, write(ends[1], "x", 1));
		holder_start(&holder, ends[0], read_held);
		connect_with(&self->stream, &self->dev, ends[0], ends[1]);
		vs_stream_send(&self->stream, OP(RW), 0, "abc", 3);
		vs_flush(&self->dev);
		EXPECT_GOES_ON();
		reset_stream(&self->stream);
		EXPECT_GOES_ON();
		/* TCP needs the lock to tell the other end. */
		if (kind == VS_UNIX)
			EXPECT_EQ(0, drain(ends[1]));
		if (kind == VS_TCP) {
			vs_destroy(&self->dev);
			self->dev.fd = -1;
			EXPECT_GT(SOON_S, seconds_since(&self->begin));
		}
		/* With its byte unread the end may be a reset. */
		holder_stop(&holder);
		EXPECT_NE(-ETIMEDOUT, drain(ends[1]));
		close(ends[0]);
		vs_stream_close(&self->stream);
	}
}

/* With too many sockets that cannot be closed, further ones are refused until some are closed. */
TEST_F_TIMEOUT(foreign, as_many_locks_as_there_may_be, TIMEOUT)
{
	struct holder holder;
	uint32_t host_port;
	unsigned int i;
	int ends[2], err = 0;

	if (held_page_missing())
		SKIP(return, "%s", held_page_missing());
	vs_sockets(VS_TCP, ends);
	ASSERT_EQ(1, write(ends[1], "x", 1));
	holder_start(&holder, ends[0], read_held);
	for (i = 0; i < 1000; i++) {
		host_port = 0;
		err = __vs_connect(&self->dev, GUEST_PORT, &host_port, ends[0], 0);
		if (err)
			break;
		vs_stream_close(&self->stream);
		vs_expect(&self->dev, OP(REQUEST), GUEST_PORT, host_port, NULL);
		ASSERT_EQ(0, __vs_attach(&self->dev, GUEST_PORT, host_port, -1, 0));
		vs_expect(&self->dev, OP(RST), GUEST_PORT, host_port, NULL);
		vs_expect_event(&self->dev, VHOST_VSOCK_ADB_CLOSED, GUEST_PORT, host_port,
				ECONNRESET, 0);
	}
	EXPECT_EQ(-EMFILE, err);
	EXPECT_LE(16, i);
	EXPECT_GOES_ON();
	holder_stop(&holder);
	close(ends[0]);
	EXPECT_NE(-ETIMEDOUT, drain(ends[1]));
	close(ends[1]);
	for (i = 0; i < VQ_PATIENCE_MS; i++) {
		vs_sockets(VS_TCP, ends);
		host_port = 0;
		err = __vs_connect(&self->dev, GUEST_PORT, &host_port, ends[0], 0);
		close(ends[0]);
		close(ends[1]);
		if (err != -EMFILE)
			break;
		usleep(1000);
	}
	EXPECT_EQ(0, err);
}

/* Times four closes that wait: more than a queue of the kernel's runs works. */
#define CROWD		130
#define CROWD_EACH	4

/* Has @dev close a socket whose lock is kept. */
static void close_locked(struct vs_dev *dev, int sock)
{
	uint32_t host_port = 0;
	int err = __vs_connect(dev, GUEST_PORT, &host_port, sock, 0);

	if (err)
		vq_die("CONNECT: %s", strerror(-err));
	vs_expect(dev, OP(REQUEST), GUEST_PORT, host_port, NULL);
	err = __vs_attach(dev, GUEST_PORT, host_port, -1, 0);
	if (err)
		vq_die("ATTACH: %s", strerror(-err));
	vs_expect(dev, OP(RST), GUEST_PORT, host_port, NULL);
	vs_expect_event(dev, VHOST_VSOCK_ADB_CLOSED, GUEST_PORT, host_port, ECONNRESET, 0);
}

/* A socket that can be closed at once is closed, however many others wait. */
TEST_F_TIMEOUT(foreign, locks_at_many_devices, TIMEOUT)
{
	struct rlimit files = { 8192, 8192 };
	static struct vs_dev crowd[CROWD];
	struct holder holder;
	unsigned int i, j;
	int ends[2], other[2];

	if (held_page_missing())
		SKIP(return, "%s", held_page_missing());
	ASSERT_EQ(0, setrlimit(RLIMIT_NOFILE, &files));
	vs_sockets(VS_TCP, ends);
	ASSERT_EQ(1, write(ends[1], "x", 1));
	holder_start(&holder, ends[0], read_held);
	for (i = 0; i < CROWD; i++) {
		vs_create(&crowd[i], VS_CID + 2 + i, VQ_SPLIT);
		for (j = 0; j < CROWD_EACH; j++)
			close_locked(&crowd[i], ends[0]);
	}
	/* Held by us as well, so it is closed in the same way. */
	vs_sockets(VS_TCP, other);
	connect_with(&self->stream, &self->dev, other[0], other[1]);
	reset_stream(&self->stream);
	EXPECT_NE(-ETIMEDOUT, drain(other[1]));
	vs_echo(&self->other);
	close(other[0]);
	vs_stream_close(&self->stream);
	for (i = 0; i < CROWD; i++)
		vs_destroy(&crowd[i]);
	holder_stop(&holder);
	close(ends[0]);
	EXPECT_NE(-ETIMEDOUT, drain(ends[1]));
	close(ends[1]);
}

/* Times four closes that wait: more than one user may leave behind. */
#define LEFT_BEHIND	260

/* Whether the user may have one more device. */
static bool another_device(void)
{
	int fd = open(VS_DEV_PATH, O_RDWR | O_CLOEXEC);

	if (fd < 0 && errno != ENOMEM)
		vq_die("%s: %s", VS_DEV_PATH, strerror(errno));
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* A user whose closed devices have waiting sockets is limited, until these are closed. */
TEST_F_TIMEOUT(foreign, locks_of_devices_that_are_gone, TIMEOUT)
{
	struct holder holder;
	unsigned int i, j;
	struct vs_dev dev;
	int ends[2];

	if (held_page_missing())
		SKIP(return, "%s", held_page_missing());
	vs_sockets(VS_TCP, ends);
	ASSERT_EQ(1, write(ends[1], "x", 1));
	holder_start(&holder, ends[0], read_held);
	for (i = 0; i < LEFT_BEHIND && another_device(); i++) {
		vs_create(&dev, VS_CID + 2 + i, VQ_SPLIT);
		for (j = 0; j < CROWD_EACH; j++)
			close_locked(&dev, ends[0]);
		vs_destroy(&dev);
	}
	EXPECT_FALSE(another_device());
	vs_echo(&self->other);
	holder_stop(&holder);
	close(ends[0]);
	EXPECT_NE(-ETIMEDOUT, drain(ends[1]));
	close(ends[1]);
	for (i = 0; i < VQ_PATIENCE_MS && !another_device(); i++)
		usleep(1000);
	EXPECT_TRUE(another_device());
}

static pid_t fork_helper(void)
{
	pid_t pid = fork();

	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

/* Whether a child ends within a minute. */
static bool ends_soon(pid_t pid)
{
	unsigned int i;

	for (i = 0; i < SOON_S * 100; i++) {
		if (waitpid(pid, NULL, WNOHANG) == pid)
			return true;
		usleep(10000);
	}
	return false;
}

static void serve_and_wait(const int ends[2], int tell)
{
	struct vs_stream stream;
	struct vs_dev dev;

	close(ends[1]);
	vs_create(&dev, VS_CID, VQ_SPLIT);
	connect_with(&stream, &dev, ends[0], -1);
	vs_stream_send(&stream, OP(RW), 0, "abc", 3);
	if (write(tell, "x", 1) != 1)
		_exit(1);
	pause();
}

/* A VMM can be killed while others hold the locks of its sockets. */
TEST_F_TIMEOUT(foreign, killed_while_lock_is_kept, TIMEOUT)
{
	struct holder holder;
	unsigned int kind;
	int ends[2], tell[2];
	char byte;
	pid_t pid;

	if (held_page_missing())
		SKIP(return, "%s", held_page_missing());
	vs_destroy(&self->dev);
	self->dev.fd = -1;
	for (kind = VS_UNIX; kind <= VS_TCP; kind++) {
		vs_sockets(kind, ends);
		ASSERT_EQ(0, pipe(tell));
		ASSERT_EQ(1, write(ends[1], "x", 1));
		holder_start(&holder, ends[0], read_held);
		pid = fork_helper();
		if (!pid)
			serve_and_wait(ends, tell[1]);
		close(tell[1]);
		ASSERT_EQ(1, read(tell[0], &byte, 1));
		close(tell[0]);
		/* The worker has had a look. */
		usleep(100000);
		kill(pid, SIGKILL);
		EXPECT_TRUE(ends_soon(pid));
		/* With its byte unread the end is a reset. */
		holder_stop(&holder);
		close(ends[0]);
		EXPECT_NE(-ETIMEDOUT, drain(ends[1]));
		close(ends[1]);
	}
}

/* ---- buffers ---- */

static void set_wmem_max(int bytes)
{
	char text[16];
	int fd = open(WMEM_MAX, O_WRONLY), len = snprintf(text, sizeof(text), "%d", bytes);

	if (fd < 0 || write(fd, text, len) != len)
		vq_die(WMEM_MAX ": %s", strerror(errno));
	close(fd);
}

static int get_wmem_max(void)
{
	char text[16] = { 0 };
	int fd = open(WMEM_MAX, O_RDONLY);

	if (fd < 0 || read(fd, text, sizeof(text) - 1) <= 0)
		vq_die(WMEM_MAX ": %s", strerror(errno));
	close(fd);
	return atoi(text);
}

/* An AF_UNIX socket is given no more room than its owner could give it. */
TEST_F_TIMEOUT(foreign, room_within_wmem_max, TIMEOUT)
{
	struct vhost_vsock_adb_stats stats;
	int before = get_wmem_max();
	unsigned int i, j;

	for (i = 0; i < 2; i++) {
		set_wmem_max(i ? 212992 : 65536);
		vs_connect(&self->stream, &self->dev, VS_UNIX, GUEST_PORT);
		for (j = 0; j < 4; j++)
			vs_stream_send(&self->stream, OP(RW), 0, vs_pattern(1, 0),
				       VS_MAX_PAYLOAD);
		vs_flush(&self->dev);
		vs_get_stats(&self->dev, &stats);
		set_wmem_max(before);
		EXPECT_EQ(!i, stats.queued > 0);
		vs_stream_send(&self->stream, OP(RST), 0, NULL, 0);
		vs_drain(&self->dev);
		vs_stream_expect_closed(&self->stream, ECONNRESET);
		vs_stream_close(&self->stream);
	}
}

/* ---- who closes the device ---- */

/* Waits until a device that is being closed has freed its CID. */
static void expect_cid_free(void)
{
	unsigned int waited_ms = 0;
	struct vs_dev dev;

	vs_open(&dev, VQ_SPLIT);
	vs_set_up(&dev);
	while (__vs_set_cid(&dev, VS_CID)) {
		if (waited_ms++ == VQ_PATIENCE_MS)
			vq_die("the CID is not given back");
		usleep(1000);
	}
	vs_destroy(&dev);
}

/* Makes reads of this transmit buffer block. */
static void hold_at(struct held_page *page, uint64_t where)
{
	held_page_create_at(page, (void *)(uintptr_t)(where & ~(uint64_t)(getpagesize() - 1)));
}

/* A child closes the last file while the owner's worker is held up. */
TEST_F_TIMEOUT(foreign, stranger_closes_last, TIMEOUT)
{
	struct vs_dev *dev = &self->dev;
	int go[2], done[2];
	struct held_page page;
	uint16_t slot;
	char byte;
	pid_t pid;

	if (held_page_missing())
		SKIP(return, "%s", held_page_missing());
	vs_flush(dev);
	/* One view of the guest's memory, so that there is one page to hold. */
	vq_mem_tell(dev->fd, &dev->mem, 1, 1);
	ASSERT_EQ(0, pipe(go));
	ASSERT_EQ(0, pipe(done));
	slot = dev->tx_free[dev->n_tx_free - 1];
	hold_at(&page, vq_mem_host(&dev->mem, dev->tx_gpa + (uint64_t)slot * VS_TX_SIZE));
	/* Long, so it is the worker's. */
	vs_stream_try_send(&self->other, OP(RW), 0, vs_pattern(1, 0), 20000);
	held_page_wait(&page);
	pid = fork_helper();
	if (!pid) {
		if (read(go[0], &byte, 1) != 1 || close(dev->fd) ||
		    write(done[1], "x", 1) != 1)
			_exit(1);
		_exit(0);
	}
	close(dev->fd);
	dev->fd = -1;
	ASSERT_EQ(1, write(go[1], "x", 1));
	EXPECT_EQ(1, vs_readable(done[0], 20000));
	held_page_destroy(&page);
	EXPECT_TRUE(ends_soon(pid));
	expect_cid_free();
	EXPECT_EQ(0, __vs_read_end(self->other.sock));
}

#define BORROWER_STACK 65536

struct borrower {
	struct vs_dev dev;
};

/* Owns the device, and is gone; memory and files are the other one's, too. */
static int borrow(void *arg)
{
	struct borrower *borrower = arg;

	vs_create(&borrower->dev, VS_CID + 1, VQ_SPLIT);
	syscall(SYS_exit_group, 0);
	return 0;
}

/*
 * The owner has died, another process has its memory. A socket that came in now
 * would keep the device for ever, once its file is in that socket's queue.
 */
TEST_F_TIMEOUT(foreign, owner_died_before_connect, TIMEOUT)
{
	uint8_t *stack = malloc(BORROWER_STACK);
	struct borrower borrower = { .dev.fd = -1 };
	uint32_t host_port = 0;
	unsigned int i;
	int ends[2], err = 0, pid;

	ASSERT_NE(NULL, stack);
	pid = clone(borrow, stack + BORROWER_STACK, CLONE_VM | CLONE_FILES | SIGCHLD,
		    &borrower);
	ASSERT_LT(0, pid);
	ASSERT_EQ(pid, waitpid(pid, NULL, 0));
	free(stack);
	vs_sockets(VS_UNIX, ends);
	/* The worker notices a little later. */
	for (i = 0; i < VQ_PATIENCE_MS; i++) {
		host_port = 0;
		err = __vs_connect(&borrower.dev, GUEST_PORT + i, &host_port, ends[0], 0);
		if (err == -ESRCH)
			break;
		usleep(1000);
	}
	EXPECT_EQ(-ESRCH, err);
	services_send_file(ends[1], borrower.dev.fd);
	close(ends[0]);
	close(ends[1]);
	vs_destroy(&borrower.dev);
	vs_destroy(&self->dev);
	self->dev.fd = -1;
	for (i = 0; i < VQ_PATIENCE_MS; i++) {
		vs_open(&self->dev, VQ_SPLIT);
		vs_set_up(&self->dev);
		err = __vs_set_cid(&self->dev, VS_CID + 1);
		vs_destroy(&self->dev);
		self->dev.fd = -1;
		if (!err)
			break;
		usleep(1000);
	}
	EXPECT_EQ(0, err);
	if (!modules_dir())
		return;
	EXPECT_EQ(0, module_unload_when_idle(DEVICE_MODULE));
	EXPECT_EQ(0, __module_load(DEVICE_MODULE));
}

TEST_HARNESS_MAIN
