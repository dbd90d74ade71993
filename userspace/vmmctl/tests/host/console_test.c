// SPDX-License-Identifier: GPL-2.0-only
/*
 * The console between two pipes, and on a pseudo-terminal for its escapes.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <termios.h>
#include <unistd.h>

#include "host/file_thread.h"
#include "host/host.h"
#include "machine/machine.h"
#include "tests/tap.h"

static struct {
	u8 taken[4096];
	size_t count;
	size_t room;
	char line[VMM_CONSOLE_LINE];
	unsigned int lines;
} guest;

static size_t guest_take(void *arg, const u8 *bytes, size_t len)
{
	(void)arg;
	if (len > guest.room)
		len = guest.room;
	memcpy(guest.taken + guest.count, bytes, len);
	guest.count += len;
	guest.room -= len;
	return len;
}

static const struct vmm_console_guest guest_ops = { .take = guest_take };

static void on_line(void *arg, const char *line)
{
	(void)arg;
	snprintf(guest.line, sizeof(guest.line), "%s", line);
	guest.lines++;
}

static int stop(void *arg)
{
	vmm_event_clear(*(int *)arg);
	return 1000;
}

/*
 * Runs the loop a few rounds; the event that ends a round is served last. A thread of the kernel
 * delivers terminal input, which takes a moment.
 */
static int settle(struct vmm_loop *loop, int event)
{
	int i;
	int ret = 0;

	for (i = 0; i < 8 && (ret == 1000 || !i); i++) {
		usleep(5000);
		vmm_event_signal(event);
		vmm_loop_add(loop, event, stop, &event);
		ret = vmm_loop_run(loop);
		vmm_loop_del(loop, event);
	}
	return ret;
}

static void put(struct vmm_console *con, const char *text)
{
	while (*text)
		vmm_console_put(con, *text++);
}

static void output_is_written_by_line(void)
{
	struct vmm_loop *loop = vmm_loop_create();
	struct vmm_console *con;
	char got[64] = "";
	int out[2];

	if (!tap_check(!pipe2(out, O_NONBLOCK)))
		return;
	con = vmm_console_open(loop, -1, out[1]);
	put(con, "half");
	tap_check(read(out[0], got, sizeof(got)) < 0);
	put(con, " a line\nrest");
	tap_equal(read(out[0], got, sizeof(got)), 12);
	tap_check(!memcmp(got, "half a line\n", 12));
	vmm_console_close(con);
	tap_equal(read(out[0], got, sizeof(got)), 4);
	tap_check(!memcmp(got, "rest", 4));
	close(out[0]);
	close(out[1]);
	vmm_loop_destroy(loop);
}

static void output_does_not_wait_for_ever(void)
{
	struct vmm_loop *loop = vmm_loop_create();
	int event = vmm_event_create();
	struct vmm_console *con;
	char got[64] = "";
	int out[2];

	if (!tap_check(!pipe2(out, O_NONBLOCK)))
		return;
	con = vmm_console_open(loop, -1, out[1]);
	put(con, "login: ");
	usleep(50000);
	settle(loop, event);
	tap_equal(read(out[0], got, sizeof(got)), 7);
	vmm_console_close(con);
	close(event);
	close(out[0]);
	close(out[1]);
	vmm_loop_destroy(loop);
}

static void lines_are_watched(void)
{
	struct vmm_loop *loop = vmm_loop_create();
	char longer[2 * VMM_CONSOLE_LINE];
	struct vmm_console *con;
	int out = open("/dev/null", O_WRONLY);

	memset(&guest, 0, sizeof(guest));
	con = vmm_console_open(loop, -1, out);
	vmm_console_watch(con, "MARK ", on_line, NULL);
	put(con, "nothing\r\nMARK one\r\n MARK\nMARK");
	tap_equal(guest.lines, 1);
	tap_check(!strcmp(guest.line, "MARK one"));
	put(con, "\nMARK two\n");
	tap_equal(guest.lines, 2);
	tap_check(!strcmp(guest.line, "MARK two"));
	memset(longer, 'x', sizeof(longer) - 1);
	longer[sizeof(longer) - 1] = '\0';
	memcpy(longer, "MARK ", 5);
	put(con, longer);
	put(con, "\n");
	tap_equal(guest.lines, 3);
	tap_equal(strlen(guest.line), VMM_CONSOLE_LINE - 1);
	vmm_console_close(con);
	close(out);
	vmm_loop_destroy(loop);
}

