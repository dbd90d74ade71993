// SPDX-License-Identifier: GPL-2.0-only
/*
 * The keys of a device: TYPE,key=value,... on the command line, members of an object in the
 * configuration file. The device's table has the keys.
 */
#include <errno.h>
#include <string.h>

#include "cli/option.h"
#include "host/log.h"

/**
 * vmm_option_keys - list a device's keys
 * @type: its table
 * @text: filled, with commas
 * @size: bytes of it
 */
void vmm_option_keys(const struct vmm_option_table *type, char *text, size_t size)
{
	size_t len = 0;
	unsigned int i;

	*text = '\0';
	for (i = 0; i < type->count && len < size; i++)
		len += snprintf(text + len, size - len, "%s%s", i ? ", " : "",
				type->options[i].key);
}

/* Returns the row of @key, or -1. */
static int row_find(const struct vmm_option_table *type, const char *key)
{
	unsigned int i;

	for (i = 0; i < type->count; i++) {
		if (!strcmp(type->options[i].key, key))
			return i;
	}
	return -1;
}

/* Returns the row of a word without a key, or -1. */
static int row_bare(const struct vmm_option_table *type, const char *word)
{
	unsigned int i;

	for (i = 0; i < type->count; i++) {
		if (type->options[i].flags & VMM_OPT_BARE &&
		    vmm_option_word(type->options[i].words, word))
			return i;
	}
	return -1;
}

static int row_set(struct vmm_device_reader *dev, unsigned int row, const char *text)
{
	const struct vmm_option *option = &dev->type->options[row];
	char where[160];

	if (dev->given & 1ULL << row)
		return vmm_error(-EINVAL, "%s: %s is given twice", dev->where, option->key);
	dev->given |= 1ULL << row;
	snprintf(where, sizeof(where), "%s: %s", dev->where, option->key);
	text = vmm_option_path(dev->reader, option, text);
	return text ? vmm_option_set(option, where, dev->item, text) : -ENOMEM;
}

/* Returns whether this source has already had a device of a type that can exist only once. */
static bool single_again(struct vmm_device_reader *dev)
{
	unsigned int i = 0;
	bool again;

	while (vmm_option_devices[i] != dev->type)
		i++;
	again = dev->reader->singles & 1ULL << i;
	dev->reader->singles |= 1ULL << i;
	return again;
}

/**
 * vmm_option_device_begin - add a device
 * @dev: its @type, @where and @reader; the rest is filled
 *
 * Return: 0, or -EINVAL if there are as many as there may be
 */
int vmm_option_device_begin(struct vmm_device_reader *dev)
{
	dev->given = 0;
	if (dev->type->most == 1 && single_again(dev))
		return vmm_error(-EINVAL, "%s: there can be one %s only", dev->where,
				 dev->type->name);
	dev->item = dev->type->again ? dev->type->again(dev->reader->cfg) : NULL;
	if (dev->item)
		return 0;
	dev->item = dev->type->add(dev->reader->cfg);
	if (!dev->item)
		return vmm_error(-EINVAL, "%s: there can be at most %u", dev->where,
				 dev->type->most);
	return vmm_option_defaults(dev->type, dev->item);
}

/**
 * vmm_option_device_key - store a key's value
 * @dev: vmm_option_device_begin() was called
 * @key: the key, or a word without a key
 * @text: the value, which must outlive the config; NULL for none
 *
 * Return: 0, or -EINVAL
 */
int vmm_option_device_key(struct vmm_device_reader *dev, const char *key, const char *text)
{
	const struct vmm_option_table *type = dev->type;
	int row = row_find(type, key);
	char keys[200];

	if (row < 0 && !text) {
		row = row_bare(type, key);
		text = key;
	} else if (row >= 0 && !text && type->options[row].type == VMM_OPT_SWITCH) {
		text = "on";
	}
	if (row >= 0 && text)
		return row_set(dev, row, text);
	if (row >= 0) {
		vmm_option_range(&type->options[row], keys, sizeof(keys));
		return vmm_error(-EINVAL, "%s: %s needs a value: %s", dev->where, key, keys);
	}
	vmm_option_keys(type, keys, sizeof(keys));
	if (!*key)
		return vmm_error(-EINVAL, "%s: an empty key; keys: %s", dev->where, keys);
	if (!type->count)
		return vmm_error(-EINVAL, "%s: \"%s\": %s has no keys", dev->where, key,
				 type->name);
	return vmm_error(-EINVAL, "%s: there is no key \"%s\"; keys: %s", dev->where, key, keys);
}

