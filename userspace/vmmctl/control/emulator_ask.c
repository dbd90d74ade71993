// SPDX-License-Identifier: GPL-2.0-only
/*
 * What the functions of the emulator console's commands share: words of a line, and running
 * commands of the control socket.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "control/emulator_rows.h"

/**
 * vmm_emu_fail - set the reason of a failure
 * @why: filled
 * @err: a number of errno.h
 * @fmt: a clause, as for printf()
 *
 * Return: -@err
 */
int vmm_emu_fail(char why[VMM_ANSWER_ERROR], int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(why, VMM_ANSWER_ERROR, fmt, args);
	va_end(args);
	return -err;
}

/**
 * vmm_emu_word_is - compare a word
 * @name: a word, or several with "|" between
 * @word: a word
 * @len: bytes of it
 *
 * Return: whether it is one of those
 */
bool vmm_emu_word_is(const char *name, const char *word, size_t len)
{
	size_t part;

	for (; *name; name += part + (name[part] == '|')) {
		part = strcspn(name, "|");
		if (part == len && !memcmp(name, word, len))
			return true;
	}
	return false;
}

/**
 * vmm_emu_word_cut - cut off the first word
 * @line: a line
 * @len: bytes of the word; filled
 *
 * Return: what follows, without the blanks between
 */
const char *vmm_emu_word_cut(const char *line, size_t *len)
{
	*len = strcspn(line, " ");
	return line + *len + strspn(line + *len, " ");
}

/**
 * vmm_emu_control - run a command of the control socket
 * @emu: the client's line
 * @name: of the command
 * @args: its arguments, or NULL; the reference is consumed
 * @result: filled with its result if there is one at once, owned by the caller; may be NULL
 * @why: filled with the reason of a failure
 *
 * Return: 0; VMM_EMU_LATER if the answer follows; or -errno
 */
int vmm_emu_control(struct vmm_emu *emu, const char *name, json_t *args, json_t **result,
		    char why[VMM_ANSWER_ERROR])
{
	struct vmm_answer answer = { 0 };
	int err = vmm_commands_run(emu->commands, name, emu->call, args, &answer);

	json_decref(args);
	if (err < 0)
		snprintf(why, VMM_ANSWER_ERROR, "%s", answer.error);
	if (result && !err)
		*result = answer.result;
	else
		json_decref(answer.result);
	return err;
}

/**
 * vmm_emu_say_text - add the text that a command has returned to the answer
 * @emu: the client's line
 * @result: result of the command, or NULL; the reference is consumed
 */
void vmm_emu_say_text(struct vmm_emu *emu, json_t *result)
{
	const char *text = json_string_value(json_object_get(result, "text"));

	if (text)
		vmm_text_add(emu->text, "%s", text);
	json_decref(result);
}
