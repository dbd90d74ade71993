// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control socket: clients, what they sent, and what waits for them.
 *
 * Nothing a client does costs more than its own connection. A request has a bounded
 * length. A client that does not read its answers is not read from, and events that
 * find no room are counted and left out. Requests of a client are answered in order,
 * so while an answer is outstanding (VMM_COMMAND_LATER) nothing more is taken from it.
 */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "control/control.h"

#define CLIENT_BUSY	(VMM_CONTROL_OUT / 16)	/* waiting bytes: no more requests */
#define CLIENT_EVENTS	(VMM_CONTROL_OUT / 4)	/* waiting bytes: no more events */
#define CLIENT_TURN	16			/* requests in a row */

/**
 * struct client - a connection
 * @control: whose
 * @fd: the connection, -1 while the element is unused
 * @events: what the loop waits for, -1 for not in the loop
 * @in: what was received and not taken yet
 * @in_len: bytes of it
 * @skipping: the rest of a line that was too long is thrown away
 * @ended: the client sends no more
 * @asked: it wants events
 * @lost: events that it did not get
 * @out: what is to be sent
 * @out_len: bytes of it
 * @out_size: bytes allocated
 * @file: goes along with the byte at @file_at of what is to be sent, 0 for none
 * @file_at: bytes that are sent before it
 * @call: the outstanding answer's, 0 for none
 * @id: of the request that has no answer yet
 */
struct client {
	struct vmm_control *control;
	int fd;
	int events;
	char *in;
	size_t in_len;
	bool skipping;
	bool ended;
	bool asked;
	unsigned long lost;
	char *out;
	size_t out_len;
	size_t out_size;
	int file;
	size_t file_at;
	u64 call;
	json_t *id;
};

/**
 * struct vmm_control - the control socket
 * @loop: the main thread's loop
 * @fd: listens; belongs to the caller
 * @listening: it is in the loop
 * @commands: what can be asked for
 * @last_call: number of the last request
 * @client: connections
 */
struct vmm_control {
	struct vmm_loop *loop;
	int fd;
	bool listening;
	const struct vmm_commands *commands;
	u64 last_call;
	struct client client[VMM_CONTROL_CLIENTS];
};

#define for_each_client(control, c)	\
	for ((c) = (control)->client; (c) < (control)->client + VMM_CONTROL_CLIENTS; (c)++)

static void control_listen(struct vmm_control *control);

static void client_close(struct client *c)
{
	struct vmm_control *control = c->control;

	if (c->events >= 0)
		vmm_loop_del(control->loop, c->fd);
	close(c->fd);
	free(c->in);
	free(c->out);
	json_decref(c->id);
	*c = (struct client){ .control = control, .fd = -1, .events = -1 };
	control_listen(control);
}

/* False if there is no room, or no memory: then nothing was added. */
static bool client_add(struct client *c, const char *text, size_t len)
{
	size_t size = c->out_size ? c->out_size : 4096;
	char *out;

	if (len > VMM_CONTROL_OUT - c->out_len)
		return false;
	while (size < c->out_len + len)
		size *= 2;
	if (size != c->out_size) {
		out = realloc(c->out, size);
		if (!out)
			return false;
		c->out = out;
		c->out_size = size;
	}
	memcpy(c->out + c->out_len, text, len);
	c->out_len += len;
	return true;
}

/* Sends some of what waits; a file goes along with the first byte of its answer. */
static ssize_t client_send_some(struct client *c)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control = { .header = {
		.cmsg_len = CMSG_LEN(sizeof(int)), .cmsg_level = SOL_SOCKET,
		.cmsg_type = SCM_RIGHTS,
	} };
	struct iovec iov = { c->out, c->out_len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	ssize_t n;

	if (c->file && c->file_at) {
		iov.iov_len = c->file_at;
	} else if (c->file) {
		memcpy(CMSG_DATA(&control.header), &c->file, sizeof(int));
		msg.msg_control = &control;
		msg.msg_controllen = sizeof(control);
	}
	n = sendmsg(c->fd, &msg, MSG_DONTWAIT | MSG_NOSIGNAL);
	if (n > 0 && c->file && !c->file_at)
		c->file = 0;
	else if (n > 0 && c->file)
		c->file_at -= n;
	return n;
}

/* Whether the connection is still of use. */
static bool client_send(struct client *c)
{
	ssize_t n;

	while (c->out_len) {
		n = client_send_some(c);
		if (n < 0)
			return errno == EAGAIN || errno == EINTR;
		c->out_len -= n;
		memmove(c->out, c->out + n, c->out_len);
	}
	free(c->out);
	c->out = NULL;
	c->out_size = 0;
	return true;
}

