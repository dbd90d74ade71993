// SPDX-License-Identifier: GPL-2.0-only
/*
 * Connects clients with the guest by vsock, until the kernel's device moves the data: accepts
 * clients of adb and of Unix sockets, requests a stream from the device for each, and passes the
 * client's socket to the device when the guest has answered. For streams that the guest opens,
 * it connects to a Unix socket.
 *
 *	READING	a Unix client has not sent the port yet
 *	WAITING	adb only: the guest does not run or has refused; will be retried
 *	CONNECTING	the stream was requested from the guest
 *
 * A client of adb waits without a limit: it may come before the guest's adbd is up, and gets no
 * answer until then. Unix clients, and those of forwarded ports (--redir), are disconnected at
 * once if there is no stream.
 *
 * This exists over a reset of the guest: the addresses stay, the device is detached and attached.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "host/vsock.h"

#define HOST_TICK_NS	250000000	/* also the unit of the adb server's timeout */
#define HOST_TIMEOUT	20		/* ticks for a request, and for an answer */
#define HOST_RETRY	2		/* ticks, as the reference has it */
#define HOST_EVENTS	64		/* handled in a row */

enum client_kind { CLIENT_ADB, CLIENT_UNIX, CLIENT_REDIR, CLIENT_KINDS };
enum client_state { CLIENT_FREE, CLIENT_READING, CLIENT_WAITING, CLIENT_CONNECTING };

/**
 * struct client - a program that waits for a stream
 * @host: the host's side that it belongs to
 * @kind: the type of socket that it came from
 * @state: see above
 * @fd: its socket
 * @ticks: ticks left in this state
 * @guest_port: requested port of the guest
 * @host_port: host's port of the stream, in CONNECTING
 * @cookie: identifies the stream, in CONNECTING; never reused
 * @request: the request, in READING
 */
struct client {
	struct vmm_vsock_host *host;
	enum client_kind kind;
	enum client_state state;
	int fd;
	unsigned int ticks;
	u32 guest_port;
	u32 host_port;
	u64 cookie;
	struct vmm_unix_request request;
};

enum host_listener {
	LISTEN_ADB, LISTEN_ADB_UNIX, LISTEN_UNIX, LISTEN_REDIR,
	LISTENERS = LISTEN_REDIR + VMM_REDIRS
};

static enum client_kind listener_kind(unsigned int listener)
{
	if (listener >= LISTEN_REDIR)
		return CLIENT_REDIR;
	return listener == LISTEN_UNIX ? CLIENT_UNIX : CLIENT_ADB;
}

/**
 * struct vmm_vsock_host - the host's side of a guest's vsock
 * @cfg: the command line
 * @loop: the main thread's loop
 * @adb: the ports that adb knows, or NULL
 * @listener: listening sockets
 * @client: waiting clients, by kind
 * @last_cookie: the last cookie of a stream
 * @tick_fd: timer of ticks
 * @ticking: the timer runs
 * @accept_failed: accepting failed; repeated at the next tick
 * @announced: the message with adb's port was written
 * @running_fd: eventfd, signalled when the guest's driver has started the device
 * @on_adb: called when the guest's adbd accepts a connection, or NULL
 * @on_adb_arg: argument of @on_adb
 * @device: the device's operations, NULL while there is none
 * @arg: argument of the operations
 * @device_fd: readable when there are events
 */
struct vmm_vsock_host {
	const struct vmm_config *cfg;
	struct vmm_loop *loop;
	struct vmm_adb *adb;
	struct vmm_vsock_listener listener[LISTENERS];
	struct client client[CLIENT_KINDS * VMM_VSOCK_CLIENTS];
	u64 last_cookie;
	int tick_fd;
	bool ticking;
	bool accept_failed;
	bool announced;
	int running_fd;
	void (*on_adb)(void *arg);
	void *on_adb_arg;
	const struct vmm_vsock_device *device;
	void *arg;
	int device_fd;
};

#define for_each_client(host, c)	\
	for ((c) = (host)->client; (c) < (host)->client + ARRAY_SIZE((host)->client); (c)++)

static struct client *client_slot(struct vmm_vsock_host *host, enum client_kind kind)
{
	struct client *c = &host->client[kind * VMM_VSOCK_CLIENTS];
	unsigned int i;

	for (i = 0; i < VMM_VSOCK_CLIENTS; i++) {
		if (c[i].state == CLIENT_FREE)
			return &c[i];
	}
	return NULL;
}

