// SPDX-License-Identifier: GPL-2.0-only
/*
 * adb by the goldfish pipe. The test acts as guests that send the words in pieces, wrong words, or
 * none, and as clients before and after them; data between guest and client is checked.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/timerfd.h>
#include <sys/un.h>
#include <unistd.h>

#include "host/vsock.h"
#include "tests/tap.h"

#define LARGE	1000000

static struct {
	char dir[32];
	char path[64];
	struct vmm_config cfg;
	struct vmm_loop *loop;
	struct vmm_pipe_adb *adb;
} rig;

static bool rig_open(void)
{
	memset(&rig, 0, sizeof(rig));
	snprintf(rig.dir, sizeof(rig.dir), "/tmp/vmmctl-adb-XXXXXX");
	if (!tap_check(mkdtemp(rig.dir)))
		return false;
	snprintf(rig.path, sizeof(rig.path), "%s/a", rig.dir);
	rig.cfg.adb = VMM_ADB_OFF;
	rig.cfg.adb_transport = VMM_ADB_BY_PIPE;
	rig.cfg.adb_socket = rig.path;
	rig.loop = vmm_loop_create();
	rig.adb = vmm_pipe_adb_open(&rig.cfg, rig.loop);
	return tap_check(rig.adb);
}

static void rig_close(void)
{
	vmm_pipe_adb_close(rig.adb);
	vmm_loop_destroy(rig.loop);
	/* Empty: the socket was removed. */
	tap_equal(rmdir(rig.dir), 0);
}

static int loop_stop(void *arg)
{
	(void)arg;
	return 1;
}

static void settle(void)
{
	struct itimerspec when = { .it_value.tv_nsec = 20000000 };
	int fd = timerfd_create(CLOCK_MONOTONIC, 0);

	timerfd_settime(fd, 0, &when, NULL);
	vmm_loop_add(rig.loop, fd, loop_stop, NULL);
	vmm_loop_run(rig.loop);
	vmm_loop_del(rig.loop, fd);
	close(fd);
}

static int client(void)
{
	struct sockaddr_un addr = { .sun_family = AF_UNIX };
	int fd = socket(AF_UNIX, SOCK_STREAM, 0);

	snprintf(addr.sun_path, sizeof(addr.sun_path), "%s", rig.path);
	tap_equal(connect(fd, (struct sockaddr *)&addr, sizeof(addr)), 0);
	return fd;
}

static int guest(void)
{
	int fd = vmm_pipe_adb_connect(rig.adb);

	tap_check(fd >= 0);
	return fd;
}

static void say(int fd, const char *text)
{
	tap_equal(send(fd, text, strlen(text), MSG_NOSIGNAL), strlen(text));
	settle();
}

/* Returns the received text, "" for none, NULL after a hang-up. */
static const char *heard(int fd)
{
	static char text[64];
	ssize_t n = recv(fd, text, sizeof(text) - 1, MSG_DONTWAIT);

	if (!n || (n < 0 && errno != EAGAIN))
		return NULL;
	text[n < 0 ? 0 : n] = '\0';
	return text;
}

static bool hears(int fd, const char *want)
{
	const char *have = heard(fd);

	return have && !strcmp(have, want);
}

static void words_lead_to_a_stream(void)
{
	int g, c;

	if (!rig_open())
		return;
	g = guest();
	say(g, "acc");
	c = client();
	settle();
	tap_check(hears(g, ""));
	say(g, "ept");
	tap_check(hears(g, "ok"));
	/* Bytes after the word belong to the stream; the client connected first. */
	say(c, "CNXN");
	tap_check(hears(g, ""));
	say(g, "startbehind");
	tap_check(hears(c, "behind"));
	tap_check(hears(g, "CNXN"));
	say(g, "there");
	tap_check(hears(c, "there"));
	close(c);
	settle();
	tap_check(!heard(g));
	close(g);
	rig_close();
}