static void client_answer(struct client *c, struct vmm_answer *answer, json_t *id)
{
	struct vmm_answer failed = { 0 };
	size_t before = c->out_len;
	char *line = vmm_answer_line(answer, id);

	if (line && answer->file && c->file) {
		vmm_answer_fail(answer, EBUSY, "the file before has not been taken");
		free(line);
		line = vmm_answer_line(answer, id);
	} else if (line && answer->file) {
		c->file = answer->file;
		c->file_at = before;
	}
	if (!line || !client_add(c, line, strlen(line))) {
		if (c->file_at == before)
			c->file = 0;
		free(line);
		vmm_answer_fail(&failed, ENOBUFS, "the answer is too large");
		line = vmm_answer_line(&failed, id);
		if (line)
			client_add(c, line, strlen(line));
	}
	free(line);
}

static void client_execute(struct client *c, const struct vmm_request *request,
			   struct vmm_answer *answer)
{
	u64 call = ++c->control->last_call;

	if (!strcmp(request->execute, "qmp_capabilities"))
		c->asked = true;
	/* Set first, because the command may answer before it returns. */
	c->call = call;
	c->id = json_incref(request->id);
	if (vmm_commands_run(c->control->commands, request->execute, call, request->args,
			     answer) == VMM_COMMAND_LATER)
		return;
	vmm_control_answer(c->control, call, answer);
}

static void client_line(struct client *c, const char *line, size_t len)
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
		client_execute(c, &request, &answer);
	vmm_request_free(&request);
}

/* Takes the first line, or what is to be thrown away; false if there is neither. */
static bool client_take(struct client *c)
{
	char *newline = memchr(c->in, '\n', c->in_len);
	struct vmm_answer answer = { 0 };
	bool whole = newline || c->ended;
	size_t len = newline ? (size_t)(newline - c->in) : c->in_len;

	if (!c->in_len || (!whole && c->in_len < VMM_CONTROL_LINE))
		return false;
	if (!c->skipping && whole) {
		client_line(c, c->in, len);
	} else if (!c->skipping) {
		vmm_answer_fail(&answer, EMSGSIZE, "a request has at most %d bytes",
				VMM_CONTROL_LINE - 1);
		client_answer(c, &answer, NULL);
	}
	c->skipping = !whole;
	if (newline)
		len++;
	c->in_len -= len;
	memmove(c->in, c->in + len, c->in_len);
	return true;
}

static bool client_may_take(const struct client *c)
{
	return !c->call && c->out_len < CLIENT_BUSY;
}

static bool client_has_line(const struct client *c)
{
	return c->in_len && (c->ended || memchr(c->in, '\n', c->in_len));
}

/* Whether the connection is still of use. */
static bool client_receive(struct client *c)
{
	ssize_t n;

	if (c->ended || c->in_len == VMM_CONTROL_LINE)
		return true;
	n = recv(c->fd, c->in + c->in_len, VMM_CONTROL_LINE - c->in_len, MSG_DONTWAIT);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR;
	c->in_len += n;
	c->ended = !n;
	return true;
}

static int client_ready(void *arg);

/* Room to send is also waited for where only a turn has ended. */
static bool client_watch(struct client *c)
{
	bool taking = client_may_take(c);
	int events = 0;

	if (c->out_len || (taking && client_has_line(c)))
		events |= POLLOUT;
	if (taking && !c->ended && c->in_len < VMM_CONTROL_LINE)
		events |= POLLIN;
	if (events == c->events)
		return true;
	if (c->events >= 0)
		vmm_loop_del(c->control->loop, c->fd);
	c->events = -1;
	if (vmm_loop_watch(c->control->loop, c->fd, events, client_ready, c))
		return false;
	c->events = events;
	return true;
}

/* What a client sent before it hung up is done all the same. */
static void client_serve(struct client *c)
{
	unsigned int i;

	for (i = 0; i < CLIENT_TURN && client_may_take(c) && client_take(c); i++)
		;
	if (!client_send(c)) {
		client_close(c);
		return;
	}
	if (c->ended && !c->in_len && !c->out_len && !c->call) {
		client_close(c);
		return;
	}
	if (!client_watch(c))
		client_close(c);
}

