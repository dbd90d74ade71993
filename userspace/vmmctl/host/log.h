/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages to the user, one line each on stderr.
 */
#ifndef HOST_LOG_H
#define HOST_LOG_H

#include "types.h"

/* ---- log.c ---- */

int vmm_error(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
unsigned long vmm_errors(void);
const char *vmm_error_last(void);
void vmm_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

struct vmm_output;

/**
 * struct vmm_log_file - who writes to stderr for all others
 * @takes: take text, or drop and count it; false if @out is to be written to at once
 * @lose: count text that found no room there
 * @late: tell whether text that was taken is not written yet; signal handlers
 */
struct vmm_log_file {
	bool (*takes)(const char *text, size_t len);
	void (*lose)(size_t len);
	bool (*late)(void);
};

void vmm_log_name(const char *name);
void vmm_log_also(void (*fn)(void *arg, const char *line, size_t len), void *arg);
void vmm_device_error(const char *device, const char *why);
void vmm_device_errors(void (*fn)(void *arg, const char *device, const char *why), void *arg);
void vmm_log_text(const char *text, size_t len);
void vmm_last_words(const char *text, size_t len);
void vmm_log_output(const struct vmm_output *out);
void vmm_log_file(const struct vmm_log_file *file);

#endif /* HOST_LOG_H */
