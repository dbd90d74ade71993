// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulator's options: the table, reading of a command line, and the copy of the table in the
 * documentation.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "avd/options.h"
#include "tests/tap.h"

static char message[4096];

static int take(struct vmm_avd_options *options, int count, char **words)
{
	int err;

	tap_listen();
	err = vmm_avd_options_read(options, count, words);
	tap_heard(message, sizeof(message));
	return err;
}

#define TAKE(options, ...)						\
	take(options, sizeof((char *[]){ __VA_ARGS__ }) / sizeof(char *),	\
	     (char *[]){ __VA_ARGS__ })

static void the_table_makes_sense(void)
{
	const struct vmm_avd_option *option, *other;

	for (option = vmm_avd_table; option->name; option++) {
		tap_context("-%s", option->name);
		tap_check(strspn(option->name, "abcdefghijklmnopqrstuvwxyz-") ==
			  strlen(option->name));
		tap_check(*option->help && option->help[strlen(option->help) - 1] != '.');
		/* Options with an identifier are those that are honoured. */
		tap_equal(option->verdict == VMM_AVD_HONOURED, option->id != VMM_AVD_OTHER);
		for (other = vmm_avd_table; other < option; other++)
			tap_check(strcmp(option->name, other->name));
	}
	tap_check(option - vmm_avd_table > 80);
}

static void every_option_does_as_its_row_says(void)
{
	const struct vmm_avd_option *option;
	struct vmm_avd_options options;
	char name[64];

	for (option = vmm_avd_table; option->name; option++) {
		int count = option->arg ? 2 : 1;
		int want = option->verdict == VMM_AVD_REFUSED ? -EINVAL : 0;

		snprintf(name, sizeof(name), "-%s", option->name);
		tap_context("%s", name);
		if (option->id == VMM_AVD_QEMU)
			continue;
		tap_equal(take(&options, count, (char *[]){ name, "value" }), want);
		tap_check(!want == !*message);
		if (want)
			tap_check(strstr(message, option->name) && strstr(message, option->help));
		if (!want) {
			tap_equal(options.count, 1);
			tap_check(options.given[0].option == option);
			tap_check(!option->arg == !options.given[0].value);
		}
		if (!option->arg || want)
			continue;
		tap_equal(take(&options, 1, (char *[]){ name }), -EINVAL);
		tap_check(strstr(message, "needs a value"));
	}
}

static void an_avd_has_one_name(void)
{
	struct vmm_avd_options options;

	tap_equal(TAKE(&options, "-no-window", "@one", "-cores", "2"), 0);
	tap_check(options.name && !strcmp(options.name, "one"));
	tap_check(!strcmp(vmm_avd_value(&options, VMM_AVD_CORES), "2"));
	tap_equal(TAKE(&options, "-avd", "one"), 0);
	tap_check(!strcmp(options.name, "one"));
	tap_equal(TAKE(&options, "one", "-avd", "two"), -EINVAL);
	tap_check(strstr(message, "there can be one AVD"));
	tap_equal(TAKE(&options, "a/b"), -EINVAL);
	tap_equal(TAKE(&options, ".."), -EINVAL);
	tap_equal(TAKE(&options, "@"), -EINVAL);
}

static void the_last_value_counts(void)
{
	struct vmm_avd_options options;

	tap_equal(TAKE(&options, "-cores", "2", "-cores", "4", "-noaudio"), 0);
	tap_check(!strcmp(vmm_avd_value(&options, VMM_AVD_CORES), "4"));
	tap_check(vmm_avd_has(&options, VMM_AVD_NO_AUDIO));
	tap_check(!vmm_avd_has(&options, VMM_AVD_GPU) && !vmm_avd_value(&options, VMM_AVD_GPU));
}

