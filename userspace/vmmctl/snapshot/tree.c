// SPDX-License-Identifier: GPL-2.0-only
/*
 * The states of a machine's parts as a flattened device tree: a node for each part, with the
 * model's name, the version of its fields, and a property for each field. Fields keep their order;
 * a field's number is in the name of its property.
 *
 *	/ {
 *		compatible = "ranchu,snapshot";
 *		version = <1>;
 *		id = [ ... ];
 *		cpu@0 { model = "cpu"; state-version = <1>; field-1 = [ ... ]; };
 *		interrupt-controller@0 { ... };
 *		device@3 { model = "battery"; ... };
 *	};
 */
#include <errno.h>
#include <libfdt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "snapshot/snapshot.h"

#define COMPATIBLE	"ranchu,snapshot"
#define VERSION		1
#define FIELD		"field-"

/**
 * vmm_tree_add - add a part
 * @tree: all zero at first
 * @node: type of the part
 * @index: index among parts of that type
 *
 * Return: its state, to be filled; NULL if there are too many
 */
struct vmm_state *vmm_tree_add(struct vmm_tree *tree, const char *node, unsigned int index)
{
	struct vmm_state *state;

	if (tree->parts == ARRAY_SIZE(tree->state))
		return NULL;
	state = &tree->state[tree->parts];
	*state = (struct vmm_state){ 0 };
	snprintf(tree->name[tree->parts], sizeof(tree->name[0]), "%s@%u", node, index);
	tree->parts++;
	return state;
}

/**
 * vmm_tree_find - find a part
 * @tree: the tree
 * @node: type of the part
 * @index: index among parts of that type
 *
 * Return: its state, to be read; or NULL
 */
struct vmm_state *vmm_tree_find(const struct vmm_tree *tree, const char *node,
				unsigned int index)
{
	char name[sizeof(tree->name[0])];
	unsigned int i;

	snprintf(name, sizeof(name), "%s@%u", node, index);
	for (i = 0; i < tree->parts; i++) {
		if (!strcmp(tree->name[i], name))
			return (struct vmm_state *)&tree->state[i];
	}
	return NULL;
}

/**
 * vmm_tree_free - free all states
 * @tree: may be empty
 */
void vmm_tree_free(struct vmm_tree *tree)
{
	while (tree->parts)
		vmm_state_free(&tree->state[--tree->parts]);
}

/* ---- writing ---- */

static int part_write(void *fdt, const char *node, struct vmm_state *state)
{
	char model[VMM_STATE_NAME];
	char name[32];
	const u8 *data;
	u32 version, tag, len;
	int err = fdt_begin_node(fdt, node);

	if (vmm_state_open_any(state, model, &version))
		return -FDT_ERR_BADVALUE;
	if (!err)
		err = fdt_property_string(fdt, "model", model);
	if (!err)
		err = fdt_property_u32(fdt, "state-version", version);
	while (!err && vmm_state_next(state, &tag, &data, &len)) {
		snprintf(name, sizeof(name), FIELD "%u", tag);
		err = fdt_property(fdt, name, data, len);
	}
	if (!err && vmm_state_close(state))
		err = -FDT_ERR_BADVALUE;
	return err ? err : fdt_end_node(fdt);
}

static int tree_write(void *fdt, int room, struct vmm_tree *tree)
{
	unsigned int i;
	int err = fdt_create(fdt, room);

	if (!err)
		err = fdt_finish_reservemap(fdt);
	if (!err)
		err = fdt_begin_node(fdt, "");
	if (!err)
		err = fdt_property_string(fdt, "compatible", COMPATIBLE);
	if (!err)
		err = fdt_property_u32(fdt, "version", VERSION);
	if (!err)
		err = fdt_property(fdt, "id", tree->id, sizeof(tree->id));
	for (i = 0; i < tree->parts && !err; i++)
		err = part_write(fdt, tree->name[i], &tree->state[i]);
	if (!err)
		err = fdt_end_node(fdt);
	return err ? err : fdt_finish(fdt);
}

/**
 * vmm_tree_write - write a device tree
 * @tree: all its states were written
 * @blob: set: the device tree, which free() frees
 * @size: set: bytes of it
 *
 * Return: 0, or -errno after a message
 */
int vmm_tree_write(struct vmm_tree *tree, void **blob, size_t *size)
{
	size_t room = 4096 + 1024 * (size_t)tree->parts;
	unsigned int i;
	int err;

	/* A property has a header, and at worst as much padding and its own name. */
	for (i = 0; i < tree->parts; i++)
		room += 8 * tree->state[i].len;
	if (room > INT32_MAX)
		return vmm_error(-E2BIG, "snapshot: the state has %zu bytes", room);
	*blob = malloc(room);
	if (!*blob)
		return vmm_error(ENOMEM, "snapshot: " VMM_SNAPSHOT_STATE);
	err = tree_write(*blob, room, tree);
	if (!err) {
		*size = fdt_totalsize(*blob);
		return 0;
	}
	free(*blob);
	*blob = NULL;
	return vmm_error(-EIO, "snapshot: " VMM_SNAPSHOT_STATE ": %s", fdt_strerror(err));
}

/* ---- reading ---- */

static int refuse(const char *what)
{
	return vmm_error(-EINVAL, "snapshot: " VMM_SNAPSHOT_STATE ": %s", what);
}

/* Returns the field's number in the name "field-N"; -1 for other properties. */
static s64 field_tag(const char *name)
{
	char again[32];
	unsigned long tag;

	if (strncmp(name, FIELD, strlen(FIELD)))
		return -1;
	tag = strtoul(name + strlen(FIELD), NULL, 10);
	if (tag > 0xffffffffUL)
		return -1;
	snprintf(again, sizeof(again), FIELD "%lu", tag);
	return strcmp(name, again) ? -1 : (s64)tag;
}

