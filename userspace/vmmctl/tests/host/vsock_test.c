// SPDX-License-Identifier: GPL-2.0-only
/*
 * The host's ends of vsock streams, with a fake device: adb's ports and the message to its server,
 * valid and hostile requests at Unix sockets, and clients when the guest answers, refuses, or is
 * not there.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "host/unix.h"
#include "host/vsock.h"
#include "tests/tap.h"

#define CALLS	256

/* The fake device: its requests, and its events. */
static struct {
	int err;
	unsigned int connects;
	struct vhost_vsock_adb_connect connect[CALLS];
	unsigned int attaches;
	struct vhost_vsock_adb_attach attach[CALLS];
	int sock[CALLS];
	unsigned int events;
	unsigned int taken;
	struct vhost_vsock_adb_event event[CALLS];
	int fd;
} fake;

static int fake_connect(void *arg, struct vhost_vsock_adb_connect *connect)
{
	(void)arg;
	if (fake.err)
		return fake.err;
	connect->host_port = 50000 + fake.connects;
	if (fake.connects < CALLS)
		fake.connect[fake.connects++] = *connect;
	return 0;
}

static int fake_attach(void *arg, const struct vhost_vsock_adb_attach *attach)
{
	(void)arg;
	if (fake.attaches < CALLS) {
		/* The device keeps the socket; the caller closes its own file. */
		fake.sock[fake.attaches] = attach->fd < 0 ? -1 : dup(attach->fd);
		fake.attach[fake.attaches++] = *attach;
	}
	return 0;
}

static int fake_event(void *arg, struct vhost_vsock_adb_event *event)
{
	(void)arg;
	if (fake.taken == fake.events) {
		vmm_event_clear(fake.fd);
		return 0;
	}
	*event = fake.event[fake.taken++];
	return 1;
}

static const struct vmm_vsock_device fake_device = {
	.connect = fake_connect,
	.attach = fake_attach,
	.event = fake_event,
};

static void say(u32 type, u32 guest_port, u32 host_port, u64 cookie)
{
	fake.event[fake.events++] = (struct vhost_vsock_adb_event){
		.type = type, .guest_port = guest_port, .host_port = host_port, .cookie = cookie,
	};
	vmm_event_signal(fake.fd);
}

/* The guest answers connection @i. */
static void answer(unsigned int i, u32 type)
{
	say(type, fake.connect[i].guest_port, fake.connect[i].host_port, fake.connect[i].cookie);
}

/* The host's sockets, in a directory of the test. */
static struct {
	char dir[32];
	char uds[64];
	char adb[64];
	struct vmm_config cfg;
	struct vmm_loop *loop;
	struct vmm_vsock_host *host;
} rig;

static bool rig_open(void)
{
	memset(&fake, 0, sizeof(fake));
	memset(&rig, 0, sizeof(rig));
	snprintf(rig.dir, sizeof(rig.dir), "/tmp/vmmctl-vsock-XXXXXX");
	if (!tap_check(mkdtemp(rig.dir)))
		return false;
	snprintf(rig.uds, sizeof(rig.uds), "%s/u", rig.dir);
	snprintf(rig.adb, sizeof(rig.adb), "%s/a", rig.dir);
	rig.cfg.vsock = VMM_VSOCK_ADB;
	rig.cfg.adb = VMM_ADB_OFF;
	rig.cfg.vsock_uds = rig.uds;
	rig.cfg.adb_socket = rig.adb;
	fake.fd = eventfd(0, EFD_NONBLOCK);
	rig.loop = vmm_loop_create();
	rig.host = vmm_vsock_host_open(&rig.cfg, rig.loop);
	return tap_check(rig.host);
}

/* Returns a free port of the host. */
static unsigned int free_port(void)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(at);
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	tap_check(!bind(fd, (struct sockaddr *)&at, len));
	getsockname(fd, (struct sockaddr *)&at, &len);
	close(fd);
	return ntohs(at.sin_port);
}

