// SPDX-License-Identifier: GPL-2.0-only
/*
 * Runs the cases of a test and prints TAP.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "tests/tap.h"

static bool failed;
static const char *skipped;
static char context[128];
static int said_fd, stderr_fd;

/**
 * tap_run - run all cases
 * @cases: table
 * @count: elements
 *
 * Return: exit code: 0 if all passed
 */
int tap_run(const struct tap_case *cases, unsigned int count)
{
	unsigned int bad = 0;
	unsigned int i;

	setvbuf(stdout, NULL, _IOLBF, 0);
	printf("1..%u\n", count);
	for (i = 0; i < count; i++) {
		failed = false;
		skipped = NULL;
		context[0] = '\0';
		cases[i].fn();
		printf("%sok %u %s", failed ? "not " : "", i + 1, cases[i].name);
		if (skipped && !failed)
			printf(" # SKIP %s", skipped);
		putchar('\n');
		bad += failed;
	}
	return bad != 0;
}

/**
 * tap_context - set the context of the next checks
 * @fmt: shown with a check that fails
 */
void tap_context(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	vsnprintf(context, sizeof(context), fmt, args);
	va_end(args);
}

/**
 * tap_skip - end a case as skipped
 * @why: shown
 */
void tap_skip(const char *why)
{
	skipped = why;
}

/**
 * tap_that - fail the case unless something holds
 * @ok: whether it does
 * @file: where it was checked
 * @line: where in it
 * @text: the condition
 *
 * Return: @ok
 */
bool tap_that(bool ok, const char *file, int line, const char *text)
{
	const char *base = strrchr(file, '/');

	if (ok)
		return true;
	failed = true;
	printf("# %s:%d: not so: %s%s%s\n", base ? base + 1 : file, line, text,
	       *context ? ", with " : "", context);
	return false;
}

/**
 * tap_same - fail the case unless two numbers are the same
 * @have: actual value
 * @want: expected value
 * @file: where it was checked
 * @line: where in it
 * @text: the expression
 *
 * Return: true if they are
 */
bool tap_same(unsigned long long have, unsigned long long want, const char *file, int line,
	      const char *text)
{
	char both[256];

	if (have == want)
		return true;
	snprintf(both, sizeof(both), "%s is 0x%llx, should be 0x%llx", text, have, want);
	return tap_that(false, file, line, both);
}

/**
 * tap_listen - capture stderr until tap_heard()
 */
void tap_listen(void)
{
	said_fd = memfd_create("stderr", MFD_CLOEXEC);
	stderr_fd = dup(STDERR_FILENO);
	dup2(said_fd, STDERR_FILENO);
}

/**
 * tap_heard - end the capture of tap_listen()
 * @text: filled with the captured text
 * @size: bytes of @text, with the terminating NUL
 */
void tap_heard(char *text, size_t size)
{
	ssize_t len;

	fflush(stderr);
	dup2(stderr_fd, STDERR_FILENO);
	len = pread(said_fd, text, size - 1, 0);
	text[len > 0 ? len : 0] = '\0';
	close(said_fd);
	close(stderr_fd);
}
