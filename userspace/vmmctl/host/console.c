// SPDX-License-Identifier: GPL-2.0-only
/*
 * The terminal behind the board's UART. Output is collected and written when a line ends, when
 * there is a lot of it, or 10 ms after its first byte, so that there is one write() for a line
 * and not for a byte. If the reader is slow, output waits in a ring; what does not fit there is
 * dropped and counted, so no reader can block a vCPU or the main thread. A plain file has no
 * reader, but its disk or file system may be slow: a thread writes to it (file_thread.c). Input
 * waits here until the guest accepts it.
 *
 * vmmctl changes the mode of a terminal only while it is in the terminal's foreground.
 *
 * On a terminal Ctrl-A is the escape: x leaves, a second Ctrl-A sends one.
 */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/timerfd.h>
#include <termios.h>
#include <unistd.h>

#include "host/ending.h"
#include "host/file_thread.h"
#include "host/host.h"
#include "host/output.h"
#include "machine/machine.h"

#define CONSOLE_ESCAPE		0x01	/* Ctrl-A */
#define CONSOLE_FLUSH_NS	10000000
#define CONSOLE_CHUNK		4096	/* bytes that are written before a line ends */
#define CONSOLE_LAST_MS		300	/* at most for the last output of a life, and of the VM */
#define CONSOLE_HURRY_MS	100	/* the same if a signal ends the process */

/**
 * struct vmm_console - a terminal, or a pair of pipes
 * @loop: where its files are registered
 * @in: input file
 * @out: output
 * @timer_fd: expires when collected output has to be written
 * @ready_fd: eventfd, signalled when the guest has room for input again
 * @tty: @in is a terminal, in raw mode, with escapes
 * @background: @in is a terminal, and vmmctl is not in its foreground
 * @group: process group of vmmctl; the sandbox does not allow to read it
 * @in_ended: @in is at its end
 * @saved: mode of the terminal before
 * @watching_in: @in is in the loop
 * @escaped: the last byte typed was the escape
 * @typed: input that the guest has not accepted; main thread only
 * @typed_len: bytes in @typed
 * @starved: input waits for room in the guest (written by main, read by vCPU threads)
 * @prefix: lines that begin with this are reported, or NULL
 * @line_fn: called with such a line
 * @line_arg: argument of @line_fn
 * @line: the line so far; the caller of vmm_console_put() serialises
 * @line_len: bytes in @line
 * @lock: protects what follows
 * @guest: operations of the device that accepts input, or NULL
 * @guest_arg: argument of the operations
 * @ring: output that was not written yet
 * @armed: the timer runs
 * @full: @out was full: the main thread waits until it is writable
 * @watching_out: @out is in the loop; main thread only
 * @file: writes to a plain file; NULL for others
 */
struct vmm_console {
	struct vmm_loop *loop;
	int in;
	struct vmm_output out;
	int timer_fd;
	int ready_fd;
	bool tty;
	bool background;
	pid_t group;
	bool in_ended;
	struct termios saved;
	bool watching_in;
	bool escaped;
	u8 typed[256];
	size_t typed_len;
	bool starved;
	const char *prefix;
	void (*line_fn)(void *arg, const char *line);
	void *line_arg;
	char line[VMM_CONSOLE_LINE];
	size_t line_len;
	pthread_mutex_t lock;
	const struct vmm_console_guest *guest;
	void *guest_arg;
	struct vmm_output_ring ring;
	bool armed;
	bool full;
	bool watching_out;
	struct vmm_file_thread *file;
};

/* The terminal whose mode is restored even by a signal handler. */
static struct {
	int fd;
	struct termios saved;
} console_terminal = { .fd = -1 };

static void console_arm_locked(struct vmm_console *con);

/* What cannot be written is dropped, as in vmm_output_drain(). */
static size_t console_record(void *arg, const void *record, size_t len)
{
	const struct vmm_console *con = arg;
	const u8 *bytes = record;
	ssize_t n;

	for (; len; bytes += n, len -= n) {
		n = vmm_output_write(&con->out, bytes, len);
		if (n <= 0)
			break;
	}
	return len;
}

static void console_hand_over_locked(struct vmm_console *con)
{
	u8 bytes[CONSOLE_CHUNK];
	size_t len;

	while ((len = vmm_output_take(&con->ring, bytes, sizeof(bytes))))
		vmm_file_thread_text(con->file, bytes, len);
}

/*
 * While a slow file is busy, lines are collected to chunks, so that there is not a write()
 * for each. Returns whether to wait for more.
 */
static bool console_collects_locked(const struct vmm_console *con)
{
	return con->file && con->ring.len && con->ring.len < CONSOLE_CHUNK &&
	       vmm_file_thread_busy(con->file);
}