static int dial_port(unsigned int port)
{
	struct sockaddr_in at = {
		.sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

	if (!connect(fd, (struct sockaddr *)&at, sizeof(at)))
		return fd;
	close(fd);
	return -1;
}

static bool rig_attach(void)
{
	return tap_equal(vmm_vsock_host_attach(rig.host, &fake_device, NULL, fake.fd), 0);
}

static void rig_close(void)
{
	unsigned int i;

	vmm_vsock_host_detach(rig.host);
	vmm_vsock_host_close(rig.host);
	vmm_loop_destroy(rig.loop);
	close(fake.fd);
	for (i = 0; i < fake.attaches; i++) {
		if (fake.sock[i] >= 0)
			close(fake.sock[i]);
	}
	/* Empty: the sockets were removed. */
	tap_equal(rmdir(rig.dir), 0);
}

static int loop_stop(void *arg)
{
	(void)arg;
	return 1;
}

/* Runs the loop for @ms milliseconds, and then until nothing is ready. */
static void run_for(unsigned int ms)
{
	struct itimerspec when = { .it_value.tv_nsec = ms * 1000000L + 1 };
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);

	timerfd_settime(fd, 0, &when, NULL);
	vmm_loop_add(rig.loop, fd, loop_stop, NULL);
	vmm_loop_run(rig.loop);
	vmm_loop_del(rig.loop, fd);
	close(fd);
}

static void settle(void)
{
	run_for(20);
}

static int dial(const char *path)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", path);
	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		close(fd);
		return -errno;
	}
	return fd;
}

static int dial_and_say(const char *text)
{
	int fd = dial(rig.uds);

	if (tap_check(fd >= 0))
		tap_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	return fd;
}

/* Returns the received text; "" for none, NULL after a hang-up. */
static const char *heard(int fd)
{
	static char text[64];
	ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	if (!n || (n < 0 && errno != EAGAIN))
		return NULL;
	text[n < 0 ? 0 : n] = '\0';
	return text;
}

static bool hung_up(int fd)
{
	return !heard(fd);
}

static bool heard_this(int fd, const char *want)
{
	const char *have = heard(fd);

	return have && !strcmp(have, want);
}

/* Checks that bytes pass between the device's socket and the client. */
static bool passes(int device, int client)
{
	return send(device, "x", 1, MSG_NOSIGNAL) == 1 && heard_this(client, "x");
}

static const struct {
	const char *line;
	int err;
	u32 port;
} lines[] = {
	{ "CONNECT 0", 0, 0 },
	{ "CONNECT 5555", 0, 5555 },
	{ "CONNECT 0005555", 0, 5555 },
	{ "CONNECT 4294967294", 0, 0xfffffffe },
	{ "CONNECT 4294967295", -EINVAL, 0 },
	{ "CONNECT 4294967296", -EINVAL, 0 },
	{ "CONNECT 18446744073709551617", -EINVAL, 0 },
	{ "CONNECT 99999999999999999999999", -EINVAL, 0 },
	{ "CONNECT ", -EINVAL, 0 },
	{ "CONNECT", -EINVAL, 0 },
	{ "", -EINVAL, 0 },
	{ "CONNECT -1", -EINVAL, 0 },
	{ "CONNECT +1", -EINVAL, 0 },
	{ "CONNECT  1", -EINVAL, 0 },
	{ "CONNECT 1 ", -EINVAL, 0 },
	{ "CONNECT 1\r", -EINVAL, 0 },
	{ "CONNECT 0x10", -EINVAL, 0 },
	{ "CONNECT 1.5", -EINVAL, 0 },
	{ "CONNECT\t1", -EINVAL, 0 },
	{ "connect 1", -EINVAL, 0 },
	{ " CONNECT 1", -EINVAL, 0 },
	{ "ATTACH 1", -EINVAL, 0 },
};

static void requests_are_parsed(void)
{
	unsigned int i;
	u32 port;

	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		tap_context("\"%s\"", lines[i].line);
		port = 0;
		tap_check(vmm_unix_parse(lines[i].line, strlen(lines[i].line), &port) ==
			  lines[i].err);
		tap_equal(port, lines[i].port);
	}
	tap_context("a NUL inside");
	tap_check(vmm_unix_parse("CONNECT 1\0002", 11, &port) == -EINVAL);
	tap_context("no NUL behind");
	tap_equal(vmm_unix_parse("CONNECT 12", 9, &port), 0);
	tap_equal(port, 1);
}

