// SPDX-License-Identifier: GPL-2.0-only
/*
 * adb by the goldfish pipe, which guests used before vsock: adbd opens `pipe:qemud:adb:<port>`,
 * and a client of adb is connected to it. For the host's adb server it is like adb by vsock
 * (vsock_streams.c): the same ports, the same notice to the server, the same Unix socket.
 *
 *	ACCEPT	the guest has opened the pipe and has not sent "accept" yet
 *	WAITING	for a client; the pipe that has waited longest gets the next one
 *	START	the guest was sent "ok" and has not sent "start" yet
 *	STREAM	bytes are copied in both directions
 *
 * Clients that come before a pipe waits stay in the socket's backlog. A wrong word closes the
 * pipe. Unlike with vsock and other services, vmmctl copies the bytes, because a pipe's socket
 * cannot be replaced after it was passed to the kernel. Nothing blocks: while one side does not
 * read, the other one is not read from.
 *
 * This exists over a reset of the guest: the addresses stay, pipes are closed and opened.
 *
 * Source: platform_external_qemu android/android-emu/android/emulation/
 * AdbGuestPipe.cpp (024b7275).
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "host/vsock.h"

#define ADB_PIPES	16	/* as many as in the reference's older service */
#define ADB_TICK_NS	250000000
#define ADB_BUFFER	65536

enum pipe_state { PIPE_FREE, PIPE_ACCEPT, PIPE_WAITING, PIPE_START, PIPE_STREAM };

/**
 * struct pipe_direction - bytes that are copied from one socket to another
 * @first: index of the first byte in @bytes that was not sent
 * @end: end of the bytes in @bytes
 * @ended: the source is at its end
 * @bytes: the buffer
 */
struct pipe_direction {
	size_t first;
	size_t end;
	bool ended;
	u8 bytes[ADB_BUFFER];
};

/**
 * struct adb_pipe - a pipe that the guest has opened
 * @owner: host's side that it belongs to
 * @state: see above
 * @guest: vmmctl's end of the pipe's socket
 * @client: client of adb, in START and STREAM, else -1
 * @matched: received bytes of the expected word, in ACCEPT and START
 * @turn: order in WAITING: the lowest gets the next client
 * @to_guest: buffer in STREAM
 * @to_client: buffer in STREAM
 */
struct adb_pipe {
	struct vmm_pipe_adb *owner;
	enum pipe_state state;
	int guest;
	int client;
	size_t matched;
	u64 turn;
	struct pipe_direction to_guest;
	struct pipe_direction to_client;
};

enum { LISTEN_TCP, LISTEN_UNIX, LISTENERS };

/**
 * struct vmm_pipe_adb - the host's side of adb by pipe
 * @loop: the main thread's loop
 * @adb: the ports that adb knows, or NULL
 * @listener: listening sockets
 * @tick_fd: timer, runs while a notice is being sent, and if @accept_failed
 * @accept_failed: accepting failed; repeated at the next tick
 * @announced: the message with adb's port was written
 * @turns: last value of @turn
 * @pipe: pipes that the guest has open
 */
struct vmm_pipe_adb {
	struct vmm_loop *loop;
	struct vmm_adb *adb;
	struct vmm_vsock_listener listener[LISTENERS];
	int tick_fd;
	bool accept_failed;
	bool announced;
	u64 turns;
	struct adb_pipe *pipe[ADB_PIPES];
};

static struct adb_pipe *first_waiting(const struct vmm_pipe_adb *a)
{
	struct adb_pipe *first = NULL;
	unsigned int i;

	for (i = 0; i < ADB_PIPES; i++) {
		struct adb_pipe *p = a->pipe[i];

		if (p && p->state == PIPE_WAITING && (!first || p->turn < first->turn))
			first = p;
	}
	return first;
}

static void listeners_update(struct vmm_pipe_adb *a)
{
	bool on = !a->accept_failed && first_waiting(a);
	unsigned int i;

	for (i = 0; i < LISTENERS; i++)
		vmm_vsock_listen(&a->listener[i], on);
}

static void pipe_drop_fd(struct vmm_pipe_adb *a, int fd)
{
	if (fd < 0)
		return;
	vmm_loop_del(a->loop, fd);
	close(fd);
}

static void pipe_free(struct adb_pipe *p)
{
	struct vmm_pipe_adb *a = p->owner;
	unsigned int i;

	pipe_drop_fd(a, p->guest);
	pipe_drop_fd(a, p->client);
	for (i = 0; i < ADB_PIPES; i++) {
		if (a->pipe[i] == p)
			a->pipe[i] = NULL;
	}
	free(p);
	listeners_update(a);
}

static int guest_ready(void *arg);
static int client_ready(void *arg);

