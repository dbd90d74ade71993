// SPDX-License-Identifier: GPL-2.0-only
/*
 * The server's loop with a fake link and fake pipes (pipes.h). The server runs in a thread.
 */
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "pipes.h"
#include "server.h"
#include "tests/tap.h"

static struct {
	struct guest guest;
	int link;		/* vmmctl's end */
	int server_link;
	int server_services;
	int result;
	pthread_t thread;
	struct vmm_guest_record record;
	size_t len;
} test;

/* ---- the server's thread ---- */

static void *run_server(void *arg)
{
	(void)arg;
	test.result = server_run(&test.guest, test.server_link, test.server_services);
	return NULL;
}

static void set_up(void)
{
	int link[2];

	memset(&test, 0, sizeof(test));
	tap_check(!socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, link));
	test.link = link[0];
	test.server_link = link[1];
	test.server_services = pipes_begin();
	guest_init(&test.guest);
	tap_check(!pthread_create(&test.thread, NULL, run_server, NULL));
}

/* The server must end by itself, because the link or the kernel's device has ended. */
static int tear_down(void)
{
	pthread_join(test.thread, NULL);
	pipes_end();
	close(test.server_link);
	close(test.link);
	return test.result;
}

static bool vmmctl_told(enum vmm_guest_what what, s32 number)
{
	return pipes_wait(test.link) && !vmm_guest_receive(test.link, &test.record, &test.len) &&
	       test.record.what == what && test.record.number == number;
}

/* ---- cases ---- */

static void pipes_are_served(void)
{
	int misc, gps, sensors;

	set_up();
	misc = pipes_open("QemuMiscPipe", NULL);
	gps = pipes_open("qemud", "gps");
	sensors = pipes_open("qemud", "sensors");
	tap_check(misc >= 0 && gps >= 0 && sensors >= 0);
	tap_equal(pipes_open("qemud", "nothing"), PIPES_REFUSED);
	pipes_write(misc, "\12\0\0\0heart", 9);
	usleep(20000);
	pipes_write(misc, "beat\0", 5);
	tap_check(pipes_reads(misc, "\3\0\0\0OK\0", 7));
	tap_check(vmmctl_told(VMM_GUEST_HEARTBEATS, 1));
	pipes_write(misc, "\15\0\0\0bootcomplete\0", 17);
	tap_check(pipes_reads(misc, "\3\0\0\0OK\0", 7));
	tap_check(vmmctl_told(VMM_GUEST_BOOTED, 0));
	/* A record of vmmctl reaches the pipes of its service. */
	tap_equal(vmm_guest_send(test.link, VMM_GUEST_NMEA, 0, "$GPGGA", 6), 0);
	tap_check(pipes_reads(gps, "$GPGGA\n", 7));
	tap_equal(vmm_guest_send(test.link, VMM_GUEST_SENSOR, 6, "77", 2), 0);
	tap_check(pipes_open("qemud", "hw-control") >= 0);
	pipes_write(sensors, "000clist-sensors", 16);
	tap_check(pipes_reads(sensors, "0006133119", 10));
	pipes_write(sensors, "000cset-delay:10", 16);
	pipes_write(sensors, "0012set:acceleration:1", 22);
	tap_check(pipes_reads(sensors, "0015acceleration:0:0:9.81", 25));
	/* A pipe with an invalid message is hung up, and the others go on. */
	pipes_write(misc, "\377\377\377\377", 4);
	tap_check(pipes_ended(misc));
	tap_equal(vmm_guest_send(test.link, VMM_GUEST_NMEA, 0, "$GPGSA", 6), 0);
	tap_check(pipes_reads(gps, "$GPGSA\n", 7));
	shutdown(test.link, SHUT_RDWR);
	tap_equal(tear_down(), 0);
}

static void there_is_an_end_of_pipes(void)
{
	int fd[SERVER_PIPES];
	unsigned int i;

	set_up();
	for (i = 0; i < SERVER_PIPES; i++) {
		fd[i] = pipes_open("logcat", NULL);
		tap_check(fd[i] >= 0);
	}
	tap_equal(pipes_open("logcat", NULL), PIPES_REFUSED);
	/* A closed pipe makes room for the next one at once. */
	for (i = 0; i < 300; i++) {
		pipes_close(fd[7]);
		pipes_wake();
		fd[7] = pipes_open("logcat", NULL);
		if (!tap_check(fd[7] >= 0))
			break;
	}
	/* Without memory or files, a pipe is refused, and not left without a service. */
	pipes_close(fd[7]);
	pipes_wake();
	pipes_fail();
	tap_equal(pipes_open("logcat", NULL), PIPES_REFUSED);
	fd[7] = pipes_open("logcat", NULL);
	tap_check(fd[7] >= 0);
	/* The guest ends. */
	pipes_gone();
	tap_equal(tear_down(), 0);
}

static void a_guest_that_reads_late_gets_all(void)
{
	static char frame[8 + 3 + 460800 + 1228800];
	size_t len = 0;
	ssize_t n;
	int fd;

	set_up();
	fd = pipes_open("qemud", "camera:name=testpicture");
	tap_check(fd >= 0);
	pipes_write(fd, "start dim=640x480 pix=825382478", 32);
	tap_check(pipes_reads(fd, "00000003ok\0", 11));
	pipes_write(fd, "frame video=460800 preview=1228800", 35);
	pipes_write(fd, "stop", 5);
	usleep(100000);
	while (len < sizeof(frame) && pipes_wait(fd) &&
	       (n = recv(fd, frame + len, sizeof(frame) - len, 0)) > 0)
		len += n;
	tap_equal(len, sizeof(frame));
	tap_check(!memcmp(frame, "0019c803ok:", 11) && (unsigned char)frame[11] == 235);
	tap_check(pipes_reads(fd, "00000003ok\0", 11));
	/* The guest closes the pipe in the middle of a frame. */
	pipes_write(fd, "start dim=640x480 pix=825382478", 32);
	pipes_write(fd, "frame video=460800 preview=1228800", 35);
	tap_check(pipes_reads(fd, "00000003ok\0", 11));
	pipes_close(fd);
	tap_check(pipes_open("clipboard", NULL) >= 0);
	close(test.link);
	test.link = -1;
	tap_equal(tear_down(), 0);
}

static void a_vmmctl_that_lies_ends_it(void)
{
	set_up();
	tap_equal(vmm_guest_send(test.link, VMM_GUEST_BOOTED, 0, NULL, 0), 0);
	tap_equal(tear_down(), -EPROTO);
}

static const struct tap_case cases[] = {
	{ "pipes are served", pipes_are_served },
	{ "there is an end of pipes", there_is_an_end_of_pipes },
	{ "a guest that reads late gets all", a_guest_that_reads_late_gets_all },
	{ "a vmmctl that lies ends it", a_vmmctl_that_lies_ends_it },
};

int main(void)
{
	return tap_run(cases, ARRAY_SIZE(cases));
}
