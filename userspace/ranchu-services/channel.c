// SPDX-License-Identifier: GPL-2.0-only
/*
 * Channels: finds the service by its name, splits bytes into messages, and queues bytes for
 * the guest. The services interpret the messages.
 *
 * Source of the frames: platform_external_qemu android/android-emu/android/emulation/
 * android_qemud.cpp (0d4d82f9); of the lengths without digits: AndroidMessagePipe.cpp
 * (008923eb) there.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "channel.h"

#define FRAME_HEAD	4
#define FRAME_BINARY	0x80	/* bit of the first byte: the length is binary */

static const struct service *const services[] = {
	&service_misc, &service_logcat, &service_clipboard, &service_multidisplay,
	&service_rotating_camera,
};

/* `pipe:qemud:NAME[:ARGS]`. */
static const struct service *const qemud_services[] = {
	&service_boot_properties, &service_hw_control, &service_sensors, &service_gps,
	&service_fingerprint, &service_camera,
};

/* ---- the guest ---- */

/**
 * guest_init - reset the state
 * @guest: the guest; its functions and properties are kept
 */
void guest_init(struct guest *guest)
{
	unsigned int i;

	for (i = 0; i < VMM_GUEST_SENSORS; i++) {
		if (vmm_guest_sensors[i].name)
			vmm_guest_sensor_print(i, vmm_guest_sensors[i].first, guest->sensor[i],
					       sizeof(guest->sensor[i]));
	}
	guest->finger = -1;
}

static int told_display(struct guest *guest, const struct vmm_guest_record *record)
{
	u32 n[4] = { 0 };

	if (record->number < 1 || record->number > GUEST_DISPLAYS ||
	    (*record->text &&
	     sscanf(record->text, "%u %u %u %u", &n[0], &n[1], &n[2], &n[3]) != 4))
		return -EPROTO;
	guest->display[record->number - 1].width = n[0];
	guest->display[record->number - 1].height = n[1];
	guest->display[record->number - 1].dpi = n[2];
	guest->display[record->number - 1].flag = n[3];
	return 0;
}

/**
 * guest_told - process a record from vmmctl
 * @guest: the guest's state
 * @record: its text ends with NUL
 * @len: bytes of the text
 *
 * Return: 0, or -EPROTO
 */
int guest_told(struct guest *guest, const struct vmm_guest_record *record, size_t len)
{
	switch (record->what) {
	case VMM_GUEST_SENSOR:
		if (record->number < 0 || record->number >= VMM_GUEST_SENSORS ||
		    len >= sizeof(guest->sensor[0]))
			return -EPROTO;
		memcpy(guest->sensor[record->number], record->text, len + 1);
		return 0;
	case VMM_GUEST_FINGER:
		guest->finger = record->number;
		return 0;
	case VMM_GUEST_FIX:
		if (len >= sizeof(guest->fix))
			return -EPROTO;
		memcpy(guest->fix, record->text, len + 1);
		return 0;
	case VMM_GUEST_NMEA:
		return 0;
	case VMM_GUEST_CLIPBOARD:
		memcpy(guest->clipboard, record->text, len);
		guest->clip = len;
		guest->clip_number++;
		return 0;
	case VMM_GUEST_DISPLAY:
		return told_display(guest, record);
	default:
		return -EPROTO;
	}
}

/* ---- bytes to the guest ---- */

/**
 * channel_room - check for room in the queue to the guest
 * @ch: the channel
 * @n: bytes
 *
 * Return: whether @n bytes fit
 */
bool channel_room(const struct channel *ch, size_t n)
{
	return n <= sizeof(ch->out) - ch->len;
}

static void out_add(struct channel *ch, const void *bytes, size_t n)
{
	memcpy(ch->out + ch->first + ch->len, bytes, n);
	ch->len += n;
}

/* Makes contiguous room; without room the message is counted as lost. */
static bool out_ready(struct channel *ch, size_t n)
{
	if (!channel_room(ch, n)) {
		ch->lost++;
		return false;
	}
	if (sizeof(ch->out) - ch->first - ch->len < n) {
		memmove(ch->out, ch->out + ch->first, ch->len);
		ch->first = 0;
	}
	return true;
}

/**
 * channel_put - send bytes to the guest
 * @ch: the channel
 * @bytes: sent completely, or not at all without room
 * @n: how many
 *
 * Return: whether they were sent
 */
bool channel_put(struct channel *ch, const void *bytes, size_t n)
{
	bool ready = out_ready(ch, n);

	if (ready)
		out_add(ch, bytes, n);
	return ready;
}

/**
 * channel_frame - send a message to the guest, in a frame of qemud
 * @ch: the channel
 * @message: sent completely, or not at all without room
 * @n: bytes of it, at most 65535
 *
 * Return: whether it was sent
 */
bool channel_frame(struct channel *ch, const void *message, size_t n)
{
	char head[FRAME_HEAD + 1];
	bool ready = out_ready(ch, FRAME_HEAD + n);

	if (!ready)
		return false;
	snprintf(head, sizeof(head), "%04x", (unsigned int)(n & 0xffff));
	out_add(ch, head, FRAME_HEAD);
	out_add(ch, message, n);
	return true;
}

/**
 * channel_answer - send a message to the guest, after its length
 * @ch: the channel
 * @message: sent completely, or not at all without room
 * @n: bytes of it
 *
 * Return: whether it was sent
 */
bool channel_answer(struct channel *ch, const void *message, u32 n)
{
	bool ready = out_ready(ch, sizeof(n) + n);

	if (!ready)
		return false;
	out_add(ch, &n, sizeof(n));
	out_add(ch, message, n);
	return true;
}

