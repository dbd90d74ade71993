// SPDX-License-Identifier: GPL-2.0-only
/*
 * Asks a running adb server repeatedly for the state of the guest, until it is "device": from
 * then on clients of adb are served at once. If there is no adb server, this ends at once. The wait
 * is limited: a server of another user, for example, may not connect to the guest.
 *
 * Source: adb 29.0.6 (Debian source android-platform-tools), OVERVIEW.TXT and SERVICES.TXT:
 * four hexadecimal digits and a request; OKAY or FAIL, four digits and a text.
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

#define PERIOD_NS	250000000
#define PERIODS		4	/* in a second */
#define PATIENCE	20	/* periods to wait for an answer */

static const char wanted[] = "OKAY0006device";

/**
 * struct vmm_adb_listed - a query of the adb server
 * @loop: the main thread's loop
 * @adb: the ports that the server knows the guest by
 * @fn: called when the server lists the guest, or there is none, or it took too long
 * @arg: argument of @fn
 * @left: periods until the wait is over
 * @timer_fd: timer for the next query, or for the end of the wait
 * @fd: connection to the server, or -1
 * @asked: the query was sent
 * @ticks: periods left to wait for the answer
 * @len: bytes of @answer
 * @answer: bytes of the answer so far
 */
struct vmm_adb_listed {
	struct vmm_loop *loop;
	const struct vmm_adb *adb;
	void (*fn)(void *arg, bool silent);
	void *arg;
	unsigned int left;
	int timer_fd;
	int fd;
	bool asked;
	unsigned int ticks;
	size_t len;
	char answer[sizeof(wanted) - 1];
};

static void hang_up(struct vmm_adb_listed *listed)
{
	if (listed->fd < 0)
		return;
	vmm_loop_del(listed->loop, listed->fd);
	close(listed->fd);
	listed->fd = -1;
}

static void timer_set(struct vmm_adb_listed *listed, bool on)
{
	struct itimerspec period = { 0 };

	if (on) {
		period.it_value.tv_nsec = PERIOD_NS;
		period.it_interval.tv_nsec = PERIOD_NS;
	}
	timerfd_settime(listed->timer_fd, 0, &period, NULL);
}

static void listed_end(struct vmm_adb_listed *listed, bool silent)
{
	hang_up(listed);
	timer_set(listed, false);
	listed->fn(listed->arg, silent);
}

static void is_listed(struct vmm_adb_listed *listed)
{
	listed_end(listed, false);
}

static int listed_ready(void *arg);

/* Sends the query; if the connection was refused, there is no server. */
static void ask(struct vmm_adb_listed *listed)
{
	char question[64];
	char text[72];
	ssize_t sent;
	int len;

	len = snprintf(question, sizeof(question), "host-serial:emulator-%u:get-state",
		       vmm_adb_port(listed->adb) - 1);
	len = snprintf(text, sizeof(text), "%04x%s", len, question);
	sent = send(listed->fd, text, len, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (sent < 0 && errno == ECONNREFUSED) {
		is_listed(listed);
		return;
	}
	listed->asked = true;
	listed->len = 0;
	vmm_loop_del(listed->loop, listed->fd);
	if (sent != len ||
	    vmm_loop_watch(listed->loop, listed->fd, POLLIN, listed_ready, listed))
		hang_up(listed);
}

static void hear(struct vmm_adb_listed *listed)
{
	ssize_t n = recv(listed->fd, listed->answer + listed->len,
			 sizeof(listed->answer) - listed->len, MSG_DONTWAIT);

	if (n < 0 && (errno == EAGAIN || errno == EINTR))
		return;
	if (n > 0)
		listed->len += n;
	if (n > 0 && listed->len < sizeof(listed->answer) &&
	    !memcmp(listed->answer, wanted, listed->len))
		return;
	if (n > 0 && !memcmp(listed->answer, wanted, sizeof(listed->answer)))
		is_listed(listed);
	else
		hang_up(listed);
}

static int listed_ready(void *arg)
{
	struct vmm_adb_listed *listed = arg;

	if (listed->asked)
		hear(listed);
	else
		ask(listed);
	return 0;
}

static void dial(struct vmm_adb_listed *listed)
{
	listed->asked = false;
	listed->ticks = PATIENCE;
	listed->fd = vmm_adb_dial(listed->adb);
	if (listed->fd == -ECONNREFUSED || listed->fd == -ENOENT)
		is_listed(listed);
	else if (listed->fd >= 0 &&
		 vmm_loop_watch(listed->loop, listed->fd, POLLOUT, listed_ready, listed))
		hang_up(listed);
}

static int listed_tick(void *arg)
{
	struct vmm_adb_listed *listed = arg;
	u64 expirations;

	if (read(listed->timer_fd, &expirations, sizeof(expirations)) < 0)
		return 0;
	/* A process that was stopped meanwhile has not waited. */
	listed->left--;
	if (!listed->left)
		listed_end(listed, true);
	else if (listed->fd < 0)
		dial(listed);
	else if (!listed->ticks--)
		hang_up(listed);
	return 0;
}

/**
 * vmm_adb_listed_open - prepare a query
 * @loop: the main thread's loop
 * @adb: the ports that the server knows the guest by
 * @seconds: how long it is asked, at most
 * @fn: called once, in the main thread, when the server lists the guest as "device", or
 *	when there is no server, or, @silent, when @seconds are over
 * @arg: argument of @fn
 *
 * Return: the query, or NULL after a message
 */
struct vmm_adb_listed *vmm_adb_listed_open(struct vmm_loop *loop, const struct vmm_adb *adb,
					   unsigned int seconds,
					   void (*fn)(void *arg, bool silent), void *arg)
{
	struct vmm_adb_listed *listed = calloc(1, sizeof(*listed));

	if (!listed) {
		vmm_error(ENOMEM, "adb");
		return NULL;
	}
	*listed = (struct vmm_adb_listed){
		.loop = loop, .adb = adb, .fn = fn, .arg = arg, .fd = -1,
		.left = seconds * PERIODS,
	};
	listed->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (listed->timer_fd < 0)
		vmm_error(errno, "timerfd");
	else if (!vmm_loop_add(loop, listed->timer_fd, listed_tick, listed))
		return listed;
	vmm_adb_listed_close(listed);
	return NULL;
}

/**
 * vmm_adb_listed_ask - begin to query
 * @listed: the query; no file is opened by its path
 */
void vmm_adb_listed_ask(struct vmm_adb_listed *listed)
{
	timer_set(listed, true);
	dial(listed);
}

/**
 * vmm_adb_listed_close - end a query
 * @listed: may be NULL
 */
void vmm_adb_listed_close(struct vmm_adb_listed *listed)
{
	if (!listed)
		return;
	hang_up(listed);
	if (listed->timer_fd >= 0) {
		vmm_loop_del(listed->loop, listed->timer_fd);
		close(listed->timer_fd);
	}
	free(listed);
}
