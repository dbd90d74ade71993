// SPDX-License-Identifier: GPL-2.0-only
/*
 * Option tables: the goldfish pipe and its services, the sync device, adb.
 */
#include <errno.h>
#include <string.h>

#include "cli/option.h"
#include "host/log.h"

#define AT(field)	VMM_OPTION_AT(struct vmm_config, field)

#define PIPE_NAME_MAX	122	/* bytes that the guest's driver can write */

static const struct vmm_option_word pipe_words[] = {
	{ "kernel", VMM_PIPE_KERNEL }, { "user", VMM_PIPE_USER }, { "none", VMM_PIPE_NONE }, { }
};

static const struct vmm_option_word sync_words[] = {
	{ "auto", VMM_SYNC_AUTO }, { "kernel", VMM_SYNC_KERNEL }, { "user", VMM_SYNC_USER },
	{ "none", VMM_SYNC_NONE }, { }
};

static const struct vmm_option_word adb_words[] = {
	{ "auto", VMM_ADB_AUTO }, { "on", VMM_ADB_ON }, { "off", VMM_ADB_OFF }, { }
};

static const struct vmm_option_word adb_transport_words[] = {
	{ "vsock", VMM_ADB_BY_VSOCK }, { "pipe", VMM_ADB_BY_PIPE }, { }
};

static const struct vmm_option_word adb_users_words[] = {
	{ "owner", VMM_ADB_OWNER }, { "all", VMM_ADB_ALL }, { }
};

static const struct vmm_option_word emulator_words[] = {
	{ "auto", VMM_EMULATOR_AUTO }, { "off", VMM_EMULATOR_OFF }, { }
};

static const struct vmm_option_word adb_port_words[] = { { "auto", 0 }, { } };

/* NAME=unix:PATH. NAME may have colons in it. */
static int service_read(struct vmm_reader *reader, const char *where, const char *text)
{
	static const char middle[] = "=unix:";
	struct vmm_config *cfg = reader->cfg;
	const char *end = strstr(text, middle);
	struct vmm_pipe_service *service;
	size_t path;

	if (!end || end == text)
		return vmm_error(-EINVAL, "%s: \"%s\" is not NAME=unix:PATH", where, text);
	if (cfg->n_services == VMM_PIPE_SERVICES)
		return vmm_error(-EINVAL, "%s: there can be at most %d", where,
				 VMM_PIPE_SERVICES);
	service = &cfg->services[cfg->n_services];
	service->name = text;
	service->name_len = end - text;
	service->path = end + strlen(middle);
	if (*service->path)
		service->path = vmm_option_file(reader, where, service->path);
	if (!service->path)
		return -EINVAL;
	path = strlen(service->path);
	if (service->name_len > PIPE_NAME_MAX)
		return vmm_error(-EINVAL, "%s: the name has %zu bytes; 1 to %d are allowed",
				 where, service->name_len, PIPE_NAME_MAX);
	if (!path || path >= VMM_UNIX_PATH)
		return vmm_error(-EINVAL, "%s: the path has %zu bytes; 1 to %d are allowed",
				 where, path, VMM_UNIX_PATH - 1);
	cfg->n_services++;
	return 0;
}

static const struct vmm_option pipe_options[] = {
	{
		.key = "pipe", .type = VMM_OPT_WORD, .words = pipe_words, .initial = "kernel",
		AT(pipe), .help = "goldfish pipe, served by the kernel module or by vmmctl (user)",
	},
	{
		.key = "pipe-service", .arg = "NAME=unix:PATH", .type = VMM_OPT_OWN,
		.read = service_read, .flags = VMM_OPT_REPEATS,
		.help = "a guest that opens pipe:NAME gets a connection to the Unix socket PATH,\n"
			"a new one each time",
	},
	{
		.key = "pipe-socket", .arg = "PATH", .type = VMM_OPT_TEXT, .min = 1,
		.max = VMM_LISTEN_PATH - 1, AT(pipe_socket), .flags = VMM_OPT_FILE,
		.help = "programs that connect to PATH may offer services of the pipe themselves\n"
			"(libranchu-pipe)",
	},
	{
		.key = "guest-services", .type = VMM_OPT_FLAG, AT(guest_services),
		.help = "the guest's sensors, position, clipboard and the like are served by the\n"
			"program ranchu-services, for which the guest waits",
	},
};

