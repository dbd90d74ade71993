// SPDX-License-Identifier: GPL-2.0-only
/*
 * The emulator console's port: clients, their authentication, and answers to lines. Several lines
 * may come in one piece, as `adb emu` sends them: they are answered in order, and after a line
 * that ends the connection, it is closed when all answers were sent.
 */
#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "control/emulator.h"
#include "host/emu_token.h"

#define EMU_CLIENTS	16
#define EMU_LINE	4096	/* bytes, the newline included */

/**
 * struct talk - state of a client
 * @trusted: it has sent the token, or needs none
 * @call: number of the line that has no answer yet, 0 for none
 */
struct talk {
	bool trusted;
	u64 call;
};

/**
 * struct vmm_emulator - the console
 * @lines: connections
 * @commands: of the control socket
 * @token: the token of clients
 * @last_call: number of the last line
 * @talk: by number of the connection
 */
struct vmm_emulator {
	struct vmm_lines *lines;
	const struct vmm_commands *commands;
	const struct vmm_emu_token *token;
	u64 last_call;
	struct talk talk[EMU_CLIENTS];
};

/* Sends text with CR LF line ends. Disconnects a client that does not read. */
static void say(struct vmm_lines_client *c, const char *text)
{
	size_t len;

	for (; *text; text += len + (text[len] == '\n')) {
		len = strcspn(text, "\n");
		if (!vmm_lines_add(c, text, len) ||
		    (text[len] && !vmm_lines_add(c, "\r\n", 2))) {
			vmm_lines_end(c);
			return;
		}
	}
}

static void say_failed(struct vmm_lines_client *c, const char *why)
{
	say(c, "KO: ");
	say(c, why);
	say(c, "\n");
}

/* Detects HTTP, which a web page could make a browser send. */
static bool is_http(const char *line)
{
	static const char *const methods[] = {
		"GET ", "HEAD ", "POST ", "PUT ", "DELETE ", "CONNECT ", "OPTIONS ", "TRACE ",
		"PATCH ",
	};
	size_t len;
	size_t i;

	for (i = 0; i < ARRAY_SIZE(methods); i++) {
		if (!strncmp(line, methods[i], strlen(methods[i])))
			return true;
	}
	len = strlen(line);
	return len > 9 && !strncmp(line + len - 9, " HTTP/1.", 8);
}

static bool is_utf8(const char *text, size_t len)
{
	size_t one;

	for (; len; text += one, len -= one) {
		one = *text ? vmm_text_utf8(text, len) : 0;
		if (!one)
			return false;
	}
	return true;
}

/* Handles "auth TOKEN". */
static void do_auth(struct vmm_emulator *emulator, struct vmm_lines_client *c, const char *said)
{
	char token[VMM_EMU_TOKEN_MAX + 1];

	said += strspn(said, " ");
	if (!*said) {
		say_failed(c, "missing authentication token");
	} else if (vmm_emu_token_read(emulator->token, token)) {
		say_failed(c, "unable to read ~/.emulator_console_auth_token");
	} else if (!*token || !vmm_emu_token_is(token, said)) {
		say_failed(c, "authentication token does not match ~/.emulator_console_auth_token");
	} else {
		emulator->talk[c->index].trusted = true;
		say(c, "Android Console: type 'help' for a list of commands\nOK\n");
	}
}

static void do_line(struct vmm_emulator *emulator, struct vmm_lines_client *c, const char *line)
{
	struct talk *talk = &emulator->talk[c->index];
	char why[VMM_ANSWER_ERROR] = "";
	static struct vmm_text text;
	struct vmm_emu emu = {
		.commands = emulator->commands,
		.call = VMM_EMULATOR_CALL | ++emulator->last_call,
		.trusted = talk->trusted,
		.text = &text,
	};
	int err;

	vmm_text_clear(&text);
	/* Set first, because the command may answer before it returns. */
	talk->call = emu.call;
	c->busy = true;
	err = vmm_emu_run(&emu, line, why);
	say(c, text.bytes);
	if (err == VMM_EMU_LATER)
		return;
	talk->call = 0;
	c->busy = false;
	if (err == VMM_EMU_BYE)
		vmm_lines_end(c);
	else if (err)
		say_failed(c, why);
	else
		say(c, "OK\n");
}

