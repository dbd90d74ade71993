// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: what vmmctl avd reads. Lines of an input are words of the emulator's command
 * line, up to an empty line; what is behind is an .ini file, which is config.ini and
 * advancedFeatures.ini at once.
 *
 * Checked: a mistake gets one message and nothing else gets one; a boot configuration has no key
 * twice and no value that ends before its line does; words are those of a command line.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "avd/avd.h"
#include "host/log.h"
#include "fuzz.h"

#define WORDS	70

static unsigned int messages;
static struct vmm_avd_plan plan;

int vmm_error(int err, const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
	messages++;
	if (!err)
		return -EINVAL;
	return err > 0 ? -err : err;
}

void vmm_note(const char *fmt, ...)
{
	char text[512];
	va_list args;

	va_start(args, fmt);
	vsnprintf(text, sizeof(text), fmt, args);
	va_end(args);
}

/* One line: key="value", as a kernel reads it. */
static const char *config_line(const char *line, const char *before)
{
	size_t key = strcspn(line, "=\n");
	const char *value = line + key + 2;
	size_t len = strcspn(value, "\"\n");
	const char *other;
	size_t i;

	MUST(key && key < 256 && line[key] == '=' && line[key + 1] == '"');
	MUST(line[0] != '.' && line[key - 1] != '.');
	MUST(value[len] == '"' && value[len + 1] == '\n');
	for (i = 0; i < len; i++)
		MUST(value[i] >= ' ' && value[i] <= '~');
	for (other = before; other < line; other += strcspn(other, "\n") + 1)
		MUST(strncmp(other, line, key + 1));
	return value + len + 2;
}

static void check_boot(const struct vmm_avd_boot *boot)
{
	const char *line;

	MUST(boot->line_len == strlen(boot->line) && boot->line_len < VMM_AVD_COMMAND_LINE);
	MUST(boot->config_len == strlen(boot->config));
	MUST(boot->config_len <= VMM_AVD_BOOTCONFIG - 4);
	for (line = boot->config; *line;)
		line = config_line(line, boot->config);
}

static void check_words(const struct vmm_avd_words *words)
{
	unsigned int i;

	MUST(words->count <= VMM_AVD_WORDS && !words->word[words->count] && !words->lost);
	for (i = 0; i < words->count; i++)
		MUST(words->word[i]);
}

/* Whatever the disks are, their names are the AVD's business. */
static void disks_fill(bool all)
{
	unsigned int i;

	for (i = 0; i < VMM_AVD_DISKS; i++) {
		plan.disk[i].present = all || i != VMM_AVD_DISK_VENDOR;
		plan.disk[i].readonly = i == VMM_AVD_DISK_SYSTEM;
		plan.disk[i].slot = 3 + i;
		snprintf(plan.disk[i].path, sizeof(plan.disk[i].path), "/%u.img", i);
	}
}

static void run(const char *ini, size_t len, int count, char **words)
{
	int err = vmm_avd_options_read(&plan.options, count, words);

	MUST(messages == (err ? 1 : 0));
	messages = 0;
	if (vmm_ini_parse(&plan.avd.config, "config.ini", ini, len) || err)
		return;
	MUST(!vmm_ini_parse(&plan.avd.features, "advancedFeatures.ini", ini, len));
	plan.avd.x86 = vmm_ini_yes(&plan.avd.config, "x86", false);
	plan.avd.api = 34;
	snprintf(plan.avd.name, sizeof(plan.avd.name), "one");
	disks_fill(len & 1);
	messages = 0;
	err = vmm_avd_boot(&plan.boot, &plan.avd, plan.disk, &plan.options);
	MUST(messages == (err ? 1 : 0));
	if (err)
		return;
	check_boot(&plan.boot);
	plan.services = true;
	vmm_avd_word(&plan.serve, "ranchu-services");
	err = vmm_avd_words(&plan);
	MUST(messages == (err ? 1 : 0));
	if (err)
		return;
	check_words(&plan.run);
	check_words(&plan.serve);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	char *text = malloc(size + 1);
	char *words[WORDS];
	char *next = text;
	int count = 0;

	if (!text)
		return 0;
	unsetenv("HOME");
	memcpy(text, data, size);
	text[size] = '\0';
	memset(&plan, 0, sizeof(plan));
	messages = 0;
	while (next && *next != '\n' && count < WORDS)
		words[count++] = strsep(&next, "\n");
	if (next)
		run(next, text + size - next, count, words);
	else
		run("", 0, count, words);
	vmm_avd_plan_free(&plan);
	free(text);
	return 0;
}
