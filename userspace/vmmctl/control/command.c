// SPDX-License-Identifier: GPL-2.0-only
/*
 * Tables of commands: finds a command by its name, checks its arguments against
 * the row, and runs it.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "control/control.h"

/**
 * vmm_answer_fail - answer that a command failed
 * @answer: filled
 * @err: errno, positive or negative
 * @fmt: the reason, without a full stop or newline
 *
 * Return: -errno
 */
int vmm_answer_fail(struct vmm_answer *answer, int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(answer->error, sizeof(answer->error), fmt, args);
	va_end(args);
	return err > 0 ? -err : err;
}

/**
 * vmm_commands_add - add a table of commands
 * @commands: the table is added to it
 * @row: first row; a row without a name ends the table
 * @arg: argument of its functions
 *
 * Return: 0, or -ENOSPC
 */
int vmm_commands_add(struct vmm_commands *commands, const struct vmm_command_row *row, void *arg)
{
	if (commands->count == VMM_COMMAND_SETS)
		return vmm_error(ENOSPC, "too many tables of commands");
	commands->set[commands->count].row = row;
	commands->set[commands->count].arg = arg;
	commands->count++;
	return 0;
}

static const char *type_name(json_type type)
{
	switch (type) {
	case JSON_STRING:
		return "a string";
	case JSON_INTEGER:
		return "an integer";
	case JSON_TRUE:
		return "true or false";
	case JSON_OBJECT:
		return "an object";
	default:
		return "of another type";
	}
}

/* In a table, JSON_TRUE means any boolean. */
static bool type_fits(json_type type, const json_t *value)
{
	return type == JSON_TRUE ? json_is_boolean(value) : json_typeof(value) == type;
}

static const struct vmm_command_arg *arg_find(const struct vmm_command_row *row, const char *name)
{
	unsigned int i;

	for (i = 0; i < VMM_COMMAND_ARGS && row->args[i].name; i++) {
		if (!strcmp(row->args[i].name, name))
			return &row->args[i];
	}
	return NULL;
}

static int args_check(const struct vmm_command_row *row, const json_t *args,
		      struct vmm_answer *answer)
{
	const struct vmm_command_arg *arg;
	const char *key;
	json_t *value;
	unsigned int i;

	json_object_foreach((json_t *)args, key, value) {
		arg = arg_find(row, key);
		if (!arg)
			return vmm_answer_fail(answer, EINVAL, "%s has no argument \"%.32s\"",
					       row->name, key);
		if (!type_fits(arg->type, value))
			return vmm_answer_fail(answer, EINVAL, "%s: \"%s\" is not %s",
					       row->name, key, type_name(arg->type));
	}
	for (i = 0; i < VMM_COMMAND_ARGS && row->args[i].name; i++) {
		if (row->args[i].required && !json_object_get(args, row->args[i].name))
			return vmm_answer_fail(answer, EINVAL, "%s needs the argument \"%s\"",
					       row->name, row->args[i].name);
	}
	return 0;
}

/**
 * vmm_commands_run - run a command
 * @commands: all commands
 * @name: name of the command
 * @call: identifies the request for a later answer, 0 if a later answer is impossible
 * @args: an object, or NULL
 * @answer: zeroed by the caller; filled
 *
 * Return: 0, VMM_COMMAND_LATER, or -errno with a reason in @answer
 */
int vmm_commands_run(const struct vmm_commands *commands, const char *name, u64 call,
		     const json_t *args, struct vmm_answer *answer)
{
	const struct vmm_command_row *row;
	unsigned int i;
	int err;

	for (i = 0; i < commands->count; i++) {
		for (row = commands->set[i].row; row->name; row++) {
			if (strcmp(row->name, name))
				continue;
			err = args_check(row, args, answer);
			if (!err)
				err = row->run(commands->set[i].arg, call, args, answer);
			if (err < 0 && !*answer->error)
				vmm_answer_fail(answer, err, "%s: %s", name, strerror(-err));
			return err;
		}
	}
	answer->unknown = true;
	return vmm_answer_fail(answer, ENOENT, "there is no command \"%.64s\"", name);
}

/**
 * vmm_commands_list - list the commands
 * @commands: all commands
 *
 * Return: an array of objects with "name" and "help", or NULL without memory
 */
json_t *vmm_commands_list(const struct vmm_commands *commands)
{
	const struct vmm_command_row *row;
	json_t *list = json_array();
	unsigned int i;

	for (i = 0; i < commands->count; i++) {
		for (row = commands->set[i].row; row->name; row++)
			json_array_append_new(list, json_pack("{s:s, s:s}", "name", row->name,
							      "help", row->help));
	}
	return list;
}
