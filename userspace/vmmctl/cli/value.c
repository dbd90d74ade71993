// SPDX-License-Identifier: GPL-2.0-only
/*
 * One value of an option: describes the allowed values, parses a value, and stores it in the field
 * that the option's row names.
 */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/option.h"
#include "host/log.h"

/* Bytes of a wrong value that a message shows. */
#define SHOWN	80

/**
 * vmm_option_number - read a decimal number
 * @text: digits, and nothing else
 * @number: filled
 *
 * Return: 0, -EINVAL if it is no number, -ERANGE if it does not fit 64 bits
 */
int vmm_option_number(const char *text, u64 *number)
{
	u64 sum = 0;

	if (!*text)
		return -EINVAL;
	for (; *text; text++) {
		if (*text < '0' || *text > '9')
			return -EINVAL;
		if (__builtin_mul_overflow(sum, 10, &sum) ||
		    __builtin_add_overflow(sum, (u64)(*text - '0'), &sum))
			return -ERANGE;
	}
	*number = sum;
	return 0;
}

/**
 * vmm_options_size - read a size
 * @text: a decimal number, then nothing, K, M or G
 * @bytes: filled
 *
 * Return: 0, -EINVAL if it is no size, -ERANGE if it does not fit 64 bits
 */
int vmm_options_size(const char *text, u64 *bytes)
{
	static const char units[] = "KMG";
	size_t len = strlen(text);
	char digits[32];
	u64 unit = 1;
	const char *u;
	u64 number;
	int err;

	u = len ? strchr(units, text[len - 1] & ~0x20) : NULL;
	if (u && *u) {
		unit = 1ULL << 10 * (u - units + 1);
		len--;
	}
	if (len >= sizeof(digits))
		return -EINVAL;
	memcpy(digits, text, len);
	digits[len] = '\0';
	err = vmm_option_number(digits, &number);
	if (err)
		return err;
	return __builtin_mul_overflow(number, unit, bytes) ? -ERANGE : 0;
}

/**
 * vmm_option_word - find a word
 * @words: list; may be NULL
 * @text: the word
 *
 * Return: its element, or NULL
 */
const struct vmm_option_word *vmm_option_word(const struct vmm_option_word *words,
					      const char *text)
{
	for (; words && words->text; words++) {
		if (!strcmp(words->text, text))
			return words;
	}
	return NULL;
}

/* Writes a size as a short text, such as "1G". */
static void size_text(u64 bytes, char *text, size_t size)
{
	if (bytes && !(bytes % GIB))
		snprintf(text, size, "%lluG", bytes / GIB);
	else if (bytes && !(bytes % MIB))
		snprintf(text, size, "%lluM", bytes / MIB);
	else if (bytes && !(bytes % KIB))
		snprintf(text, size, "%lluK", bytes / KIB);
	else
		snprintf(text, size, "%llu", bytes);
}

static void append(char *text, size_t size, const char *more)
{
	size_t len = strlen(text);

	snprintf(text + len, size - len, "%s", more);
}

/* Appends "a, b or c"; with @more, the caller appends something else. */
static void append_words(const struct vmm_option_word *words, bool more, char *text, size_t size)
{
	for (; words && words->text; words++) {
		append(text, size, words->text);
		if (words[1].text && (words[2].text || more))
			append(text, size, ", ");
		else if (words[1].text || more)
			append(text, size, " or ");
	}
}

static void append_sizes(const struct vmm_option *option, char *text, size_t size)
{
	char min[24];
	char max[24];
	char step[24];
	char line[96];

	size_text(option->min, min, sizeof(min));
	size_text(option->max, max, sizeof(max));
	size_text(option->step, step, sizeof(step));
	if (option->step)
		snprintf(line, sizeof(line), "%s to %s in steps of %s", min, max, step);
	else
		snprintf(line, sizeof(line), "%s to %s", min, max);
	append(text, size, line);
}

