// SPDX-License-Identifier: GPL-2.0-only
/*
 * The option tables themselves, and what is generated from them: every option is in
 * every text.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/option.h"
#include "tests/tap.h"

static char *text;
static size_t text_size;

static FILE *text_open(void)
{
	free(text);
	text = NULL;
	return open_memstream(&text, &text_size);
}

static size_t field_size(const struct vmm_option *option)
{
	switch (option->type) {
	case VMM_OPT_FLAG:
	case VMM_OPT_SWITCH:
		return sizeof(bool);
	case VMM_OPT_SIZE:
		return sizeof(u64);
	case VMM_OPT_TEXT:
		return sizeof(const char *);
	case VMM_OPT_MAC:
		return 6;
	default:
		return option->size;
	}
}

static void check_row(const struct vmm_option *option)
{
	tap_check(option->key && *option->key);
	tap_check(strspn(option->key, "abcdefghijklmnopqrstuvwxyz-") == strlen(option->key));
	tap_check(option->help && *option->help && option->help[strlen(option->help) - 1] != '.');
	tap_equal(option->size, field_size(option));
	tap_equal(option->type == VMM_OPT_OWN, !!option->read);
	tap_check(option->type != VMM_OPT_WORD || (option->words && option->words->text));
	tap_check(option->type != VMM_OPT_TEXT || option->words || option->max);
	tap_check(option->min <= option->max);
	if (option->type == VMM_OPT_TEXT || option->type == VMM_OPT_SIZE ||
	    option->type == VMM_OPT_MAC)
		tap_check(option->arg || option->words);
}

static void check_table(const struct vmm_option_table *table)
{
	unsigned int i;
	unsigned int j;

	tap_context("table %s", table->name);
	tap_check(table->title && *table->title);
	/* struct vmm_reader has a bit for each option. */
	tap_check(table->count <= 64);
	tap_check(table->first < (int)table->count);
	tap_check(!table->count || table->options);
	for (i = 0; i < table->count; i++) {
		tap_context("table %s, %s", table->name, table->options[i].key);
		check_row(&table->options[i]);
		for (j = 0; j < i; j++)
			tap_check(strcmp(table->options[i].key, table->options[j].key));
	}
}

static void tables_make_sense(void)
{
	const struct vmm_option_table *const *table;
	struct vmm_option_ref ref;
	struct vmm_config cfg;
	unsigned int areas = 0;
	unsigned int i;

	for (table = vmm_option_areas; *table; table++, areas++) {
		check_table(*table);
		tap_check((*table)->commands);
		tap_equal(vmm_option_defaults(*table, &cfg), 0);
		/* An option is in one area only. */
		for (i = 0; i < (*table)->count; i++) {
			const char *key = (*table)->options[i].key;

			tap_check(vmm_option_find(key, strlen(key), &ref));
			tap_check(ref.area == areas && ref.row == i);
		}
	}
	tap_equal(areas, VMM_AREAS);
	for (table = vmm_option_devices; *table; table++) {
		check_table(*table);
		tap_check((*table)->add && (*table)->most);
		tap_check(vmm_option_device_find((*table)->name, strlen((*table)->name)) == *table);
		if ((*table)->shorthand)
			tap_check(vmm_option_find((*table)->shorthand,
						  strlen((*table)->shorthand), &ref) &&
				  ref.option->device == *table);
	}
}

/* Words that are too long are not broken. */
static void check_width(void)
{
	const char *line = text;

	while (*line) {
		size_t len = strcspn(line, "\n");

		tap_context("%.*s", (int)len, line);
		tap_check(len <= 80);
		line += len;
		line += *line != '\0';
	}
}

static void print_topic(const char *topic)
{
	FILE *to = text_open();

	tap_equal(vmm_help_print(to, topic), 0);
	fclose(to);
	check_width();
}

static void check_keys(const struct vmm_option_table *table, const char *what)
{
	unsigned int i;

	for (i = 0; i < table->count; i++) {
		tap_context("%s has not %s's %s", what, table->name, table->options[i].key);
		tap_check(strstr(text, table->options[i].key));
	}
}

static void help_has_every_option(void)
{
	const struct vmm_option_table *const *table;
	const struct vmm_command_info *info;

	print_topic(NULL);
	tap_check(!strncmp(text, "usage: ", 7));
	for (info = vmm_commands; info->name; info++)
		tap_check(strstr(text, info->name));
	for (table = vmm_option_devices; *table; table++) {
		print_topic((*table)->name);
		check_keys(*table, "its topic");
	}
	for (table = vmm_option_areas; *table; table++) {
		print_topic((*table)->name);
		check_keys(*table, "its topic");
	}
	for (info = vmm_commands; info->name; info++) {
		print_topic(info->name);
		for (table = vmm_option_areas; *table; table++) {
			if ((*table)->commands & VMM_COMMAND(info->command))
				check_keys(*table, info->name);
		}
	}
	tap_check(vmm_help_print(stdout, "nothing"));
	tap_check(!vmm_help_topic("nothing") && vmm_help_topic("run"));
}

static void the_manual_page_has_every_option(void)
{
	const struct vmm_option_table *const *table;
	const char *line;
	FILE *to = text_open();
	char key[80];
	unsigned int i;

	vmm_help_man(to, "1.0");
	fclose(to);
	for (table = vmm_option_areas; *table; table++) {
		for (i = 0; i < (*table)->count; i++) {
			const char *from = (*table)->options[i].key;
			char *out = key;

			/* roff needs a backslash before each "-". */
			for (; *from; from++) {
				if (*from == '-')
					*out++ = '\\';
				*out++ = *from;
			}
			*out = '\0';
			tap_context("%s", key);
			tap_check(strstr(text, key));
		}
	}
	for (table = vmm_option_devices; *table; table++)
		tap_check(strstr(text, (*table)->title));
	/* No line of text is taken for a roff request. */
	for (line = text; line; line = strchr(line, '\n')) {
		line += *line == '\n';
		tap_context("%.40s", line);
		tap_check(*line != '\'');
		if (*line == '.')
			tap_check(strspn(line + 1, "ABHPRSTbfinr\\\"") >= 1);
	}
}

static void the_completion_has_every_option(void)
{
	const struct vmm_option_table *const *table;
	FILE *to = text_open();

	vmm_help_bash(to);
	fclose(to);
	for (table = vmm_option_areas; *table; table++)
		check_keys(*table, "the completion");
	for (table = vmm_option_devices; *table; table++)
		check_keys(*table, "the completion");
}

static const struct tap_case cases[] = {
	{ "the tables make sense", tables_make_sense },
	{ "the help has every option", help_has_every_option },
	{ "the manual page has every option", the_manual_page_has_every_option },
	{ "the completion has every option", the_completion_has_every_option },
};

int main(void)
{
	int ret = tap_run(cases, ARRAY_SIZE(cases));

	free(text);
	return ret;
}
