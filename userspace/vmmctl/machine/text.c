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
