// SPDX-License-Identifier: GPL-2.0-only
/*
 * Either end of vsock streams, in a guest or its host.
 *
 *	vsock_peer cid			print this machine's CID
 *	vsock_peer serve PORT COUNT	send back what COUNT connections send
 *	vsock_peer talk CID PORT BYTES	send BYTES and expect them back
 *
 * Instead of PORT serve takes the path of a Unix socket to listen at, and talk
 * instead of CID one that takes "CONNECT <port>". Both begin with a slash.
 *
 * talk sends and receives at the same time, compares each byte, and prints one
 * line with the sums of both directions. It tries for a while to be let in.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>
#include <linux/vm_sockets.h>

#define BLOCK		65536
#define TRIES		300
#define TRY_US		100000
#define SILENCE_MS	30000

/**
 * struct flow - one direction of a stream
 * @left: bytes still to come
 * @sum: FNV-1a of those that came
 * @random: state of the generator that makes them
 */
struct flow {
	uint64_t left;
	uint64_t sum;
	uint64_t random;
};

static int fail(const char *what)
{
	fprintf(stderr, "vsock_peer: %s: %s\n", what, strerror(errno));
	return 1;
}

static struct flow flow_new(uint64_t bytes)
{
	return (struct flow){ bytes, 0xcbf29ce484222325, 0x9e3779b97f4a7c15 };
}

static uint8_t flow_byte(struct flow *f)
{
	f->random ^= f->random << 13;
	f->random ^= f->random >> 7;
	f->random ^= f->random << 17;
	return f->random >> 24;
}

static void flow_add(struct flow *f, uint8_t byte)
{
	f->sum = (f->sum ^ byte) * 0x100000001b3;
	f->left--;
}

/**
 * union address - of either family
 * @any: what the system calls take
 * @vm: AF_VSOCK
 * @un: AF_UNIX
 */
union address {
	struct sockaddr any;
	struct sockaddr_vm vm;
	struct sockaddr_un un;
};

static union address address_of(unsigned int cid, unsigned int port)
{
	return (union address){ .vm = {
		.svm_family = AF_VSOCK, .svm_cid = cid, .svm_port = port,
	} };
}

static union address address_at(const char *path)
{
	union address addr = { .un.sun_family = AF_UNIX };

	snprintf(addr.un.sun_path, sizeof(addr.un.sun_path), "%s", path);
	return addr;
}

static socklen_t address_len(const union address *addr)
{
	return addr->any.sa_family == AF_VSOCK ? sizeof(addr->vm) : sizeof(addr->un);
}

static int stream_open(const union address *addr)
{
	return socket(addr->any.sa_family, SOCK_STREAM | SOCK_CLOEXEC, 0);
}

static int echo(int fd)
{
	static uint8_t buf[BLOCK];
	ssize_t done;
	ssize_t len;
	ssize_t n;

	while ((len = read(fd, buf, sizeof(buf))) > 0) {
		for (done = 0; done < len; done += n) {
			n = write(fd, buf + done, len - done);
			if (n < 0)
				return fail("write");
		}
	}
	return len ? fail("read") : 0;
}

static int serve(const char *where, unsigned int count)
{
	union address addr = *where == '/' ? address_at(where) :
					     address_of(VMADDR_CID_ANY, atoi(where));
	int listener = stream_open(&addr);
	int rc = 0;
	int status;
	int fd;

	if (listener < 0 || bind(listener, &addr.any, address_len(&addr)) || listen(listener, 8))
		return fail("listen");
	while (count--) {
		fd = accept(listener, NULL, NULL);
		if (fd < 0)
			return fail("accept");
		/* A slow connection does not delay others. */
		if (!fork())
			_exit(echo(fd));
		close(fd);
	}
	close(listener);
	while (wait(&status) > 0)
		rc |= status;
	return !!rc;
}

/* Reads the answer byte by byte, because later bytes belong to the stream. */
static int request(int fd, unsigned int port)
{
	char text[32];
	int len = snprintf(text, sizeof(text), "CONNECT %u\n", port);
	unsigned int i;

	if (write(fd, text, len) != len)
		return -1;
	for (i = 0; i < sizeof(text) && read(fd, &text[i], 1) == 1; i++) {
		if (text[i] == '\n')
			return strncmp(text, "OK ", 3);
	}
	return -1;
}

