// SPDX-License-Identifier: GPL-2.0-only
/*
 * The VMM's side: sockets that it may pass, events that it reads, and all ways in
 * which it and its device can end.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <kselftest_harness.h>

#include "modules.h"
#include "pipe_services.h"
#include "vsock_driver.h"

#define TIMEOUT		300
#define GUEST_PORT	1000u
#define HOST_PORT	5037u
#define KILLS		20u
#define DEVICE_MODULE	"vhost_vsock_adb"

#define OP(name)	VIRTIO_VSOCK_OP_##name

FIXTURE(sock)
{
	struct vs_dev dev;
	struct vs_stream stream;
};

FIXTURE_SETUP(sock)
{
	if (__vs_probe())
		SKIP(return, "no usable " VS_DEV_PATH);
	vs_create(&self->dev, VS_CID, VQ_SPLIT);
	self->stream.sock = -1;
}

FIXTURE_TEARDOWN(sock)
{
	if (self->dev.fd > 0)
		vs_stream_close(&self->stream);
	vs_destroy(&self->dev);
}

static int make_pair(int family, int type)
{
	int ends[2];

	if (socketpair(family, type, 0, ends))
		vq_die("socketpair: %s", strerror(errno));
	/* The other end stays, so that this one is connected. */
	return ends[0];
}

static int make_unix_dgram(void)
{
	return make_pair(AF_UNIX, SOCK_DGRAM);
}

static int make_unix_seqpacket(void)
{
	return make_pair(AF_UNIX, SOCK_SEQPACKET);
}

static int make_unix_unconnected(void)
{
	return socket(AF_UNIX, SOCK_STREAM, 0);
}

static int make_unix_listening(void)
{
	/* The kernel names it: an address of nothing but the family. */
	const sa_family_t family = AF_UNIX;
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	if (bind(fd, (const struct sockaddr *)&family, sizeof(family)) ||
	    listen(fd, 1))
		vq_die("listen: %s", strerror(errno));
	return fd;
}

static int make_udp(void)
{
	struct sockaddr_in addr = { .sin_family = AF_INET, .sin_port = htons(9) };
	int fd = socket(AF_INET, SOCK_DGRAM, 0);

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr)))
		vq_die("connect: %s", strerror(errno));
	return fd;
}

static int make_tcp_unconnected(void)
{
	return socket(AF_INET, SOCK_STREAM, 0);
}

static int make_tcp_listening(void)
{
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (listen(fd, 1))
		vq_die("listen: %s", strerror(errno));
	return fd;
}

static int make_pipe(void)
{
	int ends[2];

	return pipe(ends) ? -1 : ends[0];
}

static int make_file(void)
{
	return memfd_create("file", 0);
}

static int make_device(void)
{
	return open(VS_DEV_PATH, O_RDWR);
}

static int make_closed(void)
{
	int fd = dup(0);

	close(fd);
	return fd;
}

static int make_negative(void)
{
	return -2;
}

static const struct kind {
	const char *name;
	int (*make)(void);
	int err;
} kinds[] = {
	{ "UDP", make_udp, -EPROTONOSUPPORT },
	{ "AF_UNIX datagrams", make_unix_dgram, -EPROTONOSUPPORT },
	{ "AF_UNIX packets", make_unix_seqpacket, -EPROTONOSUPPORT },
	{ "AF_UNIX unconnected", make_unix_unconnected, -ENOTCONN },
	{ "AF_UNIX listening", make_unix_listening, -ENOTCONN },
	{ "TCP unconnected", make_tcp_unconnected, -ENOTCONN },
	{ "TCP listening", make_tcp_listening, -ENOTCONN },
	{ "a pipe", make_pipe, -ENOTSOCK },
	{ "a file", make_file, -ENOTSOCK },
	{ "a device like this one", make_device, -ENOTSOCK },
	{ "nothing", make_closed, -EBADF },
	{ "a negative number", make_negative, -EINVAL },
};