/* Input that exceeds all buffers arrives completely, as the guest makes room. */
static void input_waits_for_room(void)
{
	struct vmm_loop *loop = vmm_loop_create();
	int event = vmm_event_create();
	int out = open("/dev/null", O_WRONLY);
	struct vmm_console *con;
	unsigned int i;
	u8 sent[3000];
	int in[2];

	memset(&guest, 0, sizeof(guest));
	if (!tap_check(!pipe2(in, O_NONBLOCK)))
		return;
	for (i = 0; i < sizeof(sent); i++)
		sent[i] = i * 7;
	tap_equal(write(in[1], sent, sizeof(sent)), sizeof(sent));
	con = vmm_console_open(loop, in[0], out);
	settle(loop, event);
	vmm_console_attach(con, &guest_ops, NULL);
	for (i = 0; i < 400 && guest.count < sizeof(sent); i++) {
		guest.room = 16;
		vmm_console_ready(con);
		settle(loop, event);
	}
	tap_equal(guest.count, sizeof(sent));
	tap_check(!memcmp(guest.taken, sent, sizeof(sent)));
	vmm_console_close(con);
	close(in[0]);
	close(in[1]);
	close(out);
	close(event);
	vmm_loop_destroy(loop);
}

/* Opens a pseudo-terminal; returns -1 if there is none. */
static int terminal_open(int *master)
{
	int slave = -1;

	*master = posix_openpt(O_RDWR | O_NOCTTY);
	if (*master >= 0 && !grantpt(*master) && !unlockpt(*master))
		slave = open(ptsname(*master), O_RDWR | O_NOCTTY);
	if (slave < 0)
		tap_skip("no pseudo-terminal here");
	return slave;
}

static void terminal_has_escapes(void)
{
	struct vmm_loop *loop = vmm_loop_create();
	int event = vmm_event_create();
	struct termios before;
	struct termios after;
	struct vmm_console *con;
	int master;
	int slave = terminal_open(&master);

	memset(&guest, 0, sizeof(guest));
	guest.room = sizeof(guest.taken);
	if (slave >= 0) {
		tcgetattr(slave, &before);
		con = vmm_console_open(loop, slave, slave);
		vmm_console_attach(con, &guest_ops, NULL);
		tap_equal(write(master, "Z\x01\x01Y\x01X\x03", 7), 7);
		tap_equal(settle(loop, event), 1000);
		tap_equal(guest.count, 4);
		tap_check(!memcmp(guest.taken, "Z\x01Y\x03", 4));
		tap_equal(write(master, "\x01x", 2), 2);
		tap_equal(settle(loop, event), VMM_END_QUIT);
		vmm_console_close(con);
		tcgetattr(slave, &after);
		tap_equal(after.c_lflag, before.c_lflag);
		close(slave);
	}
	if (master >= 0)
		close(master);
	close(event);
	vmm_loop_destroy(loop);
}

static void pipes_have_no_escapes(void)
{
	struct vmm_loop *loop = vmm_loop_create();
	int event = vmm_event_create();
	int out = open("/dev/null", O_WRONLY);
	struct vmm_console *con;
	int in[2];

	memset(&guest, 0, sizeof(guest));
	guest.room = sizeof(guest.taken);
	if (!tap_check(!pipe2(in, O_NONBLOCK)))
		return;
	con = vmm_console_open(loop, in[0], out);
	vmm_console_attach(con, &guest_ops, NULL);
	tap_equal(write(in[1], "\x01x\x01", 3), 3);
	tap_equal(settle(loop, event), 1000);
	tap_equal(guest.count, 3);
	/* When the other end is closed, the console goes on and does not spin. */
	close(in[1]);
	tap_equal(settle(loop, event), 1000);
	vmm_console_close(con);
	close(in[0]);
	close(out);
	close(event);
	vmm_loop_destroy(loop);
}