/* Listens only while there are free entries: other clients wait in the backlog. */
static void listeners_update(struct vmm_vsock_host *host)
{
	unsigned int i;

	for (i = 0; i < LISTENERS; i++)
		vmm_vsock_listen(&host->listener[i], !host->accept_failed &&
				 client_slot(host, listener_kind(i)));
}

static void tick_start(struct vmm_vsock_host *host)
{
	static const struct itimerspec period = {
		.it_value.tv_nsec = HOST_TICK_NS, .it_interval.tv_nsec = HOST_TICK_NS,
	};

	if (!host->ticking)
		host->ticking = !timerfd_settime(host->tick_fd, 0, &period, NULL);
}

static int device_attach(struct vmm_vsock_host *host, u32 guest_port, u32 host_port, int fd)
{
	struct vhost_vsock_adb_attach attach = {
		.guest_port = guest_port,
		.host_port = host_port,
		.fd = fd,
	};

	return host->device->attach(host->arg, &attach);
}

static void client_free(struct client *c)
{
	struct vmm_vsock_host *host = c->host;

	vmm_loop_del(host->loop, c->fd);
	close(c->fd);
	memset(c, 0, sizeof(*c));
	c->host = host;
	listeners_update(host);
}

/* Removes a client; cancels its stream, which the guest may not have answered yet. */
static void client_drop(struct client *c)
{
	if (c->state == CLIENT_CONNECTING && c->host->device)
		device_attach(c->host, c->guest_port, c->host_port, -1);
	client_free(c);
}

static void client_wait(struct client *c)
{
	if (c->kind != CLIENT_ADB) {
		client_free(c);
		return;
	}
	c->state = CLIENT_WAITING;
	c->ticks = HOST_RETRY;
	tick_start(c->host);
}

static void client_connect(struct client *c)
{
	struct vhost_vsock_adb_connect connect = { .guest_port = c->guest_port, .fd = -1 };
	struct vmm_vsock_host *host = c->host;

	connect.cookie = ++host->last_cookie;
	if (!host->device || host->device->connect(host->arg, &connect)) {
		client_wait(c);
		return;
	}
	c->state = CLIENT_CONNECTING;
	c->ticks = HOST_TIMEOUT;
	c->host_port = connect.host_port;
	c->cookie = connect.cookie;
	tick_start(host);
}

/*
 * What a client of adb sends is for the guest, so only a hang-up is handled. A Unix client may
 * send everything, shut down, and then wait for the answer.
 */
static short client_events(const struct client *c)
{
	if (c->state == CLIENT_READING)
		return POLLIN;
	return c->kind == CLIENT_ADB ? POLLRDHUP : 0;
}

static int client_ready(void *arg);

static bool client_watch(struct client *c)
{
	vmm_loop_del(c->host->loop, c->fd);
	return !vmm_loop_watch(c->host->loop, c->fd, client_events(c), client_ready, c);
}

static void client_read(struct client *c)
{
	switch (vmm_unix_read(&c->request, c->fd)) {
	case VMM_UNIX_LINE_PART:
		return;
	case VMM_UNIX_LINE_WHOLE:
		c->guest_port = c->request.port;
		c->state = CLIENT_WAITING;
		if (client_watch(c)) {
			client_connect(c);
			return;
		}
		break;
	case VMM_UNIX_LINE_WRONG:
		break;
	}
	client_free(c);
}

/* After READING, the only event is a hang-up. */
static int client_ready(void *arg)
{
	struct client *c = arg;

	if (c->state == CLIENT_READING)
		client_read(c);
	else
		client_drop(c);
	return 0;
}

static void client_new(struct vmm_vsock_host *host, enum client_kind kind, u32 guest_port,
		       int fd)
{
	struct client *c = client_slot(host, kind);

	c->kind = kind;
	c->fd = fd;
	c->state = kind == CLIENT_UNIX ? CLIENT_READING : CLIENT_WAITING;
	c->guest_port = guest_port;
	c->ticks = HOST_TIMEOUT;
	tick_start(host);
	if (!client_watch(c))
		client_free(c);
	else if (c->state == CLIENT_WAITING)
		client_connect(c);
}

