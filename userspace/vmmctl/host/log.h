/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Messages to the user, one line each on stderr.
 */
#ifndef HOST_LOG_H
#define HOST_LOG_H

#include "types.h"

/* ---- log.c ---- */

int vmm_error(int err, const char *fmt, ...) __attribute__((format(printf, 2, 3)));
void vmm_note(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

#endif /* HOST_LOG_H */
