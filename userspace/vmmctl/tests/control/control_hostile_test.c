// SPDX-License-Identifier: GPL-2.0-only
/*
 * The control socket and hostile or slow clients: each loses only its
 * own connection.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "tests/control/control_lib.h"
#include "tests/tap.h"

static bool is_served(struct ctl *ctl, int fd)
{
	json_t *heard;
	bool served;

	ctl_say(fd, "{\"execute\":\"query-name\",\"id\":\"alive\"}\n");
	do {
		heard = ctl_hear(ctl, fd);
		served = heard && json_object_get(heard, "id") && json_object_get(heard, "return");
		if (!heard)
			break;
		json_decref(heard);
	} while (!served);
	return served;
}

static bool is_refused(struct ctl *ctl, int fd)
{
	json_t *heard = ctl_hear(ctl, fd);
	bool refused = json_object_get(heard, "error");

	json_decref(heard);
	return refused;
}

static void half_lines_wait(void)
{
	struct ctl ctl;
	int other;
	int fd;
	int i;

	if (!ctl_open(&ctl))
		return;
	fd = ctl_connect(&ctl);
	other = ctl_connect(&ctl);
	ctl_say(fd, "{\"execute\":\"query-");
	tap_check(!ctl_hear(&ctl, fd));
	tap_check(is_served(&ctl, other));
	for (i = 0; i < 5; i++) {
		static const char *const rest[] = { "na", "m", "e\"", "}", "\n" };

		ctl_say(fd, rest[i]);
		ctl_serve(&ctl);
	}
	tap_check(is_served(&ctl, fd));
	close(fd);
	close(other);
	ctl_close(&ctl);
}

static void long_lines_are_refused(void)
{
	char *line = malloc(3 * VMM_CONTROL_LINE);
	struct ctl ctl;
	size_t done = 0;
	ssize_t n;
	int fd;

	if (!ctl_open(&ctl))
		return;
	memset(line, ' ', 3 * VMM_CONTROL_LINE);
	memcpy(line, "{\"execute\":\"stop\"", 17);
	memcpy(line + 3 * VMM_CONTROL_LINE - 2, "}\n", 2);
	fd = ctl_connect(&ctl);
	while (done < 3 * VMM_CONTROL_LINE) {
		n = send(fd, line + done, 3 * VMM_CONTROL_LINE - done, MSG_DONTWAIT);
		if (n > 0)
			done += n;
		else if (!tap_check(errno == EAGAIN))
			break;
		ctl_serve(&ctl);
	}
	tap_check(is_refused(&ctl, fd));
	tap_equal(ctl.ended, -1);
	tap_check(is_served(&ctl, fd));
	free(line);
	close(fd);
	ctl_close(&ctl);
}

static void deep_json_is_refused(void)
{
	char text[20000];
	struct ctl ctl;
	size_t deep;
	int fd;

	if (!ctl_open(&ctl))
		return;
	fd = ctl_connect(&ctl);
	for (deep = VMM_JSON_DEPTH; deep < sizeof(text) / 2; deep *= 8) {
		size_t len = snprintf(text, sizeof(text), "{\"execute\":\"query-name\",\"id\":");

		memset(text + len, '[', deep);
		memset(text + len + deep, ']', deep);
		len += 2 * deep;
		snprintf(text + len, sizeof(text) - len, "}\n");
		ctl_say(fd, text);
		tap_check(is_refused(&ctl, fd));
	}
	tap_check(is_served(&ctl, fd));
	/* Brackets in a string do not count as nesting. */
	ctl_say(fd, "{\"execute\":\"query-name\",\"id\":\"[[[[[[[[[[[[[[[[[[[[[[\\\"[[[[[[[[\"}\n");
	tap_check(!is_refused(&ctl, fd));
	close(fd);
	ctl_close(&ctl);
}

static void nonsense_is_refused(void)
{
	static const char *const lines[] = {
		"GET / HTTP/1.1\n", "{\n", "}\n", "{\"execute\":\"stop\"}}\n", "null\n",
		"\"stop\"\n",
		"{\"execute\":\"stop\",\"execute\":\"stop\"}\n", "{\"id\":1}\n",
		"{\"execute\":\"\"}\n", "{\"execute\":\"stop\\u0000\"}\n", "\x80\xff\n",
		"{\"execute\":\"stop\",\"arguments\":{\"a\":1e999}}\n", "{\"Execute\":\"stop\"}\n",
	};
	struct ctl ctl;
	unsigned int i;
	int fd;

	if (!ctl_open(&ctl))
		return;
	fd = ctl_connect(&ctl);
	for (i = 0; i < ARRAY_SIZE(lines); i++) {
		tap_context("%s", lines[i]);
		ctl_say(fd, lines[i]);
		tap_check(is_refused(&ctl, fd));
	}
	tap_equal(send(fd, "\0\0\n", 3, 0), 3);
	tap_check(is_refused(&ctl, fd));
	tap_equal(ctl.ended, -1);
	tap_check(is_served(&ctl, fd));
	close(fd);
	ctl_close(&ctl);
}

