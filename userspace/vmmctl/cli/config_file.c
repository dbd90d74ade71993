// SPDX-License-Identifier: GPL-2.0-only
/*
 * The configuration file: one JSON object whose members are options. Values are converted to those
 * of the command line, so that both have the same rules.
 */
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "cli/option.h"
#include "host/log.h"

/**
 * struct file_reader - the file being read
 * @reader: source that gets the options
 * @name: name of the file
 * @first: true: only options that name a source of options are read; false: only the others
 */
struct file_reader {
	struct vmm_reader *reader;
	const char *name;
	bool first;
};

static const char *json_kind(const json_t *value)
{
	static const char *const kinds[] = {
		[JSON_OBJECT] = "an object", [JSON_ARRAY] = "an array",
		[JSON_STRING] = "a string", [JSON_INTEGER] = "a number",
		[JSON_REAL] = "a fraction", [JSON_TRUE] = "true", [JSON_FALSE] = "false",
		[JSON_NULL] = "null",
	};

	return kinds[json_typeof(value)];
}

static bool is_number(const struct vmm_option *option)
{
	return option->type == VMM_OPT_NUMBER || option->type == VMM_OPT_SIZE ||
	       option->type == VMM_OPT_WORD;
}

static bool is_boolean(const struct vmm_option *option)
{
	return option->type == VMM_OPT_FLAG || option->type == VMM_OPT_SWITCH ||
	       (option->flags & VMM_OPT_MAY_BE_ALONE);
}

/* Converts a value to that of the command line, owned by the config; NULL after a message. */
static const char *value_text(struct vmm_config *cfg, const struct vmm_option *option,
			      const char *where, const json_t *value)
{
	char number[24];
	char range[200];

	if (json_is_string(value) && option->type != VMM_OPT_FLAG)
		return vmm_options_keep(cfg, json_string_value(value),
					json_string_length(value));
	if (json_is_integer(value) && is_number(option)) {
		snprintf(number, sizeof(number), "%lld", json_integer_value(value));
		return vmm_options_keep(cfg, number, strlen(number));
	}
	if (json_is_boolean(value) && is_boolean(option))
		return json_is_true(value) ? "on" : "off";
	vmm_option_range(option, range, sizeof(range));
	if (option->type == VMM_OPT_FLAG)
		snprintf(range, sizeof(range), "true or false");
	vmm_error(-EINVAL, "%s is %s; it takes %s", where, json_kind(value), range);
	return NULL;
}

static int device_member(struct vmm_device_reader *dev, const char *key, const json_t *value)
{
	const struct vmm_option_table *type = dev->type;
	const char *text = NULL;
	char where[160];
	unsigned int i;

	for (i = 0; i < type->count && strcmp(type->options[i].key, key); i++)
		;
	if (i < type->count) {
		snprintf(where, sizeof(where), "%s: %s", dev->where, key);
		text = value_text(dev->reader->cfg, &type->options[i], where, value);
		if (!text)
			return -EINVAL;
	}
	/* A key without a value is only possible on the command line. */
	return vmm_option_device_key(dev, key, text ? text : "");
}

/* @type: the type, or NULL if the object has it; another type in the object is an error. */
static int device_object(struct file_reader *file, const char *where,
			 const struct vmm_option_table *type, json_t *object)
{
	struct vmm_device_reader dev = { .where = where, .reader = file->reader };
	json_t *said = json_object_get(object, "type");
	const char *name = json_string_value(said);
	char types[200];
	const char *key;
	json_t *value;
	int err;

	if (type && said && (!name || strcmp(name, type->name)))
		return vmm_error(-EINVAL, "%s: \"type\" is \"%s\", or left out", where, type->name);
	if (!type && name)
		type = vmm_option_device_find(name, strlen(name));
	if (!type) {
		vmm_option_types(false, types, sizeof(types));
		return vmm_error(-EINVAL, "%s: \"type\" is one of %s", where, types);
	}
	dev.type = type;
	err = vmm_option_device_begin(&dev);
	if (err)
		return err;
	json_object_foreach(object, key, value) {
		if (!strcmp(key, "type"))
			continue;
		err = device_member(&dev, key, value);
		if (err)
			return err;
	}
	return vmm_option_device_end(&dev);
}

/* Stores one value of an option. */
static int option_value(struct file_reader *file, const struct vmm_option_ref *ref,
			const char *where, json_t *value)
{
	const struct vmm_option *option = ref->option;
	const char *text;

	if (option->type == VMM_OPT_DEVICE && json_is_object(value))
		return device_object(file, where, option->device, value);
	text = value_text(file->reader->cfg, option, where, value);
	if (!text)
		return -EINVAL;
	if (json_is_boolean(value) && option->flags & VMM_OPT_MAY_BE_ALONE) {
		if (json_is_false(value))
			return 0;
		text = NULL;
	}
	return vmm_option_give(file->reader, ref, where, text);
}

static int option_member(struct file_reader *file, const char *key, json_t *value)
{
	struct vmm_option_ref ref;
	char where[200];
	size_t i;
	int err;

	if (!vmm_option_find(key, strlen(key), &ref) ||
	    ref.option->flags & VMM_OPT_NOT_IN_FILE)
		return vmm_error(-EINVAL, "%s: there is no option \"%.60s\"", file->name, key);
	if (file->first != !!(ref.option->flags & VMM_OPT_FIRST))
		return 0;
	snprintf(where, sizeof(where), "%s: %s", file->name, key);
	if (!json_is_array(value) || !(ref.option->flags & VMM_OPT_REPEATS))
		return option_value(file, &ref, where, value);
	for (i = 0; i < json_array_size(value); i++) {
		snprintf(where, sizeof(where), "%s: %s[%zu]", file->name, key, i);
		err = option_value(file, &ref, where, json_array_get(value, i));
		if (err)
			return err;
	}
	return 0;
}

static int members(struct file_reader *file, json_t *root)
{
	const char *key;
	json_t *value;
	int err = 0;

	json_object_foreach(root, key, value) {
		err = option_member(file, key, value);
		if (err)
			break;
	}
	return err;
}

/* Loads the snapshot that the file names; one on the command line replaces it. */
static int members_first(struct file_reader file, json_t *root)
{
	struct vmm_config *cfg = file.reader->cfg;
	const char *from = cfg->from;
	int err;

	file.first = true;
	err = members(&file, root);
	if (from)
		cfg->from = from;
	return err || !cfg->from ? err : vmm_from_read(cfg);
}

/**
 * vmm_config_file_parse - read options from JSON
 * @reader: source that gets the options
 * @name: name of the file, for messages
 * @text: the file
 * @len: bytes of it
 *
 * Return: 0, or -EINVAL
 */
int vmm_config_file_parse(struct vmm_reader *reader, const char *name, const char *text,
			  size_t len)
{
	struct file_reader file = { .reader = reader, .name = name };
	json_error_t error;
	json_t *root;
	int err = 0;

	root = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (!root)
		return vmm_error(-EINVAL, "%s:%d:%d: %s", name, error.line, error.column,
				 error.text);
	if (!json_is_object(root)) {
		err = vmm_error(-EINVAL, "%s is %s; it has to be one JSON object", name,
				json_kind(root));
	} else {
		if (reader->from)
			err = members_first(file, root);
		if (!err)
			err = members(&file, root);
	}
	json_decref(root);
	return err;
}
