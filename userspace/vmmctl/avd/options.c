// SPDX-License-Identifier: GPL-2.0-only
/*
 * Parses a command line of the emulator by the table.
 */
#include <errno.h>
#include <string.h>

#include "avd/options.h"
#include "host/log.h"

static const struct vmm_avd_option *option_find(const char *name)
{
	const struct vmm_avd_option *option;

	for (option = vmm_avd_table; option->name; option++) {
		if (!strcmp(option->name, name))
			return option;
	}
	return NULL;
}

/**
 * vmm_avd_name_valid - return whether an AVD can have a name
 * @name: letters, digits, "_", "." and "-", but no directory
 *
 * Return: whether it can
 */
bool vmm_avd_name_valid(const char *name)
{
	static const char letters[] =
		"abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.-";
	size_t len = strlen(name);

	return len && len < 128 && *name != '-' && *name != '.' && strspn(name, letters) == len;
}

static int name_take(struct vmm_avd_options *options, const char *name)
{
	if (options->name)
		return vmm_error(-EINVAL, "avd: there can be one AVD: %.60s or %.60s",
				 options->name, name);
	if (!vmm_avd_name_valid(name))
		return vmm_error(-EINVAL,
				 "avd: \"%.60s\" is not letters, digits, \"_\", \".\" and \"-\"",
				 name);
	options->name = name;
	return 0;
}

/* Parses what follows -qemu; of QEMU's options only -append is supported. */
static int qemu_take(struct vmm_avd_options *options, int count, char **words)
{
	for (; count; count -= 2, words += 2) {
		if (strcmp(*words, "-append"))
			return vmm_error(-EINVAL,
					 "avd: -qemu takes -append TEXT only, not \"%.60s\"",
					 *words);
		if (count == 1)
			return vmm_error(-EINVAL, "avd: -qemu -append needs a value");
		if (options->append)
			return vmm_error(-EINVAL, "avd: -qemu -append is given twice");
		options->append = words[1];
	}
	return 0;
}

static int option_take(struct vmm_avd_options *options, const struct vmm_avd_option *option,
		       const char *value)
{
	if (option->verdict == VMM_AVD_REFUSED)
		return vmm_error(-EINVAL, "avd: -%s is refused: %s", option->name, option->help);
	if (options->count == VMM_AVD_GIVEN)
		return vmm_error(-EINVAL, "avd: there can be at most %d options", VMM_AVD_GIVEN);
	options->given[options->count++] = (struct vmm_avd_given){ option, value };
	return option->id == VMM_AVD_AVD ? name_take(options, value) : 0;
}

/* Parses an option with its value; -debug-TAG is -debug TAG. */
static int word_take(struct vmm_avd_options *options, int argc, char **argv, int *next)
{
	const char *name = argv[(*next)++] + 1;
	const struct vmm_avd_option *option;
	const char *value = NULL;

	if (!strncmp(name, "debug-", 6))
		return option_take(options, option_find("debug"), name + 6);
	option = option_find(name);
	if (!option)
		return vmm_error(-EINVAL,
				 "avd: there is no option \"-%.60s\"; \"vmmctl help avd\" lists them",
				 name);
	if (option->arg && option->id != VMM_AVD_QEMU) {
		if (*next == argc)
			return vmm_error(-EINVAL, "avd: -%s needs a value: %s", name, option->arg);
		value = argv[(*next)++];
	}
	return option_take(options, option, value);
}

/**
 * vmm_avd_options_read - parse a command line of the emulator
 * @options: filled; points into @argv
 * @argc: words
 * @argv: the words after the command
 *
 * Return: 0, or -EINVAL after a message
 */
int vmm_avd_options_read(struct vmm_avd_options *options, int argc, char **argv)
{
	int next = 0;
	int err = 0;

	*options = (struct vmm_avd_options){ 0 };
	while (next < argc && !err) {
		const char *word = argv[next];

		if (!strcmp(word, "--")) {
			options->rest = argv + next + 1;
			options->rest_count = argc - next - 1;
			return 0;
		}
		if (word[0] == '-') {
			err = word_take(options, argc, argv, &next);
		} else {
			err = name_take(options, *word == '@' ? word + 1 : word);
			next++;
		}
		if (!err && vmm_avd_has(options, VMM_AVD_QEMU))
			return qemu_take(options, argc - next, argv + next);
	}
	return err;
}

/**
 * vmm_avd_value - look up an option's value
 * @options: the command line
 * @id: which option
 *
 * Return: the value that was given last; NULL if the option was not given or has none
 */
const char *vmm_avd_value(const struct vmm_avd_options *options, enum vmm_avd_id id)
{
	unsigned int i;

	for (i = options->count; i; i--) {
		if (options->given[i - 1].option->id == id)
			return options->given[i - 1].value;
	}
	return NULL;
}

/**
 * vmm_avd_has - return whether an option was given
 * @options: the command line
 * @id: which option
 *
 * Return: whether it was
 */
bool vmm_avd_has(const struct vmm_avd_options *options, enum vmm_avd_id id)
{
	unsigned int i;

	for (i = 0; i < options->count; i++) {
		if (options->given[i].option->id == id)
			return true;
	}
	return false;
}
