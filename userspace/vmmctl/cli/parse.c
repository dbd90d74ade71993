// SPDX-License-Identifier: GPL-2.0-only
/*
 * The command line. Parses argv by the option tables into a struct vmm_config, and checks what
 * can be checked without accessing the machine.
 *
 * argv is parsed twice: first for its syntax, for --from and for --config, after which snapshot and
 * file are read; then for the values, which replace those of snapshot and file. The file may name
 * the snapshot, too; the snapshot's options precede the file's others.
 */
#include <errno.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/option.h"
#include "host/log.h"

/**
 * struct words - a walk along the command line
 * @info: the command
 * @argv: the words after it
 * @count: how many
 * @next: the next one to read
 */
struct words {
	const struct vmm_command_info *info;
	char **argv;
	unsigned int count;
	unsigned int next;
};

/**
 * struct word_option - an option of the command line
 * @ref: its row
 * @where: its name in messages, "--key"
 * @text: its value, NULL for none
 */
struct word_option {
	struct vmm_option_ref ref;
	char where[40];
	const char *text;
};

static bool has_option(const struct vmm_command_info *info, const struct vmm_option_ref *ref)
{
	return vmm_option_areas[ref->area]->commands & VMM_COMMAND(info->command);
}

/* Advances to the next row of all areas; begins with all ones. */
static bool ref_next(struct vmm_option_ref *ref)
{
	if (ref->area == ~0U) {
		ref->area = 0;
		ref->row = 0;
	} else {
		ref->row++;
	}
	while (vmm_option_areas[ref->area] && ref->row == vmm_option_areas[ref->area]->count) {
		ref->area++;
		ref->row = 0;
	}
	if (!vmm_option_areas[ref->area])
		return false;
	ref->option = &vmm_option_areas[ref->area]->options[ref->row];
	return true;
}

/**
 * vmm_option_find - find an option by its whole name
 * @key: the name, without dashes
 * @len: bytes of it
 * @ref: filled
 *
 * Return: whether there is one
 */
bool vmm_option_find(const char *key, size_t len, struct vmm_option_ref *ref)
{
	ref->area = ~0U;
	while (ref_next(ref)) {
		if (strlen(ref->option->key) == len && !memcmp(ref->option->key, key, len))
			return true;
	}
	return false;
}

static int refuse_option(const struct words *words, const char *dashes, size_t len,
			 const char *name)
{
	return vmm_error(-EINVAL, "%s has no option %s%.*s; \"vmmctl help %s\" lists them",
			 words->info->name, dashes, len > 60 ? 60 : (int)len, name,
			 words->info->name);
}

static int refuse_ambiguous(const char *name, size_t len, const char *list)
{
	return vmm_error(-EINVAL, "--%.*s may be %s", len > 60 ? 60 : (int)len, name, list);
}

/* Finds an option by the beginning of its name, if that is unique among the command's. */
static int find_begin(const struct words *words, const char *name, size_t len,
		      struct vmm_option_ref *found)
{
	struct vmm_option_ref ref = { .area = ~0U };
	unsigned int matches = 0;
	char list[200] = "";
	size_t used = 0;

	while (len && ref_next(&ref)) {
		if (!has_option(words->info, &ref) || strncmp(ref.option->key, name, len))
			continue;
		if (used < sizeof(list))
			used += snprintf(list + used, sizeof(list) - used, "%s--%s",
					 matches ? " or " : "", ref.option->key);
		*found = ref;
		matches++;
	}
	if (!matches)
		return refuse_option(words, "--", len, name);
	return matches == 1 ? 0 : refuse_ambiguous(name, len, list);
}

static int find_long(const struct words *words, const char *name, size_t len,
		     struct vmm_option_ref *ref)
{
	if (!vmm_option_find(name, len, ref))
		return find_begin(words, name, len, ref);
	if (!has_option(words->info, ref))
		return vmm_error(-EINVAL, "--%s is no option of %s", ref->option->key,
				 words->info->name);
	return 0;
}

static int find_letter(const struct words *words, const char *name, struct vmm_option_ref *ref)
{
	ref->area = ~0U;
	while (ref_next(ref)) {
		if (ref->option->letter == *name && has_option(words->info, ref))
			return 0;
	}
	return refuse_option(words, "-", strlen(name), name);
}