/* For example no descriptors are left: polling again at once would spin. */
static void host_accepted(void *arg, struct vmm_vsock_listener *listener, int fd)
{
	struct vmm_vsock_host *host = arg;
	unsigned int i = listener - host->listener;
	u32 port = i < LISTEN_REDIR ? VMM_ADB_GUEST_PORT :
				      host->cfg->redir[i - LISTEN_REDIR].guest_port;

	if (fd >= 0) {
		client_new(host, listener_kind(i), port, fd);
	} else {
		host->accept_failed = true;
		tick_start(host);
	}
	listeners_update(host);
}

/* Sends the answer, before any data of the guest. */
static bool client_answer(const struct client *c)
{
	char text[24];
	ssize_t len;

	if (c->kind != CLIENT_UNIX)
		return true;
	len = snprintf(text, sizeof(text), "OK %u\n", c->host_port);
	return send(c->fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL) == len;
}

static struct client *client_by_cookie(struct vmm_vsock_host *host, u64 cookie)
{
	struct client *c;

	for_each_client(host, c) {
		if (c->state == CLIENT_CONNECTING && c->cookie == cookie)
			return c;
	}
	return NULL;
}

/* The stream of a client that has gone was reset already. */
static void event_established(struct vmm_vsock_host *host,
			      const struct vhost_vsock_adb_event *event)
{
	struct client *c = client_by_cookie(host, event->cookie);

	if (!c)
		return;
	if (c->kind == CLIENT_ADB && host->on_adb)
		host->on_adb(host->on_adb_arg);
	if (!client_answer(c) || device_attach(host, event->guest_port, event->host_port, c->fd))
		client_drop(c);
	else
		client_free(c);
}

static void event_closed(struct vmm_vsock_host *host, const struct vhost_vsock_adb_event *event)
{
	struct client *c = client_by_cookie(host, event->cookie);

	if (c)
		client_wait(c);
}

static void event_request(struct vmm_vsock_host *host, const struct vhost_vsock_adb_event *event)
{
	int fd = -1;

	if (host->cfg->vsock_uds)
		fd = vmm_unix_connect(host->cfg->vsock_uds, event->host_port);
	if (fd < 0) {
		device_attach(host, event->guest_port, event->host_port, -1);
		return;
	}
	if (device_attach(host, event->guest_port, event->host_port, fd))
		device_attach(host, event->guest_port, event->host_port, -1);
	close(fd);
}

static void host_event(struct vmm_vsock_host *host, const struct vhost_vsock_adb_event *event)
{
	switch (event->type) {
	case VHOST_VSOCK_ADB_REQUEST:
		event_request(host, event);
		break;
	case VHOST_VSOCK_ADB_ESTABLISHED:
		event_established(host, event);
		break;
	case VHOST_VSOCK_ADB_CLOSED:
		event_closed(host, event);
		break;
	}
}

static int host_readable(void *arg)
{
	struct vhost_vsock_adb_event event;
	struct vmm_vsock_host *host = arg;
	unsigned int i;
	int ret;

	for (i = 0; i < HOST_EVENTS; i++) {
		ret = host->device->event(host->arg, &event);
		if (ret < 0) {
			vmm_error(-ret, "cannot read events of the vsock device");
			vmm_loop_del(host->loop, host->device_fd);
		}
		if (ret <= 0)
			break;
		host_event(host, &event);
	}
	return 0;
}

static void client_tick(struct client *c)
{
	if (c->ticks && --c->ticks)
		return;
	switch (c->state) {
	case CLIENT_FREE:
		break;
	case CLIENT_WAITING:
		client_connect(c);
		break;
	case CLIENT_CONNECTING:
		if (c->kind == CLIENT_ADB) {
			device_attach(c->host, c->guest_port, c->host_port, -1);
			client_wait(c);
			break;
		}
		client_drop(c);
		break;
	case CLIENT_READING:
		client_free(c);
		break;
	}
}

static bool host_must_tick(struct vmm_vsock_host *host)
{
	bool must = host->adb && vmm_adb_tick(host->adb);

	return must || vmm_vsock_host_waiting(host);
}

static int host_tick(void *arg)
{
	static const struct itimerspec never;
	struct vmm_vsock_host *host = arg;
	struct client *c;
	u64 expirations;

	if (read(host->tick_fd, &expirations, sizeof(expirations)) < 0)
		return 0;
	for_each_client(host, c)
		client_tick(c);
	host->accept_failed = false;
	listeners_update(host);
	if (!host_must_tick(host)) {
		timerfd_settime(host->tick_fd, 0, &never, NULL);
		host->ticking = false;
	}
	return 0;
}