/**
 * vmm_option_range - describe the values of an option
 * @option: the option
 * @text: filled
 * @size: bytes of @text
 */
void vmm_option_range(const struct vmm_option *option, char *text, size_t size)
{
	char line[64];

	*text = '\0';
	switch (option->type) {
	case VMM_OPT_FLAG:
		append(text, size, "no value");
		break;
	case VMM_OPT_SWITCH:
		append(text, size, "on or off");
		break;
	case VMM_OPT_NUMBER:
		append_words(option->words, true, text, size);
		snprintf(line, sizeof(line), "%llu to %llu", option->min, option->max);
		append(text, size, line);
		break;
	case VMM_OPT_SIZE:
		append_sizes(option, text, size);
		break;
	case VMM_OPT_MAC:
		append(text, size, "a MAC address of one station, such as 02:00:00:00:00:01");
		break;
	case VMM_OPT_WORD:
		append_words(option->words, false, text, size);
		break;
	case VMM_OPT_TEXT:
		append_words(option->words, false, text, size);
		snprintf(line, sizeof(line), "%llu to %llu bytes", option->min, option->max);
		if (!option->words)
			append(text, size, line);
		break;
	case VMM_OPT_DEVICE:
	case VMM_OPT_OWN:
		append(text, size, option->arg ? option->arg : "a value");
	}
}

static int refuse(const struct vmm_option *option, const char *where, const char *text)
{
	char range[200];

	vmm_option_range(option, range, sizeof(range));
	return vmm_error(-EINVAL, "%s: \"%.*s%s\" is not %s", where, SHOWN, text,
			 strlen(text) > SHOWN ? "..." : "", range);
}

/* Stores an integer in the width of the field; a table's range fits its field. */
static void store(const struct vmm_option *option, void *target, s64 value)
{
	void *field = (char *)target + option->offset;
	u64 wide = value;
	u32 word = value;
	u16 half = value;
	u8 byte = value;

	switch (option->size) {
	case sizeof(u8):
		memcpy(field, &byte, sizeof(byte));
		break;
	case sizeof(u16):
		memcpy(field, &half, sizeof(half));
		break;
	case sizeof(u32):
		memcpy(field, &word, sizeof(word));
		break;
	default:
		memcpy(field, &wide, sizeof(wide));
	}
}

static int set_integer(const struct vmm_option *option, const char *where, void *target,
		       const char *text)
{
	const struct vmm_option_word *word = vmm_option_word(option->words, text);
	u64 value = 0;
	int err = -EINVAL;

	if (word) {
		store(option, target, word->value);
		return 0;
	}
	if (option->type == VMM_OPT_NUMBER)
		err = vmm_option_number(text, &value);
	else if (option->type == VMM_OPT_SIZE)
		err = vmm_options_size(text, &value);
	if (err || value < option->min || value > option->max ||
	    (option->step && value % option->step))
		return refuse(option, where, text);
	store(option, target, value);
	return 0;
}

static int set_switch(const struct vmm_option *option, const char *where, void *target,
		      const char *text)
{
	bool on = !strcmp(text, "on");

	if (!on && strcmp(text, "off"))
		return refuse(option, where, text);
	store(option, target, on);
	return 0;
}

static int set_text(const struct vmm_option *option, const char *where, void *target,
		    const char *text)
{
	bool word = vmm_option_word(option->words, text);
	size_t len = strlen(text);

	/* Files may also be one of the option's words. */
	if (option->words && !word && !(option->flags & VMM_OPT_FILE))
		return refuse(option, where, text);
	/* The message has the length, because the text may be long. */
	if (!word && (len < option->min || len > option->max))
		return vmm_error(-EINVAL, "%s has %zu bytes; %llu to %llu are allowed", where,
				 len, option->min, option->max);
	memcpy((char *)target + option->offset, &text, sizeof(text));
	return 0;
}

