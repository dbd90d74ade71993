// SPDX-License-Identifier: GPL-2.0-only
/*
 * Help on the terminal: an overview, and one topic for each command, each group of
 * options and each type of device.
 */
#include <errno.h>
#include <string.h>

#include "avd/options.h"
#include "cli/cli.h"
#include "cli/option.h"

#define WIDTH	80	/* columns */
#define INDENT	22	/* columns before the help of an option */

/*
 * Prints words, wrapped into lines; @column is where the cursor is. A newline counts as a
 * blank, two begin a paragraph.
 */
static void wrap(FILE *to, const char *text, unsigned int indent, unsigned int column)
{
	while (*text) {
		size_t len = strcspn(text, "\n ");

		if (column > indent && column + 1 + len > WIDTH) {
			fputc('\n', to);
			column = 0;
		} else if (column > indent) {
			fputc(' ', to);
			column++;
		}
		if (column < indent) {
			fprintf(to, "%*s", (int)(indent - column), "");
			column = indent;
		}
		fwrite(text, 1, len, to);
		column += len;
		text += len;
		if (!strncmp(text, "\n\n", 2)) {
			fputs("\n\n", to);
			column = 0;
			text++;
		}
		text += *text != '\0';
	}
	fputc('\n', to);
}

static void join_words(const struct vmm_option_word *words, const char *end, char *text,
		       size_t size)
{
	size_t len = 0;

	*text = '\0';
	for (; words && words->text && len < size; words++)
		len += snprintf(text + len, size - len, "%s%s", words->text,
				words[1].text || *end ? "|" : "");
	if (len < size)
		snprintf(text + len, size - len, "%s", end);
}

/**
 * vmm_help_option - write an option as it is typed
 * @option: the option
 * @dashes: it is an option of the command line, not a device's key
 * @text: filled
 * @size: bytes of it
 */
void vmm_help_option(const struct vmm_option *option, bool dashes, char *text, size_t size)
{
	bool alone = option->flags & VMM_OPT_MAY_BE_ALONE;
	char words[200];
	const char *value = option->arg ? option->arg : words;

	if (option->type == VMM_OPT_SWITCH)
		snprintf(words, sizeof(words), "on|off");
	else if (option->type == VMM_OPT_NUMBER)
		join_words(option->words, value == words ? "N" : value, words, sizeof(words));
	else
		join_words(option->words, "", words, sizeof(words));
	if (option->type == VMM_OPT_NUMBER && option->words)
		value = words;
	if (option->type == VMM_OPT_FLAG && option->letter)
		snprintf(text, size, "-%c, --%s", option->letter, option->key);
	else if (option->type == VMM_OPT_FLAG)
		snprintf(text, size, "--%s", option->key);
	else if (!dashes)
		snprintf(text, size, "%s=%s", option->key, value);
	else if (option->letter)
		snprintf(text, size, "-%c, --%s %s", option->letter, option->key, value);
	else if (alone)
		snprintf(text, size, "--%s[=%s]", option->key, value);
	else
		snprintf(text, size, "--%s %s", option->key, value);
}

/**
 * vmm_help_values - write the range and the default of an option
 * @option: the option
 * @text: filled: range and default; may be empty
 * @size: bytes of @text
 */
void vmm_help_values(const struct vmm_option *option, char *text, size_t size)
{
	const char *initial = option->initially ? option->initially : option->initial;
	char range[200] = "";

	if (option->type == VMM_OPT_NUMBER || option->type == VMM_OPT_SIZE)
		vmm_option_range(option, range, sizeof(range));
	*text = '\0';
	if (option->flags & VMM_OPT_REQUIRED)
		snprintf(text, size, "%s%srequired", range, *range ? "; " : "");
	else if (initial && *initial)
		snprintf(text, size, "%s%sdefault %s", range, *range ? "; " : "", initial);
	else if (option->flags & VMM_OPT_REPEATS)
		snprintf(text, size, "may be repeated");
	else
		snprintf(text, size, "%s", range);
}

static void print_option(FILE *to, const struct vmm_option *option, bool dashes)
{
	char line[400];
	char values[200];
	int column;

	vmm_help_option(option, dashes, line, sizeof(line));
	column = fprintf(to, "  %s", line);
	if (column > INDENT - 2) {
		fputc('\n', to);
		column = 0;
	}
	vmm_help_values(option, values, sizeof(values));
	snprintf(line, sizeof(line), *values ? "%s (%s)" : "%s", option->help, values);
	wrap(to, line, INDENT, column);
}

static void print_options(FILE *to, const struct vmm_option_table *table, bool dashes)
{
	unsigned int i;

	for (i = 0; i < table->count; i++)
		print_option(to, &table->options[i], dashes);
}