static void console_write_locked(struct vmm_console *con)
{
	bool full;

	if (console_collects_locked(con)) {
		console_arm_locked(con);
		return;
	}
	if (con->file) {
		console_hand_over_locked(con);
		return;
	}
	full = vmm_output_drain(&con->ring, &con->out) == -EAGAIN;
	/* Only the main thread may use the loop: the timer wakes it. */
	if (full && !con->full) {
		con->full = true;
		console_arm_locked(con);
	}
	con->full = full;
}

static void console_watch_out(struct vmm_console *con, bool on);

/*
 * Writes the last output: waits for a slow reader, but not for one that does not read at all.
 */
static void console_last(struct vmm_console *con)
{
	struct pollfd room = { .fd = vmm_output_fd(&con->out), .events = POLLOUT };
	unsigned int i;
	u64 lost;

	for (i = 0; con->full && i < CONSOLE_LAST_MS / 10; i++) {
		poll(&room, 1, 10);
		vmm_console_flush(con);
	}
	pthread_mutex_lock(&con->lock);
	lost = con->ring.dropped + con->ring.len;
	pthread_mutex_unlock(&con->lock);
	if (con->file)
		lost += vmm_file_thread_lost(con->file);
	if (lost)
		vmm_note("%llu bytes of the console's output were dropped: nobody read them",
			 lost);
}

/**
 * vmm_console_flush - write collected output, as far as there is room
 * @con: the console
 *
 * Waits briefly for a plain file, so that later output of others comes after it.
 */
void vmm_console_flush(struct vmm_console *con)
{
	pthread_mutex_lock(&con->lock);
	if (con->file)
		console_hand_over_locked(con);
	else
		console_write_locked(con);
	pthread_mutex_unlock(&con->lock);
	if (con->file)
		vmm_file_thread_wait(con->file, vmm_ending_signal() ? CONSOLE_HURRY_MS :
								      CONSOLE_LAST_MS);
}

/**
 * vmm_console_dropped - return how much output was dropped
 * @con: may be NULL
 *
 * Return: bytes
 */
u64 vmm_console_dropped(struct vmm_console *con)
{
	u64 dropped;

	if (!con)
		return 0;
	pthread_mutex_lock(&con->lock);
	dropped = con->ring.dropped;
	pthread_mutex_unlock(&con->lock);
	return con->file ? dropped + vmm_file_thread_dropped(con->file) : dropped;
}

static int console_timer(void *arg)
{
	struct vmm_console *con = arg;
	u64 expirations;

	pthread_mutex_lock(&con->lock);
	if (read(con->timer_fd, &expirations, sizeof(expirations)) > 0)
		con->armed = false;
	console_write_locked(con);
	console_watch_out(con, con->full);
	pthread_mutex_unlock(&con->lock);
	return 0;
}

static int console_writable(void *arg)
{
	struct vmm_console *con = arg;

	pthread_mutex_lock(&con->lock);
	console_write_locked(con);
	console_watch_out(con, con->full);
	pthread_mutex_unlock(&con->lock);
	return 0;
}

static void console_watch_out(struct vmm_console *con, bool on)
{
	int fd = vmm_output_fd(&con->out);

	if (on == con->watching_out)
		return;
	if (!on)
		vmm_loop_del(con->loop, fd);
	else if (vmm_loop_watch(con->loop, fd, POLLOUT, console_writable, con))
		return;
	con->watching_out = on;
}

static void console_arm_locked(struct vmm_console *con)
{
	static const struct itimerspec soon = { .it_value.tv_nsec = CONSOLE_FLUSH_NS };

	if (!con->armed)
		con->armed = !timerfd_settime(con->timer_fd, 0, &soon, NULL);
}

/* Adds @byte to the line; reports a complete line if it is watched. */
static void console_watch_byte(struct vmm_console *con, u8 byte)
{
	if (byte != '\n') {
		if (con->line_len < sizeof(con->line) - 1)
			con->line[con->line_len++] = byte;
		return;
	}
	while (con->line_len && con->line[con->line_len - 1] == '\r')
		con->line_len--;
	con->line[con->line_len] = '\0';
	con->line_len = 0;
	if (!strncmp(con->line, con->prefix, strlen(con->prefix)))
		con->line_fn(con->line_arg, con->line);
}

/**
 * vmm_console_put - write a byte that the guest sent
 * @con: the console
 * @byte: the byte
 *
 * Context: any thread; callers serialise. A watched line is reported from here,
 *	before the guest's write completes.
 */
