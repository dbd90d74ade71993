// SPDX-License-Identifier: GPL-2.0-only
/*
 * fingerprintlisten: the guest is told which finger touches the sensor, and when it leaves.
 * The guest sends "listen", and is then told of a finger that is there already. As in the
 * reference, a channel is told of changes before it sends that as well.
 *
 * Source: platform_external_qemu android/docs/ANDROID-QEMUD-SERVICES.TXT (21df3597), and
 * its hw-fingerprint.c.
 */
#include <stdio.h>
#include <string.h>

#include "channel.h"

/* The message includes its NUL. */
static void say_finger(struct channel *ch)
{
	char text[32] = "off";

	if (ch->guest->finger >= 0)
		snprintf(text, sizeof(text), "on:%d", ch->guest->finger);
	channel_frame(ch, text, strlen(text) + 1);
}

static void fingerprint_message(struct channel *ch, const char *message, size_t len)
{
	if (len >= 6 && !memcmp(message, "listen", 6) && ch->guest->finger >= 0)
		say_finger(ch);
}

static void fingerprint_told(struct channel *ch, const struct vmm_guest_record *record)
{
	if (record->what == VMM_GUEST_FINGER)
		say_finger(ch);
}

/** The fingerprint sensor. */
const struct service service_fingerprint = {
	.name = "fingerprintlisten",
	.framed = true,
	.message = fingerprint_message,
	.told = fingerprint_told,
};