/* Refused, and as if nobody had asked. */
TEST_F_TIMEOUT(sock, kinds_refused, TIMEOUT)
{
	struct vhost_vsock_adb_stats stats;
	struct vs_packet packet;
	uint32_t host_port;
	unsigned int i;
	int fd;

	packet = vs_packet_of(&self->dev, GUEST_PORT, HOST_PORT, OP(REQUEST));
	vs_send(&self->dev, &packet, NULL, 0);
	vs_expect_event(&self->dev, VHOST_VSOCK_ADB_REQUEST, GUEST_PORT, HOST_PORT, 0, 0);
	for (i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
		TH_LOG("%s", kinds[i].name);
		fd = kinds[i].make();
		host_port = 0;
		EXPECT_EQ(kinds[i].err, __vs_connect(&self->dev, GUEST_PORT, &host_port,
						     fd, 0));
		EXPECT_EQ(0, host_port);
		EXPECT_EQ(kinds[i].err, __vs_attach(&self->dev, GUEST_PORT, HOST_PORT,
						    fd, 0));
		if (fd >= 0)
			close(fd);
	}
	vs_expect_nothing(&self->dev);
	vs_get_stats(&self->dev, &stats);
	EXPECT_EQ(1, stats.streams);
	EXPECT_FALSE(vs_has_event(&self->dev));
}

static bool put_tls_on(int sock)
{
	return !setsockopt(sock, IPPROTO_TCP, TCP_ULP, "tls", sizeof("tls"));
}

/* TLS has works in the kernel that hold its locks as long as the other end does not read. */
TEST_F_TIMEOUT(sock, protocol_on_top_of_tcp_is_refused, TIMEOUT)
{
	uint32_t host_port = 0;
	int ends[2];

	vs_sockets(VS_TCP, ends);
	if (!put_tls_on(ends[0]))
		SKIP(return, "no TLS here: %s", strerror(errno));
	EXPECT_EQ(-EPROTONOSUPPORT, __vs_connect(&self->dev, GUEST_PORT, &host_port,
						 ends[0], 0));
	vs_expect_nothing(&self->dev);
	close(ends[0]);
	close(ends[1]);
}

/* The same, put there when the socket was handed in already, by who had it still open. */
TEST_F_TIMEOUT(sock, protocol_on_top_of_tcp_ends_the_stream, TIMEOUT)
{
	uint32_t host_port = 0;
	int ends[2];

	vs_sockets(VS_TCP, ends);
	ASSERT_EQ(0, __vs_connect(&self->dev, GUEST_PORT, &host_port, ends[0],
				  VS_COOKIE(GUEST_PORT)));
	self->stream = (struct vs_stream){
		.dev = &self->dev, .guest_port = GUEST_PORT, .host_port = host_port,
		.sock = ends[1], .buf_alloc = VS_BUF_ALLOC,
	};
	vs_stream_expect(&self->stream, OP(REQUEST), NULL);
	if (!put_tls_on(ends[0]))
		SKIP(return, "no TLS here: %s", strerror(errno));
	vs_stream_send(&self->stream, OP(RESPONSE), 0, NULL, 0);
	vs_expect_event(&self->dev, VHOST_VSOCK_ADB_ESTABLISHED, GUEST_PORT, host_port, 0,
			VS_COOKIE(GUEST_PORT));
	close(ends[0]);
	ASSERT_EQ(1, write(ends[1], "x", 1));
	vs_stream_expect(&self->stream, OP(RST), NULL);
	close(ends[1]);
}