static void unix_client_is_connected(void)
{
	int client;

	if (!rig_open() || !rig_attach())
		return;
	client = dial_and_say("CONNECT 1024\nearly data");
	settle();
	if (tap_equal(fake.connects, 1)) {
		tap_equal(fake.connect[0].guest_port, 1024);
		tap_equal(fake.connect[0].host_port, 50000);
		tap_check(fake.connect[0].fd == -1);
		tap_check(heard_this(client, ""));
		answer(0, VHOST_VSOCK_ADB_ESTABLISHED);
		settle();
		tap_check(heard_this(client, "OK 50000\n"));
	}
	if (tap_equal(fake.attaches, 1)) {
		tap_equal(fake.attach[0].guest_port, 1024);
		tap_equal(fake.attach[0].host_port, 50000);
		/* All bytes of the stream are there. */
		tap_check(heard_this(fake.sock[0], "early data"));
		tap_check(passes(fake.sock[0], client));
	}
	tap_equal(vmm_vsock_host_waiting(rig.host), 0);
	close(client);
	rig_close();
}

static void request_in_pieces(void)
{
	static const char text[] = "CONNECT 77\n";
	unsigned int i;
	int client;

	if (!rig_open() || !rig_attach())
		return;
	client = dial(rig.uds);
	for (i = 0; i < strlen(text); i++) {
		settle();
		tap_equal(fake.connects, 0);
		send(client, &text[i], 1, MSG_NOSIGNAL);
	}
	settle();
	tap_equal(fake.connects, 1);
	tap_equal(fake.connect[0].guest_port, 77);
	close(client);
	settle();
	/* The client did not wait for the answer, so the stream is closed. */
	tap_equal(fake.attaches, 1);
	tap_check(fake.attach[0].fd == -1);
	tap_equal(vmm_vsock_host_waiting(rig.host), 0);
	/* The answer was sent before. */
	answer(0, VHOST_VSOCK_ADB_ESTABLISHED);
	settle();
	tap_equal(fake.attaches, 1);
	rig_close();
}

static void wrong_requests_are_hung_up_on(void)
{
	static const char *const wrong[] = {
		"GET / HTTP/1.1\r\n\r\n", "CONNECT 5555\r\n", "\n", "CONNECT\n",
		"CONNECT 1CONNECT 1CONNECT 1CONNECT 1CONNECT 1", "CONNECT 4294967295\n",
		"CONNECT 00000000000000000000000000000000000001\n",
	};
	unsigned int i;
	int client;

	if (!rig_open() || !rig_attach())
		return;
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		tap_context("\"%s\"", wrong[i]);
		client = dial_and_say(wrong[i]);
		settle();
		tap_check(hung_up(client));
		tap_equal(fake.connects, 0);
		tap_equal(vmm_vsock_host_waiting(rig.host), 0);
		close(client);
	}
	/* Clients that hang up without a request, and in the middle of one. */
	close(dial(rig.uds));
	close(dial_and_say("CONNEC"));
	settle();
	tap_equal(vmm_vsock_host_waiting(rig.host), 0);
	rig_close();
}

static void refused_unix_client_is_told(void)
{
	int client;

	if (!rig_open() || !rig_attach())
		return;
	client = dial_and_say("CONNECT 1\n");
	settle();
	answer(0, VHOST_VSOCK_ADB_CLOSED);
	settle();
	tap_check(hung_up(client));
	close(client);
	/* If the guest does not run, the client is refused at once. */
	fake.err = -ENOTCONN;
	client = dial_and_say("CONNECT 1\n");
	settle();
	tap_check(hung_up(client));
	close(client);
	tap_equal(vmm_vsock_host_waiting(rig.host), 0);
	rig_close();
}