static int hex_digit(char c)
{
	if (c >= '0' && c <= '9')
		return c - '0';
	c |= 0x20;
	return c >= 'a' && c <= 'f' ? c - 'a' + 10 : -1;
}

static int set_mac(const struct vmm_option *option, const char *where, void *target,
		   const char *text)
{
	const char *at = text;
	u8 mac[6];
	unsigned int i;

	for (i = 0; i < sizeof(mac); i++) {
		int high = hex_digit(at[0]);
		int low = high < 0 ? -1 : hex_digit(at[1]);

		if (low < 0 || at[2] != (i < 5 ? ':' : '\0'))
			return refuse(option, where, text);
		mac[i] = high << 4 | low;
		at += 3;
	}
	/* The lowest bit marks a group address. */
	if (mac[0] & 1)
		return refuse(option, where, text);
	memcpy((char *)target + option->offset, mac, sizeof(mac));
	return 0;
}

/**
 * vmm_option_file - resolve a path that is relative to the source's directory
 * @reader: the source of the option
 * @where: the option's name in messages
 * @path: the path
 *
 * Return: @path if it does not change, a copy owned by the config, or NULL after a
 *	message
 */
const char *vmm_option_file(const struct vmm_reader *reader, const char *where, const char *path)
{
	char whole[2 * PATH_MAX];
	int len;

	if (!reader->base || *path == '/')
		return path;
	len = snprintf(whole, sizeof(whole), "%s/%s", reader->base, path);
	if (len >= (int)sizeof(whole)) {
		vmm_error(-ENAMETOOLONG, "%s: %s/%s", where, reader->base, path);
		return NULL;
	}
	return vmm_options_keep(reader->cfg, whole, len);
}

/**
 * vmm_option_path - make the path in an option's value relative to the working directory
 * @reader: the source of the option
 * @option: the option
 * @text: its value
 *
 * Return: @text if it is no path or does not change, a copy owned by the config, or NULL after a
 *	message
 */
const char *vmm_option_path(const struct vmm_reader *reader, const struct vmm_option *option,
			    const char *text)
{
	const struct vmm_option_word *word;

	if (!(option->flags & VMM_OPT_FILE) || option->type != VMM_OPT_TEXT)
		return text;
	for (word = option->words; word && word->text; word++) {
		if (!strcmp(word->text, text))
			return text;
	}
	return vmm_option_file(reader, option->key, text);
}

/**
 * vmm_option_set - read a value and store it
 * @option: not of type VMM_OPT_DEVICE or VMM_OPT_OWN
 * @where: the option's name in messages
 * @target: the config or device that has the field
 * @text: the value; a text field will point to it
 *
 * Return: 0, or -EINVAL with @target unchanged
 */
int vmm_option_set(const struct vmm_option *option, const char *where, void *target,
		   const char *text)
{
	switch (option->type) {
	case VMM_OPT_FLAG:
	case VMM_OPT_SWITCH:
		return set_switch(option, where, target, text);
	case VMM_OPT_NUMBER:
	case VMM_OPT_SIZE:
	case VMM_OPT_WORD:
		return set_integer(option, where, target, text);
	case VMM_OPT_TEXT:
		return set_text(option, where, target, text);
	case VMM_OPT_MAC:
		return set_mac(option, where, target, text);
	default:
		return vmm_error(-EINVAL, "%s has no field", where);
	}
}

/**
 * vmm_option_defaults - store a table's defaults
 * @table: the table
 * @target: the config or device
 *
 * Return: 0, or -EINVAL if the table is wrong
 */
int vmm_option_defaults(const struct vmm_option_table *table, void *target)
{
	unsigned int i;
	int err;

	for (i = 0; i < table->count; i++) {
		if (!table->options[i].initial)
			continue;
		err = vmm_option_set(&table->options[i], table->options[i].key, target,
				     table->options[i].initial);
		if (err)
			return err;
	}
	return 0;
}
