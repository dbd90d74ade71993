// SPDX-License-Identifier: GPL-2.0-only
/*
 * The client's end of a control socket. Waits for answers, but not for ever: the VM may be
 * stopped, or belong to another user.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "control/control.h"
#include "host/unix.h"

#define AWAIT_US	100000
#define AWAIT_TRIES	100
#define CLIENT_MESSAGE	(2 * VMM_CONTROL_OUT)	/* bytes of an answer, at most */

/**
 * struct vmm_client - a connection to a VM
 * @fd: the connection
 * @timeout_ms: timeout of an answer
 * @in: received bytes that were not handled yet
 * @len: bytes in @in
 * @size: bytes allocated
 * @file: received file that was not fetched yet, or -1
 * @give: files to send with the next request; owned by the caller
 * @gives: number of these files
 * @event: called with each event's name, or NULL
 * @arg: first argument of @event
 * @lost: the connection is lost
 * @error: why the last call failed
 */
struct vmm_client {
	int fd;
	int timeout_ms;
	char *in;
	size_t len;
	size_t size;
	int file;
	int give[VMM_LINES_FILES];
	unsigned int gives;
	void (*event)(void *arg, const char *name);
	void *arg;
	bool lost;
	char error[VMM_ANSWER_ERROR];
};

static u64 now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec * 1000ULL + now.tv_nsec / 1000000;
}

/**
 * vmm_client_open - connect to a VM
 * @path: path of its control socket
 * @timeout_ms: timeout of the connect and of each answer
 *
 * Return: the connection, NULL with errno set
 */
struct vmm_client *vmm_client_open(const char *path, int timeout_ms)
{
	struct vmm_client *client = calloc(1, sizeof(*client));

	if (!client)
		return NULL;
	client->timeout_ms = timeout_ms;
	client->file = -1;
	client->fd = vmm_unix_dial_wait(path, timeout_ms);
	if (client->fd >= 0)
		return client;
	errno = -client->fd;
	vmm_client_close(client);
	return NULL;
}

/**
 * vmm_client_await - connect to a VM that may be about to start
 * @path: path of its control socket, which it is about to create
 * @timeout_ms: timeout of each answer
 *
 * Does not wait for a VM that exists and accepts no connection.
 *
 * Return: the connection, NULL with errno set
 */
struct vmm_client *vmm_client_await(const char *path, int timeout_ms)
{
	struct vmm_client *client = vmm_client_open(path, timeout_ms);
	unsigned int i;

	for (i = 1; !client && i < AWAIT_TRIES && (errno == ENOENT || errno == ECONNREFUSED); i++) {
		usleep(AWAIT_US);
		client = vmm_client_open(path, timeout_ms);
	}
	return client;
}

/**
 * vmm_client_close - close a connection
 * @client: may be NULL; errno does not change
 */
void vmm_client_close(struct vmm_client *client)
{
	int saved = errno;

	if (!client)
		return;
	if (client->fd >= 0)
		close(client->fd);
	if (client->file >= 0)
		close(client->file);
	free(client->in);
	free(client);
	errno = saved;
}

/**
 * vmm_client_give - send files with the next request
 * @client: the connection
 * @files: the files, owned by the caller
 * @count: how many, at most VMM_LINES_FILES
 */
void vmm_client_give(struct vmm_client *client, const int *files, unsigned int count)
{
	memcpy(client->give, files, count * sizeof(*files));
	client->gives = count;
}

/**
 * vmm_client_events - set a callback for events that come before an answer
 * @client: the connection
 * @event: called with the name of each event; must not use @client
 * @arg: first argument of @event
 */
void vmm_client_events(struct vmm_client *client, void (*event)(void *arg, const char *name),
		       void *arg)
{
	client->event = event;
	client->arg = arg;
}

/**
 * vmm_client_lost - return whether the VM has not answered
 * @client: the connection
 *
 * Return: whether the last call failed because there was and will be no answer
 */
bool vmm_client_lost(const struct vmm_client *client)
{
	return client->lost;
}

/**
 * vmm_client_pid - return the process at the other end
 * @client: the connection
 *
 * Return: the VM's process ID; 0 if it is not in this PID namespace
 */
pid_t vmm_client_pid(const struct vmm_client *client)
{
	struct ucred peer;
	socklen_t size = sizeof(peer);

	return getsockopt(client->fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) ? 0 : peer.pid;
}

/**
 * vmm_client_pidfd - open the process at the other end
 * @client: the connection
 *
 * A process that has the connection open, or in its backlog, has not ended: so the file is the
 * VM's, not that of another process with the same ID.
 *
 * Return: a pidfd, or -errno: -ESRCH if the VM has ended or is in another PID namespace
 */
int vmm_client_pidfd(const struct vmm_client *client)
{
	struct pollfd end = { .fd = client->fd };
	pid_t pid = vmm_client_pid(client);
	int pidfd = pid > 0 ? syscall(SYS_pidfd_open, pid, 0) : -1;

	if (pidfd < 0)
		return pid > 0 ? -errno : -ESRCH;
	if (!poll(&end, 1, 0))
		return pidfd;
	close(pidfd);
	return -ESRCH;
}

/**
 * vmm_client_error - return why the last call failed
 * @client: the connection
 *
 * Return: the reason
 */
const char *vmm_client_error(const struct vmm_client *client)
{
	return client->error;
}

static void *client_fail(struct vmm_client *client, const char *why)
{
	snprintf(client->error, sizeof(client->error), "%s", why);
	return NULL;
}

