// SPDX-License-Identifier: GPL-2.0-only
/*
 * The origin of a VM: the command lines that it was started with. A snapshot of the VM repeats
 * them, and a user who starts the snapshot runs them with all rights of that user. vmmctl writes
 * them to a file of the VM's directory before it enters the sandbox, in which no file can be
 * opened; the program that saves the VM reads them from that file. The VM's own answer is not
 * trusted, because a guest may have taken the process over.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "snapshot/snapshot.h"

/* Lists the command lines of earlier snapshots and of this run; NULL if a text is not UTF-8. */
static json_t *origin_layers(const struct vmm_config *cfg)
{
	json_t *layers = cfg->snapshot ?
		json_deep_copy(json_object_get(vmm_snapshot_body(cfg->snapshot), "layers")) :
		json_array();
	json_t *words = json_array();
	unsigned int i;
	bool ok = layers && words;

	for (i = 0; ok && i < cfg->word_count; i++)
		ok = !json_array_append_new(words, json_string(cfg->words[i]));
	ok = ok && !json_array_append_new(layers, json_pack("{s:s, s:O}", "directory",
							    cfg->directory ? cfg->directory : "/",
							    "words", words));
	json_decref(words);
	if (ok)
		return layers;
	json_decref(layers);
	return NULL;
}

/* Lists the paths of the disks, in order of the command line; NULL if a path is not UTF-8. */
static json_t *origin_images(const struct vmm_config *cfg)
{
	json_t *paths = json_array();
	unsigned int i;

	for (i = 0; paths && i < cfg->disks; i++) {
		if (!json_array_append_new(paths, json_string(cfg->disk[i].path)))
			continue;
		json_decref(paths);
		return NULL;
	}
	return paths;
}

/*
 * Returns whether a word names a file that only this process has open, such as a copy without a
 * name. Another process with the same command line would open another file, or none.
 */
static bool names_own_file(const char *word)
{
	static const char *const own[] = { "/proc/self/fd/", "/dev/fd/" };
	const char *at;
	unsigned int i;

	if (!strncmp(word, "--append", strlen("--append")))
		return false;
	for (i = 0; i < ARRAY_SIZE(own); i++) {
		at = strstr(word, own[i]);
		if (at && (at == word || at[-1] == '='))
			return true;
	}
	return false;
}

static const char *own_file(const struct vmm_config *cfg)
{
	unsigned int i;

	for (i = 0; i < cfg->word_count; i++) {
		if (names_own_file(cfg->words[i]))
			return cfg->words[i];
	}
	return NULL;
}

#define NO_TEXT	"a word of the command line, a disk's name, or the directory, is no UTF-8"

static json_t *origin_make(const struct vmm_config *cfg)
{
	const char *own = own_file(cfg);
	json_t *layers = own ? NULL : origin_layers(cfg);
	json_t *images = layers ? origin_images(cfg) : NULL;
	json_t *origin;

	if (own)
		return json_pack("{s:s+}", "why", own, " is a file of this run only");
	if (!images) {
		json_decref(layers);
		return json_pack("{s:s}", "why", NO_TEXT);
	}
	origin = json_pack("{s:o, s:o}", "layers", layers, "images", images);
	if (origin && cfg->snapshot)
		json_object_set_new(origin, "base", vmm_snapshot_base(cfg->snapshot));
	return origin;
}

/**
 * vmm_origin_text - write the origin of a VM as text
 * @cfg: the command line; its snapshot is open
 *
 * To be called before the sandbox is entered. If the command line cannot be written, the text has
 * the reason instead, and vmm_origin_parse() reports it to the user who saves the VM.
 *
 * Return: the text, which free() frees, or NULL after a message
 */
char *vmm_origin_text(const struct vmm_config *cfg)
{
	json_t *origin = origin_make(cfg);
	char *text = origin ? json_dumps(origin, JSON_COMPACT) : NULL;

	json_decref(origin);
	if (!text)
		vmm_error(ENOMEM, "snapshot: what the VM is started with");
	return text;
}

/**
 * vmm_origin_parse - read the origin of a VM
 * @text: text that vmm_origin_text() has written
 * @len: its bytes
 *
 * Return: an object that the caller owns, or NULL after a message
 */
json_t *vmm_origin_parse(const char *text, size_t len)
{
	json_t *origin = json_loadb(text, len, JSON_REJECT_DUPLICATES, NULL);
	const char *why = vmm_manifest_word(origin, "why");

	if (why)
		vmm_error(-EOPNOTSUPP, "snapshot: %s", why);
	else if (!json_array_size(json_object_get(origin, "layers")) ||
		 !json_is_array(json_object_get(origin, "images")))
		vmm_error(-EINVAL, "snapshot: what the VM was started with cannot be read");
	else
		return origin;
	json_decref(origin);
	return NULL;
}

/* Takes the disks' paths from the origin; their state is from the VM's answer. */
static int body_images(json_t *body, const json_t *origin)
{
	json_t *images = json_object_get(body, "images");
	const json_t *paths = json_object_get(origin, "images");
	size_t i;

	if (!json_is_array(images) || json_array_size(images) != json_array_size(paths))
		return -EINVAL;
	for (i = 0; i < json_array_size(paths); i++) {
		if (json_object_set(json_array_get(images, i), "path", json_array_get(paths, i)))
			return -EINVAL;
	}
	return 0;
}

/* Takes the base snapshot from the origin, if the VM's answer says that it needs one. */
static int body_base(json_t *body, const json_t *origin)
{
	json_t *ram = json_object_get(body, "ram");

	if (!json_object_get(ram, "base"))
		return 0;
	return json_object_set(ram, "base", json_object_get(origin, "base")) ? -EINVAL : 0;
}

/**
 * vmm_origin_body - make the body of a manifest
 * @origin: the VM's origin
 * @answer: the VM's answer; its command lines and paths are ignored
 *
 * Return: the body, which the caller owns, or NULL after a message
 */
json_t *vmm_origin_body(const json_t *origin, const json_t *answer)
{
	static const char *const keys[] = {
		"id", "created", "machine", "images", "state", "ram", "ran",
	};
	json_t *body = json_object();
	unsigned int i;

	for (i = 0; body && i < ARRAY_SIZE(keys); i++) {
		json_t *value = json_object_get(answer, keys[i]);

		if (value)
			json_object_set_new(body, keys[i], json_deep_copy(value));
	}
	if (!json_object_set(body, "layers", json_object_get(origin, "layers")) &&
	    !body_images(body, origin) && !body_base(body, origin))
		return body;
	json_decref(body);
	vmm_error(-EINVAL, "snapshot: the VM's answer does not fit what it was started with");
	return NULL;
}
