// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages to stderr, one line each, all with the program's name in front. A stderr
 * that nobody reads is not waited for. A running VM keeps them in its directory too.
 */
#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host/log.h"
#include "host/output.h"

#define LOG_LINE	640

/*
 * Where messages go besides stderr. Set before there are threads, and taken back when
 * there are none any more.
 */
static struct {
	void (*fn)(void *arg, const char *line, size_t len);
	void *arg;
	const struct vmm_output *out;
	const struct vmm_log_file *file;
	void (*device)(void *arg, const char *device, const char *why);
	void *device_arg;
} log_to;

static const char *log_name = "vmmctl";

#define LOG_LAST	160	/* bytes of a message that is kept, its end included */

/* Of the calling thread: how many errors it has told of, and the last. */
static __thread unsigned long log_errors;
static __thread char log_last[LOG_LAST];

/**
 * vmm_log_name - say which program it is that messages are of
 * @name: its name, for good
 */
void vmm_log_name(const char *name)
{
	log_name = name;
}

/**
 * vmm_device_errors - be told of devices that do not work any more
 * @fn: any thread; NULL for nobody
 * @arg: argument of @fn
 */
void vmm_device_errors(void (*fn)(void *arg, const char *device, const char *why), void *arg)
{
	log_to.device = fn;
	log_to.device_arg = arg;
}

/**
 * vmm_device_error - tell that a device does not work any more
 * @device: its name
 * @why: what was said about it
 *
 * Context: any thread. The message is the caller's: this is for programs.
 */
void vmm_device_error(const char *device, const char *why)
{
	if (log_to.device)
		log_to.device(log_to.device_arg, device, why);
}

/**
 * vmm_log_also - have messages go somewhere else, too
 * @fn: takes a line with the time in front; any thread; NULL for nowhere
 * @arg: argument of @fn
 */
void vmm_log_also(void (*fn)(void *arg, const char *line, size_t len), void *arg)
{
	log_to.fn = fn;
	log_to.arg = arg;
}

/**
 * vmm_log_output - write to stderr without waiting for who reads it
 * @out: stderr, or NULL: as any program does
 */
void vmm_log_output(const struct vmm_output *out)
{
	log_to.out = out;
}

/**
 * vmm_log_file - have somebody else write to stderr
 * @file: who does, and whose operations are called by any thread; NULL for nobody
 */
void vmm_log_file(const struct vmm_log_file *file)
{
	log_to.file = file;
}

static void log_lose(size_t len)
{
	if (log_to.file)
		log_to.file->lose(len);
}

/**
 * vmm_log_text - write text to stderr as it is
 * @text: whole lines; what a stderr that is not waited for has no room for is lost
 * @len: their bytes
 *
 * Context: any thread.
 */
void vmm_log_text(const char *text, size_t len)
{
	ssize_t n;

	if (log_to.file && log_to.file->takes(text, len))
		return;
	if (!log_to.out) {
		fwrite(text, 1, len, stderr);
		return;
	}
	/* A line goes in one call, so that lines of several threads do not mix. */
	for (; len; text += n, len -= n) {
		n = vmm_output_write(log_to.out, text, len);
		if (n <= 0) {
			log_lose(len);
			return;
		}
	}
}

/**
 * vmm_last_words - say something before the process ends, if nobody has to be waited for
 * @text: a line
 * @len: its bytes
 *
 * Context: signal handlers.
 */
void vmm_last_words(const char *text, size_t len)
{
	struct pollfd room = { .fd = STDERR_FILENO, .events = POLLOUT };

	if (log_to.file && log_to.file->late())
		return;
	if (poll(&room, 1, 0) > 0 && write(STDERR_FILENO, text, len) < 0)
		return;
}

static void log_also(const char *line, size_t len)
{
	char dated[LOG_LINE + 32];
	struct timespec now;
	struct tm tm;
	size_t n;

	if (!log_to.fn)
		return;
	clock_gettime(CLOCK_REALTIME, &now);
	gmtime_r(&now.tv_sec, &tm);
	n = strftime(dated, sizeof(dated), "%Y-%m-%dT%H:%M:%SZ ", &tm);
	memcpy(dated + n, line, len);
	log_to.fn(log_to.arg, dated, n + len);
}

static void log_line(bool is_error, int err, const char *fmt, va_list args)
{
	char text[512];
	char line[LOG_LINE];
	int len;

	vsnprintf(text, sizeof(text), fmt, args);
	len = snprintf(line, sizeof(line), "%s: %s%s%s\n", log_name, text, err ? ": " : "",
		       err ? strerror(err) : "");
	if (is_error) {
		log_errors++;
		snprintf(log_last, sizeof(log_last), "%.100s%s%.40s", text, err ? ": " : "",
			 err ? strerror(err) : "");
	}
	if (len >= (int)sizeof(line))
		len = sizeof(line) - 1;
	vmm_log_text(line, len);
	log_also(line, len);
}

/**
 * vmm_error - say why something failed
 * @err: errno to name behind the text; negative: return it but do not name it,
 *	for text that says it all
 * @fmt: one clause, without a full stop or newline
 *
 * Return: -errno, never 0, for `return vmm_error(...)`
 */
int vmm_error(int err, const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_line(true, err > 0 ? err : 0, fmt, args);
	va_end(args);
	if (!err)
		return -EINVAL;
	return err > 0 ? -err : err;
}

/**
 * vmm_errors - count what vmm_error() has said in this thread
 *
 * Who can only say that something failed asks whether the cause was said already.
 *
 * Return: messages
 */
unsigned long vmm_errors(void)
{
	return log_errors;
}

/**
 * vmm_error_last - tell what vmm_error() has said last in this thread
 *
 * Return: the text, maybe shortened, until the next message; "" if there was none
 */
const char *vmm_error_last(void)
{
	return log_last;
}

/**
 * vmm_note - say something that is no error
 * @fmt: one clause, without a full stop or newline
 */
void vmm_note(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_line(false, 0, fmt, args);
	va_end(args);
}
