// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fuzz target: vmmctl's command line and its configuration file. An input
 * that begins with "{" is a file; else its lines are words of the command line, and what
 * is behind "--config" is the file.
 *
 * Checked: a mistake gets one message and everything else none, each value that is
 * taken is inside its range, and nothing leaks.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "cli/cli.h"
#include "cli/option.h"
#include "host/log.h"
#include "fuzz.h"

#define WORDS	40

static unsigned int messages;
static const char *file;
static size_t file_len;

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

/* Files are what the input says, and no files. */
int vmm_config_file_load(struct vmm_reader *reader, const char *path)
{
	return vmm_config_file_parse(reader, path, file, file_len);
}

/* There is no snapshot. */
int vmm_from_read(struct vmm_config *cfg)
{
	return vmm_error(-ENOENT, "%s", cfg->from);
}

static void check_devices(const struct vmm_config *cfg)
{
	unsigned int i;
	unsigned int kind;

	MUST(cfg->disks <= VMM_DISKS);
	for (i = 0; i < cfg->disks; i++) {
		MUST(*cfg->disk[i].path);
		MUST(cfg->disk[i].block_size == 512 || cfg->disk[i].block_size == 4096);
		MUST(cfg->disk[i].queues >= 1 && cfg->disk[i].queues <= VMM_DISK_QUEUES);
		MUST(cfg->disk[i].transport.slot >= -1 && cfg->disk[i].transport.slot < 32);
	}
	for (kind = 0; kind < VMM_BACKEND_KINDS; kind++) {
		MUST(cfg->backends[kind] <= VMM_BACKENDS);
		for (i = 0; i < cfg->backends[kind]; i++) {
			MUST(*cfg->backend[kind][i].path);
			MUST(cfg->backend[kind][i].type < VMM_VHOST_USER_TYPES);
			MUST(!(cfg->backend[kind][i].mac[0] & 1));
		}
	}
	MUST(cfg->builtins <= VMM_BUILTINS);
}

static void check_config(const struct vmm_config *cfg)
{
	MUST(cfg->cpus >= 1 && cfg->cpus <= VMM_MAX_CPUS);
	MUST(cfg->memory >= 64 * MIB && cfg->memory <= RANCHU_RAM_MAX);
	MUST(!(cfg->memory % MIB));
	MUST(cfg->append && strlen(cfg->append) < 2048);
	MUST(cfg->command != VMM_CMD_RUN || cfg->kernel);
	MUST(cfg->n_services <= VMM_PIPE_SERVICES);
	MUST(!cfg->adb_port || cfg->adb_port & 1);
	check_devices(cfg);
}

static void parse(int argc, char **argv)
{
	struct vmm_config cfg;
	int err;

	messages = 0;
	err = vmm_options_parse(&cfg, argc, argv);
	MUST(err <= 0);
	MUST(messages == (err ? 1 : 0));
	if (!err && cfg.command != VMM_CMD_HELP)
		check_config(&cfg);
	vmm_options_free(&cfg);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	char *argv[WORDS + 1] = { "vmmctl" };
	char *text = malloc(size + 1);
	char *next = text;
	int argc = 1;

	if (!text)
		return 0;
	memcpy(text, data, size);
	text[size] = '\0';
	file = "";
	file_len = 0;
	if (*text == '{') {
		file = text;
		file_len = size;
		parse(4, (char *[]){ "vmmctl", "dtb", "--config", "F", NULL });
		next = NULL;
	}
	while (next && argc < WORDS) {
		char *word = strsep(&next, "\n");

		argv[argc++] = word;
		if (!strcmp(word, "--config") && next && argc < WORDS) {
			argv[argc++] = "F";
			file = next;
			file_len = text + size - next;
			next = NULL;
		}
	}
	if (argc > 1)
		parse(argc, argv);
	free(text);
	return 0;
}