static void unknown_options_are_refused(void)
{
	struct vmm_avd_options options;

	tap_equal(TAKE(&options, "one", "-walk"), -EINVAL);
	tap_check(strstr(message, "there is no option \"-walk\""));
	tap_equal(TAKE(&options, "--kernel=x"), -EINVAL);
	tap_equal(TAKE(&options, "-debug-all", "-debug-init"), 0);
	tap_equal(options.count, 2);
}

static void too_many_options_are_refused(void)
{
	char *words[VMM_AVD_GIVEN + 1];
	struct vmm_avd_options options;
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(words); i++)
		words[i] = "-no-window";
	tap_equal(take(&options, VMM_AVD_GIVEN, words), 0);
	tap_equal(take(&options, VMM_AVD_GIVEN + 1, words), -EINVAL);
	tap_check(strstr(message, "at most 64 options"));
}

static void words_behind_qemu_are_its_own(void)
{
	struct vmm_avd_options options;

	tap_equal(TAKE(&options, "one", "-qemu", "-append", "a b"), 0);
	tap_check(!strcmp(options.append, "a b"));
	tap_equal(TAKE(&options, "one", "-qemu"), 0);
	tap_check(!options.append);
	tap_equal(TAKE(&options, "one", "-qemu", "-append"), -EINVAL);
	tap_equal(TAKE(&options, "one", "-qemu", "-append", "a", "-append", "b"), -EINVAL);
	tap_equal(TAKE(&options, "one", "-qemu", "-m", "1"), -EINVAL);
	tap_check(strstr(message, "-append TEXT only, not \"-m\""));
}

static void words_behind_dashes_are_run_s(void)
{
	struct vmm_avd_options options;

	tap_equal(TAKE(&options, "one", "-cores", "1", "--", "--stats", "-x"), 0);
	tap_equal(options.rest_count, 2);
	tap_check(!strcmp(options.rest[1], "-x"));
}

/* Reads the documentation page. */
static char *page_read(void)
{
	static const char page[] = "/../../../../Documentation/avd.md";
	char path[PATH_MAX];
	char *slash;
	char *text = calloc(1, 100000);
	FILE *from;

	snprintf(path, sizeof(path), "%s", __FILE__);
	slash = strrchr(path, '/');
	if (slash)
		snprintf(slash, sizeof(path) - (slash - path), "%s", page);
	from = fopen(path, "r");
	if (from) {
		tap_check(fread(text, 1, 99999, from) > 0);
		fclose(from);
		return text;
	}
	free(text);
	return NULL;
}

static void the_page_has_what_the_table_has(void)
{
	const struct vmm_avd_option *option;
	char *text = page_read();
	unsigned int rows = 0;
	char line[400];
	char *at;

	if (!text) {
		tap_skip("the documentation is not here");
		return;
	}
	for (option = vmm_avd_table; option->name; option++, rows++) {
		snprintf(line, sizeof(line), "\n| `-%s%s%s` | %s | %s |\n", option->name,
			 option->arg ? " " : "", option->arg ? option->arg : "",
			 vmm_avd_verdict_name(option->verdict), option->help);
		tap_context("%s", line);
		tap_check(strstr(text, line));
	}
	for (at = strstr(text, "\n| `-"); at; at = strstr(at + 1, "\n| `-"))
		rows--;
	tap_equal(rows, 0);
	free(text);
}

static const struct tap_case cases[] = {
	{ "the table makes sense", the_table_makes_sense },
	{ "every option does as its row says", every_option_does_as_its_row_says },
	{ "an AVD has one name, by @ or -avd as well", an_avd_has_one_name },
	{ "the last value counts", the_last_value_counts },
	{ "unknown options are refused", unknown_options_are_refused },
	{ "too many options are refused", too_many_options_are_refused },
	{ "of QEMU's options there is -append", words_behind_qemu_are_its_own },
	{ "words behind -- are options of run", words_behind_dashes_are_run_s },
	{ "the page for operators has the same table", the_page_has_what_the_table_has },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
