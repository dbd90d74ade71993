// SPDX-License-Identifier: GPL-2.0-only
/*
 * Names of input events: all of linux/input-event-codes.h, from which the list is made
 * when vmmctl is built.
 */
#include <endian.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <linux/input.h>

#include "devices/input_names.h"

/**
 * struct name - a name and its number
 * @name: the name
 * @value: the number
 */
struct name {
	const char *name;
	u32 value;
};

#define NAME(name) { #name, name },

static const struct name names[] = {
#include "devices/input_names.inc"
};

/**
 * struct group - prefixes of the names of a type's codes
 * @type: the type
 * @prefix: prefixes of the codes' names; NULL where there are fewer
 */
struct group {
	u32 type;
	const char *prefix[2];
};

static const struct group groups[] = {
	{ EV_SYN, { "SYN_" } }, { EV_KEY, { "KEY_", "BTN_" } }, { EV_REL, { "REL_" } },
	{ EV_ABS, { "ABS_" } }, { EV_MSC, { "MSC_" } }, { EV_SW, { "SW_" } },
	{ EV_LED, { "LED_" } }, { EV_SND, { "SND_" } }, { EV_REP, { "REP_" } },
};

/**
 * vmm_input_event - make an event
 * @type: its type
 * @code: its code
 * @value: its value
 *
 * Return: the event
 */
struct virtio_input_event vmm_input_event(u16 type, u16 code, s32 value)
{
	return (struct virtio_input_event){
		.type = htole16(type), .code = htole16(code), .value = htole32(value),
	};
}

static bool has_prefix(const char *text, const char *prefix)
{
	return prefix && !strncmp(text, prefix, strlen(prefix));
}

static bool in_group(const struct group *group, const char *name)
{
	return has_prefix(name, group->prefix[0]) || has_prefix(name, group->prefix[1]);
}

/* Parses a number from @min to @max, or an empty text; else -EINVAL. */
static int number_parse(const char *text, s64 min, s64 max, s64 *number)
{
	char *rest;

	if (!*text || *text == ' ' || *text == '+')
		return -EINVAL;
	errno = 0;
	*number = strtoll(text, &rest, 0);
	return errno || *rest || *number < min || *number > max ? -EINVAL : 0;
}

static int name_parse(const char *text, s64 *number)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(names[i].name, text))
			continue;
		*number = names[i].value;
		return 0;
	}
	return -EINVAL;
}

static const struct group *group_find(u32 type)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(groups); i++) {
		if (groups[i].type == type)
			return &groups[i];
	}
	return NULL;
}

static int type_parse(const char *text, s64 *type)
{
	if (!number_parse(text, 0, EV_MAX, type))
		return 0;
	return has_prefix(text, "EV_") ? name_parse(text, type) : -EINVAL;
}

static int code_parse(u32 type, const char *text, s64 *code)
{
	const struct group *group = group_find(type);

	if (!number_parse(text, 0, KEY_MAX, code))
		return 0;
	return group && in_group(group, text) ? name_parse(text, code) : -EINVAL;
}

/**
 * vmm_input_event_parse - read an event in text form
 * @text: TYPE:CODE:VALUE, where type and code are names or numbers
 * @len: bytes of @text
 * @event: filled
 *
 * Return: 0, or -EINVAL
 */
int vmm_input_event_parse(const char *text, size_t len, struct virtio_input_event *event)
{
	s64 type, code, value;
	char copy[64];
	char *second;
	char *third;

	if (len >= sizeof(copy))
		return -EINVAL;
	memcpy(copy, text, len);
	copy[len] = '\0';
	second = strchr(copy, ':');
	third = second ? strchr(second + 1, ':') : NULL;
	if (!third)
		return -EINVAL;
	*second++ = '\0';
	*third++ = '\0';
	if (type_parse(copy, &type) || code_parse(type, second, &code) ||
	    number_parse(third, INT32_MIN, INT32_MAX, &value))
		return -EINVAL;
	*event = vmm_input_event(type, code, value);
	return 0;
}

/**
 * vmm_input_types - list the types that have names
 * @text: gets a line for each
 */
void vmm_input_types(struct vmm_text *text)
{
	size_t i;

	for (i = 0; i < ARRAY_SIZE(names); i++) {
		if (has_prefix(names[i].name, "EV_"))
			vmm_text_add(text, "%s = %u\n", names[i].name, names[i].value);
	}
}

/**
 * vmm_input_codes - list the codes of a type
 * @type: a name or a number
 * @text: gets a line for each code that has a name
 *
 * Return: 0, or -EINVAL if there is no such type
 */
int vmm_input_codes(const char *type, struct vmm_text *text)
{
	const struct group *group;
	s64 number;
	size_t i;

	if (type_parse(type, &number))
		return -EINVAL;
	group = group_find(number);
	for (i = 0; group && i < ARRAY_SIZE(names); i++) {
		if (in_group(group, names[i].name))
			vmm_text_add(text, "%s = %u\n", names[i].name, names[i].value);
	}
	return 0;
}
