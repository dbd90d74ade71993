// SPDX-License-Identifier: GPL-2.0-only
/*
 * Messages to stderr, one line each, all with the program's name in front.
 */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "host/log.h"

static void log_line(int err, const char *fmt, va_list args)
{
	char text[512];

	vsnprintf(text, sizeof(text), fmt, args);
	/* One call, so that lines of several threads do not mix. */
	if (err)
		fprintf(stderr, "vmmctl: %s: %s\n", text, strerror(err));
	else
		fprintf(stderr, "vmmctl: %s\n", text);
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
	log_line(err > 0 ? err : 0, fmt, args);
	va_end(args);
	if (!err)
		return -EINVAL;
	return err > 0 ? -err : err;
}

/**
 * vmm_note - say something that is no error
 * @fmt: one clause, without a full stop or newline
 */
void vmm_note(const char *fmt, ...)
{
	va_list args;

	va_start(args, fmt);
	log_line(0, fmt, args);
	va_end(args);
}
