// SPDX-License-Identifier: GPL-2.0-only
/*
 * Types text: finds the keys of a US keyboard that write a character.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <linux/input.h>

#include "devices/input_names.h"

#define SHIFT	0x8000

/* The key of each character, with a flag for shift; 0 if no key writes it. */
static const u16 keys[128] = {
	['\b'] = KEY_BACKSPACE, ['\t'] = KEY_TAB, ['\n'] = KEY_ENTER, [27] = KEY_ESC,
	[' '] = KEY_SPACE,
	['a'] = KEY_A, ['b'] = KEY_B, ['c'] = KEY_C, ['d'] = KEY_D, ['e'] = KEY_E,
	['f'] = KEY_F, ['g'] = KEY_G, ['h'] = KEY_H, ['i'] = KEY_I, ['j'] = KEY_J,
	['k'] = KEY_K, ['l'] = KEY_L, ['m'] = KEY_M, ['n'] = KEY_N, ['o'] = KEY_O,
	['p'] = KEY_P, ['q'] = KEY_Q, ['r'] = KEY_R, ['s'] = KEY_S, ['t'] = KEY_T,
	['u'] = KEY_U, ['v'] = KEY_V, ['w'] = KEY_W, ['x'] = KEY_X, ['y'] = KEY_Y,
	['z'] = KEY_Z,
	['1'] = KEY_1, ['2'] = KEY_2, ['3'] = KEY_3, ['4'] = KEY_4, ['5'] = KEY_5,
	['6'] = KEY_6, ['7'] = KEY_7, ['8'] = KEY_8, ['9'] = KEY_9, ['0'] = KEY_0,
	['!'] = SHIFT | KEY_1, ['@'] = SHIFT | KEY_2, ['#'] = SHIFT | KEY_3,
	['$'] = SHIFT | KEY_4, ['%'] = SHIFT | KEY_5, ['^'] = SHIFT | KEY_6,
	['&'] = SHIFT | KEY_7, ['*'] = SHIFT | KEY_8, ['('] = SHIFT | KEY_9,
	[')'] = SHIFT | KEY_0,
	['-'] = KEY_MINUS, ['_'] = SHIFT | KEY_MINUS,
	['='] = KEY_EQUAL, ['+'] = SHIFT | KEY_EQUAL,
	['['] = KEY_LEFTBRACE, ['{'] = SHIFT | KEY_LEFTBRACE,
	[']'] = KEY_RIGHTBRACE, ['}'] = SHIFT | KEY_RIGHTBRACE,
	[';'] = KEY_SEMICOLON, [':'] = SHIFT | KEY_SEMICOLON,
	['\''] = KEY_APOSTROPHE, ['"'] = SHIFT | KEY_APOSTROPHE,
	['`'] = KEY_GRAVE, ['~'] = SHIFT | KEY_GRAVE,
	['\\'] = KEY_BACKSLASH, ['|'] = SHIFT | KEY_BACKSLASH,
	[','] = KEY_COMMA, ['<'] = SHIFT | KEY_COMMA,
	['.'] = KEY_DOT, ['>'] = SHIFT | KEY_DOT,
	['/'] = KEY_SLASH, ['?'] = SHIFT | KEY_SLASH,
};

/* Reads a character as @digits hexadecimal digits; -1 for others. */
static int hex_take(const char **text, unsigned int digits)
{
	char copy[5] = { 0 };
	unsigned int i;

	for (i = 0; i < digits; i++) {
		copy[i] = *(*text)++;
		if (!isxdigit((unsigned char)copy[i]))
			return -1;
	}
	return strtol(copy, NULL, 16);
}

/* Reads the next character, which may be a backslash escape; -1 if invalid. */
static int char_take(const char **text)
{
	char c = *(*text)++;

	if (c != '\\')
		return (unsigned char)c;
	c = **text;
	if (!c)
		return -1;
	++*text;
	switch (c) {
	case 'n':
		return '\n';
	case 't':
		return '\t';
	case 'x':
		return hex_take(text, 2);
	case 'u':
		return hex_take(text, 4);
	case '\\':
		return '\\';
	default:
		return -1;
	}
}

/**
 * vmm_input_typed - find the events that type the next character
 * @text: the text; advanced past the character
 * @events: filled, at most VMM_INPUT_TYPED: one report for each key that is pressed or released
 *
 * \n, \t, \xNN, \uNNNN and \\ stand for one character each.
 *
 * Return: how many events, or -EINVAL if no key writes the character
 */
int vmm_input_typed(const char **text, struct virtio_input_event *events)
{
	int c = char_take(text);
	u16 key = 0;
	unsigned int n = 0;
	bool shift;

	if (c >= 0 && c < (int)ARRAY_SIZE(keys))
		key = keys[c] || !isupper(c) ? keys[c] : SHIFT | keys[tolower(c)];
	if (!key)
		return -EINVAL;
	shift = key & SHIFT;
	if (shift)
		events[n++] = vmm_input_event(EV_KEY, KEY_LEFTSHIFT, 1);
	if (shift)
		events[n++] = vmm_input_event(EV_SYN, SYN_REPORT, 0);
	events[n++] = vmm_input_event(EV_KEY, key & ~SHIFT, 1);
	events[n++] = vmm_input_event(EV_SYN, SYN_REPORT, 0);
	events[n++] = vmm_input_event(EV_KEY, key & ~SHIFT, 0);
	if (shift)
		events[n++] = vmm_input_event(EV_KEY, KEY_LEFTSHIFT, 0);
	events[n++] = vmm_input_event(EV_SYN, SYN_REPORT, 0);
	return n;
}
