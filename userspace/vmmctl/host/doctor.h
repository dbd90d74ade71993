/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * What the files of the doctor share: printing a line for each check.
 */
#ifndef HOST_DOCTOR_H
#define HOST_DOCTOR_H

#include "machine/config.h"

void vmm_doctor_good(const char *fmt, ...) __attribute__((format(printf, 1, 2)));
unsigned int vmm_doctor_bad(const char *fmt, ...) __attribute__((format(printf, 1, 2)));

unsigned int vmm_doctor_parts(u32 lacks);

/* ---- doctor_host.c: limits, memory, ports and interfaces ---- */

unsigned int vmm_doctor_host(const struct vmm_config *cfg);

#endif /* HOST_DOCTOR_H */
