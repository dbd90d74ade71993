// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: the files of a snapshot. An input that begins with "{" is what a manifest
 * has inside, one that begins with "!" is all of a manifest behind that, one that begins
 * with "?" is what a VM that is saved answers, and any other is a device tree with states.
 *
 * Checked: what is refused leaves nothing behind, what is taken is the same when it is
 * written and read again, no state reaches beyond itself, and whatever a VM answers, the
 * command lines in its snapshot are those that it was started with.
 */
#include <string.h>

#include "host/output.h"
#include "snapshot/snapshot.h"
#include "fuzz.h"

static void manifest_inside(const u8 *data, size_t size)
{
	json_t *body = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	char *text = json_is_object(body) ? vmm_manifest_text(body) : NULL;
	json_t *again = text ? vmm_manifest_parse(text, strlen(text), "fuzz") : NULL;

	/* Refused for its depth, at most. */
	MUST(!again || json_equal(body, again));
	json_decref(again);
	json_decref(body);
	free(text);
}

static void manifest_whole(const u8 *data, size_t size)
{
	json_t *body = vmm_manifest_parse((const char *)data, size, "fuzz");
	u64 number;

	if (!body)
		return;
	vmm_manifest_word(body, "id");
	vmm_manifest_number(json_object_get(body, "ram"), "size", ~0ULL >> 1, &number);
	json_decref(body);
}

static void answer(const u8 *data, size_t size)
{
	static const char text[] =
		"{\"layers\":[{\"directory\":\"/\",\"words\":[\"--cpus=1\"]}],\"images\":[\"a\"]}";
	json_t *answer = json_loadb((const char *)data, size, JSON_REJECT_DUPLICATES, NULL);
	json_t *origin = vmm_origin_parse(text, strlen(text));
	json_t *body = answer ? vmm_origin_body(origin, answer) : NULL;
	const json_t *image = json_array_get(json_object_get(body, "images"), 0);

	MUST(origin);
	if (body) {
		MUST(json_equal(json_object_get(body, "layers"),
				json_object_get(origin, "layers")));
		MUST(!strcmp(vmm_manifest_word(image, "path"), "a"));
		/* It goes on from no snapshot. */
		MUST(!json_object_get(json_object_get(body, "ram"), "base"));
	}
	json_decref(body);
	json_decref(origin);
	json_decref(answer);
}

static void tree_again(struct vmm_tree *tree)
{
	struct vmm_tree *again = calloc(1, sizeof(*again));
	void *blob = NULL;
	size_t size = 0;
	unsigned int i;

	if (again && !vmm_tree_write(tree, &blob, &size)) {
		MUST(!vmm_tree_read(again, blob, size));
		MUST(again->parts == tree->parts);
		for (i = 0; i < tree->parts; i++) {
			MUST(again->state[i].len == tree->state[i].len);
			MUST(!memcmp(again->state[i].bytes, tree->state[i].bytes,
				     tree->state[i].len));
		}
		vmm_tree_free(again);
	}
	free(blob);
	free(again);
}

static void tree_read(const u8 *data, size_t size)
{
	struct vmm_tree *tree = calloc(1, sizeof(*tree));
	void *blob = malloc(size + 1);

	if (tree && blob) {
		memcpy(blob, data, size);
		if (!vmm_tree_read(tree, blob, size))
			tree_again(tree);
		vmm_tree_free(tree);
	}
	free(blob);
	free(tree);
}

static void quiet(void)
{
	static struct vmm_output nowhere;
	static bool done;

	if (done)
		return;
	done = true;
	vmm_output_init(&nowhere, -1);
	vmm_log_output(&nowhere);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	quiet();
	if (size && *data == '{')
		manifest_inside(data, size);
	else if (size && *data == '?')
		answer(data + 1, size - 1);
	else if (size && *data == '!')
		manifest_whole(data + 1, size - 1);
	else
		tree_read(data, size);
	return 0;
}