static void silent_clients_are_few(void)
{
	int client[VMM_VSOCK_CLIENTS + 4];
	unsigned int i;
	int adb;

	if (!rig_open() || !rig_attach())
		return;
	for (i = 0; i < ARRAY_SIZE(client); i++)
		client[i] = dial(rig.uds);
	for (i = 0; i < 50 && vmm_vsock_host_waiting(rig.host) < VMM_VSOCK_CLIENTS; i++)
		settle();
	settle();
	tap_equal(vmm_vsock_host_waiting(rig.host), VMM_VSOCK_CLIENTS);
	/* They do not use places of adb's clients. */
	adb = dial(rig.adb);
	settle();
	tap_equal(fake.connects, 1);
	/* Clients that leave make room. */
	for (i = 0; i < VMM_VSOCK_CLIENTS; i++)
		close(client[i]);
	settle();
	tap_equal(vmm_vsock_host_waiting(rig.host), 4 + 1);
	/* The others are disconnected after the time limit. */
	run_for(900);
	tap_equal(vmm_vsock_host_waiting(rig.host), 4 + 1);
	for (i = 0; i < 6; i++)
		run_for(900);
	tap_check(hung_up(client[VMM_VSOCK_CLIENTS]));
	for (i = VMM_VSOCK_CLIENTS; i < ARRAY_SIZE(client); i++)
		close(client[i]);
	close(adb);
	rig_close();
}

static void adb_waits_for_the_guest(void)
{
	unsigned int tries;
	int client;

	if (!rig_open())
		return;
	/* Clients before the device exists, before it runs, and before adbd runs. */
	client = dial(rig.adb);
	settle();
	tap_equal(vmm_vsock_host_waiting(rig.host), 1);
	fake.err = -ENOTCONN;
	rig_attach();
	run_for(600);
	tap_equal(fake.connects, 0);
	fake.err = 0;
	vmm_vsock_host_running(rig.host);
	run_for(700);
	if (!tap_equal(fake.connects, 1))
		return;
	tap_equal(fake.connect[0].guest_port, 5555);
	answer(0, VHOST_VSOCK_ADB_CLOSED);
	settle();
	tap_check(heard_this(client, ""));
	run_for(700);
	tries = fake.connects;
	tap_equal(tries, 2);
	answer(1, VHOST_VSOCK_ADB_ESTABLISHED);
	settle();
	tap_equal(fake.attaches, 1);
	tap_check(passes(fake.sock[0], client));
	tap_equal(vmm_vsock_host_waiting(rig.host), 0);
	close(client);
	rig_close();
}

static void adb_waits_through_a_reset(void)
{
	int client;

	if (!rig_open() || !rig_attach())
		return;
	client = dial(rig.adb);
	settle();
	tap_equal(fake.connects, 1);
	vmm_vsock_host_detach(rig.host);
	tap_equal(vmm_vsock_host_waiting(rig.host), 1);
	rig_attach();
	vmm_vsock_host_running(rig.host);
	run_for(700);
	tap_equal(fake.connects, 2);
	tap_check(fake.connect[0].cookie != fake.connect[1].cookie);
	/* An answer to the first connection is ignored. */
	answer(0, VHOST_VSOCK_ADB_ESTABLISHED);
	settle();
	tap_equal(fake.attaches, 0);
	answer(1, VHOST_VSOCK_ADB_ESTABLISHED);
	settle();
	tap_equal(fake.attaches, 1);
	close(client);
	rig_close();
}

static void adb_that_leaves_is_forgotten(void)
{
	int client;

	if (!rig_open() || !rig_attach())
		return;
	fake.err = -ENOTCONN;
	client = dial(rig.adb);
	settle();
	tap_equal(vmm_vsock_host_waiting(rig.host), 1);
	close(client);
	settle();
	tap_equal(vmm_vsock_host_waiting(rig.host), 0);
	rig_close();
}

static int listen_at(u32 port)
{
	char path[96];

	snprintf(path, sizeof(path), "%s_%u", rig.uds, port);
	return vmm_unix_listen(path);
}

static void unlink_at(u32 port)
{
	char path[96];

	snprintf(path, sizeof(path), "%s_%u", rig.uds, port);
	unlink(path);
}

