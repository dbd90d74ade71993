// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages to a service manager: datagrams to the Unix socket that is named in the environment.
 * They are sent only if there is such a socket, and never block.
 *
 * If the manager has a watchdog, the main loop notifies it twice in a period.
 *
 * Source: systemd, sd_notify(3) and sd_watchdog_enabled(3)
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "host/notify.h"
#include "host/unix.h"

#define PERIOD_MIN_US	100000	/* shortest period of notifications */

/**
 * struct vmm_notify - a service manager
 * @loop: the main thread's loop
 * @fd: connected to the manager's socket
 * @timer_fd: timer of watchdog notifications, or -1
 */
struct vmm_notify {
	struct vmm_loop *loop;
	int fd;
	int timer_fd;
};

/**
 * vmm_notify_send - send a message to the service manager
 * @notify: may be NULL
 * @text: assignments, one on each line
 */
void vmm_notify_send(struct vmm_notify *notify, const char *text)
{
	if (notify)
		send(notify->fd, text, strlen(text), MSG_DONTWAIT | MSG_NOSIGNAL);
}

static int notify_tick(void *arg)
{
	struct vmm_notify *notify = arg;
	u64 expirations;

	if (read(notify->timer_fd, &expirations, sizeof(expirations)) > 0)
		vmm_notify_send(notify, "WATCHDOG=1");
	return 0;
}

/* Returns the watchdog's period; 0 without one, or if it is for another process. */
static u64 watchdog_us(void)
{
	const char *pid = getenv("WATCHDOG_PID");
	const char *us = getenv("WATCHDOG_USEC");

	if (!us || (pid && strtol(pid, NULL, 10) != getpid()))
		return 0;
	return strtoull(us, NULL, 10);
}

static int notify_watchdog(struct vmm_notify *notify)
{
	u64 half = watchdog_us() / 2;
	struct itimerspec period = { 0 };

	if (!half)
		return 0;
	if (half < PERIOD_MIN_US)
		half = PERIOD_MIN_US;
	period.it_value.tv_sec = half / 1000000;
	period.it_value.tv_nsec = half % 1000000 * 1000;
	period.it_interval = period.it_value;
	notify->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (notify->timer_fd < 0 || timerfd_settime(notify->timer_fd, 0, &period, NULL))
		return vmm_error(errno, "watchdog");
	return vmm_loop_add(notify->loop, notify->timer_fd, notify_tick, notify);
}

/**
 * vmm_notify_open - connect to the service manager
 * @loop: the main thread's loop
 *
 * Return: the connection, or NULL if there is no manager, or it cannot be reached
 */
struct vmm_notify *vmm_notify_open(struct vmm_loop *loop)
{
	const char *path = getenv("NOTIFY_SOCKET");
	struct vmm_notify *notify;

	if (!path)
		return NULL;
	notify = calloc(1, sizeof(*notify));
	if (!notify)
		return NULL;
	notify->loop = loop;
	notify->timer_fd = -1;
	notify->fd = strchr("/@", *path) ? vmm_unix_dial_datagram(path) : -EINVAL;
	if (notify->fd < 0) {
		vmm_note("cannot reach the service manager at %s", path);
		free(notify);
		return NULL;
	}
	if (!notify_watchdog(notify))
		return notify;
	vmm_notify_close(notify);
	return NULL;
}

/**
 * vmm_notify_close - disconnect from the service manager
 * @notify: may be NULL
 */
void vmm_notify_close(struct vmm_notify *notify)
{
	if (!notify)
		return;
	if (notify->timer_fd >= 0) {
		vmm_loop_del(notify->loop, notify->timer_fd);
		close(notify->timer_fd);
	}
	close(notify->fd);
	free(notify);
}