/* Half of it closed already, it has connected all the same. */
TEST_F_TIMEOUT(sock, half_closed_are_taken, TIMEOUT)
{
	struct vs_packet packet;
	uint32_t host_port;
	unsigned int i;
	int ends[2];

	for (i = 0; i < 2; i++) {
		vs_sockets(i ? VS_TCP : VS_UNIX, ends);
		ASSERT_EQ(3, write(ends[1], "bye", 3));
		shutdown(ends[1], SHUT_WR);
		/* Until it has arrived. */
		while (recv(ends[0], &packet, 4, MSG_PEEK | MSG_WAITALL) != 3)
			;
		host_port = 0;
		ASSERT_EQ(0, __vs_connect(&self->dev, GUEST_PORT, &host_port, ends[0],
					  VS_COOKIE(GUEST_PORT)));
		close(ends[0]);
		self->stream = (struct vs_stream){
			.dev = &self->dev, .guest_port = GUEST_PORT,
			.host_port = host_port, .sock = ends[1],
			.buf_alloc = VS_BUF_ALLOC,
		};
		vs_stream_expect(&self->stream, OP(REQUEST), NULL);
		vs_stream_send(&self->stream, OP(RESPONSE), 0, NULL, 0);
		vs_expect_event(&self->dev, VHOST_VSOCK_ADB_ESTABLISHED, GUEST_PORT,
				host_port, 0, VS_COOKIE(GUEST_PORT));
		vs_stream_expect(&self->stream, OP(RW), &packet);
		EXPECT_EQ(3, packet.len);
		vs_stream_expect(&self->stream, OP(SHUTDOWN), &packet);
		EXPECT_EQ(VIRTIO_VSOCK_SHUTDOWN_SEND, packet.flags);
		vs_stream_send(&self->stream, OP(RST), 0, NULL, 0);
		vs_stream_expect_closed(&self->stream, ECONNRESET);
		vs_stream_close(&self->stream);
	}
}

/*
 * A program that sends files along ends its stream, and no other: nobody can take
 * them. They are closed at once, not when the worker next has something to do.
 */
TEST_F_TIMEOUT(sock, files_sent_along_are_closed, TIMEOUT)
{
	struct vs_stream other;
	unsigned int i;
	int ends[2];

	vs_connect(&other, &self->dev, VS_UNIX, GUEST_PORT + 1);
	for (i = 0; i < 10; i++) {
		vs_connect(&self->stream, &self->dev, VS_UNIX, GUEST_PORT);
		if (i & 1) {
			self->stream.buf_alloc = 0;
			vs_stream_send(&self->stream, OP(CREDIT_UPDATE), 0, NULL, 0);
			vs_flush(&self->dev);
		}
		ASSERT_EQ(0, pipe(ends));
		services_send_file(self->stream.sock, ends[1]);
		close(ends[1]);
		if (i & 1) {
			EXPECT_FALSE(vs_readable(ends[0], 0));
			vs_stream_send(&self->stream, OP(RST), 0, NULL, 0);
		} else {
			vs_stream_expect(&self->stream, OP(RST), NULL);
		}
		vs_stream_expect_closed(&self->stream, ECONNRESET);
		EXPECT_EQ(0, __vs_read_end(ends[0]));
		close(ends[0]);
		vs_echo(&other);
		vs_stream_close(&self->stream);
	}
	vs_stream_close(&other);
}

/* Creates the device once a device that is being closed has freed the CID. */
static void create_when_free(struct vs_dev *dev)
{
	unsigned int waited_ms = 0;
	struct vs_dev other;

	vs_open(&other, VQ_SPLIT);
	vs_set_up(&other);
	while (__vs_set_cid(&other, VS_CID)) {
		if (waited_ms++ == VQ_PATIENCE_MS)
			vq_die("the CID is not given back");
		usleep(1000);
	}
	vs_destroy(&other);
	vs_create(dev, VS_CID, VQ_SPLIT);
}

/*
 * The device's file comes through a stream of the device itself, and this is
 * the last that there is of it: its end comes while its worker ends the stream.
 */
TEST_F_TIMEOUT(sock, its_own_file_sent_along, TIMEOUT)
{
	int end;

	vs_connect(&self->stream, &self->dev, VS_UNIX, GUEST_PORT);
	self->stream.buf_alloc = 0;
	vs_stream_send(&self->stream, OP(CREDIT_UPDATE), 0, NULL, 0);
	vs_flush(&self->dev);
	services_send_file(self->stream.sock, self->dev.fd);
	close(self->dev.fd);
	self->dev.fd = -1;
	EXPECT_EQ(0, vs_readable(self->stream.sock, 0));
	self->stream.buf_alloc = VS_BUF_ALLOC;
	vs_stream_send(&self->stream, OP(CREDIT_UPDATE), 0, NULL, 0);
	/* It was not read, which AF_UNIX says after the end. */
	end = __vs_read_end(self->stream.sock);
	EXPECT_TRUE(!end || end == -ECONNRESET);
	vs_stream_close(&self->stream);
	vs_destroy(&self->dev);
	create_when_free(&self->dev);
}