/* Removes a file without events from the loop: a hang-up would be reported anyway. */
static bool pipe_watch(struct adb_pipe *p, int fd, short events, vmm_loop_fn fn)
{
	vmm_loop_del(p->owner->loop, fd);
	return !events || !vmm_loop_watch(p->owner->loop, fd, events, fn, p);
}

static size_t direction_left(const struct pipe_direction *dir)
{
	return dir->end - dir->first;
}

static void direction_fill(struct pipe_direction *dir, int from)
{
	ssize_t n;

	if (direction_left(dir) || dir->ended)
		return;
	dir->first = 0;
	dir->end = 0;
	n = recv(from, dir->bytes, sizeof(dir->bytes), MSG_DONTWAIT);
	if (n > 0)
		dir->end = n;
	else if (!n || (errno != EAGAIN && errno != EINTR))
		dir->ended = true;
}

/* Sends buffered bytes. Returns false if the other side is gone. */
static bool direction_drain(struct pipe_direction *dir, int to)
{
	ssize_t n;

	if (!direction_left(dir))
		return true;
	n = send(to, dir->bytes + dir->first, direction_left(dir), MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	dir->first += n;
	return true;
}

static short direction_events(const struct pipe_direction *in, const struct pipe_direction *out)
{
	return (!direction_left(in) && !in->ended ? POLLIN : 0) |
	       (direction_left(out) ? POLLOUT : 0);
}

static bool direction_done(const struct pipe_direction *dir)
{
	return dir->ended && !direction_left(dir);
}

/* Closes both sides when one has ended and all its bytes were sent. */
static void pipe_stream(struct adb_pipe *p)
{
	direction_fill(&p->to_client, p->guest);
	direction_fill(&p->to_guest, p->client);
	if (!direction_drain(&p->to_client, p->client) ||
	    !direction_drain(&p->to_guest, p->guest) ||
	    direction_done(&p->to_client) || direction_done(&p->to_guest) ||
	    !pipe_watch(p, p->guest, direction_events(&p->to_client, &p->to_guest), guest_ready) ||
	    !pipe_watch(p, p->client, direction_events(&p->to_guest, &p->to_client), client_ready))
		pipe_free(p);
}

static void tick_start(struct vmm_pipe_adb *a)
{
	static const struct itimerspec period = {
		.it_value.tv_nsec = ADB_TICK_NS, .it_interval.tv_nsec = ADB_TICK_NS,
	};

	timerfd_settime(a->tick_fd, 0, &period, NULL);
}

static void pipe_announce(struct vmm_pipe_adb *a)
{
	if (!a->adb)
		return;
	if (!a->announced)
		vmm_note("adb finds the guest at 127.0.0.1:%u", vmm_adb_port(a->adb));
	a->announced = true;
	vmm_adb_notify(a->adb);
	tick_start(a);
}

/* Waits for a client; of the guest, only a hang-up is handled. */
static void pipe_wait(struct adb_pipe *p)
{
	struct vmm_pipe_adb *a = p->owner;

	p->state = PIPE_WAITING;
	p->turn = ++a->turns;
	if (!pipe_watch(p, p->guest, POLLRDHUP, guest_ready)) {
		pipe_free(p);
		return;
	}
	listeners_update(a);
	pipe_announce(a);
}

/*
 * Reads no byte after the word, which belongs to the stream. Returns true when the word is
 * complete; a wrong word, or the end, closes the pipe.
 */
static bool pipe_hears(struct adb_pipe *p, const char *word)
{
	size_t left = strlen(word) - p->matched;
	char said[8];
	ssize_t n = recv(p->guest, said, left, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return false;
	if (n <= 0 || memcmp(said, word + p->matched, n)) {
		pipe_free(p);
		return false;
	}
	p->matched += n;
	return (size_t)n == left;
}

static int guest_ready(void *arg)
{
	struct adb_pipe *p = arg;

	switch (p->state) {
	case PIPE_ACCEPT:
		if (pipe_hears(p, "accept"))
			pipe_wait(p);
		break;
	case PIPE_START:
		if (pipe_hears(p, "start")) {
			p->state = PIPE_STREAM;
			pipe_stream(p);
		}
		break;
	case PIPE_STREAM:
		pipe_stream(p);
		break;
	default:
		pipe_free(p);
		break;
	}
	return 0;
}

static int client_ready(void *arg)
{
	pipe_stream(arg);
	return 0;
}

static void adb_accepted(void *arg, struct vmm_vsock_listener *listener __attribute__((unused)),
			 int fd)
{
	struct vmm_pipe_adb *a = arg;
	struct adb_pipe *p = first_waiting(a);

	/* For example no descriptors are left: polling again at once would spin. */
	if (fd < 0 || !p) {
		pipe_drop_fd(a, fd);
		a->accept_failed = true;
		listeners_update(a);
		tick_start(a);
		return;
	}
	p->client = fd;
	p->state = PIPE_START;
	p->matched = 0;
	if (send(p->guest, "ok", 2, MSG_DONTWAIT | MSG_NOSIGNAL) != 2 ||
	    !pipe_watch(p, p->guest, POLLIN, guest_ready))
		pipe_free(p);
	listeners_update(a);
}

static int adb_tick(void *arg)
{
	static const struct itimerspec never;
	struct vmm_pipe_adb *a = arg;
	u64 expirations;

	if (read(a->tick_fd, &expirations, sizeof(expirations)) < 0)
		return 0;
	a->accept_failed = false;
	listeners_update(a);
	if (!a->adb || !vmm_adb_tick(a->adb))
		timerfd_settime(a->tick_fd, 0, &never, NULL);
	return 0;
}

static bool pipe_add(struct vmm_pipe_adb *a, int guest)
{
	struct adb_pipe *p;
	unsigned int i;

	for (i = 0; i < ADB_PIPES && a->pipe[i]; i++)
		;
	p = i < ADB_PIPES ? calloc(1, sizeof(*p)) : NULL;
	if (!p)
		return false;
	p->owner = a;
	p->state = PIPE_ACCEPT;
	p->guest = guest;
	p->client = -1;
	if (!pipe_watch(p, guest, POLLIN, guest_ready)) {
		free(p);
		return false;
	}
	a->pipe[i] = p;
	return true;
}

/**
 * vmm_pipe_adb_connect - serve a pipe that the guest has opened
 * @a: the host's side
 *
 * Return: the pipe's other end, a socket owned by the caller; or -errno
 */
int vmm_pipe_adb_connect(struct vmm_pipe_adb *a)
{
	int ends[2];

	if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends))
		return -errno;
	if (pipe_add(a, ends[0]))
		return ends[1];
	close(ends[0]);
	close(ends[1]);
	return -EMFILE;
}

