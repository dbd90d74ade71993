// SPDX-License-Identifier: GPL-2.0-only
/*
 * The process that has the VM's control socket. The server's requests are checked as
 * if it came from the viewers themselves.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>
#include <linux/input-event-codes.h>

#include "control/control.h"
#include "control/screen_view.h"
#include "host/unix.h"
#include "ranchu_vnc.h"

#define PIXEL_MAX	16384
#define FINGER		KEY_CNT	/* handled like a key */
#define AGAIN_MS	100	/* delay before a request to a busy VM is repeated */
#define AGAIN_TRIES	100	/* tries after the server has ended */

/**
 * struct broker - the VM, and the server
 * @client: the VM
 * @fd: SOCK_SEQPACKET socket of the server
 * @copied: the guest's clipboard has changed
 * @down: keys, and the finger, that are pressed in the VM
 * @held: those that the server holds; the others must be released
 */
struct broker {
	struct vmm_client *client;
	int fd;
	bool copied;
	bool down[KEY_CNT + 1];
	bool held[KEY_CNT + 1];
};

/*
 * Runs a device's command. Returns 0; -EBUSY if a job is using the VM's devices; or -EIO if the
 * VM is gone. Other refusals of the device are ignored.
 */
static int ask_device(struct vmm_client *client, const char *device, const char *command,
		      const char *value)
{
	json_t *args = json_pack("{s:s, s:s, s:s}", "device", device, "command", command,
				 "value", value);
	json_t *result;

	/* The text is not valid UTF-8. */
	if (!args)
		return 0;
	result = vmm_client_call(client, "device", args);
	json_decref(result);
	if (result)
		return 0;
	if (vmm_client_lost(client))
		return -EIO;
	return strstr(vmm_client_error(client), "the VM is busy") ? -EBUSY : 0;
}

/* Presses or releases a key. If the VM is busy, a press is lost, and a release is due. */
static int press(struct broker *b, unsigned int key, bool pressed, s32 x, s32 y)
{
	char value[64];
	int err;

	if (key == FINGER)
		snprintf(value, sizeof(value), "%d %d %d", x, y, pressed);
	else
		snprintf(value, sizeof(value), "%u %d %u", key, pressed, vnc_android_key(key));
	b->held[key] = pressed;
	err = ask_device(b->client, "input", key == FINGER ? "touch" : "key", value);
	if (!err)
		b->down[key] = pressed;
	return err == -EBUSY ? 0 : err;
}

static bool is_due(const struct broker *b, unsigned int key)
{
	return b->down[key] && !b->held[key];
}

static bool any_is_due(const struct broker *b)
{
	unsigned int key;

	for (key = 0; key <= FINGER; key++) {
		if (is_due(b, key))
			return true;
	}
	return false;
}

/* Stops at the first release that a busy VM refuses. */
static int release_due(struct broker *b)
{
	unsigned int key;
	int err = 0;

	for (key = 0; !err && key <= FINGER; key++) {
		if (!is_due(b, key))
			continue;
		err = press(b, key, false, 0, 0);
		if (b->down[key])
			break;
	}
	return err;
}

/* Releases all keys after the server has ended. Returns 0 if none stays pressed. */
static int release_all(struct broker *b)
{
	unsigned int i;
	int err;

	memset(b->held, 0, sizeof(b->held));
	for (i = 0; any_is_due(b) && i < AGAIN_TRIES; i++) {
		if (i)
			poll(NULL, 0, AGAIN_MS);
		err = release_due(b);
		if (err)
			return err;
	}
	if (!any_is_due(b))
		return 0;
	return vmm_error(-EBUSY, "the VM is busy: what viewers have pressed stays pressed");
}

static void on_event(void *arg, const char *name)
{
	struct broker *b = arg;

	if (!strcmp(name, "CLIPBOARD"))
		b->copied = true;
}

/* Sends the guest's clipboard to the server, if it fits. */
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
	json_t *result;
	int file;

	if (release_due(b))
		return -EIO;
	result = vmm_client_call(b->client, "screen", NULL);
	file = vmm_client_file(b->client);
	if (file >= 0)
		close(file);
	json_decref(result);
	if (!result || (b->copied && clipboard_tell(b)))
		return -EIO;
	return send(b->fd, &answer, sizeof(answer), MSG_NOSIGNAL) == sizeof(answer) ? 0 : -EIO;
}

