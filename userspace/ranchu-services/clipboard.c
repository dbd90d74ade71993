// SPDX-License-Identifier: GPL-2.0-only
/*
 * clipboard: text in both directions, after its length in the host's byte order. The host's
 * text is sent when the queue is empty; a newer text replaces one that is not sent yet.
 * One channel at a time. A text of the guest that is too long is skipped.
 *
 * Source: platform_external_qemu ClipboardPipe.cpp (103aae36).
 */
#include <errno.h>
#include <string.h>

#include "channel.h"

static void clipboard_idle(struct channel *ch)
{
	struct guest *guest = ch->guest;
	u32 len = guest->clip;

	if (ch->len || ch->clip_number == guest->clip_number)
		return;
	ch->clip_number = guest->clip_number;
	channel_put(ch, &len, sizeof(len));
	channel_put(ch, guest->clipboard, len);
}

static int clipboard_open(struct channel *ch, const char *args)
{
	(void)args;
	if (ch->guest->clipboards)
		return -EBUSY;
	ch->guest->clipboards++;
	clipboard_idle(ch);
	return 0;
}

static void clipboard_close(struct channel *ch)
{
	ch->guest->clipboards--;
}

static ssize_t clipboard_take(struct channel *ch, const u8 *bytes, size_t n)
{
	struct guest *guest = ch->guest;
	u32 len;

	if (ch->skip) {
		n = n < ch->skip ? n : ch->skip;
		ch->skip -= n;
		return n;
	}
	if (n < sizeof(len))
		return 0;
	memcpy(&len, bytes, sizeof(len));
	if (len > sizeof(guest->copy)) {
		ch->skip = len;
		return sizeof(len);
	}
	if (n < sizeof(len) + len)
		return 0;
	memcpy(guest->copy, bytes + sizeof(len), len);
	guest->copy_len = len;
	guest->copied = true;
	return sizeof(len) + len;
}

static void clipboard_told(struct channel *ch, const struct vmm_guest_record *record)
{
	if (record->what == VMM_GUEST_CLIPBOARD)
		clipboard_idle(ch);
}

/** The clipboard. */
const struct service service_clipboard = {
	.name = "clipboard",
	.open = clipboard_open,
	.take = clipboard_take,
	.told = clipboard_told,
	.idle = clipboard_idle,
	.close = clipboard_close,
};