/* A client that sends commands and does not read. */
static void slow_readers_are_not_read_from(void)
{
	static const char ask[] = "{\"execute\":\"query-commands\"}\n";
	struct ctl ctl;
	unsigned int sent = 0;
	int other;
	int fd;

	if (!ctl_open(&ctl))
		return;
	fd = ctl_connect(&ctl);
	other = ctl_connect(&ctl);
	while (sent < 100000 && send(fd, ask, strlen(ask), MSG_DONTWAIT) == (ssize_t)strlen(ask)) {
		if (++sent % 500 == 0)
			ctl_serve(&ctl);
	}
	ctl_serve(&ctl);
	tap_check(sent < 100000);
	tap_check(is_served(&ctl, other));
	close(fd);
	tap_check(is_served(&ctl, other));
	close(other);
	ctl_close(&ctl);
}

/* Events without room are counted, and the client gets their number. */
static void events_are_lost_and_counted(void)
{
	struct ctl ctl;
	unsigned int got = 0;
	unsigned int lost = 0;
	unsigned int i;
	json_t *heard;
	int fd;

	if (!ctl_open(&ctl))
		return;
	fd = ctl_connect(&ctl);
	ctl_say(fd, "{\"execute\":\"qmp_capabilities\"}\n");
	json_decref(ctl_hear(&ctl, fd));
	for (i = 0; i < 20000; i++)
		vmm_control_event(ctl.control, "DEVICE_ERROR", json_pack("{s:i}", "number", i));
	while ((heard = ctl_hear(&ctl, fd))) {
		got++;
		json_decref(heard);
	}
	tap_check(got > 100 && got < 20000);
	vmm_control_event(ctl.control, "RESET", NULL);
	heard = ctl_hear(&ctl, fd);
	lost = json_integer_value(json_object_get(heard, "lost"));
	json_decref(heard);
	tap_equal(got + lost, 20000);
	close(fd);
	ctl_close(&ctl);
}

/* Clients above the limit wait, and are served when there is room. */
static void too_many_clients_wait(void)
{
	int fd[VMM_CONTROL_CLIENTS];
	struct ctl ctl;
	unsigned int i;
	int late;

	if (!ctl_open(&ctl))
		return;
	for (i = 0; i < ARRAY_SIZE(fd); i++)
		fd[i] = ctl_connect(&ctl);
	late = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	{
		struct {
			unsigned short family;
			char path[108];
		} addr = { .family = AF_UNIX };

		memcpy(addr.path, ctl.path, sizeof(addr.path));
		tap_check(!connect(late, (struct sockaddr *)&addr, sizeof(addr)));
	}
	tap_check(!ctl_hear(&ctl, late));
	close(fd[3]);
	json_decref(ctl_hear(&ctl, late));
	tap_check(is_served(&ctl, late));
	for (i = 0; i < ARRAY_SIZE(fd); i++) {
		if (i != 3)
			close(fd[i]);
	}
	ctl_serve(&ctl);
	close(late);
	ctl_close(&ctl);
}

/* Answers of unknown length are limited as well. */
static int run_huge(void *arg, u64 call, const json_t *args, struct vmm_answer *answer)
{
	char *text = malloc(2 * VMM_CONTROL_OUT);

	(void)arg;
	(void)call;
	(void)args;
	memset(text, 'x', 2 * VMM_CONTROL_OUT);
	answer->result = json_pack("{s:s#}", "text", text, 2 * VMM_CONTROL_OUT);
	free(text);
	return 0;
}

static void huge_answers_are_refused(void)
{
	static const struct vmm_command_row rows[] = { { "huge", "", { }, run_huge }, { } };
	struct ctl ctl;
	int fd;

	if (!ctl_open(&ctl))
		return;
	vmm_commands_add(&ctl.commands, rows, NULL);
	fd = ctl_connect(&ctl);
	ctl_say(fd, "{\"execute\":\"huge\"}\n");
	tap_check(is_refused(&ctl, fd));
	tap_check(is_served(&ctl, fd));
	close(fd);
	ctl_close(&ctl);
}

/* The only client, without a free file descriptor: it is served when there is one. */
static void files_run_out(void)
{
	struct rlimit was, none;
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	struct ctl ctl;
	unsigned int i;
	int fd;

	if (!ctl_open(&ctl))
		return;
	fd = socket(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0);
	memcpy(addr.sun_path, ctl.path, strlen(ctl.path));
	tap_check(!connect(fd, (struct sockaddr *)&addr, sizeof(addr)));
	getrlimit(RLIMIT_NOFILE, &was);
	none = was;
	none.rlim_cur = fd + 1;
	tap_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	tap_check(!ctl_hear(&ctl, fd));
	setrlimit(RLIMIT_NOFILE, &was);
	for (i = 0; i < 5; i++) {
		usleep(100000);
		ctl_serve(&ctl);
	}
	json_decref(ctl_hear(&ctl, fd));
	tap_check(is_served(&ctl, fd));
	close(fd);
	ctl_close(&ctl);
}

static const struct tap_case cases[] = {
	{ "a client comes when no file is left", files_run_out },
	{ "half a line costs nobody else anything", half_lines_wait },
	{ "a line that is too long is refused, and only it", long_lines_are_refused },
	{ "deep JSON is refused", deep_json_is_refused },
	{ "nonsense is refused, and does nothing", nonsense_is_refused },
	{ "a client that does not read is not read from", slow_readers_are_not_read_from },
	{ "events without room are counted", events_are_lost_and_counted },
	{ "more clients than places wait", too_many_clients_wait },
	{ "an answer that is too large is refused", huge_answers_are_refused },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