/* Without a reader, output does not wait, and dropped bytes are counted. */
static void stalled_reader_holds_up_nobody(void)
{
	struct vmm_loop *loop = vmm_loop_create();
	int event = vmm_event_create();
	struct vmm_console *con;
	unsigned int i;
	char got[65536];
	int out[2];
	ssize_t n;
	size_t read_back = 0;

	/* The writing end blocks, as a shell's pipe does. */
	if (!tap_check(!pipe(out)))
		return;
	con = vmm_console_open(loop, -1, out[1]);
	for (i = 0; i < 1 << 20; i++)
		vmm_console_put(con, i % 64 ? 'x' : '\n');
	tap_check(vmm_console_dropped(con) > 0);
	tap_equal(settle(loop, event), 1000);
	/* When it reads again, it gets the buffered and all later output. */
	fcntl(out[0], F_SETFL, O_NONBLOCK);
	for (i = 0; i < 64; i++) {
		while ((n = read(out[0], got, sizeof(got))) > 0)
			read_back += n;
		settle(loop, event);
	}
	tap_equal(read_back + vmm_console_dropped(con), 1 << 20);
	put(con, "and on\n");
	tap_equal(read(out[0], got, sizeof(got)), 7);
	vmm_console_close(con);
	close(event);
	close(out[0]);
	close(out[1]);
	vmm_loop_destroy(loop);
}

/* A reader that never reads does not delay closing. */
static void stalled_reader_holds_up_no_end(void)
{
	struct vmm_loop *loop = vmm_loop_create();
	struct vmm_console *con;
	unsigned int i;
	int out[2];

	if (!tap_check(!pipe(out)))
		return;
	con = vmm_console_open(loop, -1, out[1]);
	for (i = 0; i < 1 << 20; i++)
		vmm_console_put(con, 'x');
	vmm_console_close(con);
	close(out[0]);
	close(out[1]);
	vmm_loop_destroy(loop);
}

/* File of a file system that does not answer; -1 when it answers again. */
static volatile int stuck_fd = -1;
static int stuck_until = -1;
/* File of a slow file system. */
static volatile int slow_fd = -1;

ssize_t write(int fd, const void *bytes, size_t len)
{
	u64 value;

	if (fd == stuck_fd && fd >= 0)
		while (read(stuck_until, &value, sizeof(value)) < 0)
			usleep(1000);
	if (fd == slow_fd && fd >= 0)
		usleep(1000);
	return syscall(SYS_write, fd, bytes, len);
}

static void a_file_that_is_stuck_holds_up_nobody(void)
{
	struct vmm_loop *loop = vmm_loop_create();
	int out = memfd_create("out", MFD_CLOEXEC);
	int event = vmm_event_create();
	struct vmm_console *con;
	unsigned int i;
	u64 whole;
	char got[16];

	alarm(100);
	con = vmm_console_open(loop, -1, out);
	stuck_until = vmm_event_create();
	stuck_fd = out;
	put(con, "a line\n");
	for (i = 0; i < 300000; i++)
		vmm_console_put(con, i % 64 ? 'x' : '\n');
	tap_equal(settle(loop, event), 1000);
	tap_check(vmm_console_dropped(con) > 0);
	/* It answers again, and all buffered output is written. */
	stuck_fd = -1;
	vmm_event_signal(stuck_until);
	whole = 300000 + 7 - vmm_console_dropped(con);
	for (i = 0; i < 1000 && lseek(out, 0, SEEK_END) < (off_t)whole; i++)
		settle(loop, event);
	tap_equal(lseek(out, 0, SEEK_END), whole);
	vmm_console_close(con);
	tap_check(pread(out, got, 7, 0) == 7 && !memcmp(got, "a line\n", 7));
	alarm(0);
	close(stuck_until);
	close(event);
	close(out);
	vmm_loop_destroy(loop);
}

