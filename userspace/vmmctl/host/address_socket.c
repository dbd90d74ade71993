// SPDX-License-Identifier: GPL-2.0-only
/*
 * A socket for a program that serves the goldfish address space; one program at a time. The
 * main thread handles packets from the program; vCPU threads send packets to it, one thread
 * at a time.
 *
 * A guest's ping must be answered before its register write completes, so the vCPU waits for
 * the program, WAIT_MS at most. After a timeout, no vCPU waits for the program again until it
 * has answered the last ping that it was sent. Packets that the program must get, such as the
 * close of a handle, wait as long for room in the socket; without room, the program is
 * disconnected. Only the guest's own vCPU waits, no other thread of vmmctl.
 */
#include <endian.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "host/address_socket.h"
#include "host/address_wire.h"
#include "host/log.h"
#include "host/vsock.h"
#include "machine/device.h"
#include "machine/machine.h"

#define WAIT_MS		100
#define AT_ONCE		32	/* packets that are handled before other files of the loop */
#define FILES		4	/* received with a packet, at most; one is used */

/**
 * struct vmm_address_socket - the socket
 * @listener: the listening socket
 * @area: the area
 * @refused: a second program was refused, and a message was written
 * @lock: protects all that follows, but for @unanswered
 * @changed: signalled when @answered or @ended becomes true, or @used false
 * @sock: the program's connection, or -1; only the main thread changes it
 * @used: a vCPU thread uses @sock
 * @ended: @sock is about to be closed
 * @late: the program has not answered a ping in time
 * @number: of the last ping that was sent
 * @waits: a vCPU waits for the answer to that ping
 * @answered: the answer has arrived
 * @page: the page of the answer
 * @opened: a bit for each handle that the program knows
 * @unanswered: counts pings that a program did not answer in time
 */
struct vmm_address_socket {
	struct vmm_vsock_listener listener;
	struct vmm_address_area area;
	bool refused;
	pthread_mutex_t lock;
	pthread_cond_t changed;
	int sock;
	bool used;
	bool ended;
	bool late;
	u64 number;
	bool waits;
	bool answered;
	u8 page[sizeof(((struct vmm_address_packet *)0)->page)];
	u8 *opened;
	u64 unanswered;
};

/* ---- the main thread ---- */

/* Wakes a vCPU thread that uses the connection, then closes it. */
static void hang_up(struct vmm_address_socket *s)
{
	if (s->sock < 0)
		return;
	vmm_loop_del(s->listener.loop, s->sock);
	pthread_mutex_lock(&s->lock);
	s->ended = true;
	shutdown(s->sock, SHUT_RDWR);
	pthread_cond_broadcast(&s->changed);
	while (s->used)
		pthread_cond_wait(&s->changed, &s->lock);
	close(s->sock);
	s->sock = -1;
	s->ended = false;
	pthread_mutex_unlock(&s->lock);
}

static void blame(struct vmm_address_socket *s, const char *what)
{
	vmm_note("%s: the program %s: it is disconnected", s->listener.path, what);
	hang_up(s);
}

/* Sends a packet without blocking. Returns false if the program was disconnected. */
static bool say(struct vmm_address_socket *s, const struct vmm_address_packet *packet)
{
	if (send(s->sock, packet, sizeof(*packet), MSG_DONTWAIT | MSG_NOSIGNAL) ==
	    sizeof(*packet))
		return true;
	if (errno == EAGAIN)
		blame(s, "reads nothing");
	else
		hang_up(s);
	return false;
}

static bool take_answer(struct vmm_address_socket *s, const struct vmm_address_packet *packet)
{
	pthread_mutex_lock(&s->lock);
	if (le64toh(packet->number) == s->number) {
		s->late = false;
		if (s->waits) {
			memcpy(s->page, packet->page, sizeof(s->page));
			s->answered = true;
			pthread_cond_broadcast(&s->changed);
		}
	}
	pthread_mutex_unlock(&s->lock);
	return true;
}

static bool done(struct vmm_address_socket *s, const struct vmm_address_packet *request, int err)
{
	const struct vmm_address_packet packet = {
		.word = htole32(VMM_ADDRESS_DONE), .handle = htole32(-err),
		.number = request->number,
	};

	return say(s, &packet);
}

