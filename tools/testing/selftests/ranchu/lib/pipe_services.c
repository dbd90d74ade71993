// SPDX-License-Identifier: GPL-2.0-only
/*
 * Services of other processes, and sockets. See pipe_services.h.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pipe_services.h"

int __services_open(struct pipe_dev *dev)
{
	return __pipe_ioctl(dev->fd, VHOST_GOLDFISH_PIPE_SERVICES, NULL);
}

int services_open(struct pipe_dev *dev)
{
	int fd = __services_open(dev);

	if (fd < 0)
		pipe_die("SERVICES: %s", strerror(-fd));
	if (fcntl(fd, F_SETFL, O_NONBLOCK))
		pipe_die("fcntl: %s", strerror(errno));
	return fd;
}

int __services_add(int services, const char *name)
{
	struct vhost_goldfish_pipe_service service = {};

	memcpy(service.name, name, strlen(name));
	return __pipe_ioctl(services, VHOST_GOLDFISH_PIPE_ADD_SERVICE, &service);
}

void services_add(int services, const char *name)
{
	int ret = __services_add(services, name);

	if (ret)
		pipe_die("ADD_SERVICE %s: %s", name, strerror(-ret));
}

int __services_answer(int services, uint64_t open, int sock)
{
	struct vhost_goldfish_pipe_answer answer = { .open = open, .fd = sock };

	return __pipe_ioctl(services, VHOST_GOLDFISH_PIPE_ANSWER, &answer);
}

void services_answer(int services, uint64_t open, int sock)
{
	int ret = __services_answer(services, open, sock);

	if (ret)
		pipe_die("ANSWER: %s", strerror(-ret));
}

int __services_get_dma(int services, uint64_t open, uint64_t gpa,
		       struct vhost_goldfish_pipe_dma *dma)
{
	*dma = (struct vhost_goldfish_pipe_dma){ .open = open, .gpa = gpa };
	return __pipe_ioctl(services, VHOST_GOLDFISH_PIPE_GET_DMA, dma);
}

int __services_unlock_dma(int services, uint64_t open)
{
	return __pipe_ioctl(services, VHOST_GOLDFISH_PIPE_UNLOCK_DMA, &open);
}

short services_poll(int fd, short events, int ms)
{
	struct pollfd poll_fd = { .fd = fd, .events = events };

	if (poll(&poll_fd, 1, ms) < 0)
		pipe_die("poll: %s", strerror(errno));
	return poll_fd.revents;
}

bool services_try_event(int services, struct vhost_goldfish_pipe_event *event)
{
	ssize_t n = read(services, event, sizeof(*event));

	if (n < 0 && errno == EAGAIN)
		return false;
	if (n != sizeof(*event))
		pipe_die("read of events: %zd, %s", n, strerror(errno));
	return true;
}

void services_event(int services, struct vhost_goldfish_pipe_event *event)
{
	while (!services_try_event(services, event)) {
		if (!services_poll(services, POLLIN, SERVICES_PATIENCE_MS))
			pipe_die("no event");
	}
}

uint64_t services_expect_at(const char *file, int line, int services,
			    const char *name, const char *args)
{
	struct vhost_goldfish_pipe_event event;

	services_event(services, &event);
	if (event.type != VHOST_GOLDFISH_PIPE_EVENT_OPEN ||
	    event.flags != (args ? VHOST_GOLDFISH_PIPE_EVENT_ARGS : 0) ||
	    event.padding || strcmp(event.name, name) ||
	    strcmp(event.args, args ? args : ""))
		pipe_die_at(file, line, "event %u of \"%s\", \"%s\", flags %u",
			    event.type, event.name, event.args, event.flags);
	return event.open;
}

/* With small buffers, so that they fill and drain often. */
static int tcp_socket(void)
{
	const int size = 64 << 10;
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof(size)) ||
	    setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &size, sizeof(size)))
		pipe_die("TCP: %s", strerror(errno));
	return fd;
}

/* A TCP connection with itself, by way of a listener that goes again. */
static void tcp_pair(int ends[2])
{
	struct sockaddr_in addr = { .sin_family = AF_INET };
	socklen_t len = sizeof(addr);
	int listener = tcp_socket();

	addr.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
	ends[0] = tcp_socket();
	if (bind(listener, (struct sockaddr *)&addr, sizeof(addr)) ||
	    listen(listener, 1) ||
	    getsockname(listener, (struct sockaddr *)&addr, &len) ||
	    connect(ends[0], (struct sockaddr *)&addr, sizeof(addr)))
		pipe_die("TCP: %s", strerror(errno));
	ends[1] = accept4(listener, NULL, NULL, SOCK_CLOEXEC);
	if (ends[1] < 0)
		pipe_die("accept: %s", strerror(errno));
	close(listener);
}