static void guest_finds_who_listens(void)
{
	int server;
	int peer;

	if (!rig_open() || !rig_attach())
		return;
	server = listen_at(4294967295U);
	say(VHOST_VSOCK_ADB_REQUEST, 1024, 4294967295U, 0);
	say(VHOST_VSOCK_ADB_REQUEST, 1025, 7, 0);
	settle();
	if (tap_equal(fake.attaches, 2)) {
		tap_equal(fake.attach[0].guest_port, 1024);
		tap_equal(fake.attach[0].host_port, 4294967295U);
		peer = accept(server, NULL, NULL);
		tap_check(passes(fake.sock[0], peer));
		close(peer);
		/* There is no listener. */
		tap_equal(fake.attach[1].guest_port, 1025);
		tap_check(fake.attach[1].fd == -1);
	}
	close(server);
	/* A stale socket is no listener either. */
	say(VHOST_VSOCK_ADB_REQUEST, 1026, 4294967295U, 0);
	/* Unknown events are ignored. */
	say(99, 1, 2, 3);
	settle();
	tap_equal(fake.attaches, 3);
	tap_check(fake.attach[2].fd == -1);
	unlink_at(4294967295U);
	rig_close();
}

static void busy_listener_blocks_nobody(void)
{
	unsigned int i;
	int server;

	if (!rig_open() || !rig_attach())
		return;
	server = listen_at(9);
	listen(server, 1);
	for (i = 0; i < 8; i++)
		say(VHOST_VSOCK_ADB_REQUEST, 1024 + i, 9, 0);
	settle();
	tap_equal(fake.attaches, 8);
	tap_check(fake.attach[0].fd >= 0);
	tap_check(fake.attach[7].fd == -1);
	close(server);
	unlink_at(9);
	rig_close();
}

static void paths_are_taken_with_care(void)
{
	char path[] = "/tmp/vmmctl-vsock-XXXXXX";
	int other = mkstemp(path);
	int fd;

	/* A file that is no socket stays. */
	tap_check(vmm_unix_listen(path) < 0);
	tap_check(!access(path, F_OK));
	unlink(path);
	close(other);
	/* A socket that is in use stays, a stale one is removed. */
	other = vmm_unix_listen(path);
	tap_check(other >= 0);
	tap_check(vmm_unix_listen(path) == -EADDRINUSE);
	close(other);
	fd = vmm_unix_listen(path);
	tap_check(fd >= 0);
	close(fd);
	unlink(path);
	tap_check(vmm_unix_listen("/nowhere/at/all") < 0);
	tap_check(vmm_unix_listen("") < 0);
}

static void notice_is_as_adb_wants_it(void)
{
	char text[VMM_ADB_NOTICE];

	tap_equal(vmm_adb_notice(text, 5555), 22);
	tap_check(!strcmp(text, "0012host:emulator:5555"));
	tap_equal(vmm_adb_notice(text, 65535), 23);
	tap_check(!strcmp(text, "0013host:emulator:65535"));
}

static void server_port_is_found(void)
{
	static const struct {
		const char *value;
		unsigned int port;
	} ports[] = {
		{ NULL, 5037 }, { "5038", 5038 }, { "1", 1 }, { "65535", 65535 }, { "65536", 0 },
		{ "0", 0 }, { "", 0 }, { "-1", 0 }, { " 1", 0 }, { "1 ", 0 }, { "x", 0 },
		{ "99999999999999999999", 0 },
	};
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(ports); i++) {
		tap_context("\"%s\"", ports[i].value ? ports[i].value : "nothing");
		tap_equal(vmm_adb_server_port(ports[i].value), ports[i].port);
	}
}

static int tcp_dial(unsigned int port)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_port = htons(port),
		.sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd = socket(AF_INET, SOCK_STREAM, 0);

	if (connect(fd, (struct sockaddr *)&addr, sizeof(addr))) {
		close(fd);
		return -errno;
	}
	return fd;
}

static void adb_ports_come_in_pairs(void)
{
	struct vmm_loop *loop = vmm_loop_create();
	struct vmm_adb *one = vmm_adb_open(loop, 0, false);
	struct vmm_adb *two = vmm_adb_open(loop, 0, false);
	int fd;

	if (tap_check(one) && tap_check(two)) {
		tap_check(vmm_adb_port(one) % 2 == 1 && vmm_adb_port(one) >= 5555);
		tap_check(vmm_adb_port(two) >= vmm_adb_port(one) + 2);
		fd = tcp_dial(vmm_adb_port(one));
		tap_check(fd >= 0);
		close(fd);
		tap_check(tcp_dial(vmm_adb_port(one) - 1) < 0);
	}
	vmm_adb_close(one);
	vmm_adb_close(two);
	vmm_adb_close(NULL);
	vmm_loop_destroy(loop);
}