static void print_usage(FILE *to, const struct vmm_command_info *info, const char *prefix)
{
	char line[100];
	int column;

	snprintf(line, sizeof(line), "%svmmctl %s %s", prefix, info->name, info->usage);
	column = fprintf(to, "%s", line);
	wrap(to, info->help, 46, column);
}

static void print_topics(FILE *to)
{
	const struct vmm_option_table *const *table;
	char types[200];
	char line[400];

	fputs("\ngroups of options\n", to);
	for (table = vmm_option_areas; *table; table++)
		fprintf(to, "  %-20s%s\n", (*table)->name, (*table)->title);
	fputs("\ndevices\n", to);
	vmm_option_types(false, types, sizeof(types));
	snprintf(line, sizeof(line), "%s", types);
	wrap(to, line, 2, 0);
}

static void print_overview(FILE *to)
{
	const struct vmm_command_info *info;

	for (info = vmm_commands; info->name; info++)
		print_usage(to, info, info == vmm_commands ? "usage: " : "       ");
	fputs("\nThe simplest run:\n"
	      "  vmmctl run --kernel Image --append console=ttyAMA0\n", to);
	print_topics(to);
	fputs("\n\"vmmctl help TOPIC\" explains a command, a group of options or a device;\n"
	      "\"vmmctl help run\" lists all options. The manual page is vmmctl(1).\n", to);
}

/* Prints the emulator's options, and how vmmctl handles each. */
static void print_emulator(FILE *to)
{
	const struct vmm_avd_option *option;
	char line[200];
	int column;

	fputs("\nOptions of the emulator\n", to);
	for (option = vmm_avd_table; option->name; option++) {
		column = fprintf(to, "  -%s%s%s", option->name, option->arg ? " " : "",
				 option->arg ? option->arg : "");
		if (column > INDENT - 2) {
			fputc('\n', to);
			column = 0;
		}
		snprintf(line, sizeof(line), option->verdict == VMM_AVD_HONOURED ? "%s%s" :
			 "%s: %s", option->verdict == VMM_AVD_HONOURED ? "" :
			 vmm_avd_verdict_name(option->verdict), option->help);
		wrap(to, line, INDENT, column);
	}
}

static void print_command(FILE *to, const struct vmm_command_info *info)
{
	const struct vmm_option_table *const *area;

	print_usage(to, info, "usage: ");
	if (info->command == VMM_CMD_AVD)
		print_emulator(to);
	for (area = vmm_option_areas; *area; area++) {
		if (!((*area)->commands & VMM_COMMAND(info->command)))
			continue;
		fprintf(to, "\n%s\n", (*area)->title);
		print_options(to, *area, true);
	}
}

static void print_table(FILE *to, const struct vmm_option_table *table, bool device)
{
	fprintf(to, "%s\n\n", table->title);
	if (table->about) {
		wrap(to, table->about, 0, 0);
		fputc('\n', to);
	}
	if (device && table->shorthand)
		fprintf(to, "--device %s,KEY=VALUE,... or --%s\n", table->name,
			table->shorthand);
	else if (device && table->not_virtio)
		fprintf(to, "--device %s,KEY=VALUE,...\n", table->name);
	else if (device)
		fprintf(to, "--device %s%s or --virtio %s%s\n", table->name,
			table->count ? ",KEY=VALUE,..." : "", table->name,
			table->first >= 0 ? "=VALUE" : "");
	print_options(to, table, !device);
}

static const struct vmm_option_table *table_find(const char *topic, bool *device)
{
	const struct vmm_option_table *const *area;

	for (area = vmm_option_areas; *area; area++) {
		if (!strcmp((*area)->name, topic))
			return *area;
	}
	*device = true;
	return vmm_option_device_find(topic, strlen(topic));
}

/**
 * vmm_help_topic - return whether there is help for a topic
 * @topic: a word
 *
 * Return: whether it is a command, a group of options or a device
 */
bool vmm_help_topic(const char *topic)
{
	bool device;

	return vmm_command_find(topic) || table_find(topic, &device);
}

/**
 * vmm_help_print - print help
 * @to: stream
 * @topic: NULL for an overview
 *
 * Return: 0, or -ENOENT if there is no such topic
 */
int vmm_help_print(FILE *to, const char *topic)
{
	const struct vmm_option_table *table;
	bool device = false;

	if (!topic || !strcmp(topic, "help")) {
		print_overview(to);
		return 0;
	}
	if (vmm_command_find(topic)) {
		print_command(to, vmm_command_find(topic));
		return 0;
	}
	table = table_find(topic, &device);
	if (!table)
		return -ENOENT;
	print_table(to, table, device);
	return 0;
}