static int ask_source(struct broker *b, const struct vnc_record *record)
{
	struct vnc_record answer = { .what = VNC_SOURCE };
	int fd = vmm_screen_ask(b->client, (u32)record->a | (u64)(u32)record->b << 32);
	int err;

	if (fd < 0 && fd != -ENOENT)
		return fd;
	err = vmm_unix_send_files(b->fd, &answer, sizeof(answer), &fd, fd >= 0, 0);
	if (fd >= 0)
		close(fd);
	return err ? -EIO : 0;
}

/* Puts a viewer's text, up to a NUL, into the guest's clipboard. It is lost if the VM is busy. */
static int clipboard_put(struct broker *b, const char *bytes, size_t len)
{
	char text[VNC_TEXT_MAX + 1];
	int err;

	memcpy(text, bytes, len);
	text[len] = '\0';
	err = ask_device(b->client, "clipboard", "set", text);
	return err == -EBUSY ? 0 : err;
}

static int serve(struct broker *b, const struct vnc_text *message, size_t text_len)
{
	const struct vnc_record *record = &message->record;

	if (text_len && record->what != VNC_CLIPBOARD)
		return -EPROTO;
	switch (record->what) {
	case VNC_FRAME:
		return ask_frame(b);
	case VNC_SOURCE:
		return ask_source(b, record);
	case VNC_KEY:
		if (record->a <= 0 || record->a > KEY_MAX)
			return -EPROTO;
		return press(b, record->a, record->b, 0, 0);
	case VNC_FINGER:
		if (record->a < 0 || record->a > PIXEL_MAX || record->b < 0 ||
		    record->b > PIXEL_MAX)
			return -EPROTO;
		return press(b, FINGER, record->c, record->a, record->b);
	case VNC_CLIPBOARD:
		return clipboard_put(b, message->text, text_len);
	default:
		return -EPROTO;
	}
}

/* Receives the server's next request; 0 when it has ended, or must end. */
static ssize_t next_message(struct broker *b, struct vnc_text *message, int end_fd, int vm_fd)
{
	struct pollfd fds[] = {
		{ .fd = b->fd, .events = POLLIN },
		{ .fd = end_fd, .events = POLLIN },
		{ .fd = vm_fd, .events = POLLIN },
	};

	for (;;) {
		int n = poll(fds, ARRAY_SIZE(fds), any_is_due(b) ? AGAIN_MS : -1);

		if (n < 0 && errno != EINTR)
			return -errno;
		if (n > 0)
			break;
		if (!n && release_due(b))
			return -EIO;
	}
	if (fds[1].revents || fds[2].revents)
		return 0;
	return recv(b->fd, message, sizeof(*message), 0);
}

/* A VM that has hung up has ended, or is about to. */
static bool vm_has_ended(int vm_fd)
{
	struct pollfd end = { .fd = vm_fd, .events = POLLIN };

	return vm_fd >= 0 && poll(&end, 1, 10 * AGAIN_MS) > 0;
}

/**
 * vnc_broker - serve the server's requests until it or the VM has ended
 * @client: the VM
 * @fd: SOCK_SEQPACKET socket of the server
 * @end_fd: readable when both must end; -1 for none
 *
 * Releases the server's keys before it returns, also if the VM is busy for a while.
 *
 * Return: 0 when the server or the VM has ended, or @end_fd is readable; or -errno
 */
int vnc_broker(struct vmm_client *client, int fd, int end_fd)
{
	struct broker b = { .client = client, .fd = fd };
	int vm_fd = vmm_client_pidfd(client);
	struct vnc_text message;
	int released;
	ssize_t n;
	int err = 0;

	/* The VM sends events only to clients that ask for them. */
	vmm_client_events(client, on_event, &b);
	json_decref(vmm_client_call(client, "qmp_capabilities", NULL));
	while (!err) {
		n = next_message(&b, &message, end_fd, vm_fd);
		if (!n)
			break;
		err = n < (ssize_t)sizeof(message.record) ? -EPROTO :
		      serve(&b, &message, n - sizeof(message.record));
	}
	released = vmm_client_lost(client) ? 0 : release_all(&b);
	if (!err)
		err = released;
	if (err == -EIO && vm_has_ended(vm_fd))
		err = 0;
	if (vm_fd >= 0)
		close(vm_fd);
	return err;
}