/* A child that does not outlive the test. */
static pid_t fork_helper(void)
{
	pid_t pid = fork();

	if (!pid)
		prctl(PR_SET_PDEATHSIG, SIGKILL);
	return pid;
}

static void keep_own_file(const int ends[2], int tell)
{
	uint32_t host_port = 0;
	struct vs_dev dev;

	vs_create(&dev, VS_CID, VQ_SPLIT);
	if (__vs_connect(&dev, GUEST_PORT, &host_port, ends[0], 0))
		vq_die("CONNECT");
	services_send_file(ends[1], dev.fd);
	close(ends[0]);
	close(ends[1]);
	close(dev.fd);
	if (write(tell, "x", 1) != 1)
		_exit(1);
	pause();
}

/* The same, but nobody reads: the device ends with its owner. */
TEST_F_TIMEOUT(sock, its_own_file_never_read, TIMEOUT)
{
	int ends[2], tell[2], status, end;
	char byte;
	pid_t pid;

	vs_destroy(&self->dev);
	ASSERT_EQ(0, pipe(tell));
	vs_sockets(VS_UNIX, ends);
	pid = fork_helper();
	if (!pid)
		keep_own_file(ends, tell[1]);
	close(ends[0]);
	close(tell[1]);
	ASSERT_EQ(1, read(tell[0], &byte, 1));
	close(tell[0]);
	kill(pid, SIGKILL);
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	/* With something unread, an AF_UNIX socket resets after its end. */
	end = __vs_read_end(ends[1]);
	EXPECT_TRUE(!end || end == -ECONNRESET);
	close(ends[1]);
	create_when_free(&self->dev);
}

static void request(struct vs_dev *dev, uint32_t guest_port)
{
	struct vs_packet packet = vs_packet_of(dev, guest_port, HOST_PORT, OP(REQUEST));

	vs_send(dev, &packet, NULL, 0);
	vs_flush(dev);
}

TEST_F_TIMEOUT(sock, events_are_read_whole, TIMEOUT)
{
	struct vhost_vsock_adb_event events[4];
	const size_t size = sizeof(events[0]);
	unsigned int i;

	EXPECT_EQ(-1, read(self->dev.fd, events, sizeof(events)));
	EXPECT_EQ(EAGAIN, errno);
	for (i = 0; i < 3; i++)
		request(&self->dev, i);
	for (i = 0; i < size; i += 3) {
		EXPECT_EQ(-1, read(self->dev.fd, events, i));
		EXPECT_EQ(EINVAL, errno);
	}
	EXPECT_EQ(-1, syscall(SYS_read, self->dev.fd, NULL, size));
	EXPECT_EQ(EFAULT, errno);
	EXPECT_TRUE(vs_has_event(&self->dev));
	/* One and a half is one; then as many as there are. */
	EXPECT_EQ(size, read(self->dev.fd, events, size + size / 2));
	EXPECT_EQ(0, events[0].guest_port);
	EXPECT_EQ(2 * size, read(self->dev.fd, events, sizeof(events)));
	EXPECT_EQ(1, events[0].guest_port);
	EXPECT_EQ(2, events[1].guest_port);
	EXPECT_EQ(VHOST_VSOCK_ADB_REQUEST, events[1].type);
	EXPECT_EQ(HOST_PORT, events[1].host_port);
	EXPECT_FALSE(vs_has_event(&self->dev));
}

static void on_signal(int number)
{
	(void)number;
}

static void *ask_later(void *arg)
{
	usleep(50000);
	request(arg, GUEST_PORT);
	return NULL;
}

