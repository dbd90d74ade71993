// SPDX-License-Identifier: GPL-2.0-only
/*
 * gps: NMEA sentences, one per line, without frames. The guest's bytes are ignored.
 *
 * Source: platform_external_qemu android/docs/ANDROID-QEMUD-SERVICES.TXT (21df3597).
 */
#include <string.h>

#include "channel.h"

static void say_lines(struct channel *ch, const char *text)
{
	size_t len = strlen(text);

	/* Sends a complete line, or none. */
	if (len && channel_room(ch, len + 1)) {
		channel_put(ch, text, len);
		channel_put(ch, "\n", 1);
	}
}

static int gps_open(struct channel *ch, const char *args)
{
	(void)args;
	say_lines(ch, ch->guest->fix);
	return 0;
}

static ssize_t gps_take(struct channel *ch, const u8 *bytes, size_t n)
{
	(void)ch;
	(void)bytes;
	return n;
}

static void gps_told(struct channel *ch, const struct vmm_guest_record *record)
{
	if (record->what == VMM_GUEST_FIX || record->what == VMM_GUEST_NMEA)
		say_lines(ch, record->text);
}

/** The position. */
const struct service service_gps = {
	.name = "gps",
	.open = gps_open,
	.take = gps_take,
	.told = gps_told,
};