/**
 * vmm_option_device_end - check a device after all its keys are stored
 * @dev: the device
 *
 * Return: 0, or -EINVAL
 */
int vmm_option_device_end(struct vmm_device_reader *dev)
{
	const struct vmm_option_table *type = dev->type;
	char typed[200];
	unsigned int i;

	for (i = 0; i < type->count; i++) {
		if (!(type->options[i].flags & VMM_OPT_REQUIRED) || dev->given & 1ULL << i)
			continue;
		vmm_help_option(&type->options[i], false, typed, sizeof(typed));
		return vmm_error(-EINVAL, "%s needs %s", dev->where, typed);
	}
	if (!type->check)
		return 0;
	return type->check(dev->reader->cfg, dev->where, dev->item, dev->given);
}

/* Cuts the next piece off @text at a comma; NULL after the last piece. */
static char *piece(char **text)
{
	char *begin = *text;
	char *comma;

	if (!begin)
		return NULL;
	comma = strchr(begin, ',');
	if (comma)
		*comma++ = '\0';
	*text = comma;
	return begin;
}

static int keys_read(struct vmm_device_reader *dev, char *text)
{
	char *key;
	int err = 0;

	while (!err && (key = piece(&text))) {
		char *value = strchr(key, '=');

		if (value)
			*value++ = '\0';
		err = vmm_option_device_key(dev, key, value);
	}
	return err;
}

/* Reads the type from TYPE or TYPE,key=value,...; @text is advanced past it. */
static const struct vmm_option_table *type_read(const char *where, const char **text)
{
	size_t len = strcspn(*text, ",");
	const struct vmm_option_table *type = vmm_option_device_find(*text, len);
	char types[200];

	if (!type) {
		vmm_option_types(false, types, sizeof(types));
		vmm_error(-EINVAL, "%s: there is no device \"%.*s\"; devices: %s", where,
			  len > 40 ? 40 : (int)len, *text, types);
		return NULL;
	}
	*text += len;
	return type;
}

/**
 * vmm_option_device - read a device from the command line
 * @reader: the device is added to its config
 * @where: its name in messages
 * @type: its type; NULL if @text begins with it
 * @text: its keys, with commas; the value of the table's first row comes first
 *
 * Return: 0, or -EINVAL
 */
int vmm_option_device(struct vmm_reader *reader, const char *where,
		      const struct vmm_option_table *type, const char *text)
{
	struct vmm_device_reader dev = { .where = where, .reader = reader };
	int first = type ? type->first : -1;
	bool typed = !type;
	char *keys;
	int err;

	if (!type)
		type = type_read(where, &text);
	if (!type)
		return -EINVAL;
	dev.type = type;
	err = vmm_option_device_begin(&dev);
	if (err)
		return err;
	keys = vmm_options_keep(reader->cfg, text, strlen(text));
	if (!keys)
		return -ENOMEM;
	if (typed)
		piece(&keys);
	else if (first >= 0)
		err = row_set(&dev, first, piece(&keys));
	else if (!*keys)
		keys = NULL;
	if (!err)
		err = keys_read(&dev, keys);
	return err ? err : vmm_option_device_end(&dev);
}

/**
 * vmm_option_virtio - read a small virtio device
 * @reader: the device is added to its config
 * @where: its name in messages
 * @text: TYPE, or TYPE=VALUE for the table's first row; VALUE may have commas
 *
 * Return: 0, or -EINVAL
 */
int vmm_option_virtio(struct vmm_reader *reader, const char *where, const char *text)
{
	struct vmm_device_reader dev = { .where = where, .reader = reader };
	size_t len = strcspn(text, "=");
	const char *value = text[len] ? text + len + 1 : NULL;
	char longer[160];
	int err;

	dev.type = vmm_option_device_find(text, len);
	if (!dev.type || dev.type->shorthand || dev.type->not_virtio) {
		vmm_option_types(true, longer, sizeof(longer));
		return vmm_error(-EINVAL, "%s: there is no device \"%.*s\"; devices: %s", where,
				 len > 40 ? 40 : (int)len, text, longer);
	}
	snprintf(longer, sizeof(longer), "%s %s", where, dev.type->name);
	dev.where = longer;
	err = vmm_option_device_begin(&dev);
	if (!err && value && dev.type->first < 0)
		err = vmm_error(-EINVAL, "%s takes no value", longer);
	else if (!err && value)
		err = row_set(&dev, dev.type->first, value);
	return err ? err : vmm_option_device_end(&dev);
}