/* Many lines at once are written together. */
static void a_slow_file_gets_all(void)
{
	struct vmm_loop *loop = vmm_loop_create();
	int out = memfd_create("out", MFD_CLOEXEC);
	int event = vmm_event_create();
	struct vmm_console *con;
	unsigned int i;

	alarm(100);
	vmm_file_threads_begin();
	con = vmm_console_open(loop, -1, out);
	slow_fd = out;
	for (i = 1; i <= 2000 * 64; i++)
		vmm_console_put(con, i % 64 ? 'x' : '\n');
	vmm_console_flush(con);
	vmm_file_threads_last(false);
	tap_equal(lseek(out, 0, SEEK_END), 2000 * 64);
	/* Output that a busy file has not accepted is written later. */
	vmm_file_threads_begin();
	put(con, "a line\nanother\n");
	usleep(50000);
	settle(loop, event);
	for (i = 0; i < 1000 && lseek(out, 0, SEEK_END) < 2000 * 64 + 15; i++)
		usleep(1000);
	tap_equal(lseek(out, 0, SEEK_END), 2000 * 64 + 15);
	vmm_console_close(con);
	slow_fd = -1;
	vmm_file_threads_begin();
	alarm(0);
	close(event);
	close(out);
	vmm_loop_destroy(loop);
}

/* Its memory is never freed, so this runs in another process. */
static void a_file_that_is_stuck_holds_up_no_end(void)
{
	pid_t pid = fork();
	char said[256];
	int status;

	if (!pid) {
		struct vmm_loop *loop = vmm_loop_create();
		struct vmm_console *con;

		alarm(5);
		stuck_until = vmm_event_create();
		stuck_fd = memfd_create("out", MFD_CLOEXEC);
		con = vmm_console_open(loop, -1, stuck_fd);
		tap_listen();
		put(con, "a line\n");
		vmm_console_close(con);
		tap_heard(said, sizeof(said));
		vmm_loop_destroy(loop);
		_exit(strstr(said, "7 bytes of the console's output were dropped") ? 7 : 8);
	}
	waitpid(pid, &status, 0);
	tap_equal(WIFEXITED(status) ? WEXITSTATUS(status) : 99, 7);
}

/* A background job of the terminal. */
static void background_leaves_the_terminal_alone(void)
{
	int master;
	int slave = terminal_open(&master);
	struct termios before;
	struct termios after;
	int status = 0;
	pid_t pid;

	if (slave < 0)
		return;
	tcgetattr(slave, &before);
	pid = fork();
	if (!pid) {
		struct vmm_loop *loop = vmm_loop_create();
		pid_t job;

		/* A session with this terminal; the shell is in the foreground. */
		if (setsid() < 0 || ioctl(slave, TIOCSCTTY, 0))
			_exit(2);
		job = fork();
		if (job) {
			waitpid(job, &status, WUNTRACED);
			if (tcgetattr(slave, &after) || before.c_lflag != after.c_lflag)
				_exit(4);
			_exit(WIFEXITED(status) ? WEXITSTATUS(status) : 3);
		}
		setpgid(0, 0);
		vmm_console_close(vmm_console_open(loop, slave, slave));
		_exit(7);
	}
	waitpid(pid, &status, 0);
	tap_equal(WIFEXITED(status) ? WEXITSTATUS(status) : 99, 7);
	close(slave);
	close(master);
}

static const struct tap_case cases[] = {
	{ "a reader that stalls holds up nobody", stalled_reader_holds_up_nobody },
	{ "a reader that stalls holds up no end", stalled_reader_holds_up_no_end },
	{ "a file that is stuck holds up nobody", a_file_that_is_stuck_holds_up_nobody },
	{ "a slow file gets all", a_slow_file_gets_all },
	{ "a file that is stuck holds up no end", a_file_that_is_stuck_holds_up_no_end },
	{ "a job in the background leaves the terminal alone",
	  background_leaves_the_terminal_alone },
	{ "output is written by line", output_is_written_by_line },
	{ "a prompt does not wait for its line's end", output_does_not_wait_for_ever },
	{ "lines with a prefix are reported", lines_are_watched },
	{ "input waits for room", input_waits_for_room },
	{ "a terminal has escapes and is restored", terminal_has_escapes },
	{ "pipes have no escapes", pipes_have_no_escapes },
};

int main(void)
{
	vmm_file_threads_begin();
	return tap_run(cases, ARRAY_SIZE(cases));
}
