// SPDX-License-Identifier: GPL-2.0-only
/*
 * The process that has the VM's control socket. What the server asks for is checked as
 * if it came from the viewers themselves.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/input-event-codes.h>

#include "control/control.h"
#include "ranchu_vnc.h"

#define PIXEL_MAX	16384

/* 0, or -EIO: the VM is gone. An event that the guest has no room for is lost. */
static int ask_events(struct vmm_client *client, const char *command, const char *value)
{
	json_t *result = vmm_client_call(client, "device",
					 json_pack("{s:s, s:s, s:s}", "device", "events",
						   "command", command, "value", value));

	json_decref(result);
	return result || strncmp(vmm_client_error(client), "the VM", 6) ? 0 : -EIO;
}

static int ask_frame(struct vmm_client *client, int fd)
{
	struct vnc_record answer = { .what = VNC_FRAME };
	json_t *result = vmm_client_call(client, "screen", NULL);
	int file = vmm_client_file(client);

	if (file >= 0)
		close(file);
	json_decref(result);
	if (!result)
		return -EIO;
	return send(fd, &answer, sizeof(answer), MSG_NOSIGNAL) == sizeof(answer) ? 0 : -EIO;
}

static int serve(struct vmm_client *client, int fd, const struct vnc_record *record)
{
	char value[64];

	switch (record->what) {
	case VNC_FRAME:
		return ask_frame(client, fd);
	case VNC_KEY:
		if (record->a <= 0 || record->a > KEY_MAX)
			return -EPROTO;
		snprintf(value, sizeof(value), "%d:%d:%d %d:0:0", EV_KEY, record->a, !!record->b,
			 EV_SYN);
		return ask_events(client, "send", value);
	case VNC_FINGER:
		if (record->a < 0 || record->a > PIXEL_MAX || record->b < 0 ||
		    record->b > PIXEL_MAX)
			return -EPROTO;
		snprintf(value, sizeof(value), "%d %d 0 %d", record->a, record->b, !!record->c);
		return ask_events(client, "mouse", value);
	default:
		return -EPROTO;
	}
}

/**
 * vnc_broker - do what the server asks for, until one of the two is gone
 * @client: the VM
 * @fd: the server, a socket that keeps records apart
 *
 * Return: 0 when the server has ended, or -errno
 */
int vnc_broker(struct vmm_client *client, int fd)
{
	struct vnc_record record;
	ssize_t n;
	int err = 0;

	while (!err) {
		n = recv(fd, &record, sizeof(record), 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n != sizeof(record))
			return n ? -EPROTO : 0;
		err = serve(client, fd, &record);
	}
	return err;
}