static int client_room(struct vmm_client *client)
{
	size_t size = client->size ? 2 * client->size : 8192;
	char *in;

	if (client->len < client->size)
		return 0;
	in = size > CLIENT_MESSAGE ? NULL : realloc(client->in, size);
	if (!in)
		return -ENOBUFS;
	client->in = in;
	client->size = size;
	return 0;
}

/**
 * vmm_client_file - get the file that came with the last answer
 * @client: the connection
 *
 * Return: the file, owned by the caller, or -1 if there was none
 */
int vmm_client_file(struct vmm_client *client)
{
	int file = client->file;

	client->file = -1;
	return file;
}

/* Receives bytes, and maybe files, of which the last one is kept. */
static ssize_t client_take(struct vmm_client *client)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(sizeof(int))];
	} control;
	struct iovec iov = { client->in + client->len, client->size - client->len };
	struct msghdr msg = {
		.msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control,
		.msg_controllen = sizeof(control),
	};
	ssize_t n = recvmsg(client->fd, &msg, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
	struct cmsghdr *c = n > 0 ? CMSG_FIRSTHDR(&msg) : NULL;

	if (c && c->cmsg_level == SOL_SOCKET && c->cmsg_type == SCM_RIGHTS &&
	    c->cmsg_len == CMSG_LEN(sizeof(int))) {
		if (client->file >= 0)
			close(client->file);
		memcpy(&client->file, CMSG_DATA(c), sizeof(int));
	}
	return n;
}

static int client_receive(struct vmm_client *client, u64 deadline)
{
	struct pollfd wait = { .fd = client->fd, .events = POLLIN };
	u64 now = now_ms();
	ssize_t n;

	if (client_room(client))
		return -ENOBUFS;
	/* Bytes that have arrived are used even after the deadline. */
	if (!poll(&wait, 1, now < deadline ? deadline - now : 0))
		return -ETIMEDOUT;
	n = client_take(client);
	if (n < 0)
		return errno == EAGAIN || errno == EINTR ? 0 : -errno;
	client->len += n;
	return n ? 0 : -EPIPE;
}

/* Returns the next message, or NULL with a reason. */
static json_t *client_message(struct vmm_client *client, u64 deadline)
{
	char *newline;
	json_t *json;
	size_t len;
	int err;

	while (!client->len || !(newline = memchr(client->in, '\n', client->len))) {
		err = client_receive(client, deadline);
		client->lost = err;
		if (err)
			return client_fail(client, err == -EPIPE ? "the VM has hung up" :
						   err == -ETIMEDOUT ? "the VM does not answer" :
						   strerror(-err));
	}
	len = newline - client->in;
	json = vmm_json_read(client->in, len, client->error, sizeof(client->error));
	client->len -= len + 1;
	memmove(client->in, newline + 1, client->len);
	return json;
}

/* Sends a request and the files that go with it. */
static int client_send_text(struct vmm_client *client, char *text, size_t len)
{
	union {
		struct cmsghdr header;
		char bytes[CMSG_SPACE(VMM_LINES_FILES * sizeof(int))];
	} control = { .header = { .cmsg_level = SOL_SOCKET, .cmsg_type = SCM_RIGHTS } };
	struct iovec iov = { text, len };
	struct msghdr msg = { .msg_iov = &iov, .msg_iovlen = 1 };
	size_t bytes = client->gives * sizeof(int);

	if (client->gives) {
		control.header.cmsg_len = CMSG_LEN(bytes);
		memcpy(CMSG_DATA(&control.header), client->give, bytes);
		msg.msg_control = &control;
		msg.msg_controllen = CMSG_SPACE(bytes);
	}
	client->gives = 0;
	return sendmsg(client->fd, &msg, MSG_NOSIGNAL) == (ssize_t)len ? 0 : -EIO;
}

static int client_send(struct vmm_client *client, const char *command, json_t *args)
{
	json_t *request = json_pack("{s:s}", "execute", command);
	char *text;
	int err = -ENOMEM;
	size_t len;

	if (args)
		json_object_set_new(request, "arguments", args);
	text = json_dumps(request, JSON_COMPACT);
	json_decref(request);
	if (text) {
		len = strlen(text);
		text[len] = '\n';
		/* The NUL became the newline: what is sent is len + 1 bytes. */
		err = client_send_text(client, text, len + 1);
	}
	free(text);
	return err;
}

/**
 * vmm_client_call - run a command
 * @client: the connection
 * @command: its name
 * @args: its arguments, or NULL; the reference is consumed
 *
 * Return: what it returned, an object owned by the caller; NULL if it failed, see
 *	vmm_client_error()
 */
json_t *vmm_client_call(struct vmm_client *client, const char *command, json_t *args)
{
	u64 deadline = now_ms() + client->timeout_ms;
	json_t *message;
	json_t *result;

	client->lost = client_send(client, command, args);
	if (client->lost)
		return client_fail(client, "the VM takes no commands");
	for (;;) {
		const char *event;

		message = client_message(client, deadline);
		if (!message)
			return NULL;
		event = json_string_value(json_object_get(message, "event"));
		if (event && client->event)
			client->event(client->arg, event);
		result = json_incref(json_object_get(message, "return"));
		if (!result && json_object_get(message, "error")) {
			const json_t *error = json_object_get(message, "error");
			const char *why = json_string_value(json_object_get(error, "desc"));

			client_fail(client, why ? why : "it failed");
			json_decref(message);
			return NULL;
		}
		json_decref(message);
		/* Skips the greeting. */
		if (result)
			return result;
	}
}