static bool takes_value(const struct vmm_option *option)
{
	return option->type != VMM_OPT_FLAG && !(option->flags & VMM_OPT_MAY_BE_ALONE);
}

/* @text is the value in the same word, NULL for none. */
static int take_value(struct words *words, struct word_option *got, const char *text)
{
	const struct vmm_option *option = got->ref.option;
	char range[200];

	snprintf(got->where, sizeof(got->where), "--%s", option->key);
	if (text && option->type == VMM_OPT_FLAG)
		return vmm_error(-EINVAL, "%s takes no value", got->where);
	if (!text && takes_value(option)) {
		if (words->next == words->count) {
			vmm_option_range(option, range, sizeof(range));
			return vmm_error(-EINVAL, "%s needs a value: %s", got->where,
					 option->arg ? option->arg : range);
		}
		text = words->argv[words->next++];
	}
	got->text = text;
	return 0;
}

/* Reads the next option. Returns 1, 0 at the end, or -EINVAL. */
static int words_next(struct words *words, struct word_option *got)
{
	const char *word;
	const char *value;
	int err;

	if (words->next == words->count)
		return 0;
	word = words->argv[words->next++];
	if (!strcmp(word, "--") && words->next == words->count)
		return 0;
	if (word[0] != '-' || !word[1] || !strcmp(word, "--"))
		return vmm_error(-EINVAL, "%s takes options only, not \"%s\"",
				 words->info->name, strcmp(word, "--") ? word :
				 words->argv[words->next]);
	if (word[1] == '-') {
		value = strchr(word, '=');
		err = find_long(words, word + 2,
				value ? (size_t)(value - word - 2) : strlen(word + 2), &got->ref);
		if (!err)
			err = take_value(words, got, value ? value + 1 : NULL);
	} else {
		err = find_letter(words, word + 1, &got->ref);
		if (!err)
			err = take_value(words, got, word[2] ? word + 2 : NULL);
	}
	return err ? err : 1;
}

/**
 * vmm_option_give - store an option's value
 * @reader: the source of the option
 * @ref: the option
 * @where: its name in messages
 * @text: the value, which must outlive the config; NULL for none
 *
 * Return: 0, or -EINVAL
 */
int vmm_option_give(struct vmm_reader *reader, const struct vmm_option_ref *ref,
		    const char *where, const char *text)
{
	const struct vmm_option *option = ref->option;
	u64 *given = &reader->given[ref->area];

	if (*given & 1ULL << ref->row && !(option->flags & VMM_OPT_REPEATS))
		return vmm_error(-EINVAL, "%s is given twice", where);
	*given |= 1ULL << ref->row;
	if (option->type == VMM_OPT_DEVICE)
		return vmm_option_device(reader, where, option->device, text);
	if (option->type == VMM_OPT_OWN)
		return option->read(reader, where, text);
	if (option->type == VMM_OPT_FLAG && !text)
		text = "on";
	text = vmm_option_path(reader, option, text);
	return text ? vmm_option_set(option, where, reader->cfg, text) : -ENOMEM;
}

/* The first pass: checks syntax, and finds --from, --config and --help. */
static int words_check(struct words words, struct vmm_config *cfg)
{
	struct vmm_reader reader = { .cfg = cfg };
	struct word_option got;
	int more;

	while ((more = words_next(&words, &got)) > 0) {
		int err = 0;

		if (vmm_option_areas[got.ref.area] == &vmm_options_general)
			err = vmm_option_give(&reader, &got.ref, got.where, got.text);
		if (err)
			return err;
		if (cfg->help) {
			cfg->command = VMM_CMD_HELP;
			cfg->topic = words.info->name;
			return 0;
		}
	}
	return more;
}

static int words_read(struct words words, struct vmm_config *cfg)
{
	struct vmm_reader reader = { .cfg = cfg };
	struct word_option got;
	int more;

	while ((more = words_next(&words, &got)) > 0) {
		int err = vmm_option_give(&reader, &got.ref, got.where, got.text);

		if (err)
			return err;
	}
	return more;
}

