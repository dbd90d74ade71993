// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control socket: requests of its clients, answers, and events. Requests of a client are
 * answered in order: while an answer is outstanding (VMM_COMMAND_LATER), no further request is
 * handled. Events that do not fit are counted and left out.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "control/control.h"

#define CLIENT_EVENTS	(VMM_LINES_OUT / 4)	/* bytes to send: more of them drop events */

/**
 * struct talk - state of a client
 * @asked: it has asked for events
 * @lost: events that it has missed
 * @call: number of the request without an answer, 0 for none
 * @id: "id" of that request
 */
struct talk {
	bool asked;
	unsigned long lost;
	u64 call;
	json_t *id;
};

/**
 * struct vmm_control - the control socket
 * @lines: connections
 * @commands: all commands
 * @last_call: number of the last request
 * @talk: by number of the connection
 */
struct vmm_control {
	struct vmm_lines *lines;
	const struct vmm_commands *commands;
	u64 last_call;
	struct talk talk[VMM_CONTROL_CLIENTS];
};

static void client_answer(struct vmm_lines_client *c, struct vmm_answer *answer, json_t *id)
{
	struct vmm_answer failed = { 0 };
	size_t before = c->out_len;
	char *line = vmm_answer_line(answer, id);

	if (line && answer->file && c->file) {
		vmm_answer_fail(answer, EBUSY, "the client has not received the previous file");
		free(line);
		line = vmm_answer_line(answer, id);
	} else if (line && answer->file) {
		c->file = answer->file;
		c->file_at = before;
	}
	if (!line || !vmm_lines_add(c, line, strlen(line))) {
		if (c->file_at == before)
			c->file = 0;
		free(line);
		vmm_answer_fail(&failed, ENOBUFS, "the answer is too large");
		line = vmm_answer_line(&failed, id);
		if (line)
			vmm_lines_add(c, line, strlen(line));
	}
	free(line);
}

static void client_execute(struct vmm_control *control, struct vmm_lines_client *c,
			   const struct vmm_request *request, struct vmm_answer *answer)
{
	struct talk *talk = &control->talk[c->index];
	u64 call = ++control->last_call;
	bool later;

	if (!strcmp(request->execute, "qmp_capabilities"))
		talk->asked = true;
	/* Set first, because the command may answer before it returns. */
	talk->call = call;
	talk->id = json_incref(request->id);
	c->busy = true;
	answer->given = c->given;
	later = vmm_commands_run(control->commands, request->execute, call, request->args,
				 answer) == VMM_COMMAND_LATER;
	vmm_lines_drop_files(c);
	if (!later)
		vmm_control_answer(control, call, answer);
}

static void client_line(void *arg, struct vmm_lines_client *c, const char *line, size_t len)
{
	struct vmm_answer answer = { 0 };
	struct vmm_request request;

	while (len && (line[len - 1] == '\r' || line[len - 1] == ' '))
		len--;
	if (!len)
		return;
	if (vmm_request_read(&request, line, len, &answer))
		client_answer(c, &answer, request.id);
	else
		client_execute(arg, c, &request, &answer);
	vmm_request_free(&request);
}

static void client_too_long(void *arg, struct vmm_lines_client *c)
{
	struct vmm_answer answer = { 0 };

	(void)arg;
	vmm_answer_fail(&answer, EMSGSIZE, "a request has at most %d bytes",
			VMM_CONTROL_LINE - 1);
	client_answer(c, &answer, NULL);
}

static bool client_opened(void *arg, struct vmm_lines_client *c)
{
	char *greeting = vmm_greeting_line();
	bool ok = greeting && vmm_lines_add(c, greeting, strlen(greeting));

	(void)arg;
	free(greeting);
	return ok;
}

static void client_closed(void *arg, struct vmm_lines_client *c)
{
	struct vmm_control *control = arg;

	json_decref(control->talk[c->index].id);
	control->talk[c->index] = (struct talk){ 0 };
}

static const struct vmm_lines_ops control_ops = {
	.clients = VMM_CONTROL_CLIENTS,
	.line_max = VMM_CONTROL_LINE,
	.files = true,
	.opened = client_opened,
	.line = client_line,
	.too_long = client_too_long,
	.closed = client_closed,
};

/**
 * vmm_control_open - serve a control socket
 * @loop: the main thread's loop
 * @fd: listening, non-blocking file; owned by the caller
 * @commands: all commands
 *
 * Return: the socket, or NULL
 */
struct vmm_control *vmm_control_open(struct vmm_loop *loop, int fd,
				     const struct vmm_commands *commands)
{
	struct vmm_control *control = calloc(1, sizeof(*control));

	if (!control) {
		vmm_error(ENOMEM, "control socket");
		return NULL;
	}
	control->commands = commands;
	control->lines = vmm_lines_open(loop, &fd, 1, &control_ops, control);
	if (control->lines)
		return control;
	free(control);
	return NULL;
}

/**
 * vmm_control_flush - send what can be sent at once
 * @control: may be NULL
 *
 * Used at the end: does not wait for clients that do not read.
 */
void vmm_control_flush(struct vmm_control *control)
{
	if (control)
		vmm_lines_flush(control->lines);
}

/**
 * vmm_control_close - close the control socket and its clients
 * @control: may be NULL
 */
void vmm_control_close(struct vmm_control *control)
{
	if (!control)
		return;
	vmm_lines_close(control->lines);
	free(control);
}

static void client_event(struct vmm_control *control, struct vmm_lines_client *c,
			 const char *event, json_t *data)
{
	struct talk *talk = &control->talk[c->index];
	char *line;

	if (!talk->asked)
		return;
	line = vmm_event_line(event, data, talk->lost);
	if (line && strlen(line) + c->out_len <= CLIENT_EVENTS &&
	    vmm_lines_add(c, line, strlen(line)))
		talk->lost = 0;
	else
		talk->lost++;
	free(line);
	vmm_lines_push(c);
}

/**
 * vmm_control_event - send an event to all clients that asked for events
 * @control: may be NULL
 * @event: its name
 * @data: its data, or NULL; the reference is consumed
 */
void vmm_control_event(struct vmm_control *control, const char *event, json_t *data)
{
	struct vmm_lines_client *c = NULL;

	while (control && (c = vmm_lines_next(control->lines, c)))
		client_event(control, c, event, data);
	json_decref(data);
}

/**
 * vmm_control_answer - answer a request
 * @control: the socket
 * @call: number of the request; ignored if its client has gone
 * @answer: its result is consumed
 */
void vmm_control_answer(struct vmm_control *control, u64 call, struct vmm_answer *answer)
{
	struct vmm_lines_client *c = NULL;

	while ((c = vmm_lines_next(control->lines, c))) {
		struct talk *talk = &control->talk[c->index];

		if (!call || talk->call != call)
			continue;
		client_answer(c, answer, talk->id);
		json_decref(talk->id);
		talk->id = NULL;
		talk->call = 0;
		c->busy = false;
		vmm_lines_push(c);
		return;
	}
	json_decref(answer->result);
	answer->result = NULL;
}
