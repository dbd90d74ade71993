// SPDX-License-Identifier: GPL-2.0-only
/*
 * boot-properties: properties that the host gives the guest while it boots. The guest sends
 * "list" and reads one message for each, then one with a single NUL.
 *
 * Source: platform_external_qemu android/docs/ANDROID-QEMUD-SERVICES.TXT (21df3597).
 */
#include <string.h>

#include "channel.h"

static void properties_message(struct channel *ch, const char *message, size_t len)
{
	unsigned int i;

	if (len < 4 || memcmp(message, "list", 4))
		return;
	for (i = 0; i < ch->guest->properties; i++)
		channel_frame(ch, ch->guest->property[i], strlen(ch->guest->property[i]));
	channel_frame(ch, "", 1);
}

/** Boot properties. */
const struct service service_boot_properties = {
	.name = "boot-properties",
	.framed = true,
	.message = properties_message,
};