static void wrong_words_hang_up(void)
{
	static const char *const wrong[] = { "accepT", "start", "ok", "a\n", "\377" };
	unsigned int i;
	int g, c;

	if (!rig_open())
		return;
	for (i = 0; i < ARRAY_SIZE(wrong); i++) {
		tap_context("\"%s\"", wrong[i]);
		g = guest();
		say(g, wrong[i]);
		tap_check(!heard(g));
		close(g);
	}
	tap_context("accept, then no start");
	g = guest();
	c = client();
	say(g, "accept");
	tap_check(hears(g, "ok"));
	say(g, "stop!");
	tap_check(!heard(g) && !heard(c));
	close(g);
	close(c);
	rig_close();
}

static void first_who_waits_is_first(void)
{
	int g[3], c[3], i;

	if (!rig_open())
		return;
	for (i = 0; i < 3; i++) {
		g[i] = guest();
		say(g[i], "accept");
	}
	/* That pipe is closed before its turn. */
	close(g[0]);
	settle();
	for (i = 1; i < 3; i++) {
		c[i] = client();
		settle();
		tap_check(hears(g[i], "ok"));
		say(g[i], "start");
	}
	say(c[2], "two");
	say(c[1], "one");
	tap_check(hears(g[1], "one") && hears(g[2], "two"));
	/* No pipe waits any more: the next client waits for the next pipe. */
	c[0] = client();
	settle();
	tap_check(hears(c[0], ""));
	g[0] = guest();
	say(g[0], "accept");
	tap_check(hears(g[0], "ok"));
	for (i = 0; i < 3; i++) {
		close(g[i]);
		close(c[i]);
	}
	settle();
	rig_close();
}

static void fill(unsigned char *bytes, size_t size)
{
	size_t i;

	for (i = 0; i < size; i++)
		bytes[i] = i * 7 + i / 251;
}

/* Sends more than all buffers hold, to a side that starts to read late. */
static void push(int from, int to)
{
	static unsigned char sent[LARGE], got[LARGE];
	size_t in = 0, out = 0;
	unsigned int idle = 0;
	ssize_t n;

	fill(sent, sizeof(sent));
	memset(got, 0, sizeof(got));
	while (out < sizeof(got) && idle < 100) {
		n = send(from, sent + in, sizeof(sent) - in, MSG_DONTWAIT | MSG_NOSIGNAL);
		in += n > 0 ? n : 0;
		settle();
		if (n > 0)
			continue;
		n = recv(to, got + out, sizeof(got) - out, MSG_DONTWAIT);
		out += n > 0 ? n : 0;
		idle = n > 0 ? 0 : idle + 1;
	}
	tap_equal(out, sizeof(got));
	tap_check(!memcmp(sent, got, sizeof(got)));
}

static void every_byte_arrives(void)
{
	static unsigned char rest[4096], last[4096];
	int g, c;

	if (!rig_open())
		return;
	g = guest();
	c = client();
	say(g, "accept");
	tap_check(hears(g, "ok"));
	say(g, "start");
	push(g, c);
	push(c, g);
	/* Data before the end arrives before the end. */
	fill(rest, sizeof(rest));
	tap_equal(send(c, rest, sizeof(rest), 0), sizeof(rest));
	close(c);
	settle();
	tap_equal(recv(g, last, sizeof(last), MSG_WAITALL), sizeof(last));
	tap_check(!memcmp(rest, last, sizeof(last)));
	tap_check(!heard(g));
	close(g);
	rig_close();
}

static void many_pipes_are_refused(void)
{
	int g[64], n = 0;

	if (!rig_open())
		return;
	while (n < 64) {
		g[n] = vmm_pipe_adb_connect(rig.adb);
		if (g[n] < 0)
			break;
		n++;
	}
	tap_equal(n, 16);
	close(g[3]);
	settle();
	g[3] = guest();
	while (n--)
		close(g[n]);
	settle();
	rig_close();
}

static const struct tap_case cases[] = {
	{ "accept, ok, start lead to a stream", words_lead_to_a_stream },
	{ "a wrong word hangs up", wrong_words_hang_up },
	{ "who waits longest is first", first_who_waits_is_first },
	{ "every byte arrives, and then the end", every_byte_arrives },
	{ "more pipes than adb needs are refused", many_pipes_are_refused },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