const struct vmm_option_table vmm_options_pipe = {
	.name = "pipe",
	.title = "Goldfish pipe",
	.about =
		"The goldfish pipe carries Android's services between guest and host. It is\n"
		"served by the kernel module vhost_goldfish_pipe.",
	.options = pipe_options,
	.count = ARRAY_SIZE(pipe_options),
	.commands = VMM_COMMAND(VMM_CMD_RUN) | VMM_COMMAND(VMM_CMD_DOCTOR),
	.first = -1,
};

static const struct vmm_option sync_options[] = {
	{
		.key = "sync", .type = VMM_OPT_WORD, .words = sync_words, .initial = "auto",
		AT(sync),
		.help = "goldfish sync device, served by the kernel module or by vmmctl; auto:\n"
			"kernel if the module is loaded, user if KVM lacks what kernel needs,\n"
			"none, which reads as 0, without the module",
	},
	{
		.key = "sync-socket", .arg = "PATH", .type = VMM_OPT_TEXT, .min = 1,
		.max = VMM_LISTEN_PATH - 1, AT(sync_socket), .flags = VMM_OPT_FILE,
		.help = "Unix socket for a renderer, which signals the guest's fences",
	},
};

const struct vmm_option_table vmm_options_sync = {
	.name = "sync",
	.title = "Goldfish sync",
	.about =
		"By the sync device a guest waits for what a renderer draws. It is served by the\n"
		"kernel module vhost_goldfish_sync. Without a renderer no fence is waited for.",
	.options = sync_options,
	.count = ARRAY_SIZE(sync_options),
	.commands = VMM_COMMAND(VMM_CMD_RUN) | VMM_COMMAND(VMM_CMD_DOCTOR),
	.first = -1,
};

static const struct vmm_option adb_options[] = {
	{
		.key = "adb", .type = VMM_OPT_WORD, .words = adb_words, .initial = "auto",
		AT(adb),
		.help = "appear as an emulator to the adb server; auto: if the guest's adbd is\n"
			"reachable",
	},
	{
		.key = "adb-port", .arg = "PORT", .type = VMM_OPT_NUMBER, .words = adb_port_words,
		.min = 1025, .max = 65535, .initial = "auto", AT(adb_port),
		.help = "port of 127.0.0.1 for adb, an odd number; auto: the first free one from\n"
			"5555 to 5683",
	},
	{
		.key = "emulator-console", .arg = "PORT", .type = VMM_OPT_NUMBER,
		.words = emulator_words, .min = 1024, .max = 65534, .initial = "auto",
		AT(emulator_console),
		.help = "port of the loopback addresses for the emulator's console, which\n"
			"\"adb emu\" speaks to; auto: the one below adb's, if there is one",
	},
	{
		.key = "adb-users", .type = VMM_OPT_WORD, .words = adb_users_words,
		.initial = "owner", AT(adb_users),
		.help = "users of this machine who may connect to that port: vmmctl's user and\n"
			"root, or all; a client gets a shell in the guest",
	},
	{
		.key = "adb-socket", .arg = "PATH", .type = VMM_OPT_TEXT, .min = 1,
		.max = VMM_LISTEN_PATH - 1, AT(adb_socket), .flags = VMM_OPT_FILE,
		.help = "a Unix socket for \"adb connect localfilesystem:PATH\"",
	},
	{
		.key = "adb-transport", .type = VMM_OPT_WORD, .words = adb_transport_words,
		.initial = "vsock", AT(adb_transport),
		.help = "how adb reaches the guest: by --vsock, or by the pipe service qemud:adb",
	},
};

const struct vmm_option_table vmm_options_adb = {
	.name = "adb",
	.title = "adb",
	.about =
		"An adb server finds a guest as it finds an emulator: by a pair of ports of\n"
		"127.0.0.1, an even one for a console and the next one for adb. vmmctl tells a\n"
		"running adb server of its port. A server that starts later looks at the ports\n"
		"from 5555 to 5585 only; beyond, \"adb connect 127.0.0.1:PORT\" is needed.\n\n"
		"The emulator's console accepts clients that know the token in the home directory's file\n"
		".emulator_console_auth_token, which is created if there is none.",
	.options = adb_options,
	.count = ARRAY_SIZE(adb_options),
	.commands = VMM_COMMAND(VMM_CMD_RUN) | VMM_COMMAND(VMM_CMD_DOCTOR),
	.first = -1,
};