static bool take_map(struct vmm_address_socket *s, const struct vmm_address_packet *packet, int fd)
{
	const struct vmm_address_map map = {
		.offset = le64toh(packet->offset), .size = le64toh(packet->size), .fd = fd,
		.file_offset = le64toh(packet->file_offset),
	};

	return done(s, packet, fd < 0 ? -EBADF : s->area.map(s->area.arg, &map));
}

/* Handles a packet. Returns false if the program was disconnected. */
static bool take(struct vmm_address_socket *s, const struct vmm_address_packet *packet, int fd)
{
	switch (le32toh(packet->word)) {
	case VMM_ADDRESS_ANSWER:
		return take_answer(s, packet);
	case VMM_ADDRESS_MAP:
		return take_map(s, packet, fd);
	case VMM_ADDRESS_UNMAP:
		return done(s, packet, s->area.unmap(s->area.arg, le64toh(packet->offset)));
	}
	blame(s, "sends an unknown packet");
	return false;
}

/* Returns the first received file, or -1; closes all others. */
static int take_files(struct msghdr *msg)
{
	struct cmsghdr *c;
	int first = -1;
	size_t i;
	int fd;

	for (c = CMSG_FIRSTHDR(msg); c; c = CMSG_NXTHDR(msg, c)) {
		if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
			continue;
		for (i = 0; i < (c->cmsg_len - CMSG_LEN(0)) / sizeof(fd); i++) {
			memcpy(&fd, CMSG_DATA(c) + i * sizeof(fd), sizeof(fd));
			if (first < 0)
				first = fd;
			else
				close(fd);
		}
	}
	return first;
}

/* Handles a packet, if there is one. Returns whether there may be another. */
static bool receive(struct vmm_address_socket *s)
{
	union {
		struct cmsghdr head;
		u8 room[CMSG_SPACE(FILES * sizeof(int))];
	} control;
	struct vmm_address_packet packet;
	struct iovec iov = { &packet, sizeof(packet) };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1,
		.msg_control = &control, .msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(s->sock, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	bool more = false;
	int fd;

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	fd = n > 0 ? take_files(&msg) : -1;
	if (n <= 0)
		hang_up(s);
	else if (n != sizeof(packet) || msg.msg_flags & MSG_TRUNC)
		blame(s, "sends a malformed packet");
	else
		more = take(s, &packet, fd);
	if (fd >= 0)
		close(fd);
	return more;
}

static int readable(void *arg)
{
	struct vmm_address_socket *s = arg;
	unsigned int i;

	for (i = 0; i < AT_ONCE && receive(s); i++)
		;
	return 0;
}

static void forget_handles(struct vmm_address_socket *s)
{
	memset(s->opened, 0, s->area.handles / 8 + 1);
}

static void accepted(void *arg, struct vmm_vsock_listener *listener, int sock)
{
	struct vmm_address_socket *s = arg;
	const struct vmm_address_packet hello = {
		.word = htole32(VMM_ADDRESS_HELLO), .number = htole64(VMM_ADDRESS_VERSION),
		.size = htole64(s->area.size), .offset = htole64(sysconf(_SC_PAGESIZE)),
	};

	if (sock < 0)
		return;
	if (s->sock >= 0 || vmm_loop_add(listener->loop, sock, readable, s)) {
		/* One message for each program that serves, however often others connect. */
		if (!s->refused)
			vmm_note("%s: a program serves already: another one is refused",
				 listener->path);
		s->refused = true;
		close(sock);
		return;
	}
	s->refused = false;
	pthread_mutex_lock(&s->lock);
	forget_handles(s);
	s->late = false;
	s->sock = sock;
	pthread_mutex_unlock(&s->lock);
	say(s, &hello);
}

/**
 * vmm_address_socket_open - let a program serve the area
 * @path: of the socket
 * @loop: the main thread's loop
 * @area: the area; copied
 * @socket: filled
 *
 * Return: 0, or -errno after a message
 */
int vmm_address_socket_open(const char *path, struct vmm_loop *loop,
			    const struct vmm_address_area *area,
			    struct vmm_address_socket **socket)
{
	struct vmm_address_socket *s = calloc(1, sizeof(*s));
	pthread_condattr_t attr;
	int err;

	if (s)
		s->opened = calloc(1, area->handles / 8 + 1);
	if (!s || !s->opened) {
		free(s);
		return vmm_error(ENOMEM, "the socket %s", path);
	}
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&s->changed, &attr);
	pthread_condattr_destroy(&attr);
	pthread_mutex_init(&s->lock, NULL);
	s->area = *area;
	s->sock = -1;
	s->listener = (struct vmm_vsock_listener){
		.loop = loop, .accepted = accepted, .arg = s, .fd = -1, .packets = true,
	};
	err = vmm_vsock_listener_unix(&s->listener, path);
	if (err) {
		vmm_address_socket_close(s);
		return err;
	}
	vmm_vsock_listen(&s->listener, true);
	*socket = s;
	return 0;
}