static int adb_listen(struct vmm_pipe_adb *a, const struct vmm_config *cfg)
{
	unsigned int i;
	int err;

	for (i = 0; i < LISTENERS; i++) {
		a->listener[i] = (struct vmm_vsock_listener){
			.loop = a->loop, .accepted = adb_accepted, .arg = a, .fd = -1,
		};
	}
	if (cfg->adb == VMM_ADB_ON) {
		a->adb = vmm_adb_open(a->loop, cfg->adb_port,
				      cfg->emulator_console != VMM_EMULATOR_OFF);
		if (!a->adb)
			return -EADDRINUSE;
		err = vmm_vsock_listener_tcp(&a->listener[LISTEN_TCP], vmm_adb_fd(a->adb),
					     cfg->adb_users);
		if (err)
			return err;
	}
	return vmm_vsock_listener_unix(&a->listener[LISTEN_UNIX], cfg->adb_socket);
}

/**
 * vmm_pipe_adb_open - listen for clients of adb
 * @cfg: has the addresses
 * @loop: the main thread's loop
 *
 * Return: the host's side, or NULL
 */
struct vmm_pipe_adb *vmm_pipe_adb_open(const struct vmm_config *cfg, struct vmm_loop *loop)
{
	struct vmm_pipe_adb *a = calloc(1, sizeof(*a));

	if (!a) {
		vmm_error(ENOMEM, "adb");
		return NULL;
	}
	a->loop = loop;
	a->tick_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (a->tick_fd < 0)
		vmm_error(errno, "timerfd");
	if (a->tick_fd < 0 || adb_listen(a, cfg) ||
	    vmm_loop_add(loop, a->tick_fd, adb_tick, a)) {
		vmm_pipe_adb_close(a);
		return NULL;
	}
	return a;
}

/**
 * vmm_pipe_adb_console - return the socket for clients of the emulator's console
 * @adb: the host's side
 *
 * Return: a listening file, or -1 if there is no such port
 */
int vmm_pipe_adb_console(const struct vmm_pipe_adb *adb)
{
	return adb->adb ? vmm_adb_console_fd(adb->adb) : -1;
}

/**
 * vmm_pipe_adb_ports - return the guest's ports for adb
 * @adb: the host's side
 *
 * Return: the ports, or NULL if there are none
 */
const struct vmm_adb *vmm_pipe_adb_ports(const struct vmm_pipe_adb *adb)
{
	return adb->adb;
}

/**
 * vmm_pipe_adb_close - close all pipes, clients and listening sockets
 * @a: may be NULL
 */
void vmm_pipe_adb_close(struct vmm_pipe_adb *a)
{
	unsigned int i;

	if (!a)
		return;
	for (i = 0; i < ADB_PIPES; i++) {
		if (a->pipe[i])
			pipe_free(a->pipe[i]);
	}
	for (i = 0; i < LISTENERS; i++)
		vmm_vsock_listener_close(&a->listener[i]);
	pipe_drop_fd(a, a->tick_fd);
	vmm_adb_close(a->adb);
	free(a);
}
