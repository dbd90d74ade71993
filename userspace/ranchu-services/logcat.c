// SPDX-License-Identifier: GPL-2.0-only
/*
 * logcat: the guest writes its log, and reads nothing.
 *
 * Source: platform_external_qemu LogcatPipe.cpp (00cbb11a).
 */
#include "channel.h"

static ssize_t logcat_take(struct channel *ch, const u8 *bytes, size_t n)
{
	if (ch->guest->log)
		ch->guest->log(ch->guest->log_arg, bytes, n);
	return n;
}

/** The guest's log. */
const struct service service_logcat = {
	.name = "logcat",
	.take = logcat_take,
};