/* More pairs than the 16 that an adb server scans, and a given one. */
static void adb_has_many_pairs(void)
{
	struct vmm_loop *loop = vmm_loop_create();
	struct vmm_adb *place[20];
	struct vmm_adb *one;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(place); i++) {
		place[i] = vmm_adb_open(loop, 0, false);
		tap_check(place[i]);
	}
	tap_check(!place[19] || vmm_adb_port(place[19]) > 5585);
	/* A pair that is in use is skipped. */
	tap_check(!vmm_adb_open(loop, vmm_adb_port(place[0]), false));
	for (i = 0; i < ARRAY_SIZE(place); i++)
		vmm_adb_close(place[i]);
	one = vmm_adb_open(loop, 5679, false);
	tap_check(one && vmm_adb_port(one) == 5679);
	vmm_adb_close(one);
	vmm_loop_destroy(loop);
}

/* Starts a server that receives the message, at an address that the system chooses. */
static int adb_server(void)
{
	struct sockaddr_in addr = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	socklen_t len = sizeof(addr);
	int fd = socket(AF_INET, SOCK_STREAM, 0);
	char port[8];

	bind(fd, (struct sockaddr *)&addr, sizeof(addr));
	listen(fd, 4);
	getsockname(fd, (struct sockaddr *)&addr, &len);
	snprintf(port, sizeof(port), "%u", ntohs(addr.sin_port));
	setenv("ANDROID_ADB_SERVER_PORT", port, 1);
	return fd;
}

static void adb_server_is_told(void)
{
	struct pollfd wait = { .events = POLLIN };
	char want[VMM_ADB_NOTICE];
	struct vmm_adb *adb;
	int server = adb_server();
	int peer;

	rig.loop = vmm_loop_create();
	adb = vmm_adb_open(rig.loop, 0, false);
	if (!tap_check(adb))
		return;
	vmm_adb_notify(adb);
	vmm_adb_notify(adb);
	settle();
	wait.fd = server;
	if (tap_equal(poll(&wait, 1, 1000), 1)) {
		peer = accept(server, NULL, NULL);
		vmm_adb_notice(want, vmm_adb_port(adb));
		tap_check(heard_this(peer, want));
		tap_check(hung_up(peer));
		close(peer);
	}
	/* Without a server, and with an invalid address, nothing happens. */
	close(server);
	vmm_adb_notify(adb);
	settle();
	tap_check(!vmm_adb_tick(adb));
	vmm_adb_close(adb);
	setenv("ANDROID_ADB_SERVER_PORT", "none", 1);
	adb = vmm_adb_open(rig.loop, 0, false);
	vmm_adb_notify(adb);
	tap_check(!vmm_adb_tick(adb));
	vmm_adb_close(adb);
	vmm_loop_destroy(rig.loop);
	unsetenv("ANDROID_ADB_SERVER_PORT");
}

/* Runs a command, and checks the console's list of ports. */
static int redir_says(const char *command, const char *value, const char *want)
{
	static struct vmm_text text;
	int err;

	vmm_text_clear(&text);
	err = vmm_redir_command(rig.host, &rig.cfg, "redir", command, value, &text);
	tap_context("%s %s: %s", command, value ? value : "", text.bytes);
	tap_check(!strcmp(text.bytes, want));
	return err;
}