static void emulator_line(void *arg, struct vmm_lines_client *c, const char *bytes, size_t len)
{
	char line[EMU_LINE];
	size_t n = 0;
	size_t i;

	for (i = 0; i < len; i++) {
		if (bytes[i] != '\r')
			line[n++] = bytes[i];
	}
	line[n] = '\0';
	if (!is_utf8(line, n)) {
		say_failed(c, "Forbidden binary request. Aborting");
		vmm_lines_end(c);
	} else if (is_http(line)) {
		say_failed(c, "Forbidden HTTP request. Aborting");
		vmm_lines_end(c);
	} else if (!strncmp(line, "auth", 4) && (!line[4] || line[4] == ' ')) {
		do_auth(arg, c, line + 4);
	} else if (line[strspn(line, " ")]) {
		do_line(arg, c, line);
	}
}

static void emulator_too_long(void *arg, struct vmm_lines_client *c)
{
	(void)arg;
	say_failed(c, "the line is too long");
}

static bool emulator_opened(void *arg, struct vmm_lines_client *c)
{
	struct vmm_emulator *emulator = arg;
	char token[VMM_EMU_TOKEN_MAX + 1];
	int one = 1;

	if (vmm_emu_token_read(emulator->token, token))
		return false;
	setsockopt(c->fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof(one));
	emulator->talk[c->index].trusted = !*token;
	if (!*token) {
		say(c, "Android Console: type 'help' for a list of commands\nOK\n");
		return true;
	}
	say(c, "Android Console: Authentication required\n"
	    "Android Console: type 'auth <auth_token>' to authenticate\n"
	    "Android Console: you can find your <auth_token> in\n'");
	say(c, emulator->token->path);
	say(c, "'\nOK\n");
	return true;
}

static void emulator_closed(void *arg, struct vmm_lines_client *c)
{
	struct vmm_emulator *emulator = arg;

	emulator->talk[c->index] = (struct talk){ 0 };
}

/* Any user of the machine can connect: only authenticated clients keep their connection. */
static bool emulator_may_go(void *arg, const struct vmm_lines_client *c)
{
	const struct vmm_emulator *emulator = arg;

	return !emulator->talk[c->index].trusted;
}

static const struct vmm_lines_ops emulator_ops = {
	.clients = EMU_CLIENTS,
	.line_max = EMU_LINE,
	.opened = emulator_opened,
	.line = emulator_line,
	.too_long = emulator_too_long,
	.closed = emulator_closed,
	.may_go = emulator_may_go,
};

/**
 * vmm_emulator_open - serve the console's port
 * @loop: the main thread's loop
 * @fds: listening, non-blocking files; owned by the caller
 * @count: how many, at most VMM_LINES_FDS
 * @commands: of the control socket
 * @token: the token of clients; without it no client can authenticate
 *
 * Return: the console, or NULL after a message
 */
struct vmm_emulator *vmm_emulator_open(struct vmm_loop *loop, const int *fds, unsigned int count,
				       const struct vmm_commands *commands,
				       const struct vmm_emu_token *token)
{
	struct vmm_emulator *emulator = calloc(1, sizeof(*emulator));

	if (!emulator) {
		vmm_error(ENOMEM, "emulator console");
		return NULL;
	}
	emulator->commands = commands;
	emulator->token = token;
	emulator->lines = vmm_lines_open(loop, fds, count, &emulator_ops, emulator);
	if (emulator->lines)
		return emulator;
	free(emulator);
	return NULL;
}

/**
 * vmm_emulator_close - close the console and its clients
 * @emulator: may be NULL
 */
void vmm_emulator_close(struct vmm_emulator *emulator)
{
	if (!emulator)
		return;
	vmm_lines_close(emulator->lines);
	free(emulator);
}

/**
 * vmm_emulator_answer - answer a line whose answer was to come later
 * @emulator: may be NULL
 * @call: number of the line; ignored if its client has gone
 * @answer: success or failure; the "text" of its result is sent before OK; owned by the caller
 */
void vmm_emulator_answer(struct vmm_emulator *emulator, u64 call,
			 const struct vmm_answer *answer)
{
	struct vmm_lines_client *c = NULL;
	const char *text;

	while (emulator && (c = vmm_lines_next(emulator->lines, c))) {
		struct talk *talk = &emulator->talk[c->index];

		if (!call || talk->call != call)
			continue;
		text = json_string_value(json_object_get(answer->result, "text"));
		if (text)
			say(c, text);
		if (*answer->error)
			say_failed(c, answer->error);
		else
			say(c, "OK\n");
		talk->call = 0;
		c->busy = false;
		vmm_lines_push(c);
		return;
	}
}