static int dial(const char *where, unsigned int port)
{
	bool unix_path = *where == '/';
	union address addr = unix_path ? address_at(where) : address_of(atoi(where), port);
	unsigned int i;
	int fd;

	for (i = 0; i < TRIES; i++) {
		fd = stream_open(&addr);
		if (fd >= 0 && !connect(fd, &addr.any, address_len(&addr)) &&
		    (!unix_path || !request(fd, port)))
			return fd;
		if (fd >= 0)
			close(fd);
		usleep(TRY_US);
	}
	return -1;
}

/* What was not sent is kept for the next time; done when both are used up. */
static int talk_out(int fd, struct flow *out)
{
	static uint8_t buf[BLOCK];
	static size_t first;
	static size_t len;
	ssize_t n;

	if (first == len) {
		first = 0;
		len = 0;
		while (len < sizeof(buf) && out->left) {
			buf[len] = flow_byte(out);
			flow_add(out, buf[len++]);
		}
	}
	if (first == len)
		return 1;
	n = write(fd, buf + first, len - first);
	if (n < 0)
		return errno == EAGAIN ? 0 : -1;
	first += n;
	if (first == len && !out->left)
		shutdown(fd, SHUT_WR);
	return first == len && !out->left;
}

/* 1 at the end of the stream. */
static int talk_in(int fd, struct flow *in)
{
	static uint8_t buf[BLOCK];
	ssize_t n = read(fd, buf, sizeof(buf));
	ssize_t i;

	if (n < 0)
		return errno == EAGAIN ? 0 : -1;
	for (i = 0; i < n; i++) {
		if (!in->left || buf[i] != flow_byte(in)) {
			errno = EBADMSG;
			return -1;
		}
		flow_add(in, buf[i]);
	}
	return !n;
}

static int talk_loop(int fd, struct flow *out, struct flow *in)
{
	struct pollfd wait = { .fd = fd, .events = POLLIN | POLLOUT };
	int ret = 0;

	while (!ret) {
		ret = poll(&wait, 1, SILENCE_MS);
		if (ret <= 0) {
			errno = ret ? errno : ETIMEDOUT;
			return -1;
		}
		if (wait.events & wait.revents & POLLOUT) {
			ret = talk_out(fd, out);
			if (ret < 0)
				return ret;
			if (ret)
				wait.events = POLLIN;
		}
		ret = wait.revents & ~POLLOUT ? talk_in(fd, in) : 0;
	}
	return ret;
}

static int exchange(const char *where, unsigned int port, uint64_t bytes)
{
	struct flow out = flow_new(bytes);
	struct flow in = flow_new(bytes);
	int fd = dial(where, port);

	if (fd < 0)
		return fail("connect");
	fcntl(fd, F_SETFL, O_NONBLOCK);
	if (talk_loop(fd, &out, &in) < 0)
		return fail("stream");
	close(fd);
	printf("talk: sent %llu sum %016llx, received %llu sum %016llx: %s\n",
	       (unsigned long long)(bytes - out.left), (unsigned long long)out.sum,
	       (unsigned long long)(bytes - in.left), (unsigned long long)in.sum,
	       in.left || out.left || in.sum != out.sum ? "WRONG" : "same");
	return in.left || out.left || in.sum != out.sum;
}

static int show_cid(void)
{
	unsigned int cid = 0;
	int fd = open("/dev/vsock", O_RDONLY);

	if (fd < 0 || ioctl(fd, IOCTL_VM_SOCKETS_GET_LOCAL_CID, &cid))
		return fail("/dev/vsock");
	printf("cid: %u\n", cid);
	close(fd);
	return 0;
}

int main(int argc, char **argv)
{
	setvbuf(stdout, NULL, _IOLBF, 0);
	signal(SIGPIPE, SIG_IGN);
	if (argc == 2 && !strcmp(argv[1], "cid"))
		return show_cid();
	if (argc == 4 && !strcmp(argv[1], "serve"))
		return serve(argv[2], atoi(argv[3]));
	if (argc == 5 && !strcmp(argv[1], "talk"))
		return exchange(argv[2], atoi(argv[3]), strtoull(argv[4], NULL, 0));
	fputs("usage: vsock_peer cid | serve PORT|PATH COUNT | talk CID|PATH PORT BYTES\n",
	      stderr);
	return 2;
}