void vmm_console_put(struct vmm_console *con, u8 byte)
{
	pthread_mutex_lock(&con->lock);
	vmm_output_put(&con->ring, &byte, 1);
	/* If @out is full, the main thread waits for it: do not try at each line. */
	if (!con->full && (byte == '\n' || con->ring.len >= CONSOLE_CHUNK))
		console_write_locked(con);
	else
		console_arm_locked(con);
	pthread_mutex_unlock(&con->lock);
	if (con->prefix)
		console_watch_byte(con, byte);
}

/* Passes typed input to the guest; keeps what the guest has no room for. */
static void console_feed(struct vmm_console *con)
{
	const struct vmm_console_guest *guest;
	size_t taken = 0;
	void *arg;

	/* Under the lock, because a job attaches the device again after a reset. */
	pthread_mutex_lock(&con->lock);
	guest = con->guest;
	arg = con->guest_arg;
	pthread_mutex_unlock(&con->lock);
	/*
	 * Set before the guest is asked, so that room which appears meanwhile is reported; at
	 * worst, the guest is asked once more than needed.
	 */
	__atomic_store_n(&con->starved, con->typed_len > 0, __ATOMIC_SEQ_CST);
	if (guest && con->typed_len)
		taken = guest->take(arg, con->typed, con->typed_len);
	con->typed_len -= taken;
	memmove(con->typed, con->typed + taken, con->typed_len);
	if (!con->typed_len)
		__atomic_store_n(&con->starved, false, __ATOMIC_SEQ_CST);
}

static void console_type(struct vmm_console *con, u8 byte)
{
	/* Only for a terminal the buffer may be full: see console_readable(). */
	if (con->typed_len < sizeof(con->typed))
		con->typed[con->typed_len++] = byte;
}

/* Handles escapes. Returns VMM_END_QUIT if the user leaves. */
static int console_typed(struct vmm_console *con, const u8 *bytes, size_t len)
{
	size_t i;

	for (i = 0; i < len; i++) {
		if (con->escaped) {
			con->escaped = false;
			if (bytes[i] == 'x')
				return VMM_END_QUIT;
			if (bytes[i] == CONSOLE_ESCAPE)
				console_type(con, CONSOLE_ESCAPE);
		} else if (con->tty && bytes[i] == CONSOLE_ESCAPE) {
			con->escaped = true;
		} else {
			console_type(con, bytes[i]);
		}
	}
	return 0;
}

static void console_watch_in(struct vmm_console *con, bool on);

static int console_readable(void *arg)
{
	struct vmm_console *con = arg;
	size_t room = sizeof(con->typed) - con->typed_len;
	u8 bytes[sizeof(con->typed)];
	ssize_t n;
	int ret;

	/* A terminal is always read, for its escape; excess typing is lost. */
	n = read(con->in, bytes, con->tty ? sizeof(bytes) : room);
	if (n < 0 && (errno == EINTR || errno == EAGAIN))
		return 0;
	if (n <= 0) {
		console_watch_in(con, false);
		con->in_ended = true;
		return 0;
	}
	ret = console_typed(con, bytes, n);
	console_feed(con);
	if (!con->tty && con->typed_len == sizeof(con->typed))
		console_watch_in(con, false);
	return ret;
}

static int console_guest_ready(void *arg)
{
	struct vmm_console *con = arg;

	vmm_event_clear(con->ready_fd);
	console_feed(con);
	if (con->in >= 0 && !con->in_ended && !con->background &&
	    con->typed_len < sizeof(con->typed))
		console_watch_in(con, true);
	return 0;
}

static void console_watch_in(struct vmm_console *con, bool on)
{
	if (on == con->watching_in)
		return;
	if (on)
		vmm_loop_add(con->loop, con->in, console_readable, con);
	else
		vmm_loop_del(con->loop, con->in);
	con->watching_in = on;
}

/**
 * vmm_console_ready - call when the guest has room for input
 * @con: the console
 *
 * Context: any thread; cheap when nothing waits.
 */
void vmm_console_ready(struct vmm_console *con)
{
	if (__atomic_load_n(&con->starved, __ATOMIC_SEQ_CST))
		vmm_event_signal(con->ready_fd);
}

/**
 * vmm_console_attach - connect the device that accepts input
 * @con: the console
 * @guest: its operations; NULL disconnects
 * @arg: argument of the operations
 *
 * Context: any thread; vmm_console_put() is not called meanwhile.
 */
void vmm_console_attach(struct vmm_console *con, const struct vmm_console_guest *guest, void *arg)
{
	pthread_mutex_lock(&con->lock);
	con->guest = guest;
	con->guest_arg = arg;
	con->line_len = 0;
	pthread_mutex_unlock(&con->lock);
}

/**
 * vmm_console_watch - report lines that the guest prints
 * @con: the console
 * @prefix: of the lines that are reported; NULL for none
 * @fn: called with the line, without its end, at most VMM_CONSOLE_LINE - 1
 *	bytes, in the vCPU thread that printed it
 * @arg: argument of @fn
 */
