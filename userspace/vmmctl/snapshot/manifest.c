// SPDX-License-Identifier: GPL-2.0-only
/*
 * The manifest of a snapshot: a JSON object
 *
 *	{ "format": "ranchu-snapshot", "version": 1, "crc32": N, "body": { ... } }
 *
 * (version 2 if it needs another snapshot, "ram.base").
 *
 * The checksum is that of the body as compact text with sorted keys, so white space does not
 * matter. Readers get each key by its name and type.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <zlib.h>

#include "snapshot/snapshot.h"

#define FORMAT	"ranchu-snapshot"
#define VERSION		1
#define VERSION_BASED	2
/* Deepest nesting of a manifest. */
#define DEPTH	12

static int body_sum(const json_t *body, u32 *crc)
{
	char *text = json_dumps(body, JSON_COMPACT | JSON_SORT_KEYS);

	if (!text)
		return -ENOMEM;
	*crc = crc32(0, (const Bytef *)text, strlen(text));
	free(text);
	return 0;
}

/**
 * vmm_manifest_text - write a manifest
 * @body: its body
 *
 * Return: the text, which free() frees, or NULL after a message
 */
char *vmm_manifest_text(const json_t *body)
{
	json_t *manifest = NULL;
	char *text = NULL;
	int version;
	u32 crc;

	version = json_object_get(json_object_get(body, "ram"), "base") ? VERSION_BASED : VERSION;
	if (!body_sum(body, &crc))
		manifest = json_pack("{s:s, s:i, s:I, s:O}", "format", FORMAT, "version", version,
				     "crc32", (json_int_t)crc, "body", body);
	if (manifest)
		text = json_dumps(manifest, JSON_INDENT(1));
	json_decref(manifest);
	if (!text)
		vmm_error(ENOMEM, "snapshot: " VMM_SNAPSHOT_MANIFEST);
	return text;
}

/* Refuses deep nesting, because the parser is recursive. */
static bool too_deep(const char *text, size_t len)
{
	bool quoted = false;
	unsigned int depth = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		if (text[i] == '\\' && quoted)
			i++;
		else if (text[i] == '"')
			quoted = !quoted;
		else if (!quoted && (text[i] == '{' || text[i] == '['))
			depth++;
		else if (!quoted && (text[i] == '}' || text[i] == ']') && depth)
			depth--;
		if (depth > DEPTH)
			return true;
	}
	return false;
}

static int manifest_check(const json_t *manifest, const char *where)
{
	const char *format = vmm_manifest_word(manifest, "format");
	const json_t *body = json_object_get(manifest, "body");
	u64 version, crc;
	u32 sum = 0;
	int err;

	if (!format || strcmp(format, FORMAT))
		return vmm_error(-EINVAL, "snapshot: %s: \"format\" is not \"" FORMAT "\"", where);
	if (vmm_manifest_number(manifest, "version", ~0U, &version))
		return vmm_error(-EINVAL, "snapshot: %s has no \"version\"", where);
	if (version < VERSION || version > VERSION_BASED)
		return vmm_error(-EOPNOTSUPP,
				 "snapshot: %s: \"version\" is %llu, and this vmmctl knows %d",
				 where, version, VERSION_BASED);
	if (!json_is_object(body) || vmm_manifest_number(manifest, "crc32", ~0U, &crc))
		return vmm_error(-EINVAL, "snapshot: %s has no \"body\" and \"crc32\"", where);
	err = body_sum(body, &sum);
	if (!err && sum != crc)
		return vmm_error(-EBADMSG, "snapshot: %s: \"crc32\" is not that of \"body\"",
				 where);
	return err;
}

/**
 * vmm_manifest_parse - read a manifest
 * @text: the file
 * @len: bytes of it
 * @where: its name in messages
 *
 * Return: its body, an object owned by the caller, or NULL after a message
 */
json_t *vmm_manifest_parse(const char *text, size_t len, const char *where)
{
	json_t *manifest = NULL;
	json_t *body = NULL;
	json_error_t error;

	if (!too_deep(text, len))
		manifest = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (!manifest)
		vmm_error(-EBADMSG, "snapshot: %s is incomplete, or no JSON", where);
	else if (!manifest_check(manifest, where))
		body = json_incref(json_object_get(manifest, "body"));
	json_decref(manifest);
	return body;
}

/**
 * vmm_manifest_number - get a number
 * @object: the object that has it
 * @key: its key
 * @max: largest allowed value; the smallest is 0
 * @number: filled
 *
 * Return: 0, or -EINVAL without a message
 */
int vmm_manifest_number(const json_t *object, const char *key, u64 max, u64 *number)
{
	const json_t *value = json_object_get(object, key);

	if (!json_is_integer(value) || json_integer_value(value) < 0 ||
	    (u64)json_integer_value(value) > max)
		return -EINVAL;
	*number = json_integer_value(value);
	return 0;
}

/**
 * vmm_manifest_word - get a text
 * @object: the object that has it
 * @key: its key
 *
 * Return: the text, valid as long as @object; NULL if it is missing, or contains a NUL
 */
const char *vmm_manifest_word(const json_t *object, const char *key)
{
	const json_t *value = json_object_get(object, key);
	const char *text = json_string_value(value);

	return text && strlen(text) == json_string_length(value) ? text : NULL;
}

/**
 * vmm_manifest_id - convert a snapshot's ID to text
 * @id: VMM_SNAPSHOT_ID bytes
 *
 * Return: a text, or NULL without memory
 */
json_t *vmm_manifest_id(const u8 *id)
{
	char text[2 * VMM_SNAPSHOT_ID + 1];
	unsigned int i;

	for (i = 0; i < VMM_SNAPSHOT_ID; i++)
		snprintf(text + 2 * i, 3, "%02x", id[i]);
	return json_string(text);
}
