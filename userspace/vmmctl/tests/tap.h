/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A test is a table of cases; each prints its failed checks and then one TAP result.
 */
#ifndef TAP_H
#define TAP_H

#include <stdbool.h>
#include <stddef.h>

/**
 * struct tap_case - a case
 * @name: the property that is tested
 * @fn: calls tap_check() and similar functions
 */
struct tap_case {
	const char *name;
	void (*fn)(void);
};

int tap_run(const struct tap_case *cases, unsigned int count);
void tap_context(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
void tap_skip(const char *why);
bool tap_that(bool ok, const char *file, int line, const char *text);
bool tap_same(unsigned long long have, unsigned long long want, const char *file, int line,
	      const char *text);

/* Capture stderr between the two calls; the text is returned in @text. */
void tap_listen(void);
void tap_heard(char *text, size_t size);

#define tap_check(condition)	tap_that(condition, __FILE__, __LINE__, #condition)
#define tap_equal(have, want)	tap_same(have, want, __FILE__, __LINE__, #have)

#endif /* TAP_H */
