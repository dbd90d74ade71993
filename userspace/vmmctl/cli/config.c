// SPDX-License-Identifier: GPL-2.0-only
/*
 * A config's strings, and looking something up in it. Its strings are pieces of the
 * command line and of the configuration file, with a NUL behind that the original does
 * not have.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/option.h"
#include "host/log.h"

/**
 * struct vmm_option_text - a string of a config's
 * @next: the one made before it
 * @text: its bytes, with a NUL behind
 */
struct vmm_option_text {
	struct vmm_option_text *next;
	char text[];
};

/**
 * vmm_options_keep - copy a string into a config
 * @cfg: owns the copy
 * @text: bytes
 * @len: how many
 *
 * Return: the copy with a NUL behind, or NULL after a message
 */
char *vmm_options_keep(struct vmm_config *cfg, const char *text, size_t len)
{
	struct vmm_option_text *kept = malloc(sizeof(*kept) + len + 1);

	if (!kept) {
		vmm_error(ENOMEM, "options");
		return NULL;
	}
	memcpy(kept->text, text, len);
	kept->text[len] = '\0';
	kept->next = cfg->texts;
	cfg->texts = kept;
	return kept->text;
}

/**
 * vmm_options_free - free the strings of a config
 * @cfg: as vmm_options_parse() filled it, or all zero; its strings are gone
 */
void vmm_options_free(struct vmm_config *cfg)
{
	while (cfg->texts) {
		struct vmm_option_text *next = cfg->texts->next;

		free(cfg->texts);
		cfg->texts = next;
	}
}

/**
 * vmm_builtin_count - count small virtio devices
 * @cfg: the command line
 * @kind: which
 *
 * Return: how many
 */
unsigned int vmm_builtin_count(const struct vmm_config *cfg, enum vmm_builtin_kind kind)
{
	unsigned int n = 0;

	while (vmm_builtin_find(cfg, kind, n))
		n++;
	return n;
}

/**
 * vmm_builtin_find - find what was asked for of a small virtio device
 * @cfg: the command line
 * @kind: which
 * @index: which of them
 *
 * Return: the device, or NULL
 */
const struct vmm_builtin *vmm_builtin_find(const struct vmm_config *cfg, enum vmm_builtin_kind kind,
					   unsigned int index)
{
	unsigned int i;

	for (i = 0; i < cfg->builtins; i++) {
		if (cfg->builtin[i].kind == kind && !index--)
			return &cfg->builtin[i];
	}
	return NULL;
}
