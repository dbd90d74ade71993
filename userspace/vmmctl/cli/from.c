// SPDX-License-Identifier: GPL-2.0-only
/*
 * Options of a VM that starts from a snapshot: the command lines with which the saved VM was
 * started, in their order, then the new command line. Later options replace earlier ones, as a
 * command line replaces a configuration file.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <jansson.h>

#include "cli/cli.h"
#include "cli/option.h"
#include "snapshot/snapshot.h"

/* Reads the words of a command line, which the config owns; free() frees the list. */
static char **layer_words(struct vmm_config *cfg, const json_t *list)
{
	char **words = calloc(json_array_size(list) + 1, sizeof(*words));
	size_t i;

	for (i = 0; words && i < json_array_size(list); i++) {
		const json_t *word = json_array_get(list, i);
		const char *text = json_string_value(word);

		if (text && strlen(text) == json_string_length(word))
			words[i] = vmm_options_keep(cfg, text, strlen(text));
		if (words[i])
			continue;
		free(words);
		words = NULL;
	}
	return words;
}

static int layer_read(struct vmm_config *cfg, const json_t *layer)
{
	struct vmm_reader reader = { .cfg = cfg };
	const json_t *list = json_object_get(layer, "words");
	const char *base = vmm_manifest_word(layer, "directory");
	char **words = NULL;
	int err = -EINVAL;

	if (base && *base == '/' && json_is_array(list))
		words = layer_words(cfg, list);
	if (!words)
		return vmm_error(-EINVAL, "snapshot: " VMM_SNAPSHOT_MANIFEST
				 ": \"layers\" is wrong");
	cfg->nets_named = 0;
	reader.base = vmm_options_keep(cfg, base, strlen(base));
	if (reader.base)
		err = vmm_option_layer(&reader, "run", words, json_array_size(list));
	free(words);
	return err;
}

/* Clears files that the clone would overwrite, and other ends of the saved VM's connections. */
static void forget_other_ends(struct vmm_config *cfg)
{
	unsigned int i;

	cfg->sound = NULL;
	cfg->sound_socket = NULL;
	for (i = 0; i < cfg->builtins; i++) {
		struct vmm_builtin *builtin = &cfg->builtin[i];

		builtin->play = NULL;
		if (builtin->kind == VMM_BUILTIN_SOUND)
			builtin->path = NULL;
		builtin->alone = builtin->path;
	}
}

/* Clears names, ports and addresses that only one VM can have: the saved VM may still run. */
static void forget_what_is_unique(struct vmm_config *cfg)
{
	unsigned int i;

	forget_other_ends(cfg);
	cfg->snapshots = NULL;
	cfg->name = NULL;
	cfg->adb_port = 0;
	cfg->adb_socket = NULL;
	cfg->vsock_uds = NULL;
	cfg->redirs = 0;
	cfg->pipe_socket = NULL;
	cfg->sync_socket = NULL;
	cfg->screen_socket = NULL;
	cfg->address_socket = NULL;
	cfg->stats_file = NULL;
	for (i = 0; i < cfg->backends[VMM_BACKEND_NET]; i++)
		cfg->backend[VMM_BACKEND_NET][i].inherited = true;
	if (cfg->pstore)
		cfg->pstore = VMM_PSTORE_MEMORY;
	if (cfg->emulator_console != VMM_EMULATOR_OFF)
		cfg->emulator_console = VMM_EMULATOR_AUTO;
}

/**
 * vmm_from_read - open a snapshot and read the options of the saved VM
 * @cfg: its @from is set; the options and @snapshot are filled
 *
 * Return: 0, or -errno after a message
 */
int vmm_from_read(struct vmm_config *cfg)
{
	const json_t *layers;
	size_t i;
	int err = 0;

	cfg->snapshot = vmm_snapshot_open(cfg->from);
	if (!cfg->snapshot)
		return -EINVAL;
	layers = json_object_get(vmm_snapshot_body(cfg->snapshot), "layers");
	if (!json_array_size(layers))
		return vmm_error(-EINVAL, "snapshot: " VMM_SNAPSHOT_MANIFEST
				 " has no \"layers\"");
	for (i = 0; i < json_array_size(layers) && !err; i++)
		err = layer_read(cfg, json_array_get(layers, i));
	cfg->nets_named = 0;
	/* RAM is mapped from the snapshot's file. */
	cfg->huge_pages = VMM_HUGE_TRANSPARENT;
	if (!err && cfg->clone)
		forget_what_is_unique(cfg);
	return err;
}