/**
 * channel_peek - get the bytes that are queued for the guest
 * @ch: the channel
 * @bytes: the first of them
 *
 * Return: how many contiguous bytes there are
 */
size_t channel_peek(const struct channel *ch, const u8 **bytes)
{
	*bytes = ch->out + ch->first;
	return ch->len;
}

/**
 * channel_sent - remove bytes that were sent
 * @ch: the channel
 * @n: how many, no more than there are
 */
void channel_sent(struct channel *ch, size_t n)
{
	ch->len -= n;
	ch->first = ch->len ? ch->first + n : 0;
	if (!ch->len && ch->service->idle)
		ch->service->idle(ch);
}

/* ---- bytes from the guest ---- */

static int hex_digit(u8 c)
{
	return c >= '0' && c <= '9' ? c - '0' : c >= 'a' && c <= 'f' ? c - 'a' + 10 :
	       c >= 'A' && c <= 'F' ? c - 'A' + 10 : -1;
}

/* Returns the length of a frame's message, or -EPROTO. */
static ssize_t frame_length(const u8 *head)
{
	u32 len = 0;
	unsigned int i;

	for (i = 0; i < FRAME_HEAD; i++) {
		int digit = hex_digit(head[i]);

		if (head[0] & FRAME_BINARY)
			len = len << 8 | (i ? head[i] : head[i] & (FRAME_BINARY - 1));
		else if (digit >= 0)
			len = len << 4 | digit;
		else
			return -EPROTO;
	}
	return len <= CHANNEL_MESSAGE - FRAME_HEAD ? (ssize_t)len : -EPROTO;
}

static ssize_t frame_take(struct channel *ch, const u8 *bytes, size_t n)
{
	ssize_t len = n < FRAME_HEAD ? 0 : frame_length(bytes);

	if (len < 0)
		return len;
	if (n < (size_t)FRAME_HEAD + len)
		return 0;
	if (len)
		ch->service->message(ch, (const char *)bytes + FRAME_HEAD, len);
	return FRAME_HEAD + len;
}

/* An empty request has no answer. */
static ssize_t sized_take(struct channel *ch, const u8 *bytes, size_t n)
{
	u32 len;

	if (n < sizeof(len))
		return 0;
	memcpy(&len, bytes, sizeof(len));
	if (len > CHANNEL_MESSAGE - sizeof(len))
		return -EPROTO;
	if (n < sizeof(len) + len)
		return 0;
	if (len)
		ch->service->message(ch, (const char *)bytes + sizeof(len), len);
	return sizeof(len) + len;
}

static ssize_t one_take(struct channel *ch, const u8 *bytes, size_t n)
{
	if (ch->service->framed)
		return frame_take(ch, bytes, n);
	return ch->service->sized ? sized_take(ch, bytes, n) : ch->service->take(ch, bytes, n);
}

/**
 * channel_take - process bytes from the guest
 * @ch: the channel
 * @bytes: bytes that were written and not taken yet
 * @n: how many
 *
 * Takes complete messages, and only if there is room for an answer. With CHANNEL_MESSAGE
 * bytes, the caller has a complete message or gets an error.
 *
 * Return: how many were taken; -EPROTO: not a message, the channel must be closed
 */
ssize_t channel_take(struct channel *ch, const u8 *bytes, size_t n)
{
	size_t taken = 0;
	ssize_t used = 1;

	while (used && taken < n && channel_room(ch, CHANNEL_ROOM)) {
		used = one_take(ch, bytes + taken, n - taken);
		if (used < 0)
			return used;
		taken += used;
	}
	return taken;
}

/**
 * channel_tick - run the service's timer if it is due
 * @ch: the channel
 * @now: nanoseconds
 */
void channel_tick(struct channel *ch, s64 now)
{
	if (ch->due && now >= ch->due && ch->service->tick)
		ch->service->tick(ch);
}

/* ---- opening ---- */

/* Cuts "NAME[:ARGS]"; false if @text is another name. */
static bool name_is(const char *text, const char *name, const char **args)
{
	size_t len = strlen(name);

	if (strncmp(text, name, len) || (text[len] && text[len] != ':'))
		return false;
	*args = text[len] ? text + len + 1 : NULL;
	return true;
}

static const struct service *find(const char *name, const char **args)
{
	size_t i;

	if (!strcmp(name, "qemud")) {
		for (i = 0; *args && i < ARRAY_SIZE(qemud_services); i++) {
			if (name_is(*args, qemud_services[i]->name, args))
				return qemud_services[i];
		}
		return NULL;
	}
	for (i = 0; i < ARRAY_SIZE(services); i++) {
		if (!strcmp(services[i]->name, name))
			return services[i];
	}
	return NULL;
}

/**
 * channel_open - open a channel for a pipe of the guest
 * @ch: filled; unused
 * @guest: the guest's state
 * @name: name of the pipe
 * @args: text after the name's colon, or NULL
 *
 * Return: 0; -ENOENT if there is no such service; or -errno if the service refuses
 */
int channel_open(struct channel *ch, struct guest *guest, const char *name, const char *args)
{
	const struct service *service = find(name, &args);
	int err = 0;

	if (!service)
		return -ENOENT;
	memset(ch, 0, offsetof(struct channel, out));
	ch->service = service;
	ch->guest = guest;
	if (service->open)
		err = service->open(ch, args);
	if (err)
		ch->service = NULL;
	return err;
}

/**
 * channel_close - close a channel
 * @ch: the channel
 */
void channel_close(struct channel *ch)
{
	if (ch->service->close)
		ch->service->close(ch);
	ch->service = NULL;
}
