// SPDX-License-Identifier: GPL-2.0-only
/*
 * Lines of the control socket: requests, answers and events. The conventions are those of QEMU's
 * monitor protocol.
 *
 * Source: QEMU docs/interop/qmp-spec.rst (protocol 1.0): greeting, "execute",
 * "arguments", "id", "return", "error" with "class" and "desc", "event", "data",
 * "timestamp".
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "control/control.h"

#define MESSAGE_FLAGS	(JSON_COMPACT | JSON_ENSURE_ASCII)

static char *line_of(json_t *json)
{
	char *text = json ? json_dumps(json, MESSAGE_FLAGS) : NULL;
	size_t len = text ? strlen(text) : 0;
	char *line = text ? realloc(text, len + 2) : NULL;

	if (line)
		memcpy(line + len, "\n", 2);
	else
		free(text);
	json_decref(json);
	return line;
}

/* Reads the keys that a request may have, and refuses others. */
static int request_keys(struct vmm_request *request, struct vmm_answer *answer)
{
	const char *key;
	json_t *value;

	json_object_foreach(request->object, key, value) {
		if (!strcmp(key, "execute"))
			request->execute = json_string_value(value);
		else if (!strcmp(key, "arguments"))
			request->args = value;
		else if (strcmp(key, "id"))
			return vmm_answer_fail(answer, EINVAL, "a request has no \"%.32s\"", key);
	}
	if (!request->execute)
		return vmm_answer_fail(answer, EINVAL,
				       "a request has an \"execute\", which is a string");
	if (request->args && !json_is_object(request->args))
		return vmm_answer_fail(answer, EINVAL, "\"arguments\" is an object");
	return 0;
}

/**
 * vmm_request_read - read a request
 * @request: filled; vmm_request_free() must be called in any case
 * @line: the line without its newline; need not end in a NUL
 * @len: bytes of it
 * @answer: zeroed by the caller; filled with the reason of a failure
 *
 * Return: 0, or -EINVAL
 */
int vmm_request_read(struct vmm_request *request, const char *line, size_t len,
		     struct vmm_answer *answer)
{
	memset(request, 0, sizeof(*request));
	request->object = vmm_json_read(line, len, answer->error, sizeof(answer->error));
	if (!request->object)
		return -EINVAL;
	request->id = json_object_get(request->object, "id");
	return request_keys(request, answer);
}

/**
 * vmm_request_free - free a request
 * @request: was read, with success or not
 */
void vmm_request_free(struct vmm_request *request)
{
	json_decref(request->object);
	memset(request, 0, sizeof(*request));
}

/**
 * vmm_answer_line - make the line that answers a request
 * @answer: its result is consumed
 * @id: "id" of the request, or NULL; owned by the caller
 *
 * Return: the line with its newline, to be freed; NULL without memory
 */
char *vmm_answer_line(struct vmm_answer *answer, json_t *id)
{
	json_t *json;

	if (*answer->error) {
		json_decref(answer->result);
		json = json_pack("{s:{s:s, s:s}}", "error", "class",
				 answer->unknown ? "CommandNotFound" : "GenericError",
				 "desc", answer->error);
	} else {
		json = json_pack("{s:o}", "return",
				 answer->result ? answer->result : json_object());
	}
	answer->result = NULL;
	if (id)
		json_object_set(json, "id", id);
	return line_of(json);
}

/**
 * vmm_event_line - format the line of an event
 * @event: its name
 * @data: its data, or NULL; owned by the caller
 * @lost: events before it that the client has missed
 *
 * Return: the line with its newline, to be freed; NULL without memory
 */
char *vmm_event_line(const char *event, json_t *data, unsigned long lost)
{
	struct timespec now;
	json_t *json;

	clock_gettime(CLOCK_REALTIME, &now);
	json = json_pack("{s:s, s:{s:I, s:I}}", "event", event, "timestamp",
			 "seconds", (json_int_t)now.tv_sec,
			 "microseconds", (json_int_t)now.tv_nsec / 1000);
	if (data)
		json_object_set(json, "data", data);
	if (lost)
		json_object_set_new(json, "lost", json_integer(lost));
	return line_of(json);
}

/**
 * vmm_greeting_line - make the first line that a client gets
 *
 * Return: the line with its newline, to be freed; NULL without memory
 */
char *vmm_greeting_line(void)
{
	return line_of(json_pack("{s:{s:{s:{s:i, s:i, s:i}, s:s}, s:[]}}", "QMP", "version",
				 "qemu", "major", 0, "minor", 0, "micro", 0,
				 "package", "vmmctl", "capabilities"));
}
