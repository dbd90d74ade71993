// SPDX-License-Identifier: GPL-2.0-only
/*
 * multidisplay: the guest asks for further screens, and is told when one is added
 * or removed. Its messages about pictures for them are ignored: this board shows
 * one screen. Messages follow their length; numbers are little endian.
 *
 * Source: platform_external_qemu MultiDisplayPipe.cpp, the newest text;
 * AndroidAsyncMessagePipe.cpp (16c028b0).
 */
#include <endian.h>
#include <errno.h>
#include <string.h>

#include "channel.h"

enum display_op { DISPLAY_ADD = 1, DISPLAY_DELETE, DISPLAY_QUERY, DISPLAY_BIND };

struct display_message {
	__le32 length;
	u8 op;
	__le32 id;
	__le32 width;
	__le32 height;
	__le32 dpi;
	__le32 flag;
} __attribute__((packed));

static void say_display(struct channel *ch, unsigned int id)
{
	struct display_message message = { .length = htole32(21), .id = htole32(id) };

	message.op = ch->guest->display[id - 1].width ? DISPLAY_ADD : DISPLAY_DELETE;
	message.width = htole32(ch->guest->display[id - 1].width);
	message.height = htole32(ch->guest->display[id - 1].height);
	message.dpi = htole32(ch->guest->display[id - 1].dpi);
	message.flag = htole32(ch->guest->display[id - 1].flag);
	channel_put(ch, &message, sizeof(message));
}

static ssize_t display_take(struct channel *ch, const u8 *bytes, size_t n)
{
	unsigned int id;
	__le32 head;
	u32 len;

	if (n < sizeof(head))
		return 0;
	memcpy(&head, bytes, sizeof(head));
	len = le32toh(head);
	if (len > CHANNEL_MESSAGE - sizeof(head))
		return -EPROTO;
	if (n < sizeof(head) + len)
		return 0;
	for (id = 1; len && bytes[sizeof(head)] == DISPLAY_QUERY && id <= GUEST_DISPLAYS; id++) {
		if (ch->guest->display[id - 1].width)
			say_display(ch, id);
	}
	return sizeof(head) + len;
}

static void display_told(struct channel *ch, const struct vmm_guest_record *record)
{
	if (record->what == VMM_GUEST_DISPLAY)
		say_display(ch, record->number);
}

/** Further screens. */
const struct service service_multidisplay = {
	.name = "multidisplay",
	.take = display_take,
	.told = display_told,
};
