// SPDX-License-Identifier: GPL-2.0-only
/*
 * JSON from an untrusted client. jansson's parser is recursive, so the depth is limited here,
 * before the text is parsed.
 */
#include <stdio.h>
#include <string.h>

#include "control/control.h"

/* Returns the deepest level of brackets outside strings, which need not match. */
static unsigned int json_depth(const char *text, size_t len)
{
	unsigned int deepest = 0;
	unsigned int depth = 0;
	bool string = false;
	size_t i;

	for (i = 0; i < len; i++) {
		if (string) {
			if (text[i] == '\\')
				i++;
			else if (text[i] == '"')
				string = false;
		} else if (text[i] == '"') {
			string = true;
		} else if (text[i] == '{' || text[i] == '[') {
			if (++depth > deepest)
				deepest = depth;
		} else if ((text[i] == '}' || text[i] == ']') && depth) {
			depth--;
		}
	}
	return deepest;
}

/**
 * vmm_json_read - read a JSON object
 * @text: the text; need not end in a NUL
 * @len: bytes of it
 * @why: filled with the reason if it fails
 * @size: bytes of @why
 *
 * Return: the object, owned by the caller, or NULL: no JSON, not an object, a duplicate key, or
 *	more than VMM_JSON_DEPTH levels
 */
json_t *vmm_json_read(const char *text, size_t len, char *why, size_t size)
{
	json_error_t error;
	json_t *json;

	if (json_depth(text, len) > VMM_JSON_DEPTH) {
		snprintf(why, size, "JSON is nested deeper than %d levels", VMM_JSON_DEPTH);
		return NULL;
	}
	json = json_loadb(text, len, JSON_REJECT_DUPLICATES, &error);
	if (!json) {
		snprintf(why, size, "no JSON: %s", error.text);
		return NULL;
	}
	if (json_is_object(json))
		return json;
	json_decref(json);
	snprintf(why, size, "a request is a JSON object");
	return NULL;
}