TEST_F_TIMEOUT(sock, read_waits, TIMEOUT)
{
	struct sigaction action = { .sa_handler = on_signal };
	struct vhost_vsock_adb_event event;
	pthread_t thread;
	pid_t pid;

	ASSERT_EQ(0, fcntl(self->dev.fd, F_SETFL, 0));
	ASSERT_EQ(0, pthread_create(&thread, NULL, ask_later, &self->dev));
	EXPECT_EQ(sizeof(event), read(self->dev.fd, &event, sizeof(event)));
	EXPECT_EQ(GUEST_PORT, event.guest_port);
	pthread_join(thread, NULL);

	sigaction(SIGUSR1, &action, NULL);
	/* Comes again until it finds us reading. */
	pid = fork_helper();
	if (!pid)
		for (;;) {
			usleep(20000);
			kill(getppid(), SIGUSR1);
		}
	EXPECT_EQ(-1, read(self->dev.fd, &event, sizeof(event)));
	EXPECT_EQ(EINTR, errno);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Calls that are refused to another process than the owner. Returns the failed step. */
static int as_other_process(struct vs_dev *dev)
{
	struct vhost_vsock_adb_event event;
	struct vhost_vsock_adb_stats stats = { .size = sizeof(stats) };
	uint64_t cid = 77;
	uint32_t port = 0;
	int running = 0;

	if (read(dev->fd, &event, sizeof(event)) != -1 || errno != EPERM)
		return 1;
	if (__vs_connect(dev, 1, &port, -1, 0) != -EPERM)
		return 2;
	if (__vs_attach(dev, GUEST_PORT, HOST_PORT, -1, 0) != -EPERM)
		return 3;
	if (__vq_ioctl(dev->fd, VHOST_VSOCK_SET_GUEST_CID, &cid) != -EPERM)
		return 4;
	if (__vq_ioctl(dev->fd, VHOST_VSOCK_SET_RUNNING, &running) != -EPERM)
		return 5;
	if (__vq_ioctl(dev->fd, VHOST_VSOCK_ADB_RESET_TRANSPORT, NULL) != -EPERM)
		return 6;
	if (__vq_ioctl(dev->fd, VHOST_VSOCK_ADB_GET_STATS, &stats))
		return 7;
	return 0;
}

TEST_F_TIMEOUT(sock, only_the_owner, TIMEOUT)
{
	struct vhost_vsock_adb_event event;
	int status;
	pid_t pid;

	request(&self->dev, GUEST_PORT);
	pid = fork_helper();
	if (!pid)
		_exit(as_other_process(&self->dev));
	ASSERT_EQ(pid, waitpid(pid, &status, 0));
	EXPECT_EQ(0, status);
	vs_event(&self->dev, &event);

	/* Nobody is the owner, and nothing is left. */
	request(&self->dev, GUEST_PORT + 1);
	vq_ioctl(self->dev.fd, VHOST_RESET_OWNER, NULL);
	EXPECT_EQ(0, as_other_process(&self->dev));
	EXPECT_FALSE(vs_has_event(&self->dev));
}

static void *read_an_event(void *arg)
{
	struct vhost_vsock_adb_event event;
	struct vs_dev *dev = arg;

	return read(dev->fd, &event, sizeof(event)) < 0 ? (void *)(long)errno : NULL;
}

/* A blocked read of events ends when the owner goes. */
TEST_F_TIMEOUT(sock, reading_while_owner_goes, TIMEOUT)
{
	pthread_t thread;
	unsigned int i;
	void *error;

	ASSERT_EQ(0, fcntl(self->dev.fd, F_SETFL, 0));
	for (i = 0; i < 10; i++) {
		ASSERT_EQ(0, pthread_create(&thread, NULL, read_an_event, &self->dev));
		usleep(i & 1 ? 50000 : 0);
		vq_ioctl(self->dev.fd, VHOST_RESET_OWNER, NULL);
		pthread_join(thread, &error);
		EXPECT_EQ(EPERM, (long)error);
		vs_reset_rings(&self->dev);
		vs_set_up(&self->dev);
	}
}

TEST_F_TIMEOUT(sock, arguments, TIMEOUT)
{
	struct vhost_vsock_adb_connect connect = { .fd = -1, .padding = 1 };
	struct vhost_vsock_adb_attach attach = { .fd = -1, .padding = 1 };
	struct vhost_vsock_adb_stats stats[2];
	const unsigned int sizes[][2] = {
		{ 8, 8 }, { 12, 12 }, { sizeof(*stats), sizeof(*stats) },
		{ sizeof(stats), sizeof(*stats) }, { ~0u, sizeof(*stats) },
	};
	int fd = self->dev.fd;
	unsigned int i;

	EXPECT_EQ(-EINVAL, __vq_ioctl(fd, VHOST_VSOCK_ADB_CONNECT, &connect));
	EXPECT_EQ(-EINVAL, __vq_ioctl(fd, VHOST_VSOCK_ADB_ATTACH, &attach));
	EXPECT_EQ(-EFAULT, __vq_ioctl(fd, VHOST_VSOCK_ADB_CONNECT, NULL));
	EXPECT_EQ(-EFAULT, __vq_ioctl(fd, VHOST_VSOCK_ADB_ATTACH, NULL));
	EXPECT_EQ(-EFAULT, __vq_ioctl(fd, VHOST_VSOCK_ADB_GET_STATS, NULL));
	EXPECT_EQ(-ENOTTY, __vq_ioctl(fd, _IO(VHOST_VIRTIO, 0xaf), NULL));
	for (i = 0; i < sizeof(sizes) / sizeof(*sizes); i++) {
		memset(stats, 0xff, sizeof(stats));
		stats[0].size = sizes[i][0];
		stats[0].padding = 0;
		EXPECT_EQ(0, __vq_ioctl(fd, VHOST_VSOCK_ADB_GET_STATS, stats));
		EXPECT_EQ(sizes[i][1], stats[0].size);
		EXPECT_EQ(0xff, ((uint8_t *)stats)[sizes[i][1]]);
	}
	for (i = 0; i < 8; i++) {
		stats[0].size = i;
		EXPECT_EQ(-EINVAL, __vq_ioctl(fd, VHOST_VSOCK_ADB_GET_STATS, stats));
	}
	stats[0].size = sizeof(*stats);
	stats[0].padding = 1;
	EXPECT_EQ(-EINVAL, __vq_ioctl(fd, VHOST_VSOCK_ADB_GET_STATS, stats));
}

/* Both ways at full speed, for ever. */
static void load(struct vs_dev *dev, int tell)
{
	struct vs_stream streams[2];
	struct vs_flow flows[2];
	unsigned int i;

	for (i = 0; i < 2; i++) {
		vs_connect(&streams[i], dev, i ? VS_TCP : VS_UNIX, GUEST_PORT + i);
		flows[i] = (struct vs_flow){
			.stream = &streams[i], .to_host = 1ull << 40,
			.to_guest = 1ull << 40, .max_packet = 30000, .seed = i + 1,
		};
	}
	for (i = 0; ; i++) {
		if (!vs_flows_turn(flows, 2))
			vs_flows_wait(flows, 2);
		if (i == 3 && write(tell, "x", 1) != 1)
			_exit(1);
	}
}

static void be_killed(int tell, int spare)
{
	uint32_t host_port = 0;
	struct vs_dev dev;

	vs_create(&dev, VS_CID, VQ_SPLIT);
	if (__vs_connect(&dev, 1, &host_port, spare, 0))
		vq_die("CONNECT");
	close(spare);
	vs_expect(&dev, OP(REQUEST), 1, host_port, NULL);
	load(&dev, tell);
}

/* Killed at any moment: its sockets end, its CID is free, nothing hangs. */
TEST_F_TIMEOUT(sock, owner_killed_under_load, TIMEOUT)
{
	int tell[2], spare[2], status;
	unsigned int i;
	uint32_t seed = 77;
	pid_t pid;
	char byte;

	vs_destroy(&self->dev);
	for (i = 0; i < KILLS; i++) {
		ASSERT_EQ(0, pipe(tell));
		vs_sockets(VS_UNIX, spare);
		pid = fork_helper();
		if (!pid) {
			close(spare[1]);
			be_killed(tell[1], spare[0]);
		}
		close(tell[1]);
		close(spare[0]);
		ASSERT_EQ(1, read(tell[0], &byte, 1));
		usleep(vq_random(&seed) % 20000);
		kill(pid, SIGKILL);
		ASSERT_EQ(pid, waitpid(pid, &status, 0));
		EXPECT_TRUE(WIFSIGNALED(status));
		EXPECT_EQ(0, __vs_read_end(spare[1]));
		close(spare[1]);
		close(tell[0]);
	}
}

/* Closed with data under way in both directions. */
TEST_F_TIMEOUT(sock, closed_in_mid_stream, TIMEOUT)
{
	uint8_t data[4096];
	unsigned int i;
	ssize_t got;

	for (i = 0; i < 6; i++) {
		vs_connect(&self->stream, &self->dev, i & 1 ? VS_TCP : VS_UNIX,
			   GUEST_PORT);
		self->dev.hold = true;
		while (write(self->stream.sock, data, sizeof(data)) > 0)
			;
		while (vs_stream_room(&self->stream))
			vs_stream_send(&self->stream, OP(RW), 0, vs_pattern(1, 0), 16384);
		if (i & 2) {
			vq_ioctl(self->dev.fd, VHOST_RESET_OWNER, NULL);
			EXPECT_FALSE(vs_has_event(&self->dev));
		} else {
			vs_destroy(&self->dev);
		}
		do {
			EXPECT_EQ(1, vs_readable(self->stream.sock, VQ_PATIENCE_MS));
			got = read(self->stream.sock, data, sizeof(data));
		} while (got > 0);
		EXPECT_TRUE(!got || errno == ECONNRESET);
		vs_stream_close(&self->stream);
		if (i & 2)
			vs_destroy(&self->dev);
		vs_create(&self->dev, VS_CID, VQ_SPLIT);
	}
}

/* Another owner finds the device as new. */
TEST_F_TIMEOUT(sock, owner_after_owner, TIMEOUT)
{
	struct vhost_vsock_adb_stats stats;
	unsigned int i;

	for (i = 0; i < 3; i++) {
		vs_connect(&self->stream, &self->dev, VS_UNIX, GUEST_PORT);
		vs_echo(&self->stream);
		request(&self->dev, GUEST_PORT + 1);
		vq_ioctl(self->dev.fd, VHOST_RESET_OWNER, NULL);
		EXPECT_EQ(0, __vs_read_end(self->stream.sock));
		vs_stream_close(&self->stream);
		vs_reset_rings(&self->dev);
		vs_set_up(&self->dev);
		ASSERT_EQ(0, __vs_set_cid(&self->dev, VS_CID));
		vs_get_stats(&self->dev, &stats);
		EXPECT_EQ(0, stats.streams);
		vs_run(&self->dev, 1);
		EXPECT_FALSE(vs_has_event(&self->dev));
		vs_give_all(&self->dev);
		vs_expect_nothing(&self->dev);
	}
}

TEST_F_TIMEOUT(sock, module_stays_while_open, TIMEOUT)
{
	int err = __module_unload(DEVICE_MODULE);

	if (err == -ENOENT)
		SKIP(return, "built in");
	EXPECT_TRUE(module_is_busy(err));
	vs_connect(&self->stream, &self->dev, VS_UNIX, GUEST_PORT);
	vs_echo(&self->stream);
	vs_destroy(&self->dev);
	if (!modules_dir())
		SKIP(return, "RANCHU_MODULES does not say where modules are");
	EXPECT_EQ(0, module_unload_when_idle(DEVICE_MODULE));
	EXPECT_EQ(0, __vs_read_end(self->stream.sock));
	EXPECT_EQ(0, __module_load(DEVICE_MODULE));
}

TEST_HARNESS_MAIN