static void host_notify(struct vmm_vsock_host *host)
{
	if (!host->adb)
		return;
	if (!host->announced)
		vmm_note("adb finds the guest at 127.0.0.1:%u", vmm_adb_port(host->adb));
	host->announced = true;
	vmm_adb_notify(host->adb);
	tick_start(host);
}

/*
 * Waiting clients are connected at the next tick, not here. The guest's adbd needs time to start,
 * and a driver that was reset is first told that all streams are gone: that message might close a
 * new stream.
 */
static int host_running(void *arg)
{
	struct vmm_vsock_host *host = arg;

	vmm_event_clear(host->running_fd);
	host_notify(host);
	return 0;
}

/**
 * vmm_vsock_host_running - call when the guest's driver has started the device
 * @host: the host's side
 *
 * Context: any thread.
 */
void vmm_vsock_host_running(struct vmm_vsock_host *host)
{
	vmm_event_signal(host->running_fd);
}

/**
 * vmm_vsock_host_console - return the socket for clients of the emulator's console
 * @host: the host's ends
 *
 * Return: a listening file, or -1 if there is no such port
 */
int vmm_vsock_host_console(const struct vmm_vsock_host *host)
{
	return host->adb ? vmm_adb_console_fd(host->adb) : -1;
}

/**
 * vmm_vsock_host_ports - return the guest's ports for adb
 * @host: the host's side
 *
 * Return: the ports, or NULL if there are none
 */
const struct vmm_adb *vmm_vsock_host_ports(const struct vmm_vsock_host *host)
{
	return host->adb;
}

/**
 * vmm_vsock_host_on_adb - set a callback for connections that the guest's adbd accepts
 * @host: the host's side
 * @fn: called in the main thread
 * @arg: argument of @fn
 */
void vmm_vsock_host_on_adb(struct vmm_vsock_host *host, void (*fn)(void *arg), void *arg)
{
	host->on_adb = fn;
	host->on_adb_arg = arg;
}

/**
 * vmm_vsock_host_waiting - count the clients that wait for a stream
 * @host: the host's side
 *
 * Return: clients
 */
unsigned int vmm_vsock_host_waiting(const struct vmm_vsock_host *host)
{
	const struct client *c;
	unsigned int count = 0;

	for_each_client(host, c)
		count += c->state != CLIENT_FREE;
	return count;
}

/**
 * vmm_vsock_host_attach - connect the kernel's device
 * @host: the host's side
 * @device: its operations
 * @arg: their argument
 * @fd: readable when there are events
 *
 * Return: 0, or -errno
 */
int vmm_vsock_host_attach(struct vmm_vsock_host *host, const struct vmm_vsock_device *device,
			  void *arg, int fd)
{
	int err = vmm_loop_add(host->loop, fd, host_readable, host);

	if (err)
		return err;
	host->device = device;
	host->arg = arg;
	host->device_fd = fd;
	host_notify(host);
	return 0;
}

/**
 * vmm_vsock_host_detach - disconnect the device, and with it all its streams
 * @host: the host's side; nothing happens if no device is attached
 */
void vmm_vsock_host_detach(struct vmm_vsock_host *host)
{
	struct client *c;

	if (!host->device)
		return;
	vmm_loop_del(host->loop, host->device_fd);
	host->device = NULL;
	for_each_client(host, c) {
		if (c->state == CLIENT_CONNECTING)
			client_wait(c);
	}
}

static int host_listen_redirs(struct vmm_vsock_host *host)
{
	const struct vmm_config *cfg = host->cfg;
	unsigned int i;
	int err = 0;
	int fd;

	for (i = 0; i < cfg->redirs && !err; i++) {
		fd = vmm_adb_listen(cfg->redir[i].host_port, "redir");
		if (fd < 0)
			return fd;
		err = vmm_vsock_listener_tcp(&host->listener[LISTEN_REDIR + i], fd,
					     cfg->adb_users);
		if (err && host->listener[LISTEN_REDIR + i].fd < 0)
			close(fd);
	}
	return err;
}

