// SPDX-License-Identifier: GPL-2.0-only
/*
 * The port of the emulator's console: several lines in one piece, connections that are not clients,
 * clients that hang up before their answer, and more clients than the limit.
 */
#include <arpa/inet.h>
#include <netinet/tcp.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "host/vsock.h"
#include "tests/control/emulator_lib.h"

/* As adb does it: all at once, without reading the greeting. */
static void lines_may_come_at_once(void)
{
	char text[VMM_EMU_TOKEN_MAX + 64];
	const char *behind;
	int fd;

	console_open();
	fd = dial();
	snprintf(text, sizeof(text), "auth %s\npower capacity 50\nquit\n", console.word);
	tell(fd, text);
	hear(fd);
	behind = strstr(heard, "OK\n");
	behind = behind ? strstr(behind + 3, "OK\n") : NULL;
	tap_check(behind && !strcmp(behind + 3, "OK\n"));
	tap_check(hung_up(fd));
	close(fd);
	/* In pieces of one byte, with all kinds of line ends. */
	fd = trusted();
	tell(fd, "p");
	tell(fd, "i\r");
	tell(fd, "ng\r");
	tap_equal(strlen(hear(fd)), 0);
	check_text(ask(fd, ""), "I am alive!\nOK\n");
	/* Commands after quit are ignored. */
	tell(fd, "quit\nkill\n");
	tap_equal(console.ends, 0);
	tap_check(hung_up(fd));
	close(fd);
	console_close();
}

static void what_is_no_console_client_is_sent_away(void)
{
	static const char *const binary[] = {
		"ping \xff\n", "\xc0\x80\n", "\xed\xa0\x80\n", "\xf5\x80\x80\x80\n", "\xe2\x82\n",
	};
	unsigned int i;
	int fd;

	console_open();
	fd = dial();
	hear(fd);
	tell(fd, "POST / HTTP/1.1\r\nHost: localhost\r\n\r\nkill\n");
	check_text(hear(fd), "KO: Forbidden HTTP request. Aborting\n");
	tap_check(hung_up(fd));
	close(fd);
	fd = trusted();
	tell(fd, "BREW /pot HTTP/1.0\r\n");
	check_text(hear(fd), "KO: Forbidden HTTP request. Aborting\n");
	close(fd);
	for (i = 0; i < ARRAY_SIZE(binary); i++) {
		fd = trusted();
		tell(fd, binary[i]);
		check_text(hear(fd), "KO: Forbidden binary request. Aborting\n");
		tap_check(hung_up(fd));
		close(fd);
	}
	fd = trusted();
	check_text(ask(fd, "ping \xc3\xa9 \xf0\x9f\x98\x80"), "I am alive!\nOK\n");
	tap_equal(send(fd, "ping\0ping\n", 10, 0), 10);
	serve();
	check_text(hear(fd), "KO: Forbidden binary request. Aborting\n");
	close(fd);
	tap_equal(console.ends, 0);
	console_close();
}

static void a_line_that_is_too_long_is_refused(void)
{
	static char line[10000];
	int fd;

	console_open();
	fd = trusted();
	memset(line, 'x', sizeof(line) - 1);
	check_text(ask(fd, line), "KO: the line is too long\n");
	check_text(ask(fd, "ping"), "I am alive!\nOK\n");
	line[4094] = '\0';
	check_text(ask(fd, line), "KO: unknown command, try 'help'\n");
	close(fd);
	console_close();
}

/*
 * Clients above the limit wait, since the others have given the token; no other client is
 * disturbed by one that reads nothing.
 */
static void clients_do_not_disturb_each_other(void)
{
	int fd[20], good;
	unsigned int i;

	console_open();
	good = trusted();
	for (i = 0; i < ARRAY_SIZE(fd); i++)
		fd[i] = i < 15 ? trusted() : dial();
	check_text(hear(fd[19]), "");
	for (i = 0; i < 2000; i++) {
		if (send(fd[0], "help-verbose\n", 13, MSG_DONTWAIT | MSG_NOSIGNAL) != 13)
			break;
	}
	serve();
	check_text(ask(good, "ping"), "I am alive!\nOK\n");
	for (i = 0; i < ARRAY_SIZE(fd) - 1; i++)
		close(fd[i]);
	serve();
	serve();
	tap_check(strstr(hear(fd[19]), "Authentication required"));
	close(fd[19]);
	close(good);
	console_close();
}

/*
 * A client that shuts down its sending side is answered, and hung up on, with or without a
 * final line end, and also if the answer is late. Some clients wait for that.
 */