/**
 * vmm_address_socket_close - close the socket and the connection
 * @s: may be NULL; no vCPU runs
 */
void vmm_address_socket_close(struct vmm_address_socket *s)
{
	if (!s)
		return;
	vmm_vsock_listener_close(&s->listener);
	hang_up(s);
	pthread_cond_destroy(&s->changed);
	pthread_mutex_destroy(&s->lock);
	free(s->opened);
	free(s);
}

/**
 * vmm_address_socket_reset - tell a program that all handles and all memory are gone
 * @s: may be NULL
 *
 * Context: main thread; no vCPU runs.
 */
void vmm_address_socket_reset(struct vmm_address_socket *s)
{
	const struct vmm_address_packet packet = { .word = htole32(VMM_ADDRESS_ANEW) };

	if (!s || s->sock < 0)
		return;
	forget_handles(s);
	say(s, &packet);
}

/* ---- vCPUs' threads, one at a time ---- */

/* Returns the connection, which stays open until use_end(); -1 if there is none. */
static int use_begin(struct vmm_address_socket *s)
{
	int sock;

	pthread_mutex_lock(&s->lock);
	sock = s->ended ? -1 : s->sock;
	s->used = sock >= 0;
	pthread_mutex_unlock(&s->lock);
	return sock;
}

static void use_end(struct vmm_address_socket *s)
{
	pthread_mutex_lock(&s->lock);
	s->used = false;
	pthread_cond_broadcast(&s->changed);
	pthread_mutex_unlock(&s->lock);
}

static struct timespec until(unsigned int ms)
{
	struct timespec time;

	clock_gettime(CLOCK_MONOTONIC, &time);
	time.tv_nsec += ms * 1000000L;
	time.tv_sec += time.tv_nsec / 1000000000;
	time.tv_nsec %= 1000000000;
	return time;
}

/* Returns the milliseconds until @end, rounded up; 0 after it. */
static int left(const struct timespec *end)
{
	struct timespec now;
	s64 ns;

	clock_gettime(CLOCK_MONOTONIC, &now);
	ns = (end->tv_sec - now.tv_sec) * 1000000000LL + end->tv_nsec - now.tv_nsec;
	return ns > 0 ? (ns + 999999) / 1000000 : 0;
}

/* Sends a packet if there is room before @end, which signals do not extend. */
static bool send_until(int sock, const struct vmm_address_packet *packet,
		       const struct timespec *end)
{
	struct pollfd room = { .fd = sock, .events = POLLOUT };
	int wait;

	for (;;) {
		if (send(sock, packet, sizeof(*packet), MSG_DONTWAIT | MSG_NOSIGNAL) ==
		    sizeof(*packet))
			return true;
		if (errno != EAGAIN && errno != EINTR)
			return false;
		wait = left(end);
		if (!wait)
			return false;
		poll(&room, 1, wait);
	}
}

static bool is_opened(const struct vmm_address_socket *s, u32 handle)
{
	return s->opened[handle / 8] & 1 << handle % 8;
}

static bool say_opened(struct vmm_address_socket *s, int sock, u32 handle,
		       const struct timespec *end)
{
	const struct vmm_address_packet packet = {
		.word = htole32(VMM_ADDRESS_OPENED), .handle = htole32(handle),
	};

	if (is_opened(s, handle))
		return true;
	if (!send_until(sock, &packet, end))
		return false;
	s->opened[handle / 8] |= 1 << handle % 8;
	return true;
}

