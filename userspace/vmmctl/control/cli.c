// SPDX-License-Identifier: GPL-2.0-only
/*
 * vmmctl ps, and commands for a running VM, such as vmmctl stop NAME.
 */
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "control/cli.h"
#include "control/control.h"
#include "control/png.h"
#include "host/sandbox.h"
#include "host/vm_dir.h"

/* Long, for a host with more guests than CPUs. */
#define CLI_TIMEOUT_MS	30000
#define CLI_PS_MS	1000	/* for each VM that is listed */

/**
 * struct cli_command - a command of the command line
 * @word: its name on the command line
 * @command: command of the control socket, or NULL for the same as @word
 * @signal: for commands that end the VM: sent to a VM that does not answer; or 0
 * @show: handles the answer, returns 0 or -errno; or NULL
 * @usage: arguments after the VM's name, or NULL for none
 * @least: fewest words of arguments
 * @args: converts these words to the command's arguments
 */
struct cli_command {
	const char *word;
	const char *command;
	int signal;
	int (*show)(struct vmm_client *client, const json_t *result, char **argv);
	const char *usage;
	int least;
	json_t *(*args)(int argc, char **argv);
};

/**
 * struct cli_vm - the VM that a command is for
 * @name: its name
 * @path: path of its control socket
 */
struct cli_vm {
	const char *name;
	const char *path;
};

static int show_json(struct vmm_client *client, const json_t *result, char **argv)
{
	(void)client;
	(void)argv;
	json_dumpf(result, stdout, JSON_INDENT(2));
	putchar('\n');
	return 0;
}

static int show_text(struct vmm_client *client, const json_t *result, char **argv)
{
	const char *text = json_string_value(json_object_get(result, "text"));

	(void)client;
	(void)argv;
	if (text)
		fputs(text, stdout);
	return 0;
}

static int show_screen(struct vmm_client *client, const json_t *result, char **argv)
{
	int fd = vmm_client_file(client);
	int err;

	(void)result;
	if (fd < 0)
		return vmm_error(-EPROTO, "the VM has passed no screen");
	err = vmm_screenshot(fd, client, argv[0]);
	close(fd);
	return err;
}

/* Joins words with blanks. */
static json_t *join_words(int argc, char **argv)
{
	struct vmm_text text;
	int i;

	vmm_text_clear(&text);
	for (i = 0; i < argc; i++)
		vmm_text_add(&text, "%s%s", i ? " " : "", argv[i]);
	return text.cut ? NULL : json_string(text.bytes);
}

static json_t *device_args(int argc, char **argv)
{
	json_t *args = json_pack("{s:s, s:s}", "device", argv[0], "command", argv[1]);

	if (argc > 2 && json_object_set_new(args, "value", join_words(argc - 2, argv + 2))) {
		json_decref(args);
		return NULL;
	}
	return args;
}

static json_t *emu_args(int argc, char **argv)
{
	json_t *line = join_words(argc, argv);

	return line ? json_pack("{s:o}", "line", line) : NULL;
}

static const struct cli_command cli_commands[] = {
	{ .word = "status", .show = show_json },
	{ .word = "stop", .signal = SIGTERM },
	{ .word = "kill", .signal = SIGKILL },
	{ .word = "pause" },
	{ .word = "resume" },
	{ .word = "reset" },
	{ .word = "power-button" },
	{ .word = "stats", .show = show_json },
	{
		.word = "screenshot", .command = "screen", .show = show_screen,
		.usage = "FILE", .least = 1,
	},
	{
		.word = "emu", .show = show_text, .usage = "COMMAND...", .least = 1,
		.args = emu_args,
	},
	{
		.word = "device", .show = show_text, .usage = "DEVICE COMMAND [VALUE...]",
		.least = 2, .args = device_args,
	},
};

static const struct cli_command *cli_find(const char *word)
{
	unsigned int i;

	for (i = 0; i < ARRAY_SIZE(cli_commands); i++) {
		if (!strcmp(cli_commands[i].word, word))
			return &cli_commands[i];
	}
	return NULL;
}

static void list_calls(const char *title, unsigned int who)
{
	const struct vmm_sandbox_call *call;

	printf("%s: %u calls\n", title, vmm_sandbox_count(who));
	for (call = vmm_sandbox_calls; call->name; call++) {
		if (call->who & who)
			printf("  %-16s %s\n", call->name, call->why);
	}
}

static int cli_sandbox(void)
{
	list_calls("main thread", VMM_CALL_MAIN);
	list_calls("vCPUs", VMM_CALL_VCPU);
	return EXIT_SUCCESS;
}

/**
 * vmm_control_is_command - return whether a word is a command of this file
 * @word: first word of the command line
 *
 * Return: whether it is
 */
bool vmm_control_is_command(const char *word)
{
	return !strcmp(word, "ps") || !strcmp(word, "sandbox") || !strcmp(word, "snapshot") ||
	       cli_find(word);
}

/* Gets a VM's status; if it does not answer, only its name and process ID. */
static json_t *ps_ask(const char *base, const char *name)
{
	struct vmm_client *client = NULL;
	json_t *status = NULL;
	char path[PATH_MAX];
	pid_t pid = 0;

	if (!vmm_dir_file(base, name, "control.sock", path, sizeof(path)))
		client = vmm_client_open(path, CLI_PS_MS);
	if (client) {
		pid = vmm_client_pid(client);
		status = vmm_client_call(client, "status", NULL);
	}
	vmm_client_close(client);
	if (status)
		return status;
	if (!pid)
		pid = vmm_cli_state_pid(base, name);
	return json_pack("{s:s, s:i, s:s}", "name", name, "pid", (int)pid,
			 "status", "not answering");
}

