// SPDX-License-Identifier: GPL-2.0-only
/*
 * adb by the goldfish pipe, as guests had it before vsock: adbd opens
 * `pipe:qemud:adb:<port>` and a client of adb is connected to it. To the host's
 * adb server it looks as adb by vsock does (vsock_streams.c): the same ports, the same
 * word to the server, the same Unix socket.
 *
 *	ACCEPT		the guest has opened the pipe and has yet to say "accept"
 *	WAITING		for a client; the longest waiting pipe gets the next one
 *	START		the guest was told "ok" and has yet to say "start"
 *	STREAM		bytes go both ways
 *
 * Clients that come before a pipe waits stay in the socket's backlog. A wrong word
 * hangs the pipe up. Bytes pass here, unlike those of vsock and of other services:
 * a pipe's socket cannot be changed once it was answered. None of it blocks, and a
 * side that does not read is not read for.
 *
 * Outlives a guest's reset: the addresses stay while pipes go and come.
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

#define ADB_PIPES	16	/* as many as the reference's older service took */
#define ADB_TICK_NS	250000000
#define ADB_BUFFER	65536

enum pipe_state { PIPE_FREE, PIPE_ACCEPT, PIPE_WAITING, PIPE_START, PIPE_STREAM };

/**
 * struct pipe_direction - bytes that go from one socket to the other
 * @first: of those in @bytes that were not sent
 * @end: of them
 * @ended: there will be no more
 * @bytes: them
 */
struct pipe_direction {
	size_t first;
	size_t end;
	bool ended;
	u8 bytes[ADB_BUFFER];
};

/**
 * struct adb_pipe - a pipe that the guest has opened
 * @owner: whose
 * @state: see above
 * @guest: our end of the pipe's socket
 * @client: of adb, in START and STREAM, else -1
 * @matched: bytes of the awaited word, in ACCEPT and START
 * @turn: in WAITING, the lower, the earlier
 * @to_guest: in STREAM
 * @to_client: in STREAM
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
 * @listener: where clients arrive
 * @tick_fd: timer, runs while an adb server has to be waited for, and if @accept_failed
 * @accept_failed: accepting failed; again at the next tick
 * @announced: the user was told where adb finds the guest
 * @turns: given so far
 * @pipe: what the guest has open
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

/* A file of which nothing is wanted would still be reported once it is hung up. */
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

/* False if the other side is gone. */
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

/* When one side has ended and all its bytes were delivered, the other is closed, too. */
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

/* From here on only the guest's hanging up is heard. */
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
 * Takes no byte behind the word, which would be the stream's. True once the word
 * is there; a wrong one, or none, ends the pipe.
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

	/* Out of files, say: asking again at once would only spin. */
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
 * Return: the pipe's other end, a socket, the caller's; or -errno
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
 * @cfg: says where
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
 * vmm_pipe_adb_console - tell where clients of the emulator's console arrive
 * @adb: the host's side
 *
 * Return: a listening file, or -1 if there is no such port
 */
int vmm_pipe_adb_console(const struct vmm_pipe_adb *adb)
{
	return adb->adb ? vmm_adb_console_fd(adb->adb) : -1;
}

/**
 * vmm_pipe_adb_ports - tell which ports adb knows the guest by
 * @adb: the host's side
 *
 * Return: the ports, or NULL if there are none
 */
const struct vmm_adb *vmm_pipe_adb_ports(const struct vmm_pipe_adb *adb)
{
	return adb->adb;
}

/**
 * vmm_pipe_adb_close - hang up on everybody
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
