// SPDX-License-Identifier: GPL-2.0-only
/*
 * Text of bounded length that is put together piece by piece.
 */
#include <stdarg.h>
#include <stdio.h>

#include "machine/text.h"

/**
 * vmm_text_clear - make a text empty
 * @text: the text
 */
void vmm_text_clear(struct vmm_text *text)
{
	text->bytes[0] = '\0';
	text->len = 0;
	text->cut = false;
}

/**
 * vmm_text_add - add to a text
 * @text: gets the whole piece, or nothing of it where there is no room
 * @fmt: the piece, as for printf()
 */
void vmm_text_add(struct vmm_text *text, const char *fmt, ...)
{
	size_t room = sizeof(text->bytes) - text->len;
	va_list args;
	int len;

	va_start(args, fmt);
	len = vsnprintf(text->bytes + text->len, room, fmt, args);
	va_end(args);
	if (len < 0 || (size_t)len >= room) {
		text->bytes[text->len] = '\0';
		text->cut = true;
		return;
	}
	text->len += len;
}

/**
 * vmm_text_utf8 - measure a character
 * @at: where it begins
 * @left: bytes there, at least one
 *
 * Return: bytes of the character in UTF-8, 0 if it is none or not in its shortest form
 */
size_t vmm_text_utf8(const char *at, size_t left)
{
	static const u32 least[] = { 0, 0, 0x80, 0x800, 0x10000 };
	const u8 *byte = (const u8 *)at;
	size_t len = *byte < 0x80 ? 1 : *byte >> 5 == 6 ? 2 : *byte >> 4 == 14 ? 3 :
		     *byte >> 3 == 30 ? 4 : 0;
	u32 c = len == 1 ? *byte : *byte & (0x7f >> len);
	size_t i;

	if (!len || len > left)
		return 0;
	for (i = 1; i < len; i++) {
		if (byte[i] >> 6 != 2)
			return 0;
		c = c << 6 | (byte[i] & 0x3f);
	}
	return c < least[len] || c > 0x10ffff || c >> 11 == 0x1b ? 0 : len;
}