/* Reads the configuration file that the words name, if any. */
static int layer_config(const struct vmm_reader *reader, struct words words)
{
	struct vmm_reader file = { .cfg = reader->cfg, .base = reader->base };
	struct word_option got;
	const char *path;
	int more;
	int err;

	while ((more = words_next(&words, &got)) > 0) {
		if (strcmp(got.ref.option->key, "config"))
			continue;
		path = vmm_option_path(reader, got.ref.option, got.text);
		err = path ? vmm_config_file_load(&file, path) : -ENOMEM;
		if (err)
			return err;
	}
	return more;
}

/**
 * vmm_option_layer - parse the command line of an earlier run
 * @reader: source that gets the options
 * @command: the command, as "run"
 * @argv: the words after it, which must outlive the config
 * @count: how many
 *
 * Skips options that name other sources of options, except for a configuration file, which is read
 * again.
 *
 * Return: 0, or -errno after a message
 */
int vmm_option_layer(struct vmm_reader *reader, const char *command, char **argv,
		     unsigned int count)
{
	struct words words = {
		.info = vmm_command_find(command), .argv = argv, .count = count,
	};
	struct word_option got;
	int more;
	int err;

	err = layer_config(reader, words);
	if (err)
		return err;
	while ((more = words_next(&words, &got)) > 0) {
		if (vmm_option_areas[got.ref.area] == &vmm_options_general)
			continue;
		err = vmm_option_give(reader, &got.ref, got.where, got.text);
		if (err)
			return err;
	}
	return more;
}

static int parse_words(const struct words *words, struct vmm_config *cfg)
{
	struct vmm_reader reader = { .cfg = cfg, .from = true };
	int err;

	err = words_check(*words, cfg);
	if (err || cfg->command == VMM_CMD_HELP)
		return err;
	/* The file may name the snapshot, or make a clone of it. */
	if (cfg->config_file)
		err = vmm_config_file_load(&reader, cfg->config_file);
	else if (cfg->from)
		err = vmm_from_read(cfg);
	if (err)
		return err;
	if (cfg->clone && !cfg->from)
		return vmm_error(-EINVAL, "--clone needs --from DIR");
	err = words_read(*words, cfg);
	return err ? err : vmm_options_check(cfg);
}

static int parse_help(struct vmm_config *cfg, int argc, char **argv)
{
	if (argc > 3)
		return vmm_error(-EINVAL, "help takes one topic, not \"%s\" as well", argv[3]);
	if (argc == 3 && !vmm_help_topic(argv[2]))
		return vmm_error(-EINVAL, "help has no topic \"%s\"; \"vmmctl help\" lists them",
				 argv[2]);
	cfg->topic = argc == 3 ? argv[2] : NULL;
	return 0;
}

static int defaults(struct vmm_config *cfg)
{
	const struct vmm_option_table *const *area;
	int err = 0;

	for (area = vmm_option_areas; *area && !err; area++)
		err = vmm_option_defaults(*area, cfg);
	return err;
}

/**
 * vmm_options_parse - read the command line
 * @cfg: filled; vmm_options_free() frees it, also after a failure
 * @argc: as main() got it
 * @argv: as main() got it; @cfg points into it
 *
 * Return: 0, or -EINVAL, or another -errno of the configuration file
 */
int vmm_options_parse(struct vmm_config *cfg, int argc, char **argv)
{
	struct words words = { 0 };
	int err;

	memset(cfg, 0, sizeof(*cfg));
	err = defaults(cfg);
	if (err)
		return err;
	if (argc < 2)
		return vmm_error(-EINVAL, "no command; \"vmmctl help\" lists them");
	words.info = vmm_command_find(argv[1]);
	if (!words.info)
		return vmm_error(-EINVAL, "there is no command \"%s\"; \"vmmctl help\" lists them",
				 argv[1]);
	cfg->command = words.info->command;
	if (cfg->command == VMM_CMD_HELP)
		return parse_help(cfg, argc, argv);
	words.argv = argv + 2;
	words.count = argc - 2;
	cfg->words = words.argv;
	cfg->word_count = words.count;
	return parse_words(&words, cfg);
}