struct ps {
	const char *base;
	json_t *list;
};

static void ps_found(void *arg, const char *name)
{
	struct ps *ps = arg;

	json_array_append_new(ps->list, ps_ask(ps->base, name));
}

static const char *text_of(const json_t *object, const char *key)
{
	const char *text = json_string_value(json_object_get(object, key));

	return text ? text : "-";
}

static void ps_print(const json_t *list)
{
	json_int_t memory;
	json_t *vm;
	size_t i;

	printf("%-20s %8s %-14s %5s %9s %8s\n", "NAME", "PID", "STATUS", "CPUS", "MEMORY", "UP");
	json_array_foreach(list, i, vm) {
		memory = json_integer_value(json_object_get(vm, "memory"));
		printf("%-20s %8lld %-14s %5lld %8lldM %7llds\n", text_of(vm, "name"),
		       (long long)json_integer_value(json_object_get(vm, "pid")),
		       text_of(vm, "status"),
		       (long long)json_integer_value(json_object_get(vm, "cpus")),
		       (long long)(memory / (json_int_t)MIB),
		       (long long)json_integer_value(json_object_get(vm, "uptime")));
	}
}

static int by_name(const void *a, const void *b)
{
	return strcmp(text_of(*(json_t *const *)a, "name"), text_of(*(json_t *const *)b, "name"));
}

/* Sorts by name: the order of a directory is arbitrary. */
static json_t *ps_sorted(json_t *list)
{
	size_t count = json_array_size(list);
	json_t **vms = calloc(count + 1, sizeof(*vms));
	json_t *sorted = json_array();
	size_t i;

	for (i = 0; vms && i < count; i++)
		vms[i] = json_array_get(list, i);
	if (vms)
		qsort(vms, count, sizeof(*vms), by_name);
	for (i = 0; vms && i < count; i++)
		json_array_append(sorted, vms[i]);
	free(vms);
	json_decref(list);
	return sorted;
}

static int cli_ps(const char *base, int argc, char **argv)
{
	struct ps ps = { base, json_array() };
	bool json = argc == 3 && !strcmp(argv[2], "--json");
	int err;

	if (argc > 3 || (argc == 3 && !json)) {
		json_decref(ps.list);
		vmm_error(-EINVAL, "ps: unknown argument \"%s\", only --json", argv[argc - 1]);
		return 2;
	}
	err = vmm_dir_each(base, ps_found, &ps);
	if (err)
		vmm_error(-err, "cannot read %s", base);
	ps.list = ps_sorted(ps.list);
	if (json) {
		json_dumpf(ps.list, stdout, JSON_COMPACT);
		putchar('\n');
	} else {
		ps_print(ps.list);
	}
	json_decref(ps.list);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

static int cli_call(const struct cli_command *command, const struct cli_vm *vm, json_t *args,
		    char **argv)
{
	struct vmm_client *client = vmm_client_open(vm->path, CLI_TIMEOUT_MS);
	const char *name = vm->name;
	json_t *result;
	int err = 0;

	if (!client) {
		if (errno == ENOENT || errno == ECONNREFUSED)
			vmm_error(-errno, "no VM is named \"%s\"", name);
		else
			vmm_error(errno, "cannot reach the VM \"%s\"", name);
		json_decref(args);
		return EXIT_FAILURE;
	}
	result = vmm_client_call(client, command->command ? command->command : command->word,
				 args);
	if (!result)
		err = vmm_error(EIO, "%s: %s", name, vmm_client_error(client));
	else if (command->show)
		err = command->show(client, result, argv);
	vmm_client_close(client);
	json_decref(result);
	return err ? EXIT_FAILURE : EXIT_SUCCESS;
}

/**
 * vmm_control_cli - run a command line for running VMs
 * @argc: as for main()
 * @argv: as for main(); vmm_control_is_command() is true for the second one
 *
 * Return: the exit code: 0, 1 if it failed, 2 if the command line is wrong
 */
int vmm_control_cli(int argc, char **argv)
{
	const struct cli_command *command;
	json_t *args = NULL;
	struct cli_vm vm = { .name = argv[2] };
	char base[PATH_MAX];
	char path[PATH_MAX];

	if (!strcmp(argv[1], "sandbox"))
		return cli_sandbox();
	if (vmm_dir_base(base, sizeof(base))) {
		vmm_error(-EINVAL, "XDG_RUNTIME_DIR is too long");
		return EXIT_FAILURE;
	}
	if (!strcmp(argv[1], "ps"))
		return cli_ps(base, argc, argv);
	if (!strcmp(argv[1], "snapshot"))
		return vmm_snapshot_cli(base, argc, argv);
	command = cli_find(argv[1]);
	if (argc < 3 + command->least || (argc > 3 + command->least && !command->args)) {
		vmm_error(-EINVAL, "%s needs the name of a VM, and %s", argv[1],
			  command->usage ? command->usage : "nothing else");
		return 2;
	}
	if (vmm_dir_file(base, vm.name, "control.sock", path, sizeof(path))) {
		vmm_error(-EINVAL, "no VM can be named \"%s\"", vm.name);
		return 2;
	}
	if (command->signal)
		return vmm_cli_end(base, vm.name, command->word, command->signal) ?
		       EXIT_FAILURE : EXIT_SUCCESS;
	vm.path = path;
	if (command->args) {
		args = command->args(argc - 3, argv + 3);
		if (!args) {
			vmm_error(-EINVAL, "%s: its arguments are too long, or no UTF-8", argv[1]);
			return 2;
		}
	}
	return cli_call(command, &vm, args, argv + 3);
}