void vmm_console_watch(struct vmm_console *con, const char *prefix,
		       void (*fn)(void *arg, const char *line), void *arg)
{
	con->prefix = prefix;
	con->line_fn = fn;
	con->line_arg = arg;
}

/* Called in a signal handler if vmm_console_close() cannot be. */
static void console_give_back(void)
{
	if (console_terminal.fd >= 0)
		tcsetattr(console_terminal.fd, TCSANOW, &console_terminal.saved);
}

/*
 * A background job that changes its terminal's mode, or reads from it, is stopped by the
 * kernel: vmmctl does neither until it is in the foreground.
 */
static bool console_in_background(const struct vmm_console *con)
{
	pid_t foreground = tcgetpgrp(con->in);

	return foreground >= 0 && foreground != con->group;
}

static void console_raw(struct vmm_console *con)
{
	struct termios raw;

	/* The mode from before the first change is the one that is restored. */
	if (con->in < 0 || (!con->tty && tcgetattr(con->in, &con->saved)))
		return;
	raw = con->saved;
	cfmakeraw(&raw);
	/* Messages of vmmctl still need their carriage returns. */
	raw.c_oflag |= OPOST;
	if (tcsetattr(con->in, TCSANOW, &raw))
		return;
	con->tty = true;
	console_terminal.saved = con->saved;
	console_terminal.fd = con->in;
	vmm_ending_last_act(console_give_back);
}

/**
 * vmm_console_foreground - set the terminal's mode, if vmmctl is in its foreground now
 * @con: may be NULL
 *
 * Context: main thread, at the start and when a stopped job is continued.
 */
void vmm_console_foreground(struct vmm_console *con)
{
	if (!con || con->in < 0 || console_in_background(con))
		return;
	if (con->background)
		console_watch_in(con, true);
	con->background = false;
	/* Also after a stop, in which the shell has changed the mode. */
	console_raw(con);
}

/**
 * vmm_console_open - take over a terminal, or a pair of pipes
 * @loop: where input and timer are served
 * @in: input file, -1 for none
 * @out: output file
 *
 * Return: the console, or NULL
 */
struct vmm_console *vmm_console_open(struct vmm_loop *loop, int in, int out)
{
	struct vmm_console *con = calloc(1, sizeof(*con));

	if (!con) {
		vmm_error(ENOMEM, "cannot open the console");
		return NULL;
	}
	pthread_mutex_init(&con->lock, NULL);
	con->loop = loop;
	con->in = in;
	con->group = getpgrp();
	vmm_output_init(&con->out, out);
	if (con->out.plain)
		con->file = vmm_file_thread_open("console", NULL, VMM_FILE_ROOM, console_record,
						 con);
	con->ready_fd = vmm_event_create();
	con->timer_fd = timerfd_create(CLOCK_MONOTONIC, TFD_CLOEXEC | TFD_NONBLOCK);
	if (con->timer_fd < 0)
		vmm_error(errno, "cannot create the console's timer");
	/* What fails has written a message. */
	if ((con->out.plain && !con->file) || con->ready_fd < 0 || con->timer_fd < 0 ||
	    vmm_loop_add(loop, con->ready_fd, console_guest_ready, con) ||
	    vmm_loop_add(loop, con->timer_fd, console_timer, con)) {
		con->in = -1;
		vmm_console_close(con);
		return NULL;
	}
	con->background = in >= 0;
	vmm_console_foreground(con);
	return con;
}

/**
 * vmm_console_leave - write the remaining output, and restore the terminal's mode
 * @con: other threads may still write to it
 */
void vmm_console_leave(struct vmm_console *con)
{
	vmm_console_flush(con);
	console_last(con);
	if (con->tty)
		tcsetattr(con->in, TCSANOW, &con->saved);
	if (con->tty)
		console_terminal.fd = -1;
}

/**
 * vmm_console_close - end a console as vmm_console_leave() does, and free it
 * @con: may be NULL
 */
void vmm_console_close(struct vmm_console *con)
{
	if (!con)
		return;
	vmm_console_leave(con);
	console_watch_out(con, false);
	console_watch_in(con, false);
	vmm_loop_del(con->loop, con->ready_fd);
	vmm_loop_del(con->loop, con->timer_fd);
	if (con->ready_fd >= 0)
		close(con->ready_fd);
	if (con->timer_fd >= 0)
		close(con->timer_fd);
	/* A thread that does not end keeps what it uses. */
	if (!vmm_file_thread_close(con->file, -1))
		return;
	vmm_output_close(&con->out);
	pthread_mutex_destroy(&con->lock);
	free(con);
}
