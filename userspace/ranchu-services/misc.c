// SPDX-License-Identifier: GPL-2.0-only
/*
 * QemuMiscPipe: the guest says that it is alive, and when it is up, and asks for random
 * numbers. Requests and answers have their length in front, in the guest's byte order,
 * which is this host's.
 *
 * Source: platform_external_qemu QemuMiscPipe.cpp (017a3997), AndroidMessagePipe.cpp
 * (008923eb).
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "channel.h"

#define RANDOM_MAX	4096	/* bytes of an answer */

static void answer(struct channel *ch, const void *bytes, u32 len)
{
	/* There is room for both, or the message would not have been taken. */
	channel_put(ch, &len, sizeof(len));
	channel_put(ch, bytes, len);
}

static bool begins(const char *text, const char *with)
{
	return !strncmp(text, with, strlen(with));
}

static void give_random(struct channel *ch, const char *number)
{
	u8 bytes[RANDOM_MAX];
	char *end;
	unsigned long n = strtoul(number, &end, 10);

	if (*number < '0' || *number > '9' || *end || !n || n > sizeof(bytes)) {
		answer(ch, "KO", 3);
		return;
	}
	ch->guest->random(bytes, n);
	answer(ch, bytes, n);
}

static void request(struct channel *ch, const char *text)
{
	if (begins(text, "get_random=")) {
		give_random(ch, text + strlen("get_random="));
		return;
	}
	if (begins(text, "heartbeat")) {
		ch->guest->heartbeats++;
	} else if (begins(text, "bootcomplete")) {
		/* Once is enough to know it. */
		ch->guest->booted |= !ch->booted;
		ch->booted = true;
	} else {
		answer(ch, "KO", 3);
		return;
	}
	answer(ch, "OK", 3);
}

static ssize_t misc_take(struct channel *ch, const u8 *bytes, size_t n)
{
	char text[64];
	u32 len;

	if (n < sizeof(len))
		return 0;
	memcpy(&len, bytes, sizeof(len));
	if (len > CHANNEL_MESSAGE - sizeof(len))
		return -EPROTO;
	if (n < sizeof(len) + len)
		return 0;
	/* A request of no bytes has no answer. One that is cut here is none of those known. */
	if (len) {
		size_t used = len < sizeof(text) ? len : sizeof(text) - 1;

		memcpy(text, bytes + sizeof(len), used);
		text[used] = '\0';
		request(ch, text);
	}
	return sizeof(len) + len;
}

/** Heartbeat, end of the boot, random numbers. */
const struct service service_misc = {
	.name = "QemuMiscPipe",
	.take = misc_take,
};
