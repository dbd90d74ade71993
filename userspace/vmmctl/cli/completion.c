// SPDX-License-Identifier: GPL-2.0-only
/*
 * Shell functions with the option tables for bash's completion. completion.bash, which is
 * appended to them, uses them.
 */
#include <string.h>

#include "avd/options.h"
#include "cli/option.h"

static void print_words(FILE *to, const struct vmm_option *option)
{
	const struct vmm_option_word *word;

	if (option->type == VMM_OPT_SWITCH)
		fputs("on off", to);
	for (word = option->words; word && word->text; word++)
		fprintf(to, "%s%s", word == option->words ? "" : " ", word->text);
}

/* Prints the emulator's options that are not refused, each once. */
static void print_emulator(FILE *to)
{
	const struct vmm_avd_option *option;

	for (option = vmm_avd_table; option->name; option++) {
		if (option->verdict != VMM_AVD_REFUSED)
			fprintf(to, "-%s ", option->name);
	}
}

/* _vmmctl_options COMMAND */
static void print_options(FILE *to)
{
	const struct vmm_option_table *const *area;
	const struct vmm_command_info *info;
	unsigned int i;

	fputs("_vmmctl_options() {\n\tcase $1 in\n", to);
	for (info = vmm_commands; info->name; info++) {
		fprintf(to, "\t%s) echo \"", info->name);
		if (info->command == VMM_CMD_AVD)
			print_emulator(to);
		for (area = vmm_option_areas; *area; area++) {
			if (!((*area)->commands & VMM_COMMAND(info->command)))
				continue;
			for (i = 0; i < (*area)->count; i++)
				fprintf(to, "--%s ", (*area)->options[i].key);
		}
		fputs("\" ;;\n", to);
	}
	fputs("\tesac\n}\n\n", to);
}

/* Prints a line of a case: the values of an option or key. */
static void print_case(FILE *to, const char *prefix, const struct vmm_option *option)
{
	fprintf(to, "\t%s%s) echo \"", prefix, option->key);
	print_words(to, option);
	if (option->flags & VMM_OPT_FILE)
		fputs(" @file", to);
	fputs("\" ;;\n", to);
}

/* _vmmctl_values --OPTION or _vmmctl_values TYPE:KEY; "@file" stands for file names. */
static void print_values(FILE *to)
{
	const struct vmm_option_table *const *table;
	char prefix[40];
	unsigned int i;

	fputs("_vmmctl_values() {\n\tcase $1 in\n", to);
	for (table = vmm_option_areas; *table; table++) {
		for (i = 0; i < (*table)->count; i++) {
			if ((*table)->options[i].type != VMM_OPT_FLAG &&
			    (*table)->options[i].type != VMM_OPT_DEVICE)
				print_case(to, "--", &(*table)->options[i]);
		}
	}
	for (table = vmm_option_devices; *table; table++) {
		snprintf(prefix, sizeof(prefix), "%s:", (*table)->name);
		for (i = 0; i < (*table)->count; i++)
			print_case(to, prefix, &(*table)->options[i]);
	}
	fputs("\tesac\n}\n\n", to);
}

/* _vmmctl_keys TYPE */
static void print_keys(FILE *to)
{
	const struct vmm_option_table *const *device;
	unsigned int i;

	fputs("_vmmctl_keys() {\n\tcase $1 in\n", to);
	for (device = vmm_option_devices; *device; device++) {
		fprintf(to, "\t%s) echo \"", (*device)->name);
		for (i = 0; i < (*device)->count; i++)
			fprintf(to, "%s= ", (*device)->options[i].key);
		fputs("\" ;;\n", to);
	}
	fputs("\tesac\n}\n\n", to);
}

/* _vmmctl_type --OPTION: the device that it adds, "?" if its value names the type. */
static void print_types(FILE *to)
{
	const struct vmm_option_table *const *area;
	unsigned int i;

	fputs("_vmmctl_type() {\n\tcase $1 in\n", to);
	for (area = vmm_option_areas; *area; area++) {
		for (i = 0; i < (*area)->count; i++) {
			const struct vmm_option *option = &(*area)->options[i];

			if (option->type == VMM_OPT_DEVICE)
				fprintf(to, "\t--%s) echo \"%s%s\" ;;\n", option->key,
					option->device ? option->device->name : "?",
					option->flags & VMM_OPT_FILE && option->device &&
					!option->device->first ? " @file" : "");
		}
	}
	fputs("\tesac\n}\n\n", to);
}

/**
 * vmm_help_bash - print the shell functions for bash's completion
 * @to: where
 */
void vmm_help_bash(FILE *to)
{
	const struct vmm_option_table *const *table;
	const struct vmm_command_info *info;

	fputs("# bash completion for vmmctl, generated from its option tables.\n\n", to);
	fputs("_vmmctl_commands=\"", to);
	for (info = vmm_commands; info->name; info++)
		fprintf(to, "%s ", info->name);
	fputs("\"\n_vmmctl_named=\"", to);
	for (info = vmm_commands; info->name; info++) {
		if (!strncmp(info->usage, "NAME", 4))
			fprintf(to, "%s ", info->name);
	}
	fputs("\"\n_vmmctl_devices=\"", to);
	for (table = vmm_option_devices; *table; table++)
		fprintf(to, "%s ", (*table)->name);
	fputs("\"\n_vmmctl_topics=\"${_vmmctl_commands}${_vmmctl_devices}", to);
	for (table = vmm_option_areas; *table; table++)
		fprintf(to, "%s ", (*table)->name);
	fputs("\"\n\n", to);
	print_options(to);
	print_values(to);
	print_keys(to);
	print_types(to);
}