static int part_read_fields(const void *fdt, int node, struct vmm_state *state)
{
	const char *name;
	const void *data;
	int property;
	s64 tag;
	int len;

	fdt_for_each_property_offset(property, fdt, node) {
		data = fdt_getprop_by_offset(fdt, property, &name, &len);
		if (!data)
			return refuse("a property cannot be read");
		if (!strcmp(name, "model") || !strcmp(name, "state-version"))
			continue;
		tag = field_tag(name);
		if (tag < 0)
			return refuse("a property is no field");
		vmm_state_put(state, tag, data, len);
	}
	return vmm_state_end(state) ? refuse("a state is too large") : 0;
}

static int part_read(struct vmm_tree *tree, const void *fdt, int node)
{
	const char *name = fdt_get_name(fdt, node, NULL);
	struct vmm_state *state;
	const fdt32_t *version;
	const char *model;
	int len;

	if (!name || strlen(name) >= sizeof(tree->name[0]))
		return refuse("a node's name is too long");
	if (tree->parts == ARRAY_SIZE(tree->state))
		return refuse("it has too many nodes");
	if (fdt_first_subnode(fdt, node) >= 0)
		return refuse("a node has nodes");
	state = &tree->state[tree->parts];
	*state = (struct vmm_state){ 0 };
	snprintf(tree->name[tree->parts], sizeof(tree->name[0]), "%s", name);
	model = fdt_getprop(fdt, node, "model", &len);
	if (!model || len < 1 || len > VMM_STATE_NAME || strnlen(model, len) != (size_t)len - 1)
		return refuse("a node has no \"model\"");
	version = fdt_getprop(fdt, node, "state-version", &len);
	if (!version || len != sizeof(*version))
		return refuse("a node has no \"state-version\"");
	tree->parts++;
	if (vmm_state_begin(state, model, fdt32_to_cpu(*version)))
		return -ENOMEM;
	return part_read_fields(fdt, node, state);
}

static int root_check(struct vmm_tree *tree, const void *fdt)
{
	const fdt32_t *version;
	const void *id;
	int len;

	if (fdt_node_check_compatible(fdt, 0, COMPATIBLE))
		return refuse("\"compatible\" is not \"" COMPATIBLE "\"");
	version = fdt_getprop(fdt, 0, "version", &len);
	if (!version || len != sizeof(*version) || fdt32_to_cpu(*version) != VERSION)
		return refuse("\"version\" is not 1");
	id = fdt_getprop(fdt, 0, "id", &len);
	if (!id || len != sizeof(tree->id))
		return refuse("\"id\" does not have 16 bytes");
	memcpy(tree->id, id, sizeof(tree->id));
	return 0;
}

/*
 * Returns where the token behind the one at @at begins, @end if it is the last one, or 0 if it
 * does not fit. @at is a multiple of 4, and less than @end.
 */
static size_t token_skip(const u8 *tokens, size_t at, size_t end)
{
	const size_t left = end - at - FDT_TAGSIZE;
	const u8 *behind = tokens + at + FDT_TAGSIZE;
	size_t used = 0;

	switch (fdt32_ld((const fdt32_t *)(tokens + at))) {
	case FDT_BEGIN_NODE:
		used = strnlen((const char *)behind, left) + 1;
		break;
	case FDT_PROP:
		used = 2 * sizeof(fdt32_t);
		if (used <= left)
			used += fdt32_ld((const fdt32_t *)behind);
		break;
	case FDT_END_NODE:
	case FDT_NOP:
		break;
	case FDT_END:
		return end;
	default:
		return 0;
	}
	return used <= left ? at + FDT_TAGSIZE + (used + 3) / 4 * 4 : 0;
}

/*
 * Whether each token of the structure begins behind the one before it. libfdt 1.6 adds a
 * property's length to an int: one of nearly 4 GiB leads it backwards, and round and round.
 */
static bool tokens_fit(const u8 *blob, size_t size)
{
	const size_t from = fdt_off_dt_struct(blob), len = fdt_size_dt_struct(blob);
	size_t at = 0;

	if (from % FDT_TAGSIZE || from > size || len > size - from)
		return false;
	do {
		if (at + FDT_TAGSIZE > len)
			return false;
		at = token_skip(blob + from, at, len);
	} while (at && at < len);
	return at;
}

/**
 * vmm_tree_read - read a device tree
 * @tree: filled; vmm_tree_free() frees it, after an error as well
 * @blob: the device tree, aligned to 8 bytes
 * @size: bytes of @blob
 *
 * Return: 0, or -errno after a message
 */
int vmm_tree_read(struct vmm_tree *tree, const void *blob, size_t size)
{
	int node;
	int err;

	memset(tree, 0, sizeof(*tree));
	/*
	 * libfdt's full check can crash for trees of old versions, so the version is checked
	 * first.
	 */
	if (size < sizeof(struct fdt_header) || fdt_check_header(blob) ||
	    fdt_version(blob) != FDT_LAST_SUPPORTED_VERSION ||
	    fdt_totalsize(blob) != size || !tokens_fit(blob, size) || fdt_check_full(blob, size))
		return refuse("it is incomplete, or no device tree");
	err = root_check(tree, blob);
	if (err)
		return err;
	fdt_for_each_subnode(node, blob, 0) {
		err = part_read(tree, blob, node);
		if (err)
			return err;
	}
	return 0;
}