static int host_listen(struct vmm_vsock_host *host)
{
	const struct vmm_config *cfg = host->cfg;
	bool adb = cfg->adb_transport == VMM_ADB_BY_VSOCK;
	int err = 0;

	if (adb && cfg->adb != VMM_ADB_OFF) {
		host->adb = vmm_adb_open(host->loop, cfg->adb_port,
					 cfg->emulator_console != VMM_EMULATOR_OFF);
		if (!host->adb)
			return -EADDRINUSE;
		err = vmm_vsock_listener_tcp(&host->listener[LISTEN_ADB],
					     vmm_adb_fd(host->adb), cfg->adb_users);
	}
	if (!err)
		err = vmm_vsock_listener_unix(&host->listener[LISTEN_ADB_UNIX],
					      adb ? cfg->adb_socket : NULL);
	if (!err)
		err = vmm_vsock_listener_unix(&host->listener[LISTEN_UNIX], cfg->vsock_uds);
	return err ? err : host_listen_redirs(host);
}

static int host_timer(struct vmm_vsock_host *host)
{
	int err;

	host->running_fd = vmm_event_create();
	if (host->running_fd < 0)
		return host->running_fd;
	host->tick_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (host->tick_fd < 0)
		return vmm_error(errno, "timerfd");
	err = vmm_loop_add(host->loop, host->running_fd, host_running, host);
	return err ? err : vmm_loop_add(host->loop, host->tick_fd, host_tick, host);
}

/**
 * vmm_vsock_host_redirs - return whether a port is forwarded
 * @host: the host's side
 * @index: index of the --redir option, less than cfg->redirs
 *
 * Return: whether it is still forwarded
 */
bool vmm_vsock_host_redirs(const struct vmm_vsock_host *host, unsigned int index)
{
	return host->listener[LISTEN_REDIR + index].fd >= 0;
}

/**
 * vmm_vsock_host_redir_close - stop forwarding a port
 * @host: the host's side
 * @index: index of the --redir option, less than cfg->redirs
 *
 * Connections stay open, also those that wait for the guest's answer.
 */
void vmm_vsock_host_redir_close(struct vmm_vsock_host *host, unsigned int index)
{
	struct vmm_vsock_listener *listener = &host->listener[LISTEN_REDIR + index];
	int fd = listener->fd;

	vmm_vsock_listener_close(listener);
	if (fd >= 0)
		close(fd);
}

static struct vmm_vsock_host *host_alloc(const struct vmm_config *cfg, struct vmm_loop *loop)
{
	struct vmm_vsock_host *host = calloc(1, sizeof(*host));
	struct client *c;
	unsigned int i;

	if (!host)
		return NULL;
	host->cfg = cfg;
	host->loop = loop;
	host->tick_fd = -1;
	host->running_fd = -1;
	for_each_client(host, c)
		c->host = host;
	for (i = 0; i < LISTENERS; i++) {
		host->listener[i] = (struct vmm_vsock_listener){
			.loop = loop, .accepted = host_accepted, .arg = host, .fd = -1,
		};
	}
	return host;
}

/**
 * vmm_vsock_host_open - listen for clients
 * @cfg: has the addresses
 * @loop: the main thread's loop
 *
 * Return: the host's side, or NULL
 */
struct vmm_vsock_host *vmm_vsock_host_open(const struct vmm_config *cfg, struct vmm_loop *loop)
{
	struct vmm_vsock_host *host = host_alloc(cfg, loop);

	if (!host) {
		vmm_error(ENOMEM, "vsock");
		return NULL;
	}
	if (host_timer(host) || host_listen(host)) {
		vmm_vsock_host_close(host);
		return NULL;
	}
	listeners_update(host);
	return host;
}

static void host_fd_close(struct vmm_vsock_host *host, int fd)
{
	if (fd < 0)
		return;
	vmm_loop_del(host->loop, fd);
	close(fd);
}

/**
 * vmm_vsock_host_close - close all clients and listening sockets
 * @host: without a device; may be NULL
 */
void vmm_vsock_host_close(struct vmm_vsock_host *host)
{
	struct client *c;
	unsigned int i;

	if (!host)
		return;
	for (i = 0; i < LISTEN_REDIR; i++)
		vmm_vsock_listener_close(&host->listener[i]);
	for (i = 0; i < VMM_REDIRS; i++)
		vmm_vsock_host_redir_close(host, i);
	for_each_client(host, c) {
		if (c->state != CLIENT_FREE)
			client_free(c);
	}
	vmm_adb_close(host->adb);
	host_fd_close(host, host->tick_fd);
	host_fd_close(host, host->running_fd);
	free(host);
}
