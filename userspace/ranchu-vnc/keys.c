// SPDX-License-Identifier: GPL-2.0-only
/*
 * Keys of a US keyboard, by X11's keysyms, which viewers send.
 *
 * Source: X11's keysymdef.h; linux/input-event-codes.h
 */
#include <linux/input-event-codes.h>

#include "ranchu_vnc.h"

/* Characters: with shift they are on the same key as without. */
static const unsigned char chars[128] = {
	[' '] = KEY_SPACE,
	['a'] = KEY_A, ['b'] = KEY_B, ['c'] = KEY_C, ['d'] = KEY_D, ['e'] = KEY_E,
	['f'] = KEY_F, ['g'] = KEY_G, ['h'] = KEY_H, ['i'] = KEY_I, ['j'] = KEY_J,
	['k'] = KEY_K, ['l'] = KEY_L, ['m'] = KEY_M, ['n'] = KEY_N, ['o'] = KEY_O,
	['p'] = KEY_P, ['q'] = KEY_Q, ['r'] = KEY_R, ['s'] = KEY_S, ['t'] = KEY_T,
	['u'] = KEY_U, ['v'] = KEY_V, ['w'] = KEY_W, ['x'] = KEY_X, ['y'] = KEY_Y,
	['z'] = KEY_Z,
	['1'] = KEY_1, ['!'] = KEY_1, ['2'] = KEY_2, ['@'] = KEY_2, ['3'] = KEY_3,
	['#'] = KEY_3, ['4'] = KEY_4, ['$'] = KEY_4, ['5'] = KEY_5, ['%'] = KEY_5,
	['6'] = KEY_6, ['^'] = KEY_6, ['7'] = KEY_7, ['&'] = KEY_7, ['8'] = KEY_8,
	['*'] = KEY_8, ['9'] = KEY_9, ['('] = KEY_9, ['0'] = KEY_0, [')'] = KEY_0,
	['-'] = KEY_MINUS, ['_'] = KEY_MINUS, ['='] = KEY_EQUAL, ['+'] = KEY_EQUAL,
	['['] = KEY_LEFTBRACE, ['{'] = KEY_LEFTBRACE,
	[']'] = KEY_RIGHTBRACE, ['}'] = KEY_RIGHTBRACE,
	[';'] = KEY_SEMICOLON, [':'] = KEY_SEMICOLON,
	['\''] = KEY_APOSTROPHE, ['"'] = KEY_APOSTROPHE, ['`'] = KEY_GRAVE, ['~'] = KEY_GRAVE,
	['\\'] = KEY_BACKSLASH, ['|'] = KEY_BACKSLASH, [','] = KEY_COMMA, ['<'] = KEY_COMMA,
	['.'] = KEY_DOT, ['>'] = KEY_DOT, ['/'] = KEY_SLASH, ['?'] = KEY_SLASH,
};

/**
 * struct special - a key without a character
 * @keysym: X11's keysym
 * @key: Linux' key code
 */
struct special {
	u32 keysym;
	unsigned int key;
};

static const struct special specials[] = {
	{ 0xff08, KEY_BACKSPACE }, { 0xff09, KEY_TAB }, { 0xfe20, KEY_TAB },
	{ 0xff0d, KEY_ENTER }, { 0xff8d, KEY_ENTER }, { 0xff1b, KEY_ESC },
	{ 0xff50, KEY_HOME }, { 0xff51, KEY_LEFT }, { 0xff52, KEY_UP }, { 0xff53, KEY_RIGHT },
	{ 0xff54, KEY_DOWN }, { 0xff55, KEY_PAGEUP }, { 0xff56, KEY_PAGEDOWN },
	{ 0xff57, KEY_END }, { 0xffff, KEY_DELETE }, { 0xff63, KEY_INSERT },
	{ 0xffe1, KEY_LEFTSHIFT }, { 0xffe2, KEY_RIGHTSHIFT }, { 0xffe3, KEY_LEFTCTRL },
	{ 0xffe4, KEY_RIGHTCTRL }, { 0xffe9, KEY_LEFTALT }, { 0xffea, KEY_RIGHTALT },
	{ 0xffe7, KEY_LEFTMETA }, { 0xffe8, KEY_RIGHTMETA }, { 0xffeb, KEY_LEFTMETA },
	{ 0xffec, KEY_RIGHTMETA }, { 0xffe5, KEY_CAPSLOCK },
	{ 0xffbe, KEY_F1 }, { 0xffbf, KEY_F2 }, { 0xffc0, KEY_F3 }, { 0xffc1, KEY_F4 },
	{ 0xffc2, KEY_F5 }, { 0xffc3, KEY_F6 }, { 0xffc4, KEY_F7 }, { 0xffc5, KEY_F8 },
	{ 0xffc6, KEY_F9 }, { 0xffc7, KEY_F10 }, { 0xffc8, KEY_F11 }, { 0xffc9, KEY_F12 },
};

/* Android's buttons are assigned to keys that a phone does not have. */
static const unsigned short buttons[][2] = {
	{ KEY_ESC, KEY_BACK }, { KEY_F1, KEY_MENU }, { KEY_F2, KEY_HOME }, { KEY_F3, KEY_BACK },
	{ KEY_F4, KEY_APPSELECT }, { KEY_F5, KEY_SEARCH }, { KEY_F6, KEY_VOLUMEDOWN },
	{ KEY_F7, KEY_VOLUMEUP }, { KEY_F8, KEY_POWER },
};

/**
 * vnc_key - find a key
 * @keysym: X11's keysym
 *
 * Return: Linux' key code, 0 if there is none
 */
unsigned int vnc_key(u32 keysym)
{
	size_t i;

	if (keysym >= 'A' && keysym <= 'Z')
		keysym += 'a' - 'A';
	if (keysym < ARRAY_SIZE(chars))
		return chars[keysym];
	for (i = 0; i < ARRAY_SIZE(specials); i++) {
		if (specials[i].keysym == keysym)
			return specials[i].key;
	}
	return 0;
}

/**
 * vnc_android_key - find the phone's button that is assigned to a key
 * @key: Linux' key code
 *
 * Return: the button's key code, or @key if there is none
 */
unsigned int vnc_android_key(unsigned int key)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(buttons); i++) {
		if (buttons[i][0] == key)
			return buttons[i][1];
	}
	return key;
}
