// SPDX-License-Identifier: GPL-2.0-only
/*
 * A resumed guest is ready when the adb server lists it as a device. The adb server is the test's.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <netinet/in.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/vsock.h"
#include "tests/tap.h"

static int listen_fd = -1;
static int client_fd = -1;
static unsigned int connections;
static unsigned int calls;
static bool silent;

/* Answers of the server, one per connection; the last one is repeated. */
static const char *const *answers;

static int served(void *arg)
{
	struct vmm_loop *loop = arg;
	char question[64] = "";
	char want[64];
	ssize_t n = recv(client_fd, question, sizeof(question) - 1, MSG_DONTWAIT);

	if (n > 0) {
		snprintf(want, sizeof(want), "%04x%s", 35, "host-serial:emulator-5600:get-state");
		tap_check(!strcmp(question, want));
		tap_check(send(client_fd, *answers, strlen(*answers), MSG_NOSIGNAL) >= 0);
		if (answers[1])
			answers++;
	}
	vmm_loop_del(loop, client_fd);
	close(client_fd);
	client_fd = -1;
	return 0;
}

static int accepted(void *arg)
{
	client_fd = accept4(listen_fd, NULL, NULL, SOCK_CLOEXEC);
	connections++;
	return vmm_loop_add(arg, client_fd, served, arg);
}

static void was_listed(void *arg, bool it_is_not)
{
	(void)arg;
	silent = it_is_not;
	calls++;
}

static int over(void *arg)
{
	(void)arg;
	return 1;
}

/* Runs the loop until the guest is listed, at most @ms. */
static void run(struct vmm_loop *loop, unsigned int ms)
{
	int fd = vmm_event_create();

	/* A file that is always ready keeps the loop running. */
	while (!calls && ms) {
		vmm_event_signal(fd);
		tap_check(!vmm_loop_add(loop, fd, over, NULL));
		vmm_loop_run(loop);
		vmm_loop_del(loop, fd);
		vmm_event_clear(fd);
		usleep(10000);
		ms = ms < 10 ? 0 : ms - 10;
	}
	close(fd);
}

/* Listens at a free port, and sets it as the adb server's. */
static void server_open(void)
{
	struct sockaddr_in at = { .sin_family = AF_INET,
				  .sin_addr.s_addr = htonl(INADDR_LOOPBACK) };
	socklen_t len = sizeof(at);
	char port[8];

	listen_fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	tap_check(!bind(listen_fd, (struct sockaddr *)&at, sizeof(at)));
	tap_check(!listen(listen_fd, 8));
	getsockname(listen_fd, (struct sockaddr *)&at, &len);
	snprintf(port, sizeof(port), "%u", ntohs(at.sin_port));
	setenv("ANDROID_ADB_SERVER_PORT", port, 1);
}

/* Asks a server with these answers, or no server, for @seconds; waits at most @ms. */
static void ask_for(const char *const *list, unsigned int seconds, unsigned int ms)
{
	struct vmm_loop *loop = vmm_loop_create();
	struct vmm_adb_listed *listed;
	struct vmm_adb *adb;

	calls = 0;
	connections = 0;
	answers = list;
	server_open();
	if (list)
		tap_check(!vmm_loop_add(loop, listen_fd, accepted, loop));
	else
		close(listen_fd);
	adb = vmm_adb_open(loop, 5601, false);
	listed = adb ? vmm_adb_listed_open(loop, adb, seconds, was_listed, NULL) : NULL;
	if (tap_check(listed)) {
		tap_equal(calls, 0);
		vmm_adb_listed_ask(listed);
		run(loop, ms);
	}
	vmm_adb_listed_close(listed);
	vmm_adb_close(adb);
	if (client_fd >= 0)
		close(client_fd);
	client_fd = -1;
	if (list)
		close(listen_fd);
	vmm_loop_destroy(loop);
}

static void ask(const char *const *list, unsigned int ms)
{
	ask_for(list, 60, ms);
}

static void it_is_asked_until_it_says_device(void)
{
	static const char *const list[] = {
		"FAIL0026device 'emulator-5600' not found ....", "OKAY0007offline",
		"OKAY000cunauthorized", "OKAY0006device", NULL
	};

	ask(list, 5000);
	tap_equal(calls, 1);
	tap_check(!silent);
	tap_equal(connections, 4);
}

static void anything_else_is_no_device(void)
{
	static const char *const list[] = {
		"", "OKAY", "OKAY0006devic", "KO", "OKAY0006devices?", NULL
	};

	/* Only the beginning of the last answer is checked, and it is right. */
	ask(list, 5000);
	tap_equal(calls, 1);
	tap_equal(connections, 5);
}

static void it_is_never_ready_while_it_is_offline(void)
{
	static const char *const list[] = { "OKAY0007offline", NULL };

	ask(list, 1200);
	tap_equal(calls, 0);
	tap_check(connections >= 3);
}

/* A server that may not connect to the guest never lists it. */
static void a_server_that_never_lists_is_not_waited_for(void)
{
	static const char *const list[] = { "FAIL0026device 'emulator-5600' not found ....", NULL };

	ask_for(list, 1, 5000);
	tap_equal(calls, 1);
	tap_check(silent);
}

static void without_a_server_nobody_is_waited_for(void)
{
	ask(NULL, 1000);
	tap_equal(calls, 1);
}

static const struct tap_case cases[] = {
	{ "it is asked until it says device", it_is_asked_until_it_says_device },
	{ "anything else is no device", anything_else_is_no_device },
	{ "it is never ready while it is offline", it_is_never_ready_while_it_is_offline },
	{ "a server that never lists is not waited for",
	  a_server_that_never_lists_is_not_waited_for },
	{ "without a server nobody is waited for", without_a_server_nobody_is_waited_for },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