static void who_sends_no_more_is_hung_up_on(void)
{
	static const char *const last[] = { "avd stop\n", "avd stop", "ping\navd stop\nping" };
	struct vmm_answer done = { 0 };
	unsigned int i;
	int fd;

	console_open();
	for (i = 0; i < ARRAY_SIZE(last); i++) {
		tap_context("%s", last[i]);
		console.status = "running";
		fd = trusted();
		tell(fd, last[i]);
		shutdown(fd, SHUT_WR);
		serve();
		hear(fd);
		tap_check(!hung_up(fd));
		vmm_emulator_answer(console.emulator, console.call, &done);
		serve();
		check_text(hear(fd), i < 2 ? "OK\n" : "OK\nI am alive!\nOK\n");
		tap_check(hung_up(fd));
		close(fd);
		serve();
	}
	console_close();
}

/* The same if a late answer finds no room: further lines are not processed. */
static void who_does_not_read_is_hung_up_on(void)
{
	struct vmm_answer done = { 0 };
	static char text[VMM_LINES_OUT];
	int fd;

	console_open();
	fd = trusted();
	tell(fd, "avd stop\nkill\n");
	memset(text, 'x', sizeof(text) - 1);
	done.result = json_pack("{s:s}", "text", text);
	vmm_emulator_answer(console.emulator, console.call, &done);
	json_decref(done.result);
	drain(fd);
	tap_check(hung_up(fd));
	tap_equal(console.ends, 0);
	close(fd);
	console_close();
}

/* Both addresses, and the port that adb expects. */
static void the_port_is_listened_at(void)
{
	struct vmm_loop *loop = vmm_loop_create();
	struct vmm_adb *adb = vmm_adb_open(loop, 0, true);
	struct vmm_adb *other = vmm_adb_open(loop, 0, true);
	struct sockaddr_in6 at6 = {
		.sin6_family = AF_INET6, .sin6_addr = IN6ADDR_LOOPBACK_INIT,
	};
	struct sockaddr_in at = {
		.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK),
	};
	int fd6, fd;

	if (!tap_check(adb && other))
		return;
	tap_check(vmm_adb_port(other) > vmm_adb_port(adb));
	tap_check(vmm_adb_port(adb) & 1);
	at.sin_port = htons(vmm_adb_port(adb) - 1);
	at6.sin6_port = at.sin_port;
	fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
	tap_check(!connect(fd, (struct sockaddr *)&at, sizeof(at)));
	close(fd);
	fd6 = vmm_adb_console_fd6(vmm_adb_console_fd(adb));
	if (fd6 >= 0) {
		fd = socket(AF_INET6, SOCK_STREAM | SOCK_CLOEXEC, 0);
		tap_check(!connect(fd, (struct sockaddr *)&at6, sizeof(at6)));
		close(fd);
		close(fd6);
	}
	tap_check(vmm_adb_listen(vmm_adb_port(adb) - 1, "emulator-console") < 0);
	vmm_adb_close(other);
	vmm_adb_close(adb);
	vmm_loop_destroy(loop);
}

/* Any user can connect, and none can block the others. */
static void strangers_make_room(void)
{
	int stranger[40];
	int friend;
	size_t i;

	console_open();
	friend = trusted();
	for (i = 0; i < ARRAY_SIZE(stranger); i++)
		stranger[i] = dial();
	/* The newest is connected, the oldest was dropped, the one with the token stays. */
	tap_check(strstr(ask(stranger[ARRAY_SIZE(stranger) - 1], "ping"), "I am alive!"));
	hear(stranger[0]);
	tap_check(hung_up(stranger[0]));
	tap_check(strstr(ask(friend, "avd name"), "pixel"));
	for (i = 0; i < ARRAY_SIZE(stranger); i++)
		close(stranger[i]);
	close(friend);
	serve();
	console_close();
}

static const struct tap_case cases[] = {
	{ "lines may come at once, or in pieces", lines_may_come_at_once },
	{ "what is no client of a console is sent away", what_is_no_console_client_is_sent_away },
	{ "a line that is too long is refused", a_line_that_is_too_long_is_refused },
	{ "clients do not disturb each other", clients_do_not_disturb_each_other },
	{ "who sends no more is hung up on", who_sends_no_more_is_hung_up_on },
	{ "who does not read is hung up on", who_does_not_read_is_hung_up_on },
	{ "the port is listened at", the_port_is_listened_at },
	{ "strangers make room for others", strangers_make_room },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