static void ports_lead_to_the_guest(void)
{
	unsigned int port[2] = { free_port(), free_port() };
	char want[96], del[32];
	int client, late;

	if (!rig_open())
		return;
	vmm_vsock_host_close(rig.host);
	rig.cfg.redirs = 2;
	rig.cfg.redir[0] = (struct vmm_redir){ port[0], 8080 };
	rig.cfg.redir[1] = (struct vmm_redir){ port[1], 4294967294U };
	rig.host = vmm_vsock_host_open(&rig.cfg, rig.loop);
	if (!tap_check(rig.host))
		return;
	/* Without a guest a client is disconnected at once. */
	client = dial_port(port[0]);
	settle();
	tap_check(hung_up(client));
	close(client);
	rig_attach();
	client = dial_port(port[1]);
	settle();
	if (tap_equal(fake.connects, 1)) {
		tap_equal(fake.connect[0].guest_port, 4294967294U);
		answer(0, VHOST_VSOCK_ADB_ESTABLISHED);
		settle();
		/* The stream begins at once, without the line of a Unix client. */
		tap_check(heard_this(client, ""));
		tap_equal(fake.attaches, 1);
		tap_check(passes(fake.sock[0], client));
	}
	snprintf(want, sizeof(want), "tcp:%-5u => 8080\ntcp:%-5u => 4294967294\n", port[0],
		 port[1]);
	tap_equal(redir_says("list", NULL, want), 0);
	snprintf(del, sizeof(del), "tcp:%u", port[1]);
	tap_equal(redir_says("del", del, ""), 0);
	snprintf(want, sizeof(want), "port %u is not forwarded", port[1]);
	tap_equal(redir_says("del", del, want), -ENXIO);
	snprintf(want, sizeof(want), "tcp:%-5u => 8080\n", port[0]);
	tap_equal(redir_says("list", NULL, want), 0);
	tap_check(dial_port(port[1]) < 0);
	/* Connections of a closed port stay, and so does the other port. */
	tap_check(passes(fake.sock[0], client));
	late = dial_port(port[0]);
	settle();
	tap_equal(fake.connects, 2);
	tap_equal(fake.connect[1].guest_port, 8080);
	answer(1, VHOST_VSOCK_ADB_CLOSED);
	settle();
	tap_check(hung_up(late));
	tap_equal(redir_says("del", "udp:1", "a port is \"tcp:HOST\""), -EINVAL);
	tap_equal(redir_says("del", "tcp:", "a port is \"tcp:HOST\""), -EINVAL);
	tap_equal(redir_says("del", "tcp:1x", "a port is \"tcp:HOST\""), -EINVAL);
	snprintf(del, sizeof(del), "tcp:%u", port[0]);
	tap_equal(redir_says("del", del, ""), 0);
	tap_equal(redir_says("list", NULL, "no active redirections\n"), 0);
	close(late);
	close(client);
	rig_close();
}

static void a_port_that_is_taken_is_refused(void)
{
	struct vmm_vsock_host *other;
	struct vmm_config cfg;

	if (!rig_open())
		return;
	cfg = rig.cfg;
	cfg.vsock_uds = NULL;
	cfg.adb_socket = NULL;
	cfg.redirs = 1;
	cfg.redir[0] = (struct vmm_redir){ free_port(), 1 };
	other = vmm_vsock_host_open(&cfg, rig.loop);
	tap_check(other);
	tap_check(!vmm_vsock_host_open(&cfg, rig.loop));
	vmm_vsock_host_close(other);
	/* The port is free again. */
	other = vmm_vsock_host_open(&cfg, rig.loop);
	tap_check(other);
	vmm_vsock_host_close(other);
	rig_close();
}

static const struct tap_case cases[] = {
	{ "requests are parsed", requests_are_parsed },
	{ "a Unix client is connected", unix_client_is_connected },
	{ "a request may come in pieces", request_in_pieces },
	{ "wrong requests are hung up on", wrong_requests_are_hung_up_on },
	{ "a Unix client that is refused is told", refused_unix_client_is_told },
	{ "silent clients are few, and not for ever", silent_clients_are_few },
	{ "a client of adb waits for the guest", adb_waits_for_the_guest },
	{ "a client of adb waits through a reset", adb_waits_through_a_reset },
	{ "a client of adb that leaves is forgotten", adb_that_leaves_is_forgotten },
	{ "the guest finds who listens", guest_finds_who_listens },
	{ "a listener that is busy blocks nobody", busy_listener_blocks_nobody },
	{ "ports lead to the guest", ports_lead_to_the_guest },
	{ "a port that is taken is refused", a_port_that_is_taken_is_refused },
	{ "paths are taken with care", paths_are_taken_with_care },
	{ "the notice is as adb wants it", notice_is_as_adb_wants_it },
	{ "the adb server's port is found", server_port_is_found },
	{ "ports for adb come in pairs", adb_ports_come_in_pairs },
	{ "there are many pairs of ports for adb", adb_has_many_pairs },
	{ "a running adb server is told", adb_server_is_told },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