static int client_ready(void *arg)
{
	struct client *c = arg;

	if (!(c->events & (POLLIN | POLLOUT))) {
		/* Nothing is waited for: it has hung up. */
		client_close(c);
		return 0;
	}
	if (c->events & POLLIN && !client_receive(c))
		client_close(c);
	else
		client_serve(c);
	return 0;
}

static struct client *client_unused(struct vmm_control *control)
{
	struct client *c;

	for_each_client(control, c) {
		if (c->fd < 0)
			return c;
	}
	return NULL;
}

static void client_open(struct client *c, int fd)
{
	char *greeting = vmm_greeting_line();

	c->fd = fd;
	c->in = malloc(VMM_CONTROL_LINE);
	if (!greeting || !c->in || !client_add(c, greeting, strlen(greeting)))
		client_close(c);
	else
		client_serve(c);
	free(greeting);
}

/* A client that cannot be taken now is left in the backlog, and is no reason to spin. */
static int control_readable(void *arg)
{
	struct vmm_control *control = arg;
	int fd = accept4(control->fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);

	if (fd >= 0) {
		client_open(client_unused(control), fd);
	} else if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED) {
		vmm_loop_del(control->loop, control->fd);
		control->listening = false;
		return 0;
	}
	control_listen(control);
	return 0;
}

static void control_listen(struct vmm_control *control)
{
	bool on = client_unused(control);

	if (on == control->listening)
		return;
	if (!on)
		vmm_loop_del(control->loop, control->fd);
	else if (vmm_loop_add(control->loop, control->fd, control_readable, control))
		on = false;
	control->listening = on;
}

/**
 * vmm_control_open - serve a control socket
 * @loop: the main thread's loop
 * @fd: listens and does not block; stays the caller's
 * @commands: what can be asked for
 *
 * Return: the socket, or NULL
 */
struct vmm_control *vmm_control_open(struct vmm_loop *loop, int fd,
				     const struct vmm_commands *commands)
{
	struct vmm_control *control = calloc(1, sizeof(*control));
	struct client *c;

	if (!control) {
		vmm_error(ENOMEM, "control socket");
		return NULL;
	}
	control->loop = loop;
	control->fd = fd;
	control->commands = commands;
	for_each_client(control, c) {
		c->control = control;
		c->fd = -1;
		c->events = -1;
	}
	control_listen(control);
	if (control->listening)
		return control;
	free(control);
	return NULL;
}

/**
 * vmm_control_flush - send what can be sent at once
 * @control: may be NULL
 *
 * For the last words: nothing waits for clients that do not read.
 */
void vmm_control_flush(struct vmm_control *control)
{
	struct client *c;

	if (!control)
		return;
	for_each_client(control, c) {
		if (c->fd >= 0)
			client_send(c);
	}
}

/**
 * vmm_control_close - hang up on all clients
 * @control: may be NULL
 */
void vmm_control_close(struct vmm_control *control)
{
	struct client *c;

	if (!control)
		return;
	vmm_control_flush(control);
	for_each_client(control, c) {
		if (c->fd >= 0)
			client_close(c);
	}
	if (control->listening)
		vmm_loop_del(control->loop, control->fd);
	free(control);
}

static void client_event(struct client *c, const char *event, json_t *data)
{
	char *line;

	if (c->fd < 0 || !c->asked)
		return;
	line = vmm_event_line(event, data, c->lost);
	if (line && strlen(line) + c->out_len <= CLIENT_EVENTS &&
	    client_add(c, line, strlen(line)))
		c->lost = 0;
	else
		c->lost++;
	free(line);
	/* A connection that has failed is closed by the loop, which hears of it too. */
	client_send(c);
	client_watch(c);
}

/**
 * vmm_control_event - tell all who asked for events
 * @control: may be NULL
 * @event: its name
 * @data: what is to say about it, or NULL; is taken
 */
void vmm_control_event(struct vmm_control *control, const char *event, json_t *data)
{
	struct client *c;

	if (control) {
		for_each_client(control, c)
			client_event(c, event, data);
	}
	json_decref(data);
}

/**
 * vmm_control_answer - answer a request
 * @control: the socket
 * @call: which; one whose client is gone is ignored
 * @answer: its result is taken
 */
void vmm_control_answer(struct vmm_control *control, u64 call, struct vmm_answer *answer)
{
	struct client *c;

	for_each_client(control, c) {
		if (c->fd < 0 || !call || c->call != call)
			continue;
		client_answer(c, answer, c->id);
		json_decref(c->id);
		c->id = NULL;
		c->call = 0;
		client_send(c);
		client_watch(c);
		return;
	}
	json_decref(answer->result);
	answer->result = NULL;
}
