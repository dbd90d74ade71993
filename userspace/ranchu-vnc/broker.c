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

/**
 * struct broker - the VM, and the server
 * @client: the VM
 * @fd: the server, a socket that keeps records apart
 * @copied: the guest has put something into its clipboard
 */
struct broker {
	struct vmm_client *client;
	int fd;
	bool copied;
};

/* 0, or -EIO: the VM is gone. What a device does not take is lost. */
static int ask_device(struct vmm_client *client, const char *device, const char *command,
		      const char *value)
{
	json_t *args = json_pack("{s:s, s:s, s:s}", "device", device, "command", command,
				 "value", value);
	json_t *result;

	/* Text that is no UTF-8. */
	if (!args)
		return 0;
	result = vmm_client_call(client, "device", args);
	json_decref(result);
	return result || !vmm_client_lost(client) ? 0 : -EIO;
}

static void on_event(void *arg, const char *name)
{
	struct broker *b = arg;

	if (!strcmp(name, "CLIPBOARD"))
		b->copied = true;
}

/* What the guest has copied, if it fits. */
static int clipboard_tell(struct broker *b)
{
	struct vnc_text message = { .record.what = VNC_CLIPBOARD };
	json_t *result = vmm_client_call(b->client, "device",
					 json_pack("{s:s, s:s}", "device", "clipboard",
						   "command", "get"));
	const char *text = json_string_value(json_object_get(result, "text"));
	size_t len = text ? strlen(text) : sizeof(message.text) + 1;
	int err = 0;

	b->copied = false;
	if (len <= sizeof(message.text)) {
		memcpy(message.text, text, len);
		len += sizeof(message.record);
		if (send(b->fd, &message, len, MSG_NOSIGNAL) != (ssize_t)len)
			err = -EIO;
	}
	json_decref(result);
	return err;
}

static int ask_frame(struct broker *b)
{
	struct vnc_record answer = { .what = VNC_FRAME };
	json_t *result = vmm_client_call(b->client, "screen", NULL);
	int file = vmm_client_file(b->client);

	if (file >= 0)
		close(file);
	json_decref(result);
	if (!result || (b->copied && clipboard_tell(b)))
		return -EIO;
	return send(b->fd, &answer, sizeof(answer), MSG_NOSIGNAL) == sizeof(answer) ? 0 : -EIO;
}

/* What a viewer has copied: text is what counts, up to a NUL. */
static int clipboard_put(struct broker *b, const char *bytes, size_t len)
{
	char text[VNC_TEXT_MAX + 1];

	memcpy(text, bytes, len);
	text[len] = '\0';
	return ask_device(b->client, "clipboard", "set", text);
}

static int serve(struct broker *b, const struct vnc_text *message, size_t text_len)
{
	const struct vnc_record *record = &message->record;
	char value[64];

	if (text_len && record->what != VNC_CLIPBOARD)
		return -EPROTO;
	switch (record->what) {
	case VNC_FRAME:
		return ask_frame(b);
	case VNC_KEY:
		if (record->a <= 0 || record->a > KEY_MAX)
			return -EPROTO;
		snprintf(value, sizeof(value), "%d %d %u", record->a, !!record->b,
			 vnc_android_key(record->a));
		return ask_device(b->client, "input", "key", value);
	case VNC_FINGER:
		if (record->a < 0 || record->a > PIXEL_MAX || record->b < 0 ||
		    record->b > PIXEL_MAX)
			return -EPROTO;
		snprintf(value, sizeof(value), "%d %d %d", record->a, record->b, !!record->c);
		return ask_device(b->client, "input", "touch", value);
	case VNC_CLIPBOARD:
		return clipboard_put(b, message->text, text_len);
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
	struct broker b = { .client = client, .fd = fd };
	struct vnc_text message;
	ssize_t n;
	int err = 0;

	/* Events are told to those who ask for them. */
	vmm_client_events(client, on_event, &b);
	json_decref(vmm_client_call(client, "qmp_capabilities", NULL));
	while (!err) {
		n = recv(fd, &message, sizeof(message), 0);
		if (n < 0 && errno == EINTR)
			continue;
		if (n < (ssize_t)sizeof(message.record))
			return n ? -EPROTO : 0;
		err = serve(&b, &message, n - sizeof(message.record));
	}
	return err;
}