/* Sets the number of the next ping. Returns whether to wait for its answer. */
static bool ping_begin(struct vmm_address_socket *s, u64 *number)
{
	bool waits;

	pthread_mutex_lock(&s->lock);
	*number = ++s->number;
	waits = !s->late;
	s->waits = waits;
	s->answered = false;
	pthread_mutex_unlock(&s->lock);
	return waits;
}

/* Waits for the answer if the ping was @sent. Returns whether it has arrived. */
static bool ping_end(struct vmm_address_socket *s, bool sent, const struct timespec *end, u8 *page)
{
	bool answered;
	int err = 0;

	pthread_mutex_lock(&s->lock);
	while (sent && s->waits && !s->answered && !s->ended && !err)
		err = pthread_cond_timedwait(&s->changed, &s->lock, end);
	answered = s->answered;
	if (answered) {
		memcpy(page, s->page, sizeof(s->page));
	} else {
		vmm_count(&s->unanswered, 1);
		s->late = true;
	}
	/* The program did not get this ping: the last one is that before it. */
	if (!sent)
		s->number--;
	s->waits = false;
	pthread_mutex_unlock(&s->lock);
	return answered;
}

/**
 * vmm_address_socket_ping - have a program answer a ping
 * @s: the socket
 * @handle: the handle that sent it
 * @start: guest address of the area according to the guest's driver
 * @page: the guest's page; replaced if there is an answer
 *
 * Context: a vCPU thread; one at a time in this and the next two functions. Waits for
 *	WAIT_MS at most.
 * Return: whether there is an answer
 */
bool vmm_address_socket_ping(struct vmm_address_socket *s, u32 handle, u64 start, u8 *page)
{
	struct vmm_address_packet packet = {
		.word = htole32(VMM_ADDRESS_PING_OF), .handle = htole32(handle),
		.offset = htole64(start),
	};
	struct timespec end;
	int sock = use_begin(s);
	bool answered, sent;
	u64 number;

	if (sock < 0)
		return false;
	end = until(ping_begin(s, &number) ? WAIT_MS : 0);
	packet.number = htole64(number);
	memcpy(packet.page, page, sizeof(packet.page));
	sent = say_opened(s, sock, handle, &end) && send_until(sock, &packet, &end);
	answered = ping_end(s, sent, &end, page);
	use_end(s);
	return answered;
}

/* Sends a packet that the program must get; else shuts the connection down. */
static void tell(struct vmm_address_socket *s, int sock, const struct vmm_address_packet *packet)
{
	const struct timespec end = until(WAIT_MS);

	if (send_until(sock, packet, &end))
		return;
	if (errno == EAGAIN)
		vmm_note("%s: the program reads nothing: it is disconnected", s->listener.path);
	shutdown(sock, SHUT_RDWR);
}

/**
 * vmm_address_socket_closed - tell a program that a handle was closed
 * @s: the socket
 * @handle: which
 *
 * Context: see vmm_address_socket_ping().
 */
void vmm_address_socket_closed(struct vmm_address_socket *s, u32 handle)
{
	const struct vmm_address_packet packet = {
		.word = htole32(VMM_ADDRESS_CLOSED), .handle = htole32(handle),
	};
	int sock = use_begin(s);

	if (sock < 0)
		return;
	if (is_opened(s, handle))
		tell(s, sock, &packet);
	s->opened[handle / 8] &= ~(1 << handle % 8);
	use_end(s);
}

/**
 * vmm_address_socket_freed - tell a program that its memory in a block is gone
 * @s: the socket
 * @offset: where the block began
 * @size: bytes of it
 *
 * Context: see vmm_address_socket_ping().
 */
void vmm_address_socket_freed(struct vmm_address_socket *s, u64 offset, u64 size)
{
	const struct vmm_address_packet packet = {
		.word = htole32(VMM_ADDRESS_FREED), .offset = htole64(offset),
		.size = htole64(size),
	};
	int sock = use_begin(s);

	if (sock < 0)
		return;
	tell(s, sock, &packet);
	use_end(s);
}

/**
 * vmm_address_socket_unanswered - count pings that a program did not answer in time
 * @s: may be NULL
 *
 * Context: any thread.
 * Return: how many
 */
u64 vmm_address_socket_unanswered(const struct vmm_address_socket *s)
{
	return s ? vmm_counted(&s->unanswered) : 0;
}
