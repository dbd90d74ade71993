// SPDX-License-Identifier: GPL-2.0-only
/*
 * The strings of a config, and finding devices in it. The strings are parts of the command line and
 * of the configuration file, copied with a NUL at the end.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/option.h"
#include "host/log.h"

/**
 * struct vmm_option_text - a string of a config
 * @next: the one that was added before it
 * @text: its bytes, with a NUL at the end
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
 * Return: the copy with a NUL at the end, or NULL after a message
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
 * @cfg: as vmm_options_parse() filled it, or all zero; its strings are freed
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
 * @kind: the type of device
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
 * vmm_builtin_find - find a small virtio device
 * @cfg: the command line
 * @kind: the type of device
 * @index: index among devices of that type
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
