// SPDX-License-Identifier: GPL-2.0-only
/*
 * QemuMiscPipe: the guest sends heartbeats, reports the end of its boot, and asks for random
 * numbers.
 *
 * Source: platform_external_qemu QemuMiscPipe.cpp (017a3997).
 */
#include <stdlib.h>
#include <string.h>

#include "channel.h"

#define RANDOM_MAX	4096	/* bytes of an answer */

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
		channel_answer(ch, "KO", 3);
		return;
	}
	ch->guest->random(bytes, n);
	channel_answer(ch, bytes, n);
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
		/* Each channel reports it once. */
		ch->guest->booted |= !ch->booted;
		ch->booted = true;
	} else {
		channel_answer(ch, "KO", 3);
		return;
	}
	channel_answer(ch, "OK", 3);
}

/* A message that is cut here is none of the known ones. */
static void misc_message(struct channel *ch, const char *message, size_t len)
{
	char text[64];

	if (len >= sizeof(text))
		len = sizeof(text) - 1;
	memcpy(text, message, len);
	text[len] = '\0';
	request(ch, text);
}

/** Heartbeat, end of the boot, random numbers. */
const struct service service_misc = {
	.name = "QemuMiscPipe",
	.sized = true,
	.message = misc_message,
};
