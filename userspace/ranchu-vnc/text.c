// SPDX-License-Identifier: GPL-2.0-only
/*
 * Texts of a clipboard: the guest uses UTF-8, viewers may use Latin-1 only.
 */
#include "ranchu_vnc.h"

/**
 * vnc_utf8 - convert Latin-1 to UTF-8
 * @latin1: the text
 * @len: bytes of it
 * @utf8: filled, room for twice as many
 *
 * Return: bytes of @utf8
 */
size_t vnc_utf8(const char *latin1, size_t len, char *utf8)
{
	size_t n = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		u8 c = latin1[i];

		if (c >= 0x80) {
			utf8[n++] = 0xc0 | c >> 6;
			c = 0x80 | (c & 0x3f);
		}
		utf8[n++] = c;
	}
	return n;
}

/**
 * vnc_latin1 - convert UTF-8 to Latin-1, with a question mark for other characters
 * @utf8: the text
 * @len: bytes of it
 * @latin1: filled, room for as many
 *
 * Return: bytes of @latin1
 */
size_t vnc_latin1(const char *utf8, size_t len, char *latin1)
{
	size_t n = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		u8 c = utf8[i];

		if ((c & 0xfe) == 0xc2 && i + 1 < len && ((u8)utf8[i + 1] & 0xc0) == 0x80)
			c = (c & 3) << 6 | (utf8[++i] & 0x3f);
		else if (c >= 0xc0)
			c = '?';
		else if (c >= 0x80)
			continue;	/* the rest of a replaced character */
		latin1[n++] = c;
	}
	return n;
}