void services_sockets(enum services_family family, int ends[2])
{
	if (family == SERVICES_TCP)
		tcp_pair(ends);
	else if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		pipe_die("socketpair: %s", strerror(errno));
	fcntl(ends[0], F_SETFL, O_NONBLOCK);
	fcntl(ends[1], F_SETFL, O_NONBLOCK);
}

int services_connect(int services, struct pipe_dev *dev, struct test_pipe *pipe,
		     uint32_t id, const char *name, enum services_family family)
{
	char text[VHOST_GOLDFISH_PIPE_NAME_SIZE];
	uint64_t open;
	int ends[2];

	snprintf(text, sizeof(text), "pipe:%s", name);
	pipe_connect(dev, pipe, id, text);
	open = services_expect(services, name, NULL);
	services_sockets(family, ends);
	services_answer(services, open, ends[0]);
	close(ends[0]);
	return ends[1];
}

int __services_read_end(int sock)
{
	char byte;

	if (!services_poll(sock, POLLIN, SERVICES_PATIENCE_MS))
		return -ETIMEDOUT;
	switch (read(sock, &byte, 1)) {
	case 0:
		return 0;
	case 1:
		return -EEXIST;
	default:
		return -errno;
	}
}

uint32_t services_wakes(struct pipe_dev *dev, uint32_t id)
{
	struct goldfish_pipe_signal signal;
	uint32_t count, wakes = 0, i;

	pipe_wait_line(dev);
	count = pipe_reg_read(dev, GOLDFISH_PIPE_REG_GET_SIGNALLED);
	for (i = 0; i < count; i++) {
		signal = pipe_signal(dev, i);
		if (signal.id == id)
			wakes |= signal.flags;
	}
	return wakes;
}

void services_wait_wake(struct test_pipe *pipe, uint32_t wake)
{
	/* No time limit of our own: the harness has one. */
	while (!(services_wakes(pipe->dev, pipe->id) & wake))
		;
}

void services_flush(struct pipe_dev *dev)
{
	/* The worker is asked for in the moment of the change, if at all. */
	usleep(50000);
	pipe_reg_read(dev, GOLDFISH_PIPE_REG_GET_SIGNALLED);
}

bool services_quiet(struct pipe_dev *dev)
{
	usleep(50000);
	return !pipe_line_level(dev) &&
	       !pipe_reg_read(dev, GOLDFISH_PIPE_REG_GET_SIGNALLED);
}

void services_sleep_on(struct test_pipe *pipe, uint32_t cmd)
{
	int32_t status = pipe_command(pipe, cmd);

	if (status)
		pipe_die("command %u: %d", cmd, status);
	services_wait_wake(pipe, cmd == GOLDFISH_PIPE_CMD_WAKE_ON_READ ?
					 GOLDFISH_PIPE_WAKE_READ :
					 GOLDFISH_PIPE_WAKE_WRITE);
}

#define PIECES		8u

void services_move_all(struct test_pipe *pipe, struct pipe_random *random, uint32_t cmd,
		       uint64_t gpa, uint32_t size)
{
	const uint32_t wait = cmd == GOLDFISH_PIPE_CMD_READ ?
				      GOLDFISH_PIPE_CMD_WAKE_ON_READ :
				      GOLDFISH_PIPE_CMD_WAKE_ON_WRITE;
	struct pipe_buf bufs[PIECES];
	uint32_t done = 0, nr, offset, n;
	int32_t status;

	while (done < size) {
		for (nr = 0, offset = done; nr < PIECES && offset < size; nr++) {
			n = 1 + pipe_random(random) % (size / 4 + 1);
			if (n > size - offset)
				n = size - offset;
			bufs[nr] = (struct pipe_buf){ gpa + offset, n };
			offset += n;
		}
		status = pipe_transfer(pipe, cmd, bufs, nr);
		if (status > 0)
			done += status;
		else if (status == GOLDFISH_PIPE_ERROR_AGAIN)
			services_sleep_on(pipe, wait);
		else
			pipe_die("command %u: %d after %u bytes", cmd, status, done);
	}
}

void services_send_file(int sock, int file)
{
	union {
		struct cmsghdr head;
		char space[CMSG_SPACE(sizeof(int))];
	} control = { 0 };
	struct iovec iov = { "f", 1 };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};

	control.head.cmsg_level = SOL_SOCKET;
	control.head.cmsg_type = SCM_RIGHTS;
	control.head.cmsg_len = CMSG_LEN(sizeof(int));
	memcpy(CMSG_DATA(&control.head), &file, sizeof(file));
	if (sendmsg(sock, &msg, 0) != 1)
		pipe_die("sendmsg: %s", strerror(errno));
}
